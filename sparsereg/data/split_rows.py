"""X of ones in two sets of rows that make up all: one is counted, the other is what is left. Knows no folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import inspect
from sparsereg.data.compressed import Compressed, Counted
from sparsereg.data.design import CsrDesign, Design

__all__ = ["SplitRows"]

Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SplitRows:
    """A design by two sets of rows; no entry of X is copied.

    Attributes
    ----------
    rest : CsrDesign
        All observed columns, of the rows that were not counted.
    """

    rest: CsrDesign
    _chosen: Compressed
    _count: NDArray[Any]

    @classmethod
    def of(cls, design: Design, rest: Int, chosen: Int) -> SplitRows | None:
        """None where these rows are not all, each once, or where not all columns are of ones. Reads `chosen` only."""
        if not (isinstance(design, CsrDesign) and design.n_ones == design.n_cols) or design.eliminated_length:
            return None
        if not _is_partition(rest, chosen, design.n_rows):
            return None
        counted, rows = design.counted, replace(design.borrowed, data=None)
        selected, count = rows.select(chosen), np.zeros(rows.shape[1], dtype=rows.indices.dtype)
        inspect(selected, count)
        left = Counted.of_ones(rows.select(rest), counted.by_number() - count)
        return cls(_of_counted(design, left), selected, count)

    def chosen(self, like: Design) -> CsrDesign:
        """The rows that were counted, by the columns of a design of the others, in their order."""
        assert isinstance(like, CsrDesign)
        return _of_counted(like, Counted.of_ones(self._chosen, self._count, like.counted.columns))


def _of_counted(design: CsrDesign, counted: Counted) -> CsrDesign:
    """Other rows of the same X."""
    return CsrDesign(counted, design._numbers, design.n_features, design.dtype, design.n_threads)


def _is_partition(rest: Int, chosen: Int, n: int) -> bool:
    if rest.size + chosen.size != n:
        return False
    seen = np.zeros(n, dtype=np.bool_)
    seen[rest] = seen[chosen] = True
    return bool(seen.all())

"""The Gram matrix of some rows alone, which stand before and after others. Knows no folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, Matrix
from sparsereg.rows.memory import MemoryGram, MemoryRows, columns_to_cache

__all__ = ["OwnGram", "all_but"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class OwnGram(MemoryGram):
    """`MemoryGram` on those rows.

    Parameters
    ----------
    rows : MemoryRows
        Of weight 0 for the others; without dense columns.
    center : float
    stretches : list of Matrix
        The columns' entries in these rows, one or two of them.
    s : float64 array of shape (n,) or None
        The weights of these rows; those of others do not count. None means all one.
    n_own : int or None
        The first columns, so many, are asked for; None: all.
    """

    def __init__(
        self, rows: MemoryRows, center: float, stretches: list[Matrix], s: Vector | None, n_own: int | None
    ) -> None:
        self._stretches, self._s, self._n_own = stretches, s, n_own
        super().__init__(rows, center)

    def _new_store(self) -> GramStore:
        first, *more = self._stretches
        return GramStore(first, self.design.sparse_rows, self.design.index_in_rows, self._s, *more)

    def _columns_to_cache(self) -> Int:
        """By the length of rows that the design had before columns were eliminated."""
        cached = columns_to_cache(self.design, True, row_length=self.sparse_row_length)
        return cached if self._n_own is None else cached[cached < self._n_own]

    def _by_rows(self, cols: Int, entries: int) -> bool:  # noqa: ARG002 - there is no other way
        return True


def all_but(parts: list[Matrix], out: list[int]) -> list[Matrix]:
    """Columns' entries in parts of the rows that follow one another, without those of one part, or of none: in the
    rows before it and in those after it, where there are any."""
    first = [*out, len(parts)][0]
    runs = parts[:first], parts[first + 1 :]
    return [run[0].between(run[0].start, run[-1].stop) for run in runs if run]

"""A CSR design without columns that have their ones in the same rows as an earlier one. Knows no y."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import CsrDesign

__all__ = ["DistinctColumns"]

Int = NDArray[Any]


class DistinctColumns(CsrDesign):
    """Without the columns of ones numbered `copies` in X, also where others are eliminated or come back."""

    copies: Int

    @classmethod
    def of_design(cls, design: CsrDesign) -> DistinctColumns:
        """Of equal columns the first of X stays; for `design.can_eliminate`.

        Equal columns have equal sums of random numbers, which are added up in the same order; others differ in one of
        two such sums but for a chance of 1e-30 a pair."""
        rng, n = np.random.default_rng(0), design.n_ones
        sums = [design.select_observed(design.rmatvec_by_rows(rng.random(design.n_rows)))[:n] for _ in range(2)]
        order = np.lexsort((design.columns[:n], *sums))
        same = np.logical_and.reduce([values[order[1:]] == values[order[:-1]] for values in sums])
        return cls.without(design, design.columns[order[1:][same]])

    @classmethod
    def without(cls, design: CsrDesign, copies: Int) -> DistinctColumns:
        """`design` less those that it has."""
        counted = design.counted.without(np.flatnonzero(np.isin(design.columns[: design.n_ones], copies)))
        rest = (design._numbers, design.n_features, design.dtype, design.n_threads, design.eliminated_length)
        distinct = cls(counted, *rest)
        distinct.copies = copies
        return distinct

    def eliminate_columns(self, n_kept: int) -> DistinctColumns:
        return self.without(super().eliminate_columns(n_kept), self.copies)

    def restore_eliminated(self) -> DistinctColumns:
        return self.without(super().restore_eliminated(), self.copies)

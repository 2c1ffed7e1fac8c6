"""Columns whose mean is far from 0, shifted on the way in: sums of squares would lose the digits of deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.compressed import Compressed
from sparsereg.data.design import CsrDesign, DenseDesign, Design

__all__ = ["MAX_SQ_MEAN_RATIO", "Shift", "shift_far_columns"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# A squared mean of so many variances costs three of sixteen digits: a copy is shifted then.
MAX_SQ_MEAN_RATIO = 1e6


@dataclass(frozen=True)
class Shift:
    """What was subtracted from some columns: `values[a]` from column `columns[a]` of X, in increasing order."""

    columns: Int
    values: Vector

    def of(self, columns: NDArray[np.integer]) -> Vector:
        """What was subtracted from each of these columns of X."""
        place = np.minimum(np.searchsorted(self.columns, columns), self.columns.size - 1)
        return np.where(self.columns[place] == columns, self.values[place], 0.0)


def shift_far_columns(design: Design, s: Vector | None) -> tuple[Design, Shift | None]:
    """A copy in double precision without what is far from 0, if a column's mean is, and what was subtracted.

    Of a dense X, every column's mean. Of a sparse one, from each far column its value in the heaviest row, which is
    exact; all its entries are stored then."""
    cols = _candidates(design, s)
    if not cols.size:
        return design, None
    sums, squares = design.column_stats(s, cols)[:2]
    with np.errstate(over="ignore", invalid="ignore"):
        centred = squares - sums * sums / (design.n_rows if s is None else s.sum())
        far = cols[centred * MAX_SQ_MEAN_RATIO < squares]
    far = far[np.array([np.ptp(design.extent(int(j), s)) > 0.0 for j in far], dtype=np.bool_)]
    if not far.size:
        return design, None
    heaviest = 0 if s is None else int(np.argmax(s))
    return _shift_sparse(design, far, heaviest) if design.dense is None else _shift_dense(design, heaviest, s)


def _candidates(design: Design, s: Vector | None) -> Int:
    """Columns that may be far: those whose zeros weigh less than a millionth, and are not all ones."""
    if design.dense is not None:
        return np.arange(design.n_cols)
    cols = np.arange(design.n_ones if s is None else 0, design.n_cols)
    lengths = design.lengths(cols)
    free = (cols >= design.n_ones) | (lengths < design.n_rows)
    if s is None:
        return cols[free & (lengths >= design.n_rows * (1.0 - 1.0 / MAX_SQ_MEAN_RATIO))]
    positive = s[s > 0.0]
    light = positive.sum() / MAX_SQ_MEAN_RATIO
    free &= lengths >= positive.size - light / positive.min()
    if free.any():  # the lightest rows that weigh so little together
        free &= lengths >= positive.size - np.searchsorted(np.cumsum(np.sort(positive)), light)
    return cols[free]


def _shift_dense(design: Design, heaviest: int, s: Vector | None) -> tuple[Design, Shift]:
    X = np.asarray(design.dense)
    first = X[heaviest].astype(np.float64)
    deviations = X - first
    means = np.average(deviations, axis=0, weights=s)
    deviations -= means
    return DenseDesign(np.asfortranarray(deviations), design.dtype, design.n_threads), Shift(
        np.arange(design.n_cols), first + means
    )


def _shift_sparse(design: Design, far: Int, heaviest: int) -> tuple[Design, Shift]:
    n, values = design.n_rows, np.array([design.column(int(j))[heaviest] for j in far])
    X = design.observed().tocoo()
    data = np.concatenate([X.data.astype(np.float64), np.repeat(-values, n)])
    rows = np.concatenate([X.row, np.tile(np.arange(n, dtype=X.row.dtype), far.size)])
    cols, numbers = np.concatenate([X.col, np.repeat(far, n)]), design.columns
    width = design.n_cols
    if design.n_features <= design.nnz:  # few enough for the columns' own numbers
        cols, width = numbers[cols], design.n_features
        numbers = None  # type: ignore[assignment]
    moved = sp.coo_array((data, (rows, cols)), shape=(n, width)).tocsr()  # which adds what has the same place
    shifted = CsrDesign.of(
        Compressed.of(moved, np.dtype(np.float64)), numbers, design.n_features, design.dtype, design.n_threads
    )
    order = np.argsort(design.columns[far])
    return shifted, Shift(design.columns[far][order].astype(np.int64), values[order])

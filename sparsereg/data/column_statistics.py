"""Norms of centred columns, without centring X, and where rounding leaves no digits of them. Knows no targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import DenseDesign, Design

__all__ = ["MAX_SQ_MEAN_RATIO", "center_far_columns", "centered_sq_norms"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Centred squared norms as a share of squared norms: up to the first they are rounding, up to the second they have lost
# more than half of their digits.
ROUNDING = 1e-14
FEW_DIGITS = 1e-11
# A squared mean of so many variances costs three of sixteen digits: a copy is centred then.
MAX_SQ_MEAN_RATIO = 1e6


def centered_sq_norms(
    sums: Vector, squares: Vector, weight_sum: float, extent: Callable[[int], tuple[float, float]]
) -> tuple[Vector, Int]:
    """`|x_j - mean_j|_s^2` of some columns, from their weighted sums and those of their squares.

    `extent(a)` gives the least and the largest value of the a-th of them in rows of positive weight.

    Returns
    -------
    centred : float64 array
        Exactly 0 for constant columns, where rounding would leave a tiny curvature and so a huge coefficient.
    few_digits : int64 array
        Positions of columns that vary by so little that most digits of the result are lost.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses columns too large to square
        centred = squares - sums * sums / weight_sum
    little = centred < FEW_DIGITS * squares
    if not little.any():
        return centred, np.empty(0, dtype=np.int64)
    centred[centred <= ROUNDING * squares] = 0.0
    few = np.flatnonzero(little & (centred > 0.0))
    # Sums over many rows may be wrong by more than that: compare the values themselves.
    varies = np.array([np.ptp(extent(int(at))) > 0.0 for at in few], dtype=np.bool_)
    centred[few[~varies]] = 0.0
    return centred, few[varies]


def center_far_columns(design: Design, X: NDArray[np.floating], s: Vector | None) -> tuple[Design, Vector | None]:
    """Centre a copy of a dense X if a mean is far from 0, as centring sums would lose the deviations' digits.

    Returns the design and the means that were subtracted, or None."""
    sums, squares, _, _ = design.matrix.column_stats(s)
    total = design.n_rows if s is None else s.sum()
    with np.errstate(over="ignore", invalid="ignore"):
        centred = squares - sums * sums / total
        far = np.flatnonzero(centred * MAX_SQ_MEAN_RATIO < squares)
    if not any(np.ptp(X[:, j]) > 0 for j in far):
        return design, None
    means = np.average(X.astype(np.float64, copy=False), axis=0, weights=s)
    means[np.ptp(X, axis=0) == 0.0] = X[0, np.ptp(X, axis=0) == 0.0]
    return DenseDesign(np.asfortranarray(X - means), design.dtype, design.n_threads), means

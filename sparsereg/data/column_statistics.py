"""Norms of centred columns, without centring X, and where rounding leaves no digits of them. Knows no targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["centered_sq_norms"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Centred squared norms as a share of squared norms: up to the first they are rounding, up to the second they have lost
# more than half of their digits.
ROUNDING = 1e-14
FEW_DIGITS = 1e-11


def centered_sq_norms(
    sums: Vector,
    squares: Vector,
    weight_sum: float,
    extent: Callable[[int], tuple[float, float]],
    zero_one: NDArray[np.bool_] | None = None,
) -> tuple[Vector, Int]:
    """`|x_j - mean_j|_s^2` of some columns, from their weighted sums and those of their squares.

    `extent(a)` gives the least and the largest value of the a-th of them in rows of positive weight: whether a column
    is constant is for its values to say, however far from 0. `zero_one`: columns of zeros and ones, whose sums say it.

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
    asked = np.flatnonzero(little if zero_one is None else little & ~(zero_one & (centred == 0.0)))
    varies = np.array([np.ptp(extent(int(at))) > 0.0 for at in asked], dtype=np.bool_)
    centred[asked[~varies]] = 0.0
    return centred, asked[varies]

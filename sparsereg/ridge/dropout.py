"""Dropout as penalty factors.

Inverted dropout at rate d multiplies each entry of X by an independent m_ij, which is 1 / (1 - d) with probability 1
- d and 0 otherwise, so that `E m_ij = 1` and `Var m_ij = d / (1 - d)`. The intercept is not dropped. The mean of a
square is the squared mean plus the variance, so the expected squared loss is

    E sum_i s_i (y_i - b0 - sum_j m_ij x_ij w_j)^2
        = sum_i s_i (y_i - b0 - x_i . w)^2 + d / (1 - d) * sum_j w_j^2 sum_i s_i x_ij^2.

This is ridge on the unnormalised sum with `alpha v_j = d / (1 - d) * sum_i s_i x_ij^2`. The entries x_ij are not
centred, because they are dropped as they are. (Srivastava et al. 2014, "Dropout", section 9.1.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design

__all__ = ["dropout_factor"]

Vector = NDArray[np.float64]


def dropout_factor(design: Design, s: Vector | None, rate: float) -> Vector:
    """Penalty factors v of the observed columns for which ridge at alpha = 1 is dropout at a rate in [0, 1).

    s holds the row weights, None for all one. Dropout does not change a column of zeros; it is penalised like the
    column with the largest sum of squares, so that any method gives it a coefficient of 0.
    """
    squares: Vector = design.matrix.column_stats(s)[1]
    squares[squares == 0.0] = squares.max(initial=0.0)
    return rate / (1.0 - rate) * squares

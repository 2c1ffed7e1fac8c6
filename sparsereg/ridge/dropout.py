"""Dropout as penalty factors. Knows columns and row weights, no target and no solvers.

Inverted dropout at rate d multiplies each entry of X by an independent m_ij, which is 1 / (1 - d) with probability 1 - d and else 0,
so that `E m_ij = 1` and `Var m_ij = d / (1 - d)`. The intercept is never dropped. As the mean of a square is the square of the mean
and a variance, the squared loss is on average

    E sum_i s_i (y_i - b0 - sum_j m_ij x_ij w_j)^2
        = sum_i s_i (y_i - b0 - x_i . w)^2 + d / (1 - d) * sum_j w_j^2 sum_i s_i x_ij^2.

That is ridge on the unnormalised sum, with `alpha v_j = d / (1 - d) * sum_i s_i x_ij^2`: d / (1 - d) times the sum of the weights times
the column's mean square, of x_ij as it is and not of its deviation from the mean, since that is what is dropped. (Srivastava et al.
2014, "Dropout", section 9.1.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design

__all__ = ["dropout_factor"]

Vector = NDArray[np.float64]


def dropout_factor(design: Design, s: Vector | None, rate: float) -> Vector:
    """Penalty factors v of the observed columns with which ridge at alpha = 1 is dropout at `rate`.

    Columns of zeros, which no dropping changes, are penalised like the heaviest: their coefficients are then 0 by any method.

    Parameters
    ----------
    design : Design
    s : float64 array of shape (n,) or None
        Row weights; None means all one.
    rate : float in [0, 1)
    """
    squares: Vector = design.matrix.column_stats(s)[1]
    squares[squares == 0.0] = squares.max(initial=0.0)
    return rate / (1.0 - rate) * squares

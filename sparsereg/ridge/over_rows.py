"""Ridge over rows in parts, by conjugate gradients scaled by the diagonal: a round an iteration."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import PENALTIES
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.partitioned import PartitionedRows

__all__ = ["RidgeOverRows", "solve_ridge_over_rows"]

Vector = NDArray[np.float64]


class RidgeOverRows(NamedTuple):
    """A solution: `coef` (n_cols,), the intercept, the relative gradient recomputed from it, and the iterations."""

    coef: Vector
    intercept: float
    gradient_norm: float
    n_iter: int


def solve_ridge_over_rows(
    rows: PartitionedRows, alpha: float, fit_intercept: bool, tol: float, max_iter: int
) -> RidgeOverRows:
    """Minimise `sum_i s_i (y_i - b0 - x_i . w)^2 + alpha |w|^2`.

    Parameters
    ----------
    alpha : float
        Above 0.
    tol : float
        Ends at a gradient of at most `tol` times that at w = 0, in the 2-norm.
    max_iter : int
        Most iterations; each asks all parts once.
    """
    rows = rows if fit_intercept or rows.center == 0.0 else rows.about(0.0)
    mean = rows.totals.y_sum / rows.weight_sum if fit_intercept else 0.0
    quadratic = Quadratic(rows, PENALTIES["elastic_net"](), fit_intercept, mean, rows.center + mean)
    sums, sq = quadratic.moments()[:2]
    every = np.arange(rows.n_cols)

    def product(w: Vector) -> Vector:
        """`(Xc' S Xc + alpha) w`."""
        shift = float(sums @ w) / rows.weight_sum
        return alpha * w - rows.gradients(Coefficients(every, w), -shift, target=False)

    b = rows.gradients(None, mean)
    target, scale = tol * float(np.linalg.norm(b)), sq + alpha
    w, r, n_iter = np.zeros(rows.n_cols), b.copy(), 0
    p = z = r / scale
    rz = float(r @ z)
    while n_iter < max_iter and np.linalg.norm(r) > 0.5 * target and rz > 0.0:
        Ap = product(p)
        step = rz / float(p @ Ap)
        w, r, n_iter = w + step * p, r - step * Ap, n_iter + 1
        z = r / scale
        rz, before = float(r @ z), rz
        p = z + (rz / before) * p
    norm = float(np.linalg.norm(b - product(w)) / (np.linalg.norm(b) or 1.0)) if n_iter else 0.0
    return RidgeOverRows(w, quadratic.intercept(Coefficients(every, w)), norm, n_iter)

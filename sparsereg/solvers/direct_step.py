"""Newton steps solved by a factor of the active columns' Gram matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular

from sparsereg._core.kernels import Coordinates, GramStore, GramSum, solve_psd

__all__ = ["direct_step"]

Vector = NDArray[np.float64]

# From so many columns on, LAPACK's blocks are worth the calls.
BLOCKED = 400
# A pivot of less than this share of its column's diagonal is rounding.
TINY = 1e-13


def direct_step(store: GramStore | GramSum, at: Coordinates, slope: Vector) -> Vector:
    """`H^-1 slope` on the columns with w != 0, 0 on the others and on columns that depend on those before.

    Parameters
    ----------
    store : GramStore or GramSum
    at : Coordinates
        Their l2 is added to the diagonal.
    slope : float64 array of shape (m,)
        The negative gradient.
    """
    active, H = store.hessian(at)
    step, b = np.zeros(slope.size), slope[active]
    if active.size < BLOCKED:
        solve_psd(H, b, TINY)
        step[active] = b
        return step
    # With a unit diagonal, so that a pivot is a share of its column's. The upper triangle of rows is a lower one of
    # columns.
    scale = np.sqrt(np.diagonal(H))
    scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0)
    H *= scale[:, None]
    H *= scale
    L, pivots, rank, _ = lapack.dpstrf(H.T, tol=TINY, lower=1, overwrite_a=1)
    kept = pivots[:rank] - 1
    L = L[:rank, :rank]
    x = solve_triangular(L, (b * scale)[kept], lower=True, check_finite=False)
    step[active[kept]] = solve_triangular(L, x, lower=True, trans=1, check_finite=False) * scale[kept]
    return step

"""Conjugate gradients on ridge's normal equations. Knows nothing of how a preconditioner is made, nor of estimators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge_system import Solution, System

__all__ = ["conjugate_gradients"]

Vector = NDArray[np.float64]
Operator = Callable[[Vector], Vector]

# A restart of conjugate gradients that does not bring the gradient below this share of what it was has met rounding.
STALL = 0.5


def conjugate_gradients(
    system: System,
    tol: float,
    max_iter: int,
    precondition: Operator | None = None,
    start: Vector | None = None,
) -> Solution:
    """Preconditioned conjugate gradients until `|g| <= tol |b|`.

    Convergence is judged on the true gradient: when the recurrence says it is done, g is worked out from X, and the iteration
    starts again from there if it is not small enough. It ends where that stops helping: what is left is rounding.

    Parameters
    ----------
    system : System
    tol : float
    max_iter : int
    precondition : callable, optional
        An approximation of `H^-1`, symmetric and positive. Without one and from 0, a singular H gives the solution of least norm.
    start : float64 array of shape (n_cols,), optional
    """
    precondition = precondition or np.copy
    target = tol * float(np.linalg.norm(system.b))
    w = np.zeros(system.penalty.size) if start is None else start.copy()
    g = system.b.copy() if start is None else system.gradient(w)
    size, n_iter = float(np.linalg.norm(g)), 0
    while size > target and n_iter < max_iter:
        step, done = _descend(system, g, precondition, target, max_iter - n_iter)
        n_iter += done
        g_new = system.gradient(w + step)
        before, after = size, float(np.linalg.norm(g_new))
        if not after < before:
            break
        w, g, size = w + step, g_new, after
        if after > STALL * before:
            break
    return system.solution(w, n_iter)


def _descend(system: System, g: Vector, precondition: Operator, target: float, max_iter: int) -> tuple[Vector, int]:
    """One uninterrupted run, from where the gradient is g; returns the step taken. Hestenes & Stiefel 1952."""
    step, g = np.zeros_like(g), g.copy()
    z = precondition(g)
    p, gz = z.copy(), float(g @ z)
    for done in range(1, max_iter + 1):
        Hp = system.times(p)
        curvature = float(p @ Hp)
        if not curvature > 0.0:  # p lies in the null space of a singular H
            return step, done
        length = gz / curvature
        step += length * p
        g -= length * Hp
        if np.linalg.norm(g) <= target:
            return step, done
        z = precondition(g)
        gz, before = float(g @ z), gz
        p = z + (gz / before) * p
    return step, max_iter

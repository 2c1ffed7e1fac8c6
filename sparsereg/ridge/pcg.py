"""Conjugate gradients on ridge's normal equations. Knows nothing of how a preconditioner is made, nor of estimators."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from sparsereg.ridge.normal_equations import Solution, System

__all__ = ["Direct", "Elsewhere", "Preconditioner", "conjugate_gradients", "descend", "relax"]

Vector = NDArray[np.float64]

# A restart that does not bring the gradient below this share of what it was has met rounding.
STALL = 0.5


class Direct(Protocol):
    """An approximation of `H^-1`, symmetric and positive."""

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`: a preconditioner that has been through X knows `H z` almost for free."""


@runtime_checkable
class Elsewhere(Protocol):
    """A preconditioner that is iterated with in other unknowns than the columns: fewer, say, as some are solved for exactly."""

    @property
    def inner(self) -> Direct | Elsewhere:
        """The preconditioner there."""

    def entered(self, g: Vector) -> Vector:
        """The gradient there: as long as the one here once what is solved for exactly is."""

    def left(self, g: Vector, step: Vector, rest: Vector, /) -> tuple[Vector, Vector]:
        """The step here and the gradient after it, from those there; g is the gradient that was entered with."""


Preconditioner = Direct | Elsewhere


def conjugate_gradients(
    system: System, precondition: Preconditioner, tol: float, max_iter: int, start: Vector | None = None
) -> Solution:
    """Preconditioned conjugate gradients until `|g| <= tol |b|`, and `system.relative(g) <= tol`, which seldom asks for more.

    Convergence is judged on the true gradient: when the recurrence says it is done, g is worked out from X, and the iteration
    starts again from there if it is not small enough. It ends where that stops helping: what is left is rounding.

    Parameters
    ----------
    system : System
    precondition : Preconditioner
    tol : float
    max_iter : int
    start : float64 array of shape (n_cols,), optional
    """
    w = np.zeros(system.penalty.size) if start is None else start
    g = system.b if start is None else system.gradient(w)
    w, g, n_iter = relax(system, precondition, (w, g), tol * float(np.linalg.norm(system.b)), max_iter)
    found = system.solution(w, n_iter, g)
    while tol < found.gradient_norm and n_iter < max_iter:
        before = float(np.linalg.norm(g))
        w, g, done = relax(system, precondition, (w, g), 0.1 * before, max_iter - n_iter)
        n_iter += done
        found = system.solution(w, n_iter, g)
        if not float(np.linalg.norm(g)) < before:
            break
    return found


def relax(
    system: System, precondition: Preconditioner, start: tuple[Vector, Vector], target: float, max_iter: int
) -> tuple[Vector, Vector, int]:
    """From a `(w, g)` whose gradient is known to one where `|g| <= target`, if that can be; with the number of iterations."""
    w, g = start
    size, n_iter = float(np.linalg.norm(g)), 0
    while size > target and n_iter < max_iter:
        step, _, done = descend(g, precondition, target, max_iter - n_iter)
        n_iter += done
        g_new = system.gradient(w + step)
        before, after = size, float(np.linalg.norm(g_new))
        if not after < before:
            break
        w, g, size = w + step, g_new, after
        if after > STALL * before:
            break
    return w, g, n_iter


def descend(g: Vector, precondition: Preconditioner, target: float, max_iter: int) -> tuple[Vector, Vector, int]:
    """One uninterrupted run, from where the gradient is g; returns the step taken and what the
    recurrence makes of g. Hestenes & Stiefel 1952.

    `H p` follows the recurrence of p itself, so that X is met by the preconditioner alone."""
    if isinstance(precondition, Elsewhere):
        step, rest, done = descend(precondition.entered(g), precondition.inner, target, max_iter)
        return *precondition.left(g, step, rest), done
    step, g = np.zeros(g.size), g.copy()
    p, Hp = precondition.apply(g)
    gz = float(g @ p)
    for done in range(1, max_iter + 1):
        curvature = float(p @ Hp)
        if not curvature > 0.0:  # p lies in the null space of a singular H
            return step, g, done
        step, g = daxpy(p, step, a=gz / curvature), daxpy(Hp, g, a=-gz / curvature)
        if np.linalg.norm(g) <= target:
            return step, g, done
        z, Hz = precondition.apply(g)
        gz, before = float(g @ z), gz
        p, Hp = daxpy(p, z, a=gz / before), daxpy(Hp, Hz, a=gz / before)
    return step, g, max_iter

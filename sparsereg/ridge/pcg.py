"""Conjugate gradients on the normal equations (Hestenes & Stiefel 1952), and the interface of preconditioners."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from sparsereg.ridge.normal_equations import RidgeSolution, System

__all__ = [
    "ApproximateInverse",
    "Preconditioner",
    "ReducedSystem",
    "conjugate_gradients",
    "refine",
]

Vector = NDArray[np.float64]

# If a restart leaves more than this share of the gradient, what remains is rounding.
STALL = 0.5


class Preconditioner(ABC):
    """How conjugate gradients on `H step = g` are accelerated."""

    @abstractmethod
    def descend(self, g: Vector, limit: float, max_iter: int) -> tuple[Vector, Vector, int]:
        """One run of conjugate gradients from 0, until the gradient of the recurrence is no longer than `limit`.

        Returns the step, the gradient after it by the recurrence, and the number of iterations.
        """

    def in_factor_order(self) -> Preconditioner:
        """The same preconditioner for vectors in factor order, if that is the order that it uses internally."""
        return self


class ApproximateInverse(Preconditioner):
    """An approximation of `H^-1`, symmetric and positive definite."""

    @abstractmethod
    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`. Having passed over X for z, a preconditioner knows `H z` almost for free."""

    def descend(self, g: Vector, limit: float, max_iter: int) -> tuple[Vector, Vector, int]:
        """See `Preconditioner.descend`. `H p` follows the recurrence of p, so that only `apply` passes over X."""
        step, g = np.zeros(g.size), g.copy()
        p, Hp = self.apply(g)
        gz = float(g @ p)
        for done in range(1, max_iter + 1):
            curvature = float(p @ Hp)
            if not (curvature > 0.0 and gz > 0.0):  # p lies in the null space of a singular H, or g is rounding
                return step, g, done
            step, g = daxpy(p, step, a=gz / curvature), daxpy(Hp, g, a=-gz / curvature)
            if np.linalg.norm(g) <= limit:
                return step, g, done
            z, Hz = self.apply(g)
            gz, before = float(g @ z), gz
            p, Hp = daxpy(p, z, a=gz / before), daxpy(Hp, Hz, a=gz / before)
        return step, g, max_iter


class ReducedSystem(Preconditioner):
    """A preconditioner that iterates in other unknowns, usually fewer: some of the columns are eliminated exactly.

    Attributes
    ----------
    inner : Preconditioner
        Of the system in these unknowns.
    """

    inner: Preconditioner

    @abstractmethod
    def restrict(self, g: Vector) -> Vector:
        """The gradient of the reduced system: as long as the full gradient once the eliminated columns are solved."""

    @abstractmethod
    def prolong(self, g: Vector, step: Vector, rest: Vector) -> tuple[Vector, Vector]:
        """The full step and the gradient after it, from those of the reduced system; g is what `restrict` was given."""

    def descend(self, g: Vector, limit: float, max_iter: int) -> tuple[Vector, Vector, int]:
        step, rest, done = self.inner.descend(self.restrict(g), limit, max_iter)
        return *self.prolong(g, step, rest), done


def conjugate_gradients(system: System, preconditioner: Preconditioner, tol: float, max_iter: int) -> RidgeSolution:
    """Solve from 0 until `|g| <= tol |b|` and `system.relative(g) <= tol`; the second seldom needs further iterations.

    Convergence is judged on the true gradient. When the recurrence has converged, g is recomputed from X; if it is too
    large, the iteration restarts there. It ends when a restart no longer helps, because what remains is rounding.
    """
    start = np.zeros(system.penalty.size), system.b
    w, g, n_iter = refine(system, preconditioner, start, tol * float(np.linalg.norm(system.b)), max_iter)
    solution = system.solution(w, n_iter, g)
    while tol < solution.gradient_norm and n_iter < max_iter:
        before = float(np.linalg.norm(g))
        w, g, done = refine(system, preconditioner, (w, g), 0.1 * before, max_iter - n_iter)
        n_iter += done
        solution = system.solution(w, n_iter, g)
        if not float(np.linalg.norm(g)) < before:
            break
    return solution


def refine(
    system: System, preconditioner: Preconditioner, start: tuple[Vector, Vector], limit: float, max_iter: int
) -> tuple[Vector, Vector, int]:
    """Restarted conjugate gradients from `(w, g)`, g the true gradient at w, until `|g| <= limit` or rounding
    prevents it.

    Returns w, its true gradient, and the number of iterations.
    """
    w, g = start
    norm, n_iter = float(np.linalg.norm(g)), 0
    while norm > limit and n_iter < max_iter:
        step, _, done = preconditioner.descend(g, limit, max_iter - n_iter)
        n_iter += done
        g_new = system.gradient(w + step)
        before, after = norm, float(np.linalg.norm(g_new))
        if not after < before:
            break
        w, g, norm = w + step, g_new, after
        if after > STALL * before:
            break
    return w, g, n_iter

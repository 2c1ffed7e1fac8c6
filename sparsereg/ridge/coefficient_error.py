"""Whether the coefficients that conjugate gradients end at are as accurate as asked for; if not, better ones.

A small gradient says little of coefficients that only a weak penalty, or nearly dependent columns, determine: the
preconditioner may have added what changes no prediction. For small problems singular values give the error. For others
`w' P w`, P the penalty, errs by at most the gap `g' P^-1 g`. The data may determine coefficients much better than this
says. So the iteration goes on for about as long as this bound would take if they did; if the coefficients then still
move, conjugate gradients within the span of the rows follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.direct import Augmented
from sparsereg.ridge.normal_equations import UNIT_RATIO, RidgeSolution, System
from sparsereg.ridge.pcg import ApproximateInverse, Preconditioner, conjugate_gradients, refine
from sparsereg.ridge.slabs import CenteredSlabs

__all__ = ["checked_coefficients"]

Vector = NDArray[np.float64]

# Coefficients are "about" as accurate as asked for: up to so many times the tolerance, for bounds that are seldom met.
ABOUT = 10.0
# Half the columns have more than so many times their penalty in curvature: the data leave directions to a weak penalty.
WEAK_RATIO = 1e3
# Iterations in units of those that the bound would take, and how many are always affordable.
PATIENCE, AFFORDABLE = 3, 50
# Iterations within the span of the rows, in units of those before, and how many are always affordable.
ROW_SPACE_PATIENCE, AFFORDABLE_IN_ROW_SPACE = 4, 500


def checked_coefficients(
    system: System,
    solution: RidgeSolution,
    make: Callable[[System], Preconditioner],
    limits: tuple[float, int],
    slabs: CenteredSlabs | None = None,
) -> RidgeSolution:
    """The solution, or a better one if its coefficients may be less accurate than asked for.

    Parameters
    ----------
    make : function
        Makes the preconditioner that led there.
    limits : (float, int)
        The relative gradient asked for, a hundredth of the error of the coefficients; and the most iterations.
    slabs : CenteredSlabs, optional
        Of a problem small enough for singular values.

    If the error stays too large, or unknown after the coefficients moved, its bound, in the units of the gradient,
    becomes the relative gradient that is claimed.
    """
    tol, max_iter = limits
    if solution.gradient_norm > tol and solution.n_iter >= max_iter:
        return solution  # which is said
    if slabs is not None:
        return _by_singular_values(system, solution, slabs, tol)
    if not system.penalty.min() > 0.0 or _error(system, solution) <= UNIT_RATIO * tol:
        return solution
    if system.equations.n_weighted >= system.penalty.size:
        if _error(system, solution) <= ABOUT * UNIT_RATIO * tol:
            return solution
        longer = _continued(system, make(system), solution, tol, max_iter)
        moved = _relative(system, solution.w - longer.w, longer.w)
        if _error(system, longer) <= ABOUT * UNIT_RATIO * tol or moved <= ABOUT * UNIT_RATIO * tol:
            return longer
        solution = longer
        max_iter = min(max_iter, max(AFFORDABLE_IN_ROW_SPACE, ROW_SPACE_PATIENCE * solution.n_iter))
    elif not float(np.median(system.equations.diagonal / system.penalty)) > WEAK_RATIO:
        return solution
    again = conjugate_gradients(system, ByPenalty(system), tol, max_iter)
    if again.gradient_norm <= tol:
        return replace(again, n_iter=solution.n_iter + again.n_iter)
    return _claimed(solution, _error(system, solution))


def _by_singular_values(system: System, solution: RidgeSolution, slabs: CenteredSlabs, tol: float) -> RidgeSolution:
    """Judged by the next step to the minimum, which is the error but for rounding."""
    if _error(system, solution) <= UNIT_RATIO * tol:
        return solution
    augmented = Augmented(system, slabs)
    for n_steps in range(3):
        step, excess = augmented.step(solution.w)
        error = augmented.size(step) / (augmented.size(solution.w + step) or 1.0)
        gap = min(solution.dual_gap, excess) if augmented.full_rank else solution.dual_gap
        solution = replace(solution, dual_gap=gap)
        if error <= UNIT_RATIO * tol or n_steps == 2:
            break
        solution = system.solution(solution.w + step, solution.n_iter + 1)
    return solution if error <= UNIT_RATIO * tol else _claimed(solution, error)


def _continued(
    system: System, preconditioner: Preconditioner, solution: RidgeSolution, tol: float, max_iter: int
) -> RidgeSolution:
    """More iterations, until the bound holds, or it should have held if the data determined the coefficients."""
    ratio = _error(system, solution) / (ABOUT * UNIT_RATIO * tol)
    digits = -math.log10(min(max(solution.gradient_norm, 1e-15), 0.1))
    budget = AFFORDABLE + int(PATIENCE * solution.n_iter * math.log10(ratio) / digits)
    budget = min(budget, max_iter - solution.n_iter)
    while budget > 0 and (error := _error(system, solution)) > (goal := ABOUT * UNIT_RATIO * tol):
        g = system.gradient(solution.w)
        before = float(np.linalg.norm(g))
        w, g, done = refine(system, preconditioner, (solution.w, g), 0.5 * goal / error * before, budget)
        budget -= done
        if not float(np.linalg.norm(g)) < before:
            break
        solution = system.solution(w, solution.n_iter + done, g)
    return solution


def _error(system: System, solution: RidgeSolution) -> float:
    """A bound on the error of the coefficients relative to their size, both in the norm of the penalty."""
    if not solution.dual_gap > 0.0:
        return 0.0
    size = float(system.penalty @ solution.w**2)
    return math.sqrt(solution.dual_gap / size) if size > 0.0 else np.inf


def _relative(system: System, step: Vector, w: Vector) -> float:
    """The length of a step relative to that of w, in the norm of the penalty."""
    size = float(system.penalty @ w**2)
    return math.sqrt(float(system.penalty @ step**2) / size) if size > 0.0 else np.inf


def _claimed(solution: RidgeSolution, error: float) -> RidgeSolution:
    """The solution with an error of its coefficients as its relative gradient, if that is larger."""
    return replace(solution, gradient_norm=max(solution.gradient_norm, min(1.0, error / UNIT_RATIO)))


class ByPenalty(ApproximateInverse):
    """`V^-1`: from 0, the coefficients stay combinations of the rows of X, divided by V, as the solution is."""

    def __init__(self, system: System) -> None:
        self.system = system

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with `z = V^-1 g`."""
        z = g / self.system.equations.factor
        return z, self.system.times(z)

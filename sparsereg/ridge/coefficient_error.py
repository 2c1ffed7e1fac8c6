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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.direct import Augmented, largest_side, refined_solutions, small_inverse, smallest_square
from sparsereg.ridge.free_columns import FreeColumns
from sparsereg.ridge.normal_equations import UNIT_RATIO, NormalEquations, RidgeSolution, System
from sparsereg.ridge.pcg import ApproximateInverse, Preconditioner, conjugate_gradients, refine
from sparsereg.ridge.slabs import CenteredSlabs, small_slabs

__all__ = ["CoefficientCheck"]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]

# Coefficients are "about" as accurate as asked for: up to so many times the tolerance, for bounds that are seldom met.
ABOUT = 10.0
# Half the columns have more than so many times their penalty in curvature: the data leave directions to a weak penalty.
WEAK_RATIO = 1e3
# Iterations in units of those that the bound would take, and how many are always affordable.
PATIENCE, AFFORDABLE = 3, 50
# Iterations within the span of the rows, in units of those before, and how many are always affordable.
ROW_SPACE_PATIENCE, AFFORDABLE_IN_ROW_SPACE = 4, 500
# Without a bound: to which share of the gradient the iteration goes on, and from which it has ended.
SETTLED, STALLED = 0.1, 0.5


class CoefficientCheck:
    """Judges the solutions of one problem, of which there will be `times`."""

    def __init__(self, equations: NormalEquations, times: int = 1) -> None:
        self.equations, self.slabs = equations, small_slabs(equations, times)

    @cached_property
    def free(self) -> FreeColumns | None:
        """The columns without penalty, if there are some, and they can be solved by themselves."""
        return None if self.equations.summary.least_factor > 0.0 else FreeColumns.of(self.equations)

    def __call__(
        self,
        system: System,
        solution: RidgeSolution,
        make: Callable[[System], Preconditioner],
        limits: tuple[float, int],
    ) -> RidgeSolution:
        """The solution, or a better one if its coefficients may be less accurate than asked for.

        Parameters
        ----------
        make : function
            Makes the preconditioner that led there.
        limits : (float, int)
            The relative gradient asked for, a hundredth of the error of the coefficients; and the most iterations.

        If the error stays too large, or unknown after the coefficients moved, its bound, in the units of the gradient,
        becomes the relative gradient that is claimed.
        """
        tol, max_iter = limits
        if solution.gradient_norm > tol and solution.n_iter >= max_iter:
            return solution  # which is said
        if self.slabs is not None:
            return _by_singular_values(system, solution, self.slabs, tol)
        if not system.penalty.any():
            return solution
        solution, goal = self._bounded(system, solution, tol), ABOUT * UNIT_RATIO * tol
        if (error := _error(system, solution)) <= UNIT_RATIO * tol:
            return solution
        if self.direct:
            found = self._factorised(system)
            return replace(found, n_iter=solution.n_iter + found.n_iter)
        if np.isinf(error):
            return _settled(system, make(system), solution, limits)
        if not self._leaves_directions(system):
            if error <= goal:
                return solution
            solution, exhausted = self._continued(system, make(system), solution, limits)
            if _error(system, solution) <= goal or not exhausted:
                return solution
            max_iter = min(max_iter, max(AFFORDABLE_IN_ROW_SPACE, ROW_SPACE_PATIENCE * solution.n_iter))
        by_penalty = ByPenalty(system, self.free)
        again = conjugate_gradients(system, by_penalty, tol, max_iter)
        if again.gradient_norm <= tol and self._few_rows:
            again = _settled(system, by_penalty, again, (tol, max_iter))
        again = self._bounded(system, again, tol)
        if again.gradient_norm <= tol and (self._few_rows or _error(system, again) <= goal):
            return replace(again, n_iter=solution.n_iter + again.n_iter)
        return _claimed(solution, _error(system, solution))

    @cached_property
    def direct(self) -> str | None:
        """The square that is small enough: "gram", "dual", or "bordered" where some columns have no penalty."""
        summary = self.equations.summary
        bordered = self._few_rows and summary.n_rows <= largest_side(summary) and self.free is not None
        return smallest_square(summary) or ("bordered" if bordered else None)

    @cached_property
    def _square(self) -> Matrix2:
        slabs = CenteredSlabs(self.equations)
        return slabs.gram() if self.direct == "gram" else slabs.kernel()

    def _factorised(self, system: System) -> RidgeSolution:
        """By the square that is small enough."""
        inverse = small_inverse(self._square, system.penalty if self.direct == "gram" else system.alpha)
        if self.direct == "bordered" and self.free is not None:
            return self.free.by_rows(system, inverse[0])
        return refined_solutions([system], lambda _: inverse, self.direct == "dual")[0]

    @property
    def _few_rows(self) -> bool:
        return self.equations.n_weighted < self.equations.factor.size

    def _leaves_directions(self, system: System) -> bool:
        """Whether the rows are fewer than the columns, and the penalty that decides the rest is weak."""
        return self._few_rows and float(np.median(self.equations.diagonal - WEAK_RATIO * system.penalty)) > 0.0

    def _bounded(self, system: System, solution: RidgeSolution, tol: float) -> RidgeSolution:
        """The solution with a bound on its gap also where columns have no penalty, if one is known."""
        if np.isfinite(solution.dual_gap) or self.free is None:
            return solution
        solved = self.free.solved(system, solution)
        if solved.gradient_norm <= max(tol, solution.gradient_norm):
            return solved
        return solution

    def _continued(
        self, system: System, preconditioner: Preconditioner, solution: RidgeSolution, limits: tuple[float, int]
    ) -> tuple[RidgeSolution, bool]:
        """More iterations, until the bound holds, or it should have held if the data determined the coefficients.

        Also whether they were used up: otherwise what is left is rounding."""
        tol, max_iter = limits
        goal = ABOUT * UNIT_RATIO * tol
        ratio = _error(system, solution) / goal
        digits = -math.log10(min(max(solution.gradient_norm, 1e-15), 0.1))
        budget = AFFORDABLE + int(PATIENCE * solution.n_iter * math.log10(ratio) / digits)
        budget = min(budget, max_iter - solution.n_iter)
        while budget > 0 and goal < (error := _error(system, solution)) < np.inf:
            g = system.gradient(solution.w)
            before = float(np.linalg.norm(g))
            w, g, done = refine(system, preconditioner, (solution.w, g), 0.5 * goal / error * before, budget)
            budget -= done
            if not float(np.linalg.norm(g)) < before:
                break
            solution = self._bounded(system, system.solution(w, solution.n_iter + done, g), tol)
        return solution, budget <= 0


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


def _settled(
    system: System, preconditioner: Preconditioner, solution: RidgeSolution, limits: tuple[float, int]
) -> RidgeSolution:
    """Where no bound is known: iterations go on until a tenth of the gradient no longer moves the coefficients."""
    tol, max_iter = limits
    curvature = system.equations.diagonal + system.penalty
    while True:
        g = system.gradient(solution.w)
        before = float(np.linalg.norm(g))
        budget = max(AFFORDABLE, min(solution.n_iter, max_iter - solution.n_iter))
        w, g, done = refine(system, preconditioner, (solution.w, g), SETTLED * before, budget)
        size = float(curvature @ w**2)
        moved = math.sqrt(float(curvature @ (w - solution.w) ** 2) / size) if size > 0.0 else 0.0
        solution = system.solution(w, solution.n_iter + done, g)
        if moved <= ABOUT * UNIT_RATIO * tol:
            return solution
        if solution.n_iter >= max_iter or not float(np.linalg.norm(g)) < STALLED * before:
            return _claimed(solution, moved)


def _error(system: System, solution: RidgeSolution) -> float:
    """A bound on the error of the coefficients relative to their size, both in the norm of the penalty."""
    if not solution.dual_gap > 0.0:
        return 0.0
    size = float(system.penalty @ solution.w**2)
    return math.sqrt(solution.dual_gap / size) if size > 0.0 else np.inf


def _claimed(solution: RidgeSolution, error: float) -> RidgeSolution:
    """The solution with an error of its coefficients as its relative gradient, if that is larger."""
    return replace(solution, gradient_norm=max(solution.gradient_norm, min(1.0, error / UNIT_RATIO)))


class ByPenalty(ApproximateInverse):
    """The inverse of the penalty, once columns without one are eliminated: from 0, the other coefficients stay
    combinations of the rows of X, less what these columns explain, divided by V, as the solution is."""

    def __init__(self, system: System, free: FreeColumns | None) -> None:
        self.system, self.free = system, free
        penalty = system.penalty
        self.inverse = np.divide(1.0, penalty, out=np.zeros(penalty.size), where=penalty > 0.0)

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`."""
        if self.free is None or not self.free.cols.size:
            z = g * self.inverse
            return z, self.system.times(z)
        first = self.free.step(g)
        image = self.system.times(first)
        z = (g - image) * self.inverse
        Hz = self.system.times(z)
        last = self.free.step(Hz)
        return first + z - last, image + Hz - self.system.times(last)

"""Ridge with coefficients that are not negative, by the elastic net's coordinate descent without an l1 term."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import make_problem
from sparsereg.objective.quadratic import nonnegative_least_squares
from sparsereg.penalties.elastic_net import upwards
from sparsereg.ridge.direct import Augmented
from sparsereg.ridge.normal_equations import UNIT_RATIO, RidgeSolution, System
from sparsereg.ridge.pcg import ApproximateInverse
from sparsereg.ridge.slabs import CenteredSlabs, small_slabs
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path_solver import PathSolver

__all__ = ["solve_nonnegative"]

Vector = NDArray[np.float64]

# Steps after non-negative least squares, and decompositions that must cost little.
MAX_STEPS, FEW = 3, 5


def solve_nonnegative(system: System, tol: float, max_iter: int) -> RidgeSolution:
    """One target with `w >= 0`, by the elastic net's coordinate descent without an l1 term.

    The duality gap scales with the mean square of the target, so its tolerance is the square of a relative gradient.
    """
    equations = system.equations
    unpenalized = make_problem(
        equations.design, system.y, sample_weight=equations.s, fit_intercept=equations.fit_intercept, positive=True
    )
    order = np.argsort(equations.design.columns)
    place = order[np.searchsorted(equations.design.columns, unpenalized.design.columns, sorter=order)]
    factors = system.penalty[place] * (unpenalized.weight_sum / equations.weight_sum)  # weights may have been rescaled
    penalty = unpenalized.penalty.with_factors(factors, factors)
    options = Options(tol**2, max_iter)
    solver = PathSolver(replace(unpenalized.quadratic, penalty=penalty), 0.0, options)
    found = solver.solve(1.0 / unpenalized.weight_sum)
    w = np.zeros(equations.factor.size)
    w[place[found.coef.cols]] = found.coef.w
    w, norm, n_iter = _follow_gradient(system, w, tol, max_iter - found.epochs)
    solution = RidgeSolution(w, norm, 2.0 * equations.weight_sum * found.dual_gap, found.epochs + n_iter)
    # Non-negative least squares take about as many iterations as columns; without a gap there is a warning anyway.
    left = (norm > tol and max_iter < w.size) or not np.isfinite(found.dual_gap)
    return solution if left or small_slabs(equations, FEW) is None else _finished(system, solution, tol)


def _finished(system: System, solution: RidgeSolution, tol: float) -> RidgeSolution:
    """The solution with coefficients as accurate as asked for, where weak penalties or nearly dependent columns
    determine them and a small gradient says little.

    By non-negative least squares on singular values, then steps in the columns that are not 0: the last one is the
    error, and claimed as the relative gradient where it is too large."""
    augmented, w = Augmented(system, CenteredSlabs(system.equations)), solution.w
    before, error = system.gradient(w), augmented.size(_step(system, w)) / (augmented.size(w) or 1.0)
    upward = augmented.size(upwards(w, before) * (w == 0.0) / np.maximum(augmented.length, 1e-150) ** 2)
    if max(error, upward / (augmented.size(w) or 1.0)) <= UNIT_RATIO * tol:
        return solution
    b = augmented.left.T @ augmented.residual(np.zeros(w.size))
    there = nonnegative_least_squares(augmented.values[:, None] * augmented.right, b) / augmented.length
    for _ in range(MAX_STEPS):
        step = _step(system, there)
        error = augmented.size(step) / (augmented.size(there) or 1.0)
        if error <= UNIT_RATIO * tol:
            break
        there = np.maximum(there + step, 0.0)
    after = system.gradient(there)
    if float((before + after) @ (there - w)) > 0.0:  # the objective falls
        w, before = there, after
    norm = system.relative(upwards(w, before))
    norm = norm if error <= UNIT_RATIO * tol else max(norm, min(1.0, error / UNIT_RATIO))
    return replace(solution, w=w, gradient_norm=norm, n_iter=solution.n_iter + 1)


def _step(system: System, w: Vector) -> Vector:
    """To the minimum in the columns that are not 0."""
    cols, step = np.flatnonzero(w), np.zeros(w.size)
    if cols.size:
        _, values, right, length = CenteredSlabs(system.equations, cols).augmented(system.penalty[cols])
        step[cols] = (right.T @ ((right @ (system.gradient(w)[cols] / length)) / values**2)) / length
    return step


class _Free(ApproximateInverse):
    """Some of the columns, each divided by its curvature; the others stay where they are."""

    def __init__(self, system: System, free: NDArray[np.bool_]) -> None:
        self.system, self.free, curvature = system, free, system.equations.diagonal + system.penalty
        self.inverse = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=free & (curvature > 0.0))

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        z = self.inverse * g
        return z, np.where(self.free, self.system.times(z), 0.0)


def _follow_gradient(system: System, w: Vector, tol: float, max_iter: int) -> tuple[Vector, float, int]:
    """Bring the relative gradient towards `tol`. A small gap does not: the objective hardly depends on columns of large
    penalties, but their gradients count. Returns coefficients, their relative gradient and the iterations.

    Conjugate gradients on the columns that are free to move. A step is taken where the gradient and the objective fall,
    so that a gap known before still holds."""
    slope, n_iter = system.gradient(w), 0
    g = upwards(w, slope)
    norm = system.relative(g)
    while norm > tol and n_iter < max_iter:
        goal = 0.1 * tol / norm * float(np.linalg.norm(g))
        step, _, done = _Free(system, (w > 0.0) | (g > 0.0)).descend(g, goal, min(g.size, max_iter - n_iter))
        n_iter += done
        there = np.maximum(w + step, 0.0)
        after = system.gradient(there)
        g = upwards(there, after)
        nearer = system.relative(g)
        if not (nearer < norm and float((slope + after) @ (there - w)) >= 0.0):
            break
        w, slope, norm = there, after, nearer
    return w, norm, n_iter

"""A point fitted again without its l1 term: least squares, or ridge, on its columns. Knows no folds.

For squares the working set of the solver holds all that this takes: the gradient and products with the Gram matrix. No
row is read. Other losses take Newton steps on the columns, from the point on.

Without a penalty a loss may have no minimum: where columns tell two classes apart, or are 1 in no row with a count,
coefficients grow without end, by as much at every Newton step. Such points are fitted with the l2 penalty of their
strength instead, and `method` says so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.predictors import Softmax, WeightedLoss
from sparsereg.objective.multi_task import RowCoefficients
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.loop import Solution
from sparsereg.solvers.loss_path import LossPathSolver
from sparsereg.solvers.multi_task import MultiTaskSolver
from sparsereg.solvers.multinomial import MultinomialSolver
from sparsereg.solvers.outputs import Entries, RowSolution
from sparsereg.solvers.path import PathSolvers
from sparsereg.solvers.prefilter import PrefilteredSolver
from sparsereg.solvers.smooth_newton import SmoothSolution, smooth_newton
from sparsereg.solvers.smooth_problem import SmoothProblem

__all__ = ["WITHOUT_END", "relaxed", "relaxed_classes", "relaxed_rows"]

Vector = NDArray[np.float64]

# Rounds of Newton steps, each of at most so many products, until the gradient is this share of what it was.
ROUNDS, MAX_PRODUCTS, ENOUGH = 20, 500, 1e-12
# Newton steps on another loss: a minimum is reached in a few, to a relative gradient of this, which falls by a factor
# of e^1/2 a step where there is none.
STEPS, REACHED = 25, 1e-8
WITHOUT_END = "ridge in place of a refit without end"


def relaxed(solver: PathSolvers, solution: Solution, alpha: float) -> Solution:
    """The least loss on the columns of the solver's last solution, of this strength, plus the l2 term there is.

    Dependent columns share what they explain, as the solution did; predictions are unique. Certificates stay those of
    the solution before.
    """
    if not solution.coef.w.size:
        return solution
    if isinstance(solver, LossPathSolver):
        return _of_loss(solver, solution, alpha)
    assert isinstance(solver, PrefilteredSolver)
    working_set, quadratic = solver.solver.working_set, solver.problem.quadratic
    w, c = working_set.w.copy(), working_set.gradient()
    active = w != 0.0
    slope = np.where(active, c - working_set.l2 * w, 0.0)
    start = float(np.linalg.norm(slope))
    for _ in range(ROUNDS):
        if float(np.linalg.norm(slope)) <= ENOUGH * start:
            break
        step, _ = working_set.newton_step(slope, active, MAX_PRODUCTS)
        w += step
        c -= working_set.gram_product(step)
        slope = np.where(active, c - working_set.l2 * w, 0.0)
    coef = Coefficients(working_set.cols, w).nonzero()
    deviance = max(quadratic.null_deviance - float((working_set.c0 + c) @ w), 0.0)
    columns = quadratic.rows.columns[coef.cols]
    return solution._replace(coef=coef, columns=columns, intercept=quadratic.intercept(coef), deviance=deviance)


def _of_loss(solver: LossPathSolver, solution: Solution, alpha: float) -> Solution:
    problem, coef = solver.problem, solution.coef
    rows, loss_rows = problem.rows, problem.loss_rows
    strengths = problem.weight_sum * alpha
    _, l2 = problem.penalty.strengths(strengths, solver.l1_ratio, coef.cols)
    _, ridge = problem.penalty.strengths(strengths, 0.0, coef.cols)
    loss = WeightedLoss(problem.loss, rows.y, rows.s)
    smooth = SmoothProblem(problem.design, loss, l2, loss_rows.fit_intercept, loss_rows.offset, coef.cols)
    shift = problem.unshifted(coef, 0.0)
    found, method = _refit(smooth, (coef.w[:, None], np.array([solution.intercept - shift])), problem.null_loss, ridge)
    coef = Coefficients(coef.cols, found.W[:, 0])
    z = smooth.products(found.W)[:, 0] + found.b[0] + (0.0 if loss_rows.offset is None else loss_rows.offset)
    least = problem.loss.conjugate(rows.y, np.zeros_like(z))
    deviance = problem.loss.total(rows.y, z, rows.s) + float(least.sum() if rows.s is None else rows.s @ least)
    b0 = problem.unshifted(coef, float(found.b[0])) if loss_rows.fit_intercept else 0.0
    kept = coef.nonzero()
    columns = problem.design.columns[kept.cols]
    return solution._replace(coef=kept, columns=columns, intercept=b0, deviance=2.0 * deviance, method=method)


def relaxed_classes(solver: MultinomialSolver, solution: RowSolution, alpha: float) -> RowSolution:
    """The same for several classes: the coefficients that are not 0, a column and a class each."""
    problem, coef = solver.problem, solver.coef
    if not solution.coef.w.size:
        return solution
    strengths = problem.weight_sum * alpha
    _, l2 = problem.penalty.strengths(strengths, solver.l1_ratio, coef.cols)
    _, ridge = problem.penalty.strengths(strengths, 0.0, coef.cols)
    loss = Softmax(np.asfortranarray(problem.y.T), problem.s)
    offset = None if problem.offset is None else problem.offset.T
    smooth = SmoothProblem(problem.design, loss, l2, problem.fit_intercept, offset, coef.cols, mask=coef.w != 0.0)
    found, method = _refit(smooth, (coef.w, solver.b), problem.null_loss, ridge)
    coef = RowCoefficients(coef.cols, found.W)
    b = problem.intercepts_of_x(coef, found.b) if problem.fit_intercept else found.b
    at = problem.evaluate(coef, found.b)
    deviance = 2.0 * (at.total - problem.saturated)
    entries = Entries.of(coef.nonzero(), problem.design.columns)
    return replace(solution, coef=entries, intercepts=b, deviance=deviance, method=method)


def relaxed_rows(solver: MultiTaskSolver, solution: RowSolution) -> RowSolution:
    """The same for several targets by squares: the rows that are not 0."""
    if not solution.coef.w.size:
        return solution
    coef, deviance = solver.working_set.least_squares(ROUNDS, ENOUGH)
    problem = solver.problem
    entries = Entries.of(coef, problem.design.columns)
    return replace(solution, coef=entries, intercepts=problem.intercepts(coef), deviance=deviance)


def _refit(
    smooth: SmoothProblem, start: tuple[Vector, Vector], scale: float, ridge: Vector
) -> tuple[SmoothSolution, str]:
    """The minimum, and what it was found by; with an l2 penalty `ridge` where there is none."""
    found = smooth_newton(smooth, start, scale, STEPS)
    if found.gradient_norm <= REACHED:
        return found, "relaxed"
    return smooth_newton(replace(smooth, l2=ridge), start, scale, 10 * STEPS), WITHOUT_END

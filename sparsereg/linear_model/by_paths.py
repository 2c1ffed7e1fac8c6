"""One strength of a loss by the solvers of paths: by way of stronger ones, and at the solver's own dual point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.linear_model.loss_task import CONTINUATION, FitTask
from sparsereg.objective.problem import Coefficients, Problem
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.loss_path import LossPathSolver

__all__ = ["columns_of", "solve_by_stronger_ones", "solve_projecting"]

# The ratio of strengths on the way where those apart by `CONTINUATION` led to no certified fit.
CLOSER_RATIO = 3.0


def columns_of(problem: Problem, columns: NDArray[np.integer], w: NDArray[np.float64]) -> Coefficients:
    """Coefficients of columns of X by the numbers of a problem's, of which a solver may have left some out."""
    order = np.argsort(problem.design.columns)
    return Coefficients(order[np.searchsorted(problem.design.columns, columns, sorter=order)], w).nonzero()


def solve_by_stronger_ones(solver: LossPathSolver, task: FitTask, ratio: float = CONTINUATION) -> Solution:
    """The solution from 0 by way of stronger penalties, apart by `ratio`, with the epochs of all.

    Models at w = 0 say little of weak penalties, where predictors are large: a few stronger ones come first."""
    top, epochs = solver.alpha_max() if task.l1_ratio > 0.0 else np.inf, 0
    steps = int(np.log(max(top / task.alpha, 1.0)) / np.log(ratio)) if np.isfinite(top) else 0
    for k in range(steps, 0, -1):
        epochs += solver.solve(task.alpha * ratio**k).epochs
    found = solver.solve(task.alpha)
    return found._replace(epochs=epochs + found.epochs)


def solve_projecting(problem: Problem, task: FitTask, options: Options) -> tuple[Solution, Coefficients, Coefficients]:
    """A solution certified at a projected dual point, if need be; its coefficients and those of the dual point by the
    problem's columns.

    Under a weak penalty gradients pass their thresholds by shares of it where a residual is right to many digits."""
    solver = LossPathSolver(problem, task.l1_ratio, options)
    found = solve_by_stronger_ones(solver, task, CLOSER_RATIO)
    columns = solver.problem.design.columns
    coef, dual = (columns_of(problem, columns[at.cols], at.w) for at in (found.coef, found.dual or found.coef))
    return found, coef, dual

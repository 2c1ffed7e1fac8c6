"""A point fitted again without its l1 term: least squares, or ridge, on its columns. Knows no folds.

The working set of the solver holds all that this takes: the gradient and products with the Gram matrix. No row is read.
"""

from __future__ import annotations

import numpy as np

from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.loop import Solution
from sparsereg.solvers.path import PathSolvers
from sparsereg.solvers.prefilter import PrefilteredSolver

__all__ = ["relaxed"]

# Rounds of Newton steps, each of at most so many products, until the gradient is this share of what it was.
ROUNDS, MAX_PRODUCTS, ENOUGH = 20, 500, 1e-12


def relaxed(solver: PathSolvers, solution: Solution) -> Solution:
    """The least squares on the columns of the solver's last solution, plus the l2 term there is.

    Dependent columns share what they explain, as the solution did; predictions are unique. Certificates stay those of
    the solution before.
    """
    assert isinstance(solver, PrefilteredSolver)
    if not solution.coef.w.size:
        return solution
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

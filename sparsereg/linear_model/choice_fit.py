"""A fit at a point of a path, by the solver that found it: its sums are there already. Knows no folds."""

from __future__ import annotations

from sparsereg.linear_model.coefficients import refuse_infinite
from sparsereg.linear_model.lasso import POLISHED, ElasticNet, TargetFit, held_coefficients
from sparsereg.linear_model.paths import EPOCHS, closer, starting_point
from sparsereg.results import PathResult
from sparsereg.solvers.prefilter import PrefilteredSolver

__all__ = ["fit_from_path"]


def fit_from_path(model: ElasticNet, solver: PrefilteredSolver, path: PathResult, k: int) -> bool:
    """Fit `model`, of that strength, at point k of a path, by the solver of all its points; False where full passes do
    not certify what comes of it: then nothing is set.

    From the point it goes on to the gap that a fit from 0 ends at. The certificate is that of a fit, too: of the
    coefficients in the type of X, from the rows alone."""
    alpha, l1_ratio = float(model.alpha), float(model.l1_ratio)
    columns, values = path.point(k)[:2]
    solver.start_from(starting_point(solver.problem.design, columns, values, bool(model.positive)))
    found = solver.solve_closely(alpha, closer(min(model.tol, POLISHED), alpha, l1_ratio))
    problem = solver.problem
    held = held_coefficients(problem, found.coef)
    gap, intercept, target = solver.gap_by_passes(held, alpha), problem.intercept(held), model.tol * problem.gap_scale
    if gap > target and found.dual is not None:  # deep down the residual has to be scaled by too much
        gap = solver.gap_by_passes(held, alpha, found.dual)
    if not gap <= target:
        return False
    refuse_infinite(intercept)
    n_iter = -(-int(path.n_iters[k]) // EPOCHS)
    model._set_fitted([TargetFit(held, intercept, gap, n_iter, True)], problem.design, flat=True)
    return True

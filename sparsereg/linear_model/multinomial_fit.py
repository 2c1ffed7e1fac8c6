"""One multinomial fit with an l1 penalty: memory follows the coefficients that are not 0, not columns times classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.linear_model.loss_task import CONTINUATION, EPOCHS, POLISHED, FitTask, Fitted
from sparsereg.losses.predictors import Softmax
from sparsereg.objective.multi_task import RowCoefficients
from sparsereg.objective.multinomial import MultinomialProblem, make_multinomial_problem
from sparsereg.objective.problem import count_weights
from sparsereg.solvers.loop import Options
from sparsereg.solvers.multinomial import MultinomialSolver
from sparsereg.solvers.smooth_newton import smooth_newton
from sparsereg.solvers.smooth_problem import SmoothProblem

__all__ = ["fit_multinomial"]

Vector = NDArray[np.float64]


def fit_multinomial(
    task: FitTask, tol: float, max_iter: int, start: tuple[sp.csr_array, Vector] | tuple[None, None]
) -> Fitted:
    """Solve to a relative gap of `tol`, and then on while that is cheap; arguments as of `fit_task`."""
    design, s, Y, offset = count_weights(task.design, task.s, task.target, task.offset)
    problem = make_multinomial_problem(
        design,
        Y,
        sample_weight=s,
        offset=offset,
        penalty_factor=task.factor,
        fit_intercept=task.fit_intercept,
        standardize=task.standardize,
    )
    solver = MultinomialSolver(problem, task.l1_ratio, Options(tol, EPOCHS * max_iter))
    epochs = _begin(solver, task, start)
    found = solver.solve(task.alpha)
    coef, b, gap, epochs = solver.coef, found.intercepts, found.dual_gap, epochs + found.epochs
    if POLISHED * problem.gap_scale < gap <= tol * problem.gap_scale:
        closer = solver.solve_closely(task.alpha, POLISHED)
        if closer.dual_gap < gap:
            coef, b, gap = solver.coef, closer.intercepts, closer.dual_gap
        coef, b = _polished(problem, task, Softmax(Y, s), (coef, b, gap))
    return _fitted(problem, task, coef, b, min(-(-epochs // EPOCHS), max_iter))


def _begin(solver: MultinomialSolver, task: FitTask, start: tuple[sp.csr_array, Vector] | tuple[None, None]) -> int:
    """At given coefficients, or by stronger penalties first; returns the epochs that took."""
    held, intercepts = start
    if held is not None and held.nnz:
        columns = solver.problem.design.columns
        order = np.argsort(columns)
        part = sp.csc_array(held[:, columns[order]])
        filled = np.flatnonzero(np.diff(part.indptr))
        solver.start_from(RowCoefficients(order[filled], part[:, filled].toarray().T.copy()), intercepts)
        return 0
    top, epochs = solver.alpha_max(), 0
    steps = int(np.log(max(top / task.alpha, 1.0)) / np.log(CONTINUATION)) if np.isfinite(top) else 0
    for k in range(steps, 0, -1):
        epochs += solver.solve(task.alpha * CONTINUATION**k).epochs
    return epochs


def _polished(
    problem: MultinomialProblem, task: FitTask, loss: Softmax, point: tuple[RowCoefficients, Vector, float]
) -> tuple[RowCoefficients, Vector]:
    """After Newton steps on the coefficients that are not 0, if no sign changes and the gap is smaller."""
    coef, b, gap = point
    l1, l2 = problem.penalty.strengths(problem.weight_sum * task.alpha, task.l1_ratio, coef.cols)
    offset, moving = None if problem.offset is None else problem.offset.T, coef.w != 0.0
    smooth = SmoothProblem(problem.design, loss, l2, task.fit_intercept, offset, coef.cols)
    smooth = replace(smooth, linear=l1[:, None] * np.sign(coef.w), mask=moving)
    found = smooth_newton(smooth, (coef.w, b), problem.null_loss, 20)
    if (found.W * coef.w <= 0.0)[moving & (l1 > 0.0)[:, None]].any():
        return coef, b
    moved = RowCoefficients(coef.cols, found.W)
    return (moved, found.b) if problem.duality_gap(moved, task.alpha, task.l1_ratio) < gap else (coef, b)


def _fitted(problem: MultinomialProblem, task: FitTask, coef: RowCoefficients, b: Vector, n_iter: int) -> Fitted:
    """In the type of X, with the best intercepts and the gap there."""
    design = problem.design
    kept = RowCoefficients(coef.cols, coef.w.astype(design.dtype).astype(np.float64)).nonzero()
    found = problem.evaluate(kept, b)
    gap = problem.gap_of(found, kept, task.alpha, task.l1_ratio)
    intercept = (
        problem.intercepts_of_x(kept, found.intercepts) if task.fit_intercept else np.zeros_like(found.intercepts)
    )
    if not (np.isfinite(kept.w).all() and np.isfinite(intercept).all()):
        raise ValueError("the coefficients are not finite; X or y may hold large values: rescale them.")
    columns = design.columns[kept.cols].astype(np.int64)
    order = np.argsort(columns)
    rows = sp.csr_array(kept.w[order].T.astype(design.dtype))
    shape = (problem.n_outputs, design.n_features)
    held = sp.csr_array((rows.data, columns[order][rows.indices], rows.indptr), shape=shape)
    return Fitted(held, intercept, gap, problem.gap_scale, None, n_iter)

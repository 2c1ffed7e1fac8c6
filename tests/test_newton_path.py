"""Losses other than squares along a path: claimed gaps against the truth, groups against rows, hard cases."""

from __future__ import annotations

import numpy as np
import pytest
from loss_problems import draw, full_gap
from seeds import seeds

from sparsereg import regularization_path
from sparsereg.data.design import as_design
from sparsereg.objective.loss_dual import loss_gap_at
from sparsereg.objective.problem import Coefficients, make_problem
from sparsereg.solvers import working_set
from sparsereg.solvers.loop import Options
from sparsereg.solvers.newton_path import NewtonPath


@pytest.mark.parametrize("seed", seeds(90))
def test_a_claimed_gap_is_never_below_the_distance_from_the_minimum(seed, monkeypatch):
    """Loose tolerances, where gaps are largest, and tight ones; also from full passes. Every other time as where epochs
    are dear: begun on the line through the last solutions, certified at a projected dual point."""
    if seed % 2:
        monkeypatch.setattr(working_set, "DEAR_EPOCH", 0)
    problem = draw(seed)
    rng = np.random.default_rng(seed)
    tol = float(10 ** rng.uniform(-9, -1))
    path = regularization_path(
        problem.X, problem.y, loss=problem.loss, l1_ratio=problem.l1_ratio, alphas=5, tol=tol, **problem.options
    )
    assert path.certified.all()
    for k in (1, 4):
        w, b0, alpha = path.coefs[:, [k]].toarray()[:, 0], float(path.intercepts[k]), float(path.alphas[k])
        mine = problem.objective(b0, w, alpha)
        best = problem.minimum(alpha, np.concatenate([[b0], np.maximum(w, 0), np.maximum(-w, 0)]))
        assert path.dual_gaps[k] >= mine - best - 1e-11 * max(1.0, abs(mine))
        assert mine - best >= -1e-7 * max(1.0, abs(mine))
    held = make_problem(as_design(problem.X), problem.y, loss=problem.loss, **problem.options)
    solver, alpha = NewtonPath(held, problem.l1_ratio, Options(tol)), float(path.alphas[4])
    found = [solver.solve(float(a)) for a in path.alphas][-1]
    full = full_gap(held, found, alpha, problem.l1_ratio)
    assert full <= 1.01 * found.dual_gap + 1e-3 * tol * path.gap_scale


@pytest.mark.parametrize("seed", seeds(30))
def test_any_coefficients_give_a_dual_point_whose_gap_is_a_bound(seed):
    problem = draw(seed)
    held = make_problem(as_design(problem.X), problem.y, loss=problem.loss, **problem.options)
    rng, p = np.random.default_rng(seed), held.design.n_cols
    alpha = 0.1 * float(10 ** rng.uniform(-2, 0))
    l1, l2 = held.penalty.strengths(held.weight_sum * alpha, problem.l1_ratio, np.arange(p))
    if (l1 + l2 == 0.0).any():
        pytest.skip("unpenalized columns")
    solver = NewtonPath(held, problem.l1_ratio, Options(1e-3))
    coef = solver.solve(alpha).coef
    dense = np.zeros(problem.X.shape[1])
    dense[held.design.columns[coef.cols]] = coef.w
    b0 = held.loss_rows.intercept(coef)
    least = problem.minimum(alpha, np.concatenate([[b0], np.maximum(dense, 0), np.maximum(-dense, 0)]))
    w = np.zeros(p)
    w[coef.cols] = coef.w
    for size in (0.0, 1e-3, 1e-2, 0.1):
        dual = Coefficients(np.arange(p), w + size * rng.normal(size=p))
        gap = loss_gap_at(held.loss_rows, held.penalty, coef, dual, (l1, l2)) / held.weight_sum
        assert gap >= problem.objective(b0, dense, alpha) - least - 1e-9

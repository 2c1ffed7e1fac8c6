"""Losses other than squares along a path: claimed gaps against the truth, groups against rows, hard cases."""

from __future__ import annotations

import numpy as np
import pytest
from loss_problems import draw
from seeds import seeds

from sparsereg import regularization_path
from sparsereg.data.design import as_design
from sparsereg.objective.problem import Coefficients, make_problem


@pytest.mark.parametrize("seed", seeds(90))
def test_a_claimed_gap_is_never_below_the_distance_from_the_minimum(seed):
    """Loose tolerances, where gaps are largest, and tight ones; also by `Problem.duality_gap`, from full passes."""
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
    columns, values = path.point(4)
    place = np.searchsorted(np.sort(held.design.columns), columns)
    full = held.duality_gap(
        Coefficients(np.argsort(held.design.columns)[place], values), float(path.alphas[4]), problem.l1_ratio
    )
    assert full <= 10 * tol * path.gap_scale

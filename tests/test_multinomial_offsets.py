"""The multinomial loss under offsets so far apart that hardly a row has curvature."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import log_softmax, softmax

from sparsereg import regularization_path
from sparsereg.data.design import as_design
from sparsereg.objective.multi_task import RowCoefficients
from sparsereg.objective.multinomial import make_multinomial_problem


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_offsets_so_large_that_no_row_has_curvature(rng):
    """Intercepts are still at their best, so that the model without columns is certified."""
    X, y, O = rng.normal(size=(40, 5)), np.arange(40) % 3, 1e4 * rng.normal(size=(40, 3))
    path = regularization_path(X, y, loss="multinomial", offset=O, alphas=1)
    assert path.certified.all()
    sums = softmax(O + path.intercepts[0], axis=1).sum(axis=0) - np.bincount(y)
    np.testing.assert_allclose(sums, 0.0, atol=1e-8)


@pytest.mark.parametrize("size", [1e2, 1e3, 1e4])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_paths_under_large_offsets_are_certified(rng, size, l1_ratio):
    """For the lasso F is a linear program's value but for log K, as the loss is the largest margin but for that."""
    X, y, O = rng.normal(size=(40, 5)), np.arange(40) % 3, size * rng.normal(size=(40, 3))
    X[:, 1] += y
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = regularization_path(X, y, loss="multinomial", offset=O, alphas=5, l1_ratio=l1_ratio)
    assert path.certified.all()
    problem = make_multinomial_problem(as_design(X), np.eye(3)[y], offset=O)
    for k, alpha in enumerate(path.alphas):
        coef = path.coef(k)
        rows = RowCoefficients(np.arange(5), coef.toarray().T).nonzero()
        gap = problem.duality_gap(rows, alpha, l1_ratio)
        assert gap <= 2.0 * path.tol * path.gap_scale
        if l1_ratio == 1.0:
            z = path.predict(X, k) + O
            found = np.mean(-log_softmax(z, axis=1)[np.arange(40), y]) + alpha * abs(coef).sum()
            least = largest_margins(X, y, O, alpha)
            assert least - 1e-6 * size <= found <= least + np.log(3.0) + path.dual_gaps[k] + 1e-6 * size


def largest_margins(X, y, O, alpha):
    """The least `mean_i max_k (z_ik - z_iy) + alpha |W|_1`, by linear programming over W+, W-, b and the margins."""
    n, p, K = *X.shape, O.shape[1]
    A, limits = [], []
    for i in range(n):
        for k in set(range(K)) - {int(y[i])}:
            difference = np.eye(K)[k] - np.eye(K)[y[i]]
            w = np.outer(difference, X[i]).ravel()
            A.append(np.concatenate([w, -w, difference, -np.eye(n)[i]]))
            limits.append(O[i, y[i]] - O[i, k])
    costs = np.concatenate([np.full(2 * K * p, alpha), np.zeros(K), np.full(n, 1.0 / n)])
    bounds = [(0, None)] * (2 * K * p) + [(None, None)] * K + [(0, None)] * n
    return linprog(costs, A_ub=np.array(A), b_ub=np.array(limits), bounds=bounds).fun

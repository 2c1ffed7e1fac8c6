"""What bounds save: columns that are never read, and rounds."""

import numpy as np
import pytest
import scipy.sparse as sp
from oracles import elastic_net
from test_path import crosses

from sparsereg.data.design import as_design
from sparsereg.objective.problem import make_problem
from sparsereg.rows import memory
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path_solver import STALE, PathSolver


def test_path_skips_most_columns():
    """The point of the bounds: on crosses most columns are never read after the first pass."""
    X, y = crosses(20_000, levels=(7, 300, 5000))
    problem = make_problem(as_design(X), y)
    run = PathSolver(problem.quadratic, 1.0, Options(1e-4, 1000))
    top, read, known = run.alpha_max(), [], run.working_set.gram.known_gradients

    def known_gradients(cols, w, shift):
        read.append(cols[run.working_set.gram.store.cache_index(cols) < 0])
        return known(cols, w, shift)

    run.working_set.gram.known_gradients = known_gradients
    for alpha in np.geomspace(top, top / 20, 20):
        run.solve(alpha)
    assert np.unique(np.concatenate(read)).size < 0.5 * X.shape[1]


def test_columns_known_to_be_over_the_next_threshold_join_before_the_descent():
    X, y = crosses(20_000)
    run = PathSolver(make_problem(as_design(X), y).quadratic, 1.0, Options(1e-3, 1000))
    top, rounds, certify = run.alpha_max(), [], run._certify
    run._certify = lambda own, target: rounds.append(run.working_set.m) or certify(own, target)
    for alpha in np.geomspace(0.9 * top, top / 100, 20):
        over, _, widest = run.screening.last_above(run.quadratic.weight_sum * alpha)
        run.solve(alpha)
        assert widest > STALE or np.isin(over, run.working_set.cols).all()
    assert len(rounds) <= 23  # without: 26


@pytest.mark.parametrize("numeric", [False, True])
def test_cached_products_are_given_up_where_a_pass_reads_no_more(numeric, monkeypatch):
    """Answers stay those of the oracle."""
    share = 0.01 if numeric else 0.1
    monkeypatch.setattr(memory, "CACHED_SHARE", share)
    X, y = crosses(400, levels=(4, 10, 40))
    X = sp.csr_array(sp.hstack([X, np.random.default_rng(0).normal(size=(400, 1))])) if numeric else X
    run = PathSolver(make_problem(as_design(X), y).quadratic, 1.0, Options(1e-8, 10_000))
    gram, sizes = run.working_set.gram, []
    for alpha in np.geomspace(run.alpha_max(), run.alpha_max() / 100, 10):
        found = run.solve(alpha)
        sizes.append(gram.cached.size)
        assert found.dual_gap <= 1e-8 * run.quadratic.gap_scale
        assert gram.store.n_products <= share * (X.nnz + 400) or not sizes[-1]
    assert sizes[0] > sizes[-1] == 0
    w = np.zeros(X.shape[1])
    w[found.columns] = found.coef.w
    b0, expected = elastic_net(X.toarray(), y, alpha, 1.0)
    np.testing.assert_allclose(found.intercept + X @ w, b0 + X @ expected, atol=1e-3)

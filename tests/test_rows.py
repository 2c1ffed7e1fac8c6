"""Rows in one place, in several parts, under any number of threads: the same answers, and the same path."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg.data import threads
from sparsereg.data.design import as_design
from sparsereg.objective.problem import make_problem
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows
from sparsereg.rows.parts import SummedRows
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.prox_gradient import ProxGradientOnResidual
from sparsereg.solvers.residual_cd import ResidualCD


def data(weighted: bool, n: int = 700):
    rng = np.random.default_rng(0)
    X = np.hstack([np.eye(5)[rng.integers(0, 5, n)], np.eye(80)[rng.integers(0, 80, n)], rng.normal(size=(n, 2))])
    X = sp.csr_array(X)
    return X, X @ rng.normal(size=87) + rng.normal(size=n), rng.uniform(0.0, 2.0, n) if weighted else None


def in_parts(X, y, s, n_parts: int, sort: bool = False) -> SummedRows:
    """Rows dealt out in order, or sorted by target, so that parts differ."""
    order = np.argsort(y) if sort else np.arange(y.size)
    pieces = np.array_split(order, n_parts)
    return SummedRows([MemoryRows(as_design(X[i]), y[i], None if s is None else s[i]) for i in pieces])


@pytest.mark.parametrize("n_parts", [1, 2, 7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sort", [False, True])
def test_answers_of_parts_add_up(n_parts, weighted, sort):
    X, y, s = data(weighted)
    whole, parts = MemoryRows(as_design(X), y, s), in_parts(X, y, s, n_parts, sort)
    order = np.argsort(whole.columns)
    assert parts.columns.tolist() == whole.columns[order].tolist()
    assert (parts.n_rows, parts.n_cols, parts.nnz) == (whole.n_rows, whole.n_cols, whole.nnz)
    assert parts.weight_sum == pytest.approx(whole.weight_sum, rel=1e-14)
    assert parts.max_weight == whole.max_weight
    assert parts.max_row_length == whole.max_row_length
    cols, rng = np.array([3, 40, 86, 11]), np.random.default_rng(1)
    mine, theirs = Coefficients(cols, rng.normal(size=4)), Coefficients(order[cols], np.empty(4))
    theirs = theirs._replace(w=mine.w)
    np.testing.assert_array_equal(parts.lengths(cols), whole.lengths(order[cols]))
    for ours, one in zip(parts.moments(cols), whole.moments(order[cols]), strict=True):
        np.testing.assert_allclose(ours, one, rtol=1e-12, atol=1e-12)
    assert parts.extent(86) == whole.extent(int(order[86]))
    for coef, other, base in ((None, None, 0.0), (None, None, 0.7), (mine, theirs, 0.3)):
        for listed in (None, cols):
            at = order if listed is None else order[listed]
            for target in (True, False):
                got, wanted = parts.gradients(coef, base, listed, target), whole.gradients(other, base, at, target)
                np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-10)
        assert parts.squared_residual(coef, base) == pytest.approx(whole.squared_residual(other, base), rel=1e-12)
        assert parts.residual_max_abs(coef, base) == pytest.approx(whole.residual_max_abs(other, base), rel=1e-12)
    got, wanted = parts.products(cols[:2], cols), whole.products(order[cols[:2]], order[cols])
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("n_parts", [1, 2, 7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_path_over_parts_is_that_of_all_rows(n_parts, weighted, fit_intercept):
    """The solver asks nothing but the contract's questions: it runs on parts as it is."""
    X, y, s = data(weighted)
    problem = make_problem(as_design(X), y, sample_weight=s, fit_intercept=fit_intercept)
    whole = PathSolver(problem.quadratic, 1.0, Options(1e-10))
    parts = PathSolver(problem.quadratic.with_rows(in_parts(X, y, s, n_parts)), 1.0, Options(1e-10))
    top = whole.alpha_max()
    assert parts.alpha_max() == pytest.approx(top, rel=1e-12)
    for alpha in np.geomspace(top, 0.01 * top, 8):
        one, many = whole.solve(alpha), parts.solve(alpha)
        assert many.dual_gap <= 1e-10 * problem.gap_scale
        place = np.argsort(problem.design.columns)[many.coef.cols]
        moved = Coefficients(place, many.coef.w).nonzero()
        difference = problem.objective(moved, alpha, 1.0) - problem.objective(one.coef, alpha, 1.0)
        assert abs(difference) <= 2e-10 * problem.gap_scale
        assert many.intercept == pytest.approx(problem.intercept(moved), abs=1e-9)


def test_digits_do_not_depend_on_threads(monkeypatch):
    monkeypatch.setattr(threads, "WORTH", 50)
    X, y, s = data(weighted=True)
    found = []
    for n_threads in (1, 2, 5):
        problem = make_problem(as_design(X, n_threads=n_threads), y, sample_weight=s)
        solver = PathSolver(problem.quadratic, 1.0, Options(1e-8))
        top = solver.alpha_max()
        found.append([solver.solve(alpha).coef.w.tolist() for alpha in np.geomspace(top, 0.02 * top, 5)])
    assert found[0] == found[1] == found[2]
    assert len(found[0][-1]) > 5


def test_what_wants_a_residual_wants_it_in_memory():
    X, y, _ = data(weighted=False)
    quadratic = make_problem(as_design(X), y).quadratic.with_rows(in_parts(X, y, None, 2))
    for kind in (ResidualCD, ProxGradientOnResidual):
        with pytest.raises(ValueError, match="not in memory"):
            kind(quadratic)


def test_proximal_gradient_steps_need_no_residual():
    X, y, _ = data(weighted=False)
    quadratic = make_problem(as_design(X), y).quadratic
    parts = quadratic.with_rows(in_parts(X, y, None, 2))
    solvers = [PathSolver(q, 1.0, Options(1e-10, method="prox_gradient")) for q in (quadratic, parts)]
    alpha = 0.1 * solvers[0].alpha_max()
    whole, summed = (solver.solve(alpha) for solver in solvers)
    assert summed.method.startswith("prox_gradient")
    a, b = (found.coef.w[np.argsort(found.columns)] for found in (whole, summed))
    np.testing.assert_allclose(b, a, rtol=1e-6)

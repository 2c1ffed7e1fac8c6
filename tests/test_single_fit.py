"""A fit from nothing by sweeps: what a sweep gives, and the same solutions as by columns."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from sparsereg import ElasticNet, Lasso
from sparsereg.data import threads
from sparsereg.data.compact_rows import CompactRows
from sparsereg.data.design import as_design
from sparsereg.objective.problem import Coefficients, make_problem
from sparsereg.solvers import single_fit
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.single_fit import SingleFit


def one_hot(
    n: int = 300, sizes: tuple[int, ...] = (3, 8, 40), constant: bool = False, seed: int = 0, index: type = np.int32
):
    """Fields of levels, some of them rare, and a target that a few of them move."""
    rng = np.random.default_rng(seed)
    blocks = [np.ones((n, 1))] if constant else []
    for size in sizes:
        level = np.minimum(rng.geometric(2.0 / size, n) - 1, size - 1)
        blocks.append(np.eye(size)[level])
    X = sp.csr_array(np.hstack(blocks))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    w = np.where(rng.random(X.shape[1]) < 0.2, rng.normal(size=X.shape[1]), 0.0)
    return X, X @ w + 3.0 + 0.3 * rng.normal(size=n)


def strongest(problem) -> float:
    return PathSolver(problem.quadratic, 1.0, Options(1e-4, 100)).alpha_max()


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("n_heavy", [0, 1, 20, None])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_sweep_gives_residual_and_gradients(monkeypatch, index, n_heavy, n_threads):
    monkeypatch.setattr(threads, "WORTH", 100)
    X, y = one_hot(index=index)
    design = as_design(X, n_threads=n_threads)
    plain = X.toarray()[:, design.columns]
    n_heavy = design.n_cols if n_heavy is None else n_heavy
    rows = CompactRows(design, n_heavy)
    w = np.random.default_rng(1).normal(size=n_heavy)
    for base, coefs in ((0.5, None), (-2.0, w)):
        rr, peak, c = rows.gradient_pass(y, base, coefs)
        r = y - base - (0.0 if coefs is None else plain[:, :n_heavy] @ coefs)
        assert rr == pytest.approx(r @ r, rel=1e-12)
        assert peak == pytest.approx(np.abs(r).max(), rel=1e-12)
        np.testing.assert_allclose(c, plain[:, :n_heavy].T @ r, rtol=1e-9, atol=1e-9)
    cols = np.random.default_rng(2).permutation(n_heavy)[:7]
    for new in (7, 2):
        found = rows.gram(cols, design.lengths(cols[-new:]))
        np.testing.assert_array_equal(found, plain[:, cols[-new:]].T @ plain[:, cols])
    assert not design.columns_built  # no column was written


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    share=st.floats(0.005, 1.1),
    l1_ratio=st.sampled_from([1.0, 0.5]),
    positive=st.booleans(),
    intercept=st.booleans(),
    some=st.sampled_from([1, 50]),
)
def test_the_same_solution_as_by_columns(seed, share, l1_ratio, positive, intercept, some):
    X, y = one_hot(80, (3, 5, 30), constant=seed % 2 == 0, seed=seed)
    problem = make_problem(as_design(X), y, fit_intercept=intercept, positive=positive)
    alpha = share * strongest(problem)
    assert SingleFit.suits(problem, alpha, l1_ratio)
    cold_problem = make_problem(as_design(X), y, fit_intercept=intercept, positive=positive)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(single_fit, "MIN_ADDED_ROW_WISE", some)
        found = SingleFit(cold_problem, alpha, l1_ratio, Options(1e-4, 10_000)).solve(1e-8)
    assert "matrix" not in vars(cold_problem.design)
    assert found.dual_gap <= 1e-8 * problem.gap_scale
    # Its gap is the plain one: full passes over the columns, which know nothing of slots and light columns.
    plain = problem.duality_gap(found.coef, alpha, l1_ratio)
    assert found.dual_gap == pytest.approx(plain, rel=1e-6, abs=1e-13 * problem.gap_scale)
    other = PathSolver(problem.quadratic, l1_ratio, Options(1e-8, 10_000)).solve(alpha)
    reached = [problem.objective(one.coef, alpha, l1_ratio) for one in (found, other)]
    assert abs(reached[0] - reached[1]) <= 2e-8 * problem.gap_scale
    assert found.intercept == pytest.approx(problem.intercept(found.coef), rel=1e-12, abs=1e-12)


def test_a_residual_that_grows_opens_light_columns(monkeypatch):
    """As if the first residual had been smaller than a later one: columns told to be light then must be looked at after
    all."""
    X, y = one_hot()
    expected = Lasso(alpha=0.01).fit(X.tocsc(), y)
    peaks, plain = [], SingleFit._prepare

    def prepare(self, peak):
        peaks.append(peak)
        return plain(self, peak if len(peaks) > 1 else 0.05 * peak)

    monkeypatch.setattr(SingleFit, "_prepare", prepare)
    found = Lasso(alpha=0.01).fit(X, y)
    assert len(peaks) == 2
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("limit", ["MAX_ROW_WISE", "MAX_OWN_CODES"])
def test_where_many_columns_matter_columns_are_written(monkeypatch, limit):
    X, y = one_hot()
    expected = ElasticNet(alpha=0.003, l1_ratio=0.9).fit(X, y)
    monkeypatch.setattr(single_fit, limit, 5)
    found = ElasticNet(alpha=0.003, l1_ratio=0.9).fit(X, y)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-5, atol=1e-6)
    assert found.dual_gap_ <= 1e-8 * y.var()


def test_members_are_never_more_than_a_dense_square_is_right_for(monkeypatch):
    """Also where few columns are over their threshold and many nearly."""
    n_cols = 400
    X = sp.csr_array(np.repeat(np.eye(n_cols), 4, axis=0))
    y = np.repeat(np.where(np.arange(n_cols) < 60, 2.0, 0.98), 4)
    monkeypatch.setattr(single_fit, "MAX_ROW_WISE", 100)
    sizes, plain = [], SingleFit._add

    def add(self, cols):
        plain(self, cols)
        sizes.append(self.working_set.m)

    monkeypatch.setattr(SingleFit, "_add", add)
    Lasso(alpha=1.0 / n_cols, fit_intercept=False).fit(X, y)
    assert sizes
    assert max(sizes) <= 100


def test_what_does_not_suit():
    X, y = one_hot()
    plain = make_problem(as_design(X), y)
    assert SingleFit.suits(plain, 0.1, 1.0)
    assert not SingleFit.suits(plain, 0.0, 1.0)
    assert not SingleFit.suits(plain, 0.1, 0.0)
    assert not SingleFit.suits(make_problem(as_design(X), y, sample_weight=np.ones(y.size)), 0.1, 1.0)
    assert not SingleFit.suits(make_problem(as_design(X), y, standardize=True), 0.1, 1.0)
    assert not SingleFit.suits(make_problem(as_design(2.0 * X), y), 0.1, 1.0)
    assert not SingleFit.suits(make_problem(as_design(X.tocsc()), y), 0.1, 1.0)
    assert not SingleFit.suits(make_problem(as_design(X.toarray()), y), 0.1, 1.0)


def test_few_iterations_warn_and_give_what_was_reached():
    X, y = one_hot(sizes=(10, 30, 60))
    with pytest.warns(UserWarning, match="did not converge"):
        model = Lasso(alpha=1e-3, max_iter=1, tol=1e-14).fit(X, y)
    assert model.dual_gap_ > 0.0
    assert model.n_iter_ == 1


def test_going_on_from_a_certified_point_does_not_lose_it():
    """What lowers the objective may raise the gap: here tenfold, after which nothing would be left to take in."""
    X, _ = one_hot(60, (5,), seed=250)
    y = np.exp(2.0 * np.random.default_rng(250).normal(size=60))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Lasso(alpha=1e-3 * y.std(), tol=1e-2).fit(X, y)
    assert model.dual_gap_ <= 1e-2 * y.var()


def test_coefficients_rounded_to_float32_miss_what_single_precision_cannot_hold():
    """`dual_gap_` is that of what is handed out, and so is what is said of convergence."""
    X, y = one_hot(3000, (5, 40, 300))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Lasso(alpha=0.01, tol=1e-5).fit(X.astype(np.float32), y)
    with pytest.warns(ConvergenceWarning, match="pass X in double"):
        model = Lasso(alpha=0.01, tol=1e-13).fit(X.astype(np.float32), y)
    with pytest.warns(ConvergenceWarning, match="pass X in double"):
        plain = Lasso(alpha=0.01, tol=1e-13).fit(X.astype(np.float32).tocsc(), y)
    assert model.coef_.dtype == np.float32
    assert model.dual_gap_ > 1e-13 * y.var()
    problem = make_problem(as_design(X), y)
    order = np.argsort(problem.design.columns)[model.sparse_coef_.indices]
    at = Coefficients(order, model.sparse_coef_.data.astype(np.float64)).nonzero()
    assert model.dual_gap_ == pytest.approx(problem.duality_gap(at, 0.01, 1.0), rel=1e-3)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-6)

"""The path, the certificates and the solvers against slow oracles, over random problems of every kind."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from oracles import duality_gap, elastic_net, objective, recomputed_gap
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning

from sparsereg import ElasticNet, Lasso, regularization_path
from sparsereg.data.design import as_design
from sparsereg.objective.problem import Coefficients, count_weights, make_problem
from sparsereg.rows import memory
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.loop import SOLVERS, Options
from sparsereg.solvers.newton import newton
from sparsereg.solvers.path_solver import PathSolver


def crosses(n=3000, seed=0, levels=(7, 40, 200)):
    """A small one-hot design with a cross, in CSR, and a target with a sparse truth."""
    rng = np.random.default_rng(seed)
    fields = [np.minimum(rng.zipf(1.4, n), k) - 1 for k in levels]
    fields.append(fields[1] * levels[2] + fields[2])
    codes, start = [], 0
    for field in fields:
        _, code = np.unique(field, return_inverse=True)
        codes.append(code + start)
        start += code.max() + 1
    indices = np.column_stack(codes).ravel().astype(np.int32)
    X = sp.csr_array(
        (np.ones(indices.size), indices, np.arange(0, indices.size + 1, len(fields), dtype=np.int32)), shape=(n, start)
    )
    w = rng.normal(size=start) * (rng.random(start) < 0.1)
    return X, X @ w + rng.normal(size=n) + 3.0


@st.composite
def problems(draw):
    """Shapes, storage, weights, factors, signs: anything a user may bring."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, p = draw(st.integers(2, 25)), draw(st.integers(1, 12))
    plain = (rng.random((n, p)) < draw(st.sampled_from([0.15, 0.5, 1.0]))).astype(float)
    valued = rng.random(p) < draw(st.sampled_from([0.0, 0.3, 1.0]))
    plain[:, valued] *= rng.normal(size=(n, valued.sum())) + draw(st.sampled_from([0.0, 3.0]))
    y = (
        plain @ rng.normal(size=p)
        + rng.normal(size=n) * draw(st.sampled_from([0.1, 2.0]))
        + draw(st.sampled_from([0.0, 50.0]))
    )
    s = rng.random(n) * (rng.random(n) < 0.8) if draw(st.booleans()) else None
    if s is not None and (s > 0).sum() < 2:
        s = None
    v = np.where(rng.random(p) < 0.2, 0.0, rng.random(p) + 0.2) if draw(st.booleans()) else None
    if v is not None and draw(st.booleans()):
        v += 0.1
    form = draw(st.sampled_from(["dense", "csr", "csc"]))
    X = plain if form == "dense" else sp.csr_array(plain).asformat(form)
    options = {
        "l1_ratio": draw(st.sampled_from([1.0, 0.7, 0.2])),
        "fit_intercept": draw(st.booleans()),
        "positive": draw(st.booleans()),
        "solver": draw(st.sampled_from(SOLVERS)),
    }
    return X, plain, y, s, v, options


@given(problems())
def test_every_point_is_the_minimum(case):
    """Against slow coordinate descent on dense centred data, and the certificate against the gap by definition."""
    X, plain, y, s, v, options = case
    solver = options.pop("solver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # certified is looked at below, point by point
        path = regularization_path(
            X, y, alphas=5, tol=1e-9, sample_weight=s, penalty_factor=v, solver=solver, max_iter=20_000, **options
        )
    weights, factors = np.ones(len(y)) if s is None else s, np.ones(plain.shape[1]) if v is None else v
    for k, alpha in enumerate(path.alphas):
        w = path.coefs[:, [k]].toarray().ravel()
        b0_slow, w_slow = elastic_net(
            plain,
            y,
            alpha,
            options["l1_ratio"],
            s=s,
            v=v,
            fit_intercept=options["fit_intercept"],
            positive=options["positive"],
        )
        ours = objective(plain, y, weights, path.intercepts[k], w, alpha, options["l1_ratio"], factors)
        best = objective(plain, y, weights, b0_slow, w_slow, alpha, options["l1_ratio"], factors)
        scale = path.gap_scale or 1.0
        assert ours - best <= path.dual_gaps[k] + 1e-12 * scale
        if path.certified[k]:
            assert ours - best <= 1e-9 * scale + 1e-12 * scale
        assert best - ours <= 1e-7 * scale  # the slow one is no better than it thinks either
        assert not options["positive"] or (w >= 0).all()
    if solver != "prox_gradient":
        assert path.certified.all()


@given(problems())
def test_reported_gaps_are_true(case):
    """What the path reports bounds the distance to a value found by many more epochs; gaps by full passes agree with
    those by definition."""
    X, plain, y, s, v, options = case
    if v is not None:
        v = v + 0.1
    solver = options.pop("solver")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = regularization_path(
            X, y, alphas=4, tol=1e-3, sample_weight=s, penalty_factor=v, solver=solver, **options
        )
    design = as_design(X)
    problem = make_problem(
        design,
        y,
        sample_weight=s,
        penalty_factor=v,
        fit_intercept=options["fit_intercept"],
        positive=options["positive"],
    )
    for k, alpha in enumerate(path.alphas):
        w = path.coefs[:, [k]].toarray().ravel()
        at = Coefficients(np.arange(design.n_cols), w[design.columns])
        plain_gap = problem.duality_gap(at, alpha, options["l1_ratio"])
        scale = path.gap_scale or 1.0
        best = PathSolver(problem.quadratic, options["l1_ratio"], Options(1e-12, 100_000)).solve(float(alpha)).coef
        excess = np.subtract(*(problem.objective(coef, alpha, options["l1_ratio"]) for coef in (at, best)))
        assert excess <= path.dual_gaps[k] * (1 + 1e-7) + 1e-12 * scale
        if not options["positive"]:
            by_definition = duality_gap(
                plain, y, w, alpha, options["l1_ratio"], s=s, v=v, fit_intercept=options["fit_intercept"]
            )
            assert plain_gap <= by_definition * (1 + 1e-7) + 1e-12 * scale


@pytest.mark.parametrize("solver", ["cd", "prox_gradient"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("tol", [1e-4, 1e-8])
def test_bounds_keep_their_word_on_crosses(l1_ratio, solver, tol):
    """Columns that no solver visited are inside their threshold, and every gap is true, on a design made for
    skipping."""
    X, y = crosses()
    path = regularization_path(X, y, l1_ratio=l1_ratio, alphas=30, tol=tol, solver=solver)
    assert path.certified.all()
    problem = make_problem(as_design(X), y)
    order = np.argsort(problem.design.columns)
    for k in range(0, 30, 3):
        at = Coefficients(order, path.coefs[:, [k]].toarray().ravel())
        assert recomputed_gap(problem, at, path.alphas[k], l1_ratio, tol * path.gap_scale) <= tol * path.gap_scale


def test_storage_does_not_change_the_answer():
    X, y = crosses(500)
    reference = regularization_path(X, y, alphas=10, tol=1e-10)
    wide = X.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    # The same matrix, stored so that no column looks like all ones
    hidden = sp.vstack([X, sp.csr_array(np.full((1, X.shape[1]), 0.5))], format="csr")
    for other in (X.tocsc(), X.toarray(), wide, X.astype(np.float32)):
        path = regularization_path(other, y, alphas=10, tol=1e-10)
        np.testing.assert_allclose(path.alphas, reference.alphas, rtol=1e-10)
        tolerance = 1e-5 if other.dtype == np.float32 else 1e-6
        np.testing.assert_allclose(path.coefs.toarray(), reference.coefs.toarray(), atol=tolerance)
    weighted = regularization_path(
        hidden, np.append(y, 0.0), alphas=reference.alphas, tol=1e-10, sample_weight=np.append(np.ones(500), 0.0)
    )
    np.testing.assert_allclose(weighted.coefs.toarray(), reference.coefs.toarray(), atol=1e-6)


def test_alpha_max_is_exact():
    X, y = crosses(400)
    top = regularization_path(X, y, alphas=1).alphas[0]
    assert regularization_path(X, y, alphas=[top], tol=1e-12).n_nonzero[0] == 0
    assert regularization_path(X, y, alphas=[0.99 * top], tol=1e-12).n_nonzero[0] > 0
    for seed in range(20):  # bounds in single precision must not let a column in
        rng = np.random.default_rng(seed)
        X = sp.csr_array((rng.random((500, 60)) < 0.1) * 1.0)
        path = regularization_path(X, rng.normal(size=500) + X[:, [seed]].toarray()[:, 0], alphas=3)
        assert path.n_nonzero[0] == 0 < path.n_nonzero[1]


def test_standardize_is_the_lasso_on_scaled_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 6)) * [1, 5, 0.1, 2, 1, 1] + 1
    y = X @ [1, 0.2, 10, 0, 0, 0] + rng.normal(size=60)
    s = rng.random(60)
    mean = np.average(X, axis=0, weights=s)
    scale = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=s))
    ours = regularization_path(X, y, l1_ratio=0.6, alphas=6, tol=1e-12, standardize=True, sample_weight=s)
    theirs = regularization_path(X / scale, y, l1_ratio=0.6, alphas=ours.alphas, tol=1e-12, sample_weight=s)
    np.testing.assert_allclose(ours.coefs.toarray(), theirs.coefs.toarray() / scale[:, None], atol=1e-8)


def test_offset_and_weights():
    X, y = crosses(300)
    rng = np.random.default_rng(1)
    offset, repeat = rng.normal(size=300), rng.integers(0, 3, 300)
    moved = regularization_path(X, y + offset, offset=offset, alphas=5, eps=0.1, tol=1e-10)
    plain = regularization_path(X, y, alphas=5, eps=0.1, tol=1e-10)
    np.testing.assert_allclose(moved.coefs.toarray(), plain.coefs.toarray(), atol=1e-7)
    weighted = regularization_path(X, y, sample_weight=repeat, alphas=5, eps=0.1, tol=1e-12)
    repeated = regularization_path(
        sp.csr_array(np.repeat(X.toarray(), repeat, axis=0)), np.repeat(y, repeat), alphas=5, eps=0.1, tol=1e-12
    )
    np.testing.assert_allclose(weighted.alphas, repeated.alphas)
    for k in range(5):  # columns that agree on these rows make many minima, with the same fit on rows that count
        np.testing.assert_allclose(weighted.predict(X, k)[repeat > 0], repeated.predict(X, k)[repeat > 0], atol=1e-5)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("mean", [1e3, 1e6, 1e9])
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_far_from_zero(mean, weighted, kind):
    """Deviations of one part in a billion of the mean are still what is fitted, and certified truly."""
    rng = np.random.default_rng(0)
    Z = np.round(rng.normal(size=(200, 12)), 3)
    y = Z[:, :5].sum(axis=1) + rng.normal(size=200)
    s = rng.random(200) + 0.1 if weighted else None
    near = regularization_path(Z, y, alphas=5, tol=1e-9, sample_weight=s)
    far = regularization_path(kind(Z + mean), y, alphas=near.alphas, tol=1e-9, sample_weight=s)
    assert far.certified.all()
    np.testing.assert_allclose(far.coefs.toarray(), near.coefs.toarray(), atol=1e-4 if mean > 1e6 else 1e-6)
    np.testing.assert_allclose(far.predict(Z + mean), near.predict(Z), atol=1e-3)


@pytest.mark.parametrize("kind", [np.asfortranarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize(("value", "n", "weighted"), [(0.1, 1000, False), (1 / 3, 1000, False), (7.3, 100_000, True)])
def test_a_constant_column_is_one_though_its_sums_are_rounded(kind, value, n, weighted):
    """Unpenalised, rounding in its curvature would make a coefficient of it; sparse, it would be called hard to
    centre."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(n, 2))
    y, s = Z @ [1.0, 2.0] + 3.0 + 0.1 * rng.normal(size=n), rng.random(n) if weighted else None
    X = kind(np.column_stack([Z, np.full(n, value)]))
    for factor in (None, [1.0, 1.0, 0.0]):
        path = regularization_path(X, y, alphas=[0.1], penalty_factor=factor, sample_weight=s)
        assert path.certified.all()
        assert path.point(0)[0].tolist() == [0, 1]
    if weighted:  # rows that do not count may say otherwise
        s[:5] = 0.0
        X = kind(np.column_stack([Z, np.where(s > 0.0, value, 0.0)]))
        assert regularization_path(X, y, alphas=[0.1], sample_weight=s).n_nonzero.tolist() == [2]


def test_nearly_dependent_unpenalised_columns_are_not_called_solved():
    """Their small common direction is beyond what their products resolve: measured on the rows, or not certified."""
    rng = np.random.default_rng(0)
    a, z = rng.normal(size=(2, 100))
    X = np.column_stack([a, a + 1e-8 * z, rng.normal(size=100)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        path = regularization_path(X, a + z, penalty_factor=[0.0, 0.0, 1e6], alphas=[0.1], max_iter=200)
    best = np.linalg.lstsq(np.column_stack([np.ones(100), a, z]), a + z, rcond=None)[0]
    excess = 0.5 * np.mean((a + z - path.predict(X)) ** 2) - 0.5 * np.mean(
        (a + z - np.column_stack([np.ones(100), a, z]) @ best) ** 2
    )
    assert excess <= path.dual_gaps[0]


def test_nonnegative_least_squares_of_unpenalised_columns_leave_no_gap():
    """Where they are at their minimum there is nothing but rounding to project out."""
    for seed in (34, 107, 133, 282, 318):
        rng = np.random.default_rng(seed)
        Z = (rng.random((40, 12)) < 0.2) * 1.0
        y = rng.normal(size=40)
        w = nnls(Z, y)[0]
        c = Z.T @ (y - Z @ w)
        assert max(c.max(), np.abs(c[w > 0.0]).max()) < 1e-12
        design = as_design(sp.csc_array(Z))
        problem = make_problem(design, y, penalty_factor=np.zeros(12), positive=True, fit_intercept=False)
        at = Coefficients(np.arange(design.n_cols), w[design.columns]).nonzero()
        gap = problem.duality_gap(at, 1.0, 1.0)
        assert gap <= 1e-12 * problem.gap_scale, seed


def test_many_unpenalised_columns_give_the_right_alpha_max():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(100, 1))
    free = common + 0.1 * rng.normal(size=(100, 20))
    others = rng.normal(size=(100, 5))
    y = free.sum(axis=1) + others @ [0.5, 0, 0, 0, 0] + rng.normal(size=100)
    path = regularization_path(np.hstack([free, others]), y, penalty_factor=np.r_[np.zeros(20), np.ones(5)], alphas=3)
    A = np.column_stack([np.ones(100), free])
    r = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(path.alphas[0], np.abs(others.T @ r).max() / 100, rtol=1e-6)


def test_long_paths_resolve_their_bounds():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 120)), rng.normal(size=50)
    path = regularization_path(X, y, eps=1e-6, alphas=30, tol=1e-8)
    assert path.certified.all()


@pytest.mark.parametrize("scale", [1e-90, 1e90])
def test_the_scale_of_weights_does_not_matter(scale):
    X, y = crosses(100)
    s = np.linspace(0.5, 1.5, 100)
    plain, scaled = (regularization_path(X, y, sample_weight=k * s, alphas=5, tol=1e-8) for k in (1.0, scale))
    np.testing.assert_allclose(scaled.alphas, plain.alphas, rtol=1e-9)
    # Some columns are equal, so that coefficients are not unique; predictions are.
    for k in range(5):
        np.testing.assert_allclose(scaled.predict(X, k), plain.predict(X, k), atol=1e-6)


def test_fewer_values_than_entries():
    X, y = crosses(50)
    X.data = X.data[:5].copy()
    with pytest.raises(ValueError, match=r"X is not a sound sparse matrix: data has shape \(5,\)"):
        regularization_path(X, y)


@pytest.mark.parametrize(("weighted", "valued"), [(False, False), (False, True), (True, True)])
def test_watched_columns_follow_from_the_coefficients(weighted, valued, monkeypatch):
    """Their gradients are those that a pass over X gives, also after the lighter ones are given up."""
    X, y = crosses(2000, levels=(5, 40, 300))
    if valued:
        more = sp.random_array((2000, 5), density=0.3, rng=np.random.default_rng(0))
        X = sp.hstack([X, more], format="csr")
    monkeypatch.setattr(memory, "MIN_CACHE_BYTES", 2000 - X.nnz // 2)
    weights = np.random.default_rng(1).uniform(0.0, 2.0, 2000) if weighted else None
    problem = make_problem(as_design(X), y, sample_weight=weights)
    run = PathSolver(problem.quadratic, 1.0, Options(1e-6, 1000))
    start, top = run.working_set.gram.cached.size, run.alpha_max()
    assert start > 50
    for alpha in np.geomspace(top, top / 30, 10):
        solution = run.solve(alpha)
        cols = np.arange(problem.design.n_cols)
        by_pass = problem.loss_rows.evaluate(solution.coef).c
        np.testing.assert_allclose(run.working_set.gradient_of(cols), by_pass, atol=1e-8 * np.abs(by_pass).max())
    assert 0 < run.working_set.gram.cached.size <= start * 3 // 4


def test_a_newton_step_that_leaves_a_large_coefficient_where_it_is():
    """What does not move is not divided by its step: 1e20 over nothing would overflow, and a warning is an error
    here."""
    X = sp.csr_array(np.repeat(np.eye(2), 5, axis=0))
    problem = make_problem(as_design(X), np.repeat([1e20, 1e3], 5), fit_intercept=False)
    working_set = GramCD(problem.quadratic)
    working_set.add(np.arange(2))
    working_set.set_strength(0.1, 1.0)
    working_set.set_w(np.array([1e20, 1.0]))
    working_set.newton_step = lambda *_: (np.array([0.0, -5.0]), 1)  # across 0, and uphill
    before = working_set.value()
    assert 0 < newton(working_set, 10)[0] <= 10
    assert working_set.w[0] == 1e20
    assert working_set.value() <= before


@pytest.mark.parametrize("seed", [6, 10])
def test_a_tolerance_of_nothing_leaves_no_more_than_rounding(seed):
    """Epochs are not spent on the last digits of a few columns while others wait."""
    rng = np.random.default_rng(seed)
    rare = np.eye(200)[np.minimum(rng.geometric(0.03, 2000), 200) - 1]
    X = sp.csr_array(np.hstack([rng.random((2000, 30)) < 0.4, rare]))
    y = X @ rng.normal(size=230) + rng.normal(size=2000)
    with pytest.warns(ConvergenceWarning):
        path = regularization_path(X, y, tol=0.0, alphas=4, eps=1e-3)
    assert (path.dual_gaps <= 1e-12 * path.gap_scale).all()
    assert path.n_iters.max() < 10_000


@pytest.mark.parametrize("storage", ["csr", "csc", "dense"])
@pytest.mark.parametrize("value", [1.0, 0.3])
def test_weights_of_zero_and_one_value_are_the_rows_that_count(storage, value):
    """A mask is no slower than its rows: it leaves no weights behind, and of a CSR no copy of its entries either."""
    X, y = crosses(400, levels=(5, 8, 40))
    mask = np.random.default_rng(3).random(400) < 0.8
    X = X.toarray() if storage == "dense" else X.asformat(storage)
    masked = regularization_path(X, y, sample_weight=value * mask, alphas=12, eps=0.02, tol=1e-10, offset=0.1 * y)
    rows = regularization_path(X[mask], y[mask], alphas=12, eps=0.02, tol=1e-10, offset=0.1 * y[mask])
    np.testing.assert_allclose(masked.alphas, rows.alphas, rtol=1e-12)
    for k in (3, 11):  # crosses repeat their levels: predictions are unique, coefficients are not
        np.testing.assert_allclose(masked.predict(X, k)[mask], rows.predict(X[mask], k), atol=1e-4)
    _, s, kept = count_weights(as_design(X), value * mask, y)
    assert (s is None) == (storage == "csr")
    assert kept.size == (mask.sum() if storage == "csr" else 400)
    for model in (Lasso(alpha=0.02, tol=1e-9), ElasticNet(alpha=0.02, tol=1e-9)):
        weighted = model.fit(X, y, sample_weight=value * mask).predict(X[mask])
        np.testing.assert_allclose(weighted, model.fit(X[mask], y[mask]).predict(X[mask]), atol=1e-4)

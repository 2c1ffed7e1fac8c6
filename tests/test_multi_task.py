"""Multi-task lasso and elastic net against proximal gradient in plain NumPy, and the interfaces built on them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from seeds import seeds
from sklearn.exceptions import ConvergenceWarning

from sparsereg import (
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    enet_path,
    lasso_path,
    regularization_path,
)
from sparsereg._core.kernels import GramStore, RowCoordinates
from sparsereg.data.design import as_design
from sparsereg.objective.multi_task import RowCoefficients, make_multi_task_problem
from sparsereg.penalties.rows import RowPenalty, row_norms
from sparsereg.solvers.loop import Options
from sparsereg.solvers.multi_task import MultiTaskSolver


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def objective(X, Y, s, W, l1, l2, fit_intercept):
    """F in plain NumPy, with the best intercepts, and W of shape (p, K)."""
    R = Y - X @ W
    if fit_intercept:
        R = R - np.average(R, axis=0, weights=s)
    return 0.5 * np.average((R**2).sum(axis=1), weights=s) + l1 @ row_norms(W) + 0.5 * l2 @ (W**2).sum(axis=1)


def improved(X, Y, s, W, l1, l2, fit_intercept):
    """What accelerated proximal gradient with restarts makes of W in plain NumPy: dense, centred, no working set."""
    weights = s / s.sum()
    if fit_intercept:
        X, Y = X - weights @ X, Y - weights @ Y
    H, g = X.T @ (weights[:, None] * X), X.T @ (weights[:, None] * Y)
    step, t, V = 1.0 / (np.linalg.eigvalsh(H)[-1] + l2.max() + 1e-300), 1.0, W
    for _ in range(300):
        move = V - step * (H @ V - g + l2[:, None] * V)
        norms = row_norms(move)
        new = move * np.maximum(1.0 - step * l1 / np.where(norms > 0, norms, 1.0), 0.0)[:, None]
        if ((V - new) * (new - W)).sum() > 0.0 and t > 1.0:
            t, V = 1.0, W
            continue
        t, last = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t)), t
        V, W = new + (last - 1.0) / t * (new - W), new
    return W


def drawn(seed):
    """A random small problem: X (dense or sparse, ones or values, float32 or float64), Y, weights, factors, flags."""
    rng = np.random.default_rng(seed)
    n, p, K = rng.integers(8, 40), rng.integers(2, 25), rng.integers(1, 5)
    X = rng.normal(size=(n, p)) * 10.0 ** rng.uniform(-1, 1, size=p)
    if rng.random() < 0.6:
        X *= rng.random((n, p)) < 0.4
    if rng.random() < 0.3:
        X = (X != 0).astype(float)
    if rng.random() < 0.3:
        X[:, 0] = X[:, -1]
    X = X.astype(np.float32 if rng.random() < 0.3 else np.float64)
    Y = X[:, : min(3, p)] @ rng.normal(size=(min(3, p), K)) + rng.normal(size=(n, K)) + 10.0 * rng.normal(size=K)
    s = rng.uniform(0.0, 2.0, size=n) * (rng.random(n) < 0.8) if rng.random() < 0.5 else np.ones(n)
    s = s + (not s.any())
    factor = rng.uniform(0.5, 2.0, size=p) * (rng.random(p) < 0.9 if rng.random() < 0.3 else 1.0)
    store = [np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array][rng.integers(4)]
    return X, store(X), Y, s, factor, bool(rng.random() < 0.7), rng.choice([1.0, 0.9, 0.5, 0.01])


@pytest.mark.parametrize("seed", seeds(40))
def test_against_proximal_gradient(seed):
    """The claimed gap is small and bounds what the oracle still gains, from the solution and from elsewhere."""
    X, stored, Y, s, factor, fit_intercept, l1_ratio = drawn(seed)
    options = {"penalty_factor": factor, "fit_intercept": fit_intercept, "l1_ratio": l1_ratio}
    path = regularization_path(stored, Y, sample_weight=s, alphas=4, eps=1e-3, tol=1e-9, **options)
    X = X.astype(np.float64)
    for k, alpha in enumerate(path.alphas):
        l1, l2 = alpha * l1_ratio * factor, alpha * (1.0 - l1_ratio) * factor
        W = np.atleast_2d(path.coef(k).toarray()).T
        found = objective(X, Y, s, W, l1, l2, fit_intercept)
        starts = [W, np.zeros_like(W)]
        best = [objective(X, Y, s, improved(X, Y, s, V, l1, l2, fit_intercept), l1, l2, fit_intercept) for V in starts]
        rounding = 1e-13 * objective(X, Y, s, 0.0 * W, l1, l2, False)
        assert found - min(best) <= path.dual_gaps[k] + rounding
        assert path.dual_gaps[k] <= 1e-9 * path.gap_scale
    counts = X[s > 0]
    varies = np.ptp(counts, axis=0) > 0 if fit_intercept else counts.any(axis=0)
    assert path.n_nonzero[0] == path.intercepts[0].size * np.count_nonzero((factor == 0.0) & varies)


def test_intercepts_and_predictions(rng):
    X, Y = rng.normal(size=(40, 6)) + 1e4, rng.normal(size=(40, 3))
    path = regularization_path(X, Y + X[:, :3], alphas=5, tol=1e-8, offset=0.5 * X[:, :3])
    assert path.intercepts.shape == (5, 3)
    assert len(path.coefs) == 3
    assert path.certified.all()
    residual = Y + 0.5 * X[:, :3] - path.predict(X, 3)
    np.testing.assert_allclose(residual.mean(axis=0), 0.0, atol=1e-9)
    one = regularization_path(X, Y[:, :1], alphas=5)
    assert (one.intercepts.shape == (5, 1) and one.predict(X).shape == (40, 1)) or one.predict(X).shape == (40,)


def test_a_column_is_in_for_all_targets_or_none(rng):
    X = sp.random(200, 100, 0.1, random_state=0, format="csr")
    Y = X[:, [0, 1]].toarray() @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(200, 4))
    path = regularization_path(X, Y, alphas=10)
    patterns = [set(output.indices[slice(*output.indptr[5:7])]) for output in path.coefs]
    assert all(pattern == patterns[0] for pattern in patterns)
    assert patterns[0]


def test_memory_is_by_active_columns():
    """A hundred million possible columns, int64 indices."""
    rng = np.random.default_rng(0)
    columns = np.sort(rng.choice(10**8, 300, replace=False))
    X = sp.csr_array((np.ones(2000), columns[rng.integers(0, 300, 2000)], np.arange(2001)), shape=(2000, 10**8))
    Y = rng.normal(size=(2000, 3)) + (X.indices % 2)[:, None]
    model = MultiTaskLasso(alpha=1e-3).fit(X, Y)
    assert model.sparse_coef_.shape == (3, 10**8)
    assert 0 < model.sparse_coef_.nnz <= 900
    assert model.predict(X).shape == (2000, 3)


def test_ill_conditioned_columns(rng):
    """Smooth, strongly correlated columns, where descent alone crawls."""
    t = np.linspace(0.0, 1.0, 80)
    X = np.exp(-40.0 * (t[:, None] - np.linspace(0, 1, 15)) ** 2)
    Y = np.column_stack([np.sin(6 * t), np.cos(6 * t)]) + 0.01 * rng.normal(size=(80, 2))
    path = regularization_path(X, Y, alphas=10, eps=1e-3, tol=1e-6)
    assert path.certified.all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("store", [np.asarray, sp.csr_array, sp.csc_array])
def test_path_functions_are_scikit_learns(rng, store, dtype):
    X = (rng.normal(size=(50, 12)) * (rng.random((50, 12)) < 0.6)).astype(dtype)
    Y = (X[:, :3] @ rng.normal(size=(3, 4)) + 0.1 * rng.normal(size=(50, 4))).astype(dtype)
    for solve, ours in ((sklearn.linear_model.enet_path, enet_path), (sklearn.linear_model.lasso_path, lasso_path)):
        alphas, coefs, gaps, n_iters = ours(store(X), Y, alphas=8, tol=1e-6, return_n_iter=True)
        expected = solve(X.astype(float), Y.astype(float), alphas=8, tol=1e-10, max_iter=10_000)
        np.testing.assert_allclose(alphas, expected[0], rtol=1e-5)
        assert coefs.shape == (4, 12, 8)
        assert coefs.dtype == dtype
        assert gaps.shape == (8,)
        assert len(n_iters) == 8
        np.testing.assert_allclose(coefs, expected[1], atol=1e-4)
    sparse = lasso_path(store(X), Y, alphas=8, sparse_coefs=True)[1]
    assert len(sparse) == 4
    assert sparse[0].shape == (12, 8)
    with pytest.raises(ValueError, match="positive=True is not allowed for multi-output"):
        lasso_path(X, Y, positive=True)
    with pytest.raises(ValueError, match="coef_init has shape"):
        lasso_path(X, Y, alphas=3, coef_init=np.zeros(12))
    started = lasso_path(X, Y, alphas=[alphas[4]], coef_init=coefs[:, :, 4], return_n_iter=True)
    np.testing.assert_allclose(started[1][:, :, 0], coefs[:, :, 4], atol=1e-3)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_estimator_is_scikit_learns(rng, l1_ratio, fit_intercept):
    X, s = rng.normal(size=(40, 8)) + 2.0, rng.integers(0, 3, size=40).astype(float)
    Y = X[:, :3] @ rng.normal(size=(3, 2)) + rng.normal(size=(40, 2))
    options = {"alpha": 0.1, "l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    ours = MultiTaskElasticNet(**options).fit(X, Y, sample_weight=s)
    theirs = sklearn.linear_model.MultiTaskElasticNet(tol=1e-14, max_iter=100_000, **options).fit(X, Y, s)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    repeated = MultiTaskElasticNet(**options).fit(np.repeat(X, s.astype(int), 0), np.repeat(Y, s.astype(int), 0))
    np.testing.assert_allclose(ours.coef_, repeated.coef_, atol=1e-6)
    assert ours.dual_gap_ <= 1e-4 * ours.eps_
    assert ours.coef_.shape == (2, 8)


def test_warm_start_and_convergence(rng):
    X, Y = rng.normal(size=(30, 10)), rng.normal(size=(30, 3))
    model = MultiTaskLasso(alpha=0.1, warm_start=True).fit(X, Y)
    coef = model.coef_.copy()
    assert model.n_iter_ > 0
    assert model.fit(X, Y).n_iter_ == 0
    np.testing.assert_array_equal(model.coef_, coef)
    with pytest.warns(ConvergenceWarning, match="Objective did not converge"):
        MultiTaskElasticNet(alpha=1e-4, max_iter=1, tol=0).fit(X, Y)
    with pytest.raises(ValueError, match="mono-task"):
        MultiTaskLasso().fit(X, Y[:, 0])
    assert MultiTaskLasso(alpha=0.1).fit(X, Y[:, :1]).coef_.shape == (1, 10)
    random = MultiTaskLasso(alpha=0.1, selection="random", random_state=0).fit(X, Y)
    np.testing.assert_allclose(random.coef_, coef, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_cross_validation_is_scikit_learns(rng, weighted):
    X, Y = rng.normal(size=(60, 10)), rng.normal(size=(60, 2))
    Y += X[:, :2]
    s = rng.uniform(0.5, 2.0, size=60) if weighted else None
    options = {"l1_ratio": [0.5, 0.9], "alphas": 6, "cv": 3, "tol": 1e-6}
    ours = MultiTaskElasticNetCV(**options).fit(sp.csr_array(X), Y, sample_weight=s)
    theirs = sklearn.linear_model.MultiTaskElasticNetCV(**options).fit(X, Y, sample_weight=s)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-6)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)
    lasso = MultiTaskLassoCV(alphas=[0.1, 1.0], cv=3, n_jobs=2).fit(X, Y, sample_weight=s)
    assert lasso.mse_path_.shape == (2, 3)
    assert not hasattr(lasso, "l1_ratio_")


def test_gap_is_recomputed_without_the_solver(rng):
    """At coefficients that the solver never saw."""
    X, Y = rng.normal(size=(30, 8)), rng.normal(size=(30, 2))
    problem = make_multi_task_problem(as_design(X), Y)
    solver = MultiTaskSolver(problem, 0.7, Options(tol=1e-12))
    alpha = 0.1 * solver.alpha_max()
    best = solver.solve(alpha).coef.tocsr(2, 8).toarray().T
    for scale in (0.0, 1e-3, 1.0):
        at = RowCoefficients(np.arange(8), best + scale * rng.normal(size=best.shape))
        least = problem.objective(RowCoefficients(np.arange(8), best), alpha, 0.7)
        assert problem.duality_gap(at, alpha, 0.7) >= problem.objective(at, alpha, 0.7) - least - 1e-14


def test_row_penalty_is_its_formula(rng):
    penalty, w, c = RowPenalty(), rng.normal(size=(5, 3)), 3.0 * rng.normal(size=(5, 3))
    l1, l2, a = rng.uniform(0.5, 2.0, size=(3, 5))
    w[0] = 0.0
    found = penalty.prox(c, a, l1, l2)

    def f(b):
        return 0.5 * a @ (b**2).sum(axis=1) - (c * b).sum() + penalty.value(b, l1, l2)

    assert all(f(found) <= f(found + 1e-3 * rng.normal(size=w.shape)) for _ in range(200))
    shortfall = penalty.value(w, l1, l2) + penalty.conjugate(c, l1, l2).sum() - (c * w).sum()
    assert penalty.gap_terms(w, c, l1, l2).fenchel == pytest.approx(shortfall)
    at = penalty.conjugate(l1[:, None] * penalty.slope(w) + l2[:, None] * w, l1, l2)
    assert at[1:] == pytest.approx(0.5 * l2[1:] * (w[1:] ** 2).sum(axis=1))
    stationary = penalty.stationarity(found, c - a[:, None] * found, l1, l2)
    np.testing.assert_allclose(stationary, 0.0, atol=1e-12)


def test_kernel_epoch(rng):
    """One epoch against the exact minimiser of each block in NumPy."""
    X, Y = rng.normal(size=(20, 5)), rng.normal(size=(20, 3))
    design = as_design(X)
    store = GramStore(design.matrix, None, None, None)
    store.append(np.arange(5), by_rows=False)
    sums, sq = X.sum(axis=0), ((X - X.mean(axis=0)) ** 2).sum(axis=0)
    l1, l2, w = np.full(5, 2.0), np.full(5, 0.5), rng.normal(size=(5, 3))
    q, r_sum, expected = X.T @ (Y - X @ w), (Y - X @ w).sum(axis=0), w.copy()
    RowCoordinates(w, r_sum, sums, sq, l1, l2, 20.0).cd(store, np.array([3, 0, 4, 1, 2]), q, 1, 0.0)
    Xc, Yc = X - X.mean(axis=0), Y - Y.mean(axis=0)
    for a in (3, 0, 4, 1, 2):
        c = Xc[:, a] @ (Yc - Xc @ expected) + sq[a] * expected[a]
        expected[a] = RowPenalty().prox(c[None], sq[[a]], l1[[a]], l2[[a]])[0]
    np.testing.assert_allclose(w, expected, atol=1e-12)
    np.testing.assert_allclose(q, X.T @ (Y - X @ w), atol=1e-12)
    np.testing.assert_allclose(r_sum, (Y - X @ w).sum(axis=0), atol=1e-12)

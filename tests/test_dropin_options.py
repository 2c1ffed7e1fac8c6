"""What code written for scikit-learn counts on: precompute, warm starts, edges, several targets, path functions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model
from test_dropin import MODELS, PATHS, data

import sparsereg
from sparsereg import ElasticNet, Lasso, enet_path, lasso_path

# ---- precompute --------------------------------------------------------------------------------------------------


def test_precompute():
    X, y = data()
    plain = ElasticNet(alpha=0.1).fit(X, y).coef_
    np.testing.assert_array_equal(ElasticNet(alpha=0.1, precompute=True).fit(X, y).coef_, plain)
    centred = X - X.mean(axis=0)
    gram = ElasticNet(alpha=0.1, precompute=centred.T @ centred).fit(centred, y)
    np.testing.assert_allclose(gram.coef_, plain, rtol=1e-7)
    with pytest.raises(ValueError, match=r"Gram matrix.*did not pass validation"):
        ElasticNet(precompute=centred.T @ centred + np.eye(12)).fit(centred, y)
    wrong = centred.T @ centred
    wrong[0, 5] += 1.0  # off the diagonal
    with pytest.raises(ValueError, match=r"Gram matrix.*did not pass validation"):
        enet_path(centred, y, precompute=wrong)
    with pytest.raises(ValueError, match="shape"):
        ElasticNet(precompute=np.eye(3)).fit(centred, y)
    with pytest.raises(ValueError, match="precompute='auto'"):
        ElasticNet(precompute="auto").fit(X, y)
    with pytest.warns(UserWarning, match="recomputing Gram"):
        ElasticNet(alpha=0.1, precompute=X.T @ X).fit(X + 1.0, y)


def test_precompute_weighted_and_single_precision():
    X, y = data()
    s = np.random.default_rng(2).lognormal(size=len(y))
    s *= len(y) / s.sum()
    centred = X - np.average(X, axis=0, weights=s)
    gram = centred.T @ (s[:, None] * centred)
    given = ElasticNet(alpha=0.01, precompute=gram).fit(centred, y, sample_weight=s)
    np.testing.assert_allclose(
        given.coef_, ElasticNet(alpha=0.01).fit(X, y, sample_weight=s).coef_, rtol=1e-6, atol=1e-9
    )
    single = X.astype(np.float32)
    enet_path(single, y, precompute=single.T @ single, alphas=3)
    enet_path(X, y, precompute=X.T @ (s[:, None] * X), Xy=X.T @ (s * y), sample_weight=3.0 * s, alphas=3)
    with pytest.raises(ValueError, match="Xy"):
        enet_path(X, y, precompute=X.T @ X, Xy=X.T @ y + 1.0)


# ---- warm starts, order of visits, edges -------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("model", MODELS)
def test_warm_start(model, container):
    X, y = data()
    Z = container(X)
    reg = model(alpha=1e-3, tol=1e-3).fit(Z, y)
    first = reg.n_iter_
    assert first > 0
    assert reg.fit(Z, y).n_iter_ == first
    coef = reg.coef_.copy()
    assert reg.set_params(warm_start=True).fit(Z, y).n_iter_ == 0
    np.testing.assert_array_equal(reg.coef_, coef)
    by_hand = model(alpha=1e-3, tol=1e-3, warm_start=True)
    by_hand.coef_ = coef
    assert by_hand.fit(Z, y).n_iter_ == 0
    with pytest.raises(ValueError, match="warm_start"):
        reg.fit(Z[:, :5], y)


def test_warm_start_from_a_negative_coefficient_with_positive():
    X, y = data()
    reg = Lasso(alpha=0.1, warm_start=True).fit(X, y)
    assert reg.coef_.min() < 0
    reg.set_params(positive=True).fit(X, y)
    np.testing.assert_allclose(reg.coef_, Lasso(alpha=0.1, positive=True).fit(X, y).coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(60, 12), (12, 60)])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_random_selection(shape, container):
    X, y = data(*shape)
    cyclic = ElasticNet(tol=1e-9).fit(container(X), y)
    random = ElasticNet(tol=1e-9, selection="random", random_state=42).fit(container(X), y)
    np.testing.assert_allclose(random.coef_, cyclic.coef_, rtol=1e-7, atol=1e-12)
    again = ElasticNet(tol=1e-9, selection="random", random_state=42).fit(container(X), y)
    np.testing.assert_array_equal(random.coef_, again.coef_)


@pytest.mark.parametrize("effective", [1.0, 30.0])
def test_alpha_zero_is_least_squares(effective):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 50)) * np.geomspace(1, 1 / effective, 50)
    y, s = X @ rng.normal(size=50) + 1.0, rng.uniform(0.01, 10, size=200)
    for precompute in (False, True):
        model = ElasticNet(alpha=0, tol=1e-15, precompute=precompute)
        with pytest.warns(UserWarning, match="With alpha=0"):
            model.fit(X, y, sample_weight=s)
        exact = linear_model.LinearRegression().fit(X, y, sample_weight=s)
        np.testing.assert_allclose(model.coef_, exact.coef_, rtol=0, atol=1e-11)
        np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=0, atol=1e-11)


@pytest.mark.parametrize("ridge_alpha", [1e-6, 0.1, 1e6])
def test_l1_ratio_zero_is_ridge(ridge_alpha):
    X, y = data(100, 30)
    s = np.linspace(0.01, 10, len(y))
    ridge = linear_model.Ridge(alpha=ridge_alpha, solver="svd").fit(X, y, sample_weight=s)
    ours = ElasticNet(alpha=ridge_alpha / s.sum(), l1_ratio=0, tol=1e-11).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(ours.coef_, ridge.coef_, rtol=5e-7, atol=3e-11)
    with pytest.raises(ValueError, match="l1_ratio=0"):
        enet_path(X, y, l1_ratio=0)
    assert enet_path(X, y, l1_ratio=0, alphas=[1.0, 0.1])[1].shape == (30, 2)


def test_positive():
    X, y = data()
    assert Lasso(alpha=0.1).fit(X, y).coef_.min() < 0
    assert Lasso(alpha=0.1, positive=True).fit(X, y).coef_.min() == 0
    X, y = X[:, :2], X[:, :2] @ [-2.0, 1.0]
    top, signed = (enet_path(X, y, alphas=2, positive=positive)[0][0] for positive in (False, True))
    assert top == pytest.approx(np.abs(X.T @ y).max() / len(y) / 0.5)
    assert signed == pytest.approx((X.T @ y).max() / len(y) / 0.5)
    for path in PATHS:
        assert (path(X, y, positive=True, alphas=5)[1] >= 0).all()
        with pytest.raises(ValueError, match="positive=True"):
            path(X, np.c_[y, y], positive=True)


@pytest.mark.parametrize("container", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_alpha_max_is_exact(container, weighted, fit_intercept):
    """The first strength of a grid leaves nothing, and 0.99 of it something."""
    X, y = data()
    s = np.linspace(1, 10, len(y)) if weighted else np.ones(len(y))
    centred = X - np.average(X, axis=0, weights=s) * fit_intercept
    top = np.max(np.abs(centred.T @ (s * (y - np.average(y, weights=s) * fit_intercept)))) / s.sum()
    at, below = (
        Lasso(alpha=share * top, fit_intercept=fit_intercept).fit(container(X), y, sample_weight=s).coef_
        for share in (1 + 1e-12, 0.99)
    )
    assert not at.any()
    assert np.abs(below).max() > 1e-4
    if not fit_intercept:
        alphas, coefs, _ = lasso_path(container(X), y, alphas=3, sample_weight=s)
        assert alphas[0] == pytest.approx(top, rel=1e-12)
        assert not coefs[:, 0].any()


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array])
def test_a_start_on_columns_without_entries_is_nowhere(kind):
    X, y = kind((20, 5)), np.arange(20.0)
    np.testing.assert_array_equal(lasso_path(X, y, alphas=[1.0], coef_init=np.ones(5))[1], np.zeros((5, 1)))
    model = Lasso(warm_start=True).fit(kind(np.eye(20)[:, :5]), 100.0 * y)
    assert model.coef_.any()
    np.testing.assert_array_equal(model.fit(X, y).coef_, np.zeros(5))


def test_constant_y_zero_x_and_overflow():
    X, y = data()
    for value in (0.0, 5.0, 0.1, 1e8 + 0.3):
        for weight in (None, np.linspace(0, 3, len(y))):
            constant = Lasso(alpha=0.01).fit(X, np.full(len(y), value), sample_weight=weight)
            np.testing.assert_array_equal(constant.predict(X), np.full(len(y), value))
            assert constant.dual_gap_ == 0.0
    np.testing.assert_array_equal(lasso_path(X, np.zeros(len(y)), alphas=3)[0], [np.finfo(float).resolution] * 3)
    for Z in (np.zeros((3, 2)), sp.csr_array((3, 2)), sp.csc_matrix((3, 2))):
        empty = ElasticNet().fit(Z, [1.0, 2.0, 4.5])
        assert not empty.coef_.any()
        np.testing.assert_allclose(empty.predict(Z), 2.5, rtol=1e-15)
    huge = np.finfo(float).max * np.random.default_rng(0).uniform(size=(10, 2))
    for Z in (huge, sp.csr_array(huge)):
        with pytest.raises(ValueError, match=r"non-finite parameter values.*Rescale"):
            ElasticNet(alpha=0.1).fit(Z, np.arange(10.0))
    with pytest.raises(ValueError, match="y is too large"):
        Lasso().fit(X, y * 1e200)


# ---- targets in two dimensions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("model", MODELS)
def test_targets_one_by_one(model, container):
    X, Y = data(targets=3)
    Z = container(X)
    reg = model(alpha=0.05).fit(Z, Y)
    assert reg.coef_.shape == reg.sparse_coef_.shape == (3, 12)
    assert reg.intercept_.shape == reg.dual_gap_.shape == (3,)
    assert len(reg.n_iter_) == 3
    for k in range(3):
        one = model(alpha=0.05).fit(Z, Y[:, k])
        np.testing.assert_array_equal(reg.coef_[k], one.coef_)
        assert reg.intercept_[k] == one.intercept_
        assert reg.dual_gap_[k] == one.dual_gap_
        np.testing.assert_allclose(reg.predict(Z)[:, k], one.predict(Z), rtol=1e-12)
    fresh = model(alpha=0.05).fit(Z, Y)  # predicts from sparse coefficients
    np.testing.assert_allclose(fresh.predict(Z), reg.predict(X), rtol=1e-12)
    assert reg.set_params(warm_start=True).fit(Z, Y).n_iter_ == [0, 0, 0]


def test_a_column_as_target():
    X, y = data()
    theirs, ours = (module.Lasso(alpha=0.1).fit(X, y[:, None]) for module in (linear_model, sparsereg))
    assert ours.coef_.shape == theirs.coef_.shape == (12,)
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
    assert ours.predict(X).shape == theirs.predict(X).shape


def test_multi_task_paths():
    X, Y = data(targets=3)
    alphas, coefs, gaps = enet_path(X, Y, alphas=4, tol=1e-10)
    assert coefs.shape == (3, 12, 4)
    expected = linear_model.MultiTaskElasticNet(alpha=alphas[2], fit_intercept=False, tol=1e-10).fit(X, Y).coef_
    np.testing.assert_allclose(coefs[..., 2], expected, rtol=1e-5, atol=1e-8)
    assert gaps.shape == (4,)
    parts = enet_path(X, Y, alphas=4, tol=1e-10, sparse_coefs=True)[1]
    assert [part.shape for part in parts] == [(12, 4)] * 3
    np.testing.assert_array_equal(np.stack([part.toarray() for part in parts]), coefs)


# ---- path functions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_path_arguments(path):
    X, y = data()
    with pytest.raises(ValueError, match="Unexpected parameters in params"):
        path(X, y, normalize=True)
    with pytest.raises(ValueError, match="X_offset"):
        path(X, y, X_offset=np.zeros(12))
    with pytest.raises(ValueError, match="selection"):
        path(X, y, selection="sideways")
    with pytest.warns(FutureWarning, match="'n_alphas' was deprecated"):
        assert path(X, y, n_alphas=5)[0].size == 5
    with pytest.warns(FutureWarning, match="'alphas=None' is deprecated"):
        assert path(X, y, alphas=None)[0].size == 100
    alphas, coefs, gaps, n_iters = path(X, y, alphas=[0.1, 1.0, 0.5], return_n_iter=True)
    np.testing.assert_array_equal(alphas, [1.0, 0.5, 0.1])
    assert (coefs.shape, gaps.shape, len(n_iters)) == ((12, 3), (3,), 3)
    for precompute in ("auto", True, False):
        np.testing.assert_array_equal(path(X, y, alphas=alphas, precompute=precompute, check_input=False)[1], coefs)
    sparse = path(X, y, alphas=alphas, sparse_coefs=True)[1]
    assert isinstance(sparse, sp.csc_array)
    np.testing.assert_array_equal(sparse.toarray(), coefs)


@pytest.mark.parametrize("path", PATHS)
def test_path_agrees_with_scikit_learn(path):
    X, y = data()
    theirs = getattr(linear_model, path.__name__)(X, y, alphas=20, tol=1e-12, max_iter=100_000)
    ours = path(X, y, alphas=20, tol=1e-12)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-10)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-6)


def test_path_starts_where_told(capsys):
    X, y = data()
    _, coefs, _, n_iters = lasso_path(X, y, alphas=[0.01], tol=1e-12, return_n_iter=True)
    _, again, _, fewer = lasso_path(
        X, y, alphas=[0.01], tol=1e-12, coef_init=coefs[:, 0], return_n_iter=True, verbose=True
    )
    np.testing.assert_allclose(again, coefs, rtol=1e-9)
    assert fewer[0] <= n_iters[0]
    assert "path: 1 of 1" in capsys.readouterr().err
    with pytest.raises(ValueError, match="coef_init"):
        lasso_path(X, y, coef_init=[1.0])

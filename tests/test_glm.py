"""Regressions of other losses: agreement with scikit-learn, offsets, weights, edges."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn import linear_model
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparsereg import GammaRegressor, HuberLossRegressor, PoissonRegressor, TweedieRegressor, regularization_path

MODELS = [
    PoissonRegressor(),
    GammaRegressor(),
    TweedieRegressor(),
    TweedieRegressor(power=1.5),
    HuberLossRegressor(),
    PoissonRegressor(l1_ratio=0.5, alpha=0.1),
]
LOSS = {"PoissonRegressor": "poisson", "GammaRegressor": "gamma", "HuberLossRegressor": "huber"}


def data(n=120, p=7, seed=0):
    """Counts, a tenth of them 0 at least, and positive amounts near them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.uniform(size=(n, p)) < 0.6)
    y = rng.poisson(np.exp(0.4 * X @ rng.normal(size=p) + 0.5)).astype(float)
    return X, y


def target_of(model, y):
    return y + 0.5 if isinstance(model, GammaRegressor) else y


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
@pytest.mark.parametrize("alpha", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("model", MODELS[:4], ids=str)
def test_agrees_with_newton_cholesky_at_l2(model, alpha, container, fit_intercept):
    X, y = data()
    y, s = target_of(model, y), np.random.default_rng(1).uniform(0.5, 2.0, len(y))
    options = {"power": model.power} if isinstance(model, TweedieRegressor) else {}
    theirs = getattr(linear_model, type(model).__name__)(
        alpha=alpha, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-12, **options
    ).fit(X, y, s)
    ours = clone(model).set_params(alpha=alpha, fit_intercept=fit_intercept).fit(container(X), y, s)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-10)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, rel=1e-7, abs=1e-10)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-7)
    assert ours.score(X, y, s) == pytest.approx(theirs.score(X, y, s), rel=1e-7)


@pytest.mark.parametrize("model", [m for m in MODELS[:5] if type(m).__name__ in LOSS], ids=str)
def test_an_l1_penalty_gives_a_point_of_the_path(model):
    X, y = data()
    y = target_of(model, y)
    ours = clone(model).set_params(alpha=0.4, l1_ratio=0.8).fit(X, y)
    path = regularization_path(X, y, loss=LOSS[type(model).__name__], alphas=[0.4], l1_ratio=0.8, tol=1e-10)
    np.testing.assert_allclose(ours.coef_, path.coefs.toarray()[:, 0], atol=1e-5)
    assert ours.intercept_ == pytest.approx(path.intercepts[0], abs=1e-5)
    assert ours.dual_gap_ <= 1e-4 * path.gap_scale
    assert 0 < ours.sparse_coef_.nnz < 7


def test_huber_is_the_minimum_of_its_formula():
    X, y = data()
    y[::10] += 50.0
    model = HuberLossRegressor(delta=0.7, alpha=0.1).fit(X, y)

    def objective(v):
        r = np.abs(y - X @ v[:-1] - v[-1])
        inner = np.minimum(r, 0.7)
        return np.mean(inner * (r - 0.5 * inner)) + 0.05 * v[:-1] @ v[:-1]

    best = minimize(objective, np.zeros(8), options={"gtol": 1e-9})
    assert objective(np.append(model.coef_, model.intercept_)) <= best.fun + 1e-10
    np.testing.assert_allclose(model.coef_, best.x[:-1], atol=1e-5)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(("power", "link"), [(0, "log"), (3, "log"), (-1, "auto"), (1, "identity"), (2.5, "identity")])
def test_other_tweedie_deviances_agree_with_scikit_learn(power, link, container):
    """Not convex, but near a minimum they are: both find the same one."""
    rng = np.random.default_rng(4)
    X = rng.uniform(0.5, 1.5, (200, 3))
    y = X @ [1.0, 2.0, 0.5] * np.exp(0.1 * rng.normal(size=200))
    options = {"power": power, "link": link, "alpha": 0.01}
    theirs = linear_model.TweedieRegressor(solver="newton-cholesky", tol=1e-10, max_iter=1000, **options).fit(X, y)
    ours = TweedieRegressor(**options).fit(container(X), y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-7)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-6)
    assert ours.gradient_norm_ < 1e-8
    assert np.isinf(ours.dual_gap_)
    sparse = TweedieRegressor(l1_ratio=1.0, **options).fit(X, y)
    assert sparse.gradient_norm_ <= 1e-6


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_an_exposure_is_an_offset_or_a_weight(l1_ratio):
    """Counts with the logarithm of the exposure as offset, or rates weighted by the exposure."""
    X, y = data()
    e = np.random.default_rng(2).uniform(0.1, 3.0, len(y))
    counts = PoissonRegressor(alpha=0.02, l1_ratio=l1_ratio).fit(X, y, offset=np.log(e))
    rates = PoissonRegressor(alpha=0.02 / e.mean(), l1_ratio=l1_ratio).fit(X, y / e, e)
    np.testing.assert_allclose(counts.coef_, rates.coef_, atol=1e-6)
    assert counts.intercept_ == pytest.approx(rates.intercept_, abs=1e-6)
    np.testing.assert_allclose(counts.predict(X, offset=np.log(e)), e * rates.predict(X), rtol=1e-5)
    assert counts.predict(X, offset=np.log(e)).sum() == pytest.approx(y.sum(), rel=1e-7)
    assert 0.0 < counts.score(X, y, offset=np.log(e)) < 1.0


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_weights_are_repetitions_and_their_scale_does_not_matter(model):
    X, y = data()
    y, counts = target_of(model, y), np.random.default_rng(3).integers(0, 4, 120)
    weighted = clone(model).fit(X, y, counts)
    repeated = clone(model).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(clone(model).fit(X, y, 1e6 * counts).coef_, weighted.coef_, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_counts_of_a_million_and_far_offsets(l1_ratio):
    X, y = data()
    y = np.where(np.arange(120) % 10 == 0, 1e6, y)
    model = PoissonRegressor(alpha=1.0, l1_ratio=l1_ratio).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert (model.predict(X) > 0.0).all()
    assert model.predict(X).sum() == pytest.approx(y.sum(), rel=1e-7)
    o = np.where(np.arange(120) % 3 == 0, -1e4, 0.0)
    shifted = PoissonRegressor(alpha=0.1, l1_ratio=l1_ratio).fit(X, np.where(o < 0, 0.0, y), offset=o)
    s = PoissonRegressor(alpha=0.1, l1_ratio=l1_ratio).fit(X, np.where(o < 0, 0.0, y), (o == 0) * 1.0)
    mean = PoissonRegressor(alpha=0.1 * 120 / (o == 0).sum(), l1_ratio=l1_ratio).fit(X[o == 0], y[o == 0])
    np.testing.assert_allclose(shifted.coef_, mean.coef_, rtol=1e-5, atol=1e-6)
    assert np.isfinite(s.coef_).all()


def test_single_precision_warm_starts_and_zero_columns():
    X, y = data()
    X[:, 2] = 0.0
    double = PoissonRegressor(alpha=0.1).fit(X, y)
    single = PoissonRegressor(alpha=0.1).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == single.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-4, atol=1e-6)
    assert double.coef_[2] == 0.0
    warm = PoissonRegressor(alpha=0.1, warm_start=True).fit(X, y)
    assert warm.n_iter_ > 0
    assert warm.fit(X, y).n_iter_ == 0
    with pytest.warns(ConvergenceWarning, match="failed to converge after 1 iteration"):
        PoissonRegressor(alpha=0.1, max_iter=1).fit(X, y)


@pytest.mark.parametrize(
    ("model", "y", "message"),
    [
        (PoissonRegressor(), [1, -1, 0], "out of the valid range of the loss 'poisson': y holds -1"),
        (GammaRegressor(), [1, 0, 2], "out of the valid range of the loss 'gamma': y holds 0"),
        (PoissonRegressor(), [0, 0, 0], "holds only 0"),
        (PoissonRegressor(alpha=-1), [1, 2, 3], "alpha=-1"),
        (PoissonRegressor(l1_ratio=2), [1, 2, 3], "l1_ratio=2"),
        (PoissonRegressor(solver="cd"), [1, 2, 3], "solver='cd'"),
        (TweedieRegressor(power=0.5), [1, 2, 3], "power=0.5"),
        (TweedieRegressor(power=3), [1, 0, 3], "takes y above 0"),
        (TweedieRegressor(link="logit"), [1, 2, 3], "link='logit'"),
        (HuberLossRegressor(delta=0), [1, 2, 3], "delta=0"),
        (PoissonRegressor(penalty_factor=[1.0]), [1, 2, 3], "penalty_factor"),
    ],
)
def test_what_cannot_be_fitted_is_refused(model, y, message):
    with pytest.raises(ValueError, match=message):
        model.fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], y)

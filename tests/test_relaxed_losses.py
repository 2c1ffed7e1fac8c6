"""Relaxed fits of other losses than squares: exact in the folds and at the end, and said where there is no minimum."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from scipy.special import logsumexp
from sklearn.model_selection import KFold
from test_dropin import data
from test_part_folds import in_parts

from sparsereg import (
    ElasticNetCV,
    GammaRegressorCV,
    HuberLossRegressorCV,
    LogisticRegressionCV,
    PoissonRegressorCV,
    TweedieRegressorCV,
    cross_validate_path,
)
from sparsereg.losses import as_loss

LOSSES = ["logistic", "poisson", "gamma", ("tweedie", 1.5), ("huber", 1.0), "squared_hinge"]


def target(loss, X):
    rng, z = np.random.default_rng(1), 0.4 * X[:, 0] - 0.3 * X[:, 1]
    name = loss if isinstance(loss, str) else loss[0]
    return {
        "logistic": (rng.random(len(z)) < 1.0 / (1.0 + np.exp(-z))) * 1.0,
        "poisson": rng.poisson(np.exp(z)) * 1.0,
        "gamma": np.exp(z) * rng.gamma(2.0, size=len(z)),
        "tweedie": np.exp(z) * rng.poisson(1.0, size=len(z)),
        "huber": z + rng.standard_t(3, size=len(z)),
        "squared_hinge": np.where(z + rng.normal(size=len(z)) > 0.0, 1.0, -1.0),
        "multinomial": np.where(z > 0.7, 0, rng.integers(0, 3, len(z))),
    }[name]


def minimum(value_and_slope, size):
    """By SciPy's BFGS."""
    found = scipy.optimize.minimize(value_and_slope, np.zeros(size), jac=True, method="BFGS", options={"gtol": 1e-9})
    return found.x


def least(loss, X, y, s, offset, l2):
    """Coefficients and intercept of the least loss with `S l2 / 2 |w|^2`."""
    A, free = np.column_stack([X, np.ones(len(y))]), np.r_[np.ones(X.shape[1]), 0.0]

    def value_and_slope(x):
        z = A @ x + offset
        with np.errstate(over="ignore"):
            value, rho = loss.total(y, z, s), s * loss.residual(y, z)
        return (value / s.sum() + 0.5 * l2 * np.sum(free * x * x)), (l2 * free * x - A.T @ rho / s.sum())

    x = minimum(value_and_slope, X.shape[1] + 1)
    return x[:-1], x[-1]


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("loss", LOSSES)
def test_they_are_exact_in_the_folds_and_at_the_end(loss, l1_ratio, container):
    X = data(n=150)[0]
    X[:, 1] += 3e4  # a far column, which is shifted on the way in
    y = target(loss, X - [0.0, 3e4] @ np.eye(2, 12))
    rng, kind = np.random.default_rng(2), as_loss(loss)
    s, offset = rng.uniform(0.5, 2.0, 150), 0.2 * rng.normal(size=150)
    options = {"loss": loss, "l1_ratio": l1_ratio, "alphas": 5, "eps": 0.1, "cv": KFold(3), "keep_fold_paths": True}
    options |= {"sample_weight": s, "offset": offset, "tol": 1e-7}
    found = cross_validate_path(container(X), y, relax=True, **options)
    plain = cross_validate_path(container(X), y, **options).chosen
    paths = [*zip(found.chosen.fold_paths, plain.fold_paths, KFold(3).split(X), strict=True)]
    for f, (fitted, chosen, (train, test)) in enumerate([*paths, (found.path, plain.path, (slice(None), None))]):
        assert fitted.methods[-1] == "relaxed"
        for k, alpha in enumerate(fitted.alphas):
            columns = chosen.point(k)[0]
            centre = X[:, columns].mean(axis=0)
            w, b = least(
                kind,
                (X - X.mean(axis=0))[train][:, columns],
                y[train],
                s[train],
                offset[train],
                alpha * (1.0 - l1_ratio),
            )
            np.testing.assert_allclose(fitted.coef(k).toarray()[0, columns], w, atol=2e-6)
            z = X[:, columns] @ w + b - centre @ w + offset
            np.testing.assert_allclose(fitted.predict(X, k) + offset, z, atol=1e-5)
            deviance = kind.value(y, z) + kind.conjugate(y, np.zeros(150))
            if test is not None:
                assert found.chosen.fold_losses[k, f] == pytest.approx(
                    2.0 * np.average(deviance[test], weights=s[test]), abs=1e-5
                )
            else:
                explained = 1.0 - np.average(deviance, weights=s) / fitted.gap_scale
                assert fitted.deviance_explained[k] == pytest.approx(explained, abs=1e-6)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_several_classes(l1_ratio, fit_intercept):
    X = data(n=150)[0]
    y, rng, K = target("multinomial", X), np.random.default_rng(2), 3
    s, offset = rng.uniform(0.5, 2.0, 150), 0.2 * rng.normal(size=(150, K))
    options = {"loss": "multinomial", "l1_ratio": l1_ratio, "alphas": 5, "eps": 0.1, "cv": 3, "sample_weight": s}
    options |= {"offset": offset, "fit_intercept": fit_intercept, "tol": 1e-7}
    found, plain = (cross_validate_path(sp.csr_array(X), y, relax=relax, **options) for relax in (True, False))
    for k, alpha in [*enumerate(found.path.alphas)][1:]:
        free = plain.path.coef(k).toarray() != 0.0
        one = np.full((K, 1), fit_intercept)

        mask = np.hstack([free, one])

        def value_and_slope(x, mask=mask, l2=alpha * (1.0 - l1_ratio)):
            W = np.zeros(mask.shape)
            W[mask] = x
            Z = X @ W[:, :-1].T + W[:, -1] + offset
            log_p = Z - logsumexp(Z, axis=1, keepdims=True)
            R = s[:, None] * (np.exp(log_p) - np.eye(K)[y]) / s.sum()
            slope = np.column_stack([R.T @ X + l2 * W[:, :-1], R.sum(axis=0)])
            value = -np.average(log_p[np.arange(150), y], weights=s)
            return value + 0.5 * l2 * np.sum(W[:, :-1] ** 2), slope[mask]

        x = minimum(value_and_slope, int(free.sum()) + K * fit_intercept)
        W = np.zeros((K, 13))
        W[mask] = x
        Z, own = X @ W[:, :-1].T + W[:, -1], found.path.predict(X, k)
        np.testing.assert_allclose(own - own.mean(axis=1, keepdims=True), Z - Z.mean(axis=1, keepdims=True), atol=1e-5)
        assert not found.path.coef(k).toarray()[~free].any()
    assert found.path.methods[-1] == "relaxed"


@pytest.mark.parametrize("loss", ["logistic", "poisson", "multinomial"])
def test_columns_without_a_best_coefficient_get_ridge_and_a_warning(loss):
    """A column that is 1 for one class only, or in no row with a count."""
    X = data(n=120)[0][:, :3]
    y = target(loss, X)
    X = np.column_stack([X, (y == 0) * (np.arange(120) % 3 > 0)])
    options = {"loss": loss, "alphas": [0.02], "cv": 3, "tol": 1e-11}
    with pytest.warns(UserWarning, match="relax=True: at 4 points.*ridge at the same alpha"):
        found = cross_validate_path(X, y, relax=True, **options)
    assert found.path.methods[0].startswith("ridge")
    columns = np.flatnonzero(cross_validate_path(X, y, **options).path.coef(0).toarray().any(axis=0))
    ridge = cross_validate_path(X[:, columns], y, l1_ratio=0.0, **options)
    if loss != "multinomial":  # whose coefficients of some classes stay 0
        np.testing.assert_allclose(found.path.coef(0).toarray()[:, columns], ridge.path.coef(0).toarray(), atol=1e-4)
    assert np.isfinite(found.chosen.fold_losses).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cross_validate_path(X, y, relax=True, **options | {"l1_ratio": 0.5})


@pytest.mark.parametrize(
    ("ours", "loss"),
    [
        (PoissonRegressorCV, "poisson"),
        (GammaRegressorCV, "gamma"),
        (TweedieRegressorCV, ("tweedie", 1.5)),
        (HuberLossRegressorCV, "huber"),
    ],
)
def test_estimators_have_the_relaxed_coefficients(ours, loss):
    X = data(n=150)[0]
    y = target(loss, X)
    options = {"relax": True, "alphas": 6, "cv": 3, "rule": lambda _: 3}
    model = ours(**options).fit(X, y)
    by_hand = cross_validate_path(X, y, loss=loss, **options)
    np.testing.assert_allclose(model.coef_, by_hand.path.coef(by_hand.k).toarray()[0])
    np.testing.assert_allclose(model.intercept_, by_hand.path.intercepts[by_hand.k])
    assert not np.allclose(model.coef_, ours(alphas=[model.alpha_], cv=3).fit(X, y).coef_)


@pytest.mark.parametrize("K", [2, 3])
def test_classifiers_have_the_relaxed_coefficients(K):
    X = data(n=150)[0]
    y = np.array(["a", "b", "c"])[target("logistic" if K == 2 else "multinomial", X).astype(int)]
    model = LogisticRegressionCV(relax=True, cv=3).fit(sp.csr_array(X), y)
    path, k = model.validation_.path, model.validation_.k
    np.testing.assert_array_equal(model.sparse_coef_.toarray(), path.coef(k).toarray())
    z = model.decision_function(X)
    np.testing.assert_allclose(z, path.predict(X, k))
    assert path.methods[k] in ("", "newton", "relaxed")


def test_what_is_refused():
    X, y = data(n=60)
    counts = target("poisson", X)
    for refused in (PoissonRegressorCV(relax=True, positive=True), ElasticNetCV(relax=True, positive=True)):
        with pytest.raises(ValueError, match="relax=True with positive=True"):
            refused.fit(X, counts)
    with pytest.raises(ValueError, match="relax=True with positive=True"):
        cross_validate_path(X, y, relax=True, positive=True)
    with pytest.raises(ValueError, match="relax='yes'"):
        LogisticRegressionCV(relax="yes").fit(X, y > 0.0)
    with pytest.raises(ValueError, match="relax=1"):
        cross_validate_path(X, y, relax=1)
    rows, _ = in_parts(sp.csr_array(X), y, None, 3)
    with pytest.raises(ValueError, match="relax=True was passed beside rows in parts"):
        cross_validate_path(rows, relax=True)


def test_squares_relax_as_the_estimator_does():
    X, y = data(n=90)
    for solver in ("auto", "prox_gradient"):
        found = cross_validate_path(X, y, relax=True, alphas=6, cv=3, tol=1e-9, solver=solver)
        model = ElasticNetCV(l1_ratio=1.0, relax=True, alphas=found.path.alphas, cv=3, tol=1e-9).fit(X, y)
        np.testing.assert_allclose(found.chosen.fold_losses, model.mse_path_, rtol=1e-6)

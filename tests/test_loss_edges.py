"""Losses other than squares at the edge: separable, rare and settled classes, empty columns, huge counts."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor as PlainPoisson

from sparsereg import (
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    PoissonRegressorCV,
    SquaredHingeClassifier,
    regularization_path,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 8))
SIGN = X[:, 0] > 0.0


def lasso(**options):
    return LogisticRegression(C=1.0, l1_ratio=1.0, tol=1e-8, max_iter=10_000, **options)


@pytest.mark.parametrize("scale", [1e-100, 1e-15, 1e15, 1e30])
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_scale_of_a_column_without_penalty_changes_no_prediction(scale, l1_ratio, fit_intercept):
    y, counts = X[:, 0] + X[:, 1] > 0.3 * RNG.normal(size=200), RNG.poisson(np.exp(X[:, 0]))
    options = {
        "penalty_factor": np.append(0.0, np.ones(7)),
        "l1_ratio": l1_ratio,
        "fit_intercept": fit_intercept,
        "tol": 1e-8,
    }
    scaled = X * np.append(scale, np.ones(7))
    for model, target in ((LogisticRegression(**options), y), (PoissonRegressor(alpha=0.01, **options), counts)):
        plain = model.fit(X, target).coef_.ravel().copy()
        model.fit(scaled, target)
        np.testing.assert_allclose(model.coef_.ravel() * np.append(scale, np.ones(7)), plain, atol=1e-3)
        assert 0.0 <= model.dual_gap_ <= 1e-6


def test_separable_classes():
    """No coefficient runs away under a penalty; without one steps end where every row is settled."""
    model = lasso().fit(X, SIGN)
    assert model.score(X, SIGN) > 0.97
    assert 0.0 <= model.dual_gap_ <= 1e-7
    assert np.isfinite(LogisticRegressionCV(cv=3).fit(X, SIGN).coef_).all()
    free = LogisticRegression(C=np.inf).fit(X, SIGN)
    assert np.isfinite(free.coef_).all()
    assert free.score(X, SIGN) == 1.0


def test_an_offset_under_the_squared_hinge():
    """That of a path; of several classes each has a column."""
    y, offset = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5]), RNG.normal(size=(200, 3))
    several = SquaredHingeClassifier(C=0.1, l1_ratio=1.0, tol=1e-9).fit(X, y, offset=offset)
    for k in range(3):
        sign = np.where(y == k, 1.0, -1.0)
        two = SquaredHingeClassifier(C=0.1, l1_ratio=1.0, tol=1e-9).fit(X, sign, offset=offset[:, k])
        at = {"loss": "squared_hinge", "alphas": [1.0 / (2.0 * 0.1 * 200)], "offset": offset[:, k], "tol": 1e-9}
        path = regularization_path(X, sign, **at)
        np.testing.assert_allclose(two.coef_[0], path.coefs.toarray()[:, 0], atol=1e-4)
        np.testing.assert_allclose(several.coef_[k], two.coef_[0], atol=1e-6)
    expected = several.decision_function(X) + offset
    np.testing.assert_allclose(several.decision_function(X, offset=offset), expected, atol=1e-12)
    with pytest.raises(ValueError, match="offset has shape"):
        several.fit(X, y, offset=offset[:, 0])


@pytest.mark.parametrize("beta", [0.5, 2.0, 5.0])
def test_newton_steps_under_a_penalty_on_confidence_know_the_curvature_of_intercepts(beta):
    """Eliminated by that of the convex part alone they converged slowly: 200 steps were not enough."""
    y = np.digitize(X[:, 0] + X[:, 1], [0.5, 1.5])
    model = LogisticRegression(confidence_penalty=beta, max_iter=25).fit(X > 0.5, y)
    assert model.gradient_norm_ <= 1e-6


@pytest.mark.parametrize("C", [1e4, 1e6])
@pytest.mark.parametrize("loss", ["logistic", "poisson"])
def test_a_weak_l1_penalty_on_dependent_columns_of_ones(C, loss):
    """Thresholds are small beside what rounding or an intercept near the best leaves of gradients, so that the scaled
    residual says nothing: models are certified at a projected dual point."""
    rng, n, sizes = np.random.default_rng(0), 20_000, (5, 8, 12, 20, 40, 15)
    levels = np.stack([np.minimum(rng.zipf(1.7, n), size) - 1 for size in sizes], axis=1)
    levels[:, 3] = np.where(rng.random(n) < 0.9, levels[:, 2], levels[:, 3])
    indices = (levels + np.cumsum([0, *sizes[:-1]])).astype(np.int32).ravel()
    ones = sp.csr_array((np.ones(6 * n), indices, np.arange(0, 6 * n + 1, 6, dtype=np.int32)), shape=(n, 100))
    z, options = ones @ rng.normal(size=100) - 1.0, {"l1_ratio": 1.0, "max_iter": 200}
    alpha = 1.0 / (C * n)
    model = LogisticRegression(C=C, **options) if loss == "logistic" else PoissonRegressor(alpha=alpha, **options)
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-z)) if loss == "logistic" else rng.poisson(np.exp(np.minimum(z, 3.0)))

    def objective(coef, intercept):
        at = ones @ coef + intercept
        values = np.logaddexp(0.0, at) if loss == "logistic" else np.exp(at)
        return np.mean(values - y * at) + alpha * np.abs(coef).sum()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(ones, y)
        path = regularization_path(ones, y.astype(float), loss=loss, alphas=[alpha], tol=1e-6)
    least = objective(path.coefs[:, [-1]].toarray().ravel(), path.intercepts[-1]) - path.dual_gaps[-1]
    distance = objective(np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])) - least
    assert 0.0 <= distance <= model.dual_gap_ + 2.0 * path.dual_gaps[-1]
    assert model.dual_gap_ <= 1e-4 * path.gap_scale


@pytest.mark.parametrize("model", [LogisticRegression(), LogisticRegressionCV()])
def test_one_class_is_refused(model):
    with pytest.raises(ValueError, match="at least 2 classes"):
        model.fit(X, np.ones(200))


@pytest.mark.parametrize("model", [LogisticRegressionCV, PoissonRegressorCV])
def test_criteria_are_named_where_a_rule_is_asked_for(model):
    with pytest.raises(ValueError, match="information_criterion"):
        model(rule="bic").fit(X, SIGN)


def test_rare_events():
    """2 of 200,000 rows: the mean prediction is their share, as the intercept is not penalized."""
    n = 200_000
    level = RNG.integers(0, 50, n)
    one_hot = sp.csr_array((np.ones(n), (np.arange(n), level)), shape=(n, 50))
    y = np.zeros(n)
    y[level == 3] = np.arange((level == 3).sum()) < 2
    model = lasso().fit(one_hot, y)
    np.testing.assert_allclose(model.predict_proba(one_hot)[:, 1].sum(), 2.0, rtol=1e-4)
    assert model.dual_gap_ <= 1e-7


@pytest.mark.parametrize("far", [700.0, 1e4])
@pytest.mark.parametrize("right", [True, False])
def test_settled_predictors(far, right):
    """Offsets far on the right or the wrong side give numbers."""
    offset = np.where(right == SIGN, far, -far)
    offset[:100] = 0.0
    model = LogisticRegression(C=1.0, l1_ratio=1.0, max_iter=10_000).fit(X, SIGN, offset=offset)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert 0.0 <= model.dual_gap_ < np.inf


def test_rows_of_weight_0_and_empty_columns_change_nothing():
    s = np.where(np.arange(200) % 5, 1.0, 0.0)
    wide = np.hstack([X, np.zeros((200, 2))])
    model, kept = lasso().fit(wide, SIGN, sample_weight=s), lasso().fit(X[s > 0.0], SIGN[s > 0.0])
    np.testing.assert_allclose(model.coef_[:, :8], kept.coef_, atol=1e-5)
    assert not model.coef_[:, 8:].any()


def test_probabilities_on_the_boundary_are_classes():
    y = SIGN.astype(float)
    np.testing.assert_allclose(lasso().fit(X, np.column_stack([1.0 - y, y])).coef_, lasso().fit(X, y).coef_, atol=1e-6)


@pytest.mark.parametrize("alpha", [1e-3, 10.0])
def test_counts_to_a_million_with_tiny_exposure(alpha):
    """Deviance as scikit-learn's to 1e-8; predictions are finite and positive."""
    n = 1_000
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 6, n), rng.integers(0, 5, n)
    dense = np.hstack([f[:, None] == np.unique(f) for f in (a, b, 10 * a + b)]).astype(float)
    exposure = 10 ** rng.uniform(-9.0, 0.0, n)
    y = rng.poisson(np.minimum(np.exp(2.0 * dense @ rng.normal(size=dense.shape[1]) + 15.0) * exposure, 1e6)) / exposure
    y[:3] = 1e6 / exposure[:3]
    plain = PlainPoisson(alpha=alpha, solver="newton-cholesky", tol=1e-10, max_iter=100)
    with warnings.catch_warnings():  # where its steps only change digits that are rounding
        warnings.simplefilter("ignore", ConvergenceWarning)
        plain.fit(dense, y, sample_weight=exposure)
    model = PoissonRegressor(alpha=alpha, tol=1e-10).fit(sp.csr_array(dense), y, sample_weight=exposure)

    def objective(of):
        mu = of.predict(dense)
        logs = np.log(np.where(y > 0.0, y, 1.0) / mu)
        return exposure @ (y * np.where(y > 0.0, logs, 0.0) - y + mu) / exposure.sum() + alpha / 2 * of.coef_ @ of.coef_

    np.testing.assert_allclose(objective(model), objective(plain), rtol=1e-8)
    assert 0.0 < model.predict(dense).min() <= model.predict(dense).max() < np.inf


@pytest.mark.parametrize("far", [40.0, 700.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_several_classes_with_dependent_columns_and_huge_offsets(far, fit_intercept):
    rng = np.random.default_rng(2)
    wide, offset = np.hstack([X, X[:, :4] + X[:, 4:], X[:, :2]]), rng.choice([-far, 0.0, far], (200, 3))
    options = {"loss": "multinomial", "alphas": 3, "tol": 1e-4, "fit_intercept": fit_intercept}
    assert regularization_path(wide, rng.integers(0, 3, 200), **options).certified.all()
    assert regularization_path(wide, rng.integers(0, 3, 200), offset=offset, **options).certified.all()


def test_several_classes_at_hopeless_offsets_end_with_a_gap():
    """With offsets of 1e4 hardly a row has curvature; what is not reached is said, in finite numbers."""
    rng = np.random.default_rng(3)
    with pytest.warns(ConvergenceWarning):
        path = regularization_path(
            X,
            rng.integers(0, 3, 200),
            loss="multinomial",
            alphas=3,
            max_iter=200,
            offset=rng.choice([-1e4, 0.0, 1e4], (200, 3)),
        )
    assert all(np.isfinite(w.data).all() for w in path.coefs)
    assert np.isfinite(path.intercepts).all()


@pytest.mark.parametrize("option", [{}, {"C": np.inf}, {"l1_ratio": 1.0}, {"confidence_penalty": 0.5}])
def test_a_class_without_weight(option):
    """Without an l1 penalty its probability is as good as 0, and the others are fitted; with one it is refused."""
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(60, 3)), np.array(["a", "b", "c"])[np.arange(60) % 3]
    absent, given = (y != "b") * 1.0, {"C": 0.5, "tol": 1e-7} | option
    soft = np.column_stack([y == "a", np.zeros(60), y == "c"])[y != "b"]
    fits = [
        lambda model: model.fit(Z, y, sample_weight=absent),
        lambda model: model.set_params(class_weight={"b": 0.0}).fit(Z, y),
        lambda model: model.fit(Z[y != "b"], soft, classes=["a", "b", "c"]),
    ]
    for fit in fits:
        if "l1_ratio" in option:
            with pytest.raises(ValueError, match="Class b has no weight in any row"):
                fit(LogisticRegression(**given))
            continue
        p = fit(LogisticRegression(**given)).predict_proba(Z)
        if "confidence_penalty" in option:  # at a share of about exp(-1 / beta)
            assert 0.02 < p[:, 1].max() < 0.2
            continue
        assert p[:, 1].max() < 1e-6
        # of two classes the softmax has twice the differences under half of the penalty
        two = LogisticRegression(**given | {"C": 2.0 * given["C"]}).fit(Z[y != "b"], y[y != "b"])
        np.testing.assert_allclose(p[:, [0, 2]], two.predict_proba(Z), atol=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gamma_rows_far_from_the_others_leave_a_certificate(sign):
    """Rows so far on one side have no curvature; where they are above the others, how far does not matter."""
    rng = np.random.default_rng(0)
    y, paths = rng.gamma(2.0, np.exp(0.3 * X[:, 0])), []
    for far in (100.0, 1e4):
        offset = np.where(np.arange(200) < 5, sign * far, 0.0)
        paths.append(regularization_path(X, y, loss="gamma", alphas=6, eps=0.05, tol=1e-6, offset=offset))
        assert paths[-1].certified.all()
        assert (paths[-1].n_iters < 1000).all()
    if sign > 0.0:
        np.testing.assert_allclose(paths[0].alphas, paths[1].alphas, rtol=1e-6)
        np.testing.assert_allclose(paths[0].coefs.toarray(), paths[1].coefs.toarray(), atol=2e-3)

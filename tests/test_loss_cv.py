"""`PoissonRegressorCV` and the like, `LogisticRegressionCV`: fits at the choice, scores, and scikit-learn's own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import linear_model
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from test_dropin import data

from sparsereg import (
    GammaRegressor,
    GammaRegressorCV,
    HuberLossRegressor,
    HuberLossRegressorCV,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    PoissonRegressorCV,
    TweedieRegressor,
    TweedieRegressorCV,
    cross_validate_path,
)

PAIRS = [
    (PoissonRegressorCV, PoissonRegressor, "poisson"),
    (GammaRegressorCV, GammaRegressor, "gamma"),
    (TweedieRegressorCV, TweedieRegressor, ("tweedie", 1.5)),
    (HuberLossRegressorCV, HuberLossRegressor, "huber"),
]


def amounts(loss):
    X, y = data(n=80)
    rng, mean = np.random.default_rng(0), np.exp(0.3 * (y - y.mean()))
    return X, rng.poisson(mean) * 1.0 if loss == "poisson" else mean * rng.gamma(3.0, size=80)


@pytest.mark.parametrize(("ours", "plain", "loss"), PAIRS)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_choice_and_fit(ours, plain, loss, container):
    X, y = amounts(loss)
    rng = np.random.default_rng(1)
    s, offset = rng.uniform(0.5, 2.0, 80), 0.1 * rng.normal(size=80)
    model = ours(alphas=8, cv=4, l1_ratio=[0.5, 1.0]).fit(container(X), y, sample_weight=s, offset=offset)
    by_hand = cross_validate_path(
        container(X), y, loss=loss, cv=4, alphas=8, l1_ratio=[0.5, 1.0], sample_weight=s, offset=offset
    )
    np.testing.assert_allclose(model.mse_path_, [path.fold_losses for path in by_hand.paths])
    assert (model.alpha_, model.l1_ratio_) == (by_hand.alpha, by_hand.l1_ratio)
    options = {"power": 1.5, "link": "log"} if plain is TweedieRegressor else {}
    alone = plain(alpha=model.alpha_, l1_ratio=model.l1_ratio_, max_iter=1000, **options)
    alone.fit(container(X), y, sample_weight=s, offset=offset)
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-6)
    np.testing.assert_allclose(model.predict(X, offset=offset), alone.predict(X, offset=offset), rtol=1e-5)
    assert model.dual_gap_ <= 1e-4
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_scores_are_scikit_learns(l1_ratio, weighted):
    """C stands beside a sum in every fold."""
    X, z = data(n=90)
    y = np.where(z > np.median(z), "yes", "no")
    s = np.random.default_rng(1).uniform(0.5, 2.0, 90) if weighted else None
    cv, Cs = StratifiedKFold(3), np.array([0.3, 1.0, 3.0])
    model = LogisticRegressionCV(Cs=Cs, cv=cv, l1_ratios=l1_ratio, tol=1e-8).fit(sp.csr_array(X), y, sample_weight=s)
    for f, (train, test) in enumerate(cv.split(X, y)):
        for k, C in enumerate(Cs):
            theirs = linear_model.LogisticRegression(C=C, l1_ratio=l1_ratio, solver="saga", tol=1e-7, max_iter=20_000)
            theirs.fit(X[train], y[train], sample_weight=None if s is None else s[train])
            own = None if s is None else s[test]
            expected = log_loss(y[test], theirs.predict_proba(X[test]), sample_weight=own)
            assert model.scores_[f, 0, k] == pytest.approx(-2.0 * expected, rel=1e-3)
    np.testing.assert_allclose(model.Cs_, Cs)
    assert pytest.approx(Cs[np.argmax(model.scores_[:, 0].mean(axis=0))]) == model.C_
    alone = LogisticRegression(C=model.C_, l1_ratio=l1_ratio, max_iter=1000, tol=1e-8).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-5)
    assert list(model.classes_) == ["no", "yes"]
    assert set(model.predict(X)) == {"no", "yes"}


def test_logistic_grid_scorers_and_class_weights():
    X, z = data(n=90)
    y = z > np.quantile(z, 0.8)
    automatic = LogisticRegressionCV(class_weight="balanced", rule="1se").fit(X, y)
    assert automatic.validation_.chosen.stopped == "turned"
    assert (np.diff(automatic.Cs_) > 0).all()
    accuracy = LogisticRegressionCV(Cs=5, scoring="accuracy").fit(X, y)
    assert accuracy.Cs_.shape == (5,)
    assert ((accuracy.scores_ >= 0.0) & (accuracy.scores_ <= 1.0)).all()
    auc = LogisticRegressionCV(Cs=[0.1, 1.0], l1_ratios=[0.5, 1.0], scoring="roc_auc").fit(X, y)
    assert auc.scores_.shape == (5, 2, 2)
    with pytest.raises(ValueError, match=r"Cs\[1\]"):
        LogisticRegressionCV(Cs=[1.0, -1.0]).fit(X, y)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_folds_of_several_classes_are_scikit_learns(l1_ratio, weighted):
    X, z = data(n=120)
    y = np.array(["a", "b", "c"])[np.searchsorted(np.quantile(z, [0.3, 0.7]), z)]
    s = np.random.default_rng(1).uniform(0.5, 2.0, 120) if weighted else None
    cv, Cs = StratifiedKFold(3), np.array([0.1, 1.0, 3.0])
    model = LogisticRegressionCV(Cs=Cs, cv=cv, l1_ratios=l1_ratio, tol=1e-8).fit(sp.csr_array(X), y, sample_weight=s)
    for f, (train, test) in enumerate(cv.split(X, y)):
        for k, C in enumerate(Cs):
            solver = "saga" if l1_ratio else "newton-cg"
            theirs = linear_model.LogisticRegression(C=C, l1_ratio=l1_ratio, solver=solver, tol=1e-7, max_iter=50_000)
            theirs.fit(X[train], y[train], sample_weight=None if s is None else s[train])
            own = None if s is None else s[test]
            expected = log_loss(y[test], theirs.predict_proba(X[test]), sample_weight=own)
            assert model.scores_[f, 0, k] == pytest.approx(-2.0 * expected, rel=1e-3)
    assert pytest.approx(Cs[np.argmax(model.scores_[:, 0].mean(axis=0))]) == model.C_
    alone = LogisticRegression(C=model.C_, l1_ratio=l1_ratio, max_iter=1000, tol=1e-8).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(model.predict_proba(X), alone.predict_proba(X), atol=1e-4)
    assert model.coef_.shape == (3, X.shape[1])
    accuracy = LogisticRegressionCV(Cs=[0.1, 1.0, 10.0], cv=3, scoring="accuracy", l1_ratios=l1_ratio).fit(X, y)
    assert accuracy.Cs_[np.argmax(accuracy.scores_[:, 0].mean(axis=0))] == accuracy.C_
    automatic = LogisticRegressionCV(cv=3).fit(X, y)
    assert automatic.validation_.chosen.stopped == "turned"
    assert automatic.score(X, y) > 0.6


def test_parameters_of_scikit_learn_are_taken_or_refused():
    X, z = data(n=90)
    y = z > np.median(z)
    plain = LogisticRegressionCV(Cs=3, cv=3, l1_ratios=(0.0,)).fit(X, y)
    with pytest.warns(FutureWarning, match="'penalty' was deprecated"):
        named = LogisticRegressionCV(Cs=3, cv=3, penalty="l2", solver="saga", random_state=1).fit(X, y)
    given = LogisticRegressionCV(Cs=3, cv=3, l1_ratios=None, use_legacy_attributes=False, dual=False).fit(X, y)
    for model in (named, given):
        np.testing.assert_array_equal(model.coef_, plain.coef_)
    for options, words in (
        ({"refit": False, "rule": "1se"}, "rule='1se' with refit=False"),
        ({"use_legacy_attributes": "no"}, "use_legacy_attributes"),
        ({"solver": "adam"}, "solver='adam'"),
        ({"penalty": "l3"}, "penalty='l3'"),
        ({"intercept_scaling": 0.0}, "intercept_scaling"),
    ):
        with pytest.raises(ValueError, match=words):
            LogisticRegressionCV(Cs=3, **options).fit(X, y)
    with pytest.raises(ValueError, match="positive=True"):
        LogisticRegressionCV(Cs=3, positive=True).fit(X, np.arange(90) % 3)

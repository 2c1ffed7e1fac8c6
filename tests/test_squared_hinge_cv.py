"""`SquaredHingeClassifierCV` and `HuberLossRegressorCV`: the choice beside plain loops over folds, classes, errors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.svm import LinearSVC

from sparsereg import (
    HuberLossRegressor,
    HuberLossRegressorCV,
    SparsityReport,
    SquaredHingeClassifier,
    SquaredHingeClassifierCV,
)


def labelled(n=120, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6))
    z = X[:, :3] @ rng.normal(size=(3, classes)) + rng.gumbel(size=(n, classes))
    return X, np.array(["no", "yes", "well"])[z.argmax(axis=1)], rng


def squares(model, X, y):
    """The mean squared hinge, a sum over the classes."""
    z = model.decision_function(X)
    if z.ndim == 1:
        z, of = z[:, None], model.classes_[1:]
    else:
        of = model.classes_
    sign = np.where(y[:, None] == of, 1.0, -1.0)
    return (np.maximum(1.0 - sign * z, 0.0) ** 2).sum(axis=1)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_scores_are_those_of_a_loop(classes, l1_ratio, weighted, scoring):
    """C stands beside a sum in every fold."""
    X, y, rng = labelled(classes=classes)
    s = rng.integers(1, 4, y.size).astype(float) if weighted else None
    cv, Cs = StratifiedKFold(3), np.array([0.01, 0.1, 3.0])
    model = SquaredHingeClassifierCV(Cs=Cs, l1_ratios=l1_ratio, cv=cv, tol=1e-9, scoring=scoring)
    model.fit(sp.csr_array(X), y, sample_weight=s)
    for f, (train, test) in enumerate(cv.split(X, y)):
        for k, C in enumerate(Cs):
            alone = SquaredHingeClassifier(C=C, l1_ratio=l1_ratio, tol=1e-9)
            alone.fit(X[train], y[train], None if s is None else s[train])
            own = None if s is None else s[test]
            score = -np.average(squares(alone, X[test], y[test]), weights=own)
            if scoring is not None:
                score = accuracy_score(y[test], alone.predict(X[test]), sample_weight=own)
            assert model.scores_[f, 0, k] == pytest.approx(score, rel=1e-4)
    np.testing.assert_allclose(model.Cs_, Cs)
    chosen = model.Cs_[model.scores_[:, 0].mean(axis=0).argmax()]
    assert pytest.approx(chosen) == model.C_
    alone = SquaredHingeClassifier(C=model.C_, l1_ratio=l1_ratio, tol=1e-9).fit(X, y, s)
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, alone.intercept_, atol=1e-6)
    assert model.score(X, y, s) == pytest.approx(accuracy_score(y, alone.predict(X), sample_weight=s))
    assert clone(model).get_params().keys() == model.get_params().keys()


def test_choice_beside_linear_svc():
    X, y, _ = labelled()
    cv, Cs = KFold(4), [0.001, 0.01, 0.1, 1.0]
    model = SquaredHingeClassifierCV(Cs=Cs, cv=cv, fit_intercept=False, scoring="accuracy", tol=1e-8).fit(X, y)
    for f, (train, test) in enumerate(cv.split(X)):
        for k, C in enumerate(Cs):
            theirs = LinearSVC(C=C, fit_intercept=False, tol=1e-9, max_iter=100_000).fit(X[train], y[train])
            assert model.scores_[f, 0, k] == pytest.approx(theirs.score(X[test], y[test]))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_automatic_paths(classes, scoring):
    X, y, rng = labelled(classes=classes)
    offset = 0.1 * rng.normal(size=y.size if classes == 2 else (y.size, classes))
    model = SquaredHingeClassifierCV(cv=3, rule="1se", scoring=scoring, keep_fold_paths=True)
    model.fit(X, y, offset=offset)
    chosen = model.validation_.chosen
    assert model.l1_ratio_ == 1.0
    assert model.Cs_.size == chosen.alphas.size == chosen.path.intercepts.shape[0]
    assert (np.diff(model.Cs_) > 0.0).all()
    assert len(chosen.fold_paths) == 3
    assert model.cv_results_["n_nonzero"][0] == 0
    assert chosen.path.certified.all()
    z = chosen.path.predict(X, model.validation_.k) + offset
    fitted = model.decision_function(X, offset=offset)
    np.testing.assert_allclose(z, fitted, atol=2e-2)
    if classes > 2:
        assert (chosen.path.labels(z) == model.predict(X, offset=offset)).mean() > 0.98
    assert "of 6 columns" in str(SparsityReport.from_estimator(model))


@pytest.mark.parametrize("classes", [2, 3])
def test_relaxed_and_budgets(classes):
    X, y, _ = labelled(300, classes)
    relaxed = SquaredHingeClassifierCV(Cs=[0.002, 0.01], l1_ratios=1.0, cv=3, relax=True).fit(X, y)
    path, k = relaxed.validation_.path, relaxed.validation_.k
    np.testing.assert_allclose(relaxed.coef_, path.coef(k).toarray())
    np.testing.assert_allclose(relaxed.intercept_, np.atleast_1d(path.intercepts[k]))
    short = SquaredHingeClassifierCV(cv=3, max_columns=2).fit(X, y)
    assert short.validation_.chosen.stopped == "max_columns"
    assert (short.validation_.path.n_nonzero[:-1] < 2 * classes).all()


def test_errors():
    X, y, _ = labelled(classes=3)
    for options, words in (
        ({"Cs": []}, "Cs="),
        ({"Cs": [1.0, -1.0]}, r"Cs\[1\]"),
        ({"Cs": "many"}, "Cs='many'"),
        ({"l1_ratios": [2.0]}, "l1_ratio"),
        ({"rule": "least"}, "rule"),
        ({"rule": "1se-rows"}, "rule='1se-rows'"),
        ({"scoring": "no such"}, "scoring="),
        ({"relax": True, "positive": True}, "positive=True"),
        ({"tol": -1.0}, "tol"),
    ):
        with pytest.raises(ValueError, match=words):
            SquaredHingeClassifierCV(**options).fit(X, y)
    with pytest.raises(ValueError, match=r"expected labels of shape \(n,\)"):
        SquaredHingeClassifierCV().fit(X, np.full((len(y), 3), 1 / 3))
    for delta in (0.0, -1.0, np.nan, "wide"):
        with pytest.raises(ValueError, match="delta"):
            HuberLossRegressorCV(delta=delta).fit(X, X[:, 0])


@pytest.mark.parametrize("delta", [0.3, 1.35])
def test_huber_losses_are_those_of_a_loop(delta):
    X, _, rng = labelled()
    y = X[:, 0] + rng.standard_t(1.5, size=len(X))
    cv, alphas = KFold(4), np.array([0.3, 0.1, 0.01])
    model = HuberLossRegressorCV(delta=delta, alphas=alphas, cv=cv, tol=1e-9).fit(X, y)
    for f, (train, test) in enumerate(cv.split(X)):
        for k, alpha in enumerate(alphas):
            alone = HuberLossRegressor(delta=delta, alpha=alpha, l1_ratio=1.0, tol=1e-9).fit(X[train], y[train])
            r = np.abs(y[test] - alone.predict(X[test]))
            loss = np.where(r <= delta, r**2, 2.0 * delta * r - delta**2).mean()
            assert model.mse_path_[k, f] == pytest.approx(loss, rel=1e-5)
    alone = HuberLossRegressor(delta=delta, alpha=model.alpha_, l1_ratio=1.0, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(model.coef_, alone.coef_, atol=1e-6)
    assert str(model.path_loss[0]) == alone.path_loss[0]

"""Ridge as a classifier: agreement with scikit-learn, labels, weights of classes, scores, errors."""

from __future__ import annotations

from inspect import signature

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.linear_model as skl
from sklearn.metrics import accuracy_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from sparsereg import RidgeClassifier, RidgeClassifierCV

PAIRS = [(RidgeClassifier, skl.RidgeClassifier), (RidgeClassifierCV, skl.RidgeClassifierCV)]


def data(seed: int, n_classes: int, n: int = 90, p: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    y = (X @ rng.normal(size=(p, n_classes)) + rng.normal(size=(n, n_classes))).argmax(axis=1)
    return X, np.array(["ash", "beech", "cedar", "elm"])[y], rng.uniform(0.2, 3.0, n)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"ash": 5.0}])
@pytest.mark.parametrize("weighted", [True, False])
def test_agrees_with_scikit_learn(ours, theirs, n_classes, class_weight, weighted):
    X, y, s = data(0, n_classes)
    a, b = (kind(class_weight=class_weight).fit(X, y, s if weighted else None) for kind in (ours, theirs))
    for name in ("coef_", "intercept_", "classes_"):
        assert np.shape(getattr(a, name)) == np.shape(getattr(b, name)), name
    np.testing.assert_allclose(a.coef_, b.coef_, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(a.decision_function(X), b.decision_function(X), rtol=1e-7, atol=1e-10)
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    assert a.score(X, y) == b.score(X, y)
    if ours is RidgeClassifierCV:
        assert a.alpha_ == b.alpha_
        assert a.best_score_ == pytest.approx(b.best_score_)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_several_labels_a_row(ours, theirs):
    X, y, _ = data(1, 4)
    Y = np.stack([y == "ash", X[:, 0] > 0, X[:, 1] > 0.5], axis=1).astype(int)
    a, b = ours().fit(sp.csr_array(X), Y), theirs().fit(X, Y)
    np.testing.assert_allclose(a.coef_, b.coef_, rtol=1e-7, atol=1e-10)
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    assert a.predict(X).shape == Y.shape


@pytest.mark.parametrize("n_classes", [2, 4])
def test_left_out_accuracy_is_that_of_refits(n_classes):
    """Of two classes as well, where scikit-learn 1.9 compares a single column with itself and always finds 1."""
    X, y, _ = data(2, n_classes, 40)
    alphas = [0.1, 30.0, 300.0]
    model = RidgeClassifierCV(alphas=alphas, scoring="accuracy").fit(X, y)
    slow = [
        accuracy_score(y, cross_val_predict(skl.RidgeClassifier(alpha=alpha), X, y, cv=LeaveOneOut()))
        for alpha in alphas
    ]
    np.testing.assert_allclose(model.cv_scores_, slow)
    assert model.best_score_ == max(slow)
    assert model.alpha_ == alphas[int(np.argmax(slow))]


def test_left_out_scores_of_several_labels():
    X, y, _ = data(3, 4, 40)
    Y = np.stack([y == "ash", X[:, 0] > 0], axis=1).astype(int)
    model = RidgeClassifierCV(alphas=[1.0], scoring="accuracy").fit(X, Y)
    slow = cross_val_predict(skl.RidgeClassifier(), X, Y, cv=LeaveOneOut())
    assert model.best_score_ == accuracy_score(Y, slow)


@pytest.mark.parametrize("scoring", [None, "accuracy", "roc_auc", "f1_macro"])
def test_folds_agree_with_scikit_learn(scoring):
    X, y, s = data(4, 2)
    options = {"alphas": [0.1, 10.0, 1000.0], "cv": 4, "scoring": scoring}
    a, b = (kind(**options).fit(X, y, s) for kind in (RidgeClassifierCV, skl.RidgeClassifierCV))
    assert a.alpha_ == b.alpha_
    assert a.best_score_ == pytest.approx(b.best_score_)
    np.testing.assert_allclose(a.coef_, b.coef_)


def test_nothing_of_nominal_width():
    X, y, _ = data(5, 3)
    A = sp.csr_array(X)
    stretch = 10**12
    wide = sp.csr_array((A.data, A.indices * np.int64(stretch), A.indptr.astype(np.int64)), shape=(90, 6 * stretch))
    for kind in (RidgeClassifier, RidgeClassifierCV):
        ours, narrow = kind().fit(wide, y), kind().fit(A, y)
        np.testing.assert_allclose(ours.sparse_coef_.data, narrow.coef_.ravel())
        np.testing.assert_array_equal(ours.predict(wide), narrow.predict(A))


def test_results_and_attributes():
    X, y, _ = data(6, 3)
    model = RidgeClassifierCV(alphas=[1.0, 10.0], store_cv_results=True).fit(X, y)
    assert model.cv_results_.shape == (90, 3, 2)
    np.testing.assert_allclose(-model.cv_results_.mean(axis=(0, 1)), model.cv_scores_)
    assert model.gradient_norm_.shape == model.n_iter_.shape == (3,)
    plain = RidgeClassifier(solver="cg", tol=1e-8).fit(X, y)
    assert (plain.method_, plain.gradient_norm_.shape) == ("cg", (3,))
    assert (plain.gradient_norm_ <= 1e-10).all()


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_signatures_begin_with_scikit_learns(ours, theirs):
    mine, other = signature(ours).parameters, signature(theirs).parameters
    assert list(mine)[: len(other)] == list(other)
    assert all(mine[name].default == parameter.default for name, parameter in other.items())


@pytest.mark.parametrize("kind", [RidgeClassifier, RidgeClassifierCV])
def test_bad_input_is_named(kind):
    X, y, s = data(7, 2)
    with pytest.raises(ValueError, match="class_weight='even'"):
        kind(class_weight="even").fit(X, y)
    with pytest.raises(ValueError, match="sample_weight"):
        kind(class_weight="balanced").fit(X, y, -s)
    with pytest.raises(ValueError, match="sample_weight"):
        kind(class_weight="balanced").fit(X, y, s[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        kind().fit(X, X[:, 0])


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_scores_weigh_rows_whatever_holds_the_weights(class_weight):
    X, y, s = data(7, 3)
    expected = RidgeClassifierCV(cv=3, class_weight=class_weight).fit(X, y, s)
    order = np.random.default_rng(0).permutation(len(y))
    for weights in (list(s), pd.Series(s, index=order)):
        model = RidgeClassifierCV(cv=3, class_weight=class_weight).fit(X, y, weights)
        assert model.best_score_ == expected.best_score_


@pytest.mark.parametrize("kind", [RidgeClassifier, RidgeClassifierCV])
def test_nothing_stored_gives_the_commoner_class(kind):
    X, y = sp.csr_array((30, 4)), np.arange(30) % 3 > 0
    assert kind().fit(X, y).predict(X).all()

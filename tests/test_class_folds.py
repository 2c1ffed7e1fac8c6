"""Cross-validation of the multinomial loss: each fold is what a fit on its training rows measures on the others."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from sparsereg import SparsityReport, cross_validate_path, regularization_path


def rows_of(n=600, p=30, seed=0):
    """One-hot rows of two fields, whose labels lean to a class by level."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, p // 2, (n, 2))
    X = sp.csr_array((np.ones(2 * n), (levels + np.array([0, p // 2])).ravel(), 2 * np.arange(n + 1)), shape=(n, p))
    lean = 1.2 * np.stack([levels[:, 0] % 3 == 0, levels[:, 1] % 4 == 0, levels[:, 1] % 5 == 1], axis=1)
    return X, np.array(["b", "a", "c"])[np.argmax(lean + rng.gumbel(size=(n, 3)), axis=1)], rng


def probabilities(path, X, k, offset):
    z = np.stack([(X @ output.tocsc()[:, [k]]).toarray()[:, 0] for output in path.outputs], axis=1)
    z = z + path.intercepts[k] + offset
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("with_rows", [False, True])
def test_losses_are_those_of_fits_on_the_training_rows(with_rows):
    """Twice the log-loss of scikit-learn; with weights and offsets too."""
    X, y, rng = rows_of()
    s = rng.uniform(0.5, 2.0, y.size) if with_rows else None
    offset = rng.normal(size=(y.size, 3)) if with_rows else np.zeros((y.size, 3))
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    given = {"loss": "multinomial", "tol": 1e-10}
    further = {"sample_weight": s, "offset": offset} if with_rows else {}
    validation = cross_validate_path(X, y, cv=folds, alphas=6, eps=0.05, keep_fold_paths=True, **given, **further)
    assert validation.path.classes.tolist() == ["a", "b", "c"]
    whole = regularization_path(X, y, alphas=6, eps=0.05, **given, **further)
    np.testing.assert_allclose(validation.path.alphas, whole.alphas)
    np.testing.assert_allclose(validation.path.intercepts, whole.intercepts, atol=1e-4)
    assert validation.chosen.is_deviance
    for f, (train, test) in enumerate(folds):
        of_train = {name: part[train] for name, part in further.items()}
        path = regularization_path(X[train], y[train], alphas=validation.path.alphas, **given, **of_train)
        own = validation.chosen.fold_paths[f]
        for k in range(6):
            weights = None if s is None else s[test]
            found = validation.chosen.fold_losses[k, f]
            expected = 2.0 * log_loss(y[test], probabilities(path, X[test], k, offset[test]), sample_weight=weights)
            assert found == pytest.approx(expected, rel=1e-5)
            p = probabilities(own, X[test], k, offset[test])
            assert found == pytest.approx(2.0 * log_loss(y[test], p, sample_weight=weights), rel=1e-10)


def test_scorers_see_labels_and_the_path_ends_where_it_should():
    X, y, _ = rows_of()
    folds = list(StratifiedKFold(4).split(X, y))
    given = {"loss": "multinomial", "alphas": 12, "eps": 0.02, "keep_fold_paths": True}
    for scoring, sign in (("accuracy", -1.0), ("neg_log_loss", 1.0)):
        found = cross_validate_path(X, y, cv=folds, scoring=scoring, **given)
        assert not found.chosen.is_deviance
        for f, (_, test) in enumerate(folds):
            p = probabilities(found.chosen.fold_paths[f], X[test], 7, 0.0)
            labels = found.path.classes[p.argmax(axis=1)]
            expected = accuracy_score(y[test], labels) if scoring == "accuracy" else log_loss(y[test], p)
            assert found.chosen.fold_losses[7, f] == pytest.approx(sign * expected, rel=1e-9)
    by_number = cross_validate_path(X, y, cv=4, **given)  # a number: stratified folds, as of two classes
    plain = cross_validate_path(X, y, cv=folds, **given)
    np.testing.assert_array_equal(by_number.chosen.fold_losses, plain.chosen.fold_losses)
    patient = cross_validate_path(X, y, cv=4, patience=2, **given | {"eps": 1e-3, "alphas": 25})
    assert (patient.chosen.stopped, patient.path.alphas.size - 1 - patient.k) == ("patience", 2)
    automatic = cross_validate_path(X, y, loss="multinomial", alphas=20, eps="auto")
    assert automatic.chosen.stopped == "turned"
    report = SparsityReport.from_path(plain)
    assert report.point == plain.k
    assert report.path[plain.k]["held"] == pytest.approx(
        1 - plain.chosen.mean_losses[plain.k] / plain.chosen.mean_losses[0]
    )


def test_probabilities_as_targets():
    X, y, _ = rows_of()
    soft = 0.9 * (y[:, None] == np.array(["a", "b", "c"])) + 0.1 / 3
    found = cross_validate_path(X, soft, loss="multinomial", alphas=5, cv=3)
    assert (found.chosen.mean_losses > 0.0).all()
    assert found.k > 0
    with pytest.raises(ValueError, match="y holds probabilities"):
        cross_validate_path(X, soft, loss="multinomial", scoring="accuracy")


def test_scorers_of_labels_are_refused_beside_probabilities_of_two_classes():
    """By name; a function sees what was passed."""
    X, y, _ = rows_of()
    soft = np.where(y == "a", 0.9, 0.2)
    for scoring in ("roc_auc", "accuracy", "neg_log_loss", "neg_mean_squared_error"):
        with pytest.raises(ValueError, match=f"scoring='{scoring}' compares labels, .* leave scoring out"):
            cross_validate_path(X, soft, loss="logistic", scoring=scoring)

    def minus_brier(model, X, y):
        return -np.mean((model.predict_proba(X)[:, 1] - y) ** 2)

    found = cross_validate_path(X, soft, loss="logistic", scoring=minus_brier, alphas=5, cv=3)
    assert found.chosen.mean_losses[found.k] < found.chosen.mean_losses[0] < 0.15


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "multinomial"])
def test_folds_of_labels_are_those_of_scikit_learn(loss):
    """Stratified, also where rows are sorted by class: consecutive ones would hold out one class."""
    X, y, _ = rows_of()
    labels = {"logistic": (y == "a") * 1.0, "squared_hinge": np.where(y == "a", 1.0, -1.0), "multinomial": y}[loss]
    order = np.argsort(labels, kind="stable")
    X, labels = X[order], labels[order]
    given = {"loss": loss, "alphas": 4}
    by_number = cross_validate_path(X, labels, cv=3, **given).chosen.fold_losses
    folds = list(check_cv(3, labels, classifier=True).split(X, labels))
    np.testing.assert_array_equal(by_number, cross_validate_path(X, labels, cv=folds, **given).chosen.fold_losses)


def test_what_cannot_be_fitted_is_refused():
    X, y, _ = rows_of()
    rare = np.where(np.arange(y.size) == 5, "z", y)
    folds = KFold(3).split(X)
    with pytest.warns(UserWarning, match="lack a class, such as z"):
        cross_validate_path(X, rare, loss="multinomial", cv=folds)
    with pytest.raises(ValueError, match="positive=True is for a single output"):
        cross_validate_path(X, y, loss="multinomial", positive=True)
    with pytest.raises(ValueError, match="scoring='nothing'"):
        cross_validate_path(X, y, loss="multinomial", scoring="nothing")
    with pytest.raises(ValueError, match="offset"):
        cross_validate_path(X, y, loss="multinomial", offset=np.zeros(y.size))

"""Folds whose training rows lack a class."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import KFold, PredefinedSplit

from sparsereg import LogisticRegression, LogisticRegressionCV, cross_validate_path, regularization_path
from sparsereg.losses.absent import LOG_FLOOR
from sparsereg.report.held_out import HeldOut
from sparsereg.report.samples import FoldSample, Sample

LACK = "training rows of [12] folds lack a class"
MOST = -2.0 * LOG_FLOOR  # the deviance of a row of an absent class


def rows(K, n=90):
    """A CSR of numbers, and labels of which the last class is in the last fold of three alone."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 6)) * (rng.random((n, 6)) < 0.6)
    y = np.minimum(1 * (X[:, 0] + rng.normal(size=n) > 0.0) + (K == 4) * (X[:, 1] > 0.5), K - 2)
    y[-7:] = K - 1
    return sp.csr_array(X), y.astype(float) if K == 2 else y


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_of_several_classes_the_others_are_fitted(l1_ratio, weighted):
    """As if there were no other, also by weights of 0, with offsets, by rows' differences."""
    (X, y), cv, rng = rows(4), KFold(3), np.random.default_rng(0)
    offset = rng.normal(size=(y.size, 4))
    s = rng.uniform(0.5, 2.0, y.size) if weighted else None
    options = {"alphas": np.geomspace(0.1, 0.01, 4), "l1_ratio": l1_ratio, "tol": 1e-9, "loss": "multinomial"}
    given = {"sample_weight": s, "offset": offset}
    with pytest.warns(UserWarning, match="1 folds lack a class, such as 3"):
        found = cross_validate_path(X, y, cv=cv, rule="1se-rows", keep_fold_paths=True, **given, **options).chosen
    train, test = list(cv.split(X))[2]
    given = {"sample_weight": None if s is None else s[train], "offset": offset[train, :3]}
    alone, own = regularization_path(X[train], y[train], **given, **options), found.fold_paths[2]
    assert own.certified.all()
    assert list(own.classes) == [0, 1, 2, 3]
    assert np.isneginf(own.intercepts[:, 3]).all()
    np.testing.assert_allclose(own.intercepts[:, :3], alone.intercepts, atol=1e-4)
    assert own.outputs[3].tocsc().nnz == 0
    for k in range(4):
        z = np.stack([X[test] @ alone.outputs[c].tocsc()[:, [k]].toarray()[:, 0] for c in range(3)], axis=1)
        z += alone.intercepts[k] + offset[test, :3]
        p = np.exp(z - np.logaddexp.reduce(z, axis=1)[:, None])
        each = np.append(-2.0 * np.log(p), np.full((test.size, 1), MOST), axis=1)[np.arange(test.size), y[test]]
        expected = np.average(each, weights=None if s is None else s[test])
        assert found.fold_losses[k, 2] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("with_offset", [False, True])
@pytest.mark.parametrize("K", [2, 3])
def test_one_class_is_predicted(K, with_offset):
    """Where training rows have no other: at every strength alike."""
    X, y = rows(K)
    y[:] = np.minimum(y, 1)
    y[-7:-4] = K - 1
    y[:60] = 0
    rng = np.random.default_rng(1)
    offset = rng.normal(size=y.size if K == 2 else (y.size, K)) if with_offset else None
    loss = "logistic" if K == 2 else "multinomial"
    with pytest.warns(UserWarning, match=LACK):
        found = cross_validate_path(
            X, y, loss=loss, offset=offset, cv=KFold(3), rule="1se-rows", alphas=5, keep_fold_paths=True
        ).chosen
    np.testing.assert_allclose(found.fold_losses[:, 2], np.mean(np.where(y[60:] > 0, MOST, 0.0)), rtol=1e-12)
    assert not found.fold_paths[2].n_nonzero.any()
    assert np.isneginf(found.fold_paths[2].intercepts).any()
    assert found.fold_paths[2].certified.all()
    held = sample_of_folds(X, y, K, found, offset)
    null = np.zeros(len(found.path.outputs))
    scores = HeldOut.measure(found.path, held, null).scores
    assert np.isfinite(scores).all()


def sample_of_folds(X, y, K, validated, offset):
    """All rows as a report of held-out scores reads them."""
    targets = y[:, None] if K == 2 else np.eye(K)[y.astype(int)]
    offset = None if offset is None else offset.reshape(y.size, -1)
    whole = Sample(X, targets[:, 0], None, targets, offset=offset)
    return FoldSample.of_folds(whole, [test for _, test in KFold(3).split(X)], validated.fold_paths)


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "neg_brier_score", "accuracy"])
@pytest.mark.parametrize("K", [2, 3])
def test_scorers_know_all_classes(K, scoring):
    """Also those that neither the training nor the held-out rows have."""
    (X, y), names = rows(K), np.array(["a", "b", "c"])
    y[:] = np.minimum(y, 1)
    y[:60], y[-7:-4] = 0, K - 1
    with pytest.warns(UserWarning, match=LACK):
        model = LogisticRegressionCV(Cs=3, cv=KFold(3), scoring=scoring).fit(X, names[y.astype(int)])
    assert np.isfinite(model.scores_).all()
    if scoring == "neg_log_loss":
        np.testing.assert_allclose(model.scores_[2, 0], LOG_FLOOR * np.mean(y[60:] > 0), rtol=1e-9)


def test_a_scorer_keeps_its_own_labels():
    """What `make_scorer` was given stays."""
    from sklearn.metrics import f1_score, make_scorer

    X, y = rows(3)
    y = np.arange(y.size) % 2
    scorer = make_scorer(f1_score, pos_label=0)
    model = LogisticRegressionCV(Cs=[1.0], cv=KFold(3), scoring=scorer).fit(X, y)
    train, test = next(KFold(3).split(X))
    fit = LogisticRegression(C=1.0, tol=1e-8).fit(X[train], y[train])
    assert model.scores_[0, 0, 0] == pytest.approx(f1_score(y[test], fit.predict(X[test]), pos_label=0))


def test_the_mean_of_folds_is_of_those_with_all_classes():
    X, y = rows(3)
    cv = PredefinedSplit(np.r_[np.arange(83) % 2, np.full(7, 2)])
    with pytest.warns(UserWarning, match=LACK):
        model = LogisticRegressionCV(Cs=3, cv=cv, refit=False).fit(X, y)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert (model.predict_proba(X[-7:])[:, 2] > 0.01).all()
    with pytest.warns(UserWarning, match=LACK), pytest.raises(ValueError, match="every fold lack a class"):
        LogisticRegressionCV(Cs=3, cv=PredefinedSplit(np.r_[np.full(83, -1), np.zeros(7, int)]), refit=False).fit(X, y)


def test_without_an_intercept_the_class_has_a_best_fit():
    """Its coefficients are finite; so are those of two classes."""
    X, y = rows(3)
    for target, loss in ((y, "multinomial"), ((y == 2) * 1.0, "logistic")):
        found = cross_validate_path(
            X, target, loss=loss, cv=KFold(3), alphas=3, fit_intercept=False, keep_fold_paths=True
        ).chosen
        assert np.isfinite(found.fold_losses).all()
        assert (found.fold_losses < MOST / 4).all()

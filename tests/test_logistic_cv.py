"""`LogisticRegressionCV` beside scikit-learn's, where labels, scorers and attributes are concerned."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegressionCV as Reference
from sklearn.metrics import accuracy_score, f1_score, fbeta_score, get_scorer, log_loss, roc_auc_score
from sklearn.model_selection import KFold

from sparsereg import LogisticRegression, LogisticRegressionCV, cross_validate_path, regularization_path


def labelled(n=150, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    z = X @ rng.normal(size=(4, classes)) + rng.gumbel(size=(n, classes))
    return X, np.array(["no", "yes", "well"])[z.argmax(axis=1)], rng


def test_scorers_see_the_labels_of_two_classes():

    def of_no(estimator, X, y):
        return fbeta_score(y, estimator.predict(X), beta=0.5, pos_label="no")

    X, y, _ = labelled()
    given = {"Cs": [0.01, 1.0], "cv": 3, "tol": 1e-8, "l1_ratios": (0.0,), "use_legacy_attributes": False}
    for scorer in (of_no, get_scorer("neg_log_loss")):
        ours = LogisticRegressionCV(scoring=scorer, **given).fit(X, y)
        theirs = Reference(scoring=scorer, **given).fit(X, y)
        np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-4)


def test_rows_whose_probabilities_round_to_one_keep_their_order():
    rng = np.random.default_rng(0)
    X = 100.0 * rng.normal(size=(120, 3))
    y = 1.0 * (X[:, 0] > 0.0)
    y[:30:7] = 1.0 - y[:30:7]  # the rows that are held out are on the wrong side, the others tell the classes apart
    given = {"cv": [(np.arange(30, 120), np.arange(30))], "alphas": [0.1, 1e-3, 1e-6], "keep_fold_paths": True}
    chosen = cross_validate_path(X, y, loss="logistic", scoring="roc_auc", **given).chosen
    for k, (loss,) in enumerate(chosen.fold_losses):
        z = chosen.fold_paths[0].predict(X[:30], k)
        assert np.abs(z).max() > 50.0
        assert loss == pytest.approx(-roc_auc_score(y[:30], z))
    LogisticRegressionCV(Cs=[1e4], scoring="roc_auc").fit(X, X[:, 0] > 0.0)


@pytest.mark.parametrize("scoring", ["accuracy", "roc_auc", "f1"])
def test_scorers_see_labels_and_decisions_of_the_squared_hinge(scoring):
    X, y, _ = labelled()
    y = np.where(y == "yes", 1.0, -1.0)
    given = {"loss": "squared_hinge", "alphas": 5, "cv": KFold(3), "scoring": scoring, "keep_fold_paths": True}
    chosen = cross_validate_path(X, y, **given).chosen
    for f, (_, test) in enumerate(KFold(3).split(X)):
        z = chosen.fold_paths[f].predict(X[test], 3)
        score = {"accuracy": accuracy_score, "f1": f1_score, "roc_auc": roc_auc_score}[scoring]
        assert chosen.fold_losses[3, f] == pytest.approx(-score(y[test], z if scoring == "roc_auc" else np.sign(z)))


@pytest.mark.parametrize("classes", [2, 3])
def test_score_is_that_of_scoring(classes):
    X, y, rng = labelled(classes=classes)
    s = rng.uniform(0.5, 2.0, y.size)
    model = LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, scoring="neg_log_loss").fit(X, y)
    assert model.score(X, y) == pytest.approx(-log_loss(y, model.predict_proba(X)))
    assert model.score(X, y, sample_weight=s) == pytest.approx(-log_loss(y, model.predict_proba(X), sample_weight=s))
    plain = LogisticRegressionCV(Cs=[0.1, 1.0], cv=3).fit(X, y)
    weighted = accuracy_score(y, plain.predict(X), sample_weight=s)
    assert plain.score(X, y, s) == plain.score(X, y, sample_weight=s) == pytest.approx(weighted)
    with pytest.raises(ValueError, match="is only supported if enable_metadata_routing=True"):
        model.score(X, y, groups=y)


def test_a_scorer_without_weights_is_refused_beside_weights():
    X, y, rng = labelled()

    def right(estimator, X, y):
        return float((estimator.predict(X) == y).mean())

    model = LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, scoring=right).fit(X, y)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        model.fit(X, y, sample_weight=rng.uniform(0.5, 2.0, y.size))


def test_no_strengths_are_refused_by_their_name():
    with pytest.raises(ValueError, match="Cs="):
        LogisticRegressionCV(Cs=[]).fit(*labelled()[:2])


def test_scorers_ask_for_weights():
    X, y, rng = labelled()
    s = rng.integers(1, 9, y.size).astype(float)
    with config_context(enable_metadata_routing=True):
        found, scores = [], []
        for asks in (True, False):
            scorer = get_scorer("accuracy").set_score_request(sample_weight=asks)
            model = LogisticRegressionCV(Cs=[0.01, 1.0], l1_ratios=(0.0,), scoring=scorer, cv=3)
            found.append(model.set_fit_request(sample_weight=True).fit(X, y, sample_weight=s))
            scores.append(found[-1].scores_)
        assert not np.allclose(*scores)
        assert found[0].score(X, y, sample_weight=s) == pytest.approx(
            accuracy_score(y, found[0].predict(X), sample_weight=s)
        )
        with pytest.raises(TypeError, match="got unexpected argument"):
            found[1].score(X, y, sample_weight=s)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_coefficients_of_the_folds(classes, fit_intercept):
    X, y, _ = labelled(classes=classes)
    given = {"Cs": [0.01, 0.1, 1.0], "l1_ratios": (0.0, 0.5), "tol": 1e-8, "fit_intercept": fit_intercept, "cv": 3}
    model = LogisticRegressionCV(keep_fold_paths=True, **given).fit(X, y)
    reference = Reference(
        solver="saga", max_iter=10_000, use_legacy_attributes=False, scoring="neg_log_loss", random_state=0, **given
    ).fit(X, y)
    assert model.coefs_paths_.shape == reference.coefs_paths_.shape
    found, expected = model.coefs_paths_, reference.coefs_paths_
    zero = ~found[..., :4].any(axis=(3, 4))  # saga does not look at its intercepts, and stops there at once
    np.testing.assert_allclose(found[~zero], expected[~zero], atol=2e-4)
    assert not expected[zero][..., :4].any()
    assert model.l1_ratios_.tolist() == [0.0, 0.5]
    np.testing.assert_array_equal(LogisticRegressionCV(**given).fit(X, y).coefs_paths_, found)  # few are kept anyway
    with pytest.raises(AttributeError, match="keep_fold_paths=True"):
        LogisticRegressionCV(cv=3).fit(X, y).coefs_paths_  # noqa: B018


@pytest.mark.filterwarnings("ignore:'l1_ratios=None' was deprecated:FutureWarning")
@pytest.mark.parametrize("l1_ratios", [None, np.array([0.0]), np.array([0.0, 0.5])], ids=["none", "one", "two"])
@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_older_attributes_and_means_of_folds_are_scikit_learns(classes, refit, l1_ratios):
    X, y, _ = labelled(classes=classes)
    given = {
        "Cs": [0.01, 0.1, 1.0], "l1_ratios": l1_ratios, "tol": 1e-9, "cv": 3, "refit": refit, "max_iter": 10_000,
        "use_legacy_attributes": True,
    }  # fmt: skip
    model = LogisticRegressionCV(**given).fit(X, y)
    solver = "lbfgs" if l1_ratios is None else "saga"
    reference = Reference(solver=solver, scoring="neg_log_loss", random_state=0, **given).fit(X, y)
    for name in ("C_", "Cs_") if l1_ratios is None else ("C_", "l1_ratio_", "Cs_"):
        np.testing.assert_allclose(getattr(model, name), getattr(reference, name), rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=2e-4)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, atol=2e-4)
    for name, unit in (("scores_", 2.0), ("coefs_paths_", 1.0)):  # scores are deviances, twice the log loss
        found, expected = getattr(model, name), getattr(reference, name)
        assert list(found) == list(expected)
        for label in expected:
            weak = slice(1, None)  # saga stops at once where all coefficients are 0, its intercepts too
            assert found[label].shape == expected[label].shape
            np.testing.assert_allclose(found[label][:, weak] / unit, expected[label][:, weak], atol=1e-3)
    assert np.isinf(model.dual_gap_) != refit
    assert (model.predict(X) == reference.predict(X)).mean() > 0.98
    assert not hasattr(model, "gradient_norm_") or refit


def test_means_of_folds_of_an_automatic_path():
    """Folds end at different strengths; coefficients stay sparse."""
    X, y, _ = labelled()
    model = LogisticRegressionCV(cv=3, refit=False).fit(X, y)
    chosen = model.validation_.chosen
    best = chosen.fold_losses.argmin(axis=0)
    paths = list(zip(chosen.fold_paths, best, strict=True))
    np.testing.assert_allclose(model.coef_[0], np.mean([p.coef(k).toarray().ravel() for p, k in paths], axis=0))
    np.testing.assert_allclose(model.intercept_, np.mean([p.intercepts[k] for p, k in paths]))
    np.testing.assert_allclose(model.C_, np.mean([1.0 / (p.alphas[k] * len(y)) for p, k in paths]))
    assert model.sparse_coef_.shape == (1, X.shape[1])


def test_strengths_of_their_own_for_ridge():
    """It has no strength at which all coefficients are 0; the default is then scikit-learn's."""
    X, y, _ = labelled()
    model = LogisticRegressionCV(l1_ratios=(0.0,), cv=3).fit(X, y)
    np.testing.assert_allclose(model.Cs_, np.logspace(-4, 4, 10))
    assert model.scores_.shape == (3, 1, 10)


def test_ratios_are_scikit_learns_where_strengths_are_given():
    X, y, _ = labelled()
    assert LogisticRegressionCV(cv=3).fit(X, y).l1_ratio_ == 1.0
    model = LogisticRegressionCV(Cs=[1.0], cv=3).fit(X, y)
    assert model.l1_ratio_ == 0.0
    np.testing.assert_allclose(model.coef_, LogisticRegression().fit(X, y).coef_, rtol=1e-5)
    with pytest.raises(ValueError, match="l1_ratios='lasso'"):
        LogisticRegressionCV(l1_ratios="lasso").fit(X, y)


def test_the_elastic_net_wants_ratios():
    X, y, _ = labelled()
    with pytest.warns(FutureWarning, match="penalty"), pytest.raises(ValueError, match="l1_ratios=None"):
        LogisticRegressionCV(penalty="elasticnet", l1_ratios=None).fit(X, y)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_without_training_rows(classes):
    """Without an intercept the fit is there; with one it would be infinite, and a warning says what takes its place."""
    X, y, _ = labelled(30, classes)
    X, y = X[np.argsort(y)], np.sort(y)
    loss, folds = "logistic" if classes == 2 else "multinomial", KFold(classes)
    target = (y == "yes") * 1.0 if classes == 2 else y
    first = np.searchsorted(y, np.unique(y)[1])
    folds = [(np.arange(first, 30), np.arange(first)), (np.arange(0, 30, 2), np.arange(1, 30, 2))]
    path = cross_validate_path(X, target, loss=loss, fit_intercept=False, cv=folds, alphas=4, tol=1e-8)
    assert np.isfinite(path.chosen.fold_losses).all()
    with pytest.warns(UserWarning, match="Use stratified folds"):
        cross_validate_path(X, target, loss=loss, cv=folds, alphas=4)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("l1_ratios", [(0.0,), (1.0,)])
def test_soft_targets_are_rows_of_labels_by_their_probability(K, l1_ratios):
    """Each row as K rows of the classes, held out together, weighted by the probabilities."""
    rng, n = np.random.default_rng(K), 90
    X = rng.normal(size=(n, 4))
    p = np.exp(X[:, :K] + 0.5 * rng.normal(size=(n, K)))
    p, s, names = p / p.sum(axis=1, keepdims=True), rng.integers(1, 3, n) * 1.0, np.array(["a", "b", "c"])[:K]
    shift = rng.normal(size=n) if K == 2 else rng.normal(size=(n, K))
    given = {"Cs": [0.05, 1.0], "l1_ratios": l1_ratios, "tol": 1e-10, "class_weight": {"a": 2.0}}
    soft = LogisticRegressionCV(cv=3, **given).fit(X, p, s, offset=shift, classes=names)
    rows = np.repeat(np.arange(n), K)
    folds = [
        (np.flatnonzero(np.isin(rows, train)), np.flatnonzero(np.isin(rows, test))) for train, test in KFold(3).split(X)
    ]
    labels, weights = np.tile(names, n), np.repeat(s, K) * p.ravel()
    hard = LogisticRegressionCV(cv=folds, **given).fit(X[rows], labels, weights, offset=shift[rows])
    np.testing.assert_array_equal(soft.classes_, names)
    assert soft.C_ == hard.C_
    np.testing.assert_allclose(soft.coef_, hard.coef_, atol=1e-5)
    np.testing.assert_allclose(soft.intercept_, hard.intercept_, atol=1e-5)
    np.testing.assert_allclose(soft.coefs_paths_, hard.coefs_paths_, atol=1e-4)
    # The deviance of soft targets is less by what no prediction avoids, at every strength alike.
    apart = soft.scores_ - hard.scores_
    np.testing.assert_allclose(apart, apart[:, :1, :1] * np.ones_like(apart), atol=1e-5)
    assert soft.predict(X).tolist() == hard.predict(X).tolist()


def test_soft_targets_take_no_scorer_and_certain_ones_have_stratified_folds():
    X, y, _ = labelled(90, 3)
    X, y = X[np.argsort(y)], np.sort(y)
    certain = (y[:, None] == np.unique(y)) * 1.0
    for targets in (certain, 0.9 * certain + 0.1 / 3, 0.5 * certain[:, :2] + 0.5 * (1.0 - certain[:, 1::-1])):
        with pytest.raises(ValueError, match=r"scoring='roc_auc_ovr' compares labels.*leave scoring out"):
            LogisticRegressionCV(scoring="roc_auc_ovr").fit(X, targets / targets.sum(axis=1, keepdims=True))
    one_hot = LogisticRegressionCV(cv=3).fit(X, certain, classes=np.unique(y))
    labels = LogisticRegressionCV(cv=3).fit(X, y)
    np.testing.assert_array_equal(one_hot.scores_, labels.scores_)
    with pytest.raises(ValueError, match="row 0 sums to 2"):
        LogisticRegressionCV().fit(X, 2.0 * certain)
    with pytest.raises(ValueError, match="classes names the columns of probabilities"):
        LogisticRegressionCV().fit(X, y, classes=np.unique(y))


def test_a_class_without_weight_is_refused_by_its_label_as_passed():
    X, y, _ = labelled(90, 3)
    codes = np.unique(y, return_inverse=True)[1]
    for labels in (y, codes, codes * 1.0, [10**18 + int(k) for k in codes]):
        label, weight = np.asarray(labels)[0], (codes != codes[0]) * 1.0
        for fit in (
            lambda: LogisticRegressionCV().fit(X, labels, weight),  # noqa: B023
            lambda: LogisticRegressionCV(l1_ratios=(0.0,)).fit(X, labels, weight),  # noqa: B023
            lambda: LogisticRegression(l1_ratio=1.0).fit(X, labels, weight),  # noqa: B023
            lambda: regularization_path(X, labels, loss="multinomial", sample_weight=weight),  # noqa: B023
        ):
            with pytest.raises(ValueError, match=f"^Class {label} has no weight in any row"):
                fit()


def test_coefficients_of_folds_whose_paths_have_different_lengths():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 6))
    y = X[:, 0] - 0.5 * X[:, 1] + rng.logistic(size=200) > 0.0
    model = LogisticRegressionCV(cv=3, l1_ratios=(0.1, 1.0), keep_fold_paths=True).fit(X, y)
    sizes = [path.alphas.size for path in model.validation_.paths]
    assert sizes[0] != sizes[1]
    assert model.coefs_paths_.shape == (3, 2, max(sizes), 1, 7)
    np.testing.assert_array_equal(np.isnan(model.coefs_paths_[:, :, :, 0, 0]).all(axis=0), np.isnan(model.scores_[0]))

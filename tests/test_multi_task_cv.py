"""`MultiTaskElasticNetCV`, `MultiTaskLassoCV` and `cross_validate_path` of several targets: what they share with the
estimators of one target."""

from __future__ import annotations

from inspect import signature

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context, linear_model
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import Ridge as DenseRidge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GroupKFold, KFold

import sparsereg
from sparsereg import MultiTaskElasticNet, MultiTaskElasticNetCV, MultiTaskLassoCV, cross_validate_path

FOLDS = KFold(4, shuffle=True, random_state=0)


def data(n=120, p=15, targets=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) * (rng.uniform(size=(n, p)) < 0.6)
    W = rng.normal(size=(p, targets))
    W[p // 3 :] = 0.0
    return X, X @ W + 2.0 + rng.normal(size=(n, targets))


@pytest.mark.parametrize("model", ["MultiTaskLassoCV", "MultiTaskElasticNetCV"])
def test_signatures_begin_with_scikit_learns(model):
    mine, other = (signature(getattr(where, model)).parameters for where in (sparsereg, linear_model))
    assert set(list(mine)[: len(other)]) >= set(other) - {"n_alphas"}
    changed = {name for name in other if name in mine and mine[name].default != other[name].default}
    assert changed == {"alphas"}


def test_the_path_ends_by_itself_and_budgets_are_named():
    X, Y = data()
    model = MultiTaskLassoCV().fit(X, Y)
    chosen = model.validation_.chosen
    assert chosen.stopped == "turned"
    assert model.alpha_ == chosen.alphas[chosen.best]
    assert MultiTaskLassoCV(max_columns=6).fit(X, Y).validation_.chosen.stopped == "max_columns"
    assert MultiTaskLassoCV(max_seconds=1e-9).fit(X, Y).validation_.chosen.stopped == "max_seconds"
    assert MultiTaskLassoCV(alphas=7).fit(X, Y).alphas_.shape == (7,)


def test_results_are_a_table():
    pandas = pytest.importorskip("pandas")
    X, Y = data()
    model = MultiTaskElasticNetCV(l1_ratio=[0.5, 1.0], alphas=8, cv=FOLDS).fit(sp.csr_array(X), Y)
    frame = pandas.DataFrame(model.cv_results_)
    assert len(frame) == 16
    np.testing.assert_allclose(frame["mean_loss"], model.mse_path_.mean(axis=2).ravel())
    assert frame.loc[frame["mean_loss"].idxmin(), "alpha"] == model.alpha_


@pytest.mark.parametrize("rule", ["1se", "1se-rows", "1se-unpaired", "within 5%"])
def test_rules_choose_no_weaker_penalty_and_fit_there(rule):
    X, Y = data()
    least = MultiTaskLassoCV(alphas=30).fit(X, Y)
    model = MultiTaskLassoCV(alphas=30, rule=rule).fit(X, Y)
    assert model.alpha_ >= least.alpha_
    expected = MultiTaskElasticNet(alpha=model.alpha_, l1_ratio=1.0).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert MultiTaskLassoCV(alphas=30, rule=lambda _: 3).fit(X, Y).alpha_ == least.alphas_[3]


@pytest.mark.parametrize("weighted", [False, True])
def test_scorers_see_all_targets_and_the_weights(weighted):
    X, Y = data()
    s = np.random.default_rng(1).uniform(0.5, 2.0, len(Y)) if weighted else None
    options = {"alphas": 6, "cv": FOLDS, "keep_fold_paths": True}
    model = MultiTaskLassoCV(scoring="neg_mean_absolute_error", **options).fit(X, Y, sample_weight=s)
    for f, (_, test) in enumerate(FOLDS.split(X)):
        path = model.validation_.chosen.fold_paths[f]
        for k in range(6):
            expected = mean_absolute_error(
                Y[test], path.predict(X[test], k), sample_weight=None if s is None else s[test]
            )
            assert model.mse_path_[k, f] == pytest.approx(expected)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_relaxed_fits_are_exact_in_the_folds_and_at_the_end(l1_ratio, container):
    X, Y = data()
    options = {"l1_ratio": l1_ratio, "alphas": 8, "cv": FOLDS, "keep_fold_paths": True}
    model = MultiTaskElasticNetCV(relax=True, **options).fit(container(X), Y)
    plain = MultiTaskElasticNetCV(**options).fit(container(X), Y)
    for f, (train, test) in enumerate(FOLDS.split(X)):
        fitted, chosen = model.validation_.chosen.fold_paths[f], plain.validation_.chosen.fold_paths[f]
        for k, alpha in enumerate(model.alphas_):
            columns = np.unique(chosen.coef(k).tocoo().col)
            expected = refit(X[train][:, columns], Y[train], alpha * (1.0 - l1_ratio))
            np.testing.assert_allclose(fitted.coef(k).toarray()[:, columns], expected[0], atol=1e-8)
            loss = np.mean((Y[test] - X[test][:, columns] @ expected[0].T - expected[1]) ** 2)
            assert model.mse_path_[k, f] == pytest.approx(loss)
    columns = np.flatnonzero(model.coef_.any(axis=0))
    expected = refit(X[:, columns], Y, model.alpha_ * (1.0 - l1_ratio))
    np.testing.assert_allclose(model.coef_[:, columns], expected[0], atol=1e-8)
    np.testing.assert_allclose(model.intercept_, expected[1])
    k, path = model.validation_.k, model.validation_.path
    residual = Y - model.predict(X)
    assert path.deviance_explained[k] == pytest.approx(1.0 - np.sum(residual**2) / np.sum((Y - Y.mean(axis=0)) ** 2))


def refit(X, Y, l2):
    """Coefficients and intercepts of least squares, or of ridge on the mean square over 2."""
    if not X.shape[1]:
        return np.zeros((Y.shape[1], 0)), Y.mean(axis=0)
    model = (DenseRidge(alpha=len(Y) * l2) if l2 else LinearRegression()).fit(X, Y)
    return model.coef_, model.intercept_


@pytest.mark.parametrize("standardize", [False, True])
def test_no_fold_sees_its_held_out_targets(standardize):
    X, Y = data()
    s = np.random.default_rng(1).uniform(0.5, 2.0, len(Y))
    folds = list(FOLDS.split(X))
    options = {"cv": folds, "standardize": standardize, "keep_fold_paths": True}
    alphas = np.geomspace(1.0, 0.01, 10)
    before = cross_validate_path(X, Y, alphas=alphas, sample_weight=s, **options).chosen.fold_paths[0]
    other = Y.copy()
    other[folds[0][1]] = 1e3 * np.random.default_rng(2).normal(size=Y[folds[0][1]].shape)
    after = cross_validate_path(X, other, alphas=alphas, sample_weight=s, **options).chosen.fold_paths[0]
    np.testing.assert_array_equal(before.intercepts, after.intercepts)
    for one, two in zip(before.coefs, after.coefs, strict=True):
        np.testing.assert_array_equal(one.toarray(), two.toarray())


def test_threads_change_no_digit_also_where_orders_are_drawn():
    X, Y = data()
    options = {"selection": "random", "random_state": 0, "alphas": 8}
    one, two = (MultiTaskLassoCV(n_jobs=n, **options).fit(X, Y) for n in (1, 2))
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_paths_of_several_targets_are_those_of_the_estimator():
    X, Y = data()
    found = cross_validate_path(sp.csr_array(X), Y, cv=FOLDS, alphas=12, eps=1e-2, rule="1se-rows")
    model = MultiTaskLassoCV(cv=FOLDS, alphas=12, eps=1e-2, rule="1se-rows").fit(X, Y)
    np.testing.assert_allclose(found.chosen.fold_losses, model.mse_path_, rtol=1e-3)
    assert found.k == model.validation_.k
    shifted = cross_validate_path(X, Y + 1.5 * X[:, [0]], offset=np.repeat(1.5 * X[:, [0]], 3, axis=1), cv=FOLDS)
    plain = cross_validate_path(X, Y, cv=FOLDS)
    np.testing.assert_allclose(shifted.chosen.fold_losses, plain.chosen.fold_losses, rtol=1e-8)
    with pytest.raises(ValueError, match="positive=True is for a single output"):
        cross_validate_path(X, Y, positive=True)


def test_groups_penalty_factors_and_errors():
    X, Y = data()
    groups = np.arange(len(Y)) % 4
    with config_context(enable_metadata_routing=True):
        model = MultiTaskLassoCV(alphas=5, cv=GroupKFold(4)).fit(X, Y, groups=groups)
    by_hand = MultiTaskLassoCV(alphas=5, cv=list(GroupKFold(4).split(X, Y, groups))).fit(X, Y)
    np.testing.assert_array_equal(model.mse_path_, by_hand.mse_path_)
    factors = np.r_[0.0, np.ones(14)]
    free = MultiTaskLassoCV(alphas=5, penalty_factor=factors, rule=lambda _: 0).fit(X, Y)
    np.testing.assert_array_equal(np.flatnonzero(free.coef_.any(axis=0)), [0])
    for arguments in ({"rule": "best"}, {"relax": 1}, {"alphas": "many"}, {"scoring": "none such"}, {"max_columns": 0}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            MultiTaskLassoCV(**arguments).fit(X, Y)

"""`LassoCV` and `ElasticNetCV`: what code written for scikit-learn's counts on, rules, relaxed fits, routing."""

from __future__ import annotations

import pickle
from inspect import signature

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit, cross_validate
from sklearn.pipeline import make_pipeline
from test_dropin import data

from sparsereg import ElasticNet, ElasticNetCV, FeatureCross, Lasso, LassoCV, cross_validate_path

MODELS = [LassoCV, ElasticNetCV]


@pytest.mark.parametrize("model", MODELS)
def test_signatures_begin_with_scikit_learns(model):
    """Same names, order and defaults, but for the automatic end."""
    mine, other = signature(model).parameters, signature(getattr(linear_model, model.__name__)).parameters
    assert list(mine)[: len(other)] == list(other)
    assert {name for name in other if mine[name].default != other[name].default} == {"alphas"}


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("given", [{"alphas": 12}, {"alphas": [0.3, 0.01, 0.1]}])
def test_agrees_with_scikit_learn(container, weighted, given):
    X, y = data()
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else None
    options = {"l1_ratio": [0.4, 0.9], "cv": KFold(4, shuffle=True, random_state=0), "tol": 1e-11, **given}
    theirs = linear_model.ElasticNetCV(max_iter=100_000, **options).fit(X, y, sample_weight=s)
    ours = ElasticNetCV(**options).fit(container(X), y, sample_weight=s)
    assert (ours.alphas_.shape, ours.mse_path_.shape) == (theirs.alphas_.shape, theirs.mse_path_.shape)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-10)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert ours.intercept_ == pytest.approx(theirs.intercept_)
    assert ours.dual_gap_ <= 1e-8
    assert len(ours.cv_results_["alpha"]) == ours.mse_path_[..., 0].size


def few_rows(n=50, p=200):
    """Ten columns of normal numbers matter, without noise: solutions are slow to converge."""
    rng = np.random.RandomState(0)
    w = np.where(np.arange(p) < 10, rng.randn(p), 0.0)
    X = rng.randn(n, p)
    return X, X @ w


@pytest.mark.parametrize("alphas", [10, np.geomspace(2.0, 0.002, 30)], ids=["number", "array"])
@pytest.mark.parametrize("table", ["few rows", "diabetes"])
def test_default_tol_chooses_what_converged_folds_choose(table, alphas):
    X, y = few_rows() if table == "few rows" else load_diabetes(return_X_y=True)
    theirs = linear_model.LassoCV(cv=3, alphas=alphas, tol=1e-8, max_iter=100_000).fit(X, y)
    ours = LassoCV(cv=3, alphas=alphas).fit(X, y)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    automatic, converged = LassoCV(cv=3).fit(X, y), LassoCV(cv=3, tol=1e-8).fit(X, y)
    assert automatic.alpha_ == converged.alpha_
    k = min(len(automatic.alphas_), len(converged.alphas_))  # where losses no longer change, rounding ends the path
    np.testing.assert_allclose(automatic.mse_path_[:k], converged.mse_path_[:k], rtol=1e-4)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_storage_formats_give_the_same_losses_at_the_default_tol(model, fit_intercept):
    X, y = few_rows(100, 100)
    X[X < 0.5] = 0.0
    ours = model(alphas=10, max_iter=50, fit_intercept=fit_intercept)
    paths = [ours.fit(make(X), y).mse_path_ for make in (np.asarray, sp.csc_array, sp.csr_array)]
    for path in paths[1:]:
        np.testing.assert_allclose(path, paths[0], rtol=1e-6)


def test_lasso_has_no_l1_ratio_and_refuses_several_targets():
    X, y = data()
    model = LassoCV(alphas=4, cv=3).fit(X, y)
    assert not hasattr(model, "l1_ratio_")
    assert "l1_ratio" not in model.get_params()
    with pytest.raises(ValueError, match="For multi-task outputs, use MultiTaskLassoCV"):
        LassoCV().fit(X, np.column_stack([y, y]))
    with pytest.warns(DataConversionWarning):
        column = LassoCV(alphas=4, cv=3).fit(X, y[:, None])
    np.testing.assert_array_equal(column.coef_, model.coef_)
    np.testing.assert_array_equal(clone(model).fit(X, y).coef_, pickle.loads(pickle.dumps(model)).coef_)


def test_weights_equal_repetition():
    X, y = data()
    k = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), k)
    folds = [(np.flatnonzero(np.arange(len(y)) % 3 != f), np.flatnonzero(np.arange(len(y)) % 3 == f)) for f in range(3)]
    repeated = [(np.flatnonzero(np.isin(rows, train)), np.flatnonzero(np.isin(rows, test))) for train, test in folds]
    weighted = LassoCV(alphas=8, cv=folds, tol=1e-10).fit(X, y, sample_weight=k)
    copied = LassoCV(alphas=8, cv=repeated, tol=1e-10).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.alphas_, copied.alphas_)
    np.testing.assert_allclose(weighted.mse_path_, copied.mse_path_, rtol=1e-6)
    np.testing.assert_allclose(weighted.coef_, copied.coef_, atol=1e-7)


def test_the_grid_is_automatic_where_none_is_given():
    X, y = data(n=80)
    automatic = LassoCV().fit(X, y)
    assert automatic.validation_.chosen.stopped in ("turned", "grid")
    np.testing.assert_allclose(automatic.alphas_[99] / automatic.alphas_[0], 1e-2)
    same = LassoCV(alphas=100, eps="auto").fit(X, y)
    np.testing.assert_array_equal(same.alphas_, automatic.alphas_)
    fixed = LassoCV(alphas=7).fit(X, y)
    np.testing.assert_allclose(fixed.alphas_, np.geomspace(1.0, 1e-3, 7) * fixed.alphas_[0])
    ragged = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=20, eps="auto").fit(X, y)
    lengths = [len(p.alphas) for p in ragged.validation_.paths]
    np.testing.assert_array_equal((~np.isnan(ragged.alphas_)).sum(axis=1), lengths)
    assert ragged.mse_path_.shape == (2, max(lengths), 5)


def test_rules_choose_no_weaker_penalty_and_fit_there():
    X, y = data(n=50)
    y = y + 2.0 * np.random.default_rng(5).normal(size=50)
    least = LassoCV(alphas=30).fit(X, y)
    for rule in ("1se", "1se-unpaired", "within 5%"):
        model = LassoCV(alphas=30, rule=rule).fit(X, y)
        assert model.alpha_ >= least.alpha_
        np.testing.assert_array_equal(model.coef_, Lasso(alpha=model.alpha_).fit(X, y).coef_)
    assert LassoCV(alphas=30, rule=lambda path: len(path.alphas) - 1).fit(X, y).alpha_ == least.alphas_[-1]


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_relaxed_fits_are_exact_in_the_folds_and_at_the_end(l1_ratio, container):
    X, y = data()
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    options = {"l1_ratio": l1_ratio, "alphas": 6, "cv": 3, "keep_fold_paths": True}
    model = ElasticNetCV(relax=True, **options).fit(container(X), y, sample_weight=s)
    plain = ElasticNetCV(**options).fit(container(X), y, sample_weight=s)
    for f, (train, test) in enumerate(KFold(3).split(X)):
        fitted, chosen = model.validation_.chosen.fold_paths[f], plain.validation_.chosen.fold_paths[f]
        for k, alpha in enumerate(model.alphas_):
            columns = chosen.point(k)[0]
            w, b = ridge(X[train][:, columns], y[train], s[train], alpha * (1.0 - l1_ratio))
            np.testing.assert_allclose(fitted.coef(k).toarray()[0, columns], w, atol=1e-8)
            assert fitted.intercepts[k] == pytest.approx(b)
            loss = np.average((y[test] - X[test][:, columns] @ w - b) ** 2, weights=s[test])
            assert model.mse_path_[k, f] == pytest.approx(loss)
    columns = np.flatnonzero(model.coef_)
    w, b = ridge(X[:, columns], y, s, model.alpha_ * (1.0 - l1_ratio))
    np.testing.assert_allclose(model.coef_[columns], w, atol=1e-8)
    assert model.intercept_ == pytest.approx(b)


def ridge(X, y, s, l2):
    """Weighted least squares with an intercept and `l2 / 2 |w|^2` on the mean square over 2."""
    A = np.column_stack([X, np.ones(len(y))])
    penalty = s.sum() * l2 * np.diag(np.r_[np.ones(X.shape[1]), 0.0])
    solution = np.linalg.solve(A.T @ (s[:, None] * A) + penalty, A.T @ (s * y))
    return solution[:-1], solution[-1]


def test_relaxed_fits_of_dependent_columns():
    """A full block of indicators and the intercept are dependent: predictions are those of least squares."""
    rng = np.random.default_rng(0)
    X = np.hstack([np.eye(5)[rng.integers(0, 5, 90)], np.eye(8)[rng.integers(0, 8, 90)]])
    y = X @ rng.normal(size=13) + 0.1 * rng.normal(size=90)
    model = LassoCV(alphas=[0.2, 1e-4], cv=3, relax=True, rule=lambda _: 1).fit(sp.csr_array(X), y)
    columns = np.flatnonzero(model.coef_)
    expected = linear_model.LinearRegression().fit(X[:, columns], y).predict(X[:, columns])
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-8)
    with pytest.raises(ValueError, match="relax=True with positive=True"):
        LassoCV(relax=True, positive=True).fit(X, y)


def test_groups_are_routed_to_the_splitter():
    X, y = data()
    groups = np.arange(len(y)) % 4
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        LassoCV(cv=GroupKFold(4)).fit(X, y, groups=groups)
    with config_context(enable_metadata_routing=True):
        model = LassoCV(alphas=5, cv=GroupKFold(4)).fit(X, y, groups=groups)
        assert model.get_metadata_routing()
    by_hand = LassoCV(alphas=5, cv=list(GroupKFold(4).split(X, y, groups))).fit(X, y)
    np.testing.assert_array_equal(model.mse_path_, by_hand.mse_path_)
    direct = cross_validate_path(X, y, alphas=by_hand.alphas_, cv=GroupKFold(4), groups=groups, tol=1e-10)
    np.testing.assert_allclose(direct.chosen.fold_losses, by_hand.mse_path_, rtol=1e-5)
    assert LassoCV(alphas=5, cv=TimeSeriesSplit(3)).fit(X, y).mse_path_.shape == (5, 3)


def test_same_choice_as_grid_search():
    X, y = data()
    cv, alphas = KFold(4), np.geomspace(1.0, 0.001, 8)
    search = GridSearchCV(
        ElasticNet(tol=1e-8), {"alpha": alphas, "l1_ratio": [0.3, 0.8]}, cv=cv, scoring="neg_mean_squared_error"
    ).fit(X, y)
    ours = ElasticNetCV(l1_ratio=[0.3, 0.8], alphas=alphas, cv=cv, tol=1e-8).fit(X, y)
    assert ours.alpha_ == search.best_params_["alpha"]
    assert ours.l1_ratio_ == search.best_params_["l1_ratio"]
    scored = ElasticNetCV(l1_ratio=[0.3, 0.8], alphas=alphas, cv=cv, tol=1e-8, scoring="r2").fit(X, y)
    np.testing.assert_allclose(scored.mse_path_.max(), -np.min([1 - m / v for m, v in r2_parts(ours, X, y, cv)]))


def r2_parts(model, X, y, cv):
    """The largest squared error of each fold, and the variance of its targets around their mean."""
    variances = [np.var(y[test]) for _, test in cv.split(X)]
    return [(model.mse_path_[..., f].max(), v) for f, v in enumerate(variances)]


def test_crosses_learnt_inside_the_folds():
    rng = np.random.default_rng(0)
    table = {"a": rng.integers(0, 6, 200), "b": rng.integers(0, 5, 200)}
    y = np.where(table["a"] == table["b"], 2.0, 0.0) + 0.1 * rng.normal(size=200)
    import pandas as pd

    model = make_pipeline(FeatureCross(crosses=[("a", "b")]), LassoCV(cv=3))
    scores = cross_validate(model, pd.DataFrame(table), y, cv=3)["test_score"]
    assert scores.min() > 0.9


def test_single_precision():
    X, y = data()
    double, single = (LassoCV(alphas=8).fit(sp.csr_array(X.astype(t)), y.astype(t)) for t in (np.float64, np.float32))
    assert single.coef_.dtype == np.float32
    assert single.alpha_ == pytest.approx(double.alpha_, rel=1e-5)
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-4)


def test_verbose_prints_the_time_left(capsys):
    X, y = data()
    LassoCV(alphas=3, verbose=True).fit(X, y)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("s left" in line for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [{"rule": "best"}, {"relax": 1}, {"alphas": "many"}, {"alphas": [-1.0]}, {"eps": 2.0, "alphas": 3}, {"cv": 1}],
)
def test_errors_name_the_argument(arguments):
    X, y = data()
    with pytest.raises(ValueError, match=next(iter(arguments))):
        LassoCV(**arguments).fit(X, y)


@pytest.mark.parametrize("cv", [3, 5])
def test_the_automatic_choice_is_that_of_all_folds(cv):
    """A fold that turned early is solved on where the others come to a weaker penalty."""
    X, y = load_diabetes(return_X_y=True)
    model = LassoCV(cv=cv).fit(X, y)
    theirs = linear_model.LassoCV(cv=cv, alphas=model.alphas_, tol=1e-10, max_iter=1_000_000).fit(X, y)
    assert model.alpha_ == pytest.approx(theirs.alpha_)
    ends, best = model.validation_.chosen.fold_ends, model.validation_.chosen.best
    assert best < ends.min()
    np.testing.assert_allclose(model.mse_path_[: ends.min()], theirs.mse_path_[: ends.min()], rtol=1e-6)

"""RidgeCV and its ways to validate, against slow oracles: explicit refits, explicit traces, scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model as skl
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import make_scorer, mean_absolute_error, r2_score
from sklearn.model_selection import KFold, cross_val_predict

from sparsereg import Ridge, RidgeCV
from sparsereg.data.design import as_design
from sparsereg.ridge import cross_validation, direct
from sparsereg.ridge.cross_validation import Probes, choose_validation, fit_fold, generalized_cv, left_out_spectrum
from sparsereg.ridge.degrees_of_freedom import difference_error, probe_traces, trace_error
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.path import path_preconditioning
from sparsereg.ridge.solve import SolverSettings

ALPHAS = np.array([0.05, 1.0, 20.0, 400.0])


def data(seed: int, n: int, p: int, targets: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.uniform(size=(n, p)) < 0.4) + 0.3
    Y = X @ rng.normal(size=(p, targets)) + 2.0 * rng.normal(size=(n, targets)) + 5.0
    return X, Y, rng.uniform(0.2, 3.0, n)


def equations_of(X: object, s: np.ndarray | None, fit_intercept: bool, v: np.ndarray | None = None) -> NormalEquations:
    design = as_design(X)
    return NormalEquations(design, s, fit_intercept, np.ones(design.n_cols) if v is None else v[design.columns])


def hat_matrix(X: np.ndarray, s: np.ndarray, fit_intercept: bool, alpha: float, v: np.ndarray) -> np.ndarray:
    """`S^1/2 Xc H^-1 Xc' S^1/2` by plain NumPy."""
    Xc = X - np.average(X, axis=0, weights=s) if fit_intercept else X
    B = np.sqrt(s)[:, None] * Xc
    return B @ np.linalg.solve(B.T @ B + alpha * np.diag(v), B.T)


def wide_fields(seed: int, n: int = 4000, size: int = 2500) -> tuple[sp.csr_array, np.ndarray]:
    """More columns than are factorised: two fields."""
    rng = np.random.default_rng(seed)
    columns = np.stack([rng.zipf(1.2, n) % size, size + rng.zipf(1.2, n) % size], axis=1)
    X = sp.csr_array((np.ones(2 * n), columns.ravel(), np.arange(n + 1) * 2), shape=(n, 2 * size))
    return X, X @ rng.normal(size=2 * size) + rng.normal(size=n) + 1.0


@pytest.mark.parametrize("method", ["gram", "dual", "svd"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(30, 7), (9, 20)])
def test_left_out_residuals_are_those_of_refits(method: str, fit_intercept: bool, shape: tuple[int, int]) -> None:
    X, Y, s = data(0, *shape, 2)
    s[3] = 0.0
    v = np.random.default_rng(1).uniform(0.3, 3.0, shape[1])
    found = list(left_out_spectrum(equations_of(X, s, fit_intercept, v), method).leave_one_out(Y, ALPHAS))
    for alpha, residuals in zip(ALPHAS, found, strict=True):
        for i in range(shape[0]):
            rest = np.arange(shape[0]) != i
            model = Ridge(alpha=alpha, fit_intercept=fit_intercept, penalty_factor=v, solver="svd")
            model.fit(X[rest], Y[rest], s[rest])
            np.testing.assert_allclose(residuals[i], Y[i] - model.predict(X[[i]])[0], rtol=1e-7, atol=1e-9)


def test_left_out_where_almost_nothing_is_left() -> None:
    """More columns than rows and a weak strength: leverages are 1 up to rounding, and residuals nearly 0 / 0."""
    X, Y, _ = data(2, 8, 30)
    for method in ("dual", "svd"):
        (residuals,) = left_out_spectrum(equations_of(X, None, True), method).leave_one_out(Y, np.array([1e-9]))
        for i in range(8):
            rest = np.arange(8) != i
            expected = Y[i] - Ridge(alpha=1e-9, solver="svd").fit(X[rest], Y[rest, 0]).predict(X[[i]])
            np.testing.assert_allclose(residuals[i], expected, rtol=1e-4)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_probes_agree_with_the_trace(weighted: bool, fit_intercept: bool) -> None:
    X, _, s = data(3, 60, 12)
    s[:5] = 0.0
    v = np.random.default_rng(4).uniform(0.3, 3.0, 12)
    equations = equations_of(sp.csr_array(X), s if weighted else None, fit_intercept, v)
    traces, missing = probe_traces(
        equations, ALPHAS, 200, np.random.default_rng(5), 1000, path_preconditioning(equations, ALPHAS)
    )
    for k, alpha in enumerate(ALPHAS):
        A = hat_matrix(X, s if weighted else np.ones(60), fit_intercept, alpha, v)
        error = traces[:, k].std(ddof=1) / np.sqrt(200)
        assert abs(traces[:, k].mean() - np.trace(A)) < 4 * error + missing[:, k].mean()
        assert traces[:, k].std() ** 2 < 2.0 * 1.4 * (A**2).sum()
        assert (missing[:, k] < 0.1 * np.trace(A)).all()


def test_probes_know_the_trace_beside_a_column_in_large_units() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.lognormal(10.5, 0.7, 1000), np.eye(30)[rng.integers(0, 30, 1000)]])
    equations, alphas = equations_of(sp.csr_array(X), None, True), np.geomspace(0.1, 1e3, 9)
    traces, _ = probe_traces(equations, alphas, 16, rng, 1000, path_preconditioning(equations, alphas))
    exact = [np.trace(hat_matrix(X, np.ones(1000), True, alpha, np.ones(31))) for alpha in alphas]
    assert (np.abs(traces.mean(axis=0) - exact) <= 2.0 * trace_error(np.array(exact), 16)).all()


@pytest.mark.parametrize("p", [3, 40])
def test_errors_of_traces_bound_what_signs_scatter(p: int) -> None:
    X, _, s = data(7, 50, p)
    matrices = [hat_matrix(X, s, True, alpha, np.ones(p)) for alpha in ALPHAS]
    traces = np.array([np.trace(A) for A in matrices])
    for k, B in enumerate(matrices):
        for n_probes, slack in ((2, 10.0), (10**6, 1e-2)):  # with many, nothing is allowed for chance
            to_others = difference_error(traces, ALPHAS, k, n_probes)
            assert to_others[k] == 0.0
            bounds = [trace_error(traces, n_probes)[k], *np.delete(to_others, k)]
            for bound, M in zip(bounds, [B, *(A - B for j, A in enumerate(matrices) if j != k)], strict=True):
                scatter = np.sqrt(2.0 * ((M**2).sum() - (np.diag(M) ** 2).sum()) / n_probes)
                largest = np.abs(np.linalg.eigvalsh(M)).max()
                assert scatter <= bound
                assert bound <= (1.0 + slack) * np.sqrt(2.0 * abs(np.trace(M)) / n_probes)
                assert largest * abs(np.trace(M)) <= (1 + 1e-9) * bound**2 * n_probes / 2.0
    assert not trace_error(traces, 0).any()


def test_scores_without_freedom_have_no_finite_error() -> None:
    X, y, _ = data(1, 20, 40)
    equations, alphas = equations_of(sp.csr_array(X), None, True), np.array([1e-6, 1e3])
    to_rounding = SolverSettings("cg", 1e-8, 1000)
    found = generalized_cv(equations, y.reshape(-1, 1), alphas, to_rounding, Probes(np.random.default_rng(0)))
    assert np.isinf(found.score_errors[0, 0])
    assert np.isfinite(found.score_errors[1, 0])
    assert not found.separated(False)


def test_no_shares_of_two_strengths_differ_by_more_than_supposed() -> None:
    weak, strong = 0.3, 40.0
    sigma = np.sqrt(weak * strong) * np.array([0.5, 1.0, 2.0])
    differences = sigma / (sigma + weak) - sigma / (sigma + strong)
    supposed = difference_error(np.array([1e12, 0.0]), np.array([weak, strong]), 0, 2)[1] ** 2 / 1e12
    assert differences[1] == pytest.approx(supposed, rel=1e-4)
    assert differences.max() == differences[1]


@pytest.mark.parametrize("method", ["cg", "gram"])
@pytest.mark.parametrize("weighted", [True, False])
def test_generalised_scores_are_those_of_the_explicit_trace(method: str, weighted: bool) -> None:
    X, Y, s = data(6, 80, 10, 2)
    s[:4] = 0.0
    equations = equations_of(sp.csr_array(X), s if weighted else None, True)
    found = generalized_cv(equations, Y, ALPHAS, SolverSettings(method, 1e-10, 100), Probes(np.random.default_rng(0)))
    weights = s if weighted else np.ones(80)
    n = np.count_nonzero(weights)
    for k, alpha in enumerate(ALPHAS):
        trace = np.trace(hat_matrix(X, weights, True, alpha, np.ones(10)))
        residuals = Y - skl.Ridge(alpha=alpha).fit(X, Y, weights).predict(X)
        expected = -(weights[:, None] * residuals**2).mean(axis=0) / (1 - (trace + 1) / n) ** 2
        slack = 1e-8 if method == "gram" else 5 * found.score_errors[k]
        assert (np.abs(found.scores[k] - expected) < slack + 1e-8).all()
        assert abs(found.trace[k] - trace - 1) < (1e-8 if method == "gram" else 5 * found.trace_errors[k] + 1e-8)
    rows = list(found.row_scores(Y))
    np.testing.assert_allclose(-np.stack(rows).mean(axis=1), found.scores)
    assert found.n_probes == (0 if method == "gram" else len(found.traces))


def test_more_probes_until_the_best_stands_out(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = wide_fields(0)
    clear = RidgeCV(alphas=[0.01, 1.0, 1e4]).fit(X, y)
    assert (clear.n_probes_, clear.cv_separated_) == (1, True)
    tied = RidgeCV(alphas=[1.0, 1.0]).fit(X, y)
    assert (tied.n_probes_, tied.cv_separated_) == (16, False)
    monkeypatch.setattr(cross_validation, "MOST_PROBES", 8)
    assert RidgeCV(alphas=[1.0, 1.0]).fit(X, y).n_probes_ == 8


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
@settings(max_examples=25)
def test_folds_by_weights_are_folds(seed: int, fit_intercept: bool, weighted: bool) -> None:
    X, Y, s = data(seed, 40, 6, 2)
    s[::7] = 0.0
    A = sp.csr_array(X)
    for method in ("auto", "cg"):
        train = np.random.default_rng(seed).integers(0, 40, 30)  # some twice
        equations = equations_of(A, s if weighted else None, fit_intercept)
        fold = fit_fold(equations, Y, ALPHAS, train, SolverSettings(method, 1e-10, 1000))
        for alpha, predictions in zip(ALPHAS, fold.predictions(), strict=True):
            model = skl.Ridge(alpha=alpha, fit_intercept=fit_intercept)
            model.fit(X[train], Y[train], s[train] if weighted else None)
            np.testing.assert_allclose(predictions, model.predict(X), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("gcv_mode", [None, "auto", "svd", "eigen"])
@pytest.mark.parametrize("shape", [(50, 6), (12, 30)])
@pytest.mark.parametrize("options", [{}, {"scoring": "neg_mean_absolute_error"}, {"alpha_per_target": True}])
@pytest.mark.parametrize("targets", [1, 3])
def test_agrees_with_scikit_learn(
    gcv_mode: str | None, shape: tuple[int, int], options: dict[str, object], targets: int
) -> None:
    X, Y, s = data(7, *shape, targets)
    y = Y[:, 0] if targets == 1 else Y
    options = options | {"alphas": ALPHAS, "gcv_mode": gcv_mode, "store_cv_results": True}
    ours, theirs = RidgeCV(**options).fit(X, y, s), skl.RidgeCV(**options).fit(X, y, s)
    for name in ("alpha_", "best_score_", "coef_", "intercept_", "cv_results_"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert np.shape(a) == np.shape(b), name
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8, err_msg=name)
    assert ours.cv_method_.startswith("loo-")
    assert not ours.cv_score_error_.any()
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)


@pytest.mark.parametrize("cv", [3, KFold(4, shuffle=True, random_state=0), [(np.arange(20), np.arange(20, 50))]])
@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error", make_scorer(mean_absolute_error)])
@pytest.mark.parametrize("weighted", [True, False])
def test_folds_agree_with_scikit_learn(cv: object, scoring: object, weighted: bool) -> None:
    X, Y, s = data(8, 50, 6)
    options = {"alphas": [0.0, *ALPHAS], "cv": cv, "scoring": scoring}
    weights = s if weighted else None
    ours, theirs = (kind(**options).fit(X, Y[:, 0], weights) for kind in (RidgeCV, skl.RidgeCV))
    assert ours.alpha_ == theirs.alpha_
    np.testing.assert_allclose(ours.best_score_, theirs.best_score_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_)
    assert ours.cv_scores_.shape == ours.cv_score_error_.shape == (5,)
    assert ours.cv_method_.startswith("folds-")


def test_fold_scores_and_their_error() -> None:
    X, Y, _ = data(9, 60, 6)
    y = Y[:, 0]
    model = RidgeCV(alphas=[3.0], cv=KFold(3)).fit(X, y)
    predictions = cross_val_predict(skl.Ridge(alpha=3.0), X, y, cv=KFold(3))
    scores = [r2_score(y[test], predictions[test]) for _, test in KFold(3).split(X)]
    assert model.cv_scores_[0] == pytest.approx(np.mean(scores))
    assert model.cv_score_error_[0] == pytest.approx(np.std(scores, ddof=1) / np.sqrt(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        single = RidgeCV(alphas=[3.0], cv=[(np.arange(40), np.arange(40, 60))]).fit(X, y)
    assert np.isnan(single.cv_score_error_).all()


def test_large_data_is_scored_by_probes_and_by_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "SMALL_SQUARE", 100)
    X, y = wide_fields(1, 800, 400)
    model = RidgeCV(alphas=np.geomspace(0.01, 1e3, 15), store_cv_results=True).fit(X, y)
    assert model.cv_method_ == "gcv-cg"
    columns = as_design(X).columns
    dense = X[:, columns].toarray()
    squares = np.linalg.svd(dense - dense.mean(axis=0), compute_uv=False) ** 2
    for k, alpha in enumerate(model.alphas):
        trace = 1.0 + (squares / (squares + alpha)).sum()
        assert abs(model.trace_[k] - trace) < 5 * model.trace_error_[k]
        fitted = Ridge(alpha=alpha).fit(X, y)
        score = -np.mean((y - fitted.predict(X)) ** 2) / (1 - trace / y.size) ** 2
        assert abs(model.cv_scores_[k] - score) < 5 * model.cv_score_error_[k] + 1e-5 * abs(score)
    np.testing.assert_allclose(-model.cv_results_.mean(axis=0), model.cv_scores_)
    np.testing.assert_allclose(model.coef_, Ridge(alpha=model.alpha_).fit(X, y).coef_, atol=1e-3)
    assert model.gradient_norm_[0] <= 1e-6
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.cv_scores_, model.cv_scores_)
    folds = RidgeCV(alphas=model.alphas, cv=3).fit(X, y)
    assert folds.cv_method_ == "folds-cg"
    assert abs(np.log(folds.alpha_ / model.alpha_)) < np.log(20.0)


def test_trace_is_exact_where_only_leverages_are_dear(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y, _ = data(10, 60, 8)
    monkeypatch.setattr(cross_validation, "LEVERAGE_OPERATIONS", 0.0)
    model = RidgeCV(alphas=ALPHAS).fit(X, Y[:, 0])
    assert (model.cv_method_, model.n_probes_, model.cv_separated_) == ("gcv-gram", 0, True)
    assert not model.trace_error_.any()
    expected = np.trace(hat_matrix(X, np.ones(60), True, 20.0, np.ones(8)))
    assert model.trace_[2] == pytest.approx(expected + 1.0)


def test_ways_are_chosen_by_counting() -> None:
    tall, wide = sp.random_array((500, 20), density=0.2, rng=0), sp.random_array((50, 300), density=0.2, rng=0)
    assert choose_validation(equations_of(tall.tocsr(), None, True).summary, ALPHAS) == ("loo", "gram")
    assert choose_validation(equations_of(wide.tocsr(), None, True).summary, ALPHAS) == ("loo", "dual")
    assert choose_validation(equations_of(wide_fields(2)[0], None, True).summary, ALPHAS) == ("gcv", "cg")


def test_large_data_refuses_what_would_take_too_long() -> None:
    X, y = wide_fields(3)
    with pytest.raises(ValueError, match=r"scoring='r2' needs leave-one-out predictions.* set cv=5"):
        RidgeCV(scoring="r2").fit(X, y)
    tall = sp.csr_array((np.ones(25_000), (np.arange(25_000), np.arange(25_000) % 21_000)))
    with pytest.raises(ValueError, match="a dense square of side 21000"):
        RidgeCV(gcv_mode="eigen").fit(tall, np.arange(25_000.0))


def test_a_strength_for_each_target_by_probes() -> None:
    X, y = wide_fields(4)
    Y = np.c_[y, np.random.default_rng(0).normal(size=y.size)]
    model = RidgeCV(alphas=[0.1, 10.0, 1e5], alpha_per_target=True).fit(X, Y)
    assert model.cv_scores_.shape == model.cv_score_error_.shape == (3, 2)
    assert model.alpha_[0] < model.alpha_[1]
    for t, alpha in enumerate(model.alpha_):
        np.testing.assert_allclose(model.coef_[t], Ridge(alpha=alpha).fit(X, Y[:, t]).coef_, atol=1e-3)


def test_stopped_short_says_so() -> None:
    X, y = wide_fields(5)
    with pytest.warns(ConvergenceWarning, match="points did not converge"):
        RidgeCV(alphas=[1e-3, 1e-2], max_iter=1).fit(X, y)


def test_warns_of_a_fit_that_missed_after_leaving_one_out(monkeypatch):
    monkeypatch.setattr(SolverSettings, "limit", property(lambda _: -1.0))
    with pytest.warns(ConvergenceWarning, match="relative gradient"):
        RidgeCV([1.0]).fit(np.eye(8), np.arange(8.0))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("shape", [(9, 60), (60, 9)])
@pytest.mark.parametrize("constant", [1e7, np.float32(7.6e11)])
def test_a_large_constant_column_changes_no_score(constant: float, shape: tuple[int, int], kind) -> None:
    """Its mean is rounded, by more than strengths may be."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=shape) * (rng.random(shape) < 0.1), rng.normal(size=shape[0])
    s = rng.uniform(0.1, 2.0, shape[0])
    for mode in ("auto", "eigen"):
        model = RidgeCV(alphas=[1e-3, 1.0], gcv_mode=mode)
        expected = model.fit(kind(X), y, s).cv_scores_
        found = model.fit(kind(np.column_stack([X, np.full(shape[0], constant)])), y, s).cv_scores_
        np.testing.assert_allclose(found, expected, rtol=1e-6)

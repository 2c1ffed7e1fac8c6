"""Ridge by "cg" on one-hot factors, where it is hard: right, or said not to be."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from factor_designs import B, crossed, one_hot, saturated, table
from sklearn.exceptions import ConvergenceWarning

from sparsereg import Ridge, ridge_path
from sparsereg.ridge import direct
from sparsereg.ridge.preconditioners.factors import Factors


def hard_cases() -> dict[str, tuple[sp.csr_array, np.ndarray, float, np.ndarray | None, np.ndarray | None]]:
    """X, y, alpha, sample weights, penalty factors."""
    rng = np.random.default_rng(1)
    X, y = crossed(), rng.normal(size=300)
    n, p = X.shape
    G = saturated()
    wide = 10.0 ** rng.uniform(-6, 6, n)
    zeros = np.ones(p)
    zeros[[0, 3]] = 0.0
    a, b, _ = table()
    ones = sp.csr_array(np.ones((n, 1)))
    numeric = sp.csr_array(rng.normal(size=(n, 1)))
    return {
        "weak": (X, y, 1e-8, None, None),
        "weak, saturated": (G, y, 1e-8, None, None),
        "duplicates": (sp.csr_array(sp.hstack([X, X])), y, 1.0, None, None),
        "weak duplicates": (sp.csr_array(sp.hstack([X, X])), y, 1e-8, None, None),
        "all ones": (sp.csr_array(sp.hstack([ones, X])), y, 1.0, None, None),
        "all ones, weak": (sp.csr_array(sp.hstack([ones, X])), y, 1e-8, None, None),
        "constant y": (X, np.full(n, 3.0), 1.0, None, None),
        "one row": (X[[0]], y[:1], 1.0, None, None),
        "one row, saturated": (G[[0]], y[:1], 1.0, None, None),
        "n < p": (X[:20], y[:20], 0.1, None, None),
        "weights over 12 orders": (X, y, 1.0, wide, None),
        "weights over 12 orders, saturated": (G, y, 1.0, wide, None),
        "zero weights": (X, y, 1.0, (rng.uniform(size=n) < 0.5).astype(float), None),
        "zero factors": (X, y, 1.0, None, zeros),
        "factors": (X, y, 1.0, None, rng.uniform(0.01, 100.0, p)),
        "strong": (X, y, 1e9, None, None),
        "missing": (one_hot([a, b, a * B + b], missing=0.3), y, 0.1, None, None),
        "empty rows": (one_hot([a], missing=0.5), y, 0.1, None, None),
        "numeric": (sp.csr_array(sp.hstack([X, numeric])), y, 1.0, None, None),
        "large y": (X, 1e9 + y, 1.0, None, None),
    }


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("case", list(hard_cases()))
def test_hard_cases_end_right_or_say_so(case: str, fit_intercept: bool) -> None:
    X, y, alpha, s, factor = hard_cases()[case]
    model = Ridge(alpha=alpha, solver="cg", tol=1e-6, fit_intercept=fit_intercept, penalty_factor=factor)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, s)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_)
    weights, v = np.ones(y.size) if s is None else s, np.ones(X.shape[1]) if factor is None else factor
    Z, t = X.toarray(), y.copy()
    if fit_intercept:
        Z, t = Z - np.average(Z, axis=0, weights=weights), y - np.average(y, weights=weights)
    b = Z.T @ (weights * t)
    g = Z.T @ (weights * (t - Z @ model.coef_)) - alpha * v * model.coef_
    floor = 1e-13 * np.sqrt(weights.sum()) * np.linalg.norm(np.sqrt(weights) * y)  # b itself is no better known
    reached = np.linalg.norm(g) <= 1.1e-8 * np.linalg.norm(b) + floor
    said = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert reached or any("relative gradient" in message for message in said)
    if reached and alpha >= 0.1:
        best = np.linalg.lstsq(Z.T @ (weights[:, None] * Z) + alpha * np.diag(v), b)[0]
        excess = model.coef_ - best
        energy = excess @ (Z.T @ (weights * (Z @ excess)))
        assert energy <= 1e-9 * max(float(weights @ t**2), 1e-9 * float(weights @ y**2))


def test_several_targets_share_the_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    X, rng = crossed(), np.random.default_rng(2)
    Y = rng.normal(size=(300, 3))
    calls, of = [], Factors.of.__func__
    monkeypatch.setattr(Factors, "of", classmethod(lambda cls, *args: calls.append(1) or of(cls, *args)))
    model = Ridge(alpha=[0.5, 2.0, 2.0], solver="cg", tol=1e-6).fit(X, Y)
    assert len(calls) == 1
    for t, alpha in enumerate((0.5, 2.0, 2.0)):
        exact = Ridge(alpha=alpha, solver="gram").fit(X, Y[:, t])
        np.testing.assert_allclose(model.coef_[t], exact.coef_, atol=1e-6)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("make", [crossed, saturated])
def test_types_agree(real: type, make: object) -> None:
    X = make(500, 4).astype(real)  # type: ignore[operator]
    y = np.random.default_rng(3).normal(size=500)
    exact = Ridge(solver="gram").fit(X, y)
    for form in ("csr", "csc"):
        for index in (np.int32, np.int64):
            Z = X.asformat(form)
            Z.indices, Z.indptr = Z.indices.astype(index), Z.indptr.astype(index)
            model = Ridge(solver="cg", tol=1e-6).fit(Z, y)
            np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-5)
            assert model.coef_.dtype == real


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n", [60, 25])
def test_one_factor_alone(n, fit_intercept):
    """A single category, also with a row a level: no factor is nested, and none is saturated."""
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.arange(25), rng.integers(0, 25, n - 25)])
    X = sp.csr_array((np.ones(n), (np.arange(n), codes)), shape=(n, 25))
    y = rng.normal(size=n)
    found = Ridge(solver="cg", tol=1e-8, fit_intercept=fit_intercept).fit(X, y)
    exact = Ridge(solver="svd", fit_intercept=fit_intercept).fit(X.toarray(), y)
    np.testing.assert_allclose(found.coef_, exact.coef_, atol=1e-8)


@pytest.mark.parametrize("make", [crossed, saturated])
@pytest.mark.parametrize("weighted", [True, False])
def test_rows_of_ones_are_enough(make: object, weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ridge on the rows of one-hot factors never builds the columns."""
    X = make(500, 4)  # type: ignore[operator]
    rng = np.random.default_rng(3)
    y, s = rng.normal(size=500), rng.uniform(0.5, 2.0, 500) if weighted else None
    exact = Ridge(solver="gram").fit(X, y, s)
    monkeypatch.delattr("sparsereg.data.design.Design.matrix")
    model = Ridge(solver="cg", tol=1e-6).fit(X, y, s)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-6)


def dependent_columns() -> dict[str, np.ndarray]:
    """At least as many rows as columns, but of half the rank; too large for singular values."""
    rng = np.random.default_rng(4)
    half = rng.normal(size=(600, 250))
    return {"twins": np.hstack([half, half]), "products": half @ rng.normal(size=(250, 500))}


@pytest.mark.parametrize("alpha", [1.0, 1e-3, 1e-6])
@pytest.mark.parametrize("name", list(dependent_columns()))
def test_dependent_columns_share_their_weight(name: str, alpha: float) -> None:
    """What changes no prediction is determined by the penalty alone."""
    X = dependent_columns()[name]
    y = np.random.default_rng(5).normal(size=len(X))
    left, values, right = np.linalg.svd(X - X.mean(0), full_matrices=False)
    left, values, right = left[:, :250], values[:250], right[:250]
    exact = right.T @ (values / (values**2 + alpha) * (left.T @ y))
    found = Ridge(alpha, solver="cg").fit(X, y).coef_
    assert np.linalg.norm(found - exact) <= 1e-3 * np.linalg.norm(exact)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("entry", [Ridge, ridge_path])
def test_columns_without_penalty_that_nearly_coincide(entry: object, alpha: float) -> None:
    """Few digits of H tell them apart, but X does."""
    rng = np.random.default_rng(6)
    X = rng.normal(size=(30, 4))
    X[:, :2] += 1e8
    y = X @ [2.0, -2.0, 3.0, 4.0]
    options = {"solver": "cg", "penalty_factor": np.zeros(4), "fit_intercept": False}
    if entry is Ridge:
        coef = Ridge(alpha, **options).fit(X, y).coef_
    else:
        coef = ridge_path(X, y, alphas=[alpha], **options).coefs.toarray()[:, 0]
    np.testing.assert_allclose(coef, [2.0, -2.0, 3.0, 4.0], atol=1e-5)


@pytest.mark.parametrize("entry", [Ridge, ridge_path])
def test_a_small_wide_rank_is_kept(entry: object) -> None:
    """Ones, and a column that is the sum of two others, in single precision: as by singular values."""
    X = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    y, alpha = np.array([1.5, 1.7, 1.8]), 1.5e-6
    exact = Ridge(alpha, solver="svd").fit(X.astype(np.float64), y).coef_
    if entry is Ridge:
        coef = Ridge(alpha, solver="cg").fit(X, y).coef_
    else:
        coef = ridge_path(X, y, alphas=[alpha], solver="cg").coefs.toarray()[:, 0]
    np.testing.assert_allclose(coef, exact, rtol=1e-4)


def hard_problem(n: int, free: int, twins: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """700 normal columns, of which half may be nearly the others', y, and factors of which some are 0."""
    rng = np.random.default_rng(0)
    X, v = rng.normal(size=(n, 700)), np.ones(700)
    if twins:
        X[:, 350:] = X[:, :350] + 1e-4 * rng.normal(size=(n, 350))
    v[:free] = 0.0
    return X, X[:, :30] @ rng.normal(size=30) + rng.normal(size=n), v


HARD = [(150, 0, 6e-3, False), (150, 20, 1e-6, False), (150, 100, 1e-8, False), (300, 20, 1e-8, True)]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(("n", "free", "share", "twins"), [*HARD, (800, 0, 1e-8, True), (800, 20, 1e-8, True)])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_coefficients_of_a_weak_penalty_are_right_or_warned_of(
    kind: type, n: int, free: int, share: float, twins: bool, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside columns without penalty, for which gradients alone bound nothing."""
    X, y, v = hard_problem(n, free, twins)
    exact = Ridge(share * n, solver="gram", penalty_factor=v).fit(X, y).coef_
    if large:  # as where no square is small enough to be factorised
        monkeypatch.setattr(direct, "SMALL_SQUARE", 100)
        monkeypatch.setattr(direct, "DENSE_SQUARE", 100)
    tol = 2e-4
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = Ridge(share * n, solver="cg", penalty_factor=v, tol=tol).fit(kind(X), y)
        path = ridge_path(kind(X), y, alphas=[10 * share * n, share * n], solver="cg", penalty_factor=v, tol=tol)
    assert not caught or (large and n == 800)
    if not caught:
        for found in (model.coef_, path.coefs.toarray()[:, 1]):
            assert np.linalg.norm(found - exact) <= 10 * tol * np.linalg.norm(exact)


def test_a_gap_is_known_beside_columns_without_penalty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "DENSE_SQUARE", 100)
    X, y, v = hard_problem(150, 20, False)
    found, exact = (Ridge(1.0, solver=s, penalty_factor=v, tol=1e-3).fit(X, y) for s in ("cg", "gram"))
    Z, z = X - X.mean(axis=0), y - y.mean()
    values = [np.sum((z - Z @ one.coef_) ** 2) + np.sum(v * one.coef_**2) for one in (found, exact)]
    assert 0.0 < values[0] - values[1] <= found.dual_gap_ < 1e-4 * values[1]


def least_squares(
    X: np.ndarray, y: np.ndarray, s: np.ndarray | None, l2: np.ndarray, fit_intercept: bool
) -> np.ndarray:
    """By singular values of X above the root of the penalty: the normal equations have lost four digits here."""
    root = np.ones(y.size) if s is None else np.sqrt(s)
    if fit_intercept:
        X, y = X - np.average(X, axis=0, weights=s), y - np.average(y, weights=s)
    A = np.vstack([root[:, None] * X, np.diag(np.sqrt(l2))])
    return np.linalg.lstsq(A, np.concatenate([root * y, np.zeros(l2.size)]), rcond=None)[0]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_few_rows_decide_beside_columns_without_penalty(
    weighted: bool, fit_intercept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a square of the side of the rows, where that of the columns is too large."""
    X, y, v = hard_problem(150, 20, False)
    s = 10.0 ** np.random.default_rng(1).uniform(-6, 0, 150) if weighted else None
    exact = least_squares(X, y, s, 1e-8 * v, fit_intercept)
    monkeypatch.setattr(direct, "SMALL_SQUARE", 200)
    model = Ridge(1e-8, solver="cg", penalty_factor=v, fit_intercept=fit_intercept, tol=1e-6).fit(sp.csr_array(X), y, s)
    assert np.linalg.norm(model.coef_ - exact) <= 1e-5 * np.linalg.norm(exact)
    assert np.isfinite(model.dual_gap_)
    assert model.gradient_norm_ < 1e-12


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, sp.csc_array])
def test_constant_columns_of_a_large_mean_leave_sweeps_alone(kind: type) -> None:
    """Their products are rounding, which a small penalty enlarged until the sweeps overflowed."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(40, 20)), np.full((40, 4), 1532621488128.0)])
    y = X[:, :3].sum(axis=1) + rng.normal(size=40)
    path = ridge_path(kind(X), y, alphas=[400.0, 4.0], solver="cg")  # a warning is an error here
    plain = ridge_path(X[:, :20], y, alphas=[400.0, 4.0], solver="gram")
    np.testing.assert_allclose(path.coefs.toarray()[:20], plain.coefs.toarray(), atol=1e-5)
    assert not path.coefs.toarray()[20:].any()

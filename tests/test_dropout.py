"""Dropout as a penalty, compared with random masks and with penalties that a wrong derivation would give."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from sparsereg import ElasticNet, Lasso, Ridge, regularization_path
from sparsereg.data.design import as_design
from sparsereg.ridge.dropout import dropout_factor

RATE = 0.3


def data(seed: int = 0, n: int = 40, p: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns with large means and unequal norms, which distinguish dropout from centred or equal penalties."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + 2.0) * np.geomspace(0.3, 3.0, p)
    X[rng.random(X.shape) < 0.2] = 0.0
    return X, X @ rng.normal(size=p) + rng.normal(size=n) + 5.0, rng.uniform(0.2, 3.0, n)


def masks(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return (rng.random(shape) >= RATE) / (1.0 - RATE)


def test_the_penalised_objective_is_the_average_loss_over_masks() -> None:
    X, y, s = data()
    factor = dropout_factor(as_design(X), s, RATE)
    rng = np.random.default_rng(1)
    for _ in range(3):
        w, b0 = rng.normal(size=X.shape[1]), rng.normal()
        dropped = masks(rng, (20_000, *X.shape)) * X
        losses = (y - b0 - dropped @ w) ** 2 @ s
        exact = s @ (y - b0 - X @ w) ** 2 + factor @ w**2
        error = losses.std(ddof=1) / np.sqrt(losses.size)
        assert error < 0.01 * factor @ w**2, "else the test could not tell"
        assert abs(losses.mean() - exact) < 4 * error


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_minimiser_is_that_of_the_average_over_masks(fit_intercept: bool) -> None:
    """Least squares on many copies of the rows with entries dropped, from their moments."""
    X, y, s = data(2)
    model = Ridge(penalty_factor="dropout", dropout_rate=RATE, fit_intercept=fit_intercept).fit(X, y, s)
    rng, k = np.random.default_rng(3), X.shape[1] + 1
    sums, copies = np.zeros((10, k, k + 1)), 10_000
    for part in sums:  # ten answers, whose spread is the error of their mean
        A = np.ones((copies, y.size, k))
        A[..., 1:] = masks(rng, (copies, *X.shape)) * X
        A = A.reshape(-1, k)
        rows = np.tile(s, copies)[:, None] * A
        part[:] = rows.T @ np.column_stack([A, np.tile(y, copies)])
    keep = slice(0 if fit_intercept else 1, None)
    answers = np.stack([np.linalg.solve(part[keep, keep.start : k], part[keep, k]) for part in sums])
    ours = np.r_[model.intercept_, model.coef_] if fit_intercept else model.coef_
    error = answers.std(axis=0, ddof=1) / np.sqrt(len(answers))
    assert (np.abs(answers.mean(axis=0) - ours) < 4.5 * error).all()
    plain = Ridge(fit_intercept=fit_intercept).fit(X, y, s)
    assert (np.abs(answers.mean(axis=0) - np.r_[plain.intercept_, plain.coef_][keep]) > 20 * error).any()


@pytest.mark.parametrize("solver", ["gram", "dual", "svd", "cg"])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, sp.csc_array, np.float32])
def test_all_storage_and_all_methods(solver: str, make) -> None:
    X, y, s = data(4, n=12, p=15)
    X[:, 7] = 0.0
    model = Ridge(alpha=2.0, penalty_factor="dropout", dropout_rate=RATE, solver=solver, tol=1e-10).fit(make(X), y, s)
    penalty = 2.0 * RATE / (1.0 - RATE) * (s @ X**2)
    penalty[7] = 1.0
    Xc, yc = X - np.average(X, axis=0, weights=s), y - np.average(y, weights=s)
    w = np.linalg.solve(Xc.T @ (s[:, None] * Xc) + np.diag(penalty), Xc.T @ (s * yc))
    np.testing.assert_allclose(model.coef_, w, rtol=1e-3 if make is np.float32 else 1e-8, atol=1e-7)


def test_alpha_multiplies_the_odds() -> None:
    X, y, s = data(5)
    one = Ridge(alpha=4.0, penalty_factor="dropout", dropout_rate=0.2).fit(X, y, s)
    other = Ridge(penalty_factor="dropout", dropout_rate=0.5).fit(X, y, s)
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-12)


@pytest.mark.parametrize("shape", [(40, 4), (10, 25)])
def test_a_rate_of_0_is_least_squares(shape: tuple[int, int]) -> None:
    X, y, _ = data(6, *shape)
    none = Ridge(penalty_factor="dropout", dropout_rate=0).fit(X, y)
    np.testing.assert_allclose(none.coef_, Ridge(alpha=0).fit(X, y).coef_, rtol=1e-6, atol=1e-9)


def test_units_of_the_columns_do_not_matter() -> None:
    X, y, s = data(7)
    scale = np.geomspace(1e-3, 1e3, X.shape[1])
    model = Ridge(penalty_factor="dropout", dropout_rate=RATE)
    np.testing.assert_allclose(
        clone(model).fit(X * scale, y, s).coef_ * scale, clone(model).fit(X, y, s).coef_, rtol=1e-9
    )


def test_what_is_refused() -> None:
    X, y, _ = data()
    for rate in (None, -0.1, 1, 1.0, np.nan, "0.5", True):
        with pytest.raises(ValueError, match="dropout_rate"):
            Ridge(penalty_factor="dropout", dropout_rate=rate).fit(X, y)
    for factor in (None, np.ones(4)):
        with pytest.raises(ValueError, match=r"dropout_rate=0.5 has an effect only with penalty_factor='dropout'"):
            Ridge(penalty_factor=factor, dropout_rate=0.5).fit(X, y)
    with pytest.raises(ValueError, match=r"penalty_factor has dtype <U4; expected real numbers.*'drop'"):
        Ridge(penalty_factor="drop").fit(X, y)
    for fit in (Lasso(penalty_factor="dropout").fit, ElasticNet(penalty_factor="dropout").fit):
        with pytest.raises(ValueError, match="penalty_factor='dropout': expected numbers here"):
            fit(X, y)
    with pytest.raises(ValueError, match="penalty_factor='dropout': expected numbers here"):
        regularization_path(X, y, penalty_factor="dropout")

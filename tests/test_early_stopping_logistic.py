"""Early stopping of the logistic and multinomial losses, compared with plain gradient descent and with ridge."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import check_estimator

from sparsereg import LogisticRegression, LogisticRegressionCV
from sparsereg.data.design import as_design
from sparsereg.ridge.early_stopping import hold_out
from sparsereg.ridge.normal_equations import NormalEquations

EARLY = LogisticRegression(C=np.inf, early_stopping=True, random_state=0)


def data(K: int = 2, n: int = 200, p: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns with unequal norms, one far from 0, and labels that they hardly tell apart."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * rng.uniform(0.3, 1.5, p) + 0.5
    X[:, 0] += 2e4
    z = 1.5 * (X - X.mean(axis=0)) @ rng.normal(size=(p, K)) / np.sqrt(p)
    return X, np.argmax(z + rng.gumbel(size=(n, K)), axis=1), rng.uniform(0.2, 2.0, n)


def training_weights(X, s: np.ndarray | None, model: LogisticRegression) -> np.ndarray:
    """The weights, 0 for the rows that the model holds out."""
    equations = NormalEquations(as_design(X), s, True, np.ones(X.shape[1]))
    kept, _ = hold_out(equations, model.validation_fraction, 5, check_random_state(model.random_state))
    return kept.s


def probabilities(Z: np.ndarray) -> np.ndarray:
    """Of a single predictor, or of one a class."""
    return softmax(np.column_stack([np.zeros(len(Z)), Z[:, 0]]) if Z.shape[1] == 1 else Z, axis=1)


class Plain:
    """Gradient descent with the intercepts at their best, in dense NumPy."""

    def __init__(self, X, Y, s, v, l2, step, offset):
        self.X, self.Y, self.s, self.v, self.l2, self.step = X - X.mean(axis=0), Y, s, v, l2, step
        self.K = 1 if Y.shape[1] == 2 else Y.shape[1]
        self.W, self.offset = np.zeros((X.shape[1], self.K)), offset.reshape(len(X), -1)
        self.b = self.best()

    def targets(self):
        return self.Y[:, 1:] if self.K == 1 else self.Y

    def residual(self, Z):
        P = probabilities(Z)
        return (P[:, 1:] if self.K == 1 else P) - self.targets()

    def loss(self, Z, s):
        return -s @ np.sum(self.Y * np.log(probabilities(Z)), axis=1)

    def best(self):
        Z = self.X @ self.W + self.offset

        def value_and_slope(b):
            return self.loss(Z + b, self.s), self.s @ self.residual(Z + b)

        found = minimize(value_and_slope, np.zeros(self.K), jac=True, method="BFGS", options={"gtol": 1e-9})
        return found.x - (found.x.mean() if self.K > 1 else 0.0)

    def advance(self):
        R = self.s[:, None] * self.residual(self.Z)
        self.W = self.W - self.step * (self.X.T @ R / self.v[:, None] + self.l2 * self.W)
        self.b = self.best()

    @property
    def Z(self):
        return self.X @ self.W + self.b + self.offset


@pytest.mark.parametrize("C", [np.inf, 0.2])
@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, sp.csc_array])
def test_it_is_gradient_descent_to_the_least_held_out_loss(K: int, C: float, make) -> None:
    X, y, s = data(K)
    rng = np.random.default_rng(2)
    v, offset = rng.uniform(0.5, 2.0, X.shape[1]), 0.2 * rng.normal(size=(200, K) if K > 2 else 200)
    model = clone(EARLY).set_params(C=C, penalty_factor=v, validation_fraction=0.3, label_smoothing=0.1)
    model.fit(make(X), y, s, offset=offset)
    fitted, Y = training_weights(X, s, model), 0.9 * np.eye(K)[y] + 0.1 / K
    centred = (X - np.average(X, axis=0, weights=fitted)) / np.sqrt(v)
    largest = np.linalg.eigvalsh(centred.T @ (fitted[:, None] * centred))[-1]
    curvature = 0.25 if K == 2 else 0.5
    # The length of the steps is that of the power method; the number of steps follows from what they amount to.
    implicit = 1.0 / model.equivalent_C_ - 1.0 / C
    for t in range(1, 500):
        step = 1.0 / (implicit * t)
        if 0.8 <= step * (curvature * largest + 1.0 / C) <= 1.01:
            plain = Plain(X, Y, fitted, v, 1.0 / C, step, offset)
            for _ in range(t):
                plain.advance()
            W = model.coef_.T
            if np.allclose(plain.W, W, rtol=1e-5, atol=1e-8):
                break
    else:
        raise AssertionError("no number of steps gives these coefficients")
    np.testing.assert_allclose(model.decision_function(X, offset=offset), np.squeeze(plain.Z), atol=1e-5)
    held = np.where(fitted == 0.0, s, 0.0)
    assert np.count_nonzero(held) == 60
    reached = plain.loss(plain.Z, held)
    losses = [plain.loss(Plain(X, Y, fitted, v, 1.0 / C, step, offset).Z, held)]
    walk = Plain(X, Y, fitted, v, 1.0 / C, step, offset)
    for _ in range(min(t + 30, 2 * t + 5)):
        walk.advance()
        losses.append(walk.loss(walk.Z, held))
    assert reached <= min(losses) * 1.001
    assert np.isinf(model.dual_gap_)


@pytest.mark.parametrize("K", [2, 3])
def test_it_predicts_as_ridge_at_the_equivalent_strength(K: int) -> None:
    X, y, _ = data(K, n=4000)
    X -= X.mean(axis=0)
    fit, new = slice(0, 300), slice(300, None)
    model = clone(EARLY).fit(X[fit], y[fit])
    s = training_weights(X[fit], None, model)
    ridge, free = (LogisticRegression(C=C).fit(X[fit], y[fit], s) for C in (model.equivalent_C_, np.inf))

    def loss(one):
        return -np.mean(one.predict_log_proba(X[new])[np.arange(3700), y[new]])

    assert loss(model) == pytest.approx(loss(ridge), abs=0.03)
    assert loss(free) > loss(model) + 0.01


def test_each_parameter_has_an_effect() -> None:
    X, y, _ = data()
    base = clone(EARLY).fit(X, y)
    for change in (
        {"random_state": 1}, {"validation_fraction": 0.4}, {"C": 0.01}, {"standardize": True}, {"fit_intercept": False},
        {"label_smoothing": 0.5},
    ):  # fmt: skip
        assert not np.allclose(clone(EARLY).set_params(**change).fit(X, y).coef_, base.coef_), change
    base.set_params(early_stopping=False, C=1.0).fit(X, y)
    assert not hasattr(base, "equivalent_C_")
    assert np.isfinite(base.dual_gap_)


def test_patience_and_the_number_of_steps() -> None:
    """The held-out loss rises, then falls: the fast direction is wrong for held-out rows, the slow one right."""
    n = 400
    X = np.zeros((n, 2))
    X[: n // 2, 0], X[n // 2 :, 1] = 1.0, 0.2
    held = training_weights(X, None, EARLY) == 0
    fast = X[:, 0] > 0
    y = np.where(fast, np.arange(n) % 5 > 1, np.arange(n) % 40 > 0).astype(int)
    y[held & fast] = 0
    short, long = (clone(EARLY).set_params(n_iter_no_change=k, fit_intercept=False).fit(X, y) for k in (3, 90))
    assert np.isclose(short.equivalent_C_, 0.0)
    assert not short.coef_.any()
    assert long.coef_[0, 1] > 1.0
    easy = (X[:, 0] > 0).astype(int)
    with pytest.warns(ConvergenceWarning, match="held-out loss was still falling after max_iter=1 hundreds of steps"):
        clone(EARLY).set_params(max_iter=1).fit(X, easy)


def test_under_a_heavy_penalty_it_goes_on_to_the_minimum() -> None:
    X, y, _ = data(n=2000, p=5)
    model = clone(EARLY).set_params(C=1e-3, tol=1e-9).fit(X, y)
    full = LogisticRegression(C=1e-3, tol=1e-12).fit(X, y, training_weights(X, None, model))
    if model.equivalent_C_ == 1e-3:
        np.testing.assert_allclose(model.coef_, full.coef_, rtol=1e-4)
    else:
        assert model.equivalent_C_ < 1e-3


def test_soft_targets_and_constant_columns() -> None:
    X, y, s = data()
    X[:, 3] = 4.0
    p = np.column_stack([0.3 + 0.4 * (y == 0), 0.3 + 0.4 * (y == 1)])
    model = clone(EARLY).fit(X, p, s, classes=["a", "b"])
    assert model.coef_[0, 3] == 0.0
    assert model.coef_.any()
    empty = clone(EARLY).fit(np.zeros((40, 2)), np.arange(40) % 2)
    assert not empty.coef_.any()


def test_what_is_refused() -> None:
    X, y, _ = data(n=40, p=3)
    for change, match in [
        ({"l1_ratio": 0.5}, "l1_ratio=0.5 does not go with it"),
        ({"positive": True}, "positive=True does not go"),
        ({"warm_start": True}, "warm_start=True does not go"),
        ({"confidence_penalty": 0.1}, "confidence_penalty=0.1 does not go"),
        ({"dropout_rate": 0.1}, "dropout_rate=0.1 does not go"),
        ({"gaussian_noise": 0.1}, "gaussian_noise=0.1 does not go"),
        ({"early_stopping": "yes"}, "early_stopping='yes'"),
        ({"early_stopping": False, "validation_fraction": 0.2}, "validation_fraction=0.2 has an effect only"),
        ({"validation_fraction": 0.0}, "validation_fraction=0.0"),
        ({"validation_fraction": 0.99}, "validation_fraction=0.99 of n_samples=40"),
        ({"n_iter_no_change": 0}, "n_iter_no_change=0"),
        ({"penalty_factor": [1.0, 0.0, 1.0]}, "penalty_factor holds 0"),
    ]:
        with pytest.raises(ValueError, match=match):
            clone(EARLY).set_params(**change).fit(X, y)
    lonely = np.zeros(40)
    lonely[np.flatnonzero(training_weights(X, None, EARLY) == 0)[0]] = 1.0
    with pytest.raises(ValueError, match="none of class number 1; decrease it"):
        clone(EARLY).fit(X, lonely)
    assert "early_stopping" not in LogisticRegressionCV().get_params()


def test_check_estimator_with_early_stopping() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(clone(EARLY).set_params(C=1.0), on_fail=None)
    failed = [r["check_name"] for r in results if r["status"] in ("failed", "xfail")]
    # Held-out rows are drawn by their place, and one row cannot be held out and fitted: as for any early stopping.
    assert set(failed) <= {
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weight_equivalence_on_sparse_data",
    }

"""Dropout and noise by name under the logistic loss, compared with random draws and with derivatives by differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from sparsereg import LogisticRegression
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES
from sparsereg.losses.predictors import WeightedLoss
from sparsereg.solvers.noise import Noise, NoisedLogistic, Squares
from sparsereg.solvers.smooth_newton import smooth_newton

RATE = np.array([0.3, 0.1, 0.5, 0.0, 0.2])


def data(seed=0, n=150, p=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.7) * np.geomspace(0.6, 1.5, p)
    y = (rng.random(n) < 1 / (1 + np.exp(-X @ rng.normal(size=p) * 0.8 - 0.3))).astype(float)
    return X, y, rng.uniform(0.5, 2.0, n)


def noised(X, y, s, rate, deviation, l2=0.2):
    design = as_design(X)
    order = design.columns
    noise = Noise(Squares.of(design, design), (rate / (1 - rate))[order], (deviation**2)[order])
    loss = WeightedLoss(LOSSES["logistic"], y, s)
    return NoisedLogistic(design, loss, np.full(len(rate), l2), True, noise=noise), order


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(("rate", "deviation"), [(RATE, 0.0), (0.0 * RATE, 0.4), (RATE, 0.3)])
def test_derivatives_are_those_of_the_value(rate, deviation, make):
    X, y, s = data()
    problem, _ = noised(make(X), y, s, rate, deviation * np.ones(5))
    rng, h = np.random.default_rng(1), 1e-5
    W, b, D, d = rng.normal(size=(5, 1)), rng.normal(size=1), rng.normal(size=(5, 1)), rng.normal(size=1)
    state, up, down = problem.state(W, b), problem.state(W + h * D, b + h * d), problem.state(W - h * D, b - h * d)
    assert np.sum(state.g * D) + state.g_b @ d == pytest.approx((up.value - down.value) / (2 * h), abs=1e-6)
    curvature = problem.curvature(state)
    product = problem.eliminated_product(curvature, D, np.zeros((1, 1)))[0] + problem.intercept_products(curvature, d)
    np.testing.assert_allclose(product, (up.g - down.g) / (2 * h), atol=1e-6)


@pytest.mark.parametrize("which", ["dropout", "noise"])
def test_the_penalty_is_the_average_over_draws_to_second_order(which):
    """The error falls with the square of the variance: at a third of the coefficients 81 times, the penalty 9 times."""
    X, y, s = data()
    rate, deviation = (RATE, 0.0 * RATE) if which == "dropout" else (0.0 * RATE, 0.3 + RATE)
    problem, order = noised(sp.csr_array(X), y, s, rate, deviation, l2=0.0)
    rng, w = np.random.default_rng(2), np.array([0.5, -0.6, 0.4, 0.5, -0.5])
    wrong = []
    for scale in (1.0, 1 / 3):
        z0 = X @ (scale * w) + 0.2
        plain = s @ LOSSES["logistic"].value(y, z0)
        extra = []
        for _ in range(40):
            draws = (rng.random((250, *X.shape)) >= rate) / (1 - rate) * X
            draws = draws + deviation * rng.normal(size=draws.shape)
            # what is linear in the change averages to 0: without it, few draws are enough
            change = draws @ (scale * w) + 0.2 - z0
            values = LOSSES["logistic"].value(y, z0 + change) - (1 / (1 + np.exp(-z0)) - y) * change
            extra.append((values @ s - plain).mean())
        exact, error = np.mean(extra), np.std(extra) / np.sqrt(40)
        state = problem.state((scale * w)[order][:, None], np.array([0.2]))
        penalty = state.value - plain
        assert error < 0.01 * exact
        assert penalty == pytest.approx(exact, rel=0.15 if scale == 1.0 else 0.02, abs=4 * error)
        wrong.append(penalty / exact - 1.0)
    assert abs(wrong[1]) < abs(wrong[0])


def test_the_fit_is_near_that_to_masked_copies():
    """Nearer than the plain fit, by far."""
    X, y, s = data(3)
    model = LogisticRegression(C=np.inf, dropout_rate=RATE).fit(X, y, s)
    rng, copies = np.random.default_rng(4), 400
    masked = ((rng.random((copies, *X.shape)) >= RATE) / (1 - RATE) * X).reshape(-1, 5)
    sampled = LogisticRegression(C=np.inf).fit(masked, np.tile(y, copies), np.tile(s, copies) / copies)
    plain = LogisticRegression(C=np.inf).fit(X, y, s)
    near, far = (np.abs(m.coef_ - sampled.coef_).max() for m in (model, plain))
    assert near < 0.15 * far
    assert model.gradient_norm_ < 1e-9
    assert np.isinf(model.dual_gap_)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_estimators_minimise_the_stated_objective(l1_ratio):
    X, y, s = data(5)
    options = {"C": 2.0, "l1_ratio": l1_ratio, "dropout_rate": RATE, "gaussian_noise": 0.2}
    model = LogisticRegression(**options).fit(sp.csr_array(X), y, s)

    def objective(v):
        w, z = v[:5] - v[5:10], X @ (v[:5] - v[5:10]) + v[10]
        p = 1 / (1 + np.exp(-z))
        spread = X**2 @ (RATE / (1 - RATE) * w**2) + 0.04 * w @ w
        loss = s @ (np.logaddexp(0, z) - y * z + 0.5 * p * (1 - p) * spread)
        return loss + (l1_ratio * v[:10].sum() + (1 - l1_ratio) / 2 * w @ w) / 2.0

    bounds = [(0.0, None)] * 10 + [(None, None)]
    best = minimize(objective, np.zeros(11), bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9, "maxfun": 10**5})
    w = model.coef_[0]
    ours = objective(np.concatenate([np.maximum(w, 0), np.maximum(-w, 0), model.intercept_]))
    assert ours <= best.fun + 1e-8
    np.testing.assert_allclose(w, best.x[:5] - best.x[5:10], atol=1e-4)


def test_all_storage_far_columns_and_single_precision():
    X, y, s = data(6)
    X[:, 1] += 1e4  # shifted on the way in; its square is not
    options = {"C": 1.0, "dropout_rate": np.array([0.3, 0.0, 0.2, 0.1, 0.4])}
    dense = LogisticRegression(**options).fit(X, y, s)
    sparse = LogisticRegression(**options).fit(sp.csc_array(X), y, s)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-6, atol=1e-8)
    X[:, 1] -= 1e4
    single = LogisticRegression(**options).fit(X.astype(np.float32), y, s)
    np.testing.assert_allclose(single.coef_, LogisticRegression(**options).fit(X, y, s).coef_, rtol=1e-4, atol=1e-5)
    ones = (X != 0.0).astype(float)
    np.testing.assert_allclose(
        LogisticRegression(**options).fit(sp.csr_array(ones), y, s).coef_,
        LogisticRegression(**options).fit(ones, y, s).coef_,
        rtol=1e-7,
    )


def test_a_column_that_is_always_dropped_is_not_trusted():
    X, y, _ = data(7)
    rates = np.array([0.0, 0.0, 0.0, 0.0, 0.99])
    assert abs(LogisticRegression(C=np.inf, dropout_rate=rates).fit(X, y).coef_[0, 4]) < 0.05
    np.testing.assert_array_equal(
        LogisticRegression(dropout_rate=0.0).fit(X, y).coef_, LogisticRegression().fit(X, y).coef_
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout_rate": 1.0}, "dropout_rate=1.0"),
        ({"dropout_rate": "0.5"}, "dropout_rate='0.5'"),
        ({"dropout_rate": [0.1, 0.2]}, "dropout_rate has shape"),
        ({"gaussian_noise": -0.1}, "gaussian_noise=-0.1"),
        ({"dropout_rate": 0.1, "confidence_penalty": 0.1}, "take no confidence_penalty"),
    ],
)
def test_what_is_refused(options, message):
    X, y, _ = data()
    with pytest.raises(ValueError, match=message):
        LogisticRegression(**options).fit(X, y)
    with pytest.raises(ValueError, match="Only binary classification"):
        LogisticRegression(dropout_rate=0.1).fit(X, np.arange(150) % 3)


def test_newton_ends_at_a_stationary_point():
    X, y, s = data()
    problem, _ = noised(sp.csr_array(X), y, s, RATE, 0.0 * RATE)
    found = smooth_newton(problem, (np.zeros((5, 1)), np.zeros(1)), 100.0, 100)
    state = problem.state(found.W, found.b)
    assert np.abs(state.g).max() < 1e-8
    assert abs(state.g_b[0]) < 1e-8

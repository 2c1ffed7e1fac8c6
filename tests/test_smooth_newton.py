"""Losses of K predictors against derivatives by differences; Newton's method against its optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from sparsereg import LogisticRegression
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES
from sparsereg.losses.confidence import ConfidentLogistic
from sparsereg.losses.predictors import Softmax, WeightedLoss
from sparsereg.penalties import PENALTIES
from sparsereg.solvers import smooth_problem as module
from sparsereg.solvers.proximal_descent import proximal_descent
from sparsereg.solvers.smooth_newton import smooth_newton
from sparsereg.solvers.smooth_problem import SmoothProblem

RNG = np.random.default_rng(0)
S = RNG.uniform(0.5, 2.0, 6)
LOSSES_OF_K = {
    "logistic": WeightedLoss(LOSSES["logistic"], RNG.random(6), S),
    "poisson": WeightedLoss(LOSSES["poisson"], RNG.random(6) * 3, None),
    "confident": WeightedLoss(ConfidentLogistic(0.7), RNG.random(6), S, convex=False),
    "softmax": Softmax(RNG.dirichlet(np.ones(3), 6), S),
    "confident softmax": Softmax(RNG.dirichlet(np.ones(3), 6), None, 0.7),
}


@pytest.mark.parametrize("loss", LOSSES_OF_K.values(), ids=LOSSES_OF_K)
def test_derivatives_are_those_of_the_total(loss):
    Z, D, h = RNG.normal(size=(6, loss.n_outputs)), RNG.normal(size=(6, loss.n_outputs)), 1e-5
    slope = (loss.total(Z + h * D) - loss.total(Z - h * D)) / (2 * h)
    assert np.sum(loss.gradient(Z) * D) == pytest.approx(slope, abs=1e-8)
    bend = (loss.gradient(Z + h * D) - loss.gradient(Z - h * D)) / (2 * h)
    curvature = loss.curvature(Z)
    np.testing.assert_allclose(curvature.product(D), bend, atol=1e-8)
    assert (curvature.diagonal() >= 0.0).all()
    if loss.convex:
        K = loss.n_outputs
        each = np.stack([sum(curvature.pair(k, m) * D[:, m] for m in range(K)) for k in range(K)], axis=1)
        np.testing.assert_allclose(curvature.product(D), each, atol=1e-12)


def test_the_confident_logistic_is_the_confident_softmax_of_two():
    y, z = RNG.random(6), RNG.normal(size=6) * 30
    one = WeightedLoss(ConfidentLogistic(0.7), y, None, convex=False)
    two = Softmax(np.column_stack([1.0 - y, y]), None, 0.7)
    assert one.total(z[:, None]) == pytest.approx(two.total(np.column_stack([0.0 * z, z])), rel=1e-12)


def data(n=80, p=6):
    X = sp.random_array((n, p), density=0.5, rng=np.random.default_rng(1), format="csr")
    eta = X @ np.linspace(-2, 2, p) + 0.3
    return X, (np.random.default_rng(2).random(n) < 1 / (1 + np.exp(-eta))).astype(float)


@pytest.mark.parametrize("factorised", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", ["logistic", "softmax", "poisson", "huber", "squared_hinge"])
def test_newton_reaches_the_minimum_by_either_way_of_solving(name, fit_intercept, factorised, monkeypatch):
    if not factorised:
        monkeypatch.setattr(module, "MAX_FACTORISED", 0)
    X, y = data()
    s, l2 = np.linspace(0.5, 1.5, 80), np.array([0.1, 1.0, 0.5, 0.1, 2.0, 0.3])
    if name == "softmax":
        loss = Softmax(np.eye(3)[(y + (X[:, [0]].toarray()[:, 0] > 0.5)).astype(int)], s)
    else:
        loss = WeightedLoss(LOSSES[name], 2 * y - 1 if name == "squared_hinge" else y, s)
    design, K = as_design(X), loss.n_outputs
    X = X[:, design.columns]
    problem = SmoothProblem(design, loss, l2, fit_intercept)
    found = smooth_newton(problem, (np.zeros((6, K)), np.zeros(K)), 80.0, 100)
    state = problem.state(found.W, found.b)
    assert found.stopped
    assert np.abs(state.g).max() < 1e-9
    assert np.abs(state.g_b).max() < 1e-9
    assert found.b.any() == fit_intercept

    def objective(v):
        W, b = v[: 6 * K].reshape(6, K), v[6 * K :] * fit_intercept
        return loss.total(np.asfortranarray(X @ W + b)) + 0.5 * np.sum(l2[:, None] * W**2)

    best = minimize(objective, np.zeros(7 * K), options={"gtol": 1e-6})
    assert found.value == pytest.approx(objective(np.append(found.W.ravel(), found.b)), rel=1e-12)
    assert found.value <= best.fun + 1e-9 * abs(best.fun)


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("penalty", ["elastic_net", "elastic_net_nonneg"])
def test_proximal_descent_ends_at_a_stationary_point(penalty, beta):
    X, y = data()
    loss = WeightedLoss(ConfidentLogistic(beta), y, None, convex=False)
    problem, l1 = SmoothProblem(as_design(X), loss, np.full(6, 0.1), True), np.full(6, 1.5)
    start = (np.zeros((6, 1)), np.zeros(1))
    found = proximal_descent(problem, PENALTIES[penalty](), l1, start, (1e-9, 80.0, 5000))
    state, w = problem.state(found.W, found.b), found.W[:, 0]
    distance = PENALTIES[penalty]().stationarity(w, -state.g[:, 0], l1, np.zeros(6))
    assert found.stopped
    assert distance.max() < 1e-5
    assert abs(state.g_b[0]) < 1e-5
    assert 0 < np.count_nonzero(w) < 6
    assert found.value < problem.state(*start).value
    assert found.value == pytest.approx(problem.state(found.W, found.b).value + l1 @ np.abs(w), rel=1e-12)


X_FOUR, Y_FOUR = np.array([[1.0], [1.0], [1.0], [-1.0]]), np.array([1, 1, 0, 0])


def test_a_start_is_no_solution_because_the_rows_have_no_curvature_at_zero():
    """There the gradient in units of the root of the curvature is 1e130, beside which every other one is small."""
    model = LogisticRegression(C=np.inf, fit_intercept=False, warm_start=True).fit(X_FOUR, Y_FOUR)
    plain = model.coef_[0, 0]
    model.coef_ = np.array([[605.0]])
    model.fit(X_FOUR, Y_FOUR, offset=-600.0 * X_FOUR[:, 0])
    assert model.coef_[0, 0] - 600.0 == pytest.approx(plain, rel=1e-6)


def test_curvatures_too_small_to_be_divided_by_are_no_error():
    X = np.kron(np.eye(2), X_FOUR)
    with pytest.warns(ConvergenceWarning):
        LogisticRegression(C=np.inf, fit_intercept=False, max_iter=10).fit(
            X, np.tile(Y_FOUR, 2), offset=-720.0 * X[:, 0]
        )

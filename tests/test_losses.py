"""Every loss in the list against derivatives, its conjugate and its gap; a new one is one class and one line."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from sparsereg import regularization_path
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES, Gamma, Huber, Logistic, Loss, Poisson, SquaredHinge, Tweedie, as_loss
from sparsereg.objective.problem import Coefficients, make_problem


class Expectile(Loss):
    """`|0.8 - 1(r < 0)| r^2 / 2` with `r = y - z`: the toy of `docs/adding.md`."""

    name = "expectile"
    curvature_bound = 0.8

    def slope(self, r):
        return np.where(r < 0.0, 0.2, 0.8)

    def value(self, y, z):
        return 0.5 * self.slope(y - z) * (y - z) ** 2

    def residual(self, y, z):
        return self.slope(y - z) * (y - z)

    def curvature(self, y, z):
        return self.slope(y - z)

    def conjugate(self, y, u):
        return y * u + 0.5 * u * u / self.slope(-u)


@pytest.fixture
def with_toy(monkeypatch):
    monkeypatch.setitem(LOSSES, Expectile.name, Expectile())


TARGETS = {
    "squared": [-1.5, 0.0, 2.0],
    "logistic": [0.0, 1.0, 0.3],
    "poisson": [0.0, 3.0, 0.7],
    "gamma": [0.2, 1.0, 5.0],
    "tweedie": [0.0, 0.4, 3.0],
    "huber": [-1.5, 0.0, 2.0],
    "squared_hinge": [-1.0, 1.0, 1.0],
    "expectile": [-1.5, 0.0, 2.0],
}
EVERY = [*LOSSES.values(), Expectile()]


@pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.name)
def test_derivatives_are_those_of_the_value(loss):
    y, h = np.array(TARGETS[loss.name]), 1e-5
    for z in (np.array([0.3, -0.7, 0.2]), np.array([-2.0, 0.4, 3.0])):
        up, down = loss.value(y, z + h), loss.value(y, z - h)
        np.testing.assert_allclose(loss.residual(y, z), -(up - down) / (2 * h), atol=1e-7)
        slopes = -(loss.residual(y, z + h) - loss.residual(y, z - h)) / (2 * h)
        np.testing.assert_allclose(loss.curvature(y, z), slopes, atol=1e-6)
        assert (loss.curvature(y, z) <= loss.curvature_bound).all()


@pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.name)
def test_the_conjugate_is_the_largest_difference_on_a_grid(loss):
    y, z = np.array(TARGETS[loss.name]), np.linspace(-30.0, 30.0, 60_001)
    for at in (np.zeros(3), np.array([0.5, -0.5, 0.3])):
        u = -loss.residual(y, at)
        on_grid = [np.max(u[i] * z - loss.value(np.full_like(z, y[i]), z)) for i in range(3)]
        np.testing.assert_allclose(loss.conjugate(y, u), on_grid, atol=1e-5)


@pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.name)
def test_the_fenchel_gap_is_nothing_at_the_residual_and_never_negative(loss):
    y, z, s = np.array(TARGETS[loss.name]), np.array([0.3, -0.7, 2.5]), np.array([1.0, 2.0, 0.5])
    assert loss.fenchel_gap(y, z, s, 1.0) == pytest.approx(0.0, abs=1e-14)
    for t in (0.0, 0.3, 0.9):
        plain = s @ (loss.value(y, z) + loss.conjugate(y, -t * loss.residual(y, z)) + t * loss.residual(y, z) * z)
        assert loss.fenchel_gap(y, z, s, t) == pytest.approx(plain, abs=1e-13)
        assert loss.fenchel_gap(y, z, s, t) >= 0.0


@pytest.mark.parametrize("loss", EVERY, ids=lambda loss: loss.name)
def test_the_null_model_has_no_slope(loss):
    y, s, offset = np.array(TARGETS[loss.name]), np.array([1.0, 2.0, 0.5]), np.array([0.2, -0.1, 0.4])
    for weights in (None, s):
        b0 = loss.null_predictor(y, weights, offset)
        slopes = loss.residual(y, offset + b0)
        assert float(slopes.sum() if weights is None else weights @ slopes) == pytest.approx(0.0, abs=1e-9)


def targets(name, z, rng):
    """Random targets of a loss, near the predictors z."""
    if name == "logistic":
        return np.where(rng.random(z.size) < 0.2, rng.random(z.size), z + rng.logistic(size=z.size) > 0.0)
    if name == "squared_hinge":
        return np.where(z + rng.logistic(size=z.size) > 0.0, 1.0, -1.0)
    if name == "poisson":
        return rng.poisson(np.exp(z)).astype(float)
    if name == "gamma":
        return rng.gamma(2.0, np.exp(z) / 2.0) + 1e-3
    if name == "tweedie":
        return np.where(rng.random(z.size) < 0.3, 0.0, rng.gamma(2.0, np.exp(z) / 2.0))
    return z + rng.standard_t(3, size=z.size)


CASES = [
    (1.0, {}),
    (0.5, {"weighted": True, "offset": True}),
    (1.0, {"fit_intercept": False}),
    (0.5, {"standardize": True}),
]


@pytest.mark.parametrize(("l1_ratio", "options"), CASES)
@pytest.mark.parametrize("loss", [*(loss for loss in EVERY if not loss.quadratic), Tweedie(1.9)], ids=str)
def test_every_loss_is_fitted_with_a_certificate(loss, l1_ratio, options):
    """Against a quasi-Newton method on the positive and negative parts of the coefficients."""
    rng, options = np.random.default_rng(0), dict(options)
    X = np.hstack([np.eye(4)[rng.integers(0, 4, 120)], rng.normal(size=(120, 3))])
    s = rng.uniform(0.5, 2.0, 120) if options.pop("weighted", False) else None
    o = rng.normal(size=120) if options.pop("offset", False) else None
    y = targets(loss.name, X @ (0.5 * rng.normal(size=7)), rng)
    path = regularization_path(
        sp.csr_array(X), y, loss=loss, l1_ratio=l1_ratio, alphas=6, tol=1e-9, sample_weight=s, offset=o, **options
    )
    assert path.loss == str(loss)
    assert path.certified.all()
    assert path.n_nonzero[0] == 0 < path.n_nonzero[-1]
    weights, offset = np.ones(120) if s is None else s, np.zeros(120) if o is None else o
    sigma = np.sqrt(np.average((X - np.average(X, axis=0, weights=weights)) ** 2, axis=0, weights=weights))
    sigma = sigma if options.get("standardize") else np.ones(7)
    free = options.get("fit_intercept", True)

    def objective(v, alpha):
        """The value and its gradient."""
        b0, w = v[0] * free, v[1:8] - v[8:]
        z = offset + b0 + X @ w
        total = weights @ loss.value(y, z) / weights.sum()
        slope = -weights * loss.residual(y, z) / weights.sum()
        bent = X.T @ slope + alpha * (1 - l1_ratio) * sigma**2 * w
        grad = np.concatenate([[free * slope.sum()], bent + alpha * l1_ratio * sigma, -bent + alpha * l1_ratio * sigma])
        penalty = l1_ratio * sigma @ (v[1:8] + v[8:]) + (1 - l1_ratio) / 2 * np.sum((sigma * w) ** 2)
        return total + alpha * penalty, grad

    for k in (1, 3, 5):
        alpha, bounds = path.alphas[k], [(None, None), *[(0.0, None)] * 14]
        tight = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000, "maxfun": 50_000}
        best = minimize(objective, np.zeros(15), args=(alpha,), jac=True, bounds=bounds, options=tight)
        w = path.coefs[:, [k]].toarray()[:, 0]
        mine = objective(np.concatenate([[path.intercepts[k]], np.maximum(w, 0), np.maximum(-w, 0)]), alpha)[0]
        assert mine <= best.fun + path.dual_gaps[k] + 1e-12
        assert mine >= best.fun - 1e-7


EXTREMES = {"logistic": [0.0, 1.0, 0.5], "poisson": [0.0, 1e6, 1.0], "squared_hinge": [-1.0, 1.0, 1.0]}


@pytest.mark.parametrize("loss", EVERY, ids=str)
@pytest.mark.parametrize("z", [-1e4, -700.0, -40.0, 0.0, 40.0, 700.0, 1e4])
def test_extreme_predictors_give_numbers_or_infinity(loss, z):
    """No NaN, no warning, nothing negative; at the targets on the boundary too."""
    y = np.array(EXTREMES.get(loss.name, TARGETS[loss.name]))
    z = np.full(3, z)
    value, h = loss.value(y, z), loss.curvature(y, z)
    assert (value >= 0.0).all()
    assert (h >= 0.0).all()
    assert not np.isnan(loss.residual(y, z)).any()
    if np.isfinite(value).all():
        for t in (0.0, 0.5, 1.0 - 1e-9, 1.0):
            assert loss.fenchel_gap(y, z, None, t) >= -1e-9 * (1.0 + np.abs(value).max())


def test_the_gap_near_the_residual_keeps_its_digits():
    """At t = 1 - e it is `e^2 / 2 sum_i rho_i^2 / l''`, far below the rounding of the loss."""
    for loss, y, z in (
        (Logistic(), [0.0, 1.0, 0.3], [-20.0, 3.0, 0.2]),
        (Poisson(), [0.0, 1e6, 5.0], [-9.0, 13.0, 2.0]),
        (Gamma(), [0.2, 1e6, 5.0], [1.0, 14.0, 1.0]),
    ):
        y, z = np.array(y), np.array(z)
        expected = 0.5e-12 * np.sum(loss.residual(y, z) ** 2 / loss.curvature(y, z))
        assert loss.fenchel_gap(y, z, None, 1.0 - 1e-6) == pytest.approx(expected, rel=1e-4)


def test_saturated_models_are_exact():
    rows = np.array([0.0, 1.0, 0.25])
    assert Logistic().conjugate(rows, np.zeros(3)) == pytest.approx([0, 0, -0.25 * np.log(4) - 0.75 * np.log(4 / 3)])
    for loss in (Poisson(), Gamma(), Tweedie(1.3), Huber(), SquaredHinge()):
        y = np.array(EXTREMES.get(loss.name, TARGETS[loss.name]))
        assert loss.conjugate(y, np.zeros(3)) == pytest.approx(np.zeros(3), abs=1e-9)


def test_the_best_intercept_is_found_from_anywhere():
    rng = np.random.default_rng(3)
    for loss in EVERY:
        y = targets(loss.name, rng.normal(size=50), rng)
        for z in (np.zeros(50), np.full(50, 300.0), np.where(rng.random(50) < 0.5, 200.0, -200.0), rng.normal(size=50)):
            b = loss.best_intercept(y, z, None)
            low, here, high = (loss.total(y, z + at) for at in (b - 1e-4, b, b + 1e-4))
            assert here <= min(low, high) * (1 + 1e-12) + 1e-12, (loss.name, b)


def test_a_loss_is_named_with_its_parameter():
    assert as_loss("tweedie") == Tweedie(1.5)
    assert as_loss(("tweedie", 1.7)) == as_loss("tweedie:1.7") == Tweedie(1.7)
    assert as_loss(as_loss("huber:0.5")).delta == 0.5
    assert all(str(as_loss(str(loss))) == str(loss) for loss in EVERY[:-1])
    for wrong, message in (
        ("hinge", "loss='hinge'"),
        (("tweedie", 2.0), "power=2.0"),
        (("tweedie", "x"), "is a number"),
        (("logistic", 1.0), "no parameter"),
        (("huber", -1.0), "delta=-1.0"),
        (7, "loss=7"),
        ((), "loss="),
    ):
        with pytest.raises(ValueError, match=message):
            as_loss(wrong)


@pytest.mark.usefixtures("with_toy")
def test_a_gap_bounds_the_distance_from_the_minimum_anywhere():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 5)), np.where(rng.random(60) < 0.5, 1.0, -1.0)
    problem = make_problem(as_design(X), y, loss="squared_hinge")
    path = regularization_path(X, y, loss="squared_hinge", alphas=[0.05], tol=1e-12)
    best = Coefficients(np.arange(5), path.coefs.toarray()[:, 0])
    for scale in (0.0, 0.5, 1.5, -2.0):
        coef = Coefficients(np.arange(5), best.w * scale + 0.1 * rng.normal(size=5))
        excess = problem.objective(coef, 0.05, 1.0) - problem.objective(best, 0.05, 1.0)
        assert -1e-12 <= excess <= problem.duality_gap(coef, 0.05, 1.0)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("squared_hinge", [1.0, 2.0, -1.0], "y holds 2.*Encode classes"),
        ("logistic", [0.0, 1.0, -1.0], "y holds -1.*Encode classes"),
        ("poisson", [0.0, 1.0, -1.0], "y holds -1.*at least 0"),
        ("gamma", [0.0, 1.0, 1.0], "y holds 0.*above 0"),
        ("tweedie", [0.0, 1.0, -2.0], "y holds -2.*at least 0"),
        ("logistic", [1.0, 1.0, 1.0], "only 1.*both"),
        ("poisson", [0.0, 0.0, 0.0], "only 0"),
        ("tweedie", [0.0, 0.0, 0.0], "only 0"),
        ("hinge", [1.0, 2.0, -1.0], "loss='hinge'"),
    ],
)
def test_targets_and_names_outside_the_range_are_refused(loss, y, message):
    with pytest.raises(ValueError, match=message):
        regularization_path(np.eye(3), y, loss=loss)


def test_an_infinite_null_model_is_refused():
    with pytest.raises(ValueError, match="offset is too large"):
        regularization_path(
            np.eye(3), [1.0, 2.0, 0.0], loss="poisson", offset=[0.0, 1e4, 0.0], fit_intercept=False, alphas=[0.1]
        )

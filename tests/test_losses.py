"""Every loss in the list against derivatives, its conjugate and its gap; a new one is one class and one line."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from sparsereg import regularization_path
from sparsereg.data.design import as_design
from sparsereg.losses import LOSSES, Loss
from sparsereg.objective.problem import Coefficients, make_problem


class SquaredHinge(Loss):
    """`max(0, 1 - y z)^2 / 2` for y in {-1, 1}: the toy of `docs/adding.md`."""

    name = "squared_hinge"
    curvature_bound = 1.0

    def check_target(self, y):
        if not np.isin(y, (-1.0, 1.0)).all():
            raise ValueError(f"y holds {y[~np.isin(y, (-1.0, 1.0))][0]}; loss='squared_hinge' takes -1 and 1.")

    def value(self, y, z):
        return 0.5 * np.maximum(1.0 - y * z, 0.0) ** 2

    def residual(self, y, z):
        return y * np.maximum(1.0 - y * z, 0.0)

    def curvature(self, y, z):
        return (y * z < 1.0) * 1.0

    def conjugate(self, y, u):
        v = y * u
        return np.where(v <= 0.0, v + 0.5 * v * v, np.inf)


@pytest.fixture
def with_toy(monkeypatch):
    monkeypatch.setitem(LOSSES, SquaredHinge.name, SquaredHinge())


TARGETS = {"squared": [-1.5, 0.0, 2.0], "squared_hinge": [-1.0, 1.0, 1.0]}
EVERY = [*LOSSES.values(), SquaredHinge()]


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


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize(
    "options", [{}, {"weighted": True, "offset": True}, {"fit_intercept": False}, {"standardize": True}]
)
@pytest.mark.usefixtures("with_toy")
def test_a_toy_loss_is_fitted_with_a_certificate(l1_ratio, options):
    """One class and one line in the list: paths, weights, offsets, standardising and the certificate follow."""
    rng, options = np.random.default_rng(0), dict(options)
    X = np.hstack([np.eye(4)[rng.integers(0, 4, 120)], rng.normal(size=(120, 3))])
    y = np.where(X @ rng.normal(size=7) + 0.5 * rng.normal(size=120) > 0.0, 1.0, -1.0)
    s = rng.uniform(0.5, 2.0, 120) if options.pop("weighted", False) else None
    o = rng.normal(size=120) if options.pop("offset", False) else None
    path = regularization_path(
        sp.csr_array(X),
        y,
        loss="squared_hinge",
        l1_ratio=l1_ratio,
        alphas=6,
        tol=1e-9,
        sample_weight=s,
        offset=o,
        **options,
    )
    assert path.certified.all()
    assert path.n_nonzero[0] == 0 < path.n_nonzero[-1]
    weights, offset = np.ones(120) if s is None else s, np.zeros(120) if o is None else o
    sigma = np.sqrt(np.average((X - np.average(X, axis=0, weights=weights)) ** 2, axis=0, weights=weights))
    sigma = sigma if options.get("standardize") else np.ones(7)
    free = options.get("fit_intercept", True)

    def objective(v, alpha):
        b0, w = v[0] * free, v[1:8] - v[8:]
        loss = weights @ SquaredHinge().value(y, offset + b0 + X @ w) / weights.sum()
        return loss + alpha * (l1_ratio * sigma @ (v[1:8] + v[8:]) + (1 - l1_ratio) / 2 * np.sum((sigma * w) ** 2))

    for k in (1, 3, 5):
        bounds = [(None, None), *[(0.0, None)] * 14]
        best = minimize(
            objective, np.zeros(15), args=(path.alphas[k],), bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-10}
        )
        w = path.coefs[:, [k]].toarray()[:, 0]
        mine = objective(np.concatenate([[path.intercepts[k]], np.maximum(w, 0), np.maximum(-w, 0)]), path.alphas[k])
        assert mine <= best.fun + path.dual_gaps[k] + 1e-12
        assert mine >= best.fun - 1e-7


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


@pytest.mark.usefixtures("with_toy")
def test_targets_and_names_outside_the_range_are_refused():
    X = np.eye(3)
    with pytest.raises(ValueError, match="y holds 2"):
        regularization_path(X, [1.0, 2.0, -1.0], loss="squared_hinge")
    with pytest.raises(ValueError, match="loss='hinge'"):
        regularization_path(X, [1.0, 2.0, -1.0], loss="hinge")
    with pytest.raises(ValueError, match="penalty_factor"):
        regularization_path(X, [1.0, -1.0, -1.0], loss="squared_hinge", penalty_factor=[0.0, 1.0, 1.0])

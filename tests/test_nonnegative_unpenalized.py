"""Non-negative coefficients beside columns without a penalty, for losses other than squares.

With a column j that has no penalty, a dual point must have `x_j' theta <= 0`.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from sparsereg import (
    HuberLossRegressor,
    LogisticRegression,
    PoissonRegressor,
    cross_validate_path,
    regularization_path,
)
from sparsereg.data.design import as_design
from sparsereg.losses import as_loss
from sparsereg.objective.problem import make_problem
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.loop import Options
from sparsereg.solvers.loss_path import LossPathSolver

KINDS = ["logistic", "poisson", "gamma", "huber", "squared_hinge", ("tweedie", 1.5)]
FREE = 4


def problem(loss, seed=0, n=120, p=12):
    """Numbers; of four columns without a penalty two have a positive effect, and two a negative one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    z = 0.5 * X @ np.r_[0.8, 0.6, -0.7, -0.5, 0.6, -0.6, np.zeros(p - 6)]
    if loss in ("logistic", "squared_hinge"):
        y = (z + rng.logistic(size=n) > 0.0) * 1.0
        y = y if loss == "logistic" else 2.0 * y - 1.0
    elif loss == "huber":
        y = z + rng.standard_t(2, size=n)
    else:
        y = rng.poisson(np.exp(z)) * 1.0 if loss == "poisson" else np.exp(z) * rng.gamma(2.0, size=n)
    factor = np.r_[np.zeros(FREE), rng.uniform(0.5, 2.0, p - FREE)]
    return X, y, factor, rng.uniform(0.2, 2.0, n), 0.3 * rng.normal(size=n)


def least(loss, X, y, s, offset, alpha, ratio, factor):
    """The minimum, by quasi-Newton steps within bounds."""
    kind, s = as_loss(loss), s / s.sum()

    def objective(x):
        z = offset + x[0] + X @ x[1:]
        slope = -s * kind.residual(y, z)
        value = s @ kind.value(y, z) + alpha * factor @ (ratio * x[1:] + 0.5 * (1.0 - ratio) * x[1:] ** 2)
        return value, np.r_[slope.sum(), X.T @ slope + alpha * factor * (ratio + (1.0 - ratio) * x[1:])]

    bounds = [(None, None)] + [(0.0, None)] * X.shape[1]
    start = np.r_[0.0, np.full(X.shape[1], 0.01)]
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000}
    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    return found.fun, objective


@pytest.mark.parametrize("solver", ["cd", "prox_gradient"])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("loss", KINDS)
def test_paths_are_certified_minima(loss, ratio, solver):
    """Gaps bound the distance to the minimum, from the path and by full passes; free columns at 0 stay there."""
    X, y, factor, s, offset = problem(loss)
    given = {"sample_weight": s, "offset": offset, "penalty_factor": factor}
    path = regularization_path(
        sp.csr_array(X),
        y,
        loss=loss,
        l1_ratio=ratio,
        alphas=6,
        eps=0.02,
        tol=1e-7,
        positive=True,
        solver=solver,
        **given,
    )
    assert path.certified.all()
    assert 0 < path.n_nonzero[0] < FREE
    made = make_problem(as_design(X), y, loss=loss, positive=True, **given)
    for k, alpha in enumerate(path.alphas):
        lowest, objective = least(loss, X, y, s, offset, alpha, ratio, factor)
        w = path.coef(k).toarray().ravel()
        assert (w >= 0.0).all()
        above = objective(np.r_[path.intercepts[k], w])[0] - lowest
        coef = Coefficients(np.arange(w.size), w).nonzero()
        full = made.duality_gap(coef, alpha, ratio)
        assert -1e-9 < above <= min(path.dual_gaps[k], full) + 1e-9
        assert full <= 3.0 * path.tol * path.gap_scale


@pytest.mark.parametrize("loss", KINDS)
def test_a_gap_far_from_the_minimum_bounds_it(loss):
    """With free columns over 0 that should be at 0, and at 0 that should be over it."""
    X, y, factor, s, offset = problem(loss)
    given = {"sample_weight": s, "offset": offset, "penalty_factor": factor}
    made = make_problem(as_design(X), y, loss=loss, positive=True, **given)
    alpha = 0.02
    lowest, _ = least(loss, X, y, s, offset, alpha, 1.0, factor)
    found = LossPathSolver(made, 1.0, Options(1e-3, 1)).solve(alpha)
    for w in (np.zeros(12), np.full(12, 0.1), np.r_[0.0, 0.0, 0.2, 0.2, np.zeros(8)]):
        coef = Coefficients(np.arange(12), w).nonzero()
        assert made.duality_gap(coef, alpha, 1.0) >= made.objective(coef, alpha, 1.0) - lowest - 1e-9
    coef = Coefficients(found.columns, found.coef.w)
    assert found.dual_gap >= made.objective(coef, alpha, 1.0) - lowest - 1e-9


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize(
    ("loss", "model"), [("poisson", PoissonRegressor), ("huber", HuberLossRegressor), ("logistic", LogisticRegression)]
)
def test_estimators(loss, model, ratio):
    X, y, factor, s, _ = problem(loss)
    alpha = 0.02
    strength = {"C": 1.0 / (alpha * s.sum())} if loss == "logistic" else {"alpha": alpha}
    fit = model(l1_ratio=ratio, tol=1e-8, positive=True, penalty_factor=factor, max_iter=1000, **strength)
    fit.fit(X, y, sample_weight=s)
    kind = loss if loss != "huber" else ("huber", fit.delta)
    lowest, objective = least(kind, X, y, s, np.zeros(y.size), alpha, ratio, factor)
    w = np.ravel(fit.coef_)
    assert (w >= 0.0).all()
    assert abs(objective(np.r_[np.ravel(fit.intercept_), w])[0] - lowest) < 1e-8
    if ratio > 0.0:
        assert fit.dual_gap_ < 1e-7


def test_every_column_free_and_falling():
    """All at 0 at every strength, whose certificate is exact."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    y = rng.poisson(np.exp(-0.7 * X[:, :2].sum(axis=1)))
    path = regularization_path(
        X, y, loss="poisson", positive=True, penalty_factor=np.r_[0.0, 0.0, 1.0, 1.0, 1.0], alphas=[0.5], tol=1e-10
    )
    assert path.certified.all()
    assert path.coef(0).toarray()[:2].max() == 0.0


def test_folds():
    X, y, factor, *_ = problem("logistic")
    found = cross_validate_path(X, y, loss="logistic", positive=True, penalty_factor=factor, cv=3, alphas=5)
    assert np.isfinite(found.chosen.fold_losses).all()

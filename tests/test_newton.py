"""Newton steps on the active columns: right whichever matrix they are solved on, and where they are what converges."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparsereg.data.design import as_design
from sparsereg.linear_model.lasso import Lasso
from sparsereg.objective.problem import make_problem
from sparsereg.solvers import gram_cd, path_solver
from sparsereg.solvers import newton as newton_steps
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.loop import Options
from sparsereg.solvers.newton import newton
from sparsereg.solvers.path import regularization_path
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.prox_gradient import ProxGradient, ProxGradientOnResidual
from sparsereg.solvers.residual_cd import ResidualCD


def lags(n=300, p=300):
    """Sums of a random walk's last steps: neighbouring columns differ by little."""
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(size=n + p))
    X = np.stack([walk[j : n + j] for j in range(p)], axis=1)
    return (X - X.mean(0)) / X.std(0), np.sin(np.linspace(0, 20, n)) + 0.1 * rng.normal(size=n)


@pytest.mark.parametrize("working_set", [GramCD, ResidualCD])
@pytest.mark.parametrize("weights", [False, True])
def test_a_direct_step_solves_the_normal_equations(working_set, weights):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 8)), rng.normal(size=40)
    s = rng.uniform(0.5, 2, 40) if weights else np.ones(40)
    problem = make_problem(as_design(np.asfortranarray(X)), y, sample_weight=s if weights else None)
    ws = working_set(problem.quadratic)
    ws.add(np.arange(8))
    ws.set_strength(0.1, 0.5)
    ws.set_w(np.array([1.0, 0, -2, 0, 3, 1, 0, 1]))
    active = ws.w != 0.0
    slope = np.where(active, rng.normal(size=8), 0.0)
    assert ws.newton_is_cheap()
    step, products = ws.newton_step(slope, active, 50)
    centred = X - np.average(X, axis=0, weights=s)
    H = (centred.T @ (s[:, None] * centred) + np.diag(ws.l2))[np.ix_(active, active)]
    np.testing.assert_allclose(step[active], np.linalg.solve(H, slope[active]), rtol=1e-10)
    assert not step[~active].any()
    assert products == 1


@pytest.mark.parametrize("working_set", [GramCD, ResidualCD])
def test_a_direct_step_takes_the_columns_it_is_asked_for(working_set):
    """Also one whose coefficient is 0, as an unpenalized column's may be, and no other of those that are not 0."""
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(40, 4)), rng.normal(size=40)
    ws = working_set(make_problem(as_design(np.asfortranarray(X)), y).quadratic)
    ws.add(np.arange(4))
    ws.set_strength(0.1, 0.5)
    ws.set_w(np.array([1.0, 0.0, -2.0, 0.0]))
    active = np.array([True, True, False, False])
    step, _ = ws.newton_step(np.array([1.0, -2.0, 0.0, 0.0]), active, 50)
    centred = X[:, :2] - X[:, :2].mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred + np.diag(ws.l2[:2]), [1.0, -2.0])
    np.testing.assert_allclose(step, [*expected, 0.0, 0.0], rtol=1e-10)
    np.testing.assert_array_equal(ws.w, [1.0, 0.0, -2.0, 0.0])


@pytest.mark.parametrize("free", [path_solver.FREE_GRAM, -(10**9)])
def test_neighbouring_columns_are_solved_with_and_without_a_gram_matrix(monkeypatch, free):
    """Coordinate descent and conjugate gradients alone crawl here; 0.004 of the scale was left after 10,000 epochs."""
    monkeypatch.setattr(path_solver, "FREE_GRAM", free)
    problem = make_problem(as_design(np.asfortranarray(lags()[0])), lags()[1])
    solver = path_solver.PathSolver(problem.quadratic, 1.0, Options(1e-6, 10_000))
    found = solver.solve(1e-3)
    assert found.method.startswith("gram_cd" if free > 0 else "residual_cd")
    assert found.dual_gap <= 1e-6 * problem.gap_scale
    assert problem.duality_gap(found.coef, 1e-3, 1.0) <= 1e-3 * problem.gap_scale
    assert found.epochs < 10_000


def duplicates(n=400, levels=12):
    """Codes twice over, as numbers and as names, and their crosses: coefficients of duplicates are rounding."""
    rng = np.random.default_rng(3)
    a, b, c = rng.integers(0, levels, (3, n))
    blocks = [
        np.eye(levels)[a],
        np.eye(levels)[a],
        np.eye(levels)[b],
        np.eye(levels)[b],
        np.eye(levels**2)[a * levels + b],
    ]
    X = np.hstack([*blocks, np.eye(levels)[c]])
    return X[:, X.any(axis=0)], np.sin(a) + np.cos(b) + 0.3 * rng.normal(size=n)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_duplicates_do_not_stop_newton_steps_at_once(monkeypatch, loss):
    """Where steps are not cheap, conjugate gradients first; coefficients as small as rounding change sign in each."""
    monkeypatch.setattr(gram_cd, "MAX_DIRECT", 10)
    X, y = duplicates()
    path = regularization_path(
        sp.csr_array(X), y if loss == "squared" else (y > 0).astype(float), loss=loss, alphas=40, eps=1e-4, tol=1e-8
    )
    assert path.certified.all()
    assert path.n_iters.sum() < 15_000  # 23,000 and 27,000 where the step stops at the first change of sign


def test_smooth_columns_enter_a_few_at_a_time():
    """Ten epochs bring in a hundred bumps, which Newton steps would take out one by one at each strength."""
    rng, t = np.random.default_rng(7), np.linspace(0, 1, 300)
    X = np.exp(-0.5 * ((t[:, None] - np.linspace(0, 1, 500)) / 0.02) ** 2)
    y = np.sin(12 * t) + 2 * (t > 0.6) + 0.3 * rng.normal(size=300)
    path = regularization_path(X, y, alphas=60, solver="cd")
    assert path.certified.all()
    assert path.n_iters.sum() < 3_000  # 4,958 where each strength begins with ten epochs


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("weights", [False, True])
def test_proximal_gradient_steps_agree_on_the_gram_matrix_and_on_the_residual(weights, l1_ratio):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(60, 12)), rng.normal(size=60)
    s = rng.uniform(0.5, 2, 60) if weights else None
    quadratic = make_problem(as_design(np.asfortranarray(X)), y, sample_weight=s).quadratic
    found = []
    for kind in (ProxGradient, ProxGradientOnResidual):
        ws = kind(quadratic)
        ws.add(np.arange(12))
        ws.set_strength(0.05, l1_ratio)
        assert ws.descend(50, 0.0, np.arange(12)) == 50
        found.append(ws.w)
        np.testing.assert_allclose(ws.gradient(), ws.gradient_of(np.arange(12)), atol=1e-10)
        assert ws.lipschitz <= 12
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("k", [5, 450])
def test_a_dense_factor_leaves_out_columns_that_depend_on_others(k):
    """By pivots, in blocks for many columns; a column of nothing has no diagonal to be scaled by."""
    rng = np.random.default_rng(k)
    half = rng.normal(size=(k + 5, k // 2))
    X = np.hstack([half, half[:, :2], np.zeros((k + 5, 1)), rng.normal(size=(k + 5, k - k // 2 - 3))])
    problem = make_problem(as_design(np.asfortranarray(X)), rng.normal(size=k + 5), fit_intercept=False)
    ws = GramCD(problem.quadratic)
    ws.add(np.arange(len(problem.design.columns)))
    ws.set_strength(0.0, 1.0)
    plain = X[:, problem.design.columns]
    slope = plain.T @ rng.normal(size=k + 5)
    step, _ = ws.newton_step(slope, np.ones(ws.m, dtype=bool), 50)
    np.testing.assert_allclose(plain.T @ (plain @ step), slope, atol=1e-8 * np.abs(slope).max())


def test_an_unpenalized_coefficient_passes_0():
    """It has no kink there: one step is enough, also from 0 itself."""
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(40, 4)), rng.normal(size=40)
    ws = GramCD(make_problem(as_design(X), y, penalty_factor=np.array([0.0, 0.0, 1.0, 1.0])).quadratic)
    ws.add(np.arange(4))
    ws.set_strength(0.01, 1.0)
    ws.set_w(np.array([-5.0 * np.sign(ws.c0[0]), 0.0, np.sign(ws.c0[2]), 0.0]))
    newton(ws, 50)
    np.testing.assert_allclose(ws.gradient()[:2], 0.0, atol=1e-12)
    assert ws.w[0] != 0.0
    assert ws.w[1] != 0.0


@pytest.mark.parametrize("working_set", [GramCD, ResidualCD])
def test_dependent_columns_are_left_in_one_step_each(working_set):
    """A column that is the sum of others: predictions stay as they are while the l1 norm falls, until one is 0."""
    rng = np.random.default_rng(7)
    X = np.eye(4)[rng.integers(0, 4, 200)]
    X = np.asfortranarray(np.column_stack([X, X[:, 0] + X[:, 1], rng.normal(size=200)]))
    ws = working_set(make_problem(as_design(X), X @ rng.normal(size=6) + rng.normal(size=200)).quadratic)
    ws.add(np.arange(6))
    ws.set_strength(1e-4, 1.0)
    ws.set_w(np.array([-300.0, -301.0, 0.0, 0.1, 300.0, 1.0]))
    for _ in range(3):  # coordinate descent alone would take 700,000 epochs
        newton(ws, 50)
        ws.descend(10, 0.0, np.arange(6))
    active = ws.w != 0.0
    assert np.abs(ws.w).sum() < 20.0
    np.testing.assert_allclose((ws.gradient() - ws.l1 * np.sign(ws.w))[active], 0.0, atol=1e-9)


@pytest.mark.parametrize("noise", [1e-6, 1e-7, 1e-8, 1e-10])
def test_columns_that_are_nearly_copies(noise):
    """A direct step takes them for dependent; what the loss falls along them then is small, but not rounding."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        base = np.maximum(0, 2 - np.abs(np.arange(40)[:, None] - np.linspace(0, 40, 12)) / 3).round()
        X = np.hstack([base, base[:, rng.integers(0, 12, 12)] + noise * rng.normal(size=(40, 12))])
        y = base @ rng.normal(size=12) + 0.1 * rng.normal(size=40)
        for form in (X, sp.csr_array(X)):
            path = regularization_path(form, y, alphas=[0.005], tol=1e-9, max_iter=500)
            assert path.certified.all()


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("noise", [1e-6, 1e-8, 1e-10])
def test_no_step_raises_the_objective_beyond_rounding(monkeypatch, noise, fit_intercept):
    """Of huge steps along columns that are nearly copies, what the gradients say of the fall is their rounding."""
    rises, moved = [], newton_steps._moved

    def value(ws):
        """The objective from the rows, in long double."""
        w = ws.w.astype(np.longdouble)
        r = y - X[:, ws.cols].astype(np.longdouble) @ w
        r -= r.mean() if fit_intercept else 0.0
        return 0.5 * (r @ r) + ws.l1 @ np.abs(w) + 0.5 * (ws.l2 @ (w * w))

    def watched(ws, *step):
        before, gradient = value(ws), moved(ws, *step)
        if gradient is not None:
            rises.append(float((value(ws) - before) / ws.quadratic.null_deviance))
        return gradient

    monkeypatch.setattr(newton_steps, "_moved", watched)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(80, 20))
        X = np.asfortranarray(np.hstack([X, X * (1.0 + noise * rng.normal(size=X.shape))]))
        y = X @ rng.normal(size=40) + 0.1 * rng.normal(size=80)
        options = {"fit_intercept": fit_intercept, "penalty_factor": np.where(rng.random(40) < 0.2, 0.0, 1.0)}
        solver = PathSolver(make_problem(as_design(X), y, **options).quadratic, 1.0, Options(1e-10, max_iter=200))
        top = solver.alpha_max()
        for alpha in np.geomspace(top, 1e-5 * top, 6):
            solver.solve(alpha)
    assert len(rises) > 100
    assert max(rises) <= 1e-10


@pytest.mark.parametrize("seed", range(4))
def test_one_hot_crosses_under_a_weak_penalty(seed):
    """Main effects are sums of their crosses, and rows are few: epochs alone took 3,000 and ended at a gap of 1e-2."""
    rng = np.random.default_rng(seed)
    fields = [rng.integers(0, levels, 60) for levels in (5, 6, 4)]
    fields += [fields[i] * 1000 + fields[j] for i in range(3) for j in range(i)]
    X = sp.csr_array(np.hstack([field[:, None] == np.unique(field) for field in fields]).astype(float))
    y = X @ rng.normal(size=X.shape[1]) + 0.5 * rng.normal(size=60)
    alpha = 1e-7 * np.abs(X.T @ (y - y.mean())).max() / 60
    model = Lasso(alpha=alpha, tol=1e-8, max_iter=1000).fit(X, y)
    assert model.dual_gap_ <= 1e-8 * y.var()


@pytest.mark.parametrize("strength", [1e-4, 1e-6])
def test_a_cold_fit_on_a_thousand_dependent_columns_is_certified(strength):
    """It crawls from 0, and goes there by way of stronger penalties."""
    rng = np.random.default_rng(0)
    factors = [rng.integers(0, levels, 2000) for levels in (20, 20, 15)]
    pairs = [20 * a + b for a, b in [(factors[1], factors[0]), (factors[2], factors[0]), (factors[2], factors[1])]]
    codes = [np.unique(one, return_inverse=True)[1] for one in [*factors, *pairs]]
    X = sp.csr_array(sp.hstack([sp.csr_array((np.ones(2000), code, np.arange(2001))) for code in codes]))
    y = X @ (rng.normal(size=X.shape[1]) * (rng.random(X.shape[1]) < 0.3)) + rng.normal(size=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model = Lasso(strength * abs(X.T @ (y - y.mean())).max() / 2000).fit(X, y)
    assert model.dual_gap_ <= 1e-4 * np.var(y)
    assert model.n_iter_ <= model.max_iter

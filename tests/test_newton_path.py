"""Losses other than squares along a path: claimed gaps against the truth, groups against rows, hard cases."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from loss_problems import draw, full_gap
from seeds import seeds

from sparsereg import LogisticRegression, regularization_path
from sparsereg.data.design import as_design
from sparsereg.linear_model import loss_fit
from sparsereg.objective.loss_dual import loss_gap_at
from sparsereg.objective.problem import Coefficients, make_problem
from sparsereg.solvers import working_set
from sparsereg.solvers.known_gradients import KnownGradients
from sparsereg.solvers.loop import Options
from sparsereg.solvers.model_error import ModelError
from sparsereg.solvers.newton_path import NewtonPath


@pytest.mark.parametrize("seed", seeds(90))
def test_a_claimed_gap_is_never_below_the_distance_from_the_minimum(seed, monkeypatch):
    """Loose tolerances, where gaps are largest, and tight ones; also from full passes. Every other time as where epochs
    are dear: begun on the line through the last solutions, certified at a projected dual point."""
    if seed % 2:
        monkeypatch.setattr(working_set, "COSTLY_EPOCH", 0)
    problem = draw(seed)
    rng = np.random.default_rng(seed)
    tol = float(10 ** rng.uniform(-9, -1))
    path = regularization_path(
        problem.X, problem.y, loss=problem.loss, l1_ratio=problem.l1_ratio, alphas=5, tol=tol, **problem.options
    )
    assert path.certified.all()
    for k in (1, 4):
        w, b0, alpha = path.coefs[:, [k]].toarray()[:, 0], float(path.intercepts[k]), float(path.alphas[k])
        mine = problem.objective(b0, w, alpha)
        best = problem.minimum(alpha, np.concatenate([[b0], np.maximum(w, 0), np.maximum(-w, 0)]))
        assert path.dual_gaps[k] >= mine - best - 1e-11 * max(1.0, abs(mine))
        assert mine - best >= -1e-7 * max(1.0, abs(mine))
    held = make_problem(as_design(problem.X), problem.y, loss=problem.loss, **problem.options)
    solver, alpha = NewtonPath(held, problem.l1_ratio, Options(tol)), float(path.alphas[4])
    found = [solver.solve(float(a)) for a in path.alphas][-1]
    full = full_gap(held, found, alpha, problem.l1_ratio)
    assert full <= 1.01 * found.dual_gap + 1e-3 * tol * path.gap_scale


@pytest.mark.parametrize("seed", seeds(30))
def test_any_coefficients_give_a_dual_point_whose_gap_is_a_bound(seed):
    problem = draw(seed)
    held = make_problem(as_design(problem.X), problem.y, loss=problem.loss, **problem.options)
    rng, p = np.random.default_rng(seed), held.design.n_cols
    alpha = 0.1 * float(10 ** rng.uniform(-2, 0))
    l1, l2 = held.penalty.strengths(held.weight_sum * alpha, problem.l1_ratio, np.arange(p))
    if (l1 + l2 == 0.0).any():
        pytest.skip("unpenalized columns")
    solver = NewtonPath(held, problem.l1_ratio, Options(1e-3))
    coef = solver.solve(alpha).coef
    dense = np.zeros(problem.X.shape[1])
    dense[held.design.columns[coef.cols]] = coef.w
    b0 = held.loss_rows.intercept(coef)
    least = problem.minimum(alpha, np.concatenate([[b0], np.maximum(dense, 0), np.maximum(-dense, 0)]))
    w = np.zeros(p)
    w[coef.cols] = coef.w
    for size in (0.0, 1e-3, 1e-2, 0.1):
        dual = Coefficients(np.arange(p), w + size * rng.normal(size=p))
        gap = loss_gap_at(held.loss_rows, held.penalty, coef, dual, (l1, l2)) / held.weight_sum
        assert gap >= problem.objective(b0, dense, alpha) - least - 1e-9


@pytest.mark.parametrize(
    ("levels", "alphas", "eps", "steps", "certificates"),
    [
        # What the model missed is expected again, and columns over the new threshold join first; 210 and 140 without.
        ((8, 12, 30), 100, 0.01, 175, 125),
        # Many columns join: those that the first step left over the threshold before the second; 79 and 48 without.
        ((20, 40, 60), 31, 0.001, 75, 37),
    ],
)
def test_a_path_takes_few_steps_and_certificates(levels, alphas, eps, steps, certificates, monkeypatch):
    counts = {"_newton_step": 0, "_certify_point": 0}

    def counted(name):
        original = getattr(NewtonPath, name)

        def method(self, *args):
            counts[name] += 1
            return original(self, *args)

        return method

    for name in counts:
        monkeypatch.setattr(NewtonPath, name, counted(name))
    rng = np.random.default_rng(5)
    fields = [rng.integers(0, k, 20_000) for k in levels]
    codes = [*fields, levels[1] * fields[0] + fields[1], levels[2] * fields[1] + fields[2]]
    columns = np.concatenate([code + 10_000 * k for k, code in enumerate(codes)])
    X = sp.csr_array((np.ones(columns.size), (np.tile(np.arange(20_000), 5), columns)))
    effects = rng.normal(size=X.shape[1]) * 0.3
    y = (rng.random(20_000) < 1.0 / (1.0 + np.exp(-(X @ effects)))).astype(float)
    path = regularization_path(X, y, loss="logistic", alphas=alphas, eps=eps)
    assert path.certified.all()
    assert counts["_certify_point"] <= certificates
    assert counts["_newton_step"] <= steps


def test_the_error_of_a_model_is_expected_along_a_line_in_log_alpha():
    """Errors of 1 and 2 a unit of log alpha, of steps of 1: the line leads to 3, and 0.8 of the way there is taken."""
    error = ModelError()
    error.begin(1.0)
    error.learn(np.ones(1), np.zeros(1), True)
    for k, missed in enumerate((1.0, 2.0), start=1):
        error.begin(np.exp(-k))
        assert error.expected(2) is None
        error.learn(np.array([missed, missed]), np.zeros(2), True)
        error.learn(np.array([9.0, 9.0]), np.zeros(2), True)  # a second step tells nothing
    error.begin(np.exp(-3.0))
    np.testing.assert_allclose(error.expected(3), [2.8, 2.8, 0.0])
    error.learn(np.array([0.1, 0.1, 0.0]), np.zeros(3), True)  # 2.9 were missed in all: 0.9 of the way
    error.begin(np.exp(-5.0))  # twice as far: twice 2.9, and 1.5 times the way from there, 0.9 of it
    np.testing.assert_allclose(error.expected(3), [2 * (2.9 + 0.9 * 1.5 * 0.9)] * 2 + [0.0])


def test_the_error_of_a_model_is_0_where_its_weights_were_taken():
    error = ModelError()
    error.begin(1.0)
    error.learn(np.ones(1), np.zeros(1), True)
    error.forget()
    error.begin(np.exp(-1.0))
    assert error.expected(2) is None
    error.learn(np.ones(2), np.zeros(2), True)
    error.begin(np.exp(-2.0))  # from 0 at 1 by way of 1 in the middle between, to 3
    np.testing.assert_allclose(error.expected(3), [1.0 + 0.8 * 2.0] * 2 + [0.0])
    error.forget()  # before the first step: weights of the last strength
    error.learn(np.ones(3), np.zeros(3), True)
    error.begin(np.exp(-3.0))
    np.testing.assert_allclose(error.expected(3), [1.0 + 0.8 * 2.0] * 3)


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
def test_strengths_may_be_0_more_than_once_or_differ_in_their_last_bits(loss):
    rng = np.random.default_rng(0)
    X, y = sp.csr_array((rng.random((400, 30)) > 0.5).astype(float)), (rng.random(400) > 0.5).astype(float)
    near = 0.02 * (1.0 - 2.0**-53 * np.arange(6))
    alphas = np.concatenate([[0.03], near, [0.0, 0.0, 0.0]])
    path = regularization_path(X, y, loss=loss, alphas=alphas, tol=1e-10)
    for a, b in ((1, 6), (7, 9)):
        each = regularization_path(X, y, loss=loss, alphas=alphas[[a]], tol=1e-10).coef(0).toarray().ravel()
        for k in range(a, b + 1):
            np.testing.assert_allclose(path.coef(k).toarray().ravel(), each, rtol=0, atol=1e-4)


def test_nothing_is_expected_of_a_model_of_which_nothing_is_known():
    error = ModelError()
    for k in range(3):
        error.begin(np.exp(-k))
        error.learn(np.ones(1), np.zeros(1), True)
    error.begin(np.exp(-7.0))
    assert error.expected(1) is None  # five times as far as at the last strength
    error.begin(np.exp(-8.0))
    error.learn(np.ones(1), np.zeros(1), False)  # a part of a step
    error.begin(np.exp(-9.0))
    assert error.expected(1) is None
    error.learn(np.ones(1), np.zeros(1), True)
    error.begin(np.exp(-8.0))  # a larger strength
    assert error.expected(1) is None
    error.learn(np.ones(1), np.zeros(1), True)
    error.begin(0.0)
    assert error.expected(1) is None


def test_bounds_keep_what_units_have_moved_when_they_become_rows():
    """A gradient was evaluated at a dual point, then a column with values joins: the rows that take the place of
    groups measure from the present point on, which is elsewhere."""
    rng = np.random.default_rng(0)
    level, number = rng.integers(0, 6, 200), rng.normal(size=(200, 1))
    X = sp.csr_array(sp.hstack([sp.csr_array((np.ones(200), (np.arange(200), level))), sp.csr_array(number)]))
    y = (rng.random(200) < 0.2 + 0.1 * level).astype(float)
    problem = make_problem(as_design(X), y, loss="logistic")
    solver = NewtonPath(problem, 1.0, Options(1e-4))
    solver.solve(0.5 * solver.alpha_max())
    valued, outside = np.array([6]), np.setdiff1d(np.arange(6), solver.working_set.cols)[:1]
    c = solver.units.gradients(outside)
    mean = solver.units.at.mean + c / problem.rows.lengths(outside)  # where that gradient is 0
    solver.screening.displace(*solver.units.displacement(mean))
    solver.screening.drop(np.setdiff1d(np.arange(7), outside))
    solver.screening.record(outside, solver.units.gradients(outside, mean))
    groups = solver.units
    solver._add(valued, solver.units.gradients(valued))
    assert solver.units is not groups
    solver.screening.displace(*solver.units.displacement())
    assert abs(c[0]) > 1.0
    assert solver.screening.above(0.9 * abs(c[0]))[1] >= abs(c[0])


def test_intercepts_beside_unpenalized_columns_are_those_of_the_gap():
    """Gaps by full passes are those of the intercept at its best; that of the path was only nearly so, and its gap too
    small."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 12))
    y = (X[:, 0] + X[:, 1] + rng.logistic(size=60) > 0.5).astype(float)
    path = regularization_path(X, y, loss="logistic", penalty_factor=[0.0, 0.0, *[1.0] * 10], alphas=8, tol=1e-2)
    for k in range(8):
        z = X @ path.coefs[:, [k]].toarray()[:, 0] + path.intercepts[k]
        assert abs(np.sum(y - 1.0 / (1.0 + np.exp(-z)))) <= 1e-9 * y.size


def test_gradients_are_known_of_the_columns_asked_for_last():
    class Units:
        def gradients(self, cols):
            asked.append(cols.tolist())
            return 2.0 * cols

    asked, known = [], KnownGradients(np.zeros(6))
    at = np.array
    assert known.of(Units(), at([1, 5])).tolist() == [0.0, 0.0]
    known.forget()
    assert known.of(Units(), at([1, 4])).tolist() == [2.0, 8.0]
    assert known.of(Units(), at([1, 3, 5])).tolist() == [2.0, 6.0, 10.0]
    assert known.of(Units(), at([], dtype=int)).size == 0
    assert known.of(Units(), at([3])).tolist() == [6.0]
    assert asked == [[1, 4], [3, 5], [3]]


def test_a_step_that_moves_nothing_ends_a_strength_only_where_models_were_solved_closely(monkeypatch):
    """Far from the last strength a loosely solved model may have nothing to say yet."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 6))
    y = (X[:, 0] - X[:, 1] + rng.logistic(size=80) > 0.0).astype(float)
    problem = make_problem(as_design(X), y, loss="logistic")
    solver = NewtonPath(problem, 1.0, Options(1e-6))
    top = solver.alpha_max()
    for share in (0.01, 0.5):  # all columns join
        solver.solve(share * top)
    take, steps = solver._newton_step, []

    def idle_at_first(*given):
        steps.append(given)
        return take(*given) if len(steps) > 1 else (1, False)

    monkeypatch.setattr(solver, "_newton_step", idle_at_first)
    assert solver.solve(0.02 * top).dual_gap <= 1e-6 * problem.gap_scale
    assert len(steps) > 1


def _nested_columns(seed, n=2000, levels=(8, 16, 14, 6)):
    """One-hot fields and their crosses, of levels as uneven as in tables; rare crosses separate classes."""
    rng = np.random.default_rng(seed)
    fields = [np.minimum(rng.geometric(2.0 / k, n) - 1, k - 1) for k in levels]
    pairs = [fields[i] * levels[j] + fields[j] for i in range(len(levels)) for j in range(i)]
    codes = [np.unique(field, return_inverse=True)[1] for field in fields + pairs]
    eta = sum(rng.normal(size=code.max() + 1)[code] for code in codes)
    X = sp.csr_array(sp.hstack([sp.csr_array((np.ones(n), code, np.arange(n + 1))) for code in codes]))
    return X[:, X.sum(axis=0) >= 3], (rng.random(n) < 1.0 / (1.0 + np.exp(eta.mean() - eta))).astype(float)


@pytest.mark.parametrize("seed", seeds(2))
def test_a_weak_ridge_penalty_on_nested_columns_is_solved_by_direct_steps(seed):
    """Conjugate gradients do not converge there, and descent between them takes tens of thousands of epochs."""
    X, y = _nested_columns(seed)
    path = regularization_path(
        X, y, loss="logistic", l1_ratio=0.0, alphas=1.0 / (X.shape[0] * np.array([0.2, 22, 1e4]))
    )
    assert path.certified.all()
    assert path.n_iters.max() <= 1000


@pytest.mark.parametrize("seed", seeds(2))
@pytest.mark.parametrize("C", [22.0, 1000.0])
def test_a_weak_elastic_net_on_nested_columns_needs_no_proximal_steps(seed, C, monkeypatch):
    """They are passes over X, of which thousands followed where a fit had missed."""
    monkeypatch.setattr(loss_fit, "proximal_descent", lambda *_: pytest.fail("proximal steps"))
    X, y = _nested_columns(seed)
    model = LogisticRegression(C=C, l1_ratio=0.5).fit(X, y)
    assert model.dual_gap_ <= 1e-4 * np.log(2.0)

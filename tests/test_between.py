"""Strengths certified on the line between two dual points: their gaps against full passes and close solutions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from test_path import crosses

from sparsereg._core.kernels import KernelError, descend_from_line, gap_sums_of_gram
from sparsereg.data.design import as_design
from sparsereg.losses import Squared
from sparsereg.objective.problem import make_problem
from sparsereg.solvers import ahead
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path_solver import PathSolver

OPTIONS = [{}, {"l1_ratio": 0.5}, {"positive": True}, {"sample_weight": True}, {"penalty_factor": True},
           {"standardize": True}, {"fit_intercept": False}]  # fmt: skip


def values(n=400):
    rng = np.random.default_rng(3)
    X = sp.random_array((n, 150), density=0.2, rng=rng, format="csr")
    return X, X[:, :20] @ rng.normal(size=20) + rng.normal(size=n)


def made(data, options, tol=1e-4):
    """A solver, its problem, and fifty strengths over a factor of ten."""
    X, y = data
    rng, options = np.random.default_rng(0), dict(options)
    l1_ratio = options.pop("l1_ratio", 1.0)
    drawn = {"sample_weight": rng.uniform(0.5, 2.0, y.size), "penalty_factor": rng.uniform(0.5, 2.0, X.shape[1])}
    problem = make_problem(as_design(X), y, loss=Squared(), **{k: drawn.get(k, v) for k, v in options.items()})
    solver = PathSolver(problem.quadratic, l1_ratio, Options(tol=tol))
    top = solver.alpha_max()
    return solver, problem, np.geomspace(top, 0.1 * top, 50).tolist()


def test_what_a_gap_is_made_of_is_what_the_working_set_says():
    solver, _, alphas = made(crosses(400), {"l1_ratio": 0.5})
    for alpha in alphas[:9]:
        solver.solve(alpha)
    ws = solver.working_set
    co = ws._coordinates(ws.r_sum)
    sums, squares, c = gap_sums_of_gram(co, ws.q, ws.c0, solver.quadratic.null_deviance)
    own, measured = solver._own_gap(ws.gradient()), ws.measured()
    for terms, squared_residual, gradient in ((sums, squares, c), measured):
        np.testing.assert_allclose(terms, own.terms, rtol=1e-12)
        assert squared_residual == pytest.approx(own.squared_residual, rel=1e-12)
        np.testing.assert_array_equal(gradient, own.c)
    with pytest.raises(KernelError, match="q or c0"):
        gap_sums_of_gram(co, ws.q[1:], ws.c0, 1.0)


def walked(solver, alphas):
    """The solutions, and how many strengths were taken at a time."""
    found, steps = [], []
    while len(found) < len(alphas):
        new = solver.solve_ahead(alphas[len(found) :])
        found, steps = found + new, [*steps, len(new)]
    return found, steps


def check_fallback(solver, problem, alphas):
    """A stride of thirty strengths that the line does not certify: they are solved one by one, to `tol`."""
    solver._stride = 30
    fallen_back, solve = [], solver.solve
    solver.solve = lambda alpha: fallen_back.append(alpha) or solve(alpha)
    found, steps = walked(solver, alphas)
    assert steps[0] == 30
    assert fallen_back[0] == alphas[29]
    assert len(fallen_back) > 15
    gaps = np.array([point.dual_gap for point in found])
    assert (gaps <= solver.options.tol * problem.gap_scale).all()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("data", [crosses(1500), values()], ids=["ones", "values"])
def test_gaps_bound_the_distance_to_the_minimum(data, options):
    solver, problem, alphas = made(data, options)
    certified = []
    certify = solver._certify
    solver._certify = lambda *a: certified.append(solver._alpha) or certify(*a)
    found, steps = walked(solver, alphas)
    assert max(steps) >= 3
    assert len(set(certified)) < 0.7 * len(alphas)  # the others by the line
    close, _, _ = made(data, options, tol=1e-12)
    for alpha, point in zip(alphas, found, strict=True):
        value = problem.objective(point.coef, alpha, solver.l1_ratio)
        best = close.solve(alpha)
        least = problem.objective(best.coef, alpha, solver.l1_ratio)
        assert value - least <= point.dual_gap + 1e-12 * problem.gap_scale
        assert point.dual_gap <= 1e-4 * problem.gap_scale


def test_where_the_line_does_not_certify_strengths_are_solved(monkeypatch):
    """Over steps that are too long, with as many columns as before and the next steps from the last strength."""
    monkeypatch.setattr(ahead, "LINE", 0.01)
    solver, problem, alphas = made(crosses(1500), {}, tol=1e-7)
    solver._stride = 30
    solver.solve_ahead(alphas[:1])
    check_fallback(solver, problem, alphas[1:])


def test_what_is_over_its_threshold_at_an_end_joins_there():
    """So that no line from there has it in its way; a solver of one strength after the other waits for the next."""
    joined = {}
    for looks_ahead in (True, False):
        solver, _, (top, *_) = made(crosses(1500), {}, tol=1e-2)
        alphas = np.geomspace(top, 0.02 * top, 60).tolist()
        certified, certify, target = [], solver._certify, 1e-2 * solver.quadratic.null_deviance
        solver._certify = lambda *a, to=certified, by=certify: to.append(by(*a)) or to[-1]
        if looks_ahead:
            walked(solver, alphas)
        else:
            for alpha in alphas:
                solver.solve(alpha)
        joined[looks_ahead] = [found for found in certified if found.new.size and found.gap <= target]
    assert joined[True]
    assert not joined[False]


def test_what_joins_at_an_end_was_at_its_threshold_at_least():
    """The bound on the columns that do not join may be below it; the line was certified with those that do at 0."""
    solver, _, (top, *_) = made(crosses(1500), {}, tol=1e-2)
    solver.looks_ahead = True
    solver.solve(0.5 * top)
    threshold, cols = solver._threshold, np.setdiff1d(np.arange(solver.quadratic.rows.n_cols), solver.working_set.cols)
    magnitude = threshold * np.array([1.001, 0.99])
    for others, outside in ((0.5, 1.0), (1.01, 1.01)):
        assert solver._over(cols[:2], magnitude, others * threshold).tolist() == cols[:1].tolist()
        assert solver._dual_point.outside == pytest.approx(outside, rel=1e-12)


def test_strengths_without_columns_are_on_a_line_too():
    solver, problem, (top, *_) = made(crosses(400), {})
    found, steps = walked(solver, [scale * top for scale in (1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3)])
    assert max(steps) > 1
    assert all(point.coef.w.size == 0 and point.dual_gap <= 1e-4 * problem.gap_scale for point in found)


def test_what_columns_outside_pass_their_thresholds_by_counts_between():
    """At an alpha between by the share `((1 - t) a o_a + t b o_b) / alpha`."""
    solver, _, alphas = made(crosses(400), {}, tol=1e-2)
    for alpha in alphas[:20]:
        solver.solve(alpha)
    first = solver._dual_point
    solver.solve(alphas[24])
    last, alpha = solver._dual_point, alphas[22]
    t = (first.alpha - alpha) / (first.alpha - last.alpha)

    def gap(*outside):
        ends = (end._replace(outside=o) for end, o in zip((first, last), outside, strict=True))
        (found,) = solver._solve_between(*ends, [alpha])
        return found.dual_gap

    share = ((1 - t) * first.alpha * 1.01 + t * last.alpha * 1.002) / alpha
    assert gap(1.01, 1.002) == pytest.approx(gap(share, share), rel=1e-9)
    assert gap(1.01, 1.01) > gap(1.01, 1.002) > gap(1.002, 1.002) > gap(1.0, 1.0) > 0.0


def test_a_line_wants_one_length():
    solver, _, alphas = made(crosses(400), {})
    for alpha in alphas[:9]:
        solver.solve(alpha)
    ws, one = solver.working_set, np.ones((1, solver.working_set.m))
    ends = [ws.position(), ws.position()]
    asked = (ws._coordinates(0.0), ends, np.array([0.5]))
    with pytest.raises(KernelError, match="lengths differ"):
        descend_from_line(ws.gram.store, *asked, one, one, ws.c0[1:], 1.0, 2, 0.0)
    with pytest.raises(KernelError, match="l1 or l2 has the wrong shape"):
        descend_from_line(ws.gram.store, *asked, one[:, 1:], one, ws.c0, 1.0, 2, 0.0)


@pytest.mark.parametrize("alphas", [[0.5, 0.5, 0.49, 0.48], [0.4, 0.45, 0.41, 0.42], [0.3]], ids=str)
def test_strengths_in_any_order_are_solved(alphas):
    solver, problem, (top, *_) = made(crosses(1500), {})
    found, _ = walked(solver, [top * alpha for alpha in alphas])
    assert len(found) == len(alphas)
    plain, _, _ = made(crosses(1500), {})
    for alpha, point in zip(alphas, found, strict=True):
        again = plain.solve(top * alpha)
        assert point.deviance == pytest.approx(again.deviance, rel=1e-3)
        assert point.dual_gap <= 1e-4 * problem.gap_scale

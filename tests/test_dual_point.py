"""Dual points away from the residual: their gaps are bounds, and agree with full passes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg.data.design import as_design
from sparsereg.objective.dual_point import duality_gap_at, projected_dual
from sparsereg.objective.problem import Coefficients, Problem, make_problem
from sparsereg.rows.parts import SummedRows
from sparsereg.solvers import gram_cd, loop
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path_solver import PathSolver


def problem_of(rng: np.random.Generator) -> tuple[Problem, float]:
    """A small problem of random kind: one-hot crosses, values, or dense; weights, intercept, penalty factors, sign."""
    n, kind = int(rng.integers(15, 60)), rng.integers(3)
    if kind == 0:
        codes = [rng.integers(k, size=n) for k in (3, 5, 7)]
        codes.append(codes[0] * 5 + codes[1])
        X = sp.hstack([sp.csr_array((np.ones(n), (np.arange(n), c))) for c in codes]).tocsr()
    elif kind == 1:
        X = sp.random_array((n, 30), density=0.3, rng=rng, format="csr")
    else:
        X = np.cumsum(rng.normal(size=(n, 12)), axis=1)
    p = X.shape[1]
    factor = None if rng.integers(2) else rng.choice([0.0, 0.5, 1.0], size=p, p=[0.1, 0.2, 0.7])
    y = X @ (rng.normal(size=p) * (rng.random(p) < 0.4)) + rng.normal(size=n)
    options = {
        "sample_weight": None if rng.integers(2) else rng.uniform(0.1, 3.0, n),
        "fit_intercept": bool(rng.integers(2)),
        "standardize": bool(rng.integers(2)),
        "positive": bool(rng.integers(4) == 0),
        "penalty_factor": factor,
    }
    return make_problem(as_design(X), y, **options), float(rng.choice([1.0, 1.0, 0.9, 0.5]))


def solver_of(problem: Problem, l1_ratio: float, tol: float, max_iter: int, method: str = "auto") -> PathSolver:
    return PathSolver(problem.quadratic, l1_ratio, Options(tol, max_iter, method))


def best_value(problem: Problem, alpha: float, l1_ratio: float) -> float:
    """The least F that many more epochs find."""
    return problem.objective(solver_of(problem, l1_ratio, 1e-14, 200_000).solve(alpha).coef, alpha, l1_ratio)


@pytest.mark.parametrize("method", ["cd", "prox_gradient"])
@pytest.mark.parametrize("seed", range(40))
def test_certificates_are_bounds_and_agree_with_full_passes(seed, method):
    rng = np.random.default_rng(seed)
    problem, l1_ratio = problem_of(rng)
    solver = solver_of(problem, l1_ratio, 10.0 ** -rng.integers(1, 6), 500, method)
    top, rounding = solver.alpha_max(), 1e-12 * problem.gap_scale
    if top <= 0.0:
        pytest.skip("nothing to fit")
    for alpha in (top * np.geomspace(0.5, 1e-3, 8)).tolist():
        found = solver.solve(alpha)
        value, best = problem.objective(found.coef, alpha, l1_ratio), best_value(problem, alpha, l1_ratio)
        assert value - best <= found.dual_gap + rounding
        if found.dual is not None:
            again = duality_gap_at(problem, found.coef, found.dual, alpha, l1_ratio)
            assert value - best <= again + rounding
            assert again <= found.dual_gap + 10 * rounding


def on_the_residual(monkeypatch):
    """From the first column on."""
    monkeypatch.setattr(PathSolver, "_gram_is_too_large", lambda self: self.working_set.gram_entries > 0)


@pytest.mark.parametrize("residual", [False, True])
def test_a_better_dual_point_is_found(monkeypatch, residual):
    """Down the path certificates come from it, on the Gram matrix, on the residual and after a switch; one exists from
    coefficients alone."""
    rng = np.random.default_rng(0)
    codes = [rng.integers(k, size=3000) for k in (40, 30, 20)]
    codes += [codes[0] * 30 + codes[1], codes[1] * 20 + codes[2]]
    X = sp.hstack([sp.csr_array((np.ones(3000), (np.arange(3000), c))) for c in codes]).tocsr()
    problem = make_problem(as_design(X), X @ rng.normal(size=X.shape[1]) + rng.normal(size=3000))
    if residual:
        on_the_residual(monkeypatch)
    solver, projected = solver_of(problem, 1.0, 1e-4, 10_000), 0
    for alpha in (solver.alpha_max() * np.geomspace(0.5, 1e-3, 12)).tolist():
        found = solver.solve(alpha)
        assert found.dual_gap <= 1e-4 * problem.gap_scale
        projected += found.dual is not None
        margin = min(0.1 * 1e-4 * problem.gap_scale / (alpha * np.abs(found.coef.w).sum()), 0.01)
        dual = projected_dual(problem, found.coef, alpha, 1.0, margin)
        assert duality_gap_at(problem, found.coef, dual, alpha, 1.0) <= 1.5e-4 * problem.gap_scale
    assert projected >= 6


def test_projections_that_end_too_early_go_on(monkeypatch):
    """In place of epochs, which bring the dual point no nearer."""
    rng = np.random.default_rng(0)
    codes = [rng.integers(k, size=3000) for k in (40, 30, 20)]
    codes += [codes[0] * 30 + codes[1], codes[1] * 20 + codes[2]]
    X = sp.hstack([sp.csr_array((np.ones(3000), (np.arange(3000), c))) for c in codes]).tocsr()
    problem = make_problem(as_design(X), X @ rng.normal(size=X.shape[1]) + rng.normal(size=3000))
    monkeypatch.setattr(gram_cd, "MAX_SWEEPS", 3)

    def epochs_of_a_path() -> int:
        solver = solver_of(problem, 1.0, 1e-4, 10_000)
        found = [solver.solve(alpha) for alpha in (solver.alpha_max() * np.geomspace(0.5, 1e-3, 12)).tolist()]
        assert max(solution.dual_gap for solution in found) <= 1e-4 * problem.gap_scale
        return sum(solution.epochs for solution in found)

    epochs = epochs_of_a_path()
    monkeypatch.setattr(loop, "FURTHER", 0.0)
    assert epochs < 0.8 * epochs_of_a_path()


def test_rows_elsewhere_do_not_project():
    problem, _ = problem_of(np.random.default_rng(1))
    solver = PathSolver(problem.quadratic.with_rows(SummedRows([problem.rows])), 1.0, Options(1e-3, 500))
    for alpha in (solver.alpha_max() * np.geomspace(0.5, 1e-3, 8)).tolist():
        assert solver.solve(alpha).dual is None


@pytest.mark.parametrize("seed", range(40))
def test_any_dual_point_gives_a_bound(seed):
    rng = np.random.default_rng(seed)
    problem, l1_ratio = problem_of(rng)
    top = solver_of(problem, l1_ratio, 1e-3, 100).alpha_max()
    alpha, p = float(top * rng.uniform(0.01, 0.9)), problem.design.n_cols
    if top <= 0.0:
        pytest.skip("nothing to fit")
    best = best_value(problem, alpha, l1_ratio)
    near = solver_of(problem, l1_ratio, 1e-6, 5000).solve(alpha).coef
    for spread in (1.0, 1e-2, 1e-4):
        at = np.zeros(p)
        at[near.cols] = near.w
        w = np.abs(at) if problem.penalty.positive else at * (1.0 + spread * rng.normal(size=p))
        u = at + spread * rng.normal(size=p)
        coef, dual = (Coefficients(np.arange(p), v).nonzero() for v in (w, u))
        gap = duality_gap_at(problem, coef, dual, alpha, l1_ratio)
        assert problem.objective(coef, alpha, l1_ratio) - best <= gap + 1e-12 * problem.gap_scale

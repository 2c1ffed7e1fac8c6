"""The ridge path: each point against a separate solve, certificates against X, storage, errors."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

from sparsereg import Ridge, ridge_path
from sparsereg.data.design import as_design
from sparsereg.ridge import sketched_basis
from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.path import PathSolution, path_preconditioning, solve_path, solve_paths
from sparsereg.ridge.pcg import Preconditioner
from sparsereg.ridge.preconditioners.choose import PreconditionerFactory
from sparsereg.ridge.preconditioners.two_level import Identity
from sparsereg.ridge.reduced_basis import ReducedBasis
from sparsereg.ridge.sketched_basis import StoppingRule

METHODS = ["gram", "dual", "svd", "cg"]


def fields(seed: int, n: int, sizes: tuple[int, ...]) -> sp.csr_array:
    """Fields of categories, and the cross of the first two, one-hot."""
    rng = np.random.default_rng(seed)
    levels = [rng.zipf(1.4, n) % size for size in sizes]
    levels.append(levels[0] * sizes[1] + levels[1])
    begins = np.cumsum([0, *sizes])
    columns = np.stack([b + c for b, c in zip(begins, levels, strict=True)], axis=1)
    width = int(begins[-1]) + sizes[0] * sizes[1]
    return sp.csr_array((np.ones(columns.size), columns.ravel(), np.arange(n + 1) * len(levels)), shape=(n, width))


def problem(seed: int = 0, n: int = 600) -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = fields(seed, n, (40, 25, 6))
    return X, X @ rng.normal(size=X.shape[1]) + rng.normal(size=n) + 2.0, rng.uniform(0.1, 3.0, n)


def dense_solution(
    X: np.ndarray, y: np.ndarray, s: np.ndarray, alpha: float, v: np.ndarray
) -> tuple[np.ndarray, float]:
    """Coefficients and intercept by the augmented normal equations."""
    A = np.c_[np.ones(len(y)), X]
    solution = np.linalg.solve(A.T @ (s[:, None] * A) + alpha * np.diag(np.r_[0.0, v]), A.T @ (s * y))
    return solution[1:], solution[0]


def test_a_column_in_large_units_hides_no_others() -> None:
    X, y, _ = problem(3, 1500)
    income = np.random.default_rng(2).lognormal(10.5, 0.7, (1500, 1))
    X = sp.csr_array(sp.hstack([income, X]))
    y = y + 1e-5 * income[:, 0]
    alphas = np.geomspace(1e3, 0.1, 12)
    exact = ridge_path(X, y, alphas=alphas, solver="gram").coefs.toarray()
    path = ridge_path(X, y, alphas=alphas, solver="cg")
    np.testing.assert_allclose(path.coefs.toarray(), exact, atol=2e-4)
    design = as_design(X)
    equations = NormalEquations(design, None, True, np.ones(design.n_cols))
    for k, alpha in enumerate(alphas):
        system = equations.system(y, float(alpha))
        w = path.coefs[:, [k]].toarray()[design.columns, 0]
        assert path.gradient_norms[k] == pytest.approx(system.relative(system.gradient(w)), rel=1e-3, abs=1e-11)
    assert path.gradient_norms.max() <= 1e-6


@pytest.mark.parametrize("solver", METHODS)
@pytest.mark.parametrize("sparse", [True, False])
def test_every_point_is_the_solution(solver: str, sparse: bool) -> None:
    X, y, s = problem(0, 200)
    v = np.random.default_rng(1).uniform(0.3, 3.0, X.shape[1])
    alphas = np.geomspace(1e4, 1e-2, 12)
    path = ridge_path(
        X if sparse else X.toarray(), y, alphas=alphas, sample_weight=s, penalty_factor=v, tol=1e-9, solver=solver
    )
    assert path.method == solver
    coefs = path.coefs.toarray()
    for k, alpha in enumerate(alphas):
        w, intercept = dense_solution(X.toarray(), y, s, alpha, v)
        np.testing.assert_allclose(coefs[:, k], w, atol=1e-7 * np.abs(w).max())
        assert path.intercepts[k] == pytest.approx(intercept, rel=1e-7)
    np.testing.assert_allclose(path.predict(X, 3), X @ coefs[:, 3] + path.intercepts[3])


@pytest.mark.parametrize("tol", [1e-3, 1e-5, 1e-9])
def test_gradients_and_gaps_are_those_of_x(tol: float) -> None:
    X, y, s = problem(1)
    design = as_design(X)
    equations = NormalEquations(design, s, True, np.ones(design.n_cols))
    alphas = np.geomspace(1e3, 1e-2, 30)
    found = solve_path(equations, y, alphas, StoppingRule(tol, 1000), path_preconditioning(equations, alphas))
    for k, alpha in enumerate(alphas):
        true = equations.system(y, alpha).solution(found.w(k), 0)
        assert found.gradient_norms[k] == pytest.approx(true.gradient_norm, abs=1e-12)
        assert found.dual_gaps[k] == pytest.approx(true.dual_gap, rel=1e-3, abs=1e-15)
    assert (found.gradient_norms <= tol).all()
    assert (found.n_iters > 0).any()


def test_most_points_cost_no_iteration() -> None:
    X, y, _ = problem(2)
    path = ridge_path(X, y, alphas=np.geomspace(1e3, 0.1, 200), solver="cg")
    assert np.count_nonzero(path.n_iters) < 50
    one = Ridge(alpha=0.1, solver="cg").fit(X, y)
    assert path.n_iters.sum() < 30 * one.n_iter_[0]
    assert (path.gradient_norms <= 1e-6).all()


@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.sampled_from([0.0, 1e-3, 1.0]))
def test_any_problem_agrees_with_one_solve_each(seed: int, fit_intercept: bool, weighted: bool, least: float) -> None:
    rng = np.random.default_rng(seed)
    X = fields(seed, 60, (7, 5))
    y, s = rng.normal(size=60), rng.integers(0, 3, 60) + (np.arange(60) == 0)
    v = np.maximum(rng.uniform(-0.2, 2.0, X.shape[1]), least)
    options = {"fit_intercept": fit_intercept, "penalty_factor": v, "solver": "cg", "tol": 1e-8}
    alphas = [50.0, 3.0, 0.2, 0.01]
    path = ridge_path(X, y, alphas=alphas, sample_weight=s if weighted else None, **options)
    for k, alpha in enumerate(alphas):
        one = Ridge(alpha=alpha, **options).fit(X, y, sample_weight=s if weighted else None)
        seen = s > 0 if weighted else s >= 0  # columns seen nowhere and not penalised may hold anything
        np.testing.assert_allclose(path.predict(X, k)[seen], one.predict(X)[seen], atol=1e-6 * np.abs(y).max())


@pytest.mark.parametrize("sketched", [False, True])
def test_combinations_have_the_least_gradients(sketched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = problem(3)
    design = as_design(X)
    monkeypatch.setattr(sketched_basis, "SKETCH", 200 if sketched else design.n_cols)
    assert design.n_cols > 200
    equations = NormalEquations(design, None, True, np.random.default_rng(0).uniform(0.5, 2.0, design.n_cols))
    system = equations.system(y, 2.0)
    basis, alphas = ReducedBasis(equations.system(y, 0.0), PreconditionerFactory(None, Identity)), np.array([2.0])
    np.testing.assert_allclose(basis.gradient_norms(alphas), np.linalg.norm(system.b), rtol=0.2)
    for w in np.random.default_rng(1).normal(size=(4, design.n_cols)):
        basis.add(w, equations.system(y, 0.0).times(w))
    W = np.array(basis.W)
    A = basis.combinations(alphas)
    g = system.gradient(A[0] @ W)
    HW = np.array([system.times(w) for w in W])
    best = system.b - np.linalg.lstsq(HW.T, system.b)[0] @ HW
    assert np.linalg.norm(g) <= (1.1 if sketched else 1.0 + 1e-12) * np.linalg.norm(best)
    assert basis.gradient_norms(alphas)[0] == pytest.approx(np.linalg.norm(g), rel=0.2 if sketched else 1e-10)
    assert basis.certificates(alphas, A)[0][0] == pytest.approx(np.linalg.norm(g), rel=1e-10)
    np.testing.assert_allclose(basis.gradient(A[0], 2.0), g, atol=1e-10 * np.linalg.norm(system.b))


def test_alpha_0_and_next_to_nothing() -> None:
    X, y, _ = problem(4, 80)
    path = ridge_path(X, y, alphas=[0.0, 1e-17, 1.0], solver="cg", tol=1e-8)
    assert path.alphas.tolist() == [1.0, 1e-17, 0.0]
    dense = X.toarray()
    centred = dense - dense.mean(axis=0)
    least = np.linalg.pinv(centred) @ (y - y.mean())
    np.testing.assert_allclose(path.coefs.toarray()[:, 2], least, atol=1e-5)
    np.testing.assert_allclose(path.coefs.toarray()[:, 1], least, atol=1e-5)


def test_constant_target() -> None:
    X, _, _ = problem(5, 50)
    for solver in METHODS:
        path = ridge_path(X, np.full(50, 3.0), alphas=5, solver=solver)
        np.testing.assert_allclose(path.intercepts, 3.0)
        assert np.abs(path.coefs.toarray()).max() < 1e-12
        assert (path.gradient_norms == 0.0).all()


@pytest.mark.parametrize("solver", METHODS)
def test_columns_that_are_all_constant(solver: str) -> None:
    path = ridge_path(np.ones((10, 2)), np.arange(10.0), alphas=[1e-8, 1.0], solver=solver)
    np.testing.assert_allclose(path.predict(np.ones((1, 2)), 0), 4.5)
    assert (path.gradient_norms == 0.0).all()


def test_a_factorisation_that_fails_says_so() -> None:
    rng = np.random.default_rng(0)
    X, y, s = rng.normal(size=(40, 5)), rng.normal(size=40), 10.0 ** rng.uniform(-6, 6, 40)
    with pytest.warns(ConvergenceWarning, match="what is left is rounding"):
        ridge_path(X, y, alphas=[1e-12], sample_weight=s, solver="dual")
    assert (ridge_path(X, y, alphas=[1e-12], sample_weight=s).gradient_norms < 1e-12).all()


def test_grid() -> None:
    X, y, _ = problem(6)
    path = ridge_path(X, y, alphas=7, eps=1e-3)
    dense = X.toarray()
    assert path.alphas[0] == pytest.approx(((dense - dense.mean(axis=0)) ** 2).sum(axis=0).max())
    np.testing.assert_allclose(path.alphas[-1], 1e-3 * path.alphas[0])
    assert path.alphas.size == 7


def test_nothing_of_nominal_width() -> None:
    X, y, _ = problem(7, 200)
    stretch = 10**12
    wide = sp.csr_array(
        (X.data, X.indices.astype(np.int64) * stretch, X.indptr.astype(np.int64)), shape=(200, X.shape[1] * stretch)
    )
    narrow = ridge_path(X, y, alphas=3)
    path = ridge_path(wide, y, alphas=3)
    np.testing.assert_array_equal(path.columns, narrow.columns * stretch)
    np.testing.assert_allclose(path.point(1)[1], narrow.point(1)[1])
    np.testing.assert_allclose(path.predict(wide), narrow.predict(X))


def test_stopped_short_says_so() -> None:
    rng = np.random.default_rng(0)
    parts = [sp.csr_array((np.ones(9000), (np.arange(9000), rng.integers(0, 3000, 9000)))) for _ in range(2)]
    with pytest.warns(ConvergenceWarning, match=r"points did not converge; the worst, alpha=.* increase max_iter"):
        ridge_path(sp.hstack(parts, format="csr"), rng.normal(size=9000), alphas=[1.0, 1e-3], solver="cg", max_iter=2)


@pytest.mark.parametrize(
    "bad",
    [
        {"alphas": []},
        {"alphas": -1.0},
        {"alphas": 0},
        {"eps": 0.0},
        {"tol": -1.0},
        {"max_iter": 0},
        {"solver": "bounded"},
        {"fit_intercept": "no"},
        {"penalty_factor": [1.0]},
        {"sample_weight": [1.0]},
    ],
)
def test_bad_parameters_are_named(bad: dict[str, object]) -> None:
    X, y, _ = problem(9, 50)
    with pytest.raises(ValueError, match=next(iter(bad))):
        ridge_path(X, y, **bad)
    with pytest.raises(ValueError, match="the path was fitted on"):
        ridge_path(X, y, alphas=[1.0]).predict(X[:, :5])


@pytest.mark.parametrize("n_cols_per_group", [1, 5])
def test_a_sketch_keeps_lengths(n_cols_per_group: int) -> None:
    """Also those of gradients a million times shorter than b."""
    rng = np.random.default_rng(0)
    m = sketched_basis.SKETCH * n_cols_per_group
    design = as_design(sp.eye_array(m, format="csr"))
    equations = NormalEquations(design, None, False, np.ones(m))
    b = rng.normal(size=m)
    basis = ReducedBasis(equations.system(b, 0.0), PreconditionerFactory(None, Identity))
    near = b + 1e-8 * rng.normal(size=m)
    basis.add(near, near)
    alphas = np.array([1.0, 9.0])
    A = basis.combinations(alphas)
    true = np.array([np.linalg.norm(b - (1.0 + alpha) * a[0] * basis.W[0]) for alpha, a in zip(alphas, A, strict=True)])
    np.testing.assert_allclose(basis.gradient_norms(alphas), true, rtol=1e-6 if n_cols_per_group == 1 else 0.15)
    np.testing.assert_allclose(basis.certificates(alphas, A)[0], true, rtol=1e-6)


def test_rounding_of_the_recurrence_is_detected_and_removed() -> None:
    """If a preconditioner returns a wrong `H z`, the gradient of the recurrence is wrong."""
    X, y, _ = problem(8)
    design = as_design(X)
    equations = NormalEquations(design, None, True, np.ones(design.n_cols))
    alphas = np.array([1.0, 30.0])

    shared = path_preconditioning(equations, alphas)

    def misstated(system: System) -> Preconditioner:
        made = shared.make(system)
        exact = made.inner.apply

        def off(g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            z, Hz = exact(g)
            return z, Hz * (1.0 + 1e-4 * np.sin(np.arange(Hz.size)))

        made.inner.apply = off
        return made

    found = solve_path(equations, y, alphas, StoppingRule(1e-6, 1000), replace(shared, make=misstated))
    for k, alpha in enumerate(alphas):
        true = equations.system(y, alpha).solution(found.w(k), 0)
        assert found.gradient_norms[k] == pytest.approx(true.gradient_norm, abs=1e-12)
        assert true.gradient_norm <= 1e-6


def test_warns_about_gradients_above_the_tolerance(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gradient between tol / 100 and tol causes a warning, as in `Ridge`."""
    monkeypatch.setattr("sparsereg.ridge.preconditioners.choose.MAX_COARSE", 4)  # so that not all is solved exactly
    X, y, _ = problem(3)
    given_up = solve_paths

    def loosely(*given: Any) -> list[PathSolution]:
        *others, plan = given
        return given_up(*others, replace(plan, tol=3e-5))

    monkeypatch.setattr(sys.modules["sparsereg.linear_model.ridge_path"], "solve_paths", loosely)
    with pytest.warns(ConvergenceWarning, match="asked for 1e-06; what is left"):
        path = ridge_path(X, y, alphas=5, solver="cg", tol=1e-4)
    assert 1e-6 < path.gradient_norms.max() < 1e-4

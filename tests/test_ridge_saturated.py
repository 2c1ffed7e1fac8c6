"""Ridge paths with a saturated factor, such as the cells of a map: points, certificates and kernels against X."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from sparsereg import Ridge, ridge_path
from sparsereg._core.kernels import ALPHA_BLOCK, Cells, FactorCodes, KernelError, crosstab_matvec, crosstab_rmatvec
from sparsereg.data.design import as_design
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.path import PathSolution, path_preconditioning, solve_path
from sparsereg.ridge.preconditioners.choose import PreconditionerFactory
from sparsereg.ridge.preconditioners.two_way_elimination import TwoWayElimination
from sparsereg.ridge.sketched_basis import StoppingRule

KINDS = ["map", "three", "chain", "one inside"]


def one_hot(codes: list[np.ndarray]) -> sp.csr_array:
    ends = np.cumsum([0, *(code.max() + 1 for code in codes)])
    columns = np.stack([code + begin for code, begin in zip(codes, ends[:-1], strict=True)], axis=1)
    n, k = columns.shape
    X = sp.csr_array((np.ones(n * k), columns.ravel(), np.arange(n + 1) * k), shape=(n, ends[-1]))
    X.sort_indices()
    return X


def cells(kind: str, n: int, side: int, rng: np.random.Generator) -> sp.csr_array:
    """Factors and their finest cross, which stands first, last or between them."""
    a, b = rng.zipf(1.3, n) % side, rng.integers(0, side + 3, n)
    c = rng.integers(0, 4, n)
    cell = np.unique(a * (side + 3) + b, return_inverse=True)[1]
    cube = np.unique(cell * 4 + c, return_inverse=True)[1]
    return one_hot(
        {
            "map": [a, b, cell],
            "three": [cube, a, b, c],
            "chain": [a, cell, cube, b, c],
            "one inside": [np.unique(a // 3, return_inverse=True)[1], a, cell],
        }[kind]
    )


def solved(
    equations: NormalEquations, y: np.ndarray, alphas: np.ndarray, until: StoppingRule
) -> tuple[PathSolution, PreconditionerFactory]:
    preconditioners = path_preconditioning(equations, alphas)
    assert preconditioners.saturated is not None
    return solve_path(equations, y, alphas, until, preconditioners), preconditioners


def require_certified(found: PathSolution, equations: NormalEquations, y: np.ndarray, alphas: np.ndarray) -> None:
    """What a path says of itself is what X says."""
    size = float(y @ y if equations.s is None else equations.s @ y**2)
    for k, alpha in enumerate(alphas):
        w = found.w(k)
        true = equations.system(y, alpha).solution(w, 0)
        assert found.gradient_norms[k] == pytest.approx(true.gradient_norm, rel=1e-6, abs=1e-12)
        assert found.dual_gaps[k] == pytest.approx(true.dual_gap, rel=1e-5, abs=1e-13 * size)
        assert found.means[k] == pytest.approx(equations.means @ w, rel=1e-9, abs=1e-9 * np.abs(y).max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-10])
@pytest.mark.parametrize("n", [300, 4000])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gradients_gaps_and_means_are_those_of_x(kind: str, tol: float, n: int, fit_intercept: bool) -> None:
    """Beyond a sketch's numbers too, with weights and factors of every column."""
    rng = np.random.default_rng(n)
    design = as_design(cells(kind, n, 12 if n < 1000 else 70, rng))
    assert (design.n_cols > 1000) == (n > 1000)
    y = 5.0 + rng.normal(size=n)
    s, v = rng.uniform(0.0, 3.0, n), rng.uniform(0.2, 4.0, design.n_cols)
    alphas = np.geomspace(1e3, 1e-2, 21)
    for equations in (
        NormalEquations(design, None, fit_intercept, np.ones(design.n_cols)),
        NormalEquations(design, s, fit_intercept, v),
    ):
        found, preconditioners = solved(equations, y, alphas, StoppingRule(tol, 1000))
        require_certified(found, equations, y, alphas)
        assert (found.gradient_norms <= tol).all()
        assert found.n_iters.any()
        saturated = preconditioners.saturated
        assert saturated is not None
        codes = next(iter(saturated.codes.values())).codes
        np.testing.assert_array_equal(np.searchsorted(codes, np.arange(codes.max() + 2)), saturated.begin)
        system = saturated.reduced_system(saturated.n, saturated.n_others, saturated.others(equations.factor))
        inner = saturated.preconditioner(system)
        assert isinstance(inner, TwoWayElimination) == (kind == "map")


@given(st.integers(0, 10**6), st.sampled_from(KINDS), st.booleans(), st.booleans())
def test_any_problem_agrees_with_one_solve_each(seed: int, kind: str, fit_intercept: bool, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 120))
    X = cells(kind, n, int(rng.integers(3, 9)), rng)
    y, s = rng.normal(size=n), rng.integers(0, 3, n) + (np.arange(n) == 0) if weighted else None
    options = {"fit_intercept": fit_intercept, "penalty_factor": rng.uniform(0.1, 2.0, X.shape[1]), "tol": 1e-8}
    alphas = [50.0, 3.0, 0.2, 0.01]
    path = ridge_path(X, y, alphas=alphas, sample_weight=s, solver="cg", **options)
    for k, alpha in enumerate(alphas):
        one = Ridge(alpha=alpha, solver="gram", **options).fit(X, y, sample_weight=s)
        np.testing.assert_allclose(path.coefs.toarray()[:, k], one.coef_, atol=1e-6 * np.abs(y).max())
        assert path.intercepts[k] == pytest.approx(one.intercept_, abs=1e-6 * np.abs(y).max())


def test_what_is_explained_is_a_bound_from_below() -> None:
    rng = np.random.default_rng(3)
    design = as_design(cells("map", 500, 12, rng))
    equations = NormalEquations(design, rng.uniform(0.5, 2.0, 500), True, rng.uniform(0.5, 2.0, design.n_cols))
    y, alphas = rng.choice((-1.0, 1.0), 500), np.geomspace(100.0, 0.1, 9)
    loose, _ = solved(equations, y, alphas, StoppingRule(1e-3, 1000, 3e-3, 10.0))
    close, _ = solved(equations, y, alphas, StoppingRule(1e-10, 1000, 1e-16, 10.0))
    for k, alpha in enumerate(alphas):
        system = equations.system(y, alpha)
        w = system.b @ np.linalg.inv(np.array([system.times(e) for e in np.eye(design.n_cols)]))
        assert close.explained[k] == pytest.approx(system.b @ w, rel=1e-9)
        assert 0.0 <= system.b @ w - loose.explained[k] <= loose.dual_gaps[k] * (1.0 + 1e-9)


def test_a_level_in_large_units_hides_no_others() -> None:
    """Where curvatures differ widely, gradients are judged in their units too, also on the saturated factor."""
    rng = np.random.default_rng(5)
    n = 6000
    a, b = np.where(rng.uniform(size=n) < 0.9, 0, rng.integers(0, 30, n)), rng.integers(0, 20, n)
    X = one_hot([a, b, np.unique(a * 20 + b, return_inverse=True)[1]])
    s = np.where(a == 0, 1e6, 1.0)
    design = as_design(X)
    equations = NormalEquations(design, s, True, np.ones(design.n_cols))
    y, alphas = rng.normal(size=n) + (a % 3), np.geomspace(100.0, 0.1, 9)
    found, _ = solved(equations, y, alphas, StoppingRule(1e-7, 1000))
    require_certified(found, equations, y, alphas)
    assert (found.gradient_norms <= 1e-7).all()


def test_constant_and_tiny_problems() -> None:
    X = cells("map", 30, 4, np.random.default_rng(0))
    path = ridge_path(X, np.full(30, 7.3), alphas=[1.0, 0.1], solver="cg")
    np.testing.assert_allclose(path.coefs.toarray(), 0.0, atol=1e-12)
    np.testing.assert_allclose(path.intercepts, 7.3)
    one = ridge_path(X[[0]], [2.0], alphas=[1.0], solver="cg", fit_intercept=False)
    np.testing.assert_allclose(one.coefs.toarray()[X[[0]].indices, 0], 0.5)


def test_strengths_that_are_lost_beside_the_curvature_stand_with_the_others() -> None:
    rng = np.random.default_rng(1)
    X = cells("map", 200, 6, rng)
    y = rng.normal(size=200)
    path = ridge_path(X, y, alphas=[1.0, 0.0], solver="cg", tol=1e-8)
    dense = X.toarray() - X.toarray().mean(axis=0)
    np.testing.assert_allclose(path.coefs.toarray()[:, 1], np.linalg.pinv(dense) @ (y - y.mean()), atol=1e-5)
    one = Ridge(alpha=1.0, solver="gram").fit(X, y)
    np.testing.assert_allclose(path.coefs.toarray()[:, 0], one.coef_, atol=1e-7)


def test_a_path_is_small_and_survives_pickling() -> None:
    """It holds neither X nor vectors over the saturated factor for each point that was solved."""
    rng = np.random.default_rng(2)
    X = cells("map", 20_000, 130, rng)
    path = ridge_path(X, rng.normal(size=20_000), alphas=30, solver="cg")
    stored = pickle.dumps(path)
    m = path.columns.size
    assert np.count_nonzero(path.n_iters) > 8
    assert len(stored) < 8 * 8 * m
    np.testing.assert_array_equal(pickle.loads(stored).coefs.toarray(), path.coefs.toarray())


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("saturated", [True, False])
def test_constant_columns_hold_nothing_back(saturated: bool, fit_intercept: bool) -> None:
    """A factor of one level, or of one that has any weight: its gradient counts in its own units, as for `Ridge`."""
    rng = np.random.default_rng(9)
    n = 400
    a, b = rng.integers(0, 8, n), rng.integers(0, 11, n)
    codes = [np.zeros(n, dtype=int), (a == 1) * 1, a, b, np.unique(a * 11 + b, return_inverse=True)[1]]
    design = as_design(one_hot(codes if saturated else [*codes, rng.integers(0, 30, n)]))
    s = np.where(a == 1, 0.0, rng.uniform(0.5, 2.0, n))
    equations = NormalEquations(design, s, fit_intercept, np.ones(design.n_cols))
    y, alphas = rng.normal(size=n) + 3.0, np.geomspace(10.0, 1e-4, 7)
    preconditioners = path_preconditioning(equations, alphas)
    assert (preconditioners.saturated is not None) == saturated
    found = solve_path(equations, y, alphas, StoppingRule(1e-10, 1000), preconditioners)
    for k, alpha in enumerate(alphas):
        true = equations.system(y, alpha).solution(found.w(k), 0)
        assert found.gradient_norms[k] == pytest.approx(true.gradient_norm, rel=1e-3, abs=1e-12)
        assert true.gradient_norm <= 1.01e-10
        assert (found.w(k)[equations.diagonal == 0.0] == 0.0).all()


@pytest.mark.parametrize("seed", range(6))
def test_factors_far_apart_at_tight_tolerances(seed: int) -> None:
    """Points of weak strengths are long at strong ones, and points that were solved again say other than they did."""
    rng = np.random.default_rng(seed)
    design = as_design(cells("map", 150, 8, rng))
    v = 10.0 ** rng.uniform(-3, 3, design.n_cols)
    equations = NormalEquations(design, None, True, v)
    y, alphas = rng.normal(size=150), np.geomspace(1e5, 1e-3, 30)
    found, _ = solved(equations, y, alphas, StoppingRule(1e-10, 1000))
    require_certified(found, equations, y, alphas)
    assert (found.gradient_norms <= 1e-10).all()


def test_a_target_too_large_to_square_is_refused() -> None:
    X = cells("map", 50, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="too large to square"):
        ridge_path(X, 1e160 * np.arange(50.0), solver="cg", alphas=[1.0])


def test_most_points_follow_from_others() -> None:
    rng = np.random.default_rng(6)
    X = cells("map", 5000, 70, rng)
    y = X @ rng.normal(size=X.shape[1]) + rng.normal(size=5000)
    for tol, most in ((1e-4, 25), (1e-8, 45)):
        path = ridge_path(X, y, alphas=np.geomspace(1e3, 0.1, 100), solver="cg", tol=tol)
        assert np.count_nonzero(path.n_iters) <= most
        assert (path.gradient_norms <= tol / 100).all()


@pytest.mark.parametrize("n", [1, 3, 4, 1000])
@pytest.mark.parametrize("sizes", [(5,), (3, 70), (2, 9, 30)])
@pytest.mark.parametrize("factors", [True, False])
def test_kernels_against_sums(n: int, sizes: tuple[int, ...], factors: bool) -> None:
    rng = np.random.default_rng(n)
    codes = [rng.integers(0, m + 1, n).astype(np.int32) for m in sizes]
    levels = [FactorCodes(code, m) for code, m in zip(codes, sizes, strict=True)]
    rows, b = rng.uniform(0.5, 9.0, n), rng.normal(size=n)
    v, alphas = rng.uniform(0.5, 2.0, n) if factors else None, rng.uniform(0.1, 10.0, ALPHA_BLOCK)
    x = [rng.normal(size=(m + 1, ALPHA_BLOCK)) for m in sizes]
    work = [np.hstack([own, np.ones_like(own)]) for own in x]
    cells = Cells(np.array([0, n]), rows, b, v)
    total, met = cells.schur_residuals(alphas, list(zip(levels, work, strict=True)))
    for k, alpha in enumerate(alphas):
        p = alpha * (np.ones(n) if v is None else v)
        come_to = sum(own[code, k] for own, code in zip(x, codes, strict=True))
        t = (b - rows * come_to) / (rows + p)
        assert total[k] == pytest.approx(p @ t, rel=1e-10, abs=1e-12)
        assert met[k] == pytest.approx(b @ t, rel=1e-10, abs=1e-12)
        for out, code, m in zip(work, codes, sizes, strict=True):
            np.testing.assert_allclose(out[:, ALPHA_BLOCK + k], 1.0 + np.bincount(code, p * t, m + 1), atol=1e-10)


@pytest.mark.parametrize("n", [1, 3, 4, 1000])
@pytest.mark.parametrize("sizes", [(5,), (3, 70), (2, 9, 30)])
@pytest.mark.parametrize("factors", [True, False])
def test_kernels_on_runs_against_sums(n: int, sizes: tuple[int, ...], factors: bool) -> None:
    rng = np.random.default_rng(n)
    codes = [np.sort(rng.integers(0, sizes[0], n)).astype(np.int32)]
    codes += [rng.integers(0, m + 1, n).astype(np.int32) for m in sizes[1:]]
    levels = [FactorCodes(code, m) for code, m in zip(codes, sizes, strict=True)]
    begin = np.searchsorted(codes[0], np.arange(sizes[0] + 1))
    rows, b, alpha = rng.uniform(0.5, 9.0, n), rng.normal(size=n), 0.7
    v = rng.uniform(0.5, 2.0, n) if factors else None
    x = [rng.normal(size=m + 1) for m in sizes]
    own = [np.column_stack([values, np.zeros((values.size, 2))]) for values in x]
    weight, rest = np.empty(n), np.empty(n)
    Cells(begin, rows, b, v).schur_system(alpha, list(zip(levels, own, strict=True)), weight, rest)
    p = alpha * (np.ones(n) if v is None else v)
    come_to = sum(values[code] for values, code in zip(x, codes, strict=True))
    np.testing.assert_allclose(weight, rows * p / (rows + p), rtol=1e-12)
    np.testing.assert_allclose(rest, (b - rows * come_to) * p / (rows + p), atol=1e-12)
    for out, code, m in zip(own, codes, sizes, strict=True):
        np.testing.assert_allclose(out[:, 1], np.bincount(code, weight, m + 1), atol=1e-10)
        np.testing.assert_allclose(out[:, 2], np.bincount(code, rest, m + 1), atol=1e-10)
    to, back = np.ones(sizes[-1] + 1), np.ones(sizes[0])
    crosstab_rmatvec(rows, begin, x[0][:-1], (levels[-1], to))
    np.testing.assert_allclose(to, 1.0 + np.bincount(codes[-1], rows * x[0][codes[0]], sizes[-1] + 1), atol=1e-10)
    crosstab_matvec(rows, begin, (levels[-1], x[-1]), back)
    np.testing.assert_allclose(back, 1.0 + np.bincount(codes[0], rows * x[-1][codes[-1]], sizes[0]), atol=1e-10)


def test_kernels_refuse_what_does_not_fit() -> None:
    levels, n = FactorCodes(np.zeros(3, dtype=np.int32), 1), np.ones(3)
    begin, both, wide, triple = np.array([0, 3]), np.zeros((2, 2 * ALPHA_BLOCK)), np.zeros(2), np.zeros((2, 3))
    for b, v in ((np.ones(2), None), (n, np.ones(2))):
        with pytest.raises(KernelError, match="lengths"):
            Cells(begin, n, b, v)
    cells = Cells(begin, n, n, None)
    with pytest.raises(KernelError, match="alphas"):
        cells.schur_residuals(np.ones(1), [(levels, both)])
    for values in (both[:, 1:].copy(), np.zeros((2, 4 * ALPHA_BLOCK))[:, ::2], np.zeros((3, 2 * ALPHA_BLOCK))):
        with pytest.raises(KernelError, match="fit"):
            cells.schur_residuals(np.ones(ALPHA_BLOCK), [(levels, values)])
    with pytest.raises(KernelError, match="lengths"):
        cells.schur_system(1.0, [(levels, triple)], np.empty(2), np.empty(3))
    with pytest.raises(KernelError, match="factors"):
        cells.schur_system(1.0, [], np.empty(3), np.empty(3))
    with pytest.raises(KernelError, match="runs"):
        Cells(np.array([0, 1, 3]), n, n, None).schur_system(1.0, [(levels, triple)], np.empty(3), np.empty(3))
    for runs in ([0, 2], [1, 3], [0, 1, 3]):
        with pytest.raises(KernelError, match="runs"):
            crosstab_rmatvec(n, np.array(runs), wide[:1], (levels, wide))
        with pytest.raises(KernelError, match="runs"):
            crosstab_matvec(n, np.array(runs), (levels, wide), wide[:1])
    for runs in ([0, 2], [1, 3]):
        with pytest.raises(KernelError, match="runs"):
            Cells(np.array(runs), n, n, None)
    with pytest.raises(KernelError, match="backwards"):
        crosstab_rmatvec(n, np.array([0, 4, 3]), wide, (levels, wide))
    with pytest.raises(KernelError, match="fit"):
        crosstab_rmatvec(n, begin, wide[:1], (levels, np.zeros(3)))

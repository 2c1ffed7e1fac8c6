"""The solvers of ridge against slow oracles: sweep, preconditioner, certificate, choice of a method."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import Ridge
from sparsereg._core.kernels import RidgeQuadratic
from sparsereg.data.design import as_design
from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.pcg import conjugate_gradients
from sparsereg.ridge.preconditioners.two_level import HeavyBlock, Identity, TwoLevel
from sparsereg.ridge.solve import SolverSettings, choose_method, solve_ridge


def crosses(rng: np.random.Generator, n: int, a: int, b: int) -> sp.csr_array:
    """Two factors and their cross, one-hot."""
    i, j = rng.zipf(1.3, n) % a, rng.zipf(1.3, n) % b
    columns = np.stack([i, a + j, a + b + i * b + j], axis=1)
    return sp.csr_array((np.ones(3 * n), columns.ravel(), np.arange(n + 1) * 3), shape=(n, a + b + a * b))


def equations_of(X: object, s: np.ndarray | None = None, fit_intercept: bool = True, seed: int = 0) -> NormalEquations:
    design = as_design(X)
    return NormalEquations(design, s, fit_intercept, np.random.default_rng(seed).uniform(0.5, 2.0, design.n_cols))


def dense_H(X: np.ndarray, system: System) -> np.ndarray:
    """`H` by plain NumPy, in the order of the design's columns."""
    equations = system.equations
    s = np.ones(X.shape[0]) if equations.s is None else equations.s
    B = X[:, equations.design.columns].astype(np.float64)
    if equations.fit_intercept:
        B = B - np.average(B, axis=0, weights=s)
    return B.T @ (s[:, None] * B) + np.diag(system.penalty)


def small(seed: int, valued: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = (rng.uniform(size=(40, 12)) < 0.3) * (rng.integers(1, 5, (40, 12)) if valued else 1.0)
    X[:, 5] = 1.0
    return X, rng.normal(size=40), rng.uniform(0.2, 3.0, 40)


@pytest.mark.parametrize("valued", [True, False])
@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_sweep_is_gauss_seidel(valued: bool, real: type, index: type, weighted: bool, fit_intercept: bool) -> None:
    X, y, s = small(0, valued)
    A = sp.csc_array(X.astype(real))
    A.indices, A.indptr = A.indices.astype(index), A.indptr.astype(index)
    system = equations_of(A, s if weighted else None, fit_intercept).system(y, 0.7)
    equations, H = system.equations, dense_H(X, system)
    sums = equations.weight_sum * equations.means
    q = RidgeQuadratic(sums, system.penalty, 1.0 / np.diag(H), equations.weight_sum)
    rng = np.random.default_rng(1)
    g, z = rng.normal(size=12), rng.normal(size=12)
    row_weights = s if weighted else np.ones(40)
    v = row_weights * (X[:, equations.design.columns] @ z)
    order = rng.permutation(12)[:9]
    expected = z.copy()
    for j in order:
        expected[j] += (g[j] - H[j] @ expected) / H[j, j]
    v_sum = equations.design.matrix.gauss_seidel(order, q, g, z, v, float(v.sum()), equations.s)
    np.testing.assert_allclose(z, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(v, row_weights * (X[:, equations.design.columns] @ z), rtol=1e-10, atol=1e-12)
    if fit_intercept:  # without one nobody asks for it
        assert v_sum == pytest.approx(v.sum(), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("n_heavy", [0, 3, 12])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_preconditioner_is_symmetric_positive_and_knows_its_image(
    n_heavy: int, fit_intercept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparsereg.ridge.preconditioners.two_level.MAX_HEAVY", n_heavy)
    X, y, s = small(2, True)
    system = equations_of(sp.csr_array(X), s, fit_intercept).system(y, 0.3)
    heavy = HeavyBlock.of(system.equations, system.penalty)
    H = dense_H(X, system)
    np.testing.assert_allclose(
        heavy.gram, (H - np.diag(system.penalty))[np.ix_(heavy.cols, heavy.cols)], rtol=1e-9, atol=1e-9
    )
    precondition = TwoLevel(system, heavy)
    applied = [precondition.apply(e) for e in np.eye(12)]
    M = np.stack([z for z, _ in applied])
    np.testing.assert_allclose(M, M.T, rtol=1e-8, atol=1e-10)
    assert np.linalg.eigvalsh(M).min() > 0
    np.testing.assert_allclose(np.stack([Hz for _, Hz in applied]), M @ H, rtol=1e-8, atol=1e-8)
    nearness = np.linalg.eigvals(M @ H).real
    assert nearness.max() < 1 + 1e-8  # a symmetric sweep never overshoots
    if heavy.cols.size >= 11:
        assert nearness.min() > 0.5


def test_the_image_of_no_preconditioner() -> None:
    X, y, _ = small(3, False)
    system = equations_of(sp.csr_array(X)).system(y, 0.3)
    z, Hz = Identity(system).apply(y[:12])
    np.testing.assert_array_equal(z, y[:12])
    np.testing.assert_allclose(Hz, dense_H(X, system) @ z, rtol=1e-10)


def objective(X: np.ndarray, system: System, w: np.ndarray) -> float:
    equations = system.equations
    r = system.y - X[:, equations.design.columns] @ w
    s = np.ones(r.size) if equations.s is None else equations.s
    if equations.fit_intercept:
        r = r - np.average(r, weights=s)
    return float(s @ r**2 + system.penalty @ w**2)


@pytest.mark.parametrize("method", ["gram", "dual", "svd", "cg", "bounded"])
@pytest.mark.parametrize("max_iter", [1, 2, 500])
def test_gradient_and_gap_are_true(method: str, max_iter: int) -> None:
    X, y, s = small(4, True)
    equations = equations_of(sp.csr_array(X), s)
    (found,) = solve_ridge(equations, y[:, None], np.array([0.5]), SolverSettings(method, 1e-9, max_iter))
    system = equations.system(y, 0.5)
    H = dense_H(X, system)
    best = np.linalg.solve(H, system.b)
    if method == "bounded":
        assert found.dual_gap >= 0
        assert (found.w >= 0).all()
        return
    g = system.b - H @ found.w
    assert found.gradient_norm == pytest.approx(np.linalg.norm(g) / np.linalg.norm(system.b), rel=1e-3, abs=1e-13)
    excess = objective(X, system, found.w) - objective(X, system, best)
    assert found.dual_gap >= excess - 1e-12
    if max_iter == 500:
        assert found.gradient_norm <= 1e-9
        np.testing.assert_allclose(found.w, best, rtol=1e-7, atol=1e-9)


def test_two_levels_beat_none_on_crosses(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    X = crosses(rng, 20_000, 400, 60)
    system = equations_of(X).system(rng.normal(size=20_000), 1.0)
    counts = {}
    for n_heavy in (0, 200):
        monkeypatch.setattr("sparsereg.ridge.preconditioners.two_level.MAX_HEAVY", n_heavy)
        heavy = HeavyBlock.of(system.equations, system.penalty)
        counts[n_heavy] = conjugate_gradients(system, TwoLevel(system, heavy), 1e-8, 5000)
    plain = conjugate_gradients(system, Identity(system), 1e-8, 5000)
    assert all(found.gradient_norm <= 1e-8 for found in (*counts.values(), plain))
    assert counts[200].n_iter < counts[0].n_iter < plain.n_iter / 2


def test_the_heavy_block_is_kept_affordable(monkeypatch: pytest.MonkeyPatch) -> None:
    X = sp.csr_array(np.random.default_rng(0).uniform(size=(50, 40)))
    equations = equations_of(X)
    monkeypatch.setattr("sparsereg.ridge.preconditioners.two_level.GRAM_PASSES", 41)
    assert HeavyBlock.of(equations, np.full(40, 1e-3)).cols.size == 40
    monkeypatch.setattr("sparsereg.ridge.preconditioners.two_level.GRAM_PASSES", 2)
    assert 5 < HeavyBlock.of(equations, np.full(40, 1e-3)).cols.size < 15


@pytest.mark.parametrize("alpha", [1e-12, 1e-8])
def test_next_to_no_penalty_on_duplicate_columns(alpha: float) -> None:
    X, y, _ = small(6, False)
    twice = np.hstack([X, X])
    equations = NormalEquations(as_design(sp.csr_array(twice)), None, True, np.ones(24))
    (found,) = solve_ridge(equations, y[:, None], np.array([alpha]), SolverSettings("cg", 1e-10, 1000))
    assert np.isfinite(found.w).all()
    centred = twice[:, equations.design.columns] - twice[:, equations.design.columns].mean(axis=0)
    expected = np.linalg.lstsq(centred, y - y.mean())[0]
    np.testing.assert_allclose(centred @ found.w, centred @ expected, atol=1e-6)


def test_weights_spanning_twelve_orders() -> None:
    X, y, _ = small(7, True)
    s = 10.0 ** np.random.default_rng(8).uniform(-6, 6, 40)
    for method in ("gram", "dual", "svd", "cg"):
        equations = equations_of(sp.csr_array(X), s)
        (found,) = solve_ridge(equations, y[:, None], np.array([1.0]), SolverSettings(method, 1e-9, 1000))
        system = equations.system(y, 1.0)
        assert found.gradient_norm <= 1e-8, method
        excess = objective(X, system, found.w) - objective(X, system, np.linalg.solve(dense_H(X, system), system.b))
        assert excess <= 1e-9 * objective(X, system, np.zeros(12)), method


@pytest.mark.parametrize("method", ["gram", "dual", "svd", "cg"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_one_row_and_constant_targets(method: str, fit_intercept: bool) -> None:
    X = np.array([[1.0, 0.0, 2.0]])
    equations = equations_of(sp.csr_array(X), None, fit_intercept)
    (found,) = solve_ridge(equations, np.array([[3.0]]), np.array([1.0]), SolverSettings(method, 1e-9, 100))
    H = dense_H(X, equations.system(np.array([3.0]), 1.0))
    b = X[0, equations.design.columns] * 3.0
    expected = np.zeros(2) if fit_intercept else np.linalg.solve(H, b)
    np.testing.assert_allclose(found.w, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "alpha", "free", "expected"),
    [
        ((50, 10), 1.0, False, "gram"),
        ((10, 50), 1.0, False, "dual"),
        ((10, 50), 0.0, False, "svd"),
        ((50, 10), 0.0, False, "svd"),
        ((10, 50), 1.0, True, "gram"),
        ((50, 10), 0.0, True, "gram"),
        ((3000, 2500), 1.0, False, "cg"),
        ((1000, 2500), 1.0, False, "dual"),
    ],
)
def test_auto_counts(shape: tuple[int, int], alpha: float, free: bool, expected: str) -> None:
    X = sp.random_array(shape, density=0.02, rng=np.random.default_rng(0), format="csr") + sp.eye_array(*shape)
    X = sp.csr_array(X + sp.csr_array((np.ones(shape[1]), (np.zeros(shape[1], int), np.arange(shape[1]))), shape=shape))
    design = as_design(X)
    factor = np.ones(design.n_cols)
    factor[0] = 0.0 if free else 1.0
    assert choose_method(NormalEquations(design, None, True, factor).summary, np.array([alpha, 5.0])) == expected


def test_what_cannot_be_factorised_is_refused() -> None:
    X = sp.csr_array(sp.eye_array(30_000))
    equations = equations_of(X)
    for method in ("gram", "dual", "svd"):
        with pytest.raises(ValueError, match=r"solver.*'cg'"):
            solve_ridge(equations, np.ones((30_000, 1)), np.ones(1), SolverSettings(method, 1e-6, 10))


@pytest.mark.parametrize("unit", [1e7, 1e9])
def test_one_column_in_large_units_costs_the_others_nothing(unit):
    """The coefficients of the others and the certificate stay correct."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(2000, 30))
    y = Z[:, 1:] @ rng.normal(size=29)
    Z[:, 0] *= unit
    model = Ridge(alpha=1.0, solver="gram").fit(Z, y)
    assert model.score(Z, y) > 1 - 1e-5
    small = Ridge(alpha=1e-9, solver="gram", fit_intercept=False)
    small.fit(np.eye(2), [0.0, 1.0], sample_weight=[1e12, 1e-6])
    np.testing.assert_allclose(small.coef_, [0.0, 1e-6 / (1e-6 + 1e-9)], rtol=1e-9)


def test_a_pseudo_inverse_omits_no_tiny_column():
    """Duplicate columns without penalty: what a pseudo-inverse leaves out is judged in the columns' own units."""
    X = np.array([[1.0, 1.0, 1e-9], [2.0, 2.0, 0.0], [4.0, 4.0, 0.0], [3.0, 3.0, 1e-9]])
    y = np.array([1.0, 0.0, 0.0, 1.0])
    model = Ridge(alpha=0.0, solver="gram").fit(X, y)
    assert model.score(X, y) > 1 - 1e-12
    best = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=1e-14)[0]
    loss = lambda w: np.sum((y - y.mean() - (X - X.mean(axis=0)) @ w) ** 2)
    assert loss(model.coef_) - loss(best) <= model.dual_gap_ + 1e-12


@pytest.mark.parametrize("unit", [1e4, 1e7])
def test_conjugate_gradients_are_not_fooled_by_one_column_in_large_units(unit):
    rng = np.random.default_rng(0)
    A = sp.random_array((600, 250), density=0.03, rng=rng, format="csr")
    A.data[:] = 1.0
    y = A @ rng.normal(size=250)
    X = sp.hstack([sp.csr_array(unit * (1.0 + rng.random((600, 1)))), A], format="csr")
    model = Ridge(alpha=1.0, solver="cg").fit(X, y)
    assert model.score(X, y) > 0.98 * Ridge(alpha=1.0, solver="svd").fit(X.toarray(), y).score(X, y)
    assert model.gradient_norm_ <= 1e-6

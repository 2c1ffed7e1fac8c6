"""Factors of one-hot designs and their preconditioners, against dense oracles."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from factor_designs import (
    A,
    B,
    C,
    beside_numbers,
    crossed,
    dense_H,
    equations_of,
    nearly_nested,
    one_hot,
    saturated,
    table,
)

from sparsereg import Ridge
from sparsereg._core.kernels import FactorCodes, gather_scatter
from sparsereg.data.design import as_design
from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.pcg import Preconditioner, ReducedSystem, conjugate_gradients
from sparsereg.ridge.preconditioners.block_jacobi import BlockJacobi
from sparsereg.ridge.preconditioners.choose import choose_preconditioner
from sparsereg.ridge.preconditioners.factors import Factors
from sparsereg.ridge.preconditioners.nested_factors import SymmetricSweep
from sparsereg.ridge.preconditioners.saturated_factor import SaturatedElimination
from sparsereg.ridge.preconditioners.two_level import TwoLevel


@pytest.mark.parametrize("n", [1, 3, 1000, 40_000])
@pytest.mark.parametrize("weighted", [True, False])
def test_gather_scatter(n: int, weighted: bool) -> None:
    rng = np.random.default_rng(n)
    s = rng.uniform(size=n) if weighted else None
    factors = [(rng.integers(0, n_levels + 1, n).astype(np.int32), n_levels) for n_levels in (1, 3, 200)]
    v, given = rng.normal(size=n), [rng.normal(size=n_levels + 1) for _, n_levels in factors]
    taken, start = [np.ones(n_levels + 1) for _, n_levels in factors], v.copy()
    levels = [FactorCodes(codes, n_levels) for codes, n_levels in factors]
    gather_scatter(v, list(zip(levels, given, strict=True)), list(zip(levels, taken, strict=True)), s)
    change = sum(x[codes] for x, (codes, _) in zip(given, factors, strict=True))
    np.testing.assert_allclose(v, start + (change if s is None else s * change), rtol=1e-12, atol=1e-14)
    for q, (codes, n_levels) in zip(taken, factors, strict=True):
        np.testing.assert_allclose(q, 1.0 + np.bincount(codes, v, n_levels + 1), rtol=1e-9, atol=1e-9)


def test_levels_refuse_codes_out_of_range() -> None:
    for codes in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match="range"):
            FactorCodes(np.array(codes, dtype=np.int32), 2)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_factors_are_found(index: type, form: str) -> None:
    X = crossed().asformat(form)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    design = as_design(X)
    factors = Factors.of(design)
    assert factors is not None
    columns = design.columns[factors.order]
    runs = [set(columns[part]) for part in factors.slices]
    a, b, c = table()
    ends = np.cumsum([len(np.unique(key)) for key in (a, b, c, a * B + b, b * C + c)])
    assert runs == [set(range(begin, end)) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
    assert set(factors.finest) == {3, 4}
    assert set(factors.nesting) == {(3, 0), (3, 1), (4, 1), (4, 2)}
    assert factors.refinement[0] == 3
    assert factors.refinement[2] == 4
    assert not factors.saturated
    D = X.toarray()
    for (fine, coarse), levels in factors.nesting.items():
        for child, parent in enumerate(levels.codes):
            inner, outer = (D[:, columns[factors.slices[f]][at]] for f, at in ((fine, child), (coarse, parent)))
            assert (inner <= outer).all()


def test_missing_levels_are_no_nesting_and_other_designs_have_no_factors() -> None:
    a, b, _ = table()
    factors = Factors.of(as_design(one_hot([a, b, a * B + b], missing=0.1)))
    assert factors is not None
    assert not factors.nesting
    assert not factors.saturated
    rng = np.random.default_rng(0)
    assert Factors.of(as_design(crossed() * 2.0)) is None
    numeric = sp.csr_array(rng.normal(size=(300, 2)) * (rng.uniform(size=(300, 2)) < 0.7))
    mixed = as_design(sp.csr_array(sp.hstack([numeric[:, [0]], crossed(), numeric[:, [1]]])))
    factors = Factors.of(mixed)
    assert factors is not None
    assert [part.stop - part.start for part in factors.slices] == [
        part.stop - part.start for part in Factors.of(as_design(crossed())).slices
    ]
    assert factors.n_factor_cols == mixed.n_cols - 2
    assert Factors.of(as_design(crossed().toarray())) is None
    shuffled = crossed(2000)[:, rng.permutation(crossed(2000).shape[1])]
    assert Factors.of(as_design(shuffled)) is None
    whole = Factors.of(as_design(saturated()))
    assert whole is not None
    assert whole.saturated


def test_near_nested_factors() -> None:
    X = nearly_nested()
    factors = Factors.of(as_design(X))
    assert factors is not None
    (near,) = factors.near_nested
    assert near.n_levels == 5
    assert set(near.parents) == {0, 3}
    assert near.refinement == 3
    of_a = factors.nesting[3, 0].codes
    np.testing.assert_array_equal(near.parents[3].codes, near.parents[0].codes[of_a])
    columns = as_design(X).columns[factors.order[factors.slices[0]]]
    by_level = {int(column) % 5: int(code) for column, code in zip(columns, near.parents[0].codes, strict=True)}
    assert len(set(by_level.values())) == 5
    for column, code in zip(columns, near.parents[0].codes, strict=True):
        assert by_level[int(column) % 5] == code
    assert not Factors.of(as_design(X), min_rows=100.0).near_nested
    assert not Factors.of(as_design(crossed())).near_nested


def test_rows_have_no_level_where_a_column_of_numbers_stands_among_levels() -> None:
    a, b, _ = table()
    values = np.ones(A + B)
    values[2] = 2.0
    X = sp.csr_array(one_hot([np.append(np.arange(A), a), np.append(np.zeros(A, int), b)]) * values)
    design = as_design(X)
    factors = Factors.of(design)
    assert factors is not None
    (f,) = (f for f, part in enumerate(factors.slices) if part.stop - part.start == A - 1)
    np.testing.assert_array_equal(factors.finest[f].codes == A - 1, X[:, [2]].toarray()[:, 0] != 0)
    assert not factors.saturated
    y = np.random.default_rng(1).normal(size=X.shape[0])
    model = Ridge(solver="cg", tol=1e-6).fit(X, y)
    np.testing.assert_allclose(model.coef_, Ridge(solver="gram").fit(X, y).coef_, atol=1e-6)


def test_equal_factors_are_nested_once() -> None:
    a, _, _ = table()
    factors = Factors.of(as_design(one_hot([a, a, a])))
    assert factors is not None
    assert set(factors.nesting) == {(1, 0), (2, 0), (2, 1)}
    assert set(factors.finest) == {2}


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_heavy", [0, 6, 1000])
@pytest.mark.parametrize("widest", [0.0, np.inf])
@pytest.mark.parametrize(
    "kind", ["crossed", "saturated", "missing", "equal", "chain", "numeric", "saturated and numeric", "near_nested"]
)
def test_the_preconditioners_are_symmetric_positive_and_know_their_image(
    weighted: bool, fit_intercept: bool, n_heavy: int, widest: float, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparsereg.ridge.preconditioners.choose.MAX_COARSE", n_heavy)
    monkeypatch.setattr("sparsereg.ridge.preconditioners.choose.MAX_CONDITION", widest)
    monkeypatch.setattr("sparsereg.ridge.preconditioners.choose.MIN_LEVEL_CURVATURE", 0.0)
    a, b, c = table()
    X = {
        "crossed": crossed(),
        "saturated": saturated(),
        "missing": one_hot([a, b, a * B + b, c], missing=0.2),
        "equal": one_hot([a, a, b, b]),
        "chain": one_hot([a, a * B + b, c, (a * B + b) * C + c, b]),
        "numeric": beside_numbers(crossed()),
        "near_nested": nearly_nested(),
        "saturated and numeric": beside_numbers(saturated()),
    }[kind]
    s = np.random.default_rng(3).uniform(0.2, 3.0, X.shape[0]) if weighted else None
    system = equations_of(X, s, fit_intercept).system(np.ones(X.shape[0]), 0.3)
    precondition: ReducedSystem = choose_preconditioner(system.equations, system.penalty)(system)
    if kind in ("saturated", "chain"):
        assert isinstance(precondition.inner, SaturatedElimination)
    else:
        assert isinstance(precondition.inner, BlockJacobi if widest else SymmetricSweep)
    overshoots = isinstance(precondition.inner, BlockJacobi)
    require_nearness(precondition, dense_H(X, system), np.inf if overshoots else 1.0)


def require_nearness(precondition: ReducedSystem, H: np.ndarray, furthest: float = 1.0) -> None:
    """Symmetric, positive, right about `H z`, and never too far."""
    applied = [applied_to(e, precondition) for e in np.eye(H.shape[0])]
    M = np.stack([z for z, _ in applied])
    np.testing.assert_allclose(M, M.T, rtol=1e-8, atol=1e-10)
    assert np.linalg.eigvalsh(M).min() > 0
    np.testing.assert_allclose(np.stack([Hz for _, Hz in applied]), M @ H, rtol=1e-8, atol=1e-8)
    assert np.linalg.eigvals(M @ H).real.max() < furthest + 1e-8


def applied_to(g: np.ndarray, precondition: Preconditioner) -> tuple[np.ndarray, np.ndarray]:
    """`(z, H z)`, also from what a preconditioner makes of g in its own unknowns."""
    if not isinstance(precondition, ReducedSystem):
        return precondition.apply(g)
    inside = precondition.restrict(g)
    z, Hz = applied_to(inside, precondition.inner)
    z, rest = precondition.prolong(g, z, inside - Hz)
    return z, g - rest


def test_stronger_penalties_use_a_part_of_the_coarse_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsereg.ridge.preconditioners.choose.MAX_COARSE", 20)
    monkeypatch.setattr("sparsereg.ridge.preconditioners.choose.MAX_CONDITION", 0.0)
    X = beside_numbers(nearly_nested())
    equations = equations_of(X, np.random.default_rng(3).uniform(0.2, 3.0, X.shape[0]), True)
    make = choose_preconditioner(equations, 0.05 * equations.factor)
    sizes = []
    for alpha in (0.05, 20.0, 1e5):
        system = equations.system(np.ones(X.shape[0]), alpha)
        precondition = make(system)
        assert isinstance(precondition.inner, SymmetricSweep)
        sweep = precondition.inner
        sizes.append((len(sweep.system.factors.near_nested), sweep.coarse.penalty.size))
        require_nearness(precondition, dense_H(X, system))
    assert sizes[0][0] == 1
    assert sizes[1][0] == sizes[2][0] == 0
    assert sizes[0][1] > sizes[1][1] > sizes[2][1] >= 2  # numbers stay


def test_subspace_corrections_beat_two_levels_on_crosses() -> None:
    rng = np.random.default_rng(5)
    a, b, c = rng.zipf(1.3, 20_000) % 400, rng.zipf(1.3, 20_000) % 60, rng.integers(0, 30, 20_000)
    X = one_hot([a, b, c, a * 60 + b, b * 30 + c])
    system = NormalEquations(as_design(X), None, True, np.ones(X.shape[1])).system(rng.normal(size=20_000), 1.0)
    made = choose_preconditioner(system.equations, system.penalty)(system)
    copies = conjugate_gradients(system, made, 1e-8, 500)
    two = conjugate_gradients(system, two_level_preconditioner(system), 1e-8, 500)
    assert copies.gradient_norm <= 1e-8
    assert copies.n_iter < 0.6 * two.n_iter


def two_level_preconditioner(system: System) -> TwoLevel:
    from sparsereg.ridge.preconditioners.two_level import HeavyBlock

    return TwoLevel(system, HeavyBlock.of(system.equations, system.penalty))


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("valued", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_dense_gram(real: type, valued: bool, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    X = sp.csr_array((rng.uniform(size=(50, 9)) < 0.4) * (rng.integers(1, 4, (50, 9)) if valued else 1.0)).astype(real)
    X = sp.csr_array(X.multiply(1 - np.outer(X[:, [0]].toarray() != 0, np.arange(9) == 4))).astype(real)
    rows = as_design(X).rows
    s = rng.uniform(size=50) if weighted else None
    position = np.array(
        [[2, 5], [-1, -1], [0, -1], [-1, -1], [3, 5], [1, -1], [-1, -1], [4, -1], [6, -1]], dtype=np.int32
    )
    D = X.toarray().astype(np.float64)
    Z = np.column_stack([D[:, [2, 5, 0, 4, 7]], D[:, 0] + D[:, 4], D[:, 8]])
    expected = Z.T @ (Z if s is None else s[:, None] * Z)
    np.testing.assert_allclose(rows.dense_gram(position, 7, s), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["ones", "valued", "a dense column", "columns"])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gradients_in_one_walk(kind: str, weighted: bool, fit_intercept: bool) -> None:
    rng, X = np.random.default_rng(8), crossed(200)
    X = X[:, np.flatnonzero(rng.uniform(size=X.shape[1]) < 0.8)]
    if kind != "ones":
        X = beside_numbers(X) if kind == "a dense column" else sp.csr_array(X * rng.uniform(1, 2, X.shape[1]))
    s = rng.uniform(0.2, 3.0, 200) if weighted else None
    equations = equations_of(X.tocsc() if kind == "columns" else X, s, fit_intercept)
    y, w = 50.0 + rng.normal(size=200), rng.normal(size=equations.design.n_cols)
    system = equations.system(y, 0.7)
    H = dense_H(X, system)
    Z, weights = X.toarray()[:, equations.design.columns], np.ones(200) if s is None else s
    b = Z.T @ (weights * (y - (np.average(y, weights=weights) if fit_intercept else 0.0)))
    np.testing.assert_allclose(system.gradient(w), b - H @ w, rtol=1e-10, atol=1e-10 * np.linalg.norm(b))

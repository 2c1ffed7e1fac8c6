"""Every penalty in the list against brute force; a new one is one class and one line."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg._core import kernels
from sparsereg.data.design import as_design
from sparsereg.objective.problem import Coefficients, make_problem
from sparsereg.penalties import PENALTIES, Penalty
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path_solver import PathSolver


class Lopsided(Penalty):
    """`g(w) = w` for w > 0 and `3 |w|` for w < 0: the toy of `docs/adding.md`."""

    name = "lopsided"
    ratio: ClassVar[float] = 3.0

    def gauge(self, w):
        return np.where(w > 0.0, w, -self.ratio * w)

    def slope(self, w):
        return np.where(w > 0.0, 1.0, np.where(w < 0.0, -self.ratio, 0.0))

    def dual_magnitude(self, c):
        return np.maximum(c, -c / self.ratio)

    def excess(self, c, l1):
        return np.maximum(c - l1, 0.0) + np.minimum(c + self.ratio * l1, 0.0)


EVERY = [*PENALTIES.values(), Lopsided]
GRID = np.linspace(-20.0, 20.0, 800_001)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.name)
@pytest.mark.parametrize("l2", [0.0, 0.7])
def test_formulas_agree_with_brute_force(kind, l2):
    """The prox minimises on a fine grid, the conjugate is the supremum there, the polar gauge says when 0 is
    optimal."""
    penalty, rng = kind(), np.random.default_rng(0)
    gauge = penalty.gauge(GRID)
    for a, c, l1 in zip(rng.uniform(0.5, 2, 12), rng.normal(size=12) * 3, rng.uniform(0.1, 1, 12), strict=True):
        one = np.array([a]), np.array([c]), np.array([l1]), np.array([l2])
        values = a / 2 * GRID**2 - c * GRID + l1 * gauge + l2 / 2 * GRID**2
        (got,) = penalty.prox(one[1], one[0], one[2], one[3])
        assert got == pytest.approx(GRID[np.argmin(values)], abs=1e-4)
        gradient = np.array([c - a * got])  # at the prox this lies in the subdifferential
        assert penalty.stationarity(np.array([got]), gradient, one[2], one[3])[0] == pytest.approx(0.0, abs=1e-12)
        assert (penalty.dual_magnitude(one[1])[0] <= l1) == (got == 0.0)
        (conjugate,) = penalty.conjugate(one[1], one[2], one[3])
        largest = np.max(c * GRID - l1 * gauge - l2 / 2 * GRID**2)
        assert conjugate == pytest.approx(largest, abs=1e-6) if l2 > 0.0 or got == 0.0 else np.isinf(conjugate)
    assert penalty.stationarity(
        np.array([1.0]), np.array([1.0 + l2 + 0.25]), np.ones(1), np.full(1, l2)
    ) == pytest.approx(0.25)


@pytest.mark.parametrize("kind", PENALTIES.values(), ids=lambda kind: kind.name)
def test_the_kernel_sums_the_same_gap_terms(kind):
    rng = np.random.default_rng(1)
    w, c = rng.normal(size=20) * (rng.random(20) < 0.5), rng.normal(size=20)
    w = np.abs(w) if kind.positive else w
    l1, l2 = rng.uniform(0, 1, 20) * (rng.random(20) < 0.8), rng.uniform(0, 1, 20)
    plain, fast = Penalty.gap_terms(kind(), w, c, l1, l2), kind().gap_terms(w, c, l1, l2)
    np.testing.assert_allclose(fast, plain, rtol=1e-13)
    if kind.kernel is not None:
        (cols,) = w.nonzero()
        rows, cs, scale = np.stack([w[cols], w[cols]]), np.stack([c, c]), np.array([0.5, 1.0])
        np.testing.assert_array_equal(kernels.gap_sums_at(kind.kernel, rows, cols, cs, l1, l2, scale)[1], fast)
        with pytest.raises(kernels.KernelError, match="shapes differ"):
            kernels.gap_sums_at(kind.kernel, rows, cols, cs, l1, l2, scale[:1])


def test_the_registry_of_kernels_and_the_list_agree():
    assert {kind.name: kind.kernel for kind in PENALTIES.values() if kind.kernel is not None} == kernels.PENALTIES
    assert all(name == kind.name for name, kind in PENALTIES.items())


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("factors", [False, True])
def test_a_toy_penalty_is_fitted_with_a_certificate(l1_ratio, factors):
    """Without a kernel: proximal gradient in NumPy. The lasso on (X, -X/3) with non-negative coefficients is the same
    problem."""
    rng = np.random.default_rng(2)
    X = np.hstack([np.eye(6)[rng.integers(0, 6, 150)], rng.normal(size=(150, 4))])
    y = X @ rng.normal(size=10) + rng.normal(size=150)
    v = rng.uniform(0.5, 2.0, 10) if factors else None
    problem = make_problem(as_design(sp.csr_array(X)), y, penalty_factor=v)
    penalty = Lopsided(problem.penalty.l1_factor, problem.penalty.l2_factor)
    problem = replace(problem, quadratic=replace(problem.quadratic, penalty=penalty))
    solver = PathSolver(problem.quadratic, l1_ratio, Options(1e-10, 100_000))
    top = solver.alpha_max()
    assert solver.solve(top).coef.w.size == 0
    found = solver.solve(0.1 * top)
    assert found.dual_gap <= 1e-10 * problem.gap_scale
    assert problem.duality_gap(found.coef, 0.1 * top, l1_ratio) == pytest.approx(
        found.dual_gap, abs=1e-10 * problem.gap_scale
    )
    if l1_ratio == 1.0:
        doubled = make_problem(
            as_design(np.hstack([X, -X / 3.0])), y, penalty_factor=None if v is None else np.tile(v, 2), positive=True
        )
        other = PathSolver(doubled.quadratic, 1.0, Options(1e-10, 100_000)).solve(0.1 * top)
        reached = problem.objective(found.coef, 0.1 * top, 1.0), doubled.objective(other.coef, 0.1 * top, 1.0)
        assert abs(reached[0] - reached[1]) <= 2e-10 * problem.gap_scale
    worse = Coefficients(found.coef.cols, 1.1 * found.coef.w)
    excess = problem.objective(worse, 0.1 * top, l1_ratio) - problem.objective(found.coef, 0.1 * top, l1_ratio)
    assert 0.0 < excess <= problem.duality_gap(worse, 0.1 * top, l1_ratio)

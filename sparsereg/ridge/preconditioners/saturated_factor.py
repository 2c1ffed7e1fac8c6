"""Elimination of a saturated factor: one whose levels determine those of all other factors, as the cells of a map do.

Rows of one level, a *cell*, are equal. Its coefficient occurs in these rows alone, so that the factor's block of H is
diagonal and eliminated exactly. A cell of weight n and penalty p leaves the other columns one row of weight

    n - n (n + p)^-1 n = n p / (n + p) <= p.

The Schur complement is ridge with as many rows as there are cells, and well conditioned: no copy of a main effect is
left in the cells. It is solved by `two_way_elimination` where two crossed factors remain, else by the sweep of
`nested_factors`. The elimination costs a pass over the cells before the iterations and one after them; it is exact, so
that the reduced preconditioner's symmetry and definiteness are those of the whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Cells, FactorCodes, gather_scatter
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.pcg import ReducedSystem
from sparsereg.ridge.preconditioners.coarse_block import CoarseColumns
from sparsereg.ridge.preconditioners.factor_system import FactorSystem
from sparsereg.ridge.preconditioners.factors import Factors, smallest_refinements
from sparsereg.ridge.preconditioners.nested_factors import SymmetricSweep
from sparsereg.ridge.preconditioners.two_level import HeavyBlock
from sparsereg.ridge.preconditioners.two_way_elimination import TwoWayElimination

__all__ = ["SaturatedElimination", "SaturatedFactor"]

Vector = NDArray[np.float64]


class SaturatedFactor:
    """The saturated factor and the other columns, as far as no alpha changes them.

    The cells are sorted by the levels of one of the other factors, so that passes over them read its values in order.

    Attributes
    ----------
    factors, reduced : Factors
        All factors; and the others, whose rows are the cells.
    part : slice
        The cells' place in factor order.
    n, n_others : float64 arrays
        Weights of the cells, and their sums over the other columns.
    """

    def __init__(self, equations: NormalEquations, factors: Factors) -> None:
        (saturated,) = factors.finest
        self.factors, self._first, self.begin = _sorted_cells(factors, saturated)
        self.reduced = _without(self.factors, saturated)
        self.part = self.factors.slices[saturated]
        others = sorted(factors.refinement, key=lambda f: f != self._first)
        self.codes = {f: self.factors.nesting[saturated, f] for f in others}
        self.n = equations.sums[self.factors.order[self.part]]
        self._first_part = self.reduced.slices[self._first]
        self.fit_intercept = equations.fit_intercept
        self.n_others = self.level_sums(self.n)
        empty = HeavyBlock(np.empty(0, dtype=np.int64), np.empty((0, 0)))
        self._coarse = CoarseColumns(self.reduced, empty, np.empty(self.reduced.order.size))

    def others(self, x: NDArray[Any]) -> NDArray[Any]:
        """The entries of the other columns."""
        return np.concatenate([x[: self.part.start], x[self.part.stop :]])

    def joined(self, cells: Vector | float, others: Vector) -> Vector:
        """The vector in factor order with these entries."""
        x = np.empty(self.n.size + others.size)
        x[self.part] = cells
        x[: self.part.start], x[self.part.stop :] = np.split(others, [self.part.start])
        return x

    def reduced_system(self, weights: Vector, sums: Vector, penalty: Vector) -> FactorSystem:
        """The system of the other columns with the cells as rows; `sums` are those of the cells' weights."""
        return FactorSystem(self.reduced, penalty, sums, weights, self.total(sums) if self.fit_intercept else None)

    def preconditioner(self, system: FactorSystem) -> TwoWayElimination | SymmetricSweep:
        """For a `reduced_system`."""
        if len(self.codes) == len(self.reduced.finest) == 2:
            return TwoWayElimination(system, self._first, self.begin)
        return SymmetricSweep(system, self._coarse)

    def total(self, others: Vector) -> float:
        """The sum of a vector over the cells, from its sums over the other columns."""
        return float(others[self._first_part].sum())

    def add_fitted(self, x: Vector, others: Vector, intercept: float = 0.0, s: Vector | None = None) -> None:
        """Add to x, by cell, s times what the other columns and the intercept predict."""
        values = np.append(others, 0.0)
        values[self._first_part] += intercept
        gather_scatter(x, self._by_factor(values), [], s)

    def level_sums(self, x: Vector) -> Vector:
        """The sums over the other columns of a vector over the cells."""
        out = np.zeros(self.reduced.order.size + 1)
        gather_scatter(x, [], self._by_factor(out))
        return out[:-1]

    def cells(self, b: Vector, v: Vector | None) -> Cells:
        """The cells with sums b of a target and penalty factors v."""
        return Cells(self.begin, self.n, b, v)

    def schur_system(
        self, cells: Cells, alpha: float, others: Vector, out: tuple[Vector, Vector]
    ) -> tuple[Vector, Vector]:
        """Weights and residuals of the reduced system: by cell in `out`, and their sums over the other columns.

        See `Cells.schur_system`; `others` are the other columns' coefficients."""
        values = np.zeros((others.size + 1, 3))
        values[:-1, 0] = others
        cells.schur_system(alpha, self._by_factor(values), *out)
        return np.ascontiguousarray(values[:-1, 1]), np.ascontiguousarray(values[:-1, 2])

    def schur_residuals(
        self, cells: Cells, alphas: Vector, values: NDArray[np.float64], intercepts: Vector
    ) -> tuple[Vector, Vector]:
        """Add the reduced residuals at k alphas to `values[:, k:]`, given the other columns' `values[:, :k]`.

        Returns the sum of the residual and `b' t`, t the cells' coefficients; see `Cells.schur_residuals`."""
        first = values[self._first_part, : alphas.size]
        first += intercepts  # each cell has one level of each factor
        sums = cells.schur_residuals(alphas, self._by_factor(values))
        first -= intercepts
        return sums

    def _by_factor(self, x: NDArray[np.float64]) -> list[tuple[FactorCodes, NDArray[np.float64]]]:
        """Each other factor's part of x, and the entry after it, which no cell reads or changes as each has a level."""
        slices = self.reduced.slices
        return [(codes, x[slices[f].start : slices[f].stop + 1]) for f, codes in self.codes.items()]


class SaturatedElimination(ReducedSystem):
    """The reduction of vectors in factor order to the other columns."""

    def __init__(self, saturated: SaturatedFactor, penalty: Vector) -> None:
        self.saturated = saturated
        p = penalty[saturated.part]
        self.inverse = 1.0 / (saturated.n + p)
        self.share = saturated.n * self.inverse
        weights = p * self.share
        sums = saturated.level_sums(weights)
        self.system = saturated.reduced_system(weights, sums, saturated.others(penalty))
        self.inner = saturated.preconditioner(self.system)

    def restrict(self, g: Vector) -> Vector:
        """The reduced right side, with the intercept eliminated."""
        eliminated = self.share * g[self.saturated.part]
        reduced = self.saturated.others(g)
        reduced -= self.saturated.level_sums(eliminated)
        if self.system.weight_sum:
            reduced += self.system.sums * (float(eliminated.sum()) / self.system.weight_sum)
        return reduced

    def prolong(self, g: Vector, step: Vector, rest: Vector) -> tuple[Vector, Vector]:
        """The step of all columns. The cells are solved exactly, so that their gradient is 0."""
        saturated, g_cells = self.saturated, g[self.saturated.part]
        fitted = np.zeros(g_cells.size)
        if self.system.weight_sum:
            total = float(self.share @ g_cells) + float(self.system.sums @ step)
            fitted -= total / self.system.weight_sum
        saturated.add_fitted(fitted, step)
        fitted *= self.share
        cells = np.subtract(self.inverse * g_cells, fitted, out=fitted)
        return saturated.joined(cells, step), saturated.joined(0.0, rest)


def _sorted_cells(factors: Factors, saturated: int) -> tuple[Factors, int, NDArray[np.int64]]:
    """The factors with the cells sorted by one of the others, the one with the fewest descents; which that is, and
    where the cells of each of its levels begin and end."""
    codes = {f: factors.nesting[saturated, f] for f in factors.refinement}
    descents = {f: np.count_nonzero(own.codes[1:] < own.codes[:-1]) for f, own in codes.items()}
    first = min(descents, key=lambda f: descents[f])
    levels, m = codes[first].codes, codes[first].n_levels
    begin = np.zeros(m + 1, dtype=np.int64)
    np.cumsum(np.bincount(levels, minlength=m), out=begin[1:])
    if not descents[first]:
        return factors, first, begin
    at = np.argsort(levels, kind="stable")
    part = factors.slices[saturated]
    order = np.concatenate([factors.order[: part.start], factors.order[part][at], factors.order[part.stop :]])
    nesting = {
        pair: FactorCodes(own.codes[at], own.n_levels) if saturated in pair else own
        for pair, own in factors.nesting.items()
    }
    return replace(factors, order=order, nesting=nesting), first, begin


def _without(factors: Factors, saturated: int) -> Factors:
    """The other factors, in the order that they have here; their rows are the cells."""
    gone = factors.slices[saturated]
    size = gone.stop - gone.start
    slices = [s if s.stop <= gone.start else slice(s.start - size, s.stop - size) for s in factors.slices]
    slices[saturated] = slice(gone.start, gone.start)
    nesting = {pair: codes for pair, codes in factors.nesting.items() if saturated not in pair}
    refined = {coarse for _, coarse in nesting}
    finest = {f: factors.nesting[saturated, f] for f in factors.refinement if f not in refined}
    order = np.arange(factors.order.size - size)
    refinement = smallest_refinements(finest, nesting)
    return Factors(order, slices, finest, nesting, refinement, factors.near_nested, False)

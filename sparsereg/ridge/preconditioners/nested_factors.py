"""A symmetric sweep over the factors of a one-hot design with crosses: block Gauss-Seidel with subspace corrections.

Factors are corrected one after the other, from fine to coarse, then the coarse block, then the factors in reverse. The
columns of one factor share no row, so that its block of H is diagonal and solved exactly, for coarser factors together
with all copies (`subspace_correction`). Every correction minimises the energy over its subspace or, in the coarse
block, over an upper bound of it; the backward half is the adjoint of the forward half. The sweep is therefore symmetric
and positive definite, and no eigenvalue of its product with H exceeds 1 (Xu 1992, "Iterative methods by space
decomposition and subspace correction").

Rows are read through the codes of the finest factors alone. A factor nested in a finest one gets its `X' v` from the
sums of v over that one's levels. The sums of the factor that changed are updated in O(levels): rows are read only where
another finest factor needs to know. An application reads the codes of each finest factor at most seven times.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import gather_scatter
from sparsereg.ridge.pcg import ApproximateInverse
from sparsereg.ridge.preconditioners.coarse_block import CoarseBlock, CoarseColumns
from sparsereg.ridge.preconditioners.factor_system import FactorSystem, add_levels, level_sums
from sparsereg.ridge.preconditioners.subspace_correction import SubspaceCorrection, SweepState

__all__ = ["SymmetricSweep"]

Vector = NDArray[np.float64]


class _RefinedFactor:
    """A factor that is nested in a finest one: its exact solution with all copies, given the rest."""

    def __init__(self, f: int, system: FactorSystem) -> None:
        factors = system.factors
        parents = [(factors.slices[fine], codes) for (fine, coarse), codes in factors.nesting.items() if coarse == f]
        self.correction = SubspaceCorrection.of(factors.slices[f], parents, system.penalty)
        self.inverse = 1.0 / (system.sums[factors.slices[f]] + self.correction.penalty)
        self.codes = factors.nesting[factors.refinement[f], f]

    def solve(self, state: SweepState, q: Vector) -> Vector:
        """The change of `X z` on the levels of the finest factor, from `X' v` there."""
        r, d0 = self.correction.residuals(state, level_sums(self.codes, q))
        d = d0 * self.correction.penalty * self.inverse
        self.correction.distribute(state, r, d0, d)
        out = np.zeros(q.size)
        add_levels(self.codes, d, out)
        return out


class _FinestFactor:
    """A finest factor t, and the coarser ones that are solved through its levels."""

    def __init__(self, t: int, system: FactorSystem, refined: list[int]) -> None:
        self.t, self.part = t, system.factors.slices[t]
        self.curvature = system.sums[self.part]
        self.inverse = 1.0 / (self.curvature + system.penalty[self.part])
        self.refined = [_RefinedFactor(f, system) for f in refined]

    def forward(self, state: SweepState, q: Vector) -> Vector:
        """Correct fine before coarse, from `X' v` on the levels of t; returns the change of `X z` there."""
        change = self._own(state, q)
        for factor in self.refined:
            change += factor.solve(state, q + self.curvature * change)
        return change

    def backward(self, state: SweepState, q: Vector) -> Vector:
        """The same in reverse."""
        change = np.zeros(q.size)
        for factor in reversed(self.refined):
            change += factor.solve(state, q + self.curvature * change)
        change += self._own(state, q + self.curvature * change)
        return change

    def _own(self, state: SweepState, q: Vector) -> Vector:
        step = state.residual(self.part)
        step -= q
        step *= self.inverse
        state.z[self.part] += step
        return step


class _RowVector:
    """`v = S (X z + z0)`, and its sums over the levels of the finest factors as far as they are known.

    The last entry of sums and changes by level is for rows without a level. v itself is updated late, when sums are
    needed that do not follow from the change.
    """

    def __init__(self, system: FactorSystem, curvature: dict[int, Vector], v: Vector) -> None:
        self.system, self.finest, self.curvature, self.v = system, system.factors.finest, curvature, v
        self.known = {t: np.zeros(codes.n_levels + 1) for t, codes in self.finest.items()}
        self.pending: dict[int, Vector] = {}

    def sums(self, wanted: Iterable[int]) -> dict[int, Vector]:
        """The sums over the levels of some finest factors."""
        unknown = {t: np.zeros(self.finest[t].n_levels + 1) for t in wanted if t not in self.known}
        if unknown:
            self.update(unknown)
            self.known |= unknown
        return {t: self.known[t] for t in wanted}

    def add(self, t: int, change: Vector) -> None:
        """Change `X z + z0` by level of t, and with an entry more on the rows without one."""
        self.known = {t: self.known[t]} if t in self.known else {}
        levels = slice(0, change.size)
        for q in self.known.values():
            q[levels] += self.curvature[t][levels] * change
        self.pending.setdefault(t, np.zeros(self.finest[t].n_levels + 1))[levels] += change

    def update(self, unknown: dict[int, Vector]) -> None:
        """Apply the pending changes to v, and add its sums to `unknown`."""
        gather, scatter = ([(self.finest[t], x) for t, x in by.items()] for by in (self.pending, unknown))
        gather_scatter(self.v, gather, scatter, self.system.s)
        self.pending = {}


class SymmetricSweep(ApproximateInverse):
    """The sweep, in factor order. All valued columns are coarse. Memory: a vector over rows, a few over columns."""

    def __init__(self, system: FactorSystem, columns: CoarseColumns) -> None:
        self.system, factors = system, system.factors
        swept = [f for f in (*factors.finest, *factors.refinement) if f not in columns.complete]
        swept.sort(key=lambda f: factors.slices[f].start - factors.slices[f].stop)
        self.finest = []
        for t in sorted(factors.finest, key=lambda t: -factors.finest[t].n_levels):
            refined = [f for f in swept if factors.refinement.get(f) == t]
            if refined or t in swept:
                self.finest.append(_FinestFactor(t, system, refined))
        self.v = np.empty(factors.n_rows)  # reused: first access to new pages would cost as much as a pass
        self.coarse = CoarseBlock(system, columns)
        self.curvature = {}
        for t in factors.finest:
            sums = system.sums[factors.slices[t]]
            without_level = system.weight_sum - sums.sum() if system.weight_sum else 0.0
            self.curvature[t] = np.append(sums, without_level)

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`. All applications use the same v, so that they must not run concurrently."""
        self.v.fill(0.0)
        state = SweepState(g, self.system.penalty, self.v)
        rows = _RowVector(self.system, self.curvature, self.v)
        for factor in self.finest:
            rows.add(factor.t, factor.forward(state, rows.sums([factor.t])[factor.t][:-1]))
        self._solve_coarse(state, rows)
        for factor in reversed(self.finest):
            rows.add(factor.t, factor.backward(state, rows.sums([factor.t])[factor.t][:-1]))
        q = rows.sums(self.system.factors.finest)
        if self.system.valued:
            rows.update({})
        return state.z, self.system.times(state.z, self.v, q)

    def _solve_coarse(self, state: SweepState, rows: _RowVector) -> None:
        q = rows.sums(self.coarse.finest or [next(iter(rows.known))])
        if self.system.valued:
            rows.update({})
            rows.known = {}  # valued columns change v itself
        for t, change in self.coarse.solve(state, q).items():
            rows.add(t, change)

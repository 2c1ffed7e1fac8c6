"""The choice of a preconditioner for ridge's normal equations, from counts alone.

===========================  ==========================================================  ===============================
preconditioner               chosen where                                                because
===========================  ==========================================================  ===============================
two_level                    the design is not one of factors, or a penalty is too weak  it needs no structure
saturated_factor             one factor determines the whole row                         elimination is exact
block_jacobi                 the condition number it leaves is about `MAX_CONDITION`     one pass over rows an iteration
nested_factors, coarse       any other design of factors                                 it converges fastest
===========================  ==========================================================  ===============================

What does not depend on the penalty is prepared once; a path then makes a preconditioner for each of its alphas.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.pcg import Preconditioner
from sparsereg.ridge.preconditioners.block_jacobi import BlockJacobi
from sparsereg.ridge.preconditioners.coarse_block import CoarseColumns, coarse_gram
from sparsereg.ridge.preconditioners.factor_system import FactorSystem, InFactorOrder
from sparsereg.ridge.preconditioners.factors import Factors
from sparsereg.ridge.preconditioners.nested_factors import SymmetricSweep
from sparsereg.ridge.preconditioners.saturated_factor import SaturatedElimination, SaturatedFactor
from sparsereg.ridge.preconditioners.two_level import MIN_CURVATURE_RATIO, HeavyBlock, TwoLevel

__all__ = ["PreconditionerFactory", "choose_preconditioner"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Columns in the coarse block of a sweep, and the share of them for the smallest factors as a whole.
MAX_COARSE = 1_000
COMPLETE_FACTORS = 0.5
# Least penalty as a share of the largest curvature. Below, copies differ by rounding divided by the penalty.
TOO_WEAK = 1e-11
# Curvature of a near-nested factor's levels in units of their penalty, on average.
MIN_LEVEL_CURVATURE = 100.0
# At stronger penalties, columns stay in the coarse block down to this share of the curvature that they need to enter.
KEEP = 0.1
# Block Jacobi: heavy columns have this many times their penalty in curvature.
MIN_JACOBI_RATIO = 0.3
# Block Jacobi is chosen up to this estimate of the condition number.
MAX_CONDITION = 7.0


@dataclass(frozen=True)
class PreconditionerFactory:
    """Makes the preconditioner of a system; `order` is factor order, if the preconditioners use it internally."""

    order: Int | None
    make: Callable[[System], Preconditioner]
    saturated: SaturatedFactor | None = None

    def __call__(self, system: System) -> Preconditioner:
        return self.make(system)


def choose_preconditioner(equations: NormalEquations, least_penalty: Vector) -> PreconditionerFactory:
    """The preconditioners for systems on these equations whose penalties are at least `least_penalty`, by column."""
    factors = None
    if least_penalty.min(initial=np.inf) > TOO_WEAK * equations.diagonal.max(initial=0.0):
        mean_weight = equations.weight_sum / equations.design.n_rows
        factors = Factors.of(equations.design, MIN_LEVEL_CURVATURE * float(np.median(least_penalty)) / mean_weight)
    if factors is None:
        heavy = HeavyBlock.of(equations, least_penalty)
        return PreconditionerFactory(None, lambda system: TwoLevel(system, heavy))
    if not factors.saturated:
        return PreconditionerFactory(factors.order, _Prepared(equations, factors, least_penalty).make)
    saturated = SaturatedFactor(equations, factors)
    all_factors = saturated.factors

    def eliminate(system: System) -> Preconditioner:
        return InFactorOrder(all_factors, SaturatedElimination(saturated, system.penalty[all_factors.order]))

    return PreconditionerFactory(all_factors.order, eliminate, saturated)


class _Prepared:
    """A design of factors, and a coarse block for the least penalty, of which stronger penalties need a part."""

    def __init__(self, equations: NormalEquations, factors: Factors, least_penalty: Vector) -> None:
        self.equations, self.factors = equations, factors
        self.required = _required(equations, factors)
        cols = self._candidates(MIN_JACOBI_RATIO * least_penalty)
        if _condition(equations, cols, least_penalty) > MAX_CONDITION:
            cols = cols[: self._count(cols, MIN_CURVATURE_RATIO * least_penalty)]
        self.block = coarse_gram(equations, factors, cols)
        self.columns: dict[tuple[int, int], CoarseColumns] = {}

    def make(self, system: System) -> Preconditioner:
        """Block Jacobi where the condition number that it leaves is small enough, else the sweep."""
        equations, ordered = self.equations, FactorSystem.of(system, self.factors)
        heavy = self.block.first(self._count(self.block.cols, MIN_JACOBI_RATIO * system.penalty))
        if _condition(equations, heavy.cols, system.penalty) <= MAX_CONDITION:
            curvature = equations.diagonal[self.factors.order]
            return InFactorOrder(self.factors, BlockJacobi(ordered, curvature, heavy))
        factors, heavy = self._kept(system.penalty)
        sizes = heavy.cols.size, len(factors.near_nested)
        if sizes not in self.columns:
            # A path's alphas decrease, so that only the last choice can recur.
            self.columns = {sizes: CoarseColumns(factors, heavy, ordered.sums)}
        return InFactorOrder(factors, SymmetricSweep(replace(ordered, factors=factors), self.columns[sizes]))

    def _candidates(self, least: Vector) -> Int:
        """The required columns, then those with more curvature than `least`, heaviest first."""
        score = np.where(self.equations.diagonal > least, self.equations.diagonal, 0.0)
        score[self.required] = np.inf
        heaviest = np.argsort(-score, kind="stable")[: max(MAX_COARSE, np.count_nonzero(self.required))]
        return heaviest[score[heaviest] > 0.0]

    def _count(self, cols: Int, least: Vector) -> int:
        """How many candidates, the first ones, are required or have more curvature than `least`."""
        return int(np.count_nonzero(self.required[cols] | (self.equations.diagonal[cols] > least[cols])))

    def _kept(self, penalty: Vector) -> tuple[Factors, HeavyBlock]:
        """The near-nested factors and the part of the coarse block that this penalty leaves enough curvature."""
        factors, block = self.factors, self.block
        count = self._count(block.cols, KEEP * MIN_CURVATURE_RATIO * penalty)
        weak = KEEP * MIN_LEVEL_CURVATURE * float(np.median(penalty))
        keep = [near.n_levels * weak <= self.equations.weight_sum for near in factors.near_nested]
        sizes = [near.n_levels for near in factors.near_nested]
        cols = np.arange(block.cols.size) < count
        at = np.flatnonzero(np.concatenate([cols, np.repeat(np.array(keep, dtype=bool), sizes)]))
        if at.size == len(block.gram):
            return factors, block
        factors = replace(factors, near_nested=list(itertools.compress(factors.near_nested, keep)))
        return factors, HeavyBlock(block.cols[:count], block.gram[np.ix_(at, at)])


def _condition(equations: NormalEquations, heavy: Int, penalty: Vector) -> float:
    """An estimate of the condition number that block Jacobi with these heavy columns leaves.

    The largest eigenvalue is about `1 + met`, met the sum over a row's other columns of `n / (n + p)`, n their
    curvature and p their penalty: all of them move together. The least is about `(1 - share) / (1 + share)`, share the
    mean of `n / (n + p)`: a heavy column moves against its refinements, which only their penalty opposes."""
    n = equations.diagonal.copy()
    n[heavy] = 0.0
    light = float(n.sum())
    if not light:
        return 1.0
    met = float(n @ (n / (n + penalty)))
    share = met / light
    return (1.0 + met / equations.weight_sum) * (1.0 + share) / (1.0 - share)


def _required(equations: NormalEquations, factors: Factors) -> Mask:
    """Columns that are in every coarse block: the valued ones, which no sweep corrects, and the smallest factors."""
    sizes = np.array([part.stop - part.start for part in factors.slices])
    by_size = np.argsort(sizes, kind="stable")
    required = np.zeros(equations.design.n_cols, dtype=bool)
    for f in by_size[np.cumsum(sizes[by_size]) <= MAX_COARSE * COMPLETE_FACTORS]:
        required[factors.order[factors.slices[f]]] = True
    required[equations.design.n_ones :] = True
    return required

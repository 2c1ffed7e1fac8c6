"""Which preconditioner a system gets. Knows what each wants of a design, not how they work."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.pcg import Preconditioner
from sparsereg.ridge.preconditioners.block_jacobi import BlockDiagonal
from sparsereg.ridge.preconditioners.coarse_block import Members, border_block
from sparsereg.ridge.preconditioners.factors import Fields
from sparsereg.ridge.preconditioners.nested_factors import NestedSweep
from sparsereg.ridge.preconditioners.saturated_factor import Grouped, GroupedSweep
from sparsereg.ridge.preconditioners.two_level import WORTH, HeavyBlock, TwoLevel

__all__ = ["Preconditioning", "preconditioning"]

Vector = NDArray[np.float64]

# Heavy columns at most beside a sweep that knows of copies, and the share of them for fields as a whole.
MOST_HEAVY = 1_000
WHOLE_FIELDS = 0.5
# Penalties below this share of the largest curvature: what copies take apart, a difference over the penalty, would be rounding.
TOO_WEAK = 1e-11
# A level of a shadow stands for this many times its penalty in curvature at least, on average.
WORTH_A_SHADOW = 100.0
# What is in a border is left out at stronger penalties only where it is not worth this share of that.
STILL = 0.1
# Where heavy columns are solved together and others by themselves, those are worth it from this many times their penalty on; and
# that is done where the spectrum that is left to the iteration is about this wide at most.
WORTH_ALONE = 0.3
WIDEST = 7.0


@dataclass(frozen=True)
class Preconditioning:
    """How systems are preconditioned.

    Attributes
    ----------
    order : int64 array of shape (n_cols,) or None
        The columns field by field, where what is made iterates in that order: an `InFieldOrder`.
    make : callable
    grouped : Grouped or None
        Where one field says all.
    """

    order: NDArray[np.int64] | None
    make: Callable[[System], Preconditioner]
    grouped: Grouped | None = None

    def __call__(self, system: System) -> Preconditioner:
        return self.make(system)


def preconditioning(equations: NormalEquations, least_penalty: Vector) -> Preconditioning:
    """How systems on these equations, of at least this penalty on each column, are preconditioned; what they share is made here.

    By fields where the design consists of them and each column is penalised by more than rounding, else by two levels.
    """
    fields = None
    if least_penalty.min(initial=np.inf) > TOO_WEAK * equations.diagonal.max(initial=0.0):
        mean_weight = equations.weight_sum / equations.design.n_rows
        fields = Fields.of(equations.design, WORTH_A_SHADOW * float(np.median(least_penalty)) / mean_weight)
    if fields is None:
        heavy = HeavyBlock.of(equations, least_penalty)
        return Preconditioning(None, lambda system: TwoLevel(system, heavy))
    if fields.grouped:
        grouped = Grouped(equations, fields)
        return Preconditioning(grouped.all_fields.order, lambda system: GroupedSweep(system, grouped), grouped)
    required = _required(equations, fields)
    cols = _border_columns(equations, required, WORTH_ALONE * least_penalty)
    if _spread(equations, cols, least_penalty) > WIDEST:
        cols = cols[: _kept(equations, required, cols, WORTH * least_penalty)]
    border = border_block(equations, fields, cols)
    members: dict[tuple[int, int], Members] = {}

    def make(system: System) -> Preconditioner:
        alone = border.first(_kept(equations, required, border.cols, WORTH_ALONE * system.penalty))
        if _spread(equations, alone.cols, system.penalty) <= WIDEST:
            return BlockDiagonal(system, fields, alone)
        worth, heavy = _still_worth(equations, fields, required, border, system.penalty)
        kind = heavy.cols.size, len(worth.shadows)
        if kind not in members:
            members.clear()  # strengths come in order: only the last is met again
            members[kind] = Members(worth, heavy, equations.sums[fields.order])
        return NestedSweep(system, worth, members[kind])

    return Preconditioning(fields.order, make)


def _spread(equations: NormalEquations, heavy: NDArray[np.int64], penalty: Vector) -> float:
    """About how far apart the eigenvalues are where heavy columns are solved together and others by themselves.

    The largest: where all other columns of a row move together, what each has of the curvature beside its penalty adds up. The least:
    where a heavy column moves one way and those that make it up the other, only the penalty of these holds them."""
    n = equations.diagonal.copy()
    n[heavy] = 0.0
    light = float(n.sum())
    if not light:
        return 1.0
    met = float(n @ (n / (n + penalty)))
    share = met / light
    return (1.0 + met / equations.weight_sum) * (1.0 + share) / (1.0 - share)


def _required(equations: NormalEquations, fields: Fields) -> NDArray[np.bool_]:
    """The columns that belong in any border: the smallest fields as a whole, which spares the sweep of them, and valued columns,
    which are solved for nowhere else."""
    sizes = np.array([part.stop - part.start for part in fields.parts])
    by_size = np.argsort(sizes, kind="stable")
    required = np.zeros(equations.design.n_cols, dtype=bool)
    for f in by_size[np.cumsum(sizes[by_size]) <= MOST_HEAVY * WHOLE_FIELDS]:
        required[fields.order[fields.parts[f]]] = True
    required[equations.design.n_ones :] = True
    return required


def _border_columns(equations: NormalEquations, required: NDArray[np.bool_], least: Vector) -> NDArray[np.int64]:
    """The required columns first, and of the others those with at least so much curvature, the heaviest first."""
    score = np.where(equations.diagonal > least, equations.diagonal, 0.0)
    score[required] = np.inf
    heaviest = np.argsort(-score, kind="stable")[: max(MOST_HEAVY, np.count_nonzero(required))]
    return heaviest[score[heaviest] > 0.0]


def _kept(equations: NormalEquations, required: NDArray[np.bool_], cols: NDArray[np.int64], least: Vector) -> int:
    """How many of a border's columns are required or have at least so much curvature: its first ones."""
    return int(np.count_nonzero(required[cols] | (equations.diagonal[cols] > least[cols])))


def _still_worth(
    equations: NormalEquations,
    fields: Fields,
    required: NDArray[np.bool_],
    border: HeavyBlock,
    penalty: Vector,
) -> tuple[Fields, HeavyBlock]:
    """What of the shadows and of a border that were made for the least penalty is worth its factor at this one."""
    kept = _kept(equations, required, border.cols, STILL * WORTH * penalty)
    if not fields.shadows:
        return fields, border.first(kept)
    weak = STILL * WORTH_A_SHADOW * float(np.median(penalty))
    worth = [shadow.m * weak <= equations.weight_sum for shadow in fields.shadows]
    sizes = [shadow.m for shadow in fields.shadows]
    cols = np.arange(border.cols.size) < kept
    at = np.flatnonzero(np.concatenate([cols, np.repeat(np.array(worth, dtype=bool), sizes)]))
    if at.size == len(border.gram):
        return fields, border
    fields = replace(fields, shadows=list(itertools.compress(fields.shadows, worth)))
    return fields, HeavyBlock(border.cols[:kept], border.gram[np.ix_(at, at)])

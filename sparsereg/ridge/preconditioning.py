"""Which preconditioner a system gets. Knows what each wants of a design, not how they work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.border import border_block
from sparsereg.ridge.cg import Preconditioner
from sparsereg.ridge.fields import Fields
from sparsereg.ridge.grouped import GroupedSweep
from sparsereg.ridge.nested import NestedSweep
from sparsereg.ridge.precondition import WORTH, HeavyBlock, TwoLevel
from sparsereg.ridge.system import NormalEquations, System

__all__ = ["preconditioning"]

Vector = NDArray[np.float64]

# Heavy columns at most beside a sweep that knows of copies, and the share of them for fields as a whole.
MOST_HEAVY = 1_000
WHOLE_FIELDS = 0.5
# Penalties below this share of the largest curvature: what copies take apart, a difference over the penalty, would be rounding.
TOO_WEAK = 1e-11
# A level of a shadow stands for this many times its penalty in curvature at least, on average.
WORTH_A_SHADOW = 100.0


def preconditioning(equations: NormalEquations, least_penalty: Vector) -> Callable[[System], Preconditioner]:
    """How systems on these equations, of at least this penalty on each column, are preconditioned; what they share is made here.

    By fields where the design consists of them and each column is penalised by more than rounding, else by two levels.
    """
    fields = None
    if least_penalty.min(initial=np.inf) > TOO_WEAK * equations.diagonal.max(initial=0.0):
        mean_weight = equations.weight_sum / equations.design.n_rows
        fields = Fields.of(equations.design, WORTH_A_SHADOW * float(np.median(least_penalty)) / mean_weight)
    if fields is None:
        heavy = HeavyBlock.of(equations, least_penalty)
        return lambda system: TwoLevel(system, heavy)
    if fields.grouped:
        return lambda system: GroupedSweep(system, fields)
    border = border_block(equations, fields, _border_columns(equations, fields, least_penalty))
    return lambda system: NestedSweep(system, fields, border)


def _border_columns(equations: NormalEquations, fields: Fields, least_penalty: Vector) -> NDArray[np.int64]:
    """The smallest fields as a whole, which spares the sweep of them, and of the other columns the heaviest that are worth it."""
    sizes = np.array([part.stop - part.start for part in fields.parts])
    by_size = np.argsort(sizes, kind="stable")
    whole = by_size[np.cumsum(sizes[by_size]) <= MOST_HEAVY * WHOLE_FIELDS]
    score = np.where(equations.diagonal > WORTH * least_penalty, equations.diagonal, 0.0)
    for f in whole:
        score[fields.order[fields.parts[f]]] = np.inf
    score[equations.design.n_ones :] = np.inf  # valued columns are solved for nowhere else
    heaviest = np.argsort(-score, kind="stable")[: max(MOST_HEAVY, np.count_nonzero(np.isinf(score)))]
    return np.sort(heaviest[score[heaviest] > 0.0])

"""A preconditioner for one-hot designs in which one field says all: rows of one level are the same row, as points in one cell of a
map are. Knows the fields and the normal equations, not the iteration.

That field, the top, is eliminated exactly. A level c of weight n_c and penalty p_c leaves the others a row of weight
`n_c p_c / (n_c + p_c)`, at most p_c: what is left has as many rows as the top has levels, no copies to speak of, and is
well conditioned. A few sweeps solve it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.copies import Rows, State, summed
from sparsereg.ridge.fields import Fields, hosts
from sparsereg.ridge.nested import Sweep, scattered
from sparsereg.ridge.precondition import HeavyBlock
from sparsereg.ridge.system import System

__all__ = ["GroupedSweep"]

Vector = NDArray[np.float64]


class GroupedSweep:
    """An approximation of `H^-1` for an all-ones design whose fields are grouped by one of them, each column penalised.

    Parameters
    ----------
    system : System
        With positive penalties only.
    fields : Fields
        Grouped.
    """

    def __init__(self, system: System, fields: Fields) -> None:
        equations, self.order = system.equations, fields.order
        (self.top,) = fields.tops
        self.part = fields.parts[self.top]
        self.penalty = system.penalty[self.order]
        self.sums = equations.design.column_stats(equations.s)[0][self.order]
        self.weight_sum = equations.weight_sum if equations.fit_intercept else None
        n, p = self.sums[self.part], self.penalty[self.part]
        self.inverse = 1.0 / (n + p)
        self.levels = {f: fields.nested[self.top, f] for f in fields.host}
        weights = n * p * self.inverse
        rows = Rows(n.size, weights, float(weights.sum()) if equations.fit_intercept else None)
        sums = np.zeros(self.penalty.size)
        for f, levels in self.levels.items():
            sums[fields.parts[f]] = summed(levels, weights)
        self.parts = fields.parts
        none = HeavyBlock(np.empty(0, dtype=np.int64), np.empty((0, 0)))
        self.sweep = Sweep(_without_top(fields, self.top), self.penalty, sums, rows, none)

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`."""
        g = g[self.order]
        n, p = self.sums[self.part], self.penalty[self.part]
        top = g[self.part] * self.inverse  # what the top would be, were the others 0
        met = n * top
        met_by = {f: summed(levels, met) for f, levels in self.levels.items()}
        for f, values in met_by.items():
            g[self.parts[f]] -= values
        state = State(g, self.penalty, n.size, -float(met.sum()))
        Hz = self.sweep.solve(state)
        z = state.z
        v = state.v  # n p / (n + p) times what the others and the intercept come to
        z[self.part] = top - v / p
        v += met  # S (X z + z0) by level, top and all
        for f, values in met_by.items():
            Hz[self.parts[f]] += values
        Hz[self.part] = v
        if self.weight_sum:
            Hz -= self.sums * (float(v.sum()) / self.weight_sum)
        Hz += self.penalty * z
        return scattered(self.order, z), scattered(self.order, Hz)


def _without_top(fields: Fields, top: int) -> Fields:
    """The other fields; their rows are the levels of the top."""
    nested = {pair: levels for pair, levels in fields.nested.items() if top not in pair}
    refined = {coarse for _, coarse in nested}
    tops = {f: fields.nested[top, f] for f in fields.host if f not in refined}
    return replace(fields, tops=tops, nested=nested, host=hosts(tops, nested), grouped=False)

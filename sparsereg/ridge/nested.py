"""A preconditioner for one-hot designs with crosses. Knows the fields and the normal equations, not the iteration.

A symmetric sweep goes over the fields, from fine to coarse, each solved exactly with its copies; in its middle stands the border.
Only tops are met on the rows: what a coarser field has of the residual follows from the levels of the top that hosts it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from sparsereg._core import Levels, exchange
from sparsereg.ridge.border import Border
from sparsereg.ridge.copies import Copies, Rows, State, spread, summed
from sparsereg.ridge.fields import Fields
from sparsereg.ridge.precondition import HeavyBlock
from sparsereg.ridge.system import System

__all__ = ["NestedSweep", "Sweep"]

Vector = NDArray[np.float64]


class _Coarse:
    """A field that is no top: its exact solution with all its copies, given the rest."""

    def __init__(self, f: int, fields: Fields, penalty: Vector, curvature: Vector) -> None:
        held = [(fields.parts[fine], levels) for (fine, coarse), levels in fields.nested.items() if coarse == f]
        self.copies = Copies.of(fields.parts[f], held, penalty)
        self.inverse = 1.0 / (curvature[fields.parts[f]] + self.copies.stiffness)
        self.levels = fields.nested[fields.host[f], f]

    def solve(self, state: State, q_host: Vector) -> Vector:
        """The step of the field as the levels of its host feel it."""
        r, pull = self.copies.pulled(state, summed(self.levels, q_host))
        d = pull * self.copies.stiffness * self.inverse
        self.copies.move(state, r, pull, d)
        out = np.zeros(q_host.size)
        spread(self.levels, d, out)
        return out


class _Top:
    """A field that the rows are met through, and the coarser ones that it hosts."""

    def __init__(self, t: int, fields: Fields, penalty: Vector, curvature: Vector, hosted: list[int]) -> None:
        self.field, self.part, self.levels = t, fields.parts[t], fields.tops[t]
        self.curvature = curvature[self.part]
        self.inverse = 1.0 / (self.curvature + penalty[self.part])
        self.hosted = [_Coarse(f, fields, penalty, curvature) for f in hosted]

    def forward(self, state: State, q: Vector) -> Vector:
        """One visit, fine before coarse; q is `X' v` on the levels of this field. Returns the change of `X z` by level."""
        change = self._own(state, q)
        for coarse in self.hosted:
            change += coarse.solve(state, q + self.curvature * change)
        return np.append(change, 0.0)

    def backward(self, state: State, q: Vector) -> Vector:
        """The same in reverse."""
        change = np.zeros(q.size)
        for coarse in reversed(self.hosted):
            change += coarse.solve(state, q + self.curvature * change)
        change += self._own(state, q + self.curvature * change)
        return np.append(change, 0.0)

    def visited(self, q: Vector, change: Vector) -> tuple[list[tuple[Levels, Vector]], dict[int, Vector]]:
        """What to give to v, and what this field will have of it then, q being what it had before."""
        q[:-1] += self.curvature * change[:-1]
        return [(self.levels, change)], {self.field: q}

    def _own(self, state: State, q: Vector) -> Vector:
        step = state.rest(self.part)
        step -= q
        step *= self.inverse
        state.z[self.part] += step
        return step


class Sweep:
    """The symmetric sweep itself, on vectors in the order of the fields.

    Parameters
    ----------
    fields : Fields
    penalty, sums : float64 arrays of shape (n_cols,), field by field
        `sums` is `X' s`, which for all-ones columns is their curvature too.
    rows : Rows
    heavy : HeavyBlock
    """

    def __init__(self, fields: Fields, penalty: Vector, sums: Vector, rows: Rows, heavy: HeavyBlock) -> None:
        self.fields, self.penalty, self.rows = fields, penalty, rows
        in_border = np.isin(fields.order, heavy.cols)
        swept = [f for f in (*fields.tops, *fields.host) if not in_border[fields.parts[f]].all()]
        swept.sort(key=lambda f: -_size(fields.parts[f]))
        self.tops = []
        for t in sorted(fields.tops, key=lambda t: -fields.tops[t].m):
            hosted = [f for f in swept if fields.host.get(f) == t]
            if hosted or t in swept:
                self.tops.append(_Top(t, fields, penalty, sums, hosted))
        self.border = Border(fields, penalty, heavy, sums, rows)

    def solve(self, state: State) -> Vector:
        """Brings z near the solution of `H z = g`; returns `X' v`, field by field."""
        give: list[tuple[Levels, Vector]] = []
        known: dict[int, Vector] = {}
        for top in self.tops:
            q = np.zeros(top.levels.m + 1)
            if give:  # else v is 0 still
                exchange(state.v, give, [(top.levels, q)], self.rows.s)
            give, known = top.visited(q, top.forward(state, q[:-1]))
        change = self.border.solve(state, self._taken(state, give, self.border.met, known))
        give, known = [(self.fields.tops[t], values) for t, values in change.items()], {}
        for top in reversed(self.tops):
            q = np.zeros(top.levels.m + 1)
            exchange(state.v, give, [(top.levels, q)], self.rows.s)
            give, known = top.visited(q, top.backward(state, q[:-1]))
        out = self._collected(self._taken(state, give, list(self.fields.tops), known))
        if self.rows.valued:
            X, cols = self.rows.valued
            out[self.fields.n_levels :] = X.rmatvec(state.v, cols)
        return out

    def _taken(
        self, state: State, give: list[tuple[Levels, Vector]], wanted: list[int], known: dict[int, Vector]
    ) -> dict[int, Vector]:
        """`X' v` on the levels of some tops, once `give` is in v; read from the rows where it is not known."""
        q = {t: known[t] if t in known else np.zeros(self.fields.tops[t].m + 1) for t in wanted}
        take = [(self.fields.tops[t], values) for t, values in q.items() if t not in known]
        exchange(state.v, give, take, self.rows.s)
        return q

    def _collected(self, q: dict[int, Vector]) -> Vector:
        out = np.zeros(self.penalty.size)
        for t, values in q.items():
            out[self.fields.parts[t]] = values[:-1]
        for f, host in self.fields.host.items():
            out[self.fields.parts[f]] = summed(self.fields.nested[host, f], q[host][:-1])
        return out


class NestedSweep:
    """An approximation of `H^-1` for a design of fields and a few valued columns, each penalised.

    Each application reads the tops of each row seven times at most; a pass over X reads all fields once. Memory: a vector of length n and
    a few of length n_cols while it is applied, a few of length n_cols to keep, the fields' own and the factor of the heavy block.

    Parameters
    ----------
    system : System
        With positive penalties only.
    fields : Fields
        Of the same design.
    heavy : HeavyBlock
        What `border_block` gives, with all valued columns in it.
    """

    def __init__(self, system: System, fields: Fields, heavy: HeavyBlock) -> None:
        equations, self.order = system.equations, fields.order
        self.penalty = system.penalty[self.order]
        self.sums = equations.design.matrix.column_stats(equations.s)[0][self.order]
        X, weight_sum = equations.design.matrix, equations.weight_sum if equations.fit_intercept else None
        valued = (X, np.arange(X.n_ones, X.shape[1])) if X.n_ones < X.shape[1] else None
        self.rows = Rows(equations.design.n_rows, equations.s, weight_sum, valued)
        self.sweep = Sweep(fields, self.penalty, self.sums, self.rows, heavy)

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`, all field by field."""
        state = State(g, self.penalty, self.rows.n)
        Hz = self.sweep.solve(state)
        if self.rows.weight_sum:
            Hz = daxpy(self.sums, Hz, a=-float(state.v.sum()) / self.rows.weight_sum)
        Hz += self.penalty * state.z
        return state.z, Hz


def _size(part: slice) -> int:
    return int(part.stop - part.start)

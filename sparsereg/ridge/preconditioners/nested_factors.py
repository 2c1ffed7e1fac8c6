"""A preconditioner for one-hot designs with crosses. Knows the fields and the normal equations, not the iteration.

A symmetric sweep goes over the fields, from fine to coarse, each solved exactly with its copies; in its middle stands the border.
Only tops are met on the rows: what a coarser field has of the residual follows from the levels of the top that hosts it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Levels, exchange
from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.pcg import ApproximateInverse, Preconditioner, ReducedSystem
from sparsereg.ridge.preconditioners.coarse_block import Border, Members
from sparsereg.ridge.preconditioners.factors import Fields
from sparsereg.ridge.preconditioners.subspace_correction import Copies, Rows, State, spread, summed

__all__ = ["InFieldOrder", "NestedSweep", "Sweep", "collected", "rows_of", "scattered"]

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
        self.t, self.part = t, fields.parts[t]
        self.curvature = curvature[self.part]
        self.inverse = 1.0 / (self.curvature + penalty[self.part])
        self.hosted = [_Coarse(f, fields, penalty, curvature) for f in hosted]

    def forward(self, state: State, q: Vector) -> Vector:
        """One visit, fine before coarse; q is `X' v` on the levels of this field. Returns the change of `X z` by level."""
        change = self._own(state, q)
        for coarse in self.hosted:
            change += coarse.solve(state, q + self.curvature * change)
        return change

    def backward(self, state: State, q: Vector) -> Vector:
        """The same in reverse."""
        change = np.zeros(q.size)
        for coarse in reversed(self.hosted):
            change += coarse.solve(state, q + self.curvature * change)
        change += self._own(state, q + self.curvature * change)
        return change

    def _own(self, state: State, q: Vector) -> Vector:
        step = state.rest(self.part)
        step -= q
        step *= self.inverse
        state.z[self.part] += step
        return step


class _Met:
    """v, and what the tops have of it: `X' v` by level, the last entry for rows without a level.

    Rows are read only where a top has not been told of a change: what it changes itself, and what is 0, it knows.
    """

    def __init__(self, tops: dict[int, Levels], curvature: dict[int, Vector], v: Vector, s: Vector | None) -> None:
        self.tops, self.curvature, self.v, self.s = tops, curvature, v, s
        self.known = {t: np.zeros(levels.m + 1) for t, levels in tops.items()}
        self.pending: dict[int, Vector] = {}

    def take(self, wanted: Iterable[int]) -> dict[int, Vector]:
        """`X' v` on the levels of some tops."""
        stale = {t: np.zeros(self.tops[t].m + 1) for t in wanted if t not in self.known}
        if stale:
            self.settle(stale)
            self.known |= stale
        return {t: self.known[t] for t in wanted}

    def give(self, t: int, change: Vector) -> None:
        """Changes `X z + z0` by level, or, with an entry more, on the other rows too."""
        self.known = {t: self.known[t]} if t in self.known else {}
        here = slice(0, change.size)
        for q in self.known.values():
            q[here] += self.curvature[t][here] * change
        self.pending.setdefault(t, np.zeros(self.tops[t].m + 1))[here] += change

    def settle(self, stale: dict[int, Vector]) -> None:
        """Brings v up to date, and adds up what some tops have of it."""
        give, take = ([(self.tops[t], x) for t, x in by_top.items()] for by_top in (self.pending, stale))
        exchange(self.v, give, take, self.s)
        self.pending = {}


class Sweep(ApproximateInverse):
    """The symmetric sweep itself, an approximation of `H^-1` on vectors in the order of the fields.

    Parameters
    ----------
    fields : Fields
    penalty, sums : float64 arrays of shape (n_cols,), field by field
        `sums` is `X' s`, which for all-ones columns is their curvature too.
    rows : Rows
    members : Members
        Of the border.
    """

    def __init__(self, fields: Fields, penalty: Vector, sums: Vector, rows: Rows, members: Members) -> None:
        self.fields, self.penalty, self.sums, self.rows = fields, penalty, sums, rows
        swept = [f for f in (*fields.tops, *fields.host) if f not in members.whole]
        swept.sort(key=lambda f: -_size(fields.parts[f]))
        self.tops = []
        for t in sorted(fields.tops, key=lambda t: -fields.tops[t].m):
            hosted = [f for f in swept if fields.host.get(f) == t]
            if hosted or t in swept:
                self.tops.append(_Top(t, fields, penalty, sums, hosted))
        self.v = np.empty(rows.n)  # the same room each time: a new one would have to be found by the system first
        self.border = Border(fields, penalty, members, rows)
        self.curvature = {t: _with_the_rest(sums[fields.parts[t]], rows.weight_sum) for t in fields.tops}

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`. One application at a time: they share v."""
        self.v.fill(0.0)
        state = State(g, self.penalty, self.v)
        Hz = self._solve(state)
        Hz += self.penalty * state.z
        return state.z, Hz

    def _solve(self, state: State) -> Vector:
        """Brings z near the solution of `H z = g`; returns `Xc' v`, field by field."""
        met = _Met(self.fields.tops, self.curvature, state.v, self.rows.s)
        for top in self.tops:
            met.give(top.t, top.forward(state, met.take([top.t])[top.t][:-1]))
        self._solve_border(state, met)
        for top in reversed(self.tops):
            met.give(top.t, top.backward(state, met.take([top.t])[top.t][:-1]))
        out = collected(self.fields, q := met.take(self.fields.tops), self.penalty.size)
        if self.rows.valued:
            X, cols = self.rows.valued
            met.settle({})
            out[self.fields.n_levels :] = X.rmatvec(state.v, cols)
        if self.rows.weight_sum:
            out -= self.sums * (float(next(iter(q.values())).sum()) / self.rows.weight_sum)
        return out

    def _solve_border(self, state: State, met: _Met) -> None:
        q = met.take(self.border.met or [next(iter(met.known))])
        if self.rows.valued:
            met.settle({})
            met.known = {}
        for t, change in self.border.solve(state, q).items():
            met.give(t, change)


class InFieldOrder(ReducedSystem):
    """A preconditioner of vectors in the order of the fields, for those in the order of the columns."""

    def __init__(self, fields: Fields, inner: Preconditioner) -> None:
        self.order, self.inner = fields.order, inner

    def restrict(self, g: Vector) -> Vector:
        """g in the order of the fields."""
        return g[self.order]

    def prolong(self, _g: Vector, step: Vector, rest: Vector) -> tuple[Vector, Vector]:
        """Both in the order of the columns."""
        return scattered(self.order, step), scattered(self.order, rest)

    def in_factor_order(self) -> Preconditioner:
        """The preconditioner in that order."""
        return self.inner


class NestedSweep(InFieldOrder):
    """A sweep for a design of fields and a few valued columns, each penalised, in the order of the fields.

    Each application reads the tops of each row seven times at most; a pass over X reads all fields once. Memory: a vector of length n and
    a few of length n_cols while it is applied, a few of length n_cols to keep, the fields' own and the factor of the heavy block.

    Parameters
    ----------
    system : System
        With positive penalties only.
    fields : Fields
        Of the same design.
    members : Members
        Of a border with all valued columns in it.
    """

    def __init__(self, system: System, fields: Fields, members: Members) -> None:
        equations, order = system.equations, fields.order
        inner = Sweep(fields, system.penalty[order], equations.sums[order], rows_of(equations), members)
        super().__init__(fields, inner)


def rows_of(equations: NormalEquations) -> Rows:
    """The rows of a design of fields."""
    design, weight_sum = equations.design, equations.weight_sum if equations.fit_intercept else None
    valued = (design.matrix, np.arange(design.n_ones, design.n_cols)) if design.n_ones < design.n_cols else None
    return Rows(design.n_rows, equations.s, weight_sum, valued)


def collected(fields: Fields, q: dict[int, Vector], n_cols: int) -> Vector:
    """`X' v` in the order of the fields, from that on the tops' levels; 0 for valued columns."""
    out = np.zeros(n_cols)
    for t, values in q.items():
        out[fields.parts[t]] = values[:-1]
    for f, host in fields.host.items():
        out[fields.parts[f]] = summed(fields.nested[host, f], q[host][:-1])
    return out


def scattered(order: NDArray[np.int64], x: Vector) -> Vector:
    """From the order of the fields to that of the columns."""
    out = np.empty(x.size)
    out[order] = x
    return out


def _with_the_rest(curvature: Vector, weight_sum: float | None) -> Vector:
    """By level, and of the rows without one; these are moved by the intercept only."""
    return np.append(curvature, weight_sum - curvature.sum() if weight_sum else 0.0)


def _size(part: slice) -> int:
    return int(part.stop - part.start)

"""A preconditioner for one-hot designs with crosses. Knows the fields and the normal equations, not the iteration.

A main effect is the sum of its crosses: `x_a = sum_b x_ab = sum_c x_ac`. A function of the level a can be written in the
columns a, ab or ac at no cost but the penalty's, and sweeping over columns or fields moves it from one to another at a
rate of penalty / count. So wherever a field or a column is solved for, its *copies* are solved for with it: besides the
coefficient of a, one number added to those of all ab, and one to those of all ac. Copies meet the data in the same column
x_a and add up there, so a copy costs nothing but its penalty, `pi_m = sum of the penalties of the columns that it moves`:

    min over c  of  1/2 (sum_m c_m)^2 |x_a|^2 + 1/2 sum_m pi_m c_m^2 - sum_m r_m c_m

has the one unknown `d = sum_m c_m`, of stiffness `1 / sum_m 1 / pi_m`.

A symmetric sweep goes over the fields, from fine to coarse, with copies; in its middle stand the *heavy* columns, all at once
and exactly, with their copies, and the intercept. Only tops are met on the rows: what a coarser field has of the residual
follows from the levels of the top that hosts it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core import Levels, Matrix, exchange
from sparsereg.ridge.fields import Fields
from sparsereg.ridge.precondition import HeavyBlock, factorised
from sparsereg.ridge.system import System

__all__ = ["NestedSweep", "Rows", "State", "Sweep", "scattered", "spread", "summed"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """What a sweep knows of the rows: how many, their weights (None: all one) and, with an intercept, the sum of those; and
    X with its columns of other values than 1, if it has any."""

    n: int
    s: Vector | None
    weight_sum: float | None
    valued: tuple[Matrix, NDArray[np.int64]] | None = None


class State:
    """One application under way: g and z field by field, `v = S (X z + z0)` on the rows; g0 and z0 are the intercept's."""

    def __init__(self, g: Vector, penalty: Vector, n_rows: int, g0: float = 0.0) -> None:
        self.g, self.penalty, self.g0 = g, penalty, g0
        self.z, self.v = np.zeros(g.size), np.zeros(n_rows)

    def rest(self, part: slice) -> Vector:
        """What the right side and the penalty leave to a field, the data aside."""
        left = self.penalty[part] * self.z[part]
        return np.subtract(self.g[part], left, out=left)


def summed(levels: Levels, x: Vector) -> Vector:
    """The sum of x within each level."""
    out = np.zeros(levels.m + 1)
    exchange(x, [], [(levels, out)])
    return out[:-1]


def spread(levels: Levels, x: Vector, onto: Vector) -> None:
    """Adds to each entry of `onto` what its level has in x."""
    exchange(onto, [(levels, np.append(x, 0.0))], [])


@dataclass(frozen=True)
class _Copies:
    """A field, or some columns of it, with the copies that finer fields hold of them.

    `at`: their places in the design's order. `held`: for each finer field its part and, of each of its levels, the copy
    that moves it. `pi`: the copies' penalties, the columns' own first.
    """

    at: slice | NDArray[np.int64]
    held: list[tuple[slice, Levels]]
    pi: list[Vector]
    stiffness: Vector

    @classmethod
    def of(cls, at: slice | NDArray[np.int64], held: list[tuple[slice, Levels]], penalty: Vector) -> _Copies:
        pi = [penalty[at], *(summed(levels, penalty[part]) for part, levels in held)]
        return cls(at, held, pi, 1.0 / np.sum([1.0 / one for one in pi], axis=0))

    def pulled(self, state: State, q: Vector) -> tuple[list[Vector], Vector]:
        """The right side of each copy, q being what the columns have of the data; and the pull on their sum."""
        own = state.g[self.at] - state.penalty[self.at] * state.z[self.at] - q
        r = [own, *(summed(levels, state.rest(part)) - q for part, levels in self.held)]
        pull: Vector = np.sum([one / pi for one, pi in zip(r, self.pi, strict=True)], axis=0)
        return r, pull

    def move(self, state: State, r: list[Vector], pull: Vector, d: Vector) -> None:
        """Takes d apart into the copies."""
        multiplier = (d - pull) * self.stiffness
        own, *others = ((one + multiplier) / pi for one, pi in zip(r, self.pi, strict=True))
        state.z[self.at] += own
        for (part, levels), c in zip(self.held, others, strict=True):
            spread(levels, c, state.z[part])


class _Coarse:
    """A field that is no top: its exact solution with all its copies, given the rest."""

    def __init__(self, f: int, fields: Fields, penalty: Vector, curvature: Vector) -> None:
        held = [(fields.parts[fine], levels) for (fine, coarse), levels in fields.nested.items() if coarse == f]
        self.copies = _Copies.of(fields.parts[f], held, penalty)
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
        self.part, self.levels = fields.parts[t], fields.tops[t]
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

    def _own(self, state: State, q: Vector) -> Vector:
        step = state.rest(self.part)
        step -= q
        step *= self.inverse
        state.z[self.part] += step
        return step


class _Border:
    """The heavy columns with their copies, and the intercept: solved exactly, but for copies of copies counted twice."""

    def __init__(self, fields: Fields, penalty: Vector, heavy: HeavyBlock, sums: Vector, rows: Rows) -> None:
        self.fields, self.rows, self.weight_sum = fields, rows, rows.weight_sum
        k = heavy.cols.size
        place = np.full(penalty.size, -1)
        place[heavy.cols] = np.arange(k)
        place = place[fields.order]
        self.groups = []
        self.ids = []
        shared = (place >= 0).astype(np.float64)
        chosen = []
        for f, part in enumerate(fields.parts):
            at = np.flatnonzero(place[part] >= 0)
            if not at.size:
                continue
            number = np.full(part.stop - part.start, at.size, dtype=np.int32)
            number[at] = np.arange(at.size)
            held = []
            for (fine, coarse), levels in fields.nested.items():
                if coarse == f:
                    own = Levels(number[levels.codes], at.size)
                    held.append((fine, own))
                    shared[fields.parts[fine]] += own.codes < at.size
            chosen.append((f, at, held))
        # P'P <= diag(P' shared) for the copies' 0/1 matrix P: copies that move the same columns are never thought independent.
        for f, at, held in chosen:
            copies = _Copies.of(
                at + fields.parts[f].start, [(fields.parts[fine], own) for fine, own in held], penalty * shared
            )
            self.groups.append((f, at, dict(held), copies))
            self.ids.append(place[fields.parts[f]][at])
        self.valued = np.flatnonzero(place[fields.n_levels :] >= 0) + fields.n_levels
        self.valued_ids, self.valued_penalty = place[self.valued], penalty[self.valued]
        self.sums = np.zeros(k)
        self.sums[place[place >= 0]] = sums[place >= 0]
        stiffness = np.zeros(k)
        stiffness[self.valued_ids] = self.valued_penalty
        for ids, (_, _, _, copies) in zip(self.ids, self.groups, strict=True):
            stiffness[ids] = copies.stiffness
        self.factor = factorised(heavy.gram, stiffness) if k else None
        self.stiffness = stiffness

    def solve(self, state: State, q: dict[int, Vector]) -> dict[int, Vector]:
        """From `X' v` on the tops' levels to the change of `X z + intercept` on them."""
        left = state.g0 - float(state.v.sum())
        pulls, work = np.zeros(self.sums.size), []
        for ids, (f, at, held, copies) in zip(self.ids, self.groups, strict=True):
            own_q = q[f][at] if f in q else summed(held[self.fields.host[f]], q[self.fields.host[f]][:-1])
            r, pull = copies.pulled(state, own_q)
            pulls[ids] = pull
            work.append(r)
        if self.rows.valued:
            X, cols = self.rows.valued
            rest = state.g[self.valued] - self.valued_penalty * state.z[self.valued] - X.rmatvec(state.v, cols)
            pulls[self.valued_ids] = rest / self.valued_penalty
        d, d0 = np.zeros(0), 0.0
        if self.factor is not None:
            right = pulls * self.stiffness
            if self.weight_sum:
                right -= self.sums * (left / self.weight_sum)
            d = scipy.linalg.cho_solve((self.factor, True), right, check_finite=False)
        if self.weight_sum:
            d0 = (left - float(self.sums @ d)) / self.weight_sum
        if self.rows.valued:
            state.z[self.valued] += d[self.valued_ids]
            X.add_matvec(d[self.valued_ids], state.v, cols, 1.0, self.rows.s)
        out = {t: np.zeros(values.size) for t, values in q.items()}
        out[next(iter(out))] += d0
        for ids, (f, at, held, copies), r in zip(self.ids, self.groups, work, strict=True):
            copies.move(state, r, pulls[ids], d[ids])
            if f in out:
                out[f][at] += d[ids]
            else:
                spread(held[self.fields.host[f]], d[ids], out[self.fields.host[f]][:-1])
        return out


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
        self.border = _Border(fields, penalty, heavy, sums, rows)

    def solve(self, state: State) -> Vector:
        """Brings z near the solution of `H z = g`; returns `X' v`, field by field."""
        give: list[tuple[Levels, Vector]] = []
        for top in self.tops:
            q = np.zeros(top.levels.m + 1)
            exchange(state.v, give, [(top.levels, q)], self.rows.s)
            give = [(top.levels, top.forward(state, q[:-1]))]
        change = self.border.solve(state, self._taken(state, give))
        give = [(self.fields.tops[t], values) for t, values in change.items()]
        for top in reversed(self.tops):
            q = np.zeros(top.levels.m + 1)
            exchange(state.v, give, [(top.levels, q)], self.rows.s)
            give = [(top.levels, top.backward(state, q[:-1]))]
        out = self._collected(self._taken(state, give))
        if self.rows.valued:
            X, cols = self.rows.valued
            out[self.fields.n_levels :] = X.rmatvec(state.v, cols)
        return out

    def _taken(self, state: State, give: list[tuple[Levels, Vector]]) -> dict[int, Vector]:
        """`X' v` on the levels of each top, once `give` is in v."""
        tops = self.fields.tops
        q = {t: np.zeros(levels.m + 1) for t, levels in tops.items()}
        exchange(state.v, give, [(levels, q[t]) for t, levels in tops.items()], self.rows.s)
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

    Each application reads the tops of each row seven times; a pass over X reads all fields once. Memory: a vector of length n and
    a few of length n_cols while it is applied, a few of length n_cols to keep, the fields' own and the factor of the heavy block.

    Parameters
    ----------
    system : System
        With positive penalties only.
    fields : Fields
        Of the same design.
    heavy : HeavyBlock
        With all valued columns in it.
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
        """`(z, H z)` with z near `H^-1 g`."""
        state = State(g[self.order], self.penalty, self.rows.n)
        Hz = self.sweep.solve(state)
        if self.rows.weight_sum:
            Hz -= self.sums * (float(state.v.sum()) / self.rows.weight_sum)
        Hz += self.penalty * state.z
        return scattered(self.order, state.z), scattered(self.order, Hz)


def scattered(order: NDArray[np.int64], x: Vector) -> Vector:
    """From the order of the fields to that of the columns."""
    out = np.empty(x.size)
    out[order] = x
    return out


def _size(part: slice) -> int:
    return int(part.stop - part.start)

"""One-hot designs in which one field says all, and a preconditioner for them: rows of one level are the same row, as points in one cell
of a map are. Knows the fields and the normal equations, not the iteration.

That field, the top, is eliminated exactly. A level c of weight n_c and penalty p_c leaves the others a row of weight
`n_c p_c / (n_c + p_c)`, at most p_c: what is left has as many rows as the top has levels, no copies to speak of, and is
well conditioned. A few sweeps solve it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Levels, eliminate, exchange, transpose, weigh
from sparsereg.data.compressed import Compressed
from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.pcg import ReducedSystem
from sparsereg.ridge.preconditioners.coarse_block import Members
from sparsereg.ridge.preconditioners.factors import Fields, hosts
from sparsereg.ridge.preconditioners.nested_factors import InFieldOrder, Sweep
from sparsereg.ridge.preconditioners.subspace_correction import Rows
from sparsereg.ridge.preconditioners.two_level import HeavyBlock
from sparsereg.ridge.preconditioners.two_way_elimination import Facing

__all__ = ["Grouped", "GroupedSweep"]

Vector = NDArray[np.float64]


class Grouped:
    """The field that says all, the top, and the other columns, as no strength changes them.

    The top's levels stand in the order of one of the other fields, so that walks over them meet one level of that after the other.

    Parameters
    ----------
    equations : NormalEquations
    fields : Fields
        Grouped.
    """

    def __init__(self, equations: NormalEquations, fields: Fields) -> None:
        ((top, _),) = fields.tops.items()
        fields, first, self.begin = _in_runs(fields, top)
        self.all_fields, self.fields = fields, _without_top(fields, top)
        self.part = fields.parts[top]
        others = sorted(fields.host, key=lambda f: f != first)
        self.levels = {f: fields.nested[top, f] for f in others}
        self.n = equations.sums[fields.order[self.part]]
        self._first = self.fields.parts[first]
        self.centred = equations.fit_intercept
        self.n_others = self.summed(self.n)
        none = HeavyBlock(np.empty(0, dtype=np.int64), np.empty((0, 0)))
        self.border = Members(self.fields, none, np.empty(self.fields.order.size))

    def others(self, x: NDArray[Any]) -> NDArray[Any]:
        """The entries of the other columns."""
        return np.concatenate([x[: self.part.start], x[self.part.stop :]])

    def joined(self, top: Vector | float, others: Vector) -> Vector:
        """The vector of these entries, in the order of the fields."""
        x = np.empty(self.n.size + others.size)
        x[self.part] = top
        x[: self.part.start], x[self.part.stop :] = np.split(others, [self.part.start])
        return x

    def preconditioner(self, weights: Vector, sums: Vector, penalty: Vector) -> Facing | Sweep:
        """Over the other columns, of this penalty; the rows are the levels of the top, of weights that sum to this."""
        rows = Rows(weights.size, weights, self.total(sums) if self.centred else None)
        if len(self.levels) == len(self.fields.tops) == 2:
            parts = [self.fields.parts[f] for f in self.levels]
            return Facing(self.begin, list(self.levels.values()), parts, penalty, sums, rows)
        return Sweep(self.fields, penalty, sums, rows, self.border)

    def total(self, others: Vector) -> float:
        """What x sums to, from what the other columns have of it."""
        return float(others[self._first].sum())

    def give(self, x: Vector, others: Vector, base: float = 0.0, s: Vector | None = None) -> None:
        """Adds to x, by level of the top, base and what the other columns come to, times s."""
        given = np.append(others, 0.0)
        given[self._first] += base
        exchange(x, self._by_field(given), [], s)

    def weighed(
        self, b: Vector, v: Vector | None, alpha: float, others: Vector, room: tuple[Vector, Vector]
    ) -> tuple[Vector, Vector]:
        """Sums of weights and of residuals by the other columns, once the top is eliminated; both by level of the top go to `room`.
        See `weigh`."""
        out = np.zeros((others.size + 1, 2))
        weigh(self.begin, self.n, b, v, alpha, self._by_field(np.append(others, 0.0)), self._by_field(out), *room)
        return np.ascontiguousarray(out[:-1, 0]), np.ascontiguousarray(out[:-1, 1])

    def summed(self, x: Vector) -> Vector:
        """What the other columns have of x, which is given by level of the top."""
        out = np.zeros(self.fields.order.size + 1)
        exchange(x, [], self._by_field(out))
        return out[:-1]

    def add_left(
        self, b: Vector, v: Vector | None, alphas: Vector, work: NDArray[np.float64], base: Vector
    ) -> tuple[Vector, Vector]:
        """What the top leaves of a residual to the other columns at k strengths; in all, and `b' z` for its own coefficients z.

        `work`, of shape (n_others + 1, 2 k), begins with the other columns' coefficients, base aside; behind them what is left is added.
        See `eliminate`."""
        given = work[self._first, : alphas.size]
        given += base  # each row has one level of each field
        left = eliminate(self.n, b, v, alphas, self._by_field(work))
        given -= base
        return left

    def _by_field(self, x: NDArray[np.float64]) -> list[tuple[Levels, NDArray[np.float64]]]:
        """Each other field's part of x, which has an entry behind the last. There are no rows without a level, so what stands behind a
        part is neither read nor changed."""
        parts = self.fields.parts
        return [(levels, x[parts[f].start : parts[f].stop + 1]) for f, levels in self.levels.items()]


class _OthersOnly(ReducedSystem):
    """Vectors of all columns in the order of the fields, iterated with over the other columns only."""

    inner: Facing | Sweep

    def __init__(self, grouped: Grouped, penalty: Vector) -> None:
        self.grouped = grouped
        p = penalty[grouped.part]
        self.inverse = 1.0 / (grouped.n + p)
        self.share = grouped.n * self.inverse  # what a level takes of what the other columns come to
        weights = p * self.share
        self.inner = grouped.preconditioner(weights, grouped.summed(weights), grouped.others(penalty))

    def restrict(self, g: Vector) -> Vector:
        """What the top leaves of g to the others, the intercept eliminated from them too."""
        met = self.share * g[self.grouped.part]
        rest = self.grouped.others(g)
        rest -= self.grouped.summed(met)
        if weight_sum := self.inner.rows.weight_sum:
            rest += self.inner.sums * (float(met.sum()) / weight_sum)
        return rest

    def prolong(self, g: Vector, step: Vector, rest: Vector) -> tuple[Vector, Vector]:
        """The step of all columns; that of the top leaves no gradient there."""
        grouped, top = self.grouped, g[self.grouped.part]
        others = np.zeros(top.size)
        if weight_sum := self.inner.rows.weight_sum:
            others -= (float(self.share @ top) + float(self.inner.sums @ step)) / weight_sum
        grouped.give(others, step)
        others *= self.share
        return grouped.joined(np.subtract(self.inverse * top, others, out=others), step), grouped.joined(0.0, rest)


class GroupedSweep(InFieldOrder):
    """A sweep over the other fields of an all-ones design whose fields are grouped by one of them, each column penalised.

    Iterations meet the levels of the top in place of the rows, and vectors over the other columns only.

    Parameters
    ----------
    system : System
        With positive penalties only.
    grouped : Grouped
        Of the same equations.
    """

    def __init__(self, system: System, grouped: Grouped) -> None:
        fields = grouped.all_fields
        super().__init__(fields, _OthersOnly(grouped, system.penalty[fields.order]))


def _in_runs(fields: Fields, top: int) -> tuple[Fields, int, NDArray[np.int64]]:
    """The levels of the top in the order of that other field that they are nearest to; which that is, and where each of its
    levels begins."""
    levels = {f: fields.nested[top, f] for f in fields.host}
    backwards = {f: np.count_nonzero(own.codes[1:] < own.codes[:-1]) for f, own in levels.items()}
    first = min(backwards, key=lambda f: backwards[f])
    codes, m = levels[first].codes, levels[first].m
    begin = np.zeros(m + 1, dtype=np.int64)
    np.cumsum(np.bincount(codes, minlength=m), out=begin[1:])
    if not backwards[first]:
        return fields, first, begin
    at = np.empty(codes.size, dtype=np.int32)
    one = np.arange(codes.size + 1, dtype=np.int32)
    by_level = Compressed((codes.size, m), one[:-1], one[1:], codes, None)
    transpose(by_level, begin[:-1].astype(np.int32), at)
    part = fields.parts[top]
    order = np.concatenate([fields.order[: part.start], fields.order[part][at], fields.order[part.stop :]])
    nested = {pair: Levels(own.codes[at], own.m) if top in pair else own for pair, own in fields.nested.items()}
    return replace(fields, order=order, nested=nested), first, begin


def _without_top(fields: Fields, top: int) -> Fields:
    """The other fields, whose columns stand as they are ordered here; their rows are the levels of the top."""
    gone = fields.parts[top]
    size = gone.stop - gone.start
    parts = [part if part.stop <= gone.start else slice(part.start - size, part.stop - size) for part in fields.parts]
    parts[top] = slice(gone.start, gone.start)
    nested = {pair: levels for pair, levels in fields.nested.items() if top not in pair}
    refined = {coarse for _, coarse in nested}
    tops = {f: fields.nested[top, f] for f in fields.host if f not in refined}
    order = np.arange(fields.order.size - size)
    return replace(fields, order=order, parts=parts, tops=tops, nested=nested, host=hosts(tops, nested), grouped=False)

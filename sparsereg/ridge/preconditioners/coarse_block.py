"""The middle of a sweep: the heavy columns all at once. Knows fields and copies, not the sweep around it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core.kernels import Levels
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.preconditioners.factors import Fields
from sparsereg.ridge.preconditioners.subspace_correction import Copies, Rows, State, spread, summed
from sparsereg.ridge.preconditioners.two_level import HeavyBlock, factorised

__all__ = ["Border", "Members", "border_block"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


def border_block(equations: NormalEquations, fields: Fields, cols: Int) -> HeavyBlock:
    """These columns, and after them the levels of the shadows: their centred Gram."""
    design = equations.design
    assert design.rows is not None
    labels = np.arange(design.n_cols) if design.index_in_rows is None else design.index_in_rows
    by_host = Counter(shadow.host for shadow in fields.shadows)
    position = np.full((design.rows.shape[0], 1 + max(by_host.values(), default=0)), -1, dtype=np.int32)
    position[labels[cols], 0] = np.arange(cols.size)
    border_sums, k = [equations.sums[cols]], int(cols.size)
    for shadow in fields.shadows:
        host = fields.order[fields.parts[shadow.host]]
        position[labels[host], by_host[shadow.host]] = k + shadow.held[shadow.host].codes
        by_host[shadow.host] -= 1
        border_sums.append(summed(shadow.held[shadow.host], equations.sums[host]))
        k += shadow.m
    for top in by_host:  # the kernel stops at the first that is negative
        those = labels[fields.order[fields.parts[top]]]
        position[those] = np.sort(position[those], axis=1)[:, ::-1]
    gram = design.rows.dense_gram(position, k, equations.s)
    if equations.fit_intercept:
        all_sums = np.concatenate(border_sums)
        gram -= np.outer(all_sums / equations.weight_sum, all_sums)
    return HeavyBlock(cols, gram)


@dataclass(frozen=True)
class _Group:
    """The columns of one field in the border, or a shadow, and what is known of them by level.

    `ids`: their numbers in the border. `at`: their places in the field, None for a shadow. `held`: by finer field. `host`: the
    top that the rows are met through, None where the field is one.
    """

    ids: Int
    at: Int | None
    held: dict[int, Levels]
    host: int | None
    field: int

    def taken(self, q: dict[int, Vector]) -> Vector:
        """`x' v` of these columns, from that of the tops' levels."""
        return q[self.field][self.at] if self.host is None else summed(self.held[self.host], q[self.host][:-1])

    def give(self, d: Vector, out: dict[int, Vector]) -> None:
        if self.host is None:
            out[self.field][self.at] += d
        else:
            spread(self.held[self.host], d, out[self.host][:-1])


class Members:
    """Who is in a border, as no strength changes it.

    Parameters
    ----------
    fields : Fields
    heavy : HeavyBlock
        What `border_block` gives, or a part of it that the shadows of `fields` belong to.
    sums : float64 array of shape (n_cols,), field by field
        `X' s`.
    """

    def __init__(self, fields: Fields, heavy: HeavyBlock, sums: Vector) -> None:
        number = np.full(fields.order.size, -1)
        number[heavy.cols] = np.arange(heavy.cols.size)
        number = number[fields.order]
        self.gram, self.groups = heavy.gram, _groups(fields, number)
        # Fields that are in it as a whole, and the tops that any of it is met through.
        self.whole = {f for f, part in enumerate(fields.parts) if (number[part] >= 0).all()}
        self.met = sorted({group.field if group.host is None else group.host for group in self.groups})
        # P'P <= diag(P' shared) for the 0/1 matrix P of all copies.
        self.shared = (number >= 0).astype(np.float64)
        for group in self.groups:
            for fine, levels in group.held.items():
                self.shared[fields.parts[fine]] += levels.codes < levels.m
        self.valued = np.flatnonzero(number[fields.n_levels :] >= 0) + fields.n_levels
        self.valued_ids = number[self.valued]
        self.sums = np.zeros(heavy.gram.shape[0])
        self.sums[number[number >= 0]] = sums[number >= 0]
        for group in self.groups:
            if group.at is None and group.host is not None:
                self.sums[group.ids] = summed(group.held[group.host], sums[fields.parts[group.host]])


class Border:
    """The heavy columns, the shadows, both with their copies, the valued columns and the intercept: solved exactly, but that
    copies which move the same columns are held for stiffer than they are."""

    def __init__(self, fields: Fields, penalty: Vector, members: Members, rows: Rows) -> None:
        self.rows, self.weight_sum = rows, rows.weight_sum
        self.groups, self.met, self.sums = members.groups, members.met, members.sums
        shared = penalty * members.shared
        self.copies = [_copies(group, fields, shared) for group in self.groups]
        self.valued, self.valued_ids, self.valued_penalty = members.valued, members.valued_ids, penalty[members.valued]
        self.stiffness = np.zeros(self.sums.size)
        self.stiffness[self.valued_ids] = self.valued_penalty
        for group, copies in zip(self.groups, self.copies, strict=True):
            self.stiffness[group.ids] = copies.stiffness
        self.factor = factorised(members.gram, self.stiffness) if self.sums.size else None

    def solve(self, state: State, q: dict[int, Vector]) -> dict[int, Vector]:
        """From `X' v` on the tops' levels to the change of `X z + intercept` on them; v itself takes the valued columns' part.

        The intercept is given through the first of these tops."""
        left = -float(next(iter(q.values())).sum())
        pulls, work = np.zeros(self.sums.size), []
        for group, copies in zip(self.groups, self.copies, strict=True):
            r, pull = copies.pulled(state, group.taken(q))
            pulls[group.ids] = pull
            work.append(r)
        if self.rows.valued:
            X, cols = self.rows.valued
            rest = state.g[self.valued] - self.valued_penalty * state.z[self.valued] - X.rmatvec(state.v, cols)
            pulls[self.valued_ids] = rest / self.valued_penalty
        d, d0 = self._solution(pulls, left)
        if self.rows.valued:
            state.z[self.valued] += d[self.valued_ids]
            X.add_matvec(d[self.valued_ids], state.v, cols, 1.0, self.rows.s)
        out = {t: np.zeros(values.size) for t, values in q.items()}
        out[next(iter(out))] += d0
        for group, copies, r in zip(self.groups, self.copies, work, strict=True):
            copies.move(state, r, pulls[group.ids], d[group.ids])
            group.give(d[group.ids], out)
        return out

    def _solution(self, pulls: Vector, left: float) -> tuple[Vector, float]:
        """The border's unknowns and the intercept, which the centred Gram has eliminated."""
        d, d0 = np.zeros(0), 0.0
        if self.factor is not None:
            right = pulls * self.stiffness
            if self.weight_sum:
                right -= self.sums * (left / self.weight_sum)
            d = scipy.linalg.cho_solve((self.factor, True), right, check_finite=False)
        if self.weight_sum:
            d0 = (left - float(self.sums @ d)) / self.weight_sum
        return d, d0


def _groups(fields: Fields, number: Int) -> list[_Group]:
    found = []
    for f, part in enumerate(fields.parts):
        at = np.flatnonzero(number[part] >= 0)
        if not at.size:
            continue
        place = np.full(part.stop - part.start, at.size, dtype=np.int32)
        place[at] = np.arange(at.size)
        held = {
            fine: Levels(place[levels.codes], at.size)
            for (fine, coarse), levels in fields.nested.items()
            if coarse == f
        }
        found.append(_Group(number[part][at], at, held, fields.host.get(f), f))
    k = int(number.max(initial=-1)) + 1
    for shadow in fields.shadows:
        found.append(_Group(np.arange(k, k + shadow.m), None, shadow.held, shadow.host, -1))
        k += shadow.m
    return found


def _copies(group: _Group, fields: Fields, penalty: Vector) -> Copies:
    at = None if group.at is None else group.at + fields.parts[group.field].start
    return Copies.of(at, [(fields.parts[fine], levels) for fine, levels in group.held.items()], penalty)

"""The coarse block in the middle of a sweep: heavy columns, near-nested factors and valued columns, solved together.

With G the centred Gram of these columns, kappa and d0 of their subspace corrections (see `subspace_correction`), S the
sum of weights and `-sum(v)` the intercept's right side, it solves for the steps d and d_i of the columns and intercept:

    (G + diag(kappa)) d = kappa d0 + X's sum(v) / S,    d_i = -(sum(v) + s'X d) / S

by a Cholesky factor made once for each alpha, in O(k^2) for k columns. Copies that move the same columns interact
through their penalties: for the 0/1 matrix P of all copies, `P' diag(penalty) P` is not diagonal. It is replaced by the
upper bound `diag(P' (penalty * overlap))`, overlap being the number of copies that move a column, which keeps the sweep
convergent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core.kernels import FactorCodes
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.preconditioners.factor_system import FactorSystem, add_levels, level_sums
from sparsereg.ridge.preconditioners.factors import Factors
from sparsereg.ridge.preconditioners.subspace_correction import SubspaceCorrection, SweepState
from sparsereg.ridge.preconditioners.two_level import HeavyBlock, cholesky_factor

__all__ = ["CoarseBlock", "CoarseColumns", "coarse_gram"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


def coarse_gram(equations: NormalEquations, factors: Factors, cols: Int) -> HeavyBlock:
    """The centred Gram of these columns, followed by the levels of the near-nested factors."""
    design = equations.design
    assert design.rows is not None
    labels = np.arange(design.n_cols) if design.index_in_rows is None else design.index_in_rows
    count = Counter(near.refinement for near in factors.near_nested)
    position = np.full((design.rows.shape[0], 1 + max(count.values(), default=0)), -1, dtype=np.int32)
    position[labels[cols], 0] = np.arange(cols.size)
    sums, k = [equations.sums[cols]], int(cols.size)
    for near in factors.near_nested:
        t = near.refinement
        cols_t = factors.order[factors.slices[t]]
        position[labels[cols_t], count[t]] = k + near.parents[t].codes
        count[t] -= 1
        sums.append(level_sums(near.parents[t], equations.sums[cols_t]))
        k += near.n_levels
    for t in count:  # the kernel stops at the first negative position of a column
        labels_t = labels[factors.order[factors.slices[t]]]
        position[labels_t] = np.sort(position[labels_t], axis=1)[:, ::-1]
    gram = design.rows.dense_gram(position, k, equations.s)
    if equations.fit_intercept:
        all_sums = np.concatenate(sums)
        gram -= np.outer(all_sums / equations.weight_sum, all_sums)
    return HeavyBlock(cols, gram)


@dataclass(frozen=True)
class _Group:
    """The columns of one factor in the block, or a near-nested factor, for which `own` is None and `factor` -1.

    `ids` are their numbers in the block, `own` their levels, and `parents` give the column that contains each level of
    the finer factors. `x' v` is computed from the sums of the finest factor `refinement`; None for a finest factor.
    """

    ids: Int
    own: Int | None
    parents: dict[int, FactorCodes]
    refinement: int | None
    factor: int

    def rmatvec(self, q: dict[int, Vector]) -> Vector:
        """`x' v` of these columns, from the sums of v over the levels of the finest factors."""
        if self.refinement is None:
            return q[self.factor][self.own]
        return level_sums(self.parents[self.refinement], q[self.refinement][:-1])

    def add_matvec(self, d: Vector, out: dict[int, Vector]) -> None:
        """Add `X d` to out, by level of a finest factor."""
        if self.refinement is None:
            out[self.factor][self.own] += d
        else:
            add_levels(self.parents[self.refinement], d, out[self.refinement][:-1])


class CoarseColumns:
    """Which columns are in a coarse block, and all that no alpha changes.

    `heavy` is from `coarse_gram`, or its part with the near-nested factors of `factors`; `sums` is `X' s` in factor
    order. Factors that are `complete` have all their columns in the block and need no sweep. The block reads the sums
    of the `finest` factors listed. `overlap` counts the copies that move each column.
    """

    def __init__(self, factors: Factors, heavy: HeavyBlock, sums: Vector) -> None:
        ids = np.full(factors.order.size, -1)
        ids[heavy.cols] = np.arange(heavy.cols.size)
        ids = ids[factors.order]
        self.gram, self.groups = heavy.gram, _groups(factors, ids)
        self.complete = {f for f, part in enumerate(factors.slices) if (ids[part] >= 0).all()}
        self.finest = sorted({group.factor if group.refinement is None else group.refinement for group in self.groups})
        self.overlap = (ids >= 0).astype(np.float64)
        for group in self.groups:
            for fine, codes in group.parents.items():
                self.overlap[factors.slices[fine]] += codes.codes < codes.n_levels
        self.valued = np.flatnonzero(ids[factors.n_factor_cols :] >= 0) + factors.n_factor_cols
        self.valued_ids = ids[self.valued]
        self.sums = np.zeros(heavy.gram.shape[0])
        self.sums[ids[ids >= 0]] = sums[ids >= 0]
        for group in self.groups:
            if group.own is None:
                self.sums[group.ids] = group.rmatvec({t: np.append(sums[factors.slices[t]], 0.0) for t in self.finest})


class CoarseBlock:
    """The solution of the block and the intercept at one alpha."""

    def __init__(self, system: FactorSystem, columns: CoarseColumns) -> None:
        self.system, self.columns, self.finest = system, columns, columns.finest
        shared = system.penalty * columns.overlap
        self.corrections = [_correction(group, system.factors, shared) for group in columns.groups]
        self.penalty = np.zeros(columns.sums.size)
        self.penalty[columns.valued_ids] = system.penalty[columns.valued]
        for group, correction in zip(columns.groups, self.corrections, strict=True):
            self.penalty[group.ids] = correction.penalty
        self.cholesky = cholesky_factor(columns.gram, self.penalty) if columns.sums.size else None

    def solve(self, state: SweepState, q: dict[int, Vector]) -> dict[int, Vector]:
        """From `X' v` on the levels of the finest factors to the change of `X z + z0` there; adds valued columns to v.

        The intercept is part of the change of the first of these factors."""
        columns, groups = self.columns, self.columns.groups
        total = -float(next(iter(q.values())).sum())
        d0, residuals = np.zeros(columns.sums.size), []
        for group, correction in zip(groups, self.corrections, strict=True):
            r, d0[group.ids] = correction.residuals(state, group.rmatvec(q))
            residuals.append(r)
        if self.system.valued:
            X, cols = self.system.valued
            residual = state.residual(columns.valued) - X.rmatvec(state.v, cols)
            d0[columns.valued_ids] = residual / self.penalty[columns.valued_ids]
        d, intercept = self._solve_centered(d0, total)
        if self.system.valued:
            state.z[columns.valued] += d[columns.valued_ids]
            X.add_matvec(d[columns.valued_ids], state.v, cols, 1.0, self.system.s)
        out = {t: np.zeros(values.size) for t, values in q.items()}
        out[next(iter(out))] += intercept
        for group, correction, r in zip(groups, self.corrections, residuals, strict=True):
            correction.distribute(state, r, d0[group.ids], d[group.ids])
            group.add_matvec(d[group.ids], out)
        return out

    def _solve_centered(self, d0: Vector, total: float) -> tuple[Vector, float]:
        """d and the intercept, which is eliminated from the centred Gram; `total` is its right side."""
        d, sums, weight_sum = np.zeros(0), self.columns.sums, self.system.weight_sum
        if self.cholesky is not None:
            right = d0 * self.penalty
            if weight_sum:
                right -= sums * (total / weight_sum)
            d = scipy.linalg.cho_solve((self.cholesky, True), right, check_finite=False)
        return d, (total - float(sums @ d)) / weight_sum if weight_sum else 0.0


def _groups(factors: Factors, ids: Int) -> list[_Group]:
    """The columns with a number in the block, factor by factor, and the near-nested factors."""
    groups = []
    for f, part in enumerate(factors.slices):
        own = np.flatnonzero(ids[part] >= 0)
        if not own.size:
            continue
        place = np.full(part.stop - part.start, own.size, dtype=np.int32)
        place[own] = np.arange(own.size)
        nesting = {fine: codes for (fine, coarse), codes in factors.nesting.items() if coarse == f}
        parents = {fine: FactorCodes(place[codes.codes], own.size) for fine, codes in nesting.items()}
        groups.append(_Group(ids[part][own], own, parents, factors.refinement.get(f), f))
    k = int(ids.max(initial=-1)) + 1
    for near in factors.near_nested:
        groups.append(_Group(np.arange(k, k + near.n_levels), None, near.parents, near.refinement, -1))
        k += near.n_levels
    return groups


def _correction(group: _Group, factors: Factors, penalty: Vector) -> SubspaceCorrection:
    own = None if group.own is None else group.own + factors.slices[group.factor].start
    return SubspaceCorrection.of(own, [(factors.slices[f], codes) for f, codes in group.parents.items()], penalty)

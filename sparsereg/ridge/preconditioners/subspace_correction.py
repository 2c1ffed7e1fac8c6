"""Corrections of columns together with the directions of finer factors that have the same image.

A main effect is the sum of its crosses: `x_a = sum_b x_ab = sum_c x_ac`. The data cannot tell a coefficient of x_a from
the same number added to the coefficients of all x_ab, or of all x_ac; the penalty alone can. Gauss-Seidel over columns
or factors moves coefficients between these directions at a rate of penalty / count. The correction of column a is
therefore sought in the space of all of them: one number for a, one for all ab, one for all ac, called *copies*. With h
the curvature `x_a' S x_a`, pi_m the sum of the penalties of the columns that copy m moves and r_m their residual, it
minimises

    h d^2 / 2 + sum_m (pi_m c_m^2 / 2 - r_m c_m),    d = sum_m c_m.

Given d, `c_m = (r_m + kappa (d - d0)) / pi_m` with `kappa = 1 / sum_m 1 / pi_m` and `d0 = sum_m r_m / pi_m`. What is
left is one unknown of penalty kappa, `d = kappa d0 / (h + kappa)`. The cost is one sum over the levels of each finer
factor and back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import FactorCodes
from sparsereg.ridge.preconditioners.factor_system import add_levels, level_sums

__all__ = ["SubspaceCorrection", "SweepState"]

Vector = NDArray[np.float64]


class SweepState:
    """One application to g: z so far, in factor order, and `v = S (X z + z0)` on the rows, z0 the intercept."""

    def __init__(self, g: Vector, penalty: Vector, v: Vector) -> None:
        self.g, self.penalty = g, penalty
        self.z, self.v = np.zeros(g.size), v

    def residual(self, at: slice | NDArray[np.int64]) -> Vector:
        """`g - penalty z` of some columns: their residual without `X' v`."""
        product = self.penalty[at] * self.z[at]
        return np.subtract(self.g[at], product, out=product)


@dataclass(frozen=True)
class SubspaceCorrection:
    """A factor, some of its columns, or a near-nested factor, with all copies.

    `own` is where the columns stand in factor order, None for a near-nested factor; `parents` are the finer factors,
    each with the copy that moves each of its levels. `penalties` are pi, the columns' own first; `penalty` is kappa.
    """

    own: slice | NDArray[np.int64] | None
    parents: list[tuple[slice, FactorCodes]]
    penalties: list[Vector]
    penalty: Vector

    @classmethod
    def of(
        cls, own: slice | NDArray[np.int64] | None, parents: list[tuple[slice, FactorCodes]], penalty: Vector
    ) -> SubspaceCorrection:
        """With the penalties of all columns."""
        penalties = [level_sums(codes, penalty[part]) for part, codes in parents]
        if own is not None:
            penalties.insert(0, penalty[own])
        return cls(own, parents, penalties, 1.0 / np.sum([1.0 / pi for pi in penalties], axis=0))

    def residuals(self, state: SweepState, q: Vector) -> tuple[list[Vector], Vector]:
        """r of each copy, and d0; q is `x' v` of the columns."""
        r = [level_sums(codes, state.residual(part)) - q for part, codes in self.parents]
        if self.own is not None:
            r.insert(0, state.residual(self.own) - q)
        d0: Vector = np.sum([rm / pi for rm, pi in zip(r, self.penalties, strict=True)], axis=0)
        return r, d0

    def distribute(self, state: SweepState, r: list[Vector], d0: Vector, d: Vector) -> None:
        """Add d to z, divided among the copies."""
        multiplier = (d - d0) * self.penalty
        c = [(rm + multiplier) / pi for rm, pi in zip(r, self.penalties, strict=True)]
        if self.own is not None:
            state.z[self.own] += c.pop(0)
        for (part, codes), cm in zip(self.parents, c, strict=True):
            add_levels(codes, cm, state.z[part])

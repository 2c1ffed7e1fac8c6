"""The normal equations of a design of factors, on vectors in factor order: factor by factor, valued columns last.

Rows are read through the codes of the finest factors alone. With Z_t the indicator matrix of a finest factor t and
`q_t = Z_t' v`, the sums of a row vector v over the levels of any factor nested above t are sums of q_t over t's levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import FactorCodes, Matrix, gather_scatter
from sparsereg.ridge.normal_equations import System
from sparsereg.ridge.pcg import Preconditioner, ReducedSystem
from sparsereg.ridge.preconditioners.factors import Factors

__all__ = ["FactorSystem", "InFactorOrder", "add_levels", "level_sums", "to_column_order"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class FactorSystem:
    """`H = Xc' S Xc + diag(penalty)` in factor order, all penalties positive.

    `sums` is `X' s`, which is also the uncentred curvature of all-ones columns. s is None for weights of 1, and their
    sum None without an intercept. `valued` is X with its columns that have values other than 1, if there are any.
    """

    factors: Factors
    penalty: Vector
    sums: Vector
    s: Vector | None
    weight_sum: float | None
    valued: tuple[Matrix, NDArray[np.int64]] | None = None

    @classmethod
    def of(cls, system: System, factors: Factors) -> FactorSystem:
        """The system in the order of the factors of its design."""
        equations, order = system.equations, factors.order
        design, weight_sum = equations.design, equations.weight_sum if equations.fit_intercept else None
        valued = (design.matrix, np.arange(design.n_ones, design.n_cols)) if design.n_ones < design.n_cols else None
        return cls(factors, system.penalty[order], equations.sums[order], equations.s, weight_sum, valued)

    def times(self, z: Vector, v: Vector, q: dict[int, Vector]) -> Vector:
        """`H z` from `v = S (X z + z0)` and its sums q over the levels of each finest factor, for any z0."""
        factors, out = self.factors, np.zeros(z.size)
        for t, values in q.items():
            out[factors.slices[t]] = values[:-1]
        for f, t in factors.refinement.items():
            out[factors.slices[f]] = level_sums(factors.nesting[t, f], q[t][:-1])
        if self.valued:
            X, cols = self.valued
            out[factors.n_factor_cols :] = X.rmatvec(v, cols)
        if self.weight_sum:
            out -= self.sums * (float(next(iter(q.values())).sum()) / self.weight_sum)
        out += self.penalty * z
        return out


class InFactorOrder(ReducedSystem):
    """A preconditioner for vectors in factor order, applied to vectors in the order of the columns."""

    def __init__(self, factors: Factors, inner: Preconditioner) -> None:
        self.order, self.inner = factors.order, inner

    def restrict(self, g: Vector) -> Vector:
        """g in factor order."""
        return g[self.order]

    def prolong(self, _g: Vector, step: Vector, rest: Vector) -> tuple[Vector, Vector]:
        """Both in the order of the columns."""
        return to_column_order(self.order, step), to_column_order(self.order, rest)

    def in_factor_order(self) -> Preconditioner:
        """The preconditioner without the permutations."""
        return self.inner


def to_column_order(order: NDArray[np.int64], x: Vector) -> Vector:
    """A vector in factor order, put in the order of the columns."""
    out = np.empty(x.size)
    out[order] = x
    return out


def level_sums(codes: FactorCodes, x: Vector) -> Vector:
    """The sum of x within each level."""
    out = np.zeros(codes.n_levels + 1)
    gather_scatter(x, [], [(codes, out)])
    return out[:-1]


def add_levels(codes: FactorCodes, x: Vector, out: Vector) -> None:
    """Add to each entry of `out` the x of its level, in place."""
    gather_scatter(out, [(codes, np.append(x, 0.0))], [])

"""Two crossed factors, such as the latitudes and longitudes of a map's cells, with the larger one eliminated exactly.

With N the weighted cross-tabulation of the factors (small by large), n_s, n_l its margins and p_s, p_l the penalties,

    H = [[n_s + p_s, N, n_s], [N', n_l + p_l, n_l], [n_s', n_l', S]]      (small, large, intercept)

has diagonal blocks, so that large levels and intercept are eliminated in O(levels). The Schur complement on the small
factor is symmetric positive definite; it is preconditioned by `n_s + p_s`. An application costs one product with N' and
one with N, each a pass over the rows. A symmetric sweep over both factors needs a third to arrive at the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import crosstab_matvec, crosstab_rmatvec
from sparsereg.ridge.pcg import ApproximateInverse, ReducedSystem
from sparsereg.ridge.preconditioners.factor_system import FactorSystem

__all__ = ["TwoWayElimination"]

Vector = NDArray[np.float64]


class _Way:
    """One of the two factors: its codes, its runs of rows if they are sorted by it, and its columns."""

    def __init__(self, system: FactorSystem, f: int, begin: NDArray[np.int64] | None) -> None:
        self.codes, self.begin, self.part = system.factors.finest[f], begin, system.factors.slices[f]
        self.penalty, self.sums = system.penalty[self.part], system.sums[self.part]
        self.inverse = 1.0 / (self.penalty + self.sums)


class _SchurComplement(ApproximateInverse):
    """The small factor with the large one and the intercept eliminated, preconditioned by its own diagonal."""

    def __init__(self, small: _Way, large: _Way, system: FactorSystem) -> None:
        self.small, self.large, self.system = small, large, system
        self.share = large.sums * large.inverse
        self.intercept_curvature = float(large.penalty @ self.share)  # S - n_l' (n_l + p_l)^-1 n_l

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with `z = g / (n_s + p_s)` and H the Schur complement."""
        z = g * self.small.inverse
        q = self.cross_product(self.small, z, self.large)
        _, fitted = self.solve_large(-q, -float(q.sum()))
        return z, self.cross_product(self.large, fitted, self.small) + z / self.small.inverse

    def solve_large(self, right: Vector, total: float) -> tuple[Vector, Vector]:
        """The large factor's coefficients for its right side and the intercept's, and these plus the intercept."""
        z = right * self.large.inverse
        if not self.system.weight_sum:
            return z, z
        intercept = (total - float(self.share @ right)) / self.intercept_curvature
        z -= intercept * self.share
        return z, z + intercept

    def cross_product(self, source: _Way, x: Vector, target: _Way) -> Vector:
        """`Z_target' S Z_source x`."""
        out = np.zeros(target.codes.n_levels + 1)
        if source.begin is not None:
            crosstab_rmatvec(self.system.s, source.begin, x, (target.codes, out))
        else:
            crosstab_matvec(self.system.s, target.begin, (source.codes, np.append(x, 0.0)), out[:-1])
        return out[:-1]


class TwoWayElimination(ReducedSystem):
    """A system of two factors with row weights, reduced to the smaller factor. Every row has a level of both.

    The rows are sorted by the factor `first`; those of its level r stand from begin[r] to begin[r + 1].
    """

    inner: _SchurComplement

    def __init__(self, system: FactorSystem, first: int, begin: NDArray[np.int64]) -> None:
        (second,) = system.factors.finest.keys() - {first}
        ways = [_Way(system, first, begin), _Way(system, second, None)]
        self.small, self.large = sorted(ways, key=lambda way: way.codes.n_levels)
        self.inner = _SchurComplement(self.small, self.large, system)

    def restrict(self, g: Vector) -> Vector:
        """The right side of the Schur complement for a centred g."""
        _, fitted = self.inner.solve_large(g[self.large.part], 0.0)
        return g[self.small.part] - self.inner.cross_product(self.large, fitted, self.small)

    def prolong(self, g: Vector, step: Vector, rest: Vector) -> tuple[Vector, Vector]:
        """The step of both factors. The large one is solved exactly, so that its gradient is 0."""
        q = self.inner.cross_product(self.small, step, self.large)
        full, gradient = np.empty(g.size), np.zeros(g.size)
        full[self.small.part], gradient[self.small.part] = step, rest
        full[self.large.part], _ = self.inner.solve_large(g[self.large.part] - q, -float(q.sum()))
        return full, gradient

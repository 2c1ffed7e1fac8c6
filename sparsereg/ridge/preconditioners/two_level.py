"""What conjugate gradients on ridge are preconditioned by. Knows the normal equations, not the iteration.

Two levels. The *heavy* columns, those with the most curvature, have their Gram factorised exactly; the *light* rest is swept
by Gauss-Seidel, once before the heavy ones are solved for and once after, in reverse, which makes the whole symmetric. The
columns of one categorical field share no row, so a sweep solves each field exactly given the others. Feature crosses need the
heavy block: a main effect is the sum of its crosses, and no sweep sees that.

The sweeps leave `S X z` behind, so that `H z` costs one more pass over X where it would otherwise cost two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core.kernels import RidgeQuadratic
from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.pcg import ApproximateInverse

__all__ = ["HeavyBlock", "Plain", "TwoLevel", "factorised"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Heavy columns at most: a dense factor of 32 MB, whose solve costs about as much as a pass over some million entries.
MOST_HEAVY = 2_000
# Columns with less curvature than this many times their penalty are well conditioned as they are.
WORTH = 10.0
# The heavy block's Gram may cost this many passes over X; one meeting of two entries counts as one entry.
GRAM_PASSES = 32
# Above any exponent of a double.
OUT = 10_000


class Plain(ApproximateInverse):
    """No preconditioner. From 0, conjugate gradients then find the solution of least norm where there are many."""

    def __init__(self, system: System) -> None:
        self.system = system

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z = g."""
        return g.copy(), self.system.times(g)


@dataclass(frozen=True)
class HeavyBlock:
    """The heaviest columns and their centred Gram, for any penalty.

    Attributes
    ----------
    cols : int64 array of shape (k,)
    gram : float64 array of shape (k, k)
    """

    cols: Int
    gram: NDArray[np.float64]

    @classmethod
    def of(cls, equations: NormalEquations, least_penalty: Vector) -> HeavyBlock:
        """Of the columns that are worth it at `least_penalty`; none where X is dense and has no rows to go by."""
        if equations.design.rows is None:
            return cls(np.empty(0, dtype=np.int64), np.empty((0, 0)))
        return cls.on(equations, _heaviest(equations, least_penalty))

    @classmethod
    def on(cls, equations: NormalEquations, cols: Int) -> HeavyBlock:
        """Of these columns of a sparse X."""
        design = equations.design
        assert design.rows is not None
        position = np.full((design.rows.shape[0], 1), -1, dtype=np.int32)
        position[cols if design.index_in_rows is None else design.index_in_rows[cols], 0] = np.arange(cols.size)
        gram = design.rows.dense_gram(position, cols.size, equations.s)
        means = equations.means[cols]
        gram -= np.outer(equations.weight_sum * means, means)
        return cls(cols, gram)

    def first(self, k: int) -> HeavyBlock:
        """Of its first k columns."""
        return HeavyBlock(self.cols[:k], self.gram[:k, :k])


class TwoLevel(ApproximateInverse):
    """An approximation of `H^-1`: light columns, heavy columns, light columns in reverse.

    Parameters
    ----------
    system : System
        Each column with a positive penalty or curvature; the others stay at 0.
    heavy : HeavyBlock
    """

    def __init__(self, system: System, heavy: HeavyBlock) -> None:
        self.system, self.heavy = system, heavy
        equations = system.equations
        H = equations.diagonal + system.penalty
        inverse = np.divide(1.0, H, out=np.zeros_like(H), where=H > 0.0)
        self.sums = equations.weight_sum * equations.means
        self.quadratic = RidgeQuadratic(self.sums, system.penalty, inverse, equations.weight_sum)
        self.light = _from_light_to_heavy(equations.diagonal, heavy.cols)
        self.backward = np.ascontiguousarray(self.light[::-1])
        self.factor = factorised(heavy.gram, system.penalty[heavy.cols]) if heavy.cols.size else None

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`."""
        equations = self.system.equations
        X, s = equations.design.matrix, equations.s
        z, v = np.zeros(g.size), np.zeros(equations.design.n_rows)
        v_sum = X.gauss_seidel(self.light, self.quadratic, g, z, v, 0.0, s)
        v_sum = self._solve_heavy(g, z, v, v_sum)
        v_sum = X.gauss_seidel(self.backward, self.quadratic, g, z, v, v_sum, s)
        return z, X.rmatvec(v) - equations.means * v_sum + self.system.penalty * z

    def _solve_heavy(self, g: Vector, z: Vector, v: Vector, v_sum: float) -> float:
        if self.factor is None:
            return v_sum
        equations, cols = self.system.equations, self.heavy.cols
        rest = g[cols] - equations.design.matrix.rmatvec(v, cols) + equations.means[cols] * v_sum
        z[cols] = scipy.linalg.cho_solve((self.factor, True), rest)
        equations.design.matrix.add_matvec(z[cols], v, cols, 1.0, equations.s)
        return v_sum + float(self.sums[cols] @ z[cols])


def factorised(gram: NDArray[np.float64], diagonal: Vector) -> NDArray[np.float64]:
    """The lower Cholesky factor of `gram + diag(diagonal)`, lifted by rounding where that is what it takes; what is above it is not 0."""
    lift = 0.0
    while True:
        try:
            lifted = gram.copy()
            lifted.flat[:: diagonal.size + 1] += diagonal + lift
            return np.asarray(
                scipy.linalg.cho_factor(lifted.T, lower=True, overwrite_a=True, check_finite=False)[0]
            )  # .T: as LAPACK has it
        except np.linalg.LinAlgError:
            lift = max(100.0 * lift, 1e-14 * float(np.diag(gram).max()))


def _from_light_to_heavy(curvature: Vector, heavy: Int) -> Int:
    """The other columns, crosses before what they refine; within a factor of 4 as they stand in memory."""
    octave = np.frexp(curvature)[1] // 2
    octave[heavy] = OUT
    order = np.argsort(octave.astype(np.int16), kind="stable")
    return order[: curvature.size - heavy.size]


def _heaviest(equations: NormalEquations, least_penalty: Vector) -> Int:
    """The columns for the heavy block: as many as are worth it, as fit, and as keep the Gram's cost within some passes over X."""
    design, curvature = equations.design, equations.diagonal
    worth = np.flatnonzero(curvature > WORTH * least_penalty)
    worth = worth[np.argsort(-curvature[worth], kind="stable")][:MOST_HEAVY]
    a_row = np.cumsum(design.lengths(worth)) / design.n_rows
    affordable = int(np.searchsorted(design.n_rows * a_row**2, GRAM_PASSES * design.nnz))
    return np.sort(worth[:affordable])

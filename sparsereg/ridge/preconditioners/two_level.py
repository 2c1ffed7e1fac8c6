"""Two-level preconditioner for any sparse design: a dense block of heavy columns between two Gauss-Seidel sweeps.

The *heavy* columns, those of most curvature, are solved together by a Cholesky factor of their centred Gram. The others
are swept by Gauss-Seidel once before that and once after it in reverse, which makes the preconditioner symmetric; it is
positive definite as H is. Columns of one factor share no row, so that a sweep solves each factor exactly given the
others. Crosses need the heavy block: a main effect is the sum of its crosses, and sweeps converge slowly along it.

An application costs two sweeps over X and one pass for `H z`, as the sweeps leave `S X z` behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core.kernels import RidgeQuadratic
from sparsereg.ridge.normal_equations import NormalEquations, System
from sparsereg.ridge.pcg import ApproximateInverse

__all__ = ["HeavyBlock", "Identity", "TwoLevel", "cholesky_factor"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Heavy columns: a factor of 32 MB, whose solution costs about as much as a pass over some million entries.
MAX_HEAVY = 2_000
# Heavy columns have this many times their penalty in curvature; the others are well conditioned.
MIN_CURVATURE_RATIO = 10.0
# The cost of the heavy block's Gram in passes over X, a pair of entries counting as one entry.
GRAM_PASSES = 32
# Above half the exponent of any double.
LAST_OCTAVE = 10_000


class Identity(ApproximateInverse):
    """No preconditioner. From 0, conjugate gradients then find the solution of least norm if H is singular."""

    def __init__(self, system: System) -> None:
        self.system = system

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z = g."""
        return g.copy(), self.system.times(g)


@dataclass(frozen=True)
class HeavyBlock:
    """The heavy columns and their centred Gram, for any penalty."""

    cols: Int
    gram: NDArray[np.float64]

    @classmethod
    def of(cls, equations: NormalEquations, least_penalty: Vector) -> HeavyBlock:
        """The columns that are heavy at `least_penalty`; none if X is dense."""
        design = equations.design
        if design.rows is None:
            return cls(np.empty(0, dtype=np.int64), np.empty((0, 0)))
        cols = _heaviest(equations, least_penalty)
        position = np.full((design.rows.shape[0], 1), -1, dtype=np.int32)
        position[cols if design.index_in_rows is None else design.index_in_rows[cols], 0] = np.arange(cols.size)
        gram = design.rows.dense_gram(position, cols.size, equations.s)
        means = equations.means[cols]
        gram -= np.outer(equations.weight_sum * means, means)
        return cls(cols, gram)

    def first(self, k: int) -> HeavyBlock:
        """The first k columns."""
        return HeavyBlock(self.cols[:k], self.gram[:k, :k])


class TwoLevel(ApproximateInverse):
    """Sweep, heavy block, sweep in reverse. Columns with neither penalty nor curvature stay at 0.

    Constant columns have no part in this: what the rounding of a large mean leaves of them over a small penalty would
    grow from sweep to sweep."""

    def __init__(self, system: System, heavy: HeavyBlock) -> None:
        self.system, self.heavy = system, heavy
        equations = system.equations
        H = equations.diagonal + system.penalty
        inverse = np.divide(1.0, H, out=np.zeros_like(H), where=H > 0.0)
        self.constant = equations.constant
        self.alone, inverse[self.constant] = inverse[self.constant], 0.0
        self.sums = equations.weight_sum * equations.means
        self.quadratic = RidgeQuadratic(self.sums, system.penalty, inverse, equations.weight_sum)
        self.forward = _by_curvature(equations.diagonal, heavy.cols)
        self.backward = np.ascontiguousarray(self.forward[::-1])
        self.cholesky = cholesky_factor(heavy.gram, system.penalty[heavy.cols]) if heavy.cols.size else None

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`."""
        equations = self.system.equations
        X, s = equations.design.matrix, equations.s
        z, v = np.zeros(g.size), np.zeros(equations.design.n_rows)
        v_sum = X.gauss_seidel(self.forward, self.quadratic, g, z, v, 0.0, s)
        v_sum = self._solve_heavy(g, z, v, v_sum)
        v_sum = X.gauss_seidel(self.backward, self.quadratic, g, z, v, v_sum, s)
        z[self.constant] = g[self.constant] * self.alone
        Hz = X.rmatvec(v) - equations.means * v_sum
        Hz[self.constant] = 0.0
        Hz += self.system.penalty * z
        return z, Hz

    def _solve_heavy(self, g: Vector, z: Vector, v: Vector, v_sum: float) -> float:
        """Update z and `v = S X z` in place; returns the new `sum(v)`."""
        if self.cholesky is None:
            return v_sum
        equations, cols = self.system.equations, self.heavy.cols
        right = g[cols] - equations.design.matrix.rmatvec(v, cols) + equations.means[cols] * v_sum
        z[cols] = scipy.linalg.cho_solve((self.cholesky, True), right)
        equations.design.matrix.add_matvec(z[cols], v, cols, 1.0, equations.s)
        return v_sum + float(self.sums[cols] @ z[cols])


def cholesky_factor(gram: NDArray[np.float64], penalty: Vector) -> NDArray[np.float64]:
    """The lower Cholesky factor of `gram + diag(penalty)`; entries above the diagonal are not 0.

    If rounding leaves the matrix indefinite, its diagonal is increased by as little as makes it definite."""
    shift = 0.0
    while True:
        try:
            shifted = gram.copy()
            shifted.flat[:: penalty.size + 1] += penalty + shift
            # .T: LAPACK works in place on column-major storage
            return np.asarray(scipy.linalg.cho_factor(shifted.T, lower=True, overwrite_a=True, check_finite=False)[0])
        except np.linalg.LinAlgError:
            shift = max(100.0 * shift, 1e-14 * float(np.diag(gram).max()))


def _by_curvature(curvature: Vector, heavy: Int) -> Int:
    """The other columns in increasing order of curvature, up to a factor of 4, within which storage order stays."""
    octave = np.frexp(curvature)[1] // 2
    octave[heavy] = LAST_OCTAVE
    order = np.argsort(octave.astype(np.int16), kind="stable")
    return order[: curvature.size - heavy.size]


def _heaviest(equations: NormalEquations, least_penalty: Vector) -> Int:
    """The columns of the heavy block: enough curvature, at most `MAX_HEAVY`, and a Gram of at most `GRAM_PASSES`."""
    design, curvature = equations.design, equations.diagonal
    heavy = np.flatnonzero(curvature > MIN_CURVATURE_RATIO * least_penalty)
    heavy = heavy[np.argsort(-curvature[heavy], kind="stable")][:MAX_HEAVY]
    per_row = np.cumsum(design.lengths(heavy)) / design.n_rows
    affordable = int(np.searchsorted(design.n_rows * per_row**2, GRAM_PASSES * design.nnz))
    return np.sort(heavy[:affordable])

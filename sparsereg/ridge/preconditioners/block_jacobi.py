"""Block Jacobi for one-hot designs under strong penalties: one block of heavy columns, every other column by itself.

    M = blockdiag(G_hh + P_h, H_jj for every other j),    z = M^-1 g

with G_hh the heavy columns' centred Gram and P_h their penalties. M is symmetric positive definite because each block
is a principal submatrix of H. An application reads the codes of the finest factors once, to gather `X z` and to sum it
by level for `H z`; a sweep over the factors reads them for each of its steps. It needs more iterations than a sweep,
few more where the penalty exceeds the joint curvature of the other columns of a row.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core.kernels import gather_scatter
from sparsereg.ridge.pcg import ApproximateInverse
from sparsereg.ridge.preconditioners.factor_system import FactorSystem, add_levels
from sparsereg.ridge.preconditioners.two_level import HeavyBlock, cholesky_factor

__all__ = ["BlockJacobi"]

Vector = NDArray[np.float64]


class BlockJacobi(ApproximateInverse):
    """The inverse of M, in factor order, as is `curvature`, the diagonal of `Xc' S Xc`. Valued columns are heavy."""

    def __init__(self, system: FactorSystem, curvature: Vector, heavy: HeavyBlock) -> None:
        self.system = system
        self.inverse = 1.0 / (curvature + system.penalty)
        place = np.empty(curvature.size, dtype=np.int64)
        place[system.factors.order] = np.arange(curvature.size)
        self.heavy = place[heavy.cols]
        self.cholesky = cholesky_factor(heavy.gram, system.penalty[self.heavy]) if self.heavy.size else None

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with `z = M^-1 g`."""
        z = g * self.inverse
        if self.cholesky is not None:
            z[self.heavy] = scipy.linalg.cho_solve((self.cholesky, True), g[self.heavy], check_finite=False)
        return z, self._times(z)

    def _times(self, z: Vector) -> Vector:
        system, factors = self.system, self.system.factors
        x = {t: np.append(z[factors.slices[t]], 0.0) for t in factors.finest}
        for f, t in factors.refinement.items():
            add_levels(factors.nesting[t, f], z[factors.slices[f]], x[t][:-1])
        q = {t: np.zeros(codes.n_levels + 1) for t, codes in factors.finest.items()}
        v = np.zeros(factors.n_rows)
        if system.valued:
            X, cols = system.valued
            X.add_matvec(z[factors.n_factor_cols :], v, cols, 1.0, system.s)
        gather, scatter = ([(codes, by[t]) for t, codes in factors.finest.items()] for by in (x, q))
        gather_scatter(v, gather, scatter, system.s)
        return system.times(z, v, q)

"""A reduced basis for designs with a saturated factor, one whose levels determine the whole row, as the cells of a
map do.

Given the coefficients u of the other columns and the intercept b0, the coefficient of each level c of the saturated
factor follows at any strength::

    z_c = (b_c - n_c (b0 + x_c' u)) / (n_c + alpha v_c)

where n_c is the weight of its rows, b_c the weighted sum of the target over them, and `x_c' u` what the other columns
predict there. So a point is a few numbers, its gradient on the levels is 0 except for the intercept's part, and no
vectors over levels are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import ALPHA_BLOCK
from sparsereg.ridge.normal_equations import System
from sparsereg.ridge.preconditioners.factor_system import to_column_order
from sparsereg.ridge.preconditioners.saturated_factor import SaturatedFactor
from sparsereg.ridge.sketched_basis import Certificates, PathPoint, SketchedBasis, added

__all__ = ["SaturatedBasis", "SaturatedPoint"]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]


class SaturatedPoint(NamedTuple):
    """The solution at one strength, from which the coefficients of all columns follow.

    Attributes
    ----------
    saturated : SaturatedFactor
    levels : (float64 array, float64 array or None)
        b on the levels, and their penalty factors, None for 1.
    U : list of float64 arrays of shape (n_others,)
    a : float64 array
        The coefficient of each of these vectors.
    intercept, alpha : float
    """

    saturated: SaturatedFactor
    levels: tuple[Vector, Vector | None]
    U: list[Vector]
    a: Vector
    intercept: float
    alpha: float

    def w(self) -> Vector:
        saturated, (b, v) = self.saturated, self.levels
        u, z = added(np.zeros(saturated.n_others.size), self.U, self.a), np.zeros(saturated.n.size)
        saturated.add_fitted(z, u, self.intercept)
        z *= -saturated.n
        z += b
        z /= saturated.n + self.alpha * (1.0 if v is None else v)
        return to_column_order(saturated.factors.order, saturated.joined(z, u))


class SaturatedBasis(SketchedBasis):
    """Solutions u at some strengths, sketched as vectors over all columns.

    The sketch finds the combination of u and b0 with the least gradient on all columns, but the levels then follow
    from u. That makes gradients five to twenty times shorter than the sketch says, which `slack` allows for.

    Parameters
    ----------
    system : System
        Of one target at strength 0.
    saturated : SaturatedFactor
        Of the same equations.
    """

    slack = 4.0

    def __init__(self, system: System, saturated: SaturatedFactor) -> None:
        super().__init__(system.equations, system.b, saturated.factors.order)
        self.saturated = saturated
        self.b_levels, self.b_others = self.b[saturated.part].copy(), saturated.others(self.b)
        self.v_levels = None if (self.factor == 1.0).all() else self.factor[saturated.part]
        self._cells = saturated.cells(self.b_levels, self.v_levels)
        self.v_others = saturated.others(self.factor)
        self._b_by_v = self.b_levels if self.v_levels is None else self.b_levels / self.v_levels
        self._constant = np.flatnonzero(saturated.others(self.diagonal) == 0.0)
        self._buffers = np.empty(saturated.n.size), np.empty(saturated.n.size)  # output of `schur_system` in `solve`
        self.U: list[Vector] = []
        self.intercepts: list[float] = []
        self._latest: dict[float, int] = {}  # the last solution at each strength

    def solve(self, alpha: float, a: Vector, limit: float, max_iter: int) -> tuple[float, int]:
        """See `SketchedBasis`.

        Without the saturated factor, what remains is ridge on its levels in place of the rows, with weights `n p / (n
        + p)`, p the penalty. The weighted residual there is `p z`, at first without the intercept.
        """
        saturated, penalty = self.saturated, alpha * self.v_others
        u = added(np.zeros(penalty.size), self.U, a)
        weights, pz = self._buffers
        sums, products = saturated.schur_system(self._cells, alpha, u, self._buffers)
        system = saturated.reduced_system(weights, sums, penalty)
        inner, weight_sum = saturated.preconditioner(system), system.weight_sum
        intercept = saturated.total(products) / weight_sum if weight_sum else 0.0
        step, g, done = inner.descend(products - intercept * sums - penalty * u, limit, max_iter)
        if weight_sum:
            intercept -= float(sums @ step) / weight_sum
        saturated.add_fitted(pz, -step, -intercept, weights)
        u += step
        # The coefficients of constant columns belong to the intercept, which is not penalized; without weighted rows,
        # to nothing.
        intercept += float(u[self._constant] @ (saturated.n_others[self._constant] > 0.0))
        u[self._constant] = g[self._constant] = 0.0
        self._add(alpha, u, intercept, g, pz)
        return float(np.linalg.norm(g)), done

    def _add(self, alpha: float, u: Vector, intercept: float, g: Vector, pz: Vector) -> None:
        """Add the solution of u and, on the levels, z. g is 0 on the levels, and `H0 w = b - alpha V w - g`."""
        Vw = self.sketch(pz, self.saturated.part.start) / alpha + self._sketched_others(self.v_others * u)
        H0w = self._sketched_b - alpha * Vw - self._sketched_others(g)
        bw = float(self.b_others @ u) + float(self._b_by_v @ pz) / alpha
        if alpha in self._latest:  # rounding made the sketch of the earlier solution wrong
            self.retire(self._latest[alpha])
        self._latest[alpha] = self.n_vectors
        self.add_sketches(H0w, Vw, bw)
        self.U.append(u)
        self.intercepts.append(intercept)

    def _sketched_others(self, x: Vector) -> Vector:
        """The sketch of a vector that is 0 on the levels."""
        part = self.saturated.part
        return self.sketch(x[: part.start]) + self.sketch(x[part.start :], part.stop)

    def certificates(self, alphas: Vector, A: Matrix2) -> Certificates:
        n = self.saturated.n
        squares = float(n @ n)
        by_factor = squares if self.v_levels is None else float(n @ (n / self.v_levels))
        by_v = 1.0 / self.v_others
        out = Certificates(*np.empty((3, alphas.size)))
        for those, left in self._residuals(alphas, A):
            g2 = left.g * left.g
            out.norms[those] = np.sqrt(g2.sum(axis=1) + left.mean**2 * squares)
            out.gaps[those] = (g2 @ by_v + left.mean**2 * by_factor) / alphas[those]
            out.means[those] = -(left.intercepts + left.mean)
        return out

    def explained(self, alphas: Vector, A: Matrix2) -> Vector:
        """See `SketchedBasis`: `b' w + g' w`, which is `b' H^-1 b - g' H^-1 g`."""
        out, saturated = np.empty(alphas.size), self.saturated
        for those, left in self._residuals(alphas, A):
            offset = saturated.n.sum() * left.intercepts
            nz = self.b_levels.sum() - left.u @ saturated.n_others - offset - left.total
            out[those] = left.u @ self.b_others + left.bz + (left.g * left.u).sum(axis=1) - left.mean * nz
        return out

    def gradients(self, alphas: Vector, A: Matrix2) -> Iterator[Vector]:
        for _, left in self._residuals(alphas, A):
            for g, mean in zip(left.g, left.mean, strict=True):
                yield self.saturated.joined(-mean * self.saturated.n, g)

    def points(self, alphas: Vector, A: Matrix2) -> list[PathPoint]:
        levels = self.b_levels, self.v_levels
        found = zip(A, A @ np.array(self.intercepts), alphas.tolist(), strict=True)
        return [SaturatedPoint(self.saturated, levels, self.U, *point) for point in found]

    def _residuals(self, alphas: Vector, A: Matrix2) -> Iterator[tuple[slice, _Residuals]]:
        """The residuals of combinations, for `ALPHA_BLOCK` strengths at a time."""
        saturated, weight_sum = self.saturated, self.equations.weight_sum
        U, intercepts = np.array(self.U).reshape(len(self.U), saturated.n_others.size), np.array(self.intercepts)
        work = np.zeros((saturated.n_others.size + 1, 2 * ALPHA_BLOCK))
        for begin in range(0, alphas.size, ALPHA_BLOCK):
            those = slice(begin, min(begin + ALPHA_BLOCK, alphas.size))
            full = np.arange(begin, begin + ALPHA_BLOCK).clip(max=alphas.size - 1)  # the last is repeated to fill up
            b0, shares = A[full] @ intercepts, A[full].T
            np.matmul(U.T, np.hstack([shares, -alphas[full] * shares]), out=work[:-1])  # u, and its penalty's gradient
            if self.v_levels is not None:
                work[:-1, ALPHA_BLOCK:] *= self.v_others[:, None]
            total, bz = saturated.schur_residuals(self._cells, alphas[full], work, b0)
            g, mean = np.ascontiguousarray(work[:-1, ALPHA_BLOCK:].T), total / weight_sum * saturated.fit_intercept
            g -= mean[:, None] * saturated.n_others
            few = those.stop - begin
            yield those, _Residuals(g[:few], work[:-1, :few].T, b0[:few], mean[:few], total[:few], bz[:few])


class _Residuals(NamedTuple):
    """Of k points.

    g: gradients on the other columns, of shape (k, n_others). u: their coefficients. intercepts: without `mean`, the
    mean residual, by which they are off. total: the sum of the residual. bz: `b' z` on the levels.
    """

    g: Matrix2
    u: Matrix2
    intercepts: Vector
    mean: Vector
    total: Vector
    bz: Vector

"""What solved points can do for ridge at many strengths where one field says all, as the cells of a map do. Knows no estimators.

Given the other columns' coefficients u and the intercept b0, each level c of that field, the top, follows by itself, at any strength:

    z_c = (b_c - n_c (b0 + x_c' u)) / (n_c + alpha v_c)

with its rows n_c, the sum b_c of the target over them, and what the other columns come to there, `x_c' u`. So a point is few numbers,
its gradient on the top is 0 but for the intercept's part, and there are no vectors over the top's levels to hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import STRENGTHS
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.preconditioners.nested_factors import scattered
from sparsereg.ridge.preconditioners.saturated_factor import Grouped
from sparsereg.ridge.reduced_basis import Certificates, Point, Sketched, combination

__all__ = ["GroupedBasis", "GroupedPoint"]

Vector = NDArray[np.float64]


class GroupedBasis(Sketched):
    """Solutions u at some strengths; sketched as vectors of all columns.

    The combination with the least gradient on all columns is taken of u and b0 alone, and the top follows. That leaves gradients some five
    to twenty times shorter, so sketches are given room.

    Parameters
    ----------
    equations : NormalEquations
    b : float64 array of shape (n_cols,)
        The right side.
    grouped : Grouped
        Of the same equations.
    """

    room = 4.0

    def __init__(self, equations: NormalEquations, b: Vector, grouped: Grouped) -> None:
        super().__init__(equations, b, grouped.all_fields.order)
        self.grouped = grouped
        self.b_top, self.b_others = self.b[grouped.part].copy(), grouped.others(self.b)
        self._plain = bool((self.factor == 1.0).all())
        self.v_top = None if self._plain else self.factor[grouped.part]
        self.v_others = grouped.others(self.factor)
        self._b_by_v = self.b_top if self.v_top is None else self.b_top / self.v_top
        self._constant = np.flatnonzero(equations.diagonal[grouped.others(grouped.all_fields.order)] == 0.0)
        self._room = np.empty(grouped.n.size), np.empty(grouped.n.size)  # for what `weighed` gives; one solve at a time
        self.U: list[Vector] = []
        self.intercepts: list[float] = []
        self._solved: dict[float, int] = {}  # the last solution at each strength

    def solve(self, alpha: float, a: Vector, target: float, max_iter: int) -> tuple[float, int]:
        """Solves at alpha from a combination and takes the solution in; the length of the gradient, and the iterations.

        What is left once the top is eliminated is ridge on its levels in place of the rows, with weights `n p / (n + p)`. The weighted
        residual there is `p z`, which first leaves the intercept out."""
        grouped, penalty = self.grouped, alpha * self.v_others
        u = combination(self.U, a, penalty.size)
        weights, pz = self._room
        sums, met = grouped.weighed(self.b_top, self.v_top, alpha, u, self._room)
        inner = grouped.preconditioner(weights, sums, penalty)
        weight_sum = inner.rows.weight_sum
        intercept = grouped.total(met) / weight_sum if weight_sum else 0.0
        step, g, done = inner.descend(met - intercept * sums - penalty * u, target, max_iter)
        if weight_sum:
            intercept -= float(sums @ step) / weight_sum
        grouped.give(pz, -step, -intercept, weights)
        u += step
        # What constant columns come to is the intercept's, which is not penalised; those of rows without weight come to nothing.
        intercept += float(u[self._constant] @ (grouped.n_others[self._constant] > 0.0))
        u[self._constant] = g[self._constant] = 0.0
        self._take_in_solution(alpha, u, intercept, g, pz)
        return float(np.linalg.norm(g)), done

    def _take_in_solution(self, alpha: float, u: Vector, intercept: float, g: Vector, pz: Vector) -> None:
        """w consists of u and, on the top, z, and g is 0 there: `H0 w = b - alpha V w - g`."""
        part = self.grouped.part
        Vw = self.sketch(pz, part.start) / alpha + self._sketched_others(self.v_others * u)
        H0w = self._sketched_b - alpha * Vw - self._sketched_others(g)
        bw = float(self.b_others @ u) + float(self._b_by_v @ pz) / alpha
        if alpha in self._solved:  # rounding has hidden what the last solution left: its sketch is not true
            self.retire(self._solved[alpha])
        self._solved[alpha] = self.size
        self.take_in(H0w, Vw, bw)
        self.U.append(u)
        self.intercepts.append(intercept)

    def _sketched_others(self, x: Vector) -> Vector:
        """Of a vector that is 0 on the top."""
        part = self.grouped.part
        return self.sketch(x[: part.start]) + self.sketch(x[part.start :], part.stop)

    def certificates(self, alphas: Vector, A: NDArray[np.float64]) -> Certificates:
        n = self.grouped.n
        squares = float(n @ n)
        by_factor = squares if self.v_top is None else float(n @ (n / self.v_top))
        by_v = 1.0 / self.v_others
        found = Certificates(np.empty(alphas.size), np.empty(alphas.size), np.empty(alphas.size))
        for here, left in self._left(alphas, A):
            g2 = left.g * left.g
            found.sizes[here] = np.sqrt(g2.sum(axis=1) + left.mean**2 * squares)
            found.gaps[here] = (g2 @ by_v + left.mean**2 * by_factor) / alphas[here]
            found.means[here] = -(left.intercepts + left.mean)
        return found

    def explained(self, alphas: Vector, A: NDArray[np.float64]) -> Vector:
        """`b' w + g' w` of these points: `b' H^-1 b` but for `g' H^-1 g`."""
        out, grouped = np.empty(alphas.size), self.grouped
        for here, left in self._left(alphas, A):
            nz = self.b_top.sum() - left.u @ grouped.n_others - grouped.n.sum() * left.intercepts - left.total
            out[here] = left.u @ self.b_others + left.bz + (left.g * left.u).sum(axis=1) - left.mean * nz
        return out

    def gradients(self, alphas: Vector, A: NDArray[np.float64]) -> Iterator[Vector]:
        for _, left in self._left(alphas, A):
            for g, mean in zip(left.g, left.mean, strict=True):
                yield self.grouped.joined(-mean * self.grouped.n, g)

    def points(self, alphas: Vector, A: NDArray[np.float64]) -> list[Point]:
        top = self.b_top, self.v_top
        found = zip(A, A @ np.array(self.intercepts), alphas.tolist(), strict=True)
        return [GroupedPoint(self.grouped, top, self.U, *point) for point in found]

    def _left(self, alphas: Vector, A: NDArray[np.float64]) -> Iterator[tuple[slice, _Left]]:
        """What combinations leave, some strengths at a time."""
        grouped, weight_sum = self.grouped, self.equations.weight_sum
        U, intercepts = np.array(self.U).reshape(len(self.U), grouped.n_others.size), np.array(self.intercepts)
        work = np.zeros((grouped.n_others.size + 1, 2 * STRENGTHS))
        for begin in range(0, alphas.size, STRENGTHS):
            here = slice(begin, min(begin + STRENGTHS, alphas.size))
            full = np.arange(begin, begin + STRENGTHS).clip(max=alphas.size - 1)  # the last once more, if it takes that
            b0, shares = A[full] @ intercepts, A[full].T
            np.matmul(U.T, np.hstack([shares, -alphas[full] * shares]), out=work[:-1])  # u, and its penalty's gradient
            if not self._plain:
                work[:-1, STRENGTHS:] *= self.v_others[:, None]
            total, bz = grouped.add_left(self.b_top, self.v_top, alphas[full], work, b0)
            g, mean = np.ascontiguousarray(work[:-1, STRENGTHS:].T), total / weight_sum * grouped.centred
            g -= mean[:, None] * grouped.n_others
            few = here.stop - begin
            left = _Left(g[:few], work[:-1, :few].T, b0[:few], mean[:few], total[:few], bz[:few])
            yield here, left


class _Left(NamedTuple):
    """Of k points: gradients on the other columns and u, of shape (k, n_others), the intercepts, the mean residual, which is how far
    those are off, the sum of the residual, and `b' z` on the top."""

    g: NDArray[np.float64]
    u: NDArray[np.float64]
    intercepts: Vector
    mean: Vector
    total: Vector
    bz: Vector


class GroupedPoint(NamedTuple):
    """One strength's solution, from which the coefficients of all columns follow.

    Attributes
    ----------
    grouped : Grouped
    top : (float64 array, float64 array or None)
        b on the top, and its penalty factors, None for 1.
    U : list of float64 arrays of shape (n_others,)
    a : float64 array
        How much there is of each of these.
    intercept, alpha : float
    """

    grouped: Grouped
    top: tuple[Vector, Vector | None]
    U: list[Vector]
    a: Vector
    intercept: float
    alpha: float

    def w(self) -> Vector:
        """The coefficients of all columns, in their own order."""
        grouped, (b, v) = self.grouped, self.top
        u, z = combination(self.U, self.a, grouped.n_others.size), np.zeros(grouped.n.size)
        grouped.give(z, u, self.intercept)
        z *= -grouped.n
        z += b
        z /= grouped.n + self.alpha * (1.0 if v is None else v)
        return scattered(grouped.all_fields.order, grouped.joined(z, u))

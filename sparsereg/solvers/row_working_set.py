"""The working set of the multi-task problem: columns, their rows of coefficients, and the Gram that targets share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import RowCoordinates
from sparsereg.objective.certificate import combine_gap, squared_fenchel_gap
from sparsereg.objective.multi_task import MultiTaskProblem, RowCoefficients
from sparsereg.penalties.rows import row_norms
from sparsereg.rows.memory import MemoryGram
from sparsereg.solvers.working_set import NEGLIGIBLE

__all__ = ["RowWorkingSet"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Most products with the Gram matrix in a Newton step, and halvings of it.
MAX_PRODUCTS = 50
# Coefficients up to which a Newton step is solved directly: a dense square of 0.3 MB, some milliseconds.
MAX_DIRECT = 200
MAX_HALVINGS = 20
# A Newton step is solved to this share of its slope.
NEWTON_TOL = 1e-3


class RowWorkingSet:
    """Columns side by side, each with K coefficients.

    Before and after every method `q = X_W' R` for the residuals that are not centred, and `r_sum` their sums.

    Attributes
    ----------
    cols : int64 array of shape (m,)
    w, q, c0 : float64 arrays of shape (m, K)
        Coefficients; products with the residuals; centred gradients at W = 0.
    sums, sq, l1, l2 : float64 arrays of shape (m,)
        `x_j' s`, the curvature, and the strengths at the present alpha.
    """

    def __init__(self, problem: MultiTaskProblem) -> None:
        self.problem = problem
        first = problem.tasks[0]
        self.gram = MemoryGram(problem.rows, first.center)
        self.cols = np.empty(0, dtype=np.int64)
        self.sums, self.sq, self.l1, self.l2 = (np.empty(0) for _ in range(4))
        self.w, self.q, self.c0 = (np.empty((0, problem.n_outputs)) for _ in range(3))
        self.r_sum = np.zeros(problem.n_outputs)
        self.scale, self.l1_ratio = 0.0, 1.0

    @property
    def m(self) -> int:
        return self.cols.size

    def add(self, cols: Int) -> None:
        """Append columns, at 0."""
        if not cols.size:
            return
        problem = self.problem
        sums, sq = problem.tasks[0].moments(cols)[:2]
        c0 = problem.gradients(RowCoefficients.zero(problem.n_outputs), cols)
        self.gram.extend(cols)
        self.cols = np.concatenate([self.cols, cols])
        self.sums, self.sq = np.concatenate([self.sums, sums]), np.concatenate([self.sq, sq])
        self.c0 = np.concatenate([self.c0, c0])
        self.w = np.concatenate([self.w, np.zeros_like(c0)])
        self.set_strength_of_scale()
        self.refresh()

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        """Make alpha the present strength."""
        self.scale, self.l1_ratio = self.problem.weight_sum * alpha, l1_ratio
        self.set_strength_of_scale()

    def set_strength_of_scale(self) -> None:
        """`l1` and `l2` of the columns."""
        self.l1, self.l2 = self.problem.penalty.strengths(self.scale, self.l1_ratio, self.cols)

    def set_w(self, coef: RowCoefficients) -> None:
        """Take these coefficients, on columns that are here; others are 0."""
        order = np.argsort(self.cols)
        self.w = np.zeros_like(self.w)
        self.w[order[np.searchsorted(self.cols, coef.cols, sorter=order)]] = coef.w
        self.refresh()

    def move(self, at: Int, step: Vector) -> None:
        """Add to the rows at these positions."""
        self.w[at] += step
        self.refresh()

    def coefficients(self) -> RowCoefficients:
        """The rows that are not 0, in the order of the columns; those that move nothing beyond rounding are 0: leaving
        one out adds `(sq + l2) |w|^2 / 2` to the objective."""
        moved = row_norms(self.w) * np.sqrt(self.sq + self.l2)
        least = NEGLIGIBLE * min(float(moved.max(initial=0.0)), np.sqrt(self.problem.null_deviance))
        return RowCoefficients(self.cols, np.where((moved > least)[:, None], self.w, 0.0)).nonzero()

    def refresh(self) -> None:
        """q and r_sum from W, so that rounding does not accumulate."""
        self.q = np.ascontiguousarray(self.c0 - self._products(self.w))
        self.r_sum = -(self.sums @ self.w)

    def _products(self, x: Vector) -> Vector:
        """The Gram, not centred, times x of shape (m, K)."""
        out = np.zeros((x.shape[1], self.m))
        for k in range(x.shape[1]):
            self.gram.store.subtract(np.ascontiguousarray(x[:, k]), out[k])
        return -out.T

    def gradient(self) -> Vector:
        """`x_j' R`, centred."""
        return self.q - np.outer(self.sums, self.r_sum / self.problem.weight_sum)

    def gap(self) -> float:
        """The gap of `S F` while every other column is within its threshold."""
        c = self.gradient()
        terms = self.problem.penalty.gap_terms(self.w, c, self.l1, self.l2)
        squared = self.problem.null_deviance - float(((self.c0 + c) * self.w).sum())
        return combine_gap(terms, squared_fenchel_gap(max(squared, 0.0))) + self._unpenalized_gap(c)

    def _unpenalized_gap(self, c: Vector) -> float:
        """What unpenalized columns can still explain."""
        at = np.flatnonzero((self.l1 + self.l2 == 0.0) & (self.sq > 0.0))
        if not at.size:
            return 0.0
        order = at[np.argsort(self.cols[at])]
        parts = [
            task.unpenalized_least_squares(self.cols[order], np.ascontiguousarray(c[order, k]))[1]
            for k, task in enumerate(self.problem.tasks)
        ]
        return 0.5 * float(sum(parts))

    def value(self) -> float:
        """`S F` less half of |Y|^2, over these columns."""
        return self.problem.penalty.value(self.w, self.l1, self.l2) - 0.5 * float(
            ((self.c0 + self.gradient()) * self.w).sum()
        )

    def descend(self, max_epochs: int, tol: float, order: Int) -> tuple[int, float]:
        """Epochs of block coordinate descent; returns how many, and the largest decrease of the last."""
        co = RowCoordinates(self.w, self.r_sum, self.sums, self.sq, self.l1, self.l2, self.problem.weight_sum)
        return co.cd(self.gram.store, order, self.q, max_epochs, tol)

    def newton(self) -> int:
        """A Newton step on the rows that are not 0, halved until the value falls; rows that would turn round stop at 0.

        Returns the products it took. Between rows that stay away from 0 the penalty is smooth: its Hessian there is
        `l1/|w| (I - u u') + l2`, u the row's direction.
        """
        norms = row_norms(self.w)
        active = norms > 0.0
        if not active.any():
            return 0
        direction = np.where(active[:, None], self.w, 0.0) / np.where(active, norms, 1.0)[:, None]
        bend = np.where(active, self.l1 / np.where(active, norms, 1.0), 0.0)
        slope = self.gradient() - self.l1[:, None] * direction - self.l2[:, None] * self.w
        if np.count_nonzero(active) * self.w.shape[1] <= MAX_DIRECT:
            step, products = self._direct(slope, direction, bend, np.flatnonzero(active)), 1
        else:
            step, products = self._conjugate_gradients(np.where(active[:, None], slope, 0.0), direction, bend, active)
        old, before, t = self.w, self.value(), 1.0
        for _ in range(MAX_HALVINGS):
            new = old + t * step
            turned = active & (np.einsum("jk,jk->j", new, old) <= 0.0) & (self.l1 > 0.0)
            self.w = np.where(turned[:, None], 0.0, new)
            self.refresh()
            if self.value() < before:
                return products
            t *= 0.5
        self.w = old
        self.refresh()
        return products

    def least_squares(self, rounds: int, share: float) -> tuple[RowCoefficients, float]:
        """The least loss plus the l2 term over the rows that are not 0, and `|R|_s^2` there. The rows here stay.

        At most so many rounds of conjugate gradients, until the slope is this share of what it was."""
        old, active = self.w, np.isin(self.cols, self.coefficients().cols)
        straight, flat = np.zeros_like(old), np.zeros_like(self.l1)
        self.w = np.where(active[:, None], old, 0.0)
        self.refresh()
        sizes = list[float]()
        for _ in range(rounds):
            slope = np.where(active[:, None], self.gradient() - self.l2[:, None] * self.w, 0.0)
            sizes.append(float(np.linalg.norm(slope)))
            if sizes[-1] <= share * sizes[0]:
                break
            self.w = self.w + self._conjugate_gradients(slope, straight, flat, active)[0]
            self.refresh()
        coef = RowCoefficients(self.cols, self.w).nonzero()
        squared = self.problem.null_deviance - float(((self.c0 + self.gradient()) * self.w).sum())
        self.w = old
        self.refresh()
        return coef, max(squared, 0.0)

    def _direct(self, slope: Vector, direction: Vector, bend: Vector, at: Int) -> Vector:
        """The step from the Hessian as a dense square; of dependent directions, the shortest."""
        n_outputs, sums = self.w.shape[1], self.sums[at]
        gram = self.gram.store.toarray()[np.ix_(at, at)] - np.outer(sums, sums / self.problem.weight_sum)
        hessian = np.einsum("ab,kl->akbl", gram, np.eye(n_outputs))
        own = np.arange(at.size)
        hessian[own, :, own] += (self.l2 + bend)[at, None, None] * np.eye(n_outputs)
        hessian[own, :, own] -= np.einsum("a,ak,al->akl", bend[at], direction[at], direction[at])
        size = at.size * n_outputs
        step = np.zeros_like(slope)
        step[at] = np.linalg.lstsq(hessian.reshape(size, size), slope[at].ravel())[0].reshape(at.size, n_outputs)
        return step

    def _conjugate_gradients(
        self, slope: Vector, direction: Vector, bend: Vector, active: NDArray[np.bool_]
    ) -> tuple[Vector, int]:
        """The step, and the products it took; preconditioned by the diagonal."""

        def product(v: Vector) -> Vector:
            along = np.einsum("jk,jk->j", direction, v)[:, None] * direction
            out = self._products(v) - np.outer(self.sums, self.sums @ v / self.problem.weight_sum)
            return np.where(active[:, None], out + self.l2[:, None] * v + bend[:, None] * (v - along), 0.0)

        diagonal = self.sq + self.l2 + bend
        inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0)[:, None]
        x, r = np.zeros_like(slope), slope.copy()
        z = inverse * r
        p, rz = z.copy(), float((r * z).sum())
        first = rz
        for done in range(MAX_PRODUCTS):
            if not rz > NEWTON_TOL**2 * first:
                return x, done
            hp = product(p)
            curvature = float((p * hp).sum())
            if not curvature > 0.0:
                return x, done + 1
            x += rz / curvature * p
            r -= rz / curvature * hp
            z = inverse * r
            new = float((r * z).sum())
            p = z + new / rz * p
            rz = new
        return x, MAX_PRODUCTS

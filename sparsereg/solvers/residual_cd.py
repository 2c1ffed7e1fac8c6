"""Coordinate descent on the residual: for rows in memory, where the Gram matrix would cost more."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Coordinates, GramStore
from sparsereg.objective.quadratic import Quadratic
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows
from sparsereg.solvers.direct_step import direct_step
from sparsereg.solvers.working_set import ENOUGH_MARGINS, MAX_DIRECT, MAX_SWEEPS, Position, WorkingSet, padded

__all__ = ["ResidualCD"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Passes over all columns in search of a dual point, for how many of them a column counts as violated lately, the least
# number of sweeps after each, and for how many of these a column goes on without being violated.
MAX_PASSES = 25
LATELY = 3
MIN_SWEEPS = 5
QUIET_SWEEPS = 2


class ResidualCD(WorkingSet):
    """An epoch costs the entries of the working set, twice.

    Before and after every method: r = s (y - center - X w), not centred, and r_sum = sum(r).
    """

    name = "residual_cd"

    def __init__(self, quadratic: Quadratic) -> None:
        super().__init__(quadratic)
        if not quadratic.rows.in_memory:
            raise ValueError("the residual of these rows is not in memory; use solver='cd'.")
        self.rows = cast(MemoryRows, quadratic.rows)
        self.r = self.rows.residual(None, quadratic.center)
        self.r_sum = 0.0

    def _added(self, cols: Int) -> None:
        pass

    def set_w(self, w: Vector) -> None:
        self.w = w.copy()
        self.r = self.rows.residual(Coefficients(self.cols, w), self.quadratic.center)
        self.r_sum = -self.products_sum()

    def position(self) -> Position:
        return Position(self.w, self.r, self.r_sum)

    def move_to(self, there: Position) -> None:
        self.w, self.r, self.r_sum = there

    def return_to(self, before: Position) -> None:
        """Columns at 0 leave the residual as it was."""
        self.move_to(before._replace(w=padded(before.w, self.m)))

    def project(self, start: Position, margin: float) -> Position:
        """Between two passes over all columns sweeps over those that were violated lately, for about as long: in the
        end a few columns that share their rows take turns."""
        u, r = start.w.copy(), start.state.copy()
        co, age, enough = self._coordinates(start.r_sum, u), np.full(self.m, LATELY), ENOUGH_MARGINS * margin
        for _ in range(MAX_PASSES):
            magnitude = self.quadratic.penalty.dual_magnitude(self._gradient_at(r, co.r_sum) - self.l2 * u)
            if not (magnitude > (1.0 + enough) * self.l1).any():
                break
            age += 1
            age[magnitude > self.l1] = 0
            self._sweep(np.flatnonzero(age < LATELY), co, u, r, margin)
        return Position(u, r, co.r_sum)

    def _sweep(self, order: Int, co: Coordinates, u: Vector, r: Vector, margin: float) -> None:
        """Sweeps of projections over the columns in `order`, without those that were not violated in the last ones:
        their entries would be read for nothing."""
        lengths, left = self.rows.lengths(self.cols), self.nnz
        quiet = np.zeros(self.m, dtype=np.int8)
        for sweep in range(MAX_SWEEPS):
            if not order.size or (sweep >= MIN_SWEEPS and left <= 0):
                break
            before = u[order]
            left -= int(lengths[order].sum())
            if self.rows.design.matrix.project_residual(self.cols, co, order, margin, r, self.rows.s) <= margin:
                break
            quiet[order] = np.where(u[order] == before, quiet[order] + 1, 0)
            order = order[quiet[order] < QUIET_SWEEPS]

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:
        co = self._coordinates(self.r_sum)
        matrix, moved, epochs = self.rows.design.matrix, np.inf, 0
        while epochs < max_epochs and moved > tol:
            moved = matrix.cd_residual(self.cols, co, order, self.r, self.rows.s)
            epochs += 1
        self.r_sum = co.r_sum
        return epochs

    def gradient(self) -> Vector:
        return self._gradient_at(self.r, self.r_sum)

    def gradient_of(self, cols: Int | None) -> Vector:
        """From the residual, which is at hand."""
        mean = self.r_sum / self.quadratic.weight_sum
        centered = self.r if mean == 0.0 else self.r - mean * (1.0 if self.rows.s is None else self.rows.s)
        return self.rows.design.rmatvec(centered, cols)

    def gram_product(self, x: Vector) -> Vector:
        z = np.zeros_like(self.r)
        self.rows.design.matrix.add_matvec(x, z, self.cols, 1.0, self.rows.s)
        return self._gradient_at(z, float(self.sums @ x))

    def newton_is_cheap(self) -> bool:
        """By count: products of every two active columns, and twice the entries of all columns for an epoch."""
        active = self.w != 0.0
        return self._takes_direct_steps(active) and self._direct_is_cheap(active)

    def newton_step(self, slope: Vector, active: NDArray[np.bool_], max_products: int) -> tuple[Vector, int]:
        """Directly, on a Gram matrix of the active columns, where that is cheap, or where conjugate gradients used up
        their products the last time."""
        if not (self._takes_direct_steps(active) and (self.ill_conditioned or self._direct_is_cheap(active))):
            return super().newton_step(slope, active, max_products)
        at, quadratic, kernel = np.flatnonzero(active), self.quadratic, cast(int, self.quadratic.penalty.kernel)
        store = GramStore(self.rows.design.matrix, None, None, self.rows.s)
        store.append(self.cols[at], by_rows=False)
        sums, sq, l1, l2 = (values[at] for values in (self.sums, self.sq, self.l1, self.l2))
        step = np.zeros_like(slope)
        # The kernel takes columns with w != 0.
        co = Coordinates(np.ones(at.size), sums, sq, l1, l2, quadratic.weight_sum, kernel, self.r_sum)
        step[at] = direct_step(store, co, slope[at])
        return step, 1

    def _takes_direct_steps(self, active: NDArray[np.bool_]) -> bool:
        return self.quadratic.penalty.kernel is not None and bool(0 < np.count_nonzero(active) <= MAX_DIRECT)

    def _direct_is_cheap(self, active: NDArray[np.bool_]) -> bool:
        entries = int(self.rows.lengths(self.cols[active]).sum())
        return int(np.count_nonzero(active)) * entries <= 2 * self.cheap_epochs * 2 * self.nnz

    def _gradient_at(self, r: Vector, r_sum: float) -> Vector:
        c: Vector = self.rows.design.matrix.rmatvec(r, self.cols)
        c -= self.sums * (r_sum / self.quadratic.weight_sum)
        return c

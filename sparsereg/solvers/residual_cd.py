"""Coordinate descent on the residual: for rows in memory, where the Gram matrix would cost more."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.quadratic import Quadratic
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows
from sparsereg.solvers.working_set import WorkingSet

__all__ = ["ResidualCD"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class ResidualCD(WorkingSet):
    """An epoch costs the entries of the working set, twice.

    Before and after every method: r = s (y - center - X w), not centred, and r_sum = sum(r).
    """

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
        self.w[:] = w
        self.r = self.rows.residual(Coefficients(self.cols, w), self.quadratic.center)
        self.r_sum = -self.products_sum()

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

    def gram_product(self, x: Vector) -> Vector:
        z = np.zeros_like(self.r)
        self.rows.design.matrix.add_matvec(x, z, self.cols, 1.0, self.rows.s)
        return self._gradient_at(z, float(self.sums @ x))

    def _gradient_at(self, r: Vector, r_sum: float) -> Vector:
        c: Vector = self.rows.design.matrix.rmatvec(r, self.cols)
        c -= self.sums * (r_sum / self.quadratic.weight_sum)
        return c

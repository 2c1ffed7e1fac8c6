"""Coordinate descent on the second-order model of a loss, on a residual for all rows: where a Gram matrix would cost
more. The weights are the present curvatures, always."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import Problem
from sparsereg.rows.memory import MemoryRows
from sparsereg.rows.row_units import RowUnits
from sparsereg.solvers.curvature_cd import LEAST_CENTERED, CurvatureCD, curvature_quadratic
from sparsereg.solvers.residual_cd import ResidualCD
from sparsereg.solvers.working_set import Position

__all__ = ["CurvatureResidual"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class CurvatureResidual(ResidualCD):
    """As `CurvatureCD`, whose columns and point it may take over; `units` are the same rows, one by one.

    Before and after every method: `r = rho - h X (w - at)`, r_sum its sum with the intercept where it was.
    """

    is_model = True

    def __init__(self, problem: Problem, units: RowUnits, old: CurvatureCD | None = None) -> None:
        self.problem, self.units = problem, units
        super().__init__(curvature_quadratic(problem, 1.0, 1.0))
        self.at, self.c, self.squared = np.empty(0), np.empty(0), 2.0 * problem.null_loss
        if old is not None:
            self.at, self.c, self.squared = old.at, old.c, old.squared
            self.cols, self.nnz, self.scale, self.l1_ratio = old.cols, old.nnz, old.scale, old.l1_ratio
        self._set_strengths()
        self.linearize(self.c)

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        self.scale, self.l1_ratio = self.problem.weight_sum * alpha, l1_ratio
        self._set_strengths()

    def join(self, cols: Int, c: Vector) -> None:
        """Append columns at 0, of gradients c."""
        self.units.join(cols)
        self.cols, self.at = np.concatenate([self.cols, cols]), np.concatenate([self.at, np.zeros(cols.size)])
        self.nnz += int(self.problem.rows.lengths(cols).sum())
        self._set_strengths()
        self.c = np.concatenate([self.c, c])
        sums, sq = self._moments(cols)  # the point and its weights stay
        self.sums, self.sq = np.concatenate([self.sums, sums]), np.concatenate([self.sq, sq])
        self.w, self.r, self.r_sum = self.at.copy(), self._rho.copy(), 0.0

    def _moments(self, cols: Int) -> tuple[Vector, Vector]:
        """`X_j' h` of these columns, and their curvatures."""
        stats = self.rows.design.column_stats(self.rows.s, cols)
        sums = stats.sums if self.quadratic.fit_intercept else np.zeros(cols.size)
        centered = stats.sq_norm - sums**2 / self.quadratic.weight_sum
        return sums, np.maximum(centered, LEAST_CENTERED * stats.sq_norm)

    def weigh(self) -> None:
        """The weights are the present curvatures already."""

    def linearize(self, c: Vector) -> None:
        """The model at the present point, where the gradients of the loss are c."""
        units, rows = self.units, self.problem.rows
        units.weigh()
        h = units.gram_weights
        self.c, self.w = c, self.at.copy()
        self.rows = MemoryRows(rows.design, rows.y, h)
        self.quadratic = curvature_quadratic(self.problem, max(float(h.sum()), 1e-300), self.squared)
        self.sums, self.sq = self._moments(self.cols)
        self.r, self.r_sum = units.residual_sums(units.at.mean), 0.0
        self._rho = self.r.copy()

    def dual_position(self, a: Vector, moved: Vector, c: Vector) -> Position:  # noqa: ARG002
        """As for `CurvatureCD`."""
        return Position(self.at + a, self._rho - moved, 0.0)

    def set_w(self, w: Vector) -> None:
        self.w, step = w.copy(), w - self.at
        self.r = self._rho.copy()
        self.rows.design.matrix.add_matvec(step, self.r, self.cols, -1.0, self.rows.s)
        self.r_sum = -float(self.sums @ step)

    def value(self) -> float:
        """Without gradients, which are a pass."""
        return 0.5 * self.squared_residual(self.c) + self.quadratic.penalty.value(self.w, self.l1, self.l2)

    def squared_residual(self, c: Vector) -> float:  # noqa: ARG002
        """By rows."""
        s = self.rows.s
        assert s is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = np.where(s > 0.0, self.r * self.r / s, 0.0)
        return max(float(squares.sum()) - self.r_sum**2 / self.quadratic.weight_sum, 0.0)

"""Bounds on the gradient of columns that are not members, instead of passes over them. Knows no solver.

`c_j = x_j' r_old` was taken at an earlier residual. Since then r has travelled at most `odometer - at_j` (a sum of distances,
so an upper bound on the distance), and `|x_j' r| <= |c_j| + |x_j| (odometer - at_j)`, by Cauchy-Schwarz or by Hoelder, whichever
is the smaller: two odometers, one in the 2-norm and one in the largest entry.
Every column keeps the reading at its own last visit, so visiting a few does not ask for a pass over all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Bounds
from sparsereg.objective.problem import Problem

__all__ = ["Screen"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Columns measured at a time.
CHUNK = 1 << 16
# Towards which a float32 is rounded to stay on the safe side.
BEYOND = np.float32(np.inf)


class Screen:
    """The last known gradient of every observed column, and how far it may have gone since.

    Memory: 14 bytes a column, three numbers in float32 rounded to the safe side and the number of the last visit.
    Inside, everything is measured in units of `|y|`, so that float32 has room for it.
    """

    def __init__(self, problem: Problem, c: Vector) -> None:
        self.problem = problem
        self.unit = 1.0 / np.sqrt(problem.null_deviance) if problem.null_deviance > 0.0 else 1.0
        self.norm2, self.norm1 = (np.zeros(c.size, dtype=np.float32) for _ in range(2))
        for begin in range(0, c.size, CHUNK):  # a chunk at a time: statistics of all columns would take 32 bytes each
            self._measure(np.arange(begin, min(begin + CHUNK, c.size)))
        factor = problem.penalty.l1_factor
        self.factor = factor if isinstance(factor, np.ndarray) else None
        # Constant columns are left out: their gradient is 0, or rounding.
        constant = self.norm2 == 0.0
        self.norm2[constant] = self.norm1[constant] = -np.inf
        self._bounds = Bounds(problem.penalty.kind, self.norm2, self.norm1, self.factor)
        self.visited_all(c)

    def _measure(self, cols: Int) -> None:
        stats = self.problem.stats(cols)
        with np.errstate(over="ignore", invalid="ignore"):
            self.norm2[cols] = np.where(stats.sq > 0.0, np.nextafter(np.sqrt(stats.sq).astype(np.float32), BEYOND), 0.0)
            self.norm1[cols] = np.nextafter(stats.size.astype(np.float32), BEYOND)
            refused = np.flatnonzero(~np.isfinite(self.norm2[cols] + self.norm1[cols]))
        if refused.size:
            column = self.problem.design.columns[cols[refused[0]]]
            raise ValueError(
                f"Coordinate descent iterations resulted in non-finite parameter values: column {column} of X reaches"
                f" {stats.peak[refused[0]]:.3g}, too large to square. Rescale it."
            )

    def drop(self, cols: Int) -> None:
        """Leave these columns out from now on: they became members, or can never be."""
        self.norm2[cols] = self.norm1[cols] = -np.inf
        self._bounds.update_blocks(np.sort(cols))

    def travel(self, distance2: float, distance1: float) -> None:
        """The residual has moved by at most this much, in the 2-norm and in the largest entry."""
        self._bounds.displace(distance2 * self.unit, distance1 * self.unit)

    def visited(self, cols: Int, c: Vector, aside: float = 0.0) -> tuple[Vector, float]:
        """These gradients were just taken at the present residual. Returns their reach over the factors, and the largest
        that it can be at a point `aside` in the 2-norm."""
        self._bounds.record(cols, c * self.unit)
        reach = self.problem.penalty.dual_magnitude(c)
        bound = reach + aside * self.norm2[cols] if aside > 0.0 else reach
        if self.factor is not None:
            reach, bound = reach / self.factor[cols], bound / self.factor[cols]
        return reach, float(bound.max())

    def visited_all(self, c: Vector) -> None:
        """The gradient of every column was just taken."""
        self.top = 0.0
        for begin in range(0, c.size, CHUNK):
            here = np.arange(begin, min(begin + CHUNK, c.size))
            self.top = max(self.top, self._largest(here, c[here]))
            self._bounds.record(here, c[here] * self.unit)

    def _largest(self, cols: Int, c: Vector) -> float:
        """The threshold at which none of these columns, of gradient c, would be over it."""
        reach = self.problem.penalty.dual_magnitude(c)
        reach[self.norm2[cols] < 0.0] = 0.0
        if self.factor is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                reach = np.where(reach > 0.0, reach / self.factor[cols], 0.0)
        return float(reach.max(initial=0.0))

    def over(self, threshold: float, aside: float = 0.0) -> tuple[Int, float, float]:
        """Columns whose bound passes `threshold * factor_j`, the largest bound (over factor) there, and elsewhere.

        `aside`: how far the dual point is from the residual in the 2-norm, beyond what was travelled."""
        found, worst, largest = self._bounds.above_threshold(aside * self.unit, threshold * self.unit)
        return found, worst / self.unit, largest / self.unit

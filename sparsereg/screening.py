"""Bounds on the gradient of columns that are not members, instead of passes over them. Knows no solver.

`c_j = x_j' r_old` was taken at an earlier residual. Since then r has travelled at most `odometer - at_j` (a sum of distances,
so an upper bound on the distance), and `|x_j' r| <= |c_j| + |x_j| (odometer - at_j)`, by Cauchy-Schwarz or by Hoelder, whichever
is the smaller: two odometers, one in the 2-norm and one in the largest entry.
Every column keeps the reading at its own last visit, so visiting a few does not ask for a pass over all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core import Bounds
from sparsereg.problem import Problem

__all__ = ["Screen"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Columns measured at a time.
CHUNK = 1 << 16
# Towards which a float32 is rounded to stay on the safe side.
BEYOND = np.float32(np.inf)


class Screen:
    """The last known gradient of every observed column, and how far it may have gone since.

    Memory: 24 bytes a column (8 for c, 4 each for the norms and the readings, rounded to the safe side).
    """

    def __init__(self, problem: Problem, c: Vector) -> None:
        self.problem = problem
        self.c = c
        self.odometer2 = self.odometer1 = self._threshold = 0.0
        self.norm2, self.norm1, self.at2, self.at1 = (np.zeros(c.size, dtype=np.float32) for _ in range(4))
        for begin in range(0, c.size, CHUNK):  # a chunk at a time: statistics of all columns would take 32 bytes each
            self._measure(np.arange(begin, min(begin + CHUNK, c.size)))
        factor = problem.penalty.l1_factor
        self.factor = factor if isinstance(factor, np.ndarray) else None
        # Constant columns are left out: their gradient is 0, or rounding.
        constant = self.norm2 == 0.0
        self.norm2[constant] = self.norm1[constant] = -np.inf
        kind = problem.penalty.kind
        self._bounds = Bounds(kind, self.c, self.norm2, self.at2, self.norm1, self.at1, self.factor)

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
        self._bounds.changed(cols)

    def travel(self, distance2: float, distance1: float) -> None:
        """The residual has moved by at most this much, in the 2-norm and in the largest entry."""
        self.odometer2 += distance2
        self.odometer1 += distance1

    def visited(self, cols: Int, c: Vector) -> None:
        """These gradients were just taken at the present residual."""
        self._set_back()
        self.c[cols] = c
        self.at2[cols] = np.nextafter(np.float32(self.odometer2), -BEYOND)
        self.at1[cols] = np.nextafter(np.float32(self.odometer1), -BEYOND)
        self._bounds.changed(cols)

    def _set_back(self) -> None:
        """Start the odometers anew once their rounding, half a unit of the last of float32's 24 bits, could hold up a bound."""
        if self.odometer2 * float(self.norm2.max(initial=0.0)) * 2.0**-23 <= 1e-3 * self._threshold:
            return
        for at, odometer in ((self.at2, self.odometer2), (self.at1, self.odometer1)):
            at[:] = np.nextafter((at - odometer).astype(np.float32), -BEYOND)
        self.odometer2 = self.odometer1 = 0.0
        self._bounds.changed(np.arange(0, self.c.size, 1))

    def over(self, threshold: float, aside: float = 0.0) -> tuple[Int, float, float]:
        """Columns whose bound passes `threshold * factor_j`, the largest bound (over factor) there, and elsewhere.

        `aside`: how far the dual point is from the residual in the 2-norm, beyond what was travelled."""
        self._threshold = threshold
        reading1 = np.inf if aside else self.odometer1
        cols, worst, largest = self._bounds.over(self.odometer2 + aside, reading1, threshold)
        return cols, worst, largest

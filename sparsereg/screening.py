"""Bounds on the gradient of columns that are not members, instead of passes over them. Knows no solver.

`c_j = x_j' r_old` was taken at an earlier residual. Since then r has travelled at most `odometer - at_j` (a sum of distances,
so an upper bound on the distance), and by Cauchy-Schwarz `|x_j' r| <= |c_j| + |x_j| (odometer - at_j)`.
Every column keeps the reading at its own last visit, so visiting a few does not ask for a pass over all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core import screen
from sparsereg.problem import Problem

__all__ = ["Screen"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# float32 keeps 24 bits: one part in 2^23 up or down makes a rounded number a safe bound.
UP, DOWN = np.float32(1 + 2**-22), np.float32(1 - 2**-22)


class Screen:
    """The last known gradient of every observed column, and how far it may have gone since.

    Memory: 16 bytes a column (8 for c, 4 each for the norm and the reading, rounded to the safe side).
    """

    def __init__(self, problem: Problem, c: Vector) -> None:
        self.problem = problem
        self.c = c
        self.odometer = 0.0
        self.at = np.zeros(c.size, dtype=np.float32)
        self.norm = np.sqrt(problem.stats()[1]).astype(np.float32) * UP
        factor = problem.penalty.l1_factor
        self.factor = factor if isinstance(factor, np.ndarray) else None
        self.drop(np.flatnonzero(self.norm == 0.0))  # constant columns: their gradient is 0, or rounding
        self._work = np.empty(c.size, dtype=np.int64)

    def drop(self, cols: Int) -> None:
        """Leave these columns out from now on: they became members, or can never be."""
        self.norm[cols] = -np.inf

    def travel(self, distance: float) -> None:
        """The residual has moved by at most this much."""
        self.odometer += distance

    def visited(self, cols: Int, c: Vector) -> None:
        """These gradients were just taken at the present residual."""
        self.c[cols] = c
        self.at[cols] = np.float32(self.odometer) * DOWN

    def over(self, threshold: float, aside: float = 0.0) -> tuple[Int, float, float]:
        """Columns whose bound passes `threshold * factor_j`, the largest bound (over factor) there, and elsewhere.

        `aside`: how far the dual point is from the residual, beyond what was travelled."""
        reading, kind = self.odometer + aside, self.problem.penalty.kind
        cols, worst, largest = screen(kind, self.c, self.norm, self.at, self.factor, reading, threshold, self._work)
        return cols, worst, largest

"""Gradients of columns outside at the present point of a loss, each evaluated once. Knows no strengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.rows.units import Units

__all__ = ["KnownGradients"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class KnownGradients:
    """Those of the columns that were asked for last.

    Parameters
    ----------
    c : float64 array of shape (n_cols,)
        Of every column at the first point.
    """

    def __init__(self, c: Vector) -> None:
        self._known: tuple[Int, Vector] | None = np.arange(c.size), c

    def forget(self) -> None:
        """The point has moved."""
        self._known = None

    def of(self, units: Units, cols: Int) -> Vector:
        """`x_j' rho` of columns in increasing order."""
        known, values = self._known or (cols[:0], np.empty(0))
        if not known.size:
            c = units.gradients(cols)
        else:
            at = np.minimum(np.searchsorted(known, cols), known.size - 1)
            c, missing = values[at], known[at] != cols
            if missing.any():
                c[missing] = units.gradients(cols[missing])
        self._known = cols, c
        return c

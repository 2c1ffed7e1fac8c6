"""The order in which rows come part by part, with their targets and sums over these. Knows no X."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arranged", "TargetSums"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class TargetSums(NamedTuple):
    """Sums over the targets of a part: their mean m, `sum s (y - m)^2`, `sum s (y - m)`, `sum s`; the least and the
    largest of those that count."""

    mean: float
    squares: float
    total: float
    weight: float
    low: float
    high: float

    @classmethod
    def of(cls, y: Vector, s: Vector | None) -> TargetSums:
        """Of targets and weights; None means all one."""
        weight = float(y.size if s is None else s.sum())
        if not weight:
            return cls(0.0, 0.0, 0.0, 0.0, np.inf, -np.inf)
        if s is None:
            mean, counted = float(y.mean()), y
            rest = y - mean
            squares, total = float(rest @ rest), float(rest.sum())
        else:
            mean, counted = float(s @ y) / weight, y if s.min() > 0.0 else y[s > 0.0]
            rest = y - mean
            squares, total = float(s @ rest**2), float(s @ rest)
        return cls(mean, squares, total, weight, float(counted.min()), float(counted.max()))

    def squared_error(self, prediction: float) -> float:
        """`sum s (y - prediction)^2`."""
        shift = prediction - self.mean
        return self.squares - 2.0 * shift * self.total + shift * shift * self.weight


class Arranged(NamedTuple):
    """Rows in parts.

    Attributes
    ----------
    order : int64 array of shape (n,), or slice
        The rows of each part in turn, in increasing order; those of the parts are numbered so. A slice of all: they
        stand in order.
    parts : list of (int, int)
        Rows from a to b; together all of them.
    y, s : float64 arrays of shape (n,)
        Targets and weights in that order; `s` None means all one.
    targets : list of TargetSums
        Those of each part.
    """

    order: Int | slice
    parts: list[tuple[int, int]]
    y: Vector
    s: Vector | None
    targets: list[TargetSums]

    @classmethod
    def of(cls, y: Vector, s: Vector | None, order: Int | slice, parts: list[tuple[int, int]]) -> Arranged:
        """Of targets and weights in the old order."""
        y, s = y[order], None if s is None else s[order]
        targets = [TargetSums.of(y[a:b], None if s is None else s[a:b]) for a, b in parts]
        return cls(order, parts, y, s, targets)

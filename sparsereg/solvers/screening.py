"""Bounds on the gradients of columns outside the working set, instead of passes over them. Knows no solver.

`c_j = x_j' r` was evaluated at an earlier residual. Since then the residual has moved by at most the displacement d, a
sum of distances, and `|x_j' r| <= |c_j| + |x_j| d`, by Cauchy-Schwarz or by Hoelder, whichever is smaller: two
cumulative displacements are kept, one in the 2-norm and one in the largest entry. Every column keeps their values at
its own last evaluation, so evaluating a few needs no pass over all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Bounds
from sparsereg.objective.quadratic import TINY, Quadratic
from sparsereg.rows.memory import COLUMN_CHUNK

__all__ = ["EliminatedColumns", "NoScreening", "Screening", "evaluate"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

FLOAT32_INF = np.float32(np.inf)
# The least positive number.
SMALLEST = float(np.finfo(np.float64).smallest_subnormal)


class EliminatedColumns(Exception):
    """Columns that the prefilter eliminated may be over their threshold: the problem must be solved with them."""


class Screening:
    """The last known gradient of every observed column, and how far it may have moved since.

    Memory: 14 bytes a column, three numbers in float32 rounded to the safe side and the number of the last evaluation.
    Inside, everything is measured in units of `|y|`, so that float32 has room for it.

    Attributes
    ----------
    factor : float64 array of shape (n_cols,) or None
        Penalty factors, where they differ.
    top : float
        The threshold at which no column would be over it, when all gradients were evaluated last.
    """

    def __init__(self, quadratic: Quadratic, c: Vector) -> None:
        self.quadratic = quadratic
        self.unit = 1.0 / np.sqrt(quadratic.null_deviance) if quadratic.null_deviance > 0.0 else 1.0
        self.norm2, self.norm1 = (np.zeros(c.size, dtype=np.float32) for _ in range(2))
        self._tiny = np.zeros(c.size, dtype=np.bool_)
        for begin in range(0, c.size, COLUMN_CHUNK):
            self._measure(np.arange(begin, min(begin + COLUMN_CHUNK, c.size)))
        factor = quadratic.penalty.l1_factor
        self.factor = factor if isinstance(factor, np.ndarray) else None
        self._refuse_tiny()
        del self._tiny
        # Constant columns are dropped: their gradient is 0, or rounding.
        constant = self.norm2 == 0.0
        self.norm2[constant] = self.norm1[constant] = -np.inf
        self._bounds = Bounds(cast(int, quadratic.penalty.kernel), self.norm2, self.norm1, self.factor)
        self.record_all(c)

    def _measure(self, cols: Int) -> None:
        moments = self.quadratic.moments(cols if cols.size < self.norm2.size else None)
        sq, self._tiny[cols] = moments.centered_sq_norm, (moments.max_abs > 0.0) & (moments.max_abs < TINY)
        with np.errstate(over="ignore", invalid="ignore"):
            norm2 = np.where(sq > 0.0, np.nextafter(np.sqrt(sq).astype(np.float32), FLOAT32_INF), 0.0)
            self.norm2[cols], self.norm1[cols] = norm2, np.nextafter(moments.l1_norm.astype(np.float32), FLOAT32_INF)
            refused = np.flatnonzero(~np.isfinite(self.norm2[cols] + self.norm1[cols]))
        if refused.size:
            column = self.quadratic.rows.columns[cols[refused[0]]]
            raise ValueError(
                f"Coordinate descent iterations resulted in non-finite parameter values: column {column} of X reaches"
                f" {moments.max_abs[refused[0]]:.3g}, too large to square. Rescale it."
            )

    def _refuse_tiny(self) -> None:
        """ValueError where all of X, or an unpenalized column, is too small to square; others are 0 then."""
        free = False if self.factor is None else self.factor == 0.0
        tiny = np.flatnonzero(self._tiny & (free | (self._tiny | (self.norm2 == 0.0)).all()))
        if tiny.size:
            raise ValueError(
                f"Column {self.quadratic.rows.columns[tiny[0]]} of X reaches only"
                f" {self.quadratic.moments(tiny[:1]).max_abs[0]:.3g}, too small to square. Rescale X."
            )

    def kept(self, cols: Int) -> Int:
        """Those of `cols` that were not dropped."""
        return cols[self.norm2[cols] >= 0.0]

    def drop(self, cols: Int) -> None:
        """Leave these columns out from now on: they joined the working set, or can never be non-zero.

        What their blocks say then is too large, until others in them are recorded."""
        self.norm2[cols] = self.norm1[cols] = -np.inf

    def displace(self, distance2: float, distance1: float) -> None:
        """The residual has moved by at most this much, in the 2-norm and in the largest entry."""
        self._bounds.displace(distance2 * self.unit, distance1 * self.unit)

    def record(self, cols: Int, c: Vector, dual_shift: float = 0.0) -> tuple[Vector, float]:
        """The gradients of `cols` were just evaluated. Returns their dual magnitudes over the factors, and the largest
        that one can be at a dual point `dual_shift` away in the 2-norm."""
        self._bounds.record(cols, c * self.unit)
        magnitude = self.quadratic.penalty.dual_magnitude(c)
        bound = magnitude + dual_shift * self.norm2[cols] if dual_shift > 0.0 else magnitude
        if self.factor is not None:
            magnitude, bound = magnitude / self.factor[cols], bound / self.factor[cols]
        return magnitude, float(bound.max())

    def record_all(self, c: Vector) -> None:
        """The gradient of every column was just evaluated."""
        self.top = 0.0
        for begin in range(0, c.size, COLUMN_CHUNK):
            cols = np.arange(begin, min(begin + COLUMN_CHUNK, c.size))
            magnitude = self.quadratic.penalty.dual_magnitude(c[cols])
            magnitude[self.norm2[cols] < 0.0] = 0.0
            self.top = max(self.top, _largest(magnitude, None if self.factor is None else self.factor[cols]))
            self._bounds.record(cols, c[cols] * self.unit)

    def above(self, threshold: float, dual_shift: float = 0.0) -> tuple[Int, float, float]:
        """Columns whose bound passes `threshold * factor_j`, the largest bound (over the factor) there, and elsewhere.

        `dual_shift`: how far the dual point is from the residual in the 2-norm."""
        cols, worst, largest = self._bounds.above_threshold(dual_shift * self.unit, threshold * self.unit)
        return cols, worst / self.unit, largest / self.unit

    def last_above(self, threshold: float) -> tuple[Int, Vector, float]:
        """Columns that were over `threshold * factor_j` when they were last evaluated, their dual magnitudes then (over
        the factor), and by which share of their threshold at most the bound of one has grown since."""
        cols, magnitude, widest = self._bounds.last_above(threshold * self.unit)
        return cols, magnitude / self.unit, widest


class NoScreening:
    """In place of bounds where a penalty has no kernel: every column outside is evaluated for every certificate.

    It has the methods and attributes of `Screening`."""

    def __init__(self, quadratic: Quadratic, c: Vector) -> None:
        factor = quadratic.penalty.l1_factor
        self.quadratic, self.factor = quadratic, factor if isinstance(factor, np.ndarray) else None
        self._outside = quadratic.moments().centered_sq_norm > 0.0
        self.record_all(c)

    def kept(self, cols: Int) -> Int:
        return cols[self._outside[cols]]

    def drop(self, cols: Int) -> None:
        self._outside[cols] = False

    def displace(self, distance2: float, distance1: float) -> None:
        """There is no bound to widen."""

    def record(self, cols: Int, c: Vector, dual_shift: float = 0.0) -> tuple[Vector, float]:
        magnitude = self.quadratic.penalty.dual_magnitude(c)
        bound = magnitude + dual_shift * np.sqrt(self.quadratic.moments(cols).centered_sq_norm)
        if self.factor is not None:
            magnitude, bound = magnitude / self.factor[cols], bound / self.factor[cols]
        return magnitude, float(bound.max())

    def record_all(self, c: Vector) -> None:
        magnitude = np.where(self._outside, self.quadratic.penalty.dual_magnitude(c), 0.0)
        self.top = _largest(magnitude, self.factor)

    def above(self, threshold: float, dual_shift: float = 0.0) -> tuple[Int, float, float]:  # noqa: ARG002
        cols = np.flatnonzero(self._outside)
        return cols, np.inf if cols.size else 0.0, 0.0

    def last_above(self, threshold: float) -> tuple[Int, Vector, float]:  # noqa: ARG002
        """No gradients are kept."""
        return np.empty(0, dtype=np.int64), np.empty(0), 0.0


def evaluate(
    screening: Screening | NoScreening,
    candidates: Int,
    gradient_of: Callable[[Int], Vector],
    least: float,
    dual_shift: float,
) -> tuple[Int, Vector, float]:
    """The gradients of columns outside: those of dual magnitudes beyond `least` (over the factors), with these, and the
    largest that one of all can be at a dual point `dual_shift` away in the 2-norm.

    A chunk at a time: there may be as many as X has columns. At a `least` of 0 all are returned, also those of dual
    magnitude 0, with the least positive one: beside a shift only columns inside are certified then."""
    found, worst = list[tuple[Int, Vector]](), 0.0
    for begin in range(0, candidates.size, COLUMN_CHUNK):
        cols = candidates[begin : begin + COLUMN_CHUNK]
        magnitude, largest = screening.record(cols, gradient_of(cols), dual_shift)
        magnitude = magnitude if least > 0.0 else np.maximum(magnitude, SMALLEST)
        near = magnitude > least
        found.append((cols[near], magnitude[near]))
        worst = float(np.maximum(worst, largest))  # NaN stays NaN
    near_cols, magnitudes = zip(*found, strict=True)
    return np.concatenate(near_cols), np.concatenate(magnitudes), worst


def _largest(magnitude: Vector, factor: Vector | None) -> float:
    """The largest magnitude over its factor."""
    if factor is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            magnitude = np.where(magnitude > 0.0, magnitude / factor, 0.0)
    return float(magnitude.max(initial=0.0))

"""What is asked of one part of rows about a loss other than the squared one. Knows no penalties and no solvers.

All that a Newton step and its certificate need comes in one answer (`LossSums`): nothing in it is as long as the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.losses import Loss
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.partition import AtCoefficients, Partition, Question
from sparsereg.rows.units import FAR, MIN_CURVATURE

__all__ = ["SHARES", "LossAt", "LossSums", "Slope", "TargetFacts", "Targets"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Numbers of a Gram matrix worked out together: 32 MB.
MAX_TRIANGLE = 1 << 22
# Where a loss is not self-concordant, its part of the gap is asked for at the dual points scaled by 1 less these shares;
# as it is convex, it lies below the chords between them, a ninth above it for a square.
SHARES = 2.0 ** -np.arange(30.0)


@dataclass(frozen=True)
class TargetFacts:
    """Of the rows of positive weight: `low <= y <= high`. Of all: `sum s`, `sum s y`, and the least loss that any
    predictors could reach."""

    low: float
    high: float
    weight_sum: float
    y_sum: float
    least: float


@dataclass(frozen=True)
class Targets(Question):
    """The `TargetFacts`; a ValueError where a target is none that the loss takes."""

    loss: Loss

    def answer(self, part: Partition) -> TargetFacts:
        self.loss.check_target(part.y)
        s = np.ones(part.n_rows) if part.s is None else part.s
        y = part.y[s > 0.0]
        least = -float(s @ self.loss.conjugate(part.y, np.zeros(part.n_rows))) if part.n_rows else 0.0
        return TargetFacts(
            float(y.min(initial=np.inf)), float(y.max(initial=-np.inf)), float(s.sum()), float(s @ part.y), least
        )

    def combine(self, one: TargetFacts, other: TargetFacts) -> TargetFacts:
        return TargetFacts(
            min(one.low, other.low),
            max(one.high, other.high),
            one.weight_sum + other.weight_sum,
            one.y_sum + other.y_sum,
            one.least + other.least,
        )


@dataclass(frozen=True)
class AtPredictors(AtCoefficients):
    """A question of a loss at the predictors `offset + base + X w`."""

    loss: Loss

    def predictors(self, part: Partition) -> Vector:
        """Of every row of the part."""
        z = np.full(part.n_rows, self.base)
        if part.offset is not None:
            z += part.offset
        if self.coef.w.size:
            w = self.dense(part)
            for rows in part.chunks():
                z[rows] += part.predictor(rows, w)
        return z


@dataclass(frozen=True)
class Slope(AtPredictors):
    """`sum s rho`, `sum s h` and `sum s |rho|`, with `rho = -loss'` and `h = loss''`."""

    def answer(self, part: Partition) -> Vector:
        z = self.predictors(part)
        rho, h = self.loss.residual(part.y, z), self.loss.curvature(part.y, z)
        s = np.ones(part.n_rows) if part.s is None else part.s
        return np.array([s @ rho, s @ h, s @ np.abs(rho)])


@dataclass(frozen=True)
class LossSums:
    """A loss at given predictors z, with `rho = -loss'(z)` and `h = loss''(z)`.

    Attributes
    ----------
    total : float
        `sum s loss(y, z)`.
    slope, curvature : float
        `sum s rho` and `sum s h`.
    c, u : float64 arrays of shape (n_cols,)
        `x_j' (s rho)` and `x_j' (s h)`.
    squared, far : float
        Of self-concordant losses `sum s rho^2 / h` over rows where that is small, and for the others how far the loss
        is above its least.
    largest, largest_curvature : float
        `max |s rho|` and `max s h`.
    fenchel : float64 array
        Of other losses their part of the gap at the dual points scaled by `1 - SHARES`.
    model_curvature : float
        `sum s h` with the curvatures of the model, none so small that a step would run away.
    gram : scipy.sparse.csr_array of shape (m, m)
        `X_W' S H X_W` with those, the lower triangle.
    model_sums : float64 array of shape (m,)
        `x_j' (s h)` with those.
    """

    total: float
    slope: float
    curvature: float
    c: Vector
    u: Vector
    squared: float
    far: float
    largest: float
    largest_curvature: float
    fenchel: Vector
    model_curvature: float
    gram: sp.csr_array
    model_sums: Vector


@dataclass(frozen=True)
class LossAt(AtPredictors):
    """The `LossSums`, and the Gram matrix of the columns `cols`, which are sorted.

    Attributes
    ----------
    highest : float
        Largest target of all rows.
    """

    cols: Int
    highest: float

    def answer(self, part: Partition) -> LossSums:
        loss, y, n = self.loss, part.y, part.n_rows
        z = self.predictors(part)
        s = np.ones(n) if part.s is None else part.s
        with np.errstate(over="ignore", invalid="ignore"):
            rho, h = loss.residual(y, z), loss.curvature(y, z)
            squared, far = self._near_and_far(y, z, rho, h, s)
            total = loss.total(y, z, part.s) if n else 0.0
            fenchel = np.zeros(0)
            if not loss.self_concordant:
                fenchel = np.array([loss.fenchel_gap(y, z, part.s, 1.0 - share) if n else 0.0 for share in SHARES])
            raised = s * np.maximum(h, MIN_CURVATURE * self._floor(rho))
            rho, h = s * rho, s * h
        c, u = part.rmatvec(rho), part.rmatvec(h)
        sums = u if np.array_equal(raised, h) else part.rmatvec(raised)
        return LossSums(
            total,
            float(rho.sum()),
            float(h.sum()),
            c,
            u,
            squared,
            far,
            float(np.abs(rho).max(initial=0.0)),
            float(h.max(initial=0.0)),
            fenchel,
            float(raised.sum()),
            self._gram(part, raised),
            sums[self.cols],
        )

    def combine(self, one: LossSums, other: LossSums) -> LossSums:
        largest = ("largest", "largest_curvature")
        pairs = {field.name: (getattr(one, field.name), getattr(other, field.name)) for field in fields(LossSums)}
        sums: dict[str, Any] = {name: max(a, b) if name in largest else a + b for name, (a, b) in pairs.items()}
        return LossSums(**sums)

    def _floor(self, rho: Vector) -> Vector:
        """As in `Units.raised`."""
        bound = self.loss.curvature_bound
        if self.loss.self_concordant or not np.isfinite(bound):
            return np.abs(rho)
        return np.maximum(np.abs(rho), bound)

    def _near_and_far(self, y: Vector, z: Vector, rho: Vector, h: Vector, s: Vector) -> tuple[float, float]:
        """As in `Units.near_and_far`, row by row."""
        loss = self.loss
        if not loss.self_concordant:
            return 0.0, 0.0
        sy = s * y
        squares = loss.scaled_squares((s, sy, sy * y), y - rho, h)
        far = ~(squares <= FAR * s)
        if loss.kernel is None or not far.any():
            return float(squares.sum()), 0.0
        return float(squares[~far].sum()), float(loss.above_least(s[far], sy[far], z[far], self.highest).sum())

    def _gram(self, part: Partition, h: Vector) -> sp.csr_array:
        """The lower triangle, some rows at a time."""
        cols, m = self.cols, self.cols.size
        codes, numbers = cols[cols < part.n_codes], cols[cols >= part.n_codes] - part.n_codes
        height = max(1, MAX_TRIANGLE // max(codes.size, 1))
        blocks = [sp.csr_array((0, m))]
        for first in range(0, codes.size, height):
            block = sp.csr_array(part.view.gram(codes, h, first, min(first + height, codes.size)))
            blocks.append(sp.csr_array((block.data, block.indices, block.indptr), shape=(block.shape[0], m)))
        for place, number in enumerate(numbers, codes.size):
            row = part.rmatvec(h * part.numbers[number])[cols]
            blocks.append(sp.csr_array(np.tril(row[None], place)))
        return sp.csr_array(sp.vstack(blocks, format="csr"))

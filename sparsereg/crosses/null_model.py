"""The model without columns, from which the static screen takes its gradients. Knows nothing of crosses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.part_tables import PartRows
from sparsereg.losses import Loss

__all__ = ["NullModel"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class NullModel:
    """The predictor is b0 and the offset."""

    loss: Loss
    b0: float

    @classmethod
    def of(cls, loss: Loss, sample: PartRows) -> NullModel:
        """By a sample of rows."""
        if sample.s is not None and not sample.s.any():
            return cls(loss, 0.0)
        if loss.quadratic:
            y = sample.y if sample.offset is None else sample.y - sample.offset
            return cls(loss, float(np.average(y, weights=sample.s)))
        return cls(loss, float(loss.null_predictor(sample.y, sample.s, sample.offset)))

    def follows_from_mean(self, with_offset: bool) -> bool:
        """Whether the mean of the targets says all."""
        return self.loss.quadratic or (self.loss.canonical and not with_offset)

    def of_all(self, mean: float, sums: tuple[float, float], with_offset: bool) -> NullModel:
        """That of all rows, from the mean of their targets less offsets and their `sums` at this one: exact, or about
        by a Newton step, shortened where it is long."""
        if self.loss.quadratic:
            return replace(self, b0=mean)
        if self.follows_from_mean(with_offset):
            return replace(self, b0=float(self.loss.null_predictor(np.array([mean]), None)))
        slope, curvature = sums
        step = slope / curvature if curvature > 0.0 else 0.0
        return replace(self, b0=self.b0 + float(np.copysign(np.log1p(abs(step)), step)))

    def residual(self, rows: PartRows) -> Vector:
        """`-s loss'` of each row."""
        rho = self.loss.residual(rows.y, self._predictor(rows))
        return rho if rows.s is None else rows.s * rho

    def sums(self, rows: PartRows) -> tuple[float, float]:
        """Of `-s loss'` and of `s loss''`; 0 where they are not needed."""
        if self.follows_from_mean(rows.offset is not None):
            return 0.0, 0.0
        h = self.loss.curvature(rows.y, self._predictor(rows))
        return float(self.residual(rows).sum()), float(h.sum() if rows.s is None else rows.s @ h)

    def _predictor(self, rows: PartRows) -> Vector:
        return np.full(rows.y.size, self.b0) if rows.offset is None else self.b0 + rows.offset

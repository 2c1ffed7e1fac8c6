"""The Huber loss: squares near 0 and absolute values beyond, for targets with outliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.base import Loss

__all__ = ["Huber"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Huber(Loss):
    """`l(y, z) = r^2 / 2` for `|r| <= delta` and `delta |r| - delta^2 / 2` beyond, with `r = y - z`.

    Parameters
    ----------
    delta : float > 0, default 1.35
        In the units of y, and fixed: 1.35 standard deviations of the noise lose 5% of efficiency where that is normal.
        scikit-learn's `HuberRegressor` has `epsilon`, in units of a scale that it estimates together with the
        coefficients; ours is `epsilon` times that scale.
    """

    delta: float = 1.35

    name = "huber"
    curvature_bound = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.delta < np.inf:
            raise ValueError(f"delta={self.delta!r}: loss='huber' takes a positive number, in the units of y.")

    def __str__(self) -> str:
        return f"{self.name}:{self.delta!r}"

    def value(self, y: Vector, z: Vector) -> Vector:
        size = np.abs(y - z)
        inner = np.minimum(size, self.delta)
        return inner * (size - 0.5 * inner)

    def residual(self, y: Vector, z: Vector) -> Vector:
        return np.clip(y - z, -self.delta, self.delta)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return np.where(np.abs(y - z) <= self.delta, 1.0, 0.0)

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`u y + u^2 / 2` for `|u| <= delta`."""
        return np.where(np.abs(u) <= self.delta, u * y + 0.5 * u * u, np.inf)

    def fenchel_gap(self, y: Vector, z: Vector, s: Vector | None, t: float) -> float:
        """`(1 - t)^2 r^2 / 2` within delta, `(1 - t) delta (|r| - (1 + t) delta / 2)` beyond."""
        size = np.abs(y - z)
        inner = np.minimum(size, self.delta)
        terms = (1.0 - t) * inner * (size - 0.5 * (1.0 + t) * inner)
        return float(terms.sum() if s is None else s @ terms)

"""The Tweedie deviances that are not convex in the predictor, or limit its range. For `TweedieRegressor` alone.

They are not in `LOSSES`: there is no duality gap, and a fit is a stationary point. The convex ones, powers from 1 to 2
with the log link, are `Poisson`, `Tweedie` and `Gamma`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.base import Loss

__all__ = ["GeneralTweedie"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class GeneralTweedie(Loss):
    """Half of the unit deviance of a power p, at the mean `mu = exp(z)` or `mu = z`; its least is 0.

    Parameters
    ----------
    power : float, at most 0 or at least 1
    of_link : {"log", "identity"}
    """

    power: float
    of_link: str

    name = "tweedie"
    convex = False

    @property
    def link(self) -> str:  # type: ignore[override]
        return self.of_link

    def __str__(self) -> str:
        return f"{self.name}:{self.power!r} with the {self.of_link} link"

    def check_target(self, y: Vector) -> None:
        least = {True: -np.inf, False: 0.0}[self.power <= 0.0]
        outside = y[y <= least] if self.power >= 2.0 else y[y < least]
        if outside.size:
            bound = "above 0" if self.power >= 2.0 else "of at least 0"
            raise ValueError(f"y holds {outside[0]:g}; the Tweedie deviance of power {self.power:g} takes y {bound}.")

    def value(self, y: Vector, z: Vector) -> Vector:
        """`integral from mu to y of (y - t) / t^p dt`; infinite where mu is outside its range."""
        p, mu = self.power, self.inverse_link(z)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if p == 0.0:
                found = 0.5 * (y - mu) ** 2
            elif p == 1.0:
                found = np.where(y > 0.0, y * np.log(np.where(y > 0.0, y, 1.0) / mu), 0.0) - y + mu
            elif p == 2.0:
                found = np.log(mu / y) + y / mu - 1.0
            else:
                found = (
                    np.maximum(y, 0.0) ** (2 - p) / ((1 - p) * (2 - p))
                    if p < 2.0
                    else y ** (2 - p) / ((1 - p) * (2 - p))
                )
                found = found - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)
        return np.where(self._allowed(mu) & ~np.isnan(found), found, np.inf)

    def residual(self, y: Vector, z: Vector) -> Vector:
        """`(y - mu) / mu^p dmu/dz`."""
        mu = self.inverse_link(z)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slope = mu if self.of_link == "log" else 1.0
            return np.where(self._allowed(mu), (y - mu) * mu ** (-self.power) * slope, 0.0)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        """The second derivative: with the log link `mu^(1-p) ((p-1) y + (2-p) mu)`, else `mu^(-p-1) (p y + (1-p) mu)`;
        negative where the loss is not convex."""
        p, mu = self.power, self.inverse_link(z)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.of_link == "log":
                found = mu ** (1 - p) * ((p - 1) * y + (2 - p) * mu)
            else:
                found = mu ** (-p - 1) * (p * y + (1 - p) * mu) if p else np.ones_like(mu)
        return np.where(self._allowed(mu), found, 0.0)

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """Of u = 0 alone: the loss has the least 0. There is no gap."""
        if np.any(u != 0.0):
            raise NotImplementedError("the loss is not convex: it has no duality gap.")
        return np.zeros_like(y)

    def inverse_link(self, z: Vector) -> Vector:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z)) if self.of_link == "log" else z

    def best_intercept(self, y: Vector, z: Vector, s: Vector | None) -> float:
        """The link of the weighted mean, where z is one number for all rows; else a start for what looks further."""
        mean = float(np.average(y, weights=s))
        shift = float(np.average(z, weights=s))
        if self.of_link == "log":
            return float(np.log(max(mean, np.finfo(float).tiny))) - shift
        return mean - shift if self.power <= 0.0 else max(mean, np.finfo(float).tiny) - float(z.min())

    def _allowed(self, mu: Vector) -> NDArray[np.bool_]:
        return mu > 0.0 if self.power != 0.0 else np.isfinite(mu)

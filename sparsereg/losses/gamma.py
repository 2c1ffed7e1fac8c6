"""The gamma loss with the log link, for positive amounts whose spread grows with their mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammaln, polygamma

from sparsereg.losses.base import Loss, log_of_mean
from sparsereg.losses.entropy import relative_entropy, xlogx

__all__ = ["Gamma"]

Vector = NDArray[np.float64]

# For the best shape: from Minka's start two or three steps reach rounding.
SHAPE_STEPS = 5
# Below this deviance the shape is one over it, to a relative error of this size: digits of its logarithm are lost.
SHARP = 1e-8


class Gamma(Loss):
    """`l(y, z) = y exp(-z) + z - log y - 1` for y > 0: half of the unit deviance, whose least is 0."""

    name = "gamma"
    link = "log"
    exponential = True
    self_concordant = True

    def check_target(self, y: Vector) -> None:
        if (y <= 0.0).any():
            raise ValueError(
                f"y holds {y[y <= 0.0][0]:g}; loss='gamma' takes amounts above 0. Leave rows without an amount out, or"
                " use loss=('tweedie', 1.5), which takes 0 too."
            )

    def fit_term(self, deviance: Vector, dispersion: float | None) -> Vector:
        """At the best shape a, with `log a - digamma(a) = deviance / 2`: Newton steps in 1 / a (Minka 2002)."""
        if dispersion is not None:
            return deviance / dispersion
        sharp = np.log(2.0 * np.pi * deviance) + 1.0  # minus infinity for a fit without error
        half = 0.5 * np.maximum(deviance, SHARP)
        a = (3.0 - half + np.sqrt((half - 3.0) ** 2 + 24.0 * half)) / (12.0 * half)
        for _ in range(SHAPE_STEPS):
            a = 1.0 / (1.0 / a + (np.log(a) - digamma(a) - half) / (a - a * a * polygamma(1, a)))
        return np.where(deviance < SHARP, sharp, 2.0 * (gammaln(a) - a * np.log(a) + a * (1.0 + half)))

    def value(self, y: Vector, z: Vector) -> Vector:
        """`exp(d) - 1 - d` with `d = log y - z`."""
        d = np.log(y) - z
        with np.errstate(over="ignore"):
            return relative_entropy(np.ones_like(d), d, np.exp(d), -np.expm1(d))

    def residual(self, y: Vector, z: Vector) -> Vector:
        with np.errstate(over="ignore"):
            return np.asarray(np.expm1(np.log(y) - z))

    def curvature(self, y: Vector, z: Vector) -> Vector:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(np.log(y) - z))

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`u log y + q log q - q + 1` with `q = 1 - u >= 0`."""
        q = np.maximum(1.0 - u, 0.0)
        return np.where(u <= 1.0, u * np.log(y) + xlogx(q) - q + 1.0, np.inf)

    def inverse_link(self, z: Vector) -> Vector:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z))

    def fenchel_gap(self, y: Vector, z: Vector, s: Vector | None, t: float) -> float:
        """The relative entropy of `1 + t rho` and `1 + rho = y exp(-z)`."""
        rho, h = self.residual(y, z), self.curvature(y, z)
        terms = relative_entropy((1.0 - t) + t * h, np.log(y) - z, h, (t - 1.0) * rho)
        return float(terms.sum() if s is None else s @ terms)

    def best_intercept(self, y: Vector, z: Vector, s: Vector | None) -> float:
        """`log(sum s y exp(-z) / sum s)`."""
        return log_of_mean(y, -z, s)

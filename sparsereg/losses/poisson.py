"""The Poisson loss with the log link, for counts and rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import MEANS, rows_gap
from sparsereg.losses.base import Loss, log_of_mean
from sparsereg.losses.entropy import relative_entropy, xlogx

__all__ = ["Poisson"]

Vector = NDArray[np.float64]


class Poisson(Loss):
    """`l(y, z) = exp(z) - y z + (y log y - y)` for y >= 0: half of the unit deviance, whose least is 0.

    `exp(z)` is infinite for z above 709, and so is the loss there.
    """

    name = "poisson"
    link = "log"
    canonical = True
    kernel = MEANS["poisson"]
    exponential = True
    self_concordant = True

    def check_target(self, y: Vector) -> None:
        if (y < 0.0).any():
            raise ValueError(
                f"y holds {y[y < 0.0][0]:g}; loss='poisson' takes counts or rates of at least 0. Leave such rows out,"
                " or use loss='squared'."
            )

    def check_intercept(self, y: Vector) -> None:
        if not y.any():
            raise ValueError(
                "y holds only 0, so that no finite intercept is best with loss='poisson'. Pass rows with events, or"
                " fit_intercept=False."
            )

    def fit_term(self, deviance: Vector, dispersion: float | None) -> Vector:
        return deviance / (dispersion or 1.0)

    def value(self, y: Vector, z: Vector) -> Vector:
        mu = self.inverse_link(z)
        return relative_entropy(y, z, mu, y - mu)

    def residual(self, y: Vector, z: Vector) -> Vector:
        return y - self.inverse_link(z)

    def curvature(self, y: Vector, z: Vector) -> Vector:  # noqa: ARG002
        return self.inverse_link(z)

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`q log q - q - (y log y - y)` with `q = y + u >= 0`."""
        q = np.maximum(y + u, 0.0)
        return np.where(y + u >= 0.0, xlogx(q) - q - (xlogx(y) - y), np.inf)

    def inverse_link(self, z: Vector) -> Vector:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z))

    def fenchel_gap(self, y: Vector, z: Vector, s: Vector | None, t: float) -> float:
        """The relative entropy of `(1 - t) y + t mu` and mu."""
        near = rows_gap(self.kernel, y, s, z, t)
        if near is not None:
            return near
        mu = self.inverse_link(z)
        terms = relative_entropy((1.0 - t) * y + t * mu, z, mu, (1.0 - t) * (y - mu))
        return float(terms.sum() if s is None else s @ terms)

    def best_intercept(self, y: Vector, z: Vector, s: Vector | None) -> float:
        """`log(sum s y / sum s exp(z))`."""
        return log_of_mean(y, np.zeros_like(z), s) - log_of_mean(np.ones_like(z), z, s)

    def above_least(self, s: Vector, sy: Vector, z: Vector, largest: float) -> Vector:
        """By `y log y <= y log largest`."""
        return sy * (np.log(max(largest, 1e-300)) - z - 1.0) + s * self.inverse_link(z)

    def curvature_at(self, mean: Vector) -> Vector:
        return mean

"""The squared loss, `(y - z)^2 / 2`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.base import Loss

__all__ = ["Squared"]

Vector = NDArray[np.float64]


class Squared(Loss):
    """`l(y, z) = (y - z)^2 / 2`."""

    name = "squared"
    quadratic = True
    curvature_bound = 1.0

    def fit_term(self, deviance: Vector, dispersion: float | None) -> Vector:
        """Of a normal distribution, whose best variance is the mean square."""
        return np.log(deviance) if dispersion is None else deviance / dispersion

    def value(self, y: Vector, z: Vector) -> Vector:
        return 0.5 * (y - z) ** 2

    def residual(self, y: Vector, z: Vector) -> Vector:
        return y - z

    def curvature(self, y: Vector, z: Vector) -> Vector:  # noqa: ARG002
        return np.ones_like(z)

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`u y + u^2 / 2`."""
        return u * y + 0.5 * u * u

    def fenchel_gap(self, y: Vector, z: Vector, s: Vector | None, t: float) -> float:
        """`(1 - t)^2 / 2 sum_i s_i rho_i^2`: no large number is subtracted from a large one."""
        rho = y - z
        return 0.5 * (1.0 - t) ** 2 * float(rho @ rho if s is None else rho @ (s * rho))

    def best_intercept(self, y: Vector, z: Vector, s: Vector | None) -> float:
        """The weighted mean of `y - z`."""
        return float(np.average(y - z, weights=s))

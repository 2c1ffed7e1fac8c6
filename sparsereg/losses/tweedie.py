"""The Tweedie loss with the log link and a power between 1 and 2: amounts above 0, many of them exactly 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.base import Loss, log_of_mean

__all__ = ["Tweedie"]

Vector = NDArray[np.float64]

# Newton steps for the conjugate; each at least halves the error, near the root they square it.
MAX_STEPS = 100


@dataclass(frozen=True)
class Tweedie(Loss):
    """Half of the unit deviance at mean `exp(z)`, for y >= 0; its least is 0.

    With `a = 2 - power` and `b = power - 1`, so that a + b = 1::

        l(y, z) = exp(a z) / a + y exp(-b z) / b - y^a / (a b)

    Parameters
    ----------
    power : float in (1, 2), default 1.5
        The variance is proportional to `mean^power`: 1 is Poisson and 2 gamma, which are losses of their own.
    """

    power: float = 1.5

    name = "tweedie"
    link = "log"
    self_concordant = True

    def __post_init__(self) -> None:
        if not 1.0 < self.power < 2.0:
            raise ValueError(
                f"power={self.power!r}: loss='tweedie' takes a power between 1 and 2. Use loss='squared' for 0,"
                " 'poisson' for 1, 'gamma' for 2."
            )

    def __str__(self) -> str:
        return f"{self.name}:{self.power!r}"

    def check_target(self, y: Vector) -> None:
        if (y < 0.0).any():
            raise ValueError(
                f"y holds {y[y < 0.0][0]:g}; loss='tweedie' takes amounts of at least 0. Leave such rows out, or use"
                " loss='squared'."
            )

    def check_intercept(self, y: Vector) -> None:
        if not y.any():
            raise ValueError(
                "y holds only 0, so that no finite intercept is best with loss='tweedie'. Pass rows with amounts, or"
                " fit_intercept=False."
            )

    def fit_term(self, deviance: Vector, dispersion: float | None) -> Vector:
        if dispersion is None:
            raise ValueError(
                f"dispersion=None: the best one for loss='{self}' does not follow from its deviance. Pass a number,"
                " such as the mean square of y - mean over mean^power at a weak penalty, or choose the strength by"
                " held-out rows, with cross_validate_path."
            )
        return deviance / dispersion

    def _parts(self, y: Vector, z: Vector) -> tuple[Vector, Vector]:
        """`exp(a z)` and `y exp(-b z)`."""
        with np.errstate(over="ignore"):
            return np.exp((2.0 - self.power) * z), _times(y, np.exp((1.0 - self.power) * z))

    def value(self, y: Vector, z: Vector) -> Vector:
        a, b = 2.0 - self.power, self.power - 1.0
        up, down = self._parts(y, z)
        return np.maximum(up / a + down / b - y**a / (a * b), 0.0)

    def residual(self, y: Vector, z: Vector) -> Vector:
        up, down = self._parts(y, z)
        return down - up

    def curvature(self, y: Vector, z: Vector) -> Vector:
        up, down = self._parts(y, z)
        return (2.0 - self.power) * up + (self.power - 1.0) * down

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`u z - l(z)` at the z with `l'(z) = u`, which has no closed form for y > 0."""
        a = 2.0 - self.power
        z = self._root(y, u)
        with np.errstate(divide="ignore", invalid="ignore"):
            at_zero = np.where(
                u > 0.0, u * (np.log(np.where(u > 0.0, u, 1.0)) - 1.0) / a, np.where(u == 0, 0.0, np.inf)
            )
        return np.where(y > 0.0, u * z - self.value(y, z), at_zero)

    def _root(self, y: Vector, u: Vector) -> Vector:
        """The z with `exp(a z) - y exp(-b z) = u`, for y > 0.

        With `z = log y + d` and `v = u / y^a` it is `exp(a d) - exp(-b d) = v`. In logarithms, `a d = log(v + exp(-b
        d))` for v >= 0 and `-b d = log(-v + exp(a d))` for v < 0, differences that are concave in d and of slope
        between a (or b) and 1: Newton's steps converge from anywhere."""
        a, b = 2.0 - self.power, self.power - 1.0
        y = np.where(y > 0.0, y, 1.0)
        v, d = u / y**a, np.zeros_like(y)
        with np.errstate(divide="ignore"):
            log_v = np.log(np.abs(v))
        up, rate, other = v >= 0.0, np.where(v >= 0.0, a, b), np.where(v >= 0.0, b, a)
        for _ in range(MAX_STEPS):  # for v < 0 in -d
            right = np.logaddexp(log_v, -other * d)
            step = (rate * d - right) / (rate + other * np.exp(-other * d - right))
            d -= step
            if np.all(np.abs(step) <= 1e-15 * (1.0 + np.abs(d))):
                break
        return np.asarray(np.log(y) + np.where(up, d, -d))

    def inverse_link(self, z: Vector) -> Vector:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z))

    def best_intercept(self, y: Vector, z: Vector, s: Vector | None) -> float:
        """`log(sum s y exp(-b z) / sum s exp(a z))`."""
        return log_of_mean(y, (1.0 - self.power) * z, s) - log_of_mean(np.ones_like(z), (2.0 - self.power) * z, s)


def _times(y: Vector, e: Vector) -> Vector:
    """`y e`, 0 where y is 0 although e may be infinite."""
    return np.where(y > 0.0, y, 0.0) * np.where(y > 0.0, e, 0.0)

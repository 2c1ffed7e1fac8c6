"""The squared hinge: the loss of the L2 support vector machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.base import Loss

__all__ = ["SquaredHinge"]

Vector = NDArray[np.float64]


class SquaredHinge(Loss):
    """`l(y, z) = max(0, 1 - y z)^2 / 2` for y = -1 or 1.

    scikit-learn's `LinearSVC` has `max(0, 1 - y z)^2`, twice this, in a sum over the rows times C.
    """

    name = "squared_hinge"
    curvature_bound = 1.0

    def check_target(self, y: Vector) -> None:
        outside = y[np.abs(y) != 1.0]
        if outside.size:
            raise ValueError(
                f"y holds {outside[0]:g}; loss='squared_hinge' takes classes -1 and 1. Encode classes as"
                " 2 * (y == positive_class) - 1."
            )

    def value(self, y: Vector, z: Vector) -> Vector:
        return 0.5 * np.maximum(1.0 - y * z, 0.0) ** 2

    def residual(self, y: Vector, z: Vector) -> Vector:
        return y * np.maximum(1.0 - y * z, 0.0)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return np.where(y * z < 1.0, 1.0, 0.0)

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`y u + u^2 / 2` for `y u <= 0`."""
        return np.where(y * u <= 0.0, y * u + 0.5 * u * u, np.inf)

    def fenchel_gap(self, y: Vector, z: Vector, s: Vector | None, t: float) -> float:
        """`(1 - t)^2 / 2 sum_i s_i rho_i^2`."""
        terms = np.maximum(1.0 - y * z, 0.0) ** 2
        return 0.5 * (1.0 - t) ** 2 * float(terms.sum() if s is None else s @ terms)

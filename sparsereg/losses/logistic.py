"""The logistic loss (log-loss, binary cross-entropy), for targets that are classes or probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.base import Loss
from sparsereg.losses.entropy import relative_entropy, sigmoid, softplus, xlogx

__all__ = ["Logistic"]

Vector = NDArray[np.float64]


class Logistic(Loss):
    """`l(y, z) = log(1 + exp(z)) - y z` for y in [0, 1].

    A y between 0 and 1 is a soft target: the loss is `y l(1, z) + (1 - y) l(0, z)`, the cross-entropy with the
    probability y, whose least is the entropy of y and not 0.
    """

    name = "logistic"
    link = "logit"
    curvature_bound = 0.25
    canonical = True
    self_concordant = True

    def check_target(self, y: Vector) -> None:
        outside = y[(y < 0.0) | (y > 1.0)]
        if outside.size:
            raise ValueError(
                f"y holds {outside[0]:g}; loss='logistic' takes classes 0 and 1, or probabilities between them."
                " Encode classes as (y == positive_class)."
            )

    def check_intercept(self, y: Vector) -> None:
        if (y == y[0]).all() and y[0] in (0.0, 1.0):
            raise ValueError(
                f"y holds only {y[0]:g}, so that no finite intercept is best with loss='logistic'. Pass rows of both"
                " classes, or fit_intercept=False."
            )

    def value(self, y: Vector, z: Vector) -> Vector:
        """As `y log(1 + exp(-z)) + (1 - y) log(1 + exp(z))`, which does not subtract large numbers."""
        return y * softplus(-z) + (1.0 - y) * softplus(z)

    def residual(self, y: Vector, z: Vector) -> Vector:
        """`y - p`, as `y (1 - p) - (1 - y) p`."""
        return y * sigmoid(-z) - (1.0 - y) * sigmoid(z)

    def curvature(self, y: Vector, z: Vector) -> Vector:  # noqa: ARG002
        return sigmoid(z) * sigmoid(-z)

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`q log q + (1 - q) log(1 - q)` with `q = y + u` in [0, 1]."""
        q = y + u
        with np.errstate(invalid="ignore"):
            return np.where((q >= 0.0) & (q <= 1.0), xlogx(np.clip(q, 0, 1)) + xlogx(np.clip(1.0 - q, 0, 1)), np.inf)

    def inverse_link(self, z: Vector) -> Vector:
        return sigmoid(z)

    def fenchel_gap(self, y: Vector, z: Vector, s: Vector | None, t: float) -> float:
        """The relative entropy of `(1 - t) y + t p` and p: no large number is subtracted from a large one."""
        p, other, away = sigmoid(z), sigmoid(-z), (1.0 - t) * self.residual(y, z)
        terms = relative_entropy((1.0 - t) * y + t * p, -softplus(-z), p, away)
        terms += relative_entropy((1.0 - t) * (1.0 - y) + t * other, -softplus(z), other, -away)
        return float(terms.sum() if s is None else s @ terms)

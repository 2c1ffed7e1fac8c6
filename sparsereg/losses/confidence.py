"""The logistic loss with a penalty on confident predictions. Not convex: no duality gap, not in `LOSSES`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.entropy import sigmoid, softplus
from sparsereg.losses.logistic import Logistic

__all__ = ["ConfidentLogistic"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class ConfidentLogistic(Logistic):
    """`log(1 + exp(z)) - y z - beta H(p)`, with the entropy `H(p) = -p log p - (1-p) log(1-p)` of `p = sigmoid(z)`.

    The second derivative is negative where `|z| tanh(|z|/2) > 1 + 1/beta`. (Pereyra et al. 2017, "Regularizing neural
    networks by penalizing confident output distributions".)

    Parameters
    ----------
    beta : float >= 0
    """

    beta: float

    name = "confident_logistic"
    canonical = False
    self_concordant = False

    def value(self, y: Vector, z: Vector) -> Vector:
        """The entropy is `softplus(z) - p z`, as `softplus(-|z|) + (1 - p(|z|)) |z|`."""
        away = np.abs(z)
        return super().value(y, z) - self.beta * (softplus(-away) + sigmoid(-away) * away)

    def residual(self, y: Vector, z: Vector) -> Vector:
        return super().residual(y, z) - self.beta * super().curvature(y, z) * z

    def curvature(self, y: Vector, z: Vector) -> Vector:
        return super().curvature(y, z) * (1.0 + self.beta * (1.0 - z * np.tanh(0.5 * z)))

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """Not known: the loss is not convex."""
        raise NotImplementedError("confidence_penalty makes the loss non-convex: it has no duality gap.")

"""The loss, one row at a time: the Python face of the C registry. Knows nothing of X or penalties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import LOSSES, loss_rows

__all__ = ["Loss", "names"]

Vector = NDArray[np.float64]


def names() -> list[str]:
    """Names of the losses the kernels know."""
    return list(LOSSES)


@dataclass(frozen=True)
class Loss:
    """A loss by its name in the registry."""

    name: str = "squared"

    def total(self, y: Vector, z: Vector, s: Vector | None = None) -> float:
        """`sum_i s_i loss(y_i, z_i)`."""
        return float(loss_rows(LOSSES[self.name], y, z, s))

    def residual(self, y: Vector, z: Vector, s: Vector | None = None) -> Vector:
        """`-s_i dloss/dz` at z: for the squared loss `s * (y - z)`."""
        out = np.empty_like(z)
        loss_rows(LOSSES[self.name], y, z, s, out)
        return out

"""The elastic net, `l1 |w| + l2/2 w^2`, and the same on `w >= 0`."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import PENALTIES as KERNELS
from sparsereg._core.kernels import gap_sums
from sparsereg.penalties.base import GapTerms, Penalty

__all__ = ["ElasticNetPenalty", "NonnegativeElasticNetPenalty", "upwards"]

Vector = NDArray[np.float64]


class ElasticNetPenalty(Penalty):
    """`g(w) = |w|`."""

    name = "elastic_net"
    kernel: ClassVar[int] = KERNELS["elastic_net"]

    def gauge(self, w: Vector) -> Vector:
        return np.abs(w)

    def slope(self, w: Vector) -> Vector:
        return np.sign(w)

    def dual_magnitude(self, c: Vector) -> Vector:
        return np.abs(c)

    def excess(self, c: Vector, l1: Vector) -> Vector:
        return np.copysign(np.maximum(np.abs(c) - l1, 0.0), c)

    def gap_terms(self, w: Vector, c: Vector, l1: Vector, l2: Vector) -> GapTerms:
        """The terms of the duality gap, in one pass by the kernel."""
        return GapTerms(*gap_sums(self.kernel, w, c, l1, l2))


class NonnegativeElasticNetPenalty(ElasticNetPenalty):
    """`g(w) = w` for `w >= 0`, infinite below."""

    name = "elastic_net_nonneg"
    kernel = KERNELS["elastic_net_nonneg"]
    positive = True

    def gauge(self, w: Vector) -> Vector:
        return np.where(w >= 0.0, w, np.inf)

    def dual_magnitude(self, c: Vector) -> Vector:
        return np.maximum(c, 0.0)

    def excess(self, c: Vector, l1: Vector) -> Vector:
        return np.maximum(c - l1, 0.0)

    def unsettled(self, w: Vector, c: Vector) -> Vector:
        """See `upwards`."""
        return upwards(w, c)


def upwards(w: Vector, slope: Vector) -> Vector:
    """The gradient under `w >= 0`: that of a column at 0 counts only if it points upwards."""
    return np.where((w > 0.0) | (slope > 0.0), slope, 0.0)

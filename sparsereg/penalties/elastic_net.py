"""The penalty, as the solvers see it: a kind from the C registry and strengths per column. Knows nothing of X or losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import PENALTIES, gap_sums

__all__ = ["Penalty", "names"]

Vector = NDArray[np.float64]


def names() -> list[str]:
    """Names of the penalties the kernels know."""
    return list(PENALTIES)


@dataclass(frozen=True)
class Penalty:
    """`alpha * sum_j (l1_ratio * l1_factor_j |w_j| + (1 - l1_ratio)/2 * l2_factor_j w_j^2)`, or the same on w >= 0.

    Attributes
    ----------
    kind : int
        Its number in the C registry.
    l1_factor, l2_factor : float64 array of shape (n_cols,), or the scalar 1.0
        Penalty factors, times the columns' deviations when the user asked for `standardize`.
    """

    kind: int
    l1_factor: Vector | float = 1.0
    l2_factor: Vector | float = 1.0

    @property
    def positive(self) -> bool:
        return self.kind == PENALTIES["elastic_net_nonneg"]

    def strengths(self, scale: float, l1_ratio: float, cols: NDArray[np.int64]) -> tuple[Vector, Vector]:
        """`(l1_j, l2_j)` on the columns listed, for `scale = S * alpha`."""
        return (
            np.full(cols.size, scale * l1_ratio) * _at(self.l1_factor, cols),
            np.full(cols.size, scale * (1.0 - l1_ratio)) * _at(self.l2_factor, cols),
        )

    def value(self, w: Vector, l1: Vector, l2: Vector) -> float:
        """`sum_j l1_j |w_j| + l2_j/2 w_j^2`; infinite outside the domain."""
        if self.positive and (w < 0).any():
            return np.inf
        return float(l1 @ np.abs(w) + 0.5 * (l2 @ (w * w)))

    def dual_magnitude(self, c: Vector) -> Vector:
        """The size of a gradient as the penalty feels it: w_j = 0 is optimal while `dual_magnitude(c_j) <= l1_j`."""
        return np.maximum(c, 0.0) if self.positive else np.abs(c)

    def gap_sums(self, w: Vector, c: Vector, l1: Vector, l2: Vector) -> dict[str, Any]:
        """The certificate's ingredients over these columns, by the kernel."""
        sums: dict[str, Any] = gap_sums(self.kind, w, c, l1, l2)
        return sums


def _at(factor: Vector | float, cols: NDArray[np.int64]) -> Vector | float:
    return factor[cols] if isinstance(factor, np.ndarray) else factor

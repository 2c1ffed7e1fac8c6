"""What a separable convex penalty must say, one coefficient at a time. Knows nothing of X, losses or solvers.

A penalty is `sum_j l1_j g(w_j) + l2_j/2 w_j^2` with a gauge g: convex, `g(t w) = t g(w)` for t > 0, `g(w) >= |w|`.
Four one-liners about g say it all: `gauge`, `slope`, `dual_magnitude` and `excess`. Value, prox, conjugate, the terms
of the duality gap and the distance from stationarity follow. A new penalty is one file with one class, and one line in
`sparsereg.penalties.PENALTIES`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["GapTerms", "Penalty"]

Vector = NDArray[np.float64]


class GapTerms(NamedTuple):
    """Sums over columns that the duality gap is made of; see `sr_gap_terms` in `src_c/sr.h`.

    Attributes
    ----------
    l1_norm, l2_sq : float
        `sum l1_j g(w_j)` and `sum l2_j w_j^2`.
    slope : float
        `sum (c_j - l2_j w_j) w_j`.
    dual_norm : float
        The largest `dual_magnitude(c_j - l2_j w_j) / l1_j`.
    fenchel : float
        `sum pen_j(w_j) + pen_j*(c_j) - c_j w_j`.
    """

    l1_norm: float
    l2_sq: float
    slope: float
    dual_norm: float
    fenchel: float


@dataclass(frozen=True)
class Penalty(ABC):
    """`alpha * sum_j (l1_ratio * l1_factor_j g(w_j) + (1 - l1_ratio)/2 * l2_factor_j w_j^2)`.

    Attributes
    ----------
    l1_factor, l2_factor : float64 array of shape (n_cols,), or the scalar 1.0
        Penalty factors, times the columns' deviations (their squares) when the user asked for `standardize`.
    name : str
        Its key in `PENALTIES`.
    kernel : int or None
        Its number in the C registry, which coordinate descent and screening in C need; None: proximal gradient steps in
        NumPy, and gradients of all columns in place of bounds.
    """

    l1_factor: Vector | float = 1.0
    l2_factor: Vector | float = 1.0

    name: ClassVar[str]
    kernel: ClassVar[int | None] = None
    positive: ClassVar[bool] = False

    @abstractmethod
    def gauge(self, w: Vector) -> Vector:
        """`g(w_j)`; infinite where w_j is not allowed."""

    @abstractmethod
    def slope(self, w: Vector) -> Vector:
        """`g'(w_j)` where w_j is not 0, and 0 where it is."""

    @abstractmethod
    def dual_magnitude(self, c: Vector) -> Vector:
        """The polar gauge: `w_j = 0` is optimal while `dual_magnitude(c_j) <= l1_j`, c_j the negative gradient of the
        loss."""

    @abstractmethod
    def excess(self, c: Vector, l1: Vector) -> Vector:
        """c_j less its projection onto `{dual_magnitude <= l1_j}`: for |w| the soft threshold."""

    def with_factors(self, l1_factor: Vector | float, l2_factor: Vector | float) -> Penalty:
        """The same penalty with other factors."""
        return type(self)(l1_factor, l2_factor)

    @cached_property
    def is_uniform(self) -> bool:
        """Whether all columns have the same penalty."""
        return isinstance(self.l1_factor, float) and isinstance(self.l2_factor, float)

    def strengths(self, scale: float, l1_ratio: float, cols: NDArray[np.int64]) -> tuple[Vector, Vector]:
        """`(l1_j, l2_j)` of the listed columns, for `scale = S * alpha`."""
        return _times(scale * l1_ratio, self.l1_factor, cols), _times(scale * (1.0 - l1_ratio), self.l2_factor, cols)

    def value(self, w: Vector, l1: Vector, l2: Vector) -> float:
        """`sum_j l1_j g(w_j) + l2_j/2 w_j^2`."""
        gauge = self.gauge(w)
        if np.isinf(gauge).any():
            return np.inf
        return float(l1 @ gauge + 0.5 * (l2 @ (w * w)))

    def prox(self, c: Vector, a: Vector, l1: Vector, l2: Vector) -> Vector:
        """`argmin_b a_j/2 b^2 - c_j b + l1_j g(b) + l2_j/2 b^2`, which is `excess(c_j) / (a_j + l2_j)`; 0 where `a_j +
        l2_j` is 0."""
        return np.divide(self.excess(c, l1), a + l2, out=np.zeros_like(c), where=a + l2 > 0.0)

    def unsettled(self, w: Vector, c: Vector) -> Vector:  # noqa: ARG002
        """Of the gradients c of unpenalized columns what lets the objective fall: all of it."""
        return c

    def conjugate(self, c: Vector, l1: Vector, l2: Vector) -> Vector:
        """`pen_j*(c_j) = excess(c_j)^2 / (2 l2_j)`; infinite beyond the threshold where l2_j is 0."""
        excess = self.excess(c, l1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(excess != 0.0, 0.5 * excess**2 / l2, 0.0)

    def stationarity(self, w: Vector, c: Vector, l1: Vector, l2: Vector) -> Vector:
        """Distance of each c_j from the subdifferential of the penalty at w_j; infinite where w_j is not allowed."""
        inside = np.where(w == 0.0, self.excess(c, l1), c - l1 * self.slope(w) - l2 * w)
        return np.where(np.isinf(self.gauge(w)), np.inf, np.abs(inside))

    def gap_terms(self, w: Vector, c: Vector, l1: Vector, l2: Vector) -> GapTerms:
        """The terms of the duality gap. Columns with `l1_j = l2_j = 0` must have a feasible gradient already."""
        penalized = l1 + l2 > 0.0
        augmented = c - l2 * w
        magnitude = np.where(penalized, np.maximum(self.dual_magnitude(augmented), 0.0), 0.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.where(magnitude > 0.0, magnitude / l1, 0.0)
        l1_norm, l2_sq = float(l1 @ self.gauge(w)), float(l2 @ w**2)
        conjugate = float(self.conjugate(c, l1, l2)[penalized].sum())
        return GapTerms(
            l1_norm,
            l2_sq,
            float(augmented @ w),
            float(ratio.max(initial=0.0)),
            l1_norm + 0.5 * l2_sq - float(c @ w) + conjugate,
        )


def _times(strength: float, factor: Vector | float, cols: NDArray[np.int64]) -> Vector:
    if isinstance(factor, np.ndarray):
        return strength * factor[cols]
    out = np.empty(cols.size)
    out.fill(strength * factor)  # np.full takes ten times as long for few columns
    return out

"""The logistic loss (log-loss, binary cross-entropy), for targets that are classes or probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import MEANS, rows_gap
from sparsereg.losses.base import Loss, row_blocks
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
    residual_bound = 1.0
    canonical = True
    kernel = MEANS["logistic"]
    self_concordant = True

    def check_target(self, y: Vector) -> None:
        if y.min(initial=0.0) >= 0.0 and y.max(initial=0.0) <= 1.0:
            return
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

    def fit_term(self, deviance: Vector, dispersion: float | None) -> Vector:
        return deviance / (dispersion or 1.0)

    def value(self, y: Vector, z: Vector) -> Vector:
        """Its terms are not negative: `(1 - y) z` or `-y z`, and `log(1 + exp(-|z|))`."""
        return np.where(z >= 0.0, (1.0 - y) * z, -y * z) + np.log1p(np.exp(-np.abs(z)))

    def residual(self, y: Vector, z: Vector) -> Vector:
        """`y - p`, as `y (1 - p) - (1 - y) p`."""
        e = np.exp(-np.abs(z))
        return np.where(z >= 0.0, y * e - (1.0 - y), y - (1.0 - y) * e) / (1.0 + e)

    def curvature(self, y: Vector, z: Vector) -> Vector:  # noqa: ARG002
        """`p (1 - p)`."""
        e = np.exp(-np.abs(z))
        return e / (1.0 + e) ** 2

    def best_intercept(self, y: Vector, z: Vector, s: Vector | None) -> float:
        """The logit of the mean of y where all z are equal."""
        if (z == z[0]).all():
            p = other = 0.0
            for rows in row_blocks(y.size):
                at, weights = y[rows], None if s is None else s[rows]
                p += float(at.sum() if weights is None else weights @ at)
                other += float((1.0 - at).sum() if weights is None else weights @ (1.0 - at))
            if p > 0.0 < other:
                return float(np.log(p) - np.log(other) - z[0])
        return super().best_intercept(y, z, s)

    def conjugate(self, y: Vector, u: Vector) -> Vector:
        """`q log q + (1 - q) log(1 - q)` with `q = y + u` in [0, 1]."""
        q = y + u
        if ((q == 0.0) | (q == 1.0)).all():
            return np.zeros_like(q)
        with np.errstate(invalid="ignore"):
            return np.where((q >= 0.0) & (q <= 1.0), xlogx(np.clip(q, 0, 1)) + xlogx(np.clip(1.0 - q, 0, 1)), np.inf)

    def inverse_link(self, z: Vector) -> Vector:
        return sigmoid(z)

    def fenchel_gap(self, y: Vector, z: Vector, s: Vector | None, t: float) -> float:
        """The relative entropy of `(1 - t) y + t p` and p: no large number is subtracted from a large one."""
        near = rows_gap(self.kernel, y, s, z, t)
        if near is not None:
            return near
        e = np.exp(-np.abs(z))
        large, right = 1.0 / (1.0 + e), z >= 0.0
        small = e * large
        p, other = np.where(right, large, small), np.where(right, small, large)
        away = (1.0 - t) * (y * other - (1.0 - y) * p)
        terms = relative_entropy(p + away, lambda far: -softplus(-z[far]), p, away)
        terms += relative_entropy(other - away, lambda far: -softplus(z[far]), other, -away)
        return float(terms.sum() if s is None else s @ terms)

    def above_least(self, s: Vector, sy: Vector, z: Vector, largest: float) -> Vector:  # noqa: ARG002
        return sy * softplus(-z) + (s - sy) * softplus(z)

    def curvature_at(self, mean: Vector) -> Vector:
        return mean * (1.0 - mean)

    def scaled_squares(self, sums: tuple[Vector, Vector, Vector], mean: Vector, curvature: Vector) -> Vector:
        """`rho^2 / (p (1 - p))` is convex in y, so at most its chord between y = 0 and 1; exact for classes."""
        s, sy, _ = sums
        other = 1.0 - mean
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            terms = (sy * other * other + (s - sy) * mean * mean) / curvature
        return np.where(s > 0.0, terms, 0.0)

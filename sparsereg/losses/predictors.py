"""Losses as functions of K predictors a row: value, gradient and curvature. They see rows only, as `Loss` does.

`WeightedLoss` is any `Loss` of one predictor; `Softmax` is the multinomial loss of K, with a penalty on confidence if
asked for. Both are sums over the rows, with the rows' weights in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from sparsereg.losses.base import Loss
from sparsereg.losses.entropy import relative_entropy

__all__ = ["Curvature", "PredictorLoss", "Softmax", "WeightedLoss"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Curvature(Protocol):
    """Second derivatives at given predictors, weights included."""

    def product(self, D: Matrix) -> Matrix:
        """Of every row's K x K second derivative with its row of D, of shape (n, K)."""

    def diagonal(self) -> Matrix:
        """Non-negative, of shape (n, K): that of the convex part."""

    def pair(self, k: int, m: int) -> Vector:
        """The entry of predictors k and m, of shape (n,)."""


class PredictorLoss(Protocol):
    """`sum_i s_i l_i(z_i)` for predictors Z of shape (n, K)."""

    @property
    def convex(self) -> bool:
        """Whether every loss is."""

    @property
    def n_outputs(self) -> int:
        """K."""

    def total(self, Z: Matrix) -> float:
        """The sum over the rows."""

    def gradient(self, Z: Matrix) -> Matrix:
        """Derivatives in every z_ik."""

    def curvature(self, Z: Matrix) -> Curvature:
        """Second derivatives."""


@dataclass(frozen=True)
class _OneCurvature:
    h: Vector
    convex: bool

    def product(self, D: Matrix) -> Matrix:
        return self.h[:, None] * D

    def diagonal(self) -> Matrix:
        return (self.h if self.convex else np.maximum(self.h, 0.0))[:, None]

    def pair(self, k: int, m: int) -> Vector:  # noqa: ARG002 - there is one predictor
        return self.h


@dataclass(frozen=True)
class WeightedLoss:
    """A `Loss` of one predictor with its targets y and weights s, either of shape (n,); s may be None.

    `convex=False` where the curvature may be negative."""

    loss: Loss
    y: Vector
    s: Vector | None
    convex: bool = True
    n_outputs = 1

    def total(self, Z: Matrix) -> float:
        return self.loss.total(self.y, Z[:, 0], self.s)

    def gradient(self, Z: Matrix) -> Matrix:
        rho = self.loss.residual(self.y, Z[:, 0])
        return -(rho if self.s is None else self.s * rho)[:, None]

    def curvature(self, Z: Matrix) -> Curvature:
        h = self.loss.curvature(self.y, Z[:, 0])
        return _OneCurvature(h if self.s is None else self.s * h, self.convex)


@dataclass(frozen=True)
class _SoftmaxCurvature:
    P: Matrix
    s: Vector | None
    beta: float
    log_p: Matrix

    def product(self, D: Matrix) -> Matrix:
        moved = self.P * (D - np.sum(self.P * D, axis=1, keepdims=True))
        if self.beta:
            above = self.log_p - np.sum(self.P * self.log_p, axis=1, keepdims=True)
            slope = np.sum(self.P * above * D, axis=1, keepdims=True)
            moved = moved + self.beta * (moved * (above + 1.0) - self.P * slope)
        return moved if self.s is None else self.s[:, None] * moved

    def diagonal(self) -> Matrix:
        h = self.P * (1.0 - self.P)
        return h if self.s is None else self.s[:, None] * h

    def pair(self, k: int, m: int) -> Vector:
        h = self.P[:, k] * (float(k == m) - self.P[:, m])
        if self.beta:
            above = self.log_p[:, [k, m]] - np.sum(self.P * self.log_p, axis=1, keepdims=True)
            h = h * (1.0 + self.beta * (above[:, 0] + 1.0)) - self.beta * self.P[:, k] * self.P[:, m] * above[:, 1]
        return h if self.s is None else self.s * h


@dataclass(frozen=True)
class Softmax:
    """`-sum_k y_k log p_k - beta H(p)` with `p = softmax(z)` and the entropy `H(p) = -sum_k p_k log p_k`.

    Attributes
    ----------
    Y : float64 array of shape (n, K)
        Probabilities of the classes; rows sum to 1.
    s : float64 array of shape (n,) or None
    beta : float
        Above 0 the loss is not convex.
    """

    Y: Matrix
    s: Vector | None
    beta: float = 0.0

    @property
    def convex(self) -> bool:
        return self.beta == 0.0

    @cached_property
    def n_outputs(self) -> int:
        return self.Y.shape[1]

    def total(self, Z: Matrix) -> float:
        log_p = Z - logsumexp(Z, axis=1, keepdims=True)
        losses = -np.sum(self.Y * log_p, axis=1)
        if self.beta:
            losses += self.beta * np.sum(np.exp(log_p) * log_p, axis=1)
        return float(losses.sum() if self.s is None else self.s @ losses)

    def gradient(self, Z: Matrix) -> Matrix:
        log_p = Z - logsumexp(Z, axis=1, keepdims=True)
        P = np.exp(log_p)
        slope = P - self.Y
        if self.beta:
            slope += self.beta * P * (log_p - np.sum(P * log_p, axis=1, keepdims=True))
        return slope if self.s is None else self.s[:, None] * slope

    def fenchel_gap(self, Z: Matrix, t: float) -> float:
        """The loss's part of a duality gap at t times the residuals: the relative entropy of `(1 - t) y + t p` and p.

        Only where beta is 0."""
        log_p = Z - logsumexp(Z, axis=1, keepdims=True)
        P = np.exp(log_p)
        M = (1.0 - t) * self.Y + t * P
        terms = relative_entropy(M.ravel(), log_p.ravel(), P.ravel(), (1.0 - t) * (self.Y - P).ravel())
        each = terms.reshape(M.shape).sum(axis=1)
        return float(each.sum() if self.s is None else self.s @ each)

    def curvature(self, Z: Matrix) -> Curvature:
        log_p = Z - logsumexp(Z, axis=1, keepdims=True)
        return _SoftmaxCurvature(np.exp(log_p), self.s, self.beta, log_p)

"""Any loss over rows in memory: its value, its gradients and its part of the duality gap. Knows no penalties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses import Loss
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows

__all__ = ["Evaluation", "LossRows"]

Vector = NDArray[np.float64]

# Curvatures below this share of the largest possible (or observed) one are raised to it: a flat row would let a step
# run away.
MIN_CURVATURE = 1e-3


@dataclass(frozen=True)
class Evaluation:
    """What a loss says at given coefficients.

    Attributes
    ----------
    intercept : float
        b0 at its best.
    total : float
        `sum_i s_i loss(y_i, z_i)`.
    c : float64 array of shape (n_cols,)
        `x_j' rho`, centred where there is an intercept, with `rho_i = -s_i loss'(y_i, z_i)`.
    fenchel_gap : callable
        `fenchel_gap(t)` is the loss's part of the duality gap at the dual point `t rho`; see `Loss.fenchel_gap`.
    """

    intercept: float
    total: float
    c: Vector
    fenchel_gap: Callable[[float], float]


@dataclass(frozen=True, eq=False)
class LossRows:
    """Rows in memory under a loss.

    Attributes
    ----------
    rows : MemoryRows
        For the squared loss with the offset taken off its targets.
    loss : Loss
    offset : float64 array of shape (n,) or None
    fit_intercept : bool
    """

    rows: MemoryRows
    loss: Loss
    offset: Vector | None
    fit_intercept: bool
    _null: list[tuple[float, float, float]] = field(default_factory=list, repr=False)

    def null_model(self) -> tuple[float, float, float]:
        """b0 of the model without columns, its total loss, and the least total that any predictors could reach."""
        if not self._null:
            z, b0 = self.predictor(Coefficients.zero())
            if self.offset is None:  # one predictor for all rows
                z = z[:1]
            self._null.append((b0, self.loss.total(self.rows.y, z, self.rows.s), self._saturated()))
        return self._null[0]

    def null_residual(self) -> Vector:
        """`rho` of the model without columns."""
        b0 = np.array([self.null_model()[0]])
        rho = self.loss.residual(self.rows.y, b0 if self.offset is None else b0 + self.offset)
        return rho if self.rows.s is None else self.rows.s * rho

    def evaluate(self, coef: Coefficients) -> Evaluation:
        """By full passes in double, with b0 at its best: O(n + entries of X)."""
        y, s = self.rows.y, self.rows.s
        z, intercept = self.predictor(coef)
        rho = self.loss.residual(y, z)
        if s is not None:
            rho *= s
        if self.fit_intercept:  # what rounding left of sum(rho) = 0
            rho -= rho.sum() / self.rows.weight_sum * (1.0 if s is None else s)
        return Evaluation(
            intercept,
            self.loss.total(y, z, s),
            self.rows.design.rmatvec(rho),
            lambda t: self.loss.fenchel_gap(y, z, s, t),
        )

    def intercept(self, coef: Coefficients) -> float:
        """b0 at its best."""
        return self.predictor(coef)[1]

    def total(self, coef: Coefficients) -> float:
        """`sum_i s_i loss(y_i, z_i)` with b0 at its best."""
        return self.loss.total(self.rows.y, self.predictor(coef)[0], self.rows.s)

    def saturated(self) -> float:
        """The least total that any predictors could reach: `-sum_i s_i loss*(y_i, 0)`."""
        return self.null_model()[2]

    def _saturated(self) -> float:
        least = -self.loss.conjugate(self.rows.y, np.zeros_like(self.rows.y))
        return float(least.sum() if self.rows.s is None else self.rows.s @ least)

    def linearize(self, coef: Coefficients) -> MemoryRows:
        """The weighted least squares that model the loss to second order at `coef`: targets `z - offset + rho / h`,
        weights h."""
        y, s = self.rows.y, self.rows.s
        z, _ = self.predictor(coef)
        h = self.loss.curvature(y, z)
        largest = self.loss.curvature_bound
        h = np.maximum(h, MIN_CURVATURE * (largest if np.isfinite(largest) else h.max(initial=0.0)))
        working = z + self.loss.residual(y, z) / h
        if self.offset is not None:
            working -= self.offset
        return MemoryRows(self.rows.design, working, h if s is None else s * h)

    def predictor(self, coef: Coefficients) -> tuple[Vector, float]:
        """`z = offset + b0 + X w`, and b0."""
        z = self.rows.predictor(coef)
        if self.offset is not None:
            z += self.offset
        b0 = self.loss.best_intercept(self.rows.y, z, self.rows.s) if self.fit_intercept else 0.0
        z += b0
        return z, b0

"""Any loss over rows in parts. Knows no penalties and no solvers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses import Loss
from sparsereg.losses.base import ZERO_SLOPE, enclosed_newton
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.partition_loss import SHARES, CheckTargets, LossAt, LossSums, Slope, TargetFacts
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.rows.units import MAX_CORRECTION

__all__ = ["PartitionedLoss", "RowsPoint"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowsPoint:
    """A loss at coefficients and an intercept.

    Where there is an intercept, the dual point sums to 0: `rho - correction h`, or for losses that are not
    self-concordant `scales[0] max(rho, 0) + scales[1] min(rho, 0)`, the smaller side being kept.

    Attributes
    ----------
    sums : LossSums
    intercept : float
        At which the sums are.
    correction : float
    self_concordant : bool
    scales : tuple of float
    """

    sums: LossSums
    intercept: float
    correction: float
    self_concordant: bool
    scales: tuple[float, float] = (1.0, 1.0)

    @cached_property
    def c(self) -> Vector:
        """Gradients of all columns at the dual point."""
        if not self.self_concordant:
            up, down = self.scales
            return self.sums.c if up == down == 1.0 else down * self.sums.c + (up - down) * self.sums.u
        return self.sums.c - self.correction * self.sums.u if self.correction else self.sums.c

    def model_gradient(self, cols: Int, fit_intercept: bool) -> tuple[float, Vector]:
        """The step of the intercept to the minimum of the model where no coefficient moves, and the gradients there of
        the columns that the Gram matrix of the sums is of."""
        if self.self_concordant or not fit_intercept or not self.sums.model_curvature > 0.0:
            return self.correction, self.c[cols]
        step = self.sums.slope / self.sums.model_curvature
        return step, self.sums.c[cols] - step * self.sums.model_sums

    @property
    def largest(self) -> float:
        """An upper bound on its entries."""
        return self.sums.largest + abs(self.correction) * self.sums.largest_curvature

    @property
    def squared(self) -> float:
        """About the square of the residual of the model; 0 where it is not known."""
        return self.sums.squared - self.correction * self.sums.slope if self.self_concordant else 0.0

    def fenchel_gap(self, t: float) -> float:
        """An upper bound of the loss's part of the gap at the dual point scaled by t; see
        `Units.bounded_fenchel_gap`, and `SHARES` for losses that are not self-concordant."""
        sums, e = self.sums, self.correction
        if abs(e) > MAX_CORRECTION:
            return np.inf
        if not self.self_concordant:
            found = sum(
                self._fenchel_of(known, t * scale) for known, scale in zip(sums.fenchel, self.scales, strict=True)
            )
            return found if found < 1e300 else np.inf
        squares = e * e * sums.curvature
        if t == 1.0:
            return 0.5 * squares / (1.0 - abs(e))
        apart = (1.0 - t) ** 2 * sums.squared + (2.0 * t * (1.0 - t) + t * t) * squares
        return 0.5 * apart / (t * (1.0 - abs(e))) + (1.0 - t) * sums.far

    @staticmethod
    def _fenchel_of(known: Vector, t: float) -> float:
        """Below the chords between the known ones."""
        away, values = np.append(0.0, SHARES[::-1]), np.append(0.0, known[::-1])
        return float(np.interp(1.0 - t, away, np.minimum(values, np.finfo(float).max)))


@dataclass(frozen=True, eq=False)
class PartitionedLoss:
    """Rows in parts under a loss.

    Attributes
    ----------
    rows : PartitionedRows
    loss : Loss
    fit_intercept : bool
    """

    rows: PartitionedRows
    loss: Loss
    fit_intercept: bool

    @cached_property
    def targets(self) -> TargetFacts:
        """What the targets say of themselves; one round. ValueError for targets that the loss does not take."""
        found: TargetFacts = self.rows.ask(CheckTargets(self.loss))
        if self.fit_intercept:
            self.loss.check_intercept(np.array([found.low, found.high]))
        return found

    @cached_property
    def null_model(self) -> RowsPoint:
        """The loss without columns, b0 at its best."""
        none = Coefficients.zero()
        b0 = self._null_intercept() if self.fit_intercept else 0.0
        point = self.at(none, b0, none.cols)
        if not np.isfinite(point.sums.total):
            raise ValueError(
                f"the target is too large for loss={self.loss.name!r}, whose value at w = 0 is infinite; rescale it."
            )
        return point

    @property
    def null_loss(self) -> float:
        """`S F` at w = 0, above the least that any predictors could reach."""
        return self.null_model.sums.total - self.targets.least

    def at(self, coef: Coefficients, b0: float, cols: Int) -> RowsPoint:
        """One round."""
        sums: LossSums = self.rows.ask(LossAt(coef, b0, self.loss, cols, self.targets.high))
        correction, scales = 0.0, (1.0, 1.0)
        if self.fit_intercept and self.loss.self_concordant and sums.curvature > 0.0:
            correction = sums.slope / sums.curvature
        if self.fit_intercept and not self.loss.self_concordant:
            up, down = sums.positive, max(sums.positive - sums.slope, 0.0)
            least = min(up, down)
            scales = least / up if up > 0.0 else 1.0, least / down if down > 0.0 else 1.0
        return RowsPoint(sums, b0, correction, self.loss.self_concordant, scales)

    def _null_intercept(self) -> float:
        """From the mean of the targets where it depends on nothing else: where there is no offset."""
        facts = self.targets
        if self.loss.canonical and not self.rows.totals.has_offset:
            mean = facts.y_sum / facts.weight_sum
            return self.loss.null_predictor(np.array([mean]), None)
        return self._best_intercept(Coefficients.zero(), 0.0)

    def _best_intercept(self, coef: Coefficients, b0: float) -> float:
        """A round for each step of Newton's method."""

        def slope_and_curvature(b: float) -> tuple[float, float]:
            slope, total, size = self.rows.ask(Slope(coef, b0 + b, self.loss))
            return (float(slope) if abs(slope) > ZERO_SLOPE * size else 0.0), float(total)

        return b0 + enclosed_newton(slope_and_curvature, 0.0)

"""A loss at the coefficients of a growing working set, by rows or by groups of rows. Knows no penalties and no solvers.

A *unit* is a row, or a group of rows whose predictors are equal because they have the same columns of the working set.
For a loss `a(z) - y z` a group is one row, exactly: of the sum of their weights, and the sum of their weighted targets.
Few groups make a pass over "the rows" as many times cheaper.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import (
    mean_correct,
    mean_curvature,
    mean_of,
    mean_toward,
    mean_value,
)
from sparsereg.losses.base import enclosed_newton
from sparsereg.rows.contract import Gram
from sparsereg.rows.loss_rows import FAR, LossRows
from sparsereg.rows.reweigh import FAR_KEPT, KEPT

__all__ = ["At", "Units", "gram_suits"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Where rows have more entries, a Gram matrix costs more whenever its weights change than descents on a residual.
MAX_GRAM_ROW_LENGTH = 40
# Curvatures below this share of the residual, or of the largest possible one, are raised to it in the model: a flat row
# would let a step run away.
MIN_CURVATURE = 1e-4
# The sum of the residuals counts as 0 below this share of the sum of the targets.
ZERO_SUM = 1e-13
# The dual point is put right by at most this share of the curvatures, where the sum is not 0.
MAX_CORRECTION = 0.1


class At(NamedTuple):
    """A loss at some predictors, the intercept at its best or nearly.

    The dual point `y_i - mean` sums to 0 exactly: means at these predictors, less `correction` times the curvature.

    Attributes
    ----------
    mean : float64 array
        One entry a unit. For any loss the residual of a row is `y_i - mean`, times its weight.
    shift : float
        What the intercept moved by.
    correction : float
    curvature_sum, squared : float
        `sum_i s_i l''_i`, and `sum_i s_i rho_i^2 / l''_i` or a bound above it.
    """

    mean: Vector
    shift: float
    correction: float
    curvature_sum: float
    squared: float


class Units(ABC):
    """What a solver asks of rows or groups.

    Attributes
    ----------
    loss_rows : LossRows
    n : int
        Units.
    cols : int64 array
        The columns that joined.
    at : At
        The present point.
    eta : float64 array of shape (n,)
        Predictors there.
    intercept : float
        b0 there.
    accuracy : float
        How far the loss may stay above its value at the best intercept, at most.
    closely : bool
        Whether `weigh` is to change small weights too, see `Reweighing`.
    least_curvature : float
        The share that `raised` raises to.
    roughly : bool
        Whether it is to keep weights that changed by more: far from the solution they soon change again.
    """

    at: At
    eta: Vector
    accuracy = 0.0
    closely, roughly = True, False
    least_curvature = MIN_CURVATURE

    def __init__(self, loss_rows: LossRows, cols: Int, intercept: float) -> None:
        self.loss_rows, self.cols, self.intercept = loss_rows, cols, intercept
        y, s = loss_rows.rows.y, loss_rows.rows.s
        size = y if y.min() >= 0.0 else np.abs(y)
        total, self._largest_target = float(size.sum() if s is None else s @ size), float(size.max())
        self._zero = ZERO_SUM * max(total, loss_rows.rows.weight_sum)

    @property
    def n(self) -> int:
        return int(self.at.mean.size)

    @property
    def shares_kept(self) -> tuple[float, float]:
        """Of changes of weights that a Gram matrix does without, see `Reweighing`."""
        of_larger, of_mean = FAR_KEPT if self.roughly else KEPT
        return of_larger, 0.0 if self.closely else of_mean

    # ---- what differs --------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def sums(self) -> tuple[Vector, Vector, Vector]:
        """`sum s_i`, `sum s_i y_i` and `sum s_i y_i^2` of each unit."""

    @property
    @abstractmethod
    def gram(self) -> Gram:
        """The Gram matrix of the columns that joined, at the weights of the last `weigh`."""

    @property
    @abstractmethod
    def gram_weights(self) -> Vector:
        """Those weights, one a unit: `sum s_i` times a curvature."""

    @abstractmethod
    def can_join(self, cols: Int) -> bool:
        """Whether `join` takes these columns."""

    @abstractmethod
    def join(self, cols: Int) -> None:
        """Columns join the working set, with their Gram columns."""

    @abstractmethod
    def weigh(self) -> None:
        """Make the present curvatures the weights of the Gram matrix."""

    @abstractmethod
    def predictor_step(self, step: Vector, shift: float) -> tuple[Vector, float]:
        """`X_W step + shift` of each unit, and the largest of its absolute values."""

    @abstractmethod
    def products(self, v: Vector) -> Vector:
        """`X_W' v` for a vector over the units."""

    @abstractmethod
    def residual_products(self, at: At) -> Vector:
        """`X_W' rho` at a point that may be tried only."""

    @abstractmethod
    def gradients(self, cols: Int | None, mean: Vector | None = None) -> Vector:
        """`x_j' rho` of the listed columns, or of all, at the present point; or at a dual point `y_i - mean`."""

    @abstractmethod
    def displacement(self, mean: Vector | None = None) -> tuple[float, float]:
        """How far residuals a unit of weight are from where they were at the last call, at the present point or at a
        dual point: the norm weighted by s, and the largest entry."""

    def know_gradients(self, c: Vector) -> None:  # noqa: B027 - not all have a use for them
        """Gradients of all columns at the first point."""

    # ---- what is the same ----------------------------------------------------------------------------------------

    def try_step(self, step: Vector | None, t: float) -> At:
        """The loss at predictors `eta + t step`, once the intercept is at its best."""
        loss, mean = self.loss_rows.loss, np.empty(0)
        totals = 0.0, 0.0, 0.0

        def evaluate(b: float) -> tuple[float, float, float]:
            nonlocal mean
            if loss.kernel is not None:
                mean = mean if mean.size else np.empty(self.eta.size)
                return mean_of(loss.kernel, self.sums, self.eta, step, t, b, mean)
            y, s, z = self.loss_rows.rows.y, self.sums[0], self._moved(step, t, b)
            rho, h = loss.residual(y, z), loss.curvature(y, z)
            mean = y - rho
            return float(s @ rho), float(s @ h), loss.scaled_square(self.sums, mean, h) if loss.self_concordant else 0.0

        def slope_and_curvature(b: float) -> tuple[float, float]:
            nonlocal totals
            totals = slope, total, _ = evaluate(b)
            good = abs(slope) <= self._zero
            if loss.kernel is not None:
                good |= slope * slope <= 2.0 * self.accuracy * total and abs(slope) <= MAX_CORRECTION * total
            return 0.0 if good else slope, total

        if not self.loss_rows.fit_intercept:
            _, total, squared = evaluate(0.0)
            return At(mean, 0.0, 0.0, total, squared)
        b = enclosed_newton(slope_and_curvature, 0.0)
        slope, total, squared = totals
        correction = slope / total if loss.kernel is not None and abs(slope) <= MAX_CORRECTION * total else 0.0
        if correction and loss.kernel is not None:
            mean_correct(loss.kernel, correction, mean)
        return At(mean, b, correction, total, squared)

    def settled_intercept(self) -> float:
        """b0 at its best to rounding, the rest as it is."""
        accuracy, self.accuracy = self.accuracy, 0.0
        shift = self.try_step(None, 0.0).shift
        self.accuracy = accuracy
        return self.intercept + shift

    def _begin(self) -> None:
        at = self.try_step(None, 0.0)
        self.settle(at, None, 0.0)
        self.intercept += at.shift

    def settle(self, at: At, step: Vector | None, t: float) -> None:
        """Make what `try_step` found the present point; `step` is used up."""
        if step is None:
            self.eta = self.eta + at.shift
        else:  # in place, in the order of `mean_of`
            if t != 1.0:
                step *= t
            step += at.shift
            step += self.eta
            self.eta = step
        self.at = at

    def _moved(self, step: Vector | None, t: float, shift: float) -> Vector:
        out = self.eta + shift if step is None else t * step + (self.eta + shift)
        return np.asarray(out)

    def residual_sums(self, mean: Vector) -> Vector:
        """The residual of each unit, summed over its rows."""
        s, sy, _ = self.sums
        return sy - s * mean

    def curvatures(self, eta: Vector | None = None) -> Vector:
        """`l''` at the present point or at given predictors, a unit of weight."""
        loss, eta = self.loss_rows.loss, self.eta if eta is None else eta
        if loss.kernel is not None:
            return mean_curvature(loss.kernel, eta)
        return loss.curvature(self.loss_rows.rows.y, eta)

    def mean_at(self, eta: Vector, correction: float) -> Vector:
        """As `At.mean`, at given predictors; for losses with a kernel."""
        kernel, mean = self.loss_rows.loss.kernel, np.empty(eta.size)
        assert kernel is not None
        mean_of(kernel, self.sums, eta, None, 0.0, 0.0, mean)
        if correction:
            mean_correct(kernel, correction, mean)
        return mean

    def toward(self, d: Vector) -> tuple[Vector, float, float]:
        """The dual point `y_i - q`, `q = mean + h d`, of predictors d of a step, less their mean under `s h`: q, `sum s
        h (d + correction)^2` and the largest `|d + correction|`. d is replaced by what the residual sums lose."""
        loss, at, centred = self.loss_rows.loss, self.at, self.loss_rows.fit_intercept
        if loss.kernel is not None:
            return mean_toward(loss.kernel, self.sums[0], self.eta, at.mean, at.correction, centred, d)
        h = self.curvatures()
        weights = self.sums[0] * h
        if centred:
            d -= float(weights @ d) / max(float(weights.sum()), 1e-300)
        apart = d + at.correction
        q, squares, largest = at.mean + h * d, float(weights @ (apart * apart)), float(np.abs(apart).max(initial=0.0))
        d *= weights
        return q, squares, largest

    def raised(self) -> Vector:
        """Curvatures at the present point for the model: none so small that a step would run away."""
        loss, (s, sy, _) = self.loss_rows.loss, self.sums
        y = self.loss_rows.rows.y  # of single rows; of groups the mean
        if loss.kernel is not None:
            y = np.divide(sy, s, out=np.zeros_like(s), where=s > 0.0)
        floor = np.abs(y - self.at.mean)
        if not loss.self_concordant and np.isfinite(loss.curvature_bound):
            floor = np.maximum(floor, loss.curvature_bound)
        return np.maximum(self.curvatures(), self.least_curvature * floor)

    def value(self, step: Vector | None = None, t: float = 0.0, shift: float = 0.0) -> float:
        """The loss at `eta + t step + shift`, but for a number that depends on the targets only."""
        return self.value_at(self.eta if step is None else self._moved(step, t, shift))

    def value_at(self, z: Vector) -> float:
        """The same at given predictors."""
        loss, (s, sy, _) = self.loss_rows.loss, self.sums
        if loss.kernel is not None:
            return mean_value(loss.kernel, s, sy, z)
        return loss.total(self.loss_rows.rows.y, z, self.loss_rows.rows.s)

    def fenchel_gap(self, t: float) -> float:
        """See `Loss.fenchel_gap`: for losses that are not self-concordant, by rows."""
        rows = self.loss_rows.rows
        return self.loss_rows.loss.fenchel_gap(rows.y, self.eta, rows.s, t)

    def bounded_fenchel_gap(self, t: float) -> float:
        """An upper bound of it at the dual point scaled by t, for self-concordant losses: `correction` and the scaling
        displace the dual point by `(1 - t) rho + t correction h`, where the conjugate's curvature is at most `1 / (t (1
        - |correction|) h)`."""
        at = self.at
        squares = at.correction**2 * at.curvature_sum
        if t == 1.0:
            return 0.5 * squares / (1.0 - abs(at.correction))
        squared, far = self.near_and_far(t)
        apart = (1.0 - t) ** 2 * squared + (2.0 * t * (1.0 - t) + t * t) * squares
        return 0.5 * apart / (t * (1.0 - abs(at.correction))) + (1.0 - t) * far

    def near_and_far(self, t: float) -> tuple[float, float]:
        """`sum_i s_i rho_i^2 / h_i` over units where that is small, and for the others how far the loss is above its
        least: as the loss's part of the gap is convex in t and 0 at t = 1, it is at most 1 - t times that. Units on the
        wrong side by far have next to no curvature. Over all units where that bounds the gap at t more closely."""
        at, loss, rows, (s, sy, syy) = self.at, self.loss_rows.loss, self.loss_rows.rows, self.sums
        if not at.squared > FAR * rows.weight_sum:
            return at.squared, 0.0
        if loss.kernel is None:
            above = s * (loss.value(rows.y, self.eta) + loss.conjugate(rows.y, np.zeros_like(s)))
        else:
            above = loss.above_least(s, sy, self.eta, self._largest_target)
        squared = loss.scaled_squares((s, sy, syy), at.mean, self.curvatures())
        far = ~(squared <= FAR * s)
        near, beyond = float(squared[~far].sum()), float(above[far].sum())
        return (near, beyond) if 0.5 * (1.0 - t) * (at.squared - near) > t * beyond else (at.squared, 0.0)

    def residual_max_abs(self, mean: Vector | None = None) -> float:
        """An upper bound on `|y_i - mean|` over the rows; means and targets of a loss by groups are of one sign."""
        mean = self.at.mean if mean is None else mean
        if not self.loss_rows.loss.canonical:
            return float(np.abs(self.loss_rows.rows.y - mean).max())
        return max(self._largest_target, float(np.abs(mean).max()))


def gram_suits(loss_rows: LossRows) -> bool:
    """Whether single rows are to have a Gram matrix, by their lengths."""
    rows = loss_rows.rows
    return rows.is_dense or rows.nnz <= MAX_GRAM_ROW_LENGTH * rows.n_rows

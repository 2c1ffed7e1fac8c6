"""Any loss over rows in memory: its value, its gradients and its part of the duality gap. Knows no penalties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import rows_residuals
from sparsereg.losses import Loss
from sparsereg.losses.base import ZERO_SLOPE, enclosed_newton, row_blocks
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows

__all__ = ["Evaluation", "LossRows"]

Vector = NDArray[np.float64]

# Curvatures below this share of the largest possible (or observed) one are raised to it: a flat row would let a step
# run away.
MIN_CURVATURE = 1e-3
COLUMN_CHUNK = 1 << 16
# Squares of residuals over curvatures, a unit of weight, beyond which they say nothing.
FAR = 1e3
# From this share of the residual on, `(1 - t)^2 / (2 t)` times those squares bounds the loss's part of the gap closely.
CLOSE = 0.99
# Of a loss with a kernel the intercept is at its best once a Newton step would be so short.
SETTLED = 1e-12


@dataclass(frozen=True)
class Evaluation:
    """What a loss says at given coefficients.

    Attributes
    ----------
    intercept : float
        b0 at its best.
    c : float64 array of shape (n_cols,)
        `x_j' rho`, centred where there is an intercept, with `rho_i = -s_i loss'(y_i, z_i)`.
    fenchel_gap : callable
        `fenchel_gap(t)` is the loss's part of the duality gap at the dual point `t rho`; see `Loss.fenchel_gap`.
    summed_loss : callable
        What `total` is worked out by when it is asked for.
    """

    intercept: float
    c: Vector
    fenchel_gap: Callable[[float], float]
    summed_loss: Callable[[], float]

    @cached_property
    def total(self) -> float:
        """`sum_i s_i loss(y_i, z_i)`."""
        return self.summed_loss()


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
            if self.offset is None:  # one predictor for all rows
                y, s = self.distinct_targets
                b0 = self.loss.null_predictor(y, s) if self.fit_intercept else 0.0
                self._null.append((b0, _summed(self.loss.total, y, b0, s), _summed(self._least, y, 0.0, s)))
            else:
                z, b0 = self.predictor(Coefficients.zero())
                y, s = self.rows.y, self.rows.s
                self._null.append((b0, _summed(self.loss.total, y, z, s), _summed(self._least, y, 0.0, s)))
        return self._null[0]

    @cached_property
    def distinct_targets(self) -> tuple[Vector, Vector | None]:
        """Targets and weights with the same sums as the rows' at one predictor of all: two, where targets are two
        numbers, as classes are."""
        y, s = self.rows.y, self.rows.s
        low, high = float(y.min()), float(y.max())
        upper = y == high
        if low == high or not (upper | (y == low)).all():
            return y, s
        weights = [np.count_nonzero(at) if s is None else s[at].sum() for at in (~upper, upper)]
        return np.array([low, high]), np.array(weights, dtype=np.float64)

    def null_gradient(self) -> Vector:
        """`x_j' rho` of the model without columns, for every column as the rows number it.

        Of columns of ones with one mean for all rows no residual is needed: `x_j' y - n_j mean`."""
        design = self.rows.design
        if not (self._null_mean is not None and self.rows.s is None and design.n_ones == design.n_cols):
            return design.rmatvec_by_rows(self._null_residual())
        c = design.rmatvec_by_rows(self.rows.y)
        for begin in range(0, design.n_cols, COLUMN_CHUNK):
            cols = np.arange(begin, min(begin + COLUMN_CHUNK, design.n_cols))
            at = cols if design.index_in_rows is None else design.index_in_rows[cols]
            c[at] -= self._null_mean * design.lengths(cols)
        return c

    def null_largest(self) -> float:
        """The largest `|rho_i|` there."""
        y = self.rows.y
        if self._null_mean is not None and self.rows.s is None:
            return max(float(y.max()) - self._null_mean, self._null_mean - float(y.min()))
        rho = self._null_residual()
        return max(float(rho.max()), -float(rho.min()))

    @cached_property
    def _null_mean(self) -> float | None:
        """The mean of the model without columns, if the loss has one and it is the same for all rows."""
        if not self.loss.canonical or self.offset is not None:
            return None
        return float(self.loss.inverse_link(np.array([self.null_model()[0]]))[0])

    def _null_residual(self) -> Vector:
        b0 = np.array([self.null_model()[0]])
        rho = self._residual(b0 if self.offset is None else b0 + self.offset)
        return rho if self.rows.s is None else rho * self.rows.s

    def evaluate(self, coef: Coefficients, near: float = 0.0) -> Evaluation:
        """By full passes in double, with b0 at its best, looked for from `near` on: O(n + entries of X)."""
        s, squared = self.rows.s, np.inf
        if self.loss.kernel is None:
            z, intercept = self.predictor(coef, near)
            rho = self._residual(z)
            slope = float(rho.sum() if s is None else s @ rho)
            if s is not None:
                rho *= s
        else:
            rho, intercept, slope, squared = self._settle(coef, near)
        if self.fit_intercept and slope:  # what rounding left of sum(rho) = 0
            rho -= slope / self.rows.weight_sum * (1.0 if s is None else s)
        bound = squared if squared <= FAR * self.rows.weight_sum else np.inf

        def summed(of: Callable[..., float], *more: float) -> float:
            return _summed(of, self.rows.y, self.predictor_at(coef, intercept), s, *more)

        def fenchel_gap(t: float) -> float:
            """By the bound of `Loss.scaled_squares` where that is close, as it takes no logarithms."""
            if t >= CLOSE and bound < np.inf:
                return 0.5 * (1.0 - t) ** 2 / t * bound
            return summed(self.loss.fenchel_gap, t)

        return Evaluation(intercept, self.rows.design.rmatvec(rho), fenchel_gap, lambda: summed(self.loss.total))

    def _settle(self, coef: Coefficients, near: float) -> tuple[Vector, float, float, float]:
        """For losses with a kernel: the residuals, b0 at its best, looked for from `near` on, the sum of the residuals,
        and `sum_i s_i rho_i^2 / l''_i`.  O(n + entries of the columns) a step"""
        kernel, first = self.loss.kernel, near if self.fit_intercept else 0.0
        rho, slope, squared = np.empty(0), 0.0, 0.0

        def slope_and_curvature(b: float) -> tuple[float, float]:
            nonlocal rho, slope, squared
            assert kernel is not None
            rho = self._offset_products(coef)  # predictors, which the residuals take the place of
            slope, total, size, squared = rows_residuals(kernel, self.rows.y, self.rows.s, rho, first + b, rho)
            settled = not self.fit_intercept or abs(slope) <= max(2.0 * ZERO_SLOPE * size, SETTLED * total)
            return (0.0 if settled else slope), total

        intercept = first + enclosed_newton(slope_and_curvature, 0.0)
        return rho, intercept, slope, squared

    def _residual(self, z: Vector) -> Vector:
        """A unit of weight, at predictors of shape (n,) or (1,)."""
        y, kernel = self.rows.y, self.loss.kernel
        z, out = np.broadcast_to(z, y.shape), np.empty_like(y)
        for rows in row_blocks(y.size):
            if kernel is not None:
                rows_residuals(kernel, y[rows], None, np.ascontiguousarray(z[rows]), 0.0, out[rows])
            else:
                out[rows] = self.loss.residual(y[rows], z[rows])
        return out

    def intercept(self, coef: Coefficients) -> float:
        """b0 at its best."""
        return self.predictor(coef)[1]

    def total(self, coef: Coefficients) -> float:
        """`sum_i s_i loss(y_i, z_i)` with b0 at its best."""
        return _summed(self.loss.total, self.rows.y, self.predictor(coef)[0], self.rows.s)

    def saturated(self) -> float:
        """The least total that any predictors could reach: `-sum_i s_i loss*(y_i, 0)`."""
        return self.null_model()[2]

    def _least(self, y: Vector, zero: Vector, s: Vector | None) -> float:
        values = -self.loss.conjugate(y, zero)
        return float(values.sum() if s is None else s @ values)

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

    def _offset_products(self, coef: Coefficients) -> Vector:
        """`offset + X w`."""
        z = self.rows.predictor(coef)
        if self.offset is not None:
            z += self.offset
        return z

    def predictor_at(self, coef: Coefficients, intercept: float) -> Vector:
        """`offset + intercept + X w`."""
        z = self._offset_products(coef)
        z += intercept
        return z

    def predictor(self, coef: Coefficients, near: float = 0.0) -> tuple[Vector, float]:
        """`z = offset + b0 + X w`, and b0, which is looked for from `near` on."""
        z = self._offset_products(coef)
        if not self.fit_intercept:
            return z, 0.0
        z += near
        more = self.loss.best_intercept(self.rows.y, z, self.rows.s)
        z += more
        return z, near + more


def _summed(of: Callable[..., float], y: Vector, z: Vector | float, s: Vector | None, *more: float) -> float:
    """A sum over rows, `of(y, z, s, ...)`, at their predictors or at one for all."""
    z = np.broadcast_to(z, y.shape)
    parts = (of(y[rows], z[rows], None if s is None else s[rows], *more) for rows in row_blocks(y.size))
    return float(sum(parts))

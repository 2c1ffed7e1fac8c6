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

from sparsereg._core.kernels import GramStore, RowGroups, mean_of
from sparsereg.losses.base import enclosed_newton
from sparsereg.rows.contract import Gram
from sparsereg.rows.gram import ProductsGram
from sparsereg.rows.loss_rows import LossRows
from sparsereg.rows.memory import MemoryRows

__all__ = ["GroupUnits", "RowUnits", "Units", "groups_suit"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Rows in groups have 16-bit patterns of fixed length: longer rows seldom are equal, and take memory.
MAX_PATTERN = 64
MAX_MEMBERS = 60_000
# With more distinct offsets than this share of the rows, groups would be single rows from the start.
MAX_OFFSETS = 0.25
# Curvatures below this share of the residual, or of the largest possible one, are raised to it in the model: a flat row
# would let a step run away.
MIN_CURVATURE = 1e-4
# Columns of fewer entries than this share of the rows are evaluated on their own rows: an entry then costs about three
# times as much.
OWN_ROWS = 0.75
# The sum of the residuals counts as 0 below this share of the sum of the targets.
ZERO_SUM = 1e-13


class At(NamedTuple):
    """A loss at predictors `eta`, one entry a unit, the intercept at its best.

    Attributes
    ----------
    mean, curvature : float64 arrays
        The residual of a row is `y_i - mean` times its weight; `curvature` is `l''` a unit of weight.
    eta : float64 array
    shift : float
        What the intercept moved by.
    """

    mean: Vector
    curvature: Vector
    eta: Vector
    shift: float


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
    intercept : float
        b0 there.
    """

    at: At

    def __init__(self, loss_rows: LossRows, cols: Int, intercept: float) -> None:
        self.loss_rows, self.cols, self.intercept = loss_rows, cols, intercept
        y, s = loss_rows.rows.y, loss_rows.rows.s
        total = float(np.abs(y).sum() if s is None else s @ np.abs(y))
        self._zero = ZERO_SUM * max(total, loss_rows.rows.weight_sum)

    @property
    def n(self) -> int:
        return int(self.at.eta.size)

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
    def gradients(self, cols: Int | None) -> Vector:
        """`x_j' rho` of the listed columns, or of all, at the present point."""

    @abstractmethod
    def displacement(self) -> tuple[float, float]:
        """How far residuals a unit of weight moved since the last call: the norm weighted by s, and the largest
        entry."""

    # ---- what is the same ----------------------------------------------------------------------------------------

    def mean_at(self, eta: Vector, shift: float) -> tuple[Vector, Vector, float, float]:
        """Means and curvatures at `eta + shift`, the sum of the residuals and that of the weighted curvatures."""
        loss, (s, sy, _) = self.loss_rows.loss, self.sums
        if loss.kernel is not None:
            mean, curvature = np.empty(eta.size), np.empty(eta.size)
            slope, total = mean_of(loss.kernel, s, sy, eta, shift, mean, curvature)
            return mean, curvature, slope, total
        y = self.loss_rows.rows.y
        rho, curvature = loss.residual(y, eta + shift), loss.curvature(y, eta + shift)
        return y - rho, curvature, float(s @ rho), float(s @ curvature)

    def try_at(self, eta: Vector) -> At:
        """The loss at these predictors, once the intercept is at its best."""
        found = [(0.0, *self.mean_at(eta, 0.0))]

        def slope_and_curvature(b: float) -> tuple[float, float]:
            if b != found[-1][0]:
                found[:] = [(b, *self.mean_at(eta, b))]
            return found[-1][3], found[-1][4]

        b = 0.0
        if self.loss_rows.fit_intercept:
            b = enclosed_newton(slope_and_curvature, self._zero)
            slope_and_curvature(b)
        return At(found[-1][1], found[-1][2], eta + b if b else eta, b)

    def residual_sums(self, at: At) -> Vector:
        """The residual of each unit, summed over its rows."""
        s, sy, _ = self.sums
        return sy - s * at.mean

    def raised(self, at: At) -> Vector:
        """Curvatures for the model: none so small that a step would run away."""
        loss, (s, sy, _) = self.loss_rows.loss, self.sums
        with np.errstate(invalid="ignore", divide="ignore"):
            floor = np.abs(np.where(s > 0.0, sy / s, 0.0) - at.mean)
        if not loss.self_concordant and np.isfinite(loss.curvature_bound):
            floor = np.maximum(floor, loss.curvature_bound)
        return np.maximum(at.curvature, MIN_CURVATURE * floor)

    def scaled_square(self, at: At) -> float:
        """See `Loss.scaled_square`."""
        return self.loss_rows.loss.scaled_square(self.sums, at.mean, at.curvature)

    def value(self, at: At) -> float:
        """The loss, but for a number that depends on the targets only."""
        loss, (s, sy, _) = self.loss_rows.loss, self.sums
        if loss.canonical:
            return float(s @ loss.cumulant(at.eta, at.mean) - sy @ at.eta)
        return loss.total(self.loss_rows.rows.y, at.eta, self.loss_rows.rows.s)

    def fenchel_gap(self, at: At, t: float) -> float:
        """See `Loss.fenchel_gap`; exact, for single rows."""
        rows = self.loss_rows.rows
        return self.loss_rows.loss.fenchel_gap(rows.y, at.eta, rows.s, t)

    def residual_max_abs(self) -> float:
        """An upper bound on `|y_i - mean|` over the rows, for a loss `a(z) - y z`."""
        return max(float(np.abs(self.loss_rows.rows.y).max()), float(np.abs(self.at.mean).max()))


class RowUnits(Units):
    """Every row for itself, with any loss and any columns."""

    def __init__(self, loss_rows: LossRows, cols: Int, eta: Vector, intercept: float) -> None:
        super().__init__(loss_rows, np.empty(0, dtype=np.int64), intercept)
        y, s = loss_rows.rows.y, loss_rows.rows.s
        s = np.ones(y.size) if s is None else s
        self._sums = s, s * y, s * y * y
        self.at = self.try_at(eta)
        self.intercept += self.at.shift
        self._reference = self.at.mean
        self.weigh()
        self.join(cols)

    @property
    def sums(self) -> tuple[Vector, Vector, Vector]:
        return self._sums

    @property
    def gram(self) -> Gram:
        return self._gram

    @property
    def gram_weights(self) -> Vector:
        return self._weights

    def can_join(self, cols: Int) -> bool:  # noqa: ARG002
        return True

    def join(self, cols: Int) -> None:
        self._gram.extend(cols)
        self.cols = np.concatenate([self.cols, cols])

    def weigh(self) -> None:
        """A new Gram matrix."""
        rows = self.loss_rows.rows
        self._weights = self._sums[0] * self.raised(self.at)
        self._gram = MemoryRows(rows.design, rows.y, self._weights).gram(0.0)
        if self.cols.size:
            self._gram.extend(self.cols)

    def predictor_step(self, step: Vector, shift: float) -> tuple[Vector, float]:
        out = np.full(self.n, shift)
        self.loss_rows.rows.design.matrix.add_matvec(step, out, self.cols)
        return out, max(float(out.max()), -float(out.min()))

    def products(self, v: Vector) -> Vector:
        return self.loss_rows.rows.design.rmatvec(v, self.cols)

    def gradients(self, cols: Int | None) -> Vector:
        return self.loss_rows.rows.design.rmatvec(self.residual_sums(self.at), cols)

    def displacement(self) -> tuple[float, float]:
        moved = self.at.mean - self._reference
        self._reference = self.at.mean
        return float(np.sqrt(self._sums[0] @ (moved * moved))), max(float(moved.max()), -float(moved.min()))


def groups_suit(loss_rows: LossRows) -> bool:
    """Whether rows are to be grouped, by counts: columns of ones, short rows, few distinct offsets."""
    design, offset = loss_rows.rows.design, loss_rows.offset
    if loss_rows.loss.kernel is None or design.n_ones == 0 or design.max_row_length > MAX_PATTERN:
        return False
    return offset is None or np.unique(offset).size <= MAX_OFFSETS * offset.size


class GroupUnits(Units):
    """Groups of rows with the same columns of the working set, which are columns of ones; see `groups_suit`."""

    def __init__(self, loss_rows: LossRows, intercept: float) -> None:
        super().__init__(loss_rows, np.empty(0, dtype=np.int64), intercept)
        rows, offset = loss_rows.rows, loss_rows.offset
        distinct, first = np.zeros(1), np.zeros(rows.n_rows, dtype=np.int32)
        if offset is not None:
            distinct, inverse = np.unique(offset, return_inverse=True)
            first = inverse.astype(np.int32)
        design = rows.design
        longest = min(design.max_row_length, MAX_PATTERN)
        self._groups = RowGroups(design.matrix, rows.y, rows.s, first, distinct + intercept, longest)
        self._gram = ProductsGram(lambda new, cols: np.empty((new.size, cols.size)))
        self._gram.store = GramStore(design.matrix, None)
        self.at = self.try_at(self._groups.values()[3].copy())
        self.intercept += self.at.shift
        self._groups.values()[5][:] = self.at.mean
        self.weigh()

    @property
    def sums(self) -> tuple[Vector, Vector, Vector]:
        return self._groups.values()[:3]

    @property
    def gram(self) -> Gram:
        return self._gram

    @property
    def gram_weights(self) -> Vector:
        values = self._groups.values()
        return values[0] * values[4]

    def can_join(self, cols: Int) -> bool:
        few = self.cols.size + cols.size <= MAX_MEMBERS
        return few and bool((cols < self.loss_rows.rows.design.n_ones).all())

    def join(self, cols: Int) -> None:
        """Groups are split; what they inherit is the present point and its weights."""
        eta = self._groups.values()[3]
        eta[:] = self.at.eta
        self._groups.join(cols, self._gram.store)
        self.cols = np.concatenate([self.cols, cols])
        self.at = self._evaluated()

    def _evaluated(self) -> At:
        eta = self._groups.values()[3].copy()
        return At(*self.mean_at(eta, 0.0)[:2], eta, 0.0)

    def weigh(self) -> None:
        self._groups.values()[4][:] = self.raised(self.at)
        self._groups.weigh(self._gram.store)

    def predictor_step(self, step: Vector, shift: float) -> tuple[Vector, float]:
        return self._groups.predictor_step(step, shift)

    def products(self, v: Vector) -> Vector:
        return self._groups.products(v)

    def gradients(self, cols: Int | None) -> Vector:
        """On the columns' own rows, or from a residual for all rows, whichever reads less."""
        rows = self.loss_rows.rows
        if cols is not None and (cols < rows.design.n_ones).all() and rows.lengths(cols).sum() < OWN_ROWS * rows.n_rows:
            return self._groups.gradients(cols, self.at.mean)
        return rows.design.rmatvec(self._groups.residuals(self.at.mean), cols)

    def predictors(self) -> Vector:
        """The predictor of every row."""
        return self.at.eta[self._groups.of_rows()]

    def displacement(self) -> tuple[float, float]:
        values = self._groups.values()
        moved = self.at.mean - values[5]
        values[5][:] = self.at.mean
        return float(np.sqrt(values[0] @ (moved * moved))), max(float(moved.max()), -float(moved.min()))

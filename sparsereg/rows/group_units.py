"""Groups of rows whose predictors are equal because they have the same columns of the working set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, RowGroups, mean_moved, mean_value, reweigh_groups
from sparsereg.losses.base import row_blocks
from sparsereg.rows.contract import Coefficients, Gram
from sparsereg.rows.gram import ProductsGram
from sparsereg.rows.loss_rows import LossRows
from sparsereg.rows.reweigh import Reweighing
from sparsereg.rows.units import At, Units, gram_suits

__all__ = ["GroupUnits", "GroupedLoss", "groups_suit"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Rows in groups have 16-bit patterns, all as long as the longest: longer rows seldom are equal, and take memory. A few
# may be longer where most are short.
MAX_PATTERN, MAX_SELDOM = 64, 128
MAX_MEMBERS = 60_000
# Columns of fewer entries than so many times the rows are evaluated on their own rows: an entry reads the row's group
# and its mean, which stay in a near cache, and no residual of all rows is needed.
OWN_ROWS = 6.0
# Numbers in a dense square of all members, an entry of X: a byte; or so many, 2 MB. With more members the Gram matrix
# is computed anew.
SQUARE_SHARE, SMALL_SQUARE = 0.125, 250_000


def groups_suit(loss_rows: LossRows) -> bool:
    """Whether rows are to be grouped, by counts: columns of ones and short rows. With distinct offsets groups are
    single rows, whose patterns still are what is read fastest."""
    design = loss_rows.rows.design
    longest = MAX_SELDOM if gram_suits(loss_rows) else MAX_PATTERN
    return loss_rows.loss.kernel is not None and design.n_ones > 0 and design.max_row_length <= longest


def _groups_by_offset(loss_rows: LossRows, intercept: float) -> RowGroups:
    """Rows of equal offset as groups, before any column joins."""
    rows, distinct, first = loss_rows.rows, np.zeros(1), None
    if loss_rows.offset is not None:
        distinct, inverse = np.unique(loss_rows.offset, return_inverse=True)
        first = inverse.astype(np.int32)
    return RowGroups(rows.design.matrix, rows.y, rows.s, first, distinct + intercept, rows.design.max_row_length)


class GroupUnits(Units):
    """Groups of rows with the same columns of the working set, which are columns of ones; see `groups_suit`."""

    def __init__(self, loss_rows: LossRows, intercept: float) -> None:
        super().__init__(loss_rows, np.empty(0, dtype=np.int64), intercept)
        rows, (y, _) = loss_rows.rows, loss_rows.distinct_targets
        whole = rows.s is None and all((y[at] == np.floor(y[at])).all() for at in row_blocks(y.size))
        self._exact_sums = whole  # of integers: splitting groups leaves no rounding
        self._targets: Vector | None = None  # x_j' s y
        self._groups = _groups_by_offset(loss_rows, intercept)
        self._gram = ProductsGram(lambda new, cols: np.empty((new.size, cols.size)))
        self._gram.store = GramStore(rows.design.matrix, None)
        self._values: tuple[Vector, ...] = self._groups.values()
        self.eta = self._values[3]
        self._begin()
        self._values[5][:] = self.at.mean
        self._pending = 0.0, 0.0
        self._measured: At | None = self.at  # the point that displacements are measured from next
        self._reweighing = Reweighing()
        self.weigh()

    @property
    def sums(self) -> tuple[Vector, Vector, Vector]:
        s, sy, syy = self._values[:3]
        return s, sy, syy

    @property
    def gram(self) -> Gram:
        return self._gram

    @property
    def gram_weights(self) -> Vector:
        return self._values[0] * self._values[4]

    def can_join(self, cols: Int) -> bool:
        few = self.cols.size + cols.size <= MAX_MEMBERS
        return few and bool((cols < self.loss_rows.rows.design.n_ones).all())

    def join(self, cols: Int) -> None:
        """Groups are split; what they inherit is the present point and the weights."""
        self._pending = self.displacement()  # and so the means are inherited
        if self.eta is not self._values[3]:
            self._values[3][:] = self.eta
        self._values = ()  # the groups may be moved to larger arrays
        self._groups.join(cols, self._gram.store)
        values = self._groups.values()
        self._values = values
        self.cols, self.eta = np.concatenate([self.cols, cols]), values[3]  # which is not changed in place
        self.at = self._measured = self.at._replace(mean=values[5].copy())

    def weigh(self) -> None:
        if not self._exact_sums:
            self._groups.sum_up()
        raised, changed = self.raised(), None
        if 0 < self._groups.m**2 <= max(SQUARE_SHARE * self.loss_rows.rows.nnz, SMALL_SQUARE):
            changed = self._reweigh(self._values[0] * raised)
        if changed is not None:
            self._values[4][changed] = raised[changed]
            return
        self._values[4][:] = raised
        self._groups.weigh(self._gram.store)

    def _reweigh(self, weights: Vector) -> Int | None:
        """The groups whose weights in the Gram matrix have been changed, by way of a square of all members."""
        groups, store = self._groups, self._gram.store
        lengths = groups.lengths().astype(np.float64)
        return self._reweighing.bring_up_to_date(
            store,
            (self.gram_weights, weights),
            lengths,
            lambda *rows: reweigh_groups(groups, store, *rows),
            self.shares_kept,
        )

    def predictor_step(self, step: Vector, shift: float) -> tuple[Vector, float]:
        return self._groups.predictor_step(step, shift)

    def products(self, v: Vector) -> Vector:
        return self._groups.products(v)

    def gradients(self, cols: Int | None, mean: Vector | None = None) -> Vector:
        """On the columns' own rows, or from a residual for all rows, whichever reads less."""
        rows, mean = self.loss_rows.rows, self.at.mean if mean is None else mean
        if cols is None and self.n == 1 and rows.s is None and rows.design.n_ones == rows.n_cols:
            return self._target_sums() - mean[0] * rows.lengths()
        if cols is not None and (cols < rows.design.n_ones).all() and rows.lengths(cols).sum() < OWN_ROWS * rows.n_rows:
            return self._target_sums()[cols] - self._groups.column_sums(cols, mean)
        return rows.design.rmatvec(self._groups.residuals(mean), cols)

    def know_gradients(self, c: Vector) -> None:
        rows = self.loss_rows.rows
        if self.n == 1 and self._exact_sums and rows.design.n_ones == rows.n_cols:
            self._targets = np.rint(c + self.at.mean[0] * rows.lengths())

    def _target_sums(self) -> Vector:
        """`x_j' s y` of every column."""
        rows = self.loss_rows.rows
        if self._targets is None:
            self._targets = rows.design.rmatvec(rows.y if rows.s is None else rows.s * rows.y)
        return self._targets

    def residual_products(self, at: At) -> Vector:
        return self._groups.residual_products(at.mean)

    def predictors(self) -> Vector:
        """The predictor of every row."""
        return self.eta[self._groups.of_rows()]

    def displacement(self, mean: Vector | None = None) -> tuple[float, float]:
        values, (before2, before1) = self._values, self._pending
        self._pending = 0.0, 0.0
        if mean is None and self._measured is self.at:
            return before2, before1
        squared, largest = mean_moved(values[0], self.at.mean if mean is None else mean, values[5])
        self._measured = self.at if mean is None else None
        return float(np.sqrt(squared)) + before2, largest + before1


class GroupedLoss:
    """The loss of rows at one solution after the other, by groups that differ in the columns of any so far.

    Parameters
    ----------
    loss_rows : LossRows
        For which `groups_suit`, without an intercept of its own.
    """

    def __init__(self, loss_rows: LossRows) -> None:
        rows, self._loss_rows = loss_rows.rows, loss_rows
        self._groups = _groups_by_offset(loss_rows, 0.0)
        self._gram = GramStore(rows.design.matrix, None)  # of weights 0, and so empty
        self._place = np.full(rows.n_cols, -1, dtype=np.int32)
        _, at_zero, least = loss_rows.null_model()
        self._constant = at_zero - least - self._value(np.zeros(0), 0.0)

    def above_least(self, coef: Coefficients, intercept: float) -> float | None:
        """`sum_i s_i loss_i`, less what no predictors could avoid; None for columns that rows are not grouped by."""
        new = coef.cols[self._place[coef.cols] < 0]
        if (new >= self._loss_rows.rows.design.n_ones).any() or self._groups.m + new.size > MAX_MEMBERS:
            return None
        if new.size:
            self._place[new] = self._groups.m + np.arange(new.size, dtype=np.int32)
            self._groups.join(new, self._gram)
        w = np.zeros(self._groups.m)
        w[self._place[coef.cols]] = coef.w
        return self._value(w, intercept) + self._constant

    def _value(self, w: Vector, intercept: float) -> float:
        """But for a number that depends on the targets only."""
        kernel, (s, sy, _, offset, *_) = self._loss_rows.loss.kernel, self._groups.values()
        assert kernel is not None
        eta, _ = self._groups.predictor_step(w, intercept)
        return mean_value(kernel, s, sy, eta + offset)

"""What is minimised: the objective and its duality gap, in one place. Does not know how it is solved.

    F(b0, w) = (1/S) sum_i s_i loss(y_i, o_i + b0 + x_i . w)
               + alpha * (l1_ratio * sum_j v_j g(w_j) + (1 - l1_ratio)/2 * sum_j v_j w_j^2),     S = sum_i s_i

`docs/design.md` derives how standardising becomes a change of penalty, and both certificates. The methods here work by
full passes in double precision: solvers keep their own accounts, and are tested against these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.data.far_columns import MAX_SQ_MEAN_RATIO, shift_far_columns
from sparsereg.losses import LOSSES, Loss, as_loss
from sparsereg.objective.loss_dual import gap_at_other_dual, orthogonal_part
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import PENALTIES, Penalty
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.loss_rows import Evaluation, LossRows
from sparsereg.rows.memory import MemoryRows

__all__ = ["Coefficients", "Problem", "count_weights", "make_problem", "problem_over"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Residual displacements are kept in float32 in units of |y|, whose square must stay below 3e38.
MAX_SQUARE = 1e60


@dataclass(frozen=True, eq=False)
class Problem:
    """The objective on a design in memory.

    Attributes
    ----------
    quadratic : Quadratic
        For the squared loss the whole objective; for others the model at w = 0.
    loss_rows : LossRows
    """

    quadratic: Quadratic
    loss_rows: LossRows

    classes: ClassVar[None] = None

    @property
    def rows(self) -> MemoryRows:
        return self.loss_rows.rows

    @property
    def design(self) -> Design:
        return self.loss_rows.rows.design

    @property
    def loss(self) -> Loss:
        return self.loss_rows.loss

    @property
    def penalty(self) -> Penalty:
        return self.quadratic.penalty

    @property
    def weight_sum(self) -> float:
        """S."""
        return self.rows.weight_sum

    @cached_property
    def null_loss(self) -> float:
        """`S F` at w = 0, above the least that any predictors could reach."""
        if self.loss.quadratic:
            return 0.5 * self.quadratic.null_deviance
        _, total, least = self.loss_rows.null_model()
        return total - least

    @property
    def gap_scale(self) -> float:
        """What a gap is measured against: the null model's loss a row; for squares the (centred) targets' mean
        square."""
        return self.quadratic.gap_scale if self.loss.quadratic else self.null_loss / self.weight_sum

    def with_design(self, design: Design) -> Problem:
        """The same with other columns of X kept; the penalty must not tell them apart."""
        rows = MemoryRows(design, self.rows.y, self.rows.s)
        return replace(self, quadratic=self.quadratic.with_rows(rows), loss_rows=replace(self.loss_rows, rows=rows))

    def intercept(self, coef: Coefficients) -> float:
        """b0 at its best."""
        if self.loss.quadratic:
            return self.quadratic.intercept(coef)
        return self.unshifted(coef, self.loss_rows.intercept(coef))

    def unshifted(self, coef: Coefficients, b0: float) -> float:
        """The intercept for X as it was passed, from that for columns that were shifted (`Quadratic.shift`)."""
        shift = self.quadratic.shift
        return b0 if shift is None else b0 - float(shift.of(self.design.columns[coef.cols]) @ coef.w)

    def objective(self, coef: Coefficients, alpha: float, l1_ratio: float) -> float:
        """F, with b0 at its best."""
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, coef.cols)
        return (self.loss_rows.total(coef) + self.penalty.value(coef.w, l1, l2)) / self.weight_sum

    def duality_gap(self, coef: Coefficients, alpha: float, l1_ratio: float) -> float:
        """An upper bound on `F(coef) - min F`, by full passes and plain NumPy. Infinite where no dual point was
        found."""
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, np.arange(self.design.n_cols))
        if not self.loss.quadratic and ((l1 + l2 == 0.0) & (self.quadratic.moments()[1] > 0.0)).any():
            return self._gap_with_unpenalized(coef, l1, l2)
        return self.gap_of(self.loss_rows.evaluate(coef), coef, alpha, l1_ratio)

    def _gap_with_unpenalized(self, coef: Coefficients, l1: Vector, l2: Vector) -> float:
        """For losses other than squares; see `loss_dual`."""
        rows, sq, loss_rows = self.rows, self.quadratic.moments()[1], self.loss_rows
        free = np.flatnonzero((l1 + l2 == 0.0) & (sq > 0.0))
        z, _ = loss_rows.predictor(coef)
        rho, h = self.loss.residual(rows.y, z), self.loss.curvature(rows.y, z)
        if rows.s is not None:
            rho, h = rows.s * rho, rows.s * h
        w = np.zeros(self.design.n_cols)
        w[coef.cols] = coef.w
        held = free[self.penalty.unsettled(w[free], self.design.rmatvec(rho, free)) != 0.0]
        while True:
            theta = orthogonal_part(loss_rows, rho, h, held) if self.quadratic.seen_by_columns(held) else None
            if theta is None:
                return np.inf
            c = self.design.rmatvec(theta)
            c[held] = c[sq == 0.0] = 0.0
            more = free[self.penalty.unsettled(w[free], c[free]) != 0.0]
            if np.isin(more, held).all():
                break
            held = np.union1d(held, more)
        terms = Penalty.gap_terms(self.penalty, w, c, l1, l2)
        return gap_at_other_dual(self.loss, (rows.y, z, rows.s), theta, terms) / self.weight_sum

    def gap_of(self, found: Evaluation, coef: Coefficients, alpha: float, l1_ratio: float) -> float:
        """The same from what the loss says at `coef`."""
        every = np.arange(found.c.size)
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, every)
        # A column at 0 and within its threshold adds nothing, but projecting unpenalized columns out may put it beyond.
        cols = every
        if np.all(l1 > 0.0):
            cols = np.union1d(np.flatnonzero(self.penalty.dual_magnitude(found.c) > l1), coef.cols)
        return self.quadratic.gap_from(coef, l1[cols], l2[cols], found.fenchel_gap, cols, found.c[cols])


def count_weights(design: Design, s: Vector | None, *vectors: Any) -> tuple[Any, ...]:
    """Rows of weight 0 left out and no weights, where all other rows have the same: counted, not multiplied.

    A CSR is viewed, not copied. Of a CSC or a dense X the rows would be copied, so weights of 0 stay there.
    `vectors` have one entry a row, or are None. Returns the design, the weights (or None) and the vectors.
    """
    if s is None:
        return design, None, *vectors
    positive = s > 0.0
    if s.max() != s[positive].min() or not (positive.all() or design.is_csr):
        return design, s, *vectors
    if positive.all():
        return design, None, *vectors
    return design.select_rows(positive), None, *(v if v is None else v[positive] for v in vectors)


def make_problem(
    design: Design,
    y: Vector,
    *,
    loss: Any = "squared",
    sample_weight: Vector | None = None,
    offset: Vector | None = None,
    penalty_factor: Vector | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
) -> Problem:
    """Put the objective together from checked parts. `penalty_factor` has one entry a possible column; the others one a
    row."""
    s, kind = sample_weight, as_loss(loss)
    design, shift = shift_far_columns(design, s) if fit_intercept else (design, None)
    y = np.asarray(y, dtype=np.float64)
    kind.check_target(y)
    penalty = PENALTIES["elastic_net_nonneg" if positive else "elastic_net"]()
    if kind.quadratic:
        quadratic = _least_squares(MemoryRows(design, y if offset is None else y - offset, s), fit_intercept, penalty)
        loss_rows = LossRows(quadratic.rows, kind, None, fit_intercept)  # type: ignore[arg-type]
    else:
        loss_rows = LossRows(MemoryRows(design, y, s), kind, offset, fit_intercept)
        _check_null_model(loss_rows)
        quadratic = Quadratic(loss_rows.rows, penalty, fit_intercept)
    quadratic = replace(quadratic, shift=shift)
    if penalty_factor is not None or standardize:
        quadratic = replace(quadratic, penalty=_with_factors(quadratic, design.columns, penalty_factor, standardize))
    return Problem(quadratic, loss_rows)


def _check_null_model(rows: LossRows) -> None:
    """ValueError where the model without columns has no finite intercept, or no finite loss."""
    y, s = rows.rows.y, rows.rows.s
    if rows.fit_intercept:
        rows.loss.check_intercept(y if s is None else y[s > 0.0])
    if not np.isfinite(rows.null_model()[1]):
        named = "y" if rows.offset is None else "y or offset"
        raise ValueError(
            f"{named} is too large for loss={rows.loss.name!r}, whose value at w = 0 is infinite; rescale."
        )


def problem_over(
    rows: MemoryRows,
    *,
    penalty_factor: Vector | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
) -> Problem:
    """The squared loss over given rows, whose columns are not far from 0. Targets far from 0 still give new rows."""
    penalty = PENALTIES["elastic_net_nonneg" if positive else "elastic_net"]()
    quadratic = _least_squares(rows, fit_intercept, penalty)
    if penalty_factor is not None or standardize:
        factors = _with_factors(quadratic, rows.design.columns, penalty_factor, standardize)
        quadratic = replace(quadratic, penalty=factors)
    loss_rows = LossRows(quadratic.rows, LOSSES["squared"], None, fit_intercept)  # type: ignore[arg-type]
    return Problem(quadratic, loss_rows)


def _least_squares(rows: MemoryRows, fit_intercept: bool, penalty: Penalty) -> Quadratic:
    """The squared loss; targets whose mean is far from 0 are shifted, as products with them would lose digits."""
    y = rows.y
    with np.errstate(over="ignore", invalid="ignore"):
        mean = rows.target_mean() if fit_intercept else 0.0
        quadratic = Quadratic(rows, penalty, fit_intercept, mean, mean)
        if not quadratic.null_deviance < MAX_SQUARE:
            raise ValueError(f"y is too large to square: it reaches {np.abs(y).max():.3g}. Rescale it.")
        if mean * mean <= MAX_SQ_MEAN_RATIO * quadratic.gap_scale:
            return quadratic
        rows = MemoryRows(rows.design, y - mean, rows.s)
        return Quadratic(rows, penalty, fit_intercept, rows.target_mean(), mean)


def _with_factors(quadratic: Quadratic, columns: Int, factor: Vector | None, standardize: bool) -> Penalty:
    """The penalty times given factors and, to standardise, the columns' deviations: `w_j sigma_j` is penalized then."""
    v = np.ones(columns.size) if factor is None else np.asarray(factor, dtype=np.float64)[columns]
    if not standardize:
        return quadratic.penalty.with_factors(v, v)
    sigma = np.sqrt(_centered_sq_norm(quadratic) / quadratic.weight_sum)
    return quadratic.penalty.with_factors(v * sigma, v * sigma**2)


def _centered_sq_norm(quadratic: Quadratic) -> Vector:
    """`|x_j - mean_j|_s^2` of every column, whether or not there is an intercept."""
    rows = quadratic.rows
    if quadratic.fit_intercept or not isinstance(rows, MemoryRows):
        return quadratic.moments().centered_sq_norm
    design, _ = shift_far_columns(rows.design, rows.s)
    centred = replace(quadratic, rows=MemoryRows(design, rows.y, rows.s), fit_intercept=True).moments()
    order = np.argsort(design.columns)
    return centred.centered_sq_norm[order[np.searchsorted(design.columns, rows.columns, sorter=order)]]

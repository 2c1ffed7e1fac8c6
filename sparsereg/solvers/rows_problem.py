"""The objective over rows that are not in memory, as far as a path reads it. Does not know how it is solved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.validation import check_penalty_factor
from sparsereg.losses import LOSSES, Loss, Multinomial
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import PENALTIES
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.rows.partitioned_loss import PartitionedLoss

__all__ = ["RowsProblem", "make_rows_problem", "problem_of_rows"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RowsProblem:
    """The objective over rows in parts, as far as a path reads it.

    Attributes
    ----------
    quadratic : Quadratic
        For the squared loss the whole objective; for others only its penalty and the moments of columns.
    design : PartitionedRows
        In the place of a design: it has `n_features`.
    loss : Loss
    loss_rows : PartitionedLoss or None
        For other losses than squares.
    """

    quadratic: Quadratic
    design: PartitionedRows
    loss: Loss
    loss_rows: PartitionedLoss | None = None

    @property
    def weight_sum(self) -> float:
        """S."""
        return self.design.weight_sum

    @property
    def null_loss(self) -> float:
        """`S F` at w = 0, above the least that any predictors could reach."""
        return 0.5 * self.quadratic.null_deviance if self.loss_rows is None else self.loss_rows.null_loss

    @property
    def null_means(self) -> tuple[float, float]:
        """The mean of the targets, and the predictor of the model without columns where there is no offset."""
        if self.loss_rows is None:
            mean = self.quadratic.intercept_at_zero
            return mean, mean
        facts = self.loss_rows.targets
        return facts.y_sum / facts.weight_sum, self.loss_rows.null_model.intercept

    @property
    def gap_scale(self) -> float:
        """What a gap is measured against."""
        return 2.0 * self.null_loss / self.weight_sum if self.loss_rows is None else self.null_loss / self.weight_sum


def problem_of_rows(
    rows: PartitionedRows,
    loss: Loss | Multinomial,
    given: dict[str, Any],
    penalty_factor: Any,
    flags: dict[str, bool],
) -> RowsProblem:
    """The problem of `regularization_path` for such rows; `flags` are fit_intercept, standardize and positive.

    `given` are the arguments that must be None: such rows have their own."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} was passed beside rows in parts, which have their own; leave it out.")
    if isinstance(loss, Multinomial):
        message = "loss='multinomial' needs rows in memory; rows in parts have losses of one predictor."
        raise ValueError(message)  # noqa: TRY004
    factor = check_penalty_factor(penalty_factor, rows.n_features)
    return make_rows_problem(rows, loss, penalty_factor=factor, **flags)


def make_rows_problem(
    rows: PartitionedRows,
    loss: Loss = LOSSES["squared"],
    *,
    penalty_factor: Vector | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
) -> RowsProblem:
    """The objective over rows in parts.

    Raises
    ------
    ValueError
        For penalty factors of 0, for other penalties a column where a screen left columns out, and for targets that the
        loss does not take.
    """
    if standardize and rows.eliminated_length:
        raise ValueError(
            "standardize=True needs columns that were not chosen by the static screen; fit the cross without target,"
            " with min_count."
        )
    if penalty_factor is not None and (penalty_factor == 0.0).any():
        raise ValueError("penalty_factor holds 0, which takes a pass over the rows at every step; use a small factor.")
    if loss.quadratic and not fit_intercept and rows.center != 0.0:
        rows = rows.about(0.0)
    penalty: Any = PENALTIES["elastic_net_nonneg" if positive else "elastic_net"]()
    mean = rows.totals.y_sum / rows.weight_sum if fit_intercept else 0.0
    quadratic = Quadratic(rows, penalty, fit_intercept, mean, rows.center + mean)
    if penalty_factor is not None or standardize:
        v = np.ones(rows.n_cols) if penalty_factor is None else penalty_factor
        sigma = np.ones(rows.n_cols)
        if standardize:
            around_mean = quadratic if fit_intercept else replace(quadratic, fit_intercept=True)
            sigma = np.sqrt(around_mean.moments().centered_sq_norm / rows.weight_sum)
        quadratic = replace(quadratic, penalty=penalty.with_factors(v * sigma, v * sigma**2))
    return RowsProblem(quadratic, rows, loss, None if loss.quadratic else PartitionedLoss(rows, loss, fit_intercept))

"""Paths over rows that are not in memory. Knows no files and no machines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.validation import check_penalty_factor
from sparsereg.losses import LOSSES, Loss, Multinomial
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import PENALTIES
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.path_solver import EliminatedColumns, PathSolver

__all__ = ["RowsProblem", "RowsSolver", "least_squares_of", "problem_of_rows"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RowsProblem:
    """The objective over rows in parts, as far as a path reads it.

    Attributes
    ----------
    quadratic : Quadratic
    design : PartitionedRows
        In the place of a design: it has `n_features`.
    loss : Loss
    """

    quadratic: Quadratic
    design: PartitionedRows
    loss: Loss

    @property
    def null_loss(self) -> float:
        """`S F` at w = 0."""
        return 0.5 * self.quadratic.null_deviance

    @property
    def gap_scale(self) -> float:
        """What a gap is measured against."""
        return self.quadratic.gap_scale


def problem_of_rows(
    rows: PartitionedRows,
    loss: Loss | Multinomial,
    given: dict[str, Any],
    penalty_factor: Any,
    flags: tuple[bool, bool, bool],
) -> RowsProblem:
    """The problem of `regularization_path` for such rows; `flags` are fit_intercept, standardize and positive.

    `given` are the arguments that must be None: such rows have their own."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} was passed beside rows in parts, which have their own; leave it out.")
    if not loss.quadratic:
        raise ValueError(f"loss={loss.name!r} needs rows in memory; rows in parts have the squared loss only.")
    factor = check_penalty_factor(penalty_factor, rows.n_features)
    fit_intercept, standardize, positive = flags
    return least_squares_of(
        rows, penalty_factor=factor, fit_intercept=fit_intercept, standardize=standardize, positive=positive
    )


def least_squares_of(
    rows: PartitionedRows,
    *,
    penalty_factor: Vector | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
) -> RowsProblem:
    """The squared loss over rows in parts.

    Raises
    ------
    ValueError
        For penalty factors of 0, and for other penalties a column where a screen left columns out.
    """
    if standardize and rows.eliminated_length:
        raise ValueError(
            "standardize=True needs columns that were not chosen by the static screen; fit the cross without target,"
            " with min_count."
        )
    if penalty_factor is not None and (penalty_factor == 0.0).any():
        raise ValueError("penalty_factor holds 0, which takes a pass over the rows at every step; use a small factor.")
    if not fit_intercept and rows.center != 0.0:
        rows = rows.about(0.0)
    mean = rows.totals.y_sum / rows.weight_sum if fit_intercept else 0.0
    penalty: Any = PENALTIES["elastic_net_nonneg" if positive else "elastic_net"]()
    quadratic = Quadratic(rows, penalty, fit_intercept, mean, rows.center + mean)
    if penalty_factor is not None or standardize:
        v = np.ones(rows.n_cols) if penalty_factor is None else penalty_factor
        sigma = np.ones(rows.n_cols)
        if standardize:
            around_mean = quadratic if fit_intercept else replace(quadratic, fit_intercept=True)
            sigma = np.sqrt(around_mean.moments().centered_sq_norm / rows.weight_sum)
        quadratic = replace(quadratic, penalty=penalty.with_factors(v * sigma, v * sigma**2))
    return RowsProblem(quadratic, rows, LOSSES["squared"])


class RowsSolver:
    """`PathSolver` over rows in parts. An eliminated column that may matter is an error: it is not among the columns.

    Parameters
    ----------
    problem : RowsProblem
    l1_ratio : float
    options : Options
    """

    def __init__(self, problem: RowsProblem, l1_ratio: float, options: Options) -> None:
        self.problem, self.l1_ratio, self.options = problem, l1_ratio, options
        length = problem.design.eliminated_length
        self.solver = PathSolver(problem.quadratic, l1_ratio, options, eliminated_length=length)

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0. Only before the first `solve`."""
        try:
            return self.solver.alpha_max()
        except EliminatedColumns:
            raise self._screened(np.inf) from None

    def start_from(self, coef: Coefficients) -> None:
        """Begin at given coefficients instead of 0."""
        self.solver.start_from(coef)

    def solve(self, alpha: float) -> Solution:
        """See `PathSolver.solve`."""
        try:
            return self.solver.solve(alpha)
        except EliminatedColumns:
            raise self._screened(alpha) from None

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """See `PathSolver.solve_closely`."""
        try:
            return self.solver.solve_closely(alpha, tol)
        except EliminatedColumns:
            raise self._screened(alpha) from None

    def _screened(self, alpha: float) -> ValueError:
        length = self.problem.design.eliminated_length
        return ValueError(
            f"alpha={alpha:.6g} is too weak for the columns: the static screen left out combinations of up to"
            f" {length:,} rows, and one of them might be active there. Fit the cross with a smaller eps."
        )

"""Which working set a loss begins with, and how it goes on where rows cannot stay in groups. Knows no strengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import Problem
from sparsereg.rows.group_units import GroupUnits, groups_suit
from sparsereg.rows.row_units import RowUnits
from sparsereg.rows.units import Units, gram_suits
from sparsereg.solvers.curvature_cd import CurvatureCD
from sparsereg.solvers.curvature_residual import CurvatureResidual
from sparsereg.solvers.screening import Screening

__all__ = ["as_rows", "eliminated_bound", "first_working_set"]

Vector = NDArray[np.float64]


def first_working_set(problem: Problem, b0: float) -> CurvatureCD | CurvatureResidual:
    """Without columns, at an intercept."""
    rows = problem.loss_rows
    if groups_suit(rows):
        return CurvatureCD(problem, GroupUnits(rows, b0))
    eta, with_gram = np.full(rows.rows.n_rows, b0), gram_suits(rows)
    eta = eta if rows.offset is None else eta + rows.offset
    units = RowUnits(rows, np.empty(0, dtype=np.int64), eta, b0, with_gram=with_gram)
    return CurvatureCD(problem, units) if with_gram else CurvatureResidual(problem, units)


def as_rows(
    problem: Problem, ws: CurvatureCD | CurvatureResidual, screening: Screening, *, with_gram: bool = True
) -> RowUnits:
    """The same columns at the same point, row by row. They measure displacements from there on: what the present units
    have moved since they were last asked, as from a dual point, is added to the bounds."""
    units = ws.units
    screening.displace(*units.displacement())
    eta = units.predictors() if isinstance(units, GroupUnits) else units.eta
    return RowUnits(problem.loss_rows, ws.cols, eta, units.intercept, with_gram=with_gram)


def eliminated_bound(problem: Problem, units: Units, threshold: float, mean: Vector | None) -> float:
    """The largest possible gradient of an eliminated column, by its entries, at the residual or at `y - mean`; the
    residual is looked at only where that may be over the threshold."""
    length, rows = problem.design.eliminated_length, problem.rows
    if not length:
        return 0.0
    largest = problem.loss.residual_bound
    if length * rows.max_weight * largest > threshold:
        largest = min(largest, units.residual_max_abs(mean))
    return length * rows.max_weight * largest

"""Cross-validation over rows in parts: folds that are parts, or rows drawn inside parts. Knows no files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.validation import check_number, check_penalty_factor
from sparsereg.losses import Loss
from sparsereg.rows.part_folds import FoldRows, FoldRule
from sparsereg.rows.partition_loss import CheckTargets, Losses
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.selection.engine import FLOOR, Settings, automatic_grid
from sparsereg.selection.fold_fits import FoldPoint
from sparsereg.selection.results import ValidatedPath
from sparsereg.selection.rules import check_rule_of_folds
from sparsereg.selection.walk import Walk
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.path import solve_point, strengths_of
from sparsereg.solvers.rows_newton import RowsNewton
from sparsereg.solvers.rows_path import RowsSolver
from sparsereg.solvers.rows_problem import make_rows_problem

__all__ = ["RowsTask", "validate_rows"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RowsTask:
    """What is fitted, on checked parts; `penalty` as in `Task`."""

    rows: PartitionedRows
    loss: Loss
    penalty: dict[str, Any]
    options: Options

    @classmethod
    def of(cls, rows: PartitionedRows, loss: Loss, given: dict[str, Any], penalty: dict[str, Any], options: Any) -> Any:
        """ValueError for arguments that such rows do not take: they have vectors of their own, and a mean deviance."""
        for name, value in given.items():
            if value is not None:
                raise ValueError(f"{name} was passed beside rows in parts, which do not take it; leave it out.")
        factor = check_penalty_factor(penalty["penalty_factor"], rows.n_features)
        return cls(rows, loss, penalty | {"penalty_factor": factor}, options)

    def solver(self, rows: PartitionedRows, l1_ratio: float) -> RowsSolver:
        """Over all rows, or the training rows of a fold."""
        return RowsSolver(make_rows_problem(rows, self.loss, **self.penalty), l1_ratio, self.options)


class RowsFold:
    """A fold, as `FoldFit`. Its held-out loss is the mean deviance."""

    def __init__(self, task: RowsTask, rule: FoldRule, fold: int, l1_ratio: float) -> None:
        self.task, self.held = task, FoldRows(task.rows, rule, fold, held_out=True)
        train = FoldRows(task.rows, rule, fold)
        for name, rows in (("training", train), ("held-out", self.held)):
            if not rows.weight_sum > 0.0:
                raise ValueError(f"fold {fold} has no {name} rows of positive weight; choose other folds.")
        self.solver = task.solver(train, l1_ratio)
        self._least = 0.0 if task.loss.quadratic else self.held.ask(CheckTargets(task.loss)).least

    def advance(self, alpha: float) -> FoldPoint:
        """Solve at the next strength, and measure; other losses than squares were measured on the way."""
        solution = solve_point(self.solver, alpha, None)
        if isinstance(self.solver.solver, RowsNewton):
            total = self.solver.solver.point.sums.held - self._least
        else:
            total = self._squares(solution)
        return FoldPoint(solution, 2.0 * total / self.held.weight_sum)

    def _squares(self, solution: Solution) -> float:
        n = self.held.n_features
        coef = sp.csc_array((solution.coef.w, (solution.columns, np.zeros(solution.columns.size, int))), shape=(n, 1))
        return float(self.held.ask(Losses(coef, np.array([solution.intercept]), self.task.loss))[0])


def validate_rows(task: RowsTask, cv: Any, l1_ratio: float, settings: Settings) -> ValidatedPath:
    """One path on all rows and in every fold."""
    rule, turned = _rule(cv, len(task.rows.parts)), isinstance(settings.eps, str)
    check_rule_of_folds(settings.rule, rule.n_folds, rows_apart=False)
    settings.ending.leave_out(task)
    whole = task.solver(task.rows, l1_ratio)
    alphas = strengths_of(whole, settings.grid, FLOOR if isinstance(settings.eps, str) else settings.eps)
    if isinstance(settings.grid, int) and turned:
        alphas = automatic_grid(float(alphas[0]), settings.grid)
    fits = [RowsFold(task, rule, fold, l1_ratio) for fold in range(rule.n_folds)]
    walk = Walk(whole, fits, settings.ending, lambda solver, alpha: solve_point(solver, alpha, None), 1, settings.keep)
    return walk.go(alphas, settings.progress)


def _rule(cv: Any, n_parts: int) -> FoldRule:
    """From a number of folds, or the numbers of the parts that each holds out."""
    if isinstance(cv, FoldRule):
        return cv
    if not isinstance(cv, Iterable):
        return FoldRule(int(check_number("cv", cv, low=2, integer=True)))
    try:
        parts = tuple(tuple(int(number) for number in np.unique(np.asarray(fold, dtype=np.int64))) for fold in cv)
    except (TypeError, ValueError):
        parts = ((-1,),)
    if not parts or any(not 0 <= number < n_parts for fold in parts for number in fold):
        raise ValueError(
            f"cv={cv!r}: rows in parts take a number of folds, or for each fold the numbers of the parts that it holds"
            f" out, from 0 to {n_parts - 1}."
        )
    return FoldRule(len(parts), parts)

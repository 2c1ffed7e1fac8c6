"""One fold: its path on the rows that train, and what is measured on those held out. Knows no rules.

Rows that do not train have weight 0, so that X is neither copied nor viewed anew: all folds share its columns. For
losses other than squares on a CSR without weights, a fold views its rows and builds the columns that it needs
(`Task.by_rows`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.data.split_rows import SplitRows
from sparsereg.losses import Loss
from sparsereg.losses.absent import finite_predictors
from sparsereg.objective.problem import Problem, make_problem
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.group_units import GroupedLoss, groups_suit
from sparsereg.rows.loss_rows import LossRows
from sparsereg.rows.memory import MemoryRows
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import MeanDeviance, Measure
from sparsereg.selection.relaxed import relaxed
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.loss_path import LossPathSolver
from sparsereg.solvers.path import PathSolvers, path_solver, solve_point

__all__ = ["FoldFit", "FoldPoint", "Task", "check_fold_weights"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Task:
    """What is fitted, on checked parts.

    Attributes
    ----------
    design : Design
    y : float64 array of shape (n,)
    s, offset : float64 arrays of shape (n,), or None
        Weights and offset.
    loss : Loss
    penalty : dict
        `penalty_factor`, `fit_intercept`, `standardize`, `positive`, as `make_problem` takes them.
    options : Options
    closer : float or None
        The gap to which points are solved where their coefficients matter, not only the certificate.
    relax : bool
        Whether each point's columns are fitted again without the l1 term.
    summed : bool
        Whether strengths stand beside the sum of the losses, so that a fold's are larger by its share of the weight.
    """

    design: Design
    y: Vector
    s: Vector | None
    offset: Vector | None
    loss: Loss
    penalty: dict[str, Any]
    options: Options
    closer: float | None = None
    relax: bool = False
    summed: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What `PathResult.settings` says of the objective."""
        return self.penalty | {"has_offset": self.offset is not None}

    @cached_property
    def y_less_offset(self) -> Vector:
        """What the squared loss is fitted to."""
        return self.y if self.offset is None else self.y - self.offset

    @cached_property
    def column_order(self) -> NDArray[np.int64]:
        """The observed columns in the order of their numbers in X."""
        return np.argsort(self.design.columns)

    def problem(self, s: Vector | None) -> Problem:
        """The problem under these row weights."""
        return make_problem(self.design, self.y, loss=self.loss, sample_weight=s, offset=self.offset, **self.penalty)

    def solver(self, s: Vector | None, l1_ratio: float, grid: int | Vector, eps: float) -> tuple[PathSolvers, Vector]:
        """A solver of that problem, and the strengths."""
        return path_solver(self.problem(s), l1_ratio, grid, eps, self.options)

    def solve(self, solver: PathSolvers, alpha: float) -> Solution:
        """The next point of a solver."""
        solution = solve_point(solver, alpha, self.closer)
        return relaxed(solver, solution, alpha) if self.relax else solution

    def check_training(self, s: Vector | None) -> None:
        """Raise a ValueError where rows of these weights determine no intercept, such as those without an event."""
        if not self.penalty["fit_intercept"]:
            return
        y = self.y if s is None else self.y[s > 0.0]
        try:
            self.loss.check_intercept(y)
        except ValueError as error:
            raise ValueError(f"On the training rows of a fold, {error} Or choose other folds.") from error

    def classes_in(self, fold: Fold) -> NDArray[np.int64] | None:
        """The classes that training rows have; None for all, where there are none, and without an intercept."""
        if self.loss.link != "logit" or not self.penalty["fit_intercept"]:
            return None
        rows = fold.train
        y = self.y[rows] if self.s is None else self.y[rows[self.s[rows] > 0.0]]
        return np.array([int(y[0])]) if y[0] in (0.0, 1.0) and (y == y[0]).all() else None

    def predictor(self, solution: Solution) -> Vector:
        """`offset + b0 + X w` of all rows."""
        if not np.isfinite(solution.intercept):
            return np.full(self.design.n_rows, finite_predictors(np.array([solution.intercept]))[0])
        z = np.full(self.design.n_rows, solution.intercept)
        if self.offset is not None:
            z += self.offset
        coef = self.coefficients(solution)
        if coef.cols.size:
            self.design.matrix.add_matvec(coef.w, z, coef.cols)
        return z

    def coefficients(self, solution: Solution) -> Coefficients:
        """Those of columns that these rows have."""
        design = self.design
        if not (solution.columns.size and design.n_cols):
            return Coefficients.zero()
        place = np.searchsorted(design.columns, solution.columns, sorter=self.column_order)
        cols = self.column_order[np.minimum(place, design.n_cols - 1)]
        found = design.columns[cols] == solution.columns
        return Coefficients(cols[found], solution.coef.w[found])

    @property
    def by_rows(self) -> bool:
        """Whether folds take rows of their own, of which no entry is copied, and build the columns that they need:
        sooner solved than with weights of 0, for which no column is eliminated and rows are not counted alike."""
        return type(self) is Task and self.design.is_csr and not self.loss.quadratic and self.s is None

    def of_rows(self, rows: NDArray[np.int64], design: Design | None = None) -> Task:
        """The same over these rows; `design`: theirs, where it is known."""
        offset = None if self.offset is None else self.offset[rows]
        return replace(self, design=design or self.design.select_rows(rows), y=self.y[rows], offset=offset)

    def blind_to(self, rows: NDArray[np.bool_]) -> Task:
        """The same with another row's targets in these rows, so that no sum over all rows can tell them."""
        if not rows.any():
            return self
        y = self.y.copy()
        y[rows] = self.y[int(np.argmin(rows))]
        return replace(self, y=y)


class FoldPoint(NamedTuple):
    """A fold at one strength: its solution on the training rows, and the held-out loss."""

    solution: Solution
    loss: float


class FoldFit:
    """A fold of any loss, solved over its training rows, or with weights of 0 on rows that do not train.

    Parameters
    ----------
    task : Task
    fold : Fold
    measure : Measure
    l1_ratio : float
    alphas : float64 array
        All strengths that may come.
    """

    def __init__(self, task: Task, fold: Fold, measure: Measure, l1_ratio: float, alphas: Vector) -> None:
        self.task, self.fold = task, fold
        self.measure: Measure = measure
        self._deviance = measure if isinstance(measure, MeanDeviance) else None
        split = SplitRows.of(task.design, fold.train, fold.test) if task.by_rows else None
        weights: Vector | None = None
        if task.by_rows:
            training = task.of_rows(fold.train, None if split is None else split.rest)
            training.check_training(None)
        else:
            weights = training_weights(task, fold)
            training = task.blind_to(weights == 0.0)
        total = float(len(task.y) if task.s is None else task.s.sum())
        self.scale = total / float(fold.n_train if weights is None else weights.sum()) if task.summed else 1.0
        self.solver, _ = training.solver(weights, l1_ratio, alphas * self.scale, 1.0)
        self._design = self.solver.problem.design
        self.held_out: Task | None = None
        if task.by_rows:
            by_columns = None if split is None else split.chosen(self._design)
            self.held_out = task.of_rows(fold.test, by_columns)
        self._left, self._ahead = (alphas * self.scale).tolist(), list[Solution]()
        self._looks_ahead = isinstance(self.solver, LossPathSolver) and self.solver.looks_ahead
        held = fold.held_out()
        self._held_out = task.y[held], None if task.s is None else task.s[held]
        self._grouped: GroupedLoss | None = None
        if self._deviance is not None:
            self.measure = self._deviance.of(*self._held_out)
            self._grouped = self._groups()

    def _groups(self) -> GroupedLoss | None:
        """The rows held out by groups, where they are apart and suit that; with offsets, groups would be rows."""
        if self._deviance is None or self.held_out is None or self.held_out.offset is not None:
            return None
        held_out = MemoryRows(self.held_out.design, self.held_out.y, None)
        rows = LossRows(held_out, self._deviance.loss, None, fit_intercept=False)
        return GroupedLoss(rows) if groups_suit(rows) else None

    def advance(self, alpha: float) -> FoldPoint:
        """Solve at the next strength, or at several, and measure."""
        if not self._ahead:
            self._ahead = self._solve(alpha * self.scale)
        solution = self.of_all_outputs(self._ahead.pop(0))
        self._left.pop(0)
        return FoldPoint(solution, self.held_out_loss(solution))

    def of_all_outputs(self, solution: Solution) -> Solution:
        """A solution as it is handed out."""
        return solution

    def _solve(self, alpha: float) -> list[Solution]:
        if self._looks_ahead and self.task.closer is None and not self.task.relax:
            assert isinstance(self.solver, LossPathSolver)
            return [found._replace(dual=None) for found in self.solver.solve_ahead(self._left)]
        return [self.task.solve(self.solver, alpha)]

    def held_out_loss(self, solution: Solution) -> float:
        """By predictions, of all rows where they are not taken apart: O(n + entries of the columns in the solution)."""
        if self.held_out is not None and self._design is not self.solver.problem.design:  # eliminated columns are back
            self._design, self.held_out = self.solver.problem.design, self.task.of_rows(self.fold.test)
            self._grouped = self._groups()
        y, s = self._held_out
        if self._grouped is not None and self.held_out is not None:
            above = self._grouped.above_least(self.held_out.coefficients(solution), solution.intercept)
            if above is not None:
                return 2.0 * above / y.size
        if self.held_out is not None:
            return self.measure(y, self.held_out.predictor(solution), s)
        return self.measure(y, self.task.predictor(solution)[self.fold.held_out()], s)


def check_fold_weights(task: Task, fold: Fold) -> None:
    """ValueError where no training row, or no held-out one, has weight."""
    if task.s is None:
        return
    for name, rows in (("training", fold.train), ("held-out", fold.held_out())):
        if not task.s[rows].any():
            raise ValueError(f"A fold has only {name} rows of weight 0; choose other folds, or drop those rows.")


def training_weights(task: Task, fold: Fold) -> Vector:
    """How often each row trains, times its weight.

    Raises
    ------
    ValueError
        Where no training row, or no held-out one, has weight; or for targets without an intercept.
    """
    check_fold_weights(task, fold)
    counts = np.bincount(fold.train, minlength=len(task.y)).astype(np.float64)
    s = counts if task.s is None else counts * task.s
    task.check_training(s)
    return s

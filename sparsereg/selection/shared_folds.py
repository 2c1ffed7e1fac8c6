"""The folds of the squared loss on a CSR matrix, solved with sums that they share (`rows.folds`). Knows no rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import CsrDesign, Design
from sparsereg.data.distinct_columns import DistinctColumns
from sparsereg.objective.problem import Problem, problem_over
from sparsereg.rows.arranged import Arranged
from sparsereg.rows.folds import PartedRows
from sparsereg.rows.memory import MAX_CACHED_ROW_LENGTH, MemoryRows
from sparsereg.rows.training_rows import TrainingRows
from sparsereg.selection.fold_fits import FoldFit, FoldPoint, Task, check_fold_weights
from sparsereg.selection.folds import Fold, order_of, parts_of
from sparsereg.selection.measures import MeanDeviance
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.path import PathSolvers, strengths_of
from sparsereg.solvers.prefilter import Elimination, PrefilteredSolver

__all__ = ["SharedFolds"]

Vector = NDArray[np.float64]


class SharedFolds:
    """A solver on all rows, and one for each fold, on rows put in the order of the folds; no entry of X is copied.

    What a fold does depends on no target that it holds out, in no digit: whatever is chosen is chosen by X, or by the
    fold's own rows and columns, and sums that it shares are the same whoever asked for them first.

    Attributes
    ----------
    whole : PrefilteredSolver
        Of all rows.
    alphas : float64 array of shape (k,)
        The strengths, from `grid` and `eps`.
    problems : list of Problem
        Of each fold's training rows.
    """

    whole: PrefilteredSolver

    def __init__(
        self,
        task: Task,
        folds: list[Fold],
        measure: MeanDeviance,
        arranged: Arranged,
        eliminated: list[Elimination],
    ) -> None:
        self.task, self.folds, self.measure, self.alphas = task, folds, measure, np.empty(0)
        self.parts, self.eliminated = arranged.parts, eliminated
        kept = task.design.eliminate_columns(max(columns.n_kept for columns in eliminated))
        assert isinstance(kept, CsrDesign)
        self.parted = PartedRows(kept, arranged)
        self.every = tuple(range(len(self.parts)))
        self.problems = [self._fold_problem(f) for f in range(len(folds))]

    @classmethod
    def of(
        cls,
        task: Task,
        folds: list[Fold],
        measure: MeanDeviance,
        l1_ratio: float,
        grid: int | Vector,
        eps: float,
        is_deep: bool = False,
    ) -> SharedFolds | None:
        """None where folds overlap or do not train on all other rows, or where the sums would cost more than they
        save. `is_deep`: whether the strengths go so far that two passes to find copies of columns are little."""
        if not _suits(task) or (isinstance(grid, int) and l1_ratio == 0.0):
            return None
        if (order := order_of(folds, task.y.size)) is None:
            return None
        for fold in folds:
            check_fold_weights(task, fold)
        if is_deep and _can_leave_out_copies(task, l1_ratio):
            task = replace(task, design=DistinctColumns.of_design(cast(CsrDesign, task.design)))
        problem = task.problem(task.s)
        if problem.quadratic.shift is not None:
            return None
        arranged = Arranged.of(task.y_less_offset, task.s, order, parts_of(folds, task.y.size))
        if isinstance(problem.penalty.l1_factor, float) and l1_ratio > 0.0 and _can_eliminate(task.design):
            least = _least_threshold(problem, l1_ratio, grid, eps)
            eliminated = _eliminated(task, arranged, least)
        else:
            eliminated = [Elimination(task.design.n_ones, 0)] * (len(folds) + 1)
        shared = cls(task, folds, measure, arranged, eliminated)
        shared.whole = shared._whole(problem, l1_ratio)
        shared.alphas = strengths_of(shared.whole, grid, eps)
        return shared

    def _whole(self, problem: Problem, l1_ratio: float) -> PrefilteredSolver:
        """The solver on all rows."""
        rows = TrainingRows(self.parted, self.every)
        unshifted = problem.quadratic.intercept_at_zero == problem.quadratic.center
        of_parts = _with_rows(problem, rows) if unshifted else problem_over(rows, **self.task.penalty)
        return PrefilteredSolver(of_parts, l1_ratio, self.task.options)

    def _fold_problem(self, f: int) -> Problem:
        """The problem of the training rows of a fold."""
        others = tuple(j for j in self.every if j != f)
        return problem_over(TrainingRows(self.parted, others, self._n_own(f)), **self.task.penalty)

    def _n_own(self, f: int) -> int:
        """How many columns the fold has: no more than are built, the first ones."""
        design = self.parted.design
        return design.n_cols - design.n_ones + self.eliminated[f].n_kept

    def fit(self, f: int, l1_ratio: float, options: Options, alphas: Vector) -> SharedFold | FoldFit:
        """The fold, ready to be solved at these strengths: by itself where its targets are far from 0, and a constant
        was taken off."""
        if isinstance(self.problems[f].rows, TrainingRows):
            solver = PrefilteredSolver(self.problems[f], l1_ratio, options, eliminated=self.eliminated[f])
            return SharedFold(self, f, solver, alphas)
        _ = self.task.design.matrix  # as for other such folds, if there are any
        return FoldFit(replace(self.task, options=options), self.folds[f], self.measure, l1_ratio, alphas)

    def solve_whole(self, alphas: Vector) -> Callable[[Any, float], Solution]:
        """What solves `whole` at these strengths, one after the other, as `Walk` asks for it."""
        ahead = Ahead(self.task, self.whole, alphas)
        return lambda _, alpha: ahead(alpha)


class Ahead:
    """The points of a solver, in the order of the strengths; several are solved at once where that is of use."""

    def __init__(self, task: Task, solver: PathSolvers, alphas: Vector) -> None:
        self.task, self.solver = task, solver
        self._left, self._found = alphas.tolist(), list[Solution]()

    def __call__(self, alpha: float) -> Solution:
        """The next one, which is at alpha."""
        if not self._found:
            self._found = self._solve(alpha)
        self._left.pop(0)
        return self._found.pop(0)

    def _solve(self, alpha: float) -> list[Solution]:
        if self.task.closer is not None or self.task.relax:
            return [self.task.solve(self.solver, alpha)]
        assert isinstance(self.solver, PrefilteredSolver)
        return [found._replace(dual=None) for found in self.solver.solve_ahead(self._left)]


class SharedFold:
    """A fold as `FoldFit`, whose held-out loss follows from sums over the rows held out."""

    def __init__(self, shared: SharedFolds, f: int, solver: PrefilteredSolver, alphas: Vector) -> None:
        self.shared, self.f, self.task = shared, f, shared.task
        self.solver: PathSolvers = solver
        self._ahead = Ahead(self.task, solver, alphas)

    def advance(self, alpha: float) -> FoldPoint:
        """Solve at the next strength, or at several, and measure."""
        solution = self._ahead(alpha)
        self.shared.parted.release()
        return FoldPoint(solution, self.held_out_loss(solution))

    def held_out_loss(self, solution: Solution) -> float:
        """From sums where the solver still works on the shared ones; else by predictions."""
        parted, rows, test = self.shared.parted, self.solver.problem.rows, slice(*self.shared.parts[self.f])
        if rows.design is not parted.design:
            predicted = rows.predictor(solution.coef)[test]
        elif (parted.number(solution.coef.cols) >= 0).all():
            error = parted.squared_error(self.f, solution.coef, solution.intercept)
            return error / parted.targets[self.f].weight
        else:
            predicted = parted.predictor(self.f, solution.coef)
        weights = None if parted.rows.s is None else parted.rows.s[test]
        return MeanDeviance(self.task.loss)(rows.y[test], predicted + solution.intercept, weights)


def _suits(task: Task) -> bool:
    """Whether it is the squared loss, by coordinate descent, on a CSR of short rows without dense columns."""
    design = task.design
    short = design.nnz <= MAX_CACHED_ROW_LENGTH * design.n_rows
    by_coordinates = task.options.method != "prox_gradient"
    # A weighted product of two values depends in its last digit on which column came first, which other folds decide.
    if task.s is not None and design.n_ones < design.n_cols:
        return False
    return task.loss.quadratic and by_coordinates and short and design.is_csr and design.n_sparse == design.n_cols


def _can_eliminate(design: Design) -> bool:
    """Whether columns of ones may be left out: with others beside them, bounds of blocks of columns would tell how
    many, and one fold's digits follow another's targets."""
    return design.can_eliminate and design.n_ones == design.n_cols


def _can_leave_out_copies(task: Task, l1_ratio: float) -> bool:
    """Whether columns that are penalised alike and have the same entries may be 0 but for one: an l2 term would share
    the weight out among them."""
    return l1_ratio == 1.0 and task.penalty["penalty_factor"] is None and _can_eliminate(task.design)


def _least_threshold(problem: Problem, l1_ratio: float, grid: int | Vector, eps: float) -> float:
    """The smallest threshold of a unit of weight; a number of strengths is of those for all rows."""
    if not isinstance(grid, int):
        return float(grid.min()) * l1_ratio
    c = problem.design.rmatvec_by_rows(problem.rows.residual(None, problem.quadratic.center))
    return eps * float(problem.penalty.dual_magnitude(c).max()) / problem.weight_sum


def _eliminated(task: Task, arranged: Arranged, least: float) -> list[Elimination]:
    """Columns of ones that are 0 in each fold at all strengths, as its own rows tell; at last those of all rows.

    See `solvers.prefilter`."""
    _, parts, y, s, targets = arranged
    found = []
    for f in (*range(len(parts)), None):
        own = [(part, slice(*rows)) for j, (part, rows) in enumerate(zip(targets, parts, strict=True)) if j != f]
        weight = sum(part.weight for part, _ in own)
        base = sum(part.weight * part.mean + part.total for part, _ in own) / (weight or 1.0)
        base = base if task.penalty["fit_intercept"] else 0.0
        if s is None:
            largest = max((max(base - part.low, part.high - base) for part, _ in own), default=0.0)
        else:
            largest = max((float(np.abs(s[rows] * (y[rows] - base)).max()) for _, rows in own), default=0.0)
        found.append(Elimination.of(task.design, least * weight, largest))
    return found


def _with_rows(problem: Problem, rows: MemoryRows) -> Problem:
    """The same problem over rows that keep more sums."""
    assert isinstance(rows.design, CsrDesign)
    return replace(
        problem, quadratic=problem.quadratic.with_rows(rows), loss_rows=replace(problem.loss_rows, rows=rows)
    )

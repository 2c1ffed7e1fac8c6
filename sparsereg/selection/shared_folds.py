"""The folds of the squared loss on a CSR matrix, solved with sums that they share (`rows.folds`). Knows no rules."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import CsrDesign
from sparsereg.objective.problem import Problem, problem_over
from sparsereg.rows.folds import PartedRows, TrainingRows
from sparsereg.rows.memory import MAX_CACHED_ROW_LENGTH, MemoryRows
from sparsereg.selection.fold_fits import FoldPoint, Task, check_fold_weights
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import MeanDeviance
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.path import PathSolvers, strengths_of
from sparsereg.solvers.prefilter import PrefilteredSolver, eliminate_columns

__all__ = ["SharedFolds"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Folds that have a number in 16 bits, beside that of rows that are never held out.
MAX_FOLDS = 65_534


class SharedFolds:
    """A solver on all rows, and one for each fold, on rows put in the order of the folds; no entry of X is copied.

    Attributes
    ----------
    whole : PrefilteredSolver
    alphas : float64 array of shape (k,)
        The strengths, from `grid` and `eps`.
    problems : list of Problem
        Of each fold's training rows.
    """

    def __init__(self, task: Task, order: Int, parts: list[tuple[int, int]], problem: Problem, l1_ratio: float) -> None:
        self.task, self.parts, self.alphas = task, parts, np.empty(0)
        self.parted = parted = PartedRows(problem.rows, order, parts)
        self.every = every = tuple(range(len(parts)))
        rows = TrainingRows(parted.design, parted.rows.y, parted.rows.s, parted=parted, others=every)
        self.whole = PrefilteredSolver(_with_rows(problem, rows), l1_ratio, task.options)
        self.problems: list[Problem] = []
        self._ones: dict[int, Vector] = {}

    @classmethod
    def of(cls, task: Task, folds: list[Fold], l1_ratio: float, grid: int | Vector, eps: float) -> SharedFolds | None:
        """None where folds overlap or do not train on all other rows, or where the sums would cost more than they
        save."""
        if not _suits(task) or (isinstance(grid, int) and l1_ratio == 0.0):
            return None
        if (order := _order(folds, task.y.size)) is None:
            return None
        for fold in folds:
            check_fold_weights(task, fold)
        problem = task.problem(task.s)
        weights = [float(fold.test.size if task.s is None else task.s[fold.test].sum()) for fold in folds]
        share = 1.0 - max(weights) / problem.weight_sum
        if problem.quadratic.shift is not None or not _unshifted(problem) or share <= 0.0:
            return None
        # A fold's thresholds are smaller by its share of the weight.
        scaled = grid if isinstance(grid, int) else grid * share
        problem, _ = eliminate_columns(problem, l1_ratio, scaled, eps * share)
        shared = cls(task, order, _parts(folds, order.size), problem, l1_ratio)
        shared.problems = [shared._fold_problem(f) for f in range(len(folds))]
        shared.alphas = strengths_of(shared.whole, grid, eps)
        return shared if all(map(_unshifted, shared.problems)) else None

    def _fold_problem(self, f: int) -> Problem:
        """The problem of the training rows of a fold."""
        every = self.parted.rows
        s = self._ones_without(*self.parts[f]) if every.s is None else every.s.copy()
        if every.s is not None:
            s[slice(*self.parts[f])] = 0.0
        others = tuple(j for j in self.every if j != f)
        rows = TrainingRows(every.design, every.y, s, parted=self.parted, others=others)
        return problem_over(rows, **self.task.penalty)

    def _ones_without(self, a: int, b: int) -> Vector:
        """Ones, with zeros from a to b: a view, as parts of equal length differ only in where theirs begins."""
        n, size = self.parted.rows.n_rows, b - a
        if size not in self._ones:
            self._ones[size] = np.ones(2 * n - size)
            self._ones[size][n - size : n] = 0.0
        return self._ones[size][n - size - a :][:n]

    def fit(self, f: int, l1_ratio: float, options: Options, alphas: Vector) -> SharedFold:
        """The fold, ready to be solved at these strengths."""
        return SharedFold(self, f, PrefilteredSolver(self.problems[f], l1_ratio, options), alphas)


class SharedFold:
    """A fold as `FoldFit`, whose held-out loss follows from sums over the rows held out."""

    def __init__(self, shared: SharedFolds, f: int, solver: PrefilteredSolver, alphas: Vector) -> None:
        self.shared, self.f, self.task = shared, f, shared.task
        self.solver: PathSolvers = solver
        self._left, self._ahead = alphas.tolist(), list[Solution]()

    def advance(self, alpha: float) -> FoldPoint:
        """Solve at the next strength, or at several, and measure."""
        if not self._ahead:
            self._ahead = self._solve(alpha)
            self.shared.parted.release()
        solution = self._ahead.pop(0)
        self._left.pop(0)
        return FoldPoint(solution, self.held_out_loss(solution))

    def _solve(self, alpha: float) -> list[Solution]:
        if self.task.closer is not None or self.task.relax:
            return [self.task.solve(self.solver, alpha)]
        assert isinstance(self.solver, PrefilteredSolver)
        return [found._replace(dual=None) for found in self.solver.solve_ahead(self._left)]

    def held_out_loss(self, solution: Solution) -> float:
        """From sums where the solver still works on the shared ones; else by predictions."""
        parted = self.shared.parted
        if self.solver.problem.design is parted.design and (parted.number(solution.coef.cols) >= 0).all():
            error = parted.squared_error(self.f, solution.coef, solution.intercept)
            return error / parted.targets[self.f].weight
        rows, test = self.solver.problem.rows, slice(*self.shared.parts[self.f])
        predicted = rows.predictor(solution.coef)[test] + solution.intercept
        weights = None if parted.rows.s is None else parted.rows.s[test]
        return MeanDeviance(self.task.loss)(rows.y[test], predicted, weights)


def _order(folds: list[Fold], n: int) -> Int | None:
    """The rows held out by each fold in turn, then all others; None where folds are no parts of the rows."""
    if not 2 <= len(folds) <= MAX_FOLDS:
        return None
    by = np.full(n, len(folds), dtype=np.uint16)  # the fold that holds a row out
    for f, fold in enumerate(folds):
        by[fold.test] = f
    groups = [np.flatnonzero(by == f) for f in range(len(folds) + 1)]
    if any(group.size != fold.test.size for group, fold in zip(groups[:-1], folds, strict=True)):
        return None
    for f, fold in enumerate(folds):
        if fold.train.size != n - fold.test.size or (by[fold.train] == f).any() or not _distinct(fold.train, n):
            return None
    return np.concatenate(groups)


def _distinct(rows: Int, n: int) -> bool:
    """Whether no row is there twice."""
    return bool((rows[1:] > rows[:-1]).all()) or int(np.bincount(rows, minlength=n).max()) == 1


def _parts(folds: list[Fold], n: int) -> list[tuple[int, int]]:
    """The rows that each fold holds out, in the order of `_order`, and those that none does."""
    ends = np.cumsum([0, *(fold.test.size for fold in folds)]).tolist()
    return list(pairwise(ends if ends[-1] == n else [*ends, n]))


def _suits(task: Task) -> bool:
    """Whether it is the squared loss, by coordinate descent, on a CSR of short rows without dense columns."""
    design = task.design
    short = design.nnz <= MAX_CACHED_ROW_LENGTH * design.n_rows
    by_coordinates = task.options.method != "prox_gradient"
    # A weighted product of two values depends in its last digit on which column came first, which other folds decide.
    if task.s is not None and design.n_ones < design.n_cols:
        return False
    return task.loss.quadratic and by_coordinates and short and design.is_csr and design.n_sparse == design.n_cols


def _unshifted(problem: Problem) -> bool:
    """Whether targets are as they were given, less the offset: no constant was taken off."""
    return problem.quadratic.intercept_at_zero == problem.quadratic.center


def _with_rows(problem: Problem, rows: MemoryRows) -> Problem:
    """The same problem over rows that keep more sums."""
    assert isinstance(rows.design, CsrDesign)
    return replace(
        problem, quadratic=problem.quadratic.with_rows(rows), loss_rows=replace(problem.loss_rows, rows=rows)
    )

"""Folds of several outputs: targets, predictors and losses have a column for each. Knows no rules."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.multi_task import MultiTaskProblem, make_multi_task_problem
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.measures import Deviance, Measure, scorer_of, weights_for
from sparsereg.selection.relaxed import relaxed_rows
from sparsereg.solvers.outputs import RowSolution
from sparsereg.solvers.path import path_solver, solve_point

__all__ = ["OutputsTask", "TargetsError", "TargetsTask", "make_targets_measure"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OutputsTask(Task):
    """As `Task`, with y of shape (n, K), and an offset of this shape or None."""

    def predictor(self, solution: RowSolution) -> Vector:  # type: ignore[override]
        """`offset + b + X W'` of all rows, (n, K)."""
        K, columns = self.y.shape[1], self.design.columns
        z = np.repeat(np.asarray(solution.intercepts, dtype=np.float64)[:, None], self.design.n_rows, axis=1)
        if self.offset is not None:
            z += self.offset.T
        ends = np.searchsorted(solution.coef.outputs, np.arange(K + 1))
        for k in range(K):
            part = slice(ends[k], ends[k + 1])
            if part.stop > part.start:
                place = np.searchsorted(columns, solution.coef.columns[part], sorter=self.column_order)
                self.design.matrix.add_matvec(solution.coef.w[part], z[k], self.column_order[place])
        return z.T


@dataclass(frozen=True, eq=False)
class TargetsTask(OutputsTask):
    """Several targets by squares, a column in for all of them or for none."""

    def problem(self, s: Vector | None) -> MultiTaskProblem:  # type: ignore[override]
        """The problem under these row weights."""
        options = {name: self.penalty[name] for name in ("penalty_factor", "fit_intercept", "standardize")}
        return make_multi_task_problem(self.design, self.y, sample_weight=s, offset=self.offset, **options)

    def solver(self, s: Vector | None, l1_ratio: float, grid: int | Vector, eps: float) -> Any:
        """A solver of that problem, and the strengths. Orders of its own, where they are drawn: folds may run side by
        side."""
        options = replace(self.options, rng=deepcopy(self.options.rng))
        return path_solver(self.problem(s), l1_ratio, grid, eps, options)

    def solve(self, solver: Any, alpha: float) -> Any:
        """The next point of a solver."""
        solution = solve_point(solver, alpha, self.closer)
        return relaxed_rows(solver, solution) if self.relax else solution


@dataclass(frozen=True)
class TargetsError(Deviance):
    """The mean squared error over rows and targets."""

    def __call__(self, y: Vector, z: Vector, s: Vector | None) -> float:
        return float(np.average(self.rows(y, z), weights=s))

    def rows(self, y: Vector, z: Vector) -> Vector:
        """That of each row."""
        return np.asarray(((y - z) ** 2).mean(axis=1))


def make_targets_measure(scoring: Any) -> Measure | TargetsError:
    """The measure of a scorer, which sees all targets, or the mean squared error.

    Raises
    ------
    ValueError
        For a scorer that scikit-learn does not know.
    """
    if scoring is None:
        return TargetsError()
    from sklearn.base import BaseEstimator, RegressorMixin

    class Predicted(RegressorMixin, BaseEstimator):
        def predict(self, X: Any) -> Any:
            return X

    scorer, estimator = scorer_of(scoring), Predicted()
    return lambda y, z, s: -float(scorer(estimator, z, y, **weights_for(scorer, s)))

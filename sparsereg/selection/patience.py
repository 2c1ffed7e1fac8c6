"""A path that ends once rows that were held out gain no more. Knows no estimators."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.results import PathResult
from sparsereg.selection.engine import Settings
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.measures import Measure
from sparsereg.solvers.outputs import RowSolution
from sparsereg.solvers.path import collect, warn_uncertified

__all__ = ["HeldRows", "path_with_patience"]

Vector = NDArray[np.float64]


class HeldRows(NamedTuple):
    """Rows that stay out of the fit: X (m, p), and targets, weights and offsets of these shapes in the task."""

    X: Any
    y: Vector
    s: Vector | None
    offset: Vector | None

    def predictors(self, solution: Any) -> Vector:
        """`offset + b + X w`, (m,), or (m, K) of several classes."""
        p = self.X.shape[1]
        if isinstance(solution, RowSolution):
            z = (self.X @ solution.coef.tocsr(solution.intercepts.size, p).T).toarray()
        else:
            w = solution.coef.w
            coef = sp.csc_array((w, solution.columns, [0, w.size]), shape=(p, 1))
            z = (self.X @ coef).toarray()[:, 0]
        z = z + solution.intercept
        return z if self.offset is None else z + self.offset


def path_with_patience(task: Task, measure: Measure, l1_ratio: float, settings: Settings, held: HeldRows) -> PathResult:
    """The path of a task, which `settings.ending` ends by the losses of the held-out rows; `stopped` says why.

    `settings.progress` is called as in `cross_validate_path`."""
    begin, stopped = perf_counter(), None
    settings.ending.leave_out(task, held)
    solver, alphas = task.solver(task.s, l1_ratio, settings.grid, float(settings.eps))
    points, seconds, losses = list[Any](), list[float](), list[list[float]]()
    for i, alpha in enumerate(alphas.tolist()):
        before = perf_counter()
        points.append(task.solve(solver, alpha))
        seconds.append(perf_counter() - before)
        losses.append([measure(held.y, held.predictors(points[-1]), held.s)])
        spent, n_nonzero = perf_counter() - begin, points[-1].coef.w.size
        if settings.progress is not None:
            left = spent / (i + 1) * (alphas.size - i - 1)
            settings.progress(i, alphas.size, alpha, n_nonzero, losses[-1][0], spent, left)
        stopped = settings.ending.reason(np.array(losses), n_nonzero, spent, holders=(solver, points))
        if stopped is not None:
            break
    path = collect(solver, alphas[: len(points)], points, np.array(seconds), stopped)
    warn_uncertified(solver.problem, path)
    return replace(path, settings=task.settings)

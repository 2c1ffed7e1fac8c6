"""From a checked task to a validated path: the strengths, a fit for each fold, and the walk. Knows no user input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.selection.absent_classes import fold_fits
from sparsereg.selection.ending import Ending
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import Deviance, MeanDeviance, Measure
from sparsereg.selection.results import ValidatedPath
from sparsereg.selection.row_differences import row_differences
from sparsereg.selection.rules import BY_ROWS, check_rule_of_folds
from sparsereg.selection.shared_folds import SharedFolds
from sparsereg.selection.walk import Advancing, Progress, Walk
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path import PathSolvers, alpha_grid

__all__ = ["AUTO_EPS", "FLOOR", "Settings", "is_small", "validate"]

Vector = NDArray[np.float64]

# The automatic grid has the steps of so many points over this range, and goes on to the floor if need be.
AUTO_EPS, FLOOR = 1e-2, 1e-5
# Where `tol` is the first number or more, the folds of an automatic path are solved to the second, or to `tol` if that
# is more: deep paths take a fifth of the time. The choice may then differ by points whose losses are nearly equal, so
# not on X of at most so many entries, where time is no matter, nor on a grid that the caller gives.
ORDINARY, OF_FOLDS, SMALL_ENTRIES = 1e-4, 1e-3, 50_000


class Settings(NamedTuple):
    """How a path is validated: the number of points or the strengths, `eps`, when to end, how to go about it, the rule
    that will choose, and what is called at the end with the solver on all rows, while its sums are there."""

    grid: int | Vector
    eps: float | str
    ending: Ending
    n_threads: int = 1
    keep: bool = False
    progress: Progress | None = None
    rule: Any = "min"
    finish: Callable[[PathSolvers, ValidatedPath], None] | None = None


def validate(task: Task, folds: list[Fold], measure: Measure, l1_ratio: float, settings: Settings) -> ValidatedPath:
    """One path on all rows and in every fold."""
    settings.ending.leave_out(task, folds)
    of_rows = measure if isinstance(measure, Deviance) else None
    check_rule_of_folds(settings.rule, len(folds), of_rows is not None)
    by_rows = of_rows if len(folds) == 1 or settings.rule == BY_ROWS else None
    eps = FLOOR if isinstance(settings.eps, str) else settings.eps
    shared = None
    if isinstance(measure, MeanDeviance):
        is_deep = isinstance(settings.eps, str) and not is_small(task.design)
        shared = SharedFolds.of(task, folds, measure, l1_ratio, settings.grid, eps, is_deep)
    whole: PathSolvers
    if shared is not None:
        whole, alphas = shared.whole, shared.alphas
    else:
        if not task.by_rows:
            _ = task.design.matrix  # all folds share its columns
        whole, alphas = task.solver(task.s, l1_ratio, settings.grid, eps)
    if isinstance(settings.grid, int) and isinstance(settings.eps, str):
        alphas = automatic_grid(float(alphas[0]), settings.grid)
    fits: list[Advancing]
    of_folds = fold_options(task, settings)
    if shared is not None:
        fits = [shared.fit(f, l1_ratio, of_folds, alphas) for f in range(len(folds))]
    else:
        of_fold = replace(task, options=of_folds)
        fits = [*fold_fits(of_fold, folds, measure, l1_ratio, alphas)]
    solve = task.solve if shared is None else shared.solve_whole(alphas)
    walk = Walk(whole, fits, settings.ending, solve, settings.n_threads, settings.keep, by_rows is not None)
    validated = walk.go(alphas, settings.progress)
    path = replace(validated.path, settings=task.settings)
    rows = None if by_rows is None else row_differences(task, folds, by_rows, walk.fold_points, validated.best)
    validated = replace(validated, path=path, is_deviance=of_rows is not None, by_rows=rows)
    if settings.finish is not None:
        settings.finish(whole, validated)
    return validated


def fold_options(task: Task, settings: Settings) -> Options:
    """Those of the task, to the gap that its folds are solved to, for what is asked of their points."""
    automatic = isinstance(settings.eps, str) and task.options.tol >= ORDINARY and not is_small(task.design)
    tol = max(task.options.tol, OF_FOLDS) if automatic else task.options.tol
    return replace(task.options, tol=tol, deviances=settings.keep)


def is_small(design: Design) -> bool:
    """Whether paths on this X are solved closely, as time is no matter."""
    return design.nnz <= SMALL_ENTRIES


def automatic_grid(alpha_max: float, n: int) -> Vector:
    """The strengths to the floor, in the steps of `n` points over a factor of 100."""
    if n == 1 or alpha_max <= np.finfo(float).resolution:
        return alpha_grid(alpha_max, n, AUTO_EPS)
    n_all = int(np.ceil((n - 1) * np.log(FLOOR) / np.log(AUTO_EPS))) + 1
    return alpha_max * AUTO_EPS ** (np.arange(n_all) / (n - 1))

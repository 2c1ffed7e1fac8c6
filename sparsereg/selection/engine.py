"""From a checked task to a validated path: the strengths, a fit for each fold, and the walk. Knows no user input."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.selection.ending import Ending
from sparsereg.selection.fold_fits import FoldFit, Task
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import MeanDeviance, Measure
from sparsereg.selection.results import ValidatedPath
from sparsereg.selection.shared_folds import SharedFolds
from sparsereg.selection.walk import Advancing, Progress, Walk
from sparsereg.solvers.path import PathSolvers, alpha_grid

__all__ = ["AUTO_EPS", "FLOOR", "Settings", "validate"]

Vector = NDArray[np.float64]

# The automatic grid has the steps of so many points over this range, and goes on to the floor if need be.
AUTO_EPS, FLOOR = 1e-2, 1e-5


class Settings(NamedTuple):
    """How a path is validated: the number of points or the strengths, `eps`, when to end, and how to go about it."""

    grid: int | Vector
    eps: float | str
    ending: Ending
    n_threads: int = 1
    keep: bool = False
    progress: Progress | None = None


def validate(task: Task, folds: list[Fold], measure: Measure, l1_ratio: float, settings: Settings) -> ValidatedPath:
    """One path on all rows and in every fold."""
    eps = FLOOR if isinstance(settings.eps, str) else settings.eps
    shared = SharedFolds.of(task, folds, l1_ratio, settings.grid, eps) if isinstance(measure, MeanDeviance) else None
    whole: PathSolvers
    if shared is not None:
        whole, alphas = shared.whole, shared.alphas
    else:
        _ = task.design.matrix  # all folds share its columns
        whole, alphas = task.solver(task.s, l1_ratio, settings.grid, eps)
    if isinstance(settings.grid, int) and isinstance(settings.eps, str):
        alphas = automatic_grid(float(alphas[0]), settings.grid)
    fits: list[Advancing]
    if shared is not None:
        fits = [shared.fit(f, l1_ratio) for f in range(len(folds))]
    else:
        fits = [FoldFit(task, fold, measure, l1_ratio, alphas) for fold in folds]
    walk = Walk(whole, fits, settings.ending, task.solve, settings.n_threads, settings.keep)
    validated = walk.go(alphas, settings.progress)
    path = replace(validated.path, settings=task.settings)
    return replace(validated, path=path, is_deviance=isinstance(measure, MeanDeviance))


def automatic_grid(alpha_max: float, n: int) -> Vector:
    """The strengths to the floor, in the steps of `n` points over a factor of 100."""
    if n == 1 or alpha_max <= np.finfo(float).resolution:
        return alpha_grid(alpha_max, n, AUTO_EPS)
    n_all = int(np.ceil((n - 1) * np.log(FLOOR) / np.log(AUTO_EPS))) + 1
    return alpha_max * AUTO_EPS ** (np.arange(n_all) / (n - 1))

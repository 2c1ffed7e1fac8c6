"""Held-out losses of single rows, compared with those of the best point. Knows no rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.selection.fold_fits import Task
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import Deviance
from sparsereg.selection.paired import PairedLosses

__all__ = ["row_differences"]

Vector = NDArray[np.float64]


def row_differences(
    task: Task, folds: list[Fold], measure: Deviance, points: Sequence[Sequence[Any]], best: int
) -> tuple[Vector, Vector]:
    """The mean of each point's loss less that of the best one over the rows held out, and its standard error by rows.

    `points[f]` are the solutions of fold f, up to the best point at least; the points behind that have NaN. A row that
    several folds hold out counts once, with its mean loss and the sum of its weights.
    """
    n = len(task.y)
    counts = np.bincount(np.concatenate([fold.test for fold in folds]), minlength=n)
    held = np.flatnonzero(counts)
    weights = counts[held] * (np.ones(held.size) if task.s is None else task.s[held])
    parts = [task.of_rows(fold.test) if task.design.is_csr else None for fold in folds]

    def losses(k: int) -> Vector:
        total = np.zeros(n)
        for fold, part, solutions in zip(folds, parts, points, strict=True):
            z = task.predictor(solutions[k])[fold.held_out()] if part is None else part.predictor(solutions[k])
            total += np.bincount(fold.test, weights=measure.rows(task.y[fold.held_out()], z), minlength=n)
        return total[held] / counts[held]

    reference, size = losses(best), len(points[0])
    means, errors = np.full(size, np.nan), np.full(size, np.nan)
    for k in range(best + 1):
        paired = PairedLosses(2)
        paired.add(np.column_stack([reference, reference if k == best else losses(k)]), weights)
        means[k], errors[k] = paired.mean[1] - paired.mean[0], paired.errors(0)[1]
    return means, errors

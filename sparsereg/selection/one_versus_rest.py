"""Several classes, each against the rest by a loss of -1 and 1, at one strength for all. Knows no rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.results import PathResult
from sparsereg.selection.engine import Settings, automatic_grid, validate
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import MeanDeviance, decision_scores, make_decision_measure
from sparsereg.selection.results import ValidatedPath
from sparsereg.selection.rules import check_rule_of_folds
from sparsereg.solvers.path import alpha_grid

__all__ = ["validate_classes"]

Vector = NDArray[np.float64]


def validate_classes(
    tasks: Sequence[Task], folds: list[Fold], scoring: Any, classes: NDArray[Any], l1_ratio: float, settings: Settings
) -> ValidatedPath:
    """One path and its folds: of the second of two classes, or of each class against the rest.

    Several are solved at the same strengths, and their losses added up. An automatic path of these goes on until that
    of every class has turned; other endings are those of the class that ends first. A scorer sees labels, and the
    decisions of all classes.

    Parameters
    ----------
    tasks : sequence of Task
        One for each class with coefficients, with targets of -1 and 1.
    folds : list of Fold
    scoring : None, str or callable
        None: the mean deviance, a sum over the classes.
    classes : array of labels
    l1_ratio : float
    settings : Settings
    """
    if len(tasks) == 1:
        return validate(tasks[0], folds, make_decision_measure(scoring, tasks[0].loss, classes), l1_ratio, settings)
    check_rule_of_folds(settings.rule, len(folds), rows_apart=False)
    scores = None if scoring is None else decision_scores(scoring, classes)
    alphas = _common_strengths(tasks, l1_ratio, settings)
    how = settings._replace(grid=alphas, rule="min", keep=settings.keep or scores is not None)
    measure = MeanDeviance(tasks[0].loss)
    paths = [validate(task, folds, measure, l1_ratio, how) for task in tasks]
    sizes = [path.alphas.size for path in paths]
    n = max(sizes) if all(path.stopped in ("grid", "turned") for path in paths) else min(sizes)
    how = how._replace(grid=alphas[:n], ending=replace(how.ending, turned=0))
    for k, path in enumerate(paths):
        if path.alphas.size < n or (scores is not None and path.fold_ends.min() < n):
            paths[k] = validate(tasks[k], folds, measure, l1_ratio, how)
    merged = _merged(paths, min(path.alphas.size for path in paths), classes)
    if scores is None:
        return merged
    losses = np.array([[-scores(*_held_out(tasks, paths, fold, f, k)) for f, fold in enumerate(folds)]
                       for k in range(merged.alphas.size)])  # fmt: skip
    kept = merged.fold_paths if settings.keep else None
    return replace(merged, fold_losses=losses, is_deviance=False, fold_paths=kept)


def _common_strengths(tasks: Sequence[Task], l1_ratio: float, settings: Settings) -> Vector:
    """Those given, or from the largest alpha_max of the classes on."""
    if not isinstance(settings.grid, int):
        return settings.grid
    top = max(float(task.solver(task.s, l1_ratio, 1, 1.0)[1][0]) for task in tasks)
    if isinstance(settings.eps, str):
        return automatic_grid(top, settings.grid)
    return alpha_grid(top, settings.grid, settings.eps)


def _merged(paths: list[ValidatedPath], n: int, classes: NDArray[Any]) -> ValidatedPath:
    """The first n points of all classes as those of one path with an output for each."""
    fold_paths = None
    if all(path.fold_paths is not None for path in paths):
        each = zip(*(path.fold_paths or () for path in paths), strict=True)
        fold_paths = tuple(_with_outputs(list(of_fold), classes) for of_fold in each)
    longest = max(paths, key=lambda path: path.alphas.size)
    return ValidatedPath(
        _with_outputs([path.path for path in paths], classes, n),
        np.sum([path.fold_losses[:n] for path in paths], axis=0),
        np.minimum(np.min([path.fold_ends for path in paths], axis=0), n),
        longest.stopped if longest.alphas.size == n else paths[0].stopped,
        fold_paths,
    )


def _with_outputs(paths: list[PathResult], classes: NDArray[Any], most: int | None = None) -> PathResult:
    """The points that all have, `most` of them, with sums of gaps and losses."""
    n = min([path.alphas.size for path in paths] + ([] if most is None else [most]))
    scales = np.array([path.gap_scale for path in paths])
    explained = [path.deviance_explained[:n] for path in paths if path.deviance_explained is not None]
    known = len(explained) == len(paths) and scales.sum() > 0.0
    return replace(
        paths[0],
        alphas=paths[0].alphas[:n],
        coefs=tuple(path.coefs[:, :n] for path in paths),
        intercepts=np.stack([path.intercepts[:n] for path in paths], axis=1),
        dual_gaps=np.sum([path.dual_gaps[:n] for path in paths], axis=0),
        gap_scale=float(scales.sum()),
        n_iters=np.sum([path.n_iters[:n] for path in paths], axis=0),
        seconds=None,
        deviance_explained=scales @ np.array(explained) / scales.sum() if known else None,
        classes=classes,
        n_products=None,
        methods=None,
    )


def _held_out(
    tasks: Sequence[Task], paths: list[ValidatedPath], fold: Fold, f: int, k: int
) -> tuple[NDArray[np.int64], Vector, Vector | None]:
    """The number of the class of each row that a fold holds out, the decisions at point k, and weights."""
    y = np.stack([task.y[fold.test] for task in tasks], axis=1)
    z = np.stack([_decision(task, (path.fold_paths or ())[f], k) for task, path in zip(tasks, paths, strict=True)])
    s = tasks[0].s
    return y.argmax(axis=1), z.T[fold.test], None if s is None else s[fold.test]


def _decision(task: Task, path: PathResult, k: int) -> Vector:
    """`offset + b0 + X w` of all rows."""
    columns, w = path.point(k)
    place = task.column_order[np.searchsorted(task.design.columns, columns, sorter=task.column_order)]
    z = np.full(task.design.n_rows, float(path.intercepts[k]))
    if task.offset is not None:
        z += task.offset
    if w.size:
        task.design.matrix.add_matvec(w.astype(np.float64), z, place)
    return z

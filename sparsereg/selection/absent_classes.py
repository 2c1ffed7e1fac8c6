"""Folds whose training rows lack classes: fitted on the classes that they have. Knows no rules.

With an intercept, the loss falls as that of an absent class goes to minus infinity. In the limit the class has
probability 0 and no coefficients, and the others are fitted as if it did not exist; of a single class nothing is left
to fit. Held-out rows of an absent class count alike at every strength: by the least probability of `losses.absent`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.absent import LOG_FLOOR
from sparsereg.rows.contract import Coefficients
from sparsereg.selection.class_folds import ClassTask
from sparsereg.selection.fold_fits import FoldFit, FoldPoint, Task, check_fold_weights
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import Measure
from sparsereg.solvers.loop import Solution
from sparsereg.solvers.outputs import Entries, RowSolution

__all__ = ["fold_fits"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


def fold_fits(
    task: Task, folds: Sequence[Fold], measure: Measure, l1_ratio: float, alphas: Vector
) -> list[FoldFit | OneClass]:
    """A fit for each fold.

    Warns
    -----
    UserWarning
        Where training rows lack a class.
    """
    fits, lacking, example = list[FoldFit | OneClass](), 0, 0
    for fold in folds:
        check_fold_weights(task, fold)
        present = task.classes_in(fold)
        if present is None:
            fits.append(FoldFit(task, fold, measure, l1_ratio, alphas))
            continue
        if present.size > 1 and isinstance(task, ClassTask):
            fits.append(FewerClasses(task, fold, measure, l1_ratio, alphas, present))
        else:
            fits.append(OneClass(task, fold, measure, l1_ratio, int(present[0])))
        lacking, example = lacking + 1, int(np.argmin(np.isin(np.arange(present.max() + 2), present)))
    if lacking:
        name = task.classes[example] if isinstance(task, ClassTask) else f"y={example}"
        warnings.warn(
            f"The training rows of {lacking} folds lack a class, such as {name}. They are fitted on the other classes,"
            f" and give it probability 0, which counts as {np.exp(LOG_FLOOR):.2g} in the log loss. Use stratified"
            " folds, such as cv=StratifiedKFold(5), or fewer of them.",
            stacklevel=4,
        )
    return fits


class FewerClasses(FoldFit):
    """A fold with some of the classes, two at least; solutions have the intercept minus infinity for the others."""

    def __init__(
        self, task: ClassTask, fold: Fold, measure: Measure, l1_ratio: float, alphas: Vector, present: Int
    ) -> None:
        self.every, self.present = task, present
        super().__init__(task.of_classes(present), fold, measure, l1_ratio, alphas)

    def of_all_outputs(self, solution: Any) -> Any:
        """With the classes that are absent."""
        coef, intercepts = solution.coef, np.full(len(self.every.classes), -np.inf)
        intercepts[self.present] = solution.intercepts
        entries = Entries(coef.columns, self.present[coef.outputs], coef.w)
        return replace(solution, coef=entries, intercepts=intercepts)

    def held_out_loss(self, solution: Solution) -> float:
        """By predictions of all classes."""
        return measured(self.every, self.fold, self.measure, solution)


class OneClass:
    """A fold whose training rows are of one class, which it predicts; as `FoldFit`."""

    def __init__(self, task: Task, fold: Fold, measure: Measure, l1_ratio: float, present: int) -> None:
        problem = SimpleNamespace(design=task.design, loss=task.loss, null_loss=0.0, gap_scale=0.0)
        self.solver: Any = SimpleNamespace(problem=problem, options=task.options, l1_ratio=l1_ratio)
        none = np.empty(0, dtype=np.int64)
        solution: Any
        if isinstance(task, ClassTask):
            intercepts = np.where(np.arange(len(task.classes)) == present, 0.0, -np.inf)
            solution = RowSolution(Entries(none, none, np.empty(0)), intercepts, 0.0, 0, 0.0)
        else:
            solution = Solution(Coefficients.zero(), none, np.inf if present else -np.inf, 0.0, 0, 0.0)
        self._point = FoldPoint(solution, measured(task, fold, measure, solution))

    def advance(self, alpha: float) -> FoldPoint:  # noqa: ARG002
        """The same at every strength."""
        return self._point


def measured(task: Task, fold: Fold, measure: Measure, solution: Any) -> float:
    """The held-out loss."""
    held = fold.held_out()
    return measure(task.y[held], task.predictor(solution)[held], None if task.s is None else task.s[held])

"""Folds of the multinomial loss: targets, predictors and losses have a column for each class. Knows no rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.absent import finite_predictors
from sparsereg.losses.multinomial import MULTINOMIAL
from sparsereg.objective.multinomial import MultinomialProblem, make_multinomial_problem
from sparsereg.selection.folds import Fold
from sparsereg.selection.measures import (
    Deviance,
    Measure,
    knowing_classes,
    refuse_labels_wanted,
    scorer_of,
    weights_for,
)
from sparsereg.selection.output_folds import OutputsTask
from sparsereg.selection.relaxed import relaxed_classes
from sparsereg.solvers.path import solve_point

__all__ = ["ClassDeviance", "ClassTask", "labels_of", "make_class_measure"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassTask(OutputsTask):
    """Several classes: y has their probabilities.

    Attributes
    ----------
    classes : array of shape (K,)
    """

    classes: NDArray[Any] = field(kw_only=True)

    def problem(self, s: Vector | None) -> MultinomialProblem:  # type: ignore[override]
        """The problem under these row weights."""
        options = {name: self.penalty[name] for name in ("penalty_factor", "fit_intercept", "standardize")}
        return make_multinomial_problem(
            self.design, self.y, sample_weight=s, offset=self.offset, classes=self.classes, **options
        )

    def solve(self, solver: Any, alpha: float) -> Any:
        """The next point of a solver."""
        solution = solve_point(solver, alpha, self.closer)
        return relaxed_classes(solver, solution, alpha) if self.relax else solution

    def check_training(self, s: Vector | None) -> None:
        """Classes that rows lack were left out before."""

    def classes_in(self, fold: Fold) -> NDArray[np.int64] | None:
        """The classes that have weight in training rows; None for all, and without intercepts."""
        rows = fold.train
        present = np.flatnonzero((np.ones(rows.size) if self.s is None else self.s[rows]) @ self.y[rows])
        return None if present.size == len(self.classes) or not self.penalty["fit_intercept"] else present

    def of_classes(self, present: NDArray[np.int64]) -> ClassTask:
        """The same for these classes, in rows that have no other."""
        offset = None if self.offset is None else self.offset[:, present]
        return replace(self, y=self.y[:, present], offset=offset, classes=self.classes[present])

    def predictor(self, solution: Any) -> Vector:
        """`offset + b + X W'` of all rows, (n, K); of a class without an intercept at the least probability."""
        z = super().predictor(solution)
        return z if np.isfinite(solution.intercepts).all() else finite_predictors(z.T).T


@dataclass(frozen=True)
class ClassDeviance(Deviance):
    """Twice the mean loss, less what no predictor could avoid."""

    def __call__(self, y: Vector, z: Vector, s: Vector | None) -> float:
        total = MULTINOMIAL.total(y.T, MULTINOMIAL.log_probabilities(z.T), s) - MULTINOMIAL.saturated(y.T, s)
        return 2.0 * total / float(len(y) if s is None else s.sum())

    def rows(self, y: Vector, z: Vector) -> Vector:
        """Twice the loss of each row."""
        return -2.0 * np.einsum("ki,ik->i", MULTINOMIAL.log_probabilities(z.T), y)


def make_class_measure(scoring: Any, y: Vector, classes: NDArray[Any]) -> Measure | ClassDeviance:
    """The measure of a scorer, which sees labels, or the mean deviance.

    Raises
    ------
    ValueError
        For a scorer that scikit-learn does not know, or one for targets that are no labels.
    """
    if scoring is None:
        return ClassDeviance()
    if labels_of(y) is None:
        refuse_labels_wanted(scoring)
    scorer, estimator = knowing_classes(scorer_of(scoring), classes), _predictions(classes)

    def measure(y: Vector, z: Vector, s: Vector | None) -> float:
        p = np.exp(MULTINOMIAL.log_probabilities(z.T)).T
        return -float(scorer(estimator, p, classes[y.argmax(axis=1)], **weights_for(scorer, s)))

    return measure


def labels_of(y: Vector) -> NDArray[np.int64] | None:
    """The number of each row's class; None where targets are probabilities."""
    return y.argmax(axis=1) if bool(((y == 0.0) | (y == 1.0)).all()) else None


def _predictions(classes: NDArray[Any]) -> Any:
    """An estimator whose X is its probabilities, for scorers."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Predicted(ClassifierMixin, BaseEstimator):
        classes_ = classes

        def predict(self, X: Any) -> Any:
            return classes[X.argmax(axis=1)]

        def predict_proba(self, X: Any) -> Any:
            return X

        decision_function: Callable[[Any, Any], Any] = predict_proba

    return Predicted()

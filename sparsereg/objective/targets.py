"""What users pass as targets, checked, and the objective that suits it. Does not know how it is solved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.data.real_numbers import refuse_unreal
from sparsereg.data.validation import check_outputs, check_target, check_vector
from sparsereg.losses import Loss, Multinomial
from sparsereg.objective.multi_task import MultiTaskProblem, make_multi_task_problem
from sparsereg.objective.multinomial import MultinomialProblem, make_multinomial_problem
from sparsereg.objective.problem import Problem, make_problem

__all__ = ["Targets", "check_classes", "check_targets", "refuse_positive"]

Vector = NDArray[np.float64]

# Rows of probabilities may miss a sum of 1 by so much, as those in single precision do; they are divided by it.
MAX_SUM_ERROR = 1e-5


class Maker(Protocol):
    """`make_problem`, or one like it, with the loss known."""

    def __call__(self, design: Design, y: Vector, **parts: Any) -> Problem | MultiTaskProblem | MultinomialProblem: ...


@dataclass(frozen=True)
class Targets:
    """Checked targets and offsets, and what makes an objective of them.

    Attributes
    ----------
    vectors : (array, array or None)
        y and the offset, of shape (n,), or (n, K).
    make : callable
        `make(design, y, sample_weight=, offset=, penalty_factor=, fit_intercept=, standardize=)`.
    """

    vectors: tuple[Vector, Vector | None]
    make: Maker


def check_targets(loss: Loss | Multinomial, y: Any, offset: Any, n_rows: int, *, positive: bool) -> Targets:
    """One output or several, by the loss and the dimensions of y."""
    if isinstance(loss, Multinomial):
        refuse_positive(positive)
        table, classes = check_classes(y, n_rows)
        return Targets((table, _checked_offset(offset, table)), partial(make_multinomial_problem, classes=classes))
    if not (loss.quadratic and np.ndim(y) == 2):
        vectors = check_target(y, n_rows), None if offset is None else check_vector("offset", offset, n_rows)
        return Targets(vectors, partial(make_problem, loss=loss, positive=positive))
    refuse_positive(positive)
    table = check_outputs("y", y, n_rows)
    return Targets((table, _checked_offset(offset, table)), make_multi_task_problem)


def check_classes(y: Any, n_rows: int) -> tuple[Vector, NDArray[Any]]:
    """Probabilities of the classes, of shape (n, K) in Fortran order, and the classes: those of labels, or 0 to K - 1
    for an array of probabilities."""
    if np.ndim(y) == 2:
        table = check_outputs("y", y, n_rows)
        if table.shape[1] < 2:
            raise ValueError(f"y has shape {table.shape}, one class only; expected probabilities of two or more.")
        wrong = np.flatnonzero((table < 0.0).any(axis=1) | (np.abs(table.sum(axis=1) - 1.0) > MAX_SUM_ERROR))
        if wrong.size:
            raise ValueError(
                f"y at row {wrong[0]} is {table[wrong[0]].tolist()}; expected probabilities of the classes, none below"
                " 0, that sum to 1. Divide each row by its sum."
            )
        return np.asfortranarray(table / table.sum(axis=1, keepdims=True)), np.arange(table.shape[1])
    refuse_unreal("y", y, text=False)
    labels = np.asarray(y)
    if labels.ndim != 1 or labels.shape[0] != n_rows:
        raise ValueError(f"y has shape {labels.shape}; expected ({n_rows},) labels, or ({n_rows}, K) probabilities.")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        where = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise ValueError(f"y contains {labels[where]} at position {where}; drop it; expected labels.")
    try:
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise ValueError(f"y holds labels of several kinds, which cannot be sorted: {error}.") from error
    if classes.size < 2:
        raise ValueError(f"y holds one class only, {classes.tolist()}; expected at least two.")
    table = np.zeros((n_rows, classes.size), order="F")
    table[np.arange(n_rows), codes] = 1.0
    return table, classes


def _checked_offset(offset: Any, y: Vector) -> Vector | None:
    return None if offset is None else check_outputs("offset", offset, *y.shape)


def refuse_positive(positive: bool) -> None:
    """A ValueError where coefficients of several outputs are to be positive."""
    if positive:
        raise ValueError("positive=True is for a single output; set positive=False.")

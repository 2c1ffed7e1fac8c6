"""What users pass as targets, checked, and the objective that suits it. Does not know how it is solved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.data.validation import check_outputs, check_target, check_vector
from sparsereg.losses import Loss
from sparsereg.objective.multi_task import MultiTaskProblem, make_multi_task_problem
from sparsereg.objective.problem import Problem, make_problem

__all__ = ["Targets", "check_targets"]

Vector = NDArray[np.float64]


class Maker(Protocol):
    """`make_problem`, or one like it, with the loss known."""

    def __call__(self, design: Design, y: Vector, **parts: Any) -> Problem | MultiTaskProblem: ...


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


def check_targets(loss: Loss, y: Any, offset: Any, n_rows: int, *, positive: bool) -> Targets:
    """One output or several, by the loss and the dimensions of y."""
    if not (loss.quadratic and np.ndim(y) == 2):
        vectors = check_target(y, n_rows), None if offset is None else check_vector("offset", offset, n_rows)
        return Targets(vectors, partial(make_problem, loss=loss, positive=positive))
    _refuse_positive(positive)
    table = check_outputs("y", y, n_rows)
    return Targets((table, _checked_offset(offset, table)), make_multi_task_problem)


def _checked_offset(offset: Any, y: Vector) -> Vector | None:
    return None if offset is None else check_outputs("offset", offset, *y.shape)


def _refuse_positive(positive: bool) -> None:
    if positive:
        raise ValueError("positive=True is for a single output; fit one column of y at a time, or set positive=False.")

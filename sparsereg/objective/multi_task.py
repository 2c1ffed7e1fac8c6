"""The multi-task objective: K targets over one X, and a penalty on rows of coefficients. Knows no solvers.

    F(b, W) = (1/2S) sum_i s_i |y_i - o_i - b - W' x_i|_2^2
              + alpha * (l1_ratio * sum_j v_j |w_j|_2 + (1 - l1_ratio)/2 * sum_j v_j |w_j|_2^2),     w_j in R^K

Every target has its own `Quadratic` over the shared columns; only the penalty and the certificate tie them together.
With `|.|` the norm of a row, the formulas of `docs/design.md` hold as they stand: the dual point has a column for each
target, and `c_j` is the row `x_j' R`. All methods make full passes in double, without the solver's kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.losses import LOSSES, Loss
from sparsereg.objective.certificate import combine_gap, squared_fenchel_gap
from sparsereg.objective.problem import make_problem
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties.rows import RowPenalty
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows

__all__ = ["MultiTaskProblem", "RowCoefficients", "RowNorms", "make_multi_task_problem"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class RowCoefficients:
    """Sparse rows: `w[a]`, K numbers, on the observed column `cols[a]`; 0 elsewhere."""

    cols: Int
    w: Vector

    @staticmethod
    def zero(n_outputs: int) -> RowCoefficients:
        """W = 0."""
        return RowCoefficients(np.empty(0, dtype=np.int64), np.empty((0, n_outputs)))

    def nonzero(self) -> RowCoefficients:
        """Without rows of zeros, in the order of the columns."""
        keep = np.flatnonzero(self.w.any(axis=1))
        keep = keep[np.argsort(self.cols[keep])]
        return RowCoefficients(self.cols[keep], np.ascontiguousarray(self.w[keep]))

    def output(self, k: int) -> Coefficients:
        """Those of one target."""
        return Coefficients(self.cols, np.ascontiguousarray(self.w[:, k]))

    def on(self, cols: Int) -> Vector:
        """As an array of shape (len(cols), K), for increasing `cols` that hold all of these."""
        w = np.zeros((cols.size, self.w.shape[1]))
        w[np.searchsorted(cols, self.cols)] = self.w
        return w


@dataclass(frozen=True)
class RowNorms:
    """What the data say at given coefficients: `|x_j' R|` of every observed column, and `|R|_s^2`."""

    norms: Vector
    squared_residual: float


@dataclass(frozen=True, eq=False)
class MultiTaskProblem:
    """The objective on a design in memory.

    Attributes
    ----------
    tasks : tuple of K Quadratic
        The squared loss of each target. Their own penalties are not used.
    penalty : RowPenalty
    """

    tasks: tuple[Quadratic, ...]
    penalty: RowPenalty

    classes: ClassVar[None] = None

    @property
    def loss(self) -> Loss:
        """The squared loss."""
        return LOSSES["squared"]

    @property
    def null_loss(self) -> float:
        """`S F` at W = 0."""
        return 0.5 * self.null_deviance

    @property
    def design(self) -> Design:
        return self.rows.design

    @property
    def rows(self) -> MemoryRows:
        """Those of the first target."""
        return _in_memory(self.tasks[0])

    @property
    def n_outputs(self) -> int:
        """K."""
        return len(self.tasks)

    @property
    def weight_sum(self) -> float:
        """S."""
        return self.tasks[0].weight_sum

    @cached_property
    def null_deviance(self) -> float:
        """`|Y - mean Y|_s^2`."""
        return float(sum(task.null_deviance for task in self.tasks))

    @property
    def gap_scale(self) -> float:
        """What a gap is measured against: the weighted mean of `|y_i - mean|_2^2`."""
        return self.null_deviance / self.weight_sum

    @cached_property
    def curvatures(self) -> Vector:
        """`|x_j - mean_j|_s^2` of every observed column."""
        return self.tasks[0].moments().centered_sq_norm

    def intercepts(self, coef: RowCoefficients) -> Vector:
        """b at its best, of shape (K,)."""
        return np.array([task.intercept(coef.output(k)) for k, task in enumerate(self.tasks)])

    def evaluate(self, coef: RowCoefficients) -> RowNorms:
        """By a pass over X for each target; no more than a vector over the columns is held."""
        norms, total = np.zeros(self.design.n_cols), 0.0
        for k, task in enumerate(self.tasks):
            at = coef.output(k)
            base = self._base(task, at)
            norms = np.hypot(norms, task.rows.gradients(at, base))  # squares may leave double precision
            total += task.rows.squared_residual(at, base)
        norms[self.curvatures == 0.0] = 0.0  # a constant column: nothing but rounding
        return RowNorms(norms, total)

    def gradients(self, coef: RowCoefficients, cols: Int) -> Vector:
        """`x_j' R` of these columns, of shape (len(cols), K)."""
        out = np.empty((cols.size, self.n_outputs))
        for k, task in enumerate(self.tasks):
            at = coef.output(k)
            out[:, k] = task.rows.gradients(at, self._base(task, at), cols)
        out[self.curvatures[cols] == 0.0] = 0.0
        return out

    @staticmethod
    def _base(task: Quadratic, at: Coefficients) -> float:
        return task.base(float(task.moments(at.cols).sums @ at.w)) if task.fit_intercept else task.center

    def objective(self, coef: RowCoefficients, alpha: float, l1_ratio: float) -> float:
        """F, with b at its best."""
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, coef.cols)
        loss = sum(
            task.rows.squared_residual(at, self._base(task, at))
            for task, at in ((task, coef.output(k)) for k, task in enumerate(self.tasks))
        )
        return (0.5 * loss + self.penalty.value(coef.w, l1, l2)) / self.weight_sum

    def duality_gap(self, coef: RowCoefficients, alpha: float, l1_ratio: float) -> float:
        """An upper bound on `F(coef) - min F`. Infinite where no dual point was found."""
        return self.gap_of(self.evaluate(coef), coef, alpha, l1_ratio)

    def gap_of(self, found: RowNorms, coef: RowCoefficients, alpha: float, l1_ratio: float) -> float:
        """The same from what the data say at `coef`.

        A column at 0 and within its threshold adds nothing, so that only the others' gradients are computed by row."""
        every = np.arange(self.design.n_cols)
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, every)
        cols = every
        if np.all(l1 > 0.0):
            cols = np.union1d(np.flatnonzero(found.norms > l1), coef.cols)
        l1, l2, c = l1[cols], l2[cols], self.gradients(coef, cols)
        squared_shift = 0.0
        unpenalized = np.flatnonzero((l1 == 0) & (l2 == 0) & (self.curvatures[cols] > 0))
        for k, task in enumerate(self.tasks if unpenalized.size else ()):
            shift, c[:, k] = task.project_out(unpenalized, np.ascontiguousarray(c[:, k]), cols)
            squared_shift += shift
        if unpenalized.size:
            c[self.curvatures[cols] == 0.0] = 0.0  # again: the projection brings some back
        terms = self.penalty.gap_terms(coef.on(cols), c, l1, l2)
        gap = combine_gap(terms, squared_fenchel_gap(found.squared_residual)) + 0.5 * squared_shift
        return gap / self.weight_sum


def make_multi_task_problem(
    design: Design, y: Vector, *, sample_weight: Vector | None = None, offset: Vector | None = None, **options: Any
) -> MultiTaskProblem:
    """Put the objective together from checked parts: y and `offset` of shape (n, K). `options`: `penalty_factor`,
    `fit_intercept` and `standardize` as in `make_problem`."""
    columns = [np.ascontiguousarray(y[:, k] if offset is None else y[:, k] - offset[:, k]) for k in range(y.shape[1])]
    first = make_problem(design, columns[0], sample_weight=sample_weight, **options).quadratic
    first.refuse_unsquarable(np.asarray(first.penalty.l1_factor) == 0.0)
    tasks = [first]
    for column in columns[1:]:
        # The columns as the first task has them (shifted, where they are far from 0), checked and counted once.
        one = make_problem(_in_memory(first).design, column, sample_weight=sample_weight, **_intercept_only(options))
        tasks.append(
            replace(one.quadratic, shift=first.shift, penalty=first.penalty, _eliminations=first._eliminations)
        )
    penalty = RowPenalty(first.penalty.l1_factor, first.penalty.l2_factor)
    return MultiTaskProblem(tuple(tasks), penalty)


def _intercept_only(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name == "fit_intercept"}


def _in_memory(task: Quadratic) -> MemoryRows:
    assert isinstance(task.rows, MemoryRows)
    return task.rows

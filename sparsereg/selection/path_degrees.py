"""Degrees of freedom of the points of a path: ranks, or traces of hat matrices. Knows no solvers.

The coefficients of several classes are one list of coordinates, a column and a class each. The curvature of the softmax
in the predictors of a row is `diag(p) - p p'`, which a constant on all classes does not feel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.losses import Loss, Multinomial
from sparsereg.objective.problem import make_problem
from sparsereg.objective.softmax_free import softmax_hessian
from sparsereg.results import PathResult
from sparsereg.rows.memory import MemoryRows

__all__ = ["PathDegrees"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Int = NDArray[np.int64]

# Up to so many coefficients their rank, or the trace, is computed; of more, their number is taken.
MAX_ACTIVE = 2000
# Squared lengths below this share of a column's own are rounding: the column depends on others.
DEPENDENT = 1e-10


@dataclass(frozen=True, eq=False)
class PathDegrees:
    """The points of a path, and the rows that it was fitted on.

    Attributes
    ----------
    path : PathResult
    loss : Loss or Multinomial
    design : Design
    s : float64 array of shape (n,), or None
    offset : float64 array of shape (n,) or (n, K), or None
        Only looked at where curvatures depend on predictors, and there is an l2 penalty.
    fit_intercept : bool
    penalty_factor : float64 array of shape (p,), or None
    standardize : bool
    """

    path: PathResult
    loss: Loss | Multinomial
    design: Design
    s: Vector | None
    offset: Vector | None
    fit_intercept: bool
    penalty_factor: Vector | None
    standardize: bool

    def every(self) -> Vector:
        """Of every point, without intercepts."""
        return np.array([self._of(k) if 0 < n <= MAX_ACTIVE else n for k, n in enumerate(self.path.n_nonzero)])

    def _of(self, k: int) -> float:
        parts = [self.path.point(k, output)[0] for output in range(len(self.path.outputs))]
        columns, classes = np.concatenate(parts), np.repeat(np.arange(len(parts)), [part.size for part in parts])
        cols = self._positions(columns)
        if self.path.l1_ratio == 1.0:
            return _rank(self._even(columns, cols, classes))
        _, l2 = self._problem.penalty.strengths(
            self._problem.weight_sum * self.path.alphas[k], self.path.l1_ratio, cols
        )
        if self.loss.quadratic:
            return _trace(self._even(columns, cols, classes), l2)
        z = self._predictors(k)
        if isinstance(self.loss, Loss):
            h = self.loss.curvature(self.loss.inverse_link(z[0]), z[0])  # the expected one, as y has this mean
            return _trace(self._centred(self._rows(h), cols), l2)
        return _trace(self._softmax(np.exp(self.loss.log_probabilities(z)), cols, classes), l2)

    @cached_property
    def _problem(self) -> Any:
        """Least squares on the columns, whose penalty is that of the path; far columns are shifted."""
        penalty: dict[str, Any] = {}
        if self.path.l1_ratio < 1.0:
            penalty = {"penalty_factor": self.penalty_factor, "standardize": self.standardize}
        y = np.zeros(self.design.n_rows)
        return make_problem(self.design, y, sample_weight=self.s, fit_intercept=self.fit_intercept, **penalty)

    def _rows(self, h: Vector) -> MemoryRows:
        """The rows with weights of so much curvature."""
        return MemoryRows(self._problem.design, np.zeros(h.size), h if self.s is None else self.s * h)

    def _positions(self, columns: Int) -> Int:
        """Where columns of X are in the design."""
        order = np.argsort(self.design.columns)
        return order[np.searchsorted(self.design.columns, columns, sorter=order)]

    @cached_property
    def _shared(self) -> tuple[Int, Matrix] | None:
        """The columns that are ever active, and their Gram matrix, where it is small."""
        ever = np.unique(np.concatenate([output.tocsc().indices for output in self.path.outputs])).astype(np.int64)
        return (ever, self._centred(self._problem.rows, self._positions(ever))) if ever.size <= MAX_ACTIVE else None

    def _even(self, columns: Int, cols: Int, classes: Int) -> Matrix:
        """The Hessian at equal curvatures and probabilities of classes: of the same rank as any other."""
        if self._shared is None:
            gram = self._centred(self._problem.rows, cols)
        else:
            at = np.searchsorted(self._shared[0], columns)
            gram = self._shared[1][np.ix_(at, at)]
        K = len(self.path.outputs)
        return gram if K == 1 else gram * ((classes[:, None] == classes) - 1.0 / K)

    def _centred(self, rows: MemoryRows, cols: Int) -> Matrix:
        distinct, place = np.unique(cols, return_inverse=True)
        products = rows.products(distinct, distinct)
        if self.fit_intercept and rows.weight_sum > 0.0:
            sums = rows.moments(distinct).sums
            products = products - np.outer(sums, sums) / rows.weight_sum
        return np.asarray(products[np.ix_(place, place)])

    def _predictors(self, k: int) -> Matrix:
        """`offset + b + X w` of each output, (K, n)."""
        K, n = len(self.path.outputs), self.design.n_rows
        z = np.repeat(np.reshape(self.path.intercepts[k], (K, 1)), n, axis=1)
        for output in range(K):
            columns, w = self.path.point(k, output)
            self.design.matrix.add_matvec(w.astype(np.float64), z[output], self._positions(columns))
        return z if self.offset is None else z + self.offset.reshape(n, K).T

    def _softmax(self, p: Matrix, cols: Int, classes: Int) -> Matrix:
        """The Hessian at these probabilities (K, n), less what the intercepts take up."""
        parts = softmax_hessian(self._problem.design, self.s, p, cols, classes)
        if not self.fit_intercept:
            return parts.coefficients
        return np.asarray(parts.coefficients - parts.sums @ scipy.linalg.pinvh(parts.totals) @ parts.sums.T)


def _rank(hessian: Matrix) -> float:
    length = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    kept = length > 0.0
    unit = hessian[np.ix_(kept, kept)] / np.outer(length[kept], length[kept])
    return float(scipy.linalg.lapack.dpstrf(unit, tol=DEPENDENT)[2]) if unit.size else 0.0


def _trace(hessian: Matrix, l2: Vector) -> float:
    """Of `(H + l2)^-1 H`; columns without an l2 penalty may depend on each other."""
    if (l2 > 0.0).all():
        return float(np.trace(scipy.linalg.solve(hessian + np.diag(l2), hessian, assume_a="pos")))
    length = np.sqrt(np.maximum(np.diag(hessian), 0.0) + l2)
    kept = length > 0.0
    unit = hessian[np.ix_(kept, kept)] / np.outer(length[kept], length[kept])
    whole = unit + np.diag(l2[kept] / length[kept] ** 2)
    return float(np.sum(scipy.linalg.pinvh(whole, rtol=DEPENDENT) * unit))

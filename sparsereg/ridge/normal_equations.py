"""Ridge's normal equations: what they are and how good a solution is. Does not know how they are solved.

What is minimised, in scikit-learn's scaling::

    sum_i s_i (y_i - b0 - x_i . w)^2 + sum_j penalty_j w_j^2,         penalty_j = alpha v_j

The minimum solves `H w = b` with `H = Xc' S Xc + diag(penalty)` and `b = Xc' S yc`, where Xc and yc are centred by their
weighted means when an intercept is fitted: implicitly, X is never densified. Everything is judged by the (halved, negative)
gradient `g = Xc' S (yc - Xc w) - penalty w`, worked out from X itself and in double: `|g| / |b|` is the relative gradient,
`g' H^-1 g` is how far the objective is from its minimum, and `sum_j g_j^2 / penalty_j` bounds that from above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core.kernels import Matrix
from sparsereg.data.column_statistics import centered_sq_norms
from sparsereg.data.design import Design

__all__ = ["NOTHING", "OTHER_UNITS", "NormalEquations", "Solution", "System", "relative"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Solution:
    """Coefficients on the observed columns, and how good they are.

    Attributes
    ----------
    w : float64 array of shape (n_cols,)
    gradient_norm : float
        `|g| / |b|`, 0 where b is 0.
    dual_gap : float
        Upper bound on the distance of the objective from its minimum; infinite when an iterative method leaves none, which
        is where columns are not penalised.
    n_iter : int
        Iterations; for a direct method Newton steps on the true gradient.
    """

    w: Vector
    gradient_norm: float
    dual_gap: float
    n_iter: int


# Of a design without a single observed column.
NOTHING = Solution(np.zeros(0), 0.0, 0.0, 0)


@dataclass(frozen=True)
class NormalEquations:
    """What the left side is made of.

    Attributes
    ----------
    design : Design
    s : float64 array of shape (n,) or None
        Row weights; None means all one.
    fit_intercept : bool
    factor : float64 array of shape (n_cols,)
        Penalty factors v of the observed columns.
    """

    design: Design
    s: Vector | None
    fit_intercept: bool
    factor: Vector

    @cached_property
    def weight_sum(self) -> float:
        return float(self.design.n_rows if self.s is None else self.s.sum())

    @cached_property
    def _stats(self) -> tuple[Vector, Vector]:
        """Weighted sums of the columns and of their squares: the same where all are ones, and then without the column view."""
        design = self.design
        if self.s is not None and design.n_ones == design.n_cols:
            sums = self._by_columns(self.s)
            return sums, sums
        sums, squares, _, _ = design.column_stats(self.s)
        return sums, squares

    @property
    def sums(self) -> Vector:
        """Weighted sums of the columns."""
        return self._stats[0]

    @cached_property
    def means(self) -> Vector:
        """Weighted means of the columns; zeros without an intercept."""
        return self.sums / self.weight_sum if self.fit_intercept else np.zeros(self.sums.size)

    @cached_property
    def diagonal(self) -> Vector:
        """The diagonal of `Xc' S Xc`; exactly 0 for constant columns."""
        sums, squares = self._stats
        if not self.fit_intercept:
            return squares
        return centered_sq_norms(self.design, sums, squares, self.s, self.weight_sum)[0]

    def system(self, y: Vector, alpha: float) -> System:
        """The equations for one target and one strength."""
        return System(self, y - self.mean(y), alpha * self.factor)

    def mean(self, z: Vector) -> float:
        """Weighted mean of a vector over rows; 0 without an intercept."""
        return float(np.average(z, weights=self.s)) if self.fit_intercept else 0.0

    def product(self, w: Vector) -> Vector:
        """`X w`: by rows where there are any, reading w here and there rather than writing all over z."""
        design = self.design
        if design.rows is None:
            z = np.zeros(design.n_rows)
            design.matrix.add_matvec(w, z)
            return z
        by_rows: Vector = design.rows.rmatvec(self._labelled(design.rows, w))
        return by_rows

    def rmatvec(self, z: Vector) -> Vector:
        """`Xc' S z`, overwriting z: where z sums to 0 under s, X' and Xc' are the same, and that is all the centring there is."""
        z -= self.mean(z)
        if self.s is not None:
            z *= self.s
        out = self._by_columns(z)
        out[self._constant] = 0.0
        return out

    def residual_products(self, y: Vector, w: Vector) -> Vector:
        """`Xc' S (y - Xc w)` for a centred y; in one walk through the rows where those were handed in."""
        design = self.design
        if design.by_rows is None:
            return self.rmatvec(y - self.product(w))
        assert design.rows is not None
        out = np.zeros(design.rows.shape[0])
        total = design.rows.residual_products(self._labelled(design.rows, w), y, float(self.means @ w), out, self.s)
        out = design.select_observed(out)
        out -= self.means * total  # of rounding only: the shift has centred what it could
        out[self._constant] = 0.0
        return out

    def _labelled(self, rows: Matrix, w: Vector) -> Vector:
        """w as the rows number the columns."""
        if self.design.index_in_rows is None:
            return w
        out = np.zeros(rows.shape[0])
        out[self.design.index_in_rows] = w
        return out

    def _by_columns(self, z: Vector) -> Vector:
        """`X' z`, through the rows where those are what the user handed in."""
        design = self.design
        if design.by_rows is None:
            return design.rmatvec(z)
        return design.select_observed(design.rmatvec_by_rows(z))

    @cached_property
    def _constant(self) -> NDArray[np.int64]:
        """Columns in which a product leaves nothing but rounding."""
        return np.flatnonzero(self.diagonal == 0.0)


# A gradient that is small in the columns' own units may be this many times larger when each is measured by its curvature.
OTHER_UNITS = 100.0
# Squares that are summed without losing any that matter lie between this and its inverse.
SAFE = 1e-200


@dataclass(frozen=True)
class System:
    """`H w = b` for one centred target and one penalty, as products only."""

    equations: NormalEquations
    y: Vector
    penalty: Vector

    @cached_property
    def b(self) -> Vector:
        return self.equations.rmatvec(self.y.copy())

    def times(self, w: Vector) -> Vector:
        """`H w`, in two passes over X."""
        return self.equations.rmatvec(self.equations.product(w)) + self.penalty * w

    def gradient(self, w: Vector) -> Vector:
        """`g`, worked out from X."""
        return self.equations.residual_products(self.y, w) - self.penalty * w

    def solution(self, w: Vector, n_iter: int, g: Vector | None = None) -> Solution:
        """Coefficients with what can be said of them without solving anything more; g where it is known already."""
        g = self.gradient(w) if g is None else g
        with np.errstate(divide="ignore"):
            gap = float(g @ np.divide(g, self.penalty, out=np.zeros(g.size), where=g != 0.0))
        return Solution(w, self.relative(g), gap, n_iter)

    def relative(self, g: Vector) -> float:
        """See `relative`; 0 where b is 0, as then so is the solution, and g is rounding."""
        return relative(g, self.b, self.equations.diagonal + self.penalty)


def relative(g: Vector, b: Vector, curvature: Vector) -> float:
    """`|g| / |b|`; or, where that is more, a hundredth of the same with each column in units of its own curvature: as they stand,
    one column in large units hides the gradients of all the others. 0 where b is 0."""
    if not (scale := _norm(b)):
        return 0.0
    plain = _norm(g) / scale
    if curvature.max() <= OTHER_UNITS**2 * curvature.min():
        return plain  # units differ too little for the other to be more
    root = np.sqrt(np.where(curvature > 0.0, curvature, np.inf))
    scale = _norm(b / root)
    return max(plain, _norm(g / root) / scale / OTHER_UNITS) if scale else plain


def _norm(v: Vector) -> float:
    """The Euclidean norm, whose squares neither overflow nor vanish."""
    square = float(v @ v)
    if SAFE < square < 1.0 / SAFE:
        return math.sqrt(square)
    return float(scipy.linalg.norm(v, check_finite=False)) if v.size else 0.0

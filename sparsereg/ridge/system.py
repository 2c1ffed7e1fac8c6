"""Ridge's normal equations: what they are and how good a solution is. Does not know how they are solved.

What is minimised, in scikit-learn's scaling::

    sum_i s_i (y_i - b0 - x_i . w)^2 + sum_j penalty_j w_j^2,         penalty_j = alpha v_j

The minimum solves `H w = b` with `H = Xc' S Xc + diag(penalty)` and `b = Xc' S yc`, where Xc and yc are centred by their
weighted means when an intercept is fitted: implicitly, X is never densified. Everything is judged by the (halved, negative)
gradient `g = Xc' S (yc - Xc w) - penalty w`, worked out from X itself and in double: `|g| / |b|` is the relative gradient,
`g' H^-1 g` is how far the objective is from its minimum, and `sum_j g_j^2 / penalty_j` bounds that from above.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg.design import Design

__all__ = ["NOTHING", "NormalEquations", "Solution", "System"]

Vector = NDArray[np.float64]

# A column whose centred square is below this share of the plain one is constant; the rest is rounding.
CONSTANT = 1e-14


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
        sums, squares, _, _ = self.design.column_stats(self.s)
        if not self.fit_intercept:
            return np.zeros_like(sums), squares
        centred = squares - sums * sums / self.weight_sum
        centred[centred <= CONSTANT * squares] = 0.0
        return sums / self.weight_sum, centred

    @property
    def means(self) -> Vector:
        """Weighted means of the columns; zeros without an intercept."""
        return self._stats[0]

    @property
    def diagonal(self) -> Vector:
        """The diagonal of `Xc' S Xc`; exactly 0 for constant columns."""
        return self._stats[1]

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
        labelled = w
        if design.labels is not None:
            labelled = np.zeros(design.rows.shape[0])
            labelled[design.labels] = w
        by_rows: Vector = design.rows.rmatvec(labelled)
        return by_rows

    def transposed(self, z: Vector) -> Vector:
        """`Xc' S z`, overwriting z: where z sums to 0 under s, X' and Xc' are the same, and that is all the centring there is."""
        z -= self.mean(z)
        if self.s is not None:
            z *= self.s
        out = self.design.transposed(z)
        out[self._constant] = 0.0
        return out

    @cached_property
    def _constant(self) -> NDArray[np.int64]:
        """Columns in which a product leaves nothing but rounding."""
        return np.flatnonzero(self.diagonal == 0.0)


# A gradient that is small in the columns' own units may be this many times larger when each is measured by its curvature.
OTHER_UNITS = 100.0


@dataclass(frozen=True)
class System:
    """`H w = b` for one centred target and one penalty, as products only."""

    equations: NormalEquations
    y: Vector
    penalty: Vector

    @cached_property
    def b(self) -> Vector:
        return self.equations.transposed(self.y.copy())

    def times(self, w: Vector) -> Vector:
        """`H w`, in two passes over X."""
        return self.equations.transposed(self.equations.product(w)) + self.penalty * w

    def gradient(self, w: Vector) -> Vector:
        """`g`, in two passes over X."""
        return self.equations.transposed(self.y - self.equations.product(w)) - self.penalty * w

    def solution(self, w: Vector, n_iter: int, g: Vector | None = None) -> Solution:
        """Coefficients with what can be said of them without solving anything more; g where it is known already."""
        g = self.gradient(w) if g is None else g
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = float(np.sum(np.where(g == 0.0, 0.0, g**2 / self.penalty)))
        return Solution(w, self.relative(g), gap, n_iter)

    def relative(self, g: Vector) -> float:
        """`|g| / |b|`; or, where that is more, a hundredth of the same with each column in units of its own curvature: as they stand,
        one column in large units hides the gradients of all the others. Where b is 0, so is the solution, and g is rounding."""
        scale = _norm(self.b)
        return max(_norm(g) / scale, self._by_curvature(g) / OTHER_UNITS) if scale else 0.0

    def _by_curvature(self, g: Vector) -> float:
        curvature = self.equations.diagonal + self.penalty
        root = np.sqrt(np.where(curvature > 0.0, curvature, np.inf))
        scale = _norm(self.b / root)
        return _norm(g / root) / scale if scale else 0.0


def _norm(v: Vector) -> float:
    """The Euclidean norm, whose squares neither overflow nor vanish."""
    return float(scipy.linalg.norm(v, check_finite=False)) if v.size else 0.0

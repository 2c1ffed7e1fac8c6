"""The normal equations of ridge and the quality of a solution, independent of how they are solved.

Ridge minimises, in scikit-learn's scaling::

    sum_i s_i (y_i - b0 - x_i . w)^2 + sum_j penalty_j w_j^2,         penalty_j = alpha v_j

The minimiser solves `H w = b` with `H = H0 + alpha V`, `H0 = Xc' S Xc`, `V = diag(v)` and `b = Xc' S yc`. With an
intercept, Xc and yc are centred by their weighted means; X itself is never densified. Every solution is judged by the
(halved, negative) gradient `g = b - H w = Xc' S (yc - Xc w) - penalty w`, computed from X in double precision. `|g| /
|b|` is the relative gradient. The objective is `g' H^-1 g` above its minimum, which is at most `sum_j g_j^2 /
penalty_j`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg._core.kernels import Matrix
from sparsereg.data.column_statistics import centered_sq_norms
from sparsereg.data.design import DenseDesign, Design

__all__ = [
    "EMPTY",
    "UNIT_RATIO",
    "ColumnUnits",
    "NormalEquations",
    "ProblemSummary",
    "RidgeSolution",
    "System",
    "relative_gradient",
]

Vector = NDArray[np.float64]

# A gradient that is small in the columns' own units may be this many times larger in units of each column's curvature.
UNIT_RATIO = 100.0
# A sum of squares between this and its inverse has neither overflowed nor lost terms that matter.
SAFE_SQUARE = 1e-200
# Strengths beyond this are taken for it where weights are brought to another unit.
LARGEST_STRENGTH = 1e300


@dataclass(frozen=True)
class RidgeSolution:
    """Coefficients of the observed columns with their certificate.

    Attributes
    ----------
    w : float64 array of shape (n_cols,)
    gradient_norm : float
        `|g| / |b|`, 0 if b is 0; see `relative_gradient`.
    dual_gap : float
        Upper bound on the distance of the objective from its minimum. Infinite after an iterative method with
        unpenalized columns, which provides no bound.
    n_iter : int
        Iterations; for a direct method, Newton steps on the true gradient.
    """

    w: Vector
    gradient_norm: float
    dual_gap: float
    n_iter: int


# The solution for a design without observed columns.
EMPTY = RidgeSolution(np.zeros(0), 0.0, 0.0, 0)


class ProblemSummary(NamedTuple):
    """The numbers that the choice of a method depends on."""

    n_rows: int
    n_cols: int
    least_factor: float
    largest_factor: float
    largest_curvature: float
    graded: bool = False  # columns were brought to like units, so that penalties differ by orders
    dense: bool = False


class ColumnUnits(NamedTuple):
    """How the columns of a design follow from those of X: `x' = (x - shift) / scale`; and the type of X."""

    shift: Vector
    scale: Vector
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class NormalEquations:
    """All that the equations of different targets and strengths share; what is derived from X is computed once.

    Attributes
    ----------
    design : Design
    s : float64 array of shape (n,) or None
        Row weights; None means all one.
    fit_intercept : bool
    factor : float64 array of shape (n_cols,)
        Penalty factors v of the observed columns.
    units : ColumnUnits or None
        How design and factors follow from those of X; None if they are the same.
    weight_unit, strength_unit : float
        What the weights were divided by, in which sums over rows count; and what strengths are to be divided by
        (`strengths`): the same, or 1 where penalty factors are in the unit of the weights.
    """

    design: Design
    s: Vector | None
    fit_intercept: bool
    factor: Vector
    units: ColumnUnits | None = None
    weight_unit: float = 1.0
    strength_unit: float = 1.0

    def strengths(self, alphas: Vector) -> Vector:
        """Those that belong to weights in their unit. Beyond `LARGEST_STRENGTH` coefficients are 0 in double precision,
        and what is below a normal number is as good as 0."""
        if self.strength_unit == 1.0:
            return alphas
        with np.errstate(over="ignore", under="ignore"):
            out = np.minimum(alphas / self.strength_unit, LARGEST_STRENGTH)
        return np.where(out < np.finfo(np.float64).tiny, 0.0, out)

    @cached_property
    def summary(self) -> ProblemSummary:
        """Counts and extreme values; the largest curvature is infinite if any curvature overflows."""
        largest = float(self.diagonal.max(initial=0.0)) if np.isfinite(self.diagonal).all() else np.inf
        factors = float(self.factor.min(initial=1.0)), float(self.factor.max(initial=0.0))
        graded = self.units is not None and self.units.scale.max() > self.units.scale.min()
        dense = isinstance(self.design, DenseDesign)
        return ProblemSummary(self.design.n_rows, self.factor.size, *factors, largest, graded, dense)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of X."""
        return self.design.dtype if self.units is None else self.units.dtype

    @property
    def factors_of_x(self) -> Vector:
        """Penalty factors of the columns of X."""
        return self.factor if self.units is None else self.factor * self.units.scale**2

    def in_units_of_x(self, w: Vector) -> Vector:
        """Coefficients of X, from those of the design; w may have shape (..., n_cols)."""
        return w if self.units is None else w / self.units.scale

    def rounded(self, w: Vector) -> Vector:
        """Coefficients of the design whose values in the units of X have the type of X."""
        if self.dtype == np.float64:
            return w
        w = self.in_units_of_x(w).astype(self.dtype).astype(np.float64)
        return w if self.units is None else w * self.units.scale

    @cached_property
    def means_of_x(self) -> Vector:
        """Weighted means of the columns of X, over the scale of each: what coefficients move the intercept by."""
        return self.means if self.units is None else self.means + self.units.shift / self.units.scale

    @cached_property
    def weight_sum(self) -> float:
        return float(self.design.n_rows if self.s is None else self.s.sum())

    @cached_property
    def n_weighted(self) -> int:
        """The number of rows with a positive weight."""
        return self.design.n_rows if self.s is None else int(np.count_nonzero(self.s))

    @cached_property
    def root_weights(self) -> Vector:
        """`s^1/2` of every row."""
        return np.ones(self.design.n_rows) if self.s is None else np.sqrt(self.s)

    @cached_property
    def _column_sums(self) -> tuple[Vector, Vector]:
        """Weighted sums of columns and of their squares; for columns of ones they agree, and rows suffice."""
        design = self.design
        if self.s is not None and design.n_ones == self.factor.size:
            sums = self._uncentered_rmatvec(self.s)
            return sums, sums
        sums, squares, _, _ = design.column_stats(self.s)
        return sums, squares

    @property
    def squares(self) -> Vector:
        """Weighted sums of the squares of the columns, not centred."""
        return self._column_sums[1]

    @property
    def sums(self) -> Vector:
        """Weighted sums of the columns."""
        return self._column_sums[0]

    @cached_property
    def means(self) -> Vector:
        """Weighted means of the columns; zeros without an intercept."""
        return self.sums / self.weight_sum if self.fit_intercept else np.zeros(self.sums.size)

    @cached_property
    def diagonal(self) -> Vector:
        """The curvatures, the diagonal of `Xc' S Xc`; exactly 0 for constant columns."""
        sums, squares = self._column_sums
        if not self.fit_intercept:
            return squares
        return centered_sq_norms(sums, squares, self.weight_sum, lambda j: self.design.extent(j, self.s))[0]

    @cached_property
    def constant(self) -> NDArray[np.int64]:
        """Columns in which a centred product is rounding only."""
        return np.flatnonzero(self.diagonal == 0.0)

    def system(self, y: Vector, alpha: float) -> System:
        """The equations for one target and one strength."""
        return System(self, y - self.mean(y), alpha)

    def mean(self, z: Vector) -> float:
        """Weighted mean of a vector over rows; 0 without an intercept."""
        return float(np.average(z, weights=self.s)) if self.fit_intercept else 0.0

    def product(self, w: Vector) -> Vector:
        """`X w`. By rows if X has them: reading w at random is faster than writing to the result at random."""
        design = self.design
        if design.rows is None:
            z = np.zeros(design.n_rows)
            design.matrix.add_matvec(w, z)
            return z
        by_rows: Vector = design.rows.rmatvec(self._numbered_as_rows(design.rows, w))
        return by_rows

    def rmatvec(self, z: Vector) -> Vector:
        """`Xc' S z`, overwriting z. Once the weighted mean of z is 0, X' and Xc' agree but for the rounding of its sum,
        which counts where one row holds nearly all the weight."""
        z -= self.mean(z)
        if self.s is not None:
            z *= self.s
        out = self._uncentered_rmatvec(z)
        if self.fit_intercept:
            out -= self.means * z.sum()
        out[self.constant] = 0.0
        return out

    def residual_products(self, y: Vector, w: Vector) -> Vector:
        """`Xc' S (y - Xc w)` for a centred y; in a single pass if X came by rows."""
        design = self.design
        if not design.is_csr:
            return self.rmatvec(y - self.product(w))
        assert design.rows is not None
        out = np.zeros(design.rows.shape[0])
        shift, w = float(self.means @ w), self._numbered_as_rows(design.rows, w)
        total = design.rows.residual_products(w, y, shift, out, self.s)
        out = self._numbered_as_columns(out)
        out -= self.means * total  # total is rounding: the shift has centred the residual
        out[self.constant] = 0.0
        return out

    def relative_gradient(self, g: Vector, b: Vector, penalty: Vector) -> float:
        """See the function `relative_gradient`: in the units of X."""
        curvature = self.diagonal + penalty
        if self.units is None:
            return relative_gradient(g, b, curvature)
        scale = self.units.scale
        return relative_gradient(g * scale, b * scale, curvature * scale**2)

    def _numbered_as_rows(self, rows: Matrix, w: Vector) -> Vector:
        """w indexed by the column numbers that the rows of X use."""
        if self.design.index_in_rows is None:
            return w
        out = np.zeros(rows.shape[0])
        out[self.design.index_in_rows] = w
        return out

    def _numbered_as_columns(self, values: Vector) -> Vector:
        """The values of the observed columns, from values that are indexed as the rows of X are."""
        index = self.design.index_in_rows
        return values if index is None else values[index]

    def _uncentered_rmatvec(self, z: Vector) -> Vector:
        """`X' z`, by rows if X came by rows."""
        design = self.design
        if not design.is_csr:
            return design.rmatvec(z)
        return self._numbered_as_columns(design.rmatvec_by_rows(z))


@dataclass(frozen=True)
class System:
    """`H w = b` for one centred target and one strength, as products only."""

    equations: NormalEquations
    y: Vector
    alpha: float

    @cached_property
    def penalty(self) -> Vector:
        return self.alpha * self.equations.factor

    @cached_property
    def b(self) -> Vector:
        return self.equations.rmatvec(self.y.copy())

    def times(self, w: Vector) -> Vector:
        """`H w`, in two passes over X."""
        return self.equations.rmatvec(self.equations.product(w)) + self.penalty * w

    def gradient(self, w: Vector) -> Vector:
        """`g`, computed from X."""
        return self.equations.residual_products(self.y, w) - self.penalty * w

    def solution(self, w: Vector, n_iter: int, g: Vector | None = None) -> RidgeSolution:
        """w with the certificate that its gradient alone gives; pass g if it is known already.

        Constant columns belong to the intercept, or to nothing: what iterations left there is rounding."""
        constant = self.equations.constant
        if w[constant].any():
            w = w.copy()
            w[constant] = 0.0
            g = None
        g = self.gradient(w) if g is None else g
        with np.errstate(divide="ignore", over="ignore"):
            gap = float(g @ np.divide(g, self.penalty, out=np.zeros(g.size), where=g != 0.0))
        return RidgeSolution(w, self.relative(g), gap, n_iter)

    def relative(self, g: Vector) -> float:
        """See `relative_gradient`."""
        return self.equations.relative_gradient(g, self.b, self.penalty)


def relative_gradient(g: Vector, b: Vector, curvature: Vector) -> float:
    """The larger of `|g| / |b|` and a hundredth of the same ratio with each column in units of its own curvature.

    Without the second, a single column in large units hides the gradients of all others. 0 if b is 0: the solution is 0
    and g is rounding.
    """
    if not (scale := _norm(b)):
        return 0.0
    plain = _norm(g) / scale
    if curvature.max() / UNIT_RATIO**2 <= curvature.min():
        return plain  # the second ratio cannot be larger
    root = np.sqrt(np.where(curvature > 0.0, curvature, np.inf))
    scale = _norm(b / root)
    return max(plain, _norm(g / root) / scale / UNIT_RATIO) if scale else plain


def _norm(v: Vector) -> float:
    """The Euclidean norm, without overflow or underflow of the squares."""
    with np.errstate(over="ignore"):
        square = float(v @ v)
    if SAFE_SQUARE < square < 1.0 / SAFE_SQUARE:
        return math.sqrt(square)
    return float(scipy.linalg.norm(v, check_finite=False)) if v.size else 0.0

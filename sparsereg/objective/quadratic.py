"""The quadratic objective that coordinate descent, screening and Newton steps work on. Does not know how it is solved.

    q(b0, w) = 1/2 sum_i s_i (y_i - b0 - x_i . w)^2 + sum_j l1_j g(w_j) + l2_j/2 w_j^2

The squared loss is one of these at every strength. Any other loss is modelled by one at reference coefficients: its
weights are curvatures there, its targets the predictor plus residual over curvature (`LossRows.linearize`).

The intercept is eliminated exactly, without centring X: with `m_j = x_j' s / S`, the centred column has `(x_j - m_j)' r
= x_j' r` for a residual that sums to 0, and `|x_j - m_j|_s^2 = x_j' (s x_j) - S m_j^2`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.column_statistics import centered_sq_norms
from sparsereg.data.far_columns import Shift
from sparsereg.objective.certificate import combine_gap
from sparsereg.penalties import Penalty
from sparsereg.rows.contract import Coefficients, Rows
from sparsereg.rows.memory import FEW_COLUMNS, MemoryRows

__all__ = ["MAX_UNPENALIZED", "TINY", "ColumnMoments", "Quadratic", "nonnegative_least_squares"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Unpenalized columns are eliminated by a dense square: 32 MB at most.
MAX_UNPENALIZED = 2000
# Squares of numbers below this, and of the coefficients that they ask for, leave double precision.
TINY = 1e-120
# Squared lengths of directions among columns of length 1: below the first share of the largest they are measured on the
# rows. Below the second they are too short to fit coefficients along them, though what these explain may be much: no
# certificate is given. Below the third the columns are dependent.
UNCERTAIN, TOO_SHORT, DEPENDENT = 1e-4, 1e-26, 1e-28
# Squared lengths from which on gradients of the single columns tell what is left along a direction.
SEEN_BY_COLUMNS = 1e-13
# So many random directions show whether any has a length.
RANDOM_DIRECTIONS = 4
# The same where rows are not in memory, and lengths are those of the Gram matrix.
UNMEASURED = 1e-13


class ColumnMoments(NamedTuple):
    """Per column: `x_j' s` (0 without an intercept), the curvature `|x_j - mean_j|_s^2`, `|x_j|' s`, the largest
    `|x_ij|`."""

    sums: Vector
    centered_sq_norm: Vector
    l1_norm: Vector
    max_abs: Vector


class Elimination(NamedTuple):
    """Unpenalized columns in independent directions: the columns' norms, orthonormal coefficients of columns scaled to
    length 1, the lengths of these directions, and whether there are others that are too short to fit."""

    scale: Vector
    vectors: NDArray[np.float64]
    root: Vector
    too_short: bool


@dataclass(frozen=True, eq=False)
class Quadratic:
    """The quadratic objective over some rows.

    Attributes
    ----------
    rows : Rows
    penalty : Penalty
    fit_intercept : bool
    center : float
        The weighted mean of the targets where there is an intercept, else 0.
    intercept_at_zero : float
        b0 at w = 0: `center` and whatever was subtracted from the targets beforehand.
    shift : Shift or None
        What was subtracted from columns of X beforehand.
    """

    rows: Rows
    penalty: Penalty
    fit_intercept: bool
    center: float = 0.0
    intercept_at_zero: float = 0.0
    shift: Shift | None = None
    _eliminations: dict[bytes, Any] = field(default_factory=dict, repr=False)
    _moments_of_all: list[ColumnMoments] = field(default_factory=list, init=False, repr=False)

    @cached_property
    def weight_sum(self) -> float:
        """S."""
        return self.rows.weight_sum

    @cached_property
    def null_deviance(self) -> float:
        """`|y - mean y|_s^2`, twice the value at w = 0."""
        return self.rows.squared_residual(None, self.center)

    @cached_property
    def gap_scale(self) -> float:
        """What a duality gap is measured against: the weighted mean square of the (centred) targets."""
        return self.null_deviance / self.weight_sum

    def with_rows(self, rows: Rows) -> Quadratic:
        """The same objective over rows that hold other columns; the penalty must not tell columns apart."""
        return replace(self, rows=rows, _eliminations={})

    def moments(self, cols: Int | None = None) -> ColumnMoments:
        """Of the listed columns, or of all, in the weighted and centred geometry: arrays not to be written to. Those of
        all are kept where there are few."""
        if self._moments_of_all:
            kept = self._moments_of_all[0]
            return kept if cols is None else ColumnMoments(*(values[cols] for values in kept))
        found = self._measured_moments(cols)
        if cols is None and found.sums.size <= FEW_COLUMNS:
            self._moments_of_all.append(found)
        return found

    def _measured_moments(self, cols: Int | None) -> ColumnMoments:
        sums, squares, l1_norm, max_abs = self.rows.moments(cols)
        if not self.fit_intercept:
            return ColumnMoments(np.zeros_like(sums), squares, l1_norm, max_abs)
        extent = self.rows.extent if cols is None else lambda a: self.rows.extent(int(cols[a]))
        zero_one = (max_abs == 1.0) & (sums == squares)
        centred, few_digits = centered_sq_norms(sums, squares, self.weight_sum, extent, zero_one)
        if few_digits.size and not self.rows.is_dense:
            self._refuse(few_digits if cols is None else cols[few_digits])
        return ColumnMoments(sums, centred, l1_norm, max_abs)

    def _refuse(self, cols: Int) -> None:
        """ValueError for a column whose deviations are lost in the rounding of its mean, unless it holds only zeros and
        ones."""
        sums, squares, _, max_abs = self.rows.moments(cols)
        lost = np.flatnonzero((max_abs != 1.0) | (sums != squares))
        if lost.size:
            if max_abs[lost[0]] < TINY:
                raise ValueError(
                    f"Column {self.rows.columns[cols[lost[0]]]} of X reaches only {max_abs[lost[0]]:.3g}, too small to"
                    " square. Rescale X."
                )
            raise ValueError(
                f"Column {self.rows.columns[cols[lost[0]]]} of the sparse X (up to {max_abs[lost[0]]:.6g}) varies by"
                " less than 1/300,000 of its mean; subtract a constant from it, or pass X dense."
            )

    def refuse_unsquarable(self, free: NDArray[np.bool_]) -> None:
        """ValueError for a column that is too large to square, and for one of those without a penalty, `free`, that is
        too small: they would be taken for constant."""
        _, squares, _, max_abs = self.rows.moments()
        large, tiny = ~np.isfinite(squares), free & (max_abs > 0.0) & (max_abs < TINY)
        if not (large | tiny).any():
            return
        at = int(np.argmax(large | tiny))
        raise ValueError(
            f"Column {self.rows.columns[at]} of X reaches {max_abs[at]:.3g}, too {'large' if large[at] else 'small'} to"
            " square. Rescale it."
        )

    def base(self, products_sum: float) -> float:
        """The best b0 less `intercept_at_zero - center`, from `s' X w`: residuals at it sum to 0."""
        return self.center - products_sum / self.weight_sum

    def intercept(self, coef: Coefficients, products_sum: float | None = None) -> float:
        """b0 at its best; `s' X w` may be known."""
        shifted = 0.0 if self.shift is None else self.shift.of(self.rows.columns[coef.cols]) @ coef.w
        if products_sum is None:
            products_sum = float(self.moments(coef.cols).sums @ coef.w)
        return float(self.intercept_at_zero - shifted - products_sum / self.weight_sum)

    def gap_from(
        self, coef: Coefficients, l1: Vector, l2: Vector, fenchel_gap: Callable[[float], float], cols: Int, c: Vector
    ) -> float:
        """The duality gap of F, from the gradients c of `cols`: in increasing order all columns that are not at 0, over
        their threshold or unpenalized. Plain NumPy, and no kernel that a solver uses.

        `l1` and `l2` are the strengths on `cols`; for `fenchel_gap` see `combine_gap`.
        """
        w = np.zeros(cols.size)
        w[np.searchsorted(cols, coef.cols)] = coef.w
        sq = self.moments(cols).centered_sq_norm
        c[sq == 0.0] = 0.0  # a constant column: nothing but rounding
        unpenalized = np.flatnonzero((l1 == 0) & (l2 == 0) & (sq > 0))
        squared_shift = 0.0
        if unpenalized.size:
            squared_shift, c = self.project_out(unpenalized, c, cols)
            c[sq == 0.0] = 0.0  # again: the projection brings some back
        terms = Penalty.gap_terms(self.penalty, w, c, l1, l2)
        return (combine_gap(terms, fenchel_gap) + 0.5 * squared_shift) / self.weight_sum

    # ---- unpenalized columns -------------------------------------------------------------------------------------

    def project_out(self, at: Int, c: Vector, cols: Int) -> tuple[float, Vector]:
        """Move from the residual to a dual point that is orthogonal to the unpenalized columns U.

        The point is `theta = r - S X_U a` with a the least squares (non-negative where w is), and the gap is then
        `|X_U a|_s^2 / 2` plus the other columns' terms at theta.

        Parameters
        ----------
        at : int64 array
            Positions of the unpenalized columns in `cols`.
        c : float64 array of shape (cols.size,)
            Gradients at r.

        Returns
        -------
        squared_shift : float
            `|X_U a|_s^2`. Infinite for more than 2,000 such columns, whose dense square would cost too much, and where
            they are so nearly dependent that what least squares leaves them is more than rounding.
        c : float64 array of shape (cols.size,)
            Gradients at theta.
        """
        if at.size > MAX_UNPENALIZED:
            return np.inf, c
        a, squared_shift = self.unpenalized_least_squares(cols[at], c[at])
        mean = float(self.moments(cols[at]).sums @ a) / self.weight_sum
        c = c + self.rows.gradients(Coefficients(cols[at], a), -mean, cols, target=False)
        settled = np.minimum(c[at], 0.0) if self.penalty.positive else np.zeros(at.size)
        scale, vectors, root, too_short = self._elimination(cols[at])
        if too_short or (np.abs(c[at] - settled) > 1e-9 * scale * np.sqrt(self.null_deviance)).any():
            squared_shift = np.inf
        left = (vectors.T @ ((c[at] - settled) / scale)) / root
        squared_shift = float((np.sqrt(squared_shift) + np.linalg.norm(left)) ** 2)
        c[at] = settled
        return squared_shift, c

    def orthogonal(self, cols: Int, c: Vector) -> bool:
        """Whether a residual with gradients c of these unpenalized columns is orthogonal to them, but for rounding."""
        return self.explained(cols, c) <= 1e-12 * np.sqrt(self.null_deviance)

    def explained(self, cols: Int, c: Vector) -> float:
        """The length of what unpenalized columns explain of a residual with gradients c of them. Infinite where some
        combinations are too short to say."""
        scale, vectors, root, too_short = self._elimination(cols)
        return np.inf if too_short else float(np.linalg.norm((vectors.T @ (c / scale)) / root))

    def unpenalized_least_squares(self, cols: Int, c: Vector) -> tuple[Vector, float]:
        """The least-squares coefficients a of unpenalized columns U for a residual of gradient c, and `|X_U a|_s^2`."""
        scale, vectors, root, _ = self._elimination(cols)
        b = (vectors.T @ (c / scale)) / root
        if self.penalty.positive:
            a = nonnegative_least_squares(root[:, None] * vectors.T, b) / scale
        else:
            a = (vectors @ (b / root)) / scale
        return a, float(np.sum((root * (vectors.T @ (scale * a))) ** 2))

    def independent_directions(self, cols: Int) -> NDArray[np.float64]:
        """Orthonormal coefficients of columns scaled to length 1, in directions that move predictions: one a rank."""
        return self._elimination(cols).vectors

    def seen_by_columns(self, cols: Int) -> bool:
        """Whether a residual that is orthogonal to each of these unpenalized columns, but for rounding, is so to all
        their combinations: no direction is short, but for those of dependent columns."""
        if cols.size > MAX_UNPENALIZED:
            return False
        _, _, root, too_short = self._elimination(cols)
        shortest = float(root.min(initial=np.inf)) ** 2
        return not too_short and shortest >= SEEN_BY_COLUMNS * float(root.max(initial=0.0)) ** 2

    def _elimination(self, cols: Int) -> Elimination:
        """By the eigenvectors of the centred Gram of the columns scaled to length 1. The last one is kept."""
        key = cols.tobytes()
        if key not in self._eliminations:
            sums, sq = self.moments(cols)[:2]
            gram = self.rows.products(cols, cols) - np.outer(sums, sums) / self.weight_sum
            scale = np.sqrt(np.where(sq > 0, sq, 1.0))
            size, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
            vectors, size, too_short = self._measured(cols, scale, vectors, size)
            self._eliminations.clear()
            self._eliminations[key] = Elimination(scale, vectors, np.sqrt(size), too_short)
        found: Elimination = self._eliminations[key]
        return found

    def _measured(
        self, cols: Int, scale: Vector, vectors: NDArray[np.float64], size: Vector
    ) -> tuple[NDArray[np.float64], Vector, bool]:
        """Directions and their squared lengths `|X v|_s^2`, short ones left out, and whether those are too short to
        fit, not of dependent columns.

        Next to the largest, small ones hold only rounding. Where rows are in memory they are measured by themselves:
        sums of products that are small keep their digits."""
        largest = float(size.max(initial=0.0))
        if not isinstance(self.rows, MemoryRows):
            keep = size > UNMEASURED * largest
            return vectors[:, keep], size[keep], False
        kept: list[tuple[NDArray[np.float64], Vector]] = []
        while size.size and size.max() > TOO_SHORT * largest:
            keep = size > UNCERTAIN * size.max()
            kept.append((vectors[:, keep], size[keep]))
            vectors, size = vectors[:, ~keep], size[~keep]
            if not size.size or not self._have_length(cols, scale, vectors, DEPENDENT * largest):
                size = size[:0]
                break
            products = vectors.T @ np.column_stack([self._products_along(cols, scale, v) for v in vectors.T])
            size, turn = np.linalg.eigh(0.5 * (products + products.T))
            vectors = vectors @ turn
        too_short = bool(size.size) and float(size.max()) > DEPENDENT * largest
        if not kept:
            return vectors[:, :0], size[:0], too_short
        return np.hstack([v for v, _ in kept]), np.concatenate([found for _, found in kept]), too_short

    def _have_length(self, cols: Int, scale: Vector, vectors: NDArray[np.float64], least: float) -> bool:
        """Whether some of many directions may have more than the least squared length: if random ones have less, none
        has."""
        rng, k = np.random.default_rng(0), vectors.shape[1]
        if k <= RANDOM_DIRECTIONS:
            return True
        some = (vectors @ rng.normal(size=k) for _ in range(RANDOM_DIRECTIONS))
        return any(float(v @ self._products_along(cols, scale, v)) > least for v in some)

    def _products_along(self, cols: Int, scale: Vector, v: Vector) -> Vector:
        """`X' S X v` of centred columns scaled to length 1, by way of the rows."""
        rows = self.rows
        assert isinstance(rows, MemoryRows)
        z = rows.predictor(Coefficients(cols, v / scale))
        for _ in range(2 if self.fit_intercept else 0):  # once more: what rounding left of the mean
            z -= np.average(z, weights=rows.s)
        return rows.design.rmatvec(z if rows.s is None else rows.s * z, cols) / scale


def nonnegative_least_squares(A: NDArray[np.float64], b: Vector) -> Vector:
    """The x >= 0 with the least `|A x - b|`."""
    from scipy.optimize import lsq_linear, nnls  # a heavy import, for a rare case

    try:
        x, norm = nnls(A, b)
    except RuntimeError:  # too many iterations
        x, norm = np.zeros(A.shape[1]), np.inf
    # nnls may fail on gradients that are rounding, as they are near a minimum, and then misreports the norm too.
    if not abs(float(np.linalg.norm(A @ x - b)) - norm) <= 1e-10 * float(np.linalg.norm(b)):
        x = lsq_linear(A, b, bounds=(0.0, np.inf), method="bvls", tol=1e-15).x
    return np.asarray(x)

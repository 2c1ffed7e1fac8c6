"""What is minimised: the objective, its gradient and its duality gap, in one place. Does not know how it is solved.

    F(b0, w) = (1/S) sum_i s_i loss(y_i, o_i + b0 + x_i . w)
               + alpha * (l1_ratio * sum_j v_j |w_j| + (1 - l1_ratio)/2 * sum_j v_j w_j^2),     S = sum_i s_i

`docs/design.md` derives what follows: how the intercept is eliminated without centring X, how standardising becomes a
change of penalty, and both certificates. Here is the plain version, by full passes in double precision: the solvers keep
their own accounts and are tested against this one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import PENALTIES, GramStore
from sparsereg.data.column_statistics import MAX_SQ_MEAN_RATIO, center_far_columns, centered_sq_norms
from sparsereg.data.design import Design
from sparsereg.losses.base import Loss
from sparsereg.penalties.elastic_net import Penalty

__all__ = ["Coefficients", "Problem", "combine_gap", "make_problem"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Unpenalised columns are eliminated by a dense square: 32 MB at most.
MOST_LOOSE = 2000
# Rows of a sum at a time.
CHUNK = 1 << 16
# Readings of the odometer are kept in float32, whose range ends at 3e38.
LARGEST = 1e60


@dataclass(frozen=True)
class Coefficients:
    """Sparse coefficients: `w[a]` on the observed column `cols[a]`, nothing elsewhere."""

    cols: Int
    w: Vector

    def nonzero(self) -> Coefficients:
        """Without zeros, and in the order of the columns."""
        keep = np.flatnonzero(self.w)
        keep = keep[np.argsort(self.cols[keep])]
        return Coefficients(self.cols[keep], self.w[keep])


class ColumnStats(NamedTuple):
    """Per column: `sums` is `x_j' s` (0 where nothing is centred), `sq` the curvature `|x_j - mean_j|_s^2`, `size` is
    `|x_j|' s`, `peak` the largest `|x_ij|`."""

    sums: Vector
    sq: Vector
    size: Vector
    peak: Vector


@dataclass(frozen=True)
class Problem:
    """The objective on a design.

    Attributes
    ----------
    design : Design
    y : float64 array of shape (n,)
        Target less offset; the caller's own array where nothing had to be taken off.
    centre : float
        The weighted mean of `y` where an intercept is fitted, else 0: the target is `y - centre`.
    y_mean : float
        The intercept at w = 0: the centre and whatever was taken off y.
    s : float64 array of shape (n,) or None
        Row weights; None means all one.
    fit_intercept : bool
    penalty : Penalty
    shift : float64 array of shape (n_cols,) or None
        What was taken off the columns of a dense X whose means are far from 0.
    """

    design: Design
    y: Vector
    centre: float
    y_mean: float
    s: Vector | None
    fit_intercept: bool
    penalty: Penalty
    loss: Loss = field(default_factory=Loss)
    shift: Vector | None = None
    _eliminations: dict[bytes, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def weight_sum(self) -> float:
        """S."""
        return float(self.y.size if self.s is None else self.s.sum())

    def on(self, design: Design) -> Problem:
        """The same with other columns of X kept; the penalty must not tell them apart."""
        return replace(self, design=design, _eliminations={})

    def stats(self, cols: Int | None = None) -> ColumnStats:
        """What the listed columns (or all) are, in the weighted and centred geometry."""
        sums, squares, sizes, peaks = self._measured(cols)
        if not self.fit_intercept:
            return ColumnStats(np.zeros_like(sums), squares, sizes, peaks)
        centred, few_digits = centered_sq_norms(self.design, sums, squares, self.s, self.weight_sum, cols)
        self._refuse_lost(few_digits if cols is None else cols[few_digits])
        return ColumnStats(sums, centred, sizes, peaks)

    def _measured(self, cols: Int | None) -> tuple[Vector, ...]:
        """`Design.column_stats`, those of dense columns among sparse ones but once: each takes a pass over the rows."""
        n_sparse = self.design.n_sparse
        if cols is None or not 0 < n_sparse < self.design.n_cols or cols.max(initial=-1) < n_sparse:
            return self.design.column_stats(self.s, cols)
        dense, out = cols >= n_sparse, np.empty((4, cols.size))
        out[:, ~dense] = self.design.column_stats(self.s, cols[~dense])
        out[:, dense] = self._of_dense[:, cols[dense] - n_sparse]
        return tuple(out)

    @cached_property
    def _of_dense(self) -> NDArray[np.float64]:
        dense = np.arange(self.design.n_sparse, self.design.n_cols)
        return np.array(self.design.column_stats(self.s, dense))

    def _refuse_lost(self, cols: Int) -> None:
        """ValueError for a column whose deviations stand in too few of its digits: a dense X was centred, a sparse one cannot be."""
        design = self.design
        valued = cols[cols >= design.n_ones]  # what a column of ones varies by is no small part of it
        if valued.size and design.dense is None:
            peak = design.column_stats(self.s, valued[:1])[3][0]
            raise ValueError(
                f"Column {design.columns[valued[0]]} of the sparse X (up to {peak:.6g}) varies by less than 1/300,000 of its mean;"
                " subtract a constant from it, or pass X dense."
            )

    @cached_property
    def null_deviance(self) -> float:
        """`|y - mean y|_s^2`, twice `S F` at w = 0."""
        total = 0.0
        for begin in range(0, self.y.size, CHUNK):  # a chunk at a time: no vector over the rows is needed
            here = slice(begin, begin + CHUNK)
            centred = self.y[here] - self.centre
            total += float(centred @ centred if self.s is None else centred @ (self.s[here] * centred))
        return total

    def target(self, mean: float = 0.0, out: Vector | None = None) -> Vector:
        """`s (y - centre - mean)`, without a mean the residual at w = 0: in `out`, or a new array."""
        out = np.subtract(self.y, self.centre + mean, out=out)
        if self.s is not None:
            out *= self.s
        return out

    @property
    def gap_scale(self) -> float:
        """What a gap is measured against: the weighted mean square of the (centred) target."""
        return self.null_deviance / self.weight_sum

    def predictor(self, at: Coefficients) -> Vector:
        """`X w - mean(X w)` (or plain `X w` without an intercept)."""
        z = np.zeros(self.y.size)
        self.design.matrix.add_matvec(at.w, z, at.cols)
        if self.fit_intercept:
            z -= np.average(z, weights=self.s)
        return z

    def intercept(self, at: Coefficients, sum_of_products: float | None = None) -> float:
        """b0, by the weighted means: exact at any w. `s' X w` may be known."""
        taken_off = 0.0 if self.shift is None else self.shift[at.cols] @ at.w
        if sum_of_products is None:
            sum_of_products = float(self.stats(at.cols).sums @ at.w)
        return float(self.y_mean - taken_off - sum_of_products / self.weight_sum)

    def residual(self, at: Coefficients) -> Vector:
        """`r = s (y - z)`: the negative gradient in the predictor. It sums to 0 where there is an intercept."""
        return self.loss.residual(self.y, self.predictor(at) + self.centre, self.s)

    def gradient(self, r: Vector, cols: Int | None = None) -> Vector:
        """`c_j = (x_j - mean_j)' r` for the listed columns, or for all, from a residual that sums to 0 where centred."""
        return self.design.rmatvec(r, cols)

    def objective(self, at: Coefficients, alpha: float, l1_ratio: float) -> float:
        """F, with b0 at its best."""
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, at.cols)
        loss = self.loss.total(self.y, self.predictor(at) + self.centre, self.s)
        return (loss + self.penalty.value(at.w, l1, l2)) / self.weight_sum

    def duality_gap(self, at: Coefficients, alpha: float, l1_ratio: float) -> float:
        """An upper bound on `F(at) - min F`, by one full pass and plain NumPy. Infinite where no dual point was found."""
        r = self.residual(at)
        rr = r @ r if self.s is None else r @ np.divide(r, self.s, out=np.zeros_like(r), where=self.s > 0)
        c = self.gradient(r)
        l1 = self.weight_sum * alpha * l1_ratio * self.penalty.l1_factor
        # A column at 0 and within its threshold adds nothing, but projecting unpenalised columns out may put it beyond.
        here = np.arange(c.size)
        if np.all(l1 > 0.0):
            here = np.union1d(np.flatnonzero(self.penalty.dual_magnitude(c) > l1), at.cols)
        return self.gap_from(at, alpha, l1_ratio, float(rr), here, c[here])

    def gap_from(self, at: Coefficients, alpha: float, l1_ratio: float, rr: float, here: Int, c: Vector) -> float:
        """The same from `|r|_s^2` and the gradients `c` of the columns `here`: in increasing order all that are not at 0, or over their threshold."""
        w = np.zeros(here.size)
        w[np.searchsorted(here, at.cols)] = at.w
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, here)
        sq = self.stats(here).sq
        c[sq == 0.0] = 0.0  # a constant column: nothing but rounding
        loose = np.flatnonzero((l1 == 0) & (l2 == 0) & (sq > 0))
        extra = 0.0
        if loose.size:
            extra, c = self.project_out(loose, c, here)
            c[sq == 0.0] = 0.0  # again: the projection brings some back
        augmented = c - l2 * w
        reach, over = self.penalty.dual_magnitude(augmented), np.maximum(self.penalty.dual_magnitude(c) - l1, 0.0)
        reach[loose] = over[loose] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            conjugate = np.where(over > 0, 0.5 * over**2 / l2, 0.0)
            dual_norm = np.max(np.where(reach > 0, reach / l1, 0.0), initial=0.0)
        terms = {
            "l1_norm": l1 @ np.abs(w),
            "l2_sq": l2 @ w**2,
            "slope": augmented @ w,
            "dual_norm": dual_norm,
            "fenchel": np.sum(l1 * np.abs(w) + 0.5 * l2 * w**2 - c * w + conjugate),
        }
        return (combine_gap(terms, rr) + 0.5 * extra) / self.weight_sum

    def project_out(self, at: Int, c: Vector, cols: Int) -> tuple[float, Vector]:
        """Move to a dual point that leaves unpenalised columns nothing to explain.

        The point is `theta = r - X_loose a` with a the least squares (non-negative where w is), and the gap is then
        `|X_loose a|^2 / 2` plus the other columns' terms at theta.

        Parameters
        ----------
        at : int64 array
            Positions of the unpenalised columns in `cols`.
        c : float64 array of shape (cols.size,)
            Gradients at r.

        Returns
        -------
        extra : float
            `|X_loose a|^2`. Infinite for more than 2,000 such columns, whose dense square would cost too much, and where
            they are so nearly dependent that what least squares leaves them is more than rounding.
        c : float64 array of shape (cols.size,)
            Gradients at theta.
        """
        if at.size > MOST_LOOSE:
            return np.inf, c
        a, extra = self.eliminated(cols[at], c[at])
        correction = self._weighted(self.predictor(Coefficients(cols[at], a)))
        c = c - self.gradient(correction, cols)
        settled = np.minimum(c[at], 0.0) if self.penalty.positive else np.zeros(at.size)
        rounding = 1e-9 * self._elimination(cols[at])[1] * np.sqrt(self.null_deviance)
        if (np.abs(c[at] - settled) > rounding).any():
            extra = np.inf
        c[at] = settled
        return extra, c

    def eliminated(self, loose: Int, c: Vector) -> tuple[Vector, float]:
        """The least-squares coefficients a of unpenalised columns for a residual of gradient c, and `|X_loose a|^2`."""
        gram, scale, vectors, root = self._elimination(loose)
        b = (vectors.T @ (c / scale)) / root
        if self.penalty.positive:
            a = _nonnegative_least_squares(root[:, None] * vectors.T, b) / scale
        else:
            a = (vectors @ (b / root)) / scale
        return a, max(float(a @ gram @ a), 0.0)

    def _elimination(self, loose: Int) -> tuple[NDArray[np.float64], Vector, NDArray[np.float64], Vector]:
        """Centred Gram of these columns, their norms, and the eigenvectors of the scaled Gram with the roots of its
        eigenvalues, those of dependent columns left out. Kept for the next time."""
        key = loose.tobytes()
        if key not in self._eliminations:
            store = GramStore(self.design.matrix, None, None, self.s)
            store.append(loose, by_rows=False)
            sums, sq = self.stats(loose)[:2]
            gram, scale = store.toarray() - np.outer(sums, sums) / self.weight_sum, np.sqrt(np.where(sq > 0, sq, 1.0))
            size, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
            keep = size > 1e-13 * size.max(initial=0.0)
            self._eliminations.clear()
            self._eliminations[key] = (gram, scale, vectors[:, keep], np.sqrt(size[keep]))
        return self._eliminations[key]

    def _weighted(self, z: Vector) -> Vector:
        return z if self.s is None else self.s * z


def combine_gap(terms: dict[str, float], rr: float, outside: float = 0.0) -> float:
    """The better of two duality gaps of `S F`; each bounds the distance to the minimum from above.

    Parameters
    ----------
    terms : dict
        Sums over the columns, see `sr_gap_terms` in `src_c/sr.h`.
    rr : float
        `|r|^2` of the residual.
    outside : float
        Upper bound on `dual_magnitude(c_j) / l1_j` over the columns that are not in `terms`, all with w_j = 0.

    Notes
    -----
    (1) The residual as it is: `sum_j pen(w_j) + pen*(c_j) - c_j w_j`, which is a bound only while the others have
    `pen*(c_j) = 0`, that is `outside <= 1`.  (2) The augmented residual `(r, -sqrt(l2) w)` shrunk by t = 1/dual norm
    until it is feasible, so that `P - D = (1-t)^2/2 (|r|^2 + l2 w^2) + l1 |w| - t (c - l2 w)' w` (Mairal 2010,
    section 2.4, with the elastic net as a lasso on augmented rows). Written so, nothing large is subtracted from
    anything large: gaps far below eps |y|^2 are right.
    """
    direct = terms["fenchel"] if outside <= 1.0 else np.inf
    dual_norm = max(terms["dual_norm"], outside, 1.0)
    if not math.isfinite(dual_norm):
        return float(max(direct, 0.0))
    t = 1.0 / dual_norm
    scaled = 0.5 * (1.0 - t) ** 2 * (rr + terms["l2_sq"]) + terms["l1_norm"] - t * terms["slope"]
    return float(max(min(direct, scaled), 0.0))


def _nonnegative_least_squares(A: NDArray[np.float64], b: Vector) -> Vector:
    """The x >= 0 with the least `|A x - b|`."""
    from scipy.optimize import lsq_linear, nnls  # a heavy import, for a rare case

    x, size = nnls(A, b)
    # It may stumble over gradients that are rounding, as they are near a minimum, and is then wrong about the size too.
    if abs(float(np.linalg.norm(A @ x - b)) - size) > 1e-10 * float(np.linalg.norm(b)):
        x = lsq_linear(A, b, bounds=(0.0, np.inf), method="bvls", tol=1e-15).x
    return np.asarray(x)


def make_problem(
    design: Design,
    y: Vector,
    *,
    sample_weight: Vector | None = None,
    offset: Vector | None = None,
    penalty_factor: Vector | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
) -> Problem:
    """Put the objective together from checked parts. `penalty_factor` has nominal width; the others one entry a row."""
    s = sample_weight
    columns, shift = design.columns, None
    if fit_intercept and design.dense is not None:
        design, shift = center_far_columns(design, design.dense, s)
    target = np.asarray(y if offset is None else np.subtract(y, offset, dtype=np.float64), dtype=np.float64)
    kind = PENALTIES["elastic_net_nonneg" if positive else "elastic_net"]
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _mean(target, s) if fit_intercept else 0.0
        problem = Problem(design, target, mean, mean, s, fit_intercept, Penalty(kind), shift=shift)
        if not problem.null_deviance < LARGEST:
            raise ValueError(f"y is too large to square: it reaches {np.abs(y).max():.3g}. Rescale it.")
        if mean * mean > MAX_SQ_MEAN_RATIO * problem.gap_scale:
            # Products with y would lose the digits that its deviations stand in: those of a copy without the mean.
            target = target - mean
            problem = replace(problem, y=target, centre=_mean(target, s))
    if penalty_factor is None and not standardize:
        return problem
    factor = np.ones(design.n_cols) if penalty_factor is None else np.asarray(penalty_factor, dtype=np.float64)[columns]
    deviation = np.sqrt(problem.stats().sq / problem.weight_sum) if standardize else np.ones(design.n_cols)
    return replace(problem, penalty=Penalty(kind, factor * deviation, factor * deviation**2))


def _mean(y: Vector, s: Vector | None) -> float:
    """The weighted mean; of equal numbers exactly that number, so that nothing is left to fit."""
    counted = y if s is None else y[s > 0.0]
    return float(counted[0] if (counted == counted[0]).all() else np.average(y, weights=s))

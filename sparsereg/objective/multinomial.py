"""The multinomial objective: K classes, and an elastic net on all coefficients. Does not know how it is solved.

    F(b, W) = (1/S) sum_i s_i [ log sum_k exp(z_ik) - sum_k y_ik z_ik ],     z_ik = o_ik + b_k + w_k . x_i
              + alpha * sum_jk v_j ( l1_ratio |w_jk| + (1 - l1_ratio)/2 w_jk^2 )

The softmax does not change when all classes' predictors do by the same amount. With a penalty W is determined all the
same; b is then only up to a constant, and is handed out with mean 0.

Certificate: any probabilities q with `sum_i s_i (y_ik - q_ik) = 0` for every class (where there are intercepts) give
the dual point `theta_ik = s_i (y_ik - q_ik)`, and so does `t theta`, which belongs to `(1 - t) y + t q`. The gap is
`sum_i s_i KL(q_i | p_i)` plus the penalty's terms. q is p, moved along the Hessian of the intercepts by what rounding
and unfinished iterations leave of the sums: `q_ik = p_ik (1 + e_k - sum_l p_il e_l)`, which sums to 1.
Columns without a penalty are treated as intercepts are: see `softmax_free`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.data.far_columns import Shift
from sparsereg.losses.multinomial import MULTINOMIAL, Multinomial
from sparsereg.objective.certificate import combine_gap
from sparsereg.objective.multi_task import RowCoefficients
from sparsereg.objective.problem import make_problem
from sparsereg.objective.quadratic import MAX_UNPENALIZED
from sparsereg.objective.softmax_free import orthogonal_probabilities, scaled_pinv, softmax_totals
from sparsereg.penalties import GapTerms, Penalty

__all__ = ["MultinomialEvaluation", "MultinomialProblem", "make_multinomial_problem", "refuse_absent_class"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Intercepts are at their best when the classes' sums of residuals are below this share of S, or no step helps.
INTERCEPT_TOL = 1e-14
MAX_INTERCEPT_STEPS = 100
LAST_DECREMENT = 1e-15
MAX_HALVINGS = 40
# Newton's method has failed where the sums are above this share of S.
UNFINISHED = 1e-8


@dataclass(frozen=True)
class MultinomialEvaluation:
    """What the loss says at some coefficients. Vectors over rows and classes are of shape (K, n).

    Attributes
    ----------
    intercepts : float64 array of shape (K,)
        b at its best.
    total : float
        `sum_i s_i loss_i`.
    p, log_p : float64 arrays
        Probabilities, and their logarithms.
    q : float64 array
        Those of the dual point; q - p is rounding where the intercepts are at their best.
    valid : bool
        Whether q are probabilities.
    """

    intercepts: Vector
    total: float
    p: Vector
    log_p: Vector
    q: Vector
    valid: bool


@dataclass(frozen=True, eq=False)
class MultinomialProblem:
    """The objective on a design in memory.

    Attributes
    ----------
    design : Design
    y : float64 array of shape (K, n)
        Probabilities of the classes.
    s : float64 array of shape (n,) or None
    offset : float64 array of shape (K, n) or None
    fit_intercept : bool
    penalty : Penalty
        The elastic net, with factors of the columns.
    curvatures : float64 array of shape (n_cols,)
        `|x_j - mean_j|_s^2`, or around 0 without intercepts.
    shift : Shift or None
        What was subtracted from columns of X beforehand.
    classes : array of shape (K,) or None
    certifies_free : bool
        Whether gradients of the columns without a penalty tell those of all their combinations.
    """

    design: Design
    y: Vector
    s: Vector | None
    offset: Vector | None
    fit_intercept: bool
    penalty: Penalty
    curvatures: Vector
    shift: Shift | None = None
    classes: NDArray[Any] | None = None
    certifies_free: bool = True

    @property
    def loss(self) -> Multinomial:
        return MULTINOMIAL

    @property
    def n_outputs(self) -> int:
        """K."""
        return len(self.y)

    @cached_property
    def weight_sum(self) -> float:
        """S."""
        return float(self.design.n_rows if self.s is None else self.s.sum())

    @cached_property
    def free(self) -> Int:
        """The columns without a penalty."""
        return np.flatnonzero((np.asarray(self.penalty.l1_factor) == 0.0) & (self.curvatures > 0.0))

    @cached_property
    def saturated(self) -> float:
        """The least total that any predictors could reach."""
        return self.loss.saturated(self.y, self.s)

    @cached_property
    def null_loss(self) -> float:
        """`S F` at W = 0, above the least that any predictors could reach."""
        return self.evaluate(RowCoefficients.zero(self.n_outputs)).total - self.saturated

    @property
    def gap_scale(self) -> float:
        """What a gap is measured against: the null model's loss a row."""
        return self.null_loss / self.weight_sum

    def means(self, cols: Int) -> Vector:
        """Constants to subtract from columns with an entry in every row, so that they are nearly orthogonal to the
        intercepts; 0 for others, and without intercepts."""
        out = np.zeros(cols.size)
        if self.fit_intercept:
            full = np.flatnonzero(self.design.lengths(cols) == self.design.n_rows)
            if full.size:
                out[full] = self.design.column_stats(self.s, cols[full])[0] / self.weight_sum
        return out

    def predictors(self, coef: RowCoefficients) -> Vector:
        """`o + X W`, of shape (K, n), without intercepts."""
        z = np.zeros_like(self.y) if self.offset is None else self.offset.copy()
        for k in range(self.n_outputs):
            at = coef.output(k).nonzero()
            self.design.matrix.add_matvec(at.w, z[k], at.cols)
        return z

    def evaluate(self, coef: RowCoefficients, start: Vector | None = None) -> MultinomialEvaluation:
        """By full passes in double, with b at its best, sought from `start`."""
        z = self.predictors(coef)
        b = np.zeros(self.n_outputs) if start is None else start.copy()
        log_p = self.loss.log_probabilities(z + b[:, None])
        total = self.loss.total(self.y, log_p, self.s)
        if self.fit_intercept:
            b, total, log_p = self._best_intercepts(z, b, total, log_p)
            if np.abs(self._intercept_terms(np.exp(log_p))[0]).max() > UNFINISHED * self.weight_sum:
                b, total, log_p = self._annealed_intercepts(z, b)
        p = np.exp(log_p)
        q, valid = p, bool(np.isfinite(total))
        if valid and (self.free.size or self.fit_intercept):
            q, valid = orthogonal_probabilities(self.design, (self.y, self.s, p), self.free, self.fit_intercept)
            valid &= self.certifies_free
        return MultinomialEvaluation(b, total, p, log_p, q, valid)

    def _best_intercepts(self, z: Vector, b: Vector, total: float, log_p: Vector) -> tuple[Vector, float, Vector]:
        """Newton steps, halved until the total falls. Where hardly any row has curvature none is longer than predictors
        are apart."""
        longest = 1.0 + 2.0 * float(np.ptp(z + b[:, None], axis=0).max())
        for _ in range(MAX_INTERCEPT_STEPS):
            slope, hessian = self._intercept_terms(np.exp(log_p))
            if np.abs(slope).max() <= INTERCEPT_TOL * self.weight_sum:
                break
            step, t = scaled_pinv(hessian) @ slope, 1.0
            if not np.abs(step).max() <= longest:  # also where the Hessian is too small to divide by
                step = step if np.isfinite(step).all() else slope
                step = step * (longest / np.abs(step).max())
            last = float(slope @ step) <= LAST_DECREMENT * total  # what it gains is rounding: taken as it is
            for _ in range(MAX_HALVINGS):
                new_log_p = self.loss.log_probabilities(z + (b + t * step)[:, None])
                new = self.loss.total(self.y, new_log_p, self.s)
                if last or new < total:
                    break
                t *= 0.5
            else:
                break
            b, total, log_p = b + t * step, new, new_log_p
            if last:
                break
        return b - b.mean(), total, log_p

    def _annealed_intercepts(self, z: Vector, b: Vector) -> tuple[Vector, float, Vector]:
        """Where predictors are so large that hardly any row has curvature: first for predictors over some T, from the
        size of the largest down to 1, each from where the last one ended."""
        size = max(float(np.abs(z - z.mean(axis=0)).max()), 2.0)
        for temperature in np.geomspace(size, 1.0, 2 + int(np.log2(size))):
            log_p = self.loss.log_probabilities((z + b[:, None]) / temperature)
            total = self.loss.total(self.y, log_p, self.s)
            b, total, log_p = self._best_intercepts(z / temperature, b / temperature, total, log_p)
            b = b * temperature
        return b, total, log_p

    def _intercept_terms(self, p: Vector) -> tuple[Vector, Vector]:
        """`sum_i s_i (y_i - p_i)`, which is minus the slope, and the Hessian in the intercepts."""
        sp = p if self.s is None else p * self.s
        observed = self.y.sum(axis=1) if self.s is None else self.y @ self.s
        return observed - sp.sum(axis=1), softmax_totals(sp, p)

    @cached_property
    def l1_norms(self) -> Vector:
        """`|x_j|' s` of every observed column, which no gradient can exceed: `|y - q| <= 1`."""
        return self.design.column_stats(self.s)[2]

    def gradients(self, found: MultinomialEvaluation, k: int, cols: Int | None = None, dual: bool = True) -> Vector:
        """`x_j' s (y_k - q_k)` of these columns, or of every observed one, for one class: a pass over their entries.
        With p in place of q those of the loss itself."""
        theta = self.y[k] - (found.q[k] if dual else found.p[k])
        if self.s is not None:
            theta *= self.s
        c = self.design.rmatvec(theta, cols)
        if self.fit_intercept:  # a constant column: nothing but rounding
            c[(self.curvatures if cols is None else self.curvatures[cols]) == 0.0] = 0.0
        return c

    def objective(self, coef: RowCoefficients, alpha: float, l1_ratio: float) -> float:
        """F, with b at its best."""
        return (self.evaluate(coef).total + self.penalty_value(coef, alpha, l1_ratio)) / self.weight_sum

    def penalty_value(self, coef: RowCoefficients, alpha: float, l1_ratio: float) -> float:
        """The penalty's part of `S F`."""
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, coef.cols)
        return float(l1 @ np.abs(coef.w).sum(axis=1) + 0.5 * (l2 @ (coef.w**2).sum(axis=1)))

    def duality_gap(self, coef: RowCoefficients, alpha: float, l1_ratio: float) -> float:
        """An upper bound on `F(coef) - min F`, by full passes and plain NumPy."""
        return self.gap_of(self.evaluate(coef), coef, alpha, l1_ratio)

    def gap_of(
        self,
        found: MultinomialEvaluation,
        coef: RowCoefficients,
        alpha: float,
        l1_ratio: float,
        visit: Callable[[int, Int, Vector], None] | None = None,
    ) -> float:
        """The same from what the loss says at `coef`. Columns too short to reach their threshold are passed over.
        `visit(k, cols, c)` is handed each class's gradients (of the loss itself where columns have no penalty), which
        are not kept: a vector over the columns is held."""
        l1, l2 = self.penalty.strengths(self.weight_sum * alpha, l1_ratio, np.arange(self.design.n_cols))
        cols = np.union1d(np.flatnonzero(self.l1_norms * (1.0 + 1e-12) >= l1), coef.cols)
        l1, l2, w, terms = l1[cols], l2[cols], np.zeros(cols.size), []
        held, free = np.searchsorted(cols, coef.cols), np.isin(cols, self.free, assume_unique=True)
        for k in range(self.n_outputs):
            c = self.gradients(found, k, cols)
            if visit is not None:
                visit(k, cols, self.gradients(found, k, cols, dual=False) if self.free.size else c)
            c[free] = 0.0  # nothing but rounding where q is valid
            w[held] = coef.w[:, k]
            at = np.flatnonzero((w != 0.0) | (np.abs(c) > l1))
            terms.append(Penalty.gap_terms(self.penalty, w[at], c[at], l1[at], l2[at]))
        # Where all columns have none, at alpha = 0, no dual point is known.
        if not found.valid or ((l1 + l2 == 0.0) & (self.curvatures[cols] > 0.0) & ~free).any():
            return np.inf

        def fenchel_gap(t: float) -> float:
            change = (found.q - found.p) if t == 1.0 else t * (found.q - found.p) + (1.0 - t) * (self.y - found.p)
            return self.loss.divergence(change, found.p, found.log_p, self.s)

        return combine_gap(_added(terms, fenchel_gap(1.0)), fenchel_gap) / self.weight_sum

    def intercepts_of_x(self, coef: RowCoefficients, b: Vector) -> Vector:
        """b for the columns of X as they were passed; 0 without intercepts."""
        if self.shift is not None:
            b = b - self.shift.of(self.design.columns[coef.cols]) @ coef.w
        return b - b.mean()


def _added(terms: list[GapTerms], at_one: float) -> GapTerms:
    """Those of all classes; `at_one` is the loss's part of the gap at t = 1."""
    return GapTerms(
        sum(one.l1_norm for one in terms),
        sum(one.l2_sq for one in terms),
        sum(one.slope for one in terms),
        max(one.dual_norm for one in terms),
        sum(one.fenchel for one in terms) + at_one,
    )


def refuse_absent_class(y: Vector, sample_weight: Vector | None, classes: NDArray[Any] | None) -> None:
    """Of probabilities (n, K): a class that no row has is best at an intercept of minus infinity."""
    weights = y.sum(axis=0) if sample_weight is None else sample_weight @ y
    if not weights.all():
        k = int(np.flatnonzero(weights == 0.0)[0])
        name = k if classes is None else classes[k]
        raise ValueError(
            f"Class {name} has no weight in any row, so that its intercept has no best value; leave the class out, or"
            " set fit_intercept=False."
        )


def make_multinomial_problem(
    design: Design,
    y: Vector,
    *,
    sample_weight: Vector | None = None,
    offset: Vector | None = None,
    classes: NDArray[Any] | None = None,
    **options: Any,
) -> MultinomialProblem:
    """Put the objective together from checked parts: y, probabilities, and `offset` of shape (n, K). `options`:
    `penalty_factor`, `fit_intercept` and `standardize` as in `make_problem`."""
    fit_intercept = bool(options.get("fit_intercept", True))
    if fit_intercept:
        refuse_absent_class(y, sample_weight, classes)
    least_squares = make_problem(design, np.ascontiguousarray(y[:, 0]), sample_weight=sample_weight, **options)
    quadratic = least_squares.quadratic
    free = np.asarray(quadratic.penalty.l1_factor) == 0.0
    quadratic.refuse_unsquarable(free)
    squares = quadratic.moments().centered_sq_norm
    n_free = y.shape[1] * int(np.count_nonzero(free & (squares > 0.0)))
    if n_free > MAX_UNPENALIZED:
        raise ValueError(
            f"penalty_factor holds 0 (or standardize=True meets constant columns) for {n_free // y.shape[1]} columns;"
            f" of {y.shape[1]} classes loss='multinomial' can certify {MAX_UNPENALIZED // y.shape[1]}: use small"
            " factors."
        )
    return MultinomialProblem(
        least_squares.design,
        np.ascontiguousarray(y.T),
        sample_weight,
        None if offset is None else np.ascontiguousarray(offset.T),
        fit_intercept,
        quadratic.penalty,
        squares,
        quadratic.shift,
        classes,
        quadratic.seen_by_columns(np.flatnonzero(free & (squares > 0.0))),
    )

"""Strengths one after the other, each from the coefficients of the last, with bounds in place of passes. Knows no
estimators.

From one strength to the next the solver keeps its working set, the Gram matrix of it, and a bound on the gradient of
every other column (`screening`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import displacement_sums
from sparsereg.objective.certificate import dual_ratio
from sparsereg.objective.quadratic import MAX_UNPENALIZED, Quadratic
from sparsereg.rows.contract import NO_COLUMNS, Coefficients
from sparsereg.solvers.ahead import LooksAhead
from sparsereg.solvers.between import DualPoint, can_interpolate, solve_between
from sparsereg.solvers.gap_rounding import EPS, HIDDEN, gap_by_a_pass, hidden_by_rounding
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.loop import (
    GAP_ROUNDING,
    NEAR,
    Certificate,
    Options,
    Solution,
    WorkingSetGap,
    WorkingSetLoop,
)
from sparsereg.solvers.prox_gradient import ProxGradient, ProxGradientOnResidual
from sparsereg.solvers.residual_cd import ResidualCD
from sparsereg.solvers.screening import EliminatedColumns, NoScreening, Screening, evaluate
from sparsereg.solvers.working_set import MAX_PRODUCTS, WorkingSet

__all__ = ["PathSolver"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# In one round at most so many columns are added, and twice the active ones: at a cold start most that are over their
# threshold no longer are once the first ones are in.
MIN_ADDED = 10
# Where a round is dear, columns over this share of their threshold are added, as many as there are: they would be next.
LOOK_AHEAD = 0.7
# Gradients whose bounds have grown by more than this share of the threshold do not tell what will be over it.
STALE = 1.0
# Bounds are kept in single precision, rounded up: at alpha_max the first column is over its threshold by less than this
# and its coefficient is 0.
BOUND_ROUNDING = 1e-6
# Columns added between two looks at the size of the Gram matrix, at least, and of those in the working set one for so
# many.
GRAM_BATCH = 256
MEMBERS_PER_ADDED = 8
# A Gram matrix is given up when an epoch on it reads more entries than one on the residual and SMALL_GRAM (an entry
# takes the same time on either, projections a fifth on the Gram matrix), or when it takes more than half of what X
# takes in double with 32-bit indices, and more than FREE_GRAM bytes.
SMALL_GRAM = 500_000
GRAM_BYTES_PER_ENTRY = 6
FREE_GRAM = 48_000_000
# Once a strength took more Newton steps than these, and so many for each active column at its end, columns enter a few
# at a time from then on: most of the steps took out, one by one, columns that ten epochs had brought in.
MANY_STEPS = 20
STEPS_PER_ACTIVE = 3
# What goes on, in its way, without a Gram matrix.
ON_RESIDUAL: dict[type[WorkingSet], type[ResidualCD]] = {GramCD: ResidualCD, ProxGradient: ProxGradientOnResidual}


class PathSolver(LooksAhead, WorkingSetLoop):
    """Solves one quadratic objective at any sequence of strengths.

    Parameters
    ----------
    quadratic : Quadratic
    l1_ratio : float
    options : Options
    c : float64 array of shape (n_cols,), optional
        The gradient at w = 0 where it is known.
    eliminated_length : int
        Stored entries of the longest column of ones that the prefilter eliminated; 0 where none was.
    """

    def __init__(
        self,
        quadratic: Quadratic,
        l1_ratio: float,
        options: Options,
        c: Vector | None = None,
        eliminated_length: int = 0,
    ) -> None:
        super().__init__(quadratic, l1_ratio, options, _working_set(quadratic, options.method))
        self._alpha = np.inf
        self._measured, self._extent = 0, (np.inf, 0.0)  # columns of the working set, the shortest and the longest
        self.eliminated_length, self._residual_max_abs = eliminated_length, np.inf
        self._residual_at: tuple[Vector, float] | None = None  # coefficients, and `max |r|` there
        self._foresees = not (quadratic.rows.round_is_costly or quadratic.rows.is_dense)
        c = self.working_set.gradient_of(None) if c is None else c
        self.working_set.know(c)
        self.working_set.cache_rows(c)
        self.screening = Screening(quadratic, c) if quadratic.penalty.kernel is not None else NoScreening(quadratic, c)
        self._add_unpenalized()
        self._set_reference(self.working_set.gradient())

    def _add_unpenalized(self) -> None:
        """Columns of penalty factor 0 are in the working set from the start; the rest is screened from their least
        squares."""
        factor = self.screening.factor
        if factor is None or not (factor == 0.0).any():
            return
        free = factor == 0.0
        cols = self.screening.kept(np.flatnonzero(free))
        self.screening.drop(np.flatnonzero(free))
        self._add(cols)
        if cols.size <= MAX_UNPENALIZED and not self.quadratic.penalty.positive:
            self.working_set.set_w(self.quadratic.unpenalized_least_squares(cols, self.working_set.gradient())[0])
        self._descend(GAP_ROUNDING * self.quadratic.null_deviance, self.options.max_iter)
        self.screening.record_all(self.working_set.gradient_of(None))

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0. Only before the first `solve`."""
        top = self.screening.top
        if self._eliminated_bound(top) > top:
            raise EliminatedColumns
        with np.errstate(over="ignore"):
            return top / (self.quadratic.weight_sum * self.l1_ratio)

    def start_from(self, coef: Coefficients) -> None:
        """Go on from given coefficients, instead of 0 or the last ones."""
        new = np.setdiff1d(coef.cols, self.working_set.cols)
        self._add(self.screening.kept(new))
        w = dict(zip(coef.cols.tolist(), coef.w.tolist(), strict=True))
        self.working_set.set_w(np.array([w.get(j, 0.0) for j in self.working_set.cols.tolist()]))
        self._displace(self.working_set.gradient())
        if new.size and not self.quadratic.rows.round_is_costly:
            self.screening.record_all(self.working_set.gradient_of(None))

    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs.

        Raises
        ------
        EliminatedColumns
            The coefficients reached so far are kept; see `PrefilteredSolver`.
        """
        return self._solve(alpha, self.options.tol, self.options.max_iter)

    @property
    def _gap_scale(self) -> float:
        return self.quadratic.gap_scale

    def _interpolates(self) -> bool:
        return can_interpolate(self)

    def _solve_between(self, first: DualPoint, last: DualPoint, alphas: Sequence[float]) -> list[Solution | None]:
        return solve_between(self, first, last, alphas)

    def _return_to(self, end: DualPoint) -> None:
        self.working_set.set_w(end.padded(self.working_set.m))

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """`solve`, and once certified on to a smaller `tol`, for about twice as many epochs again, which are not
        counted.

        It goes on with a Newton step on the support, which near the minimum is nearly all there is to do."""
        found, gap_scale = self.solve(alpha), self.quadratic.gap_scale
        if found.dual_gap > self.options.tol * gap_scale:
            return found
        limit = max(100, 2 * found.epochs)
        spent, _ = self._newton(min(MAX_PRODUCTS, limit))
        closer = self._solve(alpha, tol, limit - spent)
        good = max(found.dual_gap, max(tol, GAP_ROUNDING) * gap_scale)
        return (closer if closer.dual_gap <= good else found)._replace(epochs=found.epochs)

    def _solve(self, alpha: float, tol: float, max_iter: int) -> Solution:
        self._alpha = alpha
        self.working_set.set_strength(alpha, self.l1_ratio)
        self._threshold = self.quadratic.weight_sum * alpha * self.l1_ratio
        self._add_foreseen()
        self._extrapolate(alpha)
        before = self.products
        epochs, found = self._run(tol * self.quadratic.null_deviance, max_iter)
        coef, products = self.working_set.coefficients(), self.products - before
        self.enters |= products > MANY_STEPS + STEPS_PER_ACTIVE * coef.w.size
        if self._loses_digits(found.gap):
            dual = None if found.dual is None else self.working_set.coefficients(found.dual.w)
            gap = gap_by_a_pass(self.quadratic, coef, dual, alpha, self.l1_ratio)
            found, self._dual_point = found._replace(gap=gap), None
        return self._solution(coef, found, epochs, products)

    def _loses_digits(self, gap: float) -> bool:
        """Whether the rounding of the working set's gradients may hide more than a tenth of a gap."""
        ws, rows, most = self.working_set, self.quadratic.rows, HIDDEN * self.quadratic.null_deviance
        if not (ws.m and rows.in_memory and math.isfinite(gap)) or self.eliminated_length:
            return False
        lengths = ws.lengths()
        if self._measured != ws.m:
            new, self._measured = lengths[self._measured :], ws.m
            if not new.min(initial=1.0) > 0.0:
                new = new[new > 0.0]
            self._extent = (new.min(initial=self._extent[0]), new.max(initial=self._extent[1]))
        fit_bound, spread = float(lengths @ np.abs(ws.w)), self._extent[1] / self._extent[0]
        if ws.quadratic.penalty.is_uniform and ws.l1[0] > 0.0 and EPS * fit_bound**2 * (1.0 + spread) <= most:
            return False  # as `hidden_by_rounding` would say: soon known
        hidden = hidden_by_rounding(EPS * fit_bound * lengths, ws.w, ws.l1, ws.l2)
        return hidden > max(0.1 * gap, most)

    def _products_sum(self, coef: Coefficients) -> float:  # noqa: ARG002 - those of the working set
        return self.working_set.products_sum()

    # ---- certifying ----------------------------------------------------------------------------------------------

    def _set_reference(self, c: Vector) -> None:
        """Displacements of the residual are measured from here."""
        self._w_reference, self._c_reference = self.working_set.w.copy(), c

    def _displace(self, c: Vector) -> None:
        """Add the residual's displacement since the reference point to all bounds; make this point the reference."""
        distance2, distance1 = self._distance(c)
        self.screening.displace(distance2, distance1)
        self._residual_max_abs += distance1 * self.quadratic.rows.max_weight
        self._set_reference(c)

    def _distance(self, c: Vector) -> tuple[float, float]:
        """Upper bounds on the residual's displacement d since the reference: `|d|_2`, and `|d - mean|_max`.

        `|X step|^2 = step' (c_reference - c)`; a row holds at most `max_row_length` of the columns that moved."""
        ws, rows = self.working_set, self.quadratic.rows
        squared, rounding, largest, moved_sum = displacement_sums(
            ws.w, self._w_reference, c, self._c_reference, ws.c0, ws.max_abs, ws.sums, rows.max_row_length
        )
        largest += abs(moved_sum) / self.quadratic.weight_sum
        return math.sqrt(max(squared, 0.0) + 1e-14 * rounding), largest * (1 + 1e-12)

    def _certify(self, own: WorkingSetGap, target: float) -> Certificate:
        """The duality gap from bounds on the other columns. Where those leave it over the target, the gradients of the
        columns whose bound passes the threshold are evaluated, and those over it, or nearly, are to be added."""
        threshold = self._threshold
        self._displace(own.c)
        dual_shift = math.sqrt(own.squared_shift)
        candidates, worst, others = self.screening.above(threshold, dual_shift)
        eliminated = self._eliminated_bound(threshold)
        others = max(others, eliminated)
        outside = dual_ratio(max(worst, others), threshold)
        gap = own(outside)
        if gap > target and eliminated > threshold:
            raise EliminatedColumns
        self._dual_point = DualPoint(self._alpha, self._w_reference, outside)
        if gap <= target or not candidates.size:
            return Certificate(gap, own.squared_residual, NO_COLUMNS)
        if self.quadratic.rows.round_is_costly:
            return self._look_ahead(own, target, eliminated)
        near, magnitude, worst = evaluate(
            self.screening, candidates, self.working_set.gradient_of, NEAR * threshold, dual_shift
        )
        self._dual_point = self._dual_point._replace(outside=dual_ratio(max(worst, others), threshold))
        gap = own(self._dual_point.outside)
        if gap <= target and self._foresees:
            return Certificate(gap, own.squared_residual, self._over(near, magnitude, others))
        return Certificate(gap, own.squared_residual, self._to_add(near, magnitude))

    def _over(self, cols: Int, magnitude: Vector, others: float) -> Int:
        """Once certified, those of `cols` that are over their threshold: they join at the next strength; for lines from
        here, which they would stand in the way of, at once. `others`: the largest bound on further columns."""
        over = cols[magnitude > self._threshold]
        if not (self.looks_ahead and self._interpolates()) or not over.size or over.size > self._most_added():
            return NO_COLUMNS
        self._dual_point = self._dual_point._replace(outside=max(dual_ratio(others, self._threshold), 1.0))
        return over

    def _most_added(self) -> int:
        return MIN_ADDED + 2 * int(np.count_nonzero(self.working_set.w))

    def _to_add(self, cols: Int, magnitude: Vector) -> Int:
        """The nearest of `cols`, in a number that suits the working set."""
        ws = self.working_set
        new = self._nearest(cols, magnitude, self._threshold, self._most_added())
        if new.size and not ws.m:
            first = self.screening.kept(ws.best_first())
            new = np.concatenate([first, np.setdiff1d(new, first)])
        return new

    def _add_foreseen(self) -> None:
        """Columns that were over the present threshold when they were last evaluated join before the descent; and those
        nearly over it, if the last strength took more than one round.

        Where bounds have grown much since, they are evaluated again first. Not on dense X, where of correlated columns
        most that are over their threshold no longer are once the first are in."""
        ws, screening, threshold = self.working_set, self.screening, self._threshold
        if threshold == 0.0 or not self._foresees:
            return
        share = NEAR if self._many_rounds else 1.0 + BOUND_ROUNDING
        cols, magnitude, widest = screening.last_above(share * threshold)
        if not cols.size:
            return
        if ws.m != self._w_reference.size or not (ws.w == self._w_reference).all():  # the last dual point was another
            self._displace(ws.gradient())
        if widest > STALE:
            magnitude, _ = screening.record(cols, ws.gradient_of(cols))
        self._add(self._to_add(cols, magnitude))

    def _look_ahead(self, own: WorkingSetGap, target: float, eliminated: float) -> Certificate:
        """The gap from the gradients of all columns; where some are over the threshold, what to add so that the next
        strengths will need no more: gradients cost no round then, and columns do."""
        dual_shift, threshold = math.sqrt(own.squared_shift), self._threshold
        outside = self.screening.kept(np.arange(self.quadratic.rows.n_cols))
        magnitude, worst = self.screening.record(outside, self.working_set.gradient_of(outside), dual_shift)
        gap = own(dual_ratio(max(worst, eliminated), threshold))
        enter = gap > target and worst > threshold
        new = outside[magnitude > LOOK_AHEAD * threshold] if enter else outside[:0]
        return Certificate(gap, own.squared_residual, new)

    def _eliminated_bound(self, threshold: float) -> float:
        """The largest possible gradient of an eliminated column: its length times a bound on `max |r|`.

        That grows by displacements. Where it is over the threshold it is taken anew from where `max |r|` was computed
        last, and where that is over it too, `max |r|` is computed."""
        length = self.eliminated_length
        if not length:
            return 0.0
        if length * self._residual_max_abs > threshold:
            self._residual_max_abs = min(self._residual_max_abs, self._residual_bound())
        if length * self._residual_max_abs > threshold:
            ws, quadratic = self.working_set, self.quadratic
            coef = Coefficients(ws.cols, ws.w.copy())
            self._residual_max_abs = quadratic.rows.residual_max_abs(coef, quadratic.base(ws.products_sum()))
            self._residual_at = coef.w, self._residual_max_abs
        return length * self._residual_max_abs

    def _residual_bound(self) -> float:
        """`max |r|` is at most what it was where it was computed last, at first at w = 0, and what the coefficients
        have moved a residual by since then."""
        ws, rows = self.working_set, self.quadratic.rows
        if self._residual_at is None:
            self._residual_at = np.empty(0), rows.residual_max_abs(None, self.quadratic.center)
        before, largest = self._residual_at
        if not ws.m:
            return largest
        padded, c0 = np.concatenate([before, np.zeros(ws.m - before.size)]), ws.c0
        _, _, moved, sums = displacement_sums(ws.w, padded, c0, c0, c0, ws.max_abs, ws.sums, rows.max_row_length)
        return (largest + rows.max_weight * (moved + abs(sums) / self.quadratic.weight_sum)) * (1 + 1e-12)

    # ---- adding --------------------------------------------------------------------------------------------------

    def _add(self, cols: Int) -> None:
        """A batch at a time, so that a Gram matrix that grows too large is given up in time."""
        size = max(GRAM_BATCH, self.working_set.m // MEMBERS_PER_ADDED)
        if self.quadratic.rows.round_is_costly:
            size = max(cols.size, 1)
        for begin in range(0, cols.size, size):
            batch = cols[begin : begin + size]
            self.working_set.add(batch)
            self.screening.drop(batch)
            if self._gram_is_too_large():
                self.working_set = _on_residual(self.working_set)
        if cols.size:
            self._set_reference(self.working_set.gradient())

    def _gram_is_too_large(self) -> bool:
        """When an epoch on the Gram matrix reads more than one on the residual, or the Gram matrix outgrows its budget.

        On the Gram matrix only coordinates that move are read, each a whole column; on the residual every column is
        read once, and those that move twice."""
        working_set, rows = self.working_set, self.quadratic.rows
        used, share = working_set.gram_entries, 1.0
        if used > SMALL_GRAM // 2:
            share = np.count_nonzero(working_set.w) / working_set.m
        epoch_on_residual = (1.0 + share) * working_set.nnz
        too_slow = used * share > epoch_on_residual + SMALL_GRAM
        too_large = working_set.gram_held > max(GRAM_BYTES_PER_ENTRY * rows.nnz, FREE_GRAM)
        return rows.in_memory and used > 0 and bool(too_slow or too_large)


def _working_set(quadratic: Quadratic, method: str) -> WorkingSet:
    by_coordinates = method != "prox_gradient" and quadratic.penalty.kernel is not None
    return GramCD(quadratic) if by_coordinates else ProxGradient(quadratic)


def _on_residual(old: WorkingSet) -> ResidualCD:
    """The same columns and coefficients, without a Gram matrix."""
    new = ON_RESIDUAL[type(old)](old.quadratic)
    new.add(old.cols, old.c0)
    new.set_strength(old.scale / old.quadratic.weight_sum, old.l1_ratio)
    new.set_w(old.w)
    return new

"""Any smooth loss along a path, by Newton steps on the working set that share one Gram matrix. Knows no estimators.

At one strength: coordinate descent on the model of the loss (`curvature_cd`) until the working set's share of the
model's gap is small; one step there, safeguarded; the duality gap of the loss itself, with bounds for the columns
outside (`screening`); columns join. The weights of the model are renewed where steps make slow progress.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.certificate import combine_gap
from sparsereg.objective.problem import Problem
from sparsereg.penalties import GapTerms
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.units import At, GroupUnits, RowUnits, Units, groups_suit
from sparsereg.solvers.curvature_cd import CurvatureCD
from sparsereg.solvers.loop import Certificate, Descent, Options, Solution, WorkingSetGap
from sparsereg.solvers.path_solver import MIN_ADDED, SMALL_GRAM, EliminatedColumns
from sparsereg.solvers.screening import Screening

__all__ = ["GramTooLarge", "NewtonPath"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# The working set's own gap is brought to this share of the target before the others are looked at.
MEMBER_SHARE = 0.7
# The weights of the model are renewed after a strength that took more steps, and at every second one beyond.
STEPS_BEFORE_WEIGHING = 3
# A step moves no predictor by more: beyond, a model to second order says nothing.
MAX_MOVE = 5.0
MAX_HALVINGS = 40
# An increase of the objective by this share of the target is rounding.
ROUNDING_SHARE = 1e-4
ARMIJO = 1e-4
# Unpenalized columns are in the certificate once their gradients are this share of what they can be.
ORTHOGONAL = 1e-11
MAX_PROJECTIONS = 30


class GramTooLarge(Exception):
    """The Gram matrix of the working set outgrew X: another solver must go on."""

    epochs = 0  # spent before


@dataclass(frozen=True)
class PointGap:
    """The working set's part of the certificate of the loss: `gap(outside)` as `combine_gap`.

    Attributes
    ----------
    fenchel_gap : callable
        The loss's part at the dual point scaled by t.
    dual_shift : float
        How far the dual point is from the residual, in the 2-norm weighted by s.
    """

    terms: GapTerms
    fenchel_gap: Callable[[float], float]
    dual_shift: float = 0.0

    def __call__(self, outside: float) -> float:
        if not np.isfinite(self.dual_shift):
            return np.inf
        own = self.fenchel_gap(1.0) if self.dual_shift else 0.0
        return combine_gap(self.terms, lambda t: self.fenchel_gap(t) - own, outside) + own


class NewtonPath(Descent):
    """Solves one problem, with any loss and a penalty that has a kernel, at any sequence of strengths.

    Parameters
    ----------
    problem : Problem
    l1_ratio : float
    options : Options
    c : float64 array of shape (n_cols,), optional
        The gradient at w = 0 where it is known.
    """

    working_set: CurvatureCD

    def __init__(self, problem: Problem, l1_ratio: float, options: Options, c: Vector | None = None) -> None:
        self.problem = problem
        rows = problem.loss_rows
        b0 = rows.loss.null_predictor(rows.rows.y, rows.rows.s, rows.offset) if rows.fit_intercept else 0.0
        units: Units = GroupUnits(rows, b0) if groups_suit(rows) else self._row_units(np.empty(0, dtype=np.int64), b0)
        ws = CurvatureCD(problem, units)
        super().__init__(ws.quadratic, l1_ratio, options, ws)
        self._projects = False
        self._value_at_zero = units.value(units.at)
        self._steps = 0
        self.screening = Screening(problem.quadratic, units.gradients(None) if c is None else c)
        ws.linearize(np.empty(0))

    def _row_units(self, cols: Int, b0: float, eta: Vector | None = None) -> RowUnits:
        rows = self.problem.loss_rows
        if eta is None:
            eta = np.full(rows.rows.n_rows, b0) + (0.0 if rows.offset is None else rows.offset)
        return RowUnits(rows, cols, eta, b0)

    @property
    def units(self) -> Units:
        return self.working_set.units

    def coefficients(self) -> Coefficients:
        """The non-zero ones at the present point."""
        return Coefficients(self.working_set.cols, self.working_set.at).nonzero()

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0. Only before the first `solve`."""
        top = self.screening.top
        if self._eliminated_bound() > top:
            raise EliminatedColumns
        return top / (self.problem.weight_sum * self.l1_ratio)

    def start_from(self, coef: Coefficients) -> None:
        """Begin at given coefficients instead of 0."""
        ws, coef = self.working_set, coef.nonzero()
        new = self.screening.kept(np.setdiff1d(coef.cols, ws.cols))
        self._add(new, self.units.gradients(new))
        w = dict(zip(coef.cols.tolist(), coef.w.tolist(), strict=True))
        ws.w = np.array([w.get(j, 0.0) for j in ws.cols.tolist()])
        step, _ = self.units.predictor_step(ws.w - ws.at, 0.0)
        self._accept(self.units.try_at(self.units.at.eta + step), ws.w, 0.0)
        ws.weigh()

    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        return self._solve(alpha, self.options.tol)

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """`solve`, and on to a smaller `tol` in epochs that are not counted."""
        found = self._solve(alpha, self.options.tol)
        closer = self._solve(alpha, tol)
        return replace(closer if closer.dual_gap <= found.dual_gap else found, epochs=found.epochs)

    def _solve(self, alpha: float, tol: float) -> Solution:
        ws, limit = self.working_set, self.options.max_iter
        ws.set_strength(alpha, self.l1_ratio)
        self._threshold = ws.scale * self.l1_ratio
        target = tol * self.problem.null_loss
        if self._steps > STEPS_BEFORE_WEIGHING:
            ws.weigh()
        self._steps, epochs, inner = 0, 0, target
        while True:
            moved = False
            if ws.m:
                done, moved = self._newton_step(inner, max(limit - epochs, 1))
                epochs += done
            own = self._point_gap()
            if own(0.0) > MEMBER_SHARE * target and moved and epochs < limit:
                continue
            found, c = self._certify_point(own, target)
            if found.gap <= target or epochs >= limit or not (moved or found.new.size):
                return self._solution_at(found.gap, epochs)
            if found.new.size:
                self._add(found.new, c)
            else:
                inner *= 0.3

    # ---- Newton steps --------------------------------------------------------------------------------------------

    def _newton_step(self, target: float, max_epochs: int) -> tuple[int, bool]:
        """Descend on the model and take the step; returns the epochs, and whether anything moved."""
        ws = self.working_set
        self._steps += 1
        if self._steps > STEPS_BEFORE_WEIGHING and self._steps % 2 == 0:
            ws.weigh()
        self.quadratic = ws.quadratic
        done, _, _ = self._descend(target, max_epochs)
        moved = self._move(target)
        if not moved:  # in weights of an earlier point
            ws.weigh()
            self.quadratic = ws.quadratic
            more, _, _ = self._descend(target, max_epochs)
            done, moved = done + more, self._move(target)
        return max(done, 1), moved

    def _own_gap(self) -> WorkingSetGap:
        """Of the model, where unpenalized columns count by their own curvature."""
        ws = self.working_set
        c = ws.gradient()
        at, free = c, ws.unpenalized
        shift = 0.0
        if free.size:
            at = c.copy()
            shift = float(free.size * np.sum(c[free] ** 2 / np.maximum(ws.sq[free], 1e-300)))
            at[free] = 0.0
        terms = ws.quadratic.penalty.gap_terms(ws.w, at, ws.l1, ws.l2)
        return WorkingSetGap(terms, ws.squared_residual(c), shift, c)

    def _move(self, target: float) -> bool:
        """Go to the minimum of the model, or as far as the loss allows; returns whether that moved anything.

        With p(t) the loss along the step and |p'''| <= M p'', M the largest move of a predictor, `p(1) - p(0) <= k
        p'(1) + (1 - k) p'(0)` with `k = 1 / (1 - exp(-M)) - 1 / M`: slopes suffice, values need logarithms."""
        ws, units, penalty = self.working_set, self.units, self.quadratic.penalty
        delta = ws.w - ws.at
        if not delta.any():
            return False
        shift = -float(ws.sums @ delta) / ws.quadratic.weight_sum
        d_eta, largest = units.predictor_step(delta, shift)
        before, slope = penalty.value(ws.at, ws.l1, ws.l2), -float(ws.c @ delta)
        promise = slope + penalty.value(ws.w, ws.l1, ws.l2) - before
        t = min(1.0, MAX_MOVE / largest) if largest > 0.0 else 1.0
        for _ in range(MAX_HALVINGS):
            w = ws.w if t == 1.0 else ws.at + t * delta
            found = units.try_at(units.at.eta + (d_eta if t == 1.0 else t * d_eta))
            c = units.products(units.residual_sums(found))
            more = penalty.value(w, ws.l1, ws.l2) - before
            if self.problem.loss.self_concordant:
                move = t * largest + abs(found.shift)
                k = 1.0 / -np.expm1(-move) - 1.0 / move if move > 1e-3 else 0.5 + move / 12.0
                more += t * (-k * float(c @ delta) + (1.0 - k) * slope)
            else:
                more += units.value(found) - units.value(units.at)
            if more <= ARMIJO * t * min(promise, 0.0) + ROUNDING_SHARE * target:
                self._accept(found, w, t * shift, c)
                return True
            t *= 0.5
        ws.linearize(ws.c)
        return False

    def _accept(self, found: At, w: Vector, shift: float, c: Vector | None = None) -> None:
        ws, units = self.working_set, self.units
        units.at, ws.at = found, w.copy()
        units.intercept += shift + found.shift
        ws.linearize(units.products(units.residual_sums(found)) if c is None else c)

    # ---- the certificate -----------------------------------------------------------------------------------------

    def _point_gap(self) -> PointGap:
        """The working set's part of the duality gap of the loss at the present point."""
        ws, units, loss = self.working_set, self.units, self.problem.loss
        at, cache = units.at, list[float]()

        def squared() -> float:
            if not cache:
                cache.append(units.scaled_square(at))
                if np.isfinite(cache[0]):
                    ws.squared = cache[0]
            return cache[0]

        def fenchel_gap(t: float) -> float:
            if t == 1.0:
                return 0.0
            return 0.5 * (1.0 - t) ** 2 / t * squared() if loss.self_concordant else units.fenchel_gap(at, t)

        terms = ws.quadratic.penalty.gap_terms(ws.at, ws.c, ws.l1, ws.l2)
        return PointGap(terms, fenchel_gap)

    def _certify_point(self, own: PointGap, target: float) -> tuple[Certificate, Vector]:
        """The duality gap, from bounds on the columns outside or their gradients; columns to add, and their
        gradients."""
        threshold, none = self._threshold, np.empty(0, dtype=np.int64)
        self.screening.displace(*self.units.displacement())
        candidates, worst, others = self.screening.above(threshold, own.dual_shift)
        others = max(others, self._eliminated_bound())
        gap = own(_ratio(max(worst, others), threshold))
        if gap <= target or not candidates.size:
            self._refuse_eliminated(gap, target)
            return Certificate(gap, 0.0, none), np.empty(0)
        c = self.units.gradients(candidates)
        magnitude, worst = self.screening.record(candidates, c, own.dual_shift)
        gap = own(_ratio(max(worst, others), threshold))
        new = self._nearest(
            candidates, magnitude, threshold, MIN_ADDED + 2 * int(np.count_nonzero(self.working_set.at))
        )
        if not new.size:
            self._refuse_eliminated(gap, target)
        return Certificate(gap, 0.0, new), c[np.searchsorted(candidates, new)]

    def _refuse_eliminated(self, gap: float, target: float) -> None:
        if gap > target and self._eliminated_bound() > self._threshold:
            raise EliminatedColumns

    def _eliminated_bound(self) -> float:
        """The largest possible gradient of an eliminated column, by its entries."""
        length, rows = self.problem.design.eliminated_length, self.problem.rows
        if not length:
            return 0.0
        bound = 1.0 if self.problem.loss.name == "logistic" else self.units.residual_max_abs()
        return length * rows.max_weight * bound

    def _add(self, cols: Int, c: Vector) -> None:
        if not cols.size:
            return
        ws = self.working_set
        if not self.units.can_join(cols):
            units = self.units
            eta = units.predictors() if isinstance(units, GroupUnits) else units.at.eta
            ws.use(self._row_units(ws.cols, units.intercept, eta))
        ws.join(cols, c)
        self.screening.drop(cols)
        if ws.gram_entries > self.problem.rows.nnz + SMALL_GRAM:
            raise GramTooLarge

    def _solution_at(self, gap: float, epochs: int) -> Solution:
        units, problem, coef = self.units, self.problem, self.coefficients()
        deviance = 2.0 * (problem.null_loss + units.value(units.at) - self._value_at_zero)
        columns, b0 = problem.design.columns[coef.cols], problem.unshifted(coef, units.intercept)
        return Solution(coef, columns, b0, gap / problem.weight_sum, epochs, max(deviance, 0.0))


def _ratio(magnitude: float, threshold: float) -> float:
    """A dual magnitude over its threshold."""
    return magnitude / threshold if threshold > 0.0 else (np.inf if magnitude > 0.0 else 0.0)

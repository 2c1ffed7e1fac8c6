"""Any smooth loss along a path, by Newton steps on the working set that share one Gram matrix. Knows no estimators.

At one strength: coordinate descent on the model of the loss (`curvature_cd`) until the working set's share of the
model's gap is small; one step there, safeguarded; the duality gap of the loss itself, with bounds for the columns
outside (`screening`); columns join. The weights of the model are renewed where steps make slow progress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.loss_dual import ORTHOGONAL
from sparsereg.objective.problem import Problem
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.units import MIN_CURVATURE, At
from sparsereg.solvers.ahead import LooksAhead
from sparsereg.solvers.closeness import FAR, Closeness
from sparsereg.solvers.curvature_cd import CurvatureCD
from sparsereg.solvers.loop import ARMIJO, MAX_HALVINGS, Options, Solution, WorkingSetGap
from sparsereg.solvers.loss_between import LossDualPoint, can_interpolate, solve_between
from sparsereg.solvers.loss_columns import NONE, LossColumns
from sparsereg.solvers.loss_working_set import first_working_set
from sparsereg.solvers.model_error import ModelError
from sparsereg.solvers.point_gap import PointGap, point_gap, projected_point_gap
from sparsereg.solvers.screening import EliminatedColumns
from sparsereg.solvers.working_set import padded

__all__ = ["NewtonPath"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# The weights of the model are renewed at every second step beyond so many at one strength, and before the next strength
# where steps beyond have followed since.
STEPS_BEFORE_WEIGHING = 3
# After so many at one strength small weights are renewed too; where columns are unpenalized, always.
STEPS_ROUGHLY = 30
# From then on rows whose small curvature was raised, which hold back others of small weight, are raised by less each
# time, while whole steps are taken, but to no less than this share.
LESS, LEAST_CURVATURE = 0.1, 1e-10
# The model of the k-th step at a strength is descended on for k times so many epochs at most. Far from the solution it
# says little of the loss, and where nested columns meet a weak penalty its minimum is thousands of epochs away.
MODEL_EPOCHS = 300
# A step at first moves no predictor by more, and by twice as much after each that went so far and lowered the objective
# by more than rounding: beyond, a model to second order says nothing.
MAX_MOVE = 5.0
# After so many steps that stall (see `Closeness`) a gap by full passes is all that helps, where columns are
# unpenalized.
MAX_STALLS = 100
# Where so many epochs do not suffice at a strength below this share of the last one, it is solved by way of strengths
# between, so many a decade: models say little so far from the solution, and their minima have hundreds of columns that
# it has not.
JUMP_EPOCHS, JUMP, BETWEEN_PER_DECADE = 2000, 0.5, 4
# An increase of the objective by this share of the target is rounding.
ROUNDING_SHARE = 1e-4
# The intercept is best when that costs no more than this share of the target.
INTERCEPT_SHARE = 1e-2
# The fit of unpenalized columns that others are screened from: gradients of this share of what they can be.
FIRST_FIT = 1e-7
MAX_FIRST_STEPS = 100


class NewtonPath(LooksAhead, LossColumns):
    """Solves one problem, with any loss and a penalty that has a kernel, at any sequence of strengths.

    Parameters
    ----------
    problem : Problem
    l1_ratio : float
    options : Options
    c : float64 array of shape (n_cols,), optional
        The gradient at w = 0 where it is known.
    """

    def __init__(self, problem: Problem, l1_ratio: float, options: Options, c: Vector | None = None) -> None:
        ws = first_working_set(problem, problem.loss_rows.null_model()[0])
        super().__init__(problem, l1_ratio, options, ws, c)
        self._value_at_zero = ws.units.value()
        self._steps, self._reach = 0, MAX_MOVE
        self._closeness: Closeness | None = None  # at the last strength
        self._slow = False  # whether weights of an earlier point made a strength take many steps
        self._decrease, self._whole = 0.0, True  # of the objective, by the last step, and whether it was not halved
        self._model_error = ModelError()
        ws.linearize(np.empty(0))
        self._projects = False
        self._add_unpenalized()
        self._projects = options.projects and not self.working_set.unpenalized.size

    def _add_unpenalized(self) -> None:
        """Columns of penalty factor 0 are in the working set from the start; the rest is screened from their fit."""
        factor = self.screening.factor
        if factor is None or not (factor == 0.0).any():
            return
        free = np.flatnonzero(factor == 0.0)
        cols = self.screening.kept(free)
        self.screening.drop(free)
        self._add(cols, self.units.gradients(cols))
        target = FIRST_FIT * self.problem.null_loss
        most = np.sqrt(self.problem.rows.moments(cols)[1] * 2.0 * self.problem.null_loss)
        for _ in range(MAX_FIRST_STEPS if cols.size else 0):
            ws = self.working_set
            if not self._newton_step(target, self.options.max_iter)[1]:
                break
            least = np.maximum(FIRST_FIT * np.sqrt(ws.sq * ws.squared), ORTHOGONAL * most)
            if (np.abs(self.problem.penalty.unsettled(ws.at, ws.c)) <= least).all():
                break
        self.units.displacement()
        self.screening.record_all(self.units.gradients(None))

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
        self._go_to(ws.w)
        ws.weigh()

    def _go_to(self, w: Vector) -> None:
        """To other coefficients of the working set, the intercept at its best."""
        step, _ = self.units.predictor_step(w - self.working_set.at, 0.0)
        self._accept(self.units.try_step(step, 1.0), w, (step, 1.0, 0.0))

    @property
    def _gap_scale(self) -> float:
        return self.problem.gap_scale

    def _interpolates(self) -> bool:
        return can_interpolate(self)

    def _solve_between(
        self, first: LossDualPoint, last: LossDualPoint, alphas: Sequence[float]
    ) -> list[Solution | None]:
        return solve_between(self, first, last, alphas)

    def _return_to(self, end: LossDualPoint) -> None:
        self._go_to(end.padded(self.working_set.m))

    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        return self._solve_by_stronger(alpha, self.options.tol)

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """`solve`, and on to a smaller `tol` in epochs that are not counted."""
        found = self._solve_by_stronger(alpha, self.options.tol)
        closer = self._solve(alpha, tol, self.options.max_iter)
        return (closer if closer.dual_gap <= found.dual_gap else found)._replace(epochs=found.epochs)

    def _solve_by_stronger(self, alpha: float, tol: float) -> Solution:
        """At once, or where that takes many epochs far from the last strength, by way of stronger ones."""
        last, start, limit = self._model_error.alpha, self.working_set.at, self.options.max_iter
        first = min(limit, JUMP_EPOCHS) if 0.0 < alpha < JUMP * last < np.inf else limit
        found = self._solve(alpha, tol, first)
        epochs = found.epochs
        if first == limit or epochs < first or found.dual_gap <= tol * self.problem.gap_scale:
            return found
        self._go_to(padded(start, self.working_set.m))
        between = 1 + int(BETWEEN_PER_DECADE * np.log10(last / alpha))
        for strength in np.geomspace(last, alpha, 1 + between)[1:-1].tolist():
            epochs += self._solve(strength, tol, max(limit - epochs, 1)).epochs
        found = self._solve(alpha, tol, max(limit - epochs, 1))
        return found._replace(epochs=epochs + found.epochs)

    def _solve(self, alpha: float, tol: float, limit: int) -> Solution:
        target, looks = tol * self.problem.null_loss, self._many_rounds
        self._begin(alpha, target)
        ws, closeness = self.working_set, Closeness(target, self._model_error.ratio, self._closeness)
        self._closeness = closeness
        closeness.begin_round(point_gap(self.problem, ws)(0.0) if ws.m else 0.0)
        epochs, patience = 0, MAX_STALLS if ws.unpenalized.size else limit
        while True:
            moved, ws = False, self.working_set
            if ws.m:
                most = max(min(limit - epochs, MODEL_EPOCHS * (self._steps + 1)), 1)
                done, moved = self._newton_step(closeness.of_model(ws.gram_entries == 0), most)
                epochs += done
            own, violated = point_gap(self.problem, ws), NONE
            if looks and moved and epochs < limit and own(0.0) > closeness.enough:
                own, violated = self._after_first_step(own, target, closeness)
                looks, ws = False, self.working_set
            if self._projects and ws.epoch_is_costly and own(0.0) > closeness.enough:  # a step is dearer
                own = projected_point_gap(self.problem, ws, own, target, closeness.enough)
            present = own(0.0)
            if present > closeness.enough and moved and epochs < limit and closeness.stalls < patience:
                closeness.step_taken(present, self._decrease)
                if violated[0].size:
                    self._begin_round(*violated, closeness)
                continue
            found, c = self._certify_point(own, target)
            if found.gap <= target and own.separated():
                found = found._replace(gap=self._full_gap(alpha))
                closeness.stalls += found.gap > target
            moved = moved or bool(ws.m and closeness.tightened())
            stuck = epochs >= limit or closeness.stalls >= patience or not moved
            if found.gap <= target or (stuck and not found.new.size) or epochs >= limit:
                at = self.units.at
                self._dual_point = LossDualPoint(
                    alpha, ws.at, self.units.intercept, self._outside, at.correction, own.dual
                )
                return self._solution_at(self._best_gap(found.gap, alpha, own, target), epochs, own.dual)
            if found.new.size:
                self._begin_round(found.new, c, closeness)
            else:
                closeness.nothing_joined(present)

    def _begin(self, alpha: float, target: float) -> None:
        """The model at this strength: of the columns foreseen, where it is expected to lead, and where epochs are dear
        on the line through the last two solutions."""
        self.working_set.set_strength(alpha, self.l1_ratio)
        self._threshold = self.working_set.scale * self.l1_ratio
        self.units.accuracy = INTERCEPT_SHARE * target
        self._model_error.begin(alpha)
        self.units.roughly = self._model_error.ratio < FAR
        self._add_foreseen()
        if self._slow:
            self._weigh()
        ws = self.working_set
        beyond = self._model_error.expected(ws.m)
        if beyond is not None and isinstance(ws, CurvatureCD):
            ws.linearize(ws.c, beyond, ws.product)
        self.quadratic = ws.quadratic
        if self.problem.loss.self_concordant and self._projects:  # models of other losses lead astray from there
            self._extrapolate(alpha)
        self._steps, self._many_rounds = 0, False

    def _after_first_step(
        self, own: PointGap, target: float, closeness: Closeness
    ) -> tuple[PointGap, tuple[Int, Vector]]:
        """The working set's gap, and columns over the threshold that are to join if that does not suffice; where
        scaling the dual point because of them would cost too much, they have joined, for projections to go on from."""
        violated, costly = self._violated(own, target)
        if not costly:
            return own, violated
        self._begin_round(*violated, closeness)
        return point_gap(self.problem, self.working_set), NONE

    def _begin_round(self, cols: Int, c: Vector, closeness: Closeness) -> None:
        """With more columns, of gradients c, than the strength began with."""
        self._many_rounds = True
        self._add(cols, c)
        closeness.begin_round(point_gap(self.problem, self.working_set)(0.0))

    def _best_gap(self, gap: float, alpha: float, own: PointGap, target: float) -> float:
        """The gap of `S F`, by full passes where that of the working set does not suffice and columns are
        unpenalized: those find dual points on the boundary of the conjugate's domain too."""
        if gap <= target or not self.working_set.unpenalized.size:
            return gap
        full = self._full_gap(alpha)
        return full if own.separated() else min(gap, full)

    def _full_gap(self, alpha: float) -> float:
        """Of `S F`, by full passes."""
        return self.problem.duality_gap(self.coefficients(), alpha, self.l1_ratio) * self.problem.weight_sum

    # ---- Newton steps --------------------------------------------------------------------------------------------

    def _newton_step(self, target: float, max_epochs: int) -> tuple[int, bool]:
        """Descend on the model and take the step; returns the epochs, and whether anything moved."""
        ws = self.working_set
        self._steps += 1
        self._slow |= self._steps > STEPS_BEFORE_WEIGHING
        if self._slow and self._steps % 2 == 0:
            self._weigh()
        self.quadratic = ws.quadratic
        done, _, _ = self._descend(target, max_epochs)
        moved = self._move(target)
        if not moved:  # in weights of an earlier point
            self.units.closely = True
            ws.weigh()
            self._model_error.forget()
            self.quadratic = ws.quadratic
            more, _, _ = self._descend(target, max_epochs)
            done, moved = done + more, self._move(target)
        return max(done, 1), moved

    def _weigh(self) -> None:
        units, lower = self.units, self._whole and self._steps > STEPS_ROUGHLY
        units.least_curvature = max(LESS * units.least_curvature, LEAST_CURVATURE) if lower else MIN_CURVATURE
        units.closely = self._steps > STEPS_ROUGHLY or bool(self.working_set.unpenalized.size)
        self.working_set.weigh()
        self._slow = False
        self._model_error.forget()

    def _own_gap(self, c: Vector | None = None) -> WorkingSetGap:
        """Of the model, where unpenalized columns count by their own curvature."""
        ws = self.working_set
        c = ws.gradient() if c is None else c
        at, free = c, ws.unpenalized
        shift = 0.0
        if free.size:
            at = c.copy()
            left = ws.quadratic.penalty.unsettled(ws.w[free], c[free])
            shift = float(free.size * np.sum(left**2 / np.maximum(ws.sq[free], 1e-300)))
            at[free] = 0.0
        terms = ws.quadratic.penalty.gap_terms(ws.w, at, ws.l1, ws.l2)
        return WorkingSetGap(terms, ws.squared_residual(c), shift, c)

    def _move(self, target: float) -> bool:
        """Go to the minimum of the model, or as far as the loss allows; returns whether that moved anything.

        With p(t) the loss along the step and |p'''| <= M p'', M the largest move of a predictor, `p(1) - p(0) <= k
        p'(1) + (1 - k) p'(0)` with `k = 1 / (1 - exp(-M)) - 1 / M`: slopes suffice, values need logarithms."""
        ws, units, penalty = self.working_set, self.units, self.quadratic.penalty
        ws.w = ws.without_rounding()
        delta = ws.w - ws.at
        if not delta.any():
            return False
        shift = -float(ws.sums @ delta) / ws.quadratic.weight_sum
        d_eta, largest = units.predictor_step(delta, shift)
        before, slope = penalty.value(ws.at, ws.l1, ws.l2), -float(ws.c @ delta)
        promise = slope + penalty.value(ws.w, ws.l1, ws.l2) - before
        t = min(1.0, self._reach / largest) if largest > 0.0 else 1.0
        limited = t < 1.0
        for _ in range(MAX_HALVINGS):
            w = ws.w if t == 1.0 else ws.at + t * delta
            found = units.try_step(d_eta, t)
            c = units.residual_products(found)
            more = penalty.value(w, ws.l1, ws.l2) - before
            if self.problem.loss.self_concordant:
                move = t * largest + abs(found.shift)
                k = 1.0 / -np.expm1(-move) - 1.0 / move if move > 1e-3 else 0.5 + move / 12.0
                more += t * (-k * float(c @ delta) + (1.0 - k) * slope)
            else:
                more += units.value(d_eta, t, found.shift) - units.value()
            if more <= ARMIJO * t * min(promise, 0.0) + ROUNDING_SHARE * target:
                product = None
                if isinstance(ws, CurvatureCD):
                    foretold = ws.gradient()
                    self._model_error.learn(c, foretold, t == 1.0)
                    product = ws.c0 - foretold if t == 1.0 else None
                self._accept(found, w, (d_eta, t, shift), c, product)
                self._decrease, self._whole = -more, t == 1.0
                if limited and -more > ROUNDING_SHARE * target:
                    self._reach *= 2.0
                return True
            t, limited = 0.5 * t, False
            self._reach = max(MAX_MOVE, t * largest)
        ws.linearize(ws.c)
        return False

    def _accept(
        self,
        found: At,
        w: Vector,
        step: tuple[Vector, float, float],
        c: Vector | None = None,
        product: Vector | None = None,
    ) -> None:
        """`step`: of the predictors, how much of it, and what it moved the intercept by as a whole; `product`: as of
        `linearize`, with the gradients c."""
        ws, units = self.working_set, self.units
        units.settle(found, *step[:2])
        self._known.forget()
        ws.at, ws.squared = w.copy(), found.squared if 0.0 < found.squared < np.inf else ws.squared
        units.intercept += step[1] * step[2] + found.shift
        c = units.residual_products(found) if c is None else c
        if isinstance(ws, CurvatureCD):
            ws.linearize(c, product=product)
        else:
            ws.linearize(c)

    # ---- what is returned ----------------------------------------------------------------------------------------

    def _solution_at(self, gap: float, epochs: int, dual: Vector | None) -> Solution:
        at = None if dual is None else Coefficients(self.working_set.cols[: dual.size], dual).nonzero()
        units = self.units
        # A gap by full passes is that of the intercept at its best.
        settles = not self.options.projects or self.working_set.unpenalized.size > 0
        b0 = units.settled_intercept() if settles else units.intercept
        found = self.solution(self.coefficients(), b0, gap, units.value)
        return found._replace(epochs=epochs, dual=at)

    def solution(self, coef: Coefficients, intercept: float, gap: float, value: Callable[[], float]) -> Solution:
        """At these coefficients, whose gap of `S F` is known; `value` as `Units.value` there."""
        problem, deviance = self.problem, np.nan
        if self.options.deviances:
            above = problem.null_loss + value() - self._value_at_zero
            deviance = max(2.0 * above, 0.0)
        columns, b0 = problem.design.columns[coef.cols], problem.unshifted(coef, intercept)
        return Solution(coef, columns, b0, gap / problem.weight_sum, 0, deviance)

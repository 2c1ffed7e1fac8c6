"""Any smooth loss along a path over rows in parts, by Newton steps: about one round a strength. Knows no machines.

A round asks for all that the next step and its certificate need: the loss, the gradients of all columns, and the
curvature-weighted Gram matrix of the working set, which is chosen anew for each round: the columns that are not 0, and
those that come near their threshold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.certificate import dual_ratio
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.gram import whole_gram
from sparsereg.rows.partitioned_loss import RowsPoint
from sparsereg.solvers.curvature_cd import ModelCD
from sparsereg.solvers.loop import ARMIJO, MAX_HALVINGS, Descent, Options, Solution, WorkingSetGap
from sparsereg.solvers.path_solver import LOOK_AHEAD
from sparsereg.solvers.point_gap import PointGap
from sparsereg.solvers.rows_problem import RowsProblem
from sparsereg.solvers.screening import EliminatedColumns, Screening

__all__ = ["RowsNewton"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# The gap of the model is brought to this share of the target: epochs cost no round.
MODEL_SHARE = 0.05
# A strength is approached by steps of at most this factor: beyond, too many columns would be over their threshold.
APPROACH = 0.5
# For a tolerance this small gaps are brought to this share of it, which takes hardly any rounds: steps square them.
SMALL_TOL, BELOW_SMALL_TOL = 1e-8, 0.01
# An increase of the objective by this share of the target, or of the loss, is rounding.
ROUNDING_SHARE, ROUNDING = 1e-4, 1e-14


class RowsNewton(Descent):
    """Solves one problem at any sequence of strengths.

    Parameters
    ----------
    problem : RowsProblem
        With any loss but the squared one, and no column of penalty factor 0.
    l1_ratio : float
    options : Options
    """

    working_set: ModelCD

    def __init__(self, problem: RowsProblem, l1_ratio: float, options: Options) -> None:
        assert problem.loss_rows is not None
        self.problem, self.loss_rows, self.l1_ratio = problem, problem.loss_rows, l1_ratio
        self.point = self.loss_rows.null_model
        self.cols, self.at = np.empty(0, dtype=np.int64), np.empty(0)
        self.screening = Screening(problem.quadratic, self.point.c)
        self._alpha = np.inf
        super().__init__(problem.quadratic, l1_ratio, options, self._model(0.0))
        self._projects = False

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0. Only before the first `solve`."""
        top = self.screening.top
        if self._eliminated_bound() > top:
            raise EliminatedColumns
        return top / (self.problem.weight_sum * self.l1_ratio)

    def start_from(self, coef: Coefficients) -> None:
        """Begin at given coefficients instead of 0."""
        self.cols, self.at = coef.nonzero().cols, coef.nonzero().w
        self.point = self.loss_rows.at(coef.nonzero(), self.point.intercept, self.cols)
        self._alpha = 0.0

    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        self._approach(alpha)
        return self._solve(alpha, self.options.tol)

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """`solve`, and on to a smaller `tol` in epochs that are not counted."""
        found = self.solve(alpha)
        closer = self._solve(alpha, tol)
        return (closer if closer.dual_gap <= found.dual_gap else found)._replace(epochs=found.epochs)

    def _approach(self, alpha: float) -> None:
        """One step at each of some strengths in between, where this one is far below the last."""
        if not np.isfinite(self._alpha):
            self._alpha = max(self.screening.top / (self.problem.weight_sum * max(self.l1_ratio, 1e-3)), alpha)
        target = self.options.tol * self.problem.null_loss
        while alpha < APPROACH * self._alpha:
            self._alpha *= APPROACH
            self._step(self._alpha, target, self.options.max_iter, ahead=APPROACH)
        self._alpha = alpha

    def _solve(self, alpha: float, tol: float) -> Solution:
        limit, target, epochs, inner = self.options.max_iter, tol * self.problem.null_loss, 0, MODEL_SHARE
        target *= 1.0 if tol > SMALL_TOL else BELOW_SMALL_TOL
        while True:
            done, moved = self._step(alpha, inner * target, max(limit - epochs, 1))
            epochs += done
            gap = self._gap(alpha, target)
            if gap <= target or epochs >= limit or (not moved and inner < 1e-4):
                return self._solution_at(gap, epochs)
            inner *= 1.0 if moved else 0.1

    # ---- steps ---------------------------------------------------------------------------------------------------

    def _model(self, alpha: float) -> ModelCD:
        """The model at the present point; and what its best intercept gains, where that is not counted otherwise."""
        model = ModelCD(self.problem, whole_gram(self.point.sums.gram))
        model.cols, model.at, model.max_abs = self.cols, self.at, np.empty(0)
        model.set_strength(alpha, self.l1_ratio)
        model.squared = self.point.squared if 0.0 < self.point.squared < np.inf else model.squared
        model.measure_by(self.point.sums.model_curvature, self.point.sums.model_sums)
        self._shift, gradient = self.point.model_gradient(self.cols, self.problem.quadratic.fit_intercept)
        self._gain = 0.0 if self.point.self_concordant else self._shift * self.point.sums.slope
        model.linearize(gradient)
        return model

    def _step(self, alpha: float, target: float, max_epochs: int, ahead: float = 1.0) -> tuple[int, bool]:
        """To the minimum of the model, or as far as the loss allows; returns the epochs, and whether that moved
        anything or brought columns in.

        `ahead`: the next strength, as a share of this one."""
        ws = self.working_set = self._model(alpha)
        self.quadratic = ws.quadratic
        done = self._descend(target, max_epochs)[0] if ws.m else 0
        magnitude, threshold = self._magnitudes(), ws.scale * self.l1_ratio
        near = magnitude > LOOK_AHEAD * ahead * threshold
        near[self.cols[(ws.w != 0.0) | (ws.at != 0.0)]] = True
        asked = np.flatnonzero(near)
        near[self.cols] = False
        if (ws.w == ws.at).all() and self._gain <= target and not (magnitude[near] > threshold).any():
            return max(done, 1), False
        return max(done, 1), self._move(asked, target)

    def _magnitudes(self) -> Vector:
        """Dual magnitudes over the penalty factors at the present point; -inf for constant columns."""
        found = self.problem.quadratic.penalty.dual_magnitude(self.point.c)
        varies = self.screening.norm2 >= 0.0
        factor = np.ones(1) if self.screening.factor is None else self.screening.factor
        return np.divide(found, factor, out=np.full(found.size, -np.inf), where=varies)

    def _move(self, asked: Int, target: float) -> bool:
        """Go to the model's coefficients, or part of the way until F falls: a round each. The columns `asked` are the
        next working set."""
        ws, penalty, point = self.working_set, self.quadratic.penalty, self.point
        delta = ws.w - ws.at
        shift = self._shift - float(ws.sums @ delta) / ws.quadratic.weight_sum
        before = penalty.value(ws.at, ws.l1, ws.l2)
        promise = penalty.value(ws.w, ws.l1, ws.l2) - before - float(ws.c @ delta) - self._gain
        t, rounding = 1.0, ROUNDING_SHARE * target + ROUNDING * abs(point.sums.total)
        for _ in range(MAX_HALVINGS):
            w = ws.w if t == 1.0 else ws.at + t * delta
            found = self.loss_rows.at(Coefficients(ws.cols, w).nonzero(), point.intercept + t * shift, asked)
            more = found.sums.total - point.sums.total + penalty.value(w, ws.l1, ws.l2) - before
            if more <= ARMIJO * t * min(promise, 0.0) + rounding:
                self._take(found, asked, w)
                return True
            t *= 0.5
        return False

    def _take(self, point: RowsPoint, cols: Int, w: Vector) -> None:
        """Another point, with its working set."""
        at = np.zeros(cols.size)
        (kept,) = w.nonzero()
        at[np.searchsorted(cols, self.cols[kept])] = w[kept]
        self.point, self.cols, self.at = point, cols, at

    def _own_gap(self, c: Vector | None = None) -> WorkingSetGap:
        """Of the model."""
        ws = self.working_set
        c = ws.gradient() if c is None else c
        terms = ws.quadratic.penalty.gap_terms(ws.w, c, ws.l1, ws.l2)
        return WorkingSetGap(terms, ws.squared_residual(c), 0.0, c)

    # ---- the certificate -----------------------------------------------------------------------------------------

    def _gap(self, alpha: float, target: float) -> float:
        """The duality gap of the loss at the present point, from the gradients of all columns."""
        scale, penalty = self.problem.weight_sum * alpha, self.problem.quadratic.penalty
        l1, l2 = penalty.strengths(scale, self.l1_ratio, self.cols)
        own = PointGap(penalty.gap_terms(self.at, self.point.c[self.cols], l1, l2), self.point.fenchel_gap)
        magnitude, threshold = self._magnitudes(), scale * self.l1_ratio
        magnitude[self.cols] = 0.0
        eliminated = self._eliminated_bound()
        gap = own(dual_ratio(max(float(magnitude.max(initial=0.0)), eliminated), threshold))
        if gap > target and eliminated > threshold:
            raise EliminatedColumns
        return gap

    def _eliminated_bound(self) -> float:
        """The largest possible gradient of an eliminated column, by its entries."""
        rows, loss = self.loss_rows.rows, self.loss_rows.loss
        return rows.eliminated_length * min(self.point.largest, loss.residual_bound * rows.max_weight)

    def _solution_at(self, gap: float, epochs: int) -> Solution:
        coef, facts = Coefficients(self.cols, self.at).nonzero(), self.loss_rows.targets
        deviance = 2.0 * max(self.point.sums.total - facts.least, 0.0)
        scale = self.problem.weight_sum
        return Solution(coef, coef.cols, self.point.intercept, gap / scale, epochs, deviance, method="rows_newton")

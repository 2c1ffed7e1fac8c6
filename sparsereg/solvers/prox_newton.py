"""Any smooth loss by proximal Newton steps: each minimises a quadratic model plus the penalty. Knows no estimators.

At coefficients w the loss is modelled by weighted least squares (`LossRows.linearize`), which `PathSolver` solves like
any other; a step towards its solution is halved until F falls as far as a share of the model's promise (Lee, Sun &
Saunders 2014). The certificate is that of the loss itself, by full passes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.predictors import WeightedLoss
from sparsereg.objective.problem import Problem
from sparsereg.objective.quadratic import Quadratic
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.loss_rows import Evaluation
from sparsereg.solvers.loop import ARMIJO, MAX_HALVINGS, Options, Solution
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.smooth_newton import smooth_newton
from sparsereg.solvers.smooth_problem import SmoothProblem

__all__ = ["ProxNewton"]

Vector = NDArray[np.float64]

# The model is solved to this share of the gap that the loss has left, but no closer than the last digits.
MODEL_SHARE = 0.1
MIN_MODEL_TOL = 1e-12
# Newton steps for the first fit of columns without a penalty.
FREE_STEPS = 30


class ProxNewton:
    """Solves one problem, with any loss, at any sequence of strengths, each from where the last one ended.

    Parameters
    ----------
    problem : Problem
    l1_ratio : float
    options : Options
        `max_iter` bounds the epochs of all inner solvers at one strength together.
    """

    def __init__(self, problem: Problem, l1_ratio: float, options: Options) -> None:
        self.problem, self.l1_ratio, self.options = problem, l1_ratio, options
        self.coef = Coefficients.zero()
        factors = np.asarray(problem.penalty.l1_factor) + np.asarray(problem.penalty.l2_factor)
        self.free = np.flatnonzero(factors == 0.0)
        if self.free.size:
            self._fit_free()

    def _fit_free(self) -> None:
        """Begin at the best coefficients of the columns without a penalty."""
        rows, loss_rows = self.problem.rows, self.problem.loss_rows
        self.free = self.free[self.problem.quadratic.moments(self.free).centered_sq_norm > 0.0]
        if self.problem.penalty.positive:
            self._fit_nonnegative()
            return
        loss = WeightedLoss(self.problem.loss, rows.y, rows.s)
        parts = np.zeros(self.free.size), loss_rows.fit_intercept, loss_rows.offset, self.free
        smooth, start = SmoothProblem(rows.design, loss, *parts), np.array([loss_rows.null_model()[0]])
        found = smooth_newton(smooth, (np.zeros((self.free.size, 1)), start), self.problem.null_loss, FREE_STEPS)
        self.coef = Coefficients(self.free, found.W[:, 0]).nonzero()

    def _fit_nonnegative(self) -> None:
        """The same where they are not negative: by models of these columns alone, as a solver of squares begins."""
        for _ in range(FREE_STEPS):
            solver = self._model(self.options)[0]
            new = solver.working_set.coefficients()
            if not self._line_search(self.problem.loss_rows.evaluate(self.coef), new, 0.0):
                break

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0. Only before the first `solve`."""
        c, factor = self.problem.loss_rows.evaluate(self.coef).c, self.problem.penalty.l1_factor
        c[self.free] = c[self.problem.quadratic.moments().centered_sq_norm == 0.0] = 0.0
        magnitude = self.problem.penalty.dual_magnitude(c)
        magnitude = np.divide(magnitude, factor, out=np.zeros_like(magnitude), where=np.asarray(factor) > 0.0)
        return float(magnitude.max(initial=0.0)) / (self.problem.weight_sum * self.l1_ratio)

    def start_from(self, coef: Coefficients) -> None:
        """Begin at given coefficients instead of 0."""
        self.coef = coef.nonzero()

    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        return self.solve_closely(alpha, self.options.tol)

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """The same for another `tol`."""
        problem, epochs = self.problem, 0
        target = tol * problem.gap_scale
        while True:
            found = problem.loss_rows.evaluate(self.coef)
            if self.free.size:
                gap = problem.duality_gap(self.coef, alpha, self.l1_ratio)
            else:
                gap = problem.gap_of(found, self.coef, alpha, self.l1_ratio)
            if gap <= target or epochs >= self.options.max_iter:
                break
            done, moved = self._step(found, alpha, MODEL_SHARE * min(gap, target) / problem.gap_scale)
            epochs += max(done, 1)
            if not moved:
                break
        deviance = 2.0 * (found.total - problem.loss_rows.saturated())
        columns = problem.design.columns[self.coef.cols]
        return Solution(self.coef, columns, problem.unshifted(self.coef, found.intercept), gap, epochs, deviance)

    def _step(self, found: Evaluation, alpha: float, tol: float) -> tuple[int, bool]:
        """One proximal Newton step from `self.coef`; returns the epochs it took, and whether it moved."""
        solver, scale = self._model(self.options)
        closeness = tol * self.problem.gap_scale / (scale * solver.quadratic.gap_scale)
        solver.options = replace(self.options, tol=max(closeness, MIN_MODEL_TOL))
        solver.start_from(self.coef)
        new = solver.solve(alpha * scale)
        return new.epochs, self._line_search(found, new.coef, alpha)

    def _model(self, options: Options) -> tuple[PathSolver, float]:
        """A solver of the model at `self.coef`, and what alpha is multiplied by there: it counts from the sum of the
        rows' weights, which are curvatures."""
        problem = self.problem
        rows = problem.loss_rows.linearize(self.coef)
        center = float(np.average(rows.y, weights=rows.s)) if problem.loss_rows.fit_intercept else 0.0
        model = Quadratic(rows, problem.penalty, problem.loss_rows.fit_intercept, center)
        return PathSolver(model, self.l1_ratio, options), problem.weight_sum / rows.weight_sum

    def _line_search(self, found: Evaluation, new: Coefficients, alpha: float) -> bool:
        """Move towards `new` by the first of 1, 1/2, 1/4, ... that lowers F enough; whether there is one."""
        problem, old = self.problem, self.coef
        cols = np.union1d(old.cols, new.cols)
        w = np.zeros((2, cols.size))
        for row, coef in zip(w, (old, new), strict=True):
            row[np.searchsorted(cols, coef.cols)] = coef.w
        l1, l2 = problem.penalty.strengths(problem.weight_sum * alpha, self.l1_ratio, cols)
        before = found.total + problem.penalty.value(w[0], l1, l2)
        slope = (
            problem.penalty.value(w[1], l1, l2) - problem.penalty.value(w[0], l1, l2) - found.c[cols] @ (w[1] - w[0])
        )
        t = 1.0
        for _ in range(MAX_HALVINGS):
            coef = Coefficients(cols, w[0] + t * (w[1] - w[0])).nonzero()
            after = problem.weight_sum * problem.objective(coef, alpha, self.l1_ratio)
            if after <= before + ARMIJO * t * min(slope, 0.0):
                self.coef = coef
                return bool(np.any(w[0] != w[1]))
            t *= 0.5
        return False

"""One fit of any loss: which solver, the solution in the precision of X, and its certificate there."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.linear_model.by_paths import columns_of, solve_by_stronger_ones, solve_projecting
from sparsereg.linear_model.equal_rows import newton_on_distinct_rows
from sparsereg.linear_model.loss_task import EPOCHS, POLISHED, FitTask, Fitted
from sparsereg.linear_model.multinomial_fit import fit_multinomial
from sparsereg.losses.confidence import ConfidentLogistic
from sparsereg.losses.predictors import PredictorLoss, Softmax, WeightedLoss
from sparsereg.objective.certificate import combine_gap
from sparsereg.objective.loss_dual import loss_gap_at
from sparsereg.objective.problem import Coefficients, count_weights, make_problem
from sparsereg.penalties import GapTerms, Penalty
from sparsereg.ridge.weighted_step import WeightedStep
from sparsereg.solvers.loop import Options
from sparsereg.solvers.loss_path import LossPathSolver
from sparsereg.solvers.noise import Noise, NoisedLogistic, Squares
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.proximal_descent import on_support, proximal_descent
from sparsereg.solvers.smooth_newton import MAX_PRODUCTS, smooth_newton
from sparsereg.solvers.smooth_problem import SmoothProblem

__all__ = ["STEPS", "FitTask", "Fitted", "LossFit", "fit_task"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

# Proximal gradient steps that an iteration may take.
STEPS = 100
# Where `tol` is reached, Newton steps on the support of solutions to these go on to `POLISHED`.
CLOSER = (1e-6, 1e-9)
# The same while X has no more entries: on more, a closer look at the support costs as much as the solution and more.
POLISHED_ENTRIES = 100_000
# A stationary point has this relative gradient at most, where `tol` asks for no less.
STATIONARY = 1e-6


class LossFit:
    """The parts of a task put together; rows of weight 0 may be left out, unless `every_row`."""

    def __init__(self, task: FitTask, tol: float, max_iter: int, *, every_row: bool = False) -> None:
        parts: tuple[Any, ...] = task.design, task.s, task.target, task.offset
        if not every_row:
            parts = count_weights(*parts)
        self.task, self.tol, self.max_iter = task, tol, max_iter
        design, self.s, self.target, self.offset = parts
        self.multinomial = self.target.ndim == 2
        self.rows_of_x = design
        factor = task.factor
        free = None if factor is None else factor == 0.0
        self.all_penalized = free is None or not free.any()
        if factor is not None and free is not None and not self._by_paths:
            factor = np.where(free, 1.0, factor)  # their strengths are set to 0 below
        self.problem = make_problem(
            design,
            self.target[:, 0] if self.multinomial else self.target,
            loss="squared" if self.multinomial else task.loss,  # of several outputs it is the columns that count here
            sample_weight=self.s,
            offset=self.offset if self.offset is None or self.offset.ndim == 1 else None,
            penalty_factor=factor,
            fit_intercept=task.fit_intercept,
            standardize=task.standardize,
            positive=task.positive,
        )
        self._free = None if self._by_paths else free
        if self.s is not None or self.problem.design.n_ones < self.problem.design.n_cols:  # others are squares already
            self.problem.quadratic.refuse_unsquarable(self.l1 + self.l2 == 0.0)

    @property
    def _by_paths(self) -> bool:
        """Whether the solvers of paths take it, with certificates also beside columns without a penalty."""
        return self.task.convex and not self.multinomial and self.task.alpha * self.task.l1_ratio > 0.0

    @cached_property
    def _strengths(self) -> tuple[Vector, Vector]:
        """Of every column; see `Penalty.strengths`."""
        return self._strengths_of(np.arange(self.problem.design.n_cols))

    def _strengths_of(self, cols: NDArray[np.int64]) -> tuple[Vector, Vector]:
        task, problem = self.task, self.problem
        l1, l2 = problem.penalty.strengths(problem.weight_sum * task.alpha, task.l1_ratio, cols)
        if self._free is not None:
            free = self._free[problem.design.columns[cols]]
            l1[free] = l2[free] = 0.0
        return l1, l2

    @property
    def l1(self) -> Vector:
        return self._strengths[0]

    @property
    def l2(self) -> Vector:
        return self._strengths[1]

    @cached_property
    def _distinct_strengths(self) -> tuple[Vector, Vector]:
        """Of one column where all have the same, else of every one."""
        same = self.problem.penalty.is_uniform and self._free is None
        return self._strengths_of(np.zeros(1, dtype=np.int64)) if same else self._strengths

    @property
    def _none_free(self) -> bool:
        return bool((np.add(*self._distinct_strengths) > 0.0).all())

    @property
    def smooth_alone(self) -> bool:
        """Whether there is no l1 penalty and no bound."""
        return not self._distinct_strengths[0].any() and not self.task.positive

    @property
    def n_outputs(self) -> int:
        return self.loss.n_outputs

    @cached_property
    def loss(self) -> PredictorLoss:
        rows = self.problem.loss_rows.rows
        if self.multinomial:
            return Softmax(self.target, self.s, self.task.beta)
        if self.task.beta:
            return WeightedLoss(ConfidentLogistic(self.task.beta), rows.y, rows.s, convex=False)
        return WeightedLoss(self.problem.loss, rows.y, rows.s, convex=self.task.convex)

    @cached_property
    def smooth(self) -> SmoothProblem:
        offset = self.offset if self.multinomial else self.problem.loss_rows.offset
        parts = self.problem.design, self.loss, self.l2, self.task.fit_intercept, offset
        if self.task.noise is None:
            return SmoothProblem(*parts, solve=self._step_of_ridge)
        rate, deviation = (values[self.problem.design.columns] for values in self.task.noise)
        squares = Squares.of(self.problem.design, self.rows_of_x)
        return NoisedLogistic(*parts, noise=Noise(squares, rate / (1.0 - rate), deviation**2))

    @property
    def _step_of_ridge(self) -> WeightedStep | None:
        """Newton steps by ridge's preconditioners, for one output on columns of ones, all penalized."""
        design = self.problem.design
        if self.multinomial or not self.task.convex or not (self.l2 > 0.0).all() or design.n_ones < design.n_cols:
            return None
        return WeightedStep(design, self.l2, self.task.fit_intercept, MAX_PRODUCTS)

    @cached_property
    def intercepts_alone(self) -> SmoothProblem:
        """The objective without columns, and so without noise on them."""
        offset = self.offset if self.multinomial else self.problem.loss_rows.offset
        cols = np.empty(0, dtype=np.int64)
        return SmoothProblem(self.problem.design, self.loss, np.empty(0), self.task.fit_intercept, offset, cols)

    @cached_property
    def null(self) -> tuple[Vector, float]:
        """Intercepts of the model without columns, and its loss above the least possible; summed."""
        K, rows = self.n_outputs, self.problem.loss_rows
        if not self.multinomial:
            return np.array([rows.null_model()[0]]), self.problem.null_loss
        start = np.zeros(K)
        if rows.fit_intercept and self.offset is None:
            mean = np.average(self.target, axis=0, weights=self.s)
            start = np.log(np.maximum(mean, 1e-5))  # at a share of 0 no slope would lead away
            start -= start.mean()
        alone = smooth_newton(self.intercepts_alone, (np.zeros((0, K)), start), self.problem.weight_sum, 100)
        least = -self.target * np.log(np.where(self.target > 0.0, self.target, 1.0))
        least_sum = float(least.sum() if self.s is None else self.s @ least.sum(axis=1))
        return alone.b, alone.value - least_sum

    # ---- from and to X ---------------------------------------------------------------------------------------------

    def start(self, coef: sp.csr_array | None, intercept: Vector | None) -> tuple[Matrix, Vector]:
        """Given coefficients of shape (K, p) on the observed columns, or none."""
        W = np.zeros((self.problem.design.n_cols, self.n_outputs))
        if coef is None or intercept is None:
            return W, self.null[0].copy()
        columns = self.problem.design.columns
        W[:] = coef[:, columns].toarray().T
        return W, intercept + self._shifted(W) - self._centered

    @property
    def _centered(self) -> float:
        """What was subtracted from the targets of squares."""
        quadratic = self.problem.quadratic
        squares = self.problem.loss.quadratic and not self.multinomial
        return quadratic.intercept_at_zero - quadratic.center if squares else 0.0

    def _shifted(self, W: Matrix) -> Vector:
        shift = self.problem.quadratic.shift
        return np.zeros(W.shape[1]) if shift is None else shift.of(self.problem.design.columns) @ W

    def fitted(self, W: Matrix, b: Vector, n_iter: int, gradient_norm: float | None) -> Fitted:
        """The solution rounded to the type of X, with the best intercepts for it and its gap."""
        design, S = self.problem.design, self.problem.weight_sum
        W = W.astype(design.dtype).astype(np.float64)
        gap = np.inf
        if gradient_norm is not None:
            gradient_norm = max(gradient_norm, self._gradient_of_free(W, b))
        if self.task.noise is not None:
            b = self._intercept_under_noise(W, b)
        elif self.multinomial or not self.task.convex:
            z = self.smooth.products(W)
            if self.offset is not None:
                z += self.offset.reshape(len(z), -1)
            alone = replace(self.intercepts_alone, offset=z)
            if self.task.fit_intercept:
                b = smooth_newton(alone, (W[:0], b), self.null[1], 100).b
            if self.task.convex and self._none_free:
                gap = self._softmax_gap(W, z + b)
        else:
            coef = Coefficients(np.arange(design.n_cols), W[:, 0]).nonzero()
            with np.errstate(over="ignore", invalid="ignore"):
                near = float(b[0]) if np.isfinite(b).all() else 0.0
                found = self.problem.loss_rows.evaluate(coef, near)
                b = np.array([found.intercept])
                if self._none_free or self.problem.loss.quadratic:
                    gap = self.problem.gap_of(found, coef, self.task.alpha, self.task.l1_ratio)
                elif self._by_paths:
                    gap = self.problem.duality_gap(coef, self.task.alpha, self.task.l1_ratio)
        intercept = b + self._centered - self._shifted(W) if self.task.fit_intercept else np.zeros_like(b)
        if not (np.isfinite(W).all() and np.isfinite(intercept).all()):
            raise ValueError("the coefficients are not finite; X or y may hold large values: rescale them.")
        return Fitted(self._as_csr(W), intercept, gap, self.null[1] / S, gradient_norm, n_iter)

    def _gradient_of_free(self, W: Matrix, b: Vector) -> float:
        """The relative gradient of columns without a penalty along all their combinations: next to the gradient of
        each column that along a short one is rounding, but what it explains need not be."""
        quadratic = self.problem.quadratic
        free = np.flatnonzero((self.l1 + self.l2 == 0.0) & (quadratic.moments().centered_sq_norm > 0.0))
        if self.task.noise is not None or not self.smooth.factorises(free.size, 1) or quadratic.seen_by_columns(free):
            return 0.0
        here, zero = (self.smooth.state(*point) for point in ((W, b), (np.zeros_like(W), self.null[0])))
        left, first = (max(quadratic.explained(free, c) for c in state.g[free].T) for state in (here, zero))
        return left / first if 0.0 < first < np.inf else left

    def _softmax_gap(self, W: Matrix, Z: Matrix) -> float:
        """That of F for several outputs, where intercepts are at their best: see `combine_gap`."""
        loss, penalty = self.loss, self.problem.penalty
        assert isinstance(loss, Softmax)
        c = -self.smooth.rmatvec(loss.gradient(Z))
        terms = [Penalty.gap_terms(penalty, w, c_k, self.l1, self.l2) for w, c_k in zip(W.T, c.T, strict=True)]
        norms = [part.dual_norm for part in terms]
        summed = GapTerms(*(sum(part) for part in zip(*terms, strict=True)))._replace(dual_norm=max(norms))
        return combine_gap(summed, lambda t: loss.fenchel_gap(Z, t)) / self.problem.weight_sum

    def _intercept_under_noise(self, W: Matrix, b: Vector) -> Vector:
        """The best intercept for rounded coefficients; unrounded ones have it."""
        if self.problem.design.dtype == np.float64 or not self.task.fit_intercept:
            return b
        for _ in range(20):
            state = self.smooth.state(W, b)
            h = float(self.smooth.curvature(state).diagonal().sum())
            step = -state.g_b / h if h > 0.0 else 0.0 * b
            b = b + step
            if np.abs(step).max() <= 1e-12 * (1.0 + np.abs(b).max()):
                break
        return b

    def _as_csr(self, W: Matrix) -> sp.csr_array:
        design = self.problem.design
        order = np.argsort(design.columns)
        values = sp.csr_array(W[order].T.astype(design.dtype))
        columns = design.columns[order].astype(np.int64)
        return sp.csr_array(
            (values.data, columns[values.indices], values.indptr), shape=(W.shape[1], design.n_features)
        )

    # ---- solvers ---------------------------------------------------------------------------------------------------

    def solve(self, coef: sp.csr_array | None, intercept: Vector | None) -> Fitted:
        by_paths = not self.multinomial and self.task.convex and (self.all_penalized or self._by_paths)
        if by_paths and not self.smooth_alone and coef is None:
            self._leave_out_short()
        W, b = self.start(coef, intercept)
        if self.smooth_alone:
            return self._smooth(W, b)
        if not by_paths:
            return self._stationary(W, b)
        found = self._sparse(W)
        if self.all_penalized or found.dual_gap <= self.tol * found.gap_scale:
            return found
        other = self._stationary(W, b)
        return other if other.dual_gap <= found.dual_gap else found

    def _smooth(self, W: Matrix, b: Vector) -> Fitted:
        found = newton_on_distinct_rows(self.smooth, (W, b), self.null[1], self.max_iter)
        W, b = found.W, found.b
        if self.multinomial:  # the same constant on all outputs changes no prediction, and least squares are at sum 0
            W, b = W - W.mean(axis=1, keepdims=True), b - b.mean()
        return self.fitted(W, b, found.n_iter, found.gradient_norm)

    def _stationary(self, W: Matrix, b: Vector) -> Fitted:
        limits = min(self.tol, STATIONARY), self.null[1], STEPS * self.max_iter
        found = proximal_descent(self.smooth, self.problem.penalty, self.l1, (W, b), limits)
        norm = None if self.task.convex and self.all_penalized else found.gradient_norm
        return self.fitted(found.W, found.b, -(-found.n_iter // STEPS), norm)

    def _sparse(self, W: Matrix) -> Fitted:
        fitted = self._by_solver(W)
        if fitted.dual_gap > self.tol * fitted.gap_scale and self.all_penalized and not self.problem.loss.quadratic:
            fitted = min(fitted, self._projecting(), key=lambda one: one.dual_gap)
        if fitted.dual_gap <= self.tol * fitted.gap_scale or (self.all_penalized and self.problem.loss.self_concordant):
            return fitted
        # Models of other losses may be of no use far from the solution: steps of another kind have a try.
        limits, zero = (min(self.tol, STATIONARY), self.null[1], STEPS * self.max_iter), np.zeros_like(W)
        moved = proximal_descent(self.smooth, self.problem.penalty, self.l1, (zero, self.start(None, None)[1]), limits)
        n_iter = min(fitted.n_iter - (-moved.n_iter // STEPS), self.max_iter)
        other = self.fitted(moved.W, moved.b, n_iter, None)
        return other if other.dual_gap < fitted.dual_gap else fitted

    def _by_solver(self, W: Matrix) -> Fitted:
        """By the solvers of paths, certified at the best intercept and its residual; on while that is cheap."""
        task, options = self.task, Options(self.tol, EPOCHS * self.max_iter, projects=False)
        solver: PathSolver | LossPathSolver
        if self.problem.loss.quadratic:
            solver = PathSolver(self.problem.quadratic, task.l1_ratio, options)
        else:
            solver = LossPathSolver(self.problem, task.l1_ratio, options)
        if isinstance(solver, LossPathSolver) and not W.any():
            found = solve_by_stronger_ones(solver, task)
        else:
            solver.start_from(Coefficients(np.arange(len(W)), W[:, 0]).nonzero())
            found = solver.solve(task.alpha)
        n_iter = min(-(-found.epochs // EPOCHS), self.max_iter)
        best, scale = (columns_of(self.problem, found.columns, found.coef.w), found.dual_gap), self.problem.gap_scale
        for tol in CLOSER if self.problem.design.nnz <= POLISHED_ENTRIES else ():
            if not POLISHED * scale < best[1] <= self.tol * scale:
                break
            if tol < self.tol:
                found = solver.solve_closely(task.alpha, tol)
            own = columns_of(self.problem, found.columns, found.coef.w)
            best = min(best, self._polished(own, found.dual_gap), key=lambda point: point[1])
        del solver  # its memory is that of the pass to come
        W = np.zeros_like(W)
        W[best[0].cols, 0] = best[0].w
        return self.fitted(W, found.intercept + self._shifted(W) - self._centered, n_iter, None)

    def _projecting(self) -> Fitted:
        """At the intercept and the dual point of a solver that projects; its epochs are cheaper than proximal steps."""
        task, problem, options = self.task, self.problem, Options(self.tol, STEPS * self.max_iter)
        found, coef, dual = solve_projecting(problem, task, options)
        W = np.zeros((problem.design.n_cols, 1))
        W[coef.cols, 0] = coef.w.astype(problem.design.dtype)
        b = np.atleast_1d(found.intercept + self._shifted(W))
        parts = problem.loss_rows, problem.penalty, Coefficients(np.arange(len(W)), W[:, 0]).nonzero(), dual
        gap = loss_gap_at(*parts, (self.l1, self.l2), float(b[0])) / problem.weight_sum
        n_iter = min(-(-found.epochs // EPOCHS), self.max_iter)
        return Fitted(self._as_csr(W), b - self._shifted(W), gap, self.null[1] / problem.weight_sum, None, n_iter)

    def _leave_out_short(self) -> None:
        """Leave out columns of ones too short to pass their threshold whatever the residual."""
        problem, task = self.problem, self.task
        bound, penalty = problem.loss.residual_bound * problem.rows.max_weight, problem.penalty
        same_penalty = isinstance(penalty.l1_factor, float) and penalty.kernel is not None
        if not (same_penalty and task.l1_ratio and 0.0 < bound < np.inf and problem.design.can_eliminate):
            return
        threshold = problem.weight_sum * task.alpha * task.l1_ratio
        design = problem.design.eliminate_short(threshold / bound * (1.0 - 1e-9))
        if design is not problem.design:
            self.problem = problem.with_design(design)
            self.__dict__.pop("_strengths", None)

    def _polished(self, coef: Coefficients, gap: float) -> tuple[Coefficients, float]:
        """After Newton steps on the support, if that is a better point; and its gap."""
        W = np.zeros((self.problem.design.n_cols, 1))
        W[coef.cols, 0] = coef.w
        b = np.array([self.problem.loss_rows.evaluate(coef).intercept])
        state = self.smooth.state(W, b)
        moved = on_support(self.smooth, self.problem.penalty, self.l1, state, self.null[1])
        if moved is None:
            return coef, gap
        closer = Coefficients(np.arange(len(W)), moved.W[:, 0]).nonzero()
        new = self.problem.duality_gap(closer, self.task.alpha, self.task.l1_ratio)
        return (closer, new) if new < gap else (coef, gap)


def fit_task(
    task: FitTask, tol: float, max_iter: int, start: tuple[sp.csr_array, Vector] | tuple[None, None] = (None, None)
) -> Fitted:
    """Solve to a relative gap of `tol`, or a relative gradient where there is no gap; then on while that is cheap.

    Parameters
    ----------
    task : FitTask
    tol : float
    max_iter : int
        Newton steps; where there is an l1 penalty, tens of epochs or hundreds of proximal steps.
    start : tuple, default (None, None)
        Coefficients of shape (K, p) and intercepts to begin at.
    """
    if task.target.ndim == 2 and task.convex and task.alpha * task.l1_ratio > 0.0:
        fitted = fit_multinomial(task, tol, max_iter, start)
        if fitted.dual_gap <= tol * fitted.gap_scale:
            return fitted
        other = LossFit(task, tol, -(-max_iter // STEPS)).solve(fitted.coef, fitted.intercept)
        return replace(other if other.dual_gap < fitted.dual_gap else fitted, n_iter=max_iter)
    return LossFit(task, tol, max_iter).solve(*start)

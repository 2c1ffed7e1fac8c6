"""The multi-task lasso and elastic net at one strength after the other, certified. Knows no estimators.

Block coordinate descent over a working set of columns, each with a row of K coefficients. The Gram matrix of the
working set is that of a single target, and shared by all. Where descent crawls, a Newton step on the rows that are not
0 follows. Certificates are those of `MultiTaskProblem`: full passes over X, a target at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.multi_task import MultiTaskProblem, RowCoefficients, RowNorms
from sparsereg.penalties.rows import row_norms
from sparsereg.solvers.dual_projection import INNER_SHARE
from sparsereg.solvers.loop import EPOCHS_PER_LOOK, NEAR, SLOW, STEP_ROUNDING, Options
from sparsereg.solvers.outputs import Entries, RowSolution
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.row_working_set import RowWorkingSet

__all__ = ["MultiTaskSolver", "solve_apart"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Where the working set's own gap is small and the certificate's is not, the share is lowered, to this at least.
MIN_SHARE = 1e-6
# Gaps below this share of |Y|^2 differ by rounding.
GAP_ROUNDING = 1e-17


class MultiTaskSolver:
    """Solves one problem at any sequence of strengths, each from where the last one ended.

    Parameters
    ----------
    problem : MultiTaskProblem
    l1_ratio : float
    options : Options
        `method` is without effect: there is one.
    """

    def __init__(self, problem: MultiTaskProblem, l1_ratio: float, options: Options) -> None:
        self.problem, self.l1_ratio, self.options = problem, l1_ratio, options
        self.working_set = RowWorkingSet(problem)

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized row is 0."""
        problem = self.problem
        factor = problem.penalty.strengths(1.0, 1.0, np.arange(problem.design.n_cols))[0]
        self._fit_unpenalized()
        found = problem.evaluate(self.working_set.coefficients())
        ratio = np.divide(found.norms, factor, out=np.zeros_like(factor), where=factor > 0.0)
        with np.errstate(divide="ignore", over="ignore"):
            return float(np.divide(ratio.max(initial=0.0), problem.weight_sum * self.l1_ratio))

    def start_from(self, coef: RowCoefficients) -> None:
        """Begin at given rows instead of 0."""
        missing = np.setdiff1d(coef.cols, self.working_set.cols)
        self.working_set.add(missing)
        self.working_set.set_w(coef)

    def solve(self, alpha: float) -> RowSolution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        return self.solve_closely(alpha, self.options.tol)

    def solve_closely(self, alpha: float, tol: float) -> RowSolution:
        """The same for another `tol`."""
        problem, ws, epochs = self.problem, self.working_set, 0
        target = tol * problem.gap_scale * problem.weight_sum
        ws.set_strength(alpha, self.l1_ratio)
        self._fit_unpenalized()
        share = INNER_SHARE
        while True:
            done, stalled = self._descend(share * target, self.options.max_iter - epochs)
            epochs += done
            coef = ws.coefficients()
            found = problem.evaluate(coef)
            gap = problem.gap_of(found, coef, alpha, self.l1_ratio)
            if gap * problem.weight_sum <= target or epochs >= self.options.max_iter:
                break
            new = self._entering(found)
            if not new.size and (stalled or share < MIN_SHARE):
                break
            share *= 1.0 if new.size else 0.1
            ws.add(new)
        entries = Entries.of(coef, problem.design.columns)
        return RowSolution(entries, problem.intercepts(coef), gap, epochs, found.squared_residual)

    def _fit_unpenalized(self) -> None:
        """Columns without penalty are in the working set from the start, at their least-squares fit."""
        problem, ws = self.problem, self.working_set
        l1, l2 = problem.penalty.strengths(1.0, 0.5, np.arange(problem.design.n_cols))
        free = np.flatnonzero((l1 + l2 == 0.0) & (problem.curvatures > 0.0))
        free = np.setdiff1d(free, ws.cols)
        if not free.size:
            return
        ws.add(free)
        c = problem.gradients(ws.coefficients(), free)
        w = np.empty_like(c)
        for k, task in enumerate(problem.tasks):
            w[:, k], _ = task.unpenalized_least_squares(free, np.ascontiguousarray(c[:, k]))
        ws.move(ws.m - free.size + np.arange(free.size), w)

    def _descend(self, target: float, max_epochs: int) -> tuple[int, bool]:
        """Until the working set's own gap leaves room for the others'; returns the epochs, and whether it stalled."""
        ws, epochs = self.working_set, 0
        if not ws.m:
            return 0, True
        order, rng = np.arange(ws.m), self.options.rng
        gap = ws.gap()
        while gap > target and epochs < max_epochs:
            limit = min(EPOCHS_PER_LOOK, max_epochs - epochs)
            for one in (limit,) if rng is None else (1,) * limit:
                done, decrease = ws.descend(one, STEP_ROUNDING * self.problem.null_deviance, _shuffled(order, rng))
                epochs += done
            ws.refresh()
            before, gap = gap, ws.gap()
            if decrease <= STEP_ROUNDING * self.problem.null_deviance:
                return epochs, True
            if gap > SLOW * before:
                moved = ws.newton()
                epochs += moved
                gap = ws.gap()
                if gap > GAP_ROUNDING * self.problem.null_deviance or gap < before:
                    continue
                return epochs, True
        return epochs, gap > target and epochs < max_epochs

    def _entering(self, found: RowNorms) -> Int:
        """Columns outside the working set over 0.95 of their threshold, the farthest first: at most 10 and twice the
        number of active ones."""
        problem, ws = self.problem, self.working_set
        l1, _ = problem.penalty.strengths(ws.scale, self.l1_ratio, np.arange(problem.design.n_cols))
        outside = np.ones(l1.size, dtype=np.bool_)
        outside[ws.cols] = False
        cols = np.flatnonzero(outside & (found.norms > NEAR * l1))
        with np.errstate(divide="ignore", over="ignore"):
            nearness = found.norms[cols] / l1[cols]
        most = 10 + 2 * int(np.count_nonzero(row_norms(ws.w)))
        return np.sort(cols[np.argsort(-nearness, kind="stable")[:most]])


def solve_apart(
    problem: MultiTaskProblem, alpha: float, l1_ratio: float, options: Options, tol: float
) -> tuple[RowCoefficients, int]:
    """Without an l1 term nothing ties the targets together: one after the other. Returns the most epochs of one too."""
    found = [PathSolver(task, l1_ratio, options).solve_closely(alpha, tol) for task in problem.tasks]
    cols = np.unique(np.concatenate([one.coef.cols for one in found]))
    w = np.zeros((cols.size, problem.n_outputs))
    for k, one in enumerate(found):
        w[np.searchsorted(cols, one.coef.cols), k] = one.coef.w
    return RowCoefficients(cols, w), max(one.epochs for one in found)


def _shuffled(order: Int, rng: np.random.Generator | None) -> Int:
    return order if rng is None else rng.permutation(order)

"""The multinomial lasso and elastic net at one strength after the other, certified. Knows no estimators.

    # Y (n, K), probabilities of the classes; s (n,), offset (n, K) or None; alpha counts per unit of weight
    problem = make_multinomial_problem(design, Y, sample_weight=s, offset=offset, fit_intercept=True)
    solver = MultinomialSolver(problem, l1_ratio, Options(tol=1e-4))
    solver.start_from(RowCoefficients(cols, W))        # optional: a warm start, rows of K on observed columns
    solution = solver.solve(alpha)                     # a RowSolution: coef, intercepts, dual_gap, epochs, deviance
    solution.coef.tocsr(K, p)                          # sparse coefficients of shape (K, p)

Proximal Newton steps on the softmax as it is, classes coupled: the working set holds coordinates, a column and a class
each. The loss to second order keeps a vector of predictors for each class and their mean over the classes, so that a
coordinate costs the entries of its column, however many classes there are (`sr_softmax_cd`). A step is halved until F
falls. Where no share of it helps, Boehning's bound (1992) replaces the curvature, by which every step lowers F. Where
descent crawls, a step on the coordinates that are not 0 follows, by conjugate gradients or directly. Adding one number
to the coefficients of a column for all classes changes the penalty only; the best number is taken exactly
(`_best_shift`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses.predictors import Softmax
from sparsereg.objective.multi_task import RowCoefficients
from sparsereg.objective.multinomial import MultinomialEvaluation, MultinomialProblem
from sparsereg.solvers.loop import NEAR, SLOW, Options
from sparsereg.solvers.outputs import Entries, RowSolution
from sparsereg.solvers.smooth_newton import smooth_newton
from sparsereg.solvers.smooth_problem import SmoothProblem
from sparsereg.solvers.softmax_model import SoftmaxStep, WorkingPairs

__all__ = ["MultinomialSolver"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Coordinates that are near their threshold join: the nearest first, at most so many a class and twice the number of
# active ones.
JOIN_PER_CLASS = 10
# Halvings of a Newton step before Boehning's bound takes its place.
MAX_HALVINGS = 8
# Shares of equal probabilities that are mixed into those of the curvature where steps have to be cut short: the first,
# the least, the most.
FIRST_MIXED, LEAST_MIXED, MOST_MIXED = 1e-3, 1e-10, 0.3
# F is known to this share of itself. The gap is more sensitive: steps that change F by rounding still lower it, and are
# taken, at most so many in a row.
ROUNDING = 4e-15
MAX_IDLE = 8
# Newton steps for the first fit of columns without a penalty, which may tell classes apart.
FREE_STEPS = 30
# Where offsets are apart by more, hardly any row has curvature: after so many epochs without a certificate predictors
# are annealed, in so many epochs each time.
FAR, BEFORE_ANNEALING, EPOCHS_EACH = 50.0, 100, 500
# Where classes can be told apart predictors grow without end as penalties weaken, and models at those of a far stronger
# penalty are of no use: after so many epochs without a certificate strengths in between, by such a factor, come first.
BEFORE_STRONGER, STRONGER = 1000, 2.0


class MultinomialSolver:
    """Solves one problem at any sequence of strengths, each from where the last one ended.

    Parameters
    ----------
    problem : MultinomialProblem
    l1_ratio : float
    options : Options
        `max_iter` bounds the epochs of coordinate descent and the products of Newton steps at one strength.
    """

    def __init__(self, problem: MultinomialProblem, l1_ratio: float, options: Options) -> None:
        self.problem, self.l1_ratio, self.options = problem, l1_ratio, options
        self.coef = RowCoefficients.zero(problem.n_outputs)
        self.b = np.zeros(problem.n_outputs)
        self.pairs = WorkingPairs(problem)
        self._mixed, self._last_alpha = 0.0, np.inf
        if problem.free.size:
            self._fit_free()

    def _fit_free(self) -> None:
        """Begin at the best coefficients of the columns without a penalty, which stay in the working set."""
        free, K = self.problem.free, self.problem.n_outputs
        smooth = self._smooth_on(free, np.zeros(free.size))
        found = smooth_newton(smooth, (np.zeros((free.size, K)), self.b), self.problem.null_loss, FREE_STEPS)
        self.coef = RowCoefficients(free, found.W - found.W.mean(axis=1, keepdims=True)).nonzero()
        self.b = found.b
        self.pairs.add(np.tile(free, K), np.repeat(np.arange(K), free.size))

    def _smooth_on(self, cols: Int, l2: Vector) -> SmoothProblem:
        """The loss and an l2 penalty, with coefficients on these columns."""
        problem = self.problem
        loss = Softmax(np.asfortranarray(problem.y.T), problem.s)
        offset = None if problem.offset is None else problem.offset.T
        return SmoothProblem(problem.design, loss, l2, problem.fit_intercept, offset, cols)

    def alpha_max(self) -> float:
        """The smallest alpha at which every coefficient is 0."""
        problem = self.problem
        found = problem.evaluate(self.coef, self.b)
        factor, _ = problem.penalty.strengths(1.0, 1.0, np.arange(problem.design.n_cols))
        worst = 0.0
        for k in range(problem.n_outputs):
            c = np.abs(problem.gradients(found, k))
            worst = max(worst, float(np.divide(c, factor, out=np.zeros_like(c), where=factor > 0.0).max(initial=0.0)))
        with np.errstate(divide="ignore", over="ignore"):
            return float(np.divide(worst, problem.weight_sum * self.l1_ratio))

    def start_from(self, coef: RowCoefficients, intercepts: Vector | None = None) -> None:
        """Begin at given rows instead of 0."""
        self._last_alpha = np.inf
        self.coef = coef.nonzero()
        self.b = self.b if intercepts is None else intercepts.copy()

    def solve(self, alpha: float) -> RowSolution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        return self.solve_closely(alpha, self.options.tol)

    def solve_closely(self, alpha: float, tol: float) -> RowSolution:
        """The same for another `tol`."""
        problem = self.problem
        if alpha == 0.0:
            raise ValueError("alpha=0 with loss='multinomial' cannot be certified; use a small positive strength.")
        target = tol * problem.gap_scale
        self.pairs.set_strength(alpha, self.l1_ratio)
        if self.l1_ratio == 0.0:
            return self._solve_smooth(alpha, target)
        limit, far, begin = self.options.max_iter, self._far(), (self.coef, self.b)
        top, self._last_alpha = self._last_alpha, alpha
        if top > STRONGER * alpha:
            top = min(top, self.alpha_max())  # at a solution this is its strength
        stronger = STRONGER * alpha < top < np.inf
        first = BEFORE_ANNEALING if far > FAR else BEFORE_STRONGER if stronger else limit
        found, gap, epochs = self._descend(alpha, target, min(limit, first))
        if gap > target and epochs < limit and (far > FAR or stronger):
            best = (gap, self.coef, found)
            if far > FAR:
                epochs += self._anneal(alpha, tol, far, limit - epochs)
            else:
                self.coef, self.b = begin
                epochs += self._by_stronger(top, alpha, target, limit - epochs)
            found, gap, more = self._descend(alpha, target, max(limit - epochs, 1))
            epochs += more
            gap, self.coef, found = min(best, (gap, self.coef, found), key=lambda state: state[0])
        return self._solution(found, gap, epochs)

    def _by_stronger(self, top: float, alpha: float, target: float, limit: int) -> int:
        """Move near the solution by way of strengths between `top`, for which the present point is one, and alpha.
        Returns the epochs."""
        n, epochs = int(np.ceil(np.log(top / alpha) / np.log(STRONGER))), 0
        for strength in np.geomspace(top, alpha, n + 1)[1:-1].tolist():
            self.pairs.set_strength(strength, self.l1_ratio)
            epochs += self._descend(strength, target, max(limit - epochs, 1))[2]
        self.pairs.set_strength(alpha, self.l1_ratio)
        return epochs

    def _far(self) -> float:
        """How far offsets are from equal ones."""
        offset = self.problem.offset
        return 0.0 if offset is None else float(np.abs(offset - offset.mean(axis=0)).max())

    def _anneal(self, alpha: float, tol: float, far: float, limit: int) -> int:
        """Move to where a solution is near although rows have no curvature: first for predictors over some T, from the
        farthest offset down to 2, each from where the last one ended. Returns the epochs.

        With u = w / T the loss is that of offsets over T, and `T alpha (l1_ratio |u| + (1 - l1_ratio) T u^2 / 2)`."""
        coef, b, epochs, ratio = self.coef, self.b, 0, self.l1_ratio
        for T in np.geomspace(far, 1.0, 2 + int(np.log2(far)))[:-1].tolist():
            assert self.problem.offset is not None
            mix = ratio + (1.0 - ratio) * T
            problem, options = replace(self.problem, offset=self.problem.offset / T), self.options
            solver = MultinomialSolver(problem, ratio / mix, options)
            solver.start_from(RowCoefficients(coef.cols, coef.w / T), b / T)
            solver.pairs.set_strength(alpha * mix, ratio / mix)
            most = max(min(limit - epochs, EPOCHS_EACH), 1)
            _, _, more = solver._descend(alpha * mix, tol * problem.gap_scale, most)
            coef, b, epochs = RowCoefficients(solver.coef.cols, solver.coef.w * T), solver.b * T, epochs + more
        self.coef, self.b = coef, b
        return epochs

    def _descend(self, alpha: float, target: float, limit: int) -> tuple[MultinomialEvaluation, float, int]:
        """Steps until the gap of `S F` a row is at most the target, or so many epochs; what holds then, the gap, the
        epochs."""
        problem = self.problem
        found, epochs, idle, last = problem.evaluate(self.coef, self.b), 0, 0, np.inf
        best = (np.inf, self.coef, found)
        while True:
            gap, entering = self._certify(found, alpha)
            best = min(best, (gap, self.coef, found), key=lambda state: state[0])
            if gap <= target or epochs >= limit or idle > MAX_IDLE:
                break
            self.pairs.add(*entering)
            new, done, gain = self._step(found, alpha, crawls=gap > SLOW * last and not entering[0].size)
            epochs, last = epochs + max(done, 1), gap
            idle = 0 if entering[0].size or gain > ROUNDING * found.total else idle + 1
            found = new
        gap, self.coef, found = best
        self.b = found.intercepts
        return found, gap, epochs

    def _solution(self, found: MultinomialEvaluation, gap: float, epochs: int) -> RowSolution:
        problem = self.problem
        entries = Entries.of(self.coef, problem.design.columns)
        b = problem.intercepts_of_x(self.coef, found.intercepts) if problem.fit_intercept else found.intercepts
        return RowSolution(entries, b, gap, epochs, 2.0 * (found.total - problem.saturated), method="newton")

    def _certify(self, found: MultinomialEvaluation, alpha: float) -> tuple[float, tuple[Int, Int, Vector]]:
        """The gap, and the coordinates that are to join: columns, classes, gradients. The working set takes its own."""
        problem, pairs = self.problem, self.pairs
        pairs.add_rows(self.coef)
        l1, _ = problem.penalty.strengths(problem.weight_sum * alpha, self.l1_ratio, np.arange(problem.design.n_cols))
        columns, classes, gradients = list[Int](), list[Int](), list[Vector]()

        def visit(k: int, cols: Int, c: Vector) -> None:
            pairs.take_gradients(k, cols, c)
            over = np.flatnonzero(np.abs(c) > NEAR * l1[cols])
            over = over[~np.isin(cols[over], pairs.columns_of(k), assume_unique=True)]
            columns.append(cols[over])
            classes.append(np.full(over.size, k))
            gradients.append(c[over])

        gap = problem.gap_of(found, self.coef, alpha, self.l1_ratio, visit)
        cols, outputs, c = np.concatenate(columns), np.concatenate(classes), np.concatenate(gradients)
        with np.errstate(over="ignore"):
            near = np.abs(c) / np.maximum(l1[cols], np.finfo(float).tiny)
        most = JOIN_PER_CLASS * problem.n_outputs + 2 * int(np.count_nonzero(self.coef.w))
        chosen = np.sort(np.argsort(-near, kind="stable")[:most])
        return gap, (cols[chosen], outputs[chosen], c[chosen])

    def _step(
        self, found: MultinomialEvaluation, alpha: float, *, crawls: bool
    ) -> tuple[MultinomialEvaluation, int, float]:
        """One proximal Newton step from `self.coef`; returns what holds afterwards, the epochs, and how far F fell."""
        problem, pairs = self.problem, self.pairs
        before = found.total + problem.penalty_value(self.coef, alpha, self.l1_ratio)
        w, epochs = pairs.weights(self.coef), 0
        for mixed in (self._mixed, 1.0):
            step = SoftmaxStep(problem, pairs, found, mixed)
            epochs += step.descend(w, self.options)
            if crawls and mixed < 1.0:
                epochs += step.newton()
            t = 1.0
            for _ in range(1 if mixed == 1.0 else MAX_HALVINGS):
                with np.errstate(over="ignore", invalid="ignore"):  # a step without end is shortened
                    coef = self._centred(pairs.rows(w + t * (step.w - w)))
                    new = problem.evaluate(coef, found.intercepts)
                    gain = before - new.total - problem.penalty_value(coef, alpha, self.l1_ratio)
                if gain >= -ROUNDING * before:
                    self._mixed = self._remixed(t if mixed < 1.0 else 0.0)
                    self.coef, self.b = coef, new.intercepts
                    return new, epochs, gain
                t *= 0.5
        return found, epochs, 0.0

    def _remixed(self, t: float) -> float:
        """The share of equal probabilities for the next step, after one of which t was taken: more where t is small."""
        if t == 1.0:
            return 0.1 * self._mixed if self._mixed > LEAST_MIXED else 0.0
        return min(10.0 * self._mixed or FIRST_MIXED, MOST_MIXED) if t < 0.5 else self._mixed

    def _centred(self, coef: RowCoefficients) -> RowCoefficients:
        """Rows shifted by the number that lowers the penalty most, where 0 is not that."""
        l1, l2 = self.pairs.strengths(coef.cols)
        if (free := l1 + l2 == 0.0).any():
            w = np.where(free[:, None], coef.w - coef.w.mean(axis=1, keepdims=True), coef.w)
            coef = RowCoefficients(coef.cols, w)
        n_zero = np.count_nonzero(coef.w == 0.0, axis=1)
        pull = l1 * np.sign(coef.w).sum(axis=1) + l2 * coef.w.sum(axis=1)
        rows = np.flatnonzero(np.abs(pull) > l1 * n_zero * (1.0 + 1e-12))
        if not rows.size:
            return coef
        w = coef.w.copy()
        for a in rows.tolist():
            w[a] -= _best_shift(w[a], l1[a], l2[a])
        return RowCoefficients(coef.cols, w).nonzero()

    def _solve_smooth(self, alpha: float, target: float) -> RowSolution:
        """Without an l1 term: Newton's method on all coefficients."""
        problem = self.problem
        every = np.arange(problem.design.n_cols)
        _, l2 = problem.penalty.strengths(problem.weight_sum * alpha, self.l1_ratio, every)
        smooth = self._smooth_on(every, l2)
        w, epochs = self.coef.on(every), 0
        for _ in range(2):  # once more where it ended short of the target
            done = smooth_newton(smooth, (w, self.b), problem.null_loss, self.options.max_iter)
            w, epochs = done.W - done.W.mean(axis=1, keepdims=True), epochs + done.n_iter
            self.coef, self.b = RowCoefficients(every, w).nonzero(), done.b
            found = problem.evaluate(self.coef, self.b)
            gap = problem.gap_of(found, self.coef, alpha, self.l1_ratio)
            if gap <= target:
                break
        return self._solution(found, gap, epochs)


def _best_shift(w: Vector, l1: float, l2: float) -> float:
    """The t with the least `sum_k l1 |w_k - t| + l2/2 (w_k - t)^2`."""
    K = w.size
    kinks = np.sort(w)
    # The slope left and right of each kink; between kinks it is linear.
    below = np.arange(K)
    left = l1 * (2.0 * below - K) + l2 * (K * kinks - w.sum())
    right = left + 2.0 * l1
    at = int(np.flatnonzero(right >= 0.0)[0])
    if left[at] <= 0.0 or l2 == 0.0:
        return float(kinks[at])
    return float(kinks[at] - left[at] / (l2 * K))

"""One strength from w = 0, by row-wise passes over a CSR of ones. Knows no path and no estimators.

The set-up for path screening costs more than a single fit saves. Here a pass through the rows gives the residual, the
gradients and so a certificate. As the threshold is known, columns too short to pass it are told apart at the start, and
no column is ever written.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.compact_rows import MAX_OWN_CODES, CompactRows, is_csr_of_ones
from sparsereg.objective.certificate import squared_fenchel_gap
from sparsereg.objective.problem import Problem
from sparsereg.rows.contract import NO_COLUMNS, Coefficients
from sparsereg.rows.gram import ProductsGram
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.loop import Certificate, Options, Solution, WorkingSetGap, WorkingSetLoop
from sparsereg.solvers.newton import newton
from sparsereg.solvers.working_set import MAX_PRODUCTS, Position

__all__ = ["SingleFit"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


# Columns added at a time, the nearest first: so many and twice the active ones.
MIN_ADDED_ROW_WISE = 50
# Columns in the working set and over their threshold beyond which row-wise passes are the wrong tool: for a moment the
# working set's products are a dense square, here of 32 MB.
MAX_ROW_WISE = 2000
# A fit goes on beyond what it was asked for, for as many epochs again or at least so many.
MIN_POLISHING = 100
# A residual may grow by so much on the way before more columns have to be looked at.
GROWTH = 1.05
NO_LIMIT = 2**62


class TooManyColumns(Exception):
    """Row-wise passes are the wrong tool for so many columns."""


class SingleFit(WorkingSetLoop):
    """Solves one problem at one strength, if it `suits`.

    Parameters
    ----------
    problem : Problem
    alpha, l1_ratio : float
    options : Options
    """

    def __init__(self, problem: Problem, alpha: float, l1_ratio: float, options: Options) -> None:
        working_set = GramCD(
            problem.quadratic, ProductsGram(lambda new, cols: self._rows.gram(cols, self._lengths(new)))
        )
        super().__init__(problem.quadratic, l1_ratio, options, working_set)
        working_set.set_strength(alpha, l1_ratio)
        self.problem, self.alpha, self.threshold = problem, alpha, problem.weight_sum * alpha * l1_ratio
        self._lengths = problem.rows.lengths
        self._epochs, self._limit, self._certified_at = 0, options.max_iter, -1
        self._best: Solution | None = None
        self._projects = False  # a pass says more

    @staticmethod
    def suits(problem: Problem, alpha: float, l1_ratio: float) -> bool:
        """Whether X is a CSR of ones without weights and penalty factors, and 0 is within any column's threshold."""
        plain = problem.rows.s is None and isinstance(problem.penalty.l1_factor, float)
        return plain and alpha * l1_ratio > 0.0 and problem.loss.quadratic and is_csr_of_ones(problem.design)

    def solve(self, tol: float) -> Solution | None:
        """Minimise F until certified, and on to a smaller `tol`, in epochs that are not counted.

        None where so many columns matter that row-wise passes are the wrong tool."""
        y, center, gap_scale = self.problem.rows.y, self.quadratic.center, self.problem.gap_scale
        self._enough, self._close = self.options.tol * gap_scale, tol * gap_scale
        try:
            self._prepare(max(y.max() - center, center - y.min()))
            self._run(self._close * self.quadratic.weight_sum, NO_LIMIT)
        except TooManyColumns:
            return None
        epochs = self._epochs if self._certified_at < 0 else self._certified_at
        return None if self._best is None else self._best._replace(epochs=epochs)

    def gap_as_held(self, found: Solution) -> float:
        """The gap of what `solve` found, as X's type holds its coefficients."""
        held = Coefficients(found.coef.cols, found.coef.w.astype(self.problem.design.dtype).astype(np.float64))
        if np.array_equal(held.w, found.coef.w):
            return found.dual_gap
        try:
            return self._gap_at(held)[0]
        except TooManyColumns:
            return self.problem.duality_gap(held, self.alpha, self.l1_ratio)

    def _prepare(self, residual_max_abs: float) -> None:
        """Make rows of all columns that may be over their threshold while no residual is larger than about this."""
        limit = self.threshold / (GROWTH * residual_max_abs) if residual_max_abs > 0.0 else np.inf
        n_long, self._longest_short = self.problem.design.count_long(limit)
        if n_long > MAX_OWN_CODES:
            raise TooManyColumns
        self._rows = CompactRows(self.problem.design, n_long)
        self._first = self._rows.gradient_pass(self.problem.rows.y, self.quadratic.center, None)
        self._constant = np.flatnonzero(self.quadratic.moments(np.arange(n_long)).centered_sq_norm == 0.0)

    def _gap_at(self, coef: Coefficients) -> tuple[float, float, Vector]:
        """The gap of F, `|r|^2`, and the dual magnitude of each long column outside the working set.

        Short ones are certified by Hoelder: `|x_j' r| <= length_j max |r|`."""
        quadratic = self.quadratic
        rr, max_abs, c = self._first
        if coef.w.size:
            w = np.zeros(c.size)
            w[coef.cols] = coef.w
            base = quadratic.base(float(quadratic.moments(coef.cols).sums @ coef.w))
            rr, max_abs, c = self._rows.gradient_pass(self.problem.rows.y, base, w)
        if self._longest_short * max_abs > self.threshold * (1.0 - 1e-9):
            self._prepare(max_abs)
            return self._gap_at(coef)
        magnitude = quadratic.penalty.dual_magnitude(c)
        cols = np.union1d(np.flatnonzero(magnitude > self.threshold), coef.cols)
        l1, l2 = quadratic.penalty.strengths(quadratic.weight_sum * self.alpha, self.l1_ratio, cols)
        gap = quadratic.gap_from(coef, l1, l2, squared_fenchel_gap(rr), cols, c[cols])
        magnitude[self.working_set.cols] = magnitude[self._constant] = 0.0
        return gap, rr, magnitude

    def _certify(self, own: WorkingSetGap, target: float) -> Certificate:  # noqa: ARG002 - a pass says more
        """By a pass through all rows; remembers the best point."""
        coef = self.working_set.coefficients()
        gap, rr, magnitude = self._gap_at(coef)
        scaled = gap * self.quadratic.weight_sum
        if self._best is None or gap < self._best.dual_gap:
            self._best = self._solution(coef, Certificate(scaled, rr, NO_COLUMNS), 0)._replace(dual_gap=gap)
        if self._certified_at < 0 and gap <= self._enough:
            self._certified_at, self._limit = self._epochs, self._epochs + max(MIN_POLISHING, self._epochs)
        over = int(np.count_nonzero(magnitude > self.threshold))
        if gap <= self._close or self._epochs >= self._limit or not over:
            return Certificate(scaled, rr, NO_COLUMNS)
        if over + self.working_set.m > MAX_ROW_WISE:
            raise TooManyColumns
        most = MAX_ROW_WISE - self.working_set.m
        limit = min(MIN_ADDED_ROW_WISE + 2 * int(np.count_nonzero(self.working_set.w)), most)
        return Certificate(scaled, rr, self._nearest(np.arange(magnitude.size), magnitude, self.threshold, limit))

    def _add(self, cols: Int) -> None:
        if cols.size:
            self.working_set.add(cols, self._first[2][cols])

    def _descend(
        self,
        target: float,  # noqa: ARG002
        max_epochs: int,  # noqa: ARG002
        dual: Position | None = None,  # noqa: ARG002
    ) -> tuple[int, bool, WorkingSetGap]:
        """Until the working set's gap is small enough, and from there on until it is close; a Newton step then costs
        little.

        Only epochs of the first part count. The second lowers the objective, but may leave a larger gap: then it is
        undone."""
        working_set, weight_sum = self.working_set, self.quadratic.weight_sum
        limit = self._limit - self._epochs
        if not working_set.m:
            return 0, True, self._own_gap()
        epochs, _, own = super()._descend(self._enough * weight_sum, limit)
        if epochs < limit:
            spare, w, gap = max(MIN_POLISHING, epochs), working_set.w.copy(), own(0.0)
            super()._descend(self._close * weight_sum, spare - newton(working_set, min(MAX_PRODUCTS, spare))[0])
            newton(working_set, MAX_PRODUCTS)
            if self._own_gap()(0.0) > max(gap, self._close * weight_sum):
                working_set.set_w(w)
        self._epochs += epochs
        return epochs, True, own

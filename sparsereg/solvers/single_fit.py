"""One strength from nothing: a working set that grows by whole sweeps through the rows of X. Knows no path and no estimators.

Along a path nearly every column is left alone, thanks to bounds, and to columns and products that stand ready; one fit alone would not live
to see what preparing them saves. Here a sweep through the rows of a CSR of ones gives the residual, the gradients and so a certificate.
The threshold being known, columns too light to get over it are told apart at the start, and no column is ever written.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, Matrix
from sparsereg.data.compact_rows import MAX_OWN_CODES, CompactRows, is_csr_of_ones
from sparsereg.objective.problem import Coefficients, Problem
from sparsereg.solvers.gram_cd import GramDescent
from sparsereg.solvers.working_set import MOST_PRODUCTS, NEAR, Solution, Solver, nowhere

__all__ = ["ColdSolver"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Columns taken in at a time, the nearest first: so many and twice those in use.
SOME = 50
# Members and columns over their threshold beyond which sweeps are the wrong tool: for a moment the members' products are a dense square,
# here of 32 MB.
MOST = 2000
# A fit goes on beyond what it was asked for, for as many epochs again or at least so many.
SPARE = 100
# A residual may grow by so much on the way before more columns have to be looked at.
MARGIN = 1.05


class SweptDescent(GramDescent):
    """Coordinate descent on a Gram whose entries come from sweeps."""

    def take_in(self, cols: Int, at_zero: Vector, rows: CompactRows) -> None:
        """Make members of these heavy columns, whose gradients at w = 0 are known."""
        self._at_zero, self._rows = at_zero, rows
        self.add(cols)

    def _new_store(self) -> GramStore:
        none = np.zeros(0, dtype=np.int32)
        return GramStore(Matrix(0, none, none, none, 0), None)

    def _gradient_at_zero(self, cols: Int, sums: Vector) -> Vector:  # noqa: ARG002 - they are known
        return self._at_zero

    def _added(self, cols: Int) -> None:
        self.store.append_products(self._rows.gram(self.cols, self.problem.design.lengths(cols)))
        self._refresh()


class ColdSolver(Solver):
    """Solves one problem at one strength, if it `suits`.

    Parameters
    ----------
    problem, l1_ratio, tol, max_iter, rng
        As for `Solver`.
    alpha : float
    """

    descent: SweptDescent

    def __init__(
        self,
        problem: Problem,
        alpha: float,
        l1_ratio: float,
        tol: float,
        max_iter: int,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.problem, self.l1_ratio, self.tol, self.max_iter, self.rng = problem, l1_ratio, tol, max_iter, rng
        self.alpha, self.threshold = alpha, problem.weight_sum * alpha * l1_ratio
        self.descent = SweptDescent(problem)
        self.descent.set_strength(alpha, l1_ratio)

    @staticmethod
    def suits(problem: Problem, alpha: float, l1_ratio: float) -> bool:
        """Whether X can be swept, no more than its number of entries need be known of a column, and 0 is within any column's threshold."""
        plain = problem.s is None and isinstance(problem.penalty.l1_factor, float)
        return plain and alpha * l1_ratio > 0.0 and is_csr_of_ones(problem.design)

    def solve_at(self, tol: float) -> Solution | None:
        """Minimise F until certified, and on to a smaller `tol`, in epochs that are not counted.

        The gap is `problem.duality_gap`. None where so many columns matter that sweeps are the wrong tool."""
        problem, descent = self.problem, self.descent
        enough, close = self.tol * problem.gap_scale, tol * problem.gap_scale
        epochs, most, certified, best = 0, self.max_iter, None, None
        at, y = nowhere(), problem.y
        if not self._prepare(max(y.max() - problem.centre, problem.centre - y.min())):
            return None
        while True:
            swept = self._certify_at(at)
            if swept is None:
                return None
            gap, rr, reach = swept
            if best is None or gap < best.dual_gap:
                best = Solution(at, problem.design.columns[at.cols], problem.intercept(at), gap, 0, rr)
            if certified is None and gap <= enough:
                certified, most = epochs, epochs + max(SPARE, epochs)
            over = np.count_nonzero(reach > self.threshold)
            if gap <= close or epochs >= most or not over:
                break
            if over + descent.m > MOST:
                return None
            new = self._nearest(reach)
            descent.take_in(new, self._at_zero[new], self._rows)
            epochs += self._descend_closely(enough, close, most - epochs)
            at = descent.coefficients()
        return replace(best, epochs=epochs if certified is None else certified)

    def gap_as_held(self, found: Solution) -> float:
        """The gap of what `solve_at` found, as X's type holds its coefficients."""
        held = Coefficients(found.at.cols, found.at.w.astype(self.problem.design.dtype).astype(np.float64))
        if np.array_equal(held.w, found.at.w):
            return found.dual_gap
        swept = self._certify_at(held)
        return self.problem.duality_gap(held, self.alpha, self.l1_ratio) if swept is None else swept[0]

    def _prepare(self, peak: float) -> bool:
        """Make rows of all columns that may be over their threshold while no residual is larger than about `peak`; False for too many."""
        n_heavy, self._longest_light = self.problem.design.count_long(
            self.threshold / (MARGIN * peak) if peak > 0.0 else np.inf
        )
        if n_heavy > MAX_OWN_CODES:
            return False
        self._rows = CompactRows(self.problem.design, n_heavy)
        self._first = self._rows.gradient_pass(self.problem.y, self.problem.centre, None)
        self._at_zero = self._first[2]
        self._constant = np.flatnonzero(self.problem.stats(np.arange(n_heavy)).sq == 0.0)
        return True

    def _certify_at(self, at: Coefficients) -> tuple[float, float, Vector] | None:
        """The gap, `|r|^2`, and the reach of each heavy column that is not a member; None where too many columns matter.

        Light ones are certified by Hoelder: `|x_j' r| <= length_j max |r|`."""
        problem = self.problem
        rr, peak, c = self._first
        if at.w.size:
            w = np.zeros(c.size)
            w[at.cols] = at.w
            mean = float(problem.stats(at.cols).sums @ at.w) / problem.weight_sum
            rr, peak, c = self._rows.gradient_pass(problem.y, problem.centre - mean, w)
        if self._longest_light * peak > self.threshold * (1.0 - 1e-9):
            return self._certify_at(at) if self._prepare(peak) else None
        reach = problem.penalty.dual_magnitude(c)
        here = np.union1d(np.flatnonzero(reach > self.threshold), at.cols)
        gap = problem.gap_from(at, self.alpha, self.l1_ratio, rr, here, c[here])
        reach[self.descent.cols] = reach[self._constant] = 0.0
        return gap, rr, reach

    def _nearest(self, reach: Vector) -> Int:
        """Columns over their threshold, or nearly; not all at once, and no more members than sweeps are right for."""
        near = np.flatnonzero(reach > NEAR * self.threshold)
        most = min(SOME + 2 * int(np.count_nonzero(self.descent.w)), MOST - self.descent.m)
        return near if near.size <= most else near[np.argpartition(-reach[near], most)[:most]]

    def _descend_closely(self, enough: float, close: float, most: int) -> int:
        """Until the members' gap is small enough, and from there on until it is close; a Newton step then costs next to nothing.

        Returns the epochs of the first part. The second lowers the objective, but may leave a larger gap: then it is undone."""
        descent, weight_sum = self.descent, self.problem.weight_sum
        epochs, _, here = self._descend(enough * weight_sum, most)
        if epochs < most:
            spare, w, gap = max(SPARE, epochs), descent.w.copy(), here(0.0)
            self._descend(close * weight_sum, spare - descent.newton(min(MOST_PRODUCTS, spare)))
            descent.newton(MOST_PRODUCTS)
            if self._members_gap()(0.0) > max(gap, close * weight_sum):
                descent.set_w(w)
        return epochs

"""One strength at a time: working sets, screening by bounds, and the certificate. Knows no estimators.

The loop at one alpha: descend over the members until their own gap is small; certify with bounds on everyone else; where a
bound does not hold a column down, visit it, and take it in if it is over its threshold. A solver keeps its members, and
what it knows of the others, from one alpha to the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import FEW_DENSE
from sparsereg.objective.problem import MOST_LOOSE, Coefficients, Problem, combine_gap
from sparsereg.solvers.gram_cd import GramDescent
from sparsereg.solvers.residual_cd import Descent, ProximalGradient, ResidualDescent
from sparsereg.solvers.screening import Screen

__all__ = ["SOLVERS", "Solution", "Solver"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

SOLVERS = ("auto", "cd", "prox_gradient")

# Epochs between two looks at the members' gap: a look costs about as much as an epoch.
CHUNK = 10
# The members' own gap is brought to this share of the target, so that bounds on the others may cost the rest.
INNER_SHARE = 0.3
# A visited column within this share of its threshold is taken in too: it would be next. But in one round no more, the nearest
# first, than so many and twice those in use: at a cold start most that are over their threshold are not when the first are in.
NEAR = 0.95
SOME = 10
# Where a chunk of epochs leaves more than this share of the gap, coordinate descent crawls: a Newton step is tried, of at
# most so many products with the Gram.
SLOW = 0.3
MOST_PRODUCTS = 50
# Columns taken in between two looks at the size of the Gram.
BATCH = 256
# Entries that are nothing: a Gram of this size (6 MB) is never too large.
SMALL = 500_000
# Steps whose decrease is below this share of |y|^2 are rounding: coordinate descent has nothing left to do.
ROUNDING = 1e-32
# Gaps below this share of |y|^2 differ by rounding.
LAST_DIGITS = 1e-12


@dataclass(frozen=True)
class Solution:
    """Coefficients at one strength with their certificate.

    Attributes
    ----------
    at : Coefficients
        Non-zero ones.
    columns : int array of shape (at.w.size,)
        Where they stand in X; `at` has the numbers that the design gave them then.
    intercept : float
    dual_gap : float
        Upper bound on `F - min F`, in the units of F.
    epochs : int
    squared_residual : float
        `|r|_s^2`, centred.
    """

    at: Coefficients
    columns: NDArray[Any]
    intercept: float
    dual_gap: float
    epochs: int
    squared_residual: float


@dataclass(frozen=True)
class Certificate:
    """A gap of `S F`, and how many columns were taken in because they stand in the way of a smaller one."""

    gap: float
    squared_residual: float
    taken: int


@dataclass(frozen=True)
class MembersGap:
    """The members' part of a certificate, and their gradient; called with the largest bound of the others over its threshold, the gap."""

    terms: dict[str, float]
    rr: float
    extra: float
    c: Vector

    def __call__(self, outside: float) -> float:
        return combine_gap(self.terms, self.rr, outside) + 0.5 * self.extra


class Solver:
    """Solves one problem at any sequence of strengths, each from where the last one ended.

    Parameters
    ----------
    problem : Problem
    l1_ratio : float
    tol : float
        Target of `dual_gap / gap_scale`.
    max_iter : int
        Most epochs at one strength.
    method : {"auto", "cd", "prox_gradient"}
        "cd" is coordinate descent, on the members' Gram while that is small and on the residual afterwards;
        "auto" is "cd" today.
    rng : numpy.random.Generator or None
        Visit coordinates in random order instead of cyclically.
    c : float64 array of shape (n_cols,), optional
        The gradient at w = 0 where it is known.
    """

    _crawled = False  # whether a chunk of epochs was once not enough

    def __init__(
        self,
        problem: Problem,
        l1_ratio: float,
        tol: float,
        max_iter: int,
        method: str = "auto",
        rng: np.random.Generator | None = None,
        c: Vector | None = None,
    ) -> None:
        self.l1_ratio, self.tol, self.max_iter, self.rng = l1_ratio, tol, max_iter, rng
        self._make = ProximalGradient if method == "prox_gradient" else GramDescent
        self._begin(problem, c)

    def _begin(self, problem: Problem, c: Vector | None) -> None:
        """At w = 0."""
        self.problem, self._peak = problem, np.inf
        self._largest_weight = 1.0 if problem.s is None else float(problem.s.max())
        self.descent: Descent = self._make(problem)
        c = self.descent.gradient_of(None) if c is None else c
        if isinstance(self.descent, GramDescent):
            self.descent.watch(c)
        self.screen = Screen(problem, c)
        self._take_unpenalised()
        self._mark(self.descent.gradient())

    def _take_unpenalised(self) -> None:
        """Columns of penalty factor 0 are members from the start; the rest is screened from their least squares."""
        factor = self.screen.factor
        if factor is None or not (factor == 0.0).any():
            return
        free = factor == 0.0
        loose = np.flatnonzero(free & (self.screen.norm2 >= 0.0))
        self.screen.drop(np.flatnonzero(free))
        self._take_in(loose)
        if loose.size <= MOST_LOOSE and not self.problem.penalty.positive:
            self.descent.set_w(self.problem.eliminated(loose, self.descent.gradient())[0])
        self._descend(LAST_DIGITS * self.problem.null_deviance, self.max_iter)
        self.screen.visited_all(self.descent.gradient_of(None))

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalised coefficient is 0. Only before the first `solve`."""
        if self._light(self.screen.top) > self.screen.top:
            self._take_all_back()
        return self.screen.top / (self.problem.weight_sum * self.l1_ratio)

    def start_from(self, at: Coefficients) -> None:
        """Begin at given coefficients instead of 0."""
        new = np.setdiff1d(at.cols, self.descent.cols)
        self._take_in(new[self.screen.norm2[new] >= 0.0])
        w = dict(zip(at.cols.tolist(), at.w.tolist(), strict=True))
        self.descent.set_w(np.array([w.get(j, 0.0) for j in self.descent.cols.tolist()]))
        self._travel(self.descent.gradient())

    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        problem = self.problem
        self.descent.set_strength(alpha, self.l1_ratio)
        threshold = problem.weight_sum * alpha * self.l1_ratio
        target = self.tol * problem.null_deviance
        epochs = 0
        while True:
            done, stalled, members = self._descend(target, self.max_iter - epochs)
            epochs += done
            found = self._certify(members, threshold, target)
            if found.gap <= target or (stalled and not found.taken) or epochs >= self.max_iter:
                break
        at = self.descent.coefficients()
        gap = found.gap / problem.weight_sum
        intercept = self.problem.intercept(at, float(self.descent.sums @ self.descent.w))
        columns = self.problem.design.columns[at.cols]
        return Solution(at, columns, intercept, gap, epochs, found.squared_residual)

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """`solve`, and once certified on to a smaller `tol`, for about as many epochs again, which are not counted.

        It begins with a Newton step on the support, which near the minimum is nearly all there is to do."""
        found, usual = self.solve(alpha), (self.tol, self.max_iter)
        if found.dual_gap > self.tol * self.problem.gap_scale:
            return found
        room = max(100, found.epochs)
        spent = self.descent.newton(min(MOST_PRODUCTS, room))
        self.tol, self.max_iter = tol, room - spent
        try:
            closer = self.solve(alpha)
        finally:
            self.tol, self.max_iter = usual
        good = max(found.dual_gap, max(tol, LAST_DIGITS) * self.problem.gap_scale)
        return replace(closer if closer.dual_gap <= good else found, epochs=found.epochs)

    # ---- descending ------------------------------------------------------------------------------------------------

    def _descend(self, target: float, max_epochs: int) -> tuple[int, bool, MembersGap]:
        """Until the members' own gap is a share of the target. Returns the epochs, whether only rounding was left, and that gap."""
        descent, epochs = self.descent, 0
        rounding = ROUNDING * self.problem.null_deviance
        gap, here = np.inf, None
        if self._crawled and max_epochs > CHUNK and descent.newton_is_cheap():
            epochs = descent.newton(1)  # where the support stays, that is all there is to do
            here = self._members_gap()
            gap = here(0.0)
        while epochs < max_epochs and gap > INNER_SHARE * target:
            chunk = min(CHUNK, max_epochs - epochs)
            done = descent.descend(chunk, rounding, self._order())
            epochs += done
            here = self._members_gap()
            if done < chunk:
                return epochs, True, here
            before, gap = gap, here(0.0)
            if gap <= INNER_SHARE * target:
                break
            if before <= gap <= LAST_DIGITS * self.problem.null_deviance:
                return epochs, True, here
            self._crawled = True
            if gap > SLOW * before and epochs < max_epochs:
                epochs += descent.newton(min(MOST_PRODUCTS, max_epochs - epochs))
                here = None
        return epochs, False, here or self._members_gap()

    def _members_gap(self) -> MembersGap:
        """What the members bring to the duality gap here."""
        descent, problem = self.descent, self.problem
        c = at = descent.gradient()
        rr, extra = descent.squared_residual(c), 0.0
        if descent.loose.size:
            extra, at = problem.project_out(descent.loose, c, descent.cols)
        return MembersGap(problem.penalty.gap_sums(descent.w, at, descent.l1, descent.l2), rr, extra, c)

    def _order(self) -> Int:
        return np.arange(self.descent.m) if self.rng is None else self.rng.permutation(self.descent.m)

    # ---- certifying ------------------------------------------------------------------------------------------------

    def _mark(self, c: Vector) -> None:
        self._w_mark, self._c_mark = self.descent.w.copy(), c

    def _travel(self, c: Vector) -> None:
        """Tell all that holds bounds how far the residual has moved since the mark, which comes here."""
        distance2, distance1 = self._distance(c)
        self.screen.travel(distance2, distance1)
        self._peak += distance1 * self._largest_weight
        self._mark(c)

    def _certify(self, members: MembersGap, threshold: float, target: float) -> Certificate:
        """The duality gap here, true also for columns that were not visited.

        Where bounds alone leave it over the target, the columns that none holds down are visited, and those over their
        threshold, or nearly, become members."""
        self._travel(members.c)
        aside = float(np.sqrt(members.extra))
        candidates, most, others = self.screen.over(threshold, aside)
        light = self._light(threshold)
        others = max(others, light)
        gap = members(_share(max(most, others), threshold))
        if gap > target and light > threshold:
            self._take_all_back()
            return Certificate(gap, members.rr, 1)
        if gap <= target or not candidates.size:
            return Certificate(gap, members.rr, 0)
        reach, most = self.screen.visited(candidates, self.descent.gradient_of(candidates), aside)
        gap = members(_share(max(most, others), threshold))
        return Certificate(gap, members.rr, self._take_in_nearest(candidates, reach, threshold))

    def _light(self, threshold: float) -> float:
        """The largest that the gradient of a column can be that was left out as too light; see `light.py`."""
        length = self.problem.design.eliminated_length
        if length and length * self._peak > threshold:
            at, problem = self.descent, self.problem
            base = problem.centre - float(at.sums @ at.w) / problem.weight_sum
            self._peak = problem.design.matrix.residual_max_abs(at.w, at.cols, problem.y, base, problem.s)
        return length * self._peak if length else 0.0

    def _take_all_back(self) -> None:
        """Columns that were left out may matter after all: go on with all of them, from the same coefficients."""
        old, problem = self.descent, self.problem
        at, design = old.coefficients(), problem.design.restore_eliminated()
        moved = np.where(at.cols < problem.design.n_ones, 0, design.n_cols - problem.design.n_cols)
        self._begin(problem.on(design), None)
        self.descent.set_strength(old._scale / problem.weight_sum, self.l1_ratio)
        self.start_from(Coefficients(at.cols + moved, at.w))

    def _distance(self, c: Vector) -> tuple[float, float]:
        """How far the residual is from the mark, from above: `|d|_2`, and `|d - mean|_max`.

        `|X step|^2 = step'(c_mark - c)`; a row meets at most `max_row_length` of the steps."""
        descent, longest = self.descent, self.problem.design.max_row_length
        step = descent.w - self._w_mark
        rounding = 1e-14 * float(np.abs(step) @ (np.abs(c) + np.abs(self._c_mark) + np.abs(descent.c0)))
        squared = max(float(step @ (self._c_mark - c)), 0.0)
        sizes = np.abs(step) * descent.peak
        if sizes.size > longest:
            sizes = np.partition(sizes, sizes.size - longest)[-longest:]
        mean = abs(float(descent.sums @ step)) / self.problem.weight_sum
        return float(np.sqrt(squared + rounding)), (float(sizes.sum()) + mean) * (1 + 1e-12)

    # ---- taking in -------------------------------------------------------------------------------------------------

    def _take_in_nearest(self, visited: Int, reach: Vector, threshold: float) -> int:
        """Make members of those over their threshold, or nearly. Returns how many."""
        nearest = np.flatnonzero(reach > NEAR * threshold)
        most = SOME + 2 * np.count_nonzero(self.descent.w)
        if nearest.size > most:
            nearest = nearest[np.argpartition(-reach[nearest], most)[:most]]
        cols = visited[nearest]
        if cols.size and not self.descent.m:
            first = self._few_dense()
            cols = np.concatenate([first, np.setdiff1d(cols, first)])
        self._take_in(cols)
        return nearest.size

    def _few_dense(self) -> Int:
        """A few dense columns among sparse ones go first: what they have with the watched columns is then known when those
        come in, and not gathered row by row from as many places."""
        matrix = self.problem.design.matrix
        dense = np.arange(matrix.n_sparse, matrix.shape[1])
        if dense.size > FEW_DENSE or not isinstance(self.descent, GramDescent) or not self.descent.watched.size:
            return dense[:0]
        return dense[self.screen.norm2[dense] >= 0.0]

    def _take_in(self, cols: Int) -> None:
        """Make members of these columns; a batch at a time, so that a Gram that grows too large is given up in time."""
        for begin in range(0, cols.size, BATCH):
            batch = cols[begin : begin + BATCH]
            self.descent.add(batch)
            self.screen.drop(batch)
            if isinstance(self.descent, GramDescent) and self._gram_is_too_large(self.descent):
                self._give_up_gram(self.descent)
        if cols.size:
            self._mark(self.descent.gradient())

    def _gram_is_too_large(self, descent: GramDescent) -> bool:
        """When an epoch on the Gram reads more than one on the residual, or the Gram outgrows X.

        On the Gram only coordinates that move are read, each a whole column; on the residual every member is read once,
        and those that move twice."""
        used, share = descent.store.used, np.count_nonzero(descent.w) / descent.m
        epoch_on_residual = (1.0 + share) * descent.nnz
        return bool(used * share > epoch_on_residual + SMALL or used > self.problem.design.nnz + SMALL)

    def _give_up_gram(self, old: GramDescent) -> None:
        new = ResidualDescent(self.problem)
        new.add(old.cols)
        new.set_strength(old._scale / self.problem.weight_sum, self.l1_ratio)
        new.set_w(old.w)
        self.descent = new


def _share(reach: float, threshold: float) -> float:
    """How much of its threshold a gradient reaches."""
    return reach / threshold if threshold > 0.0 else (np.inf if reach > 0.0 else 0.0)


def nowhere() -> Coefficients:
    """w = 0."""
    return Coefficients(np.empty(0, dtype=np.int64), np.empty(0))

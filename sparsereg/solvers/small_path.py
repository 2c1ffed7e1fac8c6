"""Strengths of a small problem, many in one call: on the dense Gram matrix of few columns. Knows no estimators.

A strength of `PathSolver` takes a hundred calls of Python and NumPy, which on small data cost many times what they
compute. The kernel goes from strength to strength by itself, on the columns so far; a pass over X for each certifies
what it found, or shows which columns are missing. A strength that it does not solve in few steps is left to
`PathSolver`, as are those of large problems.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import SmallPath, gap_sums_at
from sparsereg.objective.certificate import combine_gap, squared_fenchel_gap
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import GapTerms
from sparsereg.rows.contract import NO_COLUMNS, Coefficients
from sparsereg.rows.memory import MemoryRows
from sparsereg.solvers.gap_rounding import EPS, HIDDEN, length_of
from sparsereg.solvers.loop import NEAR, Options, Solution

__all__ = ["SmallSolver", "SolvedTogether", "small_solver"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# `PathSolver` could read so many entries of X in the time that Python takes for a strength: X is to have no more, nor
# the Gram matrix of all columns for each strength if it is made at once.
ENTRIES_PER_STRENGTH = 2_000_000
# The same where strengths take `PathSolver` so many Newton steps that columns enter few at a time.
ENTERING_ENTRIES = 20_000_000
# The most columns of the Gram matrix (8 MB, and as much work space); more than FREE_COLUMNS only while both together
# take no more than X.
MAX_COLUMNS = 1000
FREE_COLUMNS = 500
# Steps at one strength after which it is left to `PathSolver`.
MAX_STEPS = 100
# And multiplications: these, or as many as take about as long as the last strength that `PathSolver` solved. Those of a
# dense factor are so many times as fast as those of an epoch.
MAX_WORK = 4_000_000
FACTOR_SPEED = 4
# Strengths in one call, at most, so that a path may end early. A pass over X certifies eight.
AHEAD = 24
# The kernel's gap is brought to this share of the target: columns outside may cost the rest.
SHARE = 0.5
# Columns whose products are worked out at once.
COLUMNS_AT_ONCE = 64
# Columns added at once, at least, and for each active one.
MIN_ADDED, ADDED_PER_ACTIVE = 10, 2


class SolvedTogether:
    """Strengths that are solved several at once, and handed out one by one."""

    def __init__(self, small: SmallSolver | None) -> None:
        self._small = small
        self._known, self._alphas = list[Solution](), list[float]()  # those to come, the next one last
        self._pause = self._pauses = 0

    @property
    def is_useful(self) -> bool:
        """Whether `first` may know anything."""
        return self._small is not None or bool(self._known)

    def allow_work(self, multiplications: int) -> None:
        """Allow later strengths the time that `PathSolver` needed for one, by the multiplications of its epochs."""
        if self._small is not None:
            self._small.max_work = max(MAX_WORK, FACTOR_SPEED * multiplications)

    def first(self, last: Coefficients, alphas: Vector) -> Solution | None:
        """The solution at the first of these strengths, from `last` on; None where it is better found by itself: then
        the next few are too, twice as many each time."""
        if not (self._alphas and self._alphas[-1] == alphas[0]):
            self._known, self._alphas = [], []
            if self._small is None:
                return None
            if self._pause:
                self._pause -= 1
                return None
            found, hard = self._small.solve(last, alphas)
            self._known, self._alphas = found[::-1], alphas[: len(found)].tolist()[::-1]
            self._pauses = 0 if found else self._pauses
            if self._small.is_full:
                self._small = None  # and its matrices: active columns only become more
            elif hard:
                self._pause, self._pauses = self._pauses, 2 * self._pauses + 1
        if not self._known:
            return None
        self._alphas.pop()
        return self._known.pop()


def small_solver(
    quadratic: Quadratic, l1_ratio: float, options: Options, alphas: Vector, enters: bool = False
) -> SmallSolver | None:
    """A solver of some of these strengths at once, if that is cheaper than one by one: not on sparse columns, of which
    coordinates find hundreds at once, as they share few rows. `enters`: whether `PathSolver` has columns enter few at
    a time, and has no solver yet."""
    rows, penalty = quadratic.rows, quadratic.penalty
    if (
        not (isinstance(rows, MemoryRows) and rows.is_dense)
        or penalty.kernel is None
        or options.method != "auto"
        or options.rng
    ):
        return None
    least, most = (ENTRIES_PER_STRENGTH, ENTERING_ENTRIES) if enters else (0, ENTRIES_PER_STRENGTH)
    if not least < rows.nnz <= most or not quadratic.null_deviance > 0.0:
        return None
    l1, l2 = penalty.strengths(1.0, l1_ratio, np.arange(rows.n_cols))
    if not (l1 > 0.0).all():
        return None
    solver = SmallSolver(quadratic, options, l1, l2)
    if rows.n_cols <= solver.most and 0.5 * rows.n_cols * rows.nnz <= alphas.size * ENTRIES_PER_STRENGTH:
        solver.add_all()
    return solver


class SmallSolver:
    """The squared loss on few rows or columns, all of these penalized.

    Parameters
    ----------
    quadratic : Quadratic
        Over rows in memory.
    options : Options
    l1, l2 : float64 arrays of shape (n_cols,)
        Strengths of the columns for `S * alpha = 1`.

    Attributes
    ----------
    cols : int64 array
        The columns of the Gram matrix.
    is_full : bool
        Whether it would need more than it may have.
    max_work : int
        Multiplications at one strength after which it is left to `PathSolver`.
    """

    def __init__(self, quadratic: Quadratic, options: Options, l1: Vector, l2: Vector) -> None:
        self.quadratic, self.options, self._l1, self._l2 = quadratic, options, l1, l2
        self._rows = cast(MemoryRows, quadratic.rows)
        self._sums, self._sq = quadratic.moments()[:2]
        self.constant = self._sq == 0.0
        self._lengths = length_of(quadratic, self._sq, self._sums)
        with np.errstate(over="ignore"):
            self._steepest = float((self._lengths / l1).max())
        self._c0 = self._rows.gradients(None, quadratic.center)
        self._target = options.tol * quadratic.null_deviance
        self._gram, self.cols = np.empty((0, 0)), np.empty(0, dtype=np.int64)
        self._run, self._last_run = 0, 0.0  # strengths that the columns have sufficed for, and those before the last
        self.most, self.is_full = min(MAX_COLUMNS, max(FREE_COLUMNS, math.isqrt(self._rows.nnz // 2))), False
        self.max_work = MAX_WORK
        self._may_leave = True  # columns from the Gram matrix, the next time that there is no room
        fit_into_x = self._rows.nnz // (self._rows.n_rows + 2 * self._rows.n_cols)  # they take no more than X
        self._most_ahead = min(max(fit_into_x, 1), AHEAD)
        self._outside = np.where(self.constant, np.inf, l1)  # infinite for columns that are never to be added

    def solve(self, coef: Coefficients, alphas: Vector) -> tuple[list[Solution], bool]:
        """The solutions at the first of these strengths, none or some, each certified, from those of `coef` on; and
        whether the next is to be left to `PathSolver`."""
        if not self._has_room(new := np.setdiff1d(coef.cols, self.cols), coef.cols):
            return [], True
        self.add(new)
        scales, solutions = self.quadratic.weight_sum * alphas[:AHEAD], list[Solution]()
        with np.errstate(under="ignore"):
            usable = scales * float(self._l1.min()) > np.finfo(float).tiny
        scales = scales if usable.all() else scales[: int(usable.argmin())]
        while len(solutions) < scales.size:
            todo = scales[len(solutions) : len(solutions) + self._n_ahead()]
            last = solutions[-1].coef if solutions else coef
            W, steps = self._on_members(last, todo)
            if not len(W):
                return solutions, True
            found, c = self._certified(W, todo, steps)
            solutions += found
            self._run += len(found)
            self._may_leave |= bool(found)
            if (n := len(found)) == todo.size:
                continue
            missing = self._missing(W[n], c[n], float(todo[n])) if n < len(W) else NO_COLUMNS
            if not missing.size:
                return solutions, True
            if not self._has_room(missing, np.union1d(last.cols, self.cols[W[n] != 0.0])):
                return solutions, True
            self._run, self._last_run = 0, self._run
            self.add(missing)
        return solutions, scales.size == 0

    def _n_ahead(self) -> int:
        """How many strengths to solve at once: those after one for which columns are missing are in vain. Columns are
        expected to suffice as long as the last did; beyond, one strength, one, two, four..."""
        further = self._run - self._last_run
        return int(min(-further if further < 0 else max(further, 1), self._most_ahead))

    def _has_room(self, new: Int, active: Int) -> bool:
        """Whether these columns may join. Where there is no room, columns that are not active leave: not while they are
        few, nor twice without a solution in between, as then most would join again."""
        if self.cols.size + new.size > self.most:
            self.is_full = not self._may_leave or 2 * (active.size + new.size) > self.most
            if not self.is_full:
                self._keep(active)
        return not self.is_full

    def _keep(self, cols: Int) -> None:
        """Only these in the Gram matrix; columns are to be added next."""
        self._outside[self.cols] = self._l1[self.cols]
        (stay,) = np.isin(self.cols, cols).nonzero()
        self.cols, self._gram = self.cols[stay], self._gram[np.ix_(stay, stay)]
        self._outside[self.cols], self._may_leave = np.inf, False

    def add_all(self) -> None:
        """All columns for the Gram matrix: none will be missing."""
        self.add(np.flatnonzero(~self.constant))
        self._last_run = math.inf

    def add(self, cols: Int) -> None:
        """Columns for the Gram matrix."""
        if not cols.size:
            return
        rows, m = self._rows, self.cols.size
        self.cols = np.concatenate([self.cols, cols])
        sums, gram = self._sums[self.cols], np.empty((self.cols.size, self.cols.size))
        gram[:m, :m] = self._gram
        for begin in range(m, self.cols.size, COLUMNS_AT_ONCE):
            block = slice(begin, min(begin + COLUMNS_AT_ONCE, self.cols.size))
            so_far = self.cols[: block.stop]
            gram[block, : block.stop] = rows.design.matrix.rmatvecs(rows.weighted_columns(self.cols[block]), so_far)
            gram[block, : block.stop] -= np.outer(sums[block], sums[: block.stop] / self.quadratic.weight_sum)
            gram[:begin, block] = gram[block, :begin].T
        gram[np.arange(m, self.cols.size), np.arange(m, self.cols.size)] = self._sq[cols]
        self._gram, self._outside[cols] = gram, np.inf
        kernel, members = cast(int, self.quadratic.penalty.kernel), self.cols
        self._path = SmallPath(
            kernel,
            gram,
            self._c0[members],
            self._l1[members],
            self._l2[members],
            self.quadratic.null_deviance,
            SHARE * self._target,
        )

    def _on_members(self, coef: Coefficients, scales: Vector) -> tuple[NDArray[np.float64], Int]:
        """The minima over the members, rows of coefficients, from `coef` on; fewer where one takes too many steps."""
        if not self.cols.size:
            return np.zeros((scales.size, 0)), np.zeros(scales.size, dtype=np.int64)
        w = np.zeros(self._sq.size)
        w[coef.cols] = coef.w
        found, steps = self._path.solve(w[self.cols], scales, min(MAX_STEPS, self.options.max_iter), self.max_work)
        return found, steps

    def _certified(
        self, W: NDArray[np.float64], scales: Vector, steps: Int
    ) -> tuple[list[Solution], NDArray[np.float64]]:
        """Solutions, as many as are certified one after the other, their gaps by passes over X; and the gradients of
        all."""
        quadratic, members = self.quadratic, self.cols
        products_sums = W @ self._sums[members]
        c, squares = self._rows.gradients_at(members, W, quadratic.center - products_sums / quadratic.weight_sum)
        c[:, self.constant] = 0.0  # nothing but rounding
        terms = gap_sums_at(cast(int, quadratic.penalty.kernel), W, members, c, self._l1, self._l2, scales[: len(W)])
        gaps = [
            combine_gap(GapTerms(*of_one), squared_fenchel_gap(square)) + hidden
            for of_one, square, hidden in zip(terms.tolist(), squares.tolist(), self._hidden(W).tolist(), strict=True)
        ]
        n = next((i for i, gap in enumerate(gaps) if not gap <= self._target), len(gaps))
        solutions = list[Solution]()
        known = zip(gaps, steps.tolist(), squares.tolist(), products_sums.tolist(), strict=False)
        for (coef, columns), (gap, n_steps, square, products_sum) in zip(self._rows_of(W[:n]), known, strict=False):
            intercept, gap = quadratic.intercept(coef, products_sum), gap / quadratic.weight_sum
            solutions.append(Solution(coef, columns, intercept, gap, n_steps, square, None, n_steps, "small_path"))
        return solutions, c

    def _rows_of(self, W: NDArray[np.float64]) -> Iterator[tuple[Coefficients, NDArray[Any]]]:
        """The coefficients that are not 0 in each row, in the order of the columns, and their numbers in X."""
        order = self.cols.argsort()
        which, at = (W := W[:, order]).nonzero()
        cols, w = self.cols[order][at], W[which, at]
        columns, ends = self.quadratic.rows.columns[cols], which.searchsorted(np.arange(1, len(W) + 1)).tolist()
        for begin, end in zip([0, *ends], ends, strict=False):
            yield Coefficients(cols[begin:end], w[begin:end]), columns[begin:end]

    def _missing(self, w: Vector, c: Vector, scale: float) -> Int:
        """The columns outside that are in the way of a smaller gap; none if no gradient is over its threshold."""
        ratio = self.quadratic.penalty.dual_magnitude(c) / (scale * self._outside)
        near = np.flatnonzero(ratio > NEAR) if ratio.max() > 1.0 else NO_COLUMNS
        limit = MIN_ADDED + ADDED_PER_ACTIVE * int(np.count_nonzero(w))
        if near.size > limit:
            near = near[np.argpartition(-ratio[near], limit)[:limit]]
        return near

    def _hidden(self, W: NDArray[np.float64]) -> Vector:
        """What the rounding of gradients may hide in gaps, if that is more than next to nothing."""
        magnitude = np.abs(W)
        fit_bound, norm = magnitude @ self._lengths[self.cols], magnitude @ self._l1[self.cols]
        hidden = EPS * fit_bound * (self._steepest * norm + fit_bound)
        return np.where(hidden > HIDDEN * self.quadratic.null_deviance, hidden, 0.0)

"""Strengths of a small problem, many in one call: on the dense Gram matrix of few columns. Knows no estimators.

A strength of `PathSolver` takes a hundred calls of Python and NumPy, which on small data cost many times what they
compute. The kernel goes from strength to strength by itself, on the columns so far; a pass over X for each certifies
what it found, or shows which columns are missing. A strength that it does not solve in few steps is left to
`PathSolver`, as are those of large problems.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import SmallPath
from sparsereg.objective.certificate import combine_gap, squared_fenchel_gap
from sparsereg.objective.quadratic import Quadratic
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows
from sparsereg.solvers.gap_rounding import EPS, HIDDEN, length_of
from sparsereg.solvers.loop import NEAR, Options, Solution

__all__ = ["SmallSolver", "SolvedTogether", "small_solver"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# `PathSolver` could read so many entries of X in the time that Python takes for a strength: X is to have no more, nor
# the Gram matrix of all columns for each strength if it is made at once.
ENTRIES_PER_STRENGTH = 2_000_000
# The most columns of the Gram matrix (8 MB, and as much work space); more than FREE_COLUMNS only while both together
# take no more than X.
MAX_COLUMNS = 1000
FREE_COLUMNS = 500
# Steps at one strength after which it is left to `PathSolver`.
MAX_STEPS = 100
# And multiplications, which take about as long as a strength of `PathSolver`.
MAX_WORK = 1_000_000
# Strengths in one call, at most, so that a path may end early; half as many once columns were missing.
AHEAD = 20
# The kernel's gap is brought to this share of the target: columns outside may cost the rest.
SHARE = 0.5
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


def small_solver(quadratic: Quadratic, l1_ratio: float, options: Options, alphas: Vector) -> SmallSolver | None:
    """A solver of some of these strengths at once, if that is cheaper than one by one: not on sparse columns, of which
    coordinates find hundreds at once, as they share few rows."""
    rows, penalty = quadratic.rows, quadratic.penalty
    if (
        not (isinstance(rows, MemoryRows) and rows.is_dense)
        or penalty.kernel is None
        or options.method != "auto"
        or options.rng
    ):
        return None
    if not 0 < rows.nnz <= ENTRIES_PER_STRENGTH or not quadratic.null_deviance > 0.0:
        return None
    l1, l2 = penalty.strengths(1.0, l1_ratio, np.arange(rows.n_cols))
    if not (l1 > 0.0).all():
        return None
    solver = SmallSolver(quadratic, options, l1, l2)
    if rows.n_cols <= solver.most and 0.5 * rows.n_cols * rows.nnz <= alphas.size * ENTRIES_PER_STRENGTH:
        solver.add(np.flatnonzero(~solver.constant))
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
    """

    def __init__(self, quadratic: Quadratic, options: Options, l1: Vector, l2: Vector) -> None:
        self.quadratic, self.options, self._l1, self._l2 = quadratic, options, l1, l2
        self._rows = cast(MemoryRows, quadratic.rows)
        self._sums, self._sq = quadratic.moments()[:2]
        self.constant = self._sq == 0.0
        self._lengths = length_of(quadratic, self._sq, self._sums)
        self._steepest = float((self._lengths / l1).max())
        self._c0 = self._rows.gradients(None, quadratic.center)
        self._target = options.tol * quadratic.null_deviance
        self._gram, self.cols, self._ahead = np.empty((0, 0)), np.empty(0, dtype=np.int64), 1
        self.most, self.is_full = min(MAX_COLUMNS, max(FREE_COLUMNS, math.isqrt(self._rows.nnz // 2))), False
        self._outside = np.where(self.constant, np.inf, l1)  # infinite for columns that are never to be added

    def solve(self, coef: Coefficients, alphas: Vector) -> tuple[list[Solution], bool]:
        """The solutions at the first of these strengths, none or some, each certified, from those of `coef` on; and
        whether the next is to be left to `PathSolver`."""
        if not self._has_room(new := np.setdiff1d(coef.cols, self.cols)):
            return [], True
        self.add(new)
        scales, solutions = self.quadratic.weight_sum * alphas[:AHEAD], list[Solution]()
        with np.errstate(under="ignore"):
            usable = scales * float(self._l1.min()) > np.finfo(float).tiny
        scales = scales if usable.all() else scales[: int(usable.argmin())]
        while len(solutions) < scales.size:
            todo = scales[len(solutions) : len(solutions) + self._ahead]
            last = solutions[-1].coef if solutions else coef
            found, steps = self._on_members(last, todo)
            for one, scale, n in zip(found, todo.tolist(), steps, strict=False):
                certified, missing = self._certify(one, scale, n)
                if certified is None:
                    break
                solutions.append(certified)
            else:
                if len(found) < todo.size:
                    return solutions, True
                self._ahead = min(2 * self._ahead, AHEAD)
                continue
            if not missing.size or not self._has_room(missing):
                return solutions, True
            self._ahead = max(self._ahead // 2, 1)
            self.add(missing)
        return solutions, scales.size == 0

    def _has_room(self, cols: Int) -> bool:
        self.is_full |= self.cols.size + cols.size > self.most
        return not self.is_full

    def add(self, cols: Int) -> None:
        """Columns for the Gram matrix."""
        if not cols.size:
            return
        rows, old, m = self._rows, self.cols, self.cols.size
        gram = np.empty((m + cols.size, m + cols.size))
        gram[:m, :m], gram[m:, m:] = self._gram, rows.products(cols, cols)
        if m:
            for a, col in enumerate(cols.tolist(), m):
                gram[a, :m] = rows.design.rmatvec(rows.weighted_column(col), old)
        self.cols = np.concatenate([old, cols])
        sums = self._sums[self.cols]
        gram[m:] -= np.outer(sums[m:], sums / self.quadratic.weight_sum)
        gram[:m, m:] = gram[m:, :m].T
        gram[np.arange(m, m + cols.size), np.arange(m, m + cols.size)] = self._sq[cols]
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

    def _on_members(self, coef: Coefficients, scales: Vector) -> tuple[list[Coefficients], list[int]]:
        """The minima over the members, from `coef` on; fewer where one takes too many steps."""
        if not self.cols.size:
            return [Coefficients.zero()] * scales.size, [0] * scales.size
        w = np.zeros(self._sq.size)
        w[coef.cols] = coef.w
        W, steps = self._path.solve(w[self.cols], scales, min(MAX_STEPS, self.options.max_iter), MAX_WORK)
        return [Coefficients(self.cols, w).nonzero() for w in W], steps.tolist()

    def _certify(self, coef: Coefficients, scale: float, steps: int) -> tuple[Solution | None, Int]:
        """A solution, its gap by a pass over X; or None, and the columns outside that are in the way."""
        quadratic, members = self.quadratic, self.cols
        products_sum = float(self._sums[coef.cols] @ coef.w)
        base, w = quadratic.base(products_sum), np.zeros(self._sq.size)
        w[coef.cols] = coef.w
        c = self._rows.gradients(coef, base)
        squares = self._rows.squared_residual(coef, base)
        l1, l2 = scale * self._l1[members], scale * self._l2[members]
        terms = quadratic.penalty.gap_terms(w[members], c[members], l1, l2)
        ratio = quadratic.penalty.dual_magnitude(c) / (scale * self._outside)
        outside = float(ratio.max())
        gap = combine_gap(terms, squared_fenchel_gap(squares), outside) + self._hidden(coef)
        if gap <= self._target:
            return Solution(
                coef,
                quadratic.rows.columns[coef.cols],
                quadratic.intercept(coef, products_sum),
                gap / quadratic.weight_sum,
                steps,
                squares,
                None,
                steps,
                "small_path",
            ), members[:0]
        near = np.flatnonzero(ratio > NEAR) if outside > 1.0 else members[:0]
        limit = MIN_ADDED + ADDED_PER_ACTIVE * coef.cols.size
        if near.size > limit:
            near = near[np.argpartition(-ratio[near], limit)[:limit]]
        return None, near

    def _hidden(self, coef: Coefficients) -> float:
        """What the rounding of gradients may hide in a gap, if that is more than next to nothing."""
        fit_bound = float(self._lengths[coef.cols] @ np.abs(coef.w))
        norm = float(self._l1[coef.cols] @ np.abs(coef.w))
        hidden = EPS * fit_bound * (self._steepest * norm + fit_bound)
        return hidden if hidden > HIDDEN * self.quadratic.null_deviance else 0.0

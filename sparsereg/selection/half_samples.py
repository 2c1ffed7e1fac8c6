"""Half samples of the rows in complementary pairs, and the columns that a path on each has first. Knows no frequencies.

Rows are dealt at random into blocks, and a half sample is every second block, by the rows of a Hadamard matrix: halves
of different pairs have a quarter of the rows in common, as halves drawn one by one have on average (balanced half
samples: McCarthy 1969). Each half by itself is a uniformly random half of the rows dealt, and so is each pair, which is
all that bounds on expected numbers ask for. Sums over a block serve all halves that hold it (`rows.blocks`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import CsrDesign
from sparsereg.objective.problem import problem_over
from sparsereg.rows.arranged import Arranged
from sparsereg.rows.blocks import BlockRows, ChosenRows
from sparsereg.rows.memory import MAX_CACHED_ROW_LENGTH
from sparsereg.selection.fold_fits import Task
from sparsereg.solvers.path import alpha_grid, solve_point
from sparsereg.solvers.path_solver import FREE_GRAM, GRAM_BYTES_PER_ENTRY, PathSolver
from sparsereg.solvers.prefilter import Elimination
from sparsereg.solvers.screening import EliminatedColumns

__all__ = ["Deal", "Halves", "deal_rows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Blocks have so many rows at least, so that those left over, fewer than there are blocks, are no more than 1 in 50.
ROWS_PER_BLOCK = 50
# Blocks at most: the sums of each column take so many numbers. More pairs are drawn from further deals.
MOST_BLOCKS = 32
# Pairs from which on it pays to add up sums of blocks: to set them up takes as long as a few halves.
FEWEST_PAIRS = 4
# Halves are solved down to this share of the strength at which the first one ended; one that goes on is solved alone.
REACH = 0.7


@dataclass(frozen=True, eq=False)
class Deal:
    """Rows dealt into blocks of equal size, and the halves that are taken of these.

    Attributes
    ----------
    order : int64 array of shape (n,)
        The rows of each block in turn, in increasing order, then those left over.
    n_blocks, size : int
        Blocks, and the rows of each.
    halves : list of tuple of int
        The blocks of each half; pairs follow one another.
    """

    order: Int
    n_blocks: int
    size: int
    halves: list[tuple[int, ...]]

    @classmethod
    def of(cls, n: int, n_blocks: int, n_pairs: int, rng: np.random.Generator) -> Deal:
        """So many pairs, fewer than blocks, of which there are a power of 2."""
        size, drawn = n // n_blocks, rng.permutation(n)
        block = np.full(n, n_blocks)
        block[drawn[: size * n_blocks]] = np.repeat(np.arange(n_blocks), size)
        halves = []
        for i in range(1, n_pairs + 1):
            side = [(i & j).bit_count() % 2 for j in range(n_blocks)]  # row i of Sylvester's Hadamard matrix
            halves += [tuple(j for j in range(n_blocks) if side[j] == k) for k in (0, 1)]
        return cls(np.argsort(block, kind="stable"), n_blocks, size, halves)

    def rows(self, half: tuple[int, ...]) -> Int:
        """The rows of a half."""
        return np.sort(self.order[: self.size * self.n_blocks].reshape(self.n_blocks, -1)[list(half)].ravel())

    @property
    def parts(self) -> list[tuple[int, int]]:
        """The rows of each block in that order, and those left over, if there are any."""
        n, ends = self.order.size, (self.size * np.arange(self.n_blocks + 1)).tolist()
        return list(pairwise(ends if ends[-1] == n else [*ends, n]))


def deal_rows(n: int, n_pairs: int, seed: int) -> list[Deal]:
    """So many pairs of halves of n rows. Where rows are few each pair has a deal of its own, of two blocks."""
    rng, most = np.random.default_rng(seed), min(MOST_BLOCKS, n // ROWS_PER_BLOCK)
    n_blocks = 2
    while n_blocks <= n_pairs and 2 * n_blocks <= most:
        n_blocks *= 2
    return [Deal.of(n, n_blocks, min(n_blocks - 1, n_pairs - begin), rng) for begin in range(0, n_pairs, n_blocks - 1)]


class Halves:
    """The first columns of each half of a deal.

    Parameters
    ----------
    task : Task
    deal : Deal
    l1_ratio : float
    grid, eps
        The strengths of each path.
    n_columns : int
        Columns at which a path ends.
    """

    def __init__(
        self, task: Task, deal: Deal, l1_ratio: float, grid: tuple[int | Vector, float], n_columns: int
    ) -> None:
        self.task, self.deal, self.l1_ratio, self.grid, self.n_columns = task, deal, l1_ratio, grid, n_columns
        self.blocks: BlockRows | None = None
        self.eliminated_length = 0
        self.last = 0.0  # the strength at which a path ended

    def select(self, half: tuple[int, ...]) -> Int:
        """The columns of the last point that has no more than `n_columns`."""
        blocks = self.blocks
        if blocks is not None:
            try:
                found = self._by_blocks(blocks, half)
            except EliminatedColumns:
                found = None
            if blocks.held > _budget(self.task):
                self.blocks = None
            if found is not None:
                return found
        return self._alone(half)

    def _alone(self, half: tuple[int, ...]) -> Int:
        task = _task_of(self.task, self.deal.rows(half))
        solver, alphas = task.solver(task.s, self.l1_ratio, *self.grid)
        return self._first(lambda alpha: solve_point(solver, alpha, None).columns, alphas)

    def _first(self, columns_at: Callable[[float], NDArray[np.integer]], alphas: Vector) -> Int:
        columns = np.empty(0, dtype=np.int64)
        for alpha in alphas.tolist():
            self.last = alpha
            found = columns_at(alpha)
            if found.size > self.n_columns:
                break
            columns = found.astype(np.int64)
        return columns

    def _by_blocks(self, blocks: BlockRows, half: tuple[int, ...]) -> Int | None:
        """None where the targets are far from 0."""
        problem = problem_over(ChosenRows(blocks, half), **self.task.penalty)
        if not isinstance(problem.rows, ChosenRows):
            return None
        options = self.task.options
        solver = PathSolver(problem.quadratic, self.l1_ratio, options, eliminated_length=self.eliminated_length)
        grid, eps = self.grid
        alphas = alpha_grid(solver.alpha_max(), grid, eps) if isinstance(grid, int) else grid
        return self._first(lambda alpha: problem.design.columns[solver.solve(alpha).coef.cols], alphas)

    def share_sums(self) -> None:
        """Have the halves share sums of blocks from now on, where that pays; after one that was solved alone."""
        design, deal = self.task.design, self.deal
        if len(deal.halves) < 2 * FEWEST_PAIRS or not _suits(self.task):
            return
        assert isinstance(design, CsrDesign)
        threshold = REACH * self.last * self.l1_ratio * deal.size * (deal.n_blocks // 2)
        arranged = Arranged.of(self.task.y_less_offset, None, deal.order, deal.parts)
        base = float(self.task.y_less_offset.mean()) if self.task.penalty["fit_intercept"] else 0.0
        largest = float(np.abs(self.task.y_less_offset - base).max())
        kept = Elimination(design.n_ones, 0)
        if design.can_eliminate and not self.task.penalty["standardize"]:
            kept = Elimination.of(design, threshold, largest)
        if 16 * deal.n_blocks * kept.n_kept > _budget(self.task):
            return
        self.eliminated_length = kept.longest
        eliminated = design.eliminate_columns(kept.n_kept)
        assert isinstance(eliminated, CsrDesign)
        self.blocks = BlockRows(eliminated, arranged)


def _suits(task: Task) -> bool:
    """Whether it is the squared loss, by coordinate descent, on a CSR of ones in short rows, without weights: sums of
    counts do not round."""
    design = task.design
    short = design.nnz <= MAX_CACHED_ROW_LENGTH * design.n_rows
    ones = design.is_csr and design.n_ones == design.n_cols and task.s is None
    return task.loss.quadratic and task.options.method != "prox_gradient" and short and ones


def _budget(task: Task) -> int:
    """Bytes that the sums of blocks may take: as many as a Gram matrix."""
    return max(GRAM_BYTES_PER_ENTRY * task.design.nnz, FREE_GRAM)


def _task_of(task: Task, rows: Int) -> Task:
    """The task on these rows: a view of a CSR; else weights of 0 on the others."""
    if task.design.is_csr:
        s = None if task.s is None else task.s[rows]
        return replace(task, design=task.design.select_rows(rows), y=task.y[rows], s=s)
    assert task.s is not None
    s = np.zeros_like(task.s)
    s[rows] = task.s[rows]
    return replace(task, s=s)

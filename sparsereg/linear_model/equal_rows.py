"""Newton's method on rows that have the same columns, taken as one row.

For a loss `a(z) - y z`, as the logistic one, Poisson's and the softmax's, rows of equal predictors are one row exactly,
of the sum of their weights and the mean of their targets: the loss differs by a constant. Without an l1 penalty every
column has a coefficient, so that rows are equal at once or not at all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.losses.predictors import Softmax, WeightedLoss
from sparsereg.ridge.weighted_step import WeightedStep
from sparsereg.solvers.smooth_newton import SmoothSolution, smooth_newton
from sparsereg.solvers.smooth_problem import SmoothProblem

__all__ = ["newton_on_distinct_rows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Fewer rows are not worth the search, nor is it worth the copy where more than this share of them is distinct.
FEWEST_ROWS, MOST_DISTINCT = 1000, 0.5


def newton_on_distinct_rows(
    problem: SmoothProblem, start: tuple[Vector, Vector], scale: float, max_iter: int
) -> SmoothSolution:
    """`smooth_newton`, where there are fewer distinct rows on these."""
    W, b = start
    if (found := _over_distinct_rows(problem)) is None:
        return smooth_newton(problem, start, scale, max_iter)
    merged, place = found
    there = smooth_newton(merged, (W[place], b), scale, max_iter)
    W = np.empty_like(W)
    W[place] = there.W
    return replace(there, W=W)


def _over_distinct_rows(problem: SmoothProblem) -> tuple[SmoothProblem, Int] | None:
    """The same problem over its distinct rows, and the place of each of its columns among those of the first.

    None for rows with numbers or offsets, for other losses, and where it would save little. O(entries of X)"""
    design, loss = problem.design, problem.loss
    if not isinstance(loss, Softmax) and not (isinstance(loss, WeightedLoss) and loss.loss.canonical):
        return None
    plain = problem.offset is None and problem.cols is None and problem.linear is None and problem.mask is None
    of_ones = design.is_csr and design.n_ones == design.n_cols and design.n_rows >= FEWEST_ROWS
    if not (loss.convex and plain and of_ones) or (found := _distinct(design)) is None:
        return None
    first, group = found
    merged = design.select_rows(first)
    order = np.argsort(design.columns)
    place = order[np.searchsorted(design.columns, merged.columns, sorter=order)]
    solve, l2 = problem.solve, problem.l2[place]
    if isinstance(solve, WeightedStep):
        solve = replace(solve, design=merged, l2=l2)
    return replace(problem, design=merged, loss=_merged(loss, first, group), l2=l2, solve=solve), place


def _distinct(design: Design) -> tuple[Int, Int] | None:
    """A row of each kind, and the kind of each row; None where there are too many.

    Rows are equal if two random combinations of their columns are: sums of 53 random bits in the same order, which
    differ but with a chance of 1e-30 for a pair."""
    rng, every = np.random.default_rng(0), np.arange(design.n_cols)
    keys = np.zeros((2, design.n_rows))
    for key in keys:
        design.matrix.add_matvec(rng.random(design.n_cols), key, every)
        _, first, group = np.unique(keys[0] + 1j * keys[1], return_index=True, return_inverse=True)
        if first.size > MOST_DISTINCT * design.n_rows:
            return None
    return first, group


def _merged(loss: Softmax | WeightedLoss, first: Int, group: Int) -> Softmax | WeightedLoss:
    """The loss of the distinct rows."""
    s = np.ones(group.size) if loss.s is None else loss.s
    weights = np.bincount(group, weights=s).astype(np.float64)
    targets = loss.Y if isinstance(loss, Softmax) else loss.y[:, None]
    sums = np.stack([np.bincount(group, weights=s * y) for y in targets.T], axis=1)
    # A row without weight has any target.
    means = np.divide(sums, weights[:, None], out=targets[first].copy(), where=weights[:, None] > 0.0)
    if isinstance(loss, Softmax):
        return replace(loss, Y=np.asfortranarray(means), s=weights)
    return replace(loss, y=means[:, 0].copy(), s=weights)

"""Columns of ones too light ever to matter on a path, left out before they are written. Knows no solver.

By Hoelder, a column of n_j ones has `|x_j' r| <= n_j max |r|`. While that stays under the least threshold asked for, its coefficient is 0:
on crosses that is nearly every column, and a fifth to a third of the entries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import Problem

__all__ = ["eliminate_columns"]

Vector = NDArray[np.float64]

# The largest residual hardly grows along a path, but what a solver knows of it without looking does.
MARGIN = 1.1


def eliminate_columns(
    problem: Problem, l1_ratio: float, alphas: int | Vector, eps: float
) -> tuple[Problem, Vector | None]:
    """The problem less columns that are 0 at all of these strengths, or down to `eps` times the largest.

    `Solver` looks whether residuals stay as small as is presumed here, and takes all columns back where not.

    Returns
    -------
    problem : Problem
        As it was where columns are written already, or have penalties of their own.
    c : float64 array of shape (n_cols,) or None
        The gradient at w = 0, where it was worked out.
    """
    design, plain = problem.design, isinstance(problem.penalty.l1_factor, float)
    if not (plain and l1_ratio > 0.0 and design.can_eliminate):
        return problem, None
    r = problem.target()
    every, peak = design.rmatvec_by_rows(r), max(float(r.max()), -float(r.min()))
    del r
    top = float(problem.penalty.dual_magnitude(every).max())
    least = eps * top if isinstance(alphas, int) else float(alphas.min()) * l1_ratio * problem.weight_sum
    if peak > 0.0:
        design = design.eliminate_short(least / (MARGIN * peak))
    return problem.on(design), design.select_observed(every)

"""Strengths between two that are solved, certified on the line through the dual points of these. Knows no folds.

Let a > b be strengths certified at the residuals r(u_a), r(u_b), where no gradient of a column outside is over its
threshold by more than the factors o_a, o_b. For alpha = (1 - t) a + t b in between, the residual of u = (1 - t) u_a + t
u_b is (1 - t) r(u_a) + t r(u_b). Thresholds are linear in alpha and dual magnitudes convex, so that there no gradient
outside is over its threshold by more than the factor ((1 - t) a o_a + t b o_b) / alpha: no column outside is looked at.
As paths are piecewise linear in alpha, u is nearly the solution. Descent goes on from u to w, and the gap of w at that
dual point is the gap of u less what the objective has fallen by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import descend_from_line, gap_sums_of_gram
from sparsereg.objective.certificate import combine_gap, squared_fenchel_gap
from sparsereg.penalties import GapTerms
from sparsereg.solvers.dual_projection import INNER_SHARE, PROJECTED_SHARE
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.loop import EPOCHS_PER_LOOK, GAP_ROUNDING, STEP_ROUNDING, Certificate, Solution
from sparsereg.solvers.working_set import Position, padded

if TYPE_CHECKING:
    from sparsereg.solvers.path_solver import PathSolver

__all__ = ["DualPoint", "can_interpolate", "solve_between"]

Vector = NDArray[np.float64]

# Objectives are subtracted: no gaps below this share of |y|^2.
LEAST_GAP = 1e4 * GAP_ROUNDING
# From the line one epoch nearly reaches the minimum: epochs before the first look.
FIRST_EPOCHS = 2
# Descent goes on while ten epochs bring this share of what is still missing.
LEAST_GAIN = 0.1


class DualPoint(NamedTuple):
    """Where a strength was certified.

    Attributes
    ----------
    alpha : float
    w : float64 array of shape (m,)
        The coefficients whose residual it is, of the first m columns of the working set.
    outside : float
        The largest bound on the other columns' gradients over their threshold.
    """

    alpha: float
    w: Vector
    outside: float

    def padded(self, m: int) -> Vector:
        """The coefficients of a working set that has grown to m columns."""
        return padded(self.w, m)


def can_interpolate(solver: PathSolver) -> bool:
    """Whether `solve_between` is of use: gradients of the working set at other coefficients cost no pass over rows, and
    are those of the dual point."""
    ws = solver.working_set
    return isinstance(ws, GramCD) and not ws.unpenalized.size and solver.options.tol >= LEAST_GAP


def solve_between(
    solver: PathSolver, first: DualPoint, last: DualPoint, alphas: Sequence[float]
) -> list[Solution | None]:
    """The solutions at strengths between those of two dual points; None for those that are not certified so.

    The solver's coefficients stay as they are; its strength does not. Needs `can_interpolate`."""
    ws, strengths = solver.working_set, []
    assert isinstance(ws, GramCD)
    here, ends = ws.position(), [ws.position_of(end.padded(ws.m)) for end in (first, last)]
    for alpha in alphas:
        ws.set_strength(alpha, solver.l1_ratio)
        strengths.append((ws.l1, ws.l2))
    shares, (l1, l2) = (first.alpha - np.array(alphas)) / (first.alpha - last.alpha), np.array(strengths).swapaxes(0, 1)
    rounding, co = STEP_ROUNDING * solver.quadratic.null_deviance, ws._coordinates(0.0)
    asked = (shares, l1.copy(), l2.copy(), ws.c0, solver.quadratic.null_deviance, FIRST_EPOCHS, rounding)
    W, Q, r_sums, epochs, sums = descend_from_line(ws.gram.store, co, ends, *asked)
    outside = ((1.0 - shares) * first.alpha * first.outside + shares * last.alpha * last.outside) / np.array(alphas)
    found = []
    try:
        for k in range(len(alphas)):
            ws.l1, ws.l2 = strengths[k]
            ws.move_to(Position(W[k], Q[k, : ws.m], float(r_sums[k])))
            found.append(_point(solver, ws, sums[k].tolist(), int(epochs[k]), float(outside[k])))
    finally:
        ws.move_to(here)
    return found


def _point(solver: PathSolver, ws: GramCD, sums: list[list[float]], done: int, outside: float) -> Solution | None:
    """The solver's coefficients after the first epochs, or more; None where they are not certified enough.

    `sums`: at the point on the line, whose residual is the dual point, and after these epochs."""
    null_deviance, epochs, limit = solver.quadratic.null_deviance, done, FIRST_EPOCHS
    target, co = solver.options.tol * null_deviance, ws._coordinates(ws.r_sum)
    before, dual_gap, _ = _measured(sums[0], outside)
    dual_value, (value, inner, squares) = before - dual_gap, _measured(sums[1], 0.0)
    while True:
        gap = value - dual_value
        # Enough as elsewhere; or as close to the minimum, although this dual point does not show it.
        if gap <= PROJECTED_SHARE * target or (gap <= target and inner <= INNER_SHARE * target):
            ws.r_sum = co.r_sum
            found = Certificate(max(gap, 0.0), squares, np.empty(0, dtype=np.int64))
            return solver._solution(ws.coefficients(), found, epochs)
        gains = epochs == FIRST_EPOCHS or before - value >= LEAST_GAIN * (gap - PROJECTED_SHARE * target)
        if done < limit or not gains or gap - inner > target:  # descent brings `inner` at most
            return None
        limit = EPOCHS_PER_LOOK
        done, _ = ws.gram.store.cd(co, solver._order(), ws.q, limit, STEP_ROUNDING * null_deviance)
        epochs, before = epochs + done, value
        terms, squares, _ = gap_sums_of_gram(co, ws.q, ws.c0, null_deviance)
        value, inner, squares = _measured([*terms, squares], 0.0)


def _measured(sums: list[float], outside: float) -> tuple[float, float, float]:
    """`S F` of the working set's objective, its gap, and `|r|_s^2`, from what `gap_sums_of_gram` gives."""
    terms, squares = GapTerms(*sums[:5]), sums[5]
    value = 0.5 * squares + terms.l1_norm + 0.5 * terms.l2_sq
    return value, combine_gap(terms, squared_fenchel_gap(squares), outside), squares

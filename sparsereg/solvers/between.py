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

from sparsereg._core.kernels import Coordinates, gap_sums_of_gram
from sparsereg.objective.certificate import combine_gap, squared_fenchel_gap
from sparsereg.penalties import GapTerms
from sparsereg.solvers.dual_projection import INNER_SHARE, PROJECTED_SHARE
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.loop import EPOCHS_PER_LOOK, GAP_ROUNDING, STEP_ROUNDING, Certificate, Solution
from sparsereg.solvers.working_set import Position

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
        return np.concatenate([self.w, np.zeros(m - self.w.size)])


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
    ws = solver.working_set
    assert isinstance(ws, GramCD)
    here, ends = ws.position(), [ws.position_of(end.padded(ws.m)) for end in (first, last)]
    largest = [end.alpha * end.outside for end in (first, last)]
    found: list[Solution | None] = []
    try:
        for alpha in alphas:
            t = (first.alpha - alpha) / (first.alpha - last.alpha)
            ws.set_strength(alpha, solver.l1_ratio)
            ws.move_to(Position(*((1.0 - t) * a + t * b for a, b in zip(*ends, strict=True))))
            found.append(_descend_from_line(solver, ws, ((1.0 - t) * largest[0] + t * largest[1]) / alpha))
    finally:
        ws.move_to(here)
    return found


def _descend_from_line(solver: PathSolver, ws: GramCD, outside: float) -> Solution | None:
    """From the solver's coefficients, whose residual is the dual point; None where that does not certify enough."""
    null_deviance, epochs = solver.quadratic.null_deviance, 0
    target, co, order = solver.options.tol * null_deviance, ws._coordinates(ws.r_sum), solver._order()
    value, dual_gap, squares = _measure(ws, co, outside)
    dual_value = value - dual_gap
    while True:
        limit = EPOCHS_PER_LOOK if epochs else FIRST_EPOCHS
        done, _ = ws.gram.store.cd(co, order, ws.q, limit, STEP_ROUNDING * null_deviance)
        epochs, before = epochs + done, value
        value, inner, squares = _measure(ws, co, 0.0)
        gap = value - dual_value
        # Enough as elsewhere; or as close to the minimum, although this dual point does not show it.
        if gap <= PROJECTED_SHARE * target or (gap <= target and inner <= INNER_SHARE * target):
            ws.r_sum = co.r_sum
            found = Certificate(max(gap, 0.0), squares, np.empty(0, dtype=np.int64))
            return solver._solution(ws.coefficients(), found, epochs)
        gains = epochs == FIRST_EPOCHS or before - value >= LEAST_GAIN * (gap - PROJECTED_SHARE * target)
        if done < limit or not gains or gap - inner > target:  # descent brings `inner` at most
            return None


def _measure(ws: GramCD, co: Coordinates, outside: float) -> tuple[float, float, float]:
    """`S F` of the working set's objective at the coordinates, its gap at their residual, and `|r|_s^2`."""
    sums, squares, _ = gap_sums_of_gram(co, ws.q, ws.c0, ws.quadratic.null_deviance)
    terms = GapTerms(*sums)
    value = 0.5 * squares + terms.l1_norm + 0.5 * terms.l2_sq
    return value, combine_gap(terms, squared_fenchel_gap(squares), outside), squares

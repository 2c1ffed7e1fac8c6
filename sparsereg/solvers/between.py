"""Strengths between two that are solved, certified on the line through the dual points of these. Knows no folds.

Let a > b be strengths certified at the residuals r(u_a), r(u_b), where no gradient of a column outside is over its
threshold by more than the factors o_a, o_b. For alpha = (1 - t) a + t b in between, the residual of u = (1 - t) u_a + t
u_b is (1 - t) r(u_a) + t r(u_b). Thresholds are linear in alpha and dual magnitudes convex, so that there no gradient
outside is over its threshold by more than the larger of the two factors: no column outside is looked at. As paths are
piecewise linear in alpha, u is nearly the solution. Descent goes on from u to w, and the gap of w at that dual point is
the gap of u less what the objective has fallen by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.solvers.dual_projection import INNER_SHARE
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
    found: list[Solution | None] = []
    try:
        for alpha in alphas:
            t = (first.alpha - alpha) / (first.alpha - last.alpha)
            ws.set_strength(alpha, solver.l1_ratio)
            ws.move_to(Position(*((1.0 - t) * a + t * b for a, b in zip(*ends, strict=True))))
            found.append(_descend_from_line(solver, max(first.outside, last.outside)))
    finally:
        ws.move_to(here)
    return found


def _descend_from_line(solver: PathSolver, outside: float) -> Solution | None:
    """From the solver's coefficients, whose residual is the dual point; None where that does not certify enough."""
    ws, null_deviance = solver.working_set, solver.quadratic.null_deviance
    target, own = solver.options.tol * null_deviance, solver._own_gap()
    value, epochs = ws.value(own.c), 0
    dual_value = value - own(outside)
    while True:
        limit = EPOCHS_PER_LOOK if epochs else FIRST_EPOCHS
        done = ws.descend(limit, STEP_ROUNDING * null_deviance, solver._order())
        c = ws.gradient()
        epochs, before, value = epochs + done, value, ws.value(c)
        gap = value - dual_value
        # As close to the minimum as elsewhere, although this dual point may not show it.
        if gap <= INNER_SHARE * target or (gap <= target and solver._own_gap().suffices(target)):
            found = Certificate(max(gap, 0.0), ws.squared_residual(c), np.empty(0, dtype=np.int64))
            return solver._solution(ws.coefficients(), found, epochs)
        gains = epochs == FIRST_EPOCHS or before - value >= LEAST_GAIN * (gap - INNER_SHARE * target)
        if done < limit or not gains:
            return None

"""The working set's part of a certificate: at its residual, or at a better dual point near it. Knows no path.

The dual point is the residual r(u) at coefficients u near w, found by projections: a column whose gradient violates its
threshold moves until it is within, the others stay. Nothing pulls a gradient back to its threshold, as descent would,
so a few sweeps do. `objective.dual_point` has the formula of the gap there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.certificate import combine_gap, squared_fenchel_gap
from sparsereg.objective.dual_point import DualShift, combine_shifted_gap, to_orthogonal
from sparsereg.penalties import GapTerms
from sparsereg.solvers.working_set import ENOUGH_MARGINS, Position, WorkingSet

__all__ = ["WorkingSetGap", "projected_gap", "projection_margin"]

Vector = NDArray[np.float64]

# The working set's own gap is brought to this share of the target, so that bounds on the others may cost the rest; at a
# projected dual point, which is within most thresholds, to the second.
INNER_SHARE = 0.3
PROJECTED_SHARE = 0.85
# No projection while what the coefficients' gradients fall short of their thresholds costs more than this share of the
# target: no dual point near mends that. Of the model of a loss to the second: its next step costs as much as a round of
# projections, and saves one.
SLACK_SHARE, MODEL_SLACK_SHARE = 0.8, 0.4
# Going beyond the thresholds may cost this share of the target, and as much again the square of what scaling the
# violations away takes off the residual.
VIOLATION_SHARE = 0.1


class WorkingSetGap:
    """The working set's part of a certificate, and the gradients c at its dual point.

    Attributes
    ----------
    dual : Position or None
        u, where the dual point is not the residual of the coefficients.
    shift : DualShift or None
        How r(u) differs from that.
    inner : float
        The gap of `S F` while every other column is within its threshold.
    """

    __slots__ = ("c", "dual", "inner", "shift", "squared_residual", "squared_shift", "terms")

    def __init__(
        self,
        terms: GapTerms,
        squared_residual: float,
        squared_shift: float,
        c: Vector,
        at: tuple[Position, DualShift] | None = None,
    ) -> None:
        self.terms, self.squared_residual, self.squared_shift, self.c = terms, squared_residual, squared_shift, c
        self.dual: Position | None = None
        self.shift: DualShift | None = None
        if at is not None:
            self.dual, self.shift = at
        self.inner = self._gap(0.0)

    def __call__(self, outside: float) -> float:
        """The gap of `S F`, with `outside` the largest bound of the other columns over its threshold."""
        return self.inner if outside <= 1.0 else self._gap(outside)

    def _gap(self, outside: float) -> float:
        if self.shift is not None:
            return combine_shifted_gap(self.terms, self.squared_residual, self.shift, outside)
        return combine_gap(self.terms, squared_fenchel_gap(self.squared_residual), outside) + 0.5 * self.squared_shift

    def suffices(self, target: float) -> bool:
        """Whether it leaves enough of the target to the other columns."""
        return self.inner <= (INNER_SHARE if self.dual is None else PROJECTED_SHARE) * target


def projected_gap(ws: WorkingSet, own: WorkingSetGap, target: float, start: Position | None) -> WorkingSetGap:
    """The gap at a projected dual point, or `own` where that is better or projecting cannot help yet.

    `own` is the gap at the residual; projections begin there, or at the dual point `start`."""
    w, squares = ws.w, max(own.squared_residual, target)
    if not squares > 0.0:  # an exact fit: nothing is left to project
        return own
    most = math.sqrt(2.0 * VIOLATION_SHARE * target / squares) / ENOUGH_MARGINS
    margin = projection_margin(ws, ws.w, own.terms, own.c, target, most)
    if margin is None:
        return own
    before = ws.position()
    ws.move_to(ws.project(start or before, margin))
    c = _gradient_orthogonal_to_unpenalized(ws)
    there = ws.position()
    ws.move_to(before)
    if c is None:
        return own
    a, at_w, at_u, seen = there.w - w, own.c, c, c
    if ws.l1_ratio < 1.0:
        at_w, at_u, seen = own.c - ws.l2 * w, c - ws.l2 * there.w, c - ws.l2 * a
    shift = DualShift.between(a, at_w, at_u)
    terms = ws.quadratic.penalty.gap_terms(w, seen, ws.l1, ws.l2)  # which takes l2 w off
    found = WorkingSetGap(terms, own.squared_residual, 0.0, c, (there, shift))
    return found if found.inner < own.inner else own


def projection_margin(
    ws: WorkingSet, w: Vector, terms: GapTerms, c: Vector, target: float, most: float
) -> float | None:
    """How far projections are to go beyond thresholds, as a share of them, at most `most`; None where projecting cannot
    help yet: at coefficients w of gradients c."""
    norm, share = terms.l1_norm, MODEL_SLACK_SHARE if ws.is_model else SLACK_SHARE
    slack = float(np.abs(ws.l1 * np.abs(w) - (c - ws.l2 * w) * w).sum())
    return None if not norm > 0.0 or slack > share * target else min(VIOLATION_SHARE * target / norm, most)


def _gradient_orthogonal_to_unpenalized(ws: WorkingSet) -> Vector | None:
    """The gradients once what unpenalized columns explain is taken out; None where that leaves more than rounding."""
    c, free = ws.gradient(), ws.unpenalized
    if free.size:
        step = to_orthogonal(ws.quadratic, ws.cols[free], c[free])
        if step is None:
            return None
        u = ws.w.copy()
        u[free] += step
        ws.set_w(u)
        c = ws.gradient()
        if not ws.quadratic.orthogonal(ws.cols[free], c[free]):
            return None
        c[free] = 0.0
    return c

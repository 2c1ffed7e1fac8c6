"""The working set's part of the certificate of any loss, at a better dual point than the residual.

That is `theta = rho - h d`, d predictors of some coefficients: orthogonal to unpenalized columns, or within thresholds
that the residual passes. As `theta = y - q` with `q = mean + h d`, the loss's part of the gap is the Bregman distance
from q to the mean, for the logistic loss a relative entropy: about `1/2 sum h d^2`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.certificate import combine_gap
from sparsereg.objective.loss_dual import ORTHOGONAL, conjugate_gap
from sparsereg.objective.problem import Problem
from sparsereg.penalties import GapTerms
from sparsereg.rows.units import Units
from sparsereg.solvers.curvature_cd import CurvatureCD
from sparsereg.solvers.curvature_residual import CurvatureResidual
from sparsereg.solvers.dual_projection import projection_margin
from sparsereg.solvers.working_set import MAX_PRODUCTS

__all__ = ["PointGap", "bound_at", "point_gap", "projected_point_gap", "unpenalized_gap"]

Vector = NDArray[np.float64]

# Steps towards a dual point that is orthogonal to the unpenalized columns; it must not move the dual point by more
# than this share of the curvatures. Products below a share of what they can be are near rounding.
MAX_STEPS = 30
MAX_APART = 0.5
ROUNDED = 1e-13
# Unpenalized columns separate rows where a step by what is left of their gradients moves a predictor by more than this.
FURTHER = 1e-6
# Rounds of projections, each on gradients of the last one's dual point; they go beyond thresholds by this share at
# most.
MAX_ROUNDS = 3
MAX_MARGIN = 0.01


def _never() -> bool:
    return False


@dataclass(frozen=True)
class PointGap:
    """The working set's part of the certificate of the loss: `gap(outside)` as `combine_gap`.

    Attributes
    ----------
    fenchel_gap : callable
        The loss's part at the dual point scaled by t.
    dual_shift : float
        How far the dual point is from the residual that others are screened at, in the 2-norm weighted by s.
    mean : float64 array or None
        The dual point is `y_i - mean`; None: the residual.
    dual : float64 array or None
        Coefficients of the working set with `d = X (dual - w)`, where there is a mean.
    separated : callable
        Whether unpenalized columns have next to no curvature beside what is left of their gradients, as where they
        separate rows. The gap then leaves out what going on along them would gain.
    """

    terms: GapTerms
    fenchel_gap: Callable[[float], float]
    dual_shift: float = 0.0
    mean: Vector | None = None
    dual: Vector | None = None
    separated: Callable[[], bool] = _never

    def __call__(self, outside: float) -> float:
        if not np.isfinite(self.dual_shift):
            return np.inf
        own = self.fenchel_gap(1.0)
        if not np.isfinite(own):
            return np.inf
        return combine_gap(self.terms, lambda t: self.fenchel_gap(t) - own, outside) + own


def point_gap(problem: Problem, ws: CurvatureCD | CurvatureResidual) -> PointGap:
    """At the residual, or where columns are unpenalized near it."""
    if ws.unpenalized.size:
        return unpenalized_gap(problem, ws)
    concordant = problem.loss.self_concordant
    return PointGap(_terms(ws, ws.c), ws.units.bounded_fenchel_gap if concordant else ws.units.fenchel_gap)


def projected_point_gap(
    problem: Problem, ws: CurvatureCD | CurvatureResidual, own: PointGap, target: float, enough: float
) -> PointGap:
    """The gap at a dual point that the working set's columns are within the thresholds of, or `own`, that of the
    residual, where it is better or projecting cannot help yet. `enough`: what is small enough.

    The direction d is found by projections on the model, whose weights may be of an earlier point; with the present
    ones the gradients that result differ a little, and another round follows."""
    units = ws.units
    margin = projection_margin(ws, ws.at, own.terms, ws.c, target, MAX_MARGIN)
    if margin is None or ws.unpenalized.size:
        return own
    best, c, a, moved = own, ws.c, np.zeros(ws.m), np.zeros(units.n)
    for _ in range(MAX_ROUNDS):
        a = ws.project(ws.dual_position(a, moved, c), margin).w - ws.at
        moved, _ = units.predictor_step(a, 0.0)
        mean, *apart = units.toward(moved)
        c = ws.c - units.products(moved)
        fenchel_gap = _fenchel_gap(problem, units, moved, *apart)
        found = PointGap(_terms(ws, c), fenchel_gap, mean=mean, dual=ws.at + a)
        best = found if found(0.0) < best(0.0) else best
        if best(0.0) <= enough:
            break
    return best


def unpenalized_gap(problem: Problem, ws: CurvatureCD | CurvatureResidual) -> PointGap:
    """`theta = rho - h d`, d a combination of the unpenalized columns and the intercept, h the present curvatures.

    d comes by steps on the model, whose weights may be others. For self-concordant losses the loss's part of the gap is
    bounded as in `Units.bounded_fenchel_gap`, by Cauchy-Schwarz for `rho' d`; for others it is that of the definition.
    Infinite where no such point is found, or what is left along a direction does not show."""
    units, free, penalty = ws.units, ws.unpenalized, ws.quadratic.penalty
    active = np.zeros(ws.m, dtype=np.bool_)
    active[free] = penalty.unsettled(ws.at[free], ws.c[free]) != 0.0
    none = PointGap(_terms(ws, ws.c), lambda _: np.inf, np.inf)
    if not problem.quadratic.seen_by_columns(ws.cols[free]):
        return none
    a, c, moved, last = np.zeros(ws.m), ws.c, np.zeros(units.n), np.inf
    mean, *apart = units.toward(moved)
    _, sq, _, largest = problem.rows.moments(ws.cols[free])
    most = np.maximum(np.sqrt(sq * 2.0 * problem.null_loss), 1e-300)
    for _ in range(MAX_STEPS):
        more = penalty.unsettled(ws.at[free], c[free]) != 0.0
        left = float((np.abs(np.where(active[free], c[free], 0.0)) / most).max())
        if (more & ~active[free]).any():
            active[free] |= more
        elif left <= ROUNDED or 0.5 * last < left <= ORTHOGONAL:
            break
        last = left
        a += ws.newton_step(np.where(active, c, 0.0), active, MAX_PRODUCTS)[0]
        moved, _ = units.predictor_step(a, 0.0)
        mean, *apart = units.toward(moved)
        c = ws.c - units.products(moved)
    else:
        return none
    rest, c = np.where(active, c, 0.0), np.where(active, 0.0, c)

    def separated() -> bool:
        step = ws.newton_step(rest, active, MAX_PRODUCTS)[0]
        return not float(largest @ np.abs(step[free])) <= FURTHER

    shift = float(np.sqrt(units.sums[0] @ (mean - units.at.mean) ** 2))
    return PointGap(_terms(ws, c), _fenchel_gap(problem, units, moved, *apart), shift, separated=separated)


def _terms(ws: CurvatureCD | CurvatureResidual, c: Vector) -> GapTerms:
    return ws.quadratic.penalty.gap_terms(ws.at, c, ws.l1, ws.l2)


def _fenchel_gap(
    problem: Problem, units: Units, moved: Vector, squares: float, largest: float
) -> Callable[[float], float]:
    """The loss's part of the gap at `t (rho - moved)`: by its definition, or for self-concordant losses a bound, from
    what `Units.toward` says of the direction."""
    if not problem.loss.self_concordant:
        rows, theta = problem.rows, units.residual_sums(units.at.mean) - moved
        return lambda t: conjugate_gap(problem.loss, rows.y, units.eta, rows.s, theta, t)
    return bound_at(squares, largest, units.near_and_far)


def bound_at(
    squares: float, largest: float, near_and_far: Callable[[float], tuple[float, float]]
) -> Callable[[float], float]:
    """A bound on the loss's part of the gap of a self-concordant loss at `t (rho - s h d)`, from `sum s h d^2`, `max
    |d|` and what `Units.near_and_far` says of the residual rho."""

    def fenchel_gap(t: float) -> float:
        if largest > MAX_APART:
            return np.inf
        squared, far = (0.0, 0.0) if t == 1.0 else near_and_far(t)
        norm = (1.0 - t) * np.sqrt(squared) + t * np.sqrt(squares)
        return float(0.5 * norm**2 / (t * (1.0 - largest)) + (1.0 - t) * far)

    return fenchel_gap

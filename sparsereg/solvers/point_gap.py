"""The working set's part of the certificate of any loss, at a dual point orthogonal to unpenalized columns."""

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

__all__ = ["PointGap", "unpenalized_gap"]

Vector = NDArray[np.float64]

# Steps towards a dual point that is orthogonal to the unpenalized columns, each of so many products with the Gram
# matrix; it must not move the dual point by more than this share of the curvatures.
MAX_STEPS = 30
MAX_PRODUCTS = 50
MAX_APART = 0.5


@dataclass(frozen=True)
class PointGap:
    """The working set's part of the certificate of the loss: `gap(outside)` as `combine_gap`.

    Attributes
    ----------
    fenchel_gap : callable
        The loss's part at the dual point scaled by t.
    dual_shift : float
        How far the dual point is from the residual, in the 2-norm weighted by s.
    """

    terms: GapTerms
    fenchel_gap: Callable[[float], float]
    dual_shift: float = 0.0

    def __call__(self, outside: float) -> float:
        if not np.isfinite(self.dual_shift):
            return np.inf
        own = self.fenchel_gap(1.0)
        if not np.isfinite(own):
            return np.inf
        return combine_gap(self.terms, lambda t: self.fenchel_gap(t) - own, outside) + own


def unpenalized_gap(problem: Problem, ws: CurvatureCD | CurvatureResidual) -> PointGap:
    """`theta = rho - h d`, d a combination of the unpenalized columns and the intercept, h the present curvatures.

    d comes by steps on the model, whose weights may be others. For self-concordant losses the loss's part of the gap is
    bounded as in `Units.bounded_fenchel_gap`, by Cauchy-Schwarz for `rho' d`; for others it is that of the definition.
    Infinite where no such point is found."""
    units, free = ws.units, ws.unpenalized
    active = np.zeros(ws.m, dtype=np.bool_)
    active[free] = True
    h, s = units.curvatures(), units.sums[0]
    weights, a, c = s * h, np.zeros(ws.m), ws.c
    total = max(float(weights.sum()), 1e-300)
    d, rows = np.zeros(units.n), problem.rows
    limit = ORTHOGONAL * np.sqrt(rows.moments(ws.cols[free])[1] * 2.0 * problem.null_loss)
    for _ in range(MAX_STEPS):
        if (np.abs(c[free]) <= limit).all():
            break
        a += ws.newton_step(np.where(active, c, 0.0), active, MAX_PRODUCTS)[0]
        d, _ = units.predictor_step(a, 0.0)
        if problem.quadratic.fit_intercept:
            d -= float(weights @ d) / total
        c = ws.c - units.products(weights * d)
    else:
        return PointGap(_terms(ws, ws.c), lambda _: np.inf, np.inf)
    c = c.copy()
    c[free] = 0.0
    shift = float(np.sqrt(weights @ (h * d * d)))
    if not problem.loss.self_concordant:
        theta = units.residual_sums(units.at) - weights * d
        return PointGap(
            _terms(ws, c), lambda t: conjugate_gap(problem.loss, rows.y, units.eta, rows.s, theta, t), shift
        )
    return PointGap(_terms(ws, c), _bounded(units, weights, d), shift)


def _terms(ws: CurvatureCD | CurvatureResidual, c: Vector) -> GapTerms:
    return ws.quadratic.penalty.gap_terms(ws.at, c, ws.l1, ws.l2)


def _bounded(units: Units, weights: Vector, d: Vector) -> Callable[[float], float]:
    at = units.at
    apart = at.correction + d
    squares, largest = float(weights @ (apart * apart)), float(np.abs(apart).max())

    def fenchel_gap(t: float) -> float:
        if largest > MAX_APART:
            return np.inf
        scaled = 0.0 if t == 1.0 else (1.0 - t) * np.sqrt(at.squared)
        return float(0.5 * (scaled + t * np.sqrt(squares)) ** 2 / (t * (1.0 - largest)))

    return fenchel_gap

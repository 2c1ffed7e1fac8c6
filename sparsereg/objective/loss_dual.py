"""Duality gaps of losses other than squares at dual points other than the residual, by full passes. Knows no solver.

With `rho = -s l'` and curvatures h the dual point is `theta = rho - s h d`, in the conjugate's domain while d is small.
Where columns are unpenalized it must be orthogonal to them: d is a combination of them and the intercept by weighted
least squares. Elsewhere a solver hands out coefficients u, and `d = X (u - w)` less its mean brings theta within
thresholds that rho passes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.losses import Loss
from sparsereg.objective.certificate import combine_gap
from sparsereg.penalties import GapTerms, Penalty
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.loss_rows import LossRows
from sparsereg.rows.memory import MemoryRows

__all__ = ["conjugate_gap", "gap_at_other_dual", "loss_gap_at", "orthogonal_part"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Products with a residual count as 0 below this share of what they can be.
ORTHOGONAL = 1e-11
MAX_REFINEMENTS = 5
INSIDE = 1e-12
# Directions shorter than this share of the longest are dependent.
DEPENDENT = 1e-12


def orthogonal_part(
    design: Design, rho: Vector, h: Vector, cols: Int, fit_intercept: bool
) -> tuple[Vector, Vector] | None:
    """`rho - h d` orthogonal to the columns (and of sum 0 with an intercept), and d; None where that is not found.

    `h` are weights of the rows. O(entries of the columns, and their number cubed)."""
    if not h.sum() > 0.0:
        return None
    rows = MemoryRows(design, rho, h)
    sums, squares = design.column_stats(h, cols)[:2]
    sums = sums / h.sum() if fit_intercept else np.zeros(cols.size)
    gram = rows.products(cols, cols) - h.sum() * np.outer(sums, sums)
    scale = np.sqrt(np.where(squares > 0.0, squares, 1.0))
    size, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    keep = size > DEPENDENT * size.max(initial=0.0)
    size, vectors = size[keep], vectors[:, keep]
    d, theta = np.zeros(rho.size), rho
    limit = ORTHOGONAL * np.sqrt(design.column_stats(None, cols).sq_norm * float(rho @ rho))
    for _ in range(MAX_REFINEMENTS):
        c = design.rmatvec(theta, cols) - sums * theta.sum()
        if (np.abs(c) <= limit).all():
            return theta, d
        a = (vectors @ ((vectors.T @ (c / scale)) / size)) / scale
        step = rows.predictor(Coefficients(cols, a)) - float(sums @ a)
        if fit_intercept:
            step += (theta - h * step).sum() / h.sum()
        d, theta = d + step, theta - h * step
    return None


def conjugate_gap(loss: Loss, y: Vector, z: Vector, s: Vector | None, theta: Vector, t: float) -> float:
    """`sum_i s_i [l(z_i) + l*(-t theta_i / s_i)] + t theta_i z_i`: the loss's part of the gap at the dual point `t
    theta`, by its definition."""
    u = theta if s is None else np.divide(theta, s, out=np.zeros_like(theta), where=s > 0.0)
    t *= 1.0 - INSIDE  # rounding may have put theta beyond the conjugate's domain
    with np.errstate(invalid="ignore"):
        terms = loss.value(y, z) + loss.conjugate(y, -t * u) + t * u * z
    total = float(terms.sum() if s is None else s[s > 0.0] @ terms[s > 0.0])
    return total if np.isfinite(total) else np.inf


def gap_at_other_dual(loss: Loss, rows: tuple[Vector, Vector, Vector | None], theta: Vector, terms: GapTerms) -> float:
    """`combine_gap` at the dual point theta; `rows` are targets, predictors and weights."""

    def fenchel_gap(t: float) -> float:
        return conjugate_gap(loss, *rows, theta, t)

    own = fenchel_gap(1.0)
    if not np.isfinite(own):
        return np.inf
    return combine_gap(terms, lambda t: fenchel_gap(t) - own) + max(own, 0.0)


def loss_gap_at(
    loss_rows: LossRows, penalty: Penalty, coef: Coefficients, dual: Coefficients, strengths: tuple[Vector, Vector]
) -> float:
    """The gap of `S F` at coefficients w and the dual point `rho - s h X (u - w)` of coefficients u, by its definition.

    `strengths` are l1 and l2 of every column, none of them unpenalized. O(entries of X)."""
    rows, loss, w = loss_rows.rows, loss_rows.loss, np.zeros(loss_rows.rows.n_cols)
    z, _ = loss_rows.predictor(coef)
    s = np.ones(z.size) if rows.s is None else rows.s
    rho, h = s * loss.residual(rows.y, z), s * loss.curvature(rows.y, z)
    d = rows.predictor(dual) - rows.predictor(coef)
    if loss_rows.fit_intercept:
        d -= (float(h @ d) - float(rho.sum())) / float(h.sum())
    theta = rho - h * d
    w[coef.cols] = coef.w
    terms = Penalty.gap_terms(penalty, w, rows.design.rmatvec(theta), *strengths)
    return gap_at_other_dual(loss, (rows.y, z, rows.s), theta, terms)

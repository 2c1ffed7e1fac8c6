"""Duality gaps of losses other than squares at dual points other than the residual, by full passes. Knows no solver.

With `rho = -s l'` and curvatures h the dual point is `theta = rho - s h d`, in the conjugate's domain while d is small.
Where columns are unpenalized it must be orthogonal to them: d is a combination of them and the intercept by weighted
least squares; rows that this would take out of the domain stay on its boundary, and the others make up for it.
Elsewhere a solver hands out coefficients u, and `d = X (u - w)` less its mean brings theta within thresholds that rho
passes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses import Loss
from sparsereg.objective.certificate import combine_gap
from sparsereg.penalties import GapTerms, Penalty
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.loss_rows import LossRows
from sparsereg.rows.memory import MemoryRows

__all__ = ["conjugate_gap", "gap_at_other_dual", "loss_gap_at", "orthogonal_part"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Products with a residual count as 0 below this share of what they can be, once steps no longer halve them: where
# columns separate rows, any that could still be taken out are what going on along them would gain.
ORTHOGONAL = 1e-11
MAX_REFINEMENTS = 20
BISECTIONS = 60
INSIDE = 1e-12
# Directions shorter than this share of the longest are dependent.
DEPENDENT = 1e-12


def orthogonal_part(loss_rows: LossRows, rho: Vector, h: Vector, cols: Int) -> Vector | None:
    """A dual point near `rho` that is orthogonal to the columns (and of sum 0 with an intercept), in the domain of the
    conjugate; None where that is not found.

    `h` are weights of the rows. O(entries of the columns, and their number cubed)."""
    design = loss_rows.rows.design
    size = float(np.linalg.norm(rho))
    most = np.maximum(size * np.sqrt(design.column_stats(None, cols).sq_norm), 1e-300)
    theta, project, last, best = rho, None, np.inf, None
    for _ in range(MAX_REFINEMENTS):
        left = float((np.abs(design.rmatvec(theta, cols)) / most).max(initial=0.0))
        if loss_rows.fit_intercept:
            left = max(left, abs(float(theta.sum())) / max(size * rho.size**0.5, 1e-300))
        best = theta if left <= ORTHOGONAL and left < last else best
        if 0.5 * last <= left <= ORTHOGONAL or not h.sum() > 0.0:
            break
        last = left
        project = project or _projection(loss_rows, h, cols)
        theta, beyond = _into_domain(loss_rows, rho, theta - h * project(theta))
        if beyond.any():
            h, project, last = np.where(beyond, 0.0, h), None, np.inf
    return best


def _projection(loss_rows: LossRows, h: Vector, cols: Int) -> Callable[[Vector], Vector]:
    """The d for a theta such that `theta - h d` is orthogonal to the columns (and of sum 0 with an intercept)."""
    design, fit_intercept = loss_rows.rows.design, loss_rows.fit_intercept
    rows, total = MemoryRows(design, h, h), float(h.sum())
    sums, squares = design.column_stats(h, cols)[:2]
    sums = sums / total if fit_intercept else np.zeros(cols.size)
    gram = rows.products(cols, cols) - total * np.outer(sums, sums)
    scale = np.sqrt(np.where(squares > 0.0, squares, 1.0))
    size, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    keep = size > DEPENDENT * size.max(initial=0.0)
    size, vectors = size[keep], vectors[:, keep]

    def project(theta: Vector) -> Vector:
        c = design.rmatvec(theta, cols) - sums * theta.sum()
        a = (vectors @ ((vectors.T @ (c / scale)) / size)) / scale
        step = rows.predictor(Coefficients(cols, a)) - float(sums @ a)
        return step + (theta - h * step).sum() / total if fit_intercept else step

    return project


def _into_domain(loss_rows: LossRows, rho: Vector, theta: Vector) -> tuple[Vector, NDArray[np.bool_]]:
    """theta, brought back towards rho as far as the conjugate's domain demands; and in which rows."""
    y, s, loss = loss_rows.rows.y, loss_rows.rows.s, loss_rows.loss
    scale = np.ones_like(y) if s is None else s

    def outside(at: Int, values: Vector) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            return ~np.isfinite(loss.conjugate(y[at], -values / scale[at]))

    counted = np.flatnonzero(scale > 0.0)
    at = counted[outside(counted, theta[counted])]
    beyond = np.zeros(y.size, dtype=np.bool_)
    if not at.size:
        return theta, beyond
    low, high = np.zeros(at.size), np.ones(at.size)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        out = outside(at, rho[at] + middle * (theta[at] - rho[at]))
        low, high = np.where(out, low, middle), np.where(out, middle, high)
    theta = theta.copy()
    theta[at] = rho[at] + low * (theta[at] - rho[at])
    beyond[at] = True
    return theta, beyond


def conjugate_gap(loss: Loss, y: Vector, z: Vector, s: Vector | None, theta: Vector, t: float) -> float:
    """`sum_i s_i [l(z_i) + l*(-t theta_i / s_i)] + t theta_i z_i`: the loss's part of the gap at the dual point `t
    theta`, by its definition."""
    u = theta if s is None else np.divide(theta, s, out=np.zeros_like(theta), where=s > 0.0)
    t *= 1.0 - INSIDE  # rounding may have put theta beyond the conjugate's domain
    with np.errstate(invalid="ignore"):
        beyond = (np.abs(u) <= INSIDE) & ~np.isfinite(loss.conjugate(y, -t * u))
        u = np.where(beyond, 0.0, u)  # where 0 bounds it, as where a row's own rho is all but 0
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
    loss_rows: LossRows,
    penalty: Penalty,
    coef: Coefficients,
    dual: Coefficients,
    strengths: tuple[Vector, Vector],
    intercept: float | None = None,
) -> float:
    """The gap of `S F` at coefficients w and the dual point `rho - s h X (u - w)` of coefficients u, by its definition.

    `strengths` are l1 and l2 of every column, none of them unpenalized. `intercept`: None for the best.
    O(entries of X)"""
    rows, loss, w = loss_rows.rows, loss_rows.loss, np.zeros(loss_rows.rows.n_cols)
    z = loss_rows.predictor(coef)[0] if intercept is None else loss_rows.predictor_at(coef, intercept)
    s = np.ones(z.size) if rows.s is None else rows.s
    rho, h = s * loss.residual(rows.y, z), s * loss.curvature(rows.y, z)
    d = rows.predictor(dual) - rows.predictor(coef)
    if loss_rows.fit_intercept:
        d -= (float(h @ d) - float(rho.sum())) / float(h.sum())
    theta = rho - h * d
    w[coef.cols] = coef.w
    terms = Penalty.gap_terms(penalty, w, rows.design.rmatvec(theta), *strengths)
    return gap_at_other_dual(loss, (rows.y, z, rows.s), theta, terms)

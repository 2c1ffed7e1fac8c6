"""The penalty of rows of coefficients, `l1 |w_j|_2 + l2/2 |w_j|_2^2`: a column is in for all outputs or for none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.penalties.base import GapTerms, Penalty

__all__ = ["RowPenalty", "row_norms"]

Vector = NDArray[np.float64]


class RowPenalty(Penalty):
    """`g(w_j) = |w_j|_2` of rows w_j of K numbers: the l2,1 norm. Wherever `Penalty` has vectors of shape (m,), w and c
    are of shape (m, K) here; strengths, factors and values of g have one entry a row."""

    name = "rows"

    def gauge(self, w: Vector) -> Vector:
        return row_norms(w)

    def slope(self, w: Vector) -> Vector:
        norms = row_norms(w)[:, None]
        return np.divide(w, norms, out=np.zeros_like(w), where=norms > 0.0)

    def dual_magnitude(self, c: Vector) -> Vector:
        return row_norms(c)

    def excess(self, c: Vector, l1: Vector) -> Vector:
        norms = row_norms(c)
        over = np.maximum(norms - l1, 0.0)
        return c * np.divide(over, norms, out=np.zeros_like(norms), where=norms > 0.0)[:, None]

    def value(self, w: Vector, l1: Vector, l2: Vector) -> float:
        return float(l1 @ row_norms(w) + 0.5 * (l2 @ (w * w).sum(axis=1)))

    def prox(self, c: Vector, a: Vector, l1: Vector, l2: Vector) -> Vector:
        total = (a + l2)[:, None]
        return np.divide(self.excess(c, l1), total, out=np.zeros_like(c), where=total > 0.0)

    def conjugate(self, c: Vector, l1: Vector, l2: Vector) -> Vector:
        over = row_norms(self.excess(c, l1))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(over != 0.0, 0.5 * over**2 / l2, 0.0)

    def stationarity(self, w: Vector, c: Vector, l1: Vector, l2: Vector) -> Vector:
        inside = c - l1[:, None] * self.slope(w) - l2[:, None] * w
        return np.where(row_norms(w) == 0.0, row_norms(self.excess(c, l1)), row_norms(inside))

    def gap_terms(self, w: Vector, c: Vector, l1: Vector, l2: Vector) -> GapTerms:
        penalized = l1 + l2 > 0.0
        augmented = c - l2[:, None] * w
        magnitude = np.where(penalized, row_norms(augmented), 0.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = np.where(magnitude > 0.0, magnitude / l1, 0.0)
        l1_norm, l2_sq = float(l1 @ row_norms(w)), float(l2 @ (w * w).sum(axis=1))
        conjugate = float(self.conjugate(c, l1, l2)[penalized].sum())
        return GapTerms(
            l1_norm,
            l2_sq,
            float((augmented * w).sum()),
            float(ratio.max(initial=0.0)),
            l1_norm + 0.5 * l2_sq - float((c * w).sum()) + conjugate,
        )


def row_norms(w: Vector) -> Vector:
    """`|w_j|_2` of every row."""
    norms = np.sqrt(np.einsum("jk,jk->j", w, w))
    if norms.max(initial=0.0) == np.inf:  # the squares, not the numbers
        norms = np.hypot.reduce(w, axis=1)
    return norms

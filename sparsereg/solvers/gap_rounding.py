"""What rounding may hide in a gap: columns of large values, without an intercept, lose the digits of their gradients.

A gap at a dual point counts no error in the point, which may be any, but one in its gradients. Gradients by products
with a Gram matrix, `c_j = c0_j - G_j w`, have the rounding of `|x_j| sum_k |x_k| |w_k|`; by a pass over the rows, that
of `|x_j| |r|`, which large columns that cancel in the residual do not spoil.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.certificate import squared_fenchel_gap
from sparsereg.objective.problem import Coefficients
from sparsereg.objective.quadratic import Quadratic

__all__ = ["EPS", "gap_by_a_pass", "hidden_by_rounding", "length_of"]

Vector = NDArray[np.float64]

# Of a sum of products: its terms' roundings rarely add up.
EPS = 4.0 * float(np.finfo(np.float64).eps)


def hidden_by_rounding(error: Vector, w: Vector, l1: Vector, l2: Vector) -> float:
    """How much larger a gap of `S F` may be than it was found to be, where gradients are wrong by `error`.

    The better of both ways of `combine_gap`; unpenalized columns count for nothing here."""
    penalized = l1 + l2 > 0.0
    error, w, l1, l2 = error[penalized], np.abs(w[penalized]), l1[penalized], l2[penalized]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(error > 0.0, error / l1, 0.0)
        scaled = float(ratio.max(initial=0.0) * (l1 @ w) + error @ w)
        direct = float(np.where(error > 0.0, error * error / (2.0 * l2), 0.0).sum())
    return min(v for v in (scaled, direct, np.inf) if not np.isnan(v))


def length_of(quadratic: Quadratic, sq: Vector, sums: Vector) -> Vector:
    """`|x_j|_s` about 0, from what `moments` has: about the mean where there is an intercept."""
    return np.sqrt(sq + sums * sums / quadratic.weight_sum)


def gap_by_a_pass(quadratic: Quadratic, coef: Coefficients, alpha: float, l1_ratio: float) -> float:
    """The gap of `S F` at the residual, from gradients by a pass over the rows, and what rounding may hide in it."""
    rows = quadratic.rows
    sums, sq = quadratic.moments()[:2]
    base = quadratic.base(float(sums[coef.cols] @ coef.w))
    c = rows.gradients(coef, base)
    l1, l2 = quadratic.penalty.strengths(quadratic.weight_sum * alpha, l1_ratio, np.arange(c.size))
    squares, w = rows.squared_residual(coef, base), np.zeros(c.size)
    w[coef.cols] = coef.w
    length = length_of(quadratic, sq, sums)
    hidden = hidden_by_rounding(EPS * np.sqrt(squares) * length, w, l1, l2)
    hidden += 0.5 * (EPS * float(length @ np.abs(w))) ** 2  # that of the residual, beside the dual point
    gap = quadratic.gap_from(coef, l1, l2, squared_fenchel_gap(squares), np.arange(c.size), c)
    return gap * quadratic.weight_sum + hidden

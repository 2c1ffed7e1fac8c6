"""What rounding may hide in a gap: columns of large values, without an intercept, lose the digits of their gradients.

A gap at a dual point counts no error in the point, which may be any, but one in its gradients. Gradients by products
with a Gram matrix, `c_j = c0_j - G_j w`, have the rounding of `|x_j| sum_k |x_k| |w_k|`; by a pass over the rows, that
of `|x_j| |r|`, which large columns that cancel in the residual do not spoil.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.certificate import squared_fenchel_gap
from sparsereg.objective.dual_point import DualShift, combine_shifted_gap
from sparsereg.objective.problem import Coefficients
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import Penalty
from sparsereg.rows.memory import MemoryRows

__all__ = ["EPS", "HIDDEN", "gap_by_a_pass", "hidden_by_rounding", "length_of"]

Vector = NDArray[np.float64]

# Of a sum of products: its terms' roundings rarely add up.
EPS = 4.0 * float(np.finfo(np.float64).eps)
# Gaps are as good as gradients by products with the Gram matrix, while these hide at most this share of the target's
# sum of squares: with an intercept, where far columns are shifted, they do.
HIDDEN = 1e-7


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
    with np.errstate(over="ignore"):
        return np.sqrt(sq + sums * sums / quadratic.weight_sum)


def gap_by_a_pass(
    quadratic: Quadratic, coef: Coefficients, dual: Coefficients | None, alpha: float, l1_ratio: float
) -> float:
    """The gap of `S F`, from gradients by passes over rows in memory, and what rounding may hide in it: the better of
    those at the residual of `coef` and at that of `dual`."""
    rows, (sums, sq) = cast(MemoryRows, quadratic.rows), quadratic.moments()[:2]
    every, length = np.arange(sq.size), length_of(quadratic, sq, sums)
    l1, l2 = quadratic.penalty.strengths(quadratic.weight_sum * alpha, l1_ratio, every)

    def evaluated(at: Coefficients) -> tuple[Vector, Vector, float]:
        """Coefficients, gradients and `|r|^2`."""
        w, base = np.zeros(sq.size), quadratic.base(float(sums[at.cols] @ at.w))
        w[at.cols] = at.w
        r = rows.residual(at, base)
        c = rows.design.rmatvec(r) - sums * (float(r.sum()) / quadratic.weight_sum)
        c[sq == 0.0] = 0.0  # a constant column: nothing but rounding
        return w, c, rows.squared_residual(at, base)

    w, c, squares = evaluated(coef)
    error = EPS * np.sqrt(squares) * length
    hidden = hidden_by_rounding(error, w, l1, l2)
    hidden += 0.5 * (EPS * float(length @ np.abs(w))) ** 2  # that of the residual, beside the dual point
    gap = quadratic.gap_from(coef, l1, l2, squared_fenchel_gap(squares), every, c.copy()) * quadratic.weight_sum
    if dual is not None and not ((l1 + l2 == 0.0) & (sq > 0.0)).any():
        u, c_u, _ = evaluated(dual)
        a = u - w
        shift, off = DualShift.between(a, c - l2 * w, c_u - l2 * u), float(error @ np.abs(a))
        terms = Penalty.gap_terms(quadratic.penalty, w, c_u - l2 * a, l1, l2)
        shift = replace(shift, squared=shift.squared + off)
        gap = min(gap, combine_shifted_gap(terms, squares, shift) + off)
    return gap + hidden

"""Duality gaps at a dual point that is the residual of other coefficients. Does not know how a solver finds one.

With the elastic net as a lasso on augmented rows (Mairal 2010, section 2.4), r(u) the augmented residual at
coefficients u, `c(u) = X' r(u) - l2 u` its gradients and `a = u - w`, the dual point `t r(u)`, t small enough that it
is feasible, gives

    gap = (1-t)^2/2 |r(w)|^2 + t (1-t) <c(w), a> + t^2/2 (|X a|^2 + l2 a^2) + sum_j l1_j g(w_j) - t <c(u), w>.

It bounds `S (F(w) - min F)` for any u; at u = w it is that of the scaled residual (`combine_gap`). Where gradients
pass their thresholds by a share v, scaling the residual costs v times the whole l1 norm. A u within all thresholds
costs `|X a|^2 / 2`, quadratic in v, and what its gradients fall short of l1_j where w_j is not 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Coordinates
from sparsereg.objective.problem import Coefficients, Problem
from sparsereg.objective.quadratic import MAX_UNPENALIZED, Quadratic
from sparsereg.penalties import GapTerms, Penalty

__all__ = ["DualShift", "combine_shifted_gap", "duality_gap_at", "projected_dual", "to_orthogonal"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Passes over X in search of a dual point, and sweeps between two.
MAX_PASSES = 40
SWEEPS_PER_PASS = 5


@dataclass(frozen=True)
class DualShift:
    """How r(u) differs from r(w): `cross` is `<c(w), a>`, `squared` is `|X a|^2 + l2 a^2`."""

    cross: float
    squared: float

    @classmethod
    def between(cls, a: Vector, at_w: Vector, at_u: Vector) -> DualShift:
        """From `c(w)` and `c(u)`, whose difference is `X' X a + l2 a`."""
        return cls(float(at_w @ a), max(float(a @ (at_w - at_u)), 0.0))


def combine_shifted_gap(terms: GapTerms, squared_residual: float, shift: DualShift, outside: float = 0.0) -> float:
    """The gap of `S F` at the dual point r(u), scaled until feasible; `outside` as in `combine_gap`. O(1).

    `terms`: the sums over the columns at w and `X' r(u) - l2 (u - w)`."""
    dual_norm = max(terms.dual_norm, outside, 1.0)
    if not math.isfinite(dual_norm):
        return math.inf
    t = 1.0 / dual_norm
    apart = (1.0 - t) ** 2 * (squared_residual + terms.l2_sq)
    apart += 2.0 * t * (1.0 - t) * shift.cross + t * t * shift.squared
    return float(max(0.5 * apart + terms.l1_norm - t * terms.slope, 0.0))


def to_orthogonal(quadratic: Quadratic, cols: Int, c: Vector) -> Vector | None:
    """The step of unpenalized columns, of gradients c, to a residual orthogonal to them; None where that is dear."""
    if cols.size > MAX_UNPENALIZED or quadratic.penalty.positive:
        return None
    return quadratic.unpenalized_least_squares(cols, c)[0]


def duality_gap_at(problem: Problem, coef: Coefficients, dual: Coefficients, alpha: float, l1_ratio: float) -> float:
    """The better of `Problem.duality_gap` and the gap at the residual of `dual`, for the squared loss.

    By full passes and plain NumPy. O(entries of X)."""
    quadratic, found = problem.quadratic, problem.loss_rows.evaluate(coef)
    plain = problem.gap_of(found, coef, alpha, l1_ratio)
    w, u = (_dense(held, found.c.size) for held in (coef, dual))
    l1, l2 = problem.penalty.strengths(problem.weight_sum * alpha, l1_ratio, np.arange(w.size))
    sums, sq = quadratic.moments()[:2]
    c_u = problem.loss_rows.evaluate(dual).c
    unpenalized = np.flatnonzero((l1 == 0.0) & (l2 == 0.0) & (sq > 0.0))
    if unpenalized.size:
        step = to_orthogonal(quadratic, unpenalized, c_u[unpenalized])
        if step is None:
            return plain
        u[unpenalized] += step
        c_u = problem.loss_rows.evaluate(_sparse(u)).c
        if not quadratic.orthogonal(unpenalized, c_u[unpenalized]):
            return plain
        c_u[unpenalized] = 0.0
    c_u[sq == 0.0] = 0.0  # a constant column: nothing but rounding
    a = u - w
    moved = problem.rows.predictor(_sparse(a)) - float(sums @ a) / problem.weight_sum
    s = problem.rows.s
    squared = float(moved @ (moved if s is None else s * moved) + l2 @ (a * a))
    shift = DualShift(float((found.c - l2 * w) @ a), squared)
    terms = Penalty.gap_terms(problem.penalty, w, c_u - l2 * a, l1, l2)  # which takes l2 w off
    return min(plain, combine_shifted_gap(terms, 2.0 * found.total, shift) / problem.weight_sum)


def projected_dual(
    problem: Problem, coef: Coefficients, alpha: float, l1_ratio: float, margin: float = 1e-4
) -> Coefficients:
    """Coefficients u whose residual is a better dual point than that of `coef`, from X and `coef` alone:
    `duality_gap_at` certifies coefficients as they are handed out by it.

    Between passes over X, sweeps of projections over all columns that were violated once, until none is by more than a
    share `margin` of its threshold; at most 40 passes."""
    quadratic, rows = problem.quadratic, problem.rows
    every, u = np.arange(rows.n_cols), _dense(coef, rows.n_cols)
    l1, l2 = problem.penalty.strengths(problem.weight_sum * alpha, l1_ratio, every)
    sums, sq = quadratic.moments()[:2]
    r, kernel = rows.residual(coef, quadratic.center), problem.penalty.kernel
    if kernel is None:
        return coef
    co = Coordinates(u, sums, sq, l1, l2, problem.weight_sum, kernel, -float(sums @ u))
    ever = np.zeros(u.size, dtype=np.bool_)
    for _ in range(MAX_PASSES):
        c = rows.design.rmatvec(r) - sums * (co.r_sum / problem.weight_sum) - l2 * u
        violated = (problem.penalty.dual_magnitude(c) > (1.0 + margin) * l1) & (sq > 0.0) & (l1 > 0.0)
        if not violated.any():
            break
        ever |= violated
        for _ in range(SWEEPS_PER_PASS):
            if rows.design.matrix.project_residual(every, co, np.flatnonzero(ever), margin, r, rows.s) <= margin:
                break
    return _sparse(u)


def _dense(coef: Coefficients, n_cols: int) -> Vector:
    w = np.zeros(n_cols)
    w[coef.cols] = coef.w
    return w


def _sparse(w: Vector) -> Coefficients:
    return Coefficients(np.arange(w.size), w).nonzero()

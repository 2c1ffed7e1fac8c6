"""Unpenalised columns of several classes: dual points that are orthogonal to them. Knows no penalties.

The dual point `s (y - q)` needs probabilities q whose products with the unpenalised columns F, and whose sums where
there are intercepts, are those of y. q is p, moved along the Hessian of their coefficients by what those leave:
`q_ik = p_ik (1 + d_ik - sum_l p_il d_il)` with `d_i = b + F_i A`, which sums to 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.rows.memory import MemoryRows

__all__ = ["SoftmaxHessian", "orthogonal_probabilities", "softmax_hessian"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

MAX_STEPS = 4
# What is left of the products is rounding below this share of what they can be; directions of less curvature than this
# share of the largest are dependent.
ORTHOGONAL, DEPENDENT = 1e-12, 1e-13


class SoftmaxHessian(NamedTuple):
    """In m coefficients, a column and a class each: (m, m); beside the K intercepts (m, K); in these (K, K)."""

    coefficients: Vector
    sums: Vector
    totals: Vector


def softmax_hessian(design: Design, s: Vector | None, p: Vector, cols: Int, classes: Int) -> SoftmaxHessian:
    """Second derivatives of `sum_i s_i log sum_k exp(z_ik)` at probabilities p (K, n)."""
    K, n = p.shape
    out = SoftmaxHessian(np.zeros((cols.size, cols.size)), np.zeros((cols.size, K)), np.zeros((K, K)))
    for k in range(K):
        for m in range(k, K):
            sign, h = (1.0, p[k] * (1.0 - p[k])) if k == m else (-1.0, p[k] * p[m])
            rows = MemoryRows(design, np.zeros(n), h if s is None else s * h)
            one, other = np.flatnonzero(classes == k), np.flatnonzero(classes == m)
            block = sign * rows.products(cols[one], cols[other])
            out.coefficients[np.ix_(one, other)], out.coefficients[np.ix_(other, one)] = block, block.T
            out.sums[one, m], out.sums[other, k] = (sign * rows.moments(cols[at]).sums for at in (one, other))
            out.totals[k, m] = out.totals[m, k] = sign * rows.weight_sum
    return out


def orthogonal_probabilities(
    design: Design, rows: tuple[Vector, Vector | None, Vector], cols: Int, fit_intercept: bool
) -> tuple[Vector, bool]:
    """q for targets y, weights s and probabilities p, `rows = y, s, p`; and whether it is as it has to be."""
    y, s, p = rows
    K, f = len(p), cols.size
    parts = softmax_hessian(design, s, p, np.tile(cols, K), np.repeat(np.arange(K), f))
    hessian = parts.coefficients
    limits = np.tile(design.column_stats(s, cols)[2], K)
    if fit_intercept:
        hessian = np.block([[hessian, parts.sums], [parts.sums.T, parts.totals]])
        limits = np.append(limits, np.full(K, float(y.shape[1] if s is None else s.sum())))
    diagonal = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    unit = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0.0)
    inverse = np.linalg.pinv(hessian * np.outer(unit, unit), rcond=DEPENDENT, hermitian=True)
    q, steps = p, 0
    while True:
        left = y - q if s is None else (y - q) * s
        slope = np.concatenate([design.rmatvec(np.ascontiguousarray(r), cols) for r in left])
        slope = np.append(slope, left.sum(axis=1)) if fit_intercept else slope
        if (np.abs(slope) <= ORTHOGONAL * limits).all():
            return q, bool((q >= 0.0).all())
        if steps == MAX_STEPS:
            return q, False
        e, steps, d = unit * (inverse @ (unit * slope)), steps + 1, np.zeros_like(p)
        for k in range(K):
            design.matrix.add_matvec(np.ascontiguousarray(e[k * f : (k + 1) * f]), d[k], cols)
        if fit_intercept:
            d += e[K * f :, None]
        with np.errstate(over="ignore", invalid="ignore"):
            q = q + p * (d - np.einsum("ki,ki->i", p, d))
        if not np.isfinite(q).all():
            return p, False

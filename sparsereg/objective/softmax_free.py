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

__all__ = [
    "DEPENDENT",
    "SoftmaxHessian",
    "orthogonal_probabilities",
    "scaled_eigen",
    "scaled_pinv",
    "softmax_hessian",
    "softmax_totals",
]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

MAX_STEPS = 4
# What is left of the products is rounding below `ORTHOGONAL` of what they can be; steps end at `ENOUGH`, as
# coefficients multiply it. Directions of less curvature than `DEPENDENT` of the largest are dependent, and coordinates
# of less than `LEAST_CURVATURE` have none.
ORTHOGONAL, ENOUGH, DEPENDENT, LEAST_CURVATURE = 1e-12, 1e-15, 1e-13, 1e-200


class SoftmaxHessian(NamedTuple):
    """In m coefficients, a column and a class each: (m, m); beside the K intercepts (m, K); in these (K, K)."""

    coefficients: Vector
    sums: Vector
    totals: Vector


def softmax_totals(sp: Vector, p: Vector) -> Vector:
    """The Hessian in the intercepts, (K, K), at probabilities p (K, n) and these times the weights. Its rows sum to 0,
    from which the diagonal follows without differences of numbers near 1."""
    out = -sp @ p.T
    np.fill_diagonal(out, 0.0)
    np.fill_diagonal(out, -out.sum(axis=1))
    return out


def softmax_hessian(design: Design, s: Vector | None, p: Vector, cols: Int, classes: Int) -> SoftmaxHessian:
    """Second derivatives of `sum_i s_i log sum_k exp(z_ik)` at probabilities p (K, n)."""
    K, n = p.shape
    totals = softmax_totals(p if s is None else s * p, p)
    out = SoftmaxHessian(np.zeros((cols.size, cols.size)), np.zeros((cols.size, K)), totals)
    for k in range(K if cols.size else 0):
        for m in range(k, K):
            sign, h = (1.0, p[k] * np.delete(p, k, axis=0).sum(axis=0)) if k == m else (-1.0, p[k] * p[m])
            rows = MemoryRows(design, np.zeros(n), h if s is None else s * h)
            one, other = np.flatnonzero(classes == k), np.flatnonzero(classes == m)
            block = sign * rows.products(cols[one], cols[other])
            out.coefficients[np.ix_(one, other)], out.coefficients[np.ix_(other, one)] = block, block.T
            out.sums[one, m], out.sums[other, k] = (sign * rows.moments(cols[at]).sums for at in (one, other))
    return out


def scaled_eigen(hessian: Vector) -> tuple[Vector, Vector, Vector]:
    """Units in which its diagonal is 1 (0 for coordinates of hardly any curvature), and there its eigenvalues, 0 where
    directions are dependent, and eigenvectors."""
    diagonal = np.diag(hessian)
    curved = diagonal > LEAST_CURVATURE
    unit = np.where(curved, 1.0 / np.sqrt(np.where(curved, diagonal, 1.0)), 0.0)
    size, vectors = np.linalg.eigh(hessian * unit * unit[:, None])
    return unit, np.where(size > DEPENDENT * size[-1], size, 0.0), vectors


def scaled_pinv(hessian: Vector) -> Vector:
    """Its pseudo-inverse in those units."""
    unit, size, vectors = scaled_eigen(hessian)
    inverse = (vectors[:, size > 0.0] / size[size > 0.0]) @ vectors[:, size > 0.0].T
    return np.asarray(inverse * unit * unit[:, None])


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
    inverse = scaled_pinv(hessian)
    q, steps = p, 0
    while True:
        left = y - q if s is None else (y - q) * s
        slope = np.concatenate([design.rmatvec(np.ascontiguousarray(r), cols) for r in left])
        slope = np.append(slope, left.sum(axis=1)) if fit_intercept else slope
        if (np.abs(slope) <= ENOUGH * limits).all() or steps == MAX_STEPS:
            return q, bool((np.abs(slope) <= ORTHOGONAL * limits).all())
        e, steps, d = inverse @ slope, steps + 1, np.zeros_like(p)
        for k in range(K):
            design.matrix.add_matvec(np.ascontiguousarray(e[k * f : (k + 1) * f]), d[k], cols)
        if fit_intercept:
            d += e[K * f :, None]
        with np.errstate(over="ignore", invalid="ignore"):
            q = np.maximum(q + p * (d - np.einsum("ki,ki->i", p, d)), 0.0)
            q /= q.sum(axis=0)
        if not np.isfinite(q).all():
            return p, False

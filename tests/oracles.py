"""Slow, obvious versions to test against: dense, centred, one coordinate at a time, no tricks."""

from __future__ import annotations

import numpy as np

from sparsereg.objective.dual_point import duality_gap_at, projected_dual


def recomputed_gap(problem, coef, alpha, l1_ratio, target):
    """The duality gap from coefficients alone, by full passes: at the scaled residual or at a projected dual point."""
    norm = alpha * l1_ratio * np.abs(coef.w).sum()
    margin = min(0.05 * target / norm, 0.01) if norm > 0.0 else 0.01
    return duality_gap_at(problem, coef, projected_dual(problem, coef, alpha, l1_ratio, margin), alpha, l1_ratio)


def objective(X, y, s, b0, w, alpha, l1_ratio, v):
    """F as docs/design.md writes it."""
    loss = np.sum(s * (y - b0 - X @ w) ** 2) / (2 * s.sum())
    return loss + alpha * (l1_ratio * np.sum(v * np.abs(w)) + (1 - l1_ratio) / 2 * np.sum(v * w**2))


def centre(X, y, s, fit_intercept):
    if not fit_intercept:
        return X, y, np.zeros(X.shape[1]), 0.0
    m, ym = np.average(X, axis=0, weights=s), np.average(y, weights=s)
    return X - m, y - ym, m, ym


def elastic_net(X, y, alpha, l1_ratio, *, s=None, v=None, fit_intercept=True, positive=False, epochs=20_000):
    """Cyclic coordinate descent on dense centred columns until nothing moves. Returns (b0, w)."""
    X = np.asarray(X, dtype=float)
    s = np.ones(len(y)) if s is None else s
    v = np.ones(X.shape[1]) if v is None else v
    Xc, yc, m, ym = centre(X, np.asarray(y, dtype=float), s, fit_intercept)
    total, w = s.sum(), np.zeros(X.shape[1])
    square = np.sum(s[:, None] * Xc**2, axis=0)
    for _ in range(epochs):
        largest = 0.0
        for j in np.flatnonzero(square > 1e-14 * np.sum(s[:, None] * X**2, axis=0)):
            r = yc - Xc @ w
            c = Xc[:, j] @ (s * r) + square[j] * w[j]
            l1, l2 = total * alpha * l1_ratio * v[j], total * alpha * (1 - l1_ratio) * v[j]
            size = max(c - l1, 0.0) if positive else np.sign(c) * max(abs(c) - l1, 0.0)
            new = size / (square[j] + l2)
            largest = max(largest, abs(new - w[j]))
            w[j] = new
        if largest <= 1e-13 * max(1.0, np.abs(w).max()):
            break
    return ym - m @ w, w


def duality_gap(X, y, w, alpha, l1_ratio, *, s=None, v=None, fit_intercept=True):
    """The lasso's gap on augmented data, by definition: P - D at the residual scaled into the dual's feasible set."""
    s = np.ones(len(y)) if s is None else s
    v = np.ones(X.shape[1]) if v is None else v
    Xc, yc, _, _ = centre(np.asarray(X, dtype=float), np.asarray(y, dtype=float), s, fit_intercept)
    root, total = np.sqrt(s), s.sum()
    l1, l2 = total * alpha * l1_ratio * v, total * alpha * (1 - l1_ratio) * v
    A = np.vstack([root[:, None] * Xc, np.diag(np.sqrt(l2))])
    b = np.concatenate([root * yc, np.zeros(len(w))])
    r = b - A @ w
    t = 1.0 / max(1.0, np.max(np.abs(A.T @ r) / l1))
    primal = 0.5 * r @ r + l1 @ np.abs(w)
    dual = 0.5 * b @ b - 0.5 * (b - t * r) @ (b - t * r)
    return (primal - dual) / total

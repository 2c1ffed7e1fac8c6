"""Objective and duality gap of given coefficients, recomputed in float64 with numpy and scipy alone.

The objective is that of docs/design.md with the squared loss, an unpenalised intercept, and weights s of mean 1:

    F(b0, w) = sum_i s_i (y_i - b0 - x_i w)^2 / (2 n) + alpha (l1_ratio |w|_1 + (1 - l1_ratio) |w|^2 / 2)

Knows no solver, and takes nothing a solver says about itself into account. The lower bound on the minimum is the best
of the dual values at the residual (`_best_dual`), and where those are far, at one projected onto the thresholds
(`_projected_dual`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.sparse as sp

# Points whose residuals are held at once: bounds the memory, not the result.
CHUNK = 8
# Gaps above this share of |y - mean y|^2 / n are worth a search for a better dual point: so many passes over X, and
# between two so many sweeps over the columns that were once violated, until one mends less than a share of the gap.
GOOD_GAP = 1e-5
# A pass may be no better than the one before while others follow that are: so many in a row are waited for.
MIN_PASSES, MAX_PASSES = 3, 20
SWEEPS_PER_PASS = 10
SETTLED, PATIENCE = 0.02, 3
# Projections onto half-spaces, over-relaxed, go beyond a threshold by a share of it: at first this, then half each
# pass. That costs the share times `l1 |w|_1`. Where the result is not good enough, they begin again with a share that
# costs no more than so much of the gap that is; with that alone, columns may take turns for long.
RELAXATION = 1.4
MARGIN, MARGIN_COST = 1e-3, 0.1


@dataclass(frozen=True)
class Certificate:
    """Quality of k points, float64 arrays of shape (k,).

    Attributes
    ----------
    objective : F at the returned intercept and coefficients.
    gap : an upper bound on F minus its minimum.
    relative_gap : gap divided by |y - mean y|^2 / n.
    """

    objective: np.ndarray
    gap: np.ndarray
    relative_gap: np.ndarray


def gap_scale(y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """What duality gaps are relative to: |y - mean y|^2 / n."""
    return float(np.average((y - np.average(y, weights=weights)) ** 2, weights=weights))


def alpha_max(X: sp.csr_array | np.ndarray, y: np.ndarray, l1_ratio: float, weights: np.ndarray | None = None) -> float:
    """The smallest strength at which all coefficients are zero."""
    centred = y - np.average(y, weights=weights)
    return float(np.abs(X.T @ (centred if weights is None else weights * centred)).max() / (len(y) * l1_ratio))


def certify(
    X: sp.csr_array | np.ndarray,
    y: np.ndarray,
    path: tuple[sp.csc_array, np.ndarray],
    alphas: np.ndarray,
    l1_ratio: float,
    intercept: bool,
    weights: np.ndarray | None = None,
    good_gap: float = GOOD_GAP,
) -> Certificate:
    """Certificate of every point of a path.

    Parameters
    ----------
    X : csr_array or ndarray of shape (n, p), float64
    y : ndarray of shape (n,), float64
    path : (coefficients, intercepts)
        csc_array of shape (p, k) and ndarray of shape (k,).
    alphas : ndarray of shape (k,), float64
    l1_ratio : float in (0, 1]
    intercept : bool
        Whether b0 is free. If not it must be zero, and y is expected centred.
    weights : ndarray of shape (n,), float64, with mean 1, optional
    good_gap : float, default 1e-5
        No better dual point is searched for once the relative gap is this small.
    """
    coefs, intercepts = path
    if coefs.shape != (X.shape[1], len(alphas)) or intercepts.shape != (len(alphas),):
        raise ValueError(f"a path of {coefs.shape} and {intercepts.shape} does not fit X of {X.shape}")
    if not (np.isfinite(coefs.data).all() and np.isfinite(intercepts).all()):
        raise ValueError("the coefficients or intercepts are not finite")
    if not intercept and intercepts.any():
        raise ValueError("an intercept was fitted where none was asked for")
    # Rows times the root of their weight: sums of squares and products are then the weighted ones.
    n, root = len(y), np.ones(len(y)) if weights is None else np.sqrt(weights)
    target = root * (y - np.average(y, weights=weights))
    columns = sp.csc_array(X if weights is None else sp.diags_array(root) @ sp.csr_array(X))
    means = columns.T @ root / n if intercept else np.zeros(X.shape[1])
    centring = _Columns(columns, means, root, columns.multiply(columns).sum(axis=0) - n * means**2)
    objective, gap = np.empty(len(alphas)), np.empty(len(alphas))
    for start in range(0, len(alphas), CHUNK):
        chunk = slice(start, start + CHUNK)
        W = coefs[:, chunk]
        fitted = X @ W
        fitted = fitted.toarray() if sp.issparse(fitted) else np.asarray(fitted)
        residual = root[:, None] * (y[:, None] - intercepts[chunk] - fitted)
        centred = residual - np.outer(root, root @ residual) / n if intercept else residual
        gradient = columns.T @ centred
        for i in range(W.shape[1]):
            strength = n * alphas[start + i]
            l1, l2 = strength * l1_ratio, strength * (1.0 - l1_ratio)
            w = W[:, [i]].toarray().ravel()
            primal = 0.5 * residual[:, i] @ residual[:, i] + l1 * np.abs(w).sum() + 0.5 * l2 * (w @ w)
            r = centred[:, i]
            dual = _best_dual(r @ target, r @ r, gradient[:, i], w, (l1, l2))
            enough = primal - good_gap * (target @ target)
            if dual < enough:
                dual = max(dual, _projected_dual(centring, target, w, (l1, l2), (primal, enough)))
            objective[start + i], gap[start + i] = primal / n, (primal - dual) / n
    return Certificate(objective, gap, gap / gap_scale(y, weights))


def ridge_gradient(X: sp.csr_array | np.ndarray, y: np.ndarray, w: np.ndarray, alpha: float, intercept: bool) -> float:
    """|g| / |X' (y - mean y)| of ridge at w, with g = X'r - alpha w and r the residual, at the best intercept if there
    is one.

    The objective is scikit-learn's, |y - b0 - X w|^2 + alpha |w|^2.
    """
    if w.shape != (X.shape[1],) or not np.isfinite(w).all():
        raise ValueError(f"coefficients of shape {w.shape} do not fit X of {X.shape}, or are not finite")
    r = y - X @ w
    if intercept:
        r -= r.mean()
    return float(np.linalg.norm(X.T @ r - alpha * w) / np.linalg.norm(X.T @ (y - y.mean())))


def _best_dual(ry: float, rr: float, gradient: np.ndarray, w: np.ndarray, penalty: tuple[float, float]) -> float:
    """Largest dual value, in units of n F, among two families built on the centred residual r.

    The first is the scaled residual of the lasso on the augmented data (r, -sqrt(l2) w), valid for every l2 >= 0; the
    second, for l2 > 0, is r itself with the conjugate of the elastic net's penalty, a sum over the columns.
    """
    l1, l2 = penalty
    rr_augmented = rr + l2 * (w @ w)
    if rr_augmented == 0.0:
        return 0.0
    largest = np.abs(gradient - l2 * w).max()
    bound = l1 / largest if largest > 0 else np.inf
    scale = np.clip(ry / rr_augmented, -bound, bound)
    dual = scale * ry - 0.5 * scale**2 * rr_augmented
    if l2 > 0:
        excess = np.maximum(np.abs(gradient) - l1, 0.0)
        dual = max(dual, ry - 0.5 * rr - 0.5 * (excess @ excess) / l2)
    return float(dual)


@dataclass(frozen=True)
class _Columns:
    """Columns, their (weighted) means, or 0 without an intercept, and the column of the intercept; rows times the
    roots of their weights. `squares` are those of the centred columns."""

    columns: sp.csc_array
    means: np.ndarray
    ones: np.ndarray
    squares: np.ndarray


def _projected_dual(
    X: _Columns, target: np.ndarray, w: np.ndarray, penalty: tuple[float, float], between: tuple[float, float]
) -> float:
    """The largest dual value, in units of n F, at the residuals of other coefficients u, reached from w by projections.

    `between` are the primal value and the dual value that is enough."""
    (primal, enough), norm = between, penalty[0] * np.abs(w).sum()
    best = _search(X, target, w, penalty, between, MARGIN)
    if best >= enough or not MARGIN * norm > MARGIN_COST * (primal - enough):
        return best
    return max(best, _search(X, target, w, penalty, between, MARGIN_COST * (primal - enough) / norm))


def _search(
    X: _Columns,
    target: np.ndarray,
    w: np.ndarray,
    penalty: tuple[float, float],
    between: tuple[float, float],
    margin: float,
) -> float:
    """The same with one first margin.

    A column with |x_j' r - l2 u_j| > l1 moves until it is within, the others stay. Each u with its own residual then
    is as good as any in `_best_dual`.
    """
    (primal, enough), columns, means, sweeps = between, X.columns, X.means, compiled_sweeps()
    matrix = (columns.indptr, columns.indices, columns.data)
    (l1, l2), u, best = penalty, w.copy(), -np.inf
    ever, settled = np.zeros(len(u), dtype=bool), 0
    for passes in range(MAX_PASSES):
        r = target - columns @ u
        r += (means @ u) * X.ones  # the residual then sums to 0, as `target` does
        gradient, before = columns.T @ r, best
        best = max(best, _best_dual(r @ target, r @ r, gradient, u, penalty))
        violated = (np.abs(gradient - l2 * u) > l1) & (X.squares > 0.0)
        ever |= violated
        settled = settled + 1 if best - before < SETTLED * (primal - before) else 0
        if best >= enough or not violated.any() or (passes >= MIN_PASSES and settled > PATIENCE):
            break
        margin *= 0.5
        which = np.tile(np.flatnonzero(ever), SWEEPS_PER_PASS)
        sweeps(which, matrix, (means, X.squares), (r, u), (l1, l2, margin, RELAXATION))
    return best


def _sweeps(which, matrix, columns, state, numbers):  # type: ignore[no-untyped-def]  # compiled where numba is there
    """Project at the columns `which`, in order; changes the residual and the coefficients in `state`."""
    (indptr, indices, data), (means, squares), (r, u) = matrix, columns, state
    l1, l2, margin, relaxation = numbers
    r_sum = 0.0
    for j in which:
        rows, values = indices[indptr[j] : indptr[j + 1]], data[indptr[j] : indptr[j + 1]]
        c = np.sum(values * r[rows]) - means[j] * r_sum - l2 * u[j]
        if abs(c) > l1:
            step = np.copysign(relaxation * (abs(c) - l1) + margin * l1, c) / (squares[j] + l2)
            u[j] += step
            r[rows] -= step * values
            r_sum -= step * len(r) * means[j]


@cache
def compiled_sweeps():  # type: ignore[no-untyped-def]
    """`_sweeps`, compiled where numba is there."""
    try:
        import numba
    except ImportError:
        return _sweeps
    return numba.njit(cache=True)(_sweeps)

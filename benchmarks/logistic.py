"""The l1 logistic loss with an intercept: targets of the workloads, objective, duality gap, and score of given
coefficients, recomputed with numpy and scipy; bounds on the minimum, and where a path should end.

    F(b0, w) = (1 / n) sum_i log(1 + exp(e_i)) - y_i e_i  +  alpha |w|_1,   e_i = b0 + x_i . w

Every q in (0, 1)^n with sum (y - q) = 0 and |X' (y - q)| <= n alpha bounds the minimum from below by its mean entropy.
Taken are probabilities at the best intercept, shrunk towards y until they satisfy the second: those of the
coefficients, and where the bound is not close, those of others that pass fewer thresholds, whichever are best.
"""

from __future__ import annotations

import certificate
import numpy as np
import scipy.sparse as sp
import workloads
from depth import n_points, split

Data = tuple["sp.csr_array | np.ndarray", np.ndarray]

# Minutes of delay from which on a flight is late; other targets are split at their mean.
LATE = 15.0
TIGHT = 1e-6
LEAST = 1.0 / 3000.0
# Projections go beyond thresholds by this share of them at first, then by half each pass; curvatures are at least so
# much.
MARGIN = 1e-4
LEAST_CURVATURE = 1e-6


def classes(workload: str, data: Data) -> Data:
    """The workload with 0 and 1 for targets."""
    X, y = data
    return X, (y > (LATE if workload == "flights" else y.mean())).astype(np.float64)


def null_loss(y: np.ndarray) -> float:
    """The mean loss of the model without columns, which gaps are relative to."""
    return float(_entropy(np.array([y.mean()]))[0])


def objectives(data: Data, coefs: sp.csc_array, intercepts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """F at every point, float64 of shape (k,)."""
    size = np.asarray(abs(coefs).sum(axis=0)).ravel()
    return losses(data, coefs, intercepts) + alphas * size


def losses(data: Data, coefs: sp.csc_array, intercepts: np.ndarray) -> np.ndarray:
    """The mean loss at every point."""
    X, y = data
    found = np.empty(len(intercepts))
    for k, b in enumerate(intercepts):
        e = X @ coefs[:, [k]].toarray().ravel() + b
        found[k] = np.mean(np.logaddexp(0.0, e) - y * e)
    return found


def certify(
    data: Data, coefs: sp.csc_array, intercepts: np.ndarray, alphas: np.ndarray, good_gap: float = certificate.GOOD_GAP
) -> tuple[np.ndarray, np.ndarray]:
    """F and an upper bound on F less its minimum, at every point; no better bound is searched for once that is
    `good_gap` times the null model's loss."""
    X, y = data
    values, columns = objectives(data, coefs, intercepts, alphas), sp.csc_array(X)
    enough, gaps = values - good_gap * null_loss(y), np.empty(len(alphas))
    for k, alpha in enumerate(alphas):
        w = coefs[:, [k]].toarray().ravel()
        gaps[k] = values[k] - _largest_dual((columns, y), (w, intercepts[k]), alpha, (values[k], enough[k]))
    return values, gaps


def explained(held: Data, coefs: sp.csc_array, intercepts: np.ndarray) -> np.ndarray:
    """The share of the null model's loss on held-out rows that is explained, at every point."""
    return 1.0 - losses(held, coefs, intercepts) / null_loss(held[1])


def lower_bounds(workload: str, data: Data, alphas: np.ndarray) -> np.ndarray:
    """Bounds from below on the minimum of F at every strength: a close path of sparsereg, less its recomputed gap."""
    file = workloads.cache_directory() / f"bounds-logistic-{workload}-{len(alphas)}-{alphas[-1]:.9g}.npy"
    if not file.is_file():
        from sparsereg import regularization_path

        path = regularization_path(*data, loss="logistic", alphas=alphas, tol=TIGHT)
        bounds = objectives(data, path.coefs, path.intercepts, alphas) - path.dual_gaps
        temporary = file.with_suffix(".tmp.npy")
        np.save(temporary, bounds)
        temporary.replace(file)
    return np.load(file)


def held_out_end(workload: str, *_rest: object) -> float:
    """The share of alpha_max at which the held-out loss of a path is least, at least LEAST."""
    from sparsereg import regularization_path

    data, held = split(classes(workload, workloads.load(workload)))
    path = regularization_path(*data, loss="logistic", alphas=n_points(LEAST), eps=LEAST)
    best = int(np.argmax(explained(held, path.coefs, path.intercepts)))
    return float(path.alphas[max(best, 1)] / path.alphas[0])


def _largest_dual(data: Data, point: tuple[np.ndarray, float], alpha: float, between: tuple[float, float]) -> float:
    """The largest mean entropy of shrunk probabilities, of the coefficients and of others reached from them.

    Columns that pass their threshold move until they are within, as far as a model to second order says, the others
    stay; again from the probabilities that result. `between` are F and the entropy that is enough."""
    (X, y), (w, b), (value, enough), threshold = data, point, between, len(data[1]) * alpha
    u, best, margin, ever = w.copy(), -np.inf, MARGIN, np.zeros(len(w), dtype=bool)
    for passes in range(certificate.MAX_PASSES):
        q, b = _balanced(X @ u, b, y)
        gradient, before = X.T @ (y - q), best
        size = np.abs(gradient)
        shrunk = y - (y - q) * min(1.0, threshold / max(size.max(), 1e-300))
        best = max(best, float(_entropy(shrunk).mean()))
        ever |= size > threshold
        settled = passes >= certificate.MIN_PASSES and best - before < certificate.SETTLED * (value - before)
        if best >= enough or settled or not ever.any():
            break
        margin *= 0.5
        cols = np.flatnonzero(ever)
        u[cols] += _projection(X[:, cols], q, y - q, (threshold, margin))
    return best


def _projection(columns: sp.csc_array, q: np.ndarray, v: np.ndarray, numbers: tuple[float, float]) -> np.ndarray:
    """What to add to the coefficients of some columns so that v, which moves by the curvatures at q, is within
    thresholds: as for squares, on rows times the root of the curvature."""
    threshold, margin = numbers
    n, h = len(q), np.maximum(q * (1.0 - q), LEAST_CURVATURE)
    root = np.sqrt(h / h.mean())
    scaled = sp.csc_array((columns.data * root[columns.indices], columns.indices, columns.indptr), shape=columns.shape)
    means = scaled.T @ root / n
    squares = scaled.multiply(scaled).sum(axis=0) - n * means**2
    which = np.tile(np.flatnonzero(squares > 0.0), certificate.SWEEPS_PER_PASS)
    added, matrix = np.zeros(columns.shape[1]), (scaled.indptr, scaled.indices, scaled.data)
    rest = (threshold, 0.0, margin, certificate.RELAXATION)
    certificate.compiled_sweeps()(which, matrix, (means, squares), (v / root, added), rest)
    return added / h.mean()


def _balanced(fitted: np.ndarray, b: float, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Probabilities at the intercept, near b, at which they sum to that of y; and the intercept."""
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-np.clip(fitted + b, -700.0, 700.0)))
        h = p * (1.0 - p)
        step = (y.sum() - p.sum()) / h.sum()
        q = p + step * h  # sums to y, and lies in (0, 1) for short steps
        if abs(step) < 1e-3:
            return q, b
        b += np.clip(step, -1.0, 1.0)
    raise ValueError("no intercept balances the probabilities")


def _entropy(q: np.ndarray) -> np.ndarray:
    inside = np.clip(q, 1e-300, 1.0 - 1e-16)
    return -(q * np.log(inside) + (1.0 - q) * np.log1p(-inside))

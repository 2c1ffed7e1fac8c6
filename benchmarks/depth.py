"""How deep a path goes, what it scores on held-out rows, and bounds on the minimum at each of its strengths.

The bounds come from a path of sparsereg at a tight tolerance: the objective of its coefficients, recomputed, less the
duality gap that it certifies. They are kept beside the workloads, as they take as long as the path.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import variants
import workloads

Data = tuple["sp.csr_array | np.ndarray", np.ndarray]

# The last fifth of a fixed permutation is held out.
HELD_OUT = 0.2
# A decade of strengths has so many points. The search for the held-out optimum ends at DEEPEST times alpha_max.
PER_DECADE = 20
DEEPEST = 1e-4
TIGHT = 1e-5


def split(data: Data) -> tuple[Data, Data]:
    """Rows to fit and rows to score on, drawn once and for all."""
    X, y = data
    order = np.random.default_rng(0).permutation(len(y))
    n_held = int(HELD_OUT * len(y))
    held, kept = np.sort(order[:n_held]), np.sort(order[n_held:])
    return (X[kept], y[kept]), (X[held], y[held])


def n_points(eps: float) -> int:
    """Points of a path from alpha_max to `eps * alpha_max`."""
    return max(2, round(-PER_DECADE * np.log10(eps)) + 1)


def objectives(
    data: Data,
    coefs: sp.csc_array,
    intercepts: np.ndarray,
    alphas: np.ndarray,
    l1_ratio: float,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """F at every point, float64 of shape (k,); `weights` have mean 1."""
    X, y = data
    found = np.empty(len(alphas))
    for k, alpha in enumerate(alphas):
        w = coefs[:, [k]].toarray().ravel()
        r = y - intercepts[k] - X @ w
        square = r @ r if weights is None else r @ (weights * r)
        found[k] = 0.5 * square / len(y) + alpha * (l1_ratio * np.abs(w).sum() + 0.5 * (1.0 - l1_ratio) * (w @ w))
    return found


def held_out_r2(held: Data, coefs: sp.csc_array, intercepts: np.ndarray) -> np.ndarray:
    """R2 on the held-out rows at every point, float64 of shape (k,)."""
    X, y = held
    residual = y[:, None] - intercepts - np.asarray((X @ coefs).todense() if sp.issparse(X) else X @ coefs)
    return 1.0 - (residual**2).mean(axis=0) / np.mean((y - y.mean()) ** 2)


def lower_bounds(
    name: str, problem: variants.Problem, alphas: np.ndarray, l1_ratio: float, intercept: bool
) -> np.ndarray:
    """Bounds from below on the minimum of F at every strength, float64 of shape (k,); kept under the name."""
    file = workloads.cache_directory() / (
        f"bounds-{name}-{l1_ratio:g}-{int(intercept)}-{len(alphas)}-{alphas[-1]:.9g}.npy"
    )
    if file.is_file():
        return np.load(file)
    from sparsereg import regularization_path

    asked = {"l1_ratio": l1_ratio, "alphas": alphas, "tol": TIGHT, "fit_intercept": intercept}
    path = regularization_path(problem.X, problem.y, **asked, **problem.ours)
    scaled = problem.on_scaled(path.coefs)
    F = objectives((problem.scaled(), problem.y), scaled, path.intercepts, alphas, l1_ratio, problem.weights)
    bounds = F - path.dual_gaps
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp.npy")
    np.save(temporary, bounds)
    temporary.replace(file)
    return bounds


def held_out_end(workload: str, l1_ratio: float, intercept: bool, variant: str = "plain") -> float:
    """The share of alpha_max at which the held-out R2 of a path is best, at least DEEPEST."""
    from sparsereg import regularization_path

    data = workloads.load(workload)
    (X, y), held = split(variants.with_numbers(data) if variant == "numeric" else data)
    ours = variants.make(variant, (X, y)).ours
    y_mean = 0.0 if intercept else y.mean()
    asked = {"l1_ratio": l1_ratio, "eps": DEEPEST, "alphas": n_points(DEEPEST), "fit_intercept": intercept}
    path = regularization_path(X, y - y_mean, **asked, **ours)
    best = int(np.argmax(held_out_r2((held[0], held[1] - y_mean), path.coefs, path.intercepts)))
    return float(path.alphas[max(best, 1)] / path.alphas[0])

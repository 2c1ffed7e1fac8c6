"""Made-up dense workloads of smooth columns, neighbours nearly alike: deterministic (X, y). Knows no solver.

Coordinate descent crawls on these: what one column gives up, its neighbours take.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Data = tuple[np.ndarray, np.ndarray]


def _curve(n: int, rng: np.random.Generator) -> Data:
    """Sorted points in [-1, 1], and a wave with a step and noise there."""
    t = np.sort(rng.uniform(-1, 1, n))
    return t, np.sin(6 * t) + 2 * (t > 0.3) + 0.1 * rng.normal(size=n)


def hinges(n: int, p: int, rng: np.random.Generator) -> Data:
    """`max(t - knot, 0)`, of deviation 1."""
    t, y = _curve(n, rng)
    X = np.maximum(t[:, None] - np.quantile(t, np.linspace(0, 0.99, p)), 0)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def bumps(n: int, p: int, rng: np.random.Generator) -> Data:
    """Gaussians of one width, a fiftieth of the range, at evenly spaced places."""
    t, y = _curve(n, rng)
    return np.exp(-0.5 * ((t[:, None] - np.linspace(-1, 1, p)) / 0.04) ** 2), y


def blurs(n: int, p: int, rng: np.random.Generator) -> Data:
    """A few spikes, seen through a Gaussian blur a twentieth of the range wide."""
    X = np.exp(-0.5 * ((np.linspace(0, 1, n)[:, None] - np.linspace(0, 1, p)) / 0.05) ** 2)
    return X, X @ (rng.random(p) < 0.03) + 0.05 * rng.normal(size=n)


def lags(n: int, p: int, rng: np.random.Generator) -> Data:
    """The last p places of a random walk, of deviation 1; the target is a wave that has nothing to do with it."""
    walk = np.cumsum(rng.normal(size=n + p))
    X = np.stack([walk[j : n + j] for j in range(p)], axis=1)
    return (X - X.mean(axis=0)) / X.std(axis=0), np.sin(np.linspace(0, 20, n)) + 0.1 * rng.normal(size=n)


def walks(n: int, p: int, rng: np.random.Generator) -> Data:
    """Random walks, each by itself; a sum of ten of them, and noise."""
    X = np.cumsum(rng.normal(size=(n, p)), axis=0)
    signal = X[:, rng.choice(p, 10, replace=False)] @ rng.normal(size=10)
    return X, signal + 0.1 * signal.std() * rng.normal(size=n)


def splines(n: int, p: int, rng: np.random.Generator) -> Data:
    """Cubic B-splines of ten features, p / 10 of each; the target is a sum of waves."""
    from scipy.interpolate import BSpline

    k, blocks, y = p // 10, [], 0.3 * rng.normal(size=n)
    for a in range(10):
        x = rng.uniform(size=n)
        knots = np.concatenate([[0.0] * 3, np.linspace(0, 1, k - 2), [1.0] * 3])
        blocks.append(BSpline.design_matrix(x, knots, 3).toarray())
        y = y + np.sin((2 + a) * x)
    return np.hstack(blocks), y


FAMILIES: dict[str, Callable[[int, int, np.random.Generator], Data]] = {
    function.__name__: function for function in (hinges, bumps, blurs, lags, walks, splines)
}
SIZES = ((300, 100), (1000, 500), (3000, 1000), (3000, 5000))


def make(family: str, n: int, p: int) -> Data:
    """n rows and p columns of a family."""
    X, y = FAMILIES[family](n, p, np.random.default_rng(7))
    return np.ascontiguousarray(X), y

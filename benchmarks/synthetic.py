"""Made-up workloads: deterministic (X, y) drawn with plain numpy. Knows neither the cache nor any solver.

X holds one row an observation: `scipy.sparse.csr_array` of float64 with 32-bit indices, or a dense ndarray where every
entry is non-zero. y is a sparse true signal plus Gaussian noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp


def one_hot(keys: Sequence[np.ndarray]) -> sp.csr_array:
    """All-ones CSR with one block of columns for each key array, one column for each distinct key in it.

    Parameters
    ----------
    keys : sequence of ndarray of shape (n,), integer
        Level of every row in each block; columns follow the sorted levels.

    Returns
    -------
    csr_array of shape (n, total number of distinct keys), float64
    """
    n = len(keys[0])
    indices = np.empty((n, len(keys)), dtype=np.int32)
    width = 0
    for b, key in enumerate(keys):
        levels, code = np.unique(key, return_inverse=True)
        indices[:, b] = code + width
        width += len(levels)
    indptr = np.arange(0, n * len(keys) + 1, len(keys), dtype=np.int32)
    return sp.csr_array((np.ones(indices.size), indices.ravel(), indptr), shape=(n, width))


def zipf_levels(rng: np.random.Generator, n: int, n_levels: int, exponent: float) -> np.ndarray:
    """Draw n levels in [0, n_levels) whose frequencies fall like rank**-exponent, in shuffled order."""
    mass = np.cumsum(1.0 / np.arange(1, n_levels + 1) ** exponent)
    rank = np.searchsorted(mass, rng.random(n) * mass[-1])
    return rng.permutation(n_levels)[np.minimum(rank, n_levels - 1)].astype(np.int64)


def _signal_and_noise(rng: np.random.Generator, X: sp.csr_array, columns: np.ndarray, noise: float) -> np.ndarray:
    """Gaussian effects on `columns`, plus Gaussian noise of `noise` times the signal's deviation."""
    w = np.zeros(X.shape[1])
    w[columns] = rng.standard_normal(len(columns))
    signal = X @ w
    return 1.0 + signal + noise * signal.std() * rng.standard_normal(X.shape[0])


def crosses(n: int, n_levels: Sequence[int], seed: int) -> tuple[sp.csr_array, np.ndarray]:
    """Five Zipf-distributed categorical fields and five of their pairwise crosses."""
    rng = np.random.default_rng(seed)
    fields = [zipf_levels(rng, n, k, 1.15) for k in n_levels]
    pairs = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4)]
    X = one_hot([*fields, *(fields[i] * n_levels[j] + fields[j] for i, j in pairs)])
    heavy = np.argsort(X.sum(axis=0), kind="stable")[::-1][: X.shape[1] // 50]
    y = _signal_and_noise(rng, X, rng.choice(heavy, len(heavy) // 8, replace=False), noise=1.0)
    return X, y


def latlon(n: int, n_cities: int, seed: int) -> tuple[sp.csr_array, np.ndarray]:
    """Points clustered in cities on the globe: latitude and longitude in one-minute steps, and their cross."""
    rng = np.random.default_rng(seed)
    centre = np.stack([rng.uniform(-55, 70, n_cities), rng.uniform(-180, 180, n_cities)])
    spread = 0.22 * np.exp(0.9 * rng.standard_normal(n_cities))
    city = zipf_levels(rng, n, n_cities, 1.0)
    place = centre[:, city] + spread[city] * rng.standard_normal((2, n))
    lat = np.clip(np.floor((place[0] + 90) * 60), 0, 10_799).astype(np.int64)
    lon = np.floor((place[1] + 180) * 60).astype(np.int64) % 21_600
    X = one_hot([lat, lon, lat * 21_600 + lon])
    heavy = np.argsort(X.sum(axis=0), kind="stable")[::-1][: X.shape[1] // 20]
    y = _signal_and_noise(rng, X, rng.choice(heavy, len(heavy) // 8, replace=False), noise=1.0)
    return X, y


def text(n: int, p: int, n_words: int, seed: int) -> tuple[sp.csr_array, np.ndarray]:
    """Documents of about `n_words` Zipf-distributed words, log counts times inverse frequency, rows of unit length."""
    rng = np.random.default_rng(seed)
    row = np.repeat(np.arange(n), rng.poisson(n_words, n) + 1)
    word = zipf_levels(rng, len(row), p, 1.0)
    counts = sp.csr_array((np.ones(len(row)), (row, word)), shape=(n, p))
    counts.sum_duplicates()
    rarity = np.log(n / np.maximum(np.bincount(counts.indices, minlength=p), 1.0)) + 1.0
    counts.data = np.log1p(counts.data) * rarity[counts.indices]
    length = np.sqrt(counts.multiply(counts).sum(axis=1))
    data = counts.data / np.repeat(length, np.diff(counts.indptr))
    X = sp.csr_array((data, counts.indices.astype(np.int32), counts.indptr.astype(np.int32)), shape=(n, p))
    frequent = np.argsort(np.bincount(X.indices, minlength=p), kind="stable")[::-1][: p // 50]
    y = _signal_and_noise(rng, X, rng.choice(frequent, len(frequent) // 5, replace=False), noise=0.5)
    return X, y


def wide(n: int, p: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Dense Gaussian columns, many more than rows, with 20 true effects."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    y = 1.0 + X[:, rng.choice(p, 20, replace=False)] @ rng.standard_normal(20) + rng.standard_normal(n)
    return X, y

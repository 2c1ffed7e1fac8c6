"""One-hot designs of factors and their crosses, and their dense normal equations."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from sparsereg.data.design import as_design
from sparsereg.ridge.normal_equations import NormalEquations, System

A, B, C = 7, 5, 4


def one_hot(keys: list[np.ndarray], missing: float = 0.0, seed: int = 0) -> sp.csr_array:
    """One block of columns for each key; a share of the entries left out at random."""
    n, codes, width = len(keys[0]), [], 0
    for key in keys:
        levels, code = np.unique(key, return_inverse=True)
        codes.append(code + width)
        width += len(levels)
    columns = np.stack(codes, axis=1)
    kept = np.random.default_rng(seed).uniform(size=columns.shape) >= missing
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return sp.csr_array((np.ones(kept.sum()), columns[kept], indptr), shape=(n, width))


def table(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.zipf(1.5, n) % A, rng.zipf(1.4, n) % B, rng.integers(0, C, n)


def crossed(n: int = 300, seed: int = 0) -> sp.csr_array:
    """Three factors, two crosses of two, one of three."""
    a, b, c = table(n, seed)
    return one_hot([a, b, c, a * B + b, b * C + c])


def saturated(n: int = 300, seed: int = 0) -> sp.csr_array:
    a, b, _ = table(n, seed)
    return one_hot([a, b, a * B + b])


def nearly_nested(n: int = 300) -> sp.csr_array:
    """A factor that another one determines in all but a few rows, and a cross of that other."""
    rng = np.random.default_rng(6)
    a, c = rng.integers(0, 12, n), rng.integers(0, 3, n)
    b = np.where(rng.uniform(size=n) < 0.95, a % 5, rng.integers(0, 5, n))
    return one_hot([a, b, c, a * 3 + c])


def beside_numbers(X: sp.csr_array) -> sp.csr_array:
    """With a dense and a sparse column of numbers, one on either side."""
    x = np.random.default_rng(4).normal(size=(X.shape[0], 2))
    x[::3, 1] = 0.0
    return sp.csr_array(sp.hstack([x[:, [0]], X, x[:, [1]]]))


def equations_of(X: sp.csr_array, s: np.ndarray | None, fit_intercept: bool) -> NormalEquations:
    design = as_design(X)
    return NormalEquations(design, s, fit_intercept, np.random.default_rng(9).uniform(0.5, 2.0, design.n_cols))


def dense_H(X: sp.csr_array, system: System) -> np.ndarray:
    equations = system.equations
    s = np.ones(X.shape[0]) if equations.s is None else equations.s
    Z = X.toarray()[:, equations.design.columns]
    if equations.fit_intercept:
        Z = Z - np.average(Z, axis=0, weights=s)
    return Z.T @ (s[:, None] * Z) + np.diag(system.penalty)

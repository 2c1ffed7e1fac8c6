"""What a path and a fit hold above their input, all allocated at once at most, by tracemalloc."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import Lasso, LogisticRegression, regularization_path


@pytest.fixture(scope="module")
def crosses():
    """One-hot fields with many rare levels, as a CSR with values in float64."""
    rng = np.random.default_rng(0)
    n, sizes = 100_000, (20, 50, 400, 3_000, 9_000, 20_000, 40_000, 80_000)
    levels = [
        np.minimum(rng.zipf(1.15, n) - 1, size - 1) + begin
        for size, begin in zip(sizes, np.cumsum([0, *sizes]), strict=False)
    ]
    indices = np.stack(levels, axis=1).astype(np.int32).ravel()
    X = sp.csr_array(
        (np.ones(indices.size), indices, np.arange(0, indices.size + 1, len(sizes), dtype=np.int32)),
        shape=(n, sum(sizes)),
    )
    return X, X[:, :70] @ rng.normal(size=70) + rng.normal(size=n)


@pytest.mark.parametrize(
    "solve", [lambda X, y: regularization_path(X, y), lambda X, y: Lasso(alpha=0.003).fit(X, y)], ids=["path", "fit"]
)
def test_half_of_the_input_does(crosses, solve):
    X, y = crosses
    solve(X[:1000], y[:1000])  # what is imported on the way
    tracemalloc.start()
    try:
        solve(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 0.5 * (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)


def test_six_tenths_of_the_input_do_for_a_logistic_path(crosses):
    X, y = crosses
    y = (y > 1.0).astype(np.float64)
    regularization_path(X[:1000], y[:1000], loss="logistic", alphas=3)
    tracemalloc.start()
    try:
        regularization_path(X, y, loss="logistic")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= 0.6 * (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)


def test_a_logistic_fit_on_short_rows_gives_up_its_solver_before_the_certificate():
    """Two fields and their cross: a vector over the rows takes a fifth of X."""
    rng, n = np.random.default_rng(0), 300_000
    first, second = (np.minimum(rng.zipf(1.3, n), 300) - 1 for _ in range(2))
    cells, cell = np.unique(first * 300 + second, return_inverse=True)
    indices = np.stack([first, 300 + second, 600 + cell], axis=1).astype(np.int32).ravel()
    X = sp.csr_array((np.ones(3 * n), indices, np.arange(0, 3 * n + 1, 3, dtype=np.int32)), shape=(n, 600 + cells.size))
    y = (X @ rng.normal(size=X.shape[1]) + rng.logistic(size=n) > 0).astype(np.float64)
    model = LogisticRegression(C=1.0 / (n * 3e-4), l1_ratio=1.0)
    model.fit(X[:1000], y[:1000])
    tracemalloc.start()
    try:
        model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert model.sparse_coef_.nnz > 100
    assert peak <= 0.77 * (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)


def test_several_classes_take_no_array_of_columns_by_classes():
    rng, p, K = np.random.default_rng(0), 40_000, 60
    X, y = sp.csr_array(sp.random_array((1000, p), density=5e-3, rng=rng)), rng.integers(0, K, 1000)
    regularization_path(X[:200], y[:200], loss="multinomial", alphas=2, eps=0.9)
    tracemalloc.start()
    try:
        path = regularization_path(X, y, loss="multinomial", alphas=3, eps=0.6, tol=1e-2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.n_nonzero[-1] > 50
    assert peak <= 0.7 * 8 * p * K


@pytest.mark.parametrize(
    ("rows", "asked", "active", "most"),
    [(40_000, {"tol": 1e-3}, 2_000, 2.0), (100_000, {"eps": 1e-3}, 10_000, 2.1)],
)
def test_gram_of_thousands_of_active_columns_is_compact(crosses, rows, asked, active, most):
    """Most of what a deep path holds: counts with their indices in 4 bytes once there are many, with few spaces between
    them."""
    X = crosses[0][:rows]
    rng = np.random.default_rng(1)
    y = X[:, :20_000] @ (rng.normal(size=20_000) / np.sqrt(1.0 + X[:, :20_000].sum(axis=0)))
    y += 0.1 * y.std() * rng.normal(size=rows)
    tracemalloc.start()
    try:
        path = regularization_path(X, y, alphas=30, **({"tol": 1e-2} | asked))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.n_nonzero[-1] > active
    assert peak <= most * (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)

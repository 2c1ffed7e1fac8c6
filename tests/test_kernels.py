"""Every kernel against NumPy, in all variants: float32/64 x int32/64 x all-ones/valued, with a few dense columns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg._core import kernels
from sparsereg.solvers.direct_step import direct_step

N, P = 40, 17
VARIANTS = [
    pytest.param(real, index, ones, id=f"{real.__name__}-{index.__name__}-{'ones' if ones else 'valued'}")
    for real in (np.float32, np.float64)
    for index in (np.int32, np.int64)
    for ones in (True, False)
]


def make(real, index, ones, n_dense=0, seed=0):
    """A Matrix, its rows, and the same in plain NumPy. Half of the valued design's columns are all ones."""
    rng = np.random.default_rng(seed)
    plain = (rng.random((N, P)) < 0.25).astype(float)
    n_ones = P if ones else P // 2
    if not ones:
        plain[:, n_ones:] *= np.round(rng.normal(size=(N, P - n_ones)), 2).astype(real)
    csc, csr = sp.csc_array(plain), sp.csr_array(plain)
    start = csc.indptr.astype(index)
    data = None if ones else csc.data.astype(real)
    dense = None
    if n_dense:
        dense = np.asfortranarray(rng.normal(size=(N, n_dense)), dtype=real)
        plain = np.hstack([plain, dense])
    X = kernels.Matrix(N, start[:-1], start[1:], csc.indices.astype(index), n_ones, data, 0, dense)
    first = csr.indptr.astype(index)
    Xt = kernels.Matrix(
        P, first[:-1], first[1:], csr.indices.astype(index), N if ones else 0, None if ones else csr.data.astype(real)
    )
    return X, Xt, plain


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_dense", [0, 3])
@pytest.mark.parametrize(("real", "index", "ones"), VARIANTS)
def test_products_and_stats(real, index, ones, n_dense, weighted):
    X, _, plain = make(real, index, ones, n_dense)
    rng = np.random.default_rng(1)
    v, w = rng.normal(size=N), rng.normal(size=plain.shape[1])
    s = rng.random(N) if weighted else None
    weights = s if weighted else np.ones(N)
    np.testing.assert_allclose(X.rmatvec(v), plain.T @ v, atol=1e-12)
    cols = rng.permutation(plain.shape[1])[:5]
    np.testing.assert_allclose(X.rmatvec(v, cols), plain[:, cols].T @ v, atol=1e-12)
    V = rng.normal(size=(11, N))
    np.testing.assert_allclose(X.rmatvecs(V), V @ plain, atol=1e-12)
    np.testing.assert_allclose(X.rmatvecs(V, cols), V @ plain[:, cols], atol=1e-12)
    out = v.copy()
    X.add_matvec(w[:5], out, cols, -0.5, s)
    np.testing.assert_allclose(out, v - 0.5 * weights * (plain[:, cols] @ w[:5]), atol=1e-12)
    sums, sq_norms, l1_norms, max_abs = X.column_stats(s)
    np.testing.assert_allclose(sums, weights @ plain, atol=1e-12)
    np.testing.assert_allclose(sq_norms, weights @ plain**2, atol=1e-12)
    np.testing.assert_allclose(l1_norms, weights @ np.abs(plain), atol=1e-12)
    np.testing.assert_array_equal(max_abs, np.abs(plain).max(axis=0))
    np.testing.assert_array_equal(X.lengths(), np.where(np.arange(plain.shape[1]) < P, (plain != 0).sum(axis=0), N))


@pytest.mark.parametrize(("real", "index", "ones"), VARIANTS)
def test_products_over_many_rows(real, index, ones):
    """Vectors of more rows than are read at once: columns of many entries and of few, of none in a block of rows, and
    at its very ends; more columns than are read side by side."""
    n, rng = (1 << 18) + 5, np.random.default_rng(3)
    block = 1 << 17
    rows = [np.sort(rng.choice(n, size, replace=False)) for size in rng.integers(150, 260, 300)]
    rows += [np.arange(5), np.arange(block - 2, block + 300), np.arange(block), np.arange(2 * block, n), np.arange(n)]
    rows.append(np.concatenate([np.arange(200), np.arange(n - 200, n)]))
    start = np.concatenate([[0], np.cumsum([at.size for at in rows])]).astype(index)
    values = np.ones(start[-1]) if ones else rng.normal(size=start[-1]).astype(real)
    n_ones = len(rows) if ones else 0
    data = None if ones else values
    X = kernels.Matrix(n, start[:-1], start[1:], np.concatenate(rows).astype(index), n_ones, data)
    v = rng.normal(size=n)
    parts = np.split(values, start[1:-1])
    expected = np.array([v[at] @ part for at, part in zip(rows, parts, strict=True)])
    np.testing.assert_allclose(X.rmatvec(v), expected, atol=1e-9)
    cols = rng.permutation(len(rows))[:200]
    np.testing.assert_array_equal(X.rmatvec(v, cols), X.rmatvec(v)[cols])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize(("real", "index", "ones"), VARIANTS)
def test_gram_grows_exactly(real, index, ones, by_rows, weighted):
    X, Xt, plain = make(real, index, ones)
    rng = np.random.default_rng(2)
    s = rng.random(N) if weighted else None
    weights = s if weighted else np.ones(N)
    labels = rng.permutation(P).astype(np.int32)  # the rows may number the columns differently
    if by_rows:
        renumbered = sp.csr_array(plain)[:, np.argsort(labels)]
        renumbered.sort_indices()
        first = renumbered.indptr.astype(index)
        data = None if ones else renumbered.data.astype(real)
        Xt = kernels.Matrix(P, first[:-1], first[1:], renumbered.indices.astype(index), N if ones else 0, data)
    store = kernels.GramStore(X, Xt if by_rows else None, labels if by_rows else None, s)
    cols = rng.permutation(P)
    for batch in np.split(cols, [1, 3, 9]):
        store.append(batch, by_rows)
    expected = plain[:, cols].T @ (weights[:, None] * plain[:, cols])
    np.testing.assert_allclose(store.toarray(), expected, atol=1e-12)
    x, out = rng.normal(size=P), rng.normal(size=P)
    left = out.copy()
    store.subtract(x, left)
    np.testing.assert_allclose(left, out - expected @ x, atol=1e-11)
    if by_rows:
        y = rng.normal(size=N)
        own = store.gradient_by_rows(np.array([2, 0]), y, x)
        np.testing.assert_allclose(own, plain[:, [2, 0]].T @ (weights * (y - plain[:, cols] @ x)), atol=1e-11)


def slow_epoch(plain, cols, weights, w, r, r_sum, sums, sq, l1, l2, positive, order):
    total = weights.sum()
    for a in order:
        x = plain[:, cols[a]]
        c = x @ r - sums[a] / total * r_sum + sq[a] * w[a]
        size = c - l1[a] if positive else np.sign(c) * (abs(c) - l1[a])
        over = c > l1[a] if positive else abs(c) > l1[a]
        step = (size / (sq[a] + l2[a]) if over else 0.0) - w[a]
        w[a] += step
        r -= step * weights * x
        r_sum -= step * sums[a]
    return r_sum


@pytest.mark.parametrize("penalty", range(len(kernels.PENALTIES)))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("real", "index", "ones"), VARIANTS)
def test_coordinate_descent_epochs(real, index, ones, weighted, penalty):
    """Three epochs on the residual and on the Gram equal three slow ones, in any order."""
    X, Xt, plain = make(real, index, ones)
    rng = np.random.default_rng(3)
    s = rng.random(N) if weighted else None
    weights = s if weighted else np.ones(N)
    cols, order = rng.permutation(P), rng.permutation(P)
    y = rng.normal(size=N)
    sums, sq_norms, _, _ = X.column_stats(s, cols)
    sq = sq_norms - sums**2 / weights.sum()
    l1, l2 = np.full(P, 0.3), np.full(P, 0.2)
    w, r = np.zeros(P), weights * y
    r_sum = r.sum()
    w_fast, w_gram, r_fast = np.zeros(P), np.zeros(P), r.copy()
    fast = kernels.Coordinates(w_fast, sums, sq, l1, l2, weights.sum(), penalty, r_sum)
    gram = kernels.Coordinates(w_gram, sums, sq, l1, l2, weights.sum(), penalty, r_sum)
    store = kernels.GramStore(X, Xt, None, s)
    store.append(cols, True)
    q = plain[:, cols].T @ r
    positive = list(kernels.PENALTIES)[penalty].endswith("nonneg")
    for _ in range(3):
        r_sum = slow_epoch(plain, cols, weights, w, r, r_sum, sums, sq, l1, l2, positive, order)
        assert X.cd_residual(cols, fast, order, r_fast, s) >= 0.0
    epochs, _ = store.cd(gram, order, q, 3, 0.0)
    assert epochs == 3
    assert np.abs(w).max() > 0.1
    for got, r_sum_got in ((w_fast, fast.r_sum), (w_gram, gram.r_sum)):
        np.testing.assert_allclose(got, w, atol=1e-12)
        np.testing.assert_allclose(r_sum_got, r_sum, atol=1e-12)
    np.testing.assert_allclose(r_fast, r, atol=1e-12)
    np.testing.assert_allclose(q, plain[:, cols].T @ r, atol=1e-11)


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("k", [1, 2, 9, 60])
def test_newton_step(k, centred):
    """On the active members only, with dependent ones (each of them twice) left at 0."""
    rng = np.random.default_rng(k)
    n, none = k + 4, np.zeros(0, dtype=np.int32)
    half = rng.normal(size=(n, k))
    plain = np.asfortranarray(np.hstack([half, rng.normal(size=(n, 3)), half]))
    m = plain.shape[1]
    store = kernels.GramStore(kernels.Matrix(n, none, none, none, 0, None, 0, plain), None)
    store.append(np.arange(m), False)
    sums, l2 = plain.sum(axis=0) if centred else np.zeros(m), rng.random(m)
    H = plain.T @ plain - np.outer(sums, sums) / n

    def step(active, l2, slope):
        w = np.where(active, rng.normal(size=m), 0.0)
        return direct_step(store, kernels.Coordinates(w, sums, np.diag(H).copy(), l2, l2, n, 0, 0.0), slope)

    active, slope = np.arange(m) < k + 3, rng.normal(size=m)
    active[k // 2 + 1] = False
    at = np.flatnonzero(active)
    found = step(active, l2, slope)
    np.testing.assert_array_equal(found[~active], 0.0)
    np.testing.assert_allclose(found[at], np.linalg.solve((H + np.diag(l2))[np.ix_(at, at)], slope[at]), rtol=1e-8)
    twice = (np.arange(m) < k) | (np.arange(m) >= k + 3)
    slope[k + 3 :] = slope[:k]
    found = step(twice, np.zeros(m), slope)
    np.testing.assert_array_equal(found[k + 3 :], 0.0)
    np.testing.assert_allclose((H @ found)[twice], slope[twice], atol=1e-8)
    np.testing.assert_array_equal(step(np.zeros(m, dtype=bool), l2, slope), 0.0)


def test_binding_refuses_what_would_leave_memory():
    X, Xt, _ = make(np.float64, np.int32, False)
    with pytest.raises(kernels.KernelError, match="position 17 outside"):
        X.rmatvec(np.zeros(N), np.array([17]))
    with pytest.raises(kernels.KernelError, match="wrong length"):
        X.rmatvec(np.zeros(N - 1))
    with pytest.raises(kernels.KernelError, match="wrong shape"):
        X.rmatvecs(np.zeros((2, N - 1)))
    with pytest.raises(kernels.KernelError, match="wrong length"):
        X.add_matvec(np.zeros(P + 1), np.zeros(N))
    start = np.array([0, 5], dtype=np.int32)
    with pytest.raises(kernels.KernelError, match="leave the index array"):
        kernels.Matrix(N, start[:-1], start[1:], np.zeros(3, dtype=np.int32), 1)
    with pytest.raises(kernels.KernelError, match="differ in type"):
        kernels.Matrix(N, start[:-1].astype(np.int64), start[1:], np.zeros(9, dtype=np.int32), 1)
    with pytest.raises(kernels.KernelError, match="need data"):
        kernels.Matrix(N, start[:-1], start[1:], np.zeros(9, dtype=np.int32), 0)
    store = kernels.GramStore(X, Xt)
    with pytest.raises(kernels.KernelError, match="outside"):
        store.append(np.array([-1]), True)


def test_columns_last_above_a_threshold():
    rng = np.random.default_rng(0)
    c, norms = rng.normal(size=1000), rng.uniform(0.5, 1.0, 1000).astype(np.float32)
    skipped, factor = rng.uniform(size=1000) < 0.1, rng.uniform(0.5, 2.0, 1000)
    for factors in (None, factor):
        held = norms.copy()
        bounds = kernels.Bounds(0, held, held, factors)
        bounds.record(np.arange(1000), c)
        held[skipped] = -np.inf
        bounds.update_blocks(np.flatnonzero(skipped))
        magnitude = np.abs(c) if factors is None else np.abs(c) / factor
        for moved in (0.0, 0.25):
            bounds.displace(moved, 1e9)
            cols, found, widest = bounds.last_above(1.5)
            expected = np.flatnonzero((magnitude > 1.5) & ~skipped)
            assert cols.tolist() == expected.tolist()
            np.testing.assert_allclose(found, magnitude[expected], rtol=1e-6)
            share = moved * norms / (1.5 if factors is None else 1.5 * factor)
            np.testing.assert_allclose(widest, share[expected].max(), rtol=1e-6)


def test_blocks_of_negative_magnitudes_are_no_skipped_ones():
    """Where coefficients are at least 0, a dual magnitude may be negative: the bound of its block grows from there."""
    norms = np.array([1.0, -np.inf, 1.0], dtype=np.float32)
    bounds = kernels.Bounds(kernels.PENALTIES["elastic_net_nonneg"], norms, norms, None)
    bounds.record(np.arange(3), np.array([-1.0, 5.0, -2.0]))
    assert bounds.above_threshold(0.0, 0.5)[0].size == 0
    bounds.displace(1.75, 1e9)
    assert bounds.above_threshold(0.0, 0.5)[0].tolist() == [0]
    bounds.displace(1.0, 1e9)
    assert bounds.above_threshold(0.0, 0.5)[0].tolist() == [0, 2]


def test_bounds_outlast_their_visit_numbers():
    """Visits are numbered in 16 bits: when the numbers run out, every bound begins anew where it stands, and stays a
    bound."""
    norms = np.array([1.0, 2.0, 0.5], dtype=np.float32)
    bounds = kernels.Bounds(0, norms, norms, None)
    bounds.record(np.arange(3), np.array([1.0, -1.0, 0.25]))
    travelled = np.zeros(3)
    for k in range(70_000):
        bounds.displace(1e-4, 1e9)
        travelled += 1e-4
        if k % 2:
            bounds.record(np.array([0]), np.array([1.0]))
            travelled[0] = 0.0
    cols, worst, largest = bounds.above_threshold(0.0, 1.0001)
    true = np.array([1.0, 1.0, 0.25]) + norms * travelled
    assert cols.tolist() == [1, 2]
    assert true[1] <= worst <= true[1] * 1.001
    assert true[0] <= largest <= 1.0001


@pytest.mark.parametrize("longest", [0, 1, 3, 39, 40, 100])
def test_displacement_sums(longest):
    rng = np.random.default_rng(0)
    w, before, c, was, c0, max_abs, sums = rng.normal(size=(7, 40))
    w[::3] = before[::3]
    squared, rounding, reach, moved = kernels.displacement_sums(w, before, c, was, c0, np.abs(max_abs), sums, longest)
    step = w - before
    sizes = np.sort(np.abs(step * max_abs))[::-1]
    assert squared == pytest.approx(step @ (was - c))
    assert rounding == pytest.approx(np.abs(step) @ (np.abs(c) + np.abs(was) + np.abs(c0)))
    assert reach == pytest.approx(sizes[: longest or 40].sum())
    assert moved == pytest.approx(sums @ step)


def test_coefficients_that_move_something():
    w, sq, l2 = np.array([0.0, 1.0, -1e-9, 2.0]), np.array([1.0, 4.0, 1.0, 0.0]), np.array([0.0, 0.0, 3.0, 0.0])
    assert kernels.moving(w, sq, l2, 1e-6, np.inf).tolist() == [1]
    assert kernels.moving(w, sq, l2, 1e-6, 1e-3).tolist() == [1, 2]
    assert kernels.moving(w[:0], sq[:0], l2[:0], 1e-6, 1.0).size == 0


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 30, 41])
@pytest.mark.parametrize("n_copies", [0, 1, 3])
def test_solve_psd_leaves_out_columns_that_depend_on_others(n, n_copies):
    rng = np.random.default_rng(n)
    Z = rng.standard_normal((n + 5, n))
    copies = 1 + rng.choice(n - 1, min(n_copies, n - 1), replace=False)
    for copy in copies:
        Z[:, copy] = 2.0 * Z[:, 0]
    kept = np.delete(np.arange(n), copies)
    H, b = Z.T @ Z, rng.standard_normal(n)
    expected = np.zeros(n)
    expected[kept] = np.linalg.solve(H[np.ix_(kept, kept)], b[kept])
    kernels.solve_psd(H, b, 1e-13)
    np.testing.assert_allclose(b, expected, rtol=1e-9, atol=1e-12)
    assert not b[copies].any()

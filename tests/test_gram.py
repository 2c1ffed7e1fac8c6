"""The growing Gram and what cached columns have with its members: counted or summed, in 16 bits or 32, with much room
or little."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg._core import kernels
from sparsereg.data.design import as_design
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MemoryRows


def store_of(X, s=None, values=False):
    """A Gram of the columns of X by its rows, whose entries are ones; `values` has it believe that they are not."""
    columns, rows = X.tocsc(), X.tocsr()
    n_ones = (0, 0) if values else (X.shape[1], X.shape[0])
    views = [
        kernels.Matrix(n, A.indptr[:-1], A.indptr[1:], A.indices, ones, A.data if values else None)
        for n, A, ones in ((X.shape[0], columns, n_ones[0]), (X.shape[1], rows, n_ones[1]))
    ]
    return kernels.GramStore(views[0], views[1], None, s)


def one_hot(n, levels, rng):
    """Fields side by side, their first levels the heaviest."""
    codes = [(m * rng.random(n) ** 3).astype(int) for m in levels]
    return sp.hstack(
        [sp.csr_array((np.ones(n), (np.arange(n), c)), (n, m)) for c, m in zip(codes, levels, strict=True)]
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_where_no_column_is_cached(weighted):
    """On the columns' own rows where these are few, else none are known."""
    rng = np.random.default_rng(0)
    X = one_hot(3000, (3, 30, 1500), rng).tocsr()
    rows = MemoryRows(as_design(X), rng.normal(size=3000), rng.random(3000) if weighted else None)
    gram, w = rows.gram(0.1), rng.normal(size=20)
    gram.extend(np.arange(20))
    few, every = np.arange(rows.n_cols - 4, rows.n_cols), np.arange(20, rows.n_cols)
    c, known = gram.known_gradients(few, w, 0.2)
    assert known.all()
    np.testing.assert_allclose(c, rows.gradients(Coefficients(gram.cols, w), 0.3, few), atol=1e-12)
    assert gram.known_gradients(every, w, 0.2) is None


@pytest.mark.parametrize("kind", ["counts", "weights", "values"])
@pytest.mark.parametrize("room", [10**6, 2_000, 0])
@pytest.mark.parametrize("many", [0, 16])
def test_watched_products(kind, room, many, monkeypatch):
    """With as many of the first cached columns as there is room for; a member is cached no longer."""
    monkeypatch.setattr(kernels, "MANY_EACH", many)
    rng = np.random.default_rng(0)
    X = one_hot(3000, (3, 30, 300), rng).tocsr()
    s = rng.random(3000) if kind == "weights" else None
    if kind == "values":
        X.data = rng.normal(size=X.nnz)
    store = store_of(X, s, kind == "values")
    cached = np.argsort(-np.diff(X.tocsc().indptr), kind="stable")[:100]
    members = np.concatenate([cached[:20:2], np.setdiff1d(np.arange(60), cached)])
    store.cache(cached, room)
    for batch in np.split(members, [1, 4]):
        store.append(batch, True)
    plain = X.toarray()
    gram = plain.T @ (plain if s is None else s[:, None] * plain)
    np.testing.assert_allclose(store.toarray(), gram[np.ix_(members, members)], atol=1e-11)
    assert store.n_cached == 100 if room == 10**6 else store.n_cached < 100
    assert store.n_cached > 0 or room == 0
    places = store.cache_index(cached)
    here = np.arange(100)
    expected = np.where((here < store.n_cached) & ~np.isin(cached, members), here, -1)
    np.testing.assert_array_equal(places, expected)
    w = rng.normal(size=members.size)
    few_changed = np.where(np.arange(members.size) % 7 == 0, 0.0, w)
    for first, at in itertools.product((0, min(10, store.n_cached), store.n_cached), (w, few_changed, -w, w)):
        out = np.ones(first)
        store.subtract_cached(at, out)
        seen = places[:first] >= 0
        np.testing.assert_allclose(out[seen], 1.0 - (gram[np.ix_(cached, members)] @ at)[:first][seen], atol=1e-9)
    asked, c0, sums = rng.permutation(333), rng.normal(size=100), rng.random(100)
    c, known = kernels.cached_gradients(store, asked, c0, sums, 0.5, w)
    at = store.cache_index(asked)
    np.testing.assert_array_equal(known, at >= 0)
    expected = (c0 - 0.5 * sums - gram[np.ix_(cached, members)] @ w)[at]
    np.testing.assert_allclose(c, np.where(at >= 0, expected, 0.0), atol=1e-9)


def test_counts_beyond_16_bits():
    """A column in 150,000 rows meets another in as many; such a count is kept in pieces."""
    n = 150_000
    rng = np.random.default_rng(1)
    codes = np.minimum(rng.geometric(0.5, n) - 1, 3)
    X = sp.csr_array(
        (np.ones(3 * n), np.stack([np.zeros(n), 1 + codes, np.full(n, 5)], axis=1).ravel(), np.arange(0, 3 * n + 1, 3)),
        (n, 6),
    )
    counts = np.bincount(codes, minlength=4)
    store = store_of(X)
    store.cache(np.array([5, 1, 2, 3, 4]), 100)
    store.append(np.array([0]), True)
    out = np.zeros(5)
    store.subtract_cached(np.array([1.0]), out)
    assert (-out).tolist() == [n, *counts]
    store.shrink_cache(2)
    store.subtract_cached(np.array([1.0]), out[:2])
    assert (-out).tolist() == [2 * n, 2 * counts[0], *counts[1:]]
    assert store.toarray().tolist() == [[n]]


def test_more_positions_than_16_bits():
    """60,000 cached columns leave 16 bits no room for 6,000 members: positions grow wider, and nothing else changes."""
    n = 66_000
    rng = np.random.default_rng(2)
    X = sp.hstack([sp.eye_array(n), sp.csr_array((np.ones(n), (np.arange(n), np.arange(n) // 1000)))]).tocsr()
    store = store_of(X)
    store.cache(np.r_[n : n + 60, :59_940], 10**6)
    members = np.arange(59_940, n)
    store.append(members[:100], True)
    store.append(members[100:], True)
    G = store.toarray()
    assert np.array_equal(G, np.eye(members.size))
    w, y = rng.normal(size=members.size), rng.normal(size=n)
    out = np.zeros(60_000)
    store.subtract_cached(w, out)
    np.testing.assert_allclose(-out[:60], np.bincount(members // 1000, w, minlength=66)[:60] + 0.0, atol=1e-12)
    assert not out[66:].any()
    wanted = np.array([0, n - 1, n + 59, n + 65])
    left = y - np.concatenate([np.zeros(59_940), w])
    np.testing.assert_allclose(store.gradient_by_rows(wanted, y, w), (X.T @ left)[wanted], atol=1e-12)


def test_what_is_watched_is_checked():
    X = one_hot(50, (5, 10), np.random.default_rng(3))
    store = store_of(X)
    with pytest.raises(kernels.KernelError, match="outside"):
        store.cache(np.array([15]), 100)
    with pytest.raises(kernels.KernelError, match="more columns than"):
        store.cache(np.zeros(70_000, dtype=np.int64), 100)
    store.cache(np.array([3, 1]), 100)
    with pytest.raises(kernels.KernelError, match="fewer columns are cached"):
        store.shrink_cache(3)
    store.shrink_cache(1)
    assert store.cache_index(np.array([3, 1])).tolist() == [0, -1]
    with pytest.raises(kernels.KernelError, match="wrong length"):
        store.subtract_cached(np.empty(0), np.zeros(2))


@pytest.mark.parametrize("kind", ["counts", "weights", "values"])
def test_short_columns_among_many_positions(kind):
    """Their products are looked for where their rows meet members and cached columns, in blocks of positions."""
    rng = np.random.default_rng(5)
    X = one_hot(6000, (3, 30, 6000, 6000), rng).tocsr()
    X = X[:, np.diff(X.tocsc().indptr) > 0]
    s = rng.random(6000) if kind == "weights" else None
    if kind == "values":
        X.data = rng.normal(size=X.nnz)
    lengths = np.diff(X.tocsc().indptr)
    order = np.argsort(-lengths, kind="stable")
    cached, short = order[:4500], order[4500:]
    members = np.concatenate([cached[3:60:4], short[:900], cached[4000:4400], short[900:1200]])
    assert lengths[short].max() == 1
    store = store_of(X, s, kind == "values")
    store.cache(cached, 10**7)
    store.append(members[:700], True)
    store.append(members[700:], True)
    gram = (X.T @ (X if s is None else sp.diags_array(s) @ X)).tocsr()
    np.testing.assert_allclose(store.toarray(), gram[members][:, members].toarray(), atol=1e-11)
    w, out, seen = rng.normal(size=members.size), np.zeros(4500), store.cache_index(cached) >= 0
    store.subtract_cached(w, out)
    np.testing.assert_allclose(out[seen], -(gram[cached][:, members] @ w)[seen], atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("by_rows", [True, False])
@pytest.mark.parametrize("at", [0, 3, 20])
def test_dense_columns_beside_counts(dtype, by_rows, at):
    """What a few dense members have with cached columns is kept apart, whenever they come in."""
    rng = np.random.default_rng(2)
    X = sp.hstack(
        [sp.csr_array(rng.normal(size=(2000, 2))), one_hot(2000, (3, 30, 200), rng), rng.normal(size=(2000, 1))]
    )
    design = as_design(sp.csr_array(X, dtype=dtype))
    plain = design_to_array(design, X)
    store = kernels.GramStore(design.matrix, design.sparse_rows, design.index_in_rows, None)
    assert store.counting
    cached, dense = np.arange(80), np.arange(design.n_ones, design.n_cols)
    assert dense.size == 3
    store.cache(cached, 10**6)
    others = np.concatenate([cached[:30:3], np.arange(90, 110)])
    members = np.concatenate([others[:at], dense[:2], others[at:], dense[2:]])
    for batch in np.split(members, [at, at + 1, at + 6]):
        store.append(batch, by_rows)
    gram = plain.T @ plain
    np.testing.assert_allclose(store.toarray(), gram[np.ix_(members, members)], atol=1e-9)
    w = rng.normal(size=members.size)
    for kept in (80, 50):
        store.shrink_cache(kept)
        out = np.ones(kept)
        store.subtract_cached(w, out)
        seen = store.cache_index(cached[:kept]) >= 0
        assert seen.sum() > 20
        np.testing.assert_allclose(out[seen], 1.0 - (gram[np.ix_(cached, members)] @ w)[:kept][seen], atol=1e-8)


def test_many_dense_columns_are_summed_with_the_others():
    rng = np.random.default_rng(3)
    X = sp.hstack([one_hot(300, (3, 30), rng), rng.normal(size=(300, kernels.FEW_DENSE + 1))])
    design = as_design(sp.csr_array(X))
    assert not kernels.GramStore(design.matrix, design.sparse_rows, design.index_in_rows, None).counting


def design_to_array(design, X):
    return np.asarray(X.toarray()[:, design.columns], dtype=design.dtype).astype(np.float64)


@pytest.mark.parametrize("kind", ["counts", "weights"])
def test_arena_is_little_more_than_its_entries(kind):
    """While columns join one after the other: spaces that they leave behind are used again, and counts take 4 bytes."""
    rng = np.random.default_rng(0)
    X = one_hot(3000, (3, 30, 300, 400), rng).tocsr()
    s = rng.random(3000) if kind == "weights" else None
    store = store_of(X, s)
    assert store.whole == (kind == "counts")
    members = rng.permutation(X.shape[1])
    for batch in np.split(members, np.arange(5, members.size, 7)):
        store.append(batch, True)
    gram = (X.T @ (X if s is None else X.multiply(s[:, None]))).toarray()[np.ix_(members, members)]
    np.testing.assert_allclose(store.toarray(), gram, rtol=1e-13)
    np.testing.assert_allclose(store.diagonal(), gram.diagonal(), rtol=1e-13)
    assert store.entries == np.count_nonzero(gram) + np.count_nonzero(gram.diagonal() == 0.0)
    assert store.nbytes <= 1.8 * (8 if kind == "counts" else 12) * store.entries


def test_large_arenas_of_counts_are_packed():
    """Four bytes an entry; counts of more than 12 bits are in pieces, by which no column seems to have no gaps."""
    rng = np.random.default_rng(0)
    X = one_hot(40_000, (2, 3, 40, 3000, 3000), rng).tocsr()
    X = X[:, np.flatnonzero(np.diff(X.tocsc().indptr))]
    counts, values = store_of(X), store_of(X, values=True)
    members = rng.permutation(X.shape[1])
    for batch in np.split(members, np.arange(500, members.size, 500)):
        counts.append(batch, True)
        values.append(batch, True)
    gram = (X.T @ X).tocsr()[members][:, members]
    assert gram.data.max() > 20_000
    np.testing.assert_array_equal(counts.toarray(), gram.toarray())
    np.testing.assert_array_equal(counts.diagonal(), gram.diagonal())
    few = np.argsort(gram.diagonal())[::300].copy()
    np.testing.assert_array_equal(counts.block(few, few), gram[few][:, few].toarray())
    assert gram.nnz <= counts.entries <= 1.01 * gram.nnz
    assert 4 * gram.nnz <= counts.nbytes <= 4 * 1.4 * gram.nnz
    x, moved = rng.normal(size=members.size), []
    for store in (counts, values):
        out = np.zeros(members.size)
        store.subtract(x, out)
        last = np.zeros(members.size)
        store.subtract_last(members.size - 9, x, last)
        np.testing.assert_allclose(last[-9:], out[-9:], atol=1e-8)
        moved.append(out)
    np.testing.assert_allclose(*moved, atol=1e-8)


def test_more_members_than_packed_entries_have_numbers_for():
    n = (1 << 20) + 100
    columns = np.concatenate([np.repeat(np.arange(n), 2), np.zeros(5_000, dtype=np.int64)])
    X = sp.csr_array((np.ones(columns.size), (np.concatenate([np.arange(2 * n), np.arange(1, 10_000, 2)]), columns)))
    X.sum_duplicates()
    X.data[:] = 1.0
    store = store_of(X)
    store.append(np.arange(n), True)
    np.testing.assert_array_equal(store.diagonal(), np.diff(X.tocsc().indptr))
    out, x = np.zeros(n), np.arange(1.0, n + 1.0)
    store.subtract(x, out)
    np.testing.assert_array_equal(out, -(X.T @ (X @ x)))


def test_descent_on_counts_is_that_on_values():
    rng = np.random.default_rng(1)
    X = one_hot(2000, (4, 20, 90), rng).tocsr()
    members, y = rng.permutation(X.shape[1])[:70], rng.normal(size=2000)
    results = []
    for values in (False, True):
        store = store_of(X, None, values)
        store.append(members, True)
        q, w = X.T[members] @ y, np.zeros(70)
        sq, zeros = store.diagonal(), np.zeros(70)
        co = kernels.Coordinates(w, zeros, sq, np.full(70, 5.0), zeros, 2000.0, kernels.PENALTIES["elastic_net"], 0.0)
        order = np.arange(70)
        store.cd(co, order, q, 50, 0.0)
        store.project(co, q, 3, 1e-3, 0.0)
        active, H = store.hessian(co)
        step = np.zeros(70)
        step[active] = np.linalg.solve(H + np.triu(H, 1).T, q[active])
        for first in (0, 30):
            store.subtract_last(first, step, q)
        results.append((w, q, step, store.block(order[10:], order[5:9])))
    for counted, summed in zip(*results, strict=True):
        np.testing.assert_array_equal(counted, summed)
    assert np.count_nonzero(results[0][0]) > 5


@pytest.mark.parametrize("begin", [0, 1])
def test_many_columns_at_once_are_walked_through_their_rows(begin):
    """Dot products would read every column once for each of the others that join with it."""
    rng = np.random.default_rng(0)
    X = sp.csr_array((np.ones(9000), rng.integers(0, 900, 9000), np.arange(0, 9001, 3)), shape=(3000, 900))
    X.sum_duplicates()
    X.data[:] = 1.0
    design = as_design(X)
    gram = MemoryRows(design, np.zeros(3000), rng.uniform(0.5, 2.0, 3000)).gram(0.0)

    class Store:
        def __init__(self, store):
            self.store, self.asked = store, []

        def __getattr__(self, name):
            return getattr(self.store, name)

        def append(self, cols, by_rows):
            self.asked.append(by_rows)
            self.store.append(cols, by_rows)

    gram.store = store = Store(gram.store)
    cols = np.arange(design.n_cols)
    for batch in (cols[:begin], cols[begin:]):
        gram.extend(batch)
    assert store.asked[-1]
    s, order = gram.rows.s, design.columns
    expected = (X.T @ sp.csr_array(X * s[:, None])).toarray()[np.ix_(order, order)]
    np.testing.assert_allclose(store.diagonal(), np.diag(expected), rtol=1e-12)

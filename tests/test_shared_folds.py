"""Folds that share sums: every sum against the rows themselves, and whole paths against folds solved one by one."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.model_selection import KFold
from test_path import crosses

from sparsereg import cross_validate_path
from sparsereg._core.kernels import Coordinates, GramStore, GramSum, append_sums
from sparsereg.data.compressed import Compressed
from sparsereg.data.design import as_design
from sparsereg.data.row_parts import in_parts
from sparsereg.rows import training_rows
from sparsereg.rows.arranged import Arranged
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.folds import PartedRows
from sparsereg.rows.memory import MemoryRows
from sparsereg.rows.own_gram import OwnGram, all_but
from sparsereg.rows.training_rows import TrainingRows
from sparsereg.selection import engine
from sparsereg.selection.folds import Fold, make_folds, order_of, parts_of
from sparsereg.selection.shared_folds import SharedFolds
from sparsereg.solvers import path_solver
from sparsereg.solvers.direct_step import direct_step

PARTS = [(0, 100), (100, 101), (101, 300)]
KINDS = ["ones", "weighted", "values"]


def parted(kind):
    X, y = crosses(300)
    rng = np.random.default_rng(0)
    if kind == "values":
        X.data = rng.normal(size=X.nnz)
    s = rng.uniform(0.5, 2.0, 300) if kind == "weighted" else None
    rows = MemoryRows(as_design(X), y, s)
    return rows, PartedRows(rows.design, Arranged.of(rows.y, rows.s, np.arange(300), PARTS))


def training(rows, shared, held_out):
    a, b = PARTS[held_out]
    s = np.ones(rows.n_rows) if rows.s is None else rows.s.copy()
    s[a:b] = 0.0
    others = tuple(j for j in range(len(PARTS)) if j != held_out)
    ours = TrainingRows(shared, others)
    np.testing.assert_array_equal(ours.s, s)
    return TrainingRows(shared, others), MemoryRows(rows.design, rows.y, s)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held_out", range(3))
def test_training_rows_answer_as_rows_with_weights(kind, held_out):
    rows, shared = parted(kind)
    ours, oracle = training(rows, shared, held_out)
    cols = np.array([7, 0, 31, 5])
    coef = Coefficients(cols, np.array([1.0, -2.0, 0.5, 0.0]))
    for at, base in ((None, 0.0), (None, 1.5), (coef, 0.3)):
        np.testing.assert_allclose(ours.gradients(at, base), oracle.gradients(at, base), atol=1e-9)
        np.testing.assert_allclose(ours.gradients(at, base, cols), oracle.gradients(at, base, cols), atol=1e-9)
        np.testing.assert_allclose(ours.residual(at, base), oracle.residual(at, base), atol=1e-12)
        assert ours.residual_max_abs(at, base) == pytest.approx(oracle.residual_max_abs(at, base))
        assert ours.squared_residual(at, base) == pytest.approx(oracle.squared_residual(at, base))
    assert ours.target_mean() == pytest.approx(oracle.target_mean())
    assert ours.weight_sum == pytest.approx(oracle.weight_sum)
    for found, expected in zip(ours.moments(cols), oracle.moments(cols), strict=True):
        np.testing.assert_allclose(found[expected != 1.0], expected[expected != 1.0], atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("kind", KINDS)
def test_columns_by_parts_of_rows_in_any_order(kind, dtype, index):
    X, _ = crosses(300)
    rng = np.random.default_rng(1)
    X.data = rng.normal(size=X.nnz) if kind == "values" else X.data
    X = sp.csr_array((X.data.astype(dtype), X.indices.astype(index), X.indptr.astype(index)), shape=X.shape)
    of = rng.choice([0, 1, 3], 300)  # no row in the third part
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of)).tolist()
    design, parts = in_parts(as_design(X), order, ends)
    y = rng.normal(size=300)
    np.testing.assert_allclose(design.rmatvec(y[order]), as_design(X).rmatvec(y), rtol=1e-12)
    np.testing.assert_array_equal(design.observed().toarray(), X.toarray()[order][:, design.columns])
    for k, part in enumerate(parts):
        mine = X.toarray()[:, design.columns][of == k]
        np.testing.assert_allclose(part.rmatvec(y[order]), mine.T @ y[of == k], rtol=1e-5, atol=1e-12)
        assert part.residual_max_abs(np.ones(1), np.zeros(1, dtype=np.int64), y[order], 0.0) > 0.0
    np.testing.assert_array_equal(sum(part.lengths() for part in parts), design.lengths())


def test_columns_by_parts_of_rows_are_the_same_in_any_number_of_threads(monkeypatch):
    counted = as_design(crosses(300)[0]).counted
    built = [counted.build_in_parts(1, [70, 70, 200, 300])]
    monkeypatch.setattr(Compressed, "split", lambda *_: [(0, 70), (70, 150), (150, 300)])
    built.append(counted.build_in_parts(3, [70, 70, 200, 300]))
    np.testing.assert_array_equal(built[0][1], built[1][1])
    y = np.random.default_rng(0).normal(size=300)
    np.testing.assert_array_equal(built[0][0].rmatvec(y), built[1][0].rmatvec(y))


def dense(store):
    """The Gram matrix, a column at a time."""
    out = np.zeros((store.m, store.m))
    for a, unit in enumerate(np.eye(store.m)):
        store.subtract(-unit, out[a])
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("held_out", range(3))
@pytest.mark.parametrize("least", [20_000, 4], ids=["shared", "own"])
def test_the_gram_matrix_of_a_fold_and_gradients_that_follow_from_it(monkeypatch, kind, held_out, least):
    """Also where it goes on without the others after its first columns."""
    monkeypatch.setattr(training_rows, "LEAST_SHARED", least)
    monkeypatch.setattr(training_rows, "PER_SHARED", 1_000_000)
    rows, shared = parted(kind)
    ours, oracle = training(rows, shared, held_out)
    gram, every = ours.gram(0.7), np.arange(rows.n_cols)
    gram.cache_rows(oracle.gradients(None, 0.7))
    other = np.setdiff1d(gram.cached, [0, 2, 3, 11, 60])[:1]
    shared.extend(np.array([3, 11, *other]))  # by another fold
    gram.extend(np.array([11, 2]))
    gram.extend(np.array([0, 60, 3]))
    np.testing.assert_allclose(dense(gram.store), oracle.products(gram.cols, gram.cols), atol=1e-9)
    w = np.array([0.5, 0.0, -1.0, 2.0, 0.3])
    outside = np.setdiff1d(every, gram.cols)
    c, known = gram.known_gradients(outside, w, 0.2)
    expected = oracle.gradients(Coefficients(gram.cols, w), 0.9, outside)
    np.testing.assert_allclose(c[known], expected[known], atol=1e-9)
    assert known[outside == other].all()  # a member that is not in this fold's working set
    assert known.any()
    assert (gram in shared.in_use) == isinstance(gram.store, GramSum) == (least > 4)


def test_few_products_in_two_stretches_of_rows():
    """Where most positions have no product, those of both are found."""
    X, y = one_hot(3000)
    rows = MemoryRows(as_design(X), y, None)
    shared = PartedRows(rows.design, Arranged.of(y, None, np.arange(3000), [(0, 1000), (1000, 1600), (1600, 3000)]))
    s = np.ones(3000)
    s[1000:1600] = 0.0
    gram = OwnGram(MemoryRows(shared.design, y, s), 0.0, all_but(shared.columns, [1]), None, None)
    gram.cache_rows(np.zeros(rows.n_cols))
    gram.extend(np.arange(rows.n_cols))
    np.testing.assert_array_equal(dense(gram.store), X.T @ (s[:, None] * X.toarray()))


def one_hot(n):
    """Three columns for each row of a pair of rows far from each other, and one for all."""
    pair = np.arange(n) % (n // 2)
    cols = np.stack([1 + pair, 1 + n // 2 + pair, np.zeros(n, dtype=np.int64)], axis=1)
    X = sp.csr_array((np.ones(3 * n), cols.ravel(), np.arange(0, 3 * n + 1, 3)), shape=(n, n + 1))
    X.sort_indices()
    return X, np.random.default_rng(0).normal(size=n)


@pytest.mark.parametrize("kind", KINDS)
def test_the_held_out_error_follows_from_sums(kind):
    rows, shared = parted(kind)
    cols = np.array([4, 9, 17])
    shared.extend(cols)
    coef, intercept = Coefficients(cols, np.array([1.0, -0.5, 0.25])), 2.5
    r = rows.y - intercept - rows.predictor(coef)
    for j, (a, b) in enumerate(PARTS):
        s = np.ones(b - a) if rows.s is None else rows.s[a:b]
        assert shared.squared_error(j, coef, intercept) == pytest.approx(s @ r[a:b] ** 2, rel=1e-10)
        assert shared.targets[j].weight == pytest.approx(s.sum())


def append_to(stores, members):
    """As `PartedRows.extend` does, but for the number of cached columns."""
    for j in range(members.size):
        for store in stores:
            store.append(members[j : j + 1], True)


def test_cached_products_that_leave_for_want_of_room():
    """Counts of the parts add up to those of all rows, also where some have dropped columns."""
    rows, shared = parted("ones")
    design, cached = rows.design, np.arange(20)
    whole = GramStore(design.matrix, design.sparse_rows, design.index_in_rows)
    whole.cache(cached, 4 * 100)
    for store, room in zip(shared.stores, (4 * 100, 4 * 20, 4 * 12), strict=True):
        store.cache(cached, room)
    members, every = np.array([30, 31, 0, 40, 41, 42]), np.arange(6)
    append_to(shared.stores, members)
    append_sums(whole, shared.stores, every, np.where(members < 20, members, -1).astype(np.int32))
    n = min(store.n_cached for store in (whole, *shared.stores))
    assert 0 < n < 20
    w, c = np.random.default_rng(0).normal(size=members.size), np.zeros(n)
    whole.subtract_cached(w, c)
    expected = -rows.products(cached[:n], members) @ w
    np.testing.assert_allclose(c[1:], expected[1:])  # column 0 is a member now
    np.testing.assert_allclose(whole.toarray(), rows.products(members, members))


def test_counts_beyond_16_bits_make_room_for_all_their_pieces():
    """A product over more rows than 16 bits count takes several places: the member's own rows say how many."""
    n = 70_000
    X = sp.lil_array((n, 23))
    X[[0, 1], [20, 22]] = 1.0
    X = sp.hstack([sp.csr_array(np.ones((n, 20))), X[:, [20]], np.ones((n, 1)), X[:, [22]]]).tocsr()
    rows = MemoryRows(as_design(X), np.zeros(n), None)
    shared = PartedRows(rows.design, Arranged.of(rows.y, None, np.arange(n), [(0, 35_000), (35_000, n)]))
    lengths = rows.lengths(np.arange(23))
    members = np.array([*np.flatnonzero(lengths == 1)[:1], np.flatnonzero(lengths == n)[-1]])
    members = np.append(members, np.flatnonzero(lengths == 1)[1])
    cached = np.setdiff1d(np.arange(23), members)
    whole = GramStore(rows.design.matrix, rows.design.sparse_rows, rows.design.index_in_rows)
    whole.cache(cached, 4 * 45)
    for store in shared.stores:
        store.cache(cached, 2**16)
    append_to(shared.stores, members)
    every = np.arange(3)
    append_sums(whole, shared.stores, every, np.full(3, -1, dtype=np.int32))
    kept = whole.n_cached
    assert kept + 2 * kept <= 45  # one place for the first member, two for the second
    c = np.zeros(kept)
    whole.subtract_cached(np.array([1.0, 10.0, 100.0]), c)
    np.testing.assert_array_equal(c, -rows.products(cached[:kept], members) @ [1.0, 10.0, 100.0])


OPTIONS = [
    {}, {"standardize": True}, {"sample_weight": True}, {"fit_intercept": False}, {"offset": True},
    {"l1_ratio": 0.5}, {"positive": True}, {"penalty_factor": True},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_same_losses_as_folds_solved_one_by_one(monkeypatch, options):
    X, y = crosses(1500)
    X = sp.hstack([X, sp.csr_array((X.shape[0], 3))]).tocsr()
    rng = np.random.default_rng(0)
    drawn = {"sample_weight": rng.uniform(0.5, 2.0, len(y)), "offset": rng.normal(size=len(y))}
    drawn["penalty_factor"] = rng.uniform(0.5, 2.0, X.shape[1])
    options = {name: drawn.get(name, value) for name, value in options.items()}
    folds = list(KFold(6, shuffle=True, random_state=0).split(X))[:4]  # some rows are never held out
    calls = []
    monkeypatch.setattr(SharedFolds, "fit", lambda self, *a, f=SharedFolds.fit: calls.append(1) or f(self, *a))
    shared = cross_validate_path(X, y, cv=folds, alphas=12, eps=0.1, tol=1e-9, keep_fold_paths=True, **options)
    assert len(calls) == 4
    monkeypatch.setattr(engine.SharedFolds, "of", lambda *_: None)
    plain = cross_validate_path(X, y, cv=folds, alphas=12, eps=0.1, tol=1e-9, keep_fold_paths=True, **options)
    np.testing.assert_allclose(shared.path.alphas, plain.path.alphas, rtol=1e-10)
    np.testing.assert_allclose(shared.chosen.fold_losses, plain.chosen.fold_losses, rtol=1e-5)
    for ours, theirs in zip(shared.chosen.fold_paths, plain.chosen.fold_paths, strict=True):
        np.testing.assert_allclose(ours.deviance_explained, theirs.deviance_explained, atol=1e-7)
    assert shared.k == plain.k


def test_eliminated_columns_come_back(monkeypatch):
    """A fold whose largest residual grows beyond the margin goes on with all columns."""
    from sparsereg.solvers import prefilter

    X, y = crosses(1500)
    plain = cross_validate_path(X, y, cv=4, alphas=12, eps=0.1, tol=1e-9)
    monkeypatch.setattr(prefilter, "RESIDUAL_MARGIN", 0.01)
    restored = []
    again = prefilter.PrefilteredSolver._restore
    monkeypatch.setattr(prefilter.PrefilteredSolver, "_restore", lambda self: restored.append(1) or again(self))
    ours = cross_validate_path(X, y, cv=4, alphas=12, eps=0.1, tol=1e-9)
    assert restored
    np.testing.assert_allclose(ours.chosen.fold_losses, plain.chosen.fold_losses, rtol=1e-5)


@pytest.mark.parametrize("kind", ["ones", "weighted"])
def test_beyond_the_budget_folds_go_on_without_gram_matrices(monkeypatch, kind):
    """Then nothing of the shared sums is kept, and losses follow from predictions."""
    X, y = crosses(1500)
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if kind == "weighted" else None
    arguments = {"cv": 4, "alphas": 12, "eps": 0.1, "tol": 1e-9, "sample_weight": s}
    plain = cross_validate_path(X, y, **arguments)
    monkeypatch.setattr(path_solver, "FREE_GRAM", 0)
    monkeypatch.setattr(path_solver, "GRAM_BYTES_PER_ENTRY", 0.05)
    released = []
    release = PartedRows.release
    monkeypatch.setattr(PartedRows, "release", lambda self: (release(self), released.append(self.entries)))
    ours = cross_validate_path(X, y, **arguments)
    assert max(released) > 0
    assert released[-1] == 0
    np.testing.assert_allclose(ours.chosen.fold_losses, plain.chosen.fold_losses, rtol=1e-5)
    assert ours.k == plain.k


@pytest.mark.parametrize("kind", KINDS)
def test_sums_of_gram_matrices_while_another_fold_adds_members(kind):
    """A fold's own columns stay as they are, with every kernel on them."""
    rows, shared = parted(kind)
    ours, oracle = training(rows, shared, 0)
    gram, cols = ours.gram(0.7), np.array([5, 1, 30, 12])
    gram.extend(cols)
    shared.extend(np.array([2, 40, 3]))
    sums, squares = (np.ascontiguousarray(values) for values in oracle.moments(cols)[:2])
    G, x = oracle.products(cols, cols), np.array([0.5, -1.0, 0.0, 2.0])
    last = np.ones(4)
    gram.store.subtract_last(2, x, last)
    np.testing.assert_allclose(last, 1.0 - np.where(np.arange(4) >= 2, G @ x, 0.0), atol=1e-9)
    c0 = oracle.gradients(None, 0.0, cols)
    w, q, l1, l2 = np.zeros(4), c0.copy(), np.full(4, 2.0), np.full(4, 0.5)
    zero = np.zeros(4)
    co = Coordinates(w, zero, squares, l1, l2, oracle.weight_sum, 0, 0.0)
    epochs, _ = gram.store.cd(co, np.arange(4), q, 1000, 1e-24)
    assert 1 < epochs < 1000
    np.testing.assert_allclose(q, c0 - G @ w, atol=1e-9)
    slope = np.where(w != 0.0, q - l2 * w - l1 * np.sign(w), 0.0)
    np.testing.assert_allclose(slope, 0.0, atol=1e-8)
    at = np.flatnonzero(w)
    H = G[np.ix_(at, at)] - np.outer(sums[at], sums[at]) / oracle.weight_sum + np.diag(l2[at])
    centred = Coordinates(w, sums, squares, l1, l2, oracle.weight_sum, 0, 0.0)
    np.testing.assert_allclose(direct_step(gram.store, centred, x)[at], np.linalg.solve(H, x[at]), rtol=1e-8)
    u, q = np.zeros(4), c0.copy()
    assert gram.store.project(Coordinates(u, zero, squares, l1, zero, oracle.weight_sum, 0, 0.0), q, 500, 0.0, 0.0) > 1
    np.testing.assert_allclose(q, c0 - G @ u, atol=1e-9)
    assert np.abs(q).max() <= 2.0 * (1.0 + 1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_folds_share_sums_where_they_are_parts_of_the_rows(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 9))
    of = np.concatenate([[0, 1], rng.integers(0, 3, n - 2)])
    parts = [(rng.permutation(np.flatnonzero(of != f)), np.flatnonzero(of == f)) for f in range(2)]

    def order(*pairs):
        return order_of([Fold.of(*pair, n) for pair in pairs], n)

    np.testing.assert_array_equal(np.arange(n)[order(*parts)], np.argsort(of, kind="stable"))
    shuffled = [(train, rng.permutation(test)) for train, test in parts]
    np.testing.assert_array_equal(np.arange(n)[order(*shuffled)], np.argsort(of, kind="stable"))
    train, test = parts[1]
    for other in (rng.integers(0, n, train.size), train[1:], np.concatenate([train[1:], test[:1]])):
        expected = sorted([*other.tolist(), *test.tolist()]) == list(range(n))
        assert (order(parts[0], (other, test)) is not None) == expected
    assert order(parts[0], (train, np.concatenate([test[1:], parts[0][1][:1]]))) is None


@pytest.mark.parametrize(("k", "n"), [(2, 2), (3, 10), (5, 5), (4, 10)])
def test_folds_of_consecutive_rows_are_those_of_scikit_learn_and_stay_in_place(k, n):
    found, X = make_folds(k, np.zeros((n, 1)), np.zeros(n), {}), np.zeros((n, 1))
    listed = make_folds(KFold(k).split(X), X, np.zeros(n), {})
    for fold, same, (train, test) in zip(found, listed, KFold(k).split(X), strict=True):
        for one in (fold, same):
            np.testing.assert_array_equal(one.train, train)
            np.testing.assert_array_equal(one.test, test)
            np.testing.assert_array_equal(np.arange(n)[one.held_out()], test)
            assert (one.n_train, one.n_test, one.trains_on_the_rest) == (train.size, test.size, True)
    assert order_of(found, n) == order_of(listed, n) == slice(None)
    assert parts_of(found, n) == parts_of(listed, n) == [fold.stretch for fold in found]
    assert parts_of(found[:-1], n)[-1] == found[-1].stretch
    with pytest.raises(ValueError, match="Choose fewer folds"):
        make_folds(n + 1, X, np.zeros(n), {})


def test_rows_in_place_and_rows_in_another_order_have_the_same_losses():
    X, y = crosses(300)
    asked = {"alphas": 10, "eps": 1e-2, "tol": 1e-8}
    listed = [(np.flatnonzero(np.arange(300) // 60 != f), np.flatnonzero(np.arange(300) // 60 == f)) for f in range(5)]
    in_place = cross_validate_path(X, y, cv=5, **asked).chosen.fold_losses
    moved = cross_validate_path(X, y, cv=listed[::-1], **asked).chosen.fold_losses
    np.testing.assert_allclose(in_place, moved[:, ::-1], rtol=1e-6)

"""Gram matrices whose rows change their weights."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparsereg import regularization_path
from sparsereg._core.kernels import GramStore, RowGroups, reweigh_groups, reweigh_rows
from sparsereg.data.design import as_design
from sparsereg.rows import reweigh
from sparsereg.rows.reweigh import FAR_KEPT, Reweighing

N, P = 80, 23


def table(rng, values, dtype=np.float64, index=np.int32):
    X = sp.random_array((N, P), density=0.4, rng=rng, format="csr", dtype=dtype)
    X.data[:] = 1.0
    if values:
        X.data[:] = np.where(rng.random(X.nnz) < 0.5, X.data, rng.standard_normal(X.nnz))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    return X


def store_of(X, s, cols):
    design = as_design(X)
    store = GramStore(design.matrix, design.sparse_rows, design.index_in_rows, s)
    store.append(cols, True)
    return store, X.toarray()[:, design.columns[cols]].astype(np.float64)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("values", [False, True])
def test_changed_rows(values, dtype, index):
    rng = np.random.default_rng(0)
    s, cols = rng.random(N) + 0.1, np.array([3, 0, 11, 7, 20])
    store, D = store_of(table(rng, values, dtype, index), s, cols)
    rows, new = np.array([5, 1, 40, 77]), s.copy()
    new[rows] = rng.random(4)
    assert reweigh_rows(store, rows, new[rows] - s[rows], False)
    np.testing.assert_allclose(store.toarray(), D.T @ (new[:, None] * D), rtol=1e-12, atol=1e-13)
    assert reweigh_rows(store, np.arange(N), s, True)
    np.testing.assert_allclose(store.toarray(), D.T @ (s[:, None] * D), rtol=1e-12, atol=1e-13)
    assert reweigh_rows(store, np.arange(0), np.zeros(0), False)


def test_a_product_that_was_zero_has_no_place():
    X = sp.csr_array(np.vstack([[[1.0, 2.0], [2.0, -1.0], [0.5, 0.0]], np.zeros((5, 2))]))
    store, _ = store_of(X, np.ones(8), np.arange(2))
    assert store.toarray()[0, 1] == 0.0
    assert not reweigh_rows(store, np.arange(1), np.array([0.5]), False)


def test_changed_groups():
    rng = np.random.default_rng(1)
    X = table(rng, values=False)
    design, y = as_design(X), rng.random(N)
    groups = RowGroups(design.matrix, y, None, np.zeros(N, dtype=np.int32), np.zeros(1), P)
    store = GramStore(design.matrix, None)
    assert reweigh_groups(groups, store, np.arange(1), np.ones(1), False)  # no members
    groups.values()[4][:] = 1.0
    cols = np.array([2, 9, 4])
    groups.join(cols, store)
    D = X.toarray()[:, design.columns[cols]]
    np.testing.assert_allclose(store.toarray(), D.T @ D)
    np.testing.assert_array_equal(groups.lengths()[groups.of_rows()], D.sum(axis=1))
    new = rng.random(groups.n_groups)
    for anew, change in ((False, (new - 1.0) * groups.values()[0]), (True, new * groups.values()[0])):
        if anew:
            groups.values()[4][:] = new
        assert reweigh_groups(groups, store, np.arange(groups.n_groups), change, anew)
        np.testing.assert_allclose(store.toarray(), D.T @ (new[groups.of_rows()][:, None] * D), rtol=1e-12)


def test_small_changes_are_kept_and_large_ones_begin_anew(monkeypatch):
    monkeypatch.setattr(reweigh, "FEW_PRODUCTS", 0)
    rng = np.random.default_rng(2)
    old, lengths = np.ones(N), np.ones(N)
    store, _ = store_of(table(rng, values=True), old, np.arange(3))
    asked = []

    def add(rows, change, anew):
        asked.append((rows.size, anew))
        return reweigh_rows(store, rows, change, anew)

    reweighing = Reweighing()
    some = np.where(np.arange(N) < 5, 0.5, 0.9)
    np.testing.assert_array_equal(reweighing.bring_up_to_date(store, (old, some), lengths, add, FAR_KEPT), np.arange(5))
    assert reweighing.bring_up_to_date(store, (old, 0.1 * old), lengths, add, FAR_KEPT).size == N
    assert asked == [(5, False), (N, True)]
    assert reweighing.bring_up_to_date(store, (old, 0.1 * old), lengths, lambda *_: False, FAR_KEPT) is None
    assert reweighing.bring_up_to_date(store, (old, some), lengths, lambda *_: False, FAR_KEPT) is None


def test_a_column_that_lost_its_curvature(monkeypatch):
    monkeypatch.setattr(reweigh, "FEW_PRODUCTS", 0)
    X = np.zeros((N, 2))
    X[:3, 0], X[:-5, 1] = 1.0, 1.0
    old = np.ones(N)
    store, D = store_of(sp.csr_array(X), old, np.arange(2))
    reweighing, new = Reweighing(), np.where(X[:, 0] > 0.0, 1e-9, 1.0)
    add = lambda *rows: reweigh_rows(store, *rows)
    np.testing.assert_array_equal(
        reweighing.bring_up_to_date(store, (old, old), D.sum(axis=1), add, (0.2, 0.0)), np.arange(0)
    )
    assert reweighing.bring_up_to_date(store, (old, new), D.sum(axis=1), add, (0.2, 0.0)).size == N
    np.testing.assert_allclose(store.toarray(), D.T @ (new[:, None] * D), rtol=1e-14)


def test_paths_over_long_rows_with_values_that_cancel(monkeypatch):
    """Columns of +-1 are orthogonal under equal weights: their products get no place, and have to be found later."""
    monkeypatch.setattr(reweigh, "FEW_PRODUCTS", 0)
    rng = np.random.default_rng(3)
    X = sp.kron(np.ones((40, 1)), np.array([[1, 1, 1], [1, -1, 0], [-1, 1, 0], [-1, -1, 1]]), format="csr").tocsr()
    X = sp.csr_array(sp.hstack([X, sp.random_array((160, 8), density=0.1, rng=rng)]))
    y = (rng.random(160) < 1.0 / (1.0 + np.exp(-3.0 * X[:, [0]].toarray().ravel()))).astype(float)
    path = regularization_path(X, y, loss="logistic", alphas=30, eps=1e-3, tol=1e-8)
    assert path.certified.all()
    again = regularization_path(X.toarray(), y, loss="logistic", alphas=path.alphas, tol=1e-10)
    np.testing.assert_allclose(path.coefs.toarray(), again.coefs.toarray(), atol=2e-3)


def test_few_products_are_all_computed_anew():
    """Exact weights spare steps, which cost more than so few products."""
    asked, old = [], np.ones(N)
    store, D = store_of(table(np.random.default_rng(0), values=False), old, np.arange(5))
    new = np.where(np.arange(N) < 5, 0.5, 0.99)

    def add(rows, change, anew):
        asked.append(anew)
        return reweigh_rows(store, rows, change, anew)

    assert Reweighing().bring_up_to_date(store, (old, new), D.sum(axis=1), add, FAR_KEPT).size == N
    assert asked == [True]
    np.testing.assert_allclose(store.toarray(), D.T @ (new[:, None] * D), rtol=1e-14)

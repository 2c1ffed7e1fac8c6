"""X is taken in from every layout, borrowed where it can be, never written to, and refused with a useful word where it
is bad."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from sparsereg import Lasso, regularization_path
from sparsereg._core.kernels import KernelError, take_ends, transpose
from sparsereg.data.compressed import Compressed, product
from sparsereg.data.design import as_design

FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]


def dense_of(design):
    """The matrix a design stands for, column by column through the kernels."""
    out = np.zeros((design.n_rows, design.n_features))
    for j, column in enumerate(design.columns):
        one = np.zeros(design.n_rows)
        design.matrix.add_matvec(np.ones(1), one, np.array([j]))
        out[:, column] = one
    return out


def rows_of(design):
    """The same through the rows."""
    rows, labels = design.rows, design.index_in_rows
    out = np.zeros((design.n_rows, design.n_cols))
    for j in range(design.n_cols):
        unit = np.zeros(rows.shape[0])
        unit[j if labels is None else labels[j]] = 1.0
        out[:, j] = rows.rmatvec(unit)
    return out


@st.composite
def matrices(draw):
    n, p = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    plain = (rng.random((n, p)) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))).astype(float)
    if draw(st.booleans()):
        plain[:, rng.random(p) < 0.4] *= 2.5
    return plain


@given(
    plain=matrices(),
    form=st.sampled_from(FORMATS),
    real=st.sampled_from([np.float32, np.float64]),
    array=st.booleans(),
    wide=st.booleans(),
)
def test_every_sparse_layout(plain, form, real, array, wide):
    X = (sp.csr_array if array else sp.csr_matrix)(plain.astype(real)).asformat(form)
    if wide and form in ("csr", "csc"):
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    design = as_design(X)
    assert design.dtype == real
    assert (design.n_rows, design.n_features) == plain.shape
    np.testing.assert_allclose(dense_of(design), plain, rtol=1e-7)
    np.testing.assert_allclose(rows_of(design), plain[:, design.columns], rtol=1e-7)
    assert design.matrix.n_ones == sum(1 for j in design.columns if set(np.unique(plain[:, j])) <= {0.0, 1.0})
    np.testing.assert_array_equal(
        np.sort(design.lengths(np.arange(design.n_cols))), np.sort((plain[:, design.columns] != 0).sum(axis=0))
    )


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("real", [np.float32, np.float64, np.int64, bool])
def test_dense(real, order):
    plain = np.asarray(np.random.default_rng(0).integers(0, 2, (7, 4)), dtype=real, order=order)
    design = as_design(plain)
    assert design.dtype == (np.float32 if real is np.float32 else np.float64)
    np.testing.assert_array_equal(dense_of(design), plain)
    assert design.rows is None
    assert design.max_row_length == 4
    np.testing.assert_array_equal(dense_of(as_design(plain[::2, 1:])), plain[::2, 1:])
    np.testing.assert_array_equal(dense_of(as_design(pd.DataFrame(plain))), plain)


def test_borrows_what_it_can():
    X = sp.random_array((50, 20), density=0.2, rng=0, format="csc")
    X.data[:] = 1.0
    design = as_design(X)
    assert np.shares_memory(design.borrowed.indices, X.indices)
    assert design.borrowed.data is None
    valued = sp.random_array((50, 20), density=0.2, rng=0, format="csc")
    assert np.shares_memory(as_design(valued).borrowed.data, valued.data)
    rows = valued.tocsr()
    assert np.shares_memory(as_design(rows).borrowed.indices, rows.indices)
    assert np.shares_memory(as_design(rows).borrowed.data, rows.data)


def test_a_few_numbers_do_not_cost_the_ones_their_storage():
    """What a ColumnTransformer hands over: one-hot columns and two numeric ones in one CSR."""
    ones = sp.random_array((500, 300), density=0.02, rng=0, format="csr")
    ones.data[:] = 1.0
    X = sp.hstack([ones, sp.csr_array(np.random.default_rng(0).normal(size=(500, 2)))], format="csr")
    design = as_design(X)
    assert design.matrix.n_ones == design.n_cols - 2
    np.testing.assert_array_equal(design.columns[-2:], [300, 301])
    np.testing.assert_allclose(dense_of(design), X.toarray())


def test_duplicates_and_explicit_zeros():
    X = sp.coo_array((np.array([1.0, 1.0, 0.0, 3.0]), (np.array([0, 0, 1, 2]), np.array([1, 1, 0, 2]))), shape=(3, 3))
    expected = X.toarray()
    np.testing.assert_array_equal(dense_of(as_design(X)), expected)
    for cls in (sp.csr_array, sp.csc_array):
        indptr, indices, data = np.array([0, 3, 3, 4]), np.array([1, 1, 0, 2]), np.array([1.0, 1.0, 0.0, 3.0])
        raw = cls((data, indices, indptr), shape=(3, 3))
        kept = [a.copy() for a in (raw.data, raw.indices, raw.indptr)]
        np.testing.assert_array_equal(dense_of(as_design(raw)), raw.toarray())
        for before, after in zip(kept, (raw.data, raw.indices, raw.indptr), strict=True):
            np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_read_only_and_memory_mapped(tmp_path, form):
    X = sp.random_array((30, 10), density=0.3, rng=1, format=form)
    expected = X.toarray()
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{name}.npy", getattr(X, name))
        mapped = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        setattr(X, name, mapped)
    np.testing.assert_array_equal(dense_of(as_design(X)), expected)
    frozen = expected.copy(order="F")
    frozen.flags.writeable = False
    design = as_design(frozen)
    np.testing.assert_array_equal(dense_of(design), expected)


def test_hypersparse_costs_by_what_is_observed():
    """A width of 10^12 with five entries: nothing of that length is made."""
    columns = np.array([999_999_999_999, 7, 7, 500_000_000_000, 3])
    X = sp.csr_array((np.array([1.0, 1.0, 2.0, 1.0, 1.0]), columns, np.array([0, 2, 3, 5])), shape=(3, 10**12))
    design = as_design(X)
    assert (design.n_cols, design.n_features) == (4, 10**12)
    np.testing.assert_array_equal(np.sort(design.columns), [3, 7, 500_000_000_000, 999_999_999_999])
    assert design.matrix.n_ones == 3
    design.matrix.rmatvec(np.ones(3))
    np.testing.assert_allclose(rows_of(design)[:, list(design.columns).index(7)], [1.0, 2.0, 0.0])


def test_nothing_stored_at_all():
    design = as_design(sp.csr_array((4, 3)))
    assert design.n_cols <= 1
    np.testing.assert_array_equal(dense_of(design), np.zeros((4, 3)))


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_says_which_value_and_where(form, value, word):
    plain = np.eye(6)
    plain[4, 2] = value
    X = plain if form == "dense" else sp.csr_array(plain).asformat(form)
    with pytest.raises(ValueError, match=f"X contains {word}.* at row 4, column 2; impute"):
        as_design(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 3)), r"shape \(0, 3\); expected at least one row"),
        (np.zeros(3), r"1 dimension\(s\); expected 2. Reshape"),
        (np.zeros((2, 2, 2)), "3 dimension"),
        (np.array([[1j]]), "dtype complex128; expected real"),
        (np.array([["a"]]), "expected real numbers. Encode categories first"),
        (np.array([["a", 1]], dtype=object), "not a number"),
        (sp.csr_array((3, 0)), r"shape \(3, 0\)"),
        (sp.csr_array(np.array([[1j]])), "dtype complex128"),
    ],
)
def test_refuses(X, message):
    with pytest.raises(ValueError, match=message):
        as_design(X)


def test_index_outside_its_shape():
    X = sp.csr_array(np.eye(4))
    X.indices = np.array([0, 1, 9, 3], dtype=np.int32)
    with pytest.raises(ValueError, match=r"index outside its shape \(4, 4\): entry 2 stands at row 2, column 9"):
        as_design(X)


@given(plain=matrices(), form=st.sampled_from(["csr", "csc", "dense"]), k=st.integers(0, 3))
def test_product_needs_only_the_support(plain, form, k):
    X = plain if form == "dense" else sp.csr_array(plain).asformat(form)
    rng = np.random.default_rng(0)
    columns = np.sort(rng.permutation(plain.shape[1])[:k]).astype(np.int64)
    values = rng.normal(size=(columns.size, 2))
    np.testing.assert_allclose(product(X, columns, values), plain[:, columns] @ values, atol=1e-12)
    np.testing.assert_allclose(product(X, columns, values[:, 0]), plain[:, columns] @ values[:, 0], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_columns_with_a_value_in_every_row_become_dense(dtype, index):
    """They lose their indices, and the rows of the others their values where those are all ones.

    Rows do without those that come before or after all others."""
    rng = np.random.default_rng(0)
    plain = np.hstack(
        [(rng.random((30, 8)) < 0.3), rng.normal(size=(30, 2)), np.ones((30, 1)), rng.normal(size=(30, 1))]
    ).astype(dtype)
    X = sp.csr_array(plain)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    design = as_design(X)
    matrix = design.matrix
    assert (matrix.n_ones, matrix.n_sparse, matrix.shape[1]) == (9, 9, 12)
    assert sorted(design.columns[9:]) == [8, 9, 11]
    v, w = rng.normal(size=30), rng.normal(size=12)
    np.testing.assert_allclose(matrix.rmatvec(v), (plain.astype(float).T @ v)[design.columns], rtol=1e-12)
    np.testing.assert_allclose(design.rows.rmatvec(w), plain.astype(float) @ w, rtol=1e-12)
    np.testing.assert_allclose(design.sparse_rows.rmatvec(w), (plain[:, :11] != 0) @ w[:11], rtol=1e-12)
    backwards = as_design(sp.csr_array(plain[:, ::-1]))
    np.testing.assert_allclose(backwards.sparse_rows.rmatvec(w), (plain[:, 10::-1] != 0) @ w[1:], rtol=1e-12)
    plain[plain[:, 0] > 0, 0] = 2.0  # a value elsewhere, and rows keep them
    kept = as_design(sp.csr_array(plain))
    assert kept.matrix.n_ones == 8
    np.testing.assert_allclose(kept.sparse_rows.rmatvec(w), plain[:, :11].astype(float) @ w[:11], rtol=1e-12)


@pytest.mark.parametrize("place", [0, 4, 8])
def test_paths_are_the_same_wherever_dense_columns_stand(place):
    rng = np.random.default_rng(0)
    sparse, dense = rng.random((200, 8)) < 0.3, rng.normal(size=(200, 2))
    plain = np.hstack([sparse[:, :place], dense, sparse[:, place:]])
    y = plain @ rng.normal(size=10) + rng.normal(size=200)
    by_rows, dense = (regularization_path(X, y, tol=1e-10, alphas=20) for X in (sp.csr_array(plain), plain))
    np.testing.assert_allclose(by_rows.coefs.toarray(), dense.coefs.toarray(), atol=1e-5)


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("value", [1.0, 2.0])
@pytest.mark.parametrize("disordered", [False, True])
def test_arrays_need_not_be_contiguous(form, value, disordered):
    """scipy makes no others, but users set them."""
    rng = np.random.default_rng(0)
    plain = value * (rng.random((200, 8)) < 0.3)
    X = sp.csr_array(plain).asformat(form)
    y = plain @ rng.normal(size=8) + rng.normal(size=200)
    expected = Lasso(alpha=0.01).fit(X, y).coef_
    if disordered:
        for begin, end in pairwise(X.indptr):
            X.indices[begin:end] = X.indices[begin:end][::-1]
    X.indptr = np.repeat(X.indptr, 2)[::2]
    X.indices = np.repeat(np.append(X.indices, np.full(50, 77777, dtype=np.int32)), 2)[::2]
    X.data = np.append(X.data, np.full(50, np.nan))
    np.testing.assert_array_equal(Lasso(alpha=0.01).fit(X, y).coef_, expected)
    design = as_design(X)
    w = rng.normal(size=8)
    np.testing.assert_allclose(design.rows.rmatvec(w), plain @ w)
    np.testing.assert_allclose(design.rmatvec(y), (plain.T @ y)[design.columns])


def beside_numbers(n: int, before: int, after: int, dtype: type = np.float64) -> sp.csr_array:
    """Two one-hot fields between columns of numbers."""
    rng = np.random.default_rng(n)
    fields = [sp.csr_array((np.ones(n), (np.arange(n), rng.integers(0, 7, n))), shape=(n, 7)) for _ in range(2)]
    numbers = [sp.csr_array(rng.normal(size=(n, k))) for k in (before, after)]
    return sp.csr_array(sp.hstack([numbers[0], *fields, numbers[1]]), dtype=dtype)


@pytest.mark.parametrize("ends", [(0, 3), (2, 0), (2, 3), (1, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dense_columns_at_the_ends_of_rows_are_taken_once_and_when_asked_for(
    ends: tuple[int, int], dtype: type
) -> None:
    X = beside_numbers(60, *ends, dtype)
    design = as_design(X)
    apart, n_sparse = design.counted.end_columns, design.n_sparse
    assert apart is not None
    assert "values" not in vars(apart)  # nothing has been read yet
    v = np.random.default_rng(0).normal(size=60)
    expected = X.T.astype(np.float64) @ v
    np.testing.assert_allclose(design.select_observed(design.rmatvec_by_rows(v)), expected[design.columns], rtol=1e-5)
    np.testing.assert_array_equal(vars(apart)["values"], X.toarray()[:, design.columns[n_sparse:]])
    np.testing.assert_allclose(design.matrix.rmatvec(v), expected[design.columns], rtol=1e-5)


def test_ends_of_rows_are_checked() -> None:
    pointers, indices = np.array([0, 2, 4], dtype=np.int32), np.array([0, 1, 0, 1], dtype=np.int32)
    X = Compressed((2, 2), pointers[:-1], pointers[1:], indices, np.arange(4.0))
    with pytest.raises(KernelError, match="fewer than no ends"):
        take_ends(X, (-1, 2), np.zeros((1, 2)).T)
    with pytest.raises(KernelError, match="no values"):
        take_ends(dataclasses.replace(X, data=None), (0, 1), np.zeros((1, 2)).T)
    with pytest.raises(KernelError, match="shorter"):
        take_ends(X, (0, 3), np.zeros((3, 2)).T)
    place, out = np.array([0, 2], dtype=np.int32), np.zeros(4, dtype=np.int32)
    with pytest.raises(KernelError, match="fewer than no entries"):
        transpose(X, place, out, 0, None, 0, (-1, 0))


@given(
    plain=matrices(),
    form=st.sampled_from(["csr", "csc", "dense"]),
    real=st.sampled_from([np.float32, np.float64]),
    spread=st.sampled_from([1, 1000]),
    numeric=st.integers(0, 2),
    seed=st.integers(0, 10**6),
)
def test_selected_rows_are_a_design_of_their_copy(plain, form, real, spread, numeric, seed):
    """The same columns in the same order, and the same products bit for bit; `spread` makes X hypersparse."""
    rng = np.random.default_rng(seed)
    X = sp.csr_array(np.hstack([plain, rng.normal(size=(len(plain), numeric))]).astype(real))
    if spread > 1 and form != "dense":
        X = sp.csr_array((X.data, X.indices * spread, X.indptr), shape=(X.shape[0], X.shape[1] * spread))
    X = X.toarray() if form == "dense" else X.asformat(form)
    n = X.shape[0]
    rows = rng.integers(0, n, size=int(rng.integers(1, n + 3))) if rng.random() < 0.5 else np.arange(n) % 2 == 0
    whole, copied = as_design(X), as_design(X[rows])
    whole.matrix.rmatvec(np.ones(n))  # columns that were built make no difference
    selected = whole.select_rows(rows)
    assert (selected.n_ones, selected.n_sparse, selected.nnz) == (copied.n_ones, copied.n_sparse, copied.nnz)
    assert selected.dtype == copied.dtype
    np.testing.assert_array_equal(selected.columns, copied.columns)
    np.testing.assert_array_equal(dense_of(selected), dense_of(copied))
    v, s = rng.normal(size=copied.n_rows), rng.random(copied.n_rows)
    np.testing.assert_array_equal(selected.rmatvec(v), copied.rmatvec(v))
    for name, values in selected.column_stats(s)._asdict().items():
        np.testing.assert_array_equal(values, getattr(copied.column_stats(s), name))
    if form != "dense":
        np.testing.assert_array_equal(rows_of(selected), rows_of(copied))
        assert selected.max_row_length == copied.max_row_length
    if form == "csr" and spread == 1:
        assert np.shares_memory(selected.borrowed.indices, X.indices) or not X.nnz


@pytest.mark.parametrize("ones", [True, False])
def test_paths_on_selected_rows_are_those_on_their_copy(ones):
    rng = np.random.default_rng(0)
    X = beside_numbers(300, 0 if ones else 2, 0 if ones else 1)
    y = X @ rng.normal(size=X.shape[1]) + rng.normal(size=300)
    rows = np.sort(rng.permutation(300)[:220])
    for tol, alphas in ((1e-8, 20), (1e-8, [0.05])):
        found = regularization_path(as_design(X).select_rows(rows), y[rows], tol=tol, alphas=alphas)
        copied = regularization_path(X[rows], y[rows], tol=tol, alphas=alphas)
        np.testing.assert_array_equal(found.coefs.toarray(), copied.coefs.toarray())
        np.testing.assert_array_equal(found.dual_gaps, copied.dual_gaps)


@pytest.mark.parametrize("rows", [np.array([], dtype=np.int64), np.array([0, 60]), np.array([-1])])
def test_rows_outside_of_x_are_refused(rows):
    with pytest.raises(ValueError, match=r"rows selects \d+ rows; expected one at least, each of 0 to 59"):
        as_design(beside_numbers(60, 1, 1)).select_rows(rows)

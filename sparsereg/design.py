"""X as a checked, borrowed view by columns. Knows nothing of y, losses or penalties.

A `Design` keeps the *observed* columns only, those with at least one stored entry, with their original numbers beside
them, so that nothing of nominal width is needed. Columns whose stored entries are all 1 come first and lose their values.
The caller's arrays are read, never written, and not copied where the layout allows:

=================  =====================================================  ================================
input              columns                                                rows (only where a Gram wants them)
=================  =====================================================  ================================
CSC                borrowed                                               built once, 4 bytes an entry (+ values)
CSR                built once, when first asked for: 4 bytes an entry     borrowed
                   (+ values where not 1), but a column with a value in
                   every row as dense
dense, Fortran     borrowed                                               none
dense, C           copied to Fortran order                                none
=================  =====================================================  ================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg._core import Matrix, inspect, transpose
from sparsereg.threads import run, split, worthwhile

__all__ = ["Design", "as_design", "product"]

Int = NDArray[np.int64]

# With fewer stored entries than this many a column, per-column counters cost more than sorting the entries' numbers.
HYPERSPARSE = 0.25
# Parts a thread of a pass over all columns.
PIECES = 16


@dataclass(frozen=True)
class Compressed:
    """A CSR or CSC matrix as three arrays; `shape` is (major, minor). `data` None means all ones."""

    shape: tuple[int, int]
    indptr: NDArray[Any]
    indices: NDArray[Any]
    data: NDArray[Any] | None

    def as_columns(self) -> Matrix:
        """Majors as the columns of a `Matrix`; one storage kind for all."""
        n_ones = self.shape[0] if self.data is None else 0
        return Matrix(self.shape[1], self.indptr[:-1], self.indptr[1:], self.indices, n_ones, self.data)


class Layout(NamedTuple):
    """Observed columns in the order of their kinds: n_ones of ones, then others up to n_sparse, then dense ones.

    Sparse column j holds the entries [start[j], stop[j])."""

    columns: NDArray[Any]
    n_ones: int
    start: NDArray[Any]
    stop: NDArray[Any]

    @property
    def n_sparse(self) -> int:
        return int(self.start.size)


class Later:
    """A column view that is made when somebody asks for it; ridge on fields of ones never does."""

    def __init__(self, make: Callable[[], Matrix]) -> None:
        self._make: Callable[[], Matrix] | None = make
        self._made: Matrix | None = None

    def __call__(self) -> Matrix:
        if (make := self._make) is not None:
            self._made, self._make = make(), None  # lets go of what it was made from
        assert self._made is not None
        return self._made


@dataclass(frozen=True)
class Design:
    """X by its observed columns.

    Attributes
    ----------
    view : callable
        Gives the observed columns, all-ones columns first.
    n_rows : int
    layout : Layout
    n_features : int
        Nominal width of X.
    dtype : numpy.dtype
        float32 or float64, the type of X's values.
    n_threads : int
        Threads for a pass over all columns.
    by_rows, by_columns : Compressed or None
        The borrowed input; the rows of X are served from it.
    labels : int32 array of shape (n_cols,) or None
        Where each column stands in those rows; None: at its own number.
    dense : array of shape (n_rows, n_cols) or None
        A dense X, in Fortran order.
    """

    view: Callable[[], Matrix]
    n_rows: int
    layout: Layout
    n_features: int
    dtype: np.dtype[Any]
    n_threads: int = 1
    by_rows: Compressed | None = field(default=None, repr=False)
    by_columns: Compressed | None = field(default=None, repr=False)
    labels: NDArray[np.int32] | None = field(default=None, repr=False)
    dense: NDArray[Any] | None = field(default=None, repr=False)

    @property
    def matrix(self) -> Matrix:
        """The observed columns, all-ones columns first."""
        return self.view()

    @property
    def columns(self) -> NDArray[Any]:
        """Original number of each observed column: int32 where that holds them, else int64, of shape (n_cols,)."""
        return self.layout.columns

    @property
    def n_cols(self) -> int:
        """Number of observed columns."""
        return int(self.layout.columns.size)

    @property
    def n_ones(self) -> int:
        """Number of all-ones columns."""
        return self.layout.n_ones

    @cached_property
    def nnz(self) -> int:
        dense = (self.n_cols - self.layout.n_sparse) * self.n_rows
        return dense + int(self.layout.stop.sum(dtype=np.int64) - self.layout.start.sum(dtype=np.int64))

    def transposed(self, v: NDArray[np.float64], cols: Int | None = None) -> NDArray[np.float64]:
        """`X[:, cols]' v` in double; every observed column without `cols`."""
        n_threads = worthwhile(self.nnz, self.n_threads)
        if cols is not None or n_threads == 1:
            return np.asarray(self.matrix.rmatvec(v, cols))
        out = np.empty(self.n_cols)
        run(lambda a, b: self.matrix.rmatvec_into(out[a:b], v, a), self._pieces, n_threads)
        return out

    @cached_property
    def _pieces(self) -> list[tuple[int, int]]:
        """Parts of the columns, several a thread: an entry's time depends on where its row is, and other work may hold a core."""
        return split(np.concatenate([[0], np.cumsum(self.lengths() + 1)]), PIECES * self.n_threads)

    def lengths(self, cols: Int | None = None) -> Int:
        """Stored entries of these observed columns, or of all."""
        if cols is None:
            dense = np.full(self.n_cols - self.layout.n_sparse, self.n_rows, dtype=np.int64)
            return np.concatenate([self.layout.stop - self.layout.start, dense])
        lengths: Int = self.matrix.lengths(cols)
        return lengths

    @cached_property
    def rows(self) -> Matrix | None:
        """The rows of X as columns of a `Matrix`, numbered as `labels` says; None for a dense X."""
        if self.by_rows is None and self.by_columns is None:
            return None
        return (self.by_rows or _transposed(self.by_columns)).as_columns()  # type: ignore[arg-type]

    @cached_property
    def sparse_rows(self) -> Matrix | None:
        """The same for who wants only entries of the sparse columns: without values where those are all ones, and without
        those dense columns that come before, or after, all sparse ones in every row."""
        n_sparse, of = self.layout.n_sparse, self.by_rows
        if of is None or n_sparse == self.n_cols:
            return self.rows
        sparse, dense = self.columns[:n_sparse], self.columns[n_sparse:]
        first, last = (sparse.min(), sparse.max()) if n_sparse else (0, self.n_features)
        before, after = int(np.count_nonzero(dense < first)), int(np.count_nonzero(dense > last))
        start, stop = of.indptr[:-1] + before, of.indptr[1:] - after
        ones = self.n_ones == n_sparse
        return Matrix(of.shape[1], start, stop, of.indices, start.size if ones else 0, None if ones else of.data)

    @cached_property
    def longest_row(self) -> int:
        """Most stored entries of a row."""
        if self.rows is None:
            return self.n_cols
        if self.by_rows is not None:
            return int(np.diff(self.by_rows.indptr).max())
        return int(self.rows.lengths().max())


def as_design(X: Any, name: str = "X", n_threads: int = 1) -> Design:
    """Take a matrix in, checking it once.

    Parameters
    ----------
    X : scipy.sparse matrix or array, array-like of numbers, or data frame of numbers, of shape (n, p)
    name : str
        What errors call it.
    n_threads : int
        Threads for this and for later passes.

    Raises
    ------
    ValueError
        For anything but a finite, real, two-dimensional, non-empty matrix; the message says which and where.
    """
    if isinstance(X, Design):
        return X
    if not sp.issparse(X):
        return replace(_from_dense(_numbers(np.asarray(X), name), name), n_threads=n_threads)
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(f"{name} has shape {X.shape}; expected a matrix with at least one row and one column.")
    if X.format not in ("csr", "csc"):
        X = X.tocsr()
    dtype = _float_type(X.data.dtype, name)
    n, p = X.shape
    shape = (p, n) if X.format == "csc" else (n, p)
    stored = int(X.indptr[-1])  # the arrays may have room to spare
    matrix = Compressed(shape, X.indptr, X.indices[:stored], np.ascontiguousarray(X.data[:stored], dtype=dtype))
    if matrix.indices.dtype not in (np.int32, np.int64) or matrix.indices.dtype != matrix.indptr.dtype:
        wide = np.int64 if matrix.indptr.dtype.itemsize > 4 or matrix.indices.dtype.itemsize > 4 else np.int32
        matrix = Compressed(shape, matrix.indptr.astype(wide), matrix.indices.astype(wide), matrix.data)
    take = _from_columns if X.format == "csc" else _from_rows
    found = take(matrix, dtype, name, n_threads)
    if found is None:  # duplicates, or merely unsorted: put right on a copy
        X = X.copy()
        X.sum_duplicates()
        X.sort_indices()
        found = take(Compressed(shape, X.indptr, X.indices, X.data.astype(dtype)), dtype, name, n_threads)
        assert found is not None
    return replace(found, n_threads=n_threads)


def _float_type(dtype: np.dtype[Any], name: str) -> np.dtype[Any]:
    if dtype.kind not in "fiub":
        raise ValueError(
            f"{name} has dtype {dtype}; expected real numbers. Encode categories first, e.g. with FeatureCross."
        )
    return np.dtype(np.float32) if dtype == np.float32 else np.dtype(np.float64)


def _numbers(X: NDArray[Any], name: str) -> NDArray[Any]:
    if X.ndim != 2:
        remedy = f" Reshape it with {name}.reshape(-1, 1) if it is one feature." if X.ndim == 1 else ""
        raise ValueError(f"{name} has {X.ndim} dimension(s); expected 2.{remedy}")
    if X.size == 0:
        raise ValueError(f"{name} has shape {X.shape}; expected at least one row and one column.")
    if X.dtype == object:
        try:
            X = X.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} holds something that is not a number: {error}.") from error
    return X.astype(_float_type(X.dtype, name), copy=False)


def _from_dense(X: NDArray[Any], name: str) -> Design:
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(np.add.reduce(X, axis=None, dtype=np.float64)) or np.isfinite(X).all()
    if not finite:
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(f"{name} contains {_word(X[row, column])} at row {row}, column {column}; impute or drop it.")
    n = X.shape[0]
    borrowable = X.strides[0] == X.itemsize and X.strides[1] >= n * X.itemsize and X.flags.aligned
    dense = X if borrowable else np.asfortranarray(X)
    return dense_design(dense, X.dtype)


def dense_design(X: NDArray[Any], dtype: np.dtype[Any]) -> Design:
    """A checked dense X in Fortran order; `dtype` is what coefficients are given back in."""
    none, (n, p) = np.zeros(0, dtype=np.int32), X.shape
    matrix = Matrix(n, none, none, none, 0, None, 0, X)
    return Design(lambda: matrix, n, Layout(np.arange(p), 0, none, none), p, dtype, dense=X)


def _from_columns(X: Compressed, dtype: np.dtype[Any], name: str, n_threads: int) -> Design | None:
    valued = np.zeros(X.shape[0], dtype=np.uint8)
    parts = split(X.indptr, worthwhile(X.indices.size, n_threads))
    if _inspected(X, name, parts, by_rows=False, major_valued=[valued[a:b] for a, b in parts]):
        return None
    columns, n_ones, _ = _by_kind(np.diff(X.indptr), valued, X.shape[1] + 1)  # borrowed as they are, none as dense
    data = None if n_ones == columns.size else X.data
    layout = Layout(columns, n_ones, X.indptr[:-1][columns], X.indptr[1:][columns])
    matrix = Matrix(X.shape[1], layout.start, layout.stop, X.indices, n_ones, data)
    borrowed = Compressed(X.shape, X.indptr, X.indices, data)
    labels = _labels(columns, X.shape[0])
    return Design(lambda: matrix, X.shape[1], layout, X.shape[0], dtype, by_columns=borrowed, labels=labels)


def _from_rows(X: Compressed, dtype: np.dtype[Any], name: str, n_threads: int) -> Design | None:
    n, p = X.shape
    if not X.indices.size:
        nothing = X.indices[:0]
        matrix, layout = Matrix(n, nothing, nothing, nothing, 0), Layout(nothing, 0, nothing, nothing)
        rows, labels = Compressed(X.shape, X.indptr, nothing, None), nothing.astype(np.int32)
        return Design(lambda: matrix, n, layout, p, dtype, by_rows=rows, labels=labels)
    if X.indices.size < HYPERSPARSE * p:
        return _from_hypersparse_rows(X, dtype, name, n_threads)
    parts = split(X.indptr, worthwhile(X.indices.size, n_threads))
    counts, valued = np.zeros((len(parts), p), dtype=np.int64), np.zeros((len(parts), p), dtype=np.uint8)
    if _inspected(X, name, parts, by_rows=True, count=counts, valued=valued):
        return None
    count = counts.sum(axis=0) if len(parts) > 1 else counts[0]
    columns, n_ones, n_sparse = _by_kind(count, np.maximum.reduce(valued), n)
    pointers = np.zeros(columns.size + 1, dtype=X.indptr.dtype)
    np.cumsum(count[columns], out=pointers[1:])
    layout = Layout(columns, n_ones, pointers[:n_sparse], pointers[1 : n_sparse + 1])
    borrowed = Compressed(X.shape, X.indptr, X.indices, X.data if n_ones < columns.size else None)
    view = Later(partial(_columns_of_rows, borrowed, layout, pointers, parts, counts[:-1].copy()))
    return Design(view, n, layout, p, dtype, by_rows=borrowed, labels=_labels(columns, p))


def _columns_of_rows(
    X: Compressed, layout: Layout, start: NDArray[Any], parts: list[tuple[int, int]], counts: NDArray[np.int64]
) -> Matrix:
    """The column view of X, where column j begins at start[j]; `counts`: entries by column of each part of the rows but the last."""
    (n, p), dtype = X.shape, None if X.data is None else X.data.dtype
    before = np.zeros(p, dtype=np.int64)  # where each part writes the next entry of a column
    before[layout.columns] = start[:-1]
    places = []
    for here in counts:
        places.append(before.copy())
        before += here
    places.append(before)
    n_ones, n_sparse = layout.n_ones, layout.n_sparse
    shift, stop = int(start[n_ones]), int(start[n_sparse])
    indices = np.empty(stop, dtype=X.indices.dtype)
    values = np.empty(start[-1] - shift, dtype=dtype) if shift < start[-1] else None

    def write(a: int, b: int, place: Int) -> None:
        transpose((b - a, p), X.indptr[a : b + 1], X.indices, X.data, place, indices, shift, values, a)

    run(write, [(*part, place) for part, place in zip(parts, places, strict=True)], len(parts))
    data = None if values is None else values[: stop - shift]
    dense = None if values is None else values[stop - shift :].reshape(-1, n).T
    return Matrix(n, layout.start, layout.stop, indices, n_ones, data, shift, dense)


def _from_hypersparse_rows(X: Compressed, dtype: np.dtype[Any], name: str, n_threads: int) -> Design | None:
    """Number the observed columns among themselves first: memory by what was observed."""
    if _inspected(X, name, split(X.indptr, worthwhile(X.indices.size, n_threads)), by_rows=True):
        return None
    observed, compact = np.unique(X.indices, return_inverse=True)
    narrow = Compressed((X.shape[0], observed.size), X.indptr, compact.astype(X.indices.dtype), X.data)
    found = _from_rows(narrow, dtype, name, n_threads)
    assert found is not None
    layout = found.layout._replace(columns=observed.astype(np.int64)[found.columns])
    return replace(found, n_features=X.shape[1], layout=layout)


def _inspected(X: Compressed, name: str, parts: list[tuple[int, int]], *, by_rows: bool, **wanted: Any) -> bool:
    """Check pointers, indices and values; True when indices do not strictly increase, so that entries may repeat.

    `wanted` has an array for each part."""

    def look(a: int, b: int, number: int) -> tuple[str, int, int]:
        own = {key: arrays[number] for key, arrays in wanted.items()}
        return inspect((b - a, X.shape[1]), X.indptr[a : b + 1], X.indices, X.data, **own)

    found = run(look, [(*part, number) for number, part in enumerate(parts)], len(parts))
    fault, where = next(((fault, where) for fault, where, _ in found if fault), ("", -1))
    if not fault:
        return any(disordered for _, _, disordered in found)
    major = int(np.searchsorted(X.indptr, where, side="right")) - 1
    row, column = (major, X.indices[where]) if by_rows else (X.indices[where], major)
    if fault == "index":
        raise ValueError(f"{name} has an index outside its shape: entry {where} stands at row {row}, column {column}.")
    assert X.data is not None
    raise ValueError(f"{name} contains {_word(X.data[where])} at row {row}, column {column}; impute or drop it.")


def _word(value: float) -> str:
    return "NaN" if np.isnan(value) else f"infinity ({value})"


def _by_kind(count: Int, valued: NDArray[Any], n: int) -> tuple[NDArray[Any], int, int]:
    """Observed columns in the order of their kinds, the longest of each first: those of ones, those with values, those with a value in each of
    the n rows, which are dense; and where the second and the third kind begin.

    So screening, which looks at columns in blocks, finds light ones together. Lengths count up to 65,535: NumPy sorts
    16-bit numbers by their digits, in linear time."""
    rank = (65535 - np.minimum(count, 65535)).astype(np.uint16)
    order = _narrow(np.argsort(rank, kind="stable")[: np.count_nonzero(count)])
    with_values = valued[order] != 0
    if not with_values.any():
        return order, order.size, order.size
    full = with_values & (count[order] == n)
    ones, sparse = order[~with_values], order[with_values & ~full]
    return np.concatenate([ones, sparse, order[full]]), ones.size, ones.size + sparse.size


def _narrow(columns: Int) -> NDArray[Any]:
    return columns.astype(np.int32 if columns.max(initial=0) < 2**31 else np.int64)


def _labels(columns: NDArray[Any], p: int) -> NDArray[np.int32] | None:
    """Where each observed column stands in the borrowed rows; None when it is the same place."""
    if columns.size == p and bool((columns == np.arange(p)).all()):
        return None
    return columns.astype(np.int32, copy=False)


def _transposed(X: Compressed) -> Compressed:
    """The rows of a borrowed CSC matrix."""
    majors, minors = X.shape
    count = np.bincount(X.indices, minlength=minors)
    start = np.concatenate([[0], np.cumsum(count)])
    indices = np.empty(start[-1], dtype=X.indices.dtype)
    data = None if X.data is None else np.empty(start[-1], dtype=X.data.dtype)
    transpose(X.shape, X.indptr, X.indices, X.data, start[:-1].copy(), indices, 0, data)
    return Compressed((minors, majors), start.astype(X.indptr.dtype), indices, data)


def product(X: Any, columns: Int, values: NDArray[Any]) -> NDArray[Any]:
    """`X[:, columns] @ values` without anything of nominal width.

    Parameters
    ----------
    X : sparse or dense matrix of shape (n, p)
    columns : int64 array of shape (m,), increasing
    values : array of shape (m,) or (m, k)

    Returns
    -------
    array of shape (n,) or (n, k)
    """
    if not sp.issparse(X):
        return np.asarray(X[:, columns] @ values)
    if X.format == "csc":
        return np.asarray(X[:, columns] @ values)
    X = X.tocsr()
    place = np.searchsorted(columns, X.indices)
    place[place == columns.size] = 0
    hit = columns[place] == X.indices if columns.size else np.zeros(X.indices.size, dtype=bool)
    place[~hit] = columns.size
    narrow = sp.csr_array((X.data, place, X.indptr), shape=(X.shape[0], columns.size + 1))
    return np.asarray(narrow @ np.concatenate([values, np.zeros((1, *values.shape[1:]), dtype=values.dtype)]))

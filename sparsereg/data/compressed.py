"""CSR and CSC matrices as borrowed arrays: checked, counted, transposed, selected. Knows no designs and no targets.

*Majors* are the rows of a CSR and the columns of a CSC, *minors* the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg._core.kernels import Matrix, inspect, take_ends, transpose
from sparsereg.data.sparse_format import index_outside
from sparsereg.data.threads import run, split, worthwhile
from sparsereg.data.validation import not_finite

__all__ = [
    "Compressed",
    "Counted",
    "EndColumns",
    "Unsorted",
    "column_order",
    "dense_matrix",
    "index_in_rows_of",
    "inspected",
    "product",
    "row_numbers",
]

Int = NDArray[np.int64]

# Lengths up to here order the columns of one kind: NumPy sorts 16-bit numbers in linear time.
MAX_SORTED_LENGTH = 65535


class Unsorted(Exception):
    """The indices of some major do not strictly increase, so that entries may repeat. Never leaves this package."""


@dataclass(frozen=True)
class Compressed:
    """Some majors of a CSR or CSC matrix, on its arrays: any selection of a CSR's rows is one, and copies no entries.

    Attributes
    ----------
    shape : (int, int)
        Numbers of majors and minors.
    start, stop : arrays of shape (shape[0],), in the type of `indices`
        Major i has the entries `start[i]` to `stop[i]`.
    indices, data : arrays
        Minor and value of each entry; `data` None means all ones.
    """

    shape: tuple[int, int]
    start: NDArray[Any]
    stop: NDArray[Any]
    indices: NDArray[Any]
    data: NDArray[Any] | None

    @classmethod
    def of(cls, X: Any, dtype: np.dtype[Any]) -> Compressed:
        """A scipy CSR or CSC, on its arrays if they are contiguous and of one index type; `dtype`: of values."""
        indptr, nnz = np.ascontiguousarray(X.indptr), int(X.indptr[-1])  # the arrays may have entries after these
        indices, data = (np.ascontiguousarray(array[:nnz]) for array in (X.indices, X.data))
        if indices.dtype not in (np.int32, np.int64) or indices.dtype != indptr.dtype:
            wide = np.int64 if indptr.dtype.itemsize > 4 or indices.dtype.itemsize > 4 else np.int32
            indptr, indices = indptr.astype(wide), indices.astype(wide)
        shape = X.shape if X.format == "csr" else X.shape[::-1]
        return cls(shape, indptr[:-1], indptr[1:], indices, data.astype(dtype, copy=False))

    def triple(self, dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """`(data, indices, indptr)`, as scipy takes them; copied if majors do not follow one another."""
        ends = np.cumsum(self.stop - self.start, dtype=np.int64)
        entries: Any = slice(int(self.start[0]), int(self.stop[-1]))
        if (self.start[1:] != self.stop[:-1]).any():
            entries = np.repeat(self.stop - ends, self.stop - self.start) + np.arange(self.nnz)
        data = np.ones(self.nnz, dtype=dtype) if self.data is None else self.data[entries]
        return data, self.indices[entries], np.concatenate([[0], ends]).astype(self.indices.dtype)

    @cached_property
    def nnz(self) -> int:
        """Entries of these majors."""
        pointers = self.start.__array_interface__, self.stop.__array_interface__
        if pointers[1]["data"][0] - pointers[0]["data"][0] == self.start.itemsize and self.start.flags.c_contiguous:
            return int(self.stop[-1]) - int(self.start[0]) if self.start.size else 0  # of one array, as they come
        return int((self.stop - self.start).sum(dtype=np.int64))

    def split(self, n_threads: int) -> list[tuple[int, int]]:
        """Majors in consecutive parts (begin, end) of about equally many entries, as many as `n_threads` are worth."""
        n = worthwhile(self.nnz, n_threads)
        if n == 1:
            return [(0, self.shape[0])]
        return split(np.concatenate([[0], np.cumsum(self.stop - self.start, dtype=np.int64)]), n)

    def part(self, begin: int, end: int) -> Compressed:
        """Majors from `begin` to `end`."""
        return replace(self, shape=(end - begin, self.shape[1]), start=self.start[begin:end], stop=self.stop[begin:end])

    def select(self, majors: Int) -> Compressed:
        """The listed majors, in that order; entries stay where they are.  O(majors)"""
        return replace(self, shape=(majors.size, self.shape[1]), start=self.start[majors], stop=self.stop[majors])

    def observed_minors(self) -> tuple[Compressed, Int]:
        """A copy that numbers the minors with an entry anew, and their old numbers.  O(nnz log nnz)"""
        data, indices, indptr = self.triple(np.dtype(np.float32))
        observed, compact = np.unique(indices, return_inverse=True)
        shape, compact = (self.shape[0], observed.size), compact.astype(indices.dtype)
        values = None if self.data is None else data
        return Compressed(shape, indptr[:-1], indptr[1:], compact, values), observed.astype(np.int64)

    def as_columns(self) -> Matrix:
        """Majors as the columns of a `Matrix`; one storage kind for all."""
        n_ones = self.shape[0] if self.data is None else 0
        return Matrix(self.shape[1], self.start, self.stop, self.indices, n_ones, self.data)

    def transposed(self) -> Compressed:
        """The same with minors as majors, on new arrays."""
        count = np.zeros(self.shape[1], dtype=self.indices.dtype)
        inspect(replace(self, data=None), count)
        bounds = np.zeros(count.size + 1, dtype=count.dtype)
        np.cumsum(count, out=bounds[1:])
        indices = np.empty(self.nnz, dtype=self.indices.dtype)
        data = None if self.data is None else np.empty(self.nnz, dtype=self.data.dtype)
        transpose(self, bounds[:-1].copy(), indices, 0, data)
        return Compressed(self.shape[::-1], bounds[:-1], bounds[1:], indices, data)


@dataclass(frozen=True)
class Counted:
    """The observed columns of a CSR matrix, counted but not built.

    Attributes
    ----------
    rows : Compressed
        The matrix; without values where all observed columns are of ones.
    columns : int32 or int64 array of shape (n_cols,)
        Their numbers in `rows`, in `column_order`. Other columns of `rows` are skipped.
    bounds : array of shape (n_cols + 1,), in the indices' type
        Where each begins when their entries stand one after the other.
    n_ones, n_sparse : int
        Where the columns with values begin, and where the dense ones do.
    dense_ends : (int, int)
        Dense columns that come before, and after, all sparse ones in every row. There may be more in between.
    end_columns : EndColumns or None
        All dense columns, where they are those.
    longest_skipped : int
        The most entries of a column of `rows` that is skipped.
    """

    rows: Compressed
    columns: NDArray[Any]
    bounds: NDArray[Any]
    n_ones: int
    n_sparse: int
    dense_ends: tuple[int, int] = (0, 0)
    end_columns: EndColumns | None = None
    longest_skipped: int = 0

    @classmethod
    def of(cls, X: Compressed, name: str, n_threads: int) -> Counted:
        """Check a CSR matrix and count its columns, in one pass; raises as `inspected` does."""
        n, p = X.shape
        parts = X.split(n_threads)
        counts, valued = (np.zeros((len(parts), p), dtype=kind) for kind in (X.indices.dtype, np.uint8))
        inspected(X, name, parts, by_rows=True, count=counts, valued=valued)
        count = counts.sum(axis=0, dtype=counts.dtype) if len(parts) > 1 else counts[0]
        columns, n_ones, n_sparse = column_order(count, np.maximum.reduce(valued), n)
        bounds = _bounds(count[columns])
        sparse, dense, ends = columns[:n_sparse], columns[n_sparse:], (0, 0)
        if dense.size and sparse.size:
            ends = int(np.count_nonzero(dense < sparse.min())), int(np.count_nonzero(dense > sparse.max()))
        end_columns = EndColumns(X, ends, n_threads) if 0 < dense.size == sum(ends) else None
        rows = replace(X, data=None) if n_ones == columns.size else X
        return cls(rows, columns, bounds, n_ones, n_sparse, ends, end_columns)

    @classmethod
    def of_ones(cls, X: Compressed, count: NDArray[Any], columns: NDArray[Any] | None = None) -> Counted:
        """Checked rows of ones with so many entries in each of their columns; `columns`: which to count, in that order.
        O(columns)"""
        if columns is None:
            columns, _, _ = column_order(count, np.zeros(count.size, dtype=np.uint8), X.shape[0])
        skipped = count.copy()
        skipped[columns] = 0
        sizes = columns.size, columns.size
        return cls(replace(X, data=None), columns, _bounds(count[columns]), *sizes, longest_skipped=int(skipped.max()))

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.shape[0], self.columns.size

    @property
    def nnz(self) -> int:
        return int(self.bounds[-1])

    def by_number(self) -> NDArray[Any]:
        """The entries of every column of `rows`."""
        out = np.zeros(self.rows.shape[1], dtype=self.bounds.dtype)
        out[self.columns] = np.diff(self.bounds)
        return out

    def lengths(self, cols: Int | None = None) -> Int:
        """Stored entries of the listed columns, or of all."""
        lengths = np.diff(self.bounds) if cols is None else self.bounds[cols + 1] - self.bounds[cols]
        return lengths.astype(np.int64, copy=False)

    def without(self, left_out: Int) -> Counted:
        """Less these columns of ones; on arrays of its own."""
        kept = np.delete(np.arange(self.columns.size), left_out)
        bounds = _bounds(self.bounds[kept + 1] - self.bounds[kept])
        n_ones, n_sparse = self.n_ones - left_out.size, self.n_sparse - left_out.size
        longest = max(self.longest_skipped, int(self.lengths(left_out).max(initial=0)))
        parts = self.columns[kept], bounds, n_ones, n_sparse
        return Counted(self.rows, *parts, self.dense_ends, self.end_columns, longest)

    def sparse_rows(self) -> Matrix:
        """The rows for readers of sparse columns: without values if those are of ones, and without `dense_ends`."""
        X, ones = self.rows, self.n_ones == self.n_sparse
        n_ones, data = (X.shape[0], None) if ones else (0, X.data)
        return Matrix(X.shape[1], X.start, X.stop, X.indices, n_ones, data, skipped=self.dense_ends)

    def build(self, n_threads: int) -> Matrix:
        """The columns, on new arrays: 4 or 8 bytes an entry, and the values where they are not 1."""
        return self.build_in_parts(n_threads, [])[0]

    def build_in_parts(self, n_threads: int, ends: Sequence[int]) -> tuple[Matrix, NDArray[Any]]:
        """The same, and up to where each column holds entries of consecutive parts of the rows, which end at `ends`:
        of shape (len(ends), n_cols), in the indices' type."""
        X, bounds = self.rows, self.bounds
        shift, stop = int(bounds[self.n_ones]), int(bounds[self.n_sparse])
        dense = None if self.end_columns is None else self.end_columns.values
        end, around = (self.nnz, (0, 0)) if dense is None else (stop, self.dense_ends)
        indices = np.empty(stop + self.longest_skipped, dtype=X.indices.dtype)
        values = None if X.data is None or shift == end else np.empty(end - shift, dtype=X.data.dtype)
        written = indices if values is None else indices[:stop]
        reached = np.tile(bounds[:-1], (len(ends), 1))

        def write(a: int, b: int, place: NDArray[Any]) -> None:
            within = [(to, k) for k, to in enumerate(ends) if a < to <= b]
            for to, k in [*within, (b, None)]:
                transpose(X.part(a, to), place, written, shift, values, a, around)
                a = to
                if k is not None:
                    reached[k] = place[self.columns]

        pieces = X.split(n_threads)
        places = self._places(pieces, end)
        run(write, [(*piece, place) for piece, place in zip(pieces, places, strict=True)], len(pieces))
        data = None if values is None else values[: stop - shift]
        if dense is None and values is not None:
            dense = values[stop - shift :].reshape(-1, X.shape[0]).T
        sparse = bounds[: self.n_sparse + 1]
        return Matrix(X.shape[0], sparse[:-1], sparse[1:], indices, self.n_ones, data, shift, dense), reached

    def _places(self, parts: list[tuple[int, int]], end: int) -> list[NDArray[Any]]:
        """For each part of the rows, where it writes the next entry of each column of `rows`; of those that are
        skipped, from `end` on."""
        X = self.rows
        places = [np.zeros(X.shape[1], dtype=self.bounds.dtype) for _ in parts]
        places[0].fill(end)
        places[0][self.columns] = self.bounds[:-1]

        def count(a: int, b: int, place: NDArray[Any]) -> None:
            inspect(replace(X.part(a, b), data=None), place)

        run(count, [(*part, place) for part, place in zip(parts, places[1:], strict=False)], len(parts))
        for before, place in pairwise(places):
            place += before
        return places


@dataclass(frozen=True)
class EndColumns:
    """The first `ends[0]` and the last `ends[1]` entries of every row of a matrix with values, as dense columns."""

    rows: Compressed
    ends: tuple[int, int]
    n_threads: int

    @cached_property
    def values(self) -> NDArray[Any]:
        """Of shape (n, sum(ends)) in Fortran order, copied on first use: many callers never read a dense column."""
        X = self.rows
        assert X.data is not None
        out = np.empty((sum(self.ends), X.shape[0]), dtype=X.data.dtype).T
        parts = X.split(self.n_threads)
        run(lambda a, b: take_ends(X.part(a, b), self.ends, out[a:b]), parts, len(parts))
        return out


def _bounds(lengths: NDArray[Any]) -> NDArray[Any]:
    """Where columns of these lengths begin when they stand one after the other, in the lengths' type."""
    bounds = np.zeros(lengths.size + 1, dtype=lengths.dtype)
    np.cumsum(lengths, out=bounds[1:])
    return bounds


def column_order(count: Int, valued: NDArray[Any], n: int) -> tuple[NDArray[Any], int, int]:
    """Observed columns in the order of their kinds: all ones, values, a value in each of the n rows (dense).

    Within a kind the longest come first, so that blocks of columns in screening are of like lengths.

    Returns
    -------
    columns : int32 or int64 array
        Numbers of the columns with an entry.
    n_ones, n_sparse : int
        Where the second and the third kind begin.
    """
    several, single = np.flatnonzero(count > 1), np.flatnonzero(count == 1)  # most are single, and need no sorting
    rank = (MAX_SORTED_LENGTH - np.minimum(count[several], MAX_SORTED_LENGTH)).astype(np.uint16)
    in_order = several[np.argsort(rank, kind="stable")], single
    order = np.concatenate(in_order, dtype=np.int32 if count.size <= 2**31 else np.int64, casting="unsafe")
    at = np.flatnonzero(valued[order])
    if not at.size:
        return order, order.size, order.size
    full = count[order[at]] == n
    ones, sparse = np.delete(order, at), order[at[~full]]
    return np.concatenate([ones, sparse, order[at[full]]]), ones.size, ones.size + sparse.size


def inspected(X: Compressed, name: str, parts: list[tuple[int, int]], *, by_rows: bool, **wanted: Any) -> None:
    """Check indices and values, and fill the arrays that `inspect` fills: `wanted` has one for each part.

    Raises
    ------
    ValueError
        For an index outside the shape, NaN or infinity; the message calls the matrix `name` and says where.
    Unsorted
    """

    def look(a: int, b: int, number: int) -> tuple[str, int, int]:
        return inspect(X.part(a, b), **{key: arrays[number] for key, arrays in wanted.items()})

    found = run(look, [(*part, number) for number, part in enumerate(parts)], len(parts))
    fault, where = next(((fault, where) for fault, where, _ in found if fault), ("", -1))
    if fault:
        major = int(np.flatnonzero((X.start <= where) & (where < X.stop))[0])
        row, column = (major, X.indices[where]) if by_rows else (X.indices[where], major)
        if fault == "index":
            raise index_outside(name, where, row, column, X.shape if by_rows else X.shape[::-1])
        assert X.data is not None
        raise not_finite(name, X.data[where], row, column)
    if any(disordered for _, _, disordered in found):
        raise Unsorted


def row_numbers(rows: Int | NDArray[np.bool_], n_rows: int) -> Int:
    """Rows by number, from numbers or a mask of `n_rows`."""
    numbers = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows, dtype=np.int64)
    if not numbers.size or numbers.min() < 0 or numbers.max() >= n_rows:
        raise ValueError(f"rows selects {numbers.size} rows; expected one at least, each of 0 to {n_rows - 1}.")
    return numbers


def dense_matrix(X: NDArray[Any]) -> Matrix:
    """Columns in Fortran order."""
    none = np.zeros(0, dtype=np.int32)
    return Matrix(X.shape[0], none, none, none, 0, None, 0, X)


def index_in_rows_of(columns: NDArray[Any], p: int) -> NDArray[np.int32] | None:
    """`columns` of p as the rows number them, None if they are all in order."""
    if columns.size == p and bool((columns == np.arange(p)).all()):
        return None
    return columns.astype(np.int32, copy=False)


def product(X: Any, columns: Int, values: NDArray[Any]) -> NDArray[Any]:
    """`X[:, columns] @ values`, without an array of the width of X.

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

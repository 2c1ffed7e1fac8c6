"""X as a checked, borrowed view by columns. Knows nothing of y, losses or penalties.

A `Design` keeps the *observed* columns only, those with at least one stored entry, with their original numbers beside
them, so that nothing of nominal width is needed. Columns whose stored entries are all 1 come first and lose their values.
The caller's arrays are read, never written, and not copied where the layout allows:

=================  =====================================================  ================================
input              columns                                                rows (only where a Gram wants them)
=================  =====================================================  ================================
CSC                borrowed                                               built once, 4 bytes an entry (+ values)
CSR                built when first wanted, 4 bytes an entry (+ values    borrowed
                   where not 1), but a column with a value in every
                   row as dense
dense, Fortran     borrowed                                               none
dense, C           copied to Fortran order                                none
=================  =====================================================  ================================
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg._core.kernels import Matrix
from sparsereg.data.compressed import Compressed, Counted, Ends, inspected, word
from sparsereg.data.threads import run, split, worthwhile

__all__ = ["Design", "as_design"]

Int = NDArray[np.int64]

# With fewer stored entries than this many a column, per-column counters cost more than sorting the entries' numbers.
HYPERSPARSE = 0.25
# Parts a thread of a pass over all columns.
PIECES = 16
# Columns of ones stand in the order of their lengths up to here.
SORTED = 65535


@dataclass(frozen=True)
class Design:
    """X by its observed columns.

    Attributes
    ----------
    storage : Matrix or Counted
        The observed columns, all-ones columns first; those of a CSR are only counted.
    n_features : int
        Nominal width of X.
    columns : int32 or int64 array of shape (n_cols,)
        Original number of each observed column; int32 where that holds them.
    dtype : numpy.dtype
        float32 or float64, the type of X's values.
    n_threads : int
        Threads for a pass over all columns.
    by_rows, by_columns : Compressed or None
        The borrowed input; the rows of X are served from it.
    index_in_rows : int32 array of shape (n_cols,) or None
        Where each column stands in those rows; None: at its own number.
    dense : array of shape (n_rows, n_cols) or None
        A dense X, in Fortran order.
    eliminated_length : int
        Stored entries of the longest column of ones that was left out; 0 where none was.
    """

    storage: Matrix | Counted
    n_features: int
    columns: Int
    dtype: np.dtype[Any]
    n_threads: int = 1
    by_rows: Compressed | None = field(default=None, repr=False)
    by_columns: Compressed | None = field(default=None, repr=False)
    index_in_rows: NDArray[np.int32] | None = field(default=None, repr=False)
    dense: NDArray[Any] | None = field(default=None, repr=False)
    eliminated_length: int = 0

    @property
    def n_rows(self) -> int:
        return int(self.storage.shape[0])

    @property
    def n_cols(self) -> int:
        """Number of observed columns."""
        return int(self.storage.shape[1])

    @property
    def nnz(self) -> int:
        return int(self.storage.nnz)

    @property
    def n_ones(self) -> int:
        """Number of columns that hold only ones; they come first."""
        return int(self.storage.n_ones)

    @cached_property
    def matrix(self) -> Matrix:
        """The observed columns; those of a CSR are written when this is first asked for."""
        return self.storage.write(self.n_threads) if isinstance(self.storage, Counted) else self.storage

    def rmatvec(self, v: NDArray[np.float64], cols: Int | None = None) -> NDArray[np.float64]:
        """`X[:, cols]' v` in double; every observed column without `cols`."""
        n_threads = worthwhile(self.nnz, self.n_threads)
        if cols is not None or n_threads == 1:
            return np.asarray(self.matrix.rmatvec(v, cols))
        out = np.empty(self.n_cols)
        run(lambda a, b: self.matrix.rmatvec_into(out[a:b], v, a), self._pieces, n_threads)
        return out

    def rmatvec_by_rows(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """`X' v` through the rows, which must be at hand, for every column as it is numbered there: `select_observed` has the observed ones."""
        apart = self.storage.dense if isinstance(self.storage, Counted) else None
        rows = self.rows if apart is None else self.sparse_rows
        assert rows is not None
        out = np.zeros(rows.shape[0])
        rows.add_matvec(v, out)
        if apart is not None:
            out[self.storage.columns[self.storage.n_sparse :]] = dense_design(apart, self.dtype).matrix.rmatvec(v)
        return out

    def select_observed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the rows number as they do, by observed columns."""
        return values if self.index_in_rows is None else values[self.index_in_rows]

    @cached_property
    def _pieces(self) -> list[tuple[int, int]]:
        """Parts of the columns, several a thread: an entry's time depends on where its row is, and other work may hold a core."""
        return split(np.concatenate([[0], np.cumsum(self.storage.lengths() + 1)]), PIECES * self.n_threads)

    def lengths(self, cols: Int | None = None) -> Int:
        """Stored entries of these observed columns, or of all."""
        lengths: Int = self.storage.lengths(cols)
        return lengths

    def column_stats(
        self, s: NDArray[np.float64] | None, cols: Int | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """`x_j' s`, `x_j' (s x_j)`, `|x_j|' s` and `max |x_j|` of the listed columns, or of all, in arrays not to be written to."""
        if s is not None or self.n_ones < self.n_cols:
            sums, squares, sizes, peaks = self.matrix.column_stats(s, cols)
            return sums, squares, sizes, peaks
        lengths = self.storage.lengths(cols).astype(np.float64)  # of ones without weights no more need be known
        return lengths, lengths, lengths, np.ones(lengths.size)

    @cached_property
    def rows(self) -> Matrix | None:
        """The rows of X as columns of a `Matrix`, numbered as `index_in_rows` says; None for a dense X."""
        if self.by_rows is None and self.by_columns is None:
            return None
        return (self.by_rows or self.by_columns.transposed()).as_columns()  # type: ignore[union-attr]

    @cached_property
    def sparse_rows(self) -> Matrix | None:
        """The same for who wants only entries of the sparse columns: without values where those are all ones, and without
        those dense columns that come before, or after, all sparse ones in every row."""
        storage = self.storage
        if not isinstance(storage, Counted) or storage.n_sparse == self.n_cols:
            return self.rows
        of, ones = storage.rows, storage.n_ones == storage.n_sparse
        start, stop, data = of.indptr[:-1], of.indptr[1:], None if ones else of.data
        return Matrix(
            of.shape[1], start, stop, of.indices, start.size if ones else 0, data, passed_over=storage.dense_ends
        )

    @property
    def _unwritten(self) -> bool:
        """Whether columns were only counted until now."""
        return isinstance(self.storage, Counted) and "matrix" not in self.__dict__

    def column(self, col: int) -> NDArray[np.float64]:
        """An observed column with its zeros; through the rows where columns were not written yet."""
        if self._unwritten and self.rows is not None:
            at = np.zeros(self.rows.shape[0])
            at[col if self.index_in_rows is None else self.index_in_rows[col]] = 1.0
            return np.asarray(self.rows.rmatvec(at))
        x = np.zeros(self.n_rows)
        self.matrix.add_matvec(np.ones(1), x, np.array([col]))
        return x

    @property
    def can_eliminate(self) -> bool:
        """Whether this is a CSR whose columns were not written yet, and narrow enough for a number for each to be nothing beside them."""
        return self._unwritten and self.by_rows is not None and self.by_rows.shape[1] == self.n_features <= self.nnz

    def count_long(self, length: float) -> tuple[int, int]:
        """How many columns of ones of a CSR have at least `length` entries, those being the first, and how many the next one has."""
        assert isinstance(self.storage, Counted)
        lengths = np.diff(self.storage.start[: self.n_ones + 1])
        n_heavy = int(np.count_nonzero(lengths >= min(length, SORTED)))
        return n_heavy, int(lengths[n_heavy]) if n_heavy < lengths.size else 0

    def eliminate_short(self, length: float) -> Design:
        """Less the columns of ones of fewer than `length` entries, but for one; of a whole design, if it `can_eliminate`.

        What is left keeps nothing of theirs: memory by the columns that matter."""
        storage = self.storage
        assert isinstance(storage, Counted)
        heavy = max(1, self.count_long(length)[0])
        if heavy >= self.n_ones:
            return self
        kept = storage.without(heavy, self.n_ones)
        return replace(
            self,
            storage=kept,
            columns=kept.columns,
            index_in_rows=_index_in_rows(kept.columns, self.n_features),
            eliminated_length=int(storage.lengths(np.array([heavy]))[0]),
        )

    def restore_eliminated(self) -> Design:
        """With the columns that were left out."""
        assert self.by_rows is not None
        found = _from_rows(self.by_rows, self.dtype, "X", self.n_threads)
        assert found is not None
        return replace(found, n_threads=self.n_threads)

    @cached_property
    def max_row_length(self) -> int:
        """Most stored entries of a row."""
        return self.n_cols if self.rows is None else int(self.rows.longest)


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
    first, last = max(int(X.indptr[0]), 0), int(X.indptr[-1])  # the arrays may have room to spare
    indptr = X.indptr - first if first else np.ascontiguousarray(X.indptr)
    indices, data = (np.ascontiguousarray(array[first:last]) for array in (X.indices, X.data))
    matrix = Compressed(shape, indptr, indices, data.astype(dtype, copy=False))
    if matrix.indices.dtype not in (np.int32, np.int64) or matrix.indices.dtype != matrix.indptr.dtype:
        wide = np.int64 if matrix.indptr.dtype.itemsize > 4 or matrix.indices.dtype.itemsize > 4 else np.int32
        matrix = Compressed(shape, matrix.indptr.astype(wide), matrix.indices.astype(wide), matrix.data)
    take = _from_columns if X.format == "csc" else _from_rows
    found = take(matrix, dtype, name, n_threads)
    if found is None:  # duplicates, or merely unsorted: put right on a copy
        compressed = sp.csc_array if X.format == "csc" else sp.csr_array
        X = compressed((data, indices, indptr), shape=X.shape, copy=True)
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
        raise ValueError(f"{name} contains {word(X[row, column])} at row {row}, column {column}; impute or drop it.")
    n = X.shape[0]
    borrowable = X.strides[0] == X.itemsize and X.strides[1] >= n * X.itemsize and X.flags.aligned
    dense = X if borrowable else np.asfortranarray(X)
    return dense_design(dense, X.dtype)


def dense_design(X: NDArray[Any], dtype: np.dtype[Any]) -> Design:
    """A checked dense X in Fortran order; `dtype` is what coefficients are given back in."""
    none, (n, p) = np.zeros(0, dtype=np.int32), X.shape
    return Design(Matrix(n, none, none, none, 0, None, 0, X), p, np.arange(p), dtype, dense=X)


def _from_columns(X: Compressed, dtype: np.dtype[Any], name: str, n_threads: int) -> Design | None:
    valued = np.zeros(X.shape[0], dtype=np.uint8)
    parts = split(X.indptr, worthwhile(X.indices.size, n_threads))
    if inspected(X, name, parts, by_rows=False, major_valued=[valued[a:b] for a, b in parts]):
        return None
    start = X.indptr
    columns, n_ones, _ = _by_kind(np.diff(start), valued, X.shape[1] + 1)  # borrowed as they are, none as dense
    data = None if n_ones == columns.size else X.data
    matrix = Matrix(X.shape[1], start[:-1][columns], start[1:][columns], X.indices, n_ones, data)
    borrowed = Compressed(X.shape, X.indptr, X.indices, data)
    return Design(
        matrix, X.shape[0], columns, dtype, by_columns=borrowed, index_in_rows=_index_in_rows(columns, X.shape[0])
    )


def _from_rows(X: Compressed, dtype: np.dtype[Any], name: str, n_threads: int) -> Design | None:
    n, p = X.shape
    if not X.indices.size:
        nothing = X.indices[:0]
        return Design(
            Matrix(n, nothing, nothing, nothing, 0),
            p,
            np.empty(0, dtype=np.int64),
            dtype,
            by_rows=Compressed(X.shape, X.indptr, nothing, None),
            index_in_rows=np.empty(0, dtype=np.int32),
        )
    if X.indices.size < HYPERSPARSE * p:
        return _from_hypersparse_rows(X, dtype, name, n_threads)
    parts = split(X.indptr, worthwhile(X.indices.size, n_threads))
    counts, valued = (np.zeros((len(parts), p), dtype=kind) for kind in (X.indices.dtype, np.uint8))
    if inspected(X, name, parts, by_rows=True, count=counts, valued=valued):
        return None
    count = counts.sum(axis=0, dtype=counts.dtype) if len(parts) > 1 else counts[0]
    columns, n_ones, n_sparse = _by_kind(count, np.maximum.reduce(valued), n)
    start = np.zeros(columns.size + 1, dtype=X.indices.dtype)
    np.cumsum(count[columns], out=start[1:])
    borrowed = Compressed(X.shape, X.indptr, X.indices, None if n_ones == columns.size else X.data)
    ends = _dense_ends(columns[:n_sparse], columns[n_sparse:])
    apart = Ends(X, ends, n_threads) if 0 < columns.size - n_sparse == sum(ends) else None
    counted = Counted(borrowed, columns, start, n_ones, n_sparse, ends, apart)
    return Design(counted, p, columns, dtype, by_rows=borrowed, index_in_rows=_index_in_rows(columns, p))


def _from_hypersparse_rows(X: Compressed, dtype: np.dtype[Any], name: str, n_threads: int) -> Design | None:
    """Number the observed columns among themselves first: memory by what was observed."""
    if inspected(X, name, split(X.indptr, worthwhile(X.indices.size, n_threads)), by_rows=True):
        return None
    observed, compact = np.unique(X.indices, return_inverse=True)
    narrow = Compressed((X.shape[0], observed.size), X.indptr, compact.astype(X.indices.dtype), X.data)
    found = _from_rows(narrow, dtype, name, n_threads)
    assert found is not None
    return replace(found, n_features=X.shape[1], columns=observed.astype(np.int64)[found.columns])


def _by_kind(count: Int, valued: NDArray[Any], n: int) -> tuple[NDArray[Any], int, int]:
    """Observed columns in the order of their kinds, the longest of each first: those of ones, those with values, those with a value in each of
    the n rows, which are dense; and where the second and the third kind begin.

    So screening, which looks at columns in blocks, finds light ones together. Lengths count up to 65,535: NumPy sorts
    16-bit numbers by their digits, in linear time."""
    rank = (SORTED - np.minimum(count, SORTED)).astype(np.uint16)
    order = _narrow(np.argsort(rank, kind="stable")[: np.count_nonzero(count)])
    at = np.flatnonzero(valued[order])
    if not at.size:
        return order, order.size, order.size
    full = count[order[at]] == n
    ones, sparse = np.delete(order, at), order[at[~full]]
    return np.concatenate([ones, sparse, order[at[full]]]), ones.size, ones.size + sparse.size


def _dense_ends(sparse: NDArray[Any], dense: NDArray[Any]) -> tuple[int, int]:
    """How many dense columns come before, and after, all sparse ones."""
    if not dense.size or not sparse.size:
        return 0, 0
    return int(np.count_nonzero(dense < sparse.min())), int(np.count_nonzero(dense > sparse.max()))


def _narrow(columns: Int) -> NDArray[Any]:
    return columns.astype(np.int32 if columns.max(initial=0) < 2**31 else np.int64)


def _index_in_rows(columns: NDArray[Any], p: int) -> NDArray[np.int32] | None:
    """Where each observed column stands in the borrowed rows; None when it is the same place."""
    if columns.size == p and bool((columns == np.arange(p)).all()):
        return None
    return columns.astype(np.int32, copy=False)

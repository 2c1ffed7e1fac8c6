"""X as a checked, borrowed view by columns. Knows nothing of y, losses or penalties.

A `Design` keeps the *observed* columns only, those with at least one stored entry, and their numbers in X: no array is
as long as all possible columns. Columns whose stored entries are all 1 come first and lose their values.
The caller's arrays are read, never written, and not copied where the layout allows:

===============  ===========  =====================================================  ================================
input            class        columns                                                rows
===============  ===========  =====================================================  ================================
CSR              CsrDesign    built on first use, 4 bytes an entry (+ values where   borrowed
                              not 1); a column with a value in every row as dense
CSC              CscDesign    borrowed                                               built, as columns of a CSR are
dense, Fortran   DenseDesign  borrowed                                               none
dense, C         DenseDesign  copied to Fortran order                                none
===============  ===========  =====================================================  ================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg._core.kernels import Matrix
from sparsereg.data.compressed import (
    MAX_SORTED_LENGTH,
    Compressed,
    Counted,
    Unsorted,
    column_order,
    dense_matrix,
    index_in_rows_of,
    inspected,
    row_numbers,
)
from sparsereg.data.sparse_format import as_compressed
from sparsereg.data.threads import run, split, worthwhile
from sparsereg.data.validation import check_dense, real_type

__all__ = ["ColumnStats", "CscDesign", "CsrDesign", "DenseDesign", "Design", "as_design"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# With fewer stored entries than this a column, counting by column costs more than sorting the entries' numbers.
HYPERSPARSE = 0.25
# Parts for each thread of a pass over all columns: the time of an entry depends on where its row is.
PIECES = 16


class ColumnStats(NamedTuple):
    """Statistics of columns, not centred, under row weights s: `x_j' s`, `x_j' (s x_j)`, `|x_j|' s` and `max |x_j|`."""

    sums: Vector
    sq_norm: Vector
    l1_norm: Vector
    max_abs: Vector


class Design(ABC):
    """X by its observed columns.

    ==========================  =====================================================================================
    sizes                       `n_rows`, `n_cols` (observed), `n_features` (possible columns), `nnz`, `lengths(cols)`,
                                `max_row_length`; columns [0, n_ones) are of ones, [n_sparse, n_cols) dense
    names                       `columns`: the number in X of each observed column; `dtype`: float32 or float64
    products                    `rmatvec(v, cols)`, `rmatvec_by_rows(v)`, `column(col)`, `column_stats(s, cols)`
    views for kernels           `matrix`: the columns; `rows`, `sparse_rows`: the rows, None for a dense X
    rows' numbering             `index_in_rows`, `select_observed(values)`; `observed()`: the columns, dense or CSR
    other designs               `select_rows(rows)`, `eliminate_short(length)`, `restore_eliminated()`
    ==========================  =====================================================================================

    Parameters
    ----------
    storage : Matrix or Counted
        The observed columns, built or only counted.
    columns : int32 or int64 array of shape (n_cols,)
    n_features, n_threads : int
        Columns of X; threads for a pass over all columns.
    dtype : numpy.dtype
        Type of X's values, in which coefficients are returned.
    """

    dense: NDArray[Any] | None = None  # a dense X, in Fortran order
    is_csr = False
    eliminated_length = 0  # stored entries of the longest eliminated column
    index_in_rows: NDArray[np.int32] | None = None  # the column's number in `rows`; None: its own
    _matrix: Matrix | None = None

    def __init__(self, storage: Matrix | Counted, columns: Int, n_features: int, dtype: np.dtype[Any], n_threads: int):
        self._storage, self.columns, self.n_features = storage, columns, n_features
        self.dtype, self.n_threads = dtype, n_threads
        self.n_rows, self.n_cols = map(int, storage.shape)
        self.n_ones, self.n_sparse, self.nnz = storage.n_ones, storage.n_sparse, storage.nnz

    @property
    def matrix(self) -> Matrix:
        """The observed columns."""
        assert self._matrix is not None
        return self._matrix

    @property
    def rows(self) -> Matrix | None:
        """The rows of X as the columns of a `Matrix`, columns numbered as `index_in_rows` says; None for a dense X."""
        return None

    @property
    def sparse_rows(self) -> Matrix | None:
        """The same for users of the sparse columns' entries only: it may lack values that are 1, and dense columns."""
        return self.rows

    @abstractmethod
    def select_rows(self, rows: Int | NDArray[np.bool_]) -> Design:
        """The design of `X[rows]`: rows by number, any order, repeated, or by a mask. Of a CSR no entry is copied."""

    @abstractmethod
    def observed(self) -> Any:
        """The observed columns as an array: dense, or a scipy CSR."""

    def lengths(self, cols: Int | None = None) -> Int:
        """Stored entries of these observed columns, or of all."""
        return self._storage.lengths(cols)

    @cached_property
    def max_row_length(self) -> int:
        """Most stored entries of a row."""
        return self.n_cols if self.rows is None else self.rows.longest

    def rmatvec(self, v: Vector, cols: Int | None = None) -> Vector:
        """`X[:, cols]' v` in double; every observed column without `cols`."""
        n_threads = worthwhile(self.nnz, self.n_threads)
        if cols is not None or n_threads == 1:
            return self.matrix.rmatvec(v, cols)
        out = np.empty(self.n_cols)
        run(lambda a, b: self.matrix.rmatvec_into(out[a:b], v, a), self._pieces, n_threads)
        return out

    @cached_property
    def _pieces(self) -> list[tuple[int, int]]:
        return split(np.concatenate([[0], np.cumsum(self.lengths() + 1)]), PIECES * self.n_threads)

    def rmatvec_by_rows(self, v: Vector) -> Vector:
        """`X' v` for every column as the rows number it; from a CSR's rows, without building columns."""
        out = np.zeros(self.n_features if self.rows is None else self.rows.shape[0])
        out[slice(None) if self.index_in_rows is None else self.index_in_rows] = self.rmatvec(v)
        return out

    def select_observed(self, values: Vector) -> Vector:
        """Values by the rows' numbering, as values by observed columns."""
        return values if self.index_in_rows is None else values[self.index_in_rows]

    def column_stats(self, s: Vector | None, cols: Int | None = None) -> ColumnStats:
        """Statistics of the listed columns, or of all, in arrays not to be written to."""
        if s is not None or self.n_ones < self.n_cols:
            return ColumnStats(*self.matrix.column_stats(s, cols))
        lengths = self.lengths(cols).astype(np.float64)  # columns of ones without weights need not be built
        return ColumnStats(lengths, lengths, lengths, np.ones(lengths.size))

    def column(self, col: int) -> Vector:
        """An observed column with its zeros."""
        x = np.zeros(self.n_rows)
        self.matrix.add_matvec(np.ones(1), x, np.array([col]))
        return x

    def extent(self, col: int, s: Vector | None = None) -> tuple[float, float]:
        """Least and largest value of an observed column, zeros included, in rows of positive weight."""
        x = self.column(col) if s is None else self.column(col)[s > 0.0]
        return float(x.min()), float(x.max())

    def count_long(self, length: float) -> tuple[int, int]:
        """How many columns of ones have at least `length` entries, the first ones, and the entries of the next one."""
        lengths = self.lengths()[: self.n_ones]
        n_long = int(np.count_nonzero(lengths >= min(length, MAX_SORTED_LENGTH)))
        return n_long, int(lengths[n_long]) if n_long < lengths.size else 0

    @property
    def can_eliminate(self) -> bool:
        """Whether `eliminate_short` saves anything."""
        return False

    def eliminate_short(self, length: float) -> Design:
        """Without the columns of ones of fewer than `length` entries, but for one; needs `can_eliminate`."""
        return self.eliminate_columns(max(1, self.count_long(length)[0]))

    def eliminate_columns(self, n_kept: int) -> Design:  # noqa: ARG002 - nothing is saved where columns are built
        """Without the columns of ones from this number on."""
        return self

    def restore_eliminated(self) -> Design:
        """A design with the eliminated columns."""
        return self


class CsrDesign(Design):
    """A CSR matrix: its rows are borrowed, its columns counted and built on first use. `numbers`: those in X of the
    columns of `counted.rows`; None: their own."""

    is_csr = True

    def __init__(
        self,
        counted: Counted,
        numbers: Int | None,
        n_features: int,
        dtype: np.dtype[Any],
        n_threads: int,
        eliminated_length: int = 0,
    ) -> None:
        columns = counted.columns if numbers is None else numbers[counted.columns]
        super().__init__(counted, columns, n_features, dtype, n_threads)
        self.counted, self._numbers, self.eliminated_length = counted, numbers, eliminated_length
        self.borrowed = counted.rows
        self.index_in_rows = index_in_rows_of(counted.columns, self.borrowed.shape[1])

    @classmethod
    def of(
        cls, X: Compressed, numbers: Int | None, n_features: int, dtype: np.dtype[Any], n_threads: int, name: str = "X"
    ) -> CsrDesign:
        """Check and count the rows; raises as `inspected` does."""
        if X.nnz < HYPERSPARSE * X.shape[1]:  # number the observed columns among themselves: memory by entries
            inspected(X, name, X.split(n_threads), by_rows=True)
            X, observed = X.observed_minors()
            numbers = observed if numbers is None else numbers[observed]
        return cls(Counted.of(X, name, n_threads), numbers, n_features, dtype, n_threads)

    @property
    def columns_built(self) -> bool:
        """Whether `matrix` was asked for."""
        return self._matrix is not None

    @property
    def matrix(self) -> Matrix:
        """The observed columns, built when this is first asked for."""
        if self._matrix is None:
            self._matrix = self.counted.build(self.n_threads)
        return self._matrix

    @cached_property
    def rows(self) -> Matrix:
        """The borrowed rows."""
        return self.borrowed.as_columns()

    @cached_property
    def sparse_rows(self) -> Matrix:
        """The rows without values if all sparse columns are of ones, and without dense columns at their ends."""
        return self.rows if self.n_sparse == self.n_cols else self.counted.sparse_rows()

    def select_rows(self, rows: Int | NDArray[np.bool_]) -> CsrDesign:
        """The design of `X[rows]`, on the arrays of X. Eliminated columns are restored."""
        numbers = row_numbers(rows, self.n_rows)
        selected, kept = self.borrowed.select(numbers), not self.eliminated_length and self.counted.end_columns is None
        if kept and numbers.size == self.n_rows and np.bincount(numbers).max() == 1:  # counts stay as they are
            rest = (self._numbers, self.n_features, self.dtype, self.n_threads)
            return CsrDesign(replace(self.counted, rows=selected), *rest)
        return CsrDesign.of(selected, self._numbers, self.n_features, self.dtype, self.n_threads)

    def observed(self) -> Any:
        """The borrowed rows, their columns numbered as in `columns`."""
        data, indices, indptr = self.borrowed.triple(self.dtype)
        if self.index_in_rows is not None:
            place = np.empty(self.borrowed.shape[1], dtype=indices.dtype)
            place[self.index_in_rows] = np.arange(self.n_cols)
            indices = place[indices]
        return sp.csr_array((data, indices, indptr), shape=(self.n_rows, self.n_cols))

    def rmatvec_by_rows(self, v: Vector) -> Vector:
        """By a pass through the rows, and through the dense columns at their ends."""
        ends = self.counted.end_columns
        rows = self.rows if ends is None else self.sparse_rows
        out = np.zeros(rows.shape[0])
        rows.add_matvec(v, out)
        if ends is not None:
            out[self.counted.columns[self.n_sparse :]] = dense_matrix(ends.values).rmatvec(v)
        return out

    def column_stats(self, s: Vector | None, cols: Int | None = None) -> ColumnStats:
        """Of dense columns at the rows' ends without building columns."""
        ends = self.counted.end_columns
        if self.columns_built or ends is None or cols is None or (cols < self.n_sparse).any():
            return super().column_stats(s, cols)
        return ColumnStats(*dense_matrix(ends.values).column_stats(s, cols - self.n_sparse))

    def column(self, col: int) -> Vector:
        """Through the rows where columns are not built."""
        if self.columns_built:
            return super().column(col)
        return self.rows.rmatvec((np.arange(self.rows.shape[0]) == self.counted.columns[col]).astype(np.float64))

    @property
    def can_eliminate(self) -> bool:
        """Whether columns are not built, and so few that a vector of the width of X is no longer than the entries."""
        return not self.columns_built and self._numbers is None and self.n_features <= self.nnz

    def eliminate_columns(self, n_kept: int) -> CsrDesign:
        """Nothing of the eliminated columns is kept: memory by the others."""
        if n_kept >= self.n_ones:
            return self
        kept, longest = self.counted.without(np.arange(n_kept, self.n_ones)), int(self.lengths(np.array([n_kept]))[0])
        return CsrDesign(kept, self._numbers, self.n_features, self.dtype, self.n_threads, longest)

    def restore_eliminated(self) -> CsrDesign:  # a new one, counted anew
        return CsrDesign.of(self.borrowed, self._numbers, self.n_features, self.dtype, self.n_threads)


class CscDesign(Design):
    """A CSC matrix, whose columns are borrowed. The constructor checks it and raises as `inspected` does."""

    def __init__(self, X: Compressed, dtype: np.dtype[Any], n_threads: int, name: str = "X") -> None:
        p, n = X.shape
        valued = np.zeros(p, dtype=np.uint8)
        parts = X.split(n_threads)
        inspected(X, name, parts, by_rows=False, major_valued=[valued[a:b] for a, b in parts])
        columns, n_ones, _ = column_order(X.stop - X.start, valued, n + 1)  # as they are, none as dense
        data = None if n_ones == columns.size else X.data
        self._matrix = Matrix(n, X.start[columns], X.stop[columns], X.indices, n_ones, data)
        super().__init__(self._matrix, columns, p, dtype, n_threads)
        self.borrowed = Compressed(X.shape, X.start, X.stop, X.indices, data)
        self.index_in_rows = index_in_rows_of(columns, p)

    @cached_property
    def rows(self) -> Matrix:
        """The rows, built when this is first asked for."""
        return self.borrowed.transposed().as_columns()

    def select_rows(self, rows: Int | NDArray[np.bool_]) -> Design:
        """The design of a copy of `X[rows]`."""
        return as_design(self._csc()[row_numbers(rows, self.n_rows)], n_threads=self.n_threads)

    def observed(self) -> Any:
        """A copy."""
        return self._csc()[:, self.columns].tocsr()

    def _csc(self) -> Any:
        return sp.csc_array(self.borrowed.triple(self.dtype), shape=(self.n_rows, self.n_features))


class DenseDesign(Design):
    """A checked dense X, borrowed if it is in Fortran order and otherwise copied to it; `dtype` as for `Design`."""

    dense: NDArray[Any]

    def __init__(self, X: NDArray[Any], dtype: np.dtype[Any], n_threads: int) -> None:
        borrowable = X.strides[0] == X.itemsize and X.strides[1] >= X.shape[0] * X.itemsize and X.flags.aligned
        self.dense = X if borrowable else np.asfortranarray(X)
        self._matrix = dense_matrix(self.dense)
        super().__init__(self._matrix, np.arange(X.shape[1]), X.shape[1], dtype, n_threads)

    def select_rows(self, rows: Int | NDArray[np.bool_]) -> DenseDesign:
        """The design of a copy of `X[rows]`."""
        return DenseDesign(self.dense[row_numbers(rows, self.n_rows)], self.dtype, self.n_threads)

    def observed(self) -> Any:
        """X itself."""
        return self.dense


def as_design(X: Any, name: str = "X", n_threads: int = 1) -> Design:
    """Check a matrix, once, and view it by columns.

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
        X = check_dense(name, X)
        return DenseDesign(X, X.dtype, n_threads)
    X = as_compressed(name, X, indices=False)  # those of a CSR or CSC are checked below
    if 0 in X.shape:
        raise ValueError(f"{name} has shape {X.shape}; expected a matrix with at least one row and one column.")
    X = X.tocsr() if X.format == "coo" else X
    dtype = real_type(name, X.data.dtype)

    def view(arrays: Compressed) -> Design:
        if X.format == "csc":
            return CscDesign(arrays, dtype, n_threads, name)
        return CsrDesign.of(arrays, None, X.shape[1], dtype, n_threads, name)

    borrowed = Compressed.of(X, dtype)
    try:
        return view(borrowed)
    except Unsorted:  # or with repeated entries
        X = type(X)(borrowed.triple(dtype), shape=X.shape, copy=True)
        X.sum_duplicates()  # and sorts
        return view(Compressed.of(X, dtype))

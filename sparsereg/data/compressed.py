"""CSR and CSC matrices as three arrays: checked, counted, and written the other way round. Knows no designs and no targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg._core.kernels import Matrix, inspect, take_ends, transpose
from sparsereg.data.threads import run, split, worthwhile

__all__ = ["Compressed", "Counted", "Ends", "inspected", "product"]

Int = NDArray[np.int64]


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

    def transposed(self) -> Compressed:
        """The same by minors, on new arrays."""
        start = np.zeros(self.shape[1] + 1, dtype=self.indices.dtype)
        np.cumsum(np.bincount(self.indices, minlength=self.shape[1]), out=start[1:])
        indices = np.empty(start[-1], dtype=self.indices.dtype)
        data = None if self.data is None else np.empty(start[-1], dtype=self.data.dtype)
        transpose(self.shape, self.indptr, self.indices, self.data, start[:-1].copy(), indices, 0, data)
        return Compressed(self.shape[::-1], start, indices, data)


@dataclass(frozen=True)
class Counted:
    """The observed columns of a CSR matrix before they are written: how many entries each has, and of what kind.

    Attributes
    ----------
    rows : Compressed
        The matrix.
    columns : int32 or int64 array of shape (n_cols,)
        Their numbers there, those of ones first, then those with values, then those to be kept dense. Others are not written.
    start : array of shape (n_cols + 1,), in the indices' type
        Where each begins when their entries stand one after the other.
    n_ones, n_sparse : int
        Where the second and the third kind begin.
    dense_ends : (int, int)
        Columns of the third kind that stand before, and after, all others in every row; there may be more between those.
    apart : Ends or None
        The columns of the third kind where all of them stand so.
    """

    rows: Compressed
    columns: NDArray[Any]
    start: NDArray[Any]
    n_ones: int
    n_sparse: int
    dense_ends: tuple[int, int] = (0, 0)
    apart: Ends | None = None

    @property
    def dense(self) -> NDArray[Any] | None:
        """The columns of the third kind, of shape (n, n_dense) in Fortran order, where all stand at the ends of rows."""
        return None if self.apart is None else self.apart.values

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.shape[0], self.columns.size

    @property
    def nnz(self) -> int:
        return int(self.start[-1])

    def lengths(self, cols: Int | None = None) -> Int:
        """Stored entries of the listed columns, or of all."""
        lengths = np.diff(self.start) if cols is None else self.start[cols + 1] - self.start[cols]
        return lengths.astype(np.int64)

    def without(self, begin: int, end: int) -> Counted:
        """Less the columns of ones from `begin` to `end`; on arrays of its own."""
        kept = np.concatenate([np.arange(begin), np.arange(end, self.columns.size)])
        start = np.zeros(kept.size + 1, dtype=self.start.dtype)
        np.cumsum(self.lengths(kept), out=start[1:])
        less = end - begin
        n_ones, n_sparse = self.n_ones - less, self.n_sparse - less
        return replace(self, columns=self.columns[kept], start=start, n_ones=n_ones, n_sparse=n_sparse)

    def write(self, n_threads: int) -> Matrix:
        """The columns, on new arrays: 4 or 8 bytes an entry, and the values where they are not 1."""
        X, start, (n, p) = self.rows, self.start, self.rows.shape
        shift, stop = int(start[self.n_ones]), int(start[self.n_sparse])
        apart = self.dense
        end, ends = (self.nnz, (0, 0)) if apart is None else (stop, self.dense_ends)
        indices = np.empty(stop, dtype=X.indices.dtype)
        values = None if X.data is None or shift == end else np.empty(end - shift, dtype=X.data.dtype)

        def write(a: int, b: int, place: NDArray[Any]) -> None:
            transpose((b - a, p), X.indptr[a : b + 1], X.indices, X.data, place, indices, shift, values, a, ends)

        parts = split(X.indptr, worthwhile(self.nnz, n_threads))
        places = zip(parts, self._places(parts), strict=True)
        run(write, [(*part, place) for part, place in places], len(parts))
        data = None if values is None else values[: stop - shift]
        dense = values[stop - shift :].reshape(-1, n).T if apart is None and values is not None else apart
        return Matrix(n, start[: self.n_sparse], start[1 : self.n_sparse + 1], indices, self.n_ones, data, shift, dense)

    def _places(self, parts: list[tuple[int, int]]) -> list[NDArray[Any]]:
        """For each part of the rows, where it writes the next entry of each column of `rows`."""
        X = self.rows
        places = [np.zeros(X.shape[1], dtype=self.start.dtype) for _ in parts]
        places[0].fill(self.nnz)  # beyond the end: nowhere
        places[0][self.columns] = self.start[:-1]

        def count(a: int, b: int, place: NDArray[Any]) -> None:
            inspect((b - a, X.shape[1]), X.indptr[a : b + 1], X.indices, None, count=place)

        run(count, [(*part, place) for part, place in zip(parts, places[1:], strict=False)], len(parts))
        for before, place in pairwise(places):
            place += before
        return places


@dataclass(frozen=True)
class Ends:
    """The first and the last so many entries of every row of a matrix with values, as columns."""

    rows: Compressed
    ends: tuple[int, int]
    n_threads: int

    @cached_property
    def values(self) -> NDArray[Any]:
        """In Fortran order; taken when first asked for, as many who look at X never read a column."""
        X, ends = self.rows, self.ends
        assert X.data is not None
        out = np.empty((sum(ends), X.shape[0]), dtype=X.data.dtype).T

        def take(a: int, b: int) -> None:
            take_ends((b - a, X.shape[1]), X.indptr[a : b + 1], X.indices, X.data, ends, out[a:b])

        parts = split(X.indptr, worthwhile(X.indices.size, self.n_threads))
        run(take, list(parts), len(parts))
        return out


def inspected(X: Compressed, name: str, parts: list[tuple[int, int]], *, by_rows: bool, **wanted: Any) -> bool:
    """Check pointers, indices and values; True when indices do not strictly increase, so that entries may repeat.

    `wanted` has an array for each part.

    Raises
    ------
    ValueError
        For an index outside the shape, NaN or infinity; the message calls the matrix `name`, and says where.
    """

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
    raise ValueError(f"{name} contains {word(X.data[where])} at row {row}, column {column}; impute or drop it.")


def word(value: float) -> str:
    """What a value that is not finite is called."""
    return "NaN" if np.isnan(value) else f"infinity ({value})"


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

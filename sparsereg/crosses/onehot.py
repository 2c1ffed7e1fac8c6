"""One CSR matrix from columns of codes and of numbers, written row by row in its final place.

Here a block is a column of codes and the first matrix column of the block; fields and levels play no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse
from sklearn import get_config

from sparsereg.crosses.ragged import Codes, Ragged

__all__ = ["csr_of_ones", "fold"]

_MAX_INT32 = np.iinfo(np.int32).max
# Rows that are written at a time: their part of the matrix stays in the cache while all blocks are written.
_ROWS_AT_ONCE = 1 << 13


def csr_of_ones(
    codes: Sequence[Codes],
    starts: Sequence[int],
    numbers: Sequence[NDArray[np.float64]],
    shape: tuple[int, int],
    dtype: DTypeLike,
) -> Any:
    """One-hot blocks, followed by columns of numbers, as a CSR matrix.

    Parameters
    ----------
    codes : sequence of integer ndarrays, each of shape (n,), or of Ragged
        For each block, the column within the block where each row has a 1, -1 for none; with Ragged the columns,
        ascending in each row.
    starts : sequence of int
        The first matrix column of each block, increasing.
    numbers : sequence of ndarrays of float64, each of shape (n,)
        The last columns; zeros are not stored.
    shape : tuple of int
        Number of rows n and of columns of the matrix.
    dtype : float32 or float64

    Returns
    -------
    scipy.sparse.csr_matrix, or csr_array where scikit-learn is configured so
        With sorted indices, int32 where they fit and int64 otherwise.

    Examples
    --------
    >>> csr_of_ones([np.array([0, 1, -1])], [0], [np.array([2.5, 0.0, 1.0])], (3, 3), np.float64).toarray()
    array([[1. , 0. , 2.5],
           [0. , 1. , 0. ],
           [0. , 0. , 1. ]])
    """
    singles = [part for part in codes if not isinstance(part, Ragged)]
    if len(singles) < len(codes):
        return _csr_of_ragged(list(zip(codes, starts, strict=True)), numbers, shape, dtype)
    n_rows, n_columns = shape
    width = len(codes) + len(numbers)
    large = max(n_rows * width, n_columns) > _MAX_INT32
    index_dtype = np.int64 if large else np.int32
    indices = np.empty((n_rows, width), dtype=index_dtype)
    data = np.ones((n_rows, width), dtype=dtype)
    first_number = n_columns - len(numbers)
    stored = _stored(singles, numbers, n_rows)
    for begin in range(0, n_rows, _ROWS_AT_ONCE):
        rows = slice(begin, begin + _ROWS_AT_ONCE)
        for place, (column, start) in enumerate(zip(singles, starts, strict=True)):
            np.add(column[rows], index_dtype(start), out=indices[rows, place], casting="same_kind")
        for place, column in enumerate(numbers):
            indices[rows, len(codes) + place] = first_number + place
            data[rows, len(codes) + place] = column[rows]
    indptr = np.arange(n_rows + 1, dtype=index_dtype) * width
    flat_indices, flat_data = indices.reshape(-1), data.reshape(-1)
    if stored is not None:
        np.cumsum(np.count_nonzero(stored, axis=1), out=indptr[1:])
        flat_indices, flat_data = indices[stored], data[stored]
    return _csr(flat_data, flat_indices, indptr, shape)


def fold(matrix: Any, columns: NDArray[Any], signs: NDArray[np.int8], n_columns: int) -> Any:
    """The matrix (n, n_columns) whose column k is the signed sum of all j with ``columns[j] == k``, without zeros."""
    data = matrix.data * signs[matrix.indices]
    wide = matrix.indices.dtype == np.int64 or n_columns > _MAX_INT32
    index_dtype = np.int64 if wide else np.int32
    indices, indptr = columns[matrix.indices].astype(index_dtype), matrix.indptr.astype(index_dtype)
    folded = _csr(data, indices, indptr, (matrix.shape[0], n_columns), False)
    folded.sum_duplicates()
    folded.eliminate_zeros()
    return folded


def _csr(
    data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: tuple[int, int], canonical: bool = True
) -> Any:
    container: Any = sparse.csr_array if get_config()["sparse_interface"] == "sparray" else sparse.csr_matrix
    matrix: Any = container((data, indices, indptr), shape=shape)
    if canonical:
        matrix.has_sorted_indices = True
        matrix.has_canonical_format = True
    return matrix


def _csr_of_ragged(
    blocks: list[tuple[Codes, int]], numbers: Sequence[NDArray[np.float64]], shape: tuple[int, int], dtype: DTypeLike
) -> Any:
    """`csr_of_ones` with several ones in a row of a block."""
    n_rows, n_columns = shape
    counts = [part.counts if isinstance(part, Ragged) else part >= 0 for part, _ in blocks]
    counts += [column != 0.0 for column in numbers]
    indptr = np.zeros(n_rows + 1, dtype=np.int64)
    for count in counts:
        indptr[1:] += count
    np.cumsum(indptr, out=indptr)
    large = max(int(indptr[-1]), n_columns) > _MAX_INT32
    indices = np.empty(indptr[-1], dtype=np.int64 if large else np.int32)
    data = np.ones(indptr[-1], dtype=dtype)
    free = indptr[:-1].copy()  # the next free entry of each row
    for (part, start), count in zip(blocks, counts, strict=False):
        if isinstance(part, Ragged):
            indices[free[part.rows] + part.ranks] = part.values + indices.dtype.type(start)
        else:
            indices[free[count]] = part[count] + indices.dtype.type(start)
        free += count
    first_number = n_columns - len(numbers)
    for place, (column, count) in enumerate(zip(numbers, counts[len(blocks) :], strict=True)):
        indices[free[count]] = first_number + place
        data[free[count]] = column[count]
        free += count
    return _csr(data, indices, indptr.astype(indices.dtype), shape)


def _stored(
    codes: Sequence[NDArray[Any]], numbers: Sequence[NDArray[np.float64]], n_rows: int
) -> NDArray[np.bool_] | None:
    """Which entries (n, blocks) are stored, or None if all are."""
    present = [column >= 0 for column in codes] + [column != 0.0 for column in numbers]
    if all(mask.all() for mask in present):
        return None
    return np.stack(present, axis=1) if present else np.empty((n_rows, 0), dtype=np.bool_)

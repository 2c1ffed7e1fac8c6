"""Whether the arrays of a scipy sparse matrix make one: scipy's C routines read where they say, and check nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.validation import real_type

__all__ = ["as_compressed", "check_format", "index_outside"]


def as_compressed(name: str, X: Any, *, indices: bool = True) -> Any:
    """A sparse matrix that scipy's routines may read: CSR, CSC or COO as it is, any other as CSR.

    Parameters
    ----------
    name : str
        What errors call it.
    X : scipy.sparse matrix or array
    indices : bool
        Whether to check those of a CSR or CSC, in a pass over them; if not, the caller does before they are used.

    Raises
    ------
    ValueError
        For arrays whose types, lengths or numbers do not fit one another or the shape; the message says which.
    """
    if len(X.shape) != 2:
        raise ValueError(f"{name} has shape {X.shape}; expected two dimensions. Reshape it with {name}.reshape(-1, 1).")
    if X.format not in ("csr", "csc", "coo"):
        if X.format == "bsr":
            check_format(name, X, indices=True)
        X = X.tocsr()
        indices = True
    check_format(name, X, indices=indices)
    return X


def check_format(name: str, X: Any, *, indices: bool = True) -> None:
    """Raise as `as_compressed` for a CSR, CSC, BSR or COO."""
    real_type(name, X.dtype)
    if X.format == "coo":
        _check_coordinates(name, X)
        return
    block = X.blocksize if X.format == "bsr" else (1, 1)
    counts = [size // side for size, side in zip(X.shape, block, strict=True)]
    n_majors, n_minors = counts[::-1] if X.format == "csc" else counts
    for part in ("indptr", "indices"):
        array = getattr(X, part)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise _broken(name, f"{part} has shape {array.shape} and dtype {array.dtype}", "integers, one-dimensional")
    ends = X.indptr
    if ends.size != n_majors + 1:
        raise _broken(name, f"indptr has {ends.size} entries", f"{n_majors + 1} for its shape {X.shape}")
    if ends[0] != 0 or (ends[1:] < ends[:-1]).any():
        where = 0 if ends[0] else int(np.flatnonzero(ends[1:] < ends[:-1])[0]) + 1
        raise _broken(name, f"indptr is {ends[where]} at position {where}", "numbers from 0 that do not fall")
    nnz = int(ends[-1])
    if X.data.ndim != (3 if X.format == "bsr" else 1) or len(X.data) < nnz or X.indices.size < nnz:
        have = f"data has shape {X.data.shape} and indices {X.indices.shape}"
        raise _broken(name, have, f"one of each for the {nnz} entries that indptr counts")
    if indices and (entry := _first_outside(X.indices[:nnz], n_minors)) is not None:
        major, minor = int(np.searchsorted(ends, entry, side="right")) - 1, X.indices[entry]
        row, column = (minor, major) if X.format == "csc" else (major, minor)
        raise index_outside(name, entry, row, column, X.shape)


def _check_coordinates(name: str, X: Any) -> None:
    for axis, array in (("row", X.row), ("column", X.col)):
        if array.shape != X.data.shape or array.ndim != 1 or array.dtype.kind not in "iu":
            have = f"{axis} numbers have shape {array.shape} and dtype {array.dtype}"
            raise _broken(name, have, f"integers of the shape of data, {X.data.shape}")
    for array, size in ((X.row, X.shape[0]), (X.col, X.shape[1])):
        if (entry := _first_outside(array, size)) is not None:
            raise index_outside(name, entry, X.row[entry], X.col[entry], X.shape)


def _first_outside(indices: NDArray[Any], size: int) -> int | None:
    """Where the first index outside [0, size) is. A negative one is a large one without its sign: one pass."""
    unsigned = indices.view(f"u{indices.dtype.itemsize}")
    if not indices.size or int(unsigned.max()) < size:
        return None
    return int(np.flatnonzero(unsigned >= size)[0])


def _broken(name: str, have: str, expected: str) -> ValueError:
    return ValueError(
        f"{name} is not a sound sparse matrix: {have}; expected {expected}. Build it anew, e.g. from (data, (rows,"
        " columns)), and call check_format(full_check=True) on it."
    )


def index_outside(name: str, where: int, row: int, column: int, shape: tuple[int, ...]) -> ValueError:
    """The error for an entry that no row or no column has room for."""
    return ValueError(
        f"{name} has an index outside its shape {shape}: entry {where} stands at row {row}, column {column}. Build it"
        " anew, or give it a larger shape."
    )

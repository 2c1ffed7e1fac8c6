"""Columns of lists laid flat: how many items each row has, and the items of all rows one after another.

This room may not know what the items are, nor what they are read for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

__all__ = ["LISTS", "flat_objects", "flat_series"]

# What a cell of an array of objects may hold to count as a list.
LISTS = (list, tuple, set, frozenset, np.ndarray)


def flat_series(series: Any) -> tuple[NDArray[np.int64], Any]:
    """The items of a narwhals Series of lists.

    Parameters
    ----------
    series : narwhals Series of length n
        Of the type List or Array, from polars, pyarrow, or pandas on top of it.

    Returns
    -------
    lengths : ndarray of int64, shape (n,)
        -1 where the list is missing.
    items : narwhals Series
    """
    series = series.cast(nw.List(series.dtype.inner))
    lengths = series.list.len()
    if series.implementation.is_polars():
        native = nw.to_native(series)
        items = native.filter(native.list.len() > 0).explode()
    else:
        import pyarrow as pa
        import pyarrow.compute as pc

        flat = pc.list_flatten(series.to_arrow())
        items = flat if isinstance(flat, pa.ChunkedArray) else pa.chunked_array([flat])
    missing = lengths.is_null().to_numpy()
    return np.where(missing, -1, lengths.fill_null(0).to_numpy().astype(np.int64)), nw.from_native(
        items, series_only=True
    )


def flat_objects(cells: Sequence[Collection[Any] | None]) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """The items of lists (n,), None where missing: `lengths` (n,), -1 where missing, and an array of objects.

    Examples
    --------
    >>> flat_objects([["a", "b"], None, []])
    (array([ 2, -1,  0]), array(['a', 'b'], dtype=object))
    """
    lengths = np.fromiter((-1 if cell is None else len(cell) for cell in cells), dtype=np.int64, count=len(cells))
    items = chain.from_iterable(cell for cell in cells if cell is not None)
    return lengths, np.fromiter(items, dtype=object, count=int(lengths[lengths > 0].sum()))

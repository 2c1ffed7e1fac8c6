"""`Ragged`: a column with any number of codes in each row, and all combinations of several columns of codes.

An ordinary column of codes (n,) has one code for each row, -1 for none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Codes", "Ragged", "align", "distinct_in_rows", "values_of"]

IntArray = NDArray[Any]


@dataclass(frozen=True)
class Ragged:
    """A column with none, one or several codes in each row.

    Attributes
    ----------
    values : ndarray of int, shape (m,)
        -1 for an unknown level.
    rows : ndarray of int64, shape (m,)
        The row of each code, ascending.
    n_rows : int
    """

    values: IntArray
    rows: IntArray
    n_rows: int

    @classmethod
    def of(cls, numbers: IntArray, lists: Sequence[Sequence[int]]) -> Ragged:
        """Rows (n,), of which row i has the codes of ``lists[numbers[i]]``."""
        lengths = np.array([len(part) for part in lists], dtype=np.int64)
        flat = np.array([code for part in lists for code in part], dtype=np.int32)
        starts = np.cumsum(lengths) - lengths
        rows = np.repeat(np.arange(numbers.size), lengths[numbers])
        return cls(flat[starts[numbers][rows] + _ranks(lengths[numbers])], rows, numbers.size)

    @property
    def counts(self) -> IntArray:
        """Number of codes in each row (n,)."""
        return np.bincount(self.rows, minlength=self.n_rows)

    @property
    def ranks(self) -> IntArray:
        """Position (m,) of each code within its row, from 0."""
        return _ranks(self.counts)


Codes = IntArray | Ragged


def values_of(codes: Codes) -> IntArray:
    """The codes of all rows, row by row."""
    return codes.values if isinstance(codes, Ragged) else codes


def align(parts: Sequence[Codes]) -> tuple[list[IntArray], IntArray | None]:
    """All combinations of the codes in each row, one code of each part.

    Parameters
    ----------
    parts : sequence of codes, all of the same n rows

    Returns
    -------
    parts : list of ndarray of int, each of shape (m,)
        Row by row; within a row in lexicographic order.
    rows : ndarray of int64, shape (m,), or None
        The row of each combination; None where every row has exactly one (m = n).

    Examples
    --------
    >>> genres = Ragged(np.array([0, 2, 1]), np.array([0, 0, 2]), 3)
    >>> align([np.array([7, 8, 9]), genres])
    ([array([7, 7, 9]), array([0, 2, 1])], array([0, 0, 2]))
    """
    n_rows = next(part.n_rows if isinstance(part, Ragged) else part.size for part in parts)
    if not any(isinstance(part, Ragged) for part in parts):
        return [values_of(part) for part in parts], None
    rows = np.arange(n_rows)
    columns: list[IntArray] = []
    for part in parts:
        if not isinstance(part, Ragged):
            columns.append(part[rows])
            continue
        counts = part.counts
        first = np.cumsum(counts) - counts
        repeated = np.repeat(np.arange(rows.size), counts[rows])
        places = first[rows][repeated] + _ranks(counts[rows])
        columns = [*(column[repeated] for column in columns), part.values[places]]
        rows = rows[repeated]
    return columns, rows


def distinct_in_rows(codes: Ragged) -> Ragged:
    """The known codes of each row, sorted, without duplicates."""
    values, rows = codes.values, codes.rows
    known = values >= 0
    if not known.all():
        values, rows = values[known], rows[known]
    if not values.size:
        return Ragged(values, rows, codes.n_rows)
    width = int(values.max()) + 1
    keys = rows * width + values
    if not (keys[1:] > keys[:-1]).all():
        # The stable sort is fast on nearly sorted keys.
        keys.sort(kind="stable")
        rows, values = np.divmod(keys[np.append(True, keys[1:] != keys[:-1])], width)
    return Ragged(values, rows, codes.n_rows)


def _ranks(counts: IntArray) -> IntArray:
    """0, 1, ..., count - 1 for each row, row by row."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - counts, counts)

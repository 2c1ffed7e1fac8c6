"""`Ragged`: codes of rows that have any number of them, and how columns of codes are brought side by side.

A column of codes (n,) has one for each row, -1 for none. This room may not know what a code stands for.
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
    """Codes of rows that have none, one, or several.

    Attributes
    ----------
    values : ndarray of int, shape (m,)
        -1 for a code that is not known.
    rows : ndarray of int64, shape (m,)
        The row of each code, ascending.
    n_rows : int
    """

    values: IntArray
    rows: IntArray
    n_rows: int

    @classmethod
    def of(cls, numbers: IntArray, lists: Sequence[Sequence[int]]) -> Ragged:
        """The codes of rows (n,), each of which has those of one of the lists, by its number."""
        lengths = np.array([len(part) for part in lists], dtype=np.int64)
        flat = np.array([code for part in lists for code in part], dtype=np.int32)
        starts = np.cumsum(lengths) - lengths
        rows = np.repeat(np.arange(numbers.size), lengths[numbers])
        return cls(flat[starts[numbers][rows] + _ranks(lengths[numbers])], rows, numbers.size)

    @property
    def counts(self) -> IntArray:
        """How many codes each row (n,) has."""
        return np.bincount(self.rows, minlength=self.n_rows)

    @property
    def ranks(self) -> IntArray:
        """Which one of its row's each code (m,) is, from 0."""
        return _ranks(self.counts)


Codes = IntArray | Ragged


def values_of(codes: Codes) -> IntArray:
    """The codes themselves, row by row."""
    return codes.values if isinstance(codes, Ragged) else codes


def align(parts: Sequence[Codes]) -> tuple[list[IntArray], IntArray | None]:
    """All combinations of the codes that each row has, one code of each part.

    Parameters
    ----------
    parts : sequence of codes, all of the same n rows

    Returns
    -------
    parts : list of ndarray of int, each of shape (m,)
        Row by row; within a row in lexicographic order, the first part slowest.
    rows : ndarray of int64, shape (m,), or None
        The row of each combination; None where every row has one, and m = n.

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
        here = np.repeat(np.arange(rows.size), counts[rows])
        places = first[rows][here] + _ranks(counts[rows])
        columns = [*(column[here] for column in columns), part.values[places]]
        rows = rows[here]
    return columns, rows


def distinct_in_rows(codes: Ragged) -> Ragged:
    """The known codes of each row, sorted, each once."""
    values, rows = codes.values, codes.rows
    known = values >= 0
    if not known.all():
        values, rows = values[known], rows[known]
    if not values.size:
        return Ragged(values, rows, codes.n_rows)
    width = int(values.max()) + 1
    keys = rows * width + values
    if not (keys[1:] > keys[:-1]).all():
        # Stable sorting is made for what is nearly in order.
        keys.sort(kind="stable")
        rows, values = np.divmod(keys[np.append(True, keys[1:] != keys[:-1])], width)
    return Ragged(values, rows, codes.n_rows)


def _ranks(counts: IntArray) -> IntArray:
    """0, 1, ... for as many as each row has, row after row."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - counts, counts)

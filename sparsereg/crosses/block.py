"""`Block`: the columns of one field or of one cross, and which observed combinations have a column.

A block knows codes of levels, not the levels themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.keys import Combinations
from sparsereg.crosses.ragged import Codes, Ragged, align, distinct_in_rows
from sparsereg.crosses.vocabulary import CROSS, quoted

__all__ = ["Block", "Fields", "Keep", "Observed", "Rare", "count_rows", "observe"]

IntArray = NDArray[Any]
Fields = tuple[str, ...]


class Rare(Enum):
    """The level of the column that all rare levels of a block share, as `FeatureCross.inverse` names it.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import FeatureCross, Rare
    >>> cross = FeatureCross(min_count=2, rare="pool").fit(np.array([["a"], ["a"], ["b"], ["c"]]))
    >>> cross.inverse(1)[0][1] is Rare.RARE
    True
    """

    RARE = "rare"


@dataclass(frozen=True)
class Keep:
    """Which observed levels or combinations of a block get a column of their own.

    Attributes
    ----------
    min_count : int
        Those with at least this many rows.
    max_levels : int or None
        Of those at most this many of a block, the most frequent; ties go to the first in order.
    pool : bool
        Whether the others share a column.
    with_missing : bool
        Whether missing is a level.
    normalize_text : bool
        Whether texts are normalized before they become levels.
    """

    min_count: int = 1
    max_levels: int | None = None
    pool: bool = False
    with_missing: bool = True
    normalize_text: bool = False

    def select(self, counts: IntArray) -> IntArray:
        """The codes, ascending, of the levels to keep, given the number of rows (k,) of each level."""
        kept = np.flatnonzero(counts >= self.min_count)
        if self.max_levels is not None and kept.size > self.max_levels:
            kept = np.sort(kept[np.argsort(-counts[kept].astype(np.int64), kind="stable")[: self.max_levels]])
        return kept


@dataclass(frozen=True)
class Block:
    """The columns of one field, of one cross, or of one number.

    Attributes
    ----------
    fields : tuple of str
        One field for a main effect or a number, several for a cross.
    start, stop : int
        The block is columns ``start`` to ``stop - 1`` of the output.
    n_cells : int
        Number of possible columns: the product of the numbers of possible levels of the fields. It can exceed 2^63.
    is_number : bool
        Whether the block is one column of numbers that passes through.
    has_rare : bool
        Whether the last column is shared by the levels or combinations that have no column of their own.
    counts : ndarray of int32 or int64
        Rows in fit of each observed level or combination, in order, with or without a column; empty for a number.
    kept : ndarray of int64, or None
        Which of those have a column of their own; None if all have.
    combinations : Combinations or None
        The observed combinations of a cross.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import FeatureCross
    >>> cross = FeatureCross(crosses=[(0, 1)]).fit(np.array([[1, 5], [1, 6], [2, 5]]))
    >>> [(block.fields, block.start, block.stop, block.n_cells) for block in cross.blocks_]
    [(('x0',), 0, 2, 2), (('x1',), 2, 4, 2), (('x0', 'x1'), 4, 7, 4)]
    """

    fields: Fields
    start: int
    stop: int
    n_cells: int
    is_number: bool = False
    has_rare: bool = False
    counts: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64), repr=False, compare=False)
    kept: IntArray | None = field(default=None, repr=False, compare=False)
    combinations: Combinations | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The fields as text, ``latitude x longitude``; a field whose name contains ``=`` or `` x `` is quoted."""
        return CROSS.join(quoted(name, "=") for name in self.fields)

    @property
    def n_observed(self) -> int:
        """Number of columns of the block."""
        return self.stop - self.start

    def find(self, codes: Mapping[str, Codes]) -> Codes:
        """The code of the observed combination in each row, -1 for none, from the codes of the fields' levels."""
        parts = [codes[name] for name in self.fields]
        if self.combinations is None:
            return parts[0]
        aligned, rows = align(parts)
        combination = self.combinations.find(aligned)
        return combination if rows is None else _ragged(combination, rows, parts)

    def place(self, codes: Codes) -> Codes:
        """The column within the block of each row's combination, -1 for none; sorted and distinct in each row."""
        if isinstance(codes, Ragged):
            return distinct_in_rows(Ragged(self.place_of(codes.values), codes.rows, codes.n_rows))
        return self.place_of(codes)

    def place_of(self, codes: IntArray) -> IntArray:
        """The column (m,) within the block of combinations (m,), -1 for none."""
        if self.kept is None:
            return codes
        # The code -1 selects the last entry of the table.
        table = np.full(self.counts.size + 1, self.n_observed - 1 if self.has_rare else -1, dtype=codes.dtype)
        table[-1] = -1
        table[self.kept] = np.arange(self.kept.size)
        return table[codes]

    def split(self, codes: IntArray) -> list[IntArray]:
        """The code (m,) of each field's level in combinations (m,)."""
        return [codes] if self.combinations is None else self.combinations.split(codes)

    @property
    def kept_codes(self) -> IntArray:
        """The observed levels or combinations with a column of their own, in the order of the columns."""
        return np.arange(self.counts.size) if self.kept is None else self.kept


@dataclass(frozen=True)
class Observed:
    """The fields of a block, their observed combinations if several, and the number of rows of each."""

    fields: Fields
    combinations: Combinations | None
    counts: IntArray


def observe(columns: Sequence[Codes], radices: Sequence[int]) -> tuple[Combinations | None, Codes]:
    """The observed combinations of columns of codes, and the code of each row's combination or combinations.

    The code is -1 where the code of a column is -1.
    """
    if len(columns) == 1:
        # Every code of a field was observed: a main effect needs no keys.
        return None, columns[0]
    parts, rows = align(columns)
    if all(part.min(initial=0) >= 0 for part in parts):
        combinations, codes = Combinations.fit(parts, radices)
    else:
        known = np.flatnonzero(np.logical_and.reduce([part >= 0 for part in parts]))
        combinations, present = Combinations.fit([part[known] for part in parts], radices)
        codes = np.full(parts[0].size, -1, dtype=present.dtype)
        codes[known] = present
    return combinations, codes if rows is None else _ragged(codes, rows, columns)


def count_rows(codes: IntArray, weights: IntArray | None = None) -> IntArray:
    """The number, or the sum of weights, of the rows of each code; int32 where it fits, int64 otherwise."""
    if codes.min(initial=0) < 0:
        codes = codes[codes >= 0]
    # float64 adds integers exactly below 2^53.
    counts = np.bincount(codes, weights=weights)
    small = counts.max(initial=0) <= np.iinfo(np.int32).max
    return counts.astype(np.int32 if small else np.int64)


def _ragged(codes: IntArray, rows: IntArray, parts: Sequence[Codes]) -> Ragged:
    return Ragged(codes, rows, next(part.n_rows for part in parts if isinstance(part, Ragged)))

"""`Block`: the columns of one field or of one cross, and which of its observed combinations have one.

This room may not know the levels that codes stand for, other blocks, or tables.
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
from sparsereg.crosses.vocabulary import CROSS

__all__ = ["Block", "Fields", "Keep", "Observed", "Rare", "count_rows", "observe"]

IntArray = NDArray[Any]
Fields = tuple[str, ...]


class Rare(Enum):
    """The level of a column that pools the rare levels of a block."""

    RARE = "rare"


@dataclass(frozen=True)
class Keep:
    """Which observed levels or combinations of a block get a column of their own.

    Attributes
    ----------
    min_count : int
        Those with as many rows.
    max_levels : int or None
        Of those the most frequent ones, this many of a block at most; of equally frequent ones the first in order.
    pool : bool
        Whether the others share a column.
    with_missing : bool
        Whether missing is a level of its own, or no level at all.
    """

    min_count: int = 1
    max_levels: int | None = None
    pool: bool = False
    with_missing: bool = True

    def chosen(self, counts: IntArray) -> IntArray:
        """The numbers, ascending, of levels that have so many rows (k,) each."""
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
        One for a main effect or a number, several for a cross.
    start, stop : int
        The block is columns ``start`` to ``stop - 1`` of the output.
    n_cells : int
        Nominal number of columns: the product of the levels that its fields could have. It can pass 2^63.
    is_number : bool
        Whether it is a column of numbers passed through.
    has_rare : bool
        Whether the last column pools the levels or combinations that are too rare for one of their own.
    counts : ndarray of int32 or int64
        Rows of each observed level or combination in fit, in order, with or without a column; empty for a number.
    kept : ndarray of int64, or None
        Which of those have a column of their own; None when all have.
    combinations : Combinations or None
        The observed combinations of a cross.
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
        """The fields in words, ``latitude x longitude``."""
        return CROSS.join(self.fields)

    @property
    def n_observed(self) -> int:
        """Number of columns that the block has."""
        return self.stop - self.start

    def find(self, codes: Mapping[str, Codes]) -> Codes:
        """Number of the observed combination that the codes of the fields' levels make, -1 for none, row by row."""
        parts = [codes[name] for name in self.fields]
        if self.combinations is None:
            return parts[0]
        aligned, rows = align(parts)
        found = self.combinations.find(aligned)
        return found if rows is None else _ragged(found, rows, parts)

    def place(self, found: Codes) -> Codes:
        """Column within the block of observed combinations by number, -1 for none; in each row sorted, none twice."""
        if isinstance(found, Ragged):
            return distinct_in_rows(Ragged(self.place_of(found.values), found.rows, found.n_rows))
        return self.place_of(found)

    def place_of(self, numbers: IntArray) -> IntArray:
        """Column (m,) within the block of observed combinations (m,) by number, -1 for none."""
        if self.kept is None:
            return numbers
        # The number -1 finds the last place of the table.
        table = np.full(self.counts.size + 1, self.n_observed - 1 if self.has_rare else -1, dtype=numbers.dtype)
        table[-1] = -1
        table[self.kept] = np.arange(self.kept.size)
        return table[numbers]

    def split(self, numbers: IntArray) -> list[IntArray]:
        """Codes (m,) of each field's level, for observed combinations (m,) by number."""
        return [numbers] if self.combinations is None else self.combinations.split(numbers)


@dataclass(frozen=True)
class Observed:
    """What was seen of a block: its fields, their combinations if several, and how many rows each has."""

    fields: Fields
    combinations: Combinations | None
    counts: IntArray


def observe(columns: Sequence[Codes], radices: Sequence[int]) -> tuple[Combinations | None, Codes]:
    """The observed combinations of columns of codes, and the number of each row's, or of each that a row has.

    A code of -1 makes no combination: its number is -1.
    """
    if len(columns) == 1:
        # Every code of a field was observed: a main effect needs no keys.
        return None, columns[0]
    parts, rows = align(columns)
    if all(part.min(initial=0) >= 0 for part in parts):
        combinations, numbers = Combinations.fit(parts, radices)
    else:
        known = np.flatnonzero(np.logical_and.reduce([part >= 0 for part in parts]))
        combinations, found = Combinations.fit([part[known] for part in parts], radices)
        numbers = np.full(parts[0].size, -1, dtype=found.dtype)
        numbers[known] = found
    return combinations, numbers if rows is None else _ragged(numbers, rows, columns)


def count_rows(numbers: IntArray, weights: IntArray | None = None) -> IntArray:
    """How many rows, or what weight of rows, each number from 0 has; int32 where it does."""
    if numbers.min(initial=0) < 0:
        numbers = numbers[numbers >= 0]
    # Whole weights below 2^53 add up exactly in float64.
    counts = np.bincount(numbers, weights=weights)
    small = counts.max(initial=0) <= np.iinfo(np.int32).max
    return counts.astype(np.int32 if small else np.int64)


def _ragged(numbers: IntArray, rows: IntArray, parts: Sequence[Codes]) -> Ragged:
    n_rows = next(part.n_rows for part in parts if isinstance(part, Ragged))
    return Ragged(numbers, rows, n_rows)

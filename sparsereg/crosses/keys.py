"""Integer keys: distinct values, look-up, and several columns of codes combined into one key.

A code numbers the sorted distinct values from 0; -1 is a value that is not among them. All arrays are at most a small
multiple of the rows long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.stored import check_integers

__all__ = ["Combinations", "Stage", "distinct", "lookup"]

IntArray = NDArray[Any]

# n values are numbered through a table, which is faster than sorting, if it has at most 4 n + 2^16 entries.
_TABLE_PER_KEY = 4
_SMALL_TABLE = 1 << 16
# Keys of up to 48 bits are sorted by 16 bits at a time: NumPy sorts uint16 in linear time.
_DIGIT_BITS = 16
_MAX_DIGITS = 3
_MAX_KEY = 2**63 - 1


def distinct(values: IntArray) -> tuple[IntArray, IntArray]:
    """Sorted distinct values and the code of each value.

    Parameters
    ----------
    values : ndarray of an integer dtype, shape (n,)

    Returns
    -------
    levels : ndarray of the same dtype, shape (k,)
    codes : ndarray of int32 (int64 beyond 2^31 levels), shape (n,)
        ``levels[codes] == values``.

    Examples
    --------
    >>> distinct(np.array([30, 10, 30]))
    (array([10, 30]), array([1, 0, 1], dtype=int32))
    """
    if not values.size:
        return values.copy(), np.empty(0, dtype=np.int32)
    # A column of a row-major table is strided, and read several times below.
    values = np.ascontiguousarray(values)
    offsets, span = _offsets(values)
    if span <= _table_size(values.size):
        seen = np.zeros(span, dtype=np.bool_)
        seen[offsets] = True
        places = np.flatnonzero(seen)
        table = np.empty(span, dtype=_code_dtype(places.size))
        table[places] = np.arange(places.size, dtype=table.dtype)
        return (places.astype(values.dtype) + values.min()).astype(values.dtype, copy=False), table[offsets]
    order = _order(offsets, span)
    ordered = values[order]
    first = np.empty(values.size, dtype=np.bool_)
    first[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    ranks = np.cumsum(first, dtype=_code_dtype(values.size))
    ranks -= 1
    codes = np.empty_like(ranks)
    codes[order] = ranks
    return ordered[first], codes


def lookup(levels: IntArray, values: IntArray) -> IntArray:
    """Code of each value among sorted distinct levels, or -1.

    Parameters
    ----------
    levels : ndarray of an integer dtype, shape (k,)
        Sorted, without duplicates.
    values : ndarray of an integer dtype, shape (n,)
        Of any integer dtype, also unsigned when the levels are signed or the other way round.

    Returns
    -------
    ndarray of int32 (int64 beyond 2^31 levels), shape (n,)

    Examples
    --------
    >>> lookup(np.array([10, 30]), np.array([30, 20, 10]))
    array([ 1, -1,  0], dtype=int32)
    """
    codes = np.full(values.size, -1, dtype=_code_dtype(levels.size))
    if not levels.size or not values.size:
        return codes
    low, high = int(levels[0]), int(levels[-1])
    if high - low < _table_size(values.size) and _subtracts(values, low):
        # Values outside are taken for the first or the last entry, which are no level's.
        table = np.full(high - low + 3, -1, dtype=codes.dtype)
        table[levels.astype(np.int64) - (low - 1)] = np.arange(levels.size, dtype=codes.dtype)
        return table.take(np.subtract(values, low - 1, dtype=np.int64), mode="clip")
    inside = (values >= low) & (values <= high)
    if not inside.any():
        return codes
    rows = None if inside.all() else np.flatnonzero(inside)
    # Between low and high a value fits the dtype of the levels, so this cast loses nothing.
    known = (values if rows is None else values[rows]).astype(levels.dtype, copy=False)
    if high - low < _table_size(values.size):
        table = np.full(high - low + 1, -1, dtype=codes.dtype)
        table[levels - levels[0]] = np.arange(levels.size, dtype=codes.dtype)
        found = table[known - levels[0]]
    else:
        found = _search(levels, known)
    codes[slice(None) if rows is None else rows] = found
    return codes


def _subtracts(values: IntArray, low: int) -> bool:
    """Whether `values - low` fits into 64 bits."""
    if values.dtype.kind == "i" and values.dtype.itemsize <= 4:
        return abs(low) < 2**62
    least, most = int(values.min()), int(values.max())
    return max(abs(least), abs(most), abs(low)) < 2**62


@dataclass(frozen=True)
class Stage:
    """Sorted observed keys of a few columns of codes; the key of ``(a, b, c)`` is ``(a * n_b + b) * n_c + c``."""

    radices: tuple[int, ...]
    keys: IntArray

    @classmethod
    def fit(cls, columns: Sequence[IntArray], radices: Sequence[int]) -> tuple[Stage, IntArray]:
        """The keys of columns of codes (n,), none of them -1, and the code (n,) of each row's key."""
        keys, codes = distinct(_ravel(columns, radices))
        return cls(tuple(radices), keys), codes

    def find(self, columns: Sequence[IntArray]) -> IntArray:
        """Code (n,) of each row's key, or -1 where the key, or one of its codes, was not observed."""
        codes = lookup(self.keys, _ravel(columns, self.radices))
        for column in columns:
            # With a code of -1 the key can be that of another combination.
            if column.size and column.min() < 0:
                codes[column < 0] = -1
        return codes

    def split(self, codes: IntArray) -> list[IntArray]:
        """The codes (m,) of each column, from the codes (m,) of keys."""
        parts = []
        key = self.keys[codes]
        for radix in reversed(self.radices[1:]):
            key, part = np.divmod(key, radix)
            parts.append(part)
        return [key, *reversed(parts)]


@dataclass(frozen=True)
class Combinations:
    """The observed combinations of any number of columns of codes.

    Where the product of the numbers of codes exceeds 2^63 - 1, the columns so far form a stage, and the codes of its
    observed keys are the first column of the next stage: keys never overflow.

    Attributes
    ----------
    stages : tuple of Stage
        The keys of the last stage are the combinations.
    """

    stages: tuple[Stage, ...]

    def __len__(self) -> int:
        return self.stages[-1].keys.size

    @classmethod
    def fit(cls, columns: Sequence[IntArray], radices: Sequence[int]) -> tuple[Combinations, IntArray]:
        """The combinations in columns of codes (n,), none of them -1, and the code (n,) of each row."""
        stages: list[Stage] = []
        pending, sizes = [columns[0]], [radices[0]]
        for column, radix in zip(columns[1:], radices[1:], strict=True):
            if math.prod(sizes) * radix > _MAX_KEY:
                stage, codes = Stage.fit(pending, sizes)
                stages.append(stage)
                pending, sizes = [codes], [stage.keys.size]
            if sizes[0] * radix > _MAX_KEY:
                raise ValueError(f"{sizes[0]} combinations times {radix} levels pass 2^63; use coarser bins.")
            pending.append(column)
            sizes.append(radix)
        stage, codes = Stage.fit(pending, sizes)
        return cls((*stages, stage)), codes

    @classmethod
    def restore(cls, stages: Sequence[Stage], radices: Sequence[int]) -> Combinations:
        """The combinations of saved stages, checked to be keys of columns of codes with these `radices`."""
        rest = list(radices)
        for number, stage in enumerate(stages):
            taken = len(stage.radices)
            if taken < 2 or list(stage.radices) != rest[:taken]:
                raise ValueError(f"radices={stage.radices} do not fit {rest} levels.")
            check_integers(f"keys of stage {number}", stage.keys, 0, min(math.prod(stage.radices) - 1, _MAX_KEY))
            rest = [stage.keys.size, *rest[taken:]]
        if len(rest) > 1:
            raise ValueError(f"keys are missing for {rest[1:]} levels.")
        return cls(tuple(stages))

    def find(self, columns: Sequence[IntArray]) -> IntArray:
        """Code (n,) of each row's combination, or -1 where it, or one of its codes, was not observed."""
        rest = list(columns)
        for stage in self.stages:
            taken = len(stage.radices)
            rest = [stage.find(rest[:taken]), *rest[taken:]]
        return rest[0]

    def split(self, codes: IntArray) -> list[IntArray]:
        """The codes (m,) of each column, from the codes (m,) of combinations."""
        parts: list[IntArray] = []
        for stage in reversed(self.stages):
            codes, *rest = stage.split(codes)
            parts = [*rest, *parts]
        return [codes, *parts]


def _ravel(columns: Sequence[IntArray], radices: Sequence[int]) -> IntArray:
    key = columns[0].astype(np.int64)
    for column, radix in zip(columns[1:], radices[1:], strict=True):
        key *= radix
        key += column
    return key


def _table_size(n: int) -> int:
    return _TABLE_PER_KEY * n + _SMALL_TABLE


def _code_dtype(n: int) -> type[np.signedinteger[Any]]:
    return np.int32 if n <= np.iinfo(np.int32).max else np.int64


def _offsets(values: IntArray) -> tuple[NDArray[np.uint64], int]:
    """Each value minus the smallest, and one more than the largest of these."""
    low, high = int(values.min()), int(values.max())
    # Modulo 2^64 the difference is exact also where it exceeds 2^63.
    offsets = values.astype(np.uint64)
    offsets -= np.uint64(low % 2**64)
    return offsets, high - low + 1


def _order(offsets: NDArray[np.uint64], span: int) -> IntArray:
    """Stable sorting order of the offsets (n,), all below `span`."""
    bits = (span - 1).bit_length()
    if bits > _DIGIT_BITS * _MAX_DIGITS:
        return np.argsort(offsets, kind="stable")
    order = np.argsort(offsets.astype(np.uint16), kind="stable")
    for shift in range(_DIGIT_BITS, bits, _DIGIT_BITS):
        digit = (offsets >> np.uint64(shift)).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def _search(levels: IntArray, values: IntArray) -> IntArray:
    """Code of each value, all within the range of the sorted levels, or -1; by binary search."""
    # Sorted queries read the levels in order, from the cache; random queries miss the cache at nearly every step.
    order = _order(*_offsets(values))
    ordered = values[order]
    places = np.searchsorted(levels, ordered)
    places[levels[places] != ordered] = -1
    codes = np.empty_like(places)
    codes[order] = places
    return codes

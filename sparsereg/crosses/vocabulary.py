"""`Levels`: the observed levels of one field, sorted, and the code of each row's level.

A field is a column read as categories: strings, integers, booleans, or numbers and dates through a rule. Codes number
the sorted levels from 0; missing, where observed, is the last level; -1 is an unobserved level.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import ne
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.binning import Bins, Edges, Quantiles, Rule
from sparsereg.crosses.column import BoolArray, Column
from sparsereg.crosses.keys import distinct, lookup
from sparsereg.crosses.ragged import Codes, Ragged
from sparsereg.crosses.rules import rule_from_dict
from sparsereg.crosses.split import Split, parts_of_rows
from sparsereg.crosses.stored import check_integers, check_json, pack_strings, unpack_strings

__all__ = ["CROSS", "Levels", "quoted"]

IntArray = NDArray[Any]

# A binary search among the levels costs about as much as inserting this many of them into a dict.
_SEARCH_COST = 8
_MISSING = "missing"
# Labels of special levels; strings of the same text are quoted.
_RESERVED = (_MISSING, "rare")
# The separator of the fields of a cross, and of its levels, in names.
CROSS = " x "
# Attributes of `Levels` that saved models hold as JSON.
_PLAIN = ("field", "column", "kind", "missing", "n_cells", "zone")
_SCHEMA = dict.fromkeys(("field", "column", "kind"), (str,)) | {
    "missing": (bool,),
    "n_cells": (int,),
    "zone": (str, type(None)),
    "bins": (dict, type(None)),
}


@dataclass(frozen=True, eq=False)
class Levels:
    """The observed levels of one field.

    Attributes
    ----------
    field : str
    column : str
        The column that the field is read from.
    kind : str
        ``"bin"``, ``"boolean"``, ``"integer"``, ``"string"``; ``"missing"`` if all values were missing.
    numbers : ndarray of int64 or uint64, shape (k,)
        Sorted integers, booleans as 0 and 1, or bin indices; empty for strings.
    strings : tuple of str
        Sorted strings; empty for numbers.
    missing : bool
        Whether missing is a level, the last one.
    n_cells : int
        Number of possible levels, including empty bins and unused categories.
    bins : Bins or None
        The rule of a binned field.
    split : Split or None
        The rule of a field with several levels in a row; its codes are `Ragged`.
    zone : str or None
        The time zone of the observed dates.
    """

    field: str
    column: str
    kind: Literal["bin", "boolean", "integer", "missing", "string"]
    numbers: IntArray
    strings: tuple[str, ...]
    missing: bool
    n_cells: int
    bins: Bins | None = None
    split: Split | None = None
    zone: str | None = None

    def __len__(self) -> int:
        return self.numbers.size + len(self.strings) + self.missing

    @classmethod
    def fit(cls, field: str, column: Column, rule: Rule | None, with_missing: bool = True) -> tuple[Levels, Codes]:
        """The levels of a field in its column, and the code (n,) of each row; `Ragged` codes if the rule is a `Split`.

        With `with_missing`, missing is a level if observed; without, its code is -1.

        Raises
        ------
        ValueError
            If the column cannot be read as categories, or not through the rule.
        """
        none = np.empty(0, dtype=np.int64)
        if rule is None and column.kind in ("date", "list"):
            needed = "DatePart('month')" if column.kind == "date" else "Split()"
            raise ValueError(
                f"column {column.name!r} holds {column.kind}s, which need a rule in bins, such as {needed}; "
                "otherwise leave it out of fields."
            )
        is_missing = column.is_missing()
        missing = is_missing is not None and with_missing
        split = rule if isinstance(rule, Split) else None
        if (rule is None or split) and column.kind == "missing":
            levels = cls(field, column.name, "missing", none, (), missing, int(missing), split=split)
            return levels, levels.encode(column)
        if split:
            words, positions = parts_of_rows(column, split)
            strings = tuple(words[number] for number in np.unique(positions.values) if number < len(words))
            levels = cls(field, column.name, "string", none, strings, missing, len(words) + missing, split=split)
            return levels, levels._code_parts(words, positions)
        if rule is None and column.kind == "string":
            strings, codes = _sorted_strings(column)
            levels = cls(field, column.name, "string", none, strings, missing, len(set(column.dictionary)) + missing)
            if missing:
                codes[codes < 0] = len(strings)
            return levels, codes
        bins = None
        if rule is None:
            integers = column.values if is_missing is None else column.values[~is_missing]
        else:
            bins, integers = _fit_bins(column, rule, is_missing)
        numbers, codes = distinct(integers)
        n_cells = numbers.size
        if bins is not None and numbers.size:
            n_cells = bins.n_cells(int(numbers[0]), int(numbers[-1]))
        kind = "bin" if bins is not None else column.kind
        assert kind in ("bin", "boolean", "integer")
        levels = cls(field, column.name, kind, numbers, (), missing, n_cells + missing, bins, zone=column.zone)
        return levels, _spread(codes, is_missing, numbers.size if missing else -1)

    def refit(self, field: str, column: Column, rule: Rule | None, with_missing: bool = True) -> tuple[Levels, Codes]:
        """`fit` for another chunk of the same field, with the bins of this one; whole floats become integers again."""
        fitted = self.bins or self.split
        settled = isinstance(rule, Quantiles) and isinstance(fitted, Edges)
        if rule != fitted and not settled:
            raise ValueError(
                f"field {field!r} was fitted with {fitted!r}, and partial_fit cannot change it to {rule!r}; call fit."
            )
        self._check_zone(column)
        if self.kind == "integer" and column.kind == "number":
            column = column.as_integers()
        if rule is None and column.kind == "number":
            raise ValueError(
                f"column {column.name!r} was {self.kind} in earlier chunks but holds floats; give it a rule in bins."
            )
        return Levels.fit(field, column, rule if self.bins is None else self.bins, with_missing)

    def encode(self, column: Column) -> Codes:
        """The code (n,) of each row of a column of another table, -1 for an unobserved level; `Ragged` with a `Split`.

        Raises
        ------
        ValueError
            If the column is of another type than in fit.
        """
        self._check_zone(column)
        is_missing = column.is_missing()
        missing = len(self) - 1 if self.missing else -1
        if self.split is not None:
            return self._code_parts(*parts_of_rows(column, self.split))
        if column.kind == "missing":
            return np.full(column.values.size, missing, dtype=np.int32)
        if self.kind == "missing":
            codes = np.full(column.values.size, -1, dtype=np.int32)
            codes[slice(0, 0) if is_missing is None else is_missing] = missing
            return codes
        if self.bins is not None:
            integers = _index(column, self.bins, is_missing)
            return _spread(lookup(self.numbers, integers), is_missing, missing)
        if self.kind == "integer" and column.kind == "number":
            column = column.as_integers()
        if column.kind != self.kind:
            raise ValueError(
                f"column {column.name!r} was fitted as {self.kind} but holds {column.kind} values now; "
                "convert it to the type that it had in fit."
            )
        if self.kind == "string":
            # The code -1 of a missing value selects the last entry.
            codes_of = np.array([*self._find(column.dictionary), missing], dtype=np.int32)
            return codes_of[column.values]
        integers = column.values if is_missing is None else column.values[~is_missing]
        return _spread(lookup(self.numbers, integers), is_missing, missing)

    def _code_parts(self, words: Sequence[str], numbers: Ragged) -> Ragged:
        """Codes of the levels of each row, from the result of `parts_of_rows`."""
        codes_of = np.array([*self._find(words), len(self) - 1 if self.missing else -1], dtype=np.int32)
        return Ragged(codes_of[numbers.values], numbers.rows, numbers.n_rows)

    def _check_zone(self, column: Column) -> None:
        if column.kind == "date" and self.numbers.size and column.zone != self.zone:
            raise ValueError(
                f"column {column.name!r} holds dates {_in(column.zone)}, but was fitted {_in(self.zone)}; "
                "convert it to the zone of fit."
            )

    def is_like(self, other: Levels) -> bool:
        """Whether equal texts or numbers have the same meaning as levels of the other field."""
        known = self.kind != "missing" and other.kind != "missing"
        zoned = self.numbers.size and other.numbers.size and self.zone != other.zone
        alike = self.column == other.column and self.bins == other.bins and self.split == other.split and not zoned
        return alike and (self.kind == other.kind or not known)

    def _find(self, words: Sequence[str]) -> list[int]:
        """The code of each string, or -1."""
        if len(words) * _SEARCH_COST > len(self.strings):
            code_of = {string: code for code, string in enumerate(self.strings)}
            return [code_of.get(word, -1) for word in words]
        codes = [bisect_left(self.strings, word) for word in words]
        pairs = zip(codes, words, strict=True)
        return [code if self.strings[code : code + 1] == (word,) else -1 for code, word in pairs]

    def level(self, code: int) -> object:
        """The level: a string, an integer, a boolean, the bounds ``(a, b)`` of a bin, or None for missing."""
        if self.missing and code == len(self) - 1:
            return None
        if self.kind == "string":
            return self.strings[code]
        number = int(self.numbers[code])
        if self.bins is not None:
            return self.bins.level(number)
        return bool(number) if self.kind == "boolean" else number

    def label(self, code: int) -> str:
        """The level as text, as it appears in names."""
        level = self.level(code)
        if level is None:
            return _MISSING
        if self.bins is not None:
            return self.bins.label(int(self.numbers[code]))
        word = str(level)
        return repr(word) if word in _RESERVED else quoted(word)

    def union(self, other: Levels) -> Levels:
        """The levels of both.

        Raises
        ------
        ValueError
            If the two differ in column, bins, kind of levels, or time zone.
        """
        if self.column != other.column:
            raise ValueError(
                f"field {self.field!r} is made of column {self.column!r} on one side and of {other.column!r} on the "
                "other; fit both with the same bins."
            )
        if self.numbers.size and other.numbers.size and self.zone != other.zone:
            raise ValueError(
                f"field {self.field!r} has dates {_in(self.zone)} on one side, {_in(other.zone)} on the other; "
                "convert both to one zone."
            )
        if self.kind == "missing" or other.kind == "missing":
            known = other if self.kind == "missing" else self
            missing = self.missing or other.missing
            return replace(known, missing=missing, n_cells=known.n_cells - known.missing + missing)
        if self.kind != other.kind or self.bins != other.bins or self.split != other.split:
            raise ValueError(
                f"field {self.field!r} has {self.kind} levels with bins={self.bins or self.split} on one side, "
                f"{other.kind} levels with bins={other.bins or other.split} on the other; "
                "fit both with the same bins on columns of one type."
            )
        missing = self.missing or other.missing
        numbers = self.numbers
        if self.numbers.dtype == other.numbers.dtype:
            numbers = np.union1d(self.numbers, other.numbers)
        elif other.numbers.size:
            numbers = _union_of_signs(self.numbers, other.numbers, self.field)
        strings = tuple(sorted({*self.strings, *other.strings}))
        n_cells = numbers.size + len(strings)
        if self.bins is not None and numbers.size:
            n_cells = self.bins.n_cells(int(numbers[0]), int(numbers[-1]))
        # The unused categories of a categorical count as possible levels.
        n_cells = max(n_cells, self.n_cells - self.missing, other.n_cells - other.missing)
        zone = self.zone if self.numbers.size else other.zone
        return replace(self, numbers=numbers, strings=strings, missing=missing, n_cells=n_cells + missing, zone=zone)

    def codes_in(self, other: Levels) -> IntArray:
        """The code of each level (k,) among other levels, -1 where it is not one of them."""
        if not self.is_like(other):
            return np.full(len(self), -1)
        if self.kind == "string":
            code_of = {string: code for code, string in enumerate(other.strings)}
            codes = np.array([code_of.get(string, -1) for string in self.strings], dtype=np.int64)
        else:
            codes = lookup(other.numbers, self.numbers).astype(np.int64)
        missing = [len(other) - 1 if other.missing else -1] if self.missing else []
        return np.concatenate([codes, np.array(missing, dtype=np.int64)])

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The levels as JSON values and plain arrays; `from_state` reads them back."""
        rule = self.bins or self.split
        spec: dict[str, Any] = {key: getattr(self, key) for key in _PLAIN}
        spec["bins"] = None if rule is None else rule.to_dict()
        if self.kind == "string":
            text, offsets = pack_strings(self.strings)
            return spec, {"text": text, "offsets": offsets}
        return spec, {"numbers": self.numbers}

    @classmethod
    def from_state(cls, spec: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Levels:
        """Read back and check what `to_state` wrote."""
        check_json(spec, _SCHEMA, "levels")
        rule = None if spec["bins"] is None else rule_from_dict(spec["bins"])
        kind = spec["kind"]
        needed = {"bin": (Bins,), "string": (Split, type(None)), "missing": (Split, type(None))}.get(
            kind, (type(None),)
        )
        if kind not in ("bin", "boolean", "integer", "missing", "string") or not isinstance(rule, needed):
            raise ValueError(f"field {spec['field']!r} has kind={kind!r} and bins={rule!r}, which do not fit.")
        if kind == "string":
            strings, numbers = unpack_strings(arrays["text"], arrays["offsets"]), np.empty(0, dtype=np.int64)
        else:
            strings, numbers = (), arrays["numbers"]
            limits = rule.limits() if isinstance(rule, Bins) else (0, 1) if kind == "boolean" else (-(2**63), 2**64)
            check_integers(f"numbers of field {spec['field']!r}", numbers, *limits)
            if kind == "missing" and numbers.size:
                raise ValueError(f"field {spec['field']!r} has numbers, but kind='missing'.")
        bins, split = rule if isinstance(rule, Bins) else None, rule if isinstance(rule, Split) else None
        return cls(**{key: spec[key] for key in _PLAIN}, numbers=numbers, strings=strings, bins=bins, split=split)


def quoted(word: str, mark: str = CROSS) -> str:
    """A text as part of a name, quoted if it contains `mark` or could be read as a quote or as a cross.

    A name is ``field=level``, joined by `CROSS`. It can be split again from the left, and so is unique, because a field
    that is not quoted has no ``=``, and no unquoted text begins with a quote or contains `CROSS`, nor does its end
    together with the `CROSS` that follows.
    """
    ambiguous = mark in word or word.startswith(("'", '"')) or CROSS in f"{word} "
    return repr(word) if ambiguous else word


def _sorted_strings(column: Column) -> tuple[tuple[str, ...], IntArray]:
    """The strings that occur, sorted, and the code (n,) of each row, -1 where missing."""
    # The code -1 of a missing value selects the additional last entry.
    seen = np.zeros(len(column.dictionary) + 1, dtype=np.bool_)
    seen[column.values] = True
    used = sorted(np.flatnonzero(seen[:-1]).tolist(), key=column.dictionary.__getitem__)
    strings = [column.dictionary[code] for code in used]
    # A dictionary can hold a string twice.
    new = [True, *map(ne, strings[1:], strings)][: len(strings)]
    codes = np.full(len(column.dictionary) + 1, -1, dtype=np.int32)
    codes[used] = np.cumsum(new) - 1
    return tuple(compress(strings, new)), codes[column.values]


def _present(column: Column, reads: str, is_missing: BoolArray | None) -> NDArray[Any]:
    """The values that are not missing, as dates or as numbers."""
    values = column.as_dates() if reads == "date" else column.as_numbers().values
    return values if is_missing is None else values[~is_missing]


def _fit_bins(column: Column, rule: Rule, is_missing: BoolArray | None) -> tuple[Bins, IntArray]:
    assert isinstance(rule, (Bins, Quantiles))
    reads = rule.reads if isinstance(rule, Bins) else "number"
    bins = rule.fit(_present(column, reads, is_missing))
    return bins, _index(column, bins, is_missing)


def _index(column: Column, bins: Bins, is_missing: BoolArray | None) -> IntArray:
    values = _present(column, bins.reads, is_missing)
    try:
        return bins.index(values)
    except ValueError as error:
        raise ValueError(f"column {column.name!r}: {error}") from None


def _in(zone: str | None) -> str:
    return "without a time zone" if zone is None else f"in the zone {zone}"


def _union_of_signs(a: IntArray, b: IntArray, field: str) -> IntArray:
    """Union of int64 and uint64 levels, in the type that represents both."""
    for dtype in (np.int64, np.uint64):
        if all(lookup(part.astype(dtype), part).min(initial=0) >= 0 for part in (a, b)):
            return np.union1d(a.astype(dtype), b.astype(dtype))
    raise ValueError(f"field {field!r} holds negative integers and ones beyond 2^63; convert it to strings.")


def _spread(codes: IntArray, is_missing: BoolArray | None, missing: int) -> IntArray:
    """The codes (n,) of all rows, from those of the rows that are not missing."""
    if is_missing is None:
        return codes
    spread = np.full(is_missing.size, missing, dtype=codes.dtype)
    spread[~is_missing] = codes
    return spread

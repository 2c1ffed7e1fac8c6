"""`Column`: one column of a table in one of seven plain forms, and conversions between them.

Does not depend on the libraries of tables, nor on bins and levels.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.ragged import Codes, Ragged, values_of

__all__ = ["LARGEST_EXACT", "Column", "normalized_text", "refuse_unknown"]

AnyArray = NDArray[Any]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Kind = Literal["boolean", "date", "integer", "list", "missing", "number", "string"]

# float64 represents every integer up to this one; beyond, different integers can be the same float.
LARGEST_EXACT = 2**53


@dataclass(frozen=True)
class Column:
    """One column in one of seven plain forms.

    Attributes
    ----------
    name : str
    kind : str
        The content of `values` (n,). ``"number"``: float64, NaN where missing. ``"integer"``, ``"boolean"`` (0 and 1):
        int64, or uint64 beyond its range, arbitrary where missing. ``"string"``: codes into `dictionary`, -1 where
        missing. ``"date"``: datetime64 in local time, NaT where missing. ``"list"``: lengths of lists of `items`, -1
        where missing. ``"missing"``: arbitrary, all are missing.
    values : ndarray, shape (n,)
    missing : ndarray of bool, shape (n,), or None
        Which integers or booleans are missing; None where none is.
    dictionary : list of str
        Strings, in any order; possibly unused or repeated.
    items : Column or None
        The items of all lists, one after another.
    zone : str or None
        The time zone of the dates; None where they have none.
    """

    name: str
    kind: Kind
    values: AnyArray
    missing: BoolArray | None = None
    dictionary: Sequence[str] = ()
    items: Column | None = None
    zone: str | None = None

    def value(self, row: int) -> object:
        """The value of one row as a Python object, None where missing; for error messages."""
        missing = self.is_missing()
        if missing is not None and missing[row]:
            return None
        value = self.values[row]
        if self.items is not None:
            first = int(self.values[:row].clip(0).sum())
            return [self.items.value(place) for place in range(first, first + value)]
        if self.kind == "string":
            return self.dictionary[value]
        if self.kind == "boolean":
            return bool(value)
        return value if self.kind == "date" else value.item()

    def is_missing(self) -> BoolArray | None:
        """Which rows (n,) are missing, or None where none is."""
        if self.kind == "missing":
            return np.ones(self.values.size, dtype=np.bool_)
        if self.kind in ("integer", "boolean"):
            return self.missing
        missing: BoolArray
        if self.kind in ("list", "string"):
            missing = self.values < 0
        else:
            missing = np.isnan(self.values) if self.kind == "number" else np.isnat(self.values)
        return missing if missing.any() else None

    def as_numbers(self) -> Column:
        """The column as float64, NaN where missing; booleans become 0 and 1.

        Raises
        ------
        ValueError
            If it holds strings, dates or lists, or an integer that float64 cannot represent.
        """
        if self.kind == "number":
            return self
        if self.kind not in ("boolean", "integer", "missing"):
            hint = " (categories count as strings)" if self.kind == "string" else ""
            raise ValueError(
                f"column {self.name!r} holds {self.kind} values where numbers are needed{hint}; "
                "convert it, for example with astype(float)."
            )
        numbers = np.full(self.values.size, np.nan) if self.kind == "missing" else self.values.astype(np.float64)
        large = (self.values > LARGEST_EXACT) | (self.values < -LARGEST_EXACT)
        if large.any():
            row = int(np.argmax(large))
            raise ValueError(
                f"column {self.name!r} holds {self.value(row)} in row {row}, and as floats, which bins and numeric "
                "fields are, integers beyond 2^53 are not distinct; subtract an origin from the column, or divide it."
            )
        if self.missing is not None:
            numbers[self.missing] = np.nan
        return Column(self.name, "number", numbers)

    def as_dates(self) -> AnyArray:
        """The dates (n,), NaT where missing.

        Raises
        ------
        ValueError
            If the column holds anything else.
        """
        if self.kind == "missing":
            return np.full(self.values.size, np.datetime64("NaT", "us"))
        if self.kind != "date":
            raise ValueError(f"column {self.name!r} holds {self.kind} values where dates are needed; parse the column.")
        return self.values

    def as_integers(self) -> Column:
        """A column of whole floats as integers: pandas reads integers with missing values as floats.

        Raises
        ------
        ValueError
            If a number is not whole, or so large that it may stand for several integers.
        """
        missing = self.is_missing()
        numbers = self.values if missing is None else np.where(missing, 0.0, self.values)
        # 2^53 itself may be a rounded 2^53 + 1.
        large = np.abs(numbers) >= LARGEST_EXACT
        wrong = large | (np.floor(numbers) != numbers)
        if wrong.any():
            row = int(np.argmax(wrong))
            why = ", where floats do not distinguish integers" if large[row] else ""
            raise ValueError(
                f"column {self.name!r} was fitted as integers but holds {self.value(row)} in row {row}{why}; "
                "read it as in fit, or as a nullable integer such as Int64."
            )
        return Column(self.name, "integer", numbers.astype(np.int64), missing)

    def as_finite(self) -> FloatArray:
        """The values (n,) as finite numbers.

        Raises
        ------
        ValueError
            If a value is missing or infinite.
        """
        numbers: FloatArray = self.as_numbers().values
        bad = ~np.isfinite(numbers)
        if bad.any():
            row = int(np.argmax(bad))
            what = "NaN" if np.isnan(numbers[row]) else "infinity"
            raise ValueError(
                f"Input X contains {what}: column {self.name!r}, row {row}, which passes through as a number. "
                "Fill it, or give the column a rule in bins, where missing is a level."
            )
        return numbers

    def normalized(self, separator: str | None) -> Column:
        """The column with normalized texts; with a separator, the parts between separators are normalized."""
        if self.items is not None:
            return replace(self, items=self.items.normalized(None))
        if separator is None:
            return replace(self, dictionary=[normalized_text(text) for text in self.dictionary])
        parts = [map(normalized_text, text.split(separator)) for text in self.dictionary]
        return replace(self, dictionary=list(map(separator.join, parts)))

    def or_missing(self) -> Column:
        """The column; of kind ``"missing"`` if it has no values, as libraries then choose any type.

        An empty text column of one chunk of a file is read as floats, for example.
        """
        empty = not self.values.size or (self.kind == "number" and bool(np.isnan(self.values).all()))
        return Column(self.name, "missing", np.zeros(self.values.size, dtype=np.int64)) if empty else self


def normalized_text(text: str) -> str:
    """A text in Unicode form NFC, without surrounding blanks."""
    return unicodedata.normalize("NFC", text).strip()


def refuse_unknown(codes: Codes, columns: Sequence[Column], allowed: Iterable[BoolArray] = ()) -> None:
    """Raise a ValueError at the first row with a code of -1, unless one of the masks `allowed` (n,) has the row."""
    unknown = values_of(codes) < 0
    if not unknown.any():
        return
    rows = codes.rows if isinstance(codes, Ragged) else np.arange(codes.size)
    rows = rows[unknown]
    for mask in allowed:
        rows = rows[~mask[rows]]
    if not rows.size:
        return
    row = int(rows[0])
    values = " and ".join(f"column {column.name!r} holds {column.value(row)!r}" for column in columns)
    raise ValueError(
        f"{values} in row {row}, which was not seen in fit; fit on data that has it, or use handle_unknown='zero'."
    )

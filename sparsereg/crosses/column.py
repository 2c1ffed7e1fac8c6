"""`Column`: one column of a table in one of a handful of plain forms, and what it can be taken for.

This room may not know libraries or tables, bins, levels, or what a column is read for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.ragged import Codes, Ragged, values_of

__all__ = ["LARGEST_EXACT", "Column", "refuse_unknown"]

AnyArray = NDArray[Any]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Kind = Literal["boolean", "date", "integer", "list", "missing", "number", "string"]

# The largest whole number up to which float64 has every one: beyond, two integers can be one float.
LARGEST_EXACT = 2**53


@dataclass(frozen=True)
class Column:
    """One column in one of seven plain forms.

    Attributes
    ----------
    name : str
    kind : str
        What `values` (n,) hold. ``"number"``: float64 with NaN where missing. ``"integer"``, ``"boolean"`` (0 and 1):
        int64, or uint64 where int64 does not do, anything where missing. ``"string"``: codes into `dictionary`, -1
        where missing. ``"date"``: datetime64 in wall time, NaT where missing. ``"list"``: lengths of lists of `items`, -1
        where missing. ``"missing"``: nothing, all are missing.
    values : ndarray, shape (n,)
    missing : ndarray of bool, shape (n,), or None
        Which integers or booleans are missing; None where none is.
    dictionary : list of str
        Strings, in any order; some may occur in no row, or twice.
    items : Column or None
        The items of all lists, one after another.
    zone : str or None
        The time zone whose wall clock the dates show; None where they have none.
    """

    name: str
    kind: Kind
    values: AnyArray
    missing: BoolArray | None = None
    dictionary: Sequence[str] = ()
    items: Column | None = None
    zone: str | None = None

    def value(self, row: int) -> object:
        """The value of one row as a Python object, None where missing; for messages."""
        gaps = self.gaps()
        if gaps is not None and gaps[row]:
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

    def gaps(self) -> BoolArray | None:
        """Which rows (n,) are missing, or None where none is."""
        if self.kind == "missing":
            return np.ones(self.values.size, dtype=np.bool_)
        if self.kind in ("integer", "boolean"):
            return self.missing
        gaps: BoolArray
        if self.kind in ("list", "string"):
            gaps = self.values < 0
        else:
            gaps = np.isnan(self.values) if self.kind == "number" else np.isnat(self.values)
        return gaps if gaps.any() else None

    def as_numbers(self) -> Column:
        """The column as float64 with NaN where missing; of booleans, 0 and 1.

        Raises
        ------
        ValueError
            If it holds strings or dates, or an integer that float64 does not have.
        """
        if self.kind == "number":
            return self
        if self.kind not in ("boolean", "integer", "missing"):
            hint = " (those of a categorical count as strings)" if self.kind == "string" else ""
            raise ValueError(
                f"column {self.name!r} holds {self.kind} values where numbers are needed{hint}; "
                "convert it, for example with astype(float)."
            )
        numbers = np.full(self.values.size, np.nan) if self.kind == "missing" else self.values.astype(np.float64)
        large = (self.values > LARGEST_EXACT) | (self.values < -LARGEST_EXACT)
        if large.any():
            row = int(np.argmax(large))
            raise ValueError(
                f"column {self.name!r} holds {self.value(row)} in row {row}, and as floats, which bins and numbers are, whole "
                "numbers beyond 2^53 run together; subtract an origin first, or divide."
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
            raise ValueError(f"column {self.name!r} holds {self.kind} values where dates are needed; parse them first.")
        return self.values

    def as_integers(self) -> Column:
        """A column of whole numbers that came as floats, as pandas makes of integers with gaps, as integers.

        Raises
        ------
        ValueError
            If a number is not whole, or beyond 2^53, where it may stand for several.
        """
        missing = self.gaps()
        numbers = self.values if missing is None else np.where(missing, 0.0, self.values)
        # 2^53 itself may be what became of 2^53 + 1.
        large = np.abs(numbers) >= LARGEST_EXACT
        wrong = large | (np.floor(numbers) != numbers)
        if wrong.any():
            row = int(np.argmax(wrong))
            why = ", where whole numbers have run together" if large[row] else ""
            raise ValueError(
                f"column {self.name!r} was fitted as integers but holds {self.value(row)} in row {row}{why}; "
                "read it as it was in fit, or as a nullable integer such as Int64."
            )
        return Column(self.name, "integer", numbers.astype(np.int64), missing)

    def as_finite(self) -> FloatArray:
        """The values (n,) as numbers, none of them missing.

        Raises
        ------
        ValueError
            If one is missing or infinite.
        """
        numbers: FloatArray = self.as_numbers().values
        bad = ~np.isfinite(numbers)
        if bad.any():
            row = int(np.argmax(bad))
            what = "NaN" if np.isnan(numbers[row]) else "infinity"
            raise ValueError(
                f"Input X contains {what}: column {self.name!r}, row {row}, which passes through as a number. "
                "Fill it, or give the column a rule in bins, where a missing value is a level of its own."
            )
        return numbers

    def or_missing(self) -> Column:
        """The column, or one that is all missing where it holds nothing: libraries give that any type.

        So comes a chunk of a file with an empty text column as one of floats, and a table without rows as whatever.
        """
        nothing = not self.values.size or (self.kind == "number" and bool(np.isnan(self.values).all()))
        return Column(self.name, "missing", np.zeros(self.values.size, dtype=np.int64)) if nothing else self


def refuse_unknown(codes: Codes, columns: Sequence[Column], excused: Iterable[BoolArray] = ()) -> None:
    """Raise a ValueError that names the columns, the values and the first row with a code of -1 that is not excused."""
    unknown = values_of(codes) < 0
    if not unknown.any():
        return
    rows = codes.rows if isinstance(codes, Ragged) else np.arange(codes.size)
    rows = rows[unknown]
    for rows_excused in excused:
        rows = rows[~rows_excused[rows]]
    if not rows.size:
        return
    row = int(rows[0])
    values = " and ".join(f"column {column.name!r} holds {column.value(row)!r}" for column in columns)
    raise ValueError(
        f"{values} in row {row}, which was not seen in fit; fit on data that has it, or use handle_unknown='zero'."
    )

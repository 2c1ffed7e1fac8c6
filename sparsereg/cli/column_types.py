"""From columns of text to numbers, truth values and dates. Text stays text where a number would merge two codes.

Levels are what is written: ``01`` and ``1`` differ. So a column is read as numbers only if no two texts in it
are the same number and none has a leading zero or plus sign, unless an option says that it holds numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from sparsereg.cli.tables import CsvFormat, list_names
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.feature_cross import FeatureCross

__all__ = ["ColumnTypes"]

Note = Callable[[str], None]

_INTEGER = r"^(0|-?[1-9][0-9]*)$"
_NUMBER = r"^([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[nN][aA][nN]|[+-]?[iI]nf(inity)?)$"
_CODE = r"^([+-]?0[0-9]|\+)"
# Equal to another number, though nobody's code: nan in any writing, and negative zero.
_NO_CODE = r"^([nN][aA][nN]|-0*\.?0*)$"
_TRUTH = (("true", "false"), ("True", "False"), ("TRUE", "FALSE"))
# 20141013T000000
_COMPACT_DATE = re.compile(r"\d{8}[T ]\d{4}(\d\d)?")
_DATE = re.compile(
    r"(\d{1,4})([-/.])(\d{1,2})([-/.])(\d{1,4})(?:([ T])\d{1,2}:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d*)?)?"
)


@dataclass(frozen=True)
class ColumnTypes:
    """What columns are read as; others of a CSV by what their texts look like, others of Parquet as they are.

    Attributes
    ----------
    types : dict of str to str
        "text", "number", "date", "integer" or "boolean".
    csv : CsvFormat
    levels : dict of str to integer array
        The levels of columns that were fitted as integers.
    date_formats : dict of str to str
        The format of the dates of a column; filled in as columns are read.
    """

    types: Mapping[str, str]
    csv: CsvFormat
    levels: Mapping[str, Any] = field(default_factory=dict)
    date_formats: dict[str, str] = field(default_factory=dict)

    @classmethod
    def for_predict(
        cls, cross: FeatureCross, csv: CsvFormat, date_formats: Mapping[str, str], numbers: Sequence[str] = ()
    ) -> ColumnTypes:
        """The types that a fitted cross needs, and those of further `numbers`, such as an offset."""
        types, integers = dict.fromkeys([*cross.numbers_, *numbers], "number"), {}
        for levels in cross.levels_.values():
            kind = "text" if levels.split else {"string": "text", "missing": "text"}.get(levels.kind, levels.kind)
            if levels.bins is not None:
                kind = "date" if isinstance(levels.bins, DatePart) else "number"
            if kind == "integer":
                integers[levels.column] = levels.numbers
            if kind in ("number", "date") or levels.column not in types:
                types[levels.column] = kind
        formats = {} if csv.date_format else dict(date_formats)
        return cls(types, csv, integers, formats)

    def apply(self, table: pl.DataFrame, is_csv: bool, note: Note) -> pl.DataFrame:
        """The table with its columns of text converted. A ValueError names the column, the value and the remedy."""
        codes: list[str] = []
        columns = []
        for column in table:
            kind = self.types.get(column.name, "any" if is_csv else "text")
            if column.dtype == pl.String:
                if is_csv:
                    missing = column.is_in(["", *self.csv.na])
                    column = column.set(missing.fill_null(False), None)
                column = self._converted(column, kind, codes, note)
            columns.append(column)
        if codes:
            note(f"read as text, as different texts would be one number: {list_names(codes, quote=False)}. "
                 "Read them as numbers with --numeric or --bin.")  # fmt: skip
        return pl.DataFrame(columns)

    def _converted(self, column: pl.Series, kind: str, codes: list[str], note: Note) -> pl.Series:
        if kind == "text" or column.null_count() == len(column):
            return column
        if kind == "any":
            typed, code = _inferred(column)
            if code is not None:
                codes.append(f"{column.name} ({code})")
            return typed
        if kind == "integer":
            return _integers(column, self.levels[column.name], note)
        if kind == "date":
            return self._dates(column, note)
        typed = _truth(column)
        if typed is None and kind == "number":
            numbers = column.str.contains(_NUMBER)
            typed = column.cast(pl.Float64, strict=False).set(~numbers, None)
        if typed is None or typed.null_count() > column.null_count():
            wrong = column if typed is None else column.filter(typed.is_null() & column.is_not_null())
            what = "numbers" if kind == "number" else "true or false"
            raise ValueError(
                f"column {column.name!r} must hold {what}, but holds {wrong[0]!r}; correct it, or use --na if that "
                "stands for a missing value."
            )
        return typed

    def _dates(self, column: pl.Series, note: Note) -> pl.Series:
        date_format = self.csv.date_format or self.date_formats.get(column.name) or _date_format(column, note)
        text = column.str.replace(r"([0-9])T([0-9])", "$1 $2")
        try:
            dates = text.str.to_datetime(date_format, time_unit="us")
        except pl.exceptions.PolarsError:
            parsed = text.str.to_datetime(date_format, time_unit="us", strict=False)
            wrong = column.filter(parsed.is_null() & column.is_not_null())[0]
            raise ValueError(
                f"column {column.name!r} cannot be read as dates: {wrong!r} is not written as {date_format}; give "
                "another --date-format."
            ) from None
        if "%#z" in date_format:
            note(f"the times of column {column.name} have offsets; they are read in UTC.")
        self.date_formats[column.name] = date_format
        return dates


def _inferred(column: pl.Series) -> tuple[pl.Series, str | None]:
    """The column as integers, truth values, decimal numbers or text; why it is text though all of it are numbers."""
    text = column.drop_nulls()
    if text.str.contains(_INTEGER).all():
        integers = column.cast(pl.Int64, strict=False)
        beyond = integers.null_count() > column.null_count()
        return (column, "beyond 64 bits") if beyond else (integers, None)
    if (truth := _truth(column)) is not None:
        return truth, None
    if not text.str.contains(_NUMBER).all():
        return column, None
    codes = text.filter(text.str.contains(_CODE))
    if len(codes):
        return column, f"such as {codes[0]}"
    plain = text.filter(~text.str.contains(_NO_CODE)).unique(maintain_order=True)
    numbers = plain.cast(pl.Float64)
    if len(equal := plain.filter(numbers.is_duplicated())):
        value = float(equal[0])
        return column, " and ".join([code for code in equal.to_list() if float(code) == value][:2])
    return column.cast(pl.Float64), None


def _truth(column: pl.Series) -> pl.Series | None:
    """The column as booleans, if both truth values are written in one way throughout."""
    for words in _TRUTH:
        if column.is_in(words).all():
            return column == words[0]
    return None


def _integers(column: pl.Series, levels: Any, note: Note) -> pl.Series:
    """The column as integers; a value that is none gets an integer that is not among the levels."""
    dtype = pl.UInt64 if levels.dtype == np.uint64 else pl.Int64
    text = column.str.replace(r"^(-?[1-9][0-9]*|0)\.0*$", "$1")
    integers = text.set(~text.str.contains(_INTEGER), None).cast(dtype, strict=False)
    unknown = integers.is_null() & column.is_not_null()
    if not unknown.any():
        return integers
    values = column.filter(unknown)
    note(
        f"column {column.name} was fitted as integers; {len(values):,} other values, such as {values[0]!r}, "
        "are unknown."
    )
    limits = np.iinfo(levels.dtype)
    largest = int(levels.max(initial=0))
    return integers.set(unknown, largest + 1 if largest < limits.max else int(levels.min()) - 1)


def _date_format(column: pl.Series, note: Note) -> str:
    """The format of a column of dates, from its first value, and where that leaves days and months open, from all."""
    first = column.drop_nulls()[0]
    if compact := _COMPACT_DATE.fullmatch(first):
        return "%Y%m%d %H%M" + ("%S" if compact[1] else "")
    match = _DATE.fullmatch(first)
    if match is None:
        raise ValueError(
            f"column {column.name!r} cannot be read as dates: {first!r} is in no known format; give its --date-format."
        )
    year, separator, _, second_separator, last, time, seconds, _, offset = match.groups()
    clock = "" if time is None else " %H:%M" + ("" if seconds is None else ":%S%.f") + ("" if offset is None else "%#z")
    if len(year) == 4:
        return f"%Y{separator}%m{second_separator}%d{clock}"
    short_year = "%y" if len(last) == 2 else "%Y"
    numbers = [column.str.extract(rf"^(?:\d+[-/.]){{{skip}}}(\d+)").cast(pl.Int64, strict=False) for skip in (0, 1)]
    month_first = (numbers[1].max() or 0) > 12
    order = ("%m", "%d") if month_first else ("%d", "%m")
    words = "month first" if month_first else "day first"
    open_question = not month_first and (numbers[0].max() or 0) <= 12
    why = ", which no date contradicts" if open_question else ""
    date_format = f"{order[0]}{separator}{order[1]}{second_separator}{short_year}{clock}"
    note(f"dates of column {column.name} are read {words}, as {date_format}{why}; --date-format gives another order.")
    return date_format

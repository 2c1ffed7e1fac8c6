"""Reading data files with polars, and the numbers in their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.rules import Of

__all__ = ["count_missing", "date_columns", "finite_numbers", "list_names", "read_table"]

_MAX_NAMES = 6


def date_columns(bins: Mapping[Any, Any]) -> list[str]:
    """The columns that the rules read as dates."""
    names = [str(name) for name, rule in bins.items() if isinstance(rule, DatePart)]
    sources = [rule for rule in bins.values() if isinstance(rule, Of) and isinstance(rule.rule, DatePart)]
    return list(dict.fromkeys([*names, *(str(rule.column) for rule in sources)]))


def read_table(
    file: str | Path, na: Sequence[str] = (), strings: Sequence[str] = (), dates: Sequence[str] = ()
) -> pl.DataFrame:
    """Read a Parquet file, or a CSV file in which `na` stand for missing values, besides an empty field.

    `strings` are columns of a CSV file to read as text even where they hold only numbers; `dates` are columns of text to
    read as dates, in ISO 8601 or a similar format. A ValueError says why a file cannot be read.
    """
    path = Path(file)
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pl.read_parquet(path)
        else:
            header = pl.read_csv(path, n_rows=0).columns
            overrides = {name: pl.String for name in strings if name in header}
            # The type of a column is inferred from all rows: a code such as C536379 may come late.
            table = pl.read_csv(path, infer_schema_length=None, null_values=["", *na], schema_overrides=overrides)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path} cannot be read as a table: {_first_line(error)}") from error
    for name in dates:
        if table.schema.get(name) == pl.String:
            try:
                table = table.with_columns(pl.col(name).str.to_datetime())
            except pl.exceptions.PolarsError as error:
                raise ValueError(f"column {name!r} cannot be read as dates: {_first_line(error)}") from error
    return table


def count_missing(column: pl.Series) -> int:
    """How many values are null or NaN."""
    return column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)


def finite_numbers(column: pl.Series, role: str) -> NDArray[np.float64]:
    """The values (n,) as finite numbers; errors name the `role`, target, weight or column, and the first bad value."""
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        example = ""
        if column.dtype == pl.String:
            wrong = column.filter(column.cast(pl.Float64, strict=False).is_null() & column.is_not_null())
            example = f", such as {wrong[0]!r}" if len(wrong) else ""
        raise ValueError(f"{role} {column.name!r} must hold numbers, but holds {column.dtype} values{example}.")
    if n_missing := count_missing(column):
        remedy = {"target": "", "weight": " Give every row one.", "column": " Use --bin: it gives them their own bin."}
        raise ValueError(f"{role} {column.name!r} has {n_missing:,} missing values.{remedy[role]}")
    values = np.array(column.cast(pl.Float64).to_numpy(), dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{role} {column.name!r} holds infinite values; replace them, or remove those rows.")
    return values


def list_names(names: Sequence[str], quote: bool = True) -> str:
    """The first few names, and how many more there are."""
    words = [repr(name) if quote and not name.isidentifier() else name for name in names[:_MAX_NAMES]]
    n_more = len(names) - _MAX_NAMES
    return ", ".join(words) + (f" and {n_more} more" if n_more > 0 else "")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

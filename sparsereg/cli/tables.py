"""Reading data files with polars: Parquet as it is, CSV as text, which `column_types` turns into numbers and dates."""

from __future__ import annotations

import bz2
import io
import lzma
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["CsvFormat", "count_missing", "finite_numbers", "list_names", "read_table"]

_MAX_NAMES = 6


@dataclass(frozen=True)
class CsvFormat:
    """How values are written in a CSV file: `na` are texts that stand for a missing value, besides an empty field."""

    separator: str = ","
    encoding: str = "utf8"
    na: tuple[str, ...] = ()
    date_format: str | None = None


def read_table(file: Path, csv: CsvFormat) -> tuple[pl.DataFrame, bool]:
    """A table, and whether it is a CSV, whose columns are all text; the file ``-`` is a CSV on the standard input.

    A ValueError says why a file cannot be read.
    """
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            return pl.read_parquet(file), False
        source = _decompressed(file)
        options = {"separator": csv.separator, "encoding": csv.encoding, "infer_schema": False}
        # polars would rename the second of two equal names.
        header = pl.read_csv(source, has_header=False, n_rows=1, **options).row(0)
        if twice := [name for name, count in Counter(header).items() if count > 1]:
            raise ValueError(
                f"{file} has several columns named {list_names([name or '' for name in twice])}; rename them."
            )
        return pl.read_csv(source, **options), True
    except (pl.exceptions.PolarsError, LookupError, UnicodeError, EOFError, lzma.LZMAError, zlib.error) as error:
        hint = "; name its --encoding" if "utf-8" in str(error) or isinstance(error, UnicodeError) else ""
        raise ValueError(f"{file} cannot be read as a table: {_first_line(error)}{hint}") from error


def _decompressed(file: Path) -> Path | bytes:
    """What polars can read: a plain, gzip, zlib or zstd file itself, of others the bytes."""
    if str(file) == "-":
        return sys.stdin.buffer.read()
    with file.open("rb") as source:
        start = source.read(6)
    if start.startswith(b"BZh"):
        return bz2.decompress(file.read_bytes())
    if start == b"\xfd7zXZ\x00":
        return lzma.decompress(file.read_bytes())
    if start.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
            if len(archive.namelist()) != 1:
                raise ValueError(
                    f"{file} is a zip archive of {len(archive.namelist())} files; extract the one to read."
                )
            return archive.read(archive.namelist()[0])
    return file


def count_missing(column: pl.Series) -> int:
    """How many values are null or NaN."""
    return column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)


def finite_numbers(column: pl.Series, role: str) -> NDArray[np.float64]:
    """The values (n,) as finite numbers; errors name the `role`: target, weight or column."""
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise ValueError(f"{role} {column.name!r} must hold numbers, but holds {column.dtype} values.")
    if n_missing := count_missing(column):
        remedies = {"weight": " Give every row one.", "column": " Use --bin: it gives them their own bin."}
        remedies["offset"] = remedies["weight"]
        raise ValueError(f"{role} {column.name!r} has {n_missing:,} missing values.{remedies.get(role, '')}")
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

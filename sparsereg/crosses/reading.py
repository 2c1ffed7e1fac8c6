"""`read_column`: one column of pandas, polars, Arrow or NumPy as a `Column`.

Columns are read through narwhals. Codes of strings and categories come from the libraries themselves, which store them.
Does not depend on what a column is read for.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sparsereg._core.strings import text_codes
from sparsereg.crosses.column import LARGEST_EXACT, AnyArray, BoolArray, Column, Kind
from sparsereg.crosses.keys import distinct

__all__ = ["read_column"]

_LARGEST_INT64 = np.iinfo(np.int64).max
# Types of a cell of an object array that count as a list.
_LISTS = (list, tuple, set, frozenset, np.ndarray)


def read_column(name: str, values: Any) -> Column:
    """Read an array (n,) or a narwhals Series of length n.

    Raises
    ------
    ValueError
        If its type, or a mixture of types in it, cannot be read.

    Examples
    --------
    >>> read_column("a", np.array(["x", None, "x"], dtype=object))
    Column(name='a', kind='string', values=array([ 0, -1,  0]), missing=None, dictionary=['x'], items=None, zone=None)
    """
    return _from_array(name, values) if isinstance(values, np.ndarray) else _from_series(name, values)


def _from_array(name: str, values: AnyArray) -> Column:
    kind = values.dtype.kind
    if kind == "f":
        return Column(name, "number", values.astype(np.float64, copy=False))
    if kind in "iu":
        return _integers(name, values)
    if kind == "b":
        return Column(name, "boolean", values.astype(np.int64))
    if kind == "M":
        return Column(name, "date", values)
    if kind == "m":
        # NumPy turns nanoseconds into plain integers.
        values = values.astype("timedelta64[us]")
    return _from_objects(name, values)


def _integers(name: str, values: AnyArray, missing: BoolArray | None = None) -> Column:
    if values.dtype.kind == "u" and values.size and values.max() > _LARGEST_INT64:
        return Column(name, "integer", values.astype(np.uint64, copy=False), missing)
    return Column(name, "integer", values.astype(np.int64, copy=False), missing)


def _from_series(name: str, series: Any) -> Column:
    native = nw.to_native(series)
    if isinstance(getattr(native, "dtype", None), np.dtype) and native.dtype == object:
        # narwhals infers the type of such a column from its first objects only.
        return _from_objects(name, native.to_numpy())
    if series.implementation.is_pandas() and (zone := getattr(native.dtype, "tz", None)) is not None:
        # narwhals does not know zones with an underscore or a hyphen, such as America/New_York.
        return Column(name, "date", native.dt.tz_localize(None).to_numpy(), zone=str(zone))
    dtype = series.dtype
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return _coded(name, *_codes(series))
    n_missing = series.null_count()
    if dtype.is_float() or dtype.is_decimal():
        return Column(name, "number", series.cast(nw.Float64).to_numpy().astype(np.float64, copy=False))
    if n_missing == len(series) and n_missing:
        return Column(name, "missing", np.zeros(len(series), dtype=np.int64))
    if (dtype.is_integer() and dtype not in (nw.Int128, nw.UInt128)) or dtype == nw.Boolean:
        missing = series.is_null().to_numpy() if n_missing else None
        values = (series.fill_null(False if dtype == nw.Boolean else 0) if n_missing else series).to_numpy()
        if dtype == nw.Boolean:
            return Column(name, "boolean", values.astype(np.int64), missing)
        return _integers(name, values, missing)
    if dtype in (nw.Date, nw.Datetime):
        zone = getattr(dtype, "time_zone", None)
        values = (series if zone is None else series.dt.replace_time_zone(None)).to_numpy()
        return Column(name, "date", values, zone=zone) if values.dtype.kind == "M" else _from_objects(name, values)
    if isinstance(dtype, (nw.List, nw.Array)):
        lengths, flat = _flat_series(series)
        return Column(name, "list", lengths, items=read_column(name, flat))
    return _from_objects(name, _objects(series.to_list()))


def _codes(series: Any) -> tuple[AnyArray, list[Any]]:
    """Codes (n,), -1 where missing, and the values they stand for, as the library of the series stores them."""
    native = nw.to_native(series)
    categorical = series.dtype in (nw.Categorical, nw.Enum)
    if series.implementation.is_pandas():
        if hasattr(native.dtype, "categories"):
            return native.cat.codes.to_numpy(), native.cat.categories.tolist()
        if not categorical:
            codes, strings = native.factorize()
            return codes, strings.tolist()
    if series.implementation.is_polars():
        return _polars_codes(native)
    if series.implementation.is_pyarrow() or categorical:
        import pyarrow as pa

        native = pa.chunked_array(native)
        coded = (native if categorical else native.dictionary_encode()).unify_dictionaries().combine_chunks()
        indices = coded.indices
        codes = indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        if indices.null_count:
            codes[indices.is_null().to_numpy(zero_copy_only=False)] = -1
        return codes, coded.dictionary.to_pylist()
    codes, strings = text_codes(_objects(series.to_list()), _is_missing)
    return codes, strings


def _polars_codes(native: Any) -> tuple[AnyArray, list[Any]]:
    import polars as pl

    if native.dtype == pl.String:
        native = native.cast(pl.Categorical)
    present = native.drop_nulls()
    # The codes of a Categorical can number all categories of the process: renumber those that occur here.
    numbers, codes = distinct(present.to_physical().to_numpy())
    sample = np.empty(numbers.size, dtype=np.int64)
    sample[codes] = np.arange(codes.size)
    strings = present.gather(sample).cast(pl.String).to_list()
    if len(present) == len(native):
        return codes, strings
    spread = np.full(len(native), -1, dtype=codes.dtype)
    spread[native.is_not_null().to_numpy()] = codes
    return spread, strings


def _coded(name: str, codes: AnyArray, values: list[Any]) -> Column:
    """A column of codes into values of one type; values other than integers and booleans become their text."""
    types = set(map(type, values))
    if not types <= {str}:
        values = [_plain(value) for value in values]
        types = set(map(type, values)) - {type(None)}
        if len(types) > 1:
            # A category without rows may be of any type.
            used = set(np.unique(codes).tolist())
            values = [value if code in used else None for code, value in enumerate(values)]
            types = set(map(type, values)) - {type(None)}
        if len(types) > 1:
            raise _unreadable(name, values)
        # Arrow allows a null in the dictionary itself.
        kept = [code for code, value in enumerate(values) if value is not None]
        number = np.full(len(values) + 1, -1)
        number[kept] = np.arange(len(kept))
        codes, values = number[codes], [values[code] for code in kept]
    if codes.size and not (codes >= 0).any():
        return Column(name, "missing", np.zeros(codes.size, dtype=np.int64))
    if types in ({bool}, {int}):
        missing = codes < 0
        kind: Kind = "boolean" if types == {bool} else "integer"
        # The code -1 of a missing value selects the additional last entry.
        return Column(name, kind, _int_array(name, [*values, 0])[codes], missing if missing.any() else None)
    if types == {float}:
        # -0.0 and 0.0 have the same text.
        values = [value + 0.0 for value in values]
    return Column(name, "string", codes, dictionary=values if types <= {str} else list(map(str, values)))


def _from_objects(name: str, values: AnyArray) -> Column:
    """A column of strings or of Python objects of one kind, some missing; floats with integers are numbers."""
    coded = text_codes(values, _is_missing)
    if coded is not None:
        return _texts(name, *coded)
    items = values.tolist()
    types = set(map(type, items))
    if not types <= {float} and not types <= {bool, int, type(None)}:
        items = [_plain(value) for value in items]
        types = set(map(type, items))
    types.discard(type(None))
    if types == {str}:
        return _texts(name, *text_codes(_objects(items), _is_missing))
    if all(issubclass(kind, _LISTS) for kind in types):
        lengths, flat = _flat_objects(items)
        return Column(name, "list", lengths, items=_from_array(name, flat))
    if all(issubclass(kind, (dt.date, np.datetime64)) for kind in types):
        return _dates(name, items)
    if types == {bool} or types == {int}:
        missing = np.array([value is None for value in items], dtype=np.bool_) if None in items else None
        items = [0 if value is None else value for value in items]
        if types == {bool}:
            return Column(name, "boolean", np.array(items, dtype=np.int64), missing)
        return _integers(name, _int_array(name, items), missing)
    if not types <= {int, float, Decimal}:
        raise _unreadable(name, items)
    large = next((value for value in items if isinstance(value, int) and abs(value) > LARGEST_EXACT), None)
    if large is not None:
        raise ValueError(
            f"column {name!r} holds {large} beside floats, which cannot represent it; convert it to strings."
        )
    return Column(name, "number", np.array(items, dtype=np.float64))


def _texts(name: str, codes: AnyArray, strings: list[str]) -> Column:
    if not strings:
        return Column(name, "missing", np.zeros(codes.size, dtype=np.int64))
    return Column(name, "string", codes, dictionary=strings)


def _dates(name: str, items: list[Any]) -> Column:
    zoned = next((value for value in items if getattr(value, "tzinfo", None) is not None), None)
    if zoned is not None:
        raise ValueError(
            f"column {name!r} holds {zoned!r}, an object with its own time zone; convert the column to dates of one "
            "zone, for example with pandas.to_datetime(column, utc=True)."
        )
    return Column(name, "date", np.array(items, dtype="datetime64[us]"))


def _objects(items: list[Any]) -> AnyArray:
    """A list as an array (n,) of objects."""
    return np.fromiter(items, dtype=object, count=len(items))


def _is_missing(value: Any) -> bool:
    # NA and NaT are recognised by name because pandas is not imported here.
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, (float, np.floating)) and math.isnan(value))
    )


def _plain(value: Any) -> Any:
    """NumPy scalars and subclasses of str as Python's own types; missing values as None."""
    if _is_missing(value):
        return None
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64):
        value = value.item()
    # A subclass may override __str__; its text is wanted.
    return str.__str__(value) if isinstance(value, str) else value


def _unreadable(name: str, values: Iterable[Any]) -> ValueError:
    examples = {type(value): value for value in values if value is not None}
    words = ", ".join(f"{value!r} ({kind.__name__})" for kind, value in list(examples.items())[:3])
    if len(examples) == 1:
        return ValueError(
            f"column {name!r} holds {words}, a type that is not supported; convert it to strings, numbers or dates."
        )
    return ValueError(
        f"column {name!r} holds values that are not all strings, all integers, all booleans or all numbers: {words}; "
        "convert it, for example with astype(str)."
    )


def _int_array(name: str, values: list[int]) -> AnyArray:
    for dtype in (np.int64, np.uint64):
        try:
            return np.array(values, dtype=dtype)
        except OverflowError:
            continue
    largest = max(values, key=abs)
    raise ValueError(f"column {name!r} holds {largest}, beyond 64 bits; convert it to strings.")


def _flat_series(series: Any) -> tuple[NDArray[np.int64], Any]:
    """Lengths (n,) of the lists of a narwhals Series, -1 where missing, and the items of all lists."""
    series = series.cast(nw.List(series.dtype.inner))
    lengths = series.list.len()
    if series.implementation.is_polars():
        native = nw.to_native(series)
        items = native.filter(native.list.len() > 0).explode()
    else:
        import pyarrow as pa
        import pyarrow.compute as pc

        flat = pc.list_flatten(series.to_arrow())
        items = flat if isinstance(flat, pa.ChunkedArray) else pa.chunked_array([flat])
    missing = lengths.is_null().to_numpy()
    return np.where(missing, -1, lengths.fill_null(0).to_numpy().astype(np.int64)), nw.from_native(
        items, series_only=True
    )


def _flat_objects(cells: Sequence[Collection[Any] | None]) -> tuple[NDArray[np.int64], AnyArray]:
    """Lengths (n,) of lists, -1 where missing, and the items of all lists."""
    lengths = np.fromiter((-1 if cell is None else len(cell) for cell in cells), dtype=np.int64, count=len(cells))
    items = chain.from_iterable(cell for cell in cells if cell is not None)
    return lengths, np.fromiter(items, dtype=object, count=int(lengths[lengths > 0].sum()))

"""`Column`: one column of pandas, polars, arrow or numpy brought to one of a handful of plain forms.

Columns are read through narwhals, and only the codes of strings and categories through the libraries themselves, which
have them ready. This room may not know tables, bins, levels, or what a column is read for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sparsereg._strings import text_codes
from sparsereg.crosses.keys import Combinations, distinct
from sparsereg.crosses.lists import LISTS, flat_objects, flat_series
from sparsereg.crosses.ragged import Codes, Ragged, values_of

__all__ = ["Column", "refuse_unknown"]

AnyArray = NDArray[Any]
BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Kind = Literal["boolean", "date", "integer", "list", "missing", "number", "string"]

# Characters up to which fixed-width strings are keyed by their characters, at a pass for each.
_LONGEST_KEY = 24
_LARGEST_INT64 = np.iinfo(np.int64).max


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
    """

    name: str
    kind: Kind
    values: AnyArray
    missing: BoolArray | None = None
    dictionary: Sequence[str] = ()
    items: Column | None = None

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
        """The column as float64 with NaN where missing.

        Raises
        ------
        ValueError
            If it holds strings, booleans or dates.
        """
        if self.kind == "number":
            return self
        if self.kind not in ("integer", "missing"):
            raise ValueError(f"column {self.name!r} holds {self.kind} values where numbers are needed.")
        numbers = np.full(self.values.size, np.nan) if self.kind == "missing" else self.values.astype(np.float64)
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
            If a number is not whole.
        """
        missing = self.gaps()
        numbers = self.values if missing is None else np.where(missing, 0.0, self.values)
        wrong = (np.abs(numbers) >= 2.0**63) | (np.floor(numbers) != numbers)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"column {self.name!r} was fitted as integers but holds {self.value(row)} in row {row}; "
                "cast it as it was in fit."
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

    @classmethod
    def read(cls, name: str, values: Any) -> Column:
        """Read an array (n,) or a narwhals Series of length n.

        Raises
        ------
        ValueError
            If its type, or a mixture of types in it, cannot be read.
        """
        return _from_array(name, values) if isinstance(values, np.ndarray) else _from_series(name, values)


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
    if kind == "U" and values.dtype.itemsize <= _LONGEST_KEY * 4:
        return Column(name, "string", *_short_strings(values))
    return _from_objects(name, values.astype(object, copy=False))


def _short_strings(values: AnyArray) -> tuple[AnyArray, None, Sequence[str]]:
    """Codes (n,) of an array of fixed-width strings, and the distinct strings, without an object for each row."""
    width = values.dtype.itemsize // 4
    if not values.size or not width:
        return np.zeros(values.size, dtype=np.int64), None, [""]
    characters = np.ascontiguousarray(values).view(np.uint32).reshape(values.size, width)
    columns: list[AnyArray] = [np.zeros(values.size, dtype=np.int64)]
    radices = [1]
    for column in characters.T:
        low, high = int(column.min()), int(column.max())
        if low < high:
            columns.append(column - np.uint32(low))
            radices.append(high - low + 1)
    keys, codes = Combinations.fit(columns, radices)
    sample = np.empty(len(keys), dtype=np.int64)
    sample[codes] = np.arange(values.size)
    return codes, None, values[sample].tolist()


def _integers(name: str, values: AnyArray, missing: BoolArray | None = None) -> Column:
    if values.dtype.kind == "u" and values.size and values.max() > _LARGEST_INT64:
        return Column(name, "integer", values.astype(np.uint64, copy=False), missing)
    return Column(name, "integer", values.astype(np.int64, copy=False), missing)


def _from_series(name: str, series: Any) -> Column:
    native = nw.to_native(series)
    if isinstance(getattr(native, "dtype", None), np.dtype) and native.dtype == object:
        return _from_objects(name, native.to_numpy())
    dtype = series.dtype
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return _coded(name, *_codes(series))
    n_missing = series.null_count()
    if dtype.is_float() or dtype.is_decimal():
        return Column(name, "number", series.cast(nw.Float64).to_numpy().astype(np.float64, copy=False))
    if n_missing == len(series) and n_missing:
        return Column(name, "missing", np.zeros(len(series), dtype=np.int64))
    if dtype.is_integer() or dtype == nw.Boolean:
        missing = series.is_null().to_numpy() if n_missing else None
        values = (series.fill_null(False if dtype == nw.Boolean else 0) if n_missing else series).to_numpy()
        if dtype == nw.Boolean:
            return Column(name, "boolean", values.astype(np.int64), missing)
        return _integers(name, values, missing)
    if dtype in (nw.Date, nw.Datetime):
        if getattr(dtype, "time_zone", None) is not None:
            series = series.dt.replace_time_zone(None)
        return Column(name, "date", series.to_numpy().astype("datetime64[us]"))
    if isinstance(dtype, (nw.List, nw.Array)):
        lengths, flat = flat_series(series)
        return Column(name, "list", lengths, items=Column.read(name, flat))
    return _from_objects(name, _objects(series.to_list()))


def _codes(series: Any) -> tuple[AnyArray, list[Any]]:
    """Codes (n,), -1 where missing, and the values that they stand for, as the library at hand has them."""
    native = nw.to_native(series)
    categorical = series.dtype in (nw.Categorical, nw.Enum)
    if series.implementation.is_pandas():
        if categorical:
            return native.cat.codes.to_numpy(), native.cat.categories.tolist()
        codes, strings = native.factorize()
        return codes, strings.tolist()
    if series.implementation.is_polars():
        return _polars_codes(native)
    if series.implementation.is_pyarrow():
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
    # The codes of a Categorical may count through all categories of the process: number those that occur here.
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
    """A column of codes into values of any one type; all but integers and booleans count as their text."""
    types = set(map(type, values))
    if not types <= {str}:
        types = {type(value) for value in values if not _is_missing(value)}
        if len(types) > 1:
            raise _mixed(name, values)
        # Arrow allows a null in the dictionary itself.
        present = np.array([-1 if _is_missing(value) else code for code, value in enumerate(values)] + [-1])
        codes = present[codes]
    if codes.size and not (codes >= 0).any():
        return Column(name, "missing", np.zeros(codes.size, dtype=np.int64))
    if not types or not (types <= {bool} or types <= {int}):
        return Column(name, "string", codes, dictionary=[str(value) for value in values])
    numbers = _int_array(name, [0 if _is_missing(value) else int(value) for value in values])
    missing = codes < 0
    kind: Kind = "boolean" if types == {bool} else "integer"
    return Column(name, kind, numbers[codes], missing if missing.any() else None)


def _from_objects(name: str, values: AnyArray) -> Column:
    """A column of Python objects: strings, booleans, integers or floats, and missing ones among them."""
    coded = text_codes(values, _is_missing)
    if coded is not None:
        return _texts(name, *coded)
    items = values.tolist()
    types = set(map(type, items))
    if not types <= {str, bool, int, float, type(None)}:
        items = [_plain(value) for value in items]
        types = set(map(type, items))
    if not types <= {int, float, type(None)}:
        items = [None if _is_missing(value) else value for value in items]
        types = set(map(type, items))
    types.discard(type(None))
    if types == {str}:
        return _texts(name, *text_codes(_objects(items), _is_missing))
    if all(issubclass(kind, LISTS) for kind in types):
        lengths, flat = flat_objects(items)
        return Column(name, "list", lengths, items=Column.read(name, flat))
    if types <= {int, float} and types != {int}:
        return Column(name, "number", np.array(items, dtype=np.float64))
    if types not in ({bool}, {int}):
        raise _mixed(name, items)
    missing = np.array([value is None for value in items], dtype=np.bool_) if None in items else None
    items = [0 if value is None else value for value in items]
    if types == {bool}:
        return Column(name, "boolean", np.array(items, dtype=np.int64), missing)
    return _integers(name, _int_array(name, items), missing)


def _texts(name: str, codes: AnyArray, strings: list[str]) -> Column:
    if not strings:
        return Column(name, "missing", np.zeros(codes.size, dtype=np.int64))
    return Column(name, "string", codes, dictionary=strings)


def _objects(items: list[Any]) -> AnyArray:
    """A list as an array (n,), whatever it holds."""
    return np.fromiter(items, dtype=object, count=len(items))


def _is_missing(value: Any) -> bool:
    # NA and NaT are pandas' own, which is not imported here.
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, (float, np.floating)) and math.isnan(value))
    )


def _plain(value: Any) -> Any:
    """NumPy scalars and strings as Python's own."""
    value = value.item() if isinstance(value, np.generic) else value
    return str(value) if isinstance(value, str) else value


def _mixed(name: str, values: Iterable[Any]) -> ValueError:
    examples = {type(value): value for value in values if value is not None}
    words = ", ".join(f"{value!r} ({kind.__name__})" for kind, value in list(examples.items())[:2])
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

"""Predictions of a compact model, row by row, with the standard library alone.

This file imports nothing of the package, so that it can be copied beside a model:

    from scorer import load
    load("model.json").predict_one({"hour": 6, "carrier": "EV"})

``docs/formats.md`` describes the format of the model.
"""

from __future__ import annotations

import json
import math
import struct
import unicodedata
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import product

TYPE_CHECKING = False  # the module typing costs a tenth of the start-up
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

__all__ = ["Scorer", "load"]

FORMAT, VERSIONS = "sparsereg compact model", (1, 2)
# The position of a level that the model does not have: every key that it is part of is negative.
_UNKNOWN = -(1 << 62)
_LARGEST = 1 << 53  # float64 has every integer up to this one
_MAX_BINS = float(1 << 51)
# How far the prediction of a test row may be from the one in the file, as a share of the weights and the intercept.
_TOLERANCE = 1e-12
_MISSING = ("NAType", "NaTType")  # of pandas, which is not imported here
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, ZeroDivisionError)


class Scorer:
    """A compact model, ready to score rows with the columns `columns`, from its JSON value.

    A ValueError says what is wrong with one that is damaged. With `verify` the test rows of the model are predicted and
    compared, as a reader that differs from the writer would give wrong numbers without an error.

    Examples
    --------
    >>> field = {"name": "hour", "column": "hour", "kind": "integer", "levels": [5, 6, None]}
    >>> term = {"fields": [0], "keys": [1], "weights": [-11.5]}
    >>> scorer = Scorer({"format": "sparsereg compact model", "format_version": 1, "link": "identity",
    ...                  "intercept": 6.0, "fields": [field], "terms": [term], "tests": []})
    >>> scorer.predict_one({"hour": 6}), scorer.predict_one({"hour": 7})
    (-5.5, 6.0)
    """

    def __init__(self, data: Any, verify: bool = True) -> None:
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError(f"it is no {FORMAT}.")
        if data.get("format_version") not in VERSIONS:
            version = data.get("format_version")
            raise ValueError(f"it has format version {version!r}; this reads versions 1 and 2: upgrade sparsereg.")
        if data.get("link") not in [*_INVERSE]:
            raise ValueError(f"it has the link {data.get('link')!r}, which is not one of {[*_INVERSE]}.")
        try:
            self._build(data)
            if verify:
                self._verify(data["tests"])
        except _DAMAGE as error:
            raise ValueError(f"it is damaged: {type(error).__name__} {error}") from error

    def _build(self, data: dict[str, Any]) -> None:
        self.data = data
        self.link: str = data["link"]
        several = isinstance(data["intercept"], list)
        self.intercepts = [_finite(part) for part in (data["intercept"] if several else [data["intercept"]])]
        self.fields = [_Field(spec) for spec in data["fields"]]
        self.terms = [_Term(spec, self.fields) for spec in data["terms"] if "fields" in spec]
        self.numbers = [(spec["number"], _finite(spec["weight"]), spec) for spec in data["terms"] if "number" in spec]
        self.columns = list(
            dict.fromkeys(one.column for one in self.fields) | dict.fromkeys(n[0] for n in self.numbers)
        )
        self._reads: list[tuple[str, Callable[[Any], Any]]] = [(one.column, one.encode) for one in self.fields]
        self._outputs = [_Output(self, k) for k in range(len(self.intercepts))]

    def predict_one(self, row: Mapping[str, Any]) -> Any:
        """The prediction for one row, a mapping of columns to values; further columns are ignored.

        A float; of several classes or targets a list. None, NaN and the missing values of pandas are missing, and a
        value that the model does not know has no effect. A ValueError says that a column is absent or of another type
        than in fit, or that a number is missing.
        """
        try:
            return self.predict(self.positions(row), [row[number[0]] for number in self.numbers])
        except KeyError as error:
            raise ValueError(f"the row has no column {error}; the model reads {self.columns}.") from None

    def positions(self, row: Mapping[str, Any]) -> list[Any]:
        """The position of the level of each field, negative if the model does not have it; a list for a list."""
        return [encode(row[column]) for column, encode in self._reads]

    def predict(self, p: list[Any], values: list[Any]) -> Any:
        """The prediction for the positions of the levels of all fields, and the values of the numbers."""
        if len(self._outputs) == 1:
            return _INVERSE[self.link](self._outputs[0].total(p, values))
        z = [output.total(p, values) for output in self._outputs]
        e = [math.exp(part - max(z)) for part in z] if self.link == "softmax" else []
        return [part / sum(e) for part in e] or list(map(_INVERSE[self.link], z))

    def _verify(self, tests: Any) -> None:
        size = 1.0 + sum(map(abs, self.intercepts)) + sum(abs(number[1]) for number in self.numbers)
        size += sum(math.fsum(map(abs, term.table.values())) + abs(term.pooled_weight) for term in self.terms)
        for test in tests:
            row, expected, found = test["row"], test["prediction"], self.predict_one(test["row"])
            pairs = list(zip(expected, found, strict=True)) if isinstance(found, list) else [(expected, found)]
            if not all(math.isclose(_finite(a), b, rel_tol=1e-9, abs_tol=_TOLERANCE * size) for a, b in pairs):
                raise ValueError(f"the test row {row} is predicted as {found}, where {expected} is right.")


def load(file: str | os.PathLike[str], verify: bool = True) -> Scorer:
    """Read a compact model from a JSON file; a ValueError names the file if it is none."""
    try:
        with open(file, encoding="utf-8") as source:
            data = json.load(source, parse_constant=_refuse_constant)
        return Scorer(data, verify)
    except (ValueError, RecursionError) as error:
        hint = "it is not text. `sparsereg export MODEL --out FILE` makes a compact model of one of `fit`."
        why = hint if isinstance(error, UnicodeDecodeError) else error
        raise ValueError(f"{file} cannot be read as a compact model: {why}") from error


_INVERSE: dict[str, Callable[[float], float]] = {
    "identity": lambda z: z,
    "log": lambda z: math.exp(z) if z < 709.78 else math.inf,
    "logit": lambda z: 1.0 / (1.0 + math.exp(-z)) if z > -709.0 else math.exp(z),
    "softmax": lambda z: z,  # over all outputs: see `predict`
}


class _Field:
    """A column read as categories: `encode` gives the position of a value's level, or for a list those of several."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.name, self.column, self.kind, self.levels = (spec[key] for key in ("name", "column", "kind", "levels"))
        self.rule: dict[str, Any] = spec.get("rule", {})
        self.normalize = "normalize" in spec
        position = {level: i for i, level in enumerate(self.levels)}
        if len(position) < len(self.levels):
            raise ValueError(f"the field {self.name!r} has a level twice.")
        self.encode = _READERS[self.kind](self, position.get)

    def none(self, value: Any) -> Any:
        """None for a missing value; a ValueError for one of another type than the field's."""
        if not _is_missing(value):
            raise ValueError(f"column {self.column!r} holds {value!r}, which cannot be read as {self.kind}.")


class _Output:
    """What adds up to the predictor of one output."""

    def __init__(self, model: Scorer, place: int) -> None:
        self.intercept = model.intercepts[place]
        terms = [term for term in model.terms if term.output == place]
        plain = [term for term in terms if not (term.is_ragged or term.wide)]
        self.single = [(term.places[0], term.table.get) for term in plain if len(term.places) == 1]
        pairs = [term for term in plain if len(term.places) == 2]
        self.double = [(term.places[0], term.places[1], term.radices[1], term.table.get) for term in pairs]
        self.rest = [term for term in terms if term.is_ragged or term.wide or len(term.places) > 2]
        self.numbers = [(i, *one) for i, one in enumerate(model.numbers) if one[2].get("output", 0) == place]

    def total(self, p: list[Any], values: list[Any]) -> float:
        total = self.intercept
        for i, get in self.single:
            total += get(p[i], 0.0)
        for i, j, radix, get in self.double:
            total += get(p[i] * radix + p[j], 0.0)
        for other in self.rest:
            total += other.sum(p)
        for i, column, weight, term in self.numbers:
            total += weight * real_number(values[i], column, term)
        return total


class _Term:
    """The columns of one field or cross: weights by key, and a weight that pooled rare keys share."""

    def __init__(self, spec: dict[str, Any], fields: list[_Field]) -> None:
        self.places: list[int] = spec["fields"]
        self.output: int = spec.get("output", 0)
        self.radices = [len(fields[i].levels) for i in self.places]
        # Where a key may pass 2^53, keys are lists of positions.
        self.wide = math.prod(self.radices) > _LARGEST
        pooled = spec.get("pooled", {"keys": [], "weight": 0.0})
        keys, pooled_keys = (map(tuple, part) if self.wide else part for part in (spec["keys"], pooled["keys"]))
        self.table: dict[Any, float] = dict(zip(keys, map(_finite, spec["weights"]), strict=True))
        self.pooled, self.pooled_weight = set(pooled_keys), _finite(pooled["weight"])
        if not self.pooled.isdisjoint(self.table):
            raise ValueError("a key is pooled and has a weight of its own.")
        self.is_ragged = any(fields[i].kind == "list" for i in self.places)
        if not self.is_ragged:
            self.table |= dict.fromkeys(self.pooled, self.pooled_weight)

    def _key(self, positions: Iterable[int]) -> Any:
        if self.wide:
            return tuple(positions)
        key = 0
        for position, radix in zip(positions, self.radices, strict=True):
            key = key * radix + position if position >= 0 <= key else _UNKNOWN
        return key

    def row_keys(self, p: list[Any]) -> list[Any]:
        """The key of a row, or with lists its keys."""
        if not self.is_ragged:
            return [self._key(p[i] for i in self.places)]
        return [self._key(part) for part in product(*(p[i] if isinstance(p[i], list) else [p[i]] for i in self.places))]

    def sum(self, p: list[Any]) -> float:
        """The weights of a row's keys; that of pooled keys counts once."""
        keys = self.row_keys(p)
        total = sum(self.table.get(key, 0.0) for key in keys)
        return total + self.pooled_weight if self.is_ragged and not self.pooled.isdisjoint(keys) else total


def _strings(field: _Field, get: Any) -> Any:
    def encode(value: Any) -> int:
        if not isinstance(value, str):
            value = field.none(value)
        elif field.normalize:
            value = _normal(value)
        return get(value, _UNKNOWN)

    return encode


def _scalars(field: _Field, get: Any) -> Any:
    kind = int if field.kind == "integer" else bool

    def plain(value: Any) -> Any:
        value = _plain(value)
        if kind is int and isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST:
            value = int(value)  # pandas reads integers with missing values as floats
        return value if type(value) is kind else field.none(value)

    return lambda value: get(value if type(value) is kind else plain(value), _UNKNOWN)


def _all_missing(field: _Field, get: Any) -> Any:  # noqa: ARG001
    return lambda value: get(None if _is_missing(value) else "", _UNKNOWN)


def _edge_bins(field: _Field, get: Any) -> Any:
    edges = [float(edge) for edge in field.rule["edges"]]

    def encode(value: Any) -> int:
        x = value if type(value) is float and value == value else _number(value, field.column)  # noqa: PLR0124
        return get(None if x is None else bisect_right(edges, x) - 1, _UNKNOWN)

    return encode


def _width_bins(field: _Field, get: Any) -> Any:
    (p, q), (r, s) = (_fraction(field.rule[key]) for key in ("width", "origin"))
    width, origin, limit = p / q, r / s, _MAX_BINS * (p / q)
    # The edge of bin k is (a + k b) / d, rounded once while a + k b stays below 2^53.
    common = math.lcm(q, s)
    a, b, d = float(r * common // s), float(p * common // q), float(common)
    t, u = _fraction(field.rule.get("period", "0"))
    period, floor = t * q // (u * p), math.floor

    def encode(value: Any) -> int:
        x = value if type(value) is float and value == value else _number(value, field.column)  # noqa: PLR0124
        if x is None:
            return get(None, _UNKNOWN)
        if not -limit < x < limit or abs(x - origin) >= limit:
            raise ValueError(f"column {field.column!r} holds {x}, too far from 0 or the origin for bins of {width}.")
        k = floor((x - origin) / width)
        while x < (k * b + a) / d:
            k -= 1
        while x >= ((k + 1) * b + a) / d:
            k += 1
        return get(k % period if period else k, _UNKNOWN)

    return encode


def _date_parts(field: _Field, get: Any) -> Any:
    part, zone = field.rule["part"], zone_of(field.rule["zone"])
    read: Any = datetime.weekday if part == "weekday" else lambda moment: getattr(moment, part)
    read(datetime.min)  # fails for an unknown part

    def encode(value: Any) -> int:
        value = _plain(value)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if not isinstance(value, date) or _is_missing(value):
            return get(field.none(value), _UNKNOWN)
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        if (moment.tzinfo is None) != (zone is None):
            raise ValueError(f"column {field.column!r} holds {value}, but was fitted on dates in the zone {zone}.")
        return get(read(moment if zone is None else moment.astimezone(zone)), _UNKNOWN)

    return encode


def _lists(field: _Field, get: Any) -> Any:
    separator, missing = field.rule["separator"], get(None, _UNKNOWN)

    def encode(value: Any) -> list[int]:
        if hasattr(value, "tolist"):
            value = value.tolist()
        is_text = isinstance(value, str)
        if not is_text and (separator is not None or not hasattr(value, "__iter__")):
            return [] if field.none(value) or missing < 0 else [missing]
        items = value.split(separator) if is_text else [item for item in value if not _is_missing(item)]
        if (is_text and separator is None) or not all(isinstance(item, str) for item in items):
            raise ValueError(f"column {field.column!r} holds {value!r}, which is no list of texts.")
        if field.normalize:
            items = [_normal(item) for item in items]
            items = separator.join(items).split(separator) if is_text else items
        return sorted({get(item, _UNKNOWN) for item in items if item} - {_UNKNOWN})

    return encode


_READERS = {
    "string": _strings,
    "integer": _scalars,
    "boolean": _scalars,
    "missing": _all_missing,
    "bin": lambda field, get: (_edge_bins if "edges" in field.rule else _width_bins)(field, get),
    "date_part": _date_parts,
    "list": _lists,
}


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in _MISSING


def _plain(value: Any) -> Any:
    """A scalar of NumPy as Python's own; dates in microseconds."""
    if not hasattr(value, "dtype"):
        return value
    return (value.astype("datetime64[us]") if value.dtype.kind == "M" else value).item()


def _number(value: Any, column: str) -> float | None:
    """A number, None if missing."""
    value = _plain(value)
    if _is_missing(value):
        return None
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError(f"column {column!r} holds {value}, and integers beyond 2^53 are not distinct as floats.")
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise ValueError(f"column {column!r} holds {value!r} where a number is needed.")
    return float(value)


def real_number(value: Any, column: str, term: Mapping[str, Any]) -> float:
    """A number that passes through, which must be finite: as it is, its logarithm, or rounded to float32."""
    number, log = _number(value, column), "log" in term
    if number is None or not math.isfinite(number) or (log and number <= 0.0):
        needed = "is an exposure, which must be positive" if log else "passes through as a number; fill it"
        raise ValueError(f"column {column!r} holds {value!r}, but {needed}.")
    number = math.log(number) if log else number
    return struct.unpack("f", struct.pack("f", number))[0] if "float32" in term else number


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number.")
    return float(value)


def _fraction(text: str) -> tuple[int, int]:
    over, _, under = text.partition("/")
    return int(over), int(under or 1)


def zone_of(name: str | None) -> Any:
    """The time zone of a name such as Europe/Paris, UTC, or +05:30."""
    if name is None or name == "UTC":
        return None if name is None else UTC
    if (offset := name.removeprefix("UTC"))[:1] in ("+", "-"):
        hours, _, minutes = offset[1:].partition(":")
        delta = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return timezone(-delta if offset[0] == "-" else delta)
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number.")

"""The test rows of a compact model: surviving levels, missing and unknown ones, exact edges; never rows of the data.

Their predictions come from the fitted model itself, through its own encoding. So each export is compared with the
model, and each reader with the export.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsereg.crosses.binning import Bins, Edges, Width
from sparsereg.crosses.column import Column
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.encoding import place_rows
from sparsereg.crosses.reading import read_column
from sparsereg.crosses.vocabulary import Levels
from sparsereg.scorer import Scorer, zone_of
from sparsereg.serving.compact_source import INVERSE_LINKS, NumberPart, Source
from sparsereg.serving.model_file import offset_from

__all__ = ["add_tests"]

N_TESTS = 20
# Values of a column that test rows draw from, beside missing and unknown.
_PER_FIELD = 40

Row = dict[str, Any]


def add_tests(data: dict[str, Any], source: Source) -> dict[str, Any]:
    """The compact model with its link and its test rows.

    Raises
    ------
    ValueError
        If the compact model does not predict what the fitted one does.
    """
    scorer = Scorer(data, verify=False)
    draw = random.Random(0)
    drawn = {column: _values(column, source, scorer, draw) for column in scorer.columns}
    rows = [_row(drawn, scorer, draw, number) for number in range(2 * N_TESTS)]
    with np.errstate(over="ignore"):
        predicted = np.stack([np.ravel(source.predict(_encoded(row, source), _offset(row, source))) for row in rows])
    # The exponential of drawn numbers can pass the largest float.
    finite = np.flatnonzero(np.isfinite(predicted).all(axis=1))[:N_TESTS]
    rows, expected = [rows[i] for i in finite], predicted[finite].astype(np.float64)
    data["link"] = source.link or _link(scorer, rows, expected)
    scorer = Scorer(data, verify=False)
    found: Any = np.array([scorer.predict_one(row) for row in rows], dtype=np.float64).reshape(expected.shape)
    # float32 models predict in float32.
    digits = np.finfo(np.result_type(predicted.dtype, np.float32)).eps
    if not np.allclose(found, expected, rtol=1e4 * digits, atol=1e2 * digits * source.size):
        worst = int(np.argmax(np.abs(found - expected).max(axis=1)))
        raise ValueError(
            f"model predicts {expected[worst]} for {rows[worst]}, and X w + b with the link {data['link']} is "
            f"{found[worst]}: it is not a linear model of these columns with the link identity, log, logit or softmax."
        )
    answers: list[Any] = (found if found.shape[1] > 1 else found[:, 0]).tolist()
    data["tests"] = [{"row": row, "prediction": answer} for row, answer in zip(rows, answers, strict=True)]
    Scorer(json.loads(json.dumps(data)))  # as a reader of the file does
    return data


def _link(scorer: Scorer, rows: Sequence[Row], expected: Any) -> str:
    z = np.array([scorer.predict_one(row) for row in rows], dtype=np.float64).reshape(expected.shape)
    with np.errstate(over="ignore"):
        errors = {name: float(np.abs(inverse(z) - expected).sum()) for name, inverse in INVERSE_LINKS.items()}
    return min(errors, key=errors.__getitem__)


def _row(values: dict[str, list[Any]], scorer: Scorer, draw: random.Random, number: int) -> Row:
    """A row of drawn values; in three of four the levels of one surviving column, each term in turn."""
    row = {column: draw.choice(choices) for column, choices in values.items()}
    terms = [term for term in scorer.terms if term.table or term.pooled]
    if number == 0:
        return {column: choices[0] for column, choices in values.items()}  # missing where it can be
    if number % 4 == 0 or not terms:
        return row
    term = terms[number % len(terms)]
    key = draw.choice(sorted(term.table.keys() | term.pooled))
    wanted: list[int] = []
    for radix in reversed(term.radices) if not term.wide else ():
        key, position = divmod(key, radix)
        wanted.insert(0, position)
    for i, position in zip(term.places, wanted or key, strict=True):
        field = scorer.fields[i]
        hits = [value for value in values[field.column] if position in _positions(field.encode(value))]
        if hits:
            row[field.column] = draw.choice(hits)
    return row


def _positions(code: Any) -> list[int]:
    return code if isinstance(code, list) else [code]


def _values(column: str, source: Source, scorer: Scorer, draw: random.Random) -> list[Any]:
    """Values for a column that all of its fields and the fitted model can read, missing first."""
    found: list[Any] = [None]
    readers = [field.encode for field in scorer.fields if field.column == column]
    is_offset = source.offset is not None and source.offset["column"] == column
    found += [0.25, 1.0, 2.0] if is_offset else []
    for levels in _levels_of(column, source):
        if levels is None:
            found += [0, 1, -2.5, 0.1, 12345.678]
            continue
        kept: list[Any] = next((field.levels for field in scorer.fields if field.column == column), [])
        found += _level_values(levels, kept, draw)
    usable = []
    for value in found:
        with suppress(ValueError, TypeError, OverflowError):
            for encode in readers:
                encode(value)
            _check(column, value, source)
            if is_offset:
                _offset({column: value}, source)
            usable.append(value)
    if not usable:
        raise ValueError(f"no value of column {column!r} can be read by all of its fields.")
    return usable


def _levels_of(column: str, source: Source) -> list[Levels | None]:
    """The levels of the fields that read a column; None for a number that passes through."""
    found: list[Levels | None] = []
    for part in source.parts:
        if isinstance(part, NumberPart):
            found += [None] * (column in part.columns)
            continue
        own = {name for name, outer in part.columns.items() if outer == column}
        found += [levels for levels in part.cross.levels_.values() if levels.column in own]
        found += [None for name in part.cross.numbers_ if name in own]
    return found


def _level_values(levels: Levels, kept: Sequence[Any], draw: random.Random) -> list[Any]:
    """Values of a column at surviving levels and beside them, and one that is unknown."""
    known = [level for level in kept if level is not None]
    known = draw.sample(known, min(len(known), _PER_FIELD))
    if levels.split is not None:
        pairs = [draw.sample(known, min(len(known), 2)) for _ in range(5)]
        lists = [*([word] for word in known), *pairs, ["?"], []]
        separator = levels.split.separator
        return [words if separator is None else separator.join(words) for words in lists]
    if levels.kind == "boolean":
        return [True, False]
    if isinstance(levels.bins, DatePart):
        return _dates(levels)
    if levels.bins is not None:
        indices = levels.numbers.tolist()
        return _bin_values(levels.bins, draw.sample(indices, min(len(indices), _PER_FIELD)))
    if levels.kind == "integer":
        largest = max(levels.numbers.tolist(), default=0)
        return [*known, largest + 1 if largest < 2**63 - 1 else 0]
    return [*(word for word in known if isinstance(word, str)), "?", " ?"]


def _bin_values(bins: Bins, indices: Sequence[int]) -> list[float]:
    """Both edges of bins, the floats just below them, the middles, and a value far from all."""
    assert isinstance(bins, (Edges, Width))
    found: list[float] = []
    for index in indices:
        low, high = bins.bounds(index)
        period = 0.0 if not isinstance(bins, Width) or bins.period is None else float(bins.period)
        ends = [end for end in (low, high) if math.isfinite(end)]
        inner = sum(ends) / 2 if len(ends) == 2 else (ends[0] - 1 if math.isinf(low) else ends[0] + 1) if ends else 0.0
        found += [*ends, *(math.nextafter(end, -math.inf) for end in ends), inner, inner + period]
    return [*found, max(map(abs, found), default=0.0) * 10 + 1000]


def _dates(levels: Levels) -> list[str]:
    """Dates of every hour and weekday, and of some months and years, as ISO texts; with the offset of the zone."""
    start = datetime(2024, 1, 1, 0, 30)
    steps = [timedelta(days=37 * i, hours=i, minutes=7 * i) for i in range(_PER_FIELD)]
    assert isinstance(levels.bins, DatePart)
    years = levels.numbers.tolist()[:5] if levels.bins.part == "year" else []
    years = [datetime(min(max(int(year), 1), 9999), 7, 3, 11) for year in years]
    moments = [*(start + step for step in steps), *years, datetime(2024, 3, 31, 1), datetime(2024, 10, 27, 0, 59, 59)]
    if levels.zone is None:
        return [moment.isoformat() for moment in moments]
    zone = zone_of(levels.zone)
    return [moment.replace(tzinfo=UTC).astimezone(zone).isoformat() for moment in moments]


def _column(name: str, value: Any, zone: str | None, is_date: bool) -> Column:
    """One value as a column of a table."""
    if is_date and value is not None:
        moment = datetime.fromisoformat(value).replace(tzinfo=None)  # local time
        return Column(name, "date", np.array([moment], dtype="datetime64[us]"), zone=zone)
    cell = np.empty(1, dtype=object)
    cell[0] = value
    return read_column(name, cell).or_missing()


def _check(column: str, value: Any, source: Source) -> None:
    """Raise a ValueError if the fitted model cannot read a value of a column."""
    for levels in _levels_of(column, source):
        if levels is None:
            _column(column, value, None, False).as_finite()
        else:
            levels.encode(_column(column, value, levels.zone, isinstance(levels.bins, DatePart)))


def _offset(row: Row, source: Source) -> Any:
    """The offset (1,) of a row, as `Model` has it; None where the model has none."""
    if source.offset is None:
        return None
    column = source.offset["column"]
    return offset_from(_column(column, row[column], None, False).as_finite(), column, bool(source.offset.get("log")))


def _encoded(row: Row, source: Source) -> Any:
    """The row as the fitted model's own encoding has it, CSR of shape (1, n_columns)."""
    pieces = []
    for part in source.parts:
        if isinstance(part, NumberPart):
            x = np.array([_column(name, row.get(name, 0.0), None, False).as_finite()[0] for name in part.columns])
            pieces.append((part.start, sp.csr_array(((x - part.shift) / part.scale)[None])))
            continue
        cross, outer = part.cross, part.columns
        columns = {
            name: _column(levels.column, row.get(outer[levels.column]), levels.zone, isinstance(levels.bins, DatePart))
            for name, levels in cross.levels_.items()
        }
        numbers = [_column(name, row.get(outer[name], 0.0), None, False).as_finite() for name in cross.numbers_]
        X = cross._assemble(place_rows(cross._layout, columns, False), numbers, 1)
        pieces.append((part.start, sp.csr_array(X)))
    pieces.sort(key=lambda piece: piece[0])
    return sp.hstack([piece for _, piece in pieces], format="csr")

"""`compact_data`: the JSON value of a compact model, from the parts of a fitted one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg import __version__
from sparsereg.crosses.block import Block
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.vocabulary import Levels
from sparsereg.scorer import FORMAT, VERSION
from sparsereg.serving.compact_source import CrossPart, NumberPart, Source

__all__ = ["compact_data"]

Int = NDArray[Any]
Vector = NDArray[np.float64]

# Above it a float64, which is what numbers are in many languages, does not have every integer.
_LARGEST_KEY = 2**53


@dataclass(frozen=True)
class _Survivors:
    """The columns of one block that have weights: codes of the fields' levels, and those of the shared rare column."""

    block: Block
    codes: list[Int]
    weights: Vector
    pooled: list[Int]
    pooled_weight: float

    @classmethod
    def of(cls, block: Block, places: Int, weights: Vector) -> _Survivors:
        """From the positions (m,) of the columns in the block."""
        shared = places == block.n_observed - 1 if block.has_rare else np.zeros(places.size, dtype=np.bool_)
        codes = block.split(block.kept_codes[places[~shared]])
        pooled: list[Int] = []
        if shared.any():
            others = np.setdiff1d(np.arange(block.counts.size), block.kept_codes)
            pooled = block.split(others)
        return cls(block, codes, weights[~shared], pooled, float(weights[shared].sum()))


def compact_data(source: Source) -> dict[str, Any]:
    """The compact model without its test rows; its link is "identity" where the source does not know it."""
    kept = np.flatnonzero(source.weights)
    order = kept[np.argsort(source.columns[kept], kind="stable")]
    columns, weights = source.columns[order], source.weights[order]
    fields: list[dict[str, Any]] = []
    terms: list[dict[str, Any]] = []
    intercept = source.intercept
    for part in source.parts:
        if isinstance(part, NumberPart):
            chosen = (columns >= part.start) & (columns < part.start + len(part.columns))
            places, own = columns[chosen] - part.start, weights[chosen] / part.scale[columns[chosen] - part.start]
            intercept -= float(own @ part.shift[places])
            terms += [_number(part.columns[j], weight) for j, weight in zip(places.tolist(), own.tolist(), strict=True)]
        else:
            _add_cross(part, columns, weights, fields, terms)
    data: dict[str, Any] = {"format": FORMAT, "format_version": VERSION, "made_by": f"sparsereg {__version__}"}
    target = source.meta.get("target")
    data |= {"target": target if isinstance(target, str) else None, "link": source.link or "identity"}
    data |= {} if source.classes is None else {"classes": source.classes}
    data |= {"intercept": intercept, "fields": fields, "terms": terms, "tests": []}
    used = {spec["column"] for spec in fields if spec["kind"] == "date_part"}
    dates = {name: text for name, text in source.meta.get("date_formats", {}).items() if name in used}
    csv = {name: value for name, value in (("missing", list(source.meta.get("na", ()))), ("dates", dates)) if value}
    return data | ({"csv": csv} if csv else {})


def _number(column: str, weight: float, dtype: Any = np.float64) -> dict[str, Any]:
    single = {"float32": True} if np.dtype(dtype) == np.float32 else {}
    return {"number": column, "weight": weight, **single}


def _add_cross(part: CrossPart, columns: Int, weights: Vector, fields: list[Any], terms: list[Any]) -> None:
    """Append the fields and the terms of a `FeatureCross` that have weights."""
    cross = part.cross
    found = []
    numbers = []
    for block in cross.blocks_:
        first, last = np.searchsorted(columns, [part.start + block.start, part.start + block.stop])
        if first == last:
            continue
        places, own = columns[first:last] - part.start - block.start, weights[first:last]
        if block.is_number:
            numbers.append(_number(part.columns[block.fields[0]], float(own[0]), cross.dtype))
        else:
            found.append(_Survivors.of(block, places, own))
    used: dict[str, list[Int]] = {}
    for survivors in found:
        for codes in (survivors.codes, survivors.pooled):
            for name, part_codes in zip(survivors.block.fields, codes, strict=False):
                used.setdefault(name, []).append(part_codes)
    place_of: dict[str, int] = {}
    kept: dict[str, Int] = {}
    taken = {spec["name"] for spec in fields}
    for name, levels in cross.levels_.items():
        if name in used:
            kept[name] = np.unique(np.concatenate(used[name])).astype(np.int64)
            place_of[name] = len(fields)
            own_name = f"{part.name}__{name}" if name in taken else name
            fields.append(_field(own_name, part.columns[levels.column], levels, kept[name], cross.normalize_text))
    for survivors in found:
        terms.append(_term(survivors, place_of, kept))
    terms += numbers


def _field(name: str, column: str, levels: Levels, codes: Int, normalize: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": name, "column": column, "kind": levels.kind}
    has_missing = levels.missing and codes.size > 0 and int(codes[-1]) == len(levels) - 1
    known = codes[: codes.size - has_missing].tolist()
    if levels.kind == "string":
        values: list[Any] = [levels.strings[code] for code in known]
    else:
        values = levels.numbers[known].tolist()
    if levels.kind == "boolean":
        values = [bool(value) for value in values]
    if len(levels) == levels.missing:
        spec["kind"] = "missing"
    elif levels.split is not None:
        spec |= {"kind": "list", "rule": {"separator": levels.split.separator}}
    elif isinstance(levels.bins, DatePart):
        spec |= {"kind": "date_part", "rule": {"part": levels.bins.part, "zone": levels.zone}}
    elif levels.bins is not None:
        rule = levels.bins.to_dict()
        spec["rule"] = {key: value for key, value in rule.items() if key != "rule" and value is not None}
    if normalize and levels.kind == "string":
        spec["normalize"] = True
    return spec | {"levels": [*values, None] if has_missing else values}


def _term(survivors: _Survivors, place_of: Mapping[str, int], kept: Mapping[str, Int]) -> dict[str, Any]:
    names = survivors.block.fields
    radices = [kept[name].size for name in names]

    def keys_of(codes: Sequence[Int]) -> tuple[list[Any], list[int]]:
        """The keys in order, and the order."""
        positions = [np.searchsorted(kept[name], part) for name, part in zip(names, codes, strict=True)]
        order = np.lexsort(positions[::-1])
        rows = [part[order].tolist() for part in positions]
        if math.prod(radices) > _LARGEST_KEY:
            return [list(key) for key in zip(*rows, strict=True)], order.tolist()
        keys = np.zeros(order.size, dtype=np.int64)
        for part, radix in zip(rows, radices, strict=True):
            keys = keys * radix + np.array(part, dtype=np.int64)
        return keys.tolist(), order.tolist()

    keys, order = keys_of(survivors.codes)
    term: dict[str, Any] = {"fields": [place_of[name] for name in names], "keys": keys}
    term["weights"] = survivors.weights[order].tolist()
    if survivors.pooled:
        term["pooled"] = {"keys": keys_of(survivors.pooled)[0], "weight": survivors.pooled_weight}
    return term

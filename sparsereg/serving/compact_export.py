"""`compact_data`: the JSON value of a compact model, from the parts of a fitted one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg import __version__
from sparsereg.crosses.block import Block
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.vocabulary import Levels
from sparsereg.scorer import FORMAT
from sparsereg.serving.compact_source import CrossPart, NumberPart, Source

__all__ = ["compact_data"]

Int = NDArray[Any]
Vector = NDArray[np.float64]
Coefs = tuple[Int, Vector]

# Above it a float64, which is what numbers are in many languages, does not have every integer.
_LARGEST_KEY = 2**53


@dataclass(frozen=True)
class _Survivors:
    """The columns of one block that have weights: codes of the fields' levels, and those of the shared rare column."""

    block: Block
    output: int
    codes: list[Int]
    weights: Vector
    pooled: list[Int]
    pooled_weight: float

    @classmethod
    def of(cls, block: Block, output: int, places: Int, weights: Vector) -> _Survivors:
        """From the positions (m,) of the columns in the block."""
        shared = places == block.n_observed - 1 if block.has_rare else np.zeros(places.size, dtype=np.bool_)
        codes = block.split(block.kept_codes[places[~shared]])
        pooled: list[Int] = []
        if shared.any():
            others = np.setdiff1d(np.arange(block.counts.size), block.kept_codes)
            pooled = block.split(others)
        return cls(block, output, codes, weights[~shared], pooled, float(weights[shared].sum()))


def compact_data(source: Source) -> dict[str, Any]:
    """The compact model without its test rows; its link is "identity" where the source does not know it."""
    coefs = []
    for columns, weights in source.coefs:
        kept = np.flatnonzero(weights)
        order = kept[np.argsort(columns[kept], kind="stable")]
        coefs.append((columns[order], weights[order]))
    fields: list[dict[str, Any]] = []
    terms: list[dict[str, Any]] = []
    intercepts = list(source.intercepts)
    for part in source.parts:
        if isinstance(part, NumberPart):
            _add_numbers(part, coefs, intercepts, terms)
        else:
            _add_cross(part, coefs, fields, terms)
    several = len(coefs) > 1
    if (offset := source.offset) is not None:
        log = {"log": True} if offset.get("log") else {}
        terms += [_number(offset["column"], 1.0, output) | log for output in range(len(coefs))]
    if not several:
        for term in terms:
            term.pop("output", None)
    version = 2 if several or any("log" in term for term in terms) else 1
    data: dict[str, Any] = {"format": FORMAT, "format_version": version, "made_by": f"sparsereg {__version__}"}
    target = source.meta.get("target")
    data |= {"target": target if isinstance(target, str) else None, "link": source.link or "identity"}
    data |= {} if source.classes is None else {"classes": source.classes}
    data |= {"intercept": intercepts if several else intercepts[0], "fields": fields, "terms": terms, "tests": []}
    used = {spec["column"] for spec in fields if spec["kind"] == "date_part"}
    dates = {name: text for name, text in source.meta.get("date_formats", {}).items() if name in used}
    csv = {name: value for name, value in (("missing", list(source.meta.get("na", ()))), ("dates", dates)) if value}
    return data | ({"csv": csv} if csv else {})


def _number(column: str, weight: float, output: int, dtype: Any = np.float64) -> dict[str, Any]:
    single = {"float32": True} if np.dtype(dtype) == np.float32 else {}
    return {"number": column, "weight": weight, "output": output, **single}


def _add_numbers(part: NumberPart, coefs: list[Coefs], intercepts: list[float], terms: list[Any]) -> None:
    """Append the terms of columns of numbers, and take their shifts into the intercepts."""
    for output, (columns, weights) in enumerate(coefs):
        chosen = (columns >= part.start) & (columns < part.start + len(part.columns))
        places, own = columns[chosen] - part.start, weights[chosen] / part.scale[columns[chosen] - part.start]
        intercepts[output] -= float(own @ part.shift[places])
        pairs = zip(places.tolist(), own.tolist(), strict=True)
        terms += [_number(part.columns[j], weight, output) for j, weight in pairs]


def _add_cross(part: CrossPart, coefs: list[Coefs], fields: list[Any], terms: list[Any]) -> None:
    """Append the fields and the terms of a `FeatureCross` that have weights."""
    cross = part.cross
    found = []
    numbers = []
    for block, (output, (columns, weights)) in product(cross.blocks_, enumerate(coefs)):
        first, last = np.searchsorted(columns, [part.start + block.start, part.start + block.stop])
        if first == last:
            continue
        places, own = columns[first:last] - part.start - block.start, weights[first:last]
        if block.is_number:
            numbers.append(_number(part.columns[block.fields[0]], float(own[0]), output, cross.dtype))
        else:
            found.append(_Survivors.of(block, output, places, own))
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
    term: dict[str, Any] = {"fields": [place_of[name] for name in names], "output": survivors.output, "keys": keys}
    term["weights"] = survivors.weights[order].tolist()
    if survivors.pooled:
        term["pooled"] = {"keys": keys_of(survivors.pooled)[0], "weight": survivors.pooled_weight}
    return term

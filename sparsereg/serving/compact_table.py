"""`TableScorer`: the predictions of a compact model for a whole table, with NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.binning import Bins, Edges, Width
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.keys import Combinations
from sparsereg.crosses.ragged import Codes, Ragged, align, values_of
from sparsereg.crosses.split import Split
from sparsereg.crosses.table import Table, shortened
from sparsereg.crosses.vocabulary import Levels
from sparsereg.scorer import Scorer
from sparsereg.serving.compact_source import INVERSE_LINKS
from sparsereg.serving.model_file import offset_from

__all__ = ["TableScorer", "levels_of"]

Vector = NDArray[np.float64]
Int = NDArray[Any]

# Rows whose keys are looked up together: their codes and keys stay in the cache.
_ROWS = 1 << 15
# A term with at most this many possible keys is a table of weights; others are searched among their keys.
_TABLE = 1 << 18


class TableScorer:
    """The weights of a compact model in arrays: a look-up for each term."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.levels = [levels_of(spec) for spec in scorer.data["fields"]]
        self.terms = [_Lookup(spec, self.levels) for spec in scorer.data["terms"] if "fields" in spec]

    def predict(self, table: Any) -> Vector:
        """Predictions (n,), of K outputs (n, K), for the rows of a table; a ValueError names an unreadable column."""
        read = Table(table, min_rows=0)
        place = {name: i for i, name in enumerate(read.names)}
        for column in self.scorer.columns:
            if column not in place:
                raise ValueError(
                    f"column {column!r} of the model is not in X, whose columns are {shortened(read.names)}."
                )
        columns = {name: read.column(place[name]).or_missing() for name in self.scorer.columns}
        codes: list[Codes] = []
        for field, levels in zip(self.scorer.fields, self.levels, strict=True):
            column = columns[field.column]
            if field.normalize:
                column = column.normalized(levels.split.separator if levels.split else None)
            codes.append(levels.encode(column))
        intercepts = self.scorer.intercepts
        z = [self.linear_predictor(codes, read.n_rows, output) for output in range(len(intercepts))]
        for name, weight, term in self.scorer.numbers:
            z[term.get("output", 0)] += weight * _numbers(columns[name].as_finite(), name, term)
        with np.errstate(over="ignore"):
            means = INVERSE_LINKS[self.scorer.link](np.stack(z, axis=1) if len(z) > 1 else z[0])
        return np.asarray(means, dtype=np.float64)

    def linear_predictor(self, codes: list[Codes], n_rows: int, output: int = 0) -> Vector:
        """The intercept and all terms of one output but numbers, from the codes of the fields' levels."""
        total = np.full(n_rows, self.scorer.intercepts[output])
        terms = [term for term in self.terms if term.output == output]
        plain = [term for term in terms if not any(isinstance(codes[i], Ragged) for i in term.places)]
        for start in range(0, n_rows, _ROWS):
            part = total[start : start + _ROWS]
            for term in plain:
                part += term.weights_of([values_of(codes[i])[start : start + _ROWS] for i in term.places])
        for term in terms:
            if term not in plain:
                term.add_ragged(total, [codes[i] for i in term.places])
        return total


class _Lookup:
    """The weights of one term by the codes of its fields, of which -1 is unknown."""

    def __init__(self, spec: dict[str, Any], levels: list[Levels]) -> None:
        self.places: list[int] = spec["fields"]
        self.output: int = spec.get("output", 0)
        # One more code than levels, the last: that of an unknown level.
        self.sizes = [len(levels[i]) + 1 for i in self.places]
        pooled = spec.get("pooled", {"keys": [], "weight": 0.0})
        own, shared = (_split(part, [size - 1 for size in self.sizes]) for part in (spec["keys"], pooled["keys"]))
        codes = [np.concatenate(pair) for pair in zip(own, shared, strict=True)]
        weights = np.concatenate([np.array(spec["weights"], dtype=np.float64), np.zeros(shared[0].size)])
        is_pooled = np.arange(weights.size) >= own[0].size
        self.pooled_weight = float(pooled["weight"])
        n_keys = np.prod(self.sizes, dtype=np.float64)
        self.combinations: Combinations | None = None
        if n_keys <= _TABLE:
            rows = self._keys(codes)
            size = int(n_keys)
        else:
            self.combinations, rows = Combinations.fit(codes, self.sizes)
            size = len(self.combinations) + 1
        # The weight of a key in a row, its share without the pooled one, and whether it is pooled.
        self.own, self.is_pooled = np.zeros(size), np.zeros(size, dtype=np.bool_)
        self.own[rows], self.is_pooled[rows] = weights, is_pooled
        self.all = np.where(self.is_pooled, self.pooled_weight, self.own)

    def _keys(self, codes: list[Int]) -> Int:
        keys = np.where(codes[0] < 0, self.sizes[0] - 1, codes[0]).astype(np.int64)
        for part, size in zip(codes[1:], self.sizes[1:], strict=True):
            keys *= size
            keys += np.where(part < 0, size - 1, part)
        return keys

    def _find(self, codes: list[Int]) -> Int:
        return self._keys(codes) if self.combinations is None else self.combinations.find(codes)

    def weights_of(self, codes: list[Int]) -> Vector:
        """The weight (m,) of each row's key."""
        return self.all[self._find(codes)]

    def add_ragged(self, total: Vector, codes: list[Codes]) -> None:
        """Add the weights of all keys of each row; the pooled one once."""
        aligned, rows = align(codes)
        assert rows is not None
        found = self._find(aligned)
        total += np.bincount(rows, weights=self.own[found], minlength=total.size)
        total[np.unique(rows[self.is_pooled[found]])] += self.pooled_weight


def _numbers(x: Vector, column: str, term: Mapping[str, Any]) -> Vector:
    """As `real_number` of the scorer, for a whole column."""
    x = offset_from(x, column, "log" in term)
    return x.astype(np.float32).astype(np.float64) if "float32" in term else x


def levels_of(spec: dict[str, Any]) -> Levels:
    """The levels of a field of a compact model, as a `FeatureCross` has them."""
    values = spec["levels"]
    missing = bool(values) and values[-1] is None
    known = values[: len(values) - missing]
    rule, kind = spec.get("rule", {}), spec["kind"]
    bins: Bins | None = None
    if kind == "bin":
        bins = Edges(rule["edges"]) if "edges" in rule else Width(**rule)
    elif kind == "date_part":
        bins = DatePart(rule["part"])
    is_text = kind in ("string", "list")
    return Levels(
        field=spec["name"],
        column=spec["column"],
        kind="string" if is_text else "bin" if bins is not None else kind,
        numbers=_integers([] if is_text else known),
        strings=tuple(known) if is_text else (),
        missing=missing,
        n_cells=len(values),
        bins=bins,
        split=Split(rule["separator"]) if kind == "list" else None,
        zone=rule.get("zone"),
    )


def _integers(values: list[int]) -> Int:
    large = any(value > np.iinfo(np.int64).max for value in values)
    return np.array(values, dtype=np.uint64 if large else np.int64)


def _split(keys: list[Any], radices: list[int]) -> list[Int]:
    """The codes of each field in keys."""
    if keys and isinstance(keys[0], list):
        return [np.array(part, dtype=np.int64) for part in zip(*keys, strict=True)]
    parts: list[Int] = []
    rest = np.array(keys, dtype=np.int64)
    for radix in reversed(radices):
        rest, part = np.divmod(rest, max(radix, 1))
        parts.insert(0, part)
    return parts

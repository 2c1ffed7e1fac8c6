"""`choose`: blocks are added while rows that were held out gain, within a budget of columns and seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.auto.candidates import CELLS, Candidates
from sparsereg.crosses.auto.gains import Gain, Residuals, combine
from sparsereg.crosses.binning import Quantiles, Rule
from sparsereg.crosses.block import Keep
from sparsereg.crosses.encoding import Encoding
from sparsereg.crosses.ragged import Ragged
from sparsereg.crosses.rules import Of
from sparsereg.crosses.specification import Specification
from sparsereg.crosses.table import Table

__all__ = ["Chooser", "ChosenBlock", "Limits", "least_count"]

Int = NDArray[np.int64]
Fields = tuple[str, ...]

# Pairs of numbers without a known meaning whose finer cells are tried, and triples that are tried.
MORE_CELLS, MOST_TRIPLES = 2, 60
# The share of the target's variance that a block must explain to be worth its columns.
LEAST_GAIN = 2e-4
# Names in a note at most.
MOST_NAMES = 6


class Limits(NamedTuple):
    """What a design may cost, and how it is measured."""

    degree: int = 3
    min_count: int | None = None  # None: by the number of rows
    max_columns: int = 200_000
    max_seconds: float = 30.0
    max_rows: int = 200_000
    n_folds: int = 5


class ChosenBlock(NamedTuple):
    """A block of the design: its fields, its columns on the rows looked at, and its gain on held-out rows.

    `gain` is the share of the target's variance explained beyond the blocks before it, `error` its standard error."""

    fields: Fields
    n_columns: int
    gain: float
    error: float


@dataclass
class Chooser:
    """The choice for one table.

    Parameters
    ----------
    table : Table
    y : float64 array of shape (n,) or (n, K)
    s : float64 array of shape (n,), or None
    limits : Limits
    """

    table: Table
    y: NDArray[np.float64]
    s: NDArray[np.float64] | None
    limits: Limits
    blocks: list[ChosenBlock] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_columns: int = 0
    too_wide: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin = perf_counter()
        self.codes: dict[str, tuple[Int, int]] = {}
        self.whole = self.table.n_rows
        if self.whole > self.limits.max_rows:
            rows = np.sort(np.random.default_rng(0).choice(self.whole, self.limits.max_rows, replace=False))
            self.table = self.table.sample(self.limits.max_rows)  # the same rows
            self.y, self.s = self.y[rows], None if self.s is None else self.s[rows]
            self.notes.append(
                f"the design was chosen on {rows.size:,} of {self.whole:,} rows, drawn with a fixed seed."
            )
        n = len(self.y)
        if self.limits.min_count is None:
            self.limits = self.limits._replace(min_count=least_count(self.whole))
        self.min_count = self.limits.min_count or 1
        n_folds = min(self.limits.n_folds, n)
        self.fold = np.random.default_rng(0).permutation(n) % n_folds

    def run(self, use: list[str], given: dict[str, Rule | Of]) -> dict[str, Any]:
        """The parameters of a FeatureCross: fields, bins, crosses, main_effects, min_count."""
        self.found = found = Candidates.of(self.table, use, given)
        self.notes = [*found.notes, *self.notes]
        if not found.rules:
            why = " ".join(self.notes) or "fields is empty."
            raise ValueError(
                f"no column is left to learn from: {why} Give columns of two or more values each; columns that were"
                " taken for identifiers can be crossed by name."
            )
        self._encode(dict(found.rules))
        if self.fold.max() < 1 or not np.ptp(self.y, axis=0).any():
            self.notes.append("no crosses: rows of one target value, or a single row, choose nothing.")
            self._drop_codes(lambda _code, _bins: True)
            return self._parameters([name for name in found.rules if name not in found.finer], [])
        self.rest = Residuals(self.y, self.fold, self.s, self.min_count)
        mains = self._mains()
        crosses: list[Fields] = []
        crossed = [name for name in mains if name not in found.finer and name in self.codes]
        if self.limits.degree > 1:
            crosses += self._add(self._ranked(list(combinations(crossed, 2))))
            crosses += self._cells(crosses)
        if self.limits.degree > 2:
            crosses += self._add(self._ranked(self._triples([pair for pair in crosses if set(pair) <= set(crossed)])))
        if self.too_wide:
            more = f" and {n} more" if (n := len(self.too_wide) - MOST_NAMES) > 0 else ""
            self.notes.append(
                f"left out, as their columns are more than the budget of {self.limits.max_columns:,} leaves:"
                f" {', '.join(self.too_wide[:MOST_NAMES])}{more}."
            )
        return self._parameters(mains, crosses)

    def _mains(self) -> list[str]:
        """The fields with columns of their own. All of them are kept that fit, finer bins where they gain."""
        self._drop_codes(self._bins_are_enough)
        names = [name for name in self.found.rules if name not in self.found.finer]
        alone: list[Fields] = [(name,) for name in names if name in self.codes]
        kept = [fields[0] for fields in self._add(self._ranked(alone), every=True)]
        kept += [name for name in names if name not in self.codes]
        fine: list[Fields] = [
            (name,) for name, coarse in self.found.finer.items() if coarse in kept and name in self.codes
        ]
        kept += [fields[0] for fields in self._add(self._ranked(fine))]
        for _ in range(2):
            for block in [name for name in kept if name in self.codes]:
                gain = self.rest.gain(*self.codes[block])
                self.rest.add(*self.codes[block], gain.shrinkage)
        return [name for name in self.found.rules if name in kept]

    def _bins_are_enough(self, code: str, bins: str) -> bool:
        """Unless categories are better by more than a standard error: they have more columns, and rows without one."""
        as_code, as_bins = self.rest.gain(*self.codes[code]), self.rest.gain(*self.codes[bins])
        return not as_code._replace(folds=as_code.folds - as_bins.folds).is_clear

    def _drop_codes(self, as_bins: Any) -> None:
        """Of each integer column keep the categories or the bins."""
        for code, bins in self.found.codes.items():
            if as_bins(code, bins):
                drop = [code]
                self.notes.append(f"{code} is binned: a column for each of its values predicts no better.")
            else:
                drop = [bins, *(fine for fine, coarse in self.found.finer.items() if coarse == bins)]
                self.found.numbers.pop(bins)
                self.notes.append(f"{code} has a column for each of its values, which predicts better than bins.")
            for name in drop:
                self.found.rules.pop(name)
                self.found.finer.pop(name, None)

    def _cells(self, pairs: list[Fields]) -> list[Fields]:
        """Finer cells of coordinates, and of the number pairs that gained most."""
        gains = {block.fields: block.gain for block in self.blocks}
        numeric = [pair for pair in pairs if set(pair) <= self.found.numbers.keys()]
        best = sorted(numeric, key=lambda pair: -gains[pair])[:MORE_CELLS]
        chosen: list[Fields] = []
        for pair in dict.fromkeys([*self.found.coordinates, *best]):
            columns = [self.found.numbers.get(name) for name in pair]
            if None in columns or set(pair) in map(set, chosen):
                continue
            chosen.append(pair)
        new: list[Fields] = []
        for pair in chosen:
            for n_bins in CELLS:
                names = []
                for column in (self.found.numbers[name] for name in pair):
                    name = f"{column}_{n_bins}"
                    if name not in self.codes and name not in self.found.names:
                        self.found.rules[name] = Of(column, Quantiles(n_bins))
                        self._encode({name: self.found.rules[name]})
                    names.append(name)
                new += self._add([(tuple(names), self._gain(tuple(names)))])
        return new

    def _triples(self, pairs: list[Fields]) -> list[Fields]:
        """Of three fields whose three pairs all gained; those of the largest gains first."""
        gains = {frozenset(block.fields): block.gain for block in self.blocks if len(block.fields) == 2}
        known = {frozenset(pair) for pair in pairs}
        names = [name for name in self.found.rules if any(name in pair for pair in pairs)]
        triples: list[Fields] = [
            three for three in combinations(names, 3) if all(frozenset(two) in known for two in _two(three))
        ]
        return sorted(triples, key=lambda three: -sum(gains[frozenset(two)] for two in _two(three)))[:MOST_TRIPLES]

    def _ranked(self, candidates: list[Fields]) -> list[tuple[Fields, Gain]]:
        """The blocks with their gains over what was added so far, the largest first."""
        ranked: list[tuple[Fields, Gain]] = []
        for fields in candidates:
            if self._is_late(len(candidates) - len(ranked)):
                break
            ranked.append((fields, self._gain(fields)))
        return sorted(ranked, key=lambda block: -block[1].mean)

    def _add(self, ranked: list[tuple[Fields, Gain]], every: bool = False) -> list[Fields]:
        """Add blocks in order while they gain beyond those before; with `every`, whether or not they do."""
        added: list[Fields] = []
        for place, (fields, before) in enumerate(ranked):
            if not every and (not before.mean > 0.0 or self._is_late(len(ranked) - place)):
                break
            cells, n_cells = self._cross(fields)
            n_columns = self._count(cells)
            if self.n_columns + n_columns > self.limits.max_columns:
                self.too_wide.append(f"{' x '.join(fields)} ({n_columns:,})")
                continue
            gain = self.rest.gain(cells, n_cells)
            if not n_columns or not (every or (gain.is_clear and gain.mean > LEAST_GAIN)):
                continue
            self.rest.add(cells, n_cells, gain.shrinkage)
            self.n_columns += n_columns
            self.blocks.append(ChosenBlock(fields, n_columns, gain.mean, gain.error))
            added.append(fields)
        return added

    def _is_late(self, n_left: int) -> bool:
        """Whether the seconds are used up; said once."""
        if perf_counter() - self.begin < self.limits.max_seconds:
            return False
        note = f"the budget of {self.limits.max_seconds:g} seconds was used up with {n_left} blocks still to look at."
        if not any(note.startswith("the budget") for note in self.notes):
            self.notes.append(note)
        return True

    def _gain(self, fields: Fields) -> Gain:
        return self.rest.gain(*self._cross(fields))

    def _cross(self, fields: Fields) -> tuple[Int, int]:
        parts = [self.codes[name] for name in fields]
        return combine([codes for codes, _ in parts], [size for _, size in parts])

    def _count(self, cells: Int) -> int:
        """Columns of a block on all rows, from above where only a sample was looked at."""
        counts = np.bincount(cells) * (self.whole / cells.size)
        return int((counts >= self.min_count).sum())

    def _column(self, name: str) -> str:
        rule = self.found.rules[name]
        return str(rule.column) if isinstance(rule, Of) else name

    def _encode(self, rules: dict[str, Rule | Of | None]) -> None:
        """The level of each row in each of the fields."""
        bins = {n: r.rule if isinstance(r, Of) else r for n, r in rules.items() if r is not None}
        sources = {name: self._column(name) for name in rules}
        spec = Specification(bins, sources, tuple(rules), (), frozenset(), 1, Keep(1, None, False, True, False))
        read = {name: self.table.column(self.table.names.index(name)) for name in dict.fromkeys(sources.values())}
        encoding = Encoding.fit(spec, {name: read[source] for name, source in sources.items()}, len(self.y), None)
        for block, places in zip(encoding.layout.categories, encoding.places(), strict=True):
            if not isinstance(places, Ragged):
                self.codes[block.fields[0]] = (places.astype(np.int64), block.n_observed)

    def _parameters(self, mains: list[str], crosses: list[Fields]) -> dict[str, Any]:
        used = {*mains, *(name for cross in crosses for name in cross)}
        fields = [name for name in self.found.rules if name in used]
        bins = {name: rule for name in fields if (rule := self.found.rules[name]) is not None}
        every = set(mains) == used
        return {
            "fields": fields,
            "bins": bins or None,
            "crosses": crosses,
            "main_effects": every or [name for name in fields if name in mains],
            "min_count": self.min_count,
            "degree": 1,
        }


def least_count(n_rows: int) -> int:
    """Rows that a level or cell needs: 5, fewer in small tables, where a few rows are much of what there is."""
    return 1 if n_rows < 200 else 2 if n_rows < 2000 else 5


def _two(three: Fields) -> list[Fields]:
    return list(combinations(three, 2))

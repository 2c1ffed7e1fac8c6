"""`Plan`: how many columns, entries and bytes a `FeatureCross` will come to, told from a sample of the rows.

This room may not know tables: only what was seen of a sample, and how many rows there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sparsereg.crosses.block import Block
from sparsereg.crosses.fitting import Sighting
from sparsereg.crosses.ragged import Codes, Ragged, values_of

__all__ = ["Plan"]

# Counts in a sample up to which it is asked what else than their proportion lies behind them; and steps of that search, after
# which nothing moves that anybody would plan by.
_FEW = 30
_STEPS = 300
# Bytes a row while the keys of a cross are sorted: keys, offsets, order, ordered keys, ranks (8 each), and scratch.
_WORK = 44
# Bytes of an entry where rows can have several: its value and row, as found and as placed (8 each).
_RAGGED = 32
# Bytes of a level or combination in the vocabulary: key 8, count 4, number among those kept 8.
_LEVEL = 20
# The solver's design: 4 bytes an entry, about 30 a column, and some vectors of float64 over the rows.
_DESIGN_ENTRY, _DESIGN_COLUMN, _DESIGN_VECTORS = 4, 30, 6


@dataclass(frozen=True)
class Plan:
    """What a design will come to.

    Printed, it is a table of the blocks and a sentence on memory.

    Attributes
    ----------
    n_rows : int
    sampled : int
        Rows that were looked at; all of them when it equals `n_rows`, and then the figures are exact but for memory.
    blocks : list of dict
        For each block: ``block``, its name; ``cells``, nominal columns (of the sample); ``columns``; ``entries``;
        ``exact``, whether these two are counted or estimated.
    n_columns, entries : int
        Of the whole output, numbers included.
    parts : dict of str to int
        Bytes of what is in memory when the table is encoded (``codes``, ``working space or matrix``, ``vocabulary``), and
        of a path fitted afterwards (``matrix``, ``design``).
    encoding_bytes : int
        Peak of `fit_transform`, beyond the table itself.
    path_bytes : int
        The matrix, and fitting a path on it.
    """

    n_rows: int
    sampled: int
    blocks: list[dict[str, Any]]
    n_columns: int
    entries: int
    parts: dict[str, int]
    encoding_bytes: int
    path_bytes: int

    @classmethod
    def of(cls, seen: Sighting, n_rows: int, itemsize: int, hashed: int | None) -> Plan:
        """Extrapolate from what was seen of a sample to `n_rows` rows, with values of `itemsize` bytes."""
        sampled = seen.layout.n_rows
        # How many levels each field can have; a cross has no more combinations than its fields allow.
        most = {name: levels.n_cells if levels.bins else n_rows for name, levels in seen.layout.levels.items()}
        numbers = [block for block in seen.layout.blocks if block.is_number]
        found = [*zip(seen.layout.categories, seen.found, strict=True), *zip(numbers, seen.numbers, strict=True)]
        blocks = [_estimate(block, part, n_rows, seen, most) for block, part in found]
        observed, entries = sum(row["columns"] for row in blocks), sum(row["entries"] for row in blocks)
        n_fields = len(seen.layout.levels)
        n_crosses = sum(len(block.fields) > 1 for block in seen.layout.categories)
        width = 4 if max(entries, observed, hashed or 0) < 2**31 else 8
        ragged = [row["entries"] for row, (_, part) in zip(blocks, found, strict=True) if isinstance(part, Ragged)]
        matrix = entries * (itemsize + width) + n_rows * width
        # Rows without an entry in some block: the full rectangle is made first, and copied without the gaps.
        full = n_rows * len(blocks)
        gaps = full * (itemsize + width + 1) if entries < full and not ragged else 0
        # Hashing makes a second matrix of the first.
        gaps += 2 * matrix if hashed else 0
        # In a cross of several levels a row, sorting takes its space an entry and not a row.
        longest = max([n_rows, *(row["entries"] for row in blocks)])
        codes = n_rows * (12 * n_fields + 4 * n_crosses + 8 * len(seen.numbers))
        codes += _RAGGED * sum(ragged) + (8 * full if ragged else 0)
        vocabulary = _LEVEL * observed
        work = max(_WORK * longest if n_crosses else 20 * longest, matrix + gaps)
        design = (
            _DESIGN_ENTRY * entries + _DESIGN_COLUMN * min(hashed or observed, observed) + 8 * _DESIGN_VECTORS * n_rows
        )
        n_columns = observed if hashed is None else hashed + len(seen.numbers)
        parts = {"codes": codes, "working space or matrix": work, "vocabulary": vocabulary}
        parts |= {"matrix": matrix, "design": design}
        encoding = codes + work + vocabulary
        return cls(n_rows, sampled, blocks, n_columns, entries, parts, encoding, matrix + vocabulary + design)

    @property
    def peak_bytes(self) -> int:
        """The larger of encoding the table and fitting a path."""
        return max(self.encoding_bytes, self.path_bytes)

    @property
    def dominates(self) -> str:
        """What most of the peak is spent on, in words."""
        names = ["codes", "working space or matrix", "vocabulary"]
        if self.path_bytes > self.encoding_bytes:
            names = ["matrix", "design", "vocabulary"]
        part = max(names, key=self.parts.__getitem__)
        block = max(self.blocks, key=lambda row: row["columns"])
        return (
            f"{part} ({_bytes(self.parts[part])}), of {self.entries:,} entries in {len(self.blocks)} blocks; "
            f"most columns are those of {block['block']!r}"
        )

    def __str__(self) -> str:
        rows = [("block", "cells", "columns", "entries")]
        for row in self.blocks:
            about = "" if row["exact"] else "~"
            rows.append((row["block"], f"{row['cells']:,}", f"{about}{row['columns']:,}", f"{about}{row['entries']:,}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(word.rjust(size) for word, size in zip(row, widths, strict=True)) for row in rows]
        method = "counted on all rows" if self.sampled == self.n_rows else f"estimated from {self.sampled:,} of them"
        lines.append(
            f"{self.n_rows:,} rows, {self.n_columns:,} columns, {self.entries:,} entries, {method}; "
            f"{_bytes(self.encoding_bytes)} to encode, {_bytes(self.path_bytes)} to fit a path; most of it: {self.dominates}."
        )
        return "\n".join(lines)


def _estimate(block: Block, found: Codes, n_rows: int, seen: Sighting, most: dict[str, int]) -> dict[str, Any]:
    """Columns and entries of a block; `most` levels of each field bound it, and a field's own estimate is put there."""
    sampled = seen.layout.n_rows
    if block.is_number:
        entries = round(np.count_nonzero(values_of(found)) * n_rows / sampled)
        return {"block": block.name, "cells": 1, "columns": 1, "entries": entries, "exact": sampled == n_rows}
    keep = seen.layout.keep
    counts = block.counts
    present = int(counts.sum()) if keep.pool else int(counts[keep.chosen(counts)].sum())
    row = {"block": block.name, "cells": block.n_cells, "columns": block.n_observed, "entries": present, "exact": True}
    if sampled == n_rows:
        return row
    scale = n_rows / sampled
    sizes, levels = _deconvolve(counts, scale)
    limit = math.prod(most[name] for name in block.fields)
    if len(block.fields) == 1:
        most[block.fields[0]] = min(max(round(levels.sum()), counts.size), limit)
    often = sizes >= keep.min_count
    columns = min(max(round(levels[often].sum()), int((counts >= keep.min_count).sum())), limit)
    if keep.max_levels is not None:
        columns = min(columns, keep.max_levels)
    # The sizes of all levels make up the table.
    share = 1.0 if keep.pool else (sizes * levels)[often].sum() / (sizes @ levels)
    return row | {"columns": columns + keep.pool, "entries": round(counts.sum() * scale * share), "exact": False}


def _deconvolve(counts: NDArray[Any], scale: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sizes (m,) of levels in a table of `scale` times the rows of a sample, and how many levels have each.

    A level with c rows in the table has a binomial number of them in the sample, none at all among others. How many levels there
    are of each c is the non-parametric maximum of the likelihood of the counts in the sample, by EM (Laird 1978). Counts
    beyond a few dozen are taken to be in proportion.
    """
    often = counts[counts > _FEW] * scale
    k = np.arange(1, _FEW + 1)[:, None]
    seen = np.bincount(counts[counts <= _FEW], minlength=_FEW + 1)[1:].astype(np.float64)
    # Every size up to some dozens, then sizes in steps of some percent: a sample tells no more apart.
    c = np.unique(np.append(np.arange(1.0, 40.0), np.geomspace(40, 2 * _FEW * scale, 60).round()))
    rest = np.maximum(c - k, 0)
    log_chance = (
        gammaln(c + 1) - gammaln(k + 1) - gammaln(rest + 1) - k * math.log(scale) + rest * math.log1p(-1 / scale)
    )
    chance = np.where(c < k, 0.0, np.exp(log_chance))
    at_all = -np.expm1(c * math.log1p(-1 / scale))
    chance /= at_all
    levels = np.full(c.size, seen.sum() / c.size)
    for _ in range(_STEPS):
        levels *= chance.T @ (seen / np.maximum(chance @ levels, np.finfo(np.float64).tiny))
    return np.append(c, often), np.append(levels / at_all, np.ones(often.size))


def _bytes(size: int) -> str:
    """A number of bytes in words."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} GB"

"""`CrossPlan`: the columns, entries and bytes of a `FeatureCross`, estimated from a sample of the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sparsereg.crosses.block import Block
from sparsereg.crosses.encoding import Encoding
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.ragged import Codes, Ragged, values_of
from sparsereg.data.printed import Printed

__all__ = ["CrossPlan"]

# Counts in the sample up to which the size distribution is estimated by EM, and the number of EM steps, after which
# estimates change by less than their error.
_FEW = 30
_STEPS = 300
# Bytes a row while the keys of a cross are sorted: keys, offsets, order, ordered keys, ranks (8 each), and scratch.
_WORK = 44
# Bytes an entry of a Ragged column: value and row, of the combination and of its column (8 each).
_RAGGED = 32
# Bytes a level or combination: key 8, count 4, position among those kept 8.
_LEVEL = 20
# The solver's copy of X: 4 bytes an entry, about 30 a column, and six vectors of float64 over the rows.
_DESIGN_ENTRY, _DESIGN_COLUMN, _DESIGN_VECTORS = 4, 30, 6


@dataclass(frozen=True, repr=False)
class CrossPlan(Printed):
    """The expected size of a design; printed, a table of the blocks and a sentence on memory.

    Attributes
    ----------
    n_rows : int
    sampled : int
        Number of rows in the sample. If it equals `n_rows`, columns and entries are exact.
    blocks : list of dict
        For each block: ``block``, its name; ``cells``, possible columns (of the sample); ``columns``; ``entries``;
        ``exact``, whether these two are counted or estimated.
    n_columns, entries : int
        Of the whole output, including numbers.
    parts : dict of str to int
        Bytes in memory while the table is encoded (``codes``, ``working space or matrix``, ``vocabulary``) and while a
        path is fitted (``matrix``, ``design``).
    encoding_bytes : int
        Peak memory of `fit_transform`, without the table.
    path_bytes : int
        Memory of the matrix and of fitting a path.
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
    def of(cls, sample: Encoding, n_rows: int, itemsize: int, hashed: int | None) -> CrossPlan:
        """Extrapolate from a sample to `n_rows` rows, with values of `itemsize` bytes."""
        layout = sample.layout
        # The largest possible number of levels of each field bounds the combinations of a cross.
        limits = {name: levels.n_cells if levels.bins else n_rows for name, levels in layout.levels.items()}
        block_codes = [*sample.codes, *sample.numbers]
        pairs = zip(layout.blocks, block_codes, strict=True)
        blocks = [_estimate(block, codes, n_rows, layout, limits) for block, codes in pairs]
        observed, entries = sum(row["columns"] for row in blocks), sum(row["entries"] for row in blocks)
        n_crosses = sum(len(block.fields) > 1 for block in layout.categories)
        width = 4 if max(entries, observed, hashed or 0) < 2**31 else 8
        ragged = [row["entries"] for row, part in zip(blocks, block_codes, strict=True) if isinstance(part, Ragged)]
        matrix = entries * (itemsize + width) + n_rows * width
        # If rows lack an entry in some block, the full rectangle is made first and its stored entries are copied.
        full = n_rows * len(blocks)
        copies = full * (itemsize + width + 1) if entries < full and not ragged else 0
        # Hashing makes a second matrix from the first.
        copies += 2 * matrix if hashed else 0
        # The keys of a cross with several levels in a row are sorted by entry, not by row.
        longest = max([n_rows, *(row["entries"] for row in blocks)])
        codes = n_rows * (12 * len(layout.levels) + 4 * n_crosses + 8 * len(sample.numbers))
        codes += _RAGGED * sum(ragged) + (8 * full if ragged else 0)
        vocabulary = _LEVEL * observed
        work = max(_WORK * longest if n_crosses else 20 * longest, matrix + copies)
        design = _DESIGN_ENTRY * entries + _DESIGN_COLUMN * min(hashed or observed, observed)
        design += 8 * _DESIGN_VECTORS * n_rows
        n_columns = observed if hashed is None else hashed + len(sample.numbers)
        parts = {"codes": codes, "working space or matrix": work, "vocabulary": vocabulary}
        parts |= {"matrix": matrix, "design": design}
        encoding, fitting = codes + work + vocabulary, matrix + vocabulary + design
        return cls(n_rows, layout.n_rows, blocks, n_columns, entries, parts, encoding, fitting)

    @property
    def peak_bytes(self) -> int:
        """The larger of `encoding_bytes` and `path_bytes`."""
        return max(self.encoding_bytes, self.path_bytes)

    @property
    def dominates(self) -> str:
        """The largest part of the peak, as text."""
        names = ["codes", "working space or matrix", "vocabulary"]
        if self.path_bytes > self.encoding_bytes:
            names = ["matrix", "design", "vocabulary"]
        part = max(names, key=self.parts.__getitem__)
        block = max(self.blocks, key=lambda row: row["columns"])
        return (
            f"{part} ({_bytes(self.parts[part])}), of {self.entries:,} entries in {len(self.blocks)} blocks; "
            f"most columns are those of {block['block']!r}"
        )

    def __repr__(self) -> str:
        return (
            f"<CrossPlan: {self.n_rows:,} rows, {self.n_columns:,} columns in {len(self.blocks)} blocks, "
            f"{_bytes(self.peak_bytes)} at most>"
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
            f"{_bytes(self.encoding_bytes)} to encode, {_bytes(self.path_bytes)} to fit a path; "
            f"most of it: {self.dominates}."
        )
        return "\n".join(lines)


def _estimate(block: Block, codes: Codes, n_rows: int, layout: Layout, limits: dict[str, int]) -> dict[str, Any]:
    """Columns and entries of a block in `n_rows` rows, from its `codes` in the sample.

    `limits` bounds the levels of each field; the estimate for a field replaces its bound.
    """
    sampled = layout.n_rows
    if block.is_number:
        entries = round(np.count_nonzero(values_of(codes)) * n_rows / sampled)
        return {"block": block.name, "cells": 1, "columns": 1, "entries": entries, "exact": sampled == n_rows}
    keep = layout.keep
    counts = block.counts
    present = int(counts.sum()) if keep.pool else int(counts[keep.select(counts)].sum())
    row = {"block": block.name, "cells": block.n_cells, "columns": block.n_observed, "entries": present, "exact": True}
    if sampled == n_rows:
        return row
    scale = n_rows / sampled
    sizes, levels = _deconvolve(counts, scale)
    limit = math.prod(limits[name] for name in block.fields)
    if len(block.fields) == 1:
        limits[block.fields[0]] = min(max(round(levels.sum()), counts.size), limit)
    often = sizes >= keep.min_count
    columns = min(max(round(levels[often].sum()), int((counts >= keep.min_count).sum())), limit)
    if keep.max_levels is not None:
        columns = min(columns, keep.max_levels)
    # The sizes of all levels add up to the rows.
    share = 1.0 if keep.pool else (sizes * levels)[often].sum() / (sizes @ levels)
    return row | {"columns": columns + keep.pool, "entries": round(counts.sum() * scale * share), "exact": False}


def _deconvolve(counts: NDArray[Any], scale: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sizes (m,) of levels in a table with `scale` times the rows of the sample, and the number of levels of each size.

    A level with c rows in the table has a binomial number of rows in the sample, possibly 0. The number of levels of
    each c is the non-parametric maximum likelihood estimate from the counts in the sample, by EM (Laird 1978). Counts
    above `_FEW` are scaled proportionally.
    """
    often = counts[counts > _FEW] * scale
    k = np.arange(1, _FEW + 1)[:, None]
    seen = np.bincount(counts[counts <= _FEW], minlength=_FEW + 1)[1:].astype(np.float64)
    # All sizes below 40, then a geometric grid: a sample does not distinguish more.
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
    """A number of bytes as text."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.3g} GB"

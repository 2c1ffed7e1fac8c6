"""The first pass over parts: levels and combinations that are frequent in a part, and those of all parts together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.block import Keep, Observed
from sparsereg.crosses.keys import Combinations
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.null_model import NullModel
from sparsereg.crosses.part_tables import PartRows, TablePart
from sparsereg.crosses.parts_plan import FitPlan
from sparsereg.crosses.ragged import Codes, Ragged, align, values_of
from sparsereg.crosses.vocabulary import Levels

__all__ = ["Names", "frequent_keys", "merged", "name_keys", "restrict_levels"]

IntArray = NDArray[Any]

# Combinations are counted in a table of so many cells for each row, else by sorting.
CELLS_PER_ROW, MIN_CELLS = 4, 1 << 20


class Names(NamedTuple):
    """What a part names, with `sum s`, `sum s (y - offset)` and the two of `NullModel.sums`."""

    layout: Layout
    sums: tuple[float, float, float, float]


def name_keys(part: TablePart, plan: FitPlan, share: float, null: NullModel) -> Names | None:
    """The levels and combinations with at least this share of the part's rows; None for a part without rows.

    The targets must be some that the loss takes."""
    rows = part.read(plan.read)
    n = rows.y.size
    if not n:
        return None
    try:
        null.loss.check_target(rows.y)
        layout = frequent_keys(rows, plan, max(1, math.ceil(share * n * (1.0 - 1e-12))))
    except ValueError as error:
        raise ValueError(f"partition {part.number} ({part.name}): {error}") from error
    s_sum = float(n if rows.s is None else rows.s.sum())
    y = rows.y if rows.offset is None else rows.y - rows.offset
    return Names(layout, (s_sum, float(y.sum() if rows.s is None else rows.s @ y), *null.sums(rows)))


def frequent_keys(rows: PartRows, plan: FitPlan, least: int) -> Layout:
    """The levels and combinations with at least so many of the rows."""
    levels: dict[str, Levels] = {}
    codes: dict[str, Codes] = {}
    counts: dict[str, IntArray] = {}
    columns = plan.columns(rows.table)
    for name in plan.categories:
        found, part_codes_ = Levels.fit(name, columns[name], plan.rules.get(name), plan.keep.with_missing)
        levels[name], codes[name], counts[name] = _frequent(found, part_codes_, least)
    observed = []
    for fields in plan.blocks:
        if len(fields) == 1:
            observed.append(Observed(fields, None, counts[fields[0]]))
        else:
            observed.append(_combinations(fields, [codes[f] for f in fields], [len(levels[f]) for f in fields], least))
    return Layout.build(levels, observed, plan.numbers, rows.y.size, Keep())


def _frequent(levels: Levels, codes: Codes, least: int) -> tuple[Levels, Codes, IntArray]:
    """The levels with at least so many rows, their codes (-1 for others) and counts."""
    at = np.add(values_of(codes), 1, dtype=np.intp)
    counts = np.bincount(at, minlength=len(levels) + 1)[1:]
    kept = counts >= least
    if kept.all():
        return levels, codes, counts
    table = np.full(len(levels) + 1, -1, dtype=np.int32)
    table[1:][kept] = np.arange(np.count_nonzero(kept))
    values = table.take(at, mode="clip")
    new = Ragged(values, codes.rows, codes.n_rows) if isinstance(codes, Ragged) else values
    return restrict_levels(levels, kept), new, counts[kept]


def restrict_levels(levels: Levels, kept: NDArray[np.bool_]) -> Levels:
    """The levels of a mask."""
    own = kept[: len(levels) - levels.missing]
    strings = tuple(text for text, keep in zip(levels.strings, own.tolist(), strict=False) if keep)
    numbers = levels.numbers[own] if levels.numbers.size else levels.numbers
    return replace(levels, numbers=numbers, strings=strings, missing=bool(levels.missing and kept[-1]))


def _combinations(fields: tuple[str, ...], codes: list[Codes], sizes: list[int], least: int) -> Observed:
    """The combinations of frequent levels with at least so many rows."""
    parts, _ = align(codes)
    cells = math.prod(sizes)
    if cells <= max(CELLS_PER_ROW * parts[0].size, MIN_CELLS):
        keys, known = _cell(parts, sizes)
        counts = np.bincount(keys if known is None else keys[known], minlength=max(cells, 1))
        cell = np.flatnonzero(counts >= least)
        chosen, counts = _split_cells(cell, sizes), counts[cell]
    else:
        known = np.logical_and.reduce([part >= 0 for part in parts])
        found, each = Combinations.fit([part[known] for part in parts], sizes)
        counts = np.bincount(each, minlength=len(found))
        often = np.flatnonzero(counts >= least)
        chosen, counts = found.split(often), counts[often]
    return Observed(fields, Combinations.fit(chosen, sizes)[0], counts.astype(np.int64))


def _cell(parts: Sequence[IntArray], sizes: Sequence[int]) -> tuple[IntArray, NDArray[np.bool_] | None]:
    """The cell of each row's combination, and which rows have one; None: all."""
    key, known = parts[0].astype(np.int64), None
    for part, size in zip(parts[1:], sizes[1:], strict=True):
        key *= size
        key += part
    if any(part.size and int(part.min()) < 0 for part in parts):
        known = parts[0] >= 0
        for part in parts[1:]:
            known &= part >= 0
    return key, known


def _split_cells(cells: IntArray, sizes: Sequence[int]) -> list[IntArray]:
    parts = []
    for size in reversed(sizes[1:]):
        cells, part = np.divmod(cells, size)
        parts.append(part)
    return [cells, *reversed(parts)]


def merged(layouts: Iterable[Layout]) -> Layout:
    """All of them together, in order, two of about the same size at a time."""
    stack: list[tuple[int, Layout]] = []
    for layout in layouts:
        size = 1
        while stack and stack[-1][0] <= size:
            before, other = stack.pop()
            size, layout = size + before, other.merge(layout)
        stack.append((size, layout))
    while len(stack) > 1:
        (size, last), (before, other) = stack.pop(), stack.pop()
        stack.append((size + before, other.merge(last)))
    return stack[0][1]

"""A `FeatureCross` fitted on rows in parts, in two passes: exact, without hashing and without a dictionary of all keys.

First pass: each part names its levels and combinations with at least the share `cut / n` of its rows. A key with `cut`
rows or more in all has that share in some part (pigeonhole), so that the names of all parts have every such key. Second
pass: their exact counts and gradients at 0.

`cut` is `min_count`, and with a target the static safe screen: a column of n_j ones has `|x_j' r| <= n_j max|r|`, so
that below `n_j = eps max_j|x_j' r0| / (1.5 max|r0|)` it stays 0 down to eps alpha_max while `max|r|` grows by no more
than half, which solvers check. For other losses see `Screen.largest`. The first pass takes half of what a sample
suggests; the second pass gives the exact number. If that is less than was taken, both passes are repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.block import Keep, Observed
from sparsereg.crosses.frequent_keys import Names, frequent_keys, merged, name_keys, restrict_levels
from sparsereg.crosses.keys import Combinations
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.null_model import NullModel
from sparsereg.crosses.part_tables import PartRows, TablePart
from sparsereg.crosses.parts_plan import FitPlan, TableParts
from sparsereg.crosses.ragged import Codes, Ragged, values_of
from sparsereg.crosses.specification import Specification
from sparsereg.crosses.table import Table
from sparsereg.losses import LOSSES, Loss

__all__ = ["Forecast", "PartCodes", "PartsFit", "Screen", "fit_parts", "forecast", "part_codes"]

Vector = NDArray[np.float64]
# Stores what the second pass encoded: a part's number, its codes, its rows, and the layout they belong to.
KeepCodes = Callable[[int, "PartCodes", PartRows, Layout], None]

# Rows that the first guesses are made from, and quantiles.
SAMPLE_ROWS = 250_000
# Of the threshold that the sample suggests.
GUESS_SHARE = 0.5
# The largest residual grows by so much along a path, at most: by a fifth where targets end at a bound, as delays do.
RESIDUAL_MARGIN = 1.5
# Where the null model is known only about, thresholds are lower by this share.
SAMPLE_MARGIN = 0.9


class PartCodes(NamedTuple):
    """The codes of each block of a layout in some rows, and the numbers."""

    codes: list[Codes]
    numbers: list[Vector]


def part_codes(table: Table, plan: FitPlan, layout: Layout) -> PartCodes:
    """Codes of observed combinations of each block of categories, -1 for none."""
    columns = plan.columns(table)
    codes = {name: levels.encode(columns[name]) for name, levels in layout.levels.items()}
    return PartCodes(
        [block.find(codes) for block in layout.categories], [columns[name].as_finite() for name in layout.numbers]
    )


@dataclass(frozen=True)
class Screen:
    """What the static screen is for: a path down to `eps` times the largest alpha, to `alpha` (times l1_ratio), or to a
    `threshold` of gradients."""

    eps: float = 1e-2
    alpha: float | None = None
    threshold: float | None = None
    loss: Loss = LOSSES["squared"]

    def weaker(self) -> Screen:
        """That of half the strength, which leaves out less."""
        alpha, threshold = (None if value is None else 0.5 * value for value in (self.alpha, self.threshold))
        return replace(self, eps=0.5 * self.eps, alpha=alpha, threshold=threshold)

    def largest(self, total: Counts) -> float:
        """The largest residual that a path may meet.

        Of the logistic loss it is the largest weight; of others it is taken from the model without columns, and from
        the largest target."""
        loss = self.loss
        if loss.quadratic:
            return RESIDUAL_MARGIN * total.largest
        if np.isfinite(loss.residual_bound):
            return loss.residual_bound * total.max_weight
        return RESIDUAL_MARGIN * max(total.largest, total.highest * total.max_weight if loss.canonical else 0.0)


class Counts(NamedTuple):
    """Over some rows: for each block the rows and `x_j' rho` of each combination, rho the `NullModel.residual`; `max
    |rho|`, `max |y|`, `max s`, `sum rho`."""

    counts: list[NDArray[np.int64]]
    sums: list[Vector]
    largest: float
    highest: float
    max_weight: float
    n_rows: int
    s_sum: float
    slope: float


def count_codes(found: PartCodes, layout: Layout, rows: PartRows, null: NullModel) -> Counts:
    """The counts of one part."""
    d = null.residual(rows)
    counts: list[NDArray[np.int64]] = []
    sums: list[Vector] = []
    for block, codes in zip(layout.categories, found.codes, strict=True):
        size = block.counts.size + 1
        at = np.add(values_of(codes), 1, dtype=np.intp)
        counts.append(np.bincount(at, minlength=size)[1:].astype(np.int64))
        weights = d[codes.rows] if isinstance(codes, Ragged) else d
        sums.append(np.asarray(np.bincount(at, weights=weights, minlength=size)[1:], dtype=np.float64))
    largest, highest = (float(np.abs(v).max(initial=0.0)) for v in (d, rows.y))
    s_sum, max_weight = (rows.y.size, 1.0) if rows.s is None else (float(rows.s.sum()), float(rows.s.max(initial=0.0)))
    return Counts(counts, sums, largest, highest, max_weight, rows.y.size, s_sum, float(d.sum()))


def count_part(
    part: TablePart, plan: FitPlan, layout: Layout, null: NullModel, keep_codes: KeepCodes | None = None
) -> Counts:
    """Read, encode and count a part; `keep_codes(number, codes, rows, layout)` may store what was encoded."""
    rows = part.read(plan.read)
    try:
        found = part_codes(rows.table, plan, layout)
    except ValueError as error:
        raise ValueError(f"partition {part.number} ({part.name}): {error}") from error
    if keep_codes is not None:
        keep_codes(part.number, found, rows, layout)
    return count_codes(found, layout, rows, null)


@dataclass(frozen=True)
class PartsFit:
    """The fitted layout, and how its columns relate to what was named.

    Attributes
    ----------
    layout, named : Layout
        Of the columns; of all that was named, which the codes kept by the second pass belong to.
    columns : int64 array
        For each combination that was named, block after block, its column, or -1.
    plan : FitPlan
    mean : float
        Of the targets less offsets, about.
    eliminated_length : int
        Rows of the longest combination that only the static screen left out; 0: there is none.
    """

    layout: Layout
    named: Layout
    columns: NDArray[np.int64]
    plan: FitPlan
    mean: float
    eliminated_length: int


def fit_parts(
    spec: Specification, rows: TableParts, screen: Screen | None, keep_codes: KeepCodes | None = None
) -> PartsFit:
    """Both passes; without a screen `min_count` alone decides."""
    sample = _sample(rows, list(dict.fromkeys(spec.sources.values())))
    plan = FitPlan.of(spec, sample)
    least = spec.keep.min_count
    guess, with_offset = 0.0 if screen is None else _guess(plan, sample, rows, screen), sample.offset is not None
    by_sample = NullModel.of((screen or Screen()).loss, sample)
    while True:
        cut = max(least, math.floor(guess))
        named, mean, sums = _named(rows.engine.map(name_keys, rows.parts, plan, cut / rows.n_rows, by_sample))
        null = by_sample.of_all(mean, sums, with_offset)
        total = _total(rows.engine.map(count_part, rows.parts, plan, named, null, keep_codes))
        length = 0.0 if screen is None else _threshold(total, screen, null.follows_from_mean(with_offset))
        if max(least, math.ceil(length)) >= cut:
            break
        guess = length
    final = max(least, math.ceil(length))
    layout, columns = _final(named, total, replace(spec.keep, min_count=final))
    return PartsFit(layout, named, columns, plan, mean, final - 1 if final > least else 0)


def _named(found: Iterable[Names | None]) -> tuple[Layout, float, tuple[float, float]]:
    """The names of all parts, the mean of the targets, and the sums of `NullModel.sums`."""
    sums = np.zeros(4)

    def layouts() -> Iterator[Layout]:
        for one in found:
            if one is not None:
                sums[:] += one.sums
                yield one.layout

    named = merged(layouts())
    s_sum, sy_sum, slope, curvature = sums.tolist()
    return named, sy_sum / (s_sum or 1.0), (slope, curvature)


class Forecast(NamedTuple):
    """What a fit on rows in parts will take, by a sample: rows, entries a row, columns."""

    n_rows: int
    entries: int
    n_columns: int


def forecast(spec: Specification, rows: TableParts, screen: Screen | None) -> Forecast:
    """From the sample that `fit_parts` begins with; columns that are rare in all rows are not seen in it."""
    sample = _sample(rows, list(dict.fromkeys(spec.sources.values())))
    plan = FitPlan.of(spec, sample)
    cut = 0.0 if screen is None else _guess(plan, sample, rows, screen) / GUESS_SHARE
    least = max(1, round(max(cut, spec.keep.min_count) * sample.y.size / rows.n_rows))
    columns = frequent_keys(sample, plan, least).n_columns
    return Forecast(rows.n_rows, len(plan.blocks) + len(plan.numbers), columns)


def first_rows(part: TablePart, columns: list[str], n: int) -> PartRows:
    """At most n rows of a part."""
    return part.read(columns).head(n)


def _sample(rows: TableParts, columns: list[str]) -> PartRows:
    """About `SAMPLE_ROWS` rows from at most eight parts."""
    chosen = np.unique(np.linspace(0, len(rows.parts) - 1, min(8, len(rows.parts))).astype(int))
    share = max(1, SAMPLE_ROWS // chosen.size)
    found = rows.engine.map(first_rows, [rows.parts[number] for number in chosen], columns, share)
    pieces = [piece for piece in found if piece.y.size]
    if not pieces:
        raise ValueError("there are no rows to fit.")
    return PartRows.concatenate(pieces)


def _guess(plan: FitPlan, sample: PartRows, rows: TableParts, screen: Screen) -> float:
    """Rows below which a column is hardly ever needed, by a sample."""
    named = frequent_keys(sample, plan, 1)
    null = NullModel.of(screen.loss, sample)
    total = count_codes(part_codes(sample.table, plan, named), named, sample, null)
    known = rows.largest_target(null.b0) if screen.loss.quadratic else None
    total = total if known is None else total._replace(largest=max(known, total.largest))
    found = GUESS_SHARE * _threshold(total, screen, null.follows_from_mean(sample.offset is not None))
    return found if screen.threshold is not None else found * rows.n_rows / sample.y.size


def _threshold(total: Counts, screen: Screen, exact: bool) -> float:
    """Columns of fewer rows stay 0 down to the weakest strength. `exact`: the residuals are those of the null model;
    else what is left of their mean is taken off."""
    mean = 0.0 if exact else total.slope / max(total.n_rows, 1)
    pairs = zip(total.sums, total.counts, strict=True)
    top = max((float(np.abs(part - mean * count).max(initial=0.0)) for part, count in pairs), default=0.0)
    least = screen.eps * top if screen.alpha is None else screen.alpha * total.s_sum
    least = least if screen.threshold is None else screen.threshold
    largest = screen.largest(total)
    return (1.0 if exact else SAMPLE_MARGIN) * least / largest if largest > 0.0 else 0.0


def _total(found: Iterable[Counts]) -> Counts:
    total: Counts | None = None
    for one in found:
        if total is None:
            total = one
            continue
        for count, more in zip(total.counts, one.counts, strict=True):
            count += more
        for sum_, more_ in zip(total.sums, one.sums, strict=True):
            sum_ += more_
        most = {name: max(getattr(total, name), getattr(one, name)) for name in ("largest", "highest", "max_weight")}
        most |= {name: getattr(total, name) + getattr(one, name) for name in ("n_rows", "s_sum", "slope")}
        total = total._replace(**most)
    assert total is not None
    return total


def _final(named: Layout, total: Counts, keep: Keep) -> tuple[Layout, NDArray[np.int64]]:
    """The layout of the combinations to keep, and the column of each that was named."""
    used = {name: np.zeros(len(levels), dtype=np.bool_) for name, levels in named.levels.items()}
    kept = [counts >= keep.min_count for counts in total.counts]
    for block, mask in zip(named.categories, kept, strict=True):
        for name, codes in zip(block.fields, block.split(np.flatnonzero(mask)), strict=True):
            used[name][codes] = True
    levels = {name: restrict_levels(named.levels[name], mask) for name, mask in used.items()}
    number = {name: np.cumsum(mask) - 1 for name, mask in used.items()}
    observed = []
    for block, mask, counts in zip(named.categories, kept, total.counts, strict=True):
        if block.combinations is None:
            mask |= used[block.fields[0]]
            combinations = None
        else:
            parts = zip(block.fields, block.split(np.flatnonzero(mask)), strict=True)
            combinations, _ = Combinations.fit(
                [number[name][part] for name, part in parts], [len(levels[name]) for name in block.fields]
            )
        observed.append(Observed(block.fields, combinations, counts[mask]))
    layout = Layout.build(levels, observed, named.numbers, total.n_rows, keep)
    columns = []
    for block, mask in zip(layout.categories, kept, strict=True):
        place = np.full(mask.size, -1, dtype=np.int64)
        column = block.place_of(np.arange(block.counts.size))
        place[mask] = np.where(column < 0, -1, column + block.start)
        columns.append(place)
    return layout, np.concatenate([np.empty(0, dtype=np.int64), *columns])

"""The weights as a map: the sum of all columns made of two ordered columns of the table, by cell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.keys import lookup

if TYPE_CHECKING:
    from sparsereg.crosses.block import Block
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.crosses.vocabulary import Levels

__all__ = ["MAX_CELLS", "map_block", "weight_map"]

Row = dict[str, Any]
Ints = NDArray[np.int64]
Vector = NDArray[np.float64]

# More cells than that are joined, two by two, four by four, ...
MAX_CELLS = 2500
# Insets show the densest squares, of this share of the longer side, in finer cells; smaller ones would show no more.
INSET, N_INSETS, INSET_CELLS, MIN_INSET_CELLS = 0.14, 2, 700, 12


def map_block(cross: FeatureCross, columns: Ints) -> Block | None:
    """The finest cross of two ordered fields, bins of different columns, of which a column is among the given ones."""
    levels, found = cross.levels_, None
    for block in cross.blocks_:
        if len(block.fields) != 2 or block.combinations is None:
            continue
        pair = [levels[name] for name in block.fields]
        ordered = all(_is_ordered(one) for one in pair) and pair[0].column != pair[1].column
        survives = ((columns >= block.start) & (columns < block.stop)).any()
        if ordered and survives and (found is None or block.n_observed > found.n_observed):
            found = block
    return found


def weight_map(cross: FeatureCross, columns: Ints, w: Vector, fields: tuple[str, str] | None = None) -> Row | None:
    """Cells of the finest surviving cross of two ordered fields, or of the cross of `fields`.

    Returns
    -------
    dict or None
        ``x`` and ``y``, names of fields; ``blocks``, whose columns are added up; ``joined``, how many cells of each
        field were joined; ``cells``, of each its bounds x0, x1, y0, y1, its value and its rows in fit. The value is the
        sum of the weights that a row in the cell has from these blocks, of joined cells the mean over the rows;
        ``insets``, where cells were joined: of the two squares with the most rows the cells, less joined. None without
        such a cross.

    Raises
    ------
    ValueError
        If `fields` are not a cross of two ordered fields.
    """
    order = np.argsort(columns)
    columns, w = columns[order], w[order]
    block = map_block(cross, columns)
    if fields is not None:
        block = next((one for one in cross.blocks_ if set(one.fields) == set(fields)), None)
        if block is None or not all(_is_ordered(cross.levels_[name]) for name in block.fields):
            raise ValueError(f"fields={fields!r} are not a cross of two ordered fields; expected two binned fields.")
    if block is None:
        return None
    y_name, x_name = sorted(block.fields, key=lambda name: not name.lower().startswith(("lat", "y")))
    kept = block.kept_codes
    parts = dict(zip(block.fields, block.split(kept), strict=True))
    axes = {name: _Axis.of(cross.levels_[name], parts[name]) for name in (x_name, y_name)}
    inside = axes[x_name].finite & axes[y_name].finite
    chosen, value = _values(cross, (columns, w), block, axes)
    if not inside.any():
        return None
    x, y, rows = axes[x_name], axes[y_name], block.counts[kept].astype(np.float64)
    cells, joined = _joined(x, y, value, rows, inside)
    insets = [] if joined == 1 else _insets((x, y), value, rows, inside, joined)
    return {"x": x_name, "y": y_name, "blocks": chosen, "joined": joined, "cells": cells, "insets": insets}


@dataclass(frozen=True)
class _Axis:
    """Bin index, bounds and centre of each cell on one axis; `finite` where both bounds are."""

    column: str
    index: Ints
    low: Vector
    high: Vector
    finite: NDArray[np.bool_]

    @classmethod
    def of(cls, levels: Levels, codes: NDArray[Any]) -> _Axis:
        bounds = [levels.level(code) for code in range(len(levels))]
        pairs = [(math.nan, math.nan) if bound is None else bound for bound in bounds]
        low, high = np.array(pairs, dtype=np.float64).T
        index = np.append(levels.numbers, [0] * (len(levels) - levels.numbers.size)).astype(np.int64)
        low, high = low[codes], high[codes]
        return cls(levels.column, index[codes], low, high, np.isfinite(low) & np.isfinite(high))

    @property
    def centre(self) -> Vector:
        return np.where(self.finite, 0.5 * (self.low + self.high), 0.0)


def _is_ordered(levels: Levels) -> bool:
    """Whether the levels are bins with bounds."""
    return levels.bins is not None and levels.numbers.size > 0 and isinstance(levels.level(0), tuple)


def _values(
    cross: FeatureCross, coef: tuple[Ints, Vector], block: Block, axes: dict[str, _Axis]
) -> tuple[list[str], Vector]:
    """Names of the blocks made of the two columns only, and the sum of their weights at the centre of each cell."""
    columns, w = coef
    levels, centre = cross.levels_, {axis.column: axis.centre for axis in axes.values()}
    value, names = np.zeros(block.kept_codes.size), []
    for other in cross.blocks_:
        if other.is_number or not all(name in levels for name in other.fields):
            continue
        own = {name: levels[name] for name in other.fields}
        if not all(_is_ordered(one) and one.column in centre for one in own.values()):
            continue
        codes = {name: _codes_at(one, centre[one.column]) for name, one in own.items()}
        place = np.asarray(other.place(other.find(codes)), dtype=np.int64) + other.start
        hit = np.searchsorted(columns, place)
        hit[hit == columns.size] = 0
        known = (columns[hit] == place) & (place >= other.start) if columns.size else np.zeros(place.size, np.bool_)
        value[known] += w[hit[known]]
        names.append(other.name)
    return names, value


def _codes_at(levels: Levels, centre: Vector) -> NDArray[Any]:
    assert levels.bins is not None
    return lookup(levels.numbers, levels.bins.index(centre))


def _insets(
    axes: tuple[_Axis, _Axis], value: Vector, rows: Vector, inside: NDArray[np.bool_], joined: int
) -> list[Row]:
    """The two squares with the most rows, which do not overlap: of `INSET` of the longer side, or of a half or quarter
    of that where only these show finer cells than the map, of which `joined` are one."""
    x, y = axes
    found: list[Row] = []
    for share in (INSET, INSET / 2, INSET / 4):
        side = share * max(float(np.ptp(axis.centre[inside])) for axis in axes)
        left, found = inside.copy(), []
        while len(found) < N_INSETS and left.any():
            place = _fullest((x.centre, y.centre), np.where(left, rows, 0.0), side)
            apart = np.maximum(np.abs(x.centre - place[0]), np.abs(y.centre - place[1]))
            chosen = left & (apart <= side / 2)
            if chosen.sum() < MIN_INSET_CELLS:
                break
            cells, own = _joined(x, y, value, rows, chosen, INSET_CELLS)
            found.append({"joined": own, "cells": cells})
            left &= apart > side
        if all(inset["joined"] < joined for inset in found):
            break
    return [inset for inset in found if inset["joined"] < joined]


def _fullest(centres: tuple[Vector, Vector], rows: Vector, side: float) -> tuple[float, float]:
    """The centre of the square of a grid in steps of a quarter of its side that holds the most rows."""
    step = side / 4
    low = [float(centre.min()) for centre in centres]
    places = [np.floor((centre - least) / step).astype(np.int64) for centre, least in zip(centres, low, strict=True)]
    table = np.zeros([int(place.max()) + 4 for place in places])
    np.add.at(table, tuple(places), rows)
    sums = np.lib.stride_tricks.sliding_window_view(table, (4, 4)).sum(axis=(2, 3))
    i, j = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return low[0] + (float(i) + 2) * step, low[1] + (float(j) + 2) * step


def _joined(
    x: _Axis, y: _Axis, value: Vector, rows: Vector, inside: NDArray[np.bool_], limit: int = MAX_CELLS
) -> tuple[list[list[float]], int]:
    """Cells, joined by a power of two until there are at most `limit`."""
    joined = 1
    while True:
        keys = np.stack([x.index[inside] // joined, y.index[inside] // joined], axis=1)
        groups, owner = np.unique(keys, axis=0, return_inverse=True)
        if len(groups) <= limit:
            break
        joined *= 2
    owner = owner.reshape(-1)
    weight = np.maximum(rows[inside], 1.0)
    total = np.bincount(owner, weights=weight)
    mean = np.bincount(owner, weights=weight * value[inside]) / total
    bounds = []
    for axis, column in ((x, 0), (y, 1)):
        values, place = np.unique(groups[:, column], return_inverse=True)
        of_cells = np.searchsorted(values, keys[:, column])
        low, high = np.full(values.size, np.inf), np.full(values.size, -np.inf)
        np.minimum.at(low, of_cells, axis.low[inside])
        np.maximum.at(high, of_cells, axis.high[inside])
        bounds += [low[place], high[place]]
    table = np.stack([*bounds, mean, total], axis=1)
    return [[float(f"{number:.7g}") for number in row] for row in table.tolist()], joined

"""The fields of a one-hot design, found from its rows: which columns exclude each other, and which of them refine which.

Knows neither targets nor penalties, nor what is done with the fields.

A *field* is a run of columns of which no row has two, as the one-hot columns of a category or of a cross are. A field is
*nested* in a coarser one where each of its levels lies within one level of the other and together they fill it, as a cross
does with what it was crossed from. Fields nested in nothing finer are *tops*: what a row has of all the others follows from
its tops, so that passes over the rows need to read those alone.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Levels, number_levels
from sparsereg.data.design import Design

__all__ = ["Fields", "hosts"]

# More than this is no table of categories. Fields in one pass over the rows must fit the kernel's 64 too.
MOST_FIELDS = 64
# Columns with other values than 1 at most: each costs two passes over its entries wherever rows are met.
MOST_VALUED = 100
# Levels of all shadows together at most; rows a level of what casts one at least, so that agreement says something; and the share
# of the rows outside the most frequent level that must agree.
MOST_SHADOWED = 600
ROWS_A_LEVEL = 20
AGREEMENT = 0.7
# Most pairs disagree plainly: the first few rows, one in so many, are asked before all are.
FIRST_LOOK = 8
# Fields of which a row has fewer than this share on average are no fields but runs of columns that happened not to meet.
LEAST_FILLED = 0.5


@dataclass(frozen=True)
class Shadow:
    """A field that a finer one nearly is nested in, as if it were: each level of the finer one lies in the level that most of its
    rows have. It has no columns of its own.

    Attributes
    ----------
    m : int
        How many levels it has.
    held : dict of int to Levels
        For the finer field and those nested in that, the level that each of theirs lies in.
    host : int
        The top among them.
    """

    m: int
    held: dict[int, Levels]
    host: int


@dataclass(frozen=True)
class Fields:
    """All columns of a design, field by field.

    Memory: an int32 for each row and top and for each column and nesting; while it is being found, for each row and field.

    Attributes
    ----------
    order : int64 array of shape (n_cols,)
        The columns of the design, field by field; within one as they stand. Columns with other values than 1 come last.
    parts : list of slice
        Where each field stands in that order.
    tops : dict of int to Levels
        Of each top, what the rows have of it.
    nested : dict of (int, int) to Levels
        `nested[fine, coarse]`: the level of `coarse` that each level of `fine` lies in.
    host : dict of int to int
        For each field that is no top, the smallest top nested in it.
    shadows : list of Shadow
    grouped : bool
        Whether the levels of the only top stand for the rows: those of one level are the same row.
    """

    order: NDArray[np.int64]
    parts: list[slice]
    tops: dict[int, Levels]
    nested: dict[tuple[int, int], Levels]
    host: dict[int, int]
    shadows: list[Shadow]
    grouped: bool

    @property
    def n_levels(self) -> int:
        """Columns that belong to a field."""
        return self.parts[-1].stop

    @classmethod
    def of(cls, design: Design, least_rows: float = 0.0) -> Fields | None:
        """The fields of a sparse design of ones and at most a few valued columns; None where it has no such structure.

        Shadows have `least_rows` a level at least."""
        rows, n_ones = design.rows, design.n_ones
        if rows is None or n_ones == 0 or design.n_cols - n_ones > MOST_VALUED:
            return None
        field_of, runs = rows.fields(MOST_FIELDS)
        if not 0 < runs.size * LEAST_FILLED <= design.nnz / design.n_rows:
            return None
        level, order, sizes = number_levels(field_of, design.index_in_rows, n_ones, runs.size)
        valued = np.arange(n_ones, design.n_cols)
        filled = (
            not valued.size and design.nnz == runs.size * design.n_rows
        )  # valued columns leave rows without a level
        codes = [np.empty(design.n_rows, np.int32) if filled else np.full(design.n_rows, m, np.int32) for m in sizes]
        rows.field_codes(runs, level, codes)
        levels = [Levels(code, m) for code, m in zip(codes, sizes, strict=True) if m]  # a run may be all valued
        ends = np.cumsum([own.m for own in levels])
        parts = [slice(int(end) - own.m, int(end)) for end, own in zip(ends, levels, strict=True)]
        return cls._related(np.concatenate([order, valued]), parts, levels, filled, least_rows)

    @classmethod
    def _related(
        cls,
        order: NDArray[np.int64],
        parts: list[slice],
        levels: list[Levels],
        complete: bool,
        least_rows: float,
    ) -> Fields:
        """Fields put in their relations; with one top in `complete` rows, its levels take the place of the rows."""
        nested = _nestings(levels)
        refined = {coarse for _, coarse in nested}
        tops = {f: own for f, own in enumerate(levels) if f not in refined}
        grouped = complete and len(tops) == 1 and bool(nested)
        shadows = [] if grouped else _shadows(levels, nested, tops, least_rows)
        if grouped:
            tops = {t: Levels(np.arange(top.m, dtype=np.int32), top.m) for t, top in tops.items()}
        return cls(order, parts, tops, nested, hosts(tops, nested), shadows, grouped)


def hosts(tops: dict[int, Levels], nested: dict[tuple[int, int], Levels]) -> dict[int, int]:
    """The smallest top that each of the other fields lies over."""
    refined = {coarse for _, coarse in nested}
    return {f: min((t for t in tops if (t, f) in nested), key=lambda t: tops[t].m) for f in refined}


def _nestings(levels: list[Levels]) -> dict[tuple[int, int], Levels]:
    """Every pair of a fine and a coarse field; of two fields that are the same the first is the coarse one."""
    found = {}
    for fine, a in enumerate(levels):
        for coarse, b in enumerate(levels):
            if (b.m, coarse) >= (a.m, fine):
                continue
            parent = a.parents(b)
            if parent is not None:
                found[fine, coarse] = Levels(parent, b.m)
    return found


def _shadows(
    levels: list[Levels], nested: dict[tuple[int, int], Levels], tops: dict[int, Levels], least_rows: float
) -> list[Shadow]:
    found: list[Shadow] = []
    n = levels[0].codes.size
    cast, room = set(), MOST_SHADOWED
    by_size = sorted(range(len(levels)), key=lambda f: levels[f].m)
    for fine, coarse in itertools.product(by_size, by_size):
        a, b = levels[fine], levels[coarse]
        if (fine, coarse) in nested or ROWS_A_LEVEL * a.m > n or 2 * b.m > a.m:
            continue
        if b.m > room or b.m * least_rows > n:
            continue
        if any((between, coarse) in cast for start, between in nested if start == fine):
            continue
        parent = _nearly_nested(a, b, n // FIRST_LOOK)
        if parent is None or (parent := _nearly_nested(a, b, n)) is None:
            continue
        used, code = np.unique(parent, return_inverse=True)
        held = {fine: Levels(code.astype(np.int32), used.size)}
        for (finer, start), own in nested.items():
            if start == fine:
                held[finer] = Levels(held[fine].codes[own.codes], used.size)
        found.append(Shadow(used.size, held, min((t for t in tops if t in held), key=lambda t: tops[t].m)))
        cast.add((fine, coarse))
        room -= used.size
    return found


def _nearly_nested(fine: Levels, coarse: Levels, n: int) -> NDArray[np.int32] | None:
    """The level of `coarse` that each level of `fine` lies in nearly, if it does by the first n rows."""
    parent, agreed = fine.majority(coarse, n)
    chance = np.bincount(coarse.codes[:n], minlength=1).max(initial=0)
    return parent if agreed - chance > AGREEMENT * (n - chance) else None

"""`Sighting`: what was seen of the columns of a table: levels, combinations, and which of them each row has.

This room may not know where columns come from, parameters that are not in a `Recipe`, or the matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.block import Observed, count_rows, observe
from sparsereg.crosses.column import Column, refuse_unknown
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.ragged import Codes, values_of
from sparsereg.crosses.recipe import Recipe
from sparsereg.crosses.vocabulary import Levels

__all__ = ["Sighting", "find_places"]


@dataclass(frozen=True)
class Sighting:
    """What was seen of a table.

    Attributes
    ----------
    layout : Layout
    found : list of Codes
        For each block of categories the number of each row's observed combination.
    numbers : list of ndarray of float64, each of shape (n,)
        The columns that pass through.
    """

    layout: Layout
    found: list[Codes]
    numbers: list[NDArray[np.float64]]

    @classmethod
    def of(cls, recipe: Recipe, columns: Mapping[str, Column], n_rows: int, known: Layout | None) -> Sighting:
        """Look at the column of each field.

        Of what is known from earlier chunks only the bins, and which fields are numbers, are taken over.
        """
        levels: dict[str, Levels] = {}
        codes: dict[str, Codes] = {}
        numbers: dict[str, NDArray[np.float64]] = {}
        for name, column in columns.items():
            before = None if known is None else known.levels.get(name)
            if recipe.is_number(name, column) if known is None else before is None:
                if name in recipe.mains:
                    numbers[name] = column.as_finite()
                continue
            fit = Levels.fit if before is None else before.refit
            levels[name], codes[name] = fit(name, column, recipe.bins.get(name), recipe.keep.with_missing)
        found, observed = [], []
        mains = [(name,) for name in recipe.mains if name in codes]
        for fields in [*mains, *recipe.all_crosses(list(codes))]:
            combinations, block = observe([codes[name] for name in fields], [len(levels[name]) for name in fields])
            found.append(block)
            observed.append(Observed(fields, combinations, count_rows(values_of(block))))
        if not observed and not numbers:
            raise ValueError("main_effects and crosses leave no columns; name a field in one of them.")
        return cls(Layout.build(levels, observed, numbers, n_rows, recipe.keep), found, list(numbers.values()))

    def places(self) -> list[Codes]:
        """For each block of categories the column of each row within the block."""
        return [block.place(part) for block, part in zip(self.layout.categories, self.found, strict=True)]


def find_places(layout: Layout, columns: Mapping[str, Column], strict: bool) -> list[Codes]:
    """For each block of categories the column of each row of another table, within the block.

    Raises
    ------
    ValueError
        If it is to be strict and a level or combination was not seen; one that is missing may be, if that is no level.
    """

    def refuse(codes: Codes, fields: Any) -> None:
        own = [columns[name] for name in fields]
        excused = [gaps for column in own if not layout.keep.with_missing and (gaps := column.gaps()) is not None]
        refuse_unknown(codes, own, excused)

    codes = {name: levels.encode(columns[name]) for name, levels in layout.levels.items()}
    if strict:
        for name, part in codes.items():
            refuse(part, [name])
    places = []
    for block in layout.categories:
        found = block.find(codes)
        if strict:
            refuse(found, block.fields)
        places.append(block.place(found))
    return places

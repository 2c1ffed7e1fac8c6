"""`Encoding`: the levels and combinations of a table, and their codes in each row; `place_rows` for other tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.block import Observed, count_rows, observe
from sparsereg.crosses.column import Column, refuse_unknown
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.ragged import Codes, values_of
from sparsereg.crosses.specification import Specification
from sparsereg.crosses.split import Split
from sparsereg.crosses.vocabulary import Levels

__all__ = ["Encoding", "place_rows"]


@dataclass(frozen=True)
class Encoding:
    """A table as codes.

    Attributes
    ----------
    layout : Layout
    codes : list of Codes
        For each block of categories the code of each row's level or combination.
    numbers : list of ndarray of float64, each of shape (n,)
        The columns that pass through as numbers.
    """

    layout: Layout
    codes: list[Codes]
    numbers: list[NDArray[np.float64]]

    @classmethod
    def fit(cls, spec: Specification, columns: Mapping[str, Column], n_rows: int, known: Layout | None) -> Encoding:
        """Encode the column of each field.

        The layout `known` from earlier chunks determines the bins and which fields are numbers, nothing else.
        """
        levels: dict[str, Levels] = {}
        codes: dict[str, Codes] = {}
        numbers: dict[str, NDArray[np.float64]] = {}
        for name, column in columns.items():
            before = None if known is None else known.levels.get(name)
            if spec.is_number(name, column) if known is None else before is None:
                if name in spec.mains:
                    numbers[name] = column.as_finite()
                continue
            if spec.keep.normalize_text:
                rule = spec.bins.get(name)
                column = column.normalized(rule.separator if isinstance(rule, Split) else None)
            fit = Levels.fit if before is None else before.refit
            levels[name], codes[name] = fit(name, column, spec.bins.get(name), spec.keep.with_missing)
        block_codes, observed = [], []
        mains = [(name,) for name in spec.mains if name in codes]
        for fields in [*mains, *spec.all_crosses(list(codes))]:
            combinations, block = observe([codes[name] for name in fields], [len(levels[name]) for name in fields])
            block_codes.append(block)
            observed.append(Observed(fields, combinations, count_rows(values_of(block))))
        if not observed and not numbers:
            raise ValueError("main_effects and crosses leave no columns; name a field in one of them.")
        return cls(Layout.build(levels, observed, numbers, n_rows, spec.keep), block_codes, list(numbers.values()))

    def places(self) -> list[Codes]:
        """For each block of categories the column of each row within the block."""
        return [block.place(part) for block, part in zip(self.layout.categories, self.codes, strict=True)]


def place_rows(layout: Layout, columns: Mapping[str, Column], strict: bool) -> list[Codes]:
    """For each block of categories the column of each row of another table, within the block.

    Raises
    ------
    ValueError
        If `strict` and a level or combination is unknown; not for missing values where missing is not a level.
    """

    def refuse(codes: Codes, fields: Iterable[str]) -> None:
        own = [columns[name] for name in fields]
        masks = [] if layout.keep.with_missing else [column.is_missing() for column in own]
        refuse_unknown(codes, own, [mask for mask in masks if mask is not None])

    codes = {}
    for name, levels in layout.levels.items():
        column = columns[name]
        if layout.keep.normalize_text:
            column = column.normalized(levels.split.separator if levels.split else None)
        codes[name] = levels.encode(column)
    if strict:
        for name, part in codes.items():
            refuse(part, [name])
    places = []
    for block in layout.categories:
        block_codes = block.find(codes)
        if strict:
            refuse(block_codes, block.fields)
        places.append(block.place(block_codes))
    return places

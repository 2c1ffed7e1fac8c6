"""`FitPlan`: what every part of a table needs to know to be encoded alike. Knows no levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from sparsereg.crosses.binning import Quantiles, Rule
from sparsereg.crosses.block import Keep
from sparsereg.crosses.column import Column
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.part_tables import PartRows, TablePart
from sparsereg.crosses.specification import Specification
from sparsereg.crosses.split import Split
from sparsereg.crosses.table import Table
from sparsereg.rows.partitioned import Engine

__all__ = ["FitPlan", "TableParts"]


class TableParts(Protocol):
    """Tables in parts, as `ParquetRows`."""

    @property
    def parts(self) -> list[TablePart]: ...
    @property
    def names(self) -> list[str]: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def target(self) -> str | None: ...
    @property
    def engine(self) -> Engine:
        """Who reads and encodes the parts."""

    def largest_target(self, mean: float) -> float | None:
        """A bound on `s |y - mean|`, where one is known beforehand."""


@dataclass(frozen=True)
class FitPlan:
    """What every part needs to know to be encoded alike.

    Attributes
    ----------
    sources : dict of str to str
        The column of each field.
    rules : dict of str to Rule
        Quantiles are edges already.
    numbers : tuple of str
        Fields that pass through as numbers.
    blocks : tuple of tuples of str
        Fields of each block of categories.
    keep : Keep
    """

    sources: Mapping[str, str]
    rules: Mapping[str, Rule]
    numbers: tuple[str, ...]
    blocks: tuple[tuple[str, ...], ...]
    keep: Keep

    @classmethod
    def of(cls, spec: Specification, sample: PartRows) -> FitPlan:
        """From the checked parameters and some rows, which give the quantiles' edges and which fields are numbers."""
        columns = _columns(sample.table, spec.sources)
        numbers = [name for name, column in columns.items() if spec.is_number(name, column)]
        categories = [name for name in columns if name not in numbers]
        rules = dict(spec.bins)
        for name, rule in spec.bins.items():
            if isinstance(rule, Quantiles) and name in columns:
                values = columns[name].as_numbers().values
                rules[name] = rule.fit(values[~np.isnan(values)])
        mains = [(name,) for name in spec.mains if name in categories]
        blocks = (*mains, *spec.all_crosses(categories))
        own = tuple(name for name in numbers if name in spec.mains)
        if not blocks and not own:
            raise ValueError("main_effects and crosses leave no columns; name a field in one of them.")
        return cls(spec.sources, rules, own, blocks, spec.keep)

    @classmethod
    def of_layout(cls, layout: Layout) -> FitPlan:
        """From a fitted layout."""
        rules = {name: levels.bins or levels.split for name, levels in layout.levels.items()}
        return cls(
            {name: levels.column for name, levels in layout.levels.items()} | {name: name for name in layout.numbers},
            {name: rule for name, rule in rules.items() if rule is not None},
            tuple(layout.numbers),
            tuple(block.fields for block in layout.categories),
            layout.keep,
        )

    @cached_property
    def read(self) -> list[str]:
        """The columns to read."""
        return list(dict.fromkeys(self.sources.values()))

    @property
    def categories(self) -> list[str]:
        """The fields that blocks are made of."""
        return list(dict.fromkeys(name for fields in self.blocks for name in fields))

    def columns(self, table: Table) -> dict[str, Column]:
        """The column of each field, texts normalized where that was asked for."""
        found = _columns(table, {name: self.sources[name] for name in [*self.categories, *self.numbers]})
        if self.keep.normalize_text:
            for name in self.categories:
                rule = self.rules.get(name)
                found[name] = found[name].normalized(rule.separator if isinstance(rule, Split) else None)
        return found


def _columns(table: Table, sources: Mapping[str, str]) -> dict[str, Column]:
    read = table.columns_like(table.names, True, dict.fromkeys(sources.values()))
    return {name: read[source] for name, source in sources.items()}

"""What each column of a table can become: categories, bins of numbers, parts of dates, or nothing. By X alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from sparsereg.crosses.binning import Quantiles, Rule
from sparsereg.crosses.column import Column
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.rules import Of
from sparsereg.crosses.table import Table

__all__ = ["COARSE", "FINE", "Candidates"]

# Bins of a number in its crosses, and of its own columns besides. Twenty follow a curve, and a pair of them has 400
# cells; a single field can have more.
COARSE, FINE = 20, 80
# Bins of each of two numbers whose cells are tried besides, from coarse to fine.
CELLS = (50, 100, 200)
# An integer column of at most so many values is a category; one of more may be an amount.
FEW_VALUES = 40
# An identifier has so many levels, nearly all of them in one row.
MIN_LEVELS, SINGLE_SHARE = 20, 0.85
_ID_NAME = re.compile(r"(^|[_\W])(id|uuid|guid|key|index|row|rownum)$|[a-z]I[Dd]$|^Unnamed: 0$", re.IGNORECASE)
_LATITUDE, _LONGITUDE = re.compile(r"(^|[_\W])lat(itude)?$"), re.compile(r"(^|[_\W])(lon|long|lng|longitude)$")
_PARTS = ("year", "month", "day", "weekday", "hour")


@dataclass
class Candidates:
    """Fields that a design can have.

    Attributes
    ----------
    rules : dict of str to Rule, Of or None
        The fields, in the order of the columns: a rule of their column, an `Of`, or None for categories.
    finer : dict of str to str
        A second field of a number, in finer bins, and its first one.
    codes : dict of str to str
        An integer's field of categories, and its field of bins: which of the two is used is to be measured.
    numbers : dict of str to str
        Fields of numbers in bins, whose pairs can have finer cells, and their columns.
    coordinates : list of (str, str)
        Latitudes and longitudes.
    notes : list of str
    """

    rules: dict[str, Rule | Of | None] = field(default_factory=dict)
    finer: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    coordinates: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, table: Table, use: list[str], given: dict[str, Rule | Of]) -> Candidates:
        """Of the columns to `use`, in their order; `given` are rules that the user chose."""
        found = cls(names=frozenset(table.names))
        dropped: dict[str, list[str]] = {}
        of_column: dict[str, dict[str, Any]] = {}
        for name, rule in given.items():
            of_column.setdefault(str(rule.column) if isinstance(rule, Of) else name, {})[name] = rule
        for name in use:
            if name in of_column:
                found.rules |= of_column.pop(name)
            elif name in table.names:
                why = found._add(table.column(table.names.index(name)))
                if why is not None:
                    dropped.setdefault(why, []).append(name)
        for rules in of_column.values():
            found.rules |= rules
        found.notes += [f"left out, {why}: {', '.join(names)}." for why, names in dropped.items()]
        found._add_coordinates(table)
        return found

    def made(self, name: str, tail: str) -> str:
        """A name for a new field, which no column has."""
        new = f"{name}_{tail}"
        while new in self.names or new in self.rules:
            new += "_"
        return new

    def _add(self, column: Column) -> str | None:
        """Add the fields of a column; or say why it has none."""
        name = column.name
        missing = column.is_missing()
        present = column.values if missing is None else column.values[~missing]
        levels, counts = np.unique(present, return_counts=True)
        if levels.size < 2 and (levels.size == 0 or missing is None):
            return "as they have one value"
        if column.kind == "date":
            return self._add_date(name, present)
        if column.kind == "list":
            return "as they hold lists, which need a rule in bins"
        single = levels.size >= MIN_LEVELS and float((counts == 1).sum()) >= SINGLE_SHARE * levels.size
        if column.kind == "string" and single:
            return "as nearly every row has a value of its own, as identifiers have"
        if column.kind == "integer" and single:
            dense = float(levels[-1]) - float(levels[0]) < 1.5 * present.size
            if _ID_NAME.search(name) or dense:
                return "as nearly every row has a value of its own, as identifiers have"
        if column.kind == "number":
            self._add_number(name, False, False)
        elif column.kind == "integer" and levels.size > FEW_VALUES:
            self._add_number(name, not single, True)
        else:
            self.rules[name] = None
        return None

    def _add_number(self, name: str, is_code: bool, is_integer: bool) -> None:
        """Bins, finer bins, and for integers that may be codes the categories themselves."""
        bins = self.made(name, str(COARSE)) if is_integer else name
        if is_code:
            self.rules[name], self.codes[name] = None, bins
        self.rules[bins] = Of(name, Quantiles(COARSE)) if is_integer else Quantiles(COARSE)
        fine = self.made(name, str(FINE))
        self.rules[fine], self.finer[fine] = Of(name, Quantiles(FINE)), bins
        self.numbers[bins] = name

    def _add_date(self, name: str, present: Any) -> str | None:
        parts = [part for part in _PARTS if np.unique(DatePart(part).index(present)).size > 1]
        for part in parts:
            self.rules[self.made(name, part)] = Of(name, DatePart(part))
        return None if parts else "as they have one value"

    def _add_coordinates(self, table: Table) -> None:
        def within(name: str, limit: float) -> bool:
            values = table.column(table.names.index(name)).as_numbers().values
            return bool(np.nanmax(np.abs(values)) <= limit)

        for (field_a, a), (field_b, b) in product(self.numbers.items(), self.numbers.items()):
            if _LATITUDE.search(a.lower()) and _LONGITUDE.search(b.lower()) and within(a, 90.0) and within(b, 360.0):
                self.coordinates.append((field_a, field_b))

"""`Specification`: the parameters of a `FeatureCross`, checked against the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from sparsereg.crosses.binning import Rule
from sparsereg.crosses.block import Fields, Keep
from sparsereg.crosses.column import Column
from sparsereg.crosses.rules import Of
from sparsereg.crosses.table import shortened

__all__ = ["Specification", "check_choices", "check_whole"]


# Parameters with two choices.
_CHOICES = (
    *(("handle_unknown", "zero", "error"), ("rare", "drop", "pool")),
    *(("missing", "level", "zero"), ("normalize_text", True, False)),
)


@dataclass(frozen=True)
class Specification:
    """The fields and crosses of a design, by name.

    Attributes
    ----------
    bins : dict of str to Rule
    sources : dict of str to str
        The fields that are used, in order, and the column that each is read from.
    mains : tuple of str
        The fields with main effects, in order.
    crosses : tuple of tuples of str
    numeric : frozenset of str
    degree : int
    keep : Keep
    """

    bins: Mapping[str, Rule]
    sources: Mapping[str, str]
    mains: Fields
    crosses: tuple[Fields, ...]
    numeric: frozenset[str]
    degree: int
    keep: Keep

    @classmethod
    def resolve(cls, parameters: Mapping[str, Any], columns: Sequence[str], named: bool) -> Specification:
        """Check the parameters of a `FeatureCross` against the columns of a table.

        Raises
        ------
        ValueError
            If a parameter is wrong.
        """
        check_choices(parameters)

        def names(keys: Any, parameter: str, known: Iterable[str]) -> Fields:
            if not _is_list(keys):
                raise ValueError(f"{parameter}={keys!r} must be a list of columns, such as ['a'].")
            chosen = tuple(_name(key, columns, named, parameter, sources) for key in keys)
            for name in chosen:
                if name not in known:
                    raise ValueError(f"{parameter} names {name!r}, which is not among fields={list(known)}; add it.")
            if len(set(chosen)) < len(chosen):
                raise ValueError(f"{parameter}={keys!r} names a column twice; remove one.")
            return chosen

        bins, sources = _rules(parameters["bins"], columns, named)
        fields = tuple(name for name in columns if name in bins or name not in sources.values())
        fields += tuple(name for name in sources if name not in fields)
        if parameters["fields"] is not None:
            fields = names(parameters["fields"], "fields", {*columns, *sources})
        for name in bins:
            if name not in fields:
                raise ValueError(f"bins names {name!r}, which is not among fields={list(fields)}; add it.")
        crosses = _crosses(parameters["crosses"], lambda keys: names(keys, "crosses", fields))
        main_effects = parameters["main_effects"]
        if isinstance(main_effects, (bool, np.bool_)):
            mains = fields if main_effects else ()
        else:
            chosen = names(main_effects, "main_effects", fields)
            mains = tuple(name for name in fields if name in chosen)
        numeric = frozenset(names(parameters["numeric"], "numeric", fields))
        if both := numeric & bins.keys():
            raise ValueError(f"column {min(both)!r} is both in numeric and in bins; choose one.")
        if unused := numeric - set(mains):
            raise ValueError(
                f"numeric names {min(unused)!r}, which is not in main_effects; add it, as numbers have no crosses."
            )
        degree = int(parameters["degree"])
        needed = {*mains, *(name for cross in crosses for name in cross)}
        used = fields if degree > 1 else tuple(name for name in fields if name in needed)
        if not used:
            raise ValueError("main_effects and crosses leave no columns; name a field in one of them.")
        limit = parameters["max_levels"]
        pool, with_missing = parameters["rare"] == "pool", parameters["missing"] == "level"
        normalize = bool(parameters["normalize_text"])
        keep = Keep(int(parameters["min_count"]), None if limit is None else int(limit), pool, with_missing, normalize)
        read = {name: sources.get(name, name) for name in used}
        return cls(bins, read, mains, crosses, numeric, degree, keep)

    def is_number(self, name: str, column: Column) -> bool:
        """Whether a field passes through as a number.

        Raises
        ------
        ValueError
            If such a field is crossed.
        """
        if name not in self.numeric and (column.kind != "number" or name in self.bins):
            return False
        for cross in self.crosses:
            if name in cross:
                raise ValueError(
                    f"column {name!r} holds numbers and cannot be crossed in {cross}; give it a rule in bins, "
                    "such as Width, Quantiles or Edges."
                )
        return True

    def all_crosses(self, categorical: Sequence[str]) -> list[Fields]:
        """The crosses given by name, and those of the categorical fields that `degree` adds."""
        crosses = list(self.crosses)
        known = set(map(frozenset, crosses))
        for order in range(2, self.degree + 1):
            crosses += [cross for cross in combinations(categorical, order) if frozenset(cross) not in known]
        return crosses


def check_choices(parameters: Mapping[str, Any]) -> None:
    """Raise a ValueError if a parameter that does not name columns is wrong."""
    try:
        known = np.dtype(parameters["dtype"]) in (np.float32, np.float64)
    except TypeError:  # NumPy knows no such type
        known = False
    if not known:
        raise ValueError(f"dtype={parameters['dtype']!r} must be float32 or float64.")
    for name, one, other in _CHOICES:
        if parameters[name] not in (one, other):
            raise ValueError(f"{name}={parameters[name]!r} must be {one!r} or {other!r}.")
    for name in ("degree", "min_count", "max_levels", "max_memory", "hashed"):
        value = parameters[name]
        if value is None and name not in ("degree", "min_count"):
            continue
        # max_memory=2e9 is allowed although it is a float.
        whole = name == "max_memory" and isinstance(value, float) and value.is_integer()
        check_whole(name, int(value) if whole else value)


def check_whole(name: str, value: Any) -> None:
    """Raise a ValueError if a value is not an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name}={value!r} must be a whole number, at least 1.")


def _is_list(value: Any) -> bool:
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))


def _name(key: Any, columns: Sequence[str], named: bool, parameter: str, made: Iterable[str] = ()) -> str:
    if isinstance(key, str):
        if key not in columns and key not in made:
            raise ValueError(f"{parameter} names {key!r}, which is not among the columns {shortened(columns)}.")
        return key
    if named or isinstance(key, bool) or not isinstance(key, (int, np.integer)):
        raise ValueError(f"{parameter} names {key!r}; call a column by its name, or by position in an array.")
    if not 0 <= key < len(columns):
        raise ValueError(f"{parameter} names column {key}, but there are {len(columns)}, counted from 0.")
    return columns[int(key)]


def _rules(bins: Any, columns: Sequence[str], named: bool) -> tuple[dict[str, Rule], dict[str, str]]:
    """The rule of each binned field, and the column of each field that `Of` makes."""
    if not (bins is None or isinstance(bins, Mapping)):
        raise ValueError(f"bins={bins!r} must be a dict of column to Width, Quantiles, Edges, DatePart or Split.")
    rules: dict[str, Rule] = {}
    sources: dict[str, str] = {}
    for key, rule in (bins or {}).items():
        is_rule = isinstance(rule, (Rule, Of))
        if not is_rule:
            raise ValueError(f"bins[{key!r}]={rule!r} must be a Width, Quantiles, Edges, DatePart, Split or Of.")
        if isinstance(rule, Rule):
            rules[_name(key, columns, named, "bins")] = rule
            continue
        is_new = isinstance(key, str) and key not in columns
        if not is_new:
            raise ValueError(f"bins[{key!r}]={rule!r} makes a new field; give it a name that no column has.")
        sources[key] = _name(rule.column, columns, named, "bins")
        rules[key] = rule.rule
    if len(rules) < len(bins or {}):
        raise ValueError(f"bins={bins!r} names a column twice, by name and by position; remove one.")
    return rules, sources


def _crosses(crosses: Any, names: Any) -> tuple[Fields, ...]:
    if not _is_list(crosses) or not all(map(_is_list, crosses)):
        raise ValueError(f"crosses={crosses!r} must be a list of tuples of columns, such as [('a', 'b')], or 'auto'.")
    named = tuple(names(cross) for cross in crosses)
    for cross in named:
        if len(cross) < 2:
            raise ValueError(f"crosses holds {cross}; a cross needs two columns or more; use main_effects for one.")
    if len(set(map(frozenset, named))) < len(named):
        raise ValueError(f"crosses={crosses!r} holds the same cross twice; remove one.")
    return named

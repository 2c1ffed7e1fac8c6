"""`RULES`: all rules by name; and `Of`, which applies a rule to a column under the name of a new field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsereg.crosses.binning import Edges, Quantiles, Rule, Width
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.split import Split

__all__ = ["RULES", "Of", "rule_from_dict"]

RULES: dict[str, type[Rule]] = {rule.name: rule for rule in (Width, Quantiles, Edges, DatePart, Split)}


@dataclass(frozen=True)
class Of:
    """A new field made of a column by a rule: one column can make several fields.

    ``bins={"hour": Of("departure", DatePart("hour")), "weekday": Of("departure", DatePart("weekday"))}`` makes two
    fields of one column; ``bins={"latitude": Width("1/60"), "degree": Of("latitude", Width(1))}`` makes a fine and a
    coarse field.

    Parameters
    ----------
    column : str or int
        The column to read.
    rule : Rule
        Width, Quantiles, Edges, DatePart or Split.

    Raises
    ------
    ValueError
        If `rule` is not a rule.

    Examples
    --------
    >>> Of("latitude", Width(1))
    Of(column='latitude', rule=Width(1))
    """

    column: str | int
    rule: Rule

    def __post_init__(self) -> None:
        is_rule = isinstance(self.rule, Rule)
        if not is_rule:
            raise ValueError(f"rule={self.rule!r} must be a Width, Quantiles, Edges, DatePart or Split.")
        if isinstance(self.column, np.generic):
            object.__setattr__(self, "column", self.column.item())

    def to_dict(self) -> dict[str, Any]:
        """The rule and its column as JSON values."""
        return {"rule": "of", "column": self.column, "of": self.rule.to_dict()}


def rule_from_dict(values: Mapping[str, Any]) -> Any:
    """Read back what `Rule.to_dict` or `Of.to_dict` wrote.

    Parameters
    ----------
    values : mapping
        With the key ``"rule"`` and the parameters of that rule.

    Returns
    -------
    Rule or Of

    Raises
    ------
    ValueError
        If the rule is unknown or its parameters are wrong.

    Examples
    --------
    >>> rule_from_dict({"rule": "quantiles", "n": 20})
    Quantiles(n=20)
    """
    parameters = {key: value for key, value in values.items() if key != "rule"}
    name = values.get("rule")
    if name != "of" and name not in RULES:
        raise ValueError(f"rule={name!r} is not one of {sorted([*RULES, 'of'])}.")
    try:
        if name == "of":
            return Of(parameters["column"], rule_from_dict(parameters["of"]))
        return RULES[name](**parameters)
    except (TypeError, KeyError) as error:
        raise ValueError(f"rule={name!r} with parameters {parameters} is not valid: {error}") from None

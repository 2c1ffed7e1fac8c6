"""Parsing of option values: rules for bins, lists of names, strengths."""

from __future__ import annotations

import csv
from typing import Any

import click

from sparsereg.crosses.binning import Edges, Quantiles, Rule, Width
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.rules import Of

__all__ = ["bin_rules", "crosses", "strengths"]

_PARTS = ("year", "month", "day", "weekday", "hour", "minute")
_BIN_FORMS = "NAME=1/60, NAME=quantiles:20, NAME=edges:0,18,65 or NEW=hour:COLUMN"


def bin_rules(_: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Rule | Of]:
    """Each NAME=RULE as a name and a rule for bins."""
    rules: dict[str, Rule | Of] = {}
    for value in values:
        # A name may contain an equals sign, a rule does not.
        name, _equals, text = value.rpartition("=")
        if not name or not text:
            raise click.BadParameter(f"{value!r} should look like {_BIN_FORMS}.", param=param)
        if name in rules:
            raise click.BadParameter(f"{name!r} has two rules; give it one.", param=param)
        try:
            rules[name] = _rule(text)
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: {error}", param=param) from None
    return rules


def crosses(_: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Each A,B,... as names; a name that contains a comma stands in double quotes."""
    parsed = []
    for value in values:
        names = tuple(next(csv.reader([value]), []))
        if len(names) < 2 or not all(names):
            raise click.BadParameter(f"{value!r} should be two columns or more, as in latitude,longitude.", param=param)
        parsed.append(names)
    return tuple(parsed)


def strengths(_: click.Context, param: click.Parameter, value: str) -> int | list[float]:
    """A number of points, or strengths separated by commas."""
    try:
        return int(value) if value.strip().isdigit() else [float(part) for part in value.split(",")]
    except ValueError:
        message = f"{value!r} is neither a number of points nor a list of strengths such as 10,1,0.1."
        raise click.BadParameter(message, param=param) from None


def _rule(text: str) -> Any:
    kind, colon, rest = text.partition(":")
    if kind in _PARTS:
        return Of(rest, DatePart(kind)) if colon else DatePart(kind)
    if not colon or kind == "width":
        return Width(rest if colon else text)
    if kind == "edges":
        return Edges(float(edge) for edge in rest.split(","))
    if kind != "quantiles":
        raise ValueError(f"{kind!r} is not one of width, quantiles, edges, {', '.join(_PARTS)}.")
    if not rest.isdigit():
        raise ValueError(f"{rest!r} is not a number of bins.")
    return Quantiles(int(rest))

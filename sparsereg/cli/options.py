"""Parsing of option values: rules for bins, lists of names, strengths."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import click

from sparsereg.cli.tables import CsvFormat
from sparsereg.crosses.binning import Edges, Quantiles, Rule, Width
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.rules import Of
from sparsereg.losses import LOSSES, MULTINOMIAL, as_path_loss

__all__ = [
    "READABLE",
    "WRITABLE",
    "bin_rules",
    "column_names",
    "crosses",
    "csv_format",
    "csv_options",
    "exclude_option",
    "loss_name",
    "parts_options",
    "strengths",
    "text_option",
]

# Files that commands read, and write.
READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITABLE = click.Path(dir_okay=False, path_type=Path)
_PARTS = ("year", "month", "day", "weekday", "hour", "minute")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
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
    """Each A,B,... as names."""
    parsed = tuple(_split_names(value) for value in values)
    for value, names in zip(values, parsed, strict=True):
        if len(names) < 2 or not all(names):
            raise click.BadParameter(f"{value!r} should be two columns or more, as in latitude,longitude.", param=param)
    return parsed


def column_names(_: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """The names of all values, A or A,B,..., each once."""
    return tuple(dict.fromkeys(name for value in values for name in _split_names(value)))


exclude_option = click.option(
    "--exclude", callback=column_names, metavar="COLUMN[,...]", multiple=True, help="Do not use these columns."
)
text_option = click.option(
    "--text",
    callback=column_names,
    metavar="COLUMN[,...]",
    multiple=True,
    help="Read columns of a CSV file as categories even where they hold only numbers.",
)


def csv_options(command: Any) -> Any:
    """Add the options that say how values are written in a CSV file."""
    for option in (
        click.option(
            "--date-format", metavar="FORMAT", help="How dates are written, such as %d/%m/%Y or %Y-%m-%d %H:%M."
        ),
        click.option("--encoding", default="utf8", show_default=True, help="Encoding of a CSV file, such as latin-1."),
        click.option("--separator", default=",", show_default=True, help="Separator of a CSV file; \\t for a tab."),
        click.option(
            "--na", metavar="TEXT", multiple=True, help="Text that stands for a missing value, besides an empty field."
        ),
    ):
        command = option(command)
    return command


def parts_options(command: Any) -> Any:
    """Add the options of files that need not fit into memory."""
    for option in (
        click.option(
            "--scheduler", metavar="ADDRESS", help="Fit on the Dask cluster of this scheduler, tcp://host:port."
        ),
        click.option(
            "--scratch",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder for the encoded rows and a checkpoint of each point: an interrupted fit goes on there.",
        ),
        click.option(
            "--max-memory",
            callback=memory_size,
            metavar="SIZE",
            help="Read Parquet files in parts, within about so much memory, such as 8GB. For other files: end the path "
            "where it holds so much beside the table.",
        ),
    ):
        command = option(command)
    return command


def memory_size(_: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Bytes of a size such as 8GB."""
    if value is None:
        return None
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([kmgt]?)i?b?\s*", value.lower())
    if found is None:
        raise click.BadParameter(f"{value!r} is not a size such as 8GB.", param=param)
    return int(float(found[1]) * _UNITS[found[2]])


def csv_format(options: dict[str, Any]) -> CsvFormat:
    """What the options of `csv_options` say."""
    separator = options["separator"].replace("\\t", "\t")
    if len(separator.encode()) != 1:
        raise click.BadParameter(f"{separator!r} should be one character.", param_hint="--separator")
    return CsvFormat(separator, options["encoding"], tuple(options["na"]), options["date_format"])


def strengths(_: click.Context, param: click.Parameter, value: str | None) -> int | list[float] | None:
    """A number of points, or strengths separated by commas; None where nothing was asked for."""
    if value is None:
        return None
    try:
        return int(value) if value.strip().isdigit() else [float(part) for part in value.split(",")]
    except ValueError:
        message = f"{value!r} is neither a number of points nor a list of strengths such as 10,1,0.1."
        raise click.BadParameter(message, param=param) from None


def loss_name(_: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The name of a loss, with its parameter after a colon if it has one."""
    if value is not None and value.partition(":")[0] not in LOSSES and value != MULTINOMIAL.name:
        names = ", ".join((*LOSSES, MULTINOMIAL.name))
        message = f"{value!r} is not one of {names}; tweedie:1.7 and huber:2 have a parameter."
        raise click.BadParameter(message, param=param)
    try:
        return None if value is None else str(as_path_loss(value))
    except ValueError as error:
        raise click.BadParameter(str(error).partition(": ")[2], param=param) from None


def _split_names(value: str) -> tuple[str, ...]:
    """The names in A,B,...; a name that contains a comma stands in double quotes."""
    return tuple(next(csv.reader([value]), []))


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

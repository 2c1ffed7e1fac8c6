"""The command `designs`: main effects, all pairs and chosen crosses of a file, on the same folds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sparsereg.cli.console import Terminal
from sparsereg.cli.options import csv_format, csv_options, exclude_option, text_option
from sparsereg.cli.tables import read_table
from sparsereg.cli.targets import choose_loss
from sparsereg.cli.training import ColumnRoles, Training
from sparsereg.report.designs import compare_designs

__all__ = ["designs"]


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--target", required=True, metavar="COLUMN", help="Numbers, or two classes, as 0 and 1.")
@exclude_option
@text_option
@click.option("--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Folds of the rows.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the folds.")
@click.option("--no-ridge", is_flag=True, help="Compare lassos only, which takes less time.")
@csv_options
def designs(file: Path, **options: Any) -> None:
    """Compare designs of a CSV or Parquet FILE: main effects, all pairs, and chosen crosses, by lasso and ridge.

    Each design is chosen and fitted anew on the training rows of each fold. The table has the held-out R2 of each at
    its best strength, the best first, with paired standard errors.

    \b
      sparsereg designs houses.csv --target median_house_value
    """
    terminal = Terminal(click.get_current_context().obj)
    csv = csv_format(options)
    roles = ColumnRoles(options["target"], exclude=options["exclude"], text=options["text"])
    roles.check_options()
    with terminal.working(f"Reading {file.name}"):
        table, is_csv = read_table(file, csv)
        roles.check(table)
        kind = choose_loss(None, table[roles.target], csv, False, lambda _: None)
        if kind.loss == "multinomial":
            raise ValueError(f"target {roles.target!r} holds more than two classes; designs are compared for two.")
        roles = ColumnRoles(options["target"], exclude=options["exclude"], text=options["text"], kind=kind)
        table = roles.column_types(table, csv).apply(table, is_csv, terminal.note)
    if kind.classes is not None:
        no, yes = kind.classes
        terminal.note(
            f"target {roles.target} is compared as 1 for {yes} and 0 for {no}, by least squares; fit has --loss"
            " logistic for it."
        )
    data = Training.prepare(table, roles, 0.0, options["seed"], terminal.note)
    used = data.table.select([name for name in data.table.columns if name not in (roles.target, *roles.exclude)])
    with terminal.working("Fitting each design in each fold"):
        folds = data.folds(options["folds"], options["seed"])
        found = compare_designs(used, data.y, cv=folds, ridge=not options["no_ridge"])
    click.echo(str(found))
    click.echo(f"{data.y.size:,} rows, {terminal.total()}.")

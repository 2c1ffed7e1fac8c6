"""The commands `fit`, `predict`, `report` and `demo`: options, help, and what they print."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from sparsereg import __version__
from sparsereg.cli.console import Terminal
from sparsereg.cli.demo import globe_cross, make_places, make_target
from sparsereg.cli.designs_command import designs
from sparsereg.cli.errors import Commands
from sparsereg.cli.fit_options import check_fit_options
from sparsereg.cli.fitting import fit_model
from sparsereg.cli.options import (
    READABLE,
    WRITABLE,
    bin_rules,
    column_names,
    crosses,
    csv_format,
    csv_options,
    exclude_option,
    loss_name,
    parts_options,
    strengths,
    text_option,
)
from sparsereg.cli.out_of_core import TablePath, fit_in_parts, for_parts, in_parts
from sparsereg.cli.prediction import Prediction, check_point
from sparsereg.cli.report_command import report
from sparsereg.cli.serving_commands import compare, export, score
from sparsereg.cli.tables import read_table
from sparsereg.cli.targets import LOSS_NAMES, choose_loss
from sparsereg.cli.training import ColumnRoles, Training
from sparsereg.data.atomic_write import check_place, write_whole
from sparsereg.report.report import SparsityReport
from sparsereg.report.words import bytes_in_words
from sparsereg.selection.criteria import CRITERIA
from sparsereg.serving.model_file import Model, load_model, save_model
from sparsereg.solvers.path import regularization_path

__all__ = ["cli"]

_TABLE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sparsereg")
def cli() -> None:
    """Sparse linear models on tables with many categories, each certified.

    A model is fitted along a path of penalties, from one at which no column is active to one at which most are. Each
    point comes with a computed bound on its distance from the optimum.

    \b
    An example on a million generated rows:
      sparsereg demo

    \b
    Fit a file, save the model, apply it, report on it:
      sparsereg fit houses.csv --target median_house_value \\
          --bin latitude=1/60 --bin longitude=1/60 \\
          --cross latitude,longitude --model model.npz
      sparsereg predict model.npz other.csv --out predictions.csv
      sparsereg report model.npz

    \b
    Ship only the columns that have weights, as JSON:
      sparsereg export model.npz --out compact.json
      sparsereg score compact.json other.csv --out predictions.csv
    """


@cli.command()
@click.argument("file", type=TablePath(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--target", required=True, metavar="COLUMN", help="Column to predict; rows without it are left out.")
@click.option(
    "--bin",
    "bins",
    callback=bin_rules,
    metavar="NAME=RULE",
    multiple=True,
    help="Make categories of a number: NAME=1/60 (bins of that width), NAME=quantiles:20 or NAME=edges:0,18,65; "
    "or of a date: NEW=hour:COLUMN, also weekday, day, month, year, minute.",
)
@click.option(
    "--cross",
    "crosses",
    callback=crosses,
    metavar="A,B[,C...]",
    multiple=True,
    help="Cross columns: one more column for each combination that occurs.",
)
@click.option(
    "--field",
    "fields",
    callback=column_names,
    metavar="COLUMN[,...]",
    multiple=True,
    help="Use only these columns, and those in --bin, --cross and --numeric. Default: all.",
)
@exclude_option
@click.option(
    "--numeric",
    callback=column_names,
    metavar="COLUMN[,...]",
    multiple=True,
    help="Pass columns of numbers through instead of binning them.",
)
@text_option
@click.option(
    "--degree",
    type=click.IntRange(min=1),
    help="Cross all categories of up to so many fields. With --design auto, fields in a cross at most; default 3.",
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    help="Rows that a category or a combination needs for a column of its own. Default: 1 where the crosses are given, "
    "otherwise 5, fewer in small tables.",
)
@click.option(
    "--design",
    type=click.Choice(["auto", "pairs", "main"]),
    help="Which crosses to make. auto chooses bins, pairs and triples by held-out rows, without identifiers; "
    "pairs crosses all pairs, main none. Default: auto, or where --cross, --bin or --degree is given, just these.",
)
@click.option(
    "--budget-seconds",
    type=click.FloatRange(0, min_open=True),
    default=120.0,
    show_default=True,
    help="Time for the choice of the design and of the strength.",
)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    metavar="K",
    help="End the path after K strengths without a better held-out score. Default: once it has turned for good.",
)
@click.option(
    "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Folds that choose the strength."
)
@click.option("--weight", metavar="COLUMN", help="Weight of each row.")
@click.option("--offset", metavar="COLUMN", help="Number that is added to the prediction, before the link.")
@click.option(
    "--exposure", metavar="COLUMN", help="Time or size that counts stand for, such as years insured: rates are fitted."
)
@click.option(
    "--log-target", is_flag=True, help="Fit the logarithm; predictions are medians in the target's own units."
)
@click.option(
    "--loss",
    callback=loss_name,
    metavar="LOSS",
    help=f"{', '.join(LOSS_NAMES)}; tweedie:1.7 and huber:2 have a parameter. Default: logistic for a target of two "
    "values, multinomial for texts of more, otherwise squared.",
)
@click.option("--l1-ratio", type=float, default=1.0, show_default=True, help="1 is the lasso; less, an elastic net.")
@click.option(
    "--alphas",
    type=str,
    callback=strengths,
    metavar="N|A,B,...",
    help="Number of penalty strengths, or the strengths. Default: 20 a decade.",
)
@click.option(
    "--eps",
    type=float,
    help="The weakest strength, as a share of the strongest. Default: while held-out rows gain; 0.01 without folds.",
)
@click.option(
    "--tol",
    type=float,
    help="Largest duality gap of a certified point, as a share of the target's mean square (of the null model's loss). "
    "Default: 1e-4; 1e-7 with --html, which proves more columns zero.",
)
@click.option("--standardize", is_flag=True, help="Penalise effects per standard deviation of each column.")
@click.option("--positive", is_flag=True, help="Only non-negative coefficients.")
@click.option(
    "--validate",
    "share",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    help="Instead of folds, choose the strength by this share of rows, which stay out of the fit; 0 fits all rows and "
    "chooses the weakest.",
)
@click.option(
    "--criterion",
    type=click.Choice(list(CRITERIA)),
    help="Instead of folds, choose the strength by this information criterion, on a path of all rows.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the folds or held-out rows.",
)
@csv_options
@parts_options
@click.option("--model", "model_file", type=WRITABLE, help="Save the model in this file.")
@click.option("--report", "report_file", type=WRITABLE, help="Write the sparsity report to this file, as JSON.")
@click.option("--html", "html_file", type=WRITABLE, help="Write the sparsity report to this file, as HTML with charts.")
def fit(file: Path, **options: Any) -> None:
    """Fit a CSV (also compressed, or - for the standard input) or Parquet FILE and print which columns are active.

    Text, integers and booleans are categories, with one column for each value that occurs. Decimal numbers get 20
    quantile bins, unless --bin gives another rule or --numeric passes them through as they are. A missing value is a
    category of its own. Without --cross, --bin and --degree the crosses are chosen by held-out rows. The strength is
    chosen by cross-validation, and the model is fitted on all rows.

    \b
    Everything by default:
      sparsereg fit houses.csv --target median_house_value --model model.npz

    \b
    House prices by one-minute cells of latitude and longitude, and by these
    cells for each kind of place:
      sparsereg fit houses.csv --target median_house_value \\
          --bin latitude=1/60 --bin longitude=1/60 \\
          --cross latitude,longitude \\
          --cross ocean_proximity,latitude,longitude --model model.npz

    \b
    Only some columns, an elastic net, every row, the report as JSON:
      sparsereg fit flights.csv.gz --target arr_delay --field carrier \\
          --cross origin,dest --l1-ratio 0.5 --validate 0 --report report.json

    \b
    Files larger than memory; run again, it goes on where it was interrupted:
      sparsereg fit 'logs/*.parquet' --target clicks --cross site,ad \\
          --max-memory 8GB --scratch work --model model.npz
    """
    terminal = Terminal(click.get_current_context().obj)
    for file_out in (options["model_file"], options["report_file"], options["html_file"]):
        if file_out is not None:
            check_place(file_out)  # fail before the fit, not after it
    if options["tol"] is None:
        options["tol"] = 1e-4 if options["html_file"] is None else 1e-7
    named = [entry.name for entry in dataclasses.fields(ColumnRoles) if entry.name in options]
    roles = ColumnRoles(**{name: options[name] for name in named})
    check_fit_options(options)
    roles.check_options()
    csv = csv_format(options)
    if in_parts(file, options):
        _finish(fit_in_parts(file, roles, for_parts(options), terminal), options, terminal)
        return
    with terminal.working(f"Reading {file.name}"):
        table, is_csv = read_table(file, csv)
        roles.check(table)
        kind = choose_loss(options["loss"], table[roles.target], csv, roles.log_target, terminal.note)
        roles = dataclasses.replace(roles, kind=kind)
        check_fit_options(options | {"loss": kind.loss if kind.loss == "multinomial" else options["loss"]})
        types = roles.column_types(table, csv)
        table = types.apply(table, is_csv, terminal.note)
    data = Training.prepare(table, roles, options["share"] or 0.0, options["seed"], terminal.note)
    model = fit_model(data, roles, options | {"classes": kind.classes}, terminal)
    model.meta["date_formats"] = types.date_formats
    _finish(model, options, terminal)


def _finish(model: Model, options: dict[str, Any], terminal: Terminal) -> None:
    """Print the report, and write what was asked for."""
    found = SparsityReport.from_estimator(model)
    click.echo(found.to_text())
    click.echo()
    if options["report_file"] is not None:
        _write_text(options["report_file"], found.to_json(indent=2))
    if options["html_file"] is not None:
        found.save_html(options["html_file"])
        click.echo(f"{options['html_file']}: {bytes_in_words(options['html_file'].stat().st_size)}.")
    if options["model_file"] is not None:
        save_model(options["model_file"], model.cross, model.path, **model.meta)
        click.echo(f"{options['model_file']}: {bytes_in_words(options['model_file'].stat().st_size)}.")
    click.echo(f"{model.meta['rows']:,} rows fitted, {terminal.total()}.")


@cli.command()
@click.argument("model_file", metavar="MODEL", type=READABLE)
@click.argument("file", type=_TABLE)
@click.option("--out", type=WRITABLE, help="CSV or Parquet file to write; without it, CSV goes to the standard output.")
@click.option(
    "--keep",
    callback=column_names,
    metavar="COLUMN[,...]",
    multiple=True,
    help="Copy these columns of FILE to the output, as they are written there.",
)
@click.option(
    "--point", type=int, metavar="K", help="Point of the path, -1 for the last. Default: the one that fit chose."
)
@csv_options
def predict(model_file: Path, file: Path, **options: Any) -> None:
    """Apply a MODEL to the rows of a CSV or Parquet FILE, or of CSV on the standard input for FILE -.

    The output has a row for each row of FILE, in its order, and the column `prediction`: a number, or for a model of
    classes the class, and beside it `probability of CLASS`, for the second of two or for each of more. A category that
    did not occur in fit has no effect. If FILE holds the target, R2 (or the deviance explained) is printed on the
    standard error.

    \b
    Predictions beside an identifier of the rows:
      sparsereg predict model.npz other.csv --keep id --out predictions.csv
    """
    terminal = Terminal(click.get_current_context().obj)
    model = load_model(model_file)
    check_point(model, options["point"])
    if model.cross is None:
        raise ValueError(
            f"{model_file} was saved without a cross, so it cannot read a table; use load_model in Python."
        )
    csv = csv_format(options | {"na": [*model.meta.get("na", ()), *options["na"]]})
    with terminal.working(f"Reading {file.name}"):
        prediction = Prediction.read(model, file, csv, terminal.note)
    with terminal.working("Predicting"):
        result = prediction.run(options["point"], options["keep"], options["out"])
    if (score := prediction.score()) is not None:
        terminal.note(score)
    if options["out"] is not None:
        terminal.note(f"{options['out']}: {result.height:,} predictions; {terminal.total()}.")


@cli.command()
@click.option("--rows", type=click.IntRange(min=100), default=1_000_000, show_default=True, help="Rows to generate.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the generated rows.")
@click.option(
    "--save",
    type=click.Path(path_type=Path),
    help="Write the rows, with their target in column 'value', to this CSV file.",
)
def demo(rows: int, seed: int, save: Path | None) -> None:
    """Fit a lasso path on the globe in one-minute steps: 233 million possible columns.

    Rows are clustered in cities. Only steps of latitude (10,800), of longitude (21,600) and combinations that occur
    become columns; time and memory follow their number.
    """
    terminal = Terminal(click.get_current_context().obj)
    rng = np.random.default_rng(seed)
    with terminal.working(f"Making {rows:,} rows"):
        table = pl.DataFrame(make_places(rows, rng))
    cross = globe_cross()
    with terminal.working("Encoding"):
        X = cross.fit_transform(table)
    with terminal.working("Making the target"):
        y, chosen = make_target(X, rng)
    if save is not None:
        with terminal.working(f"Writing {save}"), write_whole(save) as out:
            table.with_columns(value=pl.Series(y)).write_csv(out)
    with terminal.path("Lasso path", 100) as callback:
        path = regularization_path(X, y, callback=callback)
    click.echo(SparsityReport.from_path(path, cross).to_text())
    active, _ = path.point(-1)
    n_found = np.intersect1d(active, chosen).size
    click.echo(f"\n{n_found:,} of the {chosen.size:,} columns that the target was made from are active.")
    click.echo(f"{rows:,} rows, {terminal.total()}.")


for command in (report, designs, compare, export, score):
    cli.add_command(command)


def _write_text(file: Path, text: str) -> None:
    with write_whole(file) as out:
        out.write(f"{text}\n".encode())

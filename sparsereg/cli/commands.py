"""The commands `fit`, `predict`, `report` and `demo`: options, help, errors in one line. They know no kernels."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from sparsereg import __version__
from sparsereg.cli.console import Screen
from sparsereg.cli.demo import globe_cross, make_places, make_target
from sparsereg.cli.fit_file import Plan, Training, date_columns, read_table
from sparsereg.cli.options import bin_rules, crosses, strengths
from sparsereg.report.report import SparsityReport
from sparsereg.report.text import bytes_in_words
from sparsereg.serving.atomic_write import check_place, write_whole
from sparsereg.serving.model_file import Model, load_model, save_model
from sparsereg.solvers.path import regularization_path

__all__ = ["cli"]

_SCORE = "held R2"
_READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
_WRITABLE = click.Path(dir_okay=False, path_type=Path)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Errors that a user can mend become one line on the standard error and a non-zero exit, without a traceback."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        where = f" (see: {error.ctx.command_path} --help)" if error.ctx is not None else ""
        raise click.UsageError(_one_line(error.format_message()) + where) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        raise click.ClickException(_one_line(what)) from error
    except MemoryError as error:
        raise click.ClickException("there is not enough memory; use fewer crosses or wider bins.") from error
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise click.ClickException(_one_line(str(error))) from error


class Commands(click.Group):
    """A group whose errors, and those of its commands, take one line."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments of the group itself."""
        with one_line_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with one_line_errors():
            return super().invoke(ctx)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sparsereg")
def cli() -> None:
    """Sparse linear models on tables with many categories, each certified.

    A model is fitted along a whole path of penalties, from one at which no column survives to one at which most do.
    What each point is from its optimum at most is computed, not assumed.

    \b
    See it work, on a million made-up rows:
      sparsereg demo

    \b
    Fit a file, keep the model, apply it, look at it again:
      sparsereg fit houses.csv --target median_house_value \\
          --bin latitude=1/60 --bin longitude=1/60 \\
          --cross latitude,longitude --model model.npz
      sparsereg predict model.npz other.csv --out predictions.csv
      sparsereg report model.npz
    """


@cli.command()
@click.argument("file", type=_READABLE)
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
    metavar="COLUMN",
    multiple=True,
    help="Use only these columns, and those in --bin, --cross and --numeric. Default: all.",
)
@click.option("--exclude", metavar="COLUMN", multiple=True, help="Leave this column out.")
@click.option(
    "--numeric", metavar="COLUMN", multiple=True, help="Pass a column of numbers through instead of binning it."
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Rows that a category or a combination needs for a column of its own.",
)
@click.option("--weight", metavar="COLUMN", help="Weight of each row.")
@click.option(
    "--log-target", is_flag=True, help="Fit the logarithm; predictions are medians in the target's own units."
)
@click.option("--l1-ratio", type=float, default=1.0, show_default=True, help="1 is the lasso; less, an elastic net.")
@click.option(
    "--alphas",
    type=str,
    callback=strengths,
    metavar="N|A,B,...",
    default=100,
    show_default=True,
    help="Number of penalty strengths, or the strengths.",
)
@click.option(
    "--eps", type=float, default=1e-2, show_default=True, help="The weakest strength, as a share of the strongest."
)
@click.option(
    "--tol",
    type=float,
    default=1e-4,
    show_default=True,
    help="Duality gap at which a point is certified, as a share of the target's mean square.",
)
@click.option("--standardize", is_flag=True, help="Penalise effects per standard deviation of each column.")
@click.option("--positive", is_flag=True, help="Only non-negative coefficients.")
@click.option(
    "--validate",
    "share",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="Share of rows held out to choose the strength; 0 fits all rows and chooses the weakest.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the rows to hold out.")
@click.option(
    "--na", metavar="TEXT", multiple=True, help="What stands for missing in a CSV file, besides an empty field."
)
@click.option("--model", "model_file", type=_WRITABLE, help="Keep the model in this file.")
@click.option("--report", "report_file", type=_WRITABLE, help="Write the sparsity report to this file, as JSON.")
def fit(file: Path, **options: Any) -> None:
    """Fit a CSV (also .gz) or Parquet FILE and print what survives.

    Text, integers and booleans are categories, one column for each value that occurs. Decimal numbers are cut into 20
    quantile bins unless --bin says otherwise, or --numeric that they pass through as they are. A missing value is a
    category of its own.

    \b
    House prices by one-minute cells of latitude and longitude, and by these
    for each kind of place:
      sparsereg fit houses.csv --target median_house_value \\
          --bin latitude=1/60 --bin longitude=1/60 \\
          --cross latitude,longitude \\
          --cross ocean_proximity,latitude,longitude --model model.npz

    \b
    Only some columns, an elastic net, every row, the report as JSON:
      sparsereg fit flights.csv.gz --target arr_delay --field carrier \\
          --cross origin,dest --l1-ratio 0.5 --validate 0 --report report.json
    """
    screen = Screen(click.get_current_context().obj)
    for place in (options["model_file"], options["report_file"]):
        if place is not None:
            check_place(place)  # before the work, not after it
    plan = Plan(**{entry.name: options[entry.name] for entry in dataclasses.fields(Plan)})
    with screen.working(f"Reading {file.name}"):
        table = read_table(file, options["na"], dates=date_columns(plan.bins))
    data = Training.prepare(table, plan, options["share"], options["seed"], screen.note)
    model = _fitted(data, plan, options, screen)
    report = _report(model)
    click.echo(report.to_text())
    click.echo()
    if options["report_file"] is not None:
        _write_text(options["report_file"], report.to_json(indent=2))
    if options["model_file"] is not None:
        save_model(options["model_file"], model.cross, model.path, **model.meta)
        click.echo(f"{options['model_file']}: {bytes_in_words(options['model_file'].stat().st_size)}.")
    click.echo(f"{data.train.size:,} rows fitted, {screen.total()}.")


@cli.command()
@click.argument("model_file", metavar="MODEL", type=_READABLE)
@click.argument("file", type=_READABLE)
@click.option(
    "--out", type=_WRITABLE, help="CSV or Parquet file to write; without it, CSV goes to the standard output."
)
@click.option("--keep", metavar="COLUMN", multiple=True, help="Copy this column of FILE beside the predictions.")
@click.option(
    "--point", type=int, metavar="K", help="Point of the path, -1 the last. Default: the one that was chosen in fit."
)
def predict(model_file: Path, file: Path, out: Path | None, keep: tuple[str, ...], point: int | None) -> None:
    """Apply a MODEL to the rows of a CSV or Parquet FILE.

    The output has a row for each row of FILE, in its order, and the column `prediction`. A category that was not there
    in fit has no effect. Where FILE holds the target, how well it is predicted is said on the standard error.

    \b
    Predictions beside the column that tells the rows apart:
      sparsereg predict model.npz other.csv --keep id --out predictions.csv
    """
    screen = Screen(click.get_current_context().obj)
    model = load_model(model_file)
    if model.cross is None:
        raise ValueError(
            f"{model_file} was saved without a cross, so it cannot read a table; use load_model in Python."
        )
    dates = date_columns(model.cross.bins or {})
    strings = [name for name, levels in model.cross.levels_.items() if levels.kind == "string"]
    with screen.working(f"Reading {file.name}"):
        table = read_table(file, model.meta.get("na", ()), strings, dates)
    for name in keep:
        if name not in table.columns:
            raise ValueError(f"--keep names {name!r}, which is not among the columns {table.columns}.")
    with screen.working("Predicting"):
        predicted = model.predict(table, point)
    result = pl.DataFrame([*(table[name] for name in keep), pl.Series("prediction", predicted)])
    _say_score(table, model, predicted, screen)
    if out is None:
        result.write_csv(sys.stdout)
        return
    with write_whole(out) as sink:
        if out.suffix.lower() in (".parquet", ".pq"):
            result.write_parquet(sink)
        else:
            result.write_csv(sink)
    screen.note(f"{out}: {predicted.size:,} predictions; {screen.total()}.")


@cli.command()
@click.argument("model_file", metavar="MODEL", type=_READABLE)
@click.option(
    "--point", type=int, metavar="K", help="Point of the path to describe, -1 the last. Default: the chosen one."
)
@click.option(
    "--top", type=click.IntRange(min=0), default=20, show_default=True, help="How many of the heaviest columns to name."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def report(model_file: Path, point: int | None, top: int, as_json: bool) -> None:
    """Say what survived in a MODEL: by strength, by field and cross, by column.

    \b
    The survivors at the tenth strength, for another program:
      sparsereg report model.npz --point 9 --json
    """
    found = _report(load_model(model_file), point, top)
    click.echo(found.to_json(indent=2) if as_json else found.to_text())


@cli.command()
@click.option(
    "--rows", type=click.IntRange(min=100), default=1_000_000, show_default=True, help="How many rows to make."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, other data.")
def demo(rows: int, seed: int) -> None:
    """Fit a lasso path on the globe in one-minute steps: 233 million nominal columns.

    Rows are clustered in cities. Latitude (10,800 steps), longitude (21,600) and their cross become columns where there
    are rows; time and memory follow those, not the nominal width.
    """
    screen = Screen(click.get_current_context().obj)
    rng = np.random.default_rng(seed)
    with screen.working(f"Making {rows:,} rows"):
        table = pl.DataFrame(make_places(rows, rng))
    cross = globe_cross()
    with screen.working("Encoding"):
        X = cross.fit_transform(table)
    with screen.working("Making the target"):
        y, chosen = make_target(X, rng)
    with screen.path("Lasso path", 100) as callback:
        path = regularization_path(X, y, callback=callback)
    click.echo(SparsityReport.from_path(path, cross).to_text())
    active, _ = path.point(-1)
    found = np.intersect1d(active, chosen).size
    click.echo(f"\n{found:,} of the {chosen.size:,} columns that the target was made from are among the survivors.")
    click.echo(f"{rows:,} rows, {screen.total()}.")


def _fitted(data: Training, plan: Plan, options: dict[str, Any], screen: Screen) -> Model:
    """Encode, fit the path, choose a point."""
    cross = plan.cross(data.table, screen.note)
    with screen.working("Encoding"):
        X = cross.fit_transform(data.rows(data.train))
    factor = None if options["standardize"] else data.penalty_factor(cross, screen.note)
    asked = {name: options[name] for name in ("l1_ratio", "alphas", "eps", "tol", "standardize", "positive")}
    n_points = asked["alphas"] if isinstance(asked["alphas"], int) else len(asked["alphas"])
    weight = data.weights(data.train)
    with screen.path("Fitting the path", n_points) as callback:
        path = regularization_path(
            X, data.y[data.train], sample_weight=weight, penalty_factor=factor, callback=callback, **asked
        )
    kept = {
        "target": plan.target,
        "log_target": plan.log_target,
        "na": list(options["na"]),
        "rows": int(data.train.size),
    }
    if not data.held.size:
        return Model(cross, path, kept | {"point": path.alphas.size - 1})
    with screen.working("Scoring the held-out rows"):
        held = data.score(cross, path)
    screen.note(
        f"{held.n_rows:,} rows drawn with seed {options['seed']} were held out; point {held.best} predicts them best "
        f"(R2 {held.r2[held.best]:.4f}) and is the model's."
    )
    if held.best == path.alphas.size - 1 and held.best > 0:
        screen.note("the best point is the last of the path; a smaller --eps may predict better still.")
    return Model(cross, path, kept | {"point": held.best, "held_out_r2": held.r2, "held_out_rows": held.n_rows})


def _report(model: Model, point: int | None = None, top: int = 20) -> SparsityReport:
    scores = {_SCORE: model.meta["held_out_r2"]} if "held_out_r2" in model.meta else None
    return SparsityReport.from_path(
        model.path, model.cross, model.point if point is None else point, top=top, scores=scores
    )


def _say_score(table: pl.DataFrame, model: Model, predicted: Any, screen: Screen) -> None:
    """Where the file holds the target, how well it is predicted."""
    target = model.meta.get("target")
    if target not in table.columns or not table.schema[target].is_numeric():
        return
    y = table[target].cast(pl.Float64).to_numpy()
    here = np.isfinite(y)
    null = float(((y[here] - y[here].mean()) ** 2).sum()) if here.any() else 0.0
    if null > 0:
        r2 = 1.0 - float(((y[here] - predicted[here]) ** 2).sum()) / null
        screen.note(f"R2 {r2:.4f} on the {int(here.sum()):,} rows that hold {target}.")


def _write_text(file: Path, text: str) -> None:
    with write_whole(file) as out:
        out.write(f"{text}\n".encode())


def _one_line(text: str) -> str:
    return " ".join(text.split())

"""The commands `export`, `score` and `compare`: models small enough to ship."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from sparsereg.cli.options import READABLE, WRITABLE
from sparsereg.cli.score import main as score_main
from sparsereg.cli.score import predict_texts
from sparsereg.cli.tables import CsvFormat, list_names, read_table
from sparsereg.data.atomic_write import write_whole
from sparsereg.serving.compact import CompactModel, load_compact
from sparsereg.serving.comparison import ModelComparison

__all__ = ["compare", "export", "score"]


@click.command()
@click.argument("model_file", metavar="MODEL", type=READABLE)
@click.option(
    "--to",
    "kind",
    type=click.Choice(["compact", "csv"]),
    default="compact",
    show_default=True,
    help="A compact model as JSON, or a table of the columns and their weights.",
)
@click.option("--out", type=WRITABLE, help="File to write. Default: standard output.")
@click.option("--point", type=int, metavar="K", help="Point of the path. Default: the one that fit chose.")
def export(model_file: Path, kind: str, out: Path | None, point: int | None) -> None:
    """Write the columns of a MODEL that have weights, without those that have none.

    \b
    A compact model is a JSON file that `sparsereg score`, Python without
    libraries, or any other language can apply:
      sparsereg export model.npz --out compact.json
      sparsereg score compact.json other.csv --out predictions.csv
    """
    try:
        compact = CompactModel.from_model(model_file, point)
    except IndexError as error:
        raise ValueError(f"--point {point}: {error}") from None
    text = compact.to_json() if kind == "compact" else _as_csv(compact)
    if out is None:
        click.echo(text, nl=False)
        return
    with write_whole(out) as sink:
        sink.write(text.encode())


@click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def score(arguments: tuple[str, ...]) -> None:
    """Apply a compact model to a CSV FILE; without NumPy, row by row."""
    sys.exit(score_main(arguments))


@click.command()
@click.argument("model_files", metavar="A B", nargs=2, type=READABLE)
@click.argument("file", type=READABLE)
@click.option(
    "--target", metavar="COLUMN", help="Column to predict. Default: the one that the first model was fitted on."
)
@click.option("--weight", metavar="COLUMN", help="Weight of each row.")
@click.option("--na", multiple=True, metavar="TEXT", help="Text that stands for a missing value.")
@click.option("--html", is_flag=True, help="Print HTML tables.")
def compare(model_files: tuple[Path, Path], file: Path, html: bool, **options: Any) -> None:
    """Compare two models, A and B, on the rows of a CSV or Parquet FILE that hold the target.

    Models are those of `fit` or compact ones. The comparison says which predicts better, with a standard error over
    the same rows, and which weights differ most.

    \b
    A model with crosses and one without:
      sparsereg compare plain.npz crossed.npz newer.csv
    """
    names = [path.name for path in model_files]
    if names[0] == names[1]:
        names = [str(path) for path in model_files]
    models = {name: _compact_model(path) for name, path in zip(names, model_files, strict=True)}
    if len(models) < 2:
        raise ValueError(f"{names[0]} is named twice; name two models.")
    table, is_csv = read_table(file, CsvFormat())
    target = options["target"] or next(iter(models.values())).data["target"]
    if target is None:
        raise ValueError(f"{names[0]} does not say what it was fitted on; name the --target.")
    for name in (target, options["weight"]):
        if name is not None and name not in table.columns:
            raise ValueError(f"{file} has no column {name!r}; it has {list_names(table.columns)}.")
    na = ["", *options["na"]]
    if is_csv:
        table = table.filter(~pl.col(target).is_in(na))
    table = table.filter(pl.col(target).is_not_null())
    predictions = {
        name: _predicted(model, table, na) if is_csv else model.predict(table) for name, model in models.items()
    }
    weight = None if options["weight"] is None else _numbers(table[options["weight"]])
    classes = next(iter(models.values())).data.get("classes")
    y = _numbers(table[target]) if classes is None else _labels(table[target], classes)
    comparison = ModelComparison.from_predictions(models, predictions, y, weight)
    click.echo(comparison.to_html() if html else comparison.to_text())


def _compact_model(file: Path) -> CompactModel:
    with file.open("rb") as source:
        is_archive = source.read(2) == b"PK"
    return CompactModel.from_model(file) if is_archive else load_compact(file)


def _predicted(model: CompactModel, table: pl.DataFrame, na: Sequence[str]) -> Any:
    """The predictions (n,) or (n, K) for rows of texts, as `score` reads them."""
    rows = ([text or "" for text in row] for row in table.iter_rows())
    return np.array(list(predict_texts(model.scorer, table.columns, rows, na)), dtype=np.float64)


def _numbers(column: pl.Series) -> Any:
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count():
        wrong = column.filter(numbers.is_null())
        raise ValueError(f"column {column.name!r} must hold numbers, but holds {wrong[0]!r}.")
    return numbers.to_numpy()


def _labels(column: pl.Series, classes: Sequence[Any]) -> Any:
    """Labels in the type of the models' classes."""
    of_text = {str(label): label for label in classes}
    return np.array([of_text.get(str(value), value) for value in column.to_list()])


def _as_csv(compact: CompactModel) -> str:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    several = compact.n_outputs > 1
    out.writerow([*["output"] * several, "column", "weight"])
    labels = compact.data.get("classes", range(compact.n_outputs))
    for output, intercept in enumerate(compact.scorer.intercepts):
        own = [labels[output]] if several else []
        out.writerow([*own, "(intercept)", repr(intercept)])
        out.writerows((*own, name, repr(weight)) for name, weight in compact.weights(output))
    return text.getvalue()

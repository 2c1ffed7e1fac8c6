"""The commands `export` and `score`: models small enough to ship."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import click

from sparsereg.cli.score import main as score_main
from sparsereg.serving.atomic_write import write_whole
from sparsereg.serving.compact import CompactModel

__all__ = ["export", "score"]


@click.command()
@click.argument("model_file", metavar="MODEL", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--to",
    "kind",
    type=click.Choice(["compact", "csv"]),
    default="compact",
    show_default=True,
    help="A compact model as JSON, or a table of the columns and their weights.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write. Default: standard output.")
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


def _as_csv(compact: CompactModel) -> str:
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["column", "weight"])
    out.writerow(["(intercept)", repr(compact.intercept)])
    out.writerows((name, repr(weight)) for name, weight in compact.weights())
    return text.getvalue()

"""The command `report`: a saved model described as text, JSON or HTML."""

from __future__ import annotations

from pathlib import Path

import click

from sparsereg.cli.options import READABLE, WRITABLE
from sparsereg.cli.prediction import check_point
from sparsereg.data.atomic_write import check_place
from sparsereg.report.report import SparsityReport
from sparsereg.report.words import bytes_in_words
from sparsereg.serving.model_file import Model, load_model

__all__ = ["report"]


@click.command()
@click.argument("model_file", metavar="MODEL", type=READABLE)
@click.option(
    "--point",
    type=int,
    metavar="K",
    help="Point of the path to describe, -1 for the last. Default: the one that fit chose.",
)
@click.option(
    "--top",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many of the largest coefficients to name.",
)
@click.option("--class", "label", metavar="CLASS", help="Of a model of several classes, the one to describe.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", "html_file", type=WRITABLE, help="Write HTML with charts to this file instead of text.")
@click.option("--title", help="The heading of the HTML.")
def report(
    model_file: Path,
    point: int | None,
    top: int,
    label: str | None,
    as_json: bool,
    html_file: Path | None,
    title: str | None,
) -> None:
    """Report the active columns of a MODEL: by strength, by field and cross, by column.

    \b
    The tenth strength, as JSON for another program:
      sparsereg report model.npz --point 9 --json

    \b
    A page for a browser, in one file:
      sparsereg report model.npz --html report.html --title "House values"
    """
    if html_file is not None:
        check_place(html_file)
    if title is not None and html_file is None:
        raise ValueError("--title is the heading of the HTML; add --html FILE.")
    model = load_model(model_file)
    check_point(model, point)
    result = SparsityReport.from_estimator(model, k=point, top=top, output=_output_of(model, label))
    if html_file is not None:
        result.save_html(html_file, title=title)
        click.echo(f"{html_file}: {bytes_in_words(html_file.stat().st_size)}.")
        return
    click.echo(result.to_json(indent=2) if as_json else result.to_text())


def _output_of(model: Model, label: str | None) -> int:
    """The number of a class."""
    classes = [] if model.path.classes is None or len(model.path.outputs) == 1 else model.path.classes.tolist()
    if label is None:
        return 0
    names = [f"{one:g}" if isinstance(one, float) else str(one) for one in classes]
    if label not in names:
        has = f"has the classes {', '.join(names)}" if names else "has no classes with weights of their own"
        raise ValueError(f"--class {label}: the model {has}.")
    return names.index(label)

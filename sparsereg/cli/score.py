"""The command `score`: a compact model applied to a CSV file, row by row, with the standard library alone."""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, TextIO

from sparsereg.scorer import Scorer, load

__all__ = ["end_output", "main", "make_parser", "output_names", "predict_texts"]

Parse = Callable[[str], Any]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_INTEGER = re.compile(r"(-?[1-9]\d*|0)(\.0*)?", re.ASCII)
# Links of models of classes whose predictions are probabilities.
PROBABILITIES = ("logit", "softmax")
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_HELP = """Apply a compact model to the rows of a CSV file, also compressed by gzip, or - for the standard input.

The output is that of `sparsereg predict`: CSV with a row for each row of FILE, in its order, and the column
`prediction`: a number, or for a model of classes the class, and beside it `probability of CLASS`, for the
second of two classes, or for each of more. A category that the model does not have has no effect. The file is
read row by row; neither NumPy nor scikit-learn is loaded."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    options = make_parser().parse_args(arguments)
    try:
        scorer = _load(options.model)
        keep = next(csv.reader([options.keep]), []) if options.keep else []
        with _opened(options.file, options.encoding) as source, _sink(options.out) as sink:
            rows = csv.reader(source, delimiter=options.separator.replace("\\t", "\t"))
            _score(scorer, rows, sink, keep, options.na)
    except BrokenPipeError:
        end_output()
    except (ValueError, OSError, csv.Error, EOFError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def end_output() -> None:
    """After a reader of the standard output has left: nothing more is written, not at the exit of Python either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def make_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        "sparsereg score", description=_HELP, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help="a compact model, as `sparsereg export` writes it")
    parser.add_argument("file", metavar="FILE", help="a CSV file with the columns of the model")
    parser.add_argument("--out", help="write to this file instead of the standard output")
    parser.add_argument("--keep", metavar="A,B,...", default="", help="copy these columns of FILE to the output")
    parser.add_argument(
        "--na", metavar="TEXT", action="append", default=[], help="text that stands for a missing value"
    )
    parser.add_argument("--separator", default=",", help="separator of FILE; \\t for a tab")
    parser.add_argument("--encoding", default="utf-8", help="encoding of FILE")
    return parser


def predict_texts(scorer: Scorer, header: Sequence[str], rows: Iterable[Sequence[str]], na: Iterable[str] = ()) -> Any:
    """Yield the prediction of each row of texts, as a CSV file has them; empty texts and those in `na` are missing."""
    place = {name: i for i, name in enumerate(header)}
    if absent := [column for column in scorer.columns if column not in place]:
        raise ValueError(f"the file has no column {absent[0]!r}; the model reads {scorer.columns}.")
    formats = scorer.data.get("csv", {})
    missing = {"", *formats.get("missing", ()), *na}
    dates = formats.get("dates", {})
    reads = [(place[field.column], _parser(field, dates.get(field.column)), field.encode) for field in scorer.fields]
    numbers = [(place[column], column) for column, *_ in scorer.numbers]
    for row in rows:
        texts = [None if text in missing else text for text in row]
        positions = [encode(None if (text := texts[i]) is None else parse(text)) for i, parse, encode in reads]
        values = [None if (text := texts[i]) is None else _number(text, column) for i, column in numbers]
        yield scorer.predict(positions, values)


def _score(scorer: Scorer, rows: Iterator[list[str]], sink: TextIO, keep: Sequence[str], na: Sequence[str]) -> None:
    header = next(rows, None)
    if header is None or len(set(header)) < len(header):
        raise ValueError("the file has no header." if header is None else "the file has two columns of one name.")
    header[0] = header[0].removeprefix("\ufeff")
    if absent := [name for name in keep if name not in header]:
        raise ValueError(f"--keep names {absent[0]!r}, which is not among the columns {header}.")
    chosen = [header.index(name) for name in keep]
    out = csv.writer(sink, lineterminator="\n")
    classes = scorer.data.get("classes")
    out.writerow([*keep, *output_names(classes, scorer.link, len(scorer.intercepts))])
    current: list[list[str]] = [[]]

    def whole() -> Iterator[list[str]]:
        for number, row in enumerate(rows, 2):
            if len(row) != len(header):
                raise ValueError(f"row {number} of the file has {len(row)} values, and its header {len(header)}.")
            current[0] = row
            yield row

    for prediction in predict_texts(scorer, header, whole(), na):
        cells = list(map(repr, prediction)) if isinstance(prediction, list) else [repr(prediction)]
        if classes is not None:
            cells = [_written(_label(classes, scorer.link, prediction)), *cells * (scorer.link in PROBABILITIES)]
        out.writerow([*(current[0][i] for i in chosen), *cells])


def output_names(classes: Sequence[Any] | None, link: str, n_outputs: int) -> list[str]:
    """The columns that `predict` and `score` write."""
    if classes is None:
        return ["prediction"] if n_outputs == 1 else [f"prediction {i}" for i in range(n_outputs)]
    if link not in PROBABILITIES:
        return ["prediction"]
    own = classes[1:] if n_outputs == 1 else classes
    return ["prediction", *(f"probability of {_written(label)}" for label in own)]


def _written(label: Any) -> str:
    """A class as text."""
    if isinstance(label, bool):
        return str(label).lower()
    return f"{label:g}" if isinstance(label, float) else str(label)


def _label(classes: Sequence[Any], link: str, prediction: Any) -> Any:
    """The likeliest class, by probabilities or by predictors."""
    if isinstance(prediction, list):
        return classes[prediction.index(max(prediction))]
    return classes[prediction > (0.5 if link in PROBABILITIES else 0.0)]


def _parser(field: Any, date_format: str | None) -> Parse:
    """A text as a value of the type that a field reads; as `predict` reads CSV files."""
    column = field.column
    if field.kind == "integer":
        # Other texts are unknown levels: no integer of a model is a negative power of two beyond 64 bits.
        return lambda text: int(match[1]) if (match := _INTEGER.fullmatch(text)) else -(1 << 70)
    if field.kind == "boolean":
        return lambda text: _truth(text, column)
    if field.kind == "bin":
        return lambda text: _number(text, column)
    if field.kind == "date_part":
        return lambda text: _moment(text, column, date_format)
    if field.kind == "list" and field.rule["separator"] is None:
        raise ValueError(f"column {column!r} holds lists, which a CSV file cannot hold.")
    return str


def _truth(text: str, column: str) -> bool:
    if text not in _TRUTH:
        raise ValueError(f"column {column!r} must hold true or false, but holds {text!r}.")
    return _TRUTH[text]


def _number(text: str, column: str) -> float:
    if text in _TRUTH:
        return float(_TRUTH[text])
    if not _NUMBER.fullmatch(text):
        raise ValueError(
            f"column {column!r} must hold numbers, but holds {text!r}; use --na if that is a missing value."
        )
    return float(text)


def _moment(text: str, column: str, date_format: str | None) -> datetime:
    """A date in the format that `fit` found, whose %.f and %#z Python writes otherwise; else in ISO format."""
    try:
        if date_format is None:
            return datetime.fromisoformat(text)
        text = re.sub(r"(\d)T(\d)", r"\1 \2", text)
        if "%.f" in date_format:
            text = re.sub(r"(:\d\d)\.\d+", r"\1", text)
        if "%#z" in date_format:
            text = re.sub(r"([+-]\d\d)$", r"\g<1>:00", text)
        return datetime.strptime(text, date_format.replace("%.f", "").replace("%#z", "%z"))
    except ValueError:
        expected = "in ISO format" if date_format is None else f"as {date_format}"
        raise ValueError(f"column {column!r} cannot be read as dates: {text!r} is not written {expected}.") from None


def _load(file: str) -> Scorer:
    scorer = load(file)
    from sparsereg.serving.schema import check_schema, read_schema

    try:
        check_schema(scorer.data, read_schema("compact"))
    except ValueError as error:
        raise ValueError(f"{file} is a damaged compact model: {error}") from error
    return scorer


def _opened(file: str, encoding: str) -> Any:
    if file == "-":
        sys.stdin.reconfigure(encoding=encoding, newline="")  # type: ignore[union-attr]
        return nullcontext(sys.stdin)
    with open(file, "rb") as source:
        is_gzip = source.read(2) == b"\x1f\x8b"
    if is_gzip:
        import gzip

        return gzip.open(file, "rt", encoding=encoding, newline="")
    return open(file, encoding=encoding, newline="")


def _sink(file: str | None) -> Any:
    if file is None:
        return nullcontext(sys.stdout)
    import io
    from contextlib import contextmanager

    from sparsereg.data.atomic_write import write_whole

    @contextmanager
    def whole() -> Iterator[TextIO]:
        with write_whole(file) as out:
            text = io.TextIOWrapper(out, encoding="utf-8", newline="")
            yield text
            text.flush()
            text.detach()

    return whole()

"""A `ModelComparison` as rows, text and HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsereg.serving.comparison import ModelComparison

__all__ = ["as_html", "as_rows", "as_text", "shortened"]

# Names of columns are shortened in text, so that lines keep within 80 characters.
_NAME = 40
_SCORES = {"squared": "R2", "logistic": "deviance explained", "multinomial": "deviance explained"}


def as_rows(one: ModelComparison) -> list[tuple[str, Any, Any]]:
    """What is compared, and the value of each model; the second is None for what both share."""
    first, second = one.names
    rows: list[tuple[str, Any, Any]] = [
        ("columns with weights", *one.columns),
        ("in this model only", one.survivors[first], one.survivors[second]),
        ("bytes as a compact model", *one.bytes),
        (f"{_SCORES[one.loss]} on {one.n_rows:,} rows", *one.scores),
        (f"{second} minus {first}", one.difference, None),
        ("its standard error, paired", one.error, None),
        ("columns in both", one.survivors["both"], None),
        ("of these with another sign", one.survivors["changed sign"], None),
        ("correlation of predictions", one.correlation, None),
    ]
    return rows + [
        (f"difference of predictions, {100 * share:.0f}% quantile", value, None)
        for share, value in one.quantiles.items()
    ]


def as_text(one: ModelComparison) -> str:
    """Lines of at most 80 characters, but for long names of models."""
    lines = [f"{one.verdict}: {_difference(one)}", ""]
    names = [shortened(name, 14) for name in one.names]
    lines.append(f"{'':<46} {names[0]:>14} {names[1]:>14}")
    lines += [f"{what:<46} {_number(a):>14} {_number(b):>14}".rstrip() for what, a, b in as_rows(one)]
    if one.changes:
        lines += ["", f"{'largest changes of weights':<{_NAME}} {names[0]:>11} {names[1]:>11} {'change':>11}"]
        lines += [
            f"{shortened(row['column'], _NAME):<{_NAME}} "
            + " ".join(f"{_number(row[key]):>11}" for key in ("first", "second", "change"))
            for row in one.changes
        ]
    return "\n".join(lines)


def as_html(one: ModelComparison) -> str:
    """Two tables; all names are escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in one.names)
    rows = "".join(
        f"<tr><th>{escape(what)}</th><td>{_number(a)}</td><td>{_number(b)}</td></tr>" for what, a, b in as_rows(one)
    )
    changes = "".join(
        f"<tr><th>{escape(row['column'])}</th>"
        + "".join(f"<td>{_number(row[key])}</td>" for key in ("first", "second", "change"))
        + "</tr>"
        for row in one.changes
    )
    verdict = f"<p><strong>{escape(one.verdict)}</strong>: {escape(_difference(one))}</p>"
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    if not changes:
        return verdict + table
    top = f"<thead><tr><th>largest changes of weights</th>{head}<th>change</th></tr></thead>"
    return f"{verdict}{table}<table>{top}<tbody>{changes}</tbody></table>"


def _difference(one: ModelComparison) -> str:
    return (
        f"{_SCORES[one.loss]} {_number(one.scores[0])} and {_number(one.scores[1])}, "
        f"{_number(one.difference)} +- {_number(one.error)}"
    )


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def shortened(text: str, width: int) -> str:
    """A text in one line of at most `width` characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 3]}..."

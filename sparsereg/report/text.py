"""A `SparsityReport` as aligned lines of text."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsereg.report.words import bytes_in_words, counted
from sparsereg.results import unit_of_gaps

if TYPE_CHECKING:
    from sparsereg.report.report import SparsityReport

__all__ = ["report_text"]

_UNKNOWN = "-"
_SHORTEST_NAME = 20
# What the path table shows under headers of its own, or not at all; further values are scores.
_STANDARD_VALUES = {
    "point", "alpha", "n_nonzero", "density", "deviance_explained", "l1_norm", "l2_norm", "dual_gap", "relative_gap",
    "certified", "n_iter", "seconds", "df", "df_error", "gradient_norm", "held", "held_error", "undecided",
    "proved_zero",
}  # fmt: skip


# Of the lasso they are the active columns; why others are not given.
_WHY_NO_DF = {
    "squared": "Degrees of freedom are not given: with an l2 term, or targets that are penalised together, they are"
    " not the number of active columns; degrees_of_freedom computes those of Ridge and ElasticNet from the rows.",
    "other": "Degrees of freedom are not given: with an l2 term they are not the number of active columns, and this"
    " loss has no settled definition.",
}


def report_text(report: SparsityReport, max_rows: int, width: int) -> str:
    """The report in lines of at most `width` characters; the table of strengths has at most `max_rows` rows."""
    sections = [_verdict(report, width) + _summary(report, width), _path_table(report, max_rows, width)]
    if report.blocks:
        sections.append(_block_table(report, width))
        if _df_differs(report) or any(block["variance_share"] is not None for block in report.blocks):
            sections.append(_df_table(report, width))
    if report.columns:
        sections.append(_column_table(report, width))
    return "\n\n".join("\n".join(line.rstrip() for line in section) for section in sections)


def _verdict(report: SparsityReport, width: int) -> list[str]:
    """The verdict, and each check with a mark; what failed with its remedy."""
    lines = textwrap.wrap(_printable(report.verdict), width)
    if failed := sum(not check["passed"] for check in report.checks):
        lines.append(f"{failed} of {counted(len(report.checks), 'check')} need{'s' * (failed == 1)} attention:")
    for check in report.checks:
        text = f"{check['id']}: {check['sentence']} {check['remedy']}".strip()
        mark = "  ok  " if check["passed"] else "   !  "
        lines += textwrap.wrap(text, width, initial_indent=mark, subsequent_indent=" " * len(mark))
    return lines


def _summary(report: SparsityReport, width: int) -> list[str]:
    row = report.path[report.point]
    columns = f"{report.n_columns:,} columns"
    if report.n_cells is not None:
        columns += f" observed of {report.n_cells:,} possible ones"
    point = f"point {report.point} (alpha = {_number(row['alpha'])}), marked *"
    lines = [
        f"{columns}; {row['n_nonzero']:,} active at {point}.",
        _df_sentence(report),
        _certificate_sentence(report),
        f"Coefficients of {counted(len(report.path), 'point')} take {bytes_in_words(report.bytes_kept)}; "
        f"dense they would take {bytes_in_words(report.bytes_dense)}"
        + (
            ""
            if report.bytes_nominal is None
            else f", or {bytes_in_words(report.bytes_nominal)} for all possible columns"
        )
        + ".",
    ]
    return [part for line in lines for part in textwrap.wrap(line, width)]


def _df_differs(report: SparsityReport) -> bool:
    """Whether degrees of freedom are known and are not the number of active columns."""
    return any(row["df"] is not None and row["df"] != row["n_nonzero"] for row in report.path)


def _df_sentence(report: SparsityReport) -> str:
    row = report.path[report.point]
    if row["df"] is None:
        return _WHY_NO_DF["squared" if report.loss == "squared" else "other"]
    if not _df_differs(report):
        return ""
    how = "estimated by random probes" if row["df_error"] else "exactly"
    return f"Degrees of freedom: {_with_error(row['df'], row['df_error'])}, {how}; an intercept is 1 more."


def _certificate_sentence(report: SparsityReport) -> str:
    verdicts = [row["certified"] for row in report.path]
    if report.tol is None or None in verdicts:
        return ""
    n_points, n_certified = len(verdicts), sum(verdicts)
    bound = f"with a duality gap of at most {report.tol:g} of {unit_of_gaps(report.loss)}"
    if n_certified < n_points:
        missed = n_points - n_certified
        return f"NOT certified: {missed} of {counted(n_points, 'point')}, marked !; the others are, {bound}."
    return f"All {n_points:,} points are certified, {bound}." if n_points > 1 else f"Certified, {bound}."


def _path_table(report: SparsityReport, max_rows: int, width: int) -> list[str]:
    scores = [name for name in report.path[0] if name not in _STANDARD_VALUES]
    measures = {"gradient_norm": "gradient", "relative_gap": "rel. gap", "dual_gap": "gap"}
    gap = next((name for name in measures if report.path[0].get(name) is not None), "dual_gap")
    df = ["df"] if _df_differs(report) else []
    held = ["held out"] if any(row["held"] is not None for row in report.path) else []
    header = ["point", "alpha", "active", *df, "density", "dev. expl.", *held, "l1 norm", "l2 norm"]
    header += [measures[gap], "epochs", "seconds"]
    rows = []
    for point in _shown_points(len(report.path), report.point, max_rows):
        row = report.path[point]
        rows.append(
            [
                f"{'*' if point == report.point else ''}{row['point']}",
                _number(row["alpha"]),
                f"{row['n_nonzero']:,}",
                *(_with_error(row[name], row["df_error"]) for name in df),
                _share(row["density"]),
                _number(row["deviance_explained"], ".4f"),
                *(_number(row["held"], ".4f") for _ in held),
                _number(row["l1_norm"]),
                _number(row["l2_norm"]),
                _number(row[gap], ".1e") + ("!" if row["certified"] is False else ""),
                _number(row["n_iter"], ","),
                _number(row["seconds"], ".3f"),
                *(_number(row[name], ".4f") for name in scores),
            ]
        )
    optional = ["l2 norm", "l1 norm", "epochs", "seconds", "density", *reversed(scores), *df, "dev. expl."]
    return _table([*header, *scores], rows, width, optional)


def _shown_points(n: int, point: int, max_rows: int) -> list[int]:
    """At most `max_rows` of n points at even distances, with the first, the last and `point` among them."""
    if n <= max_rows:
        return list(range(n))
    even = np.linspace(0, n - 1, max(max_rows, 2)).round().astype(int)
    if point not in even:
        # `point` replaces its nearest neighbour, but never the first or the last.
        inner = even[1:-1]
        if inner.size:
            inner[np.argmin(np.abs(inner - point))] = point
        else:
            even = np.append(even, point)
    return sorted(set(even.tolist()))


def _block_table(report: SparsityReport, width: int) -> list[str]:
    header = ["field or cross", "possible", "observed", "active", "active share", "share of weight"]
    rows = [
        [
            block["name"],
            f"{block['n_cells']:,}" if block["n_cells"] < 1e15 else f"{float(block['n_cells']):.3g}",
            f"{block['n_observed']:,}",
            f"{block['n_nonzero']:,}",
            _share(block["n_nonzero"] / max(block["n_observed"], 1)),
            _share(block["weight_share"]),
        ]
        for block in report.blocks
    ]
    return _table(header, rows, width, ["active share", "possible", "observed"], names=0)


def _df_table(report: SparsityReport, width: int) -> list[str]:
    known = any(block["df"] is not None for block in report.blocks)
    header = ["field or cross", "observed", *["df", "df a column"] * known, "share of variance"]
    rows = [
        [
            block["name"],
            f"{block['n_observed']:,}",
            *[_with_error(block["df"], block["df_error"]), _number(block["shrinkage_factor"], ".3f")] * known,
            _UNKNOWN if block["variance_share"] is None else _share(block["variance_share"]),
        ]
        for block in report.blocks
    ]
    return _table(header, rows, width, ["df a column", "observed", "share of variance"], names=0)


def _column_table(report: SparsityReport, width: int) -> list[str]:
    has_rows = any(row["rows"] is not None for row in report.columns)
    by = "most influential" if report.rank == "influence" else "largest"
    header = ["coefficient", *["rows"] * has_rows, *["influence"] * (report.rank == "influence")]
    rows = []
    for row in report.columns:
        cells = [_number(row["coefficient"])]
        cells += [_number(row["rows"], ",")] * has_rows
        cells += [_number(row["influence"], ".3g")] * (report.rank == "influence")
        rows.append([*cells, row["name"]])
    header.append(f"the {by} {counted(len(report.columns), 'column')}")
    return _table(header, rows, width, ["influence"], names=len(header) - 1)


def _table(
    header: list[str], rows: list[list[str]], width: int, optional: Sequence[str], names: int | None = None
) -> list[str]:
    """Lines of a table of at most `width`, columns aligned to the right except that of `names`, which are shortened.

    Where that is not enough, `optional` columns are left out, the first ones first; numbers are never cut.
    """
    table = [[_printable(cell) for cell in row] for row in (header, *rows)]
    hidden: list[str] = []
    while True:
        shown = [column for column, name in enumerate(header) if name not in hidden]
        widths = [max(len(row[column]) for row in table) for column in range(len(header))]
        excess = sum(widths[column] + 2 for column in shown) - 2 - width
        if names is not None:
            widths[names] -= min(max(excess, 0), max(widths[names] - _SHORTEST_NAME, 0))
            excess = sum(widths[column] + 2 for column in shown) - 2 - width
        if excess <= 0 or len(hidden) == len(optional):
            break
        hidden.append(optional[len(hidden)])
    lines = [
        "  ".join(
            _shortened(row[c], widths[c]).ljust(widths[c]) if c == names else row[c].rjust(widths[c]) for c in shown
        )
        for row in table
    ]
    note = f"Too wide to show: {', '.join(map(_printable, hidden))}; see to_frame() or to_json()." if hidden else ""
    return lines + textwrap.wrap(note, width)


def _number(value: Any, style: str = ".4g") -> str:
    if value is None or math.isnan(value):
        return _UNKNOWN
    text = format(value, style)
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def _with_error(value: Any, error: Any) -> str:
    """A number and its standard error, to two digits of the error."""
    if value is None or not error:
        return _number(value, ",.2f")
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:,.{digits}f} +- {error:,.{digits}f}"


def _share(value: float) -> str:
    """A share in per cent; below 1%, with two digits."""
    per_cent = 100 * value
    return f"{per_cent:.1f}%" if abs(per_cent) >= 1 or per_cent == 0 else f"{per_cent:.2g}%"


def _printable(text: str) -> str:
    """A text on one line, with control characters escaped: it may come from a data file."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _shortened(name: str, max_width: int) -> str:
    """A name of at most `max_width` characters, cut in the middle."""
    if len(name) <= max_width:
        return name
    half = (max_width - 3) // 2
    return f"{name[: max_width - 3 - half]}...{name[-half:]}"

"""The page: questions in the order in which a reader asks them, each with what answers it."""

from __future__ import annotations

import html
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from sparsereg.report.html.along import alphas_of, certificate_chart, line_key, lines_chart, strength_chart
from sparsereg.report.html.elements import Child, Node, h, name_of, prose, to_html
from sparsereg.report.html.panels import calibration_panels, histogram_chart, map_chart
from sparsereg.report.html.tables import (
    PATH_ROWS,
    answer_list,
    block_table,
    check_list,
    column_table,
    path_table,
    tiles,
)
from sparsereg.report.words import compact, counted, percent

if TYPE_CHECKING:
    from sparsereg.report.report import SparsityReport

__all__ = ["frame", "page"]

# Colours of lines: that many fields and crosses have one of their own.
_GROUPS = 6


def page(report: SparsityReport, title: str | None = None) -> str:
    """The whole report as one HTML document."""
    heading = name_of(report.title if title is None else title)
    sections = [_first(report, heading), *(part for part in _sections(report) if part is not None)]
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("title", heading),
        h("style", _style()),
    )
    root = h("html", head, h("body", h("main", sections)), lang="en")
    return f"<!DOCTYPE html>\n{to_html(root)}\n"


def frame(document: str) -> str:
    """A document inside a notebook: a frame keeps the two style sheets apart."""
    inside = html.escape(document, quote=True)
    style = "width:100%;height:720px;border:1px solid #8884;border-radius:4px"
    return f'<iframe srcdoc="{inside}" style="{style}" title="Sparsity report" sandbox></iframe>'


@cache
def _style() -> str:
    return resources.files("sparsereg.report.html").joinpath("style.css").read_text(encoding="utf-8")


def _first(report: SparsityReport, heading: str) -> Node:
    return h(
        "header",
        h("p", "Sparsity report", class_="eyebrow") if heading != "Sparsity report" else None,
        h("h1", h("bdi", heading)),
        h("p", _emphasised(prose(name_of(report.verdict))), class_="verdict"),
        answer_list(report),
        check_list(report),
        tiles(report),
    )


def _emphasised(text: str) -> list[Child]:
    """With the number that is kept and the first share in bold."""
    share = re.search("[\u2212\\d][\\d,.]*\u202f%", text)
    begin = re.match(r"[\d,]+", text)
    spans = [match.span() for match in (begin, share) if match is not None]
    parts: list[Child] = []
    place = 0
    for start, stop in sorted(spans):
        parts += [text[place:start], h("b", text[start:stop])]
        place = stop
    return [*parts, text[place:]]


def _sections(report: SparsityReport) -> list[Node | None]:
    has_path = bool(alphas_of(report))
    return [
        _strength(report) if has_path else None,
        _lines(report) if has_path and report.lines else None,
        _panels(report) if report.panels else None,
        _blocks(report) if report.blocks else None,
        _columns(report) if report.columns else None,
        _map(report) if report.map else None,
        _weights(report) if report.histograms else None,
        _certificates(report) if has_path and None not in [row["relative_gap"] for row in report.path] else None,
        _numbers(report),
        _limits(report),
    ]


def _section(name: str, heading: str, question: str, *content: Child | list[Child]) -> Node:
    return h("section", h("h2", heading), h("p", question, class_="question"), *content, id=name)


def _figure(*content: Child | list[Child], note: str) -> Node:
    return h("figure", *content, h("figcaption", prose(note)))


def _strength(report: SparsityReport) -> Node:
    note = "Training rows always gain from a weaker penalty; rows that were held out show where it stops to help."
    note += " Figures at the right are those of the weakest penalty."
    if report.path[report.point]["held"] is None:
        note = "No rows were held out: the training score always gains from a weaker penalty, and chooses nothing."
    elif report.path[report.point]["held_error"] is not None:
        note += " The band is one standard error of the difference to the best point, over the same rows."
    if report.one_se is not None and report.one_se != report.point:
        note += " The dashed line is the strongest penalty that is not worse by more than that."
    charts = [strength_chart(report, narrow) for narrow in (False, True)]
    question = "Where do held-out rows stop gaining, and how many columns does that take?"
    return _section("strength", "How strong should the penalty be?", question, _figure(*charts, note=note))


def _groups(report: SparsityReport) -> dict[str, int]:
    """A colour for each of the first fields and crosses among the lines; 0 for the others."""
    names = [name for name in dict.fromkeys(line["block"] for line in report.lines) if name is not None]
    return {name: place for place, name in enumerate(names[:_GROUPS], 1)}


def _lines(report: SparsityReport) -> Node:
    groups, n_active = _groups(report), report.path[report.point]["n_nonzero"]
    charts = [lines_chart(report, narrow, groups) for narrow in (False, True)]
    by = (
        "influence, the absolute weight times the standard deviation of the column"
        if report.rank == "influence"
        else ("absolute weight, as the rows behind the columns are not known")
    )
    note = f"Named: the first {len(report.lines)} by {by}. Colours tell fields and crosses apart."
    if report.faint:
        left = n_active - len(report.lines) - len(report.faint)
        note += f" Thin: the next {len(report.faint)}." + (f" Not drawn: {left:,} more." if left > 0 else "")
    question = "Columns join as the penalty gets weaker; those that matter join early and stay."
    return _section(
        "lines", "Which columns enter, and when?", question, _figure(*charts, line_key(report, groups), note=note)
    )


def _panels(report: SparsityReport) -> Node:
    held = any(panel.get("held") for panel in report.panels)
    train = any(panel.get("train") for panel in report.panels)
    note = "Filled: held-out rows. " * held + ("Rings: rows of the fit. " if held else "Rows of the fit. ") * train
    note += "Each mark is a tenth of the rows, by prediction: its mean observation against its mean prediction. On the "
    note += "diagonal, predictions are right on average."
    names = [panel["name"] for panel in report.panels]
    heading = ", ".join(names).capitalize()
    question = "Do predictions mean what they say" + (", on rows that the fit never saw?" if held else "?")
    return _section("panels", heading, question, _figure(calibration_panels(report), note=note))


def _blocks(report: SparsityReport) -> Node:
    if any(block["variance_share"] is not None for block in report.blocks):
        note = "Share of the variance: the covariance of the block's part with the prediction. The shares add up to "
        note += "100%; one below zero counteracts the others."
    else:
        note = "Share of the sum of the absolute weights; the rows of the fit would give shares of the variance."
    question = "Which fields and crosses carry the prediction, and which were dropped?"
    return _section("blocks", "Where is the information?", question, _figure(block_table(report), note=note))


def _columns(report: SparsityReport) -> Node:
    further: Child = None
    if report.columns_by_weight:
        summary = h("summary", "The same by absolute weight (with care: the largest often rest on few rows)")
        further = h("details", summary, column_table(report, report.columns_by_weight))
    on = report.columns[0].get("effect_on")
    unit = f", in units of {name_of(report.target)}," if on is None and report.target != "the target" else ""
    note = f"A weight is the change of the prediction{unit} where the column is 1 and all else stays. "
    if on is not None:
        note = (
            f"The effect is what the column does to the {on} where it is 1 and all else stays: +10% is a tenth more. "
        )
    note += (
        "Weights are shrunk towards zero, so that true effects tend to be larger. The prediction for a row is the sum "
    )
    note += "over its fields and their crosses: a field's weight alone is not the whole of its effect."
    question = "Which single effects would one quote, and how many rows stand behind them?"
    table = column_table(report, report.columns)
    return _section("columns", "What can be quoted?", question, _figure(table, further, note=note))


def _map(report: SparsityReport) -> Node:
    assert report.map is not None
    found = report.map
    names = ", ".join(name_of(name) for name in found["blocks"])
    note = f"The sum of the weights of {names} in each cell, around the mean over the rows."
    if found["joined"] > 1:
        note += f" {found['joined']} x {found['joined']} cells are drawn as one."
    note += " Empty places have no rows."
    lat = found["y"].lower().startswith("lat")
    heading = "Does the geography make sense?" if lat else "Does the surface make sense?"
    question = f"Weights by {name_of(found['x_label'])} and {name_of(found['y_label'])}."
    return _section("map", heading, question, _figure(map_chart(report), note=note))


def _weights(report: SparsityReport) -> Node:
    charts = [histogram_chart(report, narrow) for narrow in (False, True)]
    note = "Weights beyond the axis are not drawn. The thin bar counts the columns that are exactly zero."
    scored = [row for row in report.histograms if row["held"] is not None]
    if len(scored) > 1:
        best = max(scored, key=lambda row: row["held"])
        note += f" Of these, {name_of(best['name'])} predicts held-out rows best, with {percent(best['held'])}."
    question = "A stronger penalty makes weights smaller, and an l1 penalty makes most of them exactly zero."
    return _section("weights", "What does the penalty do?", question, _figure(*charts, note=note))


def _certificates(report: SparsityReport) -> Node:
    row = report.path[report.point]
    charts = [certificate_chart(report, narrow) for narrow in (False, True)]
    note = "The duality gap bounds how far each fit is from its best possible objective. "
    if row["undecided"] is not None:
        note += "Proved zero: no exact solution at this strength uses the column. Undecided: the gap is too wide to "
        note += (
            f"tell; a smaller tol decides more. At the chosen point {row['proved_zero']:,} columns are proved zero, "
        )
        note += f"{row['undecided']:,} undecided and {row['n_nonzero']:,} active."
    question = "How far is the computed fit from the exact one, at most, and what does that leave open?"
    heading = "Could a dropped column belong?" if row["undecided"] is not None else "How exact is the fit?"
    return _section("certificates", heading, question, _figure(*charts, note=note))


def _numbers(report: SparsityReport) -> Node:
    n = len(report.path)
    every = n <= PATH_ROWS + 2
    question = f"{counted(n, 'point')} in all." if every else f"Some of {n:,} points; the report as JSON has all."
    note = "Strength is alpha. Training and held out: the share of the null model's loss that is explained."
    return _section("numbers", "The path in numbers", question, _figure(path_table(report), note=note))


def _limits(report: SparsityReport) -> Node:
    words = (
        "A certificate vouches for the optimisation, not for the data, the choice of fields, or the future. Weights of "
        "overlapping crosses are not effects of changing one field alone, and none of them is causal. "
    )
    if report.path[report.point]["held"] is not None:
        words += (
            "Rows held out at random say nothing of places, times or customers that are all new; where these matter, "
            "hold them out. The held-out score of the chosen point is slightly flattered, as it chose the point. "
        )
    return h(
        "section",
        h("h2", "What this does not say"),
        h("p", prose(words)),
        h("p", prose(name_of(_provenance(report.provenance))), class_="provenance"),
        id="limits",
    )


def _provenance(found: dict[str, Any]) -> str:
    parts = []
    if found.get("rows") is not None:
        parts.append(f"Fitted on {counted(found['rows'], 'row')}")
    parts.append(f"{found['columns']:,} columns")
    if found.get("entries") is not None:
        parts.append(f"{found['entries']:,} entries")
    if found.get("held_rows") is not None:
        seed = "" if found.get("seed") is None else f" with seed {found['seed']}"
        parts.append(f"{found['held_rows']:,} rows held out{seed}")
    if found.get("seconds") is not None:
        parts.append(f"{compact(found['seconds'])} s")
    versions = ", ".join(f"{name} {number}" for name, number in found.get("versions", {}).items())
    cross = "" if found.get("cross") is None else f" {found['cross']}."
    return f"{', '.join(parts)}. {versions}. Shape and names: {found['data_hash']}.{cross}"

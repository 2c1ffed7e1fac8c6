"""Charts along the path: held-out scores and active columns, coefficients, and certificates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sparsereg.report.html.drawing import Drawing, apart, text_width
from sparsereg.report.html.elements import Node, h, name_of, prose, shortened
from sparsereg.report.html.scales import Scale, linear_ticks, log_ticks
from sparsereg.report.words import counted, percent, signed, small
from sparsereg.results import unit_of_gaps

if TYPE_CHECKING:
    from sparsereg.report.report import SparsityReport

__all__ = ["SPACING", "alphas_of", "certificate_chart", "line_key", "lines_chart", "strength_chart"]

Row = dict[str, Any]

# Least distance of the names at the margin, in pixels: a line of text.
SPACING = 15.0
WIDE, NARROW = 760.0, 340.0
# The axis of coefficients goes so far beyond the named ones, at most.
_BEYOND = 1.2


def alphas_of(report: SparsityReport) -> list[float]:
    """The strengths, those of 0 as a tenth of the weakest other; empty where the points are no path of strengths."""
    alphas = [row["alpha"] for row in report.path]
    if len(alphas) < 2 or any(alpha is None or not math.isfinite(alpha) for alpha in alphas):
        return []
    positive = [alpha for alpha in alphas if alpha > 0.0]
    if not positive or any(b > a for a, b in pairwise(alphas)):
        return []
    return [alpha if alpha > 0.0 else 0.1 * min(positive) for alpha in alphas]


def _alpha_scale(alphas: Sequence[float], left: float, right: float) -> Scale:
    return Scale(alphas[0], alphas[-1], left, right, log=True)


def _marks(draw: Drawing, report: SparsityReport, alphas: list[float], x: Scale, top: float, bottom: float) -> None:
    """The lines of the described point and of the one-standard-error point, named above."""
    at, name = x(alphas[report.point]), "chosen"
    room = text_width(name, 12)
    over = at + 4 + room > draw.width
    if report.one_se is not None and report.one_se != report.point:
        simple = x(alphas[report.one_se])
        draw.line((simple, simple), (top, bottom), "one-se")
        words = "1 s.e." if draw.narrow else "1 std. error"
        at_left = simple - 4 - text_width(words) < 0
        crowded = (over and at - simple < room + 8) or at_left
        draw.text(simple + (4 if at_left else -4), top - (20 if crowded else 6), words, "mark" + " end" * (not at_left))
    draw.line((at, at), (top, bottom), "chosen-line")
    draw.text(at + (-4 if over else 4), top - 6, name, f"mark chosen-name{' end' if over else ''}")


def strength_chart(report: SparsityReport, narrow: bool) -> Node:
    """Scores of training and held-out rows above, active columns below."""
    alphas, path = alphas_of(report), report.path
    width = NARROW if narrow else WIDE
    left, right = 46.0, width - (12.0 if narrow else 128.0)
    draw = Drawing(width, 400.0 if not narrow else 360.0, _strength_words(report), "narrow" if narrow else "wide")
    x, xs = _alpha_scale(alphas, left, right), [_alpha_scale(alphas, left, right)(alpha) for alpha in alphas]
    scores = [row[name] for row in path for name in ("deviance_explained", "held") if row[name] is not None]
    low, high = min([0.0, *scores]), max([0.05, *scores])
    low = max(low, -0.5 * high)  # a failed path must not flatten the rest
    middle, bottom = draw.height - 150.0, draw.height - 46.0
    y = Scale(low, high, middle - 20.0, 48.0)
    words = "variance explained" if report.score == "R2" else "deviance explained"
    draw.share_axis(y, linear_ticks(low, high, 4), words, left, right)
    _marks(draw, report, alphas, x, 30.0, bottom)
    _scores(draw, report, xs, y, right)
    counts = [max(row["n_nonzero"], 0) for row in path]
    lowest = Scale(1.0, max(10.0, *counts), bottom, middle + 18.0, log=True)
    heights = [lowest(max(count, 1)) for count in counts]
    draw.area(xs, [bottom] * len(xs), heights, "active")
    draw.path(xs, heights, "active-line")
    draw.y_axis(lowest, log_ticks(1.0, max(10.0, *counts), 4), "active columns, log scale", left, right)
    if not narrow:
        draw.text(right + 8, heights[-1] + 4, f"{counts[-1]:,}", "tick")
    draw.alpha_axis(x, log_ticks(min(alphas), max(alphas)), bottom)
    return draw.node


def _scores(draw: Drawing, report: SparsityReport, xs: list[float], y: Scale, right: float) -> None:
    ends = []
    for name, word, cls in (("deviance_explained", "training", "train"), ("held", "held out", "held")):
        values = [row[name] for row in report.path]
        if None in values:
            continue
        ys = [min(y(value), y.first + 12) for value in values]
        errors = [row["held_error"] for row in report.path]
        if name == "held" and None not in errors:
            low = [min(y(v - e), y.first + 12) for v, e in zip(values, errors, strict=True)]
            draw.area(xs, low, [min(y(v + e), y.first + 12) for v, e in zip(values, errors, strict=True)], "band")
        draw.path(xs, ys, f"score {cls}")
        ends.append((ys[-1], f"{word} {prose(percent(values[-1]))}", cls))
        if name == "held":
            draw.dots([xs[report.point]], [ys[report.point]], "held-dot", 4.0)
    if draw.narrow:
        for place, (_, words, cls) in enumerate(ends):
            draw.text(xs[0] + 8, y.last + 16 + 16 * place, words, f"label {cls}-name")
        return
    for (_, words, cls), at in zip(ends, apart([end[0] for end in ends], 16.0, 40.0, y.first + 10), strict=True):
        draw.text(right + 8, at + 4, words, f"label {cls}-name")


def _strength_words(report: SparsityReport) -> str:
    row = report.path[report.point]
    kept = counted(row["n_nonzero"], "column")
    words = f"Scores along {counted(len(report.path), 'strength')}: at the chosen point {kept}"
    for name, word in (("deviance_explained", "training"), ("held", "held out")):
        if row[name] is not None:
            words += f", {word} {percent(row[name])}"
    return prose(f"{words}.")


def lines_chart(report: SparsityReport, narrow: bool, groups: dict[str, int]) -> Node:
    """Coefficients along the path; names at the margin, pushed apart, or numbers where the page is narrow."""
    alphas = alphas_of(report)
    width = NARROW if narrow else WIDE
    left, right = 46.0, width - (26.0 if narrow else 246.0)
    draw = Drawing(width, 380.0 if narrow else 400.0, _lines_words(report), "narrow" if narrow else "wide")
    x, bottom = _alpha_scale(alphas, left, right), draw.height - 46.0
    xs = [x(alpha) for alpha in alphas]
    # Faint lines that go beyond the named ones by more than a fifth are cut: one column of few rows may be far larger.
    named = [value for line in report.lines for value in line["values"]]
    rest = [value for line in report.faint for value in line] or [0.0]
    most = _BEYOND * max(map(abs, named))
    low, high = max(min(0.0, *named, *rest), -most), min(max(0.0, *named, *rest), most)
    margin = 0.04 * (high - low or 1.0)
    y = Scale(low - margin, high + margin, bottom, 44.0)
    linked = any(row.get("effect_on") for row in report.columns)  # weights are then differences of logarithms
    words = "weight" if linked else f"weight, in units of {name_of(report.target)}"
    marked = x(alphas[report.point if report.one_se is None else min(report.one_se, report.point)])
    fits = left + text_width(words) + text_width("1 std. error") < marked and not narrow
    draw.y_axis(y, linear_ticks(low, high, 5), words if fits else "weight", left, right)
    _faint(draw, report.faint, xs, y)
    _marks(draw, report, alphas, x, 26.0, bottom)
    ends = [y(line["values"][-1]) for line in report.lines]
    at = apart(ends, SPACING, 44.0, bottom)
    for number, line in enumerate(report.lines):
        start = max(line["enters"] - 1, 0)
        cls = f"g{groups.get(line['block'] or '', 0)}"
        draw.path(xs[start:], [y(v) for v in line["values"][start:]], f"pa {cls}", data_column=line["column"])
        if narrow:
            draw.text(right + 8, at[number] + 4, str(number + 1), f"label {cls}-name")
        else:
            draw.line((right + 2, right + 12), (ends[number], at[number]), f"leader {cls}")
            draw.text(right + 16, at[number] + 4, shortened(line["label"], 31), f"label {cls}-name")
    draw.line((left, right), (y(0.0), y(0.0)), "base")
    draw.alpha_axis(x, log_ticks(min(alphas), max(alphas)), bottom)
    return draw.node


def _faint(draw: Drawing, lines: list[list[float]], xs: list[float], y: Scale) -> None:
    for values in lines:
        start = next((k for k, value in enumerate(values) if value), len(values))
        start = max(start - 1, 0)
        inside = next((k for k, value in enumerate(values) if not y.low <= value <= y.high), len(values))
        draw.path(xs[start:inside], [y(value) for value in values[start:inside]], "faint")


def _lines_words(report: SparsityReport) -> str:
    first = ", ".join(f"{name_of(line['label'])} {signed(line['coefficient'])}" for line in report.lines[:3])
    return prose(f"Weights of {counted(len(report.lines), 'column')} along the path. The first are {first}.")


def line_key(report: SparsityReport, groups: dict[str, int]) -> Node:
    """What the numbers of the narrow chart mean."""
    items = [
        h("li", h("span", name_of(line["label"]), class_=f"g{groups.get(line['block'] or '', 0)}-name"))
        for line in report.lines
    ]
    return h("ol", items, class_="key narrow")


def certificate_chart(report: SparsityReport, narrow: bool) -> Node:
    """Duality gaps against their limit above; below, the shares of columns active, undecided and proved zero."""
    alphas, path = alphas_of(report), report.path
    decided = [(k, row) for k, row in enumerate(path) if row["undecided"] is not None]
    width = NARROW if narrow else WIDE
    left, right = 52.0, width - (12.0 if narrow else 128.0)
    height = 190.0 + (150.0 if decided else 0.0)
    draw = Drawing(width, height, _certificate_words(report), "narrow" if narrow else "wide")
    x = _alpha_scale(alphas, left, right)
    bottom = height - 46.0
    gap_bottom = bottom - (154.0 if decided else 0.0)
    _gaps(draw, report, [x(alpha) for alpha in alphas], (gap_bottom, 34.0), (left, right))
    if decided:
        xs = [x(alphas[k]) for k, _ in decided]
        y = Scale(0.0, 1.0, bottom, gap_bottom + 40.0)
        active = [row["n_nonzero"] / report.n_columns for _, row in decided]
        open_ = [share + row["undecided"] / report.n_columns for share, (_, row) in zip(active, decided, strict=True)]
        draw.area(xs, y.path(open_), [y(1.0)] * len(xs), "area-zero")
        draw.area(xs, y.path(active), y.path(open_), "area-open")
        draw.area(xs, [y(0.0)] * len(xs), y.path(active), "area-active")
        draw.share_axis(y, [0.0, 0.5, 1.0], "columns", left, right)
        if not narrow:
            _names_of_areas(draw, y, active[-1], open_[-1], right)
    draw.alpha_axis(x, log_ticks(min(alphas), max(alphas)), bottom)
    return draw.node


def _gaps(
    draw: Drawing, report: SparsityReport, xs: list[float], y: tuple[float, float], x: tuple[float, float]
) -> None:
    gaps, tol = [row["relative_gap"] for row in report.path], report.tol
    known = [gap for gap in gaps if gap is not None and math.isfinite(gap) and gap > 0.0]
    top = max([tol or 0.0, *known, 1e-12])
    low = max(min([top / 10, *known]), top * 1e-6)
    scale = Scale(low, top * 2, *y, log=True)
    unit = "mean square" if report.loss == "squared" else "null model's loss"
    draw.y_axis(scale, log_ticks(low, top * 2, 3), f"duality gap, share of the {unit}", *x)
    if tol:
        draw.line(x, (scale(tol), scale(tol)), "limit")
        if not draw.narrow:
            draw.text(x[1] + 8, scale(tol) + 4, f"asked for {prose(small(tol))}", "tick")
    shown = [(at, scale(max(gap, low))) for at, gap in zip(xs, gaps, strict=True) if gap is not None]
    draw.dots([at for at, _ in shown], [at for _, at in shown], "gap", 2.2)


def _names_of_areas(draw: Drawing, y: Scale, active: float, undecided: float, right: float) -> None:
    names = ["active", "undecided", "proved zero"]
    wanted = [y(0.5 * active), y(0.5 * (active + undecided)), y(0.5 * (1.0 + undecided))]
    for name, at in zip(names, apart(wanted, 16.0, y(1.0), y(0.0) + 2), strict=True):
        draw.text(right + 8, at + 4, name, f"label {name.split(maxsplit=1)[0]}-name")


def _certificate_words(report: SparsityReport) -> str:
    gaps = [row["relative_gap"] for row in report.path if row["relative_gap"] is not None]
    row = report.path[report.point]
    words = f"Duality gaps of {counted(len(report.path), 'point')}"
    words += f", the largest {small(max(gaps))} of {unit_of_gaps(report.loss)}" if gaps else ""
    if row["undecided"] is not None:
        words += f"; at the chosen point {row['n_nonzero']:,} columns are active, {row['undecided']:,} undecided and "
        words += f"{row['proved_zero']:,} proved zero"
    return prose(f"{words}.")

"""Charts of one point or three: calibration, histograms of the weights, and the map."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sparsereg.report.html.drawing import Drawing
from sparsereg.report.html.elements import Node, h, name_of, prose
from sparsereg.report.html.scales import Scale, linear_ticks, tick_text
from sparsereg.report.words import compact, counted, percent, signed

if TYPE_CHECKING:
    from sparsereg.report.report import SparsityReport

__all__ = ["MAP_CLASSES", "calibration_panels", "histogram_chart", "map_chart", "map_classes"]

Row = dict[str, Any]

MAP_CLASSES = 9
# Where the outermost class of the map begins: so much of the cells lies inside.
_INSIDE = 0.97


def calibration_panels(report: SparsityReport) -> Node:
    """A square for each panel: mean observed against mean predicted, in tenths of the rows."""
    rows = [row for panel in report.panels for name in ("held", "train") for row in panel.get(name, [])]
    values = [row[name] for row in rows for name in ("predicted", "observed")]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low or 1.0)
    return h("div", [_calibration(panel, low - margin, high + margin) for panel in report.panels], class_="panels")


def _calibration(panel: Row, low: float, high: float) -> Node:
    size, left = 240.0, 44.0
    score = panel["at_held"] if panel["at_held"] is not None else panel["at_deviance_explained"]
    label = f"{panel['name']}: {counted(panel['at_n_nonzero'], 'column')}"
    label += "" if score is None else f", {percent(score)} explained"
    draw = Drawing(size, size, prose(f"Observed against predicted in tenths of the rows, {label}."), "square")
    x, y = Scale(low, high, left, size - 8), Scale(low, high, size - 38, 20)
    ticks = linear_ticks(low, high, 3)
    draw.y_axis(y, ticks, "observed", left, size - 8)
    for tick in ticks:
        draw.text(x(tick), size - 22, tick_text(tick), "tick mid")
    draw.text(0.5 * (left + size - 8), size - 6, "predicted", "axis mid")
    draw.line((x(low), x(high)), (y(low), y(high)), "diagonal")
    for name, cls in (("train", "ring"), ("held", "held-dot")):
        tenths = panel.get(name, [])
        draw.dots([x(row["predicted"]) for row in tenths], [y(row["observed"]) for row in tenths], cls, 3.4)
    numbers = []
    if panel["at_held"] is not None:
        numbers.append(f"held out {percent(panel['at_held'])}")
    if panel["at_deviance_explained"] is not None:
        numbers.append(f"training {percent(panel['at_deviance_explained'])}")
    return h(
        "div",
        h("h3", panel["name"].capitalize()),
        h("p", h("b", f"{panel['at_n_nonzero']:,}", class_="big"), " columns", class_="count"),
        h("p", prose(", ".join(numbers)), class_="small"),
        draw.node,
        class_="panel",
    )


def histogram_chart(report: SparsityReport, narrow: bool) -> Node:
    """The histograms below each other, on one axis of weights; exact zeros as a bar of their own."""
    rows, width = report.histograms, 340.0 if narrow else 760.0
    left, right = 40.0, width - (14.0 if narrow else 200.0)
    each = 124.0 if narrow else 96.0
    words = "; ".join(f"{name_of(row['name'])}: {row['n_zero']:,} exact zeros" for row in rows)
    draw = Drawing(width, each * len(rows) + 46, f"Histograms of the weights. {words}.", "narrow" if narrow else "wide")
    limit = rows[0]["limit"]
    x = Scale(-limit, limit, left, right)
    most = max([1, *(count for row in rows for count in row["counts"]), *(row["n_zero"] for row in rows)])
    for place, row in enumerate(rows):
        bottom = each * (place + 1) - 4
        y = Scale(1.0, float(most) * 1.3, bottom, bottom - (58.0 if narrow else 66.0), log=True)
        _histogram(draw, row, (x, y))
        draw.line((left, right), (bottom, bottom), "base")
        notes = [f"{row['n_zero']:,} exactly zero", f"largest {compact(row['largest'])}"]
        if row["held"] is not None:
            notes.append(f"held out {percent(row['held'])}")
        if narrow:
            draw.text(left, y.last - 22, name_of(row["name"])[:40], "label")
            draw.text(left, y.last - 7, prose(", ".join(notes[:2])), "tick")
        else:
            draw.text(right + 14, y.last + 12, name_of(row["name"])[:26], "label")
            for k, note in enumerate(notes):
                draw.text(right + 14, y.last + 28 + 15 * k, prose(note), "tick")
    bottom = each * len(rows) - 4
    for tick in linear_ticks(-limit, limit, 4):
        draw.text(x(tick), bottom + 17, tick_text(tick), "tick mid")
    draw.text(0.5 * (left + right), bottom + 36, "weight (counts on a log scale)", "axis mid")
    return draw.node


def _histogram(draw: Drawing, row: Row, scales: tuple[Scale, Scale]) -> None:
    x, y = scales
    n = len(row["counts"])
    step = (x.last - x.first) / n
    bars = []
    for k, count in enumerate(row["counts"]):
        if count:
            begin, top = x.first + k * step, min(y(count), y.first - 1.5)  # one column still shows
            bars.append(f"M{begin + 0.4:.1f} {y.first:.1f}V{top:.1f}h{step - 0.8:.1f}V{y.first:.1f}Z")
    draw.add(h("path", d="".join(bars), class_="hist" + " hist-chosen" * (row["name"] == "chosen")))
    if row["n_zero"]:
        middle = x(0.0)
        draw.add(
            h("path", d=f"M{middle - 1.5:.1f} {y.first:.1f}V{y(row['n_zero']):.1f}h3V{y.first:.1f}Z", class_="zero-bar")
        )


def map_classes(report: SparsityReport) -> tuple[float, list[float]]:
    """The mean of the cells over the rows, and the bounds of the classes around it, without the two outer ones."""
    assert report.map is not None
    cells = report.map["cells"]
    total = sum(cell[5] for cell in cells) or 1.0
    mean = sum(cell[4] * cell[5] for cell in cells) / total
    sizes = sorted(abs(cell[4] - mean) for cell in cells)
    outer = sizes[min(int(_INSIDE * len(sizes)), len(sizes) - 1)] or 1.0
    half = MAP_CLASSES / 2
    return mean, [outer * (k - half + 1) / (half - 1) for k in range(MAP_CLASSES - 1)]


def map_chart(report: SparsityReport) -> Node:
    """The cells, framed squares in finer cells below, and the legend as a list beside it."""
    assert report.map is not None
    found, (mean, bounds) = report.map, map_classes(report)
    cells = found["cells"]
    x0, x1 = min(cell[0] for cell in cells), max(cell[1] for cell in cells)
    y0, y1 = min(cell[2] for cell in cells), max(cell[3] for cell in cells)
    is_map = found["y"].lower().startswith("lat") and abs(0.5 * (y0 + y1)) < 80
    stretch = math.cos(math.radians(0.5 * (y0 + y1))) if is_map else (y1 - y0) / (x1 - x0 or 1.0) * 1.4
    width, height = 700.0, 700.0 * (y1 - y0) / ((x1 - x0) * stretch or 1.0)
    if height > 640.0:
        width, height = width * 640.0 / height, 640.0
    label = f"Sum of the weights in {counted(len(cells), 'cell')} of {name_of(found['x_label'])} and "
    label += f"{name_of(found['y_label'])}, from {signed(min(cell[4] for cell in cells) - mean)} to "
    label += f"{signed(max(cell[4] for cell in cells) - mean)} around their mean."
    draw = Drawing(round(width), round(height), prose(label), "map")
    x, y = Scale(x0, x1, 0.0, width), Scale(y0, y1, height, 0.0)
    _cells(draw, cells, (x, y), mean, bounds)
    insets = []
    for name, inset in zip("AB", found.get("insets", ()), strict=False):
        own = [min(cell[0] for cell in inset["cells"]), max(cell[1] for cell in inset["cells"])]
        own += [min(cell[2] for cell in inset["cells"]), max(cell[3] for cell in inset["cells"])]
        (left, right), (low, high) = (x(own[0]), x(own[1])), (y(own[2]), y(own[3]))
        draw.path([left, right, right, left, left], [low, low, high, high, low], "frame")
        draw.text(right + 4, high + 11, name, "frame-name")
        insets.append(_inset(found, inset, name, (own, is_map), (mean, bounds)))
    box = h("div", draw.node, _legend(bounds), class_="map-box")
    return h("div", box, h("div", insets, class_="insets")) if insets else box


def _cells(
    draw: Drawing, cells: list[list[float]], scales: tuple[Scale, Scale], mean: float, bounds: list[float]
) -> None:
    """Each class of cells as one path."""
    x, y = scales
    parts: list[list[str]] = [[] for _ in range(MAP_CLASSES)]
    for a, b, c, d, value, _ in cells:
        place = sum(value - mean > bound for bound in bounds)
        left, right, low, high = x(a), x(b), y(c), y(d)
        parts[place].append(f"M{left:.1f} {high:.1f}h{max(right - left, 1):.1f}v{max(low - high, 1):.1f}H{left:.1f}Z")
    for place, part in enumerate(parts):
        draw.add(h("path", d="".join(part), class_=f"cell m{place}"))


def _inset(
    found: Row, inset: Row, name: str, place: tuple[list[float], bool], classes: tuple[float, list[float]]
) -> Node:
    """A dense square of the map in finer cells, of the same colours."""
    (x0, x1, y0, y1), is_map = place
    stretch = math.cos(math.radians(0.5 * (y0 + y1))) if is_map else (y1 - y0) / (x1 - x0 or 1.0)
    height = 330.0 * (y1 - y0) / ((x1 - x0) * stretch or 1.0)
    width = 330.0 if height <= 400.0 else 330.0 * 400.0 / height
    height = min(height, 400.0)
    ends = f"{name_of(found['y_label'])} {y0:.4g} to {y1:.4g}, {name_of(found['x_label'])} {x0:.5g} to {x1:.5g}"
    where = f"{name}: {ends}"
    finer = "" if inset["joined"] == 1 else f", {inset['joined']} x {inset['joined']} cells as one"
    draw = Drawing(round(width), round(height), prose(f"{where}, {counted(len(inset['cells']), 'cell')}."), "map")
    scales = Scale(x0, x1, 0.0, width), Scale(y0, y1, height, 0.0)
    _cells(draw, inset["cells"], scales, *classes)
    return h("div", h("p", prose(where + finer), class_="small"), draw.node, class_="inset")


def _legend(bounds: list[float]) -> Node:
    names = [f"below {signed(bounds[0], 2)}"]
    names += [
        "about the mean" if low < 0.0 < high else f"{signed(low, 2)} to {signed(high, 2)}"
        for low, high in pairwise(bounds)
    ]
    names.append(f"above {signed(bounds[-1], 2)}")
    return h(
        "ul",
        [h("li", h("i", class_=f"swatch m{place}"), prose(name)) for place, name in enumerate(names)],
        class_="legend",
    )

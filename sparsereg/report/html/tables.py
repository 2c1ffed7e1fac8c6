"""The tables of a page: checks, tiles, blocks, columns, and the path in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsereg.report.answers import TITLES, answers
from sparsereg.report.checks import FEW_ROWS
from sparsereg.report.html.drawing import points_text
from sparsereg.report.html.elements import Child, Node, breakable, h, name_of, prose, shortened
from sparsereg.report.words import bytes_in_words, compact, counted, percent, signed, small

if TYPE_CHECKING:
    from sparsereg.report.report import SparsityReport

__all__ = ["answer_list", "block_table", "check_list", "column_table", "path_table", "tiles"]

Row = dict[str, Any]

# Strengths in the table of the path, beside the chosen and the one-standard-error point.
PATH_ROWS = 12
_LONGEST_NAME = 90


def answer_list(report: SparsityReport) -> Node:
    """What matters, whether it can be trusted, what to ship."""
    pairs = [(h("dt", question), h("dd", prose(name_of(answer)))) for question, answer in answers(report)]
    return h("dl", [h("div", *pair) for pair in pairs], class_="answers")


def check_list(report: SparsityReport) -> Node | None:
    """The checks, the failed ones with their remedies."""
    if not report.checks:
        return None
    rows = []
    for check in report.checks:
        passed = check["passed"]
        sentence: list[Child] = [prose(name_of(check["sentence"]))]
        if check["remedy"]:
            sentence.append(h("span", f" \u2192 {prose(check['remedy'])}", class_="remedy"))
        mark = h("span", "\u2713" if passed else "!", class_="mark", title="passed" if passed else "needs attention")
        title = h("b", TITLES.get(check["id"], check["id"]))
        rows.append(h("li", mark, title, h("span", sentence), class_="passed" if passed else "failed"))
    failed = sum(not check["passed"] for check in report.checks)
    n = len(report.checks)
    words = f"All {n} checks passed." if n > 1 else "The check passed."
    if failed:
        words = f"{failed} of {counted(n, 'check')} need{'s' * (failed == 1)} attention."
    return h(
        "div", h("p", words, class_="checks-head" + (" attention" if failed else "")), h("ul", rows, class_="checks")
    )


def tiles(report: SparsityReport) -> Node:
    """At most five numbers to remember."""
    row, gaps = report.path[report.point], [row["relative_gap"] for row in report.path]
    found = [("Columns kept", f"{row['n_nonzero']:,}", f"of {report.n_columns:,}, {percent(row['density'])}")]
    train = None if row["deviance_explained"] is None else f"training {percent(row['deviance_explained'])}"
    name = "R2" if report.score == "R2" else "deviance"
    if row["held"] is not None:
        found.append((f"Held-out {name}", percent(row["held"]), train or ""))
    elif train:
        found.append((f"Training {name}", percent(row["deviance_explained"]), "no rows held out"))
    if report.one_se is not None and report.one_se != report.point:
        simple = report.path[report.one_se]
        if simple["n_nonzero"] < row["n_nonzero"]:
            words = f"columns, {percent(simple['held'])} held out"
            found.append(("Simpler, as good", f"{simple['n_nonzero']:,}", words))
    if None not in gaps:
        certified = sum(bool(row["certified"]) for row in report.path)
        known = report.tol is not None and row["certified"] is not None
        words = f"{certified} of {len(gaps)} certified" if known else ""
        found.append(("Largest gap", small(max(gaps)), words))
    if (seconds := report.provenance.get("seconds")) is not None:
        found.append(("Fitted in", f"{compact(seconds)} s", counted(len(report.path), "strength")))
    else:
        found.append(("Coefficients", bytes_in_words(report.bytes_kept), counted(len(report.path), "strength")))
    return h(
        "dl",
        [h("div", h("dt", prose(a)), h("dd", prose(b), class_="big"), h("dd", prose(c))) for a, b, c in found],
        class_="tiles",
    )


def _table(head: Sequence[tuple[str, str]], rows: Sequence[Node], cls: str) -> Node:
    cells = [h("th", prose(name), class_=kind or None, scope="col") for name, kind in head]
    return h("div", h("table", h("thead", h("tr", cells)), h("tbody", rows), class_=cls), class_="scroll-safe")


def block_table(report: SparsityReport) -> Node:
    """Fields and crosses by their share of the variance, or by their share of the weight."""
    by_variance = any(block["variance_share"] is not None for block in report.blocks)
    name = "variance_share" if by_variance else "weight_share"
    blocks = sorted(report.blocks, key=lambda block: -(block[name] or 0.0))
    most = max([1e-9, *(abs(block[name] or 0.0) for block in blocks)])
    head = [("field or cross", "name"), ("share of the " + ("variance" if by_variance else "weight"), "wide-cell")]
    head += [
        ("kept", "num"),
        ("of", "num optional"),
        ("rows of a kept column (median)", "num"),
        ("kept along the path", "spark-cell"),
    ]
    rows = []
    for block in blocks:
        share = block[name] or 0.0
        counts = block["n_nonzero_path"]
        rows.append(
            h(
                "tr",
                h("th", breakable(shortened(block["label"], _LONGEST_NAME)), scope="row", class_="name"),
                h("td", _bar(share / most, share < 0), prose(percent(share)), class_="bar-cell"),
                h("td", f"{block['n_nonzero']:,}", class_="num"),
                h("td", f"{block['n_observed']:,}", class_="num optional"),
                h("td", "" if block["median_rows"] is None else f"{block['median_rows']:,.0f}", class_="num"),
                h("td", _spark(counts), class_="spark-cell"),
            )
        )
    return _table(head, rows, "blocks")


def _bar(share: float, negative: bool) -> Node:
    width = f"{100 * min(abs(share), 1.0):.1f}%"
    return h("span", h("i", style=f"width:{width}", class_="negative" if negative else None), class_="bar")


def _spark(counts: Sequence[int]) -> Node | None:
    if len(counts) < 2 or not max(counts):
        return None
    xs = [1 + 82 * k / (len(counts) - 1) for k in range(len(counts))]
    ys = [19 - 17 * np.sqrt(count / max(counts)) for count in counts]
    return h("svg", h("path", d=points_text(xs, ys), class_="spark"), viewBox="0 0 84 20", class_="spark",
             role="img", aria_label=f"from {counts[0]:,} to {counts[-1]:,} columns")  # fmt: skip


def column_table(report: SparsityReport, columns: list[Row]) -> Node:
    """Columns in rank, with a bar of the weight and the rows behind it."""
    most = max([1e-300, *(abs(row["coefficient"]) for row in columns)])
    has_rows = any(row["rows"] is not None for row in columns)
    has_alpha = all(row["alpha"] is not None for row in report.path) and len(report.path) > 1
    effect_on = columns[0].get("effect_on") if columns else None
    head = [("#", "num rank"), ("column", "name"), ("", "bar-head"), ("weight", "num")]
    head += [(f"effect on the {effect_on}", "num")] * (effect_on is not None)
    head += [("rows", "num")] * has_rows + [("enters at strength", "num optional")] * has_alpha
    rows = []
    for place, row in enumerate(columns, 1):
        few = row["rows"] is not None and row["rows"] < FEW_ROWS
        badge = h("span", "few rows", class_="badge") if few else None
        share = 50 * abs(row["coefficient"]) / most
        left = 50.0 if row["coefficient"] > 0 else 50 - share
        rows.append(
            h(
                "tr",
                h("td", str(place), class_="num rank"),
                h("th", h("bdi", breakable(shortened(row["label"], _LONGEST_NAME))), badge, scope="row", class_="name"),
                h("td", h("span", h("i", style=f"left:{left:.1f}%;width:{share:.1f}%",
                                    class_="plus" if row["coefficient"] > 0 else "minus"), class_="two-way"),
                  class_="bar-cell two"),
                h("td", prose(signed(row["coefficient"])), class_="num"),
                None if effect_on is None else h("td", prose(_change(row["effect"])), class_="num"),
                h("td", "" if row["rows"] is None else f"{row['rows']:,}", class_="num") if has_rows else None,
                h("td", prose(compact(report.path[row["enters"]]["alpha"])), class_="num optional")
                if has_alpha
                else None,
            )
        )  # fmt: skip
    return _table(head, rows, "columns")


def _change(share: float) -> str:
    """A relative change in per cent, of large ones the factor."""
    return f"times {compact(1.0 + share)}" if share >= 9.0 else f"{'+' * (share > 0)}{percent(share)}"


def path_table(report: SparsityReport) -> Node:
    """Some strengths in numbers, with the chosen and the one-standard-error point among them."""
    n = len(report.path)
    points = {*np.linspace(0, n - 1, min(n, PATH_ROWS)).round().astype(int).tolist(), report.point}
    points |= {report.one_se} if report.one_se is not None else set()
    of = {name: any(row[name] is not None for row in report.path) for name in
          ("deviance_explained", "held", "relative_gap", "proved_zero", "alpha")}  # fmt: skip
    head = [("point", "num"), ("strength", "num"), ("active", "num")]
    head += [("training", "num")] * of["deviance_explained"] + [("held out", "num")] * of["held"]
    head += [("gap", "num optional")] * of["relative_gap"]
    head += [("proved zero", "num optional"), ("undecided", "num optional")] * of["proved_zero"]
    rows = []
    for point in sorted(points):
        row = report.path[point]
        marks = [word for word, at in (("chosen", report.point), ("1 s.e.", report.one_se)) if at == point]
        cells = [h("th", str(point), *(h("span", word, class_="tag") for word in marks), scope="row", class_="num")]
        values = [prose(compact(row["alpha"])), f"{row['n_nonzero']:,}"]
        values += [_share(row["deviance_explained"])] * of["deviance_explained"] + [_share(row["held"])] * of["held"]
        cells += [h("td", value, class_="num") for value in values]
        gap = "" if row["relative_gap"] is None else prose(small(row["relative_gap"]))
        further = [gap + ("!" if row["certified"] is False else "")] * of["relative_gap"]
        counts = [row["proved_zero"], row["undecided"]] * of["proved_zero"]
        further += ["" if count is None else f"{count:,}" for count in counts]
        cells += [h("td", value, class_="num optional") for value in further]
        rows.append(h("tr", cells, class_="chosen" if point == report.point else None))
    return _table(head, rows, "path")


def _share(value: float | None) -> str:
    return "" if value is None else prose(percent(value))

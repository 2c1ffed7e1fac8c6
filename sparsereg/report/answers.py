"""The three questions that a reader of a report has, answered in a sentence each, from its content alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsereg.report.words import compact, counted, percent

if TYPE_CHECKING:
    from sparsereg.report.report import SparsityReport

__all__ = ["TITLES", "answers"]

Row = dict[str, Any]

# Names of the checks for people.
TITLES = {
    "certified": "Optimised", "strength": "Strength", "generalises": "Generalises", "predicts": "Predicts",
    "outliers": "Outliers", "support": "Support", "coverage": "Coverage", "decided": "Decided",
}  # fmt: skip
# A model that fails one of these is not for use; the other checks are about how to read and improve it.
_SERIOUS = ("certified", "generalises", "predicts", "outliers")
_NAMED = 3
# A reference is named if it explains so much more.
_BETTER = 0.001
# A model that explains less of what was held out is hardly better than one number for all rows.
_LITTLE = 0.01
# What the others mean for a reader if they fail.
_CARE = {
    "strength": "a weaker penalty may predict better",
    "support": "effects that rest on a few rows are not to be quoted",
    "coverage": "many new rows have values or combinations that the fit never saw: other fields alone predict them",
    "decided": "it is not proved of all dropped columns that they do not belong",
}


def answers(report: SparsityReport) -> list[tuple[str, str]]:
    """Questions and answers: what matters, whether it can be trusted, what to ship."""
    found = [
        ("What matters?", _what_matters(report)),
        ("Can I trust it?", _trust(report)),
        ("What to ship?", _ship(report)),
    ]
    return [(question, answer) for question, answer in found if answer]


def _what_matters(report: SparsityReport) -> str:
    blocks = [block for block in report.blocks if block["n_nonzero"]]
    if not blocks:
        names = ", ".join(row["label"] for row in report.columns[:_NAMED])
        return f"{names}, the first by {report.rank}." if names else "No column: all coefficients are zero."
    share = "variance_share" if all(block["variance_share"] is not None for block in blocks) else "weight_share"
    of = "the variance of the predictions" if share == "variance_share" else "the absolute weight"
    blocks.sort(key=lambda block: -abs(block[share]))
    first = blocks[:_NAMED]
    crosses = [block for block in blocks if len(block["fields"]) > 1]
    text = f"{_shares(first, share)} of {of}."
    if others := [block for block in crosses[:_NAMED] if block not in first]:
        text += f" Of the crosses{' also' if first and len(others) < len(crosses[:_NAMED]) else ''}: "
        text += f"{_shares(others, share)}."
    elif not crosses and any(len(block["fields"]) > 1 for block in report.blocks):
        text += " No cross is kept."
    if any(block[share] < 0.0 for block in (*first, *others)):
        text += (
            " A share below zero takes back a part of what the others say, and matters by its size, whatever the sign."
        )
    return text


def _shares(blocks: list[Row], share: str) -> str:
    return ", ".join(f"{block['label']} {percent(block[share])}" for block in blocks)


def _failed(report: SparsityReport) -> list[str]:
    return [check["id"] for check in report.checks if not check["passed"]]


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _names(checks: list[str]) -> str:
    return _listed([TITLES.get(name, name) for name in checks])


def _trust(report: SparsityReport) -> str:
    if not report.checks:
        return ""
    failed, n = _failed(report), len(report.checks)
    if "predicts" in failed:
        return "No: on rows that were held out it predicts no better than one number for all."
    serious = [name for name in failed if name in _SERIOUS]
    held = report.path[report.point]["held"]
    if serious:
        text = f"Not yet: {_names(serious)} failed; what to do is written beside each check."
        return text + (f" It explains {percent(held)}, which is next to nothing." if _is_little(held) else "")
    if _is_little(held):
        return f"There is little to trust: it explains {percent(held)} of what was held out."
    passed = f"all {n} checks passed" if n > 1 else "the check passed"
    if failed:
        passed = f"{n - len(failed)} of {n} checks passed; {'; '.join(_CARE.get(name, name) for name in failed)}"
    if not any(check["id"] == "predicts" for check in report.checks):
        return f"In part: {passed}. No rows were held out."
    if failed:
        return f"Its predictions, with care: {passed}."
    return f"Its predictions, yes, for rows like these: {passed}. Effects are not causes."


def _ship(report: SparsityReport) -> str:
    row, failed = report.path[report.point], _failed(report)
    serious = [name for name in failed if name in _SERIOUS]
    if row["held"] is None:
        return "Nothing before it has predicted rows that the fit never saw."
    if serious:
        others = [name for name in failed if name not in _SERIOUS]
        after = f", then look at {_names(others)}" if others else ""
        return f"Nothing before {_names(serious)} {'is' if len(serious) == 1 else 'are'} put right{after}."
    many = len(report.path) > 1
    best = (
        "Not yet: fit again with a weaker penalty, which may predict better (see Strength). "
        if "strength" in failed
        else ""
    )
    best += f"{'Until then point' if best else 'Point'} {_point(report, report.point)}" if many else "This model"
    best += f", with {_columns(row)}"
    best += f" and {percent(row['held'])} explained on held-out rows."
    simple = None if report.one_se is None or report.one_se >= report.point else report.path[report.one_se]
    if simple is not None and report.one_se is not None and simple["n_nonzero"] < row["n_nonzero"]:
        best += f" For fewer columns, point {_point(report, report.one_se)}, with {_columns(simple)} and "
        best += f"{percent(simple['held'])}: the difference is within one standard error."
    for other in report.histograms:
        if other["point"] is None and other["held"] is not None and other["held"] >= row["held"] + _BETTER:
            best += f" {other['name'].capitalize()}, which keeps {_columns(other)}, explains more: "
            best += f"{percent(other['held'])}."
    return best


def _point(report: SparsityReport, point: int) -> str:
    return f"{point} of the path (penalty {compact(report.path[point]['alpha'])})"


def _is_little(held: float | None) -> bool:
    return held is not None and held < _LITTLE


def _columns(row: Row) -> str:
    return counted(row["n_nonzero"], "column")

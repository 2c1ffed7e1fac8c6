"""Checks of a fitted point, each with its limit and what to do, and the verdict in a sentence.

Sentences are plain text: numbers have three digits, and a minus is a hyphen. Where the data for a check is not known,
the check is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparsereg.data.validation import check_number
from sparsereg.report.words import counted, percent, points, small

__all__ = ["LIMITS", "Facts", "checked_limits", "make_checks", "make_verdict"]

Row = dict[str, Any]

# A check fails where its value reaches the limit.
LIMITS = {
    "certified": 0.0,  # points that are not certified, more than
    "strength": 2.0,  # the best point is among so many last ones
    "generalises": 0.05,  # training less held-out score, and a quarter of the training score if that is more
    "predicts": 2.0,  # the held-out score in its standard errors, at least
    "outliers": 0.2,  # share of the null model's loss in the five heaviest rows
    "support": 0.2,  # share of the absolute weight on columns of fewer than 5 rows
    "coverage": 0.1,  # share of held-out rows with a level or combination that has no column
    "decided": 0.01,  # share of the columns that are neither active nor proved zero
}
FEW_ROWS = 5
_QUARTER = 0.25


@dataclass(frozen=True)
class Facts:
    """What checks and verdict read of a report: the rows of its path and its evidence, for the described point."""

    path: list[Row]
    point: int
    tol: float | None
    n_columns: int
    n_cells: int | None
    target: str
    score: str
    best: int | None
    one_se: int | None
    null_error: float | None
    n_rows: int | None
    n_held: int | None
    outliers: float | None
    coverage: float | None
    few_rows: float | None
    unit: str
    auc: float | None
    mean_losses: tuple[float, float] | None
    calibration_error: float | None
    of_classes: bool = False  # whether the target is one of several classes, whose deviance is that of all

    @property
    def row(self) -> Row:
        return self.path[self.point]


def checked_limits(limits: Mapping[str, float] | None) -> dict[str, float]:
    """The limits of the checks, some of them replaced."""
    for name, value in (limits or {}).items():
        if name not in LIMITS:
            raise ValueError(f"limits holds {name!r}, which is no check; expected some of {', '.join(LIMITS)}.")
        check_number(f"limits[{name!r}]", value, low=0)
    return LIMITS | dict(limits or {})


def make_checks(facts: Facts, limits: Mapping[str, float], remedies: Mapping[str, str]) -> list[Row]:
    """The checks that the known facts allow, in the order in which a reader asks; `remedies` replace some of them."""
    makers = {
        "certified": _certified, "strength": _strength, "generalises": _generalises, "predicts": _predicts,
        "outliers": _outliers, "support": _support, "coverage": _coverage, "decided": _decided,
    }  # fmt: skip
    rows = []
    for name, maker in makers.items():
        made = maker(facts, limits[name])
        if made is not None:
            passed, value, limit, sentence, remedy = made
            rows.append(
                {"id": name, "passed": passed, "value": value, "limit": limit, "sentence": sentence}
                | {"remedy": "" if passed else remedies.get(name, remedy)}
            )
    return rows


Made = tuple[bool, float, float, str, str] | None


def _certified(facts: Facts, limit: float) -> Made:
    verdicts = [row["certified"] for row in facts.path]
    if facts.tol is None or None in verdicts:
        return None
    missed = len(verdicts) - sum(verdicts)
    largest = max(row["relative_gap"] for row in facts.path)
    of = f"its best possible objective, in units of {facts.unit}"
    one = len(verdicts) == 1
    sentence = f"{'The fit is' if one else f'Each of the {len(verdicts)} fits is'} within {small(largest)} of {of}"
    sentence += f" (asked for: {small(facts.tol)})."
    if missed:
        sentence = f"{missed} of {counted(len(verdicts), 'fit')} missed the duality gap of {small(facts.tol)}: the "
        sentence += f"largest is {small(largest)} of {facts.unit}."
    return missed <= limit, float(missed), limit, sentence, "Increase max_iter, or stop at a stronger penalty."


def _strength(facts: Facts, limit: float) -> Made:
    n_points = len(facts.path)
    if facts.best is None or (n_points <= limit and facts.row["n_nonzero"] > 0):
        return None  # so few strengths were chosen, unless the path ended before any column entered
    last = n_points - 1
    behind = last - facts.best
    if behind >= limit:
        sentence = f"The best held-out result lies inside the path, at point {facts.best} of {last}."
    else:
        where = "the last" if behind == 0 else f"{behind} before the last"
        sentence = f"The best held-out result is point {facts.best}, {where}: a weaker penalty may predict better."
    remedy = "Fit again with a smaller eps, so that the path goes on." if last else "Fit again with a weaker penalty."
    return behind >= limit, float(behind), limit, sentence, remedy


def _generalises(facts: Facts, limit: float) -> Made:
    train, held = facts.row["deviance_explained"], facts.row["held"]
    if train is None or held is None:
        return None
    allowed = max(limit, _QUARTER * train)
    apart = train - held
    sentence = f"Training {percent(train)}, held out {percent(held)}: {points(apart)} apart (limit {points(allowed)})."
    return apart <= allowed, apart, allowed, sentence, "Take a stronger penalty, fewer crosses, or a larger min_count."


def _predicts(facts: Facts, limit: float) -> Made:
    held, error = facts.row["held"], facts.null_error
    if held is None or error is None:
        return None
    ratio = held / error if error > 0.0 else math.copysign(math.inf, held) if held else 0.0
    sentence = f"The held-out {facts.score} is {percent(held)}, with a standard error of {percent(error)}."
    if facts.auc is not None:
        sentence += f" AUC {facts.auc:.3f}{', the mean of each class against the rest' * facts.of_classes}."
    if facts.mean_losses is not None:
        sentence += " Mean loss {:.4g}, of the model without columns {:.4g}.".format(*facts.mean_losses)
    if facts.calibration_error is not None:
        sentence += f" Calibration error of the most probable class {percent(facts.calibration_error)}."
    remedy = "Do not use this model: it predicts no better than one number for all rows."
    return held > 0.0 and ratio >= limit, ratio, limit, sentence, remedy


def _outliers(facts: Facts, limit: float) -> Made:
    if facts.outliers is None:
        return None
    of = "the target's sum of squares" if facts.score == "R2" else "the null model's deviance"
    sentence = f"The five heaviest rows hold {percent(facts.outliers)} of {of} (limit {percent(limit)})."
    remedy = "Look at these rows; take the logarithm of the target, cap it, or leave them out."
    return facts.outliers < limit, facts.outliers, limit, sentence, remedy


def _support(facts: Facts, limit: float) -> Made:
    if facts.few_rows is None:
        return None
    sentence = f"{percent(facts.few_rows)} of the absolute weight rests on columns with fewer than {FEW_ROWS} rows"
    sentence += f" (limit {percent(limit)})."
    remedy = "Do not quote those columns one by one; set min_count, or take the one-standard-error strength."
    return facts.few_rows < limit, facts.few_rows, limit, sentence, remedy


def _coverage(facts: Facts, limit: float) -> Made:
    if facts.coverage is None:
        return None
    sentence = f"{percent(facts.coverage)} of the held-out rows have a level or combination without a column, which "
    sentence += f"counts as zero (limit {percent(limit)})."
    remedy = "Usual for fine crosses: what is kept of the fields they are made of still counts for such rows."
    return facts.coverage < limit, facts.coverage, limit, sentence, remedy


def _decided(facts: Facts, limit: float) -> Made:
    if (undecided := facts.row["undecided"]) is None:
        return None
    share = undecided / facts.n_columns
    sentence = f"{facts.row['proved_zero']:,} columns are proved zero at the exact solution; {undecided:,}"
    sentence += f" ({percent(share)}) are undecided (limit {percent(limit)})."
    return share < limit, share, limit, sentence, "Fit with a smaller tol, such as 1e-7, to decide more columns."


def make_verdict(facts: Facts) -> str:
    """One or two sentences: what is kept, of how many, what it explains; and what would do as well."""
    row, held = facts.row, facts.row["held"]
    kept = f"{row['n_nonzero']:,} of {counted(facts.n_columns, 'observed column' if facts.n_cells else 'column')}"
    possible = f" ({facts.n_cells:,} possible)" if facts.n_cells is not None and facts.n_cells < 1e12 else ""
    of = f"the {'variance' if facts.score == 'R2' else 'deviance'} of {facts.target}"
    subject = f"{kept}{possible}"
    if facts.of_classes:
        subject, of = f"{subject} are kept for {facts.target}; with those of the other classes they", "the deviance"
    unseen = "rows that the fit never saw" if facts.n_held is None else f"{facts.n_held:,} rows that the fit never saw"
    if facts.n_held is not None and facts.n_held == facts.n_rows:
        unseen = f"{facts.n_held:,} rows, each held out in turn"
    if held is not None and held <= 0.0:
        return (
            f"{subject} explain nothing of {of} on {unseen}: the held-out {facts.score} is {held:.3g}, "
            "no better than one number for all rows."
        )
    if held is not None:
        return f"{subject} explain {percent(held)} of {of} on {unseen}.{_simpler(facts)}"
    if (train := row["deviance_explained"]) is None:
        return f"{kept}{possible} are not zero. Nothing here says how well they predict {facts.target}."
    return (
        f"{subject} explain {percent(train)} of {of} on the rows of the fit. No rows were held out, so nothing "
        "here says how well they predict others."
    )


def _simpler(facts: Facts) -> str:
    """What the strongest penalty within one standard error of the best would cost, if it is another point."""
    if facts.one_se is None or facts.one_se >= facts.point:
        return ""
    simple = facts.path[facts.one_se]
    if simple["n_nonzero"] >= facts.row["n_nonzero"]:  # ridge keeps every column
        return ""
    cost = (facts.row["held"] or 0.0) - simple["held"]
    lost = f"{points(cost)} less" if cost > 0 else "no less"
    return f" With {counted(simple['n_nonzero'], 'column')} it is {lost}, within one standard error."

"""From coefficients and evidence to the content of a `SparsityReport`: its tables, checks, curves and verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsereg.data.validation import check_choice, check_number
from sparsereg.losses import LOSSES
from sparsereg.report.checks import FEW_ROWS, Facts, checked_limits, make_checks, make_verdict
from sparsereg.report.columns import RANKS, TIMES, RankedColumns
from sparsereg.report.provenance import provenance_of
from sparsereg.report.sources import FittedPoints
from sparsereg.report.tables import block_rows, path_rows
from sparsereg.report.weight_map import weight_map
from sparsereg.results import unit_of_gaps

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.report.evidence import Evidence

__all__ = ["Wishes", "content_of"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Wishes:
    """What the caller chose: how many columns to name, by what they are ranked, words for fields, limits of checks, and
    remedies in place of those that speak Python."""

    top: int
    rank: str
    limits: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    title: str | None = None
    target: str | None = None
    further: Mapping[str, Any] = field(default_factory=dict)
    remedies: Mapping[str, str] = field(default_factory=dict)
    log_target: bool = False

    @classmethod
    def checked(
        cls,
        top: int,
        rank: str,
        limits: Mapping[str, float] | None,
        labels: Mapping[str, str] | None,
        words: tuple[str | None, str | None],
    ) -> Wishes:
        """Check the arguments; `words` are title and target."""
        check_number("top", top, low=0, integer=True)
        check_choice("rank", rank, RANKS)
        return cls(top, rank, checked_limits(limits), dict(labels or {}), title=words[0], target=words[1])


def content_of(
    fitted: FittedPoints, cross: FeatureCross | None, evidence: Evidence, wishes: Wishes, histograms: list[Row]
) -> Row:
    """The fields of a report."""
    coefs, point = fitted.coefs, evidence.point
    n_columns, n_points = coefs.shape
    ranked = RankedColumns.at(coefs, point, evidence, cross, fitted.names, wishes.labels)
    rank = wishes.rank if ranked.has_influence else "weight"
    path = path_rows(coefs, fitted.values, evidence)
    n_cells = None if cross is None else sum(block.n_cells for block in cross.blocks_)
    bytes_per_column = n_points * coefs.point(point)[1].dtype.itemsize
    lines, faint = ranked.lines(rank)
    effect = _effect_of(fitted.loss, wishes.log_target)
    target = wishes.target or "the target"
    facts = Facts(
        path, point, fitted.tol, n_columns, n_cells, target, _score_name(fitted.loss), evidence.best, evidence.one_se,
        evidence.null_error, evidence.n_rows, evidence.n_held, evidence.outliers, evidence.coverage, _few_rows(ranked),
        unit_of_gaps(fitted.loss), evidence.auc, evidence.mean_losses,
        evidence.calibration_error, fitted.loss == "multinomial",
    )  # fmt: skip
    return {
        "n_columns": n_columns,
        "n_cells": n_cells,
        "point": point,
        "tol": fitted.tol,
        "path": path,
        "blocks": _block_rows(fitted, cross, evidence, wishes.labels),
        "columns": [row | effect(row["coefficient"]) for row in ranked.table(rank, wishes.top)],
        "bytes_kept": coefs.nbytes,
        "bytes_dense": n_columns * bytes_per_column,
        "bytes_nominal": None if n_cells is None else n_cells * bytes_per_column,
        "verdict": make_verdict(facts),
        "checks": make_checks(facts, wishes.limits, wishes.remedies),
        "one_se": evidence.one_se,
        "rank": rank,
        "columns_by_weight": [
            row | effect(row["coefficient"]) for row in (ranked.table("weight", wishes.top) if rank != "weight" else [])
        ],
        "lines": lines,
        "faint": faint,
        "panels": _panels(evidence, path),
        "histograms": histograms,
        "map": None if cross is None else _map_row(cross, ranked, wishes.labels),
        "title": wishes.title or ("Sparsity report" if wishes.target is None else f"A model of {wishes.target}"),
        "target": target,
        "loss": fitted.loss,
        "score": facts.score,
        "provenance": provenance_of(cross, evidence, n_columns, fitted.values["seconds"], dict(wishes.further)),
    }


def _effect_of(loss: str, log_target: bool) -> Callable[[float], Row]:
    """What a weight does to the prediction where it is not its unit: ``effect``, and ``effect_on``.

    Under a log link, or for the logarithm of a target, the share by which it changes the prediction; under the logit
    link the factor of the odds less 1."""
    name = loss.partition(":")[0]
    link = LOSSES[name].link if name in LOSSES else "softmax" if name == "multinomial" else "identity"
    on = {"log": "prediction", "logit": "odds", "softmax": "odds"}.get("log" if log_target else link)
    if on is None:
        return lambda _: {}
    return lambda weight: {"effect": math.expm1(min(weight, 700.0)), "effect_on": on}


def _score_name(loss: str) -> str:
    return "R2" if loss == "squared" else "deviance explained"


def _block_rows(
    fitted: FittedPoints, cross: FeatureCross | None, evidence: Evidence, labels: Mapping[str, str]
) -> list[Row]:
    if cross is None:
        return []
    df_is_count = fitted.values["df"][evidence.point] is not None
    rows = block_rows(cross, fitted.coefs, evidence.point, df_is_count, evidence)
    return [row | {"label": f" {TIMES} ".join(labels.get(name, name) for name in row["fields"])} for row in rows]


def _few_rows(ranked: RankedColumns) -> float | None:
    """The share of the absolute weight on columns of few rows; None where rows are not known."""
    known = ranked.rows >= 0
    size = np.abs(ranked.w)
    if not known.all() or not size.sum() > 0.0:
        return None
    return float(size[ranked.rows < FEW_ROWS].sum() / size.sum())


def _panels(evidence: Evidence, path: list[Row]) -> list[Row]:
    """The panels with what is known of their points."""
    if evidence.panels is None:
        return []
    of_point = ("n_nonzero", "alpha", "held", "deviance_explained")
    return [panel | {f"at_{name}": path[panel["point"]][name] for name in of_point} for panel in evidence.panels]


def _map_row(cross: FeatureCross, ranked: RankedColumns, labels: Mapping[str, str]) -> Row | None:
    found = weight_map(cross, ranked.columns, ranked.w)
    if found is None:
        return None
    return found | {f"{axis}_label": labels.get(found[axis], found[axis]) for axis in ("x", "y")}

"""The content of a report on a path, on a fitted estimator, on a pipeline, or on a loaded model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sparsereg.data.validation import check_number
from sparsereg.report.build import Wishes, content_of
from sparsereg.report.evidence import Evidence
from sparsereg.report.held_out import HeldOut
from sparsereg.report.histograms import histogram_rows, reference_weights
from sparsereg.report.outcomes import is_multinomial, null_predictors
from sparsereg.report.samples import Sample
from sparsereg.report.sources import FittedPoints, check_cross, path_of
from sparsereg.results import PathResult

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross

__all__ = ["GivenToPath", "PassedRows", "estimator_content", "model_content", "path_content"]

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class PassedRows:
    """Rows of the fit and rows held out, as a caller passes them."""

    X: Any
    y: Any
    X_val: Any
    y_val: Any
    sample_weight: Any
    offset: Any = None
    offset_val: Any = None


@dataclass(frozen=True, eq=False)
class GivenToPath:
    """What only the report on a path takes."""

    scores: Mapping[str, Sequence[float]] | None
    references: Mapping[str, Any] | Sequence[Any]
    sample_weight_val: Any
    evidence: Evidence | None
    output: int


def estimator_content(
    estimator: Any, cross: FeatureCross | None, k: int | None, wishes: Wishes, rows: PassedRows
) -> Row:
    """Fields of the report on an estimator with `sparse_coef_`, or on a pipeline that ends in one."""
    names, X, X_val = None, rows.X, rows.X_val
    if hasattr(estimator, "steps"):
        steps = [step for _, step in estimator.steps]
        own = steps[-2] if len(steps) > 1 and hasattr(steps[-2], "blocks_") else None
        names = None if own is not None or cross is not None else _names_of_output(estimator)
        if len(steps) > 1:
            X, X_val = (None if part is None else estimator[:-1].transform(part) for part in (X, X_val))
        cross, estimator = own if cross is None else cross, steps[-1]
    fitted = FittedPoints.of_estimator(estimator, names)
    n_columns, n_targets = fitted.coefs.shape
    point = checked_point(k, n_targets)
    point = n_targets - 1 if point is None else point
    check_cross(cross, n_columns)
    evidence = Evidence(point)
    if rows.y is not None or X_val is not None:
        evidence, scores = _measured(estimator, cross, point, replace(rows, X=X, X_val=X_val))
        known = fitted.values["deviance_explained"]
        explained = [own if old is None else old for old, own in zip(known, scores, strict=True)]
        fitted = replace(fitted, values=fitted.values | {"deviance_explained": explained})
    elif X is not None:
        sample = Sample.without_targets(X, rows.sample_weight)
        evidence = Evidence.of_columns(fitted.coefs.point(point), cross, point, sample)
    content = content_of(fitted, cross, evidence, wishes, [])
    return content if X is None else _with_degrees_of_freedom(content, estimator, cross, X, rows.sample_weight)


def _measured(
    estimator: Any, cross: FeatureCross | None, point: int, rows: PassedRows
) -> tuple[Evidence, Sequence[float | None]]:
    """What the rows say of one target or class, and the training scores of all; the point of each is its number.

    Targets are scored one by one, classes of one softmax together."""
    path = path_of(estimator)
    train = held = None
    if rows.X is not None and rows.y is not None:
        train = Sample.of("X", rows.X, rows.y, rows.sample_weight, path, 0, offset=rows.offset)
    if rows.X_val is not None:
        held = Sample.of("X_val", rows.X_val, rows.y_val, None, path, 0, offset=rows.offset_val)
    if is_multinomial(path):
        own, seen = (part and replace(part, y=part.targets[:, point]) for part in (train, held))
        evidence = Evidence.measure(path, cross, 0, own, seen, point)
    else:
        own, seen = (part and part.of_output(point) for part in (train, held))
        evidence = Evidence.measure(path.of_output(point), cross, 0, own, seen)
    panels = [panel | {"point": point} for panel in evidence.panels or ()]
    scores = None if held is None else _scores(path, held, held if train is None else train)
    held_scores = None if scores is None else [math.nan if score is None else score for score in scores]
    known: Sequence[float | None] = [None] * len(path.outputs) if train is None else _scores(path, train, train)
    alone: Row = {"best": None, "one_se": None, "held_error": None, "undecided": None}
    return replace(evidence, point=point, held=held_scores, panels=panels, **alone), known


def _scores(path: PathResult, sample: Sample, fitted: Sample) -> list[float | None]:
    """The share of the null model's loss that each output explains; the null model is that of the fitted rows."""
    n = len(path.outputs)
    if is_multinomial(path):
        found = HeldOut.measure(path, sample, null_predictors(path, fitted))
        return [None if found is None else float(found.scores[0])] * n
    scores: list[float | None] = []
    for target in range(n):
        one = path.of_output(target)
        found = HeldOut.measure(one, sample.of_output(target), null_predictors(one, fitted.of_output(target)))
        scores.append(None if found is None else float(found.scores[0]))
    return scores


def path_content(
    path: Any,
    cross: FeatureCross | None,
    k: int | None,
    wishes: Wishes,
    rows: PassedRows,
    given: GivenToPath,
) -> Row:
    """Fields of the report on a path, or on a validated one with the held-out losses of its folds."""
    validated = getattr(path, "chosen", path if hasattr(path, "fold_losses") else None)
    if validated is not None:
        k = (path.k if hasattr(path, "k") else path.best) if k is None else k
        path = validated.path
    if not isinstance(path, PathResult):
        raise ValueError(  # noqa: TRY004 - as everywhere for a wrong argument
            f"path={type(path).__name__}: expected a PathResult, or what cross_validate_path returns; for a fitted"
            " model take SparsityReport.from_estimator."
        )
    output, evidence = given.output, given.evidence
    k = checked_point(k, path.alphas.size)
    check_cross(cross, path.n_features)
    check_number("output", output, low=0, high=len(path.outputs) - 1, integer=True)
    held = None
    if rows.X_val is not None:
        weight, offset = given.sample_weight_val, rows.offset_val
        held = Sample.of("X_val", rows.X_val, rows.y_val, weight, path, output, offset=offset)
    if evidence is None:
        train = None
        if rows.X is not None:
            train = Sample.of("X", rows.X, rows.y, rows.sample_weight, path, output, offset=rows.offset)
        evidence = Evidence.measure(path, cross, k, train, held, output)
        if validated is not None and held is None:
            evidence = Evidence.of_validation(validated, evidence.point, evidence)
    elif k is not None:
        evidence = evidence if k == evidence.point else evidence.at(k)
    others = reference_weights(dict(given.references), path, held)
    fitted = FittedPoints.of_path(path, given.scores or {}, output)
    wishes = replace(wishes, target=wishes.target or _class_in_words(path, output, None))
    return content_of(fitted, cross, evidence, wishes, histogram_rows(path, evidence, output, others))


def model_content(
    model: Any, cross: FeatureCross | None, k: int | None, wishes: Wishes, rows: PassedRows, output: int = 0
) -> Row:
    """Fields of the report on a loaded model, with the evidence that its file holds or that the held-out rows give."""
    if rows.X is not None:
        raise ValueError("X: a saved path does not know its penalty factors; fit an estimator to know its df.")
    path, cross = model.path, model.cross if cross is None else cross
    point = checked_point(k, path.alphas.size)
    point = model.point if point is None else point
    check_cross(cross, path.n_features)
    check_number("output", output, low=0, high=len(path.outputs) - 1, integer=True)
    evidence = Evidence.of_model(model, point, output)
    if rows.X_val is not None:
        X_val = rows.X_val if model.cross is None else model.cross.transform(rows.X_val)
        offset = model.offset_of(rows.X_val) if rows.offset_val is None else rows.offset_val
        held = Sample.of("X_val", X_val, rows.y_val, None, path, output, offset=offset)
        evidence = Evidence.measure(path, cross, point, None, held, output)
    meta = model.meta
    target, seed = meta.get("target"), meta.get("seed")
    words = f"the logarithm of {target}" if meta.get("log_target") else _class_in_words(path, output, target)
    wishes = replace(
        wishes,
        target=wishes.target or words,
        further={} if seed is None else {"seed": seed},
        remedies=meta.get("remedies", {}),
        log_target=bool(meta.get("log_target")),
    )
    fitted = FittedPoints.of_path(path, {}, output)
    histograms = meta.get("histograms") if output == 0 and point == model.point else None
    return content_of(fitted, cross, evidence, wishes, histograms or histogram_rows(path, evidence, output, {}))


def _class_in_words(path: Any, output: int, target: str | None) -> str | None:
    """What is predicted: of several classes which, of two the second."""
    if path.classes is None or len(path.classes) <= output:
        return target
    label = path.classes[output if len(path.outputs) > 1 else 1]
    return f"class {label}" if target is None else f"{target} = {label}"


def checked_point(k: int | None, n_points: int) -> int | None:
    """The point counted from 0."""
    return None if k is None else int(check_number("k", k, low=-n_points, high=n_points - 1, integer=True)) % n_points


def _with_degrees_of_freedom(
    content: Row, estimator: Any, cross: FeatureCross | None, X: Any, sample_weight: Any
) -> Row:
    """With degrees of freedom, of all columns and by block, and each block's share of the variance."""
    # Imported here: scikit-learn takes a second.
    from sparsereg.linear_model.degrees import degrees_of_every_target, has_degrees, variance_shares

    if not has_degrees(estimator):
        return content
    stops = [content["n_columns"]] if cross is None else [block.stop for block in cross.blocks_]
    degrees = degrees_of_every_target(estimator, X, sample_weight, stops)
    path = [row | {"df": one.total, "df_error": one.error} for row, one in zip(content["path"], degrees, strict=True)]
    if cross is None:
        return content | {"path": path}
    shares = variance_shares(estimator, X, sample_weight, content["point"], stops).tolist()
    own = degrees[content["point"]]
    by_block = zip(content["blocks"], own.blocks.tolist(), own.block_errors.tolist(), shares, strict=True)
    blocks = [
        row | {"df": df, "df_error": error, "shrinkage_factor": df / max(row["n_observed"], 1), "variance_share": share}
        for row, df, error, share in by_block
    ]
    return content | {"path": path, "blocks": blocks}


def _names_of_output(pipeline: Any) -> Any:
    """Names of the columns that the last step of a pipeline is fitted on; None if its steps do not tell."""
    with suppress(AttributeError, ValueError):
        return pipeline[:-1].get_feature_names_out()

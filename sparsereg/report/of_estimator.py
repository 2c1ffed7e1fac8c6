"""The content of a report on a fitted estimator, on a pipeline, or on a loaded model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sparsereg.data.validation import check_number
from sparsereg.report.build import Wishes, content_of
from sparsereg.report.evidence import Evidence
from sparsereg.report.histograms import histogram_rows
from sparsereg.report.samples import Sample
from sparsereg.report.sources import FittedPoints, path_of

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross

__all__ = ["PassedRows", "check_cross", "checked_point", "estimator_content", "model_content"]

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class PassedRows:
    """Rows of the fit and rows held out, as a caller passes them."""

    X: Any
    y: Any
    X_val: Any
    y_val: Any
    sample_weight: Any


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
    check_cross(cross, n_columns)
    evidence = Evidence(n_targets - 1 if point is None else point)
    if X_val is not None:
        path = path_of(estimator)
        held = Sample.of("X_val", X_val, rows.y_val, None, path, 0)
        train = None if X is None or rows.y is None else Sample.of("X", X, rows.y, rows.sample_weight, path, 0)
        evidence = Evidence.measure(path, cross, None, train, held)
    content = content_of(fitted, cross, evidence, wishes, [])
    return content if X is None else _with_degrees_of_freedom(content, estimator, cross, X, rows.sample_weight)


def model_content(model: Any, cross: FeatureCross | None, k: int | None, wishes: Wishes, rows: PassedRows) -> Row:
    """Fields of the report on a loaded model, with the evidence that its file holds or that the held-out rows give."""
    if rows.X is not None:
        raise ValueError("X: a saved path does not know its penalty factors; fit an estimator to know its df.")
    path, cross = model.path, model.cross if cross is None else cross
    point = checked_point(k, path.alphas.size)
    point = model.point if point is None else point
    check_cross(cross, path.n_features)
    evidence = Evidence.of_model(model, point)
    if rows.X_val is not None:
        X_val = rows.X_val if model.cross is None else model.cross.transform(rows.X_val)
        held = Sample.of("X_val", X_val, rows.y_val, None, path, 0)
        evidence = Evidence.measure(path, cross, point, None, held)
    target, seed = model.meta.get("target"), model.meta.get("seed")
    words = f"the logarithm of {target}" if model.meta.get("log_target") else target
    wishes = replace(wishes, target=wishes.target or words, further={} if seed is None else {"seed": seed})
    fitted = FittedPoints.of_path(path, {}, 0)
    return content_of(fitted, cross, evidence, wishes, histogram_rows(path, evidence, 0, {}))


def checked_point(k: int | None, n_points: int) -> int | None:
    """The point counted from 0."""
    return None if k is None else int(check_number("k", k, low=-n_points, high=n_points - 1, integer=True)) % n_points


def check_cross(cross: FeatureCross | None, n_columns: int) -> None:
    """Raise a ValueError unless a cross makes so many columns."""
    if cross is not None and cross.n_features_out_ != n_columns:
        raise ValueError(
            f"cross makes {cross.n_features_out_} columns but the coefficients have {n_columns}; "
            "pass the FeatureCross that made X."
        )


def _with_degrees_of_freedom(
    content: Row, estimator: Any, cross: FeatureCross | None, X: Any, sample_weight: Any
) -> Row:
    """With degrees of freedom, of all columns and by block, and each block's share of the variance."""
    # Imported here: scikit-learn takes a second.
    from sparsereg.linear_model.degrees import degrees_of_every_target, variance_shares

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

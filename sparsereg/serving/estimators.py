"""`as_path`: what `save_model` is given, as the cross and the `PathResult` that model files hold."""

from __future__ import annotations

from typing import Any

from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.report.sources import path_of
from sparsereg.results import PathResult

__all__ = ["as_path"]


def as_path(cross: Any, fitted: Any) -> tuple[FeatureCross | None, PathResult, int | None]:
    """The cross, the path, and the point that was chosen if one was, of what is to be saved.

    Parameters
    ----------
    cross : FeatureCross, or None
        Where `fitted` is None, what `fitted` may be.
    fitted : PathResult, CrossValidation, ValidatedPath, fitted linear model, or a Pipeline that ends in one

    Raises
    ------
    ValueError
        If it is not fitted, a classifier without a loss, or a pipeline with other steps than a `FeatureCross`.
    """
    if fitted is None:
        if cross is None or isinstance(cross, FeatureCross):
            raise ValueError("path=None: pass a path or a fitted linear model after the cross, or a fitted Pipeline.")
        cross, fitted = None, cross
    if isinstance(fitted, PathResult):
        return cross, fitted, None
    if isinstance(validated := getattr(fitted, "path", None), PathResult):
        return cross, validated, int(fitted.k if hasattr(fitted, "k") else fitted.best)
    if hasattr(fitted, "steps"):
        cross, fitted = _last_step(cross, fitted)
    try:
        return cross, path_of(fitted), None
    except ValueError as error:
        raise ValueError(f"path={error}") from None


def _last_step(cross: FeatureCross | None, pipeline: Any) -> tuple[FeatureCross | None, Any]:
    *before, (_, last) = pipeline.steps
    others = [step for _, step in before if step not in (None, "passthrough")]
    if len(others) > 1 or not all(isinstance(step, FeatureCross) for step in others):
        kinds = ", ".join(type(step).__name__ for step in others)
        raise ValueError(
            f"path={type(pipeline).__name__}: a model file holds a FeatureCross and a linear model, but not {kinds}. A"
            " ColumnTransformer of these two is shipped by CompactModel.from_model, other steps by joblib or skops."
        )
    return (others[0] if others else cross), last

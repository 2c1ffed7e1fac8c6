"""`as_path`: a fitted linear model as a `PathResult` of one point, which model files hold."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp

from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.results import PathResult

__all__ = ["as_path"]


def as_path(cross: FeatureCross | None, fitted: Any) -> tuple[FeatureCross | None, PathResult]:
    """The cross and the path of what is to be saved: a path, a linear model, or a pipeline that ends in a linear model.

    Raises
    ------
    ValueError
        If it is not fitted, a classifier without a loss, or a pipeline with other steps than a `FeatureCross`.
    """
    name = type(fitted).__name__
    if isinstance(fitted, PathResult):
        return cross, fitted
    if hasattr(fitted, "steps"):
        *before, (_, last) = fitted.steps
        others = [step for _, step in before if step not in (None, "passthrough")]
        if len(others) > 1 or not all(isinstance(step, FeatureCross) for step in others):
            kinds = ", ".join(type(step).__name__ for step in others)
            raise ValueError(f"path={name}: a model file holds a FeatureCross and a linear model, but not {kinds}.")
        return as_path(others[0] if others else cross, last)
    loss = getattr(fitted, "path_loss", None)
    if hasattr(fitted, "classes_") and loss is None:
        raise ValueError(
            f"path={name}: a model file holds regressions and classifiers of a loss, such as LogisticRegression; keep"
            " others with joblib or skops."
        )
    if not (hasattr(fitted, "coef_") and hasattr(fitted, "intercept_")):
        raise ValueError(
            f"path={name} has no coef_ and intercept_; pass the result of regularization_path, or a fitted "
            "linear model."
        )
    coefs = sp.csc_array(
        sp.csr_array(np.atleast_2d(fitted.coef_) if not hasattr(fitted, "sparse_coef_") else fitted.sparse_coef_).T
    )
    n_outputs = coefs.shape[1]
    intercepts = np.broadcast_to(np.asarray(fitted.intercept_, dtype=np.float64).ravel(), (n_outputs,))
    norms = getattr(fitted, "gradient_norm_", None)
    path = PathResult(
        alphas=np.array([_number(fitted, "alpha_", "alpha")]),
        l1_ratio=_number(fitted, "l1_ratio_", "l1_ratio", default=0.0),
        coefs=tuple(coefs[:, [output]] for output in range(n_outputs)),
        intercepts=intercepts.copy() if n_outputs == 1 else intercepts[None].copy(),
        dual_gaps=np.array([_number(fitted, "dual_gap_")]),
        gap_scale=np.nan,
        tol=_number(fitted, "tol"),
        n_iters=np.array([_number(fitted, "n_iter_", default=0)], dtype=np.int64),
        gradient_norms=None if norms is None else np.array([np.max(norms)], dtype=np.float64),
        classes=getattr(fitted, "classes_", None),
        **dict(zip(("loss", "link"), loss or ("squared", "identity"), strict=True)),
    )
    return cross, path


def _number(fitted: Any, *names: str, default: float = np.nan) -> float:
    """The first of some attributes, of several targets the largest; `default` where none is a number."""
    for name in names:
        value = getattr(fitted, name, None)
        value = np.max(value) if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else value
        if isinstance(value, Real):
            return float(value)
    return default

"""skein-glm's ElasticNetPathRegressor and ElasticNetRegressor."""

from __future__ import annotations

from importlib.metadata import version as _version

import numpy as np
import scipy.sparse as sp

from rivals import Fitted, Matrix, columns, decades


def version() -> str:
    return _version("skein-glm")


def tolerances(_gap: float) -> list[float]:
    return decades(1e-2, 1e-14)


def prepare(X: Matrix, _y: np.ndarray, _l1_ratio: float, _intercept: bool) -> object:
    """CSC with the 64-bit indices it works with, or a dense array in C order."""
    import skein_glm  # noqa: F401  imported here, so that it is not timed

    if not sp.issparse(X):
        return np.ascontiguousarray(X)
    by_column = columns(X)
    by_column.indices = by_column.indices.astype(np.int64)
    by_column.indptr = by_column.indptr.astype(np.int64)
    return by_column


def path(X, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    from skein_glm import ElasticNetPathRegressor

    model = ElasticNetPathRegressor(
        alpha=l1_ratio, lambdas=alphas, tol=tol, max_iter=10_000, fit_intercept=intercept
    ).fit(X, y)
    return Fitted(np.asarray(model.coefs_).T, np.asarray(model.intercepts_))


def fit(X, y: np.ndarray, alpha: float, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    return path(X, y, np.array([alpha]), l1_ratio, tol, intercept)

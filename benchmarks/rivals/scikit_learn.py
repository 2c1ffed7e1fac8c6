"""scikit-learn's enet_path and ElasticNet."""

from __future__ import annotations

from importlib.metadata import version as _version

import numpy as np

from rivals import Fitted, Matrix, centred, columns, decades

MAX_ITER = 100_000


def version() -> str:
    return _version("scikit-learn")


def tolerances(gap: float) -> list[float]:
    # Stops at a duality gap of tol |y|^2; its dual point may be worse than the best one, so looser is tried first.
    return decades(1e3 * gap, 1e-3 * gap)


def prepare(X: Matrix, _y: np.ndarray, _l1_ratio: float, _intercept: bool) -> object:
    from sklearn.linear_model import ElasticNet, enet_path  # noqa: F401  imported here, so that it is not timed

    return columns(X)


def path(X, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    """As ElasticNetCV calls it: enet_path fits no intercept itself, but takes the means of sparse columns."""
    from sklearn.linear_model import enet_path

    X, y_centred, means = centred(X, y, intercept)
    sparse_centring, precompute = intercept and not isinstance(X, np.ndarray), isinstance(X, np.ndarray) and "auto"
    centring = {"X_offset": means, "X_scale": np.ones_like(means)} if sparse_centring else {}
    _, coefs, _ = enet_path(
        X,
        y_centred,
        l1_ratio=l1_ratio,
        alphas=alphas,
        tol=tol,
        max_iter=MAX_ITER,
        precompute=precompute,
        **centring,
    )
    return Fitted(coefs, y.mean() - means @ coefs if intercept else np.zeros(len(alphas)))


def fit(X, y: np.ndarray, alpha: float, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    from sklearn.linear_model import ElasticNet

    model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=tol, max_iter=MAX_ITER, fit_intercept=intercept).fit(X, y)
    return Fitted(model.coef_[:, None], np.atleast_1d(model.intercept_))

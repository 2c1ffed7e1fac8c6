"""sparsereg from what a user hands in (CSR or a dense array in C order): everything it does with it is timed."""

from __future__ import annotations

from importlib.metadata import version as _version

import numpy as np
import scipy.sparse as sp

from rivals import Fitted, Matrix, decades


def version() -> str:
    return _version("sparsereg")


def tolerances(gap: float) -> list[float]:
    return decades(gap, gap * 1e-3)  # certifies a duality gap of tol |y - mean y|^2 / n


def prepare(X: Matrix, _y: np.ndarray, _l1_ratio: float, _intercept: bool) -> object:
    from sparsereg import ElasticNet, regularization_path  # noqa: F401  imported here, so that it is not timed

    return X


def path(X, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, tol: float, intercept: bool, **options) -> Fitted:
    from sparsereg import regularization_path

    asked = {"l1_ratio": l1_ratio, "alphas": alphas, "tol": tol, "fit_intercept": intercept}
    result = regularization_path(X, y, **asked, **options)
    return Fitted(result.coefs, result.intercepts, certified=bool(np.all(result.certified)))


def fit(X, y: np.ndarray, alpha: float, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    from sparsereg import ElasticNet

    model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=tol, fit_intercept=intercept).fit(X, y)
    coefs = sp.csc_array(model.sparse_coef_).reshape((-1, 1))
    certified = float(model.dual_gap_) <= tol * np.mean((y - y.mean()) ** 2)
    return Fitted(coefs, np.atleast_1d(model.intercept_), certified=bool(certified))

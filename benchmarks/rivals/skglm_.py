"""skglm's AndersonCD."""

from __future__ import annotations

from importlib.metadata import version as _version

import numpy as np

from rivals import Fitted, Matrix, columns, decades


def version() -> str:
    return _version("skglm")


def tolerances(_gap: float) -> list[float]:
    return decades(1e-1, 1e-12)  # on the largest violation, relative to the deviation of y


def prepare(X: Matrix, y: np.ndarray, l1_ratio: float, intercept: bool) -> object:
    """Convert, and run a small problem of the same kind so that everything is compiled."""
    X = columns(X)
    rows, few = slice(0, min(len(y), 200)), slice(0, min(X.shape[1], 50))
    small = columns(X[rows][:, few])
    strength = np.abs(small.T @ (y[rows] - y[rows].mean())).max() / len(y[rows]) or 1.0
    path(small, y[rows], strength * np.array([0.5, 0.1]), l1_ratio, 1e-4, intercept)
    return X


def _penalty(alpha: float, l1_ratio: float):
    from skglm.penalties import L1, L1_plus_L2

    return L1(alpha) if l1_ratio == 1.0 else L1_plus_L2(alpha, l1_ratio)


def path(X, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    from skglm.datafits import Quadratic
    from skglm.solvers import AndersonCD

    solver = AndersonCD(tol=tol * y.std(), max_iter=1_000, fit_intercept=intercept)
    _, coefs, _ = solver.path(X, y, Quadratic(), _penalty(alphas[0], l1_ratio), alphas)
    return Fitted(coefs[:-1], coefs[-1]) if intercept else Fitted(coefs, np.zeros(len(alphas)))


def fit(X, y: np.ndarray, alpha: float, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Quadratic
    from skglm.solvers import AndersonCD

    solver = AndersonCD(tol=tol * y.std(), max_iter=1_000, fit_intercept=intercept)
    model = GeneralizedLinearEstimator(Quadratic(), _penalty(alpha, l1_ratio), solver).fit(X, y)
    return Fitted(np.ravel(model.coef_)[:, None], np.atleast_1d(model.intercept_))

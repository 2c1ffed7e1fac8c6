"""adelie's grpnet with groups of one column."""

from __future__ import annotations

from importlib.metadata import version as _version

import numpy as np
import scipy.sparse as sp

from rivals import Fitted, Matrix, columns, decades


def version() -> str:
    return _version("adelie")


def tolerances(_gap: float) -> list[float]:
    return decades(1e-1, 1e-20)  # on the square of the change of a coefficient


def prepare(X: Matrix, _y: np.ndarray, _l1_ratio: float, _intercept: bool) -> object:
    import adelie

    by_column = columns(X)
    if sp.issparse(by_column):
        return adelie.matrix.sparse(by_column, method="naive", n_threads=1)
    return adelie.matrix.dense(by_column, method="naive", n_threads=1)


TAKES_WEIGHTS = True


def path(X, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, tol: float, intercept: bool, weights=None) -> Fitted:
    import adelie

    state = adelie.grpnet(
        X=X,
        glm=adelie.glm.gaussian(y, weights=weights),
        alpha=l1_ratio,
        lmda_path=alphas,
        tol=tol,
        early_exit=False,
        intercept=intercept,
        progress_bar=False,
        n_threads=1,
    )
    return Fitted(state.betas.T, np.asarray(state.intercepts))


def fit(X, y: np.ndarray, alpha: float, l1_ratio: float, tol: float, intercept: bool) -> Fitted:
    return path(X, y, np.array([alpha]), l1_ratio, tol, intercept)

"""The l1 logistic loss with an intercept, by sparsereg and by what one would use in its place.

Objects with the functions of `rivals.LogisticRival`; the targets are 0 and 1. liblinear and snapML penalise the
intercept: they get a constant column so large that it costs next to nothing.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version as _version

import numpy as np
import scipy.sparse as sp

from rivals import Fitted, LogisticRival, Matrix, columns, decades, glmnet_r

SCALED_INTERCEPT = 1000.0
MAX_ITER = 100_000


@dataclass(frozen=True)
class Sparsereg:
    """From the CSR a user hands in: `regularization_path`, and `LogisticRegression` for a single strength."""

    def version(self) -> str:
        return _version("sparsereg")

    def tolerances(self, gap: float) -> list[float]:
        return decades(gap, gap * 1e-3)

    def prepare(self, X: Matrix, _y: np.ndarray) -> object:
        from sparsereg import LogisticRegression, regularization_path  # noqa: F401  imported here, so not timed

        return X

    def path(self, X, y: np.ndarray, alphas: np.ndarray, tol: float) -> Fitted:
        from sparsereg import regularization_path

        found = regularization_path(X, y, loss="logistic", alphas=alphas, tol=tol)
        return Fitted(found.coefs, found.intercepts, certified=bool(np.all(found.certified)))

    def fit(self, X, y: np.ndarray, alpha: float, tol: float) -> Fitted:
        from sparsereg import LogisticRegression

        model = LogisticRegression(C=1.0 / (len(y) * alpha), l1_ratio=1.0, solver="saga", tol=tol, max_iter=MAX_ITER)
        model.fit(X, y)
        return Fitted(sp.csc_array(np.ravel(model.coef_)[:, None]), np.ravel(model.intercept_))


@dataclass(frozen=True)
class Adelie:
    """grpnet with groups of one column."""

    def version(self) -> str:
        return _version("adelie")

    def tolerances(self, _gap: float) -> list[float]:
        return decades(1e-5, 1e-16)  # on the square of the change of a coefficient

    def prepare(self, X: Matrix, _y: np.ndarray) -> object:
        import adelie

        by_column = columns(X)
        make = adelie.matrix.sparse if sp.issparse(by_column) else adelie.matrix.dense
        return make(by_column, method="naive", n_threads=1)

    def path(self, X, y: np.ndarray, alphas: np.ndarray, tol: float) -> Fitted:
        import adelie

        state = adelie.grpnet(
            X=X,
            glm=adelie.glm.binomial(y),
            lmda_path=alphas,
            tol=tol,
            irls_tol=min(1e-7, 1e4 * tol),
            early_exit=False,
            progress_bar=False,
            n_threads=1,
        )
        return Fitted(state.betas.T, np.asarray(state.intercepts))

    def fit(self, X, y: np.ndarray, alpha: float, tol: float) -> Fitted:
        return self.path(X, y, np.array([alpha]), tol)


@dataclass(frozen=True)
class Glmnet:
    """glmnet in R, family binomial."""

    def version(self) -> str:
        return glmnet_r.version()

    def tolerances(self, _gap: float) -> list[float]:
        return decades(1e-5, 1e-16)

    def prepare(self, X: Matrix, y: np.ndarray) -> object:
        return glmnet_r.prepare(X, y, 1.0, True)

    def path(self, X, y: np.ndarray, alphas: np.ndarray, tol: float) -> Fitted:
        return glmnet_r.path(X, y, alphas, 1.0, tol, True, family="binomial")

    def fit(self, X, y: np.ndarray, alpha: float, tol: float) -> Fitted:
        return self.path(X, y, np.array([alpha]), tol)


@dataclass(frozen=True)
class Skglm:
    """skglm's AndersonCD, strength after strength from the last coefficients."""

    def version(self) -> str:
        return _version("skglm")

    def tolerances(self, _gap: float) -> list[float]:
        return decades(1e-3, 1e-9)  # on the largest violation

    def prepare(self, X: Matrix, y: np.ndarray) -> object:
        X = columns(X)
        rows = np.r_[np.flatnonzero(y > 0)[:100], np.flatnonzero(y <= 0)[:100]]
        self.path(columns(X[rows][:, :50]), y[rows], np.array([1e-2]), 1e-4)  # so that everything is compiled
        return X

    def path(self, X, y: np.ndarray, alphas: np.ndarray, tol: float) -> Fitted:
        from skglm.datafits import Logistic
        from skglm.penalties import L1
        from skglm.solvers import AndersonCD

        signs, w, fitted, found = np.where(y > 0, 1.0, -1.0), np.zeros(X.shape[1] + 1), np.zeros(len(y)), []
        solver = AndersonCD(tol=tol, max_iter=1_000, fit_intercept=True, warm_start=True)
        for alpha in alphas:
            w, _, _ = solver.solve(X, signs, Logistic(), L1(alpha), w, fitted)
            fitted = X @ w[:-1] + w[-1]
            found.append(w.copy())
        W = np.column_stack(found)
        return Fitted(sp.csc_array(W[:-1]), W[-1])

    def fit(self, X, y: np.ndarray, alpha: float, tol: float) -> Fitted:
        return self.path(X, y, np.array([alpha]), tol)


@dataclass(frozen=True)
class Liblinear:
    """liblinear through scikit-learn."""

    def version(self) -> str:
        return _version("scikit-learn")

    def tolerances(self, _gap: float) -> list[float]:
        return decades(1e-2, 1e-7)

    def prepare(self, X: Matrix, _y: np.ndarray) -> object:
        from sklearn.linear_model import LogisticRegression  # noqa: F401

        return sp.csr_matrix(X) if sp.issparse(X) else X

    def path(self, X, y: np.ndarray, alphas: np.ndarray, tol: float) -> Fitted:
        found = [self.fit(X, y, alpha, tol) for alpha in alphas]
        return Fitted(sp.hstack([one.coefs for one in found]), np.concatenate([one.intercepts for one in found]))

    def fit(self, X, y: np.ndarray, alpha: float, tol: float) -> Fitted:
        from sklearn.linear_model import LogisticRegression

        asked = {"C": 1.0 / (len(y) * alpha), "tol": tol, "max_iter": MAX_ITER, "intercept_scaling": SCALED_INTERCEPT}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = LogisticRegression(l1_ratio=1.0, solver="liblinear", random_state=0, **asked).fit(X, y)
        return Fitted(sp.csc_array(model.coef_.T), np.ravel(model.intercept_))


@dataclass(frozen=True)
class SnapML:
    """snapML's LogisticRegression on the CPU. Its own intercept stays 0 with an l1 penalty; it gets the column here."""

    def version(self) -> str:
        return _version("snapml")

    def tolerances(self, _gap: float) -> list[float]:
        return decades(1e-2, 1e-8)

    def prepare(self, X: Matrix, _y: np.ndarray) -> object:
        import snapml  # noqa: F401

        constant = np.full((X.shape[0], 1), SCALED_INTERCEPT)
        return sp.csr_matrix(sp.hstack([X, constant])) if sp.issparse(X) else np.hstack([X, constant])

    def path(self, X, y: np.ndarray, alphas: np.ndarray, tol: float) -> Fitted:
        found = [self.fit(X, y, alpha, tol) for alpha in alphas]
        return Fitted(sp.hstack([one.coefs for one in found]), np.concatenate([one.intercepts for one in found]))

    def fit(self, X, y: np.ndarray, alpha: float, tol: float) -> Fitted:
        import snapml

        asked = {"regularizer": len(y) * alpha, "tol": tol, "max_iter": MAX_ITER, "random_state": 0}
        w = np.ravel(snapml.LogisticRegression(penalty="l1", dual=False, **asked).fit(X, y).coef_)
        return Fitted(sp.csc_array(w[:-1, None]), SCALED_INTERCEPT * w[-1:])


RIVALS: dict[str, LogisticRival] = {
    "sparsereg": Sparsereg(),
    "adelie": Adelie(),
    "glmnet": Glmnet(),
    "skglm": Skglm(),
    "liblinear": Liblinear(),
    "snapml": SnapML(),
}

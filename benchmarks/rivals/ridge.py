"""Ridge by sparsereg and by what one would use in its place: scikit-learn's solvers, scipy's LSMR and CG, glum.

Objects with the functions of `rivals.RidgeRival`. Those of scipy are a few lines over its products: X by rows and by
columns, both made beforehand, centred by the means and never densified.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version as _version

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg, lsmr

from rivals import Fitted, Matrix, RidgeRival, columns, decades

# So many iterations that the tolerance or the time limit ends the run, never this.
MAX_ITER = 1_000_000


@dataclass(frozen=True)
class Sparsereg:
    """sparsereg's Ridge, from the CSR a user hands in."""

    def version(self) -> str:
        return _version("sparsereg")

    def tolerances(self, gradient: float) -> list[float]:
        return decades(1e2 * gradient, gradient)  # brings the relative gradient to tol / 100

    def prepare(self, X: Matrix, _y: np.ndarray, _intercept: bool) -> object:
        from sparsereg import Ridge  # noqa: F401  imported here, so that it is not timed

        return X

    def ridge(self, X, y: np.ndarray, alpha: float, tol: float, intercept: bool) -> Fitted:
        from sparsereg import Ridge

        model = Ridge(alpha=alpha, tol=tol, fit_intercept=intercept).fit(X, y)
        certified = bool(model.gradient_norm_ <= tol * 1e-2)
        return Fitted(model.coef_, model.intercept_, certified=certified, n_iter=int(np.max(model.n_iter_)))


@dataclass(frozen=True)
class ScikitLearn:
    """scikit-learn's Ridge with one of its solvers.

    Its Ridge answers "sag" with sparse_cg where X is sparse and an intercept wanted; the function behind it does as
    told.
    """

    solver: str

    def version(self) -> str:
        return _version("scikit-learn")

    def tolerances(self, gradient: float) -> list[float]:
        # sparse_cg stops on the relative gradient itself, sag on the change of a coefficient, lsqr on |A'r| / (|A|
        # |r|).
        return decades(1e2 * gradient, 1e-8 * gradient)

    def prepare(self, X: Matrix, _y: np.ndarray, _intercept: bool) -> object:
        from sklearn.linear_model import Ridge  # noqa: F401  imported here, so that it is not timed

        return X

    def ridge(self, X, y: np.ndarray, alpha: float, tol: float, intercept: bool) -> Fitted:
        from sklearn.linear_model import Ridge, ridge_regression

        options = {"alpha": alpha, "solver": self.solver, "tol": tol, "max_iter": MAX_ITER, "random_state": 0}
        if self.solver == "sag" and sp.issparse(X) and intercept:
            w, n_iter, b0 = ridge_regression(X, y, **options, return_n_iter=True, return_intercept=True)
            return Fitted(w, np.atleast_1d(b0), n_iter=int(np.max(n_iter)))
        model = Ridge(**options, fit_intercept=intercept).fit(X, y)
        return Fitted(
            model.coef_, model.intercept_, n_iter=None if model.n_iter_ is None else int(np.max(model.n_iter_))
        )


class Centred:
    """X - 1 m' for scipy's iterative methods, as products with X by rows and by columns."""

    def __init__(self, X: Matrix, intercept: bool) -> None:
        self.by_row = sp.csr_array(X) if sp.issparse(X) else X
        self.by_column = sp.csr_array(self.by_row.T) if sp.issparse(X) else X.T
        self.shape = X.shape
        self.means = np.asarray(X.mean(axis=0)).ravel() if intercept else np.zeros(X.shape[1])

    def times(self, w: np.ndarray) -> np.ndarray:
        return self.by_row @ w - self.means @ w

    def transposed(self, r: np.ndarray) -> np.ndarray:
        return self.by_column @ r - self.means * r.sum()

    def diagonal(self) -> np.ndarray:
        """Sums of squares of the centred columns."""
        X = self.by_row
        squares = np.asarray(X.multiply(X).sum(axis=0)).ravel() if sp.issparse(X) else (X * X).sum(axis=0)
        return squares - self.shape[0] * self.means**2


@dataclass(frozen=True)
class Scipy:
    """What the two methods of scipy have in common."""

    def version(self) -> str:
        return _version("scipy")

    def tolerances(self, gradient: float) -> list[float]:
        return decades(1e2 * gradient, 1e-8 * gradient)

    def prepare(self, X: Matrix, _y: np.ndarray, intercept: bool) -> object:
        return Centred(X, intercept)


class Lsmr(Scipy):
    """LSMR on X, damped by sqrt(alpha), which is X with sqrt(alpha) I below it."""

    def ridge(self, X: Centred, y: np.ndarray, alpha: float, tol: float, intercept: bool) -> Fitted:
        mean = y.mean() if intercept else 0.0
        operator = LinearOperator(X.shape, matvec=X.times, rmatvec=X.transposed, dtype=np.float64)
        w, _, n_iter, *_ = lsmr(operator, y - mean, np.sqrt(alpha), atol=tol, btol=tol, conlim=0, maxiter=MAX_ITER)
        return Fitted(w, np.array([mean - X.means @ w]), n_iter=int(n_iter))


@dataclass(frozen=True)
class ConjugateGradients(Scipy):
    """Conjugate gradients on the normal equations, as they are or divided by their diagonal."""

    scaled: bool

    def ridge(self, X: Centred, y: np.ndarray, alpha: float, tol: float, intercept: bool) -> Fitted:
        p, mean, done = X.shape[1], y.mean() if intercept else 0.0, []
        normal = LinearOperator((p, p), matvec=lambda w: X.transposed(X.times(w)) + alpha * w, dtype=np.float64)
        scale = sp.diags_array(1.0 / (X.diagonal() + alpha)) if self.scaled else None
        rest = {"rtol": tol, "maxiter": MAX_ITER, "M": scale}
        w, _ = cg(normal, X.transposed(y - mean), **rest, callback=lambda _: done.append(1))
        return Fitted(w, np.array([mean - X.means @ w]), n_iter=len(done))


@dataclass(frozen=True)
class Glum:
    """glum by L-BFGS: its other solvers form the square of the columns."""

    def version(self) -> str:
        return _version("glum")

    def tolerances(self, _gradient: float) -> list[float]:
        return decades(1e-3, 1e-14)  # on the largest entry of the gradient of the mean

    def prepare(self, X: Matrix, _y: np.ndarray, _intercept: bool) -> object:
        import glum  # noqa: F401  imported here, so that it is not timed
        import tabmat

        return tabmat.SparseMatrix(columns(X)) if sp.issparse(X) else tabmat.DenseMatrix(columns(X))

    def ridge(self, X, y: np.ndarray, alpha: float, tol: float, intercept: bool) -> Fitted:
        from glum import GeneralizedLinearRegressor

        model = GeneralizedLinearRegressor(
            alpha=alpha / len(y),
            l1_ratio=0,
            family="normal",
            solver="lbfgs",
            gradient_tol=tol,
            max_iter=MAX_ITER,
            fit_intercept=intercept,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        return Fitted(model.coef_, np.array([model.intercept_]), n_iter=int(model.n_iter_))


RIVALS: dict[str, RidgeRival] = {
    "sparsereg": Sparsereg(),
    "scikit-learn-sparse_cg": ScikitLearn("sparse_cg"),
    "scikit-learn-lsqr": ScikitLearn("lsqr"),
    "scikit-learn-sag": ScikitLearn("sag"),
    "scipy-lsmr": Lsmr(),
    "scipy-cg": ConjugateGradients(scaled=False),
    "scipy-cg-scaled": ConjugateGradients(scaled=True),
    "glum": Glum(),
}

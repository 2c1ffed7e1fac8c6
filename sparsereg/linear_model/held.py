"""Fitted ridge coefficients, held on the observed columns: `coef_`, `sparse_coef_`, `predict`. Knows no solvers."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sparsereg.data.compressed import product
from sparsereg.data.design import Design
from sparsereg.ridge.normal_equations import NormalEquations

__all__ = ["HeldCoefficients", "RidgeRegressor"]

Vector = NDArray[np.float64]

# Coefficients are held on the observed columns alone where the nominal width is more than this many times larger.
WIDE = 4


class HeldCoefficients:
    """Coefficients of T targets on some of p columns; `coef_` in full is kept, or made when somebody asks where p is huge.

    A user may set `coef_` by hand: that one counts then."""

    n_features_in_: int
    intercept_: Any
    _coef: NDArray[Any]
    _columns: NDArray[np.int64] | None

    def _hold(self, design: Design, values: NDArray[Any], one_target: bool) -> None:
        """`values` of shape (T, n_cols), on the observed columns."""
        if design.n_features <= WIDE * design.columns.size:
            full = np.zeros((values.shape[0], design.n_features), dtype=values.dtype)
            full[:, design.columns] = values
            self._columns, self._coef = None, full
        else:
            order = np.argsort(design.columns)
            self._columns, self._coef = design.columns[order], np.ascontiguousarray(values[:, order])
        if one_target:
            self._coef = self._coef[0]

    def _hold_fit(self, equations: NormalEquations, W: Vector, y: NDArray[Any]) -> None:
        """Coefficients W of shape (T, n_cols) and their intercepts, in the type of X and the shape of y."""
        dtype, Y = equations.design.dtype, y.reshape(y.shape[0], -1)
        means = np.array([equations.mean(np.asarray(y_t, dtype=np.float64)) for y_t in Y.T])
        with np.errstate(over="ignore", invalid="ignore"):
            intercepts, values = (means - W @ equations.means).astype(dtype), W.astype(dtype)
        if not (np.isfinite(values).all() and np.isfinite(intercepts).all()):
            raise ValueError(
                f"y is too large for coefficients in {dtype}: it reaches {np.abs(Y).max():.3g}. Rescale it, or pass X as float64."
            )
        self._hold(equations.design, values, Y.shape[1] == 1)
        self.intercept_ = 0.0 if not equations.fit_intercept else intercepts[0] if y.ndim == 1 else intercepts

    @property
    def coef_(self) -> NDArray[Any]:
        """Coefficients, of shape (p,) or (T, p); read-only where they are made here, as what is written would be lost."""
        if not hasattr(self, "_coef"):
            raise AttributeError(f"this {type(self).__name__} has no coef_ yet: call fit first.")
        if self._columns is None:
            return self._coef
        out = np.zeros((*self._coef.shape[:-1], self.n_features_in_), dtype=self._coef.dtype)
        out[..., self._columns] = self._coef
        out.flags.writeable = False
        return out

    @coef_.setter
    def coef_(self, value: Any) -> None:
        self._columns, self._coef = None, value

    @property
    def sparse_coef_(self) -> sp.csr_array:
        """Coefficients as a CSR array of shape (1, p) or (T, p)."""
        if not hasattr(self, "_coef") or self._columns is None:
            return sp.csr_array(np.atleast_2d(self.coef_))
        values = np.atleast_2d(self._coef)
        T, m = values.shape
        parts = (values.ravel(), np.tile(self._columns, T), np.arange(T + 1) * m)
        return sp.csr_array(parts, shape=(T, self.n_features_in_))

    def _decide(self, X: Any) -> NDArray[Any]:
        """`X coef' + intercept`, in the type of X and the coefficients; X is checked."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc", "coo"), dtype=(np.float64, np.float32), reset=False)
        if self._columns is not None:
            out = product(X, self._columns, self._coef.T)
        else:
            out = np.asarray(X @ np.asarray(self._coef).T)
        return np.asarray(out + np.asarray(self.intercept_, dtype=out.dtype))


class RidgeRegressor(HeldCoefficients, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """What ridge regressors share once they are fitted."""

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)

        Returns
        -------
        array of shape (n,) or (n, n_targets), in the type of X and the coefficients
        """
        return self._decide(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

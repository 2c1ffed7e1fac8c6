"""Fitted coefficients of the linear models: `coef_`, `sparse_coef_`, linear predictors. Solvers are not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from sparsereg.data.compressed import product
from sparsereg.linear_model.input import checked_data
from sparsereg.ridge.normal_equations import NormalEquations

__all__ = [
    "ColumnCoefficients",
    "FittedCoefficients",
    "LinearRegressor",
    "as_held",
    "nonzero",
    "refuse_infinite",
    "set_coefficients",
    "set_parameters",
]

Vector = NDArray[np.float64]

# Coefficients are held dense where p is at most this many times the number of observed columns.
WIDE = 4


class ColumnCoefficients(NamedTuple):
    """Coefficients of T targets on m of p columns; those of all others are 0.

    Attributes
    ----------
    columns : int64 array of shape (m,), increasing
    values : array of shape (T, m)
    n_features : int
        p.
    """

    columns: NDArray[np.int64]
    values: NDArray[Any]
    n_features: int

    def toarray(self) -> NDArray[Any]:
        """All of them, of shape (T, p)."""
        out = np.zeros((len(self.values), self.n_features), dtype=self.values.dtype)
        out[:, self.columns] = self.values
        return out

    def tocsr(self) -> sp.csr_array:
        """All of them, of shape (T, p)."""
        T, m = self.values.shape
        parts = (self.values.ravel(), np.tile(self.columns, T), np.arange(T + 1) * m)
        return sp.csr_array(parts, shape=(T, self.n_features))


class FittedCoefficients:
    """Holds coefficients, which `coef_` makes dense on access.

    Attributes
    ----------
    coef_ : array of shape (p,) or (n_targets, p)
    sparse_coef_ : sparse matrix of shape (1, p) or (n_targets, p)
    intercept_ : float or array of shape (n_targets,)
    """

    intercept_: Any
    # A dense array, or something with `toarray` and `tocsr`: a sparse matrix of shape (n_targets, p),
    # `ColumnCoefficients`.
    _coef: Any
    # Up to this many numbers a dense `coef_` replaces what it was made from, so that it can be edited in place. Larger
    # ones are made anew at each access, and read-only, because an edit would be lost.
    _max_kept: ClassVar[int] = 0

    if TYPE_CHECKING:  # parameters are attributes too: see `set_parameters`

        def __getattr__(self, name: str) -> Any: ...

    @property
    def coef_(self) -> Any:
        """Dense coefficients of shape (p,) or (n_targets, p). Where X is wide use `sparse_coef_`, which is smaller."""
        held = self._held()
        if not hasattr(held, "toarray"):
            return held
        dense = held.toarray()
        return self._handed_out(dense[0] if len(dense) == 1 else dense)

    @coef_.setter
    def coef_(self, value: Any) -> None:
        self._coef = value

    @coef_.deleter
    def coef_(self) -> None:
        self._held()
        del self._coef

    def _handed_out(self, dense: Any) -> Any:
        """Dense coefficients as `coef_` returns them: kept up to `_max_kept` numbers, else read-only."""
        if dense.size <= self._max_kept:
            self._coef = dense
        else:
            dense.flags.writeable = False
        return dense

    @property
    def sparse_coef_(self) -> Any:
        """Sparse coefficients of shape (1, p) or (n_targets, p)."""
        held = self._held()
        return sp.csr_array(held.tocsr() if hasattr(held, "tocsr") else np.atleast_2d(held), copy=True)

    def _held(self) -> Any:
        if not hasattr(self, "_coef"):
            raise AttributeError(f"{type(self).__name__} has no coef_ yet; call fit first.")
        return self._coef

    def _linear_predictor(self, X: Any) -> NDArray[Any]:
        """`X coef' + intercept`, in the type of X and the coefficients. For a sparse X nothing of length p is made."""
        check_is_fitted(self)
        options = {"accept_sparse": ("csr", "csc", "coo"), "reset": False, "ensure_min_samples": 0}
        X, held = checked_data(self, X, **options), self._held()
        if not hasattr(held, "toarray"):
            out = X @ np.asarray(held).T
        elif sp.issparse(X):
            out = product(X, *nonzero(held))
        else:
            dense = held.toarray()
            out = X @ (dense[0] if len(dense) == 1 else dense.T)
        return np.asarray(out + np.asarray(self.intercept_, dtype=out.dtype))


class LinearRegressor(FittedCoefficients, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """A regressor that predicts by its coefficients."""

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict `X @ coef_.T + intercept_`.

        Parameters
        ----------
        X : sparse matrix or array, array-like, or data frame of numbers, of shape (n, p)

        Returns
        -------
        array of shape (n,) or (n, n_targets), in the type of X and the coefficients

        Raises
        ------
        ValueError
            For another number of columns than in `fit`, other column names, or values that are not finite.
        """
        return self._linear_predictor(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def as_held(w: Vector, dtype: np.dtype[Any]) -> Vector:
    """Coefficients as the type of X holds them; ValueError where it does not."""
    with np.errstate(over="ignore"):
        held = w.astype(dtype).astype(np.float64)
    refuse_infinite(held)
    return held


def refuse_infinite(*numbers: Any) -> None:
    """ValueError for numbers that are not finite."""
    if not all(np.isfinite(each).all() for each in numbers):
        raise ValueError(
            "Coordinate descent iterations resulted in non-finite parameter values; X or y may contain large values:"
            " rescale them."
        )


def set_coefficients(model: FittedCoefficients, equations: NormalEquations, W: Vector, y: NDArray[Any]) -> None:
    """Set coefficients W, of shape (n_targets, n_cols), in the type of X, and the intercepts that suit these."""
    design, dtype, Y = equations.design, equations.dtype, y.reshape(y.shape[0], -1)
    means = np.array([equations.mean(np.asarray(y_t, dtype=np.float64)) for y_t in Y.T])
    with np.errstate(over="ignore", invalid="ignore"):
        values = equations.in_units_of_x(W).astype(dtype)
        intercepts = means - equations.rounded(W) @ equations.means_of_x
        predicted = intercepts.astype(dtype)  # as predictions are
    if not (np.isfinite(values).all() and np.isfinite(predicted).all()):
        raise ValueError(
            f"y is too large for coefficients in {dtype}: its largest absolute value is {np.abs(Y).max():.3g}."
            " Rescale it, or pass X as float64."
        )
    if design.n_features <= WIDE * design.columns.size:
        dense = np.zeros((len(values), design.n_features), dtype=dtype)
        dense[:, design.columns] = values
        model._coef = dense[0] if len(dense) == 1 else dense
    else:
        order = np.argsort(design.columns)
        model._coef = ColumnCoefficients(design.columns[order], values[:, order], design.n_features)
    model.intercept_ = 0.0 if not equations.fit_intercept else intercepts[0] if y.ndim == 1 else intercepts


def set_parameters(model: Any, arguments: dict[str, Any]) -> None:
    """Set a constructor's arguments (its `locals()`) as attributes, unchanged, as scikit-learn requires."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(model, name, value)


def nonzero(held: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Columns with a coefficient for any target, and the coefficients, of shape (m,) or (m, n_targets)."""
    if hasattr(held, "values"):
        columns, values = held.columns, held.values.T
    else:
        rows = held.tocsr()
        columns, place = np.unique(rows.indices, return_inverse=True)
        values = np.zeros((columns.size, rows.shape[0]), dtype=rows.dtype)
        values[place, np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))] = rows.data
    return columns.astype(np.int64), values[:, 0] if values.shape[1] == 1 else values

"""Fitted coefficients, held sparse: `coef_`, `sparse_coef_` and `predict` of the linear models. Knows no solvers."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted, validate_data

from sparsereg.data.compressed import product

__all__ = ["SparseLinearModel", "nonzero"]

# Up to this many numbers (8 MB) a dense `coef_` is kept once it was asked for, so that it can be edited in place. Above it
# is made afresh each time, and read-only, so that an edit which would be lost is an error.
KEPT = 2**20


class SparseLinearModel(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """What fitted linear models share: coefficients in `_coef` (sparse until somebody edits), `intercept_`, `predict`.

    Attributes
    ----------
    coef_ : array of shape (p,) or (n_targets, p)
    sparse_coef_ : sparse matrix of shape (1, p) or (n_targets, p)
    intercept_ : float or array of shape (n_targets,)
    """

    intercept_: Any

    @property
    def coef_(self) -> Any:
        """Dense coefficients of shape (p,), or (n_targets, p), made when asked for. Also settable.

        Up to a million numbers they are kept and may be edited in place; beyond, each call makes a new read-only array, so
        use `sparse_coef_` there."""
        held = self._held()
        if not sp.issparse(held):
            return held
        dense = held.toarray()
        dense = dense[0] if dense.shape[0] == 1 else dense
        if dense.size <= KEPT:
            self._coef = dense
        else:
            dense.flags.writeable = False
        return dense

    @coef_.setter
    def coef_(self, value: Any) -> None:
        self._coef = value

    @coef_.deleter
    def coef_(self) -> None:
        self._held()
        del self._coef

    @property
    def sparse_coef_(self) -> Any:
        """Sparse coefficients of shape (1, p) or (n_targets, p): scikit-learn's kind, as its `sparse_interface` is set."""
        held = self._held()
        rows = held.copy() if sp.issparse(held) else sp.csr_array(np.atleast_2d(held))
        return rows if get_config().get("sparse_interface") == "sparray" else sp.csr_matrix(rows)

    def _held(self) -> Any:
        if "_coef" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no coef_ before fit")
        return self._coef

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict `X @ coef_ + intercept_`, without anything of nominal width for a sparse X.

        Parameters
        ----------
        X : sparse matrix or array, array-like, or data frame of numbers, of shape (n, p)

        Returns
        -------
        array of shape (n,) or (n, n_targets)

        Raises
        ------
        ValueError
            For another number of columns than in `fit`, other column names, or values that are not finite.
        """
        check_is_fitted(self)
        if not sp.issparse(X):
            X = validate_data(self, X, accept_sparse=True, reset=False)
        else:
            validate_data(self, X, reset=False, skip_check_array=True)
            X = X.tocsr() if X.format not in ("csr", "csc") else X
            assert_all_finite(X.data, input_name="X")
        held = self._held()
        if not sp.issparse(held):
            return np.asarray(X @ np.asarray(held).T + self.intercept_)
        if not sp.issparse(X):  # the width is there anyway
            dense = held.toarray()
            return np.asarray(X @ (dense[0] if dense.shape[0] == 1 else dense.T) + self.intercept_)
        columns, values = nonzero(held)
        return product(X, columns, values) + self.intercept_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def nonzero(coef: Any) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Columns of CSR coefficients that hold anything, and their values: of shape (m,) for one row, else (m, rows)."""
    columns, place = np.unique(coef.indices, return_inverse=True)
    values = np.zeros((columns.size, coef.shape[0]), dtype=coef.dtype)
    values[place, np.repeat(np.arange(coef.shape[0]), np.diff(coef.indptr))] = coef.data
    return columns.astype(np.int64), values[:, 0] if coef.shape[0] == 1 else values

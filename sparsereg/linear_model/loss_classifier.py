"""What classifiers by a loss share: coefficients of shape (K, p), which may be held sparse, and decisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sparsereg.linear_model.input import FITTED, check_labels, checked_data
from sparsereg.linear_model.loss_model import LossModel

__all__ = ["LossClassifier"]


class LossClassifier(ClassifierMixin, LossModel):
    """A classifier by K linear predictors, or by one for two classes."""

    # Whether `coef_` is to be read as a sparse matrix.
    _sparse = False

    @property
    def coef_(self) -> Any:
        """Coefficients of shape (1, p) for two classes, else (K, p); sparse after `sparsify`.

        Where X is wide use `sparse_coef_`, which is smaller.
        """
        held = self._held()
        return self._handed_out(held.toarray()) if sp.issparse(held) and not self._sparse else held

    @coef_.setter
    def coef_(self, value: Any) -> None:
        self._coef, self._sparse = value, sp.issparse(value)

    @coef_.deleter
    def coef_(self) -> None:
        self._held()
        del self._coef

    def sparsify(self) -> Any:
        """Let `coef_` be a sparse matrix (or array, as scikit-learn is configured).

        Returns
        -------
        self
        """
        check_is_fitted(self, msg="Estimator, %(name)s, must be fitted before sparsifying.")
        rows = self.sparse_coef_
        self.coef_ = rows if get_config().get("sparse_interface") == "sparray" else sp.csr_matrix(rows)
        return self

    def densify(self) -> Any:
        """Let `coef_` be a dense array again.

        Returns
        -------
        self
        """
        check_is_fitted(self, msg="Estimator, %(name)s, must be fitted before densifying.")
        self._sparse = False
        return self

    def decision_function(self, X: Any, *, offset: Any = None) -> NDArray[Any]:
        """The linear predictor: of the second of two classes, or of each class.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        offset : array of shape (n,), or (n, K) for more than two classes, optional
            Known part of the predictor.

        Returns
        -------
        array of shape (n,) for two classes, otherwise (n, K)
        """
        return self._predictor(X, offset)

    def predict(self, X: Any, *, offset: Any = None) -> NDArray[Any]:
        """The class with the largest predictor; of equal ones, the first.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        offset : array of shape (n,), or (n, K) for more than two classes, optional

        Returns
        -------
        array of shape (n,), of `classes_`
        """
        scores = self.decision_function(X, offset=offset)
        codes = (scores > 0).astype(np.int64) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.take(self.classes_, codes)

    def _checked(self, X: Any, y: Any) -> tuple[Any, Any]:
        """X and y as scikit-learn checks them; y may hold labels, or probabilities in several columns."""
        if y is not None:
            check_labels(y)
        shape = () if y is None else np.asarray(y).shape
        return checked_data(self, X, y, multi_output=len(shape) == 2 and shape[1] > 1, **FITTED)

    def _class_offset(self, offset: Any, n_rows: int, K: int) -> Any:
        if offset is None or K == 2:
            return self._offset(offset, n_rows)
        offset = np.asarray(offset, dtype=np.float64)
        if offset.shape != (n_rows, K) or not np.isfinite(offset).all():
            raise ValueError(f"offset has shape {offset.shape}; expected finite numbers of shape ({n_rows}, {K}).")
        return offset

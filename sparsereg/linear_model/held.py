"""Fitted coefficients held on the observed columns, dense among these: `coef_` and `sparse_coef_` of ridge. Knows no solvers."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.design import Design, product

__all__ = ["HeldCoefficients"]

# Coefficients are held on the observed columns alone where the nominal width is more than this many times larger.
WIDE = 4


class HeldCoefficients:
    """Coefficients of T targets on some of p columns; `coef_` in full is kept, or made when somebody asks where p is huge.

    A user may set `coef_` by hand: that one counts then."""

    n_features_in_: int
    _coef: NDArray[Any]
    _columns: NDArray[np.int64] | None

    def _hold(self, design: Design, values: NDArray[Any], one_target: bool) -> None:
        """`values` of shape (T, n_cols), on the observed columns."""
        order = np.argsort(design.columns)
        self._columns, self._coef = design.columns[order], np.ascontiguousarray(values[:, order])
        if one_target:
            self._coef = self._coef[0]
        if design.n_features <= WIDE * self._columns.size:
            self._columns, self._coef = None, self.coef_

    @property
    def coef_(self) -> NDArray[Any]:
        """Coefficients, of shape (p,) or (T, p)."""
        if not hasattr(self, "_coef"):
            raise AttributeError(f"this {type(self).__name__} has no coef_ yet: call fit first.")
        if self._columns is None:
            return self._coef
        out = np.zeros((*self._coef.shape[:-1], self.n_features_in_), dtype=self._coef.dtype)
        out[..., self._columns] = self._coef
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
        """`X coef'`."""
        if self._columns is not None:
            return product(X, self._columns, self._coef.T)
        return np.asarray(X @ np.asarray(self._coef).T)

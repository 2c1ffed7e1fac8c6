"""What a problem can have beside rows, columns and a target: columns scaled, weights, numeric columns. No timing.

Rivals get columns that are scaled beforehand (by 1 / deviation, or by 1 / penalty factor), on which the penalty is the
plain one; sparsereg gets the columns as they are and the keyword. Coefficients are compared on the scaled columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

Data = tuple["sp.csr_array | np.ndarray", np.ndarray]

VARIANTS = ("plain", "standardize", "factors", "weights", "numeric")
N_NUMERIC = 3
# Weights and penalty factors are uniform on these, as the ends of a path stay comparable then.
RANGE = (0.5, 2.0)


@dataclass(frozen=True)
class Problem:
    """A problem and how it is handed in.

    Attributes
    ----------
    scales : (p,) or None
        What a column is multiplied with before the plain penalty holds for it.
    weights : (n,) or None
        Of the rows, with mean 1.
    ours : dict
        The keywords with which `regularization_path` solves it on unscaled columns.
    """

    X: sp.csr_array | np.ndarray
    y: np.ndarray
    scales: np.ndarray | None = None
    weights: np.ndarray | None = None
    ours: dict[str, object] = field(default_factory=dict)

    def scaled(self) -> sp.csr_array | np.ndarray:
        """X as the plain penalty wants it."""
        if self.scales is None:
            return self.X
        if not sp.issparse(self.X):
            return self.X * self.scales
        X = sp.csr_array(self.X)
        return sp.csr_array((X.data * self.scales[X.indices], X.indices, X.indptr), shape=X.shape)

    def on_scaled(self, coefs: sp.csc_array) -> sp.csc_array:
        """Coefficients of the columns as they are, for the scaled ones."""
        return coefs if self.scales is None else sp.csc_array(sp.diags_array(1.0 / self.scales) @ coefs)

    def on_columns(self, coefs: sp.csc_array) -> sp.csc_array:
        """Coefficients of the scaled columns, for the columns as they are."""
        return coefs if self.scales is None else sp.csc_array(sp.diags_array(self.scales) @ coefs)


def with_numbers(data: Data) -> Data:
    """Three more columns, of normal numbers."""
    X, y = data
    numbers = np.random.default_rng(7).standard_normal((len(y), N_NUMERIC))
    return (sp.csr_array(sp.hstack([X, numbers], format="csr")) if sp.issparse(X) else np.hstack([X, numbers])), y


def make(variant: str, data: Data) -> Problem:
    """The problem of a variant on rows to fit; `numeric` columns are there already."""
    X, y = data
    rng = np.random.default_rng(8)
    if variant == "standardize":
        deviations = _deviations(X)
        scales = np.where(deviations > 0.0, 1.0 / np.where(deviations > 0.0, deviations, 1.0), 1.0)
        return Problem(X, y, scales, ours={"standardize": True})
    if variant == "factors":
        factors = rng.uniform(*RANGE, X.shape[1])
        return Problem(X, y, 1.0 / factors, ours={"penalty_factor": factors})
    if variant == "weights":
        weights = rng.uniform(*RANGE, len(y))
        weights /= weights.mean()
        return Problem(X, y, weights=weights, ours={"sample_weight": weights})
    return Problem(X, y)


def _deviations(X: sp.csr_array | np.ndarray) -> np.ndarray:
    """Of each column, with 1 / n; exactly 0 for a column of one value."""
    if not sp.issparse(X):
        return X.std(axis=0)
    n = X.shape[0]
    by_column = sp.csc_array(X)
    means = by_column.sum(axis=0) / n
    column = np.repeat(np.arange(X.shape[1]), np.diff(by_column.indptr))
    squares = np.bincount(column, (by_column.data - means[column]) ** 2, X.shape[1])
    return np.sqrt((squares + (n - np.diff(by_column.indptr)) * means**2) / n)

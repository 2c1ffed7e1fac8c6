"""A check of a Gram matrix that a user passes in, which the solvers do not need but which should be right."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

__all__ = ["check_gram"]

# Columns whose pairs are compared. scikit-learn compares one pair.
SAMPLE = 32


def check_gram(
    gram: Any, X: Any, s: NDArray[Any] | None, *, centered: bool = False, y: Any = None, Xy: Any = None
) -> None:
    """Raise ValueError unless `gram` is True, False or, in a sample of its entries, `X' S X` of X.

    Of a sparse X only the shape is compared. S has the sample weights s, scaled to sum to n. `Xy`, if given, must be
    `X' S y`. Where X is to be centered but has columns of another mean than 0, a Gram matrix is of no use, and a
    warning says so."""
    if isinstance(gram, (bool, np.bool_, str)):
        return
    X, given = X if sp.issparse(X) else np.asarray(X), np.asarray(gram)
    p = X.shape[1]
    if given.shape != (p, p) or given.dtype.kind not in "fiu" or not np.isfinite(given).all():
        raise ValueError(
            f"precompute has shape {given.shape} and dtype {given.dtype}; expected a finite Gram matrix ({p}, {p})."
        )
    if sp.issparse(X):  # its columns are not compared
        return
    cols = np.sort(np.random.default_rng(0).permutation(p)[:SAMPLE])
    A = X[:, cols].astype(np.float64)
    weights = np.ones(len(A)) if s is None else s * (len(A) / s.sum())
    if centered and not np.allclose(weights @ A / len(A), 0.0):
        warnings.warn(
            "Gram matrix was provided but X was centered to fit intercept: recomputing Gram matrix.",
            UserWarning,
            stacklevel=3,
        )
        return
    expected = (A.T * weights) @ A
    norm = np.sqrt(np.diag(expected))
    rtol = 1e-4 if np.float32 in (given.dtype, X.dtype) else 1e-7
    _compare("Gram matrix", given[np.ix_(cols, cols)], expected, rtol * np.outer(norm, norm) + 1e-5)
    if Xy is not None:
        vector = np.asarray(Xy, dtype=np.float64).ravel()
        if vector.shape != (p,):
            raise ValueError(f"Xy has shape {vector.shape}; expected ({p},).")
        _compare("Xy", vector[cols], A.T @ (weights * y), rtol * norm * np.sqrt(weights @ y**2) + 1e-5)


def _compare(name: str, given: NDArray[Any], expected: NDArray[Any], tolerance: NDArray[Any]) -> None:
    wrong = np.argwhere(np.abs(given - expected) > tolerance)
    if wrong.size:
        at = tuple(wrong[0])
        raise ValueError(
            f"{name} passed in via 'precompute' or 'Xy' did not pass validation: it has {given[at]:.6g} where X gives"
            f" {expected[at]:.6g}. Compute X.T @ X and X.T @ y on the X and y that are passed."
        )

"""X and y of the estimators, in `fit` and in `predict`: checked before scikit-learn or scipy read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from sparsereg.data.real_numbers import refuse_unreal, refuse_unreal_columns
from sparsereg.data.sparse_format import as_compressed

__all__ = ["FITTED", "check_labels", "check_matrix", "checked_data", "checked_targets"]

OPTIONS = {"accept_sparse": ("csr", "csc"), "dtype": (np.float64, np.float32)}
# Where `as_design` follows, which says where a number is not finite.
FITTED: dict[str, Any] = {"order": "F", "ensure_all_finite": False}


def checked_data(estimator: Any, X: Any, y: Any = "no_validation", **options: Any) -> Any:
    """scikit-learn's `validate_data`, on an X that is sound; its options default to `OPTIONS`.

    Indices of a CSR or CSC are left to `as_design` where that follows: scikit-learn does not read them."""
    follows = options.items() >= FITTED.items() and sp.issparse(X) and X.format in OPTIONS["accept_sparse"]
    return validate_data(estimator, check_matrix(X, indices=not follows), y, **{**OPTIONS, **options})


def checked_targets(estimator: Any, X: Any, y: Any, **options: Any) -> Any:
    """The same with numeric targets, of shape (n,) or (n, n_targets)."""
    if y is not None:  # scikit-learn says so
        refuse_unreal("y", y, text=True)
    return checked_data(estimator, X, y, multi_output=True, y_numeric=True, **options)


def check_labels(y: Any) -> None:
    """Refuse labels that are sparse or masked; others are scikit-learn's to judge."""
    if sp.issparse(y) or isinstance(y, np.ma.MaskedArray):
        refuse_unreal("y", y, text=False)


def check_matrix(X: Any, *, indices: bool = True) -> Any:
    """X, whose arrays and types are sound; as `as_compressed` if it is sparse."""
    if sp.issparse(X):
        return as_compressed("X", X, indices=indices)
    refuse_unreal_columns("X", X)
    return X

"""Folds: which rows train, which are held out. Knows no solvers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fold", "make_folds"]

Int = NDArray[np.int64]


class Fold(NamedTuple):
    """The numbers of the rows that train, which may repeat, and of those that are held out."""

    train: Int
    test: Int


def make_folds(cv: Any, X: Any, y: Any, parameters: dict[str, Any], classifier: bool = False) -> list[Fold]:
    """The folds of a splitter.

    Parameters
    ----------
    cv : int, None, splitter of scikit-learn, or iterable of (train, test)
        A number is that of consecutive folds (None: 5), or with `classifier` of stratified ones. Rows are numbers or a
        mask.
    X, y : arrays of n rows
        Only handed to the splitter.
    parameters : dict
        What the splitter gets besides, such as groups.
    classifier : bool
        Whether y holds classes.

    Raises
    ------
    ValueError
        For folds without rows, or with rows that X does not have.
    """
    from sklearn.model_selection import check_cv  # a slow import

    n = int(np.shape(y)[0])
    try:
        splitter = check_cv(cv, y, classifier=classifier)
    except ValueError as error:
        raise ValueError(f"cv={cv!r}: {error}") from error
    try:
        pairs = list(splitter.split(X, y, **parameters))
    except ValueError as error:
        few = " Choose fewer folds, or pass more rows." if "n_splits=" in str(error) else ""
        raise ValueError(f"cv={cv!r}: {error}{few}") from error
    folds = [Fold(_rows("training", train, n, cv), _rows("held-out", test, n, cv)) for train, test in pairs]
    if not folds:
        raise ValueError(f"cv={cv!r} has no folds; expected two or more.")
    return folds


def _rows(name: str, rows: Any, n: int, cv: Any) -> Int:
    """Rows by number, from numbers or a mask."""
    rows = np.asarray(rows)
    if rows.dtype == np.bool_ and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    numbers = rows.dtype.kind in "iu" and rows.ndim == 1 and rows.size > 0
    least = int(rows.min()) if numbers else 0
    if not numbers or least < -n or rows.max() >= n:
        raise ValueError(
            f"cv={cv!r} gives a fold whose {name} rows are {rows}; expected one or more numbers of rows below {n}."
        )
    rows = rows.astype(np.int64, copy=False)
    return rows % n if least < 0 else rows  # a division takes as long as all else here

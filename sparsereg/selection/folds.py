"""Folds: which rows train, which are held out. Knows no solvers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.real_numbers import shown

__all__ = ["Fold", "make_folds", "order_of", "parts_of"]

Int = NDArray[np.int64]

# Folds that have a number in 16 bits, beside that of rows that are never held out.
MAX_FOLDS = 65_534


class Fold:
    """The numbers of the rows that train, which may repeat, and of those that are held out.

    Most folds train on all rows that they do not hold out, and hold out consecutive ones: lists of these are made when
    they are asked for.

    Parameters
    ----------
    train : int64 array or None
        None: all rows that are not held out.
    test : int64 array or range
    n : int
        The number of rows.

    Attributes
    ----------
    n_train, n_test : int
    trains_on_the_rest : bool
    """

    def __init__(self, train: Int | None, test: Int | range, n: int) -> None:
        self._train, self._test, self.n = train, test, n
        self.trains_on_the_rest = train is None

    @classmethod
    def of(cls, train: Int, test: Int, n: int) -> Fold:
        """From two lists of numbers below n."""
        held_out: Int | range = test
        if _increases(test) and test[-1] - test[0] == test.size - 1:
            held_out = range(int(test[0]), int(test[-1]) + 1)
        fold = cls(None, held_out, n)
        rest = fold._is_rest()
        same = train.size == n - test.size == np.count_nonzero(rest) and rest[train].all() and _distinct(train, n)
        return fold if same else cls(train, held_out, n)

    @property
    def train(self) -> Int:
        return np.flatnonzero(self._is_rest()) if self._train is None else self._train

    @property
    def test(self) -> Int:
        test = self._test
        return np.arange(test.start, test.stop) if isinstance(test, range) else test

    @property
    def n_test(self) -> int:
        return len(self._test)

    @property
    def n_train(self) -> int:
        return self.n - self.n_test if self._train is None else self._train.size

    @property
    def stretch(self) -> tuple[int, int] | None:
        """Where consecutive rows that are held out begin and end; None for others."""
        return (self._test.start, self._test.stop) if isinstance(self._test, range) else None

    def held_out(self) -> slice | Int:
        """What picks them from an array."""
        return self._test if isinstance(self._test, np.ndarray) else slice(self._test.start, self._test.stop)

    def increases(self) -> bool:
        """Whether the rows held out are in increasing order."""
        return isinstance(self._test, range) or _increases(self._test)

    def _is_rest(self) -> NDArray[np.bool_]:
        """Of each row, whether it is not held out."""
        rest = np.ones(self.n, dtype=np.bool_)
        rest[self.held_out()] = False
        return rest


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
    from sklearn.model_selection import KFold, check_cv  # a slow import

    n = int(np.shape(y)[0])
    try:
        splitter = check_cv(cv, y, classifier=classifier)
    except ValueError as error:
        raise ValueError(f"cv={shown(cv)}: {error}") from error
    if type(splitter) is KFold and not (splitter.shuffle or parameters) and splitter.n_splits <= n:
        return _consecutive(splitter.n_splits, n)
    try:
        pairs = splitter.split(X, y, **parameters)
        folds = [Fold.of(_rows("training", train, n), _rows("held-out", test, n), n) for train, test in pairs]
    except ValueError as error:
        few = " Choose fewer folds, or pass more rows." if "n_splits=" in str(error) else ""
        raise ValueError(f"cv={shown(cv)}: {error}{few}") from error
    if not folds:
        raise ValueError(f"cv={shown(cv)} has no folds; expected two or more.")
    return folds


def order_of(folds: Sequence[Fold], n: int) -> Int | slice | None:
    """What puts the rows in order: those held out by each fold in turn, then all others. None where folds do not train
    on all rows that they do not hold out, or some row is held out twice."""
    if not 2 <= len(folds) <= MAX_FOLDS or not all(fold.trains_on_the_rest for fold in folds):
        return None
    stretches = [(0, 0), *(fold.stretch or (-1, -1) for fold in folds)]
    if all(before[1] == begin for before, (begin, _) in pairwise(stretches)):
        return slice(None)
    by = np.full(n, len(folds), dtype=np.uint16)  # the fold that holds a row out
    for f, fold in enumerate(folds):
        by[fold.held_out()] = f
    if np.count_nonzero(by < len(folds)) != sum(fold.n_test for fold in folds):  # some row is held out twice
        return None
    if all(fold.increases() for fold in folds):  # as most splitters give them
        return np.concatenate([*(fold.test for fold in folds), np.flatnonzero(by == len(folds))])
    return np.argsort(by, kind="stable")


def parts_of(folds: Sequence[Fold], n: int) -> list[tuple[int, int]]:
    """The rows that each fold holds out, in the order of `order_of`, and those that none does."""
    ends = np.cumsum([0, *(fold.n_test for fold in folds)]).tolist()
    return list(pairwise(ends if ends[-1] == n else [*ends, n]))


def _consecutive(k: int, n: int) -> list[Fold]:
    """Those of scikit-learn's `KFold`, which need no lists: of like lengths, the first ones a row longer."""
    ends = np.cumsum([0] + [n // k + (f < n % k) for f in range(k)]).tolist()
    return [Fold(None, range(begin, end), n) for begin, end in pairwise(ends)]


def _increases(rows: Int) -> bool:
    return bool((rows[1:] > rows[:-1]).all())


def _distinct(rows: Int, n: int) -> bool:
    """Whether no row is there twice."""
    return _increases(rows) or int(np.bincount(rows, minlength=n).max()) == 1


def _rows(name: str, rows: Any, n: int) -> Int:
    """Rows by number, from numbers or a mask."""
    rows = np.asarray(rows)
    if rows.dtype == np.bool_ and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    numbers = rows.dtype.kind in "iu" and rows.ndim == 1 and rows.size > 0
    least = int(rows.min()) if numbers else 0
    if not numbers or least < -n or rows.max() >= n:
        raise ValueError(f"a fold's {name} rows are {shown(rows)}; expected one or more numbers of rows below {n}.")
    rows = rows.astype(np.int64, copy=False)
    return rows % n if least < 0 else rows  # a division takes as long as all else here

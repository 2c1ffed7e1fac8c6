"""What a block of one-hot columns explains of rows that it was not fitted on.

A block predicts each row by the shrunken mean of its cell, `sum of residuals / (rows + shrinkage)`, over the rows that
train. Each fold has residuals of its own, from effects of its own training rows: a target that a fold holds out enters
nothing but that fold's gain. A block costs O(n F), and no linear system is solved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gain", "Residuals", "combine"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Rows of no effect that each cell is mixed with; the best is taken.
SHRINKAGES = (3.0, 20.0, 100.0)
# Keys up to so many times the rows are counted directly; more are sorted.
_DENSE = 4


class Gain(NamedTuple):
    """What a block explains of each fold's held-out variance, as a share of that of the target (of several, of all)."""

    folds: Vector
    shrinkage: float

    @property
    def mean(self) -> float:
        """Over the folds."""
        return float(self.folds.mean())

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return float(self.folds.std(ddof=1) / np.sqrt(self.folds.size))

    @property
    def is_clear(self) -> bool:
        """Above its standard error."""
        return self.mean > self.error


def combine(codes: list[Int], sizes: list[int]) -> tuple[Int, int]:
    """The cells of a cross: numbers (n,) from 0, and how many there are."""
    key, n_cells = codes[0], sizes[0]
    for code, size in zip(codes[1:], sizes[1:], strict=True):
        key, n_cells = key * size + code, n_cells * size
        if n_cells > _DENSE * key.size:
            values, key = np.unique(key, return_inverse=True)
            n_cells = values.size
    return key.astype(np.int64, copy=False), n_cells


class Residuals:
    """The residuals of every fold, (F, K, n), under the blocks added so far.

    Parameters
    ----------
    y : float64 array of shape (n,) or (n, K)
        Of classes 1 for the row's own.
    fold : int array of shape (n,)
        The fold that holds each row out.
    s : float64 array of shape (n,), or None
        Weights.
    min_count : int
        Rows that a cell needs to have an effect.
    """

    def __init__(self, y: Vector, fold: Int, s: Vector | None, min_count: int) -> None:
        self.n_folds, self.min_count = int(fold.max()) + 1, min_count
        self.held = [np.flatnonzero(fold == f) for f in range(self.n_folds)]
        self.s = np.ones(len(y)) if s is None else s
        self.train = [np.where(fold == f, 0.0, self.s) for f in range(self.n_folds)]
        outputs = np.atleast_2d(y.T)
        self.r = [np.stack([v - np.average(v, weights=train) for v in outputs]) for train in self.train]
        self.scale = [self._squares(f, r[:, rows]) for f, (rows, r) in enumerate(zip(self.held, self.r, strict=True))]

    def gain(self, cells: Int, n_cells: int) -> Gain:
        """Of a block beside those added, with the shrinkage that gains most."""
        shares = np.zeros((len(SHRINKAGES), self.n_folds))
        for f, rows in enumerate(self.held):
            r, at = self.r[f][:, rows], cells[rows]
            before = self._squares(f, r)
            sums, counts = self._sums(f, cells, n_cells)
            for i, shrinkage in enumerate(SHRINKAGES):
                left = r - (sums / (counts + shrinkage))[:, at]
                shares[i, f] = (before - self._squares(f, left)) / (self.scale[f] or 1.0)
        best = int(np.argmax(shares.mean(axis=1)))
        return Gain(shares[best], SHRINKAGES[best])

    def add(self, cells: Int, n_cells: int, shrinkage: float) -> None:
        """Subtract the effects of a block, each fold those of its own training rows."""
        for f, r in enumerate(self.r):
            sums, counts = self._sums(f, cells, n_cells)
            r -= (sums / (counts + shrinkage))[:, cells]

    def _squares(self, f: int, r: Vector) -> float:
        """The weighted sum of squares of residuals (K, m) of the rows that a fold holds out."""
        s = self.s[self.held[f]]
        return sum(float(s @ v**2) for v in r)

    def _sums(self, f: int, cells: Int, n_cells: int) -> tuple[Vector, Vector]:
        train = self.train[f]
        counts = np.bincount(cells, weights=train, minlength=n_cells)
        sums = np.stack([np.bincount(cells, weights=train * v, minlength=n_cells) for v in self.r[f]])
        sums[:, counts < self.min_count] = 0.0
        return sums.astype(np.float64, copy=False), counts.astype(np.float64, copy=False)

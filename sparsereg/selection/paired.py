"""Losses of the same rows (or folds) at several strengths, compared in pairs; the one-standard-error rule.

The standard error of one strength's mean loss says little about the difference between two strengths: both err on the
same rows. What decides is the standard error of the mean difference.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairedLosses", "one_se_index"]

Vector = NDArray[np.float64]


class PairedLosses:
    """Means of losses at k strengths, and standard errors of the differences between them, from rows in blocks.

    Only sums are kept: k means and k x k products. Each row's mean over the strengths is subtracted first, so that the
    products keep the digits of the differences.

    Parameters
    ----------
    n_points : int
        Number of strengths k.
    """

    def __init__(self, n_points: int) -> None:
        self._weight = 0.0
        self._total = np.zeros(n_points)  # sum_i s_i l_ik
        # Sums of s_i^2, s_i^2 d_ik and s_i^2 d_ik d_il, with d_ik the loss less the row's mean.
        self._squares = 0.0
        self._linear = np.zeros(n_points)
        self._products = np.zeros((n_points, n_points))

    def add(self, losses: Vector, sample_weight: Vector | None = None) -> None:
        """Add the losses (m, k) of m rows, with their weights (m,)."""
        s = np.ones(losses.shape[0]) if sample_weight is None else sample_weight
        self._weight += float(s.sum())
        self._total += s @ losses
        scaled = s[:, None] * (losses - losses.mean(axis=1, keepdims=True))
        self._squares += float(s @ s)
        self._linear += s @ scaled
        self._products += scaled.T @ scaled

    @property
    def mean(self) -> Vector:
        """Weighted mean loss of each strength, (k,)."""
        return self._total / (self._weight or 1.0)

    @property
    def best(self) -> int:
        """The strength with the smallest mean; of equal ones the first."""
        return int(np.argmin(self.mean))

    def errors(self, reference: int) -> Vector:
        """Standard error of `mean[k] - mean[reference]` for each k, (k,): 0 at the reference.

        With `D` the weighted mean of the differences d_i it is `sqrt(sum_i s_i^2 (d_i - D)^2) / sum_i s_i`.
        """
        mean = self.mean - self.mean[reference]
        diagonal = np.diag(self._products)
        squares = diagonal - 2.0 * self._products[:, reference] + self._products[reference, reference]
        squares = squares - 2.0 * mean * (self._linear - self._linear[reference]) + mean**2 * self._squares
        return np.sqrt(np.maximum(squares, 0.0)) / (self._weight or 1.0)

    def one_se(self) -> int:
        """The first strength whose mean exceeds the best one's by at most the standard error of the difference."""
        best = self.best
        within = self.mean - self.mean[best] <= self.errors(best)
        return int(np.argmax(within[: best + 1]))


def one_se_index(losses: Any, sample_weight: Any = None) -> int:
    """The strongest penalty whose mean loss is within one standard error of the best, compared in pairs.

    Parameters
    ----------
    losses : array of shape (m, k)
        The loss of each row or fold at k strengths, the strongest first.
    sample_weight : array of shape (m,), optional
        Weights of the rows or folds. Default: equal.

    Returns
    -------
    int
        A position among the k strengths, never behind the best one: the choice is never a weaker penalty.

    Raises
    ------
    ValueError
        If the losses are not a finite table with at least one row.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import one_se_index
    >>> losses = np.array([[5.0, 1.1, 1.0], [7.0, 2.0, 2.0], [6.0, 3.0, 3.1]])
    >>> one_se_index(losses)
    1
    """
    table = np.asarray(losses, dtype=np.float64)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise ValueError(f"losses of shape {table.shape}: expected finite numbers, a row for each row or fold.")
    s = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if s is not None and (s.shape != (table.shape[0],) or not (np.isfinite(s) & (s >= 0)).all() or not s.sum() > 0):
        raise ValueError(f"sample_weight of shape {s.shape}: expected {table.shape[0]} weights, not all of them 0.")
    paired = PairedLosses(table.shape[1])
    paired.add(table, s)
    return paired.one_se()

"""Gram matrices under weights that change: of which rows anew. Knows no losses.

Newton steps change the weights of most rows by little, and of long rows, whose products cost most, often from next to
nothing to less. A model serves as well whose weights are a few per cent off.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore

__all__ = ["FAR_KEPT", "KEPT", "Reweighing"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Weights that changed by no more than the first share of the larger one are kept, and those that changed by the second
# of the mean; far from the solution others, as weights soon change again there.
KEPT, FAR_KEPT = (0.02, 0.005), (0.2, 0.02)
# Where the others' rows have more than this share of all products, a matrix is computed anew, without what rounding
# sums up to.
MOST_CHANGED = 0.5
# And where all are so few that they take a millisecond: weights that are right spare steps.
FEW_PRODUCTS = 1_000_000
# The same where the curvature of a column has fallen to this share of its largest since then: rounding of that size is
# left of what was subtracted.
LEAST_LEFT = 1e-6


class Reweighing:
    """Of one Gram matrix with values, to which members may be added meanwhile."""

    def __init__(self) -> None:
        self._largest = np.empty(0)  # curvatures of the members since it was computed anew

    def bring_up_to_date(
        self,
        store: GramStore,
        weights: tuple[Vector, Vector],
        lengths: Vector,
        add: Callable[[Int, Vector, bool], bool],
        kept: tuple[float, float],
    ) -> Int | None:
        """Which rows have new weights; None: the matrix has no place for a product, and is wrong.

        Parameters
        ----------
        store : GramStore
        weights : pair of float64 arrays of shape (n,)
            Those of the matrix, and present ones.
        lengths : float64 array of shape (n,)
            Entries of the rows.
        add : callable
            `add(rows, change, anew)` adds products of rows times a change of their weights, to a matrix of zeros if
            `anew`, and returns whether there was a place for all.
        kept : pair of float
            Changes by this share of the larger of the two weights, or of the mean weight, are not worth while. The
            second is 0 where a column may have rows of small weights alone, and the model is to be close.
        """
        old, new = weights
        least = np.maximum(kept[0] * np.maximum(old, new), kept[1] * float(new.mean()))
        (which,) = (np.abs(new - old) > least).nonzero()
        n_products = float(lengths @ lengths)
        if n_products > FEW_PRODUCTS and lengths[which] @ lengths[which] <= MOST_CHANGED * n_products:
            if not add(which, new[which] - old[which], False):
                return None
            left = store.diagonal()
            before = np.concatenate([self._largest, np.zeros(left.size - self._largest.size)])
            self._largest = np.maximum(before, left)
            if (left >= LEAST_LEFT * self._largest).all():
                return which
        which = np.arange(new.size)
        if not add(which, new, True):
            return None
        self._largest = store.diagonal()
        return which

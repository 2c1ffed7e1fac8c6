"""A Gram matrix that grows by products asked of any rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, Matrix

__all__ = ["ProductsGram"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class ProductsGram:
    """The Gram matrix of a working set, from `products(new, cols) = X_new' S X_cols`; it knows no gradients of other
    columns."""

    def __init__(self, products: Callable[[Int, Int], NDArray[np.float64]]) -> None:
        none = np.zeros(0, dtype=np.int32)
        self._products, self.store = products, GramStore(Matrix(0, none, none, none, 0), None)
        self.cols = np.empty(0, dtype=np.int64)

    def extend(self, cols: Int) -> None:
        self.cols = np.concatenate([self.cols, cols])
        self.store.append_products(self._products(cols, self.cols))

    def cache_rows(self, c: Vector) -> None:
        """Nothing is cached."""

    def known_gradients(self, cols: Int, w: Vector, shift: float) -> None:
        """None are known."""

    def few_dense(self) -> Int:
        return np.empty(0, dtype=np.int64)

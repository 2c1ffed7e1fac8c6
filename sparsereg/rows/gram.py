"""Gram matrices that grow by products asked of any rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, Matrix
from sparsereg.data.design import ColumnStats

__all__ = ["ProductsGram", "RowsGram", "whole_gram"]

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

    @property
    def held(self) -> int:
        return int(self.store.nbytes)

    def few_dense(self) -> Int:
        return np.empty(0, dtype=np.int64)


# Columns whose products are dense at a time.
BATCH = 256


def whole_gram(lower: sp.csr_array) -> ProductsGram:
    """A whole Gram matrix, given as its lower triangle."""
    whole = sp.csr_array(lower + sp.tril(lower, -1).T)
    gram, m = ProductsGram(lambda new, cols: np.ascontiguousarray(whole[new][:, cols].toarray())), lower.shape[0]
    for first in range(0, m, BATCH):
        gram.extend(np.arange(first, min(first + BATCH, m)))
    return gram


class ProductsWithAll(Protocol):
    """Rows that give the products of some columns with all, and sums over each column."""

    def products_with_all(self, new: Int) -> sp.csr_array:
        """`X_new' S X`, sparse."""

    def moments(self, cols: Int | None = None) -> ColumnStats:
        """As `Rows.moments`."""


class RowsGram:
    """The Gram matrix of a working set together with its products with all other columns: gradients take no rows.

    Memory: 12 bytes a product that is not 0.

    Parameters
    ----------
    rows : ProductsWithAll
    center : float
        The base that gradients are counted from.
    """

    def __init__(self, rows: ProductsWithAll, center: float) -> None:
        none = np.zeros(0, dtype=np.int32)
        self.rows, self.center, self.store = rows, center, GramStore(Matrix(0, none, none, none, 0), None)
        self.cols = np.empty(0, dtype=np.int64)
        self._products: list[sp.csr_array] = []
        self._at: tuple[Vector, Vector] | None = None  # the last coefficients, and `X' S X_W w` there

    def extend(self, cols: Int) -> None:
        self.cols = np.concatenate([self.cols, cols])
        found = self.rows.products_with_all(cols)
        self._products.append(found)
        self._at = None
        self.store.append_products(np.ascontiguousarray(found[:, self.cols].toarray()))

    def cache_rows(self, c: Vector) -> None:
        """All products are kept."""
        self._c0 = c

    def known_gradients(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]]:
        """All are known: `x_j' r = x_j' s (y - center) - x_j' s shift - (x_j' S X_W) w`."""
        if self._at is None or not np.array_equal(self._at[0], w):
            explained, first = np.zeros(self._c0.size), 0
            for block in self._products:
                part = w[first : first + block.shape[0]]
                if part.any():
                    explained += block.T @ part
                first += block.shape[0]
            self._at = w.copy(), explained
        c = self._c0[cols] - self.rows.moments(cols).sums * shift - self._at[1][cols]
        return c, np.ones(cols.size, dtype=np.bool_)

    @property
    def held(self) -> int:
        return int(self.store.nbytes)

    def few_dense(self) -> Int:
        return np.empty(0, dtype=np.int64)

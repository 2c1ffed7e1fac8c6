"""Rows in blocks whose sums are shared by many choices of blocks, such as half samples. Knows no solvers.

One walk through a column's rows gives its products in every block. The Gram matrix of a choice of blocks, and its
gradients at 0, are the sums over these: X is not read again for a column that an earlier choice had.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, Matrix, append_sums, cached_gradients, gradient_by_rows
from sparsereg.data.design import ColumnStats, CsrDesign
from sparsereg.rows.arranged import Arranged
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.folds import PartedRows
from sparsereg.rows.memory import MemoryGram
from sparsereg.rows.training_rows import TrainingRows

__all__ = ["BlockRows", "ChosenRows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class BlockRows(PartedRows):
    """Columns of ones without weights, with a Gram matrix of each block.

    Parameters
    ----------
    design : CsrDesign
        Of columns of ones, its rows in the old order.
    arranged : Arranged
    """

    subtracts = False

    def __init__(self, design: CsrDesign, arranged: Arranged) -> None:
        super().__init__(design, arranged)
        self.of_blocks = np.stack([*self.target_products, *self.lengths])
        self.target_products, self.lengths = [], []

    @property
    def held(self) -> int:
        """Bytes of the Gram matrices and of the products of cached columns."""
        return sum(int(store.nbytes + store.buffer_bytes) for store in self.stores)

    def weights(self, others: tuple[int, ...]) -> Vector:
        s = np.zeros(self.design.n_rows)
        for j in others:
            s[slice(*self.parts[j])] = 1.0
        return s


class ChosenRows(TrainingRows):
    """Rows in memory of which some blocks count; the others have weight 0."""

    parted: BlockRows

    @cached_property
    def _at_zero(self) -> NDArray[np.float64]:
        """`X' y` and the counts of these rows."""
        n, of_blocks = len(self.parted.parts), self.parted.of_blocks
        counts = np.zeros(n)
        counts[list(self.others)] = 1.0
        return np.array([counts @ of_blocks[:n], counts @ of_blocks[n:]])

    @cached_property
    def stretches(self) -> list[tuple[Matrix, tuple[int, int]]]:
        return [(self.parted.columns[j], self.parted.parts[j]) for j in self.others]

    def moments(self, cols: Int | None = None) -> ColumnStats:
        lengths = self._at_zero[1] if cols is None else self._at_zero[1][cols]
        return ColumnStats(lengths, lengths, lengths, (lengths > 0.0).astype(np.float64))

    def gradients(self, coef: Coefficients | None, base: float, cols: Int | None = None, target: bool = True) -> Vector:
        if not target or (coef is not None and coef.w.any()):
            return self._by_a_residual(coef, base, cols, target)
        at_zero = self._at_zero if cols is None else self._at_zero[:, cols]
        return np.asarray(at_zero[0] - base * at_zero[1])

    def gram(self, center: float) -> ChosenGram:  # type: ignore[override]
        return ChosenGram(self, center)


class ChosenGram(MemoryGram):
    """The Gram matrix of a working set on the chosen blocks, each column added up from theirs once when it joins."""

    def __init__(self, rows: ChosenRows, center: float) -> None:
        self.blocks, self.chosen = rows.parted, [rows.parted.stores[j] for j in rows.others]
        self.at = np.empty(0, dtype=np.int64)  # the numbers of its columns among the members of the blocks
        super().__init__(rows, center)

    def _new_store(self) -> GramStore:
        design = self.design
        self.blocks.cache_rows()
        return GramStore(design.matrix, design.sparse_rows, design.index_in_rows, leader=self.blocks.stores[0])

    def _columns_to_cache(self) -> Int:
        return self.blocks.cache_rows()

    def cache_rows(self, c: Vector) -> None:
        """Those of the blocks."""
        self.cached = self.blocks.cache_rows()
        self._cached_c0, self._cached_sums = c[self.cached], self.rows.moments(self.cached).sums

    def extend(self, cols: Int) -> None:
        with self.blocks.lock:
            self.at = np.concatenate([self.at, self.blocks.extend(cols)])
            append_sums(self.store, self.chosen, self.at, self.blocks.member_places())
        lengths = self.design.lengths(cols)
        self._take_note(cols, lengths, int(lengths.sum()))

    def _of_cached(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]]:
        known = self._cached_c0, self._cached_sums
        c, flags = cached_gradients(self.store, cols, *known, shift, w, self.blocks.cached_place)
        return c, flags.view(np.bool_)

    def _on_own_rows(self, cols: Int, w: Vector, base: float) -> Vector:
        with self.blocks.lock:
            members = np.bincount(self.at, w, self.blocks.cols.size).astype(np.float64)
            c = gradient_by_rows(self.chosen, cols, self.rows.y, members)
        return c - self.rows.moments(cols).sums * base if base != 0.0 else c

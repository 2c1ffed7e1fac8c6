"""Rows in parts, of which each in turn is held out: what the parts have in common is worked out once.

The rows of a part follow one another, so that a column's entries in a part are a stretch of the column: all parts share
the arrays of the columns. One walk through a column's rows gives its products with the working set in every part. The
Gram matrix on the rows that train is read from those of the parts: the sum over the others, or, of counts, which do not
round, that of all rows less the part's own. The held-out loss follows from the part's own sums. Nothing that depends on
the targets of a part enters the sums that its training rows are solved with: those are added up from the other parts.
"""

from __future__ import annotations

from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, GramSum, append_parts, append_sums, share_work_space
from sparsereg.data.design import CsrDesign
from sparsereg.data.row_parts import in_parts
from sparsereg.rows.arranged import Arranged
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MIN_CACHE_BYTES, MemoryRows, columns_to_cache

if TYPE_CHECKING:
    from sparsereg.rows.training_rows import TrainingGram

__all__ = ["PartedRows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Columns with cached products even where rows are long: every fold asks for their gradients.
FOLDS_CACHED_COLS = 16_000
FOLDS_CACHED_LENGTH = 4
# The folds see to the room that cached products take, each by its own columns.
UNLIMITED = 1 << 62


class PartedRows:
    """Rows in parts that follow one another, with a Gram matrix of each part for the columns of any fold.

    Parameters
    ----------
    design : CsrDesign
        Without dense columns, its rows in the old order.
    arranged : Arranged

    Attributes
    ----------
    rows : MemoryRows
        In that order.
    nnz : int
        Entries of X, with those of eliminated columns: what folds decide by must not tell how many those are, as that
        depends on the targets of all.
    subtracts : bool
        Whether counts are taken from those of all rows, which are kept for that.
    """

    subtracts = True

    def __init__(self, design: CsrDesign, arranged: Arranged) -> None:
        order, self.parts, y, s, self.targets = arranged
        self.design, self.columns = in_parts(design, order, [b for _, b in self.parts])
        self.rows = MemoryRows(self.design, y, s)
        target = self.rows.y if self.rows.s is None else self.rows.s * self.rows.y
        self.target_products = [part.rmatvec(target) for part in self.columns]
        self.counts = s is None and self.design.n_ones == self.design.n_cols
        self.lengths = [part.lengths() for part in self.columns]
        self.every_length = self.design.lengths()
        self.nnz = self.design.borrowed.nnz
        self.spare: list[Vector] = []  # vectors over the rows that folds take in turn
        self._ones: dict[int, Vector] = {}
        self.lock = RLock()  # folds may be solved in threads of their own
        self.in_use: WeakSet[TrainingGram] = WeakSet()
        self._begin()

    def _begin(self) -> None:
        """No members yet."""
        design, rows = self.design, self.rows
        self.stores = [GramStore(part, design.sparse_rows, design.index_in_rows, rows.s) for part in self.columns]
        share_work_space(self.stores)
        # The members' Gram on all rows, of which counts may be subtracted, as they do not round.
        counted = self.counts and self.subtracts
        self.whole = GramStore(design.matrix, design.sparse_rows, design.index_in_rows) if counted else None
        self.cols, self._place = np.empty(0, dtype=np.int64), np.full(design.n_cols, -1)
        self.cached: Int | None = None

    @cached_property
    def sums(self) -> list[Vector]:
        """`x_j' s` in each part."""
        if self.counts:
            return [lengths.astype(np.float64) for lengths in self.lengths]
        return [part.column_stats(self.rows.s)[0] for part in self.columns]

    def cache_rows(self) -> Int:
        """The columns whose products with every member are kept; chosen at the first call."""
        with self.lock:
            if self.cached is None:
                row_length = self.nnz / self.design.n_rows
                chosen = columns_to_cache(self.design, True, FOLDS_CACHED_COLS, row_length, FOLDS_CACHED_LENGTH)
                self.cached = chosen
                self.cached_place = np.full(self.design.n_cols, -1)
                self.cached_place[self.cached] = np.arange(self.cached.size)
                if self.cached.size:
                    for store in self.every_store:
                        store.cache(self.cached, UNLIMITED)
            return self.cached

    def gram_of(self, others: tuple[int, ...]) -> GramSum:
        """The Gram matrix over some of the parts; its entries stay where they are."""
        if self.whole is None:
            return GramSum([self.stores[j] for j in others], np.ones(len(others)), self.lock)
        held_out = self.without(others)
        signs = np.array([1.0] + [-1.0] * len(held_out))
        return GramSum([self.whole, *(self.stores[j] for j in held_out)], signs, self.lock)

    @property
    def every_store(self) -> list[GramStore]:
        """Those of the parts, and that of all rows where there is one."""
        return self.stores if self.whole is None else [*self.stores, self.whole]

    @property
    def entry_bytes(self) -> int:
        """What an entry takes, with its index."""
        return 8 if self.counts else 12

    @property
    def max_products(self) -> int:
        """How many cached products a fold's own columns may have in a store."""
        return (MIN_CACHE_BYTES + self.nnz) // (4 if self.counts else 10)

    @property
    def n_products(self) -> int:
        """No fewer than the cached products of any fold's columns in a store."""
        return max(int(store.n_products + store.entries) for store in self.every_store)

    def member_places(self) -> NDArray[np.int32]:
        """The places of the members among the cached columns, or -1."""
        if self.cached is None:
            return np.full(self.cols.size, -1, dtype=np.int32)
        return self.cached_place[self.cols].astype(np.int32)

    def drop_products(self) -> None:
        """Those of cached columns that no fold asks for any more."""
        n = max(gram.n_kept for gram in self.in_use)
        for store in self.every_store:
            if n < store.n_cached:
                store.shrink_cache(n)

    @property
    def entries(self) -> int:
        """Bytes of all Gram matrices."""
        return sum(int(store.nbytes) for store in self.every_store)

    def release(self) -> None:
        """Give the sums up where no fold works on its Gram matrix any more."""
        with self.lock:
            if self.cols.size and not len(self.in_use):
                self._begin()

    def without(self, others: tuple[int, ...]) -> list[int]:
        """The parts that are not among these."""
        return [j for j in range(len(self.parts)) if j not in others]

    def extend(self, cols: Int) -> Int:
        """Make these columns members of every part's Gram matrix; their numbers among the members."""
        with self.lock:
            new = cols[self._place[cols] < 0]
            if new.size:
                self._place[new] = self.cols.size + np.arange(new.size)
                self.cols = np.concatenate([self.cols, new])
                append_parts(self.stores, new)
                if self.whole is not None:
                    append_sums(self.whole, self.stores, np.arange(self.cols.size), self.member_places())
            return np.asarray(self._place[cols])

    def weights(self, others: tuple[int, ...]) -> Vector | None:
        """Of every row where these parts train: 0 in the one part that is left, if there is one."""
        s, held_out = self.rows.s, self.without(others)
        if not held_out:
            return s
        (part,) = held_out
        a, b = self.parts[part]
        if s is None:
            return self._ones_without(a, b)
        s = s.copy()
        s[a:b] = 0.0
        return s

    def _ones_without(self, a: int, b: int) -> Vector:
        """Ones, with zeros from a to b: a view, as parts of equal length differ only in where theirs begins."""
        n, size = self.rows.n_rows, b - a
        if size not in self._ones:
            self._ones[size] = np.ones(2 * n - size)
            self._ones[size][n - size : n] = 0.0
        return self._ones[size][n - size - a :][:n]

    def number(self, cols: Int) -> Int:
        """The number of each of these columns among the members; -1 for others."""
        return np.asarray(self._place[cols])

    def predictor(self, part: int, coef: Coefficients) -> Vector:
        """`X w` of the rows of a part."""
        z = np.zeros(self.design.n_rows)
        self.columns[part].add_matvec(coef.w, z, coef.cols)
        return z[slice(*self.parts[part])]

    def squared_error(self, part: int, coef: Coefficients, intercept: float) -> float:
        """`sum_i s_i (y_i - intercept - x_i . w)^2` over a part, from its sums; every column must be a member."""
        constant = self.targets[part].squared_error(intercept)
        if not coef.w.size:
            return constant
        with self.lock:
            at, x, out = self._place[coef.cols], np.zeros(self.cols.size), np.zeros(self.cols.size)
            x[at] = coef.w
            self.stores[part].subtract(x, out)
        products = self.target_products[part][coef.cols] - intercept * self.sums[part][coef.cols]
        return max(constant - float(coef.w @ (2.0 * products + out[at])), 0.0)

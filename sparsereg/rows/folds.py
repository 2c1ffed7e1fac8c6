"""Rows in parts, of which each in turn is held out: what the parts have in common is worked out once.

The rows of a part follow one another, so that a column's entries in a part are a stretch of the column: all parts share
the arrays of the columns. One walk through a column's rows gives its products with the working set in every part. The
Gram matrix on the rows that train is read from those of the parts: the sum over the others, or, of counts, which do not
round, that of all rows less the part's own. The held-out loss follows from the part's own sums. Nothing that depends on
the targets of a part enters the sums that its training rows are solved with: those are added up from the other parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, GramSum, append_parts, append_sums, gradient_by_rows, share_work_space
from sparsereg.data.design import ColumnStats, CsrDesign
from sparsereg.data.row_parts import in_parts
from sparsereg.rows.arranged import Arranged, TargetSums
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MIN_CACHE_BYTES, MemoryGram, MemoryRows, columns_to_cache
from sparsereg.rows.own_gram import OwnGram, all_but

__all__ = ["PartedRows", "TrainingRows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Columns with cached products even where rows are long: every fold asks for their gradients.
FOLDS_CACHED_COLS = 16_000
FOLDS_CACHED_LENGTH = 4
# A fold goes on with a Gram matrix of its own once its entries in the shared ones are so many, and one for so many of
# X's: a walk for all folds saves little where columns are of few rows, and two matrices with the columns of all folds
# take longer to read, and more memory, than one with its own (measured: one for 16 to one for 200 take alike long).
LEAST_SHARED, PER_SHARED = 20_000, 64
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
    """

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
        self.lock = RLock()  # folds may be solved in threads of their own
        self.in_use: WeakSet[TrainingGram] = WeakSet()
        self._begin()

    def _begin(self) -> None:
        """No members yet."""
        design, rows = self.design, self.rows
        self.stores = [GramStore(part, design.sparse_rows, design.index_in_rows, rows.s) for part in self.columns]
        share_work_space(self.stores)
        # The members' Gram on all rows, of which counts may be subtracted, as they do not round.
        self.whole = GramStore(design.matrix, design.sparse_rows, design.index_in_rows) if self.counts else None
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
                    append_sums(self.whole, self.stores, new)
            return np.asarray(self._place[cols])

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


@dataclass(frozen=True, eq=False)
class TrainingRows(MemoryRows):
    """All parts but one, or all of them: rows in memory whose rows held out have weight 0.

    Attributes
    ----------
    parted : PartedRows
    others : tuple of int
        The parts that train.
    n_own : int or None
        The fold is solved on the first columns, so many; None: on all.
    """

    parted: PartedRows | None = None
    others: tuple[int, ...] = ()
    n_own: int | None = None

    @property
    def nnz(self) -> int:
        return self._parted.nnz

    @property
    def _parted(self) -> PartedRows:
        assert self.parted is not None
        return self.parted

    @property
    def _targets(self) -> list[TargetSums]:
        return [self._parted.targets[j] for j in self.others if self._parted.targets[j].weight]

    @cached_property
    def weight_sum(self) -> float:
        return sum(part.weight for part in self._targets)

    @cached_property
    def max_weight(self) -> float:
        return 1.0 if self._parted.rows.s is None else super().max_weight

    def target_mean(self) -> float:
        parts = self._targets
        if parts[0].low == min(part.low for part in parts) == max(part.high for part in parts):
            return parts[0].low  # exactly, so that nothing is left to fit
        return sum(part.weight * part.mean + part.total for part in parts) / self.weight_sum

    def squared_residual(self, coef: Coefficients | None, base: float) -> float:
        """At w = 0 from sums that are kept."""
        if coef is not None:
            return super().squared_residual(coef, base)
        return max(sum(part.squared_error(base) for part in self._targets), 0.0)

    def residual_max_abs(self, coef: Coefficients | None, base: float) -> float:
        """At w = 0 from the least and the largest target."""
        if self._parted.rows.s is not None or (coef is not None and coef.w.any()):
            return super().residual_max_abs(coef, base)
        return max(max(base - part.low, part.high - base) for part in self._targets)

    @cached_property
    def _every_moment(self) -> ColumnStats:
        return super().moments()

    def moments(self, cols: Int | None = None) -> ColumnStats:
        """Counts from those of the parts; sums that round are kept."""
        if not self._parted.counts:
            every = self._every_moment
            return every if cols is None else ColumnStats(*(values[cols] for values in every))
        at = slice(None) if cols is None else cols
        counts = self._parted.every_length[at]
        for j in self._parted.without(self.others):
            counts = counts - self._parted.lengths[j][at]
        lengths = counts.astype(np.float64)
        return ColumnStats(lengths, lengths, lengths, (lengths > 0.0).astype(np.float64))

    def gradients(self, coef: Coefficients | None, base: float, cols: Int | None = None, target: bool = True) -> Vector:
        """At w = 0 from sums of the parts; else by a residual, in a vector that all folds take in turn."""
        if not target or (coef is not None and coef.w.any()):
            return self._by_a_residual(coef, base, cols, target)
        at = slice(None) if cols is None else cols
        products = _added([self._parted.target_products[j][at] for j in self.others])
        return np.asarray(products - base * self.moments(cols).sums)

    def _by_a_residual(self, coef: Coefficients | None, base: float, cols: Int | None, target: bool) -> Vector:
        spare = self._parted.spare
        with self._parted.lock:
            if spare and not self._buffer:
                self._buffer.append(spare.pop())
        found = super().gradients(coef, base, cols, target)
        if len(self._buffer) == 1:  # nobody asks for that residual again
            spare.append(self._buffer.pop())
        return found

    def residual(
        self, coef: Coefficients | None, base: float, target: bool = True, out: Vector | None = None
    ) -> Vector:
        """Without weights those of 0 are set afterwards, which is faster than to multiply by each."""
        if self._parted.rows.s is not None or self.s is None:
            return super().residual(coef, base, target, out)
        r = np.subtract(self.y if target else 0.0, base, out=np.empty(self.n_rows) if out is None else out)
        if coef is not None:
            self.design.matrix.add_matvec(coef.w, r, coef.cols, -1.0)
        for j, (a, b) in enumerate(self._parted.parts):
            if j not in self.others:
                r[a:b] = 0.0
        return r

    def gram(self, center: float) -> TrainingGram:
        return TrainingGram(self, center)


class TrainingGram(MemoryGram):
    """The Gram matrix of a fold's working set on its training rows, read from those of the parts."""

    rows: TrainingRows
    store: GramSum  # type: ignore[assignment]  # it has the methods that descents use

    def __init__(self, rows: TrainingRows, center: float) -> None:
        self.rows, self.center, self.design = rows, center, rows.design
        self.parted, self.others = rows._parted, rows.others
        self.sparse_row_length = self.parted.nnz / self.design.n_rows
        self.store = self.parted.gram_of(self.others)
        self.cols = self._lengths = self.at = np.empty(0, dtype=np.int64)
        self.nnz = 0
        self.parted.in_use.add(self)
        self.cached, self.n_kept = np.empty(0, dtype=np.int64), 0
        self._known = np.empty((2, 0))
        self._own: OwnGram | None = None

    @property
    def held(self) -> int:
        """Bytes that the Gram matrices of all parts would take for the columns of this fold alone."""
        if self._own is not None:
            return self._own.held
        n_stores, n_terms = len(self.parted.every_store), 2 if self.parted.counts else len(self.others)
        return self.store.entries * self.parted.entry_bytes * n_stores // max(n_terms, 1)

    def cache_rows(self, c: Vector) -> None:
        self.cached = self.parted.cache_rows()
        own = self.rows.n_own
        self.n_kept = n = self.cached.size if own is None else int(np.count_nonzero(self.cached < own))
        self._known = np.array([c[self.cached[:n]], self.rows.moments(self.cached[:n]).sums])

    def few_dense(self) -> Int:
        return np.empty(0, dtype=np.int64)

    def extend(self, cols: Int) -> None:
        if self._own is not None:
            self._own.extend(cols)
            self.cols = self._own.cols
            return
        with self.parted.lock:
            new = self.parted.extend(cols)
            lengths = self.design.lengths(cols)
            self._take_note(cols, lengths, int(lengths.sum()))
            self.at = np.concatenate([self.at, new])
            self.store.extend(new)
            self._keep_within_budget()
            if self.store.entries > max(LEAST_SHARED, self.parted.nnz // PER_SHARED):
                self._set_apart()

    def _set_apart(self) -> None:
        """Go on without the others."""
        stretches = all_but(self.parted.columns, self.parted.without(self.others))
        own = OwnGram(self.rows, self.center, stretches, self.parted.rows.s, self.rows.n_own)
        own.cache_rows(self.rows.gradients(None, self.center))
        own.extend(self.cols)
        self._own, self.store = own, own.store  # type: ignore[assignment]
        self.parted.in_use.discard(self)

    def _keep_within_budget(self) -> None:
        """Where the products of this fold's own columns are too many, it asks for fewer cached columns from now on."""
        parted, before = self.parted, self.n_kept
        if parted.n_products > parted.max_products:  # else they are too few, whoever asked for the others
            places = parted.member_places()
            while self.store.most_products(places, self.n_kept) > parted.max_products:
                self.n_kept = self.n_kept * 3 // 4
        if self.n_kept < before:
            self._known = self._known[:, : self.n_kept].copy()
            parted.drop_products()

    def known_gradients(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]] | None:
        """By the same sums in the same order whether or not other folds made the columns members."""
        if self._own is not None:
            return self._own.known_gradients(cols, w, shift)
        with self.parted.lock:
            return super().known_gradients(cols, w, shift)

    def _of_cached(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]]:
        parted = self.parted
        c, known = self.store.cached_gradients(cols, parted.cached_place, parted._place, self._known, shift, w)
        return c, known.view(np.bool_)

    def _on_own_rows(self, cols: Int, w: Vector, base: float) -> Vector:
        with self.parted.lock:
            members = np.bincount(self.at, w, self.parted.cols.size).astype(np.float64)  # each is there once
            c = gradient_by_rows([self.parted.stores[j] for j in self.others], cols, self.rows.y, members)
        return c - self.rows.moments(cols).sums * base if base != 0.0 else c


def _added(arrays: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Their sum, in their order."""
    out = arrays[0].copy()
    for array in arrays[1:]:
        out += array
    return out

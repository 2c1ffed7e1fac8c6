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
from typing import NamedTuple
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore, GramSum, append_parts, append_sums, share_work_space
from sparsereg.data.design import ColumnStats, CsrDesign
from sparsereg.data.row_parts import in_parts
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import MIN_CACHE_BYTES, MemoryGram, MemoryRows, columns_to_cache

__all__ = ["PartedRows", "TrainingRows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# The Gram matrices of all folds together may have so many entries (288 MB), or else so many times those that the one of
# a path may have.
FREE_ENTRIES, FOLDS_SHARE = 24_000_000, 2
# Columns with cached products even where rows are long: every fold asks for their gradients.
FOLDS_CACHED_COLS = 32_000


class Targets(NamedTuple):
    """Sums over the targets of a part: their mean m, `sum s (y - m)^2`, `sum s (y - m)`, `sum s`; the least and the
    largest of those that count."""

    mean: float
    squares: float
    total: float
    weight: float
    low: float
    high: float

    @classmethod
    def of(cls, y: Vector, s: Vector) -> Targets:
        """Of targets and weights."""
        weight = float(s.sum())
        if not weight:
            return cls(0.0, 0.0, 0.0, 0.0, np.inf, -np.inf)
        mean = float(s @ y) / weight
        rest, counted = y - mean, y if s.min() > 0.0 else y[s > 0.0]
        return cls(mean, float(s @ rest**2), float(s @ rest), weight, float(counted.min()), float(counted.max()))

    def squared_error(self, prediction: float) -> float:
        """`sum s (y - prediction)^2`."""
        shift = prediction - self.mean
        return self.squares - 2.0 * shift * self.total + shift * shift * self.weight


class PartedRows:
    """Rows in parts that follow one another, with a Gram matrix of each part for the columns of any fold.

    Parameters
    ----------
    rows : MemoryRows
        A CSR without dense columns.
    order : int64 array of shape (n,)
        The rows of each part in turn, in increasing order; those of the parts are numbered so.
    parts : list of (int, int)
        Rows from a to b; together all of them.

    Attributes
    ----------
    rows : MemoryRows
        In that order.
    """

    def __init__(self, rows: MemoryRows, order: Int, parts: list[tuple[int, int]]) -> None:
        assert isinstance(rows.design, CsrDesign)
        target = rows.y if rows.s is None else rows.s * rows.y
        self.design, self.columns, self.target_products = in_parts(rows.design, order, [b for _, b in parts], target)
        self.rows = MemoryRows(self.design, rows.y[order], None if rows.s is None else rows.s[order])
        self.parts, self.counts = parts, rows.s is None and self.design.n_ones == self.design.n_cols
        self.lengths = [part.lengths() for part in self.columns]
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
        self.n_cached = 0  # cached columns whose products no part has dropped for want of room

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
                self.cached = columns_to_cache(self.design, True, FOLDS_CACHED_COLS)
                self.cached_place = np.full(self.design.n_cols, -1)
                self.cached_place[self.cached] = np.arange(self.cached.size)
                if self.cached.size:
                    for store in self.stores if self.whole is None else [*self.stores, self.whole]:
                        store.cache(self.cached, MIN_CACHE_BYTES + self.design.nnz)
                self.n_cached = self.cached.size
            return self.cached

    def gram_of(self, others: tuple[int, ...]) -> GramSum:
        """The Gram matrix over some of the parts; its entries stay where they are."""
        if self.whole is None:
            return GramSum([self.stores[j] for j in others], np.ones(len(others)), self.lock)
        held_out = self.without(others)
        signs = np.array([1.0] + [-1.0] * len(held_out))
        return GramSum([self.whole, *(self.stores[j] for j in held_out)], signs, self.lock)

    @property
    def entries(self) -> int:
        """Entries of all Gram matrices."""
        return sum(int(store.nbytes) for store in (self.stores if self.whole is None else [self.whole, *self.stores]))

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
                kept = min(store.n_cached for store in self.stores)
                for store in self.stores:
                    if store.n_cached > kept:
                        store.shrink_cache(kept)
                if self.whole is not None:
                    append_sums(self.whole, self.stores, new)
                    kept = min(kept, self.whole.n_cached)
                self.n_cached = kept
            return np.asarray(self._place[cols])

    def number(self, cols: Int) -> Int:
        """The number of each of these columns among the members; -1 for others."""
        return np.asarray(self._place[cols])

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

    @cached_property
    def targets(self) -> list[Targets]:
        """Those of each part."""
        s = np.ones(self.rows.n_rows) if self.rows.s is None else self.rows.s
        return [Targets.of(self.rows.y[a:b], s[a:b]) for a, b in self.parts]


@dataclass(frozen=True, eq=False)
class TrainingRows(MemoryRows):
    """All parts but one, or all of them: rows in memory whose rows held out have weight 0.

    Attributes
    ----------
    parted : PartedRows
    others : tuple of int
        The parts that train.
    """

    parted: PartedRows | None = None
    others: tuple[int, ...] = ()

    @property
    def _parted(self) -> PartedRows:
        assert self.parted is not None
        return self.parted

    @property
    def _targets(self) -> list[Targets]:
        return [self._parted.targets[j] for j in self.others if self._parted.targets[j].weight]

    @cached_property
    def weight_sum(self) -> float:
        return sum(part.weight for part in self._targets)

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
    def _target_products(self) -> Vector:
        """`X' s y` over the training rows."""
        return _added([self._parted.target_products[j] for j in self.others])

    @cached_property
    def _every_moment(self) -> ColumnStats:
        if not self._parted.counts:
            return super().moments()
        lengths = _added([self._parted.lengths[j].astype(np.float64) for j in self.others])
        return ColumnStats(lengths, lengths, lengths, (lengths > 0.0).astype(np.float64))

    def moments(self, cols: Int | None = None) -> ColumnStats:
        """Those of all columns are kept."""
        every = self._every_moment
        return every if cols is None else ColumnStats(*(values[cols] for values in every))

    def gradients(self, coef: Coefficients | None, base: float, cols: Int | None = None, target: bool = True) -> Vector:
        """At w = 0 from sums that are kept."""
        if not target or (coef is not None and coef.w.any()):
            return super().gradients(coef, base, cols, target)
        every = slice(None) if cols is None else cols
        return np.asarray(self._target_products[every] - base * self.moments(cols).sums)

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

    store: GramSum  # type: ignore[assignment]  # it has the methods that descents use

    def __init__(self, rows: TrainingRows, center: float) -> None:
        self.rows, self.center, self.design = rows, center, rows.design
        self.parted, self.others = rows._parted, rows.others
        self.sparse_row_length = self.design.nnz / self.design.n_rows
        self.store = self.parted.gram_of(self.others)
        self.cols = self._lengths = self.at = np.empty(0, dtype=np.int64)
        self.nnz = 0
        self.parted.in_use.add(self)
        self.cached = np.empty(0, dtype=np.int64)
        self._cached_c0, self._cached_sums = np.empty(0), np.empty(0)

    @property
    def held(self) -> int:
        """The shared entries, by the measure of a path's own."""
        entries = self.parted.entries
        return entries // FOLDS_SHARE if entries > FREE_ENTRIES else 0

    def cache_rows(self, c: Vector) -> None:
        self.cached = self.parted.cache_rows()
        self._cached_c0, self._cached_sums = c[self.cached], self.rows.moments(self.cached).sums

    def few_dense(self) -> Int:
        return np.empty(0, dtype=np.int64)

    def extend(self, cols: Int) -> None:
        new = self.parted.extend(cols)
        self._take_note(cols, self.design.lengths(cols))
        self.at = np.concatenate([self.at, new])
        self.store.extend(new)

    def known_gradients(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]] | None:
        """Those of columns that other folds made members from their Gram columns."""
        with self.parted.lock:
            return self._known_gradients(cols, w, shift)

    def _known_gradients(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]] | None:
        member = self.parted.number(cols) >= 0
        if not member.any():
            return super().known_gradients(cols, w, shift)
        c, known = np.empty(cols.size), np.ones(cols.size, dtype=np.bool_)
        c[member] = self._members_gradients(cols[member], w, shift)
        if not member.all():
            found = super().known_gradients(cols[~member], w, shift)
            assert found is not None
            c[~member], known[~member] = found
        return c, known

    def _members_gradients(self, cols: Int, w: Vector, shift: float) -> Vector:
        c = self.rows.gradients(None, self.center + shift, cols)
        self.store.subtract_members(self.parted.number(cols), w, c)
        return c

    def _cache_index(self, cols: Int) -> Int:
        """The place among the cached columns, where every part still has it."""
        places, n = self.parted.cached_place[cols], self.parted.n_cached
        return places if n == self.cached.size else np.where(places < n, places, -1)

    def _cached_gradients(self, n: int, w: Vector, shift: float) -> Vector:
        return np.asarray(self.store.cached_gradients(self._cached_c0[:n], self._cached_sums[:n], shift, w))

    def _on_own_rows(self, cols: Int, w: Vector, base: float) -> Vector:
        with self.parted.lock:
            members = np.zeros(self.parted.cols.size)
            members[self.at] = w
            c = _added([self.parted.stores[j].gradient_by_rows(cols, self.rows.y, members) for j in self.others])
        return np.asarray(c - self.rows.moments(cols).sums * base if base != 0.0 else c)


def _added(arrays: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Their sum, in their order."""
    out = arrays[0].copy()
    for array in arrays[1:]:
        out += array
    return out

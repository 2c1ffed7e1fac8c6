"""All parts of the rows but one, which is held out, over the sums that `PartedRows` keeps.

A fold works on the Gram matrices that all share until it goes on with one of its own (`own_gram`).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramSum, Matrix, gradient_by_rows
from sparsereg.data.design import ColumnStats
from sparsereg.rows.arranged import TargetSums
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.folds import PartedRows
from sparsereg.rows.memory import MemoryGram, MemoryRows
from sparsereg.rows.own_gram import OwnGram, all_but

__all__ = ["TrainingRows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# A fold goes on with a Gram matrix of its own once its entries in the shared ones are so many, and one for so many of
# X's: a walk for all folds saves little where columns are of few rows, and two matrices with the columns of all folds
# take longer to read, and more memory, than one with its own (measured: one for 16 to one for 200 take alike long).
LEAST_SHARED, PER_SHARED = 20_000, 64


class TrainingRows(MemoryRows):
    """All parts but one, or all of them: rows in memory whose rows held out have weight 0.

    Their weights are made when something asks for them: without weights of the caller's, hardly anything does.

    Parameters
    ----------
    parted : PartedRows
    others : tuple of int
        The parts that train.
    n_own : int, optional
        The fold is solved on the first columns, so many; None: on all.
    """

    parted: PartedRows
    others: tuple[int, ...]
    n_own: int | None

    def __init__(self, parted: PartedRows, others: tuple[int, ...], n_own: int | None = None) -> None:
        # Frozen as it is, and without `s`.
        vars(self).update(design=parted.design, y=parted.rows.y, _buffer=[], parted=parted, others=others, n_own=n_own)

    @property
    def nnz(self) -> int:
        return self.parted.nnz

    @cached_property
    def s(self) -> Vector | None:  # in place of a field
        return self.parted.weights(self.others)

    @property
    def _targets(self) -> list[TargetSums]:
        return [self.parted.targets[j] for j in self.others if self.parted.targets[j].weight]

    @cached_property
    def weight_sum(self) -> float:
        return sum(part.weight for part in self._targets)

    @cached_property
    def max_weight(self) -> float:
        return 1.0 if self.parted.rows.s is None else super().max_weight

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
        parted = self.parted
        if parted.rows.s is not None:
            return super().residual_max_abs(coef, base)
        if coef is None or not coef.w.any():
            return max(max(base - part.low, part.high - base) for part in self._targets)
        asked = coef.w, coef.cols, self.y, base, None
        return max(matrix.residual_max_abs(*asked, *ends) for matrix, ends in self.stretches)

    @cached_property
    def _every_moment(self) -> ColumnStats:
        return super().moments()

    def moments(self, cols: Int | None = None) -> ColumnStats:
        """Counts from those of the parts; sums that round are kept."""
        if not self.parted.counts:
            every = self._every_moment
            return every if cols is None else ColumnStats(*(values[cols] for values in every))
        at = slice(None) if cols is None else cols
        counts = self.parted.every_length[at]
        for j in self.parted.without(self.others):
            counts = counts - self.parted.lengths[j][at]
        lengths = counts.astype(np.float64)
        return ColumnStats(lengths, lengths, lengths, (lengths > 0.0).astype(np.float64))

    def gradients(self, coef: Coefficients | None, base: float, cols: Int | None = None, target: bool = True) -> Vector:
        """At w = 0 from sums of the parts; else by a residual, in a vector that all folds take in turn."""
        if not target or (coef is not None and coef.w.any()):
            return self._by_a_residual(coef, base, cols, target)
        at = slice(None) if cols is None else cols
        products = _added([self.parted.target_products[j][at] for j in self.others])
        return np.asarray(products - base * self.moments(cols).sums)

    def _by_a_residual(self, coef: Coefficients | None, base: float, cols: Int | None, target: bool) -> Vector:
        spare = self.parted.spare
        with self.parted.lock:
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
        if self.parted.rows.s is not None:
            return super().residual(coef, base, target, out)
        r = np.subtract(self.y if target else 0.0, base, out=np.empty(self.n_rows) if out is None else out)
        if coef is not None:
            self.design.matrix.add_matvec(coef.w, r, coef.cols, -1.0)
        for j, (a, b) in enumerate(self.parted.parts):
            if j not in self.others:
                r[a:b] = 0.0
        return r

    @cached_property
    def stretches(self) -> list[tuple[Matrix, tuple[int, int]]]:
        """The columns' entries in the rows before the part held out, and in those after it, with where these rows begin
        and end."""
        held_out = self.parted.without(self.others)
        matrices = all_but(self.parted.columns, held_out)
        a, b = self.parted.parts[held_out[0]] if held_out else (self.n_rows, self.n_rows)
        rows = [(begin, end) for begin, end in ((0, a), (b, self.n_rows)) if begin < end]
        return list(zip(matrices, rows, strict=True))

    def gram(self, center: float) -> TrainingGram:
        return TrainingGram(self, center)


class TrainingGram(MemoryGram):
    """The Gram matrix of a fold's working set on its training rows, read from those of the parts."""

    rows: TrainingRows
    store: GramSum  # type: ignore[assignment]  # it has the methods that descents use

    def __init__(self, rows: TrainingRows, center: float) -> None:
        self.rows, self.center, self.design = rows, center, rows.design
        self.parted, self.others = rows.parted, rows.others
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
        stretches = [matrix for matrix, _ in self.rows.stretches]
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

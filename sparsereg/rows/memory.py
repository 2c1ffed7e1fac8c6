"""Rows in memory: a design, targets and weights. Knows no penalties and no solvers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import FEW_DENSE, GramStore, cached_gradients
from sparsereg.data.design import ColumnStats, Design
from sparsereg.rows.contract import Coefficients

__all__ = ["COLUMN_CHUNK", "FEW_COLUMNS", "MIN_CACHE_BYTES", "MemoryGram", "MemoryRows", "columns_to_cache"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Columns up to which numbers of each are kept, rather than asked for again: 80 bytes a column, 1.3 MB.
FEW_COLUMNS = 16_384
# Rows summed at a time where no vector over all rows is to be made.
ROW_CHUNK = 1 << 16
# Columns measured or evaluated at a time: statistics of all columns would take 32 bytes each. Cached ones, which are
# fewer, come first.
COLUMN_CHUNK = 1 << 16
# The gradient of a column on its own rows, in entries read in sequence: each row has to be fetched, with its target;
# each of its entries is looked up in the working set; each active dense column has its value elsewhere.
ROW_COST = 50
ENTRY_COST = 1
DENSE_COST = 20
# Entries of a dense column, read in the order of the rows, that cost as much as one entry read through its row's
# number.
SEQUENTIAL_ENTRIES = 4
# Columns with cached Gram rows: between these bounds, the more the shorter rows are, if they have so many entries and
# rows are no longer than this. Their products take at most half a byte an entry of X, an eighth of the room of its
# indices.
CACHED_COLS = (8_192, 60_000)
CACHED_ENTRIES = 200_000
MIN_CACHED_LENGTH = 6
MAX_CACHED_ROW_LENGTH = 100
MIN_CACHE_BYTES = 600_000
# Products of cached columns, as a share of the entries that a pass over X reads, from which on a pass takes no longer
# than they, and new columns join faster without: they are given up (measured from a tenth to a half).
CACHED_SHARE = 0.35


@dataclass(frozen=True, eq=False)
class MemoryRows:
    """A weighted least-squares problem in memory, as `sparsereg.rows.contract.Rows` describes it.

    Beyond the contract it has methods that give vectors over the rows, for solvers and losses that work in memory.

    Attributes
    ----------
    design : Design
    y : float64 array of shape (n,)
        Targets; borrowed.
    s : float64 array of shape (n,) or None
        Row weights; None means all one.
    """

    design: Design
    y: Vector
    s: Vector | None
    # One vector over the rows, overwritten by every call that needs another residual, and never handed out; then the
    # coefficients, the base and the target it is for.
    _buffer: list[Any] = field(default_factory=list, repr=False)

    in_memory = True
    round_is_costly = False

    @property
    def n_rows(self) -> int:
        return self.design.n_rows

    @property
    def n_cols(self) -> int:
        return self.design.n_cols

    @property
    def nnz(self) -> int:
        return self.design.nnz

    @property
    def columns(self) -> NDArray[np.integer]:
        return self.design.columns

    @property
    def max_row_length(self) -> int:
        return self.design.max_row_length

    @property
    def is_dense(self) -> bool:
        return self.design.dense is not None

    @cached_property
    def weight_sum(self) -> float:
        return float(self.y.size if self.s is None else self.s.sum())

    @cached_property
    def max_weight(self) -> float:
        return 1.0 if self.s is None else float(self.s.max())

    def lengths(self, cols: Int | None = None) -> Int:
        """Those of all are kept where there are few."""
        return self.design.lengths(cols) if cols is None or self.n_cols > FEW_COLUMNS else self._every_length[cols]

    @cached_property
    def _every_length(self) -> Int:
        return self.design.lengths()

    def moments(self, cols: Int | None = None) -> ColumnStats:
        """Those of dense columns among sparse ones are kept: each takes a pass over the rows."""
        n_sparse = self.design.n_sparse
        if cols is None or not 0 < n_sparse < self.n_cols or cols.max(initial=-1) < n_sparse:
            return self.design.column_stats(self.s, cols)
        dense, out = cols >= n_sparse, np.empty((4, cols.size))
        out[:, ~dense] = self.design.column_stats(self.s, cols[~dense])
        out[:, dense] = self._dense_moments[:, cols[dense] - n_sparse]
        return ColumnStats(*out)

    @cached_property
    def _dense_moments(self) -> NDArray[np.float64]:
        return np.array(self.design.column_stats(self.s, np.arange(self.design.n_sparse, self.n_cols)))

    def extent(self, col: int) -> tuple[float, float]:
        return self.design.extent(col, self.s)

    def gradients(self, coef: Coefficients | None, base: float, cols: Int | None = None, target: bool = True) -> Vector:
        if coef is None and base == 0.0 and self.s is None and target:
            return self.design.rmatvec(self.y, cols)
        found = self.design.rmatvec(self._residual_in_buffer(coef, base, target), cols)
        if cols is None or cols.size < COLUMN_CHUNK:  # the last ones there
            del self._buffer[1:]
        return found

    def _residual_in_buffer(self, coef: Coefficients | None, base: float, target: bool = True) -> Vector:
        """The residual there, kept for the next columns at the same coefficients."""
        at = Coefficients.zero() if coef is None else coef
        if len(self._buffer) > 1:
            r, before, *rest = self._buffer
            same = rest == [base, target] and np.array_equal(before.cols, at.cols) and np.array_equal(before.w, at.w)
            if same:
                return r
        r = self._buffer[0] if self._buffer else np.empty(self.n_rows)
        self._buffer.clear()  # what follows may be interrupted
        self.residual(coef, base, target, r)
        self._buffer.extend([r, Coefficients(at.cols, at.w.copy()), base, target])
        return r

    def target_mean(self) -> float:
        """The weighted mean of the targets; of equal numbers exactly that number, so that nothing is left to fit."""
        counted = self.y if self.s is None else self.y[self.s > 0.0]
        return float(counted[0] if (counted == counted[0]).all() else np.average(self.y, weights=self.s))

    def squared_residual(self, coef: Coefficients | None, base: float) -> float:
        if coef is not None:
            d = self.y - self.predictor(coef)
            d -= base
            return float(d @ d if self.s is None else d @ (self.s * d))
        total = 0.0
        for begin in range(0, self.y.size, ROW_CHUNK):
            chunk = slice(begin, begin + ROW_CHUNK)
            d = self.y[chunk] - base
            total += float(d @ d if self.s is None else d @ (self.s[chunk] * d))
        return total

    def residual_max_abs(self, coef: Coefficients | None, base: float) -> float:
        at = Coefficients.zero() if coef is None else coef
        return float(self.design.matrix.residual_max_abs(at.w, at.cols, self.y, base, self.s))

    def products(self, new: Int, cols: Int) -> NDArray[np.float64]:
        store = GramStore(self.design.matrix, None, None, self.s)
        every = np.union1d(new, cols)
        store.append(every, by_rows=False)
        return np.asarray(store.toarray()[np.ix_(np.searchsorted(every, new), np.searchsorted(every, cols))])

    def gram(self, center: float) -> MemoryGram:
        return MemoryGram(self, center)

    def gradients_at(
        self, cols: Int, W: NDArray[np.float64], bases: Vector
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The gradients of all columns, and `|r|_s^2`, at several coefficients of `cols`, the rows of W."""
        d = self.y - bases[:, None]
        for w, of_one in zip(W, d, strict=True):
            self.design.matrix.add_matvec(w, of_one, cols, -1.0)
        sd = d if self.s is None else self.s * d
        return np.asarray(self.design.matrix.rmatvecs(sd)), np.einsum("ki,ki->k", d, sd)

    # ---- vectors over the rows, for what works in memory ---------------------------------------------------------

    def weighted_columns(self, cols: Int) -> NDArray[np.float64]:
        """`s x_j` of dense columns, as rows."""
        x = np.asarray(self.design.dense)[:, cols].T.astype(np.float64, order="C", copy=False)
        return x if self.s is None else x * self.s

    def predictor(self, coef: Coefficients) -> Vector:
        """`X w`."""
        z = np.zeros(self.n_rows)
        if coef.cols.size:  # else no columns need be built
            self.design.matrix.add_matvec(coef.w, z, coef.cols)
        return z

    def residual(
        self, coef: Coefficients | None, base: float, target: bool = True, out: Vector | None = None
    ) -> Vector:
        """`s (y - base - X w)`, in `out` or a new array: O(n + entries of the columns with w != 0)."""
        r = np.subtract(self.y if target else 0.0, base, out=np.empty(self.n_rows) if out is None else out)
        if self.s is not None:
            r *= self.s
        if coef is not None:
            self.design.matrix.add_matvec(coef.w, r, coef.cols, -1.0, self.s)
        return r


def columns_to_cache(
    design: Design,
    counting: bool,
    least: int = CACHED_COLS[0],
    row_length: float | None = None,
    shortest: int = MIN_CACHED_LENGTH,
) -> Int:
    """The columns whose Gram rows are worth caching, the longest first; none where rows are too long.

    `counting`: whether products with dense columns are kept apart. `least`: so many even where rows are long.
    `row_length`: that of rows with eliminated columns, where that counts. `shortest`: entries of a column, at least."""
    n_dense = design.n_cols - design.n_sparse
    row_length = design.nnz / design.n_rows - n_dense if row_length is None else row_length
    none = np.empty(0, dtype=np.int64)
    if design.rows is None or row_length > MAX_CACHED_ROW_LENGTH:
        return none
    limit = int(np.clip(CACHED_ENTRIES / max(row_length, 1.0), least, CACHED_COLS[1]))
    # Each kind of column has its longest first. Products with a few dense columns are kept with those; of many dense
    # columns, each would have a product with every dense column of the working set.
    dense = [] if counting or n_dense > MAX_CACHED_ROW_LENGTH else [design.n_cols]
    kinds = (0, design.n_ones, design.n_sparse, *dense)
    longest = np.concatenate([none, *(np.arange(a, min(a + limit, b)) for a, b in pairwise(kinds))])
    lengths = design.lengths(longest)
    order = np.argsort(-lengths, kind="stable")[:limit]
    return np.asarray(longest[order[lengths[order] >= shortest]])


class MemoryGram:
    """The Gram matrix of a working set of columns in memory, and gradients that follow from it.

    A column that joins is multiplied with the others by one walk through its rows. The same walk can note its products
    with columns outside: their gradients then follow from the coefficients, `x_j' r = x_j' s (y - base) - (X_j' S X_W)
    w`, and X is not read for them again. Those products are the cached Gram rows.

    Parameters
    ----------
    rows : MemoryRows
    center : float
        The base that gradients are counted from.
    """

    def __init__(self, rows: MemoryRows, center: float) -> None:
        self.rows, self.center = rows, center
        self.design = design = rows.design
        n_dense = design.n_cols - design.n_sparse
        self.sparse_row_length = rows.nnz / design.n_rows - n_dense
        self.store = self._new_store()
        self.cols = self._lengths = np.empty(0, dtype=np.int64)
        self.nnz = 0
        self.cached = np.empty(0, dtype=np.int64)
        self._cached_c0, self._cached_sums = np.empty(0), np.empty(0)

    def _new_store(self) -> GramStore:
        """Without members."""
        return GramStore(self.design.matrix, self.design.sparse_rows, self.design.index_in_rows, self.rows.s)

    def _columns_to_cache(self) -> Int:
        return columns_to_cache(self.design, self.store.counting)

    def cache_rows(self, c: Vector) -> None:
        """Cache the Gram rows of the longest columns, `c` being the gradients of all columns at 0. Nothing where rows
        are so long that such walks cost more than they save."""
        self.cached = self._columns_to_cache()
        if self.cached.size:
            self._cached_c0, self._cached_sums = c[self.cached], self.rows.moments(self.cached).sums
            self.store.cache(self.cached, MIN_CACHE_BYTES + self.rows.nnz // 2)

    @property
    def n_cached(self) -> int:
        return int(self.cached.size)

    @property
    def held(self) -> int:
        return int(self.store.nbytes)

    def few_dense(self) -> Int:
        """Dense columns, if few stand among sparse ones and Gram rows are cached: better first in the working set, so
        that the products of cached columns with them come from one pass."""
        matrix = self.design.matrix
        dense = np.arange(matrix.n_sparse, matrix.shape[1])
        return dense if self.cached.size and dense.size <= FEW_DENSE else dense[:0]

    def extend(self, cols: Int) -> None:
        """Through the rows of the new columns, or by a dot product with each column of the working set, whichever reads
        less."""
        rows = self.rows
        lengths = rows.lengths(cols)
        entries = int(lengths.sum())
        self.store.append(cols, self.cached.size > 0 or self._by_rows(cols, entries))
        self._take_note(cols, lengths, entries)
        if self.cached.size and self.store.n_products > CACHED_SHARE * (rows.nnz + rows.n_rows):
            self.store.shrink_cache(0)
        n = self.store.n_cached
        if n < self.cached.size:  # the products of all did not fit into the budget, or are of no more use
            self.cached, self._cached_c0 = self.cached[:n].copy(), self._cached_c0[:n].copy()
            self._cached_sums = self._cached_sums[:n].copy()

    def _by_rows(self, cols: Int, entries: int) -> bool:
        """Whether the rows of these columns, of so many entries, are fewer to read."""
        design, by_rows = self.design, entries * self.sparse_row_length
        return design.rows is not None and by_rows <= cols.size * (self.nnz + entries // 2) + design.n_rows

    def _take_note(self, cols: Int, lengths: Int, entries: int) -> None:
        self.cols, self._lengths = np.concatenate([self.cols, cols]), np.concatenate([self._lengths, lengths])
        self.nnz += entries

    def known_gradients(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]] | None:
        if self.design.rows is None:
            return None
        if not self.cached.size:
            if not self._own_rows_are_cheaper(cols, w):
                return None
            return self._on_own_rows(cols, w, self.center + shift), np.ones(cols.size, dtype=np.bool_)
        c, known = self._of_cached(cols, w, shift)
        if not known.all():
            others = cols[~known]
            if self._own_rows_are_cheaper(others, w):
                c[~known] = self._on_own_rows(others, w, self.center + shift)
                known[:] = True
        return c, known

    def _of_cached(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]]:
        """The gradients of those of the columns that are cached, and which are."""
        c, known = cached_gradients(self.store, cols, self._cached_c0, self._cached_sums, shift, w)
        return c, known.view(np.bool_)

    def _own_rows_are_cheaper(self, cols: Int, w: Vector) -> bool:
        """Whether the rows of these columns cost less to read than a residual for all rows, counted in entries."""
        design, most = self.design, self.design.n_rows + self.nnz
        least = ROW_COST + ENTRY_COST * self.sparse_row_length - 1
        if cols.size * least > most or (entries := int(self.rows.lengths(cols).sum())) * least > most:
            return False
        active = w != 0.0
        n_dense = np.count_nonzero(active & (self.cols >= design.n_sparse))
        dense = n_dense * design.n_rows
        passes = design.n_rows + self._lengths @ active - dense + dense // SEQUENTIAL_ENTRIES
        more = ROW_COST + ENTRY_COST * self.sparse_row_length + DENSE_COST * n_dense - 1
        return bool(entries * more <= passes)

    def _on_own_rows(self, cols: Int, w: Vector, base: float) -> Vector:
        c: Vector = self.store.gradient_by_rows(cols, self.rows.y, w)
        return c - self.rows.moments(cols).sums * base if base != 0.0 else c

"""Coordinate descent on the members' sparse Gram matrix, and what that Gram makes cheap. Knows no grid of strengths and no screening."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore
from sparsereg.objective.problem import Problem
from sparsereg.solvers.residual_cd import Descent

__all__ = ["GramDescent"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# What visiting a column on its own rows costs, against entries read in a stream: each row has to be fetched, with what it aims at, each
# of its entries asks whose it is, and each dense column that is active has its value elsewhere.
MISS = 50
LOOK_UP = 1
FETCH = 20
# Entries of a dense column, which are read in the order of the rows, that cost as much as one read through its row's number.
IN_ORDER = 4
# Active members up to which a Newton step is solved directly: a dense square of 2 MB, some milliseconds.
DIRECT = 500
# A Newton step that costs as many epochs is cheap.
EPOCHS = 6
# Columns that are watched: between so many, the more the shorter rows are, for they meet fewer; if they have so many entries, and rows are no
# longer than this. What is kept of their products with the members takes at most half a byte an entry of X, an eighth of its indices' room.
WATCHED = (8_192, 60_000)
MET = 200_000
LIGHT = 6
LONG_ROW = 100
SMALL = 600_000


class GramDescent(Descent):
    """Coordinate descent on the members' sparse Gram: an epoch costs its entries, not those of X.

    in and out of every method: q = X_M' r for the residual that is not centred, r_sum = sum(r).
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        design = problem.design
        self.row_length = design.nnz / design.n_rows - (design.n_cols - design.n_sparse)  # of what is sparse
        self.store = self._new_store()
        self.q = np.empty(0)
        self.r_sum = 0.0
        self.watched, self._watched_c0, self._watched_sums = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)

    def _new_store(self) -> GramStore:
        design = self.problem.design
        return GramStore(design.matrix, design.sparse_rows, design.index_in_rows, self.problem.s)

    def watch(self, c: Vector) -> None:
        """Watch the heaviest columns, from the gradient `c` of all at w = 0.

        Their products with a column that is taken in fall out of the walk through its rows that the Gram asks for anyway; with
        those, their gradients follow from the coefficients, and the columns that would be visited most are never read again.
        Where rows are long such walks would cost more than they save."""
        design = self.problem.design
        if design.rows is None or self.row_length > LONG_ROW:
            return
        most = int(np.clip(MET / max(self.row_length, 1.0), *WATCHED))
        # Each kind has its longest first. What watched columns have with a few dense ones is kept with those; of many, each would
        # be met by every dense member in all rows.
        n_dense = design.n_cols - design.n_sparse
        dense = [] if self.store.counting or n_dense > LONG_ROW else [design.n_cols]
        kinds = (0, design.n_ones, design.n_sparse, *dense)
        heavy = np.concatenate([np.arange(a, min(a + most, b)) for a, b in pairwise(kinds)])
        if not heavy.size:
            return
        lengths = design.lengths(heavy)
        order = np.argsort(-lengths, kind="stable")[:most]
        self.watched = heavy[order[lengths[order] >= LIGHT]]
        self._watched_c0, self._watched_sums = c[self.watched], self.problem.stats(self.watched).sums
        self.store.cache(self.watched, SMALL + design.nnz // 2)

    def gradient_of(self, cols: Int | None) -> Vector:
        """From the coefficients where a column is watched; of the others on their own rows where that reads less than
        a residual for all rows."""
        if cols is None or self.problem.design.rows is None:
            return super().gradient_of(cols)
        places = self.store.cache_index(cols)
        seen = places >= 0
        c = np.empty(cols.size)
        if seen.any():
            c[seen] = self._watched_gradient(int(places.max()) + 1)[places[seen]]
        if not seen.all():
            c[~seen] = self._visit(cols[~seen])
        return c

    def _watched_gradient(self, first: int) -> Vector:
        """Of the first so many watched columns: the heaviest come first, and most of those that matter."""
        c = self._watched_c0[:first] - self._watched_sums[:first] * (self.r_sum / self.problem.weight_sum)
        self.store.subtract_cached(self.w, c)
        return c

    def _visit(self, cols: Int) -> Vector:
        problem, design = self.problem, self.problem.design
        active = self.cols[self.w != 0.0]
        n_dense = np.count_nonzero(active >= design.n_sparse)
        dense = n_dense * design.n_rows
        own, active = design.lengths(cols).sum(), design.lengths(active).sum() - dense + dense // IN_ORDER
        if own * (MISS + LOOK_UP * self.row_length + FETCH * n_dense) > design.n_rows + active + own:
            return super().gradient_of(cols)
        c: Vector = self.store.gradient_by_rows(cols, problem.y, self.w)
        if problem.fit_intercept:
            c -= problem.stats(cols).sums * (problem.centre + self.r_sum / problem.weight_sum)
        return c

    def _added(self, cols: Int) -> None:
        """Through the rows of the new columns or by a dot product with each member, whichever reads less."""
        design = self.problem.design
        rows = float(design.lengths(cols).sum()) * self.row_length
        fewer = design.rows is not None and rows <= cols.size * self.nnz + design.n_rows
        self.store.append(cols, fewer or self.watched.size > 0)
        n = self.store.n_cached
        if n < self.watched.size:  # there was no room for the products of all
            self.watched, self._watched_c0 = self.watched[:n].copy(), self._watched_c0[:n].copy()
            self._watched_sums = self._watched_sums[:n].copy()
        self._refresh()

    def set_w(self, w: Vector) -> None:
        self.w[:] = w
        self._refresh()

    def _refresh(self) -> None:
        """q and r_sum from w, so that nothing drifts: c0 is q at w = 0, where sum(r) = 0."""
        self.q = self.c0.copy()
        self.store.subtract(self.w, self.q)
        self.r_sum = -float(self.sums @ self.w)

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:
        co = self._coordinates(self.r_sum)
        epochs, _ = self.store.cd(co, order, self.q, max_epochs, tol)
        self.r_sum = co.r_sum
        return int(epochs)

    def gradient(self) -> Vector:
        return self.q - self.sums * (self.r_sum / self.problem.weight_sum)

    def gram_product(self, x: Vector) -> Vector:
        out = np.zeros(self.m)
        self.store.subtract(x, out)
        return -out - self.sums * (float(self.sums @ x) / self.problem.weight_sum)

    def newton_is_cheap(self) -> bool:
        """By count: k^3/6 for k active members, and the entries of their columns for an epoch."""
        k = np.count_nonzero(self.w)
        return bool(0 < k <= DIRECT and k * k * self.m < 6 * EPOCHS * self.store.used)

    def _newton_step(self, slope: Vector, active: NDArray[np.bool_], most: int) -> tuple[Vector, int]:
        """Directly while the active members are few, which takes no more time than a few products."""
        if np.count_nonzero(active) > DIRECT:
            return self._conjugate_gradients(slope, active, most)
        return self.store.newton_step(self._coordinates(self.r_sum), slope), 1

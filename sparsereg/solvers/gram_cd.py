"""Coordinate descent on the Gram matrix of the working set: once a column is in, no row is read for it again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.quadratic import Quadratic
from sparsereg.rows.contract import Gram
from sparsereg.solvers.working_set import CHEAP_EPOCHS, MAX_DIRECT, MAX_SWEEPS, Position, WorkingSet

__all__ = ["GramCD"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class GramCD(WorkingSet):
    """An epoch costs the entries of the Gram matrix, not those of X.

    Before and after every method: q = X_W' r for the residual that is not centred, and r_sum = sum(r).
    """

    name = "gram_cd"

    def __init__(self, quadratic: Quadratic, gram: Gram | None = None) -> None:
        super().__init__(quadratic)
        self.gram = quadratic.rows.gram(quadratic.center) if gram is None else gram
        self.q = np.empty(0)
        self.r_sum = 0.0

    def cache_rows(self, c: Vector) -> None:
        self.gram.cache_rows(c)

    def best_first(self) -> Int:
        return self.gram.few_dense()

    @property
    def gram_entries(self) -> int:
        return int(self.gram.store.used)

    @property
    def gram_held(self) -> int:
        return self.gram.held

    def gradient_of(self, cols: Int | None) -> Vector:
        """From the coefficients, or on the columns' own rows, where that is known or cheap; else from a residual for
        all rows."""
        found = (
            None if cols is None else self.gram.known_gradients(cols, self.w, self.r_sum / self.quadratic.weight_sum)
        )
        if cols is None or found is None:
            return super().gradient_of(cols)
        c, known = found
        if not known.all():
            c[~known] = super().gradient_of(cols[~known])
        return c

    def _added(self, cols: Int) -> None:
        self.gram.extend(cols)
        if not self.epoch_is_dear:
            self._refresh()
            return
        first = self.q.size  # the new columns are at 0, so that q is right for those before
        self.q = np.concatenate([self.q, self.c0[first:]])
        self.gram.store.subtract_last(first, self.w, self.q)

    def set_w(self, w: Vector) -> None:
        self.w = w.copy()
        self._refresh()

    def position(self) -> Position:
        return Position(self.w, self.q, self.r_sum)

    def move_to(self, there: Position) -> None:
        self.w, self.q, self.r_sum = there

    def project(self, start: Position, margin: float) -> Position:
        """A sweep costs the columns, and the Gram entries of those that are violated."""
        u, q = start.w.copy(), start.state.copy()
        co = self._coordinates(start.r_sum, u)
        self.gram.store.project(co, q, MAX_SWEEPS, margin, margin)
        return Position(u, q, co.r_sum)

    def _refresh(self) -> None:
        """q and r_sum from w, so that rounding does not accumulate: c0 is q at w = 0, where sum(r) = 0."""
        self.q = self.c0.copy()
        self.gram.store.subtract(self.w, self.q)
        self.r_sum = -self.products_sum()

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:
        co = self._coordinates(self.r_sum)
        epochs, _ = self.gram.store.cd(co, order, self.q, max_epochs, tol)
        self.r_sum = co.r_sum
        return int(epochs)

    def gradient(self) -> Vector:
        return self.q - self.sums * (self.r_sum / self.quadratic.weight_sum)

    def gram_product(self, x: Vector) -> Vector:
        out = np.zeros(self.m)
        self.gram.store.subtract(x, out)
        return -out - self.sums * (float(self.sums @ x) / self.quadratic.weight_sum)

    def newton_is_cheap(self) -> bool:
        """By count: k^3/6 for k active columns, and the entries of their Gram columns for an epoch."""
        k = np.count_nonzero(self.w)
        if self.quadratic.penalty.kernel is None:
            return False
        return bool(0 < k <= MAX_DIRECT and k * k * self.m < 6 * CHEAP_EPOCHS * self.gram_entries)

    def newton_step(self, slope: Vector, active: NDArray[np.bool_], max_products: int) -> tuple[Vector, int]:
        """Directly while the active columns are few, which takes no more time than a few products."""
        if np.count_nonzero(active) > MAX_DIRECT or self.quadratic.penalty.kernel is None:
            return super().newton_step(slope, active, max_products)
        chosen = self._coordinates(self.r_sum, active.astype(np.float64))  # the kernel takes those that are not 0
        return self.gram.store.newton_step(chosen, slope), 1

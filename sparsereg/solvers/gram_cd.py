"""Coordinate descent on the Gram matrix of the working set: once a column is in, no row is read for it again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import gap_sums_of_gram
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import GapTerms
from sparsereg.rows.contract import Gram
from sparsereg.solvers.direct_step import direct_step
from sparsereg.solvers.working_set import MAX_DIRECT, MAX_PRODUCTS, MAX_SWEEPS, Position, WorkingSet, padded

__all__ = ["GramCD"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Entries of a dense square that are always allowed: 16 MB.
FREE_SQUARE = 2_000_000
# The same without an l1 penalty, where one direct step does it: 128 MB, and in products with the Gram matrix its worth.
SMOOTH_SQUARE, SMOOTH_PRODUCTS = 16_000_000, 1000
# Multiplications of a dense factor in the time of one entry of a product with the Gram matrix (measured).
DENSE_PER_ENTRY = 100
# Epochs after which q is computed anew when columns join.
REFRESH_EPOCHS = 100
# Epochs that a direct step is worth where conjugate gradients did not converge.
WORTH_EPOCHS = 10


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
        self._epochs = 0  # since q was computed from w

    def cache_rows(self, c: Vector) -> None:
        self.gram.cache_rows(c)

    def best_first(self) -> Int:
        return self.gram.few_dense()

    @property
    def gram_entries(self) -> int:
        return int(self.gram.store.entries)

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
        if self._epochs > REFRESH_EPOCHS and not self.epoch_is_costly:
            self._refresh()
            return
        self.q = self._extended(self.q, self.w)

    def _extended(self, q: Vector, w: Vector) -> Vector:
        """q, right for the first columns, for those after them too, which are at 0 in `w`."""
        first = q.size
        if self.m - first > np.count_nonzero(w):  # the columns that are not at 0 are fewer to read than the new ones
            return self.position_of(w).state
        q = np.concatenate([q, self.c0[first:]])
        self.gram.store.subtract_last(first, w, q)
        return q

    def copied_position(self) -> Position:
        return Position(self.w.copy(), self.q.copy(), self.r_sum)

    def move_beyond(self, before: Position, share: float) -> None:
        """q is on its own line, but for what the coefficients that move to 0 differ; now and then it is computed anew,
        as in a model, which is another one now."""
        w, off_line = self._beyond(before.w, share)
        if self.is_model or self._epochs > REFRESH_EPOCHS:
            self.set_w(w)
            return
        then = self._extended(before.state, padded(before.w, self.m))
        q = self.q + share * (self.q - then)
        self.gram.store.subtract(off_line, q)
        self.move_to(Position(w, q, -float(self.sums @ w)))

    def return_to(self, before: Position) -> None:
        """The columns added since leave q of those before as it was."""
        w = padded(before.w, self.m)
        self.move_to(Position(w, self._extended(before.state, w), before.r_sum))

    def set_w(self, w: Vector) -> None:
        self.w = w.copy()
        self._refresh()

    def position(self) -> Position:
        return Position(self.w, self.q, self.r_sum)

    def move_to(self, there: Position) -> None:
        self.w, self.q, self.r_sum = there

    def position_of(self, w: Vector) -> Position:
        """That of the coefficients `w`, without moving there."""
        q = self.c0.copy()
        self.gram.store.subtract(w, q)
        return Position(w, q, -float(self.sums @ w))

    def project(self, start: Position, margin: float) -> Position:
        """A sweep costs the columns, and the Gram entries of those that are violated."""
        u, q = start.w.copy(), start.state.copy()
        co = self._coordinates(start.r_sum, u)
        self.gram.store.project(co, q, MAX_SWEEPS, margin, margin)
        return Position(u, q, co.r_sum)

    def _refresh(self) -> None:
        """q and r_sum from w, so that rounding does not accumulate: c0 is q at w = 0, where sum(r) = 0."""
        _, self.q, self.r_sum = self.position_of(self.w)
        self._epochs = 0

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:
        co = self._coordinates(self.r_sum)
        epochs, _ = self.gram.store.cd(co, order, self.q, max_epochs, tol)
        self.r_sum = co.r_sum
        self._epochs += int(epochs)
        return int(epochs)

    def gradient(self) -> Vector:
        return self.q - self.sums * (self.r_sum / self.quadratic.weight_sum)

    def measured(self) -> tuple[GapTerms, float, Vector]:
        """In one call, where the penalty has a kernel."""
        if self.quadratic.penalty.kernel is None:
            return super().measured()
        co = self._coordinates(self.r_sum)
        sums, squared_residual, c = gap_sums_of_gram(co, self.q, self.c0, self.quadratic.null_deviance)
        return GapTerms(*sums), squared_residual, c

    def gram_product(self, x: Vector) -> Vector:
        out = self.sums * (float(self.sums @ x) / self.quadratic.weight_sum)
        self.gram.store.subtract(x, out)
        return np.negative(out, out=out)

    def newton_is_cheap(self) -> bool:
        """By count: k^3/6 for k active columns, of which two take as long as an entry of their Gram columns, which an
        epoch reads."""
        k, entries = int(np.count_nonzero(self.w)), self.gram_entries
        cheap = k * k * self.m < 12 * self.cheap_epochs * entries
        worth = self.ill_conditioned and k**3 <= DENSE_PER_ENTRY * WORTH_EPOCHS * entries
        return self._is_direct(k) and (cheap or worth)

    def newton_step(self, slope: Vector, active: NDArray[np.bool_], max_products: int) -> tuple[Vector, int]:
        """Directly where that is allowed, else by conjugate gradients."""
        k = int(np.count_nonzero(active))
        if not self._is_direct(k):
            return super().newton_step(slope, active, max_products)
        chosen = self._coordinates(self.r_sum, active.astype(np.float64))  # the kernel takes those that are not 0
        return direct_step(self.gram.store, chosen, slope), 1

    def _is_direct(self, k: int) -> bool:
        """Whether steps on k columns are solved directly: on few, which takes no more time than a few products, and
        where conjugate gradients did not converge, if a dense factor takes no more time than they and no more memory
        than the Gram matrix. Without an l1 penalty a direct step ends the descent, and is worth many products."""
        entries, smooth = self.gram_entries, self.l1_ratio == 0.0 and not self.quadratic.penalty.positive
        products, free = (SMOOTH_PRODUCTS, SMOOTH_SQUARE) if smooth else (MAX_PRODUCTS, FREE_SQUARE)
        instead = k**3 <= DENSE_PER_ENTRY * products * entries and k * k <= max(4 * entries, free)
        few = k <= MAX_DIRECT or (self.ill_conditioned and instead)
        return k > 0 and few and self.quadratic.penalty.kernel is not None

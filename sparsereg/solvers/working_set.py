"""The working set: the few columns that a solver works on, with all that is known of each. Knows no strengths to come.

`gram_cd`, `residual_cd` and `prox_gradient` each move it their own way; `newton` takes steps on its non-zero
coefficients.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Coordinates, moving
from sparsereg.objective.quadratic import Quadratic
from sparsereg.penalties import GapTerms
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.memory import FEW_COLUMNS
from sparsereg.solvers.gap_rounding import length_of

__all__ = ["CHEAP_EPOCHS", "ENOUGH_MARGINS", "MAX_DIRECT", "MAX_SWEEPS", "Position", "WorkingSet", "padded"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# A coefficient that moves the predictions by less than this share of the largest, and of the target, is rounding.
NEGLIGIBLE = 2e-13
# Sweeps of projections in search of a dual point.
MAX_SWEEPS = 100
# Where sweeps are dear they end once no threshold is violated by more than so many margins: the largest violation is
# shared with the columns outside, so that a smaller one gains little.
ENOUGH_MARGINS = 3.0
# Active columns up to which a Newton step is solved directly: a dense square of 2 MB, some milliseconds.
MAX_DIRECT = 500
# Products with the Gram matrix that a Newton step may take.
MAX_PRODUCTS = 50
# A Newton step that costs as many epochs is cheap.
CHEAP_EPOCHS = 6
# An epoch that reads fewer entries costs little more than the call.
COSTLY_EPOCH = 10_000


def padded(w: Vector, m: int) -> Vector:
    """Coefficients of the first columns for all m: those that joined since are at 0."""
    return np.concatenate([w, np.zeros(m - w.size)])


class Position(NamedTuple):
    """Coefficients of a working set with what follows from them: `X_W' r` or r, not centred, and `sum(r)`."""

    w: Vector
    state: Vector
    r_sum: float


class WorkingSet(ABC):
    """Columns side by side; subclasses know how to move their coefficients.

    Attributes
    ----------
    cols, w : arrays of shape (m,)
        The columns and their coefficients.
    sums, sq, max_abs, c0 : float64 arrays of shape (m,)
        `x_j' s`, the curvature, the largest `|x_ij|`, and the centred gradient at w = 0.
    l1, l2 : float64 arrays of shape (m,)
        Strengths at the present alpha.
    unpenalized : int64 array
        Positions of the columns that are not penalized.
    nnz : int
        Their stored entries.
    name : str
        What a path's record calls this way of moving them.
    cheap_epochs : int
        A Newton step that takes no longer than so many epochs is cheap.
    is_model : bool
        Whether the objective is the model of a loss at a point.
    """

    name: ClassVar[str]
    is_model: ClassVar[bool] = False

    def __init__(self, quadratic: Quadratic) -> None:
        self.quadratic = quadratic
        self.cols, self.nnz = np.empty(0, dtype=np.int64), 0
        self._known: NDArray[np.float64] | None = None
        self._buffer = np.empty((5, 0))
        self.sums, self.sq, self.max_abs, self.c0, self._lengths = self._buffer
        self._lengths_of = self.sq
        self.w, self.l1, self.l2 = (np.empty(0) for _ in range(3))
        self.scale, self.l1_ratio = 0.0, 1.0
        self.unpenalized = np.empty(0, dtype=np.int64)
        self.cheap_epochs = CHEAP_EPOCHS
        self.ill_conditioned = False  # whether conjugate gradients did not converge the last time

    @property
    def m(self) -> int:
        return self.cols.size

    def add(self, cols: Int, c0: Vector | None = None) -> None:
        """Append columns, at w = 0. `c0`: their gradients there, if they are known."""
        known = self._facts(cols, c0) if self._known is None or c0 is not None else self._known.take(cols, axis=1)
        self.cols, self.w = np.concatenate([self.cols, cols]), np.concatenate([self.w, np.zeros(cols.size)])
        self.sums, self.sq, self.max_abs, self.c0, self._lengths = self._append(known)
        self._lengths_of = self.sq
        self._set_strengths()
        self.nnz += int(self.quadratic.rows.lengths(cols).sum())
        self._added(cols)

    def know(self, c: Vector) -> None:
        """Keep what `add` asks of each column where there are few, c being the gradients of all at w = 0."""
        if c.size <= FEW_COLUMNS:
            self._known = self._facts(None, c)

    def _facts(self, cols: Int | None, c0: Vector | None) -> NDArray[np.float64]:
        """`sums`, `sq`, `max_abs`, `c0` and `lengths()` of these columns, or of all."""
        quadratic = self.quadratic
        sums, sq, _, max_abs = quadratic.moments(cols)
        if c0 is None:
            c0 = quadratic.rows.gradients(None, 0.0, cols) - sums * quadratic.center
        return np.array([sums, sq, max_abs, c0, length_of(quadratic, sq, sums)])

    def _append(self, facts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Those of all members, then of new ones, in a buffer with space for more, so that they are rarely copied."""
        n = self.m
        m = n - facts.shape[1]
        if n > self._buffer.shape[1]:
            before, self._buffer = self._buffer, np.empty((facts.shape[0], n + n // 2))
            self._buffer[:, :m] = before[:, :m]
        self._buffer[:, m:n] = facts
        return self._buffer[:, :n]

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        """Make alpha the present strength."""
        self.scale, self.l1_ratio = self.quadratic.weight_sum * alpha, l1_ratio
        self._set_strengths()

    def _set_strengths(self) -> None:
        self.l1, self.l2 = self.quadratic.penalty.strengths(self.scale, self.l1_ratio, self.cols)
        if self.m and self.quadratic.penalty.is_uniform and self.l1[0] + self.l2[0] > 0.0:
            self.unpenalized = self.unpenalized[:0]
        else:
            (self.unpenalized,) = (self.l1 + self.l2 == 0.0).nonzero()

    def coefficients(self, w: Vector | None = None) -> Coefficients:
        """The non-zero ones, in the order of the columns; of `w`, earlier ones of the first columns, if given."""
        w = self.w if w is None else w
        keep = self._beyond_rounding(w)
        cols = self.cols[keep]
        order = cols.argsort()
        return Coefficients(cols[order], w[keep[order]])

    def without_rounding(self) -> Vector:
        """`w`; those that move nothing beyond rounding are 0."""
        w, keep = np.zeros(self.m), self._beyond_rounding(self.w)
        w[keep] = self.w[keep]
        return w

    def _beyond_rounding(self, w: Vector) -> Int:
        """Which coefficients move something, with the curvature of the penalty: leaving one out adds `(sq + l2) w^2 /
        2` to the objective."""
        moves = math.sqrt(max(self.quadratic.null_deviance, 0.0))
        return moving(w, self.sq[: w.size], self.l2[: w.size], NEGLIGIBLE, moves)

    def lengths(self) -> Vector:
        """`|x_j|_s` about 0, kept until the curvatures are replaced."""
        if self._lengths_of is not self.sq:
            self._lengths, self._lengths_of = length_of(self.quadratic, self.sq, self.sums), self.sq
        return self._lengths

    def products_sum(self) -> float:
        """`s' X w`; 0 without an intercept."""
        return float(self.sums @ self.w)

    def squared_residual(self, c: Vector) -> float:
        """`|r|_s^2` from the gradient: r'r = r'y - c'w and r'y = y'y - c0'w."""
        return max(self.quadratic.null_deviance - float((self.c0 + c) @ self.w), 0.0)

    def measured(self) -> tuple[GapTerms, float, Vector]:
        """The penalty's part of the gap at the residual, `|r|_s^2`, and the gradient."""
        c = self.gradient()
        return self.quadratic.penalty.gap_terms(self.w, c, self.l1, self.l2), self.squared_residual(c), c

    def value(self) -> float:
        """`S F` of the working set's objective."""
        terms, squared_residual, _ = self.measured()
        return 0.5 * squared_residual + terms.l1_norm + 0.5 * terms.l2_sq

    def gradient_of(self, cols: Int | None) -> Vector:
        """`c_j` of columns outside, or (None) of every observed column, from a residual for all rows."""
        shift = -self.products_sum() / self.quadratic.weight_sum
        at = Coefficients(self.cols, self.w)
        return self.quadratic.rows.gradients(at, self.quadratic.center + shift, cols)

    def _coordinates(self, r_sum: float, w: Vector | None = None) -> Coordinates:
        kernel, w = cast(int, self.quadratic.penalty.kernel), self.w if w is None else w
        return Coordinates(w, self.sums, self.sq, self.l1, self.l2, self.quadratic.weight_sum, kernel, r_sum)

    @abstractmethod
    def _added(self, cols: Int) -> None:
        """Take note of appended columns."""

    @abstractmethod
    def set_w(self, w: Vector) -> None:
        """Move to the coefficients `w`, which are copied."""

    @abstractmethod
    def position(self) -> Position:
        """The present one; it shares its arrays."""

    @abstractmethod
    def move_to(self, there: Position) -> None:
        """Move to a position of these same columns; its arrays are taken over."""

    def copied_position(self) -> Position:
        """The present one to `move_beyond` from later, in arrays of its own; without the state where that is long."""
        return Position(self.w.copy(), np.empty(0), 0.0)

    def move_beyond(self, before: Position, share: float) -> None:
        """Move on along the line from `before`, a position of the first columns, by a share of the way since then.
        Coefficients that would change sign move to 0."""
        self.set_w(self._beyond(before.w, share)[0])

    def _beyond(self, w_before: Vector, share: float) -> tuple[Vector, Vector]:
        """The coefficients there, and how they differ from those on the line."""
        line = self.w.copy()
        line[: w_before.size] -= w_before
        line *= share
        line += self.w
        w = np.where(line * self.w > 0.0, line, 0.0)
        return w, w - line

    def return_to(self, before: Position) -> None:
        """Move to a position of the first columns; those that were added since are at 0."""
        self.set_w(padded(before.w, self.m))

    @abstractmethod
    def project(self, start: Position, margin: float) -> Position:
        """A dual point r(u), u near `start`, that violates no threshold by more than a few times the share `margin`.

        Sweeps of projections: a column over its threshold moves until it is within by that share, the others stay."""

    @abstractmethod
    def descend(self, max_epochs: int, tol: float, order: Int) -> int:
        """Epochs over the columns in `order`, at most `max_epochs`, fewer once every step has `(sq + l2) step^2 <=
        tol`.

        Returns how many."""

    @abstractmethod
    def gradient(self) -> Vector:
        """`c_j` of each column, centred."""

    @abstractmethod
    def gram_product(self, x: Vector) -> Vector:
        """`X_W' S X_W x` in the centred geometry."""

    def cache_rows(self, c: Vector) -> None:  # noqa: B027 - only some have anything to cache
        """Make later gradients cheaper, `c` being the gradients of all columns at w = 0. Before the first `add`."""

    def best_first(self) -> Int:
        """Columns that had better be added first."""
        return np.empty(0, dtype=np.int64)

    @property
    def gram_entries(self) -> int:
        """Entries of the Gram matrix, which an epoch reads where all coefficients move."""
        return 0

    @property
    def gram_held(self) -> int:
        """Bytes that are kept for it."""
        return 0

    @property
    def epoch_is_costly(self) -> bool:
        """Whether an epoch costs more than a look at the gap."""
        return (self.gram_entries or 2 * self.nnz) >= COSTLY_EPOCH

    def newton_is_cheap(self) -> bool:
        """Whether a Newton step takes no longer than `cheap_epochs`."""
        return False

    def newton_step(self, slope: Vector, active: NDArray[np.bool_], max_products: int) -> tuple[Vector, int]:
        """Solve `(G + diag(l2)) step = slope` on the active columns; returns the step and the products with G it took.

        By conjugate gradients scaled by the diagonal, to a hundredth of the slope."""
        diagonal = np.where(active & (self.sq + self.l2 > 0.0), self.sq + self.l2, np.inf)
        x, r = np.zeros_like(slope), slope.copy()
        z = r / diagonal
        p, rz, products = z.copy(), float(r @ z), 0
        enough = 1e-8 * rz
        while products < max_products and rz > enough:
            Ap = np.where(active, self.gram_product(p) + self.l2 * p, 0.0)
            products += 1
            curvature = float(p @ Ap)
            if curvature <= 1e-14 * float(p @ (p * np.where(active, diagonal, 0.0))):  # a flat direction: duplicates
                break
            x += (rz / curvature) * p
            r -= (rz / curvature) * Ap
            z = r / diagonal
            rz, before = float(r @ z), rz
            p = z + (rz / before) * p
        if rz <= enough or max_products >= MAX_PRODUCTS:
            self.ill_conditioned = rz > enough
        return x, products

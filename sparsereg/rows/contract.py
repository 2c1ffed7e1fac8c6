"""What the rest asks of the rows: sums over them, a few numbers a column. Knows no penalties and no solvers.

The rows hold a weighted least-squares problem: observed columns x_j, targets y_i and weights s_i. At coefficients w and
a base b the residual is `r_i = s_i (y_i - b - x_i . w)`; no answer is as long as the rows. Every answer is a sum (or a
maximum) over the rows, so that rows may live in several parts, whose answers add up: folds, files, workers.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import GramStore
from sparsereg.data.design import ColumnStats

__all__ = ["NO_COLUMNS", "Coefficients", "Gram", "Rows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

NO_COLUMNS: Int = np.empty(0, dtype=np.int64)


class Coefficients(NamedTuple):
    """Sparse coefficients: `w[a]` on the observed column `cols[a]`, 0 elsewhere."""

    cols: Int
    w: Vector

    @staticmethod
    def zero() -> Coefficients:
        """w = 0."""
        return Coefficients(NO_COLUMNS, np.empty(0))

    def nonzero(self) -> Coefficients:
        """Without zeros, in the order of the columns."""
        (keep,) = self.w.nonzero()
        keep = keep[self.cols[keep].argsort()]
        return Coefficients(self.cols[keep], self.w[keep])


class Gram(Protocol):
    """A sparse Gram matrix `X_W' S X_W` of a growing working set W.

    Attributes
    ----------
    store : GramStore
        The entries, and the loops of coordinate descent on them.
    held : int
        Bytes that are kept for it.
    """

    store: GramStore

    @property
    def held(self) -> int: ...

    def extend(self, cols: Int) -> None:
        """Append these columns: their products with the working set and with each other."""

    def cache_rows(self, c: Vector) -> None:
        """From now on also keep the products of some columns outside the working set with it, if that saves passes.

        `c` holds the gradients of all columns at w = 0. Only before the first `extend`."""

    def known_gradients(self, cols: Int, w: Vector, shift: float) -> tuple[Vector, NDArray[np.bool_]] | None:
        """`x_j' r` of the listed columns at the working set's coefficients w and the base `center + shift`, and for
        which of them it was worked out: where that is cheaper than a residual for all rows. None: for none of them."""

    def few_dense(self) -> Int:
        """Columns that had better join the working set first."""


class Rows(Protocol):
    """Seven questions, and counts. `cols` lists observed columns; None means all of them.

    Attributes
    ----------
    n_rows, n_cols, nnz : int
        Rows, observed columns, stored entries.
    columns : int array of shape (n_cols,)
        The numbers of the observed columns in X.
    weight_sum, max_weight : float
        `sum s_i` and `max s_i`.
    max_row_length : int
        Most stored entries of a row.
    is_dense : bool
        Whether X is a dense array; columns far from 0 were then shifted beforehand.
    in_memory : bool
        Whether these are `MemoryRows`, which have vectors over the rows too.
    round_is_costly : bool
        Whether a question to the rows, such as the products of a column, costs more than taking in some columns that
        are never needed: a pass over files, a message to other machines.
    """

    @property
    def n_rows(self) -> int: ...
    @property
    def n_cols(self) -> int: ...
    @property
    def nnz(self) -> int: ...
    @property
    def columns(self) -> NDArray[np.integer]: ...
    @property
    def weight_sum(self) -> float: ...
    @property
    def max_weight(self) -> float: ...
    @property
    def max_row_length(self) -> int: ...
    @property
    def is_dense(self) -> bool: ...
    @property
    def in_memory(self) -> bool: ...
    @property
    def round_is_costly(self) -> bool: ...

    def lengths(self, cols: Int | None = None) -> Int:
        """Stored entries of each column, which is what reading it costs."""

    def moments(self, cols: Int | None = None) -> ColumnStats:
        """Sums of each column, in arrays not to be written to."""

    def extent(self, col: int) -> tuple[float, float]:
        """Least and largest value of a column over the rows of positive weight, zeros included."""

    def gradients(self, coef: Coefficients | None, base: float, cols: Int | None = None, target: bool = True) -> Vector:
        """`x_j' r` of each column at `coef` (None: 0) and `base`; without the target, `r_i = -s_i (base + x_i . w)`."""

    def squared_residual(self, coef: Coefficients | None, base: float) -> float:
        """`sum_i s_i (y_i - base - x_i . w)^2`."""

    def residual_max_abs(self, coef: Coefficients | None, base: float) -> float:
        """`max |r_i|`."""

    def products(self, new: Int, cols: Int) -> NDArray[np.float64]:
        """`X_new' S X_cols`, dense."""

    def gram(self, center: float) -> Gram:
        """An empty Gram matrix over these rows, which grows by `products` or by something faster.

        Gradients that it knows count from the base `center`."""

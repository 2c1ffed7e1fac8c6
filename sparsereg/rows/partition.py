"""One part of rows that are not in memory as a whole, and the questions that it answers. Knows nothing of where it is.

A part has columns of ones, by the codes of their entries, then columns of numbers. An answer is a sum or a maximum over
its rows; a question holds all that it needs, so that it may be asked again. `combine` puts the answers of all parts
together, in their order: digits depend neither on threads nor on who computes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg._core.kernels import Codes
from sparsereg.rows.contract import Coefficients

__all__ = [
    "Describe",
    "Gradients",
    "LargestResidual",
    "Partition",
    "Products",
    "Question",
    "SquaredResidual",
    "Totals",
]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Rows taken at a time: their codes stay in the cache between the product with w and that with the residual.
ROW_CHUNK = 1 << 16
# Entries of Gram columns worked out together.
MAX_PRODUCTS = 1 << 22


@dataclass(frozen=True, eq=False)
class Partition:
    """Some rows.

    Attributes
    ----------
    codes : uint16 or uint32 array of shape (m,)
        The columns of ones in each row, row by row.
    starts : uint32 array of shape (n + 1,), or int
        Where the codes of each row begin; or how many codes every row has.
    n_codes : int
        Columns of ones; those of numbers follow.
    numbers : float64 array of shape (q, n)
    y : float64 array of shape (n,)
    s : float64 array of shape (n,) or None
        Row weights; None: all one.
    offset : float64 array of shape (n,) or None
        Known part of the predictor; None: 0.
    number : int
        Which of the parts it is.
    held : float64 array of shape (n,) or None
        Weights of rows that are held out of a fit.
    """

    codes: NDArray[Any]
    starts: NDArray[np.uint32] | int
    n_codes: int
    numbers: NDArray[np.float64]
    y: Vector
    s: Vector | None
    offset: Vector | None = None
    number: int = 0
    held: Vector | None = None

    @property
    def n_rows(self) -> int:
        return self.y.size

    @property
    def n_cols(self) -> int:
        return self.n_codes + self.numbers.shape[0]

    @cached_property
    def view(self) -> Codes:
        return Codes(self.codes, self.starts, self.n_rows, self.n_codes)

    @property
    def max_row_length(self) -> int:
        return self.view.longest + self.numbers.shape[0]

    def target_sums(self) -> tuple[float, float]:
        """`sum s` and `sum s (y - offset)`."""
        y = self.y if self.offset is None else self.y - self.offset
        return (float(y.size), float(y.sum())) if self.s is None else (float(self.s.sum()), float(self.s @ y))

    def __getstate__(self) -> dict[str, Any]:
        """Without the view, which holds addresses."""
        return {name: value for name, value in vars(self).items() if name != "view"}

    def chunks(self, size: int = ROW_CHUNK) -> Iterator[slice]:
        for begin in range(0, self.n_rows, size):
            yield slice(begin, min(begin + size, self.n_rows))

    def predictor(self, rows: slice, w: Vector) -> Vector:
        """`X w` in some rows; w has an entry a column."""
        z = np.zeros(rows.stop - rows.start)
        self.view.matvec(rows.start, rows.stop, w[: self.n_codes], z)
        for x, b in zip(self.numbers, w[self.n_codes :], strict=True):
            if b != 0.0:
                z += b * x[rows]
        return z

    def add_rmatvec(self, rows: slice, v: Vector, c: Vector) -> None:
        """`c += X' v` of some rows, in place."""
        self.view.rmatvec(rows.start, rows.stop, v, c[: self.n_codes])
        for place, x in enumerate(self.numbers, self.n_codes):
            c[place] += x[rows] @ v

    def add_rmatvec_pair(self, rows: slice, v: NDArray[np.float64], c: NDArray[np.float64]) -> None:
        """The same for v of two columns."""
        self.view.rmatvec_pair(rows.start, rows.stop, v, c[: self.n_codes])
        for place, x in enumerate(self.numbers, self.n_codes):
            c[place] += x[rows] @ v

    def rmatvec(self, v: Vector) -> Vector:
        """`X' v`."""
        c = np.zeros(self.n_cols)
        for rows in self.chunks():
            self.add_rmatvec(rows, v[rows], c)
        return c

    def residuals(self, w: Vector | None, base: float, target: bool = True) -> Iterator[tuple[slice, Vector, Vector]]:
        """For each chunk: its rows, `d = y - offset - base - X w` (without the target `-base - X w`), and `s d`."""
        for rows in self.chunks():
            d = np.subtract(self.y[rows] if target else 0.0, base, out=np.empty(rows.stop - rows.start))
            if target and self.offset is not None:
                d -= self.offset[rows]
            if w is not None:
                d -= self.predictor(rows, w)
            yield rows, d, d if self.s is None else self.s[rows] * d

    def products(self, new: Int, s: Vector | None) -> sp.csr_array:
        """`X_new' S X`, sparse, for weights s."""
        codes, numbers = new[new < self.n_codes], new[new >= self.n_codes] - self.n_codes
        blocks = [sp.csr_array((0, self.n_cols)), *self._code_products(codes, s)]
        dense = np.zeros((numbers.size, self.n_cols))
        for row, number in zip(dense, numbers, strict=True):
            row[:] = self.rmatvec(self.numbers[number] if s is None else s * self.numbers[number])
        stacked = sp.vstack([*blocks, sp.csr_array(dense)], format="csr")
        order = np.concatenate([np.flatnonzero(new < self.n_codes), np.flatnonzero(new >= self.n_codes)])
        return stacked[np.argsort(order)]

    def _code_products(self, cols: Int, s: Vector | None) -> Iterator[sp.csr_array]:
        """So many columns of ones at a time that their products are not too many."""
        if not cols.size:
            return
        begin, rows = self.view.rows_of(cols)
        most = np.minimum(np.diff(begin) * self.view.longest, self.n_codes)
        group = np.cumsum(most) // MAX_PRODUCTS
        for number in np.unique(group):
            a, b = np.searchsorted(group, number), np.searchsorted(group, number, side="right")
            indptr, indices, values = self.view.products(begin[a : b + 1], rows, s)
            block = sp.csr_array((values, indices, indptr), shape=(b - a, self.n_codes))
            if not self.numbers.shape[0]:
                yield block
                continue
            sums = np.array([[self._sum(x, rows[i:j], s) for x in self.numbers] for i, j in _pairs(begin[a : b + 1])])
            yield sp.hstack([block, sp.csr_array(sums)], format="csr")

    @staticmethod
    def _sum(x: Vector, rows: NDArray[np.int32], s: Vector | None) -> float:
        return float(x[rows].sum() if s is None else x[rows] @ s[rows])


def _pairs(begin: Int) -> Iterator[tuple[int, int]]:
    return zip(begin[:-1].tolist(), begin[1:].tolist(), strict=True)


class Question(ABC):
    """What is asked of every part."""

    @abstractmethod
    def answer(self, part: Partition) -> Any:
        """The answer of one part."""

    def combine(self, one: Any, other: Any) -> Any:
        """The answer of two parts, in their order."""
        return one + other


@dataclass(frozen=True)
class Totals:
    """What parts say of themselves: `sums` over the columns of X, in this order `x_j' s`, `x_j' (s x_j)`, `|x_j|' s`,
    `x_j' s (y - center)`; `lengths`: stored entries of each column."""

    n_rows: int
    nnz: int
    max_row_length: int
    weight_sum: float
    max_weight: float
    lengths: Int
    sums: NDArray[np.float64]
    max_abs: Vector
    low: Vector
    high: Vector
    y_sum: float
    y_sq: float
    largest: float
    has_offset: bool


@dataclass(frozen=True)
class Describe(Question):
    """The `Totals`, targets being counted from `center`."""

    center: float

    def answer(self, part: Partition) -> Totals:
        n_codes, q = part.n_codes, part.numbers.shape[0]
        sums, largest, y_sum, y_sq = np.zeros((4, part.n_cols)), 0.0, 0.0, 0.0
        for rows, d, sd in part.residuals(None, self.center):
            s = np.ones(d.size) if part.s is None else part.s[rows]
            part.add_rmatvec(rows, s, sums[0])
            part.add_rmatvec(rows, sd, sums[3])
            largest = max(largest, float(np.abs(sd).max()))
            y_sum, y_sq = y_sum + float(sd.sum()), y_sq + float(sd @ d)
        lengths, used = np.zeros(part.n_cols, dtype=np.int64), np.ones(part.n_rows, dtype=np.bool_)
        lengths[:n_codes] = np.bincount(part.codes, minlength=n_codes)
        sums[1:3] = sums[0]
        max_abs, low, high = (lengths > 0).astype(np.float64), np.zeros(q), np.zeros(q)
        if part.s is not None:
            used = part.s > 0.0
        for a, x in enumerate(part.numbers):
            v = np.abs(x) if part.s is None else part.s * np.abs(x)
            sums[1, n_codes + a], sums[2, n_codes + a] = v @ np.abs(x), v.sum()
            max_abs[n_codes + a], lengths[n_codes + a] = np.abs(x).max(initial=0.0), np.count_nonzero(x)
            low[a], high[a] = x[used].min(initial=np.inf), x[used].max(initial=-np.inf)
        weights = np.ones(1) if part.s is None else part.s
        return Totals(
            part.n_rows,
            int(lengths.sum()),
            part.max_row_length,
            float(part.n_rows if part.s is None else part.s.sum()),
            float(weights.max(initial=0.0)) if part.n_rows else 0.0,
            lengths,
            sums,
            max_abs,
            low,
            high,
            y_sum,
            y_sq,
            largest,
            part.offset is not None,
        )

    def combine(self, one: Totals, other: Totals) -> Totals:
        kinds: dict[str, Any] = {"max_row_length": max, "max_weight": max, "largest": max, "has_offset": max}
        kinds |= {"max_abs": np.maximum, "low": np.minimum, "high": np.maximum}
        pairs = {name: (getattr(one, name), getattr(other, name)) for name in vars(one)}
        return Totals(**{name: kinds[name](a, b) if name in kinds else a + b for name, (a, b) in pairs.items()})


@dataclass(frozen=True)
class AtCoefficients(Question):
    """A question of the residuals `s (y - base - X w)`."""

    coef: Coefficients
    base: float

    def dense(self, part: Partition) -> Vector:
        """The coefficients, one a column."""
        w = np.zeros(part.n_cols)
        w[self.coef.cols] = self.coef.w
        return w


@dataclass(frozen=True)
class Gradients(AtCoefficients):
    """`X' r` of every column; without the target `r = -s (base + X w)`."""

    target: bool = True

    def answer(self, part: Partition) -> Vector:
        c = np.zeros(part.n_cols)
        for rows, _, sd in part.residuals(self.dense(part), self.base, self.target):
            part.add_rmatvec(rows, sd, c)
        return c


@dataclass(frozen=True)
class SquaredResidual(AtCoefficients):
    """`sum s (y - base - X w)^2`."""

    def answer(self, part: Partition) -> float:
        return sum(float(sd @ d) for _, d, sd in part.residuals(self.dense(part), self.base))


@dataclass(frozen=True)
class LargestResidual(AtCoefficients):
    """`max |r|`."""

    def answer(self, part: Partition) -> float:
        return max((float(np.abs(sd).max()) for _, _, sd in part.residuals(self.dense(part), self.base)), default=0.0)

    def combine(self, one: float, other: float) -> float:
        return max(one, other)


@dataclass(frozen=True)
class Products(Question):
    """`X_new' S X`, sparse, of all columns."""

    new: Int

    def answer(self, part: Partition) -> sp.csr_array:
        found = part.products(self.new, part.s)
        found.sort_indices()
        return found

"""Rows in parts that are not in memory as a whole: the contract, answered by asking every part. Knows no penalties.

One question to all parts is a *round*: a pass over files, or a message to every worker. What columns say of themselves
and their gradients at 0 are asked for once; the products of a column that joins the working set come with those with
every other column, so that gradients at later coefficients take no round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import ColumnStats
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.gram import RowsGram
from sparsereg.rows.partition import (
    Describe,
    Gradients,
    LargestResidual,
    Partition,
    Products,
    Question,
    SquaredResidual,
    Totals,
)

__all__ = ["Engine", "PartitionedRows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class Engine(Protocol):
    """Who computes: threads of this process, or a cluster."""

    def map(self, work: Callable[..., Any], parts: Sequence[Any], *shared: Any) -> Iterator[Any]:
        """`work(part, *shared)` of each part; the results in the order of the parts."""

    def reduce(self, work: Callable[..., Any], combine: Callable[..., Any], parts: Sequence[Any], shared: Any) -> Any:
        """`work(part, shared)` of all parts together: `combine(shared, *results)` of `FAN_IN` consecutive ones, of as
        many of these, and so on."""


def answer(part: Partition, question: Question) -> Any:
    """The answer of a part."""
    return question.answer(part)


def combined(question: Question, *answers: Any) -> Any:
    """Some consecutive answers together, one after the other."""
    found = answers[0]
    for other in answers[1:]:
        found = question.combine(found, other)
    return found


class PartitionedRows:
    """A weighted least-squares problem over parts, as `sparsereg.rows.contract.Rows` describes it.

    Parameters
    ----------
    parts : sequence
        `Partition`s, or whatever the engine turns into one.
    engine : Engine
    n_features : int
        Columns of X; all are observed.
    center : float
        Targets are counted from here: about their mean, so that sums keep their digits.
    eliminated_length : int
        Rows of the longest combination that a static screen left out of X; 0 if X lacks none.

    Attributes
    ----------
    n_rounds : int
        Questions asked so far.
    """

    in_memory = False
    round_is_costly = True
    is_dense = False

    def __init__(
        self, parts: Sequence[Any], engine: Engine, n_features: int, center: float = 0.0, eliminated_length: int = 0
    ) -> None:
        self.parts, self.engine, self.n_features = list(parts), engine, n_features
        self.center, self.eliminated_length, self.n_rounds = center, eliminated_length, 0
        self.columns = np.arange(n_features)
        self.totals: Totals = self.ask(Describe(center))

    def ask(self, question: Question) -> Any:
        """The answer of all parts together: one round."""
        self.n_rounds += 1
        return self.engine.reduce(answer, combined, self.parts, question)

    @property
    def n_rows(self) -> int:
        return self.totals.n_rows

    @property
    def n_cols(self) -> int:
        return self.n_features

    @property
    def nnz(self) -> int:
        return self.totals.nnz

    @property
    def weight_sum(self) -> float:
        return self.totals.weight_sum

    @property
    def max_weight(self) -> float:
        return self.totals.max_weight

    @property
    def max_row_length(self) -> int:
        return self.totals.max_row_length

    def about(self, center: float) -> PartitionedRows:
        """The same rows with targets counted from another center."""
        return PartitionedRows(self.parts, self.engine, self.n_features, center, self.eliminated_length)

    def lengths(self, cols: Int | None = None) -> Int:
        return self.totals.lengths if cols is None else self.totals.lengths[cols]

    def moments(self, cols: Int | None = None) -> ColumnStats:
        at = slice(None) if cols is None else cols
        sums, squares, l1_norm = self.totals.sums[:3, at]
        return ColumnStats(sums, squares, l1_norm, self.totals.max_abs[at])

    def extent(self, col: int) -> tuple[float, float]:
        number = col - self.n_features + self.totals.low.size
        if number < 0:
            return float(self.totals.lengths[col] == self.n_rows), float(self.totals.lengths[col] > 0)
        return float(self.totals.low[number]), float(self.totals.high[number])

    def gradients(self, coef: Coefficients | None, base: float, cols: Int | None = None, target: bool = True) -> Vector:
        at = slice(None) if cols is None else cols
        if coef is not None and coef.w.any():
            return np.asarray(self.ask(Gradients(coef, base + self.center if target else base, target))[at])
        shift = base * self.totals.sums[0, at]
        return np.asarray(self.totals.sums[3, at] - shift if target else -shift)

    def squared_residual(self, coef: Coefficients | None, base: float) -> float:
        if coef is not None and coef.w.any():
            return float(self.ask(SquaredResidual(coef, base + self.center)))
        totals = self.totals
        return totals.y_sq - 2.0 * base * totals.y_sum + base * base * totals.weight_sum

    def residual_max_abs(self, coef: Coefficients | None, base: float) -> float:
        if coef is None or not coef.w.any():
            return self.totals.largest + abs(base) * self.max_weight
        return float(self.ask(LargestResidual(coef, base + self.center)))

    def products(self, new: Int, cols: Int) -> NDArray[np.float64]:
        return np.asarray(self.products_with_all(new)[:, cols].toarray())

    def products_with_all(self, new: Int) -> sp.csr_array:
        """`X_new' S X`, sparse: one round."""
        return self.ask(Products(new))

    def gram(self, center: float) -> RowsGram:
        return RowsGram(self, center)

"""A loss by single rows, with any columns; see `Units`."""

from __future__ import annotations

from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import mean_moved, reweigh_rows
from sparsereg.rows.contract import Gram
from sparsereg.rows.loss_rows import LossRows
from sparsereg.rows.memory import MemoryRows
from sparsereg.rows.reweigh import Reweighing
from sparsereg.rows.units import At, Units

__all__ = ["RowUnits"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class RowUnits(Units):
    """Every row for itself, with any loss and any columns; `with_gram=False`: without a Gram matrix."""

    def __init__(
        self, loss_rows: LossRows, cols: Int, eta: Vector, intercept: float, *, with_gram: bool = True
    ) -> None:
        super().__init__(loss_rows, np.empty(0, dtype=np.int64), intercept)
        y, s = loss_rows.rows.y, loss_rows.rows.s
        s = np.ones(y.size) if s is None else s
        self._sums, self._with_gram = (s, s * y, s * y * y), with_gram
        self.eta = eta
        self._begin()
        self._reference = self.at.mean.copy()
        self.weigh()
        self.join(cols)

    @property
    def sums(self) -> tuple[Vector, Vector, Vector]:
        return self._sums

    @property
    def gram(self) -> Gram:
        return self._gram

    @property
    def gram_weights(self) -> Vector:
        return self._weights

    def can_join(self, cols: Int) -> bool:  # noqa: ARG002
        return True

    def join(self, cols: Int) -> None:
        if self._with_gram:
            self._gram.extend(cols)
        self.cols = np.concatenate([self.cols, cols])

    def weigh(self) -> None:
        """A new Gram matrix, or the present one brought up to date."""
        rows, weights = self.loss_rows.rows, self._sums[0] * self.raised()
        if self._with_gram and self.cols.size and self._reweigh(weights):
            return
        self._weights = weights
        if not self._with_gram:
            return
        self._reweighing = Reweighing()
        self._gram = MemoryRows(rows.design, rows.y, self._weights).gram(0.0)
        if self.cols.size:
            self._gram.extend(self.cols)

    def _reweigh(self, weights: Vector) -> bool:
        """Change the weights of the Gram matrix where they differ; returns whether that was possible, and by far
        cheaper than to build it anew: a square of all members is needed."""
        design, store = self.loss_rows.rows.design, self._gram.store
        if design.rows is None or self.cols.size**2 > design.nnz or (self.cols >= design.n_sparse).any():
            return False
        changed = self._reweighing.bring_up_to_date(
            store, (self._weights, weights), self._row_lengths, partial(reweigh_rows, store), self.shares_kept
        )
        if changed is None:
            return False
        self._weights[changed] = weights[changed]  # in place: columns that join are weighted by them
        return True

    @cached_property
    def _row_lengths(self) -> Vector:
        rows = self.loss_rows.rows.design.rows
        assert rows is not None
        return rows.lengths().astype(np.float64)

    def predictor_step(self, step: Vector, shift: float) -> tuple[Vector, float]:
        out = np.full(self.n, shift)
        self.loss_rows.rows.design.matrix.add_matvec(step, out, self.cols)
        return out, max(float(out.max()), -float(out.min()))

    def products(self, v: Vector) -> Vector:
        return self.loss_rows.rows.design.rmatvec(v, self.cols)

    def gradients(self, cols: Int | None, mean: Vector | None = None) -> Vector:
        return self.loss_rows.rows.design.rmatvec(self.residual_sums(self.at.mean if mean is None else mean), cols)

    def displacement(self, mean: Vector | None = None) -> tuple[float, float]:
        squared, largest = mean_moved(self._sums[0], self.at.mean if mean is None else mean, self._reference)
        return float(np.sqrt(squared)), largest

    def residual_products(self, at: At) -> Vector:
        return self.products(self.residual_sums(at.mean))

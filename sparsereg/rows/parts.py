"""Rows in several parts whose answers add up: folds, files, workers. Knows nothing of where a part lives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import ColumnStats
from sparsereg.rows.contract import Coefficients, Rows
from sparsereg.rows.gram import ProductsGram

__all__ = ["SummedRows"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


class SummedRows:
    """Several parts as one: every answer is the sum (or the maximum) of theirs, added up in the order of the parts.

    Parameters
    ----------
    parts : sequence of Rows
        Each with its own observed columns, known by their numbers in X.
    """

    in_memory = False

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = list(parts)
        self.columns = np.unique(np.concatenate([part.columns for part in self.parts]))
        self.n_cols, self.n_rows = self.columns.size, sum(part.n_rows for part in self.parts)
        self.nnz = sum(part.nnz for part in self.parts)
        self.weight_sum = sum(part.weight_sum for part in self.parts)
        self.max_weight = max(part.max_weight for part in self.parts)
        self.max_row_length = max(part.max_row_length for part in self.parts)
        self.is_dense = all(part.is_dense for part in self.parts)
        self.round_is_costly = any(part.round_is_costly for part in self.parts)
        self._places = []  # of each of our columns in the part, -1 where it was not observed there
        for part in self.parts:
            place = np.full(self.n_cols, -1)
            place[np.searchsorted(self.columns, part.columns)] = np.arange(part.n_cols)
            self._places.append(place)

    def _each(self, cols: Int | None) -> Iterator[tuple[Rows, NDArray[np.bool_], Int]]:
        """Each part with those of `cols` that it has, as a mask and by its own numbers."""
        for part, place in zip(self.parts, self._places, strict=True):
            local = place if cols is None else place[cols]
            yield part, local >= 0, local[local >= 0]

    def _coef(self, coef: Coefficients | None) -> list[Coefficients | None]:
        if coef is None:
            return [None] * len(self.parts)
        return [Coefficients(local, coef.w[has]) for _, has, local in self._each(coef.cols)]

    def lengths(self, cols: Int | None = None) -> Int:
        out = np.zeros(self.n_cols if cols is None else cols.size, dtype=np.int64)
        for part, has, local in self._each(cols):
            out[has] += part.lengths(local)
        return out

    def moments(self, cols: Int | None = None) -> ColumnStats:
        out = np.zeros((4, self.n_cols if cols is None else cols.size))
        for part, has, local in self._each(cols):
            *sums, max_abs = part.moments(local)
            out[:3, has] += sums
            out[3, has] = np.maximum(out[3, has], max_abs)
        return ColumnStats(*out)

    def extent(self, col: int) -> tuple[float, float]:
        has = [(part, int(place[col])) for part, place in zip(self.parts, self._places, strict=True)]
        found = [part.extent(local) if local >= 0 else (0.0, 0.0) for part, local in has if part.weight_sum > 0.0]
        return min(low for low, _ in found), max(high for _, high in found)

    def gradients(self, coef: Coefficients | None, base: float, cols: Int | None = None, target: bool = True) -> Vector:
        out = np.zeros(self.n_cols if cols is None else cols.size)
        for (part, has, local), at in zip(self._each(cols), self._coef(coef), strict=True):
            out[has] += part.gradients(at, base, local, target)
        return out

    def squared_residual(self, coef: Coefficients | None, base: float) -> float:
        return sum(part.squared_residual(at, base) for part, at in zip(self.parts, self._coef(coef), strict=True))

    def residual_max_abs(self, coef: Coefficients | None, base: float) -> float:
        return max(part.residual_max_abs(at, base) for part, at in zip(self.parts, self._coef(coef), strict=True))

    def products(self, new: Int, cols: Int) -> NDArray[np.float64]:
        out = np.zeros((new.size, cols.size))
        for (part, has_new, of_new), (_, has, local) in zip(self._each(new), self._each(cols), strict=True):
            out[np.ix_(has_new, has)] += part.products(of_new, local)
        return out

    def gram(self, center: float) -> ProductsGram:  # noqa: ARG002 - it knows no gradients
        return ProductsGram(self.products)

"""Solutions with several outputs, targets or classes, and what a path is made from. Knows no solvers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.objective.multi_task import RowCoefficients

__all__ = ["Entries", "RowSolution", "output_coefs"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class Entries:
    """Coefficients that are not 0: `w[e]` of column `columns[e]` of X for output `outputs[e]`, ordered by output and
    column."""

    columns: Int
    outputs: Int
    w: Vector

    @staticmethod
    def of(coef: RowCoefficients, names: NDArray[np.integer]) -> Entries:
        """Those of observed columns, whose numbers in X are `names`."""
        columns = names[coef.cols].astype(np.int64)
        order = np.argsort(columns)
        outputs, place = np.nonzero(coef.w[order].T)
        return Entries(columns[order[place]], outputs, coef.w[order[place], outputs])

    def tocsr(self, n_outputs: int, n_features: int) -> sp.csr_array:
        """All of them, of shape (K, p)."""
        indptr = np.searchsorted(self.outputs, np.arange(n_outputs + 1))
        return sp.csr_array((self.w, self.columns, indptr), shape=(n_outputs, n_features))


@dataclass(frozen=True)
class RowSolution:
    """Coefficients of K outputs at one strength with their certificate.

    Attributes
    ----------
    coef : Entries
    intercepts : float64 array of shape (K,)
    dual_gap : float
        Upper bound on `F - min F`, in the units of F.
    epochs : int
    deviance : float
        Twice the loss, less what no predictor could avoid; for squares `|R|_s^2`.
    products : int
        How many of the epochs were products with a Gram matrix or the Hessian, in Newton steps.
    method : str
    """

    coef: Entries
    intercepts: Vector
    dual_gap: float
    epochs: int
    deviance: float
    products: int = 0
    method: str = ""

    dual: ClassVar[None] = None

    @property
    def intercept(self) -> Vector:
        """One an output."""
        return self.intercepts


def output_coefs(points: Sequence[RowSolution], n_features: int) -> tuple[sp.csc_array, ...]:
    """For each output the coefficients of all points, one column a point."""
    tables = []
    for k in range(points[0].intercepts.size):
        parts = [slice(*np.searchsorted(p.coef.outputs, (k, k + 1))) for p in points]
        indptr = np.cumsum([0, *(part.stop - part.start for part in parts)])
        columns = np.concatenate([p.coef.columns[part] for p, part in zip(points, parts, strict=True)])
        values = np.concatenate([p.coef.w[part] for p, part in zip(points, parts, strict=True)])
        tables.append(sp.csc_array((values, columns, indptr), shape=(n_features, len(points))))
    return tuple(tables)

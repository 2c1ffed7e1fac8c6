"""`B = S^1/2 Xc` in dense slabs, and its two square products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations

__all__ = ["CenteredSlabs", "small_slabs"]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]

# Entries of a dense slab: 32 MB of doubles.
SLAB = 4_000_000
# A sparse product performs about a tenth as many operations a second as a dense one.
SPARSE_PENALTY = 10.0
# Operations up to which a system that is singular to rounding is solved again by singular values: a tenth of a second.
SMALL_AUGMENTED = 1e8


class CenteredSlabs:
    """`B = S^1/2 Xc`, or a copy of some columns, as dense slabs of rows or columns in double precision, and its two
    square products."""

    def __init__(self, equations: NormalEquations, cols: NDArray[np.int64] | None = None) -> None:
        X, some = equations.design.observed(), slice(None) if cols is None else cols
        self.equations = equations
        self.X = X if cols is None else X[:, cols]
        self.shape = self.X.shape
        self.means, self.constant = equations.means[some], equations.diagonal[some] == 0.0

    def augmented(self, penalty: Vector) -> tuple[Matrix2, Vector, Matrix2, Vector]:
        """`left diag(values) right diag(length)` of B above P^1/2, without values that are rounding."""
        equations = self.equations
        B = np.concatenate(list(self.rows()))
        if equations.fit_intercept:  # once more: means are rounded, and would be a direction of their own
            B -= np.outer(equations.root_weights, equations.root_weights @ B / equations.weight_sum)
        A = np.concatenate([B, np.diag(np.sqrt(penalty))])
        length = np.sqrt(np.einsum("ij,ij->j", A, A))
        empty = length == 0.0
        length[empty] = 1.0
        left, values, right = scipy.linalg.svd(A / length, full_matrices=False)
        right[:, empty | self.constant] = 0.0
        keep = values > max(A.shape) * np.finfo(float).eps * values[0]
        return left[:, keep], values[keep], right[keep], length

    def rows(self) -> Iterator[Matrix2]:
        """B by slabs of rows."""
        n, m = self.shape
        step = max(1, SLAB // m)
        for begin in range(0, n, step):
            rows = slice(begin, begin + step)
            yield self._dense(self.X[rows], rows, slice(None))

    def scaled(self) -> Matrix2:
        """All of `B V^-1/2`, V over its largest entry."""
        factor = self.equations.factor
        return np.asarray(np.concatenate(list(self.rows())) / np.sqrt(factor / factor.max()))

    def columns(self) -> Iterator[tuple[slice, Matrix2]]:
        """B by slabs of columns."""
        n, m = self.shape
        step = max(1, SLAB // n)
        X = self.X.tocsc() if sp.issparse(self.X) else self.X
        for begin in range(0, m, step):
            cols = slice(begin, min(begin + step, m))
            yield cols, self._dense(X[:, cols], slice(None), cols)

    def gram(self) -> Matrix2:
        """`B' B`; exactly 0 in constant columns."""
        n, m = self.shape
        if self._sparse_is_cheaper(n, m):
            A, means = self._weighted(), self.means
            out = np.asarray((A.T @ A).toarray())
            out -= self.equations.weight_sum * np.outer(means, means)
        else:
            out = np.zeros((m, m))
            for slab in self.rows():
                out += slab.T @ slab
        out[self.constant] = out[:, self.constant] = 0.0
        return out

    def kernel(self) -> Matrix2:
        """`B V^-1 B'`, of the columns with a penalty."""
        n, m = self.shape
        v = self.equations.factor
        v = np.where(v > 0.0, v, np.inf)
        if not self._sparse_is_cheaper(m, n):
            out = np.zeros((n, n))
            for cols, slab in self.columns():
                out += (slab / v[cols]) @ slab.T
            return out
        A, means, root = self._weighted(), self.means, self.equations.root_weights
        inverse = np.where(self.constant, 0.0, 1.0 / v)
        scaled = A @ sp.diags_array(inverse)
        out = np.asarray((scaled @ A.T).toarray())
        cross = np.outer(scaled @ means, root)
        return out - cross - cross.T + (means * inverse @ means) * np.outer(root, root)

    def _dense(self, part: Any, rows: slice, cols: slice) -> Matrix2:
        """A slab of B from the same part of X."""
        part = part.toarray() if sp.issparse(part) else part
        slab = np.subtract(part, self.means[cols], dtype=np.float64)
        slab[:, self.constant[cols]] = 0.0  # rounding of a mean may be large beside other columns
        return slab if self.equations.s is None else slab * self.equations.root_weights[rows, None]

    def _weighted(self) -> Any:
        """`S^1/2 X`, sparse."""
        A = self.X.astype(np.float64)
        return A if self.equations.s is None else sp.diags_array(self.equations.root_weights) @ A

    def _sparse_is_cheaper(self, long: int, short: int) -> bool:
        """Whether `short x short` products are cheaper summed over `long` sparse slices than over dense ones."""
        if not sp.issparse(self.X):
            return False
        entries = self.X.nnz / long
        return bool(SPARSE_PENALTY * entries**2 < short**2)


def small_slabs(equations: NormalEquations, times: int = 1) -> CenteredSlabs | None:
    """Of a problem for which so many decompositions above a square cost little, or None."""
    n, m = equations.design.n_rows, equations.factor.size
    return CenteredSlabs(equations) if times * (n + m) * m**2 <= SMALL_AUGMENTED else None

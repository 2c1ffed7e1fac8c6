"""Ridge by factorising a small matrix: the Gram, the kernel, or X itself. Knows the normal equations, no estimators.

All three look at `B = S^1/2 Xc`, of which only a slab at a time is dense:

======  ==============================  =========================  ============================================
method  factorises                      of shape                   for
======  ==============================  =========================  ============================================
gram    `B' B + penalty`, Cholesky      (n_cols, n_cols)           few columns
dual    `B V^-1 B' + alpha`, Cholesky   (n, n)                     few rows
svd     `B V^-1/2`, singular values     (n, n_cols), all of it     small data where alpha is 0 or next to nothing
======  ==============================  =========================  ============================================

What a factorisation gives is polished by Newton steps on the true gradient, so that forming a Gram costs no digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations, Solution, System

__all__ = ["Slabs", "dual", "gram", "polished", "polished_dual", "shares", "svd"]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]
Inverse = Callable[[Vector], Vector]

# Entries of a dense slab: 32 MB of doubles.
SLAB = 4_000_000
# A sparse product does about a tenth of a dense one's operations a second.
SPARSE_PENALTY = 10.0
# Columns of a square that are solved for at a time.
COLUMNS = 256
# Newton steps at most; each gains the digits that the factorisation has.
POLISH = 6
# Squared ratio of Cholesky pivots below which H counts as singular.
SINGULAR = 1e-14


class Slabs:
    """`Xc` of a design as dense slabs of rows or columns, in double; and its two square products.

    Parameters
    ----------
    X : CSR or CSC matrix, or dense array, of shape (n, p)
        The matrix that `equations.design` was made from.
    equations : NormalEquations
    """

    def __init__(self, X: Any, equations: NormalEquations) -> None:
        self.equations = equations
        columns = equations.design.columns
        self.X = _observed(X, columns) if sp.issparse(X) else X
        self.root = None if equations.s is None else np.sqrt(equations.s)

    @property
    def shape(self) -> tuple[int, int]:
        return self.equations.design.n_rows, self.equations.design.n_cols

    def rows(self) -> Iterator[Matrix2]:
        """B by slabs of rows."""
        n, m = self.shape
        step = max(1, SLAB // m)
        for begin in range(0, n, step):
            slab = self._dense(self.X[begin : begin + step]) - self.equations.means
            yield slab if self.root is None else slab * self.root[begin : begin + step, None]

    def columns(self) -> Iterator[tuple[slice, Matrix2]]:
        """B by slabs of columns."""
        n, m = self.shape
        step = max(1, SLAB // n)
        X = self.X.tocsc() if sp.issparse(self.X) else self.X
        for begin in range(0, m, step):
            here = slice(begin, min(begin + step, m))
            slab = self._dense(X[:, here]) - self.equations.means[here]
            yield here, slab if self.root is None else slab * self.root[:, None]

    def gram(self) -> Matrix2:
        """`B' B`, without rounding in constant columns: theirs are 0."""
        out = self._gram()
        constant = self.equations.diagonal == 0.0
        out[constant] = out[:, constant] = 0.0
        return out

    def _gram(self) -> Matrix2:
        """The same by sparse or dense products, whichever are fewer."""
        n, m = self.shape
        if not self._sparse_is_cheaper(n, m):
            out = np.zeros((m, m))
            for slab in self.rows():
                out += slab.T @ slab
            return out
        A = self._scaled()
        out = np.asarray((A.T @ A).toarray())
        out -= self.equations.weight_sum * np.outer(self.equations.means, self.equations.means)
        return out

    def kernel(self) -> Matrix2:
        """`B V^-1 B'`."""
        n, m = self.shape
        v = self.equations.factor
        if not self._sparse_is_cheaper(m, n):
            out = np.zeros((n, n))
            for here, slab in self.columns():
                out += (slab / v[here]) @ slab.T
            return out
        A, means = self._scaled(), self.equations.means
        root = np.ones(n) if self.root is None else self.root
        scaled = A @ sp.diags_array(1.0 / v)
        out = np.asarray((scaled @ A.T).toarray())
        cross = np.outer(scaled @ means, root)
        return out - cross - cross.T + (means / v @ means) * np.outer(root, root)

    def _dense(self, part: Any) -> Matrix2:
        return np.asarray(part.toarray() if sp.issparse(part) else part, dtype=np.float64)

    def _scaled(self) -> Any:
        A = self.X.astype(np.float64)
        return A if self.root is None else sp.diags_array(self.root) @ A

    def _sparse_is_cheaper(self, long: int, short: int) -> bool:
        """Whether summing `short x short` products over `long` sparse slices beats doing so over dense ones."""
        if not sp.issparse(self.X):
            return False
        entries = self.X.nnz / long
        return bool(SPARSE_PENALTY * entries**2 < short**2)


def _observed(X: Any, columns: NDArray[np.int64]) -> Any:
    """`X[:, columns]` as CSR without anything of nominal width; `columns` are all that are observed, in any order."""
    if X.format == "csc":
        return X[:, columns].tocsr()
    order = np.argsort(columns)
    place = order[np.searchsorted(columns, X.indices, sorter=order)]
    return sp.csr_array((X.data, place, X.indptr), shape=(X.shape[0], columns.size))


def gram(slabs: Slabs, systems: list[System]) -> list[Solution]:
    """Each system by a factorisation of H, shared among equal penalties."""
    square = slabs.gram()
    inverses: dict[bytes, tuple[Inverse, bool]] = {}
    solutions = []
    for system in systems:
        key = system.penalty.tobytes()
        if key not in inverses:
            inverses[key] = _inverse(square + np.diag(system.penalty))
        solutions.append(polished(system, *inverses[key]))
    return solutions


def polished(system: System, inverse: Inverse, whole: bool) -> Solution:
    """Newton steps on the true gradient while they help: the first one from 0 is the solution, the others its lost digits.

    A `whole` inverse bounds what is left, `g' H^-1 g`; a pseudo-inverse knows nothing of the directions that it leaves out."""
    w = np.zeros(system.penalty.size)
    g, steps = system.b, 0
    while steps < POLISH:
        steps += 1
        w_new = w + inverse(g)
        g_new = system.gradient(w_new)
        if not np.linalg.norm(g_new) < np.linalg.norm(g):
            break
        w, g = w_new, g_new
    found = system.solution(w, steps)
    return replace(found, dual_gap=min(found.dual_gap, max(float(g @ inverse(g)), 0.0))) if whole else found


def _inverse(H: Matrix2) -> tuple[Inverse, bool]:
    """`H^-1`, and True; where H is singular to rounding, its pseudo-inverse, so that solutions have the least norm, and False.

    Judged and factorised with a diagonal of 1, so that no column's unit makes H seem singular. Constant columns that bear no penalty
    stay at 0."""
    diagonal = np.diag(H)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    try:
        factor = scipy.linalg.cho_factor(H * scale * scale[:, None], lower=True, overwrite_a=True)
        pivots = np.diag(factor[0])
        if (pivots.min() / pivots.max()) ** 2 > SINGULAR:
            return lambda g: np.asarray((scipy.linalg.cho_solve(factor, (g.T * scale).T).T * scale).T), True
    except np.linalg.LinAlgError:
        pass
    values, vectors = scipy.linalg.eigh(H)
    keep = values > H.shape[0] * np.finfo(float).eps * max(values[-1], 0.0)
    values, vectors = values[keep], vectors[:, keep]
    return lambda g: np.asarray((vectors / values) @ (vectors.T @ g)), False


def dual(slabs: Slabs, systems: list[System], alphas: Vector) -> list[Solution]:
    """Each system from `(K + alpha) t = S^1/2 yc`, `K = B V^-1 B'`, as `w = V^-1 B' t`. Wants alpha and all of V positive."""
    kernel = slabs.kernel()
    inverses: dict[float, Inverse] = {}
    solutions = []
    for system, alpha in zip(systems, alphas, strict=True):
        if alpha not in inverses:
            inverses[alpha] = _inverse(kernel + alpha * np.eye(kernel.shape[0]))[0]
        solutions.append(polished_dual(slabs, system, float(alpha), inverses[alpha]))
    return solutions


def polished_dual(slabs: Slabs, system: System, alpha: float, inverse: Inverse) -> Solution:
    """As `polished`, on the residual e of the small system, which no power of 1/alpha blows up.

    The gradient is `B' e`, and the objective is at most `e' e` above its minimum because `B H^-1 B' = K (K + alpha)^-1 <= 1`."""
    equations = system.equations
    root = np.ones(system.y.size) if slabs.root is None else slabs.root
    t, e, w = np.zeros(system.y.size), root * system.y, np.zeros(system.penalty.size)
    steps = 0
    while steps < POLISH:
        steps += 1
        t_new = t + inverse(e)
        w_new = equations.rmatvec(np.divide(t_new, root, out=np.zeros_like(t), where=root > 0)) / equations.factor
        z = equations.product(w_new)
        e_new = root * (system.y - z + equations.mean(z)) - alpha * t_new
        if not np.linalg.norm(e_new) < np.linalg.norm(e):
            break
        t, e, w = t_new, e_new, w_new
    found = system.solution(w, steps)
    return replace(found, dual_gap=min(found.dual_gap, float(e @ e)))


def svd(slabs: Slabs, systems: list[System], alphas: Vector) -> list[Solution]:
    """Each system from the singular values of `B V^-1/2`: right for any alpha, also 0, where the norm is least. Wants V positive."""
    scale = 1.0 / np.sqrt(slabs.equations.factor)
    left, values, right = _singular_values(slabs)
    solutions = []
    for system, alpha in zip(systems, alphas, strict=True):
        y = system.y if slabs.root is None else slabs.root * system.y
        w = scale * (right.T @ (values / (values**2 + alpha) * (left.T @ y)))
        inside = right @ (scale * system.gradient(w))
        found = system.solution(w, 1)
        gap = float(np.sum(inside**2 / (values**2 + alpha)))
        solutions.append(replace(found, dual_gap=min(found.dual_gap, gap)))
    return solutions


def _singular_values(slabs: Slabs) -> tuple[Matrix2, Vector, Matrix2]:
    """`B V^-1/2 = left diag(values) right`, without values that are rounding. Wants V positive."""
    B = np.concatenate(list(slabs.rows())) / np.sqrt(slabs.equations.factor)
    left, values, right = scipy.linalg.svd(B, full_matrices=False)
    keep = values > max(B.shape) * np.finfo(float).eps * values[0]
    return left[:, keep], values[keep], right[keep]


def shares(slabs: Slabs, alpha: float, method: str) -> Vector:
    """The diagonal of `H^-1 B' B`, see `ridge.probes`, by the factorisation that `method` is named after.

    "dual" and "svd" want V positive, and "dual" alpha as well."""
    equations = slabs.equations
    if method == "svd":
        _, values, right = _singular_values(slabs)
        out: Vector = (right**2).T @ (values**2 / (values**2 + alpha))
    elif method == "dual":
        out = np.empty(slabs.shape[1])
        inverse, _ = _inverse(slabs.kernel() + alpha * np.eye(slabs.shape[0]))
        for here, slab in slabs.columns():
            out[here] = np.einsum("ij,ij->j", slab, inverse(slab)) / equations.factor[here]
    else:
        square, H = slabs.gram(), alpha * equations.factor
        inverse, _ = _inverse(square + np.diag(H))
        out = np.empty(H.size)
        for begin in range(0, H.size, COLUMNS):
            here = slice(begin, begin + COLUMNS)
            out[here] = np.diag(inverse(square[:, here])[here])
    return np.clip(out, 0.0, 1.0)

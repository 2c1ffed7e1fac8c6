"""Ridge by factorising a small matrix: the Gram, the kernel, or X itself.

All three are defined by `B = S^1/2 Xc`, which is formed in dense slabs:

======  ==============================  =========================  ============================================
method  factorises                      of shape                   for
======  ==============================  =========================  ============================================
gram    `B' B + penalty`, Cholesky      (n_cols, n_cols)           few columns
dual    `B V^-1 B' + alpha`, Cholesky   (n, n)                     few rows
svd     `B V^-1/2`, singular values     (n, n_cols), all of it     small data with alpha 0 or nearly 0
======  ==============================  =========================  ============================================

Newton steps on the true gradient restore the digits that forming a Gram loses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations, RidgeSolution, System

__all__ = [
    "Augmented",
    "CenteredSlabs",
    "Inverse",
    "column_degrees",
    "graded_svd",
    "refined_solutions",
    "small_slabs",
    "solve_direct",
]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]
Inverse = Callable[[Vector], Vector]

# Entries of a dense slab: 32 MB of doubles.
SLAB = 4_000_000
# A sparse product performs about a tenth as many operations a second as a dense one.
SPARSE_PENALTY = 10.0
# Right-hand sides that are solved for at a time.
RIGHT_SIDES = 256
# Most Newton steps; each gains the digits that the factorisation has.
NEWTON_STEPS = 6
# Squared ratio of Cholesky pivots below which H is treated as singular.
SINGULAR = 1e-14
# Operations up to which a system that is singular to rounding is solved again by singular values: a tenth of a second.
SMALL_AUGMENTED = 1e8
# Penalties below this share of a column's curvature may leave degrees of freedom by an inverse of H few digits.
WEAK_COLUMN = 1e-8
# Of a singular vector, in units of the largest value over its own.
ROUNDING = 16 * float(np.finfo(np.float64).eps)
# By which share of the null deviance that must lower the objective.
LOWER = 1e-10
# Roots of curvatures that differ by more than this hide directions of a singular H from each other.
GRADED = 1e3


class CenteredSlabs:
    """`B = S^1/2 Xc` as dense slabs of rows or columns in double precision, and its two square products."""

    def __init__(self, equations: NormalEquations) -> None:
        self.equations = equations
        self.shape = equations.design.n_rows, equations.factor.size
        self.X = equations.design.observed()
        self.constant = equations.diagonal == 0.0

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
        right[:, empty] = 0.0
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
            A, means = self._weighted(), self.equations.means
            out = np.asarray((A.T @ A).toarray())
            out -= self.equations.weight_sum * np.outer(means, means)
        else:
            out = np.zeros((m, m))
            for slab in self.rows():
                out += slab.T @ slab
        out[self.constant] = out[:, self.constant] = 0.0
        return out

    def kernel(self) -> Matrix2:
        """`B V^-1 B'`."""
        n, m = self.shape
        v = self.equations.factor
        if not self._sparse_is_cheaper(m, n):
            out = np.zeros((n, n))
            for cols, slab in self.columns():
                out += (slab / v[cols]) @ slab.T
            return out
        A, means, root = self._weighted(), self.equations.means, self.equations.root_weights
        inverse = np.where(self.constant, 0.0, 1.0 / v)
        scaled = A @ sp.diags_array(inverse)
        out = np.asarray((scaled @ A.T).toarray())
        cross = np.outer(scaled @ means, root)
        return out - cross - cross.T + (means * inverse @ means) * np.outer(root, root)

    def _dense(self, part: Any, rows: slice, cols: slice) -> Matrix2:
        """A slab of B from the same part of X."""
        part = part.toarray() if sp.issparse(part) else part
        slab = np.subtract(part, self.equations.means[cols], dtype=np.float64)
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


def solve_direct(method: str, systems: list[System]) -> list[RidgeSolution]:
    """Each system by a factorisation that equal strengths share; method "gram", "dual" or "svd".

    "dual" requires positive alphas and factors, "svd" positive factors.
    """
    slabs = CenteredSlabs(systems[0].equations)
    if method == "svd":
        decomposition = _singular_values(slabs)
        solutions = [_by_singular_values(system, *decomposition) for system in systems]
        if not decomposition[-1].size or small_slabs(slabs.equations) is None:
            return solutions
        return [_by_augmented(system, slabs, found) for system, found in zip(systems, solutions, strict=True)]
    square = slabs.gram() if method == "gram" else slabs.kernel()
    inverse = cache(lambda alpha: _inverse(square, alpha * slabs.equations.factor if method == "gram" else alpha))
    solutions = refined_solutions(systems, inverse, dual=method == "dual")
    if small_slabs(slabs.equations) is None:
        return solutions
    return [
        _by_augmented(system, slabs, found) if np.isinf(found.dual_gap) else found
        for system, found in zip(systems, solutions, strict=True)
    ]


def refined_solutions(
    systems: list[System], inverse: Callable[[float], tuple[Inverse, bool]], dual: bool
) -> list[RidgeSolution]:
    """Solutions by Newton steps; `inverse(alpha)` is that of the small square, and whether it has full rank."""
    if dual:
        return [_newton_dual(system, inverse(system.alpha)[0]) for system in systems]
    return [_newton(system, *inverse(system.alpha)) for system in systems]


def _newton(system: System, inverse: Inverse, full_rank: bool) -> RidgeSolution:
    """Newton steps on the true gradient while they shorten it. From 0 the first gives the solution, the others its
    lost digits.

    With an inverse of full rank, `g' H^-1 g` bounds the gap. A pseudo-inverse says nothing about the directions it
    omits.
    """
    w = np.zeros(system.penalty.size)
    g, steps = system.b, 0
    while steps < NEWTON_STEPS:
        steps += 1
        w_new = w + inverse(g)
        g_new = system.gradient(w_new)
        if not np.linalg.norm(g_new) < np.linalg.norm(g):
            break
        w, g = w_new, g_new
    solution = system.solution(w, steps)
    if not full_rank:
        return solution
    return replace(solution, dual_gap=min(solution.dual_gap, max(float(g @ inverse(g)), 0.0)))


class Augmented:
    """Least-squares steps for one system by singular values of B above P^1/2, without values that are rounding.

    H is their square, so that a direction of length 1e-8 is rounding there, and not here: columns without penalty whose
    means are 1e8 times their deviations, where there is no intercept; columns that nearly coincide, under a weak
    penalty.
    """

    def __init__(self, system: System, slabs: CenteredSlabs) -> None:
        self.system = system
        self.left, self.values, self.right, self.length = slabs.augmented(system.penalty)

    @property
    def full_rank(self) -> bool:
        return self.values.size == self.length.size

    def residual(self, w: Vector) -> Vector:
        """Of the rows and of the penalties; the objective is its square."""
        system = self.system
        z = system.equations.product(w)
        own = system.equations.root_weights * (system.y - z + system.equations.mean(z))
        return np.concatenate([own, -np.sqrt(system.penalty) * w])

    def step(self, w: Vector) -> tuple[Vector, float]:
        """To the minimum, and by how much it lowers the objective.

        A singular vector errs by the rounding of the largest value over its own: what is no larger is left out."""
        residual = self.residual(w)
        along = self.left.T @ residual
        along[np.abs(along) * self.values <= ROUNDING * self.values.max(initial=0.0) * np.linalg.norm(residual)] = 0.0
        return (self.right.T @ (along / self.values)) / self.length, float(along @ along)

    def size(self, w: Vector) -> float:
        """The length of coefficients, each in units of the curvature of its column."""
        return float(np.linalg.norm(self.length * w))


def _by_augmented(system: System, slabs: CenteredSlabs, found: RidgeSolution) -> RidgeSolution:
    """A better solution than one by a pseudo-inverse of H, if there is one: see `Augmented`."""
    augmented, w = Augmented(system, slabs), np.zeros(found.w.size)
    for _ in range(2):
        w = w + augmented.step(w)[0]
    before, after, null = (float(e @ e) for e in map(augmented.residual, (found.w, w, np.zeros(w.size))))
    if not after < before - LOWER * null:
        return found
    solution = system.solution(w, found.n_iter)
    if not augmented.full_rank:
        return solution
    along = augmented.right @ (system.gradient(w) / augmented.length) / augmented.values
    return replace(solution, dual_gap=min(solution.dual_gap, float(along @ along)))


def _newton_dual(system: System, inverse: Inverse) -> RidgeSolution:
    """Newton steps on the residual e of `(K + alpha) t = S^1/2 yc`, `K = B V^-1 B'`; the solution is `w = V^-1 B' t`.

    No power of 1/alpha multiplies e. The gradient is `B' e`, and the gap is at most `e' e`, because
    `B H^-1 B' = K (K + alpha)^-1 <= 1`.
    """
    equations, root = system.equations, system.equations.root_weights
    t, e, w = np.zeros(system.y.size), root * system.y, np.zeros(system.penalty.size)
    steps = 0
    while steps < NEWTON_STEPS:
        steps += 1
        t_new = t + inverse(e)
        w_new = equations.rmatvec(np.divide(t_new, root, out=np.zeros_like(t), where=root > 0)) / equations.factor
        z = equations.product(w_new)
        e_new = root * (system.y - z + equations.mean(z)) - system.alpha * t_new
        if not np.linalg.norm(e_new) < np.linalg.norm(e):
            break
        t, e, w = t_new, e_new, w_new
    solution = system.solution(w, steps)
    return replace(solution, dual_gap=min(solution.dual_gap, float(e @ e)))


def _inverse(square: Matrix2, shift: Vector | float) -> tuple[Inverse, bool]:
    """The inverse of `H = square + diag(shift)`, and True; if H is singular to rounding, its pseudo-inverse and False.

    With the pseudo-inverse, solutions have the least norm. H is scaled to a diagonal of 1 before it is judged and
    factorised, so that a column's unit cannot make it seem singular. Constant columns without penalty stay at 0.
    """
    H = square + np.diag(np.broadcast_to(shift, len(square)))
    diagonal = np.diag(H)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    try:
        factor = scipy.linalg.cho_factor(H * scale * scale[:, None], lower=True, overwrite_a=True)
        pivots = np.diag(factor[0])
        if (pivots.min() / pivots.max()) ** 2 > SINGULAR:
            return lambda g: np.asarray((scipy.linalg.cho_solve(factor, (g.T * scale).T).T * scale).T), True
    except np.linalg.LinAlgError:
        pass
    if scale.max() <= GRADED * scale.min():
        scale = np.ones(len(scale))  # the least norm in the columns' own units
    values, vectors = scipy.linalg.eigh(H * scale * scale[:, None])
    keep = values > H.shape[0] * np.finfo(float).eps * max(values[-1], 0.0)
    values, vectors = values[keep], scale[:, None] * vectors[:, keep]
    return lambda g: np.asarray((vectors / values) @ (vectors.T @ g)), False


def _singular_values(slabs: CenteredSlabs) -> tuple[Matrix2, Vector, Matrix2, Matrix2]:
    """`B V^-1/2 = left diag(values) right`, V over its largest entry, without values that are rounding; and the left
    vectors of those. Requires positive factors."""
    B = slabs.scaled()
    graded = slabs.equations.summary.graded
    left, values, right = graded_svd(B) if graded else scipy.linalg.svd(B, full_matrices=False)
    keep = values > (0.0 if graded else max(B.shape) * np.finfo(float).eps * values[0])
    return left[:, keep], values[keep], right[keep], left[:, ~keep]


def graded_svd(B: Matrix2) -> tuple[Matrix2, Vector, Matrix2]:
    """The thin singular value decomposition of a matrix whose columns differ in length by orders, each value to its own
    digits, by Jacobi rotations (Drmac & Veselic 2008)."""
    if B.shape[0] < B.shape[1]:
        left, values, right = graded_svd(np.ascontiguousarray(B.T))
        return right.T, values, left.T
    values, left, right, scales, _, info = scipy.linalg.lapack.dgejsv(B, joba=2)
    if info:
        raise np.linalg.LinAlgError(f"dgejsv ended with {info}")
    values = values * (scales[0] / scales[1])
    rank = min(B.shape)
    return left[:, :rank], values[:rank], right[:, :rank].T


def _by_singular_values(
    system: System, left: Matrix2, values: Vector, right: Matrix2, dropped: Matrix2
) -> RidgeSolution:
    """The solution at any alpha, also 0, where it has the least norm.

    Along the left vectors that were `dropped`, what is left of y could be fitted but for a penalty."""
    largest = float(system.equations.factor.max())
    scale, alpha = 1.0 / np.sqrt(system.equations.factor / largest), system.alpha * largest
    y = system.equations.root_weights * system.y
    w = scale * (right.T @ (values / (values**2 + alpha) * (left.T @ y)))
    projected = right @ (scale * system.gradient(w))
    solution = system.solution(w, 1)
    z = system.equations.product(w)
    rest = dropped.T @ (system.equations.root_weights * (system.y - z + system.equations.mean(z)))
    gap = float(np.sum(projected**2 / (values**2 + alpha))) + float(rest @ rest)
    return replace(solution, dual_gap=min(solution.dual_gap, gap))


def column_degrees(equations: NormalEquations, alpha: float, method: str) -> Vector:
    """Degrees of freedom of each column, the diagonal of `H^-1 B' B` (see `degrees_of_freedom`), by the method's
    factorisation.

    "dual" and "svd" require positive factors, and "dual" a positive alpha.
    """
    slabs, factor = CenteredSlabs(equations), equations.factor
    if method == "svd":
        _, values, right, _ = _singular_values(slabs)
        alpha *= float(factor.max())
        return np.clip((right**2).T @ (values**2 / (values**2 + alpha)), 0.0, 1.0)
    out = np.empty(factor.size)
    if method == "dual":
        inverse, _ = _inverse(slabs.kernel(), alpha)
        for cols, slab in slabs.columns():
            out[cols] = np.einsum("ij,ij->j", slab, inverse(slab)) / factor[cols]
    else:
        square = slabs.gram()
        inverse, full_rank = _inverse(square, alpha * factor)
        weak = bool((alpha * factor < WEAK_COLUMN * np.diag(square)).any())
        if (weak or not full_rank) and small_slabs(equations):  # see `_by_augmented`
            left, values, right, _ = slabs.augmented(alpha * factor)
            top = left[: slabs.shape[0]]
            return np.clip(
                np.einsum("aj,aj->j", right / values[:, None], top.T @ top @ (right * values[:, None])), 0, 1
            )
        for begin in range(0, factor.size, RIGHT_SIDES):
            cols = slice(begin, begin + RIGHT_SIDES)
            out[cols] = np.diag(inverse(square[:, cols])[cols])
    return np.clip(out, 0.0, 1.0)

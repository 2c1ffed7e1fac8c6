"""Ridge by factorising a small matrix: the Gram, the kernel, or X itself.

All three are defined by `B = S^1/2 Xc`, which is formed in dense slabs (`slabs`):

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

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations, ProblemSummary, RidgeSolution, System
from sparsereg.ridge.slabs import CenteredSlabs, small_slabs

__all__ = [
    "Augmented",
    "Inverse",
    "column_degrees",
    "combined_rows",
    "graded_svd",
    "largest_side",
    "refined_solutions",
    "small_inverse",
    "smallest_square",
    "solve_direct",
]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]
Inverse = Callable[[Vector], Vector]

# Up to this side a square matrix is always factorised: 32 MB, and a fraction of a second.
SMALL_SQUARE = 2_000
# The same for a dense X, of which it is no more than twice the size: it costs as much as a hundred iterations, which no
# structure of the columns makes fewer.
DENSE_SQUARE = 5_000
# Right-hand sides that are solved for at a time.
RIGHT_SIDES = 256
# Most Newton steps; each gains the digits that the factorisation has.
NEWTON_STEPS = 6
# A relative gradient above this has digits to restore.
DIGITS_LOST = 1e-12
# Squared ratio of Cholesky pivots below which H is treated as singular.
SINGULAR = 1e-14
# Below this one the inverse has too few digits for bounds: H is rounded by its side times 1e-16.
UNCERTAIN = 1e-11
# Penalties below this share of a column's curvature may leave degrees of freedom by an inverse of H few digits.
WEAK_COLUMN = 1e-8
# Of a singular vector, in units of the largest value over its own.
ROUNDING = 16 * float(np.finfo(np.float64).eps)
# By which share of the null deviance that must lower the objective.
LOWER = 1e-10
# Roots of curvatures that differ by more than this hide directions of a singular H from each other.
GRADED = 1e3


def largest_side(summary: ProblemSummary) -> int:
    """Of a square that is always factorised."""
    return DENSE_SQUARE if summary.dense else SMALL_SQUARE


def smallest_square(summary: ProblemSummary) -> str | None:
    """The method, "gram" or "dual", of the smaller square if that is always factorised."""
    n, m, most = summary.n_rows, summary.n_cols, largest_side(summary)
    if n < m and n <= most and summary.least_factor > 0.0 and not (summary.graded and m <= most):
        return "dual"
    return "gram" if m <= most else None


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
    inverse = cache(lambda alpha: small_inverse(square, alpha * slabs.equations.factor if method == "gram" else alpha))
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
    """Solutions by Newton steps; `inverse(alpha)` is that of the small square, and whether it certifies."""
    if dual:
        return [_newton_dual(system, inverse(system.alpha)[0]) for system in systems]
    return [_newton(system, *inverse(system.alpha)) for system in systems]


def _newton(system: System, inverse: Inverse, certifies: bool, start: Vector | None = None) -> RidgeSolution:
    """Newton steps on the true gradient while they shorten it. From 0 the first gives the solution, the others its
    lost digits.

    With an inverse that `certifies`, `g' H^-1 g` bounds the gap. A pseudo-inverse says nothing about the directions it
    omits, and one that is nearly singular has no digits there.
    """
    w = np.zeros(system.penalty.size) if start is None else start
    g, steps = system.b if start is None else system.gradient(w), 0
    while steps < NEWTON_STEPS:
        steps += 1
        w_new = w + inverse(g)
        g_new = system.gradient(w_new)
        if not np.linalg.norm(g_new) < np.linalg.norm(g):
            break
        w, g = w_new, g_new
    solution = system.solution(w, steps)
    if not certifies:
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
    `B H^-1 B' = K (K + alpha)^-1 <= 1`. What the columns leave of y makes t as large as 1 / alpha, and `B' t` cancels:
    under a weak penalty the digits of w that are lost so are restored by steps in w, whose g has no such part.
    """
    equations, root = system.equations, system.equations.root_weights
    t, e, w = np.zeros(system.y.size), root * system.y, np.zeros(system.penalty.size)
    steps = 0
    while steps < NEWTON_STEPS:
        steps += 1
        t_new = t + inverse(e)
        w_new = combined_rows(equations, t_new)
        z = equations.product(w_new)
        e_new = root * (system.y - z + equations.mean(z)) - system.alpha * t_new
        if not np.linalg.norm(e_new) < np.linalg.norm(e):
            break
        t, e, w = t_new, e_new, w_new
    solution = system.solution(w, steps)
    solution = replace(solution, dual_gap=min(solution.dual_gap, float(e @ e)))
    if not solution.gradient_norm > DIGITS_LOST:
        return solution
    again = _newton(system, lambda g: _primal_step(system, inverse, g), certifies=False, start=w)
    if not again.gradient_norm < solution.gradient_norm:
        return solution
    return replace(again, n_iter=steps + again.n_iter)


def combined_rows(equations: NormalEquations, t: Vector) -> Vector:
    """`V^-1 B' t`; 0 in columns without penalty."""
    root, v = equations.root_weights, equations.factor
    out = equations.rmatvec(np.divide(t, root, out=np.zeros_like(t), where=root > 0))
    return np.divide(out, v, out=np.zeros_like(out), where=v > 0.0)


def _primal_step(system: System, inverse: Inverse, g: Vector) -> Vector:
    """`H^-1 g = (g - B' (K + alpha)^-1 B V^-1 g) / (alpha V)`."""
    equations = system.equations
    z = equations.product(own := g / equations.factor)
    t = inverse(equations.root_weights * (z - equations.mean(z)))
    return np.asarray((own - combined_rows(equations, t)) / system.alpha)


def small_inverse(square: Matrix2, shift: Vector | float) -> tuple[Inverse, bool]:
    """The inverse of `H = square + diag(shift)`, and whether bounds may be taken from it; if H is singular to rounding,
    its pseudo-inverse and False.

    With the pseudo-inverse, solutions have the least norm. H is scaled to a diagonal of 1 before it is judged and
    factorised, so that a column's unit cannot make it seem singular. Constant columns stay at 0.
    """
    diagonal = np.diag(square) + shift
    scale = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    try:  # .T: LAPACK works in place on column-major storage
        factor = scipy.linalg.cho_factor(_scaled(square, shift, scale).T, lower=True, overwrite_a=True)
        pivots = np.diag(factor[0])
        if (ratio := (pivots.min() / pivots.max()) ** 2) > SINGULAR:
            certifies = bool(ratio > UNCERTAIN)
            return lambda g: np.asarray((scipy.linalg.cho_solve(factor, (g.T * scale).T).T * scale).T), certifies
    except np.linalg.LinAlgError:
        pass
    if scale.max() <= GRADED * scale.min():
        scale = np.ones(len(scale))  # the least norm in the columns' own units
    values, vectors = scipy.linalg.eigh(_scaled(square, shift, scale))
    keep = values > len(square) * np.finfo(float).eps * max(values[-1], 0.0)
    values, vectors = values[keep], scale[:, None] * vectors[:, keep]
    vectors[np.diag(square) == 0.0] = 0.0  # nothing couples these to others but the rounding of eigenvectors
    return lambda g: np.asarray((vectors / values) @ (vectors.T @ g)), False


def _scaled(square: Matrix2, shift: Vector | float, scale: Vector) -> Matrix2:
    """`square + diag(shift)` with rows and columns scaled."""
    H = square * scale
    H *= scale[:, None]
    H.flat[:: len(H) + 1] += shift * scale**2
    if not np.isfinite(H).all():
        raise ValueError("X holds numbers too large or too small to square in double precision; rescale them.")
    return np.asarray(H)


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
        inverse, _ = small_inverse(slabs.kernel(), alpha)
        for cols, slab in slabs.columns():
            out[cols] = np.einsum("ij,ij->j", slab, inverse(slab)) / factor[cols]
    else:
        square = slabs.gram()
        inverse, certifies = small_inverse(square, alpha * factor)
        weak = bool((alpha * factor < WEAK_COLUMN * np.diag(square)).any())
        if (weak or not certifies) and small_slabs(equations):  # see `_by_augmented`
            left, values, right, _ = slabs.augmented(alpha * factor)
            top = left[: slabs.shape[0]]
            return np.clip(
                np.einsum("aj,aj->j", right / values[:, None], top.T @ top @ (right * values[:, None])), 0, 1
            )
        for begin in range(0, factor.size, RIGHT_SIDES):
            cols = slice(begin, begin + RIGHT_SIDES)
            out[cols] = np.diag(inverse(square[:, cols])[cols])
    return np.clip(out, 0.0, 1.0)

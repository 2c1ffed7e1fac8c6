"""Which method solves a ridge problem, chosen from counts, and one solution per target by it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.penalties.elastic_net import upwards
from sparsereg.ridge.coefficient_error import CoefficientCheck
from sparsereg.ridge.direct import smallest_square, solve_direct
from sparsereg.ridge.nonnegative import solve_nonnegative
from sparsereg.ridge.normal_equations import EMPTY, NormalEquations, ProblemSummary, RidgeSolution, System
from sparsereg.ridge.pcg import Preconditioner, conjugate_gradients
from sparsereg.ridge.preconditioners.choose import choose_preconditioner
from sparsereg.ridge.preconditioners.two_level import Identity
from sparsereg.ridge.units import MAX_EXPONENT

__all__ = [
    "METHODS",
    "SolverSettings",
    "check_feasible",
    "check_finite",
    "check_scale",
    "choose_method",
    "handed_out",
    "solve_ridge",
]

Vector = NDArray[np.float64]

METHODS = ("gram", "dual", "svd", "cg", "bounded")

# Beyond this side a square matrix is refused: 3 GB.
LARGEST_SQUARE = 20_000
# Up to so many operations singular values are nearly free; beyond so many entries they are refused.
SMALL_SVD = 1e9
LARGEST_SVD = 1e8
# With penalties below this share of the largest curvature, a factorised Gram has too few digits.
WEAK_PENALTY = 1e-10
# Penalties below this share of the largest curvature are rounding: the solution of least norm is computed instead.
LOST_PENALTY = 1e-14
# Relative gradients below this are not warned of after a factorisation, whatever the tolerance.
FAILED_GRADIENT = 1e-10


@dataclass(frozen=True)
class SolverSettings:
    """The method, and for iterative methods the relative gradient to reach and the most iterations."""

    method: str
    tol: float
    max_iter: int

    @property
    def iterative(self) -> bool:
        return self.method in ("cg", "bounded")

    @property
    def limit(self) -> float:
        """The relative gradient above which a warning is due. Early stopping leaves a gradient on purpose."""
        if self.method == "gradient":
            return np.inf
        return self.tol if self.iterative else max(self.tol, FAILED_GRADIENT)


def choose_method(summary: ProblemSummary, alphas: Vector) -> str:
    """One of `METHODS`, from the counts of rows and observed columns and the least penalty."""
    n, m = summary.n_rows, summary.n_cols
    direct = smallest_square(summary)
    if summary.graded and direct == "gram":
        return direct
    if summary.least_factor > 0.0 and is_weak(summary, alphas) and n * m * min(n, m) <= SMALL_SVD:
        return "svd"
    return direct or "cg"


def is_weak(summary: ProblemSummary, alphas: Vector) -> bool:
    """Whether the least penalty leaves a factorised Gram too few digits."""
    return float(alphas.min()) * summary.least_factor <= WEAK_PENALTY * summary.largest_curvature


def above_rounding(summary: ProblemSummary, alphas: Vector) -> NDArray[np.bool_]:
    """Which strengths are not lost to rounding beside the curvature."""
    return np.asarray(alphas * summary.largest_factor > LOST_PENALTY * summary.largest_curvature)


def check_feasible(method: str, summary: ProblemSummary) -> None:
    """ValueError if the method cannot be used: a matrix too large, or unpenalized columns."""
    check_finite(summary.largest_curvature)
    n, m = summary.n_rows, summary.n_cols
    side = m if method == "gram" else n
    if method in ("gram", "dual") and side > LARGEST_SQUARE:
        raise ValueError(f"solver={method!r} would need a dense square of side {side}; use solver='cg'.")
    if method == "svd" and n * m > LARGEST_SVD:
        raise ValueError(f"solver='svd' would need a dense array of {n} x {m}; use solver='auto' or 'cg'.")
    if method in ("dual", "svd") and not summary.least_factor > 0.0:
        raise ValueError(
            f"penalty_factor holds 0, but solver={method!r} must penalize every column; use 'gram' or 'cg'."
        )


def check_scale(equations: NormalEquations, alphas: Vector) -> None:
    """ValueError for a column whose squares underflow in any units, if no penalty holds it at 0."""
    least = float(alphas.min()) * equations.summary.least_factor
    if equations.units is not None and not least > 0.0 and equations.units.scale.min() <= 2.0**-MAX_EXPONENT:
        raise ValueError("X holds a column too small to square in double precision, without a penalty; rescale it.")


def check_finite(*values: float) -> None:
    """ValueError if a value overflowed."""
    if not np.isfinite(values).all():
        raise ValueError("X, y or sample_weight holds numbers too large to square in double precision; rescale them.")


def solve_ridge(equations: NormalEquations, Y: Vector, alphas: Vector, settings: SolverSettings) -> list[RidgeSolution]:
    """Every target of Y, of shape (n, T), at its own alpha, of shape (T,).

    Raises
    ------
    ValueError
        If the method cannot be used (see `check_feasible`), or numbers are too large to square.
    """
    if not equations.factor.size:
        return [EMPTY] * alphas.size
    check_feasible(settings.method, equations.summary)
    check_scale(equations, alphas)
    systems = [equations.system(y, alpha) for y, alpha in zip(Y.T, alphas.tolist(), strict=True)]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # gradients tell what came of it
        check_finite(*(float(system.b @ system.b) for system in systems))
        if settings.method == "cg":
            solutions = _solve_iteratively(systems, alphas, settings)
        elif settings.method == "bounded":
            solutions = [solve_nonnegative(system, settings.tol, settings.max_iter) for system in systems]
        else:
            solutions = solve_direct(settings.method, systems)
    check_finite(*(solution.gradient_norm for solution in solutions))
    return solutions


def handed_out(
    equations: NormalEquations, solutions: list[RidgeSolution], y: Vector, alphas: Vector, *, positive: bool = False
) -> list[RidgeSolution]:
    """The certificates of coefficients that are rounded to the type of X, where that is not double.

    With d the step of the rounding, the gap grows to at most `(gap^1/2 + (d' H d)^1/2)^2`."""
    if equations.dtype == np.float64 or not equations.factor.size:
        return solutions
    out, Y = [], np.asarray(y, dtype=np.float64).reshape(y.shape[0], -1)
    for solution, target, alpha in zip(solutions, Y.T, alphas.tolist(), strict=True):
        system, exact = equations.system(target, alpha), solution.w
        w = equations.rounded(exact)
        z = equations.product(w - exact)
        z = equations.root_weights * (z - equations.mean(z))
        moved = float(z @ z + system.penalty @ (w - exact) ** 2)
        g = system.gradient(w)
        g = upwards(w, g) if positive else g
        gap = float((np.sqrt(solution.dual_gap) + np.sqrt(moved)) ** 2)
        out.append(RidgeSolution(w, max(system.relative(g), solution.gradient_norm), gap, solution.n_iter))
    return out


def _solve_iteratively(systems: list[System], alphas: Vector, settings: SolverSettings) -> list[RidgeSolution]:
    """Conjugate gradients on each system. Equal strengths share a preconditioner; all share what it is made of."""
    equations = systems[0].equations
    regular = above_rounding(equations.summary, alphas)
    make = choose_preconditioner(equations, alphas[regular].min() * equations.factor) if regular.any() else Identity
    made: dict[float, Preconditioner] = {}
    check, limits, solutions = CoefficientCheck(equations), (settings.tol, settings.max_iter), []
    for system, is_regular in zip(systems, regular, strict=True):
        if system.alpha not in made:
            made[system.alpha] = make(system) if is_regular else Identity(system)
        solution = conjugate_gradients(system, made[system.alpha], *limits)
        if is_regular or check.slabs is not None:
            solution = check(system, solution, lambda one: made[one.alpha], limits)
        solutions.append(solution)
    return solutions

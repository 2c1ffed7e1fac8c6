"""Which way to solve ridge, chosen by counting, and solving it that way for every target. Knows no estimators."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import make_problem
from sparsereg.penalties.elastic_net import Penalty
from sparsereg.ridge.direct import Slabs, dual, gram, svd
from sparsereg.ridge.normal_equations import NOTHING, NormalEquations, Solution, System
from sparsereg.ridge.pcg import Preconditioner, conjugate_gradients
from sparsereg.ridge.preconditioners.choose import preconditioning
from sparsereg.ridge.preconditioners.two_level import Plain
from sparsereg.solvers.working_set import Solver

__all__ = ["METHODS", "TOO_LARGE", "Plan", "choose_method", "felt", "require_feasible", "solve_ridge"]

Vector = NDArray[np.float64]

METHODS = ("gram", "dual", "svd", "cg", "bounded")

# Sides up to which a square is factorised without asking: 32 MB, and a fraction of a second.
SMALL_SQUARE = 2_000
# Sides beyond which one is refused: 3 GB.
LARGEST_SQUARE = 20_000
# Operations up to which singular values cost next to nothing, and entries beyond which they are refused.
SMALL_SVD = 1e9
LARGEST_SVD = 1e8
# Penalties below this share of the largest curvature leave a factorised Gram too few digits.
WEAK = 1e-10
# Penalties below this share are lost beside the curvature; what is meant then is the solution of least norm.
LOST = 1e-14
# A relative gradient at which a factorisation did not solve anything.
FAILED = 1e-4
TOO_LARGE = "X, y or sample_weight holds numbers too large to square in double precision; scale them down."


@dataclass(frozen=True)
class Plan:
    """How to solve: the method, and for the iterative ones the relative gradient to reach and the most iterations."""

    method: str
    tol: float
    max_iter: int

    @property
    def iterative(self) -> bool:
        return self.method in ("cg", "bounded")

    @property
    def limit(self) -> float:
        """The relative gradient above which the user is to be warned; a descent that is stopped early is meant to leave one."""
        if self.method == "gradient":
            return np.inf
        return self.tol if self.iterative else max(self.tol, FAILED)


def choose_method(equations: NormalEquations, alphas: Vector) -> str:
    """One of `METHODS`, from the counts of rows and observed columns and the least penalty."""
    n, m = equations.design.n_rows, equations.design.n_cols
    least = float(equations.factor.min(initial=1.0))
    penalised = least > 0.0
    weak = float(alphas.min()) * least <= WEAK * float(equations.diagonal.max(initial=0.0))
    if penalised and weak and n * m * min(n, m) <= SMALL_SVD:
        return "svd"
    if penalised and n < m and n <= SMALL_SQUARE:
        return "dual"
    return "gram" if m <= SMALL_SQUARE else "cg"


def solve_ridge(X: Any, equations: NormalEquations, Y: Vector, alphas: Vector, plan: Plan) -> list[Solution]:
    """Every target of Y with its own alpha.

    Parameters
    ----------
    X : CSR or CSC matrix, or dense array
        The matrix that `equations.design` was made from.
    equations : NormalEquations
    Y : float64 array of shape (n, T)
    alphas : float64 array of shape (T,)
    plan : Plan

    Raises
    ------
    ValueError
        Where the method cannot do it: a square too large, or unpenalised columns.
    """
    if not equations.design.n_cols:
        return [NOTHING] * alphas.size
    require_feasible(plan.method, equations)
    systems = [equations.system(y, alpha) for y, alpha in zip(Y.T, alphas, strict=True)]
    with np.errstate(over="ignore", invalid="ignore"):
        if not all(np.isfinite(system.b @ system.b) for system in systems):
            raise ValueError(TOO_LARGE)
    found = _solve(X, systems, alphas, plan)
    if not all(np.isfinite(solution.gradient_norm) for solution in found):
        raise ValueError(TOO_LARGE)
    return found


def _solve(X: Any, systems: list[System], alphas: Vector, plan: Plan) -> list[Solution]:
    if plan.method == "cg":
        return _iterate(systems, alphas, plan)
    if plan.method == "bounded":
        return [solve_bounded(system, plan.tol, plan.max_iter) for system in systems]
    slabs = Slabs(X, systems[0].equations)
    if plan.method == "gram":
        return gram(slabs, systems)
    return (dual if plan.method == "dual" else svd)(slabs, systems, alphas)


def _iterate(systems: list[System], alphas: Vector, plan: Plan) -> list[Solution]:
    """Conjugate gradients on each system; preconditioners are shared among equal strengths, and what they are made of by all."""
    equations = systems[0].equations
    are_felt = felt(equations, alphas)
    make = preconditioning(equations, alphas[are_felt].min() * equations.factor) if are_felt.any() else Plain
    made: dict[float, Preconditioner] = {}
    found = []
    for system, alpha, is_felt in zip(systems, alphas.tolist(), are_felt, strict=True):
        if alpha not in made:
            made[alpha] = make(system) if is_felt else Plain(system)
        found.append(conjugate_gradients(system, made[alpha], plan.tol, plan.max_iter))
    return found


def felt(equations: NormalEquations, alphas: Vector) -> NDArray[np.bool_]:
    """Strengths that are not lost beside the curvature."""
    most: float = equations.diagonal.max(initial=0.0)
    return np.asarray(alphas * equations.factor.max(initial=0.0) > LOST * most)


def require_feasible(method: str, equations: NormalEquations) -> None:
    """ValueError where the method cannot do it: a square too large, or unpenalised columns."""
    if not np.isfinite(equations.diagonal).all():
        raise ValueError(TOO_LARGE)
    n, m = equations.design.n_rows, equations.design.n_cols
    side = m if method == "gram" else n
    if method in ("gram", "dual") and side > LARGEST_SQUARE:
        raise ValueError(f"solver: a dense square of side {side} would be needed; use solver='cg'.")
    if method == "svd" and n * m > LARGEST_SVD:
        raise ValueError(f"solver='svd' would need a dense array of {n} x {m}; use solver='auto' or 'cg'.")
    if method in ("dual", "svd") and not equations.factor.min() > 0.0:
        raise ValueError(
            f"penalty_factor holds 0, which solver={method!r} cannot leave unpenalised; use 'gram' or 'cg'."
        )


def solve_bounded(system: System, tol: float, max_iter: int) -> Solution:
    """One target with w >= 0, by the elastic net's coordinate descent without an l1 term.

    Its gap stands to the target's mean square as the square of a relative gradient; columns at 0 that would go below have none."""
    equations = system.equations
    plain = make_problem(
        equations.design, system.y, sample_weight=equations.s, fit_intercept=equations.fit_intercept, positive=True
    )
    problem = replace(plain, penalty=Penalty(plain.penalty.kind, system.penalty, system.penalty))
    found = Solver(problem, 0.0, tol**2, max_iter).solve(1.0 / problem.weight_sum)
    w = np.zeros(equations.design.n_cols)
    w[found.at.cols] = found.at.w
    g = system.gradient(w)
    g[(w == 0.0) & (g < 0.0)] = 0.0
    return Solution(w, system.relative(g), 2.0 * problem.weight_sum * found.dual_gap, found.epochs)

"""Ridge at many strengths for little more than the hardest one. Knows the normal equations, no estimators.

The solution of `(H0 + alpha V) w = b` is a smooth function of log alpha, so that a few solved points span all others nearly
(a reduced basis; Quarteroni, Manzoni & Negri 2016). For any alpha the combination of them with the least gradient is a least-squares
problem in their number, found in a sketch of `H0 W` and `V W`; as `H0 W` is held beside the basis W, its true gradient
`b - H0 W a - alpha V W a` costs no pass over X. So the alpha whose gradient is furthest off, or an easier one nearly as far off, is
solved, starting from its combination, and the step joins the basis, until no gradient is too large.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.basis import ReducedBasis, Until, combination
from sparsereg.ridge.cg import Preconditioner, conjugate_gradients, descend, relax
from sparsereg.ridge.exact import Slabs
from sparsereg.ridge.nested import InFieldOrder, scattered
from sparsereg.ridge.precondition import Plain
from sparsereg.ridge.preconditioning import Preconditioning, preconditioning
from sparsereg.ridge.solve import WEAK, Plan, felt, require_feasible, solve_ridge
from sparsereg.ridge.spectrum import Spectrum
from sparsereg.ridge.system import NormalEquations, System, relative

__all__ = ["PathSolution", "Preconditioners", "solve_path", "solve_paths"]

Vector = NDArray[np.float64]

# Points of the basis are solved to this share of the tolerance, so that those between them have room.
SHARE = 0.9
# Next is the strongest alpha whose gradient is at least this share of the largest: from there the basis reaches a little further
# into what is hard, until the hardest needs hardly an iteration. Taking the largest gradient itself solves the hardest from nothing.
EASY = 0.05
# Towards the end the largest itself, where it is no more than so many times what will do: strengths just above the last one
# say little, and have a preconditioner made each.
NEAR = 10.0
# A point that was solved may need it again, as a sketch is not exact; so often at most.
TRIES = 3
# A sketch knows sizes to some percent: combinations are taken where it says that they are within this share of the tolerance.
ROOM = 0.97
# Rounding of the recurrence that is this share of a tolerance is left as it is; more is cleared away through X.
TRUE = 1e-4
TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True)
class PathSolution:
    """Solutions at k strengths, as combinations of few vectors.

    Attributes
    ----------
    n_cols : int
    basis : list of float64 arrays of shape (n_cols,)
    mixture : float64 array of shape (k, len(basis))
    gradient_norms, dual_gaps : float64 arrays of shape (k,)
        As in `Solution`.
    n_iters : int64 array of shape (k,)
        Iterations spent at each strength; 0 where the basis was good enough.
    explained : float64 array of shape (k,)
        `b' H^-1 b` but for `g' H^-1 g`, always from below; where `Until` asks for a share of it, else zeros.
    """

    n_cols: int
    basis: list[Vector]
    mixture: NDArray[np.float64]
    gradient_norms: Vector
    dual_gaps: Vector
    n_iters: NDArray[np.int64]
    explained: Vector

    @classmethod
    def of(cls, basis: list[Vector], k: int, n_cols: int) -> PathSolution:
        """Zeros at k strengths, to be filled in."""
        zeros = [np.zeros(k) for _ in range(3)]
        return cls(n_cols, basis, np.zeros((k, len(basis))), zeros[0], zeros[1], np.zeros(k, dtype=np.int64), zeros[2])

    def w(self, k: int) -> Vector:
        """The coefficients of point k."""
        return combination(self.basis, self.mixture[k], self.n_cols)


class Preconditioners:
    """What each strength is preconditioned by: what the design says is worked out once, the rest for each strength anew.

    A preconditioner of a strength two times off costs an iteration in ten, and one made anew as much as one iteration; all of them
    kept would be a factor of the heavy columns each.
    """

    def __init__(self, equations: NormalEquations, alphas: Vector) -> None:
        self.equations = equations
        self.least_alpha = float(alphas[felt(equations, alphas)].min(initial=np.inf))

    @cached_property
    def _shared(self) -> Preconditioning:
        return preconditioning(self.equations, self.least_alpha * self.equations.factor)

    @property
    def order(self) -> NDArray[np.int64] | None:
        """The order of the columns that is iterated in, if it is not their own."""
        return self._shared.order

    def of(self, system: System) -> Preconditioner:
        """For one of the strengths that are felt."""
        return self._shared(system)


@dataclass(frozen=True)
class Remainder(System):
    """`H step = g`: what is left to be done at a strength where the gradient is g, these two in the order of a basis."""

    basis: ReducedBasis
    alpha: float
    g: Vector

    @classmethod
    def of(cls, basis: ReducedBasis, y: Vector, alpha: float, a: Vector) -> Remainder:
        """What combination a of the basis leaves."""
        equations = basis.equations
        return cls(equations, y, alpha * equations.factor, basis, alpha, basis.gradient(a, alpha))

    def unpenalised(self, step: Vector, g: Vector) -> Vector:
        """`H0 step`, where g is the gradient after it."""
        out = self.basis.factor * step
        out *= -self.alpha
        out += self.g
        out -= g
        return out

    def gradient(self, w: Vector) -> Vector:
        """What is left after a step, in two passes over X."""
        order = self.basis.order
        return self.g - self.basis.ordered(self.times(w if order is None else scattered(order, w)))


def solve_paths(
    X: Any,
    equations: NormalEquations,
    Y: Vector,
    alphas: Vector,
    plan: Plan,
    preconditioners: Preconditioners | None = None,
) -> list[PathSolution]:
    """Every target of Y at every alpha, by the plan's method.

    Parameters
    ----------
    X : CSR or CSC matrix, or dense array
        The matrix that `equations.design` was made from.
    equations : NormalEquations
    Y : float64 array of shape (n, T)
    alphas : float64 array of shape (k,)
    plan : Plan
    preconditioners : Preconditioners, optional
        Of these equations and alphas, for "cg", where something else will use them too.

    Raises
    ------
    ValueError
        As `solve_ridge`.
    """
    if not equations.design.n_cols:
        return [PathSolution.of([], alphas.size, 0) for _ in Y.T]
    require_feasible(plan.method, equations)
    if plan.method == "cg":
        preconditioners = preconditioners or Preconditioners(equations, alphas)
        return [solve_path(equations, y, alphas, Until(plan.tol, plan.max_iter), preconditioners) for y in Y.T]
    strong = float(alphas.min() * equations.factor.min()) > WEAK * float(equations.diagonal.max(initial=0.0))
    spectrum = Spectrum(Slabs(X, equations), plan.method) if plan.method in ("gram", "dual") and strong else None
    paths = []
    for y in Y.T:
        if spectrum is not None:
            found = spectrum.solutions(y, alphas)
        else:
            found = solve_ridge(X, equations, np.broadcast_to(y[:, None], (y.size, alphas.size)), alphas, plan)
        norms, gaps = np.array([s.gradient_norm for s in found]), np.array([s.dual_gap for s in found])
        n_iters = np.array([s.n_iter for s in found])
        paths.append(
            PathSolution(
                equations.design.n_cols,
                [s.w for s in found],
                np.eye(alphas.size),
                norms,
                gaps,
                n_iters,
                np.zeros(alphas.size),
            )
        )
    return paths


def solve_path(
    equations: NormalEquations,
    y: Vector,
    alphas: Vector,
    until: Until,
    preconditioners: Preconditioners,
) -> PathSolution:
    """One target at every alpha by conjugate gradients where the reduced basis leaves more.

    Parameters
    ----------
    equations : NormalEquations
    y : float64 array of shape (n,)
    alphas : float64 array of shape (k,)
    until : Until
    preconditioners : Preconditioners
        Of these equations and alphas; shared among targets.
    """
    are_felt = felt(equations, alphas)
    order = np.flatnonzero(are_felt)[
        np.argsort(-alphas[are_felt], kind="stable")
    ]  # the easy ones, which are nearly free, first
    b = equations.system(y, 0.0).b
    basis = ReducedBasis(equations, b, preconditioners.order if order.size else None)
    scales = basis.scales(alphas[order], until.units)
    A, certificates, n_iters = _greedy(basis, y, alphas[order], until, scales, preconditioners)
    solution = PathSolution.of(basis.W, alphas.size, b.size)
    size = float(np.linalg.norm(basis.b))
    solution.mixture[order], solution.n_iters[order] = A, n_iters
    solution.gradient_norms[order], solution.dual_gaps[order] = certificates[0] / (size or 1.0), certificates[1]
    for k in np.flatnonzero(scales < size):
        alpha = float(alphas[order[k]])
        g, curvature = basis.gradient(A[k], alpha), basis.diagonal + alpha * basis.factor
        solution.gradient_norms[order[k]] = relative(g, basis.b, curvature)
    if until.share:
        solution.explained[order] = basis.explained(alphas[order])
    basis.restore_order()
    return _with_least_norm(equations, y, alphas, until, np.flatnonzero(~are_felt), solution)


def _greedy(
    basis: ReducedBasis,
    y: Vector,
    alphas: Vector,
    until: Until,
    scales: Vector,
    preconditioners: Preconditioners,
) -> tuple[NDArray[np.float64], tuple[Vector, Vector], NDArray[np.int64]]:
    """Fills a basis until it is good enough for every alpha: the combinations, their certificates, and the iterations spent at each."""
    witness = _witness(basis)
    n_iters, tries = np.zeros(alphas.size, dtype=np.int64), np.zeros(alphas.size, dtype=np.int64)
    while True:
        targets = basis.targets(alphas, until, scales)
        sizes, within = basis.sizes(alphas), ROOM * targets
        if not (sizes > within)[tries < TRIES].any():
            A = basis.combinations(alphas)
            certificates = basis.certificates(alphas, A)
            sizes, within = certificates[0], targets
            if not (sizes > within)[tries < TRIES].any():
                return A, certificates, n_iters
        excess = np.where((tries < TRIES) & (sizes > within), sizes / np.maximum(targets, TINY), 0.0)
        most = float(excess.max())
        worst = int(np.argmax(excess >= max(EASY * most, min(NEAR, most))))
        alpha = alphas[worst]
        left = Remainder.of(basis, y, alpha, basis.combinations(alphas[[worst]])[0])
        most_iter = until.max_iter - int(n_iters[worst])
        step, H0step, size, done = _solved(left, preconditioners.of(left), witness, SHARE * targets[worst], most_iter)
        basis.add(step, H0step)
        n_iters[worst] += done
        tries[worst] += 1 if size <= targets[worst] else TRIES


def _solved(
    left: Remainder, precondition: Preconditioner, witness: tuple[Vector, Vector], target: float, max_iter: int
) -> tuple[Vector, Vector, float, int]:
    """A step, `H0 step`, the length of the gradient after it, and the iterations: by the recurrence alone, unless the witness sees its
    rounding."""
    if isinstance(precondition, InFieldOrder):
        precondition = precondition.inner  # the basis is in that order already
    step, g, done = descend(left.g, precondition, target, max_iter)
    H0step = left.unpenalised(step, g)
    t, H0t = witness
    if abs(t @ H0step - H0t @ step) > TRUE * target:
        step, g, more = relax(left, precondition, (step, left.gradient(step)), target, max_iter - done)
        H0step, done = left.unpenalised(step, g), done + more
    return step, H0step, float(np.linalg.norm(g)), done


def _witness(basis: ReducedBasis) -> tuple[Vector, Vector]:
    """`(t, H0 t)` with t random: `t' e` is of the size of any e that does not know t."""
    equations = basis.equations
    t = np.random.default_rng(1).normal(size=equations.factor.size)
    return basis.ordered(t), basis.ordered(equations.transposed(equations.product(t)))


def _with_least_norm(
    equations: NormalEquations,
    y: Vector,
    alphas: Vector,
    until: Until,
    places: NDArray[np.int64],
    found: PathSolution,
) -> PathSolution:
    """The points whose penalty is lost beside the curvature, by plain conjugate gradients, put beside the others."""
    if not places.size:
        return found
    basis = list(found.basis)
    mixture = np.pad(found.mixture, ((0, 0), (0, places.size)))
    for k in places:
        system = equations.system(y, alphas[k])
        solution = conjugate_gradients(system, Plain(system), until.tol, until.max_iter)
        mixture[k, len(basis)] = 1.0
        found.explained[k] = system.b @ solution.w if until.share else 0.0
        basis.append(solution.w)
        found.gradient_norms[k], found.dual_gaps[k], found.n_iters[k] = (
            solution.gradient_norm,
            solution.dual_gap,
            solution.n_iter,
        )
    return PathSolution(
        found.n_cols, basis, mixture, found.gradient_norms, found.dual_gaps, found.n_iters, found.explained
    )

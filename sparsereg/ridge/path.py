"""Ridge at many strengths for little more than the hardest one. Knows the normal equations, no estimators.

The solution of `(H0 + alpha V) w = b` is a smooth function of log alpha, so that a few solved points span all others nearly
(a reduced basis; Quarteroni, Manzoni & Negri 2016). For any alpha the combination of them with the least gradient is a least-squares
problem in their number, found in a sketch of `H0 W` and `V W`; as `H0 W` is held beside the basis W, its true gradient
`b - H0 W a - alpha V W a` costs no pass over X. So the alpha whose gradient is furthest off, or an easier one nearly as far off, is
solved, starting from its combination, and the step joins the basis, until no gradient is too large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.direct import Slabs
from sparsereg.ridge.normal_equations import NormalEquations, Solution, System, relative
from sparsereg.ridge.pcg import Preconditioner, conjugate_gradients, refine
from sparsereg.ridge.preconditioners.choose import Preconditioning, preconditioning
from sparsereg.ridge.preconditioners.nested_factors import scattered
from sparsereg.ridge.preconditioners.saturated_factor import Grouped
from sparsereg.ridge.preconditioners.two_level import Plain
from sparsereg.ridge.reduced_basis import Certificates, Combination, Point, ReducedBasis, Sketched, Until
from sparsereg.ridge.saturated_basis import GroupedBasis
from sparsereg.ridge.solve import TOO_LARGE, WEAK, Plan, felt, require_feasible, solve_ridge
from sparsereg.ridge.spectrum import Spectrum

__all__ = ["PathSolution", "Preconditioners", "solve_path", "solve_paths"]

Vector = NDArray[np.float64]
# Solves at an alpha from a combination of a basis to a gradient of so much, in so many iterations at most, and adds to the basis; the
# gradient's length, and the iterations.
Solve = Callable[[float, Vector, float, int], tuple[float, int]]

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
# Rounding of the recurrence that is this share of a tolerance is left as it is; more is cleared away through X.
TRUE = 1e-4
TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True)
class PathSolution:
    """Solutions at k strengths.

    Attributes
    ----------
    points : list of Point
        Combinations of few vectors that they share.
    means : float64 array of shape (k,)
        `means' w`: what the intercept makes up for.
    gradient_norms, dual_gaps : float64 arrays of shape (k,)
        As in `Solution`.
    n_iters : int64 array of shape (k,)
        Iterations spent at each strength; 0 where those at others were good enough.
    explained : float64 array of shape (k,)
        `b' H^-1 b` but for `g' H^-1 g`, always from below; where `Until` asks for a share of it, else zeros.
    """

    points: list[Point]
    means: Vector
    gradient_norms: Vector
    dual_gaps: Vector
    n_iters: NDArray[np.int64]
    explained: Vector

    @classmethod
    def of(cls, n_cols: int, k: int) -> PathSolution:
        """Zeros at k strengths, to be filled in."""
        zeros = [np.zeros(k) for _ in range(4)]
        points: list[Point] = [Combination([], np.zeros(0), n_cols)] * k
        return cls(points, zeros[0], zeros[1], zeros[2], np.zeros(k, dtype=np.int64), zeros[3])

    def w(self, k: int) -> Vector:
        """The coefficients of point k."""
        return self.points[k].w()

    def fill_in(self, k: int, solution: Solution, equations: NormalEquations) -> None:
        """One point, as it was solved by itself."""
        self.points[k] = Combination([solution.w], np.ones(1), solution.w.size)
        self.means[k] = equations.means @ solution.w
        self.gradient_norms[k], self.dual_gaps[k] = solution.gradient_norm, solution.dual_gap
        self.n_iters[k] = solution.n_iter


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

    @property
    def grouped(self) -> Grouped | None:
        """What the fields are grouped by, if they are."""
        return self._shared.grouped

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
        return [PathSolution.of(0, alphas.size) for _ in Y.T]
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
        path = PathSolution.of(equations.design.n_cols, alphas.size)
        for k, solution in enumerate(found):
            path.fill_in(k, solution, equations)
        paths.append(path)
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
    found = PathSolution.of(equations.design.n_cols, alphas.size)
    if are_felt.any():
        order = np.argsort(-alphas, kind="stable")  # the easy ones, which are nearly free, first
        basis, solve = _basis(equations, y, preconditioners)
        _fill_in(found, order[are_felt[order]], basis, solve, alphas, until)
    for k in np.flatnonzero(~are_felt):
        system = equations.system(y, alphas[k])
        solution = conjugate_gradients(system, Plain(system), until.tol, until.max_iter)
        found.fill_in(int(k), solution, equations)
        found.explained[k] = system.b @ solution.w if until.share else 0.0
    return found


def _basis(equations: NormalEquations, y: Vector, preconditioners: Preconditioners) -> tuple[Sketched, Solve]:
    """An empty basis for one target, and what fills it."""
    b = equations.system(y, 0.0).b
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(b @ b):
            raise ValueError(TOO_LARGE)
    if (grouped := preconditioners.grouped) is not None:
        by_others = GroupedBasis(equations, b, grouped)
        return by_others, by_others.solve
    basis = ReducedBasis(equations, b, preconditioners.order)
    return basis, _by_steps(basis, y, preconditioners)


def _fill_in(
    found: PathSolution, places: NDArray[np.int64], basis: Sketched, solve: Solve, alphas: Vector, until: Until
) -> None:
    """Puts the points at some strengths, decreasing, in their places."""
    alphas = alphas[places]
    scales, size = basis.scales(alphas, until.units), float(np.linalg.norm(basis.b))
    A, certificates, found.n_iters[places] = _greedy(basis, alphas, until, scales, solve)
    found.gradient_norms[places] = certificates.sizes / (size or 1.0)
    found.dual_gaps[places], found.means[places] = certificates.gaps, certificates.means
    fine = np.flatnonzero(scales < size)
    for k, g in zip(fine, basis.gradients(alphas[fine], A[fine]), strict=True):
        found.gradient_norms[places[k]] = relative(g, basis.b, basis.diagonal + alphas[k] * basis.factor)
    if until.share:
        found.explained[places] = basis.explained(alphas, A)
    for place, point in zip(places, basis.points(alphas, A), strict=True):
        found.points[place] = point


def _greedy(
    basis: Sketched, alphas: Vector, until: Until, scales: Vector, solve: Solve
) -> tuple[NDArray[np.float64], Certificates, NDArray[np.int64]]:
    """Fills a basis until it is good enough for every alpha: the combinations, their certificates, and the iterations spent at each."""
    n_iters, tries = np.zeros(alphas.size, dtype=np.int64), np.zeros(alphas.size, dtype=np.int64)
    found, A = Certificates(*np.zeros((3, alphas.size))), [np.zeros(0)] * alphas.size
    left = np.arange(alphas.size)  # the points that are not yet good enough
    while True:
        targets, sizes = basis.targets(alphas[left], until, scales[left]), basis.sizes(alphas[left])
        worth = (sizes > basis.room * targets) & (tries[left] < TRIES)
        if not worth.any():
            combinations = basis.combinations(alphas[left])
            certificates = basis.certificates(alphas[left], combinations)
            for k, a in zip(left, combinations, strict=True):
                A[k] = a
            for to, values in zip(found, certificates, strict=True):
                to[left] = values
            short = certificates.sizes > targets
            left, targets, sizes = left[short], targets[short], certificates.sizes[short]
            worth = tries[left] < TRIES
            if not worth.any():
                return np.stack([np.pad(a, (0, basis.size - a.size)) for a in A]), found, n_iters
        excess = np.where(worth, sizes / np.maximum(targets, TINY), 0.0)
        most = float(excess.max())
        next_ = int(np.argmax(excess >= max(EASY * most, min(NEAR, most))))
        k, target = left[next_], float(targets[next_])
        a = basis.combinations(alphas[[k]])[0]
        size, done = solve(float(alphas[k]), a, SHARE * target, until.max_iter - int(n_iters[k]))
        n_iters[k] += done
        tries[k] += 1 if size <= target else TRIES


def _by_steps(basis: ReducedBasis, y: Vector, preconditioners: Preconditioners) -> Solve:
    """Solves at one alpha from a combination by a step of all columns, which joins the basis."""
    witness = _witness(basis)

    def solve(alpha: float, a: Vector, target: float, max_iter: int) -> tuple[float, int]:
        left = Remainder.of(basis, y, alpha, a)
        step, H0step, size, done = _solved(left, preconditioners.of(left), witness, target, max_iter)
        basis.add(step, H0step)
        return size, done

    return solve


def _solved(
    left: Remainder, precondition: Preconditioner, witness: tuple[Vector, Vector], target: float, max_iter: int
) -> tuple[Vector, Vector, float, int]:
    """A step, `H0 step`, the length of the gradient after it, and the iterations: by the recurrence alone, unless the witness sees its
    rounding."""
    precondition = precondition.in_factor_order()
    step, g, done = precondition.descend(left.g, target, max_iter)
    H0step = left.unpenalised(step, g)
    t, H0t = witness
    if abs(t @ H0step - H0t @ step) > TRUE * target:
        step, g, more = refine(left, precondition, (step, left.gradient(step)), target, max_iter - done)
        H0step, done = left.unpenalised(step, g), done + more
    for x in (step, g, H0step):
        x[left.basis.constant] = 0.0  # these columns are the intercept's, which is not penalised
    return step, H0step, float(np.linalg.norm(g)), done


def _witness(basis: ReducedBasis) -> tuple[Vector, Vector]:
    """`(t, H0 t)` with t random: `t' e` is of the size of any e that does not know t."""
    equations = basis.equations
    t = np.random.default_rng(1).normal(size=equations.factor.size)
    return basis.ordered(t), basis.ordered(equations.rmatvec(equations.product(t)))

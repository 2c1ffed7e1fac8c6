"""Ridge at many strengths, for little more than the cost of the hardest one.

The solution of `(H0 + alpha V) w = b` is a smooth function of log alpha, so that a few solutions nearly span all
others (a reduced basis; Quarteroni, Manzoni & Negri 2016). For any alpha, the combination of them with the least
gradient solves a small least-squares problem, found in a sketch of `H0 W` and `V W`. Its true gradient `b - H0 W a -
alpha V W a` costs no pass over X, because the basis holds `H0 W` beside W. The alpha with the largest gradient, or an
easier one with nearly as large a gradient, is solved next, starting from its combination. The result joins the basis,
until every gradient is small enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.coefficient_error import CoefficientCheck
from sparsereg.ridge.normal_equations import NormalEquations, RidgeSolution, System
from sparsereg.ridge.pcg import conjugate_gradients
from sparsereg.ridge.preconditioners.choose import PreconditionerFactory, choose_preconditioner
from sparsereg.ridge.preconditioners.two_level import Identity
from sparsereg.ridge.reduced_basis import Combination, ReducedBasis
from sparsereg.ridge.saturated_basis import SaturatedBasis
from sparsereg.ridge.sketched_basis import Certificates, PathPoint, SketchedBasis, StoppingRule
from sparsereg.ridge.solve import (
    SolverSettings,
    above_rounding,
    check_feasible,
    check_finite,
    check_scale,
    is_weak,
    solve_ridge,
)
from sparsereg.ridge.spectrum import Spectrum

__all__ = ["PathSolution", "path_preconditioning", "solve_path", "solve_paths"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Vectors of the basis are solved to this share of the limit, which leaves a margin for the points between them.
SOLVED_SHARE = 0.9
# The next strength is the strongest one whose excess over its limit is at least this share of the largest excess.
# From there the basis extends step by step to the harder strengths, so that the hardest takes few iterations.
# Starting with the largest excess would solve the hardest strength from nothing.
EASY_SHARE = 0.05
# But the largest excess itself once it is below this: strengths just above the last one add little, and each needs a
# preconditioner.
NEARLY_DONE = 10.0
# Most solves at one strength. A second may be needed because a sketch is not exact.
TRIES = 3
TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True)
class PathSolution:
    """Solutions at k strengths.

    Attributes
    ----------
    points : list of PathPoint
        The coefficients, as combinations of a few vectors that all share.
    means : float64 array of shape (k,)
        `means' w`, which the intercept offsets.
    gradient_norms, dual_gaps : float64 arrays of shape (k,)
        As in `RidgeSolution`.
    n_iters : int64 array of shape (k,)
        Iterations spent at each strength; 0 if the solutions at others were sufficient.
    explained : float64 array of shape (k,)
        Lower bounds on `b' H^-1 b`, off by `g' H^-1 g` at most; zeros unless the stopping rule has a `gap_share`.
    """

    points: list[PathPoint]
    means: Vector
    gradient_norms: Vector
    dual_gaps: Vector
    n_iters: Int
    explained: Vector

    @classmethod
    def zeros(cls, n_cols: int, k: int) -> PathSolution:
        """Zeros at k strengths, to be replaced."""
        points: list[PathPoint] = [Combination([], np.zeros(0), n_cols)] * k
        zeros = np.zeros((4, k))
        return cls(points, zeros[0], zeros[1], zeros[2], np.zeros(k, dtype=np.int64), zeros[3])

    def w(self, k: int) -> Vector:
        """The coefficients of point k."""
        return self.points[k].w()

    def set_point(self, k: int, solution: RidgeSolution, equations: NormalEquations) -> None:
        """Set a point that was solved by itself."""
        self.points[k] = Combination([solution.w], np.ones(1), solution.w.size)
        self.means[k] = equations.means_of_x @ solution.w
        self.gradient_norms[k], self.dual_gaps[k] = solution.gradient_norm, solution.dual_gap
        self.n_iters[k] = solution.n_iter


def path_preconditioning(equations: NormalEquations, alphas: Vector) -> PreconditionerFactory | None:
    """What the preconditioners of all strengths share; None if every penalty is lost to rounding.

    The preconditioner itself is made anew at each strength. One for a strength twice as large costs an additional
    iteration in ten, a new one about one iteration; keeping all would hold a dense factor each.
    """
    regular = above_rounding(equations.summary, alphas)
    return choose_preconditioner(equations, float(alphas[regular].min()) * equations.factor) if regular.any() else None


def solve_paths(
    equations: NormalEquations,
    Y: Vector,
    alphas: Vector,
    settings: SolverSettings,
    shared: PreconditionerFactory | Spectrum | None = None,
) -> list[PathSolution]:
    """Every target of Y, of shape (n, T), at every alpha.

    `shared` is what the caller has already: for "cg" what `path_preconditioning` gives, for "gram" and "dual" the
    spectrum. Raises as `solve_ridge`.
    """
    n_cols = equations.factor.size
    if not n_cols:
        return [PathSolution.zeros(0, alphas.size) for _ in Y.T]
    check_feasible(settings.method, equations.summary)
    check_scale(equations, alphas)
    if settings.method == "cg":
        if not isinstance(shared, PreconditionerFactory):
            shared = path_preconditioning(equations, alphas)
        stop = StoppingRule(settings.tol, settings.max_iter)
        return [solve_path(equations, y, alphas, stop, shared) for y in Y.T]
    decompose = settings.method in ("gram", "dual") and not (
        is_weak(equations.summary, alphas) or equations.summary.graded
    )
    spectrum = None
    if decompose:
        spectrum = shared if isinstance(shared, Spectrum) else Spectrum(equations, settings.method)
    paths = []
    for y in Y.T:
        repeated = np.broadcast_to(y[:, None], (y.size, alphas.size))
        path = PathSolution.zeros(n_cols, alphas.size)
        solutions = spectrum.solutions(y, alphas) if spectrum else solve_ridge(equations, repeated, alphas, settings)
        for k, solution in enumerate(solutions):
            path.set_point(k, solution, equations)
        paths.append(path)
    return paths


def solve_path(
    equations: NormalEquations, y: Vector, alphas: Vector, stop: StoppingRule, shared: PreconditionerFactory | None
) -> PathSolution:
    """One target at every alpha, by conjugate gradients where the reduced basis is not sufficient.

    `shared` is what `path_preconditioning` gives for these equations and alphas.
    """
    path = PathSolution.zeros(equations.factor.size, alphas.size)
    regular, check = above_rounding(equations.summary, alphas), CoefficientCheck(equations, alphas.size)
    if regular.any():
        assert shared is not None
        order = np.argsort(-alphas, kind="stable")  # easy strengths, which cost little, come first
        _solve_by_basis(path, order[regular[order]], _new_basis(equations.system(y, 0.0), shared), alphas, stop)
        if not stop.gap_share and (equations.design.n_ones < equations.factor.size or check.slabs is not None):
            _certify_from_x(path, np.flatnonzero(regular), (equations, y, alphas), (shared, stop, check))
    for k in np.flatnonzero(~regular):
        system = equations.system(y, float(alphas[k]))
        solution = conjugate_gradients(system, Identity(system), stop.tol, stop.max_iter)
        if check.slabs is not None and not stop.gap_share:
            solution = check(system, solution, Identity, (stop.tol, stop.max_iter))
        path.set_point(int(k), solution, equations)
        path.explained[k] = system.b @ solution.w if stop.gap_share else 0.0
    return path


def _certify_from_x(
    path: PathSolution,
    places: NDArray[np.intp],
    problem: tuple[NormalEquations, Vector, Vector],
    means: tuple[PreconditionerFactory, StoppingRule, CoefficientCheck],
) -> None:
    """Gradients of points in one pass over X each: where columns hold values, what recurrences sum up may cancel.

    A point that is found to miss the tolerance is solved by itself."""
    (equations, y, alphas), (shared, stop, check) = problem, means
    for k in places.tolist():
        system = equations.system(y, float(alphas[k]))
        solution = system.solution(path_w := path.w(k), int(path.n_iters[k]))
        if solution.gradient_norm > stop.tol:
            again = conjugate_gradients(system, shared(system), stop.tol, stop.max_iter)
            solution = min(again, solution, key=lambda one: one.gradient_norm)
        kept = check(system, solution, shared, (stop.tol, stop.max_iter))
        if kept.w is not path_w:
            path.set_point(k, kept, equations)
        path.gradient_norms[k], path.dual_gaps[k] = kept.gradient_norm, kept.dual_gap


def _new_basis(system: System, shared: PreconditionerFactory) -> SketchedBasis:
    """An empty basis for one target."""
    with np.errstate(over="ignore", invalid="ignore"):
        check_finite(float(system.b @ system.b))
    return ReducedBasis(system, shared) if shared.saturated is None else SaturatedBasis(system, shared.saturated)


def _solve_by_basis(
    path: PathSolution, places: NDArray[np.intp], basis: SketchedBasis, alphas: Vector, stop: StoppingRule
) -> None:
    """Set the points of a path at some places, in the order of decreasing strengths."""
    alphas = alphas[places]
    scales, norm = basis.scales(alphas, stop.unit_ratio), float(np.linalg.norm(basis.b))
    A, certificates, path.n_iters[places] = _fill(basis, alphas, stop, scales)
    path.gradient_norms[places] = certificates.norms / (norm or 1.0)
    path.dual_gaps[places], path.means[places] = certificates.gaps, certificates.means
    hidden = np.flatnonzero((scales < norm) | (basis.equations.units is not None))
    for k, g in zip(hidden, basis.gradients(alphas[hidden], A[hidden]), strict=True):
        path.gradient_norms[places[k]] = basis.relative_gradient(g, float(alphas[k]))
    if stop.gap_share:
        path.explained[places] = basis.explained(alphas, A)
    for place, point in zip(places, basis.points(alphas, A), strict=True):
        path.points[place] = point


def _fill(
    basis: SketchedBasis, alphas: Vector, stop: StoppingRule, scales: Vector
) -> tuple[NDArray[np.float64], Certificates, Int]:
    """Solve at one strength after another until the basis is sufficient for all.

    Returns the combinations, one a row, their certificates, and the iterations spent at each strength.
    """
    n_iters, tries = np.zeros(alphas.size, dtype=np.int64), np.zeros(alphas.size, dtype=np.int64)
    certificates, A = Certificates(*np.zeros((3, alphas.size))), [np.zeros(0)] * alphas.size
    pending = np.arange(alphas.size)
    while True:
        limits, norms = basis.limits(alphas[pending], stop, scales[pending]), basis.gradient_norms(alphas[pending])
        candidates = (norms > basis.slack * limits) & (tries[pending] < TRIES)
        if not candidates.any():  # all are good enough by the sketch: certify them, and keep those that miss
            combinations = basis.combinations(alphas[pending])
            exact = basis.certificates(alphas[pending], combinations)
            for k, a in zip(pending, combinations, strict=True):
                A[k] = a
            for array, values in zip(certificates, exact, strict=True):
                array[pending] = values
            missed = exact.norms > limits
            pending, limits, norms = pending[missed], limits[missed], exact.norms[missed]
            candidates = tries[pending] < TRIES
            if not candidates.any():
                return np.stack([np.pad(a, (0, basis.n_vectors - a.size)) for a in A]), certificates, n_iters
        excess = np.where(candidates, norms / np.maximum(limits, TINY), 0.0)
        largest = float(excess.max())
        next_ = int(np.argmax(excess >= max(EASY_SHARE * largest, min(NEARLY_DONE, largest))))
        k, limit = pending[next_], float(limits[next_])
        a = basis.combinations(alphas[[k]])[0]
        norm, done = basis.solve(float(alphas[k]), a, SOLVED_SHARE * limit, stop.max_iter - int(n_iters[k]))
        n_iters[k] += done
        tries[k] += 1 if norm <= limit else TRIES

"""Ridge at many strengths for little more than the hardest one. Knows the normal equations, no estimators.

The solution of `(H0 + alpha V) w = b` is a smooth function of log alpha, so that a few solved points span all others nearly
(a reduced basis; Quarteroni, Manzoni & Negri 2016). For any alpha the best combination of them is a system of their number,
and as `H0 W` is held beside the basis W, its true gradient `b - H0 W a - alpha V W a` costs no pass over X. So the alpha with the
largest gradient, or an easier one nearly as far off, is solved, starting from its combination, and joins the basis, until no
gradient is too large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.cg import Preconditioner, conjugate_gradients, relax
from sparsereg.ridge.exact import Slabs
from sparsereg.ridge.precondition import Plain
from sparsereg.ridge.preconditioning import preconditioning
from sparsereg.ridge.solve import LOST, WEAK, Plan, require_feasible, solve_ridge
from sparsereg.ridge.spectrum import Spectrum
from sparsereg.ridge.system import NormalEquations, System

__all__ = ["PathSolution", "Preconditioners", "ReducedBasis", "solve_path", "solve_paths"]

Vector = NDArray[np.float64]

# Strengths within this factor of each other share a preconditioner.
SHARED = 4.0
# Points of the basis are solved to this share of the tolerance, so that those between them have room.
SHARE = 0.8
# Next is the strongest alpha whose gradient is at least this share of the largest: from there the basis reaches a little further
# into what is hard, until the hardest needs hardly an iteration. Taking the largest gradient itself solves the hardest from nothing.
EASY = 0.1
# A point that was solved may need it again, as combinations are best in energy and not in gradient; so often at most.
TRIES = 3
# A solution that lies in the basis but for this share of its length adds rounding only.
DEPENDENT = 1e-11
# Gradients from inner products hold half the digits: closer than this they are worked out entry by entry.
HALF_THE_DIGITS = 5e-7
# Entries of a slab of the gradients at all strengths: 8 MB.
SLAB = 1_000_000


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
    """

    n_cols: int
    basis: list[Vector]
    mixture: NDArray[np.float64]
    gradient_norms: Vector
    dual_gaps: Vector
    n_iters: NDArray[np.int64]

    def w(self, k: int) -> Vector:
        """The coefficients of point k."""
        return _combination(self.basis, self.mixture[k], self.n_cols)


class Preconditioners:
    """What each strength is preconditioned by: what the design says is worked out once, the rest once for all strengths of an order."""

    def __init__(self, equations: NormalEquations, alphas: Vector) -> None:
        self.equations = equations
        self.least_alpha = float(alphas[_felt(equations, alphas)].min(initial=np.inf))
        self.make: Callable[[System], Preconditioner] | None = None
        self.made: dict[int, Preconditioner] = {}

    def at(self, alpha: float) -> Preconditioner:
        """For `H0 + alpha V`, alpha one of the strengths that are felt."""
        order = round(float(np.log(alpha / self.least_alpha) / np.log(SHARED)))
        near = self.least_alpha * SHARED**order
        if order not in self.made:
            if self.make is None:
                self.make = preconditioning(self.equations, self.least_alpha * self.equations.factor)
            self.made[order] = self.make(self._system(near))
        return Nearby(self.made[order], (alpha - near) * self.equations.factor)

    def _system(self, alpha: float) -> System:
        return self.equations.system(np.zeros(self.equations.design.n_rows), alpha)


class Nearby:
    """The preconditioner of one penalty for another one, `extra` more."""

    def __init__(self, near: Preconditioner, extra: Vector) -> None:
        self.near, self.extra = near, extra

    def apply(self, g: Vector) -> tuple[Vector, Vector]:
        """`(z, H z)` with z near `H^-1 g`."""
        z, Hz = self.near.apply(g)
        Hz += self.extra * z
        return z, Hz


class ReducedBasis:
    """Orthonormal vectors W, `H0 W`, and all inner products that combinations and the size of their gradients need.

    Parameters
    ----------
    equations : NormalEquations
    b : float64 array of shape (n_cols,)
        The right side.
    """

    def __init__(self, equations: NormalEquations, b: Vector) -> None:
        self.equations, self.b = equations, b
        self.W: list[Vector] = []
        self.H0W: list[Vector] = []
        self.stiffness, self.mass = np.empty((0, 0)), np.empty((0, 0))  # W' H0 W, W' V W
        self.Wb = np.empty(0)
        self.products = np.array([[b @ b]])  # of b, H0 W_0, V W_0, H0 W_1, V W_1, ...

    def add(self, w: Vector, H0w: Vector) -> None:
        """Take in a vector, made orthogonal to the others: twice, as once leaves rounding (Giraud, Langou & Rozloznik 2005)."""
        length = float(np.linalg.norm(w))
        if length == 0.0:
            return
        w, H0w = w / length, H0w / length
        for _ in range(2):
            for w_k, H0w_k in zip(self.W, self.H0W, strict=True):
                share = float(w_k @ w)
                w -= share * w_k
                H0w -= share * H0w_k
        rest = float(np.linalg.norm(w))
        if rest < DEPENDENT:
            return
        w /= rest
        H0w /= rest
        self.W.append(w)
        self.H0W.append(H0w)
        self._multiply(w, H0w)

    def combinations(self, alphas: Vector) -> NDArray[np.float64]:
        """The best coefficients of the basis for each alpha, one row each."""
        out = np.empty((alphas.size, len(self.W)))
        for a, alpha in zip(out, alphas, strict=True):
            a[:] = np.linalg.lstsq(self.stiffness + alpha * self.mass, self.Wb)[0]
        return out

    def sizes(self, alphas: Vector, A: NDArray[np.float64]) -> Vector:
        """The norm of each combination's gradient, to half the digits."""
        c = np.ones((alphas.size, 1 + 2 * len(self.W)))
        c[:, 1::2], c[:, 2::2] = -A, -alphas[:, None] * A
        return np.asarray(np.sqrt(np.maximum(np.einsum("ij,ij->i", c @ self.products, c), 0.0)))

    def certificates(self, alphas: Vector, A: NDArray[np.float64]) -> tuple[Vector, Vector]:
        """The norm of each combination's gradient, to all digits, and the bound on its distance from the minimum."""
        squares, gaps = np.zeros(alphas.size), np.zeros(alphas.size)
        bounded = bool(self.equations.factor.min(initial=1.0) > 0.0)
        with np.errstate(over="ignore"):
            for here, g in self._gradients(alphas, A):
                g *= g
                squares += g.sum(axis=1)
                gaps += (
                    g @ (1.0 / self.equations.factor[here]) / alphas
                    if bounded
                    else np.where(g.any(axis=1), np.inf, 0.0)
                )
        return np.sqrt(squares), gaps

    def recompute(self) -> None:
        """`H0 W` afresh, through X."""
        for k, w in enumerate(self.W):
            self.H0W[k] = self.equations.transposed(self.equations.product(w))

    def start(self, a: Vector, alpha: float) -> tuple[Vector, Vector]:
        """A combination and its gradient."""
        m = self.b.size
        w = _combination(self.W, a, m)
        return w, self.b - _combination(self.H0W, a, m) - alpha * self.equations.factor * w

    def _multiply(self, w: Vector, H0w: Vector) -> None:
        v, k = self.equations.factor, len(self.W)
        vw = v * w
        of_h = [x for h, u in zip(self.H0W, self.W, strict=True) for x in (H0w @ h, (v * H0w) @ u)]
        of_v = [x for h, u in zip(self.H0W, self.W, strict=True) for x in (vw @ h, (v * vw) @ u)]
        old, self.products = self.products, np.empty((1 + 2 * k, 1 + 2 * k))
        self.products[: 2 * k - 1, : 2 * k - 1] = old
        for place, row in ((2 * k - 1, [self.b @ H0w, *of_h]), (2 * k, [self.b @ vw, *of_v])):
            self.products[place, : len(row)] = self.products[: len(row), place] = row
        # The other way round, H0w @ u, the rounding of a short rest would meet the longest vectors of the basis.
        self.stiffness = _grown(self.stiffness, np.array([h @ w for h in self.H0W]))
        self.mass = _grown(self.mass, np.array([vw @ u for u in self.W]))
        self.Wb = np.append(self.Wb, self.b @ w)

    def _gradients(self, alphas: Vector, A: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """All gradients by slabs of columns."""
        m = self.b.size
        step = max(1, SLAB // max(alphas.size, 1))
        for begin in range(0, m, step):
            here = slice(begin, min(begin + step, m))
            g = np.tile(self.b[here], (alphas.size, 1))
            if self.W:
                g -= A @ np.stack([h[here] for h in self.H0W])
                g -= (alphas[:, None] * A) @ (np.stack([w[here] for w in self.W]) * self.equations.factor[here])
            yield here, g


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
    require_feasible(plan.method, equations)
    if plan.method == "cg":
        preconditioners = preconditioners or Preconditioners(equations, alphas)
        return [solve_path(equations, y, alphas, plan.tol, plan.max_iter, preconditioners) for y in Y.T]
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
            PathSolution(equations.design.n_cols, [s.w for s in found], np.eye(alphas.size), norms, gaps, n_iters)
        )
    return paths


def solve_path(
    equations: NormalEquations,
    y: Vector,
    alphas: Vector,
    tol: float,
    max_iter: int,
    preconditioners: Preconditioners,
) -> PathSolution:
    """One target at every alpha, to `|g| <= tol |b|`, by conjugate gradients where the reduced basis leaves more.

    Parameters
    ----------
    equations : NormalEquations
    y : float64 array of shape (n,)
    alphas : float64 array of shape (k,)
    tol : float
    max_iter : int
        Most iterations at one alpha.
    preconditioners : Preconditioners
        Of these equations and alphas; shared among targets.
    """
    felt = _felt(equations, alphas)
    order = np.flatnonzero(felt)[
        np.argsort(-alphas[felt], kind="stable")
    ]  # the easy ones, which are nearly free, first
    b = equations.system(y, 0.0).b
    target = tol * float(np.linalg.norm(b))
    basis, A, certificates, n_iters = _greedy(equations, y, alphas[order], (target, max_iter), preconditioners)
    k, r = alphas.size, len(basis.W)
    solution = PathSolution(b.size, basis.W, np.zeros((k, r)), np.zeros(k), np.zeros(k), np.zeros(k, dtype=np.int64))
    scale = float(np.linalg.norm(b)) or 1.0
    solution.mixture[order], solution.n_iters[order] = A, n_iters
    solution.gradient_norms[order], solution.dual_gaps[order] = certificates[0] / scale, certificates[1]
    return _with_least_norm(equations, y, alphas, (tol, max_iter), np.flatnonzero(~felt), solution)


def _greedy(
    equations: NormalEquations,
    y: Vector,
    alphas: Vector,
    until: tuple[float, int],
    preconditioners: Preconditioners,
) -> tuple[ReducedBasis, NDArray[np.float64], tuple[Vector, Vector], NDArray[np.int64]]:
    """A basis that is good enough for every alpha, the combinations, their certificates, and the iterations spent at each."""
    target, max_iter = until
    basis = ReducedBasis(equations, equations.system(y, 0.0).b)
    n_iters, tries = np.zeros(alphas.size, dtype=np.int64), np.zeros(alphas.size, dtype=np.int64)
    coarse = target > HALF_THE_DIGITS * float(np.linalg.norm(basis.b))
    fresh = False
    while True:
        A = basis.combinations(alphas)
        certificates = (np.empty(0), np.empty(0)) if coarse and not fresh else basis.certificates(alphas, A)
        sizes = basis.sizes(alphas, A) if coarse and not fresh else certificates[0]
        sizes = np.where(tries >= TRIES, 0.0, sizes)
        most = sizes.max(initial=0.0)
        if not most > target:
            if fresh:
                return basis, A, certificates, n_iters
            basis.recompute()
            fresh = True
            continue
        worst = int(np.argmax(sizes >= max(EASY * most, target)))
        system = equations.system(y, alphas[worst])
        start = basis.start(A[worst], alphas[worst])
        w, g, done = relax(system, preconditioners.at(alphas[worst]), start, SHARE * target, max_iter - n_iters[worst])
        if (
            coarse and not done
        ):  # there was nothing to do: inner products have shown their rounding, and are of no more use
            coarse = False
            continue
        basis.add(w, basis.b - g - system.penalty * w)
        n_iters[worst] += done
        tries[worst] += 1 if np.linalg.norm(g) <= target else TRIES
        fresh = False


def _with_least_norm(
    equations: NormalEquations,
    y: Vector,
    alphas: Vector,
    until: tuple[float, int],
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
        solution = conjugate_gradients(system, Plain(system), *until)
        mixture[k, len(basis)] = 1.0
        basis.append(solution.w)
        found.gradient_norms[k], found.dual_gaps[k], found.n_iters[k] = (
            solution.gradient_norm,
            solution.dual_gap,
            solution.n_iter,
        )
    return PathSolution(found.n_cols, basis, mixture, found.gradient_norms, found.dual_gaps, found.n_iters)


def _felt(equations: NormalEquations, alphas: Vector) -> NDArray[np.bool_]:
    """Strengths that are not lost beside the curvature."""
    most: float = equations.diagonal.max(initial=0.0)
    return np.asarray(alphas * equations.factor.max(initial=0.0) > LOST * most)


def _combination(vectors: list[Vector], a: Vector, size: int) -> Vector:
    out = np.zeros(size)
    for share, vector in zip(a, vectors, strict=True):
        if share != 0.0:
            out += share * vector
    return out


def _grown(square: NDArray[np.float64], row: Vector) -> NDArray[np.float64]:
    out = np.pad(square, ((0, 1), (0, 1)))
    out[-1], out[:, -1] = row, row
    return out

"""Any smooth loss with an l2 penalty, or none, by Newton steps with a line search: no working set, K outputs.

Few coefficients: each step by a factorised Hessian. Many: by conjugate gradients, from products with X alone. Where the
loss is not convex, a step stops at the first direction of negative curvature. Knows no estimators. (Nocedal & Wright
2006, chapters 3 and 7.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from sparsereg.data.design import Design
from sparsereg.losses.predictors import Curvature
from sparsereg.rows.memory import MemoryRows
from sparsereg.solvers.smooth_problem import SmoothProblem, State

__all__ = ["MAX_PRODUCTS", "SmoothSolution", "smooth_newton"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Int = NDArray[np.int64]

# The Newton decrement, as a share of the null model's loss, below which a step is the last one, and below which none
# is made: it is squared by a step.
LAST_DECREMENT = 1e-13
NO_DECREMENT = 1e-22
# Conjugate gradients: most products a step, and the relative residuals between which it ends.
MAX_PRODUCTS = 1_000
FORCING = (1e-10, 1e-1)
# F must fall by this share of what its slope promises; steps are halved at most so often.
ARMIJO = 1e-4
MAX_HALVINGS = 50
# Differences of F below this share of it are rounding.
ROUNDING = 64.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class SmoothSolution:
    """Where Newton's method ended.

    Attributes
    ----------
    W : float64 array of shape (m, K)
    b : float64 array of shape (K,)
    value : float
        `S F`.
    gradient_norm : float
        The gradient over that at 0, both in units of the square root of the curvature.
    n_iter : int
        Newton steps.
    stopped : bool
        Whether nothing was left to gain, rather than `max_iter` reached.
    """

    W: Matrix
    b: Vector
    value: float
    gradient_norm: float
    n_iter: int
    stopped: bool


@dataclass(eq=False)
class _Step:
    """A Newton direction at a state; `products` with the Hessian is how many it, or one before, took."""

    problem: SmoothProblem
    state: State
    products: int = 0
    curvature: Curvature = field(init=False)
    scale: Matrix = field(init=False)

    def __post_init__(self) -> None:
        self.curvature = self.problem.curvature(self.state)
        self.scale = np.sqrt(self.problem.curvatures(self.curvature))
        self._sums = self.curvature.diagonal().sum(axis=0)

    def norm(self, g: Matrix, g_b: Vector) -> float:
        """`|g|` in units of the root of the curvature."""
        with np.errstate(divide="ignore", invalid="ignore"):
            of_b = np.where(self._sums > 0.0, g_b**2 / self._sums, 0.0)
        return float(np.sqrt(np.sum((g / self.scale) ** 2) + of_b.sum()))

    def direction(self, tol: float) -> tuple[Matrix, Vector]:
        """A descent direction: that of Newton where the Hessian is positive definite."""
        problem = self.problem
        m, K = self.state.W.shape
        directly = problem.factorises(m, K) or problem.factorises_sooner(m, K, self.products)
        if directly and problem.convex and problem.mask is None:
            d, d_b = self._factorised()
        else:
            d, d_b = self._conjugate_gradients(tol)
        if not (np.isfinite(d).all() and np.sum(d * self.state.g) + d_b @ self.state.g_b < 0.0):
            with np.errstate(divide="ignore", invalid="ignore"):
                d_b = np.where(self._sums > 0.0, -self.state.g_b / self._sums, 0.0)
            d = -self.state.g / self.scale**2
        return d, d_b

    # ---- few coefficients ------------------------------------------------------------------------------------------

    def _factorised(self) -> tuple[Matrix, Vector]:
        H, g = self._hessian(), np.concatenate([self.state.g, self.state.g_b[None]]).T.ravel()
        if not self.problem.fit_intercept:
            H, g = self._without_intercepts(H), self.state.g.T.ravel()
        diagonal = np.diag(H)
        unit = 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
        try:
            factor = cho_factor(unit[:, None] * H * unit)
            if np.diag(factor[0]).min() < 1e-7:  # the last digits only
                raise LinAlgError
            d = -unit * cho_solve(factor, unit * g)
        except LinAlgError:
            d = -unit * _least_norm(unit[:, None] * H * unit, unit * g)
        K = self.state.b.size
        d = d.reshape(K, -1).T
        if not self.problem.fit_intercept:
            return d, np.zeros(K)
        # A softmax does not tell a shift of all intercepts, which least norms in units of columns need not leave alone.
        return d[:-1], d[-1] - (d[-1].mean() if K > 1 else 0.0)

    def _hessian(self) -> Matrix:
        """Of shape (K (m + 1), K (m + 1)), output by output, the intercept last in each."""
        problem, (m, K) = self.problem, self.state.W.shape
        cols = np.arange(problem.design.n_cols) if problem.cols is None else problem.cols
        H = np.empty((K, m + 1, K, m + 1))
        for k in range(K):
            for other in range(k + 1):
                h = self.curvature.pair(k, other)
                block = np.empty((m + 1, m + 1))
                sign = 1.0 if k == other else -1.0  # of a softmax, those of two predictors are negative
                block[:m, :m] = sign * _weighted_gram(problem.design, cols, sign * h)
                block[:m, m] = block[m, :m] = problem.rmatvec(h[:, None])[:, 0]
                block[m, m] = h.sum()
                if k == other:
                    block[np.arange(m), np.arange(m)] += problem.l2
                H[k, :, other, :] = block
                H[other, :, k, :] = block
        return H.reshape(K * (m + 1), K * (m + 1))

    def _without_intercepts(self, H: Matrix) -> Matrix:
        m, K = self.state.W.shape
        keep = np.arange(K * (m + 1)).reshape(K, m + 1)[:, :m].ravel()
        return H[np.ix_(keep, keep)]

    # ---- many coefficients -----------------------------------------------------------------------------------------

    def _conjugate_gradients(self, tol: float) -> tuple[Matrix, Vector]:
        """In units of `scale`, with the intercepts eliminated; to a relative residual of `tol`."""
        inverse, problem = self._intercept_inverse(), self.problem
        g, g_b = self.state.g, self.state.g_b
        shift = -inverse @ g_b  # of the intercepts alone
        r = -(g + problem.intercept_products(self.curvature, shift))
        if problem.solve is not None:
            found, self.products = problem.solve(self.curvature.diagonal()[:, 0], r[:, 0], tol)
            d = found[:, None]
            return d, shift + problem.eliminated_product(self.curvature, d, inverse)[1]
        r /= self.scale
        x, p, rr = np.zeros_like(r), r.copy(), float(np.sum(r * r))
        first, self.products = rr, 0
        for _ in range(MAX_PRODUCTS):
            if rr <= tol * tol * first:
                break
            self.products += 1
            q = problem.eliminated_product(self.curvature, p / self.scale, inverse)[0] / self.scale
            curvature = float(np.sum(p * q))
            if curvature <= 1e-15 * float(np.sum(p * p)):
                if not x.any():
                    x = p
                break
            a = rr / curvature
            x += a * p
            r -= a * q
            rr, last = float(np.sum(r * r)), rr
            p = r + (rr / last) * p
        d = x / self.scale
        return d, shift + problem.eliminated_product(self.curvature, d, inverse)[1]

    def _intercept_inverse(self) -> Matrix:
        """The pseudo-inverse of the Hessian in the intercepts: for a softmax they are determined up to a constant."""
        K = self.state.b.size
        if not self.problem.fit_intercept:
            return np.zeros((K, K))
        H = np.array([[self.curvature.pair(k, other).sum() for other in range(K)] for k in range(K)])
        size, vectors = np.linalg.eigh(H)
        size = np.abs(size)  # of a loss that is not convex, some may be below 0
        keep = size > 1e-13 * size.max()
        return (vectors[:, keep] / size[keep]) @ vectors[:, keep].T


def smooth_newton(problem: SmoothProblem, start: tuple[Matrix, Vector], scale: float, max_iter: int) -> SmoothSolution:
    """Minimise from a start `(W, b)`, until a step gains nothing but rounding, or `max_iter` steps.

    Parameters
    ----------
    problem : SmoothProblem
    start : tuple of float64 arrays of shape (m, K) and (K,)
    scale : float
        What decreases are measured against: the null model's loss, summed.
    max_iter : int

    Returns
    -------
    SmoothSolution
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        state = problem.state(*start)
        zero = state if not state.W.any() else problem.state(np.zeros_like(state.W), np.zeros_like(state.b))
        at_zero, n_iter, stopped, last = _Step(problem, zero).norm(zero.g, zero.g_b), 0, False, False
        products = 0
        while True:
            step = _Step(problem, state, products)
            # Where no row has curvature at 0, such as under large offsets, the gradient there is beyond all measure in
            # its own units.
            norm, first = step.norm(state.g, state.g_b), min(at_zero, step.norm(zero.g, zero.g_b))
            if last or norm <= NO_DECREMENT**0.5 * max(first, 1e-300) or n_iter >= max_iter:
                break
            relative = norm / first if first else 0.0
            d, d_b = step.direction(float(np.clip(min(0.1 * relative, relative**0.5), *FORCING)))
            products = step.products
            decrement = -float(np.sum(d * state.g) + d_b @ state.g_b)
            if decrement <= NO_DECREMENT * scale:
                stopped = True
                break
            moved = _line_search(problem, state, d, d_b)
            if moved is None:
                stopped = True
                break
            state, n_iter = moved, n_iter + 1
            last = stopped = decrement <= LAST_DECREMENT * scale
        stopped = stopped or n_iter < max_iter
    return SmoothSolution(state.W, state.b, state.value, norm / first if first else 0.0, n_iter, stopped)


def _line_search(problem: SmoothProblem, state: State, d: Matrix, d_b: Vector) -> State | None:
    """The first of the steps 1, 1/2, 1/4, ... that lowers F enough; where F is rounding, its slope decides."""
    dZ = problem.products(d)
    dZ += d_b
    slope = float(np.sum(d * state.g) + d_b @ state.g_b)
    t = 1.0
    for _ in range(MAX_HALVINGS):
        W, b, Z = state.W + t * d, state.b + t * d_b, state.Z + t * dZ
        value = problem.value(W, Z)
        rounding = ROUNDING * abs(state.value)
        if value <= state.value + ARMIJO * t * slope:
            return State(W, b, Z, value, *problem.gradient(W, Z))
        if -t * slope <= rounding and value <= state.value + rounding:
            g, g_b = problem.gradient(W, Z)
            ahead = float(np.sum(d * g) + d_b @ g_b)
            return State(W, b, Z, value, g, g_b) if abs(ahead) <= 0.9 * abs(slope) else None
        t *= 0.5
    return None


def _weighted_gram(design: Design, cols: Int, h: Vector) -> Matrix:
    """`X' diag(h) X` of the listed columns."""
    if design.dense is not None:
        X = np.asarray(design.dense, dtype=np.float64)[:, cols]
        return (X * h[:, None]).T @ X
    return MemoryRows(design, np.zeros(design.n_rows), np.ascontiguousarray(h)).products(cols, cols)


def _least_norm(H: Matrix, g: Vector) -> Vector:
    """The x of least norm with `H x = g`; what H cannot reach is descended along by its largest curvature."""
    size, vectors = np.linalg.eigh(H)
    top = float(np.abs(size).max(initial=0.0)) or 1.0
    keep = size > 1e-13 * top * len(H)
    inside = vectors[:, keep].T @ g
    x = vectors[:, keep] @ (inside / size[keep])
    outside = g - vectors[:, keep] @ inside
    return x + (outside / top if np.linalg.norm(outside) > 1e-8 * np.linalg.norm(g) else 0.0)

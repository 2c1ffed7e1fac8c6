"""Any smooth loss, convex or not, with an l1 penalty: proximal gradient steps, then Newton steps on the support.

A point is judged by its distance from stationarity, which needs no duality: no bound on the distance from the minimum
follows, and where the loss is not convex there may be several such points. Steps have lengths by Barzilai and Borwein,
in units of the curvature at the start, and are halved until F falls (Wright, Nowak & Figueiredo 2009). Knows no
estimators.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.penalties import Penalty
from sparsereg.solvers.smooth_newton import SmoothSolution, smooth_newton
from sparsereg.solvers.smooth_problem import LEAST_CURVATURE, SmoothProblem, State

__all__ = ["on_support", "proximal_descent"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

# Proximal steps between two attempts to finish by Newton steps on the support.
STEPS_PER_LOOK = 25
# Step lengths, in units of the curvature at the start.
SHORTEST, LONGEST = 1e-8, 1e8
# A step must lower F by this share of its squared length over its own.
DECREASE = 1e-4
MAX_HALVINGS = 60


@dataclass(eq=False)
class _Composite:
    """F in units of the curvature at the start: `w` has one row a column, and the intercepts last."""

    problem: SmoothProblem
    penalty: Penalty
    l1: Vector
    curvature: Matrix
    of_b: Vector

    def value(self, state: State) -> float:
        return state.value + sum(self.penalty.value(w, self.l1, np.zeros_like(w)) for w in state.W.T)

    def step(self, state: State, t: float) -> tuple[Matrix, Vector]:
        """The proximal gradient step of length t."""
        a = self.curvature / t
        W = np.stack(
            [
                self.penalty.prox(a[:, k] * w - state.g[:, k], a[:, k], self.l1, 0.0 * w)
                for k, w in enumerate(state.W.T)
            ],
            axis=1,
        )
        return W, state.b - t * state.g_b / self.of_b

    def squared(self, D: Matrix, d_b: Vector) -> float:
        return float(np.sum(self.curvature * D * D) + np.sum(self.of_b * d_b * d_b))

    def stationarity(self, state: State) -> float:
        """The length of a step of length 1: 0 at a stationary point."""
        W, b = self.step(state, 1.0)
        return float(np.sqrt(self.squared(W - state.W, b - state.b)))


def proximal_descent(
    problem: SmoothProblem, penalty: Penalty, l1: Vector, start: tuple[Matrix, Vector], limits: tuple[float, float, int]
) -> SmoothSolution:
    """A stationary point of `problem` plus `sum_jk l1_j g(w_jk)`.

    Parameters
    ----------
    problem : SmoothProblem
        With all columns, and no linear term.
    penalty : Penalty
        Its gauge g.
    l1 : float64 array of shape (m,)
    start : tuple of float64 arrays of shape (m, K) and (K,)
    limits : tuple of float, float and int
        The stationarity to reach, as a share of that of the model without columns; what decreases of F are measured
        against; and the most steps.

    Returns
    -------
    SmoothSolution
        `gradient_norm` is that share.
    """
    tol, scale, max_iter = limits
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        state = problem.state(*start)
        composite = _composite(problem, penalty, l1, state)
        null = smooth_newton(problem.restricted(np.empty(0, dtype=np.int64)), _null(state), scale, 100)
        zero = problem.state(np.zeros_like(state.W), null.b)
        unpenalized = replace(composite, l1=np.zeros_like(l1))
        reference = unpenalized.stationarity(zero) or 1.0
        n_iter, t, norm = 0, 1.0, composite.stationarity(state) / reference
        while norm > tol and n_iter < max_iter:
            before = norm
            for _ in range(min(STEPS_PER_LOOK, max_iter - n_iter)):
                moved = _descend(composite, state, t)
                n_iter += 1
                if moved is None:
                    break
                state, t = moved
            polished = on_support(problem, penalty, l1, state, scale)
            if polished is not None and composite.value(polished) <= composite.value(state):
                state = polished
            norm = composite.stationarity(state) / reference
            if moved is None and not norm < before:
                break
    return SmoothSolution(state.W, state.b, composite.value(state), norm, n_iter, norm <= tol)


def on_support(problem: SmoothProblem, penalty: Penalty, l1: Vector, state: State, scale: float) -> State | None:
    """Newton steps on the coefficients that are not 0, whose signs are kept; None where a sign would change."""
    rows = np.flatnonzero(state.W.any(axis=1))
    if not rows.size:
        return None
    W = state.W[rows]
    moving = W != 0.0
    linear = l1[rows][:, None] * np.stack([penalty.slope(w) for w in W.T], axis=1)
    own = problem.restricted(rows, linear, None if moving.all() else moving)
    found = smooth_newton(own, (W, state.b), scale, 20)
    if (found.W * W <= 0.0)[moving].any():
        return None
    moved = np.zeros_like(state.W)
    moved[rows] = found.W
    return problem.state(moved, found.b)


def _composite(problem: SmoothProblem, penalty: Penalty, l1: Vector, state: State) -> _Composite:
    found = problem.curvature(state)
    h, curvature = found.diagonal(), problem.curvatures(found)
    floor = LEAST_CURVATURE * len(h) * float(h.max(initial=0.0)) or 1.0
    return _Composite(problem, penalty, l1, curvature, np.maximum(h.sum(axis=0), floor))


def _null(state: State) -> tuple[Matrix, Vector]:
    return np.zeros((0, state.b.size)), state.b


def _descend(composite: _Composite, state: State, t: float) -> tuple[State, float] | None:
    """One step of at most the length t, and the length to try next; None where F cannot fall."""
    value = composite.value(state)
    for _ in range(MAX_HALVINGS):
        W, b = composite.step(state, t)
        D, d_b = W - state.W, b - state.b
        squared = composite.squared(D, d_b)
        if squared == 0.0:
            return None
        moved = composite.problem.state(W, b)
        if composite.value(moved) <= value - DECREASE / t * squared:
            along = float(np.sum(D * (moved.g - state.g)) + d_b @ (moved.g_b - state.g_b))
            return moved, float(np.clip(squared / along, SHORTEST, LONGEST)) if along > 0.0 else min(2.0 * t, LONGEST)
        t *= 0.5
    return None

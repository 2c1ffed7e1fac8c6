"""Early stopping as implicit ridge: plain gradient descent from 0, until held-out rows are predicted worse. Knows no estimators.

In the eigenvectors of `V^-1/2 Xc' S Xc V^-1/2`, along an eigenvalue l, t steps of length eta leave of the least-squares coefficients

    l / (l + alpha) * (1 - (1 - eta (l + alpha))^t)      while ridge at alpha + delta leaves      l / (l + alpha + delta),

with alpha what is penalised anyway. For `delta = 1 / (eta t)` the two agree to first order where `eta t (l + alpha)` is small, and both
are l / (l + alpha) where it is large; in between stopping leaves more, by up to 0.2. At alpha = 0 the risk of the stopped fit is at most 1.69 times ridge's (Ali, Kolter & Tibshirani
2019, "A continuous-time view of early stopping for least squares", theorem 1: gradient flow, and lambda = 1/t in their scaling).
With penalty factors V, steps are taken in the metric V: that is plain descent on columns divided by v_j^1/2.

Held-out rows are rows of weight 0, so no copy of X is made, and one product X w serves the gradient and the held-out error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations, Solution, System
from sparsereg.ridge.solve import TOO_LARGE, Plan

__all__ = ["HeldOut", "Stopped", "descend_until_worse", "hold_out", "step_length"]

Vector = NDArray[np.float64]

# The held-out error is looked at after every step at first, then where t has grown by this factor: it is 1/t that counts.
LOOK = 1.05
# A power method from a random start is within ln(n) / k of the largest eigenvalue after k steps, whatever the others are
# (Kuczynski & Wozniakowski 1992); steps are stable up to twice the length.
POWER_STEPS = 50
SETTLED = 1e-4
MARGIN = 1.1


@dataclass(frozen=True)
class HeldOut:
    """Rows that do not take part in a fit, with their weights, and how often in a row their error may not fall."""

    rows: NDArray[np.int64]
    weights: Vector
    patience: int


@dataclass(frozen=True)
class Stopped:
    """Where the descent was stopped; `n_iter` of the solution are the steps up to there.

    Attributes
    ----------
    solution : Solution
    equivalent_alpha : float
        `alpha + 1 / (eta t)`; infinite at t = 0, and alpha where the descent had arrived.
    still_falling : bool
        The held-out error had not stopped falling after the most steps.
    """

    solution: Solution
    equivalent_alpha: float
    still_falling: bool


def hold_out(
    equations: NormalEquations, fraction: float, patience: int, rng: np.random.RandomState
) -> tuple[NormalEquations, HeldOut]:
    """The equations of the other rows, and the rows held out: a share of those that weigh anything, rounded up."""
    s = np.ones(equations.design.n_rows) if equations.s is None else equations.s.copy()
    heavy = np.flatnonzero(s)
    n_held = int(np.ceil(fraction * heavy.size))
    if not n_held < heavy.size:
        raise ValueError(
            f"validation_fraction={fraction} of n_samples={heavy.size} (with any weight) would leave none to fit."
        )
    rows = np.sort(rng.permutation(heavy)[:n_held])
    held = HeldOut(rows, s[rows], patience)
    s[rows] = 0.0
    return replace(equations, s=s), held


def step_length(equations: NormalEquations, alpha: float, rng: np.random.RandomState) -> float:
    """`1 / (largest eigenvalue + alpha)`, or less, in the metric V."""
    v, value = equations.factor, 0.0
    q = rng.normal(size=v.size) / np.sqrt(v)
    for _ in range(POWER_STEPS):
        q /= np.sqrt(q @ (v * q)) or 1.0
        Hq = equations.rmatvec(equations.product(q))
        before, value = value, float(q @ Hq)
        if value <= before * (1.0 + SETTLED):
            break
        q = Hq / v
    # (x w)^2 <= k sum_j x_j^2 w_j^2 for a row of k entries, and centring takes away: it is never more than that.
    squares = equations.diagonal + equations.weight_sum * equations.means**2
    most = equations.design.max_row_length * float(np.max(squares / v))
    return 1.0 / (min(MARGIN * value, most) + alpha or 1.0)


def descend_until_worse(system: System, alpha: float, step: float, held: HeldOut, plan: Plan) -> Stopped:
    """Gradient descent from 0 until the held-out error has not fallen for some looks; the best of what was looked at.

    It ends as well when the relative gradient is within the plan's tolerance, where there is nothing left to stop."""
    equations = system.equations
    w, z = np.zeros(system.penalty.size), np.zeros(system.y.size)
    best, best_error, best_t, since, next_look = w.copy(), _error(system, z, held), 0, 0, 1
    t, done, enough = 0, False, plan.tol * float(np.linalg.norm(system.b))
    while since < held.patience and t < plan.max_iter and not done:
        g = equations.rmatvec(system.y - z) - system.penalty * w
        if not np.isfinite(size := float(np.linalg.norm(g))):
            raise ValueError(TOO_LARGE)
        done = size <= enough
        w += step * g / equations.factor
        z = equations.product(w)
        t += 1
        if t < next_look and t < plan.max_iter and not done:
            continue
        next_look = max(t + 1, int(LOOK * t))
        error = _error(system, z, held)
        since += 1
        if error < best_error:
            best, best_error, best_t, since = w.copy(), error, t, 0
    implicit = 1.0 / (step * best_t) if best_t else np.inf
    if done and best_t == t > 1:  # it has arrived, and nothing was stopped
        implicit = 0.0
    return Stopped(system.solution(best, best_t), alpha + implicit, since < held.patience and not done)


def _error(system: System, z: Vector, held: HeldOut) -> float:
    """The weighted squares of the held-out rows, with the intercept that the other rows ask for."""
    r = (system.y - z)[held.rows] + system.equations.mean(z)
    return float(held.weights @ r**2)

"""Early stopping as implicit ridge: gradient descent from 0 until the error of held-out rows stops falling.

Along an eigenvector of `V^-1/2 Xc' S Xc V^-1/2` with eigenvalue l, t steps of length eta and ridge at `alpha + delta`
keep of the least-squares coefficient, with alpha the explicit penalty::

    l / (l + alpha) * (1 - (1 - eta (l + alpha))^t)          and          l / (l + alpha + delta).

For `delta = 1 / (eta t)` they agree to first order in `eta t (l + alpha)`, and both tend to l / (l + alpha) as it
grows. In between, stopping keeps up to 0.2 more. At alpha = 0 the risk of the stopped fit is at most 1.69 times that
of ridge (Ali, Kolter & Tibshirani 2019, "A continuous-time view of early stopping for least squares", theorem 1:
gradient flow, and lambda = 1/t in their scaling). With penalty factors V, steps are taken in the metric V, which is
plain descent on columns divided by v_j^1/2.

Held-out rows have weight 0, so X is not copied, and a single product X w gives the gradient and the held-out error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations, RidgeSolution, System
from sparsereg.ridge.solve import SolverSettings, check_finite

__all__ = ["EarlyStop", "HeldOutRows", "descend_until_worse", "hold_out", "step_length"]

Vector = NDArray[np.float64]

# The held-out error is computed after each step at first, then whenever t has grown by this factor: what matters is
# 1/t.
CHECK_GROWTH = 1.05
# After k steps from a random start, the power method is within ln(n) / k of the largest eigenvalue, whatever the
# others are (Kuczynski & Wozniakowski 1992). Steps are stable up to twice the length.
POWER_STEPS = 50
POWER_TOL = 1e-4
POWER_MARGIN = 1.1


@dataclass(frozen=True)
class HeldOutRows:
    """Rows excluded from a fit, their weights, and the number of checks without improvement that ends the descent."""

    rows: NDArray[np.int64]
    weights: Vector
    patience: int


@dataclass(frozen=True)
class EarlyStop:
    """The result of a stopped descent.

    Attributes
    ----------
    solution : RidgeSolution
        `n_iter` is the number of steps t to the returned coefficients.
    equivalent_alpha : float
        `alpha + 1 / (eta t)`; infinite at t = 0, and alpha if the descent has converged.
    still_falling : bool
        Whether the held-out error was still falling at the most steps.
    """

    solution: RidgeSolution
    equivalent_alpha: float
    still_falling: bool


def hold_out(
    equations: NormalEquations, fraction: float, patience: int, rng: np.random.RandomState
) -> tuple[NormalEquations, HeldOutRows]:
    """The equations of the other rows, and the rows held out: a fraction of those with positive weight, rounded up."""
    s = np.ones(equations.design.n_rows) if equations.s is None else equations.s.copy()
    weighted = np.flatnonzero(s)
    n_held = int(np.ceil(fraction * weighted.size))
    if not n_held < weighted.size:
        raise ValueError(
            f"validation_fraction={fraction} of n_samples={weighted.size} (with positive weight) leaves none to fit;"
            " decrease it."
        )
    rows = np.sort(rng.permutation(weighted)[:n_held])
    held = HeldOutRows(rows, s[rows], patience)
    s[rows] = 0.0
    return replace(equations, s=s), held


def step_length(equations: NormalEquations, alpha: float, rng: np.random.RandomState) -> float:
    """A step of at most `1 / (largest eigenvalue + alpha)` in the metric V, by a power method."""
    v, value = equations.factor, 0.0
    q = rng.normal(size=v.size) / np.sqrt(v)
    for _ in range(POWER_STEPS):
        q /= np.sqrt(q @ (v * q)) or 1.0
        Hq = equations.rmatvec(equations.product(q))
        before, value = value, float(q @ Hq)
        if value <= before * (1.0 + POWER_TOL):
            break
        q = Hq / v
    # For a row of k entries (x w)^2 <= k sum_j x_j^2 w_j^2, and centring only reduces it: an upper bound.
    squares = equations.diagonal + equations.weight_sum * equations.means**2
    bound = equations.design.max_row_length * float(np.max(squares / v))
    return 1.0 / (min(POWER_MARGIN * value, bound) + alpha or 1.0)


def descend_until_worse(system: System, step: float, held: HeldOutRows, settings: SolverSettings) -> EarlyStop:
    """Gradient descent from 0, stopped after `held.patience` checks without a lower held-out error; the best iterate.

    It also stops if the relative gradient reaches the tolerance of the settings: the descent has converged.
    """
    equations, alpha = system.equations, system.alpha
    w, z = np.zeros(system.penalty.size), np.zeros(system.y.size)
    best, best_error, best_t, checks, next_check = w.copy(), _held_out_error(system, z, held), 0, 0, 1
    t, converged, limit = 0, False, settings.tol * float(np.linalg.norm(system.b))
    while checks < held.patience and t < settings.max_iter and not converged:
        g = equations.rmatvec(system.y - z) - system.penalty * w
        check_finite(norm := float(np.linalg.norm(g)))
        converged = norm <= limit
        w += step * g / equations.factor
        z = equations.product(w)
        t += 1
        if t < next_check and t < settings.max_iter and not converged:
            continue
        next_check = max(t + 1, int(CHECK_GROWTH * t))
        error = _held_out_error(system, z, held)
        checks += 1
        if error < best_error:
            best, best_error, best_t, checks = w.copy(), error, t, 0
    implicit = 1.0 / (step * best_t) if best_t else np.inf
    if converged and best_t == t > 1:
        implicit = 0.0
    return EarlyStop(system.solution(best, best_t), alpha + implicit, checks < held.patience and not converged)


def _held_out_error(system: System, z: Vector, held: HeldOutRows) -> float:
    """The weighted squares of the held-out rows, with the intercept that fits the other rows."""
    r = (system.y - z)[held.rows] + system.equations.mean(z)
    return float(held.weights @ r**2)

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
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.validation import check_flag, check_number
from sparsereg.ridge.normal_equations import NormalEquations, RidgeSolution, System
from sparsereg.ridge.solve import SolverSettings, check_finite

__all__ = [
    "N_ITER_NO_CHANGE",
    "VALIDATION_FRACTION",
    "EarlyStop",
    "HeldOutDescent",
    "HeldOutRows",
    "Stop",
    "check_stopping",
    "descend_until_worse",
    "hold_out",
    "step_length",
    "stop_early",
]

Vector = NDArray[np.float64]

# The held-out error is computed after each step at first, then whenever t has grown by this factor: what matters is
# 1/t.
CHECK_GROWTH = 1.05
# After k steps from a random start, the power method is within ln(n) / k of the largest eigenvalue, whatever the
# others are (Kuczynski & Wozniakowski 1992). Steps are stable up to twice the length.
POWER_STEPS = 50
POWER_TOL = 1e-4
POWER_MARGIN = 1.1
# What estimators have by default.
VALIDATION_FRACTION = 0.1
N_ITER_NO_CHANGE = 5


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


def check_stopping(model: Any, idle: tuple[str, ...] = ()) -> bool:
    """The parameters of an estimator about early stopping, checked; whether it is asked for.

    `idle` names those that may have other values without it.

    Raises
    ------
    ValueError
        For those out of range, and for others than the usual ones where they have no effect.
    """
    check_number("validation_fraction", model.validation_fraction, low=0, high=1, open_low=True)
    check_number("n_iter_no_change", model.n_iter_no_change, low=1, integer=True)
    if check_flag("early_stopping", model.early_stopping):
        return True
    for name, usual in (("validation_fraction", VALIDATION_FRACTION), ("n_iter_no_change", N_ITER_NO_CHANGE)):
        if (value := getattr(model, name)) != usual and name not in idle:
            raise ValueError(f"{name}={value!r} has an effect only with early_stopping=True; set that too.")
    return False


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


class HeldOutDescent(Protocol):
    """A point that goes downhill, from 0."""

    def advance(self) -> bool:
        """Take a step; whether the descent had converged before it."""

    def error(self) -> float:
        """The loss of the held-out rows."""

    def point(self) -> Any:
        """The present coefficients, which later steps leave as they are."""


class Stop(NamedTuple):
    """The best point of a descent, after t steps; whether it had converged there, or the loss was still falling."""

    point: Any
    t: int
    converged: bool
    still_falling: bool

    def penalty(self, step: float) -> float:
        """The ridge penalty that stopping amounts to: `1 / (step t)`, infinite at t = 0, and 0 after convergence."""
        if self.converged:
            return 0.0
        return 1.0 / (step * self.t) if self.t else np.inf


def stop_early(descent: HeldOutDescent, patience: int, max_iter: int) -> Stop:
    """Take steps until the held-out loss was not lower for so many checks, the descent has converged, or `max_iter`."""
    best, best_error, best_t, checks, next_check = descent.point(), descent.error(), 0, 0, 1
    t, converged = 0, False
    while checks < patience and t < max_iter and not converged:
        converged = descent.advance()
        t += 1
        if t < next_check and t < max_iter and not converged:
            continue
        next_check = max(t + 1, int(CHECK_GROWTH * t))
        error = descent.error()
        checks += 1
        if error < best_error:
            best, best_error, best_t, checks = descent.point(), error, t, 0
    return Stop(best, best_t, converged and best_t == t > 1, checks < patience and not converged)


def descend_until_worse(system: System, step: float, held: HeldOutRows, settings: SolverSettings) -> EarlyStop:
    """Gradient descent from 0, stopped after `held.patience` checks without a lower held-out error; the best iterate.

    It also stops if the relative gradient reaches the tolerance of the settings: the descent has converged.
    """
    descent = _Squares(system, step, held, settings.tol * float(np.linalg.norm(system.b)))
    found = stop_early(descent, held.patience, settings.max_iter)
    return EarlyStop(system.solution(found.point, found.t), system.alpha + found.penalty(step), found.still_falling)


class _Squares:
    """The descent of a ridge problem; converged at a gradient of `limit`."""

    def __init__(self, system: System, step: float, held: HeldOutRows, limit: float) -> None:
        self.system, self.step, self.held, self.limit = system, step, held, limit
        self.w, self.z = np.zeros(system.penalty.size), np.zeros(system.y.size)

    def advance(self) -> bool:
        system, equations = self.system, self.system.equations
        g = equations.rmatvec(system.y - self.z) - system.penalty * self.w
        check_finite(norm := float(np.linalg.norm(g)))
        self.w += self.step * g / equations.factor
        self.z = equations.product(self.w)
        return norm <= self.limit

    def error(self) -> float:
        """The weighted squares of the held-out rows, with the intercept that fits the other rows."""
        r = (self.system.y - self.z)[self.held.rows] + self.system.equations.mean(self.z)
        return float(self.held.weights @ r**2)

    def point(self) -> Vector:
        return self.w.copy()

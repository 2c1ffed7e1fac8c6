"""Early stopping of the logistic loss: gradient descent from 0 until the loss of held-out rows stops falling.

Steps are in the metric of the penalty factors, with the intercepts at their best after each. The curvature of the loss
is at most that of squares times 1/4, of the softmax 1/2 (Boehning 1992), which bounds the length of a step. With L the
largest eigenvalue of the Hessian, t steps of length eta keep to first order in `eta t L` what the penalty 1 / (eta t)
on the sum of the losses keeps, as for squares; see `sparsereg/ridge/early_stopping.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.linear_model.loss_fit import STEPS, FitTask, Fitted, LossFit
from sparsereg.losses.predictors import PredictorLoss
from sparsereg.ridge.early_stopping import HeldOutRows, check_stopping, hold_out, step_length, stop_early
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.solvers.smooth_newton import smooth_newton

__all__ = ["EarlyStopping", "StoppedFit", "check_descent", "fit_stopped"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

CURVATURE, SOFTMAX_CURVATURE = 0.25, 0.5
INTERCEPT_STEPS = 20


def check_descent(model: Any, l1_ratio: float) -> None:
    """The parameters of `LogisticRegression` about early stopping, and whether others go with it.

    Raises
    ------
    ValueError
    """
    if not check_stopping(model, idle=("n_iter_no_change",)):  # scikit-learn's checks set it for every classifier
        return
    for name, value, plain in (
        ("l1_ratio", l1_ratio, 0.0),
        ("positive", model.positive, False),
        ("warm_start", model.warm_start, False),
        ("confidence_penalty", model.confidence_penalty, 0.0),
        ("dropout_rate", model.dropout_rate, 0.0),
        ("gaussian_noise", model.gaussian_noise, 0.0),
    ):
        if np.any(np.asarray(value) != plain):
            raise ValueError(
                f"early_stopping=True is gradient descent from 0 under a ridge penalty; {name}={value!r} does not go"
                f" with it: set {name}={plain}, or early_stopping=False."
            )
    if model.penalty_factor is not None and not np.all(np.asarray(model.penalty_factor) != 0.0):
        raise ValueError("penalty_factor holds 0, but early stopping shrinks every column; set early_stopping=False.")


class EarlyStopping(NamedTuple):
    """The share of the rows that is held out, the checks without a lower loss that end the descent, and what draws."""

    fraction: float
    patience: int
    rng: np.random.RandomState


class StoppedFit(NamedTuple):
    """The best point; the penalty on the sum of the losses that it amounts to, that of the task included; and whether
    the loss of the held-out rows was still falling."""

    fitted: Fitted
    penalty: float
    still_falling: bool


class _LossDescent:
    """The descent on the rows of positive weight; converged at a relative gradient of `tol`."""

    def __init__(self, fit: LossFit, factor: Vector, step: float, held: HeldOutRows) -> None:
        self.fit, self.factor, self.step = fit, factor[:, None], step
        weights = np.zeros(fit.problem.design.n_rows)
        weights[held.rows] = held.weights
        self.held: PredictorLoss = replace(fit.loss, s=weights)  # type: ignore[type-var]
        self.W, self.b = fit.start(None, None)
        self.first, self.norm = 0.0, np.inf
        self._go_on()

    def _go_on(self) -> None:
        """Predictors without intercepts, the best of these, and with them."""
        fit, smooth = self.fit, self.fit.smooth
        z = smooth.products(self.W)
        if smooth.offset is not None:
            z += smooth.offset.reshape(len(z), -1)
        if smooth.fit_intercept:
            alone = replace(fit.intercepts_alone, offset=z)
            self.b = smooth_newton(alone, (self.W[:0], self.b), fit.null[1], INTERCEPT_STEPS).b
        self.Z = z + self.b

    def advance(self) -> bool:
        smooth = self.fit.smooth
        g = smooth.rmatvec(smooth.loss.gradient(self.Z)) + smooth.slope(self.W)
        norm = float(np.linalg.norm(g))
        self.first = self.first or norm
        self.W = self.W - self.step * g / self.factor
        self._go_on()
        return norm <= self.fit.tol * self.first

    def error(self) -> float:
        return self.held.total(self.Z)

    def point(self) -> Any:
        return self.W, self.b


def fit_stopped(task: FitTask, limits: tuple[float, int], stopping: EarlyStopping) -> StoppedFit:
    """Hold rows out, and descend on the others.

    Parameters
    ----------
    task : FitTask
        With a ridge penalty on every column, or none; without what makes the loss non-convex.
    limits : tuple of float and int
        The relative gradient at which the descent has converged, and hundreds of steps.
    stopping : EarlyStopping

    Raises
    ------
    ValueError
        Where no row is left to fit, or none of some class.
    """
    design, total = task.design, float(task.design.n_rows if task.s is None else task.s.sum())
    drawn, held = hold_out(NormalEquations(design, task.s, task.fit_intercept, np.ones(design.n_cols)), *stopping)
    assert drawn.s is not None
    _check_classes(task.target, drawn.s, stopping)
    task = replace(task, s=drawn.s, alpha=task.alpha * total / float(drawn.s.sum()))
    fit = LossFit(task, *limits, every_row=True)
    every = np.arange(fit.problem.design.n_cols)
    _, factor = fit.problem.penalty.strengths(1.0, 0.0, every)
    factor = np.where(factor > 0.0, factor, 1.0)  # a constant column, which stays at 0
    curvature, penalty = (SOFTMAX_CURVATURE if fit.multinomial else CURVATURE), task.alpha * fit.problem.weight_sum
    step = np.inf
    if every.size:
        equations = NormalEquations(fit.problem.design, drawn.s, task.fit_intercept, factor)
        step = step_length(equations, penalty / curvature, stopping.rng) / curvature
    found = stop_early(_LossDescent(fit, factor, step, held), stopping.patience, STEPS * limits[1])
    W, b = found.point
    fitted = replace(fit.fitted(W, b, -(-found.t // STEPS), None), dual_gap=np.inf)
    return StoppedFit(fitted, penalty + found.penalty(step), found.still_falling)


def _check_classes(target: Matrix, s: Vector, stopping: EarlyStopping) -> None:
    """ValueError where the rows left to fit do not have every class: intercepts would grow without end."""
    shares = s @ (target if target.ndim == 2 else np.column_stack([1.0 - target, target]))
    if not shares.all():
        raise ValueError(
            f"validation_fraction={stopping.fraction}: the rows left to fit have none of class number"
            f" {int(np.argmin(shares))}; decrease it, or draw others with random_state."
        )

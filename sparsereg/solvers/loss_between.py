"""Strengths of a loss with a kernel between two that are solved, certified on the line through their dual points.

As in `between`, no column outside is over its threshold there by more than at the worse end. The residual of u = (1 -
t) u_a + t u_b is not on the line through the dual points `y - q_a` and `y - q_b`, but nearly: what its mean is from q =
(1 - t) q_a + t q_b is of second order in the distance of the predictors. A strength costs a pass over the units, and
none over rows or patterns, as predictors, q and its gradients are on lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import mean_apart
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.loss_rows import FAR
from sparsereg.solvers.loop import Solution
from sparsereg.solvers.point_gap import PointGap, bound_at
from sparsereg.solvers.working_set import padded

if TYPE_CHECKING:
    from sparsereg.solvers.newton_path import NewtonPath

__all__ = ["LossDualPoint", "can_interpolate", "solve_between"]

Vector = NDArray[np.float64]


class LossDualPoint(NamedTuple):
    """Where a strength was certified.

    Attributes
    ----------
    alpha : float
    w : float64 array of shape (m,)
        The coefficients, of the first m columns of the working set.
    intercept : float
    outside : float
        The largest bound on the other columns' gradients over their threshold.
    correction : float
        As in `At`, of the means at these coefficients.
    dual : float64 array of shape (m,) or None
        As in `PointGap`.
    """

    alpha: float
    w: Vector
    intercept: float
    outside: float
    correction: float
    dual: Vector | None

    def padded(self, m: int) -> Vector:
        """The coefficients of a working set that has grown to m columns."""
        return padded(self.w, m)


class _End(NamedTuple):
    """One end of the line: coefficients, predictors, the dual point `y - mean`, and its gradients in the working
    set."""

    w: Vector
    intercept: float
    eta: Vector
    mean: Vector
    c: Vector

    @classmethod
    def of(cls, solver: NewtonPath, point: LossDualPoint) -> _End:
        """For the units as they are now: two passes over their patterns, if it is not the solver's present point."""
        ws, units = solver.working_set, solver.units
        if point.w is ws.at and point.dual is None:
            return cls(ws.at, units.intercept, units.eta, units.at.mean, ws.c)
        w = point.padded(ws.m)
        step, _ = units.predictor_step(w - ws.at, point.intercept - units.intercept)
        eta = units.eta + step
        mean = units.mean_at(eta, point.correction)
        if point.dual is not None:
            mean += _displacement(solver, eta, padded(point.dual, ws.m) - w)
        return cls(w, point.intercept, eta, mean, units.products(units.residual_sums(mean)))


def _displacement(solver: NewtonPath, eta: Vector, a: Vector) -> Vector:
    """`h d`, d the predictors of the coefficients a less their mean; see `projected_point_gap`."""
    units = solver.units
    d, _ = units.predictor_step(a, 0.0)
    h = units.curvatures(eta)
    if solver.problem.quadratic.fit_intercept:
        weights = units.sums[0] * h
        d -= float(weights @ d) / max(float(weights.sum()), 1e-300)
    return np.asarray(h * d)


def can_interpolate(solver: NewtonPath) -> bool:
    """Whether `solve_between` is of use: the loss is known by its means, and no column is unpenalized."""
    return solver.problem.loss.kernel is not None and not solver.working_set.unpenalized.size


def solve_between(
    solver: NewtonPath, first: LossDualPoint, last: LossDualPoint, alphas: Sequence[float]
) -> list[Solution | None]:
    """The solutions at strengths between those of two dual points; None for those that are not certified so.

    The solver's coefficients stay as they are; its strength does not. Needs `can_interpolate`."""
    ends, outside = (_End.of(solver, first), _End.of(solver, last)), max(first.outside, last.outside)
    shares = [(first.alpha - alpha) / (first.alpha - last.alpha) for alpha in alphas]
    return [_at(solver, ends, alpha, t, outside) for alpha, t in zip(alphas, shares, strict=True)]


def _at(solver: NewtonPath, ends: tuple[_End, _End], alpha: float, t: float, outside: float) -> Solution | None:
    """The point a share t of the way to the second end, if that is certified."""
    (first, last), ws, problem = ends, solver.working_set, solver.problem

    def mixed(a: Vector, b: Vector) -> Vector:
        return np.asarray((1.0 - t) * a + t * b)

    w, c = mixed(first.w, last.w), mixed(first.c, last.c)
    l1, l2 = problem.penalty.strengths(problem.weight_sum * alpha, solver.l1_ratio, ws.cols)
    kernel, sums = problem.loss.kernel, solver.units.sums
    assert kernel is not None
    squares, largest, squared = mean_apart(kernel, sums, (first.eta, last.eta), (first.mean, last.mean), t)
    squared = squared if squared <= FAR * problem.weight_sum else np.inf
    terms = problem.penalty.gap_terms(w, c, l1, l2)
    gap = PointGap(terms, bound_at(squares, largest, lambda _: (squared, 0.0)))(outside)
    if not gap <= solver.options.tol * problem.null_loss:
        return None
    intercept = (1.0 - t) * first.intercept + t * last.intercept
    coef = Coefficients(ws.cols, w).nonzero()
    return solver.solution(coef, intercept, gap, lambda: solver.units.value_at(mixed(first.eta, last.eta)))

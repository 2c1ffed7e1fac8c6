"""Coordinate descent on the second-order model of a loss, whose Gram matrix may be weighted by earlier curvatures.

At predictors eta the loss is modelled by `L(eta) - rho' d + 1/2 sum_i h_i d_i^2`, d a step of the predictors. Its
gradient is that of the loss; the weights h are curvatures, at eta or at a point before. With the intercept eliminated,
columns are centred by their means under h. The Gram matrix `X_W' H X_W` then serves many steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import Problem
from sparsereg.objective.quadratic import Quadratic
from sparsereg.rows.contract import Gram
from sparsereg.rows.units import Units
from sparsereg.solvers.gram_cd import GramCD
from sparsereg.solvers.working_set import Position

__all__ = [
    "LEAST_CENTERED",
    "CurvatureCD",
    "CurvatureQuadratic",
    "ModelCD",
    "ModelledProblem",
    "curvature_quadratic",
]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# A column's centred curvature is at least this share of what it is about 0: what rounding may leave of it.
LEAST_CENTERED = 1e-10


class ModelledProblem(Protocol):
    """What is read of a problem to model its loss."""

    @property
    def quadratic(self) -> Quadratic: ...
    @property
    def null_loss(self) -> float: ...
    @property
    def weight_sum(self) -> float: ...


@dataclass(frozen=True, eq=False)
class CurvatureQuadratic(Quadratic):
    """The model as solvers see it: `weight_sum` is `sum h`, `null_deviance` twice its value at w = 0."""

    total: float = 1.0
    deviance: float = 1.0

    @property
    def weight_sum(self) -> float:
        return self.total

    @property
    def null_deviance(self) -> float:
        return self.deviance


def curvature_quadratic(problem: ModelledProblem, total: float, deviance: float) -> CurvatureQuadratic:
    """The model of a problem's loss with these sums."""
    of = problem.quadratic
    return CurvatureQuadratic(of.rows, of.penalty, of.fit_intercept, total=total, deviance=deviance)


class ModelCD(GramCD):
    """The working set of a loss at a point.

    Attributes
    ----------
    at : float64 array of shape (m,)
        Coefficients there; `w` are those of the model, which `descend` moves.
    c : float64 array of shape (m,)
        Gradients of the loss there.
    squared : float
        About `sum_i s_i rho_i^2 / h_i`, the square of the model's residual.
    product : float64 array of shape (m,)
        The Gram matrix times `at`, centred.
    """

    is_model = True

    def __init__(self, problem: ModelledProblem, gram: Gram) -> None:
        self.problem = problem
        super().__init__(curvature_quadratic(problem, 1.0, 1.0), gram)
        self.at = self.c = self.product = np.empty(0)
        self.squared = 2.0 * problem.null_loss
        self._total = 1e-300

    def set_strength(self, alpha: float, l1_ratio: float) -> None:
        self.scale, self.l1_ratio = self.problem.weight_sum * alpha, l1_ratio
        self._set_strengths()

    def measure_by(self, total: float, sums: Vector) -> None:
        """What follows from the weights: `sum h` and `X_W' h`."""
        self._total, uncentered = max(total, 1e-300), self.gram.store.diagonal()
        if not self.quadratic.fit_intercept:
            self.sums, self.sq = np.zeros(self.m), uncentered
            return
        self.sums = sums
        self.sq = np.maximum(uncentered - self.sums**2 / self._total, LEAST_CENTERED * uncentered)

    def linearize(self, c: Vector, beyond: Vector | None = None, product: Vector | None = None) -> None:
        """The model at the present point, where the gradients of the loss are c; `beyond`: what the model's are to be
        more than those; `product`: the Gram matrix times `at`, where it is known."""
        self.c, self.w = c, self.at.copy()
        c = c if beyond is None else c + beyond
        self.quadratic = curvature_quadratic(self.problem, self._total, 1.0)
        self.product = self.gram_product(self.w) if product is None else product
        self.c0 = c + self.product
        deviance = self.squared + float((self.c0 + c) @ self.w)
        self.quadratic = curvature_quadratic(self.problem, self._total, deviance)
        self.r_sum = -self.products_sum()
        self.q = c + self.sums * (self.r_sum / self._total)

    def descend(self, max_epochs: int, tol: float, order: Int) -> int:
        return super().descend(max_epochs, tol, order) if self.m else 0


class CurvatureCD(ModelCD):
    """The same by `Units`, which may take further columns and other weights.

    Attributes
    ----------
    units : Units
    """

    problem: Problem

    def __init__(self, problem: Problem, units: Units) -> None:
        self.units = units
        super().__init__(problem, units.gram)
        self.measure()

    def join(self, cols: Int, c: Vector) -> None:
        """Append columns at 0, of gradients c."""
        self.units.join(cols)
        nothing = np.zeros(cols.size)
        self.cols = np.concatenate([self.cols, cols])
        self.at, self.w = np.concatenate([self.at, nothing]), np.concatenate([self.w, nothing])
        self.c = np.concatenate([self.c, c])
        self.nnz += int(self.problem.rows.lengths(cols).sum())
        self._set_strengths()
        self.measure(self._total)  # groups were split, and have the same weights
        self.linearize(self.c)

    def weigh(self) -> None:
        """Make the present curvatures the weights of the model."""
        self.units.weigh()
        self.measure()
        self.linearize(self.c)

    def use(self, units: Units) -> None:
        """Other units at the same point, of the same columns."""
        self.units = units
        self.measure()
        self.linearize(self.c)

    def measure(self, total: float | None = None) -> None:
        """What follows from the weights; their sum may be known."""
        self.gram, sums = self.units.gram, np.empty(0)
        if self.quadratic.fit_intercept:
            ones = bool((self.cols < self.problem.design.n_ones).all())
            sums = self.gram.store.diagonal() if ones else self.units.products(self.units.gram_weights)
        self.measure_by(float(self.units.gram_weights.sum()) if total is None else total, sums)

    def dual_position(self, a: Vector, moved: Vector, c: Vector) -> Position:  # noqa: ARG002
        """The dual point `rho - moved` of coefficients `at + a` and gradients c, for `project` to go on from."""
        return Position(self.at + a, c, 0.0)

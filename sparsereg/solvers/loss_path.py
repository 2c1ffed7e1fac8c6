"""The solver of a path for any loss but the squared one.

`NewtonPath` on the columns of ones that are not too short to matter, or on all; `ProxNewton` for penalties without a
kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import Problem
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.ahead import LooksAhead
from sparsereg.solvers.loop import Options
from sparsereg.solvers.newton_path import NewtonPath
from sparsereg.solvers.prefilter import RestoringSolver
from sparsereg.solvers.prox_newton import ProxNewton

__all__ = ["LossPathSolver", "eliminate_for_loss"]

Vector = NDArray[np.float64]


# How much the largest residual may grow along a path, where the loss does not bound it.
RESIDUAL_MARGIN = 1.5


def eliminate_for_loss(
    problem: Problem, l1_ratio: float, alphas: int | Vector, eps: float
) -> tuple[Problem, Vector | None]:
    """The problem without columns of ones too short to be non-zero at any of these strengths; see `eliminate_columns`.

    A column of n_j ones has `|x_j' rho| <= n_j max |rho|`. For the logistic loss `|rho| <= max s` always; elsewhere
    certificates keep an eye on it."""
    design, kernel = problem.design, problem.penalty.kernel
    if not (isinstance(problem.penalty.l1_factor, float) and kernel is not None and design.can_eliminate and l1_ratio):
        return problem, None
    c, largest = None, problem.loss_rows.null_largest()
    if isinstance(alphas, int):
        c = problem.loss_rows.null_gradient()
        least = eps * float(problem.penalty.dual_magnitude(c).max())
    else:  # then the columns that are kept give their gradients in a shorter pass
        least = float(alphas.min()) * l1_ratio * problem.weight_sum
    if problem.loss.canonical:  # as `Units.residual_max_abs` will have it
        y = problem.rows.y
        largest = max(largest, max(float(y.max()), -float(y.min())) * problem.rows.max_weight)
    bound = min(RESIDUAL_MARGIN * largest, problem.loss.residual_bound * problem.rows.max_weight)
    if bound > 0.0:
        design = design.eliminate_short(least / bound * (1.0 - 1e-9))
    return problem.with_design(design), None if c is None else design.select_observed(c)


class LossPathSolver(RestoringSolver):
    """Solves one problem at any sequence of strengths, each from where the last one ended.

    Parameters
    ----------
    problem : Problem
        With any loss but the squared one.
    l1_ratio : float
    options : Options
        `max_iter` bounds the epochs over the working set at one strength, over all Newton steps.
    c : float64 array of shape (n_cols,), optional
        The gradient at w = 0 where it is known.
    """

    def __init__(self, problem: Problem, l1_ratio: float, options: Options, c: Vector | None = None) -> None:
        self.problem, self.l1_ratio, self.options = problem, l1_ratio, options
        if options.method == "prox_gradient" or problem.penalty.kernel is None:
            self.solver = ProxNewton(problem, l1_ratio, options)
        else:
            self.solver = NewtonPath(problem, l1_ratio, options, c)

    @property
    def looks_ahead(self) -> bool:
        """Whether `solve_ahead` is there."""
        return isinstance(self.solver, LooksAhead)

    def coefficients(self) -> Coefficients:
        coef: Coefficients = self.solver.coefficients()
        return coef

    def _solver_of_all(self) -> NewtonPath:
        return NewtonPath(self.problem, self.l1_ratio, self.options)

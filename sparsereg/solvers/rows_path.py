"""Paths over rows that are not in memory. Knows no files and no machines."""

from __future__ import annotations

import numpy as np

from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.rows_newton import RowsNewton
from sparsereg.solvers.rows_problem import RowsProblem
from sparsereg.solvers.screening import EliminatedColumns

__all__ = ["RowsSolver", "ScreenedColumns"]


class ScreenedColumns(ValueError):
    """A strength is too weak for the columns that a static screen left."""


class RowsSolver:
    """`PathSolver` over rows in parts, or `RowsNewton` for other losses than squares.

    An eliminated column that may matter is an error: it is not among the columns.

    Parameters
    ----------
    problem : RowsProblem
    l1_ratio : float
    options : Options
    """

    def __init__(self, problem: RowsProblem, l1_ratio: float, options: Options) -> None:
        self.problem, self.l1_ratio, self.options = problem, l1_ratio, options
        self.solver = self._solver()

    def _solver(self) -> PathSolver | RowsNewton:
        problem, options = self.problem, self.options
        if problem.loss_rows is None:
            length = problem.design.eliminated_length
            return PathSolver(problem.quadratic, self.l1_ratio, options, eliminated_length=length)
        if options.method == "prox_gradient":
            raise ValueError(
                f"solver='prox_gradient' with loss={problem.loss.name!r} needs rows in memory; use solver='cd'."
            )
        return RowsNewton(problem, self.l1_ratio, options)

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0. Only before the first `solve`."""
        try:
            return self.solver.alpha_max()
        except EliminatedColumns:
            raise self._screened(np.inf) from None

    def start_from(self, coef: Coefficients) -> None:
        """Begin at given coefficients instead of 0."""
        self.solver.start_from(coef)

    def solve(self, alpha: float) -> Solution:
        """See `PathSolver.solve`."""
        try:
            return self.solver.solve(alpha)
        except EliminatedColumns:
            raise self._screened(alpha) from None

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """See `PathSolver.solve_closely`."""
        try:
            return self.solver.solve_closely(alpha, tol)
        except EliminatedColumns:
            raise self._screened(alpha) from None

    def _screened(self, alpha: float) -> ScreenedColumns:
        length = self.problem.design.eliminated_length
        return ScreenedColumns(
            f"alpha={alpha:.6g} is too weak for the columns: the static screen left out combinations of up to"
            f" {length:,} rows, and one of them might be active there. Fit the cross with a smaller eps, and for the"
            " same loss."
        )

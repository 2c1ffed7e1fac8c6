"""The solver of a path for any loss but the squared one: `NewtonPath`, and what goes on where that must stop.

`NewtonPath` keeps a Gram matrix of the working set. Where that outgrows X, and for penalties without a kernel,
`ProxNewton` goes on from the same coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import Problem
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.newton_path import GramTooLarge, NewtonPath
from sparsereg.solvers.path_solver import EliminatedColumns
from sparsereg.solvers.prox_newton import ProxNewton

__all__ = ["LossPathSolver"]

Vector = NDArray[np.float64]


class LossPathSolver:
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

    solver: NewtonPath | ProxNewton

    def __init__(self, problem: Problem, l1_ratio: float, options: Options, c: Vector | None = None) -> None:
        self.problem, self.l1_ratio, self.options = problem, l1_ratio, options
        if options.method == "prox_gradient" or problem.penalty.kernel is None:
            self.solver = ProxNewton(problem, l1_ratio, options)
        else:
            self.solver = NewtonPath(problem, l1_ratio, options, c)

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0. Only before the first `solve`."""
        try:
            return self.solver.alpha_max()
        except EliminatedColumns:
            self._restore()
            return self.solver.alpha_max()

    def start_from(self, coef: Coefficients) -> None:
        """Begin at given coefficients instead of 0."""
        try:
            self.solver.start_from(coef)
        except GramTooLarge:
            self._without_gram(coef)

    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        return self._to_the_end(lambda: self.solver.solve(alpha))

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """The same for another `tol`."""
        return self._to_the_end(lambda: self.solver.solve_closely(alpha, tol))

    def _to_the_end(self, solve: Callable[[], Solution]) -> Solution:
        try:
            return solve()
        except EliminatedColumns:
            self._restore()
        except GramTooLarge:
            assert isinstance(self.solver, NewtonPath)
            self._without_gram(self.solver.coefficients())
        return self._to_the_end(solve)

    def _without_gram(self, coef: Coefficients) -> None:
        if self.problem.design.eliminated_length:
            coef = self._restored(coef)
        self.solver = ProxNewton(self.problem, self.l1_ratio, self.options)
        self.solver.start_from(coef)

    def _restore(self) -> None:
        """A new solver on all columns, at the same coefficients."""
        assert isinstance(self.solver, NewtonPath)
        coef = self._restored(self.solver.coefficients())
        self.solver = NewtonPath(self.problem, self.l1_ratio, self.options)
        self.start_from(coef)

    def _restored(self, coef: Coefficients) -> Coefficients:
        """All columns again, and these coefficients by their numbers."""
        design = self.problem.design
        whole = design.restore_eliminated()
        moved = np.where(coef.cols < design.n_ones, 0, whole.n_cols - design.n_cols)
        self.problem = self.problem.with_design(whole)
        return replace(coef, cols=coef.cols + moved)

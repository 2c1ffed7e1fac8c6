"""Static safe screening: columns of ones that are 0 at every strength of a path, eliminated before they are written.

By Hoelder, a column of n_j ones has `|x_j' r| <= n_j max |r|`. While that is under the least threshold asked for, its
coefficient is 0: on crosses that holds for nearly every column, and for a fifth to a third of the entries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.objective.dual_point import duality_gap_at
from sparsereg.objective.problem import Problem
from sparsereg.rows.contract import Coefficients
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.screening import EliminatedColumns
from sparsereg.solvers.small_path import SolvedTogether, small_solver

__all__ = ["Elimination", "PrefilteredSolver", "RestoringSolver", "eliminate_columns"]

Vector = NDArray[np.float64]
Answer = TypeVar("Answer")

# The largest residual hardly grows along a path, but a solver's bound on it does.
RESIDUAL_MARGIN = 1.1


class Elimination(NamedTuple):
    """The columns of ones that are kept, the first `n_kept`, and the entries of the longest one eliminated; or 0."""

    n_kept: int
    longest: int

    @classmethod
    def of(cls, design: Design, threshold: float, max_abs: float) -> Elimination:
        """What may be left out at all thresholds from this on, where `|r|` is at most `max_abs` at w = 0; not all."""
        n_long = max(1, design.count_long(threshold / (RESIDUAL_MARGIN * max_abs) if max_abs > 0.0 else 0.0)[0])
        if n_long >= design.n_ones:
            return cls(design.n_ones, 0)
        return cls(n_long, int(design.lengths(np.array([n_long]))[0]))


def eliminate_columns(
    problem: Problem, l1_ratio: float, alphas: int | Vector, eps: float
) -> tuple[Problem, Vector | None]:
    """The problem without columns that are 0 at all of these strengths, or down to `eps` times the largest.

    Returns
    -------
    problem : Problem
        As it was where columns are written already, or have penalty factors of their own.
    c : float64 array of shape (n_cols,) or None
        The gradient at w = 0, where it was worked out.
    """
    design, quadratic = problem.design, problem.quadratic
    same_penalty = isinstance(problem.penalty.l1_factor, float)
    if not (same_penalty and l1_ratio > 0.0 and design.can_eliminate):
        return problem, None
    r = problem.rows.residual(None, quadratic.center)
    c, max_abs = design.rmatvec_by_rows(r), max(float(r.max()), -float(r.min()))
    del r
    top = float(problem.penalty.dual_magnitude(c).max())
    least = eps * top if isinstance(alphas, int) else float(alphas.min()) * l1_ratio * problem.weight_sum
    design = design.eliminate_columns(Elimination.of(design, least, max_abs).n_kept)
    return problem.with_design(design), design.select_observed(c)


class RestoringSolver(ABC):
    """A solver on the columns that a prefilter left; with all columns from where an eliminated one may matter on.

    Attributes
    ----------
    problem : Problem
        With the columns that are solved for at present.
    solver : solver of that problem
        Raises `EliminatedColumns`.
    """

    problem: Problem
    solver: Any

    def alpha_max(self) -> float:
        """The smallest alpha at which every penalized coefficient is 0. Only before the first `solve`."""
        return float(self._with_all_if_needed(lambda: self.solver.alpha_max()))

    def start_from(self, coef: Coefficients) -> None:
        """Begin at given coefficients instead of 0."""
        self.solver.start_from(coef)

    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha until certified, or until `max_iter` epochs."""
        return self._with_all_if_needed(lambda: self.solver.solve(alpha))

    def solve_closely(self, alpha: float, tol: float) -> Solution:
        """The same for another `tol`; for the squared loss, see `PathSolver.solve_closely`."""
        return self._with_all_if_needed(lambda: self.solver.solve_closely(alpha, tol))

    def solve_ahead(self, alphas: Sequence[float]) -> list[Solution]:
        """The solutions at the next of these strengths, one at least; see `LooksAhead.solve_ahead`."""
        return self._with_all_if_needed(lambda: self.solver.solve_ahead(alphas))

    @abstractmethod
    def coefficients(self) -> Coefficients:
        """Those that the solver has reached."""

    @abstractmethod
    def _solver_of_all(self) -> Any:
        """A solver of `problem`, of whose columns none is eliminated."""

    def _with_all_if_needed(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except EliminatedColumns:
            self._restore()
            return ask()

    def _restore(self) -> None:
        """A new solver on all columns, at the same coefficients."""
        coef, design = self.coefficients(), self.problem.design
        whole = design.restore_eliminated()
        moved = np.where(coef.cols < design.n_ones, 0, whole.n_cols - design.n_cols)
        self.problem = self.problem.with_design(whole)
        self.solver = self._solver_of_all()
        self.solver.start_from(Coefficients(coef.cols + moved, coef.w))


class PrefilteredSolver(RestoringSolver):
    """The squared loss, by `PathSolver`.

    Certificates bound `max |r|` by the residual's displacement, so they hold for eliminated columns too.

    Parameters
    ----------
    problem : Problem
        With the squared loss.
    l1_ratio : float
    options : Options
    c : float64 array of shape (n_cols,), optional
        The gradient at w = 0 where it is known.
    eliminated : Elimination, optional
        Which columns are left out, where those are more than the design is without.
    """

    def __init__(
        self,
        problem: Problem,
        l1_ratio: float,
        options: Options,
        c: Vector | None = None,
        eliminated: Elimination | None = None,
    ) -> None:
        self.problem, self.l1_ratio, self.options = problem, l1_ratio, options
        length = problem.design.eliminated_length if eliminated is None else eliminated.longest
        self._eliminated_length = length
        self.solver = PathSolver(problem.quadratic, l1_ratio, options, c, length)
        if eliminated is not None:
            self.solver.screening.drop(np.arange(eliminated.n_kept, problem.design.n_ones))
        self._together: SolvedTogether | None = None
        self._entered = False  # whether `solver.enters` when that was made
        self._behind: Coefficients | None = None  # a later solution, which `solver` does not know of

    def solve_first(self, alphas: Vector) -> Solution:
        """The solution at the first of these strengths. On small data, and on larger where columns enter few at a
        time, some of the next are worked out along with it, and known when they are asked for."""
        enters = self.solver.enters
        if self._together is None or (enters and not self._entered and not self._together.is_useful):
            self._entered = enters
            asked = (self.problem.quadratic, self.l1_ratio, self.options, alphas, enters)
            self._together = SolvedTogether(None if self._eliminated_length else small_solver(*asked))
        found = None
        if self._together.is_useful:
            last = self.coefficients() if self._behind is None else self._behind
            found = self._together.first(last, alphas)
        if found is not None:
            self._behind = found.coef
            return found
        if self._behind is not None:
            self.start_from(self._behind)
            self._behind = None
        found = self.solve(float(alphas[0]))
        self._together.allow_work(found.epochs * found.coef.w.size * self.solver.working_set.m)
        return found

    def gap_by_passes(self, coef: Coefficients, alpha: float, dual: Coefficients | None = None) -> float:
        """The gap at these coefficients from the rows and columns alone, with `dual` the better of that and the gap at
        its residual; infinite where an eliminated column may pass its threshold: `|x_j' r| <= n_j max |r|`."""
        problem, length = self.problem, self.solver.eliminated_length
        base, threshold = self._base(coef), problem.weight_sum * alpha * self.l1_ratio
        if length:
            for point in [coef] if dual is None else [coef, dual]:
                if not length * problem.rows.residual_max_abs(point, self._base(point)) <= threshold:
                    return np.inf
        if dual is not None:
            return duality_gap_at(problem, coef, dual, alpha, self.l1_ratio)
        found = problem.loss_rows.evaluate(coef, base if problem.loss_rows.fit_intercept else 0.0)
        return problem.gap_of(found, coef, alpha, self.l1_ratio)

    def _base(self, coef: Coefficients) -> float:
        quadratic = self.problem.quadratic
        return quadratic.base(float(quadratic.moments(coef.cols).sums @ coef.w))

    def coefficients(self) -> Coefficients:
        coef: Coefficients = self.solver.working_set.coefficients()
        return coef

    def _solver_of_all(self) -> PathSolver:
        return PathSolver(self.problem.quadratic, self.l1_ratio, self.options)

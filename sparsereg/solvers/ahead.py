"""Every few strengths solved, those in between found on the line through two dual points. Knows no objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from sparsereg.solvers.loop import Options, Solution

__all__ = ["LooksAhead"]

# Solutions between two strengths are near the line through theirs while one is at least this share of the other.
LINE = 0.7


class LooksAhead(ABC):
    """A solver of one strength after the other that may skip some.

    `_dual_point` is where the last strength was certified, `_stride` how many strengths are next solved at once."""

    options: Options
    _dual_point: Any = None
    looks_ahead = False  # whether strengths are taken by `solve_ahead`
    _stride = 1
    _hold = 0  # how often as many more are solved at once, before it may be more again
    _patience = 1  # the same after the next line that does not suffice

    @abstractmethod
    def solve(self, alpha: float) -> Solution:
        """Minimise F at this alpha, and set `_dual_point`."""

    @property
    @abstractmethod
    def _gap_scale(self) -> float:
        """What gaps are compared with."""

    @abstractmethod
    def _interpolates(self) -> bool:
        """Whether `_solve_between` is of use."""

    @abstractmethod
    def _solve_between(self, first: Any, last: Any, alphas: Sequence[float]) -> list[Solution | None]:
        """The solutions at strengths between those of two dual points; None for those that are not certified so."""

    @abstractmethod
    def _return_to(self, end: Any) -> None:
        """Go back to the coefficients of a dual point."""

    def solve_ahead(self, alphas: Sequence[float]) -> list[Solution]:
        """The solutions at the next of these strengths, one at least: the last of them is solved, and those before it
        follow from the line through its dual point and the present one, or from two lines through one solved between.
        """
        self.looks_ahead = True
        first, n = self._dual_point, self._next_stride(alphas)
        last, end = self._solve_at(alphas[n - 1])
        known = self._on_line(first, end, alphas[: n - 1])
        if None not in known:
            self._lengthen(n)
            return [*known, last]  # type: ignore[list-item]
        self._stride, self._hold, self._patience = 3 * n // 4, self._patience, 2 * self._patience
        found = [*self._fill(first, end, alphas[: n - 1], known), last]
        self._dual_point = end
        if end is not None:
            self._return_to(end)
        return found

    def _solve_at(self, alpha: float) -> tuple[Solution, Any]:
        """The solution, and its dual point; None where it is not certified."""
        found = self.solve(alpha)
        return found, self._dual_point if found.dual_gap <= self.options.tol * self._gap_scale else None

    def _on_line(self, first: Any, last: Any, alphas: Sequence[float]) -> list[Solution | None]:
        """The solutions between two dual points; None for those that are not certified so."""
        if not alphas or first is None or last is None or not self._interpolates():
            return [None] * len(alphas)
        return self._solve_between(first, last, alphas)

    def _fill(self, first: Any, last: Any, alphas: Sequence[float], known: Sequence[Solution | None]) -> list[Solution]:
        """Those that are known, and the others: the one in the middle is solved, and divides the line."""
        missing = [i for i, found in enumerate(known) if found is None]
        if not missing:
            return [found for found in known if found is not None]
        i = missing[len(missing) // 2]
        middle, point = self._solve_at(alphas[i])
        before, after = list(known[:i]), list(known[i + 1 :])
        if None in before:
            before = self._on_line(first, point, alphas[:i])
        if None in after:
            after = self._on_line(point, last, alphas[i + 1 :])
        return [*self._fill(first, point, alphas[:i], before), middle, *self._fill(point, last, alphas[i + 1 :], after)]

    def _lengthen(self, n: int) -> None:
        """After n strengths at once that were found."""
        if self._hold:
            self._hold, self._stride = self._hold - 1, n
            return
        self._stride = 2 * n
        if n > 1:
            self._patience = 1

    def _next_stride(self, alphas: Sequence[float]) -> int:
        """How many of these strengths to solve at once."""
        n = 0
        if self._dual_point is not None and self._interpolates():
            before, least = self._dual_point.alpha, LINE * self._dual_point.alpha
            while n < min(self._stride, len(alphas)) and least <= alphas[n] < before:
                before, n = alphas[n], n + 1
        return max(n, 1)

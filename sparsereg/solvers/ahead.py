"""Every few strengths solved, those in between found on the line through two dual points. Knows no objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from sparsereg.solvers.loop import Options, Solution

__all__ = ["LooksAhead"]

# Solutions between two strengths are near the line through theirs while one is at least this share of the other.
LINE = 0.8


class LooksAhead(ABC):
    """A solver of one strength after the other that may skip some.

    `_dual_point` is where the last strength was certified, `_stride` how many strengths are next solved at once."""

    options: Options
    _dual_point: Any = None
    _stride = 1

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
        follow from the line through its dual point and the present one, where that certifies them."""
        first, n = self._dual_point, self._next_stride(alphas)
        last = self.solve(alphas[n - 1])
        if n == 1:
            self._stride = 2
            return [last]
        end, between = self._dual_point, list[Solution | None]([None] * (n - 1))
        if end is not None and last.dual_gap <= self.options.tol * self._gap_scale and self._interpolates():
            between = self._solve_between(first, end, alphas[: n - 1])
        good = None not in between
        self._stride = 2 * n if good else n // 2
        found = [self.solve(alpha) if known is None else known for alpha, known in zip(alphas, between, strict=False)]
        if not good:
            self._dual_point = end
            if end is not None:
                self._return_to(end)
        return [*found, last]

    def _next_stride(self, alphas: Sequence[float]) -> int:
        """How many of these strengths to solve at once."""
        n = 0
        if self._dual_point is not None and self._interpolates():
            before, least = self._dual_point.alpha, LINE * self._dual_point.alpha
            while n < min(self._stride, len(alphas)) and least <= alphas[n] < before:
                before, n = alphas[n], n + 1
        return max(n, 1)

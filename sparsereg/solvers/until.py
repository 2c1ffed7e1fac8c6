"""When a path ends before its last strength. Knows no solvers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparsereg.data.memory_limit import MemoryLimit
from sparsereg.data.validation import check_number

__all__ = ["Until"]


@dataclass(frozen=True)
class Until:
    """What ends a path before its last strength.

    Attributes
    ----------
    max_seconds : float
    stop_when : callable or None
        `stop_when(alpha, n_nonzero, deviance_explained)`.
    memory : MemoryLimit or None
    """

    max_seconds: float = np.inf
    stop_when: Callable[[float, int, float], Any] | None = None
    memory: MemoryLimit | None = None

    @classmethod
    def checked(cls, max_seconds: Any, stop_when: Any, max_memory: Any) -> Until:
        """As users pass them.

        Raises
        ------
        ValueError
            For what is out of range.
        """
        if max_seconds is not None:
            check_number("max_seconds", max_seconds, low=0, open_low=True)
        if stop_when is not None and not callable(stop_when):
            raise ValueError(
                f"stop_when={stop_when!r}: expected a function of (alpha, n_nonzero, deviance_explained), or None."
            )
        seconds = np.inf if max_seconds is None else float(max_seconds)
        return cls(seconds, stop_when, MemoryLimit.checked(max_memory))

    def leave_out(self, *data: Any) -> None:
        """What these hold now counts to no limit of memory."""
        if self.memory is not None:
            self.memory.begin(*data)

    def reason(self, seconds: float, alpha: float, points: list[Any], solver: Any) -> str | None:
        """The name of what ends the path after these points, or None."""
        if self.stop_when is not None:
            explained = 1.0 - points[-1].deviance / (2.0 * solver.problem.null_loss or 1.0)
            if self.stop_when(alpha, points[-1].coef.w.size, explained):
                return "stop_when"
        if self.memory is not None and self.memory.is_reached(len(points), solver, points):
            return "max_memory"
        return "max_seconds" if seconds >= self.max_seconds else None

"""When a path has gone far enough: its held-out loss has turned for good, or a budget is used up. Knows no solvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.memory_limit import MemoryLimit
from sparsereg.selection.rules import paired_differences

__all__ = ["TURNED", "Ending", "has_turned", "is_falling", "turned_after"]

Vector = NDArray[np.float64]

# A loss has turned for good when its least value is so far back and the last one is worse by more than a paired
# standard error, or twice as far back without that. Columns must have entered since, or it is LEVEL times as far back:
# a level loss with the same columns says nothing of those yet to come, such as categories beside one number in large
# units. In points for a grid of 100 over a factor of 100 in alpha, which is a factor of 1.6.
TURNED = 10
LEVEL = 10
FEWEST = 3  # points, however coarse the grid


@dataclass(frozen=True)
class Ending:
    """What ends a path before its last strength.

    Attributes
    ----------
    turned : int
        0, or the points after which it ends where the held-out loss has turned for good.
    max_seconds, max_columns : float
        Wall time, and non-zero coefficients on all rows, after which no further strength is begun.
    patience : int
        0, or the points without a better mean held-out loss after which it ends.
    memory : MemoryLimit or None
        What the solvers and the points may hold.
    """

    turned: int = 0
    max_seconds: float = np.inf
    max_columns: float = np.inf
    patience: int = 0
    memory: MemoryLimit | None = None

    @property
    def may_come(self) -> bool:
        """Whether anything can end a path before its last strength."""
        limited = self.memory is not None or min(self.max_seconds, self.max_columns) < np.inf
        return bool(self.turned or self.patience or limited)

    def leave_out(self, *data: Any) -> None:
        """What these hold now counts to no limit of memory."""
        if self.memory is not None:
            self.memory.begin(*data)

    def reason(
        self, losses: Vector, n_nonzero: int, seconds: float, grows: bool = True, holders: Any = ()
    ) -> str | None:
        """The name of what ends the path after the last row of `losses`, (k, F); None where it goes on.

        `grows`: whether columns have entered since the least mean loss, or none are left. `holders`: what holds the
        memory."""
        back = len(losses) - 1 - int(np.argmin(losses.mean(axis=1)))
        if self.turned and (grows or back >= LEVEL * self.turned) and has_turned(losses, self.turned):
            return "turned"
        if self.patience and back >= self.patience:
            return "patience"
        if n_nonzero >= self.max_columns:
            return "max_columns"
        if self.memory is not None and self.memory.is_reached(len(losses), holders):
            return "max_memory"
        return "max_seconds" if seconds >= self.max_seconds else None


def turned_after(grid: int) -> int:
    """The points after which a loss may have turned, on the steps of a grid of so many points over a factor of 100."""
    return max(round(TURNED * grid / 100), FEWEST)


def has_turned(losses: Vector, n_points: int = TURNED) -> bool:
    """Whether a loss at decreasing strengths, (k, F) for F folds, has passed its least value for good.

    A loss that never falls below its value at the first point has turned too, after twice as many points. Of equal
    least values the last counts, as scores of classes stay equal while columns enter and no row changes sides; the
    first one does LEVEL times as far back."""
    means = losses.mean(axis=1)
    if not np.isfinite(means).any():
        return False
    least = np.flatnonzero(means == np.nanmin(means))
    back = len(means) - 1 - least
    if back[0] >= LEVEL * n_points:
        return True
    if back[-1] < n_points:
        return False
    if back[-1] >= (2 if least[0] else 4) * n_points:
        return True
    return bool(least[0]) and is_falling(losses)


def is_falling(losses: Vector) -> bool:
    """Whether the last loss is worse than the least one by more than a paired standard error."""
    means = losses.mean(axis=1)
    if not np.isfinite(means).any():
        return False
    difference, error = (values[-1] for values in paired_differences(losses, int(np.nanargmin(means))))
    return bool(np.isfinite(error) and difference > error)

"""When a path has gone far enough: its held-out loss has turned for good, or a budget is used up. Knows no solvers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparsereg.selection.rules import paired_differences

__all__ = ["Ending", "has_turned"]

Vector = NDArray[np.float64]

# A loss has turned for good when its least value is so many points back and the last one is worse by more than a
# paired standard error, or so many points back without that. At 100 points to alpha_max/100 ten points are a factor of
# 1.6 in alpha.
TURNED, TURNED_ANYWAY = 10, 20


@dataclass(frozen=True)
class Ending:
    """What ends a path before its last strength.

    Attributes
    ----------
    turned : bool
        Whether it ends where the held-out loss has turned for good.
    max_seconds, max_columns : float
        Wall time, and non-zero coefficients on all rows, after which no further strength is begun.
    """

    turned: bool = False
    max_seconds: float = np.inf
    max_columns: float = np.inf

    def reason(self, losses: Vector, n_nonzero: int, seconds: float) -> str | None:
        """The name of what ends the path after the last row of `losses`, (k, F); None where it goes on."""
        if self.turned and has_turned(losses):
            return "turned"
        if n_nonzero >= self.max_columns:
            return "max_columns"
        return "max_seconds" if seconds >= self.max_seconds else None


def has_turned(losses: Vector) -> bool:
    """Whether a loss at decreasing strengths, (k, F) for F folds, has passed its least value for good.

    A loss that never falls below its value at the first point has turned too, after twice as many points."""
    means = losses.mean(axis=1)
    if not np.isfinite(means).any():
        return False
    best = int(np.nanargmin(means))
    back = len(means) - 1 - best
    if back < TURNED:
        return False
    if back >= (TURNED_ANYWAY if best else 2 * TURNED_ANYWAY):
        return True
    difference, error = (values[-1] for values in paired_differences(losses, best))
    return bool(best and np.isfinite(error) and difference > error)

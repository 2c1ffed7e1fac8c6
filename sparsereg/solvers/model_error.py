"""What the model of a loss missed at the last strength, expected again at the next one. Knows no loss and no columns.

The weights of the model are curvatures of an earlier point, and wrong in the same way as long as they stay: along a
path the gradients after the first step at a strength differ from those that the model foretold by nearly the same
vector, in proportion to the change of strength. Added to the model's gradients, it saves the step that would put that
right. Steps are safeguarded by the loss itself, so that a wrong expectation costs a step at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ModelError"]

Vector = NDArray[np.float64]


class ModelError:
    """Of the first step at each strength, over a growing working set."""

    def __init__(self) -> None:
        self.alpha, self.ratio = np.inf, 0.0  # the strength, and its ratio to the last one
        self._missed, self._change, self._share = np.empty(0), np.inf, 0.0
        self._expected: Vector | None = None
        self._waits = False  # for the first step at this strength

    def begin(self, alpha: float) -> None:
        """The next strength: the error is expected to be as large as its change is beside the last one."""
        change, self.ratio = self.alpha - alpha, alpha / self.alpha
        self._share = change / self._change if change > 0.0 and 0.0 < self._change < np.inf else 0.0
        self.alpha, self._change, self._waits, self._expected = alpha, change, True, None

    def forget(self) -> None:
        """The model has other weights."""
        self._missed, self._expected = np.empty(0), None

    def expected(self, m: int) -> Vector | None:
        """What the gradients of m columns will be beyond the model's; None where nothing is known."""
        if not (self._share and self._missed.size):
            return None
        self._expected = np.zeros(m)
        self._expected[: self._missed.size] = self._share * self._missed
        return self._expected

    def learn(self, found: Vector, foretold: Vector, whole: bool) -> None:
        """Gradients after a step and those that the model foretold; `whole`: whether all of the step was taken."""
        if self._waits:
            missed = found - foretold if self._expected is None else found - (foretold - self._expected)
            self._missed = missed if whole and np.isfinite(missed).all() else np.empty(0)
        self._waits, self._expected = False, None

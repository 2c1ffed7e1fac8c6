"""What the model of a loss misses from strength to strength, foretold from the last ones. Knows no loss and no columns.

The weights of the model are curvatures of an earlier point. Along a path curvatures move away from them steadily: what
the gradients after the first step at a strength differ by from those that the model foretold is, per change of log
alpha, nearly linear in log alpha, and 0 where the weights were taken. The line through the last two of these is
followed to the next strength, as far as following it would have been right at the last one: points that are solved to a
gap only leave noise. Added to the model's gradients, this saves the step that would put it right, and weights serve for
longer. Steps are safeguarded by the loss itself, so that a wrong expectation costs a step at most.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ModelError"]

Vector = NDArray[np.float64]

# How much of the way the line is followed at first.
FOLLOWED = 0.8
# Nothing is expected of a change of log alpha of more than so many times the last one.
LONGEST = 4.0


class _Missed(NamedTuple):
    """By how much a change of log alpha was missed, a unit of it, and the middle of that change."""

    rate: Vector
    at: float


class ModelError:
    """Of the first step at each strength, over a growing working set."""

    def __init__(self) -> None:
        self.alpha, self.ratio = np.inf, 0.0  # the strength, and its ratio to the last one
        self._change = self._last_change = 0.0  # of log alpha, downwards
        self._known: list[_Missed] = []  # the last two
        self._expected: Vector | None = None
        self._line = np.empty(0)  # what following the whole line adds to the last rate
        self._followed = FOLLOWED
        self._waits = False  # for the first step at this strength

    def begin(self, alpha: float) -> None:
        """The next strength."""
        last = self.alpha
        self.ratio = alpha / last if last > 0.0 else 1.0  # after a strength of 0 there are only others
        self._last_change = self._change
        self._change = math.log(last / alpha) if 0.0 < alpha < last < np.inf else 0.0
        self.alpha, self._waits, self._expected = alpha, True, None

    def forget(self) -> None:
        """The model has other weights: those of the present point, where it misses nothing."""
        at = self.alpha * math.exp(self._change) if self._waits else self.alpha
        self._known = [_Missed(np.zeros(0), math.log(at))] if 0.0 < at < np.inf else []
        self._expected = None

    def expected(self, m: int) -> Vector | None:
        """What the gradients of m columns will be beyond the model's; None where nothing is known."""
        if len(self._known) < 2 or not 0.0 < self._change <= LONGEST * self._last_change:
            return None
        before, last = self._known
        if not last.at < before.at:  # strengths that are nearly equal have the same logarithm
            return None
        further = (last.at - math.log(self.alpha) - 0.5 * self._change) / (before.at - last.at)
        self._expected, self._line = np.zeros(m), np.zeros(m)
        self._line[: last.rate.size] = last.rate
        self._line[: before.rate.size] -= before.rate
        self._line *= self._change * further
        self._expected[: last.rate.size] = self._change * last.rate
        self._expected += self._followed * self._line
        return self._expected

    def learn(self, found: Vector, foretold: Vector, whole: bool) -> None:
        """Gradients after a step and those that the model foretold; `whole`: whether all of the step was taken."""
        if self._waits:
            missed = found - foretold
            if self._expected is not None:
                squares = float(self._line @ self._line)
                share = float(missed @ self._line) / squares if squares > 0.0 else 0.0
                self._followed = min(max(self._followed + share, 0.0), 1.0) if math.isfinite(share) else FOLLOWED
                missed += self._expected
            known = whole and self._change > 0.0 and bool(np.isfinite(missed).all())
            at = math.log(self.alpha) + 0.5 * self._change if known else 0.0
            self._known = [*self._known[-1:], _Missed(missed / self._change, at)] if known else []
        self._waits, self._expected = False, None

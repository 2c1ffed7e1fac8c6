"""How closely rounds and models are solved at one strength of a loss. Knows no columns and no rows.

A round brings the working set's own gap to a share of the target before the columns outside are looked at. Far from the
last strength its columns are not the last ones, and the first models not those of the solution: a tenth of the gap that
a round or a step begins with is close enough there.
"""

from __future__ import annotations

import numpy as np

__all__ = ["FAR", "Closeness"]

# The working set's own gap is brought to this share of the target before the others are looked at.
MEMBER_SHARE = 0.7
# A strength below this share of the last one is far from it.
FAR = 0.5
# There a round and the model of a step end at this share of the gap that they began with.
FAR_ROUND, FAR_STEP = 0.1, 0.1
# Near the last strength the model of the k-th step, where that takes longer than the step, need not be closer than this
# share of the gap that the k-th step left there.
REACHED_SHARE = 0.1
# A step that lowers the objective by less than the target and leaves this share of the gap or more shows that the
# model's gap is not that of the loss: rows without curvature count less in it. The model is then solved more closely.
STALLED, CLOSER = 0.9, 0.3


class Closeness:
    """Of one strength.

    Attributes
    ----------
    enough : float
        The working set's own gap at which a round ends.
    stalls : int
        Steps in a row that stalled.
    left : list of float
        The gap after each step but one that was enough.

    Parameters
    ----------
    target : float
        The gap that is asked for.
    ratio : float
        The strength over the last one.
    last : Closeness, optional
        Of that.
    """

    def __init__(self, target: float, ratio: float, last: Closeness | None = None) -> None:
        self._left_before = [] if last is None else last.left
        self.left: list[float] = []
        self._target = self._inner = target
        self._least, self._far = MEMBER_SHARE * target, ratio < FAR
        self.begin_round(0.0)

    def begin_round(self, gap: float) -> None:
        """At this gap of the working set."""
        self._present, self._last, self.stalls = gap, np.inf, 0
        self.enough = max(self._least, FAR_ROUND * gap) if self._far and gap < np.inf else self._least

    def of_model(self, dear: bool) -> float:
        """The gap that the model of the next step is to be solved to; `dear`: whether that costs more than the step."""
        step = len(self.left)
        if not dear or self.stalls or self._present == np.inf:
            return self._inner
        if self._far:
            return max(self._inner, FAR_STEP * self._present)
        return max(self._inner, REACHED_SHARE * self._left_before[step] if step < len(self._left_before) else 0.0)

    def step_taken(self, gap: float, decrease: float) -> None:
        """A step led to this gap of the working set, which is not enough, and lowered the objective so much."""
        stalled = gap >= STALLED * self._last and decrease <= self._target
        self.stalls = self.stalls + 1 if stalled else 0
        self._inner *= CLOSER if stalled else 1.0
        self.left.append(gap)
        self._last = self._present = gap

    def nothing_joined(self, gap: float) -> None:
        """The round was not enough at this gap, though no columns are missing."""
        if self.enough > self._least:
            self.enough, self._present = self._least, gap
        else:
            self._inner *= CLOSER

    def tightened(self) -> bool:
        """No step moved anything: whether models were solved less closely than near the last strength, as from now on
        they are not."""
        was, self._far, self.enough = self._far, False, self._least
        return was

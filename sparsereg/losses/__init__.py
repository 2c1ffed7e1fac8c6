"""Losses, one file each. They see rows only: targets, predictors and weights.

`LOSSES` is the one list of them: the `loss` parameter, its error message and the tests of every loss read it.
"""

from sparsereg.losses.base import Loss
from sparsereg.losses.squared import Squared

__all__ = ["LOSSES", "Loss", "Squared"]

LOSSES: dict[str, Loss] = {loss.name: loss for loss in (Squared(),)}

"""Losses, one file each. They see rows only: targets, predictors and weights.

`LOSSES` is the one list of them: the `loss` parameter, its error message and the tests of every loss read it. Those
with a parameter (`Tweedie`, `Huber`) are there at its default; `as_loss` makes others.
"""

from __future__ import annotations

from typing import Any

from sparsereg.losses.base import Loss
from sparsereg.losses.gamma import Gamma
from sparsereg.losses.huber import Huber
from sparsereg.losses.logistic import Logistic
from sparsereg.losses.multinomial import MULTINOMIAL, Multinomial
from sparsereg.losses.poisson import Poisson
from sparsereg.losses.squared import Squared
from sparsereg.losses.squared_hinge import SquaredHinge
from sparsereg.losses.tweedie import Tweedie

__all__ = [
    "LOSSES",
    "MULTINOMIAL",
    "Gamma",
    "Huber",
    "Logistic",
    "Loss",
    "Multinomial",
    "Poisson",
    "Squared",
    "SquaredHinge",
    "Tweedie",
    "as_loss",
    "as_path_loss",
]

LOSSES: dict[str, Loss] = {
    loss.name: loss for loss in (Squared(), Logistic(), Poisson(), Gamma(), Tweedie(), Huber(), SquaredHinge())
}


def as_loss(loss: Any, *, also: str = "") -> Loss:
    """The loss that a user names.

    Parameters
    ----------
    loss : str, tuple or Loss
        A key of `LOSSES`; with a parameter `("tweedie", 1.7)`, or as one word "tweedie:1.7", which is also how such a
        loss is printed; or the loss itself.
    also : str, default ""
        What the message of an unknown name lists beside the losses, with a comma after each.

    Raises
    ------
    ValueError
        For an unknown name, or a parameter that the loss does not take.

    Examples
    --------
    >>> from sparsereg.losses import as_loss
    >>> str(as_loss("logistic")), str(as_loss(("tweedie", 1.7))), as_loss("huber:2").delta
    ('logistic', 'tweedie:1.7', 2.0)
    """
    if isinstance(loss, Loss):
        return loss
    named: Any = loss.split(":", 1) if isinstance(loss, str) else loss
    parts: list[Any] = list(named) if isinstance(named, (tuple, list)) else [None]
    if not parts or not isinstance(parts[0], str) or parts[0] not in LOSSES or len(parts) > 2:
        names, advice = ", ".join(repr(name) for name in LOSSES), ""
        if not also and (isinstance(loss, Multinomial) or (isinstance(loss, str) and loss == MULTINOMIAL.name)):
            advice = " Several classes are not taken here: pass loss='logistic' for one of them against the rest."
        raise ValueError(
            f"loss={loss!r}: expected one of {names}, {also}a pair of a name and its parameter such as"
            f" ('tweedie', 1.5), or a Loss.{advice}"
        )
    default = LOSSES[parts[0]]
    if len(parts) == 1:
        return default
    if str(default) == default.name:
        raise ValueError(f"loss={loss!r}: {default.name!r} has no parameter; pass the name alone.")
    try:
        value = float(parts[1])
    except (TypeError, ValueError):
        raise ValueError(f"loss={loss!r}: the parameter of {default.name!r} is a number.") from None
    return type(default)(value)  # type: ignore[call-arg]


def as_path_loss(loss: Any) -> Loss | Multinomial:
    """The same for a path, which knows "multinomial" too."""
    if isinstance(loss, Multinomial) or (isinstance(loss, str) and loss == MULTINOMIAL.name):
        return MULTINOMIAL
    return as_loss(loss, also="'multinomial', ")

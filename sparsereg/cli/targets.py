"""The target column: which loss suits it, and its values as the loss takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sparsereg.cli.column_types import Note
from sparsereg.cli.tables import CsvFormat, list_names
from sparsereg.losses import LOSSES, as_loss

__all__ = ["LOSS_NAMES", "TargetKind", "choose_loss"]

LOSS_NAMES = tuple(LOSSES)
# Losses of two classes, and the numbers that they have for them.
TWO_CLASSES = {"logistic": (0.0, 1.0), "squared_hinge": (-1.0, 1.0)}


@dataclass(frozen=True)
class TargetKind:
    """How a target is fitted.

    Attributes
    ----------
    loss : str
        As `as_loss` reads it.
    classes : array of shape (2,), or None
        The values of a target of two classes, the positive one last.
    """

    loss: str = "squared"
    classes: NDArray[Any] | None = None

    @property
    def is_text(self) -> bool:
        """Whether the column must be read as it is written."""
        return self.classes is not None and self.classes.dtype.kind == "U"

    def numbers(self, column: pl.Series) -> NDArray[np.float64]:
        """The values of a column of two classes, which was read as `is_text` says."""
        assert self.classes is not None
        values = column.cast(pl.String) if self.is_text else column.cast(pl.Float64)
        second = np.asarray((values == self.classes[1].item()).to_numpy(), dtype=np.bool_)
        low, high = TWO_CLASSES[self.loss]
        return np.where(second, high, low)


def choose_loss(asked: str | None, column: pl.Series, csv: CsvFormat, log_target: bool, note: Note) -> TargetKind:
    """The loss that was asked for, or the one that suits the values: "logistic" for two, "squared" for other numbers.

    Raises
    ------
    ValueError
        If the loss does not take such values, or no loss is known for them.
    """
    loss = None if asked is None else str(as_loss(asked))
    if log_target:
        if loss not in (None, "squared"):
            raise ValueError(f"--log-target fits squares of the logarithm; leave it out with --loss {loss}.")
        return TargetKind()
    if loss is not None and loss not in TWO_CLASSES:
        return TargetKind(loss)
    values = _distinct(column, csv)
    numbers = values.cast(pl.Float64, strict=False)
    is_number = not numbers.null_count() and len(values) > 0
    if len(values) == 2:
        # numbers by size, texts by the alphabet: no before yes, False before True
        labels = np.sort(numbers.to_numpy() if is_number else values.cast(pl.String).to_numpy().astype(np.str_))
        if is_number and (labels == np.rint(labels)).all():
            labels = labels.astype(np.int64)
        kind = TargetKind(loss or "logistic", labels)
        if loss is None:
            low, high = (f"{label:g}" if is_number else label for label in labels)
            note(
                f"target {column.name} holds two values, {low} and {high}: fitted with --loss logistic, which predicts"
                f" the probability of {high}. --loss squared fits numbers."
            )
        return kind
    if loss == "logistic" and is_number and ((numbers >= 0.0) & (numbers <= 1.0)).all():
        return TargetKind(loss)  # probabilities
    if loss is not None:
        raise ValueError(
            f"target {column.name!r} holds {len(values):,} different values, such as"
            f" {list_names([str(value) for value in values.head(3)])}; --loss {loss} takes two."
        )
    if not is_number and len(values) > 2 and not column.dtype.is_numeric() and numbers.null_count() == len(values):
        raise ValueError(
            f"target {column.name!r} holds {len(values):,} different texts, such as"
            f" {list_names([str(value) for value in values.head(3)])}; the command line fits numbers and two classes."
            " Take LogisticRegression in Python for more."
        )
    return TargetKind()


def _distinct(column: pl.Series, csv: CsvFormat) -> pl.Series:
    """The different values, those that stand for a missing one left out."""
    values = column.drop_nulls().unique(maintain_order=True)
    if values.dtype == pl.String:
        return values.filter(~values.is_in(["", *csv.na]))
    if values.dtype == pl.Boolean:
        return values.cast(pl.String)
    return values.filter(values.is_not_nan()) if values.dtype.is_float() else values

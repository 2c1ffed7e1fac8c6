"""The target column: which loss suits it, and its values as the loss takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sparsereg.cli.column_types import Note
from sparsereg.cli.tables import CsvFormat, list_names
from sparsereg.losses import LOSSES, MULTINOMIAL, as_path_loss

__all__ = ["LOSS_NAMES", "TargetKind", "choose_loss"]

LOSS_NAMES = (*LOSSES, MULTINOMIAL.name)
# Texts of at most so many values are taken for classes.
MAX_CLASSES = 50
# Losses of two classes, and the numbers that they have for them.
TWO_CLASSES = {"logistic": (0.0, 1.0), "squared_hinge": (-1.0, 1.0)}


@dataclass(frozen=True)
class TargetKind:
    """How a target is fitted.

    Attributes
    ----------
    loss : str
        As `as_loss` reads it.
    classes : array of shape (K,), or None
        The values of a target of classes, of two the positive one last.
    """

    loss: str = "squared"
    classes: NDArray[Any] | None = None

    @property
    def is_text(self) -> bool:
        """Whether the column must be read as it is written."""
        return self.classes is not None and self.classes.dtype.kind == "U"

    def indicators(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers of classes (n,) as a column for each class, 1 for the row's own."""
        return np.asarray(
            numbers[:, None] == np.arange(len(() if self.classes is None else self.classes)), dtype=np.float64
        )

    def numbers(self, column: pl.Series) -> NDArray[np.float64]:
        """The values of a column of classes, which was read as `is_text` says; of more than two their numbers."""
        assert self.classes is not None
        values = column.cast(pl.String) if self.is_text else column.cast(pl.Float64)
        if self.loss == MULTINOMIAL.name:
            table = self.classes if self.is_text else self.classes.astype(np.float64)
            return np.searchsorted(table, values.to_numpy().astype(table.dtype)).astype(np.float64)
        second = np.asarray((values == self.classes[1].item()).to_numpy(), dtype=np.bool_)
        low, high = TWO_CLASSES[self.loss]
        return np.where(second, high, low)


def choose_loss(asked: str | None, column: pl.Series, csv: CsvFormat, log_target: bool, note: Note) -> TargetKind:
    """The loss that was asked for, or the one that suits the values: "logistic" for two, "multinomial" for more texts,
    "squared" for other numbers.

    Raises
    ------
    ValueError
        If the loss does not take such values, or no loss is known for them.
    """
    loss = None if asked is None else str(as_path_loss(asked))
    if log_target:
        return TargetKind()
    if loss is not None and loss not in TWO_CLASSES and loss != MULTINOMIAL.name:
        return TargetKind(loss)
    values = _distinct(column, csv)
    numbers = values.cast(pl.Float64, strict=False)
    is_number = not numbers.null_count() and len(values) > 0
    is_text = not is_number and not column.dtype.is_numeric() and numbers.null_count() == len(values)
    if loss == MULTINOMIAL.name or (loss is None and is_text and 2 < len(values) <= MAX_CLASSES):
        return _several_classes(loss, column.name, values, numbers if is_number else None, note)
    if len(values) == 2:
        # numbers by size, texts by the alphabet: no before yes, False before True
        labels = _labels(values, numbers if is_number else None)
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
    if is_text and len(values) == 1:
        raise ValueError(
            f"target {column.name!r} holds one text only, {values.item()!r}; name a target of two classes or more, or"
            " of numbers."
        )
    if is_text and len(values) > 2:
        raise ValueError(
            f"target {column.name!r} holds {len(values):,} different texts, such as"
            f" {list_names([str(value) for value in values.head(3)])}; add --loss multinomial if they are classes, or"
            " name a target of numbers."
        )
    return TargetKind()


def _several_classes(
    loss: str | None, name: str, values: pl.Series, numbers: pl.Series | None, note: Note
) -> TargetKind:
    labels = _labels(values, numbers)
    if labels.size < 2:
        raise ValueError(f"target {name!r} holds one value only; --loss multinomial takes two classes or more.")
    if loss is None:
        note(
            f"target {name} holds {labels.size} texts, {list_names(labels.tolist())}: fitted with --loss"
            " multinomial, which predicts the probability of each."
        )
    return TargetKind(MULTINOMIAL.name, labels)


def _labels(values: pl.Series, numbers: pl.Series | None) -> NDArray[Any]:
    """Numbers by size, as integers where they are whole; texts by the alphabet."""
    if numbers is None:
        return np.sort(values.cast(pl.String).to_numpy().astype(np.str_))
    labels = np.sort(numbers.to_numpy())
    return labels.astype(np.int64) if (labels == np.rint(labels)).all() else labels


def _distinct(column: pl.Series, csv: CsvFormat) -> pl.Series:
    """The different values, those that stand for a missing one left out."""
    values = column.drop_nulls().unique(maintain_order=True)
    if values.dtype == pl.String:
        return values.filter(~values.is_in(["", *csv.na]))
    if values.dtype == pl.Boolean:
        return values.cast(pl.String)
    return values.filter(values.is_not_nan()) if values.dtype.is_float() else values

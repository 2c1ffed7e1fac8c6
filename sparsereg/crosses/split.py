"""`Split`: the rule for a column whose texts or lists name several categories at once, and how it is applied.

Does not depend on levels: which of the categories fit has seen, and how a missing value is treated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from sparsereg.crosses.binning import Rule
from sparsereg.crosses.column import Column
from sparsereg.crosses.ragged import Ragged, distinct_in_rows

__all__ = ["Split", "parts_of_rows"]


@dataclass(frozen=True)
class Split(Rule):
    """Several categories in one text or list: ``"Comedy|Drama"`` is both.

    A row has a one for each of its categories; order and repetition do not matter. A cross with such a field has all
    combinations of the row's categories. A text without categories, such as ``""``, and an empty list give a row
    without ones. The parameter `missing` applies to missing values. Empty and missing items of a list are ignored.

    Parameters
    ----------
    separator : str, optional
        The exact text between two categories; spaces beside it belong to the categories unless they are part of it.
        None, the default, is for a column of lists of strings.

    Raises
    ------
    ValueError
        If the separator is empty, or neither None nor a text.

    Examples
    --------
    >>> Split("|").parts("Drama|Comedy||Drama")
    ['Comedy', 'Drama']
    """

    name: ClassVar[str] = "split"
    separator: str | None = None

    def __post_init__(self) -> None:
        is_text = isinstance(self.separator, str)
        if self.separator is not None and not (is_text and self.separator):
            raise ValueError(f"separator={self.separator!r} must be a text such as '|', or None for lists.")

    def parts(self, text: str) -> list[str]:
        """The categories in a text, sorted, each once."""
        assert self.separator is not None
        return sorted({part for part in text.split(self.separator) if part})


def parts_of_rows(column: Column, split: Split) -> tuple[list[str], Ragged]:
    """The categories that a column names, and the categories of each row.

    Returns
    -------
    words : list of str
        Sorted.
    numbers : Ragged
        Positions in `words`, ascending in each row; ``len(words)`` where the text or list is missing.

    Raises
    ------
    ValueError
        If the column does not hold what the rule reads: texts with a separator, lists of texts without.

    Examples
    --------
    >>> column = Column("genres", "string", np.array([1, -1, 0]), dictionary=["Drama|Comedy", "War"])
    >>> words, numbers = parts_of_rows(column, Split("|"))
    >>> words, numbers.rows.tolist(), numbers.values.tolist()
    (['Comedy', 'Drama', 'War'], [0, 1, 2, 2], [2, 3, 0, 1])
    """
    n_rows = column.values.size
    if column.kind == "missing":
        return [], Ragged(np.zeros(n_rows, dtype=np.int64), np.arange(n_rows), n_rows)
    if column.kind != ("list" if split.separator is None else "string"):
        needed = "a column of lists" if split.separator is None else "texts"
        raise ValueError(
            f"column {column.name!r} holds {column.kind} values where {split!r} needs {needed}; "
            "use Split('|'), or another separator, for texts and Split() for lists."
        )
    return _parts_of_lists(column) if column.items else _parts_of_texts(column, split)


def _parts_of_texts(column: Column, split: Split) -> tuple[list[str], Ragged]:
    parts = [split.parts(text) for text in column.dictionary]
    words = sorted({word for part in parts for word in part})
    number = {word: place for place, word in enumerate(words)}
    lists = [[number[word] for word in part] for part in parts]
    # The code -1 of a missing text selects the last list.
    return words, Ragged.of(column.values, [*lists, [len(words)]])


def _parts_of_lists(column: Column) -> tuple[list[str], Ragged]:
    items = column.items
    assert items is not None
    if items.kind == "missing":
        items = replace(items, kind="string", values=np.full(items.values.size, -1))
    if items.kind != "string":
        raise ValueError(f"column {column.name!r} holds lists of {items.kind} values; convert them to strings.")
    words = sorted({*items.dictionary} - {""})
    number = {word: place for place, word in enumerate(words)}
    # Empty items get -1, and so do missing items: their code -1 selects the last entry.
    numbers = np.array([*(number.get(word, -1) for word in items.dictionary), -1])[items.values]
    missing = np.flatnonzero(column.values < 0)
    rows = np.append(np.repeat(np.arange(column.values.size), column.values.clip(0)), missing)
    numbers = np.append(numbers, np.full(missing.size, len(words)))
    return words, distinct_in_rows(Ragged(numbers, rows, column.values.size))

"""`parts_of_rows`: the categories that the texts or lists of a column name, row by row.

This room may not know levels: which of the categories are known, and what becomes of a missing value.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sparsereg.crosses.column import Column
from sparsereg.crosses.ragged import Ragged, distinct_in_rows
from sparsereg.crosses.split import Split

__all__ = ["parts_of_rows"]


def parts_of_rows(column: Column, split: Split) -> tuple[list[str], Ragged]:
    """The categories that a column could name, and which of them each row does.

    Returns
    -------
    words : list of str
        Sorted.
    found : Ragged
        Numbers of words, ascending in each row; ``len(words)`` where the text or list is missing.

    Raises
    ------
    ValueError
        If the column holds neither texts nor lists of them, or not what the rule is for.

    Examples
    --------
    >>> column = Column("genres", "string", np.array([1, -1, 0]), dictionary=["Drama|Comedy", "War"])
    >>> words, found = parts_of_rows(column, Split("|"))
    >>> words, found.rows.tolist(), found.values.tolist()
    (['Comedy', 'Drama', 'War'], [0, 1, 2, 2], [2, 3, 0, 1])
    """
    n_rows = column.values.size
    if column.kind == "missing":
        return [], Ragged(np.zeros(n_rows, dtype=np.int64), np.arange(n_rows), n_rows)
    if column.kind != ("list" if split.separator is None else "string"):
        needed = "a column of lists" if split.separator is None else "texts"
        raise ValueError(
            f"column {column.name!r} holds {column.kind} values where {split!r} needs {needed}; "
            "Split('|') or the like is for texts, Split() for lists."
        )
    return _parts_of_lists(column) if column.items else _parts_of_texts(column, split)


def _parts_of_texts(column: Column, split: Split) -> tuple[list[str], Ragged]:
    parts = [split.parts(text) for text in column.dictionary]
    words = sorted({word for part in parts for word in part})
    number = {word: place for place, word in enumerate(words)}
    lists = [[number[word] for word in part] for part in parts]
    # The code -1 of a missing text finds the last list.
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
    # Empty items and, at the end, where their code -1 points, missing ones are passed over.
    numbers = np.array([*(number.get(word, -1) for word in items.dictionary), -1])[items.values]
    missing = np.flatnonzero(column.values < 0)
    rows = np.append(np.repeat(np.arange(column.values.size), column.values.clip(0)), missing)
    numbers = np.append(numbers, np.full(missing.size, len(words)))
    return words, distinct_in_rows(Ragged(numbers, rows, column.values.size))

"""Warnings about fields that are probably not meant as they are: identifiers, and texts that look the same."""

from __future__ import annotations

import warnings
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from sparsereg.crosses.column import normalized_text
from sparsereg.crosses.layout import Layout

__all__ = ["warn_of_fields"]

# A field is taken for an identifier if it has at least so many levels, and this share of them in a single row.
_MIN_LEVELS = 100
_SINGLE_SHARE = 0.85


def warn_of_fields(layout: Layout, stacklevel: int) -> None:
    """Warn of categorical fields whose levels nearly all have one row, or look the same as others."""
    messages = [] if layout.keep.min_count > 1 else _identifiers(layout)
    messages += [] if layout.keep.normalize_text else _look_alikes(layout)
    for message in messages:
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)


def _identifiers(layout: Layout) -> list[str]:
    messages = []
    # Fields whose rows are not counted yet; the first block of each field counts them.
    rest = {name for name, levels in layout.levels.items() if levels.kind in ("integer", "string") and not levels.split}
    for block in layout.categories:
        if not rest.intersection(block.fields):
            continue
        for name, codes in zip(block.fields, block.split(np.arange(block.counts.size)), strict=True):
            if name not in rest:
                continue
            rest.remove(name)
            levels = layout.levels[name]
            single = int((np.bincount(codes, weights=block.counts) == 1).sum())
            if len(levels) >= _MIN_LEVELS and single >= _SINGLE_SHARE * len(levels):
                messages.append(
                    f"field {name!r} has {len(levels)} levels, {single} of them in a single row, as identifiers have; "
                    "they do not occur in new rows: leave it out, or set min_count to 2. If it holds numbers, "
                    "name it as numeric or give it a rule for bins."
                )
    return messages


def _look_alikes(layout: Layout) -> list[str]:
    messages = []
    for name, levels in layout.levels.items():
        if pair := _pair(levels.strings):
            messages.append(
                f"field {name!r} has the levels {pair[0]!a} and {pair[1]!a}, which differ only in surrounding blanks "
                "or Unicode form; set normalize_text=True to treat such levels as one."
            )
    return messages


def _pair(strings: Sequence[str]) -> tuple[str, str] | None:
    """Two of the sorted strings with the same normalized text, if there are any."""
    forms: dict[str, str] = {}
    for string in strings:
        # Plain ASCII, which is the rule, is its own normalized text.
        if string.isascii() and string.strip() == string:
            continue
        text = normalized_text(string)
        place = bisect_left(strings, text)
        other = forms.setdefault(text, string)
        if other == string and place < len(strings):
            other = strings[place] if strings[place] == text else string
        if other != string:
            return other, string
    return None

"""Warnings about fields that are probably not meant as they are: identifiers."""

from __future__ import annotations

import warnings

import numpy as np

from sparsereg.crosses.layout import Layout

__all__ = ["warn_of_fields"]

# A field is taken for an identifier if it has at least so many levels, and this share of them in a single row.
_MIN_LEVELS = 100
_SINGLE_SHARE = 0.85


def warn_of_fields(layout: Layout, stacklevel: int) -> None:
    """Warn of categorical fields whose levels nearly all have one row."""
    messages = [] if layout.keep.min_count > 1 else _identifiers(layout)
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
                    "they say nothing of new rows: leave it out of fields, or set min_count=2. If it holds numbers, "
                    "name it in numeric or give it a rule in bins."
                )
    return messages

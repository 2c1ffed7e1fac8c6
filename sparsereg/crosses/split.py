"""`Split`: the rule for a column whose texts or lists name several categories at once.

This room may not know tables or levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sparsereg.crosses.binning import Rule

__all__ = ["Split"]


@dataclass(frozen=True)
class Split(Rule):
    """Several categories in one text or list: ``"Comedy|Drama"`` is both.

    A row has a one for each of its categories, whatever their order and however often they are repeated. A cross with such
    a field has all combinations of the row's categories. A text without any, such as ``""``, or an empty list makes a row
    without ones; a missing one is treated as `missing` says. Empty and missing items of a list are passed over.

    Parameters
    ----------
    separator : str, optional
        What stands between two categories, exactly: spaces around it belong to the categories unless it has them too.
        None, the default, is for a column of lists of strings.

    Raises
    ------
    ValueError
        If the separator is neither None nor a text, or empty.

    Examples
    --------
    >>> Split("|").parts("Drama|Comedy||Drama")
    ['Comedy', 'Drama']
    """

    separator: str | None = None

    def __post_init__(self) -> None:
        is_text = isinstance(self.separator, str)
        if self.separator is not None and not (is_text and self.separator):
            raise ValueError(f"separator={self.separator!r} must be a text such as '|', or None for lists.")

    def parts(self, text: str) -> list[str]:
        """The categories in a text, sorted, each once."""
        assert self.separator is not None
        return sorted({part for part in text.split(self.separator) if part})

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON-able values."""
        return {"rule": "split", "separator": self.separator}

"""`DatePart`: the part of a date, such as its hour or its weekday, as a bin.

This room may not know tables, or time zones: dates come as wall time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.binning import Bins

__all__ = ["DatePart"]

# How many there could be of each part; of years, as many as lie between the first and the last.
_CELLS = {"year": 0, "month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60}
# The names of the standard library change with the locale; those of a fitted model may not.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True)
class DatePart(Bins):
    """One part of a date or a time as a category.

    Times with a time zone are read as the wall clock of that zone shows them.

    Parameters
    ----------
    part : {"year", "month", "day", "weekday", "hour", "minute"}
        Months and days count from 1, weekdays from Monday, which is 0.

    Raises
    ------
    ValueError
        If the part is not one of these.

    Examples
    --------
    >>> import numpy as np
    >>> rule = DatePart("weekday")
    >>> [rule.label(k) for k in rule.index(np.array(["2024-02-29", "2024-03-03"], dtype="datetime64[D]")).tolist()]
    ['Thursday', 'Sunday']
    """

    reads: ClassVar[str] = "date"
    part: str

    def __post_init__(self) -> None:
        if self.part not in _CELLS:
            raise ValueError(f"part={self.part!r} must be one of {list(_CELLS)}.")

    def index(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """The part (n,) of each date (n,)."""
        days, months = values.astype("datetime64[D]"), values.astype("datetime64[M]")
        if self.part == "year":
            part = values.astype("datetime64[Y]").astype(np.int64) + 1970
        elif self.part == "month":
            part = months.astype(np.int64) % 12 + 1
        elif self.part == "day":
            part = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
        elif self.part == "weekday":
            # Day 0, the first of 1970, was a Thursday.
            part = (days.astype(np.int64) + 3) % 7
        else:
            minutes = (values.astype("datetime64[m]") - days).astype(np.int64)
            part = minutes // 60 if self.part == "hour" else minutes % 60
        return part

    def level(self, index: int) -> int:
        """The part itself, as a number."""
        return index

    def label(self, index: int) -> str:
        """The part in words: weekdays and months by name."""
        if self.part == "weekday":
            return _DAYS[index]
        return _MONTHS[index - 1] if self.part == "month" else str(index)

    def n_cells(self, first: int, last: int) -> int:
        """How many parts there could be."""
        return _CELLS[self.part] or last - first + 1

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON-able values."""
        return {"rule": "date_part", "part": self.part}

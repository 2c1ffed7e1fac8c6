"""`DatePart`: the part of a date, such as its hour or its weekday, as a bin. Dates come in local (wall clock) time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.binning import Bins

__all__ = ["DatePart"]

# The number of possible values of each part; 0 for years, which are counted from the first to the last.
_CELLS = {"year": 0, "month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60}
# The names in the standard library depend on the locale; those of a fitted model must not.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True)
class DatePart(Bins):
    """One part of a date or a time as a category.

    Times with a time zone are read in the local time of that zone.

    Parameters
    ----------
    part : {"year", "month", "day", "weekday", "hour", "minute"}
        Months and days count from 1; weekdays from 0, which is Monday.

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

    name: ClassVar[str] = "date_part"
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
            # Day 0, 1 January 1970, was a Thursday.
            part = (days.astype(np.int64) + 3) % 7
        else:
            minutes = (values.astype("datetime64[m]") - days).astype(np.int64)
            part = minutes // 60 if self.part == "hour" else minutes % 60
        return part

    def limits(self) -> tuple[int, int]:
        """The smallest and the largest possible value of the part; years are not limited."""
        if self.part == "year":
            return -(2**62), 2**62
        first = int(self.part in ("month", "day"))
        return first, first + _CELLS[self.part] - 1

    def level(self, index: int) -> int:
        """The part itself, as a number."""
        return index

    def label(self, index: int) -> str:
        """The part as text; weekdays and months by name."""
        if self.part == "weekday":
            return _DAYS[index]
        return _MONTHS[index - 1] if self.part == "month" else str(index)

    def n_cells(self, first: int, last: int) -> int:
        """The number of possible values of the part."""
        return _CELLS[self.part] or last - first + 1

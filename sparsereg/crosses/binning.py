"""Rules that turn numbers into bins: `Width`, `Quantiles`, `Edges`.

A bin is half-open, ``[a, b)``, and has an integer index. This room knows one column of numbers at a time; it may not
know tables, missing values, categories or crosses.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar, SupportsFloat

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bins", "Edges", "Quantiles", "Rule", "Width"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Number = SupportsFloat | str

# With fewer than 2^51 bins on each side of the origin a bin is at least two float64 spacings wide, so that its
# two edges differ and the corrected floor of Width.index ends.
_MOST_BINS = 2.0**51
# A float such as 1/60 is read as the fraction that a person wrote when one with a denominator up to this gives it.
_LARGEST_DENOMINATOR = 1_000_000


class Rule(ABC):
    """How to make categories of a column."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON-able values; `rule_from_dict` reads it back."""


class Bins(Rule):
    """A rule for numbers or dates whose edges are settled."""

    # What kind of column it reads: "number" or "date".
    reads: ClassVar[str] = "number"

    def fit(self, values: NDArray[Any]) -> Bins:  # noqa: ARG002
        """Return the rule itself: its edges do not depend on the data."""
        return self

    @abstractmethod
    def index(self, values: NDArray[Any]) -> IntArray:
        """Bin index (n,) of each value (n,), none of which is missing."""

    @abstractmethod
    def level(self, index: int) -> object:
        """The bin as a value, such as the bounds ``(18.0, 65.0)``."""

    @abstractmethod
    def label(self, index: int) -> str:
        """The bin in words, such as ``[18,65)``."""

    @abstractmethod
    def n_cells(self, first: int, last: int) -> int:
        """How many bins there could be, given the first and the last index seen."""


@dataclass(frozen=True, init=False, repr=False)
class Width(Bins):
    """Bins of equal width: bin k is ``[origin + k*width, origin + (k+1)*width)``.

    The edges are rational numbers, each rounded once to float64, and a value is compared with those very edges: it
    lies in bin k exactly when ``edge(k) <= x < edge(k+1)``, whatever rounding the division by the width suffered.

    Parameters
    ----------
    width : float, int, Fraction or str
        Width of a bin, in the units of the column. A float is read as the simplest fraction that prints as it, so that
        ``Width(1/60)``, ``Width("1/60")`` and ``Width(Fraction(1, 60))`` are the same rule.
    origin : float, int, Fraction or str, default=0
        Where bin 0 begins. Zero, so that two tables get the same bins without agreeing on anything else.
    period : float, int, Fraction or str, optional
        The column wraps after this many units, as longitude does after 360: bins a period apart are one bin, named by
        its bounds in ``[origin, origin + period)``. It must be a whole number of widths. None, as most columns end.

    Raises
    ------
    ValueError
        If the width or the period is not a positive finite number, or the period not a multiple of the width.

    Examples
    --------
    >>> import numpy as np
    >>> rule = Width("1/60")
    >>> rule
    Width(1/60)
    >>> [rule.label(k) for k in rule.index(np.array([37.75, 37.76, -0.001])).tolist()]
    ['[37.75,37.7667)', '[37.75,37.7667)', '[-0.0167,0)']
    """

    width: Fraction
    origin: Fraction
    period: Fraction | None

    def __init__(self, width: Number, origin: Number = 0, period: Number | None = None) -> None:
        object.__setattr__(self, "width", _fraction(width, "width"))
        object.__setattr__(self, "origin", _fraction(origin, "origin"))
        object.__setattr__(self, "period", None if period is None else _fraction(period, "period"))
        if self.width <= 0:
            raise ValueError(f"width={width!r} must be positive.")
        if self.period is not None and (self.period <= 0 or (self.period / self.width).denominator != 1):
            raise ValueError(f"period={period!r} must be a positive whole number of widths of {width!r}.")
        if self.period is not None and self.period / self.width > _MOST_BINS:
            raise ValueError(f"period={period!r} holds more than 2^51 widths of {width!r}; use wider bins.")
        try:
            self._terms()
        except OverflowError:
            raise ValueError(f"width={width!r} with origin={origin!r} is out of the range of float64.") from None

    def __repr__(self) -> str:
        parts = [_text(self.width)]
        if self.origin != 0:
            parts.append(f"origin={_text(self.origin)}")
        if self.period is not None:
            parts.append(f"period={_text(self.period)}")
        return f"Width({', '.join(parts)})"

    def _terms(self) -> tuple[float, float, float]:
        """Whole numbers a, b, d as floats with ``edge(k) = (a + k*b) / d``."""
        common = math.lcm(self.origin.denominator, self.width.denominator)
        a, b = self.origin * common, self.width * common
        return float(a), float(b), float(common)

    def _edge(self, k: FloatArray) -> FloatArray:
        # The only place where an edge is computed. While a + k*b stays below 2^53 both are exact, and a division of
        # whole numbers is rounded correctly, on every machine; beyond, it is still monotone and the same everywhere.
        a, b, d = self._terms()
        edge = k * b
        edge += a
        edge /= d
        return edge

    def index(self, values: FloatArray) -> IntArray:
        """Bin index of each value.

        Parameters
        ----------
        values : ndarray of float64, shape (n,)
            Without NaN.

        Returns
        -------
        ndarray of int64, shape (n,)

        Raises
        ------
        ValueError
            If a value is infinite, or 2^51 widths or more from 0 or from the origin.
        """
        if not values.size:
            return np.empty(0, dtype=np.int64)
        with np.errstate(over="ignore"):
            k = values - float(self.origin)
            k /= float(self.width)
        np.floor(k, out=k)
        # Values as large as that against the width, or an origin, lie no closer to one another than the bins are wide.
        largest, most = max(abs(values.max()), abs(values.min())), _MOST_BINS * float(self.width)
        if not (k.max() < _MOST_BINS and k.min() > -_MOST_BINS and largest < most):
            far = values[np.argmax(np.maximum(np.abs(k), np.abs(values)))]
            raise ValueError(f"value {far} is infinite or too far from 0 or the origin for {self!r}; use wider bins.")
        # The floor can be off by one where the division rounded across an edge.
        while (below := values < self._edge(k)).any():
            k -= below
        while (above := values >= self._edge(k + 1.0)).any():
            k += above
        index: IntArray = k.astype(np.int64)
        if self.period is not None:
            index %= int(self.period / self.width)
        return index

    def bounds(self, index: int) -> tuple[float, float]:
        """Bounds ``(a, b)`` of bin `index`."""
        low, high = self._edge(np.array([index, index + 1], dtype=np.float64)).tolist()
        return low, high

    def level(self, index: int) -> tuple[float, float]:
        """The bounds of bin `index`."""
        return self.bounds(index)

    def label(self, index: int) -> str:
        """The bin in words, rounded to a hundredth of the width or finer."""
        decimals = max(0, 2 - math.floor(math.log10(self.width)))
        low, high = (_decimal(bound, decimals) for bound in self.bounds(index))
        return f"[{low},{high})"

    def n_cells(self, first: int, last: int) -> int:
        """Bins from the first to the last seen, or in a whole period."""
        return last - first + 1 if self.period is None else int(self.period / self.width)

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON-able values."""
        period = None if self.period is None else str(self.period)
        return {"rule": "width", "width": str(self.width), "origin": str(self.origin), "period": period}


@dataclass(frozen=True, init=False, repr=False)
class Edges(Bins):
    """Bins between given edges; the first and the last are open-ended.

    ``Edges([0, 18, 65])`` makes ``[-inf,0)``, ``[0,18)``, ``[18,65)`` and ``[65,inf)``, with the indices -1 to 2. A bin
    that holds no value of the table costs nothing.

    Parameters
    ----------
    edges : iterable of float
        Finite and strictly increasing.

    Raises
    ------
    ValueError
        If an edge is not a finite number, or the edges do not increase.

    Examples
    --------
    >>> import numpy as np
    >>> rule = Edges([0, 18, 65])
    >>> [rule.label(k) for k in rule.index(np.array([17.9, 18.0, 80.0])).tolist()]
    ['[0,18)', '[18,65)', '[65,inf)']
    """

    edges: tuple[float, ...]

    def __init__(self, edges: Iterable[float]) -> None:
        # Adding 0.0 turns -0.0 into 0.0, which compares equal and prints as people expect.
        try:
            object.__setattr__(self, "edges", tuple(float(edge) + 0.0 for edge in edges))
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"edges={edges!r} must be a list of finite numbers.") from None
        if not all(map(math.isfinite, self.edges)):
            raise ValueError(f"edges={list(self.edges)} must be finite; the outer bins are open-ended already.")
        if any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError(f"edges={list(self.edges)} must be strictly increasing.")

    def __repr__(self) -> str:
        return f"Edges([{', '.join(map(_shortest, self.edges))}])"

    def index(self, values: FloatArray) -> IntArray:
        """Bin index of each value (n,): -1 below the first edge, k from edge k on."""
        position: IntArray = np.searchsorted(np.asarray(self.edges), values, side="right").astype(np.int64)
        return position - 1

    def bounds(self, index: int) -> tuple[float, float]:
        """Bounds ``(a, b)`` of bin `index`; infinite at the ends."""
        walls = (-math.inf, *self.edges, math.inf)
        return walls[index + 1], walls[index + 2]

    def level(self, index: int) -> tuple[float, float]:
        """The bounds of bin `index`."""
        return self.bounds(index)

    def label(self, index: int) -> str:
        """The bin in words, its bounds exact."""
        low, high = map(_shortest, self.bounds(index))
        return f"[{low},{high})"

    def n_cells(self, first: int, last: int) -> int:  # noqa: ARG002
        """All bins, seen or not."""
        return len(self.edges) + 1

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON-able values."""
        return {"rule": "edges", "edges": list(self.edges)}


@dataclass(frozen=True)
class Quantiles(Rule):
    """Bins with about equally many rows; `fit` settles the edges and returns an `Edges`.

    Each edge is a value of the column itself, the first of its bin, so that edges are short when the data are. Equal values stay
    together: in a column with many zeros there can be fewer than `n` bins, but none that is empty.

    Parameters
    ----------
    n : int
        Number of bins, at least 2.

    Raises
    ------
    ValueError
        If `n` is not a whole number of at least 2.

    Examples
    --------
    >>> import numpy as np
    >>> Quantiles(4).fit(np.arange(100.0))
    Edges([25, 50, 75])
    """

    n: int

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "n", operator.index(self.n))
        except TypeError:
            raise ValueError(f"n={self.n!r} must be a whole number of bins.") from None
        if self.n < 2:
            raise ValueError(f"n={self.n!r} must be at least 2 bins.")

    def fit(self, values: FloatArray) -> Edges:
        """Return the `Edges` at the quantiles of the finite ones among `values` (n,)."""
        values = values[np.isfinite(values)]
        if not values.size:
            return Edges([])
        # The first value of each upper part.
        first = np.arange(1, self.n) * values.size // self.n
        edges = np.partition(values, first)[first]
        # Where that is the smallest of all, or an edge already, ties reach across: the next part begins behind them.
        tied = edges == np.append(values.min(), edges[:-1])
        if tied.any():
            distinct = np.append(np.unique(values), np.inf)
            edges[tied] = distinct[np.searchsorted(distinct, edges[tied], side="right")]
        return Edges(np.unique(edges[np.isfinite(edges)]).tolist())

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON-able values."""
        return {"rule": "quantiles", "n": self.n}


def _fraction(value: Number, name: str) -> Fraction:
    """The number that a person meant: exact for text and fractions, the simplest one that prints so for a float."""
    try:
        if isinstance(value, (str, int, Fraction)):
            return Fraction(value)
        number = float(value)
        simple = Fraction(number).limit_denominator(_LARGEST_DENOMINATOR)
        return simple if float(simple) == number else Fraction(repr(number))
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise ValueError(f"{name}={value!r} is not a finite number; write it like 0.5, '1/60' or 2.") from None


def _text(value: Fraction) -> str:
    """Python text that `_fraction` reads back as the same number."""
    if value.denominator == 1:
        return str(value.numerator)
    for text in (repr(float(value)), str(value)):
        # Python divides whole numbers with one rounding, so that 1/60 as code and as fraction are one float.
        if len(text) <= 12 and _fraction(float(Fraction(text)), "value") == value:
            return text
    return repr(str(value))


def _shortest(value: float) -> str:
    """Shortest text that reads back as the same float."""
    return repr(value).removesuffix(".0")


def _decimal(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text

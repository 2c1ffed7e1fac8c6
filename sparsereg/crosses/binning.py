"""Rules that turn numbers into bins: `Width`, `Quantiles`, `Edges`.

A bin is half-open, ``[a, b)``, and has an integer index. A rule reads one column of numbers, none of them missing.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields
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
# two edges differ and the loops of Width.index end.
_MAX_BINS = 2.0**51
# A float such as 1/60 is read as the fraction with a denominator up to this, if one rounds to the float.
_MAX_DENOMINATOR = 1_000_000


@dataclass(frozen=True)
class Rule(ABC):
    """How categories are made of a column: a frozen dataclass of JSON values, fractions and tuples."""

    # The key of the rule in saved models.
    name: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The name and the fields of the rule as JSON values; `rule_from_dict` reads them back."""
        return {"rule": self.name} | {field.name: _json(getattr(self, field.name)) for field in fields(self)}


class Bins(Rule):
    """A rule for numbers or dates that does not depend on the data any more."""

    # The kind of column that the rule reads: "number" or "date".
    reads: ClassVar[str] = "number"

    def fit(self, values: NDArray[Any]) -> Bins:  # noqa: ARG002
        """Return the rule itself."""
        return self

    @abstractmethod
    def index(self, values: NDArray[Any]) -> IntArray:
        """Bin index (n,) of each value (n,), none of which is missing."""

    @abstractmethod
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest possible index."""

    @abstractmethod
    def level(self, index: int) -> object:
        """The bin as a value, such as the bounds ``(18.0, 65.0)``."""

    @abstractmethod
    def label(self, index: int) -> str:
        """The bin as text, such as ``[18,65)``."""

    @abstractmethod
    def n_cells(self, first: int, last: int) -> int:
        """The number of possible bins, given the first and the last index observed."""


@dataclass(frozen=True, init=False, repr=False)
class Width(Bins):
    """Bins of equal width: bin k is ``[origin + k*width, origin + (k+1)*width)``.

    The edges are rational numbers, each rounded once to float64. A value lies in bin k exactly when
    ``edge(k) <= x < edge(k+1)`` for these rounded edges; rounding in the division by the width is corrected.

    Parameters
    ----------
    width : float, int, Fraction or str
        Width of a bin, in the units of the column. A float is read as the simplest fraction that rounds to it:
        ``Width(1/60)``, ``Width("1/60")`` and ``Width(Fraction(1, 60))`` are the same rule.
    origin : float, int, Fraction or str, default=0
        Lower edge of bin 0. Zero, so that different tables get the same bins.
    period : float, int, Fraction or str, optional
        Period of a cyclic column, such as 360 for longitude: bins a period apart are the same bin, named by its
        bounds in ``[origin, origin + period)``. It must be a whole number of widths. None, as most columns have none.

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

    name: ClassVar[str] = "width"
    width: Fraction
    origin: Fraction
    period: Fraction | None

    def __init__(self, width: Number, origin: Number = 0, period: Number | None = None) -> None:
        object.__setattr__(self, "width", _fraction(width, "width"))
        object.__setattr__(self, "origin", _fraction(origin, "origin"))
        object.__setattr__(self, "period", None if period is None else _fraction(period, "period"))
        if self.width <= 0:
            raise ValueError(f"width={width!r} must be positive; write it like 0.5 or '1/60'.")
        if self.period is not None and (self.period <= 0 or (self.period / self.width).denominator != 1):
            raise ValueError(f"period={period!r} must be a positive whole multiple of width={width!r}.")
        if self.period is not None and self.period / self.width > _MAX_BINS:
            raise ValueError(f"period={period!r} holds more than 2^51 bins of width={width!r}; use wider bins.")
        try:
            self._terms()
        except OverflowError:
            raise ValueError(
                f"width={width!r} with origin={origin!r} is out of the range of float64; rescale the column."
            ) from None

    def __repr__(self) -> str:
        parts = [_text(self.width)]
        if self.origin != 0:
            parts.append(f"origin={_text(self.origin)}")
        if self.period is not None:
            parts.append(f"period={_text(self.period)}")
        return f"Width({', '.join(parts)})"

    def _terms(self) -> tuple[float, float, float]:
        """Integers a, b, d as floats with ``edge(k) = (a + k*b) / d``."""
        common = math.lcm(self.origin.denominator, self.width.denominator)
        a, b = self.origin * common, self.width * common
        return float(a), float(b), float(common)

    def _edge(self, k: FloatArray) -> FloatArray:
        # The only place where an edge is computed. While a + k*b stays below 2^53 numerator and denominator are exact
        # and the quotient is correctly rounded (IEEE 754); beyond, edges are still monotone and reproducible.
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
            If a value is infinite, or 2^51 widths or more away from 0 or the origin.
        """
        if not values.size:
            return np.empty(0, dtype=np.int64)
        with np.errstate(over="ignore"):
            k = values - float(self.origin)
            k /= float(self.width)
        np.floor(k, out=k)
        # Beyond this limit the spacing of float64 values is comparable to the width of the bins.
        largest, limit = max(abs(values.max()), abs(values.min())), _MAX_BINS * float(self.width)
        if not (k.max() < _MAX_BINS and k.min() > -_MAX_BINS and largest < limit):
            far = values[np.argmax(np.maximum(np.abs(k), np.abs(values)))]
            raise ValueError(f"value {far} is infinite or too far from 0 or the origin for {self!r}; use wider bins.")
        # The floor is off by one where the division was rounded across an edge.
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

    level = bounds

    def limits(self) -> tuple[float, float]:
        """Indices of one period, or within 2^51."""
        return (-_MAX_BINS, _MAX_BINS) if self.period is None else (0, int(self.period / self.width) - 1)

    def label(self, index: int) -> str:
        """The bin as text, its bounds rounded to a hundredth of the width or finer."""
        decimals = max(0, 2 - math.floor(math.log10(self.width)))
        low, high = (_decimal(bound, decimals) for bound in self.bounds(index))
        return f"[{low},{high})"

    def n_cells(self, first: int, last: int) -> int:
        """The number of bins from the first to the last observed, or of a whole period."""
        return last - first + 1 if self.period is None else int(self.period / self.width)


@dataclass(frozen=True, init=False, repr=False)
class Edges(Bins):
    """Bins between given edges; the first and the last are open-ended.

    ``Edges([0, 18, 65])`` makes ``[-inf,0)``, ``[0,18)``, ``[18,65)`` and ``[65,inf)``, with the indices -1 to 2. Empty
    bins get no column.

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

    name: ClassVar[str] = "edges"
    edges: tuple[float, ...]

    def __init__(self, edges: Iterable[float]) -> None:
        # Adding 0.0 turns -0.0 into 0.0.
        try:
            object.__setattr__(self, "edges", tuple(float(edge) + 0.0 for edge in edges))
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"edges={edges!r} must be a list of finite numbers.") from None
        if not all(map(math.isfinite, self.edges)):
            raise ValueError(
                f"edges={list(self.edges)} must be finite; leave out infinities, as the outer bins are open-ended."
            )
        if any(a >= b for a, b in pairwise(self.edges)):
            raise ValueError(f"edges={list(self.edges)} must be strictly increasing; sort them and remove duplicates.")

    def __repr__(self) -> str:
        return f"Edges([{', '.join(map(_shortest, self.edges))}])"

    def index(self, values: FloatArray) -> IntArray:
        """Bin index of each value (n,): -1 below the first edge, k from edge k on."""
        position: IntArray = np.searchsorted(np.asarray(self.edges), values, side="right").astype(np.int64)
        return position - 1

    def bounds(self, index: int) -> tuple[float, float]:
        """Bounds ``(a, b)`` of bin `index`; infinite at the ends."""
        edges = (-math.inf, *self.edges, math.inf)
        return edges[index + 1], edges[index + 2]

    level = bounds

    def limits(self) -> tuple[int, int]:
        """From -1, below the first edge."""
        return -1, len(self.edges) - 1

    def label(self, index: int) -> str:
        """The bin as text, its bounds exact."""
        low, high = map(_shortest, self.bounds(index))
        return f"[{low},{high})"

    def n_cells(self, first: int, last: int) -> int:  # noqa: ARG002
        """The number of all bins, observed or not."""
        return len(self.edges) + 1


@dataclass(frozen=True)
class Quantiles(Rule):
    """Bins with about equally many rows; `fit` chooses the edges and returns an `Edges`.

    Each edge is a value of the column, the smallest in its bin. Equal values are in the same bin: a column with many
    zeros can have fewer than `n` bins. No bin is empty.

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

    name: ClassVar[str] = "quantiles"
    n: int

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "n", operator.index(self.n))
        except TypeError:
            raise ValueError(f"n={self.n!r} must be an integer, at least 2.") from None
        if self.n < 2:
            raise ValueError(f"n={self.n!r} must be at least 2; one bin would hold all rows.")

    def fit(self, values: FloatArray) -> Edges:
        """Return the `Edges` at the quantiles of the finite values among `values` (n,)."""
        values = values[np.isfinite(values)]
        if not values.size:
            return Edges([])
        # Part i of n begins at rank i * size // n.
        first = np.arange(1, self.n) * values.size // self.n
        edges = np.partition(values, first)[first]
        # Where ties extend across the edge, or it is the minimum, the next larger value becomes the edge.
        tied = edges == np.append(values.min(), edges[:-1])
        if tied.any():
            distinct = np.append(np.unique(values), np.inf)
            edges[tied] = distinct[np.searchsorted(distinct, edges[tied], side="right")]
        return Edges(np.unique(edges[np.isfinite(edges)]).tolist())


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Fraction) else value


def _fraction(value: Number, name: str) -> Fraction:
    """The value as a fraction: exact for text, integers and fractions; for a float the simplest that rounds to it."""
    try:
        if isinstance(value, (str, int, Fraction)):
            return Fraction(value)
        number = float(value)
        simple = Fraction(number).limit_denominator(_MAX_DENOMINATOR)
        return simple if float(simple) == number else Fraction(repr(number))
    except (ValueError, TypeError, OverflowError, ZeroDivisionError):
        raise ValueError(f"{name}={value!r} is not a finite number; write it like 0.5, '1/60' or 2.") from None


def _text(value: Fraction) -> str:
    """Python text that `_fraction` reads back as the same number."""
    if value.denominator == 1:
        return str(value.numerator)
    for text in (repr(float(value)), str(value)):
        # Python divides integers with a single rounding, so that 1/60 as code gives the float of the fraction.
        if len(text) <= 12 and _fraction(float(Fraction(text)), "value") == value:
            return text
    return repr(str(value))


def _shortest(value: float) -> str:
    """The shortest text that reads back as the same float."""
    return repr(value).removesuffix(".0")


def _decimal(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text

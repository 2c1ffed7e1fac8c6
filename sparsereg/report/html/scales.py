"""Scales from data to pixels, and their ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sparsereg.report.html.elements import prose
from sparsereg.report.words import compact

__all__ = ["Scale", "linear_ticks", "log_ticks", "tick_text"]


@dataclass(frozen=True)
class Scale:
    """`scale(value)` is a pixel: `low` at `first`, `high` at `last`, evenly or by the logarithm."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._of(self.low), self._of(self.high)
        share = (self._of(value) - low) / (high - low) if high != low else 0.5
        return self.first + share * (self.last - self.first)

    def _of(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else value

    def path(self, values: Sequence[float]) -> list[float]:
        return [self(value) for value in values]


def linear_ticks(low: float, high: float, n: int = 5) -> list[float]:
    """At most about n round numbers from low to high."""
    if not high > low:
        return [low]
    rough = (high - low) / max(n, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [0.0 if k == 0 else k * step for k in range(first, last + 1)]


def log_ticks(low: float, high: float, n: int = 6) -> list[float]:
    """Powers of ten from low to high, at most n; a narrow range has 1, 2, 5 times these."""
    if not high > low > 0.0:
        return [low]
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    powers = list(range(first, last + 1))
    if len(powers) >= 2:
        return [10.0**k for k in powers[:: math.ceil(len(powers) / n)]]
    fine = [m * 10.0**k for k in range(first - 1, last + 2) for m in (1, 2, 5)]
    return [tick for tick in fine if low * 0.999 <= tick <= high * 1.001] or [low]


def tick_text(value: float) -> str:
    """A tick as text: powers of ten below a thousandth, thousands as k and M."""
    if value == 0.0:
        return "0"
    size = abs(value)
    if size < 0.00099 or size >= 1e9:
        return prose(f"{value:.0e}" if float(f"{value:.0e}") == float(f"{value:.6g}") else f"{value:.1e}")
    for unit, word in ((1e6, "M"), (1e3, "k")):
        if size >= unit * 0.9999:
            return prose(f"{value / unit:g}{word}")
    return prose(f"{value:g}" if float(f"{value:g}") == value or size < 1 else compact(value))

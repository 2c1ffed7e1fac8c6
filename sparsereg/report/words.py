"""Numbers as people read them, in plain text: three digits, thousands in groups, shares in per cent."""

from __future__ import annotations

import math

__all__ = ["bytes_in_words", "compact", "counted", "percent", "points", "signed", "small"]


def percent(share: float) -> str:
    """A share in per cent, with three digits but never more than two decimals, such as ``9.0%`` or ``0.02%``."""
    value = 100.0 * share
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if 5e-7 <= size < 0.005:
        return f"{value:.1g}%"
    digits = 0 if size >= 99.95 else 1 if size >= 0.995 else 2
    text = f"{value:,.{digits}f}"
    return f"{text.removeprefix('-') if float(text.replace(',', '')) == 0 else text}%"


def points(share: float) -> str:
    """A difference of shares in percentage points."""
    return f"{percent(share).removesuffix('%')} points"


def small(value: float) -> str:
    """A tolerance or gap: one digit and a power of ten, such as ``3e-05``; 0 as it is."""
    return "0" if value == 0 else f"{value:.0e}" if value < 0.1 else f"{value:.1g}"


def compact(value: float | None, digits: int = 3) -> str:
    """A number in few digits: 12,300 or 0.0123 or 1.2e-07; a hyphen where unknown."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    magnitude = math.floor(math.log10(abs(value)))
    if -4 <= magnitude < 9:
        rounded = round(value, digits - 1 - magnitude)
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
        return f"{rounded:,.{decimals}f}"
    return f"{value:.{digits - 1}e}"


def signed(value: float | None, digits: int = 3) -> str:
    """`compact` with a plus before positive numbers."""
    text = compact(value, digits)
    return f"+{text}" if value is not None and value > 0 else text


def counted(n: int, word: str) -> str:
    """A number and its noun, such as ``1 column`` or ``2,345 columns``."""
    return f"{n} {word}" if n == 1 else f"{n:,} {word}s"


def bytes_in_words(n: int) -> str:
    """A number of bytes, such as ``1.2 MB``."""
    value, unit = float(n), 0
    while value >= 999.5 and unit < 6:
        value, unit = value / 1000, unit + 1
    return f"{n} bytes" if not unit else f"{value:.3g} {('', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB')[unit]}"

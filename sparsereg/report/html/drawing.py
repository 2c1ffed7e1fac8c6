"""`Drawing`: one SVG of fixed size in pixels, whose colours come from the classes of the style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sparsereg.report.html.elements import Node, h
from sparsereg.report.html.scales import Scale, tick_text

__all__ = ["Drawing", "apart", "points_text", "text_width"]

# Width of a character at a font size of 12, as a generous average of common sans-serif fonts.
_CHARACTER = 7.1


def text_width(text: str, size: float = 12.0) -> float:
    """About how wide a text is, in pixels; rather too wide."""
    return len(text) * _CHARACTER * size / 12.0


def points_text(xs: Sequence[float], ys: Sequence[float]) -> str:
    """A line through points as the data of an SVG path, to a tenth of a pixel."""
    pairs = [f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True)]
    return "M" + "L".join(pairs) if pairs else ""


class Drawing:
    """An SVG that grows.

    Parameters
    ----------
    width, height : float
    label : str
        What the drawing shows, in a sentence with its numbers; for those who do not see it.
    kind : str
        Its class: ``wide`` and ``narrow`` are two drawings of one chart, of which the page shows one.
    """

    def __init__(self, width: float, height: float, label: str, kind: str) -> None:
        self.width, self.height = width, height
        self.node = h("svg", viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label, class_=f"chart {kind}")
        self.narrow = kind == "narrow"

    def add(self, node: Node) -> None:
        self.node.append(node)

    def line(self, x: tuple[float, float], y: tuple[float, float], cls: str) -> None:
        """A straight line."""
        self.add(h("path", d=points_text(x, y), class_=cls))

    def path(self, xs: Sequence[float], ys: Sequence[float], cls: str, **attributes: object) -> None:
        """A line through points."""
        if len(xs):
            self.add(h("path", d=points_text(xs, ys), class_=cls, **attributes))

    def area(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], cls: str) -> None:
        """The area between two lines."""
        if len(xs):
            outline = points_text([*xs, *reversed(xs)], [*high, *reversed(low)])
            self.add(h("path", d=f"{outline}Z", class_=cls))

    def dots(self, xs: Iterable[float], ys: Iterable[float], cls: str, radius: float = 3.0) -> None:
        """Circles, as one path."""
        r = f"{radius:g}"
        circle = [
            f"M{x - radius:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * radius:g} 0a{r} {r} 0 1 0 {-2 * radius:g} 0"
            for x, y in zip(xs, ys, strict=True)
        ]
        if circle:
            self.add(h("path", d="".join(circle), class_=cls))

    def text(self, x: float, y: float, words: str, cls: str = "", **attributes: object) -> None:
        """A text whose baseline starts at (x, y); classes ``end`` and ``mid`` align it."""
        self.add(h("text", words, x=f"{x:.1f}", y=f"{y:.1f}", class_=cls or None, **attributes))

    def y_axis(self, scale: Scale, ticks: Sequence[float], words: str, left: float, right: float) -> None:
        """Horizontal rules with numbers on their left, and the name of the axis above."""
        for tick in ticks:
            y = scale(tick)
            self.line((left, right), (y, y), "grid")
            self.text(left - 6, y + 4, tick_text(tick), "tick end")
        self.text(left, scale.last - 10, words, "axis")

    def share_axis(self, scale: Scale, ticks: Sequence[float], words: str, left: float, right: float) -> None:
        """The same in per cent."""
        for tick in ticks:
            y = scale(tick)
            self.line((left, right), (y, y), "grid")
            self.text(left - 6, y + 4, f"{tick_text(round(100 * tick, 6))}\u202f%", "tick end")
        self.text(left, scale.last - 10, words, "axis")

    def alpha_axis(self, scale: Scale, ticks: Sequence[float], y: float) -> None:
        """The axis of strengths, from strong to weak."""
        self.line((scale.first, scale.last), (y, y), "base")
        reached = -1e9
        for tick in sorted(ticks, reverse=True):
            x, word = scale(tick), tick_text(tick)
            if not scale.first - 1 <= x <= scale.last + 1 or x - reached < text_width(word) + 8:
                continue
            reached = x
            self.line((x, x), (y, y + 4), "base")
            self.text(x, y + 17, word, "tick mid")
        words = "penalty strength \u03b1: strong \u2192 weak"
        self.text(0.5 * (scale.first + scale.last), y + 35, words, "axis mid")


def apart(wanted: Sequence[float], spacing: float, low: float, high: float) -> list[float]:
    """Positions nearest to the wanted ones, in their order, at least `spacing` apart and from `low` to `high`.

    Least squares by pooling neighbours that are too close. Where the space does not suffice they go on below `high`.
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    pools: list[tuple[float, int]] = []  # means and sizes of runs, in coordinates in which neighbours may coincide
    for k, place in enumerate(order):
        mean, size = wanted[place] - k * spacing, 1
        while pools and pools[-1][0] > mean:
            other, n = pools.pop()
            mean, size = (mean * size + other * n) / (size + n), size + n
        pools.append((mean, size))
    ceiling = max(low, high - (len(wanted) - 1) * spacing)
    starts = [min(max(mean, low), ceiling) for mean, size in pools for _ in range(size)]
    found = [0.0] * len(wanted)
    for k, place in enumerate(order):
        found[place] = starts[k] + k * spacing
    return found

"""`ComparisonDisplay`: the weights that two models disagree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from sparsereg.plot.figure import BLUE, FAINT, ORANGE, as_frame, axes_of
from sparsereg.report.html.elements import shortened

__all__ = ["ComparisonDisplay"]

_NAME = 44


class ComparisonDisplay:
    """The largest changes of weights between two models: a line from the first weight to the second.

    Parameters
    ----------
    names : sequence of two str
    changes : sequence of dict
        With ``column``, ``first``, ``second``, as `ModelComparison.changes` has them.
    title : str, default=""

    Attributes
    ----------
    figure_, ax_ : of matplotlib, after `plot`
    lines_ : LineCollection
    points_ : list of two PathCollection
        The weights of the first and the second model.
    labels_ : list of Text
        The names of the columns.

    Examples
    --------
    >>> from sparsereg import ComparisonDisplay
    >>> changes = [{"column": "hour=6", "first": -10.0, "second": -8.5}]
    >>> display = ComparisonDisplay(names=("May", "June"), changes=changes).plot()
    >>> display.points_[1].get_offsets().tolist()
    [[-8.5, 0.0]]
    """

    def __init__(self, *, names: Sequence[str], changes: Sequence[Mapping[str, Any]], title: str = "") -> None:
        self.names = tuple(names)
        self.changes = list(changes)
        self.title = title

    @classmethod
    def from_comparison(cls, comparison: Any) -> Self:
        """The display of a `ModelComparison`, whose verdict is the title."""
        return cls(names=comparison.names, changes=comparison.changes, title=comparison.verdict)

    def frame(self) -> Any:
        """What is drawn, as a pandas DataFrame."""
        return as_frame({key: [row[key] for row in self.changes] for key in ("column", "first", "second")})

    def plot(
        self, ax: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the lines, and for the names of the columns.

        Returns
        -------
        ComparisonDisplay
            Itself.
        """
        (ax,) = axes_of(ax, size=(8.0, 1.2 + 0.3 * len(self.changes)))
        places = np.arange(len(self.changes))
        first, second = (np.array([row[key] for row in self.changes], dtype=float) for key in ("first", "second"))
        self.lines_ = ax.hlines(places, first, second, **({"color": FAINT, "zorder": 1} | dict(line_kw or {})))
        pairs = zip((first, second), (ORANGE, BLUE), self.names, strict=True)
        self.points_ = [
            ax.scatter(values, places, s=28, color=color, label=name, zorder=2) for values, color, name in pairs
        ]
        ax.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
        options = {"parse_math": False} | dict(label_kw or {})
        ax.set_yticks(places, [shortened(str(row["column"]), _NAME) for row in self.changes], **options)
        self.labels_ = ax.get_yticklabels()
        if not ax.yaxis_inverted():
            ax.invert_yaxis()
        ax.set_xlabel("weight")
        ax.set_title(self.title, loc="left", parse_math=False)
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

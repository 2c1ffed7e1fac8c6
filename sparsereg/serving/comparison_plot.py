"""`ComparisonDisplay`: the weights that two models disagree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from sparsereg.serving.comparison import ModelComparison
from sparsereg.serving.comparison_text import shortened

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
    def from_comparison(cls, comparison: ModelComparison) -> Self:
        """The display of a comparison, whose verdict is the title."""
        return cls(names=comparison.names, changes=comparison.changes, title=comparison.verdict)

    def frame(self) -> Any:
        """What is drawn, as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.changes, columns=["column", "first", "second", "change"])

    def plot(self, ax: Any = None, *, line_kw: Mapping[str, Any] | None = None) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            None makes a figure.
        line_kw : dict, optional
            Passed to ``hlines``.

        Returns
        -------
        ComparisonDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(8, 1.2 + 0.3 * len(self.changes)), layout="constrained")
        places = np.arange(len(self.changes))
        first, second = (np.array([row[key] for row in self.changes], dtype=float) for key in ("first", "second"))
        self.lines_ = ax.hlines(places, first, second, **({"color": "0.6", "zorder": 1} | dict(line_kw or {})))
        self.points_ = [
            ax.scatter(first, places, s=28, color="#8a4b08", label=self.names[0], zorder=2),
            ax.scatter(second, places, s=28, color="#1f5fa8", label=self.names[1], zorder=2),
        ]
        ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        # A dollar sign would begin a formula.
        labels = [shortened(str(row["column"]), _NAME).replace("$", r"\$") for row in self.changes]
        ax.set_yticks(places, labels)
        ax.invert_yaxis()
        ax.set_xlabel("weight")
        ax.set_title(self.title.replace("$", r"\$"), loc="left")
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

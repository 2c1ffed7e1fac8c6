"""`BlockSurvivalDisplay` and `ColumnsDisplay`: bars by field and cross, and by column, from a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sparsereg.plot.figure import BLUE, GREY, ORANGE, as_frame, axes_of
from sparsereg.report.html.elements import shortened

if TYPE_CHECKING:
    from sparsereg.report.report import SparsityReport

__all__ = ["BlockSurvivalDisplay", "ColumnsDisplay"]


class BlockSurvivalDisplay:
    """The share of its columns that each field and cross keeps.

    Parameters
    ----------
    names : sequence of m str
    kept, observed : sequence of m int
        Columns with a coefficient, and columns.

    Attributes
    ----------
    figure_, ax_ : of matplotlib, after `plot`
    bars_ : BarContainer

    Examples
    --------
    >>> from sparsereg.plot import BlockSurvivalDisplay
    >>> display = BlockSurvivalDisplay(names=["hour", "hour x day"], kept=[20, 3], observed=[24, 168])
    >>> round(float(display.plot().bars_[0].get_width()), 3)
    0.833
    """

    def __init__(self, *, names: Sequence[str], kept: Sequence[int], observed: Sequence[int]) -> None:
        self.names, self.kept, self.observed = list(names), list(kept), list(observed)

    @classmethod
    def from_report(cls, report: SparsityReport) -> Self:
        """The fields and crosses of a report.

        Raises
        ------
        ValueError
            If the report knows none: make it with a `FeatureCross`.
        """
        if not report.blocks:
            raise ValueError("report knows no fields and crosses; make it with the FeatureCross that made X.")
        names, kept, observed = (
            [block[name] for block in report.blocks] for name in ("label", "n_nonzero", "n_observed")
        )
        return cls(names=names, kept=kept, observed=observed)

    def plot(
        self, ax: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the bars, and for the numbers beside them.

        Returns
        -------
        BlockSurvivalDisplay
            Itself.
        """
        (ax,) = axes_of(ax, size=(7.0, 0.8 + 0.3 * len(self.names)))
        self.ax_, self.figure_ = ax, ax.figure
        shares = np.array(self.kept) / np.maximum(np.array(self.observed), 1)
        at = np.arange(len(self.names))
        self.bars_ = ax.barh(at, shares, **({"color": BLUE, "height": 0.6} | dict(line_kw or {})))
        words = [f" {kept:,} of {all_:,}" for kept, all_ in zip(self.kept, self.observed, strict=True)]
        self.labels_ = ax.bar_label(self.bars_, words, **({"fontsize": 8, "color": GREY} | dict(label_kw or {})))
        ax.set_yticks(at, [shortened(name, 40) for name in self.names], parse_math=False)
        ax.invert_yaxis()
        ax.set(xlabel="share of the columns kept", xlim=(0, max(1e-12, shares.max(initial=0.0)) * 1.25))
        return self

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a field or cross."""
        return as_frame({"name": self.names, "kept": self.kept, "observed": self.observed})


class ColumnsDisplay:
    """The first columns of a report: their weights, and the rows behind them.

    Parameters
    ----------
    names : sequence of m str
    weights : sequence of m float
    rows : sequence of m (int or None), optional

    Attributes
    ----------
    figure_, ax_ : of matplotlib, after `plot`
    bars_ : BarContainer
    labels_ : list of Text
        The names, with the rows.

    Examples
    --------
    >>> from sparsereg.plot import ColumnsDisplay
    >>> display = ColumnsDisplay(names=["hour 6", "carrier EV"], weights=[-11.7, 8.1], rows=[22823, 45941]).plot()
    >>> [label.get_text() for label in display.labels_]
    ['hour 6 (22,823 rows)', 'carrier EV (45,941 rows)']
    """

    def __init__(
        self, *, names: Sequence[str], weights: Sequence[float], rows: Sequence[int | None] | None = None
    ) -> None:
        self.names, self.weights = list(names), [float(weight) for weight in weights]
        self.rows: list[int | None] = [None] * len(self.names) if rows is None else list(rows)

    @classmethod
    def from_report(cls, report: SparsityReport, top: int = 20) -> Self:
        """The first `top` columns of a report, in its rank."""
        names, weights, rows = (
            [row[name] for row in report.columns[:top]] for name in ("label", "coefficient", "rows")
        )
        return cls(names=names, weights=weights, rows=rows)

    @classmethod
    def from_estimator(cls, estimator: Any, cross: Any = None, *, top: int = 20, **options: Any) -> Self:
        """The first columns of an estimator, Pipeline or Model; `options` as in `SparsityReport.from_estimator`."""
        from sparsereg.report.report import SparsityReport

        return cls.from_report(SparsityReport.from_estimator(estimator, cross, top=top, **options), top)

    def plot(
        self, ax: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw the bars, the first column on top.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the bars, and for their names.

        Returns
        -------
        ColumnsDisplay
            Itself.
        """
        (ax,) = axes_of(ax, size=(7.0, 0.8 + 0.27 * len(self.names)))
        self.ax_, self.figure_ = ax, ax.figure
        at = np.arange(len(self.names))
        colors = [ORANGE if weight > 0 else BLUE for weight in self.weights]
        self.bars_ = ax.barh(at, self.weights, **({"color": colors, "height": 0.6} | dict(line_kw or {})))
        words = [
            shortened(name, 48) + ("" if rows is None else f" ({rows:,} row{'s' * (rows != 1)})")
            for name, rows in zip(self.names, self.rows, strict=True)
        ]
        ax.set_yticks(at, words, **({"fontsize": 8, "parse_math": False} | dict(label_kw or {})))
        self.labels_ = ax.get_yticklabels()
        ax.invert_yaxis()
        ax.vlines(0.0, 0, 1, transform=ax.get_xaxis_transform(), colors=GREY, lw=0.8)
        ax.set_xlabel("weight")
        return self

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a column."""
        return as_frame({"name": self.names, "weight": self.weights, "rows": self.rows})

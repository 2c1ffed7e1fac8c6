"""`CalibrationByStrengthDisplay`: whether predictions mean what they say, at several strengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sparsereg.data.validation import check_vector, check_weights
from sparsereg.plot.figure import BLUE, GREY, as_frame, axes_of
from sparsereg.report.held_out import tenths

if TYPE_CHECKING:
    from sparsereg.report.report import SparsityReport

__all__ = ["CalibrationByStrengthDisplay"]


class CalibrationByStrengthDisplay:
    """Mean observation against mean prediction in tenths of the rows, a panel a strength.

    Parameters
    ----------
    panels : dict of str to list of dict
        Of each tenth ``predicted``, ``observed`` and ``rows``.

    Attributes
    ----------
    figure_, axes_ : of matplotlib, after `plot`
    points_ : list of PathCollection
    diagonals_ : list of Line2D

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg.plot import CalibrationByStrengthDisplay
    >>> y = np.arange(100.0)
    >>> display = CalibrationByStrengthDisplay.from_predictions(y, {"right": y, "too strong": 0.5 * y + 25})
    >>> display.panels["right"][0]
    {'predicted': 4.5, 'observed': 4.5, 'rows': 10}
    """

    def __init__(self, *, panels: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self.panels = {name: [dict(row) for row in rows] for name, rows in panels.items()}

    @classmethod
    def from_predictions(cls, y: Any, predictions: Mapping[str, Any], *, sample_weight: Any = None) -> Self:
        """Predictions of several models for the same rows.

        Parameters
        ----------
        y : array of shape (n,)
            Observations; 0 and 1 for two classes.
        predictions : dict of str to array of shape (n,)
            Of each model, such as too strong, chosen, too weak; probabilities for two classes.
        sample_weight : array of shape (n,), optional

        Raises
        ------
        ValueError
            If lengths differ, or values are not finite.
        """
        y = np.asarray(y, dtype=np.float64).ravel()
        s = check_weights(sample_weight, y.size)
        observed = check_vector("y", y, y.size)
        return cls(
            panels={
                name: tenths(check_vector(f"predictions[{name!r}]", part, y.size, "rows of y"), observed, s)
                for name, part in predictions.items()
            }
        )

    @classmethod
    def from_report(cls, report: SparsityReport) -> Self:
        """The panels of a report: of its held-out rows, or else of the rows of the fit.

        Raises
        ------
        ValueError
            If the report was made without rows.
        """
        if not report.panels:
            raise ValueError("report has no calibration; make it with X_val and y_val, or X and y.")
        return cls(panels={panel["name"]: panel.get("held") or panel["train"] for panel in report.panels})

    def plot(
        self, axes: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw a panel beside another.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, one a model, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the marks, and for the names.

        Returns
        -------
        CalibrationByStrengthDisplay
            Itself.
        """
        n = len(self.panels)
        self.axes_ = axes_of(axes, (1, n), (3.0 * n + 0.6, 3.9), sharex=True, sharey=True)
        self.figure_, self.points_, self.diagonals_ = self.axes_[0].figure, [], []
        values = [row[key] for rows in self.panels.values() for row in rows for key in ("predicted", "observed")]
        ends = [min(values, default=0.0), max(values, default=1.0)]
        for ax, (name, rows) in zip(self.axes_, self.panels.items(), strict=True):
            self.diagonals_ += ax.plot(ends, ends, color=GREY, lw=0.9, ls="dashed")
            x, y = ([row[key] for row in rows] for key in ("predicted", "observed"))
            self.points_.append(ax.scatter(x, y, **({"s": 22, "color": BLUE, "zorder": 3} | dict(line_kw or {}))))
            ax.set_title(name, loc="left", parse_math=False, **({"fontsize": 9} | dict(label_kw or {})))
            ax.set_xlabel("predicted")
            ax.set_aspect("equal", adjustable="box")
        self.axes_[0].set_ylabel("observed")
        return self

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a tenth of a panel."""
        rows = [(name, row) for name, part in self.panels.items() for row in part]
        return as_frame(
            {"name": [name for name, _ in rows]}
            | {key: [row[key] for _, row in rows] for key in ("predicted", "observed", "rows")}
        )

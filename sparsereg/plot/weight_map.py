"""`WeightMapDisplay`: weights by two ordered columns of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sparsereg.data.validation import check_number
from sparsereg.plot.figure import as_frame, axes_of
from sparsereg.report.weight_map import weight_map

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.results import PathResult

__all__ = ["WeightMapDisplay"]


class WeightMapDisplay:
    """The sum of all weights made of two binned columns, by cell.

    Parameters
    ----------
    cells : array of shape (m, 5)
        Bounds x0, x1, y0, y1 and value of each cell.
    x, y : str
        Names of the two fields.

    Attributes
    ----------
    figure_, ax_ : of matplotlib, after `plot`
    mesh_ : PolyCollection
    colorbar_ : Colorbar

    Examples
    --------
    >>> from sparsereg.plot import WeightMapDisplay
    >>> display = WeightMapDisplay(cells=[[0, 1, 0, 1, 2.0], [1, 2, 0, 1, -1.0]], x="lon", y="lat").plot()
    >>> display.mesh_.get_array().tolist()
    [2.0, -1.0]
    """

    def __init__(self, *, cells: Any, x: str, y: str) -> None:
        self.cells, self.x, self.y = np.asarray(cells, dtype=np.float64)[:, :5], x, y

    @classmethod
    def from_path(
        cls,
        path: PathResult,
        cross: FeatureCross,
        k: int = -1,
        *,
        fields: tuple[str, str] | None = None,
        output: int = 0,
    ) -> Self:
        """The weights of a point of a path, less their mean over the rows of the fit.

        Parameters
        ----------
        path : PathResult
        cross : FeatureCross
            What made X.
        k : int, default=-1
            The point.
        fields : tuple of two str, optional
            A cross of two binned fields. Default: the finest of those that keep a column.
        output : int, default=0
            Whose coefficients, if the path has several outputs.

        Raises
        ------
        ValueError
            If there is no such cross.
        """
        n_points = path.alphas.size
        check_number("k", k, low=-n_points, high=n_points - 1, integer=True)
        found = weight_map(cross, *path.point(k, output), fields)
        if found is None:
            raise ValueError(f"no cross of two binned fields keeps a column at point {k}; choose another, or fields.")
        cells = np.array(found["cells"])
        cells[:, 4] -= np.average(cells[:, 4], weights=np.maximum(cells[:, 5], 1e-300))
        return cls(cells=cells, x=found["x"], y=found["y"])

    def plot(
        self, ax: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw the cells, blue below and orange above 0.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the cells, and for the names of the axes.

        Returns
        -------
        WeightMapDisplay
            Itself.
        """
        (ax,) = axes_of(ax, size=(6.4, 5.6))
        from matplotlib.collections import PolyCollection
        from matplotlib.colors import LinearSegmentedColormap

        self.ax_, self.figure_ = ax, ax.figure
        x0, x1, y0, y1, value = self.cells.T
        corners = np.stack([np.stack([x0, x1, x1, x0], axis=1), np.stack([y0, y0, y1, y1], axis=1)], axis=2)
        limit = float(np.quantile(np.abs(value), 0.98)) if value.size else 0.0
        diverging = LinearSegmentedColormap.from_list(
            "blue-orange", ["#0b3c6b", "#4b90c4", "#dedbd3", "#dd8a45", "#742f03"]
        )
        options: dict[str, Any] = {"cmap": diverging, "edgecolors": "none"} | dict(line_kw or {})
        self.mesh_ = PolyCollection(list(corners), array=value, **options)
        self.mesh_.set_clim(-(limit or 1.0), limit or 1.0)
        ax.add_collection(self.mesh_)
        ax.autoscale_view()
        words = dict(label_kw or {})
        ax.set_xlabel(self.x, parse_math=False, **words)
        ax.set_ylabel(self.y, parse_math=False, **words)
        if self.y.lower().startswith("lat") and abs(y0.mean()) < 80:
            ax.set_aspect(1.0 / math.cos(math.radians(float(y0.mean()))))
        self.colorbar_ = self.figure_.colorbar(
            self.mesh_, ax=ax, label="sum of the weights, around the mean", shrink=0.8, extend="both"
        )
        return self

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a cell."""
        return as_frame(dict(zip(("x0", "x1", "y0", "y1", "value"), self.cells.T, strict=True)))

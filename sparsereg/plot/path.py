"""`RegularizationPathDisplay`: coefficients along a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.validation import check_choice, check_number
from sparsereg.plot.figure import FAINT, GREY, GROUPS, as_frame, axes_of, margin_names, mark_points, strength_axis
from sparsereg.report.columns import RANKS, RankedColumns
from sparsereg.report.evidence import Evidence
from sparsereg.report.samples import Sample

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.results import PathResult

__all__ = ["RegularizationPathDisplay"]

X_AXES = {"alpha": "alpha", "deviance": "deviance explained", "l1_norm": "l1 norm", "active": "active columns"}


class RegularizationPathDisplay:
    """Coefficients along a path: the first ones with their names at the margin, others as thin lines.

    Parameters
    ----------
    x : array of shape (k,)
        Where each point is drawn.
    lines : array of shape (m, k)
    names : sequence of m str
    groups : sequence of m int, optional
        Lines of one group have one colour. Default: all the same.
    faint : array of shape (f, k), optional
    point, one_se : int, optional
        The described point, and the one-standard-error point.
    x_kind : {"alpha", "deviance", "l1_norm", "active"}, default="alpha"
        What x is.

    Attributes
    ----------
    figure_, ax_ : of matplotlib, after `plot`
    lines_, faint_lines_ : list of Line2D
    labels_ : list of Annotation
    point_line_, one_se_line_ : LineCollection, or None

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import regularization_path
    >>> from sparsereg.plot import RegularizationPathDisplay
    >>> path = regularization_path(np.eye(4), [1.0, 2.0, 3.0, 5.0], alphas=5)
    >>> display = RegularizationPathDisplay.from_path(path, top=2)
    >>> display.names
    ['column 3', 'column 0']
    >>> len(display.plot().lines_)
    2
    """

    def __init__(
        self,
        *,
        x: Any,
        lines: Any,
        names: Sequence[str],
        groups: Sequence[int] | None = None,
        faint: Any = None,
        point: int | None = None,
        one_se: int | None = None,
        x_kind: str = "alpha",
    ) -> None:
        self.x = np.asarray(x, dtype=np.float64)
        self.lines = np.asarray(lines, dtype=np.float64).reshape(-1, self.x.size)
        self.names = list(names)
        self.groups = [1] * len(self.names) if groups is None else list(groups)
        self.faint = np.empty((0, self.x.size)) if faint is None else np.asarray(faint, dtype=np.float64)
        self.point, self.one_se, self.x_kind = point, one_se, x_kind

    @classmethod
    def from_path(
        cls,
        path: PathResult,
        cross: FeatureCross | None = None,
        k: int = -1,
        *,
        names: Callable[[NDArray[np.int64]], Sequence[str]] | None = None,
        top: int = 12,
        faint: int = 40,
        rank: str = "influence",
        x: str = "alpha",
        X: Any = None,
        y: Any = None,
        one_se: int | None = None,
        output: int = 0,
    ) -> Self:
        """The first columns of a path.

        Parameters
        ----------
        path : PathResult
        cross : FeatureCross, optional
            What made X: names the columns and counts their rows.
        k : int, default=-1
            The point by which columns are ranked, and which is marked.
        names : callable, optional
            From an array of column numbers to names, in place of those of the cross.
        top, faint : int, default=12 and 40
            How many columns have names, and how many more are drawn as thin lines.
        rank : {"influence", "weight", "peak"}, default="influence"
            By the absolute coefficient times the standard deviation of the column, where cross or X tell it; by the
            absolute coefficient; or by the largest one at any point.
        x : {"alpha", "deviance", "l1_norm", "active"}, default="alpha"
            The horizontal axis.
        X, y : optional
            The rows of the fit, for the deviations of columns that no cross has counted.
        one_se : int, optional
            A second point to mark.
        output : int, default=0
            Whose coefficients, if the path has several outputs.

        Raises
        ------
        ValueError
            If an argument does not fit the path.
        """
        check_choice("x", x, tuple(X_AXES))
        check_choice("rank", rank, (*RANKS, "peak"))
        for name, value in (("top", top), ("faint", faint)):
            check_number(name, value, low=0, integer=True)
        n_points = path.alphas.size
        point = int(check_number("k", k, low=-n_points, high=n_points - 1, integer=True)) % n_points
        evidence = Evidence(point)
        if X is not None:
            evidence = Evidence.of_columns(
                path.point(point, output), cross, point, Sample.of("X", X, y, None, path, output)
            )
        coefs = path.outputs[output]
        ranked = RankedColumns.at(coefs, point, evidence, cross, None, {})
        if rank == "peak":
            columns, _ = path.largest(top + faint, output)
        else:
            order = ranked.order(rank if ranked.has_influence else "weight")
            columns = ranked.columns[order[: top + faint]]
        values = ranked.values(columns)
        words, groups = ranked.words(columns[:top])
        if names is not None:
            words = [str(name) for name in names(columns[:top])]
        return cls(
            x=_positions(path, x, output), lines=values[:top], names=words, groups=groups, faint=values[top:],
            point=point, one_se=one_se, x_kind=x,
        )  # fmt: skip

    @classmethod
    def from_estimator(cls, estimator: Any, **options: Any) -> Self:
        """The path of a loaded `Model`, or of an estimator that validated one (`LassoCV`, `ElasticNetCV`).

        Parameters
        ----------
        estimator : Model, LassoCV or ElasticNetCV
        **options
            As in `from_path`.

        Raises
        ------
        ValueError
            If it holds no path.
        """
        if hasattr(estimator, "path") and hasattr(estimator, "point"):
            return cls.from_path(estimator.path, estimator.cross, estimator.point, **options)
        validation = getattr(estimator, "validation_", None)
        if validation is None:
            raise ValueError(
                f"estimator={type(estimator).__name__} holds no path; pass a Model, a LassoCV, or use from_path."
            )
        return cls.from_path(validation.path, k=validation.k, **options)

    def plot(
        self,
        ax: Any = None,
        *,
        line_kw: Mapping[str, Any] | None = None,
        label_kw: Mapping[str, Any] | None = None,
    ) -> Self:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For `Axes.plot` of the named lines, and for their names.

        Returns
        -------
        RegularizationPathDisplay
            Itself.
        """
        (ax,) = axes_of(ax)
        self.ax_, self.figure_ = ax, ax.figure
        self.faint_lines_ = [ax.plot(self.x, line, color=FAINT, lw=0.6, zorder=1)[0] for line in self.faint]
        colors = [GROUPS[group % len(GROUPS)] for group in self.groups]
        options = {"lw": 1.5, "zorder": 2} | dict(line_kw or {})
        self.lines_ = [
            ax.plot(self.x, line, **({"color": color, "label": name} | options))[0]
            for line, name, color in zip(self.lines, self.names, colors, strict=True)
        ]
        ax.hlines(0.0, 0, 1, transform=ax.get_yaxis_transform(), colors=GREY, lw=0.8)
        if self.x_kind == "alpha":
            strength_axis(ax, self.x)
        else:
            ax.set_xlim(self.x.min(), max(self.x.max(), self.x.min() + 1e-12))
            ax.set_xlabel(X_AXES[self.x_kind])
        ax.set_ylabel("coefficient")
        self.point_line_, self.one_se_line_ = mark_points(ax, self.x, self.point, self.one_se)
        last = -1 if self.x_kind == "alpha" else int(np.argmax(self.x))
        self.labels_ = margin_names(ax, self.lines[:, last].tolist(), self.names, colors, label_kw or {})
        return self

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a point, a column a named line."""
        lines = dict(zip(self.names, self.lines, strict=True))
        return as_frame({self.x_kind: self.x} | lines)


def _positions(path: PathResult, x: str, output: int) -> NDArray[np.float64]:
    if x == "alpha":
        return path.alphas
    if x == "deviance":
        if path.deviance_explained is None:
            raise ValueError("x='deviance': this path does not hold the deviance explained; choose another axis.")
        return path.deviance_explained
    if x == "active":
        return path.outputs[output].counts().astype(np.float64)
    points = range(path.alphas.size)
    return np.array([np.abs(path.point(k, output)[1]).sum() for k in points], dtype=np.float64)

"""`PenaltyGeometryDisplay`: the loss of two coefficients, and the penalty's level set that touches it.

The lasso's level set is a diamond: its corners, where one coefficient is 0, are touched often. That of ridge is a ball,
without corners. The elastic net is between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.validation import check_number
from sparsereg.plot.figure import BLUE, GREY, ORANGE, as_frame, axes_of
from sparsereg.report.columns import RankedColumns
from sparsereg.report.evidence import Evidence
from sparsereg.report.samples import Sample, loss_of

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.results import PathResult

__all__ = ["PenaltyGeometryDisplay"]

Vector = NDArray[np.float64]

# Points of the grid on each axis: the loss is computed at each, by a pass over the rows.
GRID = 41


class PenaltyGeometryDisplay:
    """Contours of the loss in two coefficients, with the penalty's level set through the solution.

    All other coefficients stay at the solution; the intercept is at its best everywhere. At the solution the two sets
    touch.

    Parameters
    ----------
    first, second : array of shape (g,)
        Values of the two coefficients.
    loss : array of shape (g, g)
        Mean loss, a row for each value of `second`.
    solution : tuple of two float
    factors, scales : tuple of two float
        Penalty factors of the two, and where columns are standardised their deviations: the penalty is that of
        `scale * w`.
    l1_ratio : float
        1 is the diamond of the lasso, 0 the ball of ridge.
    names : tuple of two str

    Attributes
    ----------
    figure_, ax_ : of matplotlib, after `plot`
    contours_ : QuadContourSet
        Of the loss.
    level_set_ : Line2D
        Of the penalty.
    solution_, unpenalized_ : PathCollection
        The solution, and the least loss on the grid.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import regularization_path
    >>> from sparsereg.plot import PenaltyGeometryDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> path = regularization_path(X, X @ [2.0, 0.5, 0.0], alphas=[1.0])
    >>> display = PenaltyGeometryDisplay.from_path(path, X, X @ [2.0, 0.5, 0.0], columns=(0, 1))
    >>> round(display.solution[0], 1), display.solution[1]
    (1.2, 0.0)
    """

    def __init__(
        self,
        *,
        first: Any,
        second: Any,
        loss: Any,
        solution: tuple[float, float],
        factors: tuple[float, float] = (1.0, 1.0),
        scales: tuple[float, float] = (1.0, 1.0),
        l1_ratio: float = 1.0,
        names: tuple[str, str] = ("w1", "w2"),
    ) -> None:
        self.first, self.second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
        self.loss = np.asarray(loss, dtype=np.float64)
        self.solution, self.factors, self.scales = tuple(solution), tuple(factors), tuple(scales)
        self.l1_ratio, self.names = float(l1_ratio), tuple(names)

    @classmethod
    def from_path(
        cls,
        path: PathResult,
        X: Any,
        y: Any,
        k: int = -1,
        *,
        columns: Sequence[int] | None = None,
        cross: FeatureCross | None = None,
        sample_weight: Any = None,
        output: int = 0,
    ) -> Self:
        """Two coefficients of a point of a path.

        Parameters
        ----------
        path : PathResult
            Of `regularization_path`, which knows its penalty factors.
        X, y, sample_weight
            The rows of the fit.
        k : int, default=-1
            The point.
        columns : sequence of two int, optional
            Default: the two with the largest influence.
        cross : FeatureCross, optional
            Names the columns.
        output : int, default=0
            Whose coefficients, if the path has several outputs.

        Raises
        ------
        ValueError
            If there are no two columns, or the path was fitted with an offset or does not know its penalty.
        """
        settings = path.settings
        if settings is None or settings.get("has_offset"):
            raise ValueError("path: its penalty factors are not known, or it has an offset; fit it here, without one.")
        n_points = path.alphas.size
        k = int(check_number("k", k, low=-n_points, high=n_points - 1, integer=True)) % n_points
        sample = Sample.of("X", X, y, sample_weight, path, output)
        ranked = RankedColumns.at(
            path.outputs[output], k, Evidence.of_columns(path.point(k, output), cross, k, sample), cross, None, {}
        )
        chosen = np.asarray(ranked.columns[ranked.order("influence")[:2]] if columns is None else columns, np.int64)
        if chosen.size != 2 or chosen[0] == chosen[1] or chosen.min() < 0 or chosen.max() >= path.n_features:
            raise ValueError(f"columns={chosen.tolist()}: expected two columns of X; at point {k} name them yourself.")
        w = ranked.values(chosen)[:, k]
        parts = _column(sample.X, int(chosen[0])), _column(sample.X, int(chosen[1]))
        predicted = np.concatenate([z[:, 0] for _, z in sample.predictors(path, [k], output)])
        rest = predicted - w[0] * parts[0] - w[1] * parts[1]
        given = settings["penalty_factor"]
        v = np.ones(2) if given is None else np.asarray(given, dtype=np.float64)[chosen]
        scales = [_deviation(part, sample.weight) if settings["standardize"] else 1.0 for part in parts]
        grid = _Grid(loss_of(path), sample, rest, parts, bool(settings["fit_intercept"]))
        first, second = grid.axes(w)
        words = ranked.words(chosen)[0]
        return cls(
            first=first, second=second, loss=grid.losses(first, second), solution=(float(w[0]), float(w[1])),
            factors=(float(v[0]), float(v[1])), scales=(scales[0], scales[1]), l1_ratio=path.l1_ratio,
            names=(words[0], words[1]),
        )  # fmt: skip

    def penalty(self, first: Any, second: Any) -> Any:
        """The penalty of values of the two coefficients, without alpha."""
        v, u = self.factors
        a, b = self.scales[0] * np.asarray(first), self.scales[1] * np.asarray(second)
        squares = 0.5 * (v * a**2 + u * b**2)
        return self.l1_ratio * (v * np.abs(a) + u * np.abs(b)) + (1.0 - self.l1_ratio) * squares

    def level_set(self, n: int = 721) -> tuple[Vector, Vector]:
        """Points of the level set through the solution: on each ray, where the penalty has the solution's value."""
        level = float(self.penalty(*self.solution))
        angle = np.linspace(0.0, 2.0 * np.pi, n)
        a, b = np.cos(angle), np.sin(angle)
        (v, u), x, y = self.factors, self.scales[0] * a, self.scales[1] * b
        linear = self.l1_ratio * (v * np.abs(x) + u * np.abs(y))
        squares = 0.5 * (1.0 - self.l1_ratio) * (v * x**2 + u * y**2)
        # linear r + squares r^2 = level, by the form of the root that does not cancel
        root = linear + np.sqrt(linear**2 + 4.0 * squares * level)
        radius = np.divide(2.0 * level, root, out=np.zeros_like(root), where=root > 0.0)
        return radius * a, radius * b

    def plot(
        self, ax: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw contours, level set and the two points.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the level set of the penalty, and for the names of the points.

        Returns
        -------
        PenaltyGeometryDisplay
            Itself.
        """
        (ax,) = axes_of(ax, size=(5.4, 5.0))
        self.ax_, self.figure_ = ax, ax.figure
        at_solution = float(np.interp(self.solution[0], self.first, [np.interp(self.solution[1], self.second, column)
                                                                     for column in self.loss.T]))  # fmt: skip
        least, most = float(self.loss.min()), float(self.loss.max())
        step = max(at_solution - least, 1e-3 * (most - least)) or 1.0
        levels = np.unique(least + step * np.array([0.1, 0.35, 1.0, 2.0, 3.5, 5.5, 8.0]))
        self.contours_ = ax.contour(self.first, self.second, self.loss, levels=levels, colors=GREY, linewidths=0.8)
        options = {"color": BLUE, "lw": 1.8} | dict(line_kw or {})
        (self.level_set_,) = ax.plot(*self.level_set(), **options)
        ax.fill(*self.level_set(), color=BLUE, alpha=0.08, lw=0)
        best = np.unravel_index(int(np.argmin(self.loss)), self.loss.shape)
        self.unpenalized_ = ax.scatter(self.first[best[1]], self.second[best[0]], marker="x", color=ORANGE, zorder=3)
        self.solution_ = ax.scatter(*self.solution, color=BLUE, zorder=4, s=36)
        words = {"fontsize": 8, "xytext": (6, 6), "textcoords": "offset points"} | dict(label_kw or {})
        ax.annotate("least loss", (self.first[best[1]], self.second[best[0]]), color=ORANGE, **words)
        ax.annotate("solution", self.solution, color=BLUE, **words)
        ax.hlines(0.0, 0, 1, transform=ax.get_yaxis_transform(), colors=GREY, lw=0.6)
        ax.vlines(0.0, 0, 1, transform=ax.get_xaxis_transform(), colors=GREY, lw=0.6)
        ax.set_xlabel(f"weight of {self.names[0]}", parse_math=False)
        ax.set_ylabel(f"weight of {self.names[1]}", parse_math=False)
        ax.set(xlim=(self.first[0], self.first[-1]), ylim=(self.second[0], self.second[-1]))
        return self

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a point of the grid."""
        a, b = np.meshgrid(self.first, self.second)
        return as_frame({self.names[0]: a.ravel(), self.names[1]: b.ravel(), "loss": self.loss.ravel()})


class _Grid:
    """The mean loss over values of two coefficients."""

    def __init__(self, loss: Any, sample: Sample, rest: Vector, parts: tuple[Vector, Vector], intercept: bool) -> None:
        self.loss, self.sample, self.rest, self.parts, self.intercept = loss, sample, rest, parts, intercept

    def at(self, a: float, b: float) -> float:
        z = self.rest + a * self.parts[0] + b * self.parts[1]
        y, s = self.sample.y, self.sample.weight
        if self.intercept:
            z = z + self.loss.best_intercept(y, z, s)
        return float(self.loss.total(y, z, s)) / (y.size if s is None else float(s.sum()))

    def axes(self, w: Vector) -> tuple[Vector, Vector]:
        """Values around 0, the solution and the least loss, with some room."""
        best, scale = (
            w.astype(np.float64).copy(),
            np.array([_deviation(part, self.sample.weight) for part in self.parts]),
        )
        for _ in range(30):  # coordinate-wise Newton steps by differences: only the range of the picture depends on it
            for j in (0, 1):
                step = 1e-3 / max(scale[j], 1e-12)
                ends = [self.at(*(best + shift * step * np.eye(2)[j])) for shift in (-1, 0, 1)]
                curvature = ends[0] - 2.0 * ends[1] + ends[2]
                best[j] += 0.5 * step * (ends[0] - ends[2]) / curvature if curvature > 0.0 else 0.0
            if not np.isfinite(best).all():
                best = w.astype(np.float64)
                break
        reach = max(np.abs(w).sum(), 1e-9)
        axes = []
        for j in (0, 1):
            low, high = min(-reach, best[j]), max(reach, best[j])
            room = 0.15 * (high - low)
            axes.append(np.linspace(low - room, high + room, GRID))
        return axes[0], axes[1]

    def losses(self, first: Vector, second: Vector) -> Vector:
        return np.array([[self.at(a, b) for a in first.tolist()] for b in second.tolist()])


def _deviation(part: Vector, weight: Vector | None) -> float:
    mean = np.average(part, weights=weight)
    return float(np.sqrt(np.average((part - mean) ** 2, weights=weight)))


def _column(X: Any, column: int) -> Vector:
    part = X[:, [column]]
    return np.ravel(part.toarray() if hasattr(part, "toarray") else part).astype(np.float64)

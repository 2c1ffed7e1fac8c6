"""`CertificateDisplay`: how exact each point is, and which columns that decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sparsereg.plot.figure import BLUE, ORANGE, as_frame, axes_of, strength_axis
from sparsereg.report.decided import count_undecided
from sparsereg.report.samples import Sample

if TYPE_CHECKING:
    from sparsereg.results import PathResult

__all__ = ["CertificateDisplay"]

# Columns are told apart at so many points: two passes over X each.
POINTS = 25


class CertificateDisplay:
    """Relative duality gaps against their limit; shares of columns active, undecided and proved zero.

    Parameters
    ----------
    alphas, gaps : array of shape (k,)
        Gaps relative to the target's mean square.
    tol : float
        The gap asked for.
    active : array of shape (k,)
        Numbers of columns.
    n_columns : int
    undecided : sequence of k (int or None), optional
        Columns that are neither active nor proved zero.

    Attributes
    ----------
    figure_, axes_ : of matplotlib, after `plot`
    gap_points_ : PathCollection
    limit_line_ : LineCollection
    areas_ : list of three PolyCollection
        Active, undecided, proved zero; empty where it is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import regularization_path
    >>> from sparsereg.plot import CertificateDisplay
    >>> X, y = np.eye(6)[:, :4], np.array([1.0, 2.0, 3.0, 5.0, 0.0, 1.0])
    >>> display = CertificateDisplay.from_path(regularization_path(X, y, alphas=[0.3, 0.1], tol=1e-8), X, y)
    >>> display.active.tolist(), display.undecided
    ([1, 3], [0, 0])
    """

    def __init__(self, *, alphas: Any, gaps: Any, tol: float, active: Any, n_columns: int, undecided: Any = None):
        self.alphas, self.gaps = np.asarray(alphas, dtype=np.float64), np.asarray(gaps, dtype=np.float64)
        self.tol, self.active, self.n_columns = float(tol), np.asarray(active), int(n_columns)
        self.undecided = None if undecided is None else list(undecided)

    @classmethod
    def from_path(
        cls,
        path: PathResult,
        X: Any = None,
        y: Any = None,
        *,
        sample_weight: Any = None,
        offset: Any = None,
        output: int = 0,
    ) -> Self:
        """The certificates of a path; with the rows of the fit, also which columns are proved zero.

        Parameters
        ----------
        path : PathResult
        X, y, sample_weight, offset : optional
            The rows of the fit.
        output : int, default=0
            Whose coefficients, if the path has several outputs.

        Raises
        ------
        ValueError
            If the rows are not those of the fit.
        """
        undecided, k = None, path.alphas.size
        if X is not None:
            points = np.unique(np.linspace(0, k - 1, min(k, POINTS)).round().astype(int)).tolist()
            rows = Sample.of("X", X, y, sample_weight, path, output, offset=offset)
            counts = count_undecided(path, rows, points, output)
            if counts is not None:
                known = dict(zip(points, counts, strict=True))
                undecided = [known.get(place) for place in range(k)]
        return cls(
            alphas=path.alphas, gaps=path.dual_gaps / (path.gap_scale or 1.0), tol=path.tol,
            active=path.outputs[output].counts(), n_columns=path.n_features, undecided=undecided,
        )  # fmt: skip

    def plot(
        self, axes: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw gaps above and columns below.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the marks of the gaps, and for the names.

        Returns
        -------
        CertificateDisplay
            Itself.
        """
        upper, lower = self.axes_ = axes_of(axes, (2, 1), (7.0, 5.0), sharex=True)
        self.figure_ = upper.figure
        lowest = max(self.tol * 1e-6, 1e-16)
        shown = np.maximum(np.where(np.isfinite(self.gaps), self.gaps, np.nan), lowest)
        self.gap_points_ = upper.scatter(self.alphas, shown, **({"s": 10, "color": BLUE} | dict(line_kw or {})))
        self.limit_line_ = upper.hlines(
            self.tol, 0, 1, transform=upper.get_yaxis_transform(), colors=ORANGE, linestyles="dashed"
        )
        upper.set(yscale="log", ylabel="relative duality gap")
        self.areas_ = []
        words = {"fontsize": 8} | dict(label_kw or {})
        if self.undecided is not None:
            at = [k for k, count in enumerate(self.undecided) if count is not None]
            active = self.active[at] / self.n_columns
            reached = active + np.array([self.undecided[k] for k in at]) / self.n_columns
            edges = [np.zeros(len(at)), active, reached, np.ones(len(at))]
            names = ("active", "undecided", "proved zero")
            for low, high, color, name in zip(edges, edges[1:], (BLUE, "#d98a4b", "#e9e7e0"), names, strict=False):
                self.areas_.append(lower.fill_between(self.alphas[at], low, high, color=color, lw=0, label=name))
            lower.set(ylim=(0, 1), ylabel="share of the columns")
            lower.legend(loc="upper left", frameon=True, **words)
        for ax in (upper, lower):
            strength_axis(ax, self.alphas)
        upper.set_xlabel("")
        return self

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a strength."""
        parts = {"alpha": self.alphas, "gap": self.gaps, "active": self.active}
        return as_frame(parts | ({} if self.undecided is None else {"undecided": self.undecided}))

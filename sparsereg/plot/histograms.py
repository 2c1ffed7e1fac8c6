"""`WeightHistogramDisplay`: what penalties do to weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from sparsereg.plot.figure import BLUE, GREY, as_frame, axes_of
from sparsereg.report.histograms import BINS

__all__ = ["WeightHistogramDisplay"]


class WeightHistogramDisplay:
    """Histograms of the weights of several models on one axis, with a bar for the exact zeros.

    Parameters
    ----------
    weights : dict of str to array
        Weights of each model that are not 0.
    n_zero : dict of str to int
        Exact zeros of each.

    Attributes
    ----------
    figure_, axes_ : of matplotlib, after `plot`
    bars_ : list of BarContainer
    zero_bars_ : list of BarContainer

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import Lasso, Ridge
    >>> from sparsereg.plot import WeightHistogramDisplay
    >>> X, y = np.eye(6), np.array([1.0, 2.0, 3.0, 5.0, 0.0, 1.0])
    >>> models = {"ridge": Ridge().fit(X, y), "lasso": Lasso(0.2).fit(X, y)}
    >>> WeightHistogramDisplay.from_estimators(models).n_zero
    {'ridge': 0, 'lasso': 3}
    """

    def __init__(self, *, weights: Mapping[str, Any], n_zero: Mapping[str, int]) -> None:
        self.weights = {name: np.asarray(part, dtype=np.float64) for name, part in weights.items()}
        self.n_zero = {name: int(n_zero[name]) for name in self.weights}

    @classmethod
    def from_estimators(cls, estimators: Mapping[str, Any]) -> Self:
        """The weights of fitted estimators, by name: without a penalty, ridge, lasso.

        Raises
        ------
        ValueError
            If one is not fitted.
        """
        weights, n_zero = {}, {}
        for name, estimator in estimators.items():
            coef = getattr(estimator, "sparse_coef_", None)
            if coef is None and (coef := getattr(estimator, "coef_", None)) is None:
                raise ValueError(f"estimators[{name!r}] has no coef_; fit it first.")
            values = coef.data if sp.issparse(coef) else np.ravel(coef)
            weights[name] = values[values != 0.0]
            n_zero[name] = int(np.prod(coef.shape)) - weights[name].size
        return cls(weights=weights, n_zero=n_zero)

    def plot(
        self, axes: Any = None, *, line_kw: Mapping[str, Any] | None = None, label_kw: Mapping[str, Any] | None = None
    ) -> Self:
        """Draw a histogram below another.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, one a model, optional
            Default: a new figure.
        line_kw, label_kw : dict, optional
            For the bars, and for the names.

        Returns
        -------
        WeightHistogramDisplay
            Itself.
        """
        n = len(self.weights)
        self.axes_ = axes_of(axes, (n, 1), (7.0, 1.0 + 1.3 * n), sharex=True, sharey=True)
        self.figure_, self.bars_, self.zero_bars_ = self.axes_[0].figure, [], []
        sizes = [float(np.quantile(np.abs(part), 0.99)) for part in self.weights.values() if part.size]
        limit = max([1e-12, *sizes])
        edges = np.linspace(-limit, limit, BINS + 1)
        words = {"fontsize": 8} | dict(label_kw or {})
        for ax, (name, part) in zip(self.axes_, self.weights.items(), strict=True):
            counts, _ = np.histogram(part, edges)
            options = {"color": GREY, "align": "edge"} | dict(line_kw or {})
            self.bars_.append(ax.bar(edges[:-1], counts, width=np.diff(edges) * 0.9, **options))
            self.zero_bars_.append(ax.bar([0.0], [self.n_zero[name]], width=limit / 90, color=BLUE))
            ax.set_yscale("symlog", linthresh=1)
            ax.set_ylim(bottom=0)
            note = f"{name}: {self.n_zero[name]:,} exactly zero, largest {np.abs(part).max(initial=0.0):.3g}"
            ax.set_title(note, loc="left", parse_math=False, **words)
        self.axes_[-1].set_xlabel("weight")
        self.axes_[n // 2].set_ylabel("columns")
        return self

    def frame(self) -> Any:
        """What is drawn, as a pandas data frame: a row a model."""
        parts = self.weights.values()
        return as_frame(
            {"name": list(self.weights), "n_zero": list(self.n_zero.values()), "n_nonzero": [p.size for p in parts],
             "largest": [np.abs(p).max(initial=0.0) for p in parts], "l1_norm": [np.abs(p).sum() for p in parts]}
        )  # fmt: skip

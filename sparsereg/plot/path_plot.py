"""`plot_path`: a `StrengthDisplay` and a `RegularizationPathDisplay` in one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparsereg.plot.figure import GREY, axes_of, strength_axis
from sparsereg.plot.path import RegularizationPathDisplay

if TYPE_CHECKING:
    from sparsereg.results import PathResult

__all__ = ["plot_path"]


def plot_path(path: PathResult, *, names: Any = None, top: int = 10, axes: Any = None, output: int = 0) -> Any:
    """Draw a path: deviance explained and active columns above, the largest coefficients below, against alpha.

    The displays in `sparsereg.plot` draw more: held-out scores, columns by influence, certificates.

    Parameters
    ----------
    path : PathResult
    names : callable, optional
        From an array of column numbers to their names, such as `FeatureCross.feature_names`; called with the drawn
        columns only. Default: the numbers.
    top : int, default 10
        How many coefficients are drawn: those that are largest in absolute value at any point.
    axes : sequence of two matplotlib Axes, optional
        Where to draw. Default: a new figure.
    output : int, default 0
        Whose coefficients are drawn, if the path has several outputs.

    Returns
    -------
    numpy.ndarray of two matplotlib Axes

    Raises
    ------
    ImportError
        Without matplotlib; the message says what to install.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import plot_path, regularization_path
    >>> path = regularization_path(np.eye(4), [1.0, 2.0, 3.0, 5.0], alphas=5)
    >>> axes = plot_path(path)  # doctest: +SKIP
    """
    upper, lower = axes_of(axes, (2, 1), (7.0, 6.0), sharex=True)
    shown = RegularizationPathDisplay.from_path(
        path, names=names or (lambda columns: [str(j) for j in columns]), top=top, faint=0, rank="peak", output=output
    )
    shown.point = None
    _scores(upper, path)
    shown.plot(lower)
    return np.array([upper, lower])


def _scores(ax: Any, path: PathResult) -> None:
    """Deviance explained, and the active columns on an axis of their own."""
    if path.deviance_explained is not None:
        ax.plot(path.alphas, path.deviance_explained, color="tab:blue")
        ax.set_ylabel("deviance explained", color="tab:blue")
    count = ax.twinx()
    count.fill_between(path.alphas, 0, path.n_nonzero, color=GREY, alpha=0.18, lw=0)
    count.set_ylabel("active columns (area)", color=GREY)
    strength_axis(ax, path.alphas)
    ax.set_xlabel("")

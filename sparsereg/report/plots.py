"""`plot_path`: a path drawn with matplotlib, which the extra `plot` installs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sparsereg.results import PathResult

__all__ = ["plot_path"]


def plot_path(path: PathResult, *, names: Any = None, top: int = 10, axes: Any = None, output: int = 0) -> Any:
    """Draw a path: deviance explained and active columns above, the largest coefficients below, against alpha.

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
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plot_path draws with matplotlib: pip install "sparsereg[plot]"') from error
    if axes is None:
        _, axes = plt.subplots(2, 1, sharex=True, figsize=(7, 6), layout="constrained")
    upper, lower = axes
    if path.deviance_explained is not None:
        upper.plot(path.alphas, path.deviance_explained, color="tab:blue")
        upper.set_ylabel("deviance explained", color="tab:blue")
    count = upper.twinx()
    count.plot(path.alphas, path.n_nonzero, color="tab:gray", linestyle="--")
    count.set_ylabel("active columns (dashed)", color="tab:gray")

    columns, lines = path.largest(top, output)
    labels = [str(j) for j in columns] if names is None else list(names(columns))
    for line, label in zip(lines, labels, strict=True):
        lower.plot(path.alphas, line, label=label)
    lower.set(xscale="log", xlabel="alpha", ylabel=f"the {columns.size} largest coefficients")
    lower.invert_xaxis()
    if columns.size:
        lower.legend(fontsize="x-small", loc="best")
    return np.array([upper, lower])

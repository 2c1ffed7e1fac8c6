"""`plot_path`: a path drawn with matplotlib, which the extra `plot` installs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sparsereg.solvers.path import PathResult

__all__ = ["plot_path"]


def plot_path(path: PathResult, *, names: Any = None, top: int = 10, axes: Any = None) -> Any:
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
    upper.plot(path.alphas, path.deviance_explained, color="tab:blue")
    upper.set_ylabel("deviance explained", color="tab:blue")
    count = upper.twinx()
    count.plot(path.alphas, path.n_nonzero, color="tab:gray", linestyle="--")
    count.set_ylabel("active columns (dashed)", color="tab:gray")

    # Only columns that are active at some point: X may be far wider than memory.
    ever_active, row = np.unique(path.coefs.indices, return_inverse=True)
    lines = np.zeros((ever_active.size, path.alphas.size))
    lines[row, np.repeat(np.arange(path.alphas.size), path.n_nonzero)] = path.coefs.data
    drawn = np.argsort(-np.abs(lines).max(axis=1, initial=0.0))[:top]
    labels = [str(j) for j in ever_active[drawn]] if names is None else list(names(ever_active[drawn]))
    for j, label in zip(drawn, labels, strict=True):
        lower.plot(path.alphas, lines[j], label=label)
    lower.set(xscale="log", xlabel="alpha", ylabel=f"the {drawn.size} largest coefficients")
    lower.invert_xaxis()
    if drawn.size:
        lower.legend(fontsize="x-small", loc="best")
    return np.array([upper, lower])

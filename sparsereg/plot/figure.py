"""What all displays share: axes, colours, strengths from strong to weak, names at the margin, data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.optional import import_optional
from sparsereg.report.html.drawing import apart
from sparsereg.report.html.elements import shortened

__all__ = [
    "BLUE",
    "FAINT",
    "GREY",
    "GROUPS",
    "ORANGE",
    "as_frame",
    "axes_of",
    "margin_names",
    "mark_points",
    "pyplot",
    "strength_axis",
]

BLUE, ORANGE, GREY, FAINT = "#11609c", "#a34a0c", "#55555f", "#c9c7c1"
GROUPS = (GREY, BLUE, ORANGE, "#1d6e46", "#7b3f8f", "#8a6100", "#a02c50")


def pyplot() -> Any:
    """`matplotlib.pyplot`, or an ImportError that says how to get it."""
    return import_optional("matplotlib.pyplot", "plots are drawn with", "plot")


def axes_of(axes: Any, shape: tuple[int, int] = (1, 1), size: tuple[float, float] = (7.0, 4.4), **options: Any) -> Any:
    """The axes given, as a flat array, or those of a new figure.

    Raises
    ------
    ValueError
        If another number of axes is given.
    """
    n = shape[0] * shape[1]
    if axes is None:
        _, axes = pyplot().subplots(*shape, figsize=size, layout="constrained", squeeze=False, **options)
    found = np.ravel(np.asarray(axes, dtype=object))
    if found.size != n:
        raise ValueError(f"axes holds {found.size} axes; expected {n}.")
    pyplot()  # where it is missing, it is said before anything is drawn
    for ax in found:
        ax.spines[["top", "right"]].set_visible(False)
    return found


def strength_axis(ax: Any, alphas: NDArray[np.float64]) -> None:
    """Strengths on a log axis, strong on the left."""
    positive = alphas[alphas > 0.0]
    if positive.size == alphas.size and positive.size:
        ax.set_xscale("log")
    if np.unique(alphas).size > 1:
        ax.set_xlim(alphas.max(), alphas.min())
    ax.set_xlabel("alpha: strong to weak")


def mark_points(ax: Any, x: Sequence[float] | NDArray[np.float64], point: int | None, one_se: int | None) -> list[Any]:
    """Vertical lines at the chosen and at the one-standard-error point; None where there is none."""
    found: list[Any] = []
    for place, style, color in ((point, "solid", BLUE), (one_se if one_se != point else None, "dashed", GREY)):
        if place is None:
            found.append(None)
            continue
        line = ax.vlines(x[place], 0, 1, transform=ax.get_xaxis_transform(), colors=color, linestyles=style, lw=1.2)
        found.append(line)
    return found


def margin_names(
    ax: Any, ends: Sequence[float], names: Sequence[str], colors: Sequence[Any], options: Mapping[str, Any]
) -> list[Any]:
    """Names to the right of the axes, at the ends of lines, pushed apart and tied to them by thin lines."""
    if not len(ends):
        return []
    size = float(options.get("fontsize", 8))
    height = ax.get_window_extent().height * 72.0 / ax.figure.dpi  # in points
    low, high = ax.get_ylim()
    shares = [(end - low) / ((high - low) or 1.0) for end in ends]
    placed = apart(shares, 1.5 * size / max(height, 1.0), 0.0, 1.0)
    found = []
    for share, at, name, color in zip(shares, placed, names, colors, strict=True):
        arrow = {"arrowstyle": "-", "color": color, "lw": 0.6, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}
        found.append(
            ax.annotate(
                shortened(name, 32), (1.0, share), (1.03, at), xycoords="axes fraction", textcoords="axes fraction",
                va="center", color=color, arrowprops=arrow, annotation_clip=False,
                **({"fontsize": size, "parse_math": False} | dict(options)),
            )
        )  # fmt: skip
    return found


def as_frame(columns: Mapping[str, Any]) -> Any:
    """The data of a display as a pandas data frame."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("frame needs pandas: pip install pandas.") from error
    return pd.DataFrame(dict(columns))

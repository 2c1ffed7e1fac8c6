"""A figure of measurements: how far ahead of, or behind, the fastest rival each package is, by workload."""

from __future__ import annotations

from pathlib import Path

import rivals
import table

COLOURS = ("tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:olive", "tab:cyan")


def draw(rows: list[table.Row], path: Path) -> None:
    """Write the figure: one panel a problem, one line a workload, one mark a package, on a log scale."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "sparsereg"
    problems = table.groups([row for row in rows if "ratio" in row], table.PROBLEM).values()
    if not problems:
        return
    heights = [1.6 + 0.32 * len({row["workload"] for row in members}) for members in problems]
    figure, panels = plt.subplots(
        len(problems), 1, figsize=(8, sum(heights)), squeeze=False, height_ratios=heights, layout="constrained"
    )
    for members, axes in zip(problems, panels[:, 0], strict=True):
        _panel(axes, members)
    temporary = path.with_suffix(".tmp")
    # No date in it: the same rows give the same file.
    figure.savefig(temporary, format=path.suffix[1:], metadata={"Date": None} if path.suffix == ".svg" else None)
    temporary.replace(path)
    plt.close(figure)


def _panel(axes, members: list[table.Row]) -> None:
    others = [name for name in rivals.names(str(members[0]["task"])) if not name.startswith("sparsereg")]
    workloads = list(dict.fromkeys(row["workload"] for row in members))[::-1]
    for rival in dict.fromkeys(str(row["rival"]) for row in members):
        own = [row for row in members if row["rival"] == rival]
        places = [workloads.index(row["workload"]) for row in own]
        ratios = [row["ratio"] for row in own]
        if table.is_ours(own[0]):
            filled = {} if rival == "sparsereg" else {"facecolors": "none", "edgecolors": "tab:blue"}
            axes.scatter(ratios, places, s=70, label=rival, zorder=3, color=(filled and None) or "tab:blue", **filled)
            if rival == "sparsereg":
                for ratio, place in zip(ratios, places, strict=True):
                    axes.annotate(f"{ratio:.1f}", (ratio, place), (8, -3), textcoords="offset points", fontsize=8)
        else:
            axes.scatter(ratios, places, s=22, label=rival, color=COLOURS[others.index(rival) % len(COLOURS)])
    axes.axvline(1.0, color="0.6", linewidth=1)
    axes.set(
        xscale="log", xlabel="times as fast as the fastest rival", yticks=range(len(workloads)), yticklabels=workloads
    )
    axes.margins(x=0.12, y=0.4 / len(workloads))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_title(table.problem(members[0]), fontsize=9, loc="left")
    axes.grid(axis="x", which="both", color="0.9")
    axes.set_axisbelow(True)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)

"""Command: CPU time of a path against the active columns at its end, and a point's against the gap that is asked for.

A workload's path, 20 strengths a decade, ends deeper and deeper; one CSV and one figure. Knows nothing of rivals.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM")})

import click
import depth
import files
import growth
import workloads

from sparsereg import regularization_path

FIELDS = ("against", "workload", "size", "cpu_seconds", "exponent", "remark", "active", "points", "eps", "tol", "gap")
# Where paths end, as powers of ten of alpha_max; the gaps are asked for at SHALLOW and DEEP.
ENDS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0)
SHALLOW, DEEP = 2.0, 3.0
GAPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10)
# Paths that take less are measured REPEATS times, and the least counts.
SHORT, REPEATS = 2.0, 5


def measure(workload: str, end: float, tol: float) -> dict[str, object]:
    """The CPU seconds of a path to 10**-end times alpha_max, and what it came to."""
    X, y = workloads.load(workload)
    eps, seconds = 10.0**-end, []
    while len(seconds) < (REPEATS if min(seconds, default=0.0) < SHORT else 1):
        start = time.process_time()
        path = regularization_path(X, y, alphas=depth.n_points(eps), eps=eps, tol=tol)
        seconds.append(time.process_time() - start)
    gap = float((path.dual_gaps / path.gap_scale).max())
    found = {"workload": workload, "cpu_seconds": min(seconds), "active": int(path.n_nonzero[-1])}
    return found | {"points": len(path.alphas), "eps": eps, "tol": tol, "gap": gap}


def draw(rows: list[dict[str, object]], path: Path) -> None:
    """Both curves side by side."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "sparsereg"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    curves = dict.fromkeys((row["workload"], row["against"]) for row in rows)
    for workload, against in curves:
        own = [row for row in rows if (row["workload"], row["against"]) == (workload, against)]
        if against == "active":
            left.plot([row["active"] for row in own], [row["cpu_seconds"] for row in own], "o-", label=workload)
            continue
        points = [row["cpu_seconds"] / row["points"] for row in own]
        right.plot([row["tol"] for row in own], points, "o-", label=f"{workload}, {own[-1]['active']:,} active")
    left.set(
        xscale="log", yscale="log", xlabel="active columns at the end of the path", ylabel="CPU seconds of the path"
    )
    right.set(xscale="log", yscale="log", xlabel="relative gap asked of every point", ylabel="CPU seconds a point")
    right.invert_xaxis()
    for axes in (left, right):
        axes.grid(color="0.9")
        axes.legend(fontsize=8)
    growth.save(figure, path)


@click.command(context_settings={"show_default": True})
@click.option("--workloads", "names", default="flights,retail,crosses,latlon", help="Comma-separated.")
@click.option("--tol", default=1e-3, type=click.FloatRange(0, min_open=True), help="Gap along the depth.")
@click.option(
    "--out",
    default=growth.RESULTS / "growth-deep.csv",
    type=click.Path(dir_okay=False, path_type=Path),
    help=".svg beside it.",
)
def main(names: str, tol: float, out: Path) -> None:
    """End a path deeper and deeper, then ask smaller and smaller gaps of it, and see how the time grows."""
    rows: list[dict[str, object]] = []
    for workload in names.split(","):
        asked = [("active", end, tol) for end in ENDS]
        asked += [(f"gap to 1e-{end:g}", end, gap) for end in (SHALLOW, DEEP) for gap in GAPS]
        for against, end, gap in asked:
            row = measure(workload, end, gap)
            size = row["active"] if against == "active" else round(1.0 / gap)
            rows.append({"against": against, "size": size} | row)
            if len(rows) > 1 and rows[-2]["workload"] == workload:
                growth.add_exponents(rows[-2:])
            print(*(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
            files.write_csv(rows, out, FIELDS)
    draw(rows, out.with_suffix(".svg"))


if __name__ == "__main__":
    main()

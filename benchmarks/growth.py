"""Command: CPU time of a path against rows, columns, entries, points and active columns, each doubled around one base.

One plot and a CSV; every doubling's exponent is reported, and those above 1.3 are marked. Knows nothing of rivals.
"""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.update({f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM")})

import click
import files
import numpy as np
import synthetic

from sparsereg import regularization_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"
FIELDS = ("against", "size", "cpu_seconds", "exponent", "remark", "rows", "columns", "entries", "points", "active")
# log2 of the time's ratio over a doubling: 1 is proportional; above this, a curve bends upward and is to be explained.
BENDS = 1.3
FACTORS = (1 / 4, 1 / 2, 1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Base:
    """A workload of one-hot fields with Zipf-distributed levels, and how it is solved.

    The levels are shared out over the fields, so that the number of fields changes the entries and hardly the columns.
    """

    rows: int = 200_000
    levels: int = 200_000
    fields: int = 8
    points: int = 50
    effects: int = 100


def with_size(against: str, factor: float) -> Base:
    """The base with one of its sizes multiplied."""
    name = {"columns": "levels", "entries": "fields", "active": "effects"}.get(against, against)
    return replace(Base(), **{name: round(getattr(Base(), name) * factor)})


def data(base: Base) -> tuple:
    """One-hot X, and y from `effects` of its heaviest columns, as long as each other in X w, and noise."""
    rng = np.random.default_rng(0)
    width = base.levels // base.fields
    X = synthetic.one_hot([synthetic.zipf_levels(rng, base.rows, width, 1.0) for _ in range(base.fields)])
    heaviest = np.argsort(-X.sum(axis=0), kind="stable")[: base.effects]
    w = np.zeros(X.shape[1])
    # The lighter a column, the larger its effect: all of them matter.
    w[heaviest] = rng.choice([-1.0, 1.0], base.effects) / np.sqrt(X.sum(axis=0)[heaviest] / base.rows)
    signal = X @ w
    return X, signal + 0.5 * signal.std() * rng.standard_normal(base.rows)


def measure(against: str, factor: float, repeats: int) -> dict[str, object]:
    """The least CPU seconds of some calls, and every size as it came out."""
    base = with_size(against, factor)
    X, y = data(base)
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        path = regularization_path(X, y, alphas=base.points)
        seconds.append(time.process_time() - start)
    if not path.certified.all():
        raise click.ClickException(f"{against} x {factor:g}: not every point is certified")
    sizes = {"rows": X.shape[0], "columns": X.shape[1], "entries": X.nnz, "points": base.points}
    sizes["active"] = int(path.n_nonzero[-1])
    return {"against": against, "size": sizes[against], "cpu_seconds": min(seconds), **sizes}


def add_exponents(rows: list[dict[str, object]]) -> None:
    """Set `exponent`, the slope from the row before on log scales, and mark the steep ones."""
    for before, row in pairwise(rows):
        if before["against"] != row["against"] or before["size"] == row["size"]:
            continue
        slope = math.log(row["cpu_seconds"] / before["cpu_seconds"]) / math.log(row["size"] / before["size"])
        row["exponent"] = round(slope, 2)
        row["remark"] = "bends upward" if slope > BENDS else ""


def draw(rows: list[dict[str, object]], path: Path) -> None:
    """All curves in one plot, each against the multiple of its base's size."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "sparsereg"
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for against in dict.fromkeys(row["against"] for row in rows):
        own = [row for row in rows if row["against"] == against]
        base = next(row["size"] for row, factor in zip(own, FACTORS, strict=True) if factor == 1)
        axes.plot(
            [row["size"] / base for row in own],
            [row["cpu_seconds"] for row in own],
            "o-",
            label=f"{against} ({base:,})",
        )
    middle = next(row["cpu_seconds"] for row, factor in zip(rows, FACTORS, strict=False) if factor == 1)
    axes.plot(FACTORS, [middle * factor for factor in FACTORS], color="0.6", linestyle=":", label="proportional")
    axes.set(xscale="log", yscale="log", xlabel="size, in multiples of the base's", ylabel="CPU seconds of a path")
    axes.set_xticks(FACTORS, [f"{factor:g}" for factor in FACTORS], minor=False)
    axes.minorticks_off()
    axes.grid(color="0.9")
    axes.legend(fontsize=8, title="against (base)")
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure, replacing the file at once."""
    temporary = path.with_suffix(".tmp")
    figure.savefig(temporary, format=path.suffix[1:], metadata={"Date": None} if path.suffix == ".svg" else None)
    temporary.replace(path)


@click.command(context_settings={"show_default": True})
@click.option("--against", default="rows,columns,entries,points,active", help="Comma-separated sizes to double.")
@click.option("--repeats", default=5, type=click.IntRange(1), help="Calls, of which the least time counts.")
@click.option(
    "--out", default=RESULTS / "growth.csv", type=click.Path(dir_okay=False, path_type=Path), help=".svg beside it."
)
def main(against: str, repeats: int, out: Path) -> None:
    """Double one size after the other and see how the time grows."""
    rows: list[dict[str, object]] = []
    for name in against.split(","):
        for factor in FACTORS:
            rows.append(measure(name, factor, repeats))
            add_exponents(rows)
            row = rows[-1]
            slope = f"exponent {row['exponent']:5.2f} {row['remark']}" if "exponent" in row else ""
            print(f"{name:8} {row['size']:>9,}  {row['cpu_seconds']:7.3f} s  {slope}", flush=True)
    files.write_csv(rows, out, FIELDS)
    draw(rows, out.with_suffix(".svg"))


if __name__ == "__main__":
    main()

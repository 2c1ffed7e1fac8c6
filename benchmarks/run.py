"""Command: measure rivals on workloads at equal certified gap, print the table, write the CSV.

Knows how to start, watch and end the measuring processes; what is measured in them is in measure.py.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from itertools import product
from pathlib import Path

import click
import psutil
import rivals
import table
import workloads
from measure import Spec, measure
from rich.console import Console

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM", "BLIS", "RAYON")

# Loading, converting, compiling and certifying are not what is measured, but nothing may hang for ever.
PATIENCE = 1800.0

FIELDS = [
    *("workload", "task", "l1_ratio", "intercept", "gap", "rival", "version", "status", "seconds", "seconds_min"),
    *("timed", "ratio", "tol", "worst_gap", "median_gap", "share_reached", "certified", "nonzero_last"),
    *("objective_last", "passes", "pass_seconds", "pass_by", "peak_mb", "input_mb", "n_rows", "n_columns"),
    *("points", "eps", "detail", "python", "numpy", "scipy", "cpu", "cores", "system", "when"),
]


def run_one(spec: Spec, time_limit: float, console: Console) -> dict[str, object]:
    """Measure in a process of its own; whatever happens there, a row comes back."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    handle, log = tempfile.mkstemp(suffix=".log")
    os.close(handle)
    child = context.Process(target=measure, args=(spec, there, log), daemon=False)
    child.start()
    there.close()
    text, limited, row = "starting", False, {}
    try:
        with console.status("") as status:
            while True:
                status.update(f"{spec.workload} {spec.task} {spec.rival}: {text}")
                if not here.poll(time_limit if limited else PATIENCE):
                    return row | {"status": "time limit" if limited else "hangs", "detail": text}
                try:
                    message = here.recv()
                except EOFError:
                    child.join()
                    detail = f"{text}; exit code {child.exitcode}; {_last_line(log)}"
                    return row | {"status": "crashed", "detail": detail}
                if message[0] == "row":
                    return message[1]
                _, text, limited, row = message
    finally:
        _end(child)
        Path(log).unlink(missing_ok=True)


def _last_line(log: str) -> str:
    lines = Path(log).read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no output"


def _end(child: multiprocessing.process.BaseProcess) -> None:
    """End the child and what it started."""
    child.join(timeout=2)
    if child.is_alive():
        family = psutil.Process(child.pid).children(recursive=True)
        child.kill()
        for member in family:
            member.kill()
        child.join()


def machine() -> dict[str, object]:
    """What a figure depends on besides the rival."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "when": time.strftime("%Y-%m-%d"),
    }


def write_csv(rows: list[dict[str, object]], path: Path) -> None:
    """Write the rows; the file is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(path.suffix + ".tmp")
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows({key: _short(value) for key, value in row.items()} for row in rows)
    os.replace(temporary, path)


def _short(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def failed(row: dict[str, object]) -> bool:
    """Whether a row is sparsereg's and shows anything but a certified answer (a missing data file is not its fault)."""
    if not str(row["rival"]).startswith("sparsereg") or row["status"] == "no data":
        return False
    return row["status"] != "ok" or row["certified"] is not True


def smoke_specs(chosen: list[str]) -> list[Spec]:
    """Every rival once, at a loose gap, on the smallest crosses; sparsereg on every tiny workload, path and fit."""
    specs = [Spec("smoke_crosses", rival, gap=1e-2, repeats=1, points=20) for rival in chosen]
    if "sparsereg" in chosen:
        grid = product(workloads.SMOKE_WORKLOADS, ("path", "fit"), (1.0, 0.5))
        specs += [Spec(w, "sparsereg", task, ratio, repeats=1, points=20) for w, task, ratio in grid]
    return specs


def _names(_context: click.Context, parameter: click.Parameter, value: str) -> list[str]:
    """Split a comma-separated list and check it against what there is; "all" is everything."""
    every = {"workload_names": [*workloads.WORKLOADS], "rival_names": [*rivals.RIVALS], "tasks": ["path", "fit"]}
    known = every[parameter.name]
    names = known if value == "all" else value.split(",")
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r} is unknown; choose from {', '.join(known)}, or all")
    return names


def _numbers(_context: click.Context, _parameter: click.Parameter, value: str) -> list[float]:
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a comma-separated list of numbers") from None
    if not all(0 < number <= 1 for number in numbers):
        raise click.BadParameter(f"{value!r}: every number must lie in (0, 1]")
    return numbers


@click.command(context_settings={"show_default": True})
@click.option("--workloads", "workload_names", default="all", help="Comma-separated names, or all.", callback=_names)
@click.option("--rivals", "rival_names", default="all", help="Comma-separated names, or all.", callback=_names)
@click.option("--tasks", default="path", help="path, fit (one cold fit at alpha_max / 50), or all.", callback=_names)
@click.option("--gap", default="1e-4", help="Relative gap every point must reach; or a list.", callback=_numbers)
@click.option("--l1-ratio", default="1.0", help="Share of the l1 penalty; or a list.", callback=_numbers)
@click.option("--repeats", default=5, type=click.IntRange(1), help="Timed calls, after a first when >= 3.")
@click.option("--intercept/--no-intercept", default=True, help="Without: y is centred beforehand.")
@click.option("--points", default=100, type=click.IntRange(1), help="Strengths on the path.")
@click.option("--time-limit", default=300.0, type=click.FloatRange(0, min_open=True), help="Seconds for any one call.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="CSV file to write.")
@click.option("--smoke", is_flag=True, help="Tiny workloads, everything in under 30 seconds.")
def main(workload_names, rival_names, tasks, gap, l1_ratio, intercept, repeats, points, time_limit, out, smoke) -> None:
    """Time rivals on workloads, one thread each, at equal duality gap recomputed from the coefficients they return.

    Ends with status 1 when sparsereg fails on anything or its certificate does not hold.
    """
    # Read by the libraries of the measuring processes when they start.
    os.environ.update({f"{name}_NUM_THREADS": "1" for name in THREADS})
    console = Console(width=None if sys.stdout.isatty() else 140)
    if smoke:
        specs, time_limit = smoke_specs(rival_names), min(time_limit, 20.0)
    else:
        grid = product(gap, l1_ratio, tasks, workload_names, rival_names)
        specs = [Spec(w, r, task, ratio, intercept, g, repeats, points) for g, ratio, task, w, r in grid]
    surroundings, rows = machine(), []
    for spec in specs:
        row = {**spec.__dict__, **run_one(spec, time_limit, console), **surroundings}
        del row["repeats"]
        row.setdefault("certified", None)
        rows.append(row)
        table.add_ratios(rows)
        console.print(table.line(row))
        sys.stdout.flush()
        if out:
            write_csv(rows, out.with_suffix(".partial.csv.tmp"))
    table.show(rows, console)
    if out:
        write_csv(rows, out)
        out.with_suffix(".partial.csv.tmp").unlink()
    sys.exit(any(failed(row) for row in rows))


if __name__ == "__main__":
    main()

"""Command: measure rivals on workloads at equal certified quality; CSV, tables and figure are made of the same rows.

Knows in which order processes measure and whose rows are kept; what happens in a process is in measure.py.
"""

from __future__ import annotations

import os
import platform
import shlex
import signal
import sys
import time
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from itertools import product
from pathlib import Path

import click
import depth
import files
import logistic
import rivals
import table
import tasks
import variants
import workloads
from child import Child
from rich.console import Console
from tasks import Spec

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM", "BLIS", "RAYON")
TASKS = ("path", "fit", "ridge", "logistic", "logistic-fit")
# Outcomes that another try on the same machine with the same versions would repeat.
FINAL = ("ok", "not reached", "time limit")

Row = table.Row


def machine() -> dict[str, str]:
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
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "when": time.strftime("%Y-%m-%d"),
    }


@cache
def installed(task: str, rival: str) -> str | None:
    """The version of a rival; None when it is missing."""
    try:
        return rivals.load_for(task, rival).version()
    except (ImportError, FileNotFoundError):
        return None


def identity(row: Row) -> tuple:
    """The problem that a row is about, and whose it is."""
    return tuple(row[key] for key in (*table.GROUP, "rival"))


def still_holds(row: Row, time_limit: float, here: dict[str, str]) -> bool:
    """Whether an earlier row need not be measured again: a rival's that came to an end, of the same version and
    machine.

    A rival that is missing here keeps the row that it got where it was there.
    """
    if table.is_ours(row) or row["status"] not in FINAL:
        return False
    found = installed(str(row["task"]), str(row["rival"]))
    if found is None:
        return True
    same = all(str(row.get(key)) == here[key] for key in ("python", "numpy", "scipy", "cpu"))
    patient = row["status"] != "time limit" or row.get("time_limit", 0.0) >= time_limit
    return same and patient and row.get("version") == found


class Runner:
    """Measures the specs of one problem after the other.

    Parameters
    ----------
    rows : list of Row
        Rows of earlier runs that hold; those of this run join them.
    repeats : int
        Timed calls of sparsereg and the rivals in question, in turns; 0 leaves it at the call that found the tolerance.
    close : float
        Rivals slower than so many times the fastest are not called again.
    time_limit : float
        Seconds for any one call.
    """

    def __init__(self, rows: list[Row], repeats: int, close: float, time_limit: float, console: Console) -> None:
        self.rows, self.repeats, self.close, self.time_limit = rows, repeats, close, time_limit
        self.console, self.machine = console, machine()

    def measure(self, specs: list[Spec]) -> None:
        """All rivals once; then, in turns, those that the ratio is about."""
        contenders: list[tuple[Child, Row]] = []
        try:
            with self.console.status("") as status:
                for spec in specs:
                    if self._take_easier(spec):
                        continue
                    spec = replace(spec, loosest=self._loosest(spec))
                    contenders.append((Child(spec, self.time_limit, status.update), self._new_row(spec)))
                    self._search(*contenders[-1])
                    contenders = self._still_in_it(contenders)
                for _ in range(self.repeats):
                    for child, row in contenders:
                        if row["status"] == "ok":
                            _update(row, child.again())
        finally:
            for child, _ in contenders:
                child.end()
        for _, row in contenders if self.repeats else []:
            self.console.print(table.line(row))

    def _new_row(self, spec: Spec) -> Row:
        """A row of what is asked, and where, in place of an earlier one of its kind."""
        asked = {key: value for key, value in vars(spec).items() if key != "loosest"}
        self.rows[:] = [row for row in self.rows if identity(row) != identity(asked)]
        self.rows.append(asked | {"time_limit": self.time_limit, "status": "running"} | self.machine)
        return self.rows[-1]

    def _search(self, child: Child, row: Row) -> None:
        """The first stage of a child: which tolerance it takes."""
        _update(row, child.row())
        self.console.print(table.line(row))

    def _still_in_it(self, contenders: list[tuple[Child, Row]]) -> list[tuple[Child, Row]]:
        """Ours, and the rivals close to the fastest so far; the others' processes end."""
        problem = identity(contenders[0][1])[:-1]
        rivals = [row for row in self.rows if identity(row)[:-1] == problem and not table.is_ours(row)]
        fastest = min((row["seconds"] for row in rivals if row["status"] == "ok"), default=float("inf"))
        kept = []
        for child, row in contenders:
            if row["status"] == "ok" and (table.is_ours(row) or row["seconds"] <= self.close * fastest):
                kept.append((child, row))
            else:
                child.end()
        return kept

    def _easier(self, spec: Spec) -> Row:
        """The row of the same rival where least more was allowed, if there is one that holds."""
        kind = [key for key in (*table.GROUP, "rival") if key != "required"]
        rows = [row for row in self.rows if row["required"] > spec.required and self._holds(row)]
        rows = [row for row in rows if all(row[key] == getattr(spec, key) for key in kind)]
        return min(rows, key=lambda row: row["required"], default={})

    def _loosest(self, spec: Spec) -> float:
        """The tolerance to begin with: the one that sufficed in an earlier run, or where least more was allowed."""
        same = [
            row
            for row in self.rows
            if identity(row) == identity(vars(spec)) and self._holds(row) and row["status"] == "ok"
        ]
        return next((row["tol"] for row in (*same, self._easier(spec)) if "tol" in row), float("inf"))

    def _holds(self, row: Row) -> bool:
        return still_holds(row, self.time_limit, self.machine)

    def _take_easier(self, spec: Spec) -> bool:
        """Who did not get there where less was required will not now."""
        easier = self._easier(spec)
        if easier.get("status") not in ("not reached", "time limit"):
            return False
        row = self._new_row(spec)
        row.update({key: value for key, value in easier.items() if key not in {"share_reached", *row}})
        row.update(status=easier["status"], detail=f"already at {easier['required']:.0e}", elapsed=0.0)
        self.console.print(table.line(row))
        return True


def _update(row: Row, news: Row) -> None:
    elapsed = row.get("elapsed", 0.0) + news["elapsed"]
    row.update({key: value for key, value in news.items() if value is not None}, elapsed=elapsed)


def earlier_rows(out: Path) -> list[Row]:
    """What an earlier run left in the file."""
    rows = files.read_csv(out)
    if rows and set(rows[0]) != set(table.FIELDS):
        raise click.UsageError(f"--out {out} holds other columns than a run writes; name another file, or delete it")
    return [table.from_text(row) for row in rows]


def write(rows: list[Row], out: Path) -> None:
    """The CSV, and beside it the Markdown."""
    files.write_csv(rows, out, tuple(table.FIELDS))
    files.write_text(table.markdown(rows, f"python {shlex.join(sys.argv)}"), out.with_suffix(".md"))


def draw(rows: list[Row], path: Path, console: Console) -> None:
    """The figure beside the CSV, where it can be drawn."""
    try:
        import figure

        figure.draw(rows, path)
    except ImportError as error:
        console.print(f"NO FIGURE: {error}; pip install matplotlib, and run the same command: what is measured stays")


def measure_all(runner: Runner, specs: list[Spec], again: bool, out: Path | None) -> None:
    """Problem by problem, writing what there is after each, and saying how long the rest may take."""
    known = {identity(row): row for row in runner.rows}
    problems: dict[tuple, list[Spec]] = {}
    for spec in specs:
        row = known.get(identity(vars(spec)))
        kept = row is not None and still_holds(row, runner.time_limit, runner.machine)
        if not kept or (again and row["status"] == "ok"):
            problems.setdefault(identity(vars(spec))[:-1], []).append(spec)
    to_do = [spec for members in problems.values() for spec in members]
    runner.console.print(
        f"{len(to_do)} rows to measure in {len(problems)} problems; {len(specs) - len(to_do)} rows are kept"
    )
    took = [row["elapsed"] for row in (known.get(identity(vars(spec)), {}) for spec in to_do) if "elapsed" in row]
    if took:
        minutes = sum(took) / len(took) * len(to_do) / 60
        runner.console.print(f"about {minutes:.0f} min, as {len(took)} of them took {sum(took) / 60:.0f} min before\n")
    began = time.monotonic()
    for done, members in enumerate(problems.values(), 1):
        runner.measure(members)
        table.add_ratios(runner.rows)
        if out:
            write(runner.rows, out)
        left = (time.monotonic() - began) / done * (len(problems) - done)
        runner.console.print(f"{done} of {len(problems)} problems; about {left / 60:.0f} min left\n")
        sys.stdout.flush()


def failed(row: Row) -> bool:
    """Whether a row is sparsereg's and shows anything but a certified answer (a missing data file is not its fault)."""
    if not table.is_ours(row) or row["status"] == "no data":
        return False
    return row["status"] != "ok" or row.get("certified") is not True


def smoke_specs(chosen: list[str]) -> list[Spec]:
    """Every rival once, at a loose requirement, on the smallest crosses; sparsereg on every tiny workload."""
    specs = [Spec("smoke_crosses", r, required=1e-2, points=20) for r in rivals.names("path") if r in chosen]
    ridge = {"task": "ridge", "l1_ratio": 0.0, "alpha": 1.0, "points": 1}
    specs += [Spec("smoke_crosses", r, required=1e-3, **ridge) for r in rivals.names("ridge") if r in chosen]
    if "sparsereg" in chosen:
        for name in workloads.SMOKE_WORKLOADS:
            specs += [Spec(name, "sparsereg", points=20), Spec(name, "sparsereg", "fit", 0.5, points=1)]
            specs.append(Spec(name, "sparsereg", required=1e-6, **ridge))
    return specs


def all_specs(options: dict) -> list[Spec]:
    """The grid that was asked for, workload by workload; what is required grows, so that searches can go on from
    there."""
    specs = []
    for workload, task in product(options["workload_names"], options["tasks"]):
        chosen = [name for name in rivals.names(task) if name in options["rival_names"]]
        intercept, points = options["intercept"], (options["points"] or 100) if task in tasks.PATHS else 1
        if task == "ridge":
            grid = product(options["alphas"], sorted(options["gradients"], reverse=True), chosen)
            specs += [Spec(workload, r, task, 0.0, a, intercept, required, points) for a, required, r in grid]
            continue
        gaps = sorted(options["gaps"], reverse=True)
        for ratio, variant, gap in product(options["l1_ratios"], options["variants"], gaps):
            problem = Spec(workload, "", task, ratio, 0.0, intercept, gap, points, variant=variant)
            if options["to"] and task in (*tasks.PATHS, "logistic-fit"):
                problem = _deeper(problem, options["to"], options["by"], options["points"])
            specs += [replace(problem, rival=rival) for rival in chosen]
    return specs


def _deeper(problem: Spec, to: str, by: str, points: int | None) -> Spec:
    """The path to another end, on four fifths of the rows."""
    if problem.task == "logistic-fit":
        return replace(problem, eps=float(to))
    asked = (problem.workload, problem.l1_ratio, problem.intercept, problem.variant)
    find = depth.held_out_end if problem.task == "path" else logistic.held_out_end
    end = find(*asked) if to == "held-out" else float(to)
    return replace(problem, eps=end, points=points or depth.n_points(end), by=by, held_out=True)


def _end(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """A share of alpha_max, or "held-out"."""
    if value not in (None, "held-out"):
        _numbers(_context, _parameter, value)
    return value


def _names(_context: click.Context, parameter: click.Parameter, value: str) -> list[str]:
    """Split a comma-separated list and check it against what there is; "all" is everything."""
    every_rival = list(dict.fromkeys(name for task in TASKS for name in rivals.names(task)))
    every = {"workload_names": [*workloads.WORKLOADS], "rival_names": every_rival, "tasks": [*TASKS]}
    every["variants"] = [*variants.VARIANTS]
    known = every[parameter.name]
    names = known if value == "all" else value.split(",")
    for name in names:
        if name not in known and not (parameter.name == "workload_names" and name in workloads.ASKED_FOR):
            raise click.BadParameter(f"{name!r} is unknown; choose from {', '.join(known)}, or all")
    return names


def _numbers(_context: click.Context, parameter: click.Parameter, value: str) -> list[float]:
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a comma-separated list of numbers") from None
    largest = float("inf") if parameter.name == "alphas" else 1.0
    if not all(0 < number <= largest for number in numbers):
        raise click.BadParameter(f"{value!r}: every number must be positive, and at most {largest:g}")
    return numbers


@click.command(context_settings={"show_default": True})
@click.option("--workloads", "workload_names", default="all", help="Comma-separated names, or all.", callback=_names)
@click.option("--rivals", "rival_names", default="all", help="Comma-separated names, or all.", callback=_names)
@click.option("--tasks", default="path", help=f"{', '.join(TASKS)}, or all.", callback=_names)
@click.option("--gaps", default="1e-4", help="Relative gaps that every point must reach.", callback=_numbers)
@click.option("--l1-ratios", default="1.0", help="Shares of the l1 penalty.", callback=_numbers)
@click.option("--variants", default="plain", help=f"{', '.join(variants.VARIANTS)}, or all.", callback=_names)
@click.option("--alphas", default="1,100", help="Strengths of ridge, on the unnormalised sum.", callback=_numbers)
@click.option("--gradients", default="1e-6", help="Relative gradients that ridge must reach.", callback=_numbers)
@click.option("--points", type=click.IntRange(2), help="Strengths on the path. Default: 100, with --to 20 a decade.")
@click.option("--to", callback=_end, help="End of the path as a share of alpha_max, or held-out: where R2 turns there.")
@click.option("--by", type=click.Choice(["gap", "suboptimality"]), default="gap", help="What --gaps bound, with --to.")
@click.option("--intercept/--no-intercept", default=True, help="Without: y is centred beforehand.")
@click.option(
    "--repeats", default=5, type=click.IntRange(0), help="Timed calls of sparsereg and the fastest, in turns."
)
@click.option("--close", default=1.5, type=click.FloatRange(1), help="So many times the fastest is repeated too.")
@click.option("--time-limit", default=300.0, type=click.FloatRange(0, min_open=True), help="CPU seconds a call.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="CSV; .md and .svg go beside it.")
@click.option("--again", is_flag=True, help="Measure anew what --out already holds, at the same tolerances.")
@click.option("--smoke", is_flag=True, help="Tiny workloads, everything in under a minute.")
def main(smoke: bool, out: Path | None, again: bool, repeats: int, close: float, time_limit: float, **options) -> None:
    """Time rivals on workloads, one thread each, at equal quality recomputed from the coefficients they return.

    Ends with status 1 when sparsereg fails on anything or its certificate does not hold.
    """
    # Ended from outside, it still ends the measuring processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Read by the libraries of the measuring processes when they start.
    os.environ.update({f"{name}_NUM_THREADS": "1" for name in THREADS})
    console = Console(width=None if sys.stdout.isatty() else 160)
    if smoke:
        specs, repeats, time_limit = smoke_specs(options["rival_names"]), min(repeats, 1), min(time_limit, 20.0)
    else:
        specs = all_specs(options)
    runner = Runner(earlier_rows(out) if out else [], repeats, close, time_limit, console)
    measure_all(runner, specs, again, out)
    table.show(runner.rows, console)
    if out:
        draw(runner.rows, out.with_suffix(".svg"), console)
    asked = {identity(vars(spec)) for spec in specs}
    sys.exit(any(failed(row) for row in runner.rows if identity(row) in asked))


if __name__ == "__main__":
    main()

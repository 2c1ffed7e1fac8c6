"""Command: count the instructions of three small paths under callgrind and compare them with the committed figures.

Counts repeat where seconds do not. They are counted by part: our compiled kernels, and everything else a path runs
through (interpreter, numpy, scipy). Each part depends on who made it (the compiler; the versions of Python and numpy)
and is compared with a figure of the same maker only. Where there is none, that is said, and `--update` adds one.

Knows nothing of rivals.
"""

from __future__ import annotations

import ctypes
import gc
import math
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click
import files
import numpy as np
import scipy
import synthetic
import workloads

COMMITTED = Path(__file__).parent / "results" / "instructions.csv"
FIELDS = ("workload", "part", "maker", "instructions", "points", "nonzero_last")

# Slower by more than this share fails; faster by more asks for new figures, so that the gain is kept.
CHANGE = 0.10
POINTS = 100

# One for each kind of storage: all ones, valued, dense.
WORKLOADS: dict[str, Callable[[], workloads.Data]] = {
    "crosses": lambda: synthetic.crosses(20_000, (400, 120, 40, 15, 5), seed=1),
    "text": lambda: synthetic.text(4_000, 8_000, 30, seed=3),
    "wide": lambda: synthetic.wide(60, 2_000, seed=4),
}

# The two requests to callgrind that surround what is counted: loading and imports run uncounted, and fast.
SWITCH = """
#include <valgrind/callgrind.h>
void start(void) { CALLGRIND_START_INSTRUMENTATION; }
void stop(void) { CALLGRIND_STOP_INSTRUMENTATION; }
"""

Row = dict[str, str]


def solve(name: str, switch: str) -> None:
    """Run in a process under callgrind: one path, between start and stop."""
    from sparsereg import regularization_path

    X, y = WORKLOADS[name]()
    on_off = ctypes.CDLL(switch)
    regularization_path(X[:50], y[:50], alphas=2)  # imports on first use are not counted
    gc.collect()
    gc.disable()
    on_off.start()
    path = regularization_path(X, y, alphas=POINTS)
    on_off.stop()
    if not path.certified.all():
        raise SystemExit(f"{name}: not every point is certified")
    print(path.n_nonzero[-1])


def count(name: str, folder: Path) -> tuple[Counter[str], str]:
    """Instructions by object file, and the non-zeros of the last point."""
    switch, out = folder / "switch.so", folder / f"{name}.out"
    if not switch.exists():
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
        source = folder / "switch.c"
        source.write_text(SWITCH)
        subprocess.run([*compiler, "-shared", "-fPIC", "-o", str(switch), str(source)], check=True)
    options = ["--instr-atstart=no", "--dump-line=no", "--compress-strings=no", "--compress-pos=no"]
    command = ["valgrind", "--tool=callgrind", *options, f"--callgrind-out-file={out}"]
    command += [sys.executable, __file__, "--solve", name, "--switch", str(switch)]
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    environment = os.environ | threads | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{name} under valgrind ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return by_object(out.read_text()), done.stdout.split()[-1]


def by_object(profile: str) -> Counter[str]:
    """Instructions spent in each object file itself, from callgrind's output (uncompressed, one position a line)."""
    spent: Counter[str] = Counter()
    where, inclusive = "", False
    for line in profile.splitlines():
        if line.startswith("ob="):
            where = line[3:]
        elif line.startswith("calls="):
            inclusive = True  # the line that follows is what the callee and all below it cost
        elif line[:1].isdigit():
            if not inclusive:
                spent[where] += int(line.split()[1])
            inclusive = False
    return spent


def parts(spent: Counter[str]) -> dict[str, int]:
    """Instructions in our kernels (with their binding), in all else, and in sum."""
    ours = sum(n for where, n in spent.items() if Path(where).name.startswith("kernels."))
    if not ours:
        raise click.ClickException("callgrind saw no instruction of sparsereg/_core/kernels: was it built here?")
    return {"kernels": ours, "everything else": spent.total() - ours, "total": spent.total()}


def makers() -> dict[str, str]:
    """What made each part, as far as its count depends on it. The compiler is the one that the kernels carry a stamp
    of."""
    from sparsereg._core import kernels

    stamp = re.search(rb"(GCC): \([^)]*\) (\d+)\.|(clang) version (\d+)\.", Path(kernels.__file__).read_bytes())
    compiler = " ".join(part.decode().lower() for part in stamp.groups() if part) if stamp else "unknown compiler"
    kernels = f"{compiler} {platform.machine()}"
    versions = {"Python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
    others = " ".join(f"{name} {'.'.join(version.split('.')[:2])}" for name, version in versions.items())
    return {"kernels": kernels, "everything else": others, "total": f"{kernels} {others}"}


def compare(now: Row, before: Row | None) -> tuple[str, float]:
    """A figure beside the committed one of the same maker, in words, and the share it is larger by (nan: no such
    figure)."""
    count = f"{now['workload']:8} {now['part']:16} {int(now['instructions']) / 1e6:8.1f} million  {now['maker']}"
    if before is None:
        return f"{count}: NOT COMPARED, no figure of this maker is committed", math.nan
    change = int(now["instructions"]) / int(before["instructions"]) - 1
    return f"{count}: {change:+.1%}", change


def verdict(workload: str, changes: dict[str, float]) -> list[str]:
    """What fails: judged by the total, as work may move between the parts, or by the parts where the total is
    unknown."""
    judged = {"total": changes["total"]} if not math.isnan(changes["total"]) else changes
    said = []
    for part, change in judged.items():
        if change > CHANGE:
            said.append(f"{workload}: {part} is SLOWER by more than {CHANGE:.0%}")
        elif change < -CHANGE:
            said.append(f"{workload}: {part} is faster by more than {CHANGE:.0%}; keep the gain: run with --update")
    return said


def missing() -> str | None:
    """Why nothing can be counted here, if so."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed (on Debian and Ubuntu: apt-get install valgrind)"
    return None


@click.command()
@click.option("--update", is_flag=True, help="Write the figures of this machine's makers in place of theirs.")
@click.option("--solve", "name", hidden=True)
@click.option("--switch", hidden=True)
def main(update: bool, name: str | None, switch: str | None) -> None:
    """Fail when a path needs over 10% more instructions than committed, and ask for an update when 10% fewer."""
    if name and switch:
        return solve(name, switch)
    if reason := missing():
        print(f"{'!' * 100}\nINSTRUCTIONS WERE NOT COUNTED, SO NO SLOWDOWN WAS LOOKED FOR: {reason}\n{'!' * 100}")
        return None
    committed = {(row["workload"], row["part"], row["maker"]): row for row in files.read_csv(COMMITTED)}
    known, made_by, failing = len(committed), makers(), []
    with tempfile.TemporaryDirectory() as folder:
        for workload in WORKLOADS:
            spent, nonzero = count(workload, Path(folder))
            changes = {}
            for part, instructions in parts(spent).items():
                cells = (workload, part, made_by[part], str(instructions), str(POINTS), nonzero)
                now = dict(zip(FIELDS, cells, strict=True))
                text, changes[part] = compare(now, committed.get(cells[:3]))
                print(text, flush=True)
                if update or math.isnan(changes[part]):
                    committed[cells[:3]] = now
            failing += verdict(workload, changes)
    if update:
        files.write_csv([committed[key] for key in sorted(committed)], COMMITTED, FIELDS)
        return None
    if len(committed) > known:
        print(f"Not everything was compared; rows to add to {COMMITTED.name} (--update does so):")
        print(*(",".join(row.values()) for row in list(committed.values())[known:]), sep="\n")
    print(*failing or ["no workload needs 10% more, or 10% fewer, instructions than committed"], sep="\n")
    sys.exit(bool(failing))


if __name__ == "__main__":
    main()

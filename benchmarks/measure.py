"""One rival measured on one task in this process, which is thrown away afterwards. Knows nothing of tables or files.

The parent starts `measure` in a process of its own, hears of every step through a pipe, and ends the process when a
step that is under the time limit takes too long. Once the tolerance is found the process waits to be asked for more
timed calls, so that the parent can let two packages take turns.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import passes
import psutil
import real
import rivals
import scipy.sparse as sp
import tasks
import workloads

Row = dict[str, object]
STRIDE = 3


@dataclass(frozen=True)
class Call:
    """One timed call: how long it took, the memory it needed above what was loaded, and what came of it."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    fitted: rivals.Fitted


def measure(spec: tasks.Spec, parent: Connection, log: str) -> None:
    """Entry point of the child.

    Sends ("step", text, limited, row so far) before each step, `limited` saying whether the time limit applies to it,
    and ("row", row) when the tolerance is found and after each further call, which the parent asks for by sending True.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        for row in _rows(spec, lambda *what: parent.send(("step", *what))):
            parent.send(("row", row))
            if not (row["status"] == "ok" and parent.recv()):
                return
    except real.DataNotFound as missing:
        row = {"status": "no data", "detail": str(missing)}
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001  whatever a rival raises is a row in the table
        traceback.print_exc()
        row = {"status": "error", "detail": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    sys.stdout.flush()
    parent.send(("row", row))


def _rows(spec: tasks.Spec, step: Callable[[str, bool, Row], None]):
    """The row when the loosest sufficient tolerance is found, and anew after each further call."""
    rival = rivals.load_for(spec.task, spec.rival)
    try:
        row: Row = {"version": rival.version()}
    except (ImportError, FileNotFoundError):
        yield {"status": "missing", "detail": "not installed"}
        return
    step("loading", False, row)
    X, y = workloads.load(spec.workload)
    task = tasks.make(spec, (X, y))
    row |= {"input_mb": _bytes_of(task.X) / 1e6, "n_rows": X.shape[0], "n_columns": X.shape[1]}
    step("preparing", False, row)
    native = task.prepare()
    calls: list[Call] = []

    def call(tol: float) -> Call:
        step(f"{spec.task} at tol {tol:.0e}", True, row)
        calls.append(_timed(lambda: task.solve(native, tol)))
        return calls[-1]

    # A solution is up to a thousand times closer to the minimum than its gap says.
    gap = min(1000 * spec.required, 0.1) if spec.by == "suboptimality" else spec.required

    def found(tol: float) -> Row:
        made = call(tol)
        step(f"certificate at tol {tol:.0e}", False, row)
        said = {"tol": tol, "certified": made.fitted.certified, "n_iter": made.fitted.n_iter}
        return task.quality(made.fitted) | said | _times([made])

    tols = [tol for tol in rival.tolerances(gap) if tol <= spec.loosest * tasks.ROUNDING]
    good, tried = loosest(tols, found, lambda at: at["reached"] <= spec.required * tasks.ROUNDING)
    row |= tried
    if not good:
        yield row | _memory(calls) | {"status": "not reached"}
        return
    one_pass: Row = {}
    if sp.issparse(X):
        step("one pass", False, row)
        one_pass = dict(zip(("pass_seconds", "pass_by"), passes.one_pass_seconds(sp.csc_array(X)), strict=True))
    searched = len(calls)
    while True:
        row |= (_times(calls[searched:]) if calls[searched:] else {}) | one_pass | _memory(calls)
        if one_pass:
            row["passes"] = row["cpu_seconds"] / one_pass["pass_seconds"]
        yield row | {"status": "ok"}
        call(row["tol"])


def loosest(tols: list[float], found: Callable[[float], Row], good: Callable[[Row], bool]) -> tuple[bool, Row]:
    """Whether a tolerance of a list, the loosest first, is good, and what was found at the loosest good one, else at
    the last.

    Every third one is tried, then those passed over, as what is good stays so at tighter tolerances.
    """
    failed, at = -1, 0
    row = found(tols[at])
    while not good(row):
        if at == len(tols) - 1:
            return False, row
        failed, at = at, min(at + STRIDE, len(tols) - 1)
        row = found(tols[at])
    for tol in tols[failed + 1 : at]:
        between = found(tol)
        if good(between):
            return True, between
    return True, row


def _timed(solve: Callable[[], rivals.Fitted]) -> Call:
    before = _start_of_peak()
    start, cpu_start = time.perf_counter(), time.process_time()
    fitted = solve()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    peak = _peak() - before
    if fitted.timed is not None:
        seconds, cpu_seconds = fitted.timed
    return Call(seconds, cpu_seconds, peak if fitted.peak_bytes is None else fitted.peak_bytes, fitted)


def _times(calls: list[Call]) -> Row:
    """Medians over calls of the same kind, and the least."""
    wall, cpu = [call.seconds for call in calls], [call.cpu_seconds for call in calls]
    return {
        "seconds": float(np.median(wall)),
        "cpu_seconds": float(np.median(cpu)),
        "seconds_min": min(wall),
        "timed": len(calls),
    }


def _memory(calls: list[Call]) -> dict[str, object]:
    """The largest of all calls: what an earlier call freed but the allocator kept hides part of a later one's need."""
    return {"peak_mb": max(call.peak_bytes for call in calls) / 1e6}


def _bytes_of(X: sp.csr_array | np.ndarray) -> int:
    return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes if sp.issparse(X) else X.nbytes


CLEAR = Path("/proc/self/clear_refs")


def _start_of_peak() -> int:
    """Bytes held now; on Linux the recorded peak is lowered to it."""
    if CLEAR.exists():
        CLEAR.write_text("5")
    elif sys.platform != "win32":
        return _peak()
    return int(psutil.Process().memory_info().rss)


def _peak() -> int:
    """The largest resident set so far, in bytes (on Linux since `_start_of_peak`)."""
    if CLEAR.exists():
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

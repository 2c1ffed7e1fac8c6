"""One (workload, rival) measured in this process, which is thrown away afterwards. Knows nothing of tables or files.

The parent starts `measure` in a process of its own, hears of every step through a pipe, and ends the process when a
step that is under the time limit takes too long.
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

import certificate
import numpy as np
import passes
import psutil
import real
import rivals
import scipy.sparse as sp
import workloads

# A single cold fit is made at this fraction of alpha_max.
FIT_AT = 1 / 50


@dataclass(frozen=True)
class Spec:
    """What to measure: `task` is "path" (`points` strengths from alpha_max to alpha_max * eps) or "fit" (one strength)."""

    workload: str
    rival: str
    task: str = "path"
    l1_ratio: float = 1.0
    intercept: bool = True
    gap: float = 1e-4
    repeats: int = 5
    points: int = 100
    eps: float = 1e-2


@dataclass(frozen=True)
class Call:
    """One timed call: how long it took, the memory it needed above what was loaded, and what came of it."""

    seconds: float
    peak_bytes: int
    fitted: rivals.Fitted


def measure(spec: Spec, report: Connection, log: str) -> None:
    """Entry point of the child.

    Sends ("step", text, limited, row so far) before each step and ("row", row) at the end; `limited` says whether the
    time limit applies to the step.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        row = _measure(spec, lambda *what: report.send(("step", *what)))
    except real.DataNotFound as missing:
        row = {"status": "no data", "detail": str(missing)}
    except Exception as error:  # noqa: BLE001  whatever a rival raises is a row in the table
        traceback.print_exc()
        row = {"status": "error", "detail": f"{type(error).__name__}: {error}".splitlines()[0]}
    sys.stdout.flush()
    report.send(("row", row))


def _measure(spec: Spec, step: Callable[[str, bool, dict[str, object]], None]) -> dict[str, object]:
    rival = rivals.load(spec.rival)
    try:
        version = rival.version()
    except (ImportError, FileNotFoundError):
        return {"status": "missing", "detail": "not installed"}
    row: dict[str, object] = {"version": version}
    step("loading", False, row)
    X, y = workloads.load(spec.workload)
    y = y if spec.intercept else y - y.mean()
    largest = certificate.alpha_max(X, y, spec.l1_ratio)
    alphas = largest * (np.geomspace(1, spec.eps, spec.points) if spec.task == "path" else np.array([FIT_AT]))
    row |= {"input_mb": _bytes_of(X) / 1e6, "n_rows": X.shape[0], "n_columns": X.shape[1]}
    step("preparing", False, row)
    native = rival.prepare(X, y, spec.l1_ratio, spec.intercept)

    def call(tol: float) -> Call:
        step(f"{spec.task} at tol {tol:.0e}", True, row)
        return _timed(lambda: _solve(rival, spec, (native, y), alphas, tol))

    last = None
    calls: list[Call] = []
    for tol in rival.tolerances(spec.gap):
        last = call(tol)
        calls.append(last)
        step(f"certificate at tol {tol:.0e}", False, row)
        row |= _quality(spec, (X, y), alphas, last.fitted) | {"tol": tol, "seconds": last.seconds, "timed": 1}
        if row["worst_gap"] <= spec.gap * (1 + 1e-6):
            break
    else:
        return row | _memory(calls) | {"status": "gap not reached"}
    if spec.repeats > 1:
        seconds = [] if spec.repeats >= 3 else [last.seconds]
        for _ in range(spec.repeats - len(seconds)):
            calls.append(call(row["tol"]))
            seconds.append(calls[-1].seconds)
        row |= {"seconds": float(np.median(seconds)), "seconds_min": min(seconds), "timed": len(seconds)}
    if spec.rival.startswith("sparsereg") and sp.issparse(X):
        step("one pass", False, row)
        one_pass, how = passes.one_pass_seconds(sp.csc_array(X))
        row |= {"pass_seconds": one_pass, "passes": row["seconds"] / one_pass, "pass_by": how}
    return row | _memory(calls) | {"status": "ok"}


def _solve(
    rival: rivals.Rival, spec: Spec, data: tuple[object, np.ndarray], alphas: np.ndarray, tol: float
) -> rivals.Fitted:
    if spec.task == "path":
        return rival.path(*data, alphas, spec.l1_ratio, tol, spec.intercept)
    return rival.fit(*data, float(alphas[0]), spec.l1_ratio, tol, spec.intercept)


def _timed(solve: Callable[[], rivals.Fitted]) -> Call:
    before = _start_of_peak()
    start = time.perf_counter()
    fitted = solve()
    seconds = time.perf_counter() - start
    peak = _peak() - before
    return Call(
        seconds if fitted.seconds is None else fitted.seconds,
        peak if fitted.peak_bytes is None else fitted.peak_bytes,
        fitted,
    )


def _quality(spec: Spec, data: workloads.Data, alphas: np.ndarray, fitted: rivals.Fitted) -> dict[str, object]:
    coefs = sp.csc_array(fitted.coefs)
    coefs.eliminate_zeros()
    path = (coefs, np.asarray(fitted.intercepts, dtype=np.float64))
    quality = certificate.certify(*data, path, alphas, spec.l1_ratio, spec.intercept)
    return {
        "worst_gap": float(quality.relative_gap.max()),
        "median_gap": float(np.median(quality.relative_gap)),
        "share_reached": float(np.mean(quality.relative_gap <= spec.gap * (1 + 1e-6))),
        "objective_last": float(quality.objective[-1]),
        "nonzero_last": int(coefs[:, [-1]].nnz),
        "certified": fitted.certified,
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

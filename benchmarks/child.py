"""A measuring process as seen from its parent: started, heard, limited in time, ended. Whatever happens, a row comes
back.

Does not know what is measured (measure.py) nor what becomes of the rows.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import psutil
from measure import measure
from tasks import Spec

# Loading, converting, compiling and certifying are not what is measured, but nothing may hang for ever.
PATIENCE = 1800.0
POLL = 0.2

Row = dict[str, object]


class Child:
    """One measuring process.

    Parameters
    ----------
    spec : Spec
    time_limit : float
        CPU seconds for any one call of the rival.
    say : callable
        Told what is going on, in a line of text.
    """

    def __init__(self, spec: Spec, time_limit: float, say: Callable[[str], None]) -> None:
        self.spec, self._limit, self._say = spec, time_limit, say
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        handle, self._log = tempfile.mkstemp(suffix=".log")
        os.close(handle)
        self._process = context.Process(target=measure, args=(spec, there, self._log))
        self._process.start()
        there.close()

    def row(self) -> Row:
        """Wait for the next row. Where its status is not "ok", the process is of no more use."""
        began, text, limited, row = time.monotonic(), "starting", False, {}
        while True:
            self._say(f"{self.spec.workload} {self.spec.task} {self.spec.rival}: {text}")
            if not self._heard(self._limit if limited else np.inf):
                row = row | {"status": "time limit" if limited else "hangs", "detail": text}
                break
            try:
                kind, *rest = self._pipe.recv()
            except (EOFError, ConnectionResetError):
                self._process.join()
                detail = f"{text}; exit code {self._process.exitcode}; {self._last_line()}"
                row = row | {"status": "crashed", "detail": detail}
                break
            if kind == "row":
                (row,) = rest
                break
            text, limited, row = rest
        return row | {"elapsed": time.monotonic() - began}

    def _heard(self, limit: float) -> bool:
        """Wait for a message; False when it has used so many CPU seconds without one, or so much time that it hangs."""
        began, before = time.monotonic(), self._cpu_seconds()
        while not self._pipe.poll(POLL):
            if self._cpu_seconds() - before > limit or time.monotonic() - began > PATIENCE:
                return False
        return True

    def _cpu_seconds(self) -> float:
        """Used by the process and by those it started; none once it has ended."""
        try:
            process = psutil.Process(self._process.pid)
            times = [member.cpu_times() for member in (process, *process.children(recursive=True))]
        except psutil.NoSuchProcess:
            return 0.0
        return sum(used.user + used.system for used in times)

    def again(self) -> Row:
        """Ask for one more timed call, and wait for the row with it."""
        with contextlib.suppress(OSError):  # it died while waiting: the row will say so
            self._pipe.send(True)
        return self.row()

    def end(self) -> None:
        """End the process and what it started."""
        self._pipe.close()
        self._process.join(timeout=2)
        if self._process.is_alive():
            _kill_family(self._process)
        Path(self._log).unlink(missing_ok=True)

    def _last_line(self) -> str:
        lines = Path(self._log).read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no output"


def _kill_family(process: BaseProcess) -> None:
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    for member in family:
        member.kill()
    process.join()

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

import psutil
from measure import measure
from tasks import Spec

# Loading, converting, compiling and certifying are not what is measured, but nothing may hang for ever.
PATIENCE = 1800.0

Row = dict[str, object]


class Child:
    """One measuring process.

    Parameters
    ----------
    spec : Spec
    time_limit : float
        Seconds for any one call of the rival.
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
            if not self._pipe.poll(self._limit if limited else PATIENCE):
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

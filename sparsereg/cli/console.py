"""What the command line prints while it works: progress bars, notes, time and memory."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sparsereg.report.words import bytes_in_words

__all__ = ["Terminal"]

# What warnings advise, in words of the command line.
_IN_OPTIONS = {
    "set normalize_text=True to treat such levels as one": "write them alike to treat them as one",
    "set min_count to 2": "take --min-count 2",
    "name it as numeric or give it a rule for bins": "name it in --numeric or --bin",
}


class Terminal:
    """Progress and notes on the standard error; the standard output holds results only.

    Parameters
    ----------
    begin : float, optional
        When the work began, on the clock of `time.perf_counter`. Default: now.
    """

    def __init__(self, begin: float | None = None) -> None:
        self.begin = time.perf_counter() if begin is None else begin
        # Notes are wrapped at words in a terminal, and one line each elsewhere.
        self._console = Console(stderr=True)
        self._console.soft_wrap = not self._console.is_terminal

    def note(self, text: str) -> None:
        """Print a note in one line."""
        self._console.print(f"[dim]note:[/dim] {escape(' '.join(text.split()))}", highlight=False)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """A bar with a clock, for work of unknown length; warnings become notes."""
        with self._bar() as bar, self._noted_warnings():
            task = bar.add_task(what, total=None)
            yield
            bar.update(task, total=1, completed=1)

    @contextmanager
    def rows(self, what: str, n_rows: int) -> Iterator[Callable[[int], None]]:
        """A bar over the rows of all passes; yields what advances it by some rows."""
        with (
            self._bar(TextColumn("{task.percentage:>3.0f}% of {task.fields[rows]} rows")) as bar,
            self._noted_warnings(),
        ):
            task = bar.add_task(what, total=n_rows, rows=f"{n_rows:,}")
            yield lambda n: bar.advance(task, n)

    @contextmanager
    def path(self, what: str, n_points: int) -> Iterator[Callable[[int, int, float, int], None]]:
        """A bar over the points of a path; yields the callback that advances it."""
        with self._bar(MofNCompleteColumn(), TextColumn("{task.fields[active]}")) as bar, self._noted_warnings():
            task = bar.add_task(what, total=n_points, active="")

            def callback(i: int, n: int, alpha: float, n_nonzero: int) -> None:
                active = f"alpha {alpha:.2g}, {n_nonzero:,} active"
                bar.update(task, completed=i + 1, total=n, active=active)

            yield callback

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.perf_counter() - self.begin

    def total(self) -> str:
        """Time since the beginning and peak memory, in words."""
        seconds = f"{self.seconds:.1f} s in all"
        memory = _peak_memory()
        return seconds if memory is None else f"{seconds}, {bytes_in_words(memory)} of memory at most"

    def _bar(self, *columns: Any) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=16), *columns, TimeElapsedColumn())
        return Progress(*columns, console=self._console)

    @contextmanager
    def _noted_warnings(self) -> Iterator[None]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            yield
        for warning in caught:
            if not issubclass(warning.category, (DeprecationWarning, PendingDeprecationWarning)):
                text = str(warning.message)
                for in_python, here in _IN_OPTIONS.items():
                    text = text.replace(in_python, here)
                self.note(text)


def _peak_memory() -> int | None:
    """Peak memory of this process in bytes; None on systems that do not report it."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)

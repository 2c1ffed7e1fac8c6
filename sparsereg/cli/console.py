"""What the command line shows while it works: progress bars, notes, time and memory. It may not know the work."""

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

from sparsereg.report.text import bytes_in_words

__all__ = ["Screen", "peak_memory"]


class Screen:
    """Progress and notes on the standard error, so that the standard output holds results only.

    Parameters
    ----------
    begin : float, optional
        When the work began, on the clock of `time.perf_counter`. Default: now.
    """

    def __init__(self, begin: float | None = None) -> None:
        self.begin = time.perf_counter() if begin is None else begin
        # Notes are one line each wherever the output goes; a terminal wraps them by itself.
        self._console = Console(stderr=True, soft_wrap=True)

    def note(self, text: str) -> None:
        """One line on what was decided or found."""
        self._console.print(f"[dim]note:[/dim] {escape(' '.join(text.split()))}", highlight=False)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """A moving bar with a clock, for work whose end cannot be told; warnings become notes."""
        with self._bar() as bar, self._noted_warnings():
            task = bar.add_task(what, total=None)
            yield
            bar.update(task, total=1, completed=1)

    @contextmanager
    def path(self, what: str, n_points: int) -> Iterator[Callable[[int, int, float, int], None]]:
        """A bar over the points of a path; yields the callback that moves it."""
        with self._bar(MofNCompleteColumn(), TextColumn("{task.fields[active]}")) as bar, self._noted_warnings():
            task = bar.add_task(what, total=n_points, active="")

            def callback(i: int, n: int, alpha: float, n_nonzero: int) -> None:
                active = f"alpha {alpha:.2g}, {n_nonzero:,} active"
                bar.update(task, completed=i + 1, total=n, active=active)

            yield callback

    def total(self) -> str:
        """Time since the beginning, and the most memory that was taken, in words."""
        seconds = f"{time.perf_counter() - self.begin:.1f} s in all"
        memory = peak_memory()
        return seconds if memory is None else f"{seconds}, {bytes_in_words(memory)} of memory at most"

    def _bar(self, *columns: Any) -> Progress:
        shown = (TextColumn("{task.description}"), BarColumn(bar_width=16), *columns, TimeElapsedColumn())
        return Progress(*shown, console=self._console)

    @contextmanager
    def _noted_warnings(self) -> Iterator[None]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            yield
        for warning in caught:
            if not issubclass(warning.category, (DeprecationWarning, PendingDeprecationWarning)):
                self.note(str(warning.message))


def peak_memory() -> int | None:
    """The most memory that this process has held, in bytes; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)

"""How many threads, and work shared among them. Knows nothing of the work.

These are Python threads: kernels release the interpreter's lock, builds need no OpenMP, and processes may fork. No
result depends on their number: each number is computed by one thread, in a fixed order.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["run", "split", "thread_count", "worthwhile"]

T = TypeVar("T")

# Entries for which a thread takes about as long to start as it saves.
WORTH = 500_000


def thread_count(n_jobs: Any) -> int:
    """Threads to use, by joblib's convention.

    Parameters
    ----------
    n_jobs : int or None
        None: 1, or what a surrounding `joblib.parallel_config` says; -1: every core; -2: all but one; and so on.

    Raises
    ------
    ValueError
        For 0, or anything but an integer.
    """
    if n_jobs is None:
        if "joblib" not in sys.modules:  # then no context is set
            return 1
    elif not isinstance(n_jobs, int | np.integer) or isinstance(n_jobs, bool) or n_jobs == 0:
        raise ValueError(f"n_jobs={n_jobs!r}: expected None, a positive number of threads, or -1 for every core.")
    elif n_jobs > 0:
        return int(n_jobs)
    import joblib  # a slow import

    return int(joblib.effective_n_jobs(n_jobs))


def worthwhile(entries: int, n_threads: int) -> int:
    """At most `n_threads`, and at least `WORTH` entries for each."""
    return max(1, min(n_threads, entries // WORTH))


def split(starts: NDArray[Any], n: int) -> list[tuple[int, int]]:
    """At most n consecutive parts (a, b) of about equally many entries; item i has `starts[i]` to `starts[i + 1]`."""
    n = max(1, min(n, starts.size - 1))
    first, entries = int(starts[0]), int(starts[-1]) - int(starts[0])
    places = np.searchsorted(starts, first + entries * np.arange(1, n) / n)
    bounds = np.concatenate([[0], places, [starts.size - 1]]).tolist()
    return list(pairwise(bounds))


def run(work: Callable[..., T], parts: list[tuple[Any, ...]], n_threads: int) -> list[T]:
    """`work(*part)` for each part, each by the first thread that is free; the results in the order of the parts."""
    if n_threads == 1 or len(parts) == 1:
        return [work(*part) for part in parts]
    results: list[Any] = [None] * len(parts)
    # A deque is safe without the interpreter's lock; two threads may get the same item from an iterator.
    waiting = deque(enumerate(parts))

    def take_turns() -> None:
        while True:
            try:
                number, part = waiting.popleft()
            except IndexError:
                return
            results[number] = work(*part)

    with ThreadPoolExecutor(n_threads - 1) as others:
        started = [others.submit(take_turns) for _ in range(min(n_threads, len(parts)) - 1)]
        take_turns()
        for one in started:
            one.result()
    return results

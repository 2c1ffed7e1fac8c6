"""An engine of Dask futures. Everything that a task depends on is a task itself, so that what a lost worker held is
computed again: no data is scattered, and nothing is bound to a worker."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from sparsereg.crosses.part_tables import TablePart
from sparsereg.rows.disk import FAN_IN

__all__ = ["DaskEngine", "EncodedPart", "FramePart"]

# Arguments of more bytes are sent once, as the result of a task, instead of with every task.
LARGE = 20_000
# Times that a task that failed is tried again, besides those whose worker was lost.
RETRIES = 2
# So many tasks for each thread keep all of them busy; more cost more than they even out.
TASKS_PER_THREAD = 4


@dataclass(frozen=True)
class FramePart:
    """A part whose table is the result of a task."""

    part: TablePart
    table: Any

    @property
    def name(self) -> str:
        """For messages."""
        return self.part.name


@dataclass(frozen=True)
class EncodedPart:
    """A part whose `Partition` is one of the `size` consecutive ones that are the result of a task."""

    name: str
    partitions: Any = field(repr=False)
    size: int = 1


def same(value: Any) -> Any:
    """The value, as the result of a task."""
    return value


def on_each(parts: Sequence[Any], work: Callable[..., Any], *shared: Any) -> list[Any]:
    """`work` on each of some parts."""
    return [work(part, *shared) for part in parts]


def on_each_combined(
    parts: Sequence[Any], work: Callable[..., Any], combine: Callable[..., Any], size: int, shared: Any
) -> list[Any]:
    """`work` on some parts, `size` of which have been put together, so far as all tasks can combine the answers."""
    answers = on_each(parts, work, shared)
    while size >= FAN_IN:
        answers, size = combined_once(combine, shared, answers), size // FAN_IN
    return answers


def together(combine: Callable[..., Any], shared: Any, *answers: Sequence[Any]) -> list[Any]:
    """The answers of some tasks as one."""
    return combined_once(combine, shared, [one for some in answers for one in some])


def only(part: Any, work: Callable[..., Any], *shared: Any) -> list[Any]:
    """`on_each` of one part."""
    return [work(part, *shared)]


def combined_once(combine: Callable[..., Any], shared: Any, answers: Sequence[Any]) -> list[Any]:
    """`FAN_IN` consecutive answers at a time as one."""
    groups = [answers[begin : begin + FAN_IN] for begin in range(0, len(answers), FAN_IN)]
    return [group[0] if len(group) == 1 else combine(shared, *group) for group in groups]


def on_table(part: TablePart, table: Any, work: Callable[..., Any], *shared: Any) -> Any:
    """`work` on a part with its table."""
    return work(TablePart(part.number, (), None, part.targets, table), *shared)


class DaskEngine:
    """Runs the same work on every part, on the workers of a client.

    Parameters
    ----------
    client : distributed.Client
    """

    n_threads = 1

    def __init__(self, client: Any) -> None:
        self.client = client

    def map(self, work: Callable[..., Any], parts: Sequence[Any], *shared: Any) -> Iterator[Any]:
        """`work(part, *shared)` of each part; the results in the order of the parts.

        Raises
        ------
        RuntimeError
            If a part cannot be computed for a reason that is not its data's; partition and file are named.
        """
        given = [work, *map(self._shared, shared)]
        if isinstance(parts[0], EncodedPart):
            futures = self._submit(on_each, _tasks(parts), *given)
        else:
            futures = self._on_tables(parts, given)
        for some in self._gathered(futures, futures, parts):
            yield from some

    def reduce(self, work: Callable[..., Any], combine: Callable[..., Any], parts: Sequence[Any], shared: Any) -> Any:
        """See `Engine.reduce`, of encoded parts: answers are combined on the workers, and one comes here."""
        given, held = self._shared(shared), parts[0].size
        futures = level = self._submit(on_each_combined, _tasks(parts), work, combine, held, given)
        while held >= FAN_IN:
            held //= FAN_IN
        every = list(futures)
        while len(level) > 1:
            step = FAN_IN // held
            groups = [level[begin : begin + step] for begin in range(0, len(level), step)]
            level = [
                group[0]
                if len(group) == held == 1
                else self.client.submit(together, combine, given, *group, pure=False, retries=RETRIES, priority=1)
                for group in groups
            ]
            every, held = every + level, 1
        (answers,) = self._gathered(level, futures, parts, every)
        return combined_once(combine, shared, answers)[0]

    def hold(self, work: Callable[..., Any], parts: Sequence[Any], *shared: Any) -> list[EncodedPart]:
        """`work(part, *shared)` of each part, which stays on the workers.

        A task costs the scheduler and its worker some milliseconds in every round. Where every thread has enough of
        them, a task has several parts, by a power of 2: digits do not depend on it."""
        size, given = 1, [self._shared(value) for value in shared]
        if isinstance(parts[0], FramePart):  # tables are on the workers already, each on its own
            found = self._on_tables(parts, [work, *given])
        else:
            threads = sum(self.client.nthreads().values()) or len(parts)
            while 2 * size * threads * TASKS_PER_THREAD <= len(parts):
                size *= 2
            groups = [list(parts[begin : begin + size]) for begin in range(0, len(parts), size)]
            found = self._submit(on_each, groups, work, *given)
        sizes = [min(size, len(parts) - begin) for begin in range(0, len(parts), size)]
        return [EncodedPart(part.name, found[k // size], sizes[k // size]) for k, part in enumerate(parts)]

    def _gathered(
        self, wanted: list[Any], futures: list[Any], parts: Sequence[Any], every: Sequence[Any] = ()
    ) -> list[Any]:
        """The results of some futures; `futures` are those of the parts."""
        try:
            return list(self.client.gather(wanted))
        except Exception as error:
            if isinstance(error, ValueError):
                raise
            failed = next((k for k, future in enumerate(futures) if future.status in ("error", "cancelled", "lost")), 0)
            size = parts[0].size if isinstance(parts[0], EncodedPart) else 1
            some = range(failed * size, min((failed + 1) * size, len(parts)))
            which = f"{some[0]}" if len(some) == 1 else f"{some[0]} to {some[-1]}"
            names = ", ".join(dict.fromkeys(parts[k].name for k in some))
            raise RuntimeError(f"partition {which} ({names}) was not computed: {error!r}.") from error
        finally:
            for future in every or futures:
                future.release()

    def _shared(self, value: Any) -> Any:
        if len(pickle.dumps(value, protocol=5)) <= LARGE:
            return value
        with warnings.catch_warnings():
            # Scattered data would not be computed again where a worker is lost; a task that holds them is.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self.client.submit(same, value, pure=False, retries=RETRIES)

    def _on_tables(self, parts: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        """A task for each part."""
        if not isinstance(parts[0], FramePart):
            return self._submit(only, parts, *given)
        tables = [part.table for part in parts]
        others = [[value] * len(parts) for value in (only, *given)]
        own = [part.part for part in parts]
        return list(self.client.map(on_table, own, tables, *others, pure=False, retries=RETRIES))

    def _submit(self, work: Callable[..., Any], own: Sequence[Any], *given: Any) -> list[Any]:
        """All at once, which costs the scheduler much less than one by one."""
        shared = [[value] * len(own) for value in given]
        return list(self.client.map(work, list(own), *shared, pure=False, retries=RETRIES))


def _tasks(parts: Sequence[EncodedPart]) -> list[Any]:
    """The tasks of which all results are these parts."""
    groups = [list(group) for _, group in groupby(parts, key=lambda part: id(part.partitions))]
    if any(len(group) != group[0].size for group in groups):
        raise ValueError("some parts of a task are missing; pass all parts of the rows.")
    return [group[0].partitions for group in groups]

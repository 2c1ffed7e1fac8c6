"""An engine of Dask futures. Everything that a task depends on is a task itself, so that what a lost worker held is
computed again: no data is scattered, and nothing is bound to a worker."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparsereg.crosses.part_tables import TablePart
from sparsereg.rows.disk import FAN_IN

__all__ = ["DaskEngine", "EncodedPart", "FramePart"]

# Arguments of more bytes are sent once, as the result of a task, instead of with every task.
LARGE = 20_000
# Times that a task that failed is tried again, besides those whose worker was lost.
RETRIES = 2


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
    """A part whose `Partition` is the result of a task."""

    name: str
    partition: Any = field(repr=False)


def same(value: Any) -> Any:
    """The value, as the result of a task."""
    return value


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
        futures = self.submit(work, parts, *shared)
        yield from self._gathered(futures, futures, parts)

    def reduce(self, work: Callable[..., Any], combine: Callable[..., Any], parts: Sequence[Any], shared: Any) -> Any:
        """See `Engine.reduce`: results are combined on the workers, and one comes here."""
        given = self._shared(shared)
        futures = level = self._submit(work, parts, [given])
        every = list(futures)
        while len(level) > 1:
            groups = [level[begin : begin + FAN_IN] for begin in range(0, len(level), FAN_IN)]
            level = [
                group[0]
                if len(group) == 1
                else self.client.submit(combine, given, *group, pure=False, retries=RETRIES, priority=1)
                for group in groups
            ]
            every += level
        return self._gathered(level, futures, parts, every)[0]

    def _gathered(
        self, wanted: list[Any], futures: list[Any], parts: Sequence[Any], every: Sequence[Any] = ()
    ) -> list[Any]:
        """The results of some futures; `futures` are those of the parts."""
        try:
            return list(self.client.gather(wanted))
        except Exception as error:
            failed = next((k for k, future in enumerate(futures) if future.status in ("error", "cancelled", "lost")), 0)
            if isinstance(error, ValueError):
                raise
            raise RuntimeError(f"partition {failed} ({parts[failed].name}) was not computed: {error!r}.") from error
        finally:
            for future in every or futures:
                future.release()

    def submit(self, work: Callable[..., Any], parts: Sequence[Any], *shared: Any) -> list[Any]:
        """A future of each part's result."""
        return self._submit(work, parts, [self._shared(value) for value in shared])

    def _shared(self, value: Any) -> Any:
        if len(pickle.dumps(value, protocol=5)) <= LARGE:
            return value
        with warnings.catch_warnings():
            # Scattered data would not be computed again where a worker is lost; a task that holds them is.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self.client.submit(same, value, pure=False, retries=RETRIES)

    def _submit(self, work: Callable[..., Any], parts: Sequence[Any], given: list[Any]) -> list[Any]:
        """All at once, which costs the scheduler much less than one by one."""
        options = {"pure": False, "retries": RETRIES}
        shared = [[value] * len(parts) for value in given]
        if isinstance(parts[0], EncodedPart):
            return list(self.client.map(work, [part.partition for part in parts], *shared, **options))
        if isinstance(parts[0], FramePart):
            own = [part.part for part in parts], [part.table for part in parts], [work] * len(parts)
            return list(self.client.map(on_table, *own, *shared, **options))
        return list(self.client.map(work, list(parts), *shared, **options))

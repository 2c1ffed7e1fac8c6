"""What a cluster costs beside its work: seconds of a round, and of a path that loses a worker.

    python benchmarks/cluster.py --entries 100_000_000 --folder /tmp/rows

writes the files of `out_of_core.py` if they are not there, encodes them on a cluster of two processes on this machine,
and solves the same path of 100 points to alpha_max/100 there: undisturbed, with a worker killed between two rounds, and
with one killed inside a task. A round's own cost is its seconds less those that the busiest worker spends in the parts.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import time
from collections import defaultdict
from pathlib import Path

import distributed
import numpy as np
from out_of_core import BLOCKS, CROSSES, make

from sparsereg import FeatureCross, ParquetRows, regularization_path
from sparsereg.crosses.over_parts import Screen
from sparsereg.dask.engine import DaskEngine
from sparsereg.dask.tables import encoded_rows, tables_of
from sparsereg.rows.partitioned import PartitionedRows

RUNS = 3


def timed(work):
    """`work`, whose answer comes with the process and the seconds it took."""

    def run(part, *given):
        begin = time.perf_counter()
        answer = work(part, *given)
        return answer, {os.getpid(): time.perf_counter() - begin}

    return run


class TimedEngine(DaskEngine):
    """Notes of each round its own cost; in `fatal`, the round in which a task kills its worker."""

    def __init__(self, client, fatal: int | None = None, marker: Path | None = None):
        super().__init__(client)
        self.fatal, self.marker = fatal, marker
        self.own: list[float] = []

    def reduce(self, work, combine, parts, shared):
        """One round."""
        once, marker = timed(work), str(self.marker)
        if len(self.own) == self.fatal:

            def once(part, *given):
                if not os.path.exists(marker):
                    Path(marker).touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return timed(work)(part, *given)

        def both(shared, *answers):
            seconds = defaultdict(float)
            for _, by_process in answers:
                for process, own in by_process.items():
                    seconds[process] += own
            begin = time.perf_counter()
            answer = combine(shared, *(answer for answer, _ in answers))
            seconds[os.getpid()] += time.perf_counter() - begin
            return answer, dict(seconds)

        begin = time.perf_counter()
        answer, seconds = super().reduce(once, both, parts, shared)
        self.own.append(time.perf_counter() - begin - max(seconds.values()))
        return answer


def kill(client) -> None:
    """The first worker, at once."""
    os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    files = options.folder / f"{options.entries // BLOCKS}"
    if not files.exists():
        make(files, options.entries // BLOCKS)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        tables = tables_of(ParquetRows(f"{files}/*.parquet", target="y"), None, None, DaskEngine(client))
        begin = time.perf_counter()
        rows = encoded_rows(FeatureCross(crosses=CROSSES), tables, Screen())

        def solve(engine, callback=None):
            """A path, and its seconds."""
            begin = time.perf_counter()
            given = PartitionedRows(rows.parts, engine, rows.n_features, rows.center, rows.eliminated_length)
            path = regularization_path(given, eps=1e-2, callback=callback)
            return path, time.perf_counter() - begin

        solve(DaskEngine(client))  # parts are encoded and held
        prepared = time.perf_counter() - begin
        runs = [(TimedEngine(client),) for _ in range(RUNS)]
        whole = [solve(engine) for (engine,) in runs]
        wanted, plain = whole[0][0], statistics.median(seconds for _, seconds in whole)
        between, after_kill = solve(DaskEngine(client), lambda i, *_: kill(client) if i == 50 else None)
        marker = options.folder / "killed"
        marker.unlink(missing_ok=True)
        inside, inside_a_task = solve(TimedEngine(client, 8, marker))
        own = np.array([seconds for (engine,) in runs for seconds in engine.own])
        report = {
            "entries": tables.n_rows * BLOCKS,
            "parts": len(rows.parts),
            "rounds": len(runs[0][0].own),
            "own_ms_of_a_round": {"median": round(1e3 * float(np.median(own))), "max": round(1e3 * float(own.max()))},
            "prepare_s": round(prepared, 1),
            "path_s": round(plain, 2),
            "path_with_a_kill_between_rounds_s": round(after_kill, 2),
            "path_with_a_kill_inside_a_task_s": round(inside_a_task, 2),
            "same_bits": all(path.coefs.data.tobytes() == wanted.coefs.data.tobytes() for path in (between, inside)),
        }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()

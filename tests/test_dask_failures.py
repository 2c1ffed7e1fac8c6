"""Workers that are killed: the path has the same bits, and no process is left at the end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from sparsereg import FeatureCross, regularization_path
from sparsereg.rows.partitioned import PartitionedRows

pytest.importorskip("pyarrow")
distributed = pytest.importorskip("distributed", reason="the extra [dask] is not installed")

from dask_tables import CROSSES, OPTIONS, rows_of, same, write_files

from sparsereg.dask.engine import DaskEngine
from sparsereg.dask.tables import encoded_rows, tables_of


@pytest.fixture(scope="module")
def processes():
    """Two processes, started anew where they are killed; none is left at the end."""
    options = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=2, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        pids = set(client.run(os.getpid).values())
        yield client
        pids |= set(client.run(os.getpid).values())
    assert not [pid for pid in pids if _alive(pid)]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text() if Path(f"/proc/{pid}").exists() else True


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_worker_killed_inside_a_task_or_between_rounds_changes_no_bit(processes, tmp_path):
    write_files(tmp_path)
    marker, victims = str(tmp_path / "killed"), []

    class Killing(DaskEngine):
        rounds = 0

        def reduce(self, work, combine, parts, shared):
            self.rounds += 1
            if self.rounds != 3:
                return super().reduce(work, combine, parts, shared)

            def once(part, *given):
                if not os.path.exists(marker):
                    with open(marker, "w", encoding="utf-8"):
                        pass
                    os.kill(os.getpid(), signal.SIGKILL)
                return work(part, *given)

            return super().reduce(once, combine, parts, shared)

    def kill(i: int, *_: object) -> None:
        if i == 20:
            victims.extend(processes.run(os.getpid).values())
            os.kill(victims[0], signal.SIGKILL)

    tables = tables_of(rows_of(tmp_path, 4), None, None, DaskEngine(processes))
    rows = encoded_rows(FeatureCross(crosses=CROSSES), tables, None)
    wanted = regularization_path(rows, **OPTIONS)
    killed = PartitionedRows(rows.parts, Killing(processes), rows.n_features, rows.center)
    assert same(regularization_path(killed, callback=kill, **OPTIONS), wanted)
    assert os.path.exists(marker)
    assert victims

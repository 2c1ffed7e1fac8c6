"""Workers and drivers that are killed: the path has the same bits, or goes on, and no process is left at the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sparsereg import FeatureCross, regularization_path
from sparsereg.rows.partitioned import PartitionedRows

pytest.importorskip("pyarrow")
distributed = pytest.importorskip("distributed", reason="the extra [dask] is not installed")

import pyarrow.parquet as pq
from dask_tables import CROSSES, OPTIONS, rows_of, same, table, write_files

from sparsereg.dask import regularization_path as dask_path
from sparsereg.dask.engine import DaskEngine
from sparsereg.dask.tables import encoded_rows, tables_of


@pytest.fixture(scope="module")
def processes():
    """Two processes, started anew where they are killed; none is left at the end."""
    options = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=2, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        pids, address = set(client.run(os.getpid).values()), client.scheduler.address
        yield client
        pids |= set(client.run(os.getpid).values())
    assert not [pid for pid in pids if _alive(pid)]
    host, port = address.removeprefix("tcp://").split(":")
    with pytest.raises(OSError, match="refused"), socket.create_connection((host, int(port)), timeout=5):
        pass


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


DRIVER = """
import sys, time
from distributed import Client
from sparsereg import FeatureCross
from sparsereg.dask import regularization_path

with Client(sys.argv[1]) as client:
    regularization_path(
        sys.argv[2], "y", cross=FeatureCross(crosses={crosses}), sample_weight="weight", checkpoint=sys.argv[3],
        callback=lambda i, *_: time.sleep(600 if i == 10 else 0), **{options}
    )
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_driver_that_is_killed_goes_on_from_its_checkpoint(processes, tmp_path):
    """Its futures are given up, and another driver ends as if nothing had happened; unless a file changed."""
    write_files(tmp_path)
    pattern, noted = f"{tmp_path}/*.parquet", tmp_path / "points.npz"
    arguments = [processes.scheduler.address, pattern, str(noted)]
    program = DRIVER.format(crosses=CROSSES, options=OPTIONS)
    begin = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", program, *arguments]) as driver:
        while driver.poll() is None and _n_noted(noted) < 11 and time.monotonic() < begin + 300:
            time.sleep(0.02)
        driver.send_signal(signal.SIGKILL)
    assert driver.returncode == -signal.SIGKILL
    scheduler, begin = processes.cluster.scheduler, time.monotonic()
    while scheduler.tasks and time.monotonic() < begin + 60:
        time.sleep(0.05)
    assert not scheduler.tasks

    def path(**given):
        cross = FeatureCross(crosses=CROSSES)
        return dask_path(pattern, "y", cross=cross, sample_weight="weight", client=processes, **OPTIONS, **given)

    solved = []
    found, wanted = path(checkpoint=noted, callback=lambda i, *_: solved.append(i)), path()
    assert solved == list(range(11, OPTIONS["alphas"]))
    assert found.certified.all()
    assert found.coefs[:, :11].data.tobytes() == wanted.coefs[:, :11].data.tobytes()
    np.testing.assert_allclose(found.deviance_explained, wanted.deviance_explained, atol=1e-8)
    file = next(tmp_path.glob("*.parquet"))
    pq.write_table(table().slice(5, 290), file)
    with pytest.raises(ValueError, match="with other options or data"):
        path(checkpoint=noted)


def _n_noted(file: Path) -> int:
    if not file.exists():
        return 0
    with np.load(file, allow_pickle=False) as found:
        return int(found["sizes"].size)

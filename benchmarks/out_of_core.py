"""A table larger than memory from end to end: Parquet files of six fields, ten columns of ones a row, a lasso path.

    python benchmarks/out_of_core.py --entries 100_000_000 --folder /tmp/rows --memory 8

writes the files if they are not there (in bounded memory), then fits and encodes them in two passes, and solves a path
of 100 points to alpha_max/100. `--memory` limits the data of this process, page cache aside, in GB. Printed: seconds,
entries a second, rounds, and the peak of resident memory that is not page cache.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sparsereg import FeatureCross, ParquetRows, regularization_path
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.disk import DiskRows

SIZES = {"user": 20_000, "item": 5_000, "shop": 300, "hour": 24, "day": 7, "kind": 40}
CROSSES = [("item", "shop"), ("shop", "hour"), ("day", "hour"), ("kind", "item")]
BLOCKS = len(SIZES) + len(CROSSES)
GROUP_ROWS = 1 << 19
FILE_GROUPS = 8


def make(folder: Path, n_rows: int, seed: int = 0) -> None:
    """Row groups of half a million rows, eight a file; nothing else is in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    effects = {name: np.random.default_rng([seed, k]).normal(size=size) for k, (name, size) in enumerate(SIZES.items())}
    writer, done, group = None, 0, 0
    while done < n_rows:
        n = min(GROUP_ROWS, n_rows - done)
        rng = np.random.default_rng([seed, 100, group])
        columns = {name: (size * rng.random(n) ** 3).astype(np.int64) for name, size in SIZES.items()}
        y = sum(0.3 * effects[name][codes] for name, codes in columns.items()) + rng.normal(size=n)
        y += 0.5 * ((columns["item"] < 50) & (columns["shop"] < 10))
        table = pa.table({name: codes.astype(np.int32) for name, codes in columns.items()} | {"y": y})
        if group % FILE_GROUPS == 0:
            if writer is not None:
                writer.close()
            writer = pq.ParquetWriter(folder / f"rows{group // FILE_GROUPS:04d}.parquet", table.schema)
        writer.write_table(table, row_group_size=GROUP_ROWS)
        done, group = done + n, group + 1
    writer.close()


def resident() -> dict[str, int]:
    """MB of this process: in all, and without mapped files."""
    found = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    return {key: int(found[name].split()[0]) // 1024 for key, name in (("rss", "VmRSS"), ("anonymous", "RssAnon"))}


def streaming(rows: DiskRows) -> float:
    """CPU seconds of a pass for the gradients of all columns."""
    begin = time.process_time()
    rows.gradients(Coefficients(np.arange(50), np.ones(50)), 0.0)
    return time.process_time() - begin


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--memory", type=float, default=8.0, help="GB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eps", type=float, default=1e-2)
    options = parser.parse_args()
    n_rows = options.entries // BLOCKS
    files = options.folder / f"{n_rows}"
    if not files.exists():
        make(files, n_rows)
    limit = int(options.memory * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    scratch = options.folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    begin, cpu = time.perf_counter(), time.process_time()
    rows = ParquetRows(f"{files}/*.parquet", target="y", n_jobs=options.threads)
    cross = FeatureCross(crosses=CROSSES)
    encoded = cross.fit_transform(rows, eps=options.eps, scratch=scratch)
    prepared, cpu_prepared = time.perf_counter(), time.process_time()
    peaks = [resident()["anonymous"]]
    path = regularization_path(encoded, eps=options.eps, callback=lambda *_: peaks.append(resident()["anonymous"]))
    done, cpu_done = time.perf_counter(), time.process_time()
    report = {
        "entries": n_rows * BLOCKS,
        "columns": cross.n_features_out_,
        "stored": encoded.nnz,
        "prepare_s": round(prepared - begin, 1),
        "prepare_cpu_s": round(cpu_prepared - cpu, 1),
        "encoded_per_cpu_s": round(2 * n_rows * BLOCKS / (cpu_prepared - cpu)),  # both passes encode each entry
        "path_s": round(done - prepared, 1),
        "rounds": encoded.n_rounds,
        "path_cpu_s": round(cpu_done - cpu_prepared, 1),
        "streamed_per_cpu_s": round(encoded.nnz / streaming(encoded)),
        "non_zero": int(path.n_nonzero[-1]),
        "certified": bool(path.certified.all()),
        "peak_anonymous_mb": max(peaks),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(report, indent=1))
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()

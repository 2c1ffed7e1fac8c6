"""What tables of 10^9 to 10^13 entries take, computed from rates that were measured on small ones.

    python benchmarks/scale_model.py [--encode 49e6] [--round 275e6]

Assumed, unless given: a worker has one core and 8 GB; it encodes 49 million entries a second in each of two passes, and
answers a round (products of entering columns with all others) at 275 million entries a second, as
`benchmarks/out_of_core.py` measures on a quiet machine, where files are in the page cache; a task costs the scheduler a
millisecond (`benchmarks/cluster.py`); a part has 5 million entries, and a task so many parts that each worker has at
least four; eight answers at a time are added up on a worker, over links of 10 Gbit/s; 16 rounds; columns that the
static screen leaves: 33,000, and 12 bytes for each of their products with 600 columns that enter, of which a fifth is
not 0 in the sum. Not measured on a cluster.
"""

from __future__ import annotations

import argparse
import math

PART_ENTRIES, ROUNDS, COLUMNS, ENTERING, FILLED = 5e6, 16, 33_000, 600, 0.2
LINK, SCHEDULING, FAN_IN, TASKS_PER_WORKER = 10e9 / 8, 1e-3, 8, 4
# Bytes of an answer to one round.
ANSWER = (12.0 * ENTERING * FILLED + 8.0) * COLUMNS / ROUNDS


def model(entries: float, workers: int, encode: float, round_: float) -> dict[str, float]:
    """Seconds to prepare and for the path; GB held by each worker, and received by the driver."""
    parts = max(entries / PART_ENTRIES, workers)
    tasks = parts / 2 ** max(0, math.floor(math.log2(parts / (TASKS_PER_WORKER * workers))))
    levels = math.ceil(math.log(tasks, FAN_IN))
    overhead = tasks * FAN_IN / (FAN_IN - 1) * SCHEDULING + levels * FAN_IN * ANSWER / LINK
    return {
        "prepare_s": 2.0 * entries / (encode * workers) + 2.0 * parts * SCHEDULING,
        "path_s": ROUNDS * (entries / (round_ * workers) + (overhead if workers > 1 else 0.0)),
        "held_gb": 2.6 * entries / workers / 1e9,
        "to_driver_gb": ROUNDS * ANSWER / 1e9 if workers > 1 else 0.0,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encode", type=float, default=49e6, help="entries a second and core, each pass")
    parser.add_argument("--round", type=float, default=275e6, help="entries a second and core, each round")
    options = parser.parse_args()
    print(f"{'entries':>8} {'workers':>8} {'prepare s':>10} {'path s':>8} {'held GB':>8} {'to driver GB':>13}")
    for entries, workers in ((1e9, 1), (1e9, 10), (1e11, 100), (1e11, 1000), (1e13, 1000), (1e13, 10000)):
        found = model(entries, workers, options.encode, options.round)
        print(
            f"{entries:8.0e} {workers:8d} {found['prepare_s']:10.0f} {found['path_s']:8.0f} {found['held_gb']:8.2f}"
            f" {found['to_driver_gb']:13.2f}"
        )


if __name__ == "__main__":
    main()

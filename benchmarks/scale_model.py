"""What tables of 10^9 to 10^13 entries take, computed from rates that were measured on small ones.

    python benchmarks/scale_model.py [--encode 17e6] [--round 100e6]

Assumed, unless given: a worker has one core and 8 GB; it encodes 17 million entries a second in each of two passes, and
answers a round (products of entering columns with all others) at 100 million entries a second, as
`benchmarks/out_of_core.py` measures; the driver receives 10 Gbit/s; scheduling takes 0.4 ms a task; a part has 5
million entries; 16 rounds; columns that the static screen leaves: 33,000, and 12 bytes for each of their products with
600 columns that enter. Not measured on a cluster.
"""

from __future__ import annotations

import argparse

PART_ENTRIES, ROUNDS, COLUMNS, ENTERING = 5e6, 16, 33_000, 600
LINK, SCHEDULING = 10e9 / 8, 0.4e-3
# Of the products of entering columns with all, the share that is not 0 in a part.
FILLED = 0.02


def model(entries: float, workers: int, encode: float, round_: float) -> dict[str, float]:
    """Seconds to prepare and for the path; GB held by each worker, and sent to the driver."""
    parts = max(entries / PART_ENTRIES, workers)
    answer = 12.0 * ENTERING * COLUMNS * FILLED / ROUNDS + 8.0 * COLUMNS / ROUNDS  # bytes a part and round
    sent = parts * answer * ROUNDS
    overhead = parts * (SCHEDULING + answer / LINK)
    return {
        "prepare_s": 2.0 * entries / (encode * workers) + 2.0 * parts * SCHEDULING,
        "path_s": ROUNDS * (entries / (round_ * workers) + (overhead if workers > 1 else 0.0)),
        "held_gb": 2.6 * entries / workers / 1e9,
        "to_driver_gb": sent / 1e9 if workers > 1 else 0.0,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encode", type=float, default=17e6, help="entries a second and core, each pass")
    parser.add_argument("--round", type=float, default=100e6, help="entries a second and core, each round")
    options = parser.parse_args()
    print(f"{'entries':>8} {'workers':>8} {'prepare s':>10} {'path s':>8} {'held GB':>8} {'to driver GB':>13}")
    for entries, workers in ((1e9, 1), (1e9, 10), (1e11, 100), (1e11, 1000), (1e13, 1000), (1e13, 10000)):
        found = model(entries, workers, options.encode, options.round)
        print(
            f"{entries:8.0e} {workers:8d} {found['prepare_s']:10.0f} {found['path_s']:8.0f} {found['held_gb']:8.2f}"
            f" {found['to_driver_gb']:13.1f}"
        )


if __name__ == "__main__":
    main()

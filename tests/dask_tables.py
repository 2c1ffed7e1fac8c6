"""Tables and comparisons of the tests on clusters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sparsereg import ParquetRows

CROSSES = [("shop", "day"), ("day", "kind")]
OPTIONS = {"alphas": 25, "eps": 0.05, "tol": 1e-8}


def table(n: int = 2000):
    rng = np.random.default_rng(0)
    shop, day, kind = np.minimum(rng.zipf(1.3, n) - 1, 40), rng.integers(0, 20, n), rng.integers(0, 3, n)
    y = 10.0 + rng.normal(size=n) + 1.5 * (shop < 2) - 2.0 * (day == 5) + (kind == 1) * (day < 4)
    columns = {"shop": [f"s{k}" for k in shop], "day": day, "kind": kind, "size": rng.normal(size=n), "y": y}
    return pa.table(columns | {"weight": rng.uniform(0.5, 2.0, n)})


def write_files(folder) -> None:
    """Seven files, and one without rows."""
    for number in range(7):
        pq.write_table(table().slice(number * 290, 290), folder / f"log{number}.parquet")
    pq.write_table(table().slice(0, 0), folder / "log8.parquet")


def rows_of(files, n_parts: int) -> ParquetRows:
    """The rows in 1, 2 or 7 parts."""
    found = ParquetRows(f"{files}/*.parquet", target="y", weight="weight")
    slices = [piece for part in found.parts for piece in part.slices]
    parts = []
    for number, chosen in enumerate(np.array_split(np.arange(len(slices)), n_parts)):
        part = found.parts[0]
        pieces = tuple(slices[k] for k in chosen)
        parts.append(type(part)(number, pieces, None, part.targets))
    object.__setattr__(found, "parts", parts)
    return found


def same(one, other) -> bool:
    """Bit by bit."""
    parts = [(path.coefs.data, path.coefs.indices, path.intercepts, path.dual_gaps) for path in (one, other)]
    return all(a.tobytes() == b.tobytes() for a, b in zip(*parts, strict=True))


def losses_table(n: int = 2000):
    """The same fields with two texts, counts, probabilities and an offset in place of y."""
    rng, whole = np.random.default_rng(1), table(n)
    z = 0.5 * (whole["y"].to_numpy() - 10.0)
    p, offset = 1.0 / (1.0 + np.exp(-z)), 0.2 * rng.normal(size=n)
    columns = {
        "clicked": np.where(rng.uniform(size=n) < p, "yes", "no"),
        "count": rng.poisson(np.exp(0.5 * z + offset)),
        "share": p,
        "offset": offset,
    }
    for name, values in columns.items():
        whole = whole.append_column(name, pa.array(values))
    return whole.drop_columns(["y"])

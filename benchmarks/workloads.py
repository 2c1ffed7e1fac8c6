"""The workloads by name, cached on disk. Knows how (X, y) are stored; does not know how any of them is made or solved.

X is what a user hands in: `csr_array` of float64 (rows sorted), or a C-ordered dense array where most entries are
non-zero. Cached as uncompressed `.npz` in SPARSEREG_BENCH_CACHE (default: `benchmarks/.cache`).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import real
import scipy.sparse as sp
import smooth
import synthetic

Data = tuple["sp.csr_array | np.ndarray", np.ndarray]

# Raise with any change to a workload, so that no cache serves the old one under the same name.
CACHE_VERSION = 1

WORKLOADS: dict[str, Callable[[], Data]] = {
    "crosses": lambda: synthetic.crosses(500_000, (3500, 800, 170, 50, 20), seed=1),
    "latlon": lambda: synthetic.latlon(1_000_000, 3500, seed=2),
    "text": lambda: synthetic.text(20_000, 150_000, 77, seed=3),
    "wide": lambda: synthetic.wide(100, 10_000, seed=4),
    "retail": real.retail,
    "flights": real.flights,
    "california": real.california,
    "king_county": real.king_county,
    "green_taxi": real.green_taxi,
    "news20": real.news20,
    "a8a": real.a8a,
    "w8a": real.w8a,
    "leukemia": real.leukemia,
    "arcene": real.arcene,
}

# By the names of a family and a size, "lags-300x100"; not among "all".
SMOOTH_WORKLOADS: dict[str, Callable[[], Data]] = {
    f"{family}-{n}x{p}": partial(smooth.make, family, n, p) for family in smooth.FAMILIES for n, p in smooth.SIZES
}

SMOKE_WORKLOADS: dict[str, Callable[[], Data]] = {
    "smoke_crosses": lambda: synthetic.crosses(5_000, (200, 60, 30, 10, 5), seed=1),
    "smoke_latlon": lambda: synthetic.latlon(5_000, 50, seed=2),
    "smoke_text": lambda: synthetic.text(2_000, 5_000, 30, seed=3),
    "smoke_wide": lambda: synthetic.wide(50, 1_000, seed=4),
}

# Workloads that are measured only where they are named.
ASKED_FOR = SMOOTH_WORKLOADS | SMOKE_WORKLOADS


def cache_directory() -> Path:
    """Where workloads are kept between runs."""
    return Path(os.environ.get("SPARSEREG_BENCH_CACHE", Path(__file__).resolve().parent / ".cache"))


def load(name: str) -> Data:
    """(X, y) of a workload, made on first use.

    Raises
    ------
    ValueError
        No workload of this name.
    real.DataNotFound
        The workload needs a file that is not on this machine.
    """
    makers = WORKLOADS | ASKED_FOR
    if name not in makers:
        raise ValueError(f"workload={name!r} is unknown; choose from {', '.join(makers)}")
    path = cache_directory() / f"{name}-v{CACHE_VERSION}.npz"
    if not path.is_file():
        _store(path, *makers[name]())
    with np.load(path) as stored:
        if "dense" in stored:
            return stored["dense"], stored["y"]
        parts = (stored["data"], stored["indices"], stored["indptr"])
        return sp.csr_array(parts, shape=tuple(stored["shape"])), stored["y"]


def _store(path: Path, X: sp.csr_array | np.ndarray, y: np.ndarray) -> None:
    """Write the cache file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {"y": y}
    if sp.issparse(X):
        X.sort_indices()
        arrays |= {"data": X.data, "indices": X.indices, "indptr": X.indptr, "shape": np.array(X.shape)}
    else:
        arrays["dense"] = np.ascontiguousarray(X)
    handle, temporary = tempfile.mkstemp(suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

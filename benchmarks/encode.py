"""How fast tables become one-hot columns, beside scikit-learn's OneHotEncoder, which knows no crosses; CPU seconds.

    python benchmarks/encode.py

A million rows of five Zipf fields with 7 to 40,000 levels, in every form in which such fields come; then crosses of
them.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import OneHotEncoder

from sparsereg import FeatureCross, Width

N_ROWS = 1_000_000
REPEATS = 5
# Two wide fields and one of them with each narrower one: from 10^5 to 10^8 nominal cells.
CROSSES = [("f1", "f3"), ("f2", "f3"), ("f2", "f4"), ("f3", "f4"), ("f0", "f4")]


def seconds(call: Callable[[], Any]) -> float:
    """The least of a few runs."""
    best = np.inf
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return float(best)


def report(what: str, cross: FeatureCross, table: Any) -> None:
    """One line: time, size and peak of an encoding."""
    taken = seconds(lambda: cross.fit_transform(table))
    tracemalloc.start()
    matrix = cross.fit_transform(table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    own = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
    cells = sum(block.n_cells for block in cross.blocks_)
    print(f"| {what} | {cells:,} | {matrix.shape[1]:,} | {taken:.2f} s | {peak / 1e6:.0f} MB | {own / 1e6:.0f} MB |")


def main() -> None:
    """Print two tables."""
    rng = np.random.default_rng(0)
    sizes = (7, 50, 500, 5000, 40000)
    integers = np.column_stack([np.minimum(rng.zipf(1.3, N_ROWS), size) - 1 for size in sizes])
    frame = pd.DataFrame(integers, columns=[f"f{k}" for k in range(len(sizes))])
    words = frame.astype(str)
    forms = {
        "integers, NumPy": integers,
        "integers, pandas": frame,
        "strings, pandas": words,
        "strings as objects, pandas": words.astype(object),
        "strings as objects, NumPy": words.astype(object).to_numpy(),
        "strings of fixed width, NumPy": integers.astype(str),
        "categoricals, pandas": words.astype("category"),
    }
    print("| a million rows of | OneHotEncoder | FeatureCross | ratio |\n| --- | --- | --- | --- |")
    for form, table in forms.items():
        theirs = seconds(lambda table=table: OneHotEncoder().fit_transform(table))
        ours = seconds(lambda table=table: FeatureCross().fit_transform(table))
        print(f"| {form} | {theirs:.2f} s | {ours:.2f} s | {theirs / ours:.1f} |")
    globe = pd.DataFrame({"lat": rng.uniform(-90, 90, N_ROWS), "lon": rng.uniform(-180, 180, N_ROWS)})
    minutes = {"lat": Width(1 / 60), "lon": Width(1 / 60, period=360)}
    print("\n| design | cells | columns | fit_transform | peak | matrix |\n| --- | --- | --- | --- | --- | --- |")
    report("five fields", FeatureCross(), frame)
    report("five fields, five crosses", FeatureCross(crosses=CROSSES), frame)
    report("the globe by the minute", FeatureCross(bins=minutes, crosses=[("lat", "lon")]), globe)
    report("all five fields in one cross", FeatureCross(main_effects=False, crosses=[tuple(frame)]), frame)


if __name__ == "__main__":
    main()

"""Shared by the examples: where the data is; fit a path, choose a point on held-out rows, print a report."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from sparsereg import FeatureCross, SparsityReport, regularization_path


def data_file(name: str) -> Path:
    """A data file in the folder given as the first argument, in SPARSEREG_DATA, or in `../shared/data`."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SPARSEREG_DATA", default))
    if not (folder / name).is_file():
        sys.exit(f"{name} is not in {folder}; give the folder that holds it as an argument, or set SPARSEREG_DATA.")
    return folder / name


def report_on(cross: FeatureCross, table: pd.DataFrame, target: pd.Series, eps: float = 1e-3) -> None:
    """Fit a lasso path on nine tenths of the rows, and print a report on the point with the best R2 on the others.

    The path ends at `eps` times the smallest strength with no nonzero coefficient. A small `eps` is needed because many
    crosses only enter at weak penalties.
    """
    print(cross, end="\n\n")
    held = np.random.default_rng(0).random(len(table)) < 0.1
    y = np.asarray(target, dtype=np.float64)
    print(cross.plan(table[~held]), end="\n\n")
    started = time.perf_counter()
    X = cross.fit_transform(table[~held])
    encoded = time.perf_counter()
    path = regularization_path(X, y[~held], eps=eps)
    fitted = time.perf_counter()
    report = SparsityReport.from_path(
        path, cross, top=8, X=X, y=y[~held], X_val=cross.transform(table[held]), y_val=y[held]
    )
    print(report.to_text(max_rows=6))
    best = report.path[report.point]
    print(
        f"\n{len(table):,} rows; {X.shape[1]:,} columns encoded in {encoded - started:.2f} s, {path.alphas.size} "
        f"strengths in {fitted - encoded:.2f} s, {int(path.certified.sum())} certified; "
        f"best held-out R2 {best['held']:.3f} with {best['n_nonzero']:,} columns."
    )

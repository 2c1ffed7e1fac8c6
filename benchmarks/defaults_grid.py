"""What the defaults leave to a search: the best held-out R2 of a grid, on the rows of `benchmarks/defaults.py`.

    python benchmarks/defaults_grid.py FOLDER [NAME ...]

Over designs (main effects, all pairs of the same bins, chosen crosses), penalties (the lasso, the elastic net at
l1_ratio 0.5, ridge), standardized or not, and strengths: a line for the best strength of each, by the very rows it is
judged on, which no honest choice can count on. A path of the lasso ends after `PATIENCE` strengths without a better
score, or after `SECONDS`. Seconds are CPU time of one thread.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from defaults import TABLES, r2, split, timed

from sparsereg import choose_crosses, ridge_path
from sparsereg.data.design import as_design
from sparsereg.losses import as_path_loss
from sparsereg.selection.cross_validation import GivenRows, make_task
from sparsereg.selection.ending import Ending
from sparsereg.selection.engine import Settings
from sparsereg.selection.patience import HeldRows, path_with_patience
from sparsereg.solvers.loop import Options

# Twelve strengths a decade, of gaps small beside the differences between designs.
POINTS, EPS, TOL = 61, 1e-5, 1e-3
PATIENCE, SECONDS = 4, 7200.0
RIDGE_ALPHAS = np.geomspace(1e5, 0.1, 13)
# All pairs that are wider are left out.
MOST_COLUMNS = 600_000


def designs(train: Any, y: np.ndarray) -> Iterator[tuple[str, Any]]:
    """Each design, unfitted."""
    yield "chosen crosses", choose_crosses(train, y, max_seconds=120.0).cross
    main = choose_crosses(train, y, degree=1, max_seconds=120.0)
    pairs = main.coarse()
    pairs.degree = 2
    if pairs.plan(train).n_columns <= MOST_COLUMNS:
        yield "all pairs", pairs
    yield "main effects", main.cross


def lasso(X: Any, y: np.ndarray, X_test: Any, y_test: np.ndarray, l1_ratio: float, standardize: bool) -> Any:
    """A path to its best strength and some beyond."""
    penalty = {"penalty_factor": None, "fit_intercept": True, "standardize": standardize, "positive": False}
    rows = GivenRows(as_design(X), y, None, None)
    task, measure, _ = make_task(rows, as_path_loss("squared"), penalty, Options(TOL), None)
    settings = Settings(POINTS, EPS, Ending(patience=PATIENCE, max_seconds=SECONDS))
    return path_with_patience(task, measure, l1_ratio, settings, HeldRows(X_test, y_test, None, None))


def ridge(X: Any, y: np.ndarray, standardize: bool) -> Any:
    """Ridge at all strengths."""
    variances = None
    if standardize:
        shares = np.asarray(X.mean(axis=0)).ravel()
        variances = np.maximum(shares * (1.0 - shares), 1e-12)
    return ridge_path(X, y, alphas=RIDGE_ALPHAS, penalty_factor=variances)


def best_of_each(train: Any, y: np.ndarray, test: Any, y_test: np.ndarray) -> Iterator[tuple[float, str, float]]:
    """For each design and penalty, the R2 of its best strength, what it is, and the seconds."""
    for design, cross in designs(train, y):
        X, X_test = cross.fit_transform(train), cross.transform(test)
        for l1_ratio, standardize in product((1.0, 0.5, 0.0), (False, True)):
            if l1_ratio:
                path, seconds = timed(lasso, X, y, X_test, y_test, l1_ratio, standardize)
            else:
                path, seconds = timed(ridge, X, y, standardize)
            scores = [r2(y, y_test, path.predict(X_test, k)) for k in range(path.alphas.size)]
            k = int(np.argmax(scores))
            kept = f"{path.n_nonzero[k]:,}" if l1_ratio else "all"
            penalty = {1.0: "lasso", 0.5: "l1_ratio 0.5", 0.0: "ridge"}[l1_ratio] + ", standardized" * standardize
            what = f"{design}, {penalty}, alpha {path.alphas[k]:.2g}, {kept} of {X.shape[1]:,} columns"
            if l1_ratio and path.stopped == "max_seconds":
                what += ", ended by the seconds"
            yield scores[k], what, seconds


def main() -> None:
    """Print the grid for the names given, or for all."""
    warnings.simplefilter("ignore")
    for name in sys.argv[2:] or TABLES:
        train, y, test, y_test = split(name, Path(sys.argv[1]))
        best, total = (-np.inf, ""), 0.0
        for score, what, seconds in best_of_each(train, y, test, y_test):
            print(f"| {name} | {what} | {score:.4f} | {seconds:.1f} |", flush=True)
            best, total = max(best, (score, what)), total + seconds
        print(f"| {name} | best: {best[1]} | {best[0]:.4f} | {total:.1f} |", flush=True)


if __name__ == "__main__":
    main()

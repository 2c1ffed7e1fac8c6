"""Claim counts with exposure, an l1 Poisson loss: sparsereg beside glum, on the crosses of brand, region and age bands.

    python benchmarks/claims.py [--rows 678013] [--ends 0.05,0.01]

CPU seconds of one cold fit with one thread, at the loosest tolerance that comes within 1e-4 of the null model's
deviance of the minimum, and the mean deviances of both packages at tight tolerances. The target is claims a year,
weighted by exposure; that is the likelihood of the counts with the logarithm of exposure as offset.
"""

from __future__ import annotations

import os
import time

import click
import numpy as np
import scipy.sparse as sp
from glum import GeneralizedLinearRegressor
from real import _crossed, data_file

from sparsereg import PoissonRegressor

REQUIRED = 1e-4
TIGHT = 1e-10


def data(rows: int | None) -> tuple[sp.csr_array, np.ndarray, np.ndarray]:
    """(X, claims a year, exposure)."""
    import pandas as pd

    table = pd.read_csv(data_file("freMTPL2freq.csv.gz"), nrows=rows)
    table = table.assign(driver=np.minimum(table["DrivAge"] // 5, 16), car=np.minimum(table["VehAge"] // 3, 7))
    blocks = ["VehBrand", "Region", "driver", "car", "VehBrand*Region", "Region*driver", "VehBrand*driver"]
    X = _crossed(table, [*blocks, "VehBrand*Region*driver"])
    exposure = table["Exposure"].to_numpy(dtype=np.float64)
    return X, table["ClaimNb"].to_numpy(dtype=np.float64) / exposure, exposure


def deviance(y: np.ndarray, weights: np.ndarray, e: np.ndarray) -> float:
    """The mean Poisson deviance at the predictor e."""
    logs = np.where(y > 0, y * (np.log(np.where(y > 0, y, 1.0)) - e), 0.0)
    return float(2.0 * np.average(logs - y + np.exp(e), weights=weights))


def ours(X, y: np.ndarray, weights: np.ndarray, alpha: float, tol: float) -> tuple[np.ndarray, float]:
    model = PoissonRegressor(alpha=alpha, l1_ratio=1.0, tol=tol, max_iter=100_000).fit(X, y, sample_weight=weights)
    return np.ravel(model.coef_), float(model.intercept_)


def glum(X, y: np.ndarray, weights: np.ndarray, alpha: float, tol: float) -> tuple[np.ndarray, float]:
    asked = {"family": "poisson", "alpha": alpha, "l1_ratio": 1.0, "gradient_tol": tol, "max_iter": 1000}
    model = GeneralizedLinearRegressor(**asked, scale_predictors=False).fit(X, y, sample_weight=weights)
    return np.ravel(model.coef_), float(model.intercept_)


@click.command(context_settings={"show_default": True})
@click.option("--rows", type=int, help="So many rows of the file. Default: all.")
@click.option("--ends", default="0.05,0.01", help="Strengths, as shares of alpha_max.")
def main(rows: int | None, ends: str) -> None:
    """Print a table in Markdown."""
    X, y, weights = data(rows)
    by_column = sp.csc_matrix(X)
    mean = np.average(y, weights=weights)
    largest = np.abs(X.T @ (weights * (y - mean))).max() / weights.sum()
    null = deviance(y, weights, np.full(len(y), np.log(mean)))
    print(f"{X.shape[0]:,} rows x {X.shape[1]:,} columns, null deviance {null:.6g}\n")
    print("| end | columns | sparsereg | glum | ratio | deviance, sparsereg | less glum's |\n|" + " --- |" * 7)
    for end in map(float, ends.split(",")):
        alpha = largest * end

        def value(found: tuple[np.ndarray, float], alpha: float = alpha) -> tuple[float, float]:
            w, b = found
            d = deviance(y, weights, X @ w + b)
            return 0.5 * d + alpha * np.abs(w).sum(), d

        seconds, finest = [], []
        w, b = ours(X, y, weights, alpha, TIGHT)
        least = value((w, b))[0]
        for solve, matrix, tols in ((ours, X, (1e-4, 1e-5)), (glum, by_column, (1e-2, 1e-3, 1e-4, 1e-5, 1e-6))):
            for tol in tols:
                start = time.process_time()
                found = solve(matrix, y, weights, alpha, tol)
                seconds.append(time.process_time() - start)
                if value(found)[0] - least <= 0.5 * REQUIRED * null:
                    break
                seconds.pop()
            finest.append((w, b) if solve is ours else glum(by_column, y, weights, alpha, 1e-9))
        (a, g), (here, there) = (value(one)[1] for one in finest), seconds
        cells = [f"{end:g}", str(np.count_nonzero(w)), f"{here:.3g}", f"{there:.3g}", f"{there / here:.1f}"]
        print(f"| {' | '.join([*cells, f'{a:.10g}', f'{a - g:.1e}'])} |")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

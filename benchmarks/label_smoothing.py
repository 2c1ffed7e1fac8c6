"""Calibration before and after label smoothing, on the census rows: all, few, and few with labels turned over.

    python benchmarks/label_smoothing.py [folder of the data]

Logistic regression on crosses of the census fields, at a penalty that is too weak and at the one of the best held-out
log-loss; the rows of the test split are scored with the labels of the file. Prints the table in docs/losses.md, and
writes the figure beside it where matplotlib is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from sparsereg import FeatureCross, LogisticRegression, Quantiles

TENTHS = 10
NOISE = 0.2
FEW = 2_000
STRENGTHS = (100.0, 0.1)
SMOOTHING = (0.0, 0.1, 0.2)


def census() -> pd.DataFrame:
    """The rows, from the folder given or SPARSEREG_DATA."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SPARSEREG_DATA", default))
    return pd.read_csv(folder / "adult_census.csv.gz")


def encoded(table: pd.DataFrame):
    """X and labels of both splits."""
    names = ["workclass", "education", "marital-status", "occupation", "relationship", "native-country"]
    cross = FeatureCross(
        fields=[*names, "age", "hours-per-week"],
        bins={"age": Quantiles(10), "hours-per-week": Quantiles(5)},
        crosses=[("occupation", "education"), ("age", "hours-per-week"), ("occupation", "age"), ("education", "age")],
    )
    train = table["split"] == "train"
    y = (table["classification"] == ">50K").to_numpy()
    return cross.fit_transform(table[train]), y[train], cross.transform(table[~train]), y[~train]


def scores(p: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Log-loss, the mean distance of predicted and observed shares in ten groups of rows, and accuracy."""
    log_loss = -np.mean(np.log(np.where(y, p, 1.0 - p)))
    groups = np.array_split(np.argsort(p, kind="stable"), TENTHS)
    apart = np.mean([abs(p[rows].mean() - y[rows].mean()) for rows in groups])
    return float(log_loss), float(apart), float(np.mean((p > 0.5) == y))


def curve(p: np.ndarray, y: np.ndarray) -> tuple[list[float], list[float]]:
    groups = np.array_split(np.argsort(p, kind="stable"), TENTHS)
    return [p[rows].mean() for rows in groups], [y[rows].mean() for rows in groups]


def main() -> None:
    X, y, X_test, y_test = encoded(census())
    few = np.random.default_rng(0).permutation(y.size)[:FEW]
    turned = y[few] ^ (np.random.default_rng(1).random(FEW) < NOISE)
    fits = {
        f"{y.size:,}": (X, y),
        f"{FEW:,}": (X[few], y[few]),
        f"{FEW:,}, {NOISE:.0%} of labels turned over": (X[few], turned),
    }
    print("| rows of the fit | C | eps | log-loss | miscalibration | accuracy | largest p |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    curves = {}
    for name, (rows, labels) in fits.items():
        for C in STRENGTHS:
            for eps in SMOOTHING:
                model = LogisticRegression(C=C, label_smoothing=eps).fit(rows, labels)
                p = model.predict_proba(X_test)[:, 1]
                row = scores(p, y_test)
                curves[name, C, eps] = curve(p, y_test)
                cells = f"{row[0]:.4f} | {row[1]:.4f} | {row[2]:.4f} | {p.max():.4f}"
                print(f"| {name} | {C:g} | {eps:g} | {cells} |")
    draw(curves)


def draw(curves: dict) -> None:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        return
    names = list(dict.fromkeys(name for name, _, _ in curves))
    figure, axes = plt.subplots(1, len(names), figsize=(10, 3.6), sharey=True)
    for axis, name in zip(axes, names, strict=True):
        axis.plot([0, 1], [0, 1], color="0.8")
        for eps in SMOOTHING:
            axis.plot(*curves[name, STRENGTHS[0], eps], marker="o", markersize=3, label=f"eps = {eps:g}")
        axis.set(title=name.replace(" of labels", "\nof labels"), xlabel="predicted probability")
    axes[0].set_ylabel("observed share, test rows")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(Path(__file__).parents[1] / "docs" / "label_smoothing.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()

"""Ridge beside the chosen model of `fit --html`: what another penalty does to the weights, and which predicts more."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.cli.console import Terminal
from sparsereg.linear_model.ridge import Ridge
from sparsereg.linear_model.ridge_path import ridge_path
from sparsereg.report.evidence import Evidence
from sparsereg.report.histograms import histogram_rows
from sparsereg.report.samples import Sample
from sparsereg.results import PathResult

__all__ = ["with_ridge"]

Vector = NDArray[np.float64]

ALPHAS = np.geomspace(1000.0, 1.0, 7)
# Above so many entries of X, ridge would take longer than all else.
MAX_ENTRIES = 20_000_000


def with_ridge(
    options: dict[str, Any],
    path: PathResult,
    evidence: Evidence,
    train: Sample,
    held: Sample | tuple[NDArray[np.int64], NDArray[np.int64]],
    terminal: Terminal,
) -> dict[str, Any]:
    """What the model file keeps: histograms with ridge at the best of 7 strengths, and its held-out score.

    `held` are rows held out, or a fold of the rows of the fit, which chooses the strength without a score to compare.
    Nothing without --html, for other losses than squares, with an offset, and for very large X.
    """
    squares = path.loss == "squared" and len(path.outputs) == 1 and train.offset is None
    if options["html_file"] is None or not squares or train.n_entries > MAX_ENTRIES:
        return {}
    with terminal.working("Ridge, to compare"):
        if isinstance(held, Sample):
            scores = _scores(train, held)
            score: float | None = float(scores.max())
        else:
            scores, score = _scores(_some(train, held[0]), _some(train, held[1])), None
        best = Ridge(alpha=float(ALPHAS[np.argmax(scores)])).fit(train.X, train.y, sample_weight=train.weight)
    name = f"ridge, alpha {best.alpha:.3g}"
    rows = histogram_rows(path, evidence, 0, {name: (np.asarray(best.sparse_coef_.toarray()[0]), score)})
    return {"histograms": rows}


def _some(sample: Sample, rows: NDArray[np.int64]) -> Sample:
    weight = None if sample.weight is None else sample.weight[rows]
    return Sample(sample.X[rows], sample.y[rows], weight, sample.targets[rows])


def _scores(train: Sample, held: Sample) -> Vector:
    """The held-out R2 at each strength; the null model predicts the mean of the rows of the fit."""
    fits = ridge_path(train.X, train.y, alphas=ALPHAS, sample_weight=train.weight)
    null = np.average(train.y, weights=train.weight)
    errors = [held.y - fits.predict(held.X, k) for k in range(ALPHAS.size)]
    losses = [np.average(error**2, weights=held.weight) for error in (*errors, held.y - null)]
    return 1.0 - np.array(losses[:-1]) / losses[-1]

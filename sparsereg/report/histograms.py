"""What a penalty does to the weights: their histograms, with the exact zeros counted apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.report.outcomes import excess_loss
from sparsereg.report.samples import Sample, loss_of

if TYPE_CHECKING:
    from sparsereg.report.evidence import Evidence
    from sparsereg.results import PathResult

__all__ = ["BINS", "histogram_rows", "reference_weights"]

Row = dict[str, Any]
Vector = NDArray[np.float64]

BINS = 61  # odd: the middle bin is around 0
# The axis ends where all but this share of each panel's weights lie inside.
_OUTSIDE = 0.01


def reference_weights(
    references: Mapping[str, Any], path: PathResult, held: Sample | None
) -> dict[str, tuple[Vector, float | None]]:
    """The weights of fitted estimators, and the held-out score of each where there are held-out rows."""
    found: dict[str, tuple[Vector, float | None]] = {}
    for name, estimator in references.items():
        sparse = getattr(estimator, "sparse_coef_", None)
        coef = getattr(estimator, "coef_", None) if sparse is None else sp.csr_array(sparse).toarray()
        if coef is None or np.size(coef) != path.n_features:
            size = "no coef_" if coef is None else f"{np.size(coef)} coefficients"
            raise ValueError(
                f"references[{name!r}] has {size}; pass an estimator fitted on the {path.n_features} columns of X."
            )
        score = None
        if held is not None and held.offset is None and len(path.outputs) == 1 and loss_of(path).quadratic:
            loss, s = loss_of(path), held.weight
            null = loss.null_predictor(held.y, s)
            predicted = np.asarray(estimator.predict(held.X), dtype=np.float64).reshape(-1)
            parts = [excess_loss(loss, held.y, z) for z in (predicted, np.full(held.n_rows, null))]
            error, of = (float(np.average(part, weights=s)) for part in parts)
            score = 1.0 - error / of if of > 0.0 else None
        found[name] = np.ravel(coef).astype(np.float64), score
    return found


def histogram_rows(
    path: PathResult,
    evidence: Evidence,
    output: int,
    references: Mapping[str, tuple[Vector, float | None]],
) -> list[Row]:
    """A histogram for each reference and for the described point; without references, for three points of the path."""
    point, k = evidence.point, path.alphas.size
    held = evidence.held
    panels: list[tuple[str, int | None, Vector, float | None]] = [
        (name, None, w[w != 0.0], score) for name, (w, score) in references.items()
    ]
    for name, at in [("chosen", point)] if references else _three(path, output, point, k):
        w = path.point(at, output)[1].astype(np.float64)
        panels.append((name, at, w[w != 0.0], None if held is None else held[at]))
    limit = max((float(np.quantile(np.abs(w), 1.0 - _OUTSIDE)) for _, _, w, _ in panels if w.size), default=0.0)
    if limit == 0.0:
        return []
    edges = np.linspace(-limit, limit, BINS + 1)
    rows = []
    for name, place, w, score in panels:
        counts, _ = np.histogram(w, edges)
        row: Row = {"name": name, "point": place, "limit": limit, "counts": counts.tolist()}
        row |= {"n_zero": int(path.n_features - w.size), "n_nonzero": int(w.size), "held": score}
        row |= {"largest": float(np.abs(w).max(initial=0.0)), "n_beyond": int(w.size - counts.sum())}
        rows.append(row)
    return rows


def _three(path: PathResult, output: int, point: int, k: int) -> list[tuple[str, int]]:
    """A point with few columns, the described one and the weakest."""
    counts = path.outputs[output].counts()
    few = np.flatnonzero(counts >= 0.1 * counts[point])
    strong = int(few[0]) if few.size else 0
    found = [("stronger", strong)] if 0 < strong < point else []
    return [*found, ("chosen", point), *([("weakest", k - 1)] if k - 1 > point else [])]

"""The rows of a `SparsityReport`'s tables by strength and by field or cross, from coefficients to lists of dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.report.support import column_rows_in_fit

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.report.evidence import Evidence
    from sparsereg.results import OutputCoefficients

__all__ = ["block_rows", "path_rows", "plain"]

Row = dict[str, Any]
Ints = NDArray[np.int64]
Vector = NDArray[np.float64]


def path_rows(coefs: OutputCoefficients, values: Mapping[str, Any], evidence: Evidence) -> list[Row]:
    """One row a point: counts and norms of its coefficients, the further `values` of each point, held-out scores."""
    n_columns, n_points = coefs.shape
    rows = []
    for point in range(n_points):
        w = coefs.point(point)[1].astype(np.float64)
        n_nonzero = int(np.count_nonzero(w))
        undecided = None if evidence.undecided is None else evidence.undecided[point]
        row: Row = {
            "point": point,
            "alpha": values["alpha"][point],
            "n_nonzero": n_nonzero,
            "density": n_nonzero / n_columns,
            "deviance_explained": values["deviance_explained"][point],
            "held": None if evidence.held is None else evidence.held[point],
            "held_error": None if evidence.held_error is None else evidence.held_error[point],
            "undecided": undecided,
            "proved_zero": None if undecided is None else n_columns - n_nonzero - undecided,
            "l1_norm": float(np.abs(w).sum()),
            "l2_norm": float(np.linalg.norm(w)),
        }
        row |= {name: value[point] for name, value in values.items()}
        rows.append({name: plain(value) for name, value in row.items()})
    return rows


def block_rows(
    cross: FeatureCross, coefs: OutputCoefficients, point: int, df_is_count: bool, evidence: Evidence
) -> list[Row]:
    """One row a field or cross.

    `df_is_count`: each non-zero coefficient is one degree of freedom, as in the lasso; otherwise they are unknown here.
    """
    blocks = cross.blocks_
    stops = [block.stop for block in blocks]
    counts_by_point = [_counts(coefs, k, stops) for k in range(coefs.shape[1])]
    columns, w = coefs.point(point)
    columns, w = columns[w != 0.0], w[w != 0.0].astype(np.float64)
    owner = np.searchsorted(stops, columns, side="right")
    counts = np.bincount(owner, minlength=len(blocks)).tolist()
    weights = np.bincount(owner, weights=np.abs(w), minlength=len(blocks)).tolist()
    total = sum(weights) or 1.0
    support = column_rows_in_fit(cross, columns)
    shares = evidence.variance_share if evidence.point == point else None
    rows = []
    for place, (block, count, weight) in enumerate(zip(blocks, counts, weights, strict=True)):
        known = support[(owner == place) & (support >= 0)]
        rows.append(
            {
                "name": block.name,
                "fields": list(block.fields),
                "n_cells": block.n_cells,
                "n_observed": block.n_observed,
                "n_nonzero": count,
                "n_nonzero_path": [by_block[place] for by_block in counts_by_point],
                "median_rows": float(np.median(known)) if known.size else None,
                "weight": weight,
                "weight_share": weight / total,
                "df": float(count) if df_is_count else None,
                "df_error": 0.0 if df_is_count else None,
                "shrinkage_factor": count / max(block.n_observed, 1) if df_is_count else None,
                "variance_share": None if shares is None else shares[place],
            }
        )
    return rows


def _counts(coefs: OutputCoefficients, point: int, stops: list[int]) -> list[int]:
    """Non-zero coefficients of each block at one point."""
    columns, w = coefs.point(point)
    owner = np.searchsorted(stops, columns[w != 0.0], side="right")
    counts: list[int] = np.bincount(owner, minlength=len(stops)).tolist()
    return counts


def plain(value: Any) -> Any:
    """NumPy scalars as Python numbers."""
    return value.item() if isinstance(value, np.generic) else value

"""The rows of a `SparsityReport`'s tables, from coefficients to lists of dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.results import OutputCoefficients

__all__ = ["block_rows", "column_rows", "path_rows", "plain"]

Row = dict[str, Any]
Ints = NDArray[np.int64]
Vector = NDArray[np.float64]


def path_rows(coefs: OutputCoefficients, values: Mapping[str, Any]) -> list[Row]:
    """One row a point: counts and norms of its coefficients, and the further `values` of each point."""
    n_columns, n_points = coefs.shape
    rows = []
    for point in range(n_points):
        w = coefs.point(point)[1].astype(np.float64)
        n_nonzero = int(np.count_nonzero(w))
        row: Row = {
            "point": point,
            "alpha": values["alpha"][point],
            "n_nonzero": n_nonzero,
            "density": n_nonzero / n_columns,
            "deviance_explained": values["deviance_explained"][point],
            "l1_norm": float(np.abs(w).sum()),
            "l2_norm": float(np.linalg.norm(w)),
        }
        row |= {name: value[point] for name, value in values.items()}
        rows.append({name: plain(value) for name, value in row.items()})
    return rows


def block_rows(cross: FeatureCross, columns: Ints, w: Vector, df_is_count: bool) -> list[Row]:
    """One row a field or cross, from the non-zero coefficients `w` at `columns`.

    `df_is_count`: each non-zero coefficient is one degree of freedom, as in the lasso; otherwise they are unknown here.
    """
    blocks = cross.blocks_
    owner = np.searchsorted([block.stop for block in blocks], columns, side="right")
    counts = np.bincount(owner, minlength=len(blocks)).tolist()
    weights = np.bincount(owner, weights=np.abs(w), minlength=len(blocks)).tolist()
    total = sum(weights) or 1.0
    return [
        {
            "name": block.name,
            "fields": list(block.fields),
            "n_cells": block.n_cells,
            "n_observed": block.n_observed,
            "n_nonzero": count,
            "weight": weight,
            "weight_share": weight / total,
            "df": float(count) if df_is_count else None,
            "df_error": 0.0 if df_is_count else None,
            "shrinkage_factor": count / max(block.n_observed, 1) if df_is_count else None,
            "variance_share": None,
        }
        for block, count, weight in zip(blocks, counts, weights, strict=True)
    ]


def column_rows(columns: Ints, w: Vector, top: int, cross: FeatureCross | None, names: Any) -> list[Row]:
    """The `top` largest coefficients; names of other columns are not made."""
    order = np.argsort(-np.abs(w), kind="stable")[:top]
    largest = columns[order]
    if cross is not None:
        words = cross.feature_names(largest)
    elif names is not None:
        words = [str(names[column]) for column in largest.tolist()]
    else:
        words = [f"column {column}" for column in largest.tolist()]
    rows = zip(words, largest.tolist(), w[order].tolist(), strict=True)
    return [{"name": name, "column": column, "coefficient": coefficient} for name, column, coefficient in rows]


def plain(value: Any) -> Any:
    """NumPy scalars as Python numbers."""
    return value.item() if isinstance(value, np.generic) else value

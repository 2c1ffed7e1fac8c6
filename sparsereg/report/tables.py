"""The rows of a `SparsityReport`'s tables. It may not know where coefficients come from, nor how rows are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross

__all__ = ["block_rows", "column_rows", "path_rows", "plain"]

Row = dict[str, Any]
Ints = NDArray[np.int64]


def path_rows(coefs: sp.csc_array, known: Mapping[str, Any]) -> list[Row]:
    """One row a point, with what is `known` of it beside its coefficients."""
    n_columns = coefs.shape[0]
    rows = []
    for point, (begin, end) in enumerate(zip(coefs.indptr[:-1], coefs.indptr[1:], strict=True)):
        values = coefs.data[begin:end].astype(np.float64)
        n_nonzero = int(np.count_nonzero(values))
        row: Row = {
            "point": point,
            "alpha": known["alpha"][point],
            "n_nonzero": n_nonzero,
            "density": n_nonzero / n_columns,
            "deviance_explained": known["deviance_explained"][point],
            "l1_norm": float(np.abs(values).sum()),
            "l2_norm": float(np.linalg.norm(values)),
        }
        rows.append({name: plain(value) for name, value in (row | {key: known[key][point] for key in known}).items()})
    return rows


def block_rows(cross: FeatureCross, columns: Ints, weights: NDArray[np.float64], lasso: bool) -> list[Row]:
    """One row a field or cross. `lasso`: each surviving column is one degree of freedom; else nobody knows yet."""
    blocks = cross.blocks_
    owner = np.searchsorted([block.stop for block in blocks], columns, side="right")
    counts = np.bincount(owner, minlength=len(blocks)).tolist()
    sums = np.bincount(owner, weights=np.abs(weights), minlength=len(blocks)).tolist()
    total = sum(sums) or 1.0
    return [
        {
            "name": block.name,
            "fields": list(block.fields),
            "n_cells": block.n_cells,
            "n_observed": block.n_observed,
            "n_nonzero": count,
            "weight": weight,
            "weight_share": weight / total,
            "df": float(count) if lasso else None,
            "df_error": 0.0 if lasso else None,
            "shrinkage_factor": count / max(block.n_observed, 1) if lasso else None,
            "variance_share": None,
        }
        for block, count, weight in zip(blocks, counts, sums, strict=True)
    ]


def column_rows(
    columns: Ints, weights: NDArray[np.float64], top: int, cross: FeatureCross | None, names: Any
) -> list[Row]:
    """The heaviest columns; only their names are made."""
    order = np.argsort(-np.abs(weights), kind="stable")[:top]
    chosen = columns[order]
    if cross is not None:
        words = cross.feature_names(chosen)
    elif names is not None:
        words = [str(names[column]) for column in chosen.tolist()]
    else:
        words = [f"column {column}" for column in chosen.tolist()]
    found = zip(words, chosen.tolist(), weights[order].tolist(), strict=True)
    return [{"name": name, "column": column, "coefficient": weight} for name, column, weight in found]


def plain(value: Any) -> Any:
    """NumPy scalars as Python's own."""
    return value.item() if isinstance(value, np.generic) else value

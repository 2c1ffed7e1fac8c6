"""How many rows stand behind a column, and how much it moves the predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.report.evidence import Evidence

__all__ = ["column_rows_in_fit", "deviations"]

Ints = NDArray[np.int64]
Vector = NDArray[np.float64]


def column_rows_in_fit(cross: FeatureCross, columns: Ints) -> Ints:
    """Rows of fit in which each column (m,) is 1, from the counts of the cross; -1 where it has none."""
    blocks = cross.blocks_
    owner = np.searchsorted([block.stop for block in blocks], columns, side="right")
    rows = np.full(columns.size, -1, dtype=np.int64)
    for number in np.unique(owner).tolist():
        block = blocks[number]
        if not block.counts.size:  # a number, or hashed
            continue
        of_columns = block.counts[block.kept_codes].astype(np.int64)
        if block.has_rare:
            of_columns = np.append(of_columns, block.counts.sum() - of_columns.sum())
        chosen = owner == number
        rows[chosen] = of_columns[columns[chosen] - block.start]
    return rows


def deviations(cross: FeatureCross | None, evidence: Evidence, columns: Ints) -> tuple[Ints, Vector]:
    """Rows and standard deviation of columns (m,): `sqrt(q (1 - q))` of one that is 1 in a share q of the rows.

    -1 and NaN where unknown. What was measured on the rows comes before what follows from the counts of the cross,
    which know no sample weights.
    """
    rows, deviation = np.full(columns.size, -1, dtype=np.int64), np.full(columns.size, np.nan)
    if cross is not None:
        rows = column_rows_in_fit(cross, columns)
        share = rows / cross.n_rows_
        known = rows >= 0
        deviation[known] = np.sqrt(np.maximum(share * (1.0 - share), 0.0))[known]
    measured: dict[str, list[Any]] | None = evidence.columns
    if measured and columns.size:
        held = np.array(measured["column"], dtype=np.int64)
        order = np.argsort(held)
        place = np.append(order, -1)[np.searchsorted(held, columns, sorter=order)]
        hit = np.append(held, -1)[place] == columns
        rows[hit] = np.array([*measured["rows"], -1])[place[hit]]
        deviation[hit] = np.array([*measured["deviation"], np.nan])[place[hit]]
    return rows, deviation

"""What users pass as a table in parts: Parquet files, a dask frame, delayed partitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np

from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.over_parts import Screen
from sparsereg.crosses.parquet import ParquetRows
from sparsereg.crosses.part_tables import TablePart, TargetColumns
from sparsereg.crosses.parts_plan import FitPlan
from sparsereg.crosses.scratch import encode_part, own_columns
from sparsereg.dask.engine import DaskEngine, FramePart
from sparsereg.rows.partition import Partition
from sparsereg.rows.partitioned import PartitionedRows

__all__ = ["DaskRows", "DaskTables", "encoded_rows", "tables_of"]


@dataclass(frozen=True, eq=False)
class DaskTables:
    """Tables in parts on a cluster, as `TableParts`.

    Attributes
    ----------
    parts : list of TablePart or FramePart
    names : list of str
        The fields.
    n_rows : int
    target : str or None
    engine : DaskEngine
    files : ParquetRows or None
        Where the parts come from.
    """

    parts: list[Any]
    names: list[str]
    n_rows: int
    target: str | None
    engine: DaskEngine
    files: ParquetRows | None = None

    def with_classes(self, classes: tuple[Any, Any]) -> DaskTables:
        """The same with the target's two values as 0 and 1."""

        def changed(part: TablePart) -> TablePart:
            return replace(part, targets=replace(part.targets, classes=classes))

        parts = [
            FramePart(changed(part.part), part.table) if isinstance(part, FramePart) else changed(part)
            for part in self.parts
        ]
        return replace(self, parts=parts, files=None)

    def largest_target(self, mean: float) -> float | None:
        """By the files' footers, where there are files."""
        return None if self.files is None else self.files.largest_target(mean)


class DaskRows(PartitionedRows):
    """Rows encoded on the workers of a cluster, each part the result of a task."""


def tables_of(
    X: Any, target: str | None, weight: str | None, engine: DaskEngine, offset: str | None = None
) -> DaskTables:
    """Tables in parts from Parquet files (names, patterns, `ParquetRows`), a dask frame or delayed partitions.

    Raises
    ------
    ValueError
        For anything else, and for names that are not columns.
    """
    if isinstance(X, ParquetRows):
        given = {"target": target, "weight": weight, "offset": offset}
        others: dict[str, Any] = {name: value for name, value in given.items() if value not in (None, getattr(X, name))}
        X = replace(X, **others) if others else X
        return DaskTables(list(X.parts), X.names, X.n_rows, X.target, engine, X)
    if isinstance(X, (str, Path)) or (isinstance(X, Sequence) and X and isinstance(X[0], (str, Path))):
        return tables_of(ParquetRows(X, target=target, weight=weight, offset=offset), None, None, engine)
    delayed = X.to_delayed() if hasattr(X, "to_delayed") and hasattr(X, "columns") else X
    if not isinstance(delayed, Sequence) or not delayed or not all(hasattr(one, "dask") for one in delayed):
        raise ValueError(
            f"X is a {type(X).__name__}; expected Parquet files, a dask frame, or a list of delayed tables."
        )
    tables = engine.client.compute(list(delayed))
    targets = TargetColumns(target, weight, offset)
    parts = [FramePart(TablePart(number, (), None, targets), table) for number, table in enumerate(tables)]
    found = list(engine.map(columns_and_length, parts))
    names = found[0][0]
    for role, name in (("y", target), ("sample_weight", weight), ("offset", offset)):
        if name is not None and name not in names:
            raise ValueError(f"{role}={name!r} is not among the columns {names}; pass the name of a column.")
    fields = [name for name in names if name not in targets.columns]
    return DaskTables(parts, fields, sum(n for _, n in found), target, engine)


def columns_and_length(part: TablePart) -> tuple[list[str], int]:
    """The names of a table's columns, and its rows."""
    frame = nw.from_native(part.table, eager_only=True)
    return list(frame.columns), len(frame)


def distinct_targets(part: TablePart) -> tuple[list[Any], float, float]:
    """At most three values of the target, and the least and the largest; NaN for texts."""
    name = part.targets.target
    assert name is not None
    values = nw.from_native(part.raw([name]), eager_only=True)[name].drop_nulls()
    if not values.dtype.is_numeric():
        return values.cast(nw.String).unique().sort().head(3).to_list(), np.nan, np.nan
    if not len(values):
        return [], np.inf, -np.inf
    return values.unique().sort().head(3).to_list(), float(values.min()), float(values.max())


def mean_parts(part: Partition) -> tuple[float, float]:
    """See `Partition.target_sums`."""
    return part.target_sums()


def encoded_rows(cross: FeatureCross, tables: DaskTables, screen: Screen | None, held_out: bool = False) -> DaskRows:
    """The rows to fit, or held out, as codes of the columns of a cross, which is fitted first if need be."""
    engine = tables.engine
    if not hasattr(cross, "n_features_out_"):
        cross._fit_parts(tables, screen)
    layout = cross._layout
    plan, columns = FitPlan.of_layout(layout), own_columns(layout)
    parts = engine.hold(encode_part, tables.parts, plan, layout, columns, held_out)
    sums = list(engine.map(mean_parts, parts))
    center = sum(sy for _, sy in sums) / (sum(s for s, _ in sums) or 1.0)
    return DaskRows(parts, engine, layout.n_columns, center, getattr(cross, "eliminated_length_", 0))

"""`Prediction`: a model applied to the rows of a file, its R2 there, and the output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sparsereg.cli.column_types import ColumnTypes
from sparsereg.cli.tables import CsvFormat, finite_numbers, list_names, read_table
from sparsereg.serving.atomic_write import write_whole
from sparsereg.serving.model_file import Model

__all__ = ["Prediction", "score_name"]

_OUTPUT = "prediction"
# Rows that are written to the standard output together.
_OUTPUT_ROWS = 1 << 16


@dataclass(frozen=True)
class Prediction:
    """A model and the rows to predict: `source` as read, `table` the columns of the model in the types of fit."""

    model: Model
    source: pl.DataFrame
    table: pl.DataFrame
    is_csv: bool
    csv: CsvFormat

    @classmethod
    def read(cls, model: Model, file: Path, csv: CsvFormat, note: Callable[[str], None]) -> Prediction:
        """Read a file. A ValueError names a column that is not there or does not hold what it held in fit."""
        cross = model.cross
        assert cross is not None
        source, is_csv = read_table(file, csv)
        types = ColumnTypes.for_predict(cross, csv, model.meta.get("date_formats", {}))
        if absent := [name for name in types.types if name not in source.columns]:
            raise ValueError(
                f"{file} has no column {absent[0]!r}, which the model was fitted on; "
                f"it has {list_names(source.columns)}."
            )
        table = types.apply(source.select(list(types.types)), is_csv, note)
        for name in cross.numbers_:
            if table[name].null_count():
                raise ValueError(f"column {name!r} has missing values, but was fitted with --numeric; fill them.")
            finite_numbers(table[name], "column")
        return cls(model, source, table, is_csv, csv)

    def run(self, point: int | None, keep: Sequence[str], out: Path | None) -> pl.DataFrame:
        """Predict, and write the predictions beside the columns to `keep`."""
        n_points = self.model.path.alphas.size
        if point is not None and not -n_points <= point < n_points:
            raise ValueError(
                f"--point {point} is not one of the path's {n_points} points, 0 to {n_points - 1} or negative."
            )
        for name in keep:
            if name not in self.source.columns:
                raise ValueError(
                    f"--keep names {name!r}, which is not among the columns {list_names(self.source.columns)}."
                )
            if name == _OUTPUT:
                raise ValueError(
                    f"--keep names {name!r}, which is the name of the output's own column; rename it in the file."
                )
        predicted = self.model.predict(self.table, point) if self.source.height else np.empty(0)
        kept = self.source.select(list(keep))
        to_parquet = out is not None and out.suffix.lower() in (".parquet", ".pq")
        if to_parquet:
            kept = ColumnTypes({}, self.csv).apply(kept, self.is_csv, lambda _: None)
        result = pl.DataFrame([*kept, pl.Series(_OUTPUT, predicted, dtype=pl.Float64)])
        if out is None:
            _print(result)
            return result
        with write_whole(out) as sink:
            if to_parquet:
                result.write_parquet(sink)
            else:
                result.write_csv(sink)
        return result

    def score(self, predicted: NDArray[np.float64]) -> str | None:
        """R2 in the scale and with the weights of fit, in a sentence, if the file holds the target."""
        meta = self.model.meta
        target, weight = meta.get("target"), meta.get("weight")
        if target not in self.source.columns or not self.source.height:
            return None
        y = _numbers(self.source[target])
        has_weight = weight is not None and weight in self.source.columns
        s = _numbers(self.source[weight]) if has_weight else np.ones(y.size)
        if meta.get("log_target"):
            with np.errstate(divide="ignore", invalid="ignore"):
                y, predicted = np.log(y), np.log(predicted)
        known = np.isfinite(y) & (s >= 0) & np.isfinite(s)
        if not s[known].sum() > 0:
            return None
        y, s = y[known], s[known]
        mean = meta.get("train_mean", np.average(y, weights=s))
        null_error = float(s @ (y - mean) ** 2)
        if null_error == 0:
            return None
        r2 = 1.0 - float(s @ (y - predicted[known]) ** 2) / null_error
        unweighted = f", unweighted as the file has no {weight}" if weight is not None and not has_weight else ""
        return f"{score_name(meta)} {r2:.4f}{unweighted}, on the {y.size:,} rows that hold {target}."


def score_name(meta: Mapping[str, Any]) -> str:
    """What R2 is computed of: the target or its logarithm, and with which weights."""
    scale = f" of log({meta['target']})" if meta.get("log_target") else ""
    return f"R2{scale}" + (f" weighted by {meta['weight']}" if meta.get("weight") else "")


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    """The values (n,), NaN where they are no numbers."""
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _print(result: pl.DataFrame) -> None:
    """Write a CSV to the standard output, in pieces."""
    for begin in range(0, max(result.height, 1), _OUTPUT_ROWS):
        piece = result[begin : begin + _OUTPUT_ROWS].write_csv(include_header=begin == 0)
        sys.stdout.write(piece)
    sys.stdout.flush()

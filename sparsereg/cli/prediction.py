"""`Prediction`: a model applied to the rows of a file, its R2 there, and the output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sparsereg.cli.column_types import ColumnTypes
from sparsereg.cli.tables import CsvFormat, finite_numbers, list_names, read_table
from sparsereg.cli.targets import TargetKind
from sparsereg.data.atomic_write import write_whole
from sparsereg.losses import as_loss
from sparsereg.report.outcomes import excess_loss
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
    z: list[NDArray[np.float64]] = field(default_factory=list)  # the linear predictors, once there are any

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
        self.z[:] = [self.model.predictors(self.table, point) if self.source.height else np.empty(0)]
        kept = self.source.select(list(keep))
        to_parquet = out is not None and out.suffix.lower() in (".parquet", ".pq")
        if to_parquet:
            kept = ColumnTypes({}, self.csv).apply(kept, self.is_csv, lambda _: None)
        result = pl.DataFrame([*kept, *self._columns(self.z[0])])
        if out is None:
            _print(result)
            return result
        with write_whole(out) as sink:
            if to_parquet:
                result.write_parquet(sink)
            else:
                result.write_csv(sink)
        return result

    def _target(self, column: pl.Series) -> NDArray[np.float64]:
        """The target as the loss has it, NaN where it is unknown."""
        classes = self.model.path.classes
        if classes is None:
            return _numbers(column)
        kind = TargetKind(self.model.path.loss, classes)
        values = column.cast(pl.String) if kind.is_text else column.cast(pl.Float64, strict=False)
        labels = classes if kind.is_text else classes.astype(np.float64)
        known = values.is_in(labels.tolist()).fill_null(False).to_numpy()
        y = np.full(len(column), np.nan)
        y[known] = kind.numbers(values.filter(known))
        return y

    def _columns(self, z: NDArray[np.float64]) -> list[pl.Series]:
        """Predictions: numbers; or classes, with the probability of the second."""
        path = self.model.path
        if path.classes is None:
            means = np.exp(z) if self.model.meta.get("log_target") else path.means(z)
            return [pl.Series(_OUTPUT, means, dtype=pl.Float64)]
        columns = [pl.Series(_OUTPUT, path.labels(z))]
        if path.link == "logit":
            label = path.classes[1]
            name = f"probability of {label:g}" if path.classes.dtype.kind in "iuf" else f"probability of {label}"
            columns.append(pl.Series(name, path.means(z)[:, 1], dtype=pl.Float64))
        return columns

    def score(self) -> str | None:
        """R2, or of other losses the deviance explained, in a sentence, in the scale and with the weights of fit.

        None if the file does not hold the target. After `run`."""
        meta, path, z = self.model.meta, self.model.path, self.z[0]
        target, weight = meta.get("target"), meta.get("weight")
        if target not in self.source.columns or not self.source.height:
            return None
        y = self._target(self.source[target])
        has_weight = weight is not None and weight in self.source.columns
        s = _numbers(self.source[weight]) if has_weight else np.ones(y.size)
        if meta.get("log_target"):
            with np.errstate(divide="ignore", invalid="ignore"):
                y = np.log(y)
        known = np.isfinite(y) & (s >= 0) & np.isfinite(s)
        if not s[known].sum() > 0:
            return None
        y, s, z = y[known], s[known], z[known]
        loss = as_loss(path.loss)
        try:
            loss.check_target(y)
        except ValueError:
            return None
        null = meta.get("null_predictor", meta.get("train_mean", np.average(y, weights=s)))
        null_loss = float(s @ excess_loss(loss, y, np.full(y.size, null)))
        if null_loss == 0:
            return None
        r2 = 1.0 - float(s @ excess_loss(loss, y, z)) / null_loss
        unweighted = f", unweighted as the file has no {weight}" if weight is not None and not has_weight else ""
        return f"{score_name(meta, path.loss)} {r2:.4f}{unweighted}, on the {y.size:,} rows that hold {target}."


def score_name(meta: Mapping[str, Any], loss: str) -> str:
    """What R2, or the deviance explained, is computed of: the target or its logarithm, and with which weights."""
    scale = f" of log({meta['target']})" if meta.get("log_target") else ""
    return f"{'R2' if loss == 'squared' else 'deviance explained'}{scale}" + (
        f" weighted by {meta['weight']}" if meta.get("weight") else ""
    )


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    """The values (n,), NaN where they are no numbers."""
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _print(result: pl.DataFrame) -> None:
    """Write a CSV to the standard output, in pieces."""
    for begin in range(0, max(result.height, 1), _OUTPUT_ROWS):
        piece = result[begin : begin + _OUTPUT_ROWS].write_csv(include_header=begin == 0)
        sys.stdout.write(piece)
    sys.stdout.flush()

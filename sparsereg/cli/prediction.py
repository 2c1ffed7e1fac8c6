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
from sparsereg.cli.score import output_names
from sparsereg.cli.tables import CsvFormat, finite_numbers, list_names, read_table
from sparsereg.cli.targets import TargetKind
from sparsereg.data.atomic_write import write_whole
from sparsereg.losses import as_loss
from sparsereg.report.outcomes import is_multinomial, row_losses
from sparsereg.serving.model_file import Model

__all__ = ["Prediction", "check_point", "score_name"]

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
        offset = model.meta.get("offset")
        shifts = [] if offset is None else [offset["column"]]
        types = ColumnTypes.for_predict(cross, csv, model.meta.get("date_formats", {}), shifts)
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
        if offset is not None:
            finite_numbers(table[offset["column"]], "offset")
        return cls(model, source, table, is_csv, csv)

    def run(self, point: int | None, keep: Sequence[str], out: Path | None) -> pl.DataFrame:
        """Predict, and write the predictions beside the columns to `keep`."""
        for name in keep:
            if name not in self.source.columns:
                raise ValueError(
                    f"--keep names {name!r}, which is not among the columns {list_names(self.source.columns)}."
                )
            if name == _OUTPUT:
                raise ValueError(
                    f"--keep names {name!r}, which is the name of the output's own column; rename it in the file."
                )
        self.z[:] = [self.model.predictors(self.table, point) if self.source.height else self._no_predictors]
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

    @property
    def _no_predictors(self) -> NDArray[np.float64]:
        """Of a file without rows."""
        n_outputs = len(self.model.path.outputs)
        return np.empty(0 if n_outputs == 1 else (0, n_outputs))

    def _targets(self, column: pl.Series) -> NDArray[np.float64]:
        """The targets of all outputs as the loss has them, (n, K), NaN where they are unknown."""
        path = self.model.path
        if path.classes is None:
            return _numbers(column)[:, None]
        kind = TargetKind(path.loss, path.classes)
        values = column.cast(pl.String) if kind.is_text else column.cast(pl.Float64, strict=False)
        labels = path.classes if kind.is_text else path.classes.astype(np.float64)
        known = values.is_in(labels.tolist()).fill_null(False).to_numpy()
        y = np.full((len(column), len(path.outputs)), np.nan)
        numbers = kind.numbers(values.filter(known))
        y[known] = numbers[:, None] if y.shape[1] == 1 else np.eye(y.shape[1])[numbers.astype(np.int64)]
        return y

    def _columns(self, z: NDArray[np.float64]) -> list[pl.Series]:
        """Predictions: numbers; or classes and their probabilities, of two that of the second."""
        path = self.model.path
        names = output_names(None if path.classes is None else path.classes.tolist(), path.link, len(path.outputs))
        means = np.exp(z) if self.model.meta.get("log_target") else path.means(z)
        columns = list(np.atleast_2d(means.T))
        if path.classes is not None:
            columns = columns[1:] if len(path.outputs) == 1 else columns
            columns = [path.labels(z), *columns[: len(names) - 1]]
        return [
            pl.Series(name, part, dtype=None if part.dtype.kind != "f" else pl.Float64)
            for name, part in zip(names, columns, strict=True)
        ]

    def score(self) -> str | None:
        """R2, or of other losses the deviance explained, in a sentence, in the scale and with the weights of fit.

        None if the file does not hold the target. After `run`."""
        meta, path, z = self.model.meta, self.model.path, self.z[0]
        target, weight = meta.get("target"), meta.get("weight")
        if target not in self.source.columns or not self.source.height:
            return None
        y = self._targets(self.source[target])
        has_weight = weight is not None and weight in self.source.columns
        s = _numbers(self.source[weight]) if has_weight else np.ones(len(y))
        if meta.get("log_target"):
            with np.errstate(divide="ignore", invalid="ignore"):
                y = np.log(y)
        known = np.isfinite(y).all(axis=1) & (s >= 0) & np.isfinite(s)
        if not s[known].sum() > 0:
            return None
        y, s, z = y[known], s[known], z.reshape(len(y), -1)[known]
        if not is_multinomial(path):
            try:
                as_loss(path.loss).check_target(y[:, 0])
            except ValueError:
                return None
        null = np.ravel(meta.get("null_predictor", meta.get("train_mean", np.average(y[:, 0], weights=s))))
        offset = self.model.offset_of(self.table)
        ends = np.broadcast_to(null, z.shape) + (0.0 if offset is None else offset[known][:, None])
        losses = row_losses(path, y, np.stack([z.T, ends.T], axis=2))
        loss, null_loss = (s @ losses).tolist()
        if null_loss == 0:
            return None
        r2 = 1.0 - loss / null_loss
        unweighted = f", unweighted as the file has no {weight}" if weight is not None and not has_weight else ""
        return (
            f"{score_name(meta, path.loss)} {r2:.4f}{unweighted}, on the {len(y):,} rows that hold {target}; 0 is the"
            " constant of the rows of the fit."
        )


def check_point(model: Model, point: int | None) -> None:
    """Raise a ValueError unless `point` is one of the model's path."""
    n_points = model.path.alphas.size
    if point is not None and not -n_points <= point < n_points:
        raise ValueError(
            f"--point {point} is not one of the path's {n_points} points, 0 to {n_points - 1} or negative."
        )


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

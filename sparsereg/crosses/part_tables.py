"""Parts of a table: which rows, and how they are read, as a table and vectors. Knows nothing of crosses.

A part is some row groups, of one Parquet file or of several small ones, or a table in memory. It remembers size and
time of its files: a file that changed since is an error, not other data.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.reading import read_column
from sparsereg.crosses.table import Table

__all__ = ["PartRows", "Slice", "TablePart", "TargetColumns"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Slice:
    """Row groups of a file, whose size in bytes and time of last change are those when it was first seen."""

    file: str
    size: int
    mtime_ns: int
    groups: tuple[int, ...]

    def read(self, columns: Sequence[str]) -> Any:
        """An Arrow table; a ValueError names the file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            found = os.stat(self.file)
            if (found.st_size, found.st_mtime_ns) != (self.size, self.mtime_ns):
                raise ValueError(f"file {self.file!r} changed since it was first read; begin anew with a new scratch.")
            with pq.ParquetFile(self.file) as parquet:
                texts = [f.name for f in parquet.schema_arrow if pa.types.is_string(f.type) and f.name in columns]
            with pq.ParquetFile(self.file, read_dictionary=texts) as parquet:
                return parquet.read_row_groups(list(self.groups), columns=list(columns), use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"file {self.file!r}, row groups {self.groups}, cannot be read: {error}") from error


@dataclass(frozen=True)
class TargetColumns:
    """Which columns are target, weight and offset, and what is done with them.

    Attributes
    ----------
    target, weight, offset : str or None
    log : bool
        Whether the logarithm of the target is the target.
    drop_missing : bool
        Whether rows without a target are left out; else they are an error.
    held_out, seed : float, int
        The share of rows that are held out, drawn with this seed.
    log_offset : bool
        Whether the logarithm of its column is the offset, which then is an exposure.
    classes : pair or None
        The two values of a target of two classes, which become 0 and 1.
    """

    target: str | None = None
    weight: str | None = None
    offset: str | None = None
    log: bool = False
    drop_missing: bool = False
    held_out: float = 0.0
    seed: int = 0
    log_offset: bool = False
    classes: tuple[Any, Any] | None = None

    @property
    def columns(self) -> list[str]:
        """Those that are named."""
        return [name for name in (self.target, self.weight, self.offset) if name is not None]


class PartRows(NamedTuple):
    """A table of any library, y, weights (None: all one) and offsets (None: all 0) of some rows."""

    native: Any
    y: Vector
    s: Vector | None
    offset: Vector | None = None

    @property
    def table(self) -> Table:
        return Table(self.native, 0)

    def head(self, n: int) -> PartRows:
        """The first rows."""
        first = nw.to_native(nw.from_native(self.native, eager_only=True).head(n))
        return PartRows(first, *(None if v is None else v[:n] for v in self[1:]))  # type: ignore[arg-type]

    @staticmethod
    def concatenate(pieces: Sequence[PartRows]) -> PartRows:
        """Rows of one kind, one after the other."""
        natives, *vectors = zip(*pieces, strict=True)
        together = nw.to_native(nw.concat([nw.from_native(one, eager_only=True) for one in natives]))
        y, s, offset = (None if v[0] is None else np.concatenate(v) for v in vectors)
        assert y is not None
        return PartRows(together, y, s, offset)


@dataclass(frozen=True)
class TablePart:
    """Part `number` of the rows: slices of files, or `table`, a whole table.

    Attributes
    ----------
    n_rows : int or None
        Before any are left out; None where it is not known.
    """

    number: int
    slices: tuple[Slice, ...]
    n_rows: int | None
    targets: TargetColumns
    table: Any = None

    @property
    def name(self) -> str:
        """For messages."""
        return ", ".join(part.file for part in self.slices) or f"partition {self.number}"

    def read(self, columns: Sequence[str], held_out: bool = False) -> PartRows:
        """The rows to fit, or those held out. A ValueError names partition and file."""
        targets = self.targets
        wanted = list(dict.fromkeys([*columns, *targets.columns]))
        try:
            table = self.raw(wanted)
            y = self._numbers(table, targets.target) if targets.classes is None else _class_numbers(table, targets)
            vectors = y, self._numbers(table, targets.weight), self._numbers(table, targets.offset)
            return self._selected(table, vectors, held_out)
        except ValueError as error:
            raise ValueError(f"partition {self.number} ({self.name}): {error}") from error

    def raw(self, wanted: Sequence[str]) -> Any:
        """Columns of all rows as they are stored."""
        if not self.slices:
            return self.table
        import pyarrow as pa

        return pa.concat_tables([part.read(wanted) for part in self.slices])

    @staticmethod
    def _numbers(table: Any, name: str | None) -> Vector | None:
        return None if name is None else np.array(read_column(name, _series(table, name)).as_numbers().values)

    def _selected(self, table: Any, vectors: tuple[Vector | None, ...], held_out: bool) -> PartRows:
        """Those that are to be fitted, or held out, and have a target."""
        targets, n, (y, s, offset) = self.targets, len(table), vectors
        y = np.zeros(n) if y is None else y
        keep, missing = np.ones(n, dtype=np.bool_), np.isnan(y)
        if targets.held_out:
            draw = np.random.default_rng([targets.seed, self.number]).random(n) < targets.held_out
            keep = draw if held_out else ~draw
        if missing.any():
            if not targets.drop_missing:
                raise ValueError(f"row {int(np.argmax(missing))} has no {targets.target!r}; remove such rows.")
            keep &= ~missing
        for what, values in (("target", y[~missing]), ("weight", s), ("offset", offset)):
            if values is None:
                continue
            if not np.isfinite(values).all() or (what == "weight" and (values < 0.0).any()):
                raise ValueError(f"the {what} holds missing, infinite or negative values; replace them.")
        if targets.log_offset and offset is not None:
            if (offset <= 0.0).any():
                raise ValueError(f"offset {targets.offset!r} holds {offset.min():g}, which has no logarithm.")
            offset = np.log(offset)
        if targets.log:
            if (y[keep] <= 0.0).any():
                raise ValueError(f"target {targets.target!r} holds {y[keep].min():g}, which has no logarithm.")
            y = np.log(y, out=np.zeros(n), where=keep)
        if not keep.all():
            table, y = _filtered(table, keep), y[keep]
            s, offset = (None if v is None else v[keep] for v in (s, offset))
        return PartRows(table, y, s, offset)


def _series(table: Any, name: str) -> Any:
    return nw.from_native(table, eager_only=True)[name]


def _class_numbers(table: Any, targets: TargetColumns) -> Vector:
    """The target of two classes as numbers; NaN where it is missing."""
    assert targets.target is not None
    assert targets.classes is not None
    series, (low, high) = _series(table, targets.target), targets.classes
    values = series.cast(nw.String if isinstance(high, str) else nw.Float64)
    y = np.full(len(series), np.nan)
    for value, number in zip((low, high), (0.0, 1.0), strict=True):
        y[(values == value).fill_null(False).to_numpy()] = number
    strange = np.flatnonzero(np.isnan(y) & ~values.is_null().to_numpy())
    if strange.size:
        found = values[int(strange[0])]
        raise ValueError(
            f"target {targets.target!r} holds {found!r}, neither {low!r} nor {high!r}; leave such rows out."
        )
    return y


def _filtered(table: Any, keep: NDArray[np.bool_]) -> Any:
    return nw.to_native(nw.from_native(table, eager_only=True).filter(keep.tolist()))

"""`ParquetRows`: the rows of Parquet files in parts, each read when it is needed. Knows nothing of crosses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import numpy as np

from sparsereg.crosses.part_tables import Slice, TablePart, TargetColumns
from sparsereg.data.optional import import_optional
from sparsereg.data.threads import thread_count
from sparsereg.data.validation import check_flag, check_number
from sparsereg.rows.disk import ThreadEngine

__all__ = ["ParquetRows"]

# Rows of a part: their codes take some tens of MB while they are made.
PART_ROWS = 1 << 19
# Bytes a row and column while a part is encoded: the column as read, its codes, their offsets, and scratch.
ROW_BYTES = 40


@dataclass(frozen=True, eq=False)
class ParquetRows:
    """The rows of Parquet files, for `FeatureCross.fit`, in parts that are read one after the other.

    Needs pyarrow, the extra ``[parquet]``.

    Parameters
    ----------
    files : str, path, or list of these
        Files, or patterns such as ``"logs/*.parquet"``, whose matches are sorted by name.
    target, weight, offset : str, optional
        Columns of the target, of the rows' weights and of a known part of the predictor; all others are fields.
    max_memory : int, optional
        Bytes to stay within while parts are encoded, about; smaller parts need less. None, the default, makes parts of
        524,288 rows.
    n_jobs : int, optional
        Threads, by scikit-learn's convention: None is 1. The result is the same to the last digit.
    log_target : bool, default=False
        Fit the logarithm of the target.
    drop_missing_target : bool, default=False
        Leave out rows without a target. By default they are an error.
    held_out, seed : float and int, default=0
        Share of the rows that are drawn to be held out, and the seed: `fit` does not see them.
    log_offset : bool, default=False
        The logarithm of the offset's column is the offset: with a log link that column is an exposure.
    classes : pair, optional
        The two values of a target of two classes; the second one is fitted as 1, the first as 0.
    on_part : callable, optional
        Called with each part after it was read; its `n_rows` say how far a pass has come.

    Attributes
    ----------
    parts : list of TablePart
    names : list of str
        The fields: all columns but target, weight and offset.
    n_rows : int

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If no file is found, one cannot be read, or the files differ in their columns.

    Examples
    --------
    >>> import tempfile, numpy as np, pyarrow as pa, pyarrow.parquet as pq
    >>> from sparsereg import FeatureCross, regularization_path
    >>> rng = np.random.default_rng(0)
    >>> table = pa.table({"a": rng.integers(0, 3, 90), "b": rng.integers(0, 3, 90), "y": rng.normal(size=90)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pq.write_table(table, f"{folder}/log.parquet", row_group_size=40)
    ...     rows = ParquetRows(f"{folder}/*.parquet", target="y")
    ...     encoded = FeatureCross(crosses=[("a", "b")]).fit_transform(rows)
    ...     path = regularization_path(encoded, alphas=5)
    >>> encoded.n_rows, bool(path.certified.all())
    (90, True)
    """

    files: Any
    target: str | None = None
    weight: str | None = None
    max_memory: int | None = None
    n_jobs: int | None = None
    log_target: bool = False
    drop_missing_target: bool = False
    held_out: float = 0.0
    seed: int = 0
    offset: str | None = None
    log_offset: bool = False
    classes: tuple[Any, Any] | None = None
    on_part: Callable[[TablePart], None] | None = None
    parts: list[TablePart] = field(init=False, repr=False)
    names: list[str] = field(init=False, repr=False)
    n_rows: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pa = import_optional("pyarrow", "Parquet files in parts are read by", "parquet")
        pq = import_optional("pyarrow.parquet", "Parquet files in parts are read by", "parquet")
        self._check()
        groups: list[tuple[Slice, int]] = []
        schema: Any = None
        self_names: list[str] = []
        for file in found_files(self.files):
            try:
                found, meta = os.stat(file), pq.read_metadata(file)
            except (OSError, pa.ArrowException) as error:
                raise ValueError(f"file {file!r} cannot be read as Parquet: {error}") from error
            arrow = meta.schema.to_arrow_schema().remove_metadata()
            names = arrow.names
            if schema is not None and {f.name: f.type for f in arrow} != {f.name: f.type for f in schema}:
                raise ValueError(f"file {file!r} has other columns or types than the first one; convert it.")
            schema, self_names = schema or arrow, self_names or names
            groups += [
                (Slice(file, found.st_size, found.st_mtime_ns, (g,)), meta.row_group(g).num_rows)
                for g in range(meta.num_row_groups)
            ]
        for role, name in (("target", self.target), ("weight", self.weight), ("offset", self.offset)):
            if name is not None and name not in self_names:
                raise ValueError(f"{role}={name!r} is not among the columns {self_names}.")
        set_ = object.__setattr__
        set_(self, "names", [name for name in self_names if name not in self.targets.columns])
        set_(self, "n_rows", sum(n for _, n in groups))
        if not self.n_rows:
            raise ValueError(f"files={self.files!r} hold no rows.")
        set_(self, "parts", _grouped(groups, self.part_rows, self.targets))

    def _check(self) -> None:
        """What does not depend on the files."""
        if self.max_memory is not None:
            check_number("max_memory", self.max_memory, low=1, integer=True)
        for name in ("log_target", "drop_missing_target", "log_offset"):
            check_flag(name, getattr(self, name))
        if check_number("held_out", self.held_out, low=0, high=1) == 1:
            raise ValueError("held_out=1 leaves no rows to fit; expected a share below 1.")
        check_number("seed", self.seed, low=0, integer=True)

    @property
    def targets(self) -> TargetColumns:
        return TargetColumns(
            self.target,
            self.weight,
            self.offset,
            self.log_target,
            self.drop_missing_target,
            float(self.held_out),
            self.seed,
            self.log_offset,
            None if self.classes is None else tuple(self.classes),
        )

    @property
    def engine(self) -> ThreadEngine:
        """Threads of this process."""
        return ThreadEngine(thread_count(self.n_jobs), self.on_part)

    @property
    def part_rows(self) -> int:
        """Rows of a part, about: row groups are not divided."""
        if self.max_memory is None:
            return PART_ROWS
        return int(np.clip(self.max_memory / (8 * ROW_BYTES * max(len(self.names), 1)), 1 << 14, PART_ROWS))

    def with_target(self, target: str) -> ParquetRows:
        """The same rows with another target."""
        return self if target == self.target else replace(self, target=target)

    def largest_target(self, mean: float) -> float | None:
        """A bound on `s |y - mean|` by the files' footers; None where they do not say."""
        if self.offset is not None or self.classes is not None:
            return None
        y, s = self.bounds(self.target), (1.0, 1.0) if self.weight is None else self.bounds(self.weight)
        if y is None or s is None or (self.log_target and y[0] <= 0.0):
            return None
        low, high = np.log(y) if self.log_target else y
        return float(max(abs(low - mean), abs(high - mean)) * max(s[1], 0.0))

    def sizes(self) -> list[list[Any]]:
        """Name, size and time of last change of each file."""
        files = {part.file: [part.file, part.size, part.mtime_ns] for one in self.parts for part in one.slices}
        return list(files.values())

    def bounds(self, column: str | None) -> tuple[float, float] | None:
        """Least and largest value of a column by the files' footers; None where one does not say."""
        import pyarrow.parquet as pq

        if column is None:
            return None
        low, high = np.inf, -np.inf
        for file in dict.fromkeys(part.file for one in self.parts for part in one.slices):
            meta = pq.read_metadata(file)
            place = meta.schema.to_arrow_schema().names.index(column)
            for g in range(meta.num_row_groups):
                found = meta.row_group(g).column(place).statistics
                if found is None or not found.has_min_max or isinstance(found.min, (str, bytes)):
                    return None
                low, high = min(low, float(found.min)), max(high, float(found.max))
        return low, high


def found_files(files: Any) -> list[str]:
    """Files by name or pattern; a ValueError where there is none."""
    one = isinstance(files, (str, Path))
    if not one and not isinstance(files, Iterable):
        raise ValueError(f"files={files!r}: expected a name, a pattern, or a list of these.")
    names: Iterable[str] = [str(files)] if one else [str(file) for file in files]
    found: list[str] = []
    for name in names:
        matches = sorted(glob(name)) if has_magic(name) else [name]
        if not matches:
            raise ValueError(f"files={name!r} matches no file.")
        found += matches
    if not found:
        raise ValueError("files is empty; name at least one.")
    return found


def _grouped(groups: Sequence[tuple[Slice, int]], part_rows: int, targets: TargetColumns) -> list[TablePart]:
    """Consecutive row groups together until they have so many rows; those of one file are one slice."""
    parts: list[TablePart] = []
    waiting: list[Slice] = []
    rows = 0
    for place, (piece, n) in enumerate(groups):
        if waiting and waiting[-1].file == piece.file:
            waiting[-1] = replace(waiting[-1], groups=(*waiting[-1].groups, *piece.groups))
        else:
            waiting.append(piece)
        rows += n
        last = place + 1 == len(groups)
        if last or rows + groups[place + 1][1] // 2 >= part_rows:
            parts.append(TablePart(len(parts), tuple(waiting), rows, targets))
            waiting, rows = [], 0
    return parts

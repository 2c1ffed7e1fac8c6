"""Rows in parts as codes of the columns of a fitted cross: in memory, or in a scratch folder (`DiskRows`)."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.layout import Layout
from sparsereg.crosses.over_parts import PartCodes, PartsFit, part_codes
from sparsereg.crosses.part_tables import PartRows, TablePart
from sparsereg.crosses.parts_plan import FitPlan, TableParts
from sparsereg.crosses.ragged import Codes, Ragged, distinct_in_rows
from sparsereg.rows.disk import DiskRows, code_type, load_partition, save_partition
from sparsereg.rows.partition import Partition

__all__ = ["Scratch", "encode_part"]

# Rows renumbered at a time.
ROWS_AT_ONCE = 1 << 16


def partition_of(found: PartCodes, layout: Layout, rows: PartRows) -> Partition:
    """The observed combinations of a layout in some rows, numbered block after block as `layout.blocks` are.

    The number after the last one stands for none."""
    starts = np.cumsum([0, *(block.counts.size for block in layout.categories)])
    none = int(starts[-1])
    values, row_starts = _row_major(found.codes, starts, rows.y.size, code_type(none + 1))
    numbers = np.array(found.numbers).reshape(len(found.numbers), rows.y.size)
    return Partition(values, row_starts, none + 1, numbers, rows.y, rows.s, rows.offset)


def _row_major(codes: list[Codes], starts: NDArray[Any], n: int, kind: Any) -> tuple[NDArray[Any], Any]:
    """Codes row by row, the last of `starts` for none, and how many each row has; or where each row begins."""
    if any(isinstance(part, Ragged) for part in codes):
        return _row_major_of_ragged(codes, starts, n, kind)
    table = np.empty((n, len(codes)), dtype=kind)
    for begin in range(0, n, ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE)
        for place, part in enumerate(codes):
            assert not isinstance(part, Ragged)
            own = part[rows]
            np.add(own, starts[place], out=table[rows, place], casting="unsafe")
            if own.size and own.min() < 0:
                table[rows, place][own < 0] = starts[-1]
    return table.reshape(-1), len(codes)


def _row_major_of_ragged(codes: list[Codes], starts: NDArray[Any], n: int, kind: Any) -> tuple[NDArray[Any], Any]:
    """Several codes in a row of a block count once."""
    rows, values = [], []
    for part, start in zip(codes, starts[:-1], strict=True):
        one = distinct_in_rows(part) if isinstance(part, Ragged) else Ragged(part, np.arange(n), n)
        known = one.values >= 0
        rows.append(one.rows[known])
        values.append(one.values[known] + start)
    every = np.concatenate(rows)
    order = np.argsort(every, kind="stable")
    begin = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(every, minlength=n), out=begin[1:])
    return np.concatenate(values)[order].astype(kind), begin.astype(np.uint32)


def renumbered(part: Partition, columns: NDArray[np.int64], n_codes: int) -> Partition:
    """The part with code k as `columns[k]`, without those where that is -1 and without the last one, which is none."""
    kind, n, starts = code_type(n_codes + 1), part.n_rows, part.starts
    table = np.full(columns.size + 1, n_codes, dtype=kind)
    table[:-1][columns >= 0] = columns[columns >= 0]
    codes = table.take(part.codes, mode="clip")
    kept = codes != n_codes
    if kept.all():
        return replace(part, codes=codes, n_codes=n_codes)
    begin = np.zeros(n + 1, dtype=np.int64)
    if isinstance(starts, int):
        np.cumsum(np.count_nonzero(kept.reshape(n, starts), axis=1), out=begin[1:])
    else:
        begin = np.concatenate([[0], np.cumsum(kept)])[starts]
    return replace(part, codes=codes[kept], starts=begin.astype(np.uint32), n_codes=n_codes)


def encode_part(
    part: TablePart, plan: FitPlan, layout: Layout, columns: NDArray[np.int64], held_out: bool = False
) -> Partition:
    """Read a part and encode it: `columns` has the column of each observed combination, or -1."""
    rows = part.read(plan.read, held_out)
    try:
        found = part_codes(rows.table, plan, layout)
    except ValueError as error:
        raise ValueError(f"partition {part.number} ({part.name}): {error}") from error
    n_codes = layout.n_columns - len(layout.numbers)
    return replace(renumbered(partition_of(found, layout, rows), columns, n_codes), number=part.number)


def own_columns(layout: Layout) -> NDArray[np.int64]:
    """The column of each observed combination of a layout, -1 where it has none."""
    columns = [np.empty(0, dtype=np.int64)]
    for block in layout.categories:
        place = block.place_of(np.arange(block.counts.size))
        columns.append(np.where(place < 0, -1, place + block.start))
    return np.concatenate(columns)


@dataclass(frozen=True)
class Scratch:
    """A folder for encoded parts.

    Attributes
    ----------
    folder : Path
    temporary : bool
        Whether it is deleted with the rows that are made from it.
    """

    folder: Path
    temporary: bool

    @classmethod
    def at(cls, folder: Any) -> Scratch:
        """A folder that is new or holds a scratch, whose files are deleted; None: a temporary one."""
        if folder is None:
            return cls(Path(tempfile.mkdtemp(prefix="sparsereg-scratch-")), True)
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        ours = [*path.glob("part*_*.npy"), *path.glob("named*_*.npy"), *path.glob("scratch.json")]
        if strange := sorted({*path.iterdir()} - {*ours} - {path / "checkpoint.npz", path / "cross.npz"}):
            raise ValueError(
                f"scratch={str(folder)!r} holds {strange[0].name!r}, which is not ours; name another folder."
            )
        for file in ours:
            file.unlink()
        return cls(path, False)

    def keep_codes(self, number: int, found: PartCodes, rows: PartRows, layout: Layout) -> None:
        """Store what the second pass encoded, by the numbers of `layout`."""
        save_partition(self.folder, number, partition_of(found, layout, rows), "named")

    def renumber(self, fit: PartsFit, n_parts: int) -> Iterator[int]:
        """Give the parts of the second pass the columns' numbers."""
        n_named, n_codes = fit.columns.size + 1, fit.layout.n_columns - len(fit.layout.numbers)
        for number in range(n_parts):
            part = load_partition(self.folder, number, n_named, "named")
            save_partition(self.folder, number, renumbered(part, fit.columns, n_codes))
            del part  # mapped files cannot be deleted everywhere
            for old in self.folder.glob(f"named{number:06d}_*.npy"):
                old.unlink()
            yield number

    def finish(self, rows: TableParts, layout: Layout, facts: dict[str, Any], n_threads: int) -> DiskRows:
        """Write the manifest, and open the rows."""
        n_numbers = len(layout.numbers)
        manifest = facts | {"n_parts": len(rows.parts), "n_numbers": n_numbers, "n_codes": layout.n_columns - n_numbers}
        text = json.dumps(manifest)
        place = self.folder / "scratch.json.tmp"
        place.write_text(text, encoding="utf-8")
        place.replace(self.folder / "scratch.json")
        found = DiskRows(self.folder, n_threads)
        if self.temporary:
            weakref.finalize(found, shutil.rmtree, self.folder, True)
        return found

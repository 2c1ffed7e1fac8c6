"""Rows in a folder of files, memory-mapped: codes of 2 or 4 bytes an entry. Knows nothing of tables.

Each part is a few `.npy` files, `part<number>_<array>.npy`; `scratch.json` is written last, so that a
folder with it is complete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.threads import run
from sparsereg.rows.partition import Partition
from sparsereg.rows.partitioned import PartitionedRows

__all__ = ["FAN_IN", "DiskRows", "ThreadEngine", "code_type", "load_partition", "save_partition"]

# Parts of which the answers are in memory together, for each thread.
GROUP = 4
# Answers that are combined at a time, by whichever engine: digits depend on it.
FAN_IN = 8


@dataclass(frozen=True)
class ThreadEngine:
    """Threads of this process; the results do not depend on their number.

    Attributes
    ----------
    n_threads : int
    done : callable or None
        Called with each part once its answer is there.
    """

    n_threads: int = 1
    done: Callable[[Any], None] | None = None

    def map(self, work: Callable[..., Any], parts: Sequence[Any], *shared: Any) -> Iterator[Any]:
        """A few parts at a time."""
        size = GROUP * self.n_threads if self.n_threads > 1 else 1
        for begin in range(0, len(parts), size):
            group = parts[begin : begin + size]
            for part, answer in zip(group, run(work, [(part, *shared) for part in group], self.n_threads), strict=True):
                if self.done is not None:
                    self.done(part)
                yield answer

    def reduce(self, work: Callable[..., Any], combine: Callable[..., Any], parts: Sequence[Any], shared: Any) -> Any:
        """See `Engine.reduce`; at most `FAN_IN` results of each size wait."""
        levels: list[list[Any]] = [[]]

        def push(level: int, result: Any) -> None:
            if level == len(levels):
                levels.append([])
            levels[level].append(result)
            if len(levels[level]) == FAN_IN:
                together, levels[level] = combine(shared, *levels[level]), []
                push(level + 1, together)

        for result in self.map(work, parts, shared):
            push(0, result)
        level = 0
        while any(levels[level + 1 :]) or len(levels[level]) != 1:
            waiting, levels[level] = levels[level], []
            if waiting:
                push(level + 1, waiting[0] if len(waiting) == 1 else combine(shared, *waiting))
            level += 1
        return levels[level][0]


def code_type(n_codes: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that holds codes below `n_codes`."""
    return np.uint16 if n_codes <= 1 << 16 else np.uint32


def save_partition(folder: Path, number: int, part: Partition, kind: str = "part") -> None:
    """Write a part's arrays."""
    arrays = {"codes": part.codes, "numbers": part.numbers, "y": part.y}
    if isinstance(part.starts, int):
        arrays["width"] = np.array(part.starts)
    else:
        arrays["starts"] = part.starts
    arrays |= {name: v for name, v in (("s", part.s), ("offset", part.offset)) if v is not None}
    for name, array in arrays.items():
        np.save(_file(folder, kind, number, name), array, allow_pickle=False)


def load_partition(folder: Path, number: int, n_codes: int, kind: str = "part") -> Partition:
    """A part with its arrays memory-mapped; checked to fit each other."""
    codes, numbers, y = (_mapped(_file(folder, kind, number, name)) for name in ("codes", "numbers", "y"))
    width, *optional = (_file(folder, kind, number, name) for name in ("width", "s", "offset"))
    starts: NDArray[np.uint32] | int
    if width.exists():
        starts = int(np.load(width, allow_pickle=False))
    else:
        starts = _mapped(_file(folder, kind, number, "starts"))
    s, offset = (_mapped(file) if file.exists() else None for file in optional)
    return Partition(codes, starts, n_codes, numbers, y, s, offset, number)


class DiskRows(PartitionedRows):
    """Rows in a scratch folder, from `ParquetRows.encode`; they are an argument of `regularization_path`.

    Parameters
    ----------
    folder : pathlib.Path
    n_threads : int, default=1

    Raises
    ------
    ValueError
        If the folder is not a complete scratch.
    """

    def __init__(self, folder: Path, n_threads: int = 1) -> None:
        self.folder = Path(folder)
        try:
            self.manifest: dict[str, Any] = json.loads((self.folder / "scratch.json").read_text(encoding="utf-8"))
            n_codes, n_numbers, n_parts = (int(self.manifest[key]) for key in ("n_codes", "n_numbers", "n_parts"))
            parts = [load_partition(self.folder, number, n_codes) for number in range(n_parts)]
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise ValueError(
                f"scratch={str(folder)!r} is not a complete scratch folder ({error}); encode anew."
            ) from None
        super().__init__(
            parts,
            ThreadEngine(n_threads),
            n_codes + n_numbers,
            float(self.manifest["center"]),
            int(self.manifest["eliminated_length"]),
        )


def _file(folder: Path, kind: str, number: int, name: str) -> Path:
    return folder / f"{kind}{number:06d}_{name}.npy"


def _mapped(file: Path) -> NDArray[Any]:
    """A memory-mapped array; an empty one cannot be mapped."""
    try:
        return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except ValueError:
        return np.asarray(np.load(file, allow_pickle=False))

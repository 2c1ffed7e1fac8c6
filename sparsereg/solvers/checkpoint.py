"""What a path over rows in parts found so far, in a file that is written after every point. Knows no tables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from sparsereg.data.atomic_write import write_whole
from sparsereg.rows.contract import Coefficients
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.solvers.loop import Solution

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """A file of solutions, in the order of the path's strengths.

    Attributes
    ----------
    file : Path
    call : str
        What is fitted, how and on which data.
    """

    file: Path
    call: str

    @classmethod
    def of(cls, file: Any, rows: PartitionedRows, *settings: Any) -> Checkpoint:
        """Of a path over these rows, which are known by their sums."""
        digest = hashlib.sha256(repr((rows.center, rows.eliminated_length)).encode())
        for value in (*vars(rows.totals).values(), *settings):
            text = value is None or isinstance(value, str)
            digest.update(str(value).encode() if text else np.asarray(value, dtype=np.float64).tobytes())
        return cls(Path(file), digest.hexdigest())

    def write(self, points: list[Solution], seconds: list[float]) -> None:
        """Replace the file's content."""
        arrays = {
            "call": np.array(self.call),
            "sizes": np.array([point.coef.w.size for point in points]),
            "columns": np.concatenate([point.coef.cols for point in points]),
            "w": np.concatenate([point.coef.w for point in points]),
            "numbers": np.array([[p.intercept, p.dual_gap, p.epochs, p.deviance] for p in points]),
            "seconds": np.array(seconds),
        }
        with write_whole(self.file) as out:
            np.savez(out, allow_pickle=False, **arrays)

    def read(self) -> tuple[list[Solution], list[float]]:
        """The points, and the seconds that each took; none where there is no file.

        Raises
        ------
        ValueError
            If the file cannot be read, or is of another `call`.
        """
        file = self.file
        if not file.exists():
            return [], []
        try:
            with file.open("rb") as source, np.load(source, allow_pickle=False) as found:
                same = str(found["call"]) == self.call
                ends = np.cumsum(found["sizes"])[:-1]
                parts = zip(np.split(found["columns"], ends), np.split(found["w"], ends), found["numbers"], strict=True)
                points = [
                    Solution(Coefficients(cols, w), cols, float(b0), float(gap), int(epochs), float(deviance))
                    for cols, w, (b0, gap, epochs, deviance) in parts
                ]
                seconds = found["seconds"].tolist()
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise ValueError(f"checkpoint {str(file)!r} cannot be read ({error}); delete it to begin anew.") from error
        if not same:
            raise ValueError(
                f"checkpoint {str(file)!r} is of a fit with other options or data; delete it, or choose another place."
            )
        return points, seconds

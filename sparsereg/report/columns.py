"""Single columns in a report: ranked by influence or weight, with the rows behind them and when they enter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.vocabulary import CROSS
from sparsereg.report.support import deviations

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.report.evidence import Evidence
    from sparsereg.results import OutputCoefficients

__all__ = ["LINES", "RANKS", "TIMES", "RankedColumns"]

Row = dict[str, Any]
Ints = NDArray[np.int64]
Vector = NDArray[np.float64]

RANKS = ("influence", "weight")
TIMES = "\u00d7"
# Columns drawn along the path: with a name, and without.
LINES, FAINT = 12, 40
# Fields and crosses with a colour of their own.
GROUPS = 6


@dataclass(frozen=True, eq=False)
class RankedColumns:
    """The non-zero coefficients of a point, with the rows and the influence of each.

    Attributes
    ----------
    coefs : OutputCoefficients
    columns : int64 array of shape (m,)
    w, influence : float64 arrays of shape (m,)
        Influence is |w| times the standard deviation of the column: what it adds to that of the predictions. NaN where
        the deviation is unknown.
    rows : int64 array of shape (m,)
        -1 where unknown.
    cross, names, labels
        What names columns and fields.
    """

    coefs: OutputCoefficients
    columns: Ints
    w: Vector
    rows: Ints
    influence: Vector
    cross: FeatureCross | None
    names: Any
    labels: Mapping[str, str]

    @classmethod
    def at(
        cls,
        coefs: OutputCoefficients,
        point: int,
        evidence: Evidence,
        cross: FeatureCross | None,
        names: Any,
        labels: Mapping[str, str],
    ) -> RankedColumns:
        columns, w = coefs.point(point)
        columns, w = columns[w != 0.0], w[w != 0.0].astype(np.float64)
        rows, deviation = deviations(cross, evidence, columns)
        return cls(coefs, columns, w, rows, np.abs(w) * deviation, cross, names, labels)

    @property
    def has_influence(self) -> bool:
        """Whether the influence of every column is known."""
        return bool(np.isfinite(self.influence).all())

    def order(self, rank: str) -> Ints:
        """Positions from the first to the last in rank."""
        by = self.influence if rank == "influence" else np.abs(self.w)
        return np.argsort(-by, kind="stable")

    def table(self, rank: str, top: int) -> list[Row]:
        """The first `top` columns in rank, one row each; names of other columns are not made."""
        return self._rows(self.order(rank)[:top])

    def lines(self, rank: str) -> tuple[list[Row], list[list[float]]]:
        """The coefficients along the path of the first 12 columns, with their rows, and of the next 40, without."""
        order = self.order(rank)
        faint = self.values(self.columns[order[LINES : LINES + FAINT]]).tolist()
        chosen = order[:LINES]
        values = self.values(self.columns[chosen]).tolist()
        return [row | {"values": line} for row, line in zip(self._rows(chosen), values, strict=True)], faint

    def words(self, columns: Ints) -> tuple[list[str], list[int]]:
        """Labels of some columns, and a number for the field or cross of each: from 1 on, 0 beyond 6 of them."""
        blocks = self._blocks(columns)
        names = list(dict.fromkeys(block[0] for block in blocks if block is not None))[:GROUPS]
        labels = [self._label(name, block) for name, block in zip(self._names(columns), blocks, strict=True)]
        groups = [names.index(block[0]) + 1 if block is not None and block[0] in names else 0 for block in blocks]
        return labels, groups if self.cross is not None else [1] * len(labels)

    def values(self, columns: Ints) -> Vector:
        """Coefficients (m, k) of some columns at every point."""
        out = np.zeros((columns.size, self.coefs.shape[1]))
        order = np.argsort(columns)
        for k in range(out.shape[1]):
            held, w = self.coefs.point(k)
            place = np.searchsorted(columns, held, sorter=order)
            place = order[np.minimum(place, columns.size - 1)] if columns.size else place
            hit = columns[place] == held if columns.size else np.zeros(held.size, dtype=np.bool_)
            out[place[hit], k] = w[hit]
        return out

    def _rows(self, chosen: Ints) -> list[Row]:
        columns = self.columns[chosen]
        values = self.values(columns)
        enters = np.argmax(values != 0.0, axis=1).tolist() if columns.size else []
        rows = []
        for place, name, block, enter in zip(chosen.tolist(), self._names(columns), self._blocks(columns), enters,
                                             strict=True):  # fmt: skip
            influence = float(self.influence[place])
            rows.append(
                {
                    "name": name,
                    "label": self._label(name, block),
                    "column": int(self.columns[place]),
                    "coefficient": float(self.w[place]),
                    "rows": int(self.rows[place]) if self.rows[place] >= 0 else None,
                    "influence": influence if np.isfinite(influence) else None,
                    "enters": enter,
                    "block": None if block is None else block[0],
                }
            )
        return rows

    def _names(self, columns: Ints) -> list[str]:
        if self.cross is not None:
            return self.cross.feature_names(columns)
        if self.names is not None:
            return [str(self.names[column]) for column in columns.tolist()]
        return [f"column {column}" for column in columns.tolist()]

    def _blocks(self, columns: Ints) -> list[tuple[str, tuple[str, ...]] | None]:
        """Name and fields of the block of each column."""
        if self.cross is None:
            return [None] * columns.size
        blocks = self.cross.blocks_
        owner = np.searchsorted([block.stop for block in blocks], columns, side="right").tolist()
        return [(blocks[place].name, blocks[place].fields) for place in owner]

    def _has_bins(self, field: str) -> bool:
        levels = None if self.cross is None else self.cross.levels_.get(field)
        return levels is not None and levels.bins is not None

    def _label(self, name: str, block: tuple[str, tuple[str, ...]] | None) -> str:
        """The name with the words for its fields, where it can be taken apart."""
        if block is None:
            return self.labels.get(name, name)
        fields, parts = block[1], name.split(CROSS)
        if len(fields) != len(parts):
            return name
        words = []
        for field, part in zip(fields, parts, strict=True):
            level = part.removeprefix(f"{field}=")
            level = _interval(level) if self._has_bins(field) else level
            words.append(self.labels.get(field, field) + (f" {level}" if level != part else ""))
        return f" {TIMES} ".join(words)


def _interval(level: str) -> str:
    """A bin in words: "3 to 5" for "[3,5)", "below 3", "5 and above"; others as they are."""
    found = re.fullmatch(r"\[([^,]+),([^,]+)\)", level)
    if found is None:
        return level
    low, high = found.groups()
    if low == "-inf" and high == "inf":
        return "any number"
    return f"below {high}" if low == "-inf" else f"{low} and above" if high == "inf" else f"{low} to {high}"

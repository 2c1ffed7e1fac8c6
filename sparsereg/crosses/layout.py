"""`Layout`: the fitted state of a `FeatureCross`, that is the levels of the fields and the blocks of columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.block import Block, Keep, Observed, Rare, count_rows, observe
from sparsereg.crosses.keys import Combinations, Stage
from sparsereg.crosses.ragged import values_of
from sparsereg.crosses.stored import check_integers, check_json
from sparsereg.crosses.vocabulary import CROSS, Levels, quoted

__all__ = ["Layout", "column_numbers"]

IntArray = NDArray[Any]
# The form of the JSON text of a saved layout; `Levels` checks its own part.
_SCHEMA: dict[str, Any] = {
    "levels": [{"field": (str,)}],
    "blocks": [{"fields": [(str,)], "radices": [[(int,)]]}],
    "numbers": [(str,)],
    "n_rows": (int,),
    "keep": (dict,),
}
_KEEP_SCHEMA: dict[str, Any] = {"min_count": (int,), "max_levels": (int, type(None))}
_KEEP_SCHEMA |= dict.fromkeys(("pool", "with_missing", "normalize_text"), (bool,))


@dataclass(frozen=True, eq=False)
class Layout:
    """Levels of the fields, and blocks in the order of the columns.

    Attributes
    ----------
    levels : dict of str to Levels
    blocks : tuple of Block
    n_rows : int
        Number of rows in fit.
    keep : Keep
        Which levels and combinations have a column of their own.
    """

    levels: Mapping[str, Levels]
    blocks: tuple[Block, ...]
    n_rows: int
    keep: Keep

    @classmethod
    def build(
        cls,
        levels: Mapping[str, Levels],
        observed: Iterable[Observed],
        numbers: Iterable[str],
        n_rows: int,
        keep: Keep,
    ) -> Layout:
        """Assign the columns to the blocks, numbers last."""
        blocks: list[Block] = []
        start = 0
        for part in observed:
            kept = keep.select(part.counts)
            all_kept = kept.size == part.counts.size
            has_rare = keep.pool and not all_kept
            stop = start + kept.size + has_rare
            n_cells = math.prod(levels[name].n_cells for name in part.fields)
            chosen = None if all_kept else kept
            blocks.append(
                Block(part.fields, start, stop, n_cells, False, has_rare, part.counts, chosen, part.combinations)
            )
            start = stop
        blocks += [Block((name,), start + k, start + k + 1, 1, is_number=True) for k, name in enumerate(numbers)]
        return cls(levels, tuple(blocks), n_rows, keep)

    @property
    def n_columns(self) -> int:
        """Number of columns of the output."""
        return self.blocks[-1].stop

    @property
    def numbers(self) -> list[str]:
        """Fields that pass through as numbers."""
        return [block.fields[0] for block in self.blocks if block.is_number]

    @property
    def categories(self) -> list[Block]:
        """The blocks that are not numbers."""
        return [block for block in self.blocks if not block.is_number]

    def names(self, columns: IntArray, words: Mapping[str, str]) -> list[str]:
        """Names of columns (m,); `words` are the names of the fields."""
        words = {name: quoted(word, "=") for name, word in words.items()}
        names = np.empty(columns.size, dtype=object)
        for block, chosen, codes in self._by_block(columns):
            if not codes:
                word = CROSS.join(words[name] for name in block.fields)
                names[chosen] = word if block.is_number else f"{word}={Rare.RARE.value}"
                continue
            labels = [self._labels(name, part, words[name]) for name, part in zip(block.fields, codes, strict=True)]
            names[chosen] = [CROSS.join(parts) for parts in zip(*labels, strict=True)]
        return list(names)

    def inverse(self, column: int) -> tuple[tuple[str, object], ...]:
        """The (field, level) pairs of one column."""
        ((block, _, codes),) = self._by_block(np.array([column]))
        if not codes:
            level = (-math.inf, math.inf) if block.is_number else Rare.RARE
            return tuple((name, level) for name in block.fields)
        return tuple(
            (name, self.levels[name].level(int(part[0]))) for name, part in zip(block.fields, codes, strict=True)
        )

    def _by_block(self, columns: IntArray) -> Iterator[tuple[Block, IntArray, list[IntArray]]]:
        """For each block of columns (m,): the block, the positions in `columns`, and the code of each field's level.

        The list of codes is empty for a number and for a column that rare levels share.
        """
        ends = np.array([block.stop for block in self.blocks])
        owner = np.searchsorted(ends, columns, side="right")
        for number in np.unique(owner).tolist():
            block = self.blocks[number]
            chosen = np.flatnonzero(owner == number)
            places = columns[chosen] - block.start
            rare = places == block.n_observed - 1 if block.has_rare else np.zeros(places.size, dtype=np.bool_)
            if block.is_number or rare.any():
                yield block, chosen if block.is_number else chosen[rare], []
            if not block.is_number and not rare.all():
                yield block, chosen[~rare], block.split(block.kept_codes[places[~rare]])

    def _labels(self, name: str, codes: IntArray, word: str) -> list[str]:
        """``word=level`` for each code (m,); the text of each distinct level is made once."""
        present, places = np.unique(codes, return_inverse=True)
        labels = [f"{word}={self.levels[name].label(code)}" for code in present.tolist()]
        return [labels[place] for place in places.tolist()]

    def describe(self, itemsize: int) -> list[dict[str, Any]]:
        """One dict for each block, of the table of fit, with values of `itemsize` bytes."""
        rows = []
        for block in self.blocks:
            counts = block.counts if block.kept is None or block.has_rare else block.counts[block.kept]
            entries = self.n_rows if block.is_number else int(counts.sum())
            rows.append(
                {
                    "block": block.name,
                    "cells": block.n_cells,
                    "observed": 1 if block.is_number else block.counts.size,
                    "singletons": int((block.counts == 1).sum()),
                    "columns": block.n_observed,
                    "entries": entries,
                    "bytes": entries * (itemsize + 4),
                    "coverage": entries / self.n_rows,
                }
            )
        return rows

    def merge(self, other: Layout) -> Layout:
        """The layout of the rows of both."""
        if [(block.fields, block.is_number) for block in self.blocks] != [
            (block.fields, block.is_number) for block in other.blocks
        ]:
            raise ValueError(
                f"blocks {[block.name for block in other.blocks]} cannot be merged into "
                f"{[block.name for block in self.blocks]}; fit both with the same parameters."
            )
        if self.keep != other.keep:
            raise ValueError(f"{other.keep} cannot be merged into {self.keep}; fit both with the same parameters.")
        levels = {name: own.union(other.levels[name]) for name, own in self.levels.items()}
        observed = []
        for pair in zip(self.categories, other.categories, strict=True):
            columns = []
            for block, layout in zip(pair, (self, other), strict=True):
                codes = block.split(np.arange(block.counts.size))
                parts = zip(block.fields, codes, strict=True)
                columns.append([layout.levels[name].codes_in(levels[name])[part] for name, part in parts])
            together = [np.concatenate(parts) for parts in zip(*columns, strict=True)]
            combinations, merged = observe(together, [len(levels[name]) for name in pair[0].fields])
            counts = count_rows(values_of(merged), np.concatenate([block.counts for block in pair]))
            observed.append(Observed(pair[0].fields, combinations, counts))
        return Layout.build(levels, observed, self.numbers, self.n_rows + other.n_rows, self.keep)

    def columns_in(self, other: Layout) -> IntArray:
        """For each column (n_columns,) the column of the other layout with the same meaning, -1 for none."""
        columns = np.full(self.n_columns, -1, dtype=np.int64)
        by_fields = {(block.fields, block.is_number): block for block in other.blocks}
        for block in self.blocks:
            target = by_fields.get((block.fields, block.is_number))
            if target is None:
                continue
            if block.is_number:
                columns[block.start] = target.start
                continue
            kept = block.kept_codes
            codes = {
                name: self.levels[name].codes_in(other.levels[name])[part]
                for name, part in zip(block.fields, block.split(kept), strict=True)
            }
            places = target.place_of(values_of(target.find(codes)))
            if target.has_rare:
                # A shared column has another meaning.
                places = np.where(places == target.n_observed - 1, -1, places)
            columns[block.start : block.start + kept.size] = np.where(places < 0, -1, places + target.start)
            if block.has_rare and target.has_rare:
                columns[block.stop - 1] = target.stop - 1
        return columns

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The layout as plain arrays without objects; `from_arrays` reads them back."""
        arrays: dict[str, NDArray[Any]] = {}
        fields = []
        for number, levels in enumerate(self.levels.values()):
            spec, parts = levels.to_state()
            fields.append(spec)
            arrays |= {f"levels_{number}_{key}": part for key, part in parts.items()}
        blocks = []
        for number, block in enumerate(self.categories):
            stages = () if block.combinations is None else block.combinations.stages
            arrays[f"counts_{number}"] = block.counts
            arrays |= {f"keys_{number}_{place}": stage.keys for place, stage in enumerate(stages)}
            blocks.append({"fields": block.fields, "radices": [stage.radices for stage in stages]})
        spec = {"levels": fields, "blocks": blocks, "numbers": self.numbers, "n_rows": self.n_rows}
        spec |= {"keep": asdict(self.keep)}
        return {"layout": np.array(json.dumps(spec)), **arrays}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Layout:
        """Read back and check what `to_arrays` wrote."""
        spec = json.loads(str(arrays["layout"]))
        check_json(spec, _SCHEMA, "layout")
        # Files of earlier versions lack normalize_text.
        keep = asdict(Keep()) | spec["keep"]
        check_json(keep, _KEEP_SCHEMA, "keep")
        levels = {}
        for number, part in enumerate(spec["levels"]):
            prefix = f"levels_{number}_"
            own = {key.removeprefix(prefix): arrays[key] for key in arrays if key.startswith(prefix)}
            levels[part["field"]] = Levels.from_state(part, own)
        observed = []
        for number, part in enumerate(spec["blocks"]):
            stages = [
                Stage(tuple(radices), arrays[f"keys_{number}_{place}"]) for place, radices in enumerate(part["radices"])
            ]
            fields, counts = tuple(part["fields"]), arrays[f"counts_{number}"]
            sizes = [len(levels[name]) for name in fields]
            combinations = Combinations.restore(stages, sizes) if stages or len(fields) != 1 else None
            check_integers(f"counts of {fields}", counts, 0, 2**62, increasing=False)
            if counts.size != (sizes[0] if combinations is None else len(combinations)):
                raise ValueError(f"counts of {fields} has {counts.size} entries, which do not fit the levels.")
            observed.append(Observed(fields, combinations, counts))
        names = [*(part["field"] for part in spec["levels"]), *spec["numbers"]]
        if len(set(names)) < len(names) or not (observed or spec["numbers"]) or spec["n_rows"] < 1:
            raise ValueError(f"fields {names} with {len(observed)} blocks and {spec['n_rows']} rows are no layout.")
        return cls.build(levels, observed, spec["numbers"], spec["n_rows"], Keep(**keep))


def column_numbers(columns: Any, n_columns: int) -> IntArray:
    """Check that columns (m,) are integers from 0 to below `n_columns`."""
    wanted = np.atleast_1d(np.asarray(columns))
    if wanted.size == 0:
        return np.empty(0, dtype=np.int64)
    if wanted.ndim != 1 or wanted.dtype.kind not in "iu":
        raise ValueError(f"columns={columns!r} must be one-dimensional and of integers.")
    if wanted.min() < 0 or wanted.max() >= n_columns:
        wrong = wanted[(wanted < 0) | (wanted >= n_columns)][0]
        raise ValueError(
            f"columns holds {wrong}, but must lie in [0, {n_columns}): the output has {n_columns} columns."
        )
    return wanted.astype(np.int64)

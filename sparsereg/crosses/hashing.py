"""`Hashing`: the columns of a layout mapped to a fixed number of hashed columns, each with a sign (feature hashing).

The hashed column depends only on the texts and numbers of the levels: it is the same in every process, and does not
change when the vocabulary grows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.block import Block
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.vocabulary import Levels

__all__ = ["Hashing"]

IntArray = NDArray[Any]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Hashing:
    """The hashed column and the sign of each column of a layout.

    Attributes
    ----------
    width : int
        Number of hashed columns that all one-hot columns share; each number has its own column after them.
    columns : ndarray of int64, shape (n,)
        The hashed column of each of the layout's n columns.
    signs : ndarray of int8, shape (n,)
        1 or -1, so that collisions have mean zero; 1 for a number.
    blocks : tuple of Block
        The blocks of the output: one named ``hashed``, and the numbers.
    """

    width: int
    columns: IntArray
    signs: NDArray[np.int8]
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, layout: Layout, width: int) -> Hashing:
        """Hash the columns of a layout."""
        levels = {name: _hash_levels(name, part) for name, part in layout.levels.items()}
        hashes = [_hash_block(block, levels) for block in layout.categories]
        together = np.concatenate([np.empty(0, dtype=np.uint64), *hashes])
        numbers = layout.numbers
        columns = np.concatenate([(together % np.uint64(width)).astype(np.int64), width + np.arange(len(numbers))])
        signs = np.where(together >> np.uint64(63), -1, 1).astype(np.int8)
        n_cells = sum(block.n_cells for block in layout.categories)
        blocks = [Block(("hashed",), 0, width, n_cells)]
        blocks += [Block((name,), width + k, width + k + 1, 1, is_number=True) for k, name in enumerate(numbers)]
        return cls(width, columns, np.concatenate([signs, np.ones(len(numbers), dtype=np.int8)]), tuple(blocks))

    @property
    def n_columns(self) -> int:
        """Number of columns of the output."""
        return self.blocks[-1].stop

    def shared(self) -> NDArray[np.bool_]:
        """Which of the layout's columns (n,) share a hashed column with another."""
        _, places, counts = np.unique(self.columns, return_inverse=True, return_counts=True)
        return counts[places] > 1

    def sources(self, columns: IntArray) -> list[IntArray]:
        """For each of the hashed columns (m,) the layout's columns that are mapped to it, in order."""
        chosen = np.flatnonzero(np.isin(self.columns, columns))
        order = chosen[np.argsort(self.columns[chosen], kind="stable")]
        ordered = self.columns[order]
        first, last = np.searchsorted(ordered, columns), np.searchsorted(ordered, columns, side="right")
        return [order[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]


def _hash_block(block: Block, levels: dict[str, Hashes]) -> Hashes:
    """A hash for each column of a block; for a cross it depends on the order of the fields."""
    hashes = np.full(block.kept_codes.size, len(block.fields), dtype=np.uint64)
    for name, codes in zip(block.fields, block.split(block.kept_codes), strict=True):
        hashes = _mix(hashes + levels[name][codes])
    if block.has_rare:
        hashes = np.append(hashes, _hash_text("rare\0" + "\0".join(block.fields)))
    return hashes


def _hash_levels(name: str, levels: Levels) -> Hashes:
    """A hash for each level of a field; it depends on the name of the field."""
    if levels.kind == "string":
        hashes = np.array([_hash_text(word) for word in levels.strings], dtype=np.uint64)
    else:
        hashes = _mix(levels.numbers.astype(np.uint64))
    if levels.bins is not None:
        # The meaning of a bin index depends on the rule.
        hashes = _mix(hashes ^ _hash_text(json.dumps(levels.bins.to_dict())))
    if levels.missing:
        hashes = np.append(hashes, _hash_text("missing\0"))
    return _mix(hashes ^ _hash_text(name))


def _hash_text(text: str) -> np.uint64:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _mix(values: Hashes) -> Hashes:
    """Mix the bits of 64-bit words by the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

"""`FittedColumns`: the names, levels and counts of the columns of a fitted `FeatureCross`."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.utils.validation import check_is_fitted

from sparsereg.crosses.block import Block
from sparsereg.crosses.hashing import Hashing
from sparsereg.crosses.layout import Layout, column_numbers
from sparsereg.crosses.vocabulary import Levels

__all__ = ["FittedColumns"]


class FittedColumns:
    """The part of `FeatureCross` that describes its columns."""

    dtype: DTypeLike
    n_features_in_: int
    n_features_out_: int
    _layout: Layout
    _hashing: Hashing | None
    _names_in: list[str]
    _named: bool

    @property
    def blocks_(self) -> list[Block]:
        """The blocks of columns, in order; with `hashed`, one block of that name and the numbers."""
        return list(self._layout.blocks if self._hashing is None else self._hashing.blocks)

    @property
    def collisions_(self) -> dict[str, int]:
        """For each block the number of observed levels or combinations that share a hashed column."""
        shared = np.zeros(self._layout.n_columns, np.bool_) if self._hashing is None else self._hashing.shared()
        return {block.name: int(shared[block.start : block.stop].sum()) for block in self._layout.categories}

    @property
    def levels_(self) -> dict[str, Levels]:
        """The observed levels of each categorical field."""
        return dict(self._layout.levels)

    @property
    def n_rows_(self) -> int:
        """Number of rows in fit, of all chunks."""
        return self._layout.n_rows

    @property
    def numbers_(self) -> list[str]:
        """The fields that pass through as numbers."""
        return self._layout.numbers

    def feature_names(self, columns: ArrayLike, input_features: ArrayLike | None = None) -> list[str]:
        """Names of some columns of the output; the others are not made.

        Parameters
        ----------
        columns : array-like of int, shape (m,)
        input_features : array-like of str, shape (n_features_in_,), optional
            Names for the columns of an array. None keeps ``x0``, ``x1``, ...

        Returns
        -------
        list of str
            Such as ``"latitude=[37.75,37.7667) x ocean_proximity=INLAND"``. With `hashed`, all levels mapped to the
            column, each with its sign, such as ``"+a=1 -b=2 x c=3"``; ``"hashed5"`` if there are none.

        Raises
        ------
        ValueError
            If a column is not one of the output's, or `input_features` do not match those of `fit`.
        """
        check_is_fitted(self, "n_features_out_")
        wanted = column_numbers(columns, self.n_features_out_)
        words = self._names_in
        if input_features is not None:
            words = [str(word) for word in np.asarray(input_features, dtype=object)]
            if len(words) != self.n_features_in_:
                raise ValueError(
                    f"input_features should have length equal to number of features ({self.n_features_in_}), "
                    f"got {len(words)}."
                )
            if self._named and words != self._names_in:
                raise ValueError("input_features is not equal to feature_names_in_.")
        # A field made by `Of` keeps its name.
        made = {name: name for name in self._layout.levels}
        field_names = made | dict(zip(self._names_in, words, strict=True))
        used = sorted(field_names[name] for name in {*self._layout.levels, *self.numbers_})
        if twice := [word for word, other in pairwise(used) if word == other]:
            raise ValueError(f"input_features={words} names {twice[0]!r} twice; give each field its own name.")
        if self._hashing is None:
            return self._layout.names(wanted, field_names)
        return self._hashed_names(self._hashing, wanted, field_names)

    def _hashed_names(self, hashing: Hashing, wanted: NDArray[np.int64], field_names: dict[str, str]) -> list[str]:
        sources = hashing.sources(wanted)
        flat = np.concatenate([np.empty(0, dtype=np.int64), *sources])
        names = iter(zip(self._layout.names(flat, field_names), hashing.signs[flat].tolist(), strict=True))
        joined = []
        for column, part in zip(wanted.tolist(), sources, strict=True):
            words = [next(names) for _ in range(part.size)]
            if column >= hashing.width:
                word = words[0][0]
                joined.append(repr(word) if re.fullmatch(r"hashed\d+", word) else word)
                continue
            signed = (f"{'-' if sign < 0 else '+'}{_unsigned(word)}" for word, sign in words)
            joined.append(" ".join(signed) or f"hashed{column}")
        return joined

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names of all columns of the output; see `feature_names` for some of them.

        Parameters
        ----------
        input_features : array-like of str, shape (n_features_in_,), optional
            Names for the columns of an array. None keeps ``x0``, ``x1``, ...

        Returns
        -------
        ndarray of str objects, shape (n_features_out_,)
        """
        check_is_fitted(self, "n_features_out_")
        return np.array(self.feature_names(np.arange(self.n_features_out_), input_features), dtype=object)

    def inverse(self, column: int) -> tuple[tuple[str, object], ...]:
        """The fields and levels of a column of the output.

        Parameters
        ----------
        column : int

        Returns
        -------
        tuple of (field, level)
            The level is a string, an integer, a boolean, the bounds ``(a, b)`` of a half-open bin, or None for missing;
            ``Rare.RARE`` where rare levels share the column; ``(-inf, inf)`` for a number.

        Raises
        ------
        ValueError
            If the column is not one of the output's, or is a hashed one.
        """
        check_is_fitted(self, "n_features_out_")
        (wanted,) = column_numbers([column], self.n_features_out_).tolist()
        if self._hashing is None:
            return self._layout.inverse(wanted)
        if wanted < self._hashing.width:
            raise ValueError(
                f"column {column} of hashed={self._hashing.width} has no single meaning; use feature_names."
            )
        return ((self.numbers_[wanted - self._hashing.width], (-math.inf, math.inf)),)

    def columns_in(self, other: FittedColumns) -> NDArray[np.int64]:
        """For each column the column of another fitted cross with the same meaning.

        Coefficients are transferred to a larger vocabulary by ``new[columns] = old`` where ``columns >= 0``.

        Parameters
        ----------
        other : FeatureCross

        Returns
        -------
        ndarray of int64, shape (n_features_out_,)
            -1 where the other has no such column. Hashed columns keep their positions.

        Raises
        ------
        ValueError
            If the two differ in `hashed`, or are hashed and differ in fields or bins.
        """
        check_is_fitted(self, "n_features_out_")
        check_is_fitted(other, "n_features_out_")
        if self._hashing is not None or other._hashing is not None:
            columns = _hashed_columns_in(self._hashing, other._hashing)
            for name, levels in self._layout.levels.items():
                if name not in other._layout.levels:
                    raise ValueError(f"field {name!r} is not in the other cross; fit both with the same fields.")
                if not levels.is_like(other._layout.levels[name]):
                    raise ValueError(f"field {name!r} has other bins or levels in the other cross; fit both alike.")
            return columns
        return self._layout.columns_in(other._layout)

    def describe(self) -> list[dict[str, Any]]:
        """The size of each block in the table of `fit`.

        Returns
        -------
        list of dict
            One for each block. ``block``: its name. ``cells``: possible columns. ``observed``: observed levels or
            combinations. ``singletons``: those in one row. ``columns``: those with a column. ``entries``: stored
            entries. ``bytes``: of their values and int32 indices. ``coverage``: entries by rows. With `Split`, pooled
            levels of one row count as several entries, although they share one. With `hashed`, before hashing.
        """
        check_is_fitted(self, "n_features_out_")
        return self._layout.describe(np.dtype(self.dtype).itemsize)


def _unsigned(name: str) -> str:
    """A name as part of that of a hashed column: quoted if a part of it could be read as the sign of the next name."""
    return repr(name) if " +" in name or " -" in name else name


def _hashed_columns_in(own: Hashing | None, other: Hashing | None) -> NDArray[np.int64]:
    widths = [None if hashing is None else hashing.width for hashing in (own, other)]
    if own is None or other is None or own.width != other.width:
        raise ValueError(f"hashed={widths[0]} here but hashed={widths[1]} there; fit both with the same hashed.")
    columns = np.arange(own.n_columns)
    start = {block.fields: block.start for block in other.blocks if block.is_number}
    columns[own.width :] = [start.get(block.fields, -1) for block in own.blocks if block.is_number]
    return columns

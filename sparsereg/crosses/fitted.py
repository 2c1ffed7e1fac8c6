"""`FittedColumns`: what a fitted `FeatureCross` can tell about its columns.

Names, levels, counts, and where columns are found in another cross. This room may not know tables, nor how to fit.
"""

from __future__ import annotations

import math
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
    """The part of `FeatureCross` that reads its fitted state."""

    dtype: DTypeLike
    n_features_in_: int
    n_features_out_: int
    _layout: Layout
    _hashing: Hashing | None
    _names_in: list[str]

    @property
    def blocks_(self) -> list[Block]:
        """The blocks of columns, in order; with `hashed`, one of that name for all but the numbers."""
        return list(self._layout.blocks if self._hashing is None else self._hashing.blocks)

    @property
    def collisions_(self) -> dict[str, int]:
        """For each block, how many of its observed levels or combinations share a column; without `hashed` none do."""
        shared = np.zeros(self._layout.n_columns, np.bool_) if self._hashing is None else self._hashing.shared()
        return {block.name: int(shared[block.start : block.stop].sum()) for block in self._layout.categories}

    @property
    def levels_(self) -> dict[str, Levels]:
        """The observed levels of each categorical field."""
        return dict(self._layout.levels)

    @property
    def numbers_(self) -> list[str]:
        """The fields that pass through as numbers."""
        return self._layout.numbers

    def feature_names(self, columns: ArrayLike, input_features: ArrayLike | None = None) -> list[str]:
        """Names of some columns of the output, without making those of the others.

        Parameters
        ----------
        columns : array-like of int, shape (m,)
        input_features : array-like of str, shape (n_features_in_,), optional
            Names for the columns of an array. None keeps ``x0``, ``x1``, ...

        Returns
        -------
        list of str
            Such as ``"latitude=[37.75,37.7667) x ocean_proximity=INLAND"``. With `hashed`, all that fall in the column,
            each with its sign, such as ``"+a=1 -b=2 x c=3"``; ``"hashed5"`` where nothing does.

        Raises
        ------
        ValueError
            If a column is not one of the output's, or `input_features` do not fit those of `fit`.
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
            if hasattr(self, "feature_names_in_") and words != self._names_in:
                raise ValueError("input_features is not equal to feature_names_in_.")
        # A field that a rule makes of a column has a name of its own.
        made = {name: name for name in self._layout.levels}
        called = made | dict(zip(self._names_in, words, strict=True))
        if self._hashing is None:
            return self._layout.names(wanted, called)
        return self._hashed_names(self._hashing, wanted, called)

    def _hashed_names(self, hashing: Hashing, wanted: NDArray[np.int64], called: dict[str, str]) -> list[str]:
        members = hashing.members(wanted)
        fallen = np.concatenate([np.empty(0, dtype=np.int64), *members])
        names = iter(zip(self._layout.names(fallen, called), hashing.signs[fallen].tolist(), strict=True))
        joined = []
        for column, part in zip(wanted.tolist(), members, strict=True):
            words = [next(names) for _ in range(part.size)]
            is_number = column >= hashing.width
            signed = " ".join(f"{'-' if sign < 0 else '+'}{word}" for word, sign in words) or f"hashed{column}"
            joined.append(words[0][0] if is_number else signed)
        return joined

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names of all columns of the output; `feature_names` makes only some.

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
        """The fields and levels that a column of the output stands for.

        Parameters
        ----------
        column : int

        Returns
        -------
        tuple of (field, level)
            The level is a string, an integer, a boolean, the bounds ``(a, b)`` of a half-open bin, or None for missing;
            ``(-inf, inf)`` for a number.

        Raises
        ------
        ValueError
            If the column is not one of the output's, or one of those that hashing shares out.
        """
        check_is_fitted(self, "n_features_out_")
        (wanted,) = column_numbers([column], self.n_features_out_).tolist()
        if self._hashing is None:
            return self._layout.inverse(wanted)
        if wanted < self._hashing.width:
            raise ValueError(
                f"column {column} of hashed={self._hashing.width} has no single meaning; see feature_names."
            )
        return ((self.blocks_[wanted - self._hashing.width + 1].name, (-math.inf, math.inf)),)

    def columns_in(self, other: FittedColumns) -> NDArray[np.int64]:
        """Which column of another fitted cross means the same as each column of this one.

        It carries coefficients over to a vocabulary that has grown: ``new[columns] = old`` where ``columns >= 0``.

        Parameters
        ----------
        other : FeatureCross

        Returns
        -------
        ndarray of int64, shape (n_features_out_,)
            -1 where the other has no such column. Hashed columns stay where they are, whatever falls there.

        Raises
        ------
        ValueError
            If the two are hashed to different widths, or only one is, or a hashed field has other bins in the other.
        """
        check_is_fitted(self, "n_features_out_")
        check_is_fitted(other, "n_features_out_")
        if self._hashing is not None or other._hashing is not None:
            found = _hashed_columns_in(self._hashing, other._hashing)
            for name, levels in self._layout.levels.items():
                if name not in other._layout.levels:
                    raise ValueError(f"field {name!r} is not in the other cross; hashed columns are only found alike.")
                if not levels.is_like(other._layout.levels[name]):
                    raise ValueError(f"field {name!r} has other bins or levels in the other cross; fit both alike.")
            return found
        return self._layout.columns_in(other._layout)

    def describe(self) -> list[dict[str, Any]]:
        """What each block holds of the table of `fit`.

        Returns
        -------
        list of dict
            One for each block. ``block``: its name. ``cells``: nominal columns. ``observed``: levels or combinations
            seen. ``singletons``: those seen in one row. ``columns``: those with a column, after `min_count`.
            ``entries``: ones stored. ``bytes``: of their values and int32 indices. ``coverage``: entries by rows, which
            is the share of the rows that have an entry. With `Split`, rows can have several, and pooled levels of one row
            count as several entries here though they make one. With `hashed`, all this is before hashing.
        """
        check_is_fitted(self, "n_features_out_")
        return self._layout.describe(np.dtype(self.dtype).itemsize)


def _hashed_columns_in(own: Hashing | None, other: Hashing | None) -> NDArray[np.int64]:
    widths = [None if hashing is None else hashing.width for hashing in (own, other)]
    if own is None or other is None or own.width != other.width:
        raise ValueError(f"hashed={widths[0]} here but hashed={widths[1]} there; columns can only be found alike.")
    found = np.arange(own.n_columns)
    place = {block.name: block.start for block in other.blocks if block.is_number}
    found[own.width :] = [place.get(block.name, -1) for block in own.blocks if block.is_number]
    return found

"""`FittedColumns`: what a fitted `FeatureCross` can tell about its columns.

Names, levels, counts, and where columns are found in another cross. This room may not know tables, nor how to fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.utils.validation import check_is_fitted

from sparsereg.crosses.layout import Block, Layout, column_numbers
from sparsereg.crosses.vocabulary import Levels

__all__ = ["FittedColumns"]


class FittedColumns:
    """The part of `FeatureCross` that reads its fitted state."""

    dtype: DTypeLike
    n_features_in_: int
    n_features_out_: int
    _layout: Layout
    _names_in: list[str]

    @property
    def blocks_(self) -> list[Block]:
        """The blocks of columns, in order."""
        return list(self._layout.blocks)

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
            Such as ``"latitude=[37.75,37.7667) x ocean_proximity=INLAND"``.

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
        return self._layout.names(wanted, made | dict(zip(self._names_in, words, strict=True)))

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
            If the column is not one of the output's.
        """
        check_is_fitted(self, "n_features_out_")
        (wanted,) = column_numbers([column], self.n_features_out_).tolist()
        return self._layout.inverse(wanted)

    def columns_in(self, other: FittedColumns) -> NDArray[np.int64]:
        """Which column of another fitted cross means the same as each column of this one.

        It carries coefficients over to a vocabulary that has grown: ``new[columns] = old`` where ``columns >= 0``.

        Parameters
        ----------
        other : FeatureCross

        Returns
        -------
        ndarray of int64, shape (n_features_out_,)
            -1 where the other has no such column.
        """
        check_is_fitted(self, "n_features_out_")
        check_is_fitted(other, "n_features_out_")
        return self._layout.columns_in(other._layout)

    def describe(self) -> list[dict[str, Any]]:
        """What each block holds of the table of `fit`.

        Returns
        -------
        list of dict
            One for each block. ``block``: its name. ``cells``: nominal columns. ``observed``: levels or combinations
            seen. ``singletons``: those seen in one row. ``columns``: those with a column, after `min_count`.
            ``entries``: ones stored. ``bytes``: of their values and int32 indices. ``coverage``: share of the rows that
            have an entry.
        """
        check_is_fitted(self, "n_features_out_")
        return self._layout.describe(np.dtype(self.dtype).itemsize)

"""`Table`: a table of pandas, polars, Arrow or NumPy as a list of columns with names."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array

from sparsereg.crosses.column import Column
from sparsereg.crosses.reading import read_column

__all__ = ["Table", "shortened"]

# The name of the estimator, for error messages.
_READER = "FeatureCross"


class Table:
    """A table as a list of columns with names.

    Parameters
    ----------
    X : DataFrame of pandas, polars, modin, ..., pyarrow Table, or array-like of shape (n, p)
    min_rows : int, default=1
        The least number of rows.

    Attributes
    ----------
    names : list of str
        Column names; ``x0``, ``x1``, ... if the table has no names that are strings.
    named : bool
        Whether the table has names that are strings.
    n_rows : int

    Raises
    ------
    ValueError
        If the table is lazy, empty or not two-dimensional, or two columns have the same name.

    Examples
    --------
    >>> table = Table(np.array([[1, 2], [3, 4]]))
    >>> table.names, table.column(1).values
    (['x0', 'x1'], array([2, 4]))
    """

    def __init__(self, X: Any, min_rows: int = 1) -> None:
        if nw.dependencies.is_into_dataframe(X):
            frame = nw.from_native(X, eager_only=True)
            labels = list(frame.columns)
            self._columns: Sequence[Any] = list(frame.iter_columns())
            self.n_rows = len(frame)
            if self.n_rows < min_rows or not labels:
                raise ValueError(
                    f"Found array with {self.n_rows} sample(s) and {len(labels)} feature(s) "
                    f"(shape={frame.shape}) while a minimum of {max(min_rows, 1)} is required by {_READER}."
                )
        else:
            array = _array(X, min_rows)
            labels = list(range(array.shape[1]))
            self._columns = list(array.T)
            self.n_rows = array.shape[0]
        strings = [isinstance(label, str) for label in labels]
        self.named = all(strings)
        if any(strings) and not self.named:
            raise TypeError(
                "Feature names are only supported if all input features have string names, but the column names "
                f"{labels} are of several types; use X.columns = X.columns.astype(str)."
            )
        self.names = labels if self.named else [f"x{position}" for position in range(len(labels))]

    def column(self, position: int) -> Column:
        """Read the column at a position.

        Raises
        ------
        ValueError
            If its type, or a mixture of types in it, cannot be read.
        """
        return read_column(self.names[position], self._columns[position])

    def sample(self, size: int) -> Table:
        """`size` rows in order, drawn at random with a fixed seed; the table itself if it has no more."""
        if self.n_rows <= size:
            return self
        rows = np.sort(np.random.default_rng(0).choice(self.n_rows, size, replace=False))
        part = copy(self)
        part._columns = [column[rows] for column in self._columns]
        part.n_rows = size
        return part

    def columns_like(self, names: Sequence[str], named: bool, wanted: Iterable[str]) -> dict[str, Column]:
        """Read the `wanted` of the columns `names` of the table of fit.

        Columns are matched by name if both tables have names, and by position otherwise. A column without values is of
        kind ``"missing"``.

        Raises
        ------
        ValueError
            If a column is not in the table, or columns are matched by position and the tables differ in their number.
        """
        if named and self.named:
            position = {name: place for place, name in enumerate(self.names)}
            for name in wanted:
                if name not in position:
                    raise ValueError(f"column {name!r} of fit is not in X, whose columns are {shortened(self.names)}.")
        else:
            if len(self.names) != len(names):
                raise ValueError(
                    f"X has {len(self.names)} features, but {_READER} is expecting {len(names)} features as input."
                )
            if named != self.named:
                have, were = ("has", "without") if self.named else ("does not have valid", "with")
                warnings.warn(
                    f"X {have} feature names, but {_READER} was fitted {were} feature names; "
                    "columns are matched by position.",
                    UserWarning,
                    stacklevel=3,
                )
            position = {name: place for place, name in enumerate(names)}
        return {name: read_column(name, self._columns[position[name]]).or_missing() for name in wanted}


def shortened(names: Sequence[str]) -> str:
    """At most 20 of the column names, for error messages."""
    return f"{list(names)}" if len(names) <= 20 else f"{list(names[:20])} and {len(names) - 20} more"


def _array(X: Any, min_rows: int) -> NDArray[Any]:
    if nw.dependencies.is_into_series(X):
        raise ValueError(f"Expected 2D array, got a 1D series instead; {_READER} needs a table: use X.to_frame().")
    # Not isinstance: scipy's dok_matrix is a subclass of dict.
    if type(X) is dict:
        raise ValueError(f"X is a dict; {_READER} needs a table: use pandas.DataFrame(X).")
    if nw.dependencies.is_polars_lazyframe(X):
        raise ValueError(f"X is a LazyFrame; {_READER} needs the data in memory: use X.collect().")
    if isinstance(X, (list, tuple)) and _holds_strings(X):
        # NumPy would turn the numbers of a mixed list into strings.
        X = np.asarray(X, dtype=object)
    array: NDArray[Any] = check_array(
        X, dtype=None, ensure_all_finite=False, ensure_min_samples=min_rows, estimator=_READER, input_name="X"
    )
    if array.dtype.names is not None or array.dtype.kind in "SV":
        raise ValueError(f"X has the dtype {array.dtype}; convert it to numbers, str, bool, datetime64 or object.")
    return array


def _holds_strings(rows: Iterable[Any]) -> bool:
    return any(isinstance(value, str) for row in rows if isinstance(row, (list, tuple)) for value in row)

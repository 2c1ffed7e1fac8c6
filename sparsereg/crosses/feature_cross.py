"""`FeatureCross`: named columns of a table to one-hot columns and their observed crosses.

It is the scikit-learn shell: parameters, fitting, growing. How a column is read, binned, numbered and combined
is known by the rooms it calls; it may not know solvers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sparsereg.crosses.binning import Rule
from sparsereg.crosses.block import Block, Rare
from sparsereg.crosses.column import Column
from sparsereg.crosses.fitting import Sighting, find_places
from sparsereg.crosses.hashing import Hashing
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.onehot import csr_of_ones, fold
from sparsereg.crosses.plan import Plan
from sparsereg.crosses.portable import Portable
from sparsereg.crosses.ragged import Codes
from sparsereg.crosses.recipe import Recipe, check_whole
from sparsereg.crosses.rules import Of
from sparsereg.crosses.table import Table

__all__ = ["Block", "FeatureCross", "Rare"]

Key = str | int
FloatArray = NDArray[np.float64]


class FeatureCross(Portable, TransformerMixin, BaseEstimator):
    """One-hot columns of fields and of their crosses, observed combinations only.

    Strings, categoricals, booleans and integers are categories. Floats are categories through a rule in `bins`, and
    pass through as numbers without one; dates need a rule. Within a block the columns are in the order of the levels
    (numbers by size, texts by code point, missing last), those of a cross by the level of the first field, then the second.

    Parameters
    ----------
    fields : list of str or int, optional
        Columns to use, in this order. None, the default, takes all columns of the table. Columns of an array, which
        have no names, are called by position, 0, 1, ... or ``"x0"``, ``"x1"``, ...
    bins : dict of field to Width, Quantiles, Edges, DatePart, Split or Of, optional
        How to make categories of numbers and of dates, and several of one text. An `Of` makes a new field of a column, which is then used in no
        other way unless it has a rule of its own or is named in `fields`.
    crosses : list of tuples of fields, default=()
        Which fields to cross, two or more at a time. Empty, as the number of columns of a cross is for you to judge.
    main_effects : bool or list of fields, default=True
        Which fields get columns of their own besides those of their crosses. True, as a cross without its main effects
        has to learn the same effect many times. With False, numbers do not pass through either.
    handle_unknown : {"zero", "error"}, default="zero"
        What `transform` makes of a level or a combination that was not seen in `fit`: a row without an entry in that
        block, or a ValueError. Zero, as new levels are the rule where categories are many.
    dtype : float32 or float64, default=float64
        Of the output. float64, as scikit-learn has it.
    numeric : list of fields, default=()
        Integer fields to pass through as numbers. Empty, as most integers in tables are codes.
    degree : int, default=1
        Cross all pairs of categorical fields from 2 on, all triples from 3 on, and so forth. 1, as such designs grow
        fast.
    min_count : int, default=1
        Rows that a level or a combination needs in `fit` for a column of its own. 1 keeps all: the penalty chooses.
    rare : {"drop", "pool"}, default="drop"
        What becomes of those with fewer rows, and of those beyond `max_levels`: no entry in that block, or one column that
        they share, named ``field=rare``. Dropped, as pooled rows have little in common.
    max_levels : int, optional
        Columns of a field or cross at most, besides a shared one: those with the most rows, and of equals the first in
        order. None, the default, sets no limit.
    missing : {"level", "zero"}, default="level"
        Whether missing is a level of its own where one was seen in `fit`, or a row without an entry, of the field as of
        its crosses. A level, as values are rarely missing by chance.
    max_memory : int, optional
        Bytes that encoding a table and fitting a path may take by `plan`, or ``fit`` refuses; `partial_fit` plans for each
        chunk. None, the default, does not plan.
    hashed : int, optional
        Throw all one-hot columns into this many, by a signed hash of what they mean: the width stays the same however the
        vocabulary grows, and every level its place. `collisions_` counts those that share one. None, the default, gives
        each its own.

    Attributes
    ----------
    blocks_ : list of Block
        In the order of the columns: main effects, `crosses`, the crosses that `degree` adds, numbers.
    collisions_ : dict of str to int
        Of each block, the levels or combinations that share a hashed column.
    levels_ : dict of str to Levels
        The observed levels of each categorical field.
    numbers_ : list of str
        The fields that pass through as numbers.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only when fitted on a table with column names.
    n_features_out_ : int
        Number of columns of the output.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg.crosses.binning import Width
    >>> X = np.array([[37.75, 2], [37.751, 3], [38.0, 2]])
    >>> cross = FeatureCross(bins={0: Width("1/60"), 1: Width(1)}, crosses=[(0, 1)]).fit(X)
    >>> cross.transform(X).shape
    (3, 7)
    >>> cross.feature_names([0, 4])
    ['x0=[37.75,37.7667)', 'x0=[37.75,37.7667) x x1=[2,3)']
    """

    def __init__(
        self,
        fields: Sequence[Key] | None = None,
        bins: Mapping[Key, Rule | Of] | None = None,
        crosses: Sequence[Sequence[Key]] = (),
        main_effects: bool | Sequence[Key] = True,
        handle_unknown: str = "zero",
        dtype: DTypeLike = np.float64,
        numeric: Sequence[Key] = (),
        degree: int = 1,
        min_count: int = 1,
        rare: str = "drop",
        max_levels: int | None = None,
        missing: str = "level",
        max_memory: int | None = None,
        hashed: int | None = None,
    ) -> None:
        self.fields = fields
        self.bins = bins
        self.crosses = crosses
        self.main_effects = main_effects
        self.handle_unknown = handle_unknown
        self.dtype = dtype
        self.numeric = numeric
        self.degree = degree
        self.min_count = min_count
        self.rare = rare
        self.max_levels = max_levels
        self.missing = missing
        self.max_memory = max_memory
        self.hashed = hashed

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Find the levels of the fields and the combinations of the crosses.

        Parameters
        ----------
        X : DataFrame of pandas, polars or arrow, or array-like of shape (n, p)
        y : ignored
            Taken because pipelines pass it.

        Returns
        -------
        FeatureCross
            Itself.

        Raises
        ------
        ValueError
            If a parameter is wrong, or a column cannot be read as it asks.
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:  # noqa: ARG002
        """`fit`, and `transform` of the same table without looking anything up again.

        Parameters
        ----------
        X : DataFrame of pandas, polars or arrow, or array-like of shape (n, p)
        y : ignored
            Taken because pipelines pass it.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n, n_features_out_)
            See `transform`.
        """
        if fit_params:
            raise ValueError(f"fit_params={sorted(fit_params)} are not known to FeatureCross.fit_transform.")
        seen = self._fit(X)
        return self._assemble(seen.places(), seen.numbers, seen.layout.n_rows)

    def transform(self, X: Any) -> Any:
        """The one-hot and crossed columns of a table, row for row.

        Parameters
        ----------
        X : DataFrame of pandas, polars or arrow, or array-like of shape (n, p)
            Of a table with names only the fields need be there, in any order.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n, n_features_out_)
            All ones but for the numbers, with sorted indices. A csr_array where scikit-learn is configured for them.

        Raises
        ------
        ValueError
            If a field is not there or of another type than in `fit`, a number is missing or infinite, or a level was
            not seen in `fit` and ``handle_unknown="error"``.
        """
        check_is_fitted(self, "n_features_out_")
        table = Table(X, min_rows=0)
        columns = self._read(table, self._sources())
        places = find_places(self._layout, columns, self.handle_unknown == "error")
        return self._assemble(places, [columns[name].as_finite() for name in self.numbers_], table.n_rows)

    def partial_fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Add the levels and combinations of one more chunk of a table.

        After all chunks the columns are those of `fit` on the whole, but for `Quantiles`, whose edges the first chunk
        settles. Columns move as they grow; `columns_in` says where to.

        Parameters
        ----------
        X : DataFrame of pandas, polars or arrow, or array-like of shape (n, p)
        y : ignored
            Taken because pipelines pass it.

        Returns
        -------
        FeatureCross
            Itself.

        Raises
        ------
        ValueError
            If a column has changed its type since the first chunk, and whatever `fit` raises.
        """
        self._fit(X, getattr(self, "_layout", None))
        return self

    def merge(self, other: FeatureCross) -> Self:
        """Add the levels and combinations that another fitted cross has seen.

        Parameters
        ----------
        other : FeatureCross
            With the same parameters and the same bins; it stays as it is.

        Returns
        -------
        FeatureCross
            Itself, as if fitted on the rows of both.

        Raises
        ------
        ValueError
            If the two have other blocks, bins, or kinds of levels.
        """
        check_is_fitted(self, "n_features_out_")
        check_is_fitted(other, "n_features_out_")
        self._keep(self._layout.merge(other._layout), self._names_in, hasattr(self, "feature_names_in_"))
        return self

    def plan(self, X: Any, sample: int = 250_000) -> Plan:
        """What fitting on a table will come to: columns, entries, bytes. Nothing is kept.

        Tables of up to `sample` rows are counted exactly. Of larger ones so many rows are drawn (always the same ones), and
        how many columns each block will have is inferred from how often each level occurs in them.

        Parameters
        ----------
        X : DataFrame of pandas, polars or arrow, or array-like of shape (n, p)
        sample : int, default=250_000
            Rows to look at. A quarter of a million, which takes a fraction of a second.

        Returns
        -------
        Plan
            Which prints as a table.

        Raises
        ------
        ValueError
            If `sample` is not positive, and whatever `fit` raises.
        """
        check_whole("sample", sample)
        return self._plan(Table(X), sample)

    def _plan(self, table: Table, sample: int = 250_000, known: Layout | None = None) -> Plan:
        seen = self._look(table.sample(sample), known)
        return Plan.of(seen, table.n_rows, np.dtype(self.dtype).itemsize, self.hashed)

    def _fit(self, X: Any, known: Layout | None = None) -> Sighting:
        """Look at a table, if there is room for what it will come to, and add it to what is known."""
        table = Table(X)
        if self.max_memory is not None:
            # A limit that is no number is refused as other parameters are.
            plan = self._plan(table, known=known)
            if plan.peak_bytes > self.max_memory:
                raise ValueError(
                    f"max_memory={self.max_memory} bytes is less than the {plan.peak_bytes} that this design is planned to "
                    "take; use coarser bins, fewer crosses, a larger min_count, max_levels, or dtype float32.\n"
                    f"{plan}"
                )
        seen = self._look(table, known)
        if known is None:
            self._keep(seen.layout, table.names, table.named)
        else:
            self._keep(known.merge(seen.layout), self._names_in, hasattr(self, "feature_names_in_"))
        return seen

    def _look(self, table: Table, known: Layout | None) -> Sighting:
        names = table.names if known is None else self._names_in
        named = table.named if known is None else hasattr(self, "feature_names_in_")
        recipe = Recipe.resolve(self.get_params(deep=False), names, named)
        if known is None:
            place = {name: position for position, name in enumerate(table.names)}
            read = {source: table.column(place[source]) for source in dict.fromkeys(recipe.sources.values())}
            columns = {name: read[source] for name, source in recipe.sources.items()}
        else:
            columns = self._read(table, recipe.sources)
        return Sighting.of(recipe, columns, table.n_rows, known)

    def _keep(self, layout: Layout, names: Sequence[str], named: bool) -> None:
        self._layout = layout
        self._names_in = list(names)
        self.n_features_in_ = len(names)
        if named:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self._hashing = None if self.hashed is None else Hashing.of(layout, self.hashed)
        self.n_features_out_ = layout.n_columns if self._hashing is None else self._hashing.n_columns

    def _sources(self) -> dict[str, str]:
        """The column that each field of the fitted state is read from."""
        return {name: levels.column for name, levels in self.levels_.items()} | {name: name for name in self.numbers_}

    def _read(self, table: Table, sources: Mapping[str, str]) -> dict[str, Column]:
        """The column of each field, from another table than that of `fit`."""
        named = hasattr(self, "feature_names_in_")
        columns = table.like(self._names_in, named, dict.fromkeys(sources.values()))
        return {name: columns[source] for name, source in sources.items()}

    def _assemble(self, places: list[Codes], numbers: list[FloatArray], n_rows: int) -> Any:
        largest = np.finfo(self.dtype).max
        for name, column in zip(self.numbers_, numbers, strict=True):
            if np.dtype(self.dtype) == np.float32 and (large := np.abs(column) > largest).any():
                row = int(np.argmax(large))
                raise ValueError(
                    f"column {name!r} holds {column[row]} in row {row}, too large for dtype={np.dtype(self.dtype).name}; "
                    "use float64, or scale it."
                )
        starts = [block.start for block in self._layout.categories]
        matrix = csr_of_ones(places, starts, numbers, (n_rows, self._layout.n_columns), self.dtype)
        if self._hashing is None:
            return matrix
        return fold(matrix, self._hashing.columns, self._hashing.signs, self.n_features_out_)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Refuse data frames: the output is sparse.

        Parameters
        ----------
        transform : {"default", None}

        Raises
        ------
        ValueError
            If a data frame is asked for.
        """
        if transform not in (None, "default"):
            raise ValueError(
                f"transform={transform!r} asks for a data frame, but FeatureCross makes sparse columns, often millions "
                "of them. Keep set_output(transform='default'), and see get_feature_names_out()."
            )
        super().set_output(transform=transform)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        # The dtype of the output is a parameter, whatever that of the input.
        tags.transformer_tags.preserves_dtype = []
        return tags

"""`FeatureCross`: the scikit-learn transformer from columns of a table to one-hot columns and observed crosses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sparsereg.crosses.advice import warn_of_fields
from sparsereg.crosses.automatic import Automatic
from sparsereg.crosses.binning import Rule
from sparsereg.crosses.block import Block, Rare
from sparsereg.crosses.column import Column
from sparsereg.crosses.encoding import Encoding, place_rows
from sparsereg.crosses.hashing import Hashing
from sparsereg.crosses.layout import Layout
from sparsereg.crosses.onehot import csr_of_ones, fold
from sparsereg.crosses.parquet import ParquetRows
from sparsereg.crosses.plan import CrossPlan
from sparsereg.crosses.ragged import Codes
from sparsereg.crosses.rules import Of
from sparsereg.crosses.specification import Specification, check_whole
from sparsereg.crosses.table import Table

__all__ = ["Block", "FeatureCross", "Rare"]

Key = str | int
FloatArray = NDArray[np.float64]


class FeatureCross(Automatic, TransformerMixin, BaseEstimator):
    """One-hot columns of fields and of their crosses, for observed combinations only.

    Strings, categoricals, booleans and integers are categories. Floats are categories with a rule in `bins`, and pass
    through as numbers without; dates need a rule. Within a block the columns are in the order of the levels (numbers
    by size, texts by code point, missing last); those of a cross by the level of the first field, then the second.

    Parameters
    ----------
    fields : list of str or int, optional
        Columns to use, in this order. None, the default, uses all columns of the table. Columns of an array, which
        have no names, are given by position, 0, 1, ..., or as ``"x0"``, ``"x1"``, ...
    bins : dict of field to Width, Quantiles, Edges, DatePart, Split or Of, optional
        Rules that make categories of numbers and dates, or several categories of one text. An `Of` makes a new field
        of a column; the column itself is then unused unless it has its own rule or is named in `fields`.
    crosses : list of tuples of fields or "auto", default=()
        Fields to cross, two or more at a time. Empty by default, as crosses can have many columns. "auto" chooses
        bins, pairs and triples by y within `fit`, as `choose_crosses` does with its own defaults; `fields`, `bins` and
        `numeric` still hold, and so do `degree` and `min_count` above 1.
    main_effects : bool or list of fields, default=True
        Fields with columns of their own besides those of their crosses. True, as a cross without its main effects has
        to learn one effect many times. With False, numbers do not pass through either.
    handle_unknown : {"zero", "error"}, default="zero"
        How `transform` treats a level or combination that is unknown from `fit`: no entry in that block of the row, or
        a ValueError. Zero, as new levels are common where fields have many.
    dtype : float32 or float64, default=float64
        Type of the output. float64, as in scikit-learn.
    numeric : list of fields, default=()
        Integer fields to pass through as numbers. Empty by default, as most integers in tables are codes.
    degree : int, default=1
        Cross all pairs of categorical fields from 2 on, all triples from 3 on, and so forth. 1, as such designs can be
        very large.
    min_count : int, default=1
        Rows that a level or combination needs in `fit` for a column of its own. 1 keeps all; the penalty selects.
    rare : {"drop", "pool"}, default="drop"
        How levels and combinations below `min_count` or beyond `max_levels` are treated: no entry in that block, or
        one shared column named ``field=rare``. Dropped, as pooled rows have little in common.
    max_levels : int, optional
        Maximal number of columns of a field or cross, without a shared one: those with the most rows; ties go to the
        first in order. None, the default, sets no limit.
    missing : {"level", "zero"}, default="level"
        Whether missing is a level, where observed in `fit`, or gives no entry in the field and its crosses. A level, as
        values are rarely missing at random.
    max_memory : int, optional
        Maximal bytes for encoding a table and fitting a path, as estimated by `plan`; ``fit`` raises a ValueError above
        it. `partial_fit` estimates each chunk. None, the default, sets no limit.
    hashed : int, optional
        Map all one-hot columns to this many by a signed hash of their meaning. The width does not depend on the
        vocabulary, and no column moves when it grows. `collisions_` counts shared columns. None, the default, gives
        each level and combination its own column.
    normalize_text : bool, default=False
        Whether texts are converted to Unicode form NFC without surrounding blanks, in `fit` and `transform`. False, as
        codes may differ in blanks; `fit` warns of levels that differ in nothing else.

    Attributes
    ----------
    blocks_ : list of Block
        In the order of the columns: main effects, `crosses`, the crosses that `degree` adds, numbers.
    collisions_ : dict of str to int
        The number of levels or combinations of each block that share a hashed column.
    levels_ : dict of str to Levels
        The observed levels of each categorical field.
    numbers_ : list of str
        The fields that pass through as numbers.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only when fitted on a table with column names.
    n_features_out_ : int
        Number of columns of the output.
    n_rows_ : int
        Number of rows in fit.
    design_, choice_ : FeatureCross, CrossChoice
        With ``crosses="auto"``: the unfitted cross with every choice written out, and what each block gains.

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
        crosses: Sequence[Sequence[Key]] | str = (),
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
        normalize_text: bool = False,
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
        self.normalize_text = normalize_text

    def fit(
        self, X: Any, y: Any = None, *, target: str | None = None, eps: float = 1e-2, loss: Any = "squared"
    ) -> Self:
        """Determine the levels of the fields and the combinations of the crosses.

        `ParquetRows` are fitted in two passes. With a target, combinations that no lasso path down to `eps` times its
        largest alpha can use are left out, which is exact (static safe screening).

        Parameters
        ----------
        X : DataFrame of pandas, polars or Arrow, array-like of shape (n, p), or ParquetRows
        y : array of shape (n,), optional
            Used with ``crosses="auto"`` only, and needed there.
        target : str, optional
            The target of `ParquetRows`, where they name none.
        eps : float, default=0.01
            The weakest alpha, as a share of the largest, that `ParquetRows` with a target are screened for.
        loss : str, tuple or Loss, default="squared"
            The loss that they are screened for; see `regularization_path`.

        Returns
        -------
        FeatureCross
            Itself.

        Raises
        ------
        ValueError
            If a parameter is wrong, or a column cannot be read as the parameters require.
        """
        self._choose(X, y)
        if isinstance(X, ParquetRows):
            self._fit_rows(X, target, eps, loss)
        elif target is not None:
            raise ValueError(f"target={target!r} is for ParquetRows; a table needs none.")
        else:
            self._fit(X)
        return self

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """`fit` and `transform` of the same table; the codes of `fit` are reused.

        Parameters
        ----------
        X : DataFrame of pandas, polars or Arrow, array-like of shape (n, p), or ParquetRows
        y : as in `fit`
        **fit_params : for `ParquetRows`, `target`, `eps` and `loss` as in `fit`, `scratch` as in `encode`.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n, n_features_out_), or DiskRows
            See `transform`, and for `ParquetRows` `encode`.
        """
        self._choose(X, y)
        if isinstance(X, ParquetRows) and not {*fit_params} - {"target", "eps", "loss", "scratch"}:
            return self._fit_transform_parts(X, **fit_params)
        if fit_params:
            raise ValueError(f"fit_params={sorted(fit_params)} are not known to FeatureCross; remove them.")
        encoding = self._fit(X)
        return self._assemble(encoding.places(), encoding.numbers, encoding.layout.n_rows)

    def transform(self, X: Any) -> Any:
        """The one-hot and crossed columns of a table, row for row.

        Parameters
        ----------
        X : DataFrame of pandas, polars or Arrow, array-like of shape (n, p), or ParquetRows
            A table with names needs only the fields, in any order.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n, n_features_out_), or an iterator of them, one for each part of ParquetRows
            Ones, and the values of numbers, with sorted indices. A csr_array where scikit-learn is configured so.

        Raises
        ------
        ValueError
            If a field is not in the table or of another type than in `fit`, a number is missing or infinite, or a level
            is unknown and ``handle_unknown="error"``.
        """
        check_is_fitted(self, "n_features_out_")
        if isinstance(X, ParquetRows):
            return self._transform_parts(X)
        table = Table(X, min_rows=0)
        columns = self._read(table, self._sources())
        places = place_rows(self._layout, columns, self.handle_unknown == "error")
        return self._assemble(places, [columns[name].as_finite() for name in self.numbers_], table.n_rows)

    def partial_fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Add the levels and combinations of another chunk of a table.

        After all chunks the columns are those of `fit` on the whole table, except for `Quantiles`, whose edges come
        from the first chunk. Columns move when levels are added; `columns_in` gives their new positions.

        Parameters
        ----------
        X : DataFrame of pandas, polars or Arrow, or array-like of shape (n, p)
        y : ignored

        Returns
        -------
        FeatureCross
            Itself.

        Raises
        ------
        ValueError
            If the type of a column differs from the first chunk, or `fit` would raise one.
        """
        self._fit(X, getattr(self, "_layout", None))
        return self

    def merge(self, other: FeatureCross) -> Self:
        """Add the levels and combinations of another fitted cross.

        Parameters
        ----------
        other : FeatureCross
            With the same parameters and the same bins. Not changed.

        Returns
        -------
        FeatureCross
            Itself, as if fitted on the rows of both.

        Raises
        ------
        ValueError
            If the two differ in blocks, bins, or kinds of levels.
        """
        check_is_fitted(self, "n_features_out_")
        check_is_fitted(other, "n_features_out_")
        self._keep(self._layout.merge(other._layout), self._names_in, self._named)
        warn_of_fields(self._layout, stacklevel=2)
        return self

    def plan(self, X: Any, sample: int = 250_000) -> CrossPlan:
        """Estimate columns, entries and bytes of fitting on a table, without fitting.

        Tables of up to `sample` rows are counted exactly. For larger tables that many rows are drawn with a fixed seed,
        and the number of columns of each block is estimated from the counts of its levels in the sample.

        Parameters
        ----------
        X : DataFrame of pandas, polars or Arrow, or array-like of shape (n, p)
        sample : int, default=250_000
            Size of the sample. A quarter of a million rows take a fraction of a second.

        Returns
        -------
        CrossPlan
            Printed, a table.

        Raises
        ------
        ValueError
            If `sample` is not a positive integer, or `fit` would raise one.
        """
        check_whole("sample", sample)
        return self._plan(Table(X), sample)

    def _plan(self, table: Table, sample: int = 250_000, known: Layout | None = None) -> CrossPlan:
        encoding = self._encode(table.sample(sample), known)
        return CrossPlan.of(encoding, table.n_rows, np.dtype(self.dtype).itemsize, self.hashed)

    def _fit(self, X: Any, known: Layout | None = None) -> Encoding:
        """Encode a table, within `max_memory`, and merge its layout with the `known` one."""
        table = Table(X)
        if self.max_memory is not None:
            # _plan checks that max_memory is a number.
            plan = self._plan(table, known=known)
            if plan.peak_bytes > self.max_memory:
                raise ValueError(
                    f"max_memory={self.max_memory} bytes is less than the {plan.peak_bytes} planned for this design; "
                    f"use coarser bins, fewer crosses, a larger min_count, max_levels, or dtype float32.\n{plan}"
                )
        encoding = self._encode(table, known)
        if known is None:
            self._keep(encoding.layout, table.names, table.named)
        else:
            self._keep(known.merge(encoding.layout), self._names_in, self._named)
        warn_of_fields(self._layout, stacklevel=3)
        return encoding

    def _encode(self, table: Table, known: Layout | None) -> Encoding:
        names, named = (table.names, table.named) if known is None else (self._names_in, self._named)
        spec = Specification.resolve(self._parameters(), names, named)
        if known is None:
            position = {name: place for place, name in enumerate(table.names)}
            read = {source: table.column(position[source]) for source in dict.fromkeys(spec.sources.values())}
            columns = {name: read[source] for name, source in spec.sources.items()}
        else:
            columns = self._read(table, spec.sources)
        return Encoding.fit(spec, columns, table.n_rows, known)

    def _keep(self, layout: Layout, names: Sequence[str], named: bool) -> None:
        self._layout = layout
        self._names_in, self._named = list(names), named
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
        columns = table.columns_like(self._names_in, self._named, dict.fromkeys(sources.values()))
        return {name: columns[source] for name, source in sources.items()}

    def _assemble(self, places: list[Codes], numbers: list[FloatArray], n_rows: int) -> Any:
        largest = np.finfo(self.dtype).max
        for name, column in zip(self.numbers_, numbers, strict=True):
            if np.dtype(self.dtype) == np.float32 and (large := np.abs(column) > largest).any():
                row = int(np.argmax(large))
                raise ValueError(
                    f"column {name!r} holds {column[row]} in row {row}, too large for dtype=float32; "
                    "use float64, or divide the column."
                )
        starts = [block.start for block in self._layout.categories]
        matrix = csr_of_ones(places, starts, numbers, (n_rows, self._layout.n_columns), self.dtype)
        if self._hashing is None:
            return matrix
        return fold(matrix, self._hashing.columns, self._hashing.signs, self.n_features_out_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        # The dtype of the output is a parameter and does not depend on the input.
        tags.transformer_tags.preserves_dtype = []
        return tags

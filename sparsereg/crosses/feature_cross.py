"""`FeatureCross`: named columns of a table to one-hot columns and their observed crosses.

It is the scikit-learn shell: parameters, fitting, growing, state. How a column is read, binned, numbered and combined
is known by the rooms it calls; it may not know solvers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from sparsereg.crosses.binning import Rule
from sparsereg.crosses.column import Column, refuse_unknown
from sparsereg.crosses.fitted import FittedColumns
from sparsereg.crosses.layout import Block, Layout, Observed, Rare, count_rows, observe
from sparsereg.crosses.onehot import csr_of_ones
from sparsereg.crosses.recipe import Recipe
from sparsereg.crosses.rules import Of, rule_from_dict
from sparsereg.crosses.table import Table
from sparsereg.crosses.vocabulary import Levels

__all__ = ["Block", "FeatureCross", "Rare"]

Key = str | int
IntArray = NDArray[Any]
FloatArray = NDArray[np.float64]


class FeatureCross(FittedColumns, TransformerMixin, BaseEstimator):
    """One-hot columns of fields and of their crosses, observed combinations only.

    Strings, categoricals, booleans and integers are categories. Floats are categories through a rule in `bins`, and
    pass through as numbers without one; dates need a rule. A missing category is a level of its own where one was
    seen in `fit`.

    Parameters
    ----------
    fields : list of str or int, optional
        Columns to use, in this order. None, the default, takes all columns of the table. Columns of an array, which
        have no names, are called by position, 0, 1, ... or ``"x0"``, ``"x1"``, ...
    bins : dict of field to Width, Quantiles, Edges, DatePart or Of, optional
        How to make categories of numbers and of dates. An `Of` makes a new field of a column, which is then used in no
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
        What becomes of those with fewer rows: no entry in that block, or one column that they share, named
        ``field=rare``. Dropped, as pooled rows have little in common.

    Attributes
    ----------
    blocks_ : list of Block
        In the order of the columns: main effects, `crosses`, the crosses that `degree` adds, numbers.
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
        layout, table, _, _ = self._fit(X)
        self._keep(layout, table.names, table.named)
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
        layout, table, places, numbers = self._fit(X)
        self._keep(layout, table.names, table.named)
        return self._assemble(places, numbers, table.n_rows)

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
        table = Table(X, "FeatureCross", min_rows=0)
        columns = self._read(table, self._sources())
        codes = {name: levels.encode(columns[name]) for name, levels in self.levels_.items()}
        strict = self.handle_unknown == "error"
        if strict:
            for name, part in codes.items():
                refuse_unknown(part, [columns[name]])
        places = []
        for block in self._layout.categories:
            found = block.find(codes)
            if strict:
                refuse_unknown(found, [columns[name] for name in block.fields])
            places.append(block.place(found))
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
        known = getattr(self, "_layout", None)
        layout, table, _, _ = self._fit(X, known)
        if known is None:
            self._keep(layout, table.names, table.named)
        else:
            self._keep(known.merge(layout), self._names_in, hasattr(self, "feature_names_in_"))
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

    def _fit(self, X: Any, known: Layout | None = None) -> tuple[Layout, Table, list[IntArray], list[FloatArray]]:
        """Lay out the columns for a table; return also each row's place in the blocks, and the numbers.

        Of what is known from earlier chunks only the bins, and which fields are numbers, are taken over.
        """
        table = Table(X, "FeatureCross")
        names = table.names if known is None else self._names_in
        named = table.named if known is None else hasattr(self, "feature_names_in_")
        recipe = Recipe.resolve(self.get_params(deep=False), names, named)
        if known is None:
            place = {name: position for position, name in enumerate(table.names)}
            columns = {name: table.column(place[source]) for name, source in recipe.sources.items()}
        else:
            columns = self._read(table, recipe.sources)
        levels: dict[str, Levels] = {}
        codes: dict[str, IntArray] = {}
        numbers: dict[str, FloatArray] = {}
        for name, column in columns.items():
            before = None if known is None else known.levels.get(name)
            if recipe.is_number(name, column) if known is None else before is None:
                if name in recipe.mains:
                    numbers[name] = column.as_finite()
                continue
            rule = recipe.bins.get(name)
            fit = Levels.fit if before is None else before.refit
            levels[name], codes[name] = fit(name, column, rule)
        found, observed = [], []
        mains = [(name,) for name in recipe.mains if name in codes]
        for fields in [*mains, *recipe.all_crosses(list(codes))]:
            parts = [codes[name] for name in fields]
            combinations, block = observe(parts, [len(levels[name]) for name in fields])
            found.append(block)
            observed.append(Observed(fields, combinations, count_rows(block)))
        layout = Layout.build(levels, observed, numbers, table.n_rows, (recipe.min_count, recipe.pool))
        places = [block.place(part) for block, part in zip(layout.categories, found, strict=True)]
        return layout, table, places, list(numbers.values())

    def _keep(self, layout: Layout, names: Sequence[str], named: bool) -> None:
        self._layout = layout
        self._names_in = list(names)
        self.n_features_in_ = len(names)
        if named:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.n_features_out_ = layout.n_columns

    def _sources(self) -> dict[str, str]:
        """The column that each field of the fitted state is read from."""
        return {name: levels.column for name, levels in self.levels_.items()} | {name: name for name in self.numbers_}

    def _read(self, table: Table, sources: Mapping[str, str]) -> dict[str, Column]:
        """The column of each field, from another table than that of `fit`."""
        named = hasattr(self, "feature_names_in_")
        columns = table.like(self._names_in, named, dict.fromkeys(sources.values()))
        return {name: columns[source] for name, source in sources.items()}

    def _assemble(self, places: list[IntArray], numbers: list[FloatArray], n_rows: int) -> Any:
        starts = [block.start for block in self._layout.categories]
        return csr_of_ones(places, starts, numbers, (n_rows, self.n_features_out_), self.dtype)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Parameters and fitted state as plain arrays, to be kept with ``numpy.savez`` and loaded without pickle.

        Returns
        -------
        dict of str to ndarray
            Of integers, bytes and JSON text; no objects.
        """
        check_is_fitted(self, "n_features_out_")
        parameters = self.get_params(deep=False)
        parameters["bins"] = [[_plain(key), rule.to_dict()] for key, rule in (self.bins or {}).items()]
        parameters["dtype"] = np.dtype(self.dtype).name
        spec = {"parameters": parameters, "names": self._names_in, "named": hasattr(self, "feature_names_in_")}
        return {"cross": np.array(json.dumps(spec, default=_plain)), **self._layout.to_arrays()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """A fitted FeatureCross from what `to_arrays` returned.

        Parameters
        ----------
        arrays : mapping of str to ndarray

        Returns
        -------
        FeatureCross
            Which transforms as the one that `to_arrays` was called on.

        Raises
        ------
        ValueError
            If an array is missing, or a parameter in it is wrong.
        """
        try:
            spec = json.loads(str(arrays["cross"]))
            parameters = spec["parameters"]
            parameters["bins"] = {key: rule_from_dict(rule) for key, rule in parameters["bins"]} or None
            parameters["crosses"] = [tuple(cross) for cross in parameters["crosses"]]
            parameters["dtype"] = np.dtype(parameters["dtype"]).type
            cross = cls(**parameters)
            cross._keep(Layout.from_arrays(arrays), spec["names"], spec["named"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"arrays do not hold a FeatureCross: {error!r}.") from error
        return cross

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


def _plain(value: Any) -> Any:
    """NumPy integers and sequences as JSON has them."""
    if isinstance(value, (np.integer, np.bool_, np.ndarray)):
        return value.tolist() if isinstance(value, np.ndarray) else value.item()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return value

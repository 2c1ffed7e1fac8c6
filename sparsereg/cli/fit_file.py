"""From a data file to a fitted model: which columns are used and how, and which strength is chosen.

Files are read with polars. This room may not know the command line: what it decides on its own it says through `note`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sparsereg.crosses.binning import Quantiles, Rule
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.rules import Of

__all__ = ["Held", "Plan", "Training", "date_columns", "read_table"]

Note = Callable[[str], None]
Vector = NDArray[np.float64]

# Enough to follow a curve, few enough that each bin has rows.
DEFAULT_BINS = 20
_NAMED_AT_MOST = 6
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Plan:
    """What the user asked to be made of which columns.

    Attributes
    ----------
    target : str
    weight : str or None
        Column of sample weights.
    fields : tuple of str
        Columns to use besides those in `bins`, `crosses` and `numeric`; empty for all.
    exclude : tuple of str
    numeric : tuple of str
        Columns to pass through as numbers.
    bins : dict of str to Rule or Of
    crosses : tuple of tuples of str
    log_target : bool
    min_count : int
    """

    target: str
    weight: str | None = None
    fields: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    bins: dict[str, Rule | Of] = field(default_factory=dict)
    crosses: tuple[tuple[str, ...], ...] = ()
    log_target: bool = False
    min_count: int = 1

    @property
    def named(self) -> set[str]:
        """The columns that were asked for by name."""
        return {*self.fields, *self.numeric, *self.bins, *(name for cross in self.crosses for name in cross)}

    @property
    def made(self) -> dict[str, str]:
        """The fields that are made of a column of another name, and that column."""
        return {name: str(rule.column) for name, rule in self.bins.items() if isinstance(rule, Of)}

    def check(self, table: pl.DataFrame) -> None:
        """Check that the columns are there and that no two wishes contradict each other.

        Raises
        ------
        ValueError
        """
        for name in self.made:
            if name in table.columns:
                raise ValueError(f"{name!r} is a column already; call what is made of {self.made[name]!r} otherwise.")
        named = [*sorted(self.named - self.made.keys()), *self.made.values()]
        for name in [self.target, *([self.weight] if self.weight else []), *named, *self.exclude]:
            if name not in table.columns:
                close = difflib.get_close_matches(name, table.columns, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {_some(table.columns)}."
                raise ValueError(f"there is no column {name!r}; {hint}")
        for taken, role in ((self.target, "target"), (self.weight, "weight")):
            if taken in {*self.named, *self.made.values()}:
                raise ValueError(f"column {taken!r} is the {role} and cannot be a field as well.")
        if both := self.named & set(self.exclude):
            raise ValueError(f"column {min(both)!r} is both used and excluded; choose one.")
        if both := set(self.numeric) & set(self.bins):
            raise ValueError(f"column {min(both)!r} has bins and is to pass through as a number; choose one.")

    def cross(self, table: pl.DataFrame, note: Note) -> FeatureCross:
        """An unfitted FeatureCross for a table; what was not asked for is said through `note`.

        Floats without a rule get quantile bins: no missing value is in their way, and no unit.
        """
        aside = {self.target, self.weight, *self.exclude}
        named = self.named
        candidates = [name for name in table.columns if name not in aside and (not self.fields or name in named)]
        unreadable = [name for name in candidates if not _readable(table.schema[name]) and name not in named]
        if unused := [name for name in unreadable if name not in self.made.values()]:
            note(
                f"left out, as they hold neither numbers nor categories: {_some(unused)}. "
                "Of dates, use --bin NEW=hour:COLUMN."
            )
        fields = [name for name in candidates if name not in unreadable] + list(self.made)
        if not fields:
            raise ValueError("no columns are left to learn from; use fewer of exclude, or name some with field.")
        for name in self.numeric:
            _check_number(table, name)
        decimals = [
            name
            for name in fields
            if name not in self.made
            and (table.schema[name].is_float() or table.schema[name].is_decimal())
            and name not in self.bins
            and name not in self.numeric
        ]
        if decimals:
            gaps = [f"{name} ({n:,})" for name in decimals if (n := _n_missing(table[name]))]
            missing = f" Missing values are a bin of their own: {_some(gaps, quote=False)}." if gaps else ""
            note(
                f"decimal numbers without a rule get {DEFAULT_BINS} quantile bins: {_some(decimals)}.{missing} "
                "Choose with --bin, --numeric or --exclude."
            )
        return FeatureCross(
            fields=fields,
            bins=self.bins | dict.fromkeys(decimals, Quantiles(DEFAULT_BINS)),
            crosses=self.crosses,
            numeric=list(self.numeric),
            min_count=self.min_count,
        )


@dataclass(frozen=True)
class Held:
    """Rows that were held out, and how well each point of a path predicts them.

    Attributes
    ----------
    n_rows : int
    r2 : list of float
        For each point, the share of the squared error of the training mean that it takes away.
    """

    n_rows: int
    r2: list[float]

    @property
    def best(self) -> int:
        """The point that predicts best; of equals the sparsest."""
        return int(np.argmax(self.r2))


@dataclass(frozen=True)
class Training:
    """Rows of a table, ready to fit and to hold out.

    Attributes
    ----------
    table : polars.DataFrame
    y, weight : float64 array of shape (n,), or None for `weight`
    train, held : int64 array
        Row numbers, increasing.
    """

    table: pl.DataFrame
    y: Vector
    weight: Vector | None
    train: NDArray[np.int64]
    held: NDArray[np.int64]

    @classmethod
    def prepare(cls, table: pl.DataFrame, plan: Plan, share: float, seed: int, note: Note) -> Training:
        """Drop rows without a target, read target and weights, and draw the rows to hold out.

        Raises
        ------
        ValueError
            If a column is not there or does not hold numbers, or too few rows are left.
        """
        plan.check(table)
        n_missing = (
            _n_missing(table[plan.target])
            if table.schema[plan.target].is_numeric()
            else table[plan.target].null_count()
        )
        if n_missing:
            note(f"{n_missing:,} of {table.height:,} rows have no {plan.target} and are left out.")
            here = pl.col(plan.target)
            table = table.filter(
                here.is_not_null() & here.is_not_nan() if table.schema[plan.target].is_float() else here.is_not_null()
            )
        if not table.height:
            raise ValueError(f"no row has a value of {plan.target!r}.")
        y = _numbers(table[plan.target], "target")
        if plan.log_target:
            if (y <= 0).any():
                raise ValueError(f"target {plan.target!r} holds {y.min():g}; only positive numbers have a logarithm.")
            y = np.log(y)
        weight = None if plan.weight is None else _numbers(table[plan.weight], "weight")
        n_held = round(share * table.height)
        if share > 0 and not 1 <= n_held < table.height - 1:
            raise ValueError(f"{table.height} rows are too few to hold out a share of {share:g}; use --validate 0.")
        order = np.random.default_rng(seed).permutation(table.height)
        return cls(table, y, weight, np.sort(order[n_held:]), np.sort(order[:n_held]))

    def rows(self, rows: NDArray[np.int64]) -> pl.DataFrame:
        """Some rows of the table."""
        return self.table if rows.size == self.table.height else self.table[rows]

    def weights(self, rows: NDArray[np.int64]) -> Vector | None:
        """Weights of some rows."""
        return None if self.weight is None else self.weight[rows]

    def penalty_factor(self, cross: FeatureCross, note: Note) -> Vector | None:
        """Factors on the penalty of each column: a number's is its deviation, as its unit is arbitrary; others 1."""
        numbers = [block for block in cross.blocks_ if block.is_number]
        if not numbers:
            return None
        factor = np.ones(cross.n_features_out_)
        for block in numbers:
            values = _numbers(self.table[block.fields[0]], "column")[self.train]
            s = self.weights(self.train)
            factor[block.start] = np.sqrt(np.average((values - np.average(values, weights=s)) ** 2, weights=s)) or 1.0
        names = _some([block.name for block in numbers])
        note(f"passed through as numbers, penalised by their effect per standard deviation: {names}.")
        return factor

    def score(self, cross: FeatureCross, path: Any) -> Held:
        """How well each point of a path predicts the held-out rows, some of them at a time."""
        s = self.weights(self.train)
        mean = np.average(self.y[self.train], weights=s)
        errors, null = np.zeros(path.alphas.size), 0.0
        for begin in range(0, self.held.size, _ROWS_AT_ONCE):
            rows = self.held[begin : begin + _ROWS_AT_ONCE]
            weights = np.ones(rows.size) if self.weight is None else self.weight[rows]
            predicted = (cross.transform(self.table[rows]) @ path.coefs).toarray() + path.intercepts
            errors += weights @ (self.y[rows, None] - predicted) ** 2
            null += float(weights @ (self.y[rows] - mean) ** 2)
        if null == 0.0:
            raise ValueError("the target is the same in all held-out rows; hold out more, or use --validate 0.")
        return Held(self.held.size, (1.0 - errors / null).tolist())


def date_columns(bins: Mapping[Any, Any]) -> list[str]:
    """The columns whose dates a rule reads."""
    names = [str(name) for name, rule in bins.items() if isinstance(rule, DatePart)]
    made = [rule for rule in bins.values() if isinstance(rule, Of) and isinstance(rule.rule, DatePart)]
    return list(dict.fromkeys([*names, *(str(rule.column) for rule in made)]))


def read_table(
    file: str | Path, na: Sequence[str] = (), strings: Sequence[str] = (), dates: Sequence[str] = ()
) -> pl.DataFrame:
    """A data file as a table.

    Parameters
    ----------
    file : str or path
        Parquet when its name says so, otherwise CSV, which may be compressed.
    na : sequence of str
        What stands for a missing value in a CSV file, besides an empty field.
    strings : sequence of str
        Columns of a CSV file to read as text even when all of it looks like numbers.
    dates : sequence of str
        Columns of text to read as dates, in ISO 8601 or a format like it.

    Returns
    -------
    polars.DataFrame

    Raises
    ------
    ValueError
        If the file cannot be read as a table.
    """
    path = Path(file)
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pl.read_parquet(path)
        else:
            header = pl.read_csv(path, n_rows=0).columns
            overrides = {name: pl.String for name in strings if name in header}
            # All rows decide on the type of a column: a code such as C536379 may come late.
            table = pl.read_csv(path, infer_schema_length=None, null_values=["", *na], schema_overrides=overrides)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path} cannot be read as a table: {_first_line(error)}") from error
    for name in dates:
        if table.schema.get(name) == pl.String:
            try:
                table = table.with_columns(pl.col(name).str.to_datetime())
            except pl.exceptions.PolarsError as error:
                raise ValueError(f"column {name!r} cannot be read as dates: {_first_line(error)}") from error
    return table


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _readable(dtype: pl.DataType) -> bool:
    kinds = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)
    return dtype.is_numeric() or dtype in kinds


def _n_missing(column: pl.Series) -> int:
    return column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)


def _check_number(table: pl.DataFrame, name: str) -> None:
    """A column that is to pass through as a number holds numbers, none of them missing."""
    _numbers(table[name], "column")


def _numbers(column: pl.Series, role: str) -> Vector:
    """The values (n,) as numbers, or an error in words that names the first that is none."""
    remedy = {
        "target": "",
        "weight": " Give every row one.",
        "column": " Use --bin, where missing is a bin of its own.",
    }
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        bad = ""
        if column.dtype == pl.String:
            wrong = column.filter(column.cast(pl.Float64, strict=False).is_null() & column.is_not_null())
            bad = f", such as {wrong[0]!r}" if len(wrong) else ""
        raise ValueError(f"{role} {column.name!r} must hold numbers, but holds {column.dtype} values{bad}.")
    if n_missing := _n_missing(column):
        raise ValueError(f"{role} {column.name!r} has {n_missing:,} missing values.{remedy[role]}")
    values = np.array(column.cast(pl.Float64).to_numpy(), dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{role} {column.name!r} holds infinite values; replace them, or leave those rows out.")
    return values


def _some(names: Sequence[str], quote: bool = True) -> str:
    """The first few of many names."""
    words = [repr(name) if quote and not name.isidentifier() else name for name in names[:_NAMED_AT_MOST]]
    more = len(names) - _NAMED_AT_MOST
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")

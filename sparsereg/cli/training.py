"""From a table to training data: the use of each column, the rows that are held out, and how well these are predicted.

Choices that the user did not make are reported through `note`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sparsereg.cli.column_types import ColumnTypes
from sparsereg.cli.tables import CsvFormat, count_missing, finite_numbers, list_names
from sparsereg.cli.targets import TargetKind
from sparsereg.crosses.auto.choice import CrossChoice
from sparsereg.crosses.auto.choose import least_count
from sparsereg.crosses.binning import Quantiles, Rule
from sparsereg.crosses.choosing import choose_crosses
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.rules import Of
from sparsereg.losses import MULTINOMIAL, as_loss
from sparsereg.report.evidence import Evidence
from sparsereg.report.samples import Sample
from sparsereg.results import PathResult
from sparsereg.serving.model_file import offset_from

__all__ = ["ColumnRoles", "Training"]

Note = Callable[[str], None]
Vector = NDArray[np.float64]

_MONTH, _DAY = "(0[1-9]|1[0-2])", r"(0[1-9]|[12]\d|3[01])"
_DATES = rf"^\d{{4}}(-{_MONTH}-{_DAY}([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?|{_MONTH}{_DAY}T\d{{4}}(\d\d)?)$"
# Bins of 20 follow a curve and still hold many rows each.
DEFAULT_BINS = 20


@dataclass(frozen=True)
class ColumnRoles:
    """What each column of a table is used for, as the options of `fit` say."""

    target: str
    weight: str | None = None
    offset: str | None = None
    exposure: str | None = None
    fields: tuple[str, ...] = ()  # besides those in bins, crosses and numeric; empty for all
    exclude: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()  # passed through as numbers
    text: tuple[str, ...] = ()  # categories also where all of them look like numbers
    bins: dict[str, Rule | Of] = field(default_factory=dict)
    crosses: tuple[tuple[str, ...], ...] = ()
    log_target: bool = False
    min_count: int | None = None
    degree: int | None = None
    design: str | None = None
    kind: TargetKind = field(default_factory=TargetKind)

    @property
    def is_automatic(self) -> bool:
        """Whether the crosses are to be chosen: where that is asked for, or no option gives a design."""
        if self.design is not None:
            return self.design == "auto"
        return not self.crosses and not self.bins and self.degree is None

    @property
    def named(self) -> set[str]:
        """The fields that the options name, except in --text."""
        return {*self.fields, *self.numeric, *self.bins, *(name for cross in self.crosses for name in cross)}

    @property
    def derived(self) -> dict[str, str]:
        """The fields that are made from a column of another name, and that column."""
        return {name: str(rule.column) for name, rule in self.bins.items() if isinstance(rule, Of)}

    def column_types(self, table: pl.DataFrame, csv: CsvFormat) -> ColumnTypes:
        """What the columns of a table are read as; those that are not used stay text."""
        unused = [name for name in table.columns if name in self.exclude or (self.fields and name not in self.named)]
        types = dict.fromkeys(unused, "text")
        if self.is_automatic:
            types |= {name: "date" for name in self._candidates(table) if _holds_dates(table[name], csv)}
        types |= dict.fromkeys(self.text, "text")
        types |= dict.fromkeys((*self.others.values(), *self.numeric), "number")
        if self.kind.is_text:
            types[self.target] = "text"
        for name, rule in self.bins.items():
            source, inner = (str(rule.column), rule.rule) if isinstance(rule, Of) else (name, rule)
            types[source] = "date" if isinstance(inner, DatePart) else "number"
        return ColumnTypes(types, csv)

    @property
    def others(self) -> dict[str, str]:
        """The columns that are no fields, by what they are."""
        named = {"target": self.target, "weight": self.weight, "offset": self.offset, "exposure": self.exposure}
        return {role: name for role, name in named.items() if name}

    def check(self, table: pl.DataFrame) -> None:
        """Raise a ValueError if a column does not exist."""
        for name, source in self.derived.items():
            if name in table.columns:
                raise ValueError(f"{name!r} is a column already; give what is made from {source!r} another name.")
        sources = [*sorted(self.named - self.derived.keys()), *self.derived.values()]
        for name in [*self.others.values(), *sources, *self.exclude, *self.text]:
            if name not in table.columns:
                close = difflib.get_close_matches(name, table.columns, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"there are {list_names(table.columns)}."
                raise ValueError(f"there is no column {name!r}; {hint}")

    def check_options(self) -> None:
        """Raise a ValueError if two options contradict each other."""
        for role, taken in self.others.items():
            if taken in {*self.named, *self.derived.values()}:
                raise ValueError(f"column {taken!r} is the {role} and cannot be a field as well.")
            if (first := next(one for one, name in self.others.items() if name == taken)) != role:
                raise ValueError(f"column {taken!r} is the {first} and cannot be the {role} as well.")
        if both := self.named & set(self.exclude):
            raise ValueError(f"column {min(both)!r} is both used and excluded; choose one.")
        options = {"--bin": {*self.bins, *self.derived.values()}, "--numeric": {*self.numeric}, "--text": {*self.text}}
        for (one, names), (other, others) in combinations(options.items(), 2):
            if both := names & others:
                raise ValueError(f"column {min(both)!r} is in both {one} and {other}; choose one.")

    def cross(self, table: pl.DataFrame, note: Note) -> FeatureCross:
        """An unfitted FeatureCross for a table.

        Floats without a rule get quantile bins, which need no unit and have a bin for missing values.
        """
        named, derived = self.named, self.derived
        candidates = self._candidates(table)
        unreadable = [name for name in candidates if not _is_readable(table.schema[name]) and name not in named]
        if ignored := [name for name in unreadable if name not in derived.values()]:
            note(
                f"not used, as they hold neither numbers nor categories: {list_names(ignored)}. "
                "For dates, use --bin NEW=hour:COLUMN."
            )
        fields = [name for name in candidates if name not in unreadable] + list(derived)
        if not fields:
            raise ValueError("no columns are left to learn from; exclude fewer, or name some with --field.")
        for name in self.numeric:
            finite_numbers(table[name], "column")
        ruled = {*derived, *self.bins, *self.numeric}
        decimals = [name for name in fields if name not in ruled and _is_decimal(table.schema[name])]
        if decimals:
            gaps = [f"{name} ({n:,})" for name in decimals if (n := count_missing(table[name]))]
            missing = f" Missing values are a bin of their own: {list_names(gaps, quote=False)}." if gaps else ""
            note(
                f"decimal numbers without a rule get {DEFAULT_BINS} quantile bins: {list_names(decimals)}.{missing} "
                "Choose with --bin, --numeric or --exclude."
            )
        bins: dict[str | int, Rule | Of] = dict(self.bins.items())
        bins |= dict.fromkeys(decimals, Quantiles(DEFAULT_BINS))
        return FeatureCross(
            fields=fields,
            bins=bins,
            crosses=self.crosses,
            numeric=list(self.numeric),
            min_count=self.min_count or (1 if self.design is None else least_count(table.height)),
            degree=self.degree or (2 if self.design == "pairs" else 1),
        )

    def choose(self, table: pl.DataFrame, y: Vector, weight: Vector | None, seconds: float, note: Note) -> CrossChoice:
        """The design by default, with the rules and numbers that were given."""
        usable = [name for name in self._candidates(table) if _is_usable(table.schema[name])]
        if ignored := [name for name in self._candidates(table) if name not in usable]:
            note(f"not used, as they hold neither numbers, categories nor dates: {list_names(ignored)}.")
        if not usable:
            raise ValueError("no columns are left to learn from; exclude fewer, or name some with --field.")
        for name in self.numeric:
            finite_numbers(table[name], "column")
        given: dict[str | int, Rule | Of] = dict(self.bins.items())
        return choose_crosses(
            table,
            y,
            sample_weight=weight,
            fields=usable + [name for name in self.derived if name not in usable],
            bins=given,
            numeric=list(self.numeric),
            degree=min(self.degree or 3, 3),
            min_count=self.min_count,
            max_seconds=seconds,
        )

    def _candidates(self, table: pl.DataFrame) -> list[str]:
        unused = {*self.others.values(), *self.exclude}
        return [name for name in table.columns if name not in unused and (not self.fields or name in self.named)]


@dataclass(frozen=True)
class Training:
    """The rows of a table that have a target, split into rows to fit and rows held out.

    Attributes
    ----------
    table : polars.DataFrame
    y, weight, offset : float64 array of shape (n,), or None for the last two
    train, held_out : int64 array
        Row numbers, increasing.
    """

    table: pl.DataFrame
    y: Vector
    weight: Vector | None
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    offset: Vector | None = None

    @classmethod
    def prepare(cls, table: pl.DataFrame, roles: ColumnRoles, share: float, seed: int, note: Note) -> Training:
        """Remove rows without a target, read target and weights, and draw the rows to hold out."""
        target = pl.col(roles.target)
        has_target = target.is_not_null()
        if table.schema[roles.target].is_float():
            has_target &= target.is_not_nan()
        n_rows = table.height
        table = table.filter(has_target)
        if n_missing := n_rows - table.height:
            note(f"{n_missing:,} of {n_rows:,} rows have no {roles.target} and are left out.")
        if not table.height:
            raise ValueError(f"no row has a value of {roles.target!r}.")
        if roles.kind.classes is not None:
            y = roles.kind.numbers(table[roles.target])
        else:
            y = finite_numbers(table[roles.target], "target")
        if roles.log_target:
            if (y <= 0).any():
                raise ValueError(
                    f"target {roles.target!r} holds {y.min():g}; only positive numbers have a logarithm. Leave such"
                    " rows out, or take --loss tweedie in place of --log-target, which fits amounts from 0 on."
                )
            y = np.log(y)
        weight = None if roles.weight is None else finite_numbers(table[roles.weight], "weight")
        offset = None
        if (shift := roles.offset or roles.exposure) is not None:
            offset = offset_from(finite_numbers(table[shift], "offset"), shift, roles.exposure is not None)
        n_held_out = round(share * table.height)
        if share > 0 and not 1 <= n_held_out < table.height - 1:
            raise ValueError(f"{table.height} rows are too few to hold out a share of {share:g}; use --validate 0.")
        order = np.random.default_rng(seed).permutation(table.height)
        train, held_out = np.sort(order[n_held_out:]), np.sort(order[:n_held_out])
        if roles.kind.loss == "multinomial":
            _check_classes(y[train], roles.kind.classes)
        return cls(table, y, weight, train, held_out, offset)

    def rows(self, rows: NDArray[np.int64]) -> pl.DataFrame:
        """Some rows of the table."""
        return self.table if rows.size == self.table.height else self.table[rows]

    def weights(self, rows: NDArray[np.int64]) -> Vector | None:
        """Weights of some rows."""
        return None if self.weight is None else self.weight[rows]

    def offsets(self, rows: NDArray[np.int64]) -> Vector | None:
        """Offsets of some rows."""
        return None if self.offset is None else self.offset[rows]

    def targets_of_choice(self, kind: TargetKind) -> tuple[Vector, Vector | None]:
        """Targets and weights for a choice of the design, which knows no offset: rates weighted by the exposure under a
        log link, differences from the offset under the identity; of several classes a column each."""
        y, weight, offset = self.y[self.train], self.weights(self.train), self.offsets(self.train)
        if kind.loss == MULTINOMIAL.name:
            return kind.indicators(y), weight
        loss = as_loss(kind.loss)
        if offset is None or loss.link not in ("log", "identity"):
            return y, weight
        if loss.link == "identity":
            return y - offset, weight
        exposure = np.exp(offset)
        return y / exposure, exposure if weight is None else weight * exposure

    def penalty_factor(self, cross: FeatureCross, note: Note) -> Vector | None:
        """Penalty factors of the columns: the standard deviation of a number, whose unit is arbitrary; 1 for others."""
        numbers = [block for block in cross.blocks_ if block.is_number]
        if not numbers:
            return None
        factor = np.ones(cross.n_features_out_)
        s = self.weights(self.train)
        for block in numbers:
            x = finite_numbers(self.table[block.fields[0]], "column")[self.train]
            factor[block.start] = np.sqrt(np.average((x - np.average(x, weights=s)) ** 2, weights=s)) or 1.0
        names = list_names([block.name for block in numbers])
        note(f"passed through as numbers, penalised by their effect per standard deviation: {names}.")
        return factor

    @property
    def train_mean(self) -> float:
        """The weighted mean of the target in the rows to fit: the prediction that R2 compares with."""
        return float(np.average(self.y[self.train], weights=self.weights(self.train)))

    def folds(self, n_folds: int, seed: int, classes: Any = None) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows in random folds of equal size, of each target value alike where there are two, and of each class."""
        n, values = self.y.size, np.unique(self.y, return_counts=True)
        if n < 3:
            raise ValueError(f"{n} rows are too few to hold out any; use --validate 0.")
        if classes is not None and len(classes) > 2 and (values[1] < 2).any():
            alone = classes[int(np.argmin(values[1]))]
            raise ValueError(f"class {str(alone)!r} has a single row, which no fold can hold out; leave that row out.")
        order = np.random.default_rng(seed).permutation(n)
        if values[0].size == 2 or (classes is not None and len(classes) > 2):
            order = order[np.argsort(self.y[order], kind="stable")]
        fold = np.empty(n, dtype=np.int64)
        fold[order] = np.arange(n) % min(n_folds, n)
        return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(int(fold.max()) + 1)]

    def sample(self, X: Any, path: PathResult) -> Sample:
        """The rows of the fit, encoded as X."""
        offset = self.offsets(self.train)
        return Sample.of("X", X, self.y[self.train], self.weights(self.train), path, 0, offset=offset)

    def held_sample(self, cross: FeatureCross, path: PathResult) -> Sample:
        """The rows that are held out."""
        encoded = cross.transform(self.table[self.held_out])
        weight, offset = self.weights(self.held_out), self.offsets(self.held_out)
        return Sample.of("X_val", encoded, self.y[self.held_out], weight, path, 0, offset=offset)

    def evidence(self, cross: FeatureCross, path: PathResult, X: Any, k: int | None = None) -> Evidence:
        """What the rows say of a path: those of the fit, encoded as X, and those held out. Without these it describes
        point k, by default the last."""
        train = self.sample(X, path)
        if not self.held_out.size:
            return Evidence.measure(path, cross, k, train, None)
        held = self.held_sample(cross, path)
        found = Evidence.measure(path, cross, None, train, held)
        if found.held is None:
            raise ValueError("the target is the same in all held-out rows; hold out more, or use --validate 0.")
        return found


def _check_classes(y: Vector, classes: Any) -> None:
    if (absent := np.setdiff1d(np.arange(len(classes)), y)).size:
        raise ValueError(
            f"no row of class {classes[int(absent[0])]!r} is left to fit, as too few hold it; leave its rows out, or "
            "draw others to hold out with --seed."
        )


def _is_readable(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null)


def _holds_dates(column: pl.Series, csv: CsvFormat) -> bool:
    """Whether all texts of a column are dates that begin with the year."""
    if column.dtype != pl.String:
        return False
    text = column.filter(column.is_not_null() & ~column.is_in(["", *csv.na]))
    return len(text) > 0 and bool(text.str.contains(_DATES).all())


def _is_usable(dtype: pl.DataType) -> bool:
    return _is_readable(dtype) or dtype.is_temporal()


def _is_decimal(dtype: pl.DataType) -> bool:
    return dtype.is_float() or dtype.is_decimal()

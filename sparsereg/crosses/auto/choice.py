"""`CrossChoice`: a design that was chosen, why, and the code that makes it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.auto.choose import Chooser, ChosenBlock, Limits
from sparsereg.crosses.binning import Quantiles
from sparsereg.crosses.rules import Of
from sparsereg.crosses.specification import check_whole
from sparsereg.crosses.table import Table
from sparsereg.data.printed import Printed

__all__ = ["CrossChoice", "check_limits"]

# Texts of more kinds are no classes: each kind takes as much time as a target.
MOST_CLASSES = 50


@dataclass(frozen=True, eq=False, repr=False)
class CrossChoice(Printed):
    """A design chosen by held-out rows. Printed, its blocks and notes.

    Attributes
    ----------
    cross : FeatureCross
        Unfitted, with every choice written out.
    blocks : list of ChosenBlock
        In the order in which they were added: `fields`, `n_columns`, and `gain`, the share of the target's variance on
        held-out rows that shrunken cell means explain beyond the blocks before, with its standard `error`.
    notes : list of str
        What was left out and why; budgets that were used up. A line each.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import choose_crosses
    >>> rng = np.random.default_rng(0)
    >>> table = rng.integers(0, 3, (600, 2))
    >>> choice = choose_crosses(table, 1.0 * (table[:, 0] == table[:, 1]) + 0.1 * rng.normal(size=600))
    >>> choice.blocks[-1].fields, round(choice.blocks[-1].gain, 1)
    (('x0', 'x1'), 1.0)
    """

    cross: Any
    blocks: list[ChosenBlock]
    notes: list[str]

    @classmethod
    def of(
        cls,
        make: Callable[..., Any],
        table: Table,
        y: Any,
        parameters: Mapping[str, Any],
        limits: Limits,
        s: Any = None,
    ) -> CrossChoice:
        """Choose; `make` makes a FeatureCross, whose other `parameters` are kept."""
        numeric, fields = list(parameters["numeric"]), parameters["fields"]
        given = {_name(key): rule for key, rule in (parameters["bins"] or {}).items()}
        names = table.names if fields is None else [_name(key) for key in fields]
        weight = None if s is None else np.asarray(s, dtype=np.float64)
        use = [name for name in names if name not in map(_name, numeric)]
        chooser = Chooser(table, target_numbers(y, table.n_rows), weight, limits)
        chosen = chooser.run(use, given) if use else {"fields": [], "crosses": []}
        if numeric:
            chosen["fields"] = [*chosen["fields"], *numeric]
            if chosen.get("main_effects", True) is not True:
                chosen["main_effects"] = [*chosen["main_effects"], *numeric]
        return cls(make(**{**parameters, **chosen}), chooser.blocks, chooser.notes)

    def coarse(self) -> Any:
        """The cross without the finer fields of each number and without crosses, as a start for all pairs."""
        parameters = self.cross.get_params(deep=False)
        bins = parameters["bins"] or {}
        counts: dict[str, list[tuple[int, str]]] = {}
        for name, rule in bins.items():
            inner, column = (rule.rule, str(rule.column)) if isinstance(rule, Of) else (rule, name)
            if isinstance(inner, Quantiles):
                counts.setdefault(column, []).append((inner.n, name))
        finer = {name for of_column in counts.values() for _, name in sorted(of_column)[1:]}
        fields = [name for name in parameters["fields"] if name not in finer]
        kept = {name: rule for name, rule in bins.items() if name not in finer}
        changed = {"fields": fields, "bins": kept or None, "crosses": (), "main_effects": True}
        return type(self.cross)(**{**parameters, **changed})

    def to_code(self) -> str:
        """Code that makes the same FeatureCross again, with the public names of the package."""
        return repr(self.cross)

    def __repr__(self) -> str:
        n_crosses = sum(len(block.fields) > 1 for block in self.blocks)
        return f"<CrossChoice: {len(self.blocks) - n_crosses} fields and {n_crosses} crosses, {len(self.notes)} notes>"

    def __str__(self) -> str:
        lines = [
            f"{' x '.join(block.fields)}: {block.n_columns:,} columns, {100 * block.gain:+.2f} +- "
            f"{100 * block.error:.2f} points of held-out R2"
            for block in self.blocks
        ]
        return "\n".join([*lines, *self.notes])


def check_limits(degree: int, min_count: int | None, max_columns: int, max_seconds: Any) -> Limits:
    """The limits that users set.

    Raises
    ------
    ValueError
        For a value out of range.
    """
    for name, value in (("degree", degree), ("min_count", min_count), ("max_columns", max_columns)):
        if value is not None:
            check_whole(name, value)
    if degree > 3:
        raise ValueError(f"degree={degree} is beyond 3, up to which crosses are chosen; name larger ones in crosses.")
    if isinstance(max_seconds, bool) or not isinstance(max_seconds, (int, float)) or not max_seconds > 0.0:
        raise ValueError(f"max_seconds={max_seconds!r} must be a number above 0.")
    return Limits(degree, min_count, max_columns, float(max_seconds))


def target_numbers(y: Any, n_rows: int) -> NDArray[np.float64]:
    """The target (n,) as numbers, of two classes 0 and 1; of more texts (n, K), 1 for the row's own.

    Raises
    ------
    ValueError
        For another length, missing values, or texts of more than `MOST_CLASSES` kinds.
    """
    if y is None:
        raise ValueError("crosses='auto' chooses crosses by a target; pass y to fit, or name the crosses.")
    values = np.asarray(y)
    if values.shape[:1] != (n_rows,) or values.ndim > 2 or (values.ndim == 2 and not values.shape[1]):
        raise ValueError(f"y has the shape {values.shape}; expected targets for each of {n_rows} rows.")
    if values.dtype.kind in "OUST":
        classes = np.unique(values.astype(np.str_))
        if classes.size > 2:
            try:
                values = values.astype(np.float64)
            except (TypeError, ValueError):
                if classes.size > MOST_CLASSES:
                    raise ValueError(
                        f"y holds {classes.size} different texts, such as {classes[0].item()!r}; crosses are chosen by"
                        f" numbers or at most {MOST_CLASSES} classes."
                    ) from None
                values = values.astype(np.str_)[:, None] == classes
        else:
            values = values.astype(np.str_) == classes[-1]
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("y holds missing or infinite values; leave those rows out.")
    return numbers


def _name(key: Any) -> str:
    """The name of a column that is given by name or position."""
    return key if isinstance(key, str) else f"x{key}"

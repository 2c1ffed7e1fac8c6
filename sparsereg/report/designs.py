"""`compare_designs`: how well designs predict, on the same folds, each chosen and fitted anew in every fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.auto.choice import CrossChoice, check_limits, target_numbers
from sparsereg.crosses.choosing import choose_crosses
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.data.printed import Printed
from sparsereg.data.real_numbers import shown
from sparsereg.linear_model.ridge_path import ridge_path
from sparsereg.selection.folds import make_folds
from sparsereg.selection.rules import standard_errors
from sparsereg.solvers.path import regularization_path

__all__ = ["DesignComparison", "compare_designs"]

Vector = NDArray[np.float64]
# A design is a FeatureCross, which is fitted on each fold's training rows, or what chooses one by them.
Design = FeatureCross | Callable[[Any, Vector], FeatureCross]

RIDGE_ALPHAS = np.geomspace(1.0, 1000.0, 7)


@dataclass(frozen=True, repr=False)
class DesignComparison(Printed):
    """Designs and penalties, the best first. Printed, a table.

    Attributes
    ----------
    rows : list of dict
        For each: ``design``, ``penalty`` ("lasso", "lasso, standardized" or "ridge"), ``r2`` on the held-out rows at
        the strength of the best mean loss, ``difference`` of its R2 to that of the best and its standard error
        ``error``, paired over the folds, ``columns`` kept, ``width`` of the design (means over the folds), ``seconds``.
    fold_losses : float64 array of shape (m, F)
        Mean squared errors.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import compare_designs
    >>> rng = np.random.default_rng(0)
    >>> table = rng.integers(0, 3, (600, 2))
    >>> found = compare_designs(table, 1.0 * (table[:, 0] == table[:, 1]) + rng.normal(size=600), ridge=False)
    >>> sorted({row["design"] for row in found.rows}), found.fold_losses.shape
    (['chosen crosses', 'main effects', 'pairs'], (6, 5))
    """

    rows: list[dict[str, Any]]
    fold_losses: Vector

    def __repr__(self) -> str:
        best = self.rows[0]
        return f"<DesignComparison of {len(self.rows)}: best {best['design']}, {best['penalty']}, R2 {best['r2']:.4f}>"

    def __str__(self) -> str:
        width = max(len(row["design"]) for row in self.rows)
        head = ("design", "penalty", "held-out R2", "below the best", "columns", "of", "seconds")
        sizes = (width, 19, 12, 17, 8, 8, 8)
        lines = [
            "  ".join(
                word.ljust(n) if i < 2 else word.rjust(n) for i, (word, n) in enumerate(zip(head, sizes, strict=True))
            )
        ]
        for row in self.rows:
            below = f"{-row['difference']:.4f} +- {row['error']:.4f}" if row["difference"] else "-"
            sums = f"{row['columns']:>8,.0f}  {row['width']:>8,.0f}  {row['seconds']:>8.1f}"
            lines.append(f"{row['design']:<{width}}  {row['penalty']:<19}  {row['r2']:>12.4f}  {below:>17}  {sums}")
        return "\n".join(lines)


def compare_designs(
    table: Any,
    y: Any,
    designs: Mapping[str, Design] | None = None,
    *,
    cv: Any = None,
    standardize: Iterable[bool] = (False, True),
    ridge: bool = True,
    alphas: int = 31,
    eps: float = 1e-3,
    min_count: int | None = None,
    max_columns: int = 200_000,
    max_seconds: float = 30.0,
) -> DesignComparison:
    """Held-out R2 of designs, with and without standardizing, lasso beside ridge, on the same folds.

    Each design is chosen and fitted on the training rows of each fold alone, so that no bin, cross or coefficient has
    seen a held-out row. Strengths are shares of each fold's largest alpha; the one of the best mean loss counts.

    Parameters
    ----------
    table : DataFrame of pandas, polars or Arrow, or array of shape (n, p)
    y : array of shape (n,)
        Numbers or two classes, which are fitted by squares.
    designs : dict of str to FeatureCross or function, optional
        A FeatureCross is cloned; a function of a table and its target returns one. Default: main effects, all pairs
        of the same bins, and the choice of `choose_crosses`.
    cv : int, splitter or iterable of (train, test), optional
        Default: 5 folds, drawn with a fixed seed.
    standardize : iterable of bool, default=(False, True)
        The lasso without, with standardizing, or both. Standardizing penalises rare levels less.
    ridge : bool, default=True
        Whether ridge is compared too, at 7 strengths from 1 to 1,000.
    alphas : int, default=31
        Strengths of the lasso in each fold.
    eps : float, default=1e-3
        The smallest over the largest. Wide crosses often are best near 1e-3.
    min_count, max_columns, max_seconds
        As in `choose_crosses`, for each fold. All pairs are left out where they are wider than `max_columns`.

    Returns
    -------
    DesignComparison

    Raises
    ------
    ValueError
        If an argument is out of range, or `choose_crosses` would raise one.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"place": rng.choice(["n", "s"], 900), "hour": rng.integers(0, 6, 900)})
    >>> y = np.where((table["place"] == "n") & (table["hour"] < 3), 1.0, 0.0) + 0.1 * rng.normal(size=900)
    >>> found = compare_designs(table, y, standardize=[False], ridge=False)
    >>> [(row["design"], round(row["r2"], 2)) for row in found.rows]
    [('pairs', 0.94), ('chosen crosses', 0.94), ('main effects', 0.59)]
    """
    limits = check_limits(3, min_count, max_columns, max_seconds)
    frame = nw.from_native(table, eager_only=True, pass_through=True)
    target = target_numbers(y, len(table))
    if target.ndim > 1:
        raise ValueError(
            f"y holds {target.shape[1]} targets or different texts; designs are compared by one, or by two classes."
        )
    penalties = [("lasso, standardized" if flag else "lasso", bool(flag)) for flag in standardize]
    kinds: list[tuple[str, bool | None]] = [*penalties, *([("ridge", None)] if ridge else [])]
    if not kinds:
        raise ValueError("standardize is empty and ridge is False: nothing is left to compare.")
    designs = _usual(limits._asdict()) if designs is None else _checked(designs)
    results: dict[tuple[str, str], list[_Fit]] = {}
    for fold in make_folds(_shuffled(target.size) if cv is None else cv, table, target, {}):
        chosen, held_out = fold.train, fold.test
        train, test = _rows(frame, table, chosen), _rows(frame, table, held_out)
        for name, design in designs.items():
            begin = perf_counter()
            cross = _made(design, train, target[chosen], max_columns)
            if cross is None:
                continue
            X, X_test = cross.fit_transform(train), cross.transform(test)
            encoded = perf_counter() - begin
            for penalty, flag in kinds:
                fit = _fit(X, target[chosen], X_test, target[held_out], flag, (alphas, eps))
                results.setdefault((name, penalty), []).append(fit.later(encoded))
    return _compared(results, float(target.var()))


@dataclass(frozen=True)
class _Fit:
    """One fold: the loss and the columns at each strength, the width and the seconds."""

    losses: Vector
    columns: Vector
    width: int
    seconds: float

    def later(self, more: float) -> _Fit:
        return _Fit(self.losses, self.columns, self.width, self.seconds + more)


def _fit(X: Any, y: Vector, X_test: Any, y_test: Vector, flag: bool | None, grid: tuple[int, float]) -> _Fit:
    begin = perf_counter()
    if flag is None:
        path: Any = ridge_path(X, y, alphas=RIDGE_ALPHAS)
        columns = np.full(RIDGE_ALPHAS.size, X.shape[1], dtype=np.float64)
    else:
        path = regularization_path(X, y, alphas=grid[0], eps=grid[1], standardize=flag)
        columns = path.n_nonzero.astype(np.float64)
    losses = np.array([np.mean((y_test - path.predict(X_test, k)) ** 2) for k in range(columns.size)])
    return _Fit(losses, columns, X.shape[1], perf_counter() - begin)


def _compared(results: dict[tuple[str, str], list[_Fit]], variance: float) -> DesignComparison:
    """By the best strength of each, sorted by their mean loss."""
    rows, all_losses = [], []
    n_folds = max(len(fits) for fits in results.values())
    for (design, penalty), fits in results.items():
        if len(fits) < n_folds:  # too wide in some fold
            continue
        losses = np.stack([fit.losses for fit in fits], axis=1)
        k = int(np.argmin(losses.mean(axis=1)))
        all_losses.append(losses[k])
        rows.append(
            {
                "design": design,
                "penalty": penalty,
                "r2": 1.0 - float(losses[k].mean()) / (variance or 1.0),
                "columns": float(np.mean([fit.columns[k] for fit in fits])),
                "width": float(np.mean([fit.width for fit in fits])),
                "seconds": float(sum(fit.seconds for fit in fits)),
            }
        )
    table = np.array(all_losses)
    order = np.argsort(table.mean(axis=1), kind="stable")
    table = table[order]
    rows = [rows[i] for i in order.tolist()]
    differences = (table[0] - table) / (variance or 1.0)
    for row, difference, error in zip(rows, differences.mean(axis=1), standard_errors(differences), strict=True):
        row |= {"difference": float(difference), "error": float(error)}
    return DesignComparison(rows, table)


def _usual(limits: dict[str, Any]) -> dict[str, Design]:
    asked = {name: limits[name] for name in ("min_count", "max_columns", "max_seconds")}

    def main(table: Any, y: Vector) -> FeatureCross:
        return choose_crosses(table, y, degree=1, **asked).cross

    def pairs(table: Any, y: Vector) -> FeatureCross:
        chosen: CrossChoice = choose_crosses(table, y, degree=1, **asked)
        coarse = chosen.coarse()
        coarse.degree = 2
        return coarse

    def crosses(table: Any, y: Vector) -> FeatureCross:
        return choose_crosses(table, y, **asked).cross

    return {"main effects": main, "pairs": pairs, "chosen crosses": crosses}


def _checked(designs: Any) -> Mapping[str, Design]:
    """What was given for them, if it is one or more of what they may be."""
    given = list(designs.values()) if isinstance(designs, Mapping) else []
    if not given or not all(isinstance(design, FeatureCross) or callable(design) for design in given):
        raise ValueError(
            f"designs={shown(designs)}: expected a dict of names, and for each a FeatureCross or a function of a table"
            " and its target that returns one."
        )
    return designs


def _made(design: Design, table: Any, y: Vector, max_columns: int) -> FeatureCross | None:
    """The unfitted cross; None for all pairs that are wider than the budget."""
    from sklearn.base import clone

    if isinstance(design, FeatureCross):
        cross: FeatureCross = clone(design)
        if cross._is_automatic():
            cross = cross.fit(table, y).design_
        return cross
    cross = design(table, y)
    return None if cross.degree > 1 and cross.plan(table).n_columns > max_columns else cross


def _shuffled(n: int) -> Any:
    from sklearn.model_selection import KFold  # a slow import

    return KFold(min(5, n), shuffle=True, random_state=0)


def _rows(frame: Any, table: Any, rows: NDArray[np.int64]) -> Any:
    """Some rows of a table, in its own library."""
    return frame[rows].to_native() if isinstance(frame, nw.DataFrame) else np.asarray(table)[rows]

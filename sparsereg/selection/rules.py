"""Rules that choose a point of a validated path. Knows no solvers.

Points come in the order of decreasing strength. Each rule starts from the best point, the one of least mean loss over
the folds, and never chooses a weaker penalty than that.

The loss of one fold differs from that of another for reasons that all strengths share: some rows are harder. So a point
is compared with the best one fold by fold, and the standard error is that of the mean of these differences; or row by
row, for a single fold, or few.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BY_ROWS",
    "RULES",
    "best_point",
    "check_rule",
    "check_rule_of_folds",
    "choose_point",
    "paired_differences",
    "standard_errors",
]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

BY_ROWS = "1se-rows"
RULES = ("min", "1se", BY_ROWS, "1se-unpaired", "within x%")


def best_point(losses: Vector) -> int:
    """The point of least mean loss, the strongest of equals; `losses` is (k, F)."""
    means = losses.mean(axis=1)
    if not np.isfinite(means).any():
        raise ValueError(
            "No point of the path has a finite held-out loss in every fold, so that none can be chosen. Choose other"
            " folds, such as StratifiedKFold where a fold holds out one class only, or another scorer."
        )
    return int(np.argmin(np.where(np.isnan(means), np.inf, means)))


def standard_errors(losses: Vector) -> Vector:
    """Of the mean over the folds, for each row of (k, F); NaN for a single fold."""
    n = losses.shape[1]
    if n < 2:
        return np.full(losses.shape[0], np.nan)
    return np.asarray(losses.std(axis=1, ddof=1) / np.sqrt(n))


def paired_differences(losses: Vector, best: int) -> tuple[Vector, Vector]:
    """The mean over folds of each point's loss less that of the best point, and its standard error."""
    differences = losses - losses[best]
    return differences.mean(axis=1), standard_errors(differences)


def check_rule(rule: Any) -> Any:
    """A rule's name, or a function.

    Raises
    ------
    ValueError
        For anything else.
    """
    if callable(rule) or rule in RULES[:-1] or (isinstance(rule, str) and _share(rule) is not None):
        return rule
    raise ValueError(
        f"rule={rule!r}: expected 'min', '1se', '1se-rows', '1se-unpaired', a share such as 'within 2%', or a function"
        " of a validated path that returns the number of a point. For 'aic', 'bic' and the like use"
        " information_criterion."
    )


def check_rule_of_folds(rule: Any, n_folds: int, rows_apart: bool) -> None:
    """ValueError for a rule whose error so many folds do not give; `rows_apart`: whether rows have losses."""
    if rule == BY_ROWS and not rows_apart:
        raise ValueError(
            f"rule={rule!r} compares the losses of rows, which a scorer does not give, nor rows in parts; use"
            " rule='1se', over the folds."
        )
    if n_folds == 1 and (rule == "1se-unpaired" or (rule == "1se" and not rows_apart)):
        raise ValueError(f"rule={rule!r} needs the error over two folds or more, and cv gives one; use rule='min'.")


def choose_point(rule: Any, losses: Vector, n_nonzero: Int, validated: Any = None) -> int:
    """The point that a rule chooses.

    Parameters
    ----------
    rule : str or callable
        - "min": the best point.
        - "1se": the strongest penalty whose mean difference to the best point is at most the standard error of that
          difference over the folds, or of a single one over its rows; see `one_se_index` for given losses.
        - "1se-rows": the same over the rows of all folds, which `validated` has measured.
        - "1se-unpaired": the strongest penalty whose mean loss is at most that of the best point and one standard error
          of the best point's own loss, as `lambda.1se` of glmnet.
        - "within x%": the fewest coefficients among the points whose mean loss is at most x% above the best.
        - A function of `validated`, which returns the number of a point.
    losses : float64 array of shape (k, F)
    n_nonzero : int array of shape (k,)
    validated : ValidatedPath, optional
        For functions, and for what is over rows.
    """
    if callable(rule):
        return _checked(rule(validated), losses.shape[0], rule)
    if validated is not None:
        if rule == BY_ROWS and validated.by_rows is None:
            raise ValueError(
                f"rule={rule!r} compares the losses of rows, which were not kept; pass it as rule to"
                " cross_validate_path."
            )
        check_rule_of_folds(rule, losses.shape[1], validated.by_rows is not None)
    best = best_point(losses)
    choices: dict[str, Callable[[], int]] = {
        "min": lambda: best,
        "1se": lambda: _one_standard_error(
            paired_differences(losses, best) if validated is None else validated.differences, best
        ),
        BY_ROWS: lambda: _one_standard_error(validated.by_rows, best),
        "1se-unpaired": lambda: _unpaired(losses, best),
    }
    if rule in choices:
        return choices[rule]()
    share = _share(check_rule(rule))
    assert share is not None
    return _sparsest(losses, n_nonzero, best, share)


def _one_standard_error(differences: tuple[Vector, Vector], best: int) -> int:
    means, errors = differences
    within = means <= errors
    within[best] = True
    return int(np.argmax(within))


def _unpaired(losses: Vector, best: int) -> int:
    means, error = losses.mean(axis=1), standard_errors(losses)[best]
    good = np.flatnonzero(means[: best + 1] <= means[best] + (error if np.isfinite(error) else 0.0))
    return int(good[0])


def _sparsest(losses: Vector, n_nonzero: Int, best: int, share: float) -> int:
    means = losses.mean(axis=1)[: best + 1]
    good = np.flatnonzero(means <= means[best] + share * abs(means[best]))
    return int(good[np.lexsort((means[good], n_nonzero[good]))[0]])


def _share(rule: str) -> float | None:
    """0.02 of "within 2%"."""
    found = re.fullmatch(r"within (\d+(?:\.\d+)?) ?%", rule)
    return float(found[1]) / 100.0 if found else None


def _checked(k: Any, n_points: int, rule: Any) -> int:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 0 <= k < n_points:
        raise ValueError(f"rule={rule!r} returned {k!r}; expected the number of a point, 0 to {n_points - 1}.")
    return int(k)

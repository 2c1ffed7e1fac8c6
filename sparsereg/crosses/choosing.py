"""`choose_crosses`: a design for a table and a target, within a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparsereg.crosses.auto.choice import CrossChoice, check_limits
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.table import Table

__all__ = ["choose_crosses"]


def choose_crosses(
    table: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    fields: Sequence[str | int] | None = None,
    bins: Mapping[str | int, Any] | None = None,
    numeric: Sequence[str | int] = (),
    degree: int = 3,
    min_count: int | None = None,
    max_columns: int = 200_000,
    max_seconds: float = 30.0,
) -> CrossChoice:
    """Choose bins, pairs and triples of the columns of a table by rows that were held out.

    Decimal numbers and amounts get 20 quantile bins, and 80 where these gain; dates their parts. Integers of more than
    40 values are codes where their values predict better than their bins. Identifiers and constant columns are left
    out. Pairs of fields, also of two parts of one date, are added while they explain more of the held-out rows, in the
    order of what they explain beyond the fields alone; then cells of 50, 100 and 200 bins of latitude and longitude and
    of the two best pairs of numbers; then triples whose three pairs were all added.

    What a block explains is measured by the shrunken means of its cells, in 5 folds drawn with a fixed seed: a block is
    added if its mean gain exceeds its standard error over the folds. No fold's means see its held-out targets. This
    takes seconds where the lasso itself would take minutes; the penalty then selects among the columns. As the choice
    saw all rows, a held-out score of the chosen design on them is slightly optimistic: `compare_designs` chooses anew
    in each fold.

    Parameters
    ----------
    table : DataFrame of pandas, polars or Arrow, or array-like of shape (n, p)
    y : array of shape (n,) or (n, K)
        Numbers, or texts of at most 50 classes. Of several targets or classes, gains are shares of the sum of their
        variances.
    sample_weight : array of shape (n,), optional
    fields : list of str or int, optional
        Columns to use. Default: all.
    bins : dict of field to rule, optional
        Rules for some columns, as in `FeatureCross`; others are chosen.
    numeric : list of fields, default=()
        Columns to pass through as numbers.
    degree : {1, 2, 3}, default=3
        Fields in a cross at most.
    min_count : int, optional
        Rows that a level or cell needs. Default: 5, as fewer rarely say what holds in new rows; 2 below 2,000 rows and
        1 below 200.
    max_columns : int, default=200_000
        Columns of the design at most; blocks over the budget are left out.
    max_seconds : float, default=30.0
        Seconds after which no further block is looked at. Within them the choice does not depend on the machine.

    Returns
    -------
    CrossChoice
        `cross` is the unfitted FeatureCross, `to_code()` the code that makes it again; printed, what each block gains.

    Raises
    ------
    ValueError
        If no column can be used, or the target is of another length, missing, or of more than 50 texts.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"place": rng.choice(["n", "s"], 2000), "hour": rng.integers(0, 24, 2000)})
    >>> y = np.where((table["place"] == "n") & (table["hour"] < 12), 1.0, 0.0) + 0.1 * rng.normal(size=2000)
    >>> choice = choose_crosses(table, y)
    >>> choice.to_code()
    "FeatureCross(crosses=[('place', 'hour')], fields=['place', 'hour'], min_count=5)"
    """
    limits = check_limits(degree, min_count, max_columns, max_seconds)
    parameters = FeatureCross(fields=fields, bins=bins, numeric=numeric).get_params(deep=False)
    return CrossChoice.of(FeatureCross, Table(table), y, parameters, limits, sample_weight)

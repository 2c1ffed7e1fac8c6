"""Information criteria along a path: AIC, AICc, BIC, EBIC, without folds. Knows no solvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import gammaln

from sparsereg.data.design import Design, as_design
from sparsereg.data.printed import Printed
from sparsereg.data.validation import check_choice, check_flag, check_number, check_weights
from sparsereg.results import PathResult
from sparsereg.rows.memory import MemoryRows

__all__ = ["CRITERIA", "InformationCriterion", "information_criterion"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

CRITERIA = ("aic", "aicc", "bic", "ebic")
# Up to so many active columns their rank, or the trace, is computed; of more, their number is taken.
MAX_ACTIVE = 2000
# Squared lengths below this share of a column's own are rounding: the column depends on others.
DEPENDENT = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class InformationCriterion(Printed):
    """A criterion at every point of a path.

    Attributes
    ----------
    name : str
    values : float64 array of shape (k,)
        Small is good; infinite where a point has too many degrees of freedom for AICc.
    degrees : float64 array of shape (k,)
        Degrees of freedom, without the intercept.
    k : int
        The point of the least value, the strongest of equals.
    """

    name: str
    values: Vector
    degrees: Vector
    k: int

    def __repr__(self) -> str:
        return (
            f"<InformationCriterion {self.name}: least {self.values[self.k]:.6g} at point {self.k} of"
            f" {self.values.size}, df {self.degrees[self.k]:.4g}>"
        )

    def __str__(self) -> str:
        """At most ten points around the best."""
        n = self.values.size
        shown = np.unique(np.clip([0, *range(self.k - 4, self.k + 5), n - 1], 0, n - 1))
        rows = [
            f"{k:>5} {self.degrees[k]:>9.4g} {self.values[k]:>14.6g}{' <- least' if k == self.k else ''}" for k in shown
        ]
        return "\n".join([repr(self), f"point        df {self.name:>14}", *rows])


def information_criterion(
    path: PathResult,
    X: Any,
    *,
    criterion: str = "bic",
    sample_weight: Any = None,
    fit_intercept: bool = True,
    gamma: float = 1.0,
) -> InformationCriterion:
    """AIC, AICc, BIC or EBIC at every point of a path of one output.

    With n rows of positive weight, d degrees of freedom and the fit term D::

        aic   D + 2 d
        aicc  aic + 2 d (d + 1) / (n - d - 1)
        bic   D + log(n) d
        ebic  bic + 2 gamma log(number of choices of as many columns among p)

    For the squared loss D is `n log(residual sum of squares / n)`, for other losses the deviance, scaled to n rows. An
    intercept has one more degree of freedom. For the lasso the others are the rank of the active columns, for the
    elastic net the trace of the hat matrix on these (as `degrees_of_freedom` has them for the squared loss), for more
    than 2,000 active columns their number.

    Parameters
    ----------
    path : PathResult
        From `regularization_path`, `cross_validate_path` or a file.
    X : sparse matrix or array, or dense array, of shape (n, p)
        The X it was fitted on.
    criterion : {"aic", "aicc", "bic", "ebic"}, default "bic"
        AIC estimates which point predicts best, AICc the same with few rows for the columns; both keep some columns
        that do not matter. BIC and, with many more columns than rows, EBIC (Chen & Chen 2008) look for the columns that
        do.
    sample_weight : array of shape (n,), optional
        The weights it was fitted with.
    fit_intercept : bool, default True
        Whether there was an intercept.
    gamma : float in [0, 1], default 1.0
        For EBIC: 0 is BIC.

    Returns
    -------
    InformationCriterion

    Raises
    ------
    ValueError
        For a path of several outputs or of ridge, and for an X of another width.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import information_criterion, regularization_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> path = regularization_path(X, X[:, 0] - 2.0 * X[:, 1] + rng.normal(size=200))
    >>> path.point(information_criterion(path, X).k)[0]
    array([ 0,  1,  9, 13])
    """
    check_choice("criterion", criterion, CRITERIA)
    check_flag("fit_intercept", fit_intercept)
    check_number("gamma", gamma, low=0, high=1)
    if len(path.outputs) > 1 or path.deviance_explained is None or path.gradient_norms is not None:
        raise ValueError("path has several outputs, or is one of ridge; expected a lasso or elastic-net path of one.")
    design = as_design(X)
    if design.n_features != path.n_features:
        raise ValueError(f"X has {design.n_features} columns; the path was fitted on {path.n_features}.")
    s = check_weights(sample_weight, design.n_rows)
    n = design.n_rows if s is None else int(np.count_nonzero(s))
    degrees = _degrees(path, design, s, fit_intercept)
    d, mean = degrees + fit_intercept, path.gap_scale * (1.0 - path.deviance_explained)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = n * np.log(mean) if path.loss == "squared" else 2.0 * n * mean
        values = fit + (np.log(n) if criterion in ("bic", "ebic") else 2.0) * d
        if criterion == "aicc":
            left = n - d - 1.0
            values = np.where(left > 0.0, values + 2.0 * d * (d + 1.0) / left, np.inf)
    if criterion == "ebic":
        values = values + 2.0 * gamma * _log_choices(path.n_features, path.n_nonzero)
    return InformationCriterion(criterion, values, degrees, int(np.argmin(values)))


def _log_choices(p: int, k: Int) -> Vector:
    """The logarithm of the number of ways to choose k of p columns."""
    return np.asarray(gammaln(p + 1.0) - gammaln(k + 1.0) - gammaln(p - k + 1.0))


def _degrees(path: PathResult, design: Design, s: Vector | None, centred: bool) -> Vector:
    """Of every point; the Gram matrix of all columns that are ever active is computed once where it is small."""
    rows = MemoryRows(design, np.zeros(design.n_rows), s)
    order = np.argsort(design.columns)
    ever = np.unique(path.outputs[0].tocsc().indices).astype(np.int64)
    cols = order[np.searchsorted(design.columns, ever, sorter=order)]
    out, counts = np.empty(path.alphas.size), path.n_nonzero
    gram = _gram(rows, cols, centred) if 0 < cols.size <= MAX_ACTIVE else None
    for k, alpha in enumerate(path.alphas.tolist()):
        if not 0 < counts[k] <= MAX_ACTIVE:
            out[k] = counts[k]
            continue
        at = np.searchsorted(ever, path.point(k)[0])
        own = _gram(rows, cols[at], centred) if gram is None else gram[np.ix_(at, at)]
        out[k] = _rank_or_trace(own, rows.weight_sum * alpha * (1.0 - path.l1_ratio))
    return out


def _gram(rows: MemoryRows, cols: Int, centred: bool) -> NDArray[np.float64]:
    sums = rows.moments(cols).sums
    products = rows.products(cols, cols)
    return products - np.outer(sums, sums) / rows.weight_sum if centred else products


def _rank_or_trace(gram: NDArray[np.float64], l2: float) -> float:
    """The rank; with an l2 penalty the trace of `(G + l2)^-1 G`."""
    if l2 > 0.0:
        inverse = scipy.linalg.solve(gram + l2 * np.eye(len(gram)), gram, assume_a="pos")
        return float(np.trace(inverse))
    length = np.sqrt(np.maximum(np.diag(gram), 0.0))
    kept = length > 0.0
    unit = gram[np.ix_(kept, kept)] / np.outer(length[kept], length[kept])
    if not unit.size:
        return 0.0
    _, _, rank, _ = scipy.linalg.lapack.dpstrf(unit, tol=DEPENDENT)
    return float(rank)

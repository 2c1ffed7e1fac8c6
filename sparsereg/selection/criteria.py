"""Information criteria along a path: AIC, AICc, BIC, EBIC, without folds. Knows no solvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from sparsereg.data.design import as_design
from sparsereg.data.printed import Printed
from sparsereg.data.validation import (
    FINITE,
    check_choice,
    check_flag,
    check_number,
    check_outputs,
    check_penalty_factor,
    check_vector,
    check_weights,
)
from sparsereg.losses import Loss, Multinomial, as_path_loss
from sparsereg.results import PathResult
from sparsereg.selection.path_degrees import PathDegrees

__all__ = ["CRITERIA", "InformationCriterion", "information_criterion"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

CRITERIA = ("aic", "aicc", "bic", "ebic")


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

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import information_criterion, regularization_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> path = regularization_path(X, X[:, 0] + rng.normal(size=200), alphas=20)
    >>> found = information_criterion(path, X)
    >>> found.name, found.values.shape, bool(found.k == found.values.argmin())
    ('bic', (20,), True)
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
    offset: Any = None,
    fit_intercept: bool | None = None,
    gamma: float = 1.0,
    dispersion: float | None = None,
) -> InformationCriterion:
    """AIC, AICc, BIC or EBIC at every point of a path, for losses that are the likelihood of a distribution.

    With n rows of positive weight, d degrees of freedom and the fit term D::

        aic   D + 2 d
        aicc  aic + 2 d (d + 1) / (n - d - 1)
        bic   D + log(n) d
        ebic  bic + 2 gamma log(number of choices of as many columns among p)

    D is minus twice the log-likelihood, less what depends on y alone: for the logistic, Poisson and multinomial losses
    the deviance, scaled to n rows; for squares `n log(residual sum of squares / n)`, whose variance is the best one;
    for the gamma loss at its best shape. With a `dispersion` it is the deviance over that. Huber and the squared hinge
    are no likelihoods.

    An intercept has one more degree of freedom, those of K classes K - 1. For the lasso the others are the rank of the
    active columns (of several classes, of their coefficients: at most K - 1 a column), for the elastic net the trace of
    the hat matrix on these, at the curvature of the point (as `degrees_of_freedom` has them for the squared loss); of
    more than 2,000 coefficients their number.

    Parameters
    ----------
    path : PathResult
        From `regularization_path`, a file, or as `path` of what `cross_validate_path` returns.
    X : sparse matrix or array, or dense array, of shape (n, p)
        The X it was fitted on.
    criterion : {"aic", "aicc", "bic", "ebic"}, default "bic"
        AIC estimates which point predicts best, AICc the same with few rows for the columns; both keep some columns
        that do not matter. BIC and, with many more columns than rows, EBIC (Chen & Chen 2008) look for the columns that
        do.
    sample_weight : array of shape (n,), optional
        The weights it was fitted with. Where they are exposures of rates, `dispersion` undoes that D is scaled to n
        rows: n over their sum.
    offset : array of shape (n,) or (n, K), optional
        The offset it was fitted with. It only counts for elastic nets of losses other than squares.
    fit_intercept : bool, optional
        Whether there was an intercept. Default: as the path says, or True for one from a file.
    gamma : float in [0, 1], default 1.0
        For EBIC: 0 is BIC.
    dispersion : float, optional
        The variance of the noise for squares, the variance over that of the distribution for others: above 1 for counts
        that vary more than Poisson's. Default: 1, or for squares and gamma the best one. Tweedie needs it.

    Returns
    -------
    InformationCriterion

    Raises
    ------
    ValueError
        For a path of ridge or of several targets, a loss that is no likelihood, and for an X of another width.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import information_criterion, regularization_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> z = X[:, 0] - 2.0 * X[:, 1]
    >>> path = regularization_path(X, z + rng.normal(size=200))
    >>> path.point(information_criterion(path, X).k)[0]
    array([ 0,  1,  9, 13])
    >>> path = regularization_path(X, rng.poisson(np.exp(0.3 * z)), loss="poisson")
    >>> path.point(information_criterion(path, X, criterion="ebic").k)[0]
    array([0, 1])
    """
    check_choice("criterion", criterion, CRITERIA)
    check_number("gamma", gamma, low=0, high=1)
    if dispersion is not None:
        check_number("dispersion", dispersion, low=0, open_low=True, high=FINITE)
    loss, K = _loss_of(path), len(path.outputs)
    design = as_design(X)
    if design.n_features != path.n_features:
        raise ValueError(f"X has {design.n_features} columns; the path was fitted on {path.n_features}.")
    s, settings = check_weights(sample_weight, design.n_rows), path.settings or {}
    n = design.n_rows if s is None else int(np.count_nonzero(s))
    if fit_intercept is None:
        fit_intercept = settings.get("fit_intercept", True)
    check_flag("fit_intercept", fit_intercept)
    factor = check_penalty_factor(settings.get("penalty_factor"), design.n_features)
    known = _checked_offset(path, loss, offset, design.n_rows)
    standardize = bool(settings.get("standardize", False))
    degrees = PathDegrees(path, loss, design, s, known, bool(fit_intercept), factor, standardize).every()
    values = _values(path, loss, n, degrees + bool(fit_intercept) * max(K - 1, 1), criterion, dispersion)
    if criterion == "ebic":
        values = values + 2.0 * gamma * _log_choices(path.n_features * K, path.n_nonzero)
    return InformationCriterion(criterion, values, degrees, int(np.argmin(values)))


def _values(
    path: PathResult, loss: Loss | Multinomial, n: int, d: Vector, criterion: str, dispersion: float | None
) -> Vector:
    """Of d degrees of freedom at each point, the intercept's among them; EBIC's without its own term."""
    assert path.deviance_explained is not None
    deviance = path.gap_scale * np.maximum(1.0 - path.deviance_explained, 0.0) * (1.0 if loss.quadratic else 2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = n * loss.fit_term(deviance, dispersion) + (np.log(n) if criterion in ("bic", "ebic") else 2.0) * d
        if criterion == "aicc":
            left = n - d - 1.0
            values = np.where(left > 0.0, values + 2.0 * d * (d + 1.0) / left, np.inf)
    return np.asarray(values)


def _loss_of(path: PathResult) -> Loss | Multinomial:
    """The loss of a path of one output, or of the classes of one target."""
    if not isinstance(path, PathResult):
        raise ValueError(  # noqa: TRY004
            f"path is a {type(path).__name__}; expected a PathResult, from regularization_path, or the path of a"
            " CrossValidation."
        )
    loss = as_path_loss(path.loss)
    several = len(path.outputs) > 1 and not isinstance(loss, Multinomial)
    if several or path.deviance_explained is None or path.gradient_norms is not None:
        raise ValueError(
            "path has several targets, or is one of ridge; expected a lasso or elastic-net path of one target."
        )
    return loss


def _checked_offset(path: PathResult, loss: Loss | Multinomial, offset: Any, n_rows: int) -> Vector | None:
    K = len(path.outputs)
    if offset is None:
        if path.l1_ratio < 1.0 and not loss.quadratic and (path.settings or {}).get("has_offset"):
            raise ValueError("the path was fitted with an offset; pass it as offset.")
        return None
    return check_outputs("offset", offset, n_rows, K) if K > 1 else check_vector("offset", offset, n_rows)


def _log_choices(p: int, k: Int) -> Vector:
    """The logarithm of the number of ways to choose k of p columns."""
    return np.asarray(gammaln(p + 1.0) - gammaln(k + 1.0) - gammaln(p - k + 1.0))

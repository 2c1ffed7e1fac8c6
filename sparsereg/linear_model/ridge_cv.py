"""`RidgeCV`, with scikit-learn's interface."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, RegressorMixin

from sparsereg.linear_model.coefficients import LinearRegressor, set_parameters
from sparsereg.linear_model.cross_validated import CrossValidated
from sparsereg.linear_model.input import checked_targets

__all__ = ["RidgeCV"]


class RidgeCV(CrossValidated, LinearRegressor):
    """Ridge regression that chooses its strength by cross-validation.

    Minimises what `Ridge` does. Without `cv` the score is the mean square of the leave-one-out residuals. It is exact
    where the Gram matrix of rows or of columns is small enough to factorise. Otherwise it is the generalised
    cross-validation score, whose trace is exact, or estimated by random probes with a standard error.

    Parameters
    ----------
    alphas : array of shape (n_alphas,) or float, default (0.1, 1.0, 10.0)
        Strengths to try, on the *unnormalised* sum of squares. All of them cost little more than the smallest alone.
    fit_intercept : bool, default True
    scoring : str, callable or None, default None
        As in scikit-learn; None is the mean square without `cv`, and R^2 with it. A scorer sees predictions only: the
        estimator passed to it has no coefficients. Without `cv` it needs data small enough for exact leave-one-out.
    cv : int, splitter, iterable or None, default None
        Folds. Held-out rows get a weight of 0, so that X is not copied.
    gcv_mode : {"auto", "svd", "eigen"} or None, default None
        "eigen" and "svd" force exact leave-one-out. None and "auto" use it where it takes seconds at most.
    store_cv_results : bool, default False
        Keep `cv_results_`; only without `cv`.
    alpha_per_target : bool, default False
        Choose a strength for each target; only without `cv`.
    tol, max_iter
        As in `Ridge`, at each strength.
    random_state : int, RandomState or None, default 0
        Draws the random probes of "gcv-cg". A number by default, so that two fits choose the same strength.

    Attributes
    ----------
    alpha_ : float, or array of shape (n_targets,)
        The strength chosen.
    best_score_ : float, or array of shape (n_targets,)
        Its score; greater is better.
    cv_method_ : str
        What was compared. "loo-gram", "loo-dual", "loo-svd": exact leave-one-out, by the factorisation named.
        "gcv-gram": generalised cross-validation with an exact trace. "gcv-cg": with an estimated one. "folds-...":
        folds, and their solver.
    cv_scores_ : array of shape (n_alphas,) or (n_alphas, n_targets)
        The score of every strength.
    cv_score_error_ : array like cv_scores_
        Standard error: 0 for exact scores; over the folds; or an upper bound from one standard error of the estimated
        trace, infinite where the trace may be as large as the number of rows.
    cv_results_ : array of shape (n, n_alphas) or (n, n_targets, n_alphas), only with `store_cv_results`
        Weighted squares of leave-one-out residuals, or with `scoring` leave-one-out predictions.
    trace_ : array of shape (n_alphas,), only after "gcv-gram" and "gcv-cg"
        Degrees of freedom at every strength, including 1 for the intercept.
    trace_error_ : array of shape (n_alphas,), with trace_
        An upper bound on their standard error that needs no sample, plus what unfinished iterations may have changed.
    n_probes_ : int, with trace_
        Random probes, 0 if the trace is exact. One at first, then twice as many until the best strength is separated,
        up to 16. One is enough for many rows, because the relative error falls with the degrees of freedom.
    cv_separated_ : bool, with trace_
        Whether the best strength is better than all others by more than the standard errors.
    coef_, sparse_coef_, intercept_, n_features_in_, feature_names_in_
        As in `Ridge`, at `alpha_`.
    gradient_norm_ : array of shape (n_targets,)
        The relative gradient at `alpha_`.
    n_iter_ : array of shape (n_targets,)
        Iterations at `alpha_`, or after "gcv-cg" at all strengths together; for direct methods Newton steps.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import RidgeCV
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 2.0]])
    >>> model = RidgeCV(alphas=[0.01, 1.0, 100.0]).fit(X, [1.0, 3.1, 2.0, 0.1, 5.0])
    >>> model.alpha_, model.cv_method_
    (0.01, 'loo-gram')
    """

    _default_scoring = "r2"

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        tol: float = 1e-4,
        max_iter: int | None = None,
        random_state: Any = 0,
    ) -> None:
        set_parameters(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> RidgeCV:
        """Choose a strength and fit.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        y : array of shape (n,) or (n, n_targets)
        sample_weight : float or array of shape (n,), optional
            Non-negative. Scores are weighted too if the scorer takes weights.
        **params
            For the scorer and the splitter, where scikit-learn's metadata routing is enabled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a parameter out of range, input that is not finite or of the wrong shape, or a scoring that needs exact
            leave-one-out on data too large for it.

        Warns
        -----
        ConvergenceWarning
            When strengths were stopped short of `tol`; the message gives the gradient that was reached.
        """
        X, y = checked_targets(self, X, y)
        self._choose(X, y, y, sample_weight, params)
        return self

    def _estimator_of_predictions(self) -> Any:
        return OwnPredictions()


class OwnPredictions(RegressorMixin, BaseEstimator):
    """A regressor whose X is its predictions."""

    def predict(self, X: Any) -> Any:
        """X."""
        return X

"""`RidgeCV` in scikit-learn's clothes. Knows no kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import validate_data

from sparsereg.linear_model.coefficients import LinearRegressor
from sparsereg.linear_model.cross_validated import CrossValidated

__all__ = ["RidgeCV"]


class RidgeCV(CrossValidated, LinearRegressor):
    """Ridge regression that chooses its strength by cross-validation, from a handful of columns to millions of sparse ones.

    Minimises what `Ridge` does. Without `cv`, what is compared is the mean square of residuals each of which was left out: exactly where a
    small square of rows or columns can be factorised, and otherwise by generalised cross-validation, whose trace is exact or
    estimated by random probes with an error. Nothing of the size of rows or columns squared is made where those are many.

    Parameters
    ----------
    alphas : array of shape (n_alphas,) or float, default (0.1, 1.0, 10.0)
        Strengths to try, on the *unnormalised* sum of squares. They cost little more than the hardest of them alone, so be generous.
    fit_intercept : bool, default True
    scoring : str, callable or None, default None
        As in scikit-learn; None is the mean square without `cv`, and R^2 with it. The scorer sees predictions only: an estimator it
        is handed has no coefficients. Others than None need `cv`, or data small enough to leave rows out exactly.
    cv : int, splitter, iterable or None, default None
        Folds. Their rows are held out by a weight of 0: X is not copied.
    gcv_mode : {"auto", "svd", "eigen"} or None, default None
        "eigen" and "svd" insist on leaving rows out exactly. None and "auto" do so where it takes seconds at most.
    store_cv_results : bool, default False
        Keep `cv_results_`; only without `cv`.
    alpha_per_target : bool, default False
        Choose a strength for each target; only without `cv`.
    tol : float, default 1e-4
        As in `Ridge`.
    max_iter : int, optional
        Most iterations at one strength, 10,000 by default.
    random_state : int, RandomState or None, default 0
        Of the probes, which only "gcv-cg" needs. A number, so that two fits choose the same.

    Attributes
    ----------
    alpha_ : float, or array of shape (n_targets,)
        The strength chosen.
    best_score_ : float, or array of shape (n_targets,)
        Its score; greater is better.
    cv_method_ : str
        What was compared: "loo-gram", "loo-dual" or "loo-svd", exactly left-out rows by the factorisation named; "gcv-gram",
        generalised cross-validation with an exact trace; "gcv-cg", with an estimated one; "folds-" and how folds were solved.
    cv_scores_ : array of shape (n_alphas,) or (n_alphas, n_targets)
        The score of every strength.
    cv_score_error_ : array like cv_scores_
        Standard error: 0 for exact scores, over the folds, or at most that of the estimated trace: one of it, and infinite where
        that may be all the rows.
    cv_results_ : array of shape (n, n_alphas) or (n, n_targets, n_alphas), only with `store_cv_results`
        Weighted squares of left-out residuals, or with `scoring` left-out predictions.
    trace_ : array of shape (n_alphas,), only after "gcv-gram" and "gcv-cg"
        Degrees of freedom of the fit at every strength, with the intercept's.
    trace_error_ : array of shape (n_alphas,), with trace_
        Their standard error at most, one of it, by a bound that needs no sample; and what unfinished iterations may leave out at most.
    n_probes_ : int, with trace_
        Random probes, 0 if the trace is exact: 1, and twice as many until the best strength stands out, up to 16. For many rows
        one is enough, as its relative error falls with the degrees of freedom.
    cv_separated_ : bool, with trace_
        Whether it does: if not, some other strength is as good, as far as the probes can tell.
    coef_, sparse_coef_, intercept_, n_features_in_, feature_names_in_
        As in `Ridge`, at `alpha_`.
    gradient_norm_ : array of shape (n_targets,)
        The relative gradient at `alpha_`.
    n_iter_ : array of shape (n_targets,)
        Iterations of the fit at `alpha_`, or after "gcv-cg" of all strengths together; for direct methods Newton steps.

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
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> RidgeCV:
        """Choose a strength and fit.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        y : array of shape (n,) or (n, n_targets)
        sample_weight : float or array of shape (n,), optional
            Non-negative. They count in the scores too, as far as the scorer takes them.
        **params
            For the scorer and the splitter, where scikit-learn's metadata routing is enabled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a parameter out of range, input that is not finite or of the wrong shape, or a scoring that data of this size rules out.

        Warns
        -----
        ConvergenceWarning
            When strengths were stopped short of `tol`; the message gives the gradient that was reached.
        """
        X, y = validate_data(
            self, X, y, accept_sparse=("csr", "csc"), dtype=(np.float64, np.float32), multi_output=True, y_numeric=True
        )
        self._choose(X, y, y, sample_weight, params)
        return self

    def _stand_in(self) -> Any:
        return OwnPredictions()


class OwnPredictions(RegressorMixin, BaseEstimator):
    """A regressor that is given predictions for X."""

    def predict(self, X: Any) -> Any:
        """X."""
        return X

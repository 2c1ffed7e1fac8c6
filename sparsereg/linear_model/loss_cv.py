"""Regressions of other losses whose strength is chosen by folds: `PoissonRegressorCV` and the like."""

from __future__ import annotations

from typing import Any

from sklearn.utils import check_array

from sparsereg.data.real_numbers import refuse_unreal
from sparsereg.data.validation import check_number, check_weights
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.glm import LossRegressor, check_range
from sparsereg.linear_model.input import FITTED, checked_data
from sparsereg.linear_model.loss_fit import FitTask
from sparsereg.linear_model.path_choice import PathChoice
from sparsereg.linear_model.paths import EPOCHS
from sparsereg.losses import LOSSES, Loss, as_loss
from sparsereg.selection.cross_validation import check_ratios
from sparsereg.selection.engine import validate
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.folds import make_folds
from sparsereg.selection.measures import make_measure
from sparsereg.selection.results import CrossValidation
from sparsereg.solvers.loop import Options

__all__ = ["GammaRegressorCV", "HuberLossRegressorCV", "PoissonRegressorCV", "TweedieRegressorCV"]


class LossRegressorCV(PathChoice, LossRegressor):
    """A regression by a loss whose strength is chosen by folds; `_loss` says which loss."""

    def __init__(
        self,
        *,
        l1_ratio: Any = 1.0,
        alphas: Any = "auto",
        eps: float | str = 1e-2,
        cv: Any = None,
        rule: Any = "min",
        scoring: Any = None,
        relax: bool = False,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        verbose: bool | int = False,
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        max_seconds: float | None = None,
        max_columns: int | None = None,
        max_memory: int | None = None,
        keep_fold_paths: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def _start(self, n_features: int, n_outputs: int) -> tuple[Any, Any]:  # noqa: ARG002 - always anew
        return None, None

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None, **params: Any) -> Any:
        """Choose the strength by folds, and fit all rows at it.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
            Not copied where the layout allows, never written to.
        y : array of shape (n,)
        sample_weight : float or array of shape (n,), optional
            Non-negative weights, in the fits and within the held-out losses.
        offset : array of shape (n,), optional
            Known part of the predictor.
        **params
            Metadata for the splitter, such as groups, with `sklearn.set_config(enable_metadata_routing=True)`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters, targets or weights out of range, input that is not finite, and folds without rows.

        Warns
        -----
        ConvergenceWarning
            When strengths are not solved to `tol` within `max_iter` iterations.
        """
        self._check_loss_fit()
        settings, ratios, loss = self._settings(), check_ratios(self.l1_ratio), self._loss()
        if y is not None:
            refuse_unreal("y", y, text=True)
        X, y = checked_data(self, X, y, y_numeric=True, **FITTED)
        design = self._design(X)
        target = check_array(y, dtype=float, ensure_2d=False, input_name="y")
        check_range(loss, target)
        s, known = check_weights(sample_weight, design.n_rows), self._offset(offset, design.n_rows)
        factor = self._factor(design.n_features)
        flags: dict[str, Any] = {
            name: bool(getattr(self, name)) for name in ("fit_intercept", "standardize", "positive")
        }
        task = Task(
            design, target, s, known, loss, {"penalty_factor": factor, **flags},
            Options(float(self.tol), EPOCHS * int(self.max_iter)), relax=bool(self.relax),
        )  # fmt: skip
        folds = make_folds(self.cv, X, target, self._split_parameters(params))
        measure = make_measure(self.scoring, loss)
        paths = [validate(task, folds, measure, ratio, settings) for ratio in ratios]
        self._choose(CrossValidation.of(paths, self.rule))
        chosen = self.validation_
        fitted = self._fit_task(
            FitTask(design, target, loss, s, known, chosen.alpha, chosen.l1_ratio, factor, **flags), 1
        )
        self.intercept_, self.n_iter_ = float(self._relaxed(fitted)[0]), fitted.n_iter
        return self


class PoissonRegressorCV(LossRegressorCV):
    """Poisson regression with a log link whose strength is chosen by cross-validation, for wide sparse X.

    The objective is that of `PoissonRegressor`, in each fold over its training rows; X is not copied. After the choice,
    all rows are fitted.

    Parameters
    ----------
    l1_ratio : float in [0, 1], or a list of these, default 1.0
        1 is the lasso; 0, ridge, needs explicit `alphas`.
    alphas : "auto", int or array, default "auto"
        The strengths, or their number. "auto" is as in `ElasticNetCV`.
    eps : float in (0, 1] or "auto", default 1e-2
        The smallest strength over the largest, where `alphas` is a number.
    cv : int, splitter, iterable or None, default None
        Folds; None is 5 folds of consecutive rows.
    rule : {"min", "1se", "1se-rows", "1se-unpaired"}, "within x%", or callable, default "min"
        What chooses the strength; see `cross_validate_path`.
    scoring : str or callable, optional
        A scorer of predicted means, to be maximised. Default: the mean deviance, to be minimised.
    relax : bool, default False
        Fit the chosen columns again without the l1 term, in the folds too; see `cross_validate_path`. `dual_gap_` is
        that of the fit before.
    fit_intercept, max_iter, tol, penalty_factor, standardize, positive, n_jobs
        As in `PoissonRegressor`, with at most 1000 iterations at each strength.
    verbose : bool or int, default False
        Print a line a strength, with the time left, to stderr.
    max_seconds, max_columns, max_memory, keep_fold_paths
        As in `ElasticNetCV`.

    Attributes
    ----------
    alpha_, l1_ratio_, alphas_, cv_results_, validation_
        As in `ElasticNetCV`.
    mse_path_ : array of shape (n_alphas, n_folds) or (n_l1_ratio, n_alphas, n_folds)
        Held-out losses, by default mean deviances.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in `PoissonRegressor`, at the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import PoissonRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> model = PoissonRegressorCV(rule="1se").fit(X, rng.poisson(np.exp(0.5 * X[:, 0])))
    >>> int(np.argmax(np.abs(model.coef_)))
    0
    """

    def _loss(self) -> Loss:
        return LOSSES["poisson"]


class GammaRegressorCV(LossRegressorCV):
    """Gamma regression with a log link whose strength is chosen by cross-validation.

    The objective is that of `GammaRegressor`.

    Parameters
    ----------
    l1_ratio, alphas, eps, cv, rule, scoring, relax, fit_intercept, max_iter, tol, verbose, penalty_factor, standardize
        See `PoissonRegressorCV`.
    positive, max_seconds, max_columns, max_memory, keep_fold_paths, n_jobs
        See `PoissonRegressorCV`.

    Attributes
    ----------
    alpha_, l1_ratio_, alphas_, mse_path_, cv_results_, validation_
        See `PoissonRegressorCV`.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        See `PoissonRegressor`, at the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import GammaRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> model = GammaRegressorCV(rule="1se").fit(X, np.exp(0.5 * X[:, 0]) * rng.gamma(3.0, size=200))
    >>> int(np.argmax(np.abs(model.coef_)))
    0
    """

    def _loss(self) -> Loss:
        return LOSSES["gamma"]


class TweedieRegressorCV(LossRegressorCV):
    """Tweedie regression with a log link whose strength is chosen by cross-validation.

    The objective is that of `TweedieRegressor` with a log link.

    Parameters
    ----------
    power : float in (1, 2), default 1.5
        Of the variance in the mean.
    l1_ratio, alphas, eps, cv, rule, scoring, relax, fit_intercept, max_iter, tol, verbose, penalty_factor, standardize
        See `PoissonRegressorCV`.
    positive, max_seconds, max_columns, max_memory, keep_fold_paths, n_jobs
        See `PoissonRegressorCV`.

    Attributes
    ----------
    alpha_, l1_ratio_, alphas_, mse_path_, cv_results_, validation_
        See `PoissonRegressorCV`.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        See `PoissonRegressor`, at the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import TweedieRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> y = np.exp(0.5 * X[:, 0]) * rng.poisson(1.0, size=200)
    >>> model = TweedieRegressorCV(power=1.5, rule="1se").fit(X, y)
    >>> int(np.argmax(np.abs(model.coef_)))
    0
    """

    def __init__(
        self,
        *,
        power: float = 1.5,
        l1_ratio: Any = 1.0,
        alphas: Any = "auto",
        eps: float | str = 1e-2,
        cv: Any = None,
        rule: Any = "min",
        scoring: Any = None,
        relax: bool = False,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        verbose: bool | int = False,
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        max_seconds: float | None = None,
        max_columns: int | None = None,
        max_memory: int | None = None,
        keep_fold_paths: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def _loss(self) -> Loss:
        check_number("power", self.power, low=1, high=2, open_low=True)
        return as_loss(("tweedie", float(self.power)))


class HuberLossRegressorCV(LossRegressorCV):
    """Regression by the Huber loss of a fixed width whose strength is chosen by cross-validation.

    The objective is that of `HuberLossRegressor`. Held-out rows are measured by the same loss, so that outliers among
    them do not make the choice either.

    Parameters
    ----------
    delta : float > 0, default 1.35
        In the units of y.
    l1_ratio, alphas, eps, cv, rule, scoring, relax, fit_intercept, max_iter, tol, verbose, penalty_factor, standardize
        See `PoissonRegressorCV`.
    positive, max_seconds, max_columns, max_memory, keep_fold_paths, n_jobs
        See `PoissonRegressorCV`.

    Attributes
    ----------
    alpha_, l1_ratio_, alphas_, mse_path_, cv_results_, validation_
        See `PoissonRegressorCV`; held-out losses are twice the mean Huber loss, that is squares up to delta.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        See `PoissonRegressor`, at the choice.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import HuberLossRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> model = HuberLossRegressorCV(rule="1se").fit(X, X[:, 0] + rng.standard_t(2.0, size=200))
    >>> int(np.argmax(np.abs(model.coef_)))
    0
    """

    def __init__(
        self,
        *,
        delta: float = 1.35,
        l1_ratio: Any = 1.0,
        alphas: Any = "auto",
        eps: float | str = 1e-2,
        cv: Any = None,
        rule: Any = "min",
        scoring: Any = None,
        relax: bool = False,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        verbose: bool | int = False,
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        max_seconds: float | None = None,
        max_columns: int | None = None,
        max_memory: int | None = None,
        keep_fold_paths: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def _loss(self) -> Loss:
        return as_loss(("huber", check_number("delta", self.delta, low=0, open_low=True)))

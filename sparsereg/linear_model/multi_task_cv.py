"""`MultiTaskElasticNetCV` and `MultiTaskLassoCV`, with scikit-learn's interface: the strength chosen by folds."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from sparsereg.data.validation import check_flag, check_penalty_factor, check_weights
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.multi_task import MultiTaskBase, MultiTaskElasticNet
from sparsereg.linear_model.path_choice import PathChoice
from sparsereg.linear_model.paths import EPOCHS, PARAMS, closer, enet_path, generator, lasso_path
from sparsereg.losses import LOSSES
from sparsereg.selection.cross_validation import check_ratios
from sparsereg.selection.engine import Settings, validate
from sparsereg.selection.folds import make_folds
from sparsereg.selection.output_folds import TargetsTask, make_targets_measure
from sparsereg.selection.results import CrossValidation
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path import check_grid

__all__ = ["MultiTaskElasticNetCV", "MultiTaskLassoCV"]


class MultiTaskElasticNetCV(PathChoice, MultiTaskBase):
    """Multi-task elastic net whose strength and l1_ratio are chosen by cross-validation; a drop-in for scikit-learn's.

    The objective is that of `MultiTaskElasticNet`, in each fold over its training rows; X is not copied. After the
    choice, all rows are fitted.

    Parameters
    ----------
    l1_ratio : float in [0, 1], or a list of these, default 0.5
        1 is the multi-task lasso. Of a list, the one with the least mean squared error at its best strength is chosen.
    eps : float in (0, 1] or "auto", default 1e-3
        The smallest strength over the largest. "auto" as in `alphas`, in the steps of that many points.
    alphas : "auto", int or array, default "auto"
        The strengths, or their number. "auto" is as in `ElasticNetCV`; a number gives scikit-learn's fixed grid.
    fit_intercept, max_iter, tol, random_state, selection, penalty_factor, standardize
        As in `MultiTaskElasticNet`. Below the default of `tol` coefficients are solved more closely, too.
    cv : int, splitter, iterable or None, default None
        Folds; None is 5 folds of consecutive rows, as in scikit-learn. Shuffle rows that are sorted.
    copy_X : bool, default True
        X is never written to, whatever this says.
    verbose : bool or int, default 0
        Print a line a strength, with the time left, to stderr.
    n_jobs : int, optional
        Threads for folds; they share X, and change no digit.
    rule : {"min", "1se", "1se-rows", "1se-unpaired"}, "within x%", or callable, default "min"
        What chooses the strength; see `cross_validate_path`. (scikit-learn's `selection` is the order of coordinates.)
    scoring : str or callable, optional
        A scorer of all targets, to be maximised; `mse_path_` then holds its negative. Default: the mean squared error.
    relax : bool, default False
        Fit the chosen columns again without the l1 term, in the folds too: least squares for the lasso, ridge for the
        elastic net.
    max_seconds, max_columns, max_memory
        Budgets of each path; see `cross_validate_path`. Coefficients of all targets count.
    keep_fold_paths : bool, default False
        Keep the folds' coefficients, sparse: `validation_.chosen.fold_paths`.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The choice.
    alphas_ : array of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        Strengths, decreasing. Where automatic paths differ in length, the shorter ones end in NaN.
    mse_path_ : array of shape (n_alphas, n_folds) or (n_l1_ratio, n_alphas, n_folds)
        Mean squared errors of the held-out rows, over all targets.
    cv_results_, validation_
        As in `ElasticNetCV`.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in `MultiTaskElasticNet`, at the choice. With `relax`, `dual_gap_` is that of the fit before.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import MultiTaskElasticNetCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 10))
    >>> Y = X[:, :2] @ [[1.0, 2.0], [-2.0, 1.0]] + rng.normal(size=(100, 2))
    >>> model = MultiTaskElasticNetCV(alphas=20, cv=3).fit(X, Y)
    >>> model.mse_path_.shape, model.coef_.shape
    ((20, 3), (2, 10))
    """

    path = staticmethod(enet_path)

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float | str = 1e-3,
        alphas: Any = "auto",
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: bool | int = 0,
        n_jobs: int | None = None,
        random_state: Any = None,
        selection: str = "cyclic",
        rule: Any = "min",
        scoring: Any = None,
        relax: bool = False,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        max_seconds: float | None = None,
        max_columns: int | None = None,
        max_memory: int | None = None,
        keep_fold_paths: bool = False,
    ) -> None:
        set_parameters(self, locals())

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Choose the strength by folds, and fit all rows at it.

        Parameters
        ----------
        X : sparse matrix or array, array-like, or data frame of numbers, of shape (n, p), float32 or float64
            Not copied where the layout allows, never written to.
        y : array-like of shape (n, n_targets)
        sample_weight : array-like of shape (n,) or number, optional
            Non-negative weights, in the fits and within the held-out errors; the mean over the folds is not weighted.
        **params
            Metadata for the splitter, such as groups, with `sklearn.set_config(enable_metadata_routing=True)`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters out of range, for input that is not finite or of the wrong shape, and for folds without rows.

        Warns
        -----
        ConvergenceWarning
            When strengths are not solved to `tol` within `max_iter` iterations.
        """
        split = self._split_parameters(params)
        ratios, settings = self._check_choice()
        design, targets = self._check_data(X, y)
        weights = check_weights(sample_weight, design.n_rows)
        folds = make_folds(self.cv, X, targets, split)
        penalty = {
            "penalty_factor": check_penalty_factor(self.penalty_factor, design.n_features),
            "fit_intercept": bool(self.fit_intercept),
            "standardize": bool(self.standardize),
            "positive": False,
        }
        options = Options(
            float(self.tol), EPOCHS * int(self.max_iter), rng=generator(self.selection, self.random_state)
        )
        measure, paths = make_targets_measure(self.scoring), []
        for ratio in ratios:
            tight = closer(self.tol, 1.0, ratio) if self.tol < PARAMS["tol"] else None
            task = TargetsTask(
                design, targets, weights, None, LOSSES["squared"], penalty, options, tight, bool(self.relax)
            )
            paths.append(validate(task, folds, measure, ratio, settings))
        self._choose(CrossValidation.of(paths, self.rule))
        self._fit_choice(X, y, sample_weight)
        return self

    def _check_choice(self) -> tuple[list[float], Settings]:
        """The values of l1_ratio, and how to validate."""
        self._check_common()
        for name in ("standardize", "relax", "keep_fold_paths"):
            check_flag(name, getattr(self, name))
        ratios, settings = check_ratios(self.l1_ratio), self._settings()
        for ratio in ratios:
            check_grid(settings.grid, ratio)
        return ratios, settings

    def _fit_choice(self, X: Any, y: Any, sample_weight: Any) -> None:
        """All rows, at the choice."""
        names = ("fit_intercept", "max_iter", "tol", "random_state", "selection", "n_jobs")
        common = {name: getattr(self, name) for name in (*names, "penalty_factor", "standardize")}
        ratio = self.validation_.l1_ratio
        model = MultiTaskElasticNet(alpha=self.alpha_, l1_ratio=ratio, **common).fit(X, y, sample_weight)
        self._coef, self.intercept_ = model._coef, model.intercept_
        self.dual_gap_, self.n_iter_ = model.dual_gap_, model.n_iter_
        if self.relax:
            k, path = self.validation_.k, self.validation_.path
            self._coef = path.coef(k).astype(model._coef.dtype)
            self.intercept_ = np.array(path.intercepts[k]) if self.fit_intercept else 0.0


class MultiTaskLassoCV(MultiTaskElasticNetCV):
    """Multi-task lasso whose strength is chosen by cross-validation; a drop-in for scikit-learn's.

    The objective is that of `MultiTaskLasso`, in each fold over its training rows; X is not copied. After the choice,
    all rows are fitted.

    Parameters
    ----------
    eps, alphas, fit_intercept, max_iter, tol, copy_X, cv, verbose, n_jobs, random_state, selection
        See `MultiTaskElasticNetCV`.
    rule, scoring, relax, standardize, penalty_factor, max_seconds, max_columns, max_memory, keep_fold_paths
        See `MultiTaskElasticNetCV`.

    Attributes
    ----------
    alpha_, alphas_, mse_path_, cv_results_, validation_
        See `MultiTaskElasticNetCV`.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        See `MultiTaskElasticNet`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import MultiTaskLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 10))
    >>> Y = X[:, :2] @ [[1.0, 2.0], [-2.0, 1.0]] + rng.normal(size=(100, 2))
    >>> MultiTaskLassoCV(alphas=20, cv=3).fit(X, Y).alphas_.shape
    (20,)
    """

    path = staticmethod(lasso_path)
    l1_ratio = 1.0

    def __init__(
        self,
        *,
        eps: float | str = 1e-3,
        alphas: Any = "auto",
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: bool | int = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        selection: str = "cyclic",
        rule: Any = "min",
        scoring: Any = None,
        relax: bool = False,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        max_seconds: float | None = None,
        max_columns: int | None = None,
        max_memory: int | None = None,
        keep_fold_paths: bool = False,
    ) -> None:
        set_parameters(self, locals())

    def _set_l1_ratio(self, l1_ratio: float) -> None:
        """It is no choice here."""

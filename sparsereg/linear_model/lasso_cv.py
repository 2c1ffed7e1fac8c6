"""`LassoCV` and `ElasticNetCV`, with scikit-learn's interface: the strength chosen by folds."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import column_or_1d

from sparsereg.data.design import Design
from sparsereg.data.validation import (
    check_choice,
    check_flag,
    check_number,
    check_penalty_factor,
    check_weights,
)
from sparsereg.linear_model.choice_fit import fit_from_path
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.lasso import POLISHED, ElasticNet, ElasticNetBase
from sparsereg.linear_model.path_choice import PathChoice
from sparsereg.linear_model.paths import EPOCHS, PARAMS, closer, enet_path, lasso_path
from sparsereg.losses import LOSSES
from sparsereg.selection.cross_validation import check_ratios, check_relax
from sparsereg.selection.engine import Settings, is_small, validate
from sparsereg.selection.fold_fits import Task
from sparsereg.selection.folds import make_folds
from sparsereg.selection.measures import make_measure
from sparsereg.selection.results import CrossValidation, ValidatedPath
from sparsereg.solvers.loop import Options

__all__ = ["ElasticNetCV", "LassoCV"]


class ElasticNetCV(PathChoice, ElasticNetBase):
    """Elastic net whose strength and l1_ratio are chosen by cross-validation, for wide sparse X.

    A drop-in for scikit-learn's. The objective is that of `ElasticNet`, in each fold over its training rows; X is not
    copied. After the choice, all rows are fitted.

    Parameters
    ----------
    l1_ratio : float in [0, 1], or a list of these, default 0.5
        1 is the lasso. Of a list, the one with the least mean loss at its best strength is chosen.
    eps : float in (0, 1] or "auto", default 1e-3
        The smallest strength over the largest. "auto" as in `alphas`, in the steps of that many points.
    alphas : "auto", int or array, default "auto"
        The strengths, or their number. "auto" begins with 100 points over a factor of 100 and goes on, in the same
        steps, until the mean held-out loss has turned for good; see `eps="auto"` of `cross_validate_path`. On wide
        crosses a fixed end is either too early or mostly wasted. A number gives scikit-learn's fixed grid.
    fit_intercept, positive, standardize, penalty_factor, solver
        As in `ElasticNet`.
    precompute : "auto", bool or array of shape (p, p), default "auto"
        Checked in the last fit, but without effect.
    max_iter, tol : int, float
        As in `ElasticNet`, at each strength. Below the default of `tol`, and at any `tol` where X has at most 50,000
        entries, coefficients are solved more closely, too. On larger X, folds of an automatic path are solved to a gap
        of 1e-3 unless `tol` is below its default.
    cv : int, splitter, iterable or None, default None
        Folds; None is 5 folds of consecutive rows, as in scikit-learn. Shuffle rows that are sorted.
    copy_X : bool, default True
        X is never written to, whatever this says.
    verbose : bool or int, default False
        Print a line a strength, with the time left, to stderr.
    n_jobs : int, optional
        Threads for taking X in and for folds; they share X. On a CSR of ones the order in which folds meet columns may
        change the last digit of a loss.
    random_state, selection
        As in `ElasticNet`, for the last fit.
    rule : {"min", "1se", "1se-rows", "1se-unpaired"}, "within x%", or callable, default "min"
        What chooses the strength; see `cross_validate_path`. (scikit-learn's `selection` is the order of coordinates.)
    scoring : str or callable, optional
        A scorer to be maximised; `mse_path_` then holds its negative. Default: the mean squared error.
    relax : bool, default False
        Fit the chosen columns again without the l1 term, in the folds too: least squares for the lasso, ridge for the
        elastic net.
    max_seconds, max_columns, max_memory
        Budgets of each path; see `cross_validate_path`.
    keep_fold_paths : bool, default False
        Keep the folds' coefficients, sparse: `validation_.chosen.fold_paths`.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The choice.
    alphas_ : array of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        Strengths, decreasing. Where automatic paths differ in length, the shorter ones end in NaN.
    mse_path_ : array of shape (n_alphas, n_folds) or (n_l1_ratio, n_alphas, n_folds)
        Held-out losses, by default mean squared errors.
    cv_results_ : dict of arrays
        A row a strength: `pandas.DataFrame(model.cv_results_)`; columns as in `CrossValidation.results`.
    validation_ : CrossValidation
        All of it, with the path on all rows.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in `ElasticNet`, at the choice. With `relax`, `dual_gap_` is that of the fit before.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import ElasticNetCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> y = X[:, 0] - 2.0 * X[:, 1] + rng.normal(size=200)
    >>> model = ElasticNetCV(l1_ratio=[0.5, 1.0], rule="1se").fit(X, y)
    >>> model.l1_ratio_, model.sparse_coef_.nnz
    (1.0, 4)
    """

    path = staticmethod(enet_path)

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float | str = 1e-3,
        alphas: Any = "auto",
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: bool | int = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        rule: Any = "min",
        scoring: Any = None,
        relax: bool = False,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        solver: str = "auto",
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
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,) or number, optional
            Non-negative weights, in the fits and within the held-out losses; the mean over the folds is not weighted.
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
        ratios, settings = self._check_choice()
        design, target, y = self._check_single(X, y)
        weights = check_weights(sample_weight, design.n_rows)
        check_relax(self.relax, self.positive)
        folds = make_folds(self.cv, X, y, self._split_parameters(params))
        flags = {name: bool(getattr(self, name)) for name in ("fit_intercept", "standardize", "positive")}
        penalty = {"penalty_factor": check_penalty_factor(self.penalty_factor, design.n_features), **flags}
        options = Options(float(self.tol), EPOCHS * int(self.max_iter), self.solver)
        measure, paths, fits = make_measure(self.scoring, LOSSES["squared"]), [], list[ElasticNet | None]()
        if self._goes_on(design):
            settings = settings._replace(finish=lambda solver, path: fits.append(self._fit_at(solver, path)))
        for ratio in ratios:
            tight = self._closer(design, ratio)
            task = Task(design, target, weights, None, LOSSES["squared"], penalty, options, tight, self.relax)
            paths.append(validate(task, folds, measure, ratio, settings))
        self._choose(CrossValidation.of(paths, self.rule))
        self._take((fits[self.validation_.which] if fits else None) or self._fit_choice(X, task))
        return self

    # ---- checks ----------------------------------------------------------------------------------------------------

    def _check_choice(self) -> tuple[list[float], Settings]:
        """The values of l1_ratio, and how to validate."""
        for name in ("fit_intercept", "copy_X", "positive", "standardize", "relax", "keep_fold_paths"):
            check_flag(name, getattr(self, name))
        check_number("tol", self.tol, low=0)
        check_number("max_iter", self.max_iter, low=1, integer=True)
        check_choice("selection", self.selection, ("cyclic", "random"))
        if isinstance(self.precompute, str):
            check_choice("precompute", self.precompute, ("auto",))
        return check_ratios(self.l1_ratio), self._settings()

    def _check_single(self, X: Any, y: Any) -> tuple[Design, Any, Any]:
        """X as a design; y as float64 of shape (n,), and as the caller's numbers."""
        design, target = self._check_data(X, y, check_input=True)
        if target.ndim > 1 and target.shape[1] > 1:
            raise ValueError(f"For multi-task outputs, use MultiTask{type(self).__name__}")
        target = np.ascontiguousarray(column_or_1d(target, warn=True))
        return design, target, target

    def _closer(self, design: Design, l1_ratio: float) -> float | None:
        """The gap to which points are solved beyond `tol`.

        On small X it is that of the last fit: folds then have the same losses to 7 digits in every storage format."""
        if is_small(design):
            return closer(min(self.tol, POLISHED), 1.0, l1_ratio)
        return closer(self.tol, 1.0, l1_ratio) if self.tol < PARAMS["tol"] else None

    # ---- results ---------------------------------------------------------------------------------------------------

    def _model(self, alpha: float, l1_ratio: float) -> ElasticNet:
        """What fits all rows."""
        names = ("fit_intercept", "max_iter", "tol", "positive", "random_state", "selection", "penalty_factor")
        common = {name: getattr(self, name) for name in (*names, "standardize", "solver", "n_jobs")}
        gram = False if isinstance(self.precompute, str) else self.precompute
        return ElasticNet(alpha=alpha, l1_ratio=l1_ratio, precompute=gram, **common)

    def _goes_on(self, design: Design) -> bool:
        """Whether the last fit goes on from its path: not where what it was asked for applies to fits from 0, nor on
        small X, where it has the digits of such a fit."""
        return self.selection == "cyclic" and isinstance(self.precompute, str) and not is_small(design)

    def _fit_at(self, solver: Any, validated: ValidatedPath) -> ElasticNet | None:
        """All rows, at what is chosen of this path, by its solver; None where that does not certify it."""
        if validated.stopped == "interrupted":  # between two states, perhaps
            return None
        k = validated.choose(self.rule)
        model = self._model(float(validated.alphas[k]), validated.l1_ratio)
        return model if fit_from_path(model, solver, validated.path, k) else None

    def _fit_choice(self, X: Any, task: Task) -> ElasticNet:
        """All rows, at the choice, from 0."""
        model = self._model(self.alpha_, self.validation_.l1_ratio)
        model._check_parameters()
        return model._fit_design(task.design, task.y, task.s, X)

    def _take(self, model: ElasticNet) -> None:
        """The fitted attributes."""
        self._coef, self.intercept_ = model._coef, model.intercept_
        self.dual_gap_, self.n_iter_ = model.dual_gap_, model.n_iter_
        if self.relax:
            k, path = self.validation_.k, self.validation_.path
            self._coef = path.coef(k).astype(model._coef.dtype)
            self.intercept_ = float(path.intercepts[k]) if self.fit_intercept else 0.0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output, tags.target_tags.multi_output = True, False
        return tags


class LassoCV(ElasticNetCV):
    """Lasso whose strength is chosen by cross-validation, for wide sparse X; a drop-in for scikit-learn's.

    The objective is that of `Lasso`, in each fold over its training rows; X is not copied. After the choice, all rows
    are fitted.

    Parameters
    ----------
    eps, alphas, fit_intercept, precompute, max_iter, tol, copy_X, cv, verbose, n_jobs, positive, random_state
        See `ElasticNetCV`.
    selection, rule, scoring, relax, standardize, penalty_factor, solver
        See `ElasticNetCV`.
    max_seconds, max_columns, max_memory, keep_fold_paths
        See `ElasticNetCV`.

    Attributes
    ----------
    alpha_, alphas_, mse_path_, cv_results_, validation_
        See `ElasticNetCV`.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        See `ElasticNetCV`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import LassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 20))
    >>> y = X[:, 0] - 2.0 * X[:, 1] + rng.normal(size=200)
    >>> LassoCV(rule="1se").fit(X, y).sparse_coef_.nnz
    4
    """

    path = staticmethod(lasso_path)

    def __init__(
        self,
        *,
        eps: float | str = 1e-3,
        alphas: Any = "auto",
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: bool | int = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        rule: Any = "min",
        scoring: Any = None,
        relax: bool = False,
        standardize: bool = False,
        penalty_factor: ArrayLike | None = None,
        solver: str = "auto",
        max_seconds: float | None = None,
        max_columns: int | None = None,
        max_memory: int | None = None,
        keep_fold_paths: bool = False,
    ) -> None:
        set_parameters(self, locals())
        self.l1_ratio = 1.0

    def _set_l1_ratio(self, l1_ratio: float) -> None:
        """It is 1; scikit-learn's has no such attribute either."""

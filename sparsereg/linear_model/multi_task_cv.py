"""`MultiTaskElasticNetCV` and `MultiTaskLassoCV`, with scikit-learn's interface: the strength chosen by folds."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.model_selection import check_cv
from sklearn.utils import check_scalar
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from sparsereg.data.design import Design
from sparsereg.data.validation import check_alphas, check_flag, check_number, check_weights
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.multi_task import MultiTaskBase, MultiTaskElasticNet
from sparsereg.linear_model.paths import EPOCHS, PARAMS, closer, enet_path, generator, lasso_path
from sparsereg.objective.multi_task import MultiTaskProblem, RowCoefficients, make_multi_task_problem
from sparsereg.selection.folds import make_folds
from sparsereg.solvers.loop import Options
from sparsereg.solvers.multi_task import MultiTaskSolver
from sparsereg.solvers.path import path_solver, solve_point, warn_points

__all__ = ["MultiTaskElasticNetCV", "MultiTaskLassoCV"]

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class MultiTaskRows:
    """All rows: X, targets of shape (n, K), and weights, None for all one."""

    design: Design
    targets: Vector
    s: Vector | None


class MultiTaskElasticNetCV(MultiTaskBase):
    """Multi-task elastic net whose strength and l1_ratio are chosen by cross-validation; a drop-in for scikit-learn's.

    The objective is that of `MultiTaskElasticNet`, in each fold over its training rows; X is not copied. After the
    choice, all rows are fitted.

    Parameters
    ----------
    l1_ratio : float in [0, 1], or a list of these, default 0.5
        1 is the multi-task lasso. Of a list, the one with the least mean squared error at its best strength is chosen.
    eps : float in (0, 1], default 1e-3
        The smallest strength of an automatic grid, over the largest.
    alphas : int or array, default 100
        Number of points, or the strengths.
    fit_intercept, max_iter, tol, random_state, selection
        As in `MultiTaskElasticNet`. Below the default of `tol` coefficients are solved more closely, too.
    cv : int, splitter, iterable or None, default None
        Folds; None is 5 folds of consecutive rows, as in scikit-learn. Shuffle rows that are sorted.
    copy_X : bool, default True
        X is never written to, whatever this says.
    verbose : bool or int, default 0
        As in joblib.
    n_jobs : int, optional
        Threads for folds; they share X, and change no digit.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The choice.
    alphas_ : array of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        Strengths, decreasing.
    mse_path_ : array of shape (n_alphas, n_folds) or (n_l1_ratio, n_alphas, n_folds)
        Mean squared errors of the held-out rows, over all targets.
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        As in `MultiTaskElasticNet`, at the choice.

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
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: bool | int = 0,
        n_jobs: int | None = None,
        random_state: Any = None,
        selection: str = "cyclic",
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
        self._check_common()
        ratios, given = self._check_grid()
        design, targets = self._check_data(X, y)
        rows = MultiTaskRows(design, targets, check_weights(sample_weight, design.n_rows))
        folds = make_folds(self.cv, X, y, split)
        grids = [self._strengths(rows, ratio, given) for ratio in ratios]
        jobs = [
            delayed(self._held_out)(rows, ratio, grid, fold.train, fold.test)
            for ratio, grid in zip(ratios, grids, strict=True)
            for fold in folds
        ]
        found = Parallel(n_jobs=self.n_jobs, verbose=int(self.verbose), prefer="threads")(jobs)
        errors = np.reshape(found, (len(ratios), len(folds), -1))
        self._choose(ratios, grids, errors)
        self._fit_choice(X, y, sample_weight)
        return self

    # ---- checks ----------------------------------------------------------------------------------------------------

    def _check_grid(self) -> tuple[list[float], Any]:
        """The values of l1_ratio, and the strengths or their number."""
        check_flag("fit_intercept", self.fit_intercept)
        ratios = [float(check_number("l1_ratio", r, low=0, high=1)) for r in np.atleast_1d(self.l1_ratio).tolist()]
        if not isinstance(self.alphas, Integral):
            for i, alpha in enumerate(self.alphas):
                check_scalar(alpha, f"alphas[{i}]", Real, min_val=0.0, include_boundaries="left")
        given = check_alphas(self.alphas)
        check_number("eps", self.eps, low=0, high=1, open_low=True)
        if isinstance(given, int) and 0.0 in ratios:
            raise ValueError(
                "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a grid by providing"
                " your estimator with the appropriate `alphas=` argument."
            )
        return ratios, given

    def _split_parameters(self, params: dict[str, Any]) -> dict[str, Any]:
        """What the splitter gets, such as groups."""
        if get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, "fit", **params).splitter.split)
        if params:
            raise ValueError(
                f"{', '.join(params)}: metadata for the splitter is only supported if enable_metadata_routing=True;"
                " call sklearn.set_config(enable_metadata_routing=True) first."
            )
        return {}

    # ---- folds -----------------------------------------------------------------------------------------------------

    def _problem(self, rows: MultiTaskRows, s: Vector | None) -> MultiTaskProblem:
        return make_multi_task_problem(
            rows.design, rows.targets, sample_weight=s, fit_intercept=bool(self.fit_intercept)
        )

    def _options(self) -> Options:
        rng = generator(self.selection, self.random_state)
        return Options(float(self.tol), EPOCHS * int(self.max_iter), rng=rng)

    def _strengths(self, rows: MultiTaskRows, ratio: float, given: Any) -> Vector:
        if not isinstance(given, int):
            return np.asarray(given)
        return path_solver(self._problem(rows, rows.s), ratio, given, self.eps, self._options())[1]

    def _held_out(self, rows: MultiTaskRows, ratio: float, grid: Vector, train: Any, test: Any) -> Vector:
        """The mean squared error of the test rows at each strength. Other rows than those of training weigh nothing, so
        that X is shared."""
        s = np.zeros(rows.design.n_rows)
        s[train] = 1.0 if rows.s is None else rows.s[train]
        if not s.any():
            raise ValueError("A fold has no training rows of positive weight; choose other folds in cv.")
        problem = self._problem(rows, s)
        solver = MultiTaskSolver(problem, ratio, self._options())
        tight = closer(self.tol, 1.0, ratio) if self.tol < PARAMS["tol"] else None
        weights, errors, gaps = None if rows.s is None else rows.s[test], np.empty(grid.size), np.empty(grid.size)
        for i, alpha in enumerate(grid.tolist()):
            point = solve_point(solver, alpha, tight)
            coef = solver.working_set.coefficients()
            squared = (rows.targets[test] - _predictions(problem, coef)[test]) ** 2
            errors[i], gaps[i] = np.average(squared.mean(axis=1), weights=weights), point.dual_gap
        warn_points(gaps, problem.gap_scale, float(self.tol))
        return errors

    # ---- results ---------------------------------------------------------------------------------------------------

    def _choose(self, ratios: list[float], grids: list[Vector], errors: Vector) -> None:
        """The least mean error; the first one of equals. Errors are of shape (n_l1_ratio, n_folds, n_alphas)."""
        mean = errors.mean(axis=1)
        which, k = np.unravel_index(int(np.argmin(mean)), mean.shape)
        self.mse_path_ = np.squeeze(np.moveaxis(errors, 2, 1))
        self.alpha_ = float(grids[which][k])
        self._set_l1_ratio(ratios[which])
        several = isinstance(self.alphas, Integral) and len(grids) > 1
        self.alphas_ = np.array(grids) if several else grids[0]

    def _set_l1_ratio(self, l1_ratio: float) -> None:
        self.l1_ratio_ = l1_ratio

    def _fit_choice(self, X: Any, y: Any, sample_weight: Any) -> None:
        names = ("fit_intercept", "max_iter", "tol", "random_state", "selection", "n_jobs")
        common = {name: getattr(self, name) for name in names}
        ratio = getattr(self, "l1_ratio_", 1.0)
        model = MultiTaskElasticNet(alpha=self.alpha_, l1_ratio=ratio, **common).fit(X, y, sample_weight)
        self._coef, self.intercept_ = model._coef, model.intercept_
        self.dual_gap_, self.n_iter_ = model.dual_gap_, model.n_iter_

    def get_metadata_routing(self) -> MetadataRouter:
        """The routing of metadata to the splitter.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(splitter=check_cv(self.cv), method_mapping=MethodMapping().add(caller="fit", callee="split"))


def _predictions(problem: MultiTaskProblem, coef: RowCoefficients) -> Vector:
    """Of all rows, of shape (n, K)."""
    out = np.empty((problem.n_outputs, problem.design.n_rows))
    for k, b in enumerate(_intercepts_of_shifted(problem, coef)):
        out[k] = b + problem.rows.predictor(coef.output(k))
    return out.T


def _intercepts_of_shifted(problem: MultiTaskProblem, coef: RowCoefficients) -> Vector:
    """For the columns as the problem holds them, of which constants may have been subtracted."""
    shift = problem.tasks[0].shift
    b = problem.intercepts(coef)
    if shift is not None:
        b = b + shift.of(problem.design.columns[coef.cols]) @ coef.w
    return b


class MultiTaskLassoCV(MultiTaskElasticNetCV):
    """Multi-task lasso whose strength is chosen by cross-validation; a drop-in for scikit-learn's.

    The objective is that of `MultiTaskLasso`, in each fold over its training rows; X is not copied. After the choice,
    all rows are fitted.

    Parameters
    ----------
    eps, alphas, fit_intercept, max_iter, tol, copy_X, cv, verbose, n_jobs, random_state, selection
        See `MultiTaskElasticNetCV`.

    Attributes
    ----------
    alpha_, alphas_, mse_path_
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
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: bool | int = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        set_parameters(self, locals())

    def _set_l1_ratio(self, l1_ratio: float) -> None:
        """It is no choice here."""

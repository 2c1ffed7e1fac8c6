"""`MultiTaskLasso` and `MultiTaskElasticNet`, with scikit-learn's interface: parameters, checks, fitted attributes."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import validate_data

from sparsereg.data.design import Design, as_design
from sparsereg.data.real_numbers import refuse_unreal
from sparsereg.data.threads import thread_count
from sparsereg.data.validation import (
    check_choice,
    check_flag,
    check_number,
    check_penalty_factor,
    check_strength,
    check_weights,
)
from sparsereg.linear_model.coefficients import LinearRegressor, as_held, set_parameters
from sparsereg.linear_model.input import FITTED, checked_targets
from sparsereg.linear_model.lasso import POLISHED
from sparsereg.linear_model.multi_task_path import starting_rows
from sparsereg.linear_model.paths import EPOCHS, closer, enet_path, generator
from sparsereg.objective.multi_task import MultiTaskProblem, RowCoefficients, make_multi_task_problem
from sparsereg.objective.problem import count_weights
from sparsereg.solvers.loop import Options
from sparsereg.solvers.multi_task import MultiTaskSolver, solve_apart
from sparsereg.solvers.outputs import Entries

__all__ = ["MultiTaskBase", "MultiTaskElasticNet", "MultiTaskLasso"]

Vector = NDArray[np.float64]


class MultiTaskBase(LinearRegressor):
    """Coefficients of shape (n_targets, p), also of a single target; checks of X and y, and of common parameters."""

    _max_kept = 2**20  # 8 MB
    penalises_rows = True  # a column is kept or left out for all targets

    @property
    def coef_(self) -> Any:
        """Dense coefficients of shape (n_targets, p). Where X is wide use `sparse_coef_`, which is smaller."""
        return np.atleast_2d(super().coef_)

    @coef_.setter
    def coef_(self, value: Any) -> None:
        self._coef = value

    @property
    def sparse_coef_(self) -> Any:
        """Sparse coefficients of shape (n_targets, p): a matrix or array, by scikit-learn's configuration."""
        rows = super().sparse_coef_
        return rows if get_config().get("sparse_interface") == "sparray" else sp.csr_matrix(rows)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict `X @ coef_.T + intercept_`, of shape (n, n_targets), in the type of X and the coefficients."""
        out = self._linear_predictor(X)
        return out if out.ndim == 2 else out[:, None]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output, tags.target_tags.single_output = True, False
        return tags

    def _check_common(self) -> None:
        check_number("max_iter", self.max_iter, low=1, integer=True)
        check_number("tol", self.tol, low=0)
        for name in ("fit_intercept", "copy_X"):
            check_flag(name, getattr(self, name))
        check_choice("selection", self.selection, ("cyclic", "random"))

    def _check_data(self, X: Any, y: Any) -> tuple[Design, Vector]:
        """X as a design and y as float64 of shape (n, n_targets)."""
        if not sp.issparse(X):
            X, y = checked_targets(self, X, y, **FITTED)
        else:
            refuse_unreal("y", y, text=True)
            validate_data(self, X, y, skip_check_array=True)
        design = as_design(X, n_threads=thread_count(self.n_jobs))
        targets = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        check_consistent_length(sp.csr_array((design.n_rows, 1)), targets)
        if targets.ndim == 1:
            raise ValueError(
                f"For mono-task outputs, use {type(self).__name__[len('MultiTask') :]}; y has one dimension."
            )
        if targets.ndim > 2 or 0 in targets.shape:
            raise ValueError(f"y has shape {targets.shape}; expected (n, n_targets).")
        return design, targets


class MultiTaskElasticNet(MultiTaskBase):
    """Linear regression of several targets that share their columns, for wide sparse X; a drop-in for scikit-learn's.

    Minimises, with S the sum of the weights s and `w_j` the row of the K coefficients of column j::

        (1 / 2S) sum_i s_i |y_i - b - W' x_i|_2^2
            + alpha * (l1_ratio * sum_j v_j |w_j|_2 + (1 - l1_ratio) / 2 * sum_j v_j |w_j|_2^2)

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty; 0 is least squares.
    l1_ratio : float in [0, 1], default 0.5
        1 is the multi-task lasso, 0 is ridge.
    fit_intercept : bool, default True
        Unpenalised, eliminated exactly without densifying X.
    copy_X : bool, default True
        X is never written to, whatever this says.
    max_iter : int, default 1000
        Most iterations, each of up to ten epochs over the working set (scikit-learn's go over all columns).
    tol : float, default 1e-4
        Certified once the duality gap is at most `tol` times the mean of `|y_i - mean|_2^2`.
    warm_start : bool, default False
        Start at the current `coef_`.
    random_state : int, RandomState or None, default None
        For `selection="random"`.
    selection : {"cyclic", "random"}, default "cyclic"
        The order in which rows of coefficients are updated.
    penalty_factor : array of shape (p,), optional
        Non-negative factors v on the penalty of each column, 0 for none. Default: 1.
    standardize : bool, default False
        Penalise `w_j` times the column's (weighted) standard deviation; coefficients are on the scale of X.
    n_jobs : int, optional
        Threads for checking X and for passes over all of it, by scikit-learn's convention.

    Attributes
    ----------
    coef_ : array of shape (n_targets, p), in the type of X
        Computed from `sparse_coef_` on access. Up to a million numbers it is kept, and may be edited in place.
    sparse_coef_ : sparse matrix of shape (n_targets, p)
    intercept_ : array of shape (n_targets,), in double
    dual_gap_ : float
        Upper bound on the distance of the objective from its minimum, computed in double by full passes, at `coef_` and
        `intercept_` as they are handed out.
    eps_ : float
        The tolerance, scaled as scikit-learn's: `tol` times the sum of squares of the (centred) targets.
    n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : array of str of shape (p,), where X has string column names

    Examples
    --------
    >>> from sparsereg import MultiTaskElasticNet
    >>> model = MultiTaskElasticNet(alpha=0.1).fit([[0, 0], [1, 0], [0, 1], [1, 1]], [[0, 1], [1, 2], [0, 1], [1, 2]])
    >>> model.coef_.round(3)
    array([[0.715, 0.   ],
           [0.715, 0.   ]])
    """

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        penalty_factor: ArrayLike | None = None,
        standardize: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit all targets together.

        Parameters
        ----------
        X : sparse matrix or array, array-like, or data frame of numbers, of shape (n, p), float32 or float64
            Not copied where the layout allows (CSR, CSC, Fortran order), never written to. Indices may be int64.
        y : array-like of shape (n, n_targets)
        sample_weight : array-like of shape (n,) or number, optional
            Non-negative; their scale has no effect, so a number changes nothing.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters out of range and for input that is not finite, of the wrong shape, or too large to square.

        Warns
        -----
        ConvergenceWarning
            When the duality gap is not as small as `tol` asks after `max_iter` iterations.
        """
        self._check_parameters()
        design, targets = self._check_data(X, y)
        start = self._initial_coefficients(design, targets.shape[1])
        counted, s, targets = count_weights(design, check_weights(sample_weight, design.n_rows), targets)
        problem = make_multi_task_problem(
            counted,
            targets,
            sample_weight=s,
            penalty_factor=check_penalty_factor(self.penalty_factor, design.n_features),
            fit_intercept=bool(self.fit_intercept),
            standardize=bool(self.standardize),
        )
        held, epochs = self._solve(problem, starting_rows(problem.design, start))
        self._set_fitted(problem, held, epochs)
        return self

    def _check_parameters(self) -> None:
        check_strength("alpha", self.alpha)
        check_number("l1_ratio", self.l1_ratio, low=0, high=1)
        self._check_common()
        for name in ("warm_start", "standardize"):
            check_flag(name, getattr(self, name))

    def _initial_coefficients(self, design: Design, n_targets: int) -> sp.csr_array:
        """Zeros, or with `warm_start` the current coefficients, of shape (n_targets, p)."""
        if not self.warm_start or not hasattr(self, "_coef"):
            return sp.csr_array((n_targets, design.n_features))
        held = self._held()
        rows = sp.csr_array(held if sp.issparse(held) else np.atleast_2d(np.asarray(held, dtype=np.float64)))
        if rows.shape != (n_targets, design.n_features):
            raise ValueError(
                f"coef_ has shape {rows.shape} and cannot start a fit (warm_start) with {n_targets} target(s) and"
                f" {design.n_features} columns; set warm_start=False."
            )
        return rows.astype(np.float64)

    def _solve(self, problem: MultiTaskProblem, start: RowCoefficients) -> tuple[RowCoefficients, int]:
        """The coefficients in the type of X, and the epochs."""
        alpha, l1_ratio = float(self.alpha), float(self.l1_ratio)
        dtype, target = problem.design.dtype, self.tol * problem.gap_scale
        if start.cols.size and problem.duality_gap(start, alpha, l1_ratio) <= target:
            return RowCoefficients(start.cols, as_held(start.w, dtype)), 0
        rng = generator(self.selection, self.random_state)
        options = Options(float(self.tol), EPOCHS * int(self.max_iter), rng=rng)
        tol = closer(min(self.tol, POLISHED), alpha, l1_ratio)
        if alpha * l1_ratio == 0.0:
            held, epochs = solve_apart(problem, alpha, l1_ratio, options, tol)
        else:
            solver = MultiTaskSolver(problem, l1_ratio, options)
            solver.start_from(start)
            epochs = solver.solve_closely(alpha, tol).epochs
            held = solver.working_set.coefficients()
        return RowCoefficients(held.cols, as_held(held.w, dtype)), epochs

    def _set_fitted(self, problem: MultiTaskProblem, held: RowCoefficients, epochs: int) -> None:
        """Set the fitted attributes; warn where the gap misses the tolerance."""
        design = problem.design
        gap, target = problem.duality_gap(held, self.alpha, self.l1_ratio), self.tol * problem.gap_scale
        # A difference of objectives cannot be smaller than their rounding.
        gap = max(gap, np.finfo(np.float64).eps * problem.objective(held, self.alpha, self.l1_ratio))
        if not gap <= target:
            rounded = " Coefficients are rounded to the single precision of X: pass X in double."
            warnings.warn(
                "Objective did not converge. You might want to increase the number of iterations, check the scale of"
                f" the features or consider increasing regularisation. Duality gap: {gap:.6e}, tolerance: {target:.3e}."
                f"{rounded if design.dtype == np.float32 else ''}",
                ConvergenceWarning,
                stacklevel=3,
            )
        table = Entries.of(held, design.columns).tocsr(problem.n_outputs, design.n_features)
        self._coef = table.astype(design.dtype)
        self.intercept_ = problem.intercepts(held) if self.fit_intercept else 0.0
        self.dual_gap_, self.eps_ = gap, float(self.tol * problem.null_deviance)
        self.n_iter_ = -(-epochs // EPOCHS)


class MultiTaskLasso(MultiTaskElasticNet):
    """Linear regression of several targets with an l1 penalty on the norms of rows; a drop-in for scikit-learn's.

    Minimises, with S the sum of the weights s and `w_j` the row of the K coefficients of column j::

        (1 / 2S) sum_i s_i |y_i - b - W' x_i|_2^2 + alpha * sum_j v_j |w_j|_2

    Parameters
    ----------
    alpha, fit_intercept, copy_X, max_iter, tol, warm_start, random_state, selection
        See `MultiTaskElasticNet`.
    penalty_factor, standardize, n_jobs
        See `MultiTaskElasticNet`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, eps_, n_iter_, n_features_in_, feature_names_in_
        See `MultiTaskElasticNet`.

    Examples
    --------
    >>> from sparsereg import MultiTaskLasso
    >>> model = MultiTaskLasso(alpha=0.1).fit([[0, 0], [1, 0], [2, 1]], [[0, 0], [1, 1], [2, 2]])
    >>> model.sparse_coef_.nnz, model.intercept_.shape
    (2, (2,))
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        penalty_factor: ArrayLike | None = None,
        standardize: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())
        self.l1_ratio = 1.0

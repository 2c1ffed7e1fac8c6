"""`Lasso` and `ElasticNet`, with scikit-learn's interface: parameters, checks and fitted attributes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length, metadata_routing
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
from sparsereg.linear_model.coefficients import LinearRegressor, as_held, nonzero, refuse_infinite, set_parameters
from sparsereg.linear_model.gram_check import check_gram
from sparsereg.linear_model.input import FITTED, checked_targets
from sparsereg.linear_model.paths import EPOCHS, closer, enet_path, generator, starting_point
from sparsereg.objective.dual_point import duality_gap_at
from sparsereg.objective.problem import Coefficients, Problem, count_weights, make_problem
from sparsereg.solvers.by_stronger import LEAST_EPOCHS, solve_by_stronger
from sparsereg.solvers.loop import SOLVERS, Options, Solution
from sparsereg.solvers.path_solver import PathSolver
from sparsereg.solvers.single_fit import SingleFit

__all__ = ["ElasticNet", "ElasticNetBase", "Lasso"]

Vector = NDArray[np.float64]

# Iterations continue beyond `tol` to at least this relative gap. Otherwise equivalent inputs (weights and repeated
# rows, two storage formats) would give visibly different coefficients.
POLISHED = 1e-8


class TargetFit(NamedTuple):
    """One target's solution on the observed columns, rounded to the type of X."""

    at: Coefficients
    intercept: float
    dual_gap: float
    n_iter: int
    converged: bool


class ElasticNetBase(LinearRegressor):
    """What `ElasticNet` and `ElasticNetCV` share: the input, and the form of the coefficients."""

    _max_kept = 2**20  # 8 MB

    @property
    def sparse_coef_(self) -> Any:
        """Sparse coefficients of shape (1, p) or (n_targets, p): a matrix or array, by scikit-learn's configuration."""
        rows = super().sparse_coef_
        return rows if get_config().get("sparse_interface") == "sparray" else sp.csr_matrix(rows)

    def _check_data(self, X: Any, y: Any, check_input: bool) -> tuple[Design, Vector]:
        """X as a design and y as float64, either of shape (n,) or (n, n_targets)."""
        if check_input and not sp.issparse(X):
            X, y = checked_targets(self, X, y, **FITTED)
        else:
            refuse_unreal("y", y, text=True)
            validate_data(self, X, y, skip_check_array=True)
        design = as_design(X, n_threads=thread_count(self.n_jobs))
        targets = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        check_consistent_length(sp.csr_array((design.n_rows, 1)), targets)
        if targets.ndim > 2 or 0 in targets.shape:
            raise ValueError(f"y has shape {targets.shape}; expected (n,) or (n, n_targets).")
        return design, targets


class ElasticNet(ElasticNetBase):
    """Linear regression with combined l1 and l2 penalties, for wide sparse X; a drop-in for scikit-learn's.

    Minimises, with S the sum of the weights s::

        (1 / 2S) sum_i s_i (y_i - b0 - x_i . w)^2
            + alpha * (l1_ratio * sum_j v_j |w_j| + (1 - l1_ratio) / 2 * sum_j v_j w_j^2)

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty; 0 is least squares.
    l1_ratio : float in [0, 1], default 0.5
        1 is the lasso, 0 is ridge.
    fit_intercept : bool, default True
        Unpenalised, eliminated exactly without densifying X.
    precompute : bool or array of shape (p, p), default False
        Checked, but without effect: the solver computes a sparse Gram matrix of the columns it needs. An array must be
        the Gram matrix of X, weighted by the sample weights scaled to sum to n.
    max_iter : int, default 1000
        Most iterations, each of up to ten epochs over the working set (scikit-learn's go over all columns).
    copy_X : bool, default True
        X is never written to, whatever this says.
    tol : float, default 1e-4
        Certified once the duality gap is at most `tol` times the mean square of the (centred) target.
    warm_start : bool, default False
        Start at the current `coef_`.
    positive : bool, default False
        Only non-negative coefficients.
    random_state : int, RandomState or None, default None
        For `selection="random"`.
    selection : {"cyclic", "random"}, default "cyclic"
        The order in which coordinates are updated.
    penalty_factor : array of shape (p,), optional
        Non-negative factors v on the penalty of each column, 0 for none. Default: 1.
    standardize : bool, default False
        Penalise `w_j` times the column's (weighted) standard deviation, around its mean also without an intercept;
        coefficients are on the scale of X. A column of one value has none, and is then not penalised.
    solver : {"auto", "cd", "prox_gradient"}, default "auto"
        Coordinate descent or accelerated proximal gradient, to the same tolerance. "auto" is "cd".
    n_jobs : int, optional
        Threads for checking X and for passes over all of it, by scikit-learn's convention: None is 1 (or the setting of
        `joblib.parallel_config`), -1 every core. The result does not depend on it, to the last digit.

    Attributes
    ----------
    coef_ : array of shape (p,) or (n_targets, p), in the type of X
        Computed from `sparse_coef_` on access. Up to a million numbers it is kept, and may be edited in place.
    sparse_coef_ : sparse matrix of shape (1, p) or (n_targets, p)
    intercept_ : float or array of shape (n_targets,), in double
    dual_gap_ : float or array of shape (n_targets,)
        Upper bound on the distance of the objective from its minimum, computed in double by a full pass, at `coef_` and
        `intercept_` as they are handed out. Above `tol`, there was a warning.
    n_iter_ : int or list of int
        Iterations, of up to ten epochs each.
    n_features_in_ : int
    feature_names_in_ : array of str of shape (p,), where X has string column names

    Examples
    --------
    >>> from sparsereg import ElasticNet
    >>> model = ElasticNet(alpha=0.1).fit([[0, 0], [1, 0], [0, 1], [1, 1]], [0, 1, 0, 1.5])
    >>> model.coef_.round(3)
    array([0.875, 0.042])
    """

    __metadata_request__fit: ClassVar = {"check_input": metadata_routing.UNUSED}

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: bool | ArrayLike = False,
        max_iter: int = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        penalty_factor: ArrayLike | None = None,
        standardize: bool = False,
        solver: str = "auto",
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, check_input: bool = True) -> Self:
        """Fit the model, one target at a time.

        Parameters
        ----------
        X : sparse matrix or array, array-like, or data frame of numbers, of shape (n, p), float32 or float64
            Not copied where the layout allows (CSR, CSC, Fortran order), never written to. Indices may be int64.
        y : array-like of shape (n,) or (n, n_targets)
        sample_weight : array-like of shape (n,) or number, optional
            Non-negative; their scale has no effect, so a number changes nothing.
        check_input : bool, default True
            False skips the conversion of X by scikit-learn (data frames, lists). Values are always checked.

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
        if self.alpha == 0:
            warnings.warn(
                "With alpha=0, this algorithm does not converge well. You are advised to use the LinearRegression"
                " estimator",
                stacklevel=2,
            )
        design, targets = self._check_data(X, y, check_input)
        return self._fit_design(design, targets, check_weights(sample_weight, design.n_rows), X)

    def _fit_design(self, design: Design, targets: Vector, weights: Vector | None, X: Any) -> Self:
        """Fit checked data; X as it was passed, for the check of a Gram matrix."""
        design, weights, targets = count_weights(design, weights, targets)
        factor = check_penalty_factor(self.penalty_factor, design.n_features)
        rng = generator(self.selection, self.random_state)
        fits: list[TargetFit] = []
        held = self._initial_coefficients(design, targets)
        for k, target in enumerate(np.ascontiguousarray(np.atleast_2d(targets.T))):
            problem = make_problem(
                design,
                target,
                sample_weight=weights,
                penalty_factor=factor,
                fit_intercept=bool(self.fit_intercept),
                standardize=bool(self.standardize),
                positive=bool(self.positive),
            )
            if not fits:
                check_gram(self.precompute, X, weights, centered=bool(self.fit_intercept))
            start = starting_point(problem.design, *nonzero(held[[k]]), bool(self.positive))
            fits.append(self._solve(problem, start, rng))
        self._set_fitted(fits, problem.design, flat=targets.ndim == 1)
        return self

    # ---- checks ----------------------------------------------------------------------------------------------------

    def _check_parameters(self) -> None:
        check_strength("alpha", self.alpha)
        check_number("l1_ratio", self.l1_ratio, low=0, high=1)
        check_number("max_iter", self.max_iter, low=1, integer=True)
        check_number("tol", self.tol, low=0)
        for name in ("fit_intercept", "copy_X", "warm_start", "positive", "standardize"):
            check_flag(name, getattr(self, name))
        check_choice("selection", self.selection, ("cyclic", "random"))
        check_choice("solver", self.solver, SOLVERS)
        if isinstance(self.precompute, str) or self.precompute is None:
            raise ValueError(f"precompute={self.precompute!r}: expected True, False, or the Gram matrix of X.")

    def _initial_coefficients(self, design: Design, targets: Vector) -> sp.csr_array:
        """Initial coefficients, a row for each target: zeros, or with `warm_start` the current ones."""
        n_targets = 1 if targets.ndim == 1 else targets.shape[1]
        if not self.warm_start or not hasattr(self, "_coef"):
            return sp.csr_array((n_targets, design.n_features))
        held = self._held()
        rows = sp.csr_array(held if sp.issparse(held) else np.atleast_2d(np.asarray(held, dtype=np.float64)))
        if rows.shape != (n_targets, design.n_features):
            raise ValueError(
                f"coef_ has shape {rows.shape} and cannot start a fit (warm_start) with {n_targets} target(s) and"
                f" {design.n_features} columns; set warm_start=False."
            )
        return rows

    # ---- solving ---------------------------------------------------------------------------------------------------

    def _solve(self, problem: Problem, start: Coefficients, rng: np.random.Generator | None) -> TargetFit:
        target = self.tol * problem.gap_scale
        if start.w.size and problem.duality_gap(start, self.alpha, self.l1_ratio) <= target:
            return self._conclude(problem, start, 0)
        alpha, l1_ratio, limit = float(self.alpha), float(self.l1_ratio), EPOCHS * int(self.max_iter)
        # A fit from 0 that crawls leaves half of its epochs to come by way of stronger penalties.
        halves = limit >= LEAST_EPOCHS and not start.w.size and alpha * l1_ratio > 0.0
        options = Options(float(self.tol), limit // 2 if halves else limit, self.solver, rng)
        tol = closer(min(self.tol, POLISHED), self.alpha, self.l1_ratio)
        coef, gap, epochs = self._solve_from(problem, start, options, tol)
        if halves and gap > target:
            rest = replace(options, max_iter=limit - epochs)
            if (found := solve_by_stronger(problem.quadratic, l1_ratio, rest, alpha, tol)) is not None:
                epochs += found.epochs
                gap, coef = min((gap, coef), (self._gap_as_held(problem, found), found.coef), key=lambda one: one[0])
        return self._conclude(problem, coef, -(-epochs // EPOCHS), gap)

    def _solve_from(
        self, problem: Problem, start: Coefficients, options: Options, tol: float
    ) -> tuple[Coefficients, float, int]:
        """Coefficients from a start, their gap as X's type holds them, and the epochs."""
        alpha, l1_ratio = float(self.alpha), float(self.l1_ratio)
        if not start.w.size and self.solver != "prox_gradient" and SingleFit.suits(problem, alpha, l1_ratio):
            row_wise = SingleFit(problem, alpha, l1_ratio, options)
            fitted = row_wise.solve(tol)
            if fitted is not None:
                return fitted.coef, row_wise.gap_as_held(fitted), fitted.epochs
        solver = PathSolver(problem.quadratic, l1_ratio, options)
        if start.w.size:
            solver.start_from(start)
        found = solver.solve_closely(alpha, tol)
        return found.coef, self._gap_as_held(problem, found), found.epochs

    def _gap_as_held(self, problem: Problem, found: Solution) -> float:
        """The gap at the coefficients of a solution as X's type holds them, by full passes."""
        held, alpha, l1_ratio = held_coefficients(problem, found.coef), float(self.alpha), float(self.l1_ratio)
        if found.dual is None:
            return problem.duality_gap(held, alpha, l1_ratio)
        return duality_gap_at(problem, held, found.dual, alpha, l1_ratio)

    def _conclude(self, problem: Problem, at: Coefficients, epochs: int, gap: float | None = None) -> TargetFit:
        """The solution in the type of X, with the duality gap (`gap`, if it is known) at these rounded coefficients."""
        target, kept = self.tol * problem.gap_scale, held_coefficients(problem, at)
        gap = problem.duality_gap(kept, self.alpha, self.l1_ratio) if gap is None else gap
        intercept = problem.intercept(kept)
        refuse_infinite(intercept)
        converged = gap <= target
        if not converged:
            rounded = " Coefficients are rounded to the single precision of X: pass X in double."
            warnings.warn(
                "Objective did not converge. You might want to increase the number of iterations, check the scale of"
                f" the features or consider increasing regularisation. Duality gap: {gap:.6e}, tolerance: {target:.3e}."
                f"{rounded if problem.design.dtype == np.float32 else ''}",
                ConvergenceWarning,
                stacklevel=4,
            )
        return TargetFit(kept, intercept, gap, epochs, converged)

    # ---- results ---------------------------------------------------------------------------------------------------

    def _set_fitted(self, fits: list[TargetFit], design: Design, flat: bool) -> None:
        """Set the fitted attributes; nothing is set before all targets are solved."""
        indptr = np.concatenate([[0], np.cumsum([one.at.w.size for one in fits])])
        parts = []
        for one in fits:
            columns = design.columns[one.at.cols]
            order = np.argsort(columns)
            parts.append((columns[order], one.at.w[order]))
        indices, data = (np.concatenate(part) for part in zip(*parts, strict=True))
        self._coef = sp.csr_array((data.astype(design.dtype), indices, indptr), shape=(len(fits), design.n_features))
        intercepts = np.array([one.intercept for one in fits])
        self.intercept_ = 0.0 if not self.fit_intercept else intercepts[0] if flat else intercepts
        single = len(fits) == 1
        self.dual_gap_ = fits[0].dual_gap if single else np.array([one.dual_gap for one in fits])
        self.n_iter_ = fits[0].n_iter if single else [one.n_iter for one in fits]


def held_coefficients(problem: Problem, coef: Coefficients) -> Coefficients:
    """The coefficients in the precision of X."""
    return Coefficients(coef.cols, as_held(coef.w, problem.design.dtype))


class Lasso(ElasticNet):
    """Linear regression with an l1 penalty, for wide sparse X; a drop-in for scikit-learn's.

    Minimises, with S the sum of the weights s::

        (1 / 2S) sum_i s_i (y_i - b0 - x_i . w)^2 + alpha * sum_j v_j |w_j|

    Parameters
    ----------
    alpha, fit_intercept, precompute, copy_X, max_iter, tol, warm_start, positive, random_state, selection
        See `ElasticNet`.
    penalty_factor, standardize, solver, n_jobs
        See `ElasticNet`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_features_in_, feature_names_in_
        See `ElasticNet`.

    Examples
    --------
    >>> from sparsereg import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0, 0], [1, 0], [2, 1]], [0, 1, 2])
    >>> model.coef_.round(3), model.sparse_coef_.nnz, round(float(model.intercept_), 3)
    (array([0.85, 0.  ]), 1, 0.15)
    """

    path = staticmethod(enet_path)

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: bool | ArrayLike = False,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        penalty_factor: ArrayLike | None = None,
        standardize: bool = False,
        solver: str = "auto",
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())
        self.l1_ratio = 1.0

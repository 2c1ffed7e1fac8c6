"""Ridge in scikit-learn's clothes: parameters, validation, fitted attributes. Knows no kernels."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from sparsereg.design import Design, as_design, product
from sparsereg.ridge.solve import Plan, choose_method, solve_ridge
from sparsereg.ridge.system import NormalEquations, Solution
from sparsereg.validation import check_choice, check_number, check_penalty_factor, check_vector, check_weights

__all__ = ["Ridge"]

Vector = NDArray[np.float64]

# scikit-learn's names, and the method that each one means here. None: the caller has counted and left it to us.
SOLVERS: dict[str, str | None] = {
    "auto": None,
    "gram": "gram",
    "dual": "dual",
    "svd": "svd",
    "cg": "cg",
    "cholesky": None,
    "lsqr": "cg",
    "sparse_cg": "cg",
    "sag": "cg",
    "saga": "cg",
    "lbfgs": "bounded",
}
# The relative gradient is brought to this share of tol: coefficients are then about as close as tol says.
GRADIENT_SHARE = 1e-2
# No relative gradient below this can be told from rounding.
FLOOR = 10 * float(np.finfo(np.float64).eps)
MAX_ITER = 10_000
# Coefficients are held on the observed columns alone where the nominal width is more than this many times larger.
WIDE = 4


class HeldCoefficients:
    """Coefficients of T targets on some of p columns; `coef_` in full is kept, or made when somebody asks where p is huge.

    A user may set `coef_` by hand: that one counts then."""

    n_features_in_: int
    _coef: NDArray[Any]
    _columns: NDArray[np.int64] | None

    def _hold(self, design: Design, values: NDArray[Any], one_target: bool) -> None:
        """`values` of shape (T, n_cols), on the observed columns."""
        if design.n_features <= WIDE * design.columns.size:
            full = np.zeros((values.shape[0], design.n_features), dtype=values.dtype)
            full[:, design.columns] = values
            self._columns, self._coef = None, full
        else:
            order = np.argsort(design.columns)
            self._columns, self._coef = design.columns[order], np.ascontiguousarray(values[:, order])
        if one_target:
            self._coef = self._coef[0]

    @property
    def coef_(self) -> NDArray[Any]:
        """Coefficients, of shape (p,) or (T, p)."""
        if not hasattr(self, "_coef"):
            raise AttributeError(f"this {type(self).__name__} has no coef_ yet: call fit first.")
        if self._columns is None:
            return self._coef
        out = np.zeros((*self._coef.shape[:-1], self.n_features_in_), dtype=self._coef.dtype)
        out[..., self._columns] = self._coef
        return out

    @coef_.setter
    def coef_(self, value: Any) -> None:
        self._columns, self._coef = None, value

    @property
    def sparse_coef_(self) -> sp.csr_array:
        """Coefficients as a CSR array of shape (1, p) or (T, p)."""
        if not hasattr(self, "_coef") or self._columns is None:
            return sp.csr_array(np.atleast_2d(self.coef_))
        values = np.atleast_2d(self._coef)
        T, m = values.shape
        parts = (values.ravel(), np.tile(self._columns, T), np.arange(T + 1) * m)
        return sp.csr_array(parts, shape=(T, self.n_features_in_))

    def _decide(self, X: Any) -> NDArray[Any]:
        """`X coef'`."""
        if self._columns is not None:
            return product(X, self._columns, self._coef.T)
        return np.asarray(X @ np.asarray(self._coef).T)


class Ridge(HeldCoefficients, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Ridge regression, from a handful of columns to millions of sparse ones.

    Minimises, for each target, scikit-learn's objective with penalty factors v beside it::

        sum_i s_i (y_i - b0 - x_i . w)^2 + alpha sum_j v_j w_j^2

    Parameters
    ----------
    alpha : float or array of shape (n_targets,), default 1.0
        Strength on the *unnormalised* sum of squares, as in scikit-learn; one for all targets, or one each. 0 is least squares,
        with the least norm where several solutions fit equally well.
    fit_intercept : bool, default True
        Unpenalised, eliminated exactly; a sparse X is never densified or centred.
    copy_X : bool, default True
        Taken for compatibility: X is never written to.
    max_iter : int, optional
        Most iterations of the iterative methods, 10,000 by default.
    tol : float, default 1e-4
        Iterative methods stop when the relative gradient `|g| / |Xc' S yc|` is at most `tol / 100`, which leaves the coefficients
        about as accurate as `tol` says. The direct methods are exact whatever it is.
    solver : str, default "auto"
        What the fit is to be computed by:

        - "gram": the Gram matrix of the columns and its Cholesky factor, exact;
        - "dual": the same on the rows, exact, for few rows;
        - "svd": singular values of X, exact, for small data at next to no penalty;
        - "cg": preconditioned conjugate gradients on the normal equations, for everything large. Columns that are one-hot fields
          and crosses of them are recognised. Memory beside X by columns and, of a CSC, by rows: some ten vectors of length n
          and n_cols each, 4 bytes for each entry of a row in a field that no other refines (at first, for each entry), and
          a dense factor of at most 2,000 columns;
        - "auto": one of these by counting rows, observed columns and the penalty; with `positive=True` coordinate descent.

        scikit-learn's names are understood: "cholesky" is "gram" or "dual", whichever is smaller; "lsqr", "sparse_cg", "sag" and
        "saga" are "cg"; "lbfgs" wants `positive=True` and is coordinate descent.
    positive : bool, default False
        Only non-negative coefficients; with solver "auto" or "lbfgs".
    random_state : optional
        Taken for compatibility: nothing here is random.
    penalty_factor : array of shape (p,), optional
        Non-negative factors v on the penalty of each column, 0 for none. Default: 1.

    Attributes
    ----------
    coef_ : array of shape (p,) or (n_targets, p), in the type of X
        Where p is far more than the observed columns it is made at every access: `sparse_coef_` is held.
    sparse_coef_ : scipy.sparse.csr_array of shape (n_targets, p)
    intercept_ : float, or array of shape (n_targets,)
    n_iter_ : int64 array of shape (n_targets,)
        Iterations; for the direct methods Newton steps, the first one being what the factorisation gives.
    solver_ : str
        The solver asked for, or the method that "auto" chose.
    method_ : {"gram", "dual", "svd", "cg", "bounded"}
        What it was computed by, "bounded" being coordinate descent on non-negative coefficients.
    gradient_norm_ : float, or array of shape (n_targets,)
        The relative gradient that was reached, worked out from X in double precision.
    dual_gap_ : float, or array of shape (n_targets,)
        Upper bound on the objective's distance from its minimum, in the objective's own units. Infinite after "cg" with
        unpenalised columns, where no bound comes for free.
    n_features_in_ : int
    feature_names_in_ : array of str, only where X has them

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import Ridge
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> model = Ridge(alpha=1.0).fit(X, [1.0, 3.0, 2.0, 0.0])
    >>> model.coef_.round(3)
    array([0.5, 1. ])
    >>> model.solver_
    'gram'
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        penalty_factor: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.penalty_factor = penalty_factor

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Fit.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        y : array of shape (n,) or (n, n_targets)
        sample_weight : float or array of shape (n,), optional
            Non-negative. Their scale matters: the squares are summed, not averaged.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For a parameter out of range, or input that is not finite or of the wrong shape; the message names it.

        Warns
        -----
        ConvergenceWarning
            When an iterative method was stopped short of its tolerance; the message gives the gradient it reached.
        """
        solver = self._check_parameters()
        X, y = validate_data(
            self, X, y, accept_sparse=("csr", "csc"), dtype=(np.float64, np.float32), multi_output=True, y_numeric=True
        )
        Y = np.ascontiguousarray(y.reshape(y.shape[0], -1), dtype=np.float64)
        alphas = self._check_alpha(Y.shape[1])
        equations = self._equations(as_design(X), sample_weight)
        plan = Plan(
            self._method(solver, equations, alphas), max(GRADIENT_SHARE * self.tol, FLOOR), self.max_iter or MAX_ITER
        )
        found = solve_ridge(X, equations, np.asfortranarray(Y), alphas, plan)
        self.method_ = plan.method
        self.solver_ = plan.method if self.solver == "auto" else self.solver
        self._keep(equations, found, y, plan)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)

        Returns
        -------
        array of shape (n,) or (n, n_targets), in the type of X and the coefficients
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc", "coo"), dtype=(np.float64, np.float32), reset=False)
        out = self._decide(X)
        return np.asarray(out + np.asarray(self.intercept_, dtype=out.dtype))

    def _check_parameters(self) -> str:
        check_number("tol", self.tol, low=0)
        if self.max_iter is not None:
            check_number("max_iter", self.max_iter, low=1, integer=True)
        solver = check_choice("solver", self.solver, tuple(SOLVERS))
        if self.positive and solver not in ("auto", "lbfgs"):
            raise ValueError(
                f"solver={solver!r} does not support positive fitting; set solver='auto' or positive=False."
            )
        if solver == "lbfgs" and not self.positive:
            raise ValueError(
                "solver='lbfgs': this solver can be used only when positive=True; set solver='auto' otherwise."
            )
        return solver

    def _check_alpha(self, n_targets: int) -> Vector:
        if isinstance(self.alpha, Real):
            check_number("alpha", self.alpha, low=0, high=float(np.finfo(np.float64).max))
            return np.full(n_targets, float(self.alpha))
        alphas = check_vector("alpha", np.ravel(self.alpha), np.size(self.alpha), "targets")
        if alphas.size not in (1, n_targets):
            raise ValueError(
                f"Number of targets and number of penalties do not correspond: {alphas.size} != {n_targets}"
            )
        if (alphas < 0).any():
            raise ValueError(f"alpha={self.alpha!r}: expected non-negative numbers.")
        return np.broadcast_to(alphas, n_targets).copy()

    def _equations(self, design: Design, sample_weight: Any) -> NormalEquations:
        if isinstance(sample_weight, Real):
            sample_weight = np.full(design.n_rows, float(sample_weight))
        if sample_weight is not None and (shape := np.asarray(sample_weight).shape)[1:]:
            raise ValueError(f"Sample weights must be 1D array or scalar; sample_weight has shape {shape}.")
        factor = check_penalty_factor(self.penalty_factor, design.n_features)
        factor = np.ones(design.n_cols) if factor is None else factor[design.columns]
        return NormalEquations(design, check_weights(sample_weight, design.n_rows), bool(self.fit_intercept), factor)

    def _method(self, solver: str, equations: NormalEquations, alphas: Vector) -> str:
        if self.positive:
            return "bounded"
        if solver == "cholesky":
            wide = equations.design.n_rows < equations.design.n_cols and equations.factor.min() > 0.0
            return "dual" if wide else "gram"
        return SOLVERS[solver] or choose_method(equations, alphas)

    def _keep(self, equations: NormalEquations, found: list[Solution], y: NDArray[Any], plan: Plan) -> None:
        """The fitted attributes."""
        dtype, W = equations.design.dtype, np.stack([solution.w for solution in found])
        Y = y.reshape(y.shape[0], -1)
        intercepts = np.array([equations.mean(np.asarray(y_t, dtype=np.float64)) for y_t in Y.T]) - W @ equations.means
        self._hold(equations.design, W.astype(dtype), Y.shape[1] == 1)
        self.intercept_ = intercepts.astype(dtype)[0] if y.ndim == 1 else intercepts.astype(dtype)
        self.gradient_norm_ = _one_or_all([solution.gradient_norm for solution in found])
        self.dual_gap_ = _one_or_all([solution.dual_gap for solution in found])
        self.n_iter_ = np.array([solution.n_iter for solution in found])
        self._warn_unconverged(found, plan)

    def _warn_unconverged(self, found: list[Solution], plan: Plan) -> None:
        worst = max(solution.gradient_norm for solution in found)
        if not plan.iterative or worst <= plan.tol:
            return
        most = max(solution.n_iter for solution in found)
        cause = "increase max_iter" if most >= plan.max_iter else "what is left is rounding: increase alpha, or tol"
        warnings.warn(
            f"The {self.solver_} solver did not converge after {most} iterations: it reached a relative gradient of {worst:.3g},"
            f" asked for {plan.tol:.3g}; {cause}.",
            ConvergenceWarning,
            stacklevel=4,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _one_or_all(values: list[float]) -> Any:
    return values[0] if len(values) == 1 else np.array(values)

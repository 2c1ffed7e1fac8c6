"""`Ridge`, with scikit-learn's interface: parameters, checks and fitted attributes."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sparsereg.data.design import Design, as_design
from sparsereg.data.real_numbers import real_numbers
from sparsereg.data.validation import (
    FINITE,
    check_choice,
    check_flag,
    check_number,
    check_penalty_factor,
    check_scaled_weights,
    check_vector,
    refuse_subnormal,
    relative_weights,
)
from sparsereg.linear_model.coefficients import LinearRegressor, set_coefficients, set_parameters
from sparsereg.linear_model.input import checked_targets
from sparsereg.objective.quadratic import MAX_UNPENALIZED
from sparsereg.ridge.dropout import dropout_factor
from sparsereg.ridge.early_stopping import (
    N_ITER_NO_CHANGE,
    VALIDATION_FRACTION,
    check_stopping,
    descend_until_worse,
    hold_out,
    step_length,
)
from sparsereg.ridge.normal_equations import EMPTY, NormalEquations, RidgeSolution
from sparsereg.ridge.solve import SolverSettings, choose_method, handed_out, solve_ridge
from sparsereg.ridge.units import equilibrated

__all__ = ["Ridge"]

Vector = NDArray[np.float64]

# The method of each solver, including scikit-learn's names. None: chosen by counts.
SOLVERS: dict[str, str | None] = {
    "auto": None,
    "gram": "gram",
    "dual": "dual",
    "svd": "svd",
    "cg": "cg",
    "cholesky": None,
    **dict.fromkeys(("lsqr", "sparse_cg", "sag", "saga"), "cg"),
    "lbfgs": "bounded",
    "gradient": "gradient",
}
# Iterations end at a relative gradient of this share of tol; the relative error of coefficients is then about tol.
GRADIENT_SHARE = 1e-2
# Relative gradients below this are rounding.
FLOOR = 10 * float(np.finfo(np.float64).eps)
MAX_ITER = 10_000
# scikit-learn's defaults for early stopping.


class Ridge(LinearRegressor):
    """Ridge regression, from a handful of columns to millions of sparse ones.

    Minimises, for each target, scikit-learn's objective with penalty factors v::

        sum_i s_i (y_i - b0 - x_i . w)^2 + alpha sum_j v_j w_j^2

    Parameters
    ----------
    alpha : float or array of shape (n_targets,), default 1.0
        Strength on the *unnormalised* sum of squares, as in scikit-learn; one for all targets, or one each. 0 is least
        squares, with the least norm where several solutions fit equally well.
    fit_intercept : bool, default True
        Unpenalised, eliminated exactly; a sparse X is never densified or centred.
    copy_X : bool, default True
        Without effect: X is never written to.
    max_iter : int, optional
        Most iterations of the iterative methods, 10,000 by default.
    tol : float, default 1e-4
        Iterative methods stop when the relative gradient `|g| / |Xc' S yc|` is at most `tol / 100`; the relative error
        of the coefficients is then about `tol`. What direct methods leave is compared with it, and warned of.
    solver : str, default "auto"
        The method:

        - "gram": Cholesky factor of the Gram matrix of the columns, exact;
        - "dual": Cholesky factor of the Gram matrix of the rows, exact, for few rows;
        - "svd": singular values of X, exact, for small data and very small penalties;
        - "cg": preconditioned conjugate gradients on the normal equations, for large data. One-hot factors and their
          crosses are recognised. Memory beside X by columns and, for a CSC, by rows: about ten vectors of length n and
          of length n_cols, 4 bytes for each entry of a row in a factor that no other refines (at first, for each
          entry), and a dense factor of at most 2,000 columns. Where coefficients may be less accurate than asked for,
          and a Gram matrix of at most 2,000 rows or columns (5,000 of a dense X) decides them, it is factorised;
        - "auto": one of these, chosen by the numbers of rows and observed columns and the penalty; with `positive=True`
          coordinate descent.

        scikit-learn's names are accepted. "cholesky" is "gram" or "dual", whichever is smaller. "lsqr", "sparse_cg",
        "sag" and "saga" are "cg". "lbfgs" needs `positive=True` and is coordinate descent. "gradient" needs
        `early_stopping=True`.
    positive : bool, default False
        Only non-negative coefficients; with solver "auto" or "lbfgs".
    random_state : int, RandomState or None, default None
        Draws the rows that early stopping holds out; nothing else is random.
    penalty_factor : array of shape (p,) or "dropout", optional
        Non-negative factors v on the penalty of each column, 0 for none. Default: 1. "dropout" gives the penalty that
        equals dropout at `dropout_rate` on average; see Notes.
    dropout_rate : float in [0, 1), optional
        The share d of entries of X that `penalty_factor="dropout"` drops; only with that.
    early_stopping : bool, default False
        Gradient descent from 0 on a part of the rows, stopped when the error on the held-out rows stops falling. This
        acts as a penalty chosen by the data, in addition to alpha; see Notes. With solver "auto" or "gradient".
    validation_fraction : float in (0, 1), default 0.1
        The share of the rows of positive weight that early stopping holds out.
    n_iter_no_change : int, default 5
        Early stopping ends after so many evaluations in a row without a lower held-out error. It is evaluated after
        each of the first steps, later whenever the number of steps has grown by a twentieth.

    Attributes
    ----------
    coef_ : array of shape (p,) or (n_targets, p), in the type of X
        Where p is more than four times the number of observed columns, it is computed at every access, and read-only.
    sparse_coef_ : scipy.sparse.csr_array of shape (n_targets, p)
    intercept_ : float, or array of shape (n_targets,), in double precision
    n_iter_ : int64 array of shape (n_targets,)
        Iterations; for direct methods Newton steps, where the first is the solution by the factorisation.
    solver_ : str
        The solver asked for, or the method that "auto" chose.
    method_ : {"gram", "dual", "svd", "cg", "bounded", "gradient"}
        The method used; "bounded" is coordinate descent on non-negative coefficients.
    gradient_norm_ : float, or array of shape (n_targets,)
        The relative gradient at the solution, computed from X in double precision; for a float32 X that of the rounded
        coefficients. After "cg", where a weak penalty or nearly dependent columns leave the error of the coefficients
        too large, a hundredth of that error, or of a bound on it, relative to their size.
    dual_gap_ : float, or array of shape (n_targets,)
        Upper bound on the distance of the objective from its minimum, in the units of the objective. Infinite after
        "cg" with unpenalised columns that depend on each other, or are thousands, unless the problem is small.
    equivalent_alpha_ : float, or array of shape (n_targets,), only after early stopping
        The alpha of the ridge fit to the same rows that corresponds to the stopped one: `alpha + 1 / (step length *
        n_iter_)`. Infinite where no step lowered the held-out error; alpha where descent converged within `tol` first.
    n_features_in_ : int
    feature_names_in_ : array of str, only where X has them

    Notes
    -----
    Dropout at rate d multiplies each x_ij by an independent m_ij: 1 / (1 - d) with probability 1 - d, and else 0. As
    `E m_ij = 1` and `Var m_ij = d / (1 - d)`, and the intercept is not dropped, the expected sum of squares is::

        E sum_i s_i (y_i - b0 - sum_j m_ij x_ij w_j)^2
            = sum_i s_i (y_i - b0 - x_i . w)^2 + d / (1 - d) * sum_j (sum_i s_i x_ij^2) w_j^2

    So `penalty_factor="dropout"` sets `v_j = d / (1 - d) * sum_i s_i x_ij^2` (x_ij not centred), which at the default
    alpha = 1 is exactly dropout. Another alpha is dropout at the rate of odds `alpha d / (1 - d)`.

    Early stopping at alpha = 0 keeps the share `1 - (1 - eta l)^t` of the least-squares solution along an eigenvector
    of Xc' S Xc with eigenvalue l; ridge keeps `l / (l + alpha)`. For small l the two agree at `alpha = 1 / (eta t)`,
    and the risk is at most 1.69 times that of ridge there (Ali, Kolter & Tibshirani 2019, "A continuous-time view of
    early stopping for least squares"); elsewhere early stopping keeps more, by up to 0.2. A positive alpha is added to
    the objective, and penalty factors are the metric of the steps. The solution is that of the step with the least
    held-out error, for the rows not held out. Reaching `equivalent_alpha_` takes about (largest eigenvalue) /
    `equivalent_alpha_` steps, of two passes over X each, so for a given alpha the other solvers are much faster. Early
    stopping is not available with `positive`: a stopped proximal gradient method corresponds to no penalty in this way,
    and has no certificate.

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
    >>> Ridge(penalty_factor="dropout", dropout_rate=0.5).fit(X, [1.0, 3.0, 2.0, 0.0]).coef_.round(3)
    array([0.333, 0.667])
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
        dropout_rate: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = VALIDATION_FRACTION,
        n_iter_no_change: int = N_ITER_NO_CHANGE,
    ) -> None:
        set_parameters(self, locals())

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
            When an iterative method did not reach its tolerance, or a factorisation left a relative gradient above
            that and 1e-10; the message gives the gradient. With early stopping, when the held-out error still fell
            after `max_iter` steps.
        """
        solver = self._check_parameters()
        X, y = checked_targets(self, X, y)
        Y = np.ascontiguousarray(y.reshape(y.shape[0], -1), dtype=np.float64)
        alphas = self._check_alpha(Y.shape[1])
        equations = self._equations(as_design(X), sample_weight)
        if self.positive or self.early_stopping:  # which divide by alpha
            refuse_subnormal("alpha", alphas)
        alphas = equations.strengths(alphas)
        method = self._method(solver, equations, alphas)
        settings = SolverSettings(method, max(GRADIENT_SHARE * self.tol, FLOOR), self.max_iter or MAX_ITER)
        self.__dict__.pop("equivalent_alpha_", None)  # of an earlier fit
        if settings.method == "gradient":
            equations, solutions = self._stop_early(equations, Y, alphas, settings)
        else:
            solutions = solve_ridge(equations, np.asfortranarray(Y), alphas, settings)
        self.method_ = settings.method
        self.solver_ = settings.method if self.solver == "auto" else self.solver
        self._set_fitted(equations, solutions, y, alphas, settings)
        return self

    def _check_parameters(self) -> str:
        check_flag("fit_intercept", self.fit_intercept)
        check_flag("positive", self.positive)
        check_number("tol", self.tol, low=0)
        if self.max_iter is not None:
            check_number("max_iter", self.max_iter, low=1, integer=True)
        solver = check_choice("solver", self.solver, tuple(SOLVERS))
        self._check_early_stopping()
        if self.positive and solver not in ("auto", "lbfgs"):
            raise ValueError(
                f"solver={solver!r} does not support positive fitting; set solver='auto' or positive=False."
            )
        if solver == "lbfgs" and not self.positive:
            raise ValueError(
                "solver='lbfgs': this solver can be used only when positive=True; set solver='auto' otherwise."
            )
        return solver

    def _check_early_stopping(self) -> None:
        if not check_stopping(self):
            if self.solver == "gradient":
                raise ValueError("solver='gradient' is for early_stopping=True; set that, or solver='auto'.")
        elif self.solver not in ("auto", "gradient") or self.positive:
            raise ValueError(
                f"early_stopping=True is gradient descent without bounds; solver={self.solver!r} with"
                f" positive={self.positive} cannot be stopped early: set solver='auto' and positive=False."
            )

    def _check_alpha(self, n_targets: int) -> Vector:
        if isinstance(self.alpha, Real):
            check_number("alpha", self.alpha, low=0, high=FINITE)
            return np.full(n_targets, float(self.alpha))
        if self.alpha is None:
            raise ValueError("alpha=None: expected a number that is not negative, or one for each target.")
        alphas = real_numbers("alpha", self.alpha).ravel()
        alphas = check_vector("alpha", alphas, alphas.size, "targets")
        if alphas.size not in (1, n_targets):
            raise ValueError(
                f"Number of targets and number of penalties do not correspond: {alphas.size} != {n_targets}"
            )
        if (alphas < 0).any():
            raise ValueError(f"alpha={self.alpha!r}: expected non-negative numbers.")
        return np.broadcast_to(alphas, n_targets).copy()

    def _equations(self, design: Design, sample_weight: Any) -> NormalEquations:
        if sample_weight is not None and (shape := np.asarray(sample_weight).shape)[1:]:
            raise ValueError(f"Sample weights must be 1D array or scalar; sample_weight has shape {shape}.")
        s, unit = check_scaled_weights(sample_weight, design.n_rows), 1.0
        if s is not None:
            s, unit = relative_weights(s)
        of_strengths = 1.0 if isinstance(self.penalty_factor, str) else unit  # dropout's factors have the weights' unit
        given = design, s, bool(self.fit_intercept), self._factor(design, s)
        return equilibrated(NormalEquations(*given, weight_unit=unit, strength_unit=of_strengths))

    def _factor(self, design: Design, s: Vector | None) -> Vector:
        """Penalty factors of the observed columns."""
        if isinstance(self.penalty_factor, str) and self.penalty_factor == "dropout":
            if check_number("dropout_rate", self.dropout_rate, low=0, high=1) == 1:
                raise ValueError("dropout_rate=1: expected a number below 1; at 1 all of X is dropped.")
            return dropout_factor(design, s, self.dropout_rate)
        if self.dropout_rate is not None:
            raise ValueError(
                f"dropout_rate={self.dropout_rate!r} has an effect only with penalty_factor='dropout'; set that too."
            )
        factor = check_penalty_factor(self.penalty_factor, design.n_features)
        return np.ones(design.n_cols) if factor is None else factor[design.columns]

    def _method(self, solver: str, equations: NormalEquations, alphas: Vector) -> str:
        if self.early_stopping:
            return "gradient"
        if self.positive:
            return "bounded"
        if solver == "cholesky":
            wide = equations.design.n_rows < equations.design.n_cols and equations.factor.min() > 0.0
            return "dual" if wide else "gram"
        return SOLVERS[solver] or choose_method(equations.summary, alphas)

    def _stop_early(
        self, equations: NormalEquations, Y: Vector, alphas: Vector, settings: SolverSettings
    ) -> tuple[NormalEquations, list[RidgeSolution]]:
        """The equations of the rows not held out, and each target's solution by gradient descent."""
        if not equations.factor.min(initial=1.0) > 0.0:
            raise ValueError(
                "penalty_factor holds 0, but early stopping shrinks every column; set early_stopping=False."
            )
        rng = check_random_state(self.random_state)
        fitted, held = hold_out(equations, self.validation_fraction, self.n_iter_no_change, rng)
        if not fitted.design.n_cols:
            self.equivalent_alpha_ = _one_or_all([np.inf] * alphas.size)
            return fitted, [EMPTY] * alphas.size
        steps = {alpha: step_length(fitted, alpha, rng) for alpha in np.unique(alphas)}
        ends = [
            descend_until_worse(fitted.system(y, alpha), steps[alpha], held, settings)
            for y, alpha in zip(Y.T, alphas.tolist(), strict=True)
        ]
        self.equivalent_alpha_ = _one_or_all([end.equivalent_alpha * fitted.strength_unit for end in ends])
        if any(end.still_falling for end in ends):
            warnings.warn(
                f"The held-out error was still falling after max_iter={settings.max_iter} steps; increase max_iter, or"
                " alpha.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return fitted, [end.solution for end in ends]

    def _set_fitted(
        self,
        equations: NormalEquations,
        solutions: list[RidgeSolution],
        y: NDArray[Any],
        alphas: Vector,
        settings: SolverSettings,
    ) -> None:
        """Set the fitted attributes."""
        set_coefficients(self, equations, np.stack([solution.w for solution in solutions]), y)
        self.n_iter_ = np.array([solution.n_iter for solution in solutions])
        warn_missed(self.solver_, solutions, settings)
        solutions = handed_out(equations, solutions, y, alphas, positive=bool(self.positive))
        self.gradient_norm_ = _one_or_all([solution.gradient_norm for solution in solutions])
        self.dual_gap_ = _one_or_all([solution.dual_gap * equations.weight_unit for solution in solutions])


def warn_missed(solver: str, solutions: list[RidgeSolution], settings: SolverSettings, stacklevel: int = 4) -> None:
    """Warn if a solution did not reach the relative gradient asked for."""
    worst, n_iter = max(solution.gradient_norm for solution in solutions), max(one.n_iter for one in solutions)
    if not worst <= settings.limit:
        warnings.warn(
            f"The {solver} solver did not converge after {n_iter} iterations: it reached"
            f" {shortfall(worst, n_iter, settings)}",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
    elif settings.method == "bounded" and not all(np.isfinite(solution.dual_gap) for solution in solutions):
        warnings.warn(
            "Columns of penalty factor 0 depend on each other but for their last digits, or are more than"
            f" {MAX_UNPENALIZED}: how far the solution is from the best one is not known. Leave some out, or penalize"
            " them.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )


def shortfall(gradient_norm: float, n_iter: int, settings: SolverSettings) -> str:
    """What a warning says of a relative gradient that is too large, with the remedy."""
    stopped = settings.iterative and n_iter >= settings.max_iter
    remedy = "increase max_iter" if stopped else "what is left is rounding: increase alpha, or tol"
    return f"a relative gradient of {gradient_norm:.3g}, asked for {settings.limit:.3g}; {remedy}."


def _one_or_all(values: list[float]) -> Any:
    return values[0] if len(values) == 1 else np.array(values)

"""`ridge_path`: ridge at many strengths, each with its certificate. Knows no kernels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from sparsereg.data.compressed import product
from sparsereg.data.design import Design, as_design
from sparsereg.data.validation import check_alphas, check_choice, check_flag, check_number, check_target
from sparsereg.linear_model.held import WIDE
from sparsereg.linear_model.ridge import FLOOR, GRADIENT_SHARE, MAX_ITER, Ridge
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.path import PathSolution, solve_paths
from sparsereg.ridge.solve import METHODS, Plan, choose_method

__all__ = ["RidgePath", "ridge_path", "warn_unconverged"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Ridge at k strengths over p (nominal) columns.

    Nothing is zero in ridge, so 100 points over a million columns would be 800 MB: they are held as combinations of about 20
    vectors over the observed columns, and made one at a time. Where one field says all, as the cells of a map do, its columns follow from
    the others', and the vectors are over these alone.

    Attributes
    ----------
    alphas : float64 array of shape (k,)
        Strengths on the unnormalised sum of squares, decreasing.
    intercepts : float64 array of shape (k,)
    gradient_norms : float64 array of shape (k,)
        The relative gradient `|g| / |Xc' S yc|` of each point, worked out in double from X times the vectors that are held, or from the
        sums of X and y over the levels of a field that says all; or, where that is more, a hundredth of the same with each column in units of its own curvature, as for `Ridge`.
    dual_gaps : float64 array of shape (k,)
        Upper bounds on how far each point's objective is from its minimum; infinite where columns are not penalised.
    n_iters : int64 array of shape (k,)
        Iterations spent at each point: 0 where the others told enough; cheap ones where one field says all. For direct methods Newton steps.
    method : {"gram", "dual", "svd", "cg"}
        What it was computed by, as `Ridge.method_`.
    columns : int64 array of shape (m,)
        The observed columns, increasing; the coefficients of all others are 0.
    n_features : int
        p.
    """

    alphas: Vector
    intercepts: Vector
    gradient_norms: Vector
    dual_gaps: Vector
    n_iters: NDArray[np.int64]
    method: str
    columns: NDArray[np.int64]
    n_features: int
    _order: NDArray[np.int64] = field(repr=False)
    _points: PathSolution = field(repr=False)

    def point(self, k: int) -> tuple[NDArray[np.int64], Vector]:
        """Columns and coefficients of point k, on all observed columns."""
        return self.columns, self._points.w(k)[self._order]

    @property
    def coefs(self) -> sp.csc_array:
        """All coefficients, float64 of shape (p, k), one column a point: `12 k m` bytes, made at every access."""
        m, k = self.columns.size, self.alphas.size
        values = np.empty((k, m))
        for i in range(k):
            values[i] = self.point(i)[1]
        parts = (values.ravel(), np.tile(self.columns, k), np.arange(k + 1) * m)
        return sp.csc_array(parts, shape=(self.n_features, k))

    def predict(self, X: Any, k: int = -1) -> Vector:
        """Predictions of point k (the last one by default) for the rows of X."""
        n_features = as_design(X).n_features  # looked at, and let go
        if n_features != self.n_features:
            raise ValueError(f"X has {n_features} columns; the path was fitted on {self.n_features}.")
        X = X if sp.issparse(X) else np.asarray(X, dtype=np.float64)
        return product(X, *self.point(k)) + self.intercepts[k]


def ridge_path(
    X: Any,
    y: Any,
    *,
    alphas: Any = 100,
    eps: float = 1e-5,
    sample_weight: Any = None,
    penalty_factor: Any = None,
    fit_intercept: bool = True,
    tol: float = 1e-4,
    max_iter: int = MAX_ITER,
    solver: str = "auto",
) -> RidgePath:
    """Ridge along a path of strengths, at little more than the cost of the hardest of them, with a certificate at every point.

    Minimises at each alpha what `Ridge` does::

        sum_i s_i (y_i - b0 - x_i . w)^2 + alpha sum_j v_j w_j^2

    Parameters
    ----------
    X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
    y : array of shape (n,)
    alphas : int or array, default 100
        The strengths, on the unnormalised sum of squares; or their number, spread geometrically downwards from the greatest
        `|x_j - mean|^2 / v_j`, where even the coefficient best held by the data is halved.
    eps : float in (0, 1], default 1e-5
        The smallest strength of such a grid, over the largest.
    sample_weight : float or array of shape (n,), optional
        Non-negative. Their scale matters: the squares are summed, not averaged.
    penalty_factor : array of shape (p,), optional
        Non-negative factors v on the penalty of each column, 0 for none. Default: 1.
    fit_intercept : bool, default True
    tol : float, default 1e-4
        As in `Ridge`: iterative methods stop at a relative gradient of `tol / 100`.
    max_iter : int, default 10,000
        Most iterations at one strength.
    solver : {"auto", "gram", "dual", "svd", "cg"}, default "auto"
        As in `Ridge`.

    Returns
    -------
    RidgePath

    Raises
    ------
    ValueError
        For a parameter out of range, or input that is not finite or of the wrong shape; the message names it.

    Warns
    -----
    ConvergenceWarning
        When points were stopped short of `tol / 100`, or a factorisation left more than 1e-4; the message gives the gradient that was reached.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import ridge_path
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> path = ridge_path(X, [1.0, 3.0, 2.0, 0.0], alphas=[1.0, 9.0])
    >>> path.coefs.toarray().round(3)
    array([[0.1, 0.5],
           [0.2, 1. ]])
    """
    check_number("tol", tol, low=0)
    check_number("max_iter", max_iter, low=1, integer=True)
    check_number("eps", eps, low=0, high=1, open_low=True)
    check_choice("solver", solver, ("auto", *(method for method in METHODS if method != "bounded")))
    check_flag("fit_intercept", fit_intercept)
    grid = check_alphas(alphas)
    X = check_array(X, accept_sparse=("csr", "csc"), dtype=(np.float64, np.float32), input_name="X")
    design = as_design(X)
    y = check_target(y, design.n_rows)
    shell = Ridge(fit_intercept=fit_intercept, penalty_factor=penalty_factor)
    equations = shell._equations(design, sample_weight)
    if isinstance(grid, int):
        grid = _grid(equations, grid, eps)
    method = choose_method(equations, grid) if solver == "auto" else solver
    plan = Plan(method, max(GRADIENT_SHARE * tol, FLOOR), max_iter)
    (points,) = solve_paths(X, equations, y[:, None], grid, plan)
    warn_unconverged(points, grid, plan)
    order = _increasing(design)
    return RidgePath(
        alphas=grid,
        intercepts=equations.mean(y) - points.means,
        gradient_norms=points.gradient_norms,
        dual_gaps=points.dual_gaps,
        n_iters=points.n_iters,
        method=method,
        columns=design.columns[order].astype(np.int64),
        n_features=design.n_features,
        _order=order,
        _points=points,
    )


def _increasing(design: Design) -> NDArray[np.intp]:
    """What puts the observed columns in increasing order: by counting, where the nominal width allows."""
    if design.n_features > WIDE * design.columns.size:
        return np.argsort(design.columns)
    place = np.full(design.n_features, -1, dtype=np.intp)
    place[design.columns] = np.arange(design.columns.size)
    return place[place >= 0]


def _grid(equations: NormalEquations, n: int, eps: float) -> Vector:
    penalised = equations.factor > 0.0
    most: float = (equations.diagonal[penalised] / equations.factor[penalised]).max(initial=0.0)
    most = most or 1.0  # nothing to go by: any strength gives zeros
    return np.geomspace(most, eps * most, n) if n > 1 else np.array([most])


def warn_unconverged(points: PathSolution, alphas: Vector, plan: Plan) -> None:
    """Say which points of a path miss what was asked for, and what to do."""
    missed = np.flatnonzero(~(points.gradient_norms <= plan.limit))
    if not missed.size:
        return
    worst = int(missed[np.argmax(points.gradient_norms[missed])])
    short = plan.iterative and points.n_iters[worst] >= plan.max_iter
    cause = "increase max_iter" if short else "what is left is rounding: increase alphas, or tol"
    warnings.warn(
        f"{missed.size} of {alphas.size} points did not converge; the worst, alpha={alphas[worst]:.4g}, reached a relative gradient of"
        f" {points.gradient_norms[worst]:.3g}, asked for {plan.limit:.3g}; {cause}.",
        ConvergenceWarning,
        stacklevel=3,
    )

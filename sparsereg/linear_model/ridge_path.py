"""`ridge_path`: ridge at many strengths, each with a certificate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array

from sparsereg.data.design import as_design
from sparsereg.data.validation import check_alphas, check_choice, check_flag, check_number, check_target
from sparsereg.linear_model.input import check_matrix
from sparsereg.linear_model.ridge import FLOOR, GRADIENT_SHARE, MAX_ITER, Ridge, shortfall
from sparsereg.results import PathResult
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.path import PathSolution, solve_paths
from sparsereg.ridge.solve import METHODS, SolverSettings, choose_method

__all__ = ["RidgePath", "ridge_path", "warn_unconverged"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RidgeCoefficients:
    """`OutputCoefficients` of ridge: none is 0, so 100 points over a million columns would take 800 MB.

    Points are combinations of about 20 vectors over the observed columns, and are computed one at a time. Where one
    factor of a cross is saturated (the cells of a map), its coefficients follow from the others, and vectors are over
    these only.

    Attributes
    ----------
    solution : PathSolution
        Points over the columns of a design.
    scale : float64 array of shape (m,), or 1.0
        What its coefficients are divided by.
    order : int64 array of shape (m,)
        The permutation that sorts the columns of the design.
    columns : int64 array of shape (m,)
        The observed columns, increasing.
    n_features : int
        p.
    """

    solution: PathSolution
    scale: Vector | float
    order: Int
    columns: Int
    n_features: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_features, len(self.solution.points)

    @property
    def nbytes(self) -> int:
        n_points = len(self.solution.points)
        return 16 * self.columns.size * n_points + 8 * (n_points + 1)

    def counts(self) -> Int:
        return np.full(len(self.solution.points), self.columns.size)

    def point(self, k: int) -> tuple[Int, Vector]:
        return self.columns, (self.solution.w(k) / self.scale)[self.order]

    def tocsc(self) -> sp.csc_array:
        m, k = self.columns.size, len(self.solution.points)
        values = np.empty((k, m))
        for i in range(k):
            values[i] = self.point(i)[1]
        return sp.csc_array((values.ravel(), np.tile(self.columns, k), np.arange(k + 1) * m), shape=self.shape)


@dataclass(frozen=True, eq=False, repr=False)
class RidgePath(PathResult):
    """`PathResult` of ridge at k strengths over p columns.

    Coefficients are held compactly: `point(k)` computes those of one point, and `coefs` makes an array of `16 m k`
    bytes at every access, where m is the number of observed columns.

    Attributes
    ----------
    alphas : float64 array of shape (k,)
        Strengths on the unnormalised sum of squares, decreasing.
    intercepts : float64 array of shape (k,)
    gradient_norms : float64 array of shape (k,)
        The relative gradient `|g| / |Xc' S yc|` of each point, computed in double from X times the vectors that are
        held, or from the sums of X and y over the levels of a saturated factor; or, where that is more, a hundredth of
        the same with each column in units of its own curvature, as for `Ridge`.
    dual_gaps : float64 array of shape (k,)
        Upper bounds on how far each point's objective is from its minimum; infinite where columns are not penalised.
    gap_scale : float
        The weighted sum of squares of the (centred) target.
    tol : float
        The largest relative gradient of a point that counts as certified.
    n_iters : int64 array of shape (k,)
        Iterations spent at each point: 0 where the points before it were enough. For direct methods Newton steps.
    method : {"gram", "dual", "svd", "cg"}
        The method that was used, as `Ridge.method_`.
    seconds, deviance_explained : None

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import ridge_path
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> path = ridge_path(X, [1.0, 3.0, 2.0, 0.0], alphas=[1.0, 9.0])
    >>> path.alphas, path.method, path.point(1)[1].round(3)
    (array([9., 1.]), 'gram', array([0.5, 1. ]))
    """

    method: str = ""

    @property
    def columns(self) -> Int:
        """The observed columns, increasing; the coefficients of all others are 0."""
        return self.point(0)[0]


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
    """Ridge along a path of strengths, for little more than the cost of the smallest, with certificates.

    Minimises at each alpha what `Ridge` does::

        sum_i s_i (y_i - b0 - x_i . w)^2 + alpha sum_j v_j w_j^2

    Parameters
    ----------
    X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
    y : array of shape (n,)
    alphas : int or array, default 100
        The strengths, on the unnormalised sum of squares; or their number, spaced geometrically downwards from the
        largest `|x_j - mean|^2 / v_j`, where a column by itself has its least-squares coefficient halved.
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
        When iterations ended before a relative gradient of `tol / 100`, or a factorisation left more than that and
        1e-10; the message gives the gradient.

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
    X = check_array(check_matrix(X), accept_sparse=("csr", "csc"), dtype=(np.float64, np.float32), input_name="X")
    design = as_design(X)
    y = check_target(y, design.n_rows)
    shell = Ridge(fit_intercept=fit_intercept, penalty_factor=penalty_factor)
    equations = shell._equations(design, sample_weight)
    if isinstance(grid, int):
        grid = _grid(equations, grid, eps)
    strengths, unit = equations.strengths(grid), equations.weight_unit
    method = choose_method(equations.summary, strengths) if solver == "auto" else solver
    settings = SolverSettings(method, max(GRADIENT_SHARE * tol, FLOOR), max_iter)
    (points,) = solve_paths(equations, y[:, None], strengths, settings)
    warn_unconverged(points, grid, settings)
    design, scale = equations.design, 1.0 if equations.units is None else equations.units.scale
    order = np.argsort(design.columns)
    centred = y - equations.mean(y)
    return RidgePath(
        alphas=grid,
        l1_ratio=0.0,
        coefs=RidgeCoefficients(points, scale, order, design.columns[order].astype(np.int64), design.n_features),
        intercepts=equations.mean(y) - points.means,
        dual_gaps=points.dual_gaps * unit,
        gap_scale=float(centred @ (centred if equations.s is None else equations.s * centred)) * unit,
        tol=settings.limit,
        n_iters=points.n_iters,
        gradient_norms=points.gradient_norms,
        method=method,
    )


def _grid(equations: NormalEquations, n: int, eps: float) -> Vector:
    penalised = equations.factor > 0.0
    top: float = (equations.diagonal[penalised] / equations.factor[penalised]).max(initial=0.0)
    top = top * equations.strength_unit or 1.0  # no penalised column varies, so that any strength gives the same
    return np.geomspace(top, eps * top, n) if n > 1 else np.array([top])


def warn_unconverged(points: PathSolution, alphas: Vector, settings: SolverSettings) -> None:
    """Warn if points of a path did not reach the relative gradient asked for."""
    missed = np.flatnonzero(~(points.gradient_norms <= settings.limit))
    if not missed.size:
        return
    worst = int(missed[np.argmax(points.gradient_norms[missed])])
    reached = shortfall(points.gradient_norms[worst], points.n_iters[worst], settings)
    warnings.warn(
        f"{missed.size} of {alphas.size} points did not converge; the worst, alpha={alphas[worst]:.4g}, reached"
        f" {reached}",
        ConvergenceWarning,
        stacklevel=3,
    )

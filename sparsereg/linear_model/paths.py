"""`lasso_path` and `enet_path`, with scikit-learn's arguments and results."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state

from sparsereg.data.design import Design, as_design
from sparsereg.data.real_numbers import refuse_unreal
from sparsereg.data.validation import (
    check_alphas,
    check_choice,
    check_flag,
    check_flags,
    check_number,
    check_vector,
    check_weights,
)
from sparsereg.linear_model.gram_check import check_gram
from sparsereg.linear_model.multi_task_path import PathRequest, multi_task_path
from sparsereg.objective.problem import Coefficients, Problem, count_weights, make_problem
from sparsereg.results import PathResult
from sparsereg.solvers.loop import SOLVERS, Options
from sparsereg.solvers.path import path_solver, trace

__all__ = ["enet_path", "lasso_path", "starting_point"]

# Epochs per iteration. scikit-learn's iterations go over all columns, epochs over the working set only. Its default of
# 1000 iterations is `regularization_path`'s default of 10,000 epochs.
EPOCHS = 10

# What `**params` may hold, and its defaults: scikit-learn's, and `solver`.
PARAMS: dict[str, Any] = {
    "X_offset": None,
    "X_scale": None,
    "sample_weight": None,
    "tol": 1e-4,
    "max_iter": 1000,
    "random_state": None,
    "selection": "cyclic",
    "do_screening": True,
    "solver": "auto",
}


def lasso_path(
    X: Any,
    y: ArrayLike,
    *,
    eps: float = 1e-3,
    n_alphas: Any = "deprecated",
    alphas: Any = "warn",
    precompute: Any = "auto",
    Xy: ArrayLike | None = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    sparse_coefs: bool = False,
    **params: Any,
) -> tuple[Any, ...]:
    """Lasso along a path of strengths: scikit-learn's `lasso_path`, with certified points, optionally sparse.

    See `enet_path`, of which this is `l1_ratio=1`.

    Parameters
    ----------
    X, y, eps, n_alphas, alphas, precompute, Xy, copy_X, coef_init, verbose, return_n_iter, positive, sparse_coefs
        As in `enet_path`.
    **params
        As in `enet_path`.

    Returns
    -------
    alphas, coefs, dual_gaps[, n_iters]
        As from `enet_path`.

    Examples
    --------
    >>> from sparsereg import lasso_path
    >>> alphas, coefs, gaps = lasso_path([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 2.0, 3.0], alphas=[0.5, 0.1])
    >>> coefs.round(2)
    array([[0.5, 0.9],
           [1.5, 1.9]])
    """
    arguments = {**locals(), **params, "alphas": strengths(n_alphas, alphas)}
    del arguments["params"], arguments["n_alphas"]
    return enet_path(l1_ratio=1.0, **arguments)


def enet_path(
    X: Any,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: Any = "deprecated",
    alphas: Any = "warn",
    precompute: Any = "auto",
    Xy: ArrayLike | None = None,
    copy_X: bool = True,
    coef_init: ArrayLike | None = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    sparse_coefs: bool = False,
    **params: Any,
) -> tuple[Any, ...]:
    """Elastic net along a path of strengths, without an intercept: scikit-learn's `enet_path`, with certified points.

    `regularization_path` also has an intercept, weights and penalty factors, and keeps all coefficients sparse.

    Parameters
    ----------
    X : sparse matrix or array, array-like, or data frame of numbers, of shape (n, p), float32 or float64
        Not copied where the layout allows, never written to.
    y : array-like of shape (n,) or (n, n_targets)
        Two dimensions are the multi-task problem, whose penalty is on the norm over all targets of each column's
        coefficients: a column is in for all targets or for none.
    l1_ratio : float in [0, 1], default 0.5
        0 needs explicit `alphas`.
    eps : float in (0, 1], default 1e-3
        The smallest strength of an automatic grid, over the largest.
    n_alphas : int
        Deprecated, as in scikit-learn: use `alphas`.
    alphas : int or array-like, default 100
        Number of points, or the strengths.
    precompute : "auto", bool or array of shape (p, p), default "auto"
        Checked, but without effect, see `ElasticNet`.
    Xy : array-like of shape (p,), optional
        Checked if `precompute` is a Gram matrix; without effect.
    copy_X : bool, default True
        X is never written to, whatever this says.
    coef_init : array-like of shape (p,) or (n_targets, p), optional
        Initial coefficients for the first strength.
    verbose : bool or int, default False
        Print a line a point to stderr.
    return_n_iter : bool, default False
        Return the iterations of each point too, each of up to ten epochs over the working set.
    positive : bool, default False
        Only non-negative coefficients; for one target only.
    check_input : bool, default True
        Without effect; values are always checked, in one pass.
    sparse_coefs : bool, default False
        Return `coefs` as a `scipy.sparse.csc_array`, or a tuple of one a target: 100 points over a million columns are
        800 MB otherwise.
    **params
        `tol=1e-4`, `max_iter=1000`, `selection="cyclic"`, `random_state=None`, `sample_weight=None` (scaled to sum to
        n), `solver="auto"`; `do_screening`, without effect; `X_offset` and `X_scale`, which must be None.

    Returns
    -------
    alphas : array of shape (k,)
        Decreasing.
    coefs : array of shape (p, k) or (n_targets, p, k), or csc_array of shape (p, k), or a tuple of these
    dual_gaps : array of shape (k,)
        Upper bounds on the distance of each point's objective from its minimum, at `coefs` as they are handed out.
    n_iters : list of int
        If `return_n_iter`.

    Raises
    ------
    ValueError
        For an unknown keyword, and for input that is not finite, of the wrong shape or out of range.

    Warns
    -----
    ConvergenceWarning
        When points are not certified within `max_iter` iterations.

    Examples
    --------
    >>> from sparsereg import enet_path
    >>> alphas, coefs, gaps = enet_path([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 2.0, 3.0], alphas=3)
    >>> coefs.shape, bool((gaps < 1e-3).all())
    ((2, 3), True)
    """
    flags = {"copy_X": copy_X, "check_input": check_input, "return_n_iter": return_n_iter}
    check_flags(positive=positive, sparse_coefs=sparse_coefs, **flags)
    check_number("l1_ratio", l1_ratio, low=0, high=1)
    if isinstance(precompute, str):
        check_choice("precompute", precompute, ("auto",))
    options = checked_params(params)
    grid = strengths(n_alphas, alphas)
    refuse_unreal("y", y, text=True)
    targets = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    if targets.ndim != 1 and positive:
        raise ValueError("positive=True is not allowed for multi-output (y.ndim != 1); take one column of y at a time.")
    design = as_design(X)
    chosen = check_alphas(grid)
    if isinstance(chosen, int):
        check_number("eps", eps, low=0, high=1, open_low=True)
    s = check_weights(options["sample_weight"], design.n_rows)
    how = _request(options, l1_ratio, chosen, eps, progress if verbose else None, coef_init)
    if targets.ndim == 1:
        path, coefs, gaps = _one_target(design, check_vector("y", targets, design.n_rows), s, positive, how)
        check_gram(precompute, X, count_weights(design, s)[1], y=targets, Xy=Xy)
        coefs = coefs if sparse_coefs else coefs.toarray()
    else:
        path, coefs, gaps = multi_task_path(design, targets, s, how)
        coefs = coefs if sparse_coefs else np.stack([one.toarray() for one in coefs])
    return (path.alphas, coefs, gaps, (-(-path.n_iters // EPOCHS)).tolist())[: 4 if return_n_iter else 3]


def _request(options: dict[str, Any], l1_ratio: float, grid: Any, eps: float, report: Any, init: Any) -> PathRequest:
    rng = generator(options["selection"], options["random_state"])
    method = Options(options["tol"], EPOCHS * options["max_iter"], options["solver"], rng)
    # A tolerance below the default asks for coefficients, not only for a certificate.
    share = options["tol"] if options["tol"] >= PARAMS["tol"] else closer(options["tol"], 1.0, l1_ratio)
    return PathRequest(float(l1_ratio), grid, eps, method, share if share < options["tol"] else None, report, init)


def _one_target(
    design: Design, y: NDArray[np.float64], s: Any, positive: bool, how: PathRequest
) -> tuple[PathResult, Any, NDArray[np.float64]]:
    """A path, its coefficients in the type of X, and the gaps of these."""
    counted, s, target = count_weights(design, s, y)
    problem = make_problem(counted, target, sample_weight=s, fit_intercept=False, positive=positive)
    solver, alphas = path_solver(problem, how.l1_ratio, how.grid, how.eps, how.options)
    if how.coef_init is not None:
        solver.start_from(checked_start(solver.problem.design, how.coef_init, positive))
    path = trace(solver, alphas, how.tol, how.report)
    return path, *(rounded(problem, path) if design.dtype == np.float32 else (path.coefs, path.dual_gaps))


def rounded(problem: Problem, path: PathResult) -> tuple[Any, NDArray[np.float64]]:
    """A path's coefficients in single precision, and their gaps: a full pass each."""
    coefs, gaps = path.coefs.astype(np.float32), path.dual_gaps.copy()
    for k, alpha in enumerate(path.alphas.tolist()):
        entries = slice(coefs.indptr[k], coefs.indptr[k + 1])
        w = starting_point(problem.design, coefs.indices[entries].astype(np.int64), coefs.data[entries], False)
        gaps[k] = problem.duality_gap(w, alpha, path.l1_ratio)
    missed = path.certified & (gaps > path.tol * path.gap_scale)
    if missed.any():
        warnings.warn(
            f"{np.count_nonzero(missed)} of {gaps.size} points reached tol={path.tol:g} in double precision only;"
            " coefficients are rounded to the single precision of X. Pass X in double.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return coefs, gaps


def strengths(n_alphas: Any, alphas: Any) -> Any:
    """The number of points or the strengths, from `alphas` or the deprecated `n_alphas`, as in scikit-learn."""
    if not (isinstance(n_alphas, str) and n_alphas == "deprecated"):
        warnings.warn(
            "'n_alphas' was deprecated in 1.9 and will be removed in 1.11 of scikit-learn. Pass the number of points as"
            " alphas.",
            FutureWarning,
            stacklevel=3,
        )
        default = n_alphas
    else:
        default = 100
    if isinstance(alphas, str) and alphas == "warn":
        return default
    if alphas is None:
        warnings.warn(
            "'alphas=None' is deprecated and will be removed in 1.11 of scikit-learn. Pass alphas=100 for what it did.",
            FutureWarning,
            stacklevel=3,
        )
        return default
    return alphas


def checked_params(params: dict[str, Any]) -> dict[str, Any]:
    """`**params` with defaults; ValueError for unknown ones."""
    unknown = sorted(set(params) - set(PARAMS))
    if unknown:
        raise ValueError(
            f"Unexpected parameters in params: {', '.join(unknown)}; expected some of {', '.join(PARAMS)}."
        )
    options = PARAMS | params
    check_number("tol", options["tol"], low=0)
    check_number("max_iter", options["max_iter"], low=1, integer=True)
    check_choice("selection", options["selection"], ("cyclic", "random"))
    check_choice("solver", options["solver"], SOLVERS)
    check_flag("do_screening", options["do_screening"])
    if options["X_offset"] is not None or options["X_scale"] is not None:
        raise ValueError(
            "X_offset and X_scale are not supported; fit an intercept with ElasticNet or regularization_path."
        )
    return options


def generator(selection: str, random_state: Any) -> np.random.Generator | None:
    """The generator of a random order of coordinates; None for cyclic order."""
    rng = check_random_state(random_state)
    return np.random.default_rng(rng.randint(np.iinfo(np.int32).max)) if selection == "random" else None


def closer(tol: float, alpha: float, l1_ratio: float) -> float:
    """The relative gap at which coefficients have a relative error of about `tol`.

    The lasso's gap is linear in the error of the coefficients, other gaps are quadratic."""
    return tol if alpha > 0 and l1_ratio == 1 else tol**2


def checked_start(design: Design, coef_init: Any, positive: bool) -> Coefficients:
    """`coef_init` as `starting_point`."""
    init = check_vector("coef_init", coef_init, design.n_features, "columns of X")
    return starting_point(design, np.flatnonzero(init), init[init != 0.0], positive)


def starting_point(design: Design, columns: NDArray[np.int64], values: NDArray[Any], positive: bool) -> Coefficients:
    """Coefficients of the observed columns, from those of columns of X; all others are 0 at the minimum."""
    w = np.maximum(values, 0.0) if positive else values
    columns, w = columns[w != 0.0], w[w != 0.0].astype(np.float64)
    if not columns.size:
        return Coefficients.zero()
    order = np.argsort(columns)  # few, where the observed columns are many
    place = np.searchsorted(columns, design.columns, sorter=order)
    place[place == order.size] = 0
    place = order[place]
    cols = np.flatnonzero(columns[place] == design.columns)
    return Coefficients(cols, w[place[cols]])


def progress(i: int, n: int, alpha: float, n_nonzero: int) -> None:
    """Print a line for each point."""
    print(f"path: {i + 1} of {n}, alpha {alpha:.4g}, {n_nonzero} non-zero", file=sys.stderr)

"""The multi-task path of `lasso_path` and `enet_path`: coefficients in the type of X, and the gaps of these."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from sparsereg.data.design import Design
from sparsereg.data.validation import check_outputs
from sparsereg.objective.multi_task import MultiTaskProblem, RowCoefficients, make_multi_task_problem
from sparsereg.objective.problem import count_weights
from sparsereg.results import PathResult
from sparsereg.solvers.loop import Options
from sparsereg.solvers.path import path_solver, trace

__all__ = ["PathRequest", "multi_task_path", "starting_rows"]

Vector = NDArray[np.float64]


class PathRequest(NamedTuple):
    """How a path is to be solved: strengths or their number, `tol` for more than a certificate, and where to begin."""

    l1_ratio: float
    grid: int | Vector
    eps: float
    options: Options
    tol: float | None = None
    report: Callable[[int, int, float, int], None] | None = None
    coef_init: Any = None


def multi_task_path(
    design: Design, y: Vector, s: Vector | None, how: PathRequest
) -> tuple[PathResult, tuple[sp.csc_array, ...], Vector]:
    """A path, its coefficients in the type of X, one table a target, and the gaps of these."""
    y = check_outputs("y", y, design.n_rows)
    counted, s, y = count_weights(design, s, y)
    problem = make_multi_task_problem(counted, y, sample_weight=s, fit_intercept=False)
    solver, alphas = path_solver(problem, how.l1_ratio, how.grid, how.eps, how.options)
    if how.coef_init is not None:
        init = check_outputs("coef_init", how.coef_init, y.shape[1], design.n_features)
        solver.start_from(starting_rows(problem.design, sp.csr_array(init)))
    path = trace(solver, alphas, how.tol, how.report)
    tables = path.coefs if isinstance(path.coefs, tuple) else (path.coefs,)
    if design.dtype != np.float32:
        return path, tables, path.dual_gaps
    return path, *_rounded(problem, path, tuple(table.astype(np.float32) for table in tables))


def starting_rows(design: Design, coef: sp.csr_array) -> RowCoefficients:
    """Rows of the observed columns, from sparse coefficients of shape (K, p); all others are 0 at the minimum."""
    n_outputs = coef.shape[0]
    if not design.n_cols or not coef.nnz:
        return RowCoefficients.zero(n_outputs)
    order = np.argsort(design.columns)
    place = np.searchsorted(design.columns, coef.indices, sorter=order)
    place[place == order.size] = 0
    cols = order[place]
    keep = design.columns[cols] == coef.indices
    outputs = np.repeat(np.arange(n_outputs), np.diff(coef.indptr))
    named, place = np.unique(cols[keep], return_inverse=True)
    w = np.zeros((named.size, n_outputs))
    w[place, outputs[keep]] = coef.data[keep]
    return RowCoefficients(named.astype(np.int64), w).nonzero()


def _rounded(
    problem: MultiTaskProblem, path: PathResult, tables: tuple[sp.csc_array, ...]
) -> tuple[tuple[sp.csc_array, ...], Vector]:
    """Coefficients in single precision, and their gaps: a full pass for each point and target."""
    gaps = path.dual_gaps.copy()
    for k, alpha in enumerate(path.alphas.tolist()):
        point = sp.vstack([table[:, [k]].T for table in tables], format="csr", dtype=np.float64)
        gaps[k] = problem.duality_gap(starting_rows(problem.design, point), alpha, path.l1_ratio)
    missed = path.certified & (gaps > path.tol * path.gap_scale)
    if missed.any():
        warnings.warn(
            f"{np.count_nonzero(missed)} of {gaps.size} points reached tol={path.tol:g} in double precision only;"
            " coefficients are rounded to the single precision of X. Pass X in double.",
            ConvergenceWarning,
            stacklevel=4,
        )
    return tables, gaps

"""The regularisation path: strengths from all-zero to nearly unregularised, each certified. Knows no estimators."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, overload

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import as_design
from sparsereg.data.threads import thread_count
from sparsereg.data.validation import (
    check_alphas,
    check_callback,
    check_flags,
    check_number,
    check_penalty_factor,
    check_weights,
)
from sparsereg.losses import Loss, Multinomial, as_path_loss
from sparsereg.objective.multi_task import MultiTaskProblem
from sparsereg.objective.multinomial import MultinomialProblem
from sparsereg.objective.problem import Problem, count_weights
from sparsereg.objective.targets import check_targets
from sparsereg.results import PathResult, unit_of_gaps
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.solvers.checkpoint import Checkpoint
from sparsereg.solvers.loop import Options, Solution
from sparsereg.solvers.loss_path import LossPathSolver, eliminate_for_loss
from sparsereg.solvers.multi_task import MultiTaskSolver
from sparsereg.solvers.multinomial import MultinomialSolver
from sparsereg.solvers.outputs import RowSolution, output_coefs
from sparsereg.solvers.prefilter import PrefilteredSolver, eliminate_columns
from sparsereg.solvers.rows_path import RowsSolver
from sparsereg.solvers.rows_problem import RowsProblem, problem_of_rows
from sparsereg.solvers.until import Until

__all__ = [
    "AnySolver",
    "PathSolvers",
    "alpha_grid",
    "check_grid",
    "collect",
    "regularization_path",
    "solve_point",
    "strengths_of",
    "trace",
]

Vector = NDArray[np.float64]
Callback = Callable[[int, int, float, int], None]
PathSolvers = PrefilteredSolver | LossPathSolver
OutputProblem = MultiTaskProblem | MultinomialProblem
OutputSolver = MultiTaskSolver | MultinomialSolver
AnySolver = PathSolvers | RowsSolver | OutputSolver


def regularization_path(
    X: Any,
    y: Any = None,
    *,
    loss: str | tuple[str, float] | Loss = "squared",
    l1_ratio: float = 1.0,
    alphas: Any = 100,
    eps: float = 1e-2,
    sample_weight: Any = None,
    offset: Any = None,
    penalty_factor: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    positive: bool = False,
    tol: float = 1e-4,
    max_iter: int = 10_000,
    solver: str = "auto",
    n_jobs: int | None = None,
    callback: Callback | None = None,
    max_seconds: float | None = None,
    max_memory: int | None = None,
    stop_when: Callable[[float, int, float], Any] | None = None,
    checkpoint: Any = None,
) -> PathResult:
    """Fit the lasso or elastic net along a whole path of strengths, with a certificate at every point.

    Minimises, for each alpha, with S the sum of the weights s::

        (1 / 2S) sum_i s_i (y_i - o_i - b0 - x_i . w)^2
            + alpha * (l1_ratio * sum_j v_j |w_j| + (1 - l1_ratio) / 2 * sum_j v_j w_j^2)

    Parameters
    ----------
    X : sparse matrix or array, or dense array, of shape (n, p), float32 or float64; or `DiskRows`
        Borrowed, never written to. Rows in parts (`FeatureCross.encode`) bring y, weights and threads of their own, and
        have any loss but "multinomial". All-ones columns are detected and their values are not read again.
    y : array of shape (n,) or (n, K)
        For loss="multinomial", labels of any kind, or probabilities of K classes, rows that sum to 1. Otherwise
        K columns, for the squared loss, are the multi-task problem: the loss is the sum over the columns, and in the
        penalty `|w_j|` is the 2-norm of the column's K coefficients, so that it is in for all targets or for none.
    loss : str, tuple or Loss, default "squared"
        "squared", whose formula is above, "logistic" (y in [0, 1]), "poisson" (y >= 0, log link), "gamma" (y > 0, log
        link), "squared_hinge" (y of -1 and 1); ("tweedie", power) with a power between 1 and 2 and ("huber", delta),
        or these names alone for a power of 1.5 and a delta of 1.35; or a `sparsereg.losses.Loss`. Others than
        "squared" replace the square by their own function of y and the predictor `o_i + b0 + x_i . w`, divided by S.
        "multinomial" is the softmax over K classes: b0, o_i and w_j have K numbers, and every one of w_j is penalised
        by itself. Intercepts sum to 0.
    l1_ratio : float in [0, 1], default 1.0
        1 is the lasso. 0, plain ridge, has no alpha at which all is zero, so it needs explicit `alphas`.
    alphas : int or array, default 100
        Number of points, spread geometrically from `alpha_max` down to `eps * alpha_max`; or the strengths.
    eps : float in (0, 1], default 1e-2
        As glmnet's for p > n; scikit-learn's 1e-3 is mostly overfit on wide crosses.
    sample_weight : array of shape (n,), optional
        Non-negative; their scale does not matter.
    offset : array of shape (n,) or (n, K), as y, optional
        Known part of the predictor.
    penalty_factor : array of shape (p,), optional
        Non-negative factors on the penalty of each column, 0 for none. Default: 1.
    fit_intercept : bool, default True
        Unpenalised, eliminated exactly without densifying X.
    standardize : bool, default False
        Penalise `w_j` times the column's (weighted) standard deviation, around its mean also without an intercept;
        coefficients are on the scale of X. A column of one value has none, and is then not penalised.
    positive : bool, default False
        Only non-negative coefficients; not for several outputs.
    tol : float, default 1e-4
        A point is certified when its duality gap is at most `tol` times the mean square of the centred target; for
        other losses, times the loss a row of the model without columns, above the least that any predictors reach.
    max_iter : int, default 10,000
        Most epochs at one point.
    solver : {"auto", "cd", "prox_gradient"}, default "auto"
        Coordinate descent, or accelerated proximal gradient: the same certified answer. "auto" is "cd"; for squares on
        small dense data, Newton steps on the active columns. Several targets or classes have one method.
    n_jobs : int, optional
        Threads for taking X in and for passes over all of it, by scikit-learn's convention: None is 1 (or what a
        `joblib.parallel_config` says), -1 every core. The result is the same to the last digit.
    callback : callable, optional
        Called as `callback(i, n_points, alpha, n_nonzero)` after each point.
    max_seconds : float, optional
        Wall time after which no further point is begun; the point under way is finished, so that it may take longer.
    max_memory : int, optional
        Bytes of arrays held after a point, beside X, y and weights, after which no further one is begun; what counts
        is said in `cross_validate_path`.
    stop_when : callable, optional
        Called as `stop_when(alpha, n_nonzero, deviance_explained)` after each point; the path ends there if it returns
        something true. `PathResult.stopped` says which of these ended a path early.
    checkpoint : path, optional
        For rows in parts: a file that is written after each point. Where it is there already the path goes on behind
        its points, if they are of the same arguments and rows.

    Returns
    -------
    PathResult

    Raises
    ------
    ValueError
        For input that is not finite, of the wrong shape or out of range; the message names it.

    Warns
    -----
    ConvergenceWarning
        When points are not certified within `max_iter`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import regularization_path
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> path = regularization_path(X, [1.0, 3.0, 2.0, 0.0], alphas=3)
    >>> path.n_nonzero
    array([0, 2, 2])
    >>> bool(path.certified.all())
    True
    """
    check_number("l1_ratio", l1_ratio, low=0, high=1)
    check_number("eps", eps, low=0, high=1, open_low=True)
    kind, grid = as_path_loss(loss), check_alphas(alphas)
    options = replace(Options.checked(tol, max_iter, solver), keeps_dual=False)
    flags = {"fit_intercept": fit_intercept, "standardize": standardize, "positive": positive}
    check_flags(**flags)
    check_callback(callback, "i, n_points, alpha, n_nonzero")
    until = Until.checked(max_seconds, stop_when, max_memory)
    given = {"y": y, "sample_weight": sample_weight, "offset": offset}
    if isinstance(X, PartitionedRows):
        until.leave_out(X)
        over_rows = RowsSolver(problem_of_rows(X, kind, given, penalty_factor, flags), float(l1_ratio), options)
        grid = strengths_of(over_rows, grid, eps)
        if checkpoint is not None:
            asked = [penalty_factor, *map(float, (l1_ratio, *flags.values(), tol))]
            checkpoint = Checkpoint.of(checkpoint, X, str(kind), grid, *asked)
        return trace(over_rows, grid, callback=callback, until=until, checkpoint=checkpoint)
    if checkpoint is not None:
        raise ValueError(f"checkpoint={checkpoint!r} was passed beside rows in memory; leave it out.")
    # No name holds the problem here, so that what it knows of eliminated columns is freed.
    solver_, grid = path_solver(
        _problem(X, thread_count(n_jobs), kind, given, penalty_factor, flags, until),
        float(l1_ratio), grid, eps, options,
    )  # fmt: skip
    settings = flags | {"penalty_factor": penalty_factor, "has_offset": offset is not None}
    return replace(trace(solver_, grid, callback=callback, until=until), settings=settings)


def _problem(
    X: Any,
    n_threads: int,
    loss: Loss | Multinomial,
    given: dict[str, Any],
    penalty_factor: Any,
    flags: dict[str, bool],
    until: Until,
) -> Problem | OutputProblem:
    """The problem of `regularization_path` for rows in memory."""
    design = as_design(X, n_threads=n_threads)
    until.leave_out(design, given)
    targets = check_targets(loss, given["y"], given["offset"], design.n_rows, positive=flags["positive"])
    weights = check_weights(given["sample_weight"], design.n_rows)
    design, s, y, offset = count_weights(design, weights, *targets.vectors)
    factor = check_penalty_factor(penalty_factor, design.n_features)
    given = {"sample_weight": s, "offset": offset, "penalty_factor": factor}
    return targets.make(design, y, **given, fit_intercept=flags["fit_intercept"], standardize=flags["standardize"])


@overload
def path_solver(
    problem: Problem, l1_ratio: float, grid: int | Vector, eps: float, options: Options
) -> tuple[PathSolvers, Vector]: ...
@overload
def path_solver(
    problem: OutputProblem, l1_ratio: float, grid: int | Vector, eps: float, options: Options
) -> tuple[OutputSolver, Vector]: ...
def path_solver(
    problem: Problem | OutputProblem, l1_ratio: float, grid: int | Vector, eps: float, options: Options
) -> tuple[PathSolvers | OutputSolver, Vector]:
    """A solver for a path, and its strengths: `grid`, or so many spread geometrically from alpha_max to `eps *
    alpha_max`."""
    check_grid(grid, l1_ratio)
    solver: PathSolvers | OutputSolver
    if isinstance(problem, MultiTaskProblem):
        solver = MultiTaskSolver(problem, l1_ratio, options)
    elif isinstance(problem, MultinomialProblem):
        solver = MultinomialSolver(problem, l1_ratio, options)
    elif problem.loss.quadratic:
        problem, c = eliminate_columns(problem, l1_ratio, grid, eps)
        solver = PrefilteredSolver(problem, l1_ratio, options, c)
    else:
        problem, c = eliminate_for_loss(problem, l1_ratio, grid, eps)
        solver = LossPathSolver(problem, l1_ratio, options, c)
    return solver, strengths_of(solver, grid, eps)


def check_grid(grid: int | Vector, l1_ratio: float) -> None:
    """Refuse a number of strengths for ridge: none of them is the largest."""
    if isinstance(grid, int) and l1_ratio == 0.0:
        raise ValueError(
            "Automatic alpha grid generation is not supported for l1_ratio=0. Please supply a grid by providing your"
            " estimator with the appropriate `alphas=` argument."
        )


def strengths_of(solver: AnySolver, grid: int | Vector, eps: float) -> Vector:
    """`grid`, or so many strengths from the solver's alpha_max on."""
    check_grid(grid, solver.l1_ratio)
    if not isinstance(grid, int):
        return grid
    if not np.isfinite(alpha_max := solver.alpha_max()):
        raise ValueError(
            f"l1_ratio={solver.l1_ratio!r} is too small for a grid of alphas; increase it, or pass the strengths."
        )
    return alpha_grid(alpha_max, grid, eps)


def alpha_grid(alpha_max: float, n: int, eps: float) -> Vector:
    """`n` strengths spread geometrically from alpha_max to `eps * alpha_max`."""
    if alpha_max <= np.finfo(float).resolution:  # a constant target: any strength gives all zeros
        return np.full(n, np.finfo(float).resolution)
    return np.geomspace(alpha_max, alpha_max * eps, n)


def trace(
    solver: AnySolver,
    alphas: Vector,
    tol: float | None = None,
    callback: Callback | None = None,
    until: Until | None = None,
    checkpoint: Checkpoint | None = None,
) -> PathResult:
    """Solve at each of the strengths, in order; more closely than certified where `tol` is given. With a checkpoint
    (rows in parts) begin behind the points noted there, and note each."""
    points, seconds, stopped, start = list[Any](), list[float](), None, perf_counter()
    if checkpoint is not None:
        points, seconds = checkpoint.read()
        if 0 < len(points) < alphas.size and isinstance(solver, RowsSolver):
            solver.start_from(points[-1].coef)
    for i in range(len(points), alphas.size):
        spent = perf_counter() - start
        if until is not None and points and (stopped := until.reason(spent, float(alphas[i - 1]), points, solver)):
            break
        begin, alpha = perf_counter(), float(alphas[i])
        first = solver.solve_first if tol is None and isinstance(solver, PrefilteredSolver) else None
        points.append(solve_point(solver, alpha, tol) if first is None else first(alphas[i:]))
        seconds.append(perf_counter() - begin)
        if checkpoint is not None:
            checkpoint.write(points, seconds)
        if callback is not None:
            callback(i, alphas.size, alpha, points[-1].coef.w.size)
    result = collect(solver, alphas[: len(points)], points, np.array(seconds), stopped)
    warn_uncertified(solver.problem, result)
    return result


@overload
def solve_point(solver: PathSolvers | RowsSolver, alpha: float, tol: float | None) -> Solution: ...
@overload
def solve_point(solver: OutputSolver, alpha: float, tol: float | None) -> RowSolution: ...
def solve_point(solver: AnySolver, alpha: float, tol: float | None) -> Solution | RowSolution:
    """One strength, without its dual point, which takes as much memory as the coefficients."""
    found = solver.solve(alpha) if tol is None else solver.solve_closely(alpha, tol)
    return found._replace(dual=None) if isinstance(found, Solution) and found.dual is not None else found


def collect(
    solver: AnySolver, alphas: Vector, points: Sequence[Any], seconds: Vector, stopped: str | None = None
) -> PathResult:
    """The points solved at these strengths, as a path."""
    problem = solver.problem
    total = 2.0 * problem.null_loss or 1.0
    return PathResult(
        alphas=alphas,
        l1_ratio=solver.l1_ratio,
        coefs=(output_coefs if isinstance(points[0], RowSolution) else stack)(points, problem.design.n_features),
        intercepts=np.array([p.intercept for p in points]),
        dual_gaps=np.array([p.dual_gap for p in points]),
        gap_scale=problem.gap_scale,
        tol=solver.options.tol,
        n_iters=np.array([p.epochs for p in points], dtype=np.int64),
        seconds=seconds,
        deviance_explained=np.array([1.0 - p.deviance / total for p in points]),
        loss=str(problem.loss),
        link=problem.loss.link,
        classes=getattr(problem, "classes", None),
        stopped=stopped,
        n_products=np.array([p.products for p in points], dtype=np.int64),
        methods=tuple(p.method for p in points),
    )


def stack(points: Sequence[Solution], n_features: int) -> sp.csc_array:
    """Each point's coefficients as a sparse column, in order: by counting where that takes less than sorting."""
    indptr = np.cumsum([0, *(p.columns.size for p in points)])
    columns = np.concatenate([p.columns for p in points]).astype(np.int64)
    coefs = sp.csc_array((np.concatenate([p.coef.w for p in points]), columns, indptr), shape=(n_features, len(points)))
    return coefs.tocsr().tocsc() if coefs.nnz > n_features else coefs.sorted_indices()


def warn_uncertified(problem: Problem | RowsProblem | OutputProblem, result: PathResult) -> None:
    """Say so when points were left short of the tolerance."""
    if not result.certified.all():
        warn_points(result.dual_gaps, problem.gap_scale, result.tol, unit_of_gaps(result.loss), stacklevel=4)


def warn_points(gaps: Vector, scale: float, tol: float, unit: str, stacklevel: int = 3) -> None:
    """The same for the gaps of points, as shares of what `unit` names."""
    missed = np.flatnonzero(~(gaps <= tol * scale))
    if missed.size:
        from sklearn.exceptions import ConvergenceWarning  # scikit-learn takes a second to import, pandas with it

        worst = float(gaps[missed].max() / (scale or 1.0))
        warnings.warn(
            f"{missed.size} of {gaps.size} points did not reach tol={tol:g}; the largest duality gap is"
            f" {worst:.3g} of {unit}. Increase max_iter, or look only at stronger alphas.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )

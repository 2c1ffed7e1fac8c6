"""Degrees of freedom of a fitted model, in total and by block of columns, and the blocks' shares of the variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sparsereg.data.design import Design, as_design
from sparsereg.data.printed import Printed
from sparsereg.data.validation import check_number, check_penalty_factor, check_weights
from sparsereg.linear_model.input import checked_data
from sparsereg.linear_model.lasso import ElasticNet
from sparsereg.linear_model.ridge import Ridge
from sparsereg.objective.problem import Problem, make_problem
from sparsereg.objective.quadratic import MAX_UNPENALIZED
from sparsereg.ridge.degrees_of_freedom import ColumnGroups, probe_group_degrees
from sparsereg.ridge.direct import column_degrees
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.slabs import small_slabs
from sparsereg.ridge.solve import choose_method
from sparsereg.ridge.units import equilibrated

__all__ = [
    "DegreesOfFreedom",
    "block_shares",
    "degrees_of_every_target",
    "degrees_of_freedom",
    "has_degrees",
    "variance_shares",
]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# The standard error is then about a fifth of one probe's deviation, with a relative error of about a sixth.
PROBES = 20
DIRECT = ("gram", "dual", "svd")


@dataclass(frozen=True, eq=False, repr=False)
class DegreesOfFreedom(Printed):
    """Degrees of freedom of one target's coefficients. An unpenalised intercept, which has 1 more, is not counted.

    Attributes
    ----------
    total : float
        Of all columns.
    error : float
        Standard error of `total`; 0 where it is exact.
    blocks, block_errors : float64 arrays of shape (n_blocks,)
        The same by block; they sum to `total`.
    n_probes : int
        Random probes used; 0 where everything is exact.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import Ridge, degrees_of_freedom
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> found = degrees_of_freedom(Ridge(alpha=1.0).fit(X, [1.0, 3.0, 2.0, 0.0]), X)
    >>> round(found.total, 9), found.error, found.n_probes
    (1.0, 0.0, 0)
    """

    total: float
    error: float
    blocks: Vector
    block_errors: Vector
    n_probes: int

    def __repr__(self) -> str:
        how = f"+- {self.error:.2g}, by {self.n_probes} probes" if self.n_probes else "exact"
        blocks = f", {self.blocks.size} blocks" if self.blocks.size != 1 else ""
        return f"<DegreesOfFreedom: {self.total:.6g}, {how}{blocks}>"

    def __str__(self) -> str:
        """The total, and of several blocks each one's."""
        if self.blocks.size == 1:
            return repr(self)
        pairs = zip(self.blocks.tolist(), self.block_errors.tolist(), strict=True)
        rows = [f"{i:>5} {df:>12.6g}" + (f" +- {error:.2g}" if error else "") for i, (df, error) in enumerate(pairs)]
        return "\n".join([repr(self), "block           df", *rows])


def degrees_of_freedom(
    estimator: Any,
    X: Any,
    sample_weight: Any = None,
    *,
    target: int = 0,
    stops: Sequence[int] | None = None,
    n_probes: int | None = None,
    random_state: int = 0,
) -> DegreesOfFreedom:
    """Effective number of parameters of a fitted `Ridge`, `ElasticNet` or `Lasso`.

    For ridge: the trace of the hat matrix, `tr (Xc' S Xc + alpha V)^-1 Xc' S Xc`, with weights S, penalty factors V,
    and Xc centred if there is an intercept. For the lasso: the rank of the active columns (Tibshirani & Taylor
    2012), which is their number where they are independent; of more than 2,000, their number. For the elastic net: the
    trace over the active columns with the l2 part of the penalty (likewise); for ridge with `positive=True` likewise.

    Parameters
    ----------
    estimator : Ridge, ElasticNet or Lasso
        Fitted.
    X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        The X it was fitted on.
    sample_weight : float or array of shape (n,), optional
        The weights it was fitted with.
    target : int, default 0
        Which target, where there are several.
    stops : sequence of int, optional
        Where each block of columns ends, increasing, the last one p. By default all columns are one block.
    n_probes : int, optional
        Number of random probes for an estimate, at least 2. By default the trace is exact where the fit used a
        factorisation, at about seven times its cost, or where one of side 2,000 suffices; else it is estimated by 20
        probes, each of which costs about one fit.
    random_state : int, default 0
        Draws the probes.

    Returns
    -------
    DegreesOfFreedom

    Raises
    ------
    ValueError
        For another kind of estimator, and for X, weights, blocks or a target that do not match it.

    Warns
    -----
    ConvergenceWarning
        When iterations for the probes did not converge.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import Ridge, degrees_of_freedom
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> df = degrees_of_freedom(Ridge(alpha=1.0).fit(X, [1.0, 3.0, 2.0, 0.0]), X, stops=[1, 2])
    >>> round(df.total, 9), df.blocks
    (1.0, array([0.5, 0.5]))
    """
    _check_estimator(estimator)
    X = checked_data(estimator, X, reset=False)
    ends = _checked_stops(stops, estimator.n_features_in_)
    check_number("target", target, low=0, high=estimator.sparse_coef_.shape[0] - 1, integer=True)
    if n_probes is not None:
        check_number("n_probes", n_probes, low=2, integer=True)
    check_weights(sample_weight, X.shape[0])
    columns, _ = _coefficients(estimator, target)
    if _has_active_columns(estimator) and not columns.size:
        return _exact_degrees(columns, np.zeros(0), ends)
    if getattr(estimator, "l1_ratio", 0) == 1:
        return _exact_degrees(*_independent(estimator, X, sample_weight, target), ends)
    ridge = _ridge if isinstance(estimator, Ridge) else _elastic_net
    part = ridge(estimator, X, sample_weight, target)
    if not part.columns.size:
        return _exact_degrees(part.columns, np.zeros(0), ends)
    if n_probes is None and part.method != "cg":
        return _exact_degrees(part.columns, column_degrees(part.equations, part.alpha, part.method), ends)
    rng, groups = np.random.default_rng(random_state), ColumnGroups(_block_of(part.columns, ends), ends.size)
    return _estimated_degrees(probe_group_degrees(part.equations, part.alpha, groups, n_probes or PROBES, rng))


def degrees_of_every_target(estimator: Any, X: Any, sample_weight: Any, stops: Sequence[int]) -> list[DegreesOfFreedom]:
    """Degrees of freedom of every target; targets with the same trace share one computation."""
    _check_estimator(estimator)
    n_targets = estimator.sparse_coef_.shape[0]
    alphas: Any = range(n_targets)
    if not _has_active_columns(estimator):
        alphas = estimator._check_alpha(n_targets).tolist()
    by_alpha: dict[float, DegreesOfFreedom] = {}
    for target, alpha in enumerate(alphas):
        if alpha not in by_alpha:
            by_alpha[alpha] = degrees_of_freedom(estimator, X, sample_weight, target=target, stops=stops)
    return [by_alpha[alpha] for alpha in alphas]


def variance_shares(estimator: Any, X: Any, sample_weight: Any, target: int, stops: Sequence[int]) -> Vector:
    """Each block's share of the variance of the predictions: its covariance with them, over their variance.

    The shares sum to 1. A block whose covariance with the predictions is negative has a negative one. All are 0 where
    predictions are constant.

    Parameters
    ----------
    estimator, X, sample_weight, target, stops
        See `degrees_of_freedom`.
    """
    X = checked_data(estimator, X, reset=False)
    columns, values = _coefficients(estimator, target)
    ends = _checked_stops(stops, estimator.n_features_in_)
    return block_shares(as_design(X), columns, values, check_weights(sample_weight, X.shape[0]), ends)


def block_shares(design: Design, columns: Int, values: Vector, weights: Vector | None, ends: Int) -> Vector:
    """The same from coefficients `values` at `columns`; block b ends before column `ends[b]`."""
    w = np.zeros(design.n_cols)
    w[_positions(columns, design.columns)] = values
    predicted = np.zeros(design.n_rows)
    design.matrix.add_matvec(w, predicted)
    predicted -= np.average(predicted, weights=weights)
    variance = float(np.sum(predicted**2 if weights is None else weights * predicted**2))
    covariance = w * design.matrix.rmatvec(predicted if weights is None else weights * predicted)
    out = np.bincount(_block_of(design.columns, ends), weights=covariance, minlength=ends.size)
    return out / variance if variance > 0.0 else np.zeros(ends.size)


# ---- the ridge problem of an estimator -----------------------------------------------------------------------------


class RidgePart(NamedTuple):
    """A ridge problem on some columns of X (numbered as in X), and the method for their degrees of freedom."""

    columns: Int
    equations: NormalEquations
    alpha: float
    method: str


def _has_active_columns(estimator: Any) -> bool:
    """Whether some coefficients are 0, so that degrees of freedom are those of the active columns."""
    return isinstance(estimator, ElasticNet) or bool(estimator.positive)


def _ridge(estimator: Ridge, X: Any, sample_weight: Any, target: int) -> RidgePart:
    """The problem on all observed columns, or with `positive=True` on the active ones."""
    equations = estimator._equations(as_design(X), sample_weight)
    alpha = float(estimator._check_alpha(estimator.sparse_coef_.shape[0])[target])
    columns, method = equations.design.columns.astype(np.int64), estimator.method_
    if _has_active_columns(estimator):
        active, _ = _coefficients(estimator, target)
        factor = equations.factors_of_x[_positions(active, columns)]
        design = _select_columns(X, active)
        of_x = replace(equations, design=design, factor=factor[design.columns], units=None)
        equations = equilibrated(of_x)
        columns = active[equations.design.columns]
    alpha = float(equations.strengths(np.array(alpha)))
    return RidgePart(columns, equations, alpha, method if method in DIRECT else _method_by_counts(equations, alpha))


def _independent(estimator: ElasticNet, X: Any, sample_weight: Any, target: int) -> tuple[Int, Vector]:
    """The active columns, and each one's share of their rank; of more than 2,000, 1 each."""
    active, problem = _active_problem(estimator, X, sample_weight, target)
    if active.size > MAX_UNPENALIZED:
        return active, np.ones(active.size)
    part = _without_penalty(active, problem)
    if small_slabs(part.equations) is not None:
        shares = column_degrees(part.equations, part.alpha, part.method)
        return part.columns, np.ones(shares.size) if shares.size == round(shares.sum()) else shares
    directions = problem.quadratic.independent_directions(np.arange(problem.design.n_cols))
    if directions.shape[0] == directions.shape[1]:
        return active, np.ones(active.size)
    return active[problem.design.columns], np.sum(directions**2, axis=1)


def _without_penalty(active: Int, problem: Problem) -> RidgePart:
    """Least squares on the active columns."""
    design, rows = problem.design, problem.rows
    equations = NormalEquations(design, rows.s, problem.loss_rows.fit_intercept, np.zeros(design.n_cols))
    equations = equilibrated(equations)
    return RidgePart(active[equations.design.columns], equations, 0.0, "gram")


def _active_problem(estimator: ElasticNet, X: Any, sample_weight: Any, target: int) -> tuple[Int, Problem]:
    """The active columns, and the problem on them."""
    active, _ = _coefficients(estimator, target)
    factor = check_penalty_factor(estimator.penalty_factor, X.shape[1])
    design = _select_columns(X, active)
    problem = make_problem(
        design,
        np.zeros(design.n_rows),
        sample_weight=check_weights(sample_weight, design.n_rows),
        penalty_factor=None if factor is None else factor[active],
        fit_intercept=bool(estimator.fit_intercept),
        standardize=bool(estimator.standardize),
    )
    problem.quadratic.moments()  # refuses columns that could not be centred
    return active, problem


def _elastic_net(estimator: ElasticNet, X: Any, sample_weight: Any, target: int) -> RidgePart:
    """The problem on the active columns, at alpha = 1 with the l2 penalties of the summed objective as factors."""
    active, problem = _active_problem(estimator, X, sample_weight, target)
    design = problem.design
    scale, every = problem.weight_sum * estimator.alpha, np.arange(design.n_cols)
    _, l2 = problem.penalty.strengths(scale, estimator.l1_ratio, every)
    equations = equilibrated(NormalEquations(design, problem.rows.s, problem.loss_rows.fit_intercept, l2))
    return RidgePart(active[equations.design.columns], equations, 1.0, _method_by_counts(equations, 1.0))


def _method_by_counts(equations: NormalEquations, alpha: float) -> str:
    return choose_method(equations.summary, np.array([alpha])) if equations.design.n_cols else "gram"


def _coefficients(estimator: Any, target: int) -> tuple[Int, Vector]:
    """Columns and values of the coefficients that are not 0, in the order of the columns."""
    row = sp.csr_array(estimator.sparse_coef_)[[target]]
    row.sort_indices()
    kept = row.data != 0.0
    return row.indices[kept].astype(np.int64), row.data[kept].astype(np.float64)


def _select_columns(X: Any, columns: Int) -> Design:
    """`X[:, columns]` for increasing `columns`; nothing of length p is made."""
    if not sp.issparse(X) or X.format == "csc":
        narrow = X[:, columns]
    else:
        place = np.searchsorted(columns, X.indices)
        kept = np.append(columns, -1)[place] == X.indices
        indptr = np.concatenate([[0], np.cumsum(kept)])[X.indptr]
        narrow = sp.csr_array((X.data[kept], place[kept], indptr), shape=(X.shape[0], columns.size))
    design = as_design(narrow)
    _positions(columns, columns[design.columns])  # raises if one has no entry
    return design


def _positions(wanted: Int, columns: Int) -> Int:
    """The positions of `wanted` in `columns`, which are in any order."""
    order = np.argsort(columns)
    place = np.append(order, -1)[np.searchsorted(columns, wanted, sorter=order)]
    missing = np.append(columns, -1)[place] != wanted
    if missing.any():
        raise ValueError(
            f"X has no entry in column {wanted[missing][0]}, which has a coefficient; pass the X that the model was"
            " fitted on."
        )
    return place


# ---- checks and sums by block --------------------------------------------------------------------------------------


def has_degrees(estimator: Any) -> bool:
    """Whether degrees of freedom are computed for estimators of this kind."""
    return isinstance(estimator, (Ridge, ElasticNet))


def _check_estimator(estimator: Any) -> None:
    if not has_degrees(estimator):
        raise ValueError(
            f"estimator={type(estimator).__name__}: expected a fitted Ridge, ElasticNet or Lasso of this package;"
            " degrees of freedom are computed for no other."
        )
    check_is_fitted(estimator)
    if getattr(estimator, "early_stopping", False):
        raise ValueError(
            "early_stopping=True: the hat matrix of a stopped descent is not available; fit"
            " Ridge(alpha=model.equivalent_alpha_)."
        )


def _checked_stops(stops: Sequence[int] | None, n_features: int) -> Int:
    ends = np.asarray([n_features] if stops is None else stops, dtype=np.int64)
    if ends.ndim != 1 or not ends.size or ends[-1] != n_features or (np.diff(ends, prepend=0) < 0).any():
        raise ValueError(
            f"stops={stops!r}: expected the ends of blocks of columns, increasing, the last one {n_features}."
        )
    return ends


def _block_of(columns: Int, ends: Int) -> Int:
    return np.searchsorted(ends, columns, side="right")


def _exact_degrees(columns: Int, used: Vector, ends: Int) -> DegreesOfFreedom:
    blocks = np.bincount(_block_of(columns, ends), weights=used, minlength=ends.size).astype(np.float64)
    return DegreesOfFreedom(float(blocks.sum()), 0.0, blocks, np.zeros(ends.size), 0)


def _estimated_degrees(probes: NDArray[np.float64]) -> DegreesOfFreedom:
    root = np.sqrt(len(probes))
    total, blocks = probes.sum(axis=1), probes.mean(axis=0)
    errors = probes.std(axis=0, ddof=1) / root
    return DegreesOfFreedom(float(blocks.sum()), float(total.std(ddof=1) / root), blocks, errors, len(probes))

"""Which columns are proved zero at the exact optimum, by a sphere around the residual (Fercoq et al. 2015, Gap Safe).

With G an upper bound on `S (F(w) - min F)`, a loss of curvature at most L, `rho` the weighted residual and rho* that of
the optimum, smoothness gives `sum_i (rho_i - rho*_i)^2 / s_i <= 2 L G`; the l2 part of the penalty adds
`sum_j l2_j (w_j - w*_j)^2`. By Cauchy-Schwarz the gradient of column j moves by at most
`sqrt(2 G) sqrt(L |x_j|_s^2 + l2_j)`, with x_j centred where there is an intercept. A column whose gradient stays below
its threshold all the same is 0 at every optimum.

Curvatures that are an exponential of the predictor, as those of Poisson and gamma losses, have no bound L. With h those
at w, d the differences of the slopes, `phi(u) = (1 + u) log(1 + u) - u` and its conjugate `psi(v) = exp(v) - 1 - v`,
the Bregman divergence of the loss from the optimum to w is `sum_i s_i h_i phi(d_i / h_i) <= G`. For any lambda > 0 then
`lambda sum_i s_i x_i d_i <= G + sum_i s_i h_i psi(lambda x_i)`, and the best lambda gives Bernstein's bound
`sqrt(2 G sum_i s_i h_i x_i^2) + G max |x_i| / 3`. With an intercept `sum_i s_i d_i = 0`, so that x_j may be centred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import as_design
from sparsereg.objective.problem import Coefficients, Problem, make_problem
from sparsereg.report.samples import Sample, loss_of

if TYPE_CHECKING:
    from sparsereg.results import PathResult

__all__ = ["count_undecided", "proved_zero"]

Vector = NDArray[np.float64]

# Largest difference of the deviance explained by the rows of the fit, computed twice.
_TOLERANCE = 1e-5
# What a difference of squares may lose.
_ROUNDING = 1e-14


def count_undecided(path: PathResult, sample: Sample, points: Sequence[int], output: int = 0) -> list[int] | None:
    """For some points, the columns that are neither active nor proved zero.

    None where it cannot be known: the path does not say which objective it had, has several outputs, or its loss has
    curvatures that are neither bounded nor exponential. Two passes over X a point.
    """
    settings = path.settings
    if (
        len(path.outputs) > 1
        or settings is None
        or bool(settings.get("has_offset")) != (sample.offset is not None)
        or not (math.isfinite(loss_of(path).curvature_bound) or loss_of(path).exponential)
    ):
        return None
    arguments = {name: settings[name] for name in ("penalty_factor", "fit_intercept", "standardize", "positive")}
    arguments["offset"] = None if sample.offset is None else sample.offset_of(slice(None), 0)[:, 0]
    problem = make_problem(as_design(sample.X), sample.y, loss=path.loss, sample_weight=sample.weight, **arguments)
    columns = problem.design.columns
    order = np.argsort(columns)
    counts = []
    for k in points:
        active, w = path.point(k, output)
        place = order[np.searchsorted(columns, active, sorter=order)]
        coef = Coefficients(place, w.astype(np.float64)).nonzero()
        is_zero = proved_zero(problem, coef, float(path.alphas[k]), path.l1_ratio, float(path.dual_gaps[k]))
        if path.deviance_explained is not None:
            _check_rows(problem, coef, k, float(path.deviance_explained[k]))
        is_zero[coef.cols] = True
        counts.append(int((~is_zero).sum()))
    return counts


def proved_zero(problem: Problem, coef: Coefficients, alpha: float, l1_ratio: float, gap: float) -> NDArray[np.bool_]:
    """Whether each column of the design is 0 at every optimum, given coefficients and a bound on their gap."""
    every = np.arange(problem.design.n_cols)
    if not math.isfinite(gap):
        return np.zeros(every.size, dtype=np.bool_)
    l1, l2 = problem.penalty.strengths(problem.weight_sum * alpha, l1_ratio, every)
    c = problem.loss_rows.evaluate(coef).c
    c[coef.cols] -= l2[coef.cols] * coef.w
    return problem.penalty.dual_magnitude(c) + _reach(problem, coef, max(problem.weight_sum * gap, 0.0), l2) < l1


def _reach(problem: Problem, coef: Coefficients, gap: float, l2: Vector) -> Vector:
    """How far the gradient of each column is from that of any optimum, at most; `gap` is that of `S F`."""
    if not problem.loss.exponential:
        sq_norm = np.maximum(problem.quadratic.moments().centered_sq_norm, 0.0)
        return math.sqrt(2.0 * gap) * np.sqrt(problem.loss.curvature_bound * sq_norm + l2)
    rows = problem.loss_rows
    h = problem.loss.curvature(rows.rows.y, rows.predictor(coef)[0])
    h = h if rows.rows.s is None else rows.rows.s * h
    found = problem.design.column_stats(h)
    mean = found.sums / h.sum() if rows.fit_intercept else np.zeros(found.sums.size)
    sq_norm = np.maximum(found.sq_norm - h.sum() * mean**2, 0.0) + _ROUNDING * found.sq_norm
    return np.sqrt(2.0 * gap * (sq_norm + l2)) + gap * (found.max_abs + np.abs(mean)) / 3.0


def _check_rows(problem: Problem, coef: Coefficients, point: int, expected: float) -> None:
    """Raise a ValueError where the rows are not those of the fit, by the deviance that they give."""
    if not problem.null_loss > 0.0:
        return
    least = 0.0 if problem.loss.quadratic else problem.loss_rows.saturated()
    found = 1.0 - (problem.loss_rows.total(coef) - least) / problem.null_loss
    if abs(found - expected) > _TOLERANCE:
        raise ValueError(
            f"X and y give a deviance explained of {found:.6g} at point {point}, but the fit had {expected:.6g}; pass "
            "the rows that the path was fitted on, with their weights."
        )

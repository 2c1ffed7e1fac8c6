"""Degrees of freedom of each column in ridge, the diagonal of `H^-1 Xc' S Xc`, estimated by random probes of the
columns.

A column's share lies between 0 (shrunk to nothing) and 1 (as in least squares). The shares sum to the trace of the
hat matrix `S^1/2 Xc H^-1 Xc' S^1/2`, the degrees of freedom of the fit without its intercept (Hastie, Tibshirani &
Friedman 2009, "The Elements of Statistical Learning", equation 3.50). For a singular H its pseudo-inverse is used.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.solve import SolverSettings, solve_ridge

__all__ = ["ColumnGroups", "probe_group_degrees"]

Vector = NDArray[np.float64]

# Probes are solved to this relative gradient, which makes their error small beside their scatter.
SHARE_TOL = 1e-6
SHARE_MAX_ITER = 10_000
# Probes solved together: each holds a few vectors over rows and columns, and each batch makes a preconditioner.
PROBE_BATCH = 4
# A column with more than this many times the median curvature is scaled down to it in a probe, which it would
# dominate otherwise.
LARGE_CURVATURE = 1e6


class ColumnGroups(NamedTuple):
    """The group of each observed column, counted from 0, and the number of groups."""

    of: NDArray[np.int64]
    n: int


def probe_group_degrees(
    equations: NormalEquations, alpha: float, groups: ColumnGroups, n_probes: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Unbiased estimates, of shape (n_probes, n_groups), of the degrees of freedom of each group of columns.

    A probe z of random signs has `E z_j (A z)_j = A_jj` for any A (Hutchinson 1989). `A = P^1/2 H^-1 Xc' S Xc
    P^-1/2`, P the penalty, has the diagonal that is wanted and is symmetric, which makes the variance least. For
    columns without penalty, P is their curvature. With `x = P^-1/2 z`, `H^-1 Xc' S Xc x` is ridge fitted to the
    target X x.

    Warns
    -----
    ConvergenceWarning
        If probes were not solved to the tolerance.
    """
    n_cols = groups.of.size
    penalty = alpha * equations.factor
    weight = np.where(penalty > 0.0, penalty, equations.diagonal)
    median = float(np.median(equations.diagonal))
    if median > 0.0:
        weight *= np.maximum(1.0, equations.diagonal / (LARGE_CURVATURE * median))
    weight /= weight.max(initial=0.0) or 1.0
    scale = np.divide(1.0, np.sqrt(weight), out=np.zeros(n_cols), where=weight > 0.0)
    sums, worst = np.empty((n_probes, groups.n)), 0.0
    settings = SolverSettings("cg", SHARE_TOL, SHARE_MAX_ITER)
    for begin in range(0, n_probes, PROBE_BATCH):
        probes = [scale * rng.choice((-1.0, 1.0), n_cols) for _ in range(min(PROBE_BATCH, n_probes - begin))]
        targets = np.stack([equations.product(x) for x in probes]).T
        found = solve_ridge(equations, targets, np.full(len(probes), alpha), settings)
        for k, (x, solution) in enumerate(zip(probes, found, strict=True)):
            sums[begin + k] = np.bincount(groups.of, weights=weight * x * solution.w, minlength=groups.n)
            worst = max(worst, solution.gradient_norm)
    if worst > 10 * SHARE_TOL:
        _warn(worst)
    return sums


def _warn(worst: float) -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"Degrees of freedom: a random probe was solved to a relative gradient of {worst:.3g} instead of {SHARE_TOL:g};"
        " the estimate may be off by more than its standard error. Increase alpha.",
        ConvergenceWarning,
        stacklevel=2,
    )

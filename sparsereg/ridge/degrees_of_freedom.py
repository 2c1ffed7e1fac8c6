"""Degrees of freedom of ridge by random probes: traces of the hat matrix along a path, and the share of each column
at one alpha.

For a vector z of random signs, `z_j (A z)_j` has the mean A_jj (Hutchinson 1989). The hat matrix without the
intercept is `A = S^1/2 Xc H^-1 Xc' S^1/2`; its trace is the degrees of freedom without the intercept's (Hastie,
Tibshirani & Friedman 2009, "The Elements of Statistical Learning", equation 3.50). For a singular H its
pseudo-inverse is used.

**Traces.** `u' A u = b' w`, where w is ridge fitted to the target `S^-1/2 u`. So a probe is a target like any other,
and one reduced basis serves all its strengths. If w is the combination of the basis that is best in energy, `b' w` is
too small by `g' H^-1 g`, which is of second order in the gradient. The combination with the least gradient misses no
less, so its gap is a bound. Probes are therefore solved loosely.

The error of the mean of m probes is bounded without their scatter. The variance of `u' B u` is at most `2
trace(B^2)`, hence `2 c trace(B)` if no eigenvalue of B exceeds c. The eigenvalues of A are `sigma / (sigma + alpha)`,
with the same vectors at every alpha. They are below 1. Differences between two alphas all have one sign and are at
most `tanh(|log(alpha / alpha')| / 4)`. So neighbouring strengths are compared far more precisely than either trace is
known, and one probe may suffice for many rows.

**Columns.** The diagonal of `H^-1 Xc' S Xc` has the same sum. A column's share lies between 0 (shrunk to nothing) and
1 (as in least squares).
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.path import solve_path
from sparsereg.ridge.preconditioners.choose import PreconditionerFactory
from sparsereg.ridge.sketched_basis import StoppingRule
from sparsereg.ridge.solve import SolverSettings, solve_ridge

__all__ = ["SURE", "ColumnGroups", "difference_error", "probe_group_degrees", "probe_traces", "trace_error"]

Vector = NDArray[np.float64]

# A probe is solved until the bound on what it misses is at most this share of its value (its true error is less), or
# to this relative gradient. The first decides at strong penalties, where gradients say little, the second at weak
# ones.
PROBE_GAP_SHARE, PROBE_TOL = 3e-3, 3e-3
# In units of curvature the relative gradient may be so many times larger: what a probe misses is nearly its square.
PROBE_UNIT_RATIO = 10.0
# No error is expected to exceed so many standard errors.
SURE = 3.0
# Probes of columns are solved to this relative gradient, which makes their error small beside their scatter.
SHARE_TOL = 1e-6
SHARE_MAX_ITER = 10_000
# Probes solved together: each holds a few vectors over rows and columns, and each batch makes a preconditioner.
PROBE_BATCH = 4
# A column with more than this many times the median curvature is scaled down to it in a probe, which it would
# dominate otherwise.
LARGE_CURVATURE = 1e6


def probe_traces(
    equations: NormalEquations,
    alphas: Vector,
    n_probes: int,
    rng: np.random.Generator,
    max_iter: int,
    shared: PreconditionerFactory | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Estimates of the trace of the hat matrix, and bounds on how much the probes' inexact solutions lower them.

    Both have shape (n_probes, k). The k alphas must be positive. `max_iter` and `shared` are those of `solve_path`.
    """
    root = equations.root_weights
    stop = StoppingRule(PROBE_TOL, max_iter, PROBE_GAP_SHARE, PROBE_UNIT_RATIO)
    traces, missing = np.empty((2, n_probes, alphas.size))
    for k in range(n_probes):
        u = np.divide(rng.choice((-1.0, 1.0), root.size), root, out=np.zeros(root.size), where=root > 0.0)
        found = solve_path(equations, u, alphas, stop, shared)
        traces[k], missing[k] = found.explained, found.dual_gaps
    return traces, missing


def trace_error(trace: Vector, n_probes: int, largest: float | Vector = 1.0) -> Vector:
    """Upper bounds on the standard errors of k traces, each the mean of `n_probes` estimates; 0 probes for exact
    traces.

    `trace` holds the means, not negative; a mean that is too small by chance is allowed for. No eigenvalue exceeds
    `largest`.
    """
    if not n_probes:
        return np.zeros_like(trace)
    root = np.sqrt(2.0 * largest / n_probes)  # the standard error is at most this times the root of the true trace
    return np.asarray(root * (SURE * root + np.sqrt((SURE * root) ** 2 + 4.0 * trace)) / 2.0)


def difference_error(trace: Vector, alphas: Vector, k: int, n_probes: int) -> Vector:
    """The same for the differences of all traces from the k-th, estimated by the same probes."""
    apart = np.tanh(np.abs(np.log(alphas / alphas[k])) / 4.0)
    return trace_error(np.abs(trace - trace[k]), n_probes, apart)


class ColumnGroups(NamedTuple):
    """The group of each observed column, counted from 0, and the number of groups."""

    of: NDArray[np.int64]
    n: int


def probe_group_degrees(
    equations: NormalEquations, alpha: float, groups: ColumnGroups, n_probes: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Unbiased estimates, of shape (n_probes, n_groups), of the degrees of freedom of each group of columns.

    `A = P^1/2 H^-1 Xc' S Xc P^-1/2`, P the penalty, has the diagonal that is wanted and is symmetric, which makes the
    variance least. For columns without penalty, P is their curvature. With `x = P^-1/2 z`, `H^-1 Xc' S Xc x` is ridge
    fitted to the target X x.

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

"""How much of each column ridge uses, by random probes: the diagonal of `H^-1 Xc' S Xc`. Knows no estimators.

`H = Xc' S Xc + alpha V` as in `system`. A column's share lies between 0 (penalised away) and 1 (as in least squares); their sum is the
trace of the hat matrix `S^1/2 Xc H^-1 Xc' S^1/2`, the degrees of freedom of the fit without its intercept (Hastie, Tibshirani &
Friedman 2009, "The Elements of Statistical Learning", equation 3.50). Where H is singular its pseudo-inverse is meant.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.solve import Plan, solve_ridge

__all__ = ["Groups", "probed_shares"]

Vector = NDArray[np.float64]

# The relative gradient probes are solved to, so that what is left is far below the spread of the probes.
TOL = 1e-6
MAX_ITER = 10_000
# Probes at a time: each holds some vectors of rows and columns; and each batch makes a preconditioner.
BATCH = 4
# Columns of more than so many times the usual curvature are scaled down to that in a probe, or it would be about them alone.
LARGE = 1e6


class Groups(NamedTuple):
    """The group of each observed column, counted from 0, and how many groups there are."""

    of: NDArray[np.int64]
    n: int


def probed_shares(
    X: Any, equations: NormalEquations, alpha: float, groups: Groups, n_probes: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Unbiased estimates of the sum of the shares over each group of columns, one row a probe.

    A probe z of random signs has `E z_j (A z)_j = A_jj` for any A (Hutchinson 1989). A is taken as `P^1/2 H^-1 Xc' S Xc P^-1/2` with P the
    penalty, which has the same diagonal and is symmetric, so that the estimate scatters least; columns that are not penalised are
    scaled by their length. With `x = P^-1/2 z`, `H^-1 Xc' S Xc x` is ridge fitted to the target X x.

    Parameters
    ----------
    X : CSR or CSC matrix, or dense array
        The matrix that `equations.design` was made from.
    equations : NormalEquations
    alpha : float
    groups : Groups
    n_probes : int
    rng : numpy.random.Generator

    Returns
    -------
    float64 array of shape (n_probes, n_groups)

    Warns
    -----
    ConvergenceWarning
        When probes could not be solved as closely as it takes.
    """
    n_cols = groups.of.size
    penalty = alpha * equations.factor
    weight = np.where(penalty > 0.0, penalty, equations.diagonal)
    usual = float(np.median(equations.diagonal))
    if usual > 0.0:
        weight *= np.maximum(1.0, equations.diagonal / (LARGE * usual))
    weight /= weight.max(initial=0.0) or 1.0
    scale = np.divide(1.0, np.sqrt(weight), out=np.zeros(n_cols), where=weight > 0.0)
    sums, worst = np.empty((n_probes, groups.n)), 0.0
    for begin in range(0, n_probes, BATCH):
        probes = [scale * rng.choice((-1.0, 1.0), n_cols) for _ in range(min(BATCH, n_probes - begin))]
        targets = np.stack([equations.product(x) for x in probes]).T
        plan = Plan("cg", TOL, MAX_ITER)
        found = solve_ridge(X, equations, targets, np.full(len(probes), alpha), plan)
        for k, (x, solution) in enumerate(zip(probes, found, strict=True)):
            sums[begin + k] = np.bincount(groups.of, weights=weight * x * solution.w, minlength=groups.n)
            worst = max(worst, solution.gradient_norm)
    if worst > 10 * TOL:
        _warn(worst)
    return sums


def _warn(worst: float) -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"Degrees of freedom: a random probe was solved to a relative gradient of {worst:.3g} only, of {TOL:g} asked for, so the"
        " estimate may be off by more than its standard error. Increase alpha.",
        ConvergenceWarning,
        stacklevel=2,
    )

"""A check of a Gram matrix that a user passes in. The solvers do not need it, but a wrong one is a mistake worth telling."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.objective.problem import Coefficients, Problem

__all__ = ["check_gram"]


def check_gram(gram: Any, problem: Problem, Xy: Any = None) -> None:
    """Raise ValueError unless `gram` is True, False or the Gram matrix of X (rows weighted to sum to n).

    An array is compared with X by its diagonal and by one random combination of its columns, which finds any mistake; so
    the cost is a pass over X and one over the Gram, not a product of all pairs. `Xy`, if given, must be X'y."""
    if isinstance(gram, (bool, np.bool_, str)):
        return
    p = problem.design.n_features
    given = np.asarray(gram)
    if given.shape != (p, p) or given.dtype.kind not in "fiu" or not np.isfinite(given).all():
        raise ValueError(
            f"precompute has shape {given.shape} and dtype {given.dtype}; expected a finite Gram matrix ({p}, {p})."
        )
    share = problem.y.size / problem.weight_sum

    def weighted(z: NDArray[np.float64]) -> NDArray[np.float64]:
        return z if problem.s is None else problem.s * z

    every, stats = problem.design.columns, problem.stats()
    if problem.fit_intercept and not np.allclose(stats.sums / problem.weight_sum, 0.0):
        warnings.warn(
            "Gram matrix was provided but X was centered to fit intercept: recomputing Gram matrix.",
            UserWarning,
            stacklevel=3,
        )
        return
    v = np.random.default_rng(0).uniform(0.5, 1.0, p)
    r = problem.predictor(Coefficients(np.arange(every.size), v[every]))
    diagonal, product = np.zeros(p), np.zeros(p)
    diagonal[every] = stats.sq * share
    product[every] = problem.gradient(weighted(r)) * share
    size = np.sqrt(diagonal)
    rtol = 1e-4 if np.float32 in (given.dtype, problem.design.dtype) else 1e-7
    _compare("its diagonal", np.diag(given), diagonal, rtol * diagonal + 1e-5)
    _compare("a combination of its columns", given @ v, product, rtol * size * (size @ v) + 1e-5)
    if Xy is not None:
        wanted = np.zeros(p)
        wanted[every] = problem.gradient(problem.target()) * share
        bound = size * np.sqrt(problem.null_deviance * share)
        _compare("Xy", np.asarray(Xy, dtype=np.float64).ravel(), wanted, rtol * bound + 1e-5)


def _compare(what: str, given: NDArray[Any], wanted: NDArray[Any], tolerance: NDArray[Any]) -> None:
    if given.shape != wanted.shape:
        raise ValueError(f"Xy has shape {given.shape}; expected {wanted.shape}.")
    wrong = np.flatnonzero(np.abs(given - wanted) > tolerance)
    if wrong.size:
        j = int(wrong[0])
        raise ValueError(
            f"Gram matrix passed in via 'precompute' parameter did not pass validation: {what} is {given[j]:.6g} at column {j},"
            f" but X gives {wanted[j]:.6g}. Compute it as X.T @ X on the X that is passed."
        )

"""What follows from a fit: degrees of freedom, and the scores of left-out rows."""

from __future__ import annotations

import warnings

import numpy as np

import sparsereg
from differential.active_set import Factor, Real, factor_of, norm
from differential.calls import Answer
from differential.failure import Failure
from differential.oracle import Data
from differential.problems import Problem

# Relative errors from which on a number is wrong, not rounded.
WRONG_SCORE, WRONG_TRACE = 1e-2, 1e-4
# Columns that are others to so many digits, or sums of several, may count as dependent.
UNDECIDED, UNDECIDED_SINGLE = 1e-9, 1e-7
# Rounding of the sums of long doubles below.
ROUNDING = 64 * float(np.finfo(np.longdouble).eps)


def examine(problem: Problem, answer: Answer) -> list[Failure]:
    """Everything that is wrong with what follows."""
    if getattr(answer.fitted, "cv_method_", "").startswith("loo"):
        return _left_out(problem, answer)
    if problem.entry in ("Lasso", "ElasticNet", "Ridge") and problem.solver == "auto":
        return _degrees(problem, answer)
    return []


def basis(data: Data, l2: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """The rows of Q that belong to the data, of weighted columns above the square roots of their penalties."""
    factor = _factor(data, l2, cols)
    return factor.Q[: len(data.s), : factor.size]


def _factor(data: Data, l2: np.ndarray, cols: np.ndarray) -> Factor:
    root = np.sqrt(data.s)[:, None] * data.Xc[:, cols]
    A = np.vstack([root, np.diag(np.sqrt(l2[cols]))])
    length = np.array([norm(a) for a in A.T], dtype=Real)
    return factor_of(A[:, length > 0] / length[length > 0])[0]


def _left_out(problem: Problem, answer: Answer) -> list[Failure]:
    if problem.y.ndim > 1 or not answer.scores_known:
        return []
    data = problem.data()
    if np.count_nonzero(data.s) < 2:
        return []
    cols = np.flatnonzero(np.any(data.Xc != 0, axis=0))
    scores = np.atleast_1d(answer.fitted.cv_scores_)
    for alpha, score in zip(problem.alphas, scores, strict=True):
        Q = basis(data, np.full(data.X.shape[1], Real(alpha)), cols)
        z = np.sqrt(data.s) * data.yc
        left = 1 - np.sum(Q**2, axis=1) - (data.s / data.total if problem.intercept else 0)
        counts = data.s > 0
        if (left[counts] <= ROUNDING).any() or not data.null:
            continue
        e = (z - Q @ (Q.T @ z))[counts] / left[counts]
        unknown = ROUNDING * (norm(z) + np.abs(e)) / left[counts]
        if not np.sum((2 * np.abs(e) + unknown) * unknown) < WRONG_SCORE / 10 * np.sum(e * e):
            continue
        true = -float(np.sum(e * e) / len(z))
        if abs(score - true) > WRONG_SCORE * abs(true):
            way = answer.fitted.cv_method_
            return [Failure("left-out score", f"{way}: {score:.6g}, true {true:.6g} at alpha {alpha!r}")]
    return []


def _degrees(problem: Problem, answer: Answer) -> list[Failure]:
    model = answer.fitted
    if getattr(model, "method_", "") == "cg":
        return []
    data, w = problem.data(), np.atleast_2d(model.coef_)[0]
    cols = np.flatnonzero(w) if not problem.is_ridge or problem.positive else np.arange(w.size)
    v = np.ones(w.size) if problem.factor is None else problem.factor
    sigma = data.deviations if problem.standardize else 1
    scale = Real(1) if problem.is_ridge else data.total * (1 - Real(problem.l1_ratio))
    l2 = Real(problem.alphas[0]) * scale * v * sigma**2
    factor = _factor(data, l2, cols)
    true = float(np.sum(factor.Q[: len(data.s), : factor.size] ** 2))
    limit = UNDECIDED_SINGLE if problem.X.dtype == np.float32 else UNDECIDED
    triangle = factor.R[: factor.size, : factor.size]
    singular = np.linalg.svd(np.triu(triangle).astype(np.float64), compute_uv=False)
    undecided = max(int(np.sum(np.abs(np.diag(triangle)) < limit)), int(np.sum(singular < limit)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = sparsereg.degrees_of_freedom(model, problem.X, problem.weights)
        except Exception as error:  # noqa: BLE001
            return [Failure("degrees of freedom", f"{type(error).__name__}: {error}")]
    allowed = WRONG_TRACE * (1 + true) + 4 * found.error
    if -allowed - undecided <= found.total - true <= allowed:
        return []
    return [Failure("degrees of freedom", f"{found.total:.8g} (error {found.error:.2g}), true {true:.8g}")]

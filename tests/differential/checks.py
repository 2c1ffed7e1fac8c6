"""What an answer must satisfy. Every failure is of a kind, and says by how much.

Rounding is allowed for as `Data.rounding` states: 32 eps of sums of squares whose terms do not cancel (of centred
columns, where there is an intercept), and an intercept rounded to its last digits in double precision. Whatever single
precision adds belongs to the claim, as does every digit lost to far means.
"""

from __future__ import annotations

import numpy as np

from differential import derived
from differential.active_set import Real, norm
from differential.calls import Answer, Claim, Hang, arrays_of, ask
from differential.failure import Failure
from differential.oracle import EPS, Data, Minimum, minimise, value
from differential.problems import Problem

# Beyond the rounding that is allowed for: the arithmetic of the claim itself.
SLACK = 1e-6
# Ridge's coefficients are "about as accurate as tol".
ABOUT = 10.0
# Iterative ridge stops at this share of tol.
SHARE = 1e-2
# A fit that ends so many times above its tolerance did not converge slowly, but not at all.
STALLED = 10.0
# A coefficient that moves no prediction by more than this share is dust: of the largest move, or of the target where
# larger ones cancel. Rounding is less than that.
DUST = 1e-13


def examine(problem: Problem) -> list[Failure]:
    """Everything that is wrong with the answer to a problem."""
    before = [a.tobytes() for a in arrays_of(problem)]
    answer = ask(problem)
    found = []
    if before != [a.tobytes() for a in arrays_of(problem)]:
        found.append(Failure("input changed", ""))
    found += [Failure("stray warning", text) for text in answer.stray[:1]]
    if answer.error is not None:
        kind = "refused" if isinstance(answer.error, ValueError) else "error"
        if kind == "refused" and not _may_be_refused(problem, str(answer.error)):
            found.append(Failure(kind, str(answer.error)))
        elif isinstance(answer.error, Hang):
            found.append(Failure("hang", str(answer.error)))
        elif kind == "error":
            found.append(Failure(kind, f"{type(answer.error).__name__}: {answer.error}"))
        return found
    for claim in answer.claims:
        found += _judge(problem, answer, claim)
    if not found:
        found += derived.examine(problem, answer)
    unique: dict[str, Failure] = {}
    for failure in found:
        unique.setdefault(failure.kind, failure)
    return list(unique.values())


def _may_be_refused(problem: Problem, message: str) -> bool:
    """Numbers whose squares leave double precision, and what a solver by name says it cannot do."""
    if (
        problem.features & {"tiny", "units", "scale", "heavy", "weights_far"}
        and "too " in message
        and "scale" in message
    ):
        return True
    if "none can be left out" in message or ("leave-one-out needs 2" in message and _rows_that_count(problem) < 2):
        return True
    by_name = problem.solver in ("dual", "svd", "gram") or "CV" in problem.entry
    return (by_name and ("unpenalised" in message or "penalty_factor" in message)) or "too few rows" in message


def _rows_that_count(problem: Problem) -> int:
    return np.shape(problem.X)[0] if problem.weights is None else int(np.count_nonzero(problem.weights))


def _judge(problem: Problem, answer: Answer, claim: Claim) -> list[Failure]:
    numbers = [*claim.w.ravel(), claim.b0, claim.alpha]
    if not np.isfinite(numbers).all() or any(np.isnan(v) for v in (claim.gap, claim.gradient) if v is not None):
        return [Failure("not finite", f"w={claim.w} b0={claim.b0} gap={claim.gap} gradient={claim.gradient}")]
    data = problem.data(claim.target)
    return (_judge_ridge if problem.is_ridge else _judge_lasso)(problem, answer, claim, data)


def strengths(problem: Problem, data: Data, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """l1 and l2 of each column, beside half the (unnormalised) sum of squares."""
    v = np.ones(data.X.shape[1], dtype=Real) if problem.factor is None else problem.factor.astype(Real)
    if problem.is_ridge:
        return np.zeros_like(v), Real(alpha) * v
    sigma = data.deviations if problem.standardize else np.ones_like(v)
    total = data.total * Real(alpha)
    l1_ratio = Real(problem.l1_ratio)
    return total * l1_ratio * v * sigma, total * (1 - l1_ratio) * v * sigma**2


def _judge_lasso(problem: Problem, answer: Answer, claim: Claim, data: Data) -> list[Failure]:
    l1, l2 = strengths(problem, data, claim.alpha)
    w, found = claim.w.astype(Real), []
    least = minimise(data, l1, l2, problem.positive)
    excess = float((value(data, w, claim.b0, l1, l2) - least.value) / data.total)
    allowed = data.rounding(w, claim.b0, l1, l2) / float(data.total)
    if _out_of_reach(data, least.w, excess):
        allowed = np.inf
    goal = problem.tol * float(data.null / data.total)
    numbers = f"gap {claim.gap:.3g}, true {excess:.3g}, asked {goal:.3g}, rounding {allowed:.1g}, alpha {claim.alpha!r}"
    if claim.gap * (1 + SLACK) + allowed < excess:
        found.append(Failure("false certificate", numbers))
    if answer.converged and excess > goal * (1 + SLACK) + allowed:
        found.append(Failure("silent miss", numbers))
    elif answer.converged and claim.gap > goal * (1 + SLACK) + allowed:
        found.append(Failure("silent claim above tol", numbers))
    if not answer.converged and excess > STALLED * goal + allowed and problem.solver == "auto":
        found.append(Failure("stalled", numbers))
    if not answer.converged and len(answer.claims) == 1 and claim.gap <= goal:
        found.append(Failure("needless warning", numbers))
    if problem.positive and (claim.w < 0).any():
        found.append(Failure("negative", numbers))
    return found + _dust(claim, data, l1, l2)


def _out_of_reach(data: Data, w: np.ndarray, excess: float) -> bool:
    """Whether the predictions at the minimum, `b0 + X w`, cannot be had in double precision: unpenalized columns that
    are copies but for their last digits cancel there, at coefficients of 10^11, and the rounding of a term is more than
    the excess. Whether such columns are dependent cannot be told from their values."""
    terms = EPS * (np.abs(data.X) @ np.abs(w))
    return float(data.s @ terms**2) > excess * float(data.total) > 0.0


def _dust(claim: Claim, data: Data, l1: np.ndarray, l2: np.ndarray) -> list[Failure]:
    """Non-zero coefficients of columns that hold nothing, or that are nothing but rounding to the objective."""
    length = np.sqrt(data.s @ data.Xc**2 + l2)
    moved = np.abs(claim.w.astype(Real)) * length
    size = min(moved.max(initial=0), np.sqrt(data.null))
    dust = (claim.w != 0) & (moved <= DUST * size) & (l1 > 0)
    if not dust.any():
        return []
    j = int(np.flatnonzero(dust)[0])
    return [Failure("dust", f"column {j} at {claim.w[j]:.3g} moves {moved[j]:.2g} of {size:.2g}")]


def _judge_ridge(problem: Problem, answer: Answer, claim: Claim, data: Data) -> list[Failure]:
    l1, l2 = strengths(problem, data, claim.alpha)
    w, found = claim.w.astype(Real), []
    least = minimise(data, l1, l2, problem.positive)
    excess = float(2 * (value(data, w, claim.b0, l1, l2) - least.value))
    allowed = 2 * data.rounding(w, claim.b0, l1, l2)
    numbers = f"true {excess:.3g}, null {float(data.null):.3g}, rounding {allowed:.1g}, alpha {claim.alpha!r}"
    if claim.gap is not None and claim.gap * (1 + SLACK) + allowed < excess:
        found.append(Failure("false certificate", f"gap {claim.gap:.3g}, {numbers}"))
    true, known = _true_gradient(data, w, l2)
    if not problem.positive and claim.gradient is not None and claim.gradient * (1 + SLACK) + known < true:
        found.append(Failure("gradient", f"claimed {claim.gradient:.3g}, true {true:.3g}, rounding {known:.1g}"))
    error, condition = _coefficient_error(data, w, least, l2)
    limit = ABOUT * problem.tol + 100 * EPS * condition**2 + _single(problem) * condition
    if answer.converged and error > limit and excess > 100 * allowed:
        found.append(Failure("coefficients", f"error {error:.3g}, allowed {limit:.3g}, {numbers}"))
    needless = error < problem.tol and problem.tol > 1e-7 and known < SHARE * problem.tol
    if not answer.converged and len(answer.claims) == 1 and needless:
        found.append(Failure("needless warning", f"error {error:.3g}, {numbers}"))
    if answer.converged and excess > ABOUT * problem.tol * float(data.null) + allowed + _unusable(data, least, l1, l2):
        found.append(Failure("silent miss", numbers))
    if problem.positive and (claim.w < 0).any():
        found.append(Failure("negative", numbers))
    return found


def _unusable(data: Data, least: Minimum, l1: np.ndarray, l2: np.ndarray) -> float:
    """The rounding of the minimum's own predictions in double precision: coefficients of 10^15 that cancel between
    columns which depend on each other to the last digit lower nothing that could be computed. No certificate is
    excused so."""
    w, (m, mean) = least.w, data.means
    return 2 * data.rounding(w, mean - m @ w, l1, l2)


def _single(problem: Problem) -> float:
    """The rounding of coefficients handed out in single precision."""
    return float(np.finfo(np.float32).eps) if problem.X.dtype == np.float32 else 0.0


def _true_gradient(data: Data, w: np.ndarray, l2: np.ndarray) -> tuple[float, float]:
    """The relative gradient, and the rounding in it; infinite where nothing is known of it."""
    r = data.yc - data.Xc @ w
    # y less its mean is formed in double precision: it has the rounding of both.
    size = np.abs(data.yc) + np.abs(data.means[1])
    terms = np.abs(data.Xc).T @ (data.s * (size + np.abs(data.Xc) @ np.abs(w))) + l2 * np.abs(w)
    b = norm(data.Xc.T @ (data.s * data.yc))
    if not b > 100 * EPS * norm(np.abs(data.Xc).T @ (data.s * np.abs(data.yc))):
        return 0.0, np.inf
    return float(norm(data.Xc.T @ (data.s * r) - l2 * w) / b), 128 * EPS * float(norm(terms) / b)


def _coefficient_error(data: Data, w: np.ndarray, least: Minimum, l2: np.ndarray) -> tuple[float, float]:
    """The error of the coefficients relative to their size, in units of their own curvature, and the condition number
    of what they are determined by; NaN where that is too ill to say."""
    length = np.sqrt(data.s @ data.Xc**2 + l2)
    cols = np.flatnonzero(length > 0)
    if not cols.size or not norm(length * least.w):
        return np.nan, 1.0
    A = np.vstack([np.sqrt(data.s)[:, None] * data.Xc[:, cols], np.diag(np.sqrt(l2[cols]))]) / length[cols]
    singular = np.linalg.svd(A.astype(np.float64), compute_uv=False)
    if singular[-1] < 1e-7 * singular[0]:
        return np.nan, 1.0
    error = norm(length * (w - least.w)) / norm(length * least.w)
    return float(error), float(singular[0] / singular[-1])

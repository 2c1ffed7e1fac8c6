"""One call of sparsereg's public names for a problem, and what it claims."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

import sparsereg
from differential.problems import Problem

# Of a processor's time, for one call of this size.
MOST_SECONDS = 4.0


class Hang(Exception):
    """A call took so long that it will not end."""


@contextmanager
def limited() -> Iterator[None]:
    """An end to calls without one, where there are such signals."""
    if not hasattr(signal, "SIGPROF"):
        yield
        return

    def give_up(*_: Any) -> None:
        raise Hang(f"more than {MOST_SECONDS:g} s of processor time")

    before = signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@dataclass
class Claim:
    """Coefficients of one target at one strength, and what is said of them; None where nothing is."""

    alpha: float
    target: int
    w: np.ndarray
    b0: float
    gap: float | None = None
    gradient: float | None = None


@dataclass
class Answer:
    """All of a call: claims, warnings, or the error it ended in; and the fitted object."""

    claims: list[Claim] = field(default_factory=list)
    converged: bool = True
    scores_known: bool = True
    stray: list[str] = field(default_factory=list)
    error: Exception | None = None
    fitted: Any = None


def arrays_of(problem: Problem) -> list[np.ndarray]:
    """Everything handed over, as it lies in memory."""
    X = problem.X
    parts = [X.data, *_places(X)] if sp.issparse(X) else [X]
    return [*parts, problem.y, *(a for a in (problem.weights, problem.offset, problem.factor) if a is not None)]


def _places(X: Any) -> tuple[np.ndarray, ...]:
    return tuple(X.coords) if X.format == "coo" else (X.indices, X.indptr)


def ask(problem: Problem) -> Answer:
    """Call it."""
    answer = Answer()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with limited():
                CALLS[problem.entry](problem, answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is to be judged
            answer.error = error
    for one in caught:
        if str(one.message).startswith("Leave-one-out scores at alphas"):
            answer.scores_known = False
        elif one.category.__name__ == "ConvergenceWarning":
            answer.converged = False
        else:
            answer.stray.append(f"{one.category.__name__}: {one.message}")
    return answer


def arguments(problem: Problem) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keyword arguments of the entry point or constructor, and those of `fit`."""
    entry, p = problem.entry, problem
    own: dict[str, Any] = {"tol": p.tol}
    if entry not in ("lasso_path", "enet_path"):
        own["fit_intercept"] = p.intercept
    if p.solver != "auto":
        own["solver"] = p.solver
    if p.positive:
        own["positive"] = True
    if p.standardize:
        own["standardize"] = True
    if p.factor is not None:
        own["penalty_factor"] = p.factor
    several = "path" in entry or "CV" in entry
    own |= {"alphas": p.alphas} if several else {"alpha": float(p.alphas[0])}
    if entry in ("ElasticNet", "enet_path", "regularization_path"):
        own["l1_ratio"] = p.l1_ratio
    if "path" not in entry:
        return own, {} if p.weights is None else {"sample_weight": p.weights}
    for name, value in (("sample_weight", p.weights), ("offset", p.offset)):
        if value is not None:
            own[name] = value
    return own, {}


def _estimator(problem: Problem, answer: Answer) -> None:
    own, of_fit = arguments(problem)
    model = getattr(sparsereg, problem.entry)(**own).fit(problem.X, problem.y, **of_fit)
    answer.fitted = model
    W = np.atleast_2d(model.coef_)
    intercepts = np.broadcast_to(np.atleast_1d(model.intercept_), len(W))
    alphas = np.broadcast_to(np.atleast_1d(getattr(model, "alpha_", own.get("alpha"))), len(W))
    for k, w in enumerate(W):
        claim = Claim(float(alphas[k]), k, w, float(intercepts[k]))
        for name, attribute in (("gap", "dual_gap_"), ("gradient", "gradient_norm_")):
            if hasattr(model, attribute):
                setattr(claim, name, float(np.atleast_1d(getattr(model, attribute))[k]))
        answer.claims.append(claim)


def _path(problem: Problem, answer: Answer) -> None:
    path = getattr(sparsereg, problem.entry)(problem.X, problem.y, **arguments(problem)[0])
    answer.fitted = path
    W, gradients = path.coefs.toarray(), getattr(path, "gradient_norms", None)
    for k, alpha in enumerate(path.alphas):
        gradient = None if gradients is None else float(gradients[k])
        claim = Claim(float(alpha), 0, W[:, k], float(path.intercepts[k]), float(path.dual_gaps[k]), gradient)
        answer.claims.append(claim)


def _triple(problem: Problem, answer: Answer) -> None:
    own = arguments(problem)[0]
    alphas, coefs, gaps = getattr(sparsereg, problem.entry)(problem.X, problem.y, **own)
    for k, alpha in enumerate(alphas):
        answer.claims.append(Claim(float(alpha), 0, coefs[:, k], 0.0, float(gaps[k])))


CALLS = {
    "regularization_path": _path,
    "ridge_path": _path,
    "lasso_path": _triple,
    "enet_path": _triple,
    **dict.fromkeys(("Lasso", "ElasticNet", "Ridge", "RidgeCV", "RidgeClassifier", "RidgeClassifierCV"), _estimator),
}

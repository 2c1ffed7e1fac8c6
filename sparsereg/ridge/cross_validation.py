"""How well ridge predicts what it has not seen, at many strengths: three ways to say it. Knows no estimators.

=================  ==============================================  =====================================================
way                says                                            cost
=================  ==============================================  =====================================================
leave-one-out      every row's residual without it, exactly        one eigendecomposition: for few columns or few rows
generalised        the mean leverage in place of each row's        one path, and a loosely solved probe or some for the trace
folds              residuals on rows that were held out            one path a fold
=================  ==============================================  =====================================================

Rows are held out by a weight of 0, so X is never copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.degrees_of_freedom import SURE, difference_error, probe_traces, trace_error
from sparsereg.ridge.direct import Slabs
from sparsereg.ridge.normal_equations import NormalEquations
from sparsereg.ridge.path import PathSolution, Preconditioners, solve_paths
from sparsereg.ridge.solve import Plan, choose_method, require_feasible
from sparsereg.ridge.spectrum import Spectrum

__all__ = ["Fold", "Generalised", "Probes", "choose_validation", "generalised", "held_out", "left_out"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Operations that leave-one-out may take by columns, beyond which the leverages are too dear: some seconds.
LEVERAGE_OPERATIONS = 3e10
# Probes at most: one, and twice as many as long as the best strength does not stand out.
MOST_PROBES = 16
# A share of the rows' freedom that is none.
NOTHING_FREE = float(np.finfo(float).eps)


def choose_validation(equations: NormalEquations, alphas: Vector) -> tuple[str, str]:
    """The way, "loo" or "gcv", and the method of `choose_method`, by counting."""
    method = choose_method(equations, alphas)
    n, m = equations.design.n_rows, equations.design.n_cols
    if method == "cg" or (method == "gram" and n * m * (m + alphas.size) > LEVERAGE_OPERATIONS):
        return "gcv", method
    return "loo", method


def left_out(X: Any, equations: NormalEquations, Y: Vector, alphas: Vector, method: str) -> Iterator[Vector]:
    """Leave-one-out residuals of shape (n, T), for one alpha after the other; method "gram", "dual" or "svd"."""
    require_feasible(method, equations)
    n = Y.shape[0] if equations.s is None else int(np.count_nonzero(equations.s))
    if equations.fit_intercept and n < 2:
        raise ValueError(
            f"X has {n} sample(s) with any weight; none can be left out: fit Ridge, or set fit_intercept=False."
        )
    return Spectrum(Slabs(X, equations), method).left_out(Y, alphas)


@dataclass(frozen=True)
class Generalised:
    """Generalised cross-validation of T targets at k strengths: `mean(s e^2) / (1 - trace / n)^2` (Golub, Heath & Wahba 1979).

    Attributes
    ----------
    squares : float64 array of shape (k, T)
        `sum_i s_i e_i^2 / n` of the fits.
    rows : (int, int)
        n, and the rows that have any weight.
    intercept : bool
    alphas : float64 array of shape (k,)
    paths : list of PathSolution
        One for each target.
    traces : float64 array of shape (n_probes, k)
        Estimates of the trace of the hat matrix without its intercept; one exact row where the Gram was factorised.
    missing : float64 array of shape (n_probes, k)
        Bounds on how much too small these are, besides being random.
    n_probes : int
        Random probes; 0 where the trace is exact.
    """

    squares: Vector
    rows: tuple[int, int]
    intercept: bool
    alphas: Vector
    paths: list[PathSolution]
    traces: Vector
    missing: Vector
    n_probes: int

    @property
    def scores(self) -> Vector:
        """Minus the generalised mean square, of shape (k, T)."""
        return np.asarray(-self.squares / self._free(self.traces.mean(axis=0))[:, None] ** 2)

    @property
    def score_errors(self) -> Vector:
        """Standard error of each score at most, with what probes may miss at most; infinite where nothing may be left free."""
        free = self._free(self.traces.mean(axis=0) + self.trace_errors)
        errors = self.squares / free[:, None] ** 2 + self.scores
        return np.where((free <= NOTHING_FREE)[:, None] & (self.n_probes > 0), np.inf, errors)

    @property
    def trace(self) -> Vector:
        """Degrees of freedom with the intercept's, of shape (k,)."""
        return np.asarray(self.traces.mean(axis=0) + self.intercept)

    @property
    def trace_errors(self) -> Vector:
        """Standard error of each trace at most, with what probes may miss at most."""
        return np.asarray(trace_error(self.traces.mean(axis=0), self.n_probes) + self.missing.mean(axis=0))

    def separated(self, per_target: bool) -> bool:
        """Whether the best strength, of all targets or of each, stands out by more than the probes' errors."""
        trace = self.traces.mean(axis=0)
        slopes = 2.0 * self.scores / (self._free(trace) * self.rows[1])[:, None]  # of the scores, by the trace
        scores, slopes = (M if per_target else M.mean(axis=1, keepdims=True) for M in (self.scores, slopes))
        own = trace_error(trace, self.n_probes)
        exhausted = (own > 0.0) & (self._free(trace + SURE * own) <= NOTHING_FREE)  # where slopes say nothing
        for score, slope in zip(scores.T, slopes.T, strict=True):
            best = int(np.argmax(score))
            error = np.abs(slope - slope[best]) * own
            error += np.abs(slope[best]) * difference_error(trace, self.alphas, best, self.n_probes)
            behind = np.arange(score.size) != best
            if (exhausted[best] | (score[best] - score <= SURE * error))[behind].any():
                return False
        return True

    def rows_scored(self, equations: NormalEquations, Y: Vector) -> Iterator[Vector]:
        """What each row adds to the scores, of shape (n, T), for one alpha after the other; their means are minus the scores."""
        for k, free in enumerate(self._free(self.traces.mean(axis=0))):
            E = np.stack([_residual(equations, y, path.w(k)) for path, y in zip(self.paths, Y.T, strict=True)], axis=1)
            yield (E / free) ** 2 if equations.s is None else equations.s[:, None] * (E / free) ** 2

    def _free(self, trace: Vector) -> Vector:
        """The share of the rows' freedom that the fit has left."""
        return np.maximum(1.0 - (trace + self.intercept) / self.rows[1], NOTHING_FREE)


class Probes(NamedTuple):
    """Where random signs come from, and whether they have to tell the best strength of each target or one for all."""

    rng: np.random.Generator
    per_target: bool = False


def generalised(
    X: Any, equations: NormalEquations, Y: Vector, alphas: Vector, plan: Plan, probes: Probes
) -> Generalised:
    """Generalised cross-validation; by random probes, as many as tell the best strength from the others, where the plan is "cg"."""
    preconditioners = Preconditioners(equations, alphas)
    paths = solve_paths(X, equations, Y, alphas, plan, preconditioners)
    squares = np.array(
        [
            [_mean_square(equations, y, path.w(k)) for path, y in zip(paths, Y.T, strict=True)]
            for k in range(alphas.size)
        ]
    )
    n = Y.shape[0]
    rows = (n, n if equations.s is None else int(np.count_nonzero(equations.s)))
    none = np.empty((0, alphas.size))
    found = Generalised(squares, rows, equations.fit_intercept, alphas, paths, none, none, 0)
    if plan.method != "cg":
        traces = Spectrum(Slabs(X, equations), plan.method).traces(alphas)[None]
        return replace(found, traces=traces, missing=np.zeros_like(traces))
    while not found.n_probes or (found.n_probes < MOST_PROBES and not found.separated(probes.per_target)):
        more = max(1, found.n_probes)
        traces, missing = probe_traces(equations, alphas, more, probes.rng, plan.max_iter, preconditioners)
        found = replace(
            found,
            traces=np.concatenate([found.traces, traces]),
            missing=np.concatenate([found.missing, missing]),
            n_probes=found.n_probes + more,
        )
    return found


@dataclass(frozen=True)
class Fold:
    """Fits to some of the rows: what they were computed by, and one path for each target."""

    equations: NormalEquations
    Y: Vector
    method: str
    paths: list[PathSolution]

    def predictions(self) -> Iterator[Vector]:
        """Of all rows, of shape (n, T), for one alpha after the other."""
        for k in range(self.paths[0].n_iters.size):
            out = np.empty(self.Y.shape)
            for t, path in enumerate(self.paths):
                z = self.equations.product(path.w(k))
                out[:, t] = z + (self.equations.mean(self.Y[:, t]) - self.equations.mean(z))
            yield out


def held_out(X: Any, equations: NormalEquations, Y: Vector, alphas: Vector, train: Int, plan: Plan) -> Fold:
    """Fit to some of the rows, each as often as `train` names it; the plan's method may be "auto"."""
    times = np.bincount(train, minlength=Y.shape[0]).astype(np.float64)
    part = replace(equations, s=times if equations.s is None else times * equations.s)
    if not part.weight_sum > 0.0:
        raise ValueError("sample_weight is zero on all rows that cv gives for training; drop such rows before fitting.")
    method = choose_method(part, alphas) if plan.method == "auto" else plan.method
    return Fold(part, Y, method, solve_paths(X, part, Y, alphas, replace(plan, method=method)))


def _residual(equations: NormalEquations, y: Vector, w: Vector) -> Vector:
    e = y - equations.product(w)
    e -= equations.mean(e)
    return np.asarray(e)


def _mean_square(equations: NormalEquations, y: Vector, w: Vector) -> float:
    e = _residual(equations, y, w)
    return float((e @ e if equations.s is None else equations.s @ e**2) / y.size)

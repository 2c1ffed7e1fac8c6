"""Prediction error of ridge on unseen rows, at many strengths, estimated in three ways.

===========  ===========================================  ===========================================================
way          computes                                     cost
===========  ===========================================  ===========================================================
loo          the leave-one-out residual of every row      one eigendecomposition: for few columns or few rows
gcv          the same with the mean leverage for each     one path, and a few loosely solved probes for the trace
folds        residuals of rows that were held out         one path per fold
===========  ===========================================  ===========================================================

Rows are held out by a weight of 0; X is never copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.degrees_of_freedom import SURE, difference_error, probe_traces, trace_error
from sparsereg.ridge.normal_equations import NormalEquations, ProblemSummary
from sparsereg.ridge.path import PathSolution, path_preconditioning, solve_paths
from sparsereg.ridge.solve import SolverSettings, check_feasible, choose_method
from sparsereg.ridge.spectrum import Spectrum

__all__ = [
    "GeneralizedCV",
    "Probes",
    "RidgeFold",
    "choose_validation",
    "fit_fold",
    "generalized_cv",
    "left_out_spectrum",
]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Most operations for the leverages of leave-one-out by columns: some seconds.
LEVERAGE_OPERATIONS = 3e10
# Most probes. The first is one; their number doubles until the best strength is clear.
MOST_PROBES = 16
# A share of residual degrees of freedom that counts as 0.
NO_FREEDOM = float(np.finfo(float).eps)


def choose_validation(summary: ProblemSummary, alphas: Vector) -> tuple[str, str]:
    """The way, "loo" or "gcv", and the method of `choose_method`, from counts."""
    method = choose_method(summary, alphas)
    n, m = summary.n_rows, summary.n_cols
    if summary.graded and summary.least_factor > 0.0 and n * m * min(n, m) <= LEVERAGE_OPERATIONS:
        return "loo", "svd"
    if method == "cg" or (method == "gram" and n * m * (m + alphas.size) > LEVERAGE_OPERATIONS):
        return "gcv", method
    return "loo", method


def left_out_spectrum(equations: NormalEquations, method: str) -> Spectrum:
    """What gives leave-one-out residuals at any strength; method "gram", "dual" or "svd"."""
    check_feasible(method, equations.summary)
    if equations.fit_intercept and (n := equations.n_weighted) < 2:
        raise ValueError(
            f"X has {n} sample(s) with positive weight; leave-one-out needs 2: fit Ridge, or set fit_intercept=False."
        )
    return Spectrum(equations, method)


@dataclass(frozen=True)
class GeneralizedCV:
    """Generalised cross-validation, `mean(s e^2) / (1 - trace / n)^2` (Golub, Heath & Wahba 1979), of T targets at k
    strengths.

    Attributes
    ----------
    equations : NormalEquations
    alphas : float64 array of shape (k,)
    squares : float64 array of shape (k, T)
        `sum_i s_i e_i^2 / n` of the fits.
    paths : list of PathSolution
        One for each target.
    traces : float64 array of shape (n_probes, k)
        Estimates of the trace of the hat matrix without the intercept; one exact row after a factorisation.
    missing : float64 array of shape (n_probes, k)
        Bounds on how much the inexact solutions of the probes lower these.
    n_probes : int
        Random probes; 0 if the trace is exact.
    """

    equations: NormalEquations
    alphas: Vector
    squares: Vector
    paths: list[PathSolution]
    traces: Vector
    missing: Vector
    n_probes: int

    @property
    def scores(self) -> Vector:
        """Minus the generalised mean square, of shape (k, T)."""
        return np.asarray(-self.squares / self._freedom(self.traces.mean(axis=0))[:, None] ** 2)

    @property
    def score_errors(self) -> Vector:
        """Bounds on the standard error of each score; infinite if no residual degrees of freedom may be left."""
        freedom = self._freedom(self.traces.mean(axis=0) + self.trace_errors)
        errors = self.squares / freedom[:, None] ** 2 + self.scores
        return np.where((freedom <= NO_FREEDOM)[:, None] & (self.n_probes > 0), np.inf, errors)

    @property
    def trace(self) -> Vector:
        """Degrees of freedom with the intercept's, of shape (k,)."""
        return np.asarray(self.traces.mean(axis=0) + self.equations.fit_intercept)

    @property
    def trace_errors(self) -> Vector:
        """Bounds on the standard error of each trace, including what inexact solutions miss."""
        return np.asarray(trace_error(self.traces.mean(axis=0), self.n_probes) + self.missing.mean(axis=0))

    def separated(self, per_target: bool) -> bool:
        """Whether the best strength, of all targets or of each, beats the others by more than the probes' errors."""
        trace = self.traces.mean(axis=0)
        slopes = 2.0 * self.scores / (self._freedom(trace) * self.equations.n_weighted)[:, None]  # d score / d trace
        scores, slopes = (M if per_target else M.mean(axis=1, keepdims=True) for M in (self.scores, slopes))
        own = trace_error(trace, self.n_probes)
        exhausted = (own > 0.0) & (self._freedom(trace + SURE * own) <= NO_FREEDOM)  # slopes are meaningless here
        for score, slope in zip(scores.T, slopes.T, strict=True):
            best = int(np.argmax(score))
            error = np.abs(slope - slope[best]) * own
            error += np.abs(slope[best]) * difference_error(trace, self.alphas, best, self.n_probes)
            others = np.arange(score.size) != best
            if (exhausted[best] | (score[best] - score <= SURE * error))[others].any():
                return False
        return True

    def row_scores(self, Y: Vector) -> Iterator[Vector]:
        """The terms of each row, of shape (n, T), for one alpha after another; their means are minus the scores."""
        s = self.equations.s
        for k, freedom in enumerate(self._freedom(self.traces.mean(axis=0))):
            E = [_residual(self.equations, y, path.w(k)) for path, y in zip(self.paths, Y.T, strict=True)]
            squares = (np.stack(E, axis=1) / freedom) ** 2
            yield squares if s is None else s[:, None] * squares

    def _freedom(self, trace: Vector) -> Vector:
        """The share of degrees of freedom that the fit leaves to the residuals."""
        return np.maximum(1.0 - (trace + self.equations.fit_intercept) / self.equations.n_weighted, NO_FREEDOM)


class Probes(NamedTuple):
    """The source of random signs, and whether the best strength is wanted for each target or for all together."""

    rng: np.random.Generator
    per_target: bool = False


def generalized_cv(
    equations: NormalEquations, Y: Vector, alphas: Vector, settings: SolverSettings, probes: Probes
) -> GeneralizedCV:
    """Generalised cross-validation; with "cg", the trace is estimated by as many probes as the choice needs."""
    iterative = settings.method == "cg"
    shared = path_preconditioning(equations, alphas) if iterative else None
    spectrum = None if iterative else Spectrum(equations, settings.method)
    paths = solve_paths(equations, Y, alphas, settings, shared or spectrum)
    squares = np.array(
        [
            [_mean_square(equations, y, path.w(k)) for path, y in zip(paths, Y.T, strict=True)]
            for k in range(alphas.size)
        ]
    )
    if spectrum is not None:
        traces = spectrum.traces(alphas)[None]
        return GeneralizedCV(equations, alphas, squares, paths, traces, np.zeros_like(traces), 0)
    none = np.empty((0, alphas.size))
    found = GeneralizedCV(equations, alphas, squares, paths, none, none, 0)
    while not found.n_probes or (found.n_probes < MOST_PROBES and not found.separated(probes.per_target)):
        more = max(1, found.n_probes)
        traces, missing = probe_traces(equations, alphas, more, probes.rng, settings.max_iter, shared)
        traces, missing = np.concatenate([found.traces, traces]), np.concatenate([found.missing, missing])
        found = replace(found, traces=traces, missing=missing, n_probes=found.n_probes + more)
    return found


@dataclass(frozen=True)
class RidgeFold:
    """Fits to some of the rows: their equations, the method, and one path per target."""

    equations: NormalEquations
    Y: Vector
    method: str
    paths: list[PathSolution]

    def predictions(self) -> Iterator[Vector]:
        """Of all rows, of shape (n, T), for one alpha after another."""
        for k in range(self.paths[0].n_iters.size):
            out = np.empty(self.Y.shape)
            for t, path in enumerate(self.paths):
                z = self.equations.product(path.w(k))
                out[:, t] = z + (self.equations.mean(self.Y[:, t]) - self.equations.mean(z))
            yield out


def fit_fold(equations: NormalEquations, Y: Vector, alphas: Vector, train: Int, settings: SolverSettings) -> RidgeFold:
    """Fit to the rows `train`, which may repeat; the method may be "auto"."""
    times = np.bincount(train, minlength=Y.shape[0]).astype(np.float64)
    part = replace(equations, s=times if equations.s is None else times * equations.s)
    if not part.weight_sum > 0.0:
        raise ValueError("sample_weight is 0 on all training rows of a fold; drop rows of weight 0 before fitting.")
    method = choose_method(part.summary, alphas) if settings.method == "auto" else settings.method
    return RidgeFold(part, Y, method, solve_paths(part, Y, alphas, replace(settings, method=method)))


def _residual(equations: NormalEquations, y: Vector, w: Vector) -> Vector:
    e = y - equations.product(w)
    e -= equations.mean(e)
    return np.asarray(e)


def _mean_square(equations: NormalEquations, y: Vector, w: Vector) -> float:
    e = _residual(equations, y, w)
    return float((e @ e if equations.s is None else equations.s @ e**2) / y.size)

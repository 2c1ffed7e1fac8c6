"""What can be measured: a path, one cold fit, a ridge. Knows how a rival is called and how good its answer is; no
timing.

Everything a task says about an answer is recomputed from the coefficients by certificate.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import certificate
import depth
import logistic
import numpy as np
import rivals
import scipy.sparse as sp
import variants
import workloads

# A single cold fit is made at this fraction of alpha_max.
FIT_AT = 1 / 50
# Tasks of many strengths.
PATHS = ("path", "logistic")
# A requirement counts as met up to the rounding of the certificate itself.
ROUNDING = 1 + 1e-6


@dataclass(frozen=True)
class Spec:
    """What to measure.

    Attributes
    ----------
    task : "path" (`points` strengths from alpha_max to alpha_max * eps), "fit" (one strength), "ridge" (at `alpha`),
        "logistic" (a path, l1) or "logistic-fit" (one strength, alpha_max * eps)
    alpha : strength of ridge, on the unnormalised sum; 0 for the other tasks
    required : the relative duality gap that every point must reach; for ridge the relative gradient
    loosest : tolerances above this are not tried, because they failed a weaker requirement
    by : what `required` bounds on a path: "gap", or "suboptimality", F less the best bound on its minimum
    held_out : whether a fifth of the rows is left out of the fit, to be scored on
    variant : what else a path has, one of `variants.VARIANTS`
    """

    workload: str
    rival: str
    task: str = "path"
    l1_ratio: float = 1.0
    alpha: float = 0.0
    intercept: bool = True
    required: float = 1e-4
    points: int = 100
    eps: float = 1e-2
    loosest: float = np.inf
    by: str = "gap"
    held_out: bool = False
    variant: str = "plain"


class Task(Protocol):
    """One thing to solve, by whichever rival."""

    def prepare(self) -> object:
        """X as the rival likes it best."""

    def solve(self, native: object, tol: float, /) -> rivals.Fitted:
        """What is timed."""

    def quality(self, fitted: rivals.Fitted, /) -> dict[str, object]:
        """Cells of the row; `reached` is the worst of what `required` bounds."""


class Path:
    """The lasso or elastic net, at a list of strengths or cold at one."""

    def __init__(self, spec: Spec, rival: rivals.Rival, data: workloads.Data) -> None:
        self.spec, self.rival, self.held = spec, rival, None
        if spec.variant == "numeric":
            data = variants.with_numbers(data)
        if spec.held_out:
            data, self.held = depth.split(data)
        self.problem = variants.make(spec.variant, data)
        if self.problem.scales is not None and spec.variant == "factors" and spec.l1_ratio != 1.0:
            raise ValueError(f"penalty factors are scaled columns for the lasso alone, not at l1_ratio {spec.l1_ratio}")
        self.ours = spec.rival.startswith("sparsereg")
        self.X, self.y, self.weights = self.problem.scaled(), self.problem.y, self.problem.weights
        largest = certificate.alpha_max(self.X, self.y, spec.l1_ratio, self.weights)
        fractions = np.geomspace(1, spec.eps, spec.points) if spec.task == "path" else np.array([FIT_AT])
        self.alphas = largest * fractions
        # Nothing beyond the plain problem is asked of an adaptor that does not say it can.
        self.options = self.problem.ours if self.ours else {}
        if self.weights is not None and not self.ours:
            self.options = {"weights": self.weights}
            if not getattr(rival, "TAKES_WEIGHTS", False):
                raise NotImplementedError(f"no weights in the path of {spec.rival}")

    def prepare(self) -> object:
        X = self.problem.X if self.ours else self.X
        return self.rival.prepare(X, self.y, self.spec.l1_ratio, self.spec.intercept)

    def solve(self, native: object, tol: float) -> rivals.Fitted:
        rest = (self.spec.l1_ratio, tol, self.spec.intercept)
        if self.spec.task == "path":
            return self.rival.path(native, self.y, self.alphas, *rest, **self.options)
        return self.rival.fit(native, self.y, float(self.alphas[0]), *rest)

    def quality(self, fitted: rivals.Fitted) -> dict[str, object]:
        coefs, intercepts = sp.csc_array(fitted.coefs), np.asarray(fitted.intercepts, dtype=np.float64)
        on_columns = coefs if self.ours else self.problem.on_columns(coefs)
        objective, reached = self._judge(self.problem.on_scaled(coefs) if self.ours else coefs, intercepts)
        held = {} if self.held is None else {"held_r2": float(depth.held_out_r2(self.held, on_columns, intercepts)[-1])}
        return held | {
            "reached": float(reached.max()),
            "median_gap": float(np.median(reached)),
            "share_reached": float(np.mean(reached <= self.spec.required * ROUNDING)),
            "objective_last": float(objective[-1]),
            "nonzero_last": int(coefs[:, [-1]].nnz),
        }

    def _judge(self, coefs: sp.csc_array, intercepts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F at every point, and what `required` bounds; of the last points alone where those do not meet it."""
        spec = self.spec
        if spec.by == "gap":
            for points in (slice(-2, None), slice(None)):
                path = (coefs[:, points], intercepts[points])
                rest = (self.alphas[points], spec.l1_ratio, spec.intercept, self.weights, 0.7 * spec.required)
                found = certificate.certify(self.X, self.y, path, *rest)
                if found.relative_gap.max() > spec.required * ROUNDING:
                    break
            return found.objective, found.relative_gap
        objective = depth.objectives((self.X, self.y), coefs, intercepts, self.alphas, spec.l1_ratio, self.weights)
        name = spec.workload if spec.variant == "plain" else f"{spec.workload}-{spec.variant}"
        bounds = depth.lower_bounds(name, self.problem, self.alphas, spec.l1_ratio, spec.intercept)
        return objective, (objective - bounds) / certificate.gap_scale(self.y, self.weights)


class Ridge:
    """Ridge at one strength."""

    def __init__(self, spec: Spec, rival: rivals.RidgeRival, data: workloads.Data) -> None:
        self.spec, self.rival, (self.X, self.y) = spec, rival, data

    def prepare(self) -> object:
        return self.rival.prepare(self.X, self.y, self.spec.intercept)

    def solve(self, native: object, tol: float) -> rivals.Fitted:
        return self.rival.ridge(native, self.y, self.spec.alpha, tol, self.spec.intercept)

    def quality(self, fitted: rivals.Fitted) -> dict[str, object]:
        w = np.asarray(fitted.coefs, dtype=np.float64).ravel()
        gradient = certificate.ridge_gradient(self.X, self.y, w, self.spec.alpha, self.spec.intercept)
        met = float(gradient <= self.spec.required * ROUNDING)
        return {"reached": gradient, "share_reached": met, "nonzero_last": int(np.count_nonzero(w))}


class Logistic:
    """The l1 logistic loss with an intercept, at a list of strengths or cold at one."""

    def __init__(self, spec: Spec, rival: rivals.LogisticRival, data: workloads.Data) -> None:
        self.spec, self.rival, self.held = spec, rival, None
        data = logistic.classes(spec.workload, data)
        if spec.held_out:
            data, self.held = depth.split(data)
        self.X, self.y = data
        largest = certificate.alpha_max(self.X, self.y, 1.0)
        fractions = np.geomspace(1, spec.eps, spec.points) if spec.task == "logistic" else np.array([spec.eps])
        self.alphas = largest * fractions

    def prepare(self) -> object:
        return self.rival.prepare(self.X, self.y)

    def solve(self, native: object, tol: float) -> rivals.Fitted:
        if self.spec.task == "logistic":
            return self.rival.path(native, self.y, self.alphas, tol)
        return self.rival.fit(native, self.y, float(self.alphas[0]), tol)

    def quality(self, fitted: rivals.Fitted) -> dict[str, object]:
        coefs, intercepts = sp.csc_array(fitted.coefs), np.asarray(fitted.intercepts, dtype=np.float64)
        data, scale = (self.X, self.y), logistic.null_loss(self.y)
        if self.spec.by == "gap":
            objective, gaps = logistic.certify(data, coefs, intercepts, self.alphas, 0.7 * self.spec.required)
        else:
            objective = logistic.objectives(data, coefs, intercepts, self.alphas)
            gaps = objective - logistic.lower_bounds(self.spec.workload, data, self.alphas)
        held = {} if self.held is None else {"held_r2": float(logistic.explained(self.held, coefs, intercepts)[-1])}
        return held | {
            "reached": float(gaps.max() / scale),
            "median_gap": float(np.median(gaps) / scale),
            "share_reached": float(np.mean(gaps <= self.spec.required * scale * ROUNDING)),
            "objective_last": float(objective[-1]),
            "nonzero_last": int(coefs[:, [-1]].nnz),
        }


def make(spec: Spec, data: workloads.Data) -> Task:
    """The task of a spec; without an intercept, y is centred beforehand."""
    X, y = data
    data = (X, y if spec.intercept else y - y.mean())
    if spec.task == "ridge":
        return Ridge(spec, rivals.load_for(spec.task, spec.rival), data)
    if spec.task in ("logistic", "logistic-fit"):
        return Logistic(spec, rivals.load_for(spec.task, spec.rival), data)
    return Path(spec, rivals.load(spec.rival), data)

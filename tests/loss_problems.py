"""Random problems of every loss, and a slow, obvious minimum of each: for the tests of solvers and of their claims."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

from sparsereg.losses import Gamma, Huber, Logistic, Loss, Poisson, SquaredHinge, Tweedie
from sparsereg.objective.loss_dual import loss_gap_at
from sparsereg.objective.problem import Problem
from sparsereg.solvers.loop import Solution

LOSSES = (Logistic(), Poisson(), Gamma(), Tweedie(1.4), Huber(0.8), SquaredHinge())


@dataclass
class LossProblem:
    """Arguments of `regularization_path`."""

    X: Any
    y: np.ndarray
    loss: Loss
    l1_ratio: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def dense(self) -> np.ndarray:
        return (self.X.toarray() if sp.issparse(self.X) else self.X).astype(float)

    def parts(self) -> tuple[np.ndarray, ...]:
        """Weights, offsets, and factors of `|w|` and of `w^2`, standardising included."""
        X, get = self.dense, self.options.get
        n, p = X.shape
        s, o = (get(name, np.full(n, default)) for name, default in (("sample_weight", 1.0), ("offset", 0.0)))
        v = np.array(get("penalty_factor", np.ones(p)), dtype=float)
        sigma = np.ones(p)
        if get("standardize"):
            sigma = np.sqrt(np.average((X - np.average(X, axis=0, weights=s)) ** 2, axis=0, weights=s))
        return s, o, v * sigma, v * sigma**2

    def objective(self, b0: float, w: np.ndarray, alpha: float) -> float:
        """F, as docs/design.md has it."""
        s, o, v, squares = self.parts()
        total = s @ self.loss.value(self.y, o + b0 + self.dense @ w) / s.sum()
        return float(total + alpha * (self.l1_ratio * v @ np.abs(w) + (1 - self.l1_ratio) / 2 * squares @ w**2))

    def minimum(self, alpha: float, start: np.ndarray) -> float:
        """The least objective that a quasi-Newton method on positive and negative parts finds, from several points."""
        X, (s, o, v, squares) = self.dense, self.parts()
        p = X.shape[1]
        free, positive = self.options.get("fit_intercept", True), self.options.get("positive", False)

        def split(x):
            w = x[1 : p + 1] - x[p + 1 :]
            z = o + x[0] * free + X @ w
            loss, rho = s @ self.loss.value(self.y, z) / s.sum(), -s * self.loss.residual(self.y, z) / s.sum()
            g = X.T @ rho + alpha * (1 - self.l1_ratio) * squares * w
            l1 = alpha * self.l1_ratio * v
            value = loss + l1 @ (x[1 : p + 1] + x[p + 1 :]) + alpha * (1 - self.l1_ratio) / 2 * squares @ w**2
            return (
                (value, np.concatenate([[free * rho.sum()], g + l1, l1 - g])) if np.isfinite(value) else (1e300, 0 * x)
            )

        bounds = [(None, None), *[(0, None)] * p, *[(0, 0 if positive else None)] * p]
        best = np.inf
        for x in (start, np.zeros(2 * p + 1)):
            tight = {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 4000, "maxfun": 40_000, "maxls": 60}
            with np.errstate(all="ignore"):
                best = min(best, minimize(split, x, jac=True, bounds=bounds, method="L-BFGS-B", options=tight).fun)
        return float(best)


def draw(seed: int) -> LossProblem:
    """The problem of a seed: one-hot fields and crosses or numbers, and any of the options."""
    rng = np.random.default_rng([seed, 15])
    n, loss = int(rng.integers(20, 90)), LOSSES[seed % len(LOSSES)]
    X = _columns(rng, n)
    p = X.shape[1]
    signal = X @ (rng.normal(size=p) * (rng.random(p) < 0.3))
    signal = signal * rng.choice([0.3, 1.0]) / max(1.0, np.abs(signal).max() / 3)
    options: dict[str, Any] = {}
    if rng.random() < 0.3:
        options["sample_weight"] = rng.choice([0.0, 0.5, 1.0, 2.0], n, p=[0.1, 0.3, 0.3, 0.3])
        options["sample_weight"][:4] = 1.0
    if rng.random() < 0.3:
        options["offset"] = rng.normal(size=n) if rng.random() < 0.5 else rng.choice([-0.5, 0.7], n)
    if rng.random() < 0.3:
        options["penalty_factor"] = 10 ** rng.uniform(-1, 1, p)
        if rng.random() < 0.5:
            options["penalty_factor"][rng.integers(0, p, 1 + p // 8)] = 0.0
    for name, share in (("standardize", 0.2), ("positive", 0.2)):
        if rng.random() < share:
            options[name] = True
    if rng.random() < 0.3:
        options["fit_intercept"] = False
    if options.get("positive") and "penalty_factor" in options:
        options["penalty_factor"][options["penalty_factor"] == 0.0] = 0.1
    y = target(loss, signal + options.get("offset", 0.0), rng)
    kind = str(rng.choice(["csr", "csr", "csc", "dense"]))
    held: Any = X.astype(np.float32) if rng.random() < 0.2 else X
    if kind != "dense":
        held = (sp.csr_array if kind == "csr" else sp.csc_array)(held)
        index = np.int64 if rng.random() < 0.3 else np.int32
        held.indices, held.indptr = held.indices.astype(index), held.indptr.astype(index)
    return LossProblem(held, y, loss, float(rng.choice([1.0, 1.0, 0.7, 0.3])), options)


def full_gap(problem: Problem, found: Solution, alpha: float, l1_ratio: float) -> float:
    """The duality gap of a solution by full passes over X in NumPy, at the dual point that it was certified by."""
    if found.dual is None:
        return problem.duality_gap(found.coef, alpha, l1_ratio)
    strengths = problem.penalty.strengths(problem.weight_sum * alpha, l1_ratio, np.arange(problem.design.n_cols))
    return loss_gap_at(problem.loss_rows, problem.penalty, found.coef, found.dual, strengths) / problem.weight_sum


def _columns(rng: np.random.Generator, n: int) -> np.ndarray:
    if rng.random() < 0.25:
        return rng.normal(size=(n, int(rng.integers(2, 15)))).astype(np.float32).astype(float)
    a, b = rng.integers(0, rng.integers(2, 6), n), rng.integers(0, rng.integers(2, 5), n)
    parts = [column[:, None] == np.unique(column) for column in (a, b, a * 10 + b)]
    if rng.random() < 0.3:
        parts.append(np.round(rng.normal(size=(n, 2)), 1).astype(np.float32))
    return np.hstack(parts).astype(float)


def target(loss: Loss, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random targets near the predictors z, values on the boundary of their range among them."""
    n = z.size
    if loss.name == "logistic":
        y = np.where(rng.random(n) < 0.2, rng.random(n), z + rng.logistic(size=n) > 0.0)
        y[:2] = 0.0, 1.0
        return y
    if loss.name == "squared_hinge":
        y = np.where(z + rng.logistic(size=n) > 0.0, 1.0, -1.0)
        y[:2] = -1.0, 1.0
        return y
    if loss.name == "poisson":
        return rng.poisson(np.exp(z)) + (np.arange(n) == 0) * rng.choice([1.0, 50.0])
    if loss.name == "gamma":
        return rng.gamma(2.0, np.exp(z) / 2.0) + 1e-3
    if loss.name == "tweedie":
        return np.where(rng.random(n) < 0.3, 0.0, rng.gamma(2.0, np.exp(z) / 2.0)) + (np.arange(n) == 0)
    return z + rng.standard_t(3, size=n)

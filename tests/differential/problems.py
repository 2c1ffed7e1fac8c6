"""Random problems, each from its seed: what goes wrong in practice, feature by feature, so that a fault has a name.

`FEATURES` says what each one is and how often it is drawn; several meet in one problem. Strengths are set by our own
idea of the least strength at which all is zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from differential.oracle import Data

LASSO = ("Lasso", "ElasticNet", "regularization_path", "lasso_path", "enet_path")
RIDGE = ("Ridge", "RidgeCV", "ridge_path", "RidgeClassifier", "RidgeClassifierCV")
ENTRIES = (*LASSO, *RIDGE)

# Beyond this, sums in single precision overflow.
MOST_SINGLE = 1e30

# Name: (how often, what it is).
FEATURES: dict[str, tuple[float, str]] = {
    "weights": (0.3, "sample weights over up to 12 orders, zeros among them"),
    "weights_far": (0.1, "all weights times 10^-20 to 10^20"),
    "offset": (0.2, "a known part of the predictor"),
    "free": (0.2, "penalty factors of 0"),
    "heavy": (0.15, "penalty factors up to 10^12, and down to 10^-6"),
    "far": (0.12, "columns whose mean is 10^3.5 to 10^12 times their deviation"),
    "far_y": (0.05, "y whose mean is 10^3 to 10^9 times its deviation"),
    "units": (0.15, "columns in units that differ by up to 30 orders"),
    "scale": (0.15, "X and y as a whole over 30 orders each"),
    "tiny": (0.02, "X as a whole at 10^-180 to 10^-150"),
    "twins": (0.25, "columns that coincide, are sums of others, or complement them"),
    "nearly": (0.1, "columns that nearly coincide, to 10^-4 to 10^-11"),
    "constant": (0.15, "columns of one value"),
    "empty": (0.15, "columns without entries"),
    "onehot": (0.3, "levels of two fields and of their cross"),
    "smooth": (0.1, "hinges and bumps of one variable: neighbours correlate to 0.999"),
    "float32": (0.2, "X in single precision"),
    "weak": (0.25, "strengths down to 10^-8 of the largest; for ridge to 10^-14"),
    "none": (0.05, "ridge without any penalty"),
    "positive": (0.15, "coefficients that are not negative"),
    "standardize": (0.15, "standardised penalties"),
    "origin": (0.3, "no intercept"),
    "targets": (0.15, "two columns of y"),
    "tight": (0.3, "a tolerance of 10^-6 to 10^-10"),
    "wide": (0.15, "two to six times as many columns as rows"),
    "iterative": (0.3, "solver='cg' for ridge, 'prox_gradient' for the lasso"),
}


@dataclass
class Problem:
    """One call, and what it is about. `X`, `y` are as they are handed over."""

    entry: str
    X: Any
    y: np.ndarray
    weights: np.ndarray | None = None
    offset: np.ndarray | None = None
    factor: np.ndarray | None = None
    alphas: np.ndarray = field(default_factory=lambda: np.ones(1))
    l1_ratio: float = 1.0
    intercept: bool = True
    standardize: bool = False
    positive: bool = False
    tol: float = 1e-4
    solver: str = "auto"
    features: frozenset[str] = frozenset()
    seed: int = -1

    @property
    def dense(self) -> np.ndarray:
        """X's numbers, in its own precision."""
        return self.X.toarray() if sp.issparse(self.X) else np.asarray(self.X)

    @property
    def is_ridge(self) -> bool:
        return self.entry in RIDGE

    def data(self, target: int = 0) -> Data:
        """What one target is about. Classes count as -1 and 1."""
        y = self.y if self.y.ndim == 1 else self.y[:, target]
        if "Classifier" in self.entry:
            y = np.where(y == y.max(), 1.0, -1.0)
        return Data.of(self.dense, y, self.weights, self.offset, self.intercept)


def draw(seed: int, without: frozenset[str] = frozenset(), force: frozenset[str] = frozenset()) -> Problem:
    """The problem of a seed, without some features, or with others for sure."""
    rng = np.random.default_rng([seed, 14])
    wanted = {name for name, (share, _) in FEATURES.items() if rng.random() < share} - without | force
    entry = str(rng.choice(ENTRIES))
    for _ in range(30):
        features = _possible(entry, wanted)
        if force <= features:
            break
        entry = str(rng.choice(ENTRIES))
    X = _columns(rng, features, least=2 if "Classifier" in entry else 1)
    n, p = X.shape
    y = _target(rng, X, features, entry)
    problem = Problem(
        entry,
        X,
        y,
        weights=_weights(rng, n, features),
        offset=rng.normal(size=n) * np.abs(y).mean() if "offset" in features else None,
        factor=_factor(rng, p, features),
        l1_ratio=_l1_ratio(rng, entry),
        intercept="origin" not in features,
        standardize="standardize" in features,
        positive="positive" in features,
        tol=float(10 ** rng.uniform(-10, -6) if "tight" in features else 10 ** rng.uniform(-5, -3)),
        solver=_solver(rng, entry, features),
        features=frozenset(features),
        seed=seed,
    )
    return _stored(rng, replace(problem, alphas=_strengths(rng, problem)))


def _possible(entry: str, wanted: set[str]) -> set[str]:
    """What of it an entry point knows."""
    no: set[str] = set()
    if entry != "regularization_path":
        no |= {"offset"}
    if entry in ("lasso_path", "enet_path"):
        no |= {"free", "heavy", "standardize", "targets"}
        wanted = wanted | {"origin"}
    if entry in RIDGE:
        no |= {"standardize"}
    else:
        no |= {"none"}
    if entry.endswith("CV"):
        no |= {"free", "heavy", "positive", "none", "iterative"}
    if entry in ("ridge_path", "regularization_path"):
        no |= {"targets"} | ({"positive"} if entry == "ridge_path" else set())
    if "Classifier" in entry:
        no |= {"targets", "far_y"}
    if "standardize" in wanted and "origin" in wanted:
        no |= {"constant"}  # nothing says what a deviation of 0 means there
    return wanted - no


def _columns(rng: np.random.Generator, features: set[str], least: int) -> np.ndarray:
    n, p = int(rng.integers(least, 61)), int(rng.integers(1, 41))
    if "wide" in features:
        n, p = int(rng.integers(2, 21)), int(rng.integers(20, 81))
    if "smooth" in features:
        n, p = max(n, 10), max(p, 10)
    X = rng.normal(size=(n, p)) * (rng.random((n, p)) < rng.choice([0.2, 0.6, 1.0]))
    if "onehot" in features:
        X = _one_hot(rng, n, p, X)
    if "smooth" in features:
        X = _hinges(rng, n, p)
    if rng.random() < 0.3:
        X = np.round(2 * X)
    for name, change in CHANGES.items():
        if name in features:
            change(rng, X)
    return np.clip(X, -MOST_SINGLE, MOST_SINGLE).astype(np.float32) if "float32" in features else X


def _one_hot(rng: np.random.Generator, n: int, p: int, X: np.ndarray) -> np.ndarray:
    a, b = rng.integers(0, max(2, p // 6), n), rng.integers(0, max(2, p // 6), n)
    cells = [column[:, None] == np.unique(column) for column in (a, b, a * 1000 + b)]
    return np.hstack([*cells, X[:, : int(rng.integers(0, 3))]])[:, :p].astype(float)


def _hinges(rng: np.random.Generator, n: int, p: int) -> np.ndarray:
    t, knots = np.sort(rng.uniform(-1, 1, n)), np.linspace(-1, 1, p + 2)[1:-1]
    X = np.maximum(t[:, None] - knots, 0) if rng.random() < 0.5 else np.exp(-(((t[:, None] - knots) / 0.2) ** 2))
    return (X - X.mean(0)) / (X.std(0) + 1e-9) if rng.random() < 0.5 else X


def _twins(rng: np.random.Generator, X: np.ndarray) -> None:
    for _ in range(max(1, X.shape[1] // 5)):
        to, a, b = rng.integers(0, X.shape[1], 3)
        X[:, to] = [X[:, a], X[:, a] + X[:, b], 1 - X[:, a], -3 * X[:, a]][int(rng.integers(0, 4))]


def _nearly(rng: np.random.Generator, X: np.ndarray) -> None:
    for _ in range(max(1, X.shape[1] // 8)):
        to, a = rng.integers(0, X.shape[1], 2)
        X[:, to] = X[:, a] + 10 ** rng.uniform(-11, -4) * rng.normal(size=len(X))


def _some(rng: np.random.Generator, X: np.ndarray) -> np.ndarray:
    return np.flatnonzero(rng.random(X.shape[1]) < rng.choice([0.1, 0.3, 1.0]))


def _far(rng: np.random.Generator, X: np.ndarray) -> None:
    for j in np.append(_some(rng, X), rng.integers(X.shape[1])):
        X[:, j] += 10 ** rng.uniform(3.5, 12) * (X[:, j].std() or 1.0)


def _units(rng: np.random.Generator, X: np.ndarray) -> None:
    X *= 10.0 ** rng.uniform(-15, 15, X.shape[1])


def _constant(rng: np.random.Generator, X: np.ndarray) -> None:
    X[:, rng.integers(0, X.shape[1], max(1, X.shape[1] // 6))] = 10 ** rng.uniform(-3, 7)


def _empty(rng: np.random.Generator, X: np.ndarray) -> None:
    X[:, rng.integers(0, X.shape[1], max(1, X.shape[1] // 6))] = 0


def _scale(rng: np.random.Generator, X: np.ndarray) -> None:
    X *= 10 ** rng.uniform(-15, 15)


def _tiny(rng: np.random.Generator, X: np.ndarray) -> None:
    X *= 10 ** rng.uniform(-180, -150)


CHANGES = {
    "twins": _twins,
    "nearly": _nearly,
    "far": _far,
    "units": _units,
    "constant": _constant,
    "empty": _empty,
    "scale": _scale,
    "tiny": _tiny,
}


def _target(rng: np.random.Generator, X: np.ndarray, features: set[str], entry: str) -> np.ndarray:
    n, p = X.shape
    size = np.abs(X - X.mean(0)).max(0).astype(float)
    w = rng.normal(size=(p, 2)) * (rng.random((p, 1)) < 0.4)
    y = (X - X.mean(0)) @ (w / np.where(size > 0, size, 1)[:, None]) + rng.choice([0, 0.1, 1]) * rng.normal(size=(n, 2))
    if "Classifier" in entry:
        labels = (y[:, 0] > np.median(y[:, 0])).astype(int)
        labels[:2] = 0, 1
        return labels
    y += rng.choice([0, 1, 10])
    if "scale" in features:
        y *= 10 ** rng.uniform(-15, 15)
    if "far_y" in features:
        y += 10 ** rng.uniform(3, 9) * (y.std() or 1.0)
    return y if "targets" in features and entry in ("Lasso", "ElasticNet", "Ridge", "RidgeCV") else y[:, 0].copy()


def _weights(rng: np.random.Generator, n: int, features: set[str]) -> np.ndarray | None:
    if not features & {"weights", "weights_far"}:
        return None
    s = np.ones(n)
    if "weights" in features:
        s = 10 ** rng.uniform(-rng.choice([1, 6]), rng.choice([1, 6]), n) * (rng.random(n) < rng.choice([0.7, 1]))
        s[rng.integers(n)] = 1.0
    return s * 10 ** rng.uniform(-20, 20) if "weights_far" in features else s


def _factor(rng: np.random.Generator, p: int, features: set[str]) -> np.ndarray | None:
    if not features & {"free", "heavy"}:
        return None
    v = 10 ** rng.uniform(-0.5, 0.5, p)
    if "heavy" in features:
        v = 10 ** rng.uniform(-6, 12, p)
    if "free" in features:
        v[rng.random(p) < rng.choice([0.1, 0.4])] = 0
        v[rng.integers(p)] = 0
    return v


def _l1_ratio(rng: np.random.Generator, entry: str) -> float:
    if entry in RIDGE:
        return 0.0
    return 1.0 if entry in ("Lasso", "lasso_path") else float(rng.choice([1.0, 0.9, 0.5, 0.01, 0.0]))


def _solver(rng: np.random.Generator, entry: str, features: set[str]) -> str:
    if "iterative" not in features or (entry in RIDGE and "positive" in features):
        return "auto"
    if entry in ("ridge_path", "Ridge", "RidgeClassifier"):
        return (
            "cg" if "free" in features or "none" in features else str(rng.choice(["cg", "cg", "gram", "svd", "dual"]))
        )
    return "prox_gradient"


def _strengths(rng: np.random.Generator, problem: Problem) -> np.ndarray:
    """Fractions of the largest strength that makes a difference."""
    data, weak = problem.data(), "weak" in problem.features
    v = np.ones(data.X.shape[1]) if problem.factor is None else problem.factor
    several = problem.entry in ("regularization_path", "lasso_path", "enet_path", "ridge_path") or "CV" in problem.entry
    k = int(rng.integers(1, 6)) if several else 1
    if problem.is_ridge:
        if "none" in problem.features:
            return np.zeros(1)
        curvature = data.s @ data.Xc**2 / np.where(v > 0, v, np.inf)
        logs, top = rng.uniform(-14 if weak else -4, 1, k), curvature.max(initial=0)
    else:
        sigma = data.deviations if problem.standardize else np.ones(v.size)
        held = (v > 0) & (sigma > 0)
        c = np.abs(data.Xc.T @ (data.s * data.yc)) / np.where(held, v * sigma, np.inf)
        logs = rng.uniform(-8 if weak else -3, 0.3, k)
        top = c.max(initial=0) / data.total / max(problem.l1_ratio, 1e-3)
    top = float(top) if 1e-280 < float(top) < 1e280 else 1.0
    return np.sort(top * 10.0**logs)[::-1].copy()


def _stored(rng: np.random.Generator, problem: Problem) -> Problem:
    """X in one of the storages, with indices of 32 or 64 bits."""
    kind = str(rng.choice(["C", "F", "csr", "csc", "coo", "csr", "csc"]))
    if kind in "CF":
        return replace(problem, X=np.array(problem.X, order="C" if kind == "C" else "F"))
    X = {"csr": sp.csr_array, "csc": sp.csc_array, "coo": sp.coo_array}[kind](problem.X)
    index = np.int64 if rng.random() < 0.4 else np.int32
    if kind != "coo":
        X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    return replace(problem, X=X)

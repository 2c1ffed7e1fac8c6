"""Random problems of every loss against an oracle of its own: formulas written out here, quasi-Newton from two starts,
and Newton steps in long double. As elsewhere, any point that the oracle finds has a value no less than the minimum.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

import sparsereg
from differential.active_set import Real
from differential.calls import Hang, limited
from differential.failure import Failure

EPS = float(np.finfo(np.float64).eps)
SLACK, STALLED = 1e-6, 10.0
POWER, DELTA = 1.4, 0.8
NEWTON_STEPS = 8
# Never a number of classes.
N_ALPHAS = 5
Array = np.ndarray


def softplus(z: Array) -> Array:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def sigmoid(z: Array) -> Array:
    return np.where(z >= 0, 1, np.exp(np.minimum(z, 0))) / (1 + np.exp(-np.abs(z)))


def _tweedie(y: Array, z: Array) -> tuple[Array, Array, Array]:
    a, b = np.exp((2 - POWER) * z), np.exp((1 - POWER) * z)
    return a / (2 - POWER) - y * b / (1 - POWER), a - y * b, (2 - POWER) * a - (1 - POWER) * y * b


def _huber(y: Array, z: Array) -> tuple[Array, Array, Array]:
    r = np.abs(y - z)
    inside = r <= DELTA
    value = np.where(inside, r**2 / 2, DELTA * r - DELTA * DELTA / 2)
    return value, -np.clip(y - z, -DELTA, DELTA), inside.astype(z.dtype)


def _squared_hinge(y: Array, z: Array) -> tuple[Array, Array, Array]:
    short = np.maximum(1 - y * z, 0)
    return short**2 / 2, -y * short, (short > 0).astype(z.dtype)


# Value, slope and curvature at predictors z.
LOSSES: dict[str, Callable[[Array, Array], tuple[Array, Array, Array]]] = {
    "logistic": lambda y, z: (softplus(z) - y * z, sigmoid(z) - y, sigmoid(z) * sigmoid(-z)),
    "poisson": lambda y, z: (np.exp(z) - y * z, np.exp(z) - y, np.exp(z)),
    "gamma": lambda y, z: (y * np.exp(-z) + z, 1 - y * np.exp(-z), y * np.exp(-z)),
    "tweedie": _tweedie,
    "huber": _huber,
    "squared_hinge": _squared_hinge,
    "multinomial": lambda y, z: _multinomial(y, z),
}
# How each is named to sparsereg.
NAMES = {name: name for name in LOSSES} | {"tweedie": f"tweedie:{POWER}", "huber": f"huber:{DELTA}"}
CLASSES = ("logistic", "squared_hinge", "multinomial")


def _multinomial(y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Curvatures of shape (n, K, K)."""
    top = z.max(axis=1, keepdims=True)
    share = np.exp(z - top)
    total = share.sum(axis=1, keepdims=True)
    share, own = share / total, y[:, None] == np.arange(z.shape[1])
    value = (top + np.log(total))[:, 0] - z[own]
    return value, share - own, share[:, :, None] * np.eye(z.shape[1]) - share[:, :, None] * share[:, None, :]


@dataclass
class LossProblem:
    """Arguments of `regularization_path`; coefficients are of shape (p, K)."""

    X: Any
    y: Array
    loss: str
    n_outputs: int
    l1_ratio: float
    tol: float
    eps: float
    options: dict[str, Any]
    seed: int = -1

    def __post_init__(self) -> None:
        self.dense = (self.X.toarray() if sp.issparse(self.X) else np.asarray(self.X)).astype(Real)
        n, p = self.dense.shape
        s = self.options.get("sample_weight")
        self.s = (np.ones(n) if s is None else s).astype(Real) / (n if s is None else s.sum())
        self.offset = np.asarray(self.options.get("offset", np.zeros(n)), dtype=Real)
        self.v = np.asarray(self.options.get("penalty_factor", np.ones(p)), dtype=Real)
        self.intercept = self.options.get("fit_intercept", True)
        self.positive = self.options.get("positive", False)

    def parts(self, b: Array, W: Array) -> tuple[Array, Array, Array]:
        z = self.offset[:, None] + b + self.dense @ W
        if self.loss == "multinomial":
            return LOSSES[self.loss](self.y, z)
        value, slope, bend = LOSSES[self.loss](self.y.astype(Real), z[:, 0])
        return value, slope[:, None], bend[:, None, None]

    def value(self, b: Array, W: Array, alpha: float) -> np.longdouble:
        """F, as docs/design.md has it."""
        l1, l2 = self.strengths(alpha)
        return self.s @ self.parts(b, W)[0] + l1 @ np.abs(W).sum(axis=1) + l2 @ (W**2).sum(axis=1) / 2

    def strengths(self, alpha: float) -> tuple[Array, Array]:
        return Real(alpha) * Real(self.l1_ratio) * self.v, Real(alpha) * (1 - Real(self.l1_ratio)) * self.v

    def gradient(self, b: Array, W: Array, alpha: float) -> tuple[Array, Array]:
        """Of the smooth part."""
        slope = self.s[:, None] * self.parts(b, W)[1]
        return slope.sum(axis=0) * self.intercept, self.dense.T @ slope + self.strengths(alpha)[1][:, None] * W

    def rounding(self, b: Array, W: Array, alpha: float) -> float:
        """Of sums whose terms do not cancel."""
        value, slope, _ = self.parts(b, W)
        z = np.abs(self.offset)[:, None] + np.abs(b) + np.abs(self.dense) @ np.abs(W)
        terms = self.s @ (np.abs(value) + (np.abs(slope) * z).sum(axis=1))
        return 64 * EPS * float(terms + self.strengths(alpha)[0] @ np.abs(W).sum(axis=1))


def draw(seed: int) -> LossProblem:
    """The problem of a seed: numbers, levels of fields and their cross; weights, offsets, factors with zeros, l2."""
    rng = np.random.default_rng([seed, 16])
    loss = str(rng.choice(list(LOSSES)))
    n, X = int(rng.integers(8, 60)), None
    if rng.random() < 0.5:
        X = rng.normal(size=(n, int(rng.integers(1, 12)))) * 10 ** rng.uniform(-2, 2)
    else:
        a, b = rng.integers(0, 4, n), rng.integers(0, 3, n)
        X = np.hstack([f[:, None] == np.unique(f) for f in (a, b, a * 3 + b)]).astype(float)
    X = X.astype(np.float32) if rng.random() < 0.2 else X
    p, K = X.shape[1], int(rng.integers(3, 5)) if loss == "multinomial" else 1
    z = (X / np.abs(X).max()) @ rng.normal(size=(p, K)) + rng.normal(size=(1, K))
    options: dict[str, Any] = {}
    if rng.random() < 0.3:
        options["sample_weight"] = 10 ** rng.uniform(-3, 3, n) * (rng.random(n) < 0.8)
        options["sample_weight"][: K + 1] = 1.0
    if rng.random() < 0.3 and loss != "multinomial":
        options["offset"] = rng.normal(size=n)
    if rng.random() < 0.4:
        options["penalty_factor"] = 10 ** rng.uniform(-1, 1, p)
        if rng.random() < 0.5 and loss != "multinomial":
            options["penalty_factor"][: max(1, p // 6)] = 0.0
    if rng.random() < 0.2 and loss != "multinomial":
        options["positive"] = True
    if rng.random() < 0.3:
        options["fit_intercept"] = False
    y = _target(rng, loss, z)
    held: Any = X
    if (kind := str(rng.choice(["dense", "csr", "csc"]))) != "dense":
        held = {"csr": sp.csr_array, "csc": sp.csc_array}[kind](X)
    tol, eps = 10 ** rng.uniform(-8, -2), 10 ** rng.uniform(-4, -1)
    return LossProblem(held, y, loss, K, float(rng.choice([1.0, 0.7, 0.2])), float(tol), float(eps), options, seed)


def _target(rng: np.random.Generator, loss: str, z: Array) -> Array:
    n = len(z)
    if loss == "multinomial":
        y = np.argmax(z + rng.gumbel(size=z.shape), axis=1)
        y[: z.shape[1]] = np.arange(z.shape[1])
        return y
    z = z[:, 0]
    if loss in CLASSES:
        y = (z + rng.logistic(size=n) > 0).astype(float)
        y[:2] = 0.0, 1.0
        return y if loss == "logistic" else 2 * y - 1
    if loss == "huber":
        return z + rng.standard_t(2, size=n)
    mean = np.exp(np.clip(z, -5, 5))
    y = rng.gamma(2.0, mean / 2) + 1e-3 if loss in ("gamma", "tweedie") else rng.poisson(mean).astype(float)
    y = y * (rng.random(n) < 0.7) if loss == "tweedie" else y
    y[0] = y[0] + 1
    return y


def examine(problem: LossProblem) -> list[Failure]:
    """Everything that is wrong with the path of a problem."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with limited():
                path = sparsereg.regularization_path(
                    problem.X,
                    problem.y,
                    loss=NAMES[problem.loss],
                    l1_ratio=problem.l1_ratio,
                    tol=problem.tol,
                    eps=problem.eps,
                    alphas=N_ALPHAS,
                    **problem.options,
                )
        except Hang as error:
            return [Failure("hang", str(error))]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is to be judged
            return [Failure("refused", f"{type(error).__name__}: {error}")]
    found = [Failure("stray warning", str(w.message)) for w in caught if w.category.__name__ != "ConvergenceWarning"][
        :1
    ]
    coefs = path.coefs if isinstance(path.coefs, tuple) else (path.coefs,)
    W = np.stack([c.toarray() for c in coefs], axis=-1)
    intercepts = np.reshape(path.intercepts, (-1, N_ALPHAS) if problem.n_outputs == 1 else np.shape(path.intercepts))
    intercepts = intercepts.T if intercepts.shape[1] == N_ALPHAS else intercepts
    for k, alpha in enumerate(path.alphas):
        point = intercepts[k].astype(Real), W[:, k].astype(Real)
        found += _judge(problem, path, k, point, float(alpha))
    return list({failure.kind: failure for failure in reversed(found)}.values())


def _judge(problem: LossProblem, path: Any, k: int, point: tuple[Array, Array], alpha: float) -> list[Failure]:
    gap, goal, certified = float(path.dual_gaps[k]), problem.tol * float(path.gap_scale), bool(path.certified[k])
    if not (np.isfinite(point[0]).all() and np.isfinite(point[1]).all()) or np.isnan(gap):
        return [Failure("not finite", f"gap {gap}")]
    excess = float(problem.value(*point, alpha) - least(problem, point, alpha))
    allowed = problem.rounding(*point, alpha)
    numbers = f"gap {gap:.3g}, true {excess:.3g}, asked {goal:.3g}, rounding {allowed:.1g}, point {k}"
    found = []
    if gap * (1 + SLACK) + allowed < excess:
        found.append(Failure("false certificate", numbers))
    if certified and excess > goal * (1 + SLACK) + allowed:
        found.append(Failure("silent miss", numbers))
    endless = problem.loss in CLASSES and (problem.v == 0).any()  # classes that free columns part have no minimum
    if not certified and excess > STALLED * goal + allowed and not endless:
        found.append(Failure("stalled", numbers))
    if not certified and gap <= goal:
        found.append(Failure("needless warning", numbers))
    if problem.positive and (point[1] < 0).any():
        found.append(Failure("negative", numbers))
    return found


def least(problem: LossProblem, point: tuple[Array, Array], alpha: float) -> np.longdouble:
    """The least value that was found, from the given point and from nothing."""
    b, W = point
    best = _newton(problem, b, W, alpha)
    for start in (point, (np.zeros_like(b), np.zeros_like(W))):
        best = min(best, _newton(problem, *_quasi_newton(problem, *start, alpha), alpha))
    return best


def _quasi_newton(problem: LossProblem, b: Array, W: Array, alpha: float) -> tuple[Array, Array]:
    """On positive and negative parts, in double precision."""
    K, size = b.size, W.size
    l1 = np.repeat(problem.strengths(alpha)[0].astype(float), K)

    def split(x: Array) -> tuple[float, Array]:
        own = (x[K : K + size] - x[K + size :]).reshape(W.shape).astype(Real)
        value = problem.value(x[:K].astype(Real), own, alpha) - problem.strengths(alpha)[0] @ np.abs(own).sum(axis=1)
        g0, g = (part.astype(float).ravel() for part in problem.gradient(x[:K].astype(Real), own, alpha))
        value = float(value) + l1 @ (x[K : K + size] + x[K + size :])
        return (value, np.concatenate([g0, g + l1, l1 - g])) if np.isfinite(value) else (1e300, 0 * x)

    bounds = [(None, None) if problem.intercept else (0, 0)] * K + [(0, None)] * size
    bounds += [(0, 0 if problem.positive else None)] * size
    start = np.concatenate([b, np.maximum(W, 0).ravel(), np.maximum(-W, 0).ravel()]).astype(float)
    with np.errstate(all="ignore"):
        options = {"ftol": 1e-16, "gtol": 1e-12, "maxiter": 500, "maxfun": 3000}
        x = minimize(split, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options).x
    return x[:K].astype(Real), (x[K : K + size] - x[K + size :]).reshape(W.shape).astype(Real)


def _newton(problem: LossProblem, b: Array, W: Array, alpha: float) -> np.longdouble:
    """The least value along Newton steps on what is not 0; signs stay."""
    l1 = np.repeat(problem.strengths(alpha)[0][:, None], W.shape[1], axis=1)
    best = problem.value(b, W, alpha)
    for _ in range(NEWTON_STEPS):
        active = (W != 0) | (l1 == 0)
        bend = problem.s[:, None, None] * problem.parts(b, W)[2]
        A = np.hstack([np.ones((len(problem.s), 1)), problem.dense]).astype(float)
        H = np.einsum("ia,ikl,ib->akbl", A, bend.astype(float), A)
        used = np.vstack([np.full((1, b.size), problem.intercept), active]).ravel()
        H = H.reshape(used.size, used.size) + np.diag(
            np.repeat(np.concatenate([[0], problem.strengths(alpha)[1]]), b.size).astype(float)
        )
        g0, g = problem.gradient(b, W, alpha)
        g = np.concatenate([g0, (g + l1 * np.sign(W)).ravel()])
        step = np.zeros(used.size, dtype=Real)
        try:
            step[used] = np.linalg.lstsq(H[np.ix_(used, used)], g[used].astype(float), rcond=1e-14)[0]
        except np.linalg.LinAlgError:
            return best
        step = step.reshape(-1, b.size)
        for share in (1.0, 0.3, 0.05):
            W_new = W - Real(share) * step[1:]
            W_new = np.where((l1 > 0) & (W_new * W < 0), 0, W_new)
            W_new = np.maximum(W_new, 0) if problem.positive else W_new
            value = problem.value(b - Real(share) * step[0], W_new, alpha)
            if value < best:
                best, b, W = value, b - Real(share) * step[0], W_new
                break
        else:
            return best
    return best

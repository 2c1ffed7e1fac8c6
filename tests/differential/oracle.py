"""The objective in long double, and its minimum: for the lasso and elastic net by an active set, for ridge by QR."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from differential.active_set import Lasso, Real, factor_of, norm

EPS = float(np.finfo(np.float64).eps)


@dataclass
class Data:
    """What is minimised: X, y less its offset, weights, in long double; columns centred where there is an intercept.

    Means are taken of differences to the first row that counts, so that one of 10^12 deviations costs nothing."""

    X: np.ndarray
    y: np.ndarray
    s: np.ndarray
    intercept: bool

    @classmethod
    def of(cls, X, y, s=None, offset=None, intercept=True) -> Data:
        X, y = np.asarray(X).astype(Real), np.asarray(y).astype(Real)
        s = np.ones(len(y), dtype=Real) if s is None else np.broadcast_to(np.asarray(s), y.shape).astype(Real)
        return cls(X, y if offset is None else y - np.asarray(offset).astype(Real), s, intercept)

    @cached_property
    def total(self) -> np.longdouble:
        return self.s.sum()

    @cached_property
    def centred(self) -> tuple[np.ndarray, np.ndarray]:
        """X and y less their weighted means, whether or not there is an intercept."""
        first = int(np.argmax(self.s > 0))
        X, y = self.X - self.X[first], self.y - self.y[first]
        return X - (self.s @ X) / self.total, y - (self.s @ y) / self.total

    @cached_property
    def Xc(self) -> np.ndarray:
        return self.centred[0] if self.intercept else self.X

    @cached_property
    def yc(self) -> np.ndarray:
        return self.centred[1] if self.intercept else self.y

    @cached_property
    def means(self) -> tuple[np.ndarray, np.longdouble]:
        """What was taken off; zeros without an intercept."""
        if not self.intercept:
            return np.zeros(self.X.shape[1], dtype=Real), Real(0)
        first = int(np.argmax(self.s > 0))
        return self.X[first] - self.Xc[first], self.y[first] - self.yc[first]

    @cached_property
    def deviations(self) -> np.ndarray:
        """Weighted standard deviations around the mean."""
        return np.sqrt(self.s @ self.centred[0] ** 2 / self.total)

    @cached_property
    def null(self) -> np.longdouble:
        """|y - mean|_s^2."""
        return self.s @ self.yc**2

    def intercept_off(self, w, b0) -> np.longdouble:
        """How far an intercept is from the best one at w."""
        m, ym = self.means
        return Real(b0) - (ym - m @ w)

    def squares(self, w, b0) -> np.longdouble:
        """|y - b0 - X w|_s^2."""
        off = self.intercept_off(w, b0) if self.intercept else Real(b0)
        return self.s @ (self.yc - self.Xc @ w - off) ** 2

    def size(self, w, l1, l2) -> float:
        """What rounding is measured against: sums whose terms do not cancel."""
        return float(self.s @ (np.abs(self.yc) + np.abs(self.Xc) @ np.abs(w)) ** 2 + l1 @ np.abs(w) + l2 @ w**2)

    def rounding(self, w, b0, l1, l2) -> float:
        """What a claim in double precision may be off by, in units of `squares`: 32 eps of such sums, and an intercept
        rounded to its last digits."""
        m, ym = self.means
        last = 4 * EPS * float(abs(Real(b0)) + np.abs(m) @ np.abs(w) + abs(ym))
        return 32 * EPS * self.size(w, l1, l2) + float(self.total) * last**2


@dataclass
class Minimum:
    """The best point that was found: its `value` (not divided by S), and the oracle's own gap."""

    w: np.ndarray
    value: np.longdouble
    gap: float


def value(data: Data, w, b0, l1, l2) -> np.longdouble:
    """1/2 |y - b0 - X w|_s^2 + sum l1 |w| + 1/2 sum l2 w^2."""
    return data.squares(w, b0) / 2 + l1 @ np.abs(w) + l2 @ w**2 / 2


def minimise(data: Data, l1, l2, positive: bool) -> Minimum:
    """The minimum of `value` with the intercept at its best."""
    n, p = data.Xc.shape
    root, w = np.sqrt(data.s), np.zeros(p, dtype=Real)
    A = np.vstack([root[:, None] * data.Xc, np.diag(np.sqrt(l2))])
    b = np.concatenate([root * data.yc, np.zeros(p, dtype=Real)])
    size, length = np.array([norm(a) for a in A.T]), norm(b)
    cols = np.flatnonzero(size > 0)
    if not length or not cols.size:
        return Minimum(w, length**2 / 2, 0.0)
    A, b, l1s = A[:, cols] / size[cols], b / length, l1[cols] / size[cols] / length
    free = np.flatnonzero(l1s == 0) if not positive else np.zeros(0, dtype=np.intp)
    held = np.setdiff1d(np.arange(cols.size), free)
    factor, kept = factor_of(A[:, free])
    left, scales, target = _apart(factor, A[:, held], b)
    problem = Lasso(left, target, l1s[held] / scales, positive)
    v = np.zeros(cols.size, dtype=Real)
    v[held] = problem.solve(20 * (cols.size + n)) / scales
    v[free[kept]] = factor.back(factor.split(b - A[:, held] @ v[held])[0])
    w[cols] = v * length / size[cols]
    r = b - A @ v
    return Minimum(w, length**2 * (r @ r / 2 + l1s @ np.abs(v)), float(length**2) * _gap(problem))


def _apart(factor, A, b):
    """Columns and target less what free columns explain; columns of unit length, or 0 where rounding is left."""
    if not factor.size:
        return A, np.ones(A.shape[1], dtype=Real), b
    parts = [factor.split(a)[1] for a in A.T]
    lengths = np.array([norm(part) for part in parts], dtype=Real)
    scales = np.where(lengths > 1e-17, lengths, 1)
    left = np.stack(parts, 1) / scales if parts else A
    return np.where(lengths > 1e-17, left, 0), scales, factor.split(b)[1]


def _gap(problem: Lasso) -> float:
    """The duality gap, by the residual scaled until it is feasible."""
    r = problem.b - problem.A @ problem.w
    c = problem.A.T @ r
    c = np.maximum(c, 0) if problem.positive else np.abs(c)
    bound = c > 1e-16
    if (problem.l1[bound] == 0).any():
        return np.inf
    t = 1 / max(Real(1), np.max(c[bound] / problem.l1[bound], initial=0))
    primal = r @ r / 2 + problem.l1 @ np.abs(problem.w)
    return float(primal - (t * r @ problem.b - t * t * (r @ r) / 2))

"""min 1/2 |b - A w|^2 + sum_j l1_j |w_j|, perhaps with w >= 0, in long double: an active set on a growing QR.

Slow and plain. Starts from nothing, knows nothing of sparsereg, and its own duality gap says how good it was. What the
checks conclude from it is sound however bad it is: they only use that no point has a value below the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Real = np.longdouble
# What of a unit column stands apart from others, below which it counts as made of them.
DEPENDENT = Real(1e-14)
# Gradients beyond their threshold by less, beside a unit target, are rounding.
ROUNDING = Real(1e-17)


@dataclass
class Factor:
    """Q and R of the columns taken in so far."""

    Q: np.ndarray
    R: np.ndarray
    size: int = 0

    @classmethod
    def of_none(cls, m: int, most: int) -> Factor:
        return cls(np.zeros((m, most), dtype=Real), np.zeros((most, most), dtype=Real))

    def split(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`Q' a`, and what Q leaves of a: by Gram-Schmidt three times over."""
        Q, h = self.Q[:, : self.size], np.zeros(self.size, dtype=Real)
        for _ in range(3):
            part = Q.T @ a
            a, h = a - Q @ part, h + part
        return h, a

    def append(self, a: np.ndarray) -> bool:
        """Take a unit column in; False if it is made of those that are there."""
        k = self.size
        h, rest = self.split(a)
        length = norm(rest)
        if length <= DEPENDENT or k == self.Q.shape[1]:
            return False
        self.Q[:, k], self.R[:k, k], self.R[k, k] = rest / length, h, length
        self.size = k + 1
        return True

    def back(self, z: np.ndarray) -> np.ndarray:
        """`R^-1 z`."""
        x, R = z.copy(), self.R
        for i in range(self.size - 1, -1, -1):
            x[i] /= R[i, i]
            x[:i] -= R[:i, i] * x[i]
        return x

    def forth(self, z: np.ndarray) -> np.ndarray:
        """`R'^-1 z`."""
        x, R = z.copy(), self.R
        for i in range(self.size):
            x[i] /= R[i, i]
            x[i + 1 :] -= R[i, i + 1 : self.size] * x[i]
        return x


def norm(v: np.ndarray) -> np.longdouble:
    """The Euclidean norm."""
    return np.sqrt(np.sum(v * v)) if v.size else Real(0)


def factor_of(A: np.ndarray) -> tuple[Factor, np.ndarray]:
    """Of the columns of A, all but those made of earlier ones; and which they are."""
    factor = Factor.of_none(A.shape[0], min(A.shape))
    kept = [j for j in range(A.shape[1]) if factor.append(A[:, j])]
    return factor, np.array(kept, dtype=np.intp)


@dataclass
class Lasso:
    """The problem on unit columns and a unit target, free columns projected out; and where the descent stands."""

    A: np.ndarray
    b: np.ndarray
    l1: np.ndarray
    positive: bool
    w: np.ndarray = field(init=False)
    active: list[int] = field(default_factory=list)
    factor: Factor = field(init=False)

    def __post_init__(self) -> None:
        self.w = np.zeros(self.A.shape[1], dtype=Real)
        self.sign = np.zeros(self.A.shape[1], dtype=Real)
        self.blocked: set[int] = set()
        self._refactor()

    def _refactor(self) -> None:
        self.factor = Factor.of_none(self.A.shape[0], min(self.A.shape))
        self.active = [j for j in self.active if self.factor.append(self.A[:, j])]

    def solve(self, most: int) -> np.ndarray:
        """The coefficients; after so many steps at most."""
        for _ in range(most):
            if self.active and not self._settle():
                continue
            j = self._most_violating()
            if j < 0:
                break
            self._enter(j)
        return self.w

    def _settle(self) -> bool:
        """Towards the minimum on the active columns, up to the first that would change its sign, which leaves."""
        at, f = np.array(self.active), self.factor
        goal = f.back(f.Q[:, : f.size].T @ self.b - f.forth(self.l1[at] * self.sign[at]))
        wrong = goal * self.sign[at] < 0
        if not wrong.any():
            if norm(goal - self.w[at]) > 1e-16 * norm(goal):
                self.blocked.clear()
            self.w[at] = goal
            return True
        share = np.where(wrong, self.w[at] / np.where(wrong, self.w[at] - goal, 1), np.inf)
        first = int(np.argmin(share))
        if share[first] > 0:
            self.blocked.clear()
        self.w[at] += max(share[first], Real(0)) * (goal - self.w[at])
        self._leave(self.active[first])
        return False

    def _leave(self, j: int) -> None:
        self.w[j] = self.sign[j] = 0
        self.blocked.add(j)
        self.active.remove(j)
        self._refactor()

    def _most_violating(self) -> int:
        c = self.A.T @ (self.b - self.A @ self.w)
        over = (c if self.positive else np.abs(c)) - self.l1 * (1 + ROUNDING)
        over[self.active] = -1
        over[list(self.blocked)] = -1
        j = int(np.argmax(over)) if over.size else 0
        if not over.size or over[j] <= ROUNDING:
            return -1
        self.sign[j] = np.sign(c[j])
        return j

    def _enter(self, j: int) -> None:
        if self.factor.append(self.A[:, j]):
            self.active.append(j)
            return
        # Made of active ones: along what changes no prediction until one of them is gone.
        f, at = self.factor, np.array(self.active)
        along = -self.sign[j] * f.back(f.split(self.A[:, j])[0])
        down = along * self.sign[at] < 0
        if not down.any():
            self.blocked.add(j)
            return
        steps = np.where(down, -self.w[at] / np.where(down, along, 1), np.inf)
        first = int(np.argmin(steps))
        self.w[at] += steps[first] * along
        self.w[j] = steps[first] * self.sign[j]
        gone = self.active[first]
        if steps[first] > 0:
            self.blocked.clear()
        self.active.append(j)
        self._leave(gone)

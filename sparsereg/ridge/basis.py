"""What a few vectors can do for ridge at many strengths: their best combinations, and how good these are. Does not know where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from sparsereg.ridge.nested import scattered
from sparsereg.ridge.system import OTHER_UNITS, NormalEquations

__all__ = ["ReducedBasis", "Until", "combination"]

Vector = NDArray[np.float64]

# Numbers in a sketch, many times the vectors of a basis.
SKETCH = 1_000
# Entries of a slab of the gradients at all strengths: 2 MB, near a cache.
SLAB = 250_000


class Until(NamedTuple):
    """When a path is good enough.

    Attributes
    ----------
    tol : float
        At `|g| <= tol |b|`, and with each column in units of its own curvature `units` times that;
    max_iter : int
        most iterations at one alpha;
    share : float
        or, at each alpha, where the gap is at most this share of `b' w`, as far as penalties are known to be at least their least.
    units : float
    """

    tol: float
    max_iter: int
    share: float = 0.0
    units: float = OTHER_UNITS


class ReducedBasis:
    """Vectors W, `H0 W`, and a sketch of both, in which the best combinations and the size of their gradients are found.

    The sketch adds entries up that are 1,000 apart, with random signs: lengths survive to a few percent at any size, down to rounding
    (Nakatsukasa & Tropp 2024), and no vector has to be made orthogonal to the others.

    Parameters
    ----------
    equations : NormalEquations
    b : float64 array of shape (n_cols,)
        The right side.
    order : int64 array of shape (n_cols,), optional
        The columns in the order in which all vectors are given, if it is another than theirs; b aside.
    """

    def __init__(self, equations: NormalEquations, b: Vector, order: NDArray[np.int64] | None = None) -> None:
        self.equations, self.order = equations, order
        self.b, self.factor, self.diagonal = map(self.ordered, (b, equations.factor, equations.diagonal))
        self.W: list[Vector] = []
        self.H0W: list[Vector] = []
        self._sign = np.random.default_rng(0).integers(0, 2, b.size, dtype=np.int8) * 2.0 - 1.0
        self._sketched_b, self._sketched_H0W, self._sketched_VW = self._sketch(self.b), list[Vector](), list[Vector]()

    def ordered(self, x: Vector) -> Vector:
        """A vector of the columns in the order of the basis."""
        return x if self.order is None else x[self.order]

    def add(self, w: Vector, H0w: Vector) -> None:
        """Take in a vector, scaled to length 1."""
        length = float(np.linalg.norm(w))
        if length == 0.0:
            return
        self.W.append(w / length)
        self.H0W.append(H0w / length)
        self._sketched_H0W.append(self._sketch(self.H0W[-1]))
        self._sketched_VW.append(self._sketch(self.factor * self.W[-1]))

    def sizes(self, alphas: Vector) -> Vector:
        """The norm of the least gradient of any combination for each alpha, to a few percent."""
        return np.abs(_triangle(self._triangles(alphas))[:, -1, -1])

    def combinations(self, alphas: Vector) -> NDArray[np.float64]:
        """The coefficients of these, one row each."""
        if not self.W:
            return np.zeros((alphas.size, 0))
        return np.stack([np.linalg.lstsq(T[:, :-1], T[:, -1])[0] for T in self._triangles(alphas)])

    def certificates(self, alphas: Vector, A: NDArray[np.float64]) -> tuple[Vector, Vector]:
        """The norm of each combination's gradient, to all digits, and the bound on its distance from the minimum."""
        v = self.factor
        bounded = bool(v.min(initial=1.0) > 0.0)
        squares = np.zeros((alphas.size, 2))  # plain, and by the factors; where one is 0, whether there is anything
        with np.errstate(over="ignore"):
            for here, g in self._gradients(alphas, A):
                g *= g
                squares += g @ np.stack(
                    [np.ones(g.shape[1]), 1.0 / v[here] if bounded else np.ones(g.shape[1])], axis=1
                )
        if not bounded:
            squares[:, 1] = np.where(squares[:, 0] > 0.0, np.inf, 0.0)
        return np.sqrt(squares[:, 0]), squares[:, 1] / alphas

    def scales(self, alphas: Vector, units: float) -> Vector:
        """What gradients are small beside: `|b|`, or less where one column in large units would hide those of the others.

        Where `|g|` is a share of this, `|g / r|` is at most `units` times that share of `|b / r|`, r the root of the curvature."""
        size = float(np.linalg.norm(self.b))
        out = np.full(alphas.size, size)
        if not size or not alphas.size:
            return out
        varies = self.diagonal > 0.0  # b and gradients are 0 in the others
        diagonal, factor, b = self.diagonal[varies], self.factor[varies], self.b[varies]

        def in_units(alpha: float) -> float:
            root = np.sqrt(diagonal + alpha * factor)
            return min(size, units * float(root.min()) * float(np.linalg.norm(b / root)))

        if min(in_units(alphas.min()), in_units(alphas.max())) < size:
            out[:] = [in_units(alpha) for alpha in alphas]
        return out

    def targets(self, alphas: Vector, until: Until, scales: Vector) -> Vector:
        """The largest gradients that will do."""
        least = until.tol * scales
        if not (until.share and self.W):
            return least
        explained = self.combinations(alphas) @ np.array([self.b @ w for w in self.W])
        penalty = alphas * float(self.factor.min(initial=1.0))
        return np.maximum(least, np.sqrt(until.share * penalty * np.maximum(explained, 0.0)))

    def explained(self, alphas: Vector) -> Vector:
        """`b' w` of the combinations that are best in energy: `b' H^-1 b` but for the square of what they are off by."""
        W, v = self.W, self.factor
        stiffness = np.array([[h @ u for u in W] for h in self.H0W]).reshape(len(W), len(W))
        mass = np.array([[(v * w) @ u for u in W] for w in W]).reshape(len(W), len(W))
        Wb = np.array([self.b @ w for w in W])
        return np.array([Wb @ np.linalg.lstsq(stiffness + alpha * mass, Wb)[0] for alpha in alphas])

    def gradient(self, a: Vector, alpha: float) -> Vector:
        """Of one combination."""
        g = combination(self.W, -alpha * a, self.b.size)
        g *= self.factor
        g += self.b
        return _added(g, self.H0W, -a)

    def restore_order(self) -> None:
        """Puts W in the order of the columns; nothing else can be asked of the basis then."""
        if self.order is not None:
            for k, w in enumerate(self.W):
                self.W[k] = scattered(self.order, w)

    def _sketch(self, x: Vector) -> Vector:
        if x.size <= SKETCH:
            return x
        signed = x * self._sign
        whole = x.size - x.size % SKETCH
        out = signed[:whole].reshape(-1, SKETCH).sum(axis=0)
        out[: x.size - whole] += signed[whole:]
        return np.asarray(out)

    def _triangles(self, alphas: Vector) -> NDArray[np.float64]:
        """The least-squares problem of each alpha, `[H W, b]`, in so few rows as `[H0 W, V W, b]` has columns."""
        k = len(self.W)
        R = _triangle(np.stack([*self._sketched_H0W, *self._sketched_VW, self._sketched_b], axis=1))
        out = np.zeros((alphas.size, 2 * k + 1, k + 1))
        out[:, : R.shape[0], :k] = R[:, :k] + alphas[:, None, None] * R[:, k : 2 * k]
        out[:, : R.shape[0], k] = R[:, 2 * k]
        return out

    def _gradients(self, alphas: Vector, A: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """All gradients by slabs of columns."""
        shares = np.hstack([-A, -alphas[:, None] * A, np.ones((alphas.size, 1))])
        step = max(1, SLAB // max(alphas.size, 1))
        for begin in range(0, self.b.size, step):
            here = slice(begin, min(begin + step, self.b.size))
            v = self.factor[here]
            yield here, shares @ np.stack([*(h[here] for h in self.H0W), *(v * w[here] for w in self.W), self.b[here]])


def _triangle(M: NDArray[np.float64]) -> NDArray[np.float64]:
    """R of the QR factorisation of each matrix."""
    return np.asarray(np.linalg.qr(M, mode="r"), dtype=np.float64)


def combination(vectors: list[Vector], a: Vector, size: int) -> Vector:
    return _added(np.zeros(size), vectors, a)


def _added(out: Vector, vectors: list[Vector], a: Vector) -> Vector:
    """out, and so much of each vector more."""
    for share, vector in zip(a, vectors, strict=True):
        out = daxpy(vector, out, a=share)
    return out

"""What a few vectors can do for ridge at many strengths: their best combinations, and how good these are. Does not know where they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from sparsereg.ridge.normal_equations import OTHER_UNITS, NormalEquations
from sparsereg.ridge.preconditioners.nested_factors import scattered

__all__ = ["Certificates", "Combination", "Point", "ReducedBasis", "Sketched", "Until", "combination"]

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


class Certificates(NamedTuple):
    """How good combinations are, at k strengths.

    Attributes
    ----------
    sizes : float64 array of shape (k,)
        The norms of their gradients, to all digits.
    gaps : float64 array of shape (k,)
        Bounds on how far their objectives are from the minimum.
    means : float64 array of shape (k,)
        `means' w`: what the intercept makes up for.
    """

    sizes: Vector
    gaps: Vector
    means: Vector


class Sketched(ABC):
    """A sketch of `H0 W` and `V W` for vectors W, in which their best combinations are found, and how long the gradients of these are.

    It adds entries up that are 1,000 apart, with random signs: lengths survive to a few percent at any size, down to rounding
    (Nakatsukasa & Tropp 2024), and no vector has to be made orthogonal to the others.

    Parameters
    ----------
    equations : NormalEquations
    b : float64 array of shape (n_cols,)
        The right side.
    order : int64 array of shape (n_cols,), optional
        The columns in the order in which all vectors are given, if it is another than theirs; b aside.
    """

    # The share of what will do at which combinations are taken, by what a sketch says of their gradients.
    room: float

    def __init__(self, equations: NormalEquations, b: Vector, order: NDArray[np.int64] | None = None) -> None:
        self.equations, self.order = equations, order
        self.b, self.factor = self.ordered(b), equations.factor
        if self.factor.min(initial=1.0) < self.factor.max(initial=0.0):
            self.factor = self.ordered(self.factor)
        bits = np.random.default_rng(0).bytes(-(-b.size // 8))
        self._sign = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=b.size) * 2.0 - 1.0
        self._sketched_b, self._sketched_H0W, self._sketched_VW = self.sketch(self.b), list[Vector](), list[Vector]()
        self._Wb: list[float] = []
        self._taken: list[int] = []  # the vectors that combinations are taken of
        self._R: NDArray[np.float64] | None = None

    @cached_property
    def diagonal(self) -> Vector:
        """The curvatures, in this order."""
        return self.ordered(self.equations.diagonal)

    @property
    def size(self) -> int:
        """How many vectors there are."""
        return len(self._Wb)

    def ordered(self, x: Vector) -> Vector:
        """A vector of the columns in the order of the basis."""
        return x if self.order is None else x[self.order]

    def take_in(self, H0w: Vector, Vw: Vector, bw: float) -> None:
        """A vector of which `b' w` and these sketches are known."""
        self._sketched_H0W.append(H0w)
        self._sketched_VW.append(Vw)
        self._taken.append(self.size)
        self._Wb.append(bw)
        self._R = None

    def retire(self, k: int) -> None:
        """Takes vector k into no combination to come; those that have it keep it."""
        self._taken.remove(k)
        self._R = None

    def sizes(self, alphas: Vector) -> Vector:
        """The norm of the least gradient of any combination for each alpha, to a few percent."""
        return np.abs(_triangle(self._triangles(alphas))[:, -1, -1])

    def combinations(self, alphas: Vector) -> NDArray[np.float64]:
        """The coefficients of these, one row each."""
        if not self.size:
            return np.zeros((alphas.size, 0))
        T, A = self._triangles(alphas), np.zeros((alphas.size, self.size))
        # A vector of a weak strength may be long at a strong one, and would hide others.
        lengths = np.linalg.norm(T[:, :, :-1], axis=1)
        lengths[lengths == 0.0] = 1.0
        T[:, :, :-1] /= lengths[:, None]
        A[:, self._taken] = np.stack([np.linalg.lstsq(one[:, :-1], one[:, -1])[0] for one in T]) / lengths
        return A

    def scales(self, alphas: Vector, units: float) -> Vector:
        """What gradients are small beside: `|b|`, or less where one column in large units would hide those of the others.

        Where `|g|` is a share of this, `|g / r|` is at most `units` times that share of `|b / r|`, r the root of the curvature."""
        size = float(np.linalg.norm(self.b))
        out = np.full(alphas.size, size)
        if not size or not alphas.size:
            return out
        diagonal, factor = self.equations.diagonal, self.equations.factor
        ends = np.array([alphas.min(), alphas.max()])
        most, least = diagonal.max() + ends * factor.max(), diagonal.min() + ends * factor.min()
        if (most <= units**2 * least).all():
            return out  # units differ too little for any to be hidden
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
        if not (until.share and self.size):
            return least
        explained = self.combinations(alphas) @ self._Wb
        penalty = alphas * float(self.factor.min(initial=1.0))
        return np.maximum(least, np.sqrt(until.share * penalty * np.maximum(explained, 0.0)))

    def sketch(self, x: Vector, begin: int = 0) -> Vector:
        """Of a vector that is x from entry `begin` on and else 0."""
        if self.b.size <= SKETCH:
            out = np.zeros(self.b.size)
            out[begin : begin + x.size] = x
            return out
        sign = self._sign[begin : begin + x.size]
        whole = x.size - x.size % SKETCH
        out = np.einsum("ij,ij->j", x[:whole].reshape(-1, SKETCH), sign[:whole].reshape(-1, SKETCH))
        out[: x.size - whole] += x[whole:] * sign[whole:]
        return np.roll(out, begin % SKETCH)

    def _triangles(self, alphas: Vector) -> NDArray[np.float64]:
        """The least-squares problem of each alpha, `[H W, b]`, in so few rows as `[H0 W, V W, b]` has columns."""
        k = len(self._taken)
        if self._R is None:
            columns = [sketched[i] for sketched in (self._sketched_H0W, self._sketched_VW) for i in self._taken]
            self._R = _triangle(np.stack([*columns, self._sketched_b], axis=1))
        R = self._R
        out = np.zeros((alphas.size, 2 * k + 1, k + 1))
        out[:, : R.shape[0], :k] = R[:, :k] + alphas[:, None, None] * R[:, k : 2 * k]
        out[:, : R.shape[0], k] = R[:, 2 * k]
        return out

    @abstractmethod
    def certificates(self, alphas: Vector, A: NDArray[np.float64]) -> Certificates:
        """Of the combination at each alpha, one a row of A, from its gradient on all columns."""

    @abstractmethod
    def explained(self, alphas: Vector, A: NDArray[np.float64]) -> Vector:
        """`b' H^-1 b` at each alpha but for what combinations A miss it by: at most their gaps, and always from below."""

    @abstractmethod
    def gradients(self, alphas: Vector, A: NDArray[np.float64]) -> Iterator[Vector]:
        """Of each of these combinations, on all columns, in the order of the basis."""

    @abstractmethod
    def points(self, alphas: Vector, A: NDArray[np.float64]) -> list[Point]:
        """These combinations; nothing else can be asked of the basis then."""


class ReducedBasis(Sketched):
    """Vectors W, `H0 W`, and a sketch of both."""

    room = 0.97  # a sketch knows lengths to some percent

    def __init__(self, equations: NormalEquations, b: Vector, order: NDArray[np.int64] | None = None) -> None:
        super().__init__(equations, b, order)
        self.W: list[Vector] = []
        self.H0W: list[Vector] = []

    @cached_property
    def constant(self) -> NDArray[np.int64]:
        """Columns that are constant, in this order."""
        return np.flatnonzero(self.diagonal == 0.0)

    def add(self, w: Vector, H0w: Vector) -> None:
        """Take in a vector, scaled to length 1."""
        length = float(np.linalg.norm(w))
        if length == 0.0:
            return
        self.W.append(w / length)
        self.H0W.append(H0w / length)
        self.take_in(self.sketch(self.H0W[-1]), self.sketch(self.factor * self.W[-1]), float(self.b @ self.W[-1]))

    def certificates(self, alphas: Vector, A: NDArray[np.float64]) -> Certificates:
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
        means = self.ordered(self.equations.means)
        return Certificates(np.sqrt(squares[:, 0]), squares[:, 1] / alphas, A @ np.array([means @ w for w in self.W]))

    def explained(self, alphas: Vector, _A: NDArray[np.float64]) -> Vector:
        """`b' w` of the combinations that are best in energy, which miss no more than A do."""
        W, v = self.W, self.factor
        stiffness = np.array([[h @ u for u in W] for h in self.H0W]).reshape(len(W), len(W))
        mass = np.array([[(v * w) @ u for u in W] for w in W]).reshape(len(W), len(W))
        Wb = np.array(self._Wb)
        return np.array([Wb @ np.linalg.lstsq(stiffness + alpha * mass, Wb)[0] for alpha in alphas])

    def gradient(self, a: Vector, alpha: float) -> Vector:
        """Of one combination."""
        g = combination(self.W, -alpha * a, self.b.size)
        g *= self.factor
        g += self.b
        return _added(g, self.H0W, -a)

    def gradients(self, alphas: Vector, A: NDArray[np.float64]) -> Iterator[Vector]:
        return (self.gradient(a, alpha) for a, alpha in zip(A, alphas.tolist(), strict=True))

    def points(self, _alphas: Vector, A: NDArray[np.float64]) -> list[Point]:
        """These combinations; W is put in the order of the columns."""
        if self.order is not None:
            for k, w in enumerate(self.W):
                self.W[k] = scattered(self.order, w)
        return [Combination(self.W, a, self.b.size) for a in A]

    def _gradients(self, alphas: Vector, A: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """All gradients by slabs of columns."""
        shares = np.hstack([-A, -alphas[:, None] * A, np.ones((alphas.size, 1))])
        step = max(1, SLAB // max(alphas.size, 1))
        for begin in range(0, self.b.size, step):
            here = slice(begin, min(begin + step, self.b.size))
            v = self.factor[here]
            yield here, shares @ np.stack([*(h[here] for h in self.H0W), *(v * w[here] for w in self.W), self.b[here]])


class Point(Protocol):
    """A solution at one strength."""

    def w(self) -> Vector:
        """The coefficients of all columns, in their own order."""


class Combination(NamedTuple):
    """A solution as a combination of vectors over all columns."""

    vectors: list[Vector]
    a: Vector
    n_cols: int

    def w(self) -> Vector:
        """The coefficients of all columns, in their own order."""
        return combination(self.vectors, self.a, self.n_cols)


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

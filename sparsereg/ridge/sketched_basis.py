"""The interface of a reduced basis for ridge at many strengths, and its best combinations, found in a sketch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy

from sparsereg.ridge.normal_equations import UNIT_RATIO, NormalEquations
from sparsereg.ridge.preconditioners.factor_system import to_column_order

__all__ = ["Certificates", "PathPoint", "SketchedBasis", "StoppingRule", "added"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]
Matrix2 = NDArray[np.float64]

# Entries of a sketch: many times the number of vectors in a basis.
SKETCH = 1_000


class StoppingRule(NamedTuple):
    """When a point of a path is good enough: as soon as either of the first two conditions holds, or iterations run
    out.

    Attributes
    ----------
    tol : float
        `|g| <= tol |b|`, and at most `unit_ratio` times that with each column in units of its own curvature.
    max_iter : int
        Most iterations at one alpha.
    gap_share : float
        The gap is at most this share of `b' w`, as far as the least penalty tells.
    unit_ratio : float
    """

    tol: float
    max_iter: int
    gap_share: float = 0.0
    unit_ratio: float = UNIT_RATIO


class Certificates(NamedTuple):
    """The quality of combinations at k strengths.

    Attributes
    ----------
    norms : float64 array of shape (k,)
        The norms of their gradients, in double precision.
    gaps : float64 array of shape (k,)
        Upper bounds on the distance of their objectives from the minimum.
    means : float64 array of shape (k,)
        `means' w`, which the intercept offsets.
    """

    norms: Vector
    gaps: Vector
    means: Vector


class PathPoint(Protocol):
    """A solution at one strength."""

    def w(self) -> Vector:
        """The coefficients of all columns, in the order of the design."""


class SketchedBasis(ABC):
    """Vectors W with sketches of `H0 W` and `V W`: the combination with the least gradient at any strength, and its
    norm.

    The sketch adds entries that are 1,000 apart, with random signs. It preserves lengths to a few percent for any
    number of columns, down to rounding (Nakatsukasa & Tropp 2024), and needs no orthogonal vectors.

    Parameters
    ----------
    equations : NormalEquations
    b : float64 array of shape (n_cols,)
        The right-hand side, in the order of the design.
    order : int64 array of shape (n_cols,), optional
        The order of the columns in all other vectors, if not that of the design.
    """

    # Combinations are accepted if the sketch puts their gradients at no more than this many times the limit.
    slack: float

    def __init__(self, equations: NormalEquations, b: Vector, order: Int | None = None) -> None:
        self.equations, self.order = equations, order
        self.system_b, self.b, self.factor = b, self.ordered(b), equations.factor
        if self.factor.min(initial=1.0) < self.factor.max(initial=0.0):
            self.factor = self.ordered(self.factor)
        bits = np.random.default_rng(0).bytes(-(-b.size // 8))
        self._sign = np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=b.size) * 2.0 - 1.0
        self._sketched_b, self._sketched_H0W, self._sketched_VW = self.sketch(self.b), list[Vector](), list[Vector]()
        self._bW: list[float] = []
        self._active: list[int] = []  # the vectors that combinations may use
        self._R: Matrix2 | None = None

    @abstractmethod
    def solve(self, alpha: float, a: Vector, limit: float, max_iter: int) -> tuple[float, int]:
        """Solve at alpha, starting from combination a, to a gradient of norm `limit`, and add the result to the basis.

        Returns the norm of the gradient and the number of iterations.
        """

    @abstractmethod
    def certificates(self, alphas: Vector, A: Matrix2) -> Certificates:
        """Of the combination at each alpha, one a row of A, from its gradient on all columns."""

    @abstractmethod
    def explained(self, alphas: Vector, A: Matrix2) -> Vector:
        """A lower bound on `b' H^-1 b` at each alpha, which misses it by no more than the gaps of combinations A."""

    @abstractmethod
    def gradients(self, alphas: Vector, A: Matrix2) -> Iterator[Vector]:
        """Of each of these combinations, on all columns, in the order of the basis."""

    @abstractmethod
    def points(self, alphas: Vector, A: Matrix2) -> list[PathPoint]:
        """These combinations. They take over the vectors: the basis cannot be used afterwards."""

    @cached_property
    def diagonal(self) -> Vector:
        """The curvatures, in the order of the basis."""
        return self.ordered(self.equations.diagonal)

    @property
    def n_vectors(self) -> int:
        return len(self._bW)

    def ordered(self, x: Vector) -> Vector:
        """A vector over the columns in the order of the basis."""
        return x if self.order is None else x[self.order]

    def add_sketches(self, H0w: Vector, Vw: Vector, bw: float) -> None:
        """Add a vector w by the sketches of `H0 w` and `V w`, and by `b' w`."""
        self._sketched_H0W.append(H0w)
        self._sketched_VW.append(Vw)
        self._active.append(self.n_vectors)
        self._bW.append(bw)
        self._R = None

    def retire(self, k: int) -> None:
        """Exclude vector k from new combinations. Earlier ones keep it."""
        self._active.remove(k)
        self._R = None

    def gradient_norms(self, alphas: Vector) -> Vector:
        """The least norm of the gradient over all combinations for each alpha, to a few percent."""
        return np.abs(_triangle(self._triangles(alphas))[:, -1, -1])

    def combinations(self, alphas: Vector) -> Matrix2:
        """The coefficients of the combinations with these gradients, one row each."""
        if not self.n_vectors:
            return np.zeros((alphas.size, 0))
        T, A = self._triangles(alphas), np.zeros((alphas.size, self.n_vectors))
        # A vector from a weak strength may be long at a strong one; unscaled, it would dominate the least-squares
        # problem.
        lengths = np.linalg.norm(T[:, :, :-1], axis=1)
        lengths[lengths == 0.0] = 1.0
        T[:, :, :-1] /= lengths[:, None]
        A[:, self._active] = np.stack([np.linalg.lstsq(one[:, :-1], one[:, -1])[0] for one in T]) / lengths
        return A

    def relative_gradient(self, g: Vector, alpha: float) -> float:
        """Of a gradient in the order of the basis, in the units of X."""
        if self.order is not None:
            g = to_column_order(self.order, g)
        return self.equations.relative_gradient(g, self.system_b, alpha * self.equations.factor)

    def scales(self, alphas: Vector, unit_ratio: float) -> Vector:
        """What gradients are compared with: `|b|`, or less if one column in large units would hide the gradients of
        others.

        If `|g|` is a share of this, `|g / r|` is at most `unit_ratio` times that share of `|b / r|`, r the root of
        the curvature.
        """
        norm = float(np.linalg.norm(self.b))
        out = np.full(alphas.size, norm)
        if not norm or not alphas.size:
            return out
        diagonal, factor = self.equations.diagonal, self.equations.factor
        ends = np.array([alphas.min(), alphas.max()])
        largest, least = diagonal.max() + ends * factor.max(), diagonal.min() + ends * factor.min()
        if (largest <= unit_ratio**2 * least).all():
            return out  # units differ too little to hide any column
        varying = self.diagonal > 0.0  # b and gradients are 0 in the other columns
        diagonal, factor, b = self.diagonal[varying], self.factor[varying], self.b[varying]

        def in_units(alpha: float) -> float:
            root = np.sqrt(diagonal + alpha * factor)
            return min(norm, unit_ratio * float(root.min()) * float(np.linalg.norm(b / root)))

        if min(in_units(alphas.min()), in_units(alphas.max())) < norm:
            out[:] = [in_units(alpha) for alpha in alphas]
        return out

    def limits(self, alphas: Vector, stop: StoppingRule, scales: Vector) -> Vector:
        """The largest norms of the gradient that the stopping rule accepts."""
        least = stop.tol * scales
        if not (stop.gap_share and self.n_vectors):
            return least
        explained = self.combinations(alphas) @ self._bW
        penalty = alphas * float(self.factor.min(initial=1.0))
        return np.maximum(least, np.sqrt(stop.gap_share * penalty * np.maximum(explained, 0.0)))

    def sketch(self, x: Vector, begin: int = 0) -> Vector:
        """The sketch of a vector that equals x from entry `begin` on and is 0 elsewhere."""
        if self.b.size <= SKETCH:
            out = np.zeros(self.b.size)
            out[begin : begin + x.size] = x
            return out
        sign = self._sign[begin : begin + x.size]
        whole = x.size - x.size % SKETCH
        out = np.einsum("ij,ij->j", x[:whole].reshape(-1, SKETCH), sign[:whole].reshape(-1, SKETCH))
        out[: x.size - whole] += x[whole:] * sign[whole:]
        return np.roll(out, begin % SKETCH)

    def _triangles(self, alphas: Vector) -> Matrix2:
        """The sketched `[H W, b]` of each alpha, reduced to as many rows as `[H0 W, V W, b]` has columns."""
        k = len(self._active)
        if self._R is None:
            columns = [sketched[i] for sketched in (self._sketched_H0W, self._sketched_VW) for i in self._active]
            self._R = _triangle(np.stack([*columns, self._sketched_b], axis=1))
        R = self._R
        out = np.zeros((alphas.size, 2 * k + 1, k + 1))
        out[:, : R.shape[0], :k] = R[:, :k] + alphas[:, None, None] * R[:, k : 2 * k]
        out[:, : R.shape[0], k] = R[:, 2 * k]
        return out


def added(out: Vector, vectors: list[Vector], a: Vector) -> Vector:
    """`out + sum_k a_k vectors_k`, in place."""
    for share, vector in zip(a, vectors, strict=True):
        out = daxpy(vector, out, a=share)
    return out


def _triangle(M: Matrix2) -> Matrix2:
    """R of the QR factorisation of each matrix."""
    return np.asarray(np.linalg.qr(M, mode="r"), dtype=np.float64)

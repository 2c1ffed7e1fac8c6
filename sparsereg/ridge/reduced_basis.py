"""A reduced basis of vectors over all columns, each with `H0 w`: gradients at any strength cost no pass over X."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.ridge.normal_equations import System
from sparsereg.ridge.pcg import refine
from sparsereg.ridge.preconditioners.choose import PreconditionerFactory
from sparsereg.ridge.preconditioners.factor_system import to_column_order
from sparsereg.ridge.sketched_basis import Certificates, PathPoint, SketchedBasis, added

__all__ = ["Combination", "ReducedBasis"]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]

# Entries of a slab of the gradients at all strengths: 2 MB, about a cache.
GRADIENT_SLAB = 250_000
# Rounding of the recurrence up to this share of the limit is accepted; more is removed by gradients from X.
ROUNDING_SHARE = 1e-4


class Combination(NamedTuple):
    """A solution as a combination of vectors over all columns."""

    vectors: list[Vector]
    a: Vector
    n_cols: int

    def w(self) -> Vector:
        return added(np.zeros(self.n_cols), self.vectors, self.a)


class ReducedBasis(SketchedBasis):
    """Unit vectors W and `H0 W`, both held in full.

    Parameters
    ----------
    system : System
        Of one target at strength 0.
    factory : PreconditionerFactory
        Of the same equations. All vectors but `system.b` have its order of the columns.
    """

    slack = 0.97  # the error of the sketch

    def __init__(self, system: System, factory: PreconditionerFactory) -> None:
        super().__init__(system.equations, system.b, factory.order)
        self.y, self.factory = system.y, factory
        self.W: list[Vector] = []
        self.H0W: list[Vector] = []

    @cached_property
    def constant(self) -> NDArray[np.int64]:
        """Constant columns, in the order of the basis."""
        return np.flatnonzero(self.diagonal == 0.0)

    @cached_property
    def _probe(self) -> tuple[Vector, Vector]:
        """`(t, H0 t)` with t random: `t' e` is about as large as any e that is independent of t."""
        equations = self.equations
        t = np.random.default_rng(1).normal(size=equations.factor.size)
        return self.ordered(t), self.ordered(equations.rmatvec(equations.product(t)))

    def solve(self, alpha: float, a: Vector, limit: float, max_iter: int) -> tuple[float, int]:
        """See `SketchedBasis`. `H0 step` follows from the recurrence; if `_probe` detects rounding, gradients use X."""
        correction = Correction(self.equations, self.y, alpha, self, self.gradient(a, alpha))
        preconditioner = self.factory(correction).in_factor_order()
        step, g, done = preconditioner.descend(correction.g, limit, max_iter)
        H0step = correction.unpenalized(step, g)
        t, H0t = self._probe
        if abs(t @ H0step - H0t @ step) > ROUNDING_SHARE * limit:
            start = step, correction.gradient(step)
            step, g, more = refine(correction, preconditioner, start, limit, max_iter - done)
            H0step, done = correction.unpenalized(step, g), done + more
        for x in (step, g, H0step):
            x[self.constant] = 0.0  # constant columns belong to the intercept, which is not penalized
        self.add(step, H0step)
        return float(np.linalg.norm(g)), done

    def add(self, w: Vector, H0w: Vector) -> None:
        """Add a vector, scaled to length 1."""
        length = float(np.linalg.norm(w))
        if length == 0.0:
            return
        self.W.append(w / length)
        self.H0W.append(H0w / length)
        sketches = self.sketch(self.H0W[-1]), self.sketch(self.factor * self.W[-1])
        self.add_sketches(*sketches, float(self.b @ self.W[-1]))

    def certificates(self, alphas: Vector, A: Matrix2) -> Certificates:
        v = self.factor
        bounded = bool(v.min(initial=1.0) > 0.0)
        squares = np.zeros((alphas.size, 2))  # of the gradient; and divided by the factors, if all are positive
        with np.errstate(over="ignore"):
            for cols, g in self._gradient_slabs(alphas, A):
                g *= g
                ones = np.ones(g.shape[1])
                squares += g @ np.stack([ones, 1.0 / v[cols] if bounded else ones], axis=1)
        if not bounded:
            squares[:, 1] = np.where(squares[:, 0] > 0.0, np.inf, 0.0)
        means = self.ordered(self.equations.means_of_x)
        return Certificates(np.sqrt(squares[:, 0]), squares[:, 1] / alphas, A @ np.array([means @ w for w in self.W]))

    def explained(self, alphas: Vector, _A: Matrix2) -> Vector:
        """See `SketchedBasis`: `b' w` of the combinations that are best in energy."""
        W, v, k = self.W, self.factor, len(self.W)
        stiffness = np.array([[h @ u for u in W] for h in self.H0W]).reshape(k, k)
        mass = np.array([[(v * w) @ u for u in W] for w in W]).reshape(k, k)
        bW = np.array(self._bW)
        return np.array([bW @ np.linalg.lstsq(stiffness + alpha * mass, bW)[0] for alpha in alphas])

    def gradient(self, a: Vector, alpha: float) -> Vector:
        """Of one combination."""
        g = added(np.zeros(self.b.size), self.W, -alpha * a)
        g *= self.factor
        g += self.b
        return added(g, self.H0W, -a)

    def gradients(self, alphas: Vector, A: Matrix2) -> Iterator[Vector]:
        return (self.gradient(a, alpha) for a, alpha in zip(A, alphas.tolist(), strict=True))

    def points(self, _alphas: Vector, A: Matrix2) -> list[PathPoint]:
        if self.order is not None:
            for k, w in enumerate(self.W):
                self.W[k] = to_column_order(self.order, w)
        return [Combination(self.W, a, self.b.size) for a in A]

    def _gradient_slabs(self, alphas: Vector, A: Matrix2) -> Iterator[tuple[slice, Matrix2]]:
        """All gradients by slabs of columns."""
        shares = np.hstack([-A, -alphas[:, None] * A, np.ones((alphas.size, 1))])
        step = max(1, GRADIENT_SLAB // max(alphas.size, 1))
        for begin in range(0, self.b.size, step):
            cols = slice(begin, min(begin + step, self.b.size))
            v = self.factor[cols]
            yield cols, shares @ np.stack([*(h[cols] for h in self.H0W), *(v * w[cols] for w in self.W), self.b[cols]])


@dataclass(frozen=True)
class Correction(System):
    """`H step = g` for the gradient g of a combination; both in the order of the basis."""

    basis: ReducedBasis
    g: Vector

    def unpenalized(self, step: Vector, g: Vector) -> Vector:
        """`H0 step`, where g is the gradient after the step."""
        out = self.basis.factor * step
        out *= -self.alpha
        out += self.g
        out -= g
        return out

    def gradient(self, w: Vector) -> Vector:
        """The gradient after a step, in two passes over X."""
        order = self.basis.order
        return self.g - self.basis.ordered(self.times(w if order is None else to_column_order(order, w)))

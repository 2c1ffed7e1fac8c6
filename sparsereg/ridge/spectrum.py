"""Ridge at all strengths from one eigendecomposition: solutions, leave-one-out residuals, and traces of the hat matrix.

With `B = S^1/2 Xc`, and sigma and U the singular values and left singular vectors of `B V^-1/2`, everything at
strength alpha is a sum over them. They are computed from the eigenvectors of `B' B` ("gram") or `B B'` ("dual"), each
scaled by V, or from B itself ("svd"). The vectors over the shorter side are used, rows or columns. All factors must
be positive.

Leave-one-out residuals are `(y_i - yhat_i) / (1 - h_i)`, where h_i is the leverage of row i, including its share of the
intercept (Rifkin & Lippert 2007, "Notes on regularized least squares"). For vectors over rows, a reflection removes the
direction of the intercept, which is no singular vector, so that no digits are lost where `1 - h_i` is nearly 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg.ridge.direct import CenteredSlabs, Inverse, graded_svd, refined_solutions
from sparsereg.ridge.normal_equations import NormalEquations, RidgeSolution

__all__ = ["Spectrum"]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]


class Spectrum:
    """Squared singular values of `B V^-1/2` and one side of its singular vectors; method "gram", "dual" or "svd"."""

    def __init__(self, equations: NormalEquations, method: str) -> None:
        self.equations, self.slabs, self.root = equations, CenteredSlabs(equations), equations.root_weights
        n, m = self.slabs.shape
        self.by_rows = method == "dual" or (method == "svd" and n <= m)
        scale = 1.0 / np.sqrt(equations.factor)
        if method == "svd":
            B = self.slabs.scaled() * (1.0 / np.sqrt(equations.factor.max()))
            B = self._reflected(B) if self.by_rows else B
            graded = equations.summary.graded
            left, sigma, right = graded_svd(B) if graded else scipy.linalg.svd(B, full_matrices=False)
            squares, vectors = sigma**2, left if self.by_rows else right.T
        elif self.by_rows:
            squares, vectors = scipy.linalg.eigh(self._reflected(self._reflected(self.slabs.kernel()).T))
        else:
            squares, vectors = scipy.linalg.eigh(self.slabs.gram() * np.outer(scale, scale))
        self.squares = np.maximum(squares, 0.0)
        self.vectors = self._restored(vectors) if self.by_rows else scale[:, None] * vectors

    def traces(self, alphas: Vector) -> Vector:
        """Degrees of freedom at each alpha, without the intercept's."""
        return np.asarray((self.squares / (self.squares + alphas[:, None])).sum(axis=1))

    def solutions(self, y: Vector, alphas: Vector) -> list[RidgeSolution]:
        """One target at every alpha."""
        systems = [self.equations.system(y, alpha) for alpha in alphas.tolist()]
        return refined_solutions(systems, lambda alpha: (self._inverse(alpha), self._is_resolved(alpha)), self.by_rows)

    def leave_one_out(self, Y: Matrix2, alphas: Vector) -> Iterator[Matrix2]:
        """Leave-one-out residuals of every row and target, of shape (n, T), for one alpha after another."""
        equations = self.equations
        Yc = Y - np.array([equations.mean(y) for y in Y.T])
        for alpha, divisor in zip(alphas.tolist(), self._divisors(alphas), strict=True):
            inverse = self._inverse(alpha)
            if not self.by_rows:
                W = [inverse(equations.rmatvec(y.copy())) for y in Yc.T]
                yield (Yc - self._fitted(W)) / divisor[:, None]
                continue
            T = np.stack([inverse(self.root * y) for y in Yc.T], axis=1)
            weighted = self.root > 0.0
            out = np.divide(T, (self.root * divisor)[:, None], out=np.zeros_like(Yc), where=weighted[:, None])
            if not weighted.all():  # a row without weight has no part in the fit: its residual is the plain one
                T = np.divide(T, self.root[:, None], out=np.zeros_like(Yc), where=weighted[:, None])
                W = [equations.rmatvec(t.copy()) / equations.factor for t in T.T]
                out[~weighted] = (Yc - self._fitted(W))[~weighted]
            yield out

    def _divisors(self, alphas: Vector) -> Matrix2:
        """Divisors of residuals, (k, n): by columns `1 - h`, by rows the diagonal of `(B V^-1 B' + alpha)^-1`."""
        weights = 1.0 / (self.squares + alphas[:, None])
        if self.by_rows:
            return np.asarray(weights @ (self.vectors**2).T)
        leverage = [weights @ ((slab @ self.vectors) ** 2).T for slab in self.slabs.rows()]
        out = 1.0 - np.concatenate(leverage, axis=1)
        if self.equations.fit_intercept:
            out -= self.root**2 / self.equations.weight_sum
        return np.asarray(out)

    def _fitted(self, W: list[Vector]) -> Matrix2:
        """Centred predictions."""
        Z = [self.equations.product(w) for w in W]
        return np.stack([z - self.equations.mean(z) for z in Z], axis=1)

    def _is_resolved(self, alpha: float) -> bool:
        """Whether alpha exceeds the rounding of the squares, so that the inverse has full rank."""
        return alpha > 10.0 * self.squares.size * float(np.finfo(np.float64).eps) * float(self.squares.max(initial=0.0))

    def _inverse(self, alpha: float) -> Inverse:
        weights = 1.0 / (self.squares + alpha)
        return lambda g: np.asarray(self.vectors @ (weights * (self.vectors.T @ g)))

    def _reflected(self, M: Matrix2) -> Matrix2:
        """All rows of the reflected M but the one along the intercept; M itself without an intercept."""
        return self._reflect(M)[1:] if self.equations.fit_intercept else M

    def _restored(self, vectors: Matrix2) -> Matrix2:
        """The inverse of `_reflected` for vectors over the rows."""
        if not self.equations.fit_intercept:
            return vectors
        return self._reflect(np.concatenate([np.zeros((1, vectors.shape[1])), vectors]))

    def _reflect(self, M: Matrix2) -> Matrix2:
        """The Householder reflection that maps the direction of the intercept to the first axis."""
        u = self.root / np.linalg.norm(self.root)
        u[0] += 1.0 if u[0] >= 0.0 else -1.0
        u /= np.linalg.norm(u)
        return np.asarray(M - np.outer(2.0 * u, u @ M))

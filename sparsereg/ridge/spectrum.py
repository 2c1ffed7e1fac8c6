"""All strengths from one eigendecomposition: solutions, leave-one-out residuals, traces. Knows the normal equations, no estimators.

With `B = S^1/2 Xc V^-1/2`, and `U diag(sigma) R'` its singular values, everything at strength alpha is a sum over them. They are had
from the eigenvectors of `B'B` ("gram"), of `BB'` ("dual"), or from B itself ("svd"); and used from the side that is shorter, rows or
columns. All of it wants V positive.

Leave-one-out residuals are `(y_i - yhat_i) / (1 - h_i)`, h_i the leverage of row i, its share of the intercept included (Rifkin &
Lippert 2007, "Notes on regularized least squares"). On the side of the rows, the direction of the intercept, which is no
singular vector, is taken out by a reflection, so that nothing is lost where `1 - h_i` is next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg.ridge.direct import Inverse, Slabs, polished, polished_dual
from sparsereg.ridge.normal_equations import Solution

__all__ = ["Spectrum"]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]


class Spectrum:
    """The squares of the singular values of B, and one side of its singular vectors.

    Parameters
    ----------
    slabs : Slabs
    method : {"gram", "dual", "svd"}
    """

    def __init__(self, slabs: Slabs, method: str) -> None:
        self.slabs, self.equations = slabs, slabs.equations
        n, m = slabs.shape
        self.root = np.ones(n) if slabs.root is None else slabs.root
        self.by_rows = method == "dual" or (method == "svd" and n <= m)
        scale = 1.0 / np.sqrt(self.equations.factor)
        if method == "svd":
            B = np.concatenate(list(slabs.rows())) * scale
            left, sigma, right = scipy.linalg.svd(self._reflected(B) if self.by_rows else B, full_matrices=False)
            self.squares, vectors = sigma**2, left if self.by_rows else right.T
        elif self.by_rows:
            kernel = self._reflected(self._reflected(slabs.kernel()).T)
            self.squares, vectors = scipy.linalg.eigh(kernel)
        else:
            self.squares, vectors = scipy.linalg.eigh(slabs.gram() * np.outer(scale, scale))
        self.squares = np.maximum(self.squares, 0.0)
        self.vectors = self._restored(vectors) if self.by_rows else scale[:, None] * vectors

    def traces(self, alphas: Vector) -> Vector:
        """Degrees of freedom at each alpha, without the intercept's."""
        return np.asarray((self.squares / (self.squares + alphas[:, None])).sum(axis=1))

    def solutions(self, y: Vector, alphas: Vector) -> list[Solution]:
        """One target at every alpha."""
        out = []
        for alpha in alphas:
            system, inverse = self.equations.system(y, float(alpha)), self._inverse(float(alpha))
            if self.by_rows:
                out.append(polished_dual(self.slabs, system, float(alpha), inverse))
            else:
                out.append(polished(system, inverse, whole=self._is_resolved(float(alpha))))
        return out

    def left_out(self, Y: Matrix2, alphas: Vector) -> Iterator[Matrix2]:
        """Leave-one-out residuals of every row and target, of shape (n, T), for one alpha after the other."""
        equations = self.equations
        Yc = Y - np.array([equations.mean(y) for y in Y.T])
        spread = self._spread(alphas)
        for alpha, shares in zip(alphas, spread, strict=True):
            inverse = self._inverse(float(alpha))
            if not self.by_rows:
                W = [inverse(equations.rmatvec(y.copy())) for y in Yc.T]
                yield (Yc - self._fitted(W)) / shares[:, None]
                continue
            T = np.stack([inverse(self.root * y) for y in Yc.T], axis=1)
            counted = self.root > 0.0
            out = np.divide(T, (self.root * shares)[:, None], out=np.zeros_like(Yc), where=counted[:, None])
            if not counted.all():  # rows without weight have no part in the fit
                T = np.divide(T, self.root[:, None], out=np.zeros_like(Yc), where=counted[:, None])
                W = [equations.rmatvec(t.copy()) / equations.factor for t in T.T]
                out[~counted] = (Yc - self._fitted(W))[~counted]
            yield out

    def _spread(self, alphas: Vector) -> NDArray[np.float64]:
        """What residuals are divided by, of shape (k, n): `1 - h` by columns; the diagonal of `(BB' + alpha)^-1` by rows."""
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
        """Whether alpha stands out of the rounding of the squares, so that the inverse is one."""
        return alpha > 10.0 * self.squares.size * float(np.finfo(np.float64).eps) * float(self.squares.max(initial=0.0))

    def _inverse(self, alpha: float) -> Inverse:
        weights = 1.0 / (self.squares + alpha)
        return lambda g: np.asarray(self.vectors @ (weights * (self.vectors.T @ g)))

    def _reflected(self, M: Matrix2) -> Matrix2:
        """All rows of a Householder reflection of M but the one along the intercept's direction; M itself without one."""
        if not self.equations.fit_intercept:
            return M
        u = self._mirror()
        return np.asarray((M - np.outer(2.0 * u, u @ M))[1:])

    def _restored(self, vectors: Matrix2) -> Matrix2:
        """Undo `_reflected` for vectors over the rows."""
        if not self.equations.fit_intercept:
            return vectors
        u = self._mirror()
        full = np.concatenate([np.zeros((1, vectors.shape[1])), vectors])
        return np.asarray(full - np.outer(2.0 * u, u @ full))

    def _mirror(self) -> Vector:
        """The unit vector whose reflection takes the intercept's direction to the first axis."""
        u = self.root / np.linalg.norm(self.root)
        u[0] += 1.0 if u[0] >= 0.0 else -1.0
        return np.asarray(u / np.linalg.norm(u))

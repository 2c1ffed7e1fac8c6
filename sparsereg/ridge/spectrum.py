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
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sparsereg.ridge.direct import Inverse, graded_svd, refined_solutions
from sparsereg.ridge.normal_equations import NormalEquations, RidgeSolution
from sparsereg.ridge.slabs import CenteredSlabs

__all__ = ["Spectrum"]

Vector = NDArray[np.float64]
Matrix2 = NDArray[np.float64]

# Up to so many rows, what the columns leave of them is a basis too: a tenth of a second.
COMPLETE_ROWS = 1_000
# Strengths above this share of the largest squared singular value, and residuals whose squares are above this share of
# those of the target, lose no digit that matters.
WEAK_SHARE, SMALL_SHARE = 1e-8, 1e-12
# A mean of squares that is off by more is said to be uncertain.
UNCERTAIN = 1e-2
# A target whose deviations are below this share of it is constant.
CONSTANT = 16 * float(np.finfo(np.float64).eps)
# Of each number that a factorisation is made of.
ROUNDING = 4 * float(np.finfo(np.float64).eps)


class Spectrum:
    """Squared singular values of `B V^-1/2` and one side of its singular vectors; method "gram", "dual" or "svd"."""

    def __init__(self, equations: NormalEquations, method: str) -> None:
        self.equations, self.slabs, self.root = equations, CenteredSlabs(equations), equations.root_weights
        self.exact = method == "svd"
        self.by_rows = method != "gram"
        if self.exact:
            left, sigma = self._left_of_rows()
            if (
                sigma.size < len(left) <= COMPLETE_ROWS
            ):  # 1 - h is the share of these vectors where leverages are near 1
                left = np.hstack([left, np.linalg.qr(left, mode="complete")[0][:, sigma.size :]])
            squares, vectors = np.pad(sigma**2, (0, left.shape[1] - sigma.size)), left
        elif self.by_rows:
            squares, vectors = scipy.linalg.eigh(self._reflected(self._reflected(self.slabs.kernel()).T))
        else:
            scale = 1.0 / np.sqrt(equations.factor)
            squares, vectors = scipy.linalg.eigh(self.slabs.gram() * np.outer(scale, scale))
        self.squares = np.maximum(squares, 0.0)
        self.complete = not self.by_rows or len(vectors) == vectors.shape[1]
        self.vectors = self._restored(vectors) if self.by_rows else scale[:, None] * vectors

    def _left_of_rows(self) -> tuple[Matrix2, Vector]:
        """Left singular vectors of the reflected B V^-1/2, and its singular values."""
        B = self._reflected(self.slabs.scaled() * (1.0 / np.sqrt(self.equations.factor.max())))
        graded = self.equations.summary.graded
        left, sigma, _ = graded_svd(B) if graded else scipy.linalg.svd(B, full_matrices=False)
        return left, sigma

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
        Yc -= np.array([equations.mean(y) for y in Yc.T])  # a far mean is rounded, and 1 / (1 - h) enlarges that
        for alpha, divisor in zip(alphas.tolist(), self._divisors(alphas), strict=True):
            if not self.by_rows:
                inverse = self._inverse(alpha)
                W = [inverse(equations.rmatvec(y.copy())) for y in Yc.T]
                yield (Yc - self._fitted(W)) / divisor[:, None]
                continue
            T = self._kernel_inverse(self.root[:, None] * Yc, alpha)
            weighted = self.root > 0.0
            out = np.divide(T, (self.root * divisor)[:, None], out=np.zeros_like(Yc), where=weighted[:, None])
            if not weighted.all():  # a row without weight has no part in the fit: its residual is the plain one
                T = np.divide(T, self.root[:, None], out=np.zeros_like(Yc), where=weighted[:, None])
                W = [equations.rmatvec(t.copy()) / equations.factor for t in T.T]
                out[~weighted] = (Yc - self._fitted(W))[~weighted]
            yield out

    def _kernel_inverse(self, Z: Matrix2, alpha: float) -> Matrix2:
        """`(B V^-1 B' + alpha)^-1 Z`, by rows."""
        along = self.vectors.T @ Z
        T = self.vectors @ (along / (self.squares + alpha)[:, None])
        return np.asarray(T if self.complete else T + (Z - self.vectors @ along) / alpha)

    @cached_property
    def _left_squares(self) -> tuple[Matrix2, Vector]:
        """Squares of the left singular vectors, of shape (n, r), and what they and the intercept leave of each row."""
        if self.by_rows:
            U = self.vectors**2
        else:
            U = np.concatenate([(slab @ self.vectors) ** 2 for slab in self.slabs.rows()])
            U = np.divide(U, self.squares, out=np.zeros_like(U), where=self.squares > 0.0)
        if self.by_rows and self.complete:
            return U, np.zeros(len(U))
        share = self.root**2 / self.equations.weight_sum if self.equations.fit_intercept else 0.0
        return U, np.maximum(1.0 - share - U.sum(axis=1), 0.0)

    def left_out_rounding(self, Y: Matrix2, alphas: Vector) -> Iterator[Matrix2]:
        """Estimates of the rounding in the residuals of `leave_one_out`, to first order.

        These are `T / D`, T = M^-1 y and D the diagonal of M^-1, with `M = B V^-1 B' + alpha`. An error E of B V^-1/2,
        of length eps sigma_1, changes T by `M^-1 (E B' + B E') T`, and D alike; where M itself was formed, it errs by
        eps sigma_1^2. Columns of unlike units have errors of their own lengths, which are not counted.
        """
        root = self.root
        means, sizes = np.array([self.equations.mean(y) for y in Y.T]), self._sizes(Y)
        U, rest = self._left_squares
        unknown, along = 0.0 if self.by_rows and self.complete else 1.0, np.zeros((0, means.size))
        if self.exact and not self.equations.summary.graded:
            along = self.vectors.T @ (root[:, None] * (Y - means))
        for alpha, E in zip(alphas.tolist(), self.leave_one_out(Y, alphas), strict=True):
            # D, N and T times alpha: N is the length of a row of M^-1, slope of one of M^-1 B times sigma_1
            ratio = self.squares / alpha
            kept = 1.0 / (1.0 + ratio)
            D, N = U @ kept + rest, np.sqrt(U @ kept**2 + rest)
            T, length = (root * D)[:, None] * E, np.zeros(means.size)
            slope = np.zeros(N.size) if self.exact else ratio.max(initial=0.0) * N
            if len(along):
                t = np.sqrt(ratio) * kept
                slope = np.sqrt(ratio.max(initial=0.0) * (U @ t**2))
                length = np.sqrt(ratio.max(initial=0.0)) * np.linalg.norm(t[:, None] * along, axis=0)
            error = N[:, None] * (sizes + length) + slope[:, None] * np.linalg.norm(T, axis=0)
            error += np.abs(T) * ((2.0 * slope * N + unknown) / D)[:, None]
            yield np.divide(ROUNDING * error, (root * D)[:, None], out=np.zeros_like(E), where=root[:, None] > 0.0)

    def uncertain(self, Y: Matrix2, alphas: Vector, squares: Matrix2) -> NDArray[np.bool_]:
        """At which alphas the weighted sum of squared leave-one-out residuals may be off by more than `UNCERTAIN`.

        `squares` are these sums, of shape (k, T). A target that is constant, to rounding, has none that matter."""
        means = np.array([self.equations.mean(y) for y in Y.T])
        varies = np.linalg.norm(self.root[:, None] * (Y - means), axis=0) > CONSTANT * self._sizes(Y)
        if not varies.any():
            return np.zeros(alphas.size, dtype=np.bool_)
        Y, squares = Y[:, varies], squares[:, varies]
        small = (squares < SMALL_SHARE * self._sizes(Y) ** 2).any(axis=1)
        doubtful = np.flatnonzero(small | (alphas < WEAK_SHARE * self.squares.max(initial=0.0)))
        out = np.zeros(alphas.size, dtype=np.bool_)
        pairs = zip(self.leave_one_out(Y, alphas[doubtful]), self.left_out_rounding(Y, alphas[doubtful]), strict=True)
        for k, (E, rounding) in zip(doubtful, pairs, strict=True):
            E, rounding = self.root[:, None] * np.abs(E), self.root[:, None] * rounding
            out[k] = ((2 * E + rounding) * rounding).sum() > UNCERTAIN * (E**2).sum()
        return out

    def _sizes(self, Y: Matrix2) -> Vector:
        """Of each centred target, with what was taken off."""
        means = np.array([self.equations.mean(y) for y in Y.T])
        return np.asarray(np.linalg.norm(self.root[:, None] * (np.abs(Y - means) + np.abs(means)), axis=0))

    def _divisors(self, alphas: Vector) -> Matrix2:
        """Divisors of residuals, (k, n): by columns `1 - h`, by rows the diagonal of `(B V^-1 B' + alpha)^-1`."""
        weights = 1.0 / (self.squares + alphas[:, None])
        if self.by_rows:
            U, rest = self._left_squares
            return np.asarray(weights @ U.T + rest / alphas[:, None])
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

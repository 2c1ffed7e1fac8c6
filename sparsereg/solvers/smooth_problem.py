"""Any smooth loss with an l2 penalty, or none, over rows in memory: values, gradients and products with its Hessian.

    S F(W, b) = sum_i s_i l_i(o_i + b + W' x_i) + sum_jk l2_j/2 w_jk^2 + sum_jk g_jk w_jk

The last term is for an l1 penalty on coefficients whose signs are known. Does not know how it is solved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.losses.predictors import Curvature, PredictorLoss

__all__ = ["LEAST_CURVATURE", "SmoothProblem", "State"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Int = NDArray[np.int64]

# A Hessian of at most so many coefficients is factorised, if its products read at most so many entries of X.
MAX_FACTORISED = 600
MAX_PRODUCT_ENTRIES = 3e8
# The same for one of at most so many, a dense square of 32 MB, where that is less than the products of the last step
# have read. So many operations of a dense factor take the time of an entry.
MAX_SQUARE, DENSE_PER_ENTRY = 2000, 200.0
# Columns have at least this share of the curvature that they would have at the largest one.
LEAST_CURVATURE = 1e-12


@dataclass(frozen=True, eq=False)
class SmoothProblem:
    """A smooth objective over rows in memory.

    Attributes
    ----------
    design : Design
    loss : PredictorLoss
    l2 : float64 array of shape (m,)
        Strengths on the sum, of the columns `cols`.
    fit_intercept : bool
    offset : float64 array of shape (n,) or (n, K), or None
    cols : int64 array of shape (m,), or None
        The columns with coefficients; None for all of the design.
    linear : float64 array of shape (m, K), or None
        g.
    mask : bool array of shape (m, K), or None
        The coefficients that may move; None for all.
    solve : callable or None
        `solve(h, r, tol)`: where there is one output, the d with `(Xc' diag(h) Xc + diag(l2)) d = r` to a residual of
        `tol |r|`, X centred by its means under h where there is an intercept, and the products that took. None:
        conjugate gradients on products.
    """

    design: Design
    loss: PredictorLoss
    l2: Vector
    fit_intercept: bool
    offset: Matrix | None = None
    cols: Int | None = None
    linear: Matrix | None = None
    mask: NDArray[np.bool_] | None = None
    solve: Callable[[Vector, Vector, float], tuple[Vector, int]] | None = None

    def restricted(
        self, cols: Int, linear: Matrix | None = None, mask: NDArray[np.bool_] | None = None
    ) -> SmoothProblem:
        """The same with coefficients on some columns only, of a problem with all."""
        return replace(self, cols=cols, l2=self.l2[cols], linear=linear, mask=mask, solve=None)

    def products(self, W: Matrix) -> Matrix:
        """`X W`, of shape (n, K)."""
        Z = np.zeros((self.design.n_rows, W.shape[1]), order="F")
        cols = np.arange(self.design.n_cols) if self.cols is None else self.cols
        for k in range(W.shape[1]):
            self.design.matrix.add_matvec(np.ascontiguousarray(W[:, k]), Z[:, k], cols)
        return Z

    def rmatvec(self, R: Matrix) -> Matrix:
        """`X' R`, of shape (m, K); 0 where a coefficient may not move."""
        out = np.stack([self.design.rmatvec(np.ascontiguousarray(r), self.cols) for r in R.T], axis=1)
        return out if self.mask is None else out * self.mask

    def squares(self, s: Vector) -> Vector:
        """`sum_i s_i x_ij^2` of every column."""
        return np.asarray(self.design.matrix.column_stats(np.ascontiguousarray(s), self.cols)[1])

    def penalty(self, W: Matrix) -> float:
        """That of W."""
        linear = 0.0 if self.linear is None else float(np.sum(self.linear * W))
        return 0.5 * float(self.l2 @ np.sum(W * W, axis=1)) + linear

    def slope(self, W: Matrix) -> Matrix:
        """Derivatives of the penalty."""
        return self.l2[:, None] * W + (0.0 if self.linear is None else self.linear)

    @property
    def convex(self) -> bool:
        """Whether every second derivative is positive."""
        return self.loss.convex

    def value(self, W: Matrix, Z: Matrix) -> float:
        """`S F` at coefficients W with predictors Z."""
        return self.loss.total(Z) + self.penalty(W)

    def curvature(self, state: State) -> Curvature:
        """Second derivatives of the losses in the predictors."""
        return self.loss.curvature(state.Z)

    def factorises(self, m: int, n_outputs: int) -> bool:
        """Whether a Hessian in m columns costs little."""
        cost = m * self.design.nnz * n_outputs * (n_outputs + 1) / 2
        return m * n_outputs <= MAX_FACTORISED and cost <= MAX_PRODUCT_ENTRIES

    def factorises_sooner(self, m: int, n_outputs: int, products: int) -> bool:
        """Whether a Hessian in m columns costs less than so many products with it, by counts."""
        size, nnz, pairs = m * n_outputs, float(self.design.nnz), n_outputs * (n_outputs + 1) / 2
        cost = pairs * nnz * self.design.max_row_length + size**3 / 3.0 / DENSE_PER_ENTRY
        return size <= MAX_SQUARE and cost <= 2.0 * products * n_outputs * nnz

    def diagonal(self, curvature: Curvature) -> Matrix:
        """That of the Hessian in W, or an upper model of it; not negative."""
        h = curvature.diagonal()
        return np.stack([self.squares(h[:, k]) for k in range(h.shape[1])], axis=1) + self.l2[:, None]

    def curvatures(self, curvature: Curvature) -> Matrix:
        """That diagonal, but for columns whose rows have hardly any curvature: at least a share of what a column would
        have at the largest one."""
        largest = float(curvature.diagonal().max(initial=0.0))
        least = LEAST_CURVATURE * largest * self._own_squares + np.finfo(float).tiny
        return np.maximum(self.diagonal(curvature), least[:, None])

    @cached_property
    def _own_squares(self) -> Vector:
        return self.squares(np.ones(self.design.n_rows))

    def intercept_products(self, curvature: Curvature, shift: Vector) -> Matrix:
        """The Hessian's product with a step of the intercepts alone: derivatives in W."""
        if not shift.any():
            return np.zeros((self.l2.size, shift.size))
        return self.rmatvec(curvature.product(np.tile(shift, (self.design.n_rows, 1))))

    def eliminated_product(self, curvature: Curvature, D: Matrix, inverse: Matrix) -> tuple[Matrix, Vector]:
        """The Hessian's product with a step D and the step of the intercepts that follows it; and that step.

        `inverse` is the pseudo-inverse of the Hessian in the intercepts."""
        Z = self.products(D)
        moved = curvature.product(Z)
        d_b = -inverse @ moved.sum(axis=0)
        if d_b.any():
            moved += curvature.product(np.tile(d_b, (len(Z), 1)))
        return self.rmatvec(moved) + self.l2[:, None] * D, d_b

    def state(self, W: Matrix, b: Vector) -> State:
        """Everything about a point."""
        Z = self.products(W)
        Z += b
        if self.offset is not None:
            Z += self.offset.reshape(len(Z), -1)
        return State(W, b, Z, self.value(W, Z), *self.gradient(W, Z))

    def gradient(self, W: Matrix, Z: Matrix) -> tuple[Matrix, Vector]:
        """Derivatives in W and b."""
        R = self.loss.gradient(Z)
        return self.rmatvec(R) + self.slope(W), R.sum(axis=0) if self.fit_intercept else np.zeros(R.shape[1])


class State(NamedTuple):
    """Coefficients W (m, K) and b (K,), predictors Z (n, K), `S F` there, and its derivatives in W and b."""

    W: Matrix
    b: Vector
    Z: Matrix
    value: float
    g: Matrix
    g_b: Vector

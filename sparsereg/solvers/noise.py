"""The logistic loss averaged over dropout or noise on X, to second order: a quadratic penalty that adapts to the fit.

Where entry x_ij is replaced by a random number of the same mean and of variance v_ij, independently, the predictor has
the variance `V_i(w) = sum_j v_ij w_j^2`, and with A the log-partition `A(z) = log(1 + exp(z))`,

    E l(y, z + noise) = E A(z + noise) - y z  ~  l(y, z) + A''(z) V(w) / 2,

which is minimised here, w and the weights A'' together. Inverted dropout at rate d has `v_ij = d / (1 - d) x_ij^2`,
additive noise of deviation e on column j has `v_ij = e^2`. Not convex in general: where noise makes a row uncertain,
A'' rewards being far from 0. Columns may have rates of their own. (Wager, Wang & Liang 2013, "Dropout training as
adaptive regularization".)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import Design, as_design
from sparsereg.losses.entropy import sigmoid
from sparsereg.losses.predictors import Curvature, WeightedLoss
from sparsereg.solvers.smooth_problem import SmoothProblem, State

__all__ = ["Noise", "NoisedLogistic", "Squares"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Int = NDArray[np.int64]


class Squares:
    """The squares of the entries of X, columns in the order of a design."""

    def __init__(self, design: Design, order: Int | None) -> None:
        self.design, self.order = design, order

    @staticmethod
    def of(design: Design, X: Design) -> Squares:
        """For the columns of `design`, which is X or X with some columns shifted. Ones are their own squares."""
        if X.n_ones == X.n_cols and X is design:
            return Squares(design, None)
        order = np.argsort(X.columns)
        place = order[np.searchsorted(X.columns, design.columns, sorter=order)]
        squared = as_design(sp.csc_array(X.observed(), dtype=np.float64).power(2)[:, place])
        numbers = np.empty(design.n_cols, dtype=np.int64)
        numbers[squared.columns] = np.arange(squared.n_cols)
        return Squares(squared, numbers)

    def restricted(self, cols: Int) -> Squares:
        """Some of the columns."""
        return Squares(self.design, cols if self.order is None else self.order[cols])

    def products(self, w: Vector) -> Vector:
        """`sum_j x_ij^2 w_j`."""
        out = np.zeros(self.design.n_rows)
        self.design.matrix.add_matvec(w, out, np.arange(w.size) if self.order is None else self.order)
        return out

    def rmatvec(self, v: Vector) -> Vector:
        """`sum_i x_ij^2 v_i`."""
        return self.design.rmatvec(v, self.order)


@dataclass(frozen=True, eq=False)
class Noise:
    """Variances of the entries of X.

    Attributes
    ----------
    squares : Squares
    odds : float64 array of shape (m,)
        `d_j / (1 - d_j)`, of dropout at rate d_j.
    variance : float64 array of shape (m,)
        Of additive noise on every entry of a column.
    """

    squares: Squares
    odds: Vector
    variance: Vector

    def spread(self, w: Vector) -> Vector:
        """`sum_j v_ij w_j` of every row."""
        return self.squares.products(self.odds * w) + float(self.variance @ w)

    def gathered(self, v: Vector) -> Vector:
        """`sum_i v_ij v_i` of every column."""
        return self.odds * self.squares.rmatvec(v) + self.variance * float(v.sum())


@dataclass(frozen=True)
class NoisedCurvature:
    """Second derivatives at a state; s are the rows' weights."""

    h: Vector  # s (A'' + A'''' V / 2)
    second: Vector  # s A''
    third: Vector  # s A'''
    w: Vector

    def product(self, D: Matrix) -> Matrix:
        return self.h[:, None] * D

    def diagonal(self) -> Matrix:
        return np.maximum(self.h, 0.0)[:, None]

    def pair(self, k: int, m: int) -> Vector:  # noqa: ARG002 - there is one predictor
        return self.h


@dataclass(frozen=True, eq=False)
class NoisedLogistic(SmoothProblem):
    """The objective above and the penalties of `SmoothProblem`; of one predictor."""

    noise: Noise | None = None

    @property
    def convex(self) -> bool:
        return False

    def restricted(
        self, cols: Int, linear: Matrix | None = None, mask: NDArray[np.bool_] | None = None
    ) -> NoisedLogistic:
        noise = Noise(self._noise.squares.restricted(cols), self._noise.odds[cols], self._noise.variance[cols])
        return replace(self, cols=cols, l2=self.l2[cols], linear=linear, mask=mask, noise=noise)

    def value(self, W: Matrix, Z: Matrix) -> float:
        spread = self._noise.spread(W[:, 0] ** 2)
        return super().value(W, Z) + 0.5 * float(self._derivatives(Z[:, 0])[0] @ spread)

    def gradient(self, W: Matrix, Z: Matrix) -> tuple[Matrix, Vector]:
        second, third, _ = self._derivatives(Z[:, 0])
        R = self.loss.gradient(Z)[:, 0] + 0.5 * third * self._noise.spread(W[:, 0] ** 2)
        g = self.rmatvec(R[:, None]) + self.slope(W)
        g[:, 0] += W[:, 0] * self._noise.gathered(second)
        return g, np.array([R.sum() if self.fit_intercept else 0.0])

    def curvature(self, state: State) -> NoisedCurvature:
        second, third, fourth = self._derivatives(state.Z[:, 0])
        w = state.W[:, 0]
        return NoisedCurvature(second + 0.5 * fourth * self._noise.spread(w * w), second, third, w)

    def diagonal(self, curvature: Curvature) -> Matrix:
        assert isinstance(curvature, NoisedCurvature)
        return super().diagonal(curvature) + self._noise.gathered(curvature.second)[:, None]

    def intercept_products(self, curvature: Curvature, shift: Vector) -> Matrix:
        assert isinstance(curvature, NoisedCurvature)
        own = curvature.w * self._noise.gathered(curvature.third) * shift[0]
        return super().intercept_products(curvature, shift) + own[:, None]

    def eliminated_product(self, curvature: Curvature, D: Matrix, inverse: Matrix) -> tuple[Matrix, Vector]:
        assert isinstance(curvature, NoisedCurvature)
        w, d, dz = curvature.w, D[:, 0], self.products(D)[:, 0]
        of_spread = curvature.third * self._noise.spread(w * d)
        d_b = -inverse @ np.array([curvature.h @ dz + of_spread.sum()])
        dz += d_b[0]
        own = w * self._noise.gathered(curvature.third * dz) + d * self._noise.gathered(curvature.second) + self.l2 * d
        return self.rmatvec((curvature.h * dz + of_spread)[:, None]) + own[:, None], d_b

    @property
    def _noise(self) -> Noise:
        assert self.noise is not None
        return self.noise

    def _derivatives(self, z: Vector) -> tuple[Vector, Vector, Vector]:
        """`s A''`, `s A'''` and `s A''''` of `A(z) = log(1 + exp(z))`."""
        assert isinstance(self.loss, WeightedLoss)
        h, odd = sigmoid(z) * sigmoid(-z), np.tanh(-0.5 * z)  # 1 - 2 p
        second = h if self.loss.s is None else self.loss.s * h
        return second, second * odd, second * (odd * odd - 2.0 * h)

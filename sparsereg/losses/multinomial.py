"""The multinomial loss of K classes, `log sum_k exp(z_k) - sum_k y_k z_k`, y_k the probability of class k.

It has K predictors a row, and so is no `Loss`. Vectors over rows and classes are of shape (K, n): class k in row k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MULTINOMIAL", "Multinomial"]

Vector = NDArray[np.float64]

# Where a probability changes by less than this share, the divergence is taken from its series.
SMALL_CHANGE = 1e-3


class Multinomial:
    """`l(y, z) = log sum_k exp(z_k) - y . z`, for targets y that are probabilities; those of a label are 0 and 1."""

    name = "multinomial"
    link = "softmax"
    quadratic = False

    def __str__(self) -> str:
        return self.name

    def fit_term(self, deviance: Vector, dispersion: float | None) -> Vector:
        """As `Loss.fit_term`."""
        return deviance / (dispersion or 1.0)

    def log_probabilities(self, z: Vector) -> Vector:
        """`z_k - log sum exp(z)`, for predictors of any size."""
        z = z - z.max(axis=0)
        z -= np.log(np.exp(z).sum(axis=0))
        return z

    def total(self, y: Vector, log_p: Vector, s: Vector | None) -> float:
        """`sum_i s_i l(y_i, z_i)`."""
        rows = -np.einsum("ki,ki->i", y, log_p)
        return float(rows.sum() if s is None else s @ rows)

    def saturated(self, y: Vector, s: Vector | None) -> float:
        """The least total that any predictors could reach: the entropy of the targets."""
        return self.total(y, np.log(np.where(y > 0.0, y, 1.0)), s)

    def divergence(self, change: Vector, p: Vector, log_p: Vector, s: Vector | None) -> float:
        """`sum_i s_i KL(q_i | p_i)` for `q = p + change`: the loss's part of the duality gap at a dual point `y - q`.

        No large number is subtracted from a large one: a term is `p ((1 + x) log(1 + x) - x)` with `x = change / p`,
        and its series where x is small."""
        q = np.maximum(p + change, 0.0)
        tiny = p <= 1e-290  # x would overflow
        x = change / np.where(tiny, 1.0, p)
        small = ~tiny & (np.abs(x) < SMALL_CHANGE)
        x = np.where(small, x, 0.0)
        series = p * x * x * (0.5 - x / 6.0 + x * x / 12.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            plain = np.where(q > 0.0, q * (np.log(q) - log_p), 0.0) - change
        terms = np.where(small, series, np.maximum(plain, 0.0))
        rows = terms.sum(axis=0)
        return float(rows.sum() if s is None else s @ rows)


MULTINOMIAL = Multinomial()

"""Relative entropy `m log(m/mu) - m + mu`, the part of the duality gap of every loss with an exponential in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["relative_entropy", "sigmoid", "softplus", "xlogx"]

Vector = NDArray[np.float64]

# Below this relative difference the entropy is taken from its series, of six terms: relative error 1e-13.
SERIES = 4e-3


def relative_entropy(
    m: Vector, log_mu: Vector | Callable[[NDArray[np.bool_]], Vector], mu: Vector, difference: Vector
) -> Vector:
    """`m log(m/mu) - m + mu` for m >= 0, at least 0; infinite where mu is.

    Parameters
    ----------
    m, mu : float64 arrays of shape (n,)
        `mu = exp(log_mu)`, which may have underflowed to 0 or overflowed.
    log_mu : float64 array of shape (n,), or callable
        Of a mask it returns the values there; few are needed.
    difference : float64 array of shape (n,)
        `m - mu`, by a formula without cancellation.
    """
    m, mu, difference = np.broadcast_arrays(m, mu, difference)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = difference / mu
        y = np.where(np.abs(x) < 0.5, x, 0.0)
        out = y * y * (0.5 - y * (1 / 6 - y * (1 / 12 - y * (1 / 20 - y * (1 / 30 - y / 42)))))
        large = np.abs(y) >= SERIES
        if large.any():
            out[large] = (1.0 + y[large]) * np.log1p(y[large]) - y[large]
        out *= mu
        far = ~(np.abs(x) < 0.5)
        if far.any():
            m, mu = m[far], mu[far]
            log = log_mu(far) if callable(log_mu) else np.broadcast_to(log_mu, far.shape)[far]
            entropy = np.where(m > 0.0, m * (np.log(np.where(m > 0.0, m, 1.0)) - log), 0.0) - m + mu
            out[far] = np.where(np.isposinf(mu), np.inf, entropy)
    return np.maximum(out, 0.0)


def xlogx(x: Vector) -> Vector:
    """`x log x`, 0 at 0; x >= 0."""
    return x * np.log(np.where(x > 0.0, x, 1.0))


def sigmoid(z: Vector) -> Vector:
    """`1 / (1 + exp(-z))`, without overflow; tiny values keep their digits."""
    e = np.exp(-np.abs(z))
    return np.where(z >= 0.0, 1.0, e) / (1.0 + e)


def softplus(z: Vector) -> Vector:
    """`log(1 + exp(z))`, without overflow."""
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))

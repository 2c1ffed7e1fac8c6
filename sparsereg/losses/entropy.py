"""Relative entropy `m log(m/mu) - m + mu`, the part of the duality gap of every loss with an exponential in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import near_entropies

__all__ = ["relative_entropy", "sigmoid", "softplus", "xlogx"]

Vector = NDArray[np.float64]

# Up to this relative difference the entropy is taken from its series.
NEAR = 0.5


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
    m, mu, difference = (np.ascontiguousarray(v) for v in np.broadcast_arrays(m, mu, difference))
    out = np.empty(mu.shape)
    if near_entropies(mu, difference, out):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            far = ~(np.abs(difference / mu) <= NEAR)
            m, mu = m[far], mu[far]
            log = log_mu(far) if callable(log_mu) else np.broadcast_to(log_mu, far.shape)[far]
            entropy = np.where(m > 0.0, m * (np.log(np.where(m > 0.0, m, 1.0)) - log), 0.0) - m + mu
            out[far] = np.maximum(np.where(np.isposinf(mu), np.inf, entropy), 0.0)
    return out


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

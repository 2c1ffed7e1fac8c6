"""Predictors of a class that the rows of a fit lack: infinite ones, brought to a probability that has a logarithm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

__all__ = ["LOG_FLOOR", "finite_predictors"]

Vector = NDArray[np.float64]

# The logarithm of the least probability, where scikit-learn's `log_loss` clips too.
LOG_FLOOR = float(np.log(np.finfo(np.float64).eps))


def finite_predictors(z: Vector) -> Vector:
    """Predictors (K, ...) of K classes, or (1, ...) of the second of two, with infinite ones put to the floor."""
    if np.isfinite(z).all():
        return z
    if len(z) == 1:
        return np.nan_to_num(z, posinf=-LOG_FLOOR, neginf=LOG_FLOOR)
    return np.where(np.isneginf(z), logsumexp(z, axis=0) + LOG_FLOOR, z)

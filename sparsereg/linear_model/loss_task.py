"""A fit of any loss: what is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.losses import Loss
from sparsereg.losses.tweedie_general import GeneralTweedie

__all__ = ["CONTINUATION", "EPOCHS", "POLISHED", "FitTask", "Fitted"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

# Epochs of coordinate descent that an iteration may take.
EPOCHS = 10
# Strengths on the way to a weak one are apart by this factor.
CONTINUATION = 120.0
# Beyond `tol`, iterations go on to this relative gap (see `linear_model/lasso.py`).
POLISHED = 1e-9


@dataclass(frozen=True, eq=False)
class FitTask:
    """What is to be fitted; arrays as after their checks.

    Attributes
    ----------
    design : Design
    target : float64 array of shape (n,), or (n, K) of probabilities
    loss : Loss
        For K probabilities the softmax is meant.
    s, offset : float64 arrays, or None
    alpha, l1_ratio : float
        The strength beside the mean loss.
    factor : float64 array of shape (p,), or None
    fit_intercept, standardize, positive : bool
    beta : float
        The penalty on confidence.
    noise : pair of float64 arrays of shape (p,), or None
        Rates of dropout and deviations of noise on the columns; for the logistic loss.
    """

    design: Design
    target: Matrix
    loss: Loss
    s: Vector | None
    offset: Matrix | None
    alpha: float
    l1_ratio: float
    factor: Vector | None = None
    fit_intercept: bool = True
    standardize: bool = False
    positive: bool = False
    beta: float = 0.0
    noise: tuple[Vector, Vector] | None = None

    @property
    def convex(self) -> bool:
        return not self.beta and self.noise is None and not isinstance(self.loss, GeneralTweedie)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A solution in the precision of X.

    Attributes
    ----------
    coef : csr_array of shape (K, p)
    intercept : float64 array of shape (K,)
    dual_gap : float
        Infinite where none is known.
    gap_scale : float
    gradient_norm : float or None
        The relative gradient, where that decides.
    n_iter : int
    """

    coef: sp.csr_array
    intercept: Vector
    dual_gap: float
    gap_scale: float
    gradient_norm: float | None
    n_iter: int

"""Label smoothing: targets mixed with a distribution over the classes. They stay probabilities, and the loss convex."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.data.validation import check_choice, check_number, check_vector

__all__ = ["mixture_share", "right_class_share", "smooth_labels", "smoothing_distribution"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

# How far sums of probabilities may be from 1.
SUM_TOL = 1e-6


def smooth_labels(
    Y: Any, eps: float, to: Any = "uniform", *, convention: str = "mixture", sample_weight: Any = None
) -> Matrix:
    """Targets with smoothed labels.

    Two conventions are in use. "mixture" is `y' = (1 - eps) y + eps u` for a distribution u (Szegedy et al. 2016, and
    the deep-learning libraries). "right_class" leaves `1 - eps` on the right class and gives `eps / (K - 1)` to each of
    the others. For the uniform u they are the same at other eps: see `mixture_share`.

    Parameters
    ----------
    Y : array of shape (n, K)
        One row of probabilities a row of data, such as one-hot classes.
    eps : float in [0, 1]
    to : "uniform", "prior" or array of shape (K,), default "uniform"
        u: equal shares, the (weighted) mean of Y, or a given distribution. "right_class" takes "uniform" alone.
    convention : {"mixture", "right_class"}, default "mixture"
    sample_weight : array of shape (n,), optional
        For the mean in "prior".

    Returns
    -------
    float64 array of shape (n, K)

    Examples
    --------
    >>> from sparsereg.losses.smoothing import smooth_labels
    >>> smooth_labels([[1.0, 0.0, 0.0]], 0.3).round(6).tolist()
    [[0.8, 0.1, 0.1]]
    >>> smooth_labels([[1.0, 0.0, 0.0]], 0.2, convention="right_class").round(6).tolist()
    [[0.8, 0.1, 0.1]]
    """
    check_number("eps", eps, low=0, high=1)
    check_choice("convention", convention, ("mixture", "right_class"))
    Y = np.asarray(Y, dtype=np.float64)
    if convention == "right_class":
        if not (isinstance(to, str) and to == "uniform"):
            raise ValueError(f"to={to!r}: convention='right_class' has no other distribution than 'uniform'.")
        eps = mixture_share(eps, Y.shape[1])
    return (1.0 - eps) * Y + eps * smoothing_distribution(Y, to, sample_weight)


def smoothing_distribution(Y: Matrix, to: Any, sample_weight: Any = None, name: str = "to") -> Vector:
    """The distribution u over K classes that is meant by "uniform", "prior" or an array."""
    K = Y.shape[1]
    if isinstance(to, str):
        if check_choice(name, to, ("uniform", "prior")) == "uniform":
            return np.full(K, 1.0 / K)
        return np.asarray(np.average(Y, axis=0, weights=sample_weight))
    u = check_vector(name, to, K, "classes")
    if (u < 0.0).any() or abs(u.sum() - 1.0) > SUM_TOL:
        raise ValueError(f"{name}={to!r}: expected {K} probabilities that sum to 1, one for each class.")
    return u


def mixture_share(eps: float, n_classes: int) -> float:
    """The eps of "mixture" with the uniform distribution that equals eps of "right_class": `eps K / (K - 1)`.

    Examples
    --------
    >>> from sparsereg.losses.smoothing import mixture_share, right_class_share
    >>> round(mixture_share(0.1, 2), 6), round(right_class_share(0.2, 2), 6)
    (0.2, 0.1)
    """
    check_number("eps", eps, low=0, high=(n_classes - 1) / n_classes)
    return min(1.0, eps * n_classes / (n_classes - 1))


def right_class_share(eps: float, n_classes: int) -> float:
    """The inverse: what "mixture" takes from the right class, `eps (K - 1) / K`."""
    check_number("eps", eps, low=0, high=1)
    return eps * (n_classes - 1) / n_classes

"""Labels and probabilities as targets of classifiers: classes, weights of classes, label smoothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from sparsereg.data.real_numbers import real_numbers
from sparsereg.losses.smoothing import SUM_TOL, smooth_labels, smoothing_distribution

__all__ = ["ClassTargets", "two_whole_numbers"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class ClassTargets:
    """Targets of n rows.

    Attributes
    ----------
    classes : array of shape (K,)
        Labels, in increasing order unless they were given.
    codes : int array of shape (n,), or None
        The class of each row, where targets are labels.
    Y : float64 array of shape (n, K), or None
        Probabilities, where these are the targets.
    zero_one : float64 array of shape (n,), or None
        The labels as they were passed, where they are 0.0 and 1.0 and so a loss takes them as they are; read-only.
    """

    classes: NDArray[Any]
    codes: NDArray[np.integer[Any]] | None
    Y: Matrix | None
    zero_one: Vector | None = None

    @classmethod
    def of(cls, y: NDArray[Any], classes: Any = None) -> ClassTargets:
        """Of labels (n,) or (n, 1), or of probabilities (n, K) whose columns are `classes` (0, 1, ... without)."""
        if y.ndim == 2 and y.shape[1] > 1:
            return cls._of_probabilities(y, classes)
        y = column_or_1d(y, warn=True)
        two = two_whole_numbers(y)
        if two is None:
            check_classification_targets(y)
        if classes is not None:
            raise ValueError("classes names the columns of probabilities; of labels it is not taken.")
        labels, codes = np.unique(y, return_inverse=True) if two is None else two
        if labels.size < 2:
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one class:"
                f" {labels[0]!r}"
            )
        return cls(labels, codes.reshape(-1), None, _zero_one(y, labels))

    @classmethod
    def _of_probabilities(cls, y: Any, classes: Any) -> ClassTargets:
        Y = np.array(real_numbers("y", y), dtype=np.float64)
        sums = Y.sum(axis=1)
        wrong = np.flatnonzero(~((Y >= 0.0).all(axis=1) & (np.abs(sums - 1.0) <= SUM_TOL)))
        if wrong.size:
            raise ValueError(
                f"y has shape {Y.shape}, so that its rows are probabilities of the classes, but row {wrong[0]} sums to"
                f" {sums[wrong[0]]:g} or holds a negative number. Pass labels of shape (n,), or rows that sum to 1."
            )
        labels = np.arange(Y.shape[1]) if classes is None else np.asarray(classes)
        if labels.shape != (Y.shape[1],) or np.unique(labels).size != labels.size:
            raise ValueError(f"classes={classes!r}: expected {Y.shape[1]} different labels, one a column of y.")
        return cls(labels, None, Y / sums[:, None])

    def probabilities(self) -> Matrix:
        """One-hot labels, or the probabilities."""
        return np.eye(self.classes.size)[self.codes] if self.Y is None else self.Y

    def weighted(self, class_weight: Any, s: Vector | None) -> tuple[ClassTargets, Vector | None]:
        """With the weights of classes in the weights of rows.

        Of probabilities, `sum_k c_k y_k l_k` is a row of weight `sum_k c_k y_k` with the targets `c_k y_k` over it."""
        if class_weight is None:
            return self, s
        if self.codes is not None:
            labels = self.classes[self.codes]
            each = compute_class_weight(class_weight, classes=self.classes, y=labels, sample_weight=s)
            own = np.asarray(each, dtype=np.float64)[self.codes]
            return self, own if s is None else own * s
        assert self.Y is not None
        if isinstance(class_weight, str):
            if class_weight != "balanced":
                raise ValueError(f"class_weight={class_weight!r}: expected a dict, 'balanced' or None.")
            sums = self.Y.sum(axis=0) if s is None else s @ self.Y
            each = sums.sum() / (sums.size * sums)
        else:
            each = np.array([float(class_weight.get(label, 1.0)) for label in self.classes.tolist()])
        Y = self.Y * each
        own = Y.sum(axis=1)
        Y = np.divide(Y, own[:, None], out=self.Y.copy(), where=own[:, None] > 0.0)
        return ClassTargets(self.classes, None, Y), own if s is None else own * s

    def smoothed(self, eps: float, to: Any, s: Vector | None) -> ClassTargets:
        """With label smoothing: see `sparsereg.losses.smoothing`."""
        K = self.classes.size
        smoothing_distribution(np.full((1, K), 1.0 / K), to, name="smoothing_distribution")  # also where it is not used
        if eps == 0.0:
            return self
        return ClassTargets(self.classes, None, smooth_labels(self.probabilities(), eps, to, sample_weight=s))

    def split_by(self) -> tuple[NDArray[np.integer[Any]], bool]:
        """The class of each row, or the most probable one, and whether all are certain, as labels are."""
        if self.codes is not None:
            return self.codes, True
        assert self.Y is not None
        return self.Y.argmax(axis=1), bool(((self.Y == 0.0) | (self.Y == 1.0)).all())

    def target(self) -> Matrix:
        """What a loss takes: the probability of the second of two classes (n,), or those of all (n, K)."""
        if self.classes.size > 2:
            return self.probabilities()
        if self.zero_one is not None:
            return self.zero_one
        return self.codes.astype(np.float64) if self.codes is not None else self.probabilities()[:, 1].copy()


def _zero_one(y: NDArray[Any], labels: NDArray[Any]) -> Vector | None:
    """As the attribute of `ClassTargets`."""
    if y.dtype != np.float64 or not y.flags.c_contiguous or labels.tolist() != [0.0, 1.0]:
        return None
    found = y.view()
    found.flags.writeable = False
    return found


def two_whole_numbers(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int8]] | None:
    """Labels and codes, as of `np.unique`, of numbers that are two whole ones, by comparisons instead of sorting; None
    of anything else."""
    if y.dtype.kind not in "buif" or not y.size:
        return None
    labels = np.array([y.min(), y.max()])
    if not (np.isfinite(labels).all() and (labels == np.floor(labels)).all() and labels[0] < labels[1]):
        return None
    second = y == labels[1]
    return (labels, second.view(np.int8)) if (second | (y == labels[0])).all() else None

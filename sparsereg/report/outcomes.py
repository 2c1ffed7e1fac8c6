"""Losses and predictions of rows for any number of outputs: one target, K targets that share a path, K classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparsereg.report.samples import Sample, loss_of

if TYPE_CHECKING:
    from sparsereg.losses import Loss
    from sparsereg.results import PathResult

__all__ = ["excess_loss", "is_multinomial", "null_predictors", "predicted", "row_losses"]

Vector = NDArray[np.float64]

# Least share of a class in the null model: one that the rows of the fit lack.
_LEAST_SHARE = 1e-12


def excess_loss(loss: Loss, y: Vector, z: Vector) -> Vector:
    """The loss of each row above the least that any predictor reaches: half the unit deviance."""
    return loss.value(y, z) + loss.conjugate(y, np.zeros_like(y))


def is_multinomial(path: PathResult) -> bool:
    """Whether the outputs are classes of one softmax."""
    return path.loss == "multinomial"


def null_predictors(path: PathResult, sample: Sample) -> Vector:
    """The predictors (K,) of the model without columns."""
    if is_multinomial(path):
        shares = np.average(sample.targets, axis=0, weights=sample.weight)
        return np.log(np.maximum(shares, _LEAST_SHARE))
    every = slice(None)
    offsets = [None if sample.offset is None else sample.offset_of(every, k)[:, 0] for k in range(len(path.outputs))]
    pairs = zip(sample.targets.T, offsets, strict=True)
    return np.array([loss_of(path).null_predictor(y.copy(), sample.weight, offset) for y, offset in pairs])


def row_losses(path: PathResult, targets: Vector, z: Vector) -> Vector:
    """The loss (m, k) of m rows at k points, above the least possible one, summed over the outputs.

    Parameters
    ----------
    targets : array of shape (m, K)
        Of classes 1 for the row's own.
    z : array of shape (K, m, k)
    """
    if is_multinomial(path):
        top = z.max(axis=0)
        return top + np.log(np.exp(z - top).sum(axis=0)) - np.einsum("mo,omk->mk", targets, z)
    loss = loss_of(path)
    columns = [
        sum(excess_loss(loss, y, part[:, k]) for y, part in zip(targets.T, z, strict=True)) for k in range(z.shape[2])
    ]
    return np.stack(columns, axis=1)


def predicted(path: PathResult, z: Vector, output: int) -> Vector:
    """Predictions (m, k) of one output from the predictors (K, m, k) of all: of classes, probabilities."""
    if is_multinomial(path):
        weights = np.exp(z - z.max(axis=0))
        return np.asarray(weights[output] / weights.sum(axis=0))
    return loss_of(path).inverse_link(z[output])

"""How well each point of a path predicts rows that the fit never saw, and what three of the points say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.report.outcomes import is_multinomial, predicted, row_losses
from sparsereg.report.samples import Sample, loss_of
from sparsereg.selection.paired import PairedLosses

if TYPE_CHECKING:
    from sparsereg.results import PathResult

__all__ = ["HeldOut", "calibration", "classification_scores", "tenths", "three_points"]

Vector = NDArray[np.float64]
Row = dict[str, Any]

TENTHS = 10
# Bins of equal width of the largest probability, by which the calibration error goes.
CONFIDENCE_BINS = 10


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out scores: the share of the null model's loss that each point explains, R2 for squares.

    Attributes
    ----------
    scores : float64 array of shape (k,)
        1 - loss / loss of the null model, which predicts the training mean; losses count from the least possible one.
    errors : float64 array of shape (k,)
        Standard error of each score's difference to the best one, over the same rows.
    null_errors : float64 array of shape (k,)
        Standard error of each score's difference to 0.
    best, one_se : int
        The point with the best score; the strongest penalty that is not worse by more than its error.
    """

    scores: Vector
    errors: Vector
    null_errors: Vector
    best: int
    one_se: int

    @classmethod
    def measure(cls, path: PathResult, sample: Sample, null: Vector) -> HeldOut | None:
        """Score every point, over all outputs; `null` are the null model's predictors (K,). None where it predicts
        perfectly."""
        k = path.alphas.size
        paired = PairedLosses(k + 1)
        for rows, z in sample.all_predictors(path, range(k)):
            ends = sample.null_ends(null, rows)
            losses = row_losses(path, sample.targets[rows], np.concatenate([z, ends], axis=2))
            paired.add(losses, sample.weights_in(rows))
        scale = float(paired.mean[k])
        if not scale > 0.0:
            return None
        best = int(np.argmin(paired.mean[:k]))
        errors = paired.errors(best)[:k] / scale
        scores = 1.0 - paired.mean[:k] / scale
        one_se = int(np.argmax((scores[best] - scores <= errors)[: best + 1]))
        return cls(scores, errors, paired.errors(k)[:k] / scale, best, one_se)


def classification_scores(path: PathResult, sample: Sample, null: Vector, point: int, output: int = 0) -> Row:
    """The mean loss of a point and of the null model, and for classes the area under the ROC curve; of squares, and of
    several outputs that are no classes of one softmax, nothing."""
    if not sample.n_rows:
        return {}
    if is_multinomial(path):
        return _class_scores(path, sample, null, point)
    loss = loss_of(path)
    if loss.quadratic or null.size > 1:
        return {}
    z = np.concatenate([z[:, 0] for _, z in sample.predictors(path, [point], output)])
    s = np.ones(sample.n_rows) if sample.weight is None else sample.weight
    ends = sample.null_ends(null)[0, :, 0]
    losses = [float(np.average(loss.value(sample.y, v), weights=s)) for v in (z, ends)]
    found: Row = {"mean_losses": losses}
    if loss.name in ("logistic", "squared_hinge") and np.unique(sample.y[s > 0.0]).size == 2:
        from sklearn.metrics import roc_auc_score  # a second to import

        if np.isin(sample.y, (-1.0, 0.0, 1.0)).all():
            found["auc"] = float(roc_auc_score(sample.y > 0.0, z, sample_weight=s))
    return found


def _class_scores(path: PathResult, sample: Sample, null: Vector, point: int) -> Row:
    """Of several classes: the log-loss, the mean area under the ROC curve of each class against the rest where the rows
    have all classes, and the calibration error of the most probable class."""
    z = np.concatenate([z for _, z in sample.all_predictors(path, [point])], axis=1)
    s = np.ones(sample.n_rows) if sample.weight is None else sample.weight
    ends = sample.null_ends(null)
    losses = [float(np.average(row_losses(path, sample.targets, v)[:, 0], weights=s)) for v in (z, ends)]
    p = np.stack([predicted(path, z, k)[:, 0] for k in range(z.shape[0])], axis=1)
    found: Row = {"mean_losses": losses, "calibration_error": _calibration_error(p, sample.targets, s)}
    if (s @ sample.targets > 0.0).all():
        from sklearn.metrics import roc_auc_score  # a second to import

        pairs = zip(sample.targets.T, p.T, strict=True)
        found["auc"] = float(np.mean([roc_auc_score(y, own, sample_weight=s) for y, own in pairs]))
    return found


def _calibration_error(p: Vector, targets: Vector, s: Vector) -> float:
    """The expected calibration error (Guo et al. 2017, "On calibration of modern neural networks"): over bins of the
    largest probability, the mean difference between it and the share of rows whose class it is."""
    top = p.argmax(axis=1)[:, None]
    confidence, right = (np.take_along_axis(part, top, axis=1)[:, 0] for part in (p, targets))
    bins = np.minimum((CONFIDENCE_BINS * confidence).astype(np.int64), CONFIDENCE_BINS - 1)
    return float(np.abs(np.bincount(bins, weights=s * (confidence - right))).sum() / s.sum())


def three_points(scores: Sequence[float] | Vector, point: int) -> list[tuple[str, int]]:
    """A point that is too strong, with half of the described point's score, the point, and the weakest if it is
    another."""
    half = np.flatnonzero(np.asarray(scores, dtype=np.float64)[:point] >= 0.5 * scores[point])
    strong = int(half[0]) if half.size else 0
    found = [("too strong", strong)] if strong < point else []
    last = len(scores) - 1
    return [*found, ("chosen", point), *([("too weak", last)] if last > point else [])]


def calibration(path: PathResult, sample: Sample, points: Sequence[int], output: int = 0) -> list[list[Row]]:
    """For each point, rows in ten groups of equal weight by prediction: mean predicted, mean observed, rows.

    With an offset of a log link, such as the logarithm of an exposure, these are rates: per unit of exposure."""
    parts = [predicted(path, z, output) for _, z in sample.all_predictors(path, points)]
    predictions = np.concatenate(parts) if parts else np.empty((0, len(points)))
    y, weight = sample.y, sample.weight
    if sample.offset is not None and path.link == "log":
        exposure = np.exp(sample.offset_of(slice(None), output)[:, 0])
        predictions, y = predictions / exposure[:, None], y / exposure
        weight = exposure if weight is None else weight * exposure
    return [tenths(part, y, weight) for part in predictions.T]


def tenths(predictions: Vector, y: Vector, weight: Vector | None) -> list[Row]:
    """Rows in ten groups of equal weight by prediction: mean predicted, mean observed, rows of each."""
    order = np.argsort(predictions, kind="stable")
    s = np.ones(y.size) if weight is None else weight[order]
    reached = np.cumsum(s)
    group = np.minimum((TENTHS * (reached - 0.5 * s) / (reached[-1] if y.size else 1.0)).astype(np.int64), TENTHS - 1)
    rows = np.bincount(group, minlength=TENTHS)
    total, mean, observed = (
        np.bincount(group, weights=part, minlength=TENTHS) for part in (s, s * predictions[order], s * y[order])
    )
    known = np.flatnonzero(total > 0.0)
    return [
        {"predicted": float(mean[i] / total[i]), "observed": float(observed[i] / total[i]), "rows": int(rows[i])}
        for i in known.tolist()
    ]

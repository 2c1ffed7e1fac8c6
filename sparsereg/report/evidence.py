"""`Evidence`: what a report needs the rows for. Measured once, beside the fit; a model file can hold it as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import as_design
from sparsereg.report.decided import count_undecided
from sparsereg.report.held_out import HeldOut, calibration, classification_scores, three_points
from sparsereg.report.outcomes import null_predictors, row_losses
from sparsereg.report.samples import Sample
from sparsereg.selection.rules import paired_differences

if TYPE_CHECKING:
    from sparsereg.crosses.feature_cross import FeatureCross
    from sparsereg.results import PathResult
    from sparsereg.selection.results import ValidatedPath

__all__ = ["Evidence"]

Vector = NDArray[np.float64]
Row = dict[str, Any]

# At so many points, evenly spread, columns are told apart as proved zero or undecided: two passes over X each. Every
# second one is among the 12 that the HTML report shows in numbers.
DECIDED_POINTS = 23
HEAVIEST = 5


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the rows say of a path. All of it plain numbers; None where the rows that it needs were not passed.

    Attributes
    ----------
    point : int
        The point that `panels`, `variance_share` and `columns` describe.
    n_rows, n_entries, n_held : int or None
        Rows and entries of X of the fit; rows held out.
    held, held_error : list of float or None
        Held-out score of each point, and the standard error of its difference to the best point's.
    null_error : float or None
        Standard error of the described point's held-out score, against 0.
    best, one_se : int or None
        The best point, and the strongest that is not worse by more than its standard error.
    panels : list of dict
        For a point that is too strong, the described one and the weakest: name, point, and `held` and `train`, the
        rows in tenths by prediction.
    outliers : float or None
        The share of the null model's loss that the five heaviest rows hold.
    coverage : float or None
        The share of held-out rows in which some field or cross has no column.
    undecided : list of (int or None), or None
        For each point the columns that are neither active nor proved zero.
    variance_share : list of float or None
        For each field and cross its share of the variance of the predictions.
    columns : dict of str to list
        ``column``, ``rows`` and ``deviation`` of columns that no cross has counted.
    auc : float or None
        Area under the ROC curve of the described point on the held-out rows, where targets are two classes. Of several
        classes of one softmax the mean of each against the rest, where the rows have them all.
    mean_losses : pair of float, or None
        The described point's mean loss on the held-out rows (the log-loss of a logistic model, half the unit deviance
        of others), and that of the model without columns; None for squares.
    calibration_error : float or None
        Of several classes of one softmax: how far the largest probability is from the share of rows whose class it is,
        in the mean over ten bins of it on the held-out rows (the expected calibration error).
    """

    point: int
    n_rows: int | None = None
    n_entries: int | None = None
    n_held: int | None = None
    held: list[float] | None = None
    held_error: list[float] | None = None
    null_error: float | None = None
    best: int | None = None
    one_se: int | None = None
    panels: list[Row] | None = None
    outliers: float | None = None
    coverage: float | None = None
    undecided: list[int | None] | None = None
    variance_share: list[float] | None = None
    columns: dict[str, list[Any]] | None = None
    auc: float | None = None
    mean_losses: tuple[float, float] | None = None
    calibration_error: float | None = None

    @classmethod
    def measure(
        cls,
        path: PathResult,
        cross: FeatureCross | None,
        k: int | None,
        train: Sample | None,
        held: Sample | None,
        output: int = 0,
    ) -> Evidence:
        """Measure all that the rows allow. `k` None: the point that predicts the held-out rows best, or the last."""
        null = _null_predictor(path, train, held)
        scored = None if held is None else HeldOut.measure(path, held, null)
        point = path.alphas.size - 1 if k is None and scored is None else k
        point = scored.best if point is None and scored is not None else int(point or 0)
        found: Row = {"point": point}
        if scored is not None:
            found |= {"held": scored.scores.tolist(), "held_error": scored.errors.tolist()}
            found |= {"null_error": float(scored.null_errors[point]), "best": scored.best, "one_se": scored.one_se}
            assert held is not None
            found |= classification_scores(path, held, null, point, output)
        if held is not None:
            found |= {"n_held": held.n_rows, "coverage": _coverage(cross, held)}
        if train is not None:
            found |= _of_training(path, cross, train, point, output) | {"outliers": _outliers(path, train, null)}
        found["panels"] = _panels(path, train, held, scored, point, output)
        return cls(**found)

    @classmethod
    def of_columns(
        cls, coef: tuple[NDArray[np.int64], NDArray[Any]], cross: FeatureCross | None, k: int, train: Sample
    ) -> Evidence:
        """What rows without targets say of coefficients: the blocks' shares of the variance, and rows and deviations of
        the columns that no cross has counted."""
        return cls(k, **_of_coefficients(coef, cross, train))

    @classmethod
    def of_validation(cls, validated: ValidatedPath, k: int, found: Evidence) -> Evidence:
        """`found` with the held-out losses of the folds, as shares of that of the first point, which has no columns.

        Where `found` has measured the rows of the folds, as shares of what it compares with. Without shares where the
        first point has columns, or a scorer has measured."""
        known: Row = {"point": k, "best": validated.best, "one_se": validated.choose("1se")}
        losses, scale = validated.mean_losses, float(validated.mean_losses[0])
        measured = found.held is not None
        if found.held is not None:
            scale /= 1.0 - found.held[0]
        if validated.is_deviance and scale > 0.0 and (measured or validated.n_nonzero[0] == 0):
            known |= {"held": (1.0 - losses / scale).tolist()}
            known |= {"held_error": (validated.differences[1] / scale).tolist()}
            if not measured:
                known |= {"null_error": float(paired_differences(validated.fold_losses, 0)[1][k] / scale)}
        return replace(found, **known)

    def to_dict(self) -> Row:
        """As JSON has it."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Evidence:
        """Read back what `to_dict` wrote; names of later versions are left out."""
        return cls(**{part.name: content[part.name] for part in fields(cls) if part.name in content})

    @classmethod
    def of_model(cls, model: Any, k: int, output: int = 0) -> Evidence:
        """What a loaded `Model` holds: its evidence, or, of a file of an earlier version, its held-out scores.

        What was measured of its first output is left out for others."""
        meta = model.meta
        if "evidence" in meta:
            found = cls.from_dict(meta["evidence"])
            return found if k == found.point and not output else found.at(k)
        held = meta.get("held_out_r2")
        best = None if held is None else int(np.argmax(held))
        return cls(k, n_rows=meta.get("rows"), n_held=meta.get("held_out_rows"), held=held, best=best)

    def at(self, k: int) -> Evidence:
        """For another point: without what describes the old one only."""
        of_point = ("null_error", "panels", "variance_share", "columns", "auc", "mean_losses", "calibration_error")
        return replace(self, point=k, **dict.fromkeys(of_point))


def _null_predictor(path: PathResult, train: Sample | None, held: Sample | None) -> Vector:
    """The predictor of the model without columns, from the rows of the fit, or else from those held out."""
    sample = train if train is not None else held
    return np.zeros(len(path.outputs)) if sample is None else null_predictors(path, sample)


def _of_training(path: PathResult, cross: FeatureCross | None, train: Sample, point: int, output: int) -> Row:
    k = path.alphas.size
    looked_at = sorted({*np.linspace(0, k - 1, min(k, DECIDED_POINTS)).round().astype(int).tolist(), point})
    counts = count_undecided(path, train, looked_at, output)
    undecided: list[int | None] = [None] * k
    for place, count in zip(looked_at, counts or (), strict=counts is not None):
        undecided[place] = count
    found = _of_coefficients(path.point(point, output), cross, train)
    return found | {"undecided": None if counts is None else undecided}


def _of_coefficients(coef: tuple[NDArray[np.int64], NDArray[Any]], cross: FeatureCross | None, train: Sample) -> Row:
    from sparsereg.linear_model.degrees import block_shares  # scikit-learn takes a second to import

    active, w = coef
    active, w = active[w != 0.0], w[w != 0.0].astype(np.float64)
    found: Row = {"n_rows": train.n_rows, "n_entries": train.n_entries}
    if cross is not None:
        ends = np.array([block.stop for block in cross.blocks_])
        found["variance_share"] = block_shares(as_design(train.X), active, w, train.weight, ends).tolist()
    found["columns"] = _statistics(train, _uncounted(cross, active))
    return found


def _uncounted(cross: FeatureCross | None, active: NDArray[np.int64]) -> NDArray[np.int64]:
    """The active columns whose rows the cross has not counted: numbers, hashed columns, all without a cross."""
    if cross is None:
        return active
    blocks = cross.blocks_
    owner = np.searchsorted([block.stop for block in blocks], active, side="right")
    counted = np.array([block.counts.size > 0 for block in blocks])
    return active[~counted[owner]]


def _statistics(train: Sample, columns: NDArray[np.int64]) -> dict[str, list[Any]]:
    """Rows that are not 0, and the standard deviation, of some columns."""
    part = sp.csc_array(train.X[:, columns])
    s = np.ones(train.n_rows) if train.weight is None else train.weight
    total = float(s.sum())
    lengths = np.diff(part.indptr)
    owner, weight = np.repeat(np.arange(columns.size), lengths), s[part.indices]
    mean = np.bincount(owner, weights=weight * part.data, minlength=columns.size) / total
    inside = np.bincount(owner, weights=weight * (part.data - mean[owner]) ** 2, minlength=columns.size)
    # A column without zeros has no rounding of this difference, which the square of a large mean would magnify.
    outside = np.where(lengths < train.n_rows, total - np.bincount(owner, weights=weight, minlength=columns.size), 0.0)
    deviation = np.sqrt(np.maximum(inside + outside * mean**2, 0.0) / total)
    return {"column": columns.tolist(), "rows": lengths.tolist(), "deviation": deviation.tolist()}


def _outliers(path: PathResult, train: Sample, null: Vector) -> float | None:
    losses = row_losses(path, train.targets, train.null_ends(null))[:, 0]
    losses = losses if train.weight is None else train.weight * losses
    total = float(losses.sum())
    if train.n_rows <= HEAVIEST or not total > 0.0:
        return None
    return float(np.partition(losses, -HEAVIEST)[-HEAVIEST:].sum()) / total


def _coverage(cross: FeatureCross | None, held: Sample) -> float | None:
    """The share of rows in which some block has no entry; numbers are not asked, hashed columns cannot be."""
    if cross is None or not sp.issparse(held.X) or not held.n_rows:
        return None
    blocks = [block for block in cross.blocks_ if block.counts.size]
    if not blocks:
        return None
    rows = np.repeat(np.arange(held.n_rows), np.diff(held.X.indptr))
    uncovered = np.zeros(held.n_rows, dtype=np.bool_)
    for block in blocks:
        inside = (held.X.indices >= block.start) & (held.X.indices < block.stop)
        has_entry = np.zeros(held.n_rows, dtype=np.bool_)
        has_entry[rows[inside]] = True
        uncovered |= ~has_entry
    return float(uncovered.mean())


def _panels(
    path: PathResult, train: Sample | None, held: Sample | None, scored: HeldOut | None, point: int, output: int
) -> list[Row]:
    samples = {name: sample for name, sample in (("held", held), ("train", train)) if sample is not None}
    scores: Sequence[float] | Vector | None = path.deviance_explained if scored is None else scored.scores
    if not samples or scores is None:
        return []
    chosen = three_points(scores, point)
    tenths = {name: calibration(path, sample, [k for _, k in chosen], output) for name, sample in samples.items()}
    return [
        {"name": name, "point": k} | {which: parts[place] for which, parts in tenths.items()}
        for place, (name, k) in enumerate(chosen)
    ]

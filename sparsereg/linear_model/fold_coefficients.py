"""What `LogisticRegressionCV` keeps of its folds: their coefficients, and scikit-learn's older form of attributes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.selection.results import CrossValidation, ValidatedPath

__all__ = ["MeanOfFolds", "by_class", "fold_coefficients", "mean_of_folds"]

Vector = NDArray[np.float64]


class MeanOfFolds(NamedTuple):
    """The models that did best in each fold, averaged: (K, p), (K,), and the means of alpha and l1_ratio."""

    coef: sp.csr_array
    intercept: Vector
    inverse_alpha: float
    l1_ratio: float
    n_iter: int


def mean_of_folds(validation: CrossValidation) -> MeanOfFolds:
    """Each fold's model where its own held-out loss is least (of equal ones the strongest penalty), averaged.

    A fold whose training rows lack a class has no finite model, and is left out.

    Raises
    ------
    ValueError
        Where every fold lacks a class.
    """
    paths, found = validation.paths, []
    assert all(path.fold_paths is not None for path in paths)
    for f in range(paths[0].fold_losses.shape[1]):
        _, k, r = min((float(loss), k, r) for r, p in enumerate(paths) for k, loss in enumerate(p.fold_losses[:, f]))
        fold_path = (paths[r].fold_paths or ())[f]
        if not np.isfinite(fold_path.intercepts[k]).all():
            continue
        coef = sp.vstack([sp.csc_array(output.tocsc())[:, [k]].T for output in fold_path.outputs], format="csr")
        intercept = np.atleast_1d(fold_path.intercepts[k])
        found.append((coef, intercept, 1.0 / fold_path.alphas[k], fold_path.l1_ratio, int(fold_path.n_iters[k])))
    if not found:
        raise ValueError(
            "refit=False averages the models of the folds, and the training rows of every fold lack a class; use"
            " stratified folds, such as cv=StratifiedKFold(5), or refit=True."
        )
    coefs, intercepts, inverses, ratios, n_iters = zip(*found, strict=True)
    coef = sp.csr_array(sum(coefs[1:], coefs[0]) / len(coefs))
    return MeanOfFolds(
        coef, np.mean(intercepts, axis=0), float(np.mean(inverses)), float(np.mean(ratios)), max(n_iters)
    )


def fold_coefficients(validated: ValidatedPath, fit_intercept: bool) -> Vector:
    """Of all folds and points, (F, k, K, p + 1), NaN after the end of a fold."""
    assert validated.fold_paths is not None
    found = []
    for path in validated.fold_paths:
        parts = np.stack([np.asarray(output.tocsc().T.toarray()) for output in path.outputs], axis=1)
        if fit_intercept:
            parts = np.concatenate([parts, path.intercepts.reshape(len(parts), -1, 1)], axis=2)
        rows = np.full((validated.alphas.size, *parts.shape[1:]), np.nan)
        rows[: len(parts)] = parts
        found.append(rows)
    return np.stack(found)


def by_class(values: Vector, classes: NDArray[Any], *, ratios: bool) -> dict[Any, Vector]:
    """Arrays of shape (F, L, k, ...) as scikit-learn's older attributes: one of shape (F, k, L, ...) for each class, of
    two for the second only; without L where there were no `ratios`. Coefficients have K in front of their last axis."""
    values = np.swapaxes(values, 1, 2)
    values = values if ratios else values[:, :, 0]
    names = classes[1:] if classes.size == 2 else classes
    coefficients = values.ndim > 2 + ratios
    return {name: values[..., k, :] if coefficients else values for k, name in enumerate(names)}

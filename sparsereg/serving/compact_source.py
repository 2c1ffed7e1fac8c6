"""`Source`: what a compact model is made from, taken out of a saved model, a pipeline or an estimator."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit, softmax

from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.serving.model_file import Model, load_model

__all__ = ["INVERSE_LINKS", "CrossPart", "NumberPart", "Source"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

INVERSE_LINKS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "log": np.exp,
    "logit": expit,
    "softmax": lambda z: softmax(z, axis=-1),
}


@dataclass(frozen=True)
class CrossPart:
    """The columns of a `FeatureCross`, from `start` on.

    `columns` are the names in the whole table of the columns that the cross reads; `name` is that of the step.
    """

    cross: FeatureCross
    start: int
    columns: Mapping[str, str]
    name: str = ""


@dataclass(frozen=True)
class NumberPart:
    """Columns of numbers, from `start` on, as ``(x - shift) / scale``."""

    columns: Sequence[str]
    start: int
    shift: Vector
    scale: Vector


@dataclass(frozen=True)
class Source:
    """A linear model and the parts of its columns.

    Attributes
    ----------
    parts : list of CrossPart and NumberPart
    n_columns : int
    coefs : list of (columns, weights), arrays of shape (m,)
        The columns with weights of each output.
    intercepts : list of float
    link : str or None
        A key of `INVERSE_LINKS`; None to find it by comparison with `predict`.
    classes : list of labels, or None
    predict : callable
        Predictions for a CSR matrix of the columns and, where there is one, an offset, by the model itself.
    meta : dict
        That of a saved model.
    offset : dict or None
        The ``column`` that is added to the predictors, with ``log`` its logarithm.
    """

    parts: Sequence[CrossPart | NumberPart]
    n_columns: int
    coefs: Sequence[tuple[Int, Vector]]
    intercepts: Sequence[float]
    link: str | None
    classes: list[Any] | None
    predict: Callable[[Any, Any], Any]
    meta: Mapping[str, Any] = field(default_factory=dict)
    offset: Mapping[str, Any] | None = None

    @property
    def size(self) -> float:
        """1 more than the sum of all absolute weights and intercepts."""
        return 1.0 + float(np.abs(self.intercepts).sum()) + sum(float(np.abs(w).sum()) for _, w in self.coefs)

    @classmethod
    def of(cls, model: Any, k: int | None = None, offset: Mapping[str, Any] | None = None) -> Source:
        """Take a model apart; a ValueError says what cannot be exported."""
        if isinstance(model, (str, os.PathLike)):
            model = load_model(model)
        if isinstance(model, Model):
            return _of_saved(model, k, model.meta.get("offset") if offset is None else offset)
        if k is not None:
            raise ValueError(f"k={k!r} chooses a point of a saved path, but {type(model).__name__} is one model.")
        return _of_estimator(model, offset)


def _of_saved(model: Model, k: int | None, offset: Mapping[str, Any] | None) -> Source:
    path, link = model.path, model.path.link
    k = model.point if k is None else k
    if model.meta.get("log_target"):
        link = "log" if link == "identity" else f"{link} of a log_target"
    if link not in INVERSE_LINKS:
        raise ValueError(f"the model has the link {link!r}; a compact model has one of {list(INVERSE_LINKS)}.")
    coefs = [path.point(k, output) for output in range(len(path.outputs))]

    def predict(X: Any, shift: Any) -> Any:
        z = path.predict(X, k)
        return INVERSE_LINKS[link](z if shift is None else (z.T + shift).T)

    return Source(
        parts=_parts(model.cross, [f"x{j}" for j in range(path.n_features)] if model.cross is None else []),
        n_columns=path.n_features,
        coefs=[(columns, weights.astype(np.float64)) for columns, weights in coefs],
        intercepts=np.ravel(path.intercepts[k]).astype(np.float64).tolist(),
        link=link,
        classes=None if path.classes is None else path.classes.tolist(),
        predict=predict,
        meta=model.meta,
        offset=offset,
    )


def _of_estimator(model: Any, offset: Mapping[str, Any] | None) -> Source:
    *before, last = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    before = [step for step in before if step not in (None, "passthrough")]
    if len(before) > 1:
        raise ValueError(
            f"model has the steps {[type(step).__name__ for step in before]} before the estimator; a compact model is "
            "made from one, a FeatureCross or a ColumnTransformer."
        )
    if not (hasattr(last, "coef_") and hasattr(last, "intercept_")):
        raise ValueError(f"model={type(model).__name__} is no saved model and no fitted linear model.")
    classes = None if getattr(last, "classes_", None) is None else np.asarray(last.classes_).tolist()
    coef = sp.csr_array(last.sparse_coef_ if hasattr(last, "sparse_coef_") else _two_dimensional(last.coef_))
    names = getattr(last, "feature_names_in_", [f"x{j}" for j in range(coef.shape[1])] if not before else [])
    n_outputs = coef.shape[0]
    rows = [slice(*coef.indptr[[row, row + 1]]) for row in range(n_outputs)]
    link = None
    if classes is not None:
        link = "identity" if not hasattr(last, "predict_proba") else "logit" if n_outputs == 1 else "softmax"
    return Source(
        parts=_parts(before[0] if before else None, [str(name) for name in names]),
        n_columns=coef.shape[1],
        coefs=[(coef.indices[row].astype(np.int64), coef.data[row].astype(np.float64)) for row in rows],
        intercepts=np.broadcast_to(np.asarray(last.intercept_, dtype=np.float64).ravel(), (n_outputs,)).tolist(),
        link=link,
        classes=classes,
        predict=lambda X, shift: _estimated(last, X, {} if shift is None else {"offset": shift}),
        offset=offset,
    )


def _estimated(model: Any, X: Any, offset: Mapping[str, Any]) -> Any:
    """Predictions as a compact model gives them: numbers, probabilities (of two classes that of the second), or of
    classes without probabilities the predictors."""
    if not hasattr(model, "classes_"):
        return model.predict(X, **offset)
    if not hasattr(model, "predict_proba"):
        return model.decision_function(X, **offset)
    found = model.predict_proba(X, **offset)
    return found[:, 1] if found.shape[1] == 2 else found


def _two_dimensional(coef: Any) -> Any:
    return coef if sp.issparse(coef) else np.atleast_2d(coef)


def _parts(transformer: Any, names: Sequence[str]) -> list[CrossPart | NumberPart]:
    """The parts of the columns that a transformer makes; without one, columns of numbers with these names."""
    if transformer is None:
        return [_numbers(names, 0)]
    if isinstance(transformer, FeatureCross):
        return [_crossed(transformer, 0, {name: name for name in transformer._names_in})]
    if not hasattr(transformer, "transformers_"):
        raise ValueError(
            f"the step {type(transformer).__name__} cannot be exported; a compact model is made from a FeatureCross or "
            "a ColumnTransformer."
        )
    inputs = [str(name) for name in getattr(transformer, "feature_names_in_", ())]
    inputs = inputs or [f"x{j}" for j in range(transformer.n_features_in_)]
    parts: list[CrossPart | NumberPart] = []
    for name, part, columns in transformer.transformers_:
        place = transformer.output_indices_[name]
        if place.stop == place.start:
            continue
        chosen = _chosen(columns, inputs)
        if isinstance(part, FeatureCross):
            parts.append(_crossed(part, place.start, dict(zip(part._names_in, chosen, strict=True)), name))
        else:
            parts.append(_scaled(part, name, chosen, place.start))
    return parts


def _chosen(columns: Any, inputs: Sequence[str]) -> list[str]:
    """The names of the columns of one step of a `ColumnTransformer`: names, positions, a slice or a mask."""
    if isinstance(columns, (str, int)):
        columns = [columns]
    if not isinstance(columns, slice) and len(columns) and all(isinstance(column, str) for column in columns):
        return list(columns)
    if isinstance(columns, slice) and any(isinstance(end, str) for end in (columns.start, columns.stop)):
        start, stop = (None if end is None else inputs.index(end) for end in (columns.start, columns.stop))
        return list(inputs[start : None if stop is None else stop + 1])  # as pandas, with the last
    return [str(name) for name in np.array(inputs, dtype=object)[columns]]


def _scaled(part: Any, name: str, columns: Sequence[str], start: int) -> NumberPart:
    kind = type(part).__name__
    if part == "passthrough" or (kind == "FunctionTransformer" and part.func is None):
        return _numbers(columns, start)
    if kind == "StandardScaler":
        p = len(columns)
        shift = part.mean_ if part.with_mean else np.zeros(p)
        return NumberPart(columns, start, shift, part.scale_ if part.with_std else np.ones(p))
    raise ValueError(
        f"the step {name!r}, a {kind}, cannot be exported; a compact model is made from FeatureCross, "
        "StandardScaler and columns that pass through."
    )


def _numbers(columns: Sequence[str], start: int) -> NumberPart:
    return NumberPart(columns, start, np.zeros(len(columns)), np.ones(len(columns)))


def _crossed(cross: FeatureCross, start: int, columns: Mapping[str, str], name: str = "") -> CrossPart:
    if not hasattr(cross, "n_features_out_"):
        raise ValueError("the FeatureCross is not fitted; call fit first.")
    if cross.hashed is not None:
        raise ValueError(
            f"the columns are hashed={cross.hashed}: each stands for several levels with two signs, so that survivors "
            "cannot be listed; fit without hashed, or serve the .npz file."
        )
    return CrossPart(cross, start, columns, name)

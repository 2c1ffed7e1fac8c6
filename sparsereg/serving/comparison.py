"""`ModelComparison`: two models on the same rows: which predicts better, and where their columns differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparsereg.data.real_numbers import refuse_unreal, shown
from sparsereg.data.validation import check_number, check_weights
from sparsereg.serving.compact import CompactModel
from sparsereg.serving.comparison_text import as_html, as_rows, as_text

__all__ = ["ModelComparison"]

Vector = NDArray[np.float64]

# Differences of less than two standard errors are not told apart from none.
_LIMIT = 2.0
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, repr=False)
class ModelComparison:
    """Two models on the same rows.

    Attributes
    ----------
    names : tuple of two str
    n_rows : int
    loss : {"squared", "logistic", "multinomial"}
        What scores compare: squared errors, or for two models of probabilities their log-loss.
    columns, bytes : tuple of two int
        Columns with weights, of several classes counted for each, and the size of each as a compact model.
    scores : tuple of two float
        The share of the loss of the constant prediction that a model explains: R2 for squared errors.
    difference, error : float
        Score of the second minus that of the first, and its standard error over the rows, paired.
    verdict : str
    correlation : float
        Of the two predictions; NaN if one is constant.
    quantiles : dict of float to float
        Of the second prediction minus the first.
    survivors : dict of str to int
        Columns with weights in ``"both"``, in one only (under its name), and ``"changed sign"`` among both.
    changes : list of dict
        The columns whose weights differ most: ``column``, ``first``, ``second``, ``change``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import FeatureCross, Lasso, ModelComparison
    >>> from sklearn.pipeline import make_pipeline
    >>> rng = np.random.default_rng(0)
    >>> X = rng.integers(0, 4, (500, 2))
    >>> y = X[:, 0] + 2.0 * (X[:, 0] == X[:, 1]) + rng.normal(size=500)
    >>> plain = make_pipeline(FeatureCross(), Lasso(0.01)).fit(X, y)
    >>> crossed = make_pipeline(FeatureCross(crosses=[(0, 1)]), Lasso(0.01)).fit(X, y)
    >>> ModelComparison.from_models({"plain": plain, "crossed": crossed}, X, y).verdict
    'crossed predicts better'
    """

    names: tuple[str, str]
    n_rows: int
    loss: str
    columns: tuple[int, int]
    bytes: tuple[int, int]
    scores: tuple[float, float]
    difference: float
    error: float
    verdict: str
    correlation: float
    quantiles: dict[float, float]
    survivors: dict[str, int]
    changes: list[dict[str, Any]]

    @classmethod
    def from_models(
        cls,
        models: Mapping[str, Any],
        table: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        top: int = 15,
    ) -> Self:
        """Compare two models on the rows of a table that neither was fitted on.

        Parameters
        ----------
        models : dict of two names to models
            Each a `CompactModel`, or what `CompactModel.from_model` takes.
        table : DataFrame of pandas, polars or Arrow, or array-like of shape (n, p)
        y : array-like of shape (n,)
            The target in its own units; for models of probabilities, labels, or of two classes 0 and 1.
        sample_weight : array-like of shape (n,), optional
        top : int, default=15
            How many changes of weights to keep. 15 fit a page.

        Raises
        ------
        ValueError
            If there are not two models, one cannot be a compact model, or `y` does not fit the table or the models.
        """
        if not isinstance(models, Mapping):
            raise ValueError(f"models={shown(models)}: expected a dict of two names to models.")  # noqa: TRY004
        compact = {name: _compact(name, model) for name, model in models.items()}
        predictions = {name: model.predict(table) for name, model in compact.items()}
        return cls.from_predictions(compact, predictions, y, sample_weight, top=top)

    @classmethod
    def from_predictions(
        cls,
        models: Mapping[str, CompactModel],
        predictions: Mapping[str, Vector],
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        top: int = 15,
    ) -> Self:
        """`from_models` with the predictions (n,), of several classes (n, K), of each model at hand."""
        if len(models) != 2:
            raise ValueError(f"models has {len(models)} entries; a comparison is of two, such as {{'A': a, 'B': b}}.")
        for name, model in models.items():
            if model.n_outputs > 1 and model.link != "softmax":
                raise ValueError(f"models[{name!r}] has {model.n_outputs} outputs; compare models of one target.")
        check_number("top", top, low=0, integer=True)
        first, second = models
        one, two = predictions[first], predictions[second]
        loss, target = _target(list(models.values()), y, len(one))
        s = _weights(sample_weight, len(one))
        mean_target = np.broadcast_to(np.average(target, axis=0, weights=s), target.shape)
        null = float(np.average(_loss(loss, target, mean_target), weights=s))
        if null == 0:
            raise ValueError("y is the same in all rows, so that no score can be computed; use rows that differ.")
        losses = [_loss(loss, target, part) / null for part in (one, two)]
        mean, error = _mean_and_error(losses[0] - losses[1], s)
        weights = [_named_weights(model) for model in models.values()]
        both = weights[0].keys() & weights[1].keys()
        survivors = {"both": len(both), first: len(weights[0]) - len(both), second: len(weights[1]) - len(both)}
        survivors["changed sign"] = sum(weights[0][name] * weights[1][name] < 0 for name in both)
        varies = np.ptp(one) > 0 and np.ptp(two) > 0
        return cls(
            names=(first, second),
            n_rows=len(one),
            loss=loss,
            columns=(len(weights[0]), len(weights[1])),
            bytes=(len(models[first].to_json()), len(models[second].to_json())),
            scores=(1 - float(np.average(losses[0], weights=s)), 1 - float(np.average(losses[1], weights=s))),
            difference=mean,
            error=error,
            verdict=_verdict(first, second, mean, error),
            correlation=float(np.corrcoef(one.ravel(), two.ravel())[0, 1]) if varies else float("nan"),
            quantiles=dict(zip(_QUANTILES, np.quantile(two - one, _QUANTILES).tolist(), strict=True)),
            survivors=survivors,
            changes=_changes(weights[0], weights[1], top),
        )

    def __repr__(self) -> str:
        scores = " and ".join(f"{name} {score:.4g}" for name, score in zip(self.names, self.scores, strict=True))
        return f"<ModelComparison: {self.verdict}; {scores} on {self.n_rows:,} rows>"

    def to_text(self) -> str:
        """The comparison as a table of text."""
        return as_text(self)

    def to_html(self) -> str:
        """The comparison as HTML tables, without style or script."""
        return as_html(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_frame(self) -> Any:
        """The rows of the comparison as a pandas DataFrame: ``what``, and a column for each model."""
        import pandas as pd

        return pd.DataFrame(as_rows(self), columns=["what", *self.names])


def _compact(name: str, model: Any) -> CompactModel:
    try:
        return model if isinstance(model, CompactModel) else CompactModel.from_model(model)
    except ValueError as error:
        raise ValueError(f"models[{name!r}] cannot be compared: {error}") from error


def _named_weights(model: CompactModel) -> dict[str, float]:
    """The weight of each column by name, of several classes with the class before it."""
    if model.n_outputs == 1:
        return dict(model.weights())
    labels = enumerate(model.data["classes"])
    return {f"{label}: {name}": weight for k, label in labels for name, weight in model.weights(k)}


def _target(models: list[CompactModel], y: ArrayLike, n_rows: int) -> tuple[str, Vector]:
    """The loss, and the target as numbers (n,); of several classes (n, K), 1 for the row's own."""
    refuse_unreal("y", y, text=False)
    values = np.asarray(y)
    if values.shape != (n_rows,):
        raise ValueError(f"y has shape {values.shape}, but the table has {n_rows} rows.")
    links = [model.link == "logit" for model in models]
    several = [model.link == "softmax" for model in models]
    if any(links) != all(links) or any(several) != all(several):
        raise ValueError("one model predicts probabilities as the other does not; compare models of one kind.")
    if all(links) or all(several):
        classes = [model.data.get("classes", [0, 1]) for model in models]
        if classes[0] != classes[1]:
            raise ValueError(f"the models have the classes {classes[0]} and {classes[1]}; compare models of the same.")
        if all(several):
            return "multinomial", _indicators(values, classes[0])
        known = set(values.tolist()) <= set(classes[0])
        values = (values == classes[0][1]).astype(np.float64) if known else values
    try:
        target = values.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"y holds {values.dtype} values, which are neither numbers nor the models' classes.") from None
    limits = (0.0, 1.0) if all(links) else (-np.inf, np.inf)
    if not (np.isfinite(target).all() and target.min() >= limits[0] and target.max() <= limits[1]):
        raise ValueError(
            "y holds missing or infinite values, or for probabilities others than 0 to 1; remove those rows."
        )
    return "logistic" if all(links) else "squared", target


def _indicators(labels: NDArray[Any], classes: list[Any]) -> Vector:
    unknown = [label for label in labels.tolist() if label not in classes]
    if unknown:
        raise ValueError(f"y holds {unknown[0]!r}, which is not one of the models' classes {classes}.")
    return np.array([[label == own for own in classes] for label in labels.tolist()], dtype=np.float64)


def _weights(sample_weight: ArrayLike | None, n_rows: int) -> Vector:
    s = check_weights(sample_weight, n_rows)
    return np.ones(n_rows) if s is None else s


def _loss(loss: str, y: Vector, prediction: Vector) -> Vector:
    if loss == "squared":
        return np.asarray((y - prediction) ** 2)
    p = np.clip(prediction, np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).epsneg)
    if loss == "multinomial":
        return np.asarray(-(y * np.log(p)).sum(axis=1))
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def _mean_and_error(d: Vector, s: Vector) -> tuple[float, float]:
    """The weighted mean of d and its standard error, rows being independent."""
    mean = float(np.average(d, weights=s))
    return mean, float(np.sqrt(np.sum((s * (d - mean)) ** 2)) / s.sum())


def _verdict(first: str, second: str, mean: float, error: float) -> str:
    if abs(mean) <= _LIMIT * error:
        return "no difference to be seen"
    return f"{second if mean > 0 else first} predicts better"


def _changes(first: Mapping[str, float], second: Mapping[str, float], top: int) -> list[dict[str, Any]]:
    names = [*first, *(name for name in second if name not in first)]
    pairs = [(name, first.get(name, 0.0), second.get(name, 0.0)) for name in names]
    pairs.sort(key=lambda pair: -abs(pair[2] - pair[1]))
    return [{"column": name, "first": a, "second": b, "change": b - a} for name, a, b in pairs[:top] if a != b]

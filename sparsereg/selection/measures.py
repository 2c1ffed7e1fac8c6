"""What is measured on held-out rows: a number that is small where predictions are good. Knows no folds."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.losses import Loss

__all__ = [
    "Deviance",
    "MeanDeviance",
    "Measure",
    "decision_scores",
    "knowing_classes",
    "make_decision_measure",
    "make_measure",
    "refuse_labels_wanted",
    "scorer_of",
    "takes_weights",
    "weights_for",
]

Vector = NDArray[np.float64]
# A measure of targets, linear predictors (the offset included) and weights of the held-out rows.
Measure = Callable[[Vector, Vector, Vector | None], float]


def make_measure(scoring: Any, loss: Loss, classes: NDArray[Any] | None = None) -> Measure:
    """The measure of a scorer, or of a loss.

    Parameters
    ----------
    scoring : None, str or callable
        None: the mean deviance, which for the squared loss is the mean squared error. A scorer of scikit-learn by name,
        or `scorer(estimator, X, y)`: its score is negated; the estimator predicts, and X are the predictions, of two
        classes with the linear predictors beside them.
    loss : Loss
    classes : array of shape (2,), optional
        The labels that targets of 0 and 1 stand for, which the scorer then sees.

    Raises
    ------
    ValueError
        For a scorer that scikit-learn does not know.
    """
    if scoring is None:
        return MeanDeviance(loss)
    if loss.name == "squared_hinge":
        return make_decision_measure(scoring, loss, np.array([-1.0, 1.0]))
    scorer, estimator = scorer_of(scoring), _predictions(loss, classes)
    if loss.link == "logit":
        scorer = knowing_classes(scorer, np.array([0.0, 1.0]) if classes is None else classes)

    def measure(y: Vector, z: Vector, s: Vector | None) -> float:
        labels = y if classes is None else classes[y.astype(np.int64)]
        # Probabilities near 1 round to it: they do not say which of two rows has the larger predictor.
        X = np.column_stack([loss.inverse_link(z), z] if loss.link == "logit" else [loss.inverse_link(z)])
        return -float(scorer(estimator, X, labels, **weights_for(scorer, s)))

    return measure


def make_decision_measure(scoring: Any, loss: Loss, classes: NDArray[Any]) -> Measure:
    """The measure of a scorer that sees labels, for targets of -1 and 1 that have no probabilities, or of the loss."""
    if scoring is None:
        return MeanDeviance(loss)
    scores = decision_scores(scoring, classes)
    return lambda y, z, s: -scores((y > 0.0).astype(np.int64), z, s)


def decision_scores(scoring: Any, classes: NDArray[Any]) -> Callable[[NDArray[np.int64], Vector, Vector | None], float]:
    """What gives the score of decisions (n,) of the second of two classes, or (n, K), from the numbers of the true
    classes, and weights."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Decided(ClassifierMixin, BaseEstimator):
        classes_ = classes

        def predict(self, X: Any) -> Any:
            return classes[X.argmax(axis=1) if X.shape[1] > 1 else (X[:, 0] > 0.0).astype(np.int64)]

        def decision_function(self, X: Any) -> Any:
            return X if X.shape[1] > 1 else X[:, 0]

    scorer, estimator = knowing_classes(scorer_of(scoring), classes), Decided()

    def scores(codes: NDArray[np.int64], z: Vector, s: Vector | None) -> float:
        X = z.reshape(codes.size, -1)
        return float(scorer(estimator, X, classes[codes], **weights_for(scorer, s)))

    return scores


def scorer_of(scoring: Any) -> Any:
    """A scorer of scikit-learn by name, or a function as it is."""
    from sklearn.metrics import get_scorer  # a slow import

    if not (isinstance(scoring, str) or callable(scoring)):
        raise ValueError(f"scoring={scoring!r}: expected the name of one scorer, a function, or None.")  # noqa: TRY004
    try:
        return get_scorer(scoring)
    except (ValueError, KeyError) as error:
        raise ValueError(f"scoring={scoring!r}: {error}") from error


def refuse_labels_wanted(scoring: Any) -> None:
    """A ValueError for a scorer beside targets that are no labels; None is taken."""
    if scoring is not None:
        raise ValueError(
            f"scoring={scoring!r} compares labels, and y holds probabilities; leave scoring out, for the mean deviance."
        )


def knowing_classes(scorer: Any, classes: NDArray[Any]) -> Any:
    """A scorer of scikit-learn told all classes, where it asks: held-out rows need not have them all."""
    asked = signature(scorer._score_func).parameters if hasattr(scorer, "_score_func") else {}
    if "labels" not in asked:
        return scorer
    known = {"labels": classes} | ({"pos_label": classes[-1]} if len(classes) == 2 and "pos_label" in asked else {})
    told = copy(scorer)
    told._kwargs = known | scorer._kwargs
    return told


def takes_weights(scorer: Any) -> bool:
    """Whether a scorer takes `sample_weight`: scikit-learn's own say so, other functions by their parameters."""
    if hasattr(scorer, "_accept_sample_weight"):
        return bool(scorer._accept_sample_weight())
    parameters = signature(scorer).parameters
    return "sample_weight" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def weights_for(scorer: Any, s: Vector | None) -> dict[str, Any]:
    """The weights as a scorer takes them: none where metadata are routed and it asked for none.

    Raises
    ------
    ValueError
        For a scorer that takes none and did not ask for none.
    """
    if s is None:
        return {}
    from sklearn import get_config
    from sklearn.utils.metadata_routing import get_routing_for_object

    if get_config()["enable_metadata_routing"]:
        asked = get_routing_for_object(scorer)
        if asked.score.requests.get("sample_weight") is False:
            return {}
    if not takes_weights(scorer):
        raise ValueError(
            f"scoring={scorer}: it takes no sample_weight, and rows are weighted; pass a scorer that does, or leave the"
            " weights out."
        )
    return {"sample_weight": s}


class Deviance:
    """A measure that is the mean of what each row has."""

    def __call__(self, y: Vector, z: Vector, s: Vector | None) -> float:
        raise NotImplementedError

    def rows(self, y: Vector, z: Vector) -> Vector:
        """Of each row, but for what no predictor could avoid."""
        raise NotImplementedError


@dataclass(frozen=True)
class MeanDeviance(Deviance):
    """Twice the mean loss, less what no predictor could avoid."""

    loss: Loss

    def __call__(self, y: Vector, z: Vector, s: Vector | None) -> float:
        return 2.0 * (float(np.average(self.loss.value(y, z), weights=s)) + self._unavoidable(y, s))

    def of(self, y: Vector, s: Vector | None) -> Measure:
        """The same for targets that stay, whose own part is worked out once."""
        own = self._unavoidable(y, s)
        return lambda y, z, s: 2.0 * (float(np.average(self.loss.value(y, z), weights=s)) + own)

    def rows(self, y: Vector, z: Vector) -> Vector:
        """Twice the loss of each row."""
        return 2.0 * self.loss.value(y, z)

    def _unavoidable(self, y: Vector, s: Vector | None) -> float:
        """Minus the least mean loss that any predictors could reach."""
        return float(np.average(self.loss.conjugate(y, np.zeros_like(y)), weights=s))


def _predictions(loss: Loss, labels: NDArray[Any] | None) -> Any:
    """An estimator whose X is its predictions, for scorers."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    if loss.link == "logit":

        class Predicted(ClassifierMixin, BaseEstimator):
            classes_ = np.array([0.0, 1.0]) if labels is None else labels

            def predict(self, X: Any) -> Any:
                return self.classes_[(X[:, 0] > 0.5).astype(np.int64)]

            def predict_proba(self, X: Any) -> Any:
                return np.column_stack([1.0 - X[:, 0], X[:, 0]])

            def decision_function(self, X: Any) -> Any:
                return X[:, 1]

        return Predicted()

    class PredictedMean(RegressorMixin, BaseEstimator):
        def predict(self, X: Any) -> Any:
            return X[:, 0]

    return PredictedMean()

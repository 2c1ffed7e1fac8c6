"""`RidgeClassifier` and `RidgeClassifierCV`, with scikit-learn's interface: ridge on targets of -1 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model._base import LinearClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted

from sparsereg.data.validation import check_weights
from sparsereg.linear_model.coefficients import FittedCoefficients, set_parameters
from sparsereg.linear_model.cross_validated import CrossValidated
from sparsereg.linear_model.input import check_labels, checked_data
from sparsereg.linear_model.ridge import Ridge

__all__ = ["RidgeClassifier", "RidgeClassifierCV"]


# What a fit of `Ridge` leaves, beside the number of columns and their names.
FITTED = ("_coef", "intercept_", "n_iter_", "solver_", "method_", "gradient_norm_", "dual_gap_")


class RidgeClassification(FittedCoefficients, LinearClassifierMixin, BaseEstimator):
    """Encodes labels as targets of -1 and 1, one for each class or a single one for two classes, and decodes them."""

    @property
    def path_loss(self) -> tuple[str, str]:
        """The loss and the link, as a `PathResult` has them."""
        return "squared", "identity"

    def decision_function(self, X: Any) -> NDArray[Any]:
        """The linear predictor of each class; the largest, or for two classes the sign, decides.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)

        Returns
        -------
        array of shape (n,) for two classes, otherwise (n, n_classes)
        """
        scores = self._linear_predictor(X)
        return np.asarray(scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores)

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)

        Returns
        -------
        array of shape (n,), or of 0 and 1 of shape (n, n_labels) where rows have several labels
        """
        check_is_fitted(self)
        if not self._label_binarizer.y_type_.startswith("multilabel"):
            return np.asarray(super().predict(X))
        return np.asarray(self._label_binarizer.inverse_transform(np.where(self.decision_function(X) > 0, 1.0, -1.0)))

    def _prepared(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, NDArray[Any], NDArray[Any], Any]:
        """X, the labels, the targets of shape (n, T), and the weights of rows and classes together."""
        check_labels(y)
        X, y = checked_data(self, X, y, multi_output=True)
        if isinstance(self.class_weight, str) and self.class_weight != "balanced":
            raise ValueError(f"class_weight={self.class_weight!r}: expected a dict, 'balanced' or None.")
        self._label_binarizer = LabelBinarizer(pos_label=1, neg_label=-1)
        Y = self._label_binarizer.fit_transform(y)
        self.classes_ = self._label_binarizer.classes_
        if not self._label_binarizer.y_type_.startswith("multilabel"):
            y = column_or_1d(y, warn=True)
        if self.class_weight:
            own = compute_sample_weight(self.class_weight, y)
            if sample_weight is not None and np.ndim(sample_weight):
                check_weights(sample_weight, len(y))
            sample_weight = own if sample_weight is None else own * np.asarray(sample_weight)
        return X, y, Y, sample_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags


class RidgeClassifier(RidgeClassification):
    """Classification by ridge regression on targets of -1 and 1: fast, and often as accurate as logistic regression.

    Two classes give one target. More give one each, solved with the same preconditioner or factorisation.

    Parameters
    ----------
    alpha, fit_intercept, copy_X, max_iter, tol, solver, positive, random_state, penalty_factor
        As in `Ridge`.
    class_weight : dict, "balanced" or None, default None
        Weights of the classes, which multiply those of the rows; "balanced" gives all classes the same sum of weights.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
    coef_ : array of shape (p,) for two classes, otherwise (n_classes, p)
    intercept_ : array of shape (1,) or (n_classes,), or 0.0 without one
    sparse_coef_, n_iter_, solver_, method_, gradient_norm_, dual_gap_, n_features_in_, feature_names_in_
        As in `Ridge`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import RidgeClassifier
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> RidgeClassifier().fit(X, ["a", "a", "b", "b"]).predict(X).tolist()
    ['a', 'a', 'b', 'b']
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-4,
        class_weight: Any = None,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        penalty_factor: Any = None,
    ) -> None:
        set_parameters(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> RidgeClassifier:
        """Fit.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        y : array of labels of shape (n,), or of 0 and 1 of shape (n, n_labels) where rows have several labels
        sample_weight : float or array of shape (n,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As `Ridge`; and for an unknown `class_weight`, or labels that are no classes.
        """
        X, y, Y, sample_weight = self._prepared(X, y, sample_weight)
        shared = {name: value for name, value in self.get_params(deep=False).items() if name != "class_weight"}
        ridge = Ridge(**shared).fit(X, Y, sample_weight)
        for name in FITTED:
            setattr(self, name, getattr(ridge, name))
        return self


class RidgeClassifierCV(CrossValidated, RidgeClassification):
    """`RidgeClassifier` that chooses its strength by cross-validation.

    Without `cv` and `scoring` the score is the mean square on the targets of -1 and 1, as in `RidgeCV`.

    Parameters
    ----------
    alphas, fit_intercept, scoring, cv, store_cv_results, tol, max_iter, random_state
        As in `RidgeCV`; with `cv`, None for `scoring` is accuracy.
    class_weight : dict, "balanced" or None, default None
        As in `RidgeClassifier`.

    Attributes
    ----------
    classes_, coef_, intercept_
        As in `RidgeClassifier`.
    alpha_, best_score_, cv_method_, cv_scores_, cv_score_error_, cv_results_
    trace_, trace_error_, n_probes_, cv_separated_, gradient_norm_, n_iter_
        As in `RidgeCV`, with one strength for all classes.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsereg import RidgeClassifierCV
    >>> X = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> model = RidgeClassifierCV(alphas=[0.1, 1.0]).fit(X, [1, 1, 0, 0])
    >>> model.alpha_, model.predict(X).tolist()
    (0.1, [1, 1, 0, 0])
    """

    _default_scoring = "accuracy"

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        class_weight: Any = None,
        store_cv_results: bool = False,
        tol: float = 1e-4,
        max_iter: int | None = None,
        random_state: Any = 0,
    ) -> None:
        set_parameters(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> RidgeClassifierCV:
        """Choose a strength and fit.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        y : array of labels of shape (n,), or of 0 and 1 of shape (n, n_labels) where rows have several labels
        sample_weight : float or array of shape (n,), optional
        **params
            For the scorer and the splitter, where scikit-learn's metadata routing is enabled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As `RidgeCV` and `RidgeClassifier`.
        """
        X, y, Y, sample_weight = self._prepared(X, y, sample_weight)
        self._choose(X, y, Y, sample_weight, params)
        return self

    def _estimator_of_predictions(self) -> Any:
        return OwnDecisions(self.classes_, self._label_binarizer.y_type_.startswith("multilabel"))


class OwnDecisions(LinearClassifierMixin, BaseEstimator):
    """A classifier whose X is its decision function."""

    def __init__(self, classes: Any, multilabel: bool) -> None:
        self.classes_, self.multilabel = classes, multilabel

    def decision_function(self, X: Any) -> Any:
        """X."""
        return X

    def predict(self, X: Any) -> Any:
        """The class of each row of X."""
        return (X > 0).astype(int) if self.multilabel else super().predict(X)

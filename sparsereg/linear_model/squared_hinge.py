"""`SquaredHingeClassifier`: the L2 support vector machine, with an unpenalised intercept."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.design import Design
from sparsereg.data.validation import check_number, check_scaled_weights, strengths_of_sum, summed_weights
from sparsereg.linear_model.class_targets import ClassTargets
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.loss_classifier import LossClassifier
from sparsereg.linear_model.loss_fit import FitTask
from sparsereg.losses import LOSSES

__all__ = ["SquaredHingeClassifier", "targets_of_classes"]

Vector = NDArray[np.float64]


class SquaredHingeClassifier(LossClassifier):
    """Classification by the squared hinge loss; like scikit-learn's `LinearSVC`, but the intercept is not penalised.

    Minimises, for y of -1 and 1, weights s and `z_i = o_i + b0 + x_i . w`::

        sum_i s_i max(0, 1 - y_i z_i)^2 + (1 / C) * (l1_ratio * sum_j v_j |w_j| + (1 - l1_ratio) / 2 * sum_j v_j w_j^2)

    More than two classes are fitted one against the rest. `LinearSVC` also penalises the intercept, as the coefficient
    of a column of `intercept_scaling`; without an intercept the two agree.

    Parameters
    ----------
    C : float > 0, default 1.0
        Inverse of the strength, beside the *sum* of the losses.
    l1_ratio : float in [0, 1], default 0.0
        0 is ridge, 1 the lasso.
    fit_intercept, class_weight, tol, max_iter, warm_start, penalty_factor, standardize, positive, n_jobs
        As in `LogisticRegression`.

    Attributes
    ----------
    classes_, coef_, sparse_coef_, intercept_, n_features_in_, feature_names_in_
        As in `LogisticRegression`.
    dual_gap_, gradient_norm_ : float
        As there; of several classes, the largest.
    n_iter_ : int
        Of several classes, the most.

    Examples
    --------
    >>> from sparsereg import SquaredHingeClassifier
    >>> model = SquaredHingeClassifier().fit([[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"])
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        class_weight: Any = None,
        tol: float = 1e-4,
        max_iter: int = 1000,
        warm_start: bool = False,
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    @property
    def path_loss(self) -> tuple[str, str]:
        """The loss and the link, as a `PathResult` has them."""
        return "squared_hinge", "identity"

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None) -> Any:
        """Fit.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
            Never written to; a CSR, a CSC or an array in Fortran order is not copied. Indices may be int64.
        y : array of labels of shape (n,)
        sample_weight : float or array of shape (n,), optional
            Non-negative. Their scale matters, as C stands beside a sum.
        offset : array of shape (n,), or (n, K) for more than two classes, optional
            Known part of the predictor.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters, labels or weights out of range, and input that is not finite or of the wrong shape.

        Warns
        -----
        ConvergenceWarning
            When the result is not as accurate as `tol` asks after `max_iter` iterations.
        """
        self._check_common(self.l1_ratio)
        check_number("C", self.C, low=0, open_low=True, high=np.inf)
        X, y = self._checked(X, y)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(f"y has shape {y.shape}; expected labels of shape (n,).")
        design, targets = self._design(X), ClassTargets.of(y)
        targets, s = targets.weighted(self.class_weight, check_scaled_weights(sample_weight, design.n_rows))
        s, total = summed_weights(s, design.n_rows)
        known = self._class_offset(offset, design.n_rows, targets.classes.size)
        self._fit_classes(design, targets, s, known, (0.5 * strengths_of_sum(self.C, total), float(self.l1_ratio)))
        return self

    def _fit_classes(
        self, design: Design, targets: ClassTargets, s: Vector | None, known: Any, strength: tuple[float, float]
    ) -> None:
        """Fit each class at an alpha and an l1_ratio, and set the fitted attributes."""
        tasks = targets_of_classes(targets, known)
        coef, intercept = self._start(design.n_features, len(tasks))
        fits = []
        for k, (sign, offset) in enumerate(tasks):
            task = FitTask(
                design,
                sign,
                LOSSES["squared_hinge"],  # which is half of the square
                s,
                offset,
                *strength,
                self._factor(design.n_features),
                bool(self.fit_intercept),
                bool(self.standardize),
                bool(self.positive),
            )
            fits.append(self._solved(task, (None, None) if coef is None else (coef[[k]], intercept[[k]])))
        self._sparse = False
        self._coef = sp.csr_array(sp.vstack([fitted.coef for fitted in fits]))
        self.classes_ = targets.classes
        self.intercept_ = np.concatenate([fitted.intercept for fitted in fits]).astype(design.dtype)
        self.dual_gap_ = 2.0 * max(fitted.dual_gap for fitted in fits)
        self.n_iter_ = max(fitted.n_iter for fitted in fits)
        if hasattr(self, "gradient_norm_"):
            del self.gradient_norm_
        norms = [fitted.gradient_norm for fitted in fits if fitted.gradient_norm is not None]
        if norms:
            self.gradient_norm_ = max(norms)


def targets_of_classes(targets: ClassTargets, known: Any) -> list[tuple[Vector, Any]]:
    """Targets of -1 and 1, and the offset, of each class that has coefficients: of two the second."""
    codes, K = targets.codes, targets.classes.size
    return [
        (np.where(codes == k, 1.0, -1.0), known[:, k] if known is not None and known.ndim == 2 else known)
        for k in (range(K) if K > 2 else (1,))
    ]

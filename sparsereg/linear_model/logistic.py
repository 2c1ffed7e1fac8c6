"""`LogisticRegression`, with scikit-learn's interface."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sparsereg.data.validation import (
    FINITE,
    check_choice,
    check_flag,
    check_number,
    check_scaled_weights,
    check_vector,
    refuse_subnormal,
    strengths_of_sum,
    summed_weights,
)
from sparsereg.linear_model.class_targets import ClassTargets
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.loss_classifier import LossClassifier
from sparsereg.linear_model.loss_fit import FitTask, Fitted
from sparsereg.linear_model.stopped_fit import EarlyStopping, check_descent, fit_stopped
from sparsereg.losses import LOSSES
from sparsereg.objective.multinomial import refuse_absent_class
from sparsereg.ridge.early_stopping import N_ITER_NO_CHANGE, VALIDATION_FRACTION

__all__ = ["LogisticRegression"]

SOLVERS = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")
PENALTIES = {"l1": 1.0, "l2": 0.0, "elasticnet": None}


class LogisticRegression(LossClassifier):
    """Logistic regression, binary and multinomial, for wide sparse X; a drop-in for scikit-learn's.

    Minimises, with weights s, `z_i = o_i + b0 + x_i . w` and y in [0, 1] for two classes::

        sum_i s_i (log(1 + exp(z_i)) - y_i z_i)
            + (1 / C) * (l1_ratio * sum_j v_j |w_j| + (1 - l1_ratio) / 2 * sum_j v_j w_j^2)

    and for more classes the cross-entropy of the softmax of one predictor a class. Divided by the sum S of the weights,
    this is the objective of `regularization_path` with `alpha = 1 / (C S)`.

    Parameters
    ----------
    penalty : {"l1", "l2", "elasticnet", None}, default "deprecated"
        As scikit-learn 1.8 deprecates it: other values than the default warn, and set l1_ratio, or C for None.
    C : float > 0, default 1.0
        Inverse of the strength, beside the *sum* of the losses; infinity for no penalty.
    l1_ratio : float in [0, 1], default 0.0
        0 is ridge, 1 the lasso.
    dual : bool, default False
        Taken for compatibility, without effect.
    tol : float, default 1e-4
        The largest duality gap, as a share of the null model's loss; where there is no gap, of the relative gradient.
        Iterations go on beyond it while that is cheap.
    fit_intercept : bool, default True
        Unpenalised, with every solver name.
    intercept_scaling : float, default 1
        Taken for compatibility, without effect: the intercept is not penalised.
    class_weight : dict, "balanced" or None, default None
        Weights of the classes, which multiply those of the rows.
    random_state : int, RandomState or None, default None
        Draws the rows that early stopping holds out; nothing else is random.
    solver : str, default "lbfgs"
        scikit-learn's names are taken, without effect: Newton steps where there is no l1 penalty, coordinate descent on
        a working set where there is one. All names take every penalty.
    max_iter : int, default 100
        Most iterations: Newton steps, or with an l1 penalty tens of epochs over the working set.
    verbose : int, default 0
        Taken for compatibility, without effect.
    warm_start : bool, default False
        Begin at the current `coef_` and `intercept_`.
    n_jobs : int, optional
        Threads for checking X and for passes over all of it; the result does not depend on it.
    penalty_factor : array of shape (p,), optional
        Non-negative factors v on the penalty of each column, 0 for none. Default: 1.
    standardize : bool, default False
        Penalise `w_j` times the column's (weighted) standard deviation; coefficients are on the scale of X.
    positive : bool, default False
        Only non-negative coefficients; for two classes.
    label_smoothing : float in [0, 1], default 0.0
        eps: targets become `(1 - eps) y + eps u`, which keeps the problem convex and certified. For the convention
        with `1 - eps` on the right class see `sparsereg.losses.smoothing.mixture_share`.
    smoothing_distribution : "uniform", "prior" or array of shape (K,), default "uniform"
        u: equal shares, the weighted frequencies of the classes, or given probabilities in the order of `classes_`.
    confidence_penalty : float >= 0, default 0.0
        beta: minus beta times the entropy of each predicted distribution is added to its loss. **Not convex in
        general**: the fit is a stationary point, reached by steps with a line search from the model without columns
        (or a warm start), and reported by `gradient_norm_` in place of a duality gap.
    dropout_rate : float in [0, 1), or array of shape (p,), default 0.0
        Dropout of the entries of X by name: the average loss over inverted dropout at these rates, to second order, as
        `sum_i s_i p_i (1 - p_i) sum_j d_j / (1 - d_j) x_ij^2 w_j^2 / 2` beside the other penalties. Rates of columns
        are dropout of embeddings: a field of high rate is trusted less. For two classes. **Not convex in general**, as
        the weights `p_i (1 - p_i)` adapt to the fit: see `confidence_penalty`. With C infinite it is the only penalty.
    gaussian_noise : float >= 0, or array of shape (p,), default 0.0
        Independent noise of this standard deviation on every entry of a column, zeros too, averaged likewise.
    early_stopping : bool, default False
        Gradient descent from 0 on a part of the rows, stopped when the loss of the held-out rows stops falling. This
        acts as a ridge penalty chosen by the data, in addition to C, which infinity leaves to it alone. With
        `l1_ratio=0`; `max_iter` then counts hundreds of steps.
    validation_fraction : float in (0, 1), default 0.1
        The share of the rows of positive weight that early stopping holds out.
    n_iter_no_change : int, default 5
        Early stopping ends after so many evaluations in a row without a lower held-out loss. It is evaluated after each
        of the first steps, later whenever the number of steps has grown by a twentieth.

    Attributes
    ----------
    classes_ : array of shape (K,)
    coef_ : array of shape (1, p) for two classes, otherwise (K, p), in the type of X
        Computed from `sparse_coef_` on access. Up to a million numbers it is kept, and may be edited in place.
    sparse_coef_ : csr_array of the same shape
    intercept_ : array of shape (1,) or (K,)
    dual_gap_ : float
        Upper bound on the distance of the mean objective (divided by S) from its minimum, by a full pass in double at
        the coefficients as they are handed out. Infinite where a column is not penalised (but under an l1 penalty on
        others), or the loss is not convex, and after early stopping.
    equivalent_C_ : float
        After early stopping: the C of a fit that penalises about as much, `1 / (1/C + 1/(eta t))` for t steps of length
        eta on the sum of the losses.
    gradient_norm_ : float
        The gradient (with an l1 penalty, the distance from stationarity) over that of the model without columns, both
        in units of the root of the curvature. It decides where `dual_gap_` is infinite; with an l1 penalty on every
        column and a convex loss there is none.
    n_iter_ : int array of shape (1,)
    n_features_in_ : int
    feature_names_in_ : array of str of shape (p,), where X has string column names

    Examples
    --------
    >>> from sparsereg import LogisticRegression
    >>> X = [[0.0], [1.0], [2.0], [3.0]]
    >>> model = LogisticRegression().fit(X, ["no", "no", "yes", "yes"])
    >>> model.predict([[0.5], [2.5]]).tolist(), model.predict_proba([[1.5]]).round(3).tolist()
    (['no', 'yes'], [[0.5, 0.5]])
    >>> soft = LogisticRegression().fit(X, [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]], classes=["no", "yes"])
    >>> soft.predict([[0.5]]).tolist()
    ['no']
    """

    def __init__(
        self,
        penalty: Any = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        label_smoothing: float = 0.0,
        smoothing_distribution: Any = "uniform",
        confidence_penalty: float = 0.0,
        dropout_rate: Any = 0.0,
        gaussian_noise: Any = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = VALIDATION_FRACTION,
        n_iter_no_change: int = N_ITER_NO_CHANGE,
    ) -> None:
        set_parameters(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None, classes: Any = None) -> Any:
        """Fit.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
            Never written to; a CSR, a CSC or an array in Fortran order is not copied. Indices may be int64.
        y : array of shape (n,), or (n, K)
            Labels; or *soft targets*, one row of probabilities of the K classes a row of X, which sum to 1.
        sample_weight : float or array of shape (n,), optional
            Non-negative. Their scale matters, as C stands beside a sum.
        offset : array of shape (n,), or (n, K) for more than two classes, optional
            Known part of the predictor.
        classes : array of shape (K,), optional
            The labels of the columns of soft targets; 0, 1, ... without.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters, targets or weights out of range, labels of one class only, input that is not finite or of
            the wrong shape; and, with an l1 penalty and an intercept, for several classes of which one has no weight.

        Warns
        -----
        ConvergenceWarning
            When the result is not as accurate as `tol` asks after `max_iter` iterations.
        """
        C, l1_ratio = self._strength()
        X, y = self._checked(X, y)
        design, targets = self._design(X), ClassTargets.of(y, classes)
        K = targets.classes.size
        self._check_positive(K)
        targets, s = targets.weighted(self.class_weight, check_scaled_weights(sample_weight, design.n_rows))
        targets = targets.smoothed(float(self.label_smoothing), self.smoothing_distribution, s)
        s, total = summed_weights(s, design.n_rows)
        fitted = self._fit_task(
            FitTask(
                design,
                self._target(targets, s, convex_l1=l1_ratio > 0.0 and np.isfinite(C) and not self.confidence_penalty),
                LOSSES["logistic"],
                s,
                self._class_offset(offset, design.n_rows, K),
                strengths_of_sum(C, total),
                l1_ratio,
                self._factor(design.n_features),
                bool(self.fit_intercept),
                bool(self.standardize),
                bool(self.positive),
                float(self.confidence_penalty),
                self._noise(design.n_features, K),
            ),
            1 if K == 2 else K,
        )
        self._sparse = False
        self.classes_ = targets.classes
        self.intercept_ = fitted.intercept.astype(design.dtype)
        self.n_iter_ = np.array([fitted.n_iter], dtype=np.int32)
        return self

    def predict_proba(self, X: Any, *, offset: Any = None) -> NDArray[Any]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        offset : array of shape (n,), or (n, K) for more than two classes, optional

        Returns
        -------
        array of shape (n, K), columns in the order of `classes_`
        """
        z = self.decision_function(X, offset=offset)
        return np.stack([expit(-z), expit(z)], axis=1) if z.ndim == 1 else softmax(z, axis=1)

    def predict_log_proba(self, X: Any, *, offset: Any = None) -> NDArray[Any]:
        """Logarithms of the probabilities of the classes, exact also where these are below the smallest number.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        offset : array of shape (n,), or (n, K) for more than two classes, optional

        Returns
        -------
        array of shape (n, K), columns in the order of `classes_`
        """
        z = self.decision_function(X, offset=offset)
        return np.stack([log_expit(-z), log_expit(z)], axis=1) if z.ndim == 1 else log_softmax(z, axis=1)

    @property
    def path_loss(self) -> tuple[str, str]:
        """The loss and the link, as a `PathResult` has them."""
        return ("logistic", "logit") if self.classes_.size == 2 else ("multinomial", "softmax")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        noisy = any(np.any(np.asarray(value) != 0) for value in (self.dropout_rate, self.gaussian_noise))
        tags.classifier_tags.multi_class = not noisy and not self.positive
        return tags

    # ---- parameters ------------------------------------------------------------------------------------------------

    def _strength(self) -> tuple[float, float]:
        """C and l1_ratio after all checks of parameters, with what the deprecated `penalty` says of them."""
        C, l1_ratio = self.C, self._deprecated_l1_ratio()
        check_number("C", C, low=0, open_low=True, high=np.inf)
        refuse_subnormal("C", C)
        if self.penalty is None:
            if C != 1.0:
                warnings.warn("Setting penalty=None will ignore the C and l1_ratio parameters", stacklevel=3)
            C = np.inf
        check_number("label_smoothing", self.label_smoothing, low=0, high=1)
        check_number("confidence_penalty", self.confidence_penalty, low=0, high=FINITE)
        check_number("intercept_scaling", self.intercept_scaling, low=0, open_low=True)
        check_choice("solver", self.solver, SOLVERS)
        check_flag("dual", self.dual)
        self._check_common(l1_ratio)
        check_descent(self, l1_ratio)
        return float(C), float(l1_ratio)

    def _solved(self, task: FitTask, start: tuple[Any, Any]) -> Fitted:
        self.__dict__.pop("equivalent_C_", None)  # of an earlier fit
        if not self.early_stopping:
            return super()._solved(task, start)
        rng = check_random_state(self.random_state)
        stopping = EarlyStopping(float(self.validation_fraction), int(self.n_iter_no_change), rng)
        found = fit_stopped(task, (float(self.tol), int(self.max_iter)), stopping)
        self.equivalent_C_ = 1.0 / found.penalty if found.penalty > 0.0 else np.inf
        if found.still_falling:
            warnings.warn(
                f"The held-out loss was still falling after max_iter={self.max_iter} hundreds of steps; increase"
                " max_iter, or decrease C.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return found.fitted

    def _target(self, targets: ClassTargets, s: NDArray[np.float64] | None, *, convex_l1: bool) -> NDArray[np.float64]:
        """What the loss takes. Steps of fits with an l1 penalty begin at intercepts that an absent class has not."""
        target = targets.target()
        if target.ndim == 2 and self.fit_intercept and convex_l1:
            refuse_absent_class(target, s, targets.classes)
        return target

    def _check_positive(self, K: int) -> None:
        if self.positive and K > 2:
            raise ValueError(
                f"Only binary classification is supported with positive=True. y holds {K} classes, of which only"
                " differences of coefficients count."
            )

    def _deprecated_l1_ratio(self) -> Any:
        l1_ratio: Any = self.l1_ratio
        if isinstance(self.penalty, str) and self.penalty == "deprecated":
            if l1_ratio is None:
                warnings.warn(
                    "'l1_ratio=None' was deprecated in version 1.8 and will trigger an error in 1.10. Use"
                    " 0<=l1_ratio<=1 instead.",
                    FutureWarning,
                    stacklevel=4,
                )
            return 0.0 if l1_ratio is None else l1_ratio
        if self.penalty is not None and self.penalty not in PENALTIES:
            raise ValueError(f"penalty={self.penalty!r}: expected 'l1', 'l2', 'elasticnet' or None.")
        warnings.warn(
            "'penalty' was deprecated in version 1.8 and will be removed in 1.10. Leave it at its default and use"
            " l1_ratio=0 in place of penalty='l2', l1_ratio=1 in place of penalty='l1', and C=np.inf in place of"
            " penalty=None.",
            FutureWarning,
            stacklevel=4,
        )
        if self.penalty == "elasticnet":
            if l1_ratio is None:
                raise ValueError("l1_ratio must be specified when penalty is elasticnet.")
            return l1_ratio
        if l1_ratio is not None and 0 < l1_ratio < 1:
            warnings.warn(
                f"l1_ratio parameter is only used when penalty is 'elasticnet'. Got (penalty={self.penalty})",
                stacklevel=4,
            )
        own = PENALTIES.get(self.penalty or "l2") or 0.0
        if self.penalty is not None and l1_ratio != own:
            warnings.warn(
                f"Inconsistent values: penalty={self.penalty} with l1_ratio={l1_ratio}. penalty is deprecated. Please"
                " use l1_ratio only.",
                stacklevel=4,
            )
        return own

    def _noise(self, n_features: int, K: int) -> tuple[Any, Any] | None:
        """Rates of dropout and deviations of noise of all columns; None where there are none."""
        found, noisy = [], False
        for name, high in (("dropout_rate", 1.0), ("gaussian_noise", np.inf)):
            value = getattr(self, name)
            one = isinstance(value, (Real, str))  # of nominal width there is a view of one number only
            values = np.array([check_number(name, value, low=0)]) if one else value
            values = check_vector(name, values, 1 if one else n_features, "columns of X")
            if not 0.0 <= values.min() <= values.max() < high:
                below = " and below 1" if high == 1.0 else ""
                raise ValueError(f"{name}={value!r}: expected numbers of at least 0{below}.")
            found.append(np.broadcast_to(values, n_features))
            noisy = noisy or bool(values.any())
        if not noisy:
            return None
        if K > 2:
            raise ValueError(
                f"Only binary classification is supported with dropout_rate or gaussian_noise. y holds {K} classes."
            )
        if self.confidence_penalty:
            raise ValueError("dropout_rate and gaussian_noise take no confidence_penalty; set it to 0.")
        return found[0], found[1]

"""Regressions of other losses than squares, with the interface of scikit-learn's generalised linear models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import check_array

from sparsereg.data.real_numbers import refuse_unreal
from sparsereg.data.validation import FINITE, check_choice, check_number, check_strength, check_weights
from sparsereg.linear_model.coefficients import set_parameters
from sparsereg.linear_model.input import FITTED, checked_data
from sparsereg.linear_model.loss_fit import FitTask
from sparsereg.linear_model.loss_model import LossModel
from sparsereg.losses import LOSSES, Loss, as_loss
from sparsereg.losses.tweedie_general import GeneralTweedie

__all__ = [
    "GammaRegressor",
    "HuberLossRegressor",
    "LossRegressor",
    "PoissonRegressor",
    "TweedieRegressor",
    "check_range",
]

Vector = NDArray[np.float64]


class LossRegressor(RegressorMixin, LossModel):
    """Regression by the mean of a loss and an elastic-net penalty; `_loss` says which."""

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def _loss(self) -> Loss:
        raise NotImplementedError

    @property
    def path_loss(self) -> tuple[str, str]:
        """The loss and the link, as a `PathResult` has them."""
        loss = self._loss()
        if isinstance(loss, GeneralTweedie):
            what = f"a model file holds convex losses, not {loss}; keep the model with joblib or skops."
            raise ValueError(what)  # noqa: TRY004 - the value of power or link is wrong for it
        return str(loss), loss.link

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None) -> Any:
        """Fit.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
            Never written to; a CSR, a CSC or an array in Fortran order is not copied. Indices may be int64.
        y : array of shape (n,)
        sample_weight : float or array of shape (n,), optional
            Non-negative; their scale does not matter.
        offset : array of shape (n,), optional
            Known part of the predictor: with a log link, the logarithm of the exposure.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters, targets or weights out of range, and input that is not finite or of the wrong shape.

        Warns
        -----
        ConvergenceWarning
            When the result is not as accurate as `tol` asks after `max_iter` iterations.
        """
        self._check_common(self.l1_ratio)
        check_strength("alpha", self.alpha)
        check_choice("solver", self.solver, ("lbfgs", "newton-cholesky"))
        if y is not None:
            refuse_unreal("y", y, text=True)
        X, y = checked_data(self, X, y, y_numeric=True, **FITTED)
        design, loss = self._design(X), self._loss()
        target = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_range(loss, target)
        fitted = self._fit_task(
            FitTask(
                design,
                target,
                loss,
                check_weights(sample_weight, design.n_rows),
                self._offset(offset, design.n_rows),
                float(self.alpha),
                float(self.l1_ratio),
                self._factor(design.n_features),
                bool(self.fit_intercept),
                bool(self.standardize),
                bool(self.positive),
            ),
            1,
        )
        self.intercept_ = float(fitted.intercept[0])
        self.n_iter_ = fitted.n_iter
        return self

    def predict(self, X: Any, *, offset: Any = None) -> NDArray[Any]:
        """Predicted means: the inverse link of `offset + X coef_ + intercept_`.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        offset : array of shape (n,), optional

        Returns
        -------
        array of shape (n,), in the type of X and the coefficients
        """
        z = self._predictor(X, offset)
        return self._loss().inverse_link(z)

    def score(self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None) -> float:
        """D2, the share of the deviance explained: `1 - deviance / deviance of the best constant` on these rows.

        Parameters
        ----------
        X : sparse matrix or array, dense array, or data frame of numbers, of shape (n, p)
        y : array of shape (n,)
        sample_weight : float or array of shape (n,), optional
        offset : array of shape (n,), optional
            In the constant model too.

        Returns
        -------
        float
            At most 1; below 0 where a constant is better.
        """
        z = np.asarray(self._predictor(X, offset), dtype=np.float64)
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        loss, s = self._loss(), check_weights(sample_weight, len(z))
        check_range(loss, y)
        shift = np.zeros_like(z) if offset is None else np.asarray(offset, dtype=np.float64)
        least = -loss.conjugate(y, np.zeros_like(y))
        least_sum = float(least.sum() if s is None else s @ least)
        null = loss.total(y, shift + loss.null_predictor(y, s, shift), s) - least_sum
        return float(1.0 - (loss.total(y, z, s) - least_sum) / null)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            self._loss().check_target(np.array([-1.0]))
        except ValueError:
            tags.target_tags.positive_only = True
        return tags


def check_range(loss: Loss, y: Vector) -> None:
    try:
        loss.check_target(y)
    except ValueError as error:
        raise ValueError(f"Some value(s) of y are out of the valid range of the loss {loss.name!r}: {error}") from None


class PoissonRegressor(LossRegressor):
    """Poisson regression with a log link, for counts and rates on wide sparse X; a drop-in for scikit-learn's.

    Minimises, with S the sum of the weights s and `z_i = o_i + b0 + x_i . w`::

        (1 / S) sum_i s_i (exp(z_i) - y_i z_i)
            + alpha * (l1_ratio * sum_j v_j |w_j| + (1 - l1_ratio) / 2 * sum_j v_j w_j^2)

    Counts with an exposure e: either counts as y and `offset=log(e)`, or rates `counts / e` as y and
    `sample_weight=e`; coefficients are the same at an alpha that is scaled by the mean of e.

    Parameters
    ----------
    alpha : float, default 1.0
        Strength of the penalty; 0 for none.
    fit_intercept : bool, default True
        Unpenalised.
    solver : {"lbfgs", "newton-cholesky"}, default "lbfgs"
        Taken for compatibility, without effect: Newton steps where there is no l1 penalty, coordinate descent on a
        working set where there is one.
    max_iter : int, default 100
        Most iterations: Newton steps, or with an l1 penalty tens of epochs over the working set.
    tol : float, default 1e-4
        The largest duality gap, as a share of the null model's deviance; where there is no penalty, of the relative
        gradient. Iterations go on beyond it while that is cheap.
    warm_start : bool, default False
        Begin at the current `coef_` and `intercept_`.
    verbose : int, default 0
        Taken for compatibility, without effect.
    l1_ratio : float in [0, 1], default 0.0
        0 is ridge, 1 the lasso.
    penalty_factor : array of shape (p,), optional
        Non-negative factors v on the penalty of each column, 0 for none. Default: 1.
    standardize : bool, default False
        Penalise `w_j` times the column's (weighted) standard deviation; coefficients are on the scale of X.
    positive : bool, default False
        Only non-negative coefficients.
    n_jobs : int, optional
        Threads for checking X and for passes over all of it; the result does not depend on it.

    Attributes
    ----------
    coef_ : array of shape (p,), in the type of X
        Computed from `sparse_coef_` on access.
    sparse_coef_ : csr_array of shape (1, p)
    intercept_ : float
    dual_gap_ : float
        Upper bound on the distance of the objective from its minimum, by a full pass in double at the coefficients as
        they are handed out. Infinite where a column is not penalised, but under an l1 penalty on others.
    gradient_norm_ : float
        The gradient (with an l1 penalty, the distance from stationarity) over that at 0, both in units of the root of
        the curvature. It decides where `dual_gap_` is infinite; with an l1 penalty on every column there is none.
    n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : array of str of shape (p,), where X has string column names

    Examples
    --------
    >>> from sparsereg import PoissonRegressor
    >>> model = PoissonRegressor(alpha=0.1).fit([[0.0], [1.0], [2.0]], [1, 2, 6])
    >>> model.predict([[1.0]]).round(2)
    array([2.34])
    """

    def _loss(self) -> Loss:
        return LOSSES["poisson"]


class GammaRegressor(LossRegressor):
    """Gamma regression with a log link, for positive amounts; a drop-in for scikit-learn's.

    Minimises, with `z_i = o_i + b0 + x_i . w`::

        (1 / S) sum_i s_i (y_i exp(-z_i) + z_i)
            + alpha * (l1_ratio * sum_j v_j |w_j| + (1 - l1_ratio) / 2 * sum_j v_j w_j^2)

    Parameters
    ----------
    alpha, fit_intercept, solver, max_iter, tol, warm_start, verbose, l1_ratio, penalty_factor, standardize, positive
        See `PoissonRegressor`.
    n_jobs
        See `PoissonRegressor`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, gradient_norm_, n_iter_, n_features_in_, feature_names_in_
        See `PoissonRegressor`.

    Examples
    --------
    >>> from sparsereg import GammaRegressor
    >>> model = GammaRegressor(alpha=0.1).fit([[0.0], [1.0], [2.0]], [1, 2, 6])
    >>> model.predict([[1.0]]).round(2)
    array([2.31])
    """

    def _loss(self) -> Loss:
        return LOSSES["gamma"]


class TweedieRegressor(LossRegressor):
    """Regression by the Tweedie deviance of a given power; a drop-in for scikit-learn's.

    The mean loss is half of the mean unit deviance; the penalty is that of `PoissonRegressor`.

    Parameters
    ----------
    power : float, default 0.0
        0 is least squares with the identity link, 1 Poisson, between 1 and 2 amounts of which many are 0, 2 gamma; the
        latter three with the log link. **Other powers and links are not convex** (or have a predictor of bounded
        range): the fit is a stationary point, reported by `gradient_norm_`, and `dual_gap_` is infinite.
    alpha : float, default 1.0
    fit_intercept : bool, default True
    link : {"auto", "identity", "log"}, default "auto"
        "auto" is the identity for a power of at most 0, else the log.
    solver, max_iter, tol, warm_start, verbose, l1_ratio, penalty_factor, standardize, positive, n_jobs
        As in `PoissonRegressor`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, gradient_norm_, n_iter_, n_features_in_, feature_names_in_
        As in `PoissonRegressor`.

    Examples
    --------
    >>> from sparsereg import TweedieRegressor
    >>> model = TweedieRegressor(power=1.5, alpha=0.1).fit([[0.0], [1.0], [2.0]], [0, 2, 6])
    >>> model.predict([[1.0]]).round(2)
    array([1.32])
    """

    def __init__(
        self,
        *,
        power: float = 0.0,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        link: str = "auto",
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def _loss(self) -> Loss:
        power = check_number("power", self.power, low=-FINITE, high=FINITE)
        check_choice("link", self.link, ("auto", "identity", "log"))
        if 0 < power < 1:
            raise ValueError(f"power={power!r}: expected at most 0, or at least 1; there is no distribution between.")
        link = ("identity" if power <= 0 else "log") if self.link == "auto" else self.link
        if link != ("identity" if power == 0 else "log") or power < 0 or power > 2:
            return GeneralTweedie(float(power), link)
        names = {0: "squared", 1: "poisson", 2: "gamma"}
        return LOSSES[names[power]] if power in names else as_loss(("tweedie", float(power)))


class HuberLossRegressor(LossRegressor):
    """Regression by the Huber loss of a fixed width, for targets with outliers.

    Minimises, with `r_i = y_i - o_i - b0 - x_i . w` and `h(r) = r^2 / 2` for `|r| <= delta`, `delta |r| - delta^2 / 2`
    beyond::

        (1 / S) sum_i s_i h(r_i) + alpha * (l1_ratio * sum_j v_j |w_j| + (1 - l1_ratio) / 2 * sum_j v_j w_j^2)

    scikit-learn's `HuberRegressor` estimates a scale together with the coefficients; its `epsilon` times that scale is
    the delta of this class. It is another estimator, hence the other name.

    Parameters
    ----------
    delta : float > 0, default 1.35
        In the units of y.
    alpha, fit_intercept, solver, max_iter, tol, warm_start, verbose, l1_ratio, penalty_factor, standardize, positive
        As in `PoissonRegressor`.
    n_jobs
        As in `PoissonRegressor`.

    Attributes
    ----------
    coef_, sparse_coef_, intercept_, dual_gap_, gradient_norm_, n_iter_, n_features_in_, feature_names_in_
        As in `PoissonRegressor`.

    Examples
    --------
    >>> from sparsereg import HuberLossRegressor
    >>> model = HuberLossRegressor(delta=0.1, alpha=1e-4).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 2, 30])
    >>> model.coef_.round(1)
    array([1.2])
    """

    def __init__(
        self,
        *,
        delta: float = 1.35,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
        l1_ratio: float = 0.0,
        penalty_factor: Any = None,
        standardize: bool = False,
        positive: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        set_parameters(self, locals())

    def _loss(self) -> Loss:
        return as_loss(("huber", check_number("delta", self.delta, low=0, open_low=True)))

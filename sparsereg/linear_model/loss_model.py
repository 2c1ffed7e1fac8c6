"""What the estimators of losses share: checks of parameters, the fit, fitted attributes."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from sparsereg.data.design import Design, as_design
from sparsereg.data.threads import thread_count
from sparsereg.data.validation import (
    check_flag,
    check_number,
    check_penalty_factor,
    check_vector,
)
from sparsereg.linear_model.coefficients import FittedCoefficients
from sparsereg.linear_model.loss_fit import FitTask, Fitted, fit_task

__all__ = ["LossModel"]

Vector = NDArray[np.float64]

# Where penalties are so weak that a gap says little, a relative gradient below this share of `tol` will do.
GRADIENT_SHARE = 1e-2


class LossModel(FittedCoefficients, BaseEstimator):
    """A linear model of any loss; subclasses say which loss, which strength, and what predictors mean."""

    _max_kept = 2**20  # 8 MB: see `FittedCoefficients`

    dual_gap_: float
    gradient_norm_: float

    @property
    def path_loss(self) -> tuple[str, str]:
        """The loss and the link, as a `PathResult` has them."""
        raise NotImplementedError

    def _check_common(self, l1_ratio: Any) -> None:
        check_number("l1_ratio", l1_ratio, low=0, high=1)
        check_number("tol", self.tol, low=0)
        check_number("max_iter", self.max_iter, low=0, integer=True)
        for name in ("fit_intercept", "warm_start", "standardize", "positive"):
            check_flag(name, getattr(self, name))

    def _design(self, X: Any) -> Design:
        return as_design(X, n_threads=thread_count(self.n_jobs))

    def _offset(self, offset: Any, n_rows: int) -> Vector | None:
        return None if offset is None else check_vector("offset", offset, n_rows)

    def _factor(self, n_features: int) -> Vector | None:
        return check_penalty_factor(self.penalty_factor, n_features)

    def _solved(self, task: FitTask, start: tuple[Any, Any]) -> Fitted:
        fitted = fit_task(task, float(self.tol), int(self.max_iter), start)
        self._warn(fitted)
        return fitted

    def _fit_task(self, task: FitTask, n_outputs: int) -> Fitted:
        """Solve and set the fitted attributes; nothing is set before."""
        fitted = self._solved(task, self._start(task.design.n_features, n_outputs))
        self._coef = fitted.coef
        self.dual_gap_ = fitted.dual_gap
        if hasattr(self, "gradient_norm_"):
            del self.gradient_norm_
        if fitted.gradient_norm is not None:
            self.gradient_norm_ = fitted.gradient_norm
        return fitted

    def _start(self, n_features: int, n_outputs: int) -> tuple[Any, Any]:
        """Coefficients and intercepts to begin at: with `warm_start` the current ones."""
        if not self.warm_start or not hasattr(self, "_coef"):
            return None, None
        held = self._held()
        coef = sp.csr_array(held if sp.issparse(held) else np.atleast_2d(np.asarray(held, dtype=np.float64)))
        if coef.shape != (n_outputs, n_features):
            raise ValueError(
                f"coef_ has shape {coef.shape} and cannot start a fit (warm_start) with {n_outputs} output(s) and"
                f" {n_features} columns; set warm_start=False."
            )
        intercept = np.broadcast_to(np.ravel(np.asarray(self.intercept_, dtype=np.float64)), (n_outputs,)).copy()
        return coef, intercept

    def _warn(self, fitted: Fitted) -> None:
        target = self.tol * fitted.gap_scale
        if np.isfinite(fitted.dual_gap):
            what, limit = f"Duality gap: {fitted.dual_gap:.3e}, tolerance: {target:.3e}.", GRADIENT_SHARE * self.tol
        else:
            what, limit = f"Relative gradient: {fitted.gradient_norm}, tolerance: {self.tol:.3e}.", self.tol
        if fitted.dual_gap > target and not (fitted.gradient_norm is not None and fitted.gradient_norm <= limit):
            warnings.warn(
                f"{type(self).__name__} failed to converge after {fitted.n_iter} iteration(s). {what} Increase"
                " max_iter, or the strength of the penalty.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _predictor(self, X: Any, offset: Any) -> NDArray[Any]:
        """`offset + X coef' + intercept`, of shape (n,) or (n, K)."""
        check_is_fitted(self)
        z = self._linear_predictor(X)
        z = z[:, 0] if z.ndim == 2 and z.shape[1] == 1 else z
        if offset is None:
            return z
        if z.ndim == 1:
            return z + check_vector("offset", offset, len(z)).astype(z.dtype)
        offset = np.asarray(offset, dtype=z.dtype)
        if offset.shape != z.shape or not np.isfinite(offset).all():
            raise ValueError(f"offset has shape {offset.shape}; expected finite numbers of shape {z.shape}.")
        return z + offset

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

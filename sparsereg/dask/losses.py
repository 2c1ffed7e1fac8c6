"""Logistic and Poisson regression over tables in parts on a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.over_parts import Screen
from sparsereg.dask.estimators import CertifiedModel, engine_of
from sparsereg.dask.tables import DaskTables, distinct_targets, tables_of
from sparsereg.data.validation import check_number
from sparsereg.linear_model.glm import PoissonRegressor as LocalPoisson
from sparsereg.linear_model.logistic import LogisticRegression as LocalLogistic
from sparsereg.losses import LOSSES
from sparsereg.rows.partitioned import PartitionedRows

__all__ = ["LogisticRegression", "PoissonRegressor"]


class LossModel(CertifiedModel):
    """One strength of a loss; subclasses say which."""

    l1_ratio: float

    def _fit(self, tables: DaskTables, screen: Screen, alpha: Callable[[PartitionedRows], float]) -> None:
        """`screen` for an l1_ratio of 1; `alpha(rows)`: the strength."""
        ratio = float(check_number("l1_ratio", self.l1_ratio, low=0, high=1, open_low=True))
        strengths = {name: getattr(screen, name) for name in ("alpha", "threshold")}
        scaled = {name: ratio * value for name, value in strengths.items() if value is not None}
        self._solve(tables, replace(screen, **scaled), alpha, ratio)


class LogisticRegression(ClassifierMixin, LossModel):
    """Logistic regression with an l1 penalty, fitted over tables in parts on a Dask cluster.

    Minimises the objective of `sparsereg.LogisticRegression` for two classes on the columns of `cross`.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength: the sum of the losses is multiplied by it.
    l1_ratio : float, default=1.0
        Above 0: columns enter by their l1 penalty.
    cross : FeatureCross, optional
        Makes the columns. None, the default, has a column for each level of each field. A fitted one is used as it is.
    fit_intercept : bool, default=True
    positive : bool, default=False
    tol : float, default=1e-4
        Largest duality gap, as a share of the loss of the model without columns.
    max_iter : int, default=10,000
    client : distributed.Client, optional
        None, the default, is the current one.

    Attributes
    ----------
    classes_ : array of shape (2,)
    cross_ : FeatureCross
    sparse_coef_ : scipy.sparse.csr_array of shape (1, p)
    intercept_, dual_gap_ : float
    n_iter_, n_rounds_ : int
        Epochs, and questions that the workers were asked.
    client_ : distributed.Client
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        l1_ratio: float = 1.0,
        cross: FeatureCross | None = None,
        fit_intercept: bool = True,
        positive: bool = False,
        tol: float = 1e-4,
        max_iter: int = 10_000,
        client: Any = None,
    ) -> None:
        self.C, self.l1_ratio, self.cross = C, l1_ratio, cross
        self.fit_intercept, self.positive, self.tol, self.max_iter = fit_intercept, positive, tol, max_iter
        self.client = client

    def fit(self, X: Any, y: str, sample_weight: str | None = None, *, offset: str | None = None) -> Self:
        """Fit the cross, unless it is fitted, and the model.

        Parameters
        ----------
        X : Parquet files (name, pattern, list, `ParquetRows`), a dask frame, or a list of delayed tables
        y : str
            The column that is the target: two values of any kind, or probabilities.
        sample_weight, offset : str, optional
            The columns of the rows' weights and offsets.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters out of range, a target of other values, and data that cannot be used.
        """
        check_number("C", self.C, low=0, open_low=True)
        tables = tables_of(X, y, sample_weight, engine_of(self.client), offset)
        self.classes_ = _classes(tables, y)
        if self.classes_.tolist() != [0, 1]:
            tables = tables.with_classes(tuple(self.classes_.tolist()))
        strength = 1.0 / float(self.C)
        self._fit(tables, Screen(threshold=strength, loss=LOSSES["logistic"]), lambda rows: strength / rows.weight_sum)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities (n, 2) for a table in memory."""
        check_is_fitted(self, "sparse_coef_")
        return np.asarray(self.to_local().predict_proba(X))

    def _local(self) -> Any:
        model = LocalLogistic(
            C=self.C,
            l1_ratio=self.l1_ratio,
            fit_intercept=self.fit_intercept,
            positive=self.positive,
            tol=self.tol,
            max_iter=self.max_iter,
        )
        model.classes_ = self.classes_
        return model

    def to_local(self) -> Pipeline:
        """The fitted model as a scikit-learn pipeline of a cross and a linear model, which needs no cluster."""
        local = super().to_local()
        local[-1].intercept_ = np.array([self.intercept_])
        local[-1].n_iter_ = np.array([self.n_iter_], dtype=np.int32)
        return local


class PoissonRegressor(RegressorMixin, LossModel):
    """Poisson regression with a log link and an l1 penalty, fitted over tables in parts on a Dask cluster.

    Minimises the objective of `sparsereg.PoissonRegressor` on the columns of `cross`.

    Parameters
    ----------
    alpha : float, default=1.0
    l1_ratio, cross, fit_intercept, positive, tol, max_iter, client
        See `LogisticRegression`.

    Attributes
    ----------
    cross_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_rounds_, client_
        See `LogisticRegression`.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 1.0,
        cross: FeatureCross | None = None,
        fit_intercept: bool = True,
        positive: bool = False,
        tol: float = 1e-4,
        max_iter: int = 10_000,
        client: Any = None,
    ) -> None:
        self.alpha, self.l1_ratio, self.cross = alpha, l1_ratio, cross
        self.fit_intercept, self.positive, self.tol, self.max_iter = fit_intercept, positive, tol, max_iter
        self.client = client

    def fit(self, X: Any, y: str, sample_weight: str | None = None, *, offset: str | None = None) -> Self:
        """Fit the cross, unless it is fitted, and the model; see `LogisticRegression.fit`."""
        check_number("alpha", self.alpha, low=0, open_low=True)
        tables = tables_of(X, y, sample_weight, engine_of(self.client), offset)
        alpha = float(self.alpha)
        self._fit(tables, Screen(alpha=alpha, loss=LOSSES["poisson"]), lambda _: alpha)
        return self

    def _local(self) -> Any:
        return LocalPoisson(
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
            fit_intercept=self.fit_intercept,
            positive=self.positive,
            tol=self.tol,
            max_iter=self.max_iter,
        )


def _classes(tables: DaskTables, y: str) -> NDArray[Any]:
    """The two values of the target; 0 and 1 for probabilities."""
    found = list(tables.engine.map(distinct_targets, tables.parts))
    values = sorted({value for some, _, _ in found for value in some})
    if len(values) == 2:
        return np.array(values)
    lows, highs = [low for _, low, _ in found], [high for _, _, high in found]
    if min(lows) >= 0.0 and max(highs) <= 1.0:
        return np.array([0, 1])
    raise ValueError(f"y={y!r} holds {values[:3]}; LogisticRegression takes two values, or probabilities.")

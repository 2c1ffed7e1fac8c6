"""The estimators over tables in parts. A model is fitted on a cluster and then is an ordinary, local one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.over_parts import Screen
from sparsereg.dask.engine import DaskEngine
from sparsereg.dask.tables import DaskTables, encoded_rows, tables_of
from sparsereg.data.optional import import_optional
from sparsereg.data.validation import check_number
from sparsereg.linear_model.lasso import ElasticNet as LocalElasticNet
from sparsereg.linear_model.lasso import Lasso as LocalLasso
from sparsereg.linear_model.ridge import Ridge as LocalRidge
from sparsereg.losses import as_loss
from sparsereg.results import PathResult
from sparsereg.ridge.over_rows import solve_ridge_over_rows
from sparsereg.rows.partitioned import PartitionedRows
from sparsereg.solvers import path as paths
from sparsereg.solvers.rows_path import ScreenedColumns

__all__ = ["CertifiedModel", "DaskModel", "ElasticNet", "Lasso", "Ridge", "engine_of", "regularization_path"]


def engine_of(client: Any) -> DaskEngine:
    """The engine of a client; None: the present one."""
    distributed = import_optional("distributed", "fits on a cluster need", "dask")
    try:
        return DaskEngine(distributed.default_client() if client is None else client)
    except ValueError:
        raise ValueError("client=None, but there is no current distributed.Client; make one, or pass it.") from None


def regularization_path(
    X: Any,
    y: str | None = None,
    *,
    cross: FeatureCross,
    sample_weight: str | None = None,
    offset: str | None = None,
    loss: Any = "squared",
    eps: float = 1e-2,
    client: Any = None,
    **options: Any,
) -> PathResult:
    """A certified lasso or elastic-net path of any loss of one predictor, over tables in parts.

    Parameters
    ----------
    X : Parquet files (name, pattern, list, `ParquetRows`), a dask frame, or a list of delayed tables
    y : str
        The column that is the target.
    cross : FeatureCross
        Fitted here, in two passes, unless it is fitted already.
    sample_weight, offset : str, optional
        The columns of the rows' weights and offsets.
    loss : str, tuple or Loss, default="squared"
        As in `sparsereg.regularization_path`, but "multinomial".
    eps : float, default=0.01
        The weakest strength, as a share of the strongest.
    client : distributed.Client, optional
        None, the default, is the current one.
    **options
        Further arguments of `sparsereg.regularization_path`.

    Returns
    -------
    PathResult
        The same as on one machine, whatever the number of workers.

    Raises
    ------
    ValueError
        As `sparsereg.regularization_path` does; errors of the data name partition and file.
    RuntimeError
        If a part was lost time and again.
    """
    tables = tables_of(X, y, sample_weight, engine_of(client), offset)
    rows = encoded_rows(cross, tables, Screen(eps, loss=as_loss(loss)))
    return paths.regularization_path(rows, loss=loss, eps=eps, **options)


class DaskModel(BaseEstimator):
    """What the estimators share: rows from what users pass, predictions, and the way back to one machine."""

    cross: FeatureCross | None
    fit_intercept: bool
    client: Any

    @property
    def client_(self) -> Any:
        """The client in use."""
        return engine_of(self.client).client

    def _encoded(self, tables: DaskTables, screen: Screen | None) -> tuple[PartitionedRows, FeatureCross]:
        cross = FeatureCross() if self.cross is None else self.cross
        cross = cross if hasattr(cross, "n_features_out_") else clone(cross)
        rows = encoded_rows(cross, tables, screen)
        return rows if self.fit_intercept else rows.about(0.0), cross

    def _set(self, cross: FeatureCross, rows: PartitionedRows, coef: sp.csr_array, intercept: float) -> None:
        self.cross_, self.sparse_coef_, self.intercept_, self.n_rounds_ = cross, coef, intercept, rows.n_rounds
        self.n_features_in_ = cross.n_features_in_

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Predictions (n,) for a table in memory; for one in parts, apply `to_local().predict` to each.

        Parameters
        ----------
        X : DataFrame of pandas, polars or Arrow
        """
        check_is_fitted(self, "sparse_coef_")
        return np.asarray(self.to_local().predict(X))

    def to_local(self) -> Pipeline:
        """The fitted model as a scikit-learn pipeline of a cross and a linear model, which needs no cluster."""
        check_is_fitted(self, "sparse_coef_")
        model = self._local()
        model._coef, model.intercept_ = self.sparse_coef_.copy(), self.intercept_
        model.n_features_in_ = self.sparse_coef_.shape[1]
        model.n_iter_ = self.n_iter_
        return Pipeline([("cross", self.cross_), ("model", model)])

    def _local(self) -> Any:
        raise NotImplementedError


class CertifiedModel(DaskModel):
    """One strength of a penalty with an l1 part, with a duality gap."""

    positive: bool
    tol: float
    max_iter: int

    def _solve(
        self, tables: DaskTables, screen: Screen, alpha: Callable[[PartitionedRows], float], l1_ratio: float
    ) -> None:
        """Fit the cross and the model. Where the screen left out columns that might matter, both again with more."""
        while True:
            rows, cross = self._encoded(tables, screen)
            try:
                found = paths.regularization_path(
                    rows,
                    loss=screen.loss,
                    l1_ratio=l1_ratio,
                    alphas=[alpha(rows)],
                    fit_intercept=self.fit_intercept,
                    positive=self.positive,
                    tol=self.tol,
                    max_iter=self.max_iter,
                )
                break
            except ScreenedColumns:
                if cross is self.cross:  # fitted by the caller
                    raise
                screen = screen.weaker()
        self._set(cross, rows, found.coef(0), float(found.intercepts[0]))
        self.dual_gap_, self.n_iter_ = float(found.dual_gaps[0]), int(found.n_iters[0])

    def to_local(self) -> Pipeline:
        """The fitted model as a scikit-learn pipeline of a cross and a linear model, which needs no cluster."""
        local = super().to_local()
        local[-1].dual_gap_ = self.dual_gap_
        return local


class ElasticNet(RegressorMixin, CertifiedModel):
    """The elastic net at one strength, fitted over tables in parts on a Dask cluster.

    Minimises the objective of `sparsereg.ElasticNet` on the columns of `cross`.

    Parameters
    ----------
    alpha : float, default=1.0
    l1_ratio : float, default=0.5
        Above 0: columns enter by their l1 penalty.
    cross : FeatureCross, optional
        Makes the columns. None, the default, has a column for each level of each field. A fitted one is used as it is.
    fit_intercept : bool, default=True
    positive : bool, default=False
    tol : float, default=1e-4
        Largest duality gap, as a share of the mean square of the centred target.
    max_iter : int, default=10,000
    client : distributed.Client, optional
        None, the default, is the current one.

    Attributes
    ----------
    cross_ : FeatureCross
    sparse_coef_ : scipy.sparse.csr_array of shape (1, p)
    intercept_ : float
    dual_gap_ : float
    n_iter_ : int
    n_rounds_ : int
        Questions that the workers were asked.
    client_ : distributed.Client
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
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

    def fit(self, X: Any, y: str, sample_weight: str | None = None) -> Self:
        """Fit the cross, unless it is fitted, and the model.

        Parameters
        ----------
        X : Parquet files (name, pattern, list, `ParquetRows`), a dask frame, or a list of delayed tables
        y : str
            The column that is the target.
        sample_weight : str, optional
            The column of the rows' weights.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters out of range and data that cannot be used.
        """
        check_number("alpha", self.alpha, low=0, open_low=True)
        ratio = float(getattr(self, "l1_ratio", 1.0))
        check_number("l1_ratio", ratio, low=0, high=1, open_low=True)
        tables = tables_of(X, y, sample_weight, engine_of(self.client))
        self._solve(tables, Screen(alpha=float(self.alpha) * ratio), lambda _: float(self.alpha), ratio)
        return self

    def _local(self) -> Any:
        return LocalElasticNet(
            self.alpha,
            l1_ratio=self.l1_ratio,
            fit_intercept=self.fit_intercept,
            positive=self.positive,
            tol=self.tol,
            max_iter=self.max_iter,
        )


class Lasso(ElasticNet):
    """The lasso at one strength, fitted over tables in parts on a Dask cluster.

    Parameters
    ----------
    alpha, cross, fit_intercept, positive, tol, max_iter, client
        See `ElasticNet`.

    Attributes
    ----------
    cross_, sparse_coef_, intercept_, dual_gap_, n_iter_, n_rounds_, client_
        See `ElasticNet`.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        cross: FeatureCross | None = None,
        fit_intercept: bool = True,
        positive: bool = False,
        tol: float = 1e-4,
        max_iter: int = 10_000,
        client: Any = None,
    ) -> None:
        self.alpha, self.cross, self.fit_intercept, self.positive = alpha, cross, fit_intercept, positive
        self.tol, self.max_iter, self.client = tol, max_iter, client

    def _local(self) -> Any:
        return LocalLasso(
            self.alpha,
            fit_intercept=self.fit_intercept,
            positive=self.positive,
            tol=self.tol,
            max_iter=self.max_iter,
        )


class Ridge(RegressorMixin, DaskModel):
    """Ridge at one strength, fitted over tables in parts on a Dask cluster: a round an iteration.

    Minimises `sum_i s_i (y_i - b0 - x_i . w)^2 + alpha |w|^2`, as `sparsereg.Ridge` does, by conjugate gradients scaled
    by the diagonal. No column is screened; `min_count` of the cross bounds their number.

    Parameters
    ----------
    alpha : float, default=1.0
    cross : FeatureCross, optional
        See `ElasticNet`.
    fit_intercept : bool, default=True
    tol : float, default=1e-4
        Largest gradient, as a share of the gradient at 0.
    max_iter : int, default=1,000
        Most iterations.
    client : distributed.Client, optional
        None, the default, is the current one.

    Attributes
    ----------
    cross_, sparse_coef_, intercept_, n_iter_, n_rounds_, client_
        See `ElasticNet`.
    gradient_norm_ : float
        The relative gradient of the coefficients, recomputed from the rows.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        cross: FeatureCross | None = None,
        fit_intercept: bool = True,
        tol: float = 1e-4,
        max_iter: int = 1000,
        client: Any = None,
    ) -> None:
        self.alpha, self.cross, self.fit_intercept = alpha, cross, fit_intercept
        self.tol, self.max_iter, self.client = tol, max_iter, client

    def fit(self, X: Any, y: str, sample_weight: str | None = None) -> Self:
        """Fit the cross, unless it is fitted, and the model; see `ElasticNet.fit`."""
        check_number("alpha", self.alpha, low=0, open_low=True)
        check_number("tol", self.tol, low=0, open_low=True)
        rows, cross = self._encoded(tables_of(X, y, sample_weight, engine_of(self.client)), None)
        found = solve_ridge_over_rows(rows, float(self.alpha), self.fit_intercept, self.tol, self.max_iter)
        if not found.gradient_norm <= self.tol:
            warnings.warn(
                f"Ridge stopped after {found.n_iter} iterations at a relative gradient of {found.gradient_norm:.2g},"
                f" above tol={self.tol:g}. Increase max_iter.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._set(cross, rows, sp.csr_array(found.coef[None]), found.intercept)
        self.gradient_norm_, self.n_iter_ = found.gradient_norm, found.n_iter
        return self

    def _local(self) -> Any:
        model = LocalRidge(self.alpha, fit_intercept=self.fit_intercept, tol=self.tol)
        model.method_ = model.solver_ = "cg"
        model.gradient_norm_, model.dual_gap_ = self.gradient_norm_, None
        return model

    def to_local(self) -> Pipeline:
        """The fitted model as a scikit-learn pipeline of a cross and a linear model, which needs no cluster."""
        local = super().to_local()
        local[-1].n_iter_ = np.array([self.n_iter_])
        return local

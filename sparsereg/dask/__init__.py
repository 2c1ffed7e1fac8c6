"""Fitting over tables in parts on a Dask cluster: the extra ``[dask]``. Not imported by the rest of the package."""

from sparsereg.dask.estimators import ElasticNet, Lasso, Ridge, regularization_path
from sparsereg.dask.losses import LogisticRegression, PoissonRegressor

__all__ = ["ElasticNet", "Lasso", "LogisticRegression", "PoissonRegressor", "Ridge", "regularization_path"]

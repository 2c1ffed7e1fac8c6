"""The scikit-learn shells, under the name that scikit-learn gives the room. They know no kernels."""

from sparsereg.linear_model.lasso import ElasticNet, Lasso
from sparsereg.linear_model.paths import enet_path, lasso_path

__all__ = ["ElasticNet", "Lasso", "enet_path", "lasso_path"]

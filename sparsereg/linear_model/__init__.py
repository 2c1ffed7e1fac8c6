"""The scikit-learn interfaces: parameters, checks, fitted attributes. They know no kernels."""

from sparsereg.linear_model.degrees import DegreesOfFreedom, degrees_of_freedom
from sparsereg.linear_model.lasso import ElasticNet, Lasso
from sparsereg.linear_model.paths import enet_path, lasso_path
from sparsereg.linear_model.ridge import Ridge
from sparsereg.linear_model.ridge_classifier import RidgeClassifier, RidgeClassifierCV
from sparsereg.linear_model.ridge_cv import RidgeCV
from sparsereg.linear_model.ridge_path import RidgePath, ridge_path

__all__ = [
    "DegreesOfFreedom",
    "ElasticNet",
    "Lasso",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "RidgePath",
    "degrees_of_freedom",
    "enet_path",
    "lasso_path",
    "ridge_path",
]

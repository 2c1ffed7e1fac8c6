"""The scikit-learn interfaces: parameters, checks, fitted attributes. They know no kernels."""

from sparsereg.linear_model.degrees import DegreesOfFreedom, degrees_of_freedom
from sparsereg.linear_model.glm import GammaRegressor, HuberLossRegressor, PoissonRegressor, TweedieRegressor
from sparsereg.linear_model.lasso import ElasticNet, Lasso
from sparsereg.linear_model.lasso_cv import ElasticNetCV, LassoCV
from sparsereg.linear_model.logistic import LogisticRegression
from sparsereg.linear_model.logistic_cv import LogisticRegressionCV
from sparsereg.linear_model.loss_cv import (
    GammaRegressorCV,
    HuberLossRegressorCV,
    PoissonRegressorCV,
    TweedieRegressorCV,
)
from sparsereg.linear_model.multi_task import MultiTaskElasticNet, MultiTaskLasso
from sparsereg.linear_model.multi_task_cv import MultiTaskElasticNetCV, MultiTaskLassoCV
from sparsereg.linear_model.paths import enet_path, lasso_path
from sparsereg.linear_model.ridge import Ridge
from sparsereg.linear_model.ridge_classifier import RidgeClassifier, RidgeClassifierCV
from sparsereg.linear_model.ridge_cv import RidgeCV
from sparsereg.linear_model.ridge_path import RidgePath, ridge_path
from sparsereg.linear_model.squared_hinge import SquaredHingeClassifier
from sparsereg.linear_model.squared_hinge_cv import SquaredHingeClassifierCV

__all__ = [
    "DegreesOfFreedom",
    "ElasticNet",
    "ElasticNetCV",
    "GammaRegressor",
    "GammaRegressorCV",
    "HuberLossRegressor",
    "HuberLossRegressorCV",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "PoissonRegressor",
    "PoissonRegressorCV",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "RidgePath",
    "SquaredHingeClassifier",
    "SquaredHingeClassifierCV",
    "TweedieRegressor",
    "TweedieRegressorCV",
    "degrees_of_freedom",
    "enet_path",
    "lasso_path",
    "ridge_path",
]

"""Certified lasso, elastic net and ridge on wide sparse feature crosses.

Names are loaded when first used, so that `import sparsereg` stays quick.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers read it; importing `typing` takes longer than all else here
if TYPE_CHECKING:
    from typing import Any

    from sparsereg.crosses.auto.choice import CrossChoice
    from sparsereg.crosses.binning import Edges, Quantiles, Width
    from sparsereg.crosses.choosing import choose_crosses
    from sparsereg.crosses.dates import DatePart
    from sparsereg.crosses.feature_cross import Block, FeatureCross, Rare
    from sparsereg.crosses.parquet import ParquetRows
    from sparsereg.crosses.rules import Of
    from sparsereg.crosses.split import Split
    from sparsereg.linear_model import (
        DegreesOfFreedom,
        ElasticNet,
        ElasticNetCV,
        GammaRegressor,
        GammaRegressorCV,
        HuberLossRegressor,
        HuberLossRegressorCV,
        Lasso,
        LassoCV,
        LogisticRegression,
        LogisticRegressionCV,
        MultiTaskElasticNet,
        MultiTaskElasticNetCV,
        MultiTaskLasso,
        MultiTaskLassoCV,
        PoissonRegressor,
        PoissonRegressorCV,
        Ridge,
        RidgeClassifier,
        RidgeClassifierCV,
        RidgeCV,
        RidgePath,
        SquaredHingeClassifier,
        SquaredHingeClassifierCV,
        TweedieRegressor,
        TweedieRegressorCV,
        degrees_of_freedom,
        enet_path,
        lasso_path,
        ridge_path,
    )
    from sparsereg.plot.comparison import ComparisonDisplay
    from sparsereg.plot.path_plot import plot_path
    from sparsereg.report.designs import DesignComparison, compare_designs
    from sparsereg.report.report import SparsityReport
    from sparsereg.results import PathResult
    from sparsereg.selection.criteria import InformationCriterion, information_criterion
    from sparsereg.selection.cross_validation import cross_validate_path
    from sparsereg.selection.paired import one_se_index
    from sparsereg.selection.results import CrossValidation, ValidatedPath
    from sparsereg.selection.stability import StabilitySelection, stability_selection
    from sparsereg.serving.compact import CompactModel, load_compact
    from sparsereg.serving.comparison import ModelComparison
    from sparsereg.serving.model_file import Model, load_model, save_model
    from sparsereg.solvers.path import regularization_path

__version__ = "0.1.0"

_MODULES = {
    "Block": "crosses.feature_cross",
    "CompactModel": "serving.compact",
    "ComparisonDisplay": "plot.comparison",
    "CrossChoice": "crosses.auto.choice",
    "CrossValidation": "selection.results",
    "DatePart": "crosses.dates",
    "DegreesOfFreedom": "linear_model",
    "DesignComparison": "report.designs",
    "Edges": "crosses.binning",
    "ElasticNet": "linear_model",
    "ElasticNetCV": "linear_model",
    "FeatureCross": "crosses.feature_cross",
    "GammaRegressor": "linear_model",
    "GammaRegressorCV": "linear_model",
    "HuberLossRegressor": "linear_model",
    "HuberLossRegressorCV": "linear_model",
    "InformationCriterion": "selection.criteria",
    "Lasso": "linear_model",
    "LassoCV": "linear_model",
    "LogisticRegression": "linear_model",
    "LogisticRegressionCV": "linear_model",
    "Model": "serving.model_file",
    "ModelComparison": "serving.comparison",
    "MultiTaskElasticNet": "linear_model",
    "MultiTaskElasticNetCV": "linear_model",
    "MultiTaskLasso": "linear_model",
    "MultiTaskLassoCV": "linear_model",
    "Of": "crosses.rules",
    "ParquetRows": "crosses.parquet",
    "PathResult": "results",
    "PoissonRegressor": "linear_model",
    "PoissonRegressorCV": "linear_model",
    "Quantiles": "crosses.binning",
    "Rare": "crosses.feature_cross",
    "Ridge": "linear_model",
    "RidgeCV": "linear_model",
    "RidgeClassifier": "linear_model",
    "RidgeClassifierCV": "linear_model",
    "RidgePath": "linear_model",
    "SparsityReport": "report.report",
    "Split": "crosses.split",
    "SquaredHingeClassifier": "linear_model",
    "SquaredHingeClassifierCV": "linear_model",
    "StabilitySelection": "selection.stability",
    "TweedieRegressor": "linear_model",
    "TweedieRegressorCV": "linear_model",
    "ValidatedPath": "selection.results",
    "Width": "crosses.binning",
    "choose_crosses": "crosses.choosing",
    "compare_designs": "report.designs",
    "cross_validate_path": "selection.cross_validation",
    "degrees_of_freedom": "linear_model",
    "enet_path": "linear_model",
    "information_criterion": "selection.criteria",
    "lasso_path": "linear_model",
    "load_compact": "serving.compact",
    "load_model": "serving.model_file",
    "one_se_index": "selection.paired",
    "plot_path": "plot.path_plot",
    "regularization_path": "solvers.path",
    "ridge_path": "linear_model",
    "save_model": "serving.model_file",
    "stability_selection": "selection.stability",
}

__all__ = [
    "Block",
    "CompactModel",
    "ComparisonDisplay",
    "CrossChoice",
    "CrossValidation",
    "DatePart",
    "DegreesOfFreedom",
    "DesignComparison",
    "Edges",
    "ElasticNet",
    "ElasticNetCV",
    "FeatureCross",
    "GammaRegressor",
    "GammaRegressorCV",
    "HuberLossRegressor",
    "HuberLossRegressorCV",
    "InformationCriterion",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Model",
    "ModelComparison",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "Of",
    "ParquetRows",
    "PathResult",
    "PoissonRegressor",
    "PoissonRegressorCV",
    "Quantiles",
    "Rare",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "RidgePath",
    "SparsityReport",
    "Split",
    "SquaredHingeClassifier",
    "SquaredHingeClassifierCV",
    "StabilitySelection",
    "TweedieRegressor",
    "TweedieRegressorCV",
    "ValidatedPath",
    "Width",
    "choose_crosses",
    "compare_designs",
    "cross_validate_path",
    "degrees_of_freedom",
    "enet_path",
    "information_criterion",
    "lasso_path",
    "load_compact",
    "load_model",
    "one_se_index",
    "plot_path",
    "regularization_path",
    "ridge_path",
    "save_model",
    "stability_selection",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'sparsereg' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"sparsereg.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])

"""scikit-learn's own checks over every public estimator, found by inspection."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import check_estimator

import sparsereg
from sparsereg import linear_model

# In place of an automatic path, which is deep on the few rows of the checks.
SMALL = {"alphas": 3, "Cs": [0.1, 1.0]}
VARIANTS = {
    "ElasticNet": [{"positive": True, "standardize": True}],
    "FeatureCross": [{"dtype": np.float32}, {"missing": "zero", "max_levels": 5, "max_memory": 10**9, "hashed": 8}],
    "Lasso": [{"solver": "prox_gradient"}],
    "LogisticRegression": [{"l1_ratio": 0.5}],
    "PoissonRegressor": [{"l1_ratio": 0.5, "alpha": 0.1}],
    "TweedieRegressor": [{"power": 1.5}],
}


def models():
    found = {name: getattr(sparsereg, name) for name in sparsereg.__all__}
    classes = {name: of for name, of in found.items() if inspect.isclass(of) and issubclass(of, BaseEstimator)}
    for name, of in classes.items():
        parameters = inspect.signature(of).parameters
        own = {key: few for key, few in SMALL.items() if key in parameters and parameters[key].default == "auto"}
        own |= {"cv": 3} if own else {}
        for options in ({}, *VARIANTS.get(name, [])):
            yield of(**own | options)


MODELS = list(models())


def test_no_estimator_is_forgotten():
    names = {type(model).__name__ for model in MODELS}
    assert names >= set(VARIANTS)
    assert len(names) > 20
    public = (getattr(linear_model, name) for name in linear_model.__all__)
    assert {of.__name__ for of in public if inspect.isclass(of) and issubclass(of, BaseEstimator)} <= names


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_check_estimator(model):
    """Nothing failed and nothing excused; only the array API, which is off, and probabilities where there are none,
    are skipped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(model, on_skip=None, on_fail=None)
    assert {(r["check_name"], str(r["exception"])) for r in results if r["status"] in ("failed", "xfail")} == set()
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"} - {"check_array_api_input"}
    assert not skipped or (
        skipped == {"check_classifiers_multilabel_output_format_predict_proba"} and not hasattr(model, "predict_proba")
    )
    assert sum(r["status"] == "passed" for r in results) > 40

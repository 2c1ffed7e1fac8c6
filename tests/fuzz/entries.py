"""Public entry points, each with good arguments and what may be wrong with which of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import sparsereg as S
from fuzz import bad_matrices as matrices
from fuzz import bad_values as values
from fuzz.bad_matrices import storage
from fuzz.bad_values import Make, Rng

POSITIVE = {**values.NUMBER, **values.INFINITE, **values.NONE}
SHARE = {**POSITIVE, "above": lambda _, __: 1.5}
TOL = {**values.NUMBER, **values.NONE}
FACTORS = {**values.VECTOR, **values.NEGATIVE}


@dataclass(frozen=True)
class Entry:
    """One of them: `good` makes arguments, `call` uses them, `bad` says what may be wrong with each."""

    name: str
    good: Callable[[Rng], dict[str, Any]]
    call: Callable[..., Any]
    bad: dict[str, dict[str, Make]] = field(default_factory=dict)


def rows(rng: Rng) -> dict[str, Any]:
    """X, y and weights, and a matrix to predict."""
    n, p = int(rng.integers(8, 24)), int(rng.integers(3, 9))
    dense = rng.normal(size=(n, p)) * (rng.random((n, p)) < 0.7)
    dense[0] = 1.0
    return {"X": storage(rng, dense), "y": dense @ rng.normal(size=p) + rng.normal(size=n)}


def labelled(rng: Rng) -> dict[str, Any]:
    given = rows(rng)
    labels = (given["y"] > np.median(given["y"])).astype(int)
    return {**given, "y": labels}


LASSO = {
    "alpha": POSITIVE,
    "tol": TOL,
    "max_iter": {**values.COUNT, **values.NONE},
    "fit_intercept": values.FLAG,
    "positive": values.FLAG,
    "standardize": values.FLAG,
    "warm_start": values.FLAG,
    "selection": {**values.CHOICE, **values.NONE},
    "solver": {**values.CHOICE, **values.NONE},
    "penalty_factor": FACTORS,
    "precompute": {
        **values.always(word="zzz", none=None),
        "wrong": lambda _, __: np.ones((2, 3)),
        "nan": lambda _, __: np.full((3, 3), np.nan),
    },
    "n_jobs": values.always(zero=0, half=1.5, text="a", pair=[1]),
    "random_state": values.always(text="a", negative=-1, half=1.5, object=object()),
}
RIDGE = {
    "alpha": {
        **POSITIVE,
        "masked": lambda _, __: np.ma.masked_array([1.0], mask=[1]),
        "date list": lambda _, __: [values.DATE],
        "text list": lambda _, __: ["1"],
        "complex list": lambda _, __: [1j],
    },
    "tol": TOL,
    "max_iter": values.COUNT,
    "fit_intercept": values.FLAG,
    "positive": values.FLAG,
    "solver": {**values.CHOICE, **values.NONE},
    "penalty_factor": {**FACTORS, **values.always(word="zzz", dropout_without_rate="dropout")},
}
RIDGE_ONLY = {
    "dropout_rate": values.always(without=0.5, negative=-1.0, text="a"),
    "early_stopping": values.FLAG,
    "validation_fraction": values.always(zero=0.0, above=1.5, text="a", nan=np.nan),
    "n_iter_no_change": values.COUNT,
}
CV = {
    "alphas": values.STRENGTHS,
    "fit_intercept": values.FLAG,
    "tol": TOL,
    "max_iter": values.COUNT,
    "cv": values.always(
        text="zzz", zero=0, one=1, negative=-3, half=1.5, many=10**6, outside=[([0, 1], [10**6])], object=object()
    ),
    "scoring": values.always(word="zzz", number=5, object=object()),
    "random_state": values.always(text="a", negative=-1, half=1.5),
}
CLASSES = {
    "class_weight": values.always(
        word="zzz", number=5, negative={0: -1.0, 1: 1.0}, nan={0: np.nan, 1: 1.0}, words={0: "a"}, objects=object()
    )
}
PATH = {
    "X": matrices.X,
    "y": {**matrices.Y, "wide": lambda _, good: np.ones((len(good), 2))},
    "alphas": values.STRENGTHS,
    "eps": {**SHARE, "zero": lambda _, __: 0.0},
    "tol": TOL,
    "max_iter": {**values.COUNT, **values.NONE},
    "sample_weight": values.WEIGHTS,
    "penalty_factor": FACTORS,
    "fit_intercept": values.FLAG,
    "solver": {**values.CHOICE, **values.NONE},
}
LASSO_PATH = {
    **{name: PATH[name] for name in ("X", "alphas", "eps", "tol", "max_iter", "sample_weight", "solver")},
    "y": matrices.Y,
    "positive": values.FLAG,
    "coef_init": values.VECTOR,
    "precompute": {**values.always(word="zzz"), "wrong": lambda _, __: np.ones((2, 3))},
    "selection": {**values.CHOICE, **values.NONE},
    "X_offset": values.always(some=np.ones(3)),
    "nonsense": values.always(keyword=1),
    "return_n_iter": values.FLAG,
    "sparse_coefs": values.FLAG,
}
# What of `y` labels may well be.
LABELS = {
    name: make
    for name, make in matrices.Y.items()
    if name not in ("a text", "texts", "bytes", "huge int", "dates", "spans", "wide", "a None", "masked")
}


def good_of(base: Callable[[Rng], dict[str, Any]], bad: dict[str, Any]) -> Callable[[Rng], dict[str, Any]]:
    """Good arguments, those of vectors included that are to be broken."""

    def good(rng: Rng) -> dict[str, Any]:
        given = base(rng)
        n, p = given["X"].shape
        own = {"sample_weight": n, "offset": n, "penalty_factor": p, "coef_init": p}
        return given | {name: np.ones(size) for name, size in own.items() if name in bad and rng.random() < 0.3}

    return good


def fit(name: str) -> Callable[..., Any]:
    def call(X: Any, y: Any, sample_weight: Any = None, **own: Any) -> Any:
        return getattr(S, name)(**own).fit(X, y, sample_weight)

    return call


def estimator(name: str, bad: dict[str, Any]) -> Entry:
    labels = "Classifier" in name
    bad = {"X": matrices.X, "y": LABELS if labels else matrices.Y, "sample_weight": values.WEIGHTS, **bad}
    return Entry(name, good_of(labelled if labels else rows, bad), fit(name), bad)


def function(name: str, bad: dict[str, Any]) -> Entry:
    return Entry(name, good_of(rows, bad), getattr(S, name), bad)


def predicting(name: str, method: str) -> Entry:
    """A model that was fitted on good data, and another matrix."""

    def call(X: Any, Z: Any, y: Any, **_: Any) -> Any:
        if name.endswith("path"):
            return getattr(S, name)(Z, y, alphas=[0.1, 0.01]).predict(X)
        return getattr(getattr(S, name)().fit(Z, y), method)(X)

    def good(rng: Rng) -> dict[str, Any]:
        given = labelled(rng) if "Classifier" in name else rows(rng)
        return {**given, "Z": given["X"].copy()}

    no = ("no rows", "sparse without rows")
    bad = {label: make for label, make in {**matrices.X, **matrices.NARROW}.items() if label not in no}
    return Entry(f"{name}.{method}", good, call, {"X": bad})


ENTRIES = [
    estimator("Lasso", LASSO),
    estimator("ElasticNet", {**LASSO, "l1_ratio": SHARE}),
    estimator("Ridge", {**RIDGE, **RIDGE_ONLY}),
    estimator("RidgeClassifier", {**RIDGE, **CLASSES}),
    estimator(
        "RidgeCV", {**CV, "gcv_mode": values.CHOICE, "store_cv_results": values.FLAG, "alpha_per_target": values.FLAG}
    ),
    estimator("RidgeClassifierCV", {**CV, **CLASSES, "store_cv_results": values.FLAG}),
    function(
        "regularization_path",
        {
            **PATH,
            "y": matrices.Y,  # several columns are several targets
            "l1_ratio": {**SHARE, **values.always(zero=0, tiny=1e-310)},
            "offset": values.VECTOR,
            "standardize": values.FLAG,
            "positive": values.FLAG,
            "callback": values.always(number=5, word="f"),
            "n_jobs": LASSO["n_jobs"],
        },
    ),
    function("ridge_path", PATH),
    function("lasso_path", LASSO_PATH),
    function("enet_path", {**LASSO_PATH, "l1_ratio": SHARE}),
    *(
        predicting(name, "predict")
        for name in (
            "Lasso",
            "ElasticNet",
            "Ridge",
            "RidgeCV",
            "RidgeClassifier",
            "RidgeClassifierCV",
            "regularization_path",
            "ridge_path",
        )
    ),
    *(predicting(name, "decision_function") for name in ("RidgeClassifier", "RidgeClassifierCV")),
]

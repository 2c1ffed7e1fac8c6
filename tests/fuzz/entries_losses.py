"""Entry points of other losses, of several targets and of folds, and of tables in files."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sparsereg as S
from fuzz import bad_matrices as matrices
from fuzz import bad_values as values
from fuzz.bad_values import Make, Rng
from fuzz.entries import FACTORS, LABELS, POSITIVE, SHARE, TOL, Entry, fit, function, good_of, labelled, rows
from fuzz.entries_more import TRANSFORMED, whole

# A model without iterations is one that has not converged, and says so.
ITERATIONS = {name: make for name, make in values.COUNT.items() if name != "zero"}
# An infinite C is no penalty.
INVERSE = {name: make for name, make in POSITIVE.items() if name != "inf"} | values.always(zero=0.0)
COMMON = {
    "tol": TOL,
    "max_iter": ITERATIONS,
    "fit_intercept": values.FLAG,
    "warm_start": values.FLAG,
    "penalty_factor": FACTORS,
    "standardize": values.FLAG,
    "positive": values.FLAG,
    "l1_ratio": {name: make for name, make in SHARE.items() if name != "none"},
    "n_jobs": values.always(zero=0, half=1.5, text="a", pair=[1]),
}
GLM = {**COMMON, "alpha": POSITIVE, "solver": {**values.CHOICE, **values.NONE}, "offset": values.VECTOR}
LOGISTIC = {
    **COMMON,
    "C": INVERSE,
    "solver": values.CHOICE,
    "offset": values.VECTOR,
    "class_weight": values.always(word="zzz", number=5, negative={0: -1.0, 1: 1.0}, nan={0: np.nan, 1: 1.0}),
    "label_smoothing": values.always(negative=-0.1, above=1.5, text="a", nan=np.nan, complex=1j),
    "confidence_penalty": values.always(negative=-0.1, text="a", nan=np.nan, complex=1j),
    "dropout_rate": values.always(negative=-0.1, above=1.5, text="a", nan=np.nan, complex=1j),
    "gaussian_noise": values.always(negative=-0.1, text="a", nan=np.nan, complex=1j),
    "smoothing_distribution": values.always(word="zzz", number=5, ragged=[[1], [1, 2]], nan=[np.nan, 1.0]),
}
MULTI = {name: make for name, make in COMMON.items() if name not in ("positive", "l1_ratio")} | {
    "max_iter": values.COUNT,
    "alpha": POSITIVE,
    "selection": values.CHOICE,
}
# The table of strengths, folds and rules that all of them share.
FOLDS = {
    "cv": values.always(
        text="zzz", zero=0, one=1, negative=-3, half=1.5, many=10**6, outside=[([0, 1], [10**6])], object=object()
    ),
    "rule": values.always(word="zzz", object=object(), nan=np.nan, pair=["min", "1se"]),
    "scoring": values.always(word="zzz", number=5, object=object()),
    "alphas": values.STRENGTHS,
    "eps": {name: make for name, make in SHARE.items() if name != "text"} | values.always(word="zzz"),
    "tol": TOL,
    "max_iter": values.COUNT,
    "fit_intercept": values.FLAG,
    "standardize": values.FLAG,
    "positive": values.FLAG,
    "penalty_factor": FACTORS,
    "max_seconds": values.always(negative=-1.0, nan=np.nan, text="a", complex=1j),
    "max_memory": values.always(negative=-1, zero=0, text="2GB", nan=np.nan),
    "max_columns": values.always(negative=-1, half=1.5, text="a", nan=np.nan),
    "keep_fold_paths": values.FLAG,
    "n_jobs": COMMON["n_jobs"],
}
RATIOS = values.always(
    above=1.5, negative=-0.5, text="a", nan=np.nan, list_above=[0.5, 2.0], nothing=[], complex=1j, texts=["a"]
)
WIDE_Y = {**matrices.Y, "flat": lambda _, good: good[:, 0], "no targets": lambda _, good: good[:, :0]}


def positive_y(rng: Rng) -> dict[str, Any]:
    given = rows(rng)
    return {**given, "y": 0.5 + np.abs(given["y"])}


def several(rng: Rng) -> dict[str, Any]:
    given = rows(rng)
    return {**given, "y": np.column_stack([given["y"], given["y"][::-1]])}


def with_offset(name: str) -> Any:
    def call(X: Any, y: Any, sample_weight: Any = None, offset: Any = None, **own: Any) -> Any:
        return getattr(S, name)(**own).fit(X, y, sample_weight, offset=offset)

    return call


def estimator(name: str, base: Any, bad: dict[str, Any]) -> Entry:
    y = LABELS if base is labelled else WIDE_Y if base is several else matrices.Y
    bad = {"X": matrices.X, "y": y, "sample_weight": values.WEIGHTS, **bad}
    return Entry(name, good_of(base, bad), with_offset(name) if "offset" in bad else fit(name), bad)


def predicting(name: str, base: Any, method: str = "predict") -> Entry:
    """A model that was fitted on good data, and another matrix."""

    def call(X: Any, Z: Any, y: Any, **_: Any) -> Any:
        return getattr(getattr(S, name)().fit(Z, y), method)(X)

    def good(rng: Rng) -> dict[str, Any]:
        given = base(rng)
        return {**given, "Z": given["X"].copy()}

    no = ("no rows", "sparse without rows")
    bad = {label: make for label, make in {**matrices.X, **matrices.NARROW}.items() if label not in no}
    return Entry(f"{name}.{method}", good, call, {"X": bad})


SIGNS: dict[str, Make] = {"negative": lambda _, good: -good}
LOSSES = [
    estimator("LogisticRegression", labelled, LOGISTIC),
    estimator("PoissonRegressor", positive_y, {**GLM, "y": {**matrices.Y, **SIGNS}}),
    estimator("GammaRegressor", positive_y, {**GLM, "y": {**matrices.Y, **SIGNS}}),
    estimator(
        "TweedieRegressor",
        positive_y,
        {
            **GLM,
            "power": values.always(between=0.5, text="a", nan=np.nan, pair=[1.0], complex=1j, none=None, inf=np.inf),
            "link": values.always(word="zzz", number=3, none=None),
        },
    ),
    estimator(
        "HuberLossRegressor", rows, {**GLM, "delta": {**values.NUMBER, "zero": lambda _, __: 0.0, **values.NONE}}
    ),
    estimator("SquaredHingeClassifier", labelled, {**COMMON, "C": INVERSE}),
    estimator("MultiTaskLasso", several, MULTI),
    estimator("MultiTaskElasticNet", several, {**MULTI, "l1_ratio": COMMON["l1_ratio"]}),
    estimator("LassoCV", rows, {**FOLDS, "relax": values.FLAG, "selection": values.CHOICE}),
    estimator("ElasticNetCV", rows, {**FOLDS, "l1_ratio": RATIOS}),
    estimator("PoissonRegressorCV", positive_y, {**FOLDS, "l1_ratio": RATIOS, "relax": values.FLAG}),
    estimator("GammaRegressorCV", positive_y, {**FOLDS, "l1_ratio": RATIOS}),
    estimator("TweedieRegressorCV", positive_y, {**FOLDS, "l1_ratio": RATIOS, "power": values.NUMBER}),
    estimator(
        "LogisticRegressionCV",
        labelled,
        {name: make for name, make in FOLDS.items() if name not in ("alphas", "eps")}
        | {"Cs": values.STRENGTHS, "l1_ratios": RATIOS, "relax": values.FLAG, "solver": values.CHOICE}
        | {"penalty": values.CHOICE, "refit": values.FLAG, "dual": values.FLAG, "keep_fold_paths": values.FLAG},
    ),
    estimator("HuberLossRegressorCV", rows, {**FOLDS, "l1_ratio": RATIOS, "delta": values.NUMBER}),
    estimator(
        "SquaredHingeClassifierCV",
        labelled,
        {name: make for name, make in FOLDS.items() if name not in ("alphas", "eps")}
        | {"Cs": values.STRENGTHS, "l1_ratios": RATIOS, "relax": values.FLAG, "keep_fold_paths": values.FLAG},
    ),
    estimator("MultiTaskLassoCV", several, {name: FOLDS[name] for name in ("cv", "alphas", "tol", "max_iter")}),
    estimator(
        "MultiTaskElasticNetCV",
        several,
        {name: FOLDS[name] for name in ("cv", "alphas", "tol", "max_iter", "eps")} | {"l1_ratio": RATIOS},
    ),
    function(
        "cross_validate_path",
        {
            "X": matrices.X,
            "y": matrices.Y,
            **FOLDS,
            "sample_weight": values.WEIGHTS,
            "l1_ratio": RATIOS,
            "loss": values.always(word="zzz", number=5, none=None, pair=("huber", -1.0), object=object()),
            "offset": values.VECTOR,
            "groups": values.always(number=5, short=[1, 2]),
            "solver": values.CHOICE,
            "callback": values.always(number=5, word="f"),
        },
    ),
    *(predicting(name, labelled) for name in ("LogisticRegression", "SquaredHingeClassifier")),
    predicting("LogisticRegression", labelled, "predict_proba"),
    *(predicting(name, positive_y) for name in ("PoissonRegressor", "GammaRegressor", "TweedieRegressor")),
    predicting("MultiTaskLasso", several),
    predicting("LassoCV", rows),
]


def served(rng: Rng) -> dict[str, Any]:
    """A small model of a table, and the table."""
    n = int(rng.integers(8, 20))
    frame = {"a": rng.integers(0, 4, n), "b": rng.choice(["x", "y", "z"], n), "c": rng.normal(size=n)}
    table = pd.DataFrame(frame)
    cross = S.FeatureCross(crosses=[("a", "b")], numeric=["c"])
    y = rng.normal(size=n)
    path = S.regularization_path(cross.fit_transform(table), y, alphas=3)
    return {"table": table, "y": y, "models": {"one": S.Model(cross, path, {}), "two": S.Model(cross, path, {})}}


def compact_predict(table: Any, models: Any, **_: Any) -> Any:
    return S.CompactModel.from_model(models["one"], 2).predict(table)


def compact_of(models: Any, k: Any = None, model: Any = None, **_: Any) -> Any:
    return S.CompactModel.from_model(models["one"] if model is None else model, k)


def compact_file(models: Any, content: Any = None, **_: Any) -> Any:
    """A compact file, spoilt."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "compact.json"
        S.CompactModel.from_model(models["one"], 2).save(path)
        if content is not None:
            text = path.read_bytes()
            path.write_bytes(content(text))
        return S.load_compact(path)


def comparison(table: Any, y: Any, models: Any, **own: Any) -> Any:
    return S.ModelComparison.from_models(models, table, y, **own)


def parquet(table: Any, y: Any, content: Any = None, **own: Any) -> Any:
    """Rows of a file, all of them read."""
    own.pop("models")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        table.assign(y=y, text="zzz", gaps=np.nan).to_parquet(path)
        if content is not None:
            path.write_bytes(content(path.read_bytes()))
        given = {"files": str(path), "target": "y", **own}
        return S.FeatureCross().fit_transform(S.ParquetRows(**given))


def _edited(**changes: Any) -> Any:
    """The file's JSON with other members."""
    return lambda text: json.dumps({**json.loads(text), **changes}).encode()


SPOILT = {
    **{name: (lambda _, __, f=f: f) for name, f in (("cut", lambda t: t[:-20]), ("zeros", lambda t: bytes(len(t))))},
    **{name: (lambda _, __, f=f: f) for name, f in (("empty", lambda _: b""), ("text", lambda _: b"zzz"))},
}
SPOILT_JSON = {
    **SPOILT,
    **{
        name: (lambda _, __, f=f: f)
        for name, f in (
            ("a list", lambda _: b"[]"),
            ("a number", lambda _: b"5"),
            ("nested", lambda _: b"[" * 100_000),
            ("no members", lambda _: b"{}"),
            ("other format", _edited(format="zzz")),
            ("other version", _edited(version=10**6)),
            ("text intercept", _edited(intercept="zzz")),
            ("another member", lambda t: t.replace(b"intercept", b"intersept")),
        )
    },
}
PLACES = values.always(absent="/no/such/place.parquet", number=5, nothing=[], numbers=[5], empty="")
TABLE = {name: make for name, make in TRANSFORMED.items() if name != "nan"}
SERVED = [
    Entry("CompactModel.predict", served, compact_predict, {"table": TABLE}),
    Entry(
        "CompactModel.from_model",
        served,
        compact_of,
        {
            "model": values.always(number=5, lasso=S.Lasso(), mapping={}, nothing=[]),
            "k": values.always(above=99, below=-99, text="a", half=1.5, nan=np.nan, complex=1j),
        },
    ),
    Entry("load_compact", served, compact_file, {"content": SPOILT_JSON}),
    Entry(
        "ModelComparison.from_models",
        served,
        comparison,
        {
            "models": {
                **values.always(number=5, word="zzz", nothing={}, lasso={"a": S.Lasso(), "b": S.Lasso()}),
                "one": lambda _, good: dict(list(good.items())[:1]),
                "three": lambda _, good: {**good, "three": good["one"]},
            },
            "table": {**TABLE, "no rows": lambda _, good: good.iloc[:0]},
            "y": matrices.Y,
            "sample_weight": values.WEIGHTS,
            "top": whole(0),
        },
    ),
    Entry(
        "ParquetRows",
        served,
        parquet,
        {
            "content": SPOILT,
            "files": PLACES,
            "target": values.always(unknown="zzz", number=5, of_text="text", gaps="gaps", pair=["y"]),
            "weight": values.always(unknown="zzz", number=5, of_text="text", gaps="gaps", pair=["y"]),
            "max_memory": values.always(negative=-1, text="a", nan=np.nan, nothing=0, half=1.5),
            "n_jobs": COMMON["n_jobs"],
            "held_out": values.always(negative=-0.5, one=1.0, above=1.5, text="a", nan=np.nan, complex=1j),
            "seed": values.always(negative=-1, text="a", half=1.5, nan=np.nan),
            "log_target": values.FLAG,
            "drop_missing_target": values.FLAG,
        },
    ),
]

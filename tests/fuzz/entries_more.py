"""Entry points beside fits: crosses, reports, degrees of freedom, saving."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sparsereg as S
from fuzz import bad_matrices as matrices
from fuzz import bad_values as values
from fuzz.bad_values import Make, Rng
from fuzz.entries import Entry, rows


def table(rng: Rng) -> dict[str, Any]:
    n = int(rng.integers(6, 20))
    frame = {"a": rng.integers(0, 4, n), "b": rng.choice(["x", "y", "z"], n), "c": rng.normal(size=n)}
    return {"table": pd.DataFrame(frame)}


def cross(table: Any, **own: Any) -> Any:
    return S.FeatureCross(**own).fit_transform(table)


def transform(table: Any, other: Any, **_: Any) -> Any:
    return S.FeatureCross(crosses=[("a", "b")]).fit(other).transform(table)


def whole(least: int) -> dict[str, Make]:
    return values.always(below=least - 1, half=1.5, text="a", nan=np.nan, pair=[1], date=values.DATE, complex=1j)


CROSS = {
    "table": {
        **values.always(none=None, number=5.0, word="zzz", an_object=object(), none_at_all=[]),
        "no columns": lambda _, good: good[[]],
        "no rows": lambda _, good: good.iloc[:0],
        "names twice": lambda _, good: pd.concat([good, good], axis=1),
        "deeper": lambda _, __: np.ones((4, 2, 2)),
        "infinite": lambda _, good: good.assign(c=np.inf),
    },
    "fields": values.always(unknown=["zzz"], number=5, outside=[99], twice=["a", "a"], nothing=[], object=object()),
    "bins": values.always(
        unknown={"zzz": S.Width(1)}, number={"c": 5}, word="zzz", of_text={"b": S.Width(1)}, pair=[1]
    ),
    "crosses": values.always(
        unknown=[("a", "zzz")], one=[("a",)], number=5, numbers=[5], same=[("a", "a")], of_number=[("a", "c")]
    ),
    "main_effects": values.always(number=5, unknown=["zzz"], none=None, word="zzz"),
    "handle_unknown": {**values.CHOICE, **values.NONE},
    "dtype": values.always(word="zzz", complex=complex, integer=int, half=np.float16, object=object),
    "numeric": values.always(unknown=["zzz"], number=5, of_text=["b"]),
    "degree": whole(1),
    "min_count": whole(1),
    "max_levels": whole(1),
    "rare": {**values.CHOICE, **values.NONE},
    "missing": {**values.CHOICE, **values.NONE},
    "max_memory": values.always(negative=-1, text="a", nan=np.nan, nothing=0),
    "hashed": whole(1),
}
TRANSFORMED = {
    **{name: make for name, make in CROSS["table"].items() if name not in ("no rows", "infinite")},
    "fewer": lambda _, good: good[["a", "c"]],
    "renamed": lambda _, good: good.rename(columns={"a": "z"}),
    "array": lambda _, __: np.ones((4, 2)),
    "infinite": lambda _, good: good.assign(c=np.inf),
    "nan": lambda _, good: good.assign(c=np.nan),
    "text for number": lambda _, good: good.assign(c="zzz"),
}


def two_tables(rng: Rng) -> dict[str, Any]:
    given = table(rng)
    return {**given, "other": given["table"].copy()}


def degrees(X: Any, y: Any, name: str, Z: Any, **own: Any) -> Any:
    model = own.pop("estimator", None)
    model = getattr(S, name)(alpha=0.01).fit(Z, y) if model is None else model
    return S.degrees_of_freedom(model, X, **own)


def fitted(rng: Rng) -> dict[str, Any]:
    given = rows(rng)
    return {**given, "Z": given["X"].copy(), "name": str(rng.choice(["Lasso", "Ridge", "ElasticNet"]))}


def path_of(X: Any, y: Any, **_: Any) -> Any:
    return S.regularization_path(X, y, alphas=4)


def report(X: Any, y: Any, path: Any = None, **own: Any) -> Any:
    return S.SparsityReport.from_path(path_of(X, y) if path is None else path, **own).to_text()


def point(X: Any, y: Any, k: Any = 0) -> Any:
    return path_of(X, y).predict(X, k)


def save(X: Any, y: Any, path: Any = None, cross: Any = None, **meta: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        S.save_model(Path(folder) / "model.npz", cross, path_of(X, y) if path is None else path, **meta)


OTHER = values.always(number=5, word="zzz", lasso=S.Lasso(), ridge=S.Ridge(), mapping={})
POINT = values.always(above=99, below=-99, text="a", half=1.5, nan=np.nan, complex=1j)
DEGREES = {
    "X": {**matrices.X, **matrices.NARROW},
    "sample_weight": values.WEIGHTS,
    "estimator": values.always(
        number=5, unfitted_lasso=S.Lasso(), unfitted_ridge=S.Ridge(), word="zzz", cross=S.FeatureCross()
    ),
    "target": POINT,
    "stops": values.always(
        zero=[0], falls=[3, 2], beyond=[99], text=["a"], nothing=[], number=5, real=[1.5], nan=[np.nan]
    ),
    "n_probes": values.always(one=1, negative=-1, half=1.5, text="a"),
}
MORE = [
    Entry("FeatureCross", table, cross, CROSS),
    Entry("FeatureCross.transform", two_tables, transform, {"table": TRANSFORMED}),
    Entry("degrees_of_freedom", fitted, degrees, DEGREES),
    Entry(
        "SparsityReport.from_path",
        rows,
        report,
        {
            "path": OTHER,
            "cross": OTHER,
            "k": POINT,
            "top": whole(0),
            "scores": values.always(short={"a": [1]}, number=5),
        },
    ),
    Entry("PathResult.predict", rows, point, {"k": POINT}),
    Entry(
        "save_model",
        rows,
        save,
        {"path": OTHER, "cross": OTHER, "point": POINT, "note": values.always(object=object(), nan=np.nan)},
    ),
]

"""Compact models predict what the fitted models do, for every kind of column, link, reader and language."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import shutil
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsereg as S
from sparsereg import (
    CompactModel,
    DatePart,
    Edges,
    FeatureCross,
    Model,
    Of,
    PathResult,
    Quantiles,
    Split,
    Width,
)

READER = Path(__file__).parent / "readers" / "compact.mjs"
WORDS = ["a", "b ", "é", "e\u0301", "missing", "rare", "x=y", "a x b", "'q", ""]


def path_of(weights, intercept=0.5, link="identity"):
    """A path of one point with these weights."""
    return PathResult(
        alphas=np.ones(1), l1_ratio=1.0, coefs=sp.csc_array(np.asarray(weights)[:, None]),
        intercepts=np.array([intercept]), dual_gaps=np.zeros(1), gap_scale=1.0, tol=1.0,
        n_iters=np.ones(1, dtype=np.int64), link=link,
    )  # fmt: skip


def table_of(rng, n, zone=None):
    """Columns of every kind, with missing values and values on the edges of bins."""
    start = pd.Timestamp("2023-12-30 22:15")
    dates = pd.Series(start + pd.to_timedelta(rng.integers(0, 600_000, n), unit="min"))
    minutes = rng.integers(-200, 200, n) / 60
    return pd.DataFrame(
        {
            "word": rng.choice([*WORDS, None], n),
            "code": pd.array(rng.choice([1, 7, 2**40, None], n), dtype="Int64"),
            "flag": pd.array(rng.choice([True, False, None], n), dtype="boolean"),
            "place": np.where(rng.random(n) < 0.1, np.nan, minutes + rng.choice([0, 1e-9, -1e-9], n)),
            "angle": rng.choice([-180.0, 179.9, 180.0, 540.0, 0.5], n),
            "age": rng.choice([17.9, 18.0, 64.0, np.nan, 65.0, np.inf], n),
            "when": dates.where(rng.random(n) < 0.9).dt.tz_localize("UTC").dt.tz_convert(zone) if zone else dates,
            "tags": rng.choice(["u|v", "v|u|u", "w", "", None, "é | e\u0301"], n),
            "size": rng.normal(size=n).round(3),
            "km": rng.normal(size=n),
        }
    )  # fmt: skip


def cross_of(**options):
    bins = {
        "place": Width("1/60"),
        "degree": Of("place", Width(1, origin="1/3")),
        "angle": Width(10, period=360),
        "age": Edges([18, 65]),
        "when": DatePart("hour"),
        "weekday": Of("when", DatePart("weekday")),
        "tags": Split("|"),
        "size": Quantiles(3),
    }
    return FeatureCross(bins=bins, **options)


def compare(model, table, expected, one=50):
    """All readers against `expected`, and each other."""
    compact = CompactModel.from_model(model)
    again = CompactModel(type(compact.scorer)(json.loads(compact.to_json())))
    scale = 1 + np.abs([weight for _, weight in compact.weights()]).sum()
    tolerance = 1e-12 * np.maximum(scale, np.abs(expected))
    assert (np.abs(again.predict(table) - expected) <= tolerance).all()
    rows = table.head(one).to_dict("records")
    assert (np.abs(np.array([again.predict_one(row) for row in rows]) - expected[:one]) <= tolerance[:one]).all()
    if compact.link == "identity":
        for row, value in zip(rows[:5], expected[:5], strict=True):
            parts = compact.explain_one(row)
            assert abs(compact.intercept + sum(weight for _, weight in parts) - value) <= tolerance[0]
            assert len({name for name, _ in parts}) == len(parts)
    return compact


@given(st.integers(0, 2**32 - 1), st.data())
@settings(max_examples=40)
def test_random_crosses(seed, data):
    rng = np.random.default_rng(seed)
    zone = data.draw(st.sampled_from([None, "UTC", "Europe/Paris", "America/St_Johns"]))
    table = table_of(rng, 80, zone)
    fields = ["word", "code", "flag", "place", "degree", "angle", "age", "when", "weekday", "tags", "size", "km"]
    used = data.draw(st.lists(st.sampled_from(fields), min_size=1, max_size=6, unique=True))
    categories = [name for name in used if name != "km"]
    sizes = st.integers(2, max(2, len(categories)))
    draws = (
        [data.draw(st.permutations(categories))[: data.draw(sizes)] for _ in range(2)] if len(categories) > 1 else []
    )
    crosses = list({frozenset(cross): tuple(cross) for cross in draws}.values())
    cross = cross_of(
        missing=data.draw(st.sampled_from(["level", "zero"])),
        crosses=crosses,
        min_count=data.draw(st.sampled_from([1, 2, 5])),
        rare=data.draw(st.sampled_from(["drop", "pool"])),
        normalize_text=data.draw(st.booleans()),
        dtype=data.draw(st.sampled_from([np.float32, np.float64])),
    )
    bins = {name: rule for name, rule in cross.bins.items() if name in used}
    cross.set_params(fields=used, bins=bins)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of texts that look the same
        cross.fit(table)
    p = cross.n_features_out_
    weights = rng.normal(size=p) * (rng.random(p) < data.draw(st.sampled_from([0.05, 0.5, 1.0])))
    link = data.draw(st.sampled_from(["identity", "log", "logit"]))
    path = path_of(weights, float(rng.normal()), link)
    fresh = table_of(rng, 80, zone)
    fresh["word"] = fresh["word"].replace("a", "unseen")
    z = cross.transform(fresh) @ weights + path.intercepts[0]
    expected = {"identity": z, "log": np.exp(z), "logit": 1 / (1 + np.exp(-z))}[link]
    model = Model(cross, path, {"target": "y"})
    compact = compare(model, fresh, expected)
    names = [name for name, _ in compact.weights()]
    assert names == cross.feature_names(np.flatnonzero(weights))


@functools.cache
def everything(zone="Europe/Paris", link="identity", **options):
    """A model with every kind of column, some weights exactly 0."""
    rng = np.random.default_rng(3)
    table = table_of(rng, 400, zone)
    crosses = [("word", "place"), ("tags", "code"), ("flag", "when", "age"), ("weekday", "angle")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of texts that look the same
        cross = cross_of(crosses=crosses, min_count=2, rare="pool", **options).fit(table)
    K = 3 if link == "softmax" else 1
    weights = rng.normal(size=(cross.n_features_out_, K)) * (rng.random((cross.n_features_out_, K)) < 0.7)
    weights[-1] = 0.25  # of km
    path = path_of(weights[:, 0], link=link)
    if K > 1:
        columns = tuple(sp.csc_array(weights[:, [k]]) for k in range(K))
        path = replace(path, coefs=columns, intercepts=np.array([[0.5, -0.5, 0.0]]), classes=np.array(["u", "v", "w"]))
    return Model(cross, path), table


# So many rows in CI; of 100,000 all losses take about two minutes.
PARITY_ROWS = int(os.environ.get("SPARSEREG_PARITY_ROWS", "3000"))
LOSSES = ["squared", "logistic", "multinomial", "poisson", "gamma", "tweedie:1.5", "huber:1", "squared_hinge"]


def target_of(loss, table, rng):
    """A target that a loss takes, and that columns of several kinds explain."""
    flag, code = table["flag"].fillna(False).astype(bool), table["code"].fillna(0)
    z = 0.6 * (table["word"] == "a") + 0.5 * (table["age"] > 18) * flag + 0.2 * table["km"] + 0.5 * (code == 7)
    z += 0.4 * (table["tags"] == "w") + 0.3 * (table["when"].dt.hour == 3) - 0.4 * (table["angle"] == 540.0)
    z = z.to_numpy(dtype=np.float64) + 0.3 * rng.normal(size=len(table))
    targets = {
        "logistic": z > 0.3, "squared_hinge": np.where(z > 0.3, 1.0, -1.0), "gamma": np.exp(z),
        "multinomial": np.digitize(z, [0.0, 0.6]), "poisson": rng.poisson(np.exp(z)), "tweedie": np.exp(z) * (z > 0),
    }  # fmt: skip
    return targets.get(loss.partition(":")[0], z).astype(np.float64)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("with_offset", [False, True])
def test_parity_for_every_loss_and_kind_of_column(loss, with_offset):
    """Fitted models on rows with missing and unknown values and values on the edges of bins: both readers beside the
    transformed table times the coefficients, by plain NumPy."""
    rng, zone = np.random.default_rng(7), "Europe/Paris"
    fitted = table_of(rng, 2000, zone)
    crosses = [("word", "place"), ("tags", "code"), ("flag", "when", "age"), ("weekday", "angle")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of texts that look the same
        X = (cross := cross_of(crosses=crosses, min_count=2, rare="pool")).fit_transform(fitted)
    is_log = S.losses.as_path_loss(loss).link == "log"
    shift = rng.uniform(0.1, 2.0, 2000) if is_log else rng.normal(size=2000)
    offset = np.log(shift) if is_log else shift
    n_outputs = 3 if loss == "multinomial" else 1
    given = {"offset": np.tile(offset[:, None], n_outputs).squeeze()} if with_offset else {}
    path = S.regularization_path(X, target_of(loss, fitted, rng), loss=loss, alphas=12, eps=1e-3, **given)
    column = {"column": "shift", "log": is_log}
    compact = CompactModel.from_model(Model(cross, path, {"offset": column} if with_offset else {}), k=-1)
    used = {name for name, _ in (pair for k in range(n_outputs) for pair in compact.weights(k))}
    parts = {part.partition("=")[0] for name in used for part in name.split(" x ")}
    assert parts >= set(fitted.columns) | {"degree", "weekday"}
    assert any(" x " in name for name in used)

    table = table_of(rng, PARITY_ROWS, zone)
    for name, unknown in (("word", "never seen"), ("code", 12345), ("tags", "never|u"), ("angle", 77.7)):
        table[name] = table[name].where(rng.random(PARITY_ROWS) < 0.9, unknown)
    table["shift"] = rng.uniform(0.1, 2.0, PARITY_ROWS)
    z = cross.transform(table) @ sp.hstack([part.tocsc()[:, [-1]] for part in path.outputs]).toarray()
    z += path.intercepts.reshape(path.alphas.size, -1)[-1]
    if with_offset:
        z += (np.log(table["shift"]) if is_log else table["shift"]).to_numpy()[:, None]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    means = {"identity": z, "log": np.exp(z), "logit": 1 / (1 + np.exp(-z)), "softmax": e / e.sum(axis=1)[:, None]}
    expected = means[path.link] if path.link == "softmax" else means[path.link][:, 0]
    size = np.maximum(np.abs(expected), np.abs(expected).mean())  # of sums near 0: relative to what is summed
    errors = [np.abs(compact.predict(table) - expected) / size]
    errors.append(np.abs(np.array([compact.predict_one(row) for row in table.to_dict("records")]) - expected) / size)
    worst = [float(error.max()) for error in errors]
    print(f"{loss}, offset {with_offset}: {len(used)} columns, {worst[0]:.1e} in tables, {worst[1]:.1e} row by row")
    assert max(worst) <= 1e-12


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_reader_in_javascript(tmp_path):
    """A second reader, written from the description of the format, passes the test rows; and fails on a wrong one."""
    files = []
    kinds = [("Europe/Paris", "identity"), (None, "log"), ("UTC", "logit"), ("UTC", "softmax")]
    for i, (zone, link) in enumerate(kinds):
        model, _ = everything(zone, link, normalize_text=i == 1)
        if i == 1:  # with an exposure
            model = Model(model.cross, model.path, {"offset": {"column": "own", "log": True}})
        CompactModel.from_model(model).save(tmp_path / f"{i}.json")
        files.append(str(tmp_path / f"{i}.json"))
    subprocess.run(["node", str(READER), *files], check=True, capture_output=True, text=True)
    data = json.loads(Path(files[0]).read_text(encoding="utf-8"))
    data["tests"][3]["prediction"] += 1e-3
    Path(files[0]).write_text(json.dumps(data), encoding="utf-8")
    assert subprocess.run(["node", str(READER), files[0]], check=False, capture_output=True).returncode != 0


def test_test_rows_cover_missing_unknown_and_edges():
    model, _ = everything()
    tests = CompactModel.from_model(model).data["tests"]
    rows = [test["row"] for test in tests]
    assert len(rows) == 20
    for column in ("word", "code", "flag", "place", "age", "when", "tags"):
        assert None in [row[column] for row in rows], column
    assert "?" in {row["word"] for row in rows} | {row["tags"] for row in rows}
    assert {18.0, 65.0} & {row["age"] for row in rows}
    assert any(row["place"] is not None and float(row["place"] * 60).is_integer() for row in rows)
    assert len({test["prediction"] for test in tests}) > 15


def test_large_table_of_real_rows(real_data):
    """100,000 rows, as the pipeline predicts them."""
    table = pl.read_csv(real_data / "nycflights13_flights.csv.gz", null_values="NA", infer_schema_length=None)
    table = table.filter(pl.col("arr_delay").is_not_null())[:100_000]
    cross = FeatureCross(
        fields=["month", "hour", "carrier", "origin", "dest", "distance"], bins={"distance": Width(100)},
        crosses=[("carrier", "dest"), ("origin", "hour", "month")],
    )  # fmt: skip
    X = cross.fit_transform(table)
    path = S.regularization_path(X, table["arr_delay"].to_numpy(), alphas=10)
    expected = path.predict(X, -1)
    compact = CompactModel.from_model(Model(cross, path))
    assert np.abs(compact.predict(table) - expected).max() <= 1e-12 * np.abs(expected).max()
    rows = table.select(compact.columns).to_dicts()
    assert np.abs([compact.predict_one(row) for row in rows] - expected).max() <= 1e-12 * np.abs(expected).max()


def test_keys_beyond_the_integers_of_floats():
    """Eight fields of 120 levels have more than 2^53 combinations."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"f{i}": np.tile(rng.permutation(120), 2) for i in range(8)})
    cross = FeatureCross(crosses=[tuple(table.columns)], main_effects=False)
    X = cross.fit_transform(table)
    weights = rng.normal(size=X.shape[1])
    compact = compare(Model(cross, path_of(weights)), table, X @ weights + 0.5)
    assert isinstance(compact.data["terms"][0]["keys"][0], list)


def test_values_as_programs_hold_them():
    """NumPy scalars, pandas' missing values, dates without times, whole floats."""
    model, table = everything("UTC")
    compact = CompactModel.from_model(model)
    row = table.iloc[5].to_dict() | {"code": 7, "flag": True, "age": 65.0}
    same = row | {"code": np.int64(7), "flag": np.bool_(True), "age": np.float32(65)}
    assert compact.predict_one(row) == compact.predict_one(same) == compact.predict_one(row | {"code": 7.0})
    gone = [None, float("nan"), pd.NA, np.float32("nan")]
    assert len({compact.predict_one(row | {"code": value, "word": None}) for value in gone}) == 1
    assert compact.predict_one(row | {"when": pd.NaT}) == compact.predict_one(row | {"when": np.datetime64("NaT")})
    paris = dt.datetime(2024, 7, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert compact.predict_one(row | {"when": paris}) == compact.predict_one(row | {"when": "2024-07-01T00:00:00Z"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"code": "7"}, "'code' holds '7'"), ({"code": 1.5}, "'code' holds 1.5"), ({"code": True}, "'code'"),
        ({"flag": 1}, "'flag'"), ({"word": 3}, "'word'"), ({"place": "3"}, "number is needed"),
        ({"place": np.inf}, "too far"), ({"angle": 2**60}, "2\\^53"), ({"when": "2024-01-01"}, "zone"),
        ({"when": 3}, "'when'"), ({"tags": 3}, "'tags'"), ({"tags": ["a"]}, "'tags'"), ({"km": None}, "passes through"),
        ({"km": np.inf}, "passes through"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_as_in_a_table(change, words):
    model, table = everything("UTC")
    compact = CompactModel.from_model(model)
    row = table.iloc[5].to_dict()
    with pytest.raises(ValueError, match=words):
        compact.predict_one(row | change)
    with pytest.raises(ValueError, match="has no column 'word'"):
        compact.predict_one({name: value for name, value in row.items() if name != "word"})

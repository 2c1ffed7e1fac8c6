"""Tests of planning: exact on small tables, close on samples of large ones, and honest about memory."""

import math
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sparsereg import FeatureCross, Quantiles, Split, Width, regularization_path


def table(n, seed=0):
    rng = np.random.default_rng(seed)

    def zipf(k):
        chances = 1 / np.arange(1, k + 1)
        return rng.choice(k, n, p=chances / chances.sum())

    return pd.DataFrame(
        {
            "user": zipf(5000),
            "item": zipf(2000),
            "hour": zipf(24),
            "city": pd.Series(rng.choice(["a", "b", "c", None], n), dtype="str"),
            "genres": rng.choice(["x|y", "y", "z|x|w", ""], n),
            "size": np.where(rng.random(n) < 0.1, math.nan, rng.normal(size=n)),
            "z": rng.integers(0, 3, n) * 0.5,
        }
    )


RECIPE = {
    "bins": {"genres": Split("|"), "size": Quantiles(9)},
    "crosses": [("user", "item"), ("hour", "city"), ("user", "genres"), ("size", "item")],
}
PARAMETERS = [
    {},
    {"min_count": 3, "rare": "pool"},
    {"missing": "zero", "max_levels": 100},
    {"dtype": np.float32, "max_levels": 50, "rare": "pool"},
    {"hashed": 5000},
]


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_a_table_within_the_sample_is_counted(parameters):
    X = table(3000)
    cross = FeatureCross(**RECIPE, **parameters)
    plan = cross.plan(X)
    assert not hasattr(cross, "n_features_out_")
    found = cross.fit_transform(X)
    assert plan.sampled == plan.n_rows == 3000
    assert plan.n_columns == found.shape[1]
    described = cross.describe()
    assert [row["block"] for row in plan.blocks] == [row["block"] for row in described]
    assert [row["columns"] for row in plan.blocks] == [row["columns"] for row in described]
    assert all(row["exact"] for row in plan.blocks)
    # Where several pooled levels of a row make one entry, and where hashed ones meet, there are fewer.
    if "hashed" not in parameters and "rare" not in parameters:
        assert plan.entries == found.nnz
    else:
        assert plan.entries >= found.nnz


@pytest.mark.parametrize(
    "read", [lambda frame: frame, pl.from_pandas, pa.Table.from_pandas, lambda f: f.to_numpy(object)]
)
def test_a_sample_predicts_the_columns(read):
    X = table(40_000)[["user", "item", "hour", "city", "z"]]
    X["z"] = X["z"].astype(str)
    X = read(X)
    cross = FeatureCross(
        crosses=[(0, 1), (2, 3)] if isinstance(X, np.ndarray) else [("user", "item"), ("hour", "city")]
    )
    plan = cross.plan(X, sample=10_000)
    assert (plan.sampled, plan.n_rows) == (10_000, 40_000)
    for row, block in zip(plan.blocks, cross.fit(X).blocks_, strict=True):
        assert not row["exact"]
        assert 0.95 * block.n_observed <= row["columns"] <= 1.15 * block.n_observed
    assert plan.entries == 40_000 * 7
    again = cross.plan(X, sample=10_000)
    assert again == plan


@pytest.mark.parametrize("parameters", [{"min_count": 4}, {"max_levels": 300, "rare": "pool"}, {"missing": "zero"}])
def test_a_sample_predicts_columns_and_entries_under_limits(parameters):
    X = table(40_000)
    cross = FeatureCross(**RECIPE, **parameters)
    plan = cross.plan(X, sample=10_000)
    found = cross.fit_transform(X)
    assert 0.9 * found.shape[1] < plan.n_columns < 1.1 * found.shape[1]
    # A limit on the levels bounds the columns, and is not counted on to spare entries.
    assert 0.98 * found.nnz < plan.entries < 1.25 * found.nnz


@pytest.mark.parametrize("scale", [1.5, 4, 10])
@pytest.mark.parametrize("min_count", [1, 5])
def test_levels_are_inferred_from_a_sample_whatever_their_sizes(scale, min_count):
    """Full vocabularies, where every level is as frequent as the next, and heavy tails, where most occur once."""
    rng = np.random.default_rng(1)
    n = 120_000
    tails = [rng.integers(0, 20_000, n), rng.zipf(1.5, n), np.repeat(np.arange(n // 6), 6), np.arange(n)]
    X = pd.DataFrame({f"f{k}": np.unique(tail, return_inverse=True)[1] for k, tail in enumerate(tails)})
    plan = FeatureCross(min_count=min_count).plan(X, sample=round(n / scale))
    for row, column in zip(plan.blocks, X.columns, strict=True):
        found = (np.bincount(X[column]) >= min_count).sum()
        slack = 0.35 if scale == 10 else 0.1
        assert abs(row["columns"] - found) <= slack * found + 5, (column, row["columns"], found)


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_the_planned_memory_is_what_encoding_takes(parameters):
    X = table(60_000)
    cross = FeatureCross(**RECIPE, **parameters)
    plan = cross.plan(X)
    tracemalloc.start()
    try:
        cross.fit_transform(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.8 * peak < plan.encoding_bytes < 2.5 * peak


def test_the_planned_memory_is_what_a_path_takes():
    X = table(60_000)
    cross = FeatureCross(**RECIPE)
    plan = cross.plan(X)
    tracemalloc.start()
    try:
        found = cross.fit_transform(X)
        tracemalloc.reset_peak()
        regularization_path(found, X["z"].to_numpy(), alphas=5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.6 * peak < plan.path_bytes < 2.5 * peak


def test_what_does_not_fit_is_refused_with_the_plan():
    X = table(2000)
    cross = FeatureCross(**RECIPE)
    plan = cross.plan(X)
    enough = FeatureCross(**RECIPE, max_memory=plan.peak_bytes)
    assert (enough.fit_transform(X) != cross.fit_transform(X)).nnz == 0
    tight = FeatureCross(**RECIPE, max_memory=plan.peak_bytes - 1)
    for call in (tight.fit, tight.fit_transform, tight.partial_fit):
        with pytest.raises(ValueError, match=rf"max_memory={plan.peak_bytes - 1} bytes is less(.|\n)*user x item"):
            call(X)
    assert not hasattr(tight, "n_features_out_")
    tight.partial_fit(X.iloc[:500]).partial_fit(X.iloc[500:1000])
    assert tight.transform(X).shape[0] == 2000


def test_the_plan_reads_as_a_table():
    X = pd.DataFrame({"a": [1, 2, 2, 1], "b": list("ppqq"), "x": [0.1, 0.2, 0.3, 5.0]})
    plan = FeatureCross(bins={"x": Width(1)}, crosses=[("a", "b")]).plan(X)
    lines = str(plan).split("\n")
    assert [line.split() for line in lines[:-1]] == [
        ["block", "cells", "columns", "entries"],
        ["a", "2", "2", "4"],
        ["b", "2", "2", "4"],
        ["x", "6", "2", "4"],
        ["a", "x", "b", "4", "4", "4"],
    ]
    assert lines[-1].startswith("4 rows, 10 columns, 16 entries, counted on all rows; ")
    assert "most columns are those of 'a x b'" in lines[-1]
    sampled = FeatureCross(crosses=[("a", "b")], fields=["a", "b"]).plan(X, sample=2)
    assert "estimated from 2 of them" in str(sampled)
    assert "~" in str(sampled)


@pytest.mark.parametrize("wrong", [0, 1.5, True, "1GB"])
def test_wrong_parameters_are_named(wrong):
    with pytest.raises(ValueError, match="max_memory="):
        FeatureCross(max_memory=wrong).fit(np.eye(2))
    with pytest.raises(ValueError, match="sample="):
        FeatureCross().plan(np.eye(2), sample=wrong)

"""Warnings about fields that are probably not meant as they are: identifiers."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sparsereg.crosses.binning import Quantiles
from sparsereg.crosses.feature_cross import FeatureCross

RNG = np.random.default_rng(0)
ROWS = 300
TABLE = pd.DataFrame(
    {
        "id": np.arange(ROWS) * 7,
        "host": [f"h{k}" for k in np.r_[np.arange(270), np.zeros(30, dtype=int)]],
        "city": RNG.choice(["a", "b", "c"], ROWS),
        "zipf": RNG.zipf(1.4, ROWS),
        "price": RNG.normal(size=ROWS),
    }
)


def silent(call, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return call(*arguments)


class TestIdentifiers:
    @pytest.mark.parametrize("name", ["id", "host"])
    @pytest.mark.parametrize("frame", [pd.DataFrame, pl.from_pandas])
    def test_are_named_with_the_remedy(self, name, frame):
        table = frame(TABLE[[name, "city"]])
        words = rf"field '{name}' has \d+ levels, \d+ of them in a single row.*leave it out of fields.*min_count=2"
        for parameters in ({}, {"crosses": [(name, "city")], "main_effects": ["city"]}, {"hashed": 64}):
            with pytest.warns(UserWarning, match=words):
                FeatureCross(**parameters).fit(table)
        with pytest.warns(UserWarning, match=words):
            FeatureCross().fit_transform(table)

    def test_chunks_count_together(self):
        cross = silent(FeatureCross().fit, TABLE[["id"]][:99])
        with pytest.warns(UserWarning, match="field 'id'"):
            cross.partial_fit(TABLE[["id"]][99:])
        cross = silent(FeatureCross().fit, TABLE[["id"]][:99])
        with pytest.warns(UserWarning, match="field 'id'"):
            cross.merge(silent(FeatureCross().fit, TABLE[["id"]][200:299]))
        again = silent(FeatureCross().fit, TABLE[["id"]][:99])
        for _ in range(3):
            silent(again.partial_fit, TABLE[["id"]][:99])

    def test_others_are_not_named(self):
        silent(FeatureCross(degree=2).fit, TABLE[["city", "zipf", "price"]])
        silent(FeatureCross(fields=["id", "city"], numeric=["id"]).fit, TABLE)
        silent(FeatureCross(fields=["id"], bins={"id": Quantiles(200)}).fit, TABLE)
        silent(FeatureCross(fields=["id", "city"], min_count=2).fit, TABLE)
        silent(FeatureCross(fields=["city"]).fit, TABLE)
        silent(FeatureCross().fit, TABLE[["id", "host"]][:60])

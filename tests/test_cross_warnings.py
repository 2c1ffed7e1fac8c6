"""Warnings about fields that are probably not meant as they are: identifiers, and texts that look the same."""

from __future__ import annotations

import unicodedata
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sparsereg.crosses.binning import Quantiles
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.split import Split

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
        words = rf"field '{name}' has \d+ levels, \d+ of them in a single row.*leave it out.*min_count to 2"
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


NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


class TestTextsThatLookTheSame:
    @pytest.mark.parametrize(
        "texts", [[NFC, NFD], ["1", " 1"], ["1 ", " 1"], ["x", "x\u00a0"], ["", " "], ["tea", NFD, f"{NFC}\t"]]
    )
    @pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
    def test_are_named_and_merged_on_demand(self, texts, frame):
        table = frame({"a": [*texts, "z", "other"], "b": ["u", "v"] + ["u"] * len(texts)})
        with pytest.warns(UserWarning, match=r"field 'a' has the levels '.*' and '.*', which .*normalize_text=True"):
            exact = FeatureCross().fit(table)
        cross = silent(FeatureCross(normalize_text=True, crosses=[("a", "b")], handle_unknown="error").fit, table)
        assert len(cross.levels_["a"]) < len(exact.levels_["a"])
        for loaded in (cross, FeatureCross.from_arrays(cross.to_arrays())):
            matrix = loaded.transform(table)
            first, second = (
                matrix[row, : len(loaded.levels_["a"])].toarray() for row in (len(texts) - 2, len(texts) - 1)
            )
            np.testing.assert_array_equal(first, second)
        assert "normalize_text=True" in repr(cross)

    def test_a_form_not_seen_in_fit(self):
        cross = FeatureCross(normalize_text=True).fit(pd.DataFrame({"a": [NFD, "b "]}))
        assert cross.transform(pd.DataFrame({"a": [f" {NFC}", "b"]})).nnz == 2

    def test_in_splits(self):
        table = pd.DataFrame({"a": ["x | y", "y|x", f"{NFC}|{NFD}", None]})
        with pytest.warns(UserWarning, match="field 'a' has the levels"):
            FeatureCross(bins={"a": Split("|")}).fit(table)
        cross = silent(FeatureCross(bins={"a": Split("|")}, normalize_text=True).fit, table)
        assert cross.levels_["a"].strings == (NFC, "x", "y")
        lists = pl.DataFrame({"a": [["x ", "y"], [NFD], ["x", NFC]]})
        cross = silent(FeatureCross(bins={"a": Split()}, normalize_text=True).fit, lists)
        assert set(cross.levels_["a"].strings) == {"x", "y", NFC}

    def test_categoricals_and_chunks(self):
        one, two = pd.DataFrame({"a": pd.Categorical(["1"])}), pd.DataFrame({"a": pd.Categorical(["1 "])})
        cross = silent(FeatureCross().fit, one)
        with pytest.warns(UserWarning, match="field 'a' has the levels"):
            cross.partial_fit(two)
        cross = silent(FeatureCross(normalize_text=True).fit, one)
        assert silent(cross.partial_fit, two).n_features_out_ == 1
        with pytest.raises(ValueError, match="fit both with the same parameters"):
            cross.merge(FeatureCross().fit(one))

    def test_the_parameter_is_checked(self):
        with pytest.raises(ValueError, match="normalize_text='NFC' must be True or False"):
            FeatureCross(normalize_text="NFC").fit(TABLE[["city"]])
        silent(FeatureCross().fit, pd.DataFrame({"a": ["é", "e", "E", "süd", "sud", "a b", "ab"]}))

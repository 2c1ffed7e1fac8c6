"""Tests of rare levels, of growing by chunks, of merging, and of what a fitted cross tells about itself."""

import math
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsereg.crosses.binning import Quantiles, Width
from sparsereg.crosses.feature_cross import FeatureCross, Rare

rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "rare", None]),
        st.sampled_from([None, -5, 0, 1, 2, 2**40]),
        st.sampled_from([0.1, 0.7, 3.2, -1.0, math.nan]),
        st.booleans(),
        st.floats(-3, 3),
    ),
    min_size=1,
    max_size=25,
)
RECIPE = {"bins": {"f": Width(0.5)}, "crosses": [("s", "i"), ("b", "f", "s")]}


def frame(values):
    s, i, f, b, z = zip(*values, strict=True)
    return pd.DataFrame(
        {
            "s": pd.Series(s, dtype="str"),
            "i": pd.array(i, dtype="Int64"),
            "f": np.array(f),
            "b": np.array(b),
            "z": np.array(z),
        }
    )


def same(one, two, table):
    assert one.blocks_ == two.blocks_
    assert one.describe() == two.describe()
    assert list(one.get_feature_names_out()) == list(two.get_feature_names_out())
    found, expected = one.transform(table), two.transform(table)
    assert found.shape == expected.shape
    assert (found != expected).nnz == 0


@settings(max_examples=25, deadline=None)
@given(rows, rows, rows, st.integers(1, 4), st.sampled_from(["drop", "pool"]))
def test_chunks_and_merging_give_what_the_whole_gives(first, second, third, min_count, rare):
    def make():
        return FeatureCross(**RECIPE, min_count=min_count, rare=rare)

    whole = make().fit(frame(first + second + third))
    table = frame(first + second + third)
    chunked = make()
    for chunk in (first, second, third):
        chunked.partial_fit(frame(chunk))
    same(chunked, whole, table)
    left, right = make().fit(frame(first)), make().fit(frame(second + third))
    before = pickle.dumps(right)
    same(left.merge(right), whole, table)
    assert pickle.dumps(right) == before
    same(FeatureCross.from_arrays(chunked.to_arrays()), whole, table)


@settings(max_examples=25, deadline=None)
@given(rows, st.integers(1, 4))
def test_rare_columns_are_those_with_few_rows(values, min_count):
    table = frame(values)
    everything = FeatureCross(**RECIPE).fit_transform(table).toarray()[:, :-1]
    full = FeatureCross(**RECIPE).fit(table)
    often = everything.sum(axis=0) >= min_count
    dropped = FeatureCross(**RECIPE, min_count=min_count)
    np.testing.assert_array_equal(dropped.fit_transform(table).toarray()[:, :-1], everything[:, often])
    assert list(dropped.get_feature_names_out()[:-1]) == list(full.get_feature_names_out()[:-1][often])
    pooled = FeatureCross(**RECIPE, min_count=min_count, rare="pool")
    found = pooled.fit_transform(table).toarray()
    np.testing.assert_array_equal(pooled.transform(table).toarray(), found)
    for block, whole in zip(pooled.blocks_[:-1], full.blocks_[:-1], strict=True):
        part = everything[:, whole.start : whole.stop]
        kept = often[whole.start : whole.stop]
        expected = part[:, kept]
        assert block.has_rare == (not kept.all())
        if block.has_rare:
            expected = np.column_stack([expected, part[:, ~kept].sum(axis=1)])
            assert pooled.feature_names([block.stop - 1]) == [f"{block.name}=rare"]
            assert pooled.inverse(block.stop - 1) == tuple((name, Rare.RARE) for name in block.fields)
        np.testing.assert_array_equal(found[:, block.start : block.stop], expected)
    names = pooled.get_feature_names_out()
    assert len(set(names)) == len(names)


def test_a_rare_level_was_seen_and_an_unknown_one_was_not():
    X = pd.DataFrame({"a": ["p", "p", "q"]})
    for rare, expected in [("drop", [[1], [0]]), ("pool", [[1, 0], [0, 1]])]:
        strict = FeatureCross(min_count=2, rare=rare, handle_unknown="error").fit(X)
        np.testing.assert_array_equal(strict.transform(pd.DataFrame({"a": ["p", "q"]})).toarray(), expected)
        with pytest.raises(ValueError, match="column 'a' holds 'new' in row 0"):
            strict.transform(pd.DataFrame({"a": ["new"]}))
        lenient = FeatureCross(min_count=2, rare=rare).fit(X)
        assert lenient.transform(pd.DataFrame({"a": ["new"]})).nnz == 0
    nothing = FeatureCross(min_count=9).fit_transform(X)
    assert nothing.shape == (3, 0)


def test_describe():
    X = pd.DataFrame({"a": ["p", "p", "q", None], "x": [0.0, 5.0, 5.0, 9.0], "z": [1.0, 2.0, 3.0, 4.0]})
    cross = FeatureCross(bins={"x": Width(1)}, crosses=[("a", "x")], min_count=2, dtype=np.float32).fit(X)
    assert cross.describe() == [
        describe_row("a", 3, 3, 2, 1, 2),
        describe_row("x", 10, 3, 2, 1, 2),
        describe_row("a x x", 30, 4, 4, 0, 0),
        describe_row("z", 1, 1, 0, 1, 4),
    ]
    assert cross.transform(X).nnz == sum(row["entries"] for row in cross.describe())


def describe_row(block, cells, observed, singletons, columns, entries):
    return {
        "block": block,
        "cells": cells,
        "observed": observed,
        "singletons": singletons,
        "columns": columns,
        "entries": entries,
        "bytes": 8 * entries,
        "coverage": entries / 4,
    }


@settings(max_examples=25, deadline=None)
@given(rows, rows, st.integers(1, 3))
def test_columns_are_found_again_after_growing(first, second, min_count):
    parameters = {**RECIPE, "min_count": min_count, "rare": "pool"}
    old = FeatureCross(**parameters).fit(frame(first))
    new = FeatureCross(**parameters).fit(frame(first + second))
    place_of = {name: place for place, name in enumerate(new.get_feature_names_out())}
    # What was pooled before may have a column of its own now, and the pool may be gone: names say it.
    expected = [place_of.get(name, -1) for name in old.get_feature_names_out()]
    assert old.columns_in(new).tolist() == expected
    assert (old.columns_in(old) == np.arange(old.n_features_out_)).all()
    other = FeatureCross(fields=["b"]).fit(frame(first))
    assert (other.columns_in(new) >= 0).sum() == sum(name in place_of for name in other.get_feature_names_out())


def test_partial_fit_keeps_the_edges_of_quantiles_and_the_types_of_the_first_chunk():
    first = pd.DataFrame({"q": np.arange(10.0), "i": np.arange(10), "z": np.arange(10.0)})
    second = pd.DataFrame({"q": np.arange(100.0, 110.0), "i": [math.nan, *range(9)], "z": np.arange(10)})
    cross = FeatureCross(bins={"q": Quantiles(4)}).fit(first)
    bins = cross.levels_["q"].bins
    cross.partial_fit(second)
    assert cross.levels_["q"].bins == bins
    assert cross.levels_["i"].kind == "integer"
    assert cross.levels_["i"].missing
    assert cross.numbers_ == ["z"]
    assert cross.transform(second).sum() == 20 + second["z"].sum()


def test_a_chunk_that_does_not_fit_changes_nothing():
    cross = FeatureCross().fit(pd.DataFrame({"a": [1, 2], "m": [None, None]}))
    before = pickle.dumps(cross)
    for chunk, words in [
        (pd.DataFrame({"a": ["x"], "m": [None]}), "field 'a' has integer levels .* string levels"),
        (pd.DataFrame({"a": [1.5], "m": [None]}), "column 'a' was fitted as integers but holds 1.5"),
        (pd.DataFrame({"a": [1], "m": [0.5]}), "column 'm' was missing in earlier chunks but holds floats"),
        (pd.DataFrame({"m": ["x"]}), "'a'"),
    ]:
        with pytest.raises(ValueError, match=words):
            cross.partial_fit(chunk)
        assert pickle.dumps(cross) == before
    cross.partial_fit(pd.DataFrame({"extra": ["ignored"], "m": ["now"], "a": [7]}))
    assert list(cross.get_feature_names_out()) == ["a=1", "a=2", "a=7", "m=now", "m=missing"]


def test_merging_what_differs_is_refused():
    X = frame([("a", 1, 0.1, True, 1.0)])
    cross = FeatureCross(**RECIPE).fit(X)
    with pytest.raises(ValueError, match="cannot be merged"):
        cross.merge(FeatureCross(bins=RECIPE["bins"]).fit(X))
    with pytest.raises(ValueError, match="field 'f' has bin levels"):
        cross.merge(FeatureCross(**{**RECIPE, "bins": {"f": Width(1)}}).fit(X))


def test_signed_and_unsigned_integers_grow_together():
    signed, unsigned = np.array([[-1], [5]]), np.array([[2**63], [5]], dtype=np.uint64)
    cross = FeatureCross().fit(np.array([[1], [5]])).partial_fit(unsigned)
    assert [cross.inverse(column)[0][1] for column in range(3)] == [1, 5, 2**63]
    assert cross.transform(signed).nnz == 1
    with pytest.raises(ValueError, match="negative integers and ones beyond 2\\^63"):
        cross.partial_fit(signed)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"min_count": 0}, "min_count=0"), ({"min_count": 2.5}, "min_count=2.5"), ({"rare": "keep"}, "rare='keep'")],
)
def test_wrong_parameters_are_named(parameters, words):
    with pytest.raises(ValueError, match=words):
        FeatureCross(**parameters).fit(np.eye(2))

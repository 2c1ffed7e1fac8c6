"""Tests of FeatureCross against a slow, obvious one-hot product over Python values."""

import itertools
import math
import pickle
from bisect import bisect_right

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sparsereg.crosses.binning import Edges, Quantiles, Width
from sparsereg.crosses.feature_cross import FeatureCross

EDGES = [0.0, 1.5, 10.0]


def level(name, value):
    """What a cell means: None for missing, a bin for column f, the value itself otherwise."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return bisect_right(EDGES, value) if name == "f" else value


def rank(value):
    return (value is None, 0 if value is None else value)


class Oracle:
    """The one-hot product of the levels seen in fit, by dictionaries of tuples."""

    def __init__(self, rows, blocks):
        self.blocks = []
        for fields in blocks:
            seen = {tuple(level(name, row[name]) for name in fields) for row in rows}
            ordered = sorted(seen, key=lambda values: [rank(value) for value in values])
            self.blocks.append((fields, {values: place for place, values in enumerate(ordered)}))

    def dense(self, rows):
        parts = []
        for fields, place_of in self.blocks:
            part = np.zeros((len(rows), len(place_of)))
            for number, row in enumerate(rows):
                place = place_of.get(tuple(level(name, row[name]) for name in fields))
                if place is not None:
                    part[number, place] = 1.0
            parts.append(part)
        numbers = np.array([[row["z"]] for row in rows]).reshape(-1, 1)
        return np.hstack([*parts, numbers])


def to_pandas(rows):
    return pd.DataFrame(
        {
            "s": pd.Series([row["s"] for row in rows], dtype="str"),
            "c": pd.Categorical([row["c"] for row in rows], categories=["unused", "v", "u", "w"]),
            "b": pd.array([row["b"] for row in rows], dtype="boolean"),
            "i": pd.array([row["i"] for row in rows], dtype="Int64"),
            "f": np.array([row["f"] for row in rows], dtype=float),
            "z": np.array([row["z"] for row in rows], dtype=float),
        }
    )


def to_polars(rows):
    return pl.DataFrame(
        {name: [row[name] for row in rows] for name in "scbifz"},
        schema={
            "s": pl.String,
            "c": pl.Categorical,
            "b": pl.Boolean,
            "i": pl.Int64,
            "f": pl.Float64,
            "z": pl.Float64,
        },
    )


def to_arrow(rows):
    columns = {name: [row[name] for row in rows] for name in "scbifz"}
    types = {"s": pa.string(), "c": pa.string(), "b": pa.bool_(), "i": pa.int64(), "f": pa.float64(), "z": pa.float64()}
    arrays = {name: pa.array(columns[name], type_) for name, type_ in types.items()}
    return pa.table({**arrays, "c": arrays["c"].dictionary_encode()})


def to_numpy(rows):
    table = np.empty((len(rows), 6), dtype=object)
    for number, row in enumerate(rows):
        table[number] = [row[name] for name in "scbifz"]
    return table


LIBRARIES = {"pandas": to_pandas, "polars": to_polars, "arrow": to_arrow, "numpy": to_numpy}
row_values = st.fixed_dictionaries(
    {
        "s": st.sampled_from([None, "", "a", "b", "é", "missing"]),
        "c": st.sampled_from([None, "u", "v", "w"]),
        "b": st.sampled_from([None, True, False]),
        "i": st.sampled_from([None, -1, 0, 2, 2**62, -(2**63)]),
        "f": st.sampled_from([math.nan, -0.0, 0.0, -1.0, 1.5, 1.4999999999999998, 10.0, math.inf]),
        "z": st.sampled_from([-0.0, 0.0, 1.0, -2.5]),
    }
)
crosses = st.lists(
    st.lists(st.sampled_from("scbif"), min_size=2, max_size=4, unique=True).map(tuple),
    max_size=3,
    unique_by=frozenset,
)


def positions(names, library):
    return ["scbifz".index(name) for name in names] if library == "numpy" else list(names)


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=30, deadline=None)
@given(rows=st.lists(row_values, min_size=1, max_size=12), others=st.lists(row_values, max_size=8), chosen=crosses)
def test_the_matrix_is_the_one_hot_product(library, rows, others, chosen):
    make = LIBRARIES[library]
    cross = FeatureCross(
        bins={positions("f", library)[0]: Edges(EDGES)},
        crosses=[tuple(positions(fields, library)) for fields in chosen],
    )
    # A column of objects that are all missing has no type, so that numpy tables need one value in each.
    rows = [*rows, {"s": "a", "c": "u", "b": True, "i": 2, "f": 1.5, "z": 1.0}]
    oracle = Oracle(rows, [("s",), ("c",), ("b",), ("i",), ("f",), *chosen])
    found = cross.fit_transform(make(rows))
    np.testing.assert_array_equal(found.toarray(), oracle.dense(rows))
    check_canonical(found)
    np.testing.assert_array_equal(cross.transform(make(rows)).toarray(), oracle.dense(rows))
    with_one = [*others, rows[-1]]
    np.testing.assert_array_equal(cross.transform(make(with_one)).toarray(), oracle.dense(with_one))
    check_names(cross, oracle)
    again = FeatureCross.from_arrays(cross.to_arrays())
    np.testing.assert_array_equal(again.transform(make(with_one)).toarray(), oracle.dense(with_one))


def check_canonical(matrix):
    assert isinstance(matrix, sparse.csr_matrix)
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
    assert (matrix.data != 0).all()
    checked = sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    assert checked.has_canonical_format


def check_names(cross, oracle):
    names = cross.get_feature_names_out()
    assert len(names) == len(set(names)) == cross.n_features_out_
    column = 0
    for _, place_of in oracle.blocks:
        for values in place_of:
            inverse = cross.inverse(column)
            assert cross.feature_names([column]) == [names[column]]
            for (field, found), value in zip(inverse, values, strict=True):
                low_high = found if isinstance(found, tuple) else None
                assert value == found or low_high == ((-math.inf, *EDGES)[value], (*EDGES, math.inf)[value])
                assert f"{field}=" in names[column]
            column += 1


@pytest.mark.parametrize("first", ["pandas", "polars", "arrow"])
@pytest.mark.parametrize("second", ["pandas", "polars", "arrow"])
def test_fit_in_one_library_and_transform_in_another(first, second):
    values = itertools.product([None, "a", "b"], ["u", None, "w"], [True, None], [None, 7], [math.nan, 2.0], [1.0])
    rows = [dict(zip("scbifz", row, strict=True)) for row in values]
    cross = FeatureCross(bins={"f": Edges(EDGES)}, crosses=[("s", "c", "f"), ("i", "b")])
    expected = cross.fit_transform(LIBRARIES[first](rows))
    assert (cross.transform(LIBRARIES[second](rows)) != expected).nnz == 0
    assert list(cross.get_feature_names_out()) == list(
        FeatureCross(bins={"f": Edges(EDGES)}, crosses=[("s", "c", "f"), ("i", "b")])
        .fit(LIBRARIES[second](rows))
        .get_feature_names_out()
    )


def houses():
    return pd.DataFrame(
        {
            "latitude": [37.75, 37.76, 38.0, math.nan],
            "longitude": [-122.43, -122.44, -122.43, -122.43],
            "ocean_proximity": ["INLAND", "NEAR BAY", None, "INLAND"],
            "rooms": [3, 4, 3, 5],
            "income": [1.5, 0.0, 2.5, 3.5],
        }
    )


MINUTES = {"latitude": Width(1 / 60), "longitude": Width("1/60")}


def test_names_in_words():
    cross = FeatureCross(bins=MINUTES, crosses=[("ocean_proximity", "latitude")]).fit(houses())
    assert list(cross.get_feature_names_out()) == [
        "latitude=[37.75,37.7667)",
        "latitude=[38,38.0167)",
        "latitude=missing",
        "longitude=[-122.45,-122.4333)",
        "longitude=[-122.4333,-122.4167)",
        "ocean_proximity=INLAND",
        "ocean_proximity=NEAR BAY",
        "ocean_proximity=missing",
        "rooms=3",
        "rooms=4",
        "rooms=5",
        "ocean_proximity=INLAND x latitude=[37.75,37.7667)",
        "ocean_proximity=INLAND x latitude=missing",
        "ocean_proximity=NEAR BAY x latitude=[37.75,37.7667)",
        "ocean_proximity=missing x latitude=[38,38.0167)",
        "income",
    ]
    assert cross.inverse(13) == (("ocean_proximity", "NEAR BAY"), ("latitude", (37.75, 37.766666666666666)))
    assert cross.inverse(12) == (("ocean_proximity", "INLAND"), ("latitude", None))
    assert cross.inverse(9) == (("rooms", 4),)
    assert cross.inverse(15) == (("income", (-math.inf, math.inf)),)
    assert cross.feature_names([]) == []
    for wrong in ([16], [-1], [0.5], [[0]]):
        with pytest.raises(ValueError, match="columns"):
            cross.feature_names(wrong)


def test_blocks_say_where_and_how_many():
    cross = FeatureCross(bins=MINUTES, crosses=[("ocean_proximity", "latitude")]).fit(houses())
    assert [(block.name, block.start, block.stop, block.n_cells) for block in cross.blocks_] == [
        ("latitude", 0, 3, 17),
        ("longitude", 3, 5, 2),
        ("ocean_proximity", 5, 8, 3),
        ("rooms", 8, 11, 3),
        ("ocean_proximity x latitude", 11, 15, 51),
        ("income", 15, 16, 1),
    ]
    assert [block.is_number for block in cross.blocks_] == [False] * 5 + [True]
    assert sum(block.n_observed for block in cross.blocks_) == cross.n_features_out_ == 16
    assert cross.numbers_ == ["income"]
    assert cross.blocks_[0] == pickle.loads(pickle.dumps(cross)).blocks_[0]
    with pytest.raises(AttributeError):
        cross.blocks_[0].start = 1


def test_main_effects_fields_numeric_and_degree():
    def names(**parameters):
        cross = FeatureCross(bins=MINUTES | {"income": Quantiles(2)}, **parameters).fit(houses())
        return [block.name for block in cross.blocks_]

    assert names(main_effects=False, crosses=[("rooms", "income")]) == ["rooms x income"]
    assert names(main_effects=["rooms"], crosses=[("rooms", "income")]) == ["rooms", "rooms x income"]
    everything = ["latitude", "longitude", "ocean_proximity", "rooms", "income"]
    assert names(numeric=["rooms"]) == ["latitude", "longitude", "ocean_proximity", "income", "rooms"]
    pairs = [" x ".join(pair) for pair in itertools.combinations(everything, 2)]
    assert names(degree=2) == everything + pairs
    others = [pair for pair in pairs if pair != "latitude x income"]
    assert names(degree=2, crosses=[("income", "latitude")]) == [*everything, "income x latitude", *others]
    assert len(names(degree=3, main_effects=False)) == 10 + 10
    fields = FeatureCross(fields=["rooms", "ocean_proximity"]).fit(houses())
    assert [block.name for block in fields.blocks_] == ["rooms", "ocean_proximity"]
    assert fields.n_features_in_ == 5
    numbers = FeatureCross(fields=["income", "rooms"], numeric=["rooms"]).fit_transform(houses())
    np.testing.assert_array_equal(numbers.toarray(), houses()[["income", "rooms"]])
    assert numbers.nnz == 7


@pytest.mark.filterwarnings("ignore:field .* in a single row:UserWarning")
def test_a_product_beyond_64_bits_and_a_nominal_width_beyond_memory():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 10**6, (20_000, 8))
    cross = FeatureCross(crosses=[tuple(range(8)), (0, 1)], main_effects=False).fit(X)
    block = cross.blocks_[0]
    assert block.n_cells > 2**100
    assert block.n_observed == 20_000
    columns = cross.transform(X).indices.reshape(-1, 2)
    np.testing.assert_array_equal(np.sort(columns[:, 0]), np.arange(20_000))
    for row in (0, 777, 19_999):
        assert [value for _, value in cross.inverse(int(columns[row, 0]))] == X[row].tolist()
    other = X[:50].copy()
    other[:, 7] = X[50:100, 7]
    assert cross.transform(other).indices.min() >= block.stop

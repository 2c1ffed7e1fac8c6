"""Tests of a fixed width by hashing, and of the text that makes a cross again."""

import math
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import sparsereg
from sparsereg import (
    DatePart,
    Edges,
    FeatureCross,
    Of,
    Quantiles,
    SparsityReport,
    Split,
    Width,
    regularization_path,
)


def table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "s": rng.choice(["a", "b", "c", None], n),
            "i": rng.integers(-3, 40, n),
            "g": rng.choice(["x|y", "y", "z|x", ""], n),
            "f": rng.choice([0.2, 1.2, math.nan], n),
            "z": rng.normal(size=n),
        }
    )


RECIPE = {
    "bins": {"g": Split("|"), "f": Width(1)},
    "crosses": [("s", "i"), ("i", "g"), ("f", "s", "i")],
    "min_count": 2,
    "rare": "pool",
}


@pytest.mark.parametrize("width", [1, 7, 50, 4096])
def test_hashing_is_a_signed_sum_of_the_columns(width):
    X = table()
    plain, hashed = FeatureCross(**RECIPE).fit(X), FeatureCross(**RECIPE, hashed=width)
    found = hashed.fit_transform(X)
    assert found.shape == (len(X), width + 1) == (len(X), hashed.n_features_out_)
    assert found.has_canonical_format
    names = hashed.get_feature_names_out()
    place = {name: column for column, name in enumerate(plain.get_feature_names_out())}
    one_hot = plain.transform(X).toarray()
    expected = np.zeros(found.shape)
    fallen = 0
    for column, name in enumerate(names[:-1]):
        signed = name.replace(" +", "\n+").replace(" -", "\n-").split("\n")
        if name == f"hashed{column}":
            signed = []
        fallen += len(signed)
        for word in signed:
            expected[:, column] += one_hot[:, place[word[1:]]] * (1 if word[0] == "+" else -1)
    expected[:, -1] = X["z"]
    assert names[-1] == "z"
    assert fallen == plain.n_features_out_ - 1
    np.testing.assert_array_equal(found.toarray(), expected)
    np.testing.assert_array_equal(hashed.transform(X).toarray(), expected)
    again = FeatureCross.from_arrays(hashed.to_arrays())
    np.testing.assert_array_equal(again.transform(X).toarray(), expected)


def test_collisions_are_counted():
    X = table()
    plain = FeatureCross(**RECIPE).fit(X)
    everything = {block.name: block.n_observed for block in plain.blocks_ if not block.is_number}
    assert set(plain.collisions_.values()) == {0}
    assert FeatureCross(**RECIPE, hashed=1).fit(X).collisions_ == everything
    some = FeatureCross(**RECIPE, hashed=200).fit(X)
    together = [len(re.split(" [+-]", name)) for name in some.feature_names(range(200)) if name]
    assert sum(some.collisions_.values()) == sum(size for size in together if size > 1) < sum(together)
    # Birthdays: of n columns in width w about n (1 - exp(-n / w)) share theirs.
    n = sum(everything.values())
    expected = n * (1 - math.exp(-n / 200))
    assert abs(sum(some.collisions_.values()) - expected) < 4 * math.sqrt(expected)


def test_the_width_and_the_places_stay_when_the_vocabulary_grows():
    first, second = table(100, 1), table(400, 2)
    cross = FeatureCross(bins=RECIPE["bins"], crosses=RECIPE["crosses"], hashed=64).fit(first)
    old, before = FeatureCross.from_arrays(cross.to_arrays()), cross.transform(first)
    grown = cross.partial_fit(second)
    assert (grown.transform(first) != before).nnz == 0
    assert old.columns_in(grown).tolist() == list(range(65))
    assert [block.name for block in grown.blocks_] == ["hashed", "z"]
    with pytest.raises(ValueError, match="hashed=64 here but hashed=None there"):
        grown.columns_in(FeatureCross(**RECIPE).fit(first))
    with pytest.raises(ValueError, match="hashed=64 has no single meaning"):
        grown.inverse(3)


def test_a_width_beyond_32_bits():
    found = FeatureCross(**RECIPE, hashed=2**40).fit_transform(table())
    assert found.shape[1] == 2**40 + 1
    assert found.indices.dtype == np.int64
    assert found.indices.max() == 2**40


def test_a_report_on_hashed_columns_names_what_falls_together():
    X = table()
    cross = FeatureCross(**RECIPE, hashed=32)
    path = regularization_path(cross.fit_transform(X), X["z"] + (X["s"] == "a"), alphas=5)
    report = SparsityReport.from_path(path, cross, top=40)
    assert [row["name"] for row in report.blocks] == ["hashed", "z"]
    assert sum(row["n_nonzero"] for row in report.blocks) == path.n_nonzero[-1]
    assert any("+s=a" in row["name"] or "-s=a" in row["name"] for row in report.columns)


def test_places_are_the_same_in_every_process():
    code = (
        "import numpy as np; from sparsereg import FeatureCross\n"
        "X = np.array([['a', 1], ['b', 2**40], [None, -5]], dtype=object)\n"
        "print(FeatureCross(crosses=[(0, 1)], hashed=1000).fit_transform(X).indices.tolist())\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # What a saved model relies on: these may never change.
    assert out.stdout.strip() == "[43, 255, 511, 343, 522, 768, 310, 544, 973]"


@pytest.mark.parametrize("wrong", [0, True, -1, 2.0, "64"])
def test_wrong_widths_are_named(wrong):
    with pytest.raises(ValueError, match="hashed="):
        FeatureCross(hashed=wrong).fit(np.eye(2))


DESIGNS = [
    FeatureCross(),
    FeatureCross(
        bins={"latitude": Width(1 / 60), "longitude": Width("1/60", period=360), "income": Quantiles(20)},
        crosses=[("latitude", "longitude"), ("ocean_proximity", "income")],
        degree=2,
        min_count=5,
    ),
    FeatureCross(
        fields=["genres", "hour", "n"],
        bins={"genres": Split("|"), "hour": Of("time", DatePart("hour")), "n": Edges([0, 0.1, 1e300])},
        main_effects=["hour"],
        handle_unknown="error",
        dtype=np.float32,
        numeric=("k",),
        rare="pool",
        max_levels=9,
        missing="zero",
        max_memory=10**9,
        hashed=2**20,
    ),
    FeatureCross(main_effects=False, crosses=[tuple(f"a column with a long name {k}" for k in range(60))]),
    FeatureCross(fields=np.array([0, 1]), bins={np.int64(0): Edges([2])}, crosses=[np.array([0, 1])]),
]


@pytest.mark.parametrize("cross", DESIGNS, ids=range(len(DESIGNS)))
def test_the_text_makes_the_cross_again(cross):
    text = repr(cross)
    again = eval(text, {name: getattr(sparsereg, name) for name in sparsereg.__all__})
    assert repr(again) == text == str(cross)
    assert repr(clone(again)) == text
    given, found = cross.get_params(), again.get_params()
    for name, value in given.items():
        if name == "dtype":
            assert np.dtype(found[name]) == np.dtype(value)
        elif name in ("fields", "crosses", "numeric") and value is not None:
            assert [np.asarray(part).tolist() for part in found[name]] == [np.asarray(part).tolist() for part in value]
        else:
            assert found[name] == value
            assert type(found[name]) is type(value)


def test_the_text_reads_as_the_design():
    assert repr(DESIGNS[1]) == (
        "FeatureCross(bins={'latitude': Width(1/60), 'longitude': Width(1/60, period=360), 'income': Quantiles(n=20)}, "
        "crosses=[('latitude', 'longitude'), ('ocean_proximity', 'income')], degree=2, min_count=5)"
    )

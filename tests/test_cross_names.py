"""Names of columns are unique, whatever fields and levels are called."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pandas as pd
import pytest

from sparsereg.crosses.binning import Width
from sparsereg.crosses.feature_cross import FeatureCross

pytestmark = pytest.mark.filterwarnings("ignore:field .* has the levels:UserWarning")

# Texts that look like parts of names.
WORDS = [
    "",
    "x",
    "a",
    "=",
    "a=1",
    "1",
    " x ",
    "a x",
    "x a",
    "a x b",
    "a=1 x b",
    "'a'",
    '"',
    "rare",
    "missing",
    " ",
    "+a=1",
    "1 +a",
]


def unique(cross: FeatureCross, table: pd.DataFrame) -> list[str]:
    names = cross.fit(table).get_feature_names_out().tolist()
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    blocks = [block.name for block in cross.blocks_]
    assert len(set(blocks)) == len(blocks)
    return names


def test_an_equals_sign_in_a_field_or_in_a_level():
    names = unique(FeatureCross(), pd.DataFrame({"a": ["b=c", "q"], "a=b": ["c", "r"]}))
    assert names == ["a=b=c", "a=q", "'a=b'=c", "'a=b'=r"]


def test_a_number_whose_name_looks_like_a_level():
    assert unique(FeatureCross(), pd.DataFrame({"a": ["1", "2"], "a=1": [0.5, 1.5]})) == ["a=1", "a=2", "'a=1'"]


def test_a_field_whose_name_looks_like_a_cross():
    table = pd.DataFrame({"a": ["1", "2"], "b": ["u", "v"], "a=1 x b": ["u", "v"], "a x b": [1.0, 2.0]})
    names = unique(FeatureCross(crosses=[("a", "b")], min_count=1, rare="pool", max_levels=1), table)
    assert "'a x b'" in names
    assert "a x b=rare" in names
    assert "'a=1 x b'=u" in names


def test_ordinary_names_are_not_quoted():
    table = pd.DataFrame({"a": ["https://x.y/?q=1", "it's 3 x-ray"], "b c": ["d", "x"]})
    assert unique(FeatureCross(crosses=[("a", "b c")]), table)[:5] == [
        "a=https://x.y/?q=1",
        "a=it's 3 x-ray",
        "b c=d",
        "b c=x",
        "a=https://x.y/?q=1 x b c=d",
    ]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("hashed", [None, 4096])
def test_any_words_as_fields_and_levels(seed, hashed):
    rng = np.random.default_rng(seed)
    fields = rng.choice([*WORDS, "hashed1", "b"], 5, replace=False).tolist()
    cells = np.array(list(product(WORDS, WORDS)), dtype=object)
    cells = np.concatenate([cells, rng.choice(np.array(WORDS, dtype=object), (len(cells), 2))], axis=1)
    table = pd.DataFrame(cells, columns=fields[:4])
    table[fields[4]] = rng.normal(size=len(table))
    pool = {"min_count": 2, "rare": "pool"} if seed % 2 else {}
    crosses = [(fields[0], fields[1]), (fields[1], fields[2]), tuple(fields[:3])]
    cross = FeatureCross(crosses=crosses, hashed=hashed, **pool)
    names = cross.fit(table).get_feature_names_out().tolist()
    assert len(set(names)) == len(names)


def test_a_number_called_as_an_empty_hashed_column():
    cross = FeatureCross(hashed=8).fit(pd.DataFrame({"a": ["u", "v"], "hashed3": [1.0, 2.0], "hashed0": [1.0, 2.0]}))
    names = cross.get_feature_names_out().tolist()
    assert len(set(names)) == len(names)
    assert cross.inverse(8) == (("hashed3", (-np.inf, np.inf)),)


def test_names_given_for_an_array_must_differ():
    cross = FeatureCross(bins={0: Width(1)}).fit(np.array([[0.5, 1.0], [1.5, 2.0]]))
    assert cross.get_feature_names_out(["a=b", "c"]).tolist() == ["'a=b'=[0,1)", "'a=b'=[1,2)", "c"]
    with pytest.raises(ValueError, match=re.escape("input_features=['a', 'a'] names 'a' twice")):
        cross.get_feature_names_out(["a", "a"])

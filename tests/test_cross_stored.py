"""Arrays that no cross wrote are refused when they are loaded, not when they predict."""

from __future__ import annotations

import contextlib
import copy
import json

import numpy as np
import pandas as pd
import pytest

from sparsereg.crosses.binning import Edges, Width
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.rules import Of
from sparsereg.crosses.split import Split

TABLE = pd.DataFrame(
    {
        "shop": ["north", "süd", None, "east", "north", "süd"],
        "item": [3, 7, 3, -1, 12, 7],
        "open": [True, False, True, True, False, False],
        "size": [0.1, 0.9, 2.5, 0.4, -0.3, 0.8],
        "tags": ["a|b", "b", "", None, "a", "c"],
        "day": pd.to_datetime(["2024-01-01", "2024-02-02", "2024-03-05", "2024-01-01", "2024-02-07", "2024-04-06"]),
        "price": [1.5, 2.5, 0.0, 1.0, 2.0, 3.0],
    }
)
CROSS = FeatureCross(
    bins={
        "size": Width("1/2"),
        "range": Of("size", Edges([0, 1])),
        "tags": Split("|"),
        "day": DatePart("weekday"),
        "month": Of("day", DatePart("month")),
    },
    crosses=[("shop", "item"), ("item", "size", "open"), ("tags", "shop")],
    min_count=1,
).fit(TABLE)
ARRAYS = CROSS.to_arrays()


def load_and_use(arrays):
    """Whatever a loaded cross is asked, it answers, or loading was refused."""
    try:
        cross = FeatureCross.from_arrays(arrays)
    except ValueError:
        return False
    # A field may be read from a column of another type.
    with contextlib.suppress(ValueError):
        cross.transform(TABLE)
    cross.get_feature_names_out()
    cross.describe()
    # Hashed columns have no single meaning.
    with contextlib.suppress(ValueError):
        for column in range(cross.n_features_out_):
            cross.inverse(column)
        cross.columns_in(CROSS)
    repr(cross)
    return True


MUTATIONS = {
    "reversed": lambda a: a[::-1].copy(),
    "0-d": lambda a: a[0],
    "2-d": lambda a: a[:, None],
    "bool": lambda a: a.astype(bool),
    "float": lambda a: a.astype(float),
    "text": lambda a: a.astype(str),
    "shorter": lambda a: a[:-1],
    "longer": lambda a: np.append(a, a[-1] + 1).astype(a.dtype),
    "repeated": lambda a: np.repeat(a[:1], a.size),
    "negative": lambda a: a.astype(np.int64) - 1000,
    "large": lambda a: a.astype(np.int64) + 2**60,
    "empty": lambda a: a[:0],
}


@pytest.mark.parametrize("name", sorted(set(ARRAYS) - {"cross", "layout"}))
def test_arrays(name):
    accepted = [
        how
        for how, change in MUTATIONS.items()
        if ARRAYS[name].size > 1 and load_and_use(ARRAYS | {name: change(ARRAYS[name])})
    ]
    # Other integer levels, bins, or counts of rows can be those of another table.
    assert set(accepted) <= {"reversed", "repeated", "negative", "large"}, accepted
    if "levels" in name or "keys" in name:
        assert not {"reversed", "repeated"} & set(accepted) or name.endswith(("text", "offsets"))


def leaves(tree, path=()):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else []
    for key, value in items:
        yield (*path, key)
        yield from leaves(value, (*path, key))


@pytest.mark.parametrize("name", ["cross", "layout"])
def test_specifications(name):
    spec = json.loads(str(ARRAYS[name]))
    for path in leaves(spec):
        for value in (None, True, -1, 0, 3, 10**30, 1.5, "x", "", [], [1], {}, {"a": 1}, ["x", "x"]):
            changed = copy.deepcopy(spec)
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
            load_and_use(ARRAYS | {name: np.array(json.dumps(changed))})


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"parameters": 3}', "[" * 100_000])
@pytest.mark.parametrize("name", ["cross", "layout"])
def test_texts_that_are_no_specification(name, text):
    with pytest.raises(ValueError, match="do not hold a FeatureCross"):
        FeatureCross.from_arrays(ARRAYS | {name: np.array(text)})


def test_what_was_saved_loads():
    assert load_and_use(ARRAYS)
    for parameters in ({"hashed": 8}, {"rare": "pool", "min_count": 2}, {"missing": "zero"}, {"fields": ["price"]}):
        cross = FeatureCross(**{"fields": ["shop", "item", "open", "price"], "degree": 2, **parameters}).fit(TABLE)
        loaded = FeatureCross.from_arrays(cross.to_arrays())
        assert (loaded.transform(TABLE) != cross.transform(TABLE)).nnz == 0
    assert load_and_use(FeatureCross().fit(pd.DataFrame({"a": [2**63, 5], "b": [None, None]})).to_arrays())

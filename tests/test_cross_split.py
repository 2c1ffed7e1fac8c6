"""Rows with several levels, missing values without a level, a limit on the levels; against a slow oracle."""

import itertools
import math
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsereg import FeatureCross, Of, Rare, Split, Width

rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b|a", "c||b|b", "", "|", None, "d|a|c"]),
        st.sampled_from(["x y", "y", None, "z x"]),
        st.sampled_from([1, 2, 3, None]),
        st.sampled_from([0.1, 0.7, math.nan]),
    ),
    min_size=1,
    max_size=20,
)
RECIPE = {
    "bins": {"g": Split("|"), "h": Split(" "), "f": Width(0.5)},
    "crosses": [("i", "g"), ("g", "h"), ("f", "i", "h"), ("i", "f")],
}


def frame(values):
    g, h, i, f = zip(*values, strict=True)
    return pd.DataFrame(
        {
            "g": pd.Series(g, dtype="str"),
            "h": pd.Series(h, dtype="str"),
            "i": pd.array(i, dtype="Int64"),
            "f": np.array(f),
        }
    )


def levels_of(row, with_missing):
    """For each field the levels of a row; missing sorts last."""
    g, h, i, f = row
    missing = [(1, None)] if with_missing else []
    return {
        "g": missing if g is None else [(0, part) for part in sorted({part for part in g.split("|") if part})],
        "h": missing if h is None else [(0, part) for part in sorted(set(h.split(" ")))],
        "i": missing if i is None else [(0, i)],
        "f": missing if math.isnan(f) else [(0, math.floor(f / 0.5))],
    }


def oracle(values, with_missing, min_count=1, max_levels=None, pool=False):
    """The matrix, column by column, from Python sets."""
    row_levels = [levels_of(row, with_missing) for row in values]
    out = []
    for fields in [("g",), ("h",), ("i",), ("f",), *RECIPE["crosses"]]:
        keys = [set(itertools.product(*(row[name] for name in fields))) for row in row_levels]
        order = sorted(set().union(*keys))
        count = {key: sum(key in row for row in keys) for key in order}
        often = [key for key in order if count[key] >= min_count]
        kept = sorted(sorted(often, key=lambda key: (-count[key], key))[:max_levels])
        out += [[key in row for row in keys] for key in kept]
        if pool and len(kept) < len(order):
            out.append([bool(row - set(kept)) for row in keys])
    return np.array(out, dtype=float).reshape(len(out), len(values)).T


@given(
    rows,
    st.sampled_from(["level", "zero"]),
    st.integers(1, 3),
    st.sampled_from([None, 1, 2, 5]),
    st.sampled_from(["drop", "pool"]),
)
def test_the_matrix_is_that_of_the_oracle(values, missing, min_count, max_levels, rare):
    table = frame(values)
    cross = FeatureCross(**RECIPE, missing=missing, min_count=min_count, max_levels=max_levels, rare=rare)
    found = cross.fit_transform(table)
    expected = oracle(values, missing == "level", min_count, max_levels, rare == "pool")
    np.testing.assert_array_equal(found.toarray(), expected)
    assert found.has_canonical_format
    assert found.has_sorted_indices
    np.testing.assert_array_equal(cross.transform(table).toarray(), expected)
    names = cross.get_feature_names_out()
    assert len(set(names)) == len(names) == expected.shape[1]
    if rare == "drop":
        assert sum(row["entries"] for row in cross.describe()) == found.nnz


@settings(max_examples=20)
@given(rows, rows, st.sampled_from(["level", "zero"]), st.sampled_from([None, 2]))
def test_chunks_and_saved_state_give_what_the_whole_gives(first, second, missing, max_levels):
    def make():
        return FeatureCross(**RECIPE, missing=missing, max_levels=max_levels, rare="pool")

    table = frame(first + second)
    whole = make().fit(table)
    chunked = make().partial_fit(frame(first)).partial_fit(frame(second))
    merged = make().fit(frame(first)).merge(make().fit(frame(second)))
    for one in (chunked, merged, FeatureCross.from_arrays(whole.to_arrays()), pickle.loads(pickle.dumps(whole))):
        assert one.blocks_ == whole.blocks_
        assert (one.transform(table) != whole.transform(table)).nnz == 0
        assert list(one.get_feature_names_out()) == list(whole.get_feature_names_out())


def films():
    return pd.DataFrame({"genres": ["Drama|Comedy", "War", None, "Drama"], "user": [1, 2, 2, 1], "z": [0.5, 0.0, 1, 2]})


def test_names_levels_and_unknown_parts():
    cross = FeatureCross(bins={"genres": Split("|")}, crosses=[("user", "genres")]).fit(films())
    assert list(cross.get_feature_names_out()) == [
        "genres=Comedy",
        "genres=Drama",
        "genres=War",
        "genres=missing",
        "user=1",
        "user=2",
        "user=1 x genres=Comedy",
        "user=1 x genres=Drama",
        "user=2 x genres=War",
        "user=2 x genres=missing",
        "z",
    ]
    assert cross.inverse(7) == (("user", 1), ("genres", "Drama"))
    new = pd.DataFrame({"genres": ["War|Opera|Drama"], "user": [2], "z": [3.0]})
    assert cross.transform(new).indices.tolist() == [1, 2, 5, 8, 10]
    cross.set_params(handle_unknown="error")
    with pytest.raises(ValueError, match=r"^column 'genres' holds 'War\|Opera\|Drama' in row 0, which was not seen"):
        cross.transform(new)
    new["genres"] = "War|Drama"
    with pytest.raises(ValueError, match=r"^column 'user' holds 2 and column 'genres' holds 'War\|Drama' in row 0"):
        cross.transform(new)
    numbers = FeatureCross(bins={"genres": Split("|")}, fields=["genres", "z"]).fit_transform(films())
    np.testing.assert_array_equal(numbers.toarray()[:, -1], films()["z"])
    assert FeatureCross(bins={"genres": Split("|")}).fit(films()).transform(films().iloc[:0]).shape == (0, 7)


@pytest.mark.parametrize(
    "read", [pl.from_pandas, lambda frame: pa.Table.from_pandas(frame), lambda f: f.to_numpy(object)]
)
def test_texts_of_other_libraries_and_of_categoricals(read):
    expected = FeatureCross(bins={"genres": Split("|")}).fit_transform(films())
    table = films()
    table["genres"] = table["genres"].astype("category")
    for one in (films(), table):
        key = 0 if isinstance(read(one), np.ndarray) else "genres"
        found = FeatureCross(bins={key: Split("|")}).fit_transform(read(one))
        assert (found != expected).nnz == 0


def test_one_column_as_a_whole_and_in_parts():
    cross = FeatureCross(bins={"genre": Of("genres", Split("|"))}, fields=["genres", "genre"]).fit(films())
    assert [(block.name, block.n_observed) for block in cross.blocks_] == [("genres", 4), ("genre", 4)]


def objects(values):
    """An array of objects, also where they are lists of one length."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


arrow_lists = pa.list_(pa.string())
LISTS = {
    "pandas": lambda g, i: pd.DataFrame({"g": pd.Series(g, dtype=object), "i": i}),
    "pandas sets": lambda g, i: pd.DataFrame({"g": [None if v is None else set(v) for v in g], "i": i}),
    "pandas arrays": lambda g, i: pd.DataFrame({"g": [None if v is None else objects(v) for v in g], "i": i}),
    "pandas arrow": lambda g, i: pd.DataFrame({"g": pd.Series(g, dtype=pd.ArrowDtype(arrow_lists)), "i": i}),
    "polars": lambda g, i: pl.DataFrame({"g": g, "i": i}, schema={"g": pl.List(pl.String), "i": pl.Int64}),
    "polars categories": lambda g, i: pl.DataFrame(
        {"g": g, "i": i}, schema={"g": pl.List(pl.Categorical), "i": pl.Int64}
    ),
    "arrow": lambda g, i: pa.table({"g": pa.chunked_array([g[:1], g[1:]], arrow_lists), "i": i}),
    "arrow large": lambda g, i: pa.table({"g": pa.array(g, pa.large_list(pa.string())), "i": i}),
    "numpy": lambda g, i: np.column_stack([objects(g), np.array(i, dtype=object)]),
}
lists = st.one_of(st.none(), st.lists(st.sampled_from(["a", "b", "c", "", None]), max_size=4))


@pytest.mark.parametrize("library", LISTS)
@settings(max_examples=25)
@given(st.lists(lists, min_size=1, max_size=8), st.lists(lists, min_size=1, max_size=8))
def test_lists_are_texts_that_are_split_already(library, first, second):
    make = LISTS[library]
    # One list with a string in it, as a column of none has no type in some libraries.
    first = [*first, ["b"]]
    key, other = (0, 1) if library == "numpy" else ("g", "i")
    of_lists = FeatureCross(bins={key: Split()}, crosses=[(other, key)])
    of_texts = FeatureCross(bins={"g": Split("|")}, crosses=[("i", "g")])
    for number, (values, fit) in enumerate([(first, True), ([*second, ["c"]], False)]):
        ids = [k % 2 for k in range(len(values))]
        joined = [None if value is None else "|".join(part or "" for part in value) for value in values]
        texts = pd.DataFrame({"g": pd.Series(joined, dtype="str"), "i": ids})
        table = make(values, ids)
        found = of_lists.fit_transform(table) if fit else of_lists.transform(table)
        expected = of_texts.fit_transform(texts) if fit else of_texts.transform(texts)
        np.testing.assert_array_equal(found.toarray(), expected.toarray(), err_msg=str(number))
        assert found.has_sorted_indices
    assert of_lists.describe()[0]["cells"] >= of_lists.describe()[0]["observed"]
    again = FeatureCross.from_arrays(of_lists.to_arrays())
    assert (again.transform(table) != found).nnz == 0
    assert eval(repr(of_lists), {"FeatureCross": FeatureCross, "Split": Split}).bins == of_lists.bins


def test_lists_that_are_not_as_the_rule_wants_them():
    X = pd.DataFrame({"g": [["a"], ["b", "a"], None], "t": ["a|b", "b", "c"], "n": [[1], [2], []]})
    for parameters, words in [
        ({"fields": ["g"]}, r"column 'g' holds lists, which need a rule in bins, such as Split\(\)"),
        ({"fields": ["g"], "bins": {"g": Split("|")}}, r"column 'g' holds list values where Split.* needs texts"),
        (
            {"fields": ["t"], "bins": {"t": Split()}},
            r"column 't' holds string values where Split.* needs a column of lists",
        ),
        (
            {"fields": ["n"], "bins": {"n": Split()}},
            "column 'n' holds lists of integer values; convert them to strings",
        ),
        ({"fields": ["g"], "bins": {"g": Width(1)}}, "column 'g' holds list values where numbers are needed"),
    ]:
        with pytest.raises(ValueError, match=words):
            FeatureCross(**parameters).fit(X)
    fixed = pl.DataFrame({"g": [["a", "b"], None]}, schema={"g": pl.Array(pl.String, 2)})
    assert FeatureCross(bins={"g": Split()}).fit_transform(fixed).nnz == 3
    mixed = pd.DataFrame({"g": [["a"], "b"]})
    with pytest.raises(ValueError, match=r"column 'g' holds values that are not all .*\(list\)"):
        FeatureCross(bins={"g": Split()}).fit(mixed)


def test_an_unknown_item_and_an_unseen_missing_list_are_refused_where_that_is_asked_for():
    X = pl.DataFrame({"g": [["a"], ["b", "a"], []]})
    strict = FeatureCross(bins={"g": Split()}, handle_unknown="error").fit(X)
    for row, words in [
        (["b", "new"], r"column 'g' holds \['b', 'new'\] in row 1"),
        (None, "column 'g' holds None in row 1"),
    ]:
        with pytest.raises(ValueError, match=words):
            strict.transform(pl.DataFrame({"g": [["a"], row]}, schema=X.schema))
    texts = FeatureCross(bins={"g": Split("|")}, handle_unknown="error").fit(pd.DataFrame({"g": ["a", "b|a"]}))
    with pytest.raises(ValueError, match=r"column 'g' holds None in row 0"):
        texts.transform(pd.DataFrame({"g": [None, "a"]}))


def test_what_cannot_be_split():
    for X, words in [
        (films().assign(genres=[1, 2, 3, 4]), "column 'genres' holds integer values where .* needs texts"),
        (films().assign(genres=[1.5, 2, 3, 4]), "column 'genres' holds number values where .* needs texts"),
    ]:
        with pytest.raises(ValueError, match=words):
            FeatureCross(bins={"genres": Split("|")}).fit(X)
    for wrong in ("", 3):
        with pytest.raises(ValueError, match="separator="):
            Split(wrong)
    fitted = FeatureCross(bins={"genres": Split("|")}).fit(films())
    with pytest.raises(ValueError, match="field 'genres' has string levels"):
        fitted.merge(FeatureCross(bins={"genres": Split(",")}).fit(films()))


def test_all_missing_as_zero():
    X = pd.DataFrame({"a": [None, None], "b": ["x", None], "q": [math.nan, math.nan]})
    cross = FeatureCross(bins={"q": Width(1)}, crosses=[("a", "b"), ("b", "q")], missing="zero")
    found = cross.fit_transform(X)
    np.testing.assert_array_equal(found.toarray(), [[1], [0]])
    assert list(cross.get_feature_names_out()) == ["b=x"]
    grown = cross.partial_fit(pd.DataFrame({"a": ["now"], "b": ["x"], "q": [0.5]}))
    assert list(grown.get_feature_names_out()) == ["a=now", "b=x", "q=[0,1)", "a=now x b=x", "b=x x q=[0,1)"]
    again = FeatureCross.from_arrays(grown.to_arrays())
    np.testing.assert_array_equal(again.transform(X).toarray(), [[0, 1, 0, 0, 0], [0, 0, 0, 0, 0]])


def test_missing_as_zero_is_not_unknown():
    X = pd.DataFrame({"a": ["p", "q"], "b": [1, 2]})
    strict = FeatureCross(crosses=[("a", "b")], missing="zero", handle_unknown="error").fit(X)
    assert strict.transform(pd.DataFrame({"a": [None], "b": [1]})).indices.tolist() == [2]
    with pytest.raises(ValueError, match="column 'a' holds 'p' and column 'b' holds 2 in row 1"):
        strict.transform(pd.DataFrame({"a": [None, "p"], "b": [1, 2]}))


def test_the_most_frequent_levels_are_kept():
    X = pd.DataFrame({"a": list("ccbbad")})
    cross = FeatureCross(max_levels=3).fit(X)
    assert list(cross.get_feature_names_out()) == ["a=a", "a=b", "a=c"]
    pooled = FeatureCross(max_levels=1, rare="pool").fit(X)
    assert list(pooled.get_feature_names_out()) == ["a=b", "a=rare"]
    assert pooled.inverse(1) == (("a", Rare.RARE),)
    assert pooled.transform(X).toarray()[:, 1].tolist() == [1, 1, 0, 0, 1, 1]
    # A later chunk can change which ones they are.
    assert list(cross.partial_fit(pd.DataFrame({"a": list("ddda")})).get_feature_names_out()) == ["a=a", "a=b", "a=d"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"max_levels": 0}, "max_levels=0"),
        ({"max_levels": 1.5}, "max_levels=1.5"),
        ({"missing": "drop"}, "missing='drop' must be 'level' or 'zero'"),
    ],
)
def test_wrong_parameters_are_named(parameters, words):
    with pytest.raises(ValueError, match=words):
        FeatureCross(**parameters).fit(np.eye(2))


@given(rows, rows, st.sampled_from(["drop", "pool"]))
def test_columns_are_found_again_by_what_they_mean(first, second, rare):
    old, new = (FeatureCross(**RECIPE, max_levels=4, rare=rare).fit(frame(part)) for part in (first, first + second))
    place = {name: column for column, name in enumerate(new.get_feature_names_out())}
    assert old.columns_in(new).tolist() == [place.get(name, -1) for name in old.get_feature_names_out()]

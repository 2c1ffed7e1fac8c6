"""Tests of reading columns: the same values from every library, and what cannot be read."""

import datetime as dt
import decimal
import doctest
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsereg._core import strings
from sparsereg._core.strings import text_codes
from sparsereg.crosses.table import Table


def read(table, position=0):
    return Table(table, min_rows=0).column(position)


def python_values(column):
    return [column.value(row) for row in range(column.values.size)]


text = st.one_of(st.none(), st.sampled_from(["", "a", "b", "é", "日本", "missing", "a b", "\U0001f600"]), st.text())
LIBRARIES = {
    "pandas": lambda values: pd.DataFrame({"a": pd.Series(values, dtype="str")}),
    "pandas object": lambda values: pd.DataFrame({"a": pd.Series(values, dtype=object)}),
    "pandas nullable": lambda values: pd.DataFrame({"a": pd.Series(values, dtype="string")}),
    "pandas category": lambda values: pd.DataFrame({"a": pd.Series(values, dtype="str").astype("category")}),
    "polars": lambda values: pl.DataFrame({"a": values}, schema={"a": pl.String}),
    "polars categorical": lambda values: pl.DataFrame({"a": values}, schema={"a": pl.Categorical}),
    "arrow": lambda values: pa.table({"a": pa.array(values, pa.string())}),
    "arrow large": lambda values: pa.table({"a": pa.array(values, pa.large_string())}),
    "arrow dictionary": lambda values: pa.table({"a": pa.array(values, pa.string()).dictionary_encode()}),
    "numpy object": lambda values: np.array([*values, None], dtype=object)[:-1, None],
}


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=40, deadline=None)
@given(values=st.lists(text, min_size=1, max_size=8))
def test_strings_of_every_library(library, values):
    values = [None if value is None else value.encode("utf-8", "replace").decode() for value in values]
    column = read(LIBRARIES[library](values))
    assert column.kind == ("missing" if all(value is None for value in values) else "string")
    assert python_values(column) == values


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30), min_size=1))
def test_fixed_width_strings(values):
    column = read(np.array(values, dtype=str)[:, None])
    assert python_values(column) == values
    assert column.kind == "string"


integers = st.one_of(st.none(), st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))


@settings(max_examples=40, deadline=None)
@given(values=st.lists(integers, min_size=1, max_size=8).filter(lambda values: any(v is not None for v in values)))
def test_integers_of_every_library(values):
    tables = [
        pd.DataFrame({"a": pd.array(values, dtype="Int64")}),
        pd.DataFrame({"a": pd.Series(values, dtype=object)}),
        pl.DataFrame({"a": values}, schema={"a": pl.Int64}),
        pa.table({"a": pa.array(values, pa.int64())}),
        np.array([*values, None], dtype=object)[:-1, None],
    ]
    for table in tables:
        column = read(table)
        assert column.kind == "integer"
        assert python_values(column) == values


def test_huge_unsigned_integers_keep_their_value():
    values = [2**64 - 1, 0, 2**63]
    for table in (
        np.array(values, dtype=np.uint64)[:, None],
        np.array(values, dtype=object)[:, None],
        pl.DataFrame({"a": values}, schema={"a": pl.UInt64}),
    ):
        column = read(table)
        assert column.values.dtype == np.uint64
        assert python_values(column) == values
    assert read(np.array([[7]], dtype=np.uint64)).values.dtype == np.int64


@pytest.mark.parametrize("values", [[True, None, False], [True, False, True]])
def test_booleans_of_every_library(values):
    for table in (
        pd.DataFrame({"a": pd.array(values, dtype="boolean")}),
        pd.DataFrame({"a": pd.Series(values, dtype=object)}),
        pd.DataFrame({"a": pd.Categorical(values)}),
        pl.DataFrame({"a": values}),
        pa.table({"a": values}),
        np.array(values, dtype=object)[:, None],
    ):
        column = read(table)
        assert column.kind == "boolean"
        assert python_values(column) == values


def test_floats_of_every_library_have_nan_for_missing():
    for table in (
        pd.DataFrame({"a": [1.5, None, -0.0]}),
        pd.DataFrame({"a": pd.array([1.5, None, -0.0], dtype="Float64")}),
        pl.DataFrame({"a": [1.5, None, -0.0]}),
        pa.table({"a": [1.5, None, -0.0]}),
        pa.table({"a": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal(0)])}),
        np.array([[1.5], [None], [-0.0]], dtype=object),
        np.array([[1.5], [np.nan], [0.0]], dtype=np.float16),
        [[1.5], [float("nan")], [0]],
    ):
        column = read(table)
        assert column.kind == "number"
        assert column.values.dtype == np.float64
        np.testing.assert_array_equal(column.values, [1.5, np.nan, 0.0])


def test_missing_only():
    for table in (
        pd.DataFrame({"a": pd.Series([None, None], dtype=object)}),
        pd.DataFrame({"a": pd.Series([pd.NA, pd.NaT], dtype=object)}),
        pd.DataFrame({"a": pd.Series([None, None], dtype="category")}),
        pl.DataFrame({"a": [None, None]}),
        pa.table({"a": pa.nulls(2)}),
        np.array([[None], [float("nan")]], dtype=object)[:1],
    ):
        assert read(table).kind == "missing"
        assert read(table).value(0) is None


def test_a_missing_string_may_be_any_libraries_word_for_it():
    column = read(np.array([["a"], [None], [np.nan], [np.float32("nan")], [pd.NA], [pd.NaT]], dtype=object))
    assert python_values(column) == ["a", None, None, None, None, None]


def test_categories_that_are_not_strings():
    assert read(pd.DataFrame({"a": pd.Categorical([3, 1, None, 3])})).kind == "integer"
    assert python_values(read(pd.DataFrame({"a": pd.Categorical([3, 1, None, 3])}))) == [3, 1, None, 3]
    column = read(pd.DataFrame({"a": pd.cut([1, 5], [0, 2, 8])}))
    assert python_values(column) == ["(0, 2]", "(2, 8]"]
    assert python_values(read(pd.DataFrame({"a": pd.Categorical([1.5, 2.0])}))) == ["1.5", "2.0"]
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3, None]), pa.array(["b", None, "a", "b"]))
    assert python_values(read(pa.table({"a": dictionary}))) == ["b", None, "a", "b", None]


def test_arrow_chunks_with_different_dictionaries():
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", None, "a"]).dictionary_encode()]
    assert python_values(read(pa.table({"a": pa.chunked_array(chunks)}))) == ["a", "b", "c", None, "a"]


def test_polars_enum_and_many_categories():
    table = pl.DataFrame({"a": ["y", "x", None]}, schema={"a": pl.Enum(["unused", "x", "y"])})
    assert python_values(read(table)) == ["y", "x", None]
    pl.Series([f"other {k}" for k in range(1000)], dtype=pl.Categorical)
    assert len(read(pl.DataFrame({"a": ["p", "q"]}, schema={"a": pl.Categorical})).dictionary) == 2


def test_dates_are_read_as_wall_time():
    noon = pd.Timestamp("2024-07-01 12:30", tz="Europe/Paris")
    for table in (pd.DataFrame({"a": [noon]}), pl.DataFrame({"a": [noon.to_pydatetime()]})):
        zoned = (
            table
            if isinstance(table, pd.DataFrame)
            else table.with_columns(pl.col("a").dt.convert_time_zone("Europe/Paris"))
        )
        column = read(zoned)
        assert column.kind == "date"
        assert column.value(0) == np.datetime64("2024-07-01T12:30")
    assert read(np.array([["2024-01-01"]], dtype="datetime64[D]")).kind == "date"
    assert read(pl.DataFrame({"a": [dt.date(2024, 1, 1)]})).value(0) == np.datetime64("2024-01-01")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["a", 1], r"column 'x0' holds values .* 'a' \(str\), 1 \(int\)"),
        ([True, 1, 2], r"True \(bool\), 2 \(int\)|True \(bool\), 1 \(int\)"),
        (["a", 1.5], r"'a' \(str\), 1.5 \(float\)"),
        ([b"a", b"b"], r"\(bytes\)"),
        ([{}, {}], r"\(dict\)"),
        ([2**70, 1], "holds 1180591620717411303424, beyond 64 bits; convert it to strings"),
        ([-(2**63) - 1, 1], "beyond 64 bits"),
        ([-1, 2**63], "beyond 64 bits"),
        ([dt.timedelta(1)], r"\(timedelta\)"),
    ],
)
def test_mixtures_and_strange_types_are_refused_by_name_and_value(values, words):
    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    with pytest.raises(ValueError, match=words):
        read(array)


def test_mixed_categories_are_refused():
    with pytest.raises(ValueError, match="column 'a' holds values that are not all strings"):
        read(pd.DataFrame({"a": pd.Categorical(["a", 1], categories=["a", 1])}))


def test_lists_keep_the_type_of_each_column():
    table = [["a", 1, 2.5], ["b", 2, 3.5]]
    assert [read(table, place).kind for place in range(3)] == ["string", "integer", "number"]


def test_tables_that_are_none():
    for table, words in [
        (pd.Series([1, 2], name="a"), "Expected 2D array"),
        (np.arange(3), "Expected 2D array"),
        (pl.LazyFrame({"a": [1]}), "use X.collect"),
        ({"a": [1]}, "use pandas.DataFrame"),
        (np.zeros((2, 1), dtype="S3"), "dtype"),
        (np.zeros((2, 1), dtype=complex), "Complex data not supported"),
    ]:
        with pytest.raises(ValueError, match=words):
            Table(table)
    with pytest.raises(ValueError, match="0 sample"):
        Table(pd.DataFrame({"a": []}))
    with pytest.raises(TypeError, match="string names"):
        Table(pd.DataFrame({"a": [1], 2: [1]}))
    with pytest.raises(ValueError, match="'a'"):
        Table(pd.DataFrame(np.eye(2), columns=["a", "a"]))


def test_columns_without_names_go_by_position():
    table = Table(pd.DataFrame([[1, "a"]]))
    assert table.names == ["x0", "x1"]
    assert not table.named
    assert table.column(1).value(0) == "a"


class Sly(str):
    """Equal to everything, and with the hash of another string: what a kernel must not fall for."""

    __slots__ = ()

    def __hash__(self):
        return hash("a")

    def __eq__(self, other):
        return True


def never(value):  # noqa: ARG001
    return False


# Equal strings in several objects, strings of every width that Python keeps, and shared hashes of empty ones.
words = st.one_of(
    st.text(max_size=3), st.sampled_from(["a", "b", "é", "日", "\U0001f600", "a\0", "a\0b", "\ud800", "x" * 99])
)


@given(st.lists(st.one_of(st.none(), words, st.just(math.nan)), max_size=30), st.integers(1, 3))
def test_text_codes_number_strings_as_a_dict_does(values, stride):
    table = np.empty((len(values), stride), dtype=object)
    # A copy of each string, so that identity alone does not do.
    table[:, 0] = ["".join(value) if isinstance(value, str) else value for value in values]
    table.flags.writeable = False
    codes, strings = text_codes(table[:, 0], math.isnan)
    number = {}
    expected = [number.setdefault(v, len(number)) if isinstance(v, str) else -1 for v in values]
    assert codes.tolist() == expected
    assert strings == list(number)


def test_text_codes_of_many_strings_in_any_layout():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 5000, 20_000).astype(str).astype(object)
    for array in (
        values,
        values[::-1],
        values[::3],
        np.asfortranarray(np.c_[values, values])[:, 1],
        np.c_[values, values][:, 1],
    ):
        codes, strings = text_codes(array, never)
        assert [strings[code] for code in codes] == array.tolist()
        assert len(set(strings)) == len(strings)
    many = rng.integers(0, 5000, 200_000)
    arrays = [many.astype(str), many.astype(str).astype(object)]
    if hasattr(np.dtypes, "StringDType"):
        arrays.append(many.astype(np.dtypes.StringDType()))
    for array in arrays:
        codes, strings = text_codes(array, never)
        assert [int(strings[code]) for code in codes] == many.tolist()
    packed = np.zeros(3, dtype=[("pad", "i1"), ("word", object)])
    packed["word"] = ["b", "a", "b"]
    assert text_codes(packed["word"], never)[0].tolist() == [0, 1, 0]


def test_text_codes_leave_alone_what_is_no_string():
    for odd in (1, b"a", Sly("a"), np.str_("a"), ["a"], object()):
        array = np.array(["a", None, None], dtype=object)
        array[2] = odd
        assert text_codes(array, never) is None
    with pytest.raises(ValueError, match="must have one dimension"):
        text_codes(np.array([["a"]], dtype=object), never)

    def fail(value):
        raise KeyError(value)

    with pytest.raises(KeyError):
        text_codes(np.array([1], dtype=object), fail)


def test_the_example_of_text_codes():
    found = doctest.testmod(strings)
    assert found.attempted
    assert found.failed == 0


def test_strings_of_numpy_and_of_no_plain_type():
    for values in (np.array(["a", "b" * 30, "a"]), np.array(["a", "b" * 30, "a"], dtype=object)):
        assert python_values(read(values[:, None])) == ["a", "b" * 30, "a"]
    odd = np.array([[np.str_("a")], [None], ["a"]], dtype=object)
    assert python_values(read(odd)) == ["a", None, "a"]

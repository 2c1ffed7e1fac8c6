"""Tests of integer keys against numpy.unique and plain tuples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsereg.crosses import keys
from sparsereg.crosses.keys import Combinations, distinct, lookup

int64 = st.integers(-(2**63), 2**63 - 1)
uint64 = st.integers(0, 2**64 - 1)
small = st.integers(-5, 5)


def as_array(values, dtype):
    return np.array(values, dtype=dtype)


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.lists(int64, max_size=30), st.lists(small, max_size=30)))
def test_distinct_of_signed(values):
    check_distinct(as_array(values, np.int64))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(uint64, st.integers(0, 4)), max_size=30))
def test_distinct_of_unsigned(values):
    check_distinct(as_array(values, np.uint64))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([np.int8, np.uint8, np.int16, np.int32]), st.data())
def test_distinct_of_short_integers(dtype, data):
    info = np.iinfo(dtype)
    values = data.draw(st.lists(st.integers(int(info.min), int(info.max)), max_size=30))
    check_distinct(as_array(values, dtype))


def check_distinct(values):
    before = values.copy()
    levels, codes = distinct(values)
    np.testing.assert_array_equal(levels, np.unique(values))
    assert levels.dtype == values.dtype
    np.testing.assert_array_equal(levels[codes], values)
    assert codes.dtype == np.int32
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("bits", [4, 16, 17, 31, 32, 33, 47, 48, 49, 62])
def test_distinct_by_table_by_digits_and_by_comparison(bits):
    rng = np.random.default_rng(bits)
    pool = rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), 3000)
    check_distinct(rng.choice(pool, 20_000))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(int64, small), max_size=20), st.lists(st.one_of(int64, small), max_size=20))
def test_lookup(levels, values):
    levels = sorted(set(levels))
    expected = [levels.index(value) if value in levels else -1 for value in values]
    assert lookup(as_array(levels, np.int64), as_array(values, np.int64)).tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(uint64, st.integers(0, 9)), max_size=15), st.lists(st.one_of(int64, small), max_size=15))
def test_lookup_across_signedness(unsigned, signed):
    levels = sorted(set(unsigned))
    expected = [levels.index(value) if value in levels else -1 for value in signed]
    assert lookup(as_array(levels, np.uint64), as_array(signed, np.int64)).tolist() == expected
    levels = sorted(set(signed))
    expected = [levels.index(value) if value in levels else -1 for value in unsigned]
    assert lookup(as_array(levels, np.int64), as_array(unsigned, np.uint64)).tolist() == expected


@pytest.mark.parametrize("largest", [2**63 - 1, 1000, 60, 12])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_combinations_agree_with_tuples(largest, data):
    radices = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=5))
    row = st.tuples(*(st.integers(0, radix - 1) for radix in radices))
    rows = data.draw(st.lists(row, min_size=1, max_size=10))
    other = data.draw(st.lists(st.tuples(*(st.integers(-1, radix - 1) for radix in radices)), max_size=10))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_MAX_KEY", max(largest, 10 * max(radices)))
        check_combinations(rows, other, radices)


def check_combinations(rows, other, radices):
    columns = [np.array(column, dtype=np.int32) for column in zip(*rows, strict=True)]
    combinations, codes = Combinations.fit(columns, radices)
    levels = sorted(set(rows))
    assert len(combinations) == len(levels)
    assert codes.tolist() == [levels.index(row) for row in rows]
    assert list(zip(*(part.tolist() for part in combinations.split(codes)), strict=True)) == rows
    np.testing.assert_array_equal(combinations.find(columns), codes)
    if other:
        columns = [np.array(column, dtype=np.int32) for column in zip(*other, strict=True)]
        expected = [levels.index(row) if row in levels else -1 for row in other]
        assert combinations.find(columns).tolist() == expected


def test_product_beyond_64_bits_is_recoded():
    rng = np.random.default_rng(0)
    radices = [100_000] * 9
    assert math.prod(radices) > 2**100
    rows = [tuple(row) for row in rng.integers(0, 100_000, (2000, 9)).tolist()]
    rows += [(*row[:8], 99_999 - row[8]) for row in rows[:500]]
    other = [(row[0], *row[2:0:-1], *row[3:]) for row in rows[:200]] + [(-1, *row[1:]) for row in rows[:5]]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    assert len(Combinations.fit(columns, radices)[0].stages) > 1
    check_combinations(rows, other, radices)


def test_more_than_a_key_can_hold_is_refused():
    columns = [np.arange(3), np.arange(3)]
    with pytest.raises(ValueError, match="pass 2\\^63; use coarser bins"):
        Combinations.fit(columns, [3, 2**63])


def test_lookup_of_values_far_outside_and_of_other_types():
    levels = np.array([-3, 0, 4, 9], dtype=np.int64)
    for values in (
        np.array([9, -4, 10, 4, -3, 0, 1], dtype=np.int8),
        np.array([2**62, -(2**62), 2**63 - 1, -(2**63), 4, -3, 9, 5], dtype=np.int64),
        np.array([2**64 - 1, 2**63, 4, 9, 0, 10], dtype=np.uint64),
        np.array([4, 9, 0, 200], dtype=np.uint8),
    ):
        place = {value: code for code, value in enumerate(levels.tolist())}
        assert lookup(levels, values).tolist() == [place.get(value, -1) for value in values.tolist()]
    top = np.array([2**63 - 2, 2**63 - 1], dtype=np.int64)
    assert lookup(top, np.array([2**63 - 1, 0, -(2**63)], dtype=np.int64)).tolist() == [1, -1, -1]

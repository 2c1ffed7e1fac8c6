"""Tests of the bin rules against exact rational arithmetic."""

import json
import math
from bisect import bisect_right
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsereg.crosses.binning import Edges, Quantiles, Width
from sparsereg.crosses.rules import rule_from_dict

fractions = st.fractions(min_value=Fraction(1, 5000), max_value=1000, max_denominator=5000)
origins = st.fractions(min_value=-500, max_value=500, max_denominator=360)


def edge(rule, k):
    return float(rule.origin + k * rule.width)


@settings(deadline=None)
@given(fractions, origins, st.integers(-30_000, 30_000))
def test_value_on_an_edge_lies_in_the_bin_that_begins_there(width, origin, k):
    rule = Width(width, origin)
    on = edge(rule, k)
    values = np.array([on, np.nextafter(on, -math.inf), np.nextafter(edge(rule, k + 1), -math.inf)])
    assert rule.index(values).tolist() == [k, k - 1, k]


@settings(deadline=None)
@given(fractions, origins, st.floats(-1e6, 1e6))
def test_bounds_hold_the_value(width, origin, value):
    rule = Width(width, origin)
    (k,) = rule.index(np.array([value])).tolist()
    low, high = rule.bounds(k)
    assert low <= value < high
    assert (low, high) == (edge(rule, k), edge(rule, k + 1))


def test_every_minute_of_the_globe():
    minutes = np.arange(-10_800, 10_800)
    edges = np.array([float(Fraction(k, 60)) for k in minutes.tolist()])
    for width in (1 / 60, "1/60", Fraction(1, 60), np.float64(1 / 60)):
        np.testing.assert_array_equal(Width(width).index(edges), minutes)
        np.testing.assert_array_equal(Width(width).index(np.nextafter(edges, -math.inf)), minutes - 1)
    assert Width(1 / 60).label(2265) == "[37.75,37.7667)"
    assert Width(1 / 60).bounds(2265) == (37.75, 37.75 + 1 / 60)


def test_sum_and_product_of_minutes_may_miss_an_edge_but_the_comparison_is_exact():
    # 0.1 + 0.2 is above 0.3 and 3 * 0.1 too; 0.3 itself is edge 3.
    rule = Width(0.1)
    assert rule.index(np.array([0.3, 0.1 + 0.2, np.nextafter(0.3, 0)])).tolist() == [3, 3, 2]


@settings(deadline=None)
@given(st.one_of(st.floats(1e-6, 1e6), fractions), st.one_of(st.floats(-1e3, 1e3).map(lambda x: round(x, 12)), origins))
def test_width_round_trips_through_text_and_json(width, origin):
    rule = Width(width, origin)
    assert eval(repr(rule), {"Width": Width}) == rule
    assert rule_from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), unique=True, max_size=8).map(sorted))
def test_edges_round_trip_through_text_and_json(edges):
    rule = Edges(edges) if len({edge + 0.0 for edge in edges}) == len(edges) else Edges([])
    assert eval(repr(rule)) == rule
    assert rule_from_dict(json.loads(json.dumps(rule.to_dict()))) == rule
    fitted = Quantiles(3).fit(np.array(edges)) if edges else rule
    assert eval(repr(fitted)) == fitted


def test_edges_never_move():
    """A value on an edge lies in the same bin in every version: these numbers may not change."""
    rule = Width("1/60")
    bounds = [rule.bounds(k)[0].hex() for k in (1, 7, 2265, -7351, 10_799)]
    assert bounds == [
        "0x1.1111111111111p-6",
        "0x1.ddddddddddddep-4",
        "0x1.2e00000000000p+5",
        "-0x1.ea11111111111p+6",
        "0x1.67f7777777777p+7",
    ]
    assert rule.index(np.array([float.fromhex(bound) for bound in bounds])).tolist() == [1, 7, 2265, -7351, 10_799]


def test_floats_are_read_as_people_wrote_them():
    assert Width(1 / 60) == Width("1/60") == Width(Fraction(1, 60))
    assert Width(0.1) == Width("0.1")
    assert hash(Width(0.25)) == hash(Width("1/4"))
    assert repr(Width("1/60", origin=-180, period=360)) == "Width(1/60, origin=-180, period=360)"
    assert repr(Width(Fraction(10**9 + 7, 10**9 + 9))) == "Width('1000000007/1000000009')"
    assert Width(1) != Edges([1])


def test_negative_zero_lies_with_zero():
    assert Width(1).index(np.array([-0.0, 0.0])).tolist() == [0, 0]
    assert Edges([-0.0]).index(np.array([-0.0, 0.0])).tolist() == [0, 0]
    assert repr(Edges([-0.0])) == "Edges([0])"


def test_period_wraps():
    rule = Width(90, origin=-180, period=360)
    assert rule.index(np.array([-180.0, 179.0, 180.0, -181.0, 540.0])).tolist() == [0, 3, 0, 3, 0]
    assert rule.n_cells(0, 1) == 4
    assert rule.label(3) == "[90,180)"


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e9, 1e9), max_size=8, unique_by=lambda x: x + 0.0),
    st.lists(st.floats(allow_nan=False), max_size=20),
)
def test_edges_agree_with_bisection(edges, values):
    edges = sorted(edges)
    rule = Edges(edges)
    index = rule.index(np.array(values, dtype=float)).tolist()
    assert index == [bisect_right(edges, value) - 1 for value in values]
    assert eval(repr(rule), {"Edges": Edges}) == rule
    assert rule_from_dict(json.loads(json.dumps(rule.to_dict()))) == rule
    for k, value in zip(index, values, strict=True):
        low, high = rule.bounds(k)
        assert low <= value < high or value == high == math.inf


def test_edges_in_words():
    rule = Edges([0, 18, 65.5])
    assert repr(rule) == "Edges([0, 18, 65.5])"
    assert [rule.label(k) for k in range(-1, 3)] == ["[-inf,0)", "[0,18)", "[18,65.5)", "[65.5,inf)"]
    assert rule.n_cells(0, 0) == 4


def test_quantiles_are_values_and_share_the_rows():
    values = np.random.default_rng(0).permutation(1000).astype(float)
    fitted = Quantiles(10).fit(values)
    assert set(fitted.edges) <= set(values)
    counts = np.bincount(fitted.index(values) + 1)
    assert counts.sum() == 1000
    assert counts.min() >= 99
    assert counts.max() <= 101


def test_quantiles_of_ties_and_of_nothing():
    assert Quantiles(4).fit(np.zeros(50)) == Edges([])
    assert Quantiles(4).fit(np.array([])) == Edges([])
    assert Edges([]).index(np.array([1.0, -2.0])).tolist() == [-1, -1]
    assert Edges([]).bounds(-1) == (-math.inf, math.inf)
    assert Quantiles(3).fit(np.array([math.inf, 1.0, 2.0, 3.0])) == Quantiles(3).fit(np.array([1.0, 2.0, 3.0]))
    assert rule_from_dict(Quantiles(7).to_dict()) == Quantiles(7)
    assert repr(Quantiles(np.int64(7))) == "Quantiles(n=7)"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Width(0), "width=0 must be positive"),
        (lambda: Width(-1), "width=-1 must be positive"),
        (lambda: Width("a minute"), "width='a minute' is not a finite number"),
        (lambda: Width("1/0"), "width='1/0' is not a finite number"),
        (lambda: Width(math.nan), "width=nan is not"),
        (lambda: Width(math.inf), "width=inf is not"),
        (lambda: Width(None), "width=None is not"),
        (lambda: Width(1, origin=math.inf), "origin=inf is not"),
        (lambda: Width(7, period=360), "period=360 must be a positive whole multiple of width"),
        (lambda: Width("1e-400"), "out of the range of float64"),
        (lambda: Edges([0, 0]), "must be strictly increasing"),
        (lambda: Edges([1, 0]), "must be strictly increasing"),
        (lambda: Edges([0, math.nan]), "must be finite"),
        (lambda: Edges([math.inf]), "must be finite"),
        (lambda: Quantiles(1), "n=1 must be at least 2"),
        (lambda: Quantiles(2.5), r"n=2.5 must be an integer"),
        (lambda: rule_from_dict({"rule": "round"}), "rule='round' is not one of"),
        (lambda: rule_from_dict({"rule": "width", "breadth": 1}), "breadth"),
        (lambda: Width(1).index(np.array([1.0, math.inf])), "value inf is infinite or too far"),
        (lambda: Width(1).index(np.array([-math.inf])), "value -inf is infinite or too far"),
        (lambda: Width(1).index(np.array([1e300])), r"value 1e\+300 is infinite or too far"),
        (lambda: Width(1e-3).index(np.array([1e306])), r"value 1e\+306 is infinite or too far"),
    ],
)
def test_errors_name_the_argument_and_the_value(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_rules_are_frozen():
    for rule, name in [(Width(1), "width"), (Edges([1]), "edges"), (Quantiles(2), "n")]:
        with pytest.raises(AttributeError):
            setattr(rule, name, 3)

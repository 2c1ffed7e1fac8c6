"""Tests of parts of dates, and of several fields made of one column."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsereg.crosses.binning import Edges, Width
from sparsereg.crosses.dates import DatePart
from sparsereg.crosses.feature_cross import FeatureCross
from sparsereg.crosses.rules import Of, rule_from_dict

PARTS = {
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
    "weekday": lambda t: t.weekday(),
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
}


@pytest.mark.parametrize("part", PARTS)
@settings(max_examples=40, deadline=None)
@given(times=st.lists(st.datetimes(), max_size=20))
def test_parts_agree_with_the_standard_library(part, times):
    rule = DatePart(part)
    found = rule.index(np.array(times, dtype="datetime64[us]")).tolist()
    assert found == [PARTS[part](time) for time in times]
    assert eval(repr(rule), {"DatePart": DatePart}) == rule
    assert rule_from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


def test_labels_and_cells():
    assert [DatePart("weekday").label(k) for k in (0, 6)] == ["Monday", "Sunday"]
    assert [DatePart("month").label(k) for k in (1, 12)] == ["January", "December"]
    assert DatePart("hour").label(7) == "7"
    assert DatePart("hour").n_cells(3, 4) == 24
    assert DatePart("year").n_cells(2020, 2024) == 5


TIMES = ["2024-02-29 23:30", None, "2024-03-31 01:30", "2023-12-31 00:00"]
RECIPE = {
    "bins": {"hour": Of("sold", DatePart("hour")), "weekday": Of("sold", DatePart("weekday")), "price": Edges([10])},
    "crosses": [("weekday", "hour"), ("hour", "price")],
}


def sales():
    return pd.DataFrame({"sold": pd.to_datetime(TIMES), "price": [5.0, 20.0, 30.0, 7.0]})


def test_several_fields_of_one_date_in_every_library():
    X = sales()
    cross = FeatureCross(**RECIPE).fit(X)
    assert [block.name for block in cross.blocks_] == ["price", "hour", "weekday", "weekday x hour", "hour x price"]
    names = list(cross.get_feature_names_out())
    assert names[2:10] == [
        "hour=0",
        "hour=1",
        "hour=23",
        "hour=missing",
        "weekday=Thursday",
        "weekday=Sunday",
        "weekday=missing",
        "weekday=Thursday x hour=23",
    ]
    assert cross.inverse(9) == (("weekday", 3), ("hour", 23))
    expected = cross.transform(X)
    assert expected.nnz == 20
    frames = [pl.from_pandas(X), pa.Table.from_pandas(X), X.assign(sold=X["sold"].astype("datetime64[s]"))]
    for frame in frames:
        assert (cross.transform(frame) != expected).nnz == 0
        assert (FeatureCross(**RECIPE).fit_transform(frame) != expected).nnz == 0
    again = FeatureCross.from_arrays(cross.to_arrays())
    assert (again.transform(X) != expected).nnz == 0
    assert again.bins == cross.bins
    grown = FeatureCross(**RECIPE).partial_fit(X.iloc[:1]).partial_fit(X.iloc[1:])
    assert list(grown.get_feature_names_out()) == names


def test_time_zones_are_read_as_their_wall_clock():
    zoned = pd.DataFrame({"t": pd.to_datetime(["2024-07-01 22:30", "2024-01-01 23:30"]).tz_localize("UTC")})
    paris = zoned.assign(t=zoned["t"].dt.tz_convert("Europe/Paris"))
    for frame in (paris, pl.from_pandas(paris), pa.Table.from_pandas(paris)):
        cross = FeatureCross(bins={"t": DatePart("hour")}).fit(frame)
        assert list(cross.get_feature_names_out()) == ["t=0"]
    assert list(FeatureCross(bins={"t": DatePart("hour")}).fit(zoned).get_feature_names_out()) == ["t=22", "t=23"]


def test_numpy_dates_and_python_dates():
    days = np.array([["2024-02-29"], ["NaT"], ["2023-01-01"]], dtype="datetime64[D]")
    cross = FeatureCross(bins={0: DatePart("year"), "m": Of(0, DatePart("month"))}).fit(days)
    assert list(cross.get_feature_names_out()) == [
        "x0=2023",
        "x0=2024",
        "x0=missing",
        "m=January",
        "m=February",
        "m=missing",
    ]
    assert cross.feature_names([0], ["sold"]) == ["sold=2023"]
    frame = pl.DataFrame({"d": [dt.date(2024, 2, 29), None]})
    assert FeatureCross(bins={"d": DatePart("day")}).fit(frame).feature_names([0]) == ["d=29"]


def test_a_fine_and_a_coarse_grid_of_one_column():
    X = pd.DataFrame({"latitude": [37.1, 37.9, 38.2], "z": [1.0, 2.0, 3.0]})
    cross = FeatureCross(bins={"latitude": Width(0.5), "degree": Of("latitude", Width(1))}).fit(X)
    assert list(cross.get_feature_names_out()) == [
        "latitude=[37,37.5)",
        "latitude=[37.5,38)",
        "latitude=[38,38.5)",
        "degree=[37,38)",
        "degree=[38,39)",
        "z",
    ]
    only = FeatureCross(bins={"degree": Of("latitude", Width(1))}).fit(X)
    assert [block.name for block in only.blocks_] == ["degree", "z"]
    both = FeatureCross(fields=["latitude", "degree"], bins={"degree": Of("latitude", Width(1))}).fit(X)
    assert [block.name for block in both.blocks_] == ["degree", "latitude"]


@pytest.mark.parametrize(
    ("bins", "words"),
    [
        ({"sold": Width(1)}, "column 'sold' holds date values where numbers are needed"),
        ({"price": DatePart("hour"), "sold": DatePart("day")}, "column 'price' holds number values where dates"),
        ({}, r"column 'sold' holds dates, which need a rule in bins, such as DatePart\('month'\)"),
        ({"price": Of("sold", DatePart("hour"))}, "give it a name that no column has"),
        ({0: Of("sold", DatePart("hour"))}, "give it a name that no column has"),
        ({"hour": Of("date", DatePart("hour"))}, "bins names 'date', which is not among the columns"),
    ],
)
def test_errors_name_the_column(bins, words):
    with pytest.raises(ValueError, match=words):
        FeatureCross(bins=bins).fit(sales())


def test_wrong_rules_are_named():
    with pytest.raises(ValueError, match="part='week' must be one of"):
        DatePart("week")
    with pytest.raises(ValueError, match="rule=3 must be a Width"):
        Of("a", 3)
    with pytest.raises(ValueError, match="rule='of' with"):
        rule_from_dict({"rule": "of", "column": "a"})


@pytest.mark.parametrize("zone", ["America/New_York", "America/Port-au-Prince", "Asia/Kolkata", "UTC", "+05:30"])
def test_zones_of_any_name(zone):
    """Zones with an underscore, a hyphen or an offset are read in local time, by the parts of their dates."""
    dates = pd.Series(pd.to_datetime(["2024-01-15T03:10Z", "2024-07-15T03:10Z", None])).dt.tz_convert(zone)
    cross = FeatureCross(bins={"t": DatePart("hour")})
    X = cross.fit_transform(pd.DataFrame({"t": dates}))
    assert cross.levels_["t"].numbers.tolist() == sorted({time.hour for time in dates[:2]})
    assert X[2].nonzero()[1].tolist() == [X.shape[1] - 1]

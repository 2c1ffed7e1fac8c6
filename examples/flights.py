"""The delay of flights out of New York on arrival, in minutes, by carrier, aircraft, route and time."""

from __future__ import annotations

import pandas as pd
from common import data_file, report_on

from sparsereg import DatePart, FeatureCross, Of

flights = pd.read_csv(data_file("nycflights13_flights.csv.gz"))
flights = flights[flights["arr_delay"].notna()]
# The file has the hour of the actual departure, which reveals the delay; this is the scheduled hour.
flights["hour"] = ((60 * flights["hour"] + flights["minute"] - flights["dep_delay"]) % 1440 // 60).astype(int)
flights["date"] = pd.to_datetime(flights[["year", "month", "day"]])
cross = FeatureCross(
    fields=["carrier", "tailnum", "flight", "origin", "dest", "month", "hour", "weekday"],
    bins={"weekday": Of("date", DatePart("weekday"))},
    crosses=[
        ("carrier", "tailnum"),
        ("tailnum", "dest"),
        ("tailnum", "month"),
        ("flight", "month"),
        ("origin", "dest"),
        ("origin", "hour"),
        ("dest", "hour"),
        ("carrier", "dest", "month"),
    ],
)
report_on(cross, flights, flights["arr_delay"], eps=5e-3)

"""The log duration of green taxi rides in New York, by pair of zones, weekday and hour."""

from __future__ import annotations

import numpy as np
import pandas as pd
from common import data_file, report_on

from sparsereg import DatePart, FeatureCross, Of

rides = pd.read_csv(
    data_file("nyc_green_taxi_2022_01.csv.gz"), parse_dates=["lpep_pickup_datetime", "lpep_dropoff_datetime"]
)
minutes = (rides["lpep_dropoff_datetime"] - rides["lpep_pickup_datetime"]).dt.total_seconds() / 60
# Longer times are meters that were left running.
real = (minutes > 1) & (minutes < 180)
cross = FeatureCross(
    fields=["PULocationID", "DOLocationID", "hour", "weekday"],
    bins={
        "hour": Of("lpep_pickup_datetime", DatePart("hour")),
        "weekday": Of("lpep_pickup_datetime", DatePart("weekday")),
    },
    crosses=[
        ("PULocationID", "DOLocationID"),
        ("PULocationID", "hour"),
        ("DOLocationID", "hour"),
        ("weekday", "hour"),
        ("PULocationID", "DOLocationID", "hour"),
    ],
)
report_on(cross, rides[real], np.log(minutes[real]))

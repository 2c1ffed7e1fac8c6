"""The log of the median house value in Californian census blocks of 1990, by one-minute cells of the map."""

from __future__ import annotations

import numpy as np
import pandas as pd
from common import data_file, report_on

from sparsereg import FeatureCross, Of, Quantiles, Width

houses = pd.read_csv(data_file("california_housing.csv.gz"))
cross = FeatureCross(
    fields=["latitude", "longitude", "lat10", "lon10", "ocean_proximity", "median_income", "housing_median_age"],
    bins={
        "latitude": Width(1 / 60),
        "longitude": Width(1 / 60),
        "lat10": Of("latitude", Width(1 / 6)),
        "lon10": Of("longitude", Width(1 / 6)),
        "median_income": Quantiles(20),
        "housing_median_age": Width(5),
    },
    crosses=[
        ("latitude", "longitude"),
        ("lat10", "lon10"),
        ("ocean_proximity", "median_income"),
        ("lat10", "lon10", "median_income"),
    ],
)
report_on(cross, houses, np.log(houses["median_house_value"]))

"""The log price of houses sold in King County, by cell of the map, grade and time of sale."""

from __future__ import annotations

import numpy as np
import pandas as pd
from common import data_file, report_on

from sparsereg import DatePart, FeatureCross, Of, Quantiles, Width

sales = pd.read_csv(data_file("kc_house_sales.csv.gz"), parse_dates=["date"])
cross = FeatureCross(
    fields=["lat", "long", "zipcode", "grade", "condition", "view", "waterfront", "sqft_living", "yr_built", "month"],
    bins={
        "lat": Width(1 / 120),
        "long": Width(1 / 120),
        "sqft_living": Quantiles(30),
        "yr_built": Width(10),
        "month": Of("date", DatePart("month")),
    },
    crosses=[
        ("lat", "long"),
        ("zipcode", "grade"),
        ("zipcode", "sqft_living"),
        ("grade", "sqft_living"),
        ("zipcode", "yr_built"),
    ],
)
report_on(cross, sales, np.log(sales["price"]))

"""The log quantity on the invoice lines of an online shop, by article, customer, country and time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from common import data_file, report_on

from sparsereg import DatePart, FeatureCross, Of

# Customer numbers are read as strings: with missing values pandas would make them floats.
lines = pd.read_csv(
    data_file("online_retail.csv.gz"), parse_dates=["InvoiceDate"], dtype={"CustomerID": "str", "StockCode": "str"}
)
lines = lines[lines["Quantity"] > 0]  # the others are returns
cross = FeatureCross(
    fields=["StockCode", "CustomerID", "Country", "month", "weekday", "hour"],
    bins={part: Of("InvoiceDate", DatePart(part)) for part in ("month", "weekday", "hour")},
    crosses=[
        ("CustomerID", "StockCode"),
        ("Country", "StockCode"),
        ("StockCode", "month"),
        ("StockCode", "weekday"),
        ("CustomerID", "month"),
        ("Country", "month"),
    ],
)
report_on(cross, lines, np.log(lines["Quantity"]))

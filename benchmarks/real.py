"""Workloads made from real, public data files. Knows where the files are; knows neither the cache nor any solver.

The files are looked for in the folder named by SPARSEREG_DATA, else in `../shared/data` beside the repository.
"""

from __future__ import annotations

import os
from functools import reduce
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from synthetic import one_hot


class DataNotFound(Exception):
    """A workload's data file is not on this machine."""


def data_file(name: str) -> Path:
    """Path of a data file; DataNotFound says where it was looked for."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("SPARSEREG_DATA", default)) / name
    if not path.is_file():
        raise DataNotFound(f"{name} not found; set SPARSEREG_DATA to the folder that holds it")
    return path


def _crossed(table, blocks: list[str]) -> sp.csr_array:
    """One-hot blocks of a data frame, each named like "carrier" or "carrier*dest"; a missing cell is a level."""
    import pandas as pd

    names = sorted({field for block in blocks for field in block.split("*")})
    codes = {f: pd.factorize(table[f], use_na_sentinel=False)[0].astype(np.int64) for f in names}
    return one_hot(
        [reduce(lambda a, b: a * (b.max() + 1) + b, (codes[f] for f in block.split("*"))) for block in blocks]
    )


def retail() -> tuple[sp.csr_array, np.ndarray]:
    """Log of the quantity on every invoice line that is not a return; 12 blocks."""
    import pandas as pd

    table = pd.read_csv(data_file("online_retail.csv.gz"), parse_dates=["InvoiceDate"])
    table = table[table["Quantity"] > 0]
    when = table["InvoiceDate"].dt
    table = table.assign(month=when.strftime("%Y-%m"), weekday=when.weekday, hour=when.hour)
    blocks = ["StockCode", "CustomerID", "Country", "month", "weekday", "hour"]
    blocks += ["CustomerID*StockCode", "Country*StockCode", "StockCode*month", "StockCode*weekday"]
    blocks += ["CustomerID*month", "Country*month"]
    return _crossed(table, blocks), np.log(table["Quantity"].to_numpy(dtype=np.float64))


def flights() -> tuple[sp.csr_array, np.ndarray]:
    """Arrival delay in minutes of flights that arrived; 16 blocks.

    The file's hour and minute are those of the actual departure and leak the delay; the scheduled ones are recovered.
    """
    import pandas as pd

    table = pd.read_csv(data_file("nycflights13_flights.csv.gz"))
    table = table[table["arr_delay"].notna()]
    scheduled = (60 * table["hour"] + table["minute"] - table["dep_delay"]) % 1440
    weekday = pd.to_datetime(table[["year", "month", "day"]]).dt.weekday
    table = table.assign(hour=scheduled // 60, weekday=weekday)
    blocks = ["carrier", "tailnum", "flight", "origin", "dest", "month", "hour", "weekday"]
    blocks += ["carrier*tailnum", "tailnum*dest", "tailnum*month", "flight*month", "origin*dest"]
    blocks += ["origin*hour", "dest*hour", "carrier*dest*month"]
    return _crossed(table, blocks), table["arr_delay"].to_numpy(dtype=np.float64)


def california() -> tuple[sp.csr_array, np.ndarray]:
    """Log of the median house value, by cells of one and ten minutes; 11 blocks, as examples/california_housing.py."""
    import pandas as pd

    table = pd.read_csv(data_file("california_housing.csv.gz"))
    cells = {f"{axis}{size}": np.floor(table[name] * 60 / size) for axis, name, size in _AXES}
    income = pd.qcut(table["median_income"], 20, labels=False)
    table = table.assign(**cells, income=income, age=table["housing_median_age"] // 5)
    blocks = [*cells, "ocean_proximity", "income", "age", "lat1*lon1", "lat10*lon10", "ocean_proximity*income"]
    return _crossed(table, [*blocks, "lat10*lon10*income"]), np.log(table["median_house_value"].to_numpy())


_AXES = [("lat", "latitude", 1), ("lon", "longitude", 1), ("lat", "latitude", 10), ("lon", "longitude", 10)]


def king_county() -> tuple[sp.csr_array, np.ndarray]:
    """Log price of houses, by half-minute cells, grade and time; 15 blocks, as examples/king_county.py."""
    import pandas as pd

    table = pd.read_csv(data_file("kc_house_sales.csv.gz"), parse_dates=["date"])
    table = table.assign(
        lat=np.floor(table["lat"] * 120),
        long=np.floor(table["long"] * 120),
        living=pd.qcut(table["sqft_living"], 30, labels=False, duplicates="drop"),
        built=table["yr_built"] // 10,
        month=table["date"].dt.month,
    )
    blocks = ["lat", "long", "zipcode", "grade", "condition", "view", "waterfront", "living", "built", "month"]
    blocks += ["lat*long", "zipcode*grade", "zipcode*living", "grade*living", "zipcode*built"]
    return _crossed(table, blocks), np.log(table["price"].to_numpy(dtype=np.float64))


def green_taxi() -> tuple[sp.csr_array, np.ndarray]:
    """Log duration of taxi rides of a minute to three hours; 9 blocks, as examples/green_taxi.py."""
    import pandas as pd

    times = ["lpep_pickup_datetime", "lpep_dropoff_datetime"]
    table = pd.read_csv(data_file("nyc_green_taxi_2022_01.csv.gz"), parse_dates=times)
    minutes = (table[times[1]] - table[times[0]]).dt.total_seconds() / 60
    table = table.assign(minutes=minutes, hour=table[times[0]].dt.hour, weekday=table[times[0]].dt.weekday)
    table = table[(minutes > 1) & (minutes < 180)]
    zones = ["PULocationID", "DOLocationID"]
    blocks = [*zones, "hour", "weekday", "*".join(zones), *(f"{zone}*hour" for zone in zones), "weekday*hour"]
    return _crossed(table, [*blocks, f"{zones[0]}*{zones[1]}*hour"]), np.log(table["minutes"].to_numpy())


def _svmlight(name: str) -> tuple[sp.csr_array, np.ndarray]:
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(str(data_file(name)), zero_based=False)
    X = sp.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X, y


def news20() -> tuple[sp.csr_array, np.ndarray]:
    """Twenty Newsgroups, comp.* (labels 2 to 6) against the rest, rows scaled to unit length."""
    X, label = _svmlight("news20_bydate_train.svm.gz")
    length = np.sqrt(X.multiply(X).sum(axis=1))
    X.data = X.data / np.repeat(np.maximum(length, np.finfo(float).tiny), np.diff(X.indptr))
    return X, np.where((label >= 2) & (label <= 6), 1.0, -1.0)


def a8a() -> tuple[sp.csr_array, np.ndarray]:
    """22,696 x 123 ones of adults' census records, binned; incomes of -1 and 1."""
    return _svmlight("a8a.svm.gz")


def w8a() -> tuple[sp.csr_array, np.ndarray]:
    """49,749 x 300 ones of words of web pages; categories of -1 and 1."""
    return _svmlight("w8a.svm.gz")


def leukemia() -> tuple[np.ndarray, np.ndarray]:
    """72 x 7,070 gene expressions, more than half of them non-zero: dense."""
    X, y = _svmlight("leukemia.svm.gz")
    return X.toarray(), y


def arcene() -> tuple[np.ndarray, np.ndarray]:
    """200 x 10,000 mass spectra, more than half of the entries non-zero: dense."""
    X, y = _svmlight("arcene.svm.gz")
    return X.toarray(), y

"""Tables of the gallery: public data from the folder named by SPARSEREG_DATA (else `../shared/data` beside the
repository), or where a file is not there, made rows with the same columns, which is printed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(os.environ.get("SPARSEREG_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def california() -> pd.DataFrame:
    """20,640 districts of the census of 1990: place, income, and the median value of a house."""

    def made(rng: np.random.Generator, n: int = 20_640) -> pd.DataFrame:
        table = pd.DataFrame({"latitude": rng.normal(37.7, 0.3, n), "longitude": rng.normal(-122.2, 0.3, n)})
        table["median_income"] = rng.gamma(5.0, 0.8, n)
        table["ocean_proximity"] = np.where(table["longitude"] < -122.2, "NEAR BAY", "INLAND")
        near = np.exp(-np.hypot(table["latitude"] - 37.8, table["longitude"] + 122.4))
        table["median_house_value"] = 1e5 * np.exp(near + 0.1 * table["median_income"] + 0.2 * rng.normal(size=n))
        return table

    return _read("california_housing.csv.gz", made)


def flights() -> pd.DataFrame:
    """Flights from New York in 2013 that arrived. `hour` is that of the schedule: the file's own is that of the actual
    departure, which knows the delay."""

    def made(rng: np.random.Generator, n: int = 60_000) -> pd.DataFrame:
        table = pd.DataFrame({"carrier": rng.choice(["B6", "DL", "EV", "UA"], n), "month": rng.integers(1, 13, n)})
        table["origin"], table["dest"] = rng.choice(["EWR", "JFK", "LGA"], n), rng.choice(["ATL", "BOS", "ORD"], n)
        table["tailnum"] = np.char.add("N", rng.integers(100, 900, n).astype(str))
        table["hour"], table["minute"], table["dep_delay"] = rng.integers(5, 22, n), 0, 0
        table["arr_delay"] = table["hour"] + 9.0 * (table["carrier"] == "EV") + 30 * rng.normal(size=n)
        return table

    table = _read("nycflights13_flights.csv.gz", made).dropna(subset=["arr_delay"])
    minutes = (60 * table["hour"] + table["minute"] - table["dep_delay"]) % 1440
    return table.assign(hour=(minutes // 60).astype(int)).reset_index(drop=True)


def retail() -> pd.DataFrame:
    """Lines of invoices of an online shop that are not returned."""

    def made(rng: np.random.Generator, n: int = 60_000) -> pd.DataFrame:
        table = pd.DataFrame({"CustomerID": rng.zipf(1.4, n) % 900, "StockCode": rng.zipf(1.3, n) % 500})
        table["Country"] = rng.choice(["France", "United Kingdom"], n, p=[0.1, 0.9])
        own = (table["CustomerID"] * 31 + table["StockCode"] * 17) % 23 == 0
        table["Quantity"] = np.ceil(np.exp(1.5 + 1.5 * own + rng.normal(size=n)))
        return table

    table = _read("online_retail.csv.gz", made)
    return table[table["Quantity"] > 0].reset_index(drop=True)


def king_county() -> pd.DataFrame:
    """Sales of houses around Seattle."""

    def made(rng: np.random.Generator, n: int = 21_613) -> pd.DataFrame:
        table = pd.DataFrame({"zipcode": 98_001 + rng.integers(0, 70, n), "grade": rng.integers(5, 12, n)})
        table["sqft_living"] = np.round(np.exp(7.5 + 0.15 * (table["grade"] - 8) + 0.3 * rng.normal(size=n)))
        table["bathrooms"] = np.round(table["sqft_living"] / 900 + 0.4 * rng.normal(size=n), 1).clip(0.5)
        near = (table["zipcode"] % 7 == 0) * (table["grade"] - 7)
        size = np.log(table["sqft_living"])
        return table.assign(price=np.exp(7 + 0.8 * size + 0.1 * near + 0.2 * rng.normal(size=n)))

    return _read("kc_house_sales.csv.gz", made)


def taxi() -> pd.DataFrame:
    """Trips of green taxis in New York: zones, hour, and minutes between 1 and 120."""

    def made(rng: np.random.Generator, n: int = 60_000) -> pd.DataFrame:
        begin = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 44_640, n), unit="min")
        table = pd.DataFrame({"PULocationID": rng.integers(1, 60, n), "DOLocationID": rng.integers(1, 60, n)})
        apart = np.abs(table["PULocationID"] - table["DOLocationID"])
        minutes = (4 + 0.6 * apart) * np.exp(0.3 * rng.normal(size=n))
        return table.assign(
            lpep_pickup_datetime=begin, lpep_dropoff_datetime=begin + pd.to_timedelta(minutes, unit="min")
        )

    times = ["lpep_pickup_datetime", "lpep_dropoff_datetime"]
    table = _read("nyc_green_taxi_2022_01.csv.gz", made, parse_dates=times)
    if (zones := FOLDER / "nyc_taxi_zones.csv").is_file():
        names = pd.read_csv(zones).set_index("LocationID")["Zone"]
        table[["PULocationID", "DOLocationID"]] = table[["PULocationID", "DOLocationID"]].apply(
            lambda zone: zone.map(names)
        )
    minutes = (table[times[1]] - table[times[0]]).dt.total_seconds() / 60
    table = table.assign(hour=table[times[0]].dt.hour, minutes=minutes)
    return table[minutes.between(1, 120)].reset_index(drop=True)


def claims() -> pd.DataFrame:
    """French motor policies: claims, and the years that each was insured."""

    def made(rng: np.random.Generator, n: int = 100_000) -> pd.DataFrame:
        table = pd.DataFrame({"DrivAge": rng.integers(18, 90, n), "BonusMalus": 50 + rng.geometric(0.05, n)})
        table["VehAge"], table["VehPower"] = rng.integers(0, 20, n), rng.integers(4, 13, n)
        table["VehBrand"], table["Region"] = rng.choice(["B1", "B2", "B12"], n), rng.choice(["R24", "R82"], n)
        table["Exposure"] = rng.uniform(0.05, 1.0, n)
        rate = 0.08 * np.exp(0.02 * (table["BonusMalus"] - 60) + 0.5 * (table["DrivAge"] < 25))
        return table.assign(ClaimNb=rng.poisson(rate * table["Exposure"]))

    return _read("freMTPL2freq.csv.gz", made)


def _read(name: str, made: Callable[[np.random.Generator], pd.DataFrame], **options: object) -> pd.DataFrame:
    if (FOLDER / name).is_file():
        return pd.read_csv(FOLDER / name, **options)
    print(f"{name} is not here; these are made rows with its columns. SPARSEREG_DATA names the folder that holds it.")
    return made(np.random.default_rng(0))

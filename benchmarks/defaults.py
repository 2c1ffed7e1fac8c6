"""`fit` with defaults only, on five real tables: held-out R2, columns kept and seconds, beside four yardsticks.

    python benchmarks/defaults.py FOLDER [NAME ...] [--quick]

A fifth of the rows is drawn with seed 0 and never seen by the choice of the design, of the strength, or by the fit.
Beside the lasso: main effects alone on the same folds, ridge on the same crosses, scikit-learn's OneHotEncoder and
LassoCV on the columns as categories (floats in 20 quantile bins), and its HistGradientBoostingRegressor with defaults.
Seconds are CPU time of one thread. `--quick` leaves out ridge and LassoCV. LassoCV is fitted on at most `SLOW_ROWS`
rows, as it takes minutes on all of them. What a search could still find: `benchmarks/defaults_grid.py`.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LassoCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from sparsereg import RidgeCV, choose_crosses, cross_validate_path

SLOW_ROWS = 40_000
# Wall time for the path of all rows and those of the folds.
SECONDS = 150.0
FOLDS = KFold(5, shuffle=True, random_state=0)
Table = tuple[pd.DataFrame, np.ndarray]


def california(folder: Path) -> Table:
    """The log of the median house value."""
    table = pd.read_csv(folder / "california_housing.csv.gz")
    return table, np.log(table.pop("median_house_value").to_numpy())


def king_county(folder: Path) -> Table:
    """The log of the price."""
    table = pd.read_csv(folder / "kc_house_sales.csv.gz", parse_dates=["date"])
    return table, np.log(table.pop("price").to_numpy())


def green_taxi(folder: Path) -> Table:
    """The log of the duration, between a minute and three hours, from what is known when a ride begins."""
    times = ["lpep_pickup_datetime", "lpep_dropoff_datetime"]
    table = pd.read_csv(folder / "nyc_green_taxi_2022_01.csv.gz", parse_dates=times)
    minutes = (table[times[1]] - table[times[0]]).dt.total_seconds() / 60
    real = (minutes > 1) & (minutes < 180)
    table = table[[times[0], "PULocationID", "DOLocationID"]][real].reset_index(drop=True)
    return table, np.log(minutes[real].to_numpy())


def flights(folder: Path) -> Table:
    """The delay on arrival, by the scheduled hour of departure."""
    table = pd.read_csv(folder / "nycflights13_flights.csv.gz")
    table = table[table["arr_delay"].notna()].reset_index(drop=True)
    table["hour"] = ((60 * table["hour"] + table["minute"] - table["dep_delay"]) % 1440 // 60).astype(int)
    table["date"] = pd.to_datetime(table[["year", "month", "day"]])
    return table[["carrier", "tailnum", "flight", "origin", "dest", "hour", "date"]], table["arr_delay"].to_numpy()


def retail(folder: Path) -> Table:
    """The log of the quantity of an invoice line."""
    kinds = {"CustomerID": "str", "StockCode": "str"}
    table = pd.read_csv(folder / "online_retail.csv.gz", parse_dates=["InvoiceDate"], dtype=kinds)
    table = table[table["Quantity"] > 0].reset_index(drop=True)
    return table, np.log(table.pop("Quantity").to_numpy())


TABLES: dict[str, Callable[[Path], Table]] = {
    "california": california,
    "king_county": king_county,
    "green_taxi": green_taxi,
    "flights": flights,
    "retail": retail,
}


def split(name: str, folder: Path) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray]:
    """Rows and targets of a table to learn from, and a fifth drawn with seed 0 to be judged on."""
    table, y = TABLES[name](folder)
    held = np.random.default_rng(0).random(y.size) < 0.2
    train, test = (table[rows].reset_index(drop=True) for rows in (~held, held))
    return train, y[~held], test, y[held]


def r2(y: np.ndarray, y_test: np.ndarray, predicted: Any) -> float:
    """Of held-out rows, against the mean of the others."""
    return 1.0 - float(np.mean((y_test - predicted) ** 2) / np.mean((y_test - y.mean()) ** 2))


def lasso(train: pd.DataFrame, y: np.ndarray, test: pd.DataFrame, degree: int) -> tuple[Any, Any, Any]:
    """Defaults only: the design, the strength to the automatic end, all rows. Predictions, validation, encoded rows."""
    cross = choose_crosses(train, y, degree=degree, max_seconds=120.0).cross
    X, X_test = cross.fit_transform(train), cross.transform(test)
    found = cross_validate_path(X, y, cv=FOLDS, alphas=41, eps="auto", max_seconds=SECONDS)
    return found.path.predict(X_test, found.k), found, (X, X_test)


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Dates as month, day, weekday and hour; other columns as they are."""
    parts = {}
    for name, column in table.items():
        if column.dtype.kind == "M":
            parts |= {f"{name}_{part}": getattr(column.dt, part) for part in ("month", "day", "weekday", "hour")}
        else:
            parts[name] = column
    return pd.DataFrame(parts)


def one_hot_lasso(train: pd.DataFrame, y: np.ndarray, test: pd.DataFrame) -> Any:
    """scikit-learn on main effects: floats in 20 bins, other columns as categories."""
    rows = np.sort(np.random.default_rng(0).permutation(len(train))[:SLOW_ROWS])
    train, test, y = plain(train).iloc[rows], plain(test), y[rows]
    floats = [name for name in train if train[name].dtype.kind == "f"]
    edges = {name: np.unique(train[name].quantile(np.linspace(0, 1, 21)[1:-1])) for name in floats}
    binned = [
        table.assign(**{name: np.searchsorted(edges[name], table[name], side="right") for name in floats}).astype(str)
        for table in (train, test)
    ]
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LassoCV(cv=FOLDS))
    return model.fit(binned[0], y).predict(binned[1])


def boosted_trees(train: pd.DataFrame, y: np.ndarray, test: pd.DataFrame) -> Any:
    """scikit-learn's boosted trees with defaults; texts by number."""
    train, test = plain(train), plain(test)
    texts = [name for name in train if train[name].dtype.kind not in "iufb"]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    if texts:
        encoder.fit(train[texts].astype(str))
        train, test = (
            table.assign(**dict(zip(texts, encoder.transform(table[texts].astype(str)).T, strict=True)))
            for table in (train, test)
        )
    return HistGradientBoostingRegressor(random_state=0).fit(train, y).predict(test)


def timed(work: Callable[..., Any], *args: Any) -> tuple[Any, float]:
    begin = time.process_time()
    return work(*args), time.process_time() - begin


def measure(name: str, folder: Path) -> None:
    """Print one row of the table for each model."""
    train, y_train, test, y_test = split(name, folder)

    def say(model: str, predicted: Any, seconds: float, more: str = "") -> None:
        score = r2(y_train, y_test, predicted)
        print(f"| {name} | {model} | {score:.4f} | {more} | {seconds:.1f} |", flush=True)

    (predicted, found, (X, X_test)), seconds = timed(lasso, train, y_train, test, 3)
    kept = f"{found.chosen.n_nonzero[found.k]:,} of {X.shape[1]:,}"
    cv = 1.0 - found.chosen.mean_losses[found.k] / y_train.var()
    say("sparsereg, defaults", predicted, seconds, f"{kept}; R2 of the folds {cv:.4f}, ended by {found.chosen.stopped}")
    (predicted, found, (X_main, _)), seconds = timed(lasso, train, y_train, test, 1)
    say("main effects alone", predicted, seconds, f"{found.chosen.n_nonzero[found.k]:,} of {X_main.shape[1]:,}")
    predicted, seconds = timed(boosted_trees, train, y_train, test)
    say("HistGradientBoosting", predicted, seconds)
    if "--quick" in sys.argv:
        return
    ridge = RidgeCV(alphas=np.geomspace(1, 100, 5))
    predicted, seconds = timed(lambda: ridge.fit(X, y_train).predict(X_test))
    say("ridge, the same crosses", predicted, seconds, f"{X.shape[1]:,}")
    predicted, seconds = timed(one_hot_lasso, train, y_train, test)
    say("OneHotEncoder + LassoCV", predicted, seconds, f"fitted on {min(len(train), SLOW_ROWS):,} rows")


def main() -> None:
    """Print the table for the names given, or for all."""
    warnings.simplefilter("ignore")
    for name in [name for name in sys.argv[2:] if not name.startswith("--")] or TABLES:
        measure(name, Path(sys.argv[1]))


if __name__ == "__main__":
    main()

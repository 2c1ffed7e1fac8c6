"""Data for `sparsereg demo`: rows clustered in cities on the globe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparsereg.crosses.binning import Width
from sparsereg.crosses.feature_cross import FeatureCross

__all__ = ["globe_cross", "make_places", "make_target"]

_MAX_CITIES = 2_000
_ROWS_PER_CITY = 500
_FREQUENT_SHARE = 1 / 20
_EFFECT_SHARE = 1 / 8


def globe_cross() -> FeatureCross:
    """Latitude and longitude in one-minute steps, and their cross: 10,800 x 21,600 possible columns."""
    return FeatureCross(
        fields=["latitude", "longitude"],
        # Periods count the possible bins; no latitude reaches one.
        bins={"latitude": Width("1/60", origin=-90, period=180), "longitude": Width("1/60", origin=-180, period=360)},
        crosses=[("latitude", "longitude")],
    )


def make_places(n_rows: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Latitudes and longitudes (n_rows,) in degrees, clustered in cities whose sizes are proportional to 1 / rank."""
    n_cities = min(_MAX_CITIES, max(1, n_rows // _ROWS_PER_CITY))
    mass = np.cumsum(1.0 / np.arange(1, n_cities + 1))
    city = np.searchsorted(mass, rng.random(n_rows) * mass[-1])
    # Degrees: most cities have a deviation of 0.1 to 0.5.
    spread = 0.22 * np.exp(0.9 * rng.standard_normal(n_cities))[city]
    latitude = rng.uniform(-55, 70, n_cities)[city] + spread * rng.standard_normal(n_rows)
    longitude = rng.uniform(-180, 180, n_cities)[city] + spread * rng.standard_normal(n_rows)
    return {
        "latitude": np.clip(latitude, -90.0, np.nextafter(90.0, 0.0)),
        "longitude": (longitude + 180.0) % 360.0 - 180.0,
    }


def make_target(X: Any, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A target (n,) with as much noise as signal, and the columns of X (n, p) with an effect, among the frequent."""
    counts = np.bincount(X.indices, minlength=X.shape[1])
    n_frequent = max(1, int(X.shape[1] * _FREQUENT_SHARE))
    frequent = np.argpartition(counts, -n_frequent)[-n_frequent:]
    chosen = rng.choice(frequent, max(1, int(n_frequent * _EFFECT_SHARE)), replace=False)
    effects = np.zeros(X.shape[1])
    effects[chosen] = rng.standard_normal(chosen.size)
    signal = X @ effects
    return 1.0 + signal + signal.std() * rng.standard_normal(X.shape[0]), np.sort(chosen)

"""Values that no argument of its kind may take: by kind and name, each made afresh from what a good one looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

Rng = np.random.Generator
Make = Callable[[Rng, Any], Any]

HUGE = 10**400
DATE, SPAN = np.datetime64("2024-05-01"), np.timedelta64(5, "D")


def always(**values: Any) -> dict[str, Make]:
    """The same whatever the good one is."""
    return {name.replace("_", " "): (lambda _, __, value=value: value) for name, value in values.items()}


def _with(value: Any, dtype: Any = None) -> Make:
    """One entry replaced."""

    def make(rng: Rng, good: Any) -> Any:
        out = np.array(good.toarray() if sp.issparse(good) else good, dtype=dtype)
        out[tuple(rng.integers(0, size) for size in out.shape)] = value
        return out

    return make


def _masked(rng: Rng, good: Any) -> Any:
    dense = np.array(good.toarray() if sp.issparse(good) else good, dtype=float)
    mask = np.zeros(dense.shape, dtype=bool)
    mask[tuple(rng.integers(0, size) for size in dense.shape)] = True
    return np.ma.masked_array(dense, mask=mask)


def _dense(good: Any) -> np.ndarray:
    return np.array(good.toarray() if sp.issparse(good) else good, dtype=float)


NUMBER = always(
    negative=-1.0,
    nan=np.nan,
    minus_inf=-np.inf,
    text="1",
    complex=1j,
    pair=[1.0, 2.0],
    huge_int=-HUGE,
    date=DATE,
    object=object(),
    a_dict={},
)
INFINITE = always(inf=np.inf, too_huge=HUGE)
NONE = always(none=None)
COUNT = always(zero=0, negative=-3, half=1.5, text="3", nan=np.nan, pair=[1, 2], date=DATE, complex=1j)
FLAG = always(two=2, text="yes", nothing=None, pair=[True, False], nan=np.nan, object=object())
CHOICE = always(word="zzz", number=3, words=["auto"], object=object(), nan=np.nan)

ENTRIES: dict[str, Make] = {
    "nan": _with(np.nan),
    "inf": _with(np.inf),
    "minus inf": _with(-np.inf),
    "complex": _with(1j, complex),
    "a text": _with("zzz", object),
    "a None": _with(None, object),
    "a dict": _with({}, object),
    "huge int": _with(HUGE, object),
    "masked": _masked,
    "dates": lambda _, good: np.full(good.shape, DATE),
    "spans": lambda _, good: np.full(good.shape, SPAN),
    "texts": lambda _, good: np.full(good.shape, "zzz"),
    "bytes": lambda _, good: np.full(good.shape, b"zzz"),
    "deeper": lambda _, good: _dense(good)[..., None, None],
    "records": lambda _, good: np.zeros(good.shape, dtype=[("a", float)]),
}
VECTOR: dict[str, Make] = {
    **ENTRIES,
    "short": lambda _, good: good[:-1],
    "long": lambda _, good: np.append(good, 1.0),
    "empty": lambda _, __: np.zeros(0),
    "a column and a half": lambda _, good: np.ones((good.size, 2, 2)),
    "ragged": lambda _, good: [[1.0]] + [[1.0, 2.0]] * (good.size - 1),
    **always(a_word="zzz", a_mapping={"a": 1}, an_object=object(), complex_number=1j),
}
NEGATIVE: dict[str, Make] = {"negative": _with(-1.0), "tiny negative": _with(-1e-300)}
WEIGHTS: dict[str, Make] = {
    **VECTOR,
    **NEGATIVE,
    "all zero": lambda _, good: np.zeros(good.size),
    "too large": lambda _, good: np.full(good.size, 1.7e308),
    "wide": lambda _, good: np.ones((good.size, 2)),
    **always(minus_one=-1.0, a_nan=np.nan, an_inf=np.inf, huge=HUGE),
}
STRENGTHS: dict[str, Make] = {
    "negative": lambda _, __: [1.0, -1.0],
    "nan": lambda _, __: [np.nan, 1.0],
    "inf": lambda _, __: [np.inf, 1.0],
    "complex": lambda _, __: [1j],
    "texts": lambda _, __: ["a", "b"],
    "number in text": lambda _, __: ["1"],
    "dates": lambda _, __: np.array([DATE]),
    "spans": lambda _, __: np.array([SPAN]),
    "masked": lambda _, __: np.ma.masked_array([1.0, 2.0], mask=[0, 1]),
    "square": lambda _, __: np.ones((2, 2)),
    **always(empty=[], no=0, less=-3, a_word="zzz", huge_int=HUGE, an_object=object(), a_dict={}),
}
# Where scikit-learn says TypeError, so may we.
TYPE_ERROR_TOO = {"X", "y", "table"}

"""Matrices and targets that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from fuzz.bad_values import DATE, ENTRIES, HUGE, Make, Rng, always


def storage(rng: Rng, dense: np.ndarray) -> Any:
    """A good matrix in some format and index type."""
    kind = str(rng.choice(["C", "F", "csr", "csc", "coo"]))
    if kind in "CF":
        return np.array(dense, order=kind)  # type: ignore[call-overload]
    X = sp.coo_array(dense).asformat(kind)
    if kind != "coo":
        index = rng.choice([np.int32, np.int64])
        X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    return X


def compressed(rng: Rng, good: Any) -> Any:
    """A CSR or CSC of its own, to be broken."""
    X = sp.coo_array(good).asformat(str(rng.choice(["csr", "csc"])))
    index = rng.choice([np.int32, np.int64])
    X.indices, X.indptr, X.data = X.indices.astype(index), X.indptr.astype(index), X.data.astype(float)
    return X


def _index(value: Any) -> Make:
    def make(rng: Rng, good: Any) -> Any:
        X = compressed(rng, good)
        limit = np.iinfo(X.indices.dtype)
        X.indices[rng.integers(X.nnz)] = np.clip(value(X), limit.min, limit.max)
        return X

    return make


def _ends(change: Any) -> Make:
    def make(rng: Rng, good: Any) -> Any:
        X = compressed(rng, good)
        X.indptr = change(rng, X.indptr.copy())
        return X

    return make


def _put(where: str, value: float) -> Any:
    def change(rng: Rng, ends: np.ndarray) -> np.ndarray:
        at = {"first": 0, "last": -1, "inner": int(rng.integers(1, ends.size - 1))}[where]
        ends[at] = np.clip(value, np.iinfo(ends.dtype).min, np.iinfo(ends.dtype).max)
        return ends

    return change


def _part(name: str, change: Any) -> Make:
    def make(rng: Rng, good: Any) -> Any:
        X = compressed(rng, good)
        setattr(X, name, change(getattr(X, name)))
        return X

    return make


def _coordinates(value: int) -> Make:
    def make(rng: Rng, good: Any) -> Any:
        X = sp.coo_array(good)
        X.coords[int(rng.integers(2))][rng.integers(X.nnz)] = value
        return X

    return make


def _sparse_value(value: Any, dtype: Any = float) -> Make:
    def make(rng: Rng, good: Any) -> Any:
        X = sp.coo_array(good).asformat(str(rng.choice(["csr", "csc", "coo"]))).astype(dtype)
        X.data[rng.integers(X.nnz)] = value
        return X

    return make


BROKEN: dict[str, Make] = {
    "index far below": _index(lambda _: -(2**30)),
    "index below": _index(lambda _: -1),
    "index just above": _index(lambda X: max(X.shape)),
    "index above": _index(lambda _: 2**30),
    "index far above": _index(lambda _: 2**62),
    "ends fall": _ends(_put("inner", 2**20)),
    "ends negative": _ends(_put("inner", -5)),
    "last end above": _ends(_put("last", 2**20)),
    "last end far above": _ends(_put("last", 2.0**62)),
    "last end negative": _ends(_put("last", -1)),
    "first end": _ends(_put("first", 1)),
    "ends short": _ends(lambda _, ends: ends[:-1]),
    "ends long": _ends(lambda _, ends: np.append(ends, ends[-1:])),
    "ends empty": _ends(lambda _, ends: ends[:0]),
    "ends real": _ends(lambda _, ends: ends.astype(float)),
    "ends square": _ends(lambda _, ends: ends[:, None]),
    "indices short": _part("indices", lambda a: a[:-1]),
    "indices real": _part("indices", lambda a: a.astype(float) + 0.5),
    "indices square": _part("indices", lambda a: a[:, None]),
    "data short": _part("data", lambda a: a[:-1]),
    "data empty": _part("data", lambda a: a[:0]),
    "data square": _part("data", lambda a: a[:, None]),
    "data complex": _part("data", lambda a: a.astype(complex) + 1j),
    "data dates": _part("data", lambda a: np.full(a.shape, DATE)),
    "data texts": _part("data", lambda a: np.full(a.shape, "zzz")),
    "data objects": _part("data", lambda a: np.full(a.shape, None)),
    "row below": _coordinates(-7),
    "row above": _coordinates(2**20),
    "sparse nan": _sparse_value(np.nan),
    "sparse inf": _sparse_value(np.inf),
    "sparse complex": _sparse_value(1j, complex),
}
X: dict[str, Make] = {
    **BROKEN,
    **ENTRIES,
    "one-dimensional": lambda _, good: sp.coo_array(good).toarray()[0],
    "no rows": lambda _, good: np.zeros((0, good.shape[1])),
    "no columns": lambda _, good: np.zeros((good.shape[0], 0)),
    "sparse without rows": lambda _, good: sp.csr_array((0, good.shape[1])),
    "sparse without columns": lambda _, good: sp.csr_array((good.shape[0], 0)),
    "ragged": lambda _, good: [[1.0]] + [[1.0, 2.0]] * (good.shape[0] - 1),
    **always(none=None, number=5.0, word="zzz", mapping={"a": 1}, an_object=object(), huge=HUGE, a_set={1, 2}),
}
NARROW: dict[str, Make] = {
    "fewer columns": lambda rng, good: storage(rng, sp.coo_array(good).toarray()[:, :-1]),
    "more columns": lambda rng, good: storage(rng, np.hstack([sp.coo_array(good).toarray()] * 2)),
}
Y: dict[str, Make] = {
    "short": lambda _, good: good[:-1],
    "long": lambda _, good: np.append(good, good[:1], axis=0),
    "empty": lambda _, good: good[:0],
    "sparse": lambda _, good: sp.csr_array(np.atleast_2d(good).T),
    "ragged": lambda _, good: [[1.0]] + [[1.0, 2.0]] * (len(good) - 1),
    **ENTRIES,
    **always(none=None, number=5.0, word="zzz", mapping={"a": 1}, an_object=object()),
}

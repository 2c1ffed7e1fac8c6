"""Saved crosses: strings as arrays, and checks of arrays and JSON values, so that a damaged file fails at load."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_integers", "check_json", "pack_strings", "unpack_strings"]


def check_json(value: Any, schema: Any, name: str) -> None:
    """Raise a ValueError unless a JSON value has the form of `schema`.

    A schema is a tuple of exact types, a list of one schema for all items, or a dict with a schema for each key.
    Integers must lie in [0, 2^63).

    Examples
    --------
    >>> check_json({"n": 3, "names": ["a"]}, {"n": (int,), "names": [(str,)]}, "spec")
    """
    if isinstance(schema, tuple):
        if type(value) not in schema or (type(value) is int and not 0 <= value < 2**63):
            raise ValueError(f"{name}={value!r} must be of type {' or '.join(kind.__name__ for kind in schema)}.")
    elif type(value) is not type(schema):
        raise ValueError(f"{name}={value!r} must be a {type(schema).__name__}.")
    elif isinstance(schema, list):
        for place, item in enumerate(value):
            check_json(item, schema[0], f"{name}[{place}]")
    else:
        for key, part in schema.items():
            if key not in value:
                raise ValueError(f"{name} has no {key!r}.")
            check_json(value[key], part, f"{name}[{key!r}]")


def check_integers(name: str, array: NDArray[Any], low: float, high: float, increasing: bool = True) -> None:
    """Raise a ValueError unless an array is one-dimensional, of integers from `low` to `high`, strictly increasing."""
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} has shape {array.shape} and type {array.dtype}, but must be integers in one dimension."
        )
    if array.size and not (low <= int(array.min()) and int(array.max()) <= high):
        raise ValueError(f"{name} holds {array.min()} to {array.max()}, but must lie in [{low}, {high}].")
    if increasing and not (array[1:] > array[:-1]).all():
        raise ValueError(f"{name} must be strictly increasing.")


def pack_strings(strings: tuple[str, ...]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Strings (k,) as UTF-8 bytes, and k + 1 offsets into them."""
    # Lone surrogates, which badly decoded files contain, must be kept.
    encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def unpack_strings(text: NDArray[np.uint8], offsets: NDArray[np.int64]) -> tuple[str, ...]:
    """Read back and check what `pack_strings` wrote: sorted strings."""
    check_integers("text", text, 0, 255, increasing=False)
    check_integers("offsets", offsets, 0, text.size, increasing=False)
    data, ends = text.astype(np.uint8).tobytes(), offsets.tolist()
    strings = tuple(data[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(ends))
    if ends[:1] != [0] or ends[-1] != text.size or sorted(set(strings)) != list(strings):
        raise ValueError("offsets and text are not those of sorted strings.")
    return strings

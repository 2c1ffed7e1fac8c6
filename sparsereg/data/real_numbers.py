"""Arrays of real numbers from what users pass: what is none is refused, never converted in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

__all__ = ["real_numbers", "refuse_unreal", "refuse_unreal_columns", "shown"]

# What to do with each kind of array that holds no real numbers.
REMEDIES = {
    "c": "Complex data not supported, take the real part or the modulus",
    "M": "convert dates to numbers first, e.g. days since some date",
    "m": "convert spans of time to numbers first, e.g. divide by np.timedelta64(1, 'D')",
    "V": "pass one field, as plain numbers",
    "T": "convert text to numbers first, e.g. with astype(float)",
}
REMEDIES["U"] = REMEDIES["S"] = REMEDIES["T"]
CLASSES = "if these are classes, fit LogisticRegression or RidgeClassifier"
# Characters of a value in a message.
SHOWN = 80


def real_numbers(name: str, value: Any) -> NDArray[Any]:
    """An array of integers, floats or booleans, not copied if it is one already.

    Raises
    ------
    ValueError
        For complex numbers, dates, text, records, masked or missing values, integers too large for float64, and
        sparse matrices; the message says what stands where, and what to do.
    """
    refuse_unreal(name, value, text=True)
    try:
        array = np.asarray(value)
        return array if array.dtype.kind in "fiub" else array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds something that is not a number: {error}.") from error


def refuse_unreal(name: str, value: Any, *, text: bool) -> None:
    """Raise as `real_numbers` does, without converting anything; `text`: whether for text and objects too.

    What cannot become an array at all is left to the caller's conversion."""
    if sp.issparse(value):
        raise ValueError(f"{name} is a sparse matrix of shape {value.shape}; expected an array: pass {name}.toarray().")
    masked = getattr(value, "mask", None) if isinstance(value, np.ma.MaskedArray) else None
    if masked is not None and np.any(masked):
        where = _place(np.argwhere(masked)[0]) if np.ndim(masked) else "0"
        raise ValueError(f"{name} is masked at position {where}; drop or impute masked values, e.g. with filled().")
    try:
        array = np.asarray(value)
    except Exception:  # noqa: BLE001 - whoever converts it says what is wrong
        return
    kind = array.dtype.kind
    if kind in "fiub" or (kind in "USTO" and not text and kind != "O") or not array.size:
        return
    if kind != "O":
        first, expected = shown(array.ravel()[0].item()), f"expected real numbers: {_remedy(name, kind)}"
        raise ValueError(f"{name} has dtype {array.dtype}; {expected}. First: {first}.")
    _refuse_objects(name, array, text)


def refuse_unreal_columns(name: str, X: Any) -> None:
    """The same for the columns of a data frame by their types, and for any other dense matrix."""
    kinds: Any = getattr(X, "dtypes", None)
    if not hasattr(X, "columns") or not hasattr(kinds, "items"):
        refuse_unreal(name, X, text=False)
        return
    for column, dtype in kinds.items():
        if (kind := getattr(dtype, "kind", "O")) in "cMmV":
            raise ValueError(f"{name} has column {column!r} of dtype {dtype}; {REMEDIES[kind]}.")


def _refuse_objects(name: str, array: NDArray[Any], text: bool) -> None:
    for place, value in np.ndenumerate(array):
        where = f"{name} holds {shown(value)} at position {_place(place)}"
        if isinstance(value, (str, bytes)):
            if text:
                raise ValueError(f"{where}, text; expected real numbers: {_remedy(name, 'U')}.")
        elif type(value).__name__ in ("NAType", "NaTType", "MaskedConstant") or (value is None and text):
            raise ValueError(f"{where}, a missing value; drop or impute it.")
        elif (kind := np.asarray(value).dtype.kind if np.isscalar(value) else "") in tuple(REMEDIES):
            raise ValueError(f"{where}; expected real numbers: {_remedy(name, kind)}.")
        elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
            raise ValueError(f"{where}, which is too large for float64; expected at most 1.8e308 in size.")
        elif text and not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise ValueError(f"{where}, which is not a number; expected real numbers.")


_LARGEST = int(np.finfo(np.float64).max)


def _remedy(name: str, kind: str) -> str:
    return f"{REMEDIES[kind]}, or {CLASSES}" if name == "y" and kind in "UST" else REMEDIES[kind]


def _place(index: Any) -> str:
    return ", ".join(str(int(i)) for i in index) or "0"


def shown(value: Any) -> str:
    """A value in a message: its `repr`, shortened."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return f"an integer of {value.bit_length()} bits"
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]}...({len(text)} characters)"

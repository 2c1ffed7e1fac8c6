"""The memory that a path may take beside X: bytes of the arrays that its solvers hold. Knows no solvers.

What is counted is found by following attributes and elements, so that no solver has to tell what it holds.
"""

from __future__ import annotations

import gc
import warnings
from collections import deque
from collections.abc import Iterable
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from sparsereg.data.validation import LARGEST, check_number

__all__ = ["MemoryLimit"]

KERNELS = "sparsereg._core.kernels"
OURS = ("sparsereg.", "scipy.sparse")


class MemoryLimit:
    """So many bytes of arrays, beside those of the data.

    Work space within a strength is not seen: only what stays from one strength to the next.

    Parameters
    ----------
    limit : int
        Bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._data: dict[int, Any] | None = None

    @classmethod
    def checked(cls, max_memory: Any) -> MemoryLimit | None:
        """As users pass it; None is none.

        Raises
        ------
        ValueError
            For what is no number of at least 1.
        """
        if max_memory is None:
            return None
        try:
            return cls(int(check_number("max_memory", max_memory, low=1, high=LARGEST)))
        except ValueError as error:
            raise ValueError(f"{error} It is in bytes: 2e9 is 2 GB. None is no limit.") from None

    def begin(self, *data: Any) -> None:
        """Leave what these hold now out of the count: X, targets, weights. Later calls change nothing, so that columns
        written for one path count in the next ones too."""
        if self._data is None:
            self._data = arrays_of(data)[0]  # kept, so that no other object gets their numbers

    def held(self, *objects: Any) -> int:
        """Bytes of all other arrays that these hold."""
        arrays, buffers = arrays_of(objects)
        data = self._data or {}
        return buffers + sum(array.nbytes for key, array in arrays.items() if key not in data)

    def is_reached(self, n_points: int, *objects: Any) -> bool:
        """Whether what they hold after so many strengths is the limit or more.

        Warns
        -----
        UserWarning
            Where it is after the first one already, which chooses nothing.
        """
        held = self.held(*objects)
        if held >= self.limit and n_points == 1:
            warnings.warn(
                f"max_memory={self.limit}: the first strength alone holds {held} bytes beside X, and the path ended"
                f" there. Pass more than {held}, or None for no limit.",
                stacklevel=5,
            )
        return held >= self.limit


def arrays_of(objects: Iterable[Any]) -> tuple[dict[int, Any], int]:
    """The arrays that objects hold, by their `id`, and bytes of buffers of kernels that are no objects.

    Of a view it is the array that it belongs to; each is there once, however many hold it."""
    arrays, buffers, todo = dict[int, Any](), 0, deque[Any](objects)
    seen = dict[int, Any]()  # kept, as views are made on the way, and another one might get the same number
    while todo:
        found = todo.pop()
        if found is None or isinstance(found, (str, bytes, int, float, type)) or id(found) in seen:
            continue
        seen[id(found)] = found
        if isinstance(found, np.ndarray):
            whole = _whole(found)
            arrays[id(whole)] = whole
        else:
            todo.extend(_held_by(found))
            if type(found).__module__ == KERNELS:
                buffers += getattr(found, "buffer_bytes", 0)
    return arrays, buffers


def _whole(array: Any) -> Any:
    """The array whose memory this one shows, also by way of a kernel's view, which NumPy takes as a `memoryview`."""
    whole = array
    while (array := array.obj if isinstance(array, memoryview) else getattr(array, "base", None)) is not None:
        whole = array if isinstance(array, np.ndarray) else whole
    return whole


def _held_by(found: Any) -> Iterable[Any]:
    """The elements of a container, the attributes of one of our objects, what a function was made with."""
    if isinstance(found, dict):
        return found.values()
    if isinstance(found, (list, tuple, deque)):
        return found
    if isinstance(found, FunctionType):
        return gc.get_referents(*(found.__closure__ or ()))  # of its cells, some of which may be empty
    if isinstance(found, MethodType):
        return [found.__self__]
    if type(found).__module__ == KERNELS:
        return [*gc.get_referents(found), *getattr(found, "arrays_held", ())]
    if not type(found).__module__.startswith(OURS):
        return ()
    slots = [name for kind in type(found).__mro__ for name in kind.__dict__.get("__slots__", ())]
    return [*getattr(found, "__dict__", {}).values(), *(getattr(found, name, None) for name in slots)]

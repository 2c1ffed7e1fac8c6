from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

def text_codes(
    values: NDArray[Any], is_missing: Callable[[Any], bool]
) -> tuple[NDArray[np.int64], list[str]] | Any: ...  # None for anything but strings and missing values

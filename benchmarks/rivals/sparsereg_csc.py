"""sparsereg from the format it likes best (CSC or a dense array in Fortran order), as the rivals get theirs."""

from __future__ import annotations

import numpy as np

from rivals import Matrix, columns
from rivals.sparsereg_ import fit, path, tolerances, version

__all__ = ["fit", "path", "prepare", "tolerances", "version"]


def prepare(X: Matrix, _y: np.ndarray, _l1_ratio: float, _intercept: bool) -> object:
    import sparsereg  # noqa: F401  imported here, so that it is not timed

    return columns(X)

"""sparsereg from the format it likes best (CSC or a dense array in Fortran order), as the rivals get theirs."""

from __future__ import annotations

import numpy as np

from rivals import Matrix, columns
from rivals.sparsereg_ import fit, path, tolerances, version
from rivals.sparsereg_ import prepare as as_handed_in

__all__ = ["fit", "path", "prepare", "tolerances", "version"]


def prepare(X: Matrix, y: np.ndarray, l1_ratio: float, intercept: bool) -> object:
    return columns(as_handed_in(X, y, l1_ratio, intercept))

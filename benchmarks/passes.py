"""The unit a solution is priced in: CPU seconds of one pass X'r over the index array of an all-ones CSC matrix."""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse as sp


def one_pass_seconds(X: sp.csc_array, repeats: int = 15) -> tuple[float, str]:
    """CPU seconds of one pass, a median, X'r, and what made it.

    With numba, a plain loop that reads the row numbers and no values, with the sums reordered as a vectorising
    compiler may. Without it, scipy's product, which also reads the values and was a third slower where both were tried.
    """
    # Unsigned, so that numba does not look for negative positions.
    indptr, indices = X.indptr.astype(np.uint64), X.indices.astype(np.uint32)
    r = np.random.default_rng(0).standard_normal(X.shape[0])
    try:
        import numba
    except ImportError:
        by_row = X.T
        return _median(lambda: by_row @ r, repeats), "scipy, values read"

    @numba.njit(fastmath={"reassoc", "nsz"})
    def column_sums(indptr, indices, r, out):
        for j in range(len(indptr) - 1):
            total = 0.0
            for k in range(indptr[j], indptr[j + 1]):
                total += r[indices[k]]
            out[j] = total

    out = np.empty(X.shape[1])
    column_sums(indptr, indices, r, out)
    return _median(lambda: column_sums(indptr, indices, r, out), repeats), "numba, indices only"


def _median(call, repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds))

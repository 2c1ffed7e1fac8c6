"""The heavy columns of a design of ones, swept row by row. Knows no targets, no penalties and no solvers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import CodedRows
from sparsereg.data.design import Design
from sparsereg.data.threads import run, split, worthwhile

__all__ = ["MAX_OWN_CODES", "CompactRows", "is_csr_of_ones"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Slots that light columns share: adding to one seldom waits for the last addition there.
N_SHARED = 256
# Columns with a slot of their own, so that slots are 16-bit numbers.
MAX_OWN_CODES = 2**16 - N_SHARED


def is_csr_of_ones(design: Design) -> bool:
    """Whether X is a CSR of ones."""
    return design.by_rows is not None and design.by_rows.data is None and design.nnz > 0


class CompactRows:
    """The rows of a is_csr_of_ones design by its first columns, 2 bytes an entry.

    A sweep through them gives the residual and the gradients of these columns, without any column being written.

    Parameters
    ----------
    design : Design
    n_heavy : int
        How many columns, at most `MAX_OWN_CODES`.
    """

    def __init__(self, design: Design, n_heavy: int) -> None:
        assert design.rows is not None
        assert design.by_rows is not None
        self.n_heavy, self.n_codes = n_heavy, n_heavy + N_SHARED
        code_of = np.resize(np.arange(n_heavy, self.n_codes, dtype=np.uint16), design.rows.shape[0])
        heavy = np.arange(n_heavy)
        code_of[heavy if design.index_in_rows is None else design.index_in_rows[:n_heavy]] = heavy
        self._rows = CodedRows(design.rows, code_of, self.n_codes)
        # Always two halves, with sums of their own: results do not depend on the number of threads.
        self._halves = split(design.by_rows.indptr, worthwhile(design.nnz, 2))
        self._n_threads = min(worthwhile(design.nnz, design.n_threads), len(self._halves))

    def gradient_pass(self, y: Vector, base: float, w: Vector | None) -> tuple[float, float, Vector]:
        """`|r|^2`, `max |r|` and the heavy columns' `x_j' r`, for `r = y - base - X_heavy w`; the first time without w, which is 0."""
        padded = None if w is None else np.concatenate([w, np.zeros(N_SHARED)])
        parts = [(*half, np.zeros(self.n_codes)) for half in self._halves]
        found = run(lambda a, b, c: self._rows.gradient_pass(a, b, y, base, c, padded), parts, self._n_threads)
        c = sum((part[2] for part in parts[1:]), start=parts[0][2])
        return sum(rr for rr, _ in found), max(peak for _, peak in found), c[: self.n_heavy]

    def gram(self, cols: Int, lengths: Int) -> NDArray[np.float64]:
        """`X_new' X_cols` of at most 32,767 heavy columns, the last of which are new and have so many entries. After the first sweep."""
        position = np.full(self.n_codes, -1, dtype=np.int16)
        position[cols] = np.arange(cols.size)
        shares = self._halves if self._n_threads > 1 else [(0, self._halves[-1][1])]  # counts are exact in any order
        found = run(self._rows.count_pairs, [(*share, position, cols.size) for share in shares], self._n_threads)
        pairs: NDArray[np.float64] = found.pop()
        for more in found:
            pairs += more
        old = cols.size - lengths.size
        gram = pairs[old:] + pairs[:, old:].T
        gram[np.arange(lengths.size), np.arange(old, cols.size)] = lengths
        return gram

"""The rows of a CSR of ones in 2 bytes an entry, for row-wise gradient passes. Knows no targets and no solvers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import CodedRows
from sparsereg.data.design import Design
from sparsereg.data.threads import run, split, worthwhile

__all__ = ["MAX_OWN_CODES", "CompactRows", "is_csr_of_ones"]

Vector = NDArray[np.float64]
Int = NDArray[np.int64]

# Codes that all other columns share: so many that adding to one seldom waits for the last addition.
N_SHARED = 256
# Columns with a code of their own, so that a code takes 16 bits.
MAX_OWN_CODES = 2**16 - N_SHARED


def is_csr_of_ones(design: Design) -> bool:
    """Whether `CompactRows` can hold the design."""
    return design.is_csr and design.n_ones == design.n_cols and design.nnz > 0


class CompactRows:
    """The rows of a CSR of ones, by 16-bit codes of its first columns. The columns themselves need not be built.

    Parameters
    ----------
    design : Design
    n_own : int
        Columns with a code of their own, the first ones, at most `MAX_OWN_CODES`.
    """

    def __init__(self, design: Design, n_own: int) -> None:
        assert design.rows is not None
        self.n_own, n_codes = n_own, n_own + N_SHARED
        code_of = np.resize(np.arange(n_own, n_codes, dtype=np.uint16), design.rows.shape[0])
        code_of[slice(n_own) if design.index_in_rows is None else design.index_in_rows[:n_own]] = np.arange(n_own)
        # Two parts with sums of their own, whatever the number of threads: results do not depend on it.
        parts = split(design.rows.start, worthwhile(design.nnz, 2))
        parts[-1] = (parts[-1][0], design.rows.shape[1])
        self._parts = [CodedRows(design.rows, *part, code_of, n_codes) for part in parts]
        self._n_threads = min(worthwhile(design.nnz, design.n_threads), len(parts))

    def gradient_pass(self, y: Vector, base: float, w: Vector | None) -> tuple[float, float, Vector]:
        """`|r|^2`, `max |r|` and `X_own' r` for `r = y - base - X_own w`, X_own the columns with a code of their own.

        The first pass is one without w, which then is 0.  O(entries)"""
        padded = None if w is None else np.concatenate([w, np.zeros(N_SHARED)])
        sums = [np.zeros(self.n_own + N_SHARED) for _ in self._parts]
        work = [(part, c) for part, c in zip(self._parts, sums, strict=True)]
        norms = run(lambda part, c: part.gradient_pass(y, base, c, padded), work, self._n_threads)
        c = sum(sums[1:], start=sums[0])
        return sum(rr for rr, _ in norms), max(max_abs for _, max_abs in norms), c[: self.n_own]

    def gram(self, cols: Int, lengths: Int) -> NDArray[np.float64]:
        """`X_new' X_cols` of at most 32,767 such columns, the last being new, with `lengths` entries. After a pass."""
        k = cols.size
        position = np.full(self.n_own + N_SHARED, -1, dtype=np.int16)
        position[cols] = np.arange(k)
        counts = [np.zeros((k, k)) for _ in range(self._n_threads)]  # exact in any order
        work = [(part, counts[a % len(counts)]) for a, part in enumerate(self._parts)]
        run(lambda part, G: part.count_pairs(position, G), work, self._n_threads)
        pairs = sum(counts[1:], start=counts[0])
        old = k - lengths.size
        gram = pairs[old:] + pairs[:, old:].T
        gram[np.arange(lengths.size), np.arange(old, k)] = lengths
        return gram

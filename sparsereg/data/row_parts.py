"""A CSR design with its rows put in order part by part, and its columns in each part. Knows no folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Matrix
from sparsereg.data.design import CsrDesign
from sparsereg.data.distinct_columns import DistinctColumns

__all__ = ["in_parts"]


def in_parts(design: CsrDesign, order: NDArray[np.int64] | slice, ends: list[int]) -> tuple[CsrDesign, list[Matrix]]:
    """The design of the rows in this order, and its columns' entries in consecutive parts of these rows, which end at
    `ends`, on the same arrays. An `order` that is a slice leaves them where they are.

    Columns are built anew, in the old order; X is not copied, and eliminated columns stay eliminated. Rows are read
    fastest where those of a part increase. No column may be dense.
    """
    counted = design.counted
    if not isinstance(order, slice):
        counted = replace(counted, rows=counted.rows.select(order))
    matrix, reached = counted.build_in_parts(design.n_threads, ends)
    rest = (design._numbers, design.n_features, design.dtype, design.n_threads, design.eliminated_length)
    arranged = CsrDesign(counted, *rest)
    if isinstance(design, DistinctColumns):
        arranged = DistinctColumns.without(arranged, design.copies)
    arranged._matrix = matrix
    begins = [matrix.start, *reached[:-1]]
    return arranged, [matrix.between(begin, end) for begin, end in zip(begins, reached, strict=True)]

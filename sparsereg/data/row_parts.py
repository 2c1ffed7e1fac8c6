"""A CSR design with its rows put in order part by part, and its columns in each part. Knows no folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sparsereg._core.kernels import Matrix
from sparsereg.data.design import CsrDesign

__all__ = ["in_parts"]

Vector = NDArray[np.float64]


def in_parts(
    design: CsrDesign, order: NDArray[np.int64], ends: list[int], v: Vector
) -> tuple[CsrDesign, list[Matrix], NDArray[np.float64]]:
    """The design of the rows in this order; its columns' entries in consecutive parts of these rows, which end at
    `ends`, on the same arrays; and their products with v, in the old order, over each part.

    Columns are built anew, in the old order, in which rows are read fastest; X is not copied, and eliminated columns
    stay eliminated. Rows of a part must be in increasing order, and no column dense.
    """
    counted, sizes = design.counted, np.diff([0, *ends])
    matrix = counted.build(design.n_threads)
    place, part = np.empty(order.size, dtype=counted.rows.indices.dtype), np.empty(order.size, dtype=np.uint16)
    place[order], part[order] = np.arange(order.size), np.repeat(np.arange(sizes.size, dtype=np.uint16), sizes)
    columns, sums = matrix.part_rows(place, part, sizes.size, v)
    rest = (design._numbers, design.n_features, design.dtype, design.n_threads, design.eliminated_length)
    arranged = CsrDesign(replace(counted, rows=counted.rows.select(order)), *rest)
    arranged._matrix = matrix
    return arranged, columns, sums

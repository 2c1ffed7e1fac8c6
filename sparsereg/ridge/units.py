"""Columns brought to like units before any method is chosen: `x' = (x - shift) / scale`.

Squares of a column whose mean is far from 0 lose its deviations, and a Gram in which one column is in large units loses
all others. So far columns are shifted by their means, if there is an intercept, and columns of very different
deviations are divided by powers of 2 near these; the penalty factor of a column is divided by the square. This takes a
copy of X. Columns of ones are never touched, and a design of nothing else is not even looked at.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sparsereg.data.compressed import Compressed
from sparsereg.data.design import CsrDesign, DenseDesign, Design
from sparsereg.ridge.normal_equations import ColumnUnits, NormalEquations

__all__ = ["equilibrated"]

Vector = NDArray[np.float64]

# A squared mean of so many variances costs more than two of sixteen digits.
FAR = 1e5
# Deviations that differ by more than this are brought to 1.
UNLIKE = 1e3
# Deviations beyond this and its inverse have squares near the ends of the range.
LARGEST_DEVIATION = 1e50
# Exponents of the powers of 2: their squares, by which penalties are divided, stay within the range.
MAX_EXPONENT = 400
# Sums of squares below this have lost digits to underflow.
UNDERFLOW = 1e-280


def equilibrated(equations: NormalEquations) -> NormalEquations:
    """The same problem with its columns in like units; unchanged where they are."""
    design = equations.design
    if design.n_ones == design.n_cols:
        return equations
    sums, squares = equations.sums, equations.squares
    if not np.isfinite(squares).all():
        return equations  # to be refused
    shift, deviations = np.zeros(sums.size), _deviations(equations)
    if equations.fit_intercept:
        far = (deviations**2 < squares / (FAR * equations.weight_sum)) | (squares <= UNDERFLOW)
        for j in np.flatnonzero(far[design.n_ones :]) + design.n_ones:
            shift[j], deviations[j] = _centred(design.column(int(j)), equations.s)
    scale = _scale(deviations, design.n_ones)
    if not shift.any() and (scale == 1.0).all():
        return equations
    copy = _transformed(design, shift, scale)
    order = np.argsort(design.columns)
    order = order[np.searchsorted(design.columns, copy.columns, sorter=order)]
    shift, scale = shift[order], scale[order]
    factor = equations.factor[order] / scale**2
    return replace(equations, design=copy, factor=factor, units=ColumnUnits(shift, scale, design.dtype))


def _deviations(equations: NormalEquations) -> Vector:
    """Root mean squares of the centred columns, to a few digits where these are not lost."""
    sums, squares, total = equations.sums, equations.squares, equations.weight_sum
    centred = squares - sums * (sums / total) if equations.fit_intercept else squares
    out = np.sqrt(np.maximum(centred, 0.0) / total)
    if (squares[equations.design.n_ones :] <= UNDERFLOW).any():
        small = squares <= UNDERFLOW
        out[small] = equations.design.column_stats(equations.s).max_abs[small]
    return out


def _centred(x: Vector, s: Vector | None) -> tuple[float, float]:
    """Mean and deviation of a column in two passes; zeros if it is constant."""
    if s is not None:
        x, s = x[s > 0.0], s[s > 0.0]
    if not np.ptp(x) > 0.0:
        return 0.0, 0.0
    mean = float(np.average(x, weights=s))
    largest = float(np.abs(x - mean).max())
    return mean, largest * float(np.sqrt(np.average(((x - mean) / largest) ** 2, weights=s)))


def _scale(deviations: Vector, n_ones: int) -> Vector:
    """Powers of 2 near the deviations of the columns that vary, or ones if these are alike; ones for columns of
    ones."""
    scale = np.ones(deviations.size)
    own = deviations[n_ones:]
    known = own[own > 0.0]
    if not known.size:
        return scale
    largest, least = max(known.max(), float(n_ones > 0)), min(known.min(), 1.0 if n_ones else np.inf)
    if largest > UNLIKE * least or largest > LARGEST_DEVIATION or least < 1.0 / LARGEST_DEVIATION:
        exponents = np.round(np.log2(np.where(own > 0.0, own, 1.0)))
        scale[n_ones:] = np.exp2(np.clip(exponents, -MAX_EXPONENT, MAX_EXPONENT))
    return scale


def _transformed(design: Design, shift: Vector, scale: Vector) -> Design:
    """The design of a copy in double precision."""
    X = design.observed()
    if not sp.issparse(X):
        X = np.subtract(X, shift, dtype=np.float64)
        X /= scale
        return DenseDesign(np.asfortranarray(X), np.dtype(np.float64), design.n_threads)
    X = X.astype(np.float64) @ sp.diags_array(1.0 / scale)
    if (far := np.flatnonzero(shift)).size:
        near = np.flatnonzero(shift == 0.0)
        shifted = design.observed()[:, far].toarray().astype(np.float64) - shift[far]
        X = sp.hstack([X.tocsc()[:, near], sp.csc_array(shifted / scale[far])], format="csc")
        X = X[:, np.argsort(np.concatenate([near, far]))]
    X = sp.csr_array(X)
    X.sort_indices()
    arrays = Compressed.of(X, np.dtype(np.float64))
    numbers = design.columns.astype(np.int64)
    return CsrDesign.of(arrays, numbers, design.n_features, np.dtype(np.float64), design.n_threads)

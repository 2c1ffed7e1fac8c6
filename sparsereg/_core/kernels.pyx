# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The binding to the C kernels: checks sizes and types, releases the GIL, turns a status into an exception.

One class or function for each kernel, no arithmetic. `src_c/sr.h` says what the kernels compute, `kernels.pyi` has
types. The classes are in the included files; functions over coordinates, rows and matrices as users pass them are here.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

include "declarations.pxi"


PENALTIES = {sr_penalty_name(<sr_penalty>k).decode(): k for k in range(SR_N_PENALTIES)}

_REAL = {np.dtype(np.float32): SR_F32, np.dtype(np.float64): SR_F64}
_INDEX = {np.dtype(np.int32): SR_I32, np.dtype(np.int64): SR_I64}


class KernelError(ValueError):
    """A kernel refused its input. Raised only when a caller inside the package passed something it had not checked."""


cdef int check(sr_status status) except -1:
    if status < 0:
        reason = {SR_BAD_INDEX: "index out of range", SR_NOT_FINITE: "value not finite", SR_BAD_TYPE: "no such variant"}
        raise KernelError(reason[status])
    return 0


cdef const void *address(array) except? NULL:
    """Address of the first element of a contiguous array, whose dtype the caller checks; NULL for None."""
    if array is None:
        return NULL
    if not array.flags.c_contiguous and not array.flags.f_contiguous:
        raise KernelError("array is not contiguous")
    return <const void *><size_t>array.__array_interface__["data"][0]


cdef const double *doubles(const double[::1] v):
    return NULL if v is None else &v[0]


cdef int require(bint condition, str what) except -1:
    if not condition:
        raise KernelError(what)
    return 0


cdef int require_within(const int64_t[::1] numbers, int64_t end) except -1:
    """Require every number to be in [0, end): kernels do not check the positions that they are given."""
    cdef int64_t a
    cdef uint64_t number, outside = 0  # its first bit: whether one is negative, or not less than end
    for a in range(numbers.shape[0]):
        number = <uint64_t>numbers[a]
        outside |= number | ~(number - <uint64_t>end)
    for a in range(numbers.shape[0] if outside >> 63 else 0):
        if numbers[a] < 0 or numbers[a] >= end:
            raise KernelError(f"position {numbers[a]} outside [0, {end})")
    return 0


cdef void *reallocated(void *old, int64_t n_bytes) except NULL:
    cdef void *new = PyMem_RawRealloc(old, max(n_bytes, 1))
    if new == NULL:
        raise MemoryError
    return new


def as_arrays(*views):
    """Memoryviews as arrays."""
    return [np.asarray(view) for view in views]


cdef grown(old, int64_t size):
    """A longer copy of a one-dimensional array; the new part is not initialised."""
    old = np.asarray(old)
    new = np.empty(size, dtype=old.dtype)
    new[: old.size] = old
    return new


cdef resized(array, int64_t size, bint keep):
    """The array with another length, in place unless it is to be kept as it is. No memoryview may be on it."""
    if keep:
        return grown(array, size)
    array.resize(size, refcheck=False)
    return array


# As many as 16 bits hold.
MAX_UINT16_CODES = 1 << 16


def untracked(labels):
    """Positions of columns that are neither cached nor members (`SR_UNTRACKED`)."""
    return labels & (SR_UNTRACKED - 1)  # a power of 2, and no label negative: the remainder


include "matrix.pxi"
include "factors.pxi"
include "coordinates.pxi"
include "gram_arena.pxi"
include "gram.pxi"
include "gram_sum.pxi"
include "line.pxi"
include "bounds.pxi"
include "compact_rows.pxi"
include "codes.pxi"
include "groups.pxi"
include "reweigh.pxi"
include "means.pxi"
include "rows.pxi"
include "small.pxi"


cdef int require_same(const double[::1] a, const double[::1] b, const double[::1] c, const double[::1] d) except -1:
    require(a.shape[0] == b.shape[0] == c.shape[0] == d.shape[0], "lengths differ")
    return 0


def gap_sums(int penalty, const double[::1] w, const double[::1] c, const double[::1] l1, const double[::1] l2):
    """The penalty's terms of both duality gaps, in the order of `sr_gap_terms`."""
    cdef sr_gap_terms terms
    require_same(w, c, l1, l2)
    check(sr_gap_sums(<sr_penalty>penalty, w.shape[0], &w[0], &c[0], &l1[0], &l2[0], &terms))
    return terms.l1_norm, terms.l2_sq, terms.slope, terms.dual_norm, terms.fenchel


def gap_sums_at(int penalty, const double[:, ::1] W, const int64_t[::1] cols, const double[:, ::1] c,
                const double[::1] l1, const double[::1] l2, const double[::1] scale):
    """The same at several scales of the strengths and coefficients of `cols`, a row each."""
    cdef int64_t k = scale.shape[0], n = cols.shape[0], m = l1.shape[0], a, b, j
    require_same(l1, l1, l2, l2)
    require(W.shape[0] == c.shape[0] == k and W.shape[1] == n and c.shape[1] == m > 0, "shapes differ")
    require_within(cols, m)
    cdef double[:, ::1] out = np.empty((k, 5)), strengths = np.empty((2, m))
    cdef double[::1] w = np.zeros(m)
    cdef sr_gap_terms *terms
    for b in range(k):
        for j in range(m):
            strengths[0, j], strengths[1, j] = scale[b] * l1[j], scale[b] * l2[j]
        for a in range(n):
            w[cols[a]] = W[b, a]
        terms = <sr_gap_terms *>&out[b, 0]
        check(sr_gap_sums(<sr_penalty>penalty, m, &w[0], &c[b, 0], &strengths[0, 0], &strengths[1, 0], terms))
    return np.asarray(out)


def moving(const double[::1] w, const double[::1] sq, const double[::1] l2, double share, double most):
    """Positions of the coefficients that move the predictions by more than a share of the largest move, or of `most`.

    See `sr_moving`."""
    require_same(w, sq, l2, l2)
    cdef int64_t m = w.shape[0]
    cdef double[::1] moved = np.empty(m)
    cdef int64_t[::1] out = np.empty(m, dtype=np.int64)
    n = sr_moving(m, &w[0], &sq[0], &l2[0], share, most, &moved[0], &out[0])
    return np.asarray(out[:n])


cdef sr_compressed borrow_compressed(X) except *:
    """View a `Compressed`: attributes shape (major, minor), start, stop, indices, data."""
    cdef sr_compressed view
    start, stop, indices, data = X.start, X.stop, X.indices, X.data
    view.n_major, view.n_minor = X.shape
    require(start.shape[0] == stop.shape[0] == view.n_major, "start or stop has the wrong length")
    require(start.dtype == stop.dtype == indices.dtype, "pointers and indices differ in type")
    if view.n_major:
        require(start.min() >= 0 and stop.max() <= indices.shape[0] and (start <= stop).all(),
                "pointers run backwards or leave indices")
    require(data is None or data.shape[0] >= indices.shape[0], "there are fewer values than entries")
    view.start, view.stop, view.indices, view.data = address(start), address(stop), address(indices), address(data)
    view.real = SR_F64 if data is None else _REAL[data.dtype]
    view.index = _INDEX[indices.dtype]
    view.before = view.after = 0
    return view


def inspect(X, count=None, uint8_t[::1] valued=None, uint8_t[::1] major_valued=None):
    """Check a `Compressed` in one pass; add to `count`, of the indices' type, the entries of each minor.

    `valued` and `major_valued` become 1 where a minor or a major has a value other than 1.

    Returns
    -------
    fault : "", "index" or "value"
    where : int
        The entry of the first fault.
    disordered : int
        Majors whose indices do not strictly increase.
    """
    cdef sr_compressed view = borrow_compressed(X)
    require(count is None or (count.shape[0] == view.n_minor and count.dtype == X.indices.dtype), "count does not fit")
    require(valued is None or valued.shape[0] == view.n_minor, "valued has the wrong length")
    require(major_valued is None or major_valued.shape[0] == view.n_major, "major_valued has the wrong length")
    cdef sr_findings found
    cdef void *counts = <void *>address(count)
    cdef uint8_t *flags = NULL if valued is None else &valued[0]
    cdef uint8_t *majors = NULL if major_valued is None else &major_valued[0]
    cdef sr_status status
    with nogil:
        status = sr_inspect(&view, counts, flags, majors, &found)
    if status == SR_BAD_INDEX:
        return "index", found.bad, found.disordered
    if status == SR_NOT_FINITE:
        return "value", found.bad, found.disordered
    check(status)
    return "", -1, found.disordered


def transpose(X, place, out_indices, int64_t shift=0, out_data=None, int64_t first_major=0, tuple skipped=(0, 0)):
    """Write the entries of an inspected `Compressed` by minors, minor k from `place[k]` on; majors from `first_major`
    on.

    Afterwards `place[k]` is where the next entry of minor k would go. Without `out_data`, `out_indices` has room for
    all entries, wanted or not; else those beyond its end are written without their indices, and those beyond the end of
    `out_data`, which begins at `shift`, without their values.
    `skipped`: entries of each major, at its beginning and end, that are not written. See `sr_transpose`."""
    cdef sr_compressed view = borrow_compressed(X)
    require(place.shape[0] == view.n_minor and place.dtype == out_indices.dtype == X.indices.dtype,
            "place does not fit")
    require(out_data is None or (X.data is not None and out_data.dtype == X.data.dtype), "out_data has another type")
    view.before, view.after = skipped
    require(view.before >= 0 and view.after >= 0, "fewer than no entries are skipped")
    cdef int64_t index_end = out_indices.shape[0]
    cdef int64_t end = shift + (0 if out_data is None else out_data.shape[0])
    cdef void *places = <void *>address(place)
    cdef void *to = <void *>address(out_indices)
    cdef void *values = <void *>address(out_data)
    cdef sr_status status
    with nogil:
        status = sr_transpose(&view, first_major, places, to, shift, index_end, values, end)
    check(status)


def take_ends(X, tuple ends, out):
    """Copy the values of the first `ends[0]` and the last `ends[1]` entries of each major, which must have as many.

    `out` has a column for each of them, in Fortran order."""
    cdef sr_compressed view = borrow_compressed(X)
    view.before, view.after = ends
    require(X.data is not None and view.before >= 0 and view.after >= 0, "there are no values, or fewer than no ends")
    require(out.dtype == X.data.dtype and out.strides[0] == out.itemsize, "out is of another type or order")
    require(out.shape == (view.n_major, view.before + view.after), "out has the wrong shape")
    require((X.stop - X.start >= view.before + view.after).all(), "some majors are shorter than their ends")
    cdef void *to = <void *><size_t>out.__array_interface__["data"][0]
    cdef int64_t stride = out.strides[1] // out.itemsize
    cdef sr_status status
    with nogil:
        status = sr_take_ends(&view, to, stride)
    check(status)

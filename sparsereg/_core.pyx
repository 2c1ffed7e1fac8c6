# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The binding to the C kernels: checks what crosses the boundary, lets the GIL go, turns a status into an exception.

One class or function a kernel; no arithmetic here. What the kernels compute stands in `src_c/sr.h`.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t

cdef extern from "sr.h" nogil:
    ctypedef enum sr_status:
        SR_OK
        SR_NEED_SPACE
        SR_BAD_INDEX
        SR_NOT_FINITE
        SR_BAD_TYPE
    ctypedef enum sr_penalty:
        SR_N_PENALTIES
    ctypedef enum sr_loss:
        SR_N_LOSSES
    enum:
        SR_F32
        SR_F64
        SR_I32
        SR_I64
    ctypedef struct sr_matrix:
        int64_t n_rows, n_cols, n_ones, n_sparse
        const void *start
        const void *stop
        const void *indices
        const void *data
        int64_t data_shift
        const void *dense
        int64_t dense_stride
        int32_t real, index
    ctypedef struct sr_gap_terms:
        double l1_norm, l2_sq, slope, dual_norm, fenchel
    ctypedef struct sr_coordinates:
        int64_t m
        const double *sums
        const double *sq
        const double *l1
        const double *l2
        double weight_sum
        sr_penalty penalty
        double *w
        double *r_sum
    ctypedef struct sr_quadratic:
        const double *sums
        const double *penalty
        const double *inverse
        double weight_sum
    ctypedef struct sr_gram:
        int64_t *begin
        int64_t *len
        int64_t *cap
        int32_t *idx
        double *val
        int64_t used, size
    ctypedef struct sr_gram_work:
        int32_t *position
        int32_t *dense_position
        const int32_t *labels
        int64_t n_places, n_watched
        int32_t *watched_idx
        double *watched_val
        int64_t n_met
        double *sum
        double *row
    enum:
        SR_ASIDE
    ctypedef struct sr_compressed:
        int64_t n_major, n_minor
        const void *indptr
        const void *indices
        const void *data
        int32_t real, index
    ctypedef struct sr_stats:
        double *sums
        double *squares
        double *sizes
        double *peaks
    ctypedef struct sr_odometer:
        double two, one
    ctypedef struct sr_block:
        double c, norm2, norm1, factor
        int64_t at
    ctypedef struct sr_bounds:
        float *c
        uint16_t *at
        const float *norm2
        const float *norm1
        const double *factor
        const sr_odometer *readings
        sr_block *blocks
    enum:
        SR_BLOCK
    ctypedef struct sr_findings:
        int64_t bad, disordered

    const char *sr_penalty_name(sr_penalty pen)
    const char *sr_loss_name(sr_loss loss)
    sr_status sr_rmatvec(const sr_matrix *X, const int64_t *cols, int64_t first, int64_t m, const double *v, double *out)
    sr_status sr_matvec(const sr_matrix *X, const int64_t *cols, int64_t m, const double *w, double scale, const double *s, double *out)
    sr_status sr_column_stats(const sr_matrix *X, const int64_t *cols, int64_t m, const double *s, const sr_stats *out)
    sr_status sr_gap_sums(sr_penalty pen, int64_t m, const double *w, const double *c, const double *l1, const double *l2, sr_gap_terms *out)
    sr_status sr_violation(sr_penalty pen, int64_t m, const double *w, const double *c, const double *l1, const double *l2, double *out)
    sr_status sr_prox_step(sr_penalty pen, int64_t m, const double *z, const double *c, const double *a, const double *l1, const double *l2, double *w_new)
    sr_status sr_cd_residual(const sr_matrix *X, const int64_t *cols, const sr_coordinates *co, const int64_t *order, int64_t n_order, const double *s, double *r, double *decrease)
    sr_status sr_gauss_seidel(const sr_matrix *X, const int64_t *cols, int64_t m, const sr_quadratic *q, const double *g, const double *s, double *z, double *v, double *v_sum)
    sr_status sr_gram_append(const sr_matrix *X, const sr_matrix *Xt, const double *s, const int64_t *cols, int64_t m, int64_t j, sr_gram *G, sr_gram_work *work, int64_t *need)
    sr_status sr_own_rows(const sr_matrix *X, const sr_matrix *Xt, const double *s, const double *y, const double *w, const sr_gram_work *work, const int64_t *wanted, int64_t n, double *out)
    void sr_gram_subtract(const sr_gram *G, int64_t m, const double *x, double *out)
    void sr_cd_gram(const sr_gram *G, const sr_coordinates *co, const int64_t *order, int64_t n_order, int64_t max_epochs, double tol, double *q, int64_t *epochs, double *decrease)
    void sr_solve_psd(int64_t n, double *A, double *b, double tiny)
    void sr_visited(sr_penalty pen, int64_t p, const int64_t *cols, int64_t m, const double *c, uint16_t at, const sr_bounds *b)
    void sr_renew(int64_t p, const sr_odometer *now, uint16_t at, const sr_bounds *b)
    void sr_sum_up(int64_t p, const sr_bounds *b, const int64_t *cols, int64_t m)
    void sr_screen(int64_t p, const sr_bounds *b, const sr_odometer *now, double aside, double threshold, int32_t *out, int64_t *n_out, double *worst, double *largest)
    sr_status sr_loss_rows(sr_loss loss, int64_t n, const double *y, const double *z, const double *s, double *total, double *slope)
    sr_status sr_inspect(const sr_compressed *A, int64_t *count, uint8_t *valued, uint8_t *major_valued, sr_findings *found)
    sr_status sr_transpose(const sr_compressed *A, int64_t first_major, int64_t *place, int32_t out_index, void *out_indices, int64_t shift, int64_t stop, void *out_data)


PENALTIES = {sr_penalty_name(<sr_penalty>k).decode(): k for k in range(SR_N_PENALTIES)}
LOSSES = {sr_loss_name(<sr_loss>k).decode(): k for k in range(SR_N_LOSSES)}

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
    """Where an array's first element stands, for arrays whose dtype the caller has looked up; NULL for None."""
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
    """Every number in [0, end): no kernel reads or writes outside what it was given."""
    cdef int64_t a
    for a in range(numbers.shape[0]):
        if numbers[a] < 0 or numbers[a] >= end:
            raise KernelError(f"position {numbers[a]} outside [0, {end})")
    return 0


cdef class Matrix:
    """A borrowed column view of X (`sr_matrix`). Keeps the arrays it points into alive, and writes to none of them.

    Parameters
    ----------
    n_rows : int
    start, stop : int32 or int64 arrays of shape (n_sparse,)
        Where each sparse column begins and ends in `indices`, all three of one type.
    indices : int32 or int64 array
    n_ones : int
        The first `n_ones` columns hold only ones.
    data : float32 or float64 array or None
        Values of the sparse columns after those: entry e has `data[e - data_shift]`.
    dense : Fortran-ordered float32 or float64 array of shape (n_rows, n_dense) or None
    """

    cdef sr_matrix view
    cdef object keep
    cdef readonly object dtype
    cdef readonly int64_t nnz

    def __init__(self, int64_t n_rows, start, stop, indices, int64_t n_ones, data=None, int64_t data_shift=0, dense=None):
        cdef int64_t n_sparse = start.shape[0], n_dense = 0 if dense is None else dense.shape[1]
        values = data if data is not None else dense
        self.dtype = np.dtype(np.float64) if values is None else values.dtype
        if dense is not None:
            require(dense.dtype == self.dtype, "dense and data differ in type")
            require(dense.shape[0] == n_rows and (dense.strides[0] == dense.itemsize or n_rows <= 1), "dense columns are not contiguous")
            require(dense.strides[1] % dense.itemsize == 0, "dense columns are not aligned")
            self.view.dense = <const void *><size_t>dense.__array_interface__["data"][0]
            self.view.dense_stride = dense.strides[1] // dense.itemsize
        require(start.dtype == stop.dtype == indices.dtype, "pointers and indices differ in type")
        require(stop.shape[0] == n_sparse and 0 <= n_ones <= n_sparse, "column pointers do not fit")
        require(data is not None or n_ones == n_sparse, "valued columns need data")
        lengths = stop - start
        if n_sparse:
            require(start.min() >= 0 and lengths.min() >= 0 and stop.max() <= indices.shape[0], "column pointers leave the index array")
        if n_ones < n_sparse:
            require(start[n_ones:].min() >= data_shift and stop[n_ones:].max() - data_shift <= data.shape[0], "column pointers leave the values")
        self.nnz = n_dense * n_rows + int(lengths.sum(dtype=np.int64))
        self.view.n_rows, self.view.n_cols = n_rows, n_sparse + n_dense
        self.view.n_ones, self.view.n_sparse = n_ones, n_sparse
        self.view.start, self.view.stop = address(start), address(stop)
        self.view.indices, self.view.data, self.view.data_shift = address(indices), address(data), data_shift
        self.view.real, self.view.index = _REAL[self.dtype], _INDEX[indices.dtype]
        self.keep = (start, stop, indices, data, dense)

    @property
    def shape(self):
        return self.view.n_rows, self.view.n_cols

    @property
    def n_ones(self):
        return self.view.n_ones

    @property
    def n_sparse(self):
        return self.view.n_sparse

    def lengths(self, const int64_t[::1] cols=None):
        """Stored entries of the listed columns, or of all: int64 of shape (m,)."""
        start, stop = self.keep[:2]
        if cols is None:
            out = np.full(self.view.n_cols, self.view.n_rows, dtype=np.int64)
            np.subtract(stop, start, out=out[: self.view.n_sparse])
            return out
        self._listed(cols)
        at = np.asarray(cols)
        out = np.full(at.size, self.view.n_rows, dtype=np.int64)
        sparse = at < self.view.n_sparse
        out[sparse] = stop[at[sparse]] - start[at[sparse]]
        return out

    cdef int64_t _listed(self, const int64_t[::1] cols) except -1:
        if cols is None:
            return self.view.n_cols
        require_within(cols, self.view.n_cols)
        return cols.shape[0]

    def rmatvec(self, const double[::1] v, const int64_t[::1] cols=None):
        """`X[:, cols]' v`; every column without `cols`."""
        out = np.empty(self._listed(cols))
        self.rmatvec_into(out, v, 0, cols)
        return out

    def rmatvec_into(self, double[::1] out, const double[::1] v, int64_t first, const int64_t[::1] cols=None):
        """The same for the columns from `first` on without `cols`, as many as `out` has room for."""
        require(v.shape[0] == self.view.n_rows, "v has the wrong length")
        require(out.shape[0] == self._listed(cols) if cols is not None else 0 <= first <= self.view.n_cols - out.shape[0], "out has the wrong length")
        cdef const int64_t *listed = NULL if cols is None else &cols[0]
        cdef int64_t m = out.shape[0]
        cdef sr_status status
        with nogil:
            status = sr_rmatvec(&self.view, listed, first, m, &v[0], &out[0])
        check(status)

    def add_matvec(self, const double[::1] w, double[::1] out, const int64_t[::1] cols=None, double scale=1.0, const double[::1] s=None):
        """`out += scale * s * (X[:, cols] w)`, in place."""
        cdef int64_t m = self._listed(cols)
        require(w.shape[0] == m and out.shape[0] == self.view.n_rows, "w or out has the wrong length")
        require(s is None or s.shape[0] == self.view.n_rows, "s has the wrong length")
        cdef const int64_t *listed = NULL if cols is None else &cols[0]
        cdef const double *weights = doubles(s)
        cdef sr_status status
        with nogil:
            status = sr_matvec(&self.view, listed, m, &w[0], scale, weights, &out[0])
        check(status)

    def column_stats(self, const double[::1] s=None, const int64_t[::1] cols=None):
        """`x_j' s`, `x_j' (s x_j)`, `|x_j|' s` and `max |x_j|` per column, not centred; `s` None means all one."""
        cdef int64_t m = self._listed(cols)
        require(s is None or s.shape[0] == self.view.n_rows, "s has the wrong length")
        cdef double[:, ::1] out = np.empty((4, max(m, 1)))
        cdef sr_stats stats
        stats.sums, stats.squares, stats.sizes, stats.peaks = &out[0, 0], &out[1, 0], &out[2, 0], &out[3, 0]
        cdef const int64_t *listed = NULL if cols is None else &cols[0]
        cdef const double *weights = doubles(s)
        cdef sr_status status
        with nogil:
            status = sr_column_stats(&self.view, listed, m, weights, &stats)
        check(status)
        return tuple(np.asarray(out)[:, :m])

    def cd_residual(self, const int64_t[::1] cols, Coordinates co not None, const int64_t[::1] order, double[::1] r, const double[::1] s=None):
        """One epoch of coordinate descent on the residual `r`, in place; returns the largest decrease."""
        require(self._listed(cols) == co.m and r.shape[0] == self.view.n_rows, "cols or r has the wrong length")
        require(s is None or s.shape[0] == self.view.n_rows, "s has the wrong length")
        require_within(order, co.m)
        cdef sr_coordinates view = co.borrow()
        cdef const double *weights = doubles(s)
        cdef double decrease = 0.0
        cdef sr_status status
        with nogil:
            status = sr_cd_residual(&self.view, &cols[0], &view, &order[0], order.shape[0], weights, &r[0], &decrease)
        check(status)
        return decrease

    def gauss_seidel(self, const int64_t[::1] cols, Quadratic q not None, const double[::1] g, double[::1] z, double[::1] v, double v_sum,
                     const double[::1] s=None):
        """One Gauss-Seidel sweep on `H z = g` over `cols`, with `v = S X z` in place; returns the new `sum(v)`."""
        cdef int64_t m = self._listed(cols), p = self.view.n_cols
        require(q.sums.shape[0] == p and g.shape[0] == p and z.shape[0] == p, "g or z has the wrong length")
        require(v.shape[0] == self.view.n_rows and (s is None or s.shape[0] == v.shape[0]), "v or s has the wrong length")
        cdef sr_quadratic view
        view.sums, view.penalty, view.inverse, view.weight_sum = &q.sums[0], &q.penalty[0], &q.inverse[0], q.weight_sum
        cdef const double *weights = doubles(s)
        cdef sr_status status
        with nogil:
            status = sr_gauss_seidel(&self.view, &cols[0], m, &view, &g[0], weights, &z[0], &v[0], &v_sum)
        check(status)
        return v_sum


cdef class Quadratic:
    """`H = Xc' S Xc + diag(penalty)` as a sweep knows it (`sr_quadratic`): column sums (all zero without an intercept), penalty, 1 / H_jj."""

    cdef const double[::1] sums, penalty, inverse
    cdef double weight_sum

    def __init__(self, const double[::1] sums, const double[::1] penalty, const double[::1] inverse, double weight_sum):
        require(sums.shape[0] == penalty.shape[0] == inverse.shape[0], "lengths differ")
        self.sums, self.penalty, self.inverse, self.weight_sum = sums, penalty, inverse, weight_sum


cdef class Coordinates:
    """What coordinate descent knows of its m columns (`sr_coordinates`), and the `w` and `r_sum` it moves."""

    cdef const double[::1] sums, sq, l1, l2
    cdef double[::1] w
    cdef double weight_sum
    cdef int penalty
    cdef readonly int64_t m
    cdef public double r_sum

    def __init__(self, double[::1] w, const double[::1] sums, const double[::1] sq, const double[::1] l1, const double[::1] l2,
                 double weight_sum, int penalty, double r_sum):
        self.m = w.shape[0]
        require(sums.shape[0] == self.m and sq.shape[0] == self.m and l1.shape[0] == self.m and l2.shape[0] == self.m, "lengths differ")
        require(0 <= penalty < SR_N_PENALTIES, "no such penalty")
        self.w, self.sums, self.sq, self.l1, self.l2 = w, sums, sq, l1, l2
        self.weight_sum, self.penalty, self.r_sum = weight_sum, penalty, r_sum

    cdef sr_coordinates borrow(self):
        cdef sr_coordinates view
        view.m, view.weight_sum, view.penalty = self.m, self.weight_sum, <sr_penalty>self.penalty
        view.sums, view.sq, view.l1, view.l2 = &self.sums[0], &self.sq[0], &self.l1[0], &self.l2[0]
        view.w, view.r_sum = &self.w[0], &self.r_sum
        return view


cdef class GramStore:
    """A growing symmetric sparse Gram matrix `X_M' diag(s) X_M` of chosen columns (`sr_gram`), in one arena.

    Parameters
    ----------
    X : Matrix
    Xt : Matrix or None
        The rows of X seen as columns; None where only the columns are at hand.
    labels : int32 array or None
        The number under which each column of X stands in Xt; None: the same.
    s : float64 array or None
        Row weights.
    """

    cdef Matrix X, Xt
    cdef const double[::1] s
    cdef const int32_t[::1] labels
    cdef int64_t[::1] begin, lengths, cap, cols
    cdef int32_t[::1] idx, position, dense_position
    cdef double[::1] val, sum, row
    cdef readonly int64_t m, used
    # Products of watched columns with the members, member by member; the last two numbers are places for them, and those in use.
    cdef int64_t[::1] watched_begin, watched_lengths
    cdef int32_t[::1] watched_idx
    cdef double[::1] watched_val
    cdef readonly int64_t watched_used, n_places, n_watched

    def __init__(self, Matrix X not None, Matrix Xt, const int32_t[::1] labels=None, const double[::1] s=None):
        require(Xt is None or (Xt.view.n_cols == X.view.n_rows and (Xt.view.real == X.view.real or Xt.view.n_ones == Xt.view.n_cols) and Xt.view.index == X.view.index), "Xt does not match X")
        require(labels is None or labels.shape[0] == X.view.n_cols, "labels do not match X")
        require(s is None or s.shape[0] == X.view.n_rows, "s has the wrong length")
        self.X, self.Xt, self.labels, self.s = X, Xt, labels, s
        self.m = self.used = self.watched_used = self.n_places = self.n_watched = 0
        labels_of_rows = np.arange(0 if Xt is None else Xt.view.n_rows, dtype=np.int32)
        self.position = -1 - labels_of_rows % SR_ASIDE
        self.dense_position = np.full(max(X.view.n_cols - X.view.n_sparse, 1), -1, dtype=np.int32)
        self.row = np.empty(0)
        self.begin = self.lengths = self.cap = self.cols = self.watched_begin = self.watched_lengths = np.empty(0, dtype=np.int64)
        self.sum = self.val = self.watched_val = np.empty(0)
        self.idx = self.watched_idx = np.empty(0, dtype=np.int32)

    @property
    def nbytes(self):
        return self.val.nbytes + self.idx.nbytes

    def _room_for(self, int64_t m):
        if m <= self.begin.shape[0]:
            return
        room = max(64, m + m // 2)
        self.begin, self.lengths = grown(self.begin, room), grown(self.lengths, room)
        self.cap, self.cols = grown(self.cap, room), grown(self.cols, room)
        self.watched_begin, self.watched_lengths = grown(self.watched_begin, room), grown(self.watched_lengths, room)
        self.sum = np.zeros(SR_ASIDE + self.n_places + room)

    def _room_in_arena(self, int64_t need):
        size = max(self.used + need, self.used + self.used // 2, 1024)
        self.idx, self.val = grown(self.idx, size), grown(self.val, size)

    cdef sr_gram borrow(self):
        cdef sr_gram view
        view.begin, view.len, view.cap = &self.begin[0], &self.lengths[0], &self.cap[0]
        view.idx, view.val = &self.idx[0], &self.val[0]
        view.used, view.size = self.used, self.idx.shape[0]
        return view

    cdef sr_status _append_one(self, int64_t j, bint by_rows, int64_t *need):
        cdef sr_gram gram = self.borrow()
        cdef sr_gram_work work
        cdef const sr_matrix *rows = &self.Xt.view if by_rows else NULL
        cdef const double *weights = doubles(self.s)
        cdef sr_status status
        work.position, work.dense_position = NULL if self.Xt is None else &self.position[0], &self.dense_position[0]
        work.row = &self.row[0]
        work.labels = NULL if self.labels is None else &self.labels[0]
        work.sum, work.n_places, work.n_watched = &self.sum[0], self.n_places, self.n_watched
        if self.n_watched:
            work.watched_idx, work.watched_val = &self.watched_idx[self.watched_used], &self.watched_val[self.watched_used]
        with nogil:
            status = sr_gram_append(&self.X.view, rows, weights, &self.cols[0], self.m, j, &gram, &work, need)
        self.used = gram.used
        if status == SR_OK:
            self.watched_begin[self.m], self.watched_lengths[self.m] = self.watched_used, work.n_met
            self.watched_used += work.n_met
        return status

    def watch(self, const int64_t[::1] cols):
        """From now on also keep the products of these columns of X with every member. Before the first member; wants Xt."""
        require(self.Xt is not None and self.m == 0, "there are no rows to go by, or members already")
        require_within(cols, self.X.view.n_cols)
        self.n_places = self.n_watched = cols.shape[0]
        self._place(np.asarray(cols), np.arange(cols.shape[0], dtype=np.int32))

    def _of_labels(self, cols):
        """The sparse ones among `cols` as a mask, their labels, and the numbers of the others among the dense columns."""
        sparse = cols < self.X.view.n_sparse
        labels = cols[sparse] if self.labels is None else np.asarray(self.labels)[cols[sparse]]
        return sparse, labels, cols[~sparse] - self.X.view.n_sparse

    def _place(self, cols, places):
        sparse, labels, dense = self._of_labels(cols)
        np.asarray(self.position)[labels], np.asarray(self.dense_position)[dense] = places[sparse], places[~sparse]

    def watch_fewer(self, const int64_t[::1] cols, int64_t n):
        """Of the watched columns, which are `cols`, keep only the first n."""
        require(cols.shape[0] == self.n_watched >= n, "cols is not what is watched")
        left = np.asarray(cols)[n:]
        places = self.places(left)
        left = left[places >= 0]
        self._place(left, -1 - (left % SR_ASIDE).astype(np.int32))
        used = np.asarray(self.watched_idx)[: self.watched_used]
        keep = used < n
        owner = np.repeat(np.arange(self.m), np.asarray(self.watched_lengths)[: self.m])
        lengths = np.bincount(owner[keep], minlength=self.m)
        np.asarray(self.watched_lengths)[: self.m] = lengths
        np.asarray(self.watched_begin)[: self.m] = np.cumsum(lengths) - lengths
        self.watched_idx, self.watched_val = used[keep], np.asarray(self.watched_val)[: self.watched_used][keep]
        self.watched_used = self.watched_idx.shape[0]
        self.n_watched = n

    def places(self, const int64_t[::1] cols):
        """Where each of these columns stands among the watched ones; -1 where it does not."""
        require_within(cols, self.X.view.n_cols)
        sparse, labels, dense = self._of_labels(np.asarray(cols))
        places = np.empty(cols.shape[0], dtype=np.int32)
        places[sparse], places[~sparse] = np.asarray(self.position)[labels], np.asarray(self.dense_position)[dense]
        return np.where((places >= 0) & (places < self.n_watched), places, -1)

    def subtract_watched(self, const double[::1] w, double[::1] out):
        """`out -= X_watched' X_M w`, in place."""
        require(w.shape[0] == self.m and out.shape[0] >= self.n_watched, "w or out has the wrong length")
        cdef sr_gram products = self.borrow()
        products.begin, products.len = &self.watched_begin[0], &self.watched_lengths[0]
        products.idx, products.val = &self.watched_idx[0], &self.watched_val[0]
        with nogil:
            sr_gram_subtract(&products, self.m, &w[0], &out[0])

    def append(self, const int64_t[::1] cols, bint by_rows):
        """Append the columns `cols` of X, in order. None may be there already.

        `by_rows` meets the others through the rows of the new columns, which wants Xt; otherwise one dot product each."""
        cdef int64_t a, need = 0
        cdef sr_status status
        require_within(cols, self.X.view.n_cols)
        require(not by_rows or self.Xt is not None, "there are no rows to go by")
        require(by_rows or not self.n_watched, "watched columns are met by rows")
        if not by_rows and self.row.shape[0] == 0:
            self.row = np.zeros(self.X.view.n_rows)
        self._room_for(self.m + cols.shape[0])
        for a in range(cols.shape[0]):
            if self.watched_used + self.n_watched > self.watched_idx.shape[0]:
                room = self.watched_used + self.watched_used // 4 + self.n_watched
                self.watched_idx, self.watched_val = grown(self.watched_idx, room), grown(self.watched_val, room)
            status = self._append_one(cols[a], by_rows, &need)
            while status == SR_NEED_SPACE:
                self._room_in_arena(need)
                status = self._append_one(cols[a], by_rows, &need)
            check(status)
            self.cols[self.m] = cols[a]
            self.m += 1
            PyErr_CheckSignals()

    def own_rows(self, const int64_t[::1] wanted, const double[::1] y, const double[::1] w):
        """`x_j' s (y - X_M w)` for columns `wanted` of X, reading only their own rows. Wants Xt."""
        require(self.Xt is not None and y.shape[0] == self.X.view.n_rows and w.shape[0] == self.m, "no rows, or y or w has the wrong length")
        require_within(wanted, self.X.view.n_cols)
        cdef double[::1] out = np.empty(wanted.shape[0])
        cdef double[::1] aside = np.concatenate([np.zeros(SR_ASIDE + self.n_places), w])
        cdef const double *weights = doubles(self.s)
        cdef sr_gram_work work
        work.position, work.dense_position = &self.position[0], &self.dense_position[0]
        cdef sr_status status
        with nogil:
            status = sr_own_rows(&self.X.view, &self.Xt.view, weights, &y[0], &aside[0], &work, &wanted[0], wanted.shape[0], &out[0])
        check(status)
        return np.asarray(out)

    def subtract(self, const double[::1] x, double[::1] out):
        """`out -= G x`, in place."""
        require(x.shape[0] == self.m and out.shape[0] == self.m, "x or out has the wrong length")
        cdef sr_gram gram = self.borrow()
        with nogil:
            sr_gram_subtract(&gram, self.m, &x[0], &out[0])

    def cd(self, Coordinates co not None, const int64_t[::1] order, double[::1] q, int64_t max_epochs, double tol):
        """Epochs of coordinate descent with `q = X_M' r` in place; returns (epochs, largest decrease of the last)."""
        require(co.m == self.m and q.shape[0] == self.m, "co or q has the wrong length")
        require_within(order, self.m)
        cdef sr_gram gram = self.borrow()
        cdef sr_coordinates view = co.borrow()
        cdef int64_t epochs = 0
        cdef double decrease = 0.0
        with nogil:
            sr_cd_gram(&gram, &view, &order[0], order.shape[0], max_epochs, tol, &q[0], &epochs, &decrease)
        return epochs, decrease

    def toarray(self, const int64_t[::1] at=None):
        """The dense Gram of the positions `at` (of all without), float64 of shape (k, k)."""
        places = np.arange(self.m) if at is None else np.asarray(at)
        require_within(places, self.m)
        cdef const int64_t[::1] rows = places
        cdef int64_t a, e, k = rows.shape[0]
        cdef double[:, ::1] out = np.zeros((k, k))
        cdef int64_t[::1] column = np.full(self.m, -1, dtype=np.int64)
        for a in range(k):
            column[rows[a]] = a
        for a in range(k):
            for e in range(self.begin[rows[a]], self.begin[rows[a]] + self.lengths[rows[a]]):
                if column[self.idx[e]] >= 0:
                    out[a, column[self.idx[e]]] = self.val[e]
        return np.asarray(out)


cdef grown(old, int64_t room, fill=None):
    """A longer copy of a one-dimensional array; the new part holds `fill`, or whatever it held."""
    old = np.asarray(old)
    new = np.empty(room, dtype=old.dtype)
    new[: old.size] = old
    if fill is not None:
        new[old.size :] = fill
    return new


cdef int require_same(const double[::1] a, const double[::1] b, const double[::1] c, const double[::1] d) except -1:
    require(a.shape[0] == b.shape[0] == c.shape[0] == d.shape[0], "lengths differ")
    return 0


def gap_sums(int penalty, const double[::1] w, const double[::1] c, const double[::1] l1, const double[::1] l2):
    """The ingredients of both certificates as a dict; see `sr_gap_terms`."""
    cdef sr_gap_terms terms
    require_same(w, c, l1, l2)
    check(sr_gap_sums(<sr_penalty>penalty, w.shape[0], &w[0], &c[0], &l1[0], &l2[0], &terms))
    return terms


def violation(int penalty, const double[::1] w, const double[::1] c, const double[::1] l1, const double[::1] l2):
    """Distance of each `c_j` from the subdifferential of the penalty at `w_j`."""
    require_same(w, c, l1, l2)
    cdef double[::1] out = np.empty(w.shape[0])
    check(sr_violation(<sr_penalty>penalty, w.shape[0], &w[0], &c[0], &l1[0], &l2[0], &out[0]))
    return np.asarray(out)


def prox_step(int penalty, const double[::1] z, const double[::1] c, const double[::1] a, const double[::1] l1, const double[::1] l2):
    """One proximal-gradient step from `z` in the metric `diag(a)`, `c` the gradient's negative there."""
    require_same(z, c, l1, l2)
    require(a.shape[0] == z.shape[0], "lengths differ")
    cdef double[::1] out = np.empty(z.shape[0])
    check(sr_prox_step(<sr_penalty>penalty, z.shape[0], &z[0], &c[0], &a[0], &l1[0], &l2[0], &out[0]))
    return np.asarray(out)


def solve_psd(double[:, ::1] A not None, const double[::1] b, double tiny=1e-13):
    """The solution of `A x = b` for a symmetric positive semidefinite A, which is overwritten; 0 where columns depend."""
    cdef int64_t n = A.shape[0]
    require(A.shape[1] == n and b.shape[0] == n, "A or b has the wrong shape")
    x = np.array(b)
    cdef double[::1] out = x
    with nogil:
        sr_solve_psd(n, &A[0, 0], &out[0], tiny)
    return x


cdef int64_t UINT16_LAST = 65535


cdef class Bounds:
    """What is known of the gradient of every column that is not a member (`sr_bounds`).

    Parameters
    ----------
    penalty : int
    norm2, norm1 : float32 arrays of shape (p,)
        Norms of the columns, borrowed. -inf: the column is passed over, also if that is written later; `sum_up` should follow.
    factor : float64 array of shape (p,) or None
    """

    cdef const double[::1] factor
    cdef const float[::1] norm2, norm1
    cdef float[::1] c
    cdef uint16_t[::1] at
    cdef double[:, ::1] readings
    cdef uint8_t[::1] blocks
    cdef int penalty
    cdef int64_t p, n_visits
    cdef sr_odometer now

    def __init__(self, int penalty, const float[::1] norm2, const float[::1] norm1, const double[::1] factor):
        self.p, self.penalty, self.n_visits = norm2.shape[0], penalty, 0
        require(norm1.shape[0] == self.p < 2**31 and (factor is None or factor.shape[0] == self.p), "lengths differ")
        require(0 <= penalty < SR_N_PENALTIES, "no such penalty")
        self.norm2, self.norm1, self.factor = norm2, norm1, factor
        self.c, self.at = np.zeros(self.p, dtype=np.float32), np.zeros(self.p, dtype=np.uint16)
        self.readings = np.zeros((256, 2))
        self.blocks = np.zeros((self.p // SR_BLOCK + 1) * sizeof(sr_block), dtype=np.uint8)
        self.now.two = self.now.one = 0.0
        self.sum_up()

    cdef sr_bounds borrow(self):
        cdef sr_bounds view
        view.c, view.at, view.readings = &self.c[0], &self.at[0], <const sr_odometer *>&self.readings[0, 0]
        view.norm2, view.norm1, view.factor = &self.norm2[0], &self.norm1[0], doubles(self.factor)
        view.blocks = <sr_block *>&self.blocks[0]
        return view

    def sum_up(self, const int64_t[::1] cols=None):
        """Sum up the blocks of these columns, or all, anew: after a norm was changed."""
        cdef sr_bounds view = self.borrow()
        if cols is None:
            sr_sum_up(self.p, &view, NULL, (self.p + SR_BLOCK - 1) // SR_BLOCK)
        elif cols.shape[0]:
            require_within(cols, self.p)
            sr_sum_up(self.p, &view, &cols[0], cols.shape[0])

    def travel(self, double two, double one):
        """The residual has moved by at most this much, in the 2-norm and in the largest entry."""
        self.now.two += two
        self.now.one += one

    cdef int64_t number_visit(self) except -1:
        """A number for a visit at the present reading; when there are no more, all bounds begin anew with number 0."""
        cdef sr_bounds view
        if self.n_visits > UINT16_LAST:
            view = self.borrow()
            sr_renew(self.p, &self.now, 0, &view)
            self.n_visits = 0
        elif self.n_visits == self.readings.shape[0]:
            self.readings = np.concatenate([self.readings, np.zeros_like(self.readings)])
        self.readings[self.n_visits, 0], self.readings[self.n_visits, 1] = self.now.two, self.now.one
        self.n_visits += 1
        return self.n_visits - 1

    def visited(self, const int64_t[::1] cols, const double[::1] c):
        """The gradients `c` of `cols` were just taken."""
        require(cols.shape[0] == c.shape[0], "lengths differ")
        require_within(cols, self.p)
        cdef int64_t at = self.number_visit()
        cdef sr_bounds view = self.borrow()
        if cols.shape[0]:
            sr_visited(<sr_penalty>self.penalty, self.p, &cols[0], cols.shape[0], &c[0], <uint16_t>at, &view)

    def over(self, double aside, double threshold):
        """Columns whose bound passes `threshold`, the largest bound among them, and at least the largest among the others."""
        cdef sr_bounds view = self.borrow()
        cdef int64_t n = 0
        cdef double worst = 0.0, largest = 0.0
        # Room for all, of which only what is found is ever written and so ever costs memory.
        cdef int32_t[::1] found = np.empty(self.p, dtype=np.int32)
        with nogil:
            sr_screen(self.p, &view, &self.now, aside, threshold, &found[0], &n, &worst, &largest)
        return np.asarray(found[:n]).astype(np.int64), worst, largest


def loss_rows(int loss, const double[::1] y, const double[::1] z, const double[::1] s=None, double[::1] slope=None):
    """`sum_i s_i loss(y_i, z_i)`; fills `slope` with the weighted residual `-s_i dloss/dz` when it is given."""
    require(y.shape[0] == z.shape[0], "lengths differ")
    require((s is None or s.shape[0] == y.shape[0]) and (slope is None or slope.shape[0] == y.shape[0]), "lengths differ")
    cdef double total = 0.0
    cdef const double *weights = doubles(s)
    cdef double *out = NULL if slope is None else &slope[0]
    cdef sr_status status
    with nogil:
        status = sr_loss_rows(<sr_loss>loss, y.shape[0], &y[0], &z[0], weights, &total, out)
    check(status)
    return total


cdef sr_compressed compressed(tuple shape, indptr, indices, data) except *:
    cdef sr_compressed view
    require(indptr.shape[0] == shape[0] + 1 and indptr.dtype == indices.dtype, "indptr does not fit")
    require(data is None or data.shape[0] >= indptr[shape[0]], "there are fewer values than entries")
    view.n_major, view.n_minor = shape
    view.indptr, view.indices, view.data = address(indptr), address(indices), address(data)
    view.real = SR_F64 if data is None else _REAL[data.dtype]
    view.index = _INDEX[indices.dtype]
    return view


def inspect(tuple shape, indptr, indices, data, int64_t[::1] count=None, uint8_t[::1] valued=None, uint8_t[::1] major_valued=None):
    """Check a compressed matrix of `shape` (major, minor) in one pass.

    Returns
    -------
    fault : "", "index" or "value"
    where : int
        The entry of the first fault.
    disordered : int
        Majors whose indices do not strictly increase.
    """
    cdef sr_compressed view = compressed(shape, indptr, indices, data)
    require(count is None or count.shape[0] == view.n_minor, "count has the wrong length")
    require(valued is None or valued.shape[0] == view.n_minor, "valued has the wrong length")
    require(major_valued is None or major_valued.shape[0] == view.n_major, "major_valued has the wrong length")
    require(indptr[0] >= 0 and indptr[shape[0]] <= indices.shape[0] and (indptr[1:] >= indptr[: shape[0]]).all(), "indptr runs backwards or leaves indices")
    cdef sr_findings found
    cdef int64_t *counts = NULL if count is None else &count[0]
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


def transpose(tuple shape, indptr, indices, data, int64_t[::1] place, out_indices, int64_t shift=0, out_data=None, int64_t first_major=0):
    """Write the entries of an inspected matrix by columns: minor k from `place[k]` on, those beyond the end of `out_indices` without
    their indices. See `sr_transpose`."""
    cdef sr_compressed view = compressed(shape, indptr, indices, data)
    require(place.shape[0] == view.n_minor, "place has the wrong length")
    require(out_data is None or data is None or out_data.dtype == data.dtype, "out_data has another type")
    cdef int64_t stop = out_indices.shape[0]
    cdef int32_t out_index = _INDEX[out_indices.dtype]
    cdef void *to = <void *>address(out_indices)
    cdef void *values = <void *>address(out_data)
    cdef sr_status status
    with nogil:
        status = sr_transpose(&view, first_major, &place[0], out_index, to, shift, stop, values)
    check(status)

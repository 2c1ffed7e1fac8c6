# X by its columns.

cdef class Matrix:
    """A borrowed column view of X (`sr_matrix`), which keeps its arrays alive and writes to none of them.

    Parameters
    ----------
    n_rows : int
    start, stop : int32 or int64 arrays of shape (n_sparse,)
        Sparse column j has the entries start[j] to stop[j] of `indices`; all three of one type.
    indices : int32 or int64 array
    n_ones : int
        The first `n_ones` columns hold only ones.
    data : float32 or float64 array or None
        Values of the sparse columns after those: entry e has `data[e - data_shift]`.
    dense : Fortran-ordered float32 or float64 array of shape (n_rows, n_dense) or None
    skipped : (int, int)
        Entries of each sparse column, at its beginning and at its end, that do not count.
    """

    cdef sr_matrix view
    cdef object keep
    cdef readonly object dtype
    cdef readonly int64_t nnz, longest

    def __init__(self, int64_t n_rows, start, stop, indices, int64_t n_ones, data=None, int64_t data_shift=0,
                 dense=None, skipped=(0, 0)):
        cdef int64_t n_sparse = start.shape[0], n_dense = 0 if dense is None else dense.shape[1]
        values = data if data is not None else dense
        self.dtype = np.dtype(np.float64) if values is None else values.dtype
        if dense is not None:
            require(dense.dtype == self.dtype, "dense and data differ in type")
            require(dense.shape[0] == n_rows and (dense.strides[0] == dense.itemsize or n_rows <= 1),
                    "dense columns are not contiguous")
            require(dense.strides[1] % dense.itemsize == 0, "dense columns are not aligned")
            self.view.dense = <const void *><size_t>dense.__array_interface__["data"][0]
            self.view.dense_stride = dense.strides[1] // dense.itemsize
        require(start.dtype == stop.dtype == indices.dtype, "pointers and indices differ in type")
        require(stop.shape[0] == n_sparse and 0 <= n_ones <= n_sparse, "column pointers do not fit")
        require(data is not None or n_ones == n_sparse, "valued columns need data")
        self.view.before, self.view.after = skipped
        require(self.view.before >= 0 and self.view.after >= 0, "fewer than no entries are skipped")
        lengths = stop - start
        lengths -= self.view.before + self.view.after
        if n_sparse:
            require(start.min() >= 0 and lengths.min() >= 0 and stop.max() <= indices.shape[0],
                    "column pointers leave the index array")
        if n_ones < n_sparse:
            require(start[n_ones:].min() >= data_shift and stop[n_ones:].max() - data_shift <= data.shape[0],
                    "column pointers leave the values")
        self.nnz = n_dense * n_rows + int(lengths.sum(dtype=np.int64))
        self.longest = n_rows if n_dense else int(lengths.max(initial=0))
        self.view.n_rows, self.view.n_cols = n_rows, n_sparse + n_dense
        self.view.n_ones, self.view.n_sparse = n_ones, n_sparse
        self.view.start, self.view.stop = address(start), address(stop)
        self.view.indices, self.view.data, self.view.data_shift = address(indices), address(data), data_shift
        self.view.real, self.view.index = _REAL[self.dtype], _INDEX[indices.dtype]
        self.keep = (start, stop, indices, data, dense)

    def between(self, start, stop):
        """The same sparse columns on the same arrays, of the entries start[j] to stop[j] only. Needs no dense ones."""
        require(self.view.n_sparse == self.view.n_cols and start.shape[0] == self.view.n_sparse, "columns do not fit")
        return Matrix(self.view.n_rows, start, stop, self.keep[2], self.view.n_ones, self.keep[3], self.view.data_shift)

    @property
    def start(self):
        """Where the entries of each sparse column begin."""
        return self.keep[0]

    @property
    def stop(self):
        """Where they end."""
        return self.keep[1]

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
            out[: self.view.n_sparse] -= self.view.before + self.view.after
            return out
        self._listed(cols)
        at = np.asarray(cols)
        out = np.full(at.size, self.view.n_rows, dtype=np.int64)
        sparse = at < self.view.n_sparse
        out[sparse] = stop[at[sparse]] - start[at[sparse]] - (self.view.before + self.view.after)
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
        """The same in `out`; without `cols` for the columns from `first` on, as many as `out` is long."""
        require(v.shape[0] == self.view.n_rows, "v has the wrong length")
        fits = out.shape[0] == self._listed(cols) if cols is not None else 0 <= first <= self.view.n_cols - out.shape[0]
        require(fits, "out has the wrong length")
        cdef const int64_t *listed = NULL if cols is None else &cols[0]
        cdef int64_t m = out.shape[0]
        cdef sr_status status
        with nogil:
            status = sr_rmatvec(&self.view, listed, first, m, &v[0], &out[0])
        check(status)

    def rmatvecs(self, const double[:, ::1] V not None, const int64_t[::1] cols=None):
        """`V X[:, cols]`, of several vectors, the rows of V; every column without `cols`."""
        cdef int64_t m = self._listed(cols)
        require(V.shape[1] == self.view.n_rows and V.shape[0] > 0, "V has the wrong shape")
        cdef double[:, ::1] out = np.empty((V.shape[0], m)), abreast = np.empty((self.view.n_rows, SR_VECTORS))
        cdef const int64_t *listed = NULL if cols is None else &cols[0]
        cdef sr_status status
        with nogil:
            status = sr_rmatvecs(&self.view, listed, m, &V[0, 0], V.shape[0], &abreast[0, 0], &out[0, 0])
        check(status)
        return np.asarray(out)

    def add_matvec(self, const double[::1] w, double[::1] out, const int64_t[::1] cols=None, double scale=1.0,
                   const double[::1] s=None):
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

    def residual_max_abs(self, const double[::1] w, const int64_t[::1] cols not None, const double[::1] y, double base,
                         const double[::1] s=None, int64_t first=0, last=None):
        """`max |s (y - base - X[:, cols] w)|` over the rows from `first` to `last` (None: to the end), by blocks; the
        rows of each column must increase."""
        cdef int64_t m = self._listed(cols)
        require(w.shape[0] == m and y.shape[0] == self.view.n_rows, "w or y has the wrong length")
        require(s is None or s.shape[0] == self.view.n_rows, "s has the wrong length")
        cdef int64_t end = self.view.n_rows if last is None else last
        require(0 <= first <= end <= self.view.n_rows, "first or last is no row")
        cdef int64_t[::1] following = np.empty(max(m, 1), dtype=np.int64)
        cdef double[::1] r = np.empty(SR_RESIDUAL_BLOCK)
        cdef const double *weights = doubles(s)
        cdef double max_abs = 0.0
        cdef sr_status status
        with nogil:
            status = sr_residual_max_abs(&self.view, &cols[0], m, &w[0], &y[0], base, weights, first, end,
                                         &following[0], &r[0], &max_abs)
        check(status)
        return max_abs

    def column_stats(self, const double[::1] s=None, const int64_t[::1] cols=None):
        """`x_j' s`, `x_j' (s x_j)`, `|x_j|' s` and `max |x_j|` of each column, not centred; `s` None means all one."""
        cdef int64_t m = self._listed(cols)
        require(s is None or s.shape[0] == self.view.n_rows, "s has the wrong length")
        cdef double[:, ::1] out = np.empty((4, max(m, 1)))
        cdef sr_stats stats
        stats.sums, stats.sq_norms, stats.l1_norms, stats.max_abs = &out[0, 0], &out[1, 0], &out[2, 0], &out[3, 0]
        cdef const int64_t *listed = NULL if cols is None else &cols[0]
        cdef const double *weights = doubles(s)
        cdef sr_status status
        with nogil:
            status = sr_column_stats(&self.view, listed, m, weights, &stats)
        check(status)
        return tuple(np.asarray(out)[:, :m])

    def cd_residual(self, const int64_t[::1] cols, Coordinates co not None, const int64_t[::1] order, double[::1] r,
                    const double[::1] s=None):
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

    def project_residual(self, const int64_t[::1] cols, Coordinates co not None, const int64_t[::1] order,
                         double margin, double[::1] r, const double[::1] s=None):
        """A sweep of projections of the dual point at `co.w`, `r` in place; returns the largest violation."""
        require(self._listed(cols) == co.m and r.shape[0] == self.view.n_rows, "cols or r has the wrong length")
        require(s is None or s.shape[0] == self.view.n_rows, "s has the wrong length")
        require_within(order, co.m)
        if not order.shape[0]:
            return 0.0
        cdef sr_coordinates view = co.borrow()
        cdef const double *weights = doubles(s)
        cdef double violation = 0.0
        cdef sr_status status
        with nogil:
            status = sr_project_residual(&self.view, &cols[0], &view, &order[0], order.shape[0], margin, weights,
                                         &r[0], &violation)
        check(status)
        return violation

    def gauss_seidel(self, const int64_t[::1] cols, RidgeQuadratic q not None, const double[::1] g, double[::1] z,
                     double[::1] v, double v_sum,
                     const double[::1] s=None):
        """One Gauss-Seidel sweep on `H z = g` over `cols`, with `v = S X z` in place; returns the new `sum(v)`."""
        cdef int64_t m = self._listed(cols), p = self.view.n_cols
        require(q.sums.shape[0] == p and g.shape[0] == p and z.shape[0] == p, "g or z has the wrong length")
        require(v.shape[0] == self.view.n_rows and (s is None or s.shape[0] == v.shape[0]),
                "v or s has the wrong length")
        cdef sr_ridge_quadratic view
        view.sums, view.penalty, view.inverse, view.weight_sum = &q.sums[0], &q.penalty[0], &q.inverse[0], q.weight_sum
        cdef const double *weights = doubles(s)
        cdef sr_status status
        with nogil:
            status = sr_gauss_seidel(&self.view, &cols[0], m, &view, &g[0], weights, &z[0], &v[0], &v_sum)
        check(status)
        return v_sum

    def residual_products(self, const double[::1] w, const double[::1] y, double shift, double[::1] out,
                          const double[::1] s=None):
        """For the rows of X: `out += X' r`, in place, and returns `sum(r)`, for `r = s (y + shift - X w)`."""
        require(self.view.n_sparse == self.view.n_cols and y.shape[0] == self.view.n_cols,
                "y has the wrong length, or rows are dense")
        require(w.shape[0] == self.view.n_rows == out.shape[0], "w or out has the wrong length")
        require(s is None or s.shape[0] == y.shape[0], "s has the wrong length")
        cdef const double *weights = doubles(s)
        cdef double total = 0.0
        cdef sr_status status
        with nogil:
            status = sr_residual_products(&self.view, &w[0], &y[0], weights, shift, &out[0], &total)
        check(status)
        return total

    def find_factors(self, int64_t max_factors):
        """For the rows of X: each column's factor, uint8 of shape (n_rows,), and their ends; none if too many."""
        require(0 < max_factors <= 255 and self.view.n_sparse == self.view.n_cols, "too many factors, or dense rows")
        cdef int64_t[::1] following = np.full(self.view.n_rows, self.view.n_rows)
        cdef uint8_t[::1] factor = np.zeros(self.view.n_rows, dtype=np.uint8)
        cdef int64_t[::1] ends = np.empty(max_factors, dtype=np.int64)
        cdef int64_t n_factors = 0
        cdef sr_status status
        with nogil:
            status = sr_find_factors(&self.view, &following[0], max_factors, &factor[0], &ends[0], &n_factors)
        check(status)
        return np.asarray(factor), np.asarray(ends)[:n_factors]

    def factor_codes(self, const int64_t[::1] ends, const int32_t[::1] level, list codes):
        """For the rows of X: `codes[f][i] = level[j]` for entries (i, j) with a level >= 0, f its factor; in place."""
        require(0 < ends.shape[0] == len(codes) <= SR_MAX_FACTORS and ends[ends.shape[0] - 1] == self.view.n_rows,
                "factors do not fit")
        require(level.shape[0] == self.view.n_rows, "level has the wrong length")
        cdef int32_t *to[SR_MAX_FACTORS]
        cdef int32_t[::1] code
        for f, code in enumerate(codes):
            require(code.shape[0] == self.view.n_cols, "codes have the wrong length")
            to[<int64_t>f] = &code[0]
        cdef sr_status status
        with nogil:
            status = sr_factor_codes(&self.view, &ends[0], &level[0], to)
        check(status)

    def dense_gram(self, const int32_t[:, ::1] position, int64_t k, const double[::1] s=None):
        """For the rows of X: `Z' diag(s) Z`; column j of X is part of the columns position[j] of Z, < 0 for none."""
        require(position.shape[0] == self.view.n_rows and np.max(position) < k, "positions do not fit")
        require(s is None or s.shape[0] == self.view.n_cols, "s has the wrong length")
        cdef int64_t n_at = position.shape[1]
        cdef double[:, ::1] G = np.zeros((k, k))
        cdef int32_t[::1] at = np.empty(n_at * self.longest + 1, dtype=np.int32)
        cdef double[::1] value = np.empty(n_at * self.longest + 1)
        cdef const double *weights = doubles(s)
        cdef sr_status status
        with nogil:
            status = sr_dense_gram(&self.view, &position[0, 0], n_at, k, weights, &at[0], &value[0], &G[0, 0])
        check(status)
        out = np.asarray(G)
        diagonal = out.diagonal().copy()
        out += out.T
        np.fill_diagonal(out, diagonal)
        return out

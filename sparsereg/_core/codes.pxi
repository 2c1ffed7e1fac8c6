# Rows of ones by the codes of their columns, in arrays that may be memory-mapped files.

cdef class Codes:
    """Rows of ones, two or four bytes an entry.

    Parameters
    ----------
    codes : uint16 or uint32 array
    start : uint32 array of shape (n + 1,), or int
        Where the codes of each row begin; or the number of codes of every row.
    n, n_codes : int
        Rows, and one more than the largest code: this is checked, by one pass.
    """

    cdef sr_codes view
    cdef object keep
    cdef readonly int64_t n, n_codes, longest

    def __init__(self, codes not None, start not None, int64_t n, int64_t n_codes):
        require(codes.dtype in (np.uint16, np.uint32) and codes.ndim == 1, "codes are of no known type")
        cdef const uint32_t[::1] starts
        self.n, self.n_codes = n, n_codes
        self.view.n, self.view.bytes, self.view.codes = n, codes.dtype.itemsize, address(codes)
        if isinstance(start, int):
            self.view.width, self.view.start = start, NULL
            self.longest = start
            require(0 <= start and n * start == codes.shape[0], "codes have the wrong length")
        else:
            starts = start
            require(starts.shape[0] == n + 1 and starts[0] == 0 and starts[n] == codes.shape[0]
                    and not (start[1:] < start[:-1]).any(), "starts do not fit")
            self.view.start, self.longest = &starts[0], (start[1:] - start[:-1]).max(initial=0)
        require(codes.shape[0] == 0 or np.max(codes) < n_codes, "a code is out of range")
        require(0 <= n < 2**31 and n_codes < 2**31, "there are too many rows or codes")
        self.keep = codes, start

    def matvec(self, int64_t begin, int64_t end, const double[::1] w, double[::1] z):
        """`z += Z[begin:end] w`, in place."""
        require(0 <= begin <= end <= self.n and z.shape[0] == end - begin, "no such rows")
        require(w.shape[0] == self.n_codes, "w has the wrong length")
        if begin < end and self.n_codes:
            with nogil:
                sr_codes_matvec(&self.view, begin, end, &w[0], &z[0])

    def rmatvec(self, int64_t begin, int64_t end, const double[::1] v, double[::1] c):
        """`c += Z[begin:end]' v`, in place."""
        require(0 <= begin <= end <= self.n and v.shape[0] == end - begin, "no such rows")
        require(c.shape[0] == self.n_codes, "c has the wrong length")
        if begin < end and self.n_codes:
            with nogil:
                sr_codes_rmatvec(&self.view, begin, end, &v[0], &c[0])

    def rmatvec_pair(self, int64_t begin, int64_t end, const double[:, ::1] v, double[:, ::1] c):
        """`c += Z[begin:end]' v` for v of two columns, in place."""
        require(0 <= begin <= end <= self.n and v.shape[0] == end - begin, "no such rows")
        require(c.shape[0] == self.n_codes and c.shape[1] == v.shape[1] == 2, "v or c has the wrong shape")
        if begin < end and self.n_codes:
            with nogil:
                sr_codes_rmatvec_pair(&self.view, begin, end, &v[0, 0], &c[0, 0])

    def rows_of(self, const int64_t[::1] cols):
        """The rows of these columns, those of column a from begin[a] to begin[a + 1]: begin, rows."""
        require_within(cols, self.n_codes)
        cdef int64_t a, k = cols.shape[0]
        cdef int32_t[::1] position = np.full(max(self.n_codes, 1), -1, dtype=np.int32)
        for a in range(k):
            position[cols[a]] = <int32_t>a
        cdef int64_t[::1] begin = np.zeros(k + 2, dtype=np.int64)
        with nogil:
            sr_codes_count(&self.view, &position[0], &begin[2])
        np.cumsum(begin, out=np.asarray(begin))
        cdef int32_t[::1] rows = np.empty(max(begin[k + 1], 1), dtype=np.int32)
        with nogil:
            sr_codes_rows(&self.view, &position[0], &begin[1], &rows[0])
        return np.asarray(begin)[: k + 1], np.asarray(rows)[: begin[k]]

    def products(self, const int64_t[::1] begin, const int32_t[::1] rows, const double[::1] s=None):
        """`x_a' S Z` of columns by their rows, as `rows_of` gives them: the CSR arrays indptr, indices, values."""
        cdef int64_t a, k = begin.shape[0] - 1, used = 0
        require(k >= 0 and begin[0] >= 0 and begin[k] <= rows.shape[0] and not (np.diff(begin) < 0).any(),
                "begin does not fit")
        require(rows.shape[0] == 0 or (0 <= np.min(rows) and np.max(rows) < self.n), "rows are out of range")
        require(s is None or s.shape[0] == self.n, "s has the wrong length")
        cdef const double *weights = doubles(s) if self.n else NULL
        cdef int64_t room = np.minimum(np.diff(begin) * self.longest, self.n_codes).sum()
        cdef double[::1] sums = np.zeros(max(self.n_codes, 1))
        cdef int64_t[::1] indptr = np.zeros(k + 1, dtype=np.int64)
        cdef int32_t[::1] indices = np.empty(room + 1, dtype=np.int32)
        cdef double[::1] values = np.empty(room + 1)
        with nogil:
            for a in range(k):
                if begin[a] < begin[a + 1]:
                    used += sr_codes_products(&self.view, begin[a + 1] - begin[a], &rows[begin[a]], weights, &sums[0],
                                              &indices[used], &values[used])
                indptr[a + 1] = used
        return np.asarray(indptr), np.asarray(indices)[:used], np.asarray(values)[:used]

    def gram(self, const int64_t[::1] cols, const double[::1] h, int64_t first, int64_t stop):
        """Rows `first` to `stop` of the lower triangle of `Z_cols' H Z_cols`, of shape (stop - first, m)."""
        require_within(cols, self.n_codes)
        require(0 <= first <= stop <= cols.shape[0] and h.shape[0] == self.n, "no such rows")
        cdef int64_t a, m = cols.shape[0]
        cdef int32_t[::1] place = np.full(max(self.n_codes, 1), -1, dtype=np.int32)
        for a in range(m):
            place[cols[a]] = <int32_t>a
        cdef int32_t[::1] held = np.empty(self.longest + 1, dtype=np.int32)
        cdef double[:, ::1] out = np.zeros((stop - first, m))
        cdef sr_triangle triangle
        if self.n and first < stop:
            triangle.first, triangle.stop, triangle.m, triangle.sums = first, stop, m, &out[0, 0]
            with nogil:
                sr_codes_gram(&self.view, &place[0], &h[0], &held[0], &triangle)
        return np.asarray(out)
